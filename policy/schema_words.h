/*
 * schema_words.h: the words of JSON Schema that schema.c knows, and the shape that each one's value must have. Private
 * to policy/schema*.c.
 */
#ifndef REEVE_POLICY_SCHEMA_WORDS_H
#define REEVE_POLICY_SCHEMA_WORDS_H

#include "policy/schema.h"

enum schema_shape {
    SHAPE_ANY,     /* annotations, enum values */
    SHAPE_TYPE,    /* a type name or a list of them */
    SHAPE_COUNT,   /* a whole number from 0 */
    SHAPE_NUMBER,
    SHAPE_NUMBER_OR_BOOL, /* draft-04's exclusiveMinimum */
    SHAPE_BOOL,
    SHAPE_STRING,
    SHAPE_REF,
    SHAPE_LIST,    /* enum */
    SHAPE_NAMES,   /* a list of strings */
    SHAPE_NAMES_MAP,
    SHAPE_SCHEMA,
    SHAPE_SCHEMAS, /* a list of schemas, not empty */
    SHAPE_SCHEMA_MAP,
    SHAPE_ITEMS,   /* a schema, or a list (draft-07) */
};

#define SCHEMA_PATH_MAX 64

struct schema_part { /* of the path to the value at hand */
    struct str name;
    size_t index;
    bool is_index;
};

struct schema_run {
    const struct json *root;
    const char *root_name;
    struct buf *problems;
    struct schema_result *result;
    struct err *err;
    struct schema_part path[SCHEMA_PATH_MAX];
    size_t path_len;
    size_t work;
    unsigned depth;
    unsigned mute;   /* inside of alternatives: faults are counted, not written */
    size_t failures; /* all, also when mute */
};

struct schema_word {
    const char *name;
    enum schema_shape shape;
    bool unchecked; /* it constrains, and is not checked */
    /* Checks `value` against the word's value `v` in `schema`; NULL: nothing to check. -ENOTSUP, -E2BIG. */
    int (*check)(struct schema_run *r, const struct json *schema, const struct json *v, const struct json *value);
};

const struct schema_word *schema_word_find(struct str name); /* NULL: not a word of JSON Schema: ignored */
/* Is v of the shape? */
int schema_word_shape(const struct schema_word *w, const struct json *v, struct err *err);
/* `#`, `#/a/b`: the schema in root that it names, or NULL with an error. */
const struct json *schema_word_ref(const struct json *root, struct str ref, struct err *err);
/* A pattern that is a plain prefix: `^abc`. */
bool schema_word_prefix(struct str pattern, struct str *ret);

/* ---- the walk: schema.c ---- */

/* A value against a schema: faults are counted, and written unless mute. 0, -ENOTSUP, -E2BIG. */
int schema_visit(struct schema_run *r, const struct json *schema, const struct json *value);
int schema_at_name(struct schema_run *r, struct str name, const struct json *schema, const struct json *value);
int schema_at_index(struct schema_run *r, size_t i, const struct json *schema, const struct json *value);
/* Whether it fits, without a word: 1, 0 or an error. */
int schema_quietly(struct schema_run *r, const struct json *schema, const struct json *value);
int schema_fail(struct schema_run *r, const char *fmt, ...) PRINTF(2, 3); /* returns 0 */
/* Of the member `name` of the value at hand; hint may be empty. */
int schema_fail_member(struct schema_run *r, struct str name, const char *what, struct str hint);
void schema_unchecked(struct schema_run *r, struct str word);
int schema_charge(struct schema_run *r, size_t n); /* -E2BIG when it was too much */

#endif
