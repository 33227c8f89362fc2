/*
 * json_scan.h: the strict check of JSON text, for json.c alone.
 */
#ifndef REEVE_TEXT_JSON_SCAN_H
#define REEVE_TEXT_JSON_SCAN_H

#include "policy/text/json.h"

/* The deepest nesting that any limit may ask for; bounds the stacks of fixed size. */
#define JSON_DEPTH_CAP 512
/* jsmn counts bytes in an int. */
#define JSON_BYTES_CAP ((size_t)1 << 30)

struct json_size {
    size_t values, names;
};

/* As json_check, and counts what is in the text. Failures are those of json_parse. */
int json_scan(struct str text, const struct json_limits *limits, struct json_size *ret,
              struct json_where *ret_where, struct err *err) NODISCARD;
/* Sets where and ends the error's text with "at line L column C"; returns -number. */
int json_fail_at(struct str text, size_t offset, struct json_where *ret_where, struct err *err,
                 int number, const char *fmt, ...) PRINTF(6, 7);
/* Writes the string between two quotes, unescaped, to out (at least raw.len bytes); returns how many.
 * The text was checked. */
size_t json_unescape(struct str raw, char *out);

#endif
