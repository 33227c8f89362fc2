/*
 * sort.c: sorted, stable, and bounded in its comparisons for any order.
 */
#include "tests/lib/cm.h"

#include "policy/text/sort.h"

struct item {
    unsigned key, was;
};

static int by_key(const void *va, const void *vb, void *ctx)
{
    const struct item *a = va, *b = vb;
    size_t *count = ctx;

    ++*count;
    return (a->key > b->key) - (a->key < b->key);
}

static unsigned key_of(unsigned pattern, unsigned i, unsigned n)
{
    switch (pattern) {
    case 0:
        return i;
    case 1:
        return n - i;
    case 2:
        return 7;
    case 3:
        return i % 2 ? i : n - i;
    default:
        return (i * 2654435761u) >> 20;
    }
}

static void check_order(unsigned pattern, unsigned n)
{
    struct item *items = calloc(n + 1, sizeof(*items));
    size_t count = 0, log = 1;

    assert_non_null(items);
    while ((1u << log) < n + 2)
        log++;
    for (unsigned i = 0; i < n; i++)
        items[i] = (struct item){key_of(pattern, i, n), i};
    assert_int_equal(sort_items(items, n, sizeof(*items), by_key, &count), 0);
    for (unsigned i = 1; i < n; i++) {
        assert_true(items[i - 1].key <= items[i].key);
        assert_true(items[i - 1].key < items[i].key || items[i - 1].was < items[i].was);
    }
    assert_true(count <= n * (log + 4));
    free(items);
}

static void sorts_any_order(void **state)
{
    (void)state;
    for (unsigned pattern = 0; pattern < 5; pattern++) {
        for (unsigned n = 0; n < 70; n++)
            check_order(pattern, n);
        check_order(pattern, 10007);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sorts_any_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
