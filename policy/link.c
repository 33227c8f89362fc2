/*
 * link.c: see link.h.
 */
#include "policy/link.h"

#include "policy/suggest.h"

#define KNOWN_SHOWN 12

static const char *const kind_names[] = {"tenant", "team",   "model", "workflow",
                                         "server", "person", "access"};

const char *link_kind_name(enum link_kind k)
{
    return kind_names[k];
}

void link_init(struct link *l, struct arena *a, struct diags *d)
{
    *l = (struct link){.arena = a, .diags = d};
    l->made_tail = &l->made;
    l->uses_tail = &l->uses;
}

struct link_made *link_begin(struct link *l, enum link_kind kind, void *object)
{
    struct link_made *m = ARENA_NEW(l->arena, struct link_made);
    if (!m) {
        l->status = -ENOMEM;
        return NULL;
    }
    m->kind = kind;
    m->object = object;
    m->file = SIZE_MAX;
    *l->made_tail = m;
    l->made_tail = &m->next;
    l->counts[kind]++;
    l->owner = m;
    return m;
}

const struct link_made *link_find(const struct link *l, enum link_kind kind, struct str name)
{
    for (const struct link_made *m = l->made; m; m = m->next) {
        if (m->kind == kind && m->name.len > 0 && str_eq(m->name, name))
            return m;
    }
    return NULL;
}

void link_name(struct link *l, struct link_made *m, struct str name, size_t file, size_t from,
               size_t to)
{
    const struct link_made *before = name.len > 0 ? link_find(l, m->kind, name) : NULL;
    m->name = name;
    m->file = file;
    m->from = from;
    m->to = to;
    if (!before)
        return;
    diags_add(l->diags, DIAG_ERROR, file, from, to, "a name of its own",
              "a second %s is called `%.*s`", kind_names[m->kind], STR_FMT(name));
    diags_add(l->diags, DIAG_NOTE, before->file, before->from, before->to, NULL,
              "the earlier definition is here");
}

void link_use(void *arg, int ref, struct str text, size_t file, size_t from, size_t to)
{
    struct link *l = arg;
    struct link_use *u = ARENA_NEW(l->arena, struct link_use);
    if (!u) {
        l->status = -ENOMEM;
        return;
    }
    *u = (struct link_use){
        .ref = ref, .text = text, .file = file, .from = from, .to = to, .owner = l->owner};
    *l->uses_tail = u;
    l->uses_tail = &u->next;
}

/* "known: a, b, c" of what a callback lists. */
struct known {
    char text[400];
    size_t shown, count;
    struct suggest near;
};

static void known_add(struct known *k, struct str name)
{
    size_t used = strlen(k->text);
    suggest_add(&k->near, name);
    if (k->count++ < KNOWN_SHOWN)
        snprintf(k->text + used, sizeof(k->text) - used, "%s%.*s", k->shown++ ? ", " : "one of ",
                 STR_FMT(name));
    else if (k->count == KNOWN_SHOWN + 1)
        snprintf(k->text + used, sizeof(k->text) - used, ", …");
}

static void say_unknown(const struct link *l, const struct known *k, const char *what,
                        struct str name, size_t file, size_t from, size_t to)
{
    const char *known = k->count > 0 ? k->text : NULL;
    if (k->near.best.len > 0)
        diags_add(l->diags, DIAG_ERROR, file, from, to, known,
                  "there is no %s `%.*s`; did you mean `%.*s`?", what, STR_FMT(name),
                  STR_FMT(k->near.best));
    else
        diags_add(l->diags, DIAG_ERROR, file, from, to, known,
                  k->count > 0 ? "there is no %s `%.*s`" : "there is no %s `%.*s`: none is defined",
                  what, STR_FMT(name));
}

void link_unknown(const struct link *l, enum link_kind kind, struct str name, size_t file,
                  size_t from, size_t to)
{
    struct known k = {0};
    suggest_init(&k.near, name);
    for (const struct link_made *m = l->made; m; m = m->next) {
        if (m->kind == kind && m->name.len > 0)
            known_add(&k, m->name);
    }
    say_unknown(l, &k, kind_names[kind], name, file, from, to);
}

/* ---- tools ---- */

static void check_tool_known(const struct link *l, const struct link_use *u, const struct server *s,
                             struct str tool)
{
    if (s->unlisted == UNLISTED_OFFER)
        return;
    struct known k = {0};
    suggest_init(&k.near, tool);
    for (size_t i = 0; i < s->tool_count; i++) {
        if (str_glob(tool, s->tools[i].name))
            return;
        known_add(&k, s->tools[i].name);
    }
    if (str_find(tool, '*', 0) < 0)
        say_unknown(l, &k, "tool", u->text, u->file, u->from, u->to);
    else
        diags_add(l->diags, DIAG_ERROR, u->file, u->from, u->to, k.count > 0 ? k.text : NULL,
                  "`%.*s` means no tool that server `%.*s` lists", STR_FMT(u->text),
                  STR_FMT(s->name));
}

/* What belongs to a tenant is used by that tenant alone. */
static void check_tenant(const struct link *l, const struct link_use *u, const char *what,
                         struct str name, struct str tenant)
{
    const struct workflow *w =
        u->owner && u->owner->kind == LINK_WORKFLOW ? u->owner->object : NULL;
    if (!w || tenant.len == 0 || w->tenant.len == 0 || str_eq(w->tenant, tenant))
        return;
    diags_add(l->diags, DIAG_ERROR, u->file, u->from, u->to, NULL,
              "%s `%.*s` belongs to tenant `%.*s`, workflow `%.*s` to `%.*s`", what, STR_FMT(name),
              STR_FMT(tenant), STR_FMT(w->name), STR_FMT(w->tenant));
}

static void check_tool(const struct link *l, const struct link_use *u)
{
    struct str server, tool;
    if (!tables_tool_split(u->text, &server, &tool)) {
        diags_add(l->diags, DIAG_ERROR, u->file, u->from, u->to,
                  "server/tool, or server/ and a pattern with *", "`%.*s` names no tool",
                  STR_FMT(str_slice(u->text, 0, 200)));
        return;
    }
    const struct link_made *m = link_find(l, LINK_SERVER, server);
    if (!m) {
        link_unknown(l, LINK_SERVER, server, u->file, u->from, u->to);
        return;
    }
    const struct server *s = m->object;
    check_tool_known(l, u, s, tool);
    check_tenant(l, u, "server", s->name, s->tenant);
}

static void check_named(const struct link *l, const struct link_use *u, enum link_kind kind)
{
    const struct link_made *m = link_find(l, kind, u->text);
    if (!m) {
        link_unknown(l, kind, u->text, u->file, u->from, u->to);
        return;
    }
    struct str tenant = kind == LINK_TEAM       ? ((const struct team *)m->object)->tenant
                        : kind == LINK_MODEL    ? ((const struct model *)m->object)->tenant
                        : kind == LINK_WORKFLOW ? ((const struct workflow *)m->object)->tenant
                                                : STR_NONE;
    check_tenant(l, u, kind_names[kind], m->name, tenant);
}

/* Each holds memory, whether there is a run for it or not. */
static void check_warm(const struct link *l)
{
    int64_t sum = 0;
    for (const struct link_made *m = l->made; m; m = m->next) {
        const struct workflow *w = m->kind == LINK_WORKFLOW ? m->object : NULL;
        int64_t warm = w ? workflow_warm(w) : 0;
        sum += warm;
        if (warm > 0 && sum > HOUSE_WARM_MAX)
            diags_add(l->diags, DIAG_ERROR, m->file, m->from, m->to,
                      "smaller numbers for `warm`: at most 256 of all workflows together",
                      "with `warm: %" PRId64 "` of workflow `%.*s`, %" PRId64
                      " workers would stand ready",
                      warm, STR_FMT(m->name), sum);
    }
}

void link_check(struct link *l)
{
    check_warm(l);
    for (const struct link_use *u = l->uses; u; u = u->next) {
        switch (u->ref) {
        case REF_TENANT:
            check_named(l, u, LINK_TENANT);
            break;
        case REF_TEAM:
            check_named(l, u, LINK_TEAM);
            break;
        case REF_MODEL:
            check_named(l, u, LINK_MODEL);
            break;
        case REF_WORKFLOW:
            check_named(l, u, LINK_WORKFLOW);
            break;
        case REF_TOOL:
            check_tool(l, u);
            break;
        default:
            break;
        }
    }
}
