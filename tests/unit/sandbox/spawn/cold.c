/*
 * Goal: what makes a cold start cheap gives nothing up: a start that fails in the memory of
 * reeve-spawn hurts nobody else (INV-02, INV-11).
 */
#include <limits.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "tests/lib/cm.h"
#include "tests/lib/spawn_lab.h"

static struct spawn_lab lab;
static char inside[PATH_MAX];

static int open_lab(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    if (realpath(spawn_lab_program("tests/escape-inside"), inside) == NULL)
        inside[0] = '\0';
    if (spawn_lab_open(&lab, &err))
        return 0;
    print_error("%s\n", err.text);
    return -1;
}

static int close_lab(void **state)
{
    (void)state;
    spawn_lab_close(&lab);
    return 0;
}

static struct start_request strict_request(void)
{
    if (inside[0] == '\0')
        skip();
    return (struct start_request){.key = STR("cold"),
                                  .profile = PROFILE_STRICT,
                                  .program = str_of(inside),
                                  .argv = {STR("inside"), STR("strict"), STR("wait")},
                                  .argc = 3,
                                  .channel = true,
                                  .uid_slot = UID_SLOT_RUNS + 700,
                                  .pass_fd = -1};
}

/* Until its first byte, or its end. */
static bool comes_up(const struct start_request *r)
{
    struct spawn_one o;
    char c;
    bool up;
    assert_true(spawn_lab_start(&lab, r, &o));
    spawn_lab_until_started(&o);
    up = o.is_started && read(o.info.channel, &c, 1) == 1;
    if (o.is_started) {
        spawner_kill(o.handle);
        spawn_lab_until_over(&o);
    }
    spawn_lab_release(&o);
    assert_false(lab.lost);
    return up;
}

/* It begins in reeve-spawn's memory, with its own limits: where these are too tight, it alone dies.
 */
static void test_dies_alone(void **state)
{
    (void)state;
    struct start_request good = strict_request();
    for (uint64_t bytes = 4096; bytes <= (uint64_t)4 << 20; bytes *= 2) {
        struct start_request tight = good;
        tight.limits.memory_bytes = bytes;
        (void)comes_up(&tight);
    }
    struct start_request tight = good;
    tight.limits.open_files = 1;
    (void)comes_up(&tight);
    assert_true(comes_up(&good));
    tight = good;
    tight.limits.memory_bytes = 4096;
    assert_false(comes_up(&tight));
    assert_true(comes_up(&good));
}

/* Writes 40 MB of files in memory: 8, it could. */
static struct started_exit write_40_mb(uint64_t memory_bytes)
{
    struct spawn_one o;
    struct start_request r =
        spawn_lab_shell("i=0; while [ $i -lt 40 ]; do head -c 1000000 /dev/zero > /tmp/f$i || exit "
                        "9; i=$((i+1)); done; exit 8");
    r.uid_slot += 701;
    r.limits.memory_bytes = memory_bytes;
    r.limits.tmp_bytes = 64 << 20;
    assert_true(spawn_lab_start(&lab, &r, &o));
    spawn_lab_until_started(&o);
    if (!o.is_started)
        skip();
    spawn_lab_until_over(&o);
    spawn_lab_release(&o);
    return o.exit;
}

/* A group that is used again has the limits of whom it is used for, and nothing of whom it was. */
static void test_groups_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct started_exit e = write_40_mb(64 << 20);
        assert_false(e.oom || e.exit.by_signal);
        assert_int_equal(e.exit.code, 8);
        e = write_40_mb(16 << 20);
        if (i == 0 && !e.oom && e.exit.code == 8)
            skip(); /* no memory group here: files in memory are not counted */
        assert_true(e.oom);
    }
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

int main(void)
{
#ifdef SANITIZED
    printf("1..0 # SKIP sanitized programs do not fit behind these walls\n");
    return 0;
#endif
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dies_alone),
                                       cmocka_unit_test(test_groups_used_again)};
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
