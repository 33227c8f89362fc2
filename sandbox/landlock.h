/*
 * landlock.h: file access, TCP, abstract sockets and signals cut down to the plan. landlock(7).
 */
#ifndef REEVE_SANDBOX_LANDLOCK_H
#define REEVE_SANDBOX_LANDLOCK_H

#include "sandbox/plan.h"

/* A ruleset with the plan's handled rights and no rules; the caller's. */
int landlock_open(const struct plan *p, int *ret_fd, struct err *err) NODISCARD;
/* In a child, in its own root: adds a rule for each thing that the root shows, and enters. */
int landlock_enter(const struct plan *p, int ruleset_fd, struct err *err) NODISCARD;

#endif
