/*
 * view_trace.c: a run as a tree that a person reads: its steps with times, cost, decisions and
 * votes, its child runs where they were started, its log. In reeve-control. Bounded in depth, runs,
 * steps and lines.
 */
#include "supervisor/store/view_impl.h"

#define ROW_BYTES ((size_t)256 << 20)
#define LOG_LINES 1001

struct trace {
    struct view *v;
    struct jout *out;
    struct err *err;
    int runs, steps, lines; /* left */
    int depth;              /* of the run that is written, from 1 */
    bool cut;
};

static int trace_run(struct trace *t, int64_t run);

static int attempts_member(struct trace *t, int64_t run)
{
    struct query q = query_on(&t->v->db, SQL_VIEW_ATTEMPTS);
    query_put_i64(&q, ROW_ID(run, 0));
    query_put_i64(&q, ROW_ID(run, RUN_SEQ_MAX));
    jout_name(t->out, "attempts");
    jout_array(t->out);
    int r;
    while ((r = query_step(&q, t->err)) > 0) {
        jout_object(t->out);
        jout_m_i64(t->out, "attempt", query_i64(&q));
        jout_m_i64(t->out, "steps", query_i64(&q));
        out_time(t->out, "firstAt", query_i64(&q));
        out_time(t->out, "lastAt", query_i64(&q));
        jout_object_end(t->out);
    }
    jout_array_end(t->out);
    return r;
}

static int log_member(struct trace *t, int64_t run)
{
    struct query q = query_on(&t->v->db, SQL_VIEW_LOG);
    query_put_i64(&q, ROW_ID(run, 0));
    query_put_i64(&q, ROW_ID(run, RUN_SEQ_MAX));
    query_put_i64(&q, t->lines);
    int64_t dropped = 0;
    int r;
    jout_name(t->out, "log");
    jout_array(t->out);
    while ((r = query_step(&q, t->err)) > 0) {
        jout_object(t->out);
        out_time(t->out, "at", query_i64(&q));
        out_text(t->out, "level", query_bytes(&q));
        out_text(t->out, "unit", query_bytes(&q));
        out_text(t->out, "text", query_bytes(&q));
        jout_object_end(t->out);
        dropped += query_i64(&q);
        t->lines--;
    }
    jout_array_end(t->out);
    jout_m_i64(t->out, "logDropped", dropped);
    return r;
}

static int decision_of(struct trace *t, int64_t id)
{
    struct arena a;
    struct decision_row d = {0};
    arena_init(&a, ROW_BYTES);
    struct query q = query_on(&t->v->db, SQL_VIEW_DECISION);
    query_put_i64(&q, id);
    int r = id != 0 ? query_step(&q, t->err) : 0;
    if (r > 0) {
        read_decision(&q, &a, &d);
        r = query_done(&q, t->err);
    }
    query_end(&q);
    jout_name(t->out, "allow");
    if (d.id != 0)
        jout_bool(t->out, d.d.allow);
    else
        jout_null(t->out);
    out_text(t->out, "ask", d.d.ask);
    out_json(t->v, t->out, "policies", d.d.reasons, "[]");
    arena_release(&a);
    return r;
}

static int gate_of(struct trace *t, int64_t approval)
{
    struct arena a;
    struct store_approval row = {0};
    arena_init(&a, ROW_BYTES);
    struct query q = query_on(&t->v->db, SQL_APPROVAL_GET);
    query_put_i64(&q, approval);
    int r = approval != 0 ? query_step(&q, t->err) : 0;
    if (r > 0) {
        read_approval(&q, &a, &row);
        r = query_done(&q, t->err);
    }
    query_end(&q);
    jout_name(t->out, "gate");
    if (row.id == 0) {
        jout_null(t->out);
    } else {
        jout_object(t->out);
        jout_m_cstr(t->out, "state", approval_state_name(row.state));
        jout_m_i64(t->out, "quorum", row.quorum);
        if (r >= 0)
            r = votes_member(t->v, row.id, t->out, t->err);
        jout_object_end(t->out);
    }
    arena_release(&a);
    return r;
}

static int child_of(struct trace *t, const struct store_step *st)
{
    if (st->kind != STEP_CHILD || st->child == 0)
        return 0;
    if (t->runs == 0 || t->depth == VIEW_TRACE_DEPTH) {
        t->cut = true;
        return 0;
    }
    struct err gone = ERR_INIT;
    struct arena a;
    struct store_run row;
    arena_init(&a, ROW_BYTES);
    int r = view_run_row(t->v, st->child, &a, &row, &gone);
    arena_release(&a);
    if (r == -ENOENT) /* retention took it */
        return 0;
    if (r < 0) {
        *t->err = gone;
        return r;
    }
    jout_name(t->out, "trace");
    t->depth++;
    r = trace_run(t, st->child);
    t->depth--;
    return r;
}

static int trace_step(void *arg, const void *row)
{
    struct trace *t = arg;
    const struct store_step *st = row;
    if (t->steps == 0) {
        t->cut = true;
        return 1;
    }
    t->steps--;
    jout_object(t->out);
    step_members(t->v, st, t->out);
    int r = decision_of(t, st->decision);
    if (r >= 0)
        r = gate_of(t, st->approval);
    if (r >= 0)
        r = child_of(t, st);
    jout_object_end(t->out);
    return MIN(r, 0);
}

static int steps_member(struct trace *t, int64_t run)
{
    struct each e = {.sql = SQL_STEPS,
                     .numbers = {ROW_ID(run, RUN_SEQ_MAX)},
                     .number_count = 1,
                     .after = ROW_ID(run, 0),
                     .batch = 128,
                     .row_bytes = sizeof(struct store_step),
                     .read = read_step,
                     .key = step_key,
                     .deliver = trace_step,
                     .arg = t};
    jout_name(t->out, "steps");
    jout_array(t->out);
    int r = each_row(&t->v->db, &e, t->err);
    jout_array_end(t->out);
    return MIN(r, 0);
}

/* Depth is bounded by VIEW_TRACE_DEPTH. */
static int trace_run(struct trace *t, int64_t run)
{
    struct arena a;
    struct store_run row;
    arena_init(&a, ROW_BYTES);
    int r = view_run_row(t->v, run, &a, &row, t->err);
    if (r < 0)
        goto out;
    t->runs--;
    jout_object(t->out);
    jout_name(t->out, "run");
    jout_object(t->out);
    r = run_members(t->v, &row, t->out, t->err);
    jout_object_end(t->out);
    if (r >= 0)
        r = attempts_member(t, run);
    if (r >= 0)
        r = steps_member(t, run);
    if (r >= 0)
        r = log_member(t, run);
    jout_m_bool(t->out, "cut", t->cut);
    jout_object_end(t->out);
out:
    arena_release(&a);
    return r;
}

int view_trace(struct view *v, int64_t run, struct jout *out, struct err *err)
{
    struct err own = ERR_INIT;
    struct trace t = {.v = v,
                      .out = out,
                      .err = err != NULL ? err : &own,
                      .runs = VIEW_TRACE_RUNS,
                      .steps = VIEW_TRACE_STEPS,
                      .lines = LOG_LINES,
                      .depth = 1};
    int r = view_begin(v, err);
    if (r >= 0)
        r = trace_run(&t, run);
    return view_end(v, r);
}
