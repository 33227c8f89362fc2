/*
 * wait.c: event waits by bucket, and the counters of a run.
 */
#include "tests/lib/tmpstore.h"

#include <stdio.h>

static int count_one(void *arg, const struct store_step *st)
{
    int64_t *seen = arg;
    seen[0]++;
    seen[1] = st->run;
    return 0;
}

static void add_wait(struct tmpstore *t, int64_t run, int64_t seq, const char *type, int64_t bucket)
{
    struct store_step st = tmpstore_step(run, seq);
    st.kind = STEP_EVENT_WAIT;
    st.state = STEP_OPEN;
    st.key = str_of(type);
    st.child = bucket;
    must_ok(t, store_step_add(t->store, &st, &t->err));
}

static int64_t open_in(struct tmpstore *t, const char *type, int64_t bucket, int64_t *ret_run)
{
    int64_t seen[2] = {0, 0};
    must_ok(t, store_waits_open(t->store, str_of(type), bucket, count_one, seen, &t->err));
    if (ret_run != NULL)
        *ret_run = seen[1];
    return seen[0];
}

/* One bucket holds those that want the same, of the same type, while they are open. */
static void waits_by_bucket(void **state)
{
    struct tmpstore *t = *state;
    int64_t a = tmpstore_run(t, "w"), b = tmpstore_run(t, "w"), c = tmpstore_run(t, "w"), run;
    add_wait(t, a, 1, "paid", -7);
    add_wait(t, b, 1, "paid", -8);
    add_wait(t, c, 1, "paid", 0);
    add_wait(t, c, 2, "sent", -7);
    assert_int_equal(open_in(t, "paid", -7, &run), 1);
    assert_int_equal(run, a);
    assert_int_equal(open_in(t, "paid", -8, &run), 1);
    assert_int_equal(run, b);
    assert_int_equal(open_in(t, "paid", 0, &run), 1);
    assert_int_equal(run, c);
    assert_int_equal(open_in(t, "paid", -9, NULL), 0);
    assert_int_equal(open_in(t, "sent", -7, &run), 1);
    assert_int_equal(run, c);

    struct store_step st = tmpstore_step(a, 1);
    st.kind = STEP_EVENT_WAIT;
    st.key = STR("paid");
    st.state = STEP_COMMITTED;
    st.child = 12; /* the event */
    must_ok(t, store_step_update(t->store, &st, &t->err));
    assert_int_equal(open_in(t, "paid", -7, NULL), 0);
}

/* Paths are kept once; beyond the limit, and where one cannot be kept, the wait has no bucket. */
static void paths_are_bounded(void **state)
{
    struct tmpstore *t = *state;
    struct store_wait_paths paths;
    char path[STORE_WAIT_PATH_SIZE + 1];
    bool known;
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < STORE_WAIT_PATHS; i++) {
            (void)snprintf(path, sizeof(path), "data.p%d", i);
            must_ok(t, store_wait_path_put(t->store, STR("paid"), str_of(path), &known, &t->err));
            assert_true(known);
        }
    must_ok(t, store_wait_path_put(t->store, STR("paid"), STR("one.more"), &known, &t->err));
    assert_false(known);
    must_ok(t, store_wait_path_put(t->store, STR("sent"), STR("one.more"), &known, &t->err));
    assert_true(known);
    memset(path, 'x', sizeof(path));
    must_ok(t, store_wait_path_put(t->store, STR("sent"), (struct str){path, sizeof(path)}, &known,
                                   &t->err));
    assert_false(known);
    must_ok(t,
            store_wait_path_put(t->store, STR("sent"), (struct str){"a\0b", 3}, &known, &t->err));
    assert_false(known);
    tmpstore_reopen(t);
    must_ok(t, store_wait_paths(t->store, STR("paid"), &paths, &t->err));
    assert_int_equal(paths.count, STORE_WAIT_PATHS);
    must_ok(t, store_wait_paths(t->store, STR("sent"), &paths, &t->err));
    assert_int_equal(paths.count, 1);
    assert_string_equal(paths.path[0], "one.more");
    must_ok(t, store_wait_paths(t->store, STR("none"), &paths, &t->err));
    assert_int_equal(paths.count, 0);
}

/* store_run_progress writes the counters and nothing else. */
static void progress_is_counters(void **state)
{
    struct tmpstore *t = *state;
    struct store_run r, back;
    int64_t id = tmpstore_run(t, "w");
    must_ok(t, store_run_get(t->store, id, &t->arena, &r, &t->err));
    struct store_run changed = r;
    changed.next_seq = 9;
    changed.steps = 8;
    changed.tool_calls = 3;
    changed.model_calls = 2;
    changed.input_tokens = 70;
    changed.output_tokens = 7;
    changed.cost_micro = 11;
    changed.state = RUN_DEAD;
    changed.reason = STR("not written");
    must_ok(t, store_run_progress(t->store, &changed, &t->err));
    must_ok(t, store_run_get(t->store, id, &t->arena, &back, &t->err));
    assert_int_equal(back.next_seq, 9);
    assert_int_equal(back.steps, 8);
    assert_int_equal(back.tool_calls, 3);
    assert_int_equal(back.model_calls, 2);
    assert_int_equal(back.input_tokens, 70);
    assert_int_equal(back.output_tokens, 7);
    assert_int_equal(back.cost_micro, 11);
    assert_int_equal(back.state, r.state);
    assert_true(str_eq(back.reason, r.reason));
    changed.id = 999;
    must_fail(t, store_run_progress(t->store, &changed, &t->err), ENOENT);
}

/* ---- the clock is set
 * ---------------------------------------------------------------------------- */

#define DAY INT64_C(86400000)

static int64_t add_sleep(struct tmpstore *t, int64_t run, int64_t seq, int64_t wake,
                         const char *info)
{
    struct store_step st = tmpstore_step(run, seq);
    st.kind = STEP_TIMER;
    st.state = STEP_OPEN;
    st.wake_ms = wake;
    st.info = str_of(info);
    must_ok(t, store_step_add(t->store, &st, &t->err));
    return wake;
}

static void wait_until(struct tmpstore *t, int64_t id, enum run_wait wait, int64_t wake,
                       int64_t failing)
{
    struct arena a;
    struct store_run r;
    arena_init(&a, 1u << 20);
    must_ok(t, store_run_get(t->store, id, &a, &r, &t->err));
    r.state = RUN_WAITING;
    r.wait = wait;
    r.wake_ms = wake;
    r.failing_ms = failing;
    must_ok(t, store_run_update(t->store, &r, &t->err));
    arena_release(&a);
}

static int64_t column(struct tmpstore *t, const char *what, int64_t run)
{
    char sql[200];
    must_ok(t, store_commit(t->store, &t->err));
    (void)snprintf(sql, sizeof(sql), "SELECT %s WHERE id=%" PRId64, what, run);
    return tmpstore_number(t, sql);
}

/* What lasts moves, dates stay, and a run is looked at when the earlier of its own says. */
static void spans_move_with_the_clock(void **state)
{
    struct tmpstore *t = *state;
    static const int64_t moves[] = {DAY, -2 * DAY, DAY};
    int64_t span = tmpstore_run(t, "w"), date = tmpstore_run(t, "w"), both = tmpstore_run(t, "w"),
            retry = tmpstore_run(t, "w"), ended = tmpstore_run(t, "w"), at = 0;
    struct store_step over = tmpstore_step(ended, 1);
    struct store_approval ap = {
        .run = span, .seq = 2, .quorum = 1, .approvers = STR("[]"), .expires_ms = 30 * DAY};
    wait_until(t, span, WAIT_TIMER, add_sleep(t, span, 1, 20 * DAY, ""), 0);
    wait_until(t, date, WAIT_TIMER, add_sleep(t, date, 1, 20 * DAY, "{}"), 0);
    (void)add_sleep(t, both, 1, 20 * DAY, "{}");
    wait_until(t, both, WAIT_TIMER, add_sleep(t, both, 2, 19 * DAY + 5, ""), 0);
    wait_until(t, retry, WAIT_RETRY, 20 * DAY, 10 * DAY);
    over.state = STEP_COMMITTED;
    must_ok(t, store_step_add(t->store, &over, &t->err));
    must_ok(t, store_approval_add(t->store, &ap, &ap.id, &t->err));
    must_ok(t, store_start_add(t->store, STR("w"), 20 * DAY, 10, &t->err));
    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        at += moves[i];
        must_ok(t, store_clock_shift(t->store, moves[i], &t->err));
        assert_int_equal(column(t, "wake_ms FROM run", span), 20 * DAY + at);
        assert_int_equal(column(t, "wake_ms FROM run", date), 20 * DAY);
        assert_int_equal(column(t, "wake_ms FROM run", both), MIN(20 * DAY, 19 * DAY + 5 + at));
        assert_int_equal(column(t, "wake_ms FROM run", retry), 20 * DAY + at);
        assert_int_equal(column(t, "failing_ms FROM run", retry), 10 * DAY + at);
        assert_int_equal(column(t, "failing_ms FROM run", span), 0);
        assert_int_equal(column(t, "expires_ms FROM approval", ap.id), 30 * DAY + at);
        assert_int_equal(tmpstore_number(t, "SELECT at_ms FROM start"), 20 * DAY + at);
        assert_int_equal(tmpstore_number(t, "SELECT max(wake_ms) FROM step WHERE state=2"),
                         over.wake_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(waits_by_bucket),
        store_test(paths_are_bounded),
        store_test(spans_move_with_the_clock),
        store_test(progress_is_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
