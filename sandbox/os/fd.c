/*
 * fd.c: descriptors and who owns them. In every program.
 */
#include "sandbox/os/fd.h"

#include <fcntl.h>

#include "sandbox/os/sys.h"

void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)sys.close(*fd);
    *fd = -1;
}

static int set_flag(int fd, int get, int set, int flag, bool on, const char *what, struct err *err)
{
    int now = sys.fcntl(fd, get, 0);
    if (now < 0)
        return err_sys(err, -now, "%s of descriptor %d", what, fd);
    int want = on ? now | flag : now & ~flag;
    if (want == now)
        return 0;
    int r = sys.fcntl(fd, set, want);
    return r < 0 ? err_sys(err, -r, "%s of descriptor %d", what, fd) : 0;
}

int fd_set_cloexec(int fd, bool on, struct err *err)
{
    return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on, "close-on-exec", err);
}

int fd_set_nonblock(int fd, bool on, struct err *err)
{
    return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on, "non-blocking mode", err);
}

int fd_write_all(int fd, const void *p, size_t n, struct err *err)
{
    const char *at = p;
    while (n > 0) {
        ssize_t r = sys.write(fd, at, n);
        if (r < 0)
            return err_sys(err, (int)-r, "write to descriptor %d", fd);
        if (r == 0)
            return err_set(err, EIO, "write to descriptor %d: nothing was written", fd);
        at += r;
        n -= (size_t)r;
    }
    return 0;
}

int fd_read_all(int fd, void *p, size_t n, struct err *err)
{
    char *at = p;
    while (n > 0) {
        ssize_t r = sys.read(fd, at, n);
        if (r < 0)
            return err_sys(err, (int)-r, "read from descriptor %d", fd);
        if (r == 0)
            return err_set(err, EPIPE, "descriptor %d ended %zu bytes early", fd, n);
        at += r;
        n -= (size_t)r;
    }
    return 0;
}

/* Aligned as cmsghdr asks for, see cmsg(3). */
union control {
    char bytes[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
    struct cmsghdr align;
};

ssize_t fd_send(int sock, const void *p, size_t n, const int *fds, size_t fd_count, struct err *err)
{
    if (fd_count > FD_PASS_MAX)
        return err_set(err, EMSGSIZE, "%zu descriptors in a message, at most %d can pass", fd_count,
                       FD_PASS_MAX);
    struct iovec iov = {.iov_len = n};
    memcpy(&iov.iov_base, &p, sizeof p); /* sendmsg does not write to it: iovec has no const */
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    union control control;
    if (fd_count > 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    ssize_t r = sys.sendmsg(sock, &m, MSG_NOSIGNAL);
    if (r == -EAGAIN)
        return r;
    return r < 0 ? err_sys(err, (int)-r, "send on socket %d", sock) : r;
}

static size_t collect(struct msghdr *m, int fds[FD_PASS_MAX])
{
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (count < FD_PASS_MAX)
                fds[count++] = fd;
            else
                fd_close(&fd);
        }
    }
    return count;
}

ssize_t fd_recv(int sock, void *p, size_t n, int fds[FD_PASS_MAX], size_t *ret_fd_count,
                struct err *err)
{
    union control control;
    struct iovec iov = {p, n};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    *ret_fd_count = 0;
    ssize_t r = sys.recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    if (r == -EAGAIN)
        return r;
    if (r < 0)
        return err_sys(err, (int)-r, "receive on socket %d", sock);
    size_t count = collect(&m, fds);
    if (m.msg_flags & MSG_CTRUNC) {
        /* Some are lost for good: what is left could be taken for what it is not. */
        for (size_t i = 0; i < count; i++)
            fd_close(&fds[i]);
        return err_set(err, EMSGSIZE,
                       "socket %d: more than %d descriptors came, or there is no room for them",
                       sock, FD_PASS_MAX);
    }
    *ret_fd_count = count;
    return r;
}
