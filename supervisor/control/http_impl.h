/*
 * http_impl.h: what http.c (the loop, connections) and http_request.c (requests) share.
 */
#ifndef REEVE_CONTROL_HTTP_IMPL_H
#define REEVE_CONTROL_HTTP_IMPL_H

#include <microhttpd.h>

#include "supervisor/control/http.h"

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

/* Shuts it: libmicrohttpd owns the descriptor and closes what has ended. */
void connection_cut(struct connection *c);
/* One deadline at a time, for a whole phase; 0: none. */
void connection_deadline(struct connection *c, int64_t ms);
/* libmicrohttpd is to run soon: something was resumed or shut. */
void http_nudge(struct http *h);

/* libmicrohttpd's callbacks about requests. */
void *request_on_target(void *arg, const char *target, struct MHD_Connection *mhd);
enum MHD_Result request_on_access(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **context);
void request_on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_RequestTerminationCode code);
/* Wakes one that sleeps, so that it may end. */
void request_resume(struct request *r);

#endif
