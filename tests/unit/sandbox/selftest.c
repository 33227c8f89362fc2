/*
 * Goal: a self-test is believed only when every act was refused, by the layer that should refuse
 * it.
 */
#include "sandbox/selftest.h"

#include "tests/lib/cm.h"

/* The judgement of a self-test: what the kernel would say when all is well, and each way to be
 * wrong. */
static void test_selftest_judge(void **state)
{
    (void)state;
    struct selftest_result none[SELFTEST_MAX] = {{0}};
    struct selftest_told nobody = {{false}};
    struct err err = ERR_INIT;
    for (size_t s = 0; s < SECCOMP_SET_COUNT; s++) {
        assert_in_range(selftest_count((enum seccomp_set)s), 12, SELFTEST_MAX);
        assert_int_equal(selftest_judge((enum seccomp_set)s, none, SELFTEST_MAX, &nobody, &err),
                         -EPERM);
        assert_non_null(strstr(err.text, "succeeded"));
        assert_int_equal(selftest_judge((enum seccomp_set)s, none, 0, &nobody, &err), -EPERM);
    }
    /* Every call refused with EPERM, but the filter told of none: not what was meant. */
    for (size_t i = 0; i < SELFTEST_MAX; i++)
        none[i].number = EPERM;
    assert_int_equal(selftest_judge(SECCOMP_STRICT, none, SELFTEST_MAX, &nobody, &err), -EPERM);
    assert_non_null(strstr(err.text, "did not tell"));
    for (size_t i = 0; i < SELFTEST_CALLS; i++)
        nobody.calls[i] = true;
    assert_int_equal(selftest_judge(SECCOMP_STRICT, none, SELFTEST_MAX, &nobody, &err), 0);
    none[3].number = 0;
    assert_int_equal(selftest_judge(SECCOMP_STRICT, none, SELFTEST_MAX, &nobody, &err), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_selftest_judge)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
