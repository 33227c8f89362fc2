/*
 * ev_timer.c: the loop's timers, a binary heap. In every program with an event loop.
 */
#include "sandbox/os/ev.h"

#include "sandbox/os/ev_impl.h"

#define DELAY_MAX_MS (INT64_C(1) << 42) /* 139 years; keeps the sum in bounds */

static bool is_before(const struct ev_timer *a, const struct ev_timer *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void put(struct ev *ev, size_t i, struct ev_timer *t)
{
    ev->heap[i] = t;
    t->heap_pos = i + 1;
}

static void sift_up(struct ev *ev, size_t i, struct ev_timer *t)
{
    while (i > 0 && is_before(t, ev->heap[(i - 1) / 2])) {
        put(ev, i, ev->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(ev, i, t);
}

static void sift_down(struct ev *ev, size_t i, struct ev_timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= ev->heap_len)
            break;
        if (child + 1 < ev->heap_len && is_before(ev->heap[child + 1], ev->heap[child]))
            child++;
        if (!is_before(ev->heap[child], t))
            break;
        put(ev, i, ev->heap[child]);
        i = child;
    }
    put(ev, i, t);
}

/* Room for every timer there is, so that setting one cannot fail. */
static int heap_room(struct ev *ev)
{
    if (ev->timer_count < ev->heap_cap)
        return 0;
    size_t cap = ev->heap_cap ? ev->heap_cap * 2 : 16;
    struct ev_timer **grown = reallocarray(ev->heap, cap, sizeof(struct ev_timer *));
    if (!grown)
        return -ENOMEM;
    ev->heap = grown;
    ev->heap_cap = cap;
    return 0;
}

int ev_timer_new(struct ev *ev, ev_timer_fn *fn, void *arg, struct ev_timer **ret, struct err *err)
{
    struct ev_timer *t = heap_room(ev) < 0 ? NULL : calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ENOMEM, "timer: out of memory");
    t->ev = ev;
    t->fn = fn;
    t->arg = arg;
    ev_link_add(&ev->timers, &t->all);
    ev->timer_count++;
    *ret = t;
    return 0;
}

int ev_timer_set(struct ev_timer *t, int64_t delay_ms)
{
    struct ev *ev = t->ev;
    int64_t delay_us = MIN(MAX(delay_ms, 0), DELAY_MAX_MS) * 1000;
    ev_timer_stop(t);
    t->at_us = ev_now_us(ev) + delay_us;
    t->order = ++ev->order;
    sift_up(ev, ev->heap_len++, t);
    return 0;
}

void ev_timer_stop(struct ev_timer *t)
{
    struct ev *ev = t->ev;
    if (t->heap_pos == 0)
        return;
    size_t i = t->heap_pos - 1;
    t->heap_pos = 0;
    struct ev_timer *last = ev->heap[--ev->heap_len];
    if (last == t)
        return;
    if (i > 0 && is_before(last, ev->heap[(i - 1) / 2]))
        sift_up(ev, i, last);
    else
        sift_down(ev, i, last);
}

bool ev_timer_is_set(const struct ev_timer *t)
{
    return t->heap_pos != 0;
}

void ev_timer_free(struct ev_timer *t)
{
    if (!t)
        return;
    ev_timer_stop(t);
    ev_link_remove(&t->all);
    t->ev->timer_count--;
    free(t);
}

int64_t ev_timers_wait_us(const struct ev *ev)
{
    return ev->heap_len == 0 ? -1 : MAX(ev->heap[0]->at_us - ev_now_us(ev), 0);
}

void ev_timers_run(struct ev *ev)
{
    uint64_t last_order = ev->order;
    while (ev->heap_len > 0) {
        struct ev_timer *t = ev->heap[0];
        if (t->at_us > ev->mono_us || t->order > last_order)
            break;
        ev_timer_stop(t);
        t->fn(t->arg, t);
    }
}
