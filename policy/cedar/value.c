/*
 * value.c: building values, their canonical form and their total order. Runs in reeved and reeve;
 * trusts nothing that it is given but the arena.
 */
#include "policy/cedar/value.h"

#include "policy/cedar/order.h"
#include "policy/text/num.h"
#include "policy/text/utf8.h"

const char *cedar_type_name(enum cedar_type type)
{
    static const char *const names[] = {
        [CEDAR_BOOL] = "a boolean",      [CEDAR_LONG] = "a long",  [CEDAR_STRING] = "a string",
        [CEDAR_ENTITY] = "an entity",    [CEDAR_SET] = "a set",    [CEDAR_RECORD] = "a record",
        [CEDAR_DECIMAL] = "a decimal",   [CEDAR_IP] = "an ipaddr", [CEDAR_DATETIME] = "a datetime",
        [CEDAR_DURATION] = "a duration",
    };
    return names[type];
}

/* ---- names and entity names ---- */

static bool is_ident_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_reserved(struct str word)
{
    static const char *const words[] = {"true", "false", "if",   "then", "else",
                                        "in",   "is",    "like", "has",  "__cedar"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_is(word, words[i]))
            return true;
    return false;
}

bool cedar_ident_is_ok(struct str word)
{
    if (word.len == 0 || !is_ident_start(word.ptr[0]) || is_reserved(word))
        return false;
    for (size_t i = 1; i < word.len; i++)
        if (!is_ident_start(word.ptr[i]) && !(word.ptr[i] >= '0' && word.ptr[i] <= '9'))
            return false;
    return true;
}

bool cedar_name_is_ok(struct str name)
{
    size_t from = 0;

    for (size_t i = 0; i + 1 < name.len; i++) {
        if (name.ptr[i] != ':' || name.ptr[i + 1] != ':')
            continue;
        if (!cedar_ident_is_ok(str_slice(name, from, i)))
            return false;
        from = i + 2;
        i++;
    }
    return cedar_ident_is_ok(str_slice(name, from, name.len));
}

bool cedar_name_is_action(struct str type)
{
    return str_is(type, "Action") || str_ends(type, STR("::Action"));
}

/* Spreads names over hash tables; not a defence: what fills the tables is bounded and the
 * operator's. */
static uint64_t hash_bytes(uint64_t h, struct str s)
{
    const char *p = s.ptr;
    size_t left = s.len;

    h ^= s.len * UINT64_C(0x9e3779b97f4a7c15);
    while (left >= 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
        p += 8;
        left -= 8;
    }
    if (left > 0) {
        uint64_t word = 0;

        memcpy(&word, p, left);
        h = (h ^ word) * UINT64_C(0xc4ceb9fe1a85ec53);
        h ^= h >> 29;
    }
    return h;
}

struct cedar_uid cedar_uid_borrow(struct str type, struct str id)
{
    return (struct cedar_uid){type, id, hash_bytes(hash_bytes(1, type), id)};
}

int cedar_uid_make(struct arena *arena, struct str type, struct str id, struct cedar_uid *ret,
                   struct err *err)
{
    struct str type_copy, id_copy;

    if (!cedar_name_is_ok(type))
        return err_set(err, EINVAL, "\"%.*s\" is no entity type (such as Tool or Acme::Tool)",
                       (int)MIN(type.len, (size_t)64), type.ptr ? type.ptr : "");
    if (!utf8_is_valid(id))
        return err_set(err, EINVAL, "the id of a %.*s is not UTF-8", STR_FMT(type));
    type_copy = arena_str(arena, type);
    id_copy = arena_str(arena, id);
    if (!type_copy.ptr || !id_copy.ptr)
        return err_set(err, ENOMEM, "no memory for an entity name");
    *ret = cedar_uid_borrow(type_copy, id_copy);
    return 0;
}

bool cedar_uid_eq(const struct cedar_uid *a, const struct cedar_uid *b)
{
    return a == b || (a->hash == b->hash && str_eq(a->id, b->id) && str_eq(a->type, b->type));
}

int cedar_uid_cmp(const struct cedar_uid *a, const struct cedar_uid *b)
{
    int order = str_cmp(a->type, b->type);

    return order ? order : str_cmp(a->id, b->id);
}

/* ---- plain values ---- */

struct cedar_value cedar_bool(bool v)
{
    return (struct cedar_value){.type = CEDAR_BOOL, .boolean = v};
}

struct cedar_value cedar_long(int64_t v)
{
    return (struct cedar_value){.type = CEDAR_LONG, .number = v};
}

struct cedar_value cedar_string(struct str s)
{
    return (struct cedar_value){.type = CEDAR_STRING, .string = s};
}

struct cedar_value cedar_entity_ref(const struct cedar_uid *uid)
{
    return (struct cedar_value){.type = CEDAR_ENTITY, .entity = uid};
}

struct cedar_value cedar_decimal(int64_t ten_thousandths)
{
    return (struct cedar_value){.type = CEDAR_DECIMAL, .number = ten_thousandths};
}

struct cedar_value cedar_datetime(int64_t unix_ms)
{
    return (struct cedar_value){.type = CEDAR_DATETIME, .number = unix_ms};
}

struct cedar_value cedar_duration(int64_t ms)
{
    return (struct cedar_value){.type = CEDAR_DURATION, .number = ms};
}

struct cedar_value cedar_record_empty(void)
{
    return (struct cedar_value){.type = CEDAR_RECORD};
}

/* Splits -ddd.ddd; zeros at the end of a fraction say nothing and are cut. */
static bool split_number(struct str s, bool *negative, struct str *whole, struct str *fraction)
{
    ssize_t dot;

    *negative = s.len > 0 && s.ptr[0] == '-';
    s = str_slice(s, *negative ? 1 : 0, s.len);
    dot = str_find(s, '.', 0);
    *whole = dot < 0 ? s : str_slice(s, 0, (size_t)dot);
    *fraction = dot < 0 ? STR_NONE : str_slice(s, (size_t)dot + 1, s.len);
    if (whole->len == 0 || (dot >= 0 && fraction->len == 0))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((s.ptr[i] < '0' || s.ptr[i] > '9') && (dot < 0 || i != (size_t)dot))
            return false;
    while (fraction->len > 0 && fraction->ptr[fraction->len - 1] == '0')
        fraction->len--;
    return true;
}

int cedar_decimal_parse(struct str number, struct cedar_value *ret, struct err *err)
{
    struct str whole, fraction;
    bool negative, over = false;
    int64_t v = 0; /* built on the negative side, which holds one more */

    if (!split_number(number, &negative, &whole, &fraction))
        return err_set(err, ERANGE,
                       "%.*s is no decimal (digits, at most 4 of them behind the point)",
                       (int)MIN(number.len, (size_t)64), number.ptr ? number.ptr : "");
    if (fraction.len > 4)
        return err_set(err, ERANGE, "%.*s has more than 4 decimal places",
                       (int)MIN(number.len, (size_t)64), number.ptr);
    for (size_t i = 0; i < whole.len + 4; i++) {
        size_t f = i - whole.len;
        int digit = i < whole.len      ? whole.ptr[i] - '0'
                    : f < fraction.len ? fraction.ptr[f] - '0'
                                       : 0;

        over |= __builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v);
    }
    if (!negative)
        over |= __builtin_sub_overflow(0, v, &v);
    if (over)
        return err_set(err, ERANGE, "%.*s is too large for a decimal",
                       (int)MIN(number.len, (size_t)64), number.ptr);
    *ret = cedar_decimal(v);
    return 0;
}

/* ---- sets and records ---- */

static int value_order(const void *a, const void *b)
{
    return cedar_value_cmp(a, b);
}

static int field_order(const void *a, const void *b)
{
    const struct cedar_field *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

struct cedar_value cedar_set_of(struct cedar_value *items, size_t n)
{
    if (n > 1) {
        cedar_order_sort(items, n, sizeof(*items), value_order);
        n = cedar_order_unique(items, n, sizeof(*items), value_order);
    }
    return (struct cedar_value){.type = CEDAR_SET, .set = {items, n}};
}

int cedar_set_make(struct arena *arena, const struct cedar_value *items, size_t n,
                   struct cedar_value *ret, struct err *err)
{
    struct cedar_value *copy = NULL;

    if (n > 0) {
        copy = ARENA_ARRAY(arena, n, struct cedar_value);
        if (!copy)
            return err_set(err, ENOMEM, "no memory for a set of %zu", n);
        memcpy(copy, items, n * sizeof(*copy));
    }
    *ret = cedar_set_of(copy, n);
    return 0;
}

void cedar_rec_begin(struct cedar_rec *r, struct arena *arena)
{
    *r = (struct cedar_rec){.arena = arena};
}

void cedar_rec_reserve(struct cedar_rec *r, size_t n)
{
    struct cedar_field *more;

    if (r->failed || n <= r->cap - r->count)
        return;
    n += r->count;
    more = ARENA_ARRAY(r->arena, n, struct cedar_field);
    if (!more) {
        r->failed = ENOMEM;
        return;
    }
    if (r->count > 0)
        memcpy(more, r->fields, r->count * sizeof(*more));
    r->fields = more;
    r->cap = n;
}

void cedar_rec_add(struct cedar_rec *r, struct str name, struct cedar_value value)
{
    if (r->count == r->cap)
        cedar_rec_reserve(r, r->cap ? r->cap : 8);
    if (!r->failed)
        r->fields[r->count++] = (struct cedar_field){name, value};
}

int cedar_rec_end(struct cedar_rec *r, struct cedar_value *ret, struct err *err)
{
    if (r->failed)
        return err_set(err, r->failed, "no memory for a record");
    cedar_order_sort(r->fields, r->count, sizeof(*r->fields), field_order);
    for (size_t i = 1; i < r->count; i++)
        if (str_eq(r->fields[i - 1].name, r->fields[i].name))
            return err_set(err, EEXIST, "the member \"%.*s\" stands twice in a record",
                           STR_FMT(r->fields[i].name));
    *ret = (struct cedar_value){.type = CEDAR_RECORD, .record = {r->fields, r->count}};
    return 0;
}

static int copy_record(struct arena *arena, const struct cedar_value *v, struct cedar_value *ret)
{
    struct cedar_field *fields;

    if (v->record.count == 0)
        return 0;
    fields = ARENA_ARRAY(arena, v->record.count, struct cedar_field);
    if (!fields)
        return -ENOMEM;
    for (size_t i = 0; i < v->record.count; i++) {
        int rc = cedar_value_copy(arena, &v->record.fields[i].value, &fields[i].value);

        fields[i].name = arena_str(arena, v->record.fields[i].name);
        if (rc < 0 || !fields[i].name.ptr)
            return -ENOMEM;
    }
    ret->record.fields = fields;
    return 0;
}

static int copy_set(struct arena *arena, const struct cedar_value *v, struct cedar_value *ret)
{
    struct cedar_value *items;

    if (v->set.count == 0)
        return 0;
    items = ARENA_ARRAY(arena, v->set.count, struct cedar_value);
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < v->set.count; i++)
        if (cedar_value_copy(arena, &v->set.items[i], &items[i]) < 0)
            return -ENOMEM;
    ret->set.items = items;
    return 0;
}

static int copy_entity(struct arena *arena, const struct cedar_uid *uid, struct cedar_value *ret)
{
    struct cedar_uid *copy = ARENA_NEW(arena, struct cedar_uid);

    if (!copy)
        return -ENOMEM;
    copy->type = arena_str(arena, uid->type);
    copy->id = arena_str(arena, uid->id);
    copy->hash = uid->hash;
    ret->entity = copy;
    return copy->type.ptr && copy->id.ptr ? 0 : -ENOMEM;
}

int cedar_value_copy(struct arena *arena, const struct cedar_value *v, struct cedar_value *ret)
{
    *ret = *v;
    switch (v->type) {
    case CEDAR_STRING:
        ret->string = arena_str(arena, v->string);
        return ret->string.ptr ? 0 : -ENOMEM;
    case CEDAR_ENTITY:
        return copy_entity(arena, v->entity, ret);
    case CEDAR_IP: {
        struct cedar_ip *ip = ARENA_NEW(arena, struct cedar_ip);

        if (!ip)
            return -ENOMEM;
        *ip = *v->ip;
        ret->ip = ip;
        return 0;
    }
    case CEDAR_SET:
        return copy_set(arena, v, ret);
    case CEDAR_RECORD:
        return copy_record(arena, v, ret);
    case CEDAR_BOOL:
    case CEDAR_LONG:
    case CEDAR_DECIMAL:
    case CEDAR_DATETIME:
    case CEDAR_DURATION:
        break;
    }
    return 0;
}

/* ---- order ---- */

static int order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int sets_cmp(const struct cedar_value *a, const struct cedar_value *b)
{
    int order = order_of((int64_t)a->set.count, (int64_t)b->set.count);

    if (a->set.items == b->set.items)
        return order;
    for (size_t i = 0; order == 0 && i < a->set.count; i++)
        order = cedar_value_cmp(&a->set.items[i], &b->set.items[i]);
    return order;
}

static int records_cmp(const struct cedar_value *a, const struct cedar_value *b)
{
    const struct cedar_field *x = a->record.fields, *y = b->record.fields;
    int order = order_of((int64_t)a->record.count, (int64_t)b->record.count);

    if (x == y)
        return order;
    for (size_t i = 0; order == 0 && i < a->record.count; i++) {
        order = str_cmp(x[i].name, y[i].name);
        if (order == 0)
            order = cedar_value_cmp(&x[i].value, &y[i].value);
    }
    return order;
}

static int ips_cmp(const struct cedar_ip *a, const struct cedar_ip *b)
{
    int order = order_of(a->is_v6, b->is_v6);

    if (order == 0)
        order = memcmp(a->bytes, b->bytes, sizeof(a->bytes));
    return order ? order : order_of(a->prefix, b->prefix);
}

int cedar_value_cmp(const struct cedar_value *a, const struct cedar_value *b)
{
    if (a->type != b->type)
        return order_of(a->type, b->type);
    switch (a->type) {
    case CEDAR_BOOL:
        return order_of(a->boolean, b->boolean);
    case CEDAR_STRING:
        return str_cmp(a->string, b->string);
    case CEDAR_ENTITY:
        return cedar_uid_cmp(a->entity, b->entity);
    case CEDAR_SET:
        return sets_cmp(a, b);
    case CEDAR_RECORD:
        return records_cmp(a, b);
    case CEDAR_IP:
        return ips_cmp(a->ip, b->ip);
    case CEDAR_LONG:
    case CEDAR_DECIMAL:
    case CEDAR_DATETIME:
    case CEDAR_DURATION:
        break;
    }
    return order_of(a->number, b->number);
}

bool cedar_value_eq(const struct cedar_value *a, const struct cedar_value *b)
{
    if (a->type == CEDAR_ENTITY && b->type == CEDAR_ENTITY)
        return cedar_uid_eq(a->entity, b->entity);
    if (a->type == CEDAR_STRING && b->type == CEDAR_STRING)
        return str_eq(a->string, b->string);
    return cedar_value_cmp(a, b) == 0;
}

/* str_cmp, with what settles most comparisons in place: this is the decision path's inner loop. */
static inline int name_cmp(struct str a, struct str b)
{
    if (a.len > 0 && b.len > 0 && a.ptr[0] != b.ptr[0])
        return (unsigned char)a.ptr[0] - (unsigned char)b.ptr[0];
    return str_cmp(a, b);
}

const struct cedar_value *cedar_record_get(const struct cedar_value *record, struct str name)
{
    const struct cedar_field *fields = record->record.fields;
    size_t low = 0, high = record->record.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = name_cmp(fields[middle].name, name);

        if (order == 0)
            return &fields[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool cedar_set_has(const struct cedar_value *set, const struct cedar_value *item)
{
    size_t low = 0, high = set->set.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = cedar_value_cmp(&set->set.items[middle], item);

        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
