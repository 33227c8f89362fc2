/*
 * spawn.h: reeve-spawn, the one program with privilege: what its parts share. It is small and single
 * threaded, takes typed requests from reeved alone (start.h), reads no byte that is foreign, and holds
 * what every start needs, made once: filters, an empty network namespace, an empty root, a ruleset.
 */
#ifndef REEVE_SPAWN_SPAWN_H
#define REEVE_SPAWN_SPAWN_H

#include "sandbox/cgroup.h"
#include "sandbox/os/ev.h"
#include "sandbox/os/log.h"
#include "sandbox/os/wire.h"
#include "sandbox/plan.h"
#include "sandbox/spawn/leaves.h"
#include "sandbox/spawn/program.h"
#include "sandbox/spawn/spares.h"
#include "sandbox/spawn/test.h"
#include "sandbox/spawn/warm.h"

struct child;

struct spawn {
    struct ev *ev;
    struct wire *wire; /* to reeved */
    struct log log;
    struct probe probe;
    struct plan_host host;
    struct cgroup_host cgroups;
    const char *cgroup_name;
    struct seccomp_program filters[SECCOMP_SET_COUNT];
    int null_fd, landlock_fd, netns_fd; /* netns: the shared empty one; -1 unprivileged */
    int host_mounts, empty_mounts; /* mount namespaces: ours, and one with an empty root; -1 likewise */
    bool has_names;       /* our host name is nobody's, and children may have it; not unprivileged */
    void *stack;          /* for children that are cloned as by vfork(2); NULL: none are */
    struct leaves leaves;
    struct spares nets, ipcs;
    struct warm warm;
    struct test tests[SECCOMP_SET_COUNT];
    struct program_cache programs;
    struct child *children;
    size_t child_count;
    size_t fds_waiting; /* attached to answers that have not left yet */
    bool learn;    /* refused calls are told and let through: `reeve sandbox learn` */
    bool stopping; /* reeved is gone: everything dies, then we do */
};

#define SPAWN_CHILDREN_MAX 4096
#define SPAWN_STACK_BYTES  ((size_t)256 << 10)

/* All that starts need; -ENOTSUP with the remedy when this host cannot confine (INV-02). */
int spawn_prepare(struct spawn *s, uint32_t uid_base, const char *cgroup_name, struct err *err) NODISCARD;
void spawn_release(struct spawn *s);

/* serve.c: the messages that reeved may send. */
void serve_message(void *arg, struct wire *w, const struct wire_message *m);

#endif
