/*
 * step.c: the journal. In reeved.
 */
#include "supervisor/store/internal.h"

static struct recent_step *recent_of(struct store *s, int64_t pos)
{
    uint64_t mixed = (uint64_t)pos * 0x9e3779b97f4a7c15u;
    return &s->recent[(mixed >> 32) % RECENT_STEPS];
}

int store_step_add(struct store *s, const struct store_step *row, struct err *err)
{
    int64_t id;
    int r = store_row_id(row->run, row->seq, &id, err);
    if (r >= 0 && row->seq == 0)
        r = err_set(err, EINVAL, "run %" PRId64 ": steps are counted from 1", row->run);
    if (r >= 0)
        r = store_change(s, err);
    if (r >= 0)
        r = doc_refer(s, 0, row->request_doc, err);
    if (r >= 0)
        r = doc_refer(s, 0, row->outcome_doc, err);
    if (r < 0)
        return r;
    struct query query = query_on(&s->db, SQL_STEP_ADD), *q = &query;
    query_put_i64(q, id);
    STEP_COLUMNS(COLUMN_PUT, COLUMN_PUT)
    r = query_run(q, err);
    if (r < 0)
        return r;
    run_claims(s, row->run, 2 * ROW_TAKES + row->request_text.len + row->outcome_text.len + row->info.len);
    *recent_of(s, id) =
        (struct recent_step){id, sqlite3_last_insert_rowid(s->db.handle), row->outcome_doc};
    return 0;
}

/* The row, and what its outcome was before. */
static int find_step(struct store *s, const struct store_step *row, struct recent_step *ret,
                     struct err *err)
{
    int r = store_row_id(row->run, row->seq, &ret->pos, err);
    if (r < 0)
        return r;
    const struct recent_step *recent = recent_of(s, ret->pos);
    if (recent->pos == ret->pos && !s->db.broken) {
        *ret = *recent;
        return 0;
    }
    struct query q = query_on(&s->db, SQL_STEP_DOC);
    query_put_i64(&q, ret->pos);
    r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "run %" PRId64 ": no step %" PRId64, row->run, row->seq);
    if (r < 0)
        return r;
    ret->id = query_i64(&q);
    ret->outcome_doc = query_i64(&q);
    return query_done(&q, err);
}

int store_step_update(struct store *s, const struct store_step *row, struct err *err)
{
    struct recent_step at = {0};
    int r = store_change(s, err);
    if (r >= 0)
        r = find_step(s, row, &at, err);
    if (r >= 0)
        r = doc_refer(s, at.outcome_doc, row->outcome_doc, err);
    if (r < 0)
        return r;
    struct query query = query_on(&s->db, SQL_STEP_UPDATE), *q = &query;
    STEP_COLUMNS(COLUMN_NONE, COLUMN_PUT)
    query_put_i64(q, at.id);
    r = query_run(q, err);
    if (r == 0) /* not that row: nothing may be taken for granted */
        return err_set(err, ENOENT, "run %" PRId64 ": no step %" PRId64, row->run, row->seq);
    if (r < 0)
        return r;
    run_claims(s, row->run, 0);
    at.outcome_doc = row->outcome_doc;
    *recent_of(s, at.pos) = at;
    return 0;
}

int store_step_get(struct store *s, int64_t run, int64_t seq, struct arena *a,
                   struct store_step *ret, struct err *err)
{
    int64_t id;
    int r = store_row_id(run, seq, &id, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_STEP_GET);
    query_put_i64(&q, id);
    r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "run %" PRId64 ": no step %" PRId64, run, seq);
    if (r < 0)
        return r;
    struct store_step st;
    read_step(&q, a, &st);
    r = query_done(&q, err);
    if (r >= 0)
        *ret = st;
    return r;
}

struct step_call {
    store_step_fn *fn;
    void *arg;
};

static int deliver_step(void *arg, const void *row)
{
    struct step_call *c = arg;
    return c->fn(c->arg, row);
}

static int each_step(struct store *s, struct each e, store_step_fn *fn, void *arg, struct err *err)
{
    struct step_call call = {fn, arg};
    e.batch = 256;
    e.row_bytes = sizeof(struct store_step);
    e.read = read_step;
    e.key = step_key;
    e.deliver = deliver_step;
    e.arg = &call;
    return each_row(&s->db, &e, err);
}

int store_steps(struct store *s, int64_t run, int64_t after_seq, store_step_fn *fn, void *arg,
                struct err *err)
{
    int64_t after;
    int r = store_row_id(run, after_seq, &after, err);
    if (r < 0)
        return r;
    struct each e = {
        .sql = SQL_STEPS, .numbers = {ROW_ID(run, RUN_SEQ_MAX)}, .number_count = 1, .after = after};
    return each_step(s, e, fn, arg, err);
}

int store_steps_in_state(struct store *s, enum step_state state, store_step_fn *fn, void *arg,
                         struct err *err)
{
    bool ended = state == STEP_COMMITTED || state == STEP_FAILED || state == STEP_DENIED;
    struct each e = {
        .sql = ended ? SQL_STEPS_ENDED : SQL_STEPS_UNENDED, .numbers = {state}, .number_count = 1};
    return each_step(s, e, fn, arg, err);
}

int store_steps_open(struct store *s, enum step_kind kind, struct str key, store_step_fn *fn,
                     void *arg, struct err *err)
{
    struct each e = {
        .sql = SQL_STEPS_OPEN, .numbers = {kind}, .number_count = 1, .text = key, .has_text = true};
    return each_step(s, e, fn, arg, err);
}

int store_waits_open(struct store *s, struct str type, int64_t bucket, store_step_fn *fn, void *arg,
                     struct err *err)
{
    struct each e = {.sql = SQL_WAITS_OPEN,
                     .numbers = {bucket},
                     .number_count = 1,
                     .text = type,
                     .has_text = true};
    return each_step(s, e, fn, arg, err);
}

int store_wait_paths(struct store *s, struct str type, struct store_wait_paths *ret,
                     struct err *err)
{
    struct query q = query_on(&s->db, SQL_WAIT_PATHS);
    int r;
    ret->count = 0;
    query_put_str(&q, type);
    while ((r = query_step(&q, err)) > 0)
        if (ret->count < STORE_WAIT_PATHS)
            query_chars(&q, ret->path[ret->count++], STORE_WAIT_PATH_SIZE);
    return r;
}

int store_wait_path_put(struct store *s, struct str type, struct str path, bool *ret_known,
                        struct err *err)
{
    struct store_wait_paths known;
    *ret_known = false;
    if (path.len >= STORE_WAIT_PATH_SIZE || memchr(path.ptr, 0, path.len) != NULL)
        return 0;
    int r = store_wait_paths(s, type, &known, err);
    for (size_t i = 0; r >= 0 && i < known.count && !*ret_known; i++)
        *ret_known = str_is(path, known.path[i]);
    if (r < 0 || *ret_known || known.count == STORE_WAIT_PATHS)
        return r;
    if ((r = store_change(s, err)) < 0)
        return r;
    struct query q = query_on(&s->db, SQL_WAIT_PATH_ADD);
    query_put_str(&q, type);
    query_put_str(&q, path);
    r = query_run(&q, err);
    *ret_known = r >= 0;
    return MIN(r, 0);
}
