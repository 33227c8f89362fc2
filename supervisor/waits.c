/*
 * waits.c: see waits.h. Runs in reeved.
 */
#include "supervisor/waits_impl.h"

#include "supervisor/asking.h"
#include "supervisor/effect.h"
#include "supervisor/gate.h"
#include "supervisor/spans.h"
#include "supervisor/trigger.h"
#include "supervisor/worker.h"

#define UNTIL_MAX_MS INT64_C(253402300799999) /* the last moment that a date can say */

int waits_settle(struct run *r, struct step *s, waits_put *put, const void *arg, const char *reason,
                 struct err *err)
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

void waits_put_timeout(struct jout *j, const void *arg)
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
    if (!r->journal.unmatched && r->rec.mode == RUN_REAL)
        jout_m_bool(&o.j, "fresh", true); /* nothing that is recorded is still to be asked for */
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
        return waits_settle(r, s, put_value, value, "", err);
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

#define RECORDS_MAX 256 /* steps a message: the others wait meanwhile */
_Static_assert(RECORDS_MAX == 256, "as record_refused says");

/* {"begin":{as of step/begin},"value":any} */
static int record_one(struct run *r, const struct json *step, struct buf *outcome, struct err *err)
{
    const struct json *begin, *value = json_get(step, "value");
    struct step_ask q = {.kind = STEP_NAMED};
    struct jout j;
    if (json_want(step, "begin", JSON_OBJECT, &begin, err) < 0 ||
        json_want_str(begin, "key", &q.key, err) < 0)
        return -EINVAL;
    if (!value || !q.key.len || q.key.len > 256)
        return err_set(err, EINVAL, "expected value, and a key of 1 to 256 bytes");
    q.parsed = begin;
    q.request = begin->raw;
    buf_clear(outcome);
    jout_begin(&j, outcome);
    jout_object(&j);
    put_value(&j, value);
    jout_object_end(&j);
    int e = jout_end(&j);
    return e < 0 ? err_sys(err, -e, "write an outcome") : step_record(r, &q, buf_str(outcome), err);
}

/* The worker took for granted that these will be recorded: if they cannot be, it ends. */
static int record_all(struct run *r, const struct json *steps, struct err *err)
{
    struct err why = ERR_INIT;
    struct buf outcome;
    int e = 0;
    buf_init(&outcome, 32u << 20);
    for (size_t i = 0; e >= 0 && !r->ended && i < steps->array.count; i++) {
        if (!steps_may_begin(r, &e, err))
            break;
        e = record_one(r, &steps->array.items[i], &outcome, &why);
    }
    buf_release(&outcome);
    if (e == -EINVAL)
        return run_event(r, LIFE_ERROR, err_wrap(&why, "step/record") < 0 ? why.text : "", err);
    if (e < 0 && why.number)
        *err = why;
    return e;
}

/* Why none of them can be recorded, or NULL. */
static const char *record_refused(const struct run *r, const struct json *steps)
{
    if (!json_is(steps, JSON_ARRAY))
        return "step/record: expected steps, an array";
    if (steps->array.count > RECORDS_MAX)
        return "step/record: at most 256 steps";
    if (r->journal.unmatched || r->held || r->rec.mode != RUN_REAL)
        return "step/record: the journal may know these steps: step/begin asks it";
    return NULL;
}

/* Who sends this does not wait for the answer: what it asks for next rests on these steps. So a
 * refusal is no answer that could be passed over, but the end. */
int waits_step_record(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct run *r = ctx;
    const struct json *steps = json_get(m->params, "steps");
    struct wire_out o;
    const char *refused = record_refused(r, steps);
    if (refused) {
        worker_fault(r, refused);
        return 0;
    }
    int e = record_all(r, steps, err);
    if (e < 0 || run_state_is_final(r->rec.state) || !r->wire)
        return e;
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
    if (ms > WAITS_MAX_MS)
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
    const struct store_step more = {.wake_ms = MAX(ms >= 0 ? now + ms : until, 1),
                                    .info = ms >= 0 ? STR_NONE : STR(SPANS_DATE)};
    int e = step_begin(r, q, STEP_OPEN, &more, &s, err);
    if (e >= 0 && more.wake_ms <= now)
        e = waits_settle(r, s, put_nothing, NULL, "", err);
    return e;
}

static int timer_resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    (void)q;
    return s->rec.wake_ms <= reeved_now(r->rv) ? waits_settle(r, s, put_nothing, NULL, "", err) : 0;
}

const struct step_kind_ops waits_timer_ops = {.begin = timer_begin, .resume = timer_resume};

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
    return e < 0 ? e : waits_settle(r, s, put_answer, &q, "", err);
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

int waits_on_run_end(struct run *r, struct err *err)
{
    int e = gate_close_run(r, err);
    if (e >= 0)
        e = waits_cancel_children(r, err);
    if (e >= 0 && r->rec.parent)
        e = waits_tell_parent(r, err);
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

/* What the worker asked for after a step, as far as the journal tells. */
struct asked_after {
    int attempt;  /* of all of it; 0: nothing, -1: of several */
    int64_t seen; /* the most outcomes that it had when it asked */
};

/* Nobody can have acted on the step's outcome: all that was asked for after it was asked for in the
 * same attempt, with no more outcomes in hand than when this one was: side by side with it. */
static bool is_last_word(const struct asked_after *after, const struct store_step *s)
{
    return after->attempt == 0 || (after->attempt == s->attempt && after->seen <= s->seen);
}

static void note_asked(struct asked_after *after, const struct store_step *s)
{
    after->attempt = after->attempt == 0 || after->attempt == s->attempt ? s->attempt : -1;
    after->seen = MAX(after->seen, s->seen);
}

static int withdraw(struct run *r, struct step *s, struct err *err)
{
    step_drop_outcome(s);
    s->rec.tries = 0;
    return journal_save(&r->journal, s, err);
}

/* The reason to try again is not at the end: with the same answers there is no other end. Where
 * more was asked after the last failure than was answered since, some of it was on its way already
 * when the failure was told. Where each was asked after the answer to the one before, the worker
 * knew of the failure and went on. */
static int withdraw_last(struct run *r, struct err *err)
{
    const struct journal *j = &r->journal;
    size_t i = j->count;
    while (i > 0 &&
           (j->steps[i - 1]->rec.state != STEP_FAILED || !may_withdraw(r, j->steps[i - 1])))
        i--;
    if (i == 0 ||
        j->steps[j->count - 1]->rec.seen - j->steps[i - 1]->rec.seen >= (int64_t)(j->count - i))
        return 0;
    return withdraw(r, j->steps[i - 1], err);
}

int waits_withdraw_failures(struct run *r, struct err *err)
{
    struct asked_after after = {0};
    bool only_failures = true; /* since this step */
    bool some = false;
    int e = 0;
    for (size_t i = r->journal.count; e >= 0 && i > 0; i--) {
        struct step *s = r->journal.steps[i - 1];
        bool may = s->rec.state == STEP_FAILED && may_withdraw(r, s);
        only_failures = only_failures && may;
        if (!only_failures && !is_last_word(&after, &s->rec))
            break; /* nor of any step before it */
        note_asked(&after, &s->rec);
        if (!may)
            continue;
        e = withdraw(r, s, err);
        some = true;
    }
    return e >= 0 && !some ? withdraw_last(r, err) : e;
}
