/*
 * backup.c: a copy of a store in use is whole and is one state of it; retention takes what is old,
 * and nothing that is still needed.
 */
#include "tests/lib/tmpstore.h"
#include "supervisor/store/schema.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t number_in(const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static void add_steps(struct tmpstore *t, int64_t run, int from, int to)
{
    for (int i = from; i <= to; i++) {
        struct store_step st = tmpstore_step(run, i);
        st.request_doc = tmpstore_doc(t, arena_fmt(&t->arena, "{\"n\":%d}", i));
        must_ok(t, store_step_add(t->store, &st, &t->err));
    }
}

static void copies_while_in_use(void **state)
{
    struct tmpstore *t = *state;
    const char *file = tmpstore_path(t, "copy.db"), *part = tmpstore_path(t, "copy.db.part");
    int64_t run = tmpstore_run(t, "w");
    add_steps(t, run, 1, 500);
    must_ok(t, store_commit(t->store, &t->err));
    add_steps(t, run, 501, 600); /* a change that is open is not part of it, and is not hurt */
    must_ok(t, store_backup(t->store, file, &t->err));
    assert_int_equal(number_in(file, "SELECT count(*) FROM step"), 500);
    assert_int_equal(number_in(file, "SELECT integrity_check='ok' FROM pragma_integrity_check"), 1);
    assert_int_equal(number_in(file, "PRAGMA user_version"), schema_version());
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM step"), 600);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(stat(part, &st) < 0 && stat(tmpstore_path(t, "copy.db-wal"), &st) < 0);

    must_fail(t, store_backup(t->store, file, &t->err), EEXIST);
    assert_int_equal(number_in(file, "SELECT count(*) FROM step"), 500);
    must_fail(t, store_backup(t->store, "/nowhere/copy.db", &t->err), ENOENT);

    int fd = open(part, O_CREAT | O_WRONLY, 0644); /* left by one that was killed */
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    assert_int_equal(unlink(file), 0);
    must_ok(t, store_backup(t->store, file, &t->err));
    assert_int_equal(number_in(file, "SELECT count(*) FROM step"), 600);
    assert_false(store_is_broken(t->store));
}

/* In pieces, with commits in between: the copy is the state of its beginning, and no piece is all
 * of it. */
static void goes_on_meanwhile(void **state)
{
    struct tmpstore *t = *state;
    const char *file = tmpstore_path(t, "copy.db"), *part = tmpstore_path(t, "copy.db.part");
    struct backup *b;
    struct stat st;
    int64_t run = tmpstore_run(t, "w");
    int pieces = 0, r;
    for (int i = 0; i < 400; i++) { /* beyond what is checked at once */
        char *noise = malloc(30000);
        uint32_t x = (uint32_t)i + 1;
        for (size_t k = 0; k < 30000; k++)
            noise[k] = (char)(' ' + (x = x * 1664525u + 1013904223u) / 47721859u);
        noise[29999] = 'x';
        struct digest d;
        must_ok(t, store_blob_put(t->store, (struct str){noise, 30000}, &d, &t->err));
        free(noise);
    }
    add_steps(t, run, 1, 50);
    must_ok(t, store_commit(t->store, &t->err));
    int64_t pages = tmpstore_number(t, "PRAGMA page_count");
    assert_true(pages > 2100);
    must_ok(t, store_backup_begin(t->store, file, &b, &t->err));
    while ((r = store_backup_step(b, 16, &t->err)) > 0) {
        pieces++;
        add_steps(t, run, 50 + pieces, 50 + pieces);
        must_ok(t, store_commit(t->store, &t->err));
        assert_true(stat(file, &st) < 0 && stat(part, &st) == 0);
    }
    must_ok(t, r);
    store_backup_free(b);
    assert_true(pieces >= pages / 16);
    assert_int_equal(number_in(file, "SELECT count(*) FROM step"), 50);
    assert_int_equal(number_in(file, "SELECT integrity_check='ok' FROM pragma_integrity_check"), 1);
    assert_true(stat(part, &st) < 0);
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM step"), 50 + pieces);

    (void)unlink(file); /* given up in the middle: nothing stays */
    must_ok(t, store_backup_begin(t->store, file, &b, &t->err));
    assert_int_equal(store_backup_step(b, 16, &t->err), 1);
    store_backup_free(b);
    assert_true(stat(part, &st) < 0 && stat(file, &st) < 0);

    must_ok(t, store_backup_begin(t->store, file, &b,
                                  &t->err)); /* somebody makes such a file meanwhile */
    int fd = open(file, O_CREAT | O_WRONLY, 0644);
    close(fd);
    while ((r = store_backup_step(b, 1000, &t->err)) > 0)
        ;
    must_fail(t, r, EEXIST);
    store_backup_free(b);
    assert_true(stat(file, &st) == 0 && st.st_size == 0 && stat(part, &st) < 0);
}

/* A store with a page that is no page: the copy says so, small and large, and leaves no file. */
static void damage_is_found(void **state)
{
    struct tmpstore *t = *state;
    struct stat st;
    for (int large = 0; large < 2; large++) {
        const char *file = tmpstore_path(t, "copy.db"), *db = tmpstore_path(t, "reeve.db");
        for (int i = 0; i < (large ? 5000 : 200); i++) {
            struct digest d;
            struct str text = arena_fmt(&t->arena, "%d %d %02000d", large, i, i * 7919);
            must_ok(t, store_blob_put(t->store, text, &d, &t->err));
        }
        add_steps(t, tmpstore_run(t, "w"), 1, large ? 70000 : 400);
        must_ok(t, store_commit(t->store, &t->err));
        int64_t pages = tmpstore_number(t, "PRAGMA page_count");
        int64_t root = tmpstore_number(t, "SELECT rootpage FROM sqlite_schema WHERE name='step'");
        assert_true(large ? pages > 2048 : pages < 2048);
        tmpstore_close(t); /* all of it is in the file now */
        int fd = open(db, O_RDWR | O_CLOEXEC);
        char page[4096], was[4096];
        memset(page, 0xa5, sizeof(page));
        assert_int_equal(pread(fd, was, sizeof(was), (root - 1) * 4096), 4096);
        /* the last child of the table's root */
        int64_t child = ((int64_t)(uint8_t)was[8] << 24) | (uint8_t)was[9] << 16 |
                        (uint8_t)was[10] << 8 | (uint8_t)was[11];
        assert_true(child > 1 && child <= pages);
        assert_int_equal(pread(fd, was, sizeof(was), (child - 1) * 4096), 4096);
        assert_int_equal(pwrite(fd, page, sizeof(page), (child - 1) * 4096), 4096);
        tmpstore_open(t);
        must_fail(t, store_backup(t->store, file, &t->err), EUCLEAN);
        assert_non_null(strstr(t->err.text, "check"));
        assert_true(stat(file, &st) < 0 && stat(tmpstore_path(t, "copy.db.part"), &st) < 0);
        tmpstore_close(t);
        assert_int_equal(pwrite(fd, was, sizeof(was), (child - 1) * 4096), 4096);
        close(fd);
        tmpstore_open(t);
    }
}

/* A copy is a store: renamed, it opens and goes on. */
static void copy_is_a_store(void **state)
{
    struct tmpstore *t = *state;
    struct tmpstore *u = tmpstore_new();
    add_steps(t, tmpstore_run(t, "w"), 1, 10);
    must_ok(t, store_commit(t->store, &t->err));
    tmpstore_close(u);
    unlink(tmpstore_path(u, "reeve.db"));
    unlink(tmpstore_path(u, "reeve.db-wal"));
    unlink(tmpstore_path(u, "reeve.db-shm"));
    must_ok(t, store_backup(t->store, tmpstore_path(u, "reeve.db"), &t->err));
    tmpstore_open(u);
    add_steps(u, 1, 11, 20);
    must_ok(u, store_commit(u->store, &u->err));
    assert_int_equal(tmpstore_number(u, "SELECT count(*) FROM step"), 20);
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM step"), 10);
    tmpstore_free(u);
}

static const char conversation[] = "{\"messages\":[\"%0*d\",\"%0*d\"],\"x\":\"%0*d\"}";

/* A run with everything that can hang on one. */
static int64_t full_run(struct tmpstore *t, const char *workflow, int64_t ended, int own,
                        int64_t shared_doc)
{
    struct store_event e = {.source = STR("s"),
                            .event_id = arena_fmt(&t->arena, "%s%d", workflow, own),
                            .type = STR("t"),
                            .envelope = STR("{}"),
                            .received_ms = ended > 0 ? ended - 5 : 5};
    struct store_run r = {
        .tenant = STR("acme"), .workflow = str_of(workflow), .next_seq = 1, .state = RUN_RUNNING};
    bool duplicate;
    must_ok(t, store_event_add(t->store, &e, &r.event, &duplicate, &t->err));
    must_ok(t, store_run_add(t->store, &r, &r.id, &t->err));
    struct store_step st = tmpstore_step(r.id, 1);
    st.state = STEP_COMMITTED;
    st.request_doc =
        tmpstore_doc(t, arena_fmt(&t->arena, conversation, 2000, 1, 2000, 2, 3000, own));
    must_ok(t, store_step_add(t->store, &st, &t->err));
    st.outcome_doc =
        shared_doc != 0 ? shared_doc : tmpstore_doc(t, arena_fmt(&t->arena, "%05000d", own));
    must_ok(t, store_step_update(t->store, &st, &t->err));
    int64_t id;
    struct store_decision d = {.run = r.id, .seq = 1, .ask = STR("call"), .facts = STR("{}")};
    struct store_approval a = {.run = r.id, .seq = 1, .what = STR("x")};
    must_ok(t, store_decision_add(t->store, &d, &id, &t->err));
    must_ok(t, store_approval_add(t->store, &a, &a.id, &t->err));
    struct store_vote v = {.approval = a.id, .uid = 1, .user = STR("u")};
    must_ok(t, store_vote_add(t->store, &v, &t->err));
    must_ok(t, store_log_add(t->store, r.id, 1, STR("info"), STR("worker"), STR("x"), &t->err));
    r.checkpoint_doc = tmpstore_doc(t, arena_fmt(&t->arena, "{\"c\":%d}", own));
    r.result_doc = tmpstore_doc(t, arena_fmt(&t->arena, "%05000d", own + 1000));
    r.state = ended > 0 ? RUN_SUCCEEDED : RUN_WAITING;
    r.ended_ms = ended;
    must_ok(t, store_run_update(t->store, &r, &t->err));
    return r.id;
}

static void retention_takes_the_old(void **state)
{
    struct tmpstore *t = *state;
    static const char *const tables[] = {"run",  "step", "event", "decision", "approval",
                                         "vote", "log",  "doc",   "blob",     "node"};
    int64_t before[ARRAY_LEN(tables)];
    (void)full_run(t, "keep", 50, 1, 0);
    (void)full_run(t, "old", 0, 2, 0); /* still waits */
    must_ok(t, store_commit(t->store, &t->err));
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        before[i] =
            tmpstore_number(t, arena_fmt(&t->arena, "SELECT count(*) FROM %s", tables[i]).ptr);
    for (int i = 0; i < 30; i++)
        (void)full_run(t, "old", 100 + i, 10 + i, 0);
    must_ok(t, store_commit(t->store, &t->err));

    assert_int_equal(store_retention(t->store, STR("old"), 100, 100, &t->err),
                     0); /* ended at 100: not before it */
    assert_int_equal(store_retention(t->store, STR("none"), 1000, 100, &t->err), 0);
    assert_int_equal(store_retention(t->store, STR("old"), 1000, 0, &t->err), 0);
    assert_int_equal(store_retention(t->store, STR("old"), 110, 100, &t->err), 10);
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(
        tmpstore_number(t, "SELECT min(ended_ms) FROM run WHERE workflow='old' AND ended_ms>0"),
        110);
    assert_int_equal(store_retention(t->store, STR("old"), 1000, 15, &t->err), 15);
    assert_int_equal(store_retention(t->store, STR("old"), 1000, 15, &t->err), 5);
    must_ok(t, store_commit(t->store, &t->err));
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        int64_t now =
            tmpstore_number(t, arena_fmt(&t->arena, "SELECT count(*) FROM %s", tables[i]).ptr);
        assert_row(now == before[i], i, "%s: %ld, not %ld", tables[i], (long)now, (long)before[i]);
    }
    struct store_step st;
    struct str text;
    for (int64_t run = 1; run <= 2; run++) {
        must_ok(t, store_step_get(t->store, run, 1, &t->arena, &st, &t->err));
        must_ok(t, store_doc_get(t->store, st.request_doc, &t->arena, &text, &t->err));
        must_ok(t, store_doc_get(t->store, st.outcome_doc, &t->arena, &text, &t->err));
        assert_int_equal(text.len, 5000);
    }
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static void retention_keeps_what_is_shared(void **state)
{
    struct tmpstore *t = *state;
    struct digest pinned;
    struct str text;
    int64_t doc = tmpstore_doc(t, arena_fmt(&t->arena, "%09000d", 1)), id = 0;
    int64_t a = full_run(t, "old", 100, 1, doc), b = full_run(t, "keep", 100, 2, doc);
    must_ok(t, store_blob_put(t->store, arena_fmt(&t->arena, "%05000d", 1001), &pinned,
                              &t->err)); /* a's result too */
    struct store_event e = {
        .source = STR("s"), .event_id = STR("alone"), .type = STR("t"), .envelope = STR("{}")};
    bool duplicate;
    must_ok(t, store_event_add(t->store, &e, &id, &duplicate, &t->err));
    assert_int_equal(store_retention(t->store, STR("old"), 1000, 100, &t->err), 1);
    must_ok(t, store_commit(t->store, &t->err));
    struct store_run run;
    must_fail(t, store_run_get(t->store, a, &t->arena, &run, &t->err), ENOENT);
    must_ok(t, store_run_get(t->store, b, &t->arena, &run, &t->err));
    must_ok(t, store_doc_get(t->store, doc, &t->arena, &text, &t->err));
    assert_int_equal(text.len, 9000);
    must_ok(t, store_blob_get(t->store, &pinned, &t->arena, &text, &t->err));
    assert_int_equal(text.len, 5000);
    must_ok(
        t, store_event_get(t->store, id, &t->arena, &e, &t->err)); /* someone may yet wait for it */
    assert_int_equal(store_retention(t->store, STR("keep"), 1000, 100, &t->err), 1);
    must_fail(t, store_doc_get(t->store, doc, &t->arena, &text, &t->err), ENOENT);
    assert_int_equal(store_retention(t->store, STR("keep"), (int64_t)1 << 42, 100, &t->err), 0);
    must_fail(t, store_event_get(t->store, id, &t->arena, &e, &t->err), ENOENT);
}

/* Room that retention freed is given back. */
static void space_comes_back(void **state)
{
    struct tmpstore *t = *state;
    int64_t empty = tmpstore_number(t, "PRAGMA page_count"), pages = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 100; i++)
            (void)full_run(t, "old", 100 + round, 100 * round + i, 0);
        must_ok(t, store_commit(t->store, &t->err));
        arena_reset(&t->arena);
        pages = tmpstore_number(t, "PRAGMA page_count");
        assert_true(pages > empty + 20);
        assert_int_equal(store_retention(t->store, STR("old"), 1000, 500, &t->err), 100);
        must_ok(t, store_commit(t->store, &t->err));
        pages = tmpstore_number(t, "PRAGMA page_count");
        assert_true(pages <= empty + 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(copies_while_in_use),     store_test(copy_is_a_store),
        store_test(goes_on_meanwhile),       store_test(damage_is_found),
        store_test(retention_takes_the_old), store_test(retention_keeps_what_is_shared),
        store_test(space_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
