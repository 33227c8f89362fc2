/*
 * sort.h: a stable sort whose work is bounded by n log n comparisons whatever the order is (the C
 * library's qsort is not: it may fall back to a quadratic one). Keys come from peers.
 */
#ifndef REEVE_TEXT_SORT_H
#define REEVE_TEXT_SORT_H

#include "policy/text/base.h"

/* <0, 0, >0; `ctx` is what sort_items was given. */
typedef int sort_cmp_fn(const void *a, const void *b, void *ctx);

/* Sorts n items of `size` bytes in place; equal ones keep their order. -ENOMEM (the items are then as they
 * were). */
int sort_items(void *items, size_t n, size_t size, sort_cmp_fn *cmp, void *ctx) NODISCARD;

#endif
