/*
 * mcp.h: a client of one MCP server over pipes, in both eras (2026-07-28 and the older handshake).
 *
 * Era: `server/discover` first; a result is the modern era; any error, or no answer within a moment, is
 * the older one and `initialize` follows. Then the tools are listed, page by page. Requests of the server
 * (older era) are refused but for ping. Trust: none: every byte is the server's.
 */
#ifndef REEVE_SUPERVISOR_MCP_H
#define REEVE_SUPERVISOR_MCP_H

#include "sandbox/os/wire.h"

#define MCP_TOOLS_MAX 512
#define MCP_DEFINITIONS_MAX (4u << 20) /* bytes of all definitions together */

struct mcp;

struct mcp_owner {
    void (*on_ready)(void *arg);   /* tools are listed; called again when they changed and were listed anew */
    void (*on_failed)(void *arg, const struct err *why); /* cannot be used (any more); the owner frees it */
    void (*on_log)(void *arg, struct str level, struct str text); /* notifications/message */
    void *arg;
};

struct mcp_options {
    int64_t discover_ms; /* how long to wait for an answer to server/discover: 3 s */
    int64_t start_ms;    /* for each of the other requests of the start */
    size_t max_result_bytes;
};

/* Takes both descriptors. *ret_wire is borrowed: for the outbox. */
int mcp_new(struct ev *ev, int in_fd, int out_fd, const struct mcp_options *o, const struct mcp_owner *owner,
            struct mcp **ret, struct wire **ret_wire, struct err *err) NODISCARD;
void mcp_free(struct mcp *m);
bool mcp_is_modern(const struct mcp *m);
const char *mcp_version(const struct mcp *m); /* the protocol revision agreed on */
/* The definitions: JSON objects with a "name" that is a tool name, each name once. Borrowed until the
 * next on_ready. */
size_t mcp_tools(const struct mcp *m, const struct json *const **ret);

struct mcp_call_request {
    struct str tool, arguments;
    const char *idempotency_key, *trace_id; /* may be NULL */
    int64_t timeout_ms;
};
/* fn gets WIRE_RESULT or WIRE_ERROR as of wire_call; codes WIRE_E_TIMEOUT and _UNAVAILABLE of our own making
 * mean that the outcome is lost. */
int mcp_call(struct mcp *m, const struct mcp_call_request *q, wire_reply_fn *fn, void *arg,
             struct wire_call **ret, struct err *err) NODISCARD;
/* Tells the server that nobody waits for this request any more. */
void mcp_cancel(struct mcp *m, int64_t request);

#endif
