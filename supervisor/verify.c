/*
 * verify.c: see verify.h. Runs in reeved; the answer is a tool server's, whom the operator named
 * for this.
 */
#include "supervisor/verify.h"

#include "supervisor/asking.h"
#include "supervisor/audit.h"
#include "supervisor/gate.h"
#include "supervisor/tool.h"

#define TRIES_MAX 4

struct verify {
    struct run *r; /* held */
    int64_t seq, approval;
    struct arena arena;
    struct str server, tool, arguments;
    const struct json *parsed;
    char key[STEP_IDEMPOTENCY_KEY];
    struct tool_server *ts;
    struct tool_want *want;
    int tries; /* of having the server: the very one that died has to come back first */
};

static void done(struct verify *v)
{
    struct run *r = v->r;
    tool_want_drop(v->want);
    arena_release(&v->arena);
    free(v);
    run_put(r);
}

/* Why the question stays with the people. */
static void give_up(struct verify *v, const char *why)
{
    struct str line =
        arena_fmt(&v->arena, "%.*s/%.*s does not tell whether step %" PRId64 " happened: %s",
                  STR_FMT(v->server), STR_FMT(v->tool), v->seq, why);
    run_log(v->r, LOG_LEVEL_WARN, "verify", line);
    done(v);
}

static int put_outcome(const struct json *reply, bool happened, struct buf *out, struct err *err)
{
    struct jout j;
    const struct json *result = json_path(reply, "structuredContent.result");
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_bool(&j, "happened", happened);
    if (happened)
        jout_m_json(&j, "result", json_is(result, JSON_OBJECT) ? result : reply);
    jout_object_end(&j);
    int e = jout_end(&j);
    return e < 0 ? err_sys(err, -e, "write what became of a call") : 0;
}

static int answer(struct verify *v, const struct json *reply, bool happened, struct err *err)
{
    struct buf outcome;
    struct str actor = arena_fmt(&v->arena, "tool/%.*s/%.*s", STR_FMT(v->server), STR_FMT(v->tool));
    buf_init(&outcome, 20u << 20);
    int e = put_outcome(reply, happened, &outcome, err);
    if (e >= 0)
        e = gate_answer(v->r, v->approval, actor, buf_str(&outcome), err);
    buf_release(&outcome);
    return e;
}

static void on_reply(void *arg, const struct tool_reply *reply)
{
    struct verify *v = arg;
    struct err err = ERR_INIT;
    const struct json *happened = json_path(reply->result, "structuredContent.happened");
    if (!json_is(happened, JSON_BOOL)) {
        give_up(v, reply->result ? "its answer has no structuredContent.happened"
                                 : "it did not answer");
        return;
    }
    if (run_state_is_final(v->r->rec.state)) {
        done(v);
        return;
    }
    if (answer(v, reply->result, happened->boolean, &err) < 0) {
        if (store_is_broken(v->r->rv->store))
            reeved_fatal(v->r->rv, &err);
        give_up(v, err.text);
        return;
    }
    done(v);
}

/* It is a call like any other: policy is asked. */
static int may_ask(struct verify *v, const struct tool_def *def, struct err *err)
{
    struct facts f;
    struct run *r = v->r;
    int64_t id;
    char hex[DIGEST_HEX], ask[300];
    const struct server *s = tool_server_def(v->ts);
    struct ask_decision *d = ARENA_NEW(&v->arena, struct ask_decision);
    int e = d ? asking_facts(r, v->seq, &v->arena, &f, err) : err_sys(err, ENOMEM, "verify a call");
    if (e < 0)
        return e;
    digest_hex(&def->digest, hex);
    f.ask = ASK_CALL;
    f.input = v->parsed;
    f.tool = (struct facts_tool){.server = s->name,
                                 .tool = v->tool,
                                 .server_tenant = s->tenant,
                                 .class = server_tool_of(s, v->tool).class,
                                 .schema = def->schema,
                                 .digest = arena_str(&v->arena, str_of(hex))};
    if ((e = asking_history(r, s->name, v->tool, v->parsed, &v->arena, &f, err)) < 0 ||
        (e = ask_decide(r->rv->house, &f, &v->arena, d, err)) < 0)
        return e;
    snprintf(ask, sizeof(ask), "call:%.*s/%.*s", STR_FMT(s->name), STR_FMT(v->tool));
    e = asking_keep(r->rv, r->rec.id, v->seq, d, ask, &id, err);
    return e >= 0 && !d->allow ? err_set(err, EPERM, "%s", d->text) : e;
}

static int send_question(struct verify *v, struct err *err)
{
    struct tool_call *call;
    const struct tool_def *def = tool_find(v->ts, v->tool);
    const struct server *s = tool_server_def(v->ts);
    if (!def)
        return err_set(err, ENOENT, "the tool server does not have it");
    int e = may_ask(v, def, err);
    if (e < 0)
        return e;
    const struct tool_request q = {.tool = v->tool,
                                   .arguments = v->arguments,
                                   .idempotency_key = v->key,
                                   .trace_id = v->r->rec.trace_id,
                                   .timeout_ms = s->timeout_ms};
    return tool_server_call(v->ts, &q, on_reply, v, &call, err);
}

static void on_server(void *arg, struct tool_server *ts, const struct err *why)
{
    struct verify *v = arg;
    struct err err = ERR_INIT;
    v->want = NULL;
    v->ts = ts;
    if (run_state_is_final(v->r->rec.state))
        done(v);
    else if (why &&
             (++v->tries == TRIES_MAX || tool_server_want(ts, on_server, v, &v->want, &err) < 0))
        give_up(v, why->text);
    else if (why)
        return; /* told again */
    else if (send_question(v, &err) < 0) {
        if (store_is_broken(v->r->rv->store))
            reeved_fatal(v->r->rv, &err);
        give_up(v, err.text);
    }
}

/* The call's arguments, whole: a journal that masks does not have them, and then only people can
 * tell. */
static int take_arguments(struct verify *v, struct step *s, struct err *err)
{
    struct digest d;
    int e = 0;
    if (s->request)
        v->arguments = arena_str(&v->arena, (struct str){s->request, s->request_len});
    else
        e = store_text_get(v->r->rv->store, s->rec.request_doc, s->rec.request_text, &v->arena,
                           &v->arguments, err);
    if (e >= 0)
        e = json_parse(&v->arena, v->arguments, &JSON_LIMITS_DEFAULT, &v->parsed, NULL, err);
    if (e >= 0)
        e = digest_of_json(v->parsed, &d, err);
    return e >= 0 && !digest_eq(&d, &s->rec.request)
               ? err_set(err, ENODATA, "its arguments are masked")
               : e;
}

static int start(struct run *r, struct step *s, struct str server, struct str tool, struct err *err)
{
    struct verify *v = calloc(1, sizeof(*v));
    if (!v)
        return err_sys(err, ENOMEM, "verify a call");
    *v = (struct verify){.r = r, .seq = s->rec.seq, .approval = s->rec.approval};
    arena_init(&v->arena, RUN_MESSAGE_ARENA);
    r->users++;
    v->server = arena_str(&v->arena, server);
    v->tool = arena_str(&v->arena, tool);
    step_idempotency_key(r, s, v->key);
    int e = take_arguments(v, s, err);
    if (e >= 0)
        e = tool_server_get(r->rv, &r->rec.version, v->server, &v->ts, err);
    if (e >= 0)
        e = tool_server_want(v->ts, on_server, v, &v->want, err);
    if (e >= 0)
        return 0;
    give_up(v, err->text); /* the gate is open: people are asked, and nothing else failed */
    return store_is_broken(r->rv->store) ? e : 0;
}

int verify_begin(struct run *r, struct step *s, struct err *err)
{
    struct str tool = s->rec.key, server;
    if (r->rec.mode != RUN_REAL || !str_split(&tool, '/', &server))
        return 0;
    const struct server *def = version_server(r->version, server);
    if (!def)
        return 0;
    struct server_tool t = server_tool_of(def, tool);
    return t.retry == RETRY_VERIFY && t.verify.len ? start(r, s, server, t.verify, err) : 0;
}
