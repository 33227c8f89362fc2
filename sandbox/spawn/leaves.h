/*
 * leaves.h: control groups for children: named after the child, or, for strict workers, taken from a store
 * of used ones, since making and removing one costs as much as all namespaces together.
 *
 * A strict worker has no files, so nothing stays charged to its group when it is gone; a group in which
 * the kernel had to kill for memory is not used again.
 */
#ifndef REEVE_SPAWN_LEAVES_H
#define REEVE_SPAWN_LEAVES_H

#include "sandbox/cgroup.h"

#define LEAVES_KEPT 64

struct leaves {
    struct cgroup_leaf kept[LEAVES_KEPT];
    size_t count;
    uint64_t made; /* the next one's number */
};

/* One for a strict worker. */
int leaves_take(struct leaves *l, const struct cgroup_host *h, uint64_t memory_bytes, uint64_t processes,
                struct cgroup_leaf *ret, struct err *err) NODISCARD;
/* Gives one back: 0, it is kept (and *leaf empty); -EBUSY, something lives in it; -ENOSPC: remove it. */
int leaves_give(struct leaves *l, struct cgroup_leaf *leaf);
void leaves_release(struct leaves *l, const struct cgroup_host *h);

#endif
