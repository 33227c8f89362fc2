/*
 * cjson.c: JSON to values and back. Depth is bounded by the JSON that was read (64).
 */
#include "policy/cedar/cjson.h"

#include "policy/cedar/ext.h"

#define VALUE_DEPTH_MAX 128 /* beyond what json_parse lets through */

struct reader {
    struct arena *arena;
    const struct cedar_json_rules *rules;
    unsigned depth;
    struct err *err;
};

static int read_value(struct reader *r, const struct json *j, const struct json *schema,
                      struct cedar_value *ret);

/* ---- where it went wrong: the path is put together on the way back ---- */

static int at_member(struct reader *r, struct str name, int rc)
{
    if (rc < 0 && rc != -ENOMEM)
        err_wrap(r->err, "%.*s", (int)MIN(name.len, (size_t)64), name.ptr ? name.ptr : "");
    return rc;
}

static int at_item(struct reader *r, size_t index, int rc)
{
    if (rc < 0 && rc != -ENOMEM)
        err_wrap(r->err, "[%zu]", index);
    return rc;
}

static int no_memory(struct reader *r)
{
    return err_set(r->err, ENOMEM, "no memory for the values");
}

/* ---- escapes ---- */

static const struct json *lone_member(const struct json *j, const char *name)
{
    if (j->type != JSON_OBJECT || j->object.count != 1 || !str_is(j->object.members[0].name, name))
        return NULL;
    return &j->object.members[0].value;
}

static bool is_type_and_id(const struct json *j)
{
    return json_is(json_get(j, "type"), JSON_STRING) && json_is(json_get(j, "id"), JSON_STRING);
}

static int read_uid(struct reader *r, const struct json *j, struct cedar_uid *ret)
{
    int rc = cedar_uid_make(r->arena, json_get(j, "type")->string, json_get(j, "id")->string, ret,
                            r->err);

    return rc;
}

static int read_entity(struct reader *r, const struct json *j, struct cedar_value *ret)
{
    struct cedar_uid *uid = ARENA_NEW(r->arena, struct cedar_uid);

    if (!uid)
        return no_memory(r);
    *ret = cedar_entity_ref(uid);
    return read_uid(r, j, uid);
}

static int call_extension(struct reader *r, struct str name, const struct cedar_value *args,
                          size_t n, struct cedar_value *ret)
{
    int fn = cedar_ext_find(name), rc;
    const struct cedar_ext_fn *info;
    const char *why;

    if (fn < 0)
        return err_set(r->err, EINVAL, "there is no extension function \"%.*s\"", STR_FMT(name));
    info = cedar_ext_at((unsigned)fn);
    if (n != info->arity)
        return err_set(r->err, EINVAL, "%s takes %u argument%s, not %zu", info->name, info->arity,
                       info->arity == 1 ? "" : "s", n);
    for (size_t i = 0; i < n; i++)
        if (args[i].type != info->types[i])
            return err_set(r->err, EINVAL, "%s takes %s, not %s", info->name,
                           cedar_type_name(info->types[i]), cedar_type_name(args[i].type));
    rc = cedar_ext_call((unsigned)fn, args, r->arena, ret, &why);
    if (rc == -ENOMEM)
        return no_memory(r);
    return rc < 0 ? err_set(r->err, EINVAL, "%s: %s", info->name, why) : 0;
}

/* {fn, arg} or {fn, args}; `arg` is looked at first, as Cedar does. */
static int read_extension(struct reader *r, const struct json *j, struct cedar_value *ret)
{
    const struct json *arg = json_get(j, "arg"), *args = json_get(j, "args");
    size_t n = arg ? 1 : args->array.count;
    struct cedar_value *values = ARENA_ARRAY(r->arena, MAX(n, (size_t)1), struct cedar_value);
    int rc = 0;

    if (!values)
        return no_memory(r);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = at_item(r, i, read_value(r, arg ? arg : &args->array.items[i], NULL, &values[i]));
    return rc < 0 ? rc : call_extension(r, json_get(j, "fn")->string, values, n, ret);
}

/* 1: an escape, read into *ret; 0: a record like any other. */
static int read_escape(struct reader *r, const struct json *j, struct cedar_value *ret)
{
    const struct json *in = lone_member(j, "__entity");
    int rc;

    if (in && is_type_and_id(in)) {
        rc = at_member(r, STR("__entity"), read_entity(r, in, ret));
        return rc < 0 ? rc : 1;
    }
    in = lone_member(j, "__extn");
    if (in && json_is(json_get(in, "fn"), JSON_STRING) &&
        (json_get(in, "arg") || json_is(json_get(in, "args"), JSON_ARRAY))) {
        rc = at_member(r, STR("__extn"), read_extension(r, in, ret));
        return rc < 0 ? rc : 1;
    }
    in = lone_member(j, "__expr");
    if (in && in->type == JSON_STRING)
        return err_set(r->err, EINVAL,
                       "the __expr escape is no longer part of Cedar: use "
                       "__entity, __extn or plain JSON");
    return 0;
}

/* ---- values ---- */

static const struct json *property_schema(const struct json *schema, struct str name)
{
    const struct json *found = json_get_str(json_get(schema, "properties"), name);

    return found ? found : json_get(schema, "additionalProperties");
}

/* `"type":"number"`, also in a list of types; `integer` beside it changes nothing. */
static bool is_number_schema(const struct json *schema)
{
    const struct json *type = json_get(schema, "type");

    if (json_is(type, JSON_STRING))
        return str_is(type->string, "number");
    for (size_t i = 0; json_is(type, JSON_ARRAY) && i < type->array.count; i++)
        if (json_is(&type->array.items[i], JSON_STRING) &&
            str_is(type->array.items[i].string, "number"))
            return true;
    return false;
}

static int read_number(struct reader *r, const struct json *j, const struct json *schema,
                       struct cedar_value *ret)
{
    if (j->type == JSON_INT && !is_number_schema(schema)) {
        *ret = cedar_long(j->integer);
        return 0;
    }
    if (r->rules->fractions && str_is(j->raw, "-0") && !is_number_schema(schema)) {
        *ret = cedar_long(0);
        return 0;
    }
    if (!r->rules->fractions)
        return err_set(r->err, EINVAL, "%.*s is no 64-bit integer",
                       (int)MIN(j->raw.len, (size_t)64), j->raw.ptr);
    if (j->type == JSON_NUMBER && str_find(j->raw, '.', 0) < 0 && !is_number_schema(schema))
        return err_set(r->err, ERANGE, "%.*s is no 64-bit integer (and an exponent is not read)",
                       (int)MIN(j->raw.len, (size_t)64), j->raw.ptr);
    return cedar_decimal_parse(j->raw, ret, r->err);
}

static int read_array(struct reader *r, const struct json *j, const struct json *schema,
                      struct cedar_value *ret)
{
    size_t n = j->array.count;
    const struct json *items = json_get(schema, "items");
    struct cedar_value *values = NULL;

    if (n > 0) {
        values = ARENA_ARRAY(r->arena, n, struct cedar_value);
        if (!values)
            return no_memory(r);
    }
    for (size_t i = 0; i < n; i++) {
        int rc = at_item(r, i, read_value(r, &j->array.items[i], items, &values[i]));

        if (rc < 0)
            return rc;
    }
    *ret = cedar_set_of(values, n);
    return 0;
}

static int read_object(struct reader *r, const struct json *j, const struct json *schema,
                       struct cedar_value *ret)
{
    struct cedar_rec rec;
    int rc;

    if (r->rules->escapes) {
        rc = read_escape(r, j, ret);
        if (rc != 0)
            return MIN(rc, 0);
    }
    cedar_rec_begin(&rec, r->arena);
    cedar_rec_reserve(&rec, j->object.count);
    for (size_t i = 0; i < j->object.count; i++) {
        const struct json_member *m = &j->object.members[i];
        struct cedar_value v;

        if (r->rules->drop_null && m->value.type == JSON_NULL)
            continue;
        rc = at_member(
            r, m->name,
            read_value(r, &m->value, schema ? property_schema(schema, m->name) : NULL, &v));
        if (rc < 0)
            return rc;
        cedar_rec_add(&rec, m->name, v);
    }
    return cedar_rec_end(&rec, ret, r->err);
}

static int read_value(struct reader *r, const struct json *j, const struct json *schema,
                      struct cedar_value *ret)
{
    int rc = 0;

    if (++r->depth > VALUE_DEPTH_MAX)
        return err_set(r->err, E2BIG, "nested over %d levels", VALUE_DEPTH_MAX);
    switch (j->type) {
    case JSON_NULL:
        rc = err_set(r->err, EINVAL, "null is no Cedar value");
        break;
    case JSON_BOOL:
        *ret = cedar_bool(j->boolean);
        break;
    case JSON_INT:
    case JSON_NUMBER:
        rc = read_number(r, j, schema, ret);
        break;
    case JSON_STRING:
        *ret = cedar_string(j->string);
        break;
    case JSON_ARRAY:
        rc = read_array(r, j, schema, ret);
        break;
    case JSON_OBJECT:
        rc = read_object(r, j, schema, ret);
        break;
    }
    r->depth--;
    return rc;
}

int cedar_value_from_json(struct arena *arena, const struct json *j,
                          const struct cedar_json_rules *rules, struct cedar_value *ret,
                          struct err *err)
{
    struct reader r = {.arena = arena, .rules = rules, .err = err};

    return read_value(&r, j, rules->schema, ret);
}

int cedar_uid_from_json(struct arena *arena, const struct json *j, struct cedar_uid *ret,
                        struct err *err)
{
    static const struct cedar_json_rules rules = CEDAR_JSON_CEDAR;
    struct reader r = {.arena = arena, .rules = &rules, .err = err};
    const struct json *in = json_get(j, "__entity");

    in = in ? in : j;
    if (!is_type_and_id(in))
        return err_set(err, EINVAL, "expected an entity: {\"type\":\"...\",\"id\":\"...\"}");
    return read_uid(&r, in, ret);
}

/* ---- back ---- */

void cedar_uid_to_json(struct jout *j, const struct cedar_uid *uid)
{
    jout_object(j);
    jout_m_str(j, "type", uid->type);
    jout_m_str(j, "id", uid->id);
    jout_object_end(j);
}

static void extension_to_json(struct jout *j, const struct cedar_value *v)
{
    char text[CEDAR_EXT_TEXT];
    const char *name = cedar_ext_arg(v, text);

    jout_object(j);
    jout_name(j, "__extn");
    jout_object(j);
    if (name) {
        jout_m_cstr(j, "fn", name);
        jout_m_cstr(j, "arg", text);
    } else { /* a datetime that no text gives */
        struct cedar_value since = cedar_duration(v->number), epoch = cedar_datetime(0);

        jout_m_cstr(j, "fn", "offset");
        jout_name(j, "args");
        jout_array(j);
        extension_to_json(j, &epoch);
        extension_to_json(j, &since);
        jout_array_end(j);
    }
    jout_object_end(j);
    jout_object_end(j);
}

void cedar_value_to_json(struct jout *j, const struct cedar_value *v)
{
    switch (v->type) {
    case CEDAR_BOOL:
        jout_bool(j, v->boolean);
        break;
    case CEDAR_LONG:
        jout_i64(j, v->number);
        break;
    case CEDAR_STRING:
        jout_str(j, v->string);
        break;
    case CEDAR_ENTITY:
        jout_object(j);
        jout_name(j, "__entity");
        cedar_uid_to_json(j, v->entity);
        jout_object_end(j);
        break;
    case CEDAR_SET:
        jout_array(j);
        for (size_t i = 0; i < v->set.count; i++)
            cedar_value_to_json(j, &v->set.items[i]);
        jout_array_end(j);
        break;
    case CEDAR_RECORD:
        jout_object(j);
        for (size_t i = 0; i < v->record.count; i++) {
            jout_name_str(j, v->record.fields[i].name);
            cedar_value_to_json(j, &v->record.fields[i].value);
        }
        jout_object_end(j);
        break;
    case CEDAR_DECIMAL:
    case CEDAR_IP:
    case CEDAR_DATETIME:
    case CEDAR_DURATION:
        extension_to_json(j, v);
        break;
    }
}
