/*
 * doc.c: documents come back to the byte, share what they have in common, and go when nobody needs
 * them.
 */
#include "tests/lib/tmpstore.h"

#include "supervisor/store/internal.h"

static void same(struct tmpstore *t, struct str text)
{
    int64_t doc = tmpstore_doc(t, text);
    struct str got;
    must_ok(t, store_doc_get(t->store, doc, &t->arena, &got, &t->err));
    if (!str_eq(got, text)) {
        print_error("put %zu bytes, got %zu\n", text.len, got.len);
        fail();
    }
    arena_reset(&t->arena);
}

static void text_of(struct buf *b, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245u + 12345u;
        buf_char(b, (char)('a' + (seed >> 16) % 26));
    }
}

static void comes_back_to_the_byte(void **state)
{
    struct tmpstore *t = *state;
    struct buf b;
    buf_init(&b, (size_t)8 << 20);
    static const size_t sizes[] = {0, 1, 511, 512, 1023, 1024, 1025, 4096, 70000, 3000000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        buf_clear(&b);
        text_of(&b, sizes[i], (unsigned)i);
        same(t, buf_str(&b));
    }
    same(t, STR("null"));
    same(t, STR("\0\xff\xfe not utf-8 \xc0"));
    /* bytes that neither compress nor decode */
    buf_clear(&b);
    for (unsigned i = 0, seed = 7; i < 100000; i++) {
        seed = seed * 1664525u + 1013904223u;
        buf_char(&b, (char)(seed >> 24));
    }
    same(t, buf_str(&b));
    buf_release(&b);
}

/* "%" stands for 1,200 bytes, so that the chain is worth while. */
static void conversations_come_back(void **state)
{
    struct tmpstore *t = *state;
    static const char *const texts[] = {
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%\"}],\"tools\":[]}",
        "{\"messages\":[\"%\"]}",
        "{\"messages\":[\"%\",1,null,[],{},\"%\",-0.0,\"\\u0041\"]}",
        "{\"messages\":[]  ,\"a\":\"%\"}",
        "{\"messages\":[1,2 ,3],\"a\":\"%\"}",
        "{\"messages\": [1,2,3],\"a\":\"%\"}",
        "{\"messages\":[ 1,2,3],\"a\":\"%\"}",
        "{\"messages\":[1,2,3 ],\"a\":\"%\"}",
        "{\"messages\":[1,\n2],\"a\":\"%\"}",
        "{\"input\":[{\"x\":\"%\"},{\"y\":\"%\"}]}",
        "{\"request\":{\"messages\":[\"%\",\"%\"]},\"route\":\"r\"}",
        "{\"request\":{\"input\":[\"%\",\"%\"]},\"messages\":[[[\"%\"]]]}",
        "{\"messages\":{\"messages\":[\"%\",2]}}",
        "{\"messages\":\"%\",\"input\":7}",
        "  {\"messages\":[\"%\",[1, 2]]}\n",
        "[{\"messages\":[\"%\"]}]",
        "{\"messages\":[\"%\",\"%\"",
        "{\"messages\":[\"%\"],\"messages\":[\"%\"]}",
        "\"%\"",
    };
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        buf_clear(&b);
        for (const char *p = texts[i]; *p != '\0'; p++)
            if (*p == '%')
                text_of(&b, 1200, (unsigned)i);
            else
                buf_char(&b, *p);
        same(t, buf_str(&b));
    }
    buf_release(&b);
}

static void turn(struct buf *b, int turns, size_t bytes_a_turn)
{
    buf_clear(b);
    buf_cstr(b, "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"");
    text_of(b, 3000, 1);
    buf_cstr(b, "\"}");
    for (int i = 0; i < turns; i++) {
        buf_cstr(b, ",{\"role\":\"assistant\",\"content\":\"");
        text_of(b, bytes_a_turn, (unsigned)i + 2);
        buf_cstr(b, "\"}");
    }
    buf_cstr(b, "],\"tools\":[{\"name\":\"");
    text_of(b, 6000, 99);
    buf_cstr(b, "\"}],\"temperature\":0}");
}

/* 100 turns, each with all that was said before, 200 KB at the end: 10 MB were asked to be kept. */
static void conversation_costs_what_it_holds(void **state)
{
    struct tmpstore *t = *state;
    struct buf b;
    buf_init(&b, (size_t)8 << 20);
    int64_t docs[100], put = 0, before = tmpstore_bytes(t), half = 0;
    for (int i = 0; i < 100; i++) {
        turn(&b, i + 1, 2000);
        put += (int64_t)b.len;
        docs[i] = tmpstore_doc(t, buf_str(&b));
        must_ok(t, store_commit(t->store, &t->err));
        if (i == 49)
            half = tmpstore_bytes(t) - before;
    }
    int64_t kept = tmpstore_bytes(t) - before;
    print_message("100 turns, %zu bytes at the end: %ld bytes put, %ld kept\n", b.len, (long)put,
                  (long)kept);
    assert_true(put > 10000000);
    assert_true(kept < 2 * (int64_t)b.len);  /* random letters pack to about 0.6 */
    assert_true(kept - half < half * 3 / 2); /* the second half costs as much as the first */
    for (int i = 0; i < 100; i++) {
        struct str got;
        turn(&b, i + 1, 2000);
        must_ok(t, store_doc_get(t->store, docs[i], &t->arena, &got, &t->err));
        assert_true(str_eq(got, buf_str(&b)));
        arena_reset(&t->arena);
    }
    buf_release(&b);
}

static void the_same_is_kept_once(void **state)
{
    struct tmpstore *t = *state;
    struct buf b;
    buf_init(&b, (size_t)8 << 20);
    text_of(&b, 100000, 5);
    for (int i = 0; i < 50; i++)
        (void)tmpstore_doc(t, buf_str(&b));
    struct digest d, e;
    must_ok(t, store_blob_put(t->store, buf_str(&b), &d, &t->err));
    must_ok(t, store_blob_put(t->store, buf_str(&b), &e, &t->err));
    assert_true(digest_eq(&d, &e));
    struct digest want = digest_of(buf_str(&b));
    assert_true(digest_eq(&d, &want));
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM blob"), 1);
    struct str got;
    must_ok(t, store_blob_get(t->store, &d, &t->arena, &got, &t->err));
    assert_true(str_eq(got, buf_str(&b)));
    d.bytes[0] ^= 1;
    must_fail(t, store_blob_get(t->store, &d, &t->arena, &got, &t->err), ENOENT);
    buf_release(&b);
}

static void too_much_is_refused(void **state)
{
    struct tmpstore *t = *state;
    int64_t doc;
    struct digest d;
    char *big = calloc(1, DB_TEXT_MAX + 1);
    assert_non_null(big);
    struct str text = {big, DB_TEXT_MAX + 1};
    must_fail(t, store_doc_put(t->store, text, &doc, &t->err), E2BIG);
    must_fail(t, store_blob_put(t->store, text, &d, &t->err), E2BIG);
    must_fail(t, store_value_put(t->store, STR("a"), text, &t->err), E2BIG);
    free(big);
    struct arena small;
    struct str got;
    arena_init(&small, 100);
    doc = tmpstore_doc(
        t, STR("0123456789012345678901234567890123456789012345678901234567890123456789"
               "0123456789012345678901234567890123456789012345678901234567890123456789"));
    must_fail(t, store_doc_get(t->store, doc, &small, &got, &t->err), ENOMEM);
    arena_release(&small);
    must_fail(t, store_doc_get(t->store, doc + 1, &t->arena, &got, &t->err), ENOENT);
    assert_false(store_is_broken(t->store));
}

static int64_t texts_left(struct tmpstore *t)
{
    must_ok(t, store_commit(t->store, &t->err));
    return tmpstore_number(t, "SELECT (SELECT count(*) FROM doc)+(SELECT count(*) FROM "
                              "node)+(SELECT count(*) FROM blob)");
}

/* A document goes with the last row that refers to it, and takes only what no other one shares. */
static void goes_with_its_last_reference(void **state)
{
    struct tmpstore *t = *state;
    struct buf b;
    buf_init(&b, (size_t)8 << 20);
    struct str got;
    int64_t id = tmpstore_run(t, "w"), docs[3];
    struct store_run run;
    must_ok(t, store_run_get(t->store, id, &t->arena, &run, &t->err));
    for (int i = 0; i < 3; i++) {
        turn(&b, 10 * (i + 1), 1500);
        docs[i] = tmpstore_doc(t, buf_str(&b));
        run.checkpoint_doc = docs[i];
        must_ok(t, store_run_update(t->store, &run, &t->err));
        must_ok(t, store_run_update(t->store, &run, &t->err)); /* the same again counts once */
        if (i > 0)
            must_fail(t, store_doc_get(t->store, docs[i - 1], &t->arena, &got, &t->err), ENOENT);
    }
    must_ok(t, store_doc_get(t->store, docs[2], &t->arena, &got, &t->err));
    assert_true(str_eq(got, buf_str(&b)));

    /* The same document as a result of the run and as the outcome of a step of another. */
    struct store_step st = tmpstore_step(tmpstore_run(t, "w"), 1);
    must_ok(t, store_step_add(t->store, &st, &t->err));
    st.outcome_doc = docs[2];
    must_ok(t, store_step_update(t->store, &st, &t->err));
    must_ok(t, store_step_update(t->store, &st, &t->err));
    run.checkpoint_doc = 0;
    must_ok(t, store_run_update(t->store, &run, &t->err));
    must_ok(t, store_doc_get(t->store, docs[2], &t->arena, &got, &t->err));
    assert_true(str_eq(got, buf_str(&b)));
    st.outcome_doc = 0;
    must_ok(t, store_step_update(t->store, &st, &t->err));
    must_fail(t, store_doc_get(t->store, docs[2], &t->arena, &got, &t->err), ENOENT);
    assert_int_equal(texts_left(t), 0);

    run.result_doc = docs[2];
    must_fail(t, store_run_update(t->store, &run, &t->err), EINVAL);
    buf_release(&b);
}

/* After a rollback no reference may count as the free one twice. */
static void rollback_keeps_references_right(void **state)
{
    struct tmpstore *t = *state;
    int64_t id = tmpstore_run(t, "w"), doc = tmpstore_doc(t, STR("{\"a\":1}"));
    struct store_run run;
    struct str got;
    must_ok(t, store_commit(t->store, &t->err));
    must_ok(t, store_run_get(t->store, id, &t->arena, &run, &t->err));
    run.checkpoint_doc = doc;
    must_ok(t, store_run_update(t->store, &run, &t->err));
    store_rollback(t->store);
    must_ok(t, store_run_update(t->store, &run, &t->err));
    struct store_step st = tmpstore_step(id, 1);
    st.outcome_doc = doc;
    must_ok(t, store_step_add(t->store, &st, &t->err));
    run.checkpoint_doc = 0;
    must_ok(t, store_run_update(t->store, &run, &t->err));
    must_ok(t, store_doc_get(t->store, doc, &t->arena, &got, &t->err));
    assert_str(got, "{\"a\":1}");
}

/* Rows that a damaged disk could hold: no endless loop, no wild read, a clear word. */
static void broken_chains_are_told(void **state)
{
    struct tmpstore *t = *state;
    static const char *const damage[] = {
        "UPDATE node SET parent=(SELECT max(id) FROM node) WHERE parent IS NULL",
        "UPDATE node SET depth=4000000000000 WHERE id=(SELECT max(id) FROM node)",
        "DELETE FROM node WHERE depth=3",
        "UPDATE node SET depth=0",
        "DELETE FROM blob",
        "UPDATE blob SET bytes=substr(bytes,1,20)",
        "UPDATE blob SET bytes=x'28b52ffd00'",
        "UPDATE blob SET bytes=zeroblob(50)",
        "UPDATE blob SET bytes=7",
    };
    struct buf b;
    buf_init(&b, (size_t)8 << 20);
    turn(&b, 6, 3000);
    int64_t doc = tmpstore_doc(t, buf_str(&b));
    for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
        char sql[200];
        struct str got;
        tmpstore_reopen(t);
        (void)snprintf(sql, sizeof(sql), "BEGIN; %s; SELECT 1", damage[i]);
        /* On the store's own connection, taken back afterwards. */
        must_ok(t, db_run(&t->store->db, "PRAGMA foreign_keys=OFF", &t->err));
        must_ok(t, db_run(&t->store->db, sql, &t->err));
        int r = store_doc_get(t->store, doc, &t->arena, &got, &t->err);
        assert_row(r == -EUCLEAN, i, "%s: %d %s", damage[i], r, t->err.text);
        must_ok(t, db_run(&t->store->db, "ROLLBACK", &t->err));
        must_ok(t, store_doc_get(t->store, doc, &t->arena, &got, &t->err));
    }
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(comes_back_to_the_byte),
        store_test(conversations_come_back),
        store_test(conversation_costs_what_it_holds),
        store_test(the_same_is_kept_once),
        store_test(too_much_is_refused),
        store_test(goes_with_its_last_reference),
        store_test(rollback_keeps_references_right),
        store_test(broken_chains_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
