/*
 * test.h: the self-test of every set of walls, run by reeve-spawn before it takes its first request
 * (selftest.h). A set whose test fails is not used: no start, with the reason (INV-02).
 */
#ifndef REEVE_SPAWN_TEST_H
#define REEVE_SPAWN_TEST_H

#include "policy/text/jout.h"
#include "sandbox/selftest.h"

struct child;
struct spawn;

struct test {
    bool is_done, is_good;
    bool is_lost; /* ended without a verdict */
    struct selftest_told told;
    struct err why; /* not good */
};

int test_run_all(struct spawn *s, struct err *err) NODISCARD;
/* From watch.c, for a child that is a test: a call was refused; it is gone. */
void test_told(struct child *c, int call);
void test_gone(struct child *c);
/* 0, or -EPERM with what its test found; -EAGAIN when it was lost and is made again. */
int test_check(struct spawn *s, enum seccomp_set set, struct err *err) NODISCARD;
void test_put_json(const struct spawn *s, struct jout *j); /* an array */

#endif
