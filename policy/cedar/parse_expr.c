/*
 * parse_expr.c: expressions, by recursive descent. Depth is bounded by CEDAR_DEPTH_MAX; chains of
 * operators are read in loops.
 */
#include "policy/cedar/ext.h"
#include "policy/cedar/parse.h"

typedef const struct cedar_expr *parse_fn(struct cedar_parser *p);

static const struct cedar_expr *make(struct cedar_parser *p, const struct cedar_expr *draft)
{
    const struct cedar_expr *e = NULL;
    int rc = cedar_expr_make(p->arena, draft, &e);

    if (rc < 0) {
        cedar_parser_fail(p, rc, draft->at, draft->end);
        return NULL;
    }
    return e;
}

static const struct cedar_expr *literal(struct cedar_parser *p, struct cedar_value v, uint32_t at)
{
    const struct cedar_expr *e = NULL;
    int rc = cedar_expr_literal(p->arena, v, at, p->last_end, &e);

    if (rc < 0)
        cedar_parser_fail(p, rc, at, p->last_end);
    return rc < 0 ? NULL : e;
}

/* Stands for what had a fault. */
static const struct cedar_expr *placeholder(struct cedar_parser *p, uint32_t at)
{
    return literal(p, cedar_bool(false), at);
}

static bool add(struct cedar_parser *p, struct cedar_args *args, const struct cedar_expr *e)
{
    if (!e)
        return false;
    if (cedar_args_add(p->arena, args, e) < 0) {
        cedar_parser_fail(p, -ENOMEM, 0, 0);
        return false;
    }
    return true;
}

/* A node over args, from the first one's start to here. */
static const struct cedar_expr *node(struct cedar_parser *p, enum cedar_op op,
                                     const struct cedar_args *args, uint32_t at)
{
    return make(p, &(struct cedar_expr){.op = (uint8_t)op,
                                        .at = at,
                                        .end = p->last_end,
                                        .args = args->items,
                                        .arg_count = (uint32_t)args->count});
}

/* Comma-separated expressions up to `close`, one comma allowed at the end; `close` is taken. */
static bool list(struct cedar_parser *p, const char *close, struct cedar_args *args)
{
    while (!cedar_parser_is(p, close)) {
        if (!add(p, args, cedar_parse_expr(p)))
            return false;
        if (!cedar_parser_take(p, ","))
            break;
    }
    return cedar_parser_want(p, close);
}

/* ---- literals, names, calls ---- */

/* Digits; one minus in front was taken when `negative`. */
static const struct cedar_expr *number(struct cedar_parser *p, bool negative, uint32_t at)
{
    struct str digits = cedar_parser_text(p, p->now);
    struct cedar_token t = p->now;
    int64_t v = 0;
    bool over = false;

    for (size_t i = 0; i < digits.len; i++)
        over |=
            __builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digits.ptr[i] - '0', &v);
    if (!negative)
        over |= __builtin_sub_overflow(0, v, &v);
    if (over)
        cedar_parser_fault(p, t.at, t.end, "at most 9223372036854775807",
                           "the number is too large");
    cedar_parser_step(p);
    return literal(p, cedar_long(over ? 0 : v), at);
}

static const struct cedar_expr *function(struct cedar_parser *p, struct str name, uint32_t at)
{
    int fn = cedar_ext_find(name);
    uint32_t name_end = p->last_end;
    struct cedar_args args = {0};
    unsigned ignored;

    cedar_parser_step(p); /* the parenthesis */
    if (!list(p, ")", &args))
        return NULL;
    if (fn >= 0 && !cedar_ext_at((unsigned)fn)->is_method)
        return make(p, &(struct cedar_expr){.op = CEDAR_OP_CALL,
                                            .fn = (uint8_t)fn,
                                            .at = at,
                                            .end = p->last_end,
                                            .args = args.items,
                                            .arg_count = (uint32_t)args.count});
    if (fn >= 0 || cedar_method_find(name, &ignored) >= 0)
        cedar_parser_fault(p, at, name_end, "value.method(...)", "`%.*s` is a method, no function",
                           STR_FMT(name));
    else
        cedar_parser_fault(p, at, name_end, "ip, decimal, datetime or duration",
                           "there is no function `%.*s`", STR_FMT(name));
    return placeholder(p, at);
}

static const struct cedar_expr *entity(struct cedar_parser *p, struct str type, struct str id,
                                       uint32_t at)
{
    struct cedar_uid *uid = ARENA_NEW(p->arena, struct cedar_uid);

    if (!uid) {
        cedar_parser_fail(p, -ENOMEM, at, at);
        return NULL;
    }
    *uid = cedar_uid_borrow(type, id);
    return literal(p, cedar_entity_ref(uid), at);
}

static int variable(struct str name)
{
    for (int v = CEDAR_VAR_PRINCIPAL; v <= CEDAR_VAR_CONTEXT; v++)
        if (str_is(name, cedar_var_name((enum cedar_var)v)))
            return v;
    return -1;
}

/* A variable, true, false, a call, or an entity. */
static const struct cedar_expr *word(struct cedar_parser *p)
{
    uint32_t at = p->now.at;
    struct str first = cedar_parser_text(p, p->now), name, id;
    bool truth = str_is(first, "true");
    int var = variable(first);

    if (truth || str_is(first, "false")) {
        cedar_parser_step(p);
        return literal(p, cedar_bool(truth), at);
    }
    if (str_is(first, "if") || str_is(first, "then") || str_is(first, "else")) {
        cedar_parser_unexpected(p, "a value (an `if` inside stands in parentheses)");
        return NULL;
    }
    if (!cedar_parse_path(p, &name, &id))
        return NULL;
    if (id.ptr)
        return entity(p, name, id, at);
    if (cedar_parser_is(p, "("))
        return function(p, name, at);
    if (var >= 0 && str_eq(name, first))
        return make(p, &(struct cedar_expr){
                           .op = CEDAR_OP_VAR, .var = (uint8_t)var, .at = at, .end = p->last_end});
    cedar_parser_fault(p, at, p->last_end,
                       "principal, action, resource, context, or an entity such as Type::\"id\"",
                       "there is no variable `%.*s`", STR_FMT(name));
    return placeholder(p, at);
}

/* ---- records ---- */

struct keys {
    struct str *items;
    size_t cap;
};

static bool key(struct cedar_parser *p, struct keys *keys, size_t n)
{
    struct cedar_token t = p->now;

    if (n == keys->cap) {
        size_t cap = n ? 2 * n : 4;
        struct str *more = ARENA_ARRAY(p->arena, cap, struct str);

        if (!more) {
            cedar_parser_fail(p, -ENOMEM, 0, 0);
            return false;
        }
        if (n > 0)
            memcpy(more, keys->items, n * sizeof(*more));
        *keys = (struct keys){more, cap};
    }
    if (t.kind == TOKEN_STRING) {
        keys->items[n] = cedar_parse_string(p, t);
    } else if (t.kind == TOKEN_IDENT) {
        keys->items[n] = cedar_parser_text(p, t);
        if (!cedar_ident_is_ok(keys->items[n]))
            cedar_parser_fault(p, t.at, t.end, "quotes around it", "`%.*s` is reserved",
                               STR_FMT(keys->items[n]));
    } else {
        cedar_parser_unexpected(p, "a member's name");
        return false;
    }
    cedar_parser_step(p);
    return cedar_parser_want(p, ":");
}

static const struct cedar_expr *record(struct cedar_parser *p)
{
    uint32_t at = p->now.at;
    struct cedar_args args = {0};
    struct keys keys = {0};
    int twice;

    cedar_parser_step(p);
    while (!cedar_parser_is(p, "}")) {
        if (!key(p, &keys, args.count) || !add(p, &args, cedar_parse_expr(p)))
            return NULL;
        if (!cedar_parser_take(p, ","))
            break;
    }
    if (!cedar_parser_want(p, "}"))
        return NULL;
    twice = cedar_record_sort(p->arena, keys.items, args.items, args.count);
    if (twice < 0) {
        cedar_parser_fail(p, twice, at, at);
        return NULL;
    }
    if (twice > 0) {
        cedar_parser_fault(p, at, p->last_end, "each name once", "the member `%.*s` stands twice",
                           STR_FMT(keys.items[twice]));
        return placeholder(p, at);
    }
    return make(p, &(struct cedar_expr){.op = CEDAR_OP_RECORD,
                                        .at = at,
                                        .end = p->last_end,
                                        .args = args.items,
                                        .arg_count = (uint32_t)args.count,
                                        .names = keys.items,
                                        .name_count = (uint32_t)args.count});
}

/* ---- from the inside out ---- */

static const struct cedar_expr *primary(struct cedar_parser *p)
{
    uint32_t at = p->now.at;

    switch (p->now.kind) {
    case TOKEN_IDENT:
        return word(p);
    case TOKEN_NUMBER:
        return number(p, false, at);
    case TOKEN_STRING: {
        struct str text = cedar_parse_string(p, p->now);

        cedar_parser_step(p);
        return literal(p, cedar_string(text), at);
    }
    case TOKEN_SLOT:
        cedar_parser_stop(p, p->now.at, p->now.end, "a variable such as principal",
                          "a template's slot can stand in the scope only");
        return NULL;
    default:
        break;
    }
    if (cedar_parser_take(p, "(")) {
        const struct cedar_expr *e = cedar_parse_expr(p);

        return e && cedar_parser_want(p, ")") ? e : NULL;
    }
    if (cedar_parser_take(p, "[")) {
        struct cedar_args args = {0};

        return list(p, "]", &args) ? node(p, CEDAR_OP_SET, &args, at) : NULL;
    }
    if (cedar_parser_is(p, "{"))
        return record(p);
    cedar_parser_unexpected(p, "a value");
    return NULL;
}

static const struct cedar_expr *get(struct cedar_parser *p, const struct cedar_expr *of,
                                    struct str name)
{
    struct cedar_args args = {0};
    struct str *kept = ARENA_NEW(p->arena, struct str);

    if (!kept || !add(p, &args, of)) {
        cedar_parser_fail(p, -ENOMEM, of->at, of->end);
        return NULL;
    }
    *kept = name;
    return make(p, &(struct cedar_expr){.op = CEDAR_OP_GET,
                                        .at = of->at,
                                        .end = p->last_end,
                                        .args = args.items,
                                        .arg_count = 1,
                                        .names = kept,
                                        .name_count = 1});
}

static const struct cedar_expr *method(struct cedar_parser *p, const struct cedar_expr *of,
                                       struct cedar_token t)
{
    struct str name = cedar_parser_text(p, t);
    struct cedar_args args = {0};
    unsigned wanted = 0;
    int op = cedar_method_find(name, &wanted), fn = cedar_ext_find(name);

    cedar_parser_step(p); /* the parenthesis */
    if (!add(p, &args, of) || !list(p, ")", &args))
        return NULL;
    if (op >= 0 && args.count == wanted + 1)
        return node(p, (enum cedar_op)op, &args, of->at);
    if (op < 0 && fn >= 0 && cedar_ext_at((unsigned)fn)->is_method)
        return make(p, &(struct cedar_expr){.op = CEDAR_OP_CALL,
                                            .fn = (uint8_t)fn,
                                            .at = of->at,
                                            .end = p->last_end,
                                            .args = args.items,
                                            .arg_count = (uint32_t)args.count});
    if (op >= 0)
        cedar_parser_fault(p, t.at, p->last_end, wanted ? "one argument" : "no argument",
                           "`%.*s` has %zu arguments", STR_FMT(name), args.count - 1);
    else if (fn >= 0)
        cedar_parser_fault(p, t.at, t.end, "it before its argument",
                           "`%.*s` is a function, no method", STR_FMT(name));
    else
        cedar_parser_fault(p, t.at, t.end, "contains, containsAll, hasTag, lessThan, ...",
                           "there is no method `%.*s`", STR_FMT(name));
    return placeholder(p, of->at);
}

/* .name, .method(...), ["name"], as often as they come. */
static const struct cedar_expr *accesses(struct cedar_parser *p, const struct cedar_expr *e)
{
    while (e && !p->stopped) {
        struct cedar_token t;

        if (cedar_parser_take(p, ".")) {
            t = p->now;
            if (t.kind != TOKEN_IDENT) {
                cedar_parser_unexpected(p, "an attribute or method");
                return NULL;
            }
            if (!cedar_ident_is_ok(cedar_parser_text(p, t)))
                cedar_parser_fault(p, t.at, t.end, "[\"name\"]", "`%.*s` is reserved",
                                   STR_FMT(cedar_parser_text(p, t)));
            cedar_parser_step(p);
            e = cedar_parser_is(p, "(") ? method(p, e, t) : get(p, e, cedar_parser_text(p, t));
        } else if (cedar_parser_take(p, "[")) {
            t = p->now;
            if (t.kind != TOKEN_STRING) {
                cedar_parser_unexpected(p, "a string: an attribute's name");
                return NULL;
            }
            cedar_parser_step(p);
            if (!cedar_parser_want(p, "]"))
                return NULL;
            e = get(p, e, cedar_parse_string(p, t));
        } else {
            return e;
        }
    }
    return p->stopped ? NULL : e;
}

/* Whether the number here stands alone: `-1` is a literal, `-1.x` the negation of `1.x`. */
static bool is_lone_number(const struct cedar_parser *p)
{
    struct cedar_lexer ahead = p->lexer;
    struct cedar_token t;

    if (p->now.kind != TOKEN_NUMBER)
        return false;
    t = cedar_lex_next(&ahead);
    return !(t.kind == TOKEN_PUNCT && strchr(".[", p->text.ptr[t.at]));
}

static const struct cedar_expr *unary(struct cedar_parser *p)
{
    uint32_t places[4];
    size_t n = 0;
    bool dash = cedar_parser_is(p, "-");
    const char *sign = dash ? "-" : "!";
    const struct cedar_expr *e;

    while (cedar_parser_is(p, sign)) {
        if (n == ARRAY_LEN(places)) {
            cedar_parser_stop(p, places[0], p->now.end, "at most four", "too many `%s` in a row",
                              sign);
            return NULL;
        }
        places[n++] = p->now.at;
        cedar_parser_step(p);
    }
    if (dash && n > 0 && is_lone_number(p)) {
        n--;
        e = number(p, true, places[n]);
    } else {
        e = accesses(p, primary(p));
    }
    while (e && n > 0) {
        struct cedar_args args = {0};

        if (!add(p, &args, e))
            return NULL;
        e = node(p, dash ? CEDAR_OP_NEG : CEDAR_OP_NOT, &args, places[--n]);
    }
    return e;
}

/* a OP b OP c ..., one node. */
static const struct cedar_expr *chain(struct cedar_parser *p, const char *sign, enum cedar_op op,
                                      parse_fn *next)
{
    struct cedar_args args = {0};
    uint32_t at = p->now.at;

    do {
        if (!add(p, &args, next(p)))
            return NULL;
    } while (cedar_parser_take(p, sign));
    return args.count == 1 ? args.items[0] : node(p, op, &args, at);
}

static const struct cedar_expr *product(struct cedar_parser *p)
{
    const struct cedar_expr *e = chain(p, "*", CEDAR_OP_MUL, unary);

    if (e && (cedar_parser_is(p, "/") || cedar_parser_is(p, "%"))) {
        cedar_parser_stop(p, p->now.at, p->now.end, NULL, "Cedar has no division");
        return NULL;
    }
    return e;
}

/* Signs, one in front of each argument. */
static bool add_sign(struct cedar_parser *p, char **signs, size_t n, char sign)
{
    if ((n & (n - 1)) == 0) { /* full at 1, 2, 4, 8... */
        char *more = arena_alloc(p->arena, 2 * n);

        if (!more) {
            cedar_parser_fail(p, -ENOMEM, p->now.at, p->now.end);
            return false;
        }
        if (n > 1)
            memcpy(more, *signs, n);
        *signs = more;
    }
    (*signs)[n] = sign;
    return true;
}

static const struct cedar_expr *sum(struct cedar_parser *p)
{
    struct cedar_args args = {0};
    uint32_t at = p->now.at;
    char *signs = NULL;

    if (!add(p, &args, product(p)))
        return NULL;
    while (cedar_parser_is(p, "+") || cedar_parser_is(p, "-")) {
        char sign = cedar_parser_is(p, "-") ? '-' : '+';

        cedar_parser_step(p);
        if (!add_sign(p, &signs, args.count, sign) || !add(p, &args, product(p)))
            return NULL;
    }
    if (args.count == 1)
        return args.items[0];
    return make(p, &(struct cedar_expr){.op = CEDAR_OP_SUM,
                                        .at = at,
                                        .end = p->last_end,
                                        .args = args.items,
                                        .arg_count = (uint32_t)args.count,
                                        .ops = signs});
}

/* ---- relations ---- */

static const struct {
    const char *sign;
    uint8_t op;
} relations[] = {
    {"==", CEDAR_OP_EQ}, {"!=", CEDAR_OP_NE}, {"<", CEDAR_OP_LT},  {"<=", CEDAR_OP_LE},
    {">", CEDAR_OP_GT},  {">=", CEDAR_OP_GE}, {"in", CEDAR_OP_IN},
};

static int relation_here(const struct cedar_parser *p)
{
    for (size_t i = 0; i < ARRAY_LEN(relations); i++)
        if (cedar_parser_is(p, relations[i].sign))
            return relations[i].op;
    return -1;
}

/* Behind `has`: name.name... or "name". */
static const struct cedar_expr *has(struct cedar_parser *p, const struct cedar_expr *left)
{
    struct cedar_args args = {0};
    struct str *names = NULL;
    size_t n = 0, cap = 0;

    if (!add(p, &args, left))
        return NULL;
    do {
        struct cedar_token t = p->now;

        if (n == cap) {
            struct str *more = ARENA_ARRAY(p->arena, cap = cap ? 2 * cap : 4, struct str);

            if (!more) {
                cedar_parser_fail(p, -ENOMEM, 0, 0);
                return NULL;
            }
            if (n > 0)
                memcpy(more, names, n * sizeof(*more));
            names = more;
        }
        if (t.kind == TOKEN_STRING && n == 0) {
            names[n++] = cedar_parse_string(p, t);
            cedar_parser_step(p);
            break;
        }
        if (t.kind != TOKEN_IDENT) {
            cedar_parser_unexpected(p, "an attribute's name");
            return NULL;
        }
        names[n++] = cedar_parser_text(p, t);
        if (!cedar_ident_is_ok(names[n - 1]))
            cedar_parser_fault(p, t.at, t.end, "quotes around it", "`%.*s` is reserved",
                               STR_FMT(names[n - 1]));
        cedar_parser_step(p);
    } while (cedar_parser_take(p, "."));
    return make(p, &(struct cedar_expr){.op = CEDAR_OP_HAS,
                                        .at = left->at,
                                        .end = p->last_end,
                                        .args = args.items,
                                        .arg_count = 1,
                                        .names = names,
                                        .name_count = (uint32_t)n});
}

static const struct cedar_expr *like(struct cedar_parser *p, const struct cedar_expr *left)
{
    struct cedar_pattern *pattern = ARENA_NEW(p->arena, struct cedar_pattern);
    struct cedar_args args = {0};
    struct cedar_escape_fault fault = {0};
    struct cedar_token t = p->now;
    int rc = -ENOMEM;

    if (t.kind != TOKEN_STRING) {
        cedar_parser_unexpected(p, "a pattern such as \"inv-*\"");
        return NULL;
    }
    if (pattern)
        rc = cedar_escape_pattern(p->arena, str_slice(p->text, t.at + 1u, t.end - 1u), pattern,
                                  &fault);
    cedar_parser_step(p);
    if (rc == -EINVAL) {
        cedar_parser_fault(p, t.at + 1 + fault.at, t.at + 1 + fault.at + fault.len,
                           "one of \\* \\n \\r \\t \\0 \\\\ \\\" \\' \\x41 \\u{1f600}",
                           "this is no escape");
        return placeholder(p, left->at);
    }
    if (rc < 0 || !add(p, &args, left)) {
        cedar_parser_fail(p, -ENOMEM, t.at, t.end);
        return NULL;
    }
    return make(p, &(struct cedar_expr){.op = CEDAR_OP_LIKE,
                                        .at = left->at,
                                        .end = p->last_end,
                                        .args = args.items,
                                        .arg_count = 1,
                                        .pattern = pattern});
}

static const struct cedar_expr *is(struct cedar_parser *p, const struct cedar_expr *left)
{
    struct str *type = ARENA_NEW(p->arena, struct str), id;
    struct cedar_args args = {0};
    uint32_t at = p->now.at;

    if (!type || !add(p, &args, left)) {
        cedar_parser_fail(p, -ENOMEM, at, at);
        return NULL;
    }
    if (!cedar_parse_path(p, type, &id))
        return NULL;
    if (id.ptr)
        cedar_parser_fault(p, at, p->last_end, "== to compare with an entity",
                           "behind `is` stands a type");
    if (cedar_parser_take(p, "in") && !add(p, &args, sum(p)))
        return NULL;
    return make(p, &(struct cedar_expr){.op = CEDAR_OP_IS,
                                        .at = left->at,
                                        .end = p->last_end,
                                        .args = args.items,
                                        .arg_count = (uint32_t)args.count,
                                        .names = type,
                                        .name_count = 1});
}

static const struct cedar_expr *relation(struct cedar_parser *p)
{
    const struct cedar_expr *e = sum(p);
    struct cedar_args args = {0};
    int op;

    if (!e)
        return NULL;
    if (cedar_parser_take(p, "has"))
        return has(p, e);
    if (cedar_parser_take(p, "like"))
        return like(p, e);
    if (cedar_parser_take(p, "is"))
        return is(p, e);
    op = relation_here(p);
    if (op >= 0) {
        cedar_parser_step(p);
        if (!add(p, &args, e) || !add(p, &args, sum(p)))
            return NULL;
        e = node(p, (enum cedar_op)op, &args, e->at);
        if (e && relation_here(p) >= 0) {
            cedar_parser_stop(p, p->now.at, p->now.end, "parentheses around one of the two",
                              "comparisons do not chain");
            return NULL;
        }
    } else if (cedar_parser_is(p, "=")) {
        cedar_parser_stop(p, p->now.at, p->now.end, "`==`", "`=` is no operator");
        return NULL;
    }
    return e;
}

static const struct cedar_expr *conjunction(struct cedar_parser *p)
{
    return chain(p, "&&", CEDAR_OP_AND, relation);
}

static const struct cedar_expr *choice(struct cedar_parser *p)
{
    struct cedar_args args = {0};
    uint32_t at = p->now.at;

    cedar_parser_step(p); /* if */
    if (!add(p, &args, cedar_parse_expr(p)) || !cedar_parser_want(p, "then") ||
        !add(p, &args, cedar_parse_expr(p)) || !cedar_parser_want(p, "else") ||
        !add(p, &args, cedar_parse_expr(p)))
        return NULL;
    return node(p, CEDAR_OP_IF, &args, at);
}

const struct cedar_expr *cedar_parse_expr(struct cedar_parser *p)
{
    const struct cedar_expr *e;

    if (p->stopped)
        return NULL;
    if (p->depth >= CEDAR_DEPTH_MAX) {
        cedar_parser_fail(p, -E2BIG, p->now.at, p->now.end);
        return NULL;
    }
    p->depth++;
    e = cedar_parser_is(p, "if") ? choice(p) : chain(p, "||", CEDAR_OP_OR, conjunction);
    p->depth--;
    return p->stopped ? NULL : e;
}
