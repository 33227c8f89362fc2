/*
 * test.c: see test.h. A test is a child like any other, but for its answers: a refused call is not
 * killed for, so that one process can try them all.
 */
#include "sandbox/spawn/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "sandbox/os/sys.h"
#include "sandbox/spawn/child.h"

#define SPREAD 64

static const struct {
    enum start_profile profile;
    bool network;
} sets[SECCOMP_SET_COUNT] = {
    [SECCOMP_STRICT] = {PROFILE_STRICT, false}, [SECCOMP_PROGRAM] = {PROFILE_PROGRAM, false},
    [SECCOMP_NODE] = {PROFILE_NODE, false},     [SECCOMP_PYTHON] = {PROFILE_PYTHON, false},
    [SECCOMP_TOOL] = {PROFILE_TOOL, false},     [SECCOMP_TOOL_NET] = {PROFILE_TOOL, true},
    [SECCOMP_HELPER] = {PROFILE_HELPER, false}, [SECCOMP_HELPER_NET] = {PROFILE_HELPER, true},
};

/* A test that somebody killed, or that had no room for a moment (the processes of a reeve-spawn
 * that was killed are still dying, under the same ids), says nothing of the walls: it is made
 * again, here and whenever somebody asks for its set. One that found fault is not. */
#define ROUNDS 10

/* Processes are counted by user id over the whole host: two of us with the same range must not meet
 * there. */
static uint32_t uid_slot(enum seccomp_set set)
{
    uint32_t mine = (uint32_t)getpid() % SPREAD * SECCOMP_SET_COUNT + (uint32_t)set;

    return (uint32_t)UID_SLOT_COUNT + (uint32_t)UID_SLOT_OWN_COUNT - 1 - mine;
}

static void start_one(struct spawn *s, enum seccomp_set set)
{
    struct test *t = &s->tests[set];
    char key[START_KEY_MAX], program[1024];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    *t = (struct test){0};
    if (n <= 0 || (size_t)n >= sizeof(program) - 1) {
        t->is_done = true;
        (void)err_set(&t->why, ENOENT, "self-test: no path to this program");
        return;
    }
    program[n] = '\0';
    (void)snprintf(key, sizeof(key), "self-test-%s", seccomp_set_name(set));
    struct start_request r = {.key = str_of(key),
                              .profile = sets[set].profile,
                              .base = PROFILE_PROGRAM,
                              .network = sets[set].network,
                              .program = str_of(program),
                              .argv = {STR(SELFTEST_NAME), str_of(seccomp_set_name(set))},
                              .argc = 2,
                              .channel = true,
                              .uid_slot = uid_slot(set),
                              .pass_fd = -1};
    if (child_start(s, &r, -1, -1, CHILD_TEST, &t->why) < 0) {
        t->is_done = true;
        t->is_lost = t->why.number == EAGAIN || t->why.number == ENOMEM;
    }
}

static bool all_done(const struct spawn *s)
{
    for (size_t i = 0; i < SECCOMP_SET_COUNT; i++)
        if (!s->tests[i].is_done)
            return false;
    return true;
}

static bool one_lost(const struct spawn *s)
{
    for (size_t i = 0; i < SECCOMP_SET_COUNT; i++)
        if (s->tests[i].is_lost)
            return true;
    return false;
}

static int pass_time(struct spawn *s, int64_t ms, struct err *err)
{
    int64_t end = ev_mono_us(s->ev) + ms * 1000, left;
    int rc = 0;

    while (rc >= 0 && (left = end - ev_mono_us(s->ev)) > 0)
        rc = ev_once(s->ev, (int)(left / 1000) + 1, err);
    return rc;
}

int test_run_all(struct spawn *s, struct err *err)
{
    int rc = 0;

    for (int round = 0; rc >= 0 && (round == 0 || one_lost(s)) && round < ROUNDS; round++) {
        if (round > 0) /* 2 ms to half a second, one in all */
            rc = pass_time(s, 1 << round, err);
        for (size_t i = 0; rc >= 0 && i < SECCOMP_SET_COUNT; i++)
            if (round == 0 || s->tests[i].is_lost)
                start_one(s, (enum seccomp_set)i);
        while (rc >= 0 && !all_done(s))
            rc = ev_once(s->ev, -1, err);
    }
    return rc < 0 ? rc : 0;
}

void test_told(struct child *c, int call)
{
    if (call >= 0 && call < SELFTEST_CALLS)
        c->spawn->tests[c->plan.seccomp].told.calls[call] = true;
}

void test_gone(struct child *c)
{
    struct selftest_result results[SELFTEST_MAX];
    struct test *t = &c->spawn->tests[c->plan.seccomp];
    ssize_t n = 0;

    t->is_done = true;
    if (c->why.number != 0) {
        t->why = c->why;
        t->is_lost = c->why.number == EPROTO || c->why.number == EAGAIN ||
                     c->why.number == ENOMEM || c->why.number == ETIMEDOUT;
        return;
    }
    if (c->ours_count > 0 && sys.fcntl(c->ours[0], F_SETFL, O_NONBLOCK) >= 0)
        n = sys.read(c->ours[0], results, sizeof(results));
    t->is_lost = n <= 0;
    t->is_good = selftest_judge(c->plan.seccomp, results,
                                n > 0 ? (size_t)n / sizeof(results[0]) : 0, &t->told, &t->why) == 0;
}

int test_check(struct spawn *s, enum seccomp_set set, struct err *err)
{
    struct test *t = &s->tests[set];

    if (t->is_good)
        return 0;
    if (t->is_lost)
        start_one(s, set);
    if (!t->is_done)
        return err_set(err, EAGAIN, "the self-test of its walls (%s) is made again",
                       seccomp_set_name(set));
    return err_set(err, EPERM, "the self-test of its walls (%s) failed: %s", seccomp_set_name(set),
                   t->why.text);
}

void test_put_json(const struct spawn *s, struct jout *j)
{
    jout_array(j);
    for (size_t i = 0; i < SECCOMP_SET_COUNT; i++) {
        const struct test *t = &s->tests[i];
        jout_object(j);
        jout_m_cstr(j, "set", seccomp_set_name((enum seccomp_set)i));
        jout_m_bool(j, "good", t->is_good);
        jout_m_i64(j, "acts", (int64_t)selftest_count((enum seccomp_set)i));
        if (!t->is_good)
            jout_m_cstr(j, "why", t->why.text);
        jout_object_end(j);
    }
    jout_array_end(j);
}
