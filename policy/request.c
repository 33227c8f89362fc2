/*
 * request.c: see request.h. Names enter as values: nothing here writes policy text.
 */
#include "policy/request.h"

#define ENTITIES_MAX_BYTES (4u << 20)
#define TEAMS_MAX          256

struct maker {
    const struct facts *f;
    struct arena *arena;
    struct cedar_entities *store;
    struct err *err;
    int rc;                      /* sticks */
    struct str teams[TEAMS_MAX]; /* added so far: the first word on a team counts */
    size_t team_count;
};

static struct cedar_uid uid(struct maker *m, const char *type, struct str id)
{
    struct cedar_uid u = {0};
    if (m->rc >= 0)
        m->rc = cedar_uid_make(m->arena, str_of(type), id, &u, m->err);
    return u;
}

static struct cedar_uid uid_pair(struct maker *m, const char *type, struct str a, char sep,
                                 struct str b)
{
    struct str id = arena_fmt(m->arena, "%.*s%c%.*s", STR_FMT(a), sep, STR_FMT(b));
    if (!id.ptr && m->rc >= 0)
        m->rc = err_set(m->err, ENOMEM, "out of memory");
    return uid(m, type, id);
}

static struct cedar_value ref(struct maker *m, const char *type, struct str id)
{
    struct cedar_uid *u = ARENA_NEW(m->arena, struct cedar_uid);
    if (!u) {
        m->rc = m->rc < 0 ? m->rc : err_set(m->err, ENOMEM, "out of memory");
        return cedar_bool(false);
    }
    *u = uid(m, type, id);
    return cedar_entity_ref(u);
}

static struct cedar_value record_end(struct maker *m, struct cedar_rec *r)
{
    struct cedar_value v = cedar_record_empty();
    int rc = cedar_rec_end(r, &v, m->err);
    if (m->rc >= 0 && rc < 0)
        m->rc = rc;
    return v;
}

static void add(struct maker *m, struct cedar_uid u, const struct cedar_value *attrs,
                const struct cedar_uid *parents, size_t n)
{
    if (m->rc >= 0)
        m->rc = cedar_entities_add(m->store, &u, attrs, NULL, parents, n, m->err);
}

/* ---- attributes ---- */

static struct cedar_value attr_value(struct str text)
{
    int64_t n = 0;
    if (num_i64(text, &n) == 0)
        return cedar_long(n);
    if (str_is(text, "true") || str_is(text, "false"))
        return cedar_bool(str_is(text, "true"));
    return cedar_string(text);
}

static void put_attrs(struct cedar_rec *r, struct house_pairs attrs)
{
    for (size_t i = 0; i < attrs.count; i++)
        cedar_rec_add(r, attrs.items[i].name, attr_value(attrs.items[i].value));
}

/* ---- entities ---- */

static struct str tenant_or(const struct maker *m, struct str tenant)
{
    return tenant.len > 0 ? tenant : m->f->workflow.tenant;
}

static void add_tenant(struct maker *m, struct str name, bool acting)
{
    struct cedar_rec r;
    cedar_rec_begin(&r, m->arena);
    if (acting && m->f->tenant_region.len > 0)
        cedar_rec_add(&r, STR("region"), cedar_string(m->f->tenant_region));
    if (acting)
        put_attrs(&r, m->f->tenant_attrs);
    struct cedar_value attrs = record_end(m, &r);
    add(m, uid(m, "Tenant", name), &attrs, NULL, 0);
}

/* The acting tenant has what the files say of it; another one that something belongs to is a bare
 * name. */
static void need_tenant(struct maker *m, struct str name)
{
    if (name.len > 0 && !str_eq(name, m->f->workflow.tenant))
        add_tenant(m, name, false);
}

static void add_team(struct maker *m, struct str name, struct str tenant)
{
    for (size_t i = 0; i < m->team_count; i++) {
        if (str_eq(m->teams[i], name))
            return;
    }
    if (m->team_count == TEAMS_MAX) {
        m->rc = m->rc < 0 ? m->rc
                          : err_set(m->err, E2BIG, "more than %d teams in one request", TEAMS_MAX);
        return;
    }
    m->teams[m->team_count++] = name;
    need_tenant(m, tenant);
    struct cedar_uid parent = tenant.len > 0 ? uid(m, "Tenant", tenant) : (struct cedar_uid){0};
    add(m, uid(m, "Team", name), NULL, &parent, tenant.len > 0);
}

static struct cedar_uid add_workflow(struct maker *m, const struct facts_entity_workflow *w)
{
    struct cedar_rec r;
    cedar_rec_begin(&r, m->arena);
    if (w->tenant.len > 0)
        cedar_rec_add(&r, STR("tenant"), ref(m, "Tenant", w->tenant));
    cedar_rec_add(&r, STR("digest"), cedar_string(w->digest));
    put_attrs(&r, w->attrs);
    struct cedar_value attrs = record_end(m, &r);
    need_tenant(m, w->tenant);
    struct cedar_uid parents[2];
    size_t n = 0;
    if (w->team.len > 0) {
        add_team(m, w->team, w->tenant);
        parents[n++] = uid(m, "Team", w->team);
    }
    if (w->tenant.len > 0)
        parents[n++] = uid(m, "Tenant", w->tenant);
    struct cedar_uid u = uid(m, "Workflow", w->name);
    add(m, u, &attrs, parents, n);
    return u;
}

/* Something with one tenant above it and `tenant` among its attributes. */
static void add_owned(struct maker *m, struct cedar_uid u, struct str tenant, struct cedar_rec *r)
{
    need_tenant(m, tenant);
    struct cedar_uid parent = {0};
    if (tenant.len > 0) {
        cedar_rec_add(r, STR("tenant"), ref(m, "Tenant", tenant));
        parent = uid(m, "Tenant", tenant);
    }
    struct cedar_value attrs = record_end(m, r);
    add(m, u, &attrs, &parent, tenant.len > 0);
}

static struct cedar_uid add_tool(struct maker *m)
{
    const struct facts_tool *t = &m->f->tool;
    struct str tenant = tenant_or(m, t->server_tenant);
    struct cedar_rec r;
    cedar_rec_begin(&r, m->arena);
    struct cedar_uid server = uid(m, "Server", t->server),
                     tool = uid_pair(m, "Tool", t->server, '/', t->tool);
    add_owned(m, server, tenant, &r);
    cedar_rec_begin(&r, m->arena);
    if (tenant.len > 0)
        cedar_rec_add(&r, STR("tenant"), ref(m, "Tenant", tenant));
    cedar_rec_add(&r, STR("class"), cedar_string(str_of(tool_class_name(t->class))));
    cedar_rec_add(&r, STR("digest"), cedar_string(t->digest));
    struct cedar_value attrs = record_end(m, &r);
    add(m, tool, &attrs, &server, 1);
    return tool;
}

static struct cedar_uid add_model(struct maker *m)
{
    struct cedar_rec r;
    struct cedar_uid u = uid(m, "Model", m->f->model.name);
    cedar_rec_begin(&r, m->arena);
    cedar_rec_add(&r, STR("onprem"), cedar_bool(m->f->model.onprem));
    put_attrs(&r, m->f->model.attrs);
    add_owned(m, u, tenant_or(m, m->f->model.tenant), &r);
    return u;
}

static struct cedar_uid add_source(struct maker *m)
{
    const struct facts_source *s = &m->f->source;
    struct cedar_rec r;
    struct cedar_uid u = uid_pair(m, "Source", s->kind, '/', s->name);
    cedar_rec_begin(&r, m->arena);
    cedar_rec_add(&r, STR("kind"), cedar_string(s->kind));
    add_owned(m, u, tenant_or(m, s->tenant), &r);
    return u;
}

static struct cedar_uid add_user(struct maker *m, const struct facts_user *p)
{
    struct cedar_rec r;
    struct cedar_uid u = uid(m, "User", p->name),
                     *parents = ARENA_ARRAY(m->arena, MAX(p->teams.count, 1), struct cedar_uid);
    cedar_rec_begin(&r, m->arena);
    if (p->uid >= 0)
        cedar_rec_add(&r, STR("uid"), cedar_long(p->uid));
    struct cedar_value attrs = record_end(m, &r);
    if (!parents) {
        m->rc = m->rc < 0 ? m->rc : err_set(m->err, ENOMEM, "out of memory");
        return u;
    }
    for (size_t i = 0; i < p->teams.count; i++) {
        add_team(m, p->teams.items[i],
                 i < p->team_tenants.count ? p->team_tenants.items[i] : STR_NONE);
        parents[i] = uid(m, "Team", p->teams.items[i]);
    }
    add(m, u, &attrs, parents, p->teams.count);
    return u;
}

/* ---- actions ---- */

static bool is_about_tool(enum facts_ask ask)
{
    return ask == ASK_CALL || ask == ASK_PROPOSE || ask == ASK_OBLIGE;
}

static struct cedar_uid tool_action(struct maker *m, enum facts_ask ask)
{
    const struct facts_tool *t = &m->f->tool;
    struct str id = arena_fmt(m->arena, "%s:%.*s/%.*s", facts_ask_name(ask), STR_FMT(t->server),
                              STR_FMT(t->tool));
    if (!id.ptr && m->rc >= 0)
        m->rc = err_set(m->err, ENOMEM, "out of memory");
    return uid(m, "Action", id);
}

/* Groups exist only as entities: without them `action in Action::"call"` would silently never
 * match. */
static void add_tool_actions(struct maker *m)
{
    static const enum facts_ask asks[] = {ASK_CALL, ASK_PROPOSE, ASK_OBLIGE};
    for (int c = TOOL_READ; c <= TOOL_IRREVERSIBLE; c++)
        add(m, uid(m, "Action", str_of(tool_class_name((enum tool_class)c))), NULL, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        struct str ask = str_of(facts_ask_name(asks[i]));
        struct cedar_uid parents[3] = {
            uid(m, "Action", ask),
            uid_pair(m, "Action", ask, ':', m->f->tool.server),
            uid(m, "Action", str_of(tool_class_name(m->f->tool.class))),
        };
        add(m, parents[0], NULL, NULL, 0);
        add(m, parents[1], NULL, NULL, 0);
        add(m, tool_action(m, asks[i]), NULL, parents, asks[i] == ASK_CALL ? 3 : 2);
    }
}

static struct cedar_uid add_action(struct maker *m, enum facts_ask ask)
{
    if (is_about_tool(ask)) {
        add_tool_actions(m);
        return tool_action(m, ask);
    }
    struct cedar_uid u = uid(m, "Action", str_of(facts_ask_name(ask)));
    add(m, u, NULL, NULL, 0);
    return u;
}

/* ---- context ---- */

static struct cedar_value local_time(struct maker *m)
{
    int64_t ms = 0, day_ms = INT64_C(86400000);
    if (__builtin_add_overflow(m->f->now_ms, m->f->zone_offset_min * 60000, &ms))
        ms = m->f->now_ms;
    int64_t day = ms / day_ms - (ms % day_ms < 0), in_day = ms - day * day_ms;
    struct cedar_rec r;
    cedar_rec_begin(&r, m->arena);
    cedar_rec_add(&r, STR("hour"), cedar_long(in_day / 3600000));
    /* 1970-01-01 was a Thursday. */
    cedar_rec_add(&r, STR("weekday"), cedar_long((((day + 3) % 7) + 7) % 7 + 1));
    return record_end(m, &r);
}

static struct cedar_value run_of(struct maker *m)
{
    const struct facts *f = m->f;
    struct cedar_rec r;
    cedar_rec_begin(&r, m->arena);
    cedar_rec_add(&r, STR("id"), cedar_string(f->run_id));
    cedar_rec_add(&r, STR("step"), cedar_long(f->step));
    cedar_rec_add(&r, STR("depth"), cedar_long(f->depth));
    cedar_rec_add(&r, STR("attempt"), cedar_long(f->attempt));
    cedar_rec_add(&r, STR("source"), cedar_string(f->started_by));
    return record_end(m, &r);
}

static struct cedar_value budget_of(struct maker *m)
{
    const struct facts *f = m->f;
    /* Millionths to ten-thousandths: what was spent never looks smaller, what is allowed never
     * larger. */
    int64_t spent = f->spent_micro / 100 + (f->spent_micro % 100 > 0);
    int64_t limit = f->limit_micro == HOUSE_NO_LIMIT ? INT64_MAX : f->limit_micro / 100;
    struct cedar_rec r;
    cedar_rec_begin(&r, m->arena);
    cedar_rec_add(&r, STR("calls_left"),
                  cedar_long(f->calls_left == HOUSE_NO_LIMIT ? INT64_MAX : f->calls_left));
    cedar_rec_add(&r, STR("tokens_left"),
                  cedar_long(f->tokens_left == HOUSE_NO_LIMIT ? INT64_MAX : f->tokens_left));
    cedar_rec_add(&r, STR("spent"), cedar_decimal(spent));
    cedar_rec_add(&r, STR("limit"), cedar_decimal(limit));
    return record_end(m, &r);
}

static struct cedar_value history_of(struct maker *m)
{
    struct cedar_rec r;
    cedar_rec_begin(&r, m->arena);
    for (size_t i = 0; i < m->f->history_count; i++) {
        const struct facts_counter *c = &m->f->history[i];
        cedar_rec_add(&r, c->name, c->is_decimal ? cedar_decimal(c->value) : cedar_long(c->value));
    }
    return record_end(m, &r);
}

static struct cedar_value set_of(struct maker *m, const struct cedar_value *items, size_t n)
{
    struct cedar_value v = cedar_bool(false);
    int rc = cedar_set_make(m->arena, items, n, &v, m->err);
    if (m->rc >= 0 && rc < 0)
        m->rc = rc;
    return v;
}

static struct cedar_value labels_of(struct maker *m)
{
    size_t n = m->f->labels.count;
    struct cedar_value *items = ARENA_ARRAY(m->arena, MAX(n, 1), struct cedar_value);
    if (!items)
        m->rc = m->rc < 0 ? m->rc : err_set(m->err, ENOMEM, "out of memory");
    for (size_t i = 0; items && i < n; i++)
        items[i] = cedar_string(m->f->labels.items[i]);
    return set_of(m, items, items ? n : 0);
}

static struct cedar_value approval_of(struct maker *m)
{
    const struct facts_approval *p = &m->f->approval;
    struct cedar_value *by = ARENA_ARRAY(m->arena, MAX(p->count, 1), struct cedar_value);
    struct cedar_rec r;
    if (!by)
        m->rc = m->rc < 0 ? m->rc : err_set(m->err, ENOMEM, "out of memory");
    for (size_t i = 0; by && i < p->count; i++) {
        (void)add_user(m, &p->by[i]);
        by[i] = ref(m, "User", p->by[i].name);
    }
    struct cedar_value set = set_of(m, by, by ? p->count : 0);
    cedar_rec_begin(&r, m->arena);
    cedar_rec_add(&r, STR("by"), set);
    /* Different people: a name that stands twice is one. */
    cedar_rec_add(&r, STR("count"), cedar_long(set.type == CEDAR_SET ? (int64_t)set.set.count : 0));
    cedar_rec_add(&r, STR("at"), cedar_datetime(p->at_ms));
    return record_end(m, &r);
}

static void convert(struct maker *m, const struct json *v, const struct json *schema,
                    struct cedar_value *ret)
{
    struct cedar_json_rules rules = CEDAR_JSON_FACTS;
    rules.schema = schema;
    if (m->rc >= 0)
        m->rc = cedar_value_from_json(m->arena, v, &rules, ret, m->err);
}

/* An event's attributes; its data is foreign text of any shape, of which policy sees the size. */
static struct cedar_value event_of(struct maker *m)
{
    const struct json *e = m->f->input;
    struct cedar_rec r;
    cedar_rec_begin(&r, m->arena);
    for (size_t i = 0; json_is(e, JSON_OBJECT) && i < e->object.count; i++) {
        const struct json_member *member = &e->object.members[i];
        struct cedar_value v = cedar_bool(false);
        /* `size` is ours: a sender that names it says nothing. */
        if (str_is(member->name, "data") || str_is(member->name, "data_base64") ||
            str_is(member->name, "size") || json_is(&member->value, JSON_NULL))
            continue;
        convert(m, &member->value, NULL, &v);
        cedar_rec_add(&r, member->name, v);
    }
    cedar_rec_add(&r, STR("size"), cedar_long(facts_event_size(m->f)));
    return record_end(m, &r);
}

static void put_input(struct maker *m, struct cedar_rec *r)
{
    struct cedar_value v = cedar_record_empty();
    if (m->f->ask == ASK_START) {
        cedar_rec_add(r, STR("event"), event_of(m));
        return;
    }
    if (m->f->input && !json_is(m->f->input, JSON_OBJECT))
        m->rc = m->rc < 0 ? m->rc
                          : err_set(m->err, EINVAL, "the arguments are %s, not an object",
                                    json_type_name(m->f->input->type));
    if (m->f->input)
        convert(m, m->f->input, m->f->tool.schema, &v);
    cedar_rec_add(r, STR("input"), v);
}

static struct cedar_value context_of(struct maker *m)
{
    struct cedar_rec r;
    cedar_rec_begin(&r, m->arena);
    put_input(m, &r);
    cedar_rec_add(&r, STR("now"), cedar_datetime(m->f->now_ms));
    cedar_rec_add(&r, STR("local"), local_time(m));
    cedar_rec_add(&r, STR("history"), history_of(m));
    cedar_rec_add(&r, STR("labels"), labels_of(m));
    if (m->f->ask != ASK_START) {
        cedar_rec_add(&r, STR("run"), run_of(m));
        cedar_rec_add(&r, STR("budget"), budget_of(m));
    }
    if (m->f->has_approval)
        cedar_rec_add(&r, STR("approval"), approval_of(m));
    return record_end(m, &r);
}

/* ---- the request ---- */

static struct cedar_uid resource_of(struct maker *m, struct cedar_uid self)
{
    const struct facts *f = m->f;
    if (is_about_tool(f->ask) || (f->ask == ASK_APPROVE && f->tool.server.len > 0))
        return add_tool(m);
    if (f->ask == ASK_INFER)
        return add_model(m);
    if (f->ask == ASK_DELEGATE && !str_eq(f->target.name, f->workflow.name))
        return add_workflow(m, &f->target);
    return self;
}

int request_make(const struct facts *f, struct arena *a, struct request *ret, struct err *err)
{
    struct maker m = {.f = f, .arena = a, .err = err};
    *ret = (struct request){0};
    m.store = cedar_entities_new(ENTITIES_MAX_BYTES, NULL);
    if (!m.store)
        return err_set(err, ENOMEM, "out of memory");
    if (f->workflow.tenant.len > 0)
        add_tenant(&m, f->workflow.tenant, true);
    struct cedar_uid self = add_workflow(&m, &f->workflow);
    ret->cedar.resource = resource_of(&m, self);
    ret->cedar.action = add_action(&m, f->ask);
    ret->cedar.principal = f->ask == ASK_START     ? add_source(&m)
                           : f->ask == ASK_APPROVE ? add_user(&m, &f->user)
                                                   : self;
    ret->cedar.context = context_of(&m);
    if (m.rc >= 0)
        m.rc = cedar_entities_seal(m.store, err);
    if (m.rc < 0) {
        cedar_entities_free(m.store);
        *ret = (struct request){0};
        return m.rc;
    }
    ret->entities = m.store;
    return 0;
}

int request_ask(struct request *r, const struct facts *f, enum facts_ask ask, struct arena *a,
                struct err *err)
{
    struct maker m = {.f = f, .arena = a, .err = err};
    must(is_about_tool(ask));
    r->cedar.action = tool_action(&m, ask);
    return m.rc;
}

void request_release(struct request *r)
{
    cedar_entities_free(r->entities);
    *r = (struct request){0};
}
