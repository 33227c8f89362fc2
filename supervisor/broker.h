/*
 * broker.h: what a worker may ask on its socket, and when. Admission by table; the steps themselves are
 * in steps.h and the rooms of their kinds.
 */
#ifndef REEVE_SUPERVISOR_BROKER_H
#define REEVE_SUPERVISOR_BROKER_H

#include "supervisor/steps.h"

/* One message of the run's worker. A fault in it ends the run, never more. */
void broker_message(struct run *r, const struct wire_message *m);
/* All recorded steps were asked for again: what was held goes on. */
void broker_go_on(struct run *r);
/* Holds a request until then. */
int broker_hold(struct run *r, const struct step_ask *q, struct err *err);
void broker_drop_held(struct run *r);
/* The worker went another way than the journal: the run stops with both shown. */
void broker_diverged(struct run *r, const char *kind, struct str key, struct str request);

ev_timer_fn broker_on_grace;

#endif
