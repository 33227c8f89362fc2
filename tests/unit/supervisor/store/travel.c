/*
 * travel.c: replays are apart from all counts and go by themselves; two runs side by side, whatever
 * their steps are.
 */
#include "tests/lib/tmpstore.h"

#include "supervisor/store/internal.h"
#include "supervisor/store/view.h"

static int64_t add_run(struct tmpstore *t, enum run_mode mode, enum run_state state, int64_t ended)
{
    struct store_run r = {.tenant = STR("acme"),
                          .workflow = STR("w"),
                          .next_seq = 1,
                          .mode = mode,
                          .origin = mode == RUN_REAL ? 0 : 1,
                          .state = state,
                          .ended_ms = ended};
    must_ok(t, store_run_add(t->store, &r, &r.id, &t->err));
    return r.id;
}

static void replays_are_not_counted_and_go(void **state)
{
    struct tmpstore *t = *state;
    int64_t by_state[RUN_STATE_COUNT];
    struct store_run got;
    int64_t real = add_run(t, RUN_REAL, RUN_SUCCEEDED, 10);
    int64_t dry = add_run(t, RUN_DRY, RUN_SUCCEEDED, 10);
    int64_t old = add_run(t, RUN_REPLAY, RUN_SUCCEEDED, 10);
    int64_t failed = add_run(t, RUN_REPLAY, RUN_FAILED, 20);
    int64_t live = add_run(t, RUN_REPLAY, RUN_RUNNING, 0);
    must_ok(t, store_runs_count(t->store, by_state, &t->err));
    assert_int_equal(by_state[RUN_SUCCEEDED], 2);
    assert_int_equal(by_state[RUN_FAILED], 0);
    assert_int_equal(by_state[RUN_RUNNING], 0);
    assert_int_equal(store_retention_replays(t->store, 15, 100, &t->err), 1);
    must_fail(t, store_run_get(t->store, old, &t->arena, &got, &t->err), ENOENT);
    assert_int_equal(store_retention_replays(t->store, INT64_MAX, 100, &t->err), 1);
    must_fail(t, store_run_get(t->store, failed, &t->arena, &got, &t->err), ENOENT);
    must_ok(t, store_run_get(t->store, real, &t->arena, &got, &t->err));
    must_ok(t, store_run_get(t->store, dry, &t->arena, &got, &t->err));
    must_ok(t, store_run_get(t->store, live, &t->arena, &got, &t->err));
}

/* A run whose steps are letters: the request; a capital has another outcome. */
static int64_t run_of(struct tmpstore *t, const char *letters)
{
    int64_t id = add_run(t, RUN_REAL, RUN_SUCCEEDED, 10);
    for (int64_t i = 0; letters[i]; i++) {
        char lower[2] = {(char)(letters[i] | 0x20), 0}, outcome[8];
        snprintf(outcome, sizeof(outcome), "\"%c\"", letters[i]);
        struct store_step st = tmpstore_step(id, i + 1);
        st.kind = STEP_NAMED;
        st.key = STR("k");
        st.request = digest_of(str_of(lower));
        st.state = STEP_COMMITTED;
        st.outcome_doc = tmpstore_doc(t, str_of(outcome));
        must_ok(t, store_step_add(t->store, &st, &t->err));
    }
    return id;
}

/* As "a:b" for a pair, "-" for none, and ! for a difference, ~ for a step that moved. */
static void draw(const struct json *diff, struct buf *out)
{
    const struct json *steps = json_get(diff, "steps");
    for (size_t i = 0; i < steps->array.count; i++) {
        const struct json *p = &steps->array.items[i], *a = json_get(p, "a"), *b = json_get(p, "b");
        buf_fmt(out, "%s%.*s:%.*s%s%s", i ? " " : "", a->type == JSON_NULL ? 1 : (int)a->raw.len,
                a->type == JSON_NULL ? "-" : a->raw.ptr, b->type == JSON_NULL ? 1 : (int)b->raw.len,
                b->type == JSON_NULL ? "-" : b->raw.ptr, json_get(p, "same")->boolean ? "" : "!",
                json_get(p, "moved")->boolean ? "~" : "");
    }
    buf_char(out, '\0');
}

static void two_runs_side_by_side(void **state)
{
    static const struct {
        const char *a, *b, *want;
        int first; /* index of the first difference; -1: none */
    } ROWS[] = {
        {"", "", "", -1},
        {"abc", "abc", "1:1 2:2 3:3", -1},
        {"abc", "aBc", "1:1 2:2! 3:3", 1},
        {"abc", "adc", "1:1 2:2! 3:3", 1},
        {"abc", "ac", "1:1 2:-! 3:2", 1},
        {"ac", "abc", "1:1 -:2! 2:3", 1},
        {"abc", "acb", "1:1 2:3~ 3:2", -1},
        {"aab", "ab", "1:1 2:-! 3:2", 1},
        {"abc", "", "1:-! 2:-! 3:-!", 0},
        {"", "ab", "-:1! -:2!", 0},
        {"aaa", "aaaa", "1:1 2:2 3:3 -:4!", 3},
    };
    struct tmpstore *t = *state;
    int64_t ids[2 * ARRAY_LEN(ROWS)];
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        ids[2 * i] = run_of(t, ROWS[i].a);
        ids[2 * i + 1] = run_of(t, ROWS[i].b);
    }
    must_ok(t, store_commit(t->store, &t->err));
    struct view *v;
    must_ok(t, view_open(t->dir, &v, &t->err));
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct buf text, shown;
        struct jout j;
        const struct json *diff;
        buf_init(&text, 1u << 20);
        buf_init(&shown, 4096);
        jout_begin(&j, &text);
        must_ok(t, view_diff(v, ids[2 * i], ids[2 * i + 1], &j, &t->err));
        assert_int_equal(jout_end(&j), 0);
        must_ok(t,
                json_parse(&t->arena, buf_str(&text), &JSON_LIMITS_DEFAULT, &diff, NULL, &t->err));
        draw(diff, &shown);
        assert_row(strcmp(shown.ptr, ROWS[i].want) == 0, i, "%s, not %s", shown.ptr, ROWS[i].want);
        const struct json *first = json_get(diff, "first");
        int64_t index = first->type == JSON_NULL ? -1 : json_get(first, "index")->integer;
        assert_int_equal(index, ROWS[i].first);
        assert_int_equal(json_get(diff, "same")->boolean, index < 0);
        buf_release(&text);
        buf_release(&shown);
    }
    struct buf text;
    struct jout j;
    buf_init(&text, 4096);
    jout_begin(&j, &text);
    must_fail(t, view_diff(v, ids[0], 4711, &j, &t->err), ENOENT);
    assert_int_equal(text.len, 0);
    buf_release(&text);
    view_close(v);
}

/* Longer runs than the table that aligns them: the rest is left out, and that is said. */
static void long_runs_are_cut(void **state)
{
    struct tmpstore *t = *state;
    static char letters[VIEW_DIFF_STEPS + 2];
    memset(letters, 'a', VIEW_DIFF_STEPS + 1);
    int64_t a = run_of(t, letters), b = run_of(t, "a");
    must_ok(t, store_commit(t->store, &t->err));
    struct view *v;
    struct buf text;
    struct jout j;
    const struct json *diff;
    must_ok(t, view_open(t->dir, &v, &t->err));
    buf_init(&text, 8u << 20);
    jout_begin(&j, &text);
    must_ok(t, view_diff(v, a, b, &j, &t->err));
    assert_int_equal(jout_end(&j), 0);
    must_ok(t, json_parse(&t->arena, buf_str(&text), &JSON_LIMITS_DEFAULT, &diff, NULL, &t->err));
    assert_true(json_get(diff, "cut")->boolean);
    assert_int_equal(json_get(diff, "steps")->array.count, VIEW_DIFF_STEPS);
    buf_release(&text);
    view_close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(replays_are_not_counted_and_go),
        store_test(two_runs_side_by_side),
        store_test(long_runs_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
