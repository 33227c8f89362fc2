/*
 * fd.h: descriptors and who owns them. -1 is none. Close is never retried.
 */
#ifndef REEVE_OS_FD_H
#define REEVE_OS_FD_H

#include "policy/text/err.h"

void fd_close(int *fd); /* closes when >= 0, sets -1; keeps errno's meaning out: no result */
#define FD_AUTO CLEANUP(fd_close)
static inline int fd_take(int *fd) /* gives ownership away */
{
    int taken = *fd;
    *fd = -1;
    return taken;
}
int fd_set_cloexec(int fd, bool on, struct err *err);
int fd_set_nonblock(int fd, bool on, struct err *err);
/* All of p, over short writes; for blocking descriptors. */
int fd_write_all(int fd, const void *p, size_t n, struct err *err) NODISCARD;
/* Exactly n bytes; -EPIPE if the other side ends before. */
int fd_read_all(int fd, void *p, size_t n, struct err *err) NODISCARD;

#define FD_PASS_MAX 16
/* One message on a Unix socket with descriptors attached (SCM_RIGHTS). The descriptors stay the caller's. */
ssize_t fd_send(int sock, const void *p, size_t n, const int *fds, size_t fd_count, struct err *err);
/* Receives; descriptors come close-on-exec and are the caller's. Returns bytes, 0 at end of file. More
 * than FD_PASS_MAX descriptors, or a truncated control message, is -EMSGSIZE and all are closed.
 * -EAGAIN is returned without an error text. */
ssize_t fd_recv(int sock, void *p, size_t n, int fds[FD_PASS_MAX], size_t *ret_fd_count, struct err *err);

#endif
