/*
 * ledger.c: what was used and what it cost; what happened to tool calls, for counters over windows.
 * In reeved.
 *
 * A policy may ask for a counter over thirty days at each call, so counting must not read thirty
 * days: each history row holds the number and the sum of all rows of its key so far, and a window
 * is the difference of two.
 */
#include "supervisor/store/internal.h"

int store_usage_add(struct store *s, const struct store_usage *u, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_USAGE_ADD);
    query_put_str(&q, u->tenant);
    query_put_i64(&q, u->day);
    query_put_str(&q, u->workflow);
    query_put_str(&q, u->route);
    query_put_i64(&q, u->calls);
    query_put_i64(&q, u->input_tokens);
    query_put_i64(&q, u->output_tokens);
    query_put_i64(&q, u->cost_micro);
    r = query_run(&q, err);
    return MIN(r, 0);
}

int store_usage_tenant(struct store *s, struct str tenant, int64_t from_day,
                       struct store_usage *ret_sum, struct err *err)
{
    struct query q = query_on(&s->db, SQL_USAGE_TENANT);
    query_put_str(&q, tenant);
    query_put_i64(&q, from_day);
    int r = query_step(&q, err);
    if (r < 0)
        return r;
    *ret_sum = (struct store_usage){.tenant = tenant, .day = from_day};
    if (r > 0) {
        ret_sum->calls = query_i64(&q);
        ret_sum->input_tokens = query_i64(&q);
        ret_sum->output_tokens = query_i64(&q);
        ret_sum->cost_micro = query_i64(&q);
    }
    query_end(&q);
    return 0;
}

static int64_t add_capped(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

static void put_key(struct query *q, const struct store_history *h)
{
    query_put_str(q, h->tool);
    query_put_str(q, h->kind);
    query_put_str(q, h->workflow);
    query_put_str(q, h->tenant);
}

static int history_key(struct store *s, const struct store_history *h, int64_t *ret,
                       struct err *err)
{
    struct query q = query_on(&s->db, SQL_HISTORY_KEY_FIND);
    put_key(&q, h);
    int r = query_step(&q, err);
    if (r > 0) {
        *ret = query_i64(&q);
        return query_done(&q, err);
    }
    if (r < 0)
        return r;
    q = query_on(&s->db, SQL_HISTORY_KEY_ADD);
    put_key(&q, h);
    r = query_run(&q, err);
    *ret = sqlite3_last_insert_rowid(s->db.handle);
    return MIN(r, 0);
}

struct tally {
    int64_t at_ms, n, total;
};

/* Reads n and total of the one row that `q` finds; zeros where there is none. */
static int read_tally(struct query *q, bool with_time, struct tally *ret, struct err *err)
{
    *ret = (struct tally){0};
    int r = query_step(q, err);
    if (r > 0) {
        ret->at_ms = with_time ? query_i64(q) : 0;
        ret->n = query_i64(q);
        ret->total = query_i64(q);
        query_end(q);
    }
    return r;
}

int store_history_add(struct store *s, const struct store_history *h, struct err *err)
{
    int64_t key = 0;
    int r = store_change(s, err);
    if (r >= 0)
        r = history_key(s, h, &key, err);
    if (r < 0)
        return r;
    struct tally last;
    struct query q = query_on(&s->db, SQL_HISTORY_LAST);
    query_put_i64(&q, key);
    r = read_tally(&q, true, &last, err);
    if (r < 0)
        return r;
    q = query_on(&s->db, SQL_HISTORY_ADD);
    query_put_i64(&q, key);
    /* A clock that was set back must not put an entry before one that is counted in it. */
    query_put_i64(&q, r > 0 ? MAX(h->at_ms, last.at_ms) : h->at_ms);
    query_put_i64(&q, last.n + 1);
    query_put_i64(&q, add_capped(last.total, h->value));
    query_put_i64(&q, h->run);
    query_put_i64(&q, h->seq);
    query_put_i64(&q, h->value);
    r = query_run(&q, err);
    return MIN(r, 0);
}

static int key_sum(struct store *s, int64_t key, int64_t since_ms, struct tally *ret,
                   struct err *err)
{
    struct tally last, before;
    *ret = (struct tally){0};
    struct query q = query_on(&s->db, SQL_HISTORY_LAST);
    query_put_i64(&q, key);
    int r = read_tally(&q, true, &last, err);
    if (r <= 0 || last.at_ms <= since_ms)
        return r;
    q = query_on(&s->db, SQL_HISTORY_UNTIL);
    query_put_i64(&q, key);
    query_put_i64(&q, since_ms);
    r = read_tally(&q, false, &before, err);
    if (r == 0) { /* all of what is kept lies in the window */
        q = query_on(&s->db, SQL_HISTORY_FIRST);
        query_put_i64(&q, key);
        r = read_tally(&q, false, &before, err);
    }
    ret->n = last.n - before.n;
    ret->total = before.total == INT64_MIN ? INT64_MAX : add_capped(last.total, -before.total);
    return r;
}

int store_history_sum(struct store *s, const struct store_history *match, int64_t since_ms,
                      int64_t *ret_count, int64_t *ret_sum, struct err *err)
{
    struct query q =
        query_on(&s->db, match->tool.len > 0 ? SQL_HISTORY_KEYS_OF_TOOL : SQL_HISTORY_KEYS);
    put_key(&q, match);
    int64_t count = 0, sum = 0;
    int r;
    while ((r = query_step(&q, err)) > 0) {
        struct tally t;
        int64_t key = query_i64(&q);
        r = key_sum(s, key, since_ms, &t, err);
        if (r < 0)
            break;
        count += t.n;
        sum = add_capped(sum, t.total);
    }
    query_end(&q);
    if (r < 0)
        return r;
    *ret_count = count;
    *ret_sum = sum;
    return 0;
}
