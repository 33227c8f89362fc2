/*
 * lex.c: tokens, escapes and patterns, each text ending at a page that traps.
 */
#include "tests/lib/cm.h"

#include "policy/cedar/escape.h"
#include "policy/cedar/lex.h"
#include "tests/lib/guard.h"

static struct guard guard;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    guard_init(&guard, 1 << 16);
    arena_init(&arena, 16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_release(&guard);
    arena_release(&arena);
    return 0;
}

/* Kinds as letters: I identifier, N number, S string, ? slot, P punctuation, B bad; then the end.
 */
static void kinds(const char *text, size_t len, char *ret, size_t max)
{
    struct cedar_lexer l = {.text = guard_str(&guard, (struct str){text, len})};
    size_t n = 0, end = 0;

    for (;;) {
        struct cedar_token t = cedar_lex_next(&l);

        assert_true(t.at >= end && t.end >= t.at && t.end <= len);
        assert_true(t.kind == TOKEN_END || t.end > t.at);
        end = t.end;
        if (t.kind == TOKEN_END || n + 1 == max)
            break;
        ret[n++] = "-BINS?P"[t.kind];
    }
    ret[n] = '\0';
}

static void tokens(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", ""},
        {" \t\r\n", ""},
        {"// all of it", ""},
        {"a// x\rb", "II"},
        {"a// x\nb", "II"},
        {"_a1 1a", "INI"},
        {"\"a\\\"b\"c", "SI"},
        {"\"a\nb\"", "S"},
        {"\"a", "B"},
        {"\"a\\", "B"},
        {"\"", "B"},
        {"== = != ! <= < && || :: :", "PPPPPPPPPP"},
        {"a&b", "IBI"},
        {"a|b", "IBI"},
        {"?x ? ?1", "?BBN"},
        {"/ /", "PP"},
        {"\xc2\xa0\xe2\x80\x83"
         "a\xe3\x80\x80",
         "I"},
        {"\xe2\x80\x8b", "B"}, /* zero width space */
        {"\xef\xbb\xbf"
         "a",
         "BI"}, /* byte order mark */
        {"\xe6\x97\xa5"
         "a",
         "BI"},
        {"a\xff", "IB"},
        {"'x'", "BIB"},
        {"#$\\~`^", "BBBBBB"},
    };
    char got[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        kinds(rows[i].text, strlen(rows[i].text), got, sizeof(got));
        assert_row(strcmp(got, rows[i].want) == 0, i, "%s: %s", rows[i].text, got);
    }
    kinds("a\0b", 3, got, sizeof(got));
    assert_string_equal(got, "IBI");
}

static void escapes(void **state)
{
    static const struct {
        const char *raw, *want;
    } good[] = {{"", ""},
                {"plain", "plain"},
                {"\\n\\r\\t\\\\\\'\\\"", "\n\r\t\\'\""},
                {"\\x41\\x7f", "A\x7f"},
                {"\\u{41}\\u{1F600}\\u{000041}", "A\xf0\x9f\x98\x80"
                                                 "A"},
                {"\\u{1_0}", "\x10"},
                {"a\\u{e9}b", "a\xc3\xa9"
                              "b"}};
    static const char *const bad[] = {
        "\\",        "\\q",         "\\x",          "\\x4",   "\\x80",  "\\xg1",
        "\\u",       "\\u{",        "\\u{}",        "\\u{41", "\\u{g}", "\\u{_1}",
        "\\u{d800}", "\\u{110000}", "\\u{0000041}", "\\*",    "\\u41",  "a\\"};
    struct cedar_escape_fault fault;
    struct str out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(
            cedar_escape_string(&arena, guard_str(&guard, str_of(good[i].raw)), &out, &fault), 0);
        assert_str(out, good[i].want);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct str raw = guard_str(&guard, str_of(bad[i]));

        assert_row(cedar_escape_string(&arena, raw, &out, &fault) == -EINVAL, i, "%s", bad[i]);
        assert_row(fault.at + fault.len <= raw.len && fault.len > 0, i, "%s", bad[i]);
    }
    assert_int_equal(cedar_escape_string(&arena, STR("\\0x"), &out, &fault), 0);
    assert_int_equal(out.len, 2);
    assert_int_equal(out.ptr[0], 0);
}

static void patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool want;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"a*", "a", true},
        {"*a", "ba", true},
        {"a*a", "a", false},
        {"a*a", "aa", true},
        {"ab*ba", "aba", false},
        {"*b*", "abc", true},
        {"*ab*bc*", "abc", false},
        {"**", "x", true},
        {"a\\*b", "a*b", true},
        {"a\\*b", "axb", false},
        {"\\*", "*", true},
        {"\\x2a", "anything", true},
        {"\\u{2a}b", "xb", true},
        {"*\xc3\xa9*", "h\xc3\xa9llo", true},
        {"*a*a*b", "aaaa", false},
    };
    struct cedar_escape_fault fault;
    struct cedar_pattern p, again;
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str raw = guard_str(&guard, str_of(rows[i].pattern));

        assert_int_equal(cedar_escape_pattern(&arena, raw, &p, &fault), 0);
        assert_row(cedar_pattern_matches(&p, str_of(rows[i].text)) == rows[i].want, i, "%s ~ %s",
                   rows[i].text, rows[i].pattern);
        buf_clear(&out);
        cedar_pattern_put(&out, &p);
        assert_int_equal(
            cedar_escape_pattern(&arena, str_slice(buf_str(&out), 1, out.len - 1), &again, &fault),
            0);
        assert_int_equal(again.count, p.count);
        for (size_t k = 0; k < p.count; k++)
            assert_true(str_eq(p.parts[k], again.parts[k]));
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(escapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(patterns, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("policy/cedar/lex", tests, NULL, NULL);
}
