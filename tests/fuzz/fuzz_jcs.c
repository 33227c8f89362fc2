/*
 * fuzz_jcs.c: numbers in canonical form. Any double comes back as itself from at most 17 digits; no
 * two numbers that differ (two lines of the input) have one exact form.
 */
#include <stdio.h>

#include "policy/text/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The canonical text of one JSON text; false if it has none. */
static bool canonical(struct arena *arena, struct str text, enum jcs_mode mode, struct buf *out)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    const struct json *v = NULL;

    buf_init(out, SIZE_MAX);
    return json_parse(arena, text, &limits, &v, NULL, NULL) == 0 &&
           (v->type == JSON_INT || v->type == JSON_NUMBER) && jcs_write(out, v, mode, NULL) == 0;
}

static void check_double(struct arena *arena, double v)
{
    char text[64], back[64];
    struct buf out;
    size_t digits = 0;

    if (__builtin_isnan(v) || __builtin_isinf(v))
        return;
    (void)snprintf(text, sizeof(text), "%.17e", v);
    must(canonical(arena, str_of(text), JCS_RFC8785, &out));
    must(str_copy(buf_str(&out), back, sizeof(back)) == 0);
    must(strtod(back, NULL) == v);
    for (const char *p = back; *p && *p != 'e'; p++)
        digits += *p >= '0' && *p <= '9';
    must(digits <= 23);
    buf_release(&out);
}

/*
 * The decimal that a JSON number denotes, found another way than in the module: all digits as one
 * string, and the power of ten of the last one.
 */
struct plain {
    char *digits; /* owned; without zeros at either end */
    size_t n;
    int64_t last;
    bool negative;
};

static struct plain read_plain(struct str s)
{
    struct plain p = {.digits = malloc(s.len + 1)};
    size_t zeros = 0, end = s.len;
    bool behind = false;

    must(p.digits);
    for (size_t i = 0; i < s.len && end == s.len; i++) {
        char c = s.ptr[i];
        if (c == 'e' || c == 'E')
            end = i;
        else if (c == '-')
            p.negative = true;
        else if (c == '.')
            behind = true;
        else {
            p.digits[p.n++] = c;
            p.last -= behind;
        }
    }
    if (end < s.len) {
        char text[32];
        /* An exponent too long to read makes the two unequal, which is what is hoped for. */
        if (str_copy(str_slice(s, end + 1, s.len), text, sizeof(text)) == 0)
            p.last += strtoll(text, NULL, 10);
    }
    for (; p.n > 0 && p.digits[p.n - 1] == '0'; p.n--)
        p.last++;
    while (zeros < p.n && p.digits[zeros] == '0')
        zeros++;
    p.n -= zeros;
    memmove(p.digits, p.digits + zeros, p.n);
    return p;
}

static bool same_decimal(struct str a, struct str b)
{
    struct plain x = read_plain(a), y = read_plain(b);
    bool same = x.n == y.n && memcmp(x.digits, y.digits, x.n) == 0;

    if (x.n > 0)
        same = same && x.last == y.last && x.negative == y.negative;
    free(x.digits);
    free(y.digits);
    return same;
}

/* `exponent` digits: beyond that the plain reading above does not hold. */
static bool is_long_exponent(struct str s)
{
    ssize_t e = str_find(s, 'e', 0);

    e = e < 0 ? str_find(s, 'E', 0) : e;
    return e >= 0 && s.len - (size_t)e > 12;
}

static void check_pair(struct arena *arena, struct str a, struct str b)
{
    struct buf first, second;

    bool has_first = canonical(arena, a, JCS_EXACT, &first);
    bool has_second = canonical(arena, b, JCS_EXACT, &second);

    /* Both are called whatever the first says: each sets its buffer up. */
    if (has_first && has_second && str_eq(buf_str(&first), buf_str(&second)) &&
        !is_long_exponent(a) && !is_long_exponent(b))
        must(same_decimal(str_trim(a), str_trim(b)));
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, line;
    struct arena arena;
    double v;

    arena_init(&arena, SIZE_MAX);
    for (size_t at = 0; at + sizeof(v) <= MIN(size, (size_t)256); at++) {
        memcpy(&v, data + at, sizeof(v));
        check_double(&arena, v);
    }
    if (str_split(&text, '\n', &line))
        check_pair(&arena, line, text);
    arena_release(&arena);
    return 0;
}
