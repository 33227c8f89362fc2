/*
 * db.c: opens SQLite as we want it and turns its results into ours.
 *
 * Runs in reeved (the one writer) and in reeve-control (reads). Trusts the file no more than it
 * must: SQLite is told to check cells, to distrust the schema, and to run nothing that a schema
 * could smuggle in.
 */
#include "supervisor/store/db.h"

#include "supervisor/store/pack.h"

#define BUSY_MS 2000 /* longest wait for a lock that another process holds */

#define FOR_WRITE 1u
#define FOR_READ  2u
#define FOR_BOTH  3u

static const struct setting {
    unsigned modes;
    const char *sql;
} settings[] = {
    {FOR_WRITE, "PRAGMA auto_vacuum=INCREMENTAL"}, /* this and the next count for a new file only */
    {FOR_WRITE, "PRAGMA page_size=4096"},
    {FOR_WRITE, "PRAGMA journal_mode=WAL"},
    {FOR_WRITE, "PRAGMA synchronous=FULL"},
    {FOR_WRITE, "PRAGMA foreign_keys=ON"},
    {FOR_WRITE, "PRAGMA wal_autocheckpoint=0"}, /* store_commit does it, and sees its errors */
    {FOR_WRITE, "PRAGMA journal_size_limit=33554432"},
    {FOR_WRITE, "PRAGMA secure_delete=FAST"},
    {FOR_WRITE, "PRAGMA cache_size=-8192"},
    {FOR_READ, "PRAGMA cache_size=-4096"},
    {FOR_READ, "PRAGMA query_only=ON"},
    {FOR_BOTH, "PRAGMA temp_store=MEMORY"},
    {FOR_BOTH, "PRAGMA mmap_size=0"}, /* an I/O error through a map is a SIGBUS, not an error */
    {FOR_BOTH, "PRAGMA cell_size_check=ON"},
};

static const struct {
    int option, value;
} switches[] = {
    {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
    {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
    {SQLITE_DBCONFIG_DQS_DML, 0},        {SQLITE_DBCONFIG_DQS_DDL, 0},
};

/* What a result code means to us, and whether the disk can be trusted no longer after it. */
static const struct {
    int code, number;
    bool breaks;
} codes[] = {
    {SQLITE_IOERR_NOMEM, ENOMEM, false},
    {SQLITE_CONSTRAINT_FOREIGNKEY, ENOENT, false},
    {SQLITE_CONSTRAINT_PRIMARYKEY, EEXIST, false},
    {SQLITE_CONSTRAINT_UNIQUE, EEXIST, false},
    {SQLITE_CONSTRAINT_ROWID, EEXIST, false},
    {SQLITE_BUSY, EBUSY, false},
    {SQLITE_LOCKED, EBUSY, false},
    {SQLITE_NOMEM, ENOMEM, false},
    {SQLITE_CONSTRAINT, EINVAL, false},
    {SQLITE_TOOBIG, E2BIG, false},
    {SQLITE_INTERRUPT, EINTR, false},
    {SQLITE_MISUSE, EINVAL, false},
    {SQLITE_ERROR, EINVAL, false},
    {SQLITE_MISMATCH, EUCLEAN, false},
    /* a reader cannot repair the log's index; the writer does so when it starts */
    {SQLITE_READONLY_RECOVERY, EBUSY, false},
    {SQLITE_READONLY_CANTINIT, EBUSY, false},
    {SQLITE_FULL, ENOSPC, true},
    {SQLITE_CORRUPT, EUCLEAN, true},
    {SQLITE_NOTADB, EUCLEAN, true},
    {SQLITE_READONLY, EROFS, true},
    {SQLITE_PERM, EACCES, true},
    {SQLITE_CANTOPEN, EIO, true},
    {SQLITE_IOERR, EIO, true},
};

int db_break(struct db *db, int number, const char *what, struct err *err)
{
    err_set(err, number, "%s", what);
    if (!db->broken) {
        db->broken = true;
        err_set(&db->why, number, "%s", what);
    }
    return -number;
}

int db_fail(struct db *db, int code, const char *what, struct err *err)
{
    char text[ERR_TEXT_MAX];
    const char *reason = db->handle != NULL ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
    (void)snprintf(text, sizeof(text), "store: %s: %s (SQLite %d)", what, reason, code);
    int number = EIO;
    bool breaks = true;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].code == code || codes[i].code == (code & 0xff)) {
            number = codes[i].number;
            breaks = codes[i].breaks;
            break;
        }
    /* SQLite may end a transaction by itself; then part of a change is gone and may not be built
     * upon. */
    if (db->in_change && sqlite3_get_autocommit(db->handle))
        breaks = true;
    if (breaks && db->writes)
        return db_break(db, number, text, err);
    return err_set(err, number, "%s", text);
}

int db_run(struct db *db, const char *sql, struct err *err)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : db_fail(db, code, sql, err);
}

int db_number(struct db *db, const char *sql, int64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    int r = 0;
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    else
        r = db_fail(db, code, sql, err);
    sqlite3_finalize(stmt);
    return r;
}

static int apply_settings(struct db *db, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
        int code = sqlite3_db_config(db->handle, switches[i].option, switches[i].value, NULL);
        if (code != SQLITE_OK)
            return db_fail(db, code, "configure", err);
    }
    unsigned mode = db->writes ? FOR_WRITE : FOR_READ;
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(settings) && r >= 0; i++)
        if (settings[i].modes & mode)
            r = db_run(db, settings[i].sql, err);
    return r;
}

/* SQLite falls back in silence where the file system has no shared memory, a network's for
 * instance. */
static int has_wal(struct db *db, struct err *err)
{
    int64_t is_wal = 0;
    int r = db_number(db, "SELECT journal_mode='wal' FROM pragma_journal_mode", &is_wal, err);
    if (r >= 0 && !is_wal)
        return err_set(err, EOPNOTSUPP,
                       "store: this file system cannot hold a write-ahead log: use a local disk");
    return r;
}

/* The -wal and -shm files stay when the last connection closes: a reader that may not create files
 * can still open the store. */
static int keep_wal(struct db *db, struct err *err)
{
    int on = 1;
    int code = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    return code == SQLITE_OK ? 0 : db_fail(db, code, "keep the log file", err);
}

int db_open(struct db *db, const char *file, enum db_mode mode, struct err *err)
{
    *db = (struct db){.writes = mode == DB_WRITE};
    buf_init(&db->packed, DB_TEXT_MAX);
    /* SQLite's counts of its memory take a lock at each allocation, and nobody reads them. Refused,
     * without harm, once SQLite is in use. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    /* One thread has this connection, so its mutexes are off. */
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (db->writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int code = sqlite3_open_v2(file, &db->handle, flags, NULL);
    int r = code == SQLITE_OK ? 0 : db_fail(db, code, "open", err);
    if (r >= 0) {
        sqlite3_busy_timeout(db->handle, BUSY_MS);
        r = apply_settings(db, err);
    }
    if (r >= 0 && db->writes)
        r = has_wal(db, err);
    if (r >= 0 && db->writes)
        r = keep_wal(db, err);
    if (r < 0)
        db_close(db);
    return r;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(db->prepared[i]);
        db->prepared[i] = NULL;
    }
    sqlite3_close(db->handle);
    db->handle = NULL;
    pack_release(&db->pack, &db->unpack);
    buf_release(&db->packed);
}
