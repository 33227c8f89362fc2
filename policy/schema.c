/*
 * schema.c: see schema.h: the walk through a value and its schema. Recursion is bounded by depth,
 * work by a count of visits; what each word means is in schema_rules.c.
 */
#include "policy/schema.h"

#include "policy/schema_words.h"
#include "policy/text/utf8.h"

/* ---- problems ---- */

static void put_path(struct schema_run *r)
{
    buf_cstr(r->problems, r->root_name);
    for (size_t i = 0; i < r->path_len; i++) {
        if (r->path[i].is_index) {
            buf_fmt(r->problems, "[%zu]", r->path[i].index);
            continue;
        }
        buf_char(r->problems, '.');
        utf8_put_visible(r->problems, r->path[i].name, 80);
    }
}

int schema_fail(struct schema_run *r, const char *fmt, ...)
{
    va_list ap;
    r->failures++;
    if (r->mute > 0)
        return 0;
    if (r->result->problem_count++ >= SCHEMA_PROBLEMS_MAX)
        return 0;
    put_path(r);
    buf_cstr(r->problems, ": ");
    va_start(ap, fmt);
    buf_vfmt(r->problems, fmt, ap);
    va_end(ap);
    buf_char(r->problems, '\n');
    return 0;
}

void schema_unchecked(struct schema_run *r, struct str word)
{
    if (r->result->unchecked)
        return;
    r->result->unchecked = true;
    if (str_copy(word, r->result->unchecked_word, sizeof(r->result->unchecked_word)) < 0)
        r->result->unchecked_word[0] = '\0';
}

int schema_charge(struct schema_run *r, size_t n)
{
    r->work += n;
    return r->work > SCHEMA_WORK_MAX ? err_set(r->err, E2BIG, "the schema takes too much work") : 0;
}

/* One step down to a member or an item. */
static int at(struct schema_run *r, struct schema_part part, const struct json *schema,
              const struct json *value)
{
    if (r->path_len == SCHEMA_PATH_MAX)
        return err_set(r->err, E2BIG, "the value is nested too deep");
    r->path[r->path_len++] = part;
    int rc = schema_visit(r, schema, value);
    r->path_len--;
    return rc;
}

int schema_at_name(struct schema_run *r, struct str name, const struct json *schema,
                   const struct json *value)
{
    return at(r, (struct schema_part){.name = name}, schema, value);
}

int schema_at_index(struct schema_run *r, size_t i, const struct json *schema,
                    const struct json *value)
{
    return at(r, (struct schema_part){.index = i, .is_index = true}, schema, value);
}

/* Whether value fits, without a word: 1, 0 or an error. */
int schema_quietly(struct schema_run *r, const struct json *schema, const struct json *value)
{
    size_t before = r->failures;
    r->mute++;
    int rc = schema_visit(r, schema, value);
    r->mute--;
    bool fits = r->failures == before;
    r->failures = before;
    return rc < 0 ? rc : fits;
}

/* A problem of the member `name` of the value at hand. */
int schema_fail_member(struct schema_run *r, struct str name, const char *what, struct str hint)
{
    bool room = r->path_len < SCHEMA_PATH_MAX;
    if (room)
        r->path[r->path_len++] = (struct schema_part){.name = name};
    int rc = hint.len > 0 ? schema_fail(r, "%s; did you mean `%.*s`?", what, STR_FMT(hint))
                          : schema_fail(r, "%s", what);
    if (room)
        r->path_len--;
    return rc;
}

/* ---- the walk ---- */

static int check_words(struct schema_run *r, const struct json *schema, const struct json *value)
{
    for (size_t i = 0; i < schema->object.count; i++) {
        const struct json_member *m = &schema->object.members[i];
        const struct schema_word *w = schema_word_find(m->name);
        if (!w)
            continue;
        if (w->unchecked)
            schema_unchecked(r, m->name);
        if (!w->check)
            continue;
        int rc = schema_word_shape(w, &m->value, r->err);
        if (rc == 0)
            rc = w->check(r, schema, &m->value, value);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int schema_visit(struct schema_run *r, const struct json *schema, const struct json *value)
{
    int rc = schema_charge(r, 1);
    if (rc < 0)
        return rc;
    if (json_is(schema, JSON_BOOL))
        return schema->boolean ? 0 : schema_fail(r, "must not be there");
    if (!json_is(schema, JSON_OBJECT))
        return err_set(r->err, ENOTSUP, "a schema is %s", json_type_name(schema->type));
    if (r->depth == SCHEMA_DEPTH_MAX)
        return err_set(r->err, E2BIG, "the schema refers to itself too deep");
    r->depth++;
    rc = check_words(r, schema, value);
    r->depth--;
    return rc;
}

int schema_check(const struct json *schema, const struct json *value, const char *root,
                 struct buf *problems, struct schema_result *ret, struct err *err)
{
    struct schema_run r = {
        .root = schema, .root_name = root, .problems = problems, .result = ret, .err = err};
    *ret = (struct schema_result){0};
    int rc = schema_visit(&r, schema, value);
    if (rc < 0)
        return rc;
    if (ret->problem_count > SCHEMA_PROBLEMS_MAX)
        buf_fmt(problems, "and %zu more\n", ret->problem_count - SCHEMA_PROBLEMS_MAX);
    ret->fits = r.failures == 0;
    return 0;
}
