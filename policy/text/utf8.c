/*
 * utf8.c: strict UTF-8.
 *
 * Every process; the bytes are foreign. A decoder that lets an overlong form or a surrogate through
 * gives an attacker two spellings of one name, so all of it follows table 3-7 of the Unicode
 * standard.
 */
#include "policy/text/utf8.h"

/* Length of the well-formed sequence at p (at most n bytes), 0 if there is none. */
static size_t sequence_len(const unsigned char *p, size_t n)
{
    unsigned char lo = 0x80, hi = 0xBF;
    size_t len;

    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (len > n)
        return 0;
    /* The second byte carries what rules out overlong forms, surrogates and beyond U+10FFFF. */
    if (p[0] == 0xE0)
        lo = 0xA0;
    else if (p[0] == 0xED)
        hi = 0x9F;
    else if (p[0] == 0xF0)
        lo = 0x90;
    else if (p[0] == 0xF4)
        hi = 0x8F;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

size_t utf8_valid_prefix(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t pos = 0;

    while (pos < s.len) {
        uint64_t eight;
        size_t len;

        if (s.len - pos >= sizeof(eight)) {
            memcpy(&eight, p + pos, sizeof(eight));
            if ((eight & 0x8080808080808080u) == 0) {
                pos += sizeof(eight);
                continue;
            }
        }
        len = sequence_len(p + pos, s.len - pos);
        if (len == 0)
            break;
        pos += len;
    }
    return pos;
}

bool utf8_is_valid(struct str s)
{
    return utf8_valid_prefix(s) == s.len;
}

int utf8_next(struct str s, size_t *pos, uint32_t *ret)
{
    static const unsigned char lead_mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    const unsigned char *p;
    size_t len;
    uint32_t cp;

    if (*pos >= s.len)
        return -EILSEQ;
    p = (const unsigned char *)s.ptr + *pos;
    len = sequence_len(p, s.len - *pos);
    if (len == 0)
        return -EILSEQ;
    cp = p[0] & lead_mask[len];
    for (size_t i = 1; i < len; i++)
        cp = cp << 6 | (p[i] & 0x3Fu);
    *pos += len;
    *ret = cp;
    return 0;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    must(cp <= 0x10FFFF && (cp < 0xD800 || cp > 0xDFFF));
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

size_t utf8_count(struct str s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++)
        count += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return count;
}

/*
 * Code points that a reader does not see, or that change how their neighbours are shown (Unicode
 * 15: controls, invisible format characters, line separators, fillers, variation selectors, tags,
 * noncharacters). A name with one of them can
 * pass for another on a terminal or in an approval.
 */
static const struct {
    uint32_t from, to;
} hidden_ranges[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F}, {0x00AD, 0x00AD},   {0x034F, 0x034F},   {0x061C, 0x061C},
    {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2028, 0x202E},
    {0x2060, 0x206F}, {0x3164, 0x3164}, {0xFDD0, 0xFDEF},   {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},
    {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

bool utf8_is_hidden(uint32_t cp)
{
    if (cp >= 0x20 && cp < 0x7F)
        return false;
    if ((cp & 0xFFFE) == 0xFFFE)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(hidden_ranges) && hidden_ranges[i].from <= cp; i++) {
        if (cp <= hidden_ranges[i].to)
            return true;
    }
    return false;
}

/* One code point or invalid byte at *pos as it may be shown; returns how many bytes of `piece` it
 * took. The longest is \u{10ffff}. */
static size_t visible_piece(struct str s, size_t *pos, char piece[16])
{
    static const char hex[] = "0123456789abcdef";
    size_t from = *pos;
    uint32_t cp;

    if (utf8_next(s, pos, &cp) < 0) {
        unsigned char byte = (unsigned char)s.ptr[(*pos)++];
        piece[0] = '\\';
        piece[1] = 'x';
        piece[2] = hex[byte >> 4];
        piece[3] = hex[byte & 15];
        return 4;
    }
    if (utf8_is_hidden(cp))
        return (size_t)snprintf(piece, 16, "\\u{%x}", (unsigned)cp);
    memcpy(piece, s.ptr + from, *pos - from);
    return *pos - from;
}

void utf8_put_visible(struct buf *out, struct str s, size_t max_bytes)
{
    size_t start = out->len, pos = 0, used = 0, room_for_dots = 0;

    while (pos < s.len) {
        char piece[16];
        size_t len = visible_piece(s, &pos, piece);

        if (len > max_bytes - used) {
            buf_truncate(out, start + room_for_dots);
            buf_put(out, "...", MIN((size_t)3, max_bytes - room_for_dots));
            return;
        }
        buf_put(out, piece, len);
        used += len;
        if (used + 3 <= max_bytes)
            room_for_dots = used;
    }
}
