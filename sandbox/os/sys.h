/*
 * sys.h: the one table of system calls that floors 1 and above make on files, sockets and processes.
 * Tests point a row at a function of their own, or make call N of a row fail. errno is read in sys.c
 * alone: every row returns its result, or -Exxx.
 *
 * The table is the one global of the library floors: there is one kernel. Programs never change it.
 */
#ifndef REEVE_OS_SYS_H
#define REEVE_OS_SYS_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "policy/text/err.h"

/* ret, name, parameters, arguments. EINTR is retried inside where the call may simply be made again
 * (never for close, nor where a time-out would start anew). */
#define SYS_TABLE(X)                                                                               \
    X(int, open, (int dirfd, const char *path, int flags, mode_t mode), (dirfd, path, flags, mode)) \
    X(int, close, (int fd), (fd))                                                                  \
    X(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))                                      \
    X(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))                               \
    X(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))               \
    X(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))                     \
    X(int, fsync, (int fd), (fd))                                                                  \
    X(int, rename, (int dirfd, const char *from, const char *to), (dirfd, from, to))               \
    X(int, unlink, (int dirfd, const char *path, int flags), (dirfd, path, flags))                 \
    X(int, mkdir, (int dirfd, const char *path, mode_t mode), (dirfd, path, mode))                 \
    X(int, fstat, (int fd, struct stat *st), (fd, st))                                             \
    X(int, stat, (int dirfd, const char *path, struct stat *st, int flags), (dirfd, path, st, flags)) \
    X(int, fcntl, (int fd, int op, long arg), (fd, op, arg))                                       \
    X(int, socket, (int domain, int type, int protocol), (domain, type, protocol))                 \
    X(int, socketpair, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds)) \
    X(int, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))                      \
    X(int, listen, (int fd, int backlog), (fd, backlog))                                           \
    X(int, accept, (int fd, int flags), (fd, flags))                                               \
    X(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))                   \
    X(int, getsockopt, (int fd, int level, int name, void *v, socklen_t *n), (fd, level, name, v, n)) \
    X(int, setsockopt, (int fd, int level, int name, const void *v, socklen_t n), (fd, level, name, v, n)) \
    X(int, pipe, (int fds[2], int flags), (fds, flags))                                            \
    X(int, epoll_create, (int flags), (flags))                                                     \
    X(int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *e), (ep, op, fd, e))            \
    X(int, epoll_wait, (int ep, struct epoll_event *e, int n, int timeout_ms), (ep, e, n, timeout_ms)) \
    X(int, poll, (struct pollfd *p, size_t n, int timeout_ms), (p, n, timeout_ms))                 \
    X(int, pidfd_open, (pid_t pid), (pid))                                                         \
    X(int, pidfd_kill, (int pidfd, int signo), (pidfd, signo))                                     \
    X(ssize_t, getrandom, (void *p, size_t n), (p, n))                                             \
    X(int, fchmod, (int fd, mode_t mode), (fd, mode))                                              \
    X(int, chmod, (int dirfd, const char *path, mode_t mode), (dirfd, path, mode))                 \
    X(int, chown, (int dirfd, const char *path, uid_t uid, gid_t gid, int flags), (dirfd, path, uid, gid, flags)) \
    X(ssize_t, readlink, (int dirfd, const char *path, char *p, size_t n), (dirfd, path, p, n))    \
    X(ssize_t, getdents, (int fd, void *p, size_t n), (fd, p, n))                                  \
    X(int, waitid, (int pidfd, siginfo_t *info, int options, struct rusage *ru), (pidfd, info, options, ru)) \
    X(int, prctl, (int op, unsigned long arg), (op, arg))                                          \
    X(int, setrlimit, (int what, const struct rlimit *limit), (what, limit))                       \
    X(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old), (how, set, old))                \
    X(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))

struct sys_table {
#define X(ret, name, params, args) ret(*name) params;
    SYS_TABLE(X)
#undef X
};

extern struct sys_table sys;
/* The table as the program started with it, for tests that put it back. */
extern const struct sys_table sys_real;

#endif
