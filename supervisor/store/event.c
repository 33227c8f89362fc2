/*
 * event.c: events, each once by source and id. In reeved.
 */
#include "supervisor/store/internal.h"

int store_event_find(struct store *s, struct str source, struct str event_id, int64_t *ret,
                     struct err *err)
{
    struct query q = query_on(&s->db, SQL_EVENT_FIND);
    query_put_str(&q, source);
    query_put_str(&q, event_id);
    int r = query_step(&q, err);
    if (r <= 0)
        return r;
    *ret = query_i64(&q);
    r = query_done(&q, err);
    return r < 0 ? r : 1;
}

int store_event_add(struct store *s, const struct store_event *row, int64_t *ret_id,
                    bool *ret_duplicate, struct err *err)
{
    int64_t id;
    int r = store_event_find(s, row->source, row->event_id, &id, err);
    if (r == 0)
        r = store_change(s, err);
    else if (r > 0) {
        *ret_id = id;
        *ret_duplicate = true;
        return 0;
    }
    if (r < 0)
        return r;
    struct query query = query_on(&s->db, SQL_EVENT_ADD), *q = &query;
    EVENT_COLUMNS(COLUMN_PUT)
    s->unclaimed = (int64_t)s->db.packed_len + 2 * ROW_TAKES; /* for the run that it starts */
    r = query_run(q, err);
    if (r < 0)
        return r;
    *ret_id = sqlite3_last_insert_rowid(s->db.handle);
    *ret_duplicate = false;
    return 0;
}

int store_event_get(struct store *s, int64_t id, struct arena *a, struct store_event *ret,
                    struct err *err)
{
    struct query q = query_on(&s->db, SQL_EVENT_GET);
    query_put_i64(&q, id);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "no event %" PRId64, id);
    if (r < 0)
        return r;
    struct store_event e;
    read_event(&q, a, &e);
    r = query_done(&q, err);
    if (r >= 0)
        *ret = e;
    return r;
}

struct event_call {
    store_event_fn *fn;
    void *arg;
};

static int deliver_event(void *arg, const void *row)
{
    struct event_call *c = arg;
    return c->fn(c->arg, row);
}

int store_events_since(struct store *s, struct str type, int64_t after_id, store_event_fn *fn,
                       void *arg, struct err *err)
{
    struct event_call call = {fn, arg};
    struct each e = {.sql = SQL_EVENTS_SINCE,
                     .text = type,
                     .has_text = true,
                     .after = after_id,
                     .batch = 8,
                     .row_bytes = sizeof(struct store_event),
                     .read = read_event,
                     .key = event_key,
                     .deliver = deliver_event,
                     .arg = &call};
    return each_row(&s->db, &e, err);
}
