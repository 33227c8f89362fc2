/*
 * view_decision.c: recorded decisions as a whole: for deciding them again, and for what a shadow
 * set says (see view.h).
 */
#include "supervisor/store/view_impl.h"

#define ROW_BYTES ((size_t)256 << 20)

static int write_decisions(struct view *v, int64_t since_ms, int64_t after, int limit,
                           struct jout *out, struct err *err)
{
    struct arena a;
    int64_t last = 0;
    int r, n = 0;
    arena_init(&a, ROW_BYTES);
    struct query q = query_on(&v->db, SQL_VIEW_DECISIONS_SINCE);
    query_put_i64(&q, after);
    query_put_i64(&q, since_ms);
    query_put_i64(&q, 0);
    query_put_i64(&q, limit);
    jout_object(out);
    jout_name(out, "decisions");
    jout_array(out);
    while ((r = query_step(&q, err)) > 0) {
        struct decision_row d = {0};
        read_decision(&q, &a, &d);
        jout_object(out);
        decision_members(v, &d, out);
        out_doc_text(v, out, "facts", d.d.facts, true);
        jout_object_end(out);
        last = d.id;
        n++;
        arena_reset(&a);
    }
    jout_array_end(out);
    out_id(out, "next", n == limit ? last : 0);
    jout_object_end(out);
    arena_release(&a);
    return r;
}

int view_decisions(struct view *v, int64_t since_ms, int64_t after, int limit, struct jout *out,
                   struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_decisions(v, since_ms, after, view_limit(limit), out, err);
    return view_end(v, r);
}

static int write_shadow(struct view *v, int64_t since_ms, struct jout *out, struct err *err)
{
    struct query q = query_on(&v->db, SQL_VIEW_SHADOW);
    int r;
    query_put_i64(&q, since_ms);
    jout_object(out);
    jout_name(out, "differences");
    jout_array(out);
    while ((r = query_step(&q, err)) > 0) {
        jout_object(out);
        out_text(out, "ask", query_bytes(&q));
        out_text(out, "tenant", query_bytes(&q));
        out_text(out, "workflow", query_bytes(&q));
        jout_m_bool(out, "allow", query_i64(&q) != 0);
        out_json(v, out, "policies", query_bytes(&q), "[]");
        out_json(v, out, "policiesInForce", query_bytes(&q), "[]");
        jout_m_i64(out, "count", query_i64(&q));
        jout_m_i64(out, "lastRun", query_i64(&q));
        jout_m_i64(out, "lastSeq", query_i64(&q));
        out_time(out, "lastAt", query_i64(&q));
        jout_object_end(out);
    }
    jout_array_end(out);
    jout_object_end(out);
    return r;
}

int view_shadow(struct view *v, int64_t since_ms, struct jout *out, struct err *err)
{
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_shadow(v, since_ms, out, err);
    return view_end(v, r);
}

static int write_policy(struct view *v, struct str hex, const struct digest *d, struct jout *out,
                        struct err *err)
{
    struct query q = query_on(&v->db, SQL_POLICY_GET);
    query_put_digest(&q, *d);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "no policy set %.*s was ever in force here", STR_FMT(hex));
    if (r < 0)
        return r;
    struct arena a;
    arena_init(&a, ROW_BYTES);
    struct str text = query_packed(&q, &a);
    jout_object(out);
    jout_m_str(out, "digest", hex);
    jout_name(out, "set");
    jout_raw(out, text.len ? text : STR("null"));
    jout_object_end(out);
    arena_release(&a);
    return query_done(&q, err);
}

int view_policy(struct view *v, struct str digest, struct jout *out, struct err *err)
{
    struct digest d;
    if (digest_parse(digest, &d) < 0)
        return err_set(err, EINVAL, "digest: expected 64 hexadecimal digits");
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_policy(v, digest, &d, out, err);
    return view_end(v, r);
}
