/*
 * wire_out.c: a wire's output: written to memory, held or let go, sent at the end of the pass. In
 * every program with a wire. A peer that does not read costs max_out_bytes at most, then its
 * connection.
 */
#include <sys/socket.h>

#include "policy/text/utf8.h"
#include "sandbox/os/sys.h"
#include "sandbox/os/wire_impl.h"

static void on_flush(void *arg)
{
    struct wire *w = arg;
    if (!w->held)
        w->released = w->ended;
    if (!w->blocked) /* else EPOLLOUT will tell */
        wire_out_write(w);
}

int wire_out_init(struct wire *w, struct err *err)
{
    buf_init(&w->out, 0);
    return ev_task_new(w->ev, on_flush, w, &w->flush, err);
}

static void drop_fds(struct wire *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fd_close(&w->fds_out[i].fd);
    w->fds_out_count -= n;
    memmove(w->fds_out, w->fds_out + n, w->fds_out_count * sizeof w->fds_out[0]);
}

/* Nothing of it will be sent. */
static void discard(struct wire *w)
{
    drop_fds(w, w->fds_out_count);
    buf_release(&w->out);
    w->sent = w->released = w->ended = 0;
}

void wire_out_release(struct wire *w)
{
    discard(w);
    ev_task_free(w->flush);
    w->flush = NULL;
}

/* ---- sending ----------------------------------------------------------------------------------
 */

/* All was sent: back to the start of the buffer; a large one is given back. */
static void rewind_out(struct wire *w)
{
    if (w->sent == 0 || w->sent < w->out.len)
        return;
    w->stream_at += w->sent;
    w->sent = w->released = w->ended = 0;
    if (w->out.cap > WIRE_READ_KEEP)
        buf_release(&w->out);
    else
        buf_clear(&w->out);
}

/* Sends up to the next byte that descriptors go with, or from it with them. */
static ssize_t send_some(struct wire *w)
{
    const char *p = w->out.ptr + w->sent;
    size_t n = w->released - w->sent, with = 0;
    if (w->is_pipe)
        return sys.write(w->out_fd, p, n);
    int fds[FD_PASS_MAX];
    uint64_t at = w->stream_at + w->sent;
    while (with < w->fds_out_count && with < FD_PASS_MAX && w->fds_out[with].at == at) {
        fds[with] = w->fds_out[with].fd;
        with++;
    }
    if (with < w->fds_out_count && w->fds_out[with].at - at < n)
        n = (size_t)(w->fds_out[with].at - at);
    ssize_t r = fd_send(w->out_fd, p, n, fds, with, NULL);
    if (r > 0)
        drop_fds(w, with);
    return r;
}

void wire_out_write(struct wire *w)
{
    if (!wire_is_live(w) || w->fault.number || w->broken)
        return;
    bool blocked = false;
    while (w->sent < w->released) {
        ssize_t r = send_some(w);
        if (r == -EAGAIN) {
            blocked = true;
            break;
        }
        if (r <= 0) {
            /* The peer reads no more; what it said before is still read, then the wire closes. */
            w->broken = r < 0 ? (int)-r : EPIPE;
            discard(w);
            (void)ev_timer_set(w->again, 0);
            break;
        }
        w->sent += (size_t)r;
    }
    rewind_out(w);
    if (blocked != w->blocked) {
        w->blocked = blocked;
        wire_watch(w);
    }
}

void wire_hold(struct wire *w, bool on)
{
    if (on && !w->held)
        w->released =
            MAX(w->released, w->ended); /* written before: leaves at the end of this pass */
    w->held = on;
    if (w->sent < w->ended && wire_is_live(w))
        ev_task_set(w->flush);
}

void wire_release(struct wire *w)
{
    w->released = w->ended;
    if (w->sent < w->released && wire_is_live(w))
        ev_task_set(w->flush);
}

bool wire_has_output(const struct wire *w)
{
    return w->sent < w->ended;
}

size_t wire_out_bytes(const struct wire *w)
{
    return w->ended - w->sent;
}

/* ---- writing messages -------------------------------------------------------------------------
 */

struct buf *wire_out_begin(struct wire *w)
{
    wire_out_drop(w);
    if (w->sent > 0 && w->sent >= w->ended - w->sent) {
        /* At least half is gone, so that moving the rest is paid for by what was sent. */
        w->stream_at += w->sent;
        buf_drop_front(&w->out, w->sent);
        w->released -= w->sent;
        w->ended -= w->sent;
        w->sent = 0;
    }
    size_t unsent = w->ended - w->sent;
    w->out.max = w->ended + (w->limits.max_out_bytes - MIN(unsent, w->limits.max_out_bytes));
    return &w->out;
}

void wire_out_drop(struct wire *w)
{
    buf_truncate(&w->out, w->ended);
    w->out.failed = 0;
}

/* A message was written to the buffer, with result r. */
static int ended(struct wire *w, int r, struct err *err)
{
    if (!wire_is_live(w) || w->fault.number || w->broken) {
        wire_out_drop(w);
        return err_set(err, EPIPE, "the connection is closed");
    }
    if (r < 0) {
        wire_out_drop(w);
        if (r != -EMSGSIZE)
            return err_sys(err, -r, "write a message");
        struct err why;
        err_set(&why, ENOBUFS, "%zu bytes of output wait, at most %zu may: the peer does not read",
                wire_out_bytes(w), w->limits.max_out_bytes);
        wire_fail_later(w, &why);
        return err_set(err, ENOBUFS, "%s", why.text);
    }
    w->ended = w->out.len;
    if (!w->held)
        ev_task_set(w->flush);
    return 0;
}

int wire_notify(struct wire *w, struct wire_out *o, const char *method)
{
    wire_put_notification(o, wire_out_begin(w), method);
    return 0;
}

void wire_result(struct wire *w, struct wire_out *o, const struct json *id)
{
    wire_put_result(o, wire_out_begin(w), id);
}

int wire_end(struct wire *w, struct wire_out *o, struct err *err)
{
    return ended(w, wire_put_end(o), err);
}

int wire_error(struct wire *w, const struct json *id, int64_t code, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    /* Foreign bytes in it, or the cut, must not keep the answer from being sent. */
    size_t len = strlen(text), valid;
    while ((valid = utf8_valid_prefix((struct str){text, len})) < len)
        text[valid] = '?';
    struct wire_out o;
    wire_put_error(&o, wire_out_begin(w), id, code, text);
    return wire_end(w, &o, NULL);
}

int wire_result_raw(struct wire *w, struct str id_raw, struct str result_json, struct err *err)
{
    return ended(w, wire_put_result_raw(wire_out_begin(w), id_raw, result_json), err);
}

int wire_error_raw(struct wire *w, struct str id_raw, struct str error_json, struct err *err)
{
    return ended(w, wire_put_error_raw(wire_out_begin(w), id_raw, error_json), err);
}

int wire_attach_fd(struct wire *w, int fd, struct err *err)
{
    uint64_t at = w->stream_at + w->ended;
    size_t with = 0;
    for (size_t i = 0; i < w->fds_out_count; i++)
        with += w->fds_out[i].at == at;
    int r = 0;
    if (!w->may_pass)
        r = err_set(err, EPERM, "descriptors do not pass on this connection");
    else if (!wire_is_live(w) || w->broken)
        r = err_set(err, EPIPE, "the connection is closed");
    else if (with == FD_PASS_MAX || w->fds_out_count == WIRE_FDS_MAX)
        r = err_set(err, ENOBUFS, "too many descriptors wait to be passed");
    if (r < 0) {
        fd_close(&fd);
        return r;
    }
    w->fds_out[w->fds_out_count++] = (struct wire_fd_out){fd, at};
    return 0;
}
