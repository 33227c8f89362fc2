/*
 * audit.c: the audit record, each entry chained to the one before it by digest; and log lines of
 * runs. In reeved.
 */
#include "supervisor/store/internal.h"

#include "policy/text/utf8.h"

static struct digest audit_digest(const struct digest *before, const struct audit_row *r)
{
    char numbers[48];
    int n = snprintf(numbers, sizeof(numbers), "%" PRId64 " %" PRId64, r->id, r->at_ms);
    struct str parts[] = {
        {(const char *)before->bytes, sizeof(before->bytes)},
        {numbers, (size_t)n},
        r->actor,
        r->action,
        r->subject,
        r->detail,
    };
    return digest_of_parts(parts, ARRAY_LEN(parts));
}

static int audit_head(struct store *s, struct err *err)
{
    if (s->audit_known)
        return 0;
    s->audit_id = 0;
    s->audit_head = (struct digest){0};
    struct query q = query_on(&s->db, SQL_AUDIT_LAST);
    int r = query_step(&q, err);
    if (r > 0) {
        s->audit_id = query_i64(&q);
        s->audit_head = query_digest(&q);
        r = query_done(&q, err);
    }
    if (r >= 0)
        s->audit_known = true;
    return r;
}

int store_audit_add(struct store *s, int64_t at_ms, struct str actor, struct str action,
                    struct str subject, struct str detail, struct err *err)
{
    int r = store_change(s, err);
    if (r >= 0)
        r = audit_head(s, err);
    if (r < 0)
        return r;
    struct audit_row row = {s->audit_id + 1, at_ms, actor, action, subject, detail, {{0}}};
    row.digest = audit_digest(&s->audit_head, &row);
    struct query q = query_on(&s->db, SQL_AUDIT_ADD);
    query_put_i64(&q, row.id);
    query_put_i64(&q, row.at_ms);
    query_put_str(&q, row.actor);
    query_put_str(&q, row.action);
    query_put_str(&q, row.subject);
    query_put_str(&q, row.detail);
    query_put_digest(&q, row.digest);
    r = query_run(&q, err);
    if (r < 0)
        return r;
    s->audit_id = row.id;
    s->audit_head = row.digest;
    return 0;
}

struct audit_walk {
    struct digest head;
    int64_t id;
    struct err *err;
};

static int check_record(void *arg, const void *p)
{
    struct audit_walk *w = arg;
    const struct audit_row *row = p;
    if (row->id != w->id + 1)
        return err_set(w->err, EUCLEAN, "audit record %" PRId64 " is missing", w->id + 1);
    struct digest d = audit_digest(&w->head, row);
    if (!digest_eq(&d, &row->digest))
        return err_set(w->err, EUCLEAN, "audit record %" PRId64 " was changed", row->id);
    w->head = d;
    w->id = row->id;
    return 0;
}

int store_audit_check(struct store *s, int64_t *ret_records, struct err *err)
{
    struct audit_walk walk = {.err = err};
    struct each e = {.sql = SQL_AUDIT_ALL,
                     .batch = 256,
                     .row_bytes = sizeof(struct audit_row),
                     .read = read_audit,
                     .key = audit_key,
                     .deliver = check_record,
                     .arg = &walk};
    int r = each_row(&s->db, &e, err);
    if (r < 0)
        return r;
    /* The chain alone does not see that its end was cut off; the counter of ids that were given out
     * does. */
    struct query q = query_on(&s->db, SQL_AUDIT_COUNTER);
    r = query_step(&q, err);
    int64_t given = r > 0 ? query_i64(&q) : 0;
    query_end(&q);
    if (r >= 0 && given != walk.id)
        r = err_set(err, EUCLEAN, "audit record %" PRId64 " is missing", walk.id + 1);
    if (r < 0)
        return r;
    *ret_records = walk.id;
    return 0;
}

#define LOG_TEXT_MAX  4096
#define LOG_LINES_MAX 1000

/* The 1,001st row of a run counts the lines that were not kept. */
static int log_drop(struct store *s, int64_t id, bool first, int64_t at_ms, struct err *err)
{
    struct query q = query_on(&s->db, first ? SQL_LOG_ADD : SQL_LOG_DROPPED);
    if (first) {
        query_put_i64(&q, id);
        query_put_i64(&q, at_ms);
        query_put_str(&q, STR("warn"));
        query_put_str(&q, STR("reeved"));
        query_put_str(&q, STR("further lines of this run were not kept"));
        query_put_i64(&q, 1);
    } else {
        query_put_i64(&q, at_ms);
        query_put_i64(&q, id);
    }
    int r = query_run(&q, err);
    return MIN(r, 0);
}

int store_log_add(struct store *s, int64_t run, int64_t at_ms, struct str level, struct str unit,
                  struct str text, struct err *err)
{
    int64_t first;
    int r = store_row_id(run, 0, &first, err);
    if (r >= 0)
        r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_LOG_LAST);
    query_put_i64(&q, first);
    query_put_i64(&q, first + RUN_SEQ_MAX);
    r = query_step(&q, err);
    int64_t last = r > 0 && !query_is_null(&q) ? query_i64(&q) : first;
    query_end(&q);
    if (r < 0)
        return r;
    if (last >= first + LOG_LINES_MAX)
        return log_drop(s, first + LOG_LINES_MAX + 1, last == first + LOG_LINES_MAX, at_ms, err);
    if (text.len > LOG_TEXT_MAX) {
        text.len = LOG_TEXT_MAX;
        text.len =
            MAX(utf8_valid_prefix(text), (size_t)LOG_TEXT_MAX - 3); /* not inside of a character */
    }
    run_claims(s, run, ROW_TAKES / 2 + text.len);
    q = query_on(&s->db, SQL_LOG_ADD);
    query_put_i64(&q, last + 1);
    query_put_i64(&q, at_ms);
    query_put_str(&q, level);
    query_put_str(&q, unit);
    query_put_str(&q, text);
    query_put_i64(&q, 0);
    r = query_run(&q, err);
    return MIN(r, 0);
}
