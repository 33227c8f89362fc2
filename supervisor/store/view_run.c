/*
 * view_run.c: runs, in lists and alone. In reeve-control.
 */
#include "supervisor/store/view_impl.h"

#define ROW_BYTES ((size_t)128 << 20)

static int event_members(struct view *v, int64_t id, bool whole, struct jout *out, struct err *err)
{
    struct arena a;
    arena_init(&a, ROW_BYTES);
    struct store_event e = {0};
    struct query q = query_on(&v->db, whole ? SQL_EVENT_GET : SQL_VIEW_EVENT);
    query_put_i64(&q, id);
    int r = query_step(&q, err);
    if (r > 0) {
        if (whole) {
            read_event(&q, &a, &e);
        } else {
            e.id = query_i64(&q);
            e.source = query_str(&q, &a);
            e.event_id = query_str(&q, &a);
            e.type = query_str(&q, &a);
            e.subject = query_str(&q, &a);
        }
        r = query_done(&q, err);
    }
    if (r >= 0) {
        jout_m_i64(out, "id", id);
        out_text(out, "source", e.source);
        out_text(out, "eventId", e.event_id);
        out_text(out, "type", e.type);
        out_text(out, "subject", e.subject);
    }
    if (r >= 0 && whole) {
        out_time(out, "receivedAt", e.received_ms);
        out_doc_text(v, out, "envelope", e.envelope, false);
    }
    arena_release(&a);
    return r;
}

int event_member(struct view *v, int64_t event, bool whole, struct jout *out, struct err *err)
{
    jout_name(out, "event");
    if (event == 0) {
        jout_null(out);
        return 0;
    }
    jout_object(out);
    int r = event_members(v, event, whole, out, err);
    jout_object_end(out);
    return r;
}

static void parent_member(const struct store_run *r, struct jout *out)
{
    jout_name(out, "parent");
    if (r->parent == 0) {
        jout_null(out);
        return;
    }
    jout_object(out);
    jout_m_i64(out, "run", r->parent);
    jout_m_i64(out, "step", r->parent_step);
    jout_object_end(out);
}

static void origin_member(const struct store_run *r, struct jout *out)
{
    jout_m_cstr(out, "mode", run_mode_name(r->mode));
    jout_name(out, "origin");
    if (r->origin == 0) {
        jout_null(out);
        return;
    }
    jout_object(out);
    jout_m_i64(out, "run", r->origin);
    out_id(out, "step", r->origin_step);
    jout_object_end(out);
}

static int members(struct view *v, const struct store_run *r, bool whole, struct jout *out,
                   struct err *err)
{
    jout_m_i64(out, "run", r->id);
    out_text(out, "tenant", r->tenant);
    out_text(out, "workflow", r->workflow);
    out_hex(out, "version", &r->version);
    jout_m_cstr(out, "state", run_state_name(r->state));
    jout_m_cstr(out, "wait", run_wait_name(r->wait));
    out_time(out, "wakeAt", r->wake_ms);
    int done = 0;
    if (r->state == RUN_QUEUED)
        done = queued_reason(v, r, out, err);
    else
        out_text(out, "reason", r->reason);
    out_text(out, "key", r->lane);
    parent_member(r, out);
    origin_member(r, out);
    jout_m_i64(out, "depth", r->depth);
    jout_m_cstr(out, "traceId", r->trace_id);
    jout_m_i64(out, "attempt", r->attempt);
    jout_m_i64(out, "failures", r->failures);
    jout_m_bool(out, "cancel", r->cancel);
    out_time(out, "createdAt", r->created_ms);
    out_time(out, "startedAt", r->started_ms);
    out_time(out, "endedAt", r->ended_ms);
    if (done >= 0)
        done = event_member(v, r->event, whole, out, err);
    jout_m_i64(out, "steps", r->steps);
    jout_m_i64(out, "toolCalls", r->tool_calls);
    jout_m_i64(out, "modelCalls", r->model_calls);
    jout_m_i64(out, "inputTokens", r->input_tokens);
    jout_m_i64(out, "outputTokens", r->output_tokens);
    out_cost(out, "cost", r->cost_micro);
    jout_m_i64(out, "bytes", r->bytes);
    return done;
}

int run_members(struct view *v, const struct store_run *r, struct jout *out, struct err *err)
{
    return members(v, r, false, out, err);
}

int view_run_row(struct view *v, int64_t id, struct arena *a, struct store_run *ret,
                 struct err *err)
{
    struct query q = query_on(&v->db, SQL_RUN_GET);
    query_put_i64(&q, id);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "no run %" PRId64, id);
    if (r < 0)
        return r;
    *ret = (struct store_run){0};
    read_run(&q, a, ret);
    return query_done(&q, err);
}

#define STATES_LIVE 0x0fu
#define STATES_ALL  0xffu

struct filter {
    unsigned states;
    int wait; /* -1: any */
};

static int parse_filter(const struct view_runs *f, struct filter *ret, struct err *err)
{
    *ret = (struct filter){STATES_ALL, -1};
    if (str_is(f->state, "live"))
        ret->states = STATES_LIVE;
    else if (str_is(f->state, "final"))
        ret->states = STATES_ALL & ~STATES_LIVE;
    else if (f->state.len > 0) {
        int n = view_name(f->state, "state", name_of_run_state, RUN_STATE_COUNT, err);
        if (n < 0)
            return err_wrap(err, "\"live\", \"final\" or a state");
        ret->states = 1u << n;
    }
    if (f->wait.len > 0) {
        ret->wait = view_name(f->wait, "wait", name_of_wait, RUN_WAIT_COUNT, err);
        if (ret->wait < 0)
            return ret->wait;
        ret->states &= 1u << RUN_WAITING;
    }
    return 0;
}

/* The statement whose index leaves the fewest rows to look at. */
static enum sql_id choose(const struct view_runs *f, const struct filter *filter)
{
    if ((filter->states & ~STATES_LIVE) == 0)
        return SQL_VIEW_RUNS_LIVE;
    if (f->workflow.len > 0)
        return SQL_VIEW_RUNS_WORKFLOW;
    if (f->tenant.len > 0)
        return SQL_VIEW_RUNS_TENANT;
    return (filter->states & (filter->states - 1)) == 0 ? SQL_VIEW_RUNS_STATE : SQL_VIEW_RUNS_ALL;
}

static int write_runs(struct view *v, const struct view_runs *f, struct jout *out, struct err *err)
{
    struct filter filter;
    int64_t before, last = 0;
    int r = parse_filter(f, &filter, err);
    if (r >= 0)
        r = view_cursor(f->cursor, &before, err);
    if (r < 0)
        return r;
    int limit = view_limit(f->limit), n = 0;
    struct query q = query_on(&v->db, choose(f, &filter));
    query_put_i64(&q, filter.states);
    query_put_i64(&q, before);
    query_put_i64(&q, limit);
    query_put_i64(&q, filter.wait);
    query_put_str(&q, f->workflow);
    query_put_str(&q, f->tenant);
    if (q.id == SQL_VIEW_RUNS_STATE)
        query_put_i64(&q, __builtin_ctz(filter.states));
    struct arena a;
    arena_init(&a, ROW_BYTES);
    jout_object(out);
    jout_name(out, "runs");
    jout_array(out);
    while ((r = query_step(&q, err)) > 0) {
        struct store_run run = {0};
        read_run(&q, &a, &run);
        jout_object(out);
        r = run_members(v, &run, out, err);
        jout_object_end(out);
        arena_reset(&a);
        if (r < 0)
            break;
        last = run.id;
        n++;
    }
    query_end(&q);
    jout_array_end(out);
    out_next(out, n == limit ? last : 0);
    jout_object_end(out);
    arena_release(&a);
    return r;
}

int view_runs(struct view *v, const struct view_runs *f, struct jout *out, struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_runs(v, f, out, err);
    return view_end(v, r);
}

static int checkpoint_member(struct view *v, const struct store_run *r, struct jout *out,
                             struct err *err)
{
    jout_name(out, "checkpoint");
    if (r->checkpoint_seq == 0 && r->checkpoint_doc == 0) {
        jout_null(out);
        return 0;
    }
    jout_object(out);
    jout_m_i64(out, "seq", r->checkpoint_seq);
    int done = out_doc(v, out, "state", r->checkpoint_doc, false, err);
    jout_object_end(out);
    return done;
}

static int children_member(struct view *v, int64_t run, struct jout *out, struct err *err)
{
    struct query q = query_on(&v->db, SQL_VIEW_CHILDREN);
    query_put_i64(&q, run);
    jout_name(out, "children");
    jout_array(out);
    int r;
    while ((r = query_step(&q, err)) > 0)
        jout_i64(out, query_i64(&q));
    jout_array_end(out);
    return r;
}

static int write_run(struct view *v, int64_t id, struct arena *a, struct jout *out, struct err *err)
{
    struct store_run run;
    int r = view_run_row(v, id, a, &run, err);
    if (r < 0)
        return r;
    jout_object(out);
    r = members(v, &run, true, out, err);
    jout_m_i64(out, "nextSeq", run.next_seq);
    if (r >= 0)
        r = checkpoint_member(v, &run, out, err);
    if (r >= 0)
        r = out_doc(v, out, "result", run.result_doc, false, err);
    if (r >= 0)
        r = approvals_member(v, id, 0, APPROVAL_OPEN, out, err);
    if (r >= 0)
        r = children_member(v, id, out, err);
    jout_object_end(out);
    return r;
}

int view_run(struct view *v, int64_t run, struct jout *out, struct err *err)
{
    struct arena a;
    arena_init(&a, ROW_BYTES);
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_run(v, run, &a, out, err);
    arena_release(&a);
    return view_end(v, r);
}
