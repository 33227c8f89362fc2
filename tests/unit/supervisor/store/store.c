/*
 * store.c: opening, the lock, the transaction, schema versions and damage.
 */
#include "tests/lib/tmpstore.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/store/internal.h"
#include "supervisor/store/view.h"

static void keeps_what_was_committed(void **state)
{
    struct tmpstore *t = *state;
    assert_false(store_is_dirty(t->store));
    must_ok(t, store_commit(t->store, &t->err)); /* nothing open: fine */
    must_ok(t, store_value_put(t->store, STR("kept"), STR("1"), &t->err));
    assert_true(store_is_dirty(t->store));
    must_ok(t, store_commit(t->store, &t->err));
    assert_false(store_is_dirty(t->store));
    must_ok(t, store_value_put(t->store, STR("gone"), STR("1"), &t->err));
    store_rollback(t->store);
    must_ok(t, store_value_put(t->store, STR("lost"), STR("1"), &t->err));
    tmpstore_close(t); /* without a commit */
    tmpstore_open(t);
    struct str text;
    must_ok(t, store_value_get(t->store, STR("kept"), &t->arena, &text, &t->err));
    assert_str(text, "1");
    must_fail(t, store_value_get(t->store, STR("gone"), &t->arena, &text, &t->err), ENOENT);
    must_fail(t, store_value_get(t->store, STR("lost"), &t->arena, &text, &t->err), ENOENT);
}

static void goes_back_to_a_mark(void **state)
{
    struct tmpstore *t = *state;
    struct str text;
    must_ok(t, store_value_put(t->store, STR("before"), STR("1"), &t->err));
    must_ok(t, store_mark(t->store, &t->err));
    must_ok(t, store_value_put(t->store, STR("taken back"), STR("1"), &t->err));
    int64_t doc = tmpstore_doc(t, STR("{\"of\":\"the part that goes\"}"));
    must_ok(t, store_undo(t->store, &t->err));
    must_fail(t, store_doc_get(t->store, doc, &t->arena, &text, &t->err), ENOENT);
    t->err = ERR_INIT;
    must_ok(t, store_mark(t->store, &t->err));
    must_ok(t, store_value_put(t->store, STR("kept"), STR("1"), &t->err));
    must_ok(t, store_keep(t->store, &t->err));
    assert_true(store_is_dirty(t->store));
    must_ok(t, store_commit(t->store, &t->err));
    tmpstore_close(t);
    tmpstore_open(t);
    must_ok(t, store_value_get(t->store, STR("before"), &t->arena, &text, &t->err));
    must_ok(t, store_value_get(t->store, STR("kept"), &t->arena, &text, &t->err));
    must_fail(t, store_value_get(t->store, STR("taken back"), &t->arena, &text, &t->err), ENOENT);
}

static void absent_is_said(void **state)
{
    struct tmpstore *t = *state;
    struct store_options o = {.create = false, .mode = 0640, .group = (gid_t)-1};
    struct store *s = NULL;
    char empty[160];
    (void)snprintf(empty, sizeof(empty), "%s/empty", t->dir);
    assert_int_equal(mkdir(empty, 0700), 0);
    must_fail(t, store_open(empty, &o, &s, &t->err), ENOENT);
    assert_null(s);
    assert_non_null(strstr(t->err.text, "reeve.db"));
    remove_dir(empty);
    must_fail(t, store_open(empty, &tmpstore_options, &s, &t->err),
              ENOENT); /* the directory itself */
    store_close(NULL);
}

/* The way to the directory may have links in it; the database itself may not be one. */
static void links_on_the_way(void **state)
{
    struct tmpstore *t = *state;
    char dir[160], link[170];
    struct view *v = NULL;
    struct store *s = NULL;
    (void)snprintf(dir, sizeof(dir), "%s", t->dir);
    (void)snprintf(link, sizeof(link), "%s.link", t->dir);
    assert_int_equal(symlink(dir, link), 0);
    tmpstore_close(t);
    must_ok(t, store_open(link, &tmpstore_options, &t->store, &t->err));
    must_ok(t, view_open(link, &v, &t->err));
    view_close(v);
    must_ok(t, store_backup(t->store, tmpstore_path(t, "copy"), &t->err));
    tmpstore_close(t);
    assert_int_equal(rename(tmpstore_path(t, "reeve.db"), tmpstore_path(t, "other.db")), 0);
    assert_int_equal(symlink(tmpstore_path(t, "other.db"), tmpstore_path(t, "reeve.db")), 0);
    must_fail(t, store_open(t->dir, &tmpstore_options, &s, &t->err), EINVAL);
    assert_int_equal(unlink(link), 0);
}

static void second_opener_is_refused(void **state)
{
    struct tmpstore *t = *state;
    struct store *s = NULL;
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "process %d", (int)getpid());
    must_fail(t, store_open(t->dir, &tmpstore_options, &s, &t->err), EBUSY);
    assert_non_null(strstr(t->err.text, pid));

    pid_t child = fork();
    if (child == 0) { /* and from another process */
        struct err err = ERR_INIT;
        int r = store_open(t->dir, &tmpstore_options, &s, &err);
        _exit(r == -EBUSY && strstr(err.text, pid) != NULL ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    /* The lock goes with its holder, however long the pid in the file was. */
    tmpstore_close(t);
    int fd = open(tmpstore_path(t, "reeve.lock"), O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "99999999\n", 9), 9);
    close(fd);
    tmpstore_open(t);
    must_fail(t, store_open(t->dir, &tmpstore_options, &s, &t->err), EBUSY);
    assert_non_null(strstr(t->err.text, pid));
}

static void newer_schema_is_refused(void **state)
{
    struct tmpstore *t = *state;
    struct store *s = NULL;
    must_ok(t, store_value_put(t->store, STR("a"), STR("b"), &t->err));
    tmpstore_reopen(t);
    tmpstore_close(t);
    tmpstore_sql(t, "PRAGMA user_version=987");
    must_fail(t, store_open(t->dir, &tmpstore_options, &s, &t->err), EPROTO);
    assert_non_null(strstr(t->err.text, "987"));
    char ours[16];
    (void)snprintf(ours, sizeof(ours), "%d", schema_version());
    assert_non_null(strstr(t->err.text, ours));
    assert_int_equal(tmpstore_number(t, "PRAGMA user_version"), 987);
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM value"), 1);
}

static void foreign_database_is_refused(void **state)
{
    struct tmpstore *t = *state;
    struct store *s = NULL;
    tmpstore_close(t);
    tmpstore_sql(t, "PRAGMA application_id=7");
    must_fail(t, store_open(t->dir, &tmpstore_options, &s, &t->err), EPROTO);
    assert_non_null(strstr(t->err.text, "not a store"));
    int fd = open(tmpstore_path(t, "reeve.db"), O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "this is a letter to my aunt, and no database at all", 51), 51);
    close(fd);
    must_fail(t, store_open(t->dir, &tmpstore_options, &s, &t->err), EUCLEAN);
}

/* What the next two versions could be: rows behind the ones there are. */
static void migrates_forward(void **state)
{
    struct tmpstore *t = *state;
    int now = schema_version();
    size_t n = schema_step_count;
    struct schema_step steps[32], bad[32];
    assert_true(n + 2 <= ARRAY_LEN(steps));
    memcpy(steps, schema_steps, n * sizeof(steps[0]));
    memcpy(bad, schema_steps, n * sizeof(bad[0]));
    steps[n] = (struct schema_step){
        now + 1, "a table",
        "CREATE TABLE later(id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"};
    steps[n + 1] = (struct schema_step){now + 2, "a column and its values",
                                        "ALTER TABLE later ADD COLUMN n INTEGER; INSERT INTO "
                                        "later(text,n) SELECT name,3 FROM value"};
    bad[n] = (struct schema_step){now + 1, "half of it",
                                  "CREATE TABLE later(a INTEGER) STRICT; SELEKT 1"};
    must_ok(t, store_value_put(t->store, STR("a"), STR("b"), &t->err));
    must_ok(t, store_commit(t->store, &t->err));
    tmpstore_close(t);
    const char *file = tmpstore_path(t, "reeve.db");
    struct db db;

    must_ok(t, db_open(&db, file, DB_WRITE, &t->err));
    assert_true(migrate(&db, file, bad, n + 1, &t->err) < 0);
    assert_non_null(strstr(t->err.text, "(half of it)"));
    db_close(&db);
    assert_int_equal(tmpstore_number(t, "PRAGMA user_version"), now);
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM sqlite_schema WHERE name='later'"),
                     0);

    must_ok(t, db_open(&db, file, DB_WRITE, &t->err));
    must_ok(t, migrate(&db, file, steps, n + 2, &t->err));
    must_ok(t, migrate(&db, file, steps, n + 2, &t->err)); /* again: nothing to do */
    db_close(&db);
    assert_int_equal(tmpstore_number(t, "PRAGMA user_version"), now + 2);
    assert_int_equal(tmpstore_number(t, "SELECT n FROM later WHERE text='a'"), 3);

    /* The copy is what was there before. */
    sqlite3 *copy = NULL;
    sqlite3_stmt *stmt = NULL;
    char name[32];
    (void)snprintf(name, sizeof(name), "reeve.db.v%d", now);
    assert_int_equal(sqlite3_open(tmpstore_path(t, name), &copy), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(copy,
                           "SELECT user_version, (SELECT text FROM value WHERE name='a')"
                           " FROM pragma_user_version",
                           -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), now);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 1), "b");
    sqlite3_finalize(stmt);
    sqlite3_close(copy);
}

/* Every version that was ever released comes forward, with what it holds. */
static void migrates_from_each_version(void **state)
{
    struct tmpstore *t = *state;
    char file[160];
    (void)snprintf(file, sizeof(file), "%s/reeve.db", t->dir);
    for (size_t n = 1; n < schema_step_count; n++) {
        struct db db;
        struct str text;
        tmpstore_close(t);
        (void)unlink(file);
        (void)unlink(tmpstore_path(t, "reeve.db-wal"));
        (void)unlink(tmpstore_path(t, "reeve.db-shm"));
        close(open(file, O_CREAT | O_RDWR, 0600));
        must_ok(t, db_open(&db, file, DB_WRITE, &t->err));
        must_ok(t, migrate(&db, file, schema_steps, n, &t->err));
        must_ok(
            t,
            db_run(&db,
                   "INSERT INTO value(name,text) VALUES('a','b');"
                   "INSERT INTO "
                   "run(tenant,workflow,version,event,parent,parent_step,trace_id,created_ms,depth,"
                   "state,wait,wake_ms,attempt,failures,next_seq,checkpoint_seq,checkpoint_doc,"
                   "cancel,reason,"
                   "result_doc,started_ms,ended_ms,steps,tool_calls,model_calls,input_tokens,"
                   "output_tokens,"
                   "cost_micro) "
                   "VALUES('acme','w',zeroblob(32),0,0,0,'',5,0,0,0,0,0,0,1,0,0,0,'r',0,0,0,0,0,0,"
                   "0,0,7)",
                   &t->err));
        db_close(&db);
        tmpstore_open(t);
        must_ok(t, store_value_get(t->store, STR("a"), &t->arena, &text, &t->err));
        assert_str(text, "b");
        struct store_run run;
        must_ok(t, store_run_get(t->store, 1, &t->arena, &run, &t->err));
        assert_str(run.tenant, "acme");
        assert_int_equal(run.state, RUN_QUEUED);
        assert_int_equal(run.cost_micro, 7);
        run.state = RUN_RUNNING;
        must_ok(t, store_run_update(t->store, &run, &t->err));
        must_ok(t, store_value_put(t->store, STR("c"), STR("d"), &t->err));
        must_ok(t, store_commit(t->store, &t->err));
        assert_int_equal(tmpstore_number(t, "PRAGMA user_version"), schema_version());
    }
}

/* A store of the first release, with a run that waits in its queue: it is startable here. */
static void migrates_the_first_schema(void **state)
{
    struct tmpstore *t = *state;
    const char *file = tmpstore_path(t, "reeve.db");
    struct db db;
    struct store_run run;
    int64_t id = 0;
    bool fresh = false;
    tmpstore_close(t);
    assert_int_equal(unlink(file), 0);
    close(open(file, O_CREAT | O_RDWR, 0600));
    must_ok(t, db_open(&db, file, DB_WRITE, &t->err));
    must_ok(t, migrate(&db, file, schema_steps, 1, &t->err));
    must_ok(t, db_run(&db,
                      "INSERT INTO run VALUES(7,'acme','w',zeroblob(32),0,0,0,"
                      "'0123456789abcdef0123456789abcdef',5,0,0,0,0,0,0,1,0,0,0,'',0,0,0,0,0,0,0,"
                      "0,0)",
                      &t->err));
    db_close(&db);
    tmpstore_open(t);
    must_ok(t, store_queue_head(t->store, STR("w"), STR("acme"), &id, &fresh, &t->err));
    assert_int_equal(id, 7);
    assert_true(fresh);
    must_ok(t, store_run_get(t->store, 7, &t->arena, &run, &t->err));
    assert_int_equal(run.lane.len, 0);
    assert_false(run.lane_wait);
}

static void has_its_settings(void **state)
{
    struct tmpstore *t = *state;
    static const struct {
        const char *sql;
        int64_t want;
    } rows[] = {
        {"PRAGMA synchronous", 2},
        {"PRAGMA foreign_keys", 1},
        {"PRAGMA page_size", 4096},
        {"PRAGMA mmap_size", 0},
        {"PRAGMA temp_store", 2},
        {"PRAGMA cell_size_check", 1},
        {"PRAGMA auto_vacuum", 2},
        {"PRAGMA trusted_schema", 0},
        {"PRAGMA wal_autocheckpoint", 0},
        {"PRAGMA journal_size_limit", 33554432},
        {"PRAGMA application_id", 0x52454556},
        {"SELECT count(*) FROM pragma_table_list WHERE schema='main' AND type='table' AND NOT "
         "strict"
         " AND name NOT LIKE 'sqlite_%'",
         0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = -1;
        must_ok(t, db_number(&t->store->db, rows[i].sql, &got, &t->err));
        assert_row(got == rows[i].want, i, "%s: %ld", rows[i].sql, (long)got);
    }
    int on = 0;
    sqlite3_db_config(t->store->db.handle, SQLITE_DBCONFIG_DEFENSIVE, -1, &on);
    assert_int_equal(on, 1);
    assert_int_equal(tmpstore_number(t, "SELECT journal_mode='wal' FROM pragma_journal_mode"), 1);
}

static void files_are_for_their_readers(void **state)
{
    struct tmpstore *t = *state;
    static const char *const names[] = {"reeve.db", "reeve.db-wal", "reeve.db-shm"};
    must_ok(t, store_value_put(t->store, STR("a"), STR("b"), &t->err));
    tmpstore_reopen(t);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct stat st;
        assert_row(stat(tmpstore_path(t, names[i]), &st) == 0, i, "%s", names[i]);
        assert_row((st.st_mode & 0777) == 0640, i, "%s: %o", names[i], st.st_mode & 0777u);
    }
    if (geteuid() != 0)
        skip();
    struct store_options o = tmpstore_options;
    o.group = 4242;
    tmpstore_close(t);
    must_ok(t, store_open(t->dir, &o, &t->store, &t->err));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct stat st;
        assert_row(stat(tmpstore_path(t, names[i]), &st) == 0 && st.st_gid == 4242, i, "%s",
                   names[i]);
    }
}

static void counts_what_it_did(void **state)
{
    struct tmpstore *t = *state;
    struct store_stats a, b;
    store_stats(t->store, &a);
    assert_int_equal(a.schema, schema_version());
    assert_true(a.file_bytes > 0);
    for (int i = 0; i < 3; i++) {
        must_ok(t, store_value_put(t->store, STR("a"), STR("b"), &t->err));
        must_ok(t, store_commit(t->store, &t->err));
    }
    store_stats(t->store, &b);
    assert_int_equal(b.commits - a.commits, 3);
    assert_int_equal(b.rows_written - a.rows_written, 3);
    assert_true(b.wal_bytes > 0);
}

/* The log does not grow for ever although nobody else looks after it. */
static void checkpoints_by_itself(void **state)
{
    struct tmpstore *t = *state;
    int64_t run = tmpstore_run(t, "w");
    for (int i = 1; i <= 4000; i++) {
        struct store_step st = tmpstore_step(run, i);
        must_ok(t, store_step_add(t->store, &st, &t->err));
        if (i % 4 == 0)
            must_ok(t, store_commit(t->store, &t->err));
    }
    struct store_stats st;
    store_stats(t->store, &st);
    assert_true(st.wal_bytes < (uint64_t)8 << 20);
    assert_true(st.file_bytes > (uint64_t)400 << 10);
}

static void damage_is_found(void **state)
{
    struct tmpstore *t = *state;
    int64_t run = tmpstore_run(t, "w");
    for (int i = 1; i <= 2000; i++) {
        struct store_step st = tmpstore_step(run, i);
        must_ok(t, store_step_add(t->store, &st, &t->err));
    }
    must_ok(t, store_commit(t->store, &t->err));
    tmpstore_close(t);
    tmpstore_sql(t, "PRAGMA wal_checkpoint(TRUNCATE)");
    struct store_options o = tmpstore_options;
    o.check_integrity = true;
    must_ok(t, store_open(t->dir, &o, &t->store, &t->err));
    tmpstore_close(t);

    /* A page in the middle of the steps. */
    int64_t page =
        tmpstore_number(t, "SELECT pageno FROM dbstat WHERE name='step' AND pagetype='leaf'"
                           " ORDER BY pageno LIMIT 1 OFFSET 20");
    int fd = open(tmpstore_path(t, "reeve.db"), O_WRONLY);
    char junk[4096];
    memset(junk, 0xa5, sizeof(junk));
    assert_int_equal(pwrite(fd, junk, sizeof(junk), (page - 1) * 4096), sizeof(junk));
    close(fd);
    struct store *s = NULL;
    must_fail(t, store_open(t->dir, &o, &s, &t->err), EUCLEAN);
    assert_non_null(strstr(t->err.text, "integrity check"));

    /* Not looked for, it is found when it is met, and ends the writer. */
    tmpstore_open(t);
    for (int64_t i = 1; i <= 2000 && !store_is_broken(t->store); i++) {
        struct store_step st;
        if (store_step_get(t->store, run, i, &t->arena, &st, &t->err) < 0)
            assert_int_equal(t->err.number, EUCLEAN);
    }
    assert_true(store_is_broken(t->store));
    must_fail(t, store_value_put(t->store, STR("a"), STR("b"), &t->err), EIO);
    must_fail(t, store_commit(t->store, &t->err), EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(keeps_what_was_committed),
        store_test(goes_back_to_a_mark),
        store_test(absent_is_said),
        store_test(links_on_the_way),
        store_test(second_opener_is_refused),
        store_test(newer_schema_is_refused),
        store_test(foreign_database_is_refused),
        store_test(migrates_forward),
        store_test(migrates_from_each_version),
        store_test(migrates_the_first_schema),
        store_test(has_its_settings),
        store_test(files_are_for_their_readers),
        store_test(counts_what_it_did),
        store_test(checkpoints_by_itself),
        store_test(damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
