/*
 * effect_model.c: model calls (see effect.h), over reeve-egress. Runs in reeved; the gateway's
 * bytes are foreign, and so is the worker's request: what would steer the gateway itself is set
 * here or refused.
 *
 * A model call changes nothing in the world but the bill, so a lost outcome is asked for again.
 */
#include "supervisor/effect.h"

#include "policy/model_request.h"
#include "supervisor/asking.h"
#include "supervisor/audit.h"
#include "supervisor/helper.h"
#include "supervisor/room.h"

#define RETRY_AFTER_MAX_MS 600000
#define MICRO              1000000

static int send_call(struct effect *e, struct err *err);
static int start(struct effect *e, struct err *err);

/* There is one as long as the effect is there: start() refuses what the version does not have. */
static const struct model *route_of(const struct effect *e)
{
    return version_model(e->r->version, e->key);
}

/* ---- the end
 * ---------------------------------------------------------------------------------------------- */

static void leave(struct effect *e, int rc, const struct err *err)
{
    room_give_back(e);
    if (rc < 0)
        effect_broke(e, err);
    else
        effect_free(e);
}

/* Others may have waited for what this one could have taken. */
static void start_waiting(struct run *r)
{
    for (struct effect *e = room_next(r); e; e = room_next(r)) {
        struct err err = ERR_INIT;
        int rc = room_is_wanted(e) ? start(e, &err) : 0;
        if (rc <= 0)
            leave(e, rc, &err);
    }
}

/* rc > 0: it is under way. */
static void finish(struct effect *e, int rc, const struct err *err)
{
    struct run *r = e->r;
    if (rc > 0)
        return;
    r->users++;
    leave(e, rc, err);
    start_waiting(r);
    run_put(r);
}

/* ---- the reply
 * --------------------------------------------------------------------------------------------- */

struct usage {
    int64_t input, output, cached, cost_micro;
};

static int64_t count_of(const struct json *usage, const char *path)
{
    const struct json *v = json_path(usage, path);
    return json_is(v, JSON_INT) && v->integer > 0 ? MIN(v->integer, INT64_C(1) << 40) : 0;
}

/* chat.completions: cached tokens are part of the prompt's. Prices are 10^-12 of the currency a
 * token. */
static struct usage usage_of(const struct json *response, const struct model_price *p)
{
    const struct json *u = json_get(response, "usage");
    struct usage n = {.input = count_of(u, "prompt_tokens"),
                      .output = count_of(u, "completion_tokens"),
                      .cached = count_of(u, "prompt_tokens_details.cached_tokens")};
    n.cached = MIN(n.cached, n.input);
    __int128 cost = (__int128)(n.input - n.cached) * p->input_micro +
                    (__int128)n.cached * p->cached_micro + (__int128)n.output * p->output_micro;
    cost = (cost + MICRO - 1) /
           MICRO; /* a fraction of a millionth counts as one: never under-billed */
    n.cost_micro = cost > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)cost;
    return n;
}

static int put_reply(struct buf *out, int64_t status, const struct json *response,
                     const struct usage *n, struct err *err)
{
    struct jout j;
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_i64(&j, "status", status);
    jout_name(&j, "response");
    jout_json(&j, response);
    jout_name(&j, "usage");
    jout_object(&j);
    jout_m_i64(&j, "inputTokens", n->input);
    jout_m_i64(&j, "outputTokens", n->output);
    jout_object_end(&j);
    jout_object_end(&j);
    int rc = jout_end(&j);
    return rc < 0 ? err_sys(err, -rc, "keep a model's reply") : 0;
}

static int bill(struct effect *e, const struct usage *n, struct err *err)
{
    struct run *r = e->r;
    e->s->rec.input_tokens = n->input;
    e->s->rec.output_tokens = n->output;
    e->s->rec.cost_micro = n->cost_micro;
    r->rec.input_tokens += n->input;
    r->rec.output_tokens += n->output;
    r->rec.cost_micro += n->cost_micro;
    const struct store_usage u = {.tenant = r->rec.tenant,
                                  .workflow = r->rec.workflow,
                                  .route = e->key,
                                  .day = reeved_now(r->rv) / 86400000,
                                  .calls = 1,
                                  .input_tokens = n->input,
                                  .output_tokens = n->output,
                                  .cost_micro = n->cost_micro};
    return store_usage_add(r->rv->store, &u, err);
}

static void on_again(void *arg, struct ev_timer *t)
{
    (void)t;
    struct effect *e = arg;
    struct err err = ERR_INIT;
    int rc = run_state_is_final(e->r->rec.state) ? 0 : send_call(e, &err);
    finish(e, rc, &err);
}

/* 1: under way again; 0: settled. */
static int failed(struct effect *e, int64_t code, const char *why, int64_t retry_after_ms,
                  struct err *err)
{
    struct run *r = e->r;
    bool may_again = code == WIRE_E_UNAVAILABLE || code == WIRE_E_TIMEOUT;
    if (may_again && retry_after_ms <= RETRY_AFTER_MAX_MS &&
        effect_again(e, retry_after_ms, on_again)) {
        int rc = step_set(r, e->s, STEP_INTENT, why, err);
        run_log(r, LOG_LEVEL_WARN, "model", str_of(why));
        return rc < 0 ? rc : 1;
    }
    return step_settle_error(r, e->s, STEP_FAILED, code, why, err);
}

/* The gateway's own words on an error, made fit for people. */
static void error_text(int64_t status, const struct json *response, struct str body,
                       char out[ERR_TEXT_MAX])
{
    struct buf shown;
    const struct json *text = json_path(response, "error.message");
    buf_init(&shown, 2048);
    utf8_put_visible(&shown, json_is(text, JSON_STRING) ? text->string : body, 200);
    snprintf(out, ERR_TEXT_MAX, "the model gateway answered %" PRId64 ": %.*s", status,
             STR_FMT(buf_str(&shown)));
    buf_release(&shown);
}

static bool is_passing(int64_t status)
{
    return status == 408 || status == 425 || status == 429 || status == 500 ||
           (status >= 502 && status <= 504) || status == 529;
}

static int settle_response(struct effect *e, int64_t status, const struct json *response,
                           struct err *err)
{
    struct buf reply;
    const struct usage n = usage_of(response, &route_of(e)->price);
    buf_init(&reply, 32u << 20);
    int rc = put_reply(&reply, status, response, &n, err);
    if (rc >= 0)
        rc = bill(e, &n, err);
    if (rc >= 0)
        rc = step_settle(e->r, e->s, STEP_COMMITTED, buf_str(&reply), false, "", err);
    buf_release(&reply);
    return rc;
}

static int take_answer(struct effect *e, const struct wire_message *m, struct err *err)
{
    int64_t status, retry_after = 0;
    struct str body;
    struct err why = ERR_INIT;
    const struct json *response = NULL;
    char text[ERR_TEXT_MAX];
    if (json_want_i64(m->result, "status", &status, &why) < 0 ||
        json_want_str(m->result, "body", &body, &why) < 0 ||
        json_i64_or(m->result, "retryAfterMs", 0, &retry_after, &why) < 0)
        return err_set(err, EPROTO, "reeve-egress: %s", why.text);
    bool is_json = json_parse(m->arena, body, &JSON_LIMITS_DEFAULT, &response, NULL, &why) >= 0 &&
                   json_is(response, JSON_OBJECT);
    if (status >= 200 && status < 300 && is_json)
        return settle_response(e, status, response, err);
    if (status >= 200 && status < 300) {
        snprintf(text, sizeof(text), "the model gateway's answer is no JSON object: %.300s",
                 why.text);
        return failed(e, WIRE_E_UNAVAILABLE, text, 0, err);
    }
    error_text(status, response, body, text);
    return failed(e, is_passing(status) ? WIRE_E_UNAVAILABLE : WIRE_E_PARAMS, text,
                  MAX(retry_after, 0), err);
}

static void on_reply(void *arg, struct wire *w, const struct wire_message *m)
{
    (void)w;
    struct effect *e = arg;
    struct err err = ERR_INIT;
    char text[ERR_TEXT_MAX];
    int64_t retry_after = 0;
    int rc;
    e->http = NULL;
    if (m->kind == WIRE_ERROR) {
        struct err ignored = ERR_INIT;
        if (json_i64_or(m->data, "retryAfterMs", 0, &retry_after, &ignored) < 0)
            retry_after = 0;
        snprintf(text, sizeof(text), "model route %.*s: %.*s", STR_FMT(e->key), STR_FMT(m->text));
        rc = failed(e, m->code == WIRE_E_TIMEOUT ? WIRE_E_TIMEOUT : WIRE_E_UNAVAILABLE, text,
                    MAX(retry_after, 0), &err);
    } else {
        rc = take_answer(e, m, &err);
    }
    finish(e, rc, &err);
}

/* ---- the request
 * ------------------------------------------------------------------------------------------------
 */

static int put_body(struct effect *e, struct buf *out, struct err *err)
{
    struct jout j;
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_str(&j, "model", route_of(e)->model);
    for (size_t i = 0; i < e->parsed->object.count; i++) {
        const struct json_member *member = &e->parsed->object.members[i];
        if (model_request_passes(member->name, route_of(e)->parameters)) {
            jout_name_str(&j, member->name);
            jout_raw(&j, member->value.raw);
        }
    }
    jout_m_str(&j, "user", e->r->rec.tenant);
    jout_object_end(&j);
    int rc = jout_end(&j);
    return rc < 0 ? err_sys(err, -rc, "write a model request") : 0;
}

static void put_headers(struct effect *e, struct jout *j)
{
    char key[STEP_IDEMPOTENCY_KEY];
    step_idempotency_key(e->r, e->s, key);
    jout_name(j, "headers");
    jout_object(j);
    jout_m_cstr(j, "content-type", "application/json");
    jout_m_cstr(j, "accept", "application/json");
    jout_m_cstr(j, "x-request-id", key);
    jout_m_str(j, "x-tenant-id", e->r->rec.tenant);
    jout_m_str(j, "x-agent-id", e->r->rec.workflow);
    jout_m_fmt(j, "x-run-id", "%" PRId64, e->r->rec.id);
    jout_m_fmt(j, "traceparent", "00-%s-%.16s-01", e->r->rec.trace_id, key + 6);
    jout_object_end(j);
}

static int send_body(struct effect *e, struct wire *w, struct str body, struct err *err)
{
    struct wire_out o;
    int rc = wire_call_begin(w, &o, "http/call");
    if (rc < 0)
        return err_sys(err, -rc, "call a model");
    jout_m_str(&o.j, "route", e->key);
    jout_m_cstr(&o.j, "method", "POST");
    jout_m_cstr(&o.j, "path", "/chat/completions");
    put_headers(e, &o.j);
    jout_m_str(&o.j, "body", body);
    int64_t limit = route_of(e)->timeout_ms;
    jout_m_i64(&o.j, "timeoutMs", limit);
    return wire_call_end(w, &o, limit + 5000, on_reply, e, &e->http, err);
}

/* Intent, then the request, which leaves after the commit. 1: under way; 0: settled. */
static int send_call(struct effect *e, struct err *err)
{
    struct wire *w = helper_wire(e->r->rv->egress);
    struct buf body;
    buf_init(&body, 24u << 20);
    int rc = effect_intend(e, NULL, err);
    if (rc >= 0 && !w)
        return failed(e, WIRE_E_UNAVAILABLE, "reeve-egress is not up", 0, err);
    if (rc >= 0)
        rc = put_body(e, &body, err);
    if (rc >= 0)
        rc = send_body(e, w, buf_str(&body), err);
    buf_release(&body);
    if (rc == -EPIPE || rc == -ENOBUFS) { /* reeve-egress has just ended: nothing leaves */
        *err = ERR_INIT;
        return failed(e, WIRE_E_UNAVAILABLE, "reeve-egress is not up", 0, err);
    }
    return rc < 0 ? rc : 1;
}

/* ---- judged
 * ---------------------------------------------------------------------------------------------------------
 */

/* What policy sees of a model call: its size, not its words. */
static const struct json *facts_input(struct effect *e, struct err *err)
{
    struct buf b;
    struct jout j;
    const struct json *v = NULL;
    const struct workflow *w = &e->r->version->workflow;
    buf_init(&b, 65536);
    jout_begin(&j, &b);
    jout_object(&j);
    jout_m_i64(&j, "max_tokens", model_request_output_max(e->parsed));
    jout_m_i64(&j, "bytes", (int64_t)e->request.len);
    jout_name(&j, "labels");
    jout_array(&j);
    for (size_t i = 0; i < w->labels.count; i++)
        jout_str(&j, w->labels.items[i]);
    jout_array_end(&j);
    jout_object_end(&j);
    if (jout_end(&j) >= 0) {
        struct str text = arena_str(&e->arena, buf_str(&b));
        if (text.ptr && json_parse(&e->arena, text, &JSON_LIMITS_DEFAULT, &v, NULL, err) < 0)
            v = NULL;
    }
    buf_release(&b);
    return v;
}

static int decide(struct effect *e, struct ask_decision *d, int64_t *ret_decision, struct err *err)
{
    struct run *r = e->r;
    struct facts f;
    const struct model *m = route_of(e);
    int64_t seq = e->s ? e->s->rec.seq : r->rec.next_seq;
    int rc = asking_facts(r, seq, &e->arena, &f, err);
    f.ask = ASK_INFER;
    f.model = (struct facts_model){
        .name = m->name, .tenant = m->tenant, .onprem = m->onprem, .attrs = m->attrs};
    if (rc >= 0 && !(f.input = facts_input(e, err)))
        rc = err_set(err, ENOMEM, "facts of a model call");
    if (rc >= 0)
        rc = asking_history(r, STR("model"), m->name, NULL, &e->arena, &f, err);
    if (rc >= 0)
        rc = ask_decide(r->rv->house, &f, &e->arena, d, err);
    if (rc >= 0)
        rc = asking_keep(r->rv, r->rec.id, seq, d, "infer", ret_decision, err);
    return rc;
}

static int refuse(struct effect *e, int64_t decision, int64_t code, const char *why,
                  struct err *err)
{
    const struct store_step more = {.decision = decision};
    int rc = e->s ? 0 : effect_record(e, STEP_DENIED, &more, err);
    if (rc >= 0)
        rc = step_settle_error(e->r, e->s, STEP_DENIED, code, why, err);
    return rc < 0 ? rc : audit_step(e->r, e->s, "denied", err);
}

static int check_route(const struct effect *e, struct err *err)
{
    struct buf has;
    const struct version *v = e->r->version;
    if (route_of(e))
        return 0;
    buf_init(&has, 4096);
    for (size_t i = 0; i < v->model_count; i++)
        buf_fmt(&has, "%s%.*s", i ? ", " : "", STR_FMT(v->models[i].name));
    err_set(err, EACCES, "no model route %.*s is given to this run; it has %.*s", STR_FMT(e->key),
            STR_FMT(has.len ? buf_str(&has) : STR("none")));
    buf_release(&has);
    return -EACCES;
}

static int start(struct effect *e, struct err *err)
{
    struct run *r = e->r;
    struct err why = ERR_INIT;
    struct ask_decision *d = ARENA_NEW(&e->arena, struct ask_decision);
    struct store_step more = {0};
    if (!d)
        return err_sys(err, ENOMEM, "judge a model call");
    int rc = check_route(e, &why);
    if (rc >= 0)
        rc = model_request_check(e->parsed, route_of(e)->parameters, &why);
    if (rc < 0)
        return refuse(e, 0, rc == -EACCES ? WIRE_E_DENIED : WIRE_E_PARAMS, why.text, err);
    const char *spent = asking_budget_spent(r);
    if (spent)
        return refuse(e, 0, WIRE_E_LIMIT, spent, err);
    if (!room_take(e, &route_of(e)->price))
        return room_wait(e, err);
    if ((rc = decide(e, d, &more.decision, err)) < 0)
        return rc;
    if (!d->allow)
        return refuse(e, more.decision, WIRE_E_DENIED, d->text, err);
    more.info = arena_fmt(&e->arena, "{\"route\":\"%.*s\"}", STR_FMT(e->key));
    if (!e->s) {
        /* Recorded first, so that the number of tries is kept by the step and not by this process.
         */
        struct store_step intent = more;
        if ((rc = effect_record(e, STEP_INTENT, &intent, err)) < 0)
            return rc;
    }
    r->rec.model_calls++;
    run_touch(r);
    return send_call(e, err);
}

static int begin_with(struct run *r, const struct step_ask *q, struct step *s, struct err *err)
{
    struct effect *e;
    int rc = effect_new(r, q, s, &e, err);
    if (rc < 0)
        return rc;
    bool go_on = s && s->rec.state == STEP_INTENT && route_of(e);
    if (go_on)
        room_keep(e, &route_of(e)->price);
    rc = go_on ? send_call(e, err) : start(e, err);
    if (rc <= 0) {
        room_give_back(e);
        effect_free(e);
    }
    return rc < 0 ? rc : 0;
}

static int begin(struct run *r, const struct step_ask *q, struct err *err)
{
    return begin_with(r, q, NULL, err);
}

static int resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    (void)q;
    return begin_with(r, NULL, s, err);
}

const struct step_kind_ops effect_model_ops = {.begin = begin, .resume = resume};
