/*
 * eval.c: the evaluator, in the shape of Cedar's formal semantics. Runs in reeved on the decision
 * path: no allocation but from the arena, no text, recursion bounded by the depth of the tree.
 */
#include "policy/cedar/eval.h"

#include "policy/cedar/ext.h"

#define BIT(type)     (1u << (type))
#define ARGS_ON_STACK 4

void cedar_env_init(struct cedar_env *env, const struct cedar_request *request,
                    const struct cedar_entities *entities, struct arena *arena)
{
    *env = (struct cedar_env){.request = request, .entities = entities, .arena = arena};
    if (!entities)
        return;
    env->found[CEDAR_PART_PRINCIPAL] = cedar_entities_find(entities, &request->principal);
    env->found[CEDAR_PART_ACTION] = cedar_entities_find(entities, &request->action);
    env->found[CEDAR_PART_RESOURCE] = cedar_entities_find(entities, &request->resource);
}

/* ---- faults ---- */

static int fault_type(struct cedar_env *env, const struct cedar_expr *at, unsigned wanted,
                      enum cedar_type got)
{
    env->fault =
        (struct cedar_fault){.code = CEDAR_FAULT_TYPE, .at = at, .wanted = wanted, .got = got};
    return -EINVAL;
}

static int fault(struct cedar_env *env, const struct cedar_expr *at, enum cedar_fault_code code)
{
    env->fault = (struct cedar_fault){.code = code, .at = at};
    return -EINVAL;
}

static int fault_missing(struct cedar_env *env, const struct cedar_expr *at,
                         enum cedar_fault_code code, const struct cedar_uid *entity,
                         struct str name)
{
    env->fault = (struct cedar_fault){.code = code, .at = at, .entity = entity, .name = name};
    return -EINVAL;
}

/* Evaluates an argument and checks its type. */
static int eval_as(struct cedar_env *env, const struct cedar_expr *e, enum cedar_type type,
                   struct cedar_value *ret)
{
    int rc = cedar_eval(env, e, ret);

    if (rc == 0 && ret->type != type)
        rc = fault_type(env, e, BIT(type), ret->type);
    return rc;
}

/* ---- entities ---- */

static const struct cedar_entity *lookup(const struct cedar_env *env, const struct cedar_uid *uid)
{
    const struct cedar_request *r = env->request;
    const struct cedar_entity *found;

    if (r && uid == &r->principal)
        found = env->found[CEDAR_PART_PRINCIPAL];
    else if (r && uid == &r->action)
        found = env->found[CEDAR_PART_ACTION];
    else if (r && uid == &r->resource)
        found = env->found[CEDAR_PART_RESOURCE];
    else
        found = env->entities ? cedar_entities_find(env->entities, uid) : NULL;
    return found;
}

static bool is_in(const struct cedar_env *env, const struct cedar_uid *uid,
                  const struct cedar_uid *of)
{
    return cedar_uid_eq(uid, of) || cedar_entity_is_in(lookup(env, uid), of);
}

static int eval_in(struct cedar_env *env, const struct cedar_expr *e,
                   const struct cedar_expr *right, struct cedar_value *ret)
{
    struct cedar_value of, in;
    int rc = eval_as(env, e->args[0], CEDAR_ENTITY, &of);
    const struct cedar_entity *entity;
    bool found = false;

    if (rc == 0)
        rc = cedar_eval(env, right, &in);
    if (rc < 0)
        return rc;
    if (in.type == CEDAR_ENTITY) {
        *ret = cedar_bool(is_in(env, of.entity, in.entity));
        return 0;
    }
    if (in.type != CEDAR_SET)
        return fault_type(env, right, BIT(CEDAR_SET) | BIT(CEDAR_ENTITY), in.type);
    entity = lookup(env, of.entity);
    for (size_t i = 0; i < in.set.count; i++) {
        const struct cedar_value *item = &in.set.items[i];

        if (item->type != CEDAR_ENTITY) /* also behind a hit */
            return fault_type(env, right, BIT(CEDAR_ENTITY), item->type);
        found = found || cedar_uid_eq(of.entity, item->entity) ||
                cedar_entity_is_in(entity, item->entity);
    }
    *ret = cedar_bool(found);
    return 0;
}

static int eval_is(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value of;
    int rc = eval_as(env, e->args[0], CEDAR_ENTITY, &of);

    if (rc < 0)
        return rc;
    if (!str_eq(of.entity->type, e->names[0])) {
        *ret = cedar_bool(false);
        return 0;
    }
    if (e->arg_count > 1) /* only now: `is T in X` leaves X alone when the type differs */
        return eval_in(env, e, e->args[1], ret);
    *ret = cedar_bool(true);
    return 0;
}

static int eval_tag(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value of, tag;
    const struct cedar_entity *entity;
    const struct cedar_value *found;
    int rc = eval_as(env, e->args[0], CEDAR_ENTITY, &of);

    if (rc == 0)
        rc = eval_as(env, e->args[1], CEDAR_STRING, &tag);
    if (rc < 0)
        return rc;
    entity = lookup(env, of.entity);
    found = entity && entity->exists ? cedar_record_get(&entity->tags, tag.string) : NULL;
    if (e->op == CEDAR_OP_HAS_TAG) {
        *ret = cedar_bool(found);
        return 0;
    }
    if (!entity || !entity->exists)
        return fault_missing(env, e, CEDAR_FAULT_NO_ENTITY, of.entity, STR_NONE);
    if (!found)
        return fault_missing(env, e, CEDAR_FAULT_NO_TAG, of.entity, STR_NONE);
    *ret = *found;
    return 0;
}

/* ---- attributes ---- */

/* 1: *ret_found; 0: there is none; -EINVAL: `of` has no attributes. */
static int attribute(struct cedar_env *env, const struct cedar_expr *at,
                     const struct cedar_value *of, struct str name,
                     const struct cedar_value **ret_found)
{
    const struct cedar_entity *entity;

    *ret_found = NULL;
    if (of->type == CEDAR_RECORD) {
        *ret_found = cedar_record_get(of, name);
    } else if (of->type == CEDAR_ENTITY) {
        entity = lookup(env, of->entity);
        if (entity && entity->exists)
            *ret_found = cedar_record_get(&entity->attrs, name);
    } else {
        return fault_type(env, at, BIT(CEDAR_RECORD) | BIT(CEDAR_ENTITY), of->type);
    }
    return *ret_found ? 1 : 0;
}

static int eval_get(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    const struct cedar_value *found = NULL;
    const struct cedar_entity *entity;
    struct cedar_value of;
    int rc = cedar_eval(env, e->args[0], &of);

    if (rc == 0)
        rc = attribute(env, e->args[0], &of, e->names[0], &found);
    if (rc < 0)
        return rc;
    if (found) {
        *ret = *found;
        return 0;
    }
    if (of.type == CEDAR_RECORD)
        return fault_missing(env, e, CEDAR_FAULT_NO_ATTR, NULL, e->names[0]);
    entity = lookup(env, of.entity);
    return fault_missing(env, e,
                         entity && entity->exists ? CEDAR_FAULT_NO_ATTR : CEDAR_FAULT_NO_ENTITY,
                         of.entity, e->names[0]);
}

static int eval_has(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value of;
    int rc = cedar_eval(env, e->args[0], &of);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < e->name_count; i++) {
        const struct cedar_value *found = NULL;

        rc = attribute(env, e, &of, e->names[i], &found);
        if (rc < 0)
            return rc;
        if (!found) {
            *ret = cedar_bool(false);
            return 0;
        }
        of = *found;
    }
    *ret = cedar_bool(true);
    return 0;
}

/* ---- logic ---- */

/* Stops at the first argument that decides; only what is reached must be a boolean. */
static int eval_logic(struct cedar_env *env, const struct cedar_expr *e, bool decides,
                      struct cedar_value *ret)
{
    for (size_t i = 0; i < e->arg_count; i++) {
        int rc = eval_as(env, e->args[i], CEDAR_BOOL, ret);

        if (rc < 0 || ret->boolean == decides)
            return rc;
    }
    return 0;
}

static int eval_if(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value test;
    int rc = eval_as(env, e->args[0], CEDAR_BOOL, &test);

    return rc < 0 ? rc : cedar_eval(env, e->args[test.boolean ? 1 : 2], ret);
}

static int eval_not(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    int rc = eval_as(env, e->args[0], CEDAR_BOOL, ret);

    if (rc == 0)
        ret->boolean = !ret->boolean;
    return rc;
}

/* ---- numbers and order ---- */

static int eval_arithmetic(struct cedar_env *env, const struct cedar_expr *e,
                           struct cedar_value *ret)
{
    int rc = eval_as(env, e->args[0], CEDAR_LONG, ret);

    for (size_t i = 1; rc == 0 && i < e->arg_count; i++) {
        struct cedar_value v;
        bool over;

        rc = eval_as(env, e->args[i], CEDAR_LONG, &v);
        if (rc < 0)
            return rc;
        if (e->op == CEDAR_OP_MUL)
            over = __builtin_mul_overflow(ret->number, v.number, &ret->number);
        else if (e->ops[i] == '-')
            over = __builtin_sub_overflow(ret->number, v.number, &ret->number);
        else
            over = __builtin_add_overflow(ret->number, v.number, &ret->number);
        if (over)
            rc = fault(env, e, CEDAR_FAULT_OVERFLOW);
    }
    return rc;
}

static int eval_neg(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    int rc = eval_as(env, e->args[0], CEDAR_LONG, ret);

    if (rc == 0 && __builtin_sub_overflow(0, ret->number, &ret->number))
        rc = fault(env, e, CEDAR_FAULT_OVERFLOW);
    return rc;
}

static bool is_ordered(enum cedar_type type)
{
    return type == CEDAR_LONG || type == CEDAR_DATETIME || type == CEDAR_DURATION;
}

static int eval_order(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value a, b;
    int rc = cedar_eval(env, e->args[0], &a);

    if (rc == 0)
        rc = cedar_eval(env, e->args[1], &b);
    if (rc < 0)
        return rc;
    if (!is_ordered(a.type) && !is_ordered(b.type))
        return fault_type(env, e->args[0],
                          BIT(CEDAR_LONG) | BIT(CEDAR_DATETIME) | BIT(CEDAR_DURATION), a.type);
    if (a.type != b.type)
        return is_ordered(a.type) ? fault_type(env, e->args[1], BIT(a.type), b.type)
                                  : fault_type(env, e->args[0], BIT(b.type), a.type);
    switch (e->op) {
    case CEDAR_OP_LT:
        *ret = cedar_bool(a.number < b.number);
        break;
    case CEDAR_OP_LE:
        *ret = cedar_bool(a.number <= b.number);
        break;
    case CEDAR_OP_GT:
        *ret = cedar_bool(a.number > b.number);
        break;
    default:
        *ret = cedar_bool(a.number >= b.number);
        break;
    }
    return 0;
}

static int eval_equal(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value a, b;
    int rc = cedar_eval(env, e->args[0], &a);

    if (rc == 0)
        rc = cedar_eval(env, e->args[1], &b);
    if (rc == 0)
        *ret = cedar_bool(cedar_value_eq(&a, &b) == (e->op == CEDAR_OP_EQ));
    return rc;
}

static int eval_like(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value text;
    int rc = eval_as(env, e->args[0], CEDAR_STRING, &text);

    if (rc == 0)
        *ret = cedar_bool(cedar_pattern_matches(e->pattern, text.string));
    return rc;
}

/* ---- sets and records ---- */

static int eval_args(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *values)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < e->arg_count; i++)
        rc = cedar_eval(env, e->args[i], &values[i]);
    return rc;
}

static int eval_set(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value *values = NULL;
    int rc = 0;

    if (e->arg_count > 0) {
        values = ARENA_ARRAY(env->arena, e->arg_count, struct cedar_value);
        rc = values ? eval_args(env, e, values) : -ENOMEM;
    }
    if (rc == 0)
        *ret = cedar_set_of(values, e->arg_count);
    return rc;
}

static int eval_record(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_field *fields = NULL;
    int rc = 0;

    if (e->arg_count > 0)
        fields = ARENA_ARRAY(env->arena, e->arg_count, struct cedar_field);
    if (e->arg_count > 0 && !fields)
        return -ENOMEM;
    for (size_t i = 0; rc == 0 && i < e->arg_count; i++) {
        fields[i].name = e->names[i];
        rc = cedar_eval(env, e->args[i], &fields[i].value);
    }
    *ret = (struct cedar_value){.type = CEDAR_RECORD, .record = {fields, e->arg_count}};
    return rc;
}

static int eval_contains(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value set, item;
    int rc = cedar_eval(env, e->args[0], &set);

    if (rc == 0)
        rc = cedar_eval(env, e->args[1], &item);
    if (rc == 0 && set.type != CEDAR_SET)
        rc = fault_type(env, e->args[0], BIT(CEDAR_SET), set.type);
    if (rc == 0)
        *ret = cedar_bool(cedar_set_has(&set, &item));
    return rc;
}

/* containsAll and containsAny: how many of b are in a. */
static int eval_contains_many(struct cedar_env *env, const struct cedar_expr *e,
                              struct cedar_value *ret)
{
    bool all = e->op == CEDAR_OP_CONTAINS_ALL, holds = all;
    struct cedar_value a, b;
    int rc = eval_as(env, e->args[0], CEDAR_SET, &a);

    if (rc == 0)
        rc = eval_as(env, e->args[1], CEDAR_SET, &b);
    if (rc < 0)
        return rc;
    for (size_t i = 0; holds == all && i < b.set.count; i++)
        holds = cedar_set_has(&a, &b.set.items[i]);
    *ret = cedar_bool(holds);
    return 0;
}

static int eval_is_empty(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    struct cedar_value set;
    int rc = eval_as(env, e->args[0], CEDAR_SET, &set);

    if (rc == 0)
        *ret = cedar_bool(set.set.count == 0);
    return rc;
}

static int eval_call(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    const struct cedar_ext_fn *fn = cedar_ext_at(e->fn);
    struct cedar_value on_stack[ARGS_ON_STACK], *args = on_stack;
    const char *why;
    int rc;

    if (e->arg_count > ARGS_ON_STACK)
        args = ARENA_ARRAY(env->arena, e->arg_count, struct cedar_value);
    rc = args ? eval_args(env, e, args) : -ENOMEM;
    if (rc < 0)
        return rc;
    if (e->arg_count != fn->arity)
        return fault(env, e, CEDAR_FAULT_ARITY);
    for (size_t i = 0; i < fn->arity; i++)
        if (args[i].type != fn->types[i])
            return fault_type(env, e->args[i], BIT(fn->types[i]), args[i].type);
    rc = cedar_ext_call(e->fn, args, env->arena, ret, &why);
    if (rc == -EINVAL) {
        fault(env, e, CEDAR_FAULT_EXT);
        env->fault.why = why;
    }
    return rc;
}

/* ---- all of it ---- */

static int eval_var(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    const struct cedar_request *r = env->request;

    switch ((enum cedar_var)e->var) {
    case CEDAR_VAR_PRINCIPAL:
        *ret = cedar_entity_ref(&r->principal);
        break;
    case CEDAR_VAR_ACTION:
        *ret = cedar_entity_ref(&r->action);
        break;
    case CEDAR_VAR_RESOURCE:
        *ret = cedar_entity_ref(&r->resource);
        break;
    case CEDAR_VAR_CONTEXT:
        *ret = r->context;
        break;
    }
    return 0;
}

static int eval_any_in(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    return eval_in(env, e, e->args[1], ret);
}

static int eval_and(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    return eval_logic(env, e, false, ret);
}

static int eval_or(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    return eval_logic(env, e, true, ret);
}

typedef int eval_fn(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret);

/* A table, not a switch: inlined into one function, all of them would share one large frame. A
 * literal has its value and never comes here. */
static eval_fn *const evaluators[CEDAR_OP_COUNT] = {
    [CEDAR_OP_VAR] = eval_var,
    [CEDAR_OP_IF] = eval_if,
    [CEDAR_OP_AND] = eval_and,
    [CEDAR_OP_OR] = eval_or,
    [CEDAR_OP_NOT] = eval_not,
    [CEDAR_OP_NEG] = eval_neg,
    [CEDAR_OP_EQ] = eval_equal,
    [CEDAR_OP_NE] = eval_equal,
    [CEDAR_OP_LT] = eval_order,
    [CEDAR_OP_LE] = eval_order,
    [CEDAR_OP_GT] = eval_order,
    [CEDAR_OP_GE] = eval_order,
    [CEDAR_OP_IN] = eval_any_in,
    [CEDAR_OP_SUM] = eval_arithmetic,
    [CEDAR_OP_MUL] = eval_arithmetic,
    [CEDAR_OP_HAS] = eval_has,
    [CEDAR_OP_GET] = eval_get,
    [CEDAR_OP_LIKE] = eval_like,
    [CEDAR_OP_IS] = eval_is,
    [CEDAR_OP_CONTAINS] = eval_contains,
    [CEDAR_OP_CONTAINS_ALL] = eval_contains_many,
    [CEDAR_OP_CONTAINS_ANY] = eval_contains_many,
    [CEDAR_OP_IS_EMPTY] = eval_is_empty,
    [CEDAR_OP_GET_TAG] = eval_tag,
    [CEDAR_OP_HAS_TAG] = eval_tag,
    [CEDAR_OP_SET] = eval_set,
    [CEDAR_OP_RECORD] = eval_record,
    [CEDAR_OP_CALL] = eval_call,
};

int cedar_eval(struct cedar_env *env, const struct cedar_expr *e, struct cedar_value *ret)
{
    if (e->value) {
        *ret = *e->value;
        return 0;
    }
    must(evaluators[e->op]);
    return evaluators[e->op](env, e, ret);
}

int cedar_eval_conditions(struct cedar_env *env, const struct cedar_body *body, bool *ret_satisfied,
                          size_t *ret_index)
{
    *ret_satisfied = false;
    for (size_t i = 0; i < body->condition_count; i++) {
        struct cedar_value v;
        int rc = eval_as(env, body->conditions[i].expr, CEDAR_BOOL, &v);

        *ret_index = i;
        if (rc < 0)
            return rc;
        if (v.boolean == body->conditions[i].unless)
            return 0;
    }
    *ret_index = body->condition_count;
    *ret_satisfied = true;
    return 0;
}

bool cedar_eval_scope(const struct cedar_env *env, const struct cedar_scope *scope, unsigned part)
{
    const struct cedar_request *r = env->request;
    const struct cedar_uid *uid = part == CEDAR_PART_PRINCIPAL ? &r->principal
                                  : part == CEDAR_PART_ACTION  ? &r->action
                                                               : &r->resource;

    switch (scope->op) {
    case CEDAR_SCOPE_ANY:
        return true;
    case CEDAR_SCOPE_EQ:
        return cedar_uid_eq(uid, scope->uids);
    case CEDAR_SCOPE_IS:
        return str_eq(uid->type, scope->type);
    case CEDAR_SCOPE_IS_IN:
        if (!str_eq(uid->type, scope->type))
            return false;
        break;
    case CEDAR_SCOPE_IN:
    case CEDAR_SCOPE_IN_LIST:
        break;
    }
    for (size_t i = 0; i < scope->count; i++)
        if (cedar_uid_eq(uid, &scope->uids[i]) ||
            cedar_entity_is_in(env->found[part], &scope->uids[i]))
            return true;
    return false;
}
