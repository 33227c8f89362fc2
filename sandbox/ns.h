/*
 * ns.h: the child's side of its namespaces: identity maps, network, names, sysctls that are theirs. Runs
 * in a child of reeve-spawn, still with all rights, before its own root; reads /proc of the host.
 */
#ifndef REEVE_SANDBOX_NS_H
#define REEVE_SANDBOX_NS_H

#include "sandbox/plan.h"

/* Unprivileged: the caller's own ids, one each, no groups. */
int ns_map_ids(uid_t uid, gid_t gid, struct err *err) NODISCARD;
/* Enters netns_fd (an empty one: shared, or made ahead for this process alone), or brings up the loopback of
 * the one that it was cloned in (-1); nothing for the host's. */
int ns_network(enum plan_network network, int netns_fd, struct err *err) NODISCARD;
int ns_session(struct err *err) NODISCARD; /* no terminal */
int ns_names(struct err *err) NODISCARD;   /* nobody's host name */
int ns_sysctl(const struct plan *p, struct err *err) NODISCARD;
int ns_prepare_network(struct err *err) NODISCARD; /* for ns_keep: the loopback up */
/* A namespace for reeve-spawn to keep: made by a child (flag: CLONE_NEW...), which makes it what it is to be
 * (`prepare`, or NULL) and is gone again. `name` as in /proc/PID/ns. */
int ns_keep(uint64_t flag, const char *name, int (*prepare)(struct err *), int *ret_fd, struct err *err) NODISCARD;

/* The same in two parts, for one that nobody waits for: when `in` can be read, ns_made ends it. Without that, and
 * with it, ns_let_go. */
struct ns_held {
    pid_t pid;
    int pidfd, in; /* in: our end of its pipe; it lives no longer than that is open */
};
#define NS_HELD_NONE ((struct ns_held){0, -1, -1})
int ns_make(uint64_t flag, int (*prepare)(struct err *), struct ns_held *ret, struct err *err) NODISCARD;
int ns_made(struct ns_held *h, const char *name, struct err *err); /* its descriptor, or -Exxx; lets go */
void ns_let_go(struct ns_held *h);
/* Of a process: its descriptor, or -Exxx. */
int ns_open(pid_t pid, const char *name, struct err *err);

struct ns_ids {
    uid_t uid;
    gid_t gid;
};
/* A user namespace for an id-mapped mount: what `on_disk` owns there appears as owned by `seen`. */
int ns_idmap(const struct ns_ids *on_disk, const struct ns_ids *seen, int *ret_fd, struct err *err) NODISCARD;

#endif
