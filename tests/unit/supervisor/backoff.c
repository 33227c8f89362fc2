/*
 * backoff.c: goal: full jitter between nothing and a growing cap; it neither spins nor overflows.
 */
#include "supervisor/backoff.h"
#include "tests/lib/cm.h"

static void caps(void **state)
{
    (void)state;
    static const struct {
        int64_t initial, max, factor;
        int failures;
        int64_t cap;
    } rows[] = {
        {1000, 300000, 2000, 1, 1000},
        {1000, 300000, 2000, 2, 2000},
        {1000, 300000, 2000, 5, 16000},
        {1000, 300000, 2000, 9, 256000},
        {1000, 300000, 2000, 10, 300000},
        {1000, 300000, 2000, 2000000000, 300000},
        {100, 100, 1000, 7, 100},
        {500, 100, 2000, 1, 100},
        {10, INT64_C(2592000000), 10000, 12, INT64_C(2592000000)},
        {1000, 5000, 1500, 3, 2250},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t top =
            backoff_ms(rows[i].initial, rows[i].max, rows[i].factor, rows[i].failures, UINT32_MAX);
        int64_t low = backoff_ms(rows[i].initial, rows[i].max, rows[i].factor, rows[i].failures, 0);
        int64_t half = backoff_ms(rows[i].initial, rows[i].max, rows[i].factor, rows[i].failures,
                                  UINT32_MAX / 2);
        assert_row(top == rows[i].cap, i, "cap %ld", (long)top);
        assert_row(low == 1, i, "least %ld", (long)low); /* the whole range, down to nothing */
        assert_row(half >= rows[i].cap / 2 - 1 && half <= rows[i].cap / 2 + 1, i, "middle %ld",
                   (long)half);
    }
}

static void spreads_evenly(void **state)
{
    (void)state;
    int buckets[10] = {0};
    uint32_t x = 1;
    for (int i = 0; i < 10000; i++) {
        x = x * 1664525u + 1013904223u;
        buckets[MIN(backoff_ms(1000, 1000, 1000, 1, x) / 100, 9)]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(buckets); i++)
        assert_row(buckets[i] > 800 && buckets[i] < 1200, i, "%d", buckets[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(caps), cmocka_unit_test(spreads_evenly)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
