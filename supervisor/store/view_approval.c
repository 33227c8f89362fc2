/*
 * view_approval.c: approvals, with who voted how. In reeve-control. The arguments are always whole:
 * a person must not be asked to approve what is not shown.
 */
#include "supervisor/store/view_impl.h"

#define ROW_BYTES ((size_t)256 << 20)

int votes_member(struct view *v, int64_t approval, struct jout *out, struct err *err)
{
    struct arena a;
    arena_init(&a, ROW_BYTES);
    struct query q = query_on(&v->db, SQL_VOTES);
    query_put_i64(&q, approval);
    query_put_i64(&q, INT64_MIN);
    query_put_i64(&q, 1000);
    jout_name(out, "votes");
    jout_array(out);
    int r;
    while ((r = query_step(&q, err)) > 0) {
        struct store_vote vote = {0};
        read_vote(&q, &a, &vote);
        jout_object(out);
        jout_m_i64(out, "uid", vote.uid);
        out_text(out, "user", vote.user);
        jout_m_bool(out, "approve", vote.approve);
        out_text(out, "comment", vote.comment);
        out_time(out, "at", vote.at_ms);
        jout_object_end(out);
        arena_reset(&a);
    }
    jout_array_end(out);
    arena_release(&a);
    return r;
}

static int run_brief(struct view *v, int64_t run, struct jout *out, struct err *err)
{
    struct query q = query_on(&v->db, SQL_VIEW_RUN_BRIEF);
    query_put_i64(&q, run);
    int r = query_step(&q, err);
    if (r <= 0)
        return r;
    out_text(out, "tenant", query_bytes(&q));
    out_text(out, "workflow", query_bytes(&q));
    jout_m_cstr(out, "runState", name_of_run_state((int)query_i64(&q)));
    return query_done(&q, err);
}

int approval_value(struct view *v, const struct store_approval *a, struct jout *out,
                   struct err *err)
{
    jout_object(out);
    jout_m_i64(out, "approval", a->id);
    jout_m_i64(out, "run", a->run);
    jout_m_i64(out, "step", a->seq);
    jout_m_cstr(out, "kind", approval_kind_name(a->kind));
    jout_m_cstr(out, "state", approval_state_name(a->state));
    out_text(out, "what", a->what);
    out_json(v, out, "arguments", a->shown, "null");
    out_hex(out, "tool", &a->tool);
    out_hex(out, "argumentsDigest", &a->arguments);
    out_hex(out, "policy", &a->policy);
    out_json(v, out, "approvers", a->approvers, "[]");
    jout_m_i64(out, "quorum", a->quorum);
    out_time(out, "createdAt", a->created_ms);
    out_time(out, "expiresAt", a->expires_ms);
    out_time(out, "decidedAt", a->decided_ms);
    out_json(v, out, "outcome", a->outcome, "null");
    int r = run_brief(v, a->run, out, err);
    if (r >= 0)
        r = votes_member(v, a->id, out, err);
    jout_object_end(out);
    return r;
}

/* Writes the rows of a bound query as array items; *ret_last is the last id, the result their
 * number. */
static int put_rows(struct view *v, struct query *q, int64_t *ret_last, struct jout *out,
                    struct err *err)
{
    struct arena a;
    arena_init(&a, ROW_BYTES);
    int r, n = 0;
    while ((r = query_step(q, err)) > 0) {
        struct store_approval row = {0};
        read_approval(q, &a, &row);
        r = approval_value(v, &row, out, err);
        arena_reset(&a);
        if (r < 0)
            break;
        *ret_last = row.id;
        n++;
    }
    query_end(q);
    arena_release(&a);
    return r < 0 ? r : n;
}

int approvals_member(struct view *v, int64_t run, int64_t seq, int state, struct jout *out,
                     struct err *err)
{
    struct query q = query_on(&v->db, seq > 0 ? SQL_VIEW_APPROVALS_STEP : SQL_VIEW_APPROVALS_RUN);
    query_put_i64(&q, run);
    if (seq > 0) {
        query_put_i64(&q, seq);
        query_put_i64(&q, 0);
    } else {
        query_put_i64(&q, INT64_MAX);
        query_put_i64(&q, state);
    }
    query_put_i64(&q, VIEW_LIMIT_MAX);
    int64_t last;
    jout_name(out, "approvals");
    jout_array(out);
    int r = put_rows(v, &q, &last, out, err);
    jout_array_end(out);
    return MIN(r, 0);
}

static struct query list_query(struct view *v, const struct view_approvals *f, int state,
                               int64_t before, int limit)
{
    enum sql_id sql = f->run != 0  ? SQL_VIEW_APPROVALS_RUN
                      : state >= 0 ? SQL_VIEW_APPROVALS_STATE
                                   : SQL_VIEW_APPROVALS;
    struct query q = query_on(&v->db, sql);
    if (sql == SQL_VIEW_APPROVALS_RUN)
        query_put_i64(&q, f->run);
    query_put_i64(&q, before);
    if (sql != SQL_VIEW_APPROVALS)
        query_put_i64(&q, state);
    query_put_i64(&q, limit);
    return q;
}

static int write_approvals(struct view *v, const struct view_approvals *f, struct jout *out,
                           struct err *err)
{
    int state = -1, limit = view_limit(f->limit);
    int64_t before, last = 0;
    if (f->state.len > 0)
        state = view_name(f->state, "state", name_of_approval_state, APPROVAL_STATE_COUNT, err);
    if (f->state.len > 0 && state < 0)
        return state;
    int r = view_cursor(f->cursor, &before, err);
    if (r < 0)
        return r;
    struct query q = list_query(v, f, state, before, limit);
    jout_object(out);
    jout_name(out, "approvals");
    jout_array(out);
    r = put_rows(v, &q, &last, out, err);
    jout_array_end(out);
    out_next(out, r == limit ? last : 0);
    jout_object_end(out);
    return r;
}

int view_approvals(struct view *v, const struct view_approvals *f, struct jout *out,
                   struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_approvals(v, f, out, err);
    return view_end(v, r);
}

static int write_approval(struct view *v, int64_t id, struct jout *out, struct err *err)
{
    struct arena a;
    arena_init(&a, ROW_BYTES);
    struct store_approval row = {0};
    struct query q = query_on(&v->db, SQL_APPROVAL_GET);
    query_put_i64(&q, id);
    int r = query_step(&q, err);
    if (r == 0)
        r = err_set(err, ENOENT, "no approval %" PRId64, id);
    if (r > 0) {
        read_approval(&q, &a, &row);
        r = query_done(&q, err);
    }
    if (r >= 0)
        r = approval_value(v, &row, out, err);
    arena_release(&a);
    return r;
}

int view_approval(struct view *v, int64_t id, struct jout *out, struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_approval(v, id, out, err);
    return view_end(v, r);
}
