/*
 * selftest.c: see selftest.h. Every argument is one that does no harm should the act succeed.
 */
#include "sandbox/selftest.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/inside.h"
#include "sandbox/kernel.h"
#include "sandbox/os/sys.h"

#define BIT(set) (1u << (set))
#define STRICT   BIT(SECCOMP_STRICT)
#define NATIVE   (BIT(SECCOMP_PROGRAM) | BIT(SECCOMP_TOOL) | BIT(SECCOMP_TOOL_NET))
#define SCRIPT   (BIT(SECCOMP_NODE) | BIT(SECCOMP_PYTHON))
#define HELPER   (BIT(SECCOMP_HELPER) | BIT(SECCOMP_HELPER_NET))
#define NET      (BIT(SECCOMP_TOOL_NET) | BIT(SECCOMP_HELPER_NET))
#define ALL      (STRICT | NATIVE | SCRIPT | HELPER)

struct act {
    const char *what;
    long args[6];
    int call;
    unsigned sets; /* where it is tried */
    unsigned told; /* where the filter must refuse it, by name; elsewhere another layer does: */
    int number;    /* with this errno */
};

/* Addresses of arguments are constants of the program, so that the table is one. */
static const char shadow[] = "/etc/shadow", urandom[] = "/dev/urandom",
                  nowhere[] = "/no/such/program", tmpfs[] = "tmpfs", usr[] = "/usr", name[] = "x";
static const uint64_t clone3_args[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
#define P(p) ((long)(uintptr_t)(p))

static size_t acts_fill(struct act acts[SELFTEST_MAX])
{
    const struct act all[] = {
        {"read /etc/shadow", {AT_FDCWD, P(shadow), O_RDONLY}, SYS_openat, ALL, STRICT, ENOENT},
        {"write a device that Landlock names for reading",
         {AT_FDCWD, P(urandom), O_WRONLY},
         SYS_openat,
         ALL,
         STRICT,
         EACCES},
        {"a socket to the hypervisor", {AF_VSOCK, SOCK_STREAM, 0}, SYS_socket, ALL, ALL, 0},
        {"an internet socket", {AF_INET, SOCK_DGRAM, 0}, SYS_socket, ALL & ~SCRIPT & ~NET, ALL, 0},
        {"a packet socket", {AF_PACKET, SOCK_RAW, 0}, SYS_socket, ALL, ALL, 0},
        {"another program", {P(nowhere), 0, 0}, SYS_execve, ALL, ALL & ~NATIVE, ENOENT},
        {"a program by descriptor", {3, P(name), 0, 0, AT_EMPTY_PATH}, SYS_execveat, ALL, ALL, 0},
        {"being traced", {0, 0, 0, 0}, SYS_ptrace, ALL, ALL, 0},
        {"a user namespace", {CLONE_NEWUSER}, SYS_unshare, ALL, ALL, 0},
        {"a user namespace by clone", {CLONE_NEWUSER | SIGCHLD}, SYS_clone, ALL, ALL, 0},
        {"a user namespace by clone3",
         {P(clone3_args), sizeof(clone3_args)},
         SYS_clone3,
         ALL,
         STRICT,
         ENOSYS},
        {"a mount", {P(tmpfs), P(usr), P(tmpfs), 0, 0}, SYS_mount, ALL, ALL, 0},
        {"a memory file", {P(name), 0}, SYS_memfd_create, ALL, ALL, 0},
        {"io_uring", {1, 0}, SYS_io_uring_setup, ALL, ALL, 0},
        {"another user", {0}, SYS_setuid, ALL, ALL, 0},
        {"a program in the kernel", {0, 0, 0}, SYS_bpf, ALL, ALL, 0},
        {"a keyring", {0, -3, 0}, SYS_keyctl, ALL, ALL, 0},
        {"everybody's end", {-1, 0}, SYS_kill, ALL, STRICT, ESRCH},
        {"memory to write and run",
         {0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0},
         SYS_mmap,
         STRICT,
         ALL,
         0},
    };

    _Static_assert(ARRAY_LEN(all) <= SELFTEST_MAX, "room for every act");
    memcpy(acts, all, sizeof(all));
    return ARRAY_LEN(all);
}

static int parse_set(const char *text, enum seccomp_set *ret)
{
    for (size_t i = 0; i < SECCOMP_SET_COUNT; i++)
        if (strcmp(text, seccomp_set_name((enum seccomp_set)i)) == 0) {
            *ret = (enum seccomp_set)i;
            return 0;
        }
    return -EINVAL;
}

int selftest_main(const char *set_name)
{
    struct act acts[SELFTEST_MAX];
    struct selftest_result results[SELFTEST_MAX] = {{0}};
    size_t count = acts_fill(acts);
    struct err err = ERR_INIT;
    enum seccomp_set set;

    if (parse_set(set_name, &set) < 0 || (set == SECCOMP_STRICT && walls_close_strict(&err) < 0))
        return 1;
    for (size_t i = 0; i < count; i++) {
        const long *a = acts[i].args;
        if ((acts[i].sets & BIT(set)) == 0)
            continue;
        int rc = kernel_raw(acts[i].call, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (rc == 0 && (acts[i].call == SYS_clone || acts[i].call == SYS_clone3) && getpid() != 1)
            _exit(0); /* the child of a clone that went through */
        results[i].number = rc < 0 ? -rc : 0;
    }
    return sys.write(3, results, sizeof(results)) == (ssize_t)sizeof(results) ? 0 : 1;
}

static int expected(enum seccomp_set set, const struct act *a, bool *ret_told)
{
    *ret_told = (a->told & BIT(set)) != 0;
    return *ret_told ? seccomp_set_answer(set, a->call).number : a->number;
}

int selftest_judge(enum seccomp_set set, const struct selftest_result *results, size_t count,
                   const struct selftest_told *told, struct err *err)
{
    struct act acts[SELFTEST_MAX];
    size_t n = acts_fill(acts);

    if (count < n)
        return err_set(err, EPERM, "no results");
    for (size_t i = 0; i < n; i++) {
        const struct act *a = &acts[i];
        bool want_told;
        int want = expected(set, a, &want_told);
        if ((a->sets & BIT(set)) == 0)
            continue;
        if (results[i].number != want)
            return err_set(err, EPERM, "%s: %s, expected %s", a->what,
                           results[i].number == 0 ? "succeeded" : err_name(results[i].number),
                           err_name(want));
        if (told->calls[a->call] != want_told)
            return err_set(err, EPERM, "%s: the filter %s", a->what,
                           want_told ? "did not tell of it" : "was not to see it");
    }
    return 0;
}

size_t selftest_count(enum seccomp_set set)
{
    struct act acts[SELFTEST_MAX];
    size_t n = acts_fill(acts), count = 0;

    for (size_t i = 0; i < n; i++)
        count += (acts[i].sets & BIT(set)) != 0;
    return count;
}
