/*
 * ip.c: addresses and ranges. The text may come from a peer.
 */
#include "policy/cedar/ip.h"

#include <stdio.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Digits without zeros in front, at most max_digits of them and `limit` in value. */
static int small_number(struct str s, size_t *at, size_t max_digits, unsigned limit)
{
    size_t from = *at;
    unsigned v = 0;

    while (*at < s.len && is_digit(s.ptr[*at])) {
        if (*at - from == max_digits)
            return -EINVAL;
        v = v * 10 + (unsigned)(s.ptr[(*at)++] - '0');
    }
    if (*at == from || v > limit || (*at - from > 1 && s.ptr[from] == '0'))
        return -EINVAL;
    return (int)v;
}

static int parse_v4(struct str s, uint8_t bytes[16])
{
    size_t at = 0;

    for (size_t i = 0; i < 4; i++) {
        int v;

        if (i > 0 && (at >= s.len || s.ptr[at++] != '.'))
            return -EINVAL;
        v = small_number(s, &at, 3, 255);
        if (v < 0)
            return -EINVAL;
        bytes[i] = (uint8_t)v;
    }
    return at == s.len ? 0 : -EINVAL;
}

/* Reads groups with single colons between; stops before "::" or at the end. */
static int read_groups(struct str s, size_t *at, uint16_t *groups, size_t max)
{
    size_t n = 0;

    while (n < max && *at < s.len && hex_digit(s.ptr[*at]) >= 0) {
        unsigned v = 0;
        size_t digits = 0;

        while (*at < s.len && hex_digit(s.ptr[*at]) >= 0) {
            if (++digits > 4)
                return -EINVAL;
            v = v * 16 + (unsigned)hex_digit(s.ptr[(*at)++]);
        }
        groups[n++] = (uint16_t)v;
        if (*at + 1 >= s.len || s.ptr[*at] != ':' || s.ptr[*at + 1] == ':' || n == max)
            break;
        (*at)++;
    }
    return (int)n;
}

/* As RFC 4291 has it, "::" for at least one group. */
static int parse_v6(struct str s, uint8_t bytes[16])
{
    uint16_t groups[8] = {0}, tail[8] = {0};
    size_t at = 0;
    int head = read_groups(s, &at, groups, 8), rest = 0;

    if (head < 0)
        return -EINVAL;
    if (head < 8) {
        if (at + 1 >= s.len || s.ptr[at] != ':' || s.ptr[at + 1] != ':')
            return -EINVAL;
        at += 2;
        rest = read_groups(s, &at, tail, (size_t)(7 - head));
        if (rest < 0)
            return -EINVAL;
        for (int i = 0; i < rest; i++)
            groups[8 - rest + i] = tail[i];
    }
    if (at != s.len)
        return -EINVAL;
    for (size_t i = 0; i < 8; i++) {
        bytes[2 * i] = (uint8_t)(groups[i] >> 8);
        bytes[2 * i + 1] = (uint8_t)groups[i];
    }
    return 0;
}

int cedar_ip_parse(struct str text, struct cedar_ip *ret, const char **ret_why)
{
    ssize_t slash = str_find(text, '/', 0);
    struct str address = slash < 0 ? text : str_slice(text, 0, (size_t)slash);
    struct cedar_ip ip = {.is_v6 = str_find(address, ':', 0) >= 0};
    unsigned bits = ip.is_v6 ? 128 : 32;
    int rc = ip.is_v6 ? parse_v6(address, ip.bytes) : parse_v4(address, ip.bytes);

    if (rc < 0) {
        *ret_why = "the text is no IP address";
        return rc;
    }
    ip.prefix = (uint8_t)bits;
    if (slash >= 0) {
        struct str prefix = str_slice(text, (size_t)slash + 1, text.len);
        size_t at = 0;
        int v = small_number(prefix, &at, ip.is_v6 ? 3 : 2, bits);

        if (v < 0 || at != prefix.len) {
            *ret_why = "the length behind the / of an IP range is not right";
            return -EINVAL;
        }
        ip.prefix = (uint8_t)v;
    }
    *ret = ip;
    return 0;
}

/* The first `bits` of both are the same. */
static bool prefix_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool cedar_ip_is_in_range(const struct cedar_ip *ip, const struct cedar_ip *range)
{
    return ip->is_v6 == range->is_v6 && ip->prefix >= range->prefix &&
           prefix_eq(ip->bytes, range->bytes, range->prefix);
}

bool cedar_ip_is_loopback(const struct cedar_ip *ip)
{
    static const struct cedar_ip v4 = {.prefix = 8, .bytes = {127}};
    static const struct cedar_ip v6 = {.is_v6 = true, .prefix = 128, .bytes = {[15] = 1}};

    return cedar_ip_is_in_range(ip, ip->is_v6 ? &v6 : &v4);
}

bool cedar_ip_is_multicast(const struct cedar_ip *ip)
{
    static const struct cedar_ip v4 = {.prefix = 4, .bytes = {224}};
    static const struct cedar_ip v6 = {.is_v6 = true, .prefix = 8, .bytes = {255}};

    return cedar_ip_is_in_range(ip, ip->is_v6 ? &v6 : &v4);
}

/* The longest run of two or more zero groups, as RFC 5952 wants it shortened. */
static void longest_zeros(const uint8_t *b, int *from, int *count)
{
    *from = -1;
    *count = 0;
    for (int i = 0; i < 8;) {
        int n = 0;

        while (i + n < 8 && b[2 * (i + n)] == 0 && b[2 * (i + n) + 1] == 0)
            n++;
        if (n > *count && n > 1) {
            *from = i;
            *count = n;
        }
        i += n > 0 ? n : 1;
    }
}

static size_t v6_text(const uint8_t *b, char *text)
{
    int from, count;
    size_t len = 0;

    longest_zeros(b, &from, &count);
    for (int i = 0; i < 8; i++) {
        if (i == from) {
            len += (size_t)snprintf(text + len, CEDAR_IP_TEXT - len, "::");
            i += count - 1;
            continue;
        }
        if (i > 0 && text[len - 1] != ':')
            text[len++] = ':';
        len += (size_t)snprintf(text + len, CEDAR_IP_TEXT - len, "%x",
                                (unsigned)(b[2 * i] << 8 | b[2 * i + 1]));
    }
    return len;
}

size_t cedar_ip_text(const struct cedar_ip *ip, char text[CEDAR_IP_TEXT])
{
    const uint8_t *b = ip->bytes;
    size_t len;

    if (ip->is_v6)
        len = v6_text(b, text);
    else
        len = (size_t)snprintf(text, CEDAR_IP_TEXT, "%u.%u.%u.%u", (unsigned)b[0], (unsigned)b[1],
                               (unsigned)b[2], (unsigned)b[3]);
    if (ip->prefix != (ip->is_v6 ? 128 : 32))
        len += (size_t)snprintf(text + len, CEDAR_IP_TEXT - len, "/%u", (unsigned)ip->prefix);
    return len;
}
