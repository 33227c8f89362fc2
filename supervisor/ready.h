/*
 * ready.h: which workers stand ready before there is a run for them: what the definitions ask for (`warm`), and
 * --warm of the built-in loop. reeve-spawn keeps them (sandbox/start.h) and gives one to a start that asks for
 * exactly the same process; nothing in such a process is of one run, workflow or tenant more than in a new one.
 */
#ifndef REEVE_SUPERVISOR_READY_H
#define REEVE_SUPERVISOR_READY_H

#include "supervisor/reeved.h"

/* After the policy set, or a version that new runs take, has changed, and at the start. What stood ready before is
 * not given out any more, also where nothing changed: so a load renews all that was read from granted files. */
void ready_set(struct reeved *rv);

#endif
