/*
 * nets.h: empty network namespaces made ahead, each for one process: making one takes longer than all
 * others together, and nobody has to wait for it. Privileged only (entering one is a right).
 */
#ifndef REEVE_SPAWN_NETS_H
#define REEVE_SPAWN_NETS_H

#include "policy/text/err.h"
#include "sandbox/os/ev.h"

#define NETS_READY 4

struct nets {
    int fds[NETS_READY];
    size_t count;
    struct ev_timer *timer;
};

int nets_open(struct nets *n, struct ev *ev, struct err *err) NODISCARD; /* the first are made a moment later */
void nets_release(struct nets *n);
int nets_take(struct nets *n); /* the caller's; -1: none is ready */

#endif
