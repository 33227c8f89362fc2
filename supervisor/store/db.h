/*
 * db.h: the thin layer over SQLite that the store (writes) and the view (reads) stand on: a connection with our
 * settings, the statements of sql.def prepared once, results as -Exxx. No other header of ours shows sqlite3.
 *
 * A query is bound and read in order: each put takes the next parameter, each get the next column. Failure
 * sticks in the query, as in a buffer, and comes out of query_step or query_done.
 */
#ifndef REEVE_STORE_DB_H
#define REEVE_STORE_DB_H

#include <sqlite3.h>

#include "policy/text/err.h"
#include "policy/text/digest.h"
#include "supervisor/store/columns.def"

#define DB_TEXT_MAX ((size_t)64 << 20) /* one text, whole */

enum sql_id {
#define SQL(id, text) SQL_##id,
#include "supervisor/store/sql.def"
#undef SQL
    SQL_COUNT
};

struct db {
    sqlite3 *handle;
    sqlite3_stmt *prepared[SQL_COUNT];
    bool writes;    /* the store's connection: a failure of the disk breaks it for good */
    bool in_change; /* BEGIN IMMEDIATE was done */
    bool broken;
    struct err why; /* of the first such failure */
    struct ZSTD_CCtx_s *pack;
    struct ZSTD_DCtx_s *unpack;
    struct buf packed; /* the one text that a statement has bound packed */
    size_t packed_len; /* how long it is as bound */
};

enum db_mode { DB_WRITE, DB_READ };
/* The file must exist. On failure nothing is left open. */
int db_open(struct db *db, const char *file, enum db_mode mode, struct err *err) NODISCARD;
void db_close(struct db *db);
int db_run(struct db *db, const char *sql, struct err *err) NODISCARD; /* rows are dropped */
int db_number(struct db *db, const char *sql, int64_t *ret, struct err *err) NODISCARD; /* first column of one row */
/* An SQLite result code as -Exxx with text; breaks a writing connection where the code says so. */
int db_fail(struct db *db, int code, const char *what, struct err *err);
int db_break(struct db *db, int number, const char *what, struct err *err); /* returns -number */

struct query {
    struct db *db;
    sqlite3_stmt *stmt;
    enum sql_id id;
    int param, column;
    int failed; /* -Exxx of a put or get */
    int code;   /* SQLite's, of a put */
};

/* The statement, ready to be bound. One use of a statement at a time: end it before it is taken again. */
struct query query_on(struct db *db, enum sql_id id);
int query_step(struct query *q, struct err *err) NODISCARD; /* 1: a row; 0: the end; -Exxx, ended */
int query_run(struct query *q, struct err *err) NODISCARD;  /* to the end; rows changed */
int query_done(struct query *q, struct err *err) NODISCARD; /* ends; 0, or what a get ran into */
void query_end(struct query *q);

void query_put_i64(struct query *q, int64_t v);
void query_put_null(struct query *q);
void query_put_str(struct query *q, struct str s); /* borrowed until the query ends */
void query_put_chars(struct query *q, const char *s);
void query_put_digest_at(struct query *q, const struct digest *d); /* borrowed until the query ends */
#define query_put_digest(q, lvalue) query_put_digest_at((q), &(lvalue))
void query_put_bytes(struct query *q, struct str bytes);
/* Compressed where that is smaller by an eighth. At most one a statement. */
void query_put_packed(struct query *q, struct str s);

int64_t query_i64(struct query *q);
bool query_is_null(struct query *q); /* of the next column, which stays the next */
/* Borrowed until the next step. */
struct str query_bytes(struct query *q);
struct str query_str(struct query *q, struct arena *a);
struct digest query_digest(struct query *q);
void query_chars(struct query *q, char *text, size_t size);
struct str query_packed(struct query *q, struct arena *a);
/* A text as columns of type ANY hold it: appended to `out`, or its blob's id when it is kept there. */
int64_t query_text(struct query *q, struct buf *out);
int64_t query_blob_id(struct query *q); /* of such a column: 0 where the text stands in it */

#define query_get_i64(q, a, lvalue)    ((lvalue) = (__typeof__(lvalue))query_i64(q))
#define query_get_str(q, a, lvalue)    ((lvalue) = query_str((q), (a)))
#define query_get_digest(q, a, lvalue) ((lvalue) = query_digest(q))
#define query_get_chars(q, a, lvalue)  (query_chars((q), (lvalue), sizeof(lvalue)))
#define query_get_packed(q, a, lvalue) ((lvalue) = query_packed((q), (a)))

#endif
