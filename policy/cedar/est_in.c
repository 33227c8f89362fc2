/*
 * est_in.c: expressions of the JSON policy format into trees. Chains of operators are read in
 * loops; what is left of recursion is bounded by CEDAR_DEPTH_MAX.
 */
#include "policy/cedar/est_read.h"
#include "policy/cedar/ext.h"
#include "policy/text/utf8.h"

/* ---- small things ---- */

int cedar_est_no_memory(struct cedar_est_reader *r)
{
    return err_set(r->err, ENOMEM, "no memory for a policy");
}

int cedar_est_keep(struct cedar_est_reader *r, struct str s, struct str *ret)
{
    *ret = arena_str(r->arena, s);
    return ret->ptr ? 0 : cedar_est_no_memory(r);
}

int cedar_est_in(struct cedar_est_reader *r, const char *where, int rc)
{
    if (rc < 0 && rc != -ENOMEM)
        err_wrap(r->err, "%s", where);
    return rc;
}

int cedar_est_in_item(struct cedar_est_reader *r, size_t index, int rc)
{
    if (rc < 0 && rc != -ENOMEM)
        err_wrap(r->err, "[%zu]", index);
    return rc;
}

static int make(struct cedar_est_reader *r, const struct cedar_expr *draft,
                const struct cedar_expr **ret)
{
    int rc = cedar_expr_make(r->arena, draft, ret);

    if (rc == -E2BIG)
        return err_set(r->err, E2BIG, "nested over %d levels", CEDAR_DEPTH_MAX);
    return rc < 0 ? cedar_est_no_memory(r) : 0;
}

static int literal(struct cedar_est_reader *r, struct cedar_value v, const struct cedar_expr **ret)
{
    return cedar_expr_literal(r->arena, v, 0, 0, ret) < 0 ? cedar_est_no_memory(r) : 0;
}

static int add(struct cedar_est_reader *r, struct cedar_args *args, const struct cedar_expr *e)
{
    return cedar_args_add(r->arena, args, e) < 0 ? cedar_est_no_memory(r) : 0;
}

int cedar_est_only(struct cedar_est_reader *r, const struct json *j, const char *const *names,
                   size_t n)
{
    if (!json_is(j, JSON_OBJECT))
        return err_set(r->err, EINVAL, "expected an object, found %s",
                       j ? json_type_name(j->type) : "nothing");
    for (size_t i = 0; i < j->object.count; i++) {
        size_t k = 0;

        while (k < n && !str_is(j->object.members[i].name, names[k]))
            k++;
        if (k == n)
            return err_set(r->err, EINVAL, "there is no member \"%.*s\" here",
                           STR_FMT(j->object.members[i].name));
    }
    return 0;
}

static int want_string(struct cedar_est_reader *r, const struct json *j, const char *name,
                       struct str *ret)
{
    const struct json *found = json_get(j, name);

    if (!json_is(found, JSON_STRING))
        return err_set(r->err, EINVAL, "\"%s\" must be a string", name);
    return cedar_est_keep(r, found->string, ret);
}

int cedar_est_want_type(struct cedar_est_reader *r, const struct json *j, const char *name,
                        struct str *ret)
{
    int rc = want_string(r, j, name, ret);

    if (rc == 0 && !cedar_name_is_ok(*ret))
        rc = err_set(r->err, EINVAL, "\"%s\": \"%.*s\" is no entity type", name, STR_FMT(*ret));
    return rc;
}

/* ---- literals: {"Value": ...} ---- */

static int value_list(struct cedar_est_reader *r, const struct json *list, struct cedar_args *args);

static int read_record(struct cedar_est_reader *r, const struct json *j, bool values,
                       const struct cedar_expr **ret);

static const struct json_member *lone(const struct json *j)
{
    return json_is(j, JSON_OBJECT) && j->object.count == 1 ? &j->object.members[0] : NULL;
}

static int value_entity(struct cedar_est_reader *r, const struct json *j,
                        const struct cedar_expr **ret)
{
    struct cedar_uid *uid = ARENA_NEW(r->arena, struct cedar_uid);
    int rc = uid ? cedar_uid_from_json(r->arena, j, uid, r->err) : cedar_est_no_memory(r);

    return rc < 0 ? rc : literal(r, cedar_entity_ref(uid), ret);
}

/* A call, not its value: a constructor that fails does so when it is reached. */
static int value_extension(struct cedar_est_reader *r, const struct json *j,
                           const struct cedar_expr **ret)
{
    const struct json *arg = json_get(j, "arg"), one = {.type = JSON_ARRAY, .array = {arg, 1}};
    struct str name = json_get(j, "fn")->string;
    struct cedar_args list = {0};
    int index = cedar_ext_find(name), rc;

    if (index < 0)
        return err_set(r->err, EINVAL, "there is no extension function \"%.*s\"", STR_FMT(name));
    rc = value_list(r, arg ? &one : json_get(j, "args"), &list);
    if (rc < 0)
        return rc;
    return make(r,
                &(struct cedar_expr){.op = CEDAR_OP_CALL,
                                     .fn = (uint8_t)index,
                                     .args = list.items,
                                     .arg_count = (uint32_t)list.count},
                ret);
}

/* 1: an escape, read into *ret; 0: a record like any other. */
static int value_escape(struct cedar_est_reader *r, const struct json *j,
                        const struct cedar_expr **ret)
{
    const struct json_member *m = lone(j);
    const struct json *in = m ? &m->value : NULL;
    int rc;

    if (!m)
        return 0;
    if (str_is(m->name, "__expr") && in->type == JSON_STRING)
        return err_set(r->err, EINVAL, "the __expr escape is no longer part of Cedar");
    if (str_is(m->name, "__entity") && json_is(json_get(in, "type"), JSON_STRING) &&
        json_is(json_get(in, "id"), JSON_STRING))
        rc = value_entity(r, in, ret);
    else if (str_is(m->name, "__extn") && json_is(json_get(in, "fn"), JSON_STRING) &&
             (json_get(in, "arg") || json_is(json_get(in, "args"), JSON_ARRAY)))
        rc = value_extension(r, in, ret);
    else
        return 0;
    return rc < 0 ? rc : 1;
}

static int read_value(struct cedar_est_reader *r, const struct json *j,
                      const struct cedar_expr **ret)
{
    struct cedar_args args = {0};
    struct str kept;
    int rc;

    if (r->depth >= CEDAR_DEPTH_MAX)
        return err_set(r->err, E2BIG, "nested over %d levels", CEDAR_DEPTH_MAX);
    r->depth++;
    switch (j->type) {
    case JSON_BOOL:
        rc = literal(r, cedar_bool(j->boolean), ret);
        break;
    case JSON_INT:
        rc = literal(r, cedar_long(j->integer), ret);
        break;
    case JSON_STRING:
        rc = cedar_est_keep(r, j->string, &kept);
        if (rc == 0)
            rc = literal(r, cedar_string(kept), ret);
        break;
    case JSON_ARRAY:
        rc = value_list(r, j, &args);
        if (rc == 0)
            rc =
                make(r,
                     &(struct cedar_expr){
                         .op = CEDAR_OP_SET, .args = args.items, .arg_count = (uint32_t)args.count},
                     ret);
        break;
    case JSON_OBJECT:
        rc = value_escape(r, j, ret);
        rc = rc == 0 ? read_record(r, j, true, ret) : MIN(rc, 0);
        break;
    default:
        rc = err_set(r->err, EINVAL, "%.*s is no Cedar value", (int)MIN(j->raw.len, (size_t)64),
                     j->raw.ptr);
        break;
    }
    r->depth--;
    return rc;
}

static int value_list(struct cedar_est_reader *r, const struct json *list, struct cedar_args *args)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < list->array.count; i++) {
        const struct cedar_expr *e = NULL;

        rc = cedar_est_in_item(r, i, read_value(r, &list->array.items[i], &e));
        if (rc == 0)
            rc = add(r, args, e);
    }
    return rc;
}

/* Members are values ({"Value": {...}}) or expressions ({"Record": {...}}). */
static int read_record(struct cedar_est_reader *r, const struct json *j, bool values,
                       const struct cedar_expr **ret)
{
    size_t n = json_is(j, JSON_OBJECT) ? j->object.count : 0;
    struct str *names = ARENA_ARRAY(r->arena, MAX(n, (size_t)1), struct str);
    struct cedar_args args = {0};

    if (!json_is(j, JSON_OBJECT))
        return err_set(r->err, EINVAL, "a record must be an object");
    if (!names)
        return cedar_est_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const struct json_member *m = &j->object.members[i];
        const struct cedar_expr *e = NULL;
        int rc = cedar_est_keep(r, m->name, &names[i]);

        if (rc == 0)
            rc = values ? read_value(r, &m->value, &e) : cedar_est_expr(r, &m->value, &e);
        if (rc == 0)
            rc = add(r, &args, e);
        if (rc < 0)
            return cedar_est_in(r, "record", rc);
    }
    if (cedar_record_sort(r->arena, names, args.items, n) != 0)
        return cedar_est_no_memory(r); /* json_parse let no name pass twice */
    return make(r,
                &(struct cedar_expr){.op = CEDAR_OP_RECORD,
                                     .args = args.items,
                                     .arg_count = (uint32_t)n,
                                     .names = names,
                                     .name_count = (uint32_t)n},
                ret);
}

/* ---- operators ---- */

static int read_arg(struct cedar_est_reader *r, const struct json *j, const char *name,
                    struct cedar_args *args)
{
    const struct json *found = json_get(j, name);
    const struct cedar_expr *e = NULL;
    int rc;

    if (!found)
        return err_set(r->err, EINVAL, "\"%s\" is missing", name);
    rc = cedar_est_in(r, name, cedar_est_expr(r, found, &e));
    return rc < 0 ? rc : add(r, args, e);
}

/* Which chain an operator belongs to. */
static int chain_op(struct str key)
{
    static const enum cedar_op ops[] = {CEDAR_OP_AND, CEDAR_OP_OR, CEDAR_OP_MUL};

    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (str_is(key, cedar_op_key(ops[i])))
            return (int)ops[i];
    return str_is(key, "+") || str_is(key, "-") ? CEDAR_OP_SUM : -1;
}

/* Down the left side as long as the operator stays of one chain; *ret_links: how many. */
static int chain_length(struct cedar_est_reader *r, const struct json *j, int op, size_t *ret_links,
                        const struct json **ret_first)
{
    static const char *const names[] = {"left", "right"};

    *ret_links = 0;
    for (;;) {
        const struct json_member *m = lone(j);
        int rc;

        if (!m || chain_op(m->name) != op)
            break;
        rc = cedar_est_only(r, &m->value, names, 2);
        if (rc < 0)
            return rc;
        if (!json_get(&m->value, "left") || !json_get(&m->value, "right"))
            return err_set(r->err, EINVAL, "\"left\" and \"right\" must both be there");
        (*ret_links)++;
        j = json_get(&m->value, "left");
    }
    *ret_first = j;
    return 0;
}

static int read_chain(struct cedar_est_reader *r, const struct json *j, int op,
                      const struct cedar_expr **ret)
{
    size_t links;
    const struct json *first, *at = j;
    const struct cedar_expr **args;
    char *ops;
    int rc = chain_length(r, j, op, &links, &first);

    if (rc < 0)
        return rc;
    args = ARENA_ARRAY(r->arena, links + 1, const struct cedar_expr *);
    ops = arena_alloc(r->arena, links + 1);
    if (!args || !ops)
        return cedar_est_no_memory(r);
    rc = cedar_est_in(r, "left", cedar_est_expr(r, first, &args[0]));
    for (size_t i = links; rc == 0 && i > 0; i--) {
        const struct json_member *m = lone(at);

        must(m); /* chain_length came by here */
        ops[i] = m->name.ptr[0];
        rc = cedar_est_in(r, "right", cedar_est_expr(r, json_get(&m->value, "right"), &args[i]));
        at = json_get(&m->value, "left");
    }
    if (rc < 0)
        return rc;
    return make(r,
                &(struct cedar_expr){.op = (uint8_t)op,
                                     .args = args,
                                     .arg_count = (uint32_t)(links + 1),
                                     .ops = op == CEDAR_OP_SUM ? ops : NULL},
                ret);
}

static int read_list(struct cedar_est_reader *r, const struct json *j, enum cedar_op op,
                     unsigned fn, const struct cedar_expr **ret)
{
    struct cedar_args args = {0};

    if (!json_is(j, JSON_ARRAY))
        return err_set(r->err, EINVAL, "expected a list of expressions");
    for (size_t i = 0; i < j->array.count; i++) {
        const struct cedar_expr *e = NULL;
        int rc = cedar_est_in_item(r, i, cedar_est_expr(r, &j->array.items[i], &e));

        if (rc == 0)
            rc = add(r, &args, e);
        if (rc < 0)
            return rc;
    }
    return make(r,
                &(struct cedar_expr){.op = (uint8_t)op,
                                     .fn = (uint8_t)fn,
                                     .args = args.items,
                                     .arg_count = (uint32_t)args.count},
                ret);
}

/* "attr": a string or, for `has`, a list of them. */
static int read_attributes(struct cedar_est_reader *r, const struct json *j, bool path,
                           struct str **ret, uint32_t *ret_count)
{
    const struct json *attr = json_get(j, "attr");
    struct json one = {.type = JSON_NULL};
    size_t n;

    if (json_is(attr, JSON_STRING)) {
        one = *attr;
        n = 1;
    } else if (path && json_is(attr, JSON_ARRAY) && attr->array.count > 0) {
        n = attr->array.count;
    } else {
        return err_set(r->err, EINVAL, "\"attr\" must be a string%s",
                       path ? " or a list of strings" : "");
    }
    *ret = ARENA_ARRAY(r->arena, n, struct str);
    if (!*ret)
        return cedar_est_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const struct json *item = one.type == JSON_STRING ? &one : &attr->array.items[i];
        int rc;

        if (item->type != JSON_STRING)
            return err_set(r->err, EINVAL, "\"attr\" must be a list of strings");
        rc = cedar_est_keep(r, item->string, &(*ret)[i]);
        if (rc < 0)
            return rc;
    }
    *ret_count = (uint32_t)n;
    return 0;
}

static int read_access(struct cedar_est_reader *r, const struct json *j, enum cedar_op op,
                       const struct cedar_expr **ret)
{
    static const char *const names[] = {"left", "attr"};
    struct cedar_expr draft = {.op = (uint8_t)op, .arg_count = 1};
    struct cedar_args args = {0};
    struct str *attributes = NULL;
    int rc = cedar_est_only(r, j, names, 2);

    if (rc == 0)
        rc = read_attributes(r, j, op == CEDAR_OP_HAS, &attributes, &draft.name_count);
    if (rc == 0)
        rc = read_arg(r, j, "left", &args);
    if (rc < 0)
        return rc;
    draft.names = attributes;
    draft.args = args.items;
    return make(r, &draft, ret);
}

static int pattern_item(struct cedar_est_reader *r, const struct json *item, struct buf *part,
                        bool *is_star)
{
    const struct json_member *m = lone(item);

    *is_star = json_is(item, JSON_STRING) && str_is(item->string, "Wildcard");
    if (*is_star)
        return 0;
    if (!m || !str_is(m->name, "Literal") || m->value.type != JSON_STRING)
        return err_set(r->err, EINVAL, "expected \"Wildcard\" or {\"Literal\":\"text\"}");
    buf_str_put(part, m->value.string);
    return buf_status(part) < 0 ? cedar_est_no_memory(r) : 0;
}

static int read_pattern(struct cedar_est_reader *r, const struct json *list,
                        struct cedar_pattern *ret)
{
    struct str *parts;
    size_t n = 0;
    struct buf part;
    int rc = 0;

    if (!json_is(list, JSON_ARRAY))
        return err_set(r->err, EINVAL, "\"pattern\" must be a list");
    parts = ARENA_ARRAY(r->arena, list->array.count + 1, struct str);
    if (!parts)
        return cedar_est_no_memory(r);
    buf_init(&part, CEDAR_TEXT_MAX);
    for (size_t i = 0; rc == 0 && i <= list->array.count; i++) {
        bool is_star = i == list->array.count; /* the end closes a part as a star does */

        if (!is_star)
            rc = cedar_est_in_item(r, i, pattern_item(r, &list->array.items[i], &part, &is_star));
        if (rc < 0 || !is_star)
            continue;
        rc = cedar_est_keep(r, buf_str(&part), &parts[n++]);
        buf_clear(&part);
    }
    buf_release(&part);
    *ret = (struct cedar_pattern){parts, n};
    return cedar_est_in(r, "pattern", rc);
}

static int read_like(struct cedar_est_reader *r, const struct json *j,
                     const struct cedar_expr **ret)
{
    static const char *const names[] = {"left", "pattern"};
    struct cedar_pattern *pattern = ARENA_NEW(r->arena, struct cedar_pattern);
    struct cedar_args args = {0};
    int rc = pattern ? cedar_est_only(r, j, names, 2) : cedar_est_no_memory(r);

    if (rc == 0)
        rc = read_pattern(r, json_get(j, "pattern"), pattern);
    if (rc == 0)
        rc = read_arg(r, j, "left", &args);
    if (rc < 0)
        return rc;
    return make(r,
                &(struct cedar_expr){
                    .op = CEDAR_OP_LIKE, .args = args.items, .arg_count = 1, .pattern = pattern},
                ret);
}

static int read_is(struct cedar_est_reader *r, const struct json *j, const struct cedar_expr **ret)
{
    static const char *const names[] = {"left", "entity_type", "in"};
    struct str *type = ARENA_NEW(r->arena, struct str);
    struct cedar_args args = {0};
    int rc = type ? cedar_est_only(r, j, names, 3) : cedar_est_no_memory(r);

    if (rc == 0)
        rc = cedar_est_want_type(r, j, "entity_type", type);
    if (rc == 0)
        rc = read_arg(r, j, "left", &args);
    if (rc == 0 && json_get(j, "in"))
        rc = read_arg(r, j, "in", &args);
    if (rc < 0)
        return rc;
    return make(r,
                &(struct cedar_expr){.op = CEDAR_OP_IS,
                                     .args = args.items,
                                     .arg_count = (uint32_t)args.count,
                                     .names = type,
                                     .name_count = 1},
                ret);
}

/* Operators whose arguments have fixed names. */
static int read_fixed(struct cedar_est_reader *r, const struct json *j, enum cedar_op op,
                      const struct cedar_expr **ret)
{
    static const char *const one[] = {"arg"}, *const two[] = {"left", "right"},
                             *const three[] = {"if", "then", "else"};
    const char *const *names = two;
    struct cedar_args args = {0};
    size_t n = 2;
    int rc;

    if (op == CEDAR_OP_NOT || op == CEDAR_OP_NEG || op == CEDAR_OP_IS_EMPTY) {
        names = one;
        n = 1;
    } else if (op == CEDAR_OP_IF) {
        names = three;
        n = 3;
    }
    rc = cedar_est_only(r, j, names, n);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_arg(r, j, names[i], &args);
    if (rc < 0)
        return rc;
    return make(
        r, &(struct cedar_expr){.op = (uint8_t)op, .args = args.items, .arg_count = (uint32_t)n},
        ret);
}

static int read_var(struct cedar_est_reader *r, const struct json *j, const struct cedar_expr **ret)
{
    for (int v = CEDAR_VAR_PRINCIPAL; json_is(j, JSON_STRING) && v <= CEDAR_VAR_CONTEXT; v++)
        if (str_is(j->string, cedar_var_name((enum cedar_var)v)))
            return make(r, &(struct cedar_expr){.op = CEDAR_OP_VAR, .var = (uint8_t)v}, ret);
    return err_set(r->err, EINVAL, "a variable is principal, action, resource or context");
}

static int op_of(struct str key)
{
    for (int op = 0; op < CEDAR_OP_COUNT; op++)
        if (cedar_op_key((enum cedar_op)op) && str_is(key, cedar_op_key((enum cedar_op)op)))
            return op;
    return -1;
}

static int read_node(struct cedar_est_reader *r, const struct json *j, const struct json_member *m,
                     const struct cedar_expr **ret)
{
    int op = op_of(m->name), fn = cedar_ext_find(m->name);

    if (str_is(m->name, "Value"))
        return read_value(r, &m->value, ret);
    if (str_is(m->name, "Var"))
        return read_var(r, &m->value, ret);
    if (str_is(m->name, "Slot"))
        return err_set(r->err, EINVAL, "a template's slot can stand in the scope only");
    if (chain_op(m->name) >= 0)
        return read_chain(r, j, chain_op(m->name), ret);
    if (fn >= 0)
        return read_list(r, &m->value, CEDAR_OP_CALL, (unsigned)fn, ret);
    switch (op) {
    case CEDAR_OP_SET:
        return read_list(r, &m->value, CEDAR_OP_SET, 0, ret);
    case CEDAR_OP_RECORD:
        return read_record(r, &m->value, false, ret);
    case CEDAR_OP_HAS:
    case CEDAR_OP_GET:
        return read_access(r, &m->value, (enum cedar_op)op, ret);
    case CEDAR_OP_LIKE:
        return read_like(r, &m->value, ret);
    case CEDAR_OP_IS:
        return read_is(r, &m->value, ret);
    case -1:
        return err_set(r->err, EINVAL, "there is no such operator");
    default:
        return read_fixed(r, &m->value, (enum cedar_op)op, ret);
    }
}

int cedar_est_expr(struct cedar_est_reader *r, const struct json *j, const struct cedar_expr **ret)
{
    const struct json_member *m = lone(j);
    char where[48];
    int rc;

    if (!m)
        return err_set(r->err, EINVAL, "an expression is an object with one member, its operator");
    if (r->depth >= CEDAR_DEPTH_MAX)
        return err_set(r->err, E2BIG, "nested over %d levels", CEDAR_DEPTH_MAX);
    if (str_copy(str_slice(m->name, 0, 40), where, sizeof(where)) < 0)
        where[0] = '\0';
    r->depth++;
    rc = cedar_est_in(r, where, read_node(r, j, m, ret));
    r->depth--;
    return rc;
}
