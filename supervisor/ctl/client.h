/*
 * client.h: HTTP over the control socket (libcurl). Nothing else: no other protocol, host, proxy,
 * redirect or configuration file has a say.
 */
#ifndef REEVE_CTL_CLIENT_H
#define REEVE_CTL_CLIENT_H

#include "policy/text/buf.h"
#include "policy/text/err.h"
#include "supervisor/ctl/sse.h"

#define CLIENT_BODY_MAX (64u << 20)

struct client {
    void *curl; /* CURL; NULL until the first call */
    const char *socket; /* borrowed */
};

struct client_request {
    const char *method; /* "GET", "POST" */
    const char *path;   /* with its query, encoded */
    struct str body;
    const char *content_type;
    const char *last_event_id; /* streams; "" or NULL: from the beginning */
    int64_t timeout_ms;        /* of all of it; 0: 60 s. Streams have none */
};

/* 0 and the HTTP status; the body is appended. -ENOENT, -ECONNREFUSED: nobody is there; -EACCES: the socket
 * may not be opened; -ETIMEDOUT; -EMSGSIZE; -EIO. */
int client_call(struct client *c, const struct client_request *r, int *ret_status, struct buf *body,
                struct err *err) NODISCARD;
/* As client_call, but the body of a 200 goes to fn as it comes. fn's result other than 0 ends it and is
 * returned. */
int client_stream(struct client *c, const struct client_request *r, sse_fn *fn, void *arg,
                  int *ret_status, struct buf *body, struct err *err) NODISCARD;
void client_release(struct client *c);

#endif
