/*
 * http.h: HTTP/1.1 on a listening Unix socket, inside our event loop (libmicrohttpd's external mode).
 *
 * It accepts by itself, so that the kernel's word on who connects (SO_PEERCRED, SO_PEERGROUPS) and the
 * caps stand before libmicrohttpd sees a byte. Each connection has one deadline that moves from phase to
 * phase (head, body, answer leaving, idle); a deadline is for the whole phase, so that a client that
 * sends or reads a byte at a time cannot stretch it. Memory is bounded: connections, head, body, bodies
 * of all.
 */
#ifndef REEVE_CONTROL_HTTP_H
#define REEVE_CONTROL_HTTP_H

#include "policy/text/arena.h"
#include "policy/text/buf.h"
#include "sandbox/os/ev.h"
#include "sandbox/os/sock.h"

struct http;
struct request;

struct http_limits {
    unsigned max_connections;  /* of all; `reserve` more for those whom the owner calls privileged */
    unsigned reserve;
    unsigned max_per_uid;
    size_t max_head_bytes;     /* also libmicrohttpd's memory for each connection */
    size_t max_bodies_bytes;   /* bodies being held, of all connections */
    int64_t head_ms;           /* from accept, or from the last answer, to a whole head */
    int64_t body_ms;
    int64_t answer_ms;         /* from the answer to its last byte gone */
    unsigned stuck_s;          /* a stream whose reader takes nothing for so long is cut */
};
#define HTTP_LIMITS_DEFAULT                                                                        \
    ((struct http_limits){128, 8, 32, 32u << 10, 16u << 20, 10000, 30000, 60000, 60})

#define HTTP_GROUPS_MAX 256

struct http_peer {
    struct sock_peer cred;
    uint32_t gids[HTTP_GROUPS_MAX]; /* the primary one and, when all of them fit, the supplementary */
    size_t gid_count;
};

struct http_owner {
    /* May it use the reserve? Asked at accept. */
    bool (*is_privileged)(void *arg, const struct http_peer *peer);
    /* A head came. Answer it now (an error: then no body is read), or return how many bytes of body are
     * wanted at most (0: none; more than that is answered with 413 here). */
    size_t (*on_head)(void *arg, struct request *r);
    /* The request is whole. Answer now or later. */
    void (*on_request)(void *arg, struct request *r);
    /* The last word on r: answered in full, or its client is gone, or the server ends. */
    void (*on_done)(void *arg, struct request *r);
    void *arg;
};

/* listen_fd is borrowed and must be non-blocking. */
int http_new(struct ev *ev, int listen_fd, const struct http_limits *limits,
             const struct http_owner *owner, struct http **ret, struct err *err) NODISCARD;
void http_free(struct http *h); /* NULL is fine; on_done is told for every request */
/* Cuts the connections of peers for whom `drops` says so (they lost rights). */
void http_drop_if(struct http *h, bool (*drops)(void *arg, const struct http_peer *peer), void *arg);
unsigned http_connections(const struct http *h);

/* ---- a request: from on_head to on_done ------------------------------------------------------ */

struct str request_method(const struct request *r);
struct str request_target(const struct request *r); /* as it came: path and query, not decoded */
struct str request_body(const struct request *r);
/* A head field, or STR_NONE. */
struct str request_header(const struct request *r, const char *name);
const struct http_peer *request_peer(const struct request *r);
struct arena *request_arena(struct request *r); /* lives as long as r */
void request_set(struct request *r, void *owner_data);
void *request_get(const struct request *r);

struct answer {
    unsigned status;
    const char *content_type;
    const char *allow;       /* for 405, or NULL */
    const char *retry_after; /* or NULL */
};
/* Takes body's bytes (the buffer is empty after it). Once a request. A body that failed becomes a 500. */
void request_answer(struct request *r, const struct answer *a, struct buf *body);
bool request_is_answered(const struct request *r);

/*
 * A stream without end: `pull` is asked for at most n bytes whenever the client can take some.
 * > 0: bytes written; 0: nothing now, it sleeps until request_wake(); < 0: the end.
 * A client that goes away while it sleeps is noticed.
 */
typedef ssize_t request_pull(void *arg, char *p, size_t n);
void request_stream(struct request *r, const struct answer *a, request_pull *pull, void *arg);
void request_wake(struct request *r);

#endif
