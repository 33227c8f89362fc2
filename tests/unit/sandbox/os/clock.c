/*
 * clock.c: the system's clock goes on, the tests' goes where it is put.
 */
#include "tests/lib/cm.h"

#include "sandbox/os/clock.h"
#include "sandbox/os/sys.h"

static void system_clock_goes_on(void **state)
{
    const struct clock *c = &clock_system;
    uint8_t a[40] = {0}, b[40] = {0};
    (void)state;
    int64_t before = c->mono_us(c->arg);
    assert_true(before > 0);
    assert_true(c->mono_us(c->arg) >= before);
    assert_true(c->unix_ms(c->arg) > INT64_C(1500000000000));
    assert_int_equal(c->random(c->arg, a, sizeof a), 0);
    assert_int_equal(c->random(c->arg, b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

static ssize_t one_byte(void *p, size_t n)
{
    return sys_real.getrandom(p, MIN(n, (size_t)1));
}
static ssize_t no_byte(void *p, size_t n)
{
    (void)p;
    (void)n;
    return 0;
}
static ssize_t no_entropy(void *p, size_t n)
{
    (void)p;
    (void)n;
    return -ENOSYS;
}

static void random_is_whole_or_an_error(void **state)
{
    uint8_t a[40] = {0}, zero[40] = {0};
    (void)state;
    sys.getrandom = one_byte;
    assert_int_equal(clock_system.random(NULL, a, sizeof a), 0);
    assert_memory_not_equal(a + 20, zero, 20);
    sys.getrandom = no_byte;
    assert_int_equal(clock_system.random(NULL, a, sizeof a), -EIO);
    sys.getrandom = no_entropy;
    assert_int_equal(clock_system.random(NULL, a, sizeof a), -ENOSYS);
    sys = sys_real;
}

static void virtual_clock_is_moved_by_hand(void **state)
{
    struct clock_virtual v, w;
    uint8_t a[20], b[20];
    (void)state;
    clock_virtual_init(&v, 7);
    clock_virtual_init(&w, 7);
    assert_int_equal(v.clock.unix_ms(v.clock.arg), INT64_C(1795392000000));
    int64_t mono = v.clock.mono_us(v.clock.arg);
    clock_virtual_advance(&v, 1500);
    assert_int_equal(v.clock.unix_ms(v.clock.arg), INT64_C(1795392001500));
    assert_int_equal(v.clock.mono_us(v.clock.arg), mono + 1500000);
    assert_int_equal(v.clock.random(v.clock.arg, a, sizeof a), 0);
    assert_int_equal(w.clock.random(w.clock.arg, b, sizeof b), 0);
    assert_memory_equal(a, b, sizeof a); /* the same seed, the same bytes */
    assert_int_equal(w.clock.random(w.clock.arg, b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_clock_goes_on),
        cmocka_unit_test(random_is_whole_or_an_error),
        cmocka_unit_test(virtual_clock_is_moved_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
