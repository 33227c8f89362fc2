/*
 * num.c: what is a number, what is none, and what is too large.
 */
#include "tests/lib/cm.h"

#include "policy/text/num.h"
#include "tests/lib/guard.h"

#define BAD (-EINVAL)
#define BIG (-ERANGE)

struct row {
    const char *text;
    int r;
    int64_t v;
};

static void integers(void **state)
{
    static const struct row rows[] = {
        {"0", 0, 0},
        {"7", 0, 7},
        {"-1", 0, -1},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", BIG, 0},
        {"-9223372036854775809", BIG, 0},
        {"99999999999999999999999", BIG, 0},
        {"18446744073709551616", BIG, 0},
        {"", BAD, 0},
        {"-", BAD, 0},
        {"-0", BAD, 0},
        {"+1", BAD, 0},
        {"01", BAD, 0},
        {"-01", BAD, 0},
        {" 1", BAD, 0},
        {"1 ", BAD, 0},
        {"1e3", BAD, 0},
        {"0x1", BAD, 0},
        {"--1", BAD, 0},
        {"1.", BAD, 0},
        {"\xd9\xa1", BAD, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = 0;
        int r = num_i64(str_of(rows[i].text), &v);
        assert_row(r == rows[i].r && v == rows[i].v, i, "%s: %d %" PRId64, rows[i].text, r, v);
    }
    uint64_t u;
    assert_int_equal(num_u64(STR("18446744073709551615"), &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(num_u64(STR("18446744073709551616"), &u), BIG);
    assert_int_equal(num_u64(STR("-1"), &u), BAD);
    assert_int_equal(num_u64(STR_NONE, &u), BAD);
    assert_int_equal(num_hex(STR("ffffFFFFffffFFFF"), &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(num_hex(STR("00000000000000000"), &u), BAD);
    assert_int_equal(num_hex(STR("0x1"), &u), BAD);
    assert_int_equal(num_hex(STR_NONE, &u), BAD);
}

static void durations(void **state)
{
    static const struct row rows[] = {
        {"1h30m", 0, 5400000},
        {"30s", 0, 30000},
        {"500ms", 0, 500},
        {"0s", 0, 0},
        {"2w", 0, 1209600000},
        {"1w1d1h1m1s1ms", 0, 694861001},
        {"1m1ms", 0, 60001},
        {"90m", 0, 5400000},
        {"", BAD, 0},
        {"30", BAD, 0},
        {"s", BAD, 0},
        {"1s1m", BAD, 0},
        {"1s1s", BAD, 0},
        {"-1s", BAD, 0},
        {"1.5h", BAD, 0},
        {"1 h", BAD, 0},
        {"1h ", BAD, 0},
        {"1H", BAD, 0},
        {"1y", BAD, 0},
        {"1mm", BAD, 0},
        {"9223372036854775807ms", 0, INT64_MAX},
        {"9223372036854775808ms", BIG, 0},
        {"15250284453w", BIG, 0},
        {"99999999999999999999s", BIG, 0},
        {"99999999999999999999x", BAD, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = 0;
        int r = num_duration_ms(str_of(rows[i].text), &v);
        assert_row(r == rows[i].r && v == rows[i].v, i, "%s: %d %" PRId64, rows[i].text, r, v);
    }
}

static void duration_texts(void **state)
{
    char text[NUM_DURATION_TEXT];

    (void)state;
    assert_int_equal(num_duration_text(5400000, text), 5);
    assert_string_equal(text, "1h30m");
    (void)num_duration_text(0, text);
    assert_string_equal(text, "0s");
    (void)num_duration_text(-1500, text);
    assert_string_equal(text, "-1s500ms");
    (void)num_duration_text(INT64_MIN, text);
    assert_string_equal(text, "-15250284452w3d7h12m55s808ms");
}

static void sizes(void **state)
{
    static const struct row rows[] = {
        {"0", 0, 0},
        {"512", 0, 512},
        {"1K", 0, 1024},
        {"16M", 0, 16777216},
        {"2G", 0, 2147483648},
        {"K", BAD, 0},
        {"", BAD, 0},
        {"1k", BAD, 0},
        {"1KB", BAD, 0},
        {"1.5M", BAD, 0},
        {"-1", BAD, 0},
        {"17179869184G", BIG, 0},
        {"99999999999999999999", BIG, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t v = 0;
        int r = num_size_bytes(str_of(rows[i].text), &v);
        assert_row(r == rows[i].r && v == (uint64_t)rows[i].v, i, "%s: %d", rows[i].text, r);
    }
}

static void fixed_points(void **state)
{
    static const struct row rows[] = {
        {"12.5", 0, 125000},
        {"3", 0, 30000},
        {"-0.0001", 0, -1},
        {"0.0", 0, 0},
        {"-0.5", 0, -5000},
        {"922337203685477.5807", 0, INT64_MAX},
        {"-922337203685477.5808", 0, INT64_MIN},
        {"922337203685477.5808", BIG, 0},
        {"-922337203685477.5809", BIG, 0},
        {"9999999999999999", BIG, 0},
        {"99999999999999999999.1", BIG, 0},
        {"1.23456", BAD, 0},
        {"1.00000", BAD, 0},
        {"1.", BAD, 0},
        {".5", BAD, 0},
        {"+1", BAD, 0},
        {"1e3", BAD, 0},
        {"", BAD, 0},
        {"-", BAD, 0},
        {"1,5", BAD, 0},
        {"1.2.3", BAD, 0},
        {"--1", BAD, 0},
        {"1.-2", BAD, 0},
    };
    char text[NUM_FIXED_TEXT];
    int64_t v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        v = 0;
        int r = num_fixed(str_of(rows[i].text), 4, &v);
        assert_row(r == rows[i].r && v == rows[i].v, i, "%s: %d %" PRId64, rows[i].text, r, v);
    }
    assert_int_equal(num_fixed(STR("5"), 0, &v), 0);
    assert_int_equal(v, 5);
    assert_int_equal(num_fixed(STR("5.0"), 0, &v), BAD);
    assert_int_equal(num_fixed_text(125000, 4, text), 4);
    assert_string_equal(text, "12.5");
    (void)num_fixed_text(-1, 4, text);
    assert_string_equal(text, "-0.0001");
    (void)num_fixed_text(30000, 4, text);
    assert_string_equal(text, "3");
    (void)num_fixed_text(100, 0, text);
    assert_string_equal(text, "100");
    (void)num_fixed_text(INT64_MIN, 18, text);
    assert_string_equal(text, "-9.223372036854775808");
}

static void time_texts(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(4107542399999), "2100-02-28T23:59:59.999Z"},
        {INT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
        {INT64_C(1795403427123), "2026-11-23T03:10:27.123Z"},
        {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[NUM_TIME_TEXT];
        int64_t ms = 0;
        assert_int_equal(num_time_text(rows[i].ms, text), 24);
        assert_row(strcmp(text, rows[i].text) == 0, i, "%s", text);
        assert_row(num_time_ms(str_of(text), &ms) == 0 && ms == rows[i].ms, i, "%" PRId64, ms);
    }
}

static void times_of_others(void **state)
{
    static const struct row rows[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01t00:00:00z", 0, 0},
        {"1970-01-01T01:00:00+01:00", 0, 0},
        {"1969-12-31T23:30:00-00:30", 0, 0},
        {"1970-01-01T00:00:00.5Z", 0, 500},
        {"1970-01-01T00:00:00.123456789Z", 0, 123},
        {"1985-04-12T23:20:50.52Z", 0, INT64_C(482196050520)},
        {"1990-12-31T23:59:60Z", 0, INT64_C(662688000000)},
        {"1990-12-31T15:59:60-08:00", 0, INT64_C(662688000000)},
        {"1990-12-31T15:59:60Z", BAD, 0},
        {"1970-01-01 00:00:00Z", BAD, 0},
        {"1970-01-01T00:00:00", BAD, 0},
        {"1970-01-01", BAD, 0},
        {"1970-13-01T00:00:00Z", BAD, 0},
        {"1970-00-01T00:00:00Z", BAD, 0},
        {"1970-01-32T00:00:00Z", BAD, 0},
        {"1970-01-00T00:00:00Z", BAD, 0},
        {"1970-02-29T00:00:00Z", BAD, 0},
        {"1900-02-29T00:00:00Z", BAD, 0},
        {"1970-01-01T24:00:00Z", BAD, 0},
        {"1970-01-01T00:60:00Z", BAD, 0},
        {"1970-01-01T00:00:61Z", BAD, 0},
        {"1970-01-01T00:00:00.Z", BAD, 0},
        {"1970-01-01T00:00:00,5Z", BAD, 0},
        {"1970-01-01T00:00:00+1:00", BAD, 0},
        {"1970-01-01T00:00:00+0100", BAD, 0},
        {"1970-01-01T00:00:00+24:00", BAD, 0},
        {"1970-01-01T00:00:00Zx", BAD, 0},
        {"70-01-01T00:00:00Z", BAD, 0},
        {"1970\r01-01T00:00:00Z", BAD, 0},
        {"", BAD, 0},
    };
    struct guard g;

    (void)state;
    guard_init(&g, 64);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ms = 0;
        int r = num_time_ms(guard_str(&g, str_of(rows[i].text)), &ms);
        assert_row(r == rows[i].r && ms == rows[i].v, i, "%s: %d %" PRId64, rows[i].text, r, ms);
    }
    guard_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),        cmocka_unit_test(durations),
        cmocka_unit_test(duration_texts),  cmocka_unit_test(sizes),
        cmocka_unit_test(fixed_points),    cmocka_unit_test(time_texts),
        cmocka_unit_test(times_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
