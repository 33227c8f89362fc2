/*
 * err.c: errors stay one line of valid text within their bound, whatever a peer put in.
 */
#include "tests/lib/cm.h"

#include "policy/text/err.h"
#include "policy/text/utf8.h"

static void sets_number_and_text(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(err_set(&e, ENOENT, "open \"%s\"", "x"), -ENOENT);
    assert_int_equal(e.number, ENOENT);
    assert_string_equal(e.text, "open \"x\"");
    assert_int_equal(err_set(NULL, EPERM, "%s", "nobody looks"), -EPERM);
    assert_int_equal(err_sys(NULL, EPERM, "%s", "nobody looks"), -EPERM);
}

static void chains(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(err_sys(&e, EACCES, "open \"%s\"", "/srv"), -EACCES);
    assert_int_equal(err_wrap(&e, "%s", "landlock"), -EACCES);
    assert_int_equal(err_wrap(&e, "run %d", 41), -EACCES);
    assert_string_equal(e.text, "run 41: landlock: open \"/srv\": EACCES: Permission denied");
    assert_int_equal(err_wrap(NULL, "x"), -EINVAL);
}

static void takes_its_own_text_as_argument(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(err_set(&e, EIO, "first"), -EIO);
    assert_int_equal(err_set(&e, EINVAL, "second (%s)", e.text), -EINVAL);
    assert_string_equal(e.text, "second (first)");
}

static void replaces_what_could_forge_a_line(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(err_set(&e, EINVAL, "%s", "a\nb\x1b[31mc\x7f\xc2\x85z"), -EINVAL);
    assert_string_equal(e.text, "a?b?[31mc??z");
    /* A bidi override would show "gpj.exe" for another name; invalid bytes would break the line's
     * encoding. */
    assert_int_equal(err_set(&e, EINVAL, "%s", "x\xe2\x80\xaey \xff\xc0\xaf \xc3\xa9"), -EINVAL);
    assert_string_equal(e.text, "x?y ??? \xc3\xa9");
}

static void is_cut_between_code_points(void **state)
{
    char text[ERR_TEXT_MAX + 10];
    struct err e;

    (void)state;
    for (size_t n = ERR_TEXT_MAX - 6; n < ERR_TEXT_MAX + 3; n++) {
        memset(text, 'a', sizeof(text));
        memcpy(text + n, "\xf0\x9f\x98\x80", 5);
        e = ERR_INIT;
        assert_int_equal(err_set(&e, EINVAL, "%s", text), -EINVAL);
        assert_true(strlen(e.text) < ERR_TEXT_MAX);
        assert_true(utf8_is_valid(str_of(e.text)));
        assert_null(strchr(e.text, '?'));
        assert_true(strlen(e.text) == n + 4 || strlen(e.text) == MIN(n, ERR_TEXT_MAX - 1u));
        assert_int_equal(err_wrap(&e, "%s", "ctx\xc3\xa9"), -EINVAL);
        assert_true(utf8_is_valid(str_of(e.text)) && strlen(e.text) < ERR_TEXT_MAX);
        assert_null(strchr(e.text, '?'));
    }
}

static void keeps_the_error_name_of_a_long_text(void **state)
{
    char text[2 * ERR_TEXT_MAX];
    struct err e = ERR_INIT;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(err_sys(&e, ENOSPC, "%s", text), -ENOSPC);
    assert_true(str_ends(str_of(e.text), STR(": ENOSPC: No space left on device")));
    for (int i = 0; i < 300; i++)
        assert_int_equal(err_wrap(&e, "again and again"), -ENOSPC);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    assert_int_equal(err_wrap(&e, "%s", text), -ENOSPC);
}

static void names_errors(void **state)
{
    (void)state;
    assert_string_equal(err_name(ENOENT), "ENOENT");
    assert_string_equal(err_name(EMSGSIZE), "EMSGSIZE");
    assert_string_equal(err_name(99999), "E?");
    assert_string_equal(err_name(-1), "E?");
    assert_string_equal(err_name(0), "E?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_number_and_text),
        cmocka_unit_test(chains),
        cmocka_unit_test(takes_its_own_text_as_argument),
        cmocka_unit_test(replaces_what_could_forge_a_line),
        cmocka_unit_test(is_cut_between_code_points),
        cmocka_unit_test(keeps_the_error_name_of_a_long_text),
        cmocka_unit_test(names_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
