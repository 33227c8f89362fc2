/*
 * cells.c: how wide text is on a terminal. Runs in reeve; everything that it is given is foreign.
 */
#include "supervisor/ctl/cells.h"

#include "policy/text/utf8.h"

#define FOREIGN_MAX_BYTES 4096 /* of one text on one line: more never fits a screen */

struct range {
    uint32_t first, last;
};

/* East Asian Wide and Fullwidth, and emoji that terminals draw wide (Unicode TR11), coarsely. */
static const struct range WIDE[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},
    {0xa960, 0xa97c},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

/* Marks that sit on the letter before them. */
static const struct range NONE[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},   {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff},   {0x1dc0, 0x1dff}, {0x20d0, 0x20ff},
    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
};

static bool is_in(const struct range *r, size_t n, uint32_t cp)
{
    for (size_t i = 0; i < n; i++)
        if (cp >= r[i].first && cp <= r[i].last)
            return true;
    return false;
}

static size_t width_of(uint32_t cp)
{
    if (cp < 0x300)
        return 1;
    if (is_in(NONE, ARRAY_LEN(NONE), cp))
        return 0;
    return is_in(WIDE, ARRAY_LEN(WIDE), cp) ? 2 : 1;
}

size_t cells_width(struct str visible)
{
    size_t pos = 0, cells = 0;
    uint32_t cp;
    while (pos < visible.len) {
        if (utf8_next(visible, &pos, &cp) < 0) {
            pos++; /* cannot be after utf8_put_visible */
            cp = '?';
        }
        cells += width_of(cp);
    }
    return cells;
}

/* White space of any kind first: what is left is then made visible as it is. */
static void put_on_one_line(struct buf *out, struct str s)
{
    bool was_space = false;
    for (size_t i = 0; i < s.len; i++) {
        bool is_space = s.ptr[i] == ' ' || s.ptr[i] == '\t' || s.ptr[i] == '\n' || s.ptr[i] == '\r';
        if (!is_space || !was_space)
            buf_char(out, is_space ? ' ' : s.ptr[i]);
        was_space = is_space;
    }
}

/* Not UTF-8 on this terminal: what lies beyond ASCII becomes a question mark, one a cell. */
static size_t put_cp(struct buf *out, struct str one, uint32_t cp, bool utf8)
{
    if (utf8 || cp < 0x80)
        buf_str_put(out, one);
    else
        for (size_t i = 0; i < width_of(cp); i++)
            buf_char(out, '?');
    return width_of(cp);
}

size_t cells_put(struct buf *out, struct str foreign, size_t max, bool utf8)
{
    struct buf line, visible;
    size_t pos = 0, cells = 0;
    uint32_t cp;
    buf_init(&line, FOREIGN_MAX_BYTES);
    buf_init(&visible, FOREIGN_MAX_BYTES * 12);
    put_on_one_line(&line, str_trim(str_slice(foreign, 0, FOREIGN_MAX_BYTES)));
    utf8_put_visible(&visible, str_trim(buf_str(&line)), FOREIGN_MAX_BYTES * 10);
    struct str s = buf_str(&visible);
    bool fits = cells_width(s) <= max && foreign.len <= FOREIGN_MAX_BYTES;
    size_t room = fits ? max : (max ? max - 1 : 0);
    while (pos < s.len) {
        size_t from = pos;
        if (utf8_next(s, &pos, &cp) < 0 || cells + width_of(cp) > room)
            break;
        cells += put_cp(out, str_slice(s, from, pos), cp, utf8);
    }
    if (!fits && max) {
        buf_cstr(out, utf8 ? "\u2026" : "~");
        cells++;
    }
    buf_release(&line);
    buf_release(&visible);
    return cells;
}

void cells_pad(struct buf *out, size_t have, size_t want)
{
    for (; have < want; have++)
        buf_char(out, ' ');
}
