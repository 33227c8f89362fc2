/*
 * waits.h: steps that end by themselves or by somebody else: named steps of the worker's own code, timers,
 * events, children, questions to people. None of them is an effect on the world outside.
 */
#ifndef REEVE_SUPERVISOR_WAITS_H
#define REEVE_SUPERVISOR_WAITS_H

#include "supervisor/steps.h"

extern const struct step_kind_ops waits_named_ops, waits_timer_ops, waits_event_ops, waits_emit_ops, waits_child_ops,
    waits_approval_ops;

wire_handler waits_step_record, waits_step_end;
int waits_check_sleep(const struct json *params, struct err *err) NODISCARD;
/* A living worker waits, and the earliest time-out among its steps has come. */
ev_timer_fn waits_on_due;
/* An event was recorded: open waits for it end. */
int waits_on_event(struct reeved *rv, const struct store_event *ev, const struct json *envelope, size_t *ret_woken,
                   struct err *err) NODISCARD;
/* The run is final: its gates close, its children are cancelled, its parent is told. */
int waits_on_run_end(struct run *r, struct err *err) NODISCARD;
/* The run is to be tried again: failures at the journal's end are asked for anew. */
int waits_withdraw_failures(struct run *r, struct err *err) NODISCARD;
int waits_question_decided(struct run *r, struct step *s, const struct store_approval *ap, struct arena *a,
                           struct err *err) NODISCARD;

#endif
