/*
 * upgrade.h: would a run that began under one version of its workflow go on under another? Offline and pure: two
 * versions and the steps that the run would replay. A run keeps its version, so nothing depends on the answer
 * but a person's decision.
 */
#ifndef REEVE_CTL_UPGRADE_H
#define REEVE_CTL_UPGRADE_H

#include "policy/version.h"

struct upgrade_step {
    int64_t seq;
    struct str kind, key, state; /* as the API has them */
};

/* Appends why not, a line a reason; nothing: it would. `steps`: those after its checkpoint. */
void upgrade_why(const struct version *from, const struct version *to, const struct upgrade_step *steps, size_t n,
                 struct buf *why);

#endif
