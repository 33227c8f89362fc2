/*
 * http.c: HTTP on the control socket. Runs in reeve-control. Trusts the kernel's ids and
 * libmicrohttpd's parser within its memory limit; trusts no client to be quick, small or
 * well-meaning. Must never hold more for a client than its caps, and never wait for one.
 *
 * A connection's life: accepted (caps) -> given to libmicrohttpd -> on_target (a request begins) ->
 * on_access (head, body, whole) -> suspended until the owner answers -> answer leaves ->
 * on_completed -> the next request, or closed.
 */
#include "supervisor/control/http.h"

#include <microhttpd.h>
#include <sys/socket.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define ARENA_MAX_BYTES \
    (8u << 20) /* of one request: its body is at most 1 MiB, its tree a few times that */
#define SWALLOW_BYTES \
    (4u << 20) /* of a body too large, so that its sender gets to read the answer */
#define ACCEPT_PER_PASS 16
#define ACCEPT_PAUSE_MS 200 /* out of descriptors: until some connection has ended */

struct connection {
    struct connection *next, *prev;
    struct http *http;
    struct http_peer peer;
    struct request *request; /* under way, or NULL */
    int fd;                  /* libmicrohttpd's; open until its closing notice */
    struct ev_timer *deadline;
    struct ev_io *hangup; /* tells that the client left while libmicrohttpd does not look */
    bool is_gone;
};

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_OWNER, PHASE_ANSWER };

struct request {
    struct http *http;
    struct connection *conn;
    struct MHD_Connection *mhd;
    enum phase phase;
    char *target;
    const char *method;
    struct buf body;
    size_t swallowed_bytes;
    struct arena arena;
    void *owner_data;
    bool in_callback, is_suspended, is_streaming;
    struct MHD_Response *response;
    unsigned status;
    request_pull *pull;
    void *pull_arg;
};

struct http {
    struct ev *ev;
    struct http_limits limits;
    struct http_owner owner;
    int listen_fd;
    struct ev_io *listen_io, *mhd_io;
    struct ev_timer *mhd_timer, *accept_timer;
    struct MHD_Daemon *mhd;
    struct connection *connections;
    struct connection *adding; /* the one that libmicrohttpd is being given */
    unsigned count;
    size_t bodies_bytes;
    bool is_stopping, is_running;
};

/* ---- libmicrohttpd inside the loop ----------------------------------------------------------- */

/* When it wants to be called again without news on a descriptor. */
static void arm_mhd(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_get_timeout(h->mhd, &ms) != MHD_YES)
        ev_timer_stop(h->mhd_timer);
    else
        (void)ev_timer_set(h->mhd_timer, (int64_t)MIN(ms, 60000ull));
}

static void run_mhd(struct http *h)
{
    if (h->is_running)
        return; /* a callback of its own asked: the pass that runs sees it */
    h->is_running = true;
    (void)MHD_run(h->mhd);
    h->is_running = false;
    arm_mhd(h);
}

static void on_mhd_io(void *arg, struct ev_io *io UNUSED, int fd UNUSED, uint32_t events UNUSED)
{
    run_mhd(arg);
}

static void on_mhd_timer(void *arg, struct ev_timer *t UNUSED)
{
    run_mhd(arg);
}

/* Resumed or shut connections are seen by the next run, which comes with the next pass at the
 * latest. */
static void nudge_mhd(struct http *h)
{
    if (!h->is_stopping)
        (void)ev_timer_set(h->mhd_timer, 0);
}

/* ---- connections ----------------------------------------------------------------------------- */

/* libmicrohttpd owns the descriptor; shutting it is how we make it close one that it would keep. */
static void cut(struct connection *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    nudge_mhd(c->http);
}

static void on_deadline(void *arg, struct ev_timer *t UNUSED)
{
    cut(arg);
}

static void set_deadline(struct connection *c, int64_t ms)
{
    if (ms <= 0)
        ev_timer_stop(c->deadline);
    else if (ev_timer_set(c->deadline, ms) < 0)
        cut(c); /* no deadline, no connection */
}

static void connection_free(struct connection *c)
{
    if (!c)
        return;
    if (c->prev)
        c->prev->next = c->next;
    else if (c->http->connections == c)
        c->http->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    ev_timer_free(c->deadline);
    ev_io_free(c->hangup);
    free(c);
}

static void on_hangup(void *arg, struct ev_io *io UNUSED, int fd UNUSED, uint32_t events);

static int connection_new(struct http *h, int fd, const struct http_peer *peer,
                          struct connection **ret, struct err *err)
{
    struct connection *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(err, ENOMEM, "connection");
    *c = (struct connection){.next = h->connections, .http = h, .peer = *peer, .fd = fd};
    if (h->connections)
        h->connections->prev = c;
    h->connections = c;
    int res = ev_timer_new(h->ev, on_deadline, c, &c->deadline, err);
    if (res >= 0)
        res = ev_timer_set(c->deadline, h->limits.head_ms);
    if (res < 0) {
        connection_free(c);
        return res;
    }
    *ret = c;
    return 0;
}

/* Fails closed: with more groups than we keep, only the primary one counts. */
static int read_peer(int fd, struct http_peer *ret, struct err *err)
{
    uint32_t groups[HTTP_GROUPS_MAX - 1];
    socklen_t size = sizeof(groups);
    *ret = (struct http_peer){.gid_count = 1};
    int res = sock_peer(fd, &ret->cred, err);
    if (res < 0)
        return res;
    ret->gids[0] = ret->cred.gid;
    if (sys.getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) >= 0) {
        memcpy(ret->gids + 1, groups, size);
        ret->gid_count += size / sizeof(groups[0]);
    }
    return 0;
}

static bool has_room(const struct http *h, const struct http_peer *peer)
{
    unsigned same = 0;
    for (const struct connection *c = h->connections; c; c = c->next)
        same += c->peer.cred.uid == peer->cred.uid;
    if (same >= h->limits.max_per_uid)
        return false;
    if (h->count < h->limits.max_connections)
        return true;
    return h->count < h->limits.max_connections + h->limits.reserve &&
           h->owner.is_privileged(h->owner.arg, peer);
}

/* Said once, if the socket takes it at once, without reading a byte of the request. */
static void refuse(int fd)
{
    static const char BODY[] = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
                               "\"status\":503,\"detail\":\"too many connections: close some\"}";
    char text[512];
    int n =
        snprintf(text, sizeof(text),
                 "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
                 "Retry-After: 1\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                 sizeof(BODY) - 1, BODY);
    struct iovec v = {text, (size_t)n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    (void)sys.sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void admit(struct http *h, int *fd)
{
    struct http_peer peer;
    struct err err = ERR_INIT;
    struct connection *c = NULL;
    if (read_peer(*fd, &peer, &err) < 0)
        return;
    if (!has_room(h, &peer)) {
        refuse(*fd);
        return;
    }
    if (connection_new(h, *fd, &peer, &c, &err) < 0)
        return;
    struct sockaddr_storage none = {.ss_family = AF_UNIX};
    h->adding = c;
    /* It closes the descriptor when it fails; c went with the closing notice if there was one. */
    enum MHD_Result ok = MHD_add_connection(h->mhd, fd_take(fd), (const struct sockaddr *)&none,
                                            sizeof(sa_family_t));
    if (h->adding)
        connection_free(h->adding);
    h->adding = NULL;
    if (ok == MHD_YES)
        nudge_mhd(h);
}

static void on_listen(void *arg, struct ev_io *io UNUSED, int fd, uint32_t events UNUSED)
{
    struct http *h = arg;
    for (int i = 0; i < ACCEPT_PER_PASS; i++) {
        FD_AUTO int client = sys.accept(fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            admit(h, &client);
            continue;
        }
        if (client == -EMFILE || client == -ENFILE || client == -ENOMEM || client == -ENOBUFS) {
            (void)ev_io_set(h->listen_io, 0, NULL);
            (void)ev_timer_set(h->accept_timer, ACCEPT_PAUSE_MS);
        }
        return;
    }
}

static void on_accept_timer(void *arg, struct ev_timer *t UNUSED)
{
    struct http *h = arg;
    (void)ev_io_set(h->listen_io, EPOLLIN, NULL);
}

static void on_notify(void *arg, struct MHD_Connection *mhd UNUSED, void **context,
                      enum MHD_ConnectionNotificationCode code)
{
    struct http *h = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = h->adding;
        h->adding = NULL;
        h->count++;
    } else if (*context) {
        connection_free(*context);
        *context = NULL;
        h->count--;
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void request_free(struct request *r)
{
    if (r->response)
        MHD_destroy_response(r->response);
    r->http->bodies_bytes -= r->body.len;
    buf_release(&r->body);
    arena_release(&r->arena);
    free(r->target);
    free(r);
}

/* The first word on a request, before its head is read in full. The target is not decoded by
 * anybody. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct request *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    *r = (struct request){.http = arg, .conn = connection_of(mhd), .mhd = mhd};
    buf_init(&r->body, 0);
    arena_init(&r->arena, ARENA_MAX_BYTES);
    r->target = str_dup(str_of(target));
    if (r->conn && r->target) {
        r->conn->request = r;
        return r;
    }
    request_free(r);
    return NULL;
}

static void suspend(struct request *r)
{
    if (!r->is_suspended) {
        r->is_suspended = true;
        MHD_suspend_connection(r->mhd);
    }
}

static void resume(struct request *r)
{
    if (r->is_suspended) {
        r->is_suspended = false;
        MHD_resume_connection(r->mhd);
        nudge_mhd(r->http);
    }
}

/* libmicrohttpd does not look at a suspended connection, so a client that leaves is noticed here.
 */
static void on_hangup(void *arg, struct ev_io *io UNUSED, int fd UNUSED, uint32_t events)
{
    struct request *r = arg;
    if (!(events & (EPOLLHUP | EPOLLERR)))
        return;
    r->conn->is_gone = true;
    ev_io_free(r->conn->hangup);
    r->conn->hangup = NULL;
    resume(r);
}

static void watch_hangup(struct request *r)
{
    struct connection *c = r->conn;
    if (!c->hangup && ev_io_new(r->http->ev, c->fd, 0, on_hangup, r, &c->hangup, NULL) < 0)
        c->hangup = NULL; /* then the next write finds out */
}

static void unwatch_hangup(struct request *r)
{
    ev_io_free(r->conn->hangup);
    r->conn->hangup = NULL;
}

static enum MHD_Result queue(struct request *r)
{
    struct http *h = r->http;
    r->phase = PHASE_ANSWER;
    if (!r->is_streaming)
        unwatch_hangup(r);
    set_deadline(r->conn, r->is_streaming ? 0 : h->limits.answer_ms);
    return MHD_queue_response(r->mhd, r->status, r->response);
}

static void refuse_body(struct request *r)
{
    bool is_busy = r->body.max - r->body.len >= r->swallowed_bytes && r->swallowed_bytes;
    struct buf text;
    buf_init(&text, 512);
    buf_fmt(&text,
            "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s %zu\"}",
            is_busy ? "Service Unavailable" : "Content Too Large", is_busy ? 503 : 413,
            is_busy ? "too many bodies at once; bytes that this path takes:"
                    : "the body is too large; bytes that this path takes:",
            r->body.max);
    request_answer(
        r,
        &(struct answer){.status = is_busy ? 503 : 413, .content_type = "application/problem+json"},
        &text);
}

static bool body_is_announced_too_large(const struct request *r)
{
    struct str text = request_header(r, "Content-Length");
    if (!text.ptr)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || n > r->body.max)
            return true;
        n = n * 10 + (size_t)(text.ptr[i] - '0');
    }
    return n > r->body.max;
}

static enum MHD_Result take_head(struct request *r)
{
    struct http *h = r->http;
    r->phase = PHASE_BODY;
    set_deadline(r->conn, h->limits.body_ms);
    r->body.max = h->owner.on_head(h->owner.arg, r);
    if (!r->response && body_is_announced_too_large(r))
        refuse_body(r);
    return r->response ? queue(r) : MHD_YES;
}

/* A chunked body says its size only by coming. Too much of it is thrown away and answered at its
 * end. */
static enum MHD_Result take_body(struct request *r, const char *data, size_t *size)
{
    struct http *h = r->http;
    size_t n = *size;
    *size = 0;
    if (r->swallowed_bytes || n > r->body.max - r->body.len ||
        n > h->limits.max_bodies_bytes - h->bodies_bytes) {
        r->swallowed_bytes += n;
        return r->swallowed_bytes > SWALLOW_BYTES ? MHD_NO : MHD_YES;
    }
    buf_put(&r->body, data, n);
    if (buf_status(&r->body) < 0)
        return MHD_NO;
    h->bodies_bytes += n;
    return MHD_YES;
}

static enum MHD_Result take_whole(struct request *r)
{
    struct http *h = r->http;
    if (r->phase == PHASE_BODY) {
        r->phase = PHASE_OWNER;
        set_deadline(r->conn, 0); /* the owner's time-outs rule now */
        if (r->swallowed_bytes)
            refuse_body(r);
        else
            h->owner.on_request(h->owner.arg, r);
    }
    if (r->response)
        return queue(r);
    if (r->conn->is_gone || h->is_stopping)
        return MHD_NO;
    watch_hangup(r);
    suspend(r);
    return MHD_YES;
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *mhd UNUSED,
                                 const char *url UNUSED, const char *method,
                                 const char *version UNUSED, const char *data, size_t *size,
                                 void **context)
{
    struct http *h = arg;
    struct request *r = *context;
    enum MHD_Result result;
    if (!r || h->is_stopping)
        return MHD_NO;
    r->in_callback = true;
    if (r->phase == PHASE_HEAD) {
        r->method = method;
        result = take_head(r);
    } else if (*size > 0) {
        result = take_body(r, data, size);
    } else {
        result = take_whole(r);
    }
    r->in_callback = false;
    return result;
}

static void on_completed(void *arg, struct MHD_Connection *mhd UNUSED, void **context,
                         enum MHD_RequestTerminationCode code UNUSED)
{
    struct http *h = arg;
    struct request *r = *context;
    if (!r)
        return;
    *context = NULL;
    r->conn->request = NULL;
    unwatch_hangup(r);
    set_deadline(r->conn, h->limits.head_ms);
    if (r->phase != PHASE_HEAD)
        h->owner.on_done(h->owner.arg, r);
    request_free(r);
}

struct str request_method(const struct request *r)
{
    return str_of(r->method);
}

struct str request_target(const struct request *r)
{
    return str_of(r->target);
}

struct str request_body(const struct request *r)
{
    return buf_str(&r->body);
}

struct str request_header(const struct request *r, const char *name)
{
    return str_of(MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name));
}

const struct http_peer *request_peer(const struct request *r)
{
    return &r->conn->peer;
}

struct arena *request_arena(struct request *r)
{
    return &r->arena;
}

void request_set(struct request *r, void *owner_data)
{
    r->owner_data = owner_data;
}

void *request_get(const struct request *r)
{
    return r->owner_data;
}

bool request_is_answered(const struct request *r)
{
    return r->response != NULL;
}

static void set_headers(struct MHD_Response *response, const struct answer *a)
{
    (void)MHD_add_response_header(response, "Content-Type", a->content_type);
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (a->allow)
        (void)MHD_add_response_header(response, "Allow", a->allow);
    if (a->retry_after)
        (void)MHD_add_response_header(response, "Retry-After", a->retry_after);
}

/* No response could be made: the connection ends, which is all the answer that memory allows. */
static void answered(struct request *r, unsigned status)
{
    r->status = status;
    if (!r->response)
        cut(r->conn);
    resume(r);
}

void request_answer(struct request *r, const struct answer *a, struct buf *body)
{
    must(!r->response);
    struct answer given = *a;
    size_t len = 0;
    char *text = NULL;
    if (buf_status(body) < 0) {
        static const char FAILED[] =
            "{\"type\":\"about:blank\",\"title\":\"Internal Server Error\","
            "\"status\":500,\"detail\":\"the answer is too large: ask for "
            "less with limit\"}";
        given = (struct answer){.status = 500, .content_type = "application/problem+json"};
        buf_release(body);
        text = str_dup(STR(FAILED));
        len = sizeof(FAILED) - 1;
    } else {
        text = buf_take(body, &len);
    }
    if (text)
        r->response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (r->response)
        set_headers(r->response, &given);
    else
        free(text);
    answered(r, given.status);
}

static ssize_t on_pull(void *arg, uint64_t pos UNUSED, char *p, size_t n)
{
    struct request *r = arg;
    if (r->conn->is_gone || r->http->is_stopping)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    ssize_t got = r->pull(r->pull_arg, p, n);
    if (got < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (got == 0) {
        watch_hangup(r);
        suspend(r);
    }
    return got;
}

void request_stream(struct request *r, const struct answer *a, request_pull *pull, void *arg)
{
    must(!r->response);
    r->is_streaming = true;
    r->pull = pull;
    r->pull_arg = arg;
    r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_pull, r, NULL);
    if (r->response)
        set_headers(r->response, a);
    answered(r, a->status);
}

void request_wake(struct request *r)
{
    resume(r);
}

/* ---- the server ------------------------------------------------------------------------------ */

/* Targets stay as they came: route.c has the one reading of them. */
static size_t keep_escapes(void *arg UNUSED, struct MHD_Connection *mhd UNUSED, char *s)
{
    return strlen(s);
}

static int start_mhd(struct http *h, struct err *err)
{
    const struct http_limits *l = &h->limits;
    unsigned all = l->max_connections + l->reserve;
    h->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        on_access, h, MHD_OPTION_CONNECTION_LIMIT, all + 1, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        l->max_head_bytes, MHD_OPTION_CONNECTION_TIMEOUT, l->stuck_s, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        h, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_notify, h,
        MHD_OPTION_END);
    if (!h->mhd)
        return err_set(err, EIO, "libmicrohttpd did not start");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || info->epoll_fd < 0)
        return err_set(err, ENOTSUP, "libmicrohttpd was built without epoll");
    return ev_io_new(h->ev, info->epoll_fd, EPOLLIN, on_mhd_io, h, &h->mhd_io, err);
}

int http_new(struct ev *ev, int listen_fd, const struct http_limits *limits,
             const struct http_owner *owner, struct http **ret, struct err *err)
{
    struct http *h = calloc(1, sizeof(*h));
    if (!h)
        return err_set(err, ENOMEM, "http server");
    *h = (struct http){.ev = ev, .limits = *limits, .owner = *owner, .listen_fd = listen_fd};
    int res = ev_timer_new(ev, on_mhd_timer, h, &h->mhd_timer, err);
    if (res >= 0)
        res = ev_timer_new(ev, on_accept_timer, h, &h->accept_timer, err);
    if (res >= 0)
        res = start_mhd(h, err);
    if (res >= 0)
        res = ev_io_new(ev, listen_fd, EPOLLIN, on_listen, h, &h->listen_io, err);
    if (res < 0) {
        http_free(h);
        return err_wrap(err, "http server");
    }
    *ret = h;
    return 0;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    h->is_stopping = true;
    for (struct connection *c = h->connections; c; c = c->next)
        if (c->request)
            resume(c->request); /* libmicrohttpd ends the process over one that it has to wake */
    if (h->mhd)
        (void)MHD_run(h->mhd);
    ev_io_free(h->listen_io);
    ev_io_free(h->mhd_io);
    ev_timer_free(h->mhd_timer);
    ev_timer_free(h->accept_timer);
    if (h->mhd)
        MHD_stop_daemon(h->mhd);
    while (h->connections)
        connection_free(h->connections);
    free(h);
}

void http_drop_if(struct http *h, bool (*drops)(void *arg, const struct http_peer *peer), void *arg)
{
    for (struct connection *c = h->connections; c; c = c->next)
        if (drops(arg, &c->peer))
            cut(c);
}

unsigned http_connections(const struct http *h)
{
    return h->count;
}
