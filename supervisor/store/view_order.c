/*
 * view_order.c: switches, and why a queued run does not start. In reeve-control.
 */
#include "supervisor/store/view_impl.h"

#define ROW_BYTES ((size_t)1 << 20)

static void put_switch(const struct store_switch *w, struct jout *out)
{
    jout_object(out);
    jout_m_cstr(out, "scope", switch_scope_name(w->scope));
    out_text(out, "name", w->name);
    jout_m_cstr(out, "state", switch_state_name(w->state));
    out_text(out, "who", w->who);
    out_text(out, "why", w->why);
    out_time(out, "at", w->at_ms);
    jout_m_bool(out, "ending", w->state == SWITCH_KILLED && w->swept < w->upto);
    jout_object_end(out);
}

static int write_switches(struct view *v, struct jout *out, struct err *err)
{
    struct arena a;
    struct query q = query_on(&v->db, SQL_SWITCHES);
    int r;
    arena_init(&a, ROW_BYTES);
    jout_object(out);
    jout_name(out, "switches");
    jout_array(out);
    while ((r = query_step(&q, err)) > 0) {
        struct store_switch w;
        read_switch(&q, &a, &w);
        put_switch(&w, out);
        arena_reset(&a);
    }
    jout_array_end(out);
    jout_object_end(out);
    arena_release(&a);
    return r;
}

int view_switches(struct view *v, struct jout *out, struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_switches(v, out, err);
    return view_end(v, r);
}

/* What a run is held by is not written into each of 100,000 rows: it is looked up where one is shown. */
int queued_reason(struct view *v, const struct store_run *run, struct jout *out, struct err *err)
{
    struct arena a;
    struct store_switch w = {0};
    struct query q = query_on(&v->db, SQL_SWITCH_OF);
    query_put_str(&q, run->tenant);
    query_put_str(&q, run->workflow);
    arena_init(&a, ROW_BYTES);
    int r = query_step(&q, err);
    if (r > 0) {
        read_switch(&q, &a, &w);
        r = query_done(&q, err);
        bool all = w.scope == SWITCH_ALL;
        jout_m_fmt(out, "reason", "%s%s%.*s is %s by %.*s%s%.*s",
                   all ? "everything" : switch_scope_name(w.scope), all ? "" : " ",
                   STR_FMT(w.name), switch_state_name(w.state), STR_FMT(w.who),
                   w.why.len ? ": " : "", STR_FMT(w.why));
    } else if (run->lane_wait) {
        jout_m_fmt(out, "reason", "waits for an earlier run with the key %.*s",
                   STR_FMT(str_slice(run->lane, 0, 200)));
    } else {
        out_text(out, "reason", run->reason);
    }
    arena_release(&a);
    return r;
}
