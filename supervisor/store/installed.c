/*
 * installed.c: policy sets and workflow versions by digest, and small values by name. In reeved.
 */
#include "supervisor/store/internal.h"

static int read_packed(struct query *q, struct arena *a, struct str *ret, const char *what,
                       struct err *err)
{
    int r = query_step(q, err);
    if (r == 0)
        return err_set(err, ENOENT, "store: no such %s", what);
    if (r < 0)
        return r;
    struct str text = query_packed(q, a);
    r = query_done(q, err);
    if (r >= 0)
        *ret = text;
    return r;
}

int store_policy_put(struct store *s, const struct digest *d, struct str text, int64_t at_ms,
                     struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_POLICY_PUT);
    query_put_digest(&q, *d);
    query_put_i64(&q, at_ms);
    query_put_packed(&q, text);
    r = query_run(&q, err);
    return MIN(r, 0);
}

int store_policy_get(struct store *s, const struct digest *d, struct arena *a, struct str *ret,
                     struct err *err)
{
    struct query q = query_on(&s->db, SQL_POLICY_GET);
    query_put_digest(&q, *d);
    return read_packed(&q, a, ret, "policy set", err);
}

int store_version_put(struct store *s, const struct digest *d, struct str workflow, struct str text,
                      int64_t at_ms, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_VERSION_PUT);
    query_put_digest(&q, *d);
    query_put_str(&q, workflow);
    query_put_i64(&q, at_ms);
    query_put_packed(&q, text);
    r = query_run(&q, err);
    return MIN(r, 0);
}

int store_version_get(struct store *s, const struct digest *d, struct arena *a, struct str *ret,
                      struct err *err)
{
    struct query q = query_on(&s->db, SQL_VERSION_GET);
    query_put_digest(&q, *d);
    return read_packed(&q, a, ret, "workflow version", err);
}

int store_version_current(struct store *s, struct str workflow, const struct digest *d,
                          int64_t at_ms, struct err *err)
{
    struct query q = query_on(&s->db, SQL_VERSION_CURRENT_GET);
    query_put_str(&q, workflow);
    int r = query_step(&q, err);
    if (r > 0) {
        struct digest now = query_digest(&q);
        r = query_done(&q, err);
        if (r >= 0 && digest_eq(&now, d))
            return 0;
    }
    if (r >= 0)
        r = store_change(s, err);
    if (r < 0)
        return r;
    q = query_on(&s->db, SQL_VERSION_CURRENT_ADD);
    query_put_str(&q, workflow);
    query_put_digest(&q, *d);
    query_put_i64(&q, at_ms);
    r = query_run(&q, err);
    return MIN(r, 0);
}

int store_value_put(struct store *s, struct str name, struct str text, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_VALUE_PUT);
    query_put_str(&q, name);
    query_put_packed(&q, text);
    r = query_run(&q, err);
    return MIN(r, 0);
}

int store_value_get(struct store *s, struct str name, struct arena *a, struct str *ret,
                    struct err *err)
{
    struct query q = query_on(&s->db, SQL_VALUE_GET);
    query_put_str(&q, name);
    return read_packed(&q, a, ret, "value", err);
}
