/*
 * backup.c: a whole copy of the store while it is in use. In reeved.
 *
 * A second connection reads one committed state; the copy is written beside its final name,
 * checked, synced, and then renamed, so that a file of that name is always a whole one.
 */
#include "supervisor/store/internal.h"

#include <fcntl.h>

#include "sandbox/os/fd.h"

static int create_empty(const char *file, struct err *err)
{
    int fd = sys.open(AT_FDCWD, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, -fd, "create \"%s\"", file);
    fd_close(&fd);
    return 0;
}

static int copy_pages(struct db *from, sqlite3 *to, struct err *err)
{
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from->handle, "main");
    if (copy == NULL)
        return err_set(err, EIO, "start: %s", sqlite3_errmsg(to));
    int code = sqlite3_backup_step(copy, -1);
    int finish = sqlite3_backup_finish(copy);
    if (code == SQLITE_DONE && finish == SQLITE_OK)
        return 0;
    int number = (finish & 0xff) == SQLITE_FULL      ? ENOSPC
                 : (finish & 0xff) == SQLITE_CORRUPT ? EUCLEAN
                                                     : EIO;
    return err_set(err, number, "copy: %s", sqlite3_errmsg(to));
}

/* One file, without a log beside it, whose every page is sound. */
static int settle(sqlite3 *to, struct err *err)
{
    if (sqlite3_exec(to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) != SQLITE_OK)
        return err_set(err, EIO, "settle: %s", sqlite3_errmsg(to));
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(to, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    int r = 0;
    if (code != SQLITE_ROW)
        r = err_set(err, EIO, "check: %s", sqlite3_errmsg(to));
    else if (!str_is(str_of((const char *)sqlite3_column_text(stmt, 0)), "ok"))
        r = err_set(err, EUCLEAN, "check: %s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return r;
}

static int copy_to(const char *from, const char *part, struct err *err)
{
    struct db source;
    int r = db_open(&source, from, DB_READ, err);
    if (r < 0)
        return r;
    sqlite3 *to = NULL;
    if (sqlite3_open_v2(part, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        r = err_set(err, EIO, "open \"%s\": %s", part, sqlite3_errmsg(to));
    if (r >= 0)
        r = copy_pages(&source, to, err);
    if (r >= 0)
        r = settle(to, err);
    int code = sqlite3_close(to);
    db_close(&source);
    return r >= 0 && code != SQLITE_OK ? err_set(err, EIO, "close \"%s\"", part) : r;
}

static int sync_path(const char *path, int flags, struct err *err)
{
    FD_AUTO int fd = sys.open(AT_FDCWD, path, flags | O_CLOEXEC, 0);
    int r = fd < 0 ? fd : sys.fsync(fd);
    return r < 0 ? err_sys(err, -r, "sync \"%s\"", path) : 0;
}

static int publish(const char *part, const char *file, struct err *err)
{
    int r = sync_path(part, O_RDONLY, err);
    if (r < 0)
        return r;
    r = sys.rename(AT_FDCWD, part, file);
    if (r < 0)
        return err_sys(err, -r, "rename to \"%s\"", file);
    char dir[4096];
    if (str_copy(str_of(file), dir, sizeof(dir)) < 0)
        return err_set(err, ENAMETOOLONG, "path is too long");
    char *slash = strrchr(dir, '/');
    if (slash != NULL)
        slash[slash == dir ? 1 : 0] = '\0';
    return sync_path(slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY, err);
}

int backup_copy(const char *from, const char *file, struct err *err)
{
    char part[4096];
    if ((size_t)snprintf(part, sizeof(part), "%s.part", file) >= sizeof(part))
        return err_set(err, ENAMETOOLONG, "backup: path is too long");
    int r = create_empty(file, err); /* holds the name, and refuses one that is taken */
    if (r < 0)
        return err_wrap(err, "backup");
    (void)sys.unlink(AT_FDCWD, part, 0); /* of a backup that did not finish */
    r = create_empty(part, err);
    if (r >= 0)
        r = copy_to(from, part, err);
    if (r >= 0)
        r = publish(part, file, err);
    if (r < 0) {
        (void)sys.unlink(AT_FDCWD, part, 0);
        (void)sys.unlink(AT_FDCWD, file, 0);
        return err_wrap(err, "backup to \"%s\"", file);
    }
    return 0;
}

int store_backup(struct store *s, const char *file, struct err *err)
{
    if (s->db.broken)
        return err_set(err, EIO, "store: stopped after: %s", s->db.why.text);
    return backup_copy(s->file, file, err);
}
