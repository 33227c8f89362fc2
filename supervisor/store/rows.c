/*
 * rows.c: one row of each wide table into its struct, and rows to a callback. For the store and the
 * view.
 */
#include "supervisor/store/internal.h"

#include "policy/text/arena.h"

#define BATCH_BYTES ((size_t)1 << 30)

void read_run(struct query *q, struct arena *a, void *p)
{
    struct store_run *row = p;
    row->id = query_i64(q);
    RUN_COLUMNS(COLUMN_GET, COLUMN_GET)
}

void read_step(struct query *q, struct arena *a, void *p)
{
    struct store_step *row = p;
    int64_t id = query_i64(q);
    row->run = id >> RUN_SEQ_BITS;
    row->seq = id & RUN_SEQ_MAX;
    STEP_COLUMNS(COLUMN_GET, COLUMN_GET)
}

void read_event(struct query *q, struct arena *a, void *p)
{
    struct store_event *row = p;
    row->id = query_i64(q);
    EVENT_COLUMNS(COLUMN_GET)
}

void read_approval(struct query *q, struct arena *a, void *p)
{
    struct store_approval *row = p;
    row->id = query_i64(q);
    APPROVAL_COLUMNS(COLUMN_GET, COLUMN_GET)
}

void read_vote(struct query *q, struct arena *a, void *p)
{
    struct store_vote *row = p;
    VOTE_COLUMNS(COLUMN_GET)
}

void read_audit(struct query *q, struct arena *a, void *p)
{
    struct audit_row *row = p;
    query_get_i64(q, a, row->id);
    query_get_i64(q, a, row->at_ms);
    query_get_str(q, a, row->actor);
    query_get_str(q, a, row->action);
    query_get_str(q, a, row->subject);
    query_get_str(q, a, row->detail);
    query_get_digest(q, a, row->digest);
}

int64_t run_key(const void *row)
{
    return ((const struct store_run *)row)->id;
}

int64_t step_key(const void *row)
{
    const struct store_step *st = row;
    return ROW_ID(st->run, st->seq);
}

int64_t event_key(const void *row)
{
    return ((const struct store_event *)row)->id;
}

int64_t approval_key(const void *row)
{
    return ((const struct store_approval *)row)->id;
}

int64_t vote_key(const void *row)
{
    return ((const struct store_vote *)row)->uid;
}

int64_t audit_key(const void *row)
{
    return ((const struct audit_row *)row)->id;
}

static struct query each_query(struct db *db, const struct each *e, int64_t after, int64_t batch)
{
    struct query q = query_on(db, e->sql);
    for (size_t i = 0; i < e->number_count; i++)
        query_put_i64(&q, e->numbers[i]);
    if (e->has_text)
        query_put_str(&q, e->text);
    if (!e->once)
        query_put_i64(&q, after);
    query_put_i64(&q, batch);
    return q;
}

/* Up to `batch` rows into the arena; their number. */
static int64_t each_batch(struct db *db, const struct each *e, int64_t after, int64_t batch,
                          struct arena *a, char **ret_rows, struct err *err)
{
    char *rows = arena_array(a, (size_t)batch, e->row_bytes);
    if (rows == NULL)
        return err_set(err, ENOMEM, "store: out of memory for %" PRId64 " rows", batch);
    struct query q = each_query(db, e, after, batch);
    int64_t n = 0;
    int r;
    while ((r = query_step(&q, err)) > 0) {
        if (n < batch)
            e->read(&q, a, rows + (size_t)n * e->row_bytes);
        n++;
    }
    if (r < 0)
        return r;
    *ret_rows = rows;
    return MIN(n, batch);
}

int each_row(struct db *db, const struct each *e, struct err *err)
{
    struct arena a;
    arena_init(&a, BATCH_BYTES);
    int64_t after = e->after, left = e->limit > 0 ? e->limit : INT64_MAX, n;
    int64_t batch = e->once ? MIN(left, 1000) : e->batch;
    int r = 0;
    do {
        char *rows = NULL;
        batch = MIN(batch, left);
        n = each_batch(db, e, after, batch, &a, &rows, err);
        if (n < 0)
            r = (int)n;
        for (int64_t i = 0; i < n && r == 0; i++) {
            const char *row = rows + (size_t)i * e->row_bytes;
            if (e->key != NULL)
                after = e->key(row);
            r = e->deliver(e->arg, row);
        }
        left -= MAX(n, 0);
        arena_reset(&a);
    } while (r == 0 && n == batch && left > 0 && !e->once);
    arena_release(&a);
    return r;
}
