/*
 * wire.h: the one codec of all our sockets: JSON-RPC 2.0, one message a line, strict JSON, hard limits.
 *
 * Three layers, each usable alone:
 *   message   bytes of one line <-> struct wire_message (pure)
 *   admission which message a peer may send now, by table
 *   wire      a connection in an event loop: framing, limits, calls with time-outs, held output
 *
 * Trust: the peer's bytes are hostile. A fault of the peer closes its wire with a reason that names it;
 * the owner decides what that ends (a run, a client, a helper).
 */
#ifndef REEVE_OS_WIRE_H
#define REEVE_OS_WIRE_H

#include "policy/text/jout.h"
#include "policy/text/json.h"
#include "sandbox/os/ev.h"

/* ---- message --------------------------------------------------------------------------------- */

enum wire_kind { WIRE_REQUEST, WIRE_NOTIFICATION, WIRE_RESULT, WIRE_ERROR };

/* JSON-RPC and MCP error codes (MCP 2026-07-28); our own stay out of -32768..-32000. */
enum {
    WIRE_E_PARSE = -32700,
    WIRE_E_REQUEST = -32600,
    WIRE_E_METHOD = -32601,
    WIRE_E_PARAMS = -32602,
    WIRE_E_INTERNAL = -32603,
    WIRE_E_MCP_VERSION = -32022,
    WIRE_E_STATE = 1001,      /* not admitted in this state */
    WIRE_E_DENIED = 1002,     /* policy */
    WIRE_E_LIMIT = 1003,      /* a limit of the run, named in the text */
    WIRE_E_CANCELLED = 1004,
    WIRE_E_DIVERGED = 1005,
    WIRE_E_UNAVAILABLE = 1006, /* a helper or tool server is down; may work later */
    WIRE_E_TIMEOUT = 1007,
    WIRE_E_NOT_FOUND = 1008,
    WIRE_E_CONFLICT = 1009,
};

struct wire_message {
    enum wire_kind kind;
    const struct json *id;     /* a string or an integer; NULL in notifications */
    struct str method;         /* requests and notifications */
    const struct json *params; /* object, or NULL */
    const struct json *result; /* WIRE_RESULT */
    int64_t code;              /* WIRE_ERROR */
    struct str text;           /* WIRE_ERROR: message */
    const struct json *data;   /* WIRE_ERROR: may be NULL */
    size_t size_bytes;         /* of the line, without its end */
    struct arena *arena;       /* of this message: dropped after dispatch */
};

struct wire_limits {
    size_t max_message_bytes; /* default 16 MiB */
    size_t max_depth;         /* 64 */
    size_t max_values;        /* 1 Mi */
    size_t max_out_bytes;     /* unsent output that closes the wire (a peer that does not read): 64 MiB */
    unsigned max_per_pass;    /* messages dispatched a loop pass, the rest waits its turn: 64 */
    int64_t partial_ms;       /* a line begun must be whole within: 30 s; 0: no limit */
};
#define WIRE_LIMITS_DEFAULT ((struct wire_limits){16u << 20, 64, 1u << 20, 64u << 20, 64, 30000})

#define WIRE_ID_MAX_BYTES 512 /* of the JSON text of an id: it is kept and echoed */

/* One line (without '\n', an ending '\r' refused) -> message. Batches, a missing or wrong "jsonrpc", ids
 * that are null or fractions, unknown shapes: -EBADMSG and friends of json_parse. */
int wire_parse(struct str line, const struct wire_limits *limits, struct arena *arena,
               struct wire_message *ret, struct err *err) NODISCARD;

/* Writing: begin, add params or result with the jout, end (which adds the newline). On failure the
 * buffer is cut back. wire_put_end returns jout_end's result. */
struct wire_out {
    struct jout j; /* after begin it stands inside "params":{ , "result":{ or "data":{ : write members */
    struct buf *buf;
    size_t start;
    unsigned depth; /* of j after begin: where wire_put_end must find it */
};
void wire_put_request(struct wire_out *o, struct buf *buf, int64_t id, const char *method);
void wire_put_request_str(struct wire_out *o, struct buf *buf, struct str id, const char *method);
void wire_put_notification(struct wire_out *o, struct buf *buf, const char *method);
void wire_put_result(struct wire_out *o, struct buf *buf, const struct json *id);
void wire_put_error(struct wire_out *o, struct buf *buf, const struct json *id /* NULL: null */,
                    int64_t code, const char *text);
int wire_put_end(struct wire_out *o) NODISCARD;
/* Whole values in one go: `result` is JSON text of any type. */
int wire_put_result_raw(struct buf *buf, struct str id_raw, struct str result) NODISCARD;
int wire_put_error_raw(struct buf *buf, struct str id_raw, struct str error) NODISCARD;

/* ---- admission ------------------------------------------------------------------------------- */

struct wire;
typedef int wire_handler(void *ctx, struct wire *w, const struct wire_message *m, struct err *err);

struct wire_rule {
    const char *method;
    enum wire_kind kind;  /* WIRE_REQUEST or WIRE_NOTIFICATION */
    unsigned states;      /* bits of the states it is admitted in */
    bool once;            /* a second one is refused */
    size_t max_bytes;     /* of the line; 0: the wire's limit */
    wire_handler *handler;
};

/* The rule that admits m in state (one bit), or NULL with err and *ret_code (WIRE_E_METHOD, _STATE,
 * _LIMIT) set. `seen` has a bit for each rule (at most 64); a once-rule's is set here. */
const struct wire_rule *wire_admit(const struct wire_rule *rules, size_t n, const struct wire_message *m,
                                   unsigned state, uint64_t *seen, int64_t *ret_code, struct err *err);

/* ---- connection ------------------------------------------------------------------------------ */

struct wire_owner {
    /* A request or notification came. Borrowed until return. `w` may be freed inside. Descriptors that
     * came with its bytes are taken with wire_take_fds(). */
    void (*on_message)(void *arg, struct wire *w, const struct wire_message *m);
    /* Ended by the peer (why->number == 0: clean end of file between messages; EPIPE or ECONNRESET: it went
     * away with our output unread, all that it had sent was dispatched) or by its fault (EBADMSG, EILSEQ,
     * EEXIST, E2BIG, EMSGSIZE, ETIMEDOUT, ENOBUFS...). Open calls were answered with WIRE_E_UNAVAILABLE
     * before. Never called from inside of a wire_ function, always from the loop. The owner frees it, now
     * or later. */
    void (*on_closed)(void *arg, struct wire *w, const struct err *why);
    void *arg;
};

/* Takes fd (also on failure), makes it non-blocking. `may_pass`: descriptors are received, else refused. */
int wire_new(struct ev *ev, int fd, const struct wire_limits *limits /* NULL: default */, bool may_pass,
             const struct wire_owner *owner, struct wire **ret, struct err *err) NODISCARD;
/* For pipes: reads in_fd, writes out_fd (from different descriptors, for a program's main also 0 and 1).
 * Takes both. The program ignores SIGPIPE: write(2) on a pipe has no flag against it. */
int wire_new_pipes(struct ev *ev, int in_fd, int out_fd, const struct wire_limits *limits,
                   const struct wire_owner *owner, struct wire **ret, struct err *err) NODISCARD;
void wire_free(struct wire *w); /* NULL is fine; closes; open calls are dropped unanswered */

/* Held: output stays in memory until wire_release() (once, for what is there now). Not held: it leaves
 * at the end of the pass in which it was written. A supervisor holds, commits, releases (INV-04). */
void wire_hold(struct wire *w, bool on);
void wire_release(struct wire *w);
bool wire_has_output(const struct wire *w);
size_t wire_out_bytes(const struct wire *w);
/* Back-pressure: no reading while paused. */
void wire_pause(struct wire *w, bool on);

/* Our output. After begin, write members to o->j, then wire_end. One message at a time: a begin drops one
 * that was not ended. On a wire that is closed, or will be at the next pass, ending is -EPIPE. When
 * max_out_bytes is reached ending is -ENOBUFS, and on_closed follows from the loop. */
int wire_notify(struct wire *w, struct wire_out *o, const char *method);
void wire_result(struct wire *w, struct wire_out *o, const struct json *id);
int wire_end(struct wire *w, struct wire_out *o, struct err *err);
/* Answers with an error in one go. */
int wire_error(struct wire *w, const struct json *id, int64_t code, const char *fmt, ...) PRINTF(4, 5);
int wire_result_raw(struct wire *w, struct str id_raw, struct str result_json, struct err *err);
/* Likewise with a whole error object, {"code","message","data"?}. */
int wire_error_raw(struct wire *w, struct str id_raw, struct str error_json, struct err *err);
/* A descriptor that goes out with the first byte of the next message; takes fd, also on failure. At most
 * FD_PASS_MAX for one message; only on a wire with may_pass. */
int wire_attach_fd(struct wire *w, int fd, struct err *err);
/* Descriptors received so far, oldest first, up to n; returns how many; the caller's then. */
size_t wire_take_fds(struct wire *w, int *fds, size_t n);

/* A call: m->kind is WIRE_RESULT or WIRE_ERROR (a time-out is WIRE_E_TIMEOUT, a closed wire
 * WIRE_E_UNAVAILABLE; both made here, not by the peer, with m->id NULL). Called exactly once, from the
 * loop, unless the call is dropped; the call ends with it. A reply that nobody waits for closes the wire,
 * but for a late one to a call that was dropped or timed out (the last WIRE_DROPPED_MAX are known). */
#define WIRE_DROPPED_MAX 1024
struct wire_call;
typedef void wire_reply_fn(void *arg, struct wire *w, const struct wire_message *m);
int wire_call_begin(struct wire *w, struct wire_out *o, const char *method); /* then members, then: */
int64_t wire_call_next_id(const struct wire *w); /* that wire_call_end will give to the one begun */
int wire_call_end(struct wire *w, struct wire_out *o, int64_t timeout_ms /* 0: none */, wire_reply_fn *fn,
                  void *arg, struct wire_call **ret /* may be NULL */, struct err *err) NODISCARD;
void wire_call_drop(struct wire_call *c); /* a late reply is then ignored */
int64_t wire_call_id(const struct wire_call *c);
void *wire_arg(const struct wire *w); /* owner.arg */
int wire_fd(const struct wire *w);    /* borrowed */

#endif
