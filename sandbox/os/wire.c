/*
 * wire.c: a connection: life, reading, framing, dispatch. In every program with a wire.
 *
 * The peer may be a worker that is owned completely. It can cost us one buffer of
 * max_message_bytes, one message's tree, max_per_pass messages a pass, and its own connection. Half
 * a line is held to a time limit, descriptors that were not asked for end it.
 */
#include <sys/socket.h>

#include "sandbox/os/sys.h"
#include "sandbox/os/wire_impl.h"

static void on_io(void *arg, struct ev_io *io, int fd, uint32_t events);
static void on_again(void *arg, struct ev_timer *t);
static void on_partial(void *arg, struct ev_timer *t);

/* ---- life -------------------------------------------------------------------------------------
 */

/* Everything of the kernel's and the loop's; bytes that a handler may still look at stay. */
static void release(struct wire *w)
{
    ev_io_free(w->in);
    ev_io_free(w->out_io);
    ev_timer_free(w->again);
    ev_timer_free(w->partial);
    w->in = w->out_io = NULL;
    w->again = w->partial = NULL;
    wire_calls_release(w);
    wire_out_release(w);
    for (size_t i = 0; i < w->fds_in_count; i++)
        fd_close(&w->fds_in[i]);
    w->fds_in_count = 0;
    if (w->out_fd != w->in_fd)
        fd_close(&w->out_fd);
    fd_close(&w->in_fd);
    w->out_fd = -1;
}

static void reclaim(struct wire *w)
{
    free(w->in_buf);
    arena_release(&w->arena);
    free(w);
}

void wire_free(struct wire *w)
{
    if (!w || w->freed)
        return;
    w->freed = true;
    release(w);
    if (w->depth == 0)
        reclaim(w);
}

void wire_leave(struct wire *w)
{
    if (--w->depth == 0 && w->freed)
        reclaim(w);
}

static int set_up(struct wire *w, struct err *err)
{
    int r = fd_set_nonblock(w->in_fd, true, err);
    if (r >= 0 && w->is_pipe)
        r = fd_set_nonblock(w->out_fd, true, err);
    if (r >= 0)
        r = wire_out_init(w, err);
    if (r >= 0)
        r = ev_timer_new(w->ev, on_again, w, &w->again, err);
    if (r >= 0)
        r = ev_timer_new(w->ev, on_partial, w, &w->partial, err);
    if (r >= 0)
        r = ev_io_new(w->ev, w->in_fd, EPOLLIN, on_io, w, &w->in, err);
    return r;
}

static int new_wire(struct ev *ev, const struct wire *init, const struct wire_limits *limits,
                    const struct wire_owner *owner, struct wire **ret, struct err *err)
{
    struct wire *w = calloc(1, sizeof *w);
    if (!w) {
        int in_fd = init->in_fd, out_fd = init->is_pipe ? init->out_fd : -1;
        fd_close(&in_fd);
        fd_close(&out_fd);
        return err_set(err, ENOMEM, "connection: out of memory");
    }
    *w = *init;
    w->ev = ev;
    w->owner = *owner;
    w->limits = limits ? *limits : WIRE_LIMITS_DEFAULT;
    /* The tree of the largest message that the limits allow, and as much again for its handlers. */
    arena_init(&w->arena,
               4 * w->limits.max_message_bytes + 256 * w->limits.max_values + WIRE_READ_KEEP);
    int r = set_up(w, err);
    if (r < 0) {
        wire_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

int wire_new(struct ev *ev, int fd, const struct wire_limits *limits, bool may_pass,
             const struct wire_owner *owner, struct wire **ret, struct err *err)
{
    struct wire init = {.in_fd = fd, .out_fd = fd, .may_pass = may_pass};
    return new_wire(ev, &init, limits, owner, ret, err);
}

int wire_new_pipes(struct ev *ev, int in_fd, int out_fd, const struct wire_limits *limits,
                   const struct wire_owner *owner, struct wire **ret, struct err *err)
{
    struct wire init = {.in_fd = in_fd, .out_fd = out_fd, .is_pipe = true};
    return new_wire(ev, &init, limits, owner, ret, err);
}

void *wire_arg(const struct wire *w)
{
    return w->owner.arg;
}

int wire_fd(const struct wire *w)
{
    return w->in_fd;
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static int watch_out_pipe(struct wire *w, struct err *err)
{
    if (w->blocked && !w->out_io)
        return ev_io_new(w->ev, w->out_fd, EPOLLOUT, on_io, w, &w->out_io, err);
    if (!w->blocked) {
        ev_io_free(w->out_io);
        w->out_io = NULL;
    }
    return 0;
}

void wire_watch(struct wire *w)
{
    struct err why;
    uint32_t events = w->paused ? 0 : EPOLLIN;
    int r = 0;
    if (!wire_is_live(w))
        return;
    if (w->is_pipe)
        r = watch_out_pipe(w, &why);
    else if (w->blocked)
        events |= EPOLLOUT;
    if (r >= 0)
        r = ev_io_set(w->in, events, &why);
    if (r < 0)
        wire_fail_later(w, &why);
}

void wire_fail_later(struct wire *w, const struct err *why)
{
    if (!wire_is_live(w) || w->fault.number)
        return;
    w->fault = *why;
    (void)ev_timer_set(w->again, 0);
}

void wire_pause(struct wire *w, bool on)
{
    if (!wire_is_live(w) || w->paused == on)
        return;
    w->paused = on;
    wire_watch(w);
    if (on)
        ev_timer_stop(w->partial); /* it is us who do not read */
    else if (w->in_at < w->in_len || w->broken)
        (void)ev_timer_set(w->again, 0);
}

static void close_wire(struct wire *w, const struct err *why)
{
    w->closed = true;
    ev_io_free(w->in);
    ev_io_free(w->out_io);
    w->in = w->out_io = NULL;
    ev_timer_stop(w->again);
    ev_timer_stop(w->partial);
    wire_calls_fail(w, why);
    if (!w->freed)
        w->owner.on_closed(w->owner.arg, w, why);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static ssize_t recv_with_fds(struct wire *w, char *p, size_t n, struct err *err)
{
    int fds[FD_PASS_MAX];
    size_t count = 0;
    bool over = false;
    ssize_t r = fd_recv(w->in_fd, p, n, fds, &count, err);
    for (size_t i = 0; i < count; i++) {
        if (w->fds_in_count < WIRE_FDS_MAX) {
            w->fds_in[w->fds_in_count++] = fds[i];
        } else {
            fd_close(&fds[i]);
            over = true;
        }
    }
    return over ? err_set(err, EMSGSIZE, "more than %d descriptors wait to be taken", WIRE_FDS_MAX)
                : r;
}

/* Without room for control data the kernel installs no descriptor, and says that one came. */
static ssize_t recv_without_fds(struct wire *w, char *p, size_t n, struct err *err)
{
    struct iovec iov = {p, n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t r = sys.recvmsg(w->in_fd, &m, MSG_CMSG_CLOEXEC);
    if (r < 0)
        return r == -EAGAIN ? r : err_sys(err, (int)-r, "read");
    if (m.msg_flags & MSG_CTRUNC)
        return err_set(err, EBADMSG, "descriptors came that nobody asked for");
    return r;
}

static ssize_t read_some(struct wire *w, char *p, size_t n, struct err *err)
{
    if (w->is_pipe) {
        ssize_t r = sys.read(w->in_fd, p, n);
        return r < 0 && r != -EAGAIN ? err_sys(err, (int)-r, "read") : r;
    }
    return w->may_pass ? recv_with_fds(w, p, n, err) : recv_without_fds(w, p, n, err);
}

/* What was dispatched leaves the buffer, and the buffer shrinks back after a big message. */
static void compact(struct wire *w)
{
    size_t rest = w->in_len - w->in_at;
    if (w->in_at > 0 && rest > 0)
        memmove(w->in_buf, w->in_buf + w->in_at, rest);
    w->in_scanned -= w->in_at;
    w->in_at = 0;
    w->in_len = rest;
    if (w->in_cap <= WIRE_READ_KEEP || rest >= WIRE_READ_FIRST)
        return;
    char *smaller = realloc(w->in_buf, WIRE_READ_FIRST);
    if (smaller) {
        w->in_buf = smaller;
        w->in_cap = WIRE_READ_FIRST;
    }
}

/* Never beyond the limit: it is known to be broken before a byte more than it is kept. */
static int make_room(struct wire *w, struct err *err)
{
    size_t most = w->limits.max_message_bytes + 1; /* with its line feed */
    if (w->in_len < w->in_cap)
        return 0;
    if (w->in_cap >= most)
        return err_set(err, EMSGSIZE, "a message has more than %zu bytes",
                       w->limits.max_message_bytes);
    size_t cap = MIN(MAX(w->in_cap * 2, WIRE_READ_FIRST), most);
    char *grown = realloc(w->in_buf, cap);
    if (!grown)
        return err_set(err, ENOMEM, "a message of more than %zu bytes: out of memory", w->in_cap);
    w->in_buf = grown;
    w->in_cap = cap;
    return 0;
}

/* Where the first line ends, in *ret_end; false while there is no whole one. */
static bool find_line(struct wire *w, size_t *ret_end)
{
    if (w->in_scanned == w->in_len)
        return false;
    const char *end = memchr(w->in_buf + w->in_scanned, '\n', w->in_len - w->in_scanned);
    w->in_scanned = end ? (size_t)(end - w->in_buf) : w->in_len;
    if (end)
        *ret_end = w->in_scanned;
    return end != NULL;
}

enum fill { FILL_SOME, FILL_NOTHING, FILL_END };

/* Reads until there is a whole line, nothing more now, or enough for a pass. Called without a whole
 * line in the buffer alone, so that a flood waits in the kernel's buffer and slows down who sends
 * it. */
static enum fill fill(struct wire *w, struct err *why)
{
    size_t total = 0, end;
    compact(w);
    while (total < WIRE_READ_PASS) {
        if (make_room(w, why) < 0)
            return FILL_END;
        size_t room = w->in_cap - w->in_len;
        ssize_t r = read_some(w, w->in_buf + w->in_len, room, why);
        if (r == -EAGAIN)
            break;
        if (r == 0 && w->in_len > 0)
            err_set(why, EBADMSG, "the peer ended in the middle of a message");
        if (r <= 0)
            return FILL_END;
        w->in_len += (size_t)r;
        total += (size_t)r;
        if ((size_t)r < room || find_line(w, &end))
            break;
    }
    return total > 0 ? FILL_SOME : FILL_NOTHING;
}

size_t wire_take_fds(struct wire *w, int *fds, size_t n)
{
    n = MIN(n, w->fds_in_count);
    memcpy(fds, w->fds_in, n * sizeof *fds);
    w->fds_in_count -= n;
    memmove(w->fds_in, w->fds_in + n, w->fds_in_count * sizeof *fds);
    return n;
}

/* ---- dispatch ---------------------------------------------------------------------------------
 */

static void on_line(struct wire *w, struct str line)
{
    struct err why = ERR_INIT;
    struct wire_message m;
    arena_reset(&w->arena);
    if (wire_parse(line, &w->limits, &w->arena, &m, &why) < 0) {
        close_wire(w, &why);
        return;
    }
    if (m.kind == WIRE_REQUEST || m.kind == WIRE_NOTIFICATION) {
        w->owner.on_message(w->owner.arg, w, &m);
    } else if (!wire_calls_reply(w, &m)) {
        err_set(&why, EBADMSG, "an answer with the id %.*s, to nobody's question",
                (int)MIN(m.id->raw.len, 64u), m.id->raw.ptr);
        close_wire(w, &why);
    }
}

static void dispatch(struct wire *w)
{
    size_t end;
    if (w->pass != ev_pass(w->ev)) {
        w->pass = ev_pass(w->ev);
        w->dispatched = 0;
    }
    while (wire_is_live(w) && !w->paused && w->dispatched < w->limits.max_per_pass &&
           find_line(w, &end)) {
        struct str line = {w->in_buf + w->in_at, end - w->in_at};
        w->in_at = w->in_scanned = end + 1;
        w->dispatched++;
        ev_timer_stop(w->partial); /* that line is whole: the next has its own time */
        on_line(w, line);
    }
}

/* What the next pass is to do. */
static void settle(struct wire *w)
{
    size_t end;
    if (w->paused)
        return;
    if (find_line(w, &end) || w->broken) {
        (void)ev_timer_set(w->again, 0);
        return;
    }
    if (w->in_at == w->in_len)
        compact(w);
    else if (w->limits.partial_ms > 0 && !ev_timer_is_set(w->partial))
        (void)ev_timer_set(w->partial, w->limits.partial_ms);
}

static void work(struct wire *w, bool readable)
{
    struct err why = ERR_INIT;
    size_t end;
    if (!wire_is_live(w))
        return;
    if (w->fault.number) {
        close_wire(w, &w->fault);
        return;
    }
    if (w->paused)
        return;
    if ((readable || w->broken) && !find_line(w, &end)) {
        enum fill got = fill(w, &why);
        if (got == FILL_NOTHING && w->broken) {
            err_sys(&why, w->broken, "the peer went away");
            got = FILL_END;
        }
        if (got == FILL_END) {
            close_wire(w, &why);
            return;
        }
    }
    dispatch(w);
    if (wire_is_live(w))
        settle(w);
}

static void on_io(void *arg, struct ev_io *io, int fd, uint32_t events)
{
    (void)fd;
    struct wire *w = arg;
    wire_enter(w);
    if (w->blocked && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        wire_out_write(w);
    if (io == w->in && (events & ~(uint32_t)EPOLLOUT))
        work(w, true);
    wire_leave(w);
}

static void on_again(void *arg, struct ev_timer *t)
{
    (void)t;
    struct wire *w = arg;
    wire_enter(w);
    work(w, false);
    wire_leave(w);
}

static void on_partial(void *arg, struct ev_timer *t)
{
    (void)t;
    struct wire *w = arg;
    struct err why;
    err_set(&why, ETIMEDOUT, "half a message, and nothing that ends it for %" PRId64 " ms",
            w->limits.partial_ms);
    wire_enter(w);
    close_wire(w, &why);
    wire_leave(w);
}
