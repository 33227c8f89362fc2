/*
 * schema_rules.c: what each word of JSON Schema asks of a value; see schema_words.h.
 */
#include "policy/decimal.h"
#include "policy/schema_words.h"
#include "policy/suggest.h"
#include "policy/text/utf8.h"

/* ---- any value ---- */

static bool is_number(const struct json *v)
{
    return v->type == JSON_INT || v->type == JSON_NUMBER;
}

static bool is_of_type(const struct json *v, struct str type)
{
    struct decimal d;
    if (str_is(type, "integer"))
        return is_number(v) && decimal_of(v->raw, &d) && decimal_is_whole(&d);
    if (str_is(type, "number"))
        return is_number(v);
    return (str_is(type, "string") && v->type == JSON_STRING) ||
           (str_is(type, "boolean") && v->type == JSON_BOOL) ||
           (str_is(type, "null") && v->type == JSON_NULL) ||
           (str_is(type, "array") && v->type == JSON_ARRAY) ||
           (str_is(type, "object") && v->type == JSON_OBJECT);
}

static const char *with_article(struct str type)
{
    return str_is(type, "integer")  ? "an integer"
           : str_is(type, "number") ? "a number"
           : str_is(type, "string") ? "a string"
           : str_is(type, "array")  ? "an array"
           : str_is(type, "object") ? "an object"
           : str_is(type, "null")   ? "null"
                                    : "a boolean";
}

static int check_type(struct schema_run *r, const struct json *schema, const struct json *v,
                      const struct json *value)
{
    char expected[128] = "";
    size_t n = v->type == JSON_STRING ? 1 : v->array.count;
    (void)schema;
    for (size_t i = 0; i < n; i++) {
        struct str type = v->type == JSON_STRING ? v->string : v->array.items[i].string;
        size_t used = strlen(expected);
        if (is_of_type(value, type))
            return 0;
        snprintf(expected + used, sizeof(expected) - used, "%s%s",
                 i == 0       ? ""
                 : i + 1 == n ? " or "
                              : ", ",
                 with_article(type));
    }
    return schema_fail(r, "expected %s, got %s", expected, json_type_name(value->type));
}

static int same(struct schema_run *r, const struct json *a, const struct json *b);

static int same_parts(struct schema_run *r, const struct json *a, const struct json *b)
{
    if (a->type == JSON_ARRAY) {
        int rc = a->array.count == b->array.count;
        for (size_t i = 0; i < a->array.count && rc > 0; i++)
            rc = same(r, &a->array.items[i], &b->array.items[i]);
        return rc;
    }
    int rc = a->object.count == b->object.count;
    for (size_t i = 0; i < a->object.count && rc > 0; i++) {
        const struct json *other = json_get_str(b, a->object.members[i].name);
        rc = schema_charge(r, b->object.count);
        if (rc == 0)
            rc = other ? same(r, &a->object.members[i].value, other) : 0;
    }
    return rc;
}

/* 1, 0 or an error. As deep as parsed JSON can be. */
static int same(struct schema_run *r, const struct json *a, const struct json *b)
{
    struct decimal x, y;
    int rc = schema_charge(r, 1);
    if (rc < 0)
        return rc;
    if (is_number(a) && is_number(b))
        return decimal_of(a->raw, &x) && decimal_of(b->raw, &y) && decimal_cmp(&x, &y) == 0;
    if (a->type != b->type)
        return 0;
    switch (a->type) {
    case JSON_STRING:
        return str_eq(a->string, b->string);
    case JSON_BOOL:
        return a->boolean == b->boolean;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return same_parts(r, a, b);
    default:
        return 1;
    }
}

static int check_const(struct schema_run *r, const struct json *schema, const struct json *v,
                       const struct json *value)
{
    (void)schema;
    int rc = same(r, v, value);
    return rc != 0 ? MIN(rc, 0)
                   : schema_fail(r, "must be %.*s", STR_FMT(str_slice(v->raw, 0, 100)));
}

static int check_enum(struct schema_run *r, const struct json *schema, const struct json *v,
                      const struct json *value)
{
    char expected[200] = "";
    (void)schema;
    for (size_t i = 0; i < v->array.count; i++) {
        size_t used = strlen(expected);
        int rc = same(r, &v->array.items[i], value);
        if (rc != 0)
            return MIN(rc, 0);
        if (i < 12)
            snprintf(expected + used, sizeof(expected) - used, "%s%.*s", i ? ", " : "",
                     STR_FMT(str_slice(v->array.items[i].raw, 0, 60)));
    }
    return schema_fail(r, "must be one of %s", expected);
}

/* ---- numbers ---- */

static int bound(struct schema_run *r, const struct json *v, const struct json *value, int sign,
                 bool exclusive)
{
    struct decimal limit, d;
    if (!is_number(value) || !is_number(v))
        return 0;
    if (!decimal_of(v->raw, &limit) || !decimal_of(value->raw, &d))
        return schema_fail(r, "the number is out of all bounds");
    int c = decimal_cmp(&d, &limit) * sign;
    if (c > 0 || (c == 0 && !exclusive))
        return 0;
    return schema_fail(r, "must be %s %.*s",
                       sign > 0    ? (exclusive ? "more than" : "at least")
                       : exclusive ? "less than"
                                   : "at most",
                       STR_FMT(str_slice(v->raw, 0, 40)));
}

static bool is_true(const struct json *v)
{
    return json_is(v, JSON_BOOL) && v->boolean;
}

static int check_minimum(struct schema_run *r, const struct json *schema, const struct json *v,
                         const struct json *value)
{
    return bound(r, v, value, 1, is_true(json_get(schema, "exclusiveMinimum")));
}

static int check_maximum(struct schema_run *r, const struct json *schema, const struct json *v,
                         const struct json *value)
{
    return bound(r, v, value, -1, is_true(json_get(schema, "exclusiveMaximum")));
}

static int check_above(struct schema_run *r, const struct json *schema, const struct json *v,
                       const struct json *value)
{
    (void)schema;
    return bound(r, v, value, 1, true);
}

static int check_below(struct schema_run *r, const struct json *schema, const struct json *v,
                       const struct json *value)
{
    (void)schema;
    return bound(r, v, value, -1, true);
}

static int check_multiple(struct schema_run *r, const struct json *schema, const struct json *v,
                          const struct json *value)
{
    struct decimal d, by;
    bool known = false;
    (void)schema;
    if (!is_number(value))
        return 0;
    bool good = decimal_of(value->raw, &d) && decimal_of(v->raw, &by) &&
                decimal_is_multiple(&d, &by, &known);
    if (good)
        return 0;
    if (!known) {
        schema_unchecked(r, STR("multipleOf"));
        return 0;
    }
    return schema_fail(r, "must be a multiple of %.*s", STR_FMT(str_slice(v->raw, 0, 40)));
}

/* ---- counts ---- */

static int count_bound(struct schema_run *r, const struct json *v, size_t n, bool is_min,
                       const char *what)
{
    struct decimal limit, d;
    char text[24];
    int len = snprintf(text, sizeof(text), "%zu", n);
    if (!decimal_of(v->raw, &limit) || !decimal_of((struct str){text, (size_t)len}, &d))
        return 0;
    int c = decimal_cmp(&d, &limit);
    if (is_min ? c >= 0 : c <= 0)
        return 0;
    return schema_fail(r, "must have at %s %.*s %s, has %zu", is_min ? "least" : "most",
                       STR_FMT(str_slice(v->raw, 0, 24)), what, n);
}

static int check_min_length(struct schema_run *r, const struct json *s, const struct json *v,
                            const struct json *value)
{
    (void)s;
    return value->type == JSON_STRING
               ? count_bound(r, v, utf8_count(value->string), true, "characters")
               : 0;
}

static int check_max_length(struct schema_run *r, const struct json *s, const struct json *v,
                            const struct json *value)
{
    (void)s;
    return value->type == JSON_STRING
               ? count_bound(r, v, utf8_count(value->string), false, "characters")
               : 0;
}

static int check_min_items(struct schema_run *r, const struct json *s, const struct json *v,
                           const struct json *value)
{
    (void)s;
    return value->type == JSON_ARRAY ? count_bound(r, v, value->array.count, true, "items") : 0;
}

static int check_max_items(struct schema_run *r, const struct json *s, const struct json *v,
                           const struct json *value)
{
    (void)s;
    return value->type == JSON_ARRAY ? count_bound(r, v, value->array.count, false, "items") : 0;
}

static int check_min_props(struct schema_run *r, const struct json *s, const struct json *v,
                           const struct json *value)
{
    (void)s;
    return value->type == JSON_OBJECT ? count_bound(r, v, value->object.count, true, "members") : 0;
}

static int check_max_props(struct schema_run *r, const struct json *s, const struct json *v,
                           const struct json *value)
{
    (void)s;
    return value->type == JSON_OBJECT ? count_bound(r, v, value->object.count, false, "members")
                                      : 0;
}

/* ---- objects ---- */

static int check_required(struct schema_run *r, const struct json *schema, const struct json *v,
                          const struct json *value)
{
    (void)schema;
    if (value->type != JSON_OBJECT)
        return 0;
    int rc = schema_charge(r, v->array.count * value->object.count);
    for (size_t i = 0; i < v->array.count && rc == 0; i++) {
        if (!json_get_str(value, v->array.items[i].string))
            rc = schema_fail_member(r, v->array.items[i].string, "is required, and missing",
                                    STR_NONE);
    }
    return rc;
}

static int check_dependent(struct schema_run *r, const struct json *schema, const struct json *v,
                           const struct json *value)
{
    int rc = 0;
    for (size_t i = 0; value->type == JSON_OBJECT && i < v->object.count && rc == 0; i++) {
        if (json_get_str(value, v->object.members[i].name))
            rc = check_required(r, schema, &v->object.members[i].value, value);
    }
    return rc;
}

static int check_properties(struct schema_run *r, const struct json *schema, const struct json *v,
                            const struct json *value)
{
    (void)schema;
    if (value->type != JSON_OBJECT)
        return 0;
    int rc = schema_charge(r, v->object.count * (value->object.count / 8 + 1));
    for (size_t i = 0; i < v->object.count && rc == 0; i++) {
        const struct json_member *m = &v->object.members[i];
        const struct json *member = json_get_str(value, m->name);
        if (member)
            rc = schema_at_name(r, m->name, &m->value, member);
    }
    return rc;
}

static int check_patterns(struct schema_run *r, const struct json *schema, const struct json *v,
                          const struct json *value)
{
    int rc = 0;
    (void)schema;
    for (size_t i = 0; value->type == JSON_OBJECT && i < v->object.count && rc == 0; i++) {
        struct str prefix;
        if (!schema_word_prefix(v->object.members[i].name, &prefix)) {
            schema_unchecked(r, STR("patternProperties"));
            continue;
        }
        for (size_t k = 0; k < value->object.count && rc == 0; k++) {
            const struct json_member *m = &value->object.members[k];
            rc = schema_charge(r, 1);
            if (rc == 0 && str_starts(m->name, prefix))
                rc = schema_at_name(r, m->name, &v->object.members[i].value, &m->value);
        }
    }
    return rc;
}

/* 1: `properties` or `patternProperties` speaks of the name; -1: a pattern that is not understood
 * may. */
static int is_named(const struct json *schema, struct str name)
{
    const struct json *patterns = json_get(schema, "patternProperties");
    if (json_get_str(json_get(schema, "properties"), name))
        return 1;
    int known = 0;
    for (size_t i = 0; json_is(patterns, JSON_OBJECT) && i < patterns->object.count; i++) {
        struct str prefix;
        if (!schema_word_prefix(patterns->object.members[i].name, &prefix))
            known = -1;
        else if (str_starts(name, prefix))
            return 1;
    }
    return known;
}

static int not_allowed(struct schema_run *r, const struct json *schema, struct str name)
{
    const struct json *properties = json_get(schema, "properties");
    struct suggest near;
    suggest_init(&near, name);
    for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < properties->object.count; i++)
        suggest_add(&near, properties->object.members[i].name);
    return schema_fail_member(r, name, "is not known", near.best);
}

static int check_additional(struct schema_run *r, const struct json *schema, const struct json *v,
                            const struct json *value)
{
    const struct json *properties = json_get(schema, "properties");
    size_t known = json_is(properties, JSON_OBJECT) ? properties->object.count : 0;
    if (value->type != JSON_OBJECT)
        return 0;
    int rc = schema_charge(r, value->object.count * (known / 8 + 1));
    for (size_t i = 0; i < value->object.count && rc == 0; i++) {
        const struct json_member *m = &value->object.members[i];
        int named = is_named(schema, m->name);
        if (named != 0)
            continue;
        rc = json_is(v, JSON_BOOL) && !v->boolean ? not_allowed(r, schema, m->name)
                                                  : schema_at_name(r, m->name, v, &m->value);
    }
    return rc;
}

static int check_names(struct schema_run *r, const struct json *schema, const struct json *v,
                       const struct json *value)
{
    int rc = 0;
    (void)schema;
    for (size_t i = 0; value->type == JSON_OBJECT && i < value->object.count && rc == 0; i++) {
        struct json name = {.type = JSON_STRING,
                            .raw = value->object.members[i].name,
                            .string = value->object.members[i].name};
        rc = schema_quietly(r, v, &name);
        if (rc == 0)
            rc = schema_fail(r, "`%.*s` cannot be a name here",
                             STR_FMT(str_slice(name.string, 0, 80)));
        rc = MIN(rc, 0);
    }
    return rc;
}

/* ---- lists ---- */

static int check_prefix(struct schema_run *r, const struct json *schema, const struct json *v,
                        const struct json *value)
{
    int rc = 0;
    (void)schema;
    for (size_t i = 0;
         value->type == JSON_ARRAY && i < MIN(v->array.count, value->array.count) && rc == 0; i++)
        rc = schema_at_index(r, i, &v->array.items[i], &value->array.items[i]);
    return rc;
}

static int check_rest(struct schema_run *r, const struct json *v, size_t from,
                      const struct json *value)
{
    int rc = 0;
    for (size_t i = from; value->type == JSON_ARRAY && i < value->array.count && rc == 0; i++)
        rc = schema_at_index(r, i, v, &value->array.items[i]);
    return rc;
}

static int check_items(struct schema_run *r, const struct json *schema, const struct json *v,
                       const struct json *value)
{
    const struct json *prefix = json_get(schema, "prefixItems");
    if (v->type == JSON_ARRAY)
        return check_prefix(r, schema, v, value);
    return check_rest(r, v, json_is(prefix, JSON_ARRAY) ? prefix->array.count : 0, value);
}

static int check_more_items(struct schema_run *r, const struct json *schema, const struct json *v,
                            const struct json *value)
{
    const struct json *items = json_get(schema, "items");
    return json_is(items, JSON_ARRAY) ? check_rest(r, v, items->array.count, value) : 0;
}

static int check_unique(struct schema_run *r, const struct json *schema, const struct json *v,
                        const struct json *value)
{
    (void)schema;
    if (!v->boolean || value->type != JSON_ARRAY)
        return 0;
    for (size_t i = 1; i < value->array.count; i++) {
        for (size_t k = 0; k < i; k++) {
            int rc = same(r, &value->array.items[i], &value->array.items[k]);
            if (rc < 0)
                return rc;
            if (rc > 0)
                return schema_fail(r, "items %zu and %zu are the same", k, i);
        }
    }
    return 0;
}

static int check_contains(struct schema_run *r, const struct json *schema, const struct json *v,
                          const struct json *value)
{
    const struct json *least = json_get(schema, "minContains"),
                      *most = json_get(schema, "maxContains");
    size_t n = 0;
    if (value->type != JSON_ARRAY)
        return 0;
    for (size_t i = 0; i < value->array.count; i++) {
        int rc = schema_quietly(r, v, &value->array.items[i]);
        if (rc < 0)
            return rc;
        n += rc > 0;
    }
    int rc =
        most ? count_bound(r, most, n, false, "items of the kind that `contains` asks for") : 0;
    if (rc == 0 && least)
        return count_bound(r, least, n, true, "items of the kind that `contains` asks for");
    return rc < 0 || n > 0 || least ? rc : schema_fail(r, "no item is what `contains` asks for");
}

/* ---- combinations ---- */

static int check_all_of(struct schema_run *r, const struct json *schema, const struct json *v,
                        const struct json *value)
{
    int rc = 0;
    (void)schema;
    for (size_t i = 0; i < v->array.count && rc == 0; i++)
        rc = schema_visit(r, &v->array.items[i], value);
    return rc;
}

static int count_fits(struct schema_run *r, const struct json *v, const struct json *value,
                      size_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < v->array.count; i++) {
        int rc = schema_quietly(r, &v->array.items[i], value);
        if (rc < 0)
            return rc;
        *ret += rc > 0;
    }
    return 0;
}

static int check_any_of(struct schema_run *r, const struct json *schema, const struct json *v,
                        const struct json *value)
{
    size_t n = 0;
    (void)schema;
    int rc = count_fits(r, v, value, &n);
    return rc < 0 || n > 0 ? rc
                           : schema_fail(r, "fits none of the %zu allowed forms", v->array.count);
}

static int check_one_of(struct schema_run *r, const struct json *schema, const struct json *v,
                        const struct json *value)
{
    size_t n = 0;
    (void)schema;
    int rc = count_fits(r, v, value, &n);
    if (rc < 0 || n == 1)
        return rc;
    return n == 0 ? schema_fail(r, "fits none of the %zu allowed forms", v->array.count)
                  : schema_fail(r, "fits %zu of the forms of which exactly one must fit", n);
}

static int check_not(struct schema_run *r, const struct json *schema, const struct json *v,
                     const struct json *value)
{
    (void)schema;
    int rc = schema_quietly(r, v, value);
    return rc <= 0 ? rc : schema_fail(r, "has a form that is ruled out");
}

static int check_if(struct schema_run *r, const struct json *schema, const struct json *v,
                    const struct json *value)
{
    int rc = schema_quietly(r, v, value);
    const struct json *branch = rc < 0 ? NULL : json_get(schema, rc > 0 ? "then" : "else");
    return branch ? schema_visit(r, branch, value) : MIN(rc, 0);
}

static int check_ref(struct schema_run *r, const struct json *schema, const struct json *v,
                     const struct json *value)
{
    (void)schema;
    const struct json *target = schema_word_ref(r->root, v->string, r->err);
    return target ? schema_visit(r, target, value) : -ENOTSUP;
}

/* ---- the walk ---- */

#define WORD(n, s, f)                           \
    {                                           \
        .name = (n), .shape = (s), .check = (f) \
    }
#define LATER(n, s)                                  \
    {                                                \
        .name = (n), .shape = (s), .unchecked = true \
    }
#define QUIET(n, s)               \
    {                             \
        .name = (n), .shape = (s) \
    }

static const struct schema_word words[] = {
    WORD("type", SHAPE_TYPE, check_type),
    WORD("enum", SHAPE_LIST, check_enum),
    WORD("const", SHAPE_ANY, check_const),
    WORD("properties", SHAPE_SCHEMA_MAP, check_properties),
    WORD("required", SHAPE_NAMES, check_required),
    WORD("additionalProperties", SHAPE_SCHEMA, check_additional),
    WORD("patternProperties", SHAPE_SCHEMA_MAP, check_patterns),
    WORD("propertyNames", SHAPE_SCHEMA, check_names),
    WORD("minProperties", SHAPE_COUNT, check_min_props),
    WORD("maxProperties", SHAPE_COUNT, check_max_props),
    WORD("dependentRequired", SHAPE_NAMES_MAP, check_dependent),
    WORD("items", SHAPE_ITEMS, check_items),
    WORD("prefixItems", SHAPE_SCHEMAS, check_prefix),
    WORD("additionalItems", SHAPE_SCHEMA, check_more_items),
    WORD("contains", SHAPE_SCHEMA, check_contains),
    QUIET("minContains", SHAPE_COUNT),
    QUIET("maxContains", SHAPE_COUNT),
    WORD("minItems", SHAPE_COUNT, check_min_items),
    WORD("maxItems", SHAPE_COUNT, check_max_items),
    WORD("uniqueItems", SHAPE_BOOL, check_unique),
    WORD("minLength", SHAPE_COUNT, check_min_length),
    WORD("maxLength", SHAPE_COUNT, check_max_length),
    WORD("minimum", SHAPE_NUMBER, check_minimum),
    WORD("maximum", SHAPE_NUMBER, check_maximum),
    WORD("exclusiveMinimum", SHAPE_NUMBER_OR_BOOL, check_above),
    WORD("exclusiveMaximum", SHAPE_NUMBER_OR_BOOL, check_below),
    WORD("multipleOf", SHAPE_NUMBER, check_multiple),
    WORD("allOf", SHAPE_SCHEMAS, check_all_of),
    WORD("anyOf", SHAPE_SCHEMAS, check_any_of),
    WORD("oneOf", SHAPE_SCHEMAS, check_one_of),
    WORD("not", SHAPE_SCHEMA, check_not),
    WORD("if", SHAPE_SCHEMA, check_if),
    QUIET("then", SHAPE_SCHEMA),
    QUIET("else", SHAPE_SCHEMA),
    WORD("$ref", SHAPE_REF, check_ref),
    QUIET("$defs", SHAPE_SCHEMA_MAP),
    QUIET("definitions", SHAPE_SCHEMA_MAP),
    LATER("pattern", SHAPE_STRING),
    LATER("format", SHAPE_STRING),
    LATER("unevaluatedProperties", SHAPE_SCHEMA),
    LATER("unevaluatedItems", SHAPE_SCHEMA),
    LATER("dependentSchemas", SHAPE_SCHEMA_MAP),
    LATER("dependencies", SHAPE_ANY),
    LATER("contentEncoding", SHAPE_STRING),
    LATER("contentMediaType", SHAPE_STRING),
    LATER("contentSchema", SHAPE_SCHEMA),
    LATER("$dynamicRef", SHAPE_STRING),
    LATER("$recursiveRef", SHAPE_STRING),
};

const struct schema_word *schema_word_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_is(name, words[i].name))
            return &words[i];
    }
    return NULL;
}
