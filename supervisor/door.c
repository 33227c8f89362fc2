/*
 * door.c: see door.h. Runs in reeved. The peer's ids were read from its socket by reeve-control
 * (SO_PEERCRED); params are the client's own text. The role is checked here again: reeve-control
 * checks to answer early, reeved because it is the one that acts.
 */
#include "supervisor/door.h"

#include <unistd.h>

#include "policy/text/diag.h"
#include "supervisor/access.h"
#include "supervisor/audit.h"
#include "supervisor/caller.h"
#include "supervisor/copies.h"
#include "supervisor/gate.h"
#include "supervisor/helper.h"
#include "supervisor/helpers.h"
#include "supervisor/switches.h"
#include "supervisor/travel.h"
#include "supervisor/trigger.h"

/* What went wrong, as the code that reeve-control makes an HTTP status of. */
static int refuse(const struct caller *c, int e, const struct err *err)
{
    int64_t code = e == -ENOENT                     ? WIRE_E_NOT_FOUND
                   : e == -EPERM                    ? WIRE_E_DENIED
                   : e == -EALREADY || e == -EEXIST ? WIRE_E_CONFLICT
                   : e == -EINVAL || e == -EBADMSG  ? WIRE_E_PARAMS
                                                    : WIRE_E_INTERNAL;
    return wire_error(c->w, c->id, code, "%s", err->text);
}

/* For changes in the middle of which something of ours failed: the store would be left half
 * changed. */
static int failed(const struct caller *c, int e, const struct err *err)
{
    if (e == -ENOENT || e == -EPERM || e == -EALREADY || e == -EEXIST || e == -EINVAL ||
        e == -EBADMSG)
        return refuse(c, e, err);
    if (store_is_broken(c->rv->store))
        reeved_fatal(c->rv, err);
    return refuse(c, e, err);
}

int caller_refuse(const struct caller *c, int e, const struct err *err)
{
    return refuse(c, e, err);
}

int caller_failed(const struct caller *c, int e, const struct err *err)
{
    return failed(c, e, err);
}

int caller_busy(const struct caller *c, int64_t after_ms, const struct err *err)
{
    struct buf text;
    struct jout j;
    struct err why = ERR_INIT;
    buf_init(&text, 4096);
    jout_begin(&j, &text);
    jout_object(&j);
    jout_m_i64(&j, "code", WIRE_E_LIMIT);
    jout_m_cstr(&j, "message", err->text);
    jout_name(&j, "data");
    jout_object(&j);
    jout_m_i64(&j, "retryAfterMs", after_ms);
    jout_object_end(&j);
    jout_object_end(&j);
    int e = jout_end(&j);
    e = e < 0 ? refuse(c, -EAGAIN, err) : wire_error_raw(c->w, c->id->raw, buf_str(&text), &why);
    buf_release(&text);
    return e;
}

/* ---- events
 * ----------------------------------------------------------------------------------------------------
 */

static int put_accepted(const struct caller *c, const struct trigger_result *res, struct err *err)
{
    struct wire_out o;
    wire_result(c->w, &o, c->id);
    jout_m_i64(&o.j, "event", res->event);
    jout_m_bool(&o.j, "duplicate", res->duplicate);
    if (res->run_count)
        jout_m_i64(&o.j, "run", res->runs[0]);
    jout_name(&o.j, "runs");
    jout_array(&o.j);
    for (size_t i = 0; i < res->run_count; i++)
        jout_i64(&o.j, res->runs[i]);
    jout_array_end(&o.j);
    jout_m_i64(&o.j, "woken", (int64_t)res->woken);
    if (res->denied.number)
        jout_m_cstr(&o.j, "denied", res->denied.text);
    return wire_end(c->w, &o, err);
}

static int do_event(struct caller *c, struct err *err)
{
    struct trigger t = {
        .event = json_get(c->params, "event"), .kind = STR("command"), .name = str_of(c->name)};
    struct trigger_result res;
    if (json_str_or(c->params, "workflow", STR_NONE, &t.workflow, err) < 0)
        return refuse(c, -EINVAL, err);
    int e = trigger_accept(c->rv, &t, &res, err);
    if (e == -EAGAIN)
        return caller_busy(c, res.retry_after_ms, err);
    if (e < 0)
        return failed(c, e, err);
    if (res.denied.number && !res.run_count && !res.woken)
        return refuse(c, -EPERM, &res.denied);
    return put_accepted(c, &res, err);
}

/* ---- runs
 * ---------------------------------------------------------------------------------------------------------
 */

static int put_run(const struct caller *c, const struct run *r, struct err *err)
{
    struct wire_out o;
    wire_result(c->w, &o, c->id);
    jout_m_i64(&o.j, "run", r->rec.id);
    jout_m_cstr(&o.j, "state", run_state_name(r->rec.state));
    return wire_end(c->w, &o, err);
}

static int change_run(struct caller *c, enum life_event event, const char *verb, struct err *err)
{
    int64_t id;
    struct str why;
    struct run *r;
    char reason[400], subject[32];
    if (json_want_i64(c->params, "run", &id, err) < 0 ||
        json_str_or(c->params, "reason", STR_NONE, &why, err) < 0)
        return refuse(c, -EINVAL, err);
    int e = run_get(c->rv, id, &r, err);
    if (e == -ENOENT)
        err_set(err, ENOENT, "no run %" PRId64, id);
    if (e < 0)
        return failed(c, e, err);
    struct buf shown;
    buf_init(&shown, 1024);
    utf8_put_visible(&shown, why, 240);
    snprintf(reason, sizeof(reason), "%s by %s%s%.*s", verb, c->name, why.len ? ": " : "",
             STR_FMT(buf_str(&shown)));
    buf_release(&shown);
    if (event == LIFE_PAUSE && life_next(r->rec.state, event).action != LIFE_DO_ILLEGAL) {
        r->rec.wait = WAIT_PAUSED;
        r->rec.wake_ms = 0;
    }
    if (event == LIFE_RESUME && r->rec.wait != WAIT_PAUSED)
        e = err_set(err, EPERM, "run %" PRId64 " is not paused", id);
    if (event == LIFE_REDRIVE && life_next(r->rec.state, event).action != LIFE_DO_ILLEGAL)
        r->rec.failures = 0;
    if (e >= 0)
        e = run_event(r, event, reason, err);
    if (e >= 0 && event == LIFE_PAUSE)
        e = switches_run_paused(r, str_of(c->name), str_slice(why, 0, 240), err);
    if (e == -EPERM)
        e = -EALREADY; /* not a matter of rights: the run's state does not allow it */
    snprintf(subject, sizeof(subject), "run/%" PRId64, id);
    if (e >= 0)
        e = audit_note(c->rv, str_of(c->name), "run.change", str_of(subject), str_of(reason), err);
    e = e < 0 ? failed(c, e, err) : put_run(c, r, err);
    run_put(r);
    return e;
}

static int do_cancel(struct caller *c, struct err *err)
{
    return change_run(c, LIFE_CANCEL, "cancelled", err);
}

static int do_pause(struct caller *c, struct err *err)
{
    return change_run(c, LIFE_PAUSE, "paused", err);
}

static int do_resume(struct caller *c, struct err *err)
{
    return change_run(c, LIFE_RESUME, "resumed", err);
}

static int do_redrive(struct caller *c, struct err *err)
{
    return change_run(c, LIFE_REDRIVE, "redriven", err);
}

/* ---- time travel
 * ----------------------------------------------------------------------------------------------------
 */

static int travel(struct caller *c, const struct travel_ask *q, struct err *err)
{
    struct travel_made made;
    struct wire_out o;
    int e = travel_new(c->rv, q, &made, err);
    if (e == -EAGAIN)
        return caller_busy(c, made.retry_after_ms, err);
    if (e < 0)
        return failed(c, e, err);
    wire_result(c->w, &o, c->id);
    jout_m_i64(&o.j, "run", made.run);
    jout_m_cstr(&o.j, "mode", run_mode_name(q->mode));
    jout_m_i64(&o.j, "origin", q->origin);
    if (q->from)
        jout_m_i64(&o.j, "from", q->from);
    return wire_end(c->w, &o, err);
}

static int do_fork(struct caller *c, struct err *err)
{
    struct travel_ask q = {.who = str_of(c->name)};
    bool dry;
    if (json_want_i64(c->params, "run", &q.origin, err) < 0 ||
        json_want_i64(c->params, "from", &q.from, err) < 0 ||
        json_bool_or(c->params, "dry", false, &dry, err) < 0)
        return refuse(c, -EINVAL, err);
    q.mode = dry ? RUN_DRY : RUN_REAL;
    return travel(c, &q, err);
}

static int do_replay(struct caller *c, struct err *err)
{
    struct travel_ask q = {.mode = RUN_REPLAY, .who = str_of(c->name)};
    if (json_want_i64(c->params, "run", &q.origin, err) < 0)
        return refuse(c, -EINVAL, err);
    return travel(c, &q, err);
}

/* ---- approvals
 * ------------------------------------------------------------------------------------------------------
 */

static int do_decide(struct caller *c, struct err *err)
{
    struct gate_vote v = {.uid = c->uid,
                          .user = str_of(c->name),
                          .teams = c->teams,
                          .outcome = json_get(c->params, "outcome")};
    struct store_approval ap;
    int votes = 0;
    if (json_want_i64(c->params, "approval", &v.approval, err) < 0 ||
        json_want_bool(c->params, "approve", &v.approve, err) < 0 ||
        json_str_or(c->params, "comment", STR_NONE, &v.comment, err) < 0)
        return refuse(c, -EINVAL, err);
    if (v.outcome && v.outcome->type == JSON_NULL)
        v.outcome = NULL;
    if (v.outcome &&
        (v.outcome->type != JSON_OBJECT || !json_is(json_get(v.outcome, "happened"), JSON_BOOL))) {
        err_set(err, EINVAL, "outcome: expected {\"happened\":true|false,\"result\":{...}}");
        return refuse(c, -EINVAL, err);
    }
    int e = gate_decide(c->rv, &v, &ap, &votes, c->arena, err);
    if (e == -ENOENT)
        err_set(err, ENOENT, "no approval %" PRId64, v.approval);
    if (e < 0)
        return failed(c, e, err);
    struct wire_out o;
    wire_result(c->w, &o, c->id);
    jout_m_i64(&o.j, "approval", v.approval);
    jout_m_i64(&o.j, "run", ap.run);
    jout_m_cstr(&o.j, "state", approval_state_name(ap.state));
    jout_m_i64(&o.j, "votes", votes);
    jout_m_i64(&o.j, "quorum", ap.quorum);
    return wire_end(c->w, &o, err);
}

/* ---- the house
 * ----------------------------------------------------------------------------------------------------------
 */

static int put_set(const struct house *h, struct wire_out *o)
{
    char hex[DIGEST_HEX];
    digest_hex(&h->digest, hex);
    jout_m_cstr(&o->j, "digest", hex);
    jout_m_str(&o->j, "dir", h->dir);
    jout_m_i64(&o->j, "policies", (int64_t)h->policy_count);
    jout_m_i64(&o->j, "workflows", (int64_t)h->workflow_count);
    return 0;
}

static int do_load(struct caller *c, struct err *err)
{
    struct str dir, shadow;
    char path[1024];
    struct diags diags;
    struct wire_out o;
    if (json_str_or(c->params, "shadow", STR_NONE, &shadow, err) < 0)
        return refuse(c, -EINVAL, err);
    if (shadow.len && !str_is(shadow, "set") && !str_is(shadow, "off")) {
        err_set(err, EINVAL, "shadow: expected \"set\" or \"off\"");
        return refuse(c, -EINVAL, err);
    }
    if (json_str_or(c->params, "dir", c->rv->house->dir, &dir, err) < 0 ||
        str_copy(dir, path, sizeof(path)) < 0)
        return refuse(c, -EINVAL, err);
    dir = str_of(path); /* the set whose name it may have been is about to go */
    diags_init(&diags);
    bool is_shadow = shadow.len > 0;
    int e = !is_shadow ? reeved_load(c->rv, path, &diags, err)
                       : reeved_load_shadow(c->rv, str_is(shadow, "off") ? NULL : path, &diags, err);
    if (e >= 0)
        e = audit_note(c->rv, str_of(c->name), is_shadow ? "policy.shadow" : "policy.load", dir, shadow, err);
    if (e < 0 && diags_has_errors(&diags)) {
        /* Told as a result, so that the diagnostics come whole; "digest" is then absent. */
        wire_result(c->w, &o, c->id);
        jout_name(&o.j, "diagnostics");
        diags_json(&diags, &o.j);
        e = wire_end(c->w, &o, err);
    } else if (e < 0) {
        e = failed(c, e == -EACCES ? -EINVAL : e, err);
    } else {
        wire_result(c->w, &o, c->id);
        put_set(is_shadow && c->rv->shadow ? c->rv->shadow : c->rv->house, &o);
        jout_name(&o.j, "diagnostics");
        diags_json(&diags, &o.j);
        e = wire_end(c->w, &o, err);
    }
    diags_release(&diags);
    return e;
}

static int do_status(struct caller *c, struct err *err)
{
    struct reeved *rv = c->rv;
    int64_t by_state[RUN_STATE_COUNT];
    struct store_stats st;
    struct wire_out o;
    int e = store_runs_count(rv->store, by_state, err);
    if (e < 0)
        return failed(c, e, err);
    store_stats(rv->store, &st);
    wire_result(c->w, &o, c->id);
    jout_m_cstr(&o.j, "version", REEVE_VERSION);
    jout_m_i64(&o.j, "pid", getpid());
    jout_m_i64(&o.j, "uptimeMs", reeved_now(rv) - rv->started_ms);
    jout_m_i64(&o.j, "workers", rv->live_workers);
    jout_m_i64(&o.j, "storeBytes", (int64_t)(st.file_bytes + st.wal_bytes));
    jout_m_i64(&o.j, "commits", st.commits);
    jout_m_i64(&o.j, "schema", st.schema);
    jout_name(&o.j, "runs");
    jout_object(&o.j);
    for (int i = 0; i < RUN_STATE_COUNT; i++)
        jout_m_i64(&o.j, run_state_name((enum run_state)i), by_state[i]);
    jout_object_end(&o.j);
    jout_name(&o.j, "policy");
    jout_object(&o.j);
    put_set(rv->house, &o);
    jout_object_end(&o.j);
    if (rv->shadow) {
        jout_name(&o.j, "shadow");
        jout_object(&o.j);
        put_set(rv->shadow, &o);
        jout_object_end(&o.j);
    }
    switches_put(rv, &o.j);
    jout_name(&o.j, "helpers");
    jout_array(&o.j);
    helper_put_status(rv->egress, &o.j);
    helper_put_status(rv->control, &o.j);
    jout_array_end(&o.j);
    jout_name(&o.j, "servers");
    tool_put_status(rv, &o.j);
    return wire_end(c->w, &o, err);
}

/* reeve-spawn knows the kernel; its answer is passed on. */
struct doctor {
    struct reeved *rv;
    size_t id_len;
    char id[];
};

static void on_features(void *arg, struct wire *w, const struct wire_message *m)
{
    (void)w;
    struct doctor *d = arg;
    struct err err = ERR_INIT;
    struct wire *to = helper_wire(d->rv->control);
    struct str id = {d->id, d->id_len};
    if (to && m->kind == WIRE_RESULT)
        (void)wire_result_raw(to, id, m->result->raw, &err);
    else if (to)
        (void)wire_error_raw(
            to, id, STR("{\"code\":1006,\"message\":\"reeve-spawn does not answer\"}"), &err);
    free(d);
}

static int do_doctor(struct caller *c, struct err *err)
{
    struct wire *spawn = spawner_wire(c->rv->spawner);
    struct wire_out o;
    struct doctor *d = malloc(sizeof(*d) + c->id->raw.len);
    if (!d)
        return err_sys(err, ENOMEM, "ask reeve-spawn");
    *d = (struct doctor){.rv = c->rv, .id_len = c->id->raw.len};
    memcpy(d->id, c->id->raw.ptr, d->id_len);
    int e = wire_call_begin(spawn, &o, "host/features");
    if (e >= 0)
        e = wire_call_end(spawn, &o, 10000, on_features, d, NULL, err);
    if (e < 0)
        free(d);
    return e < 0 ? failed(c, e, err) : 0;
}

/* ---- who may do what
 * ------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *method;
    enum access_role role;
    int (*fn)(struct caller *c, struct err *err);
} methods[] = {
    {"event/send", ROLE_OPERATOR, do_event},    {"run/cancel", ROLE_OPERATOR, do_cancel},
    {"run/pause", ROLE_OPERATOR, do_pause},     {"run/resume", ROLE_OPERATOR, do_resume},
    {"run/redrive", ROLE_OPERATOR, do_redrive}, {"approval/decide", ROLE_APPROVER, do_decide},
    {"run/fork", ROLE_OPERATOR, do_fork},       {"run/replay", ROLE_OPERATOR, do_replay},
    {"store/backup", ROLE_ADMIN, copies_begin},    {"policy/load", ROLE_ADMIN, do_load},
    {"switch/stop", ROLE_OPERATOR, door_stop},  {"switch/go", ROLE_OPERATOR, door_go},
    {"queue", ROLE_VIEWER, door_queue},         {"workflow/rollback", ROLE_ADMIN, door_rollback},
    {"status", ROLE_VIEWER, do_status},         {"doctor", ROLE_VIEWER, do_doctor},
};

static int read_caller(struct caller *c, const struct json *peer, struct err *err)
{
    int64_t gid;
    const struct json *gids = json_get(peer, "gids");
    if (json_want_i64(peer, "uid", &c->uid, err) < 0 || json_want_i64(peer, "gid", &gid, err) < 0)
        return -EINVAL;
    if (c->uid < 0 || c->uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return err_set(err, EINVAL, "peer: ids out of range");
    c->gids[c->gid_count++] = (gid_t)gid;
    for (size_t i = 0;
         json_is(gids, JSON_ARRAY) && i < gids->array.count && c->gid_count < CALLER_GROUPS_MAX; i++)
        if (gids->array.items[i].type == JSON_INT)
            c->gids[c->gid_count++] = (gid_t)gids->array.items[i].integer;
    const struct person *p = access_person(c->rv->house, c->uid);
    if (p) {
        snprintf(c->name, sizeof(c->name), "%.*s", STR_FMT(p->name));
        c->teams = p->teams;
    } else {
        snprintf(c->name, sizeof(c->name), "uid/%" PRId64, c->uid);
    }
    return 0;
}

static int on_do(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct caller c = {
        .rv = ctx, .w = w, .id = m->id, .arena = m->arena, .params = json_get(m->params, "params")};
    struct str method;
    if (json_want_str(m->params, "method", &method, err) < 0 ||
        read_caller(&c, json_get(m->params, "peer"), err) < 0)
        return refuse(&c, -EINVAL, err);
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (!str_is(method, methods[i].method))
            continue;
        if (access_has_role(c.rv, (uid_t)c.uid, c.gids, c.gid_count, methods[i].role))
            return methods[i].fn(&c, err);
        err_set(err, EPERM, "%s needs the role %s, which %s does not have", methods[i].method,
                access_role_name(methods[i].role), c.name);
        return refuse(&c, -EPERM, err);
    }
    return wire_error(w, m->id, WIRE_E_METHOD, "no method %.*s", STR_FMT(method));
}

static const struct wire_rule rules[] = {
    {"control/do", WIRE_REQUEST, 1, false, 0, on_do},
};

void door_message(struct reeved *rv, struct wire *w, const struct wire_message *m)
{
    struct err err = ERR_INIT;
    int64_t code = 0;
    uint64_t seen = 0;
    const struct wire_rule *rule = wire_admit(rules, ARRAY_LEN(rules), m, 1, &seen, &code, &err);
    if (!rule) {
        log_warn(&rv->log, "reeve-control: %s", err.text);
        if (m->kind == WIRE_REQUEST)
            wire_error(w, m->id, code, "%s", err.text);
        return;
    }
    err = ERR_INIT;
    if (rule->handler(rv, w, m, &err) < 0)
        log_error(&rv->log, "answer reeve-control: %s", err.text);
}
