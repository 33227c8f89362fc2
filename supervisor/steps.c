/*
 * steps.c: see steps.h. Runs in reeved.
 */
#include "supervisor/steps.h"

#include "supervisor/broker.h"
#include "supervisor/effect.h"
#include "supervisor/offers.h"
#include "supervisor/travel.h"
#include "supervisor/waits.h"

#define LATE_MS 250 /* a step of the worker's own that takes longer is seen while it is open */

static const struct step_kind_ops *const step_kinds[STEP_KIND_COUNT] = {
    [STEP_MODEL] = &effect_model_ops,     [STEP_TOOL] = &effect_tool_ops,
    [STEP_NAMED] = &waits_named_ops,      [STEP_TIMER] = &waits_timer_ops,
    [STEP_EVENT_WAIT] = &waits_event_ops, [STEP_EVENT_EMIT] = &waits_emit_ops,
    [STEP_CHILD] = &waits_child_ops,      [STEP_APPROVAL] = &waits_approval_ops,
    [STEP_RETRIEVAL] = &offers_list_ops,
};

const struct step_kind_ops *step_ops(const struct run *r, enum step_kind kind)
{
    return r->rec.mode == RUN_REAL ? step_kinds[kind] : &travel_ops;
}

static int resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    if (step_is_settled(s))
        return q->id ? step_answer(r, s, q->id->raw, err) : 0;
    if (q->id) {
        int e = step_wait(s, q->id->raw);
        if (e < 0)
            return err_set(err, -e, "step %" PRId64 " is asked for too often", s->rec.seq);
    }
    r->journal.quiet = 0;
    if (s->live)
        return 0; /* still under way from an earlier attempt */
    if (step_set_request(s, q->request) < 0)
        return err_sys(err, ENOMEM, "run %" PRId64 " step %" PRId64, r->rec.id, s->rec.seq);
    return step_ops(r, s->rec.kind)->resume(r, s, q, err);
}

bool steps_may_begin(struct run *r, int *ret, struct err *err)
{
    if (r->rec.next_seq <= r->version->workflow.limits.steps)
        return true;
    *ret = run_event(r, LIFE_REFUSED, "asked for more steps than limits.steps allows", err);
    return false;
}

static int begin_new(struct run *r, const struct step_ask *q, struct err *err)
{
    int e = 0;
    if (!steps_may_begin(r, &e, err))
        return e;
    if (!step_ops(r, q->kind))
        return wire_error(r->wire, q->id, WIRE_E_METHOD, "%s steps are not served",
                          step_kind_name(q->kind));
    return step_ops(r, q->kind)->begin(r, q, err);
}

int steps_ask(struct run *r, const struct step_ask *q, struct err *err)
{
    struct digest d;
    struct err why = ERR_INIT;
    if (digest_of_json(q->parsed, &d, &why) < 0)
        return wire_error(r->wire, q->id, WIRE_E_PARAMS, "%s", why.text);
    size_t before = r->journal.unmatched;
    struct step *s = journal_match(&r->journal, q->kind, q->key, &d);
    int e;
    if (s)
        e = resume(r, s, q, err);
    else if (before && r->sequential) {
        broker_diverged(r, step_kind_name(q->kind), q->key, q->request);
        return 0;
    } else if (before)
        e = broker_hold(r, q, err);
    else
        e = begin_new(r, q, err);
    if (e >= 0 && s && before && !r->journal.unmatched)
        broker_go_on(r);
    if (e >= 0)
        run_consider_parking(r);
    return e;
}

static int begin(struct run *r, const struct step_ask *q, enum step_state state,
                 const struct store_step *more, bool later, struct step **ret, struct err *err)
{
    struct store_step rec = more ? *more : (struct store_step){0};
    int64_t now = reeved_now(r->rv);
    rec.seq = r->rec.next_seq;
    rec.kind = q->kind;
    rec.key = q->key;
    rec.state = state;
    rec.attempt = r->rec.attempt;
    if (!rec.asked_ms) { /* just now; a call may have waited for its tool server */
        rec.asked_ms = now;
        rec.seen = r->journal.delivered;
    }
    if (state == STEP_INTENT)
        rec.began_ms = now;
    int e = digest_of_json(q->parsed, &rec.request, err);
    if (e >= 0 && !later && !rec.request_doc)
        e = store_text_put(r->rv->store, q->request, &rec.request_doc, &rec.request_text, err);
    if (e >= 0)
        e = later ? journal_append_later(&r->journal, &rec, ret, err)
                  : journal_append(&r->journal, &rec, ret, err);
    if (e < 0)
        return e;
    r->rec.next_seq++;
    r->rec.steps++;
    if (step_is_settled(*ret))
        return 0; /* nobody waits for it, and nothing of it is to be sent */
    if (step_set_request(*ret, q->request) < 0 || (q->id && step_wait(*ret, q->id->raw) < 0))
        return err_sys(err, ENOMEM, "run %" PRId64 " step %" PRId64, r->rec.id, rec.seq);
    return 0;
}

int step_begin(struct run *r, const struct step_ask *q, enum step_state state,
               const struct store_step *more, struct step **ret, struct err *err)
{
    int e = begin(r, q, state, more, false, ret, err);
    if (e >= 0)
        run_touch(r);
    return e;
}

int step_begin_later(struct run *r, const struct step_ask *q, struct step **ret, struct err *err)
{
    int e = begin(r, q, STEP_OPEN, NULL, true, ret, err);
    if (e >= 0 && !ev_timer_is_set(r->late))
        ev_timer_set(r->late, LATE_MS);
    return e;
}

int step_record(struct run *r, const struct step_ask *q, struct str outcome, struct err *err)
{
    struct step *s;
    struct store_step more = {.ended_ms = reeved_now(r->rv)};
    int e = store_text_put(r->rv->store, outcome, &more.outcome_doc, &more.outcome_text, err);
    if (e >= 0)
        e = begin(r, q, STEP_COMMITTED, &more, false, &s, err);
    if (e < 0)
        return e;
    r->journal.delivered++; /* the worker has it: it is its own */
    run_touch_later(r);
    return 0;
}

void steps_on_late(void *arg, struct ev_timer *t)
{
    (void)t;
    struct run *r = arg;
    if (r->journal.unwritten || r->begun_unsaved || r->steps_unsaved)
        run_touch(r);
}

int step_set(struct run *r, struct step *s, enum step_state state, const char *reason,
             struct err *err)
{
    s->rec.state = state;
    if (reason && step_set_text(&s->rec.reason, str_of(reason)) < 0)
        return err_sys(err, ENOMEM, "run %" PRId64, r->rec.id);
    if (state == STEP_INTENT)
        s->rec.began_ms = reeved_now(r->rv);
    int e = journal_save(&r->journal, s, err);
    if (e < 0)
        return e;
    run_touch(r);
    run_consider_parking(r);
    return 0;
}

static int tell(struct run *r, const struct step *s, struct str id_raw, struct str reply,
                struct err *err)
{
    if (!r->wire || r->ended)
        return 0;
    r->journal.delivered++;
    int e = s->rec.outcome_error ? wire_error_raw(r->wire, id_raw, reply, err)
                                 : wire_result_raw(r->wire, id_raw, reply, err);
    if (e != -EPIPE && e != -ENOBUFS)
        return e;
    /* A worker that has just died is told nothing; the next one asks again. Its socket's end
     * follows. */
    *err = ERR_INIT;
    return 0;
}

int step_answer(struct run *r, struct step *s, struct str id_raw, struct err *err)
{
    struct arena a;
    struct str reply;
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = store_text_get(r->rv->store, s->rec.outcome_doc, s->rec.outcome_text, &a, &reply, err);
    if (e >= 0)
        e = tell(r, s, id_raw, reply, err);
    arena_release(&a);
    return e;
}

int step_settle(struct run *r, struct step *s, enum step_state state, struct str reply,
                bool is_error, const char *reason, struct err *err)
{
    s->rec.state = state;
    s->rec.outcome_error = is_error;
    s->rec.ended_ms = reeved_now(r->rv);
    s->rec.wake_ms = 0;
    s->live = false;
    if (step_set_text(&s->rec.reason, str_of(reason ? reason : "")) < 0)
        return err_sys(err, ENOMEM, "run %" PRId64, r->rec.id);
    int e = step_set_outcome(&r->journal, s, reply, err);
    if (e >= 0)
        e = journal_save(&r->journal, s, err);
    if (s->rec.kind == STEP_NAMED)
        run_touch_later(r);
    else
        run_touch(r);
    for (struct waiter *w = s->waiters; e >= 0 && w; w = w->next)
        e = tell(r, s, (struct str){w->id, w->id_len}, reply, err);
    step_drop_waiters(s);
    if (e >= 0)
        run_consider_parking(r);
    return e;
}

int step_settle_tool_error(struct run *r, struct step *s, enum step_state state, const char *reason,
                           struct strs policies, struct err *err)
{
    struct buf reply;
    struct jout j;
    buf_init(&reply, 65536);
    jout_begin(&j, &reply);
    jout_object(&j);
    jout_name(&j, "content");
    jout_array(&j);
    jout_object(&j);
    jout_m_cstr(&j, "type", "text");
    jout_m_cstr(&j, "text", reason);
    jout_object_end(&j);
    jout_array_end(&j);
    jout_m_bool(&j, "isError", true);
    if (state == STEP_DENIED) {
        jout_name(&j, "_meta");
        jout_object(&j);
        jout_name(&j, "io.reeve/denied");
        jout_object(&j);
        jout_name(&j, "policies");
        jout_array(&j);
        for (size_t i = 0; i < policies.count; i++)
            jout_str(&j, policies.items[i]);
        jout_array_end(&j);
        jout_m_cstr(&j, "reason", reason);
        jout_object_end(&j);
        jout_object_end(&j);
    }
    jout_object_end(&j);
    int e = jout_end(&j);
    e = e < 0 ? err_sys(err, -e, "write a tool error")
              : step_settle(r, s, state, buf_str(&reply), false, reason, err);
    buf_release(&reply);
    return e;
}

int step_settle_error(struct run *r, struct step *s, enum step_state state, int64_t code,
                      const char *reason, struct err *err)
{
    struct buf reply;
    struct jout j;
    buf_init(&reply, 65536);
    jout_begin(&j, &reply);
    jout_object(&j);
    jout_m_i64(&j, "code", code);
    jout_m_cstr(&j, "message", reason);
    jout_object_end(&j);
    int e = jout_end(&j);
    e = e < 0 ? err_sys(err, -e, "write an error")
              : step_settle(r, s, state, buf_str(&reply), true, reason, err);
    buf_release(&reply);
    return e;
}

void step_idempotency_key(const struct run *r, const struct step *s, char out[STEP_IDEMPOTENCY_KEY])
{
    char hex[DIGEST_HEX], seq[24];
    snprintf(seq, sizeof(seq), "%" PRId64, s->rec.seq);
    /* The trace id is random: keys of two stores do not meet at one tool server. */
    const struct str parts[] = {STR("reeve step"), str_of(r->rec.trace_id), str_of(seq)};
    struct digest d = digest_of_parts(parts, ARRAY_LEN(parts));
    digest_hex(&d, hex);
    snprintf(out, STEP_IDEMPOTENCY_KEY, "reeve-%.32s", hex);
}
