/*
 * switches.h: stop and go for a workflow, a tenant, everything.
 *
 * A switch is a row of the store, so it holds over restarts. While it is there nothing of its scope starts:
 * what is queued waits, and what wakes up lines up behind it. Paused: runs that have a worker lose it and line
 * up too; they go on from their last step. Killed: every run that was there when the switch was set is
 * cancelled, in batches; later ones wait as with paused.
 */
#ifndef REEVE_SUPERVISOR_SWITCHES_H
#define REEVE_SUPERVISOR_SWITCHES_H

#include "supervisor/runs.h"

struct switches;

/* Reads what the store holds. */
int switches_open(struct reeved *rv, struct err *err) NODISCARD;
/* Sets one; a second one of the same scope and name replaces it. -ENOENT: no such workflow or tenant; -EINVAL. */
int switches_stop(struct reeved *rv, const struct store_switch *w, struct err *err);
/* -ENOENT: not set; -EALREADY: a kill is still ending its runs. */
int switches_go(struct reeved *rv, enum switch_scope scope, struct str name, struct str who, struct err *err);
/* The widest switch that holds such runs, or NULL. Borrowed until the next change. */
const struct store_switch *switches_hold(const struct reeved *rv, struct str tenant, struct str workflow);
/* One line for people: "tenant acme is paused by ann: maintenance". */
#define SWITCHES_TEXT 512
void switches_text(const struct store_switch *w, char text[SWITCHES_TEXT]);
/* Ends the next batch of what kills are for; schedules itself again while there is more. */
int switches_sweep(struct reeved *rv, struct err *err) NODISCARD;
/* A row for a run that a person paused, so that all that stands still is in one list. */
int switches_run_paused(struct run *r, struct str who, struct str why, struct err *err) NODISCARD;
int switches_run_goes(struct run *r, struct err *err) NODISCARD;
/* "switches":[{scope,name,state,who,why,at,ending}] into an open object, without runs. */
void switches_put(const struct reeved *rv, struct jout *j);

#endif
