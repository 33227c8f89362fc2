/*
 * life.c: see life.h. The table itself is life.def.
 */
#include "supervisor/life.h"

static const struct life_cell cells[RUN_STATE_COUNT][LIFE_EVENT_COUNT] = {
#define LIFE(s, e, a, n) [RUN_##s][LIFE_##e] = {LIFE_DO_##a, RUN_##n},
#include "supervisor/life.def"
#undef LIFE
};

struct life_cell life_next(enum run_state state, enum life_event event)
{
    must((unsigned)state < RUN_STATE_COUNT && (unsigned)event < LIFE_EVENT_COUNT);
    struct life_cell c = cells[state][event];
    if (c.action == LIFE_DO_ILLEGAL)
        c.next = state;
    return c;
}

static const char *const event_names[] = {
    [LIFE_START] = "start",     [LIFE_READY] = "ready",     [LIFE_WAIT] = "wait",
    [LIFE_WAKE] = "wake",       [LIFE_DONE] = "done",       [LIFE_ERROR] = "error",
    [LIFE_RETRY] = "retry",     [LIFE_LOST] = "lost",       [LIFE_EXHAUSTED] = "exhausted",
    [LIFE_REFUSED] = "refused", [LIFE_CANCEL] = "cancel",   [LIFE_PAUSE] = "pause",
    [LIFE_RESUME] = "resume",   [LIFE_REDRIVE] = "redrive", [LIFE_RESTART] = "restart",   [LIFE_HOLD] = "hold",
};
_Static_assert(ARRAY_LEN(event_names) == LIFE_EVENT_COUNT, "every event has a name");

static const char *const action_names[] = {
    [LIFE_DO_ILLEGAL] = "illegal", [LIFE_DO_NOTHING] = "nothing", [LIFE_DO_START] = "start",
    [LIFE_DO_SERVE] = "serve",     [LIFE_DO_PARK] = "park",       [LIFE_DO_REQUEUE] = "requeue",
    [LIFE_DO_END] = "end",
};
_Static_assert(ARRAY_LEN(action_names) == LIFE_ACTION_COUNT, "every action has a name");

const char *life_event_name(enum life_event e)
{
    return (unsigned)e < LIFE_EVENT_COUNT ? event_names[e] : "?";
}

const char *life_action_name(enum life_action a)
{
    return (unsigned)a < LIFE_ACTION_COUNT ? action_names[a] : "?";
}
