/*
 * blob.c: texts by their digest, each kept once. Runs in reeved; reading also in reeve-control.
 */
#include "supervisor/store/internal.h"

#define PIECE_INLINE \
    1024 /* a shorter text stands where it is used: a row of its own would cost more */

static int blob_add(struct store *s, struct str text, const struct digest *d, bool pinned,
                    int64_t *ret, struct err *err)
{
    if (text.len > DB_TEXT_MAX)
        return err_set(err, E2BIG, "store: a text of %zu bytes; at most %zu are kept", text.len,
                       DB_TEXT_MAX);
    struct query q = query_on(&s->db, SQL_BLOB_FIND);
    query_put_digest(&q, *d);
    int r = query_step(&q, err);
    if (r > 0) {
        *ret = query_i64(&q);
        r = query_done(&q, err);
        if (r < 0 || !pinned)
            return r;
        q = query_on(&s->db, SQL_BLOB_PIN);
        query_put_i64(&q, *ret);
        r = query_run(&q, err);
        return MIN(r, 0);
    }
    if (r < 0)
        return r;
    q = query_on(&s->db, SQL_BLOB_ADD);
    query_put_digest(&q, *d);
    query_put_i64(&q, (int64_t)text.len);
    query_put_i64(&q, pinned);
    query_put_packed(&q, text);
    s->unclaimed += (int64_t)s->db.packed_len + ROW_TAKES;
    r = query_run(&q, err);
    *ret = sqlite3_last_insert_rowid(s->db.handle);
    return MIN(r, 0);
}

int store_blob_put(struct store *s, struct str text, struct digest *ret, struct err *err)
{
    struct digest d = digest_of(text);
    int64_t id;
    int r = store_change(s, err);
    if (r >= 0)
        r = blob_add(s, text, &d, true, &id, err);
    if (r >= 0)
        *ret = d;
    return r;
}

int store_blob_get(struct store *s, const struct digest *d, struct arena *a, struct str *ret,
                   struct err *err)
{
    struct query q = query_on(&s->db, SQL_BLOB_BY_DIGEST);
    query_put_digest(&q, *d);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, ENOENT, "store: no such text");
    if (r < 0)
        return r;
    struct str text = query_packed(&q, a);
    r = query_done(&q, err);
    if (r >= 0)
        *ret = text;
    return r;
}

int piece_keep(struct store *s, struct str text, struct piece *ret, struct err *err)
{
    *ret = (struct piece){.text = text};
    if (text.len <= PIECE_INLINE)
        return 0;
    struct digest d = digest_of(text);
    return blob_add(s, text, &d, false, &ret->blob, err);
}

void query_put_piece(struct query *q, const struct piece *p)
{
    if (p->blob != 0)
        query_put_i64(q, p->blob);
    else
        query_put_str(q, p->text);
}

int blob_read(struct db *db, int64_t blob, struct buf *out, struct err *err)
{
    struct query q = query_on(db, SQL_BLOB_BY_ID);
    query_put_i64(&q, blob);
    int r = query_step(&q, err);
    if (r == 0)
        return err_set(err, EUCLEAN, "store: blob %" PRId64 " is missing", blob);
    if (r < 0)
        return r;
    if (query_text(&q, out) != 0)
        q.failed = -EUCLEAN;
    return query_done(&q, err);
}

int piece_read(struct query *q, struct buf *out, struct err *err)
{
    int64_t blob = query_text(q, out);
    int r = query_done(q, err);
    return r < 0 || blob == 0 ? r : blob_read(q->db, blob, out, err);
}

int blob_drop(struct store *s, int64_t blob, struct err *err)
{
    if (blob == 0)
        return 0;
    struct query q = query_on(&s->db, SQL_BLOB_DROP);
    query_put_i64(&q, blob);
    int r = query_run(&q, err);
    return MIN(r, 0);
}
