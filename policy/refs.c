/*
 * refs.c: see refs.h. The JSON policy format is walked, since it shows every entity and every call
 * in one way.
 */
#include "policy/refs.h"

#include "policy/cedar/cedar.h"
#include "policy/suggest.h"

struct walk {
    const struct link *link;
    const struct cedar_policy *policy;
    struct arena *arena;
};

/* ---- where ---- */

/* The literal `::"id"` (or "text" of a call) in the policy's source, as it is written when nothing
 * in it is escaped. */
static void locate(const struct walk *w, const char *before, struct str id, size_t *file,
                   size_t *from, size_t *to)
{
    const struct diags *d = w->link->diags;
    *file = SIZE_MAX;
    *from = *to = 0;
    for (size_t i = 0; i < d->file_count; i++) {
        if (str_is(w->policy->file, d->files[i].name))
            *file = i;
    }
    if (*file == SIZE_MAX)
        return;
    struct str text = {d->files[*file].text, d->files[*file].len};
    size_t at = 0;
    for (unsigned line = 1; line < w->policy->line && at < text.len; at++)
        line += text.ptr[at] == '\n';
    *from = *to = at;
    struct str wanted = arena_fmt(w->arena, "%s\"%.*s\"", before, STR_FMT(id));
    for (ssize_t p = str_find(text, '"', at); wanted.ptr && p >= 0;
         p = str_find(text, '"', (size_t)p + 1)) {
        size_t start = (size_t)p - MIN((size_t)p, strlen(before));
        if (!str_starts(str_slice(text, start, text.len), wanted))
            continue;
        *from = (size_t)p;
        *to = (size_t)p + id.len + 2;
        return;
    }
}

PRINTF(4, 5)
static void note_warning(const struct walk *w, const char *before, struct str id, const char *fmt, ...)
{
    char text[400];
    size_t file, from, to;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    locate(w, before, id, &file, &from, &to);
    diags_add(w->link->diags, DIAG_WARNING, file, from, to, NULL, "%s", text);
}

static void warn_unknown(const struct walk *w, const char *what, struct str id,
                         const struct suggest *near)
{
    id = str_slice(id, 0, 120);
    if (near->best.len > 0)
        note_warning(w, "::", id, "there is no %s \"%.*s\": this never matches; did you mean \"%.*s\"?",
             what, STR_FMT(id), STR_FMT(near->best));
    else
        note_warning(w, "::", id, "there is no %s \"%.*s\": this never matches", what, STR_FMT(id));
}

/* ---- entities ---- */

/* "server/tool" that some server has or may have. */
static bool is_tool(const struct walk *w, struct str name, struct suggest *near)
{
    bool found = false;
    for (const struct link_made *m = w->link->made; m; m = m->next) {
        const struct server *s = m->object;
        if (m->kind != LINK_SERVER)
            continue;
        for (size_t i = 0; i < s->tool_count; i++) {
            struct str whole =
                arena_fmt(w->arena, "%.*s/%.*s", STR_FMT(s->name), STR_FMT(s->tools[i].name));
            suggest_add(near, whole);
            found = found || str_eq(whole, name);
        }
        found = found || (s->unlisted == UNLISTED_OFFER && name.len > s->name.len + 1 &&
                          str_starts(name, s->name) && name.ptr[s->name.len] == '/');
    }
    return found;
}

static bool is_made(const struct walk *w, enum link_kind kind, struct str name,
                    struct suggest *near)
{
    for (const struct link_made *m = w->link->made; m; m = m->next) {
        if (m->kind == kind)
            suggest_add(near, m->name);
    }
    return link_find(w->link, kind, name) != NULL;
}

static void check_action(const struct walk *w, struct str id)
{
    static const char *const known[] = {"call",  "propose",      "oblige", "read",
                                        "write", "irreversible", "start",  "infer",
                                        "emit",  "delegate",     "approve"};
    static const char *const asks[] = {"call:", "propose:", "oblige:"};
    struct suggest near, tool;
    suggest_init(&near, id);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_is(id, known[i]))
            return;
        suggest_add(&near, str_of(known[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        if (!str_starts(id, str_of(asks[i])))
            continue;
        struct str rest = str_slice(id, strlen(asks[i]), id.len);
        suggest_init(&tool, rest);
        bool found = str_find(rest, '/', 0) < 0 ? is_made(w, LINK_SERVER, rest, &tool)
                                                : is_tool(w, rest, &tool);
        if (found)
            return;
        near.best = tool.best.len > 0 ? arena_fmt(w->arena, "%s%.*s", asks[i], STR_FMT(tool.best))
                                      : STR_NONE;
    }
    warn_unknown(w, "action", id, &near);
}

static const struct {
    const char *type;
    enum link_kind kind;
    const char *what;
} kinds[] = {
    {"Tenant", LINK_TENANT, "tenant"},       {"Team", LINK_TEAM, "team"},
    {"Workflow", LINK_WORKFLOW, "workflow"}, {"Server", LINK_SERVER, "server"},
    {"Model", LINK_MODEL, "model"},
};

/* A type of entity, at `spot`. */
static void check_type(const struct walk *w, struct str type, const char *before, struct str spot)
{
    static const char *const others[] = {"Action", "Tool", "User", "Source"};
    struct suggest near;
    suggest_init(&near, type);
    for (size_t i = 0; i < ARRAY_LEN(kinds) + ARRAY_LEN(others); i++) {
        const char *name = i < ARRAY_LEN(kinds) ? kinds[i].type : others[i - ARRAY_LEN(kinds)];
        if (str_is(type, name))
            return;
        suggest_add(&near, str_of(name));
    }
    note_warning(w, before, spot, "Reeve makes no entity of type `%.*s`: this never matches%s%.*s",
         STR_FMT(str_slice(type, 0, 80)), near.best.len ? "; did you mean " : "",
         STR_FMT(near.best));
}

static void check_entity(const struct walk *w, struct str type, struct str id)
{
    struct suggest near;
    suggest_init(&near, id);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_is(type, kinds[i].type))
            continue;
        if (!is_made(w, kinds[i].kind, id, &near))
            warn_unknown(w, kinds[i].what, id, &near);
        return;
    }
    if (str_is(type, "Action")) {
        check_action(w, id);
    } else if (str_is(type, "Tool")) {
        if (!is_tool(w, id, &near))
            warn_unknown(w, "tool", id, &near);
    } else {
        check_type(w, type, "::", id);
    }
}

/* ---- literals ---- */

static bool is_constructor(struct str name)
{
    return str_is(name, "decimal") || str_is(name, "datetime") || str_is(name, "duration") ||
           str_is(name, "ip");
}

/* `decimal("5000")` is accepted, and errs whenever it is reached. */
static void check_call(const struct walk *w, struct str fn, const struct json *args)
{
    const struct json *arg = json_is(args, JSON_ARRAY) && args->array.count == 1
                                 ? json_get(&args->array.items[0], "Value")
                                 : NULL;
    if (!is_constructor(fn) || !json_is(arg, JSON_STRING))
        return;
    struct str text = arena_fmt(w->arena, "{\"__extn\":{\"fn\":\"%.*s\",\"arg\":%.*s}}",
                                STR_FMT(fn), STR_FMT(arg->raw));
    const struct json *v = NULL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct cedar_json_rules rules = CEDAR_JSON_CEDAR;
    struct cedar_value value;
    struct err err = ERR_INIT;
    if (!text.ptr || json_parse(w->arena, text, &limits, &v, NULL, &err) < 0)
        return;
    if (cedar_value_from_json(w->arena, v, &rules, &value, &err) == -EINVAL)
        note_warning(w, "", arg->string, "%.*s(\"%.*s\") always ends in an error, and so denies",
             STR_FMT(fn), STR_FMT(str_slice(arg->string, 0, 80)));
}

/* ---- the walk ---- */

static void check_object(const struct walk *w, const struct json *v)
{
    const struct json *type = json_get(v, "type"), *id = json_get(v, "id"),
                      *is = json_get(v, "entity_type");
    if (json_is(type, JSON_STRING) && json_is(id, JSON_STRING))
        check_entity(w, type->string, id->string);
    if (json_is(is, JSON_STRING))
        check_type(w, is->string, "",
                   STR("")); /* at the policy: a bare word may stand anywhere in it */
    for (size_t i = 0; i < v->object.count; i++)
        check_call(w, v->object.members[i].name, &v->object.members[i].value);
}

/* As deep as the JSON, which its parser bounds. Annotations are the operator's own words. */
static void visit(const struct walk *w, const struct json *v)
{
    if (v->type == JSON_OBJECT)
        check_object(w, v);
    for (size_t i = 0; v->type == JSON_OBJECT && i < v->object.count; i++) {
        if (!str_is(v->object.members[i].name, "annotations"))
            visit(w, &v->object.members[i].value);
    }
    for (size_t i = 0; v->type == JSON_ARRAY && i < v->array.count; i++)
        visit(w, &v->array.items[i]);
}

int refs_check(const struct cedar_policies *policies, const struct link *link)
{
    struct arena a;
    struct buf text;
    /* Deeper than our wire's JSON: an expression of 100 levels takes several of JSON each. */
    struct json_limits limits = {CEDAR_TEXT_MAX, 1024, 1u << 20};
    int rc = 0;
    arena_init(&a, 256u << 20);
    buf_init(&text, CEDAR_TEXT_MAX);
    for (size_t i = 0; i < cedar_policies_count(policies) && rc == 0; i++) {
        struct walk w = {.link = link, .policy = cedar_policies_at(policies, i), .arena = &a};
        const struct json *v = NULL;
        buf_clear(&text);
        arena_reset(&a);
        /* What cannot be written or read as JSON (too deep) is not checked for this: it is no
         * fault. */
        rc = cedar_policy_put_json(&text, w.policy, NULL);
        if (rc == 0)
            rc = json_parse(&a, buf_str(&text), &limits, &v, NULL, NULL);
        if (rc == 0)
            visit(&w, v);
        rc = rc == -ENOMEM ? rc : 0;
    }
    buf_release(&text);
    arena_release(&a);
    return rc;
}
