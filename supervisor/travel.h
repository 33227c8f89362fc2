/*
 * travel.h: time travel: runs that go over the way of another one, their origin.
 *
 *   fork    a real run: its journal begins as a copy of the origin's steps before one; what comes after is
 *           done anew, with policy, gates and keys of its own. Approvals are never copied.
 *   dry     a fork that lets nothing leave: what comes after is answered from the origin's journal where it
 *           asks the same, and refused otherwise.
 *   replay  the origin's worker, executed again from the top: everything is answered from the origin's
 *           journal, and the run ends by saying whether it went the same way.
 *
 * A dry run and a replay (rec.mode) never reach the rooms of real steps: step_ops() gives them the ones of
 * this room instead, and effect_new(), the way of every call, refuses them besides. The origin is only read.
 */
#ifndef REEVE_SUPERVISOR_TRAVEL_H
#define REEVE_SUPERVISOR_TRAVEL_H

#include "supervisor/steps.h"

#define TRAVEL_REPLAY_KEEP_MS (INT64_C(3600) * 1000) /* a replay is there to be read, not to be kept */

struct travel_ask {
    int64_t origin;
    int64_t from;   /* a fork's first step anew, from 1 */
    enum run_mode mode;
    struct str who; /* a person */
};
struct travel_made {
    int64_t run;
    int64_t retry_after_ms; /* with -EAGAIN: the queue is full */
};
/* Lines up a run over another's way. -ENOENT; -EAGAIN; -EINVAL: no such step, a step before it without outcome, or the
 * origin is no real run; -EPERM: policy does not let this person start the workflow with that event. */
int travel_new(struct reeved *rv, const struct travel_ask *q, struct travel_made *ret, struct err *err) NODISCARD;

/* At run/begin of a dry run or a replay: reads the origin's journal. -ENOENT: it is gone. */
int travel_load(struct run *r, struct err *err) NODISCARD;
void travel_free(struct travel *t); /* NULL is fine */
/* The steps of a dry run or a replay. */
extern const struct step_kind_ops travel_ops;
/* run/end of a replay: compares and ends the run with its report. */
int travel_end(struct run *r, const struct json *result, const struct json *error, struct err *err);
/* Is a checkpoint one of the origin's that this run only passes by? */
bool travel_passes_checkpoint(const struct run *r);
/* Whom a worker is told it is: a dry run and a replay are their origin. */
int64_t travel_shown_run(const struct run *r);
const char *travel_shown_trace(const struct run *r);

#endif
