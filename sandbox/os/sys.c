/*
 * sys.c: the table of system calls, and the one file that reads errno. In every program.
 */
#include "sandbox/os/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RETRY(type, call)                 \
    do {                                  \
        type r_;                          \
        do                                \
            r_ = (type)(call);            \
        while (r_ < 0 && errno == EINTR); \
        return r_ < 0 ? -errno : r_;      \
    } while (0)
#define ONCE(type, call)             \
    do {                             \
        type r_ = (type)(call);      \
        return r_ < 0 ? -errno : r_; \
    } while (0)

static int real_open(int dirfd, const char *path, int flags, mode_t mode)
{
    RETRY(int, openat(dirfd, path, flags, mode));
}

static int real_close(int fd)
{
    ONCE(int, close(fd));
}

static ssize_t real_read(int fd, void *p, size_t n)
{
    RETRY(ssize_t, read(fd, p, n));
}

static ssize_t real_write(int fd, const void *p, size_t n)
{
    RETRY(ssize_t, write(fd, p, n));
}

static ssize_t real_sendmsg(int fd, const struct msghdr *m, int flags)
{
    RETRY(ssize_t, sendmsg(fd, m, flags));
}

static ssize_t real_recvmsg(int fd, struct msghdr *m, int flags)
{
    RETRY(ssize_t, recvmsg(fd, m, flags));
}

static int real_fsync(int fd)
{
    RETRY(int, fsync(fd));
}

static int real_rename(int dirfd, const char *from, const char *to)
{
    ONCE(int, renameat(dirfd, from, dirfd, to));
}

static int real_unlink(int dirfd, const char *path, int flags)
{
    ONCE(int, unlinkat(dirfd, path, flags));
}

static int real_mkdir(int dirfd, const char *path, mode_t mode)
{
    ONCE(int, mkdirat(dirfd, path, mode));
}

static int real_fstat(int fd, struct stat *st)
{
    ONCE(int, fstat(fd, st));
}

static int real_stat(int dirfd, const char *path, struct stat *st, int flags)
{
    ONCE(int, fstatat(dirfd, path, st, flags));
}

static int real_fcntl(int fd, int op, long arg)
{
    RETRY(int, fcntl(fd, op, arg));
}

static int real_socket(int domain, int type, int protocol)
{
    ONCE(int, socket(domain, type, protocol));
}

static int real_socketpair(int domain, int type, int protocol, int fds[2])
{
    ONCE(int, socketpair(domain, type, protocol, fds));
}

static int real_bind(int fd, const struct sockaddr *a, socklen_t n)
{
    ONCE(int, bind(fd, a, n));
}

static int real_listen(int fd, int backlog)
{
    ONCE(int, listen(fd, backlog));
}

static int real_accept(int fd, int flags)
{
    RETRY(int, accept4(fd, NULL, NULL, flags));
}

/* Not retried: a connect that was interrupted goes on by itself. */
static int real_connect(int fd, const struct sockaddr *a, socklen_t n)
{
    ONCE(int, connect(fd, a, n));
}

static int real_getsockopt(int fd, int level, int name, void *v, socklen_t *n)
{
    ONCE(int, getsockopt(fd, level, name, v, n));
}

static int real_setsockopt(int fd, int level, int name, const void *v, socklen_t n)
{
    ONCE(int, setsockopt(fd, level, name, v, n));
}

static int real_pipe(int fds[2], int flags)
{
    ONCE(int, pipe2(fds, flags));
}

static int real_epoll_create(int flags)
{
    ONCE(int, epoll_create1(flags));
}

static int real_epoll_ctl(int ep, int op, int fd, struct epoll_event *e)
{
    ONCE(int, epoll_ctl(ep, op, fd, e));
}

static int real_epoll_wait(int ep, struct epoll_event *e, int n, int timeout_ms)
{
    ONCE(int, epoll_wait(ep, e, n, timeout_ms));
}

static int real_poll(struct pollfd *p, size_t n, int timeout_ms)
{
    ONCE(int, poll(p, (nfds_t)n, timeout_ms));
}

static int real_pidfd_open(pid_t pid)
{
    ONCE(int, syscall(SYS_pidfd_open, pid, 0));
}

static int real_pidfd_kill(int pidfd, int signo)
{
    ONCE(int, syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0));
}

static ssize_t real_getrandom(void *p, size_t n)
{
    RETRY(ssize_t, getrandom(p, n, 0));
}

static int real_fchmod(int fd, mode_t mode)
{
    ONCE(int, fchmod(fd, mode));
}

static int real_chmod(int dirfd, const char *path, mode_t mode)
{
    ONCE(int, fchmodat(dirfd, path, mode, 0));
}

static int real_chown(int dirfd, const char *path, uid_t uid, gid_t gid, int flags)
{
    ONCE(int, fchownat(dirfd, path, uid, gid, flags));
}

static ssize_t real_readlink(int dirfd, const char *path, char *p, size_t n)
{
    ONCE(ssize_t, readlinkat(dirfd, path, p, n));
}

static ssize_t real_getdents(int fd, void *p, size_t n)
{
    ONCE(ssize_t, getdents64(fd, p, n));
}

/* glibc's waitid() has no place for the resource usage that the kernel's call gives. */
static int real_waitid(int pidfd, siginfo_t *info, int options, struct rusage *ru)
{
    RETRY(int, syscall(SYS_waitid, P_PIDFD, pidfd, info, options, ru));
}

static int real_prctl(int op, unsigned long arg)
{
    ONCE(int, prctl(op, arg, 0UL, 0UL, 0UL));
}

static int real_setrlimit(int what, const struct rlimit *limit)
{
    ONCE(int, setrlimit((unsigned)what, limit));
}

static int real_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    ONCE(int, sigprocmask(how, set, old));
}

static int real_signalfd(int fd, const sigset_t *set, int flags)
{
    ONCE(int, signalfd(fd, set, flags));
}

#define X(ret, name, params, args) .name = real_##name,
const struct sys_table sys_real = {SYS_TABLE(X)};
struct sys_table sys = {SYS_TABLE(X)};
#undef X
