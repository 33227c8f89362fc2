/*
 * query.c: one use of a prepared statement: bound in order, stepped, read in order. See db.h.
 */
#include "supervisor/store/db.h"

#include "supervisor/store/pack.h"

static const char *const sql_texts[SQL_COUNT] = {
#define SQL(id, text) [SQL_##id] = text,
#include "supervisor/store/sql.def"
#undef SQL
};

static const char *const sql_names[SQL_COUNT] = {
#define SQL(id, text) [SQL_##id] = #id,
#include "supervisor/store/sql.def"
#undef SQL
};

struct query query_on(struct db *db, enum sql_id id)
{
    struct query q = {.db = db, .id = id};
    if (db->broken) {
        q.failed = -EIO;
        return q;
    }
    if (db->prepared[id] == NULL)
        q.code = sqlite3_prepare_v3(db->handle, sql_texts[id], -1, SQLITE_PREPARE_PERSISTENT,
                                    &db->prepared[id], NULL);
    q.stmt = db->prepared[id];
    return q;
}

static int query_fail(struct query *q, struct err *err)
{
    int r;
    if (q->db->broken)
        r = err_set(err, EIO, "store: stopped after: %s", q->db->why.text);
    else if (q->code != SQLITE_OK)
        r = db_fail(q->db, q->code, sql_names[q->id], err);
    else
        r = err_set(err, -q->failed, "store: %s: %s", sql_names[q->id], err_name(-q->failed));
    query_end(q);
    return r;
}

int query_step(struct query *q, struct err *err)
{
    if (q->failed < 0 || q->code != SQLITE_OK)
        return query_fail(q, err);
    int code = sqlite3_step(q->stmt);
    q->column = 0;
    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE) {
        int r = db_fail(q->db, code, sql_names[q->id], err);
        query_end(q);
        return r;
    }
    query_end(q);
    return 0;
}

int query_run(struct query *q, struct err *err)
{
    int r;
    while ((r = query_step(q, err)) > 0)
        ;
    return r < 0 ? r : sqlite3_changes(q->db->handle);
}

int query_done(struct query *q, struct err *err)
{
    if (q->failed < 0)
        return query_fail(q, err);
    query_end(q);
    return 0;
}

void query_end(struct query *q)
{
    if (q->stmt != NULL)
        sqlite3_reset(q->stmt); /* its result repeats what step said */
    q->stmt = NULL;
}

static void put_result(struct query *q, int code)
{
    if (q->code == SQLITE_OK)
        q->code = code;
}

void query_put_i64(struct query *q, int64_t v)
{
    if (q->stmt != NULL)
        put_result(q, sqlite3_bind_int64(q->stmt, ++q->param, v));
}

void query_put_null(struct query *q)
{
    if (q->stmt != NULL)
        put_result(q, sqlite3_bind_null(q->stmt, ++q->param));
}

void query_put_str(struct query *q, struct str s)
{
    if (q->stmt != NULL)
        put_result(q, sqlite3_bind_text64(q->stmt, ++q->param, s.ptr != NULL ? s.ptr : "", s.len,
                                          SQLITE_STATIC, SQLITE_UTF8));
}

void query_put_chars(struct query *q, const char *s)
{
    query_put_str(q, str_of(s));
}

void query_put_bytes(struct query *q, struct str bytes)
{
    if (q->stmt != NULL)
        put_result(q, sqlite3_bind_blob64(q->stmt, ++q->param, bytes.ptr != NULL ? bytes.ptr : "",
                                          bytes.len, SQLITE_STATIC));
}

void query_put_digest_at(struct query *q, const struct digest *d)
{
    query_put_bytes(q, (struct str){(const char *)d->bytes, sizeof(d->bytes)});
}

void query_put_packed(struct query *q, struct str s)
{
    if (s.len > DB_TEXT_MAX)
        q->failed = -E2BIG;
    q->db->packed_len = s.len;
    if (q->failed)
        return;
    if (pack_text(&q->db->pack, s, &q->db->packed)) {
        q->db->packed_len = q->db->packed.len;
        query_put_bytes(q, buf_str(&q->db->packed));
    } else {
        query_put_str(q, s);
    }

}

int64_t query_i64(struct query *q)
{
    return sqlite3_column_int64(q->stmt, q->column++);
}

bool query_is_null(struct query *q)
{
    return sqlite3_column_type(q->stmt, q->column) == SQLITE_NULL;
}

struct str query_bytes(struct query *q)
{
    int i = q->column++;
    const char *p = sqlite3_column_blob(q->stmt, i);
    int n = sqlite3_column_bytes(q->stmt, i);
    if (p == NULL && n > 0)
        q->failed = -ENOMEM;
    return p == NULL ? STR_NONE : (struct str){p, (size_t)n};
}

static struct str keep(struct query *q, struct arena *a, struct str s)
{
    if (s.len == 0)
        return STR_NONE;
    struct str kept = arena_str(a, s);
    if (kept.ptr == NULL)
        q->failed = -ENOMEM;
    return kept;
}

struct str query_str(struct query *q, struct arena *a)
{
    return keep(q, a, query_bytes(q));
}

struct digest query_digest(struct query *q)
{
    struct digest d = {0};
    struct str s = query_bytes(q);
    if (s.len == sizeof(d.bytes))
        memcpy(d.bytes, s.ptr, s.len);
    else
        q->failed = -EUCLEAN;
    return d;
}

void query_chars(struct query *q, char *text, size_t size)
{
    if (str_copy(query_bytes(q), text, size) < 0)
        q->failed = -EUCLEAN;
}

int64_t query_text(struct query *q, struct buf *out)
{
    int type = sqlite3_column_type(q->stmt, q->column);
    if (type == SQLITE_INTEGER)
        return query_i64(q);
    struct str s = query_bytes(q);
    int r = 0;
    if (type == SQLITE_BLOB)
        r = pack_read(&q->db->unpack, s, DB_TEXT_MAX, out, NULL);
    else
        buf_str_put(out, s);
    if (r >= 0)
        r = buf_status(out);
    if (r < 0)
        q->failed = r;
    return 0;
}

int64_t query_blob_id(struct query *q)
{
    int i = q->column++;
    return sqlite3_column_type(q->stmt, i) == SQLITE_INTEGER ? sqlite3_column_int64(q->stmt, i) : 0;
}

struct str query_packed(struct query *q, struct arena *a)
{
    if (sqlite3_column_type(q->stmt, q->column) == SQLITE_TEXT)
        return query_str(q, a);
    buf_clear(&q->db->packed);
    if (query_text(q, &q->db->packed) != 0)
        q->failed = -EUCLEAN;
    return keep(q, a, buf_str(&q->db->packed));
}
