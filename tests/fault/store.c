/*
 * store.c: the disk fails at call N, for each N until the work passes untouched. Nothing that was
 * committed is lost, nothing is tried again as if nothing had happened, and the store stays stopped
 * (INV-04, INV-07).
 */
#include "tests/lib/tmpstore.h"
#include "tests/lib/vfs_fault.h"

#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/store/internal.h"

#define COMMITS 12

/* One loop pass: all that a step changes, in one transaction. */
static int pass(struct store *s, int64_t run, int n, struct err *err)
{
    char text[9000];
    int64_t doc;
    int fill = snprintf(text, sizeof(text), "{\"n\":%d,\"x\":\"", n);
    for (unsigned seed = (unsigned)n; fill < 6000; fill++) {
        seed = seed * 1103515245u + 12345u;
        text[fill] = (char)('0' + (seed >> 16) % 64);
    }
    int r = store_doc_put(s, (struct str){text, (size_t)fill}, &doc, err);
    struct store_step st = tmpstore_step(run, n);
    st.request_doc = doc;
    if (r >= 0)
        r = store_step_add(s, &st, err);
    st.state = STEP_COMMITTED;
    if (r >= 0)
        r = store_step_update(s, &st, err);
    if (r >= 0)
        r = store_audit_add(s, n, STR("reeved"), STR("step"), STR("run 1"), STR("{}"), err);
    if (r >= 0)
        r = store_commit(s, err);
    return r;
}

/* Passes until one fails; how many were said to be durable. */
static int work(struct tmpstore *t, int64_t run, int *ret_result)
{
    int done = 0;
    *ret_result = 0;
    while (done < COMMITS && (*ret_result = pass(t->store, run, done + 1, &t->err)) >= 0)
        done++;
    return done;
}

/* The store is stopped, says so to every call, and touches the disk no more, not even when it is
 * closed. */
static void stays_stopped(struct tmpstore *t)
{
    struct store_run run;
    struct str text;
    int64_t n;
    vfs_fault.kinds = VFS_WRITE | VFS_SYNC | VFS_TRUNCATE;
    vfs_fault.fail_at = 0; /* the disk would work again */
    vfs_fault.calls = 0;
    assert_true(store_is_broken(t->store));
    must_fail(t, store_commit(t->store, &t->err), EIO);
    must_fail(t, store_value_put(t->store, STR("a"), STR("b"), &t->err), EIO);
    must_fail(t, store_run_get(t->store, 1, &t->arena, &run, &t->err), EIO);
    must_fail(t, store_value_get(t->store, STR("a"), &t->arena, &text, &t->err), EIO);
    must_fail(t, store_audit_check(t->store, &n, &t->err), EIO);
    must_fail(t, store_backup(t->store, tmpstore_path(t, "copy"), &t->err), EIO);
    must_fail(t, store_commit(t->store, &t->err), EIO);
    tmpstore_close(t);
    assert_int_equal(vfs_fault.calls, 0);
}

static void committed_is_there(struct tmpstore *t, int64_t run, int done)
{
    struct store_options o = tmpstore_options;
    int64_t records = 0;
    struct store_step st;
    struct str text;
    o.check_integrity = true;
    must_ok(t, store_open(t->dir, &o, &t->store, &t->err));
    must_ok(t, store_audit_check(t->store, &records, &t->err));
    assert_in_range(records, done,
                    done + 1); /* the one that failed may have reached the disk whole */
    for (int i = 1; i <= records; i++) {
        must_ok(t, store_step_get(t->store, run, i, &t->arena, &st, &t->err));
        assert_int_equal(st.state, STEP_COMMITTED);
        must_ok(t, store_doc_get(t->store, st.request_doc, &t->arena, &text, &t->err));
        assert_true(str_starts(text, arena_fmt(&t->arena, "{\"n\":%d,", i)));
        arena_reset(&t->arena);
    }
    must_fail(t, store_step_get(t->store, run, records + 1, &t->arena, &st, &t->err), ENOENT);
    must_ok(t, store_value_put(t->store, STR("goes on"), STR("1"), &t->err));
    must_ok(t, store_commit(t->store, &t->err));
}

static void sweep(unsigned kinds, int code, bool for_ever, int number)
{
    int64_t tried = 0;
    for (int64_t n = 1;; n++) {
        struct tmpstore *t = tmpstore_new();
        int64_t run = tmpstore_run(t, "w");
        int result;
        must_ok(t, store_commit(t->store, &t->err));
        t->store->checkpoint_pages =
            12; /* several checkpoints and a log that begins anew are part of it */
        vfs_fault =
            (struct vfs_fault){.kinds = kinds, .fail_at = n, .for_ever = for_ever, .code = code};
        int done = work(t, run, &result);
        bool met = vfs_fault.failed > 0;
        if (met) {
            assert_row(result < 0, n, "the failure was not told");
            assert_row(t->err.number == number, n, "%s", t->err.text);
            stays_stopped(t);
            tried++;
        } else {
            assert_int_equal(done, COMMITS);
            tmpstore_close(t);
        }
        vfs_fault = (struct vfs_fault){0};
        committed_is_there(t, run, done);
        tmpstore_free(t);
        if (!met)
            break;
    }
    assert_true(tried > 20);
    print_message("calls that failed: %ld\n", (long)tried);
}

static void write_fails_once(void **state)
{
    (void)state;
    sweep(VFS_WRITE, 0, false, EIO);
}

static void disk_is_full(void **state)
{
    (void)state;
    sweep(VFS_WRITE, SQLITE_FULL, true, ENOSPC);
}

static void sync_fails_once(void **state)
{
    (void)state;
    sweep(VFS_SYNC, 0, false, EIO);
}

/* Making the database: whatever fails, the next start makes it whole. */
static void making_it_fails(void **state)
{
    (void)state;
    int64_t tried = 0;
    for (int64_t n = 1;; n++) {
        struct tmpstore *t = tmpstore_new();
        tmpstore_close(t);
        (void)unlink(tmpstore_path(t, "reeve.db"));
        (void)unlink(tmpstore_path(t, "reeve.db-wal"));
        (void)unlink(tmpstore_path(t, "reeve.db-shm"));
        vfs_fault =
            (struct vfs_fault){.kinds = VFS_WRITE | VFS_SYNC | VFS_TRUNCATE | VFS_OPEN | VFS_SHM,
                               .fail_at = n,
                               .for_ever = true};
        int r = store_open(t->dir, &tmpstore_options, &t->store, &t->err);
        bool met = vfs_fault.failed > 0;
        assert_row(met ? r < 0 && t->store == NULL : r == 0, n, "%d %s", r, t->err.text);
        vfs_fault = (struct vfs_fault){0};
        if (met) {
            tmpstore_open(t);
            tried++;
        }
        int64_t run = tmpstore_run(t, "w");
        must_ok(t, pass(t->store, run, 1, &t->err));
        tmpstore_free(t);
        if (!met)
            break;
    }
    assert_true(tried > 10);
}

/* A read that fails is told; the next start finds all. */
static void read_fails(void **state)
{
    struct tmpstore *t = *state;
    int64_t run = tmpstore_run(t, "w");
    int result;
    assert_int_equal(work(t, run, &result), COMMITS);
    for (int64_t n = 1;; n++) {
        struct store_step st;
        tmpstore_reopen(t);
        vfs_fault = (struct vfs_fault){.kinds = VFS_READ, .fail_at = n};
        int r = 0;
        for (int i = 1; i <= COMMITS && r >= 0; i++)
            r = store_step_get(t->store, run, i, &t->arena, &st, &t->err);
        bool met = vfs_fault.failed > 0;
        vfs_fault = (struct vfs_fault){0};
        assert_row(met ? r == -EIO && store_is_broken(t->store) : r >= 0, n, "%d %s", r,
                   t->err.text);
        tmpstore_close(t);
        tmpstore_open(t);
        if (!met)
            break;
    }
    committed_is_there((tmpstore_close(t), t), run, COMMITS);
}

/* A backup that fails leaves no file, and the store as it was. */
static void backup_fails(void **state)
{
    struct tmpstore *t = *state;
    int64_t run = tmpstore_run(t, "w");
    int result;
    assert_int_equal(work(t, run, &result), COMMITS);
    const char *file = tmpstore_path(t, "copy");
    int64_t tried = 0;
    for (int64_t n = 1;; n++) {
        struct stat st;
        vfs_fault = (struct vfs_fault){.kinds = VFS_WRITE | VFS_SYNC | VFS_OPEN,
                                       .fail_at = n,
                                       .for_ever = true,
                                       .code = SQLITE_FULL};
        int r = store_backup(t->store, file, &t->err);
        bool met = vfs_fault.failed > 0;
        vfs_fault = (struct vfs_fault){0};
        assert_row(met ? r < 0 && stat(file, &st) < 0 : r == 0, n, "%d %s", r, t->err.text);
        if (!met)
            break;
        tried++;
        assert_false(store_is_broken(t->store));
    }
    assert_true(tried > 20);
    must_ok(t, pass(t->store, run, COMMITS + 1, &t->err));
    tmpstore_close(t);
    committed_is_there(t, run, COMMITS + 1);
}

/* A real file system without room, and room again for the next start. */
static void small_disk_is_full(void **state)
{
    (void)state;
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        skip();
    char dir[] = "/tmp/reeve-full.XXXXXX";
    assert_non_null(mkdtemp(dir));
    if (mount("tmpfs", dir, "tmpfs", 0, "size=1m") < 0)
        skip();
    struct tmpstore t = {0};
    arena_init(&t.arena, 1 << 20);
    (void)snprintf(t.dir, sizeof(t.dir), "%s", dir);
    tmpstore_open(&t);
    int64_t run = tmpstore_run(&t, "w");
    int done = 0, r;
    while ((r = pass(t.store, run, done + 1, &t.err)) >= 0)
        done++;
    assert_int_equal(r, -ENOSPC);
    assert_true(done > 10);
    stays_stopped(&t);
    vfs_fault = (struct vfs_fault){0};
    assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT, "size=8m"), 0);
    committed_is_there(&t, run, done);
    tmpstore_close(&t);
    arena_release(&t.arena);
    (void)umount2(dir, MNT_DETACH);
    (void)rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_fails_once),
        cmocka_unit_test(disk_is_full),
        cmocka_unit_test(sync_fails_once),
        cmocka_unit_test(making_it_fails),
        store_test(read_fails),
        store_test(backup_fails),
        cmocka_unit_test(small_disk_is_full),
    };
    vfs_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
