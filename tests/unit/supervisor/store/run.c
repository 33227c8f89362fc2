/*
 * run.c: events, runs and steps: all columns come back, lists are in order and whole, and each
 * query has its index.
 */
#include "tests/lib/tmpstore.h"

#include <sqlite3.h>

#include "supervisor/store/internal.h"

static void events_come_once(void **state)
{
    struct tmpstore *t = *state;
    struct store_event e = {.source = STR("webhook/erp"),
                            .event_id = STR("a-1"),
                            .type = STR("invoice.received"),
                            .subject = STR("4711"),
                            .envelope = STR("{\"id\":\"a-1\"}"),
                            .received_ms = 77};
    int64_t first = 0, second = 0, third = 0;
    bool duplicate = true;
    must_ok(t, store_event_add(t->store, &e, &first, &duplicate, &t->err));
    assert_false(duplicate);
    e.envelope = STR("{\"id\":\"a-1\",\"other\":true}");
    must_ok(t, store_event_add(t->store, &e, &second, &duplicate, &t->err));
    assert_true(duplicate);
    assert_int_equal(first, second);
    e.source = STR("webhook/erp2"); /* the same id from another source is another event */
    must_ok(t, store_event_add(t->store, &e, &third, &duplicate, &t->err));
    assert_false(duplicate);
    assert_true(third > first);
    tmpstore_reopen(t);
    struct store_event got;
    must_ok(t, store_event_get(t->store, first, &t->arena, &got, &t->err));
    assert_int_equal(got.id, first);
    assert_str(got.source, "webhook/erp");
    assert_str(got.event_id, "a-1");
    assert_str(got.type, "invoice.received");
    assert_str(got.subject, "4711");
    assert_str(got.envelope, "{\"id\":\"a-1\"}");
    assert_int_equal(got.received_ms, 77);
    must_fail(t, store_event_get(t->store, 99, &t->arena, &got, &t->err), ENOENT);
}

struct seen {
    struct tmpstore *t;
    int64_t ids[1000];
    int n, stop_after;
};

static int see_event(void *arg, const struct store_event *e)
{
    struct seen *s = arg;
    s->ids[s->n++] = e->id;
    return s->n == s->stop_after ? 42 : 0;
}

static void events_since(void **state)
{
    struct tmpstore *t = *state;
    bool duplicate;
    int64_t id, cut = 0;
    for (int i = 0; i < 60; i++) {
        struct str name = arena_fmt(&t->arena, "e%d", i);
        struct store_event e = {
            .source = STR("s"), .event_id = name, .type = i % 2 ? STR("odd") : STR("even")};
        must_ok(t, store_event_add(t->store, &e, &id, &duplicate, &t->err));
        if (i == 9)
            cut = id;
    }
    struct seen s = {.t = t};
    assert_int_equal(store_events_since(t->store, STR("odd"), cut, see_event, &s, &t->err), 0);
    assert_int_equal(s.n, 25);
    for (int i = 1; i < s.n; i++)
        assert_true(s.ids[i] > s.ids[i - 1] && s.ids[0] > cut);
    s = (struct seen){.stop_after = 20};
    assert_int_equal(store_events_since(t->store, STR("odd"), 0, see_event, &s, &t->err), 42);
    assert_int_equal(s.n, 20);
    s = (struct seen){0};
    assert_int_equal(store_events_since(t->store, STR("none"), 0, see_event, &s, &t->err), 0);
    assert_int_equal(s.n, 0);
}

static struct store_run whole_run(struct tmpstore *t)
{
    struct store_run r = {
        .tenant = STR("acme"),
        .workflow = STR("invoice-triage"),
        .version = digest_of(STR("v")),
        .event = 3,
        .parent = 4,
        .parent_step = 5,
        .depth = 6,
        .trace_id = "0123456789abcdef0123456789abcdef",
        .mode = RUN_DRY,
        .origin = 2,
        .origin_step = 21,
        .seed = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .clock_ms = 22,
        .state = RUN_WAITING,
        .wait = WAIT_APPROVAL,
        .wake_ms = 7,
        .attempt = 8,
        .failures = 9,
        .next_seq = 10,
        .checkpoint_seq = 11,
        .checkpoint_doc = tmpstore_doc(t, STR("1")),
        .cancel = true,
        .reason = STR("waits for ap-leads"),
        .result_doc = tmpstore_doc(t, STR("2")),
        .created_ms = 12,
        .started_ms = 13,
        .ended_ms = 14,
        .steps = 15,
        .tool_calls = 16,
        .model_calls = 17,
        .input_tokens = 18,
        .output_tokens = 19,
        .cost_micro = INT64_MAX,
    };
    return r;
}

static void same_run(const struct store_run *a, const struct store_run *b)
{
    assert_true(str_eq(a->tenant, b->tenant) && str_eq(a->workflow, b->workflow) &&
                str_eq(a->reason, b->reason));
    assert_true(digest_eq(&a->version, &b->version));
    assert_string_equal(a->trace_id, b->trace_id);
#define SAME(field) assert_int_equal(a->field, b->field)
    SAME(id);
    SAME(event);
    SAME(parent);
    SAME(parent_step);
    assert_string_equal(a->seed, b->seed);
    SAME(mode);
    SAME(origin);
    SAME(origin_step);
    SAME(clock_ms);
    SAME(depth);
    SAME(state);
    SAME(wait);
    SAME(wake_ms);
    SAME(attempt);
    SAME(failures);
    SAME(next_seq);
    SAME(checkpoint_seq);
    SAME(checkpoint_doc);
    SAME(cancel);
    SAME(result_doc);
    SAME(created_ms);
    SAME(started_ms);
    SAME(ended_ms);
    SAME(steps);
    SAME(tool_calls);
    SAME(model_calls);
    SAME(input_tokens);
    SAME(output_tokens);
    SAME(cost_micro);
}

static void runs_come_back_whole(void **state)
{
    struct tmpstore *t = *state;
    struct store_run r = whole_run(t), got;
    must_ok(t, store_run_add(t->store, &r, &r.id, &t->err));
    assert_int_equal(r.id, 1);
    tmpstore_reopen(t);
    must_ok(t, store_run_get(t->store, 1, &t->arena, &got, &t->err));
    same_run(&got, &r);

    struct store_run u = {.id = 1,
                          .tenant = STR("x"),
                          .workflow = STR("y"),
                          .event = 99,
                          .created_ms = 99,
                          .state = RUN_SUCCEEDED,
                          .reason = STR(""),
                          .next_seq = 20,
                          .cost_micro = -1};
    must_ok(t, store_run_update(t->store, &u, &t->err));
    tmpstore_reopen(t);
    must_ok(t, store_run_get(t->store, 1, &t->arena, &got, &t->err));
    u.tenant = r.tenant; /* what an update must not touch */
    u.workflow = r.workflow;
    u.version = r.version;
    u.event = r.event;
    u.parent = r.parent;
    u.parent_step = r.parent_step;
    u.created_ms = r.created_ms;
    u.mode = r.mode;
    u.origin = r.origin;
    u.origin_step = r.origin_step;
    u.clock_ms = r.clock_ms;
    memcpy(u.seed, r.seed, sizeof(u.seed));
    memcpy(u.trace_id, r.trace_id, sizeof(u.trace_id));
    same_run(&got, &u);
    u.id = 7;
    must_fail(t, store_run_update(t->store, &u, &t->err), ENOENT);
    must_fail(t, store_run_get(t->store, 7, &t->arena, &got, &t->err), ENOENT);
    u.state = (enum run_state)77;
    u.id = 1;
    must_fail(t, store_run_update(t->store, &u, &t->err), EINVAL);
    assert_false(store_is_broken(t->store));
}

static int see_run(void *arg, const struct store_run *r)
{
    struct seen *s = arg;
    s->ids[s->n++] = r->id;
    if (s->t != NULL) { /* the store may be used in here, this list included, and the row be moved
                           out of it */
        struct seen inner = {0};
        struct store_run moved = *r;
        moved.state = RUN_FAILED;
        moved.wake_ms = 0;
        must_ok(s->t, store_run_update(s->t->store, &moved, &s->t->err));
        assert_int_equal(
            store_runs(s->t->store, 1u << RUN_FAILED, 0, 10, see_run, &inner, &s->t->err), 0);
        assert_true(inner.n >= 1);
    }
    return s->n == s->stop_after ? 42 : 0;
}

static void lists_of_runs(void **state)
{
    struct tmpstore *t = *state;
    struct store_run r = {.tenant = STR("acme"), .workflow = STR("w"), .next_seq = 1};
    int64_t by_state[RUN_STATE_COUNT];
    for (int i = 0; i < 800; i++) {
        r.state = (enum run_state)(i % RUN_STATE_COUNT);
        r.wait = r.state == RUN_WAITING ? (i % 16 < 8 ? WAIT_TIMER : WAIT_EVENT) : WAIT_NONE;
        r.wake_ms = r.wait == WAIT_TIMER ? 100000 - i : 0;
        r.parent = i % 5 == 0 ? 1 : 0;
        must_ok(t, store_run_add(t->store, &r, &r.id, &t->err));
    }
    must_ok(t, store_runs_count(t->store, by_state, &t->err));
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        assert_int_equal(by_state[i], 100);

    static const struct {
        unsigned states;
        int64_t after;
        int limit, want;
    } rows[] = {
        {1u << RUN_QUEUED, 0, 1000, 100},
        {1u << RUN_DEAD, 0, 7, 7},
        {0xff, 0, 1000, 800},
        {0x0f, 0, 1000, 400},
        {0x0f, 400, 1000, 200},
        {0x81, 0, 150, 150},
        {0, 0, 10, 0},
        {0xff, 0, 0, 0},
        {0xff, 800, 10, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct seen s = {0};
        assert_int_equal(store_runs(t->store, rows[i].states, rows[i].after, rows[i].limit, see_run,
                                    &s, &t->err),
                         0);
        assert_row(s.n == rows[i].want, i, "%d rows", s.n);
        for (int k = 0; k < s.n; k++)
            assert_row(s.ids[k] > (k > 0 ? s.ids[k - 1] : rows[i].after), i, "order at %d", k);
    }

    struct seen s = {0};
    int64_t wake = 0;
    must_ok(t, store_next_wake(t->store, &wake, &t->err));
    assert_int_equal(wake, 100000 - 787); /* the last of i % 16 == 3 */
    assert_int_equal(store_runs_due(t->store, wake - 1, 100, see_run, &s, &t->err), 0);
    assert_int_equal(s.n, 0);
    assert_int_equal(store_runs_due(t->store, 100000, 10, see_run, &s, &t->err), 0);
    assert_int_equal(s.n, 10);
    assert_int_equal(s.ids[0], 788);
    assert_true(s.ids[9] < s.ids[8]); /* earliest first */
    s = (struct seen){0};
    assert_int_equal(store_runs_waiting(t->store, WAIT_EVENT, 0, 1000, see_run, &s, &t->err), 0);
    assert_int_equal(s.n, 50);
    s = (struct seen){.stop_after = 3};
    assert_int_equal(store_runs_children(t->store, 1, see_run, &s, &t->err), 42);
    s = (struct seen){0};
    assert_int_equal(store_runs_children(t->store, 1, see_run, &s, &t->err), 0);
    assert_int_equal(s.n, 160);
    s = (struct seen){.t = t};
    assert_int_equal(store_runs_due(t->store, 100000, 1000, see_run, &s, &t->err), 0);
    assert_int_equal(s.n, 50);
    must_ok(t, store_next_wake(t->store, &wake, &t->err));
    assert_int_equal(wake, 0);
}

static void same_step(const struct store_step *a, const struct store_step *b)
{
    assert_true(str_eq(a->key, b->key) && str_eq(a->reason, b->reason) && str_eq(a->info, b->info));
    assert_true(str_eq(a->request_text, b->request_text) &&
                str_eq(a->outcome_text, b->outcome_text));
    assert_true(digest_eq(&a->request, &b->request));
    SAME(run);
    SAME(seq);
    SAME(kind);
    SAME(occurrence);
    SAME(request_doc);
    SAME(state);
    SAME(seen);
    SAME(attempt);
    SAME(tries);
    SAME(outcome_doc);
    SAME(outcome_error);
    SAME(decision);
    SAME(approval);
    SAME(asked_ms);
    SAME(began_ms);
    SAME(ended_ms);
    SAME(wake_ms);
    SAME(child);
    SAME(input_tokens);
    SAME(output_tokens);
    SAME(cost_micro);
}

/* Short ones in the row, others as documents; both come back to the byte. */
static void short_texts_stand_in_the_row(void **state)
{
    struct tmpstore *t = *state;
    int64_t run = tmpstore_run(t, "w"), doc = 0;
    char text[STORE_INLINE_MAX + 1];
    static const size_t sizes[] = {0, 1, STORE_INLINE_MAX, STORE_INLINE_MAX + 1};
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct store_step st = tmpstore_step(run, (int64_t)i + 1), got;
        struct str back;
        must_ok(t, store_text_put(t->store, (struct str){text, sizes[i]}, &st.outcome_doc,
                                  &st.outcome_text, &t->err));
        assert_int_equal(st.outcome_doc == STORE_DOC_INLINE, sizes[i] <= STORE_INLINE_MAX);
        must_ok(t, store_step_add(t->store, &st, &t->err));
        tmpstore_reopen(t);
        must_ok(t, store_step_get(t->store, run, st.seq, &t->arena, &got, &t->err));
        must_ok(t, store_text_get(t->store, got.outcome_doc, got.outcome_text, &t->arena, &back,
                                  &t->err));
        assert_true(str_eq(back, (struct str){text, sizes[i]}));
    }
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM doc"), 1);
    struct str kept; /* a column of text ends at a NUL: such a one is a document */
    must_ok(t, store_text_put(t->store, (struct str){"a\0b", 3}, &doc, &kept, &t->err));
    assert_true(doc > 0);
}

static void steps_come_back_whole(void **state)
{
    struct tmpstore *t = *state;
    int64_t run = tmpstore_run(t, "w");
    struct store_step st =
                          {
                              .run = run,
                              .seq = 3,
                              .kind = STEP_MODEL,
                              .key = STR("gpt"),
                              .occurrence = 2,
                              .request = digest_of(STR("r")),
                              .request_doc = STORE_DOC_INLINE,
                              .request_text = STR("{\"key\":\"a\"}"),
                              .state = STEP_INTENT,
                              .seen = 4,
                              .attempt = 5,
                              .tries = 6,
                              .outcome_doc = tmpstore_doc(t, STR("[]")),
                              .outcome_error = true,
                              .reason = STR("why"),
                              .decision = 7,
                              .approval = 8,
                              .asked_ms = 9,
                              .began_ms = 10,
                              .ended_ms = 11,
                              .wake_ms = 12,
                              .child = 13,
                              .input_tokens = 14,
                              .output_tokens = 15,
                              .cost_micro = 16,
                              .info = STR("{\"model\":\"m\"}"),
                          },
                      got;
    must_ok(t, store_step_add(t->store, &st, &t->err));
    tmpstore_reopen(t);
    must_ok(t, store_step_get(t->store, run, 3, &t->arena, &got, &t->err));
    same_step(&got, &st);

    struct store_step u = {.run = run,
                           .seq = 3,
                           .state = STEP_COMMITTED,
                           .tries = 1,
                           .ended_ms = 99,
                           .info = STR("{}"),
                           .kind = STEP_TIMER,
                           .key = STR("other"),
                           .attempt = 77,
                           .asked_ms = 77,
                           .seen = 77};
    must_ok(t, store_step_update(t->store, &u, &t->err));
    tmpstore_reopen(t);
    must_ok(t, store_step_get(t->store, run, 3, &t->arena, &got, &t->err));
    u.kind = st.kind; /* what an update must not touch */
    u.key = st.key;
    u.occurrence = st.occurrence;
    u.request = st.request;
    u.request_doc = st.request_doc;
    u.request_text = st.request_text;
    u.seen = st.seen;
    u.attempt = st.attempt;
    u.asked_ms = st.asked_ms;
    same_step(&got, &u);

    must_fail(t, store_step_add(t->store, &st, &t->err), EINVAL); /* its outcome is gone */
    st.outcome_doc = 0;
    must_fail(t, store_step_add(t->store, &st, &t->err), EEXIST);
    st.seq = 4;
    must_fail(t, store_step_update(t->store, &st, &t->err), ENOENT);
    must_fail(t, store_step_get(t->store, run, 4, &t->arena, &got, &t->err), ENOENT);
    static const int64_t bad[][2] = {{0, 1},
                                     {-1, 1},
                                     {1, -1},
                                     {1, 0},
                                     {1, RUN_SEQ_MAX + 1},
                                     {RUN_ID_MAX + 1, 1},
                                     {INT64_MAX, INT64_MAX},
                                     {INT64_MIN, INT64_MIN}};
    st.request_doc = 0;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        st.run = bad[i][0];
        st.seq = bad[i][1];
        int r = store_step_add(t->store, &st, &t->err);
        assert_row(r == -EINVAL || r == -E2BIG, i, "%d", r);
    }
    st.run = run;
    st.seq = RUN_SEQ_MAX;
    must_ok(t, store_step_add(t->store, &st, &t->err));
}

static int see_step(void *arg, const struct store_step *st)
{
    struct seen *s = arg;
    s->ids[s->n++] = st->run * 1000 + st->seq;
    if (s->t != NULL) {
        struct store_step u = *st;
        u.state = STEP_UNKNOWN;
        must_ok(s->t, store_step_update(s->t->store, &u, &s->t->err));
    }
    return s->n == s->stop_after ? 42 : 0;
}

static void lists_of_steps(void **state)
{
    struct tmpstore *t = *state;
    int64_t runs[3];
    for (int i = 0; i < 3; i++)
        runs[i] = tmpstore_run(t, "w");
    for (int i = 1; i <= 300; i++)
        for (int k = 0; k < 3; k++) {
            struct store_step st = tmpstore_step(runs[k], i);
            st.state = i == 300 ? STEP_INTENT : STEP_COMMITTED;
            must_ok(t, store_step_add(t->store, &st, &t->err));
        }
    struct seen s = {0};
    assert_int_equal(store_steps(t->store, runs[1], 0, see_step, &s, &t->err), 0);
    assert_int_equal(s.n, 300);
    for (int i = 0; i < 300; i++)
        assert_int_equal(s.ids[i], runs[1] * 1000 + i + 1);
    s = (struct seen){0};
    assert_int_equal(store_steps(t->store, runs[1], 298, see_step, &s, &t->err), 0);
    assert_int_equal(s.n, 2);
    s = (struct seen){.stop_after = 260};
    assert_int_equal(store_steps(t->store, runs[1], 0, see_step, &s, &t->err), 42);
    assert_int_equal(s.n, 260);
    s = (struct seen){.t = t};
    assert_int_equal(store_steps_in_state(t->store, STEP_INTENT, see_step, &s, &t->err), 0);
    assert_int_equal(s.n, 3);
    s = (struct seen){0};
    assert_int_equal(store_steps_in_state(t->store, STEP_INTENT, see_step, &s, &t->err), 0);
    assert_int_equal(s.n, 0);
    assert_int_equal(store_steps_in_state(t->store, STEP_UNKNOWN, see_step, &s, &t->err), 0);
    assert_int_equal(s.n, 3);
    s = (struct seen){0};
    assert_int_equal(store_steps_in_state(t->store, STEP_COMMITTED, see_step, &s, &t->err), 0);
    assert_int_equal(s.n, 897);
}

/* No statement reads a whole table, but for those that count or list all by their nature. */
static void queries_have_an_index(void **state)
{
    struct tmpstore *t = *state;
    static const enum sql_id whole[] = {
        SQL_RUNS_COUNT,    SQL_VIEW_WORKFLOWS,   SQL_HISTORY_KEYS, SQL_STEPS_ENDED,
        SQL_VIEW_USAGE,    SQL_VIEW_USAGE_TOTAL, SQL_DOC_LAST,     SQL_AUDIT_LAST,
        SQL_AUDIT_COUNTER, SQL_DROP_OLD_EVENTS,  SQL_VIEW_WAITS,   SQL_DROP_HISTORY,
        SQL_QUEUES,        SQL_SWITCHES,         SQL_WORKFLOWS,    SQL_BYTES_OF_TENANTS,
        SQL_CLOCK_RATES};
    /* tables of a handful of rows, and what is made by the statement itself */
    static const char *const small[] = {"sqlite_sequence", "switch", "workflow", "(", "CONSTANT"};
    static const char *const texts[] = {
#define SQL(id, text) text,
#include "supervisor/store/sql.def"
#undef SQL
    };
    for (size_t i = 0; i < SQL_COUNT; i++) {
        bool may_scan =
            strstr(texts[i], " FROM switch") != NULL || strstr(texts[i], "shadow/") != NULL;
        for (size_t k = 0; k < ARRAY_LEN(whole); k++)
            may_scan = may_scan || whole[k] == i;
        char sql[8192];
        (void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", texts[i]);
        sqlite3_stmt *stmt = NULL;
        assert_row(sqlite3_prepare_v2(t->store->db.handle, sql, -1, &stmt, NULL) == SQLITE_OK, i,
                   "%s: %s", texts[i], sqlite3_errmsg(t->store->db.handle));
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(stmt, 3);
            bool scans = strncmp(step, "SCAN ", 5) == 0;
            for (size_t k = 0; k < ARRAY_LEN(small); k++)
                scans = scans && strncmp(step + 5, small[k], strlen(small[k])) != 0;
            bool sorts = strstr(step, "TEMP B-TREE FOR ORDER BY") != NULL;
            assert_row(may_scan || (!scans && !sorts), i, "%s\n  %s", texts[i], step);
        }
        sqlite3_finalize(stmt);
    }
}

static void names_are_words(void **state)
{
    (void)state;
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        assert_true(strlen(run_state_name((enum run_state)i)) > 3);
    for (int i = 0; i < RUN_WAIT_COUNT; i++)
        assert_true(strlen(run_wait_name((enum run_wait)i)) > 3);
    for (int i = 0; i < STEP_KIND_COUNT; i++)
        assert_true(strlen(step_kind_name((enum step_kind)i)) > 3);
    for (int i = 0; i < STEP_STATE_COUNT; i++)
        assert_true(strlen(step_state_name((enum step_state)i)) > 3);
    for (int i = 0; i < APPROVAL_STATE_COUNT; i++)
        assert_true(strlen(approval_state_name((enum approval_state)i)) > 3);
    for (int i = 0; i < APPROVAL_KIND_COUNT; i++)
        assert_true(strlen(approval_kind_name((enum approval_kind)i)) > 3);
    assert_string_equal(run_state_name((enum run_state)99), "?");
    assert_string_equal(step_kind_name((enum step_kind) - 1), "?");
    assert_false(run_state_is_final(RUN_WAITING));
    assert_true(run_state_is_final(RUN_SUCCEEDED) && run_state_is_final(RUN_DEAD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(events_come_once),
        store_test(events_since),
        store_test(runs_come_back_whole),
        store_test(lists_of_runs),
        store_test(short_texts_stand_in_the_row),
        store_test(steps_come_back_whole),
        store_test(lists_of_steps),
        store_test(queries_have_an_index),
        cmocka_unit_test(names_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
