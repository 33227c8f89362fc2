/*
 * exhaust.c: acts that take until it fails: the error of the last attempt is what they return. Each
 * gives up (and has thereby succeeded) at a bound that is above every profile's limit.
 */
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "inside.h"

static int processes(void)
{
    for (int i = 0; i < 2000; i++) {
        long r = CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (r == 0)
            for (;;)
                (void)CALL(SYS_pause);
        if (r < 0)
            return (int)r;
    }
    return 0;
}

/* Threads without libc: each on a stack of its own, asleep for ever. */
static int threads(void)
{
    for (int i = 0; i < 2000; i++) {
        long stack =
            CALL(SYS_mmap, 0, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        long r;
        if (stack < 0)
            return (int)stack;
        long top = stack + 16384;
        long flags =
            CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
        register long r10 __asm__("r10") = 0;
        register long r8 __asm__("r8") = 0;
        __asm__ volatile("syscall\n\t"
                         "test %%rax, %%rax\n\t"
                         "jnz 1f\n"
                         "0: mov $34, %%eax\n\t" /* the child: pause, for ever */
                         "syscall\n\t"
                         "jmp 0b\n"
                         "1:"
                         : "=a"(r)
                         : "a"(SYS_clone), "D"(flags), "S"(top), "d"(0L), "r"(r10), "r"(r8)
                         : "rcx", "r11", "memory");
        if (r < 0)
            return (int)r;
    }
    return 0;
}

static int memory(void)
{
    for (int i = 0; i < 8192; i++) { /* 8 GiB */
        long p =
            CALL(SYS_mmap, 0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p < 0)
            return (int)p;
    }
    return 0;
}

static int repeat(long number, long a, long b, int times)
{
    for (int i = 0; i < times; i++) {
        long r = CALL(number, a, b);
        if (r < 0)
            return (int)r;
    }
    return 0;
}
static int descriptors(void)
{
    return repeat(SYS_dup, 0, 0, 100000);
}
static int descriptors_epoll(void)
{
    return repeat(SYS_epoll_create1, 0, 0, 100000);
}

static int fill(const char *path, long times)
{
    static char bytes[1 << 20];
    long fd = CALL(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0)
        return (int)fd;
    for (long i = 0; i < times; i++) {
        long r = CALL(SYS_write, fd, bytes, sizeof(bytes));
        if (r < 0)
            return (int)r;
    }
    (void)CALL(SYS_close, fd);
    return 0;
}
static int file_size(void)
{
    return fill("/tmp/large", 4096);
}
static int tmp_size(void)
{
    char path[32];
    for (int i = 0; i < 4096; i++) {
        (void)snprintf(path, sizeof(path), "/tmp/part-%d", i);
        int rc = fill(path, 1);
        if (rc < 0)
            return rc;
    }
    return 0;
}
static int tmp_inodes(void)
{
    char path[32];
    for (int i = 0; i < 1000000; i++) {
        (void)snprintf(path, sizeof(path), "/tmp/empty-%d", i);
        long fd = CALL(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
        if (fd < 0)
            return (int)fd;
        (void)CALL(SYS_close, fd);
    }
    return 0;
}
static int timers(void)
{
    for (int i = 0; i < 100000; i++) {
        int id;
        long r = CALL(SYS_timer_create, CLOCK_MONOTONIC, 0, &id);
        if (r < 0)
            return (int)r;
    }
    return 0;
}
static int lock_memory(void)
{
    static char page[8192];
    return done(CALL(SYS_mlock, page, 4096));
}
static int pipe_size(void)
{
    int fds[2];
    long r = CALL(SYS_pipe2, fds, 0);
    return r < 0 ? (int)r : done(CALL(SYS_fcntl, fds[0], F_SETPIPE_SZ, 64 << 20));
}
static int core_file(void)
{
    struct rlimit limit = {1, 1};
    /* Asking is no call that strict has: there the limit was tested from outside (posture). */
    if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max != 0)
        return 0;
    return HARMLESS;
}
static int processor(void)
{
    volatile uint64_t count = 0;
    while (count < UINT64_MAX)
        count = count + 1;
    return 0;
}

#define A(name)     \
    {               \
#name, name \
    }
const struct act acts_exhaust[] = {
    A(processes), A(threads),   A(memory),     A(descriptors), A(descriptors_epoll),
    A(file_size), A(tmp_size),  A(tmp_inodes), A(timers),      A(lock_memory),
    A(pipe_size), A(core_file), A(processor),  {NULL, NULL}};
