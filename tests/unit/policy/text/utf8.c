/*
 * utf8.c: what is UTF-8 and what is not (Unicode, table 3-7), and what a person may be shown.
 */
#include "tests/lib/cm.h"

#include "policy/text/utf8.h"
#include "tests/lib/guard.h"

static void takes_every_scalar_value(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char text[4];
        size_t pos = 0, len;
        uint32_t back = 0;
        if (cp == 0xD800)
            cp = 0xE000;
        len = utf8_encode(cp, text);
        assert_true(utf8_is_valid((struct str){text, len}));
        assert_int_equal(utf8_next((struct str){text, len}, &pos, &back), 0);
        assert_int_equal(back, cp);
        assert_int_equal(pos, len);
    }
}

static void refuses_what_is_not(void **state)
{
    static const char *const bad[] = {
        "\x80",             /* a continuation alone */
        "\xC0\xAF",         /* "/" in two bytes */
        "\xC1\xBF",         /* the last overlong pair */
        "\xE0\x80\xAF",     /* "/" in three */
        "\xE0\x9F\xBF",     /* the last overlong triple */
        "\xF0\x80\x80\xAF", /* "/" in four */
        "\xF0\x8F\xBF\xBF", /* the last overlong four */
        "\xED\xA0\x80",     /* U+D800 */
        "\xED\xBF\xBF",     /* U+DFFF */
        "\xF4\x90\x80\x80", /* U+110000 */
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xFE",
        "\xC3",
        "\xE2\x82",
        "\xF0\x9F\x98",
        "\xC3(",
        "\xE2(\xA1",
        "\xF0\x9F(\x80",
    };
    struct guard g;

    (void)state;
    guard_init(&g, 64);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[32];
        size_t pos = 9;
        uint32_t cp;
        /* Behind eight plain bytes, which are checked at once, and at the very end. */
        (void)snprintf(text, sizeof(text), "abcdefghi%s", bad[i]);
        struct str s = guard_str(&g, str_of(text));
        assert_row(utf8_valid_prefix(s) == 9, i, "prefix %zu", utf8_valid_prefix(s));
        assert_row(utf8_next(s, &pos, &cp) == -EILSEQ && pos == 9, i, "decoded");
    }
    guard_release(&g);
    assert_true(utf8_is_valid(STR_NONE));
}

static void counts(void **state)
{
    (void)state;
    assert_int_equal(utf8_count(STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")), 4);
    assert_int_equal(utf8_count(STR_NONE), 0);
}

static void shows(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *want;
    } rows[] = {
        {"plain \xc3\xa9", 100, "plain \xc3\xa9"},
        {"a\nb\x1b[0m", 100, "a\\u{a}b\\u{1b}[0m"},
        {"gpj\xe2\x80\xae"
         "exe",
         100, "gpj\\u{202e}exe"},
        {"a\xe2\x80\x8b"
         "b\xf3\xa0\x81\x81",
         100, "a\\u{200b}b\\u{e0041}"},
        {"bad\xff\xc0", 100, "bad\\xff\\xc0"},
        {"abcdef", 6, "abcdef"},
        {"abcdefg", 6, "abc..."},
        {"abc\x01", 6, "abc..."},
        {"abcdef", 2, ".."},
        {"a\xf0\x9f\x98\x80"
         "bcdef",
         7, "a..."},
        {"abc", 0, ""},
        {"", 0, ""},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&b);
        utf8_put_visible(&b, str_of(rows[i].text), rows[i].max);
        assert_row(str_is(buf_str(&b), rows[i].want), i, "got %.*s", STR_FMT(buf_str(&b)));
    }
    buf_release(&b);
    assert_true(utf8_is_hidden(0) && utf8_is_hidden(0x7F) && utf8_is_hidden(0x2066));
    assert_true(utf8_is_hidden(0xFEFF) && utf8_is_hidden(0x1FFFF) && utf8_is_hidden(0xAD));
    assert_false(utf8_is_hidden(' ') || utf8_is_hidden(0xE9) || utf8_is_hidden(0x1F600));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_scalar_value),
        cmocka_unit_test(refuses_what_is_not),
        cmocka_unit_test(counts),
        cmocka_unit_test(shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
