/*
 * follow.c: a run as it happens: what is told, in which order, once, from where a reader left off.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/control_lab.h"

struct reader {
    int fd;
    struct buf out;
    bool is_ended;
};

static int set_up(void **state)
{
    struct lab *lab = lab_new(NULL);
    lab_config(lab, NULL);
    *state = lab;
    return 0;
}

static int tear_down(void **state)
{
    lab_free(*state);
    return 0;
}

static void commit(struct lab *lab)
{
    must_ok(lab->store, store_commit(lab->store->store, &lab->store->err));
}

static int64_t add_run(struct lab *lab)
{
    int64_t run = tmpstore_run(lab->store, "w");
    commit(lab);
    return run;
}

static void put_step(struct lab *lab, int64_t run, int64_t seq, enum step_state st, bool is_new)
{
    struct store_step step = tmpstore_step(run, seq);
    step.state = st;
    if (is_new)
        must_ok(lab->store, store_step_add(lab->store->store, &step, &lab->store->err));
    else
        must_ok(lab->store, store_step_update(lab->store->store, &step, &lab->store->err));
    commit(lab);
}

static void put_state(struct lab *lab, int64_t run, enum run_state st)
{
    struct store_run row;
    must_ok(lab->store,
            store_run_get(lab->store->store, run, &lab->store->arena, &row, &lab->store->err));
    row.state = st;
    row.ended_ms = run_state_is_final(st) ? 1795392000000 : 0;
    must_ok(lab->store, store_run_update(lab->store->store, &row, &lab->store->err));
    commit(lab);
}

static void put_log(struct lab *lab, int64_t run, const char *text)
{
    must_ok(lab->store, store_log_add(lab->store->store, run, 1795392000000, STR("info"),
                                      STR("worker"), str_of(text), &lab->store->err));
    commit(lab);
}

static void open_reader(struct lab *lab, struct reader *r, int64_t run, const char *last_id)
{
    char text[256];
    *r = (struct reader){.fd = lab_connect(lab)};
    buf_init(&r->out, 64u << 20);
    snprintf(text, sizeof(text),
             "GET /v1/runs/%" PRId64 "/follow HTTP/1.1\r\nHost: x\r\n%s%s\r\n\r\n", run,
             last_id ? "Last-Event-ID: " : "X: y", last_id ? last_id : "");
    lab_send(lab, r->fd, str_of(text));
}

static void close_reader(struct lab *lab, struct reader *r)
{
    close(r->fd);
    buf_release(&r->out);
    lab_idle(lab);
    assert_int_equal(control_connections(lab->control), 0);
}

/* What came since: how often `needle` is in it. Chunk sizes of HTTP stand between and do no harm
 * here. */
static unsigned count(struct lab *lab, struct reader *r, const char *needle)
{
    struct str s;
    size_t n = strlen(needle);
    unsigned found = 0;
    r->is_ended = lab_read(lab, r->fd, &r->out) || r->is_ended;
    s = buf_str(&r->out);
    for (size_t i = 0; i + n <= s.len; i++)
        found += memcmp(s.ptr + i, needle, n) == 0;
    return found;
}

static void steps_are_told_as_they_change(void **state)
{
    struct lab *lab = *state;
    struct reader r;
    int64_t run = add_run(lab);
    open_reader(lab, &r, run, NULL);
    assert_int_equal(count(lab, &r, "HTTP/1.1 200 OK"), 1);
    assert_int_equal(count(lab, &r, "Content-Type: text/event-stream"), 1);
    assert_int_equal(count(lab, &r, "event: run\n"), 1);
    assert_int_equal(count(lab, &r, "event: step\n"), 0);
    put_step(lab, run, 1, STEP_INTENT, true);
    lab_changed(lab, run);
    assert_int_equal(count(lab, &r, "event: step\nid: 0.0\n"), 1);
    lab_changed(lab, run); /* nothing changed: nothing is told */
    lab_changed(lab, run + 1);
    assert_int_equal(count(lab, &r, "event: "), 2);
    put_step(lab, run, 1, STEP_COMMITTED, false);
    lab_changed(lab, run);
    assert_int_equal(count(lab, &r, "event: step\nid: 1.0\n"), 1);
    put_log(lab, run, "line one");
    lab_changed(lab, run);
    assert_int_equal(count(lab, &r, "event: log\nid: 1.1\n"), 1);
    assert_int_equal(count(lab, &r, "line one"), 1);
    assert_false(r.is_ended);
    close_reader(lab, &r);
}

static void the_end_comes_last(void **state)
{
    struct lab *lab = *state;
    struct reader r;
    int64_t run = add_run(lab);
    open_reader(lab, &r, run, NULL);
    put_step(lab, run, 1, STEP_COMMITTED, true);
    put_state(lab, run, RUN_SUCCEEDED);
    put_log(lab, run, "last words");
    lab_changed(lab, run);
    assert_int_equal(count(lab, &r, "event: end\n"), 1);
    struct str s = buf_str(&r.out);
    const char *order[] = {"event: step", "last words", "\"state\":\"succeeded\"", "event: end"};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        const char *p = memmem(s.ptr + at, s.len - at, order[i], strlen(order[i]));
        assert_row(p != NULL, i, "%s", order[i]);
        at = (size_t)(p - s.ptr);
    }
    assert_int_equal(count(lab, &r, "0\r\n\r\n"),
                     1); /* the stream has ended, the connection has not */
    close_reader(lab, &r);
    open_reader(lab, &r, run, NULL); /* a run that is over is told whole */
    assert_int_equal(count(lab, &r, "event: "), 4);
    close_reader(lab, &r);
}

static void a_reader_goes_on_where_it_was(void **state)
{
    struct lab *lab = *state;
    struct reader r;
    int64_t run = add_run(lab);
    for (int64_t seq = 1; seq <= 5; seq++)
        put_step(lab, run, seq, seq == 4 ? STEP_OPEN : STEP_COMMITTED, true);
    put_log(lab, run, "one");
    put_log(lab, run, "two");
    open_reader(lab, &r, run, "3.1");
    /* 4 is open and 5 came after it: both again, none before */
    assert_int_equal(count(lab, &r, "event: step\n"), 2);
    assert_int_equal(count(lab, &r, "\"seq\":4,"), 1);
    assert_int_equal(count(lab, &r, "\"seq\":5,"), 1);
    assert_int_equal(count(lab, &r, "event: log\n"), 1);
    put_step(lab, run, 4, STEP_COMMITTED, false);
    lab_changed(lab, run);
    assert_int_equal(count(lab, &r, "event: step\n"), 3);
    put_step(lab, run, 6, STEP_COMMITTED, true);
    lab_changed(lab, run);
    assert_int_equal(count(lab, &r, "id: 6.2\n"), 1);
    close_reader(lab, &r);
    static const char *const ODD[] = {"x",    "-1.0", "1", "1.2.3", "99999999999999999999.0",
                                      "1.-1", ".",    ""};
    for (size_t i = 0; i < ARRAY_LEN(ODD); i++) { /* as if from the beginning */
        open_reader(lab, &r, run, ODD[i]);
        assert_row(count(lab, &r, "event: step\n") == 6, i, "%s", ODD[i]);
        close_reader(lab, &r);
    }
    open_reader(lab, &r, run, "9223372036854775807.9223372036854775807"); /* ahead of everything */
    assert_int_equal(count(lab, &r, "event: step\n"), 0);
    close_reader(lab, &r);
}

static void long_runs_come_page_by_page(void **state)
{
    struct lab *lab = *state;
    struct reader r;
    int64_t run = add_run(lab);
    for (int64_t seq = 1; seq <= 300; seq++) {
        struct store_step step = tmpstore_step(run, seq);
        step.state =
            seq == 7 ? STEP_OPEN : STEP_COMMITTED; /* holds the mark back, not the telling */
        must_ok(lab->store, store_step_add(lab->store->store, &step, &lab->store->err));
        must_ok(lab->store, store_log_add(lab->store->store, run, 1, STR("info"), STR("w"),
                                          STR("x"), &lab->store->err));
    }
    put_state(lab, run, RUN_RUNNING);
    open_reader(lab, &r, run, NULL);
    assert_int_equal(count(lab, &r, "event: step\n"), 300);
    assert_int_equal(count(lab, &r, "event: log\n"), 300);
    put_step(lab, run, 7, STEP_COMMITTED, false);
    put_state(lab, run, RUN_FAILED);
    lab_changed(lab, run);
    assert_int_equal(count(lab, &r, "event: step\n"), 301);
    assert_int_equal(count(lab, &r, "event: end\n"), 1);
    close_reader(lab, &r);
}

/* Nobody said that the run changed: it is looked at from time to time, and whether anybody reads is
 * found out. */
static void it_looks_by_itself(void **state)
{
    struct lab *lab = *state;
    struct reader r;
    int64_t run = add_run(lab);
    open_reader(lab, &r, run, NULL);
    assert_int_equal(count(lab, &r, "event: run\n"), 1);
    put_step(lab, run, 1, STEP_INTENT, true);
    lab_advance(lab, 5100);
    assert_int_equal(count(lab, &r, "event: step\n"), 1);
    for (int i = 0; i < 4; i++)
        lab_advance(lab, 5100);
    assert_true(count(lab, &r, ": still here\n") >= 1);
    lab_advance(lab, 600000); /* a stream has no deadline */
    assert_false(count(lab, &r, "event: end") || r.is_ended);
    close_reader(lab, &r);
}

/* A reader that takes nothing: what waits for it stays bounded, and others go on. */
static void a_slow_reader_costs_a_page(void **state)
{
    struct lab *lab = *state;
    struct reader slow, quick;
    char text[4000];
    int64_t run = add_run(lab);
    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    open_reader(lab, &slow, run, NULL);
    open_reader(lab, &quick, run, NULL);
    for (int i = 0; i < 900; i++) /* 3.6 MB, more than a socket takes */
        must_ok(lab->store, store_log_add(lab->store->store, run, 1, STR("info"), STR("w"),
                                          str_of(text), &lab->store->err));
    commit(lab);
    for (int i = 0; i < 20; i++)
        lab_changed(lab, run);
    assert_int_equal(count(lab, &quick, "event: log\n"), 900);
    lab_advance(lab, 5100);
    assert_int_equal(count(lab, &slow, "event: log\n"), 900); /* when it reads, all is there */
    close(slow.fd);
    buf_release(&slow.out);
    close_reader(lab, &quick);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(steps_are_told_as_they_change), T(the_end_comes_last), T(a_reader_goes_on_where_it_was),
        T(long_runs_come_page_by_page),   T(it_looks_by_itself), T(a_slow_reader_costs_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
