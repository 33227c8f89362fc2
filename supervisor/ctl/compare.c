/*
 * compare.c: see compare.h. Runs in reeve. Depth is bounded by what json_parse lets in.
 */
#include "supervisor/ctl/compare.h"

#define PATH_MAX_BYTES ((size_t)64 << 10)
#define ITEMS_MAX      2000 /* longer lists are compared as a whole */

struct compare {
    struct buf path;
    compare_fn *fn;
    void *arg;
    int count;
};

static void differ(struct compare *c, const struct json *from, const struct json *to)
{
    c->count++;
    c->fn(c->arg, buf_str(&c->path), from, to);
}

static void value(struct compare *c, const struct json *from, const struct json *to);

/* Appends to the path for one look below, and takes it back. */
static void below(struct compare *c, const char *before, struct str name, const char *after,
                  const struct json *from, const struct json *to)
{
    size_t len = c->path.len;
    buf_fmt(&c->path, "%s%.*s%s", len || *before == '[' ? before : "", STR_FMT(name), after);
    value(c, from, to);
    if (buf_status(&c->path) >= 0)
        buf_truncate(&c->path, len);
}

static void objects(struct compare *c, const struct json *from, const struct json *to)
{
    for (size_t i = 0; i < from->object.count; i++) {
        const struct json_member *m = &from->object.members[i];
        below(c, ".", m->name, "", &m->value, json_get_str(to, m->name));
    }
    for (size_t i = 0; i < to->object.count; i++) {
        const struct json_member *m = &to->object.members[i];
        if (!json_get_str(from, m->name))
            below(c, ".", m->name, "", NULL, &m->value);
    }
}

/* The name of an item of a list; absent: the list is none of named things. */
static struct str name_of(const struct json *item)
{
    const struct json *name = json_is(item, JSON_OBJECT) ? json_get(item, "name") : NULL;
    return json_is(name, JSON_STRING) ? name->string : STR_NONE;
}

static bool is_named(const struct json *list)
{
    for (size_t i = 0; i < list->array.count; i++)
        if (!name_of(&list->array.items[i]).len)
            return false;
    return true;
}

static const struct json *item_named(const struct json *list, struct str name)
{
    for (size_t i = 0; i < list->array.count; i++)
        if (str_eq(name_of(&list->array.items[i]), name))
            return &list->array.items[i];
    return NULL;
}

static void named_lists(struct compare *c, const struct json *from, const struct json *to)
{
    for (size_t i = 0; i < from->array.count; i++) {
        struct str name = name_of(&from->array.items[i]);
        below(c, "[", name, "]", &from->array.items[i], item_named(to, name));
    }
    for (size_t i = 0; i < to->array.count; i++) {
        struct str name = name_of(&to->array.items[i]);
        if (!item_named(from, name))
            below(c, "[", name, "]", NULL, &to->array.items[i]);
    }
}

static bool holds(const struct json *list, const struct json *item)
{
    for (size_t i = 0; i < list->array.count; i++)
        if (str_eq(list->array.items[i].raw, item->raw))
            return true;
    return false;
}

static void plain_lists(struct compare *c, const struct json *from, const struct json *to)
{
    int before = c->count;
    for (size_t i = 0; i < from->array.count; i++)
        if (!holds(to, &from->array.items[i]))
            differ(c, &from->array.items[i], NULL);
    for (size_t i = 0; i < to->array.count; i++)
        if (!holds(from, &to->array.items[i]))
            differ(c, NULL, &to->array.items[i]);
    if (c->count == before) /* the same items in another order, or another number of them */
        differ(c, from, to);
}

static void value(struct compare *c, const struct json *from, const struct json *to)
{
    if (from && to && str_eq(from->raw, to->raw))
        return;
    bool lists = json_is(from, JSON_ARRAY) && json_is(to, JSON_ARRAY) &&
                 from->array.count <= ITEMS_MAX && to->array.count <= ITEMS_MAX;
    if (json_is(from, JSON_OBJECT) && json_is(to, JSON_OBJECT))
        objects(c, from, to);
    else if (lists && is_named(from) && is_named(to))
        named_lists(c, from, to);
    else if (lists)
        plain_lists(c, from, to);
    else
        differ(c, from, to);
}

int compare_json(const struct json *from, const struct json *to, compare_fn *fn, void *arg)
{
    struct compare c = {.fn = fn, .arg = arg};
    buf_init(&c.path, PATH_MAX_BYTES);
    value(&c, from, to);
    int e = buf_status(&c.path);
    buf_release(&c.path);
    return e < 0 ? e : c.count;
}
