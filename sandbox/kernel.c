/*
 * kernel.c: see kernel.h. The one file of this folder that reads errno. Runs in reeve-spawn, in its
 * children before exec, and in the strict worker's first lines: allocates nothing, opens nothing
 * itself.
 */
#include "sandbox/kernel.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    long r = syscall(number, a, b, c, d, e, f);

    return r < 0 ? -errno : r;
}

int kernel_raw(long number, long a, long b, long c, long d, long e, long f)
{
    return (int)call(number, a, b, c, d, e, f);
}

#define CALL6(n, a, b, c, d, e, f) \
    (int)call((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL5(n, a, b, c, d, e) CALL6(n, a, b, c, d, e, 0)
#define CALL4(n, a, b, c, d)    CALL6(n, a, b, c, d, 0, 0)
#define CALL3(n, a, b, c)       CALL6(n, a, b, c, 0, 0, 0)
#define CALL2(n, a, b)          CALL6(n, a, b, 0, 0, 0, 0)
#define CALL1(n, a)             CALL6(n, a, 0, 0, 0, 0, 0)

int kernel_clone3(const struct kernel_clone *args)
{
    return CALL2(SYS_clone3, (uintptr_t)args, sizeof(*args));
}

#if defined(__SANITIZE_ADDRESS__)
#define ONE_STACK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define ONE_STACK 1
#endif
#endif

#if defined(__x86_64__) && !defined(ONE_STACK)
/* Not through syscall(3): the child must not return over a frame that its parent still needs. The
 * kernel gives it its own stack at once; it calls, and never comes back. */
int kernel_clone3_vfork(const struct kernel_clone *args, void (*run)(const void *arg),
                        const void *arg)
{
    struct kernel_clone shared = *args;
    register void (*child_run)(const void *) __asm__("r12") = run;
    register const void *child_arg __asm__("r13") = arg;
    long rc = SYS_clone3;

    shared.flags |= CLONE_VM | CLONE_VFORK;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "movq %%r13, %%rdi\n\t"
                     "callq *%%r12\n\t"
                     "ud2\n"
                     "1:"
                     : "+a"(rc)
                     : "D"(&shared), "S"(sizeof(shared)), "r"(child_run), "r"(child_arg)
                     : "rcx", "r11", "cc", "memory");
    return (int)rc;
}
#else
int kernel_clone3_vfork(const struct kernel_clone *args UNUSED, void (*run)(const void *arg) UNUSED,
                        const void *arg UNUSED)
{
    return -ENOSYS;
}
#endif

int kernel_pidfd_getfd(int pidfd, int fd)
{
    return CALL3(SYS_pidfd_getfd, pidfd, fd, 0);
}

int kernel_close_range(unsigned from, unsigned to)
{
    return from > to ? 0 : CALL3(SYS_close_range, from, to, 0);
}

int kernel_execveat(int fd, const char *path, char *const *argv, char *const *env, int flags)
{
    return CALL5(SYS_execveat, fd, (uintptr_t)path, (uintptr_t)argv, (uintptr_t)env, flags);
}

int kernel_execve(const char *path, char *const *argv, char *const *env)
{
    return CALL3(SYS_execve, (uintptr_t)path, (uintptr_t)argv, (uintptr_t)env);
}

int kernel_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return CALL5(SYS_prctl, option, a, b, c, d);
}

int kernel_setns(int fd, int type)
{
    return CALL2(SYS_setns, fd, type);
}

int kernel_unshare(uint64_t flags)
{
    return CALL1(SYS_unshare, flags);
}

int kernel_rlimit(int which, uint64_t soft, uint64_t hard)
{
    uint64_t limit[2] = {soft, hard}; /* struct rlimit64 */

    return CALL4(SYS_prlimit64, 0, which, (uintptr_t)limit, 0);
}

int kernel_rlimit_of(pid_t pid, int which, uint64_t soft, uint64_t hard)
{
    uint64_t limit[2] = {soft, hard};

    return CALL4(SYS_prlimit64, pid, which, (uintptr_t)limit, 0);
}

int64_t kernel_cpu_us(pid_t pid)
{
    struct timespec t;
    /* clock_getcpuclockid(3), without asking twice whether it is there */
    int rc = CALL2(SYS_clock_gettime, (int)(~(unsigned)pid << 3 | 2), (uintptr_t)&t);

    return rc < 0 ? rc : (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int kernel_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    for (int i = 0; i < 2; i++) {
        data[i].effective = (uint32_t)(effective >> (32 * i));
        data[i].permitted = (uint32_t)(permitted >> (32 * i));
        data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
    }
    return CALL2(SYS_capset, (uintptr_t)&head, (uintptr_t)data);
}

int kernel_capget(uint64_t *ret_effective, uint64_t *ret_permitted, uint64_t *ret_inheritable)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {{0}, {0}};
    int rc = CALL2(SYS_capget, (uintptr_t)&head, (uintptr_t)d);

    if (rc < 0)
        return rc;
    *ret_effective = d[0].effective | (uint64_t)d[1].effective << 32;
    *ret_permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
    *ret_inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
    return 0;
}

/* ---- mounts -------------------------------------------------------------------------------------
 */

int kernel_open_tree(int dirfd, const char *path, unsigned flags)
{
    return CALL3(SYS_open_tree, dirfd, (uintptr_t)path, flags);
}

int kernel_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
    return CALL5(SYS_move_mount, from, (uintptr_t)from_path, to, (uintptr_t)to_path, flags);
}

int kernel_mount_setattr(int dirfd, const char *path, unsigned flags, uint64_t set, uint64_t clear,
                         uint64_t propagation, int userns_fd)
{
    uint64_t attr[4] = {set, clear, propagation, userns_fd < 0 ? 0 : (uint64_t)userns_fd};

    return CALL5(SYS_mount_setattr, dirfd, (uintptr_t)path, flags, (uintptr_t)attr, sizeof(attr));
}

int kernel_fsopen(const char *type)
{
    return CALL2(SYS_fsopen, (uintptr_t)type, FSOPEN_CLOEXEC);
}

int kernel_fsconfig_string(int fs, const char *key, const char *value)
{
    return CALL5(SYS_fsconfig, fs, FSCONFIG_SET_STRING, (uintptr_t)key, (uintptr_t)value, 0);
}

int kernel_fsconfig_flag(int fs, const char *key)
{
    return CALL5(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, (uintptr_t)key, 0, 0);
}

int kernel_fsconfig_create(int fs)
{
    return CALL5(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
}

int kernel_fsmount(int fs, unsigned attrs)
{
    return CALL3(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attrs);
}

int kernel_openat2(int dirfd, const char *path, const struct open_how *how, size_t size)
{
    return CALL4(SYS_openat2, dirfd, (uintptr_t)path, (uintptr_t)how, size);
}

int kernel_pivot_root(const char *new_root, const char *put_old)
{
    return CALL2(SYS_pivot_root, (uintptr_t)new_root, (uintptr_t)put_old);
}

int kernel_umount(const char *path, int flags)
{
    return CALL2(SYS_umount2, (uintptr_t)path, flags);
}

/* ---- Landlock
 * ------------------------------------------------------------------------------------ */

int kernel_landlock_abi(void)
{
    return CALL3(SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

int kernel_landlock_create(const struct kernel_ruleset *attr, size_t size)
{
    return CALL3(SYS_landlock_create_ruleset, (uintptr_t)attr, size, 0);
}

int kernel_landlock_path(int ruleset, int path_fd, uint64_t rights)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights, .parent_fd = path_fd};

    return CALL4(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, (uintptr_t)&beneath,
                 0);
}

int kernel_landlock_restrict(int ruleset, unsigned flags)
{
    return CALL2(SYS_landlock_restrict_self, ruleset, flags);
}

/* ---- seccomp
 * ------------------------------------------------------------------------------------- */

int kernel_seccomp_load(const struct sock_fprog *program, unsigned flags)
{
    return CALL3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, (uintptr_t)program);
}

int kernel_seccomp_has_action(uint32_t action)
{
    return CALL3(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, (uintptr_t)&action);
}

int kernel_notify_receive(int listener, struct seccomp_notif *ret)
{
    memset(ret, 0, sizeof(*ret)); /* the kernel refuses one that is not */
    return CALL3(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_RECV, (uintptr_t)ret);
}

int kernel_notify_answer(int listener, const struct seccomp_notif_resp *answer)
{
    return CALL3(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SEND, (uintptr_t)answer);
}
