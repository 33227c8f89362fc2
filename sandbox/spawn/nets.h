/*
 * nets.h: empty network namespaces, each for one process: made ahead, since making one takes longer than all
 * others together, and nobody has to wait for it. Privileged only (entering one is a right).
 *
 * One whose process is gone is given again where nothing of that process can be in it: its filter allowed Unix
 * sockets alone (no address, route or counter is changed by those), its process namespace has ended, and the
 * kernel lists no socket in it any more.
 */
#ifndef REEVE_SPAWN_NETS_H
#define REEVE_SPAWN_NETS_H

#include "policy/text/err.h"
#include "sandbox/os/ev.h"

#define NETS_READY 4
#define NETS_USED  32

struct nets {
    int fds[NETS_READY]; /* never used */
    size_t count;
    int used[NETS_USED];
    size_t used_count;
    int own; /* reeve-spawn's, to go back to */
    struct ev_timer *timer;
};
#define NETS_NONE ((struct nets){.own = -1})

int nets_open(struct nets *n, struct ev *ev, struct err *err) NODISCARD; /* the first are made a moment later */
void nets_release(struct nets *n);
/* The caller's; -1: none is ready. may_be_used: for a process that could leave nothing in it. */
int nets_take(struct nets *n, bool may_be_used);
/* Takes *fd (and makes it -1), of a process for which that is so, and of which nothing lives any more. */
void nets_give(struct nets *n, int *fd);

#endif
