/*
 * exchange.h: one request of the control API and its answer; what the handlers of the routes share.
 */
#ifndef REEVE_CONTROL_EXCHANGE_H
#define REEVE_CONTROL_EXCHANGE_H

#include "policy/text/jout.h"
#include "sandbox/os/wire.h"
#include "supervisor/control/control.h"
#include "supervisor/control/roles.h"
#include "supervisor/control/route.h"
#include "supervisor/store/view.h"

struct follower;

struct control {
    struct ev *ev;
    const struct log *log;
    struct control_options options;
    int listen_fd;
    struct http *http; /* NULL until the first `control/config` */
    struct wire *reeved;
    struct roles roles;
    struct view *view;
    char *state_dir;
    uint64_t seen; /* of wire_admit */
    struct follower *followers;
};

struct exchange {
    struct control *control;
    struct request *request;
    struct route_match match;
    struct wire_call *call;     /* under way to reeved, or NULL */
    struct follower *follower;  /* of serve_follow, or NULL */
    unsigned success;           /* status of a good answer */
};

#define ANSWER_MAX_BYTES (32u << 20)

/* Answers; the body's bytes are taken. */
void exchange_json(struct exchange *x, unsigned status, struct buf *body);
/* As problem+json. */
void exchange_problem(struct exchange *x, unsigned status, const char *fmt, ...) PRINTF(3, 4);
/* Maps -Exxx of a handler, the store or the loop to a status. */
void exchange_error(struct exchange *x, int number, const struct err *err);
/* reeved's error: its code to a status, `diagnostics` of its data passed on. */
void exchange_wire_error(struct exchange *x, const struct wire_message *m);

/* 422 with what is wrong with what was named. */
void exchange_diagnostics(struct exchange *x, const char *detail, const struct json *diagnostics);

/* Handlers: routes.def */
#define ROUTE(method, path, role, query, body, handler) route_handler handler;
#include "supervisor/control/routes.def"
#undef ROUTE

#endif
