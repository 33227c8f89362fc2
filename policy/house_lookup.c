/*
 * house_lookup.c: questions to a house and to its definitions; the contracts are in house.h.
 */
#include "policy/house.h"
#include "policy/tables.h"

/* In an array of structs whose first member is the name, in order of names. */
static const void *find(const void *items, size_t n, size_t size, struct str name)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const void *item = (const char *)items + mid * size;
        int c = str_cmp(name, *(const struct str *)item);
        if (c == 0)
            return item;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const struct workflow *house_workflow(const struct house *h, struct str name)
{
    return find(h->workflows, h->workflow_count, sizeof(*h->workflows), name);
}

const struct server *house_server(const struct house *h, struct str name)
{
    return find(h->servers, h->server_count, sizeof(*h->servers), name);
}

const struct model *house_model(const struct house *h, struct str name)
{
    return find(h->models, h->model_count, sizeof(*h->models), name);
}

const struct tenant *house_tenant(const struct house *h, struct str name)
{
    return find(h->tenants, h->tenant_count, sizeof(*h->tenants), name);
}

const struct team *house_team(const struct house *h, struct str name)
{
    return find(h->teams, h->team_count, sizeof(*h->teams), name);
}

const struct person *house_person(const struct house *h, struct str name)
{
    return find(h->people, h->person_count, sizeof(*h->people), name);
}

const struct person *house_person_uid(const struct house *h, int64_t uid)
{
    for (size_t i = 0; uid >= 0 && i < h->person_count; i++) {
        if (h->people[i].uid == uid)
            return &h->people[i];
    }
    return NULL;
}

static bool fits(struct str pattern, struct str s)
{
    return pattern.len == 0 || str_glob(pattern, s);
}

int64_t workflow_warm(const struct workflow *w)
{
    return MAX(w->is_agent ? w->agent.warm : w->program.warm, 0);
}

struct strs workflow_models(const struct workflow *w)
{
    return w->is_agent ? (struct strs){&w->agent.model, 1} : w->program.models;
}

bool workflow_is_triggered(const struct workflow *w, struct str type, struct str source,
                           struct str subject)
{
    for (size_t i = 0; i < w->trigger_count; i++) {
        const struct workflow_trigger *t = &w->triggers[i];
        if (str_glob(t->event, type) && fits(t->source, source) && fits(t->subject, subject))
            return true;
    }
    return false;
}

bool workflow_tool_matches(struct strs patterns, struct str server, struct str tool)
{
    struct str want_server, want_tool;
    for (size_t i = 0; i < patterns.count; i++) {
        if (tables_tool_split(patterns.items[i], &want_server, &want_tool) &&
            str_eq(want_server, server) && str_glob(want_tool, tool))
            return true;
    }
    return false;
}

static const struct server_tool *listed(const struct server *s, struct str tool)
{
    for (size_t i = 0; i < s->tool_count; i++) {
        if (str_eq(s->tools[i].name, tool))
            return &s->tools[i];
    }
    return NULL;
}

bool workflow_offers(const struct workflow *w, const struct server *s, struct str tool)
{
    return workflow_tool_matches(w->tools, s->name, tool) &&
           (listed(s, tool) || s->unlisted == UNLISTED_OFFER);
}

struct server_tool server_tool_of(const struct server *s, struct str tool)
{
    const struct server_tool *t = listed(s, tool);
    return t ? *t
             : (struct server_tool){.name = tool, .class = TOOL_IRREVERSIBLE, .retry = RETRY_NEVER};
}
