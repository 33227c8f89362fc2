/*
 * schema_words.c: see schema_words.h; and whether a schema as a whole can be used.
 */
#include "policy/schema_words.h"

#include "policy/decimal.h"

static bool is_schema(const struct json *v)
{
    return v->type == JSON_OBJECT || v->type == JSON_BOOL;
}

static bool is_type_name(const struct json *v)
{
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    for (size_t i = 0; v->type == JSON_STRING && i < ARRAY_LEN(names); i++) {
        if (str_is(v->string, names[i]))
            return true;
    }
    return false;
}

static bool is_string(const struct json *v)
{
    return v->type == JSON_STRING;
}

static bool is_name_list(const struct json *v);

static bool every(const struct json *v, bool (*is)(const struct json *v))
{
    for (size_t i = 0; v->type == JSON_ARRAY && i < v->array.count; i++) {
        if (!is(&v->array.items[i]))
            return false;
    }
    for (size_t i = 0; v->type == JSON_OBJECT && i < v->object.count; i++) {
        if (!is(&v->object.members[i].value))
            return false;
    }
    return true;
}

static bool is_name_list(const struct json *v)
{
    return v->type == JSON_ARRAY && every(v, is_string);
}

static bool is_number(const struct json *v)
{
    struct decimal d;
    return (v->type == JSON_INT || v->type == JSON_NUMBER) && decimal_of(v->raw, &d);
}

static bool is_count(const struct json *v)
{
    struct decimal d;
    return is_number(v) && decimal_of(v->raw, &d) && !d.negative && decimal_is_whole(&d);
}

static bool has_shape(enum schema_shape shape, const struct json *v)
{
    switch (shape) {
    case SHAPE_TYPE:
        return is_type_name(v) ||
               (v->type == JSON_ARRAY && v->array.count > 0 && every(v, is_type_name));
    case SHAPE_COUNT:
        return is_count(v);
    case SHAPE_NUMBER:
        return is_number(v);
    case SHAPE_NUMBER_OR_BOOL:
        return is_number(v) || v->type == JSON_BOOL;
    case SHAPE_BOOL:
        return v->type == JSON_BOOL;
    case SHAPE_STRING:
    case SHAPE_REF:
        return v->type == JSON_STRING;
    case SHAPE_LIST:
        return v->type == JSON_ARRAY;
    case SHAPE_NAMES:
        return is_name_list(v);
    case SHAPE_NAMES_MAP:
        return v->type == JSON_OBJECT && every(v, is_name_list);
    case SHAPE_SCHEMA:
        return is_schema(v);
    case SHAPE_SCHEMAS:
        return v->type == JSON_ARRAY && v->array.count > 0 && every(v, is_schema);
    case SHAPE_SCHEMA_MAP:
        return v->type == JSON_OBJECT && every(v, is_schema);
    case SHAPE_ITEMS:
        return is_schema(v) || (v->type == JSON_ARRAY && every(v, is_schema));
    default:
        return true;
    }
}

int schema_word_shape(const struct schema_word *w, const struct json *v, struct err *err)
{
    return has_shape(w->shape, v)
               ? 0
               : err_set(err, ENOTSUP, "the schema's `%s` is not what it must be", w->name);
}

bool schema_word_prefix(struct str pattern, struct str *ret)
{
    if (pattern.len == 0 || pattern.ptr[0] != '^')
        return false;
    *ret = str_slice(pattern, 1, pattern.len);
    for (size_t i = 0; i < ret->len; i++) {
        char c = ret->ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* One part of a JSON pointer, unescaped: `~1` is `/`, `~0` is `~`. */
static bool pointer_part(struct str s, char *text, size_t size, struct str *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '~' && i + 1 < s.len && (s.ptr[i + 1] == '0' || s.ptr[i + 1] == '1'))
            c = s.ptr[++i] == '0' ? '~' : '/';
        else if (c == '~' || c == '%')
            return false;
        if (n == size)
            return false;
        text[n++] = c;
    }
    *ret = (struct str){text, n};
    return true;
}

static const struct json *pointer_step(const struct json *v, struct str part)
{
    size_t index = 0;
    if (v->type == JSON_OBJECT)
        return json_get_str(v, part);
    if (v->type != JSON_ARRAY || part.len == 0 || part.len > 6)
        return NULL;
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] < '0' || part.ptr[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(part.ptr[i] - '0');
    }
    return index < v->array.count ? &v->array.items[index] : NULL;
}

const struct json *schema_word_ref(const struct json *root, struct str ref, struct err *err)
{
    char text[256];
    struct str part;
    if (str_is(ref, "#"))
        return root;
    if (!str_starts(ref, STR("#/"))) {
        err_set(err, ENOTSUP,
                "the schema refers to \"%.*s\", which is not within it: it is not followed",
                STR_FMT(str_slice(ref, 0, 100)));
        return NULL;
    }
    struct str rest = str_slice(ref, 2, ref.len);
    const struct json *v = root;
    while (v && str_split(&rest, '/', &part))
        v = pointer_part(part, text, sizeof(text), &part) ? pointer_step(v, part) : NULL;
    if (!v || !is_schema(v)) {
        err_set(err, ENOTSUP, "the schema refers to \"%.*s\", where no schema is",
                STR_FMT(str_slice(ref, 0, 100)));
        return NULL;
    }
    return v;
}

/* ---- the whole schema ---- */

static int usable(const struct json *root, const struct json *schema, struct err *err);

static int usable_parts(const struct json *root, enum schema_shape shape, const struct json *v,
                        struct err *err)
{
    int rc = 0;
    if (shape == SHAPE_SCHEMA || (shape == SHAPE_ITEMS && v->type != JSON_ARRAY))
        return usable(root, v, err);
    if (shape == SHAPE_SCHEMAS || shape == SHAPE_ITEMS) {
        for (size_t i = 0; i < v->array.count && rc == 0; i++)
            rc = usable(root, &v->array.items[i], err);
    } else if (shape == SHAPE_SCHEMA_MAP) {
        for (size_t i = 0; i < v->object.count && rc == 0; i++)
            rc = usable(root, &v->object.members[i].value, err);
    } else if (shape == SHAPE_REF) {
        rc = schema_word_ref(root, v->string, err) ? 0 : -ENOTSUP;
    }
    return rc;
}

/* Follows the text, not the references: as deep as the JSON is. */
static int usable(const struct json *root, const struct json *schema, struct err *err)
{
    if (!is_schema(schema))
        return err_set(err, ENOTSUP, "a schema is %s", json_type_name(schema->type));
    for (size_t i = 0; schema->type == JSON_OBJECT && i < schema->object.count; i++) {
        const struct schema_word *w = schema_word_find(schema->object.members[i].name);
        const struct json *v = &schema->object.members[i].value;
        int rc = w ? schema_word_shape(w, v, err) : 0;
        if (rc == 0 && w)
            rc = usable_parts(root, w->shape, v, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int schema_is_usable(const struct json *schema, struct err *err)
{
    return usable(schema, schema, err);
}
