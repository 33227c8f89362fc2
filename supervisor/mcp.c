/*
 * mcp.c: see mcp.h. Runs in reeved; everything it reads was written by a tool server.
 */
#include "supervisor/mcp.h"

#include "policy/text/names.h"
#include "sandbox/os/fd.h"

#define MODERN "2026-07-28"
#define OLDER  "2025-11-25"
#define RELIST_MS \
    1000 /* a server that changes its list all the time is listed once a second at most */

static const char *const older_versions[] = {"2025-11-25", "2025-06-18", "2025-03-26",
                                             "2024-11-05"};

struct mcp {
    struct ev *ev;
    struct wire *wire;
    struct mcp_options options;
    struct mcp_owner owner;
    bool modern, ready, failed;
    char version[16];
    struct ev_timer *relist;
    bool listing;
    struct arena defs[2]; /* the list in use, and the one being read */
    int in_use;
    const struct json *tools[MCP_TOOLS_MAX], *reading[MCP_TOOLS_MAX];
    size_t count, reading_count;
};

static int ask_tools(struct mcp *m, struct str cursor, struct err *err);

static void fail(struct mcp *m, const char *fmt, ...) PRINTF(2, 3);
static void fail(struct mcp *m, const char *fmt, ...)
{
    struct err why = ERR_INIT;
    char text[ERR_TEXT_MAX];
    va_list ap;
    if (m->failed)
        return;
    m->failed = true;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(&why, EPROTO, "%s", text);
    m->owner.on_failed(m->owner.arg, &why); /* may free m */
}

/* ---- what every request carries
 * --------------------------------------------------------------------- */

static void put_client(struct jout *j)
{
    jout_object(j);
    jout_m_cstr(j, "name", "reeve");
    jout_m_cstr(j, "version", REEVE_VERSION);
    jout_object_end(j);
}

static void put_meta_members(const struct mcp *m, struct jout *j)
{
    if (!m->modern)
        return;
    jout_m_cstr(j, "io.modelcontextprotocol/protocolVersion", MODERN);
    jout_name(j, "io.modelcontextprotocol/clientInfo");
    put_client(j);
    jout_name(j, "io.modelcontextprotocol/clientCapabilities");
    jout_object(j);
    jout_object_end(j);
}

static void put_meta(const struct mcp *m, struct jout *j)
{
    if (!m->modern)
        return;
    jout_name(j, "_meta");
    jout_object(j);
    put_meta_members(m, j);
    jout_object_end(j);
}

/* ---- tools/list
 * ---------------------------------------------------------------------------------------- */

static int take_tool(struct mcp *m, struct arena *a, const struct json *def, struct err *err)
{
    struct str name, copy;
    const struct json *kept;
    if (def->type != JSON_OBJECT || json_want_str(def, "name", &name, err) < 0 ||
        !name_is_tool(name))
        return 0; /* one that cannot be called by name; the others are kept */
    for (size_t i = 0; i < m->reading_count; i++) {
        struct str other;
        if (json_want_str(m->reading[i], "name", &other, err) == 0 && str_eq(other, name))
            return err_set(err, EPROTO, "lists tool %.*s twice", STR_FMT(name));
    }
    if (m->reading_count == MCP_TOOLS_MAX)
        return err_set(err, E2BIG, "lists over %d tools", MCP_TOOLS_MAX);
    copy = arena_str(a, def->raw);
    if (!copy.ptr)
        return err_set(err, E2BIG, "lists definitions of over %u bytes", MCP_DEFINITIONS_MAX);
    int e = json_parse(a, copy, &JSON_LIMITS_DEFAULT, &kept, NULL, err);
    if (e >= 0)
        m->reading[m->reading_count++] = kept;
    return e;
}

static void listed(struct mcp *m)
{
    m->in_use = !m->in_use;
    memcpy(m->tools, m->reading, m->reading_count * sizeof(m->tools[0]));
    m->count = m->reading_count;
    arena_reset(&m->defs[!m->in_use]);
    m->listing = false;
    m->ready = true;
    m->owner.on_ready(m->owner.arg);
}

static void on_tools(void *arg, struct wire *w, const struct wire_message *r)
{
    (void)w;
    struct mcp *m = arg;
    struct err err = ERR_INIT;
    if (r->kind == WIRE_ERROR) {
        /* A server without tools may not know the method at all. */
        if (r->code == WIRE_E_METHOD)
            listed(m);
        else
            fail(m, "tools/list: %.*s", STR_FMT(r->text));
        return;
    }
    const struct json *tools = json_get(r->result, "tools"),
                      *cursor = json_get(r->result, "nextCursor");
    if (!json_is(tools, JSON_ARRAY) ||
        (cursor && cursor->type != JSON_STRING && cursor->type != JSON_NULL)) {
        fail(m, "tools/list: expected a result with tools[]");
        return;
    }
    for (size_t i = 0; i < tools->array.count; i++)
        if (take_tool(m, &m->defs[!m->in_use], &tools->array.items[i], &err) < 0) {
            fail(m, "tools/list: %s", err.text);
            return;
        }
    if (!json_is(cursor, JSON_STRING)) /* "" is a cursor too: only its absence ends the list */
        listed(m);
    else if (!tools->array.count)
        fail(m, "tools/list: an empty page with a cursor to the next");
    else if (ask_tools(m, cursor->string, &err) < 0)
        fail(m, "tools/list: %s", err.text);
}

static int ask_tools(struct mcp *m, struct str cursor, struct err *err)
{
    struct wire_out o;
    int e = wire_call_begin(m->wire, &o, "tools/list");
    if (e < 0)
        return e;
    if (cursor.ptr)
        jout_m_str(&o.j, "cursor", cursor);
    put_meta(m, &o.j);
    return wire_call_end(m->wire, &o, m->options.start_ms, on_tools, m, NULL, err);
}

static void list(struct mcp *m)
{
    struct err err = ERR_INIT;
    m->listing = true;
    m->reading_count = 0;
    arena_reset(&m->defs[!m->in_use]);
    if (ask_tools(m, STR_NONE, &err) < 0)
        fail(m, "tools/list: %s", err.text);
}

static void on_relist(void *arg, struct ev_timer *t)
{
    (void)t;
    struct mcp *m = arg;
    if (m->ready && !m->listing)
        list(m);
}

/* ---- era
 * ---------------------------------------------------------------------------------------------------
 */

static void on_initialized(void *arg, struct wire *w, const struct wire_message *r)
{
    struct mcp *m = arg;
    struct str version;
    struct err err = ERR_INIT;
    struct wire_out o;
    if (r->kind == WIRE_ERROR) {
        fail(m, "initialize: %.*s", STR_FMT(r->text));
        return;
    }
    if (json_want_str(r->result, "protocolVersion", &version, &err) < 0) {
        fail(m, "initialize: %s", err.text);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(older_versions); i++)
        if (str_is(version, older_versions[i]))
            snprintf(m->version, sizeof(m->version), "%s", older_versions[i]);
    if (!m->version[0]) {
        fail(m, "initialize: the server speaks revision %.*s, which is not known here",
             STR_FMT(version));
        return;
    }
    if (wire_notify(w, &o, "notifications/initialized") < 0 || wire_end(w, &o, &err) < 0)
        fail(m, "initialize: %s", err.text);
    else
        list(m);
}

static void initialize(struct mcp *m)
{
    struct err err = ERR_INIT;
    struct wire_out o;
    m->modern = false;
    if (wire_call_begin(m->wire, &o, "initialize") < 0) {
        fail(m, "initialize: out of memory");
        return;
    }
    jout_m_cstr(&o.j, "protocolVersion", OLDER);
    jout_name(&o.j, "capabilities"); /* no roots, no sampling: both are deprecated and widen what a
                                        server may do */
    jout_object(&o.j);
    jout_object_end(&o.j);
    jout_name(&o.j, "clientInfo");
    put_client(&o.j);
    if (wire_call_end(m->wire, &o, m->options.start_ms, on_initialized, m, NULL, &err) < 0)
        fail(m, "initialize: %s", err.text);
}

static bool speaks_modern(const struct json *versions)
{
    if (!json_is(versions, JSON_ARRAY))
        return false;
    for (size_t i = 0; i < versions->array.count; i++)
        if (json_is(&versions->array.items[i], JSON_STRING) &&
            str_is(versions->array.items[i].string, MODERN))
            return true;
    return false;
}

static void on_discovered(void *arg, struct wire *w, const struct wire_message *r)
{
    (void)w;
    struct mcp *m = arg;
    if (m->failed)
        return;
    if (r->kind == WIRE_ERROR && r->code == WIRE_E_UNAVAILABLE)
        return; /* on_closed tells */
    if (r->kind == WIRE_RESULT && speaks_modern(json_get(r->result, "supportedVersions"))) {
        snprintf(m->version, sizeof(m->version), "%s", MODERN);
        list(m);
        return;
    }
    initialize(m); /* any error, any other answer, or none in time: the older era */
}

static int discover(struct mcp *m, struct err *err)
{
    struct wire_out o;
    int e = wire_call_begin(m->wire, &o, "server/discover");
    if (e < 0)
        return err_sys(err, -e, "server/discover");
    m->modern = true;
    put_meta(m, &o.j);
    return wire_call_end(m->wire, &o, m->options.discover_ms, on_discovered, m, NULL, err);
}

/* ---- what the server sends by itself
 * ---------------------------------------------------------------------- */

static void on_message(void *arg, struct wire *w, const struct wire_message *q)
{
    struct mcp *m = arg;
    struct wire_out o;
    struct err err = ERR_INIT;
    struct str level, text;
    if (q->kind == WIRE_REQUEST && str_is(q->method, "ping")) {
        wire_result(w, &o, q->id);
        if (wire_end(w, &o, &err) < 0)
            fail(m, "answer ping: %s", err.text);
    } else if (q->kind == WIRE_REQUEST) {
        wire_error(w, q->id, WIRE_E_METHOD, "not offered by this client");
    } else if (str_is(q->method, "notifications/tools/list_changed")) {
        if (m->ready && !ev_timer_is_set(m->relist))
            ev_timer_set(m->relist, RELIST_MS);
    } else if (str_is(q->method, "notifications/message")) {
        const struct json *data = json_get(q->params, "data");
        if (json_str_or(q->params, "level", STR("info"), &level, &err) < 0)
            return;
        text = !data ? STR_NONE : data->type == JSON_STRING ? data->string : data->raw;
        m->owner.on_log(m->owner.arg, level, text);
    }
}

static void on_closed(void *arg, struct wire *w, const struct err *why)
{
    (void)w;
    if (why->number)
        fail(arg, "%s", why->text);
    else
        fail(arg, "the server closed its output");
}

/* ---- life
 * ----------------------------------------------------------------------------------------------------
 */

int mcp_new(struct ev *ev, int in_fd, int out_fd, const struct mcp_options *o,
            const struct mcp_owner *owner, struct mcp **ret, struct wire **ret_wire,
            struct err *err)
{
    struct mcp *m = calloc(1, sizeof(*m));
    if (!m) {
        fd_close(&in_fd);
        fd_close(&out_fd);
        return err_sys(err, ENOMEM, "speak to a tool server");
    }
    *m = (struct mcp){.ev = ev, .options = *o, .owner = *owner};
    arena_init(&m->defs[0], MCP_DEFINITIONS_MAX * 4);
    arena_init(&m->defs[1], MCP_DEFINITIONS_MAX * 4);
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    limits.max_message_bytes = MAX(o->max_result_bytes + 65536, (size_t)MCP_DEFINITIONS_MAX);
    const struct wire_owner wo = {.on_message = on_message, .on_closed = on_closed, .arg = m};
    int e = wire_new_pipes(ev, in_fd, out_fd, &limits, &wo, &m->wire, err);
    if (e >= 0)
        e = ev_timer_new(ev, on_relist, m, &m->relist, err);
    if (e >= 0)
        e = discover(m, err);
    if (e < 0) {
        mcp_free(m);
        return e;
    }
    *ret = m;
    *ret_wire = m->wire;
    return 0;
}

void mcp_free(struct mcp *m)
{
    if (!m)
        return;
    wire_free(m->wire);
    ev_timer_free(m->relist);
    arena_release(&m->defs[0]);
    arena_release(&m->defs[1]);
    free(m);
}

bool mcp_is_modern(const struct mcp *m)
{
    return m->modern;
}

const char *mcp_version(const struct mcp *m)
{
    return m->version;
}

size_t mcp_tools(const struct mcp *m, const struct json *const **ret)
{
    *ret = m->tools;
    return m->count;
}

int mcp_call(struct mcp *m, const struct mcp_call_request *q, wire_reply_fn *fn, void *arg,
             struct wire_call **ret, struct err *err)
{
    struct wire_out o;
    int e = wire_call_begin(m->wire, &o, "tools/call");
    if (e < 0)
        return err_sys(err, -e, "tools/call");
    jout_m_str(&o.j, "name", q->tool);
    jout_name(&o.j, "arguments");
    jout_raw(&o.j, q->arguments);
    jout_name(&o.j, "_meta");
    jout_object(&o.j);
    put_meta_members(m, &o.j);
    if (q->idempotency_key)
        jout_m_cstr(&o.j, "io.reeve/idempotencyKey", q->idempotency_key);
    if (q->trace_id) /* the span id is the tail of the key's digest: any non-zero 16 hex digits of
                        our own */
        jout_m_fmt(&o.j, "traceparent", "00-%s-%.16s-01", q->trace_id,
                   q->idempotency_key ? q->idempotency_key + 6 : "0000000000000001");
    jout_object_end(&o.j);
    return wire_call_end(m->wire, &o, q->timeout_ms, fn, arg, ret, err);
}

void mcp_cancel(struct mcp *m, int64_t request)
{
    struct wire_out o;
    struct err err = ERR_INIT;
    if (wire_notify(m->wire, &o, "notifications/cancelled") < 0)
        return;
    jout_m_i64(&o.j, "requestId", request);
    (void)wire_end(m->wire, &o, &err); /* a courtesy: the call is over for us either way */
}
