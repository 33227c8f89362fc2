/*
 * ledger.c: usage adds up; counters over windows agree with a count by hand, whatever the clock
 * does; values, policies and versions.
 */
#include "tests/lib/tmpstore.h"

static void usage_adds_up(void **state)
{
    struct tmpstore *t = *state;
    struct store_usage u = {.tenant = STR("acme"),
                            .workflow = STR("w"),
                            .route = STR("gpt"),
                            .day = 20000,
                            .calls = 1,
                            .input_tokens = 10,
                            .output_tokens = 5,
                            .cost_micro = 7},
                       sum;
    for (int i = 0; i < 3; i++)
        must_ok(t, store_usage_add(t->store, &u, &t->err));
    u.day = 20001;
    must_ok(t, store_usage_add(t->store, &u, &t->err));
    u.route = STR("");
    must_ok(t, store_usage_add(t->store, &u, &t->err));
    u.tenant = STR("other");
    must_ok(t, store_usage_add(t->store, &u, &t->err));
    tmpstore_reopen(t);
    must_ok(t, store_usage_tenant(t->store, STR("acme"), 20000, &sum, &t->err));
    assert_int_equal(sum.calls, 5);
    assert_int_equal(sum.input_tokens, 50);
    assert_int_equal(sum.output_tokens, 25);
    assert_int_equal(sum.cost_micro, 35);
    must_ok(t, store_usage_tenant(t->store, STR("acme"), 20001, &sum, &t->err));
    assert_int_equal(sum.calls, 2);
    must_ok(t, store_usage_tenant(t->store, STR("nobody"), 0, &sum, &t->err));
    assert_int_equal(sum.calls, 0);
}

struct entry {
    int64_t at_ms, value;
    unsigned tenant, workflow, tool, kind;
};

static const char *const tenants[] = {"", "acme", "zeta"}, *const workflows[] = {"", "w1", "w2"},
                         *const tools[] = {"", "ledger/pay", "mail/send"},
                         *const kinds[] = {"", "request", "committed"};

static struct store_history history_of(const struct entry *e)
{
    return (struct store_history){.at_ms = e->at_ms,
                                  .value = e->value,
                                  .tenant = str_of(tenants[e->tenant]),
                                  .workflow = str_of(workflows[e->workflow]),
                                  .tool = str_of(tools[e->tool]),
                                  .kind = str_of(kinds[e->kind]),
                                  .run = 1,
                                  .seq = 1};
}

static bool matches(const struct entry *e, const struct entry *m)
{
    return (!m->tenant || m->tenant == e->tenant) && (!m->workflow || m->workflow == e->workflow) &&
           (!m->tool || m->tool == e->tool) && (!m->kind || m->kind == e->kind) &&
           e->at_ms > m->at_ms;
}

static unsigned next(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % n;
}

static void counters_agree_with_counting(void **state)
{
    struct tmpstore *t = *state;
    struct entry entries[400];
    unsigned seed = 3;
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        struct entry *e = &entries[i];
        e->at_ms = (int64_t)(1000 + 10 * (i / 3));
        e->value = (int64_t)next(&seed, 1000) - 200;
        e->tenant = 1 + next(&seed, 2);
        e->workflow = 1 + next(&seed, 2);
        e->tool = 1 + next(&seed, 2);
        e->kind = 1 + next(&seed, 2);
        struct store_history h = history_of(e);
        must_ok(t, store_history_add(t->store, &h, &t->err));
    }
    for (int i = 0; i < 500; i++) {
        struct entry m = {.at_ms = (int64_t)(900 + next(&seed, 1600))};
        m.tenant = next(&seed, 3);
        m.workflow = next(&seed, 3);
        m.tool = next(&seed, 3);
        m.kind = next(&seed, 3);
        int64_t count = 0, sum = 0, got_count = -1, got_sum = -1;
        for (size_t k = 0; k < ARRAY_LEN(entries); k++)
            if (matches(&entries[k], &m)) {
                count++;
                sum += entries[k].value;
            }
        struct store_history h = history_of(&m);
        must_ok(t, store_history_sum(t->store, &h, m.at_ms, &got_count, &got_sum, &t->err));
        assert_row(got_count == count && got_sum == sum, i, "%ld/%ld, not %ld/%ld", (long)got_count,
                   (long)got_sum, (long)count, (long)sum);
    }
}

static int64_t count_since(struct tmpstore *t, int64_t since, int64_t *sum)
{
    struct store_history h = {.tool = STR("ledger/pay")};
    int64_t count = -1;
    must_ok(t, store_history_sum(t->store, &h, since, &count, sum, &t->err));
    return count;
}

static void counters_survive_clock_and_overflow(void **state)
{
    struct tmpstore *t = *state;
    int64_t sum;
    struct store_history h = {.tenant = STR("a"),
                              .workflow = STR("w"),
                              .tool = STR("ledger/pay"),
                              .kind = STR("request"),
                              .value = 1};
    assert_int_equal(count_since(t, 0, &sum), 0);
    static const int64_t times[] = {1000, 2000, 500, 500, 3000}; /* set back in between */
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        h.at_ms = times[i];
        must_ok(t, store_history_add(t->store, &h, &t->err));
    }
    assert_int_equal(count_since(t, 0, &sum), 5);
    assert_int_equal(count_since(t, 999, &sum), 5);
    assert_int_equal(count_since(t, 1000, &sum),
                     4); /* those that were set back count at 2000: never too few */
    assert_int_equal(count_since(t, 2000, &sum), 1);
    assert_int_equal(count_since(t, 3000, &sum), 0);
    h.value = INT64_MAX;
    must_ok(t, store_history_add(t->store, &h, &t->err));
    must_ok(t, store_history_add(t->store, &h, &t->err));
    assert_int_equal(count_since(t, 0, &sum), 7);
    assert_true(sum == INT64_MAX); /* capped, not wrapped: a limit stays exceeded */
}

static void values_policies_versions(void **state)
{
    struct tmpstore *t = *state;
    struct digest p = digest_of(STR("p")), v1 = digest_of(STR("v1")), v2 = digest_of(STR("v2"));
    struct str text;
    must_ok(t,
            store_policy_put(t->store, &p, STR("permit(principal,action,resource);"), 1, &t->err));
    must_ok(t, store_policy_put(t->store, &p, STR("another text"), 2, &t->err));
    must_ok(t, store_version_put(t->store, &v1, STR("w"), STR("name: w"), 3, &t->err));
    must_ok(t, store_version_put(t->store, &v2, STR("w"), STR("name: w2"), 3, &t->err));
    must_ok(t, store_version_current(t->store, STR("w"), &v1, 4, &t->err));
    must_ok(t, store_version_current(t->store, STR("w"), &v1, 5, &t->err)); /* no change */
    must_ok(t, store_version_current(t->store, STR("w"), &v2, 6, &t->err));
    must_ok(t, store_version_current(t->store, STR("w"), &v1, 7, &t->err)); /* a rollback is one */
    must_fail(t, store_version_current(t->store, STR("w"), &p, 8, &t->err), ENOENT);
    must_ok(t, store_value_put(t->store, STR("mark"), STR("1"), &t->err));
    must_ok(t, store_value_put(t->store, STR("mark"), STR("2"), &t->err));
    tmpstore_reopen(t);
    must_ok(t, store_policy_get(t->store, &p, &t->arena, &text, &t->err));
    assert_str(text, "permit(principal,action,resource);");
    must_fail(t, store_policy_get(t->store, &v1, &t->arena, &text, &t->err), ENOENT);
    must_ok(t, store_version_get(t->store, &v2, &t->arena, &text, &t->err));
    assert_str(text, "name: w2");
    must_fail(t, store_version_get(t->store, &p, &t->arena, &text, &t->err), ENOENT);
    must_ok(t, store_value_get(t->store, STR("mark"), &t->arena, &text, &t->err));
    assert_str(text, "2");
    must_fail(t, store_value_get(t->store, STR("mar"), &t->arena, &text, &t->err), ENOENT);
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM version_current"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(usage_adds_up),
        store_test(counters_agree_with_counting),
        store_test(counters_survive_clock_and_overflow),
        store_test(values_policies_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
