/*
 * retention.c: deletes what is over and old, a bounded amount a call, and gives pages back. In
 * reeved.
 *
 * The order matters for nothing but itself: all of a call is one transaction.
 */
#include "supervisor/store/internal.h"

#define RUNS_MAX     500 /* a call */
#define VACUUM_PAGES "PRAGMA incremental_vacuum(256)"
#define DAY_MS       ((int64_t)24 * 60 * 60 * 1000)
#define EVENT_KEEP_MS                                                          \
    (30 * DAY_MS) /* events that started nothing, after the runs of their time \
                   */
#define HISTORY_KEEP_MS   (400 * DAY_MS) /* no counter's window is longer than a year */
#define OLD_EVENTS_A_CALL 1000

static int drop_by(struct store *s, enum sql_id sql, int64_t a, struct err *err)
{
    struct query q = query_on(&s->db, sql);
    query_put_i64(&q, a);
    int r = query_run(&q, err);
    return MIN(r, 0);
}

static int drop_range(struct store *s, enum sql_id sql, int64_t run, struct err *err)
{
    struct query q = query_on(&s->db, sql);
    query_put_i64(&q, ROW_ID(run, 0));
    query_put_i64(&q, ROW_ID(run, RUN_SEQ_MAX));
    int r = query_run(&q, err);
    return MIN(r, 0);
}

struct step_docs {
    int64_t id, request, outcome;
};

/* What the steps refer to goes first, a page of steps at a time. */
static int drop_step_docs(struct store *s, int64_t run, struct err *err)
{
    struct step_docs page[500];
    int64_t after = ROW_ID(run, 0);
    size_t n;
    int r;
    do {
        struct query q = query_on(&s->db, SQL_RETENTION_STEPS);
        query_put_i64(&q, after);
        query_put_i64(&q, ROW_ID(run, RUN_SEQ_MAX));
        n = 0;
        while ((r = query_step(&q, err)) > 0) {
            page[n].id = query_i64(&q);
            page[n].request = query_i64(&q);
            page[n++].outcome = query_i64(&q);
        }
        for (size_t i = 0; i < n && r >= 0; i++) {
            r = doc_refer(s, page[i].request, 0, err);
            if (r >= 0)
                r = doc_refer(s, page[i].outcome, 0, err);
            after = page[i].id;
        }
    } while (r >= 0 && n == ARRAY_LEN(page));
    return r;
}

static int drop_run(struct store *s, int64_t run, struct err *err)
{
    static const enum sql_id by_run[] = {SQL_DROP_DECISIONS, SQL_DROP_VOTES, SQL_DROP_APPROVALS,
                                         SQL_DROP_RUN};
    struct query q = query_on(&s->db, SQL_RETENTION_RUN);
    query_put_i64(&q, run);
    int r = query_step(&q, err);
    if (r <= 0)
        return r;
    int64_t event = query_i64(&q), checkpoint = query_i64(&q), result = query_i64(&q);
    query_end(&q);
    memset(s->recent, 0, sizeof(s->recent));
    r = drop_step_docs(s, run, err);
    if (r >= 0)
        r = doc_refer(s, checkpoint, 0, err);
    if (r >= 0)
        r = doc_refer(s, result, 0, err);
    if (r >= 0)
        r = drop_range(s, SQL_DROP_STEPS, run, err);
    if (r >= 0)
        r = drop_range(s, SQL_DROP_LOG, run, err);
    for (size_t i = 0; i < ARRAY_LEN(by_run) && r >= 0; i++)
        r = drop_by(s, by_run[i], run, err);
    return r < 0 ? r : drop_by(s, SQL_DROP_EVENT, event, err);
}

static int drop_old(struct store *s, struct str workflow, int64_t before_ms, struct err *err)
{
    struct query q = query_on(&s->db, SQL_DROP_HISTORY);
    query_put_str(&q, workflow);
    query_put_i64(&q, before_ms - HISTORY_KEEP_MS);
    int r = query_run(&q, err);
    if (r < 0)
        return r;
    q = query_on(&s->db, SQL_DROP_OLD_EVENTS);
    query_put_i64(&q, before_ms - EVENT_KEEP_MS);
    query_put_i64(&q, OLD_EVENTS_A_CALL);
    r = query_run(&q, err);
    return MIN(r, 0);
}

int store_retention_replays(struct store *s, int64_t before_ms, int limit, struct err *err)
{
    int64_t runs[RUNS_MAX];
    int n = 0;
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_RETENTION_REPLAYS);
    query_put_i64(&q, before_ms);
    query_put_i64(&q, MIN(MAX(limit, 0), RUNS_MAX));
    while ((r = query_step(&q, err)) > 0)
        runs[n++] = query_i64(&q);
    for (int i = 0; i < n && r >= 0; i++)
        r = drop_run(s, runs[i], err);
    return r < 0 ? r : n;
}

/* Ids of the oldest, as many as have to go; how many. */
static int too_much(struct store *s, struct str workflow, int64_t max_bytes, int limit,
                    int64_t runs[RUNS_MAX], struct err *err)
{
    struct query q = query_on(&s->db, SQL_BYTES_OF_WORKFLOW);
    query_put_str(&q, workflow);
    int n = 0, r = query_step(&q, err);
    int64_t taken = r > 0 ? query_i64(&q) : 0;
    query_end(&q);
    if (r < 0 || taken <= max_bytes)
        return MIN(r, 0);
    q = query_on(&s->db, SQL_RETENTION_OLDEST);
    query_put_str(&q, workflow);
    query_put_i64(&q, MIN(MAX(limit, 0), RUNS_MAX));
    while (taken > max_bytes && (r = query_step(&q, err)) > 0) {
        runs[n++] = query_i64(&q);
        taken -= query_i64(&q);
    }
    query_end(&q);
    return r < 0 ? r : n;
}

int store_retention_size(struct store *s, struct str workflow, int64_t max_bytes, int limit,
                         struct err *err)
{
    int64_t runs[RUNS_MAX];
    int r = store_change(s, err);
    int n = r < 0 ? r : too_much(s, workflow, max_bytes, limit, runs, err);
    for (int i = 0; i < n && r >= 0; i++)
        r = drop_run(s, runs[i], err);
    if (n > 0 && r >= 0)
        r = db_run(&s->db, VACUUM_PAGES, err);
    return n < 0 ? n : r < 0 ? r : n;
}

int store_retention(struct store *s, struct str workflow, int64_t before_ms, int limit,
                    struct err *err)
{
    int64_t runs[RUNS_MAX];
    int n = 0;
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_RETENTION_RUNS);
    query_put_str(&q, workflow);
    query_put_i64(&q, before_ms);
    query_put_i64(&q, MIN(MAX(limit, 0), RUNS_MAX));
    while ((r = query_step(&q, err)) > 0)
        runs[n++] = query_i64(&q);
    for (int i = 0; i < n && r >= 0; i++)
        r = drop_run(s, runs[i], err);
    if (r >= 0)
        r = drop_old(s, workflow, before_ms, err);
    if (r >= 0)
        r = db_run(&s->db, VACUUM_PAGES, err);
    return r < 0 ? r : n;
}
