/*
 * str.c: borrowed runs of bytes.
 *
 * Every process; the bytes are foreign. Never reads beyond len, never needs a NUL, never allocates
 * but in str_dup.
 */
#include "policy/text/str.h"

struct str str_of(const char *cstr)
{
    return cstr ? (struct str){cstr, strlen(cstr)} : STR_NONE;
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_is(struct str a, const char *cstr)
{
    return str_eq(a, str_of(cstr));
}

int str_cmp(struct str a, struct str b)
{
    size_t common = MIN(a.len, b.len);
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

ssize_t str_find(struct str s, char c, size_t from)
{
    const char *hit;

    if (from >= s.len)
        return -1;
    hit = memchr(s.ptr + from, c, s.len - from);
    return hit ? hit - s.ptr : -1;
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    to = MIN(to, s.len);
    from = MIN(from, to);
    /* NULL + 0 is undefined, and STR_NONE is a legal input. */
    return (struct str){s.ptr ? s.ptr + from : NULL, to - from};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    size_t from = 0, to = s.len;

    while (from < to && is_space(s.ptr[from]))
        from++;
    while (to > from && is_space(s.ptr[to - 1]))
        to--;
    return str_slice(s, from, to);
}

bool str_split(struct str *rest, char sep, struct str *ret)
{
    ssize_t at;

    if (!rest->ptr)
        return false;
    at = str_find(*rest, sep, 0);
    if (at < 0) {
        *ret = *rest;
        *rest = STR_NONE;
        return true;
    }
    *ret = str_slice(*rest, 0, (size_t)at);
    *rest = str_slice(*rest, (size_t)at + 1, rest->len);
    return true;
}

bool str_glob(struct str pattern, struct str s)
{
    /* Greedy with one point to go back to: the last star. An earlier star never needs to be tried
     * again, for what stands between two stars was matched at its first place, which leaves most to
     * the rest. */
    size_t p = 0, i = 0, star = SIZE_MAX, resume = 0;

    while (i < s.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            resume = i;
        } else if (p < pattern.len && pattern.ptr[p] == s.ptr[i]) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

int str_copy(struct str s, char *dst, size_t size)
{
    if (size == 0)
        return -ENAMETOOLONG;
    dst[0] = '\0';
    if (s.len >= size || str_find(s, '\0', 0) >= 0)
        return -ENAMETOOLONG;
    if (s.len > 0)
        memcpy(dst, s.ptr, s.len);
    dst[s.len] = '\0';
    return 0;
}

char *str_dup(struct str s)
{
    char *copy = s.len < SIZE_MAX ? malloc(s.len + 1) : NULL;

    if (!copy)
        return NULL;
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}
