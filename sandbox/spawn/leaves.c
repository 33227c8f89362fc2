/*
 * leaves.c: see leaves.h.
 */
#include "sandbox/spawn/leaves.h"

int leaves_take(struct leaves *l, const struct cgroup_host *h, uint64_t memory_bytes,
                uint64_t processes, struct cgroup_leaf *ret, struct err *err)
{
    char name[CGROUP_NAME_MAX];

    if (l->count > 0) {
        *ret = l->kept[--l->count];
        return cgroup_leaf_limit(h, ret, memory_bytes, processes, err);
    }
    (void)snprintf(name, sizeof(name), "strict-%" PRIu64, l->made++);
    return cgroup_leaf_make(h, name, memory_bytes, processes, ret, err);
}

int leaves_give(struct leaves *l, struct cgroup_leaf *leaf)
{
    if (!cgroup_leaf_is_empty(leaf))
        return -EBUSY;
    if (l->count == LEAVES_KEPT || leaf->was_killed)
        return -ENOSPC;
    l->kept[l->count++] = *leaf;
    *leaf = CGROUP_LEAF_NONE;
    return 0;
}

void leaves_release(struct leaves *l, const struct cgroup_host *h)
{
    while (l->count > 0) {
        struct cgroup_leaf *leaf = &l->kept[--l->count];
        (void)cgroup_leaf_remove(h, leaf);
        cgroup_leaf_close(leaf);
    }
}
