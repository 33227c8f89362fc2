/*
 * str.h: a borrowed run of bytes. Not NUL-terminated; may hold NUL.
 */
#ifndef REEVE_TEXT_STR_H
#define REEVE_TEXT_STR_H

#include "policy/text/base.h"

struct str {
    const char *ptr; /* may be NULL only when len is 0 */
    size_t len;      /* bytes */
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf("%.*s"): the length is cut at 1 MiB, so that it fits an int. */
#define STR_FMT(s) (int)MIN((s).len, (size_t)1 << 20), ((s).ptr ? (s).ptr : "")

struct str str_of(const char *cstr); /* NULL gives STR_NONE; borrowed */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *cstr);
int str_cmp(struct str a, struct str b); /* byte order, shorter first: <0, 0, >0 */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the first byte c at or after from, or -1. */
ssize_t str_find(struct str s, char c, size_t from);
/* The part from `from` up to `to` (exclusive); both are cut to the length. */
struct str str_slice(struct str s, size_t from, size_t to);
struct str str_trim(struct str s); /* without ASCII space, tab, CR, LF at both ends */
/* Takes the text before the next `sep` off `*rest` into `*ret`; false when nothing is left. */
bool str_split(struct str *rest, char sep, struct str *ret);
/* `*` matches any run of bytes, everything else itself; iterative, O(n*m) at worst. */
bool str_glob(struct str pattern, struct str s);
/* Copies into dst[size] with a NUL; -ENAMETOOLONG (dst = "") if it does not fit or holds a NUL. */
int str_copy(struct str s, char *dst, size_t size) NODISCARD;
/* malloc'd NUL-terminated copy, or NULL when out of memory. */
char *str_dup(struct str s);

#endif
