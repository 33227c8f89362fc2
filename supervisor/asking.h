/*
 * asking.h: the facts of a run, for policy; decisions and history, for the store.
 */
#ifndef REEVE_SUPERVISOR_ASKING_H
#define REEVE_SUPERVISOR_ASKING_H

#include "supervisor/runs.h"

/* What is true of the run for a step with number `seq`. Borrows from the run, its version and the arena.
 * Ask, tool, model, input and history are the caller's to fill. */
int asking_facts(struct run *r, int64_t seq, struct arena *a, struct facts *ret, struct err *err) NODISCARD;
/* context.history for a call of `server/tool` with these arguments: including this call and those in
 * flight. */
int asking_history(struct run *r, struct str server, struct str tool, const struct json *input, struct arena *a,
                   struct facts *f, struct err *err) NODISCARD;
/* Something happened that counters count. */
int asking_note(struct run *r, int64_t seq, enum workflow_of what, struct str key, const struct json *input,
                struct err *err) NODISCARD;
/* Keeps a decision; *ret_id for the step. */
int asking_keep(struct reeved *rv, int64_t run, int64_t seq, const struct ask_decision *d, const char *ask,
                int64_t *ret_id, struct err *err) NODISCARD;
/* Minutes from UTC to the zone at that time; 0 for "UTC" and for zones that are not installed. */
int64_t asking_zone_offset_min(struct str zone, int64_t unix_ms);
/* What the run's budget leaves; HOUSE_NO_LIMIT stays. */
int64_t asking_left(int64_t limit, int64_t used);
/* NULL, or which limit of the budget is used up, for people. */
const char *asking_budget_spent(const struct run *r);

/* A request of a step (kind: its name) as logs and people may see it before policy could say what of it is to be
 * masked: where the set masks anything, a tool's arguments by name only. In the arena, or `request` itself. */
struct str asking_shown(const struct run *r, const char *kind, struct str request, struct arena *a);

#endif
