/*
 * order.c: queues, rates, switches, and which version a workflow's new runs take. In reeved.
 */
#include "supervisor/store/internal.h"

#define ROW_BYTES ((size_t)16 << 20)

int store_queue_head(struct store *s, struct str workflow, struct str tenant, int64_t *ret_id,
                     bool *ret_fresh, struct err *err)
{
    struct query q = query_on(&s->db, SQL_QUEUE_HEAD);
    query_put_str(&q, workflow);
    query_put_str(&q, tenant);
    *ret_id = 0;
    *ret_fresh = false;
    int r = query_step(&q, err);
    if (r <= 0)
        return r;
    *ret_id = query_i64(&q);
    *ret_fresh = query_i64(&q) != 0;
    return query_done(&q, err);
}

int store_queues(struct store *s, store_queue_fn *fn, void *arg, struct err *err)
{
    struct query q = query_on(&s->db, SQL_QUEUES);
    int r;
    while ((r = query_step(&q, err)) > 0) {
        struct store_queue row;
        row.workflow = query_bytes(&q);
        row.tenant = query_bytes(&q);
        row.queued = query_i64(&q);
        row.fresh = query_i64(&q);
        row.lane_waiting = query_i64(&q);
        row.oldest_ms = query_i64(&q);
        r = fn(arg, &row);
        if (r != 0)
            break;
    }
    query_end(&q);
    return r;
}

/* The first column of the first row; 0 where there is none. */
static int one_number(struct query *q, int64_t *ret, struct err *err)
{
    int r = query_step(q, err);
    *ret = r > 0 ? query_i64(q) : 0;
    return r > 0 ? query_done(q, err) : r;
}

int store_lane_held(struct store *s, struct str workflow, struct str lane, int64_t *ret,
                    struct err *err)
{
    struct query q = query_on(&s->db, SQL_LANE_HELD);
    query_put_str(&q, workflow);
    query_put_str(&q, lane);
    return one_number(&q, ret, err);
}

int store_lane_next(struct store *s, struct str workflow, struct str lane, int64_t *ret_id,
                    struct err *err)
{
    struct query q = query_on(&s->db, SQL_LANE_NEXT);
    query_put_str(&q, workflow);
    query_put_str(&q, lane);
    return one_number(&q, ret_id, err);
}

static int start_last(struct store *s, struct str workflow, int64_t *ret, struct err *err)
{
    struct query q = query_on(&s->db, SQL_START_LAST);
    query_put_str(&q, workflow);
    return one_number(&q, ret, err);
}

int store_start_nth(struct store *s, struct str workflow, int64_t n, int64_t *ret_ms,
                    struct err *err)
{
    int64_t last;
    *ret_ms = 0;
    int r = start_last(s, workflow, &last, err);
    if (r < 0 || last < n)
        return r;
    struct query q = query_on(&s->db, SQL_START_NTH);
    query_put_str(&q, workflow);
    query_put_i64(&q, last - n + 1);
    return one_number(&q, ret_ms, err);
}

int store_start_add(struct store *s, struct str workflow, int64_t at_ms, int64_t keep,
                    struct err *err)
{
    int64_t last;
    int r = store_change(s, err);
    if (r >= 0)
        r = start_last(s, workflow, &last, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_START_ADD);
    query_put_str(&q, workflow);
    query_put_i64(&q, last + 1);
    query_put_i64(&q, at_ms);
    r = query_run(&q, err);
    if (r < 0)
        return r;
    q = query_on(&s->db, SQL_START_DROP);
    query_put_str(&q, workflow);
    query_put_i64(&q, last + 1 - keep);
    r = query_run(&q, err);
    return MIN(r, 0);
}

int store_last_run(struct store *s, int64_t *ret_id, struct err *err)
{
    struct query q = query_on(&s->db, SQL_RUN_LAST);
    return one_number(&q, ret_id, err);
}

/* ---- switches ----------------------------------------------------------------------------------
 */

int store_switch_put(struct store *s, const struct store_switch *w, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_SWITCH_PUT);
    query_put_i64(&q, w->scope);
    query_put_str(&q, w->name);
    query_put_i64(&q, w->state);
    query_put_str(&q, w->who);
    query_put_str(&q, w->why);
    query_put_i64(&q, w->at_ms);
    query_put_i64(&q, w->upto);
    query_put_i64(&q, w->swept);
    r = query_run(&q, err);
    return MIN(r, 0);
}

int store_switch_drop(struct store *s, enum switch_scope scope, struct str name, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_SWITCH_DROP);
    query_put_i64(&q, scope);
    query_put_str(&q, name);
    return query_run(&q, err);
}

void read_switch(struct query *q, struct arena *a, struct store_switch *ret)
{
    *ret = (struct store_switch){0};
    query_get_i64(q, a, ret->scope);
    query_get_str(q, a, ret->name);
    query_get_i64(q, a, ret->state);
    query_get_str(q, a, ret->who);
    query_get_str(q, a, ret->why);
    query_get_i64(q, a, ret->at_ms);
    query_get_i64(q, a, ret->upto);
    query_get_i64(q, a, ret->swept);
}

int store_switches(struct store *s, store_switch_fn *fn, void *arg, struct err *err)
{
    struct arena a;
    struct query q = query_on(&s->db, SQL_SWITCHES);
    arena_init(&a, ROW_BYTES);
    int r;
    while ((r = query_step(&q, err)) > 0) {
        struct store_switch w;
        read_switch(&q, &a, &w);
        r = q.failed < 0 ? err_sys(err, -q.failed, "store: read a switch") : fn(arg, &w);
        if (r != 0)
            break;
        arena_reset(&a);
    }
    query_end(&q);
    arena_release(&a);
    return r;
}

/* ---- workflows ---------------------------------------------------------------------------------
 */

void read_workflow(struct query *q, struct arena *a, struct store_workflow *ret)
{
    *ret = (struct store_workflow){0};
    query_get_str(q, a, ret->name);
    ret->is_installed = !query_is_null(q);
    if (ret->is_installed)
        ret->installed = query_digest(q);
    else
        (void)query_i64(q);
    query_get_i64(q, a, ret->installed_ms);
    ret->is_pinned = !query_is_null(q);
    if (ret->is_pinned)
        ret->pinned = query_digest(q);
    else
        (void)query_i64(q);
    query_get_str(q, a, ret->pinned_who);
    query_get_i64(q, a, ret->pinned_ms);
}

int store_workflow_get(struct store *s, struct str name, struct arena *a,
                       struct store_workflow *ret, struct err *err)
{
    struct query q = query_on(&s->db, SQL_WORKFLOW_GET);
    query_put_str(&q, name);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "no workflow %.*s was ever installed", STR_FMT(name));
    if (r < 0)
        return r;
    read_workflow(&q, a, ret);
    return query_done(&q, err);
}

int store_workflow_put(struct store *s, const struct store_workflow *w, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_WORKFLOW_PUT);
    query_put_str(&q, w->name);
    if (w->is_installed)
        query_put_digest(&q, w->installed);
    else
        query_put_null(&q);
    query_put_i64(&q, w->installed_ms);
    if (w->is_pinned)
        query_put_digest(&q, w->pinned);
    else
        query_put_null(&q);
    query_put_str(&q, w->pinned_who);
    query_put_i64(&q, w->pinned_ms);
    r = query_run(&q, err);
    return MIN(r, 0);
}

int store_workflows(struct store *s, store_workflow_fn *fn, void *arg, struct err *err)
{
    struct arena a;
    struct query q = query_on(&s->db, SQL_WORKFLOWS);
    arena_init(&a, ROW_BYTES);
    int r;
    while ((r = query_step(&q, err)) > 0) {
        struct store_workflow w;
        read_workflow(&q, &a, &w);
        r = q.failed < 0 ? err_sys(err, -q.failed, "store: read a workflow") : fn(arg, &w);
        if (r != 0)
            break;
        arena_reset(&a);
    }
    query_end(&q);
    arena_release(&a);
    return r;
}

int version_find(struct db *db, struct str workflow, struct str prefix, struct digest *ret,
                 struct err *err)
{
    bool good = prefix.len >= 4 && prefix.len < DIGEST_HEX;
    for (size_t i = 0; good && i < prefix.len; i++)
        good = strchr("0123456789abcdef", prefix.ptr[i]) != NULL && prefix.ptr[i] != 0;
    if (!good)
        return err_set(err, EINVAL,
                       "a version is named by its digest or the beginning of it: 4 to 64 digits "
                       "0-9 a-f, found \"%.*s\"",
                       STR_FMT(str_slice(prefix, 0, 70)));
    struct query q = query_on(db, SQL_VERSION_FIND);
    query_put_str(&q, workflow);
    query_put_str(&q, prefix);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "workflow %.*s has no version %.*s", STR_FMT(workflow),
                       STR_FMT(prefix));
    if (r < 0)
        return r;
    *ret = query_digest(&q);
    r = query_step(&q, err);
    query_end(&q);
    if (r > 0)
        return err_set(err, EINVAL, "several versions of %.*s begin with %.*s: give more digits",
                       STR_FMT(workflow), STR_FMT(prefix));
    return r;
}

int store_version_find(struct store *s, struct str workflow, struct str prefix, struct digest *ret,
                       struct err *err)
{
    return version_find(&s->db, workflow, prefix, ret, err);
}
