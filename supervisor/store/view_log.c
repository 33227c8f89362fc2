/*
 * view_log.c: the lines of a run's log, page by page, for who follows it. In reeve-control.
 */
#include "supervisor/store/view_impl.h"

#define ROW_BYTES ((size_t)256 << 20)

static int run_exists(struct view *v, int64_t run, struct err *err)
{
    struct arena a;
    struct store_run row;
    arena_init(&a, ROW_BYTES);
    int r = view_run_row(v, run, &a, &row, err);
    arena_release(&a);
    return r;
}

/* Lines are numbered from 1 without a gap: the number is the row's place among them. */
static int put_lines(struct view *v, int64_t run, int64_t after, int limit, struct jout *out,
                     struct err *err)
{
    int64_t line = MIN(after, RUN_SEQ_MAX);
    int r, left = limit;
    struct query q = query_on(&v->db, SQL_VIEW_LOG);
    query_put_i64(&q, ROW_ID(run, 0) + line + 1);
    query_put_i64(&q, ROW_ID(run, RUN_SEQ_MAX));
    query_put_i64(&q, limit);
    jout_object(out);
    jout_name(out, "log");
    jout_array(out);
    while ((r = query_step(&q, err)) > 0) {
        jout_object(out);
        jout_m_i64(out, "line", ++line);
        out_time(out, "at", query_i64(&q));
        out_text(out, "level", query_bytes(&q));
        out_text(out, "unit", query_bytes(&q));
        out_text(out, "text", query_bytes(&q));
        jout_object_end(out);
        left--;
    }
    jout_array_end(out);
    jout_name(out, "next");
    if (left == 0)
        jout_i64(out, line);
    else
        jout_null(out);
    jout_object_end(out);
    return r;
}

int view_log(struct view *v, int64_t run, int64_t after, int limit, struct jout *out,
             struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = run_exists(v, run, err);
    if (r >= 0)
        r = put_lines(v, run, MAX(after, 0), view_limit(limit), out, err);
    return view_end(v, r);
}
