/*
 * buf.c: the growing buffer.
 *
 * Every process. Sizes come from peers: every sum is checked against the limit before memory is
 * asked for, so neither an overflow nor an allocation beyond `max` can be provoked. Never shrinks
 * silently, never appends half of a piece.
 */
#include "policy/text/buf.h"

#include <stdio.h>

#define FIRST_CAP 128

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_release(struct buf *b)
{
    free(b->ptr);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = 0;
}

int buf_status(const struct buf *b)
{
    return -b->failed;
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}

/* Makes room for len more bytes and a NUL behind them (for vsnprintf and buf_take). */
static bool grow(struct buf *b, size_t len)
{
    size_t cap;
    char *ptr;

    if (b->failed)
        return false;
    if (len > b->max || b->len > b->max - len) {
        b->failed = EMSGSIZE;
        return false;
    }
    if (b->cap > b->len + len)
        return true;
    cap = MAX(b->cap, (size_t)FIRST_CAP);
    while (cap <= b->len + len)
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    if (b->max < SIZE_MAX)
        cap = MIN(cap, b->max + 1);
    ptr = realloc(b->ptr, cap);
    if (!ptr) {
        b->failed = ENOMEM;
        return false;
    }
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

void buf_put(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0 || !grow(b, len))
        return;
    memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
}

void buf_str_put(struct buf *b, struct str s)
{
    buf_put(b, s.ptr, s.len);
}

void buf_cstr(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    if (!grow(b, 1))
        return;
    b->ptr[b->len++] = c;
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vfmt(b, fmt, ap);
    va_end(ap);
}

void buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    size_t room;
    int n;

    if (!grow(b, 0))
        return;
    room = b->cap - b->len;
    va_copy(again, ap);
    n = vsnprintf(b->ptr + b->len, room, fmt, again);
    va_end(again);
    if (n < 0) {
        b->failed = ENOMEM;
        return;
    }
    if (!grow(b, (size_t)n))
        return;
    if ((size_t)n >= room)
        n = vsnprintf(b->ptr + b->len, b->cap - b->len, fmt, ap);
    if (n < 0) {
        b->failed = ENOMEM;
        return;
    }
    b->len += (size_t)n;
}

void buf_hex(struct buf *b, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = bytes;

    if (len > SIZE_MAX / 2 || !grow(b, len * 2)) {
        b->failed = b->failed ? b->failed : EMSGSIZE;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        b->ptr[b->len++] = digits[in[i] >> 4];
        b->ptr[b->len++] = digits[in[i] & 15];
    }
}

char *buf_reserve(struct buf *b, size_t len)
{
    return grow(b, len) ? b->ptr + b->len : NULL;
}

void buf_added(struct buf *b, size_t len)
{
    /* A caller that claims more than it reserved has written out of bounds already. */
    must(b->cap - b->len > len || len == 0);
    b->len += len;
}

void buf_drop_front(struct buf *b, size_t len)
{
    len = MIN(len, b->len);
    if (len == 0)
        return;
    b->len -= len;
    memmove(b->ptr, b->ptr + len, b->len);
}

void buf_truncate(struct buf *b, size_t len)
{
    b->len = MIN(b->len, len);
}

char *buf_take(struct buf *b, size_t *ret_len)
{
    char *taken = NULL;

    if (grow(b, 0)) {
        taken = b->ptr;
        taken[b->len] = '\0';
        if (ret_len)
            *ret_len = b->len;
        b->ptr = NULL;
        b->cap = 0;
    }
    buf_release(b);
    return taken;
}
