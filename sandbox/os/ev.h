/*
 * ev.h: the event loop: descriptors (epoll), timers, children (pidfd), signals (signalfd). One thread.
 *
 * A handler may free any source, its own included, at any time: it is taken out of the pass at once, and
 * an event that the kernel told before reaches nobody. One pass: wait; the pass-begin hook; run what is ready (due timers
 * first, then descriptors); then the pass-end hooks in order of their registration; then the tasks. A
 * supervisor commits its store in the first hook and releases messages after it: output commit (INV-04).
 *
 * With a clock other than the system's (clock.h), waiting never depends on timers: a pass runs those that
 * are due and does not wait for the others; without any descriptor it does not wait at all.
 */
#ifndef REEVE_OS_EV_H
#define REEVE_OS_EV_H

#include <sys/epoll.h>

#include "policy/text/err.h"
#include "sandbox/os/clock.h"
#include "sandbox/os/proc.h"

struct ev;
struct ev_io;
struct ev_timer;
struct ev_child;
struct ev_signal;

int ev_new(struct ev **ret, const struct clock *clock /* NULL: the system's */, struct err *err) NODISCARD;
void ev_free(struct ev *ev); /* NULL is fine; frees all sources, closes none of their descriptors */
const struct clock *ev_clock(const struct ev *ev);
int64_t ev_unix_ms(const struct ev *ev); /* wall clock, read once a pass */
int64_t ev_mono_us(const struct ev *ev); /* likewise */
uint64_t ev_pass(const struct ev *ev);   /* the number of the pass, from 1; 0 before the first */

/* events: EPOLLIN | EPOLLOUT; errors and hang-ups are always told (with events 0: once, until ev_io_set).
 * The descriptor stays the caller's and must stay open until ev_io_free. */
typedef void ev_io_fn(void *arg, struct ev_io *io, int fd, uint32_t events);
int ev_io_new(struct ev *ev, int fd, uint32_t events, ev_io_fn *fn, void *arg, struct ev_io **ret, struct err *err) NODISCARD;
int ev_io_set(struct ev_io *io, uint32_t events, struct err *err);
void ev_io_free(struct ev_io *io);

/* One-shot, monotonic; set again at will. Any number (a heap). A virtual clock is honoured. */
typedef void ev_timer_fn(void *arg, struct ev_timer *t);
int ev_timer_new(struct ev *ev, ev_timer_fn *fn, void *arg, struct ev_timer **ret, struct err *err) NODISCARD;
int ev_timer_set(struct ev_timer *t, int64_t delay_ms); /* from now; replaces; -ENOMEM */
void ev_timer_stop(struct ev_timer *t);
bool ev_timer_is_set(const struct ev_timer *t);
void ev_timer_free(struct ev_timer *t);

/* Told once, when the child has ended; it is reaped by then when it is our own child (e != NULL), else
 * (somebody else's child) e is NULL. Takes pidfd, also on failure. */
typedef void ev_child_fn(void *arg, struct ev_child *c, const struct proc_exit *e);
int ev_child_new(struct ev *ev, int pidfd, ev_child_fn *fn, void *arg, struct ev_child **ret, struct err *err) NODISCARD;
int ev_child_pidfd(const struct ev_child *c); /* borrowed */
void ev_child_free(struct ev_child *c);      /* does not kill */

/* One signal, blocked from now on and told here instead. It stays blocked after ev_signal_free: one that
 * is pending would kill the program. */
typedef void ev_signal_fn(void *arg, struct ev_signal *s, int signo);
int ev_signal_new(struct ev *ev, int signo, ev_signal_fn *fn, void *arg, struct ev_signal **ret, struct err *err) NODISCARD;
void ev_signal_free(struct ev_signal *s);

typedef void ev_hook_fn(void *arg);
int ev_on_pass_end(struct ev *ev, ev_hook_fn *fn, void *arg) NODISCARD;
/* The first thing in each pass, once the clocks are read; one at most (a second call replaces the first). */
void ev_on_pass_begin(struct ev *ev, ev_hook_fn *fn, void *arg);

/* Work for the end of a pass, after all hooks: once for each ev_task_set. Set outside of a pass, or by a
 * task, it runs at the end of the next, which then does not wait. */
struct ev_task;
int ev_task_new(struct ev *ev, ev_hook_fn *fn, void *arg, struct ev_task **ret, struct err *err) NODISCARD;
void ev_task_set(struct ev_task *t);
void ev_task_free(struct ev_task *t);

/* Until ev_stop; 0 or -Exxx of epoll itself. */
int ev_run(struct ev *ev, struct err *err);
/* One pass that waits at most timeout_ms (-1: for ever). -EBUSY inside of a pass. */
int ev_once(struct ev *ev, int timeout_ms, struct err *err);
void ev_stop(struct ev *ev);

#endif
