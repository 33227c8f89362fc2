/*
 * style.h: how the output of a command looks: colours, glyphs, times. Pure: what the terminal and the
 * clock are is told by the caller, so that the same JSON always gives the same text.
 */
#ifndef REEVE_CTL_STYLE_H
#define REEVE_CTL_STYLE_H

#include "policy/text/json.h"
#include "supervisor/ctl/cells.h"

enum ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_RED, INK_GREEN, INK_YELLOW, INK_BLUE, INK_CYAN, INK_COUNT };

struct style {
    bool colour;
    bool utf8;
    size_t width;     /* columns */
    int64_t now_ms;
    int (*offset_s)(int64_t unix_ms); /* of local time at that moment; NULL: UTC */
};

/* Appends `text` of our own in an ink. */
void style_put(struct buf *out, const struct style *s, enum ink ink, const char *fmt, ...) PRINTF(4, 5);
/* Foreign text in an ink, cut to max cells. Returns the cells taken. */
size_t style_foreign(struct buf *out, const struct style *s, enum ink ink, struct str text, size_t max);
void style_on(struct buf *out, const struct style *s, enum ink ink);
void style_off(struct buf *out, const struct style *s, enum ink ink);

/* The state of a run, step or approval: its ink, and its glyph in one cell. */
enum ink style_state_ink(struct str state);
const char *style_state_glyph(const struct style *s, struct str state);

/* Times. All write into a small text with NUL and return it. */
#define STYLE_TEXT 40
const char *style_time(const struct style *s, int64_t unix_ms, char text[STYLE_TEXT]);  /* 2026-11-23 03:10:27 */
const char *style_clock(const struct style *s, int64_t unix_ms, char text[STYLE_TEXT]); /* 03:10:27 */
const char *style_ago(const struct style *s, int64_t unix_ms, char text[STYLE_TEXT]);   /* 2 min ago, in 3 h */
const char *style_span(int64_t ms, char text[STYLE_TEXT]);                              /* 35ms 1.2s 1m12s 3h05m 2d4h */
const char *style_count(int64_t n, char text[STYLE_TEXT]);                              /* 8,210 */
const char *style_many(int64_t n, const char *one, const char *many, char text[STYLE_TEXT]); /* 1 step, 2 steps */
const char *style_bytes(int64_t n, char text[STYLE_TEXT]);                              /* 4.2 MiB */

/* Reading of the API's JSON, forgiving: what is absent or of another type is the default. */
struct str show_str(const struct json *v, const char *name);
int64_t show_i64(const struct json *v, const char *name);
bool show_bool(const struct json *v, const char *name);
/* The raw text of a number, "0" when absent. */
struct str show_number(const struct json *v, const char *name);
bool show_is_set(const struct json *v, const char *name); /* present and not null */
/* A time; false when absent, null or none. */
bool show_time(const struct json *v, const char *name, int64_t *ret_ms);

#endif
