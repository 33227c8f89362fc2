/*
 * err.c: fills a struct err.
 *
 * Every process. The texts carry a peer's bytes (file names, method names, tool names), so whatever
 * the format made is cleaned before it is kept: what stands in an err can be printed on a terminal
 * or in a one-line log as it is. Never logs, never reads errno.
 */
#include "policy/text/err.h"

#include <stdio.h>

#include "policy/text/utf8.h"

/* How many bytes at the end of text[0..len) are a code point that the bound cut through. */
static size_t cut_tail(const char *text, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)text[len - back];
        size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        if ((c & 0xC0) == 0x80)
            continue;
        return need > back ? back : 0;
    }
    return 0;
}

/* Copies what may be shown to dst, one '?' for each code point or byte that may not;
 * NUL-terminates. */
static void put_clean(char dst[ERR_TEXT_MAX], const char *src, size_t len)
{
    struct str s = {src, len};
    size_t pos = 0, out = 0;
    uint32_t cp;

    while (pos < len && out + 1 < ERR_TEXT_MAX) {
        size_t from = pos;
        if (utf8_next(s, &pos, &cp) < 0 || utf8_is_hidden(cp)) {
            pos = pos > from ? pos : from + 1;
            dst[out++] = '?';
        } else if (out + (pos - from) < ERR_TEXT_MAX) {
            memcpy(dst + out, src + from, pos - from);
            out += pos - from;
        } else {
            break;
        }
    }
    dst[out] = '\0';
}

/* Formats behind what stands in text already; returns the new length, cut at the bound. */
static PRINTF(4, 0) size_t
    format_at(char text[ERR_TEXT_MAX], size_t at, size_t bound, const char *fmt, va_list ap)
{
    int n = vsnprintf(text + at, bound - at, fmt, ap);

    if (n < 0) {
        text[at] = '\0';
        return at;
    }
    if ((size_t)n < bound - at)
        return at + (size_t)n;
    return bound - 1 - cut_tail(text, bound - 1);
}

int err_set(struct err *e, int number, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    size_t len;

    if (!e)
        return -number;
    va_start(ap, fmt);
    len = format_at(text, 0, sizeof(text), fmt, ap);
    va_end(ap);
    put_clean(e->text, text, len);
    e->number = number;
    return -number;
}

/* Never in the language of the place: what is logged is searched for. */
static void describe(int number, char *text, size_t size)
{
#ifdef __GLIBC__
    const char *what = strerrordesc_np(number);
    (void)snprintf(text, size, ": %s: %s", err_name(number), what ? what : "unknown error");
#else /* musl, of strict workers: it has no locales, and no names */
    (void)snprintf(text, size, ": errno %d: %s", number, strerror(number));
#endif
}

int err_sys(struct err *e, int number, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX], tail[128];
    va_list ap;
    size_t len, tail_len;

    if (!e)
        return -number;
    describe(number, tail, sizeof(tail));
    tail_len = strlen(tail);
    /* The name of the error is the part that must survive the bound. */
    va_start(ap, fmt);
    len = format_at(text, 0, sizeof(text) - tail_len, fmt, ap);
    va_end(ap);
    memcpy(text + len, tail, tail_len);
    put_clean(e->text, text, len + tail_len);
    e->number = number;
    return -number;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    size_t len, take;

    if (!e)
        return -EINVAL;
    va_start(ap, fmt);
    len = format_at(text, 0, sizeof(text) - 2, fmt, ap);
    va_end(ap);
    text[len++] = ':';
    text[len++] = ' ';
    take = MIN(strnlen(e->text, sizeof(e->text)), sizeof(text) - 1 - len);
    memcpy(text + len, e->text, take);
    len += take;
    put_clean(e->text, text, len - cut_tail(text, len));
    return -e->number;
}

const char *err_name(int number)
{
#ifdef __GLIBC__
    const char *name = number > 0 ? strerrorname_np(number) : NULL;

    return name ? name : "E?";
#else
    return number > 0 ? "errno" : "E?";
#endif
}
