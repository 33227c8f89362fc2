/*
 * ast.c: making nodes.
 */
#include "policy/cedar/ast.h"

#include "policy/cedar/eval.h"
#include "policy/cedar/order.h"

const char *cedar_op_key(enum cedar_op op)
{
    static const char *const keys[] = {
#define X(name, key) key,
        CEDAR_OPS(X)
#undef X
    };
    return keys[op];
}

const char *cedar_var_name(enum cedar_var var)
{
    static const char *const names[] = {"principal", "action", "resource", "context"};

    return names[var];
}

const char *cedar_part_name(unsigned part)
{
    return cedar_var_name((enum cedar_var)part);
}

int cedar_method_find(struct str name, unsigned *ret_args)
{
    static const struct {
        uint8_t op, args;
    } methods[] = {
        {CEDAR_OP_CONTAINS, 1}, {CEDAR_OP_CONTAINS_ALL, 1}, {CEDAR_OP_CONTAINS_ANY, 1},
        {CEDAR_OP_IS_EMPTY, 0}, {CEDAR_OP_GET_TAG, 1},      {CEDAR_OP_HAS_TAG, 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (!str_is(name, cedar_op_key(methods[i].op)))
            continue;
        *ret_args = methods[i].args;
        return methods[i].op;
    }
    return -1;
}

int cedar_args_add(struct arena *arena, struct cedar_args *args, const struct cedar_expr *e)
{
    if (args->count == args->cap) {
        size_t cap = args->cap ? 2 * args->cap : 4;
        const struct cedar_expr **more = ARENA_ARRAY(arena, cap, const struct cedar_expr *);

        if (!more)
            return -ENOMEM;
        if (args->count > 0)
            memcpy(more, args->items, args->count * sizeof(*more));
        args->items = more;
        args->cap = cap;
    }
    args->items[args->count++] = e;
    return 0;
}

/* What looks at the store or the request has no value before there is one. */
static bool may_fold(const struct cedar_expr *e)
{
    switch (e->op) {
    case CEDAR_OP_VAR:
    case CEDAR_OP_IN:
    case CEDAR_OP_GET_TAG:
    case CEDAR_OP_HAS_TAG:
        return false;
    case CEDAR_OP_IS:
        return e->arg_count == 1 && e->args[0]->value;
    case CEDAR_OP_GET:
        return e->args[0]->value && e->args[0]->value->type == CEDAR_RECORD;
    default:
        break;
    }
    for (size_t i = 0; i < e->arg_count; i++)
        if (!e->args[i]->value)
            return false;
    /* A path may lead from a record to an entity. */
    return e->op != CEDAR_OP_HAS || (e->name_count == 1 && e->args[0]->value->type == CEDAR_RECORD);
}

static int fold(struct arena *arena, struct cedar_expr *e)
{
    struct cedar_env env = {.arena = arena};
    struct cedar_value v, *kept;
    int rc = cedar_eval(&env, e, &v);

    if (rc < 0)
        return rc == -EINVAL ? 0 : rc; /* raised when evaluation comes by */
    kept = ARENA_NEW(arena, struct cedar_value);
    if (!kept)
        return -ENOMEM;
    *kept = v;
    e->value = kept;
    return 0;
}

int cedar_expr_make(struct arena *arena, const struct cedar_expr *draft,
                    const struct cedar_expr **ret)
{
    struct cedar_expr *e = ARENA_NEW(arena, struct cedar_expr);
    unsigned depth = 0;

    if (!e)
        return -ENOMEM;
    *e = *draft;
    for (size_t i = 0; i < e->arg_count; i++)
        depth = MAX(depth, (unsigned)e->args[i]->depth);
    if (depth + 1 > CEDAR_DEPTH_MAX)
        return -E2BIG;
    e->depth = (uint8_t)(depth + 1);
    *ret = e;
    return !e->value && may_fold(e) ? fold(arena, e) : 0;
}

int cedar_expr_literal(struct arena *arena, struct cedar_value v, uint32_t at, uint32_t end,
                       const struct cedar_expr **ret)
{
    struct cedar_value *kept = ARENA_NEW(arena, struct cedar_value);

    if (!kept)
        return -ENOMEM;
    *kept = v;
    return cedar_expr_make(
        arena, &(struct cedar_expr){.op = CEDAR_OP_LITERAL, .at = at, .end = end, .value = kept},
        ret);
}

struct member {
    struct str name;
    const struct cedar_expr *value;
};

static int member_order(const void *a, const void *b)
{
    return str_cmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

int cedar_record_sort(struct arena *arena, struct str *names, const struct cedar_expr **args,
                      size_t n)
{
    struct member *members = ARENA_ARRAY(arena, n, struct member);
    int twice = -1;

    if (!members)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        members[i] = (struct member){names[i], args[i]};
    cedar_order_sort(members, n, sizeof(*members), member_order);
    for (size_t i = 0; i < n; i++) {
        names[i] = members[i].name;
        args[i] = members[i].value;
        if (i > 0 && str_eq(names[i], names[i - 1]))
            twice = (int)i;
    }
    return twice < 0 ? 0 : twice;
}
