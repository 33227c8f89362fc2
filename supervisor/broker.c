/*
 * broker.c: see broker.h. Runs in reeved; every byte here was written by a worker, which may be
 * hostile.
 *
 * Whom a message is from is the socket that it came on, never what it says (SO_PEERCRED of a socket
 * pair names its creator). A handler answers what is wrong with a request and returns 0; it returns
 * < 0 only for a failure of ours.
 */
#include "supervisor/broker.h"

#include "policy/text/names.h"
#include "supervisor/asking.h"
#include "supervisor/offers.h"
#include "supervisor/queue.h"
#include "supervisor/travel.h"
#include "supervisor/waits.h"
#include "supervisor/worker.h"

#define GRACE_MS    10000
#define HELD_MAX    64
#define SHOWN_BYTES 240

enum { NEW = 1, BEGUN = 2, ENDED = 4 }; /* states of an attempt, for admission */

/* ---- run/begin, run/end
 * ------------------------------------------------------------------------------ */

static void put_agent(struct jout *j, const struct version *v)
{
    const struct workflow_agent *a = &v->workflow.agent;
    if (!v->workflow.is_agent)
        return;
    jout_name(j, "agent");
    jout_object(j);
    jout_m_str(j, "model", a->model);
    jout_m_str(j, "system", a->system);
    jout_m_str(j, "prompt", a->prompt);
    jout_m_i64(j, "maxTurns", a->max_turns);
    if (a->max_tokens)
        jout_m_i64(j, "maxTokens", a->max_tokens);
    if (a->temperature_milli >= 0) {
        jout_name(j, "temperature");
        jout_fixed(j, a->temperature_milli, 3);
    }
    jout_object_end(j);
}

static int put_checkpoint(struct run *r, struct jout *j, struct arena *a, struct err *err)
{
    struct str state;
    if (!r->rec.checkpoint_doc)
        return 0;
    int e = store_doc_get(r->rv->store, r->rec.checkpoint_doc, a, &state, err);
    if (e < 0)
        return e;
    jout_name(j, "checkpoint");
    jout_raw(j, state);
    return 0;
}

static void put_models(struct jout *j, const struct version *v)
{
    if (!v->model_count)
        return;
    jout_name(j, "models");
    jout_array(j);
    for (size_t i = 0; i < v->model_count; i++)
        jout_str(j, v->models[i].name);
    jout_array_end(j);
}

static void put_limits(struct jout *j, const struct workflow_limits *l)
{
    jout_name(j, "limits");
    jout_object(j);
    jout_m_i64(j, "steps", l->steps);
    jout_m_i64(j, "wallMs", l->wall_ms);
    jout_m_i64(j, "messageBytes", l->message_bytes);
    jout_m_i64(j, "resultBytes", l->result_bytes);
    jout_object_end(j);
}

static int on_begin(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct run *r = ctx;
    struct wire_out o;
    char hex[DIGEST_HEX], seed[DIGEST_HEX];
    if (json_bool_or(m->params, "sequential", false, &r->sequential, err) < 0)
        return wire_error(w, m->id, WIRE_E_PARAMS, "run/begin: %s", err->text);
    int e = run_journal(r, err);
    if (e >= 0)
        e = travel_load(r, err);
    if (e < 0)
        return e;
    for (size_t i = 0; i < r->journal.count; i++)
        r->journal.steps[i]->matched = false;
    r->journal.unmatched = r->first_new = r->journal.count;
    r->journal.quiet = 0;
    r->journal.delivered = 0;
    r->begun = true;
    digest_hex(&r->rec.version, hex);
    wire_result(w, &o, m->id);
    jout_m_i64(&o.j, "run", travel_shown_run(r));
    jout_m_i64(&o.j, "attempt", r->rec.attempt);
    jout_m_str(&o.j, "tenant", r->rec.tenant);
    jout_m_str(&o.j, "workflow", r->rec.workflow);
    jout_m_cstr(&o.j, "version", hex);
    jout_m_cstr(&o.j, "traceId", travel_shown_trace(r));
    /* fresh: the worker may take it that nothing is recorded. A replay's record is its origin's. */
    bool is_fresh = !r->journal.count && !r->rec.checkpoint_doc && r->rec.mode == RUN_REAL;
    jout_m_cstr(&o.j, "state", is_fresh ? "fresh" : "replay");
    /* the run's own time, and randomness that replays: the same in every attempt, and in a fork */
    jout_m_i64(&o.j, "now", r->rec.clock_ms ? r->rec.clock_ms : r->rec.created_ms);
    run_seed(r, seed);
    jout_m_cstr(&o.j, "seed", seed);
    jout_name(&o.j, "event");
    jout_raw(&o.j, r->event.envelope);
    put_agent(&o.j, r->version);
    put_models(&o.j, r->version);
    put_limits(&o.j, &r->version->workflow.limits);
    if ((e = put_checkpoint(r, &o.j, m->arena, err)) < 0 || (e = wire_end(w, &o, err)) < 0)
        return e;
    ev_timer_set(r->clock, r->version->workflow.limits.wall_ms);
    return run_event(r, LIFE_READY, NULL, err);
}

/* A run that ends although the journal knows later steps went another way than before. */
static bool ends_too_early(struct run *r, struct str what)
{
    if (!r->journal.unmatched)
        return false;
    broker_diverged(r, "run/end", STR("result"), what);
    return true;
}

static int end_with_error(struct run *r, const struct json *error, struct err *err)
{
    struct str text = STR("the worker ended with an error");
    bool retryable = false;
    struct buf line;
    if (json_str_or(error, "message", text, &text, err) < 0 ||
        json_bool_or(error, "retryable", false, &retryable, err) < 0)
        return -EINVAL;
    buf_init(&line, ERR_TEXT_MAX);
    utf8_put_visible(&line, text, ERR_TEXT_MAX - 64);
    buf_char(&line, '\0');
    const char *reason = buf_status(&line) < 0 ? "the worker ended with an error" : line.ptr;
    int e = 0;
    if (retryable) {
        e = waits_withdraw_failures(r, err);
        if (e >= 0)
            run_attempt_failed(r, LIFE_RETRY, reason);
    } else {
        e = run_event(r, LIFE_ERROR, reason, err);
    }
    buf_release(&line);
    return e;
}

static int on_end(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct run *r = ctx;
    const struct json *result = json_get(m->params, "result"),
                      *error = json_get(m->params, "error");
    struct err why = ERR_INIT;
    if (!result == !error || (error && error->type != JSON_OBJECT))
        return wire_error(w, m->id, WIRE_E_PARAMS,
                          "run/end: expected either result or error:{message,retryable}");
    if (ends_too_early(r, result ? result->raw : error->raw))
        return 0;
    if (r->rec.mode == RUN_REPLAY)
        return travel_end(r, result, error, err);
    if (result && (int64_t)result->raw.len > r->version->workflow.limits.result_bytes)
        return run_event(r, LIFE_REFUSED, "the result is larger than limits.result", err);
    r->ended = true;
    struct wire_out o;
    wire_result(w, &o, m->id);
    int e = wire_end(w, &o, err);
    if (e < 0)
        return e;
    if (error) {
        e = end_with_error(r, error, &why);
        if (e == -EINVAL)
            return run_event(r, LIFE_ERROR, why.text, err);
        *err = why;
        return e;
    }
    if ((e = run_set_result(r, result->raw, err)) < 0)
        return e;
    return run_event(r, LIFE_DONE, "", err);
}

/* ---- checkpoint, log
 * ---------------------------------------------------------------------------------- */

static int on_checkpoint(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct run *r = ctx;
    const struct json *state = json_get(m->params, "state");
    if (!state)
        return wire_error(w, m->id, WIRE_E_PARAMS, "checkpoint/save: expected state");
    for (size_t i = 0; i < r->journal.count; i++)
        if (r->journal.steps[i]->waiters || !step_is_settled(r->journal.steps[i]))
            return wire_error(w, m->id, WIRE_E_STATE,
                              "checkpoint/save: step %" PRId64
                              " has no outcome yet; save when nothing is open",
                              r->journal.steps[i]->rec.seq);
    if (travel_passes_checkpoint(r)) {
        struct wire_out passed;
        wire_result(w, &passed, m->id);
        jout_m_i64(&passed.j, "step", r->rec.next_seq - 1);
        return wire_end(w, &passed, err);
    }
    if (r->journal
            .unmatched) { /* on the way back: this checkpoint is older than what is recorded */
        broker_diverged(r, "checkpoint/save", STR("state"), state->raw);
        return 0;
    }
    struct wire_out o;
    int e = store_doc_put(r->rv->store, state->raw, &r->rec.checkpoint_doc, err);
    if (e < 0)
        return e;
    r->rec.checkpoint_seq = r->rec.next_seq - 1;
    journal_forget(&r->journal, r->rec.checkpoint_seq);
    r->first_new = 0;
    r->rec.failures = 0;
    wire_result(w, &o, m->id);
    jout_m_i64(&o.j, "step", r->rec.checkpoint_seq);
    if ((e = wire_end(w, &o, err)) < 0)
        return e;
    return run_save(r, err);
}

static int on_log(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    (void)w;
    struct str level, text;
    enum log_level l;
    if (json_str_or(m->params, "level", STR("info"), &level, err) < 0 ||
        json_want_str(m->params, "text", &text, err) < 0 || log_level_parse(level, &l) < 0)
        return 0; /* a notification: nobody waits for word of its faults */
    run_log(ctx, l, "worker", str_slice(text, 0, 4096));
    return 0;
}

/* ---- steps: each handler makes a step_ask of its message
 * ------------------------------------------------ */

static int on_tool_call(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct run *r = ctx;
    struct str name;
    const struct json *args = json_get(m->params, "arguments");
    if (json_want_str(m->params, "name", &name, err) < 0)
        return wire_error(w, m->id, WIRE_E_PARAMS, "tools/call: %s", err->text);
    if (args && args->type != JSON_OBJECT)
        return wire_error(w, m->id, WIRE_E_PARAMS,
                          "tools/call: arguments: expected an object, got %s",
                          json_type_name(args->type));
    if (!name.len || name.len > 256)
        return wire_error(w, m->id, WIRE_E_PARAMS, "tools/call: a name has 1 to 256 bytes");
    static const struct json empty = {.type = JSON_OBJECT, .raw = {"{}", 2}};
    struct step_ask q = {.kind = STEP_TOOL, .parsed = args ? args : &empty, .id = m->id};
    q.request = q.parsed->raw;
    q.key = offers_key(r, name, m->arena);
    return q.key.ptr ? steps_ask(r, &q, err) : err_sys(err, ENOMEM, "name a tool");
}

static int on_model_call(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct run *r = ctx;
    struct str route;
    const struct json *request;
    const struct version *v = r->version;
    struct str usual = v->model_count ? v->models[0].name : STR_NONE;
    if (json_str_or(m->params, "route", usual, &route, err) < 0 ||
        json_want(m->params, "request", JSON_OBJECT, &request, err) < 0)
        return wire_error(w, m->id, WIRE_E_PARAMS, "model/call: %s", err->text);
    if (!route.len && !v->model_count)
        return wire_error(w, m->id, WIRE_E_NOT_FOUND,
                          "model/call: this workflow has no model route");
    if (!name_is_ok(route))
        return wire_error(w, m->id, WIRE_E_PARAMS, "model/call: route: expected %s",
                          name_rule_text);
    struct step_ask q = {
        .kind = STEP_MODEL, .key = route, .request = request->raw, .parsed = request, .id = m->id};
    return steps_ask(r, &q, err);
}

/* The steps whose request is the params as they are. */
static int params_step(struct run *r, const struct wire_message *m, enum step_kind kind,
                       struct str key, struct err *err)
{
    static const struct json empty = {.type = JSON_OBJECT, .raw = {"{}", 2}};
    struct step_ask q = {
        .kind = kind, .key = key, .parsed = m->params ? m->params : &empty, .id = m->id};
    q.request = q.parsed->raw;
    return steps_ask(r, &q, err);
}

static int keyed_step(struct run *r, struct wire *w, const struct wire_message *m,
                      enum step_kind kind, const char *member, struct err *err)
{
    struct str key;
    if (json_want_str(m->params, member, &key, err) < 0)
        return wire_error(w, m->id, WIRE_E_PARAMS, "%.*s: %s", STR_FMT(m->method), err->text);
    if (!key.len || key.len > 256)
        return wire_error(w, m->id, WIRE_E_PARAMS, "%.*s: %s has 1 to 256 bytes",
                          STR_FMT(m->method), member);
    return params_step(r, m, kind, key, err);
}

static int on_step_begin(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    return keyed_step(ctx, w, m, STEP_NAMED, "key", err);
}

static int on_step_end(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    return waits_step_end(ctx, w, m, err);
}

static int on_step_record(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    return waits_step_record(ctx, w, m, err);
}

static int on_sleep(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct err why = ERR_INIT;
    if (waits_check_sleep(m->params, &why) < 0)
        return wire_error(w, m->id, WIRE_E_PARAMS, "sleep: %s", why.text);
    return params_step(ctx, m, STEP_TIMER, STR("sleep"), err);
}

static int on_event_wait(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    return keyed_step(ctx, w, m, STEP_EVENT_WAIT, "type", err);
}

static int on_event_emit(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    return keyed_step(ctx, w, m, STEP_EVENT_EMIT, "type", err);
}

static int on_child(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    return keyed_step(ctx, w, m, STEP_CHILD, "workflow", err);
}

static int on_approval(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    return keyed_step(ctx, w, m, STEP_APPROVAL, "question", err);
}

/* A step, so that a restarted worker gets the list that it had, whatever the servers say now. */
static int on_tools_list(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    if (json_get(m->params, "cursor"))
        return wire_error(w, m->id, WIRE_E_PARAMS,
                          "tools/list: no cursor was given out; the list is one page");
    static const struct json empty = {.type = JSON_OBJECT, .raw = {"{}", 2}};
    struct step_ask q = {.kind = STEP_RETRIEVAL,
                         .key = STR("tools/list"),
                         .request = STR("{}"),
                         .parsed = &empty,
                         .id = m->id};
    return steps_ask(ctx, &q, err);
}

/* ---- admission
 * ------------------------------------------------------------------------------------------ */

static const struct wire_rule rules[] = {
    /* method                     kind               states       once   bytes      handler */
    {"run/begin", WIRE_REQUEST, NEW, true, 4096, on_begin},
    {"run/end", WIRE_REQUEST, BEGUN, true, 0, on_end},
    {"log", WIRE_NOTIFICATION, BEGUN, false, 65536, on_log},
    {"model/call", WIRE_REQUEST, BEGUN, false, 0, on_model_call},
    {"tools/call", WIRE_REQUEST, BEGUN, false, 0, on_tool_call},
    {"step/begin", WIRE_REQUEST, BEGUN, false, 0, on_step_begin},
    {"step/end", WIRE_REQUEST, BEGUN, false, 0, on_step_end},
    {"step/record", WIRE_REQUEST, BEGUN, false, 0, on_step_record},
    {"checkpoint/save", WIRE_REQUEST, BEGUN, false, 0, on_checkpoint},
    {"sleep", WIRE_REQUEST, BEGUN, false, 4096, on_sleep},
    {"event/wait", WIRE_REQUEST, BEGUN, false, 65536, on_event_wait},
    {"event/emit", WIRE_REQUEST, BEGUN, false, 1u << 20, on_event_emit},
    {"run/child", WIRE_REQUEST, BEGUN, false, 1u << 20, on_child},
    {"approval/request", WIRE_REQUEST, BEGUN, false, 1u << 20, on_approval},
    /* MCP, both eras */
    {"server/discover", WIRE_REQUEST, NEW | BEGUN, false, 65536, offers_discover},
    {"initialize", WIRE_REQUEST, NEW | BEGUN, true, 65536, offers_initialize},
    {"notifications/initialized", WIRE_NOTIFICATION, NEW | BEGUN, false, 4096, offers_ignore},
    {"notifications/cancelled", WIRE_NOTIFICATION, NEW | BEGUN, false, 4096, offers_ignore},
    {"ping", WIRE_REQUEST, NEW | BEGUN, false, 4096, offers_ping},
    {"tools/list", WIRE_REQUEST, BEGUN, false, 65536, on_tools_list},
    {"resources/list", WIRE_REQUEST, BEGUN, false, 65536, offers_empty_list},
    {"resources/templates/list", WIRE_REQUEST, BEGUN, false, 65536, offers_empty_list},
    {"prompts/list", WIRE_REQUEST, BEGUN, false, 65536, offers_empty_list},
};

void broker_message(struct run *r, const struct wire_message *m)
{
    struct err err = ERR_INIT;
    int64_t code = 0;
    if (m->kind == WIRE_RESULT || m->kind == WIRE_ERROR) { /* we ask workers nothing */
        worker_fault(r, "it answered a request that nobody made");
        return;
    }
    unsigned state = r->ended ? ENDED : r->begun ? BEGUN : NEW;
    const struct wire_rule *rule =
        wire_admit(rules, ARRAY_LEN(rules), m, state, &r->seen, &code, &err);
    if (!rule) {
        if (state != ENDED &&
            str_is(m->method, "step/record")) { /* it goes on as if they were recorded */
            worker_fault(r, err.text);
            return;
        }
        if (m->kind == WIRE_REQUEST)
            wire_error(r->wire, m->id, code, "%s", err.text);
        run_log(r, LOG_LEVEL_WARN, "broker", str_of(err.text));
        return;
    }
    err = ERR_INIT;
    char over[200];
    run_count_bytes(r);
    if (state == BEGUN && !str_is(m->method, "run/end") && queue_is_over(r, over, sizeof(over))) {
        run_must_event(r, LIFE_REFUSED, over);
        return;
    }
    int rc = rule->handler(r, r->wire, m, &err);
    if (rc >= 0)
        return;
    if (rc == -EPIPE || rc == -ENOBUFS)
        return; /* it died before it could be answered: the end of its socket follows */
    if (store_is_broken(r->rv->store))
        reeved_fatal(r->rv, &err);
    else
        run_must_event(r, LIFE_REFUSED,
                       err.text[0] ? err.text : "a message of the worker could not be handled");
}

/* ---- requests that must wait for the replay
 * --------------------------------------------------------------- */

struct held_request {
    struct held_request *next;
    enum step_kind kind;
    size_t key_len, request_len, id_len;
    char bytes[]; /* key, request, id */
};

int broker_hold(struct run *r, const struct step_ask *q, struct err *err)
{
    size_t n = 0;
    for (const struct held_request *h = r->held; h; h = h->next)
        n++;
    struct str id = q->id ? q->id->raw : STR_NONE;
    if (n >= HELD_MAX)
        return err_set(err, E2BIG, "over %d requests at once while the journal is replayed",
                       HELD_MAX);
    if (n && r->held_bytes + q->request.len > RUN_REQUESTS_BYTES_MAX)
        return err_set(err, E2BIG,
                       "requests of over %zu bytes at once while the journal is replayed",
                       RUN_REQUESTS_BYTES_MAX);
    struct held_request *h = malloc(sizeof(*h) + q->key.len + q->request.len + id.len + 1);
    if (!h)
        return err_sys(err, ENOMEM, "hold a request");
    *h = (struct held_request){
        .kind = q->kind, .key_len = q->key.len, .request_len = q->request.len, .id_len = id.len};
    memcpy(h->bytes, q->key.ptr, q->key.len);
    memcpy(h->bytes + q->key.len, q->request.ptr, q->request.len);
    if (id.len)
        memcpy(h->bytes + q->key.len + q->request.len, id.ptr, id.len);
    *r->held_tail = h;
    r->held_tail = &h->next;
    r->held_bytes += q->request.len;
    if (!ev_timer_is_set(r->grace))
        ev_timer_set(r->grace, GRACE_MS);
    return 0;
}

void broker_drop_held(struct run *r)
{
    for (struct held_request *h = r->held, *next; h; h = next) {
        next = h->next;
        free(h);
    }
    r->held = NULL;
    r->held_bytes = 0;
    r->held_tail = &r->held;
}

static int ask_held(struct run *r, const struct held_request *h, struct err *err)
{
    struct arena a;
    const struct json *id = NULL;
    struct step_ask q = {.kind = h->kind,
                         .key = {h->bytes, h->key_len},
                         .request = {h->bytes + h->key_len, h->request_len}};
    struct str id_text = {h->bytes + h->key_len + h->request_len, h->id_len};
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = json_parse(&a, q.request, &JSON_LIMITS_DEFAULT, &q.parsed, NULL, err);
    if (e >= 0 && h->id_len)
        e = json_parse(&a, id_text, &JSON_LIMITS_DEFAULT, &id, NULL, err);
    q.id = id;
    if (e >= 0)
        e = steps_ask(r, &q, err);
    arena_release(&a);
    return e;
}

void broker_go_on(struct run *r)
{
    struct held_request *h = r->held;
    ev_timer_stop(r->grace);
    r->held = NULL;
    r->held_bytes = 0;
    r->held_tail = &r->held;
    while (h) {
        struct held_request *next = h->next;
        struct err err = ERR_INIT;
        if (r->wire && ask_held(r, h, &err) < 0)
            run_must_event(r, LIFE_REFUSED, err.text);
        free(h);
        h = next;
    }
}

void broker_on_grace(void *arg, struct ev_timer *t)
{
    (void)t;
    struct run *r = arg;
    const struct held_request *h = r->held;
    if (!h)
        return;
    r->users++;
    broker_diverged(r, step_kind_name(h->kind), (struct str){h->bytes, h->key_len},
                    (struct str){h->bytes + h->key_len, h->request_len});
    run_put(r);
}

void broker_diverged(struct run *r, const char *kind, struct str key, struct str request)
{
    const struct step *s = journal_first_unmatched(&r->journal);
    struct err err = ERR_INIT;
    struct str recorded = STR_NONE;
    struct arena a;
    struct buf line;
    arena_init(&a, RUN_MESSAGE_ARENA);
    buf_init(&line, 2048);
    if (s && s->rec.request_doc &&
        store_text_get(r->rv->store, s->rec.request_doc, s->rec.request_text, &a, &recorded, &err) <
            0)
        recorded = STR("(cannot be read)");
    buf_fmt(&line, "diverged: the worker asks for %s ", kind);
    utf8_put_visible(&line, key, 80);
    buf_char(&line, ' ');
    utf8_put_visible(&line, asking_shown(r, kind, request, &a), SHOWN_BYTES);
    buf_fmt(&line, ", but step %" PRId64 " in the journal is %s ", s ? s->rec.seq : 0,
            s ? step_kind_name(s->rec.kind) : "none");
    utf8_put_visible(&line, s ? s->rec.key : STR_NONE, 80);
    buf_char(&line, ' ');
    utf8_put_visible(&line, recorded, SHOWN_BYTES);
    buf_char(&line, '\0');
    if (buf_status(&line) == 0) {
        run_log(r, LOG_LEVEL_ERROR, "broker", str_of(line.ptr));
        run_must_event(r, LIFE_ERROR, line.ptr);
    } else {
        run_must_event(r, LIFE_ERROR, "diverged from the journal");
    }
    buf_release(&line);
    arena_release(&a);
}
