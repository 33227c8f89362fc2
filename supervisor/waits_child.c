/*
 * waits_child.c: what a run sends into the world of runs: events of its own, and children (see
 * waits.h). Runs in reeved; data is the worker's.
 */
#include "supervisor/asking.h"
#include "supervisor/trigger.h"
#include "supervisor/waits_impl.h"

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
    return waits_settle(r, s, put_id, &res.event, "", err);
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
        e = waits_settle(parent, s, put_result, &result, "", err);
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

int waits_cancel_children(struct run *r, struct err *err)
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

int waits_tell_parent(struct run *r, struct err *err)
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
