/*
 * life.h: a run's life as a table, state x event -> action and next state. Pure.
 */
#ifndef REEVE_SUPERVISOR_LIFE_H
#define REEVE_SUPERVISOR_LIFE_H

#include "supervisor/store/store.h"

enum life_event {
    LIFE_START,     /* a place is free for its worker */
    LIFE_READY,     /* the worker began (run/begin) */
    LIFE_WAIT,      /* all that the worker asked for takes longer than a moment */
    LIFE_WAKE,      /* what it waited for came, or its time */
    LIFE_DONE,      /* run/end with a result */
    LIFE_ERROR,     /* run/end with an error that is not to be retried, or a divergence */
    LIFE_RETRY,     /* run/end with an error that may be retried */
    LIFE_LOST,      /* the worker ended without run/end */
    LIFE_EXHAUSTED, /* the same, once too often */
    LIFE_REFUSED,   /* it cannot go on: confinement, a limit, a person's stop */
    LIFE_CANCEL,
    LIFE_PAUSE,
    LIFE_RESUME,
    LIFE_REDRIVE,
    LIFE_RESTART,   /* the supervisor itself started anew */
    LIFE_HOLD,      /* its workflow, its tenant or everything was stopped */
    LIFE_EVENT_COUNT
};

enum life_action {
    LIFE_DO_ILLEGAL = 0, /* an empty cell */
    LIFE_DO_NOTHING,
    LIFE_DO_START,       /* ask for a worker */
    LIFE_DO_SERVE,       /* answer it */
    LIFE_DO_PARK,        /* end the worker, keep the run */
    LIFE_DO_REQUEUE,     /* end the worker if there is one, line up again */
    LIFE_DO_END,         /* end the worker, close the run */
    LIFE_ACTION_COUNT
};

struct life_cell {
    enum life_action action;
    enum run_state next;
};

/* The cell; action LIFE_DO_ILLEGAL (next: state) where it is empty. */
struct life_cell life_next(enum run_state state, enum life_event event);
const char *life_event_name(enum life_event e);
const char *life_action_name(enum life_action a);

#endif
