/*
 * decimal.c: see decimal.h.
 */
#include "policy/decimal.h"

#define EXPONENT_MAX 1000000
#define SCALE_MAX    2000 /* zeros put behind a number to divide it */

static char digit(const struct decimal *d, size_t i)
{
    return i < d->whole.len ? d->whole.ptr[i] : d->part.ptr[i - d->whole.len];
}

/* Drops `n` digits from the front or the back of the two runs seen as one. */
static void drop_front(struct decimal *d)
{
    struct str *s = d->whole.len > 0 ? &d->whole : &d->part;
    *s = str_slice(*s, 1, s->len);
    d->count--;
}

static void drop_back(struct decimal *d)
{
    struct str *s = d->part.len > 0 ? &d->part : &d->whole;
    *s = str_slice(*s, 0, s->len - 1);
    d->count--;
}

static bool read_exponent(struct str s, int64_t *ret)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    int64_t n = 0;
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = str_slice(s, 1, s.len);
    for (size_t i = 0; i < s.len; i++) {
        n = n * 10 + (s.ptr[i] - '0');
        if (n > EXPONENT_MAX)
            return false;
    }
    *ret = negative ? -n : n;
    return true;
}

bool decimal_of(struct str number, struct decimal *ret)
{
    *ret = (struct decimal){0};
    if (number.len > 0 && number.ptr[0] == '-') {
        ret->negative = true;
        number = str_slice(number, 1, number.len);
    }
    size_t e = 0;
    while (e < number.len && number.ptr[e] != 'e' && number.ptr[e] != 'E')
        e++;
    int64_t exponent = 0;
    if (e < number.len && !read_exponent(str_slice(number, e + 1, number.len), &exponent))
        return false;
    number = str_slice(number, 0, e);
    ssize_t point = str_find(number, '.', 0);
    ret->whole = str_slice(number, 0, point < 0 ? number.len : (size_t)point);
    ret->part = point < 0 ? STR_NONE : str_slice(number, (size_t)point + 1, number.len);
    ret->count = ret->whole.len + ret->part.len;
    ret->exponent = exponent + (int64_t)ret->whole.len;
    while (ret->count > 0 && digit(ret, 0) == '0') {
        drop_front(ret);
        ret->exponent--;
    }
    while (ret->count > 0 && digit(ret, ret->count - 1) == '0')
        drop_back(ret);
    if (ret->count == 0)
        *ret = (struct decimal){0}; /* -0 and 0e9 are 0 */
    return true;
}

static int cmp_size(const struct decimal *a, const struct decimal *b)
{
    if (a->count == 0 || b->count == 0)
        return (a->count > 0) - (b->count > 0);
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -1 : 1;
    for (size_t i = 0; i < MAX(a->count, b->count); i++) {
        char x = i < a->count ? digit(a, i) : '0', y = i < b->count ? digit(b, i) : '0';
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? cmp_size(b, a) : cmp_size(a, b);
}

bool decimal_is_whole(const struct decimal *d)
{
    return d->exponent >= (int64_t)d->count;
}

bool decimal_is_multiple(const struct decimal *a, const struct decimal *b, bool *ret_known)
{
    /* a = A * 10^x, b = B * 10^y with whole A and B: a/b is whole exactly when B divides A * 10^(x
     * - y). */
    int64_t x = a->exponent - (int64_t)a->count, y = b->exponent - (int64_t)b->count;
    uint64_t divisor = 0, rest = 0;
    *ret_known = true;
    if (a->count == 0)
        return true;
    if (b->count == 0 || b->count > 17 || x - y > SCALE_MAX) {
        *ret_known = false;
        return false;
    }
    for (size_t i = 0; i < b->count; i++)
        divisor = divisor * 10 + (uint64_t)(digit(b, i) - '0');
    if (x < y) /* A ends in no zero, so that B * 10^(y - x) cannot divide it */
        return false;
    for (size_t i = 0; i < a->count; i++)
        rest = (rest * 10 + (uint64_t)(digit(a, i) - '0')) % divisor;
    for (int64_t i = y; i < x && rest != 0; i++)
        rest = rest * 10 % divisor;
    return rest == 0;
}
