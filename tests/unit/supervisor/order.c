/*
 * order.c: which queued run goes next, as a table; rates; lanes; fairness and its bounds by
 * simulation.
 */
#include "tests/lib/cm.h"

#include "policy/text/json.h"
#include "supervisor/order.h"

/* A head of priority 5 that may start, and what a row changes of it. */
struct given {
    int64_t id;
    bool begun, stopped;
    int64_t above, live, tenant_live, tenant_concurrency; /* above: added to the priority */
    uint64_t turn;
    int64_t rate;
};

static struct order_head head(const struct given *g)
{
    return (struct order_head){.id = g->id,
                               .fresh = !g->begun,
                               .stopped = g->stopped,
                               .priority = 5 + g->above,
                               .live = g->live,
                               .concurrency = 16,
                               .tenant_live = g->tenant_live,
                               .tenant_concurrency = g->tenant_concurrency,
                               .tenant_turn = g->turn,
                               .rate_wait_ms = g->rate};
}

struct choice {
    const char *what;
    struct given heads[3];
    size_t n, want;
};

static const struct choice choices[] = {
    {"none", {{.id = 0}}, 0, 0},
    {"an empty line", {{.id = 0}}, 1, 1},
    {"the only one", {{.id = 7}}, 1, 0},
    {"the oldest of equals", {{.id = 8}, {.id = 7}, {.id = 9}}, 3, 1},
    {"the higher priority, though younger", {{.id = 7}, {.id = 8, .above = 1}}, 2, 1},
    {"priority 0 is the lowest", {{.id = 7, .above = -5}, {.id = 8, .above = -4}}, 2, 1},
    {"priority goes before fairness",
     {{.id = 7, .tenant_live = 0}, {.id = 8, .tenant_live = 9, .above = 4}},
     2,
     1},
    {"the tenant with fewer workers, though younger and later",
     {{.id = 7, .tenant_live = 3}, {.id = 90, .tenant_live = 2, .turn = 50}},
     2,
     1},
    {"the tenant whose turn is longest ago", {{.id = 7, .turn = 12}, {.id = 90, .turn = 11}}, 2, 1},
    {"what began goes before what did not", {{.id = 7}, {.id = 8, .begun = true}}, 2, 1},
    {"a stopped one is passed over", {{.id = 7, .stopped = true}, {.id = 8}}, 2, 1},
    {"a stopped one even of the highest priority",
     {{.id = 7, .stopped = true, .above = 4}, {.id = 8, .above = -5}},
     2,
     1},
    {"all stopped", {{.id = 7, .stopped = true}, {.id = 8, .stopped = true}}, 2, 2},
    {"a full workflow", {{.id = 7, .live = 16}, {.id = 8}}, 2, 1},
    {"one place left", {{.id = 7, .live = 15}, {.id = 8}}, 2, 0},
    {"more than full: the limit was lowered", {{.id = 7, .live = 20}, {.id = 8}}, 2, 1},
    {"a full tenant",
     {{.id = 7, .tenant_live = 2, .tenant_concurrency = 2}, {.id = 8, .tenant_live = 5}},
     2,
     1},
    {"no limit of the tenant", {{.id = 7, .tenant_live = 1000}}, 1, 0},
    {"a rate that is used up", {{.id = 7, .rate = 1}, {.id = 8}}, 2, 1},
    {"a rate is not for what began",
     {{.id = 7, .rate = 1, .begun = true}, {.id = 6, .rate = 1}},
     2,
     0},
    {"nothing may", {{.id = 7, .rate = 9}, {.id = 8, .live = 16}, {.id = 0}}, 3, 3},
};

static void chooses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        struct order_head heads[3];
        for (size_t k = 0; k < choices[i].n; k++)
            heads[k] = head(&choices[i].heads[k]);
        size_t got = order_choose(heads, choices[i].n);
        assert_row(got == choices[i].want, i, "%s: %zu", choices[i].what, got);
    }
}

static void says_why(void **state)
{
    (void)state;
    static const struct {
        struct given h;
        enum order_why want;
    } rows[] = {
        {{.id = 0}, ORDER_EMPTY},
        {{.id = 1}, ORDER_READY},
        {{.id = 1, .stopped = true, .live = 99}, ORDER_STOPPED},
        {{.id = 1, .live = 16}, ORDER_WORKFLOW_FULL},
        {{.id = 1, .tenant_live = 3, .tenant_concurrency = 3, .live = 16}, ORDER_TENANT_FULL},
        {{.id = 1, .rate = 5}, ORDER_RATE},
        {{.id = 1, .rate = 5, .begun = true}, ORDER_READY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct order_head h = head(&rows[i].h);
        assert_row(order_why(&h) == rows[i].want, i, "%d", (int)order_why(&h));
    }
}

static void rates(void **state)
{
    (void)state;
    static const struct {
        int64_t nth, window, now, want;
    } rows[] = {
        {0, 1000, 5000, 0},    /* fewer starts than the rate allows */
        {4000, 1000, 5000, 0}, /* just out of the window */
        {4001, 1000, 5000, 1},
        {5000, 1000, 5000, 1000},
        {4500, 1000, 5000, 500},
        {9000, 1000, 5000, 1000}, /* the clock was set back: one window, not for ever */
        {INT64_MAX - 5, 1000, 5000, 1000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = order_rate_wait_ms(rows[i].nth, rows[i].window, rows[i].now);
        assert_row(got == rows[i].want, i, "%ld", (long)got);
    }
}

/* In no window of time are there more starts than the rate says, whatever the moments of asking. */
static void a_rate_holds_in_every_window(void **state)
{
    (void)state;
    int64_t starts[400] = {0};
    size_t n = 0;
    unsigned seed = 7;
    for (int64_t now = 1000; n < ARRAY_LEN(starts); now += 1 + (int64_t)(seed >> 16) % 40) {
        seed = seed * 1103515245u + 12345u;
        int64_t nth = n >= 5 ? starts[n - 5] : 0;
        if (order_rate_wait_ms(nth, 300, now) == 0)
            starts[n++] = now;
    }
    for (size_t i = 5; i < n; i++)
        assert_true(starts[i] - starts[i - 5] >= 300);
}

static void lanes(void **state)
{
    (void)state;
    static const struct {
        const char *event, *path, *want; /* want "sha": a digest */
    } rows[] = {
        {"{\"data\":{\"x\":\"a\"}}", "event.data.x", "\"a\""},
        {"{\"data\":{\"x\":\"\\u0061\"}}", "event.data.x", "\"a\""}, /* the same value */
        {"{\"data\":{\"x\":1}}", "event.data.x", "1"},
        {"{\"data\":{\"x\":\"1\"}}", "event.data.x", "\"1\""}, /* another one */
        {"{\"data\":{\"x\":true}}", "event.data.x", "true"},
        {"{\"data\":{\"x\":null}}", "event.data.x", ""},
        {"{\"data\":{}}", "event.data.x", ""},
        {"{\"data\":7}", "event.data.x", ""},
        {"{\"subject\":\"s\"}", "event.subject", "\"s\""},
        {"{\"data\":{\"x\":{\"b\":1,\"a\":2}}}", "event.data.x", "sha"},
        {"{\"subject\":\"s\"}", "", ""},
    };
    struct arena a;
    struct buf out;
    arena_init(&a, 1u << 20);
    buf_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct json *v = NULL;
        struct err err = ERR_INIT;
        buf_clear(&out);
        assert_int_equal(
            json_parse(&a, str_of(rows[i].event), &JSON_LIMITS_DEFAULT, &v, NULL, &err), 0);
        order_lane(v, str_of(rows[i].path), &out);
        struct str got = buf_str(&out);
        assert_row(strcmp(rows[i].want, "sha") == 0
                       ? str_starts(got, STR("sha256:")) && got.len == 71
                       : str_is(got, rows[i].want),
                   i, "%.*s", STR_FMT(got));
    }
    buf_release(&out);
    arena_release(&a);
}

/* A long text of a stranger's makes a lane of bounded length, and different ones stay different. */
static void long_values_are_digests(void **state)
{
    (void)state;
    struct arena a;
    struct buf event[2], lane[2];
    arena_init(&a, 1u << 20);
    for (int k = 0; k < 2; k++) {
        const struct json *v = NULL;
        struct err err = ERR_INIT;
        buf_init(&event[k], 1u << 20);
        buf_init(&lane[k], 1024);
        buf_cstr(&event[k], "{\"data\":\"");
        for (int i = 0; i < 5000; i++)
            buf_char(&event[k], 'x');
        buf_fmt(&event[k], "%d\"}", k);
        assert_int_equal(json_parse(&a, buf_str(&event[k]), &JSON_LIMITS_DEFAULT, &v, NULL, &err),
                         0);
        order_lane(v, STR("event.data"), &lane[k]);
        assert_int_equal(lane[k].len, 71);
    }
    assert_false(str_eq(buf_str(&lane[0]), buf_str(&lane[1])));
    for (int k = 0; k < 2; k++) {
        buf_release(&event[k]);
        buf_release(&lane[k]);
    }
    arena_release(&a);
}

/* Three tenants, one of them with a hundred times the runs: with places for six, each has two. */
static void shares_are_even(void **state)
{
    (void)state;
    static const struct given three[3] = {{.id = 1}, {.id = 2}, {.id = 3}};
    struct order_head h[3] = {head(&three[0]), head(&three[1]), head(&three[2])};
    int64_t left[3] = {3000, 30, 30}, live[3] = {0}, served[3] = {0};
    uint64_t turn = 0;
    int total = 0;
    for (int tick = 0; tick < 60; tick++) {
        while (total < 6) {
            for (int i = 0; i < 3; i++) {
                h[i].id = left[i] ? 10000 * (i + 1) - left[i] : 0;
                h[i].tenant_live = live[i];
            }
            size_t i = order_choose(h, 3);
            if (i == 3)
                break;
            left[i]--, live[i]++, served[i]++, total++;
            h[i].tenant_turn = ++turn;
        }
        if (tick < 10)
            assert_true(live[0] == 2 && live[1] == 2 && live[2] == 2);
        int ends = tick % 3; /* one ends, now of this one, now of that one */
        if (live[ends])
            live[ends]--, total--;
    }
    assert_true(served[1] >= 15 && served[2] >= 15); /* the crowd did not shut them out */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses),         cmocka_unit_test(says_why),
        cmocka_unit_test(rates),           cmocka_unit_test(a_rate_holds_in_every_window),
        cmocka_unit_test(lanes),           cmocka_unit_test(long_values_are_digests),
        cmocka_unit_test(shares_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
