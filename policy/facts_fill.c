/*
 * facts_fill.c: facts that the files know; the contracts are in facts.h.
 */
#include "policy/facts.h"

int facts_user_of(const struct house *h, struct str name, int64_t uid, struct arena *a,
                  struct facts_user *ret, struct err *err)
{
    const struct person *p = house_person(h, name);
    *ret = (struct facts_user){.name = name, .uid = uid};
    if (!p)
        return 0;
    struct str *tenants = ARENA_ARRAY(a, MAX(p->teams.count, 1), struct str);
    if (!tenants)
        return err_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < p->teams.count; i++) {
        const struct team *t = house_team(h, p->teams.items[i]);
        tenants[i] = t ? t->tenant : STR("");
    }
    ret->teams = p->teams;
    ret->team_tenants = (struct strs){tenants, p->teams.count};
    return 0;
}

void facts_set_workflow(struct facts *f, const struct house *h, const struct workflow *w,
                        struct str digest)
{
    const struct tenant *t = house_tenant(h, w->tenant);
    f->workflow = (struct facts_entity_workflow){
        .name = w->name, .team = w->team, .tenant = w->tenant, .digest = digest, .attrs = w->attrs};
    f->tenant_region = t ? t->region : STR("");
    f->tenant_attrs = t ? t->attrs : (struct house_pairs){0};
    f->labels = w->labels;
}

void facts_set_tool(struct facts *f, const struct server *s, struct str tool)
{
    struct server_tool t = server_tool_of(s, tool);
    f->tool = (struct facts_tool){
        .server = s->name, .tool = tool, .server_tenant = s->tenant, .class = t.class};
}
