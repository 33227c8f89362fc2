/*
 * jcs.c: the canonical form of JSON (RFC 8785).
 *
 * reeved and the tools that explain its digests. The tree was made from foreign text: depth and
 * sizes are bounded again here. The numbers are the delicate part: two texts that mean different
 * things must not get one canonical form, or an approval of the one would cover the other.
 */
#include "policy/text/jcs.h"

#include <stdio.h>

#include "policy/text/jout.h"
#include "policy/text/sort.h"

#define DEPTH_MAX 512
/* A double is told by 17 significant digits; more than that needs no exact reading here. */
#define DIGITS_MAX 17
/* Within these powers of ten every decimal of up to 15 digits has a double of its own. */
#define NORMAL_EXPONENT 290

/* 0.DIGITS x 10^point, without zeros at either end of DIGITS; n == 0 is zero. */
struct decimal {
    bool negative, longer; /* longer: more digits than fit (then they are not all here) */
    int n;
    int64_t point;
    char digits[DIGITS_MAX + 1]; /* NUL-terminated */
};

/* Appends a significant digit; zeros are held back until another digit follows. */
static void add_digit(struct decimal *d, char c, size_t *held_zeros)
{
    if (c == '0') {
        *held_zeros += d->n > 0;
        return;
    }
    if ((size_t)d->n + *held_zeros + 1 > DIGITS_MAX) {
        d->longer = true;
        return;
    }
    for (; *held_zeros > 0; --*held_zeros)
        d->digits[d->n++] = '0';
    d->digits[d->n++] = c;
}

/* A JSON number's text (checked) as a decimal. The exponent may have any length: it saturates. */
static struct decimal read_decimal(struct str raw)
{
    struct decimal d = {.negative = raw.ptr[0] == '-'};
    int64_t exponent = 0, point = 0;
    bool behind_point = false, minus = false;
    size_t held = 0, i = d.negative;

    for (; i < raw.len && (raw.ptr[i] | 0x20) != 'e'; i++) {
        char c = raw.ptr[i];
        if (c == '.') {
            behind_point = true;
            continue;
        }
        if (!behind_point && (d.n > 0 || c != '0'))
            point++;
        else if (behind_point && d.n == 0 && c == '0')
            point--;
        add_digit(&d, c, &held);
    }
    for (i++; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '-')
            minus = true;
        else if (c != '+' && exponent < INT64_C(1000000000000))
            exponent = exponent * 10 + (c - '0');
    }
    d.point = d.n > 0 ? point + (minus ? -exponent : exponent) : 0;
    return d;
}

static bool decimal_eq(const struct decimal *a, const struct decimal *b)
{
    if (a->longer || b->longer || a->n != b->n || memcmp(a->digits, b->digits, (size_t)a->n) != 0)
        return false;
    return a->n == 0 || (a->point == b->point && a->negative == b->negative);
}

/* One more in the last place. */
static void decimal_up(struct decimal *d)
{
    int i = d->n - 1;

    while (i >= 0 && d->digits[i] == '9')
        d->digits[i--] = '0';
    if (i >= 0) {
        d->digits[i]++;
        return;
    }
    d->digits[0] = '1';
    d->point++;
}

static bool reads_as(const struct decimal *d, double v)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "0.%se%d", d->digits, (int)d->point);
    return strtod(text, NULL) == v;
}

/* v > 0 rounded to n digits. */
static struct decimal round_to(double v, int n)
{
    struct decimal d = {.n = n};
    char text[48];

    (void)snprintf(text, sizeof(text), "%.*e", n - 1, v);
    d.digits[0] = text[0];
    if (n > 1)
        memcpy(d.digits + 1, text + 2, (size_t)n - 1);
    d.point = strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
    return d;
}

/*
 * The fewest digits that read as v again, and of those the nearest (ECMA-262, Number::toString).
 * Rounding to n digits finds them, but for one case: below a power of two doubles lie closer
 * together than above, so that the nearest decimal, below, may read as another double while one
 * further off, above, is good.
 */
static struct decimal shortest(double v)
{
    uint64_t bits;
    bool power_of_two, subnormal;
    struct decimal d = {0};

    memcpy(&bits, &v, sizeof(bits));
    power_of_two = (bits & ((UINT64_C(1) << 52) - 1)) == 0;
    subnormal = bits >> 52 == 0;
    /* 15 digits are in any normal double: what is shorter shows as zeros at their end. */
    for (int n = subnormal ? 1 : 15; n <= DIGITS_MAX; n++) {
        d = round_to(v, n);
        if (reads_as(&d, v))
            break;
        if (power_of_two) {
            decimal_up(&d);
            if (reads_as(&d, v))
                break;
        }
    }
    while (d.n > 1 && d.digits[d.n - 1] == '0')
        d.n--;
    d.digits[d.n] = '\0';
    return d;
}

/* As ECMAScript prints it. */
static void put_decimal(struct buf *out, const struct decimal *d)
{
    int n = d->n, point = (int)d->point;

    if (n == 0) {
        buf_char(out, '0');
        return;
    }
    if (d->negative)
        buf_char(out, '-');
    if (n <= point && point <= 21) {
        buf_fmt(out, "%.*s%.*s", n, d->digits, point - n, "000000000000000000000");
    } else if (point > 0 && point < n) {
        buf_fmt(out, "%.*s.%s", point, d->digits, d->digits + point);
    } else if (point > -6 && point <= 0) {
        buf_fmt(out, "0.%.*s%s", -point, "00000", d->digits);
    } else {
        buf_fmt(out, "%c%s%se%+d", d->digits[0], n > 1 ? "." : "", d->digits + 1, point - 1);
    }
}

/* The double nearest to the text, as the decimal that is printed for it. */
static int nearest(struct str raw, const struct decimal *written, struct decimal *ret,
                   struct err *err)
{
    char *text;
    double v;

    /* A decimal of up to 15 digits is the shortest of its double: nothing to convert. */
    if (!written->longer && written->n <= 15 && written->point < NORMAL_EXPONENT &&
        written->point > -NORMAL_EXPONENT) {
        *ret = *written;
        return 0;
    }
    text = str_dup(raw);
    if (!text)
        return err_set(err, ENOMEM, "out of memory");
    v = strtod(text, NULL);
    free(text);
    if (__builtin_isinf(v))
        return err_set(err, ERANGE, "a number beyond the range of a double: %.*s",
                       (int)MIN(raw.len, (size_t)40), raw.ptr);
    *ret = (struct decimal){0};
    if (v != 0)
        *ret = shortest(v < 0 ? -v : v);
    ret->negative = v < 0;
    return 0;
}

static int put_number(struct buf *out, const struct json *v, enum jcs_mode mode, struct err *err)
{
    struct decimal written, printed;
    int r;

    /* Doubles hold every integer up to 2^53. */
    if (v->type == JSON_INT && (mode == JCS_EXACT || (v->integer <= INT64_C(1) << 53 &&
                                                      v->integer >= -(INT64_C(1) << 53)))) {
        buf_fmt(out, "%" PRId64, v->integer);
        return 0;
    }
    if (v->raw.len == 0)
        return err_set(err, EINVAL, "a number without its text");
    written = read_decimal(v->raw);
    r = nearest(v->raw, &written, &printed, err);
    if (r < 0)
        return r;
    if (mode == JCS_EXACT && !decimal_eq(&written, &printed))
        buf_str_put(out, v->raw);
    else
        put_decimal(out, &printed);
    return 0;
}

/*
 * Order of UTF-16 code units, on UTF-8. Both agree but in one place: code points from U+10000 up
 * (first byte F0 and more) are surrogates in UTF-16, which stand before U+E000 to U+FFFF (first
 * byte EE or EF). The first byte that differs decides; if it is not the first of its sequence, the
 * sequences are of one kind.
 */
static int utf16_cmp(struct str a, struct str b)
{
    size_t common = MIN(a.len, b.len), i = 0;

    while (i < common && a.ptr[i] == b.ptr[i])
        i++;
    if (i == common)
        return (a.len > b.len) - (a.len < b.len);
    unsigned char x = (unsigned char)a.ptr[i], y = (unsigned char)b.ptr[i];
    if (x >= 0xEE && y >= 0xEE && (x >= 0xF0) != (y >= 0xF0))
        return x >= 0xF0 ? -1 : 1;
    return x < y ? -1 : 1;
}

static int member_cmp(const void *va, const void *vb, void *ctx)
{
    const struct json_member *const *a = va, *const *b = vb;

    (void)ctx;
    return utf16_cmp((*a)->name, (*b)->name);
}

/* A container that is being written. */
struct frame {
    const struct json *v;
    const struct json_member **members; /* sorted; owned; NULL for an array */
    size_t next;
};

struct writer {
    struct buf *out;
    enum jcs_mode mode;
    struct err *err;
    size_t depth;
    struct frame *stack; /* DEPTH_MAX of them */
};

static int open_container(struct writer *w, const struct json *v)
{
    struct frame f = {.v = v};
    int r;

    if (w->depth == DEPTH_MAX)
        return err_set(w->err, E2BIG, "nested deeper than %d", DEPTH_MAX);
    if (v->type == JSON_OBJECT && v->object.count > 0) {
        f.members = calloc(v->object.count, sizeof(struct json_member *));
        if (!f.members)
            return err_set(w->err, ENOMEM, "out of memory");
        for (size_t i = 0; i < v->object.count; i++)
            f.members[i] = &v->object.members[i];
        r = sort_items(f.members, v->object.count, sizeof(struct json_member *), member_cmp, NULL);
        if (r < 0) {
            free(f.members);
            return err_set(w->err, -r, "out of memory");
        }
    }
    buf_char(w->out, v->type == JSON_OBJECT ? '{' : '[');
    w->stack[w->depth++] = f;
    return 0;
}

static int put_string(struct writer *w, struct str s)
{
    if (jout_escape(w->out, s) == -EILSEQ)
        return err_set(w->err, EILSEQ, "a string that is not UTF-8");
    return 0;
}

static int put_value(struct writer *w, const struct json *v)
{
    switch (v->type) {
    case JSON_NULL:
        buf_cstr(w->out, "null");
        return 0;
    case JSON_BOOL:
        buf_cstr(w->out, v->boolean ? "true" : "false");
        return 0;
    case JSON_INT:
    case JSON_NUMBER:
        return put_number(w->out, v, w->mode, w->err);
    case JSON_STRING:
        return put_string(w, v->string);
    default:
        return open_container(w, v);
    }
}

/* The next part of the innermost container, or its end. */
static int step(struct writer *w)
{
    struct frame *top = &w->stack[w->depth - 1];
    bool object = top->v->type == JSON_OBJECT;
    size_t i = top->next++;
    int r;

    if (i == (object ? top->v->object.count : top->v->array.count)) {
        buf_char(w->out, object ? '}' : ']');
        free(top->members);
        w->depth--;
        return 0;
    }
    if (i > 0)
        buf_char(w->out, ',');
    if (!object)
        return put_value(w, &top->v->array.items[i]);
    r = put_string(w, top->members[i]->name);
    buf_char(w->out, ':');
    return r < 0 ? r : put_value(w, &top->members[i]->value);
}

int jcs_write(struct buf *out, const struct json *v, enum jcs_mode mode, struct err *err)
{
    UNCLEARED struct frame stack[DEPTH_MAX];
    struct writer w = {.out = out, .mode = mode, .err = err, .stack = stack};
    size_t start = out->len;
    int r = put_value(&w, v);

    while (r == 0 && w.depth > 0)
        r = step(&w);
    while (w.depth > 0)
        free(w.stack[--w.depth].members);
    if (r == 0 && buf_status(out) < 0)
        r = err_set(err, -buf_status(out), "the canonical form does not fit its buffer");
    if (r < 0)
        buf_truncate(out, start);
    return r;
}
