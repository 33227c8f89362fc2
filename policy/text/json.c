/*
 * json.c: strict JSON into a tree.
 *
 * Every process, on all that it reads. json_scan.c decides what JSON is; jsmn's tokens are only
 * trusted behind it, and checked again where a wrong count would write out of bounds. Never
 * recurses, never changes the text.
 */
#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "policy/text/json.h"

#include "policy/text/json_scan.h"
#include "policy/text/num.h"

#define FEW_TOKENS 64 /* a message of that many, or fewer, needs no memory for them */

/* A container that is being filled. */
struct open {
    struct json_member *members; /* or NULL: */
    struct json *items;
    size_t count, done;
};

struct build {
    struct arena *arena;
    struct str text;
    const jsmntok_t *tokens;
    size_t token_count, next;
    struct open *open; /* JSON_DEPTH_CAP of them */
    size_t depth;
    struct json_where *where;
    struct err *err;
};

/* What the arena did not give: over its limit is the text's fault, the rest is not. */
static int fail_memory(struct build *b, size_t at, size_t size)
{
    if (size > b->arena->max_bytes - b->arena->used_bytes)
        return json_fail_at(b->text, at, b->where, b->err, E2BIG, "more than the memory allowed");
    return err_set(b->err, ENOMEM, "out of memory");
}

static struct str raw_of(const struct build *b, const jsmntok_t *tok)
{
    /* jsmn leaves the quotes of a string out; the raw bytes of ours have them. */
    size_t quote = tok->type == JSMN_STRING ? 1 : 0;

    return str_slice(b->text, (size_t)tok->start - quote, (size_t)tok->end + quote);
}

static int read_string(struct build *b, struct str raw, struct str *ret)
{
    struct str inner = str_slice(raw, 1, raw.len - 1);
    char *copy;

    if (str_find(inner, '\\', 0) < 0) {
        *ret = inner;
        return 0;
    }
    copy = arena_alloc(b->arena, inner.len);
    if (!copy)
        return fail_memory(b, (size_t)(raw.ptr - b->text.ptr), inner.len);
    *ret = (struct str){copy, json_unescape(inner, copy)};
    return 0;
}

static void read_primitive(struct json *v)
{
    switch (v->raw.ptr[0]) {
    case 't':
    case 'f':
        v->type = JSON_BOOL;
        v->boolean = v->raw.ptr[0] == 't';
        break;
    case 'n':
        v->type = JSON_NULL;
        break;
    default:
        v->type = num_i64(v->raw, &v->integer) == 0 ? JSON_INT : JSON_NUMBER;
    }
}

static int open_value(struct build *b, const jsmntok_t *tok, struct json *v)
{
    size_t count = (size_t)tok->size;
    size_t item_size = sizeof(struct json);
    struct open *o = &b->open[b->depth];

    v->type = tok->type == JSMN_OBJECT ? JSON_OBJECT : JSON_ARRAY;
    if (count == 0)
        return 0;
    must(b->depth < JSON_DEPTH_CAP);
    *o = (struct open){.count = count};
    if (v->type == JSON_OBJECT) {
        item_size = sizeof(struct json_member);
        o->members = ARENA_ARRAY(b->arena, count, struct json_member);
        v->object.members = o->members;
        v->object.count = count;
    } else {
        o->items = ARENA_ARRAY(b->arena, count, struct json);
        v->array.items = o->items;
        v->array.count = count;
    }
    if (!o->members && !o->items)
        return fail_memory(b, (size_t)tok->start, count * item_size);
    b->depth++;
    return 0;
}

/* The next token's value into *v. */
static int build_value(struct build *b, struct json *v)
{
    const jsmntok_t *tok;

    must(b->next < b->token_count);
    tok = &b->tokens[b->next++];
    v->raw = raw_of(b, tok);
    switch (tok->type) {
    case JSMN_OBJECT:
    case JSMN_ARRAY:
        return open_value(b, tok, v);
    case JSMN_STRING:
        v->type = JSON_STRING;
        return read_string(b, v->raw, &v->string);
    default:
        read_primitive(v);
        return 0;
    }
}

/* Where the next value goes; NULL when the root is whole. */
static int next_place(struct build *b, struct json **ret)
{
    struct open *o;

    *ret = NULL;
    while (b->depth > 0 && b->open[b->depth - 1].done == b->open[b->depth - 1].count)
        b->depth--;
    if (b->depth == 0)
        return 0;
    o = &b->open[b->depth - 1];
    if (o->items) {
        *ret = &o->items[o->done++];
        return 0;
    }
    must(b->next < b->token_count);
    *ret = &o->members[o->done].value;
    return read_string(b, raw_of(b, &b->tokens[b->next++]), &o->members[o->done++].name);
}

static int build_tree(struct build *b, const struct json **ret)
{
    struct json *root = ARENA_NEW(b->arena, struct json), *place = root;
    int r;

    if (!root)
        return fail_memory(b, 0, sizeof(*root));
    do {
        r = build_value(b, place);
        if (r == 0)
            r = next_place(b, &place);
    } while (r == 0 && place);
    if (r == 0)
        *ret = root;
    return r;
}

/* The tokens of checked text. A number or word alone is no text to jsmn in its strict form (it
 * waits for what ends it): that one token is made here. */
static void tokenize(struct str text, size_t count, jsmntok_t *tokens)
{
    struct str lone = str_trim(text);
    jsmn_parser parser;

    if (count == 1 && !strchr("[{\"", lone.ptr[0])) {
        int start = (int)(lone.ptr - text.ptr);
        tokens[0] = (jsmntok_t){JSMN_PRIMITIVE, start, start + (int)lone.len, 0, -1};
        return;
    }
    jsmn_init(&parser);
    /* Both read the same text; a difference is a fault of ours or of jsmn, and nothing is built on
     * it. */
    must(jsmn_parse(&parser, text.ptr, text.len, tokens, (unsigned)count) == (int)count);
}

int json_parse(struct arena *arena, struct str text, const struct json_limits *limits,
               const struct json **ret, struct json_where *ret_where, struct err *err)
{
    UNCLEARED struct open open[JSON_DEPTH_CAP];
    UNCLEARED jsmntok_t few[FEW_TOKENS];
    struct build b = {.arena = arena, .text = text, .open = open, .where = ret_where, .err = err};
    struct json_size size;
    jsmntok_t *tokens = few;
    int r;

    r = json_scan(text, limits, &size, ret_where, err);
    if (r < 0)
        return r;
    b.token_count = size.values + size.names;
    if (b.token_count > FEW_TOKENS)
        tokens = calloc(b.token_count, sizeof(*tokens));
    if (!tokens)
        return err_set(err, ENOMEM, "out of memory");
    tokenize(text, b.token_count, tokens);
    b.tokens = tokens;
    r = build_tree(&b, ret);
    if (tokens != few)
        free(tokens);
    return r;
}

int json_check(struct str text, const struct json_limits *limits, struct json_where *ret_where,
               struct err *err)
{
    struct json_size size;

    return json_scan(text, limits, &size, ret_where, err);
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",        [JSON_BOOL] = "a boolean",  [JSON_INT] = "an integer",
        [JSON_NUMBER] = "a number",  [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object",
    };

    return (size_t)type < ARRAY_LEN(names) ? names[type] : "nothing";
}

const struct json *json_get_str(const struct json *object, struct str name)
{
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    for (size_t i = 0; i < object->object.count; i++) {
        if (str_eq(object->object.members[i].name, name))
            return &object->object.members[i].value;
    }
    return NULL;
}

const struct json *json_get(const struct json *object, const char *name)
{
    return json_get_str(object, str_of(name));
}

const struct json *json_path(const struct json *v, const char *path)
{
    struct str rest = str_of(path), name;

    while (v && str_split(&rest, '.', &name))
        v = json_get_str(v, name);
    return v;
}

bool json_is(const struct json *v, enum json_type type)
{
    return v && v->type == type;
}

int json_want(const struct json *object, const char *name, enum json_type type,
              const struct json **ret, struct err *err)
{
    const struct json *v = json_get(object, name);

    if (!v)
        return err_set(err, ENOENT, "member \"%s\" is missing; expected %s", name,
                       json_type_name(type));
    if (v->type != type)
        return err_set(err, EINVAL, "member \"%s\" is %s; expected %s", name,
                       json_type_name(v->type), json_type_name(type));
    *ret = v;
    return 0;
}

int json_want_str(const struct json *object, const char *name, struct str *ret, struct err *err)
{
    const struct json *v;
    int r = json_want(object, name, JSON_STRING, &v, err);

    if (r == 0)
        *ret = v->string;
    return r;
}

int json_want_i64(const struct json *object, const char *name, int64_t *ret, struct err *err)
{
    const struct json *v;
    int r = json_want(object, name, JSON_INT, &v, err);

    if (r == 0)
        *ret = v->integer;
    return r;
}

int json_want_bool(const struct json *object, const char *name, bool *ret, struct err *err)
{
    const struct json *v;
    int r = json_want(object, name, JSON_BOOL, &v, err);

    if (r == 0)
        *ret = v->boolean;
    return r;
}

static bool is_absent(const struct json *object, const char *name)
{
    const struct json *v = json_get(object, name);

    return !v || v->type == JSON_NULL;
}

int json_str_or(const struct json *object, const char *name, struct str dflt, struct str *ret,
                struct err *err)
{
    if (!is_absent(object, name))
        return json_want_str(object, name, ret, err);
    *ret = dflt;
    return 0;
}

int json_i64_or(const struct json *object, const char *name, int64_t dflt, int64_t *ret,
                struct err *err)
{
    if (!is_absent(object, name))
        return json_want_i64(object, name, ret, err);
    *ret = dflt;
    return 0;
}

int json_bool_or(const struct json *object, const char *name, bool dflt, bool *ret, struct err *err)
{
    if (!is_absent(object, name))
        return json_want_bool(object, name, ret, err);
    *ret = dflt;
    return 0;
}
