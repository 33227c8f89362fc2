/*
 * selftest.h: before a set of walls is used on a host, a process behind the very same walls tries
 * forbidden things. It finds the layer that was silently not applied: a kernel that accepts a filter or a
 * ruleset and does not act on it, a mistake of ours.
 *
 * selftest_main runs inside (reeve-spawn is its own probe program, under the name "reeve-probe"); the
 * judgement is pure and is reeve-spawn's: it also knows which calls its listeners were told.
 */
#ifndef REEVE_SANDBOX_SELFTEST_H
#define REEVE_SANDBOX_SELFTEST_H

#include "sandbox/seccomp.h"

#define SELFTEST_NAME "reeve-probe"
#define SELFTEST_MAX 32
#define SELFTEST_CALLS 512 /* told calls are kept by number below this */

struct selftest_result { /* of act i, at place i */
    int32_t number; /* 0: it succeeded; else the errno */
};
struct selftest_told {
    bool calls[SELFTEST_CALLS];
};

/* Inside: closes the strict walls if it is strict, tries all acts, writes the results to descriptor 3. */
int selftest_main(const char *set_name);

/* Good, or -EPERM: which act came out how, and what should have been. */
int selftest_judge(enum seccomp_set set, const struct selftest_result *results, size_t count,
                   const struct selftest_told *told, struct err *err) NODISCARD;
size_t selftest_count(enum seccomp_set set); /* acts that are tried */

#endif
