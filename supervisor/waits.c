/*
 * waits.c: see waits.h. Runs in reeved.
 */
#include "supervisor/waits.h"

#include "supervisor/asking.h"
#include "supervisor/effect.h"
#include "supervisor/gate.h"
#include "supervisor/trigger.h"

#define SLEEP_MAX_MS (INT64_C(100) * 366 * 24 * 3600 * 1000)
#define UNTIL_MAX_MS INT64_C(253402300799999) /* the last moment that a date can say */

/* Settles with an object that `put` writes the members of. */
typedef void put_fn(struct jout *j, const void *arg);

static int settle_with(struct run *r, struct step *s, put_fn *put, const void *arg,
                       const char *reason, struct err *err)
{
    struct buf reply;
    struct jout j;
    buf_init(&reply, 32u << 20);
    jout_begin(&j, &reply);
    jout_object(&j);
    put(&j, arg);
    jout_object_end(&j);
    int e = jout_end(&j);
    e = e < 0 ? err_sys(err, -e, "write an outcome")
              : step_settle(r, s, STEP_COMMITTED, buf_str(&reply), false, reason, err);
    buf_release(&reply);
    return e;
}

static void put_nothing(struct jout *j, const void *arg)
{
    (void)j;
    (void)arg;
}

static void put_timeout(struct jout *j, const void *arg)
{
    (void)arg;
    jout_m_bool(j, "timeout", true);
}

/* ---- named steps
 * ------------------------------------------------------------------------------------------------
 */

/* The worker's own work: begin tells whether it is done; step/end brings the value. */
static int answer_begin(struct run *r, const struct step *s, const struct json *id, struct err *err)
{
    struct wire_out o;
    wire_result(r->wire, &o, id);
    jout_m_bool(&o.j, "done", false);
    jout_m_i64(&o.j, "step", s->rec.seq);
    return wire_end(r->wire, &o, err);
}

static int named_begin(struct run *r, const struct step_ask *q, struct err *err)
{
    struct step *s;
    struct step_ask quiet = *q;
    quiet.id = NULL; /* answered at once: nobody waits */
    int e = step_begin_later(r, &quiet, &s, err);
    return e < 0 ? e : answer_begin(r, s, q->id, err);
}

static int named_resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    step_drop_waiters(s);
    /* It had begun and not ended, or its failure was withdrawn: done again. */
    int e = s->rec.state == STEP_OPEN ? 0 : step_set(r, s, STEP_OPEN, "", err);
    return e < 0 ? e : answer_begin(r, s, q->id, err);
}

static void put_value(struct jout *j, const void *arg)
{
    const struct json *value = arg;
    jout_m_bool(j, "done", true);
    jout_name(j, "value");
    jout_raw(j, value->raw);
}

static int end_named(struct run *r, struct step *s, const struct json *value,
                     const struct json *error, struct err *err)
{
    if (value)
        return settle_with(r, s, put_value, value, "", err);
    struct str text = STR("the step failed");
    char reason[300];
    struct buf shown;
    if (error->type == JSON_STRING)
        text = error->string;
    else if (json_is(json_get(error, "message"), JSON_STRING))
        text = json_get(error, "message")->string;
    buf_init(&shown, 2048);
    utf8_put_visible(&shown, text, 256);
    snprintf(reason, sizeof(reason), "%.*s", STR_FMT(buf_str(&shown)));
    buf_release(&shown);
    return step_settle_error(r, s, STEP_FAILED, WIRE_E_UNAVAILABLE, reason, err);
}

/* Which step ends: by its number, or, where the worker did not wait for that, the one of this key
 * that it began last and has not ended. */
static struct step *ending(struct run *r, const struct json *params, int64_t seq, struct str key)
{
    if (!json_get(params, "key"))
        return journal_find(&r->journal, seq);
    for (size_t i = r->journal.count; i > journal_first_busy(&r->journal); i--) {
        struct step *s = r->journal.steps[i - 1];
        if (s->rec.kind == STEP_NAMED && s->rec.state == STEP_OPEN && s->matched &&
            str_eq(s->rec.key, key))
            return s;
    }
    return NULL;
}

int waits_step_end(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct run *r = ctx;
    int64_t seq;
    struct str key;
    const struct json *value = json_get(m->params, "value"), *error = json_get(m->params, "error");
    struct err why = ERR_INIT;
    if (json_i64_or(m->params, "step", 0, &seq, &why) < 0 ||
        json_str_or(m->params, "key", STR_NONE, &key, &why) < 0 ||
        !json_get(m->params, "step") == !json_get(m->params, "key") || !value == !error)
        return wire_error(w, m->id, WIRE_E_PARAMS,
                          "step/end: expected either step or key, and either value or error");
    struct step *s = ending(r, m->params, seq, key);
    if (!s || s->rec.kind != STEP_NAMED || s->rec.state != STEP_OPEN || !s->matched)
        return wire_error(w, m->id, WIRE_E_STATE, "step/end: that step is not open");
    int e = end_named(r, s, value, error, err);
    if (e < 0)
        return e;
    struct wire_out o;
    wire_result(w, &o, m->id);
    return wire_end(w, &o, err);
}

const struct step_kind_ops waits_named_ops = {.begin = named_begin, .resume = named_resume};

/* ---- timers
 * ---------------------------------------------------------------------------------------------------------
 */

int waits_check_sleep(const struct json *params, struct err *err)
{
    int64_t ms, until;
    if (json_i64_or(params, "ms", -1, &ms, err) < 0 ||
        json_i64_or(params, "until", -1, &until, err) < 0)
        return -EINVAL;
    if ((ms < 0) == (until < 0))
        return err_set(err, EINVAL, "expected either ms or until (ms since 1970)");
    if (ms > SLEEP_MAX_MS)
        return err_set(err, EINVAL, "ms: at most 100 years");
    if (until > UNTIL_MAX_MS)
        return err_set(err, EINVAL, "until: at most the end of the year 9999");
    return 0;
}

static int timer_begin(struct run *r, const struct step_ask *q, struct err *err)
{
    struct step *s;
    int64_t ms = 0, until = 0, now = reeved_now(r->rv);
    if (json_i64_or(q->parsed, "ms", -1, &ms, err) < 0 ||
        json_i64_or(q->parsed, "until", -1, &until, err) < 0)
        return -EINVAL;
    const struct store_step more = {.wake_ms = MAX(ms >= 0 ? now + ms : until, 1)};
    int e = step_begin(r, q, STEP_OPEN, &more, &s, err);
    if (e >= 0 && more.wake_ms <= now)
        e = settle_with(r, s, put_nothing, NULL, "", err);
    return e;
}

static int timer_resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    (void)q;
    return s->rec.wake_ms <= reeved_now(r->rv) ? settle_with(r, s, put_nothing, NULL, "", err) : 0;
}

const struct step_kind_ops waits_timer_ops = {.begin = timer_begin, .resume = timer_resume};

/* ---- events
 * ------------------------------------------------------------------------------------------------------------
 */

static void put_event(struct jout *j, const void *arg)
{
    const struct str *envelope = arg;
    jout_name(j, "event");
    jout_raw(j, *envelope);
}

static int take_event(struct run *r, struct step *s, const struct store_event *ev, struct err *err)
{
    s->rec.child = ev->id;
    return settle_with(r, s, put_event, &ev->envelope, "", err);
}

/* Events that came before the run asked, since its own: kept for it. */
struct early {
    struct run *r;
    const struct json *match;
    struct arena a;
    struct store_event found;
    int64_t *older; /* events that steps before the checkpoint took: they are not in memory */
    size_t older_count, older_cap;
    bool has_older;
};

static int on_older(void *arg, const struct store_step *s)
{
    struct early *q = arg;
    if (s->seq > q->r->rec.checkpoint_seq)
        return 1;
    if (s->kind != STEP_EVENT_WAIT || s->child <= 0)
        return 0;
    if (q->older_count == q->older_cap) {
        size_t cap = q->older_cap ? 2 * q->older_cap : 64;
        int64_t *grown = reallocarray(q->older, cap, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        q->older = grown;
        q->older_cap = cap;
    }
    q->older[q->older_count++] = s->child;
    return 0;
}

/* 1: a step of this run has this event already. */
static int is_taken(struct early *q, int64_t event, struct err *err)
{
    const struct run *r = q->r;
    for (size_t i = 0; i < r->journal.count; i++)
        if (r->journal.steps[i]->rec.kind == STEP_EVENT_WAIT &&
            r->journal.steps[i]->rec.child == event)
            return 1;
    if (r->rec.checkpoint_seq && !q->has_older) {
        int e = store_steps(r->rv->store, r->rec.id, 0, on_older, q, err);
        if (e < 0)
            return e;
        q->has_older = true;
    }
    for (size_t i = 0; i < q->older_count; i++)
        if (q->older[i] == event)
            return 1;
    return 0;
}

static int on_early(void *arg, const struct store_event *ev)
{
    struct early *q = arg;
    const struct json *envelope;
    struct err err = ERR_INIT;
    const struct json *subject = json_get(q->match, "subject");
    if (json_is(subject, JSON_STRING) && !str_eq(subject->string, ev->subject))
        return 0;
    int e = is_taken(q, ev->id, &err);
    if (e != 0)
        return e < 0 ? e : 0;
    e = json_parse(&q->a, ev->envelope, &JSON_LIMITS_DEFAULT, &envelope, NULL, &err);
    if (e < 0 || !trigger_matches(envelope, q->match))
        return e == -ENOMEM ? e : 0;
    q->found = *ev;
    q->found.envelope = arena_str(&q->a, ev->envelope);
    return q->found.envelope.ptr ? 1 : -ENOMEM;
}

static int look_for_early(struct run *r, struct step *s, const struct json *params, struct err *err)
{
    struct early q = {.r = r, .match = json_get(params, "match")};
    arena_init(&q.a, RUN_MESSAGE_ARENA);
    int e = store_events_since(r->rv->store, s->rec.key, r->rec.event, on_early, &q, err);
    if (e < 0 && !err->number)
        err_sys(err, -e, "look for events");
    if (e > 0)
        e = take_event(r, s, &q.found, err);
    arena_release(&q.a);
    free(q.older);
    return e;
}

/* Waits that want this value at that path. Chance meetings in one bucket do no harm: each match is
 * looked at. */
static int64_t bucket_of(struct str path, const struct json *value)
{
    struct digest d;
    struct err err = ERR_INIT;
    uint64_t h;
    if (digest_of_json(value, &d, &err) < 0)
        return 0;
    const struct str parts[] = {path, {(const char *)d.bytes, sizeof(d.bytes)}};
    d = digest_of_parts(parts, ARRAY_LEN(parts));
    memcpy(&h, d.bytes, sizeof(h));
    return -(int64_t)(h >> 1) - 1;
}

/* Where an event finds the wait: by the subject if its match names one, else by the first path that
 * it names; bucket 0, which each event of the type looks through, when there is none. */
static int event_bucket(struct run *r, struct str type, const struct json *match, int64_t *ret,
                        struct err *err)
{
    bool known = false;
    *ret = 0;
    if (!match || !match->object.count)
        return 0;
    const struct json_member *m = &match->object.members[0];
    for (size_t i = 1; i < match->object.count; i++)
        if (str_is(match->object.members[i].name, "subject"))
            m = &match->object.members[i];
    int e = store_wait_path_put(r->rv->store, type, m->name, &known, err);
    if (e >= 0 && known)
        *ret = bucket_of(m->name, &m->value);
    return e;
}

static int event_begin(struct run *r, const struct step_ask *q, struct err *err)
{
    struct step *s;
    int64_t timeout, bucket;
    struct err why = ERR_INIT;
    const struct json *match = json_get(q->parsed, "match");
    if (json_i64_or(q->parsed, "timeoutMs", 0, &timeout, &why) < 0 || timeout < 0 ||
        timeout > SLEEP_MAX_MS || (match && match->type != JSON_OBJECT))
        return wire_error(r->wire, q->id, WIRE_E_PARAMS,
                          "event/wait: expected type, match{} and timeoutMs of 0 or more");
    int e = event_bucket(r, q->key, match, &bucket, err);
    if (e < 0)
        return e;
    const struct store_step more = {.wake_ms = timeout ? reeved_now(r->rv) + timeout : 0,
                                    .child = bucket};
    e = step_begin(r, q, STEP_OPEN, &more, &s, err);
    return e < 0 ? e : look_for_early(r, s, q->parsed, err);
}

static int event_resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    int e = look_for_early(r, s, q->parsed, err);
    if (e < 0 || step_is_settled(s))
        return e;
    if (!s->rec.wake_ms || s->rec.wake_ms > reeved_now(r->rv))
        return 0;
    s->rec.child = 0;
    return settle_with(r, s, put_timeout, NULL, "timed out", err);
}

const struct step_kind_ops waits_event_ops = {.begin = event_begin, .resume = event_resume};

struct woken {
    struct {
        int64_t run, seq, doc;
    } * items;
    size_t count, cap;
};

static int on_open_wait(void *arg, const struct store_step *s)
{
    struct woken *w = arg;
    if (w->count == w->cap) { /* all of them: a run that waits for ever looks at nothing else */
        size_t cap = w->cap ? 2 * w->cap : 64;
        void *grown = reallocarray(w->items, cap, sizeof(*w->items));
        if (!grown)
            return -ENOMEM;
        w->items = grown;
        w->cap = cap;
    }
    w->items[w->count].run = s->run;
    w->items[w->count].doc = s->request_doc;
    w->items[w->count++].seq = s->seq;
    return 0;
}

static int wait_one(struct reeved *rv, int64_t run, int64_t seq, int64_t doc,
                    const struct store_event *ev, const struct json *envelope, size_t *ret_woken,
                    struct err *err)
{
    struct arena a;
    struct str params;
    const struct json *parsed = NULL;
    struct run *r;
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = store_doc_get(rv->store, doc, &a, &params, err);
    if (e >= 0)
        e = json_parse(&a, params, &JSON_LIMITS_DEFAULT, &parsed, NULL, err);
    bool matches = e >= 0 && trigger_matches(envelope, json_get(parsed, "match"));
    arena_release(&a);
    if (!matches)
        return e;
    if ((e = run_get(rv, run, &r, err)) < 0)
        return e;
    e = run_journal(r, err);
    struct step *s = e >= 0 ? journal_find(&r->journal, seq) : NULL;
    if (s && s->rec.state == STEP_OPEN && !run_state_is_final(r->rec.state)) {
        e = take_event(r, s, ev, err);
        if (e >= 0)
            run_wake(rv, run, "");
        (*ret_woken)++;
    }
    run_put(r);
    return e;
}

int waits_on_event(struct reeved *rv, const struct store_event *ev, const struct json *envelope,
                   size_t *ret_woken, struct err *err)
{
    struct woken w = {0};
    struct store_wait_paths paths;
    int e = store_wait_paths(rv->store, ev->type, &paths, err);
    if (e >= 0)
        e = store_waits_open(rv->store, ev->type, 0, on_open_wait, &w, err);
    for (size_t i = 0; e >= 0 && i < paths.count; i++) {
        const struct json *value = trigger_value(envelope, str_of(paths.path[i]));
        int64_t bucket = value ? bucket_of(str_of(paths.path[i]), value) : 0;
        if (bucket)
            e = store_waits_open(rv->store, ev->type, bucket, on_open_wait, &w, err);
    }
    if (e == -ENOMEM && !err->number)
        err_sys(err, ENOMEM, "wake runs");
    for (size_t i = 0; e >= 0 && i < w.count; i++)
        e = wait_one(rv, w.items[i].run, w.items[i].seq, w.items[i].doc, ev, envelope, ret_woken,
                     err);
    free(w.items);
    return e < 0 ? e : 0;
}

/* ---- emit
 * ------------------------------------------------------------------------------------------------------------------
 */

static int refuse(struct run *r, const struct step_ask *q, const char *why, struct err *err)
{
    struct step *s;
    int e = step_begin(r, q, STEP_DENIED, NULL, &s, err);
    return e < 0 ? e : step_settle_error(r, s, STEP_DENIED, WIRE_E_DENIED, why, err);
}

/* Asks policy for an act of the run's own; 1: allowed. When not, the step is recorded and answered.
 */
static int allowed(struct run *r, const struct step_ask *q, enum facts_ask ask,
                   const struct facts_entity_workflow *target, struct err *err)
{
    struct arena a;
    struct facts f;
    struct ask_decision *d;
    int64_t id;
    char text[ERR_TEXT_MAX];
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = asking_facts(r, r->rec.next_seq, &a, &f, err);
    d = ARENA_NEW(&a, struct ask_decision);
    if (e >= 0 && !d)
        e = err_sys(err, ENOMEM, "ask policy");
    f.ask = ask;
    f.input = q->parsed;
    if (target)
        f.target = *target;
    if (e >= 0)
        e = ask_decide(r->rv->house, &f, &a, d, err);
    if (e >= 0)
        e = asking_keep(r->rv, r->rec.id, r->rec.next_seq, d, facts_ask_name(ask), &id, err);
    bool yes = e >= 0 && d->allow;
    snprintf(text, sizeof(text), "%s", e >= 0 ? d->text : "");
    arena_release(&a);
    if (e < 0 || yes)
        return e < 0 ? e : 1;
    return refuse(r, q, text, err);
}

static bool is_listed(struct strs patterns, struct str name)
{
    for (size_t i = 0; i < patterns.count; i++)
        if (str_glob(patterns.items[i], name))
            return true;
    return false;
}

static int put_emitted(struct run *r, const struct step_ask *q, struct buf *out, struct err *err)
{
    struct jout j;
    struct str subject;
    struct err why = ERR_INIT;
    const struct json *data = json_get(q->parsed, "data");
    if (json_str_or(q->parsed, "subject", STR_NONE, &subject, &why) < 0)
        subject = STR_NONE;
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_cstr(&j, "specversion", "1.0");
    jout_m_fmt(&j, "id", "run-%" PRId64 "-step-%" PRId64, r->rec.id, r->rec.next_seq);
    jout_m_fmt(&j, "source", "/reeve/%.*s/%.8s", STR_FMT(r->rec.workflow), r->rec.trace_id);
    jout_m_str(&j, "type", q->key);
    if (subject.len)
        jout_m_str(&j, "subject", subject);
    jout_m_time(&j, "time", reeved_now(r->rv));
    if (data) {
        jout_m_cstr(&j, "datacontenttype", "application/json");
        jout_name(&j, "data");
        jout_raw(&j, data->raw);
    }
    jout_object_end(&j);
    int e = jout_end(&j);
    return e < 0 ? err_sys(err, -e, "write an event") : 0;
}

static void put_id(struct jout *j, const void *arg)
{
    jout_m_i64(j, "id", *(const int64_t *)arg);
}

static int emit(struct run *r, const struct step_ask *q, struct arena *a, struct buf *text,
                struct err *err)
{
    struct trigger t = {
        .kind = STR("workflow"), .name = r->rec.workflow, .depth = r->rec.depth + 1};
    struct trigger_result res;
    struct step *s;
    int e = put_emitted(r, q, text, err);
    if (e >= 0)
        e = json_parse(a, buf_str(text), &JSON_LIMITS_DEFAULT, &t.event, NULL, err);
    if (e < 0 || (e = step_begin(r, q, STEP_INTENT, NULL, &s, err)) < 0)
        return e;
    e = trigger_accept(r->rv, &t, &res, err);
    if (e == -EBADMSG || e == -EAGAIN)
        return step_settle_error(r, s, STEP_FAILED, e == -EAGAIN ? WIRE_E_LIMIT : WIRE_E_PARAMS,
                                 err->text, err);
    if (e < 0)
        return e;
    s->rec.child = res.event;
    return settle_with(r, s, put_id, &res.event, "", err);
}

static int emit_begin(struct run *r, const struct step_ask *q, struct err *err)
{
    struct arena a;
    struct buf text;
    if (!is_listed(r->version->workflow.emits, q->key))
        return refuse(r, q, "the workflow does not list this event type under emits", err);
    int e = allowed(r, q, ASK_EMIT, NULL, err);
    if (e <= 0)
        return e;
    arena_init(&a, RUN_MESSAGE_ARENA);
    buf_init(&text, 2u << 20);
    e = emit(r, q, &a, &text, err);
    buf_release(&text);
    arena_release(&a);
    return e;
}

/* Recorded and settled in one transaction, so a journal never holds one that is not. */
static int never_resumed(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    (void)q;
    return err_set(err, EPROTO,
                   "run %" PRId64 " step %" PRId64 " has no outcome and cannot be gone on with",
                   r->rec.id, s->rec.seq);
}

const struct step_kind_ops waits_emit_ops = {.begin = emit_begin, .resume = never_resumed};

/* ---- children
 * --------------------------------------------------------------------------------------------------------------------
 */

static size_t children_of(const struct run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->journal.count; i++)
        n += r->journal.steps[i]->rec.kind == STEP_CHILD && r->journal.steps[i]->rec.child;
    return n;
}

static int start_child(struct run *r, const struct step_ask *q, struct arena *a, struct buf *text,
                       struct err *err)
{
    struct step_ask as_event = *q;
    struct trigger t = {.kind = STR("workflow"),
                        .name = r->rec.workflow,
                        .workflow = q->key,
                        .depth = r->rec.depth + 1,
                        .parent = r->rec.id,
                        .parent_step = r->rec.next_seq};
    struct trigger_result res;
    struct step *s;
    as_event.key = STR("io.reeve.child");
    int e = put_emitted(r, &as_event, text, err);
    if (e >= 0)
        e = json_parse(a, buf_str(text), &JSON_LIMITS_DEFAULT, &t.event, NULL, err);
    if (e < 0 || (e = step_begin(r, q, STEP_OPEN, NULL, &s, err)) < 0)
        return e;
    e = trigger_accept(r->rv, &t, &res, err);
    if (e == -EBADMSG || e == -ENOENT || (e >= 0 && !res.run_count)) {
        char why[ERR_TEXT_MAX];
        snprintf(why, sizeof(why), "%s", e < 0 ? err->text : res.denied.text);
        return step_settle_error(r, s, STEP_FAILED, WIRE_E_PARAMS, why, err);
    }
    if (e < 0)
        return e;
    s->rec.child = res.runs[0];
    return step_set(r, s, STEP_OPEN, NULL, err);
}

static int child_begin(struct run *r, const struct step_ask *q, struct err *err)
{
    struct arena a;
    struct buf text;
    const struct workflow *w = house_workflow(r->rv->house, q->key);
    if (!is_listed(r->version->workflow.children, q->key) || !w)
        return refuse(r, q, "the workflow does not list this one under children", err);
    if ((int64_t)children_of(r) >= r->version->workflow.limits.children)
        return refuse(r, q, "over limits.children", err);
    if (r->rec.depth + 1 > r->version->workflow.limits.depth)
        return refuse(r, q, "over limits.depth", err);
    const struct facts_entity_workflow target = {
        .name = w->name, .team = w->team, .tenant = w->tenant, .attrs = w->attrs};
    int e = allowed(r, q, ASK_DELEGATE, &target, err);
    if (e <= 0)
        return e;
    arena_init(&a, RUN_MESSAGE_ARENA);
    buf_init(&text, 2u << 20);
    e = start_child(r, q, &a, &text, err);
    buf_release(&text);
    arena_release(&a);
    return e;
}

static void put_result(struct jout *j, const void *arg)
{
    const struct str *result = arg;
    jout_name(j, "result");
    jout_raw(j, *result);
}

static int child_ended(struct run *parent, struct step *s, const struct store_run *child,
                       struct err *err)
{
    struct arena a;
    struct str result = STR("null");
    char why[ERR_TEXT_MAX];
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = child->result_doc
                ? store_doc_get(parent->rv->store, child->result_doc, &a, &result, err)
                : 0;
    if (e >= 0 && child->state == RUN_SUCCEEDED) {
        e = settle_with(parent, s, put_result, &result, "", err);
    } else if (e >= 0) {
        snprintf(why, sizeof(why), "run %" PRId64 " %s: %.*s", child->id,
                 run_state_name(child->state), STR_FMT(child->reason));
        e = step_settle_error(parent, s, STEP_FAILED, WIRE_E_UNAVAILABLE, why, err);
    }
    arena_release(&a);
    return e;
}

static int child_resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    (void)q;
    struct arena a;
    struct store_run child;
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = store_run_get(r->rv->store, s->rec.child, &a, &child, err);
    if (e >= 0 && run_state_is_final(child.state))
        e = child_ended(r, s, &child, err);
    arena_release(&a);
    return e;
}

const struct step_kind_ops waits_child_ops = {.begin = child_begin, .resume = child_resume};

/* ---- questions
 * ----------------------------------------------------------------------------------------------------------------------
 */

struct answer {
    bool approved;
    const struct facts_approval *by;
    struct str text;
};

static void put_answer(struct jout *j, const void *arg)
{
    const struct answer *q = arg;
    jout_m_bool(j, "approved", q->approved);
    jout_name(j, "by");
    jout_array(j);
    for (size_t i = 0; i < q->by->count; i++)
        jout_str(j, q->by->by[i].name);
    jout_array_end(j);
    jout_m_str(j, "comment", q->text);
}

int waits_question_decided(struct run *r, struct step *s, const struct store_approval *ap,
                           struct arena *a, struct err *err)
{
    struct facts_approval by;
    struct store_approval used = *ap;
    struct answer q = {.approved = ap->state == APPROVAL_APPROVED, .by = &by};
    int e = gate_facts(r->rv, ap, a, &by, err);
    if (e >= 0 && !q.approved)
        e = gate_refusal(r->rv, ap, a, &q.text, err);
    if (e >= 0 && q.approved)
        e = gate_set(r->rv, &used, APPROVAL_USED, err);
    return e < 0 ? e : settle_with(r, s, put_answer, &q, "", err);
}

static int approval_resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    (void)q;
    struct arena a;
    struct store_approval ap;
    arena_init(&a, 1u << 20);
    int e = gate_look(r, s, &a, &ap, err);
    if (e >= 0 && ap.state != APPROVAL_OPEN)
        e = waits_question_decided(r, s, &ap, &a, err);
    arena_release(&a);
    return e;
}

const struct step_kind_ops waits_approval_ops = {.begin = gate_open_question,
                                                 .resume = approval_resume};

/* ---- of all
 * ------------------------------------------------------------------------------------------------------------------------------
 */

static int look_again(struct run *r, struct step *s, struct err *err)
{
    struct arena a;
    struct step_ask q = {
        .kind = s->rec.kind, .key = s->rec.key, .request = {s->request, s->request_len}};
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = json_parse(&a, q.request, &JSON_LIMITS_DEFAULT, &q.parsed, NULL, err);
    if (e >= 0)
        e = step_ops(r, s->rec.kind)->resume(r, s, &q, err);
    arena_release(&a);
    return e;
}

void waits_on_due(void *arg, struct ev_timer *t)
{
    (void)t;
    struct run *r = arg;
    struct err err = ERR_INIT;
    int64_t now = reeved_now(r->rv);
    int e = 0;
    r->users++;
    for (size_t i = 0; e >= 0 && i < r->journal.count; i++) {
        struct step *s = r->journal.steps[i];
        if (s->waiters && !s->live && s->request && s->rec.wake_ms && s->rec.wake_ms <= now)
            e = look_again(r, s, &err);
    }
    if (e < 0)
        reeved_fatal(r->rv, &err);
    else
        run_consider_parking(r);
    run_put(r);
}

struct children {
    int64_t ids[256];
    size_t count;
};

static int on_child(void *arg, const struct store_run *c)
{
    struct children *q = arg;
    if (!run_state_is_final(c->state) && q->count < ARRAY_LEN(q->ids))
        q->ids[q->count++] = c->id;
    return 0;
}

static int cancel_children(struct run *r, struct err *err)
{
    struct children q = {0};
    int e = store_runs_children(r->rv->store, r->rec.id, on_child, &q, err);
    for (size_t i = 0; e >= 0 && i < q.count; i++) {
        struct run *c;
        e = run_get(r->rv, q.ids[i], &c, err);
        if (e < 0)
            break;
        e = run_event(c, LIFE_CANCEL, "the run that started it ended", err);
        run_put(c);
    }
    return e;
}

static int tell_parent(struct run *r, struct err *err)
{
    struct run *parent;
    int e = run_get(r->rv, r->rec.parent, &parent, err);
    if (e < 0)
        return e == -ENOENT ? 0 : e;
    if (!run_state_is_final(parent->rec.state))
        e = run_journal(parent, err);
    struct step *s = e >= 0 ? journal_find(&parent->journal, r->rec.parent_step) : NULL;
    if (s && s->rec.state == STEP_OPEN && !run_state_is_final(parent->rec.state)) {
        e = child_ended(parent, s, &r->rec, err);
        if (e >= 0)
            run_wake(r->rv, r->rec.parent, "");
    }
    run_put(parent);
    return e;
}

int waits_on_run_end(struct run *r, struct err *err)
{
    int e = gate_close_run(r, err);
    if (e >= 0)
        e = cancel_children(r, err);
    if (e >= 0 && r->rec.parent)
        e = tell_parent(r, err);
    return e;
}

/* What failed without having left may be asked again, and what is harmless to repeat. A failure
 * that a tool server answered with is an outcome: such a call is not made twice (INV-05). */
static bool may_withdraw(const struct run *r, const struct step *s)
{
    switch (s->rec.kind) {
    case STEP_TOOL:
        return s->rec.outcome_error || effect_tool_may_retry(r, s);
    case STEP_MODEL:
    case STEP_NAMED:
    case STEP_RETRIEVAL:
        return true;
    default:
        return false; /* events and children: what came of them is done */
    }
}

int waits_withdraw_failures(struct run *r, struct err *err)
{
    int e = 0;
    for (size_t i = r->journal.count; e >= 0 && i > 0; i--) {
        struct step *s = r->journal.steps[i - 1];
        if (s->rec.state != STEP_FAILED || !may_withdraw(r, s))
            break;
        s->rec.outcome_doc = 0;
        s->rec.tries = 0;
        e = journal_save(&r->journal, s, err);
    }
    return e;
}
