/*
 * bind.h: trees of text into structs by tables, with every error at its place, and back into JSON.
 *
 * A table has a row for each key: what it is, where it goes, its bounds and what a person would be told is right. One
 * table serves both directions, so what was written can always be read again.
 */
#ifndef REEVE_POLICY_BIND_H
#define REEVE_POLICY_BIND_H

#include "policy/house.h"
#include "policy/yaml.h"

enum bind_type {
    BIND_NAME,     /* struct str; names.h name_is_ok */
    BIND_LINE,     /* struct str; one line, at most row.max bytes */
    BIND_TEXT,     /* struct str; any text, at most row.max bytes */
    BIND_PATH,     /* struct str; absolute, without `..`; expanded */
    BIND_URL,      /* struct str; http or https; expanded */
    BIND_INT,      /* int64_t */
    BIND_BOOL,     /* bool; row.dflt */
    BIND_DURATION, /* int64_t ms */
    BIND_SIZE,     /* int64_t bytes */
    BIND_FIXED,    /* int64_t; row.places */
    BIND_ENUM,     /* an int-sized enum; row.names, ends with NULL */
    BIND_NAMES,    /* struct strs of names */
    BIND_LINES,    /* struct strs */
    BIND_PAIRS,    /* struct house_pairs: keys checked by row.key_ok, values are lines */
    BIND_TABLE,    /* a nested struct; row.table */
    BIND_LIST,     /* pointer + size_t count: a list of row.table */
    BIND_KEYED,    /* the same from a mapping: the key goes to the first member, a struct str */
};

enum {
    BIND_REQUIRED = 1,
    BIND_EXPAND = 2,   /* ${name} is replaced */
    BIND_NOT_EMPTY = 4,
    BIND_PATHS = 8,    /* BIND_PAIRS: the values are paths */
    BIND_OPTIONAL = 16, /* BIND_TABLE: the bool at count_offset says whether it is there */
};

struct bind_table;
struct bind_row {
    const char *key;
    enum bind_type type;
    size_t offset;
    unsigned flags;
    int64_t dflt;      /* a default out of min..max means "absent": it is not written back */
    int64_t min, max;  /* of numbers; of bytes or items otherwise (max 0: the type's own) */
    unsigned places;   /* BIND_FIXED */
    const char *expected;
    const char *const *names;
    bool (*key_ok)(struct str key);
    const char *key_rule;
    const struct bind_table *table;
    size_t count_offset;
    int ref;           /* what the text names (an enum of the caller's); 0: nothing. See bind.on_ref */
};

struct bind;
struct bind_table {
    const char *what; /* "a workflow": for messages */
    const struct bind_row *rows;
    size_t row_count;
    size_t size; /* of the struct */
    /* After all rows, also when some were at fault (b->clean tells): what hangs together. May be NULL; complains
     * through bind_error. Any node may be missing. */
    void (*finish)(struct bind *b, const struct yaml *node, void *object);
};
#define BIND_TABLE_OF(text, table_rows, type, fn)                                                   \
    {.what = (text), .rows = (table_rows), .row_count = ARRAY_LEN(table_rows), .size = sizeof(type), .finish = (fn)}

struct bind {
    struct arena *arena;
    struct diags *diags;
    size_t file;
    const struct house_pairs *defs; /* for ${name}; NULL: text is taken as it is (reading back) */
    struct str dir;                 /* ${dir} */
    /* Called for each text whose row has a ref. May be NULL. */
    void (*on_ref)(void *arg, int ref, struct str text, size_t file, size_t from, size_t to);
    void *arg;
    int status; /* 0 or -ENOMEM */
    bool clean; /* for finish: its object had no fault so far */
};

/* Fills *object, defaults first. Errors are in diags; b->status tells of memory. */
void bind_read(struct bind *b, const struct bind_table *t, const struct yaml *node, void *object);
/* Whether s is an absolute path without `.`, `..` and empty parts. */
bool bind_is_path(struct str s);
void bind_error(struct bind *b, const struct yaml *at, const char *expected, const char *fmt, ...) PRINTF(4, 5);
void bind_key_error(struct bind *b, const struct yaml *at, const char *expected, const char *fmt, ...) PRINTF(4, 5);
/* The members of *object into an open JSON object. */
void bind_put(struct jout *j, const struct bind_table *t, const void *object);

#endif
