/*
 * sse.h: server-sent events (WHATWG HTML, "Server-sent events"), bytes in, events out. Pure. Comments and
 * fields other than event, data and id are skipped.
 */
#ifndef REEVE_CTL_SSE_H
#define REEVE_CTL_SSE_H

#include "policy/text/buf.h"

#define SSE_EVENT_MAX (32u << 20)

/* != 0 stops and is returned by sse_feed. id: the last one seen. */
typedef int sse_fn(void *arg, struct str event, struct str id, struct str data);

struct sse {
    struct buf line, data;
    char event[64], id[64]; /* longer ones are cut */
    sse_fn *fn;
    void *arg;
};

void sse_init(struct sse *s, sse_fn *fn, void *arg);
void sse_release(struct sse *s);
int sse_feed(struct sse *s, struct str bytes); /* -EMSGSIZE, -ENOMEM, or fn's */

#endif
