/*
 * run.c: runs. In reeved.
 */
#include "supervisor/store/internal.h"

void run_claims(struct store *s, int64_t run, size_t more)
{
    int64_t bytes = s->unclaimed + (int64_t)more;
    size_t i = 0;
    s->unclaimed = run > 0 ? 0 : bytes;
    if (run <= 0)
        return;
    while (i < TAKEN_MAX && s->taken[i].run != run)
        i++;
    if (i == TAKEN_MAX) { /* in the place of the one that was asked for least lately: a run that has
                             ended */
        i = s->taken_next++ % TAKEN_MAX;
        s->taken[i] = (struct taken){.run = run};
    }
    s->taken[i].bytes += bytes;
}

int64_t store_run_taken(struct store *s, int64_t run)
{
    int64_t bytes = s->unclaimed;
    s->unclaimed = 0;
    if (run == 0)
        return bytes + 2 * ROW_TAKES;
    for (size_t i = 0; i < TAKEN_MAX; i++)
        if (s->taken[i].run == run) {
            bytes += s->taken[i].bytes;
            s->taken[i].bytes = 0;
        }
    return bytes;
}

int store_bytes_by_tenant(struct store *s, store_bytes_fn *fn, void *arg, struct err *err)
{
    struct arena a;
    struct query q = query_on(&s->db, SQL_BYTES_OF_TENANTS);
    int r, e = 0;
    arena_init(&a, 1u << 20);
    while (e >= 0 && (r = query_step(&q, err)) > 0) {
        struct str tenant = query_str(&q, &a);
        e = fn(arg, tenant, query_i64(&q));
    }
    query_end(&q);
    arena_release(&a);
    return e < 0 ? e : r;
}

int store_run_add(struct store *s, const struct store_run *row, int64_t *ret_id, struct err *err)
{
    int r = store_change(s, err);
    if (r >= 0)
        r = doc_refer(s, 0, row->checkpoint_doc, err);
    if (r >= 0)
        r = doc_refer(s, 0, row->result_doc, err);
    if (r < 0)
        return r;
    struct query query = query_on(&s->db, SQL_RUN_ADD), *q = &query;
    RUN_COLUMNS(COLUMN_PUT, COLUMN_PUT)
    r = query_run(q, err);
    if (r < 0)
        return r;
    *ret_id = sqlite3_last_insert_rowid(s->db.handle);
    return 0;
}

int store_run_get(struct store *s, int64_t id, struct arena *a, struct store_run *ret,
                  struct err *err)
{
    struct query q = query_on(&s->db, SQL_RUN_GET);
    query_put_i64(&q, id);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "no run %" PRId64, id);
    if (r < 0)
        return r;
    struct store_run run = {0};
    read_run(&q, a, &run);
    r = query_done(&q, err);
    if (r >= 0)
        *ret = run;
    return r;
}

static int refer_docs(struct store *s, const struct store_run *row, struct err *err)
{
    struct query q = query_on(&s->db, SQL_RUN_DOCS);
    query_put_i64(&q, row->id);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "no run %" PRId64, row->id);
    if (r < 0)
        return r;
    int64_t checkpoint = query_i64(&q), result = query_i64(&q);
    query_end(&q);
    r = doc_refer(s, checkpoint, row->checkpoint_doc, err);
    return r < 0 ? r : doc_refer(s, result, row->result_doc, err);
}

int store_run_update(struct store *s, const struct store_run *row, struct err *err)
{
    int r = store_change(s, err);
    if (r >= 0)
        r = refer_docs(s, row, err);
    if (r < 0)
        return r;
    struct query query = query_on(&s->db, SQL_RUN_UPDATE), *q = &query;
    RUN_COLUMNS(COLUMN_NONE, COLUMN_PUT)
    query_put_i64(q, row->id);
    r = query_run(q, err);
    return MIN(r, 0);
}

int store_run_progress(struct store *s, const struct store_run *row, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_RUN_PROGRESS);
    query_put_i64(&q, row->next_seq);
    query_put_i64(&q, row->steps);
    query_put_i64(&q, row->tool_calls);
    query_put_i64(&q, row->model_calls);
    query_put_i64(&q, row->input_tokens);
    query_put_i64(&q, row->output_tokens);
    query_put_i64(&q, row->cost_micro);
    query_put_i64(&q, row->bytes);
    query_put_i64(&q, row->id);
    r = query_run(&q, err);
    return r == 0 ? err_set(err, ENOENT, "no run %" PRId64, row->id) : MIN(r, 0);
}

struct run_call {
    store_run_fn *fn;
    void *arg;
};

static int deliver_run(void *arg, const void *row)
{
    struct run_call *c = arg;
    return c->fn(c->arg, row);
}

static int each_run(struct store *s, struct each e, store_run_fn *fn, void *arg, struct err *err)
{
    struct run_call call = {fn, arg};
    e.batch = 256;
    e.row_bytes = sizeof(struct store_run);
    e.read = read_run;
    e.key = run_key;
    e.deliver = deliver_run;
    e.arg = &call;
    return each_row(&s->db, &e, err);
}

int store_runs(struct store *s, unsigned states, int64_t after_id, int limit, store_run_fn *fn,
               void *arg, struct err *err)
{
    if (limit <= 0)
        return 0;
    struct each e = {
        .sql = SQL_RUNS, .numbers = {states}, .number_count = 1, .after = after_id, .limit = limit};
    if (states != 0 && (states & (states - 1)) == 0) {
        e.sql = SQL_RUNS_IN_STATE;
        e.numbers[0] = __builtin_ctz(states);
    }
    return each_run(s, e, fn, arg, err);
}

int store_runs_due(struct store *s, int64_t now_ms, int limit, store_run_fn *fn, void *arg,
                   struct err *err)
{
    if (limit <= 0)
        return 0;
    struct each e = {
        .sql = SQL_RUNS_DUE, .numbers = {now_ms}, .number_count = 1, .limit = limit, .once = true};
    return each_run(s, e, fn, arg, err);
}

int store_clock_shift(struct store *s, int64_t by_ms, struct err *err)
{
    static const struct {
        enum sql_id sql;
        bool by; /* takes it as its parameter */
    } rows[] = {{SQL_CLOCK_STEPS, true},   {SQL_CLOCK_RETRIES, true}, {SQL_CLOCK_WAITS, false},
                {SQL_CLOCK_FAILING, true}, {SQL_CLOCK_GATES, true},   {SQL_CLOCK_RATES, true}};
    _Static_assert(STEP_TIMER == 3 && WAIT_RETRY == 8 && APPROVAL_OPEN == 0,
                   "as the statements say");
    int r = store_change(s, err);
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(rows); i++) {
        struct query q = query_on(&s->db, rows[i].sql);
        if (rows[i].by)
            query_put_i64(&q, by_ms);
        r = query_run(&q, err);
    }
    return MIN(r, 0);
}

int store_next_wake(struct store *s, int64_t *ret_ms, struct err *err)
{
    struct query q = query_on(&s->db, SQL_NEXT_WAKE);
    int r = query_step(&q, err);
    if (r < 0)
        return r;
    *ret_ms = r > 0 ? query_i64(&q) : 0;
    query_end(&q);
    return 0;
}

int store_runs_waiting(struct store *s, enum run_wait w, int64_t after_id, int limit,
                       store_run_fn *fn, void *arg, struct err *err)
{
    if (limit <= 0)
        return 0;
    struct each e = {.sql = SQL_RUNS_WAITING,
                     .numbers = {w},
                     .number_count = 1,
                     .after = after_id,
                     .limit = limit};
    return each_run(s, e, fn, arg, err);
}

int store_runs_of_event(struct store *s, int64_t event, store_run_fn *fn, void *arg,
                        struct err *err)
{
    struct each e = {.sql = SQL_RUNS_OF_EVENT, .numbers = {event}, .number_count = 1};
    return each_run(s, e, fn, arg, err);
}

int store_runs_children(struct store *s, int64_t parent, store_run_fn *fn, void *arg,
                        struct err *err)
{
    struct each e = {.sql = SQL_RUNS_CHILDREN, .numbers = {parent}, .number_count = 1};
    return each_run(s, e, fn, arg, err);
}

int store_runs_count(struct store *s, int64_t by_state[RUN_STATE_COUNT], struct err *err)
{
    memset(by_state, 0, RUN_STATE_COUNT * sizeof(by_state[0]));
    struct query q = query_on(&s->db, SQL_RUNS_COUNT);
    int r;
    while ((r = query_step(&q, err)) > 0) {
        int64_t state = query_i64(&q), n = query_i64(&q);
        if (state >= 0 && state < RUN_STATE_COUNT)
            by_state[state] = n;
    }
    return r;
}
