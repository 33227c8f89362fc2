/*
 * view_lists.c: workflows, the audit record, usage, and counts. In reeve-control.
 */
#include "supervisor/store/view_impl.h"

#include "policy/text/num.h"

#define ROW_BYTES ((size_t)256 << 20)
#define DAY_MS    ((int64_t)24 * 60 * 60 * 1000)

/* Rows of (number, count) into counts[number]. */
static int read_counts(struct query *q, int64_t *counts, int64_t n, struct err *err)
{
    memset(counts, 0, (size_t)n * sizeof(*counts));
    int r;
    while ((r = query_step(q, err)) > 0) {
        int64_t i = query_i64(q), count = query_i64(q);
        if (i >= 0 && i < n)
            counts[i] = count;
    }
    return r;
}

static int write_workflows(struct view *v, struct jout *out, struct err *err)
{
    struct query q = query_on(&v->db, SQL_VIEW_WORKFLOWS);
    jout_object(out);
    jout_name(out, "workflows");
    jout_array(out);
    int r;
    while ((r = query_step(&q, err)) > 0) {
        struct str name = query_bytes(&q);
        struct digest version = query_digest(&q);
        jout_object(out);
        out_text(out, "workflow", name);
        out_hex(out, "version", &version);
        out_time(out, "since", query_i64(&q));
        jout_m_i64(out, "versions", query_i64(&q));
        int64_t counts[RUN_STATE_COUNT];
        struct query runs = query_on(&v->db, SQL_VIEW_WORKFLOW_RUNS);
        query_put_str(&runs, name);
        r = read_counts(&runs, counts, RUN_STATE_COUNT, err);
        out_counts(out, "runs", counts, RUN_STATE_COUNT, name_of_run_state);
        jout_object_end(out);
        if (r < 0)
            break;
    }
    query_end(&q);
    jout_array_end(out);
    jout_object_end(out);
    return r;
}

int view_workflows(struct view *v, struct jout *out, struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_workflows(v, out, err);
    return view_end(v, r);
}

static int write_audit(struct view *v, int64_t after, int limit, struct jout *out, struct err *err)
{
    struct arena a;
    arena_init(&a, ROW_BYTES);
    struct query q = query_on(&v->db, SQL_AUDIT_ALL);
    query_put_i64(&q, after);
    query_put_i64(&q, limit);
    int64_t last = 0;
    int r, n = 0;
    jout_object(out);
    jout_name(out, "records");
    jout_array(out);
    while ((r = query_step(&q, err)) > 0) {
        struct audit_row row = {0};
        read_audit(&q, &a, &row);
        jout_object(out);
        jout_m_i64(out, "id", row.id);
        out_time(out, "at", row.at_ms);
        out_text(out, "actor", row.actor);
        out_text(out, "action", row.action);
        out_text(out, "subject", row.subject);
        out_json(v, out, "detail", row.detail, "{}");
        out_hex(out, "digest", &row.digest);
        jout_object_end(out);
        last = row.id;
        n++;
        arena_reset(&a);
    }
    jout_array_end(out);
    out_id(out, "next", n == limit ? last : 0);
    jout_object_end(out);
    arena_release(&a);
    return r;
}

int view_audit(struct view *v, int64_t after, int limit, struct jout *out, struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_audit(v, after, view_limit(limit), out, err);
    return view_end(v, r);
}

static void usage_numbers(struct query *q, struct jout *out)
{
    jout_m_i64(out, "calls", query_i64(q));
    jout_m_i64(out, "inputTokens", query_i64(q));
    jout_m_i64(out, "outputTokens", query_i64(q));
    out_cost(out, "cost", query_i64(q));
}

static void put_usage(struct query *q, struct jout *out)
{
    char day[NUM_TIME_TEXT];
    jout_object(out);
    out_text(out, "tenant", query_bytes(q));
    out_text(out, "workflow", query_bytes(q));
    out_text(out, "route", query_bytes(q));
    num_time_text(query_i64(q) * DAY_MS, day);
    jout_name(out, "day");
    jout_str(out, str_slice(str_of(day), 0, sizeof("2026-11-23") - 1));
    usage_numbers(q, out);
    jout_object_end(out);
}

static int write_usage(struct view *v, struct str tenant, int64_t from_day, struct jout *out,
                       struct err *err)
{
    struct query q = query_on(&v->db, tenant.len > 0 ? SQL_VIEW_USAGE_TENANT : SQL_VIEW_USAGE);
    query_put_str(&q, tenant);
    query_put_i64(&q, from_day);
    int r;
    jout_object(out);
    jout_name(out, "usage");
    jout_array(out);
    while ((r = query_step(&q, err)) > 0)
        put_usage(&q, out);
    jout_array_end(out);
    if (r >= 0) {
        q = query_on(&v->db, SQL_VIEW_USAGE_TOTAL);
        query_put_str(&q, tenant);
        query_put_i64(&q, from_day);
        r = query_step(&q, err);
    }
    if (r > 0) {
        jout_name(out, "total");
        jout_object(out);
        usage_numbers(&q, out);
        jout_object_end(out);
        query_end(&q);
    }
    jout_object_end(out);
    return r;
}

int view_usage(struct view *v, struct str tenant, int64_t from_day, struct jout *out,
               struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_usage(v, tenant, from_day, out, err);
    return view_end(v, r);
}

static int write_counts(struct view *v, struct jout *out, struct err *err)
{
    int64_t runs[RUN_STATE_COUNT], waits[RUN_WAIT_COUNT], open = 0, pages = 0, page = 0;
    struct query q = query_on(&v->db, SQL_RUNS_COUNT);
    int r = read_counts(&q, runs, RUN_STATE_COUNT, err);
    if (r >= 0) {
        q = query_on(&v->db, SQL_VIEW_WAITS);
        r = read_counts(&q, waits, RUN_WAIT_COUNT, err);
    }
    if (r >= 0) {
        q = query_on(&v->db, SQL_VIEW_APPROVALS_OPEN);
        r = query_step(&q, err);
        open = r > 0 ? query_i64(&q) : 0;
        query_end(&q);
    }
    if (r >= 0)
        r = db_number(&v->db, "PRAGMA page_count", &pages, err);
    if (r >= 0)
        r = db_number(&v->db, "PRAGMA page_size", &page, err);
    if (r < 0)
        return r;
    jout_object(out);
    out_counts(out, "runs", runs, RUN_STATE_COUNT, name_of_run_state);
    out_counts(out, "waiting", waits, RUN_WAIT_COUNT, name_of_wait);
    jout_m_i64(out, "approvalsOpen", open);
    jout_m_i64(out, "storeBytes", pages * page);
    jout_object_end(out);
    return 0;
}

int view_counts(struct view *v, struct jout *out, struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_counts(v, out, err);
    return view_end(v, r);
}
