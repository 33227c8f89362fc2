/*
 * json_scan.c: is this text JSON, to the letter of RFC 8259, and within our limits?
 *
 * Every process runs it on every byte that comes in, so it trusts nothing: no recursion, work
 * linear in the text but for the sorting of an object's names, which is n log n comparisons
 * whatever the names are. (A hash table would need a secret to stand an attacker who chooses names
 * that collide; this floor has no random source.) Never writes to the text.
 */
#include "policy/text/json_scan.h"

#include "policy/text/sort.h"
#include "policy/text/utf8.h"

#define NOT_AN_OBJECT SIZE_MAX
#define FEW_NAMES     8
#define SOME_NAMES    32

/* A name of an object that is still open. `head` holds its first bytes, so that most comparisons
 * touch neither of the two strings. */
struct name {
    uint64_t head;
    const char *ptr;
    uint32_t len, at; /* bytes; offset in the text */
};

struct scan {
    struct str text;
    struct json_limits limits;
    size_t pos;
    struct json_size size;
    size_t depth;
    size_t *first_name; /* JSON_DEPTH_CAP: where an open object's names begin, or NOT_AN_OBJECT */
    struct name *names, *some; /* in `some` until they are too many */
    size_t name_count, name_cap;
    struct arena unescaped; /* names with escapes in them */
    struct json_where *where;
    struct err *err;
};

static void find_place(struct str text, size_t offset, struct json_where *ret)
{
    size_t line_start = 0;
    unsigned line = 1;

    for (ssize_t nl = str_find(text, '\n', 0); nl >= 0 && (size_t)nl < offset;
         nl = str_find(text, '\n', line_start)) {
        line_start = (size_t)nl + 1;
        line++;
    }
    ret->offset = offset;
    ret->line = line;
    ret->column = 1 + (unsigned)utf8_count(str_slice(text, line_start, offset));
}

int json_fail_at(struct str text, size_t offset, struct json_where *ret_where, struct err *err,
                 int number, const char *fmt, ...)
{
    struct json_where where;
    char what[256];
    va_list ap;

    find_place(text, offset, &where);
    if (ret_where)
        *ret_where = where;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(err, number, "%s at line %u column %u", what, where.line, where.column);
}

#define fail(s, at, number, ...) \
    json_fail_at((s)->text, (at), (s)->where, (s)->err, (number), __VA_ARGS__)

/* "expected X, found Y", where Y is what stands at the place. Bytes that are not UTF-8 are their
 * own fault, whatever was expected. */
static int fail_expected(struct scan *s, const char *expected)
{
    size_t pos = s->pos;
    uint32_t cp;

    if (pos >= s->text.len)
        return fail(s, pos, EBADMSG, "expected %s, found the end", expected);
    if (utf8_next(s->text, &pos, &cp) < 0)
        return fail(s, pos, EILSEQ, "not UTF-8 (byte 0x%02x)", (unsigned char)s->text.ptr[pos]);
    if (cp == 0xFEFF && s->pos == 0)
        return fail(s, 0, EBADMSG, "expected %s, found a byte order mark", expected);
    if (cp > 0x20 && cp < 0x7F)
        return fail(s, s->pos, EBADMSG, "expected %s, found `%c`", expected, (int)cp);
    return fail(s, s->pos, EBADMSG, "expected %s, found U+%04X", expected, (unsigned)cp);
}

static int peek(const struct scan *s)
{
    return s->pos < s->text.len ? (unsigned char)s->text.ptr[s->pos] : -1;
}

static void skip_space(struct scan *s)
{
    while (s->pos < s->text.len) {
        char c = s->text.ptr[s->pos];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            break;
        s->pos++;
    }
}

static int hex4(struct str text, size_t at)
{
    int value = 0;

    if (text.len - at < 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        char c = text.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static bool is_high(int unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(int unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* At the `u` of an escape. A surrogate alone is no character: it could not be written as UTF-8
 * again. */
static int scan_unicode_escape(struct scan *s)
{
    size_t escape = s->pos - 1;
    int unit = hex4(s->text, s->pos + 1), low;

    if (unit < 0)
        return fail(s, escape, EBADMSG, "expected four hex digits after `\\u`");
    s->pos += 5;
    if (is_low(unit))
        return fail(s, escape, EBADMSG, "a low surrogate without a high one before it");
    if (!is_high(unit))
        return 0;
    if (s->text.len - s->pos < 6 || s->text.ptr[s->pos] != '\\' || s->text.ptr[s->pos + 1] != 'u')
        return fail(s, escape, EBADMSG, "a high surrogate without a low one after it");
    low = hex4(s->text, s->pos + 2);
    if (low < 0)
        return fail(s, s->pos, EBADMSG, "expected four hex digits after `\\u`");
    if (!is_low(low))
        return fail(s, escape, EBADMSG, "a high surrogate without a low one after it");
    s->pos += 6;
    return 0;
}

static int scan_escape(struct scan *s)
{
    int c;

    s->pos++;
    c = peek(s);
    if (c == 'u')
        return scan_unicode_escape(s);
    if (c < 0 || !strchr("\"\\/bfnrt", c) || c == '\0') {
        s->pos -= c < 0 ? 0 : 1;
        return fail(s, s->pos, EBADMSG,
                    c < 0 ? "the text ends inside a string" : "an escape that JSON does not have");
    }
    s->pos++;
    return 0;
}

/* Eight bytes at once: true when none of them is a quote, a backslash, a control or non-ASCII. */
static bool eight_plain(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t v, quote, slash;

    memcpy(&v, p, sizeof(v));
    quote = v ^ ones * '"';
    slash = v ^ ones * '\\';
    return (((v - ones * 0x20) | (quote - ones) | (slash - ones) | v) & highs) == 0;
}

/* At the opening quote; leaves the place behind the closing one. */
static int scan_string(struct scan *s, bool *ret_escaped)
{
    uint32_t cp;
    int r;

    *ret_escaped = false;
    s->pos++;
    for (;;) {
        while (s->text.len - s->pos >= 8 && eight_plain(s->text.ptr + s->pos))
            s->pos += 8;
        int c = peek(s);
        if (c == '"') {
            s->pos++;
            return 0;
        }
        if (c < 0)
            return fail(s, s->pos, EBADMSG, "the text ends inside a string");
        if (c == '\\') {
            *ret_escaped = true;
            r = scan_escape(s);
            if (r < 0)
                return r;
        } else if (c < 0x20) {
            return fail(s, s->pos, EBADMSG, "a control character (U+%04X) in a string; escape it",
                        (unsigned)c);
        } else if (c < 0x80) {
            s->pos++;
        } else if (utf8_next(s->text, &s->pos, &cp) < 0) {
            return fail(s, s->pos, EILSEQ, "not UTF-8 (byte 0x%02x)", (unsigned)c);
        }
    }
}

static int scan_digits(struct scan *s)
{
    size_t from = s->pos;

    while (s->pos < s->text.len && s->text.ptr[s->pos] >= '0' && s->text.ptr[s->pos] <= '9')
        s->pos++;
    return s->pos > from ? 0 : fail_expected(s, "a digit");
}

static int scan_number(struct scan *s)
{
    int r, c;

    if (peek(s) == '-')
        s->pos++;
    if (peek(s) == '0') {
        s->pos++;
        c = peek(s);
        if (c >= '0' && c <= '9')
            return fail(s, s->pos - 1, EBADMSG, "a number with a leading zero");
    } else {
        r = scan_digits(s);
        if (r < 0)
            return r;
    }
    if (peek(s) == '.') {
        s->pos++;
        r = scan_digits(s);
        if (r < 0)
            return r;
    }
    c = peek(s);
    if (c != 'e' && c != 'E')
        return 0;
    s->pos++;
    c = peek(s);
    if (c == '+' || c == '-')
        s->pos++;
    return scan_digits(s);
}

static int scan_word(struct scan *s, struct str word)
{
    if (!str_starts(str_slice(s->text, s->pos, s->text.len), word))
        return fail_expected(s, "a value");
    s->pos += word.len;
    return 0;
}

static uint64_t name_head(const char *ptr, size_t len)
{
    uint64_t head = 0;

    if (len > 0)
        memcpy(&head, ptr, MIN(len, sizeof(head)));
    return head;
}

static int keep_name(struct scan *s, size_t at, struct str raw, bool escaped)
{
    struct name *name;

    if (s->name_count == s->name_cap) {
        size_t cap = s->name_cap * 2;
        bool first = s->names == s->some;
        name = reallocarray(first ? NULL : s->names, cap, sizeof(*name));
        if (!name)
            return err_set(s->err, ENOMEM, "out of memory");
        if (first)
            memcpy(name, s->some, s->name_count * sizeof(*name));
        s->names = name;
        s->name_cap = cap;
    }
    if (escaped) {
        char *copy = arena_alloc(&s->unescaped, raw.len);
        if (!copy)
            return err_set(s->err, ENOMEM, "out of memory");
        raw = (struct str){copy, json_unescape(raw, copy)};
    }
    s->names[s->name_count++] = (struct name){
        name_head(raw.ptr, raw.len),
        raw.ptr,
        (uint32_t)raw.len,
        (uint32_t)at,
    };
    s->size.names++;
    return 0;
}

/* A name and its colon; leaves the place before the value. */
static int scan_name(struct scan *s)
{
    size_t at = s->pos;
    bool escaped;
    int r;

    if (peek(s) != '"')
        return fail_expected(s, "a name in quotes");
    r = scan_string(s, &escaped);
    if (r < 0)
        return r;
    r = keep_name(s, at, str_slice(s->text, at + 1, s->pos - 1), escaped);
    if (r < 0)
        return r;
    skip_space(s);
    if (peek(s) != ':')
        return fail_expected(s, "`:`");
    s->pos++;
    skip_space(s);
    return 0;
}

/* Any total order serves, as long as equal names meet; the cheapest to compare is taken. */
static int name_cmp(const void *va, const void *vb, void *ctx)
{
    const struct name *a = va, *b = vb;

    (void)ctx;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return a->len <= sizeof(a->head) ? 0 : memcmp(a->ptr, b->ptr, a->len);
}

/* The first name of names[0..n) that was there before; NULL if all differ. Sorts them. */
static int find_twice(struct name *names, size_t n, const struct name **ret)
{
    *ret = NULL;
    if (n <= FEW_NAMES) {
        for (size_t i = 1; i < n && !*ret; i++) {
            for (size_t j = 0; j < i && !*ret; j++) {
                if (name_cmp(&names[i], &names[j], NULL) == 0)
                    *ret = &names[i];
            }
        }
        return 0;
    }
    int r = sort_items(names, n, sizeof(*names), name_cmp, NULL);
    if (r < 0)
        return r;
    for (size_t i = 1; i < n; i++) {
        /* The sort is stable: of two equal names the second is the later one. */
        if (name_cmp(&names[i - 1], &names[i], NULL) == 0 && (!*ret || names[i].at < (*ret)->at))
            *ret = &names[i];
    }
    return 0;
}

static int close_container(struct scan *s)
{
    size_t first = s->first_name[--s->depth];
    const struct name *twice;
    int r;

    s->pos++;
    if (first == NOT_AN_OBJECT || first == s->name_count)
        return 0;
    r = find_twice(s->names + first, s->name_count - first, &twice);
    if (r < 0)
        return err_set(s->err, -r, "out of memory");
    s->name_count = first;
    if (twice)
        return fail(s, twice->at, EEXIST, "duplicate name \"%.*s\"", (int)MIN(twice->len, 64u),
                    twice->ptr);
    return 0;
}

/* At a bracket. 1: the next value stands here; 0: it was empty, the value is whole. */
static int open_container(struct scan *s, bool object)
{
    int r;

    if (s->depth >= s->limits.max_depth)
        return fail(s, s->pos, E2BIG, "nested deeper than %zu", s->limits.max_depth);
    s->first_name[s->depth++] = object ? s->name_count : NOT_AN_OBJECT;
    s->pos++;
    skip_space(s);
    if (peek(s) == (object ? '}' : ']'))
        return close_container(s);
    r = object ? scan_name(s) : 0;
    return r < 0 ? r : 1;
}

/* 1: a container was opened, its first value stands here; 0: the value is whole. */
static int scan_value(struct scan *s)
{
    bool escaped;
    int c = peek(s);

    if (s->size.values >= s->limits.max_values)
        return fail(s, s->pos, E2BIG, "more than %zu values", s->limits.max_values);
    s->size.values++;
    switch (c) {
    case '{':
    case '[':
        return open_container(s, c == '{');
    case '"':
        return scan_string(s, &escaped);
    case 't':
        return scan_word(s, STR("true"));
    case 'f':
        return scan_word(s, STR("false"));
    case 'n':
        return scan_word(s, STR("null"));
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return scan_number(s);
        return fail_expected(s, "a value");
    }
}

/* Behind a whole value. 1: another one stands here; 0: the text is done. */
static int scan_behind(struct scan *s)
{
    for (;;) {
        bool object;
        int r;

        skip_space(s);
        if (s->depth == 0)
            return s->pos == s->text.len ? 0 : fail_expected(s, "nothing more");
        object = s->first_name[s->depth - 1] != NOT_AN_OBJECT;
        if (peek(s) == ',') {
            s->pos++;
            skip_space(s);
            r = object ? scan_name(s) : 0;
            return r < 0 ? r : 1;
        }
        if (peek(s) != (object ? '}' : ']'))
            return fail_expected(s, object ? "`,` or `}`" : "`,` or `]`");
        r = close_container(s);
        if (r < 0)
            return r;
    }
}

static int scan_text(struct scan *s)
{
    int r;

    if (s->text.len > s->limits.max_bytes)
        return fail(s, s->limits.max_bytes, E2BIG, "longer than %zu bytes", s->limits.max_bytes);
    skip_space(s);
    do {
        do
            r = scan_value(s);
        while (r > 0);
        if (r == 0)
            r = scan_behind(s);
    } while (r > 0);
    return r;
}

int json_scan(struct str text, const struct json_limits *limits, struct json_size *ret,
              struct json_where *ret_where, struct err *err)
{
    UNCLEARED size_t first_name[JSON_DEPTH_CAP];
    UNCLEARED struct name some[SOME_NAMES];
    struct scan s = {.text = text,
                     .limits = *limits,
                     .first_name = first_name,
                     .names = some,
                     .name_cap = SOME_NAMES,
                     .some = some,
                     .where = ret_where,
                     .err = err};
    int r;

    s.limits.max_bytes = MIN(s.limits.max_bytes, JSON_BYTES_CAP);
    s.limits.max_depth = MIN(s.limits.max_depth, (size_t)JSON_DEPTH_CAP);
    arena_init(&s.unescaped, SIZE_MAX);
    r = scan_text(&s);
    if (r == 0)
        *ret = s.size;
    arena_release(&s.unescaped);
    if (s.names != some)
        free(s.names);
    return r;
}

size_t json_unescape(struct str raw, char *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    size_t pos = 0, len = 0;

    while (pos < raw.len) {
        char c = raw.ptr[pos++];
        if (c != '\\') {
            out[len++] = c;
            continue;
        }
        c = raw.ptr[pos++];
        if (c == 'u') {
            uint32_t unit = (uint32_t)hex4(raw, pos);
            pos += 4;
            if (is_high((int)unit)) {
                unit = 0x10000 + ((unit - 0xD800) << 10) + ((uint32_t)hex4(raw, pos + 2) - 0xDC00);
                pos += 6;
            }
            len += utf8_encode(unit, out + len);
        } else {
            const char *hit = strchr(from, c);
            out[len++] = hit ? to[hit - from] : c;
        }
    }
    return len;
}
