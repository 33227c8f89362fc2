/*
 * probe.h: what this kernel and this user can have of each layer: the matrix of `reeve doctor`, and what
 * a plan is made from. Asks the kernel itself (versions lie: back-ports, boot options, containers).
 * Runs in `reeve` and reeve-spawn; changes nothing: what has to be tried is tried in a short-lived child.
 */
#ifndef REEVE_SANDBOX_PROBE_H
#define REEVE_SANDBOX_PROBE_H

#include "policy/text/buf.h"
#include "policy/text/err.h"
#include "policy/text/jout.h"

enum probe_id {
    PROBE_PRIVILEGE,    /* root with the capabilities that it takes */
    PROBE_USERNS,       /* user namespaces for this user */
    PROBE_NAMESPACES,   /* pid, mount, ipc, uts, cgroup, network */
    PROBE_CLONE3,       /* with pidfd, cleared signal handlers */
    PROBE_MOUNT_API,    /* open_tree, move_mount, mount_setattr, fsmount */
    PROBE_MOUNT_CLONE,  /* a detached tree may be cloned: prepared roots */
    PROBE_PROC,         /* a proc of its own, subset=pid */
    PROBE_LANDLOCK,     /* value: ABI */
    PROBE_LANDLOCK_NET, /* ABI 4 */
    PROBE_LANDLOCK_SCOPE, /* ABI 6 */
    PROBE_SECCOMP,      /* filters */
    PROBE_SECCOMP_NOTIFY, /* user notification: named denials */
    PROBE_NO_NEW_PRIVS,
    PROBE_MDWE,         /* memory-deny-write-execute, 6.3 */
    PROBE_MEMFD_NOEXEC, /* vm.memfd_noexec per pid namespace, 6.3 */
    PROBE_PIDFD,        /* pidfd_open, pidfd_getfd, waitid(P_PIDFD) */
    PROBE_PASSRIGHTS,   /* SO_PASSRIGHTS, 6.16 */
    PROBE_CGROUP_KILL,  /* a v2 tree of our own */
    PROBE_CGROUP_MEMORY, /* value: 1 or 2, the version that has it */
    PROBE_CGROUP_PIDS,
    PROBE_IDMAP,        /* id-mapped mounts */
    PROBE_COUNT
};

/* How much hangs on a row. */
enum probe_need {
    PROBE_REQUIRED, /* no start without it */
    PROBE_EITHER,   /* PROBE_PRIVILEGE or PROBE_USERNS */
    PROBE_BETTER,   /* another layer stands for it where it is missing: see `instead` */
};

struct probe_row {
    bool has;
    int value;        /* ABI, cgroup version; else 0 */
    int number;       /* errno that the kernel answered, or 0 */
    char detail[96];  /* "ABI 7", "EPERM: Operation not permitted" */
};

struct probe {
    struct probe_row rows[PROBE_COUNT];
    char kernel[96]; /* "6.18.44 x86_64" */
    unsigned uid;
};

/* Fixed texts of a row. */
const char *probe_name(enum probe_id id);    /* "landlock" */
const char *probe_what(enum probe_id id);    /* "what it stops", one line */
const char *probe_remedy(enum probe_id id);  /* what to do where it is missing */
const char *probe_instead(enum probe_id id); /* PROBE_BETTER: what stands for it; else NULL */
enum probe_need probe_need(enum probe_id id);

/* Takes some milliseconds. Fails only where it cannot ask (no memory, no processes). */
int probe_host(struct probe *ret, struct err *err) NODISCARD;
/* Whether confinement can be had at all; otherwise -ENOTSUP with the first missing layer and the remedy
 * (INV-02). */
int probe_check(const struct probe *p, struct err *err) NODISCARD;
bool probe_is_privileged(const struct probe *p); /* real namespaces, user ids of the range */

void probe_put_text(const struct probe *p, struct buf *out);   /* a table for people */
void probe_put_json(const struct probe *p, struct jout *j);    /* one object: {kernel, mode, enough, why?, layers[...]} */
void probe_put_members(const struct probe *p, struct jout *j); /* its members, into an open object */

#endif
