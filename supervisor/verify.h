/*
 * verify.h: asking a tool whether an effect happened. Where the definitions name such a tool for one whose calls
 * must not be repeated blindly (`retry: verify`), its answer stands in for the person's at the gate of the
 * unknown effect: the gate opens first, so that nothing hangs on the answer.
 *
 * The tool gets the arguments of the call in question and its idempotency key, and answers with
 * structuredContent {"happened": true|false, "result"?: the result of the call}. Anything else, an error, a denial
 * by policy, and the gate stays with the people.
 */
#ifndef REEVE_SUPERVISOR_VERIFY_H
#define REEVE_SUPERVISOR_VERIFY_H

#include "supervisor/runs.h"

/* The step has just become unknown. Does nothing where no tool is named. */
int verify_begin(struct run *r, struct step *s, struct err *err);

#endif
