/*
 * tmpstore.c: see tmpstore.h.
 */
#include "tests/lib/tmpstore.h"

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

const struct store_options tmpstore_options = {.create = true, .mode = 0640, .group = (gid_t)-1};

void tmpstore_open(struct tmpstore *t)
{
    must_ok(t, store_open(t->dir, &tmpstore_options, &t->store, &t->err));
}

struct tmpstore *tmpstore_new(void)
{
    struct tmpstore *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    const char *base = getenv("TMPDIR");
    (void)snprintf(t->dir, sizeof(t->dir), "%s/reeve-store.XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(t->dir));
    arena_init(&t->arena, (size_t)256 << 20);
    tmpstore_open(t);
    return t;
}

void tmpstore_close(struct tmpstore *t)
{
    store_close(t->store);
    t->store = NULL;
}

void tmpstore_reopen(struct tmpstore *t)
{
    must_ok(t, store_commit(t->store, &t->err));
    tmpstore_close(t);
    tmpstore_open(t);
}

void remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    if (d == NULL)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        (void)unlinkat(dirfd(d), e->d_name, 0);
    (void)closedir(d);
    (void)rmdir(dir);
}

void tmpstore_free(struct tmpstore *t)
{
    if (t == NULL)
        return;
    tmpstore_close(t);
    arena_release(&t->arena);
    remove_dir(t->dir);
    free(t);
}

int tmpstore_setup(void **state)
{
    *state = tmpstore_new();
    return 0;
}

int tmpstore_teardown(void **state)
{
    tmpstore_free(*state);
    return 0;
}

const char *tmpstore_path(const struct tmpstore *t, const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", t->dir, name);
    return path;
}

static sqlite3 *connect_to(struct tmpstore *t)
{
    sqlite3 *db = NULL;
    assert_int_equal(
        sqlite3_open_v2(tmpstore_path(t, "reeve.db"), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    int on = 1; /* as the store itself: what lies beside it stays */
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    return db;
}

void tmpstore_sql(struct tmpstore *t, const char *sql)
{
    sqlite3 *db = connect_to(t);
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        print_error("%s: %s\n", sql, why);
        fail();
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int64_t tmpstore_number(struct tmpstore *t, const char *sql)
{
    sqlite3 *db = connect_to(t);
    sqlite3_stmt *stmt = NULL;
    int64_t n = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        print_error("%s: %s\n", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return n;
}

int64_t tmpstore_bytes(struct tmpstore *t)
{
    return tmpstore_number(t, "SELECT (page_count - freelist_count) * page_size"
                              " FROM pragma_page_count, pragma_freelist_count, pragma_page_size");
}

int64_t tmpstore_run(struct tmpstore *t, const char *workflow)
{
    struct store_run run = {.tenant = STR("acme"),
                            .workflow = str_of(workflow),
                            .state = RUN_RUNNING,
                            .next_seq = 1,
                            .created_ms = 1000};
    int64_t id = 0;
    must_ok(t, store_run_add(t->store, &run, &id, &t->err));
    return id;
}

struct store_step tmpstore_step(int64_t run, int64_t seq)
{
    return (struct store_step){.run = run,
                               .seq = seq,
                               .kind = STEP_TOOL,
                               .key = STR("ledger/pay"),
                               .occurrence = 1,
                               .request = digest_of(STR("request")),
                               .state = STEP_INTENT,
                               .attempt = 1,
                               .asked_ms = 2000,
                               .info = STR("{}")};
}

int64_t tmpstore_doc(struct tmpstore *t, struct str text)
{
    int64_t doc = 0;
    must_ok(t, store_doc_put(t->store, text, &doc, &t->err));
    return doc;
}
