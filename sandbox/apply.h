/*
 * apply.h: carries a plan out, in one argued order, and never returns half-confined: it ends in the
 * program, or the process ends with the layer and the reason told on the start socket.
 *
 * Runs in the child that reeve-spawn cloned into its namespaces. Trusts the plan and its descriptors.
 */
#ifndef REEVE_SANDBOX_APPLY_H
#define REEVE_SANDBOX_APPLY_H

#include "sandbox/plan.h"

#define APPLY_FDS_MAX 32
#define APPLY_IDMAPS_MAX 8 /* owners of granted directories; further ones keep their ids */

struct apply {
    const struct plan *plan;
    int start_fd;          /* the start socket, the child's end (report.h) */
    int fds[APPLY_FDS_MAX]; /* descriptor i of the program; -1: /dev/null */
    size_t fd_count;
    int null_fd;           /* /dev/null, for those */
    int exec_fd;           /* strict: the program, sealed; else -1: plan->program inside the root */
    int netns_fd;          /* a network namespace to enter; -1: its own, or the host's */
    int ipcns_fd;          /* likewise of IPC; -1: its own */
    bool root_ready;       /* strict: cloned in a mount namespace with an empty root */
    bool names_ready;      /* cloned in a UTS namespace that has nobody's names */
    int landlock_fd;       /* strict: a ruleset made ahead; -1: made here */
    int idmaps[APPLY_IDMAPS_MAX]; /* user namespaces for granted directories */
    size_t idmap_count;
    int tasks[2];          /* v1 cgroups to enter */
    int task_count;
    const struct seccomp_program *filter; /* NULL in strict: the worker loads it itself */
    char *const *argv, *const *env;
};

_Noreturn void apply_exec(const struct apply *a);

#endif
