/*
 * cgroup.h: a control group for each process that reeve-spawn starts: memory and process counts bounded,
 * everything in it killed at once. v2 where its controllers are bound there, v1 where a hybrid host still
 * has them; cgroup.kill is v2's. Runs in reeve-spawn (and, to look, in probe).
 */
#ifndef REEVE_SANDBOX_CGROUP_H
#define REEVE_SANDBOX_CGROUP_H

#include "policy/text/err.h"

#define CGROUP_NAME_MAX 64
#define CGROUP_PREFIX "reeve-" /* with the maker's process id behind it: the name where none is given */

/* Directories of ours, one a hierarchy that this host has; -1: none. */
struct cgroup_host {
    int unified;         /* v2: membership, cgroup.kill */
    int memory, pids;    /* v1, or -1 */
    bool unified_memory, unified_pids; /* v2 has the controller */
};
#define CGROUP_HOST_NONE ((struct cgroup_host){-1, -1, -1, false, false})

/* What there is, without making anything: versions that have memory and pids (0: none), and whether a v2
 * tree may be written. */
void cgroup_look(int *ret_memory, int *ret_pids, bool *ret_kill);

/* Makes the directory `name` below the caller's own group in each hierarchy (an absolute name: below its
 * root), after sweeping away those that makers now dead left behind. What cannot be had is left -1: the plan says whether it is needed. Fails only without memory. */
int cgroup_host_open(const char *name, struct cgroup_host *ret, struct err *err) NODISCARD;
void cgroup_host_close(struct cgroup_host *h, const char *name); /* removes the directories when empty */

struct cgroup_leaf {
    char name[CGROUP_NAME_MAX + 1]; /* "" : none */
    int unified;     /* directory, for CLONE_INTO_CGROUP and the rest; -1 */
    int memory, pids;
    int tasks[2];    /* v1: files into which the child writes "0" to enter */
    int task_count;
    uint64_t memory_bytes, processes; /* limits that are set */
    bool was_killed; /* not to be used again: the kernel (6.18) kills whatever is cloned into it later */
};
#define CGROUP_LEAF_NONE                                                                           \
    ((struct cgroup_leaf){.unified = -1, .memory = -1, .pids = -1, .tasks = {-1, -1}})

/* A group that is already there is killed and made anew (it is a dead process's). */
int cgroup_leaf_make(const struct cgroup_host *h, const char *name, uint64_t memory_bytes,
                     uint64_t processes, struct cgroup_leaf *ret, struct err *err) NODISCARD;
/* Other limits, for one that is used again. */
int cgroup_leaf_limit(const struct cgroup_host *h, struct cgroup_leaf *l, uint64_t memory_bytes,
                      uint64_t processes, struct err *err) NODISCARD;
bool cgroup_leaf_is_empty(const struct cgroup_leaf *l);
void cgroup_leaf_kill(struct cgroup_leaf *l);
bool cgroup_leaf_had_oom(const struct cgroup_leaf *l);
/* What is charged to it; -1 where nothing counts. */
int64_t cgroup_leaf_charged(const struct cgroup_leaf *l);
/* CPU time of all that ever ran in it; -1 where the host does not tell. */
int64_t cgroup_leaf_cpu_us(const struct cgroup_leaf *l);
/* 0: gone. -EBUSY: something still lives in it. The leaf is closed when it is gone. */
int cgroup_leaf_remove(const struct cgroup_host *h, struct cgroup_leaf *l);
void cgroup_leaf_close(struct cgroup_leaf *l);

#endif
