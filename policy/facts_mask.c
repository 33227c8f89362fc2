/*
 * facts_mask.c: what must not be seen is not written; the contract is in facts.h.
 */
#include "policy/facts.h"

#define DEPTH_MAX 64 /* of JSON: its parser refuses more */

struct masker {
    struct jout *j;
    struct strs paths;
    struct str at[DEPTH_MAX + 1]; /* names from the top; lists add none */
    size_t depth;
};

static bool matches(const struct masker *m, struct str path)
{
    struct str part;
    if (!str_split(&path, '.', &part) || !str_is(part, "input"))
        return false;
    for (size_t i = 0; i < m->depth; i++) {
        if (!str_split(&path, '.', &part) || !(str_is(part, "*") || str_eq(part, m->at[i])))
            return false;
    }
    return path.len == 0;
}

static bool is_masked(const struct masker *m)
{
    for (size_t i = 0; i < m->paths.count; i++) {
        if (matches(m, m->paths.items[i]))
            return true;
    }
    return false;
}

/* Recursion ends: depth is the parsed JSON's. */
static void put(struct masker *m, const struct json *v)
{
    bool has_parts = v->type == JSON_OBJECT || v->type == JSON_ARRAY;
    if (is_masked(m) || m->depth == DEPTH_MAX) {
        jout_cstr(m->j, "***");
        return;
    }
    if (!has_parts) {
        jout_json(m->j, v);
        return;
    }
    if (v->type == JSON_ARRAY) {
        jout_array(m->j);
        for (size_t i = 0; i < v->array.count; i++)
            put(m, &v->array.items[i]);
        jout_array_end(m->j);
        return;
    }
    jout_object(m->j);
    for (size_t i = 0; i < v->object.count; i++) {
        m->at[m->depth++] = v->object.members[i].name;
        jout_name_str(m->j, v->object.members[i].name);
        put(m, &v->object.members[i].value);
        m->depth--;
    }
    jout_object_end(m->j);
}

void facts_put_masked(struct jout *j, const struct json *input, struct strs paths)
{
    struct masker m = {.j = j, .paths = paths};
    if (!input)
        jout_null(j);
    else
        put(&m, input);
}
