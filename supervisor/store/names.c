/*
 * names.c: the words of states and kinds, as people and JSON have them. The numbers are what the
 * database holds: new ones go to the end.
 */
#include "supervisor/store/store.h"

static const char *const run_states[RUN_STATE_COUNT] = {
    [RUN_QUEUED] = "queued",       [RUN_STARTING] = "starting",   [RUN_RUNNING] = "running",
    [RUN_WAITING] = "waiting",     [RUN_SUCCEEDED] = "succeeded", [RUN_FAILED] = "failed",
    [RUN_CANCELLED] = "cancelled", [RUN_DEAD] = "dead",
};

static const char *const run_modes[RUN_MODE_COUNT] = {
    [RUN_REAL] = "real",
    [RUN_DRY] = "dry",
    [RUN_REPLAY] = "replay",
};

static const char *const run_waits[RUN_WAIT_COUNT] = {
    [WAIT_NONE] = "none",         [WAIT_TIMER] = "timer",     [WAIT_EVENT] = "event",
    [WAIT_APPROVAL] = "approval", [WAIT_UNKNOWN] = "unknown", [WAIT_BUDGET] = "budget",
    [WAIT_PAUSED] = "paused",     [WAIT_CHILD] = "child",     [WAIT_RETRY] = "retry",
};

static const char *const step_kinds[STEP_KIND_COUNT] = {
    [STEP_MODEL] = "model",           [STEP_TOOL] = "tool",
    [STEP_NAMED] = "named",           [STEP_TIMER] = "timer",
    [STEP_EVENT_WAIT] = "event-wait", [STEP_EVENT_EMIT] = "event-emit",
    [STEP_CHILD] = "child",           [STEP_APPROVAL] = "approval",
    [STEP_RETRIEVAL] = "retrieval",
};

static const char *const step_states[STEP_STATE_COUNT] = {
    [STEP_GATED] = "gated",   [STEP_INTENT] = "intent", [STEP_COMMITTED] = "committed",
    [STEP_FAILED] = "failed", [STEP_DENIED] = "denied", [STEP_UNKNOWN] = "unknown",
    [STEP_OPEN] = "open",
};

static const char *const approval_states[APPROVAL_STATE_COUNT] = {
    [APPROVAL_OPEN] = "open",         [APPROVAL_APPROVED] = "approved",
    [APPROVAL_REJECTED] = "rejected", [APPROVAL_EXPIRED] = "expired",
    [APPROVAL_USED] = "used",         [APPROVAL_CANCELLED] = "cancelled",
};

static const char *const approval_kinds[APPROVAL_KIND_COUNT] = {
    [APPROVAL_TOOL] = "tool",
    [APPROVAL_UNKNOWN_EFFECT] = "unknown-effect",
    [APPROVAL_QUESTION] = "question",
};

static const char *const switch_scopes[SWITCH_SCOPE_COUNT] = {
    [SWITCH_RUN] = "run",
    [SWITCH_WORKFLOW] = "workflow",
    [SWITCH_TENANT] = "tenant",
    [SWITCH_ALL] = "all",
};

static const char *const switch_states[SWITCH_STATE_COUNT] = {
    [SWITCH_PAUSED] = "paused",
    [SWITCH_KILLED] = "killed",
};

/* A number may come from a damaged or later database. */
#define NAME_OF(table, n) ((size_t)(n) < ARRAY_LEN(table) && (table)[n] != NULL ? (table)[n] : "?")

const char *run_state_name(enum run_state st)
{
    return NAME_OF(run_states, st);
}

const char *run_mode_name(enum run_mode m)
{
    return NAME_OF(run_modes, m);
}

const char *run_wait_name(enum run_wait w)
{
    return NAME_OF(run_waits, w);
}

bool run_state_is_final(enum run_state st)
{
    return st >= RUN_SUCCEEDED;
}

const char *step_kind_name(enum step_kind k)
{
    return NAME_OF(step_kinds, k);
}

const char *step_state_name(enum step_state st)
{
    return NAME_OF(step_states, st);
}

const char *approval_state_name(enum approval_state st)
{
    return NAME_OF(approval_states, st);
}

const char *approval_kind_name(enum approval_kind k)
{
    return NAME_OF(approval_kinds, k);
}

const char *switch_scope_name(enum switch_scope sc)
{
    return NAME_OF(switch_scopes, sc);
}

const char *switch_state_name(enum switch_state st)
{
    return NAME_OF(switch_states, st);
}
