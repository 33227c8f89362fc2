/*
 * jcs.c: the canonical form against the numbers and the order that RFC 8785 gives (its appendix B
 * and section 3.2.3), and that the exact form tells apart what a double does not.
 */
#include "tests/lib/cm.h"

#include "policy/text/jcs.h"

static struct arena arena;
static struct buf out;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    buf_init(&out, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    buf_release(&out);
    return 0;
}

static int canonical(const char *text, enum jcs_mode mode)
{
    struct json_limits limits = {.max_bytes = 1 << 20, .max_depth = 512, .max_values = 1 << 20};
    struct err err = ERR_INIT;
    const struct json *v = NULL;

    arena_reset(&arena);
    buf_clear(&out);
    if (json_parse(&arena, str_of(text), &limits, &v, NULL, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return jcs_write(&out, v, mode, &err);
}

static void prints_doubles(void **state)
{
    static const struct {
        uint64_t bits;
        const char *text;
    } rows[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
        /* Powers of two whose nearest 16 digits read as the double below. */
        {0x3d30000000000000, "5.684341886080802e-14"},
        {0x0010000000000000, "2.2250738585072014e-308"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[400];
        double v;
        memcpy(&v, &rows[i].bits, sizeof(v));
        /* With a fraction, so that it is no integer to the parser; more digits than any double
         * needs. */
        (void)snprintf(text, sizeof(text), "%.30e", v);
        assert_int_equal(canonical(text, JCS_RFC8785), 0);
        assert_row(str_is(buf_str(&out), rows[i].text), i, "got %.*s", STR_FMT(buf_str(&out)));
    }
}

struct row {
    const char *text, *rfc, *exact;
};

static void prints_numbers(void **state)
{
    static const struct row rows[] = {
        {"1", "1", "1"},
        {"-0", "0", "0"},
        {"0.0", "0", "0"},
        {"-0e5", "0", "0"},
        {"1.0", "1", "1"},
        {"4.50", "4.5", "4.5"},
        {"2e-3", "0.002", "0.002"},
        {"1E30", "1e+30", "1e+30"},
        {"10e1", "100", "100"},
        {"0.000001", "0.000001", "0.000001"},
        {"0.0000001", "1e-7", "1e-7"},
        {"1.5e-7", "1.5e-7", "1.5e-7"},
        {"100000000000000000000.0", "100000000000000000000", "100000000000000000000"},
        {"1e21", "1e+21", "1e+21"},
        {"1e-400", "0", "1e-400"},
        {"-1.25e-2", "-0.0125", "-0.0125"},
        {"0e999999999999999999999", "0", "0"},
        {"12345.678", "12345.678", "12345.678"},
        {"9007199254740993", "9007199254740992", "9007199254740993"},
        {"9223372036854775807", "9223372036854776000", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854776000", "-9223372036854775808"},
        {"9223372036854775808", "9223372036854776000", "9223372036854775808"},
        {"9223372036854776000", "9223372036854776000", "9223372036854776000"},
        {"0.1000000000000000055", "0.1", "0.1000000000000000055"},
        {"0.10000000000000000000", "0.1", "0.1"},
        {"9007199254740993.0", "9007199254740992", "9007199254740993.0"},
        {"123456789012345678901234567890", "1.2345678901234568e+29",
         "123456789012345678901234567890"},
        {"1.7976931348623157e308", "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {"1.79769313486231570e+308", "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {"4.9e-324", "5e-324", "4.9e-324"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(canonical(rows[i].text, JCS_RFC8785), 0);
        assert_row(str_is(buf_str(&out), rows[i].rfc), i, "got %.*s", STR_FMT(buf_str(&out)));
        assert_int_equal(canonical(rows[i].text, JCS_EXACT), 0);
        assert_row(str_is(buf_str(&out), rows[i].exact), i, "exact %.*s", STR_FMT(buf_str(&out)));
    }
    assert_int_equal(canonical("1e400", JCS_RFC8785), -ERANGE);
    assert_int_equal(canonical("[-1e400]", JCS_EXACT), -ERANGE);
    assert_int_equal(canonical("1e99999999999999999999999", JCS_EXACT), -ERANGE);
    assert_str(buf_str(&out), "");
}

/* Pairs that must never share a digest: one may be approved, the other sent. */
static void tells_numbers_apart(void **state)
{
    static const char *const pairs[][2] = {
        {"9007199254740992", "9007199254740993"},
        {"0.1", "0.1000000000000000055"},
        {"1e-400", "0"},
        {"9223372036854775808", "9223372036854776000"},
        {"100", "100.00000000000000000001"},
        {"1", "-1"},
        {"1.5", "-1.5"},
        {"0.30000000000000004", "0.3"},
        {"1e2", "1e3"},
        {"12345678901234567890.1", "12345678901234567890.2"},
        {"1", "\"1\""},
        {"null", "\"null\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        char first[128];
        assert_int_equal(canonical(pairs[i][0], JCS_EXACT), 0);
        assert_int_equal(str_copy(buf_str(&out), first, sizeof(first)), 0);
        assert_int_equal(canonical(pairs[i][1], JCS_EXACT), 0);
        assert_row(!str_is(buf_str(&out), first), i, "both %s", first);
    }
}

static void sorts_by_utf16(void **state)
{
    (void)state;
    /* The names of RFC 8785, 3.2.3. In UTF-8 order the smiley (F0...) would come last. */
    assert_int_equal(
        canonical("{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew "
                  "Letter Dalet With Dagesh\",\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning "
                  "Face\",\"\\u0080\":\"Control\",\"\\u00f6\":\"Latin Small Letter O With "
                  "Diaeresis\"}",
                  JCS_RFC8785),
        0);
    assert_str(buf_str(&out),
               "{\"\\r\":\"Carriage "
               "Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\",\"\xc3\xb6\":\"Latin Small "
               "Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro "
               "Sign\",\"\xf0\x9f\x98\x80\":\"Emoji: Grinning "
               "Face\",\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
    assert_int_equal(
        canonical("{\"b\":0,\"\":0,\"aa\":0,\"a\":0,\"\\ud83d\\ude01\":0,\"\\ud83d\\ude00\":0,"
                  "\"\\uffff\":0,\"\\ue000\":0,\"\\ud7ff\":0}",
                  JCS_EXACT),
        0);
    assert_str(buf_str(&out), "{\"\":0,\"a\":0,\"aa\":0,\"b\":0,\"\xed\x9f\xbf\":0,"
                              "\"\xf0\x9f\x98\x80\":0,\"\xf0\x9f\x98\x81\":0,"
                              "\"\xee\x80\x80\":0,\"\xef\xbf\xbf\":0}");
}

static void writes_structure(void **state)
{
    (void)state;
    assert_int_equal(
        canonical(" { \"b\" : [ ] , \"a\" : { \"d\" : [1 , {} , [null,true]], \"c\":false } } ",
                  JCS_RFC8785),
        0);
    assert_str(buf_str(&out), "{\"a\":{\"c\":false,\"d\":[1,{},[null,true]]},\"b\":[]}");
    /* Escapes as RFC 8785, 3.2.2.2: the short ones, lower-case hex, nothing else. */
    assert_int_equal(
        canonical("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\\u007f\"",
                  JCS_RFC8785),
        0);
    assert_str(buf_str(&out), "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\x7f\"");
}

static void keeps_its_bounds(void **state)
{
    char text[1100];
    struct json_limits limits = {.max_bytes = 4096, .max_depth = 512, .max_values = 4096};
    const struct json *v;
    struct json fake = {.type = JSON_NUMBER};
    struct buf small;

    (void)state;
    memset(text, '[', 512);
    memset(text + 512, ']', 512);
    text[1024] = '\0';
    assert_int_equal(canonical(text, JCS_EXACT), 0);
    assert_int_equal(out.len, 1024);
    assert_int_equal(json_parse(&arena, STR("{\"a\":[1,2,3]}"), &limits, &v, NULL, NULL), 0);
    buf_init(&small, 10);
    assert_int_equal(jcs_write(&small, v, JCS_EXACT, NULL), -EMSGSIZE);
    assert_int_equal(small.len, 0);
    buf_release(&small);
    buf_clear(&out);
    assert_int_equal(jcs_write(&out, &fake, JCS_EXACT, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_doubles),      cmocka_unit_test(prints_numbers),
        cmocka_unit_test(tells_numbers_apart), cmocka_unit_test(sorts_by_utf16),
        cmocka_unit_test(writes_structure),    cmocka_unit_test(keeps_its_bounds),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
