/*
 * Goal: a restarted worker's requests find their steps again: by kind, key and request, in any order, each
 * step once (INV-05); what was never recorded is not found; checkpoints bound what is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "supervisor/journal.h"

struct fixture {
    char dir[64];
    struct store *store;
    struct journal journal;
    int64_t run;
};

static int setup(void **state)
{
    static struct fixture f;
    struct err err = ERR_INIT;
    const struct store_options o = {.create = true, .mode = 0600, .group = (gid_t)-1};
    const struct store_run run = {.tenant = STR("acme"), .workflow = STR("w"), .next_seq = 1,
                                  .trace_id = "0123456789abcdef0123456789abcdef"};
    snprintf(f.dir, sizeof(f.dir), "/tmp/reeve-journal-XXXXXX");
    if (!mkdtemp(f.dir) || store_open(f.dir, &o, &f.store, &err) < 0 || store_run_add(f.store, &run, &f.run, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    journal_init(&f.journal, f.store, f.run);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char line[128];
    journal_release(&f->journal);
    store_close(f->store);
    snprintf(line, sizeof(line), "rm -rf %s", f->dir);
    return system(line) == 0 ? 0 : -1;
}

static struct step *append(struct fixture *f, int64_t seq, const char *key, const char *request)
{
    struct err err = ERR_INIT;
    struct step *s = NULL;
    const struct store_step rec = {.seq = seq, .kind = STEP_TOOL, .key = str_of(key), .request = digest_of(str_of(request)),
                                   .state = STEP_INTENT, .attempt = 1};
    assert_int_equal(journal_append(&f->journal, &rec, &s, &err), 0);
    return s;
}

static struct step *match(struct fixture *f, const char *key, const char *request)
{
    struct digest d = digest_of(str_of(request));
    return journal_match(&f->journal, STEP_TOOL, str_of(key), &d);
}

static void settle(struct fixture *f, struct step *s)
{
    struct err err = ERR_INIT;
    s->rec.state = STEP_COMMITTED;
    assert_int_equal(store_doc_put(f->store, STR("{}"), &s->rec.outcome_doc, &err), 0);
    assert_int_equal(journal_save(&f->journal, s, &err), 0);
}

static void reload(struct fixture *f, int64_t after)
{
    struct err err = ERR_INIT;
    assert_int_equal(store_commit(f->store, &err), 0);
    journal_release(&f->journal);
    assert_int_equal(journal_load(&f->journal, after, &err), 0);
}

static void each_step_is_found_once_in_any_order(void **state)
{
    struct fixture *f = *state;
    append(f, 1, "l/a", "{\"n\":1}");
    append(f, 2, "l/b", "{\"n\":1}");
    append(f, 3, "l/a", "{\"n\":1}");
    assert_int_equal(f->journal.steps[2]->rec.occurrence, 2);
    reload(f, 0);
    assert_int_equal(f->journal.unmatched, 3);
    assert_int_equal(match(f, "l/b", "{\"n\":1}")->rec.seq, 2);
    assert_int_equal(match(f, "l/a", "{\"n\":1}")->rec.seq, 1);
    assert_int_equal(match(f, "l/a", "{\"n\":1}")->rec.seq, 3);
    assert_null(match(f, "l/a", "{\"n\":1}"));
    assert_int_equal(f->journal.unmatched, 0);
}

static void another_request_is_not_found(void **state)
{
    struct fixture *f = *state;
    append(f, 1, "l/a", "{\"n\":1}");
    reload(f, 0);
    struct digest d = digest_of(STR("{\"n\":1}"));
    assert_null(match(f, "l/a", "{\"n\":2}"));
    assert_null(match(f, "l/ab", "{\"n\":1}"));
    assert_null(journal_match(&f->journal, STEP_MODEL, STR("l/a"), &d));
    assert_int_equal(journal_first_unmatched(&f->journal)->rec.seq, 1);
}

static void a_withdrawn_failure_is_not_settled(void **state)
{
    struct fixture *f = *state;
    struct step *s = append(f, 1, "l/a", "{}");
    assert_false(step_is_settled(s));
    settle(f, s);
    assert_true(step_is_settled(s));
    s->rec.state = STEP_FAILED;
    s->rec.outcome_doc = 0;
    assert_false(step_is_settled(s));
}

/* 10,000 steps with a checkpoint at 9,950: the restart reads fifty. */
static void a_checkpoint_bounds_the_replay(void **state)
{
    struct fixture *f = *state;
    for (int i = 1; i <= 10000; i++) {
        char request[32];
        snprintf(request, sizeof(request), "{\"n\":%d}", i);
        settle(f, append(f, i, "l/a", request));
    }
    journal_forget(&f->journal, 9950);
    assert_int_equal(f->journal.count, 50);
    assert_int_equal(journal_find(&f->journal, 9951)->rec.seq, 9951);
    assert_null(journal_find(&f->journal, 9950));
    reload(f, 9950);
    assert_int_equal(f->journal.count, 50);
    assert_int_equal(match(f, "l/a", "{\"n\":10000}")->rec.seq, 10000);
}

static void waiters_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct step *s = append(f, 1, "l/a", "{}");
    int r = 0, n = 0;
    while ((r = step_wait(s, STR("17"))) == 0)
        n++;
    assert_int_equal(r, -E2BIG);
    assert_int_equal(n, 64);
    step_drop_waiters(s);
    assert_null(s->waiters);
}

static struct step *append_later(struct fixture *f, int64_t seq, const char *key)
{
    struct err err = ERR_INIT;
    struct step *s = NULL;
    const struct store_step rec = {.seq = seq, .kind = STEP_NAMED, .key = str_of(key), .request = digest_of(str_of(key)),
                                   .state = STEP_OPEN, .attempt = 1};
    assert_int_equal(journal_append_later(&f->journal, &rec, &s, &err), 0);
    assert_int_equal(step_set_request(s, STR("{}")), 0);
    return s;
}

static int count_row(void *arg, const struct store_step *st)
{
    int64_t *n = arg;
    n[0]++;
    n[1] = st->state;
    return 0;
}

static int64_t rows(struct fixture *f, int64_t *ret_state)
{
    struct err err = ERR_INIT;
    int64_t n[2] = {0, 0};
    assert_int_equal(store_steps(f->store, f->run, 0, count_row, n, &err), 0);
    if (ret_state)
        *ret_state = n[1];
    return n[0];
}

/* A named step has no row until it ends, or until the run writes anything: never a later step without it. */
static void a_step_may_be_written_later(void **state)
{
    struct fixture *f = *state;
    struct err err = ERR_INIT;
    int64_t is;
    assert_int_equal(store_commit(f->store, &err), 0);
    struct step *a = append_later(f, 1, "a");
    assert_int_equal(rows(f, NULL), 0);
    assert_false(store_is_dirty(f->store));
    a->rec.state = STEP_COMMITTED;
    assert_int_equal(store_doc_put(f->store, STR("1"), &a->rec.outcome_doc, &err), 0);
    assert_int_equal(journal_save(&f->journal, a, &err), 0);
    assert_int_equal(rows(f, &is), 1);
    assert_int_equal(is, STEP_COMMITTED);
    a->rec.reason = STR_NONE;
    assert_int_equal(journal_save(&f->journal, a, &err), 0); /* the row that is there */
    assert_int_equal(rows(f, NULL), 1);

    struct step *b = append_later(f, 2, "b");
    (void)append_later(f, 3, "c");
    assert_int_equal(f->journal.unwritten, 2);
    assert_int_equal(journal_write_out(&f->journal, &err), 0);
    assert_int_equal(f->journal.unwritten, 0);
    assert_int_equal(rows(f, NULL), 3);
    assert_true(b->rec.request_doc != 0);
    assert_int_equal(journal_first_busy(&f->journal), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_step_is_found_once_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(another_request_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_withdrawn_failure_is_not_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(a_checkpoint_bounds_the_replay, setup, teardown),
        cmocka_unit_test_setup_teardown(waiters_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_step_may_be_written_later, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
