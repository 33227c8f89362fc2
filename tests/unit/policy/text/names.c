/*
 * names.c: what may be a name, and what tries to be one.
 */
#include "tests/lib/cm.h"

#include "policy/text/names.h"

static char long_name[200];

static struct str of_length(size_t n)
{
    memset(long_name, 'a', sizeof(long_name));
    return (struct str){long_name, n};
}

static void house_names(void **state)
{
    static const char *const good[] = {"a", "0", "invoice-triage", "a.b_c-d", "x9", "a--b", "a..b"};
    static const char *const bad[] = {
        "",    "A",   "-a",       "a-",  ".a",   "a.",  "_a",       "..", "a/b",
        "a b", "a\n", "\xc3\xa9", "a\"", "$(x)", "a:b", "\xd0\xb0", /* a Cyrillic letter that looks
                                                                       like one of ours */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_row(name_is_ok(str_of(good[i])), i, "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(!name_is_ok(str_of(bad[i])), i, "%s", bad[i]);
    assert_true(name_is_ok(of_length(63)) && !name_is_ok(of_length(64)));
    assert_false(name_is_ok(STR_NONE) || name_is_ok(STR("a\0b")));
}

static void tool_names(void **state)
{
    (void)state;
    assert_true(name_is_tool(STR("ledger.pay")) && name_is_tool(STR("Get_Weather-2")));
    assert_true(name_is_tool(STR(".")) && name_is_tool(of_length(128)));
    assert_false(name_is_tool(STR("a/b")) || name_is_tool(STR("")) || name_is_tool(STR("a b")));
    assert_false(name_is_tool(of_length(129)) || name_is_tool(STR("a\0b")) ||
                 name_is_tool(STR("\xc3\xa9")));
}

static void env_names(void **state)
{
    (void)state;
    assert_true(name_is_env(STR("PATH")) && name_is_env(STR("_x9")) && name_is_env(of_length(128)));
    assert_false(name_is_env(STR("9A")) || name_is_env(STR("")) || name_is_env(STR("A=B")));
    assert_false(name_is_env(STR("A-B")) || name_is_env(of_length(129)));
}

static void trace_names(void **state)
{
    (void)state;
    assert_true(name_is_trace_id(STR("4bf92f3577b34da6a3ce929d0e0e4736")));
    assert_true(name_is_span_id(STR("00f067aa0ba902b7")));
    assert_false(name_is_trace_id(STR("00000000000000000000000000000000")));
    assert_false(name_is_trace_id(STR("4BF92F3577B34DA6A3CE929D0E0E4736")));
    assert_false(name_is_trace_id(STR("4bf92f3577b34da6a3ce929d0e0e473")));
    assert_false(name_is_span_id(STR("0000000000000000")) || name_is_span_id(STR_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(house_names),
        cmocka_unit_test(tool_names),
        cmocka_unit_test(env_names),
        cmocka_unit_test(trace_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
