/*
 * style.c: inks, glyphs, times and numbers for people. Runs in reeve.
 */
#include "supervisor/ctl/style.h"

#include "policy/text/num.h"

static const char *const INKS[INK_COUNT] = {
    [INK_PLAIN] = "",        [INK_BOLD] = "\033[1m",   [INK_DIM] = "\033[2m",
    [INK_RED] = "\033[31m",  [INK_GREEN] = "\033[32m", [INK_YELLOW] = "\033[33m",
    [INK_BLUE] = "\033[34m", [INK_CYAN] = "\033[36m",
};

static const struct {
    const char *state;
    enum ink ink;
    const char *glyph, *plain;
} STATES[] = {
    {"succeeded", INK_GREEN, "\u2714", "+"}, {"committed", INK_GREEN, "\u2714", "+"},
    {"approved", INK_GREEN, "\u2714", "+"},  {"used", INK_GREEN, "\u2714", "+"},
    {"failed", INK_RED, "\u2718", "x"},      {"dead", INK_RED, "\u2718", "x"},
    {"denied", INK_RED, "\u2298", "-"},      {"rejected", INK_RED, "\u2298", "-"},
    {"cancelled", INK_DIM, "\u2298", "-"},   {"expired", INK_DIM, "\u2298", "-"},
    {"unknown", INK_YELLOW, "?", "?"},       {"gated", INK_YELLOW, "\u25cc", "o"},
    {"waiting", INK_YELLOW, "\u25cc", "o"},  {"open", INK_YELLOW, "\u25cc", "o"},
    {"intent", INK_CYAN, "\u25b8", ">"},     {"running", INK_CYAN, "\u25b8", ">"},
    {"starting", INK_CYAN, "\u25b8", ">"},   {"queued", INK_DIM, "\u00b7", "."},
};

void style_on(struct buf *out, const struct style *s, enum ink ink)
{
    if (s->colour)
        buf_cstr(out, INKS[ink]);
}

void style_off(struct buf *out, const struct style *s, enum ink ink)
{
    if (s->colour && ink != INK_PLAIN)
        buf_cstr(out, "\033[0m");
}

void style_put(struct buf *out, const struct style *s, enum ink ink, const char *fmt, ...)
{
    va_list ap;
    style_on(out, s, ink);
    va_start(ap, fmt);
    buf_vfmt(out, fmt, ap);
    va_end(ap);
    style_off(out, s, ink);
}

size_t style_foreign(struct buf *out, const struct style *s, enum ink ink, struct str text,
                     size_t max)
{
    style_on(out, s, ink);
    size_t cells = cells_put(out, text, max, s->utf8);
    style_off(out, s, ink);
    return cells;
}

enum ink style_state_ink(struct str state)
{
    for (size_t i = 0; i < ARRAY_LEN(STATES); i++)
        if (str_is(state, STATES[i].state))
            return STATES[i].ink;
    return INK_PLAIN;
}

const char *style_state_glyph(const struct style *s, struct str state)
{
    for (size_t i = 0; i < ARRAY_LEN(STATES); i++)
        if (str_is(state, STATES[i].state))
            return s->utf8 ? STATES[i].glyph : STATES[i].plain;
    return " ";
}

/* ---- times ----------------------------------------------------------------------------------- */

/* num_time_text writes UTC; local time is the same text of a shifted moment. */
static void local_text(const struct style *s, int64_t unix_ms, char text[NUM_TIME_TEXT])
{
    int64_t offset = s->offset_s ? s->offset_s(unix_ms) : 0;
    (void)num_time_text(unix_ms + offset * 1000, text);
}

const char *style_time(const struct style *s, int64_t unix_ms, char text[STYLE_TEXT])
{
    char full[NUM_TIME_TEXT];
    local_text(s, unix_ms, full);
    snprintf(text, STYLE_TEXT, "%.10s %.8s", full, strlen(full) > 18 ? full + 11 : "");
    return text;
}

const char *style_clock(const struct style *s, int64_t unix_ms, char text[STYLE_TEXT])
{
    char full[NUM_TIME_TEXT];
    local_text(s, unix_ms, full);
    snprintf(text, STYLE_TEXT, "%.8s", strlen(full) > 18 ? full + 11 : "");
    return text;
}

const char *style_span(int64_t ms, char text[STYLE_TEXT])
{
    int64_t s = ms / 1000, m = s / 60, h = m / 60;
    if (ms < 0)
        snprintf(text, STYLE_TEXT, "0ms");
    else if (ms < 1000)
        snprintf(text, STYLE_TEXT, "%" PRId64 "ms", ms);
    else if (s < 60)
        snprintf(text, STYLE_TEXT, "%" PRId64 ".%" PRId64 "s", s, ms % 1000 / 100);
    else if (m < 60)
        snprintf(text, STYLE_TEXT, "%" PRId64 "m%02" PRId64 "s", m, s % 60);
    else if (h < 48)
        snprintf(text, STYLE_TEXT, "%" PRId64 "h%02" PRId64 "m", h, m % 60);
    else
        snprintf(text, STYLE_TEXT, "%" PRId64 "d%" PRId64 "h", h / 24, h % 24);
    return text;
}

const char *style_ago(const struct style *s, int64_t unix_ms, char text[STYLE_TEXT])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } UNITS[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    int64_t by = 0;
    if (__builtin_sub_overflow(s->now_ms, unix_ms, &by) || by == INT64_MIN) {
        snprintf(text, STYLE_TEXT, "?");
        return text;
    }
    int64_t span = by < 0 ? -by : by;
    for (size_t i = 0; i < ARRAY_LEN(UNITS); i++) {
        if (span < UNITS[i].ms * (i == 0 ? 2 : 1))
            continue;
        snprintf(text, STYLE_TEXT, by < 0 ? "in %" PRId64 " %s" : "%" PRId64 " %s ago",
                 span / UNITS[i].ms, UNITS[i].unit);
        return text;
    }
    snprintf(text, STYLE_TEXT, "now");
    return text;
}

const char *style_count(int64_t n, char text[STYLE_TEXT])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, n);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > (digits[0] == '-') && (len - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
    return text;
}

const char *style_many(int64_t n, const char *one, const char *many, char text[STYLE_TEXT])
{
    char count[STYLE_TEXT];
    snprintf(text, STYLE_TEXT, "%s %s", style_count(n, count), n == 1 ? one : many);
    return text;
}

const char *style_bytes(int64_t n, char text[STYLE_TEXT])
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double v = (double)n;
    for (; v >= 1024 && unit + 1 < ARRAY_LEN(UNITS); unit++)
        v /= 1024;
    snprintf(text, STYLE_TEXT, unit ? "%.1f %s" : "%.0f %s", v, UNITS[unit]);
    return text;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct str show_str(const struct json *v, const char *name)
{
    const struct json *m = json_get(v, name);
    return json_is(m, JSON_STRING) ? m->string : STR_NONE;
}

int64_t show_i64(const struct json *v, const char *name)
{
    const struct json *m = json_get(v, name);
    return json_is(m, JSON_INT) ? m->integer : 0;
}

bool show_bool(const struct json *v, const char *name)
{
    const struct json *m = json_get(v, name);
    return json_is(m, JSON_BOOL) && m->boolean;
}

struct str show_number(const struct json *v, const char *name)
{
    const struct json *m = json_get(v, name);
    return json_is(m, JSON_INT) || json_is(m, JSON_NUMBER) ? m->raw : STR("0");
}

bool show_is_set(const struct json *v, const char *name)
{
    const struct json *m = json_get(v, name);
    return m && m->type != JSON_NULL;
}

bool show_time(const struct json *v, const char *name, int64_t *ret_ms)
{
    struct str text = show_str(v, name);
    return text.ptr && num_time_ms(text, ret_ms) >= 0;
}
