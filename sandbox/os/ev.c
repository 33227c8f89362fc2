/*
 * ev.c: the event loop: passes, descriptors, hooks and tasks. In every program that serves more
 * than one thing. Trusts its callers; what comes through the descriptors it never looks at.
 */
#include "sandbox/os/ev.h"

#include <limits.h>

#include "sandbox/os/ev_impl.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define NO_SLOT UINT32_MAX

int ev_new(struct ev **ret, const struct clock *clock, struct err *err)
{
    struct ev *ev = calloc(1, sizeof *ev);
    if (!ev)
        return err_set(err, ENOMEM, "event loop: out of memory");
    ev->clock = clock ? clock : &clock_system;
    ev->is_virtual = ev->clock->mono_us != clock_system.mono_us;
    ev->free_slot = NO_SLOT;
    ev_link_init(&ev->timers);
    ev_link_init(&ev->tasks);
    ev_link_init(&ev->due_tasks);
    ev->ep = sys.epoll_create(EPOLL_CLOEXEC);
    if (ev->ep < 0) {
        int number = -ev->ep;
        free(ev);
        return err_sys(err, number, "event loop");
    }
    *ret = ev;
    return 0;
}

void ev_free(struct ev *ev)
{
    if (!ev)
        return;
    for (uint32_t i = 0; i < ev->slot_count; i++) {
        struct ev_io *io = ev->slots[i].io;
        if (io && io->free_owner)
            io->free_owner(io->arg);
        else
            ev_io_free(io);
    }
    while (!ev_link_is_empty(&ev->timers))
        ev_timer_free(container_of(ev->timers.next, struct ev_timer, all));
    while (!ev_link_is_empty(&ev->tasks))
        ev_task_free(container_of(ev->tasks.next, struct ev_task, all));
    fd_close(&ev->ep);
    free(ev->slots);
    free(ev->heap);
    free(ev);
}

/* ---- time -------------------------------------------------------------------------------------
 */

const struct clock *ev_clock(const struct ev *ev)
{
    return ev->clock;
}

int64_t ev_now_us(const struct ev *ev)
{
    return ev->clock->mono_us(ev->clock->arg);
}

int64_t ev_unix_ms(const struct ev *ev)
{
    return ev->in_pass ? ev->unix_ms : ev->clock->unix_ms(ev->clock->arg);
}

int64_t ev_mono_us(const struct ev *ev)
{
    return ev->in_pass ? ev->mono_us : ev_now_us(ev);
}

uint64_t ev_pass(const struct ev *ev)
{
    return ev->pass;
}

/* ---- descriptors ------------------------------------------------------------------------------
 */

static int slot_take(struct ev *ev, struct ev_io *io)
{
    if (ev->free_slot == NO_SLOT) {
        if (ev->slot_count == ev->slot_cap) {
            uint32_t cap = ev->slot_cap ? ev->slot_cap * 2 : 16;
            struct ev_slot *grown = reallocarray(ev->slots, cap, sizeof *grown);
            if (!grown)
                return -ENOMEM;
            ev->slots = grown;
            ev->slot_cap = cap;
        }
        ev->slots[ev->slot_count] = (struct ev_slot){.next_free = NO_SLOT};
        ev->free_slot = ev->slot_count++;
    }
    io->slot = ev->free_slot;
    ev->free_slot = ev->slots[io->slot].next_free;
    ev->slots[io->slot].io = io;
    ev->io_count++;
    return 0;
}

static void slot_give(struct ev *ev, uint32_t slot)
{
    struct ev_slot *s = &ev->slots[slot];
    s->io = NULL;
    s->generation++;
    s->next_free = ev->free_slot;
    ev->free_slot = slot;
    ev->io_count--;
}

/* A hang-up cannot be masked and is told again in each pass: with nothing else asked for, once is
 * enough, or a paused connection whose peer went away would keep the loop spinning. */
static struct epoll_event interest(const struct ev_io *io, uint32_t events)
{
    uint64_t generation = io->ev->slots[io->slot].generation;
    return (struct epoll_event){.events = events ? events : (uint32_t)EPOLLONESHOT,
                                .data.u64 = generation << 32 | io->slot};
}

int ev_io_new(struct ev *ev, int fd, uint32_t events, ev_io_fn *fn, void *arg, struct ev_io **ret,
              struct err *err)
{
    struct ev_io *io = calloc(1, sizeof *io);
    if (!io)
        return err_set(err, ENOMEM, "watch a descriptor: out of memory");
    *io = (struct ev_io){.ev = ev, .fn = fn, .arg = arg, .fd = fd, .events = events};
    if (slot_take(ev, io) < 0) {
        free(io);
        return err_set(err, ENOMEM, "watch a descriptor: out of memory");
    }
    struct epoll_event e = interest(io, events);
    int r = sys.epoll_ctl(ev->ep, EPOLL_CTL_ADD, fd, &e);
    if (r < 0) {
        slot_give(ev, io->slot);
        free(io);
        return err_sys(err, -r, "watch descriptor %d", fd);
    }
    *ret = io;
    return 0;
}

int ev_io_set(struct ev_io *io, uint32_t events, struct err *err)
{
    if (events == io->events && events != 0)
        return 0;
    struct epoll_event e = interest(io, events);
    int r = sys.epoll_ctl(io->ev->ep, EPOLL_CTL_MOD, io->fd, &e);
    if (r < 0)
        return err_sys(err, -r, "watch descriptor %d", io->fd);
    io->events = events;
    return 0;
}

void ev_io_free(struct ev_io *io)
{
    if (!io)
        return;
    struct epoll_event unused = {0};
    (void)sys.epoll_ctl(io->ev->ep, EPOLL_CTL_DEL, io->fd, &unused);
    slot_give(io->ev, io->slot);
    free(io);
}

static void dispatch(struct ev *ev, const struct epoll_event *e)
{
    uint32_t slot = (uint32_t)e->data.u64, generation = (uint32_t)(e->data.u64 >> 32);
    if (slot >= ev->slot_count || ev->slots[slot].generation != generation)
        return; /* freed in this pass */
    struct ev_io *io = ev->slots[slot].io;
    if (io)
        io->fn(io->arg, io, io->fd, e->events);
}

/* ---- hooks and tasks --------------------------------------------------------------------------
 */

int ev_on_pass_end(struct ev *ev, ev_hook_fn *fn, void *arg)
{
    if (ev->hook_count == EV_HOOKS_MAX)
        return -ENOSPC;
    ev->hooks[ev->hook_count].fn = fn;
    ev->hooks[ev->hook_count++].arg = arg;
    return 0;
}

void ev_on_pass_begin(struct ev *ev, ev_hook_fn *fn, void *arg)
{
    ev->begin_hook.fn = fn;
    ev->begin_hook.arg = arg;
}

int ev_task_new(struct ev *ev, ev_hook_fn *fn, void *arg, struct ev_task **ret, struct err *err)
{
    struct ev_task *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ENOMEM, "task: out of memory");
    t->ev = ev;
    t->fn = fn;
    t->arg = arg;
    ev_link_add(&ev->tasks, &t->all);
    ev_link_init(&t->due);
    *ret = t;
    return 0;
}

void ev_task_set(struct ev_task *t)
{
    if (ev_link_is_empty(&t->due))
        ev_link_add(&t->ev->due_tasks, &t->due);
}

void ev_task_free(struct ev_task *t)
{
    if (!t)
        return;
    ev_link_remove(&t->due);
    ev_link_remove(&t->all);
    free(t);
}

static void tasks_run(struct ev *ev)
{
    /* Only those that are set now: a task that sets itself again must not hold the pass up. */
    struct ev_link now;
    if (ev_link_is_empty(&ev->due_tasks))
        return;
    now = ev->due_tasks;
    now.next->prev = now.prev->next = &now;
    ev_link_init(&ev->due_tasks);
    while (!ev_link_is_empty(&now)) {
        struct ev_task *t = container_of(now.next, struct ev_task, due);
        ev_link_remove(&t->due);
        t->fn(t->arg);
    }
}

/* ---- passes -----------------------------------------------------------------------------------
 */

static int wait_ms(const struct ev *ev, int timeout_ms)
{
    if (ev->stopped || !ev_link_is_empty(&ev->due_tasks))
        return 0;
    int64_t us = ev_timers_wait_us(ev);
    if (us == 0)
        return 0;
    if (ev->is_virtual)
        return ev->io_count == 0 ? 0 : timeout_ms;
    if (us < 0)
        return timeout_ms;
    int64_t ms =
        MIN((us + 999) / 1000, INT_MAX); /* up: too early would mean a second, useless wait */
    return timeout_ms < 0 ? (int)ms : MIN(timeout_ms, (int)ms);
}

int ev_once(struct ev *ev, int timeout_ms, struct err *err)
{
    if (ev->in_pass)
        return err_set(err, EBUSY, "event loop: a handler waits for the loop that runs it");
    int n = sys.epoll_wait(ev->ep, ev->ready, EV_READY_MAX, wait_ms(ev, timeout_ms));
    if (n < 0 && n != -EINTR)
        return err_sys(err, -n, "event loop: wait");
    ev->pass++;
    ev->unix_ms = ev->clock->unix_ms(ev->clock->arg);
    ev->mono_us = ev_now_us(ev);
    ev->in_pass = true;
    if (ev->begin_hook.fn)
        ev->begin_hook.fn(ev->begin_hook.arg);
    ev_timers_run(ev);
    for (int i = 0; i < n; i++)
        dispatch(ev, &ev->ready[i]);
    for (size_t i = 0; i < ev->hook_count; i++)
        ev->hooks[i].fn(ev->hooks[i].arg);
    tasks_run(ev);
    ev->in_pass = false;
    return 0;
}

int ev_run(struct ev *ev, struct err *err)
{
    int r = 0;
    while (!ev->stopped && r >= 0)
        r = ev_once(ev, -1, err);
    ev->stopped = false;
    return r < 0 ? r : 0;
}

void ev_stop(struct ev *ev)
{
    ev->stopped = true;
}
