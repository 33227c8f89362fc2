/*
 * value.h: what a Cedar expression can yield, and how code builds it.
 *
 * Values are small and passed by copy; what they point to lives in an arena (or is borrowed) and
 * never changes. Sets and records have one canonical form (sorted by a total order, no duplicates),
 * so equal values are equal byte by byte and a search is a binary one. Identifiers enter as bytes
 * through the builders below and never as policy text.
 */
#ifndef REEVE_CEDAR_VALUE_H
#define REEVE_CEDAR_VALUE_H

#include "policy/text/arena.h"
#include "policy/text/buf.h"
#include "policy/text/err.h"

enum cedar_type {
    CEDAR_BOOL,
    CEDAR_LONG,
    CEDAR_STRING,
    CEDAR_ENTITY,
    CEDAR_SET,
    CEDAR_RECORD,
    CEDAR_DECIMAL, /* four implied decimal places */
    CEDAR_IP,
    CEDAR_DATETIME, /* milliseconds since 1970, UTC */
    CEDAR_DURATION, /* milliseconds */
};

/* An entity's name: Type::"id". Made by cedar_uid_make, so that the hash always fits. */
struct cedar_uid {
    struct str type; /* "Tool", "Acme::Tool" */
    struct str id;   /* any UTF-8 */
    uint64_t hash;
};

struct cedar_ip {
    bool is_v6;
    uint8_t prefix;    /* bits: 0-32 or 0-128 */
    uint8_t bytes[16]; /* network order; the first 4 for IPv4, the rest zero */
};

struct cedar_field;
struct cedar_value {
    enum cedar_type type;
    union {
        bool boolean;
        int64_t number; /* long, decimal, datetime, duration */
        struct str string;
        const struct cedar_uid *entity;
        const struct cedar_ip *ip;
        struct {
            const struct cedar_value *items;
            size_t count;
        } set; /* ascending, no two equal */
        struct {
            const struct cedar_field *fields;
            size_t count;
        } record; /* ascending by name, no two equal */
    };
};

struct cedar_field {
    struct str name;
    struct cedar_value value;
};

/* The type as people read it: "a long", "a decimal". Static. */
const char *cedar_type_name(enum cedar_type type);

/* ---- building
 * ------------------------------------------------------------------------------------ */

/* Copies type and id into the arena. -EINVAL: the type is no Cedar name, or the id no UTF-8;
 * -ENOMEM. */
int cedar_uid_make(struct arena *arena, struct str type, struct str id, struct cedar_uid *ret,
                   struct err *err) NODISCARD;
/* Borrows type and id, checks nothing: for names that were checked before. */
struct cedar_uid cedar_uid_borrow(struct str type, struct str id);
bool cedar_uid_eq(const struct cedar_uid *a, const struct cedar_uid *b);
int cedar_uid_cmp(const struct cedar_uid *a, const struct cedar_uid *b);
/* A name such as `Tool` or `Acme::Tool`: identifiers with `::` between, none of them reserved. */
bool cedar_name_is_ok(struct str name);
/* One part of a name, or an attribute that can be written without quotes. */
bool cedar_ident_is_ok(struct str word);
bool cedar_name_is_action(struct str type); /* the last part is `Action` */

struct cedar_value cedar_bool(bool v);
struct cedar_value cedar_long(int64_t v);
struct cedar_value cedar_string(struct str s);                    /* borrowed */
struct cedar_value cedar_entity_ref(const struct cedar_uid *uid); /* borrowed */
struct cedar_value cedar_decimal(int64_t ten_thousandths);
struct cedar_value cedar_datetime(int64_t unix_ms);
struct cedar_value cedar_duration(int64_t ms);
/* A number as JSON writes it ("12.5", "3"), no exponent: -ERANGE when it does not fit int64 with
 * four places exactly; it is never rounded. */
int cedar_decimal_parse(struct str number, struct cedar_value *ret, struct err *err) NODISCARD;
/* The set of n values, copied into the arena, in canonical form. */
int cedar_set_make(struct arena *arena, const struct cedar_value *items, size_t n,
                   struct cedar_value *ret, struct err *err) NODISCARD;
/* The same in place: takes the n items, which must stay. */
struct cedar_value cedar_set_of(struct cedar_value *items, size_t n);
struct cedar_value cedar_record_empty(void);

/*
 * A record, member by member. Failure sticks and shows at the end:
 *     struct cedar_rec r;
 *     cedar_rec_begin(&r, arena);
 *     cedar_rec_add(&r, STR("hour"), cedar_long(9));
 *     int rc = cedar_rec_end(&r, &value, err);   -ENOMEM, -EEXIST (a name twice)
 */
struct cedar_rec {
    struct arena *arena;
    struct cedar_field *fields;
    size_t count, cap;
    int failed;
};
void cedar_rec_begin(struct cedar_rec *r, struct arena *arena);
void cedar_rec_add(struct cedar_rec *r, struct str name,
                   struct cedar_value value); /* borrows both */
/* Room for n members more, so that adding them asks for memory once; optional. */
void cedar_rec_reserve(struct cedar_rec *r, size_t n);
int cedar_rec_end(struct cedar_rec *r, struct cedar_value *ret, struct err *err) NODISCARD;

/* A deep copy into the arena. Nesting is bounded by what made the value. */
int cedar_value_copy(struct arena *arena, const struct cedar_value *v,
                     struct cedar_value *ret) NODISCARD;

/* ---- reading
 * ------------------------------------------------------------------------------------- */

/* A total order over all values; 0 exactly when Cedar's == is true (never across types). */
int cedar_value_cmp(const struct cedar_value *a, const struct cedar_value *b);
bool cedar_value_eq(const struct cedar_value *a, const struct cedar_value *b);
/* The member, borrowed, or NULL. */
const struct cedar_value *cedar_record_get(const struct cedar_value *record, struct str name);
bool cedar_set_has(const struct cedar_value *set, const struct cedar_value *item);

/* As Cedar writes it: `[1, 2]`, `{"a": true}`, `Tool::"x"`, `decimal("1.5")`. */
void cedar_value_put(struct buf *out, const struct cedar_value *v);
void cedar_uid_put(struct buf *out, const struct cedar_uid *uid);

#endif
