/*
 * roles.c: who may do what.
 */
#include "policy/text/buf.h"
#include "supervisor/control/roles.h"
#include "tests/lib/cm.h"

static int parse(const char *text, struct roles *ret, struct err *err)
{
    struct arena a;
    const struct json *v;
    arena_init(&a, 1u << 22);
    int res = json_parse(&a, str_of(text), &JSON_LIMITS_DEFAULT, &v, NULL, err);
    assert_int_equal(res, 0);
    res = roles_parse(v, ret, err);
    arena_release(&a);
    return res;
}

static void roles_include_what_they_need(void **state)
{
    static const struct {
        const char *role;
        unsigned grants;
    } ROWS[] = {
        {"viewer", ROLE_VIEWER},
        {"operator", ROLE_OPERATOR | ROLE_VIEWER},
        {"approver",
         ROLE_APPROVER | ROLE_VIEWER}, /* an operator does not approve, nor the other way */
        {"admin", ROLE_ADMIN | ROLE_APPROVER | ROLE_OPERATOR | ROLE_VIEWER},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        char text[128];
        struct roles r;
        struct err err = ERR_INIT;
        uint32_t gid = 50;
        snprintf(text, sizeof(text), "[{\"role\":\"%s\",\"uids\":[1000],\"gids\":[77]}]",
                 ROWS[i].role);
        assert_int_equal(parse(text, &r, &err), 0);
        assert_int_equal(roles_of(&r, 1000, &gid, 1), ROWS[i].grants);
        assert_int_equal(roles_of(&r, 1001, &gid, 1), 0);
        uint32_t groups[] = {50, 77};
        assert_int_equal(roles_of(&r, 1001, groups, 2), ROWS[i].grants);
        assert_int_equal(roles_of(&r, 77, &gid, 1), 0); /* a group's id is no user's */
        roles_release(&r);
    }
}

static void rows_add_up(void **state)
{
    struct roles r;
    struct err err = ERR_INIT;
    uint32_t groups[] = {7};
    (void)state;
    assert_int_equal(
        parse("[{\"role\":\"operator\",\"uids\":[5]},{\"role\":\"approver\",\"gids\":[7]}]", &r,
              &err),
        0);
    assert_int_equal(roles_of(&r, 5, groups, 1), ROLE_OPERATOR | ROLE_APPROVER | ROLE_VIEWER);
    roles_release(&r);
}

/* INV-11: users whom the kernel cannot express here are not one user. */
static void overflow_id_matches_nothing(void **state)
{
    struct roles r;
    struct err err = ERR_INIT;
    uint32_t groups[] = {ROLES_OVERFLOW_ID};
    (void)state;
    assert_int_equal(parse("[{\"role\":\"admin\",\"uids\":[65534],\"gids\":[65534]}]", &r, &err),
                     0);
    assert_int_equal(roles_of(&r, ROLES_OVERFLOW_ID, groups, 1), 0);
    roles_release(&r);
}

static void bad_tables_are_refused(void **state)
{
    static const char *const BAD[] = {
        "{}",
        "[1]",
        "[{}]",
        "[{\"role\":\"root\"}]",
        "[{\"role\":1}]",
        "[{\"role\":\"admin\",\"uids\":5}]",
        "[{\"role\":\"admin\",\"uids\":[\"5\"]}]",
        "[{\"role\":\"admin\",\"uids\":[-1]}]",
        "[{\"role\":\"admin\",\"gids\":[4294967295]}]",
        "[{\"role\":\"admin\",\"uids\":[0.5]}]",
        "[{\"role\":\"viewer\"},{\"role\":\"Admin\",\"uids\":[0]}]",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct roles r = {NULL, 0};
        struct err err = ERR_INIT;
        assert_row(parse(BAD[i], &r, &err) < 0 && err.text[0], i, "%s", BAD[i]);
        assert_null(r.rows);
    }
}

static void too_many_ids_are_refused(void **state)
{
    struct buf b;
    struct roles r;
    struct err err = ERR_INIT;
    (void)state;
    buf_init(&b, 1u << 20);
    buf_cstr(&b, "[{\"role\":\"viewer\",\"uids\":[0");
    for (int i = 1; i <= ROLES_IDS_MAX; i++)
        buf_fmt(&b, ",%d", i);
    buf_cstr(&b, "]}]");
    buf_char(&b, 0);
    assert_int_equal(parse(b.ptr, &r, &err), -E2BIG);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_include_what_they_need), cmocka_unit_test(rows_add_up),
        cmocka_unit_test(overflow_id_matches_nothing),  cmocka_unit_test(bad_tables_are_refused),
        cmocka_unit_test(too_many_ids_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
