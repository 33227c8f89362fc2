/*
 * trigger.h: events come in; runs start, and runs that wait for an event go on.
 *
 * An event is a CloudEvents 1.0 envelope. Source and id together are its identity: the same one again is
 * answered with what the first did, and does nothing. Event, runs and all that they change are one
 * transaction, and the sender is answered after its commit.
 */
#ifndef REEVE_SUPERVISOR_TRIGGER_H
#define REEVE_SUPERVISOR_TRIGGER_H

#include "supervisor/runs.h"

#define TRIGGER_EVENT_BYTES_MAX (1u << 20)
#define TRIGGER_RUNS_MAX 32 /* workflows that one event starts */

struct trigger {
    const struct json *event; /* the envelope, foreign */
    struct str kind, name;    /* who sent it: Source::"kind/name" */
    struct str workflow;      /* only this one, whatever its triggers say; empty: by triggers */
    int depth;                /* of the runs it starts */
    int64_t parent, parent_step; /* a child run's; else 0 */
};

struct trigger_result {
    int64_t event;
    bool duplicate;
    int64_t runs[TRIGGER_RUNS_MAX];
    size_t run_count;
    size_t woken;
    int64_t retry_after_ms; /* of -EAGAIN */
    struct err denied; /* number 0, or why the last workflow that policy kept from starting was */
};

/* -EBADMSG: not an event, with what is wrong; -ENOENT: no such workflow; -EPERM: policy (a named workflow);
 * -EAGAIN: a queue is full, and nothing was recorded (a child is part of what was let in, and always has room);
 * others are failures of ours. */
int trigger_accept(struct reeved *rv, const struct trigger *t, struct trigger_result *ret, struct err *err);
/* Asks policy. 1: yes; 0: no, and why is in *denied. A child run was decided on where it was asked for. */
int trigger_may_start(struct reeved *rv, const struct trigger *t, const struct workflow *w, struct err *denied,
                      struct err *err) NODISCARD;
int trigger_trace_id(struct reeved *rv, char out[33], struct err *err) NODISCARD;
/* Are these the attributes that a CloudEvent must have? */
int trigger_check(const struct json *event, struct err *err) NODISCARD;
/* Does an event (envelope) match {"subject":"x","data.invoice":7}: each path has that value? */
bool trigger_matches(const struct json *envelope, const struct json *match);
/* The value at a dotted path of the envelope, or NULL. */
const struct json *trigger_value(const struct json *envelope, struct str path);

#endif
