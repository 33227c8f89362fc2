/*
 * ev_impl.h: the insides of the event loop, shared by ev*.c alone.
 *
 * Epoll's events carry no pointer but the number of a slot and its generation. A source that was freed
 * has left its slot, so whatever the kernel still tells of it finds nobody: there is no moment at which a
 * stale event could reach freed memory, inside of a pass or between two.
 */
#ifndef REEVE_OS_EV_IMPL_H
#define REEVE_OS_EV_IMPL_H

#include "sandbox/os/ev.h"

#define EV_READY_MAX 64
#define EV_HOOKS_MAX 16

struct ev_link { /* circular, with a head in struct ev */
    struct ev_link *prev, *next;
};

struct ev_slot {
    struct ev_io *io; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct ev_io {
    struct ev *ev;
    ev_io_fn *fn;
    void *arg;
    int fd;
    uint32_t events;
    uint32_t slot;
    void (*free_owner)(void *arg); /* of a child or signal: frees arg, and this source with it */
};

struct ev_timer {
    struct ev *ev;
    ev_timer_fn *fn;
    void *arg;
    struct ev_link all;
    int64_t at_us;
    uint64_t order;  /* of two that are due at the same time, the one that was set first comes first */
    size_t heap_pos; /* 1-based; 0: not set */
};

struct ev_task {
    struct ev *ev;
    ev_hook_fn *fn;
    void *arg;
    struct ev_link all;
    struct ev_link due; /* linked while set */
};

struct ev {
    int ep;
    const struct clock *clock;
    bool is_virtual; /* the clock is not the kernel's: waiting cannot depend on it */
    bool in_pass, stopped;
    uint64_t pass;
    int64_t unix_ms, mono_us; /* as read at the start of this pass */

    struct ev_slot *slots;
    uint32_t slot_count, slot_cap, free_slot, io_count;

    struct ev_timer **heap; /* heap[0] is the earliest; room for all timers there are */
    size_t heap_len, heap_cap, timer_count;
    uint64_t order;
    struct ev_link timers, tasks, due_tasks;

    struct {
        ev_hook_fn *fn;
        void *arg;
    } hooks[EV_HOOKS_MAX], begin_hook;
    size_t hook_count;

    struct epoll_event ready[EV_READY_MAX];
};

static inline void ev_link_init(struct ev_link *l)
{
    l->prev = l->next = l;
}
static inline bool ev_link_is_empty(const struct ev_link *l)
{
    return l->next == l;
}
static inline void ev_link_add(struct ev_link *head, struct ev_link *l) /* at the end */
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}
static inline void ev_link_remove(struct ev_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    ev_link_init(l);
}

int64_t ev_now_us(const struct ev *ev); /* read anew */
/* Runs what is due at the start of the pass; what is set meanwhile waits for the next. */
void ev_timers_run(struct ev *ev);
/* Microseconds until the first timer is due, 0 if it is; -1: none is set. */
int64_t ev_timers_wait_us(const struct ev *ev);

#endif
