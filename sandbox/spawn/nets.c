/*
 * nets.c: see nets.h. One is made a pass, when nothing was asked for a while.
 */
#include "sandbox/spawn/nets.h"

#include <sched.h>

#include "sandbox/ns.h"
#include "sandbox/os/fd.h"

#define IDLE_MS 20

static void on_timer(void *arg, struct ev_timer *t)
{
    struct nets *n = arg;

    if (n->count == NETS_READY ||
        ns_keep(CLONE_NEWNET, "net", ns_prepare_network, &n->fds[n->count], NULL) < 0)
        return; /* what cannot be made ahead is made at its start, and told there */
    n->count++;
    (void)ev_timer_set(t, 0);
}

int nets_open(struct nets *n, struct ev *ev, struct err *err)
{
    int rc = ev_timer_new(ev, on_timer, n, &n->timer, err);

    return rc < 0 ? rc : ev_timer_set(n->timer, IDLE_MS);
}

void nets_release(struct nets *n)
{
    ev_timer_free(n->timer);
    n->timer = NULL;
    while (n->count > 0)
        fd_close(&n->fds[--n->count]);
}

int nets_take(struct nets *n)
{
    if (n->timer == NULL)
        return -1;
    (void)ev_timer_set(n->timer, IDLE_MS);
    return n->count > 0 ? fd_take(&n->fds[--n->count]) : -1;
}
