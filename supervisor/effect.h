/*
 * effect.h: steps that leave the house: tool calls and model calls.
 *
 *   prepare (the tool server is up, its definition known) -> judge (policy) -> intent -> COMMIT -> it
 *   leaves -> outcome -> COMMIT -> the worker is told.
 *
 * An outcome that was lost is asked for again only when the tool is known to be read-only or idempotent,
 * with the same idempotency key; otherwise the step is unknown, and a person decides (INV-06).
 */
#ifndef REEVE_SUPERVISOR_EFFECT_H
#define REEVE_SUPERVISOR_EFFECT_H

#include "supervisor/steps.h"
#include "supervisor/tool.h"

#define EFFECT_TRIES_MAX 6

struct effect {
    struct run *r;            /* held: the run stays in memory while an effect is under way */
    struct step *s;           /* NULL until the intent (or a gate, or a denial) is recorded */
    enum step_kind kind;
    size_t bytes;             /* of the request, as counted for the run */
    struct arena arena;       /* what follows */
    struct str key, request, id;
    int attempt;              /* whose worker asked, while there is no step */
    const struct json *parsed;
    int64_t asked_ms, seen;   /* when, and how many outcomes the worker had then */
    int64_t approval;         /* that allows it; 0: none was needed */
    struct ask_gate *gate;
    struct tool_server *server;
    struct str tool;
    struct tool_want *want;
    struct tool_call *call;
    struct wire_call *http;
    struct ev_timer *again;   /* the pause before another try */
    struct effect *next_waiting; /* for what follows see room.h */
    int64_t room_tokens, room_micro;
    bool has_room, waited;
};

extern const struct step_kind_ops effect_tool_ops, effect_model_ops;

/* Start-up: intents without outcome. Those that may not be retried become unknown and open a gate. */
int effect_recover(struct reeved *rv, struct err *err) NODISCARD;
/* May a call whose outcome was lost be made again? The operator says; a server can only be stricter. */
bool effect_tool_may_retry(const struct run *r, const struct step *s);
/* At start-up: the step is an intent without outcome. */
int effect_tool_recover(struct run *r, struct step *s, struct err *err) NODISCARD;
/* A person decided on the step's approval: goes on, if a worker waits for it. */
int effect_go_on(struct run *r, struct step *s, struct err *err);

/* ---- for the two kinds ------------------------------------------------------------------------------ */

/* From a worker's request, or from a recorded step whose request is in memory (s). */
int effect_new(struct run *r, const struct step_ask *q, struct step *s, struct effect **ret, struct err *err) NODISCARD;
void effect_free(struct effect *e);
/* Records the intent: a new step, or the one there is. more: of a new step. */
int effect_intend(struct effect *e, const struct store_step *more, struct err *err) NODISCARD;
/* Records a new step in a state other than intent. */
int effect_record(struct effect *e, enum step_state state, const struct store_step *more, struct err *err) NODISCARD;
/* Tries again after a back-off (at least `at_least_ms`); false when the tries are used up. */
bool effect_again(struct effect *e, int64_t at_least_ms, ev_timer_fn *fn);
/* A failure of ours in a callback: the run cannot go on. Frees e. */
void effect_broke(struct effect *e, const struct err *err);
void effect_as_ask(const struct effect *e, struct step_ask *ret, struct json *id_room);

#endif
