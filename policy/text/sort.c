/*
 * sort.c: bottom-up merge sort over blocks sorted by insertion.
 *
 * Every process. No recursion; one temporary array as large as the items.
 */
#include "policy/text/sort.h"

#define BLOCK    ((size_t)8)
#define ITEM_MAX 64

struct sorting {
    size_t n, size;
    sort_cmp_fn *cmp;
    void *ctx;
};

static void sort_block(const struct sorting *s, char *items, size_t from, size_t to)
{
    char held[ITEM_MAX];

    for (size_t i = from + 1; i < to; i++) {
        size_t j = i;
        while (j > from && s->cmp(items + (j - 1) * s->size, items + i * s->size, s->ctx) > 0)
            j--;
        if (j == i)
            continue;
        memcpy(held, items + i * s->size, s->size);
        memmove(items + (j + 1) * s->size, items + j * s->size, (i - j) * s->size);
        memcpy(items + j * s->size, held, s->size);
    }
}

/* Merges [from, mid) and [mid, to) of src into dst. */
static void merge(const struct sorting *s, const char *src, char *dst, size_t from, size_t mid,
                  size_t to)
{
    size_t a = from, b = mid;

    for (size_t out = from; out < to; out++) {
        size_t pick;
        if (a < mid && (b >= to || s->cmp(src + a * s->size, src + b * s->size, s->ctx) <= 0))
            pick = a++;
        else
            pick = b++;
        memcpy(dst + out * s->size, src + pick * s->size, s->size);
    }
}

int sort_items(void *items, size_t n, size_t size, sort_cmp_fn *cmp, void *ctx)
{
    struct sorting s = {n, size, cmp, ctx};
    char *src = items, *other;

    must(size > 0 && size <= ITEM_MAX);
    if (n < 2)
        return 0;
    other = n > BLOCK ? calloc(n, size) : NULL;
    if (n > BLOCK && !other)
        return -ENOMEM;
    for (size_t from = 0; from < n; from += BLOCK)
        sort_block(&s, src, from, MIN(from + BLOCK, n));
    char *dst = other, *spare = other;
    for (size_t width = BLOCK; width < n; width *= 2) {
        for (size_t from = 0; from < n; from += 2 * width)
            merge(&s, src, dst, from, MIN(from + width, n), MIN(from + 2 * width, n));
        char *swap = src;
        src = dst;
        dst = swap;
    }
    if (src != items)
        memcpy(items, src, n * size);
    free(spare);
    return 0;
}
