/*
 * store_power.c: the power goes at every point of a piece of work, and what was not synced is gone,
 * there, or torn. Whatever was said to be committed is there afterwards, whole, and nothing is
 * there by halves (INV-04, INV-07).
 */
#include "tests/lib/tmpstore.h"
#include "tests/lib/vfs_power.h"

#include <sqlite3.h>

#include "supervisor/store/internal.h"

#define COMMITS 40

struct record {
    size_t acknowledged[COMMITS +
                        1]; /* calls on record when commit i returned; 0: the store was made */
    int count;
};

static void pass(struct tmpstore *t, int n)
{
    struct store_step st = tmpstore_step(1, n);
    char text[3000];
    memset(text, 'a' + n % 26, sizeof(text));
    for (size_t i = 0, seed = (size_t)n; i < sizeof(text); i += 3)
        text[i] = (char)('0' + (seed = seed * 1103515245u + 12345u) / 65536 % 64);
    st.request_doc = tmpstore_doc(t, (struct str){text, sizeof(text)});
    must_ok(t, store_step_add(t->store, &st, &t->err));
    st.state = STEP_COMMITTED;
    must_ok(t, store_step_update(t->store, &st, &t->err));
    must_ok(t, store_audit_add(t->store, n, STR("reeved"), STR("step"), STR("run 1"), STR("{}"),
                               &t->err));
    struct store_run run;
    must_ok(t, store_run_get(t->store, 1, &t->arena, &run, &t->err));
    run.next_seq = n + 1;
    must_ok(t, store_run_update(t->store, &run, &t->err));
    must_ok(t, store_commit(t->store, &t->err));
}

/* The work, on record: several checkpoints, a log that begins anew, and an end and start in the
 * middle. */
static void work(struct tmpstore *t, struct record *rec)
{
    vfs_power_clear();
    tmpstore_open(t);
    (void)tmpstore_run(t, "w");
    must_ok(t, store_commit(t->store, &t->err));
    rec->acknowledged[0] = vfs_power_recorded();
    for (rec->count = 1; rec->count <= COMMITS; rec->count++) {
        t->store->checkpoint_pages = 40;
        pass(t, rec->count);
        rec->acknowledged[rec->count] = vfs_power_recorded();
        if (rec->count == COMMITS / 2)
            tmpstore_reopen(t);
    }
    tmpstore_close(t);
}

static int acknowledged_at(const struct record *rec, size_t calls)
{
    int n = -1;
    for (int i = 0; i <= COMMITS && rec->acknowledged[i] <= calls; i++)
        n = i;
    return n;
}

static int see(void *arg, const struct store_step *st)
{
    int *n = arg;
    return st->seq == ++*n && st->state == STEP_COMMITTED ? 0 : -EBADMSG;
}

/* How many passes are there; -1 where any is there by halves or the store does not open. */
static int passes_there(struct tmpstore *t)
{
    struct store_options o = tmpstore_options;
    o.check_integrity = true;
    if (store_open(t->dir, &o, &t->store, &t->err) < 0)
        return -1;
    int64_t records = -1;
    int steps = 0;
    struct store_run run = {.next_seq = 1};
    struct str text;
    struct store_step st;
    bool ok = store_audit_check(t->store, &records, &t->err) >= 0 &&
              store_steps(t->store, 1, 0, see, &steps, &t->err) >= 0 && records == steps;
    int r = ok ? store_run_get(t->store, 1, &t->arena, &run, &t->err) : 0;
    ok = ok && (r == -ENOENT ? steps == 0 : r >= 0 && run.next_seq == steps + 1);
    if (ok && steps > 0)
        ok = store_step_get(t->store, 1, steps, &t->arena, &st, &t->err) >= 0 &&
             store_doc_get(t->store, st.request_doc, &t->arena, &text, &t->err) >= 0 &&
             text.len == 3000;
    tmpstore_close(t);
    arena_reset(&t->arena);
    return ok ? steps : -1;
}

struct outcome {
    int tried, lost, halves;
};

static struct outcome lose_at_every_point(struct tmpstore *t, const struct record *rec,
                                          size_t stride)
{
    struct outcome o = {0};
    size_t all = vfs_power_recorded();
    for (size_t calls = 0; calls <= all; calls += stride)
        for (int loss = 0; loss < POWER_LOSS_COUNT; loss++)
            for (unsigned seed = 0; seed < (loss >= POWER_SOME ? 2u : 1u); seed++) {
                vfs_power_lose(calls, (enum power_loss)loss, (unsigned)calls * 31 + seed);
                int acknowledged = acknowledged_at(rec, calls), there = passes_there(t);
                o.tried++;
                o.halves += there < 0;
                o.lost += there >= 0 && there < acknowledged;
                if ((there < 0 || there < acknowledged) && o.lost + o.halves == 1)
                    print_message("first: after %zu of %zu calls, loss %d: %d of %d: %s\n", calls,
                                  all, loss, there, acknowledged, t->err.text);
            }
    return o;
}

static int setup(void **state)
{
    vfs_power_clear();
    vfs_power_syncs_lie = false;
    *state = tmpstore_new();
    tmpstore_close(*state);
    return 0;
}

static void nothing_committed_is_lost(void **state)
{
    struct tmpstore *t = *state;
    struct record rec;
    work(t, &rec);
    struct outcome o = lose_at_every_point(t, &rec, 1);
    print_message("power losses tried: %d, lost: %d, by halves: %d\n", o.tried, o.lost, o.halves);
    assert_true(o.tried > 1000);
    assert_int_equal(o.lost, 0);
    assert_int_equal(o.halves, 0);
}

/* The same on a disk whose syncs do nothing: this test must see what is lost, or it sees nothing.
 */
static void a_lying_disk_is_seen(void **state)
{
    struct tmpstore *t = *state;
    struct record rec;
    vfs_power_syncs_lie = true;
    work(t, &rec);
    struct outcome o = lose_at_every_point(t, &rec, 37);
    print_message("with syncs that lie: %d tried, lost: %d, by halves: %d\n", o.tried, o.lost,
                  o.halves);
    assert_true(o.lost > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_committed_is_lost, setup, tmpstore_teardown),
        cmocka_unit_test_setup_teardown(a_lying_disk_is_seen, setup, tmpstore_teardown),
    };
    vfs_power_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
