/*
 * recover.h: what is to be done with a tool call that is asked for again, whose reply is lost, or that a
 * person has decided on. Pure: one table of rows, used by effect_tool.c and walked whole by its test.
 *
 * An effect whose outcome was lost is asked for again only when its tool is known to be read-only or
 * idempotent, with the same key; otherwise, and when the tries are used up, a person decides (INV-06).
 */
#ifndef REEVE_SUPERVISOR_RECOVER_H
#define REEVE_SUPERVISOR_RECOVER_H

#include "policy/house.h"
#include "supervisor/store/store.h"

enum recover_cause {
    RECOVER_ASKED, /* a worker asks for the step, or a person has decided; no call is under way */
    RECOVER_START, /* the supervisor starts: what was under way is lost */
    RECOVER_LOST,  /* the reply is lost, or the request could not be sent again */
    RECOVER_CAUSE_COUNT
};

enum recover_gate { /* the step's approval */
    GATE_NONE,
    GATE_OPEN,
    GATE_RUN,      /* people said: do it */
    GATE_HAPPENED, /* a person said: it happened */
    GATE_NO,       /* rejected, or nobody decided in time */
    GATE_CLOSED,   /* used, or closed with the run */
    GATE_COUNT
};

enum recover_move {
    RECOVER_WAIT,   /* nothing to do now: a person, a worker or a timer comes */
    RECOVER_JUDGE,  /* policy is asked; then intent and request, or a gate */
    RECOVER_SEND,   /* intent again, and the same request with the same key */
    RECOVER_KEEP,   /* the outcome is what a person said */
    RECOVER_REFUSE, /* the worker is told that people said no: nothing has happened */
    RECOVER_FAIL,   /* the worker is told of a failure: nothing can have happened */
    RECOVER_GATE,   /* unknown: a gate opens */
    RECOVER_NOTE,   /* unknown, but the run is over: the gate opens if it is driven again */
    RECOVER_MOVE_COUNT
};

struct recover_case {
    enum recover_cause cause;
    enum step_state state;
    enum tool_retry retry;  /* what the operator says of the tool */
    enum recover_gate gate;
    bool has_tries;         /* may it be tried once more? */
    bool is_over;           /* the run is in a final state */
};

enum recover_move recover_move(const struct recover_case *c);
/* How the step's approval counts. happened: the person's word, for one that asks what became of an effect. */
enum recover_gate recover_gate(enum approval_state state, bool happened);

#endif
