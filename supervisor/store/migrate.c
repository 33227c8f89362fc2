/*
 * migrate.c: brings a database to the schema that this program knows: forward only, all in one
 * transaction, after a copy of what was there.
 */
#include "supervisor/store/internal.h"

#include <fcntl.h>

#include "sandbox/os/sys.h"

static int copy_before(const char *file, int64_t version, struct err *err)
{
    char copy[4096];
    if ((size_t)snprintf(copy, sizeof(copy), "%s.v%" PRId64, file, version) >= sizeof(copy))
        return err_set(err, ENAMETOOLONG, "path of the copy is too long");
    /* One from a migration that did not finish: the original is still whole, so it is the better
     * source. */
    int r = sys.unlink(AT_FDCWD, copy, 0);
    if (r < 0 && r != -ENOENT)
        return err_sys(err, -r, "remove \"%s\"", copy);
    return backup_copy(file, copy, err);
}

static int apply(struct db *db, int64_t version, const struct schema_step *steps, size_t count,
                 struct err *err)
{
    int r = db_run(db, "BEGIN IMMEDIATE", err);
    for (size_t i = 0; i < count && r >= 0; i++)
        if (steps[i].version > version) {
            r = db_run(db, steps[i].sql, err);
            if (r < 0)
                r = err_wrap(err, "migrate to %d (%s)", steps[i].version, steps[i].name);
        }
    char mark[96];
    (void)snprintf(mark, sizeof(mark), "PRAGMA user_version=%d; PRAGMA application_id=%d",
                   steps[count - 1].version, SCHEMA_APPLICATION_ID);
    if (r >= 0)
        r = db_run(db, mark, err);
    if (r >= 0)
        r = db_run(db, "COMMIT", err);
    if (r < 0)
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

int migrate(struct db *db, const char *file, const struct schema_step *steps, size_t count,
            struct err *err)
{
    int newest = steps[count - 1].version;
    int64_t version = 0, application = 0, tables = 0;
    int r = db_number(db, "PRAGMA user_version", &version, err);
    if (r >= 0)
        r = db_number(db, "PRAGMA application_id", &application, err);
    if (r >= 0)
        r = db_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (r < 0)
        return r;
    bool is_new = version == 0 && application == 0 && tables == 0;
    if (!is_new && application != SCHEMA_APPLICATION_ID)
        return err_set(err, EPROTO, "\"%s\" is not a store of Reeve", file);
    if (version > newest)
        return err_set(err, EPROTO,
                       "schema %" PRId64 " is newer than this program's %d: use the newer reeved",
                       version, newest);
    if (version == newest)
        return 0;
    r = is_new ? 0 : copy_before(file, version, err);
    return r < 0 ? r : apply(db, version, steps, count, err);
}
