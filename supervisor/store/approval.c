/*
 * approval.c: decisions of policy, and approvals of people with their votes. In reeved.
 */
#include "supervisor/store/internal.h"

int store_decision_add(struct store *s, const struct store_decision *row, int64_t *ret_id,
                       struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query query = query_on(&s->db, SQL_DECISION_ADD), *q = &query;
    DECISION_COLUMNS(COLUMN_PUT)
    size_t facts = s->db.packed_len;
    r = query_run(q, err);
    if (r < 0)
        return r;
    run_claims(s, row->run, 2 * ROW_TAKES + facts);
    *ret_id = sqlite3_last_insert_rowid(s->db.handle);
    return 0;
}

int store_approval_add(struct store *s, const struct store_approval *row, int64_t *ret_id,
                       struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query query = query_on(&s->db, SQL_APPROVAL_ADD), *q = &query;
    APPROVAL_COLUMNS(COLUMN_PUT, COLUMN_PUT)
    r = query_run(q, err);
    if (r < 0)
        return r;
    *ret_id = sqlite3_last_insert_rowid(s->db.handle);
    return 0;
}

int store_approval_update(struct store *s, const struct store_approval *row, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query query = query_on(&s->db, SQL_APPROVAL_UPDATE), *q = &query;
    APPROVAL_COLUMNS(COLUMN_NONE, COLUMN_PUT)
    query_put_i64(q, row->id);
    r = query_run(q, err);
    return r == 0 ? err_set(err, ENOENT, "no approval %" PRId64, row->id) : MIN(r, 0);
}

int store_approval_get(struct store *s, int64_t id, struct arena *a, struct store_approval *ret,
                       struct err *err)
{
    struct query q = query_on(&s->db, SQL_APPROVAL_GET);
    query_put_i64(&q, id);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "no approval %" PRId64, id);
    if (r < 0)
        return r;
    struct store_approval found;
    read_approval(&q, a, &found);
    r = query_done(&q, err);
    if (r >= 0)
        *ret = found;
    return r;
}

struct approval_call {
    store_approval_fn *fn;
    void *arg;
};

static int deliver_approval(void *arg, const void *row)
{
    struct approval_call *c = arg;
    return c->fn(c->arg, row);
}

int store_approvals_open(struct store *s, store_approval_fn *fn, void *arg, struct err *err)
{
    struct approval_call call = {fn, arg};
    struct each e = {.sql = SQL_APPROVALS_IN_STATE,
                     .numbers = {APPROVAL_OPEN},
                     .number_count = 1,
                     .batch = 16,
                     .row_bytes = sizeof(struct store_approval),
                     .read = read_approval,
                     .key = approval_key,
                     .deliver = deliver_approval,
                     .arg = &call};
    return each_row(&s->db, &e, err);
}

int store_vote_add(struct store *s, const struct store_vote *row, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query query = query_on(&s->db, SQL_VOTE_ADD), *q = &query;
    VOTE_COLUMNS(COLUMN_PUT)
    r = query_run(q, err);
    if (r == -EEXIST)
        return err_set(err, EEXIST, "approval %" PRId64 ": %.*s has already voted", row->approval,
                       STR_FMT(row->user));
    if (r == -ENOENT)
        return err_set(err, ENOENT, "no approval %" PRId64, row->approval);
    return MIN(r, 0);
}

struct vote_call {
    store_vote_fn *fn;
    void *arg;
};

static int deliver_vote(void *arg, const void *row)
{
    struct vote_call *c = arg;
    return c->fn(c->arg, row);
}

int store_votes(struct store *s, int64_t approval, store_vote_fn *fn, void *arg, struct err *err)
{
    struct vote_call call = {fn, arg};
    struct each e = {.sql = SQL_VOTES,
                     .numbers = {approval},
                     .number_count = 1,
                     .after = INT64_MIN,
                     .batch = 64,
                     .row_bytes = sizeof(struct store_vote),
                     .read = read_vote,
                     .key = vote_key,
                     .deliver = deliver_vote,
                     .arg = &call};
    return each_row(&s->db, &e, err);
}
