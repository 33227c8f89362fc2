/*
 * steps.h: one step of a run from request to outcome; what the kinds of steps share.
 *
 * A kind is a row: how a new step of it begins and how one that was found in the journal without an
 * outcome goes on. Both get the step with its waiter and the request that the worker sent.
 */
#ifndef REEVE_SUPERVISOR_STEPS_H
#define REEVE_SUPERVISOR_STEPS_H

#include "supervisor/runs.h"

struct step_ask { /* a worker's request for a step */
    enum step_kind kind;
    struct str key;
    struct str request;        /* JSON text: what the digest covers and the journal keeps */
    const struct json *parsed; /* the same */
    const struct json *id;     /* of the worker's request; NULL: nobody waits (step/begin answers at once) */
};

struct step_kind_ops {
    /* A new step; rec holds kind, key, request. It decides state and writes it with step_begin(). */
    int (*begin)(struct run *r, const struct step_ask *q, struct err *err);
    /* A step of the journal that has no outcome; the waiter is added already. */
    int (*resume)(struct run *r, struct step *s, const struct step_ask *q, struct err *err);
};
/* The one place that says who serves a step: a dry run and a replay never get the rooms of real ones. */
const struct step_kind_ops *step_ops(const struct run *r, enum step_kind kind);

/* Looks the request up in the journal, answers from there, or begins the step. Failures of ours are
 * returned; what is wrong with the request is answered to the worker. */
int steps_ask(struct run *r, const struct step_ask *q, struct err *err);

/* Whether limits.steps allows one more; if not, the run has ended, and *ret is what a handler returns. */
bool steps_may_begin(struct run *r, int *ret, struct err *err);
/* Writes a new step in `state`, with the worker's request kept for sending. Adds the waiter. */
int step_begin(struct run *r, const struct step_ask *q, enum step_state state, const struct store_step *more,
               struct step **ret, struct err *err) NODISCARD;
/* A step that is the worker's own doing and nobody else's: its row is written together with its outcome, with
 * the next change of the run, or after a moment; so that it costs one commit, not two. */
int step_begin_later(struct run *r, const struct step_ask *q, struct step **ret, struct err *err);
/* A step of the worker's own that had begun and ended before we heard of it: one row, with its outcome. */
int step_record(struct run *r, const struct step_ask *q, struct str outcome, struct err *err);
ev_timer_fn steps_on_late;
/* The outcome: recorded, then told to all who wait (the telling leaves after the commit). `reply` is the
 * JSON text of the result, or of {code,message,data?} when is_error. */
int step_settle(struct run *r, struct step *s, enum step_state state, struct str reply, bool is_error,
                const char *reason, struct err *err);
/* An MCP tool result that says an error in words: {"content":[{"type":"text","text":...}],"isError":true}. */
int step_settle_tool_error(struct run *r, struct step *s, enum step_state state, const char *reason,
                           struct strs policies, struct err *err);
/* A JSON-RPC error for the waiters. */
int step_settle_error(struct run *r, struct step *s, enum step_state state, int64_t code, const char *reason,
                      struct err *err);
/* Tells one waiter the recorded outcome. */
int step_answer(struct run *r, struct step *s, struct str id_raw, struct err *err);
/* New state without outcome. */
int step_set(struct run *r, struct step *s, enum step_state state, const char *reason, struct err *err);
/* The step's idempotency key: the same for every try of it. */
#define STEP_IDEMPOTENCY_KEY 48
void step_idempotency_key(const struct run *r, const struct step *s, char out[STEP_IDEMPOTENCY_KEY]);

#endif
