/*
 * est_policy.c: the JSON policy format into policies: scope, conditions, annotations. Expressions
 * are est_in.c's.
 */
#include "policy/cedar/est_read.h"

/* ---- scope ---- */

static int read_target(struct cedar_est_reader *r, const struct json *j, unsigned part,
                       struct cedar_scope *scope)
{
    const struct json *slot = json_get(j, "slot"), *entity = json_get(j, "entity");
    struct cedar_uid *uid;

    if (slot && !entity) {
        if (part == CEDAR_PART_ACTION || !json_is(slot, JSON_STRING) || slot->string.len < 1 ||
            slot->string.ptr[0] != '?' ||
            !str_is(str_slice(slot->string, 1, slot->string.len), cedar_part_name(part)))
            return err_set(r->err, EINVAL, "this slot cannot stand here");
        scope->slot = true;
        return 0;
    }
    if (!entity)
        return err_set(r->err, EINVAL, "\"entity\"%s is missing",
                       part == CEDAR_PART_ACTION ? "" : " or \"slot\"");
    uid = ARENA_NEW(r->arena, struct cedar_uid);
    if (!uid)
        return cedar_est_no_memory(r);
    scope->uids = uid;
    scope->count = 1;
    return cedar_est_in(r, "entity", cedar_uid_from_json(r->arena, entity, uid, r->err));
}

static int read_entities(struct cedar_est_reader *r, const struct json *list,
                         struct cedar_scope *scope)
{
    size_t n = list->array.count;
    struct cedar_uid *uids = ARENA_ARRAY(r->arena, MAX(n, (size_t)1), struct cedar_uid);

    if (!uids)
        return cedar_est_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        int rc = cedar_uid_from_json(r->arena, &list->array.items[i], &uids[i], r->err);

        if (rc < 0)
            return cedar_est_in(r, "entities", cedar_est_in_item(r, i, rc));
    }
    *scope = (struct cedar_scope){
        .op = n == 1 ? CEDAR_SCOPE_IN : CEDAR_SCOPE_IN_LIST, .uids = uids, .count = n};
    return 0;
}

static int read_is_scope(struct cedar_est_reader *r, const struct json *j, unsigned part,
                         struct cedar_scope *scope)
{
    static const char *const names[] = {"op", "entity_type", "in"};
    const struct json *inside = json_get(j, "in");
    int rc = cedar_est_only(r, j, names, 3);

    if (json_is(inside, JSON_NULL))
        inside = NULL;
    if (rc == 0)
        rc = cedar_est_want_type(r, j, "entity_type", &scope->type);
    scope->op = inside ? CEDAR_SCOPE_IS_IN : CEDAR_SCOPE_IS;
    if (rc == 0 && inside)
        rc = cedar_est_in(r, "in", read_target(r, inside, part, scope));
    return rc;
}

static int read_scope_op(struct cedar_est_reader *r, const struct json *j, unsigned part,
                         struct cedar_scope *scope)
{
    const struct json *op = json_get(j, "op"), *list = json_get(j, "entities");

    if (!json_is(op, JSON_STRING))
        return err_set(r->err, EINVAL, "\"op\" must be a string");
    if (str_is(op->string, "All") || str_is(op->string, "all"))
        return 0;
    if (str_is(op->string, "==")) {
        scope->op = CEDAR_SCOPE_EQ;
        return read_target(r, j, part, scope);
    }
    if (str_is(op->string, "in")) {
        scope->op = CEDAR_SCOPE_IN;
        if (part == CEDAR_PART_ACTION && json_is(list, JSON_ARRAY) && !json_get(j, "entity"))
            return read_entities(r, list, scope);
        return read_target(r, j, part, scope);
    }
    if (str_is(op->string, "is") && part != CEDAR_PART_ACTION)
        return read_is_scope(r, j, part, scope);
    return err_set(r->err, EINVAL, "\"op\" cannot be \"%.*s\" here", STR_FMT(op->string));
}

static int read_scope(struct cedar_est_reader *r, const struct json *policy, unsigned part,
                      struct cedar_scope *scope)
{
    const char *name = cedar_part_name(part);
    const struct json *j = json_get(policy, name);
    int rc;

    if (!json_is(j, JSON_OBJECT))
        return err_set(r->err, EINVAL, "\"%s\" must be an object", name);
    rc = cedar_est_in(r, name, read_scope_op(r, j, part, scope));
    for (size_t i = 0; rc == 0 && part == CEDAR_PART_ACTION && i < scope->count; i++)
        if (!cedar_name_is_action(scope->uids[i].type))
            rc = err_set(r->err, EINVAL, "action: %.*s is no type of actions",
                         STR_FMT(scope->uids[i].type));
    return rc;
}

/* ---- policies ---- */

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return s.len > 0;
}

static int read_annotations(struct cedar_est_reader *r, const struct json *j,
                            struct cedar_policy *ret)
{
    struct cedar_annotation *items;

    if (!j)
        return 0;
    if (j->type != JSON_OBJECT)
        return err_set(r->err, EINVAL, "\"annotations\" must be an object");
    items = ARENA_ARRAY(r->arena, MAX(j->object.count, (size_t)1), struct cedar_annotation);
    if (!items)
        return cedar_est_no_memory(r);
    for (size_t i = 0; i < j->object.count; i++) {
        const struct json_member *m = &j->object.members[i];
        int rc = cedar_est_keep(r, m->name, &items[i].name);

        if (rc == 0 && !is_word(m->name))
            rc = err_set(r->err, EINVAL, "annotations: \"%.*s\" is no name", STR_FMT(m->name));
        items[i].value = STR("");
        items[i].has_value = m->value.type == JSON_STRING;
        if (rc == 0 && items[i].has_value)
            rc = cedar_est_keep(r, m->value.string, &items[i].value);
        else if (rc == 0 && m->value.type != JSON_NULL)
            rc = err_set(r->err, EINVAL, "annotations: \"%.*s\" must be a string or null",
                         STR_FMT(m->name));
        if (rc < 0)
            return rc;
    }
    ret->annotations = items;
    ret->annotation_count = j->object.count;
    return 0;
}

static int read_condition(struct cedar_est_reader *r, const struct json *j,
                          struct cedar_condition *ret)
{
    static const char *const names[] = {"kind", "body"};
    const struct json *kind = json_get(j, "kind"), *body = json_get(j, "body");
    int rc = cedar_est_only(r, j, names, 2);

    if (rc < 0)
        return rc;
    ret->unless = json_is(kind, JSON_STRING) && str_is(kind->string, "unless");
    if (!ret->unless && !(json_is(kind, JSON_STRING) && str_is(kind->string, "when")))
        return err_set(r->err, EINVAL, "\"kind\" must be \"when\" or \"unless\"");
    if (!body)
        return err_set(r->err, EINVAL, "\"body\" is missing");
    return cedar_est_in(r, "body", cedar_est_expr(r, body, &ret->expr));
}

static int read_conditions(struct cedar_est_reader *r, const struct json *j,
                           struct cedar_body *body)
{
    struct cedar_condition *items;

    if (!json_is(j, JSON_ARRAY))
        return err_set(r->err, EINVAL, "\"conditions\" must be a list");
    items = ARENA_ARRAY(r->arena, MAX(j->array.count, (size_t)1), struct cedar_condition);
    if (!items)
        return cedar_est_no_memory(r);
    for (size_t i = 0; i < j->array.count; i++) {
        int rc = cedar_est_in_item(r, i, read_condition(r, &j->array.items[i], &items[i]));

        if (rc < 0)
            return cedar_est_in(r, "conditions", rc);
    }
    body->conditions = items;
    body->condition_count = j->array.count;
    return 0;
}

int cedar_est_read(struct arena *arena, const struct json *j, struct cedar_policy *ret,
                   struct err *err)
{
    static const char *const names[] = {"effect",   "principal",  "action",
                                        "resource", "conditions", "annotations"};
    struct cedar_body *body = ARENA_NEW(arena, struct cedar_body);
    struct cedar_est_reader r = {.arena = arena, .err = err};
    const struct json *effect = json_get(j, "effect");
    int rc = body ? cedar_est_only(&r, j, names, ARRAY_LEN(names)) : cedar_est_no_memory(&r);

    *ret = (struct cedar_policy){.body = body, .file = STR("")};
    if (rc < 0)
        return rc;
    if (json_is(effect, JSON_STRING) && str_is(effect->string, "forbid"))
        ret->effect = CEDAR_FORBID;
    else if (!json_is(effect, JSON_STRING) || !str_is(effect->string, "permit"))
        return err_set(err, EINVAL, "\"effect\" must be \"permit\" or \"forbid\"");
    for (unsigned part = 0; rc == 0 && part < CEDAR_PARTS; part++)
        rc = read_scope(&r, j, part, &body->scope[part]);
    if (rc == 0)
        rc = read_conditions(&r, json_get(j, "conditions"), body);
    if (rc == 0)
        rc = read_annotations(&r, json_get(j, "annotations"), ret);
    ret->is_template =
        body->scope[CEDAR_PART_PRINCIPAL].slot || body->scope[CEDAR_PART_RESOURCE].slot;
    return rc;
}
