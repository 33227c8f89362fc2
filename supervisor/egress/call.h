/*
 * call.h: one HTTP call: what was asked, its libcurl handle, what came back, and whether anything had left.
 */
#ifndef REEVE_EGRESS_CALL_H
#define REEVE_EGRESS_CALL_H

#include <curl/curl.h>

#include "policy/text/buf.h"
#include "policy/text/jout.h"
#include "supervisor/egress/route.h"

#define CALL_HEADERS_MAX 32
#define CALL_BODY_MAX    ((size_t)16 << 20)

/* Whether a byte of the request reached the other side: a caller may ask again without a second thought after
 * CALL_SENT_NO alone. */
enum call_sent { CALL_SENT_NO, CALL_SENT_YES, CALL_SENT_UNKNOWN };

struct call_header {
    char name[ROUTE_NAME_MAX];
    struct buf value;
};

struct call {
    void *owner;
    /* asked */
    char *id; /* JSON text of the request's id; owned, as is all below */
    char *route, *path, *method, *body;
    size_t body_len;
    struct curl_slist *headers;
    int64_t timeout_ms; /* 0: the route's */
    /* under way */
    CURL *easy; /* NULL while it waits its turn */
    char why_curl[CURL_ERROR_SIZE];
    bool may_send;    /* the connection stood and the request was about to be written */
    bool sends_again; /* libcurl wanted to send it a second time: stopped */
    int64_t max_response_bytes;
    size_t header_bytes;
    /* came back */
    struct call_header kept[CALL_HEADERS_MAX];
    size_t kept_count;
    struct buf response;
    bool is_too_large;
};

/* From the params of `http/call`; checks everything that needs no route. Free with call_free. */
int call_parse(struct str id, const struct json *params, struct call **ret, struct err *err) NODISCARD;
void call_free(struct call *c); /* NULL is fine; out of its pump before. Overwrites headers */
/* Makes the handle for this route, ready for a pump. Everything of the route is copied. */
int call_prepare(struct call *c, const struct route *r, struct err *err) NODISCARD;
enum call_sent call_sent(const struct call *c);
/* Why a transfer with this result has no answer, without any secret: 0 when it has one (any status). *ret_code is
 * WIRE_E_UNAVAILABLE or WIRE_E_TIMEOUT. */
int call_judge(struct call *c, CURLcode code, const struct secrets *secrets, int64_t *ret_code,
               struct err *err) NODISCARD;
/* The members of the result: status, headers, body, ttfbMs, totalMs, retryAfterMs?. Secrets are made unreadable. */
void call_put_result(struct call *c, const struct secrets *secrets, struct jout *j);
/* "retryAfterMs": what the other side asked for, 0 when nothing. */
int64_t call_retry_after_ms(const struct call *c);

#endif
