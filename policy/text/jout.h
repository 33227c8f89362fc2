/*
 * jout.h: a writer that cannot produce invalid JSON: it keeps the nesting, commas and escapes itself; a
 * call out of place (a value where a name must stand, an unclosed object) makes jout_end() fail, as does
 * text that is not UTF-8. No white space between tokens.
 */
#ifndef REEVE_TEXT_JOUT_H
#define REEVE_TEXT_JOUT_H

#include "policy/text/buf.h"
#include "policy/text/json.h"

#define JOUT_DEPTH_MAX 64

struct jout {
    struct buf *out;
    size_t start; /* where in out this text began */
    unsigned depth;
    bool wants_value; /* a name was written */
    bool has_item[JOUT_DEPTH_MAX + 1];
    bool is_object[JOUT_DEPTH_MAX + 1];
    int failed; /* 0, EINVAL, EILSEQ, E2BIG */
};

void jout_begin(struct jout *j, struct buf *out); /* appends to out */
/* 0 when exactly one whole value was written; else -EINVAL, -EILSEQ, -E2BIG or the buffer's status, and
 * out is cut back to where it was at jout_begin. */
int jout_end(struct jout *j) NODISCARD;

void jout_object(struct jout *j);
void jout_object_end(struct jout *j);
void jout_array(struct jout *j);
void jout_array_end(struct jout *j);
void jout_name(struct jout *j, const char *name);
void jout_name_str(struct jout *j, struct str name);
void jout_null(struct jout *j);
void jout_bool(struct jout *j, bool v);
void jout_i64(struct jout *j, int64_t v);
void jout_u64(struct jout *j, uint64_t v);
void jout_str(struct jout *j, struct str v);
void jout_cstr(struct jout *j, const char *v); /* NULL writes null */
void jout_fmt(struct jout *j, const char *fmt, ...) PRINTF(2, 3); /* a string value */
void jout_fixed(struct jout *j, int64_t v, unsigned places); /* a number such as 12.5 */
/* A tree that json_parse made: its structure is written anew, numbers and all else from its raw bytes. */
void jout_json(struct jout *j, const struct json *v);
/* Text that is already one valid JSON value without a line break outside of strings (checked: json_check). */
void jout_raw(struct jout *j, struct str json_text);

/* name and value in one call. */
void jout_m_str(struct jout *j, const char *name, struct str v);
void jout_m_cstr(struct jout *j, const char *name, const char *v);
void jout_m_i64(struct jout *j, const char *name, int64_t v);
void jout_m_bool(struct jout *j, const char *name, bool v);
void jout_m_json(struct jout *j, const char *name, const struct json *v); /* NULL: nothing is written */
void jout_m_fmt(struct jout *j, const char *name, const char *fmt, ...) PRINTF(3, 4);
void jout_m_time(struct jout *j, const char *name, int64_t unix_ms); /* RFC 3339 string */

/* Appends `s` as a JSON string with quotes and escapes to any buffer; -EILSEQ if it is not UTF-8. */
int jout_escape(struct buf *out, struct str s);

#endif
