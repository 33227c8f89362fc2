/*
 * store.c: opening and closing the store, its one transaction, and what happens when the disk
 * fails.
 *
 * Runs in reeved alone. It never tries a failed write or sync again: after one, the kernel may have
 * dropped the dirty pages and said so once, so the only truth left is on the disk. The store is
 * broken from then on.
 */
#include "supervisor/store/internal.h"

/* Pages in the log that start a checkpoint. Small enough that one takes milliseconds, large enough
 * that a page which each commit touches is copied rarely. */
#define CHECKPOINT_PAGES 1000

static int on_log_grown(void *arg, sqlite3 *handle UNUSED, const char *name UNUSED, int pages)
{
    struct store *s = arg;
    s->log_pages = pages;
    return SQLITE_OK;
}

static int check_integrity(struct db *db, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->handle, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    int r = 0;
    if (code != SQLITE_ROW)
        r = db_fail(db, code, "integrity check", err);
    else if (!str_is(str_of((const char *)sqlite3_column_text(stmt, 0)), "ok"))
        r = err_set(err, EUCLEAN, "integrity check: %s",
                    (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return r;
}

static int open_locked(struct store *s, const struct store_options *o, struct err *err)
{
    int r = files_prepare(s->file, o, err);
    if (r < 0)
        return r;
    r = db_open(&s->db, s->file, DB_WRITE, err);
    if (r >= 0)
        sqlite3_wal_hook(s->db.handle, on_log_grown, s);
    if (r >= 0 && o->check_integrity)
        r = check_integrity(&s->db, err);
    if (r >= 0)
        r = migrate(&s->db, s->file, schema_steps, schema_step_count, err);
    if (r >= 0)
        r = files_share(s->file, o, err);
    if (r >= 0) {
        struct query q = query_on(&s->db, SQL_DOC_LAST);
        r = query_step(&q, err);
        if (r > 0) {
            s->last_doc = query_i64(&q);
            r = query_done(&q, err);
        }
    }
    return r;
}

int store_open(const char *dir, const struct store_options *o, struct store **ret, struct err *err)
{
    struct store *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return err_set(err, ENOMEM, "store: out of memory");
    s->lock = -1;
    s->checkpoint_pages = CHECKPOINT_PAGES;
    arena_init(&s->parse, (size_t)256 << 20);
    buf_init(&s->text, DB_TEXT_MAX);
    buf_init(&s->db.packed, DB_TEXT_MAX);
    size_t size = strlen(dir) + sizeof("/reeve.db");
    s->dir = str_dup(str_of(dir));
    s->file = malloc(size);
    int r = 0;
    if (s->dir == NULL || s->file == NULL)
        r = err_set(err, ENOMEM, "store: out of memory");
    if (r >= 0) {
        (void)snprintf(s->file, size, "%s/reeve.db", dir);
        r = files_lock(dir, &s->lock, err);
    }
    if (r >= 0)
        r = open_locked(s, o, err);
    if (r < 0) {
        store_close(s);
        return err_wrap(err, "store \"%s\"", dir);
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    if (s->db.handle != NULL) {
        store_rollback(s);
        /* Closing copies the log into the database; not with a disk that has failed. */
        if (s->db.broken)
            (void)sqlite3_db_config(s->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    db_close(&s->db);
    arena_release(&s->parse);
    buf_release(&s->text);
    if (s->lock >= 0)
        sys.close(s->lock);
    free(s->dir);
    free(s->file);
    free(s);
}

int store_change(struct store *s, struct err *err)
{
    if (s->db.in_change && !s->db.broken)
        return 0;
    struct query q = query_on(&s->db, SQL_BEGIN);
    int r = query_run(&q, err);
    if (r < 0)
        return r;
    s->db.in_change = true;
    return 0;
}

/* Moves what the log holds into the database file. Readers may hold part of it back; that is no
 * failure. */
static int checkpoint(struct store *s, struct err *err)
{
    int code = sqlite3_wal_checkpoint_v2(s->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED)
        return 0;
    int r = db_fail(&s->db, code, "checkpoint", err);
    return db_break(&s->db, -r, "store: checkpoint failed", NULL);
}

int store_commit(struct store *s, struct err *err)
{
    if (!s->db.in_change && !s->db.broken)
        return 0;
    struct query q = query_on(&s->db, SQL_COMMIT);
    int r = query_run(&q, err);
    if (r < 0) {
        /* Whatever the cause: what was said to be one transaction is not on disk. */
        db_break(&s->db, -r, err != NULL && err->number == -r ? err->text : "store: commit failed",
                 NULL);
        store_rollback(s);
        return r;
    }
    s->db.in_change = false;
    s->commits++;
    return s->log_pages >= s->checkpoint_pages ? checkpoint(s, err) : 0;
}

/* What is remembered of rows that are no longer there. */
static void forget_rows(struct store *s)
{
    s->fresh_count = 0; /* a reference that is gone again must not have been the free one */
    s->audit_known = false;
    memset(s->recent, 0, sizeof(s->recent));
}

void store_rollback(struct store *s)
{
    if (s->db.in_change && !sqlite3_get_autocommit(s->db.handle))
        (void)sqlite3_exec(s->db.handle, "ROLLBACK", NULL, NULL, NULL);
    s->db.in_change = false;
    forget_rows(s);
}

int store_mark(struct store *s, struct err *err)
{
    int r = store_change(s, err);
    if (r < 0)
        return r;
    struct query q = query_on(&s->db, SQL_MARK);
    return MIN(query_run(&q, err), 0);
}

int store_keep(struct store *s, struct err *err)
{
    struct query q = query_on(&s->db, SQL_MARK_DROP);
    return MIN(query_run(&q, err), 0);
}

int store_undo(struct store *s, struct err *err)
{
    struct query q = query_on(&s->db, SQL_MARK_BACK);
    int r = query_run(&q, err);
    forget_rows(s);
    return r < 0 ? r : store_keep(s, err);
}

bool store_is_dirty(const struct store *s)
{
    return s->db.in_change;
}

bool store_is_broken(const struct store *s)
{
    return s->db.broken;
}

void store_stats(struct store *s, struct store_stats *ret)
{
    char log[4096];
    (void)snprintf(log, sizeof(log), "%s-wal", s->file);
    *ret = (struct store_stats){
        .file_bytes = (uint64_t)files_size(s->file),
        .wal_bytes = (uint64_t)files_size(log),
        .commits = s->commits,
        .rows_written = sqlite3_total_changes64(s->db.handle),
        .schema = schema_version(),
    };
}

int store_row_id(int64_t run, int64_t seq, int64_t *ret, struct err *err)
{
    if (run < 1 || run > RUN_ID_MAX || seq < 0)
        return err_set(err, EINVAL, "store: no run %" PRId64 " step %" PRId64, run, seq);
    if (seq > RUN_SEQ_MAX)
        return err_set(err, E2BIG, "run %" PRId64 ": more than %" PRId64 " steps", run,
                       RUN_SEQ_MAX);
    *ret = ROW_ID(run, seq);
    return 0;
}
