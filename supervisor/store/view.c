/*
 * view.c: opening the store to read it, and what every view has in common. In reeve-control, as a
 * user that can read the files and nothing else; the writer lives elsewhere and must never wait for
 * us.
 */
#include "supervisor/store/view_impl.h"

#include <fcntl.h>

#include "policy/text/num.h"

static int check_schema(struct view *v, struct err *err)
{
    int64_t version = 0, application = 0;
    int r = db_number(&v->db, "PRAGMA application_id", &application, err);
    if (r >= 0)
        r = db_number(&v->db, "PRAGMA user_version", &version, err);
    if (r < 0)
        return r;
    if (application != SCHEMA_APPLICATION_ID)
        return err_set(err, EPROTO, "\"%s\" is not a store of Reeve", v->file);
    if (version != schema_version())
        return err_set(err, EPROTO, "the store has schema %" PRId64 ", this program reads %d",
                       version, schema_version());
    return 0;
}

int view_open(const char *dir, struct view **ret, struct err *err)
{
    struct view *v = calloc(1, sizeof(*v));
    if (v == NULL)
        return err_set(err, ENOMEM, "store: out of memory");
    buf_init(&v->text, DB_TEXT_MAX);
    buf_init(&v->db.packed, DB_TEXT_MAX);
    arena_init(&v->values, (size_t)512 << 20);
    size_t size = strlen(dir) + sizeof("/reeve.db");
    v->file = malloc(size);
    int r = v->file == NULL ? err_set(err, ENOMEM, "store: out of memory") : 0;
    if (r >= 0) {
        (void)snprintf(v->file, size, "%s/reeve.db", dir);
        struct stat st;
        r = sys.stat(AT_FDCWD, v->file, &st, 0);
        if (r < 0)
            err_sys(err, -r, "open \"%s\"", v->file);
    }
    if (r >= 0)
        r = db_open(&v->db, v->file, DB_READ, err);
    /* Reading the schema also opens the log and maps its index: nothing is opened later. */
    if (r >= 0)
        r = check_schema(v, err);
    if (r < 0) {
        view_close(v);
        return err_wrap(err, "view of the store \"%s\"", dir);
    }
    *ret = v;
    return 0;
}

void view_close(struct view *v)
{
    if (v == NULL)
        return;
    db_close(&v->db);
    buf_release(&v->text);
    arena_release(&v->values);
    free(v->file);
    free(v);
}

int view_begin(struct view *v, struct err *err)
{
    struct query q = query_on(&v->db, SQL_BEGIN_READ);
    return query_run(&q, err);
}

int view_end(struct view *v, int r)
{
    if (!sqlite3_get_autocommit(v->db.handle)) {
        struct query q = query_on(&v->db, SQL_ROLLBACK);
        int end = query_run(&q, NULL);
        if (r >= 0 && end < 0)
            r = end;
    }
    if (v->text.cap > (size_t)1 << 20)
        buf_release(&v->text);
    return MIN(r, 0);
}

int view_limit(int limit)
{
    return limit <= 0 ? VIEW_LIMIT : MIN(limit, VIEW_LIMIT_MAX);
}

int view_cursor(struct str cursor, int64_t *ret, struct err *err)
{
    *ret = INT64_MAX;
    if (cursor.len == 0)
        return 0;
    if (num_i64(cursor, ret) < 0 || *ret < 1)
        return err_set(err, EINVAL, "cursor \"%.*s\" is none that a list gave out as \"next\"",
                       STR_FMT(cursor));
    return 0;
}

int view_name(struct str name, const char *what, const char *(*name_of)(int), int count,
              struct err *err)
{
    struct buf names;
    buf_init(&names, ERR_TEXT_MAX);
    for (int i = 0; i < count; i++) {
        if (str_is(name, name_of(i))) {
            buf_release(&names);
            return i;
        }
        buf_fmt(&names, "%s%s", i > 0 ? " " : "", name_of(i));
    }
    struct str all = buf_str(&names);
    err_set(err, EINVAL, "%s \"%.*s\" is none of: %.*s", what, STR_FMT(str_slice(name, 0, 64)),
            STR_FMT(all));
    buf_release(&names);
    return -EINVAL;
}

const char *name_of_run_state(int n)
{
    return run_state_name((enum run_state)n);
}

const char *name_of_wait(int n)
{
    return run_wait_name((enum run_wait)n);
}

const char *name_of_approval_state(int n)
{
    return approval_state_name((enum approval_state)n);
}
