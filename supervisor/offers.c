/*
 * offers.c: see offers.h. Runs in reeved.
 */
#include "supervisor/offers.h"

#include "policy/text/names.h"
#include "supervisor/asking.h"
#include "supervisor/tool.h"

static const char *const versions[] = {"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26",
                                       "2024-11-05"};

#define ROUNDS_MAX 3

/* ---- handshakes
 * ------------------------------------------------------------------------------------------- */

static void put_server(struct jout *j)
{
    jout_object(j);
    jout_m_cstr(j, "name", "reeve");
    jout_m_cstr(j, "version", REEVE_VERSION);
    jout_object_end(j);
}

static void put_capabilities(struct jout *j)
{
    jout_name(j, "capabilities");
    jout_object(j);
    jout_name(j, "tools");
    jout_object(j);
    jout_object_end(j);
    jout_object_end(j);
}

int offers_discover(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    (void)ctx;
    struct wire_out o;
    wire_result(w, &o, m->id);
    jout_m_cstr(&o.j, "resultType", "complete");
    jout_name(&o.j, "supportedVersions");
    jout_array(&o.j);
    jout_cstr(&o.j, versions[0]);
    jout_array_end(&o.j);
    put_capabilities(&o.j);
    jout_name(&o.j, "serverInfo");
    put_server(&o.j);
    jout_m_i64(&o.j, "ttlMs", 0);
    jout_m_cstr(&o.j, "cacheScope", "private");
    return wire_end(w, &o, err);
}

int offers_initialize(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    (void)ctx;
    struct wire_out o;
    struct str asked;
    const char *version = versions[1];
    if (json_want_str(m->params, "protocolVersion", &asked, err) < 0)
        return wire_error(w, m->id, WIRE_E_PARAMS, "initialize: %s", err->text);
    for (size_t i = 1; i < ARRAY_LEN(versions); i++)
        if (str_is(asked, versions[i]))
            version = versions[i];
    wire_result(w, &o, m->id);
    jout_m_cstr(&o.j, "protocolVersion", version);
    put_capabilities(&o.j);
    jout_name(&o.j, "serverInfo");
    put_server(&o.j);
    return wire_end(w, &o, err);
}

int offers_ignore(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    (void)ctx;
    (void)w;
    (void)m;
    (void)err;
    return 0;
}

int offers_ping(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    (void)ctx;
    struct wire_out o;
    wire_result(w, &o, m->id);
    return wire_end(w, &o, err);
}

/* No resources or prompts are offered: the lists are there, and empty. */
int offers_empty_list(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    (void)ctx;
    struct wire_out o;
    wire_result(w, &o, m->id);
    jout_name(&o.j, str_is(m->method, "prompts/list")     ? "prompts"
                    : str_is(m->method, "resources/list") ? "resources"
                                                          : "resourceTemplates");
    jout_array(&o.j);
    jout_array_end(&o.j);
    return wire_end(w, &o, err);
}

/* ---- names
 * ---------------------------------------------------------------------------------------------------
 */

/* Both server and tool names may hold dots; the longest server whose tool is offered wins, the same
 * each time. */
struct str offers_key(const struct run *r, struct str name, struct arena *a)
{
    const struct version *v = r->version;
    const struct server *best = NULL;
    for (size_t i = 0; i < v->server_count; i++) {
        const struct server *s = &v->servers[i];
        if (name.len > s->name.len + 1 && name.ptr[s->name.len] == '.' &&
            str_starts(name, s->name) && (!best || s->name.len > best->name.len) &&
            workflow_offers(&v->workflow, s, str_slice(name, s->name.len + 1, name.len)))
            best = s;
    }
    return best ? arena_fmt(a, "%.*s/%.*s", STR_FMT(best->name),
                            STR_FMT(str_slice(name, best->name.len + 1, name.len)))
                : arena_str(a, name);
}

bool offers_has(const struct run *r, struct str key)
{
    struct str tool = key, server;
    if (str_find(key, '/', 0) < 0 || !str_split(&tool, '/', &server) || !name_is_tool(tool))
        return false;
    const struct server *s = version_server(r->version, server);
    return s && workflow_offers(&r->version->workflow, s, tool);
}

/* ---- tools/list
 * -------------------------------------------------------------------------------------------------
 */

/* Servers are brought up one after the other; then the list is written and kept. */
struct listing {
    struct run *r;
    struct step *s;
    size_t next;
    int rounds; /* a server that was up may have gone while another one came */
    struct tool_want *want;
};

static void listing_free(struct listing *l)
{
    struct run *r = l->r;
    if (l->s) {
        l->s->live = false;
        l->s->effect = NULL;
    }
    tool_want_drop(l->want);
    free(l);
    run_consider_parking(r);
    run_put(r);
}

static void put_tool(struct jout *j, const struct server *s, const struct tool_def *d)
{
    jout_object(j);
    for (size_t i = 0; i < d->json->object.count; i++) {
        const struct json_member *m = &d->json->object.members[i];
        if (str_is(m->name, "name")) {
            jout_m_fmt(j, "name", "%.*s.%.*s", STR_FMT(s->name), STR_FMT(d->name));
        } else {
            jout_name_str(j, m->name);
            jout_raw(j, m->value.raw); /* schemas go on to the letter */
        }
    }
    jout_object_end(j);
}

/* A tool whose call the set in force would deny whatever its arguments is of no use to the worker;
 * it is left out of the list, and denied all the same when it is called. */
static int may_be_called(struct run *r, const struct server *s, const struct tool_def *d, bool *ret,
                         struct err *err)
{
    static const struct json nothing = {.type = JSON_OBJECT, .raw = {"{}", 2}};
    struct arena a;
    struct facts f;
    char hex[DIGEST_HEX];
    arena_init(&a, RUN_MESSAGE_ARENA);
    digest_hex(&d->digest, hex);
    int e = asking_facts(r, r->rec.next_seq, &a, &f, err);
    f.input = &nothing;
    f.tool = (struct facts_tool){.server = s->name,
                                 .tool = d->name,
                                 .server_tenant = s->tenant,
                                 .class = server_tool_of(s, d->name).class,
                                 .digest = str_of(hex)};
    if (e >= 0)
        e = ask_tool_may(r->rv->house, &f, &a, ret, err);
    arena_release(&a);
    return e;
}

static int put_tools(struct run *r, const struct server *s, const struct tool_def *defs, size_t n,
                     struct jout *j, struct err *err)
{
    for (size_t k = 0; k < n; k++) {
        bool may = workflow_offers(&r->version->workflow, s, defs[k].name);
        int e = may ? may_be_called(r, s, &defs[k], &may, err) : 0;
        if (e < 0)
            return e;
        if (may)
            put_tool(j, s, &defs[k]);
    }
    return 0;
}

static int put_servers(struct run *r, struct jout *j, struct err *err)
{
    const struct version *v = r->version;
    for (size_t i = 0; i < v->server_count; i++) {
        struct tool_server *ts;
        const struct tool_def *defs;
        int e = tool_server_get(r->rv, &r->rec.version, v->servers[i].name, &ts, err);
        if (e < 0)
            return e;
        size_t n = tool_server_state(ts) == TOOL_READY ? tool_defs(ts, &defs) : 0;
        if (n && (e = put_tools(r, &v->servers[i], defs, n, j, err)) < 0)
            return e;
    }
    return 0;
}

static int write_list(struct listing *l, struct err *err)
{
    struct buf list;
    struct jout j;
    buf_init(&list, 16u << 20);
    jout_begin(&j, &list);
    jout_object(&j);
    jout_m_cstr(&j, "resultType", "complete");
    jout_name(&j, "tools");
    jout_array(&j);
    int e = put_servers(l->r, &j, err);
    jout_array_end(&j);
    jout_m_i64(&j, "ttlMs", 0);
    jout_m_cstr(&j, "cacheScope", "private");
    jout_object_end(&j);
    if (e >= 0 && (e = jout_end(&j)) < 0)
        err_sys(err, -e, "list tools");
    if (e >= 0)
        e = step_settle(l->r, l->s, STEP_COMMITTED, buf_str(&list), false, "", err);
    buf_release(&list);
    return e;
}

static void go_on(struct listing *l);

static void on_server(void *arg, struct tool_server *ts, const struct err *why)
{
    (void)ts;
    struct listing *l = arg;
    struct err err = ERR_INIT;
    l->want = NULL;
    if (run_state_is_final(l->r->rec.state)) {
        listing_free(l);
        return;
    }
    if (!why) {
        l->next++;
        go_on(l);
        return;
    }
    if (step_settle_error(l->r, l->s, STEP_FAILED, WIRE_E_UNAVAILABLE, why->text, &err) < 0)
        reeved_fatal(l->r->rv, &err);
    listing_free(l);
}

/* The first server that is not up any more, or the number of servers. */
static size_t first_down(const struct listing *l)
{
    struct run *r = l->r;
    struct err err = ERR_INIT;
    struct tool_server *ts;
    size_t i = 0;
    while (i < r->version->server_count &&
           (tool_server_get(r->rv, &r->rec.version, r->version->servers[i].name, &ts, &err) < 0 ||
            tool_server_state(ts) == TOOL_READY))
        i++;
    return i;
}

static void go_on(struct listing *l)
{
    struct run *r = l->r;
    struct err err = ERR_INIT;
    struct tool_server *ts;
    int e;
    if (l->next == r->version->server_count && l->rounds++ < ROUNDS_MAX)
        l->next = first_down(l);
    if (l->next < r->version->server_count) {
        e = tool_server_get(r->rv, &r->rec.version, r->version->servers[l->next].name, &ts, &err);
        if (e >= 0)
            e = tool_server_want(ts, on_server, l, &l->want, &err);
        if (e >= 0)
            return;
    } else {
        e = write_list(l, &err);
    }
    r->users++;
    listing_free(l);
    if (e < 0 && store_is_broken(r->rv->store))
        reeved_fatal(r->rv, &err);
    else if (e < 0)
        run_must_event(r, LIFE_REFUSED, err.text);
    run_put(r);
}

static int start(struct run *r, struct step *s, struct err *err)
{
    struct listing *l = calloc(1, sizeof(*l));
    if (!l)
        return err_sys(err, ENOMEM, "list tools");
    *l = (struct listing){.r = r, .s = s};
    s->live = true;
    s->effect = l;
    r->users++;
    go_on(l);
    return 0;
}

static int begin(struct run *r, const struct step_ask *q, struct err *err)
{
    struct step *s;
    int e = step_begin(r, q, STEP_INTENT, NULL, &s, err);
    return e < 0 ? e : start(r, s, err);
}

static int resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    (void)q;
    return start(r, s, err);
}

const struct step_kind_ops offers_list_ops = {.begin = begin, .resume = resume};
