/*
 * view_version.c: versions of workflows. In reeve-control.
 */
#include "supervisor/store/view_impl.h"

#define ROW_BYTES ((size_t)64 << 20)

static void put_pinned(const struct store_workflow *w, struct jout *out)
{
    if (w->is_installed) {
        out_hex(out, "installed", &w->installed);
    } else {
        jout_name(out, "installed");
        jout_null(out);
    }
    if (w->is_pinned) {
        out_hex(out, "pinned", &w->pinned);
    } else {
        jout_name(out, "pinned");
        jout_null(out);
    }
    out_text(out, "pinnedBy", w->pinned_who);
    out_time(out, "pinnedAt", w->pinned_ms);
}

static int put_version(struct view *v, struct str workflow, const struct store_workflow *w,
                       const struct digest *d, int64_t at_ms, struct jout *out, struct err *err)
{
    bool installed = w->is_installed && digest_eq(d, &w->installed);
    struct query q = query_on(&v->db, SQL_VIEW_VERSION_RUNS);
    query_put_str(&q, workflow);
    query_put_digest(&q, *d);
    int r = query_step(&q, err);
    int64_t live = r > 0 ? query_i64(&q) : 0;
    query_end(&q);
    jout_object(out);
    out_hex(out, "version", d);
    out_time(out, "firstAt", at_ms);
    jout_m_bool(out, "installed", installed);
    jout_m_bool(out, "current", w->is_pinned ? digest_eq(d, &w->pinned) : installed);
    jout_m_i64(out, "live", live);
    jout_object_end(out);
    return MIN(r, 0);
}

static int read_row(struct view *v, struct str workflow, struct arena *a, struct store_workflow *w,
                    struct err *err)
{
    struct query q = query_on(&v->db, SQL_WORKFLOW_GET);
    query_put_str(&q, workflow);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "no workflow %.*s (reeve workflows lists them)",
                       STR_FMT(str_slice(workflow, 0, 64)));
    if (r < 0)
        return r;
    read_workflow(&q, a, w);
    return query_done(&q, err);
}

static int write_versions(struct view *v, struct str workflow, struct arena *a, struct jout *out,
                          struct err *err)
{
    struct store_workflow w;
    int r = read_row(v, workflow, a, &w, err);
    if (r < 0)
        return r;
    jout_object(out);
    out_text(out, "workflow", workflow);
    put_pinned(&w, out);
    jout_name(out, "versions");
    jout_array(out);
    struct query q = query_on(&v->db, SQL_VIEW_VERSIONS);
    query_put_str(&q, workflow);
    while ((r = query_step(&q, err)) > 0) {
        struct digest d = query_digest(&q);
        if ((r = put_version(v, workflow, &w, &d, query_i64(&q), out, err)) < 0)
            break;
    }
    query_end(&q);
    jout_array_end(out);
    jout_object_end(out);
    return r;
}

int view_versions(struct view *v, struct str workflow, struct jout *out, struct err *err)
{
    struct arena a;
    arena_init(&a, ROW_BYTES);
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_versions(v, workflow, &a, out, err);
    arena_release(&a);
    return view_end(v, r);
}

static int write_version(struct view *v, struct str workflow, struct str prefix, struct arena *a,
                         struct jout *out, struct err *err)
{
    struct digest d;
    struct store_workflow w;
    int64_t at = 0;
    int r = read_row(v, workflow, a, &w, err);
    if (r >= 0)
        r = version_find(&v->db, workflow, prefix, &d, err);
    if (r < 0)
        return r;
    struct query q = query_on(&v->db, SQL_VIEW_VERSION_AT);
    query_put_digest(&q, d);
    if ((r = query_step(&q, err)) > 0)
        at = query_i64(&q);
    query_end(&q);
    if (r < 0)
        return r;
    q = query_on(&v->db, SQL_VERSION_GET);
    query_put_digest(&q, d);
    r = query_step(&q, err);
    if (r <= 0)
        return r < 0 ? r : err_set(err, ENOENT, "the version is not kept any more");
    struct str text = query_packed(&q, a);
    if ((r = query_done(&q, err)) < 0)
        return r;
    jout_object(out);
    out_text(out, "workflow", workflow);
    out_hex(out, "version", &d);
    out_time(out, "firstAt", at);
    out_doc_text(v, out, "definition", text, true);
    jout_object_end(out);
    return 0;
}

int view_version(struct view *v, struct str workflow, struct str prefix, struct jout *out,
                 struct err *err)
{
    struct arena a;
    arena_init(&a, ROW_BYTES);
    int r = view_begin(v, err);
    if (r >= 0)
        r = write_version(v, workflow, prefix, &a, out, err);
    arena_release(&a);
    return view_end(v, r);
}
