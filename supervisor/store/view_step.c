/*
 * view_step.c: steps of a run, one step with all that belongs to it, and the decisions behind it.
 * In reeve-control.
 */
#include "supervisor/store/view_impl.h"

#define ROW_BYTES ((size_t)256 << 20)

void step_members(struct view *v, const struct store_step *st, struct jout *out)
{
    jout_m_i64(out, "run", st->run);
    jout_m_i64(out, "seq", st->seq);
    jout_m_cstr(out, "kind", step_kind_name(st->kind));
    out_text(out, "key", st->key);
    jout_m_i64(out, "occurrence", st->occurrence);
    jout_m_cstr(out, "state", step_state_name(st->state));
    jout_m_i64(out, "attempt", st->attempt);
    jout_m_i64(out, "tries", st->tries);
    jout_m_bool(out, "error", st->outcome_error);
    out_text(out, "reason", st->reason);
    out_time(out, "askedAt", st->asked_ms);
    out_time(out, "beganAt", st->began_ms);
    out_time(out, "endedAt", st->ended_ms);
    jout_name(out, "ms");
    if (st->ended_ms != 0 && st->began_ms != 0)
        jout_i64(out, st->ended_ms - st->began_ms);
    else
        jout_null(out);
    out_time(out, "wakeAt", st->wake_ms);
    out_id(out, "child", MAX(st->child, 0)); /* below 0: an open event wait's bucket */
    out_id(out, "approval", st->approval);
    out_id(out, "decision", st->decision);
    jout_m_i64(out, "inputTokens", st->input_tokens);
    jout_m_i64(out, "outputTokens", st->output_tokens);
    out_cost(out, "cost", st->cost_micro);
    out_json(v, out, "info", st->info, "{}");
}

struct steps_out {
    struct view *v;
    struct jout *out;
    int n;
    int64_t last;
};

static int put_step(void *arg, const void *row)
{
    struct steps_out *o = arg;
    const struct store_step *st = row;
    jout_object(o->out);
    step_members(o->v, st, o->out);
    jout_object_end(o->out);
    o->last = st->seq;
    o->n++;
    return 0;
}

static int write_steps(struct view *v, int64_t run, int64_t after_seq, int limit, struct jout *out,
                       struct err *err)
{
    struct arena a;
    struct store_run row;
    int64_t after;
    arena_init(&a, ROW_BYTES);
    int r = view_run_row(v, run, &a, &row, err);
    arena_release(&a);
    if (r >= 0)
        r = store_row_id(run, MAX(after_seq, 0), &after, err);
    if (r < 0)
        return r;
    jout_object(out);
    jout_m_i64(out, "run", run);
    jout_m_cstr(out, "state", run_state_name(row.state));
    jout_name(out, "steps");
    jout_array(out);
    struct steps_out o = {v, out, 0, 0};
    struct each e = {.sql = SQL_STEPS,
                     .numbers = {ROW_ID(run, RUN_SEQ_MAX)},
                     .number_count = 1,
                     .after = after,
                     .limit = limit,
                     .batch = 256,
                     .row_bytes = sizeof(struct store_step),
                     .read = read_step,
                     .key = step_key,
                     .deliver = put_step,
                     .arg = &o};
    r = each_row(&v->db, &e, err);
    jout_array_end(out);
    out_id(out, "next", o.n == limit ? o.last : 0);
    jout_object_end(out);
    return r;
}

int view_steps(struct view *v, int64_t run, int64_t after_seq, int limit, struct jout *out,
               struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_steps(v, run, after_seq, view_limit(limit), out, err);
    return view_end(v, r);
}

void read_decision(struct query *q, struct arena *a, struct decision_row *ret)
{
    struct store_decision *row = &ret->d;
    ret->id = query_i64(q);
    DECISION_COLUMNS(COLUMN_GET)
}

void decision_members(struct view *v, const struct decision_row *d, struct jout *out)
{
    jout_m_i64(out, "id", d->id);
    jout_m_i64(out, "run", d->d.run);
    jout_m_i64(out, "seq", d->d.seq);
    out_text(out, "ask", d->d.ask);
    jout_m_bool(out, "allow", d->d.allow);
    out_hex(out, "policy", &d->d.policy);
    out_json(v, out, "policies", d->d.reasons, "[]");
    out_json(v, out, "errors", d->d.errors, "[]");
    out_time(out, "at", d->d.at_ms);
}

static int decisions_member(struct view *v, int64_t run, int64_t seq, bool with_facts,
                            struct jout *out, struct err *err)
{
    struct arena a;
    arena_init(&a, ROW_BYTES);
    struct query q = query_on(&v->db, SQL_VIEW_DECISIONS);
    query_put_i64(&q, run);
    query_put_i64(&q, seq);
    jout_name(out, "decisions");
    jout_array(out);
    int r;
    while ((r = query_step(&q, err)) > 0) {
        struct decision_row d = {0};
        read_decision(&q, &a, &d);
        jout_object(out);
        decision_members(v, &d, out);
        if (with_facts)
            out_doc_text(v, out, "facts", d.d.facts, true);
        jout_object_end(out);
        arena_reset(&a);
    }
    jout_array_end(out);
    arena_release(&a);
    return r;
}

static int write_step(struct view *v, int64_t id, bool whole, struct arena *a, struct jout *out,
                      struct err *err)
{
    struct store_step st = {0};
    struct query q = query_on(&v->db, SQL_STEP_GET);
    query_put_i64(&q, id);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "run %" PRId64 ": no step %" PRId64, id >> RUN_SEQ_BITS,
                       id & RUN_SEQ_MAX);
    if (r < 0)
        return r;
    read_step(&q, a, &st);
    r = query_done(&q, err);
    if (r < 0)
        return r;
    jout_object(out);
    step_members(v, &st, out);
    out_hex(out, "requestDigest", &st.request);
    jout_m_i64(out, "seen", st.seen);
    r = out_step_text(v, out, "request", st.request_doc, st.request_text, whole, err);
    if (r >= 0)
        r = out_step_text(v, out, "outcome", st.outcome_doc, st.outcome_text, whole, err);
    if (r >= 0)
        r = decisions_member(v, st.run, st.seq, false, out, err);
    if (r >= 0)
        r = approvals_member(v, st.run, st.seq, -1, out, err);
    jout_object_end(out);
    return r;
}

int view_step(struct view *v, int64_t run, int64_t seq, bool whole, struct jout *out,
              struct err *err)
{
    struct arena a;
    int64_t id;
    if (store_row_id(run, seq, &id, NULL) < 0)
        return err_set(err, ENOENT, "run %" PRId64 ": no step %" PRId64, run, seq);
    arena_init(&a, ROW_BYTES);
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_step(v, id, whole, &a, out, err);
    arena_release(&a);
    return view_end(v, r);
}

static int write_explain(struct view *v, int64_t run, int64_t seq, struct jout *out,
                         struct err *err)
{
    struct arena a;
    struct store_run row;
    arena_init(&a, ROW_BYTES);
    int r = view_run_row(v, run, &a, &row, err);
    arena_release(&a);
    if (r < 0)
        return r;
    jout_object(out);
    jout_m_i64(out, "run", run);
    jout_m_i64(out, "seq", seq);
    r = decisions_member(v, run, seq, true, out, err);
    jout_object_end(out);
    return r;
}

int view_explain(struct view *v, int64_t run, int64_t seq, struct jout *out, struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_explain(v, run, seq, out, err);
    return view_end(v, r);
}
