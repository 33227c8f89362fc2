/*
 * mounts.h: a root of its own: a tmpfs with what the plan names, the host's root detached behind it.
 * Runs in a child of reeve-spawn, in its own mount namespace, still with all rights there.
 */
#ifndef REEVE_SANDBOX_MOUNTS_H
#define REEVE_SANDBOX_MOUNTS_H

#include "sandbox/plan.h"

/* Builds the plan's root, enters it, drops the old one. `idmaps` are the user namespaces that mounts name by
 * index. */
int mounts_enter(const struct plan *p, const int *idmaps, struct err *err) NODISCARD;
/* The same with nothing in it, read-only: a mount namespace for strict workers to be cloned in. */
int mounts_enter_empty(struct err *err) NODISCARD;

#endif
