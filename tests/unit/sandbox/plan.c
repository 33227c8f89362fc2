/*
 * Goal: the plan is data: it can be judged without running it, on any kernel there might be
 * (INV-01, INV-02).
 */
#include "sandbox/plan.h"

#include <sched.h>

#include "sandbox/kernel.h"
#include "tests/lib/cm.h"

static struct probe full(void)
{
    struct probe p = {.kernel = "6.18 test", .uid = 0};
    for (size_t i = 0; i < PROBE_COUNT; i++)
        p.rows[i] = (struct probe_row){.has = true, .detail = "yes"};
    p.rows[PROBE_LANDLOCK].value = 7;
    p.rows[PROBE_CGROUP_MEMORY].value = 2;
    return p;
}

static void lack(struct probe *p, enum probe_id id)
{
    p->rows[id] = (struct probe_row){.number = EPERM, .detail = "EPERM"};
}

static struct start_request request(enum start_profile profile)
{
    return (struct start_request){.key = STR("run-1"),
                                  .profile = profile,
                                  .base = PROFILE_PROGRAM,
                                  .program = STR("/opt/app/server"),
                                  .argv = {STR("server")},
                                  .argc = 1,
                                  .channel = true,
                                  .uid_slot = 1030,
                                  .pass_fd = -1};
}

struct fix {
    struct arena arena;
    struct plan plan;
    struct err err;
};

static int make(struct fix *f, const struct start_request *r, const struct probe *p)
{
    struct plan_host host = {.probe = p, .uid_base = 100000, .has_cgroup = true};
    arena_release(&f->arena);
    arena_init(&f->arena, 1 << 20);
    f->err = ERR_INIT;
    return plan_make(r, &host, &f->arena, &f->plan, &f->err);
}

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));
    *state = f;
    arena_init(&f->arena, 1 << 20);
    return f == NULL;
}

static int tear_down(void **state)
{
    struct fix *f = *state;
    arena_release(&f->arena);
    free(f);
    return 0;
}

static const struct plan_mount *mount_at(const struct plan *p, const char *at)
{
    const struct plan_mount *found = NULL;
    for (size_t i = 0; i < p->mount_count; i++)
        if (strcmp(p->mounts[i].at, at) == 0)
            found = &p->mounts[i];
    return found;
}

/* One that must be there. */
static struct plan_mount the_mount(const struct plan *p, const char *at)
{
    const struct plan_mount *m = mount_at(p, at);
    must(m != NULL);
    return *m;
}

static void test_strict(void **state)
{
    struct fix *f = *state;
    struct probe p = full();
    struct start_request r = request(PROFILE_STRICT);
    assert_int_equal(make(f, &r, &p), 0);
    assert_true(f->plan.empty_root);
    assert_int_equal(f->plan.mount_count, 0);
    assert_int_equal(f->plan.uid, 101030);
    assert_int_equal(f->plan.network, PLAN_NET_SHARED_EMPTY);
    assert_int_equal(f->plan.namespaces,
                     CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);
    assert_int_equal(f->plan.limits[PLAN_LIMIT_FSIZE], 0);
    assert_int_equal(f->plan.limits[PLAN_LIMIT_CORE], 0);
    assert_int_equal(f->plan.limits[PLAN_LIMIT_NPROC], 1);
    assert_int_equal(f->plan.seccomp, SECCOMP_STRICT);
    assert_int_equal(f->plan.landlock_net, LL_NET_BIND_TCP | LL_NET_CONNECT_TCP);
    assert_int_equal(f->plan.landlock_scoped, LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL);
    assert_int_equal(f->plan.landlock_fs, 0xffff);
}

static void test_unprivileged(void **state)
{
    struct fix *f = *state;
    struct probe p = full();
    struct start_request r = request(PROFILE_STRICT);
    lack(&p, PROBE_PRIVILEGE);
    lack(&p, PROBE_CGROUP_MEMORY);
    p.uid = 1000;
    assert_int_equal(make(f, &r, &p), 0);
    assert_int_equal(f->plan.uid, 1000);
    assert_true((f->plan.namespaces & CLONE_NEWUSER) != 0);
    assert_int_equal(f->plan.network, PLAN_NET_OWN); /* it cannot enter the shared one */
    assert_true((f->plan.namespaces & CLONE_NEWNET) != 0);
    assert_false(f->plan.cgroup_memory);
    assert_int_equal(f->plan.limits[PLAN_LIMIT_DATA], f->plan.memory_bytes); /* stands for it */
    assert_false(f->plan.memfd_noexec);
}

/* INV-02: every required layer, missing, is a refusal that names it and the remedy. */
static void test_required(void **state)
{
    struct fix *f = *state;
    struct start_request r = request(PROFILE_PROGRAM);
    for (size_t i = 0; i < PROBE_COUNT; i++) {
        struct probe p = full();
        enum probe_id id = (enum probe_id)i;
        lack(&p, id);
        int rc = make(f, &r, &p);
        if (probe_need(id) == PROBE_REQUIRED || id == PROBE_PROC) {
            assert_row(rc == -ENOTSUP, i, "%s: %d", probe_name(id), rc);
            assert_row(strstr(f->err.text, probe_name(id)) != NULL, i, "%s", f->err.text);
            assert_row(strstr(f->err.text, probe_remedy(id)) != NULL, i, "%s", f->err.text);
        } else {
            assert_row(rc == 0, i, "%s: %s", probe_name(id), f->err.text);
            assert_row(probe_need(id) == PROBE_EITHER || probe_instead(id) != NULL, i, "%s",
                       probe_name(id));
        }
    }
    struct probe p = full();
    lack(&p, PROBE_PRIVILEGE);
    lack(&p, PROBE_USERNS);
    assert_int_equal(make(f, &r, &p), -ENOTSUP);
    assert_non_null(strstr(f->err.text, "user namespaces"));
    /* strict needs no /proc */
    r = request(PROFILE_STRICT);
    p = full();
    lack(&p, PROBE_PROC);
    assert_int_equal(make(f, &r, &p), 0);
}

static void test_landlock_abi(void **state)
{
    struct fix *f = *state;
    static const struct {
        int abi;
        uint64_t fs, net, scoped;
    } rows[] = {{1, 0x1fff, 0, 0}, {2, 0x3fff, 0, 0}, {3, 0x7fff, 0, 0}, {4, 0x7fff, 3, 0},
                {5, 0xffff, 3, 0}, {6, 0xffff, 3, 3}, {9, 0xffff, 3, 3}};
    struct start_request r = request(PROFILE_PROGRAM);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct probe p = full();
        p.rows[PROBE_LANDLOCK].value = rows[i].abi;
        assert_int_equal(make(f, &r, &p), 0);
        assert_row(f->plan.landlock_fs == rows[i].fs && f->plan.landlock_net == rows[i].net &&
                       f->plan.landlock_scoped == rows[i].scoped,
                   i, "ABI %d", rows[i].abi);
    }
}

static void test_files(void **state)
{
    struct fix *f = *state;
    struct probe p = full();
    struct start_request r = request(PROFILE_TOOL);
    r.files[r.file_count++] = (struct start_file){STR("/srv/data"), STR("/data"), true};
    r.files[r.file_count++] = (struct start_file){STR("/srv/code"), STR_NONE, false};
    assert_int_equal(make(f, &r, &p), 0);
    struct plan_mount m = the_mount(&f->plan, "data");
    assert_true(m.write && !m.execute && m.own); /* W^X */
    m = the_mount(&f->plan, "srv/code");
    assert_true(!m.write && m.execute);
    m = the_mount(&f->plan, "opt/app/server");
    assert_true(!m.write && m.execute && !m.own);
    m = the_mount(&f->plan, "tmp");
    assert_true(m.kind == PLAN_TMP && m.write && !m.execute && m.size == 128u << 20);
    assert_null(mount_at(&f->plan, "etc/resolv.conf"));
    /* nothing else of the host is writable, and of /etc only names that profiles.def gives a reason
     * for */
    for (size_t i = 0; i < f->plan.mount_count; i++)
        assert_true(!f->plan.mounts[i].write || f->plan.mounts[i].kind != PLAN_BIND ||
                    strcmp(f->plan.mounts[i].at, "data") == 0);
    r.network = true;
    assert_int_equal(make(f, &r, &p), 0);
    assert_non_null(mount_at(&f->plan, "etc/resolv.conf"));
    assert_int_equal(f->plan.network, PLAN_NET_HOST);
    assert_int_equal(f->plan.landlock_net, 0);
    assert_int_equal(f->plan.seccomp, SECCOMP_TOOL_NET);
    assert_true((f->plan.namespaces & CLONE_NEWNET) == 0);
}

static void test_limits(void **state)
{
    struct fix *f = *state;
    struct probe p = full();
    struct start_request r = request(PROFILE_NODE);
    r.limits = (struct start_limits){.memory_bytes = 7 << 20,
                                     .processes = 3,
                                     .cpu_ms = 1500,
                                     .open_files = 9,
                                     .file_bytes = 10,
                                     .tmp_bytes = 4096};
    assert_int_equal(make(f, &r, &p), 0);
    assert_int_equal(f->plan.memory_bytes, 7 << 20);
    assert_int_equal(f->plan.limits[PLAN_LIMIT_CPU], 2); /* up, never down to none */
    assert_int_equal(f->plan.limits[PLAN_LIMIT_NOFILE], 9);
    assert_int_equal(f->plan.limits[PLAN_LIMIT_NPROC], 3);
    assert_int_equal(f->plan.limits[PLAN_LIMIT_FSIZE], 10);
    assert_int_equal(f->plan.limits[PLAN_LIMIT_MEMLOCK], 0);
    assert_int_equal(the_mount(&f->plan, "tmp").size, 4096);
}

/* The same request and host: the same text, and JSON that is JSON. */
static void test_printed(void **state)
{
    struct fix *f = *state;
    struct probe p = full();
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        struct start_request r = request((enum start_profile)i);
        struct buf a, b;
        struct jout j;
        struct json_limits limits = JSON_LIMITS_DEFAULT;
        struct err err = ERR_INIT;
        buf_init(&a, 1 << 20);
        buf_init(&b, 1 << 20);
        assert_int_equal(make(f, &r, &p), 0);
        plan_put_text(&f->plan, &a);
        assert_int_equal(make(f, &r, &p), 0);
        plan_put_text(&f->plan, &b);
        assert_int_equal(buf_status(&a), 0);
        assert_true(str_eq(buf_str(&a), buf_str(&b)));
        for (size_t l = 0; l < LAYER_COUNT; l++)
            assert_row(memmem(a.ptr, a.len, layer_name((enum layer)l),
                              strlen(layer_name((enum layer)l))) != NULL,
                       l, "not printed");
        buf_clear(&b);
        jout_begin(&j, &b);
        plan_put_json(&f->plan, &j);
        assert_int_equal(jout_end(&j), 0);
        assert_int_equal(json_check(buf_str(&b), &limits, NULL, &err), 0);
        buf_release(&a);
        buf_release(&b);
    }
}

static void test_out_of_memory(void **state)
{
    struct fix *f = *state;
    struct probe p = full();
    struct plan_host host = {.probe = &p, .uid_base = 100000, .has_cgroup = true};
    struct start_request r = request(PROFILE_TOOL);
    bool through = false;
    r.files[r.file_count++] = (struct start_file){STR("/srv/data"), STR("/data"), true};
    for (size_t max = 0; max < 4096 && !through; max += 16) {
        struct arena small;
        arena_init(&small, max);
        int rc = plan_make(&r, &host, &small, &f->plan, &f->err);
        through = rc == 0;
        assert_true(through || rc == -ENOMEM);
        arena_release(&small);
    }
    assert_true(through);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_strict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unprivileged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_required, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_landlock_abi, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_printed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_memory, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
