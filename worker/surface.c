/*
 * surface.c: the tools as the model sees them.
 *
 * Runs in reeve-worker, behind its walls. Names, descriptions and schemas are the tool servers':
 * foreign. They are passed to the model as they are; no name decides here what may be called, the
 * broker does.
 */
#include "worker/surface.h"

#include "policy/text/names.h"

#define DESCRIPTION_MAX 4096

static bool may_show(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* '.' becomes "__", all else is as it was; cut so that `keep` bytes remain at most. */
static size_t show(struct str name, size_t keep, char *out)
{
    size_t i, n = 0;

    for (i = 0; i < name.len && n < keep; i++) {
        if (may_show(name.ptr[i])) {
            out[n++] = name.ptr[i];
        } else {
            out[n++] = '_';
            if (n < keep)
                out[n++] = '_';
        }
    }
    out[n] = '\0';
    return n;
}

int surface_add(struct surface *s, const struct json *list, struct err *err)
{
    const struct json *tools;
    struct surface_tool *more;
    size_t i;
    int rc = json_want(list, "tools", JSON_ARRAY, &tools, err);

    if (rc < 0)
        return rc;
    if (tools->array.count > SURFACE_TOOLS_MAX - s->count)
        return err_set(err, E2BIG, "more than %d tools are offered", SURFACE_TOOLS_MAX);
    more = realloc(s->tools, (s->count + tools->array.count + 1) * sizeof(*more));
    if (!more)
        return err_set(err, ENOMEM, "no memory for the list of tools");
    s->tools = more;
    for (i = 0; i < tools->array.count; i++) {
        const struct json *v = &tools->array.items[i];
        const struct json *schema = json_get(v, "inputSchema");
        struct surface_tool t = {.parameters = json_is(schema, JSON_OBJECT) ? schema : NULL};

        rc = json_want_str(v, "name", &t.name, err);
        if (rc >= 0)
            rc = json_str_or(v, "description", STR_NONE, &t.description, err);
        if (rc >= 0 && !name_is_tool(t.name))
            rc = err_set(err, EINVAL, "\"%.*s\" is no tool's name: %s", STR_FMT(t.name),
                         name_tool_rule_text);
        if (rc < 0)
            return err_wrap(err, "tool %zu of the list", i + 1);
        s->tools[s->count++] = t;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct surface_tool *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

static bool is_shown_before(const struct surface *s, size_t n, const char *shown)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (strcmp(s->tools[i].shown, shown) == 0)
            return true;
    return false;
}

/* Tries "name", then "name_2", "name_3" ...: with at most SURFACE_TOOLS_MAX tools one is free. */
static void show_apart(struct surface *s, size_t at)
{
    struct surface_tool *t = &s->tools[at];
    unsigned n = 1;

    show(t->name, SURFACE_NAME_MAX, t->shown);
    while (is_shown_before(s, at, t->shown)) {
        char end[16];
        size_t end_len = (size_t)snprintf(end, sizeof(end), "_%u", ++n);
        size_t len = show(t->name, SURFACE_NAME_MAX - end_len, t->shown);

        memcpy(t->shown + len, end, end_len + 1);
    }
}

int surface_finish(struct surface *s, struct err *err)
{
    size_t i;

    if (s->count > 0)
        qsort(s->tools, s->count, sizeof(s->tools[0]), by_name);
    for (i = 0; i < s->count; i++) {
        if (i > 0 && str_eq(s->tools[i].name, s->tools[i - 1].name))
            return err_set(err, EEXIST, "the tool %.*s is offered twice",
                           STR_FMT(s->tools[i].name));
        show_apart(s, i);
    }
    return 0;
}

void surface_release(struct surface *s)
{
    free(s->tools);
    *s = (struct surface){0};
}

const struct surface_tool *surface_find(const struct surface *s, struct str shown)
{
    size_t i;

    for (i = 0; i < s->count; i++)
        if (str_is(shown, s->tools[i].shown))
            return &s->tools[i];
    for (i = 0; i < s->count; i++) /* some models write the dot back */
        if (str_eq(shown, s->tools[i].name))
            return &s->tools[i];
    return NULL;
}

bool surface_guess(struct str shown, char ret[SURFACE_NAME_MAX + 1])
{
    size_t i, n = 0;
    bool parted = false;

    if (shown.len > SURFACE_NAME_MAX)
        return false;
    for (i = 0; i < shown.len; i++) {
        bool is_part =
            !parted && i > 0 && i + 2 < shown.len && shown.ptr[i] == '_' && shown.ptr[i + 1] == '_';

        ret[n++] = is_part ? '.' : shown.ptr[i];
        parted |= is_part || shown.ptr[i] == '.';
        i += is_part ? 1 : 0;
    }
    ret[n] = '\0';
    return parted && name_is_tool((struct str){ret, n});
}

/* A description is cut at a character, not in one. */
static struct str cut(struct str s, size_t max)
{
    if (s.len <= max)
        return s;
    s.len = max;
    while (s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80)
        s.len--;
    return s;
}

void surface_put(const struct surface *s, struct jout *j)
{
    size_t i;

    jout_array(j);
    for (i = 0; i < s->count; i++) {
        const struct surface_tool *t = &s->tools[i];

        jout_object(j);
        jout_m_cstr(j, "type", "function");
        jout_name(j, "function");
        jout_object(j);
        jout_m_cstr(j, "name", t->shown);
        if (t->description.len > 0)
            jout_m_str(j, "description", cut(t->description, DESCRIPTION_MAX));
        jout_name(j, "parameters");
        if (t->parameters)
            jout_json(j, t->parameters);
        else
            jout_raw(j, STR("{\"type\":\"object\"}"));
        jout_object_end(j);
        jout_object_end(j);
    }
    jout_array_end(j);
}

void surface_put_names(const struct surface *s, struct buf *out, size_t max_bytes)
{
    size_t i, start = out->len;

    for (i = 0; i < s->count; i++) {
        if (out->len - start + strlen(s->tools[i].shown) + 2 > max_bytes) {
            buf_cstr(out, ", ...");
            return;
        }
        buf_fmt(out, "%s%s", i > 0 ? ", " : "", s->tools[i].shown);
    }
}
