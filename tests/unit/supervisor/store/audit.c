/*
 * audit.c: whatever is done to the record by other hands is found; log lines are bounded.
 */
#include "tests/lib/tmpstore.h"

static void fill(struct tmpstore *t, int n)
{
    for (int i = 0; i < n; i++) {
        struct str subject = arena_fmt(&t->arena, "run %d", i);
        must_ok(t, store_audit_add(t->store, 1000 + i, STR("uid 1000 ann"), STR("approval/decide"),
                                   subject, STR("{\"approve\":true}"), &t->err));
    }
    must_ok(t, store_commit(t->store, &t->err));
}

static void whole_chain_is_good(void **state)
{
    struct tmpstore *t = *state;
    int64_t n = -1;
    must_ok(t, store_audit_check(t->store, &n, &t->err));
    assert_int_equal(n, 0);
    fill(t, 300);
    tmpstore_reopen(t); /* goes on from what is there */
    fill(t, 300);
    must_ok(t, store_audit_add(t->store, 1, STR("a"), STR("b"), STR("c"), STR("{}"), &t->err));
    store_rollback(t->store); /* and after one that was taken back */
    fill(t, 1);
    must_ok(t, store_audit_check(t->store, &n, &t->err));
    assert_int_equal(n, 601);
}

static void tampering_is_found(void **state)
{
    struct tmpstore *t = *state;
    static const struct {
        const char *sql;
        const char *says;
    } rows[] = {
        {"UPDATE audit SET detail='{\"approve\":false}' WHERE id=20", "record 20 was changed"},
        {"UPDATE audit SET actor='uid 0 root' WHERE id=1", "record 1 was changed"},
        {"UPDATE audit SET at_ms=at_ms+1 WHERE id=40", "record 40 was changed"},
        {"UPDATE audit SET digest=zeroblob(32) WHERE id=30", "record 30 was changed"},
        {"UPDATE audit SET action=action||subject, subject='' WHERE id=7", "record 7 was changed"},
        {"DELETE FROM audit WHERE id=12", "record 12 is missing"},
        {"DELETE FROM audit WHERE id=1", "record 1 is missing"},
        {"DELETE FROM audit WHERE id>35", "record 36 is missing"},
        {"DELETE FROM audit", "record 1 is missing"},
        {"UPDATE audit SET id=-id WHERE id IN (3,4); UPDATE audit SET id=7+id WHERE id<0",
         "record 3 was changed"},
        {"INSERT INTO audit SELECT 41,1,'a','b','c','{}',digest FROM audit WHERE id=40",
         "record 41 was changed"},
    };
    fill(t, 40);
    tmpstore_close(t);
    tmpstore_sql(t, "CREATE TABLE spare AS SELECT * FROM audit");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tmpstore_sql(t, rows[i].sql);
        tmpstore_open(t);
        int64_t n;
        int r = store_audit_check(t->store, &n, &t->err);
        assert_row(r == -EUCLEAN && strstr(t->err.text, rows[i].says) != NULL, i, "%d %s", r,
                   t->err.text);
        tmpstore_close(t);
        tmpstore_sql(t, "DELETE FROM audit; INSERT INTO audit SELECT * FROM spare;"
                        "UPDATE sqlite_sequence SET seq=40 WHERE name='audit'");
    }
    tmpstore_open(t);
    int64_t n = 0;
    must_ok(t, store_audit_check(t->store, &n, &t->err));
    assert_int_equal(n, 40);
}

static void log_is_bounded(void **state)
{
    struct tmpstore *t = *state;
    int64_t run = tmpstore_run(t, "w"), other = tmpstore_run(t, "w");
    char big[6000];
    memset(big, 'x', sizeof(big));
    for (int i = 0; i < 1500; i++)
        must_ok(t, store_log_add(t->store, run, i, STR("info"), STR("worker"),
                                 (struct str){big, 5000}, &t->err));
    /* A character on the border is not cut in two. */
    memcpy(big + 4095, "\xe2\x82\xac", 3);
    must_ok(t, store_log_add(t->store, other, 1, STR("info"), STR("worker"),
                             (struct str){big, 5000}, &t->err));
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM log WHERE run=1"), 1001);
    assert_int_equal(tmpstore_number(t, "SELECT max(length(text)) FROM log"), 4096);
    assert_int_equal(tmpstore_number(t, "SELECT max(dropped) FROM log"), 500);
    assert_int_equal(tmpstore_number(t, "SELECT length(text) FROM log WHERE run=2"), 4095);
    must_fail(t, store_log_add(t->store, 0, 1, STR("info"), STR("worker"), STR("x"), &t->err),
              EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(whole_chain_is_good),
        store_test(tampering_is_found),
        store_test(log_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
