/*
 * route.c: request lines find their row, and nothing has two spellings.
 */
#include "supervisor/control/control.h"
#include "supervisor/control/route.h"
#include "tests/lib/cm.h"

struct world {
    struct arena arena;
    struct route_match match;
    struct err err;
};

static int find(struct world *w, const char *method, const char *target)
{
    size_t n;
    const struct route *routes = control_routes(&n);
    w->err = ERR_INIT;
    return route_find(routes, n, str_of(method), str_of(target), &w->arena, &w->match, &w->err);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    arena_init(&w->arena, 1u << 20);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    arena_release(&w->arena);
    free(w);
    return 0;
}

/* What needs which right: the whole table, so that a row that loses its role is seen. */
static void every_row_asks_for_its_role(void **state)
{
    static const struct {
        const char *method, *target;
        enum role role;
    } ROWS[] = {
        {"GET", "/v1/status", ROLE_VIEWER},
        {"GET", "/v1/doctor", ROLE_VIEWER},
        {"GET", "/v1/workflows", ROLE_VIEWER},
        {"GET", "/v1/runs", ROLE_VIEWER},
        {"GET", "/v1/runs/1", ROLE_VIEWER},
        {"GET", "/v1/runs/1/steps", ROLE_VIEWER},
        {"GET", "/v1/runs/1/steps/2", ROLE_VIEWER},
        {"GET", "/v1/runs/1/steps/2/explain", ROLE_VIEWER},
        {"GET", "/v1/runs/1/trace", ROLE_VIEWER},
        {"GET", "/v1/runs/1/diff/2", ROLE_VIEWER},
        {"POST", "/v1/runs/1/fork", ROLE_OPERATOR},
        {"POST", "/v1/runs/1/replay", ROLE_OPERATOR},
        {"GET", "/v1/runs/1/follow", ROLE_VIEWER},
        {"GET", "/v1/approvals", ROLE_VIEWER},
        {"GET", "/v1/approvals/1", ROLE_VIEWER},
        {"GET", "/v1/audit", ROLE_VIEWER},
        {"GET", "/v1/decisions", ROLE_VIEWER},
        {"GET", "/v1/policy", ROLE_VIEWER},
        {"GET", "/v1/policy/shadow", ROLE_VIEWER},
        {"GET", "/v1/usage", ROLE_VIEWER},
        {"GET", "/v1/workflows/versions", ROLE_VIEWER},
        {"GET", "/v1/workflows/version", ROLE_VIEWER},
        {"POST", "/v1/workflows/rollback", ROLE_ADMIN},
        {"GET", "/v1/switches", ROLE_VIEWER},
        {"GET", "/v1/queue", ROLE_VIEWER},
        {"POST", "/v1/stop", ROLE_OPERATOR},
        {"POST", "/v1/go", ROLE_OPERATOR},
        {"POST", "/v1/events", ROLE_OPERATOR},
        {"POST", "/v1/runs/1/cancel", ROLE_OPERATOR},
        {"POST", "/v1/runs/1/pause", ROLE_OPERATOR},
        {"POST", "/v1/runs/1/resume", ROLE_OPERATOR},
        {"POST", "/v1/runs/1/redrive", ROLE_OPERATOR},
        {"POST", "/v1/approvals/1/approve", ROLE_APPROVER},
        {"POST", "/v1/approvals/1/reject", ROLE_APPROVER},
        {"POST", "/v1/backup", ROLE_ADMIN},
        {"POST", "/v1/policy/load", ROLE_ADMIN},
    };
    struct world *w = *state;
    size_t n;
    (void)control_routes(&n);
    assert_int_equal(n, ARRAY_LEN(ROWS));
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        assert_row(find(w, ROWS[i].method, ROWS[i].target) == 0, i, "%s", ROWS[i].target);
        assert_row(w->match.route->role == ROWS[i].role, i, "%s", ROWS[i].target);
        bool is_get = strcmp(ROWS[i].method, "GET") == 0;
        assert_row((w->match.route->max_body == 0) == is_get, i, "%s: body", ROWS[i].target);
    }
}

static void ids_are_taken_in_order(void **state)
{
    struct world *w = *state;
    assert_int_equal(find(w, "GET", "/v1/runs/41/steps/9223372036854775807"), 0);
    assert_int_equal(w->match.ids[0], 41);
    assert_true(w->match.ids[1] == INT64_MAX);
}

static void other_spellings_are_other_paths(void **state)
{
    static const char *const BAD[] = {
        "",
        "/",
        "//",
        "v1/runs",
        "/v1",
        "/v1/",
        "/v1/runs/",
        "//v1/runs",
        "/v1//runs",
        "/v1/./runs",
        "/v1/runs/../runs",
        "/v1/run%73",
        "/V1/runs",
        "/v1/runs/0",
        "/v1/runs/-1",
        "/v1/runs/+1",
        "/v1/runs/01",
        "/v1/runs/1.0",
        "/v1/runs/0x1",
        "/v1/runs/1%00",
        "/v1/runs/9223372036854775808",
        "/v1/runs/1/",
        "/v1/runs/1/trace/",
        "/v1/runs//trace",
        "/v1/runs/{id}",
        "/v1/runs/1/steps/2/3",
        "/v1/runs/ 1",
        "/v1/runs\n",
        "http://reeve/v1/runs",
        "*",
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        assert_row(find(w, "GET", BAD[i]) == -ENOENT, i, "%s", BAD[i]);
}

static void other_methods_are_told_which_are_known(void **state)
{
    static const char *const METHODS[] = {"POST", "get", "HEAD", "OPTIONS", "PUT", "DELETE", ""};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(METHODS); i++) {
        assert_row(find(w, METHODS[i], "/v1/runs") == -EOPNOTSUPP, i, "%s", METHODS[i]);
        assert_string_equal(w->match.allow, "GET");
    }
    assert_int_equal(find(w, "GET", "/v1/runs/1/cancel"), -EOPNOTSUPP);
    assert_string_equal(w->match.allow, "POST");
}

static void queries_are_decoded_once(void **state)
{
    struct world *w = *state;
    int64_t limit;
    assert_int_equal(find(w, "GET", "/v1/runs?state=live&workflow=a%2Fb+c%25&limit=7&&"), 0);
    assert_str(route_param(&w->match, "state"), "live");
    assert_str(route_param(&w->match, "workflow"), "a/b c%");
    assert_null(route_param(&w->match, "tenant").ptr);
    assert_int_equal(route_param_i64(&w->match, "limit", 1, 10, 3, &limit, &w->err), 0);
    assert_int_equal(limit, 7);
    assert_int_equal(route_param_i64(&w->match, "limit", 1, 5, 3, &limit, &w->err), -EINVAL);
    assert_int_equal(route_param_i64(&w->match, "cursor", 1, 5, 3, &limit, &w->err), 0);
    assert_int_equal(limit, 3);
    assert_int_equal(find(w, "GET", "/v1/runs?state="), 0);
    assert_non_null(route_param(&w->match, "state").ptr);
    assert_int_equal(find(w, "GET", "/v1/runs?%73tate=x"), 0);
    assert_str(route_param(&w->match, "state"), "x");
}

static void bad_queries_are_refused(void **state)
{
    static const char *const BAD[] = {
        "/v1/runs?colour=red", "/v1/runs?state=a&state=b",
        "/v1/runs?state=%",    "/v1/runs?state=%4",
        "/v1/runs?state=%zz",  "/v1/runs?state=%00",
        "/v1/runs?state=%ff",  "/v1/runs?=x",
        "/v1/runs?stat",       "/v1/runs?state%20=x",
        "/v1/runs/1?state=a",  "/v1/runs?limit=1?limit=2x&colour",
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        assert_row(find(w, "GET", BAD[i]) == -EINVAL && w->err.text[0], i, "%s", BAD[i]);
}

static void long_targets_are_refused(void **state)
{
    struct world *w = *state;
    char target[ROUTE_TARGET_MAX + 2];
    memset(target, 'a', sizeof(target) - 1);
    target[sizeof(target) - 1] = 0;
    assert_int_equal(find(w, "GET", target), -ENAMETOOLONG);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(every_row_asks_for_its_role),     T(ids_are_taken_in_order),
        T(other_spellings_are_other_paths), T(other_methods_are_told_which_are_known),
        T(queries_are_decoded_once),        T(bad_queries_are_refused),
        T(long_targets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
