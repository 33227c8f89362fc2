/*
 * str.c: borrowed runs of bytes, with the empty and the NULL one everywhere.
 */
#include "tests/lib/cm.h"

#include "policy/text/str.h"
#include "tests/lib/guard.h"

static void compares(void **state)
{
    (void)state;
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_true(str_is(str_of(NULL), ""));
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("b"), STR("ab")) > 0);
    assert_true(str_cmp(STR("\x7f"), STR("\x80")) < 0);
    assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
    assert_true(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")));
    assert_true(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")));
    assert_true(str_starts(STR_NONE, STR_NONE) && str_ends(STR_NONE, STR_NONE));
}

static void slices(void **state)
{
    (void)state;
    assert_str(str_slice(STR("abcd"), 1, 3), "bc");
    assert_str(str_slice(STR("abcd"), 1, SIZE_MAX), "bcd");
    assert_str(str_slice(STR("abcd"), 9, 3), "");
    assert_str(str_slice(STR("abcd"), SIZE_MAX, SIZE_MAX), "");
    assert_str(str_slice(STR_NONE, 1, 2), "");
    assert_str(str_trim(STR(" \t\r\na b\n ")), "a b");
    assert_str(str_trim(STR(" \n ")), "");
    assert_str(str_trim(STR_NONE), "");
}

static void finds(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("abca"), 'a', 0), 0);
    assert_int_equal(str_find(STR("abca"), 'a', 1), 3);
    assert_int_equal(str_find(STR("abca"), 'x', 0), -1);
    assert_int_equal(str_find(STR("abca"), 'a', 4), -1);
    assert_int_equal(str_find(STR_NONE, 'a', 0), -1);
}

static void splits(void **state)
{
    struct str rest = STR("a,,b,"), part;

    (void)state;
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "a");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "b");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "");
    assert_false(str_split(&rest, ',', &part));
    rest = STR_NONE;
    assert_false(str_split(&rest, ',', &part));
}

static void globs(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"a*", "a", true},
        {"a*c", "abbc", true},
        {"a*c", "abcd", false},
        {"*.cedar", "x.cedar", true},
        {"*.cedar", "cedar", false},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "acb", false},
        {"**", "x", true},
        {"?", "x", false},
        {"[a]", "a", false},
        {"ledger.*", "ledger.pay", true},
        {"*aab", "aaaab", true},
        {"abc", "ab", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(str_glob(str_of(rows[i].pattern), str_of(rows[i].text)) == rows[i].match, i,
                   "%s on %s", rows[i].pattern, rows[i].text);
}

/* The classic blow-up of a recursive matcher: this would not end within the age of the universe. */
static void globs_in_bounded_time(void **state)
{
    char pattern[201], text[5001];

    (void)state;
    for (size_t i = 0; i < 200; i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[200] = '\0';
    memset(text, 'a', 5000);
    text[5000] = '\0';
    assert_true(str_glob(str_of(pattern), str_of(text)));
    text[4999] = 'b';
    assert_false(str_glob(str_of(pattern), str_of(text)));
}

static void copies(void **state)
{
    char dst[4];
    char *dup;

    (void)state;
    assert_int_equal(str_copy(STR("abc"), dst, sizeof(dst)), 0);
    assert_string_equal(dst, "abc");
    assert_int_equal(str_copy(STR("abcd"), dst, sizeof(dst)), -ENAMETOOLONG);
    assert_string_equal(dst, "");
    /* A NUL inside would make a shorter name of it for the kernel. */
    assert_int_equal(str_copy(STR("a\0b"), dst, sizeof(dst)), -ENAMETOOLONG);
    assert_int_equal(str_copy(STR_NONE, dst, sizeof(dst)), 0);
    assert_string_equal(dst, "");
    assert_int_equal(str_copy(STR(""), dst, 0), -ENAMETOOLONG);
    dup = str_dup(STR("ab\0c"));
    assert_non_null(dup);
    assert_memory_equal(dup, "ab\0c", 5);
    free(dup);
    dup = str_dup(STR_NONE);
    assert_string_equal(dup, "");
    free(dup);
}

static void reads_no_byte_behind(void **state)
{
    struct guard g;
    struct str s, part;

    (void)state;
    guard_init(&g, 64);
    s = guard_str(&g, STR("a,b "));
    assert_false(str_glob(STR("a,b *x"), s));
    assert_true(str_glob(s, STR("a,b ")));
    assert_str(str_trim(s), "a,b");
    assert_int_equal(str_find(s, 'x', 0), -1);
    assert_true(str_split(&s, ',', &part) && str_split(&s, ',', &part));
    s = guard_str(&g, STR(""));
    assert_true(str_eq(s, STR_NONE) && str_glob(STR("*"), s));
    guard_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares), cmocka_unit_test(slices),
        cmocka_unit_test(finds),    cmocka_unit_test(splits),
        cmocka_unit_test(globs),    cmocka_unit_test(globs_in_bounded_time),
        cmocka_unit_test(copies),   cmocka_unit_test(reads_no_byte_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
