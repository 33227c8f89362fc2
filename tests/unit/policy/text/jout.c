/*
 * jout.c: what comes out is JSON or nothing.
 */
#include "tests/lib/cm.h"

#include "policy/text/jout.h"

static struct buf out;
static struct jout j;

static int set_up(void **state)
{
    (void)state;
    buf_init(&out, 1 << 20);
    jout_begin(&j, &out);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_release(&out);
    return 0;
}

static void again(void)
{
    buf_clear(&out);
    buf_cstr(&out, "before ");
    jout_begin(&j, &out);
}

static void writes_all_kinds(void **state)
{
    (void)state;
    jout_object(&j);
    jout_m_str(&j, "s", STR("a\"\\\n\x01\x7f\xc3\xa9/"));
    jout_m_cstr(&j, "none", NULL);
    jout_m_i64(&j, "i", INT64_MIN);
    jout_m_bool(&j, "b", true);
    jout_m_json(&j, "absent", NULL);
    jout_m_fmt(&j, "f", "%d%%\t", 50);
    jout_m_time(&j, "t", 1);
    jout_name_str(&j, STR("n\"ame"));
    jout_array(&j);
    jout_null(&j);
    jout_u64(&j, UINT64_MAX);
    jout_fixed(&j, 125000, 4);
    jout_array(&j);
    jout_array_end(&j);
    jout_object(&j);
    jout_object_end(&j);
    jout_raw(&j, STR(" {\"x\" : [1]} "));
    jout_fmt(&j, "%s", "");
    jout_array_end(&j);
    jout_object_end(&j);
    assert_int_equal(jout_end(&j), 0);
    assert_str(
        buf_str(&out),
        "{\"s\":\"a\\\"\\\\\\n\\u0001\x7f\xc3\xa9/\",\"none\":null,\"i\":-9223372036854775808,"
        "\"b\":true,\"f\":\"50%\\t\",\"t\":\"1970-01-01T00:00:00.001Z\",\"n\\\"ame\":[null,"
        "18446744073709551615,12.5,[],{},{\"x\" : [1]},\"\"]}");
}

/* Each does one thing out of place; jout_end() must say so and take everything back. */
static void two_values(void)
{
    jout_null(&j);
    jout_null(&j);
}
static void nothing(void)
{
}
static void value_without_name(void)
{
    jout_object(&j);
    jout_null(&j);
    jout_object_end(&j);
}
static void name_without_value(void)
{
    jout_object(&j);
    jout_name(&j, "a");
    jout_object_end(&j);
}
static void two_names(void)
{
    jout_object(&j);
    jout_name(&j, "a");
    jout_name(&j, "b");
    jout_null(&j);
    jout_object_end(&j);
}
static void name_in_array(void)
{
    jout_array(&j);
    jout_name(&j, "a");
    jout_null(&j);
    jout_array_end(&j);
}
static void name_alone(void)
{
    jout_name(&j, "a");
}
static void unclosed(void)
{
    jout_array(&j);
}
static void wrong_end(void)
{
    jout_array(&j);
    jout_object_end(&j);
}
static void end_too_many(void)
{
    jout_array(&j);
    jout_array_end(&j);
    jout_array_end(&j);
}
static void raw_is_not_json(void)
{
    jout_raw(&j, STR("{\"a\":1"));
}
static void raw_is_two(void)
{
    jout_array(&j);
    jout_raw(&j, STR("1,2"));
    jout_array_end(&j);
}
static void raw_closes_more(void)
{
    jout_array(&j);
    jout_raw(&j, STR("1]"));
    jout_array_end(&j);
}
static void raw_has_a_line_break(void)
{
    jout_raw(&j, STR("[1,\n2]"));
}
static void raw_has_a_return(void)
{
    jout_raw(&j, STR("[1,\r2]"));
}
static void raw_is_empty(void)
{
    jout_raw(&j, STR_NONE);
}

static void refuses_what_is_out_of_place(void **state)
{
    static void (*const misuses[])(void) = {
        two_values,         nothing,
        value_without_name, name_without_value,
        two_names,          name_in_array,
        name_alone,         unclosed,
        wrong_end,          end_too_many,
        raw_is_not_json,    raw_is_two,
        raw_closes_more,    raw_has_a_line_break,
        raw_has_a_return,   raw_is_empty,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(misuses); i++) {
        again();
        misuses[i]();
        assert_row(jout_end(&j) == -EINVAL, i, "taken");
        assert_str(buf_str(&out), "before ");
    }
}

static void refuses_text_that_is_not_utf8(void **state)
{
    (void)state;
    again();
    jout_str(&j, STR("a\xff"));
    assert_int_equal(jout_end(&j), -EILSEQ);
    assert_str(buf_str(&out), "before ");
    again();
    jout_object(&j);
    jout_m_i64(&j, "\xed\xa0\x80", 1);
    jout_object_end(&j);
    assert_int_equal(jout_end(&j), -EILSEQ);
    again();
    jout_fmt(&j, "%c", 0x80);
    assert_int_equal(jout_end(&j), -EILSEQ);
    again();
    jout_raw(&j, STR("\"\xc0\xaf\""));
    assert_int_equal(jout_end(&j), -EILSEQ);
    assert_str(buf_str(&out), "before ");
}

static void keeps_depth_and_size(void **state)
{
    (void)state;
    again();
    for (int i = 0; i < JOUT_DEPTH_MAX; i++)
        jout_array(&j);
    jout_raw(&j, STR("1"));
    for (int i = 0; i < JOUT_DEPTH_MAX; i++)
        jout_array_end(&j);
    assert_int_equal(jout_end(&j), 0);
    again();
    for (int i = 0; i < 1000; i++)
        jout_object(&j), jout_name(&j, "a");
    assert_int_equal(jout_end(&j), -E2BIG);
    again();
    for (int i = 0; i < JOUT_DEPTH_MAX; i++)
        jout_array(&j);
    jout_raw(&j, STR("[]"));
    assert_int_equal(jout_end(&j), -E2BIG);
    buf_release(&out);
    buf_init(&out, 8);
    jout_begin(&j, &out);
    jout_cstr(&j, "12345678");
    assert_int_equal(jout_end(&j), -EMSGSIZE);
    assert_str(buf_str(&out), "");
}

static void passes_trees_on(void **state)
{
    static const struct str text =
        STR("{\"a\" : [1.50, -0,{} ,[ ]], \"\\u0062\\n\":\"\\u00e9\",\"c\":null}");
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    const struct json *v;
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    assert_int_equal(json_parse(&a, text, &limits, &v, NULL, NULL), 0);
    jout_array(&j);
    jout_json(&j, v);
    jout_json(&j, json_get(v, "a"));
    jout_array_end(&j);
    assert_int_equal(jout_end(&j), 0);
    assert_str(buf_str(&out),
               "[{\"a\":[1.50,-0,{},[]],\"b\\n\":\"\\u00e9\",\"c\":null},[1.50,-0,{},[]]]");
    /* Depth counts what is around it. */
    again();
    for (int i = 0; i < JOUT_DEPTH_MAX - 1; i++)
        jout_array(&j);
    jout_json(&j, v);
    assert_int_equal(jout_end(&j), -E2BIG);
    again();
    jout_object(&j);
    jout_json(&j, v);
    assert_int_equal(jout_end(&j), -EINVAL);
    arena_release(&a);
}

static void escapes(void **state)
{
    (void)state;
    buf_clear(&out);
    assert_int_equal(jout_escape(&out, STR("\b\f\r\0\x1f\"")), 0);
    assert_str(buf_str(&out), "\"\\b\\f\\r\\u0000\\u001f\\\"\"");
    buf_clear(&out);
    assert_int_equal(jout_escape(&out, STR_NONE), 0);
    assert_str(buf_str(&out), "\"\"");
    assert_int_equal(jout_escape(&out, STR("\xff")), -EILSEQ);
    assert_str(buf_str(&out), "\"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_all_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_is_out_of_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_text_that_is_not_utf8, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_depth_and_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(passes_trees_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(escapes, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
