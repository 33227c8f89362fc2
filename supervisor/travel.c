/*
 * travel.c: see travel.h. Runs in reeved. The origin's journal is read, never written: it is loaded
 * into a journal of its own that no function which saves is ever given.
 */
#include "supervisor/travel.h"

#include "policy/text/utf8.h"
#include "supervisor/asking.h"
#include "supervisor/audit.h"
#include "supervisor/queue.h"
#include "supervisor/trigger.h"
#include "supervisor/waits.h"
#include "supervisor/worker.h"

#define SHOWN_BYTES  240
#define REPORT_BYTES ((size_t)32 << 10) /* of a request in the report; longer ones are cut */

struct travel {
    struct arena mem;
    struct store_run origin;
    struct journal source; /* the origin's steps that are there to answer from */
    size_t recorded;
};

/* ---- a new run over an old way --------------------------------------------------------------- */

struct copying {
    struct reeved *rv;
    struct store_run *rec; /* the new run */
    int64_t before;
    bool write;
    struct err *err;
};

static bool has_outcome(const struct store_step *s)
{
    return (s->state == STEP_COMMITTED || s->state == STEP_DENIED || s->state == STEP_FAILED) &&
           s->outcome_doc;
}

/* The first pass checks and counts, the second writes: nothing is half done. */
static int copy_step(void *arg, const struct store_step *s)
{
    struct copying *c = arg;
    if (s->seq >= c->before)
        return 1;
    if (!c->write) {
        if (!has_outcome(s))
            return err_set(c->err, EINVAL,
                           "step %" PRId64 " of run %" PRId64 " is %s: fork from it or before it",
                           s->seq, s->run, step_state_name(s->state));
        c->rec->steps++;
        c->rec->input_tokens += s->input_tokens;
        c->rec->output_tokens += s->output_tokens;
        c->rec->cost_micro += s->cost_micro;
        c->rec->tool_calls += s->kind == STEP_TOOL && s->tries > 0;
        c->rec->model_calls += s->kind == STEP_MODEL && s->tries > 0;
        return 0;
    }
    struct store_step copy = *s;
    copy.run = c->rec->id;
    copy.approval = copy.decision = 0; /* both were for the origin alone (INV-08) */
    copy.attempt = 0;
    return store_step_add(c->rv->store, &copy, c->err);
}

static int copy_journal(struct reeved *rv, struct store_run *rec, bool write, struct err *err)
{
    struct copying c = {rv, rec, rec->origin_step, write, err};
    if (rec->mode == RUN_REPLAY)
        return 0;
    return MIN(store_steps(rv->store, rec->origin, 0, copy_step, &c, err), 0);
}

static int check_origin(const struct store_run *o, const struct travel_ask *q, struct err *err)
{
    if (o->mode != RUN_REAL)
        return err_set(err, EINVAL, "run %" PRId64 " is a %s of run %" PRId64 ": take that one",
                       o->id, o->mode == RUN_DRY ? "dry run" : "replay", o->origin);
    if (q->mode != RUN_REPLAY && (q->from < 1 || q->from > o->next_seq))
        return err_set(err, EINVAL, "run %" PRId64 " has %" PRId64 " steps: from is 1 to %" PRId64,
                       o->id, o->next_seq - 1, o->next_seq);
    return 0;
}

static void seed_of(const struct run *r, char out[65])
{
    snprintf(out, 65, "%s", r->rec.seed);
    if (!out[0])
        run_seed(r, out);
}

static int check_start(struct reeved *rv, const struct run *o, const struct travel_ask *q,
                       struct err *err)
{
    struct arena a;
    struct err denied = ERR_INIT;
    struct trigger t = {.kind = STR("command"), .name = q->who};
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = json_parse(&a, o->event.envelope, &JSON_LIMITS_DEFAULT, &t.event, NULL, err);
    if (e >= 0)
        e = trigger_may_start(rv, &t, &o->version->workflow, &denied, err);
    arena_release(&a);
    return e < 0 ? e : e == 0 ? err_set(err, EPERM, "%s", denied.text) : 0;
}

static int add_run(struct reeved *rv, struct store_run *rec, struct err *err)
{
    int e = store_run_add(rv->store, rec, &rec->id, err);
    if (e < 0)
        return e;
    queue_added(rv, rec);
    e = copy_journal(rv, rec, true, err);
    if (e < 0) { /* what is there of it must not begin */
        struct err ignored = ERR_INIT;
        rec->state = RUN_FAILED;
        rec->reason = STR("its journal could not be copied");
        rec->ended_ms = reeved_now(rv);
        if (store_run_update(rv->store, rec, &ignored) < 0)
            log_error(&rv->log, "run %" PRId64 ": %s", rec->id, ignored.text);
    }
    return e;
}

static int note(struct reeved *rv, const struct travel_ask *q, int64_t id, struct err *err)
{
    char subject[32], text[80];
    snprintf(subject, sizeof(subject), "run/%" PRId64, id);
    if (q->mode == RUN_REPLAY)
        snprintf(text, sizeof(text), "replay of run %" PRId64, q->origin);
    else
        snprintf(text, sizeof(text), "forked from run %" PRId64 " step %" PRId64 "%s", q->origin,
                 q->from, q->mode == RUN_DRY ? ", dry" : "");
    log_info(&rv->log, "run %" PRId64 ": %s, by %.*s", id, text, STR_FMT(q->who));
    return audit_note(rv, q->who, q->mode == RUN_REPLAY ? "run.replay" : "run.fork",
                      str_of(subject), str_of(text), err);
}

static int line_up(struct reeved *rv, const struct run *o, const struct travel_ask *q,
                   struct travel_made *ret, struct err *err)
{
    const struct workflow *w = &o->version->workflow;
    struct store_run rec = {.tenant = o->rec.tenant,
                            .workflow = o->rec.workflow,
                            .version = o->rec.version,
                            .event = o->rec.event,
                            .depth = o->rec.depth,
                            .state = RUN_QUEUED,
                            .next_seq = q->mode == RUN_REPLAY ? 1 : q->from,
                            .created_ms = reeved_now(rv),
                            .mode = q->mode,
                            .origin = q->origin,
                            .origin_step = q->mode == RUN_REPLAY ? 0 : q->from,
                            .clock_ms = o->rec.clock_ms ? o->rec.clock_ms : o->rec.created_ms};
    seed_of(o, rec.seed);
    if (q->mode != RUN_REPLAY && o->rec.checkpoint_doc && o->rec.checkpoint_seq < q->from) {
        rec.checkpoint_seq = o->rec.checkpoint_seq;
        rec.checkpoint_doc = o->rec.checkpoint_doc;
    }
    int e = queue_has_room(rv, w, &ret->retry_after_ms, err);
    if (e >= 0)
        e = trigger_trace_id(rv, rec.trace_id, err);
    if (e >= 0)
        e = copy_journal(rv, &rec, false, err);
    if (e >= 0 && q->mode == RUN_REAL) { /* what acts takes its turn among those with its key */
        rec.lane = o->rec.lane;
        e = queue_take_lane(rv, w, &rec, err);
    }
    if (e >= 0)
        e = add_run(rv, &rec, err);
    if (e < 0)
        return e;
    ret->run = rec.id;
    reeved_changed(rv, rec.id);
    runs_schedule(rv);
    return note(rv, q, rec.id, err);
}

int travel_new(struct reeved *rv, const struct travel_ask *q, struct travel_made *ret,
               struct err *err)
{
    struct run *o;
    *ret = (struct travel_made){0};
    int e = run_get(rv, q->origin, &o, err);
    if (e < 0)
        return e == -ENOENT ? err_set(err, ENOENT, "no run %" PRId64, q->origin) : e;
    e = check_origin(&o->rec, q, err);
    if (e >= 0 && q->mode == RUN_REAL)
        e = check_start(rv, o, q, err); /* INV-03; what is dry starts nothing that could act */
    if (e >= 0)
        e = line_up(rv, o, q, ret, err);
    run_put(o);
    return e;
}

/* ---- the origin's journal -------------------------------------------------------------------- */

void travel_free(struct travel *t)
{
    if (!t)
        return;
    journal_release(&t->source);
    arena_release(&t->mem);
    free(t);
}

/* What this run asked for in earlier attempts has taken its answers already. */
static void take_again(const struct run *r, struct travel *t)
{
    for (size_t i = 0; i < r->journal.count; i++) {
        const struct store_step *s = &r->journal.steps[i]->rec;
        if (r->rec.mode == RUN_REPLAY || s->seq >= r->rec.origin_step)
            (void)journal_match(&t->source, s->kind, s->key, &s->request);
    }
}

int travel_load(struct run *r, struct err *err)
{
    struct store *store = r->rv->store;
    if (r->rec.mode == RUN_REAL)
        return 0;
    struct travel *t = calloc(1, sizeof(*t));
    if (!t)
        return err_sys(err, ENOMEM, "run %" PRId64, r->rec.id);
    arena_init(&t->mem, RUN_MESSAGE_ARENA);
    journal_init(&t->source, store, r->rec.origin);
    int e = store_run_get(store, r->rec.origin, &t->mem, &t->origin, err);
    if (e == -ENOENT)
        err_set(err, ENOENT, "run %" PRId64 ", whose way this one goes, is gone", r->rec.origin);
    if (e >= 0)
        e = journal_load(&t->source, r->rec.mode == RUN_DRY ? r->rec.origin_step - 1 : 0, err);
    if (e < 0) {
        travel_free(t);
        return e;
    }
    t->recorded = t->source.count;
    take_again(r, t);
    travel_free(r->travel);
    r->travel = t;
    return 0;
}

int64_t travel_shown_run(const struct run *r)
{
    return r->rec.mode == RUN_REAL ? r->rec.id : r->rec.origin;
}

const char *travel_shown_trace(const struct run *r)
{
    return r->travel ? r->travel->origin.trace_id : r->rec.trace_id;
}

bool travel_passes_checkpoint(const struct run *r)
{
    return r->rec.mode == RUN_REPLAY || (r->rec.origin && r->journal.unmatched);
}

/* ---- a replay's end -------------------------------------------------------------------------- */

struct verdict {
    bool same;
    const char *end;             /* one line for people */
    const struct step *recorded; /* where it diverged; NULL: at the origin's end */
    const char *kind;            /* what the worker asked for instead; NULL: nothing */
    struct str key, request;
};

static void put_cut(struct jout *j, const char *name, struct str json)
{
    jout_name(j, name);
    if (json.len && json.len <= REPORT_BYTES) {
        jout_raw(j, json);
        return;
    }
    struct buf shown;
    buf_init(&shown, 8192);
    utf8_put_visible(&shown, json, 2048);
    jout_str(j, buf_str(&shown));
    buf_release(&shown);
}

static struct str recorded_request(struct run *r, const struct step *s, struct arena *a)
{
    struct str text = STR_NONE;
    struct err ignored = ERR_INIT;
    if (!s || !s->rec.request_doc ||
        store_text_get(r->rv->store, s->rec.request_doc, s->rec.request_text, a, &text, &ignored) <
            0)
        return STR("null");
    return text;
}

static void put_ask(struct jout *j, const char *name, int64_t seq, const char *kind, struct str key,
                    struct str request)
{
    jout_name(j, name);
    if (!kind) {
        jout_null(j);
        return;
    }
    jout_object(j);
    if (seq)
        jout_m_i64(j, "step", seq);
    jout_m_cstr(j, "kind", kind);
    jout_m_str(j, "key", key);
    put_cut(j, "request", request);
    jout_object_end(j);
}

static int put_report(struct run *r, const struct verdict *v, struct str recorded, struct buf *out,
                      struct err *err)
{
    struct jout j;
    const struct step *s = v->recorded;
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_i64(&j, "replayOf", r->rec.origin);
    jout_m_bool(&j, "same", v->same);
    jout_m_i64(&j, "steps", (int64_t)(r->travel->recorded - r->travel->source.unmatched));
    jout_m_i64(&j, "recorded", (int64_t)r->travel->recorded);
    jout_m_cstr(&j, "end", v->end);
    jout_name(&j, "divergence");
    if (v->same) {
        jout_null(&j);
    } else {
        jout_object(&j);
        put_ask(&j, "recorded", s ? s->rec.seq : 0, s ? step_kind_name(s->rec.kind) : NULL,
                s ? s->rec.key : STR_NONE, recorded);
        put_ask(&j, "asked", 0, v->kind, v->key, v->request);
        jout_object_end(&j);
    }
    jout_object_end(&j);
    int e = jout_end(&j);
    return e < 0 ? err_sys(err, -e, "write a replay's report") : 0;
}

static int finish(struct run *r, const struct verdict *v, struct err *err)
{
    struct arena a;
    struct buf report;
    arena_init(&a, RUN_MESSAGE_ARENA);
    buf_init(&report, 1u << 20);
    int e = put_report(r, v, recorded_request(r, v->recorded, &a), &report, err);
    if (e >= 0)
        e = run_set_result(r, buf_str(&report), err);
    if (e >= 0)
        e = run_event(r, v->same ? LIFE_DONE : LIFE_ERROR, v->end, err);
    buf_release(&report);
    arena_release(&a);
    if (e >= 0 && !r->ended)
        worker_stop(r); /* it waits for an answer that nobody has */
    return e;
}

static void put_shown(struct buf *line, const char *kind, struct str key, struct str request)
{
    buf_fmt(line, "%s ", kind);
    utf8_put_visible(line, key, 80);
    buf_char(line, ' ');
    utf8_put_visible(line, request, SHOWN_BYTES);
}

static int diverge(struct run *r, const char *kind, struct str key, struct str request,
                   struct err *err)
{
    struct arena a;
    struct buf line;
    struct verdict v = {.recorded = journal_first_unmatched(&r->travel->source),
                        .kind = kind,
                        .key = key,
                        .request = request};
    const struct step *s = v.recorded;
    arena_init(&a, RUN_MESSAGE_ARENA);
    buf_init(&line, 4096);
    v.request = asking_shown(r, kind, request, &a);
    buf_cstr(&line, "diverged: the worker asks for ");
    put_shown(&line, kind, key, v.request);
    if (s) {
        buf_fmt(&line, ", but step %" PRId64 " of run %" PRId64 " is ", s->rec.seq, r->rec.origin);
        put_shown(&line, step_kind_name(s->rec.kind), s->rec.key, recorded_request(r, s, &a));
    } else {
        buf_fmt(&line, ", where run %" PRId64 " %s", r->rec.origin,
                run_state_name(r->travel->origin.state));
    }
    buf_char(&line, '\0');
    v.end = buf_status(&line) < 0 ? "diverged from its origin" : line.ptr;
    int e = finish(r, &v, err);
    buf_release(&line);
    arena_release(&a);
    return e;
}

static int same_so_far(struct run *r, const char *kind, struct str key, struct err *err)
{
    const struct store_run *o = &r->travel->origin;
    char text[ERR_TEXT_MAX], shown[96];
    struct buf name;
    buf_init(&name, 1024);
    utf8_put_visible(&name, key, 80);
    snprintf(shown, sizeof(shown), "%.*s", STR_FMT(buf_str(&name)));
    buf_release(&name);
    snprintf(text, sizeof(text),
             "the same way as far as run %" PRId64 " is recorded (%s): next is %s %s", o->id,
             run_state_name(o->state), kind, shown);
    const struct verdict v = {.same = true, .end = text};
    return finish(r, &v, err);
}

static bool same_json(struct run *r, int64_t doc, const struct json *value)
{
    struct arena a;
    struct str text;
    const struct json *recorded;
    struct digest one, other;
    struct err err = ERR_INIT;
    arena_init(&a, RUN_MESSAGE_ARENA);
    bool same = doc && store_doc_get(r->rv->store, doc, &a, &text, &err) >= 0 &&
                json_parse(&a, text, &JSON_LIMITS_DEFAULT, &recorded, NULL, &err) >= 0 &&
                digest_of_json(recorded, &one, &err) >= 0 &&
                digest_of_json(value, &other, &err) >= 0 && digest_eq(&one, &other);
    arena_release(&a);
    return same;
}

/* The origin's reason holds its worker's words, behind the number of tries when they were used up.
 */
static bool same_words(const struct store_run *o, struct str message)
{
    struct buf shown;
    buf_init(&shown, ERR_TEXT_MAX);
    utf8_put_visible(&shown, message, ERR_TEXT_MAX - 64);
    struct str s = buf_str(&shown);
    bool same = o->reason.len >= s.len &&
                str_eq(str_slice(o->reason, o->reason.len - s.len, o->reason.len), s);
    buf_release(&shown);
    return same;
}

static bool same_end(struct run *r, const struct json *result, const struct json *error)
{
    const struct store_run *o = &r->travel->origin;
    switch (o->state) {
    case RUN_SUCCEEDED:
        return result && same_json(r, o->result_doc, result);
    case RUN_FAILED:
    case RUN_DEAD: {
        const struct json *text = json_get(error, "message");
        return error && (!json_is(text, JSON_STRING) || same_words(o, text->string));
    }
    default:
        return true; /* it had not ended by itself: nothing is recorded that this could contradict
                      */
    }
}

int travel_end(struct run *r, const struct json *result, const struct json *error, struct err *err)
{
    const struct store_run *o = &r->travel->origin;
    const struct json *end = result ? result : error;
    char text[128];
    if (r->travel->source.unmatched || !same_end(r, result, error))
        return diverge(r, "run/end", result ? STR("result") : STR("error"), end->raw, err);
    if (run_state_is_final(o->state) && o->state != RUN_CANCELLED)
        snprintf(text, sizeof(text), "the same way as run %" PRId64 ", to the same end", o->id);
    else
        snprintf(text, sizeof(text),
                 "the same way as far as run %" PRId64 " is recorded (%s): it ends next", o->id,
                 run_state_name(o->state));
    const struct verdict v = {.same = true, .end = text};
    return finish(r, &v, err);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* The origin's answer, recorded as this run's own. */
static int answer(struct run *r, const struct step_ask *q, const struct store_step *s,
                  struct err *err)
{
    struct arena a;
    struct str reply;
    struct step *own;
    const struct store_step more = {.info = s->info, .child = s->child};
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = store_text_get(r->rv->store, s->outcome_doc, s->outcome_text, &a, &reply, err);
    if (e >= 0)
        e = step_begin(r, q, STEP_OPEN, &more, &own, err);
    if (e >= 0)
        e = step_settle(r, own, s->state, reply, s->outcome_error,
                        s->reason.len ? arena_fmt(&a, "%.*s", STR_FMT(s->reason)).ptr : "", err);
    arena_release(&a);
    return e;
}

static int settle_at_once(struct run *r, const struct step_ask *q, struct str reply,
                          const char *reason, struct err *err)
{
    struct step *s;
    int e = step_begin(r, q, STEP_OPEN, NULL, &s, err);
    return e < 0 ? e : step_settle(r, s, STEP_COMMITTED, reply, false, reason, err);
}

/* The origin has no answer to this: what needs nobody else goes on, all else is refused. */
static int begin_dry(struct run *r, const struct step_ask *q, struct err *err)
{
    struct step *s;
    char text[160];
    if (q->kind == STEP_NAMED)
        return waits_named_ops.begin(r, q, err);
    if (q->kind == STEP_TIMER)
        return settle_at_once(r, q, STR("{}"), "a dry run does not wait", err);
    if (q->kind == STEP_EVENT_WAIT && json_get(q->parsed, "timeoutMs"))
        return settle_at_once(r, q, STR("{\"timeout\":true}"), "a dry run does not wait", err);
    snprintf(text, sizeof(text),
             "a dry run lets nothing leave, and run %" PRId64
             " has no answer to this from step %" PRId64 " on",
             r->rec.origin, r->rec.origin_step);
    int e = step_begin(r, q, STEP_OPEN, NULL, &s, err);
    if (e < 0)
        return e;
    return q->kind == STEP_TOOL
               ? step_settle_tool_error(r, s, STEP_DENIED, text, (struct strs){0}, err)
               : step_settle_error(r, s, STEP_DENIED, WIRE_E_DENIED, text, err);
}

/* Did the origin's record end otherwise than by its worker's own result? Then more may have
 * followed. */
static bool is_open_ended(const struct run *r)
{
    return r->travel->origin.state != RUN_SUCCEEDED && !r->travel->source.unmatched;
}

static int begin(struct run *r, const struct step_ask *q, struct err *err)
{
    struct digest d;
    struct travel *t = r->travel;
    bool is_replay = r->rec.mode == RUN_REPLAY;
    if (!t)
        return err_set(err, EPROTO, "run %" PRId64 " has no origin in memory", r->rec.id);
    int e = digest_of_json(q->parsed, &d, err);
    if (e < 0)
        return e;
    const struct step *first = journal_first_unmatched(&t->source);
    const struct step *s = journal_match(&t->source, q->kind, q->key, &d);
    /* One that asks a thing at a time must ask in the same order; others may be overtaken by luck.
     */
    bool in_order = !is_replay || !r->sequential || s == first;
    if (s && has_outcome(&s->rec) && in_order)
        return answer(r, q, &s->rec, err);
    if (!is_replay)
        return begin_dry(r, q, err);
    if ((s && in_order) || (!s && is_open_ended(r)))
        return same_so_far(r, step_kind_name(q->kind), q->key, err);
    return diverge(r, step_kind_name(q->kind), q->key, q->request, err);
}

static int resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    if (s->rec.kind == STEP_NAMED)
        return waits_named_ops.resume(r, s, q, err);
    return err_set(err, EPROTO, "step %" PRId64 " of a %s run has no outcome and gets none",
                   s->rec.seq, run_mode_name(r->rec.mode));
}

const struct step_kind_ops travel_ops = {.begin = begin, .resume = resume};
