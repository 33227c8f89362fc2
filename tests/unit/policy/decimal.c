/*
 * decimal.c: numbers of JSON compared as the decimals that they are.
 */
#include "tests/lib/cm.h"

#include "policy/decimal.h"

static struct decimal of(const char *text)
{
    struct decimal d;
    assert_true(decimal_of(str_of(text), &d));
    return d;
}

static void order(void **state)
{
    static const struct {
        const char *a, *b;
        int c;
    } rows[] = {
        {"0", "-0", 0},
        {"0", "0.000", 0},
        {"0e99999", "-0.0e5", 0},
        {"1", "1.0", 0},
        {"10", "1e1", 0},
        {"1E+2", "100.00", 0},
        {"0.001", "1e-3", 0},
        {"100e-2", "1", 0},
        {"-1", "1", -1},
        {"-2", "-1", -1},
        {"9", "10", -1},
        {"1.10", "1.1", 0},
        {"1.09", "1.1", -1},
        {"0.1", "0.01", 1},
        {"123456789012345678901234567890", "123456789012345678901234567891", -1},
        {"9223372036854775807", "9223372036854775808", -1},
        {"0.30000000000000000001", "0.3", 1},
        {"1e400", "1e399", 1},
        {"-1e400", "1e-400", -1},
        {"5", "0", 1},
        {"-5", "0", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct decimal a = of(rows[i].a), b = of(rows[i].b);
        assert_row(decimal_cmp(&a, &b) == rows[i].c, i, "%s %s", rows[i].a, rows[i].b);
        assert_row(decimal_cmp(&b, &a) == -rows[i].c, i, "%s %s", rows[i].b, rows[i].a);
    }
    struct decimal d;
    assert_false(decimal_of(STR("1e9999999"), &d));
    assert_false(decimal_of(STR("1e-99999999999999999999999999"), &d));
}

static void whole(void **state)
{
    static const char *const yes[] = {"0", "-0.0", "3", "3.0", "30e-1", "1e400", "0.5e1"};
    static const char *const no[] = {"0.5", "3.1", "1e-1", "35e-1", "1e-400"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        struct decimal d = of(yes[i]);
        assert_row(decimal_is_whole(&d), i, "%s", yes[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        struct decimal d = of(no[i]);
        assert_row(!decimal_is_whole(&d), i, "%s", no[i]);
    }
}

static void multiples(void **state)
{
    static const struct {
        const char *a, *b;
        bool is, known;
    } rows[] = {
        {"0", "3", true, true},          {"9", "3", true, true},
        {"-9", "3", true, true},         {"10", "3", false, true},
        {"0.3", "0.1", true, true},      {"19.99", "0.01", true, true},
        {"19.995", "0.01", false, true}, {"0.5", "5", false, true},
        {"5", "0.5", true, true},        {"0.5", "0.25", true, true},
        {"1e3", "0.125", true, true},    {"100", "30", false, true},
        {"1e400", "1e399", true, true},  {"1e4000", "1", false, false},
        {"1", "0", false, false},        {"1", "0.123456789012345678", false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool known = false;
        struct decimal a = of(rows[i].a), b = of(rows[i].b);
        bool is = decimal_is_multiple(&a, &b, &known);
        assert_row(is == rows[i].is && known == rows[i].known, i, "%s %s", rows[i].a, rows[i].b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test(whole),
        cmocka_unit_test(multiples),
    };

    return cmocka_run_group_tests_name("policy/decimal", tests, NULL, NULL);
}
