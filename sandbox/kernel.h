/*
 * kernel.h: the system calls of confinement, which libc of Debian 12 has no functions for, and their
 * constants, which its kernel headers (6.1) do not all know. Every call returns its result or -Exxx.
 * Nothing here decides anything.
 */
#ifndef REEVE_SANDBOX_KERNEL_H
#define REEVE_SANDBOX_KERNEL_H

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "policy/text/base.h"

/* One call as it is, for tests of walls: its result or -Exxx. */
int kernel_raw(long number, long a, long b, long c, long d, long e, long f);

/* ---- processes ---------------------------------------------------------------------------------- */

struct kernel_clone { /* struct clone_args of clone3(2), version 2 */
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
int kernel_clone3(const struct kernel_clone *args); /* 0 in the child */
/* As vfork(2): the child runs run(arg) in the caller's memory, on the stack that args names, and the caller goes on
 * when it has executed a program or is gone. -ENOSYS where this cannot be had: on other machines than x86-64, and
 * with sanitizers, which know one stack. */
int kernel_clone3_vfork(const struct kernel_clone *args, void (*run)(const void *arg), const void *arg);
int kernel_pidfd_getfd(int pidfd, int fd);
int kernel_close_range(unsigned from, unsigned to);
int kernel_execveat(int fd, const char *path, char *const *argv, char *const *env, int flags);
int kernel_execve(const char *path, char *const *argv, char *const *env);
int kernel_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int kernel_setns(int fd, int type);
int kernel_unshare(uint64_t flags);
int kernel_rlimit(int which, uint64_t soft, uint64_t hard);
/* Of a child that is not reaped yet: its limit; the CPU time of all its threads, -Exxx. */
int kernel_rlimit_of(pid_t pid, int which, uint64_t soft, uint64_t hard);
int64_t kernel_cpu_us(pid_t pid);
/* All three sets of the caller to the given bits. */
int kernel_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable);
int kernel_capget(uint64_t *ret_effective, uint64_t *ret_permitted, uint64_t *ret_inheritable);

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#define PR_MDWE_REFUSE_EXEC_GAIN (1UL << 0)
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* ---- mounts ------------------------------------------------------------------------------------- */

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
int kernel_open_tree(int dirfd, const char *path, unsigned flags);
int kernel_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags);
int kernel_mount_setattr(int dirfd, const char *path, unsigned flags, uint64_t set, uint64_t clear,
                         uint64_t propagation, int userns_fd);
int kernel_fsopen(const char *type);
int kernel_fsconfig_string(int fs, const char *key, const char *value);
int kernel_fsconfig_flag(int fs, const char *key);
int kernel_fsconfig_create(int fs);
int kernel_fsmount(int fs, unsigned attrs);
struct open_how;
int kernel_openat2(int dirfd, const char *path, const struct open_how *how, size_t size);
int kernel_pivot_root(const char *new_root, const char *put_old);
int kernel_umount(const char *path, int flags);

/* ---- Landlock (ABI 1 to 7) ----------------------------------------------------------------------- */

#define LL_EXECUTE (1ULL << 0)
#define LL_WRITE_FILE (1ULL << 1)
#define LL_READ_FILE (1ULL << 2)
#define LL_READ_DIR (1ULL << 3)
#define LL_REMOVE_DIR (1ULL << 4)
#define LL_REMOVE_FILE (1ULL << 5)
#define LL_MAKE_CHAR (1ULL << 6)
#define LL_MAKE_DIR (1ULL << 7)
#define LL_MAKE_REG (1ULL << 8)
#define LL_MAKE_SOCK (1ULL << 9)
#define LL_MAKE_FIFO (1ULL << 10)
#define LL_MAKE_BLOCK (1ULL << 11)
#define LL_MAKE_SYM (1ULL << 12)
#define LL_REFER (1ULL << 13)     /* ABI 2 */
#define LL_TRUNCATE (1ULL << 14)  /* ABI 3 */
#define LL_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define LL_NET_BIND_TCP (1ULL << 0)    /* ABI 4 */
#define LL_NET_CONNECT_TCP (1ULL << 1)
#define LL_SCOPE_ABSTRACT (1ULL << 0)  /* ABI 6 */
#define LL_SCOPE_SIGNAL (1ULL << 1)
struct kernel_ruleset { /* struct landlock_ruleset_attr of ABI 6; older kernels take a shorter one */
    uint64_t fs, net, scoped;
};
int kernel_landlock_abi(void); /* >= 1, or -Exxx: -ENOSYS, -EOPNOTSUPP (built in, switched off) */
int kernel_landlock_create(const struct kernel_ruleset *attr, size_t size);
int kernel_landlock_path(int ruleset, int path_fd, uint64_t rights);
int kernel_landlock_restrict(int ruleset, unsigned flags);

/* ---- seccomp ------------------------------------------------------------------------------------- */

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_USER_NOTIF_FLAG_CONTINUE
#define SECCOMP_USER_NOTIF_FLAG_CONTINUE (1UL << 0)
#endif
int kernel_seccomp_load(const struct sock_fprog *program, unsigned flags); /* listener, if asked for */
int kernel_seccomp_has_action(uint32_t action);
int kernel_notify_receive(int listener, struct seccomp_notif *ret);
int kernel_notify_answer(int listener, const struct seccomp_notif_resp *answer);

/* ---- sockets ------------------------------------------------------------------------------------- */

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#endif
