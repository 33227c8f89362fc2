/*
 * spares.h: network and IPC namespaces, empty, each for one process at a time: made ahead, since making one takes
 * longer than most of a start (a network: longer than all others together), and nobody has to wait for it.
 * Privileged only (entering one is a right).
 *
 * One whose process is gone is given again where nothing of that process can be in it. IPC: no filter has a call
 * that makes an object there. Network: its filter allowed Unix sockets alone (no address, route or counter is
 * changed by those), its process namespace has ended, and the kernel lists no socket in it any more.
 */
#ifndef REEVE_SPAWN_SPARES_H
#define REEVE_SPAWN_SPARES_H

#include "sandbox/ns.h"
#include "sandbox/os/ev.h"

#define SPARES_READY 4
#define SPARES_USED  64

struct spare_kind;
extern const struct spare_kind spares_of_net, spares_of_ipc;

struct spares {
    const struct spare_kind *kind;
    int fds[SPARES_READY]; /* never used */
    size_t count;
    int used[SPARES_USED];
    size_t used_count;
    size_t held; /* by children that will give theirs back; at most SPARES_USED */
    int own;     /* reeve-spawn's, to go back to */
    struct ev *ev;
    struct ev_timer *timer;
    struct ns_held making; /* while io is there */
    struct ev_io *io;
};
#define SPARES_NONE ((struct spares){.own = -1, .making = NS_HELD_NONE})

/* The first are made a moment later. */
int spares_open(struct spares *s, const struct spare_kind *kind, struct ev *ev, struct err *err) NODISCARD;
void spares_release(struct spares *s);
/* The caller's; -1: none is ready. may_be_used: for a process that could leave nothing in it. */
int spares_take(struct spares *s, bool may_be_used);
/* For such a process, which was given *fd (this takes it) or, *fd being -1, has made one itself: a descriptor to
 * give back, or -1. */
int spares_hold(struct spares *s, int *fd, pid_t pid);
/* Takes *fd back (-1: nothing), of which no process lives any more. is_good: it is as it was given. */
void spares_give(struct spares *s, int *fd, bool is_good);

#endif
