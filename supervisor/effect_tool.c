/*
 * effect_tool.c: tool calls (see effect.h). Runs in reeved.
 *
 * What is judged, recorded and sent is one text: the worker's arguments as they came.
 */
#include "supervisor/effect.h"

#include "policy/schema.h"
#include "supervisor/asking.h"
#include "supervisor/audit.h"
#include "supervisor/gate.h"
#include "supervisor/offers.h"
#include "supervisor/recover.h"

static void prepare(struct effect *e, tool_want_fn *then);
static void on_judge(void *arg, struct tool_server *ts, const struct err *why);
static void on_send(void *arg, struct tool_server *ts, const struct err *why);

/* ---- denials and failures
 * ----------------------------------------------------------------------------------- */

static int deny(struct effect *e, const struct store_step *more, const char *reason,
                struct strs policies, struct err *err)
{
    struct run *r = e->r;
    int rc = e->s ? 0 : effect_record(e, STEP_DENIED, more, err);
    if (rc >= 0 && more && more->decision)
        e->s->rec.decision = more->decision;
    if (rc >= 0)
        rc = step_settle_tool_error(r, e->s, STEP_DENIED, reason, policies, err);
    return rc < 0 ? rc : audit_step(r, e->s, "denied", err);
}

/* Nothing left the house: the worker may be told so, and ask again later. */
static int unavailable(struct effect *e, const char *reason, struct err *err)
{
    int rc = e->s ? 0 : effect_record(e, STEP_FAILED, NULL, err);
    return rc < 0 ? rc
                  : step_settle_error(e->r, e->s, STEP_FAILED, WIRE_E_UNAVAILABLE, reason, err);
}

/* ---- what is to be done: recover.c decides
 * ------------------------------------------------------------------------------------- */

static enum tool_retry retry_of(const struct run *r, const struct step *s)
{
    struct str tool = s->rec.key, name;
    const struct server *def = NULL;
    if (str_split(&tool, '/', &name))
        def = version_server(r->version, name);
    return def ? server_tool_of(def, tool).retry : RETRY_NEVER;
}

bool effect_tool_may_retry(const struct run *r, const struct step *s)
{
    enum tool_retry retry = retry_of(r, s);
    return retry == RETRY_READ_ONLY || retry == RETRY_IDEMPOTENT;
}

/* The step's approval (zero when there is none) and how it counts. */
static int look_at_gate(struct run *r, struct step *s, struct arena *a, struct store_approval *ap,
                        enum recover_gate *ret, struct err *err)
{
    const struct json *outcome;
    bool happened = false;
    *ap = (struct store_approval){0};
    *ret = GATE_NONE;
    if (!s->rec.approval)
        return 0;
    int rc = gate_look(r, s, a, ap, err);
    if (rc >= 0 && ap->kind == APPROVAL_UNKNOWN_EFFECT && ap->state == APPROVAL_APPROVED) {
        rc = json_parse(a, ap->outcome, &JSON_LIMITS_DEFAULT, &outcome, NULL, err);
        if (rc >= 0)
            rc = json_want_bool(outcome, "happened", &happened, err);
    }
    /* An approval of the call itself says nothing of what became of it, nor the other way round. */
    if (rc >= 0 && (ap->kind == APPROVAL_UNKNOWN_EFFECT) == (s->rec.state == STEP_UNKNOWN))
        *ret = recover_gate(ap->state, happened);
    else if (rc >= 0)
        *ret = GATE_CLOSED;
    return rc;
}

static enum recover_move move_for(const struct run *r, const struct step *s,
                                  enum recover_cause cause, enum recover_gate gate)
{
    const struct recover_case c = {.cause = cause,
                                   .state = s->rec.state,
                                   .retry = retry_of(r, s),
                                   .gate = gate,
                                   .has_tries = s->rec.tries < EFFECT_TRIES_MAX,
                                   .is_over = run_state_is_final(r->rec.state)};
    return recover_move(&c);
}

/* ---- it left, and came back or did not
 * ------------------------------------------------------------------------- */

static void on_again(void *arg, struct ev_timer *t)
{
    (void)t;
    prepare(arg, on_send);
}

static int lost(struct effect *e, const char *reason, struct err *err)
{
    struct run *r = e->r;
    struct store_approval ap;
    enum recover_gate gate;
    int rc = look_at_gate(r, e->s, &e->arena, &ap, &gate, err);
    if (rc < 0)
        return rc;
    switch (move_for(r, e->s, RECOVER_LOST, gate)) {
    case RECOVER_SEND:
        if (e->s->rec.state == STEP_UNKNOWN) /* not sent: what bounds the tries is kept here */
            e->s->rec.tries++;
        rc = step_set(r, e->s, e->s->rec.state, reason, err);
        if (rc < 0)
            return rc;
        return effect_again(e, 0, on_again) ? 1 : err_sys(err, ENOMEM, "try a call again");
    case RECOVER_FAIL:
        return step_settle_error(r, e->s, STEP_FAILED, WIRE_E_UNAVAILABLE, reason, err);
    case RECOVER_NOTE:
        e->s->rec.approval = 0;
        return step_set(r, e->s, STEP_UNKNOWN, reason, err);
    default:
        break;
    }
    if (gate == GATE_RUN) /* could not be carried out, and a new one opens */
        rc = gate_set(r->rv, &ap, APPROVAL_CANCELLED, err);
    return rc < 0 ? rc : gate_open_unknown(r, e->s, reason, err);
}

static int settle_result(struct effect *e, const struct json *result, struct err *err)
{
    struct run *r = e->r;
    const struct json *type = json_get(result, "resultType");
    bool is_error = false;
    /* A result that is of no use is still a result: the call happened, and is not made again. */
    if (!json_is(json_get(result, "content"), JSON_ARRAY) && !json_get(result, "structuredContent"))
        return step_settle_tool_error(r, e->s, STEP_COMMITTED,
                                      "the tool server's result has no content", (struct strs){0},
                                      err);
    if (json_is(type, JSON_STRING) && !str_is(type->string, "complete"))
        return step_settle_tool_error(r, e->s, STEP_COMMITTED,
                                      "the tool asks for more input, which is not offered to it",
                                      (struct strs){0}, err);
    if (json_bool_or(result, "isError", false, &is_error, err) < 0)
        is_error = true;
    *err = ERR_INIT;
    return step_settle(r, e->s, STEP_COMMITTED, result->raw, false,
                       is_error ? "the tool answered with an error" : "", err);
}

static int take_reply(struct effect *e, const struct tool_reply *reply, struct err *err)
{
    struct run *r = e->r;
    char text[ERR_TEXT_MAX];
    struct buf shown;
    if (reply->result) {
        int rc = settle_result(e, reply->result, err);
        return rc < 0 ? rc : audit_step(r, e->s, "outcome", err);
    }
    buf_init(&shown, 2048);
    utf8_put_visible(&shown, reply->text, 300);
    snprintf(text, sizeof(text), reply->lost ? "%.*s" : "the tool server answered: %.*s",
             STR_FMT(buf_str(&shown)));
    buf_release(&shown);
    int rc = asking_note(r, e->s->rec.seq, OF_FAILURES, e->key, e->parsed, err);
    if (rc < 0)
        return rc;
    if (reply->lost)
        return lost(e, text, err);
    return step_settle_tool_error(r, e->s, reply->happened ? STEP_COMMITTED : STEP_FAILED, text,
                                  (struct strs){0}, err);
}

static void on_reply(void *arg, const struct tool_reply *reply)
{
    struct effect *e = arg;
    struct err err = ERR_INIT;
    e->call = NULL;
    int rc = take_reply(e, reply, &err);
    if (rc < 0)
        effect_broke(e, &err);
    else if (rc == 0)
        effect_free(e);
}

static int send_call(struct effect *e, struct err *err)
{
    struct run *r = e->r;
    char key[STEP_IDEMPOTENCY_KEY];
    const struct server *def = tool_server_def(e->server);
    struct server_tool t = server_tool_of(def, e->tool);
    step_idempotency_key(r, e->s, key);
    const struct tool_request q = {.tool = e->tool,
                                   .arguments = e->request,
                                   .idempotency_key = key,
                                   .trace_id = r->rec.trace_id,
                                   .timeout_ms = t.timeout_ms ? t.timeout_ms : def->timeout_ms};
    return tool_server_call(e->server, &q, on_reply, e, &e->call, err);
}

/* Writes what a person wants to see of the call beside its state. */
static int put_info(struct effect *e, const struct tool_def *def, struct arena *a, struct str *ret,
                    struct err *err)
{
    struct buf b;
    struct jout j;
    char hex[DIGEST_HEX];
    const struct server *s = tool_server_def(e->server);
    struct server_tool t = server_tool_of(s, e->tool);
    digest_hex(&def->digest, hex);
    buf_init(&b, 4096);
    jout_begin(&j, &b);
    jout_object(&j);
    jout_m_str(&j, "server", s->name);
    jout_m_str(&j, "tool", e->tool);
    jout_m_cstr(&j, "class", tool_class_name(t.class));
    jout_m_cstr(&j, "retry", tool_retry_name(t.retry));
    jout_m_cstr(&j, "definition", hex);
    jout_object_end(&j);
    int rc = jout_end(&j);
    *ret = rc < 0 ? STR_NONE : arena_str(a, buf_str(&b));
    buf_release(&b);
    return ret->ptr ? 0 : err_sys(err, ENOMEM, "describe a call");
}

/* ---- judged
 * -------------------------------------------------------------------------------------------------------
 */

static int keep_decisions(struct effect *e, const struct ask_tool *asked, int64_t *ret_id,
                          struct err *err)
{
    struct run *r = e->r;
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < asked->decision_count; i++) {
        const struct ask_decision *d = &asked->decisions[i];
        char ask[300];
        int64_t id;
        snprintf(ask, sizeof(ask), "%s:%.*s", facts_ask_name(d->ask), STR_FMT(e->key));
        rc =
            asking_keep(r->rv, r->rec.id, e->s ? e->s->rec.seq : r->rec.next_seq, d, ask, &id, err);
        /* The step names the ask that counted: `call`, or the `propose` that opened the gate or
         * kept it shut. */
        if (rc >= 0 && (i == 0 || d->ask == ASK_PROPOSE))
            *ret_id = id;
    }
    return rc;
}

static int masked_doc(struct effect *e, const struct ask_tool *asked, int64_t *ret_doc,
                      struct err *err)
{
    struct buf b;
    struct jout j;
    if (!asked->masks.count && !asked->mask_all)
        return 0; /* the request itself is kept */
    buf_init(&b, 20u << 20);
    jout_begin(&j, &b);
    if (asked->mask_all)
        jout_cstr(&j, "***");
    else
        facts_put_masked(&j, e->parsed, asked->masks);
    int rc = jout_end(&j);
    rc = rc < 0 ? err_sys(err, -rc, "mask a call")
                : store_doc_put(e->r->rv->store, buf_str(&b), ret_doc, err);
    buf_release(&b);
    return rc;
}

/* The approval, when it is for exactly this and still good; one that is for something else is
 * closed. */
static int take_approval(struct effect *e, const struct tool_def *def, struct facts *f,
                         struct store_approval *ap, bool *ret_has, struct err *err)
{
    struct run *r = e->r;
    *ret_has = false;
    if (!e->s || !e->s->rec.approval)
        return 0;
    int rc = gate_look(r, e->s, &e->arena, ap, err);
    if (rc < 0 || ap->state != APPROVAL_APPROVED)
        return rc;
    if (!gate_is_for(ap, &def->digest, &e->s->rec.request, &r->rv->house->digest))
        return gate_set(r->rv, ap, APPROVAL_CANCELLED,
                        err); /* asked again below, with a gate of its own */
    *ret_has = true;
    f->has_approval = true;
    return gate_facts(r->rv, ap, &e->arena, &f->approval, err);
}

static int go(struct effect *e, struct store_step *more, struct store_approval *ap, bool approved,
              struct err *err)
{
    struct run *r = e->r;
    int rc = approved ? gate_set(r->rv, ap, APPROVAL_USED, err)
                      : 0; /* used in the transaction of the intent */
    if (rc >= 0)
        rc = effect_intend(e, more, err);
    if (rc >= 0)
        rc = asking_note(r, e->s->rec.seq, OF_CALLS, e->key, e->parsed, err);
    if (rc >= 0)
        rc = audit_step(r, e->s, "intent", err);
    if (rc < 0)
        return rc;
    r->rec.tool_calls++;
    const struct store_usage u = {.tenant = r->rec.tenant,
                                  .workflow = r->rec.workflow,
                                  .route = STR(""),
                                  .day = reeved_now(r->rv) / 86400000,
                                  .calls = 1};
    rc = store_usage_add(r->rv->store, &u, err);
    if (rc >= 0)
        run_touch(r);
    if (rc < 0)
        return rc;
    rc = send_call(e, err);
    if (rc == -EPIPE || rc == -ENOBUFS) { /* its connection has just ended: nothing leaves */
        char why[ERR_TEXT_MAX];
        snprintf(why, sizeof(why), "%s", err->text);
        *err = ERR_INIT;
        return unavailable(e, why, err);
    }
    return rc < 0 ? rc : 1;
}

static int check_arguments(struct effect *e, const struct tool_def *def, struct err *err)
{
    struct buf problems;
    struct schema_result res = {.fits = true};
    struct err why = ERR_INIT;
    char text[ERR_TEXT_MAX];
    if (!def->schema)
        return 0;
    buf_init(&problems, 8192);
    int rc = schema_check(def->schema, e->parsed, "arguments", &problems, &res, &why);
    if (rc < 0)
        log_warn(&e->r->rv->log, "schema of %.*s is of no use: %s", STR_FMT(e->key), why.text);
    snprintf(text, sizeof(text), "the arguments do not fit the tool's schema: %.*s",
             (int)MIN(problems.len, sizeof(text) - 64), problems.ptr ? problems.ptr : "");
    for (char *c = text; *c; c++)
        *c = *c == '\n' ? (c[1] ? ';' : ' ') : *c;
    buf_release(&problems);
    if (rc < 0 || res.fits)
        return 0;
    rc = deny(e, NULL, text, (struct strs){0}, err);
    return rc < 0 ? rc : 1;
}

static void fill_facts(struct effect *e, const struct tool_def *def, struct facts *f)
{
    const struct server *s = tool_server_def(e->server);
    char hex[DIGEST_HEX];
    digest_hex(&def->digest, hex);
    f->input = e->parsed;
    f->tool = (struct facts_tool){.server = s->name,
                                  .tool = e->tool,
                                  .server_tenant = s->tenant,
                                  .class = server_tool_of(s, e->tool).class,
                                  .digest = arena_str(&e->arena, str_of(hex)),
                                  .schema = def->schema};
}

/* @notify("who"): kept with the run, where operators and whoever follows it see it. */
static void note_notices(struct effect *e, const struct ask_tool *asked)
{
    static const char *const words[] = {
        [ASK_RUN] = "allowed", [ASK_GATE] = "put to people", [ASK_DENY] = "denied"};
    for (size_t i = 0; i < asked->notify.count; i++) {
        struct str line =
            arena_fmt(&e->arena, "notify %.*s: %.*s was %s", STR_FMT(asked->notify.items[i]),
                      STR_FMT(e->key), words[asked->verdict]);
        run_log(e->r, LOG_LEVEL_WARN, "policy", line);
    }
}

static int act(struct effect *e, const struct ask_tool *asked, struct store_step *more,
               const struct tool_def *def, struct store_approval *ap, bool approved,
               struct err *err)
{
    switch (asked->verdict) {
    case ASK_RUN:
        return go(e, more, ap, approved, err);
    case ASK_GATE:
        return gate_open_tool(e, asked, &def->digest, more, err);
    case ASK_DENY:
        break;
    }
    return deny(e, more, asked->text, asked->policies, err);
}

/* 0: settled or gated, nothing is under way; 1: under way; < 0. */
static int judge(struct effect *e, struct err *err)
{
    struct run *r = e->r;
    const struct tool_def *def = tool_find(e->server, e->tool);
    struct facts f;
    struct ask_tool *asked = ARENA_NEW(&e->arena, struct ask_tool);
    struct store_approval ap = {0};
    struct store_step more = {0};
    bool approved, first = !e->s;
    if (!asked)
        return err_sys(err, ENOMEM, "judge a call");
    if (!def)
        return deny(e, NULL, "the tool server does not have this tool (any more)", (struct strs){0},
                    err);
    const char *spent = asking_budget_spent(r);
    if (spent)
        return deny(e, NULL, spent, (struct strs){0}, err);
    int rc = check_arguments(e, def, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if ((rc = asking_facts(r, e->s ? e->s->rec.seq : r->rec.next_seq, &e->arena, &f, err)) < 0)
        return rc;
    fill_facts(e, def, &f);
    if ((rc = take_approval(e, def, &f, &ap, &approved, err)) < 0 ||
        (rc = asking_history(r, f.tool.server, e->tool, e->parsed, &e->arena, &f, err)) < 0 ||
        (rc = ask_tool(r->rv->house, &f, &e->arena, asked, err)) < 0 ||
        (rc = keep_decisions(e, asked, &more.decision, err)) < 0 ||
        (rc = masked_doc(e, asked, &more.request_doc, err)) < 0 ||
        (rc = put_info(e, def, &e->arena, &more.info, err)) < 0)
        return rc;
    if (first && (rc = asking_note(r, r->rec.next_seq, OF_REQUESTS, e->key, e->parsed, err)) < 0)
        return rc;
    note_notices(e, asked);
    return act(e, asked, &more, def, &ap, approved, err);
}

static void finish(struct effect *e, int rc, const struct err *err)
{
    if (rc < 0)
        effect_broke(e, err);
    else if (rc == 0)
        effect_free(e);
}

/* The run may have ended, or its worker gone, while the server was starting. A worker that came
 * after it asks by itself: with this, too, the call would be made twice. */
static bool is_wanted(const struct effect *e)
{
    return !run_state_is_final(e->r->rec.state) &&
           (e->s || (e->r->wire && e->attempt == e->r->rec.attempt));
}

static void on_judge(void *arg, struct tool_server *ts, const struct err *why)
{
    struct effect *e = arg;
    struct err err = ERR_INIT;
    e->want = NULL;
    e->server = ts;
    int rc = !is_wanted(e) ? 0 : why ? unavailable(e, why->text, &err) : judge(e, &err);
    finish(e, rc, &err);
}

static int send_again(struct effect *e, struct err *err)
{
    struct store_approval ap;
    enum recover_gate gate;
    if (!tool_find(e->server, e->tool))
        return lost(e, "the tool server does not have this tool any more", err);
    int rc = look_at_gate(e->r, e->s, &e->arena, &ap, &gate, err);
    if (rc >= 0 && e->s->rec.state == STEP_UNKNOWN && gate != GATE_RUN)
        return 0; /* the word that allowed it does no longer */
    if (rc >= 0 && e->s->rec.state == STEP_UNKNOWN)
        rc = gate_set(e->r->rv, &ap, APPROVAL_USED, err); /* with the intent (INV-07) */
    if (rc >= 0)
        rc = effect_intend(e, NULL, err);
    if (rc >= 0)
        rc = audit_step(e->r, e->s, "intent", err);
    if (rc >= 0)
        rc = send_call(e, err);
    if (rc == -EPIPE || rc == -ENOBUFS) {
        char why[ERR_TEXT_MAX];
        snprintf(why, sizeof(why), "%s", err->text);
        *err = ERR_INIT;
        return lost(e, why, err);
    }
    return rc < 0 ? rc : 1;
}

static void on_send(void *arg, struct tool_server *ts, const struct err *why)
{
    struct effect *e = arg;
    struct err err = ERR_INIT;
    e->want = NULL;
    e->server = ts;
    finish(e, !is_wanted(e) ? 0 : why ? lost(e, why->text, &err) : send_again(e, &err), &err);
}

/* ---- prepared
 * --------------------------------------------------------------------------------------------------------
 */

static void prepare(struct effect *e, tool_want_fn *then)
{
    struct err err = ERR_INIT;
    struct str tool = e->key, server;
    struct tool_server *ts;
    must(str_split(&tool, '/', &server));
    e->tool = tool;
    if (tool_server_get(e->r->rv, &e->r->rec.version, server, &ts, &err) < 0 ||
        tool_server_want(ts, then, e, &e->want, &err) < 0)
        effect_broke(e, &err);
}

static int begin(struct run *r, const struct step_ask *q, struct err *err)
{
    struct effect *e;
    int rc = effect_new(r, q, NULL, &e, err);
    if (rc < 0)
        return rc;
    if (offers_has(r, e->key)) {
        prepare(e, on_judge);
        return 0;
    }
    char text[400];
    snprintf(text, sizeof(text), "no tool %.*s is offered to this run", STR_FMT(e->key));
    rc = deny(e, NULL, text, (struct strs){0}, err);
    effect_free(e);
    return rc;
}

static int refused(struct run *r, struct step *s, const struct store_approval *ap, struct arena *a,
                   struct err *err)
{
    struct str text;
    int rc = gate_refusal(r->rv, ap, a, &text, err);
    return rc < 0 ? rc : step_settle_tool_error(r, s, STEP_DENIED, text.ptr, (struct strs){0}, err);
}

static int begin_again(struct run *r, struct step *s, tool_want_fn *then, struct err *err)
{
    struct effect *e;
    int rc = effect_new(r, NULL, s, &e, err);
    if (rc >= 0)
        prepare(e, then);
    return rc;
}

/* A person said that it happened, perhaps with its result. */
static int keep_word(struct run *r, struct step *s, struct store_approval *ap, struct arena *a,
                     struct err *err)
{
    const struct json *outcome;
    int rc = json_parse(a, ap->outcome, &JSON_LIMITS_DEFAULT, &outcome, NULL, err);
    if (rc >= 0)
        rc = gate_set(r->rv, ap, APPROVAL_USED, err);
    if (rc < 0)
        return rc;
    const struct json *result = json_get(outcome, "result");
    struct str text = json_is(result, JSON_OBJECT)
                          ? result->raw
                          : STR("{\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}");
    return step_settle(r, s, STEP_COMMITTED, text, false, "a person said that it happened", err);
}

/* A step without outcome, on which nobody works: what now? Without the request in memory it cannot
 * be sent; the worker brings it when it is back. */
static int go_on(struct run *r, struct step *s, struct err *err)
{
    struct arena a;
    struct store_approval ap;
    enum recover_gate gate;
    arena_init(&a, RUN_MESSAGE_ARENA);
    int rc = look_at_gate(r, s, &a, &ap, &gate, err);
    if (rc >= 0)
        switch (move_for(r, s, RECOVER_ASKED, gate)) {
        case RECOVER_JUDGE:
            rc = s->request ? begin_again(r, s, on_judge, err) : 0;
            break;
        case RECOVER_SEND:
            rc = s->request ? begin_again(r, s, on_send, err) : 0;
            break;
        case RECOVER_KEEP:
            rc = keep_word(r, s, &ap, &a, err);
            break;
        case RECOVER_REFUSE:
            rc = refused(r, s, &ap, &a, err);
            break;
        case RECOVER_GATE:
            rc = gate_open_unknown(r, s, "its outcome was lost", err);
            break;
        default:
            break;
        }
    arena_release(&a);
    return rc;
}

static int resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    (void)q;
    return go_on(r, s, err);
}

const struct step_kind_ops effect_tool_ops = {.begin = begin, .resume = resume};

int effect_go_on(struct run *r, struct step *s, struct err *err)
{
    if (s->live)
        return 0;
    return s->rec.kind == STEP_TOOL && (s->rec.state == STEP_GATED || s->rec.state == STEP_UNKNOWN)
               ? go_on(r, s, err)
               : 0;
}

int effect_tool_recover(struct run *r, struct step *s, struct err *err)
{
    if (s->rec.kind != STEP_TOOL || move_for(r, s, RECOVER_START, GATE_NONE) != RECOVER_GATE)
        return 0;
    return gate_open_unknown(r, s, "the supervisor ended while the call was under way", err);
}
