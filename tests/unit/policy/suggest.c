/*
 * suggest.c: a slip of the pen finds its word, and nothing else does.
 */
#include "tests/lib/cm.h"

#include "policy/suggest.h"

static const char *best(const char *wanted)
{
    static const char *const known[] = {"tools", "tenant", "team", "limits", "retry", "at"};
    struct suggest s;
    suggest_init(&s, str_of(wanted));
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        suggest_add(&s, str_of(known[i]));
    return s.best.len > 0 ? s.best.ptr : "";
}

static void near_words(void **state)
{
    (void)state;
    assert_string_equal(best("tool"), "tools");
    assert_string_equal(best("tolos"), "tools");
    assert_string_equal(best("tennant"), "tenant");
    assert_string_equal(best("limit"), "limits");
    assert_string_equal(best("rety"), "retry");
    assert_string_equal(best("ta"), "at");
    assert_string_equal(best("zzzzz"), "");
    assert_string_equal(best(""), "");
    assert_string_equal(best("tenantstenantstenants"), "");
}

static void distances(void **state)
{
    char text[SUGGEST_BYTES_MAX + 1];

    (void)state;
    assert_int_equal(suggest_distance(STR("ab"), STR("ba")), 1);
    assert_int_equal(suggest_distance(STR("abc"), STR("")), 3);
    assert_int_equal(suggest_distance(STR(""), STR("")), 0);
    assert_int_equal(suggest_distance(STR("kitten"), STR("sitting")), 3);
    memset(text, 'a', sizeof(text));
    assert_true(suggest_distance((struct str){text, sizeof(text)}, STR("a")) == SIZE_MAX);
    assert_int_equal(suggest_distance((struct str){text, sizeof(text) - 1}, STR("a")),
                     SUGGEST_BYTES_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_words),
        cmocka_unit_test(distances),
    };

    return cmocka_run_group_tests_name("policy/suggest", tests, NULL, NULL);
}
