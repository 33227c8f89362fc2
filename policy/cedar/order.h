/*
 * order.h: sorting in place, without allocation, on the decision path.
 */
#ifndef REEVE_CEDAR_ORDER_H
#define REEVE_CEDAR_ORDER_H

#include "policy/text/base.h"

typedef int cedar_order_fn(const void *a, const void *b);

#define CEDAR_ORDER_ITEM_MAX 64

/* Ascending; equal items in any order. At most n log n comparisons, whatever the input. Items are
 * of at most CEDAR_ORDER_ITEM_MAX bytes (must). */
void cedar_order_sort(void *items, size_t n, size_t size, cedar_order_fn *cmp);
/* Drops items that equal the one before them; returns how many stay. */
size_t cedar_order_unique(void *items, size_t n, size_t size, cedar_order_fn *cmp);

#endif
