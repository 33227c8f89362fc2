/*
 * order.c: insertion sort for the few, heap sort for the many (sets come from peers, so the worst
 * case counts, and the decision path must not allocate).
 */
#include "policy/cedar/order.h"

#define FEW 12

static void insertion(char *base, size_t n, size_t size, cedar_order_fn *cmp)
{
    char held[CEDAR_ORDER_ITEM_MAX];

    for (size_t i = 1; i < n; i++) {
        size_t to = i;

        while (to > 0 && cmp(base + (to - 1) * size, base + i * size) > 0)
            to--;
        if (to == i)
            continue;
        memcpy(held, base + i * size, size);
        memmove(base + (to + 1) * size, base + to * size, (i - to) * size);
        memcpy(base + to * size, held, size);
    }
}

static void swap(char *a, char *b, size_t size)
{
    char held[CEDAR_ORDER_ITEM_MAX];

    memcpy(held, a, size);
    memcpy(a, b, size);
    memcpy(b, held, size);
}

static void sift(char *base, size_t root, size_t n, size_t size, cedar_order_fn *cmp)
{
    for (;;) {
        size_t child = 2 * root + 1;

        if (child >= n)
            return;
        if (child + 1 < n && cmp(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (cmp(base + root * size, base + child * size) >= 0)
            return;
        swap(base + root * size, base + child * size, size);
        root = child;
    }
}

static bool is_sorted(const char *base, size_t n, size_t size, cedar_order_fn *cmp)
{
    for (size_t i = 1; i < n; i++)
        if (cmp(base + (i - 1) * size, base + i * size) > 0)
            return false;
    return true;
}

void cedar_order_sort(void *items, size_t n, size_t size, cedar_order_fn *cmp)
{
    char *base = items;

    must(size > 0 && size <= CEDAR_ORDER_ITEM_MAX);
    if (n <= FEW) {
        insertion(base, n, size, cmp);
        return;
    }
    if (is_sorted(base, n, size, cmp))
        return;
    for (size_t i = n / 2; i-- > 0;)
        sift(base, i, n, size, cmp);
    for (size_t last = n - 1; last > 0; last--) {
        swap(base, base + last * size, size);
        sift(base, 0, last, size, cmp);
    }
}

size_t cedar_order_unique(void *items, size_t n, size_t size, cedar_order_fn *cmp)
{
    char *base = items;
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && cmp(base + (kept - 1) * size, base + i * size) == 0)
            continue;
        if (kept != i)
            memcpy(base + kept * size, base + i * size, size);
        kept++;
    }
    return kept;
}
