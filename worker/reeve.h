/*
 * reeve.h: the client library of the broker socket: all that a C program needs to be a worker.
 *
 * A worker is started with one socket, descriptor 3. It begins the run, asks for steps, and ends the run:
 *
 *     struct reeve *r;
 *     struct err err = ERR_INIT;
 *     if (reeve_open(REEVE_FD, &r, &err) < 0 || reeve_begin(r, false, &err) < 0) ...
 *     reeve_tool(r, "ledger.lookup_vendor", STR("{\"name\":\"Fjordlys\"}"), &answer, &err);
 *     reeve_end(r, STR("{\"ok\":true}"), &err);
 *     reeve_close(r);
 *
 * A run outlives its worker. After a crash, a kill or a long wait the program runs again from its start (or
 * from its last checkpoint: reeve_run()->checkpoint) and asks again; whatever is recorded is answered from
 * the journal at once and never done twice. So a worker must be deterministic between steps: it takes the
 * time and randomness from reeve_run() and puts everything else that may differ into a step.
 *
 * Calls block until the answer is there, which may be days later and in another process. Values go in as
 * JSON text and come out as trees. All functions work under the strict profile: they use read, write and
 * poll on the one socket and memory, nothing else. Not thread-safe: one thread uses a struct reeve.
 *
 * Results: >= 0 good. -Exxx otherwise, with text in err (never NULL here). What the broker refuses is mapped to
 *     -EACCES denied by policy   -EDQUOT a limit of the run    -ECANCELED the run was cancelled
 *     -ESTALE diverged           -EHOSTDOWN unavailable        -ETIMEDOUT  -ENOENT  -EEXIST  -EINVAL params
 *     -ENOSYS no such method     -EPROTO not in this state     -EREMOTEIO all else
 * and a broken socket is -EPIPE, -EBADMSG, -EMSGSIZE or -EILSEQ: it stays broken, every later call fails alike.
 */
#ifndef REEVE_WORKER_REEVE_H
#define REEVE_WORKER_REEVE_H

#include "sandbox/os/log.h"
#include "sandbox/os/wire.h"

#define REEVE_FD          3
#define REEVE_OPEN_MAX    64 /* requests that may be unanswered at once */
#define REEVE_MESSAGE_MAX (16u << 20)

struct reeve;

/* ---- answers --------------------------------------------------------------------------------- */

/* One answer and the memory it lives in. Start with REEVE_ANSWER_INIT, give it to any number of calls (each
 * drops what was in it), release it at the end. All pointers are borrowed until then. */
struct reeve_answer {
    const struct json *value; /* the result; NULL for an error */
    int64_t code;             /* 0, or the broker's error code (WIRE_E_*) */
    struct str text;          /* the error's text */
    const struct json *data;  /* the error's data, or NULL */
    char *line;               /* private, as is the arena */
    struct arena arena;
};
#define REEVE_ANSWER_INIT ((struct reeve_answer){0})
void reeve_answer_release(struct reeve_answer *a); /* leaves it empty and usable */
/* 0 for a result; the -Exxx of the table above and its text for an error. */
int reeve_answer_status(const struct reeve_answer *a, struct err *err);

/* ---- the run --------------------------------------------------------------------------------- */

/* Takes fd, also on failure. */
int reeve_open(int fd, struct reeve **ret, struct err *err) NODISCARD;
void reeve_close(struct reeve *r); /* NULL is fine */

struct reeve_run { /* borrowed until reeve_close */
    struct str run, tenant, workflow, version;
    int64_t attempt;               /* from 1 */
    int64_t now_ms;                /* unix ms at which the run began: the same in each attempt */
    struct str seed;               /* hex; likewise */
    bool is_replay;                /* the journal has steps already */
    const struct json *event;      /* the CloudEvent; its data is foreign input */
    const struct json *checkpoint; /* the state last kept, or NULL */
    const struct json *agent;      /* the built-in loop's settings, or NULL */
    const struct json *models;     /* the names of the routes for reeve_model, or NULL: none */
    const struct json *limits;     /* or NULL */
};
/* First, once. sequential: this worker asks one thing at a time (the journal is then held to that order). */
int reeve_begin(struct reeve *r, bool sequential, struct err *err) NODISCARD;
const struct reeve_run *reeve_run(const struct reeve *r); /* NULL before reeve_begin */
/* A person or a limit has cancelled the run: end soon. New requests fail with -ECANCELED. */
bool reeve_is_cancelled(const struct reeve *r);

/* Last, once: the run's result (JSON text), or its failure. The process exits after it. */
int reeve_end(struct reeve *r, struct str result, struct err *err) NODISCARD;
int reeve_fail(struct reeve *r, const char *message, bool retryable, struct err *err) NODISCARD;
/* A line for operators; cut at 4 KiB. Never fails, never waits for an answer. */
void reeve_log(struct reeve *r, enum log_level level, const char *fmt, ...) PRINTF(3, 4);

/* ---- steps ----------------------------------------------------------------------------------- */

/* A named step of the program's own code. Returns 1 and the value in *a when it is recorded; 0 when it is to
 * be done now: *ret_step names it then, and reeve_step_end or reeve_step_fail must follow. input (JSON text or
 * STR_NONE) tells apart steps of one key. */
#define REEVE_STEP_MAX 128
struct reeve_step {
    char id[REEVE_STEP_MAX]; /* the broker's, or the key: for reeve_step_end alone */
};
int reeve_step_begin(struct reeve *r, const char *key, struct str input, struct reeve_step *ret_step,
                     struct reeve_answer *a, struct err *err) NODISCARD;
int reeve_step_end(struct reeve *r, const struct reeve_step *step, struct str value, struct err *err) NODISCARD;
/* The same without waiting: returns at once as a rule, and the step is recorded before anything that comes
 * after it in this run can leave Reeve (a call, an event, the run's result). Steps that have ended so travel
 * together, at most 64, and cost a fraction of a commit each. What a crash takes of them is done again: for
 * steps whose code has no effect but its value. Where the journal may know the step, it is reeve_step_end. */
int reeve_step_end_later(struct reeve *r, const struct reeve_step *step, struct str value,
                         struct err *err) NODISCARD;
int reeve_step_fail(struct reeve *r, const struct reeve_step *step, const char *message,
                    struct err *err) NODISCARD;

/* A tool call: name as `<server>.<tool>`, arguments a JSON object (STR_NONE: {}). *a holds the MCP result; a
 * call that policy denied is a result with isError (reeve_tool_is_denied), so is a tool's own failure. */
int reeve_tool(struct reeve *r, const char *name, struct str arguments, struct reeve_answer *a,
               struct err *err) NODISCARD;
bool reeve_tool_is_error(const struct json *result);
bool reeve_tool_is_denied(const struct json *result);

/* Several at once: all are sent, then all answers collected; each call's answer is in its own `answer`
 * (which the caller releases), its error, if any, too: see reeve_answer_status. Fails only as a whole. */
struct reeve_tool_call {
    struct str name;
    const struct json *arguments; /* an object, or NULL: {} */
    struct reeve_answer answer;
};
int reeve_tools(struct reeve *r, struct reeve_tool_call *calls, size_t n, struct err *err) NODISCARD;
/* What this run may call: *a holds {tools:[{name,description,inputSchema,annotations}], nextCursor?}. */
int reeve_tool_list(struct reeve *r, struct str cursor /* or STR_NONE */, struct reeve_answer *a,
                    struct err *err) NODISCARD;

/* A model call: request is a chat.completions body (JSON object) without `model`, which the route says; route: one of
 * reeve_run()->models, STR_NONE the first. *a holds {status, response, usage:{inputTokens,outputTokens}}. It is
 * asked once, whatever dies meanwhile: later the same request is answered from the journal. Failures: -EACCES denied by
 * policy, or no route of this workflow; -EDQUOT its budget is used up; -EHOSTDOWN the gateway cannot be had, after
 * several tries; -EINVAL it does not take the request. Several at once: reeve_request(r, &o, "model/call") below. */
int reeve_model(struct reeve *r, struct str route, struct str request, struct reeve_answer *a,
                struct err *err) NODISCARD;

/* Keep this state: a restarted worker finds it in reeve_run()->checkpoint, and only what comes after it is
 * replayed. */
int reeve_checkpoint(struct reeve *r, struct str state, struct err *err) NODISCARD;

int reeve_sleep(struct reeve *r, int64_t ms, struct err *err) NODISCARD;
int reeve_sleep_until(struct reeve *r, int64_t unix_ms, struct err *err) NODISCARD;

/* Waits for an event of this type whose members equal those of match (a JSON object or STR_NONE). Returns 1
 * and {event} in *a, or 0 after timeout_ms (0: for ever). */
int reeve_event_wait(struct reeve *r, const char *type, struct str match, int64_t timeout_ms,
                     struct reeve_answer *a, struct err *err) NODISCARD;
int reeve_event_emit(struct reeve *r, const char *type, const char *subject /* or NULL */, struct str data,
                     struct reeve_answer *a, struct err *err) NODISCARD;

/* A child run: its result is in *a as {result}; a child that failed as {error}. */
int reeve_child(struct reeve *r, const char *workflow, struct str data, struct reeve_answer *a,
                struct err *err) NODISCARD;

/* Asks people. Returns 1 when approved, 0 when rejected or expired; who and why is in *a. */
struct reeve_question {
    const char *question;
    struct str data;       /* JSON text or STR_NONE */
    const char *approvers; /* a group, or NULL: the workflow's own */
    int64_t quorum;        /* 0: one */
    int64_t expires_ms;    /* 0: never */
};
int reeve_approval(struct reeve *r, const struct reeve_question *q, struct reeve_answer *a,
                   struct err *err) NODISCARD;

/* ---- any request, several at once ------------------------------------------------------------ */

/* reeve_request, then members of params with o->j, then reeve_request_end, which sends and returns at once.
 * Answers come in any order: reeve_wait takes the one of `id`, reeve_wait_any the next of any. Both return 0
 * with the answer, be it a result or an error (see reeve_answer_status). Between reeve_request and its end no
 * other function of this header is called. */
void reeve_request(struct reeve *r, struct wire_out *o, const char *method);
int reeve_request_end(struct reeve *r, struct wire_out *o, int64_t *ret_id, struct err *err) NODISCARD;
int reeve_wait(struct reeve *r, int64_t id, struct reeve_answer *a, struct err *err) NODISCARD;
int reeve_wait_any(struct reeve *r, int64_t *ret_id, struct reeve_answer *a, struct err *err) NODISCARD;
/* reeve_request_end, reeve_wait and reeve_answer_status in one. */
int reeve_ask(struct reeve *r, struct wire_out *o, struct reeve_answer *a, struct err *err) NODISCARD;

#endif
