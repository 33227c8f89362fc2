/*
 * mounts.h: a root of its own: a tmpfs with what the plan names, the host's root detached behind it.
 * Runs in a child of reeve-spawn, in its own mount namespace, still with all rights there.
 */
#ifndef REEVE_SANDBOX_MOUNTS_H
#define REEVE_SANDBOX_MOUNTS_H

#include "sandbox/plan.h"

/* Nothing of ours gets out to the host's mounts, nothing of the host's changes ours. */
int mounts_private(struct err *err) NODISCARD;
/* An empty, read-only root that is mounted nowhere yet; the caller's. */
int mounts_empty_root(int *ret_fd, struct err *err) NODISCARD;
/* Builds the plan's root (or takes empty_root, >= 0: borrowed), enters it, drops the old one. `idmaps`
 * are the user namespaces that mounts name by index. */
int mounts_enter(const struct plan *p, int empty_root, const int *idmaps, struct err *err) NODISCARD;

#endif
