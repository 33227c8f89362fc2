/*
 * ev.c: passes, timers in virtual time, freeing anything anywhere, children, signals, hooks, tasks.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/lib/cm.h"

#include "policy/text/buf.h"
#include "sandbox/os/ev.h"
#include "sandbox/os/fd.h"

struct loop {
    struct clock_virtual clock;
    struct ev *ev;
    struct buf told;
};

static void loop_init(struct loop *l)
{
    clock_virtual_init(&l->clock, 1);
    assert_int_equal(ev_new(&l->ev, &l->clock.clock, NULL), 0);
    buf_init(&l->told, 1 << 20);
}

static void loop_release(struct loop *l)
{
    ev_free(l->ev);
    buf_release(&l->told);
}

static void pass(struct loop *l)
{
    struct err err = ERR_INIT;
    assert_int_equal(ev_once(l->ev, 0, &err), 0);
}

#define assert_told(l, want)                   \
    do {                                       \
        assert_str(buf_str(&(l)->told), want); \
        buf_clear(&(l)->told);                 \
    } while (0)

/* ---- timers -----------------------------------------------------------------------------------
 */

struct tick {
    struct loop *loop;
    struct ev_timer *timer;
    int name;
    int64_t again_ms; /* set itself again; -1: not */
    struct tick *frees;
};

static void on_tick(void *arg, struct ev_timer *t)
{
    struct tick *tick = arg;
    assert_ptr_equal(t, tick->timer);
    assert_false(ev_timer_is_set(t));
    buf_fmt(&tick->loop->told, "%d ", tick->name);
    if (tick->again_ms >= 0)
        assert_int_equal(ev_timer_set(t, tick->again_ms), 0);
    if (tick->frees) {
        ev_timer_free(tick->frees->timer);
        tick->frees->timer = NULL;
    }
}

static struct tick tick_new(struct loop *l, struct tick *place, int name)
{
    struct tick t = {l, NULL, name, -1, NULL};
    assert_int_equal(ev_timer_new(l->ev, on_tick, place, &t.timer, NULL), 0);
    return t;
}

static void timers_run_in_order(void **state)
{
    struct loop l;
    struct tick t[5];
    (void)state;
    loop_init(&l);
    static const int64_t delays[] = {30, 10, 20, 10, 0};
    for (int i = 0; i < 5; i++) {
        t[i] = tick_new(&l, &t[i], i);
        assert_int_equal(ev_timer_set(t[i].timer, delays[i]), 0);
        assert_true(ev_timer_is_set(t[i].timer));
    }
    pass(&l);
    assert_told(&l, "4 ");
    clock_virtual_advance(&l.clock, 9);
    pass(&l);
    assert_told(&l, "");
    clock_virtual_advance(&l.clock, 1);
    pass(&l);
    assert_told(&l, "1 3 "); /* of two at the same time the one set first */
    ev_timer_stop(t[2].timer);
    ev_timer_stop(t[2].timer);
    assert_int_equal(ev_timer_set(t[0].timer, 100), 0); /* replaces */
    clock_virtual_advance(&l.clock, 99);
    pass(&l);
    assert_told(&l, "");
    clock_virtual_advance(&l.clock, 100);
    pass(&l);
    assert_told(&l, "0 ");
    loop_release(&l); /* frees the timers too */
}

static void a_timer_of_no_delay_waits_for_the_next_pass(void **state)
{
    struct loop l;
    struct tick t;
    (void)state;
    loop_init(&l);
    t = tick_new(&l, &t, 7);
    t.again_ms = 0;
    assert_int_equal(ev_timer_set(t.timer, -5), 0);
    for (int i = 0; i < 3; i++) {
        pass(&l);
        assert_told(&l, "7 ");
    }
    loop_release(&l);
}

static void timers_free_each_other(void **state)
{
    struct loop l;
    struct tick t[3];
    (void)state;
    loop_init(&l);
    for (int i = 0; i < 3; i++) {
        t[i] = tick_new(&l, &t[i], i);
        assert_int_equal(ev_timer_set(t[i].timer, 5), 0);
    }
    t[0].frees = &t[1]; /* one that is due in this pass */
    t[2].frees = &t[2]; /* itself */
    clock_virtual_advance(&l.clock, 5);
    pass(&l);
    assert_told(&l, "0 2 ");
    pass(&l);
    ev_timer_free(NULL);
    loop_release(&l);
}

static void the_heap_sorts(void **state)
{
    enum { N = 500 };
    static struct tick t[N];
    struct loop l;
    int64_t due[N], now = 0;
    (void)state;
    loop_init(&l);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            uint16_t delay;
            if (round == 0)
                t[i] = tick_new(&l, &t[i], i);
            assert_int_equal(l.clock.clock.random(l.clock.clock.arg, &delay, sizeof delay), 0);
            due[i] = now + delay % 1000;
            assert_int_equal(ev_timer_set(t[i].timer, delay % 1000), 0);
        }
        for (int i = 0; i < N; i += 3) { /* out of the middle */
            ev_timer_stop(t[i].timer);
            due[i] = -1;
        }
        for (int step = 0; step < 1000; step++) {
            pass(&l);
            struct str rest = buf_str(&l.told), word;
            while (str_split(&rest, ' ', &word)) {
                if (word.len == 0)
                    continue;
                int i = (int)strtol(word.ptr, NULL, 10);
                assert_int_equal(due[i], now); /* neither early nor late */
                due[i] = -1;
            }
            buf_clear(&l.told);
            clock_virtual_advance(&l.clock, 1);
            now++;
        }
        for (int i = 0; i < N; i++)
            assert_int_equal(due[i], -1);
    }
    loop_release(&l);
}

static void real_time_wakes_the_loop(void **state)
{
    struct ev *ev;
    struct loop l;
    struct tick t = {&l, NULL, 1, -1, NULL};
    (void)state;
    buf_init(&l.told, 100);
    assert_int_equal(ev_new(&ev, NULL, NULL), 0);
    assert_int_equal(ev_timer_new(ev, on_tick, &t, &t.timer, NULL), 0);
    assert_int_equal(ev_timer_set(t.timer, 1), 0);
    int64_t start = ev_mono_us(ev);
    while (l.told.len == 0)
        assert_int_equal(ev_once(ev, -1, NULL), 0); /* would hang if the timer did not count */
    assert_true(ev_mono_us(ev) - start >= 1000);
    ev_free(ev);
    buf_release(&l.told);
}

static int64_t seen_unix, seen_mono;
static void move_clock(void *arg, struct ev_timer *t)
{
    struct loop *l = arg;
    (void)t;
    seen_unix = ev_unix_ms(l->ev);
    seen_mono = ev_mono_us(l->ev);
    clock_virtual_advance(&l->clock, 5000);
    assert_int_equal(ev_unix_ms(l->ev), seen_unix); /* one time for the whole pass */
    assert_int_equal(ev_mono_us(l->ev), seen_mono);
}

static void time_is_read_once_a_pass(void **state)
{
    struct loop l;
    struct ev_timer *t;
    (void)state;
    loop_init(&l);
    assert_ptr_equal(ev_clock(l.ev), &l.clock.clock);
    assert_int_equal(ev_unix_ms(l.ev), INT64_C(1795392000000));
    assert_int_equal(ev_timer_new(l.ev, move_clock, &l, &t, NULL), 0);
    assert_int_equal(ev_timer_set(t, 0), 0);
    pass(&l);
    assert_int_equal(ev_unix_ms(l.ev), seen_unix + 5000);
    assert_int_equal(ev_pass(l.ev), 1);
    loop_release(&l);
}

/* ---- descriptors ------------------------------------------------------------------------------
 */

struct source {
    struct loop *loop;
    struct ev_io *io;
    int fd;
    int name;
    struct source *frees; /* on its event: this one, and a new one is made in its place */
    bool remake;
};

static void on_source(void *arg, struct ev_io *io, int fd, uint32_t events)
{
    struct source *s = arg;
    assert_ptr_equal(io, s->io);
    assert_int_equal(fd, s->fd);
    buf_fmt(&s->loop->told, "%d%s ", s->name,
            events & EPOLLIN    ? "in"
            : events & EPOLLOUT ? "out"
                                : "hup");
    struct source *gone = s->frees;
    if (gone) {
        bool remake = gone->remake;
        s->frees = NULL;
        ev_io_free(gone->io);
        gone->io = NULL;
        if (remake)
            assert_int_equal(
                ev_io_new(s->loop->ev, gone->fd, EPOLLIN, on_source, gone, &gone->io, NULL), 0);
    }
}

static void source_init(struct source *s, struct loop *l, int name)
{
    *s = (struct source){.loop = l, .name = name, .fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
    assert_true(s->fd >= 0);
    assert_int_equal(ev_io_new(l->ev, s->fd, EPOLLIN, on_source, s, &s->io, NULL), 0);
}

static void a_handler_frees_any_source(void **state)
{
    struct loop l;
    struct source s[3];
    (void)state;
    /* All three are ready in the same pass; the first that runs frees another one, or itself. */
    for (int how = 0; how < 4; how++) {
        loop_init(&l);
        for (int i = 0; i < 3; i++)
            source_init(&s[i], &l, i);
        s[0].frees = &s[how % 2 ? 0 : 1];
        s[how % 2 ? 0 : 1].remake = how >= 2;
        s[2].frees = NULL;
        pass(&l);
        /* One made anew in the same slot is not told of what its predecessor was ready for. */
        if (how % 2 == 0)
            assert_told(&l, "0in 2in ");
        else
            assert_told(&l, "0in 1in 2in ");
        pass(&l);
        assert_int_equal(l.told.len, how >= 2 ? 12 : 8);
        for (int i = 0; i < 3; i++) {
            ev_io_free(s[i].io);
            close(s[i].fd);
        }
        loop_release(&l);
    }
}

static void a_descriptor_that_outlives_its_source_is_not_heard(void **state)
{
    struct loop l;
    struct source s;
    (void)state;
    loop_init(&l);
    source_init(&s, &l, 1);
    int copy = dup(s.fd);
    close(s.fd); /* against the contract: epoll now keeps the entry, as the file lives on */
    ev_io_free(s.io);
    pass(&l);
    assert_told(&l, "");
    close(copy);
    loop_release(&l);
}

static void changes_what_it_waits_for(void **state)
{
    struct loop l;
    struct source s;
    struct err err = ERR_INIT;
    (void)state;
    loop_init(&l);
    source_init(&s, &l, 1);
    assert_int_equal(ev_io_set(s.io, EPOLLOUT, &err), 0);
    pass(&l);
    assert_told(&l, "1out ");
    assert_int_equal(ev_io_set(s.io, 0, &err), 0);
    pass(&l);
    assert_told(&l, "");
    assert_int_equal(ev_io_set(s.io, EPOLLIN, &err), 0);
    pass(&l);
    assert_told(&l, "1in ");
    ev_io_free(s.io);
    ev_io_free(NULL);
    close(s.fd);
    assert_int_equal(ev_io_new(l.ev, s.fd, EPOLLIN, on_source, &s, &s.io, &err), -EBADF);
    loop_release(&l);
}

static void a_hang_up_without_interest_is_told_once(void **state)
{
    struct loop l;
    struct source s = {.loop = &l, .name = 1};
    int fds[2];
    (void)state;
    loop_init(&l);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    s.fd = fds[0];
    assert_int_equal(ev_io_new(l.ev, s.fd, 0, on_source, &s, &s.io, NULL), 0);
    close(fds[1]);
    pass(&l);
    pass(&l);
    assert_told(&l, "1hup ");
    ev_io_free(s.io);
    close(fds[0]);
    loop_release(&l);
}

/* ---- hooks and tasks --------------------------------------------------------------------------
 */

struct late {
    struct loop *loop;
    const char *text;
    struct ev_task *sets, *frees;
};

static void on_late(void *arg)
{
    struct late *h = arg;
    buf_cstr(&h->loop->told, h->text);
    if (h->sets)
        ev_task_set(h->sets);
    if (h->frees) {
        ev_task_free(h->frees);
        h->frees = NULL;
    }
}

static void hooks_then_tasks_end_a_pass(void **state)
{
    struct loop l;
    (void)state;
    loop_init(&l);
    struct late h1 = {&l, "h1 ", NULL, NULL}, h2 = {&l, "h2 ", NULL, NULL},
                a = {&l, "a ", NULL, NULL}, b = {&l, "b ", NULL, NULL};
    struct ev_task *ta, *tb;
    assert_int_equal(ev_task_new(l.ev, on_late, &a, &ta, NULL), 0);
    assert_int_equal(ev_task_new(l.ev, on_late, &b, &tb, NULL), 0);
    assert_int_equal(ev_on_pass_end(l.ev, on_late, &h1), 0);
    assert_int_equal(ev_on_pass_end(l.ev, on_late, &h2), 0);
    h2.sets = ta;
    pass(&l);
    assert_told(&l, "h1 h2 a ");
    h2.sets = NULL;
    pass(&l);
    assert_told(&l, "h1 h2 ");
    a.sets = ta; /* itself: in the next pass */
    ev_task_set(tb);
    ev_task_set(ta);
    ev_task_set(ta);
    assert_int_equal(ev_once(l.ev, -1, NULL), 0); /* which does not wait */
    assert_told(&l, "h1 h2 b a ");
    a.sets = NULL;
    a.frees = tb; /* one that waits in the same round */
    ev_task_set(tb);
    assert_int_equal(ev_once(l.ev, -1, NULL), 0);
    assert_told(&l, "h1 h2 a ");
    loop_release(&l);
}

static void stop_and_wait(void *arg)
{
    struct loop *l = arg;
    struct err err = ERR_INIT;
    assert_int_equal(ev_once(l->ev, -1, &err), -EBUSY); /* never inside of itself */
    buf_cstr(&l->told, "x");
    if (l->told.len == 3)
        ev_stop(l->ev);
}

static void runs_until_it_is_stopped(void **state)
{
    struct loop l;
    (void)state;
    loop_init(&l);
    assert_int_equal(ev_on_pass_end(l.ev, stop_and_wait, &l), 0);
    assert_int_equal(ev_run(l.ev, NULL), 0);
    assert_told(&l, "xxx");
    ev_stop(l.ev);
    assert_int_equal(ev_run(l.ev, NULL), 0); /* stopped before it ran */
    assert_told(&l, "");
    loop_release(&l);
    ev_free(NULL);
}

/* ---- children and signals ---------------------------------------------------------------------
 */

static void on_child(void *arg, struct ev_child *c, const struct proc_exit *e)
{
    struct loop *l = arg;
    char text[PROC_EXIT_TEXT] = "is gone";
    if (e)
        proc_exit_text(e, text);
    buf_fmt(&l->told, "%s\n", text);
    ev_child_free(c);
    ev_stop(l->ev);
}

static int start(const char *script)
{
    const char *argv[] = {"sh", "-c", script, NULL}, *env[] = {NULL};
    int none[3] = {-1, -1, -1}, pidfd = -1;
    struct proc_spawn s = {"/bin/sh", argv, env, none, 3};
    struct err err = ERR_INIT;
    if (proc_spawn(&s, NULL, &pidfd, &err) < 0)
        fail_msg("%s", err.text);
    return pidfd;
}

static void tells_how_children_end(void **state)
{
    struct loop l;
    struct ev_child *c;
    (void)state;
    loop_init(&l);
    assert_int_equal(ev_child_new(l.ev, start("exit 3"), on_child, &l, &c, NULL), 0);
    assert_true(ev_child_pidfd(c) >= 0);
    assert_int_equal(ev_run(l.ev, NULL), 0);
    assert_told(&l, "exited with 3\n");
    assert_int_equal(ev_child_new(l.ev, start("kill -9 $$"), on_child, &l, &c, NULL), 0);
    assert_int_equal(ev_run(l.ev, NULL), 0);
    assert_told(&l, "was killed by SIGKILL\n");
    /* Reaped by somebody else: told, without what is not known. */
    int pidfd = start("exit 4");
    struct proc_exit e;
    assert_int_equal(proc_wait(pidfd, true, &e, NULL), 0);
    assert_int_equal(e.code, 4);
    assert_int_equal(ev_child_new(l.ev, pidfd, on_child, &l, &c, NULL), 0);
    assert_int_equal(ev_run(l.ev, NULL), 0);
    assert_told(&l, "is gone\n");
    assert_true(ev_child_new(l.ev, -1, on_child, &l, &c, NULL) < 0);
    assert_int_equal(ev_child_new(l.ev, start("exit 0"), on_child, &l, &c, NULL), 0);
    loop_release(&l); /* with a child in it */
}

static void on_signal(void *arg, struct ev_signal *s, int signo)
{
    struct loop *l = arg;
    buf_fmt(&l->told, "%s ", sigabbrev_np(signo));
    if (signo == SIGUSR2)
        ev_signal_free(s);
}

static void tells_signals(void **state)
{
    struct loop l;
    struct ev_signal *a, *b;
    (void)state;
    loop_init(&l);
    assert_int_equal(ev_signal_new(l.ev, SIGUSR1, on_signal, &l, &a, NULL), 0);
    assert_int_equal(ev_signal_new(l.ev, SIGUSR2, on_signal, &l, &b, NULL), 0);
    assert_int_equal(ev_signal_new(l.ev, 1000, on_signal, &l, &b, NULL), -EINVAL);
    pass(&l);
    assert_told(&l, "");
    assert_int_equal(raise(SIGUSR1), 0);
    pass(&l);
    assert_told(&l, "USR1 ");
    assert_int_equal(raise(SIGUSR2), 0);
    pass(&l);
    assert_told(&l, "USR2 ");
    assert_int_equal(raise(SIGUSR2), 0); /* still blocked: does not kill */
    pass(&l);
    assert_told(&l, "");
    loop_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_order),
        cmocka_unit_test(a_timer_of_no_delay_waits_for_the_next_pass),
        cmocka_unit_test(timers_free_each_other),
        cmocka_unit_test(the_heap_sorts),
        cmocka_unit_test(real_time_wakes_the_loop),
        cmocka_unit_test(time_is_read_once_a_pass),
        cmocka_unit_test(a_handler_frees_any_source),
        cmocka_unit_test(a_descriptor_that_outlives_its_source_is_not_heard),
        cmocka_unit_test(changes_what_it_waits_for),
        cmocka_unit_test(a_hang_up_without_interest_is_told_once),
        cmocka_unit_test(hooks_then_tasks_end_a_pass),
        cmocka_unit_test(runs_until_it_is_stopped),
        cmocka_unit_test(tells_how_children_end),
        cmocka_unit_test(tells_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
