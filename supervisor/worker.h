/*
 * worker.h: the process of a run: asked for, watched, ended.
 */
#ifndef REEVE_SUPERVISOR_WORKER_H
#define REEVE_SUPERVISOR_WORKER_H

#include "supervisor/runs.h"

/* Asks reeve-spawn for the run's worker behind its profile's walls. */
int worker_start(struct run *r, struct err *err) NODISCARD;
/* Ends it now; what it asked for and was not told is told to the next one. */
void worker_stop(struct run *r);
/* It said its end: closes its socket, and ends it if it does not go within a moment. */
void worker_leave(struct run *r);
/* Lets go without a word to anybody: the run's memory goes. */
void worker_drop(struct run *r);
/* The worker broke the protocol: its run ends (INV-11). */
void worker_fault(struct run *r, const char *why);

ev_timer_fn worker_on_park, worker_on_clock;

#endif
