/*
 * arena.c: aligned, zeroed, bounded.
 */
#include "tests/lib/cm.h"

#include "policy/text/arena.h"

static bool all_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

static void gives_zeroed_aligned_memory(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 300; n++) {
            char *p = arena_alloc(&a, n);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
            assert_true(all_zero(p, n));
            memset(p, 0xAA, n);
        }
        arena_reset(&a);
        assert_int_equal(a.used_bytes, 0);
    }
    arena_release(&a);
}

static void keeps_its_limit(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 100);
    assert_null(arena_alloc(&a, 101));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_null(arena_array(&a, SIZE_MAX, SIZE_MAX));
    assert_non_null(arena_alloc(&a, 60));
    assert_null(arena_alloc(&a, 60));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 60));
    arena_release(&a);
    assert_int_equal(a.max_bytes, 100);
}

static void makes_text(void **state)
{
    struct arena a;
    struct str s;

    (void)state;
    arena_init(&a, 4096);
    s = arena_str(&a, STR("a\0b"));
    assert_true(str_eq(s, STR("a\0b")));
    assert_int_equal(s.ptr[3], '\0');
    assert_string_equal(arena_cstr(&a, STR_NONE), "");
    assert_str(arena_fmt(&a, "%s-%d", "x", 7), "x-7");
    assert_null(arena_fmt(&a, "%0*d", 5000, 1).ptr);
    assert_null(arena_str(&a, (struct str){"", SIZE_MAX}).ptr);
    arena_release(&a);
}

static void drops_a_giant_on_reset(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, (size_t)64 << 20);
    assert_non_null(arena_alloc(&a, 100));
    assert_non_null(a.chunks);
    arena_reset(&a);
    assert_non_null(a.chunks);
    assert_non_null(arena_alloc(&a, (size_t)32 << 20));
    arena_reset(&a);
    assert_null(a.chunks);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory),
        cmocka_unit_test(keeps_its_limit),
        cmocka_unit_test(makes_text),
        cmocka_unit_test(drops_a_giant_on_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
