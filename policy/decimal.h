/*
 * decimal.h: JSON numbers compared exactly, as the decimals that they are. Pure; no allocation.
 */
#ifndef REEVE_POLICY_DECIMAL_H
#define REEVE_POLICY_DECIMAL_H

#include "policy/text/json.h"

struct decimal {            /* sign * 0.d1d2d3... * 10^exponent; zero has no digits */
    bool negative;
    struct str whole, part; /* digits before and behind the point, without leading and trailing zeros of the number */
    size_t count;           /* digits in both */
    int64_t exponent;
};

/* From the text of a JSON number (already checked to be one). False: its exponent is beyond all bounds. */
bool decimal_of(struct str number, struct decimal *ret);
int decimal_cmp(const struct decimal *a, const struct decimal *b);
bool decimal_is_whole(const struct decimal *d);
/* Whether a is a whole multiple of b (not 0). False in *ret_known: too large to tell. */
bool decimal_is_multiple(const struct decimal *a, const struct decimal *b, bool *ret_known);

#endif
