/*
 * facts.c: see facts.h: facts as JSON and back.
 */
#include "policy/facts.h"

#define TEXT_MAX    (20u << 20)
#define TYPES_DEPTH 32

static const char *const ask_names[] = {"call",  "propose", "oblige",   "start",
                                        "infer", "emit",    "delegate", "approve"};
_Static_assert(ARRAY_LEN(ask_names) == FACTS_ASK_COUNT, "every ask has a name");

const char *facts_ask_name(enum facts_ask a)
{
    return ask_names[a];
}

bool facts_ask_of(struct str text, enum facts_ask *ret)
{
    ssize_t colon = str_find(text, ':', 0);
    struct str name = colon < 0 ? text : str_slice(text, 0, (size_t)colon);
    for (int i = 0; i < FACTS_ASK_COUNT; i++)
        if (str_is(name, facts_ask_name((enum facts_ask)i))) {
            *ret = (enum facts_ask)i;
            return true;
        }
    return false;
}

/* ---- writing ---- */

static void put_pairs(struct jout *j, const char *name, struct house_pairs p)
{
    if (p.count == 0)
        return;
    jout_name(j, name);
    jout_object(j);
    for (size_t i = 0; i < p.count; i++) {
        jout_name_str(j, p.items[i].name);
        jout_str(j, p.items[i].value);
    }
    jout_object_end(j);
}

static void put_strs(struct jout *j, const char *name, struct strs s)
{
    if (s.count == 0)
        return;
    jout_name(j, name);
    jout_array(j);
    for (size_t i = 0; i < s.count; i++)
        jout_str(j, s.items[i]);
    jout_array_end(j);
}

static void put_text(struct jout *j, const char *name, struct str s)
{
    if (s.len > 0)
        jout_m_str(j, name, s);
}

static void put_workflow(struct jout *j, const char *name, const struct facts_entity_workflow *w)
{
    jout_name(j, name);
    jout_object(j);
    jout_m_str(j, "name", w->name);
    put_text(j, "team", w->team);
    put_text(j, "tenant", w->tenant);
    put_text(j, "digest", w->digest);
    put_pairs(j, "attributes", w->attrs);
    jout_object_end(j);
}

static void put_user(struct jout *j, const struct facts_user *u)
{
    jout_object(j);
    jout_m_str(j, "name", u->name);
    if (u->uid >= 0)
        jout_m_i64(j, "uid", u->uid);
    put_strs(j, "teams", u->teams);
    put_strs(j, "teamTenants", u->team_tenants);
    jout_object_end(j);
}

/* What of a schema guides the conversion: types, by properties and items. Bounded by TYPES_DEPTH:
 * what is deeper than that is not guided (cedar's own conversion follows the same members). */
static void put_types(struct jout *j, const struct json *schema, unsigned depth)
{
    const struct json *properties = json_get(schema, "properties"),
                      *items = json_get(schema, "items");
    jout_object(j);
    jout_m_json(j, "type", json_get(schema, "type"));
    if (json_is(properties, JSON_OBJECT) && depth < TYPES_DEPTH) {
        jout_name(j, "properties");
        jout_object(j);
        for (size_t i = 0; i < properties->object.count; i++) {
            const struct json_member *m = &properties->object.members[i];
            if (!json_is(&m->value, JSON_OBJECT))
                continue;
            jout_name_str(j, m->name);
            put_types(j, &m->value, depth + 1);
        }
        jout_object_end(j);
    }
    if (json_is(items, JSON_OBJECT) && depth < TYPES_DEPTH) {
        jout_name(j, "items");
        put_types(j, items, depth + 1);
    }
    jout_object_end(j);
}

static void put_tool(struct jout *j, const struct facts_tool *t)
{
    jout_name(j, "tool");
    jout_object(j);
    jout_m_str(j, "server", t->server);
    jout_m_str(j, "name", t->tool);
    put_text(j, "tenant", t->server_tenant);
    jout_m_cstr(j, "class", tool_class_name(t->class));
    put_text(j, "digest", t->digest);
    if (json_is(t->schema, JSON_OBJECT)) {
        jout_name(j, "types");
        put_types(j, t->schema, 0);
    }
    jout_object_end(j);
}

static void put_run(struct jout *j, const struct facts *f)
{
    jout_name(j, "run");
    jout_object(j);
    jout_m_str(j, "id", f->run_id);
    jout_m_i64(j, "step", f->step);
    jout_m_i64(j, "depth", f->depth);
    jout_m_i64(j, "attempt", f->attempt);
    jout_m_str(j, "source", f->started_by);
    jout_object_end(j);
    jout_name(j, "budget");
    jout_object(j);
    jout_m_i64(j, "callsLeft", f->calls_left);
    jout_m_i64(j, "tokensLeft", f->tokens_left);
    jout_m_i64(j, "spentMicro", f->spent_micro);
    jout_m_i64(j, "limitMicro", f->limit_micro);
    jout_object_end(j);
}

static void put_history(struct jout *j, const struct facts *f)
{
    if (f->history_count == 0)
        return;
    jout_name(j, "history");
    jout_object(j);
    for (size_t i = 0; i < f->history_count; i++) {
        char text[NUM_FIXED_TEXT];
        jout_name_str(j, f->history[i].name);
        if (!f->history[i].is_decimal) {
            jout_i64(j, f->history[i].value);
            continue;
        }
        num_fixed_text(f->history[i].value, 4, text); /* a string: a decimal; a number: a Long */
        jout_cstr(j, text);
    }
    jout_object_end(j);
}

static void put_approval(struct jout *j, const struct facts_approval *p)
{
    jout_name(j, "approval");
    jout_object(j);
    jout_name(j, "by");
    jout_array(j);
    for (size_t i = 0; i < p->count; i++)
        put_user(j, &p->by[i]);
    jout_array_end(j);
    jout_m_i64(j, "at", p->at_ms);
    jout_object_end(j);
}

static void put_parties(struct jout *j, const struct facts *f)
{
    if (f->tool.server.len > 0)
        put_tool(j, &f->tool);
    if (f->ask == ASK_START) {
        jout_name(j, "source");
        jout_object(j);
        jout_m_str(j, "kind", f->source.kind);
        jout_m_str(j, "name", f->source.name);
        put_text(j, "tenant", f->source.tenant);
        jout_object_end(j);
    }
    if (f->ask == ASK_INFER) {
        jout_name(j, "model");
        jout_object(j);
        jout_m_str(j, "name", f->model.name);
        put_text(j, "tenant", f->model.tenant);
        jout_m_bool(j, "onprem", f->model.onprem);
        put_pairs(j, "attributes", f->model.attrs);
        jout_object_end(j);
    }
    if (f->ask == ASK_DELEGATE)
        put_workflow(j, "target", &f->target);
    if (f->ask == ASK_APPROVE) {
        jout_name(j, "user");
        put_user(j, &f->user);
    }
}

int64_t facts_event_size(const struct facts *f)
{
    const struct json *e = f->input;
    size_t size = 0;
    for (size_t i = 0; json_is(e, JSON_OBJECT) && i < e->object.count; i++) {
        const struct json_member *m = &e->object.members[i];
        if (str_is(m->name, "data") || str_is(m->name, "data_base64"))
            size += m->value.raw.len;
    }
    return f->event_bytes + (int64_t)size;
}

/* An event's data is not among the facts: only its size is. */
static void put_event(struct jout *j, const struct facts *f)
{
    const struct json *e = f->input;
    jout_name(j, "event");
    jout_object(j);
    for (size_t i = 0; json_is(e, JSON_OBJECT) && i < e->object.count; i++) {
        const struct json_member *m = &e->object.members[i];
        if (str_is(m->name, "data") || str_is(m->name, "data_base64"))
            continue;
        jout_name_str(j, m->name);
        jout_json(j, &m->value);
    }
    jout_object_end(j);
    jout_m_i64(j, "eventBytes", facts_event_size(f));
}

static void put_all(struct jout *j, const struct facts *f)
{
    jout_object(j);
    jout_m_cstr(j, "ask", facts_ask_name(f->ask));
    jout_m_i64(j, "now", f->now_ms);
    jout_m_i64(j, "zoneOffset", f->zone_offset_min);
    put_workflow(j, "workflow", &f->workflow);
    jout_name(j, "tenant");
    jout_object(j);
    put_text(j, "region", f->tenant_region);
    put_pairs(j, "attributes", f->tenant_attrs);
    jout_object_end(j);
    if (f->ask != ASK_START)
        put_run(j, f);
    put_history(j, f);
    put_strs(j, "labels", f->labels);
    if (f->has_approval)
        put_approval(j, &f->approval);
    put_parties(j, f);
    if (f->ask == ASK_START)
        put_event(j, f);
    else
        jout_m_json(j, "input", f->input);
    jout_object_end(j);
}

int facts_put(const struct facts *f, struct buf *out, struct digest *ret, struct err *err)
{
    struct arena arena;
    struct buf plain;
    struct jout j;
    const struct json *v = NULL;
    struct json_limits limits = {TEXT_MAX, 64, 1u << 20};
    size_t start = out->len;
    arena_init(&arena, 8 * (size_t)TEXT_MAX);
    buf_init(&plain, TEXT_MAX);
    jout_begin(&j, &plain);
    put_all(&j, f);
    int rc = jout_end(&j);
    if (rc < 0)
        rc = err_set(err, -rc, "the facts cannot be written");
    if (rc == 0)
        rc = json_parse(&arena, buf_str(&plain), &limits, &v, NULL, err);
    if (rc == 0)
        rc = jcs_write(out, v, JCS_EXACT, err);
    if (rc == 0 && (rc = buf_status(out)) < 0)
        rc = err_set(err, -rc, "the facts are too long");
    if (rc == 0)
        *ret = digest_of(str_slice(buf_str(out), start, out->len));
    else
        buf_truncate(out, start);
    buf_release(&plain);
    arena_release(&arena);
    return rc;
}

/* ---- reading ---- */

struct reader {
    struct arena *arena;
    struct err *err;
    int rc; /* sticks */
};

static struct str text(struct reader *r, const struct json *o, const char *name)
{
    struct str s = STR("");
    int rc = o ? json_str_or(o, name, STR(""), &s, r->err) : 0;
    if (r->rc >= 0 && rc < 0)
        r->rc = rc;
    return s;
}

static int64_t number(struct reader *r, const struct json *o, const char *name, int64_t dflt)
{
    int64_t n = dflt;
    int rc = o ? json_i64_or(o, name, dflt, &n, r->err) : 0;
    if (r->rc >= 0 && rc < 0)
        r->rc = rc;
    return n;
}

static void fail(struct reader *r, const char *name, const char *expected)
{
    if (r->rc >= 0)
        r->rc = err_set(r->err, EINVAL, "facts: `%s` is not %s", name, expected);
}

static const struct json *object(struct reader *r, const struct json *o, const char *name)
{
    const struct json *v = json_get(o, name);
    if (v && !json_is(v, JSON_OBJECT))
        fail(r, name, "an object");
    return json_is(v, JSON_OBJECT) ? v : NULL;
}

static void *items(struct reader *r, size_t n, size_t size)
{
    void *p = arena_array(r->arena, MAX(n, 1), size);
    if (!p && r->rc >= 0)
        r->rc = err_set(r->err, ENOMEM, "out of memory");
    return p;
}

static struct strs strings(struct reader *r, const struct json *o, const char *name)
{
    const struct json *v = json_get(o, name);
    if (!v)
        return (struct strs){0};
    if (!json_is(v, JSON_ARRAY)) {
        fail(r, name, "a list of strings");
        return (struct strs){0};
    }
    struct str *s = items(r, v->array.count, sizeof(*s));
    for (size_t i = 0; s && i < v->array.count; i++) {
        if (!json_is(&v->array.items[i], JSON_STRING))
            fail(r, name, "a list of strings");
        else
            s[i] = v->array.items[i].string;
    }
    return (struct strs){s, s ? v->array.count : 0};
}

static struct house_pairs pairs(struct reader *r, const struct json *o, const char *name)
{
    const struct json *v = object(r, o, name);
    struct house_pair *p = v ? items(r, v->object.count, sizeof(*p)) : NULL;
    for (size_t i = 0; p && i < v->object.count; i++) {
        const struct json_member *m = &v->object.members[i];
        if (!json_is(&m->value, JSON_STRING))
            fail(r, name, "an object of strings");
        else
            p[i] = (struct house_pair){m->name, m->value.string};
    }
    return (struct house_pairs){p, p ? v->object.count : 0};
}

static void read_workflow(struct reader *r, const struct json *o, const char *name,
                          struct facts_entity_workflow *w)
{
    const struct json *v = object(r, o, name);
    w->name = text(r, v, "name");
    w->team = text(r, v, "team");
    w->tenant = text(r, v, "tenant");
    w->digest = text(r, v, "digest");
    w->attrs = pairs(r, v, "attributes");
    if (w->name.len == 0)
        fail(r, name, "an object with a name");
}

static void read_user(struct reader *r, const struct json *v, struct facts_user *u)
{
    u->name = text(r, v, "name");
    u->uid = number(r, v, "uid", -1);
    u->teams = strings(r, v, "teams");
    u->team_tenants = strings(r, v, "teamTenants");
    if (u->name.len == 0)
        fail(r, "user", "an object with a name");
}

static void read_approval(struct reader *r, const struct json *o, struct facts *f)
{
    const struct json *v = object(r, o, "approval"), *by = json_get(v, "by");
    if (!v)
        return;
    if (!json_is(by, JSON_ARRAY)) {
        fail(r, "by", "a list");
        return;
    }
    struct facts_user *u = items(r, by->array.count, sizeof(*u));
    for (size_t i = 0; u && i < by->array.count; i++)
        read_user(r, &by->array.items[i], &u[i]);
    f->has_approval = true;
    f->approval = (struct facts_approval){u, u ? by->array.count : 0, number(r, v, "at", 0)};
}

static void read_history(struct reader *r, const struct json *o, struct facts *f)
{
    const struct json *v = object(r, o, "history");
    struct facts_counter *c = v ? items(r, v->object.count, sizeof(*c)) : NULL;
    for (size_t i = 0; c && i < v->object.count; i++) {
        const struct json_member *m = &v->object.members[i];
        c[i].name = m->name;
        c[i].is_decimal = json_is(&m->value, JSON_STRING);
        if (json_is(&m->value, JSON_INT))
            c[i].value = m->value.integer;
        else if (!c[i].is_decimal || num_fixed(m->value.string, 4, &c[i].value) < 0)
            fail(r, "history", "an object of whole numbers and decimals as strings");
    }
    f->history = c;
    f->history_count = c ? v->object.count : 0;
}

static void read_tool(struct reader *r, const struct json *o, struct facts *f)
{
    const struct json *v = object(r, o, "tool");
    if (!v)
        return;
    struct str class = text(r, v, "class");
    f->tool.server = text(r, v, "server");
    f->tool.tool = text(r, v, "name");
    f->tool.server_tenant = text(r, v, "tenant");
    f->tool.digest = text(r, v, "digest");
    f->tool.schema = object(r, v, "types");
    int c = TOOL_READ;
    while (c <= TOOL_IRREVERSIBLE && !str_is(class, tool_class_name((enum tool_class)c)))
        c++;
    if (c > TOOL_IRREVERSIBLE && class.len > 0)
        fail(r, "class", "read, write or irreversible");
    f->tool.class =
        class.len > 0 && c <= TOOL_IRREVERSIBLE ? (enum tool_class)c : TOOL_IRREVERSIBLE;
    if (f->tool.server.len == 0 || f->tool.tool.len == 0)
        fail(r, "tool", "an object with server and name");
}

static void read_parties(struct reader *r, const struct json *o, struct facts *f)
{
    const struct json *source = object(r, o, "source"), *model = object(r, o, "model"),
                      *user = object(r, o, "user");
    read_tool(r, o, f);
    f->source = (struct facts_source){text(r, source, "kind"), text(r, source, "name"),
                                      text(r, source, "tenant")};
    f->model.name = text(r, model, "name");
    f->model.tenant = text(r, model, "tenant");
    f->model.attrs = pairs(r, model, "attributes");
    bool onprem = false;
    if (model && r->rc >= 0)
        r->rc = json_bool_or(model, "onprem", false, &onprem, r->err);
    f->model.onprem = onprem;
    if (user)
        read_user(r, user, &f->user);
    if (f->ask == ASK_DELEGATE)
        read_workflow(r, o, "target", &f->target);
    if (f->ask <= ASK_OBLIGE && f->tool.server.len == 0)
        fail(r, "tool", "there, and this ask is about one");
    if ((f->ask == ASK_START && !source) || (f->ask == ASK_INFER && !model) ||
        (f->ask == ASK_APPROVE && !user))
        fail(r,
             f->ask == ASK_START   ? "source"
             : f->ask == ASK_INFER ? "model"
                                   : "user",
             "there, and this ask needs it");
}

static void read_run(struct reader *r, const struct json *o, struct facts *f)
{
    const struct json *run = object(r, o, "run"), *budget = object(r, o, "budget");
    f->run_id = text(r, run, "id");
    f->step = number(r, run, "step", 1);
    f->depth = number(r, run, "depth", 0);
    f->attempt = number(r, run, "attempt", 1);
    f->started_by = text(r, run, "source");
    f->calls_left = number(r, budget, "callsLeft", HOUSE_NO_LIMIT);
    f->tokens_left = number(r, budget, "tokensLeft", HOUSE_NO_LIMIT);
    f->spent_micro = number(r, budget, "spentMicro", 0);
    f->limit_micro = number(r, budget, "limitMicro", HOUSE_NO_LIMIT);
}

static void read_all(struct reader *r, const struct json *v, struct facts *f)
{
    struct str ask = text(r, v, "ask");
    int a = 0;
    while (a < FACTS_ASK_COUNT && !str_is(ask, ask_names[a]))
        a++;
    if (a == FACTS_ASK_COUNT) {
        fail(r, "ask", "call, propose, oblige, start, infer, emit, delegate or approve");
        return;
    }
    const struct json *tenant = object(r, v, "tenant");
    f->ask = (enum facts_ask)a;
    f->now_ms = number(r, v, "now", 0);
    f->zone_offset_min = number(r, v, "zoneOffset", 0);
    if (f->zone_offset_min < -1440 || f->zone_offset_min > 1440)
        fail(r, "zoneOffset", "minutes of at most a day");
    read_workflow(r, v, "workflow", &f->workflow);
    f->tenant_region = text(r, tenant, "region");
    f->tenant_attrs = pairs(r, tenant, "attributes");
    read_run(r, v, f);
    read_history(r, v, f);
    f->labels = strings(r, v, "labels");
    read_approval(r, v, f);
    read_parties(r, v, f);
    f->input = object(r, v, f->ask == ASK_START ? "event" : "input");
    f->event_bytes = number(r, v, "eventBytes", 0);
}

int facts_parse(struct str json, struct arena *a, struct facts *ret, struct err *err)
{
    const struct json *v = NULL;
    struct json_limits limits = {TEXT_MAX, 64, 1u << 20};
    int rc = json_parse(a, json, &limits, &v, NULL, err);
    if (rc < 0) {
        err_wrap(err, "facts");
        return rc;
    }
    if (!json_is(v, JSON_OBJECT))
        return err_set(err, EINVAL, "facts: %s, not an object", json_type_name(v->type));
    struct reader r = {.arena = a, .err = err};
    *ret = (struct facts){0};
    read_all(&r, v, ret);
    return r.rc < 0 ? r.rc : 0;
}
