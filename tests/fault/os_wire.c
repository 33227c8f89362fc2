/*
 * os_wire.c: two wires talk in one loop while system call N or allocation N fails: each
 * conversation comes to its end or the failure is told, nothing leaks, nothing hangs.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/cm.h"
#include "tests/lib/fail.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/wire.h"

#define CALLS 6

struct talk {
    struct clock_virtual clock;
    struct ev *ev;
    struct wire *asks, *answers;
    int passes_of_fd; /* descriptors that came through */
    int replies;      /* results */
    int told;         /* failures that somebody was told of */
};

static void on_question(void *arg, struct wire *w, const struct wire_message *m)
{
    struct talk *t = arg;
    struct wire_out o;
    struct err err = ERR_INIT;
    int fds[FD_PASS_MAX];
    size_t n = wire_take_fds(w, fds, FD_PASS_MAX);
    t->passes_of_fd += (int)n;
    for (size_t i = 0; i < n; i++)
        fd_close(&fds[i]);
    wire_result(w, &o, m->id);
    jout_m_json(&o.j, "echo", m->params);
    if (wire_end(w, &o, &err) < 0) {
        assert_true(err.number && err.text[0]);
        t->told++;
    }
}

static void on_closed(void *arg, struct wire *w, const struct err *why)
{
    struct talk *t = arg;
    assert_true(why->number == 0 || why->text[0]);
    t->told++;
    *(w == t->asks ? &t->asks : &t->answers) = NULL;
    wire_free(w);
}

static void on_reply(void *arg, struct wire *w, const struct wire_message *m)
{
    struct talk *t = arg;
    (void)w;
    if (m->kind == WIRE_RESULT)
        t->replies++;
    else
        t->told++;
}

static void ask(struct talk *t, size_t size)
{
    struct wire_out o;
    struct err err = ERR_INIT;
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0); /* not through the table: the test's own */
    if (wire_attach_fd(t->asks, fd, &err) < 0)
        t->told++;
    if (wire_call_begin(t->asks, &o, "ask") < 0)
        t->told++;
    jout_m_fmt(&o.j, "x", "%0*d", (int)size, 1);
    err = ERR_INIT;
    if (wire_call_end(t->asks, &o, 1000, on_reply, t, NULL, &err) < 0) {
        assert_true(err.number && err.text[0]);
        t->told++;
    }
}

static int open_talk(struct talk *t, struct err *err)
{
    struct wire_owner owner = {on_question, on_closed, t};
    int fds[2] = {-1, -1};
    int r = ev_new(&t->ev, &t->clock.clock, err);
    if (r == 0)
        r = sock_pair(fds, true, err);
    if (r == 0)
        r = wire_new(t->ev, fd_take(&fds[0]), NULL, true, &owner, &t->asks, err);
    if (r == 0)
        r = wire_new(t->ev, fd_take(&fds[1]), NULL, true, &owner, &t->answers, err);
    fd_close(&fds[1]);
    return r;
}

static void talk(struct talk *t, bool armed)
{
    struct err err = ERR_INIT;
    *t = (struct talk){.ev = NULL};
    clock_virtual_init(&t->clock, 1);
    if (armed)
        fail_arm();
    if (open_talk(t, &err) < 0) {
        assert_true(err.number && err.text[0]);
        t->told++;
    }
    for (int i = 0; i < CALLS && t->asks && t->answers; i++) {
        ask(t, i == 2 ? 300000 : 50); /* one that fills the socket's buffer and grows ours */
        for (int pass = 0; pass < 40; pass++) {
            err = ERR_INIT;
            if (ev_once(t->ev, 0, &err) < 0) {
                assert_true(err.number && err.text[0]);
                t->told++;
            }
            if (i == 4 && t->answers) { /* churn the loop's interest */
                wire_pause(t->answers, pass % 2 == 0);
            }
        }
    }
    clock_virtual_advance(&t->clock, 2000); /* whoever got no answer by now is told */
    for (int pass = 0; pass < 10 && t->ev; pass++)
        t->told += ev_once(t->ev, 0, &err) < 0;
    wire_free(t->asks);
    wire_free(t->answers);
    ev_free(t->ev);
    (void)fail_disarm();
}

static void works_without_failures(void **state)
{
    struct talk t;
    (void)state;
    talk(&t, false);
    assert_int_equal(t.replies, CALLS);
    assert_int_equal(t.passes_of_fd, CALLS);
    assert_int_equal(t.told, 0);
}

static unsigned run_all(enum fail_what what, int number)
{
    unsigned failures = 0;
    for (fail_first(what, number); fail_next();) {
        struct talk t;
        struct fail_fds before = fail_fds();
        talk(&t, true);
        failures += fail_state.fired > 0 && t.told > 0;
        if (t.replies < CALLS && t.told == 0)
            fail_msg("failure %u (%s): %d replies and nobody was told", fail_state.at,
                     fail_state.forever ? "for ever" : "once", t.replies);
        assert_true(fail_fds_same(&before));
    }
    return failures;
}

static void every_call_may_fail(void **state)
{
    static const int numbers[] = {EIO, ENOMEM, EPIPE, EMFILE, ECONNRESET};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        assert_true(run_all(FAIL_CALL, numbers[i]) > 10);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
#ifdef FAIL_ALLOC_IS_OFF
    skip();
#endif
    assert_true(run_all(FAIL_ALLOC, ENOMEM) > 10);
}

/* ---- what is no failure at all ----------------------------------------------------------------
 */

static unsigned calls_seen;
static ssize_t send_every_third(int fd, const struct msghdr *m, int flags)
{
    struct msghdr one = *m;
    struct iovec first = {m->msg_iov[0].iov_base, MIN(m->msg_iov[0].iov_len, (size_t)1000)};
    one.msg_iov = &first;
    return ++calls_seen % 3 ? -EAGAIN : sys_real.sendmsg(fd, &one, flags);
}
static ssize_t recv_every_third(int fd, struct msghdr *m, int flags)
{
    m->msg_iov[0].iov_len = MIN(m->msg_iov[0].iov_len, (size_t)700);
    return ++calls_seen % 3 ? -EAGAIN : sys_real.recvmsg(fd, m, flags);
}

static void short_and_late_is_normal(void **state)
{
    struct talk t = {.ev = NULL};
    struct err err = ERR_INIT;
    (void)state;
    struct fail_fds before = fail_fds();
    clock_virtual_init(&t.clock, 1);
    assert_int_equal(open_talk(&t, &err), 0);
    sys.sendmsg = send_every_third;
    sys.recvmsg = recv_every_third;
    for (int i = 0; i < CALLS; i++)
        ask(&t, i == 2 ? 300000 : 50);
    for (int pass = 0; pass < 10000 && t.replies < CALLS; pass++)
        assert_int_equal(ev_once(t.ev, 0, &err), 0);
    sys = sys_real;
    assert_int_equal(t.replies, CALLS);
    assert_int_equal(t.passes_of_fd, CALLS);
    assert_int_equal(t.told, 0);
    wire_free(t.asks);
    wire_free(t.answers);
    ev_free(t.ev);
    assert_true(fail_fds_same(&before));
}

/* ---- steady use allocates nothing of ours ------------------------------------------------------
 */

/* What the parser alone takes for a line. */
static unsigned parser_allocates(const char *line)
{
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    struct arena arena;
    struct wire_message m;
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 2; i++) {
        arena_reset(&arena);
        fail_arm(); /* N is 0: counts alone */
        assert_int_equal(wire_parse(str_of(line), &limits, &arena, &m, NULL), 0);
        (void)fail_disarm();
    }
    arena_release(&arena);
    return fail_state.count;
}

static void steady_use_allocates_nothing(void **state)
{
    struct talk t = {.ev = NULL};
    struct err err = ERR_INIT;
    unsigned count = 0, parsing;
    (void)state;
#ifdef FAIL_ALLOC_IS_OFF
    skip();
#endif
    fail_first(FAIL_ALLOC, ENOMEM);
    parsing =
        parser_allocates(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ask\",\"params\":{\"x\":\"y\"}}") +
        parser_allocates("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"echo\":{\"x\":\"y\"}}}");
    clock_virtual_init(&t.clock, 1);
    assert_int_equal(open_talk(&t, &err), 0);
    for (int i = 0; i < 50; i++) {
        struct wire_out o;
        fail_arm();
        assert_int_equal(wire_call_begin(t.asks, &o, "ask"), 0);
        jout_m_cstr(&o.j, "x", "y");
        assert_int_equal(wire_call_end(t.asks, &o, 1000, on_reply, &t, NULL, &err), 0);
        for (int pass = 0; pass < 4; pass++)
            assert_int_equal(ev_once(t.ev, 0, &err), 0);
        (void)fail_disarm();
        count += i >= 5 ? fail_state.count : 0;
    }
    wire_free(t.asks);
    wire_free(t.answers);
    ev_free(t.ev);
    assert_int_equal(t.replies, 50);
    assert_int_equal(count, 45 * parsing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_without_failures),       cmocka_unit_test(every_call_may_fail),
        cmocka_unit_test(every_allocation_may_fail),    cmocka_unit_test(short_and_late_is_normal),
        cmocka_unit_test(steady_use_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
