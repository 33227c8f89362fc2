/*
 * http_request.c: requests of the control socket, one at a time on a connection. Runs in
 * reeve-control. Trusts libmicrohttpd's parser; must never hold more of a body than its path takes.
 *
 * A request's life: on_target (its line) -> on_access (head, body, whole) -> suspended until the
 * owner answers -> the answer leaves -> on_completed.
 */
#include "supervisor/control/http_impl.h"

/* Of one request: its body is at most 1 MiB, its tree a few times that. */
#define ARENA_MAX_BYTES (8u << 20)
/* Of a body too large, so that its sender gets to read the answer. */
#define SWALLOW_BYTES (4u << 20)

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
void *request_on_target(void *arg, const char *target, struct MHD_Connection *mhd)
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

void request_resume(struct request *r)
{
    if (r->is_suspended) {
        r->is_suspended = false;
        MHD_resume_connection(r->mhd);
        http_nudge(r->http);
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
    request_resume(r);
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
    connection_deadline(r->conn, r->is_streaming ? 0 : h->limits.answer_ms);
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
    connection_deadline(r->conn, h->limits.body_ms);
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
        connection_deadline(r->conn, 0); /* the owner's time-outs rule now */
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

enum MHD_Result request_on_access(void *arg, struct MHD_Connection *mhd UNUSED,
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

void request_on_completed(void *arg, struct MHD_Connection *mhd UNUSED, void **context,
                          enum MHD_RequestTerminationCode code UNUSED)
{
    struct http *h = arg;
    struct request *r = *context;
    if (!r)
        return;
    *context = NULL;
    r->conn->request = NULL;
    unwatch_hangup(r);
    connection_deadline(r->conn, h->limits.head_ms);
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
        connection_cut(r->conn);
    request_resume(r);
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
    request_resume(r);
}
