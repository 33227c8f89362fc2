/*
 * child.h: one confined process, from its request to the moment when nothing of it is left.
 *
 *   starting --(walls stand, program runs)--> running --(exit)--> leaving --(cgroup empty)--> gone
 *       \--(a layer failed, died, too slow)--> failed --(exit)--> leaving
 */
#ifndef REEVE_SPAWN_CHILD_H
#define REEVE_SPAWN_CHILD_H

#include "sandbox/spawn/spawn.h"

enum child_kind {
    CHILD_ASKED, /* by reeved */
    CHILD_WARM,  /* waits for reeved to ask; CHILD_ASKED once it did */
    CHILD_TEST,  /* a self-test: reeved hears nothing of it */
};
enum child_state { CHILD_STARTING, CHILD_FAILED, CHILD_RUNNING, CHILD_LEAVING };

#define CHILD_DENIED_MAX 16      /* more refused calls than that are no accident: it dies */
#define CHILD_START_MS 10000     /* from clone to standing walls */

struct child {
    struct child *next;
    struct spawn *spawn;
    char key[START_KEY_MAX + 1];
    int64_t request;     /* id of process/start, to be answered once */
    bool answered;
    enum child_kind kind;
    struct warm_one warm; /* CHILD_WARM, and what was one */
    enum child_state state;
    struct arena arena;  /* of the plan */
    struct plan plan;
    struct cgroup_leaf leaf;
    pid_t pid;
    struct ev_child *exit;   /* holds the pidfd */
    struct ev_timer *timer;  /* start: too slow; leaving: try again */
    int net, ipc;            /* its namespaces, to be given again; -1 */
    int start_fd;            /* our end of the start socket, -1 once it runs */
    struct ev_io *start_io;
    int listener;            /* of its filter; -1 */
    struct ev_io *listener_io;
    bool is_ready;           /* starting, but only its answer is missing */
    bool has_ended;          /* reaped; but its start may still have to be told */
    bool exec_seen;          /* the one exec of its start was let through */
    unsigned denied;
    int ours[5];             /* what the answer carries: channel, stdio; -1 */
    size_t ours_count;
    struct err why;          /* CHILD_FAILED */
    struct proc_exit end;
    bool oom;
};

/* Starts; an error means that nothing runs and nothing is left (the caller answers). Takes pass_fd. */
int child_start(struct spawn *s, const struct start_request *r, int64_t request, int pass_fd,
                enum child_kind kind, struct err *err) NODISCARD;
/* Gives a warm one to a request: its new name, and the answer. */
void child_give(struct child *c, const struct start_request *r, int64_t request);
struct child *child_find(struct spawn *s, struct str key); /* NULL: none */
/* Nothing of it lives any more. */
void child_give_back(struct child *c);
/* All of it, now; process/exited follows. */
void child_kill(struct child *c);
/* Fails a start: killed, and answered with `why` once it is gone. */
void child_fail(struct child *c, const struct err *why);

/* Whether its group is one that others had before and may have after it (leaves.h). Servers have groups with
 * names that people look for; what waits is held to the CPU time that its group counted. */
bool child_shares_groups(const struct child *c);

/* watch.c */
int watch_child(struct child *c, int pidfd, struct err *err) NODISCARD; /* takes pidfd */
void watch_release(struct child *c);
void watch_running(struct child *c); /* its walls stand and its program runs: answered */

/* child.c, for watch.c: it is gone and its group is empty: told, unlinked, freed. */
void child_gone(struct child *c);

#endif
