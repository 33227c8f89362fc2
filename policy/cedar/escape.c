/*
 * escape.c: escapes of strings and patterns, and the matcher of `like`.
 */
#include "policy/cedar/escape.h"

#include "policy/text/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind `\x`: two digits, up to 7f. */
static bool take_byte(struct str s, size_t *at, uint32_t *ret)
{
    int high = *at < s.len ? hex_digit(s.ptr[*at]) : -1;
    int low = *at + 1 < s.len ? hex_digit(s.ptr[*at + 1]) : -1;

    *at = MIN(*at + 2, s.len);
    if (high < 0 || low < 0 || high > 7)
        return false;
    *ret = (uint32_t)(high * 16 + low);
    return true;
}

/* Behind `\u`: {1 to 6 hex digits}; `_` may stand between digits. */
static bool take_code_point(struct str s, size_t *at, uint32_t *ret)
{
    size_t digits = 0;
    uint32_t v = 0;

    if (*at >= s.len || s.ptr[(*at)++] != '{')
        return false;
    for (; *at < s.len && s.ptr[*at] != '}'; (*at)++) {
        int digit = hex_digit(s.ptr[*at]);

        if (digit < 0 && (s.ptr[*at] != '_' || digits == 0))
            return false;
        if (digit >= 0 && ++digits <= 6)
            v = v * 16 + (uint32_t)digit;
    }
    if (*at >= s.len || digits == 0 || digits > 6)
        return false;
    (*at)++;
    *ret = v;
    return v <= 0x10ffff && (v < 0xd800 || v > 0xdfff);
}

/* One escape, *at behind its backslash. */
static bool take_escape(struct str s, size_t *at, bool pattern, uint32_t *ret)
{
    char c = *at < s.len ? s.ptr[(*at)++] : '\0';

    switch (c) {
    case 'n':
        *ret = '\n';
        return true;
    case 'r':
        *ret = '\r';
        return true;
    case 't':
        *ret = '\t';
        return true;
    case '0':
        *ret = 0;
        return true;
    case '\\':
    case '\'':
    case '"':
        *ret = (uint32_t)c;
        return true;
    case '*':
        *ret = '*';
        return pattern;
    case 'x':
        return take_byte(s, at, ret);
    case 'u':
        return take_code_point(s, at, ret);
    default:
        return false;
    }
}

/* Decodes from *at up to the end or, in a pattern, an unescaped star. */
static int decode(struct arena *arena, struct str raw, size_t *at, bool pattern, struct str *ret,
                  struct cedar_escape_fault *ret_fault)
{
    size_t from = *at, len = 0;
    char *out = NULL;

    while (*at < raw.len && raw.ptr[*at] != '\\' && !(pattern && raw.ptr[*at] == '*'))
        (*at)++;
    *ret = str_slice(raw, from, *at);
    if (*at >= raw.len || raw.ptr[*at] != '\\')
        return 0;
    out = arena_alloc(arena, raw.len - from); /* no escape is shorter than what it means */
    if (!out)
        return -ENOMEM;
    len = ret->len;
    if (len > 0)
        memcpy(out, ret->ptr, len);
    while (*at < raw.len && !(pattern && raw.ptr[*at] == '*')) {
        size_t start = *at;
        uint32_t c;

        if (raw.ptr[(*at)++] != '\\') {
            out[len++] = raw.ptr[start];
            continue;
        }
        if (!take_escape(raw, at, pattern, &c)) {
            *ret_fault = (struct cedar_escape_fault){start, *at - start};
            return -EINVAL;
        }
        /* Cedar's own engine decodes first: \x2a and \u{2a} are wildcards, only \* is a star. */
        if (pattern && c == '*' && raw.ptr[start + 1] != '*') {
            (*at)--; /* the caller steps over one byte of star */
            break;
        }
        len += utf8_encode(c, out + len);
    }
    *ret = (struct str){out, len};
    return 0;
}

int cedar_escape_string(struct arena *arena, struct str raw, struct str *ret,
                        struct cedar_escape_fault *ret_fault)
{
    size_t at = 0;

    return decode(arena, raw, &at, false, ret, ret_fault);
}

int cedar_escape_pattern(struct arena *arena, struct str raw, struct cedar_pattern *ret,
                         struct cedar_escape_fault *ret_fault)
{
    size_t stars = 0, at = 0, n = 0;
    struct str *parts;

    for (size_t i = 0; i < raw.len; i++)
        stars += raw.ptr[i] == '*' || raw.ptr[i] == '\\'; /* at most: \x2a is a star too */
    parts = ARENA_ARRAY(arena, stars + 1, struct str);
    if (!parts)
        return -ENOMEM;
    for (;;) {
        int rc = decode(arena, raw, &at, true, &parts[n++], ret_fault);

        if (rc < 0)
            return rc;
        if (at >= raw.len)
            break;
        at++; /* the star */
    }
    *ret = (struct cedar_pattern){parts, n};
    return 0;
}

/* The first place of `part` in text at or after `from`, or -1. */
static ssize_t find_part(struct str text, struct str part, size_t from)
{
    const char *hit;

    if (part.len == 0)
        return (ssize_t)from;
    if (text.len - from < part.len)
        return -1;
    hit = memmem(text.ptr + from, text.len - from, part.ptr, part.len);
    return hit ? hit - text.ptr : -1;
}

/*
 * The first and last part are anchored; each between takes the first place that it finds, which
 * leaves the most room for the rest. UTF-8 is self-synchronising, so bytes match where characters
 * do.
 */
bool cedar_pattern_matches(const struct cedar_pattern *p, struct str text)
{
    struct str first = p->parts[0], last = p->parts[p->count - 1];
    size_t at = first.len;

    if (p->count == 1)
        return str_eq(text, first);
    if (text.len < first.len + last.len || !str_starts(text, first) || !str_ends(text, last))
        return false;
    text.len -= last.len;
    for (size_t i = 1; i + 1 < p->count; i++) {
        ssize_t hit = find_part(text, p->parts[i], at);

        if (hit < 0)
            return false;
        at = (size_t)hit + p->parts[i].len;
    }
    return true;
}

/* Everything but what a reader could mistake or an editor would spoil is written as it is. */
static void put_escaped(struct buf *out, struct str s, bool pattern)
{
    for (size_t at = 0; at < s.len;) {
        size_t from = at;
        uint32_t c;

        if (utf8_next(s, &at, &c) < 0) {
            at++;
            buf_cstr(out, "\\u{fffd}");
        } else if (c == '"' || c == '\\' || (c == '*' && pattern)) {
            buf_char(out, '\\');
            buf_char(out, (char)c);
        } else if (c == '\n' || c == '\r' || c == '\t' || c == 0) {
            buf_char(out, '\\');
            buf_char(out, c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : '0');
        } else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ||
                   (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
                   (c >= 0x2060 && c <= 0x206f) || c == 0xfeff) {
            buf_fmt(out, "\\u{%x}", (unsigned)c);
        } else {
            buf_put(out, s.ptr + from, at - from);
        }
    }
}

void cedar_pattern_put(struct buf *out, const struct cedar_pattern *p)
{
    buf_char(out, '"');
    for (size_t i = 0; i < p->count; i++) {
        if (i > 0)
            buf_char(out, '*');
        put_escaped(out, p->parts[i], true);
    }
    buf_char(out, '"');
}

void cedar_escape_put(struct buf *out, struct str s)
{
    buf_char(out, '"');
    put_escaped(out, s, false);
    buf_char(out, '"');
}
