/*
 * limits.h: resource limits of the plan, soft and hard alike. getrlimit(2).
 */
#ifndef REEVE_SANDBOX_LIMITS_H
#define REEVE_SANDBOX_LIMITS_H

#include "sandbox/plan.h"

int limits_apply(const struct plan *p, struct err *err) NODISCARD; /* in a child */

#endif
