/*
 * ext.c: the texts of extension values, at a page that traps; dates over all days of the calendar.
 */
#include "tests/lib/cm.h"

#include "policy/cedar/ext.h"
#include "policy/cedar/ip.h"
#include "policy/cedar/span.h"
#include "tests/lib/guard.h"

static struct guard guard;

static int set_up(void **state)
{
    (void)state;
    guard_init(&guard, 1 << 12);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_release(&guard);
    return 0;
}

static void addresses(void **state)
{
    static const struct {
        const char *text, *want; /* as written back; NULL: none */
    } rows[] = {
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"10.0.0.1/32", "10.0.0.1"},
        {"10.0.0.1/8", "10.0.0.1/8"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"FE80::a/10", "fe80::a/10"},
        {"::/0", "::/0"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"", NULL},
        {".", NULL},
        {"1.2.3", NULL},
        {"1.2.3.4.5", NULL},
        {"1.2.3.4.", NULL},
        {"01.2.3.4", NULL},
        {"256.1.1.1", NULL},
        {"1.2.3.4/", NULL},
        {"1.2.3.4/33", NULL},
        {"1.2.3.4/08", NULL},
        {"1.2.3.4/+8", NULL},
        {"1.2.3.4/8/8", NULL},
        {"1.2.3.4 ", NULL},
        {" 1.2.3.4", NULL},
        {"::ffff:1.2.3.4", NULL},
        {"1::2::3", NULL},
        {":::", NULL},
        {":", NULL},
        {"1:", NULL},
        {":1", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"1:2:3:4:5:6:7", NULL},
        {"1:2:3:4:5:6:7::8", NULL},
        {"12345::", NULL},
        {"g::", NULL},
        {"::/129", NULL},
        {"::1%eth0", NULL},
        {"[::1]", NULL},
    };
    char text[CEDAR_IP_TEXT];
    struct cedar_ip ip;
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc = cedar_ip_parse(guard_str(&guard, str_of(rows[i].text)), &ip, &why);

        assert_row((rc == 0) == (rows[i].want != NULL), i, "%s", rows[i].text);
        if (rc == 0) {
            cedar_ip_text(&ip, text);
            assert_row(strcmp(text, rows[i].want) == 0, i, "%s", text);
        }
    }
}

static void decimals(void **state)
{
    static const char *const bad[] = {"",        "1",    "1.",   ".1",    "-.1",
                                      "1.00000", "+1.0", "1.0 ", " 1.0",  "1,0",
                                      "--1.0",   "1.0.", "1.-0", "1e1.0", "922337203685477.5808"};
    const char *why;
    int64_t v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(cedar_span_decimal(guard_str(&guard, str_of(bad[i])), &v, &why) == -EINVAL, i,
                   "%s", bad[i]);
    assert_int_equal(cedar_span_decimal(STR("-922337203685477.5808"), &v, &why), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(cedar_span_decimal(STR("-0.5"), &v, &why), 0);
    assert_int_equal(v, -5000);
}

static void datetimes(void **state)
{
    static const char *const bad[] = {"",
                                      "2024",
                                      "2024-1-01",
                                      "2024-13-01",
                                      "2024-00-01",
                                      "2023-02-29",
                                      "1900-02-29",
                                      "2024-04-31",
                                      "2024-01-01T",
                                      "2024-01-01T00:00Z",
                                      "2024-01-01T00:00:00",
                                      "2024-01-01t00:00:00Z",
                                      "2024-01-01T24:00:00Z",
                                      "2024-01-01T00:60:00Z",
                                      "2024-01-01T00:00:60Z",
                                      "2024-01-01T00:00:00.1Z",
                                      "2024-01-01T00:00:00.1234Z",
                                      "2024-01-01T00:00:00+2400",
                                      "2024-01-01T00:00:00+0060",
                                      "2024-01-01T00:00:00+01:00",
                                      "2024-01-01T00:00:00ZZ",
                                      "2024-01-01T00:00:00+",
                                      "2024-01-01Z",
                                      "-2024-01-01",
                                      "12024-01-01"};
    const char *why;
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(cedar_span_datetime(guard_str(&guard, str_of(bad[i])), &ms, &why) == -EINVAL, i,
                   "%s", bad[i]);
    assert_int_equal(cedar_span_datetime(STR("2024-10-15T11:35:00.123+0130"), &ms, &why), 0);
    assert_true(ms == 1728986700123);
    assert_int_equal(cedar_span_datetime(STR("0000-01-01"), &ms, &why), 0);
    assert_true(ms == -62167219200000);
}

/* Every day of 1,200 years: each is the one before plus one, there and back. */
static void calendar(void **state)
{
    int64_t day = cedar_span_days(1200, 1, 1), year;
    unsigned month, of_month;

    (void)state;
    for (int64_t d = day; d < day + 1200 * 365; d++) {
        cedar_span_date(d, &year, &month, &of_month);
        assert_true(cedar_span_days(year, month, of_month) == d);
        assert_true(month >= 1 && month <= 12 && of_month >= 1 && of_month <= 31);
    }
    assert_int_equal(cedar_span_days(1970, 1, 1), 0);
    assert_int_equal(cedar_span_days(2000, 3, 1) - cedar_span_days(2000, 2, 28), 2);
    assert_int_equal(cedar_span_days(1900, 3, 1) - cedar_span_days(1900, 2, 28), 1);
}

static void durations(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "1",
                                      "d",
                                      "1w",
                                      "1s1m",
                                      "1s1s",
                                      "1d 2h",
                                      "+1s",
                                      "1.5s",
                                      "1ms1s",
                                      "1H",
                                      "--1s",
                                      "1m1",
                                      "9223372036854775808ms",
                                      "106751991168d",
                                      "1d9223372036854775807ms"};
    const char *why;
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(cedar_span_duration(guard_str(&guard, str_of(bad[i])), &ms, &why) == -EINVAL, i,
                   "%s", bad[i]);
    assert_int_equal(cedar_span_duration(STR("-1d2h3m4s5ms"), &ms, &why), 0);
    assert_true(ms == -93784005);
    assert_int_equal(cedar_span_duration(STR("-9223372036854775808ms"), &ms, &why), 0);
    assert_true(ms == INT64_MIN);
    assert_int_equal(cedar_span_duration(STR("1m1ms"), &ms, &why), 0);
    assert_true(ms == 60001);
}

/* What is written is read back as the same value. */
static void texts(void **state)
{
    struct cedar_value rows[] = {cedar_decimal(0),
                                 cedar_decimal(INT64_MIN),
                                 cedar_decimal(INT64_MAX),
                                 cedar_decimal(-5),
                                 cedar_decimal(1000),
                                 cedar_duration(0),
                                 cedar_duration(INT64_MIN),
                                 cedar_datetime(-1),
                                 cedar_datetime(253402300799999),
                                 cedar_datetime(-62167219200000)};
    char text[CEDAR_EXT_TEXT];
    const char *why;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *name = cedar_ext_arg(&rows[i], text);
        struct cedar_value arg = cedar_string(str_of(text)), back;

        assert_non_null(name);
        assert_int_equal(
            cedar_ext_call((unsigned)cedar_ext_find(str_of(name)), &arg, &arena, &back, &why), 0);
        assert_row(cedar_value_eq(&rows[i], &back), i, "%s", text);
    }
    rows[0] = cedar_datetime(253402300800000);
    assert_null(cedar_ext_arg(&rows[0], text));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decimals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(datetimes, set_up, tear_down),
        cmocka_unit_test(calendar),
        cmocka_unit_test_setup_teardown(durations, set_up, tear_down),
        cmocka_unit_test(texts),
    };

    return cmocka_run_group_tests_name("policy/cedar/ext", tests, NULL, NULL);
}
