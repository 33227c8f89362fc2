/*
 * tool.c: see tool.h. Runs in reeved.
 */
#include "supervisor/tool.h"

#include "policy/process.h"
#include "supervisor/helper.h"
#include "supervisor/mcp.h"

#define DISCOVER_MS    3000
#define RESTART_MIN_MS 200
#define RESTART_MAX_MS 60000
#define LEAVE_MS       2000  /* for one that is idle, from the end of its input to its own */
#define STEADY_MS      30000 /* a server that lived this long starts with a short pause again */

struct tool_want {
    struct tool_want *next;
    struct tool_server *ts;
    tool_want_fn *fn;
    void *arg;
};

struct tool_call {
    struct tool_call *next;
    struct tool_server *ts;
    struct wire_call *call;
    int64_t id;
    tool_reply_fn *fn;
    void *arg;
};

struct tool_server {
    struct tool_server *next;
    struct reeved *rv;
    struct version *version; /* owns def */
    const struct server *def;
    uint32_t uid_slot;
    enum tool_state state;
    struct started *process;
    struct mcp *mcp;
    struct wire *wire;
    struct ev_timer
        *timer; /* down: the pause before the next start; starting: the limit; else: tells wants */
    struct ev_timer *idle; /* ready: looks whether it is used; told to leave: the limit */
    int64_t used_us;       /* monotonic: the last time that somebody had to do with it */
    struct tool_def *defs;
    size_t def_count;
    struct tool_want *wants;
    struct tool_call *calls;
    int64_t starts, pause_ms, up_since_ms, not_before_ms;
    struct err why; /* of the last failure */
};

static void start(struct tool_server *ts);

/* ---- definitions
 * ------------------------------------------------------------------------------------- */

static int take_defs(struct tool_server *ts, struct err *err)
{
    const struct json *const *tools;
    size_t n = mcp_tools(ts->mcp, &tools);
    struct tool_def *defs = calloc(n ? n : 1, sizeof(*defs));
    if (!defs)
        return err_sys(err, ENOMEM, "list tools");
    for (size_t i = 0; i < n; i++) {
        const struct json *schema = json_get(tools[i], "inputSchema");
        defs[i].json = tools[i];
        defs[i].schema = json_is(schema, JSON_OBJECT) ? schema : NULL;
        int e = json_want_str(tools[i], "name", &defs[i].name, err);
        if (e >= 0)
            e = version_tool_digest(tools[i], &defs[i].digest, err);
        if (e < 0) {
            free(defs);
            return e;
        }
    }
    free(ts->defs);
    ts->defs = defs;
    ts->def_count = n;
    return 0;
}

const struct tool_def *tool_find(const struct tool_server *ts, struct str name)
{
    for (size_t i = 0; i < ts->def_count; i++)
        if (str_eq(ts->defs[i].name, name))
            return &ts->defs[i];
    return NULL;
}

size_t tool_defs(const struct tool_server *ts, const struct tool_def **ret)
{
    *ret = ts->defs;
    return ts->def_count;
}

const struct server *tool_server_def(const struct tool_server *ts)
{
    return ts->def;
}

enum tool_state tool_server_state(const struct tool_server *ts)
{
    return ts->state;
}

/* ---- who waits for it
 * ---------------------------------------------------------------------------------- */

static void touch(struct tool_server *ts)
{
    ts->used_us = ev_mono_us(ts->rv->ev);
}

static void tell_wants(struct tool_server *ts, const struct err *why)
{
    touch(ts);
    struct tool_want *w = ts->wants;
    ts->wants = NULL;
    while (w) {
        struct tool_want *next = w->next;
        w->fn(w->arg, ts, why);
        free(w);
        w = next;
    }
}

int tool_server_want(struct tool_server *ts, tool_want_fn *fn, void *arg, struct tool_want **ret,
                     struct err *err)
{
    struct tool_want *w = calloc(1, sizeof(*w));
    if (!w)
        return err_sys(err, ENOMEM, "wait for a tool server");
    *w = (struct tool_want){.next = ts->wants, .ts = ts, .fn = fn, .arg = arg};
    ts->wants = w;
    *ret = w;
    if (ts->state == TOOL_READY)
        ev_timer_set(ts->timer, 0);
    else if (ts->state == TOOL_DOWN && !ts->process && !ev_timer_is_set(ts->timer))
        ev_timer_set(ts->timer, MAX(ts->not_before_ms - reeved_now(ts->rv), 0));
    return 0;
}

void tool_want_drop(struct tool_want *w)
{
    if (!w)
        return;
    for (struct tool_want **at = &w->ts->wants; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            free(w);
            return;
        }
}

/* ---- its end
 * ------------------------------------------------------------------------------------------- */

static void drop_connection(struct tool_server *ts)
{
    if (ts->wire)
        outbox_remove(&ts->rv->outbox, ts->wire);
    ts->wire = NULL;
    mcp_free(ts->mcp); /* open calls were answered as lost, or are told below */
    ts->mcp = NULL;
    free(ts->defs);
    ts->defs = NULL;
    ts->def_count = 0;
}

static void tell_lost(struct tool_server *ts, const char *text)
{
    const struct tool_reply reply = {
        .lost = true, .code = WIRE_E_UNAVAILABLE, .text = str_of(text)};
    struct tool_call *c = ts->calls;
    ts->calls = NULL;
    while (c) {
        struct tool_call *next = c->next;
        tool_reply_fn *fn = c->fn;
        void *arg = c->arg;
        free(c);
        fn(arg, &reply);
        c = next;
    }
}

static void went_down(struct tool_server *ts, const char *text)
{
    int64_t now = reeved_now(ts->rv);
    bool was_steady = ts->state == TOOL_READY && now - ts->up_since_ms >= STEADY_MS;
    if (ts->state == TOOL_DOWN)
        return;
    ts->state = TOOL_DOWN;
    ts->why = ERR_INIT;
    err_set(&ts->why, EPIPE, "tool server %.*s: %s", STR_FMT(ts->def->name), text);
    ts->pause_ms =
        was_steady || !ts->pause_ms ? RESTART_MIN_MS : MIN(2 * ts->pause_ms, RESTART_MAX_MS);
    ts->not_before_ms = now + ts->pause_ms;
    log_warn(&ts->rv->log, "%s", ts->why.text);
    ev_timer_stop(ts->timer);
    ev_timer_stop(ts->idle);
    drop_connection(ts);
    tell_wants(ts, &ts->why);
    tell_lost(ts, ts->why.text); /* last: who lost a call may want the server again, and waits for
                                    the next start */
    if (ts->process)
        spawner_kill(ts->process);
}

/* Whoever wants it again starts it again. Its input ends, as MCP has it for the end of a session.
 */
static void stop_idle(struct tool_server *ts)
{
    log_info(&ts->rv->log, "tool server %.*s is idle: stopped until it is wanted",
             STR_FMT(ts->def->name));
    ts->state = TOOL_DOWN;
    ts->why = ERR_INIT;
    ts->pause_ms = ts->not_before_ms = 0;
    ev_timer_stop(ts->timer);
    drop_connection(ts);
    (void)ev_timer_set(ts->idle, LEAVE_MS);
}

static void on_idle(void *arg, struct ev_timer *t)
{
    struct tool_server *ts = arg;
    int64_t left = ts->def->idle_ms - (ev_mono_us(ts->rv->ev) - ts->used_us) / 1000;
    if (ts->state == TOOL_DOWN && ts->process)
        spawner_kill(ts->process);
    else if (ts->state == TOOL_READY && !ts->calls && !ts->wants && left <= 0)
        stop_idle(ts);
    else if (ts->state == TOOL_READY)
        (void)ev_timer_set(t, left > 0 ? left : ts->def->idle_ms);
}

static void on_exit_told(void *arg, struct started *p, const struct started_exit *e)
{
    (void)p;
    struct tool_server *ts = arg;
    ev_timer_stop(ts->idle);
    char how[PROC_EXIT_TEXT], text[PROC_EXIT_TEXT + 32];
    ts->process = NULL;
    proc_exit_text(&e->exit, how);
    snprintf(text, sizeof(text), "%s%s", how, e->oom ? " (out of memory)" : "");
    went_down(ts, text);
    if (ts->wants) /* somebody asked while the old one was leaving */
        ev_timer_set(ts->timer, ts->pause_ms);
}

/* ---- its start
 * ------------------------------------------------------------------------------------------ */

static void on_ready(void *arg)
{
    struct tool_server *ts = arg;
    struct err err = ERR_INIT;
    if (take_defs(ts, &err) < 0) {
        went_down(ts, err.text);
        return;
    }
    if (ts->state == TOOL_READY)
        return; /* listed anew */
    ts->state = TOOL_READY;
    ts->up_since_ms = reeved_now(ts->rv);
    log_info(&ts->rv->log, "tool server %.*s is ready: %zu tools, MCP %s", STR_FMT(ts->def->name),
             ts->def_count, mcp_version(ts->mcp));
    ev_timer_set(ts->timer, 0);
    touch(ts);
    ev_timer_set(ts->idle, ts->def->idle_ms);
}

static void on_failed(void *arg, const struct err *why)
{
    went_down(arg, why->text);
}

static void on_log(void *arg, struct str level, struct str text)
{
    struct tool_server *ts = arg;
    struct buf line;
    buf_init(&line, 4096);
    utf8_put_visible(&line, text, 2048);
    log_info(&ts->rv->log, "tool server %.*s says (%.*s): %.*s", STR_FMT(ts->def->name),
             STR_FMT(level), STR_FMT(buf_str(&line)));
    buf_release(&line);
}

static void on_started(void *arg, struct started *p, const struct started_info *info,
                       const struct err *why)
{
    (void)p;
    struct tool_server *ts = arg;
    struct err err = ERR_INIT;
    if (!info) {
        ts->process = NULL;
        went_down(ts, why->text);
        return;
    }
    int pidfd = info->pidfd, fds[] = {info->in, info->out, info->errout};
    fd_close(&pidfd);
    if (ts->state != TOOL_STARTING) { /* given up meanwhile, and killed */
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
            fd_close(&fds[i]);
        return;
    }
    helper_watch_noise(ts->rv, info->errout, 0, ts->def->name.ptr);
    const struct mcp_options o = {.discover_ms = MIN(DISCOVER_MS, ts->def->start_timeout_ms),
                                  .start_ms = ts->def->start_timeout_ms,
                                  .max_result_bytes = (size_t)ts->def->result_bytes};
    const struct mcp_owner owner = {
        .on_ready = on_ready, .on_failed = on_failed, .on_log = on_log, .arg = ts};
    if (mcp_new(ts->rv->ev, info->out, info->in, &o, &owner, &ts->mcp, &ts->wire, &err) < 0 ||
        outbox_add(&ts->rv->outbox, ts->wire, &err) < 0)
        went_down(ts, err.text);
}

static void start(struct tool_server *ts)
{
    struct err err = ERR_INIT;
    char key[START_KEY_MAX];
    struct start_request q;
    const struct started_owner owner = {
        .on_started = on_started, .on_exit = on_exit_told, .arg = ts};
    snprintf(key, sizeof(key), "server-%.30s.%" PRId64, ts->def->name.ptr, ++ts->rv->server_starts);
    ts->starts++;
    process_of_server(ts->def, &q);
    q.uid_slot = ts->uid_slot;
    q.key = str_of(key);
    ts->state = TOOL_STARTING;
    if (spawner_start(ts->rv->spawner, &q, &owner, &ts->process, &err) < 0)
        went_down(ts, err.text);
    else
        ev_timer_set(ts->timer, ts->def->start_timeout_ms);
}

static void on_timer(void *arg, struct ev_timer *t)
{
    (void)t;
    struct tool_server *ts = arg;
    switch (ts->state) {
    case TOOL_READY:
        tell_wants(ts, NULL);
        break;
    case TOOL_STARTING:
        went_down(ts, "did not become ready in time (start_timeout)");
        break;
    case TOOL_DOWN:
        if (!ts->process && ts->wants)
            start(ts);
        break;
    }
}

/* ---- the pool
 * --------------------------------------------------------------------------------------------- */

/* The user id comes from the name, so that a server finds its files under the same owner after a
 * restart. Two names that fall on one slot: the later one takes the next free. */
static uint32_t slot_of(const struct reeved *rv, struct str name)
{
    const uint32_t count = UID_SLOT_RUNS - UID_SLOT_SERVERS;
    struct digest d = digest_of(name);
    uint32_t slot;
    memcpy(&slot, d.bytes, sizeof(slot));
    slot %= count;
    for (uint32_t tries = 0; tries < count; tries++, slot = (slot + 1) % count) {
        const struct tool_server *ts = rv->servers;
        while (ts && (ts->uid_slot != UID_SLOT_SERVERS + slot || str_eq(ts->def->name, name)))
            ts = ts->next;
        if (!ts)
            break;
    }
    return UID_SLOT_SERVERS + slot;
}

static int server_new(struct reeved *rv, const struct digest *version, struct str name,
                      struct tool_server **ret, struct err *err)
{
    struct arena a;
    struct str text;
    struct tool_server *ts = calloc(1, sizeof(*ts));
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = ts ? store_version_get(rv->store, version, &a, &text, err)
               : err_sys(err, ENOMEM, "start a tool server");
    if (e >= 0)
        e = version_parse(text, &ts->version, err);
    if (e >= 0)
        e = ev_timer_new(rv->ev, on_timer, ts, &ts->timer, err);
    if (e >= 0)
        e = ev_timer_new(rv->ev, on_idle, ts, &ts->idle, err);
    arena_release(&a);
    if (e >= 0 && !(ts->def = version_server(ts->version, name)))
        e = err_set(err, ENOENT, "no tool server %.*s in this version", STR_FMT(name));
    if (e < 0) {
        if (ts) {
            version_free(ts->version);
            ev_timer_free(ts->timer);
            ev_timer_free(ts->idle);
        }
        free(ts);
        return e;
    }
    ts->rv = rv;
    ts->uid_slot = slot_of(rv, name);
    ts->next = rv->servers;
    rv->servers = ts;
    *ret = ts;
    return 0;
}

int tool_server_get(struct reeved *rv, const struct digest *version, struct str name,
                    struct tool_server **ret, struct err *err)
{
    struct arena a;
    struct str text;
    struct version *v = NULL;
    for (struct tool_server *ts = rv->servers; ts; ts = ts->next)
        if (digest_eq(&ts->version->digest, version) && str_eq(ts->def->name, name)) {
            *ret = ts;
            return 0;
        }
    /* Another version may hold the same definition: then its process serves both. */
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = store_version_get(rv->store, version, &a, &text, err);
    if (e >= 0)
        e = version_parse(text, &v, err);
    const struct server *def = e >= 0 ? version_server(v, name) : NULL;
    *ret = NULL;
    for (struct tool_server *ts = rv->servers; def && ts && !*ret; ts = ts->next)
        if (digest_eq(&ts->def->digest, &def->digest))
            *ret = ts;
    version_free(v);
    arena_release(&a);
    if (e < 0 || *ret)
        return e;
    return server_new(rv, version, name, ret, err);
}

/* ---- calls
 * -------------------------------------------------------------------------------------------------
 */

static void on_reply(void *arg, struct wire *w, const struct wire_message *m)
{
    (void)w;
    struct tool_call *c = arg;
    struct tool_server *ts = c->ts;
    struct tool_reply reply = {.result = m->result, .code = m->code, .text = m->text};
    tool_reply_fn *fn = c->fn;
    void *to = c->arg;
    char size[64];
    if (m->kind == WIRE_ERROR && m->code == WIRE_E_TIMEOUT) {
        mcp_cancel(ts->mcp, c->id);
        reply.lost = true;
    } else if (m->kind == WIRE_ERROR && m->code == WIRE_E_UNAVAILABLE) {
        reply.lost = true;
    } else if (m->kind == WIRE_RESULT && (int64_t)m->result->raw.len > ts->def->result_bytes) {
        snprintf(size, sizeof(size), "the result has %zu bytes, over result_bytes",
                 m->result->raw.len);
        reply = (struct tool_reply){.code = WIRE_E_LIMIT, .text = str_of(size), .happened = true};
    }
    for (struct tool_call **at = &ts->calls; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    free(c);
    touch(ts);
    fn(to, &reply);
}

int tool_server_call(struct tool_server *ts, const struct tool_request *q, tool_reply_fn *fn,
                     void *arg, struct tool_call **ret, struct err *err)
{
    must(ts->state == TOOL_READY);
    touch(ts);
    struct tool_call *c = calloc(1, sizeof(*c));
    if (!c)
        return err_sys(err, ENOMEM, "call a tool");
    *c = (struct tool_call){.ts = ts, .fn = fn, .arg = arg};
    const struct mcp_call_request r = {.tool = q->tool,
                                       .arguments = q->arguments,
                                       .timeout_ms = q->timeout_ms,
                                       .idempotency_key = q->idempotency_key,
                                       .trace_id = q->trace_id};
    int e = mcp_call(ts->mcp, &r, on_reply, c, &c->call, err);
    if (e < 0) {
        free(c);
        return e;
    }
    c->id = wire_call_id(c->call);
    c->next = ts->calls;
    ts->calls = c;
    *ret = c;
    return 0;
}

void tool_call_drop(struct tool_call *c)
{
    for (struct tool_call **at = &c->ts->calls; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            wire_call_drop(c->call);
            free(c);
            return;
        }
}

void tool_put_status(struct reeved *rv, struct jout *j)
{
    static const char *const states[] = {"down", "starting", "ready"};
    jout_array(j);
    for (const struct tool_server *ts = rv->servers; ts; ts = ts->next) {
        jout_object(j);
        jout_m_str(j, "name", ts->def->name);
        jout_m_cstr(j, "state", states[ts->state]);
        jout_m_i64(j, "starts", ts->starts);
        jout_m_i64(j, "tools", (int64_t)ts->def_count);
        if (ts->mcp)
            jout_m_cstr(j, "protocol", mcp_version(ts->mcp));
        if (ts->state == TOOL_DOWN && ts->why.number)
            jout_m_cstr(j, "error", ts->why.text);
        jout_object_end(j);
    }
    jout_array_end(j);
}
