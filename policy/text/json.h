/*
 * json.h: strict JSON (RFC 8259) into a tree.
 *
 * A check of our own runs first, because jsmn alone accepts text that is not JSON: UTF-8, escapes (lone
 * surrogates are refused), numbers, duplicate keys (compared after unescaping), depth, size. jsmn's
 * tokens are then made a tree in an arena. Every value keeps its source bytes, so that what came in can
 * be passed on to the letter.
 */
#ifndef REEVE_TEXT_JSON_H
#define REEVE_TEXT_JSON_H

#include "policy/text/arena.h"
#include "policy/text/err.h"

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,    /* no fraction, no exponent, fits int64; "-0" is a JSON_NUMBER */
    JSON_NUMBER, /* any other number; only its text is kept */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json {
    enum json_type type;
    struct str raw; /* the value's bytes in the source text; borrowed from it */
    union {
        bool boolean;
        int64_t integer;
        struct str string; /* unescaped; in the source or in the arena */
        struct {
            const struct json *items;
            size_t count;
        } array;
        struct {
            const struct json_member *members; /* in source order */
            size_t count;
        } object;
    };
};

struct json_member {
    struct str name;
    struct json value;
};

struct json_limits {
    size_t max_bytes;
    size_t max_depth;  /* a scalar alone has depth 0, `[]` 1 */
    size_t max_values; /* of the whole text */
};
#define JSON_LIMITS_DEFAULT ((struct json_limits){16u << 20, 64, 1u << 20})

/* Where the first fault is: byte offset from 0, line and column from 1 (columns count code points). */
struct json_where {
    size_t offset;
    unsigned line, column;
};

/*
 * Parse the whole of `text` (white space around it is allowed; a BOM is not). The tree lives in `arena`
 * and borrows from `text`: both must outlive it. Returns 0; -EBADMSG: not JSON; -EEXIST: duplicate key;
 * -E2BIG: over a limit; -EILSEQ: not UTF-8; -ENOMEM. The text of the error says what and ends with
 * "at line L column C"; *ret_where (may be NULL) is set on every failure but -ENOMEM.
 */
int json_parse(struct arena *arena, struct str text, const struct json_limits *limits,
               const struct json **ret, struct json_where *ret_where, struct err *err) NODISCARD;
/* The check alone: no arena, no tree (duplicate keys included). */
int json_check(struct str text, const struct json_limits *limits, struct json_where *ret_where,
               struct err *err) NODISCARD;

const char *json_type_name(enum json_type type); /* "null", "a boolean", "an integer", "a string"... */

/* Reading. `v` may be NULL (an absent member): then nothing is found. Results are borrowed. */
const struct json *json_get(const struct json *object, const char *name);
const struct json *json_get_str(const struct json *object, struct str name);
/* Dotted path of members: "params.name". */
const struct json *json_path(const struct json *v, const char *path);
bool json_is(const struct json *v, enum json_type type);
/* Each reads a required member: -ENOENT when absent, -EINVAL when of another type (the error names the
 * member and what was expected). The _or forms give the default when absent or null, -EINVAL if of
 * another type. */
int json_want_str(const struct json *object, const char *name, struct str *ret, struct err *err) NODISCARD;
int json_want_i64(const struct json *object, const char *name, int64_t *ret, struct err *err) NODISCARD;
int json_want_bool(const struct json *object, const char *name, bool *ret, struct err *err) NODISCARD;
int json_want(const struct json *object, const char *name, enum json_type type,
              const struct json **ret, struct err *err) NODISCARD;
int json_str_or(const struct json *object, const char *name, struct str dflt, struct str *ret, struct err *err) NODISCARD;
int json_i64_or(const struct json *object, const char *name, int64_t dflt, int64_t *ret, struct err *err) NODISCARD;
int json_bool_or(const struct json *object, const char *name, bool dflt, bool *ret, struct err *err) NODISCARD;

#endif
