/*
 * buf.h: a growing run of bytes with a hard limit. Failure sticks: after an append that did not fit, all
 * further appends do nothing and buf_status() tells, so writers check once, at the end.
 */
#ifndef REEVE_TEXT_BUF_H
#define REEVE_TEXT_BUF_H

#include "policy/text/str.h"

struct buf {
    char *ptr;
    size_t len, cap;
    size_t max; /* bytes that it may ever hold */
    int failed; /* 0, ENOMEM or EMSGSIZE */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_release(struct buf *b); /* frees; leaves it empty and usable with the same limit */
void buf_clear(struct buf *b);   /* keeps the memory, drops bytes and failure */
int buf_status(const struct buf *b); /* 0, -ENOMEM or -EMSGSIZE */
struct str buf_str(const struct buf *b); /* borrowed until the next change */

void buf_put(struct buf *b, const void *bytes, size_t len);
void buf_str_put(struct buf *b, struct str s);
void buf_cstr(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vfmt(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
void buf_hex(struct buf *b, const void *bytes, size_t len); /* lower case */
/* Room for len more bytes, to be filled by the caller and made part by buf_added(); NULL on failure. */
char *buf_reserve(struct buf *b, size_t len);
void buf_added(struct buf *b, size_t len);
void buf_drop_front(struct buf *b, size_t len);
void buf_truncate(struct buf *b, size_t len);
/* Gives the bytes away, NUL-terminated, malloc'd; NULL if it failed. The buffer is empty after it. */
char *buf_take(struct buf *b, size_t *ret_len);

#endif
