/*
 * serve_change.c: the routes that change something, each a `control/do` message to reeved with the
 * peer's credentials. Runs in reeve-control; checks the form of a body, so that reeved gets only
 * known members; must never decide whether a change is allowed beyond the route's role: reeved
 * does.
 */
#include "supervisor/control/exchange.h"

#define DO_MS     30000
#define BACKUP_MS 600000

/* ---- bodies ---------------------------------------------------------------------------------- */

struct member {
    const char *name;
    enum json_type type;
    bool required, any_type;
};

static int parse_body(struct exchange *x, const struct json **ret, struct err *err)
{
    struct str body = str_trim(request_body(x->request));
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.max_values = 1u << 16; /* of at most 1 MiB: bounds what a body costs as a tree */
    *ret = NULL;
    if (!body.len)
        return 0;
    int res = json_parse(request_arena(x->request), body, &limits, ret, NULL, err);
    if (res < 0)
        return err_wrap(err, "body");
    if (!json_is(*ret, JSON_OBJECT))
        return err_set(err, EINVAL, "body: expected an object, found %s",
                       json_type_name((*ret)->type));
    return 0;
}

static const struct member *find_member(const struct member *members, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(name, members[i].name))
            return &members[i];
    return NULL;
}

/* Unknown members are refused: a misspelt "outcom" must not pass as "no outcome". */
static int check_body(const struct json *body, const struct member *members, size_t n,
                      struct err *err)
{
    for (size_t i = 0; body && i < body->object.count; i++) {
        const struct json_member *have = &body->object.members[i];
        const struct member *want = find_member(members, n, have->name);
        if (!want)
            return err_set(err, EINVAL, "body: unknown member \"%.*s\"", STR_FMT(have->name));
        if (!want->any_type && have->value.type != want->type)
            return err_set(err, EINVAL, "body: \"%s\" must be %s, found %s", want->name,
                           json_type_name(want->type), json_type_name(have->value.type));
    }
    for (size_t i = 0; i < n; i++)
        if (members[i].required && !json_get(body, members[i].name))
            return err_set(err, EINVAL, "body: \"%s\" is missing", members[i].name);
    return 0;
}

/* ---- to reeved and back ---------------------------------------------------------------------- */

static void answer_status(struct exchange *x, const struct wire_message *m);

/* A set with errors comes back as a result that has diagnostics and no digest. */
static bool is_refused_set(const struct exchange *x, const struct wire_message *m)
{
    return x->match.route->handler == serve_policy_load && !json_get(m->result, "digest");
}

static void on_reply(void *arg, struct wire *w UNUSED, const struct wire_message *m)
{
    struct exchange *x = arg;
    struct buf body;
    x->call = NULL;
    if (m->kind == WIRE_ERROR) {
        exchange_wire_error(x, m);
        return;
    }
    if (x->match.route->handler == serve_status) {
        answer_status(x, m);
        return;
    }
    if (is_refused_set(x, m)) {
        exchange_diagnostics(x, "the files have errors; the set in use stays",
                             json_get(m->result, "diagnostics"));
        return;
    }
    buf_init(&body, ANSWER_MAX_BYTES);
    buf_str_put(&body, m->result->raw);
    buf_char(&body, '\n');
    exchange_json(x, x->success, &body);
}

/* Stands inside "params" after it; the caller writes members, then do_end. */
static int do_begin(struct exchange *x, struct wire_out *o, const char *method, struct err *err)
{
    const struct http_peer *peer = request_peer(x->request);
    int res = wire_call_begin(x->control->reeved, o, "control/do");
    if (res < 0)
        return err_sys(err, -res, "ask reeved");
    jout_name(&o->j, "peer");
    jout_object(&o->j);
    jout_m_i64(&o->j, "uid", peer->cred.uid);
    jout_m_i64(&o->j, "gid", peer->cred.gid);
    jout_m_i64(&o->j, "pid", peer->cred.pid);
    jout_name(&o->j, "gids"); /* the supplementary ones */
    jout_array(&o->j);
    for (size_t i = 1; i < peer->gid_count; i++)
        jout_i64(&o->j, peer->gids[i]);
    jout_array_end(&o->j);
    jout_object_end(&o->j);
    jout_m_cstr(&o->j, "method", method);
    jout_name(&o->j, "params");
    jout_object(&o->j);
    return 0;
}

static int do_end(struct exchange *x, struct wire_out *o, int64_t timeout_ms, struct err *err)
{
    jout_object_end(&o->j);
    return wire_call_end(x->control->reeved, o, timeout_ms, on_reply, x, &x->call, err);
}

static int64_t do_ms(const struct exchange *x)
{
    return x->control->options.do_ms ? x->control->options.do_ms : DO_MS;
}

/* The common case: members of the body pass on as they are, and the path's id under `id_name`. */
static int change(struct exchange *x, const char *method, const char *id_name,
                  const struct member *members, size_t n, int64_t timeout_ms, struct err *err)
{
    const struct json *body;
    struct wire_out o;
    int res = parse_body(x, &body, err);
    if (res >= 0)
        res = check_body(body, members, n, err);
    if (res >= 0)
        res = do_begin(x, &o, method, err);
    if (res < 0)
        return res;
    if (id_name)
        jout_m_i64(&o.j, id_name, x->match.ids[0]);
    for (size_t i = 0; i < n; i++)
        jout_m_json(&o.j, members[i].name, json_get(body, members[i].name));
    return do_end(x, &o, timeout_ms, err);
}

static int change_run(struct exchange *x, const char *method, struct err *err)
{
    static const struct member MEMBERS[] = {{"reason", JSON_STRING, false, false}};
    return change(x, method, "run", MEMBERS, ARRAY_LEN(MEMBERS), do_ms(x), err);
}

int serve_cancel(struct exchange *x, struct err *err)
{
    return change_run(x, "run/cancel", err);
}

int serve_pause(struct exchange *x, struct err *err)
{
    return change_run(x, "run/pause", err);
}

int serve_resume(struct exchange *x, struct err *err)
{
    return change_run(x, "run/resume", err);
}

int serve_redrive(struct exchange *x, struct err *err)
{
    return change_run(x, "run/redrive", err);
}

/* ---- order ----------------------------------------------------------------------------------- */

int serve_stop(struct exchange *x, struct err *err)
{
    static const struct member MEMBERS[] = {
        {"scope", JSON_STRING, true, false},
        {"name", JSON_STRING, false, false},
        {"state", JSON_STRING, false, false},
        {"reason", JSON_STRING, false, false},
    };
    return change(x, "switch/stop", NULL, MEMBERS, ARRAY_LEN(MEMBERS), do_ms(x), err);
}

int serve_go(struct exchange *x, struct err *err)
{
    static const struct member MEMBERS[] = {
        {"scope", JSON_STRING, true, false},
        {"name", JSON_STRING, false, false},
    };
    return change(x, "switch/go", NULL, MEMBERS, ARRAY_LEN(MEMBERS), do_ms(x), err);
}

int serve_rollback(struct exchange *x, struct err *err)
{
    static const struct member MEMBERS[] = {
        {"workflow", JSON_STRING, true, false},
        {"version", JSON_STRING, false, false},
    };
    return change(x, "workflow/rollback", NULL, MEMBERS, ARRAY_LEN(MEMBERS), do_ms(x), err);
}

int serve_queue(struct exchange *x, struct err *err)
{
    return change(x, "queue", NULL, NULL, 0, do_ms(x), err);
}

int serve_fork(struct exchange *x, struct err *err)
{
    static const struct member MEMBERS[] = {{"from", JSON_INT, true, false},
                                            {"dry", JSON_BOOL, false, false}};
    return change(x, "run/fork", "run", MEMBERS, ARRAY_LEN(MEMBERS), do_ms(x), err);
}

int serve_replay(struct exchange *x, struct err *err)
{
    return change(x, "run/replay", "run", NULL, 0, do_ms(x), err);
}

/* ---- approvals ------------------------------------------------------------------------------- */

/* {"happened": true, "result": any} or {"happened": false}: what a person found out about an effect
 * whose outcome was lost (INV-06). Nothing else, so that nobody settles one by a slip. */
static int check_outcome(const struct json *outcome, struct err *err)
{
    static const struct member MEMBERS[] = {
        {"happened", JSON_BOOL, true, false},
        {"result", JSON_NULL, false, true},
    };
    if (!outcome)
        return 0;
    int res = check_body(outcome, MEMBERS, ARRAY_LEN(MEMBERS), err);
    if (res < 0)
        return err_wrap(err, "\"outcome\"");
    bool happened = json_get(outcome, "happened")->boolean;
    if (happened != (json_get(outcome, "result") != NULL))
        return err_set(err, EINVAL,
                       "body: \"outcome\" must hold a \"result\" when it happened, "
                       "and none when it did not");
    return 0;
}

static int decide(struct exchange *x, bool approve, struct err *err)
{
    static const struct member MEMBERS[] = {
        {"comment", JSON_STRING, false, false},
        {"outcome", JSON_OBJECT, false, false},
    };
    const struct json *body;
    struct wire_out o;
    int res = parse_body(x, &body, err);
    if (res >= 0)
        res = check_body(body, MEMBERS, ARRAY_LEN(MEMBERS), err);
    if (res >= 0)
        res = check_outcome(json_get(body, "outcome"), err);
    if (res >= 0 && !approve && json_get(body, "outcome"))
        res = err_set(err, EINVAL, "body: \"outcome\" goes with approve, not with reject");
    if (res >= 0)
        res = do_begin(x, &o, "approval/decide", err);
    if (res < 0)
        return res;
    jout_m_i64(&o.j, "approval", x->match.ids[0]);
    jout_m_bool(&o.j, "approve", approve);
    jout_m_json(&o.j, "comment", json_get(body, "comment"));
    jout_m_json(&o.j, "outcome", json_get(body, "outcome"));
    return do_end(x, &o, do_ms(x), err);
}

int serve_approve(struct exchange *x, struct err *err)
{
    return decide(x, true, err);
}

int serve_reject(struct exchange *x, struct err *err)
{
    return decide(x, false, err);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool media_type_is(struct str header, const char *type)
{
    ssize_t end = str_find(header, ';', 0);
    struct str have = str_trim(str_slice(header, 0, end < 0 ? header.len : (size_t)end));
    return have.len == strlen(type) && strncasecmp(have.ptr, type, have.len) == 0;
}

int serve_event(struct exchange *x, struct err *err)
{
    const struct json *event;
    struct wire_out o;
    struct str type = request_header(x->request, "Content-Type");
    if (!media_type_is(type, "application/cloudevents+json") &&
        !media_type_is(type, "application/json")) {
        exchange_problem(x, 415, "expected application/cloudevents+json: one event, structured");
        return 0;
    }
    int res = parse_body(x, &event, err);
    if (res >= 0 && !event)
        res = err_set(err, EINVAL, "body: expected a CloudEvent, found nothing");
    if (res >= 0)
        res = do_begin(x, &o, "event/send", err);
    if (res < 0)
        return res;
    struct str workflow = route_param(&x->match, "workflow");
    x->success = 202;
    jout_m_json(&o.j, "event", event);
    if (workflow.ptr)
        jout_m_str(&o.j, "workflow", workflow);
    return do_end(x, &o, do_ms(x), err);
}

/* ---- the house ------------------------------------------------------------------------------- */

int serve_backup(struct exchange *x, struct err *err)
{
    static const struct member MEMBERS[] = {{"file", JSON_STRING, true, false}};
    int64_t ms = x->control->options.backup_ms ? x->control->options.backup_ms : BACKUP_MS;
    return change(x, "store/backup", NULL, MEMBERS, ARRAY_LEN(MEMBERS), ms, err);
}

int serve_policy_load(struct exchange *x, struct err *err)
{
    static const struct member MEMBERS[] = {{"dir", JSON_STRING, false, false}, {"shadow", JSON_STRING, false, false}};
    return change(x, "policy/load", NULL, MEMBERS, ARRAY_LEN(MEMBERS), do_ms(x), err);
}

int serve_doctor(struct exchange *x, struct err *err)
{
    return change(x, "doctor", NULL, NULL, 0, do_ms(x), err);
}

int serve_status(struct exchange *x, struct err *err)
{
    return change(x, "status", NULL, NULL, 0, do_ms(x), err);
}

/* What reeved says of itself, with what the store shows beside it. */
static void answer_status(struct exchange *x, const struct wire_message *m)
{
    struct buf body;
    struct jout j;
    struct err err = ERR_INIT;
    int res = 0;
    buf_init(&body, ANSWER_MAX_BYTES);
    jout_begin(&j, &body);
    jout_object(&j);
    for (size_t i = 0; json_is(m->result, JSON_OBJECT) && i < m->result->object.count; i++) {
        jout_name_str(&j, m->result->object.members[i].name);
        jout_json(&j, &m->result->object.members[i].value);
    }
    if (x->control->view && !json_get(m->result, "store")) {
        jout_name(&j, "store");
        res = view_counts(x->control->view, &j, &err);
    }
    jout_m_i64(&j, "connections", control_connections(x->control));
    jout_object_end(&j);
    if (res >= 0)
        res = jout_end(&j);
    if (res < 0) {
        buf_release(&body);
        exchange_error(x, res, &err);
        return;
    }
    buf_char(&body, '\n');
    exchange_json(x, 200, &body);
}
