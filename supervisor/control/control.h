/*
 * control.h: reeve-control: the control API on a listening Unix socket, for people and their tools.
 *
 * It reads the store's read-only view and changes nothing itself: a change is a `control/do` message to
 * reeved with the peer's credentials as the kernel gave them.
 *
 *   GET  /v1/status /v1/doctor /v1/workflows /v1/usage?tenant&days /v1/audit?after&limit
 *        /v1/runs?state&wait&workflow&tenant&limit&cursor /v1/runs/{run} /v1/runs/{run}/trace
 *        /v1/runs/{run}/steps?after&limit /v1/runs/{run}/steps/{seq}?whole=1 /v1/runs/{run}/steps/{seq}/explain
 *        /v1/runs/{run}/diff/{run}
 *        /v1/approvals?state&run&limit&cursor /v1/approvals/{id}
 *        /v1/runs/{run}/follow   text/event-stream, see follow.h
 *   POST /v1/events?workflow     a CloudEvent (structured JSON) -> 202 {run?, runs[], duplicate}
 *        /v1/runs/{run}/cancel|pause|resume|redrive {reason?}
 *        /v1/runs/{run}/fork {from, dry?}   /v1/runs/{run}/replay {} -> {run, mode, origin}
 *        /v1/approvals/{id}/approve|reject {comment?, outcome?}
 *            outcome (approve, unknown effects only): {"happened":true, "result":any} | {"happened":false}
 *        /v1/backup {file}   /v1/policy/load {dir?}
 *
 * Shapes of what is read: supervisor/store/view.h. Errors are application/problem+json: {type, title,
 * status, detail, diagnostics?}.
 */
#ifndef REEVE_CONTROL_CONTROL_H
#define REEVE_CONTROL_CONTROL_H

#include "sandbox/os/ev.h"
#include "sandbox/os/log.h"
#include "supervisor/control/http.h"

struct control;

struct control_options {
    int listen_fd;                   /* taken, also on failure */
    int wire_fd;                     /* reeved's channel; taken, also on failure */
    const struct log *log;           /* borrowed */
    const char *state_dir;           /* the store; NULL: `control/config` names it */
    const struct http_limits *http;  /* NULL: the default */
    int64_t do_ms, backup_ms;        /* how long reeved may take for a change; 0: 30 s, 10 min */
    /* Once the store is open, before a client is served: the program shuts its door. May be NULL. */
    int (*on_ready)(void *arg, struct err *err);
    /* reeved's channel ended, or on_ready failed: nothing is served any more. */
    void (*on_lost)(void *arg, const struct err *why);
    void *arg;
};

int control_new(struct ev *ev, const struct control_options *o, struct control **ret,
                struct err *err) NODISCARD;
void control_free(struct control *c); /* NULL is fine */
unsigned control_connections(const struct control *c);

/* The API's rows, for tests. */
struct route;
const struct route *control_routes(size_t *ret_count);

#endif
