/*
 * calls.c: the runtime's methods, one function each: params out, result checked and handed on.
 *
 * Runs in a worker, behind its walls.
 */
#include "worker/client.h"

/* While another request is being written, or before begin or after end, none may start. */
static int may_ask(const struct reeve *r, struct err *err)
{
    if (r->state == CLIENT_NEW)
        return err_set(err, EPROTO, "reeve_begin comes first");
    if (r->state == CLIENT_ENDED)
        return err_set(err, EPROTO, "the run has ended");
    if (r->is_cancelled)
        return err_set(err, ECANCELED, "the run was cancelled");
    return 0;
}

static void raw_member(struct wire_out *o, const char *name, struct str json_text)
{
    if (!json_text.ptr)
        return;
    jout_name(&o->j, name);
    jout_raw(&o->j, json_text);
}

/* For calls whose result says nothing. */
static int ask_plain(struct reeve *r, struct wire_out *o, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    int rc = reeve_ask(r, o, &a, err);

    reeve_answer_release(&a);
    return rc;
}

/* ---- begin and end --------------------------------------------------------------------------- */

/* Ids are numbers or names, as the broker likes. */
static struct str text_of(const struct json *object, const char *name)
{
    const struct json *v = json_get(object, name);

    if (json_is(v, JSON_STRING))
        return v->string;
    return json_is(v, JSON_INT) ? v->raw : STR_NONE;
}

static const struct json *object_or_null(const struct json *object, const char *name)
{
    const struct json *v = json_get(object, name);

    return json_is(v, JSON_OBJECT) ? v : NULL;
}

static int read_run(const struct json *v, struct reeve_run *run, struct err *err)
{
    const struct json *checkpoint = json_get(v, "checkpoint");
    int rc;

    *run = (struct reeve_run){
        .run = text_of(v, "run"),
        .tenant = text_of(v, "tenant"),
        .workflow = text_of(v, "workflow"),
        .version = text_of(v, "version"),
        .seed = text_of(v, "seed"),
        .is_replay = str_is(text_of(v, "state"), "replay"),
        .checkpoint = json_is(checkpoint, JSON_NULL) ? NULL : checkpoint,
        .agent = object_or_null(v, "agent"),
        .models = json_get(v, "models"),
        .limits = object_or_null(v, "limits"),
    };
    rc = json_want(v, "event", JSON_OBJECT, &run->event, err);
    if (rc >= 0)
        rc = json_i64_or(v, "attempt", 1, &run->attempt, err);
    if (rc >= 0)
        rc = json_i64_or(v, "now", 0, &run->now_ms, err);
    return rc;
}

int reeve_begin(struct reeve *r, bool sequential, struct err *err)
{
    struct wire_out o;
    int rc;

    if (r->state != CLIENT_NEW)
        return err_set(err, EPROTO, "the run has begun already");
    reeve_request(r, &o, "run/begin");
    if (sequential)
        jout_m_bool(&o.j, "sequential", true);
    rc = reeve_ask(r, &o, &r->begun, err);
    if (rc >= 0)
        rc = read_run(r->begun.value, &r->run, err);
    r->is_fresh = rc >= 0 && str_is(text_of(r->begun.value, "state"), "fresh");
    if (rc < 0)
        return err_wrap(err, "begin the run");
    r->state = CLIENT_RUNNING;
    return 0;
}

static int end_with(struct reeve *r, struct wire_out *o, struct err *err)
{
    int rc = ask_plain(r, o, err);

    if (rc < 0)
        return err_wrap(err, "end the run");
    r->state = CLIENT_ENDED;
    return 0;
}

static int may_end(const struct reeve *r, struct err *err)
{
    if (r->state == CLIENT_RUNNING)
        return 0;
    return err_set(err, EPROTO, "the run %s",
                   r->state == CLIENT_NEW ? "has not begun" : "has ended");
}

int reeve_end(struct reeve *r, struct str result, struct err *err)
{
    struct wire_out o;
    int rc = may_end(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "run/end");
    raw_member(&o, "result", result.ptr ? result : STR("null"));
    return end_with(r, &o, err);
}

int reeve_fail(struct reeve *r, const char *message, bool retryable, struct err *err)
{
    struct wire_out o;
    int rc = may_end(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "run/end");
    jout_name(&o.j, "error");
    jout_object(&o.j);
    jout_m_cstr(&o.j, "message", message);
    jout_m_bool(&o.j, "retryable", retryable);
    jout_object_end(&o.j);
    return end_with(r, &o, err);
}

/* ---- steps ----------------------------------------------------------------------------------- */

#define BY_KEY \
    '=' /* before the key, where a step that begins late has no id yet: no JSON text begins so */

static int begin_late(struct reeve *r, const char *key, struct str input,
                      struct reeve_step *ret_step, struct err *err)
{
    int rc = late_begin(r, key, input, err);

    if (rc < 0)
        return err_wrap(err, "step \"%s\"", key);
    (void)snprintf(ret_step->id, sizeof(ret_step->id), "%c%s", BY_KEY, key);
    return 0;
}

int reeve_step_begin(struct reeve *r, const char *key, struct str input,
                     struct reeve_step *ret_step, struct reeve_answer *a, struct err *err)
{
    const struct json *step;
    struct wire_out o;
    bool done;
    int rc = may_ask(r, err);

    if (rc < 0)
        return rc;
    if (late_may_begin(r, key))
        return begin_late(r, key, input, ret_step, err);
    reeve_request(r, &o, "step/begin");
    jout_m_cstr(&o.j, "key", key);
    raw_member(&o, "input", input);
    rc = reeve_ask(r, &o, a, err);
    if (rc >= 0)
        rc = json_want_bool(a->value, "done", &done, err);
    if (rc < 0)
        return err_wrap(err, "step \"%s\"", key);
    if (done) {
        a->value = json_get(a->value, "value");
        return 1;
    }
    if (json_bool_or(a->value, "fresh", false, &r->is_fresh, err) < 0)
        return err_wrap(err, "step \"%s\"", key);
    step = json_get(a->value, "step");
    if (!json_is(step, JSON_INT) && !json_is(step, JSON_STRING))
        return err_set(err, EBADMSG, "step \"%s\": the broker gave it no id", key);
    if (str_copy(step->raw, ret_step->id, sizeof(ret_step->id)) < 0)
        return err_set(err, EBADMSG, "step \"%s\": its id is too long", key);
    return 0;
}

static void put_step(struct wire_out *o, const struct reeve_step *step)
{
    if (step->id[0] == BY_KEY)
        jout_m_cstr(&o->j, "key", step->id + 1);
    else
        raw_member(o, "step", str_of(step->id));
}

static int end_step(struct reeve *r, struct wire_out *o, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    int rc = late_ask(r, o, &a, err);

    reeve_answer_release(&a);
    return rc;
}

int reeve_step_end(struct reeve *r, const struct reeve_step *step, struct str value,
                   struct err *err)
{
    struct wire_out o;

    reeve_request(r, &o, "step/end");
    put_step(&o, step);
    raw_member(&o, "value", value.ptr ? value : STR("null"));
    return end_step(r, &o, err);
}

int reeve_step_end_later(struct reeve *r, const struct reeve_step *step, struct str value,
                         struct err *err)
{
    if (step->id[0] != BY_KEY || !r->late.has_begun || strcmp(step->id + 1, r->late.key) != 0)
        return reeve_step_end(r, step, value, err);
    return late_end(r, value.ptr ? value : STR("null"), err);
}

int reeve_step_fail(struct reeve *r, const struct reeve_step *step, const char *message,
                    struct err *err)
{
    struct wire_out o;

    reeve_request(r, &o, "step/end");
    put_step(&o, step);
    jout_m_cstr(&o.j, "error", message);
    return end_step(r, &o, err);
}

int reeve_checkpoint(struct reeve *r, struct str state, struct err *err)
{
    struct wire_out o;
    int rc = may_ask(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "checkpoint/save");
    raw_member(&o, "state", state);
    return ask_plain(r, &o, err);
}

/* ---- tools and models ------------------------------------------------------------------------ */

static int tool_send(struct reeve *r, struct str name, const struct json *arguments,
                     struct str text, int64_t *ret_id, struct err *err)
{
    struct wire_out o;

    reeve_request(r, &o, "tools/call");
    jout_m_str(&o.j, "name", name);
    jout_name(&o.j, "arguments");
    if (arguments)
        jout_json(&o.j, arguments);
    else
        jout_raw(&o.j, text.ptr ? text : STR("{}"));
    return reeve_request_end(r, &o, ret_id, err);
}

int reeve_tool(struct reeve *r, const char *name, struct str arguments, struct reeve_answer *a,
               struct err *err)
{
    int64_t id;
    int rc = may_ask(r, err);

    if (rc >= 0)
        rc = tool_send(r, str_of(name), NULL, arguments, &id, err);
    if (rc >= 0)
        rc = reeve_wait(r, id, a, err);
    if (rc >= 0)
        rc = reeve_answer_status(a, err);
    return rc < 0 ? err_wrap(err, "tool %s", name) : 0;
}

int reeve_tools(struct reeve *r, struct reeve_tool_call *calls, size_t n, struct err *err)
{
    int64_t ids[REEVE_OPEN_MAX] = {0};
    size_t i;
    int rc = may_ask(r, err);

    if (rc >= 0 && n > REEVE_OPEN_MAX - r->open_count)
        rc = err_set(err, EBUSY, "more than %d requests at once", REEVE_OPEN_MAX);
    for (i = 0; i < n && rc >= 0; i++)
        rc = tool_send(r, calls[i].name, calls[i].arguments, STR_NONE, &ids[i], err);
    for (i = 0; i < n && rc >= 0; i++)
        rc = reeve_wait(r, ids[i], &calls[i].answer, err);
    return rc;
}

bool reeve_tool_is_error(const struct json *result)
{
    const struct json *v = json_get(result, "isError");

    return json_is(v, JSON_BOOL) && v->boolean;
}

bool reeve_tool_is_denied(const struct json *result)
{
    return json_is(json_get(json_get(result, "_meta"), "io.reeve/denied"), JSON_OBJECT);
}

int reeve_tool_list(struct reeve *r, struct str cursor, struct reeve_answer *a, struct err *err)
{
    struct wire_out o;
    int rc = may_ask(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "tools/list");
    if (cursor.ptr)
        jout_m_str(&o.j, "cursor", cursor);
    return reeve_ask(r, &o, a, err);
}

int reeve_model(struct reeve *r, struct str route, struct str request, struct reeve_answer *a,
                struct err *err)
{
    struct wire_out o;
    int rc = may_ask(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "model/call");
    if (route.ptr)
        jout_m_str(&o.j, "route", route);
    raw_member(&o, "request", request);
    return reeve_ask(r, &o, a, err);
}

/* ---- time, events, people -------------------------------------------------------------------- */

static int sleep_with(struct reeve *r, const char *member, int64_t value, struct err *err)
{
    struct wire_out o;
    int rc = may_ask(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "sleep");
    jout_m_i64(&o.j, member, value);
    return ask_plain(r, &o, err);
}

int reeve_sleep(struct reeve *r, int64_t ms, struct err *err)
{
    return sleep_with(r, "ms", ms, err);
}

int reeve_sleep_until(struct reeve *r, int64_t unix_ms, struct err *err)
{
    return sleep_with(r, "until", unix_ms, err);
}

int reeve_event_wait(struct reeve *r, const char *type, struct str match, int64_t timeout_ms,
                     struct reeve_answer *a, struct err *err)
{
    struct wire_out o;
    int rc = may_ask(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "event/wait");
    jout_m_cstr(&o.j, "type", type);
    raw_member(&o, "match", match);
    if (timeout_ms > 0)
        jout_m_i64(&o.j, "timeoutMs", timeout_ms);
    rc = reeve_ask(r, &o, a, err);
    return rc < 0 ? rc : json_is(json_get(a->value, "event"), JSON_OBJECT);
}

int reeve_event_emit(struct reeve *r, const char *type, const char *subject, struct str data,
                     struct reeve_answer *a, struct err *err)
{
    struct wire_out o;
    int rc = may_ask(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "event/emit");
    jout_m_cstr(&o.j, "type", type);
    if (subject)
        jout_m_cstr(&o.j, "subject", subject);
    raw_member(&o, "data", data);
    return reeve_ask(r, &o, a, err);
}

int reeve_child(struct reeve *r, const char *workflow, struct str data, struct reeve_answer *a,
                struct err *err)
{
    struct wire_out o;
    int rc = may_ask(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "run/child");
    jout_m_cstr(&o.j, "workflow", workflow);
    raw_member(&o, "data", data);
    return reeve_ask(r, &o, a, err);
}

int reeve_approval(struct reeve *r, const struct reeve_question *q, struct reeve_answer *a,
                   struct err *err)
{
    struct wire_out o;
    bool approved;
    int rc = may_ask(r, err);

    if (rc < 0)
        return rc;
    reeve_request(r, &o, "approval/request");
    jout_m_cstr(&o.j, "question", q->question);
    raw_member(&o, "data", q->data);
    if (q->approvers)
        jout_m_cstr(&o.j, "approvers", q->approvers);
    if (q->quorum > 0)
        jout_m_i64(&o.j, "quorum", q->quorum);
    if (q->expires_ms > 0)
        jout_m_i64(&o.j, "expiresMs", q->expires_ms);
    rc = reeve_ask(r, &o, a, err);
    if (rc >= 0)
        rc = json_want_bool(a->value, "approved", &approved, err);
    return rc < 0 ? rc : approved;
}
