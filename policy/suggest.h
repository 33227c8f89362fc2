/*
 * suggest.h: "did you mean": the nearest of some known names. Pure.
 */
#ifndef REEVE_POLICY_SUGGEST_H
#define REEVE_POLICY_SUGGEST_H

#include "policy/text/buf.h"

#define SUGGEST_BYTES_MAX 64 /* longer names are not compared */

/* Edits (insert, drop, replace, swap neighbours) between a and b, or SIZE_MAX when one is too long. */
size_t suggest_distance(struct str a, struct str b);

/* Collects candidates; the best is kept. */
struct suggest {
    struct str wanted;
    struct str best;   /* empty: none near enough */
    size_t distance;
};
void suggest_init(struct suggest *s, struct str wanted);
void suggest_add(struct suggest *s, struct str candidate); /* borrowed */

#endif
