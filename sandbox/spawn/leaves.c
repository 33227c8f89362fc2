/*
 * leaves.c: see leaves.h.
 */
#include "sandbox/spawn/leaves.h"

int leaves_take(struct leaves *l, const struct cgroup_host *h, uint64_t memory_bytes,
                uint64_t processes, struct cgroup_leaf *ret, struct err *err)
{
    char name[CGROUP_NAME_MAX];
    size_t i = l->count;

    /* One that has these limits already, or the last. */
    while (i > 0 &&
           (l->kept[i - 1].memory_bytes != memory_bytes || l->kept[i - 1].processes != processes))
        i--;
    if (l->count > 0) {
        i = i > 0 ? i - 1 : l->count - 1;
        *ret = l->kept[i];
        l->kept[i] = l->kept[--l->count];
        if (cgroup_leaf_limit(h, ret, memory_bytes, processes, NULL) == 0)
            return 0;
        (void)cgroup_leaf_remove(h, ret); /* lower than what is charged: a new one */
        cgroup_leaf_close(ret);
    }
    /* No child is called that (names.h). */
    (void)snprintf(name, sizeof(name), "worker:%" PRIu64, l->made++);
    return cgroup_leaf_make(h, name, memory_bytes, processes, ret, err);
}

int leaves_give(struct leaves *l, struct cgroup_leaf *leaf)
{
    if (!cgroup_leaf_is_empty(leaf))
        return -EBUSY;
    if (l->count == LEAVES_KEPT || leaf->was_killed ||
        cgroup_leaf_charged(leaf) > LEAVES_CHARGED_MAX)
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
