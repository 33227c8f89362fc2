/*
 * channel.c: lines over the worker's one socket.
 *
 * Runs in a worker, behind its walls: recvmsg, sendmsg and poll on one descriptor, and memory. The
 * peer is the broker, which is trusted; its lines are bounded all the same, so that a fault there
 * ends the run with a reason and not with the kernel's out-of-memory killer.
 */
#include "worker/channel.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define CHUNK_BYTES ((size_t)64 << 10)

void channel_init(struct channel *c, int fd, size_t max_line)
{
    *c = (struct channel){.fd = fd, .max_line = max_line};
    buf_init(&c->in, 2 * max_line + CHUNK_BYTES);
}

void channel_release(struct channel *c)
{
    fd_close(&c->fd);
    buf_release(&c->in);
}

static int wait_for(struct channel *c, short events, short *ret, struct err *err)
{
    struct pollfd p = {.fd = c->fd, .events = events};
    int rc = sys.poll(&p, 1, -1);

    if (rc < 0)
        return err_sys(err, -rc, "wait for the broker");
    *ret = p.revents;
    return 0;
}

/* Takes in what is there; waits for it only when `block`. 0 also when there was nothing. */
static int take_in(struct channel *c, bool block, struct err *err)
{
    char *room = buf_reserve(&c->in, CHUNK_BYTES);
    struct iovec io = {.iov_base = room, .iov_len = CHUNK_BYTES};
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1}; /* no room for descriptors: any sent are dropped */
    ssize_t n;
    short got;
    int rc;

    if (!room)
        return err_set(err, ENOMEM, "no memory for the broker's messages");
    /* A read that blocks is woken by the broker's reading as well (room to write), and goes to sleep
     * again: two switches for nothing in every request. A poll for input is not. */
    rc = block ? wait_for(c, POLLIN, &got, err) : 0;
    if (rc < 0)
        return rc;
    n = sys.recvmsg(c->fd, &m, MSG_DONTWAIT);
    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return err_sys(err, (int)-n, "read from the broker");
    if (n == 0 && c->in.len > c->taken)
        return err_set(err, EBADMSG, "the broker closed the socket in the middle of a message");
    if (n == 0)
        return err_set(err, EPIPE, "the broker closed the socket");
    buf_added(&c->in, (size_t)n);
    return 0;
}

int channel_send(struct channel *c, struct str bytes, struct err *err)
{
    while (bytes.len > 0) {
        struct iovec io = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
        struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
        ssize_t n = sys.sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        bool has_room = c->in.len + CHUNK_BYTES <= c->in.max;
        short got = 0;
        int rc;

        if (n == -EAGAIN) {
            rc = wait_for(c, (short)(POLLOUT | (has_room ? POLLIN : 0)), &got, err);
            if (rc >= 0 && (got & POLLIN) != 0)
                rc = take_in(c, false, err);
            if (rc < 0)
                return rc;
            continue;
        }
        if (n < 0)
            return err_sys(err, (int)-n, "write to the broker");
        bytes = str_slice(bytes, (size_t)n, bytes.len);
    }
    return 0;
}

/* The line handed out last is not needed any more. */
static void drop_taken(struct channel *c)
{
    if (c->taken == 0)
        return;
    buf_drop_front(&c->in, c->taken);
    c->taken = 0;
    c->scanned = 0;
    /* One huge answer does not keep its memory for the rest of the run. */
    if (c->in.len == 0 && c->in.cap > 16 * CHUNK_BYTES)
        buf_release(&c->in);
}

int channel_line(struct channel *c, struct str *ret, struct err *err)
{
    drop_taken(c);
    for (;;) {
        ssize_t end = str_find(buf_str(&c->in), '\n', c->scanned);
        int rc;

        if ((end >= 0 ? (size_t)end : c->in.len) > c->max_line)
            return err_set(err, EMSGSIZE, "the broker sent a message of more than %zu bytes",
                           c->max_line);
        if (end >= 0) {
            *ret = str_slice(buf_str(&c->in), 0, (size_t)end);
            c->taken = (size_t)end + 1;
            return 0;
        }
        c->scanned = c->in.len;
        rc = take_in(c, true, err);
        if (rc < 0)
            return rc;
    }
}
