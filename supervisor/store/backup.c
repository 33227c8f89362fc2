/*
 * backup.c: a whole copy of the store while it is in use. In reeved, a piece at a time.
 *
 * A second connection holds one committed state for as long as the copy takes (the log grows
 * meanwhile: nothing that it needs is folded back). The copy is written beside its final name,
 * synced as it grows, checked, and then renamed, so that a file of that name is always a whole one.
 */
#include "supervisor/store/internal.h"

#include <fcntl.h>

#include "sandbox/os/fd.h"

#define SYNC_PAGES  1024 /* so many are waited for at once: the disk is the runs' as well */
#define CHECK_PAGES 2048 /* a copy up to here is checked at once, by SQLite's own check */
#define ROWS_A_PAGE 4    /* of a larger one's check, for each page that a piece may take */

enum backup_phase { BACKUP_COPY, BACKUP_SETTLE, BACKUP_CHECK, BACKUP_PUBLISH, BACKUP_DONE };

struct backup {
    struct db source;
    sqlite3 *to;
    sqlite3_backup *copy;
    sqlite3_stmt *tables, *rows; /* of the check */
    enum backup_phase phase;
    int part_fd, unsynced;
    int64_t pages;
    char file[4096], part[4096];
};

static int create_empty(const char *file, int *ret_fd, struct err *err)
{
    *ret_fd = sys.open(AT_FDCWD, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return *ret_fd < 0 ? err_sys(err, -*ret_fd, "create \"%s\"", file) : 0;
}

static int sync_path(const char *path, int flags, struct err *err)
{
    FD_AUTO int fd = sys.open(AT_FDCWD, path, flags | O_CLOEXEC, 0);
    int r = fd < 0 ? fd : sys.fsync(fd);
    return r < 0 ? err_sys(err, -r, "sync \"%s\"", path) : 0;
}

static int to_fails(const struct backup *b, int code, const char *what, struct err *err)
{
    int number = (code & 0xff) == SQLITE_FULL      ? ENOSPC
                 : (code & 0xff) == SQLITE_CORRUPT ? EUCLEAN
                                                   : EIO;
    return err_set(err, number, "%s: %s", what, sqlite3_errmsg(b->to));
}

/* ---- begin ----------------------------------------------------------------------------------- */

static int is_free(const char *file, struct err *err)
{
    struct stat st;
    int r = sys.stat(AT_FDCWD, file, &st, AT_SYMLINK_NOFOLLOW);
    return r == -ENOENT ? 0
           : r < 0      ? err_sys(err, -r, "\"%s\"", file)
                        : err_set(err, EEXIST, "create \"%s\": it is there already", file);
}

static int open_copy(struct backup *b, const char *from, struct err *err)
{
    int r = db_open(&b->source, from, DB_READ, err);
    if (r >= 0) /* one state, from here on */
        r = db_run(&b->source, "BEGIN", err);
    if (r >= 0)
        r = db_number(&b->source, "SELECT count(*) FROM sqlite_schema", &b->pages, err);
    if (r < 0)
        return r;
    /* The file is nobody's until it is renamed: it needs no journal, and is synced here. */
    if (sqlite3_open_v2(b->part, &b->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(b->to,
                     "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-1024",
                     NULL, NULL, NULL) != SQLITE_OK)
        return to_fails(b, SQLITE_IOERR, "open", err);
    b->copy = sqlite3_backup_init(b->to, "main", b->source.handle, "main");
    return b->copy ? 0 : to_fails(b, SQLITE_IOERR, "start", err);
}

int backup_begin(const char *from, const char *file, struct backup **ret, struct err *err)
{
    struct backup *b = calloc(1, sizeof(*b));
    if (!b)
        return err_set(err, ENOMEM, "backup: out of memory");
    b->part_fd = -1;
    int r = 0;
    if ((size_t)snprintf(b->file, sizeof(b->file), "%s", file) >= sizeof(b->file) ||
        (size_t)snprintf(b->part, sizeof(b->part), "%s.part", file) >= sizeof(b->part)) {
        b->part[0] = '\0';
        r = err_set(err, ENAMETOOLONG, "the path is too long");
    }
    if (r >= 0 && (r = is_free(file, err)) < 0)
        b->part[0] = '\0';
    if (r >= 0) {
        (void)sys.unlink(AT_FDCWD, b->part, 0); /* of a backup that did not finish */
        r = create_empty(b->part, &b->part_fd, err);
    }
    if (r >= 0)
        r = open_copy(b, from, err);
    if (r < 0) {
        store_backup_free(b);
        return err_wrap(err, "backup to \"%s\"", file);
    }
    *ret = b;
    return 0;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static int sync_part(struct backup *b, struct err *err)
{
    int r = sys.fsync(b->part_fd);
    b->unsynced = 0;
    return r < 0 ? err_sys(err, -r, "sync \"%s\"", b->part) : 0;
}

static int copy_piece(struct backup *b, int pages, struct err *err)
{
    int code = sqlite3_backup_step(b->copy, pages);
    b->pages = sqlite3_backup_pagecount(b->copy);
    b->unsynced += pages;
    if (code == SQLITE_OK)
        return b->unsynced >= SYNC_PAGES ? sync_part(b, err) : 0;
    int finish = sqlite3_backup_finish(b->copy);
    b->copy = NULL;
    if (code != SQLITE_DONE || finish != SQLITE_OK)
        return to_fails(b, finish != SQLITE_OK ? finish : code, "copy", err);
    db_close(&b->source); /* lets go of the state: the log may be folded back */
    b->source = (struct db){0};
    b->phase = BACKUP_SETTLE;
    return sync_part(b, err);
}

/* One file, without a log beside it. */
static int settle(struct backup *b, struct err *err)
{
    if (sqlite3_exec(b->to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) != SQLITE_OK)
        return to_fails(b, SQLITE_IOERR, "settle", err);
    b->phase = BACKUP_CHECK;
    return 0;
}

static int check_whole(struct backup *b, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(b->to, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
    int r = 0;
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code != SQLITE_ROW)
        r = to_fails(b, code, "check", err);
    else if (!str_is(str_of((const char *)sqlite3_column_text(stmt, 0)), "ok"))
        r = err_set(err, EUCLEAN, "check: %s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    b->phase = BACKUP_PUBLISH;
    return r;
}

/* Of a large copy each row of each table is read: whatever page holds one is sound. */
static int next_table(struct backup *b, struct err *err)
{
    char sql[400];
    if (!b->tables && sqlite3_prepare_v2(b->to, "SELECT name FROM sqlite_schema WHERE type='table'",
                                         -1, &b->tables, NULL) != SQLITE_OK)
        return to_fails(b, SQLITE_IOERR, "check", err);
    int code = sqlite3_step(b->tables);
    if (code == SQLITE_DONE)
        b->phase = BACKUP_PUBLISH;
    if (code != SQLITE_ROW)
        return code == SQLITE_DONE ? 0 : to_fails(b, code, "check", err);
    (void)snprintf(sql, sizeof(sql), "SELECT * FROM \"%.300s\"",
                   (const char *)sqlite3_column_text(b->tables, 0)); /* names of schema.c */
    code = sqlite3_prepare_v2(b->to, sql, -1, &b->rows, NULL);
    return code == SQLITE_OK ? 0 : to_fails(b, code, "check", err);
}

static int check_rows(struct backup *b, int pages, struct err *err)
{
    for (int n = pages * ROWS_A_PAGE; n > 0; n--) {
        int code = sqlite3_step(b->rows);
        for (int i = 0; code == SQLITE_ROW && i < sqlite3_column_count(b->rows); i++)
            (void)sqlite3_column_blob(b->rows, i); /* also what lies on overflow pages */
        if (code == SQLITE_ROW && sqlite3_errcode(b->to) == SQLITE_ROW)
            continue;
        int done = sqlite3_finalize(b->rows);
        b->rows = NULL;
        return code == SQLITE_DONE && done == SQLITE_OK ? 0
                                                        : to_fails(b, SQLITE_CORRUPT, "check", err);
    }
    return 0;
}

static int check_piece(struct backup *b, int pages, struct err *err)
{
    if (b->pages <= CHECK_PAGES)
        return check_whole(b, err);
    return b->rows ? check_rows(b, pages, err) : next_table(b, err);
}

static int close_copy(struct backup *b)
{
    sqlite3_finalize(b->rows);
    sqlite3_finalize(b->tables);
    b->rows = b->tables = NULL;
    if (b->copy)
        (void)sqlite3_backup_finish(b->copy);
    b->copy = NULL;
    int code = sqlite3_close(b->to);
    b->to = NULL;
    return code;
}

static int publish(struct backup *b, struct err *err)
{
    char dir[4096];
    int r =
        close_copy(b) == SQLITE_OK ? sync_part(b, err) : err_set(err, EIO, "close \"%s\"", b->part);
    if (r >= 0)
        r = is_free(b->file, err);
    if (r < 0)
        return r;
    r = sys.rename(AT_FDCWD, b->part, b->file);
    if (r < 0)
        return err_sys(err, -r, "rename to \"%s\"", b->file);
    b->part[0] = '\0';
    b->phase = BACKUP_DONE;
    (void)snprintf(dir, sizeof(dir), "%s", b->file);
    char *slash = strrchr(dir, '/');
    if (slash != NULL)
        slash[slash == dir ? 1 : 0] = '\0';
    return sync_path(slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY, err);
}

int store_backup_step(struct backup *b, int pages, struct err *err)
{
    int r = 0;
    switch (b->phase) {
    case BACKUP_COPY:
        r = copy_piece(b, pages, err);
        break;
    case BACKUP_SETTLE:
        r = settle(b, err);
        break;
    case BACKUP_CHECK:
        r = check_piece(b, pages, err);
        break;
    case BACKUP_PUBLISH:
        r = publish(b, err);
        break;
    case BACKUP_DONE:
        break;
    }
    if (r < 0) {
        if (b->phase == BACKUP_DONE) /* renamed, and nobody knows whether that lasts */
            (void)sys.unlink(AT_FDCWD, b->file, 0);
        return err_wrap(err, "backup to \"%s\"", b->file);
    }
    return b->phase != BACKUP_DONE;
}

void store_backup_free(struct backup *b)
{
    if (!b)
        return;
    (void)close_copy(b);
    db_close(&b->source);
    fd_close(&b->part_fd);
    if (b->part[0])
        (void)sys.unlink(AT_FDCWD, b->part, 0);
    free(b);
}

/* ---- at once --------------------------------------------------------------------------------- */

int backup_copy(const char *from, const char *file, struct err *err)
{
    struct backup *b;
    int r = backup_begin(from, file, &b, err);
    if (r < 0)
        return r;
    while ((r = store_backup_step(b, SYNC_PAGES, err)) > 0)
        ;
    store_backup_free(b);
    return r;
}

int store_backup_begin(struct store *s, const char *file, struct backup **ret, struct err *err)
{
    if (s->db.broken)
        return err_set(err, EIO, "store: stopped after: %s", s->db.why.text);
    return backup_begin(s->file, file, ret, err);
}

int store_backup(struct store *s, const char *file, struct err *err)
{
    if (s->db.broken)
        return err_set(err, EIO, "store: stopped after: %s", s->db.why.text);
    return backup_copy(s->file, file, err);
}
