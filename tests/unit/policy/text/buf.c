/*
 * buf.c: the limit holds, failure sticks, nothing is appended by halves.
 */
#include "tests/lib/cm.h"

#include "policy/text/buf.h"

static void appends(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    buf_cstr(&b, "ab");
    buf_char(&b, 'c');
    buf_put(&b, "d\0e", 3);
    buf_str_put(&b, STR_NONE);
    buf_fmt(&b, "%d-%s", 42, "x");
    buf_hex(&b, "\x00\xff\x1a", 3);
    assert_int_equal(buf_status(&b), 0);
    assert_true(str_eq(buf_str(&b), STR("abcd\0e42-x00ff1a")));
    buf_drop_front(&b, 6);
    buf_truncate(&b, 4);
    buf_truncate(&b, 400);
    assert_str(buf_str(&b), "42-x");
    buf_drop_front(&b, 100);
    assert_str(buf_str(&b), "");
    buf_release(&b);
}

static void grows_through_format(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    for (int i = 0; i < 2000; i++)
        buf_fmt(&b, "%0*d", i % 300, i);
    assert_int_equal(buf_status(&b), 0);
    buf_clear(&b);
    buf_fmt(&b, "%0*d", 100000, 7);
    assert_int_equal(b.len, 100000);
    assert_int_equal(b.ptr[99999], '7');
    buf_release(&b);
}

static void stops_at_its_limit(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    buf_cstr(&b, "abcde");
    assert_int_equal(buf_status(&b), 0);
    buf_char(&b, 'f');
    assert_int_equal(buf_status(&b), -EMSGSIZE);
    assert_str(buf_str(&b), "abcde");
    buf_truncate(&b, 0);
    buf_cstr(&b, "a");
    assert_str(buf_str(&b), "");
    assert_null(buf_reserve(&b, 1));
    buf_clear(&b);
    buf_fmt(&b, "%s", "abcdef");
    assert_int_equal(buf_status(&b), -EMSGSIZE);
    assert_str(buf_str(&b), "");
    buf_clear(&b);
    buf_hex(&b, "abc", 3);
    assert_int_equal(buf_status(&b), -EMSGSIZE);
    buf_release(&b);
    assert_int_equal(buf_status(&b), 0);
    assert_int_equal(b.max, 5);
}

/* A peer's length added to ours must not wrap round. */
static void survives_absurd_lengths(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    buf_cstr(&b, "abc");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(buf_status(&b), -EMSGSIZE);
    buf_clear(&b);
    assert_null(buf_reserve(&b, SIZE_MAX / 2));
    assert_int_equal(buf_status(&b), -ENOMEM);
    buf_release(&b);
    buf_init(&b, 0);
    buf_put(&b, "", 0);
    assert_int_equal(buf_status(&b), 0);
    buf_char(&b, 'x');
    assert_int_equal(buf_status(&b), -EMSGSIZE);
    buf_release(&b);
}

static void lends_room(void **state)
{
    struct buf b;
    char *room;

    (void)state;
    buf_init(&b, 100);
    buf_cstr(&b, "ab");
    room = buf_reserve(&b, 98);
    assert_non_null(room);
    memset(room, 'x', 98);
    buf_added(&b, 98);
    assert_int_equal(b.len, 100);
    assert_non_null(buf_reserve(&b, 0));
    buf_added(&b, 0);
    buf_release(&b);
}

static void gives_away(void **state)
{
    struct buf b;
    size_t len = 99;
    char *text;

    (void)state;
    buf_init(&b, 3);
    text = buf_take(&b, &len);
    assert_string_equal(text, "");
    assert_int_equal(len, 0);
    free(text);
    buf_cstr(&b, "abc");
    text = buf_take(&b, NULL);
    assert_string_equal(text, "abc");
    free(text);
    assert_int_equal(b.len, 0);
    buf_cstr(&b, "abcd");
    assert_null(buf_take(&b, &len));
    assert_int_equal(b.len, 0);
    buf_cstr(&b, "xyz");
    assert_str(buf_str(&b), "xyz");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(grows_through_format),
        cmocka_unit_test(stops_at_its_limit),
        cmocka_unit_test(survives_absurd_lengths),
        cmocka_unit_test(lends_room),
        cmocka_unit_test(gives_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
