/*
 * leaves.h: control groups for children: named after the child, or, for workers, taken from a store of used
 * ones, since making and removing one costs as much as all namespaces together.
 *
 * Used again is what is as good as new: nothing lives in it, nobody was killed in it (for memory, or by
 * cgroup.kill), and hardly anything is charged to it any more: a worker's memory goes with it, but pages of
 * host files that it was the first to read would be the next one's to pay for.
 */
#ifndef REEVE_SPAWN_LEAVES_H
#define REEVE_SPAWN_LEAVES_H

#include "sandbox/cgroup.h"

#define LEAVES_KEPT 64
#define LEAVES_CHARGED_MAX ((int64_t)4 << 20) /* of it the kernel, too, keeps some ready on each processor */

struct leaves {
    struct cgroup_leaf kept[LEAVES_KEPT];
    size_t count;
    uint64_t made; /* the next one's number */
};

int leaves_take(struct leaves *l, const struct cgroup_host *h, uint64_t memory_bytes, uint64_t processes,
                struct cgroup_leaf *ret, struct err *err) NODISCARD;
/* Gives one back: 0, it is kept (and *leaf empty); -EBUSY, something lives in it; -ENOSPC: remove it. */
int leaves_give(struct leaves *l, struct cgroup_leaf *leaf);
void leaves_release(struct leaves *l, const struct cgroup_host *h);

#endif
