/*
 * tool.h: tool servers: one confined process for each server definition in use, started when it is
 * needed, spoken to through mcp.h, kept while it is used, stopped when nobody has used it for its `idle` time,
 * restarted with a growing pause when it fails.
 */
#ifndef REEVE_SUPERVISOR_TOOL_H
#define REEVE_SUPERVISOR_TOOL_H

#include "supervisor/reeved.h"

struct tool_def { /* as the server lists it; borrowed until the server's next listing or end */
    struct str name;
    const struct json *json;   /* the whole definition */
    const struct json *schema; /* inputSchema; NULL when it has none or it cannot be used */
    struct digest digest;
};

enum tool_state { TOOL_DOWN, TOOL_STARTING, TOOL_READY };

/* The server of that name in a workflow version; made when there is none yet (not started). Servers of the
 * same definition are one. */
int tool_server_get(struct reeved *rv, const struct digest *version, struct str name, struct tool_server **ret,
                    struct err *err) NODISCARD;
const struct server *tool_server_def(const struct tool_server *ts);
enum tool_state tool_server_state(const struct tool_server *ts);
const struct tool_def *tool_find(const struct tool_server *ts, struct str name);
size_t tool_defs(const struct tool_server *ts, const struct tool_def **ret);

/* Told once, in a later pass: ready (why NULL) or not to be had now, with the reason. */
struct tool_want;
typedef void tool_want_fn(void *arg, struct tool_server *ts, const struct err *why);
int tool_server_want(struct tool_server *ts, tool_want_fn *fn, void *arg, struct tool_want **ret, struct err *err) NODISCARD;
void tool_want_drop(struct tool_want *w);

/* What became of a call. Told exactly once unless dropped. */
struct tool_reply {
    const struct json *result; /* the MCP result; NULL: see below */
    int64_t code;              /* the server's JSON-RPC error */
    struct str text;
    bool happened;             /* the server answered with a result that is of no use: not to be made again */
    bool lost;                 /* nothing is known: it may have happened (server ended, time-out, nonsense) */
};
struct tool_call;
typedef void tool_reply_fn(void *arg, const struct tool_reply *reply);
struct tool_request {
    struct str tool;
    struct str arguments;       /* JSON text of an object, sent as it is */
    const char *idempotency_key;
    const char *trace_id;
    int64_t timeout_ms;
};
/* The server must be ready. The request leaves after the pass's commit. */
int tool_server_call(struct tool_server *ts, const struct tool_request *q, tool_reply_fn *fn, void *arg,
                     struct tool_call **ret, struct err *err) NODISCARD;
void tool_call_drop(struct tool_call *c);
/* For status: {"name","state","pid","starts","tools","era"} of each. */
void tool_put_status(struct reeved *rv, struct jout *j);

#endif
