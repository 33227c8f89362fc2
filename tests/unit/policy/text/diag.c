/*
 * diag.c: what a person reads: order, place, caret, bounds.
 */
#include "tests/lib/cm.h"

#include "policy/text/diag.h"

static struct diags d;
static struct buf out;

static int set_up(void **state)
{
    (void)state;
    diags_init(&d);
    buf_init(&out, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    diags_release(&d);
    buf_release(&out);
    return 0;
}

static size_t add_file(const char *name, struct str text)
{
    ssize_t i = diags_file(&d, str_of(name), text);

    assert_true(i >= 0);
    return (size_t)i;
}

static const char *shown(void)
{
    buf_clear(&out);
    diags_put(&d, &out);
    buf_char(&out, '\0');
    assert_int_equal(buf_status(&out), 0);
    return out.ptr;
}

static void shows_place_line_and_caret(void **state)
{
    size_t f = add_file("triage.cedar", STR("permit (\n  principal when\n);\n"));

    (void)state;
    diags_add(&d, DIAG_ERROR, f, 21, 25, NULL, "expected `)`, found `%s`", "when");
    diags_add(&d, DIAG_NOTE, f, 7, 7, NULL, "opened here");
    assert_string_equal(shown(), "triage.cedar:2:13: error: expected `)`, found `when`\n"
                                 "    2 |   principal when\n"
                                 "      |             ^~~~\n"
                                 "triage.cedar:1:8: note: opened here\n"
                                 "    1 | permit (\n"
                                 "      |        ^\n"
                                 "1 error\n");
}

static void orders_by_file_and_place(void **state)
{
    size_t f = add_file("a", STR("one\ntwo\n")), g = add_file("b", STR("x"));

    (void)state;
    diags_add(&d, DIAG_ERROR, SIZE_MAX, 0, 0, "a file", "nothing to read");
    diags_add(&d, DIAG_WARNING, g, 0, 1, NULL, "late");
    diags_add(&d, DIAG_ERROR, f, 4, 7, NULL, "second");
    diags_add(&d, DIAG_NOTE, g, 0, 1, NULL, "of second");
    diags_add(&d, DIAG_ERROR, f, 0, 3, NULL, "first");
    assert_string_equal(shown(), "a:1:1: error: first\n    1 | one\n      | ^~~\n"
                                 "a:2:1: error: second\n    2 | two\n      | ^~~\n"
                                 "b:1:1: note: of second\n    1 | x\n      | ^\n"
                                 "b:1:1: warning: late\n    1 | x\n      | ^\n"
                                 "error: nothing to read; expected a file\n"
                                 "3 errors, 1 warning\n");
}

static void counts_code_points(void **state)
{
    size_t f = add_file("a", STR("\t\xc3\xa9\xf0\x9f\x98\x80 x\r\nend"));
    unsigned line, column;

    (void)state;
    diags_where(&d, f, 8, &line, &column);
    assert_int_equal(line, 1);
    assert_int_equal(column, 5);
    diags_where(&d, f, 14, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 4);
    diags_where(&d, f, SIZE_MAX, &line, &column);
    assert_int_equal(column, 4);
    diags_where(&d, 7, 0, &line, &column);
    assert_int_equal(line, 1);
    diags_add(&d, DIAG_WARNING, f, 8, 9, NULL, "x");
    diags_add(&d, DIAG_WARNING, f, 14, 14, NULL, "end");
    assert_string_equal(shown(), "a:1:5: warning: x\n"
                                 "    1 |  \xc3\xa9\xf0\x9f\x98\x80 x\n"
                                 "      |     ^\n"
                                 "a:2:4: warning: end\n"
                                 "    2 | end\n"
                                 "      |    ^\n"
                                 "2 warnings\n");
    assert_false(diags_has_errors(&d));
}

static void cuts_long_lines_around_the_caret(void **state)
{
    char text[1000];
    size_t f;

    (void)state;
    memset(text, 'a', sizeof(text));
    text[500] = 'X';
    f = add_file("a", (struct str){text, sizeof(text)});
    diags_add(&d, DIAG_ERROR, f, 500, 900, NULL, "here");
    const char *s = shown(), *line = strchr(s, '\n') + 1, *caret = strchr(line, '\n') + 1;
    assert_int_equal(strchr(caret, '^') - caret, strchr(line, 'X') - line);
    assert_true(caret - line < 130);
    assert_true(strchr(caret, '\n') - caret < 130);
    assert_non_null(strstr(line, "| ...a"));
}

/* A policy file from elsewhere must not be able to clear the screen, nor to show another text than
 * it is. */
static void shows_no_control_characters(void **state)
{
    size_t f = add_file("a\x1b[2J", STR("x \x1b[31m \xe2\x80\xae \xff y\nz"));

    (void)state;
    diags_add(&d, DIAG_ERROR, f, 0, 1, "\x07", "found \x1b%s", "\xff");
    assert_string_equal(shown(), "a\\u{1b}[2J:1:1: error: found \\u{1b}\\xff; expected \\u{7}\n"
                                 "    1 | x ?[31m ? ? y\n"
                                 "      | ^\n"
                                 "1 error\n");
}

static void bounds_the_list(void **state)
{
    size_t f = add_file("a", STR("x"));

    (void)state;
    for (int i = 0; i < 300; i++) {
        diags_add(&d, DIAG_ERROR, f, 0, 0, NULL, "e%d", i);
        diags_add(&d, DIAG_NOTE, f, 0, 0, NULL, "n%d", i);
    }
    assert_int_equal(d.count, DIAGS_MAX);
    assert_int_equal(d.errors, 300);
    assert_true(d.truncated);
    assert_non_null(strstr(shown(), "\n300 errors, only the first 200 are shown\n"));
}

static void takes_odd_places(void **state)
{
    size_t f = add_file("a", STR("")), g = add_file("b", STR("ab\n"));

    (void)state;
    diags_add(&d, DIAG_ERROR, f, 0, 0, NULL, "empty");
    diags_add(&d, DIAG_ERROR, g, 99, 3, NULL, "behind");
    diags_add(&d, DIAG_ERROR, g, 1, 0, NULL, "backwards");
    diags_add(&d, DIAG_ERROR, 7, 1, 0, NULL, "no such file");
    assert_string_equal(shown(), "a:1:1: error: empty\n    1 | \n      | ^\n"
                                 "b:1:2: error: backwards\n    1 | ab\n      |  ^\n"
                                 "b:2:1: error: behind\n    2 | \n      | ^\n"
                                 "error: no such file\n"
                                 "4 errors\n");
}

static void says_nothing_of_nothing(void **state)
{
    (void)state;
    assert_string_equal(shown(), "");
    assert_false(diags_has_errors(&d));
    d.failed = ENOMEM;
    assert_true(diags_has_errors(&d));
    assert_non_null(strstr(shown(), "out of memory"));
}

static void writes_json(void **state)
{
    size_t f = add_file("a.cedar", STR("one\ntwo\n"));
    struct jout j;

    (void)state;
    diags_add(&d, DIAG_ERROR, f, 4, 8, "`three`", "found `two`");
    diags_add(&d, DIAG_WARNING, SIZE_MAX, 0, 0, NULL, "w");
    jout_begin(&j, &out);
    diags_json(&d, &j);
    assert_int_equal(jout_end(&j), 0);
    assert_str(buf_str(&out),
               "[{\"file\":\"a.cedar\",\"line\":2,\"column\":1,\"endLine\":3,\"endColumn\":1,"
               "\"level\":\"error\","
               "\"message\":\"found "
               "`two`\",\"expected\":\"`three`\"},{\"level\":\"warning\",\"message\":\"w\"}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shows_place_line_and_caret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(orders_by_file_and_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_code_points, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cuts_long_lines_around_the_caret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shows_no_control_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_the_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_odd_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_nothing_of_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(writes_json, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
