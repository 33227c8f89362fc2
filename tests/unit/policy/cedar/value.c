/*
 * value.c: canonical form, total order, names, decimals.
 */
#include "tests/lib/cm.h"

#include "policy/cedar/value.h"
#include "policy/cedar/order.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct cedar_value set_of(const struct cedar_value *items, size_t n)
{
    struct cedar_value v;

    assert_int_equal(cedar_set_make(&arena, items, n, &v, NULL), 0);
    return v;
}

static struct cedar_value record_of(const char *const *names, const struct cedar_value *values,
                                    size_t n)
{
    struct cedar_rec r;
    struct cedar_value v;

    cedar_rec_begin(&r, &arena);
    for (size_t i = 0; i < n; i++)
        cedar_rec_add(&r, str_of(names[i]), values[i]);
    assert_int_equal(cedar_rec_end(&r, &v, NULL), 0);
    return v;
}

static void sets_have_one_form(void **state)
{
    struct cedar_value a[] = {cedar_long(3), cedar_long(1), cedar_bool(true), cedar_long(3)};
    struct cedar_value b[] = {cedar_bool(true), cedar_long(3), cedar_long(1)};
    struct cedar_value x = set_of(a, 4), y = set_of(b, 3), inner[2], outer;

    (void)state;
    assert_true(cedar_value_eq(&x, &y));
    assert_int_equal(x.set.count, 3);
    assert_true(cedar_set_has(&x, &a[0]) && cedar_set_has(&x, &a[2]));
    assert_false(cedar_set_has(&x, &(struct cedar_value){.type = CEDAR_DECIMAL, .number = 3}));
    inner[0] = x;
    inner[1] = y;
    outer = set_of(inner, 2);
    assert_int_equal(outer.set.count, 1);
}

/* Beyond what insertion sort takes: every order of input gives one set. */
static void large_sets(void **state)
{
    struct cedar_value up[500], down[500], mixed[1000];
    struct cedar_value x, y, z;

    (void)state;
    for (int i = 0; i < 500; i++) {
        up[i] = cedar_long(i);
        down[499 - i] = cedar_long(i);
    }
    for (int i = 0; i < 1000; i++)
        mixed[i] = cedar_long((i * 7919) % 500);
    x = set_of(up, 500);
    y = set_of(down, 500);
    z = set_of(mixed, 1000);
    assert_true(cedar_value_eq(&x, &y) && cedar_value_eq(&x, &z));
    for (int i = 0; i < 500; i++)
        assert_true(cedar_set_has(&z, &up[i]));
    assert_false(cedar_set_has(&z, &(struct cedar_value){.type = CEDAR_LONG, .number = 500}));
}

static void records_have_one_form(void **state)
{
    const char *const ab[] = {"a", "b"}, *const ba[] = {"b", "a"}, *const aa[] = {"a", "a"};
    struct cedar_value one[] = {cedar_long(1), cedar_long(2)};
    struct cedar_value two[] = {cedar_long(2), cedar_long(1)};
    struct cedar_value x = record_of(ab, one, 2), y = record_of(ba, two, 2);
    struct cedar_rec r;

    (void)state;
    assert_true(cedar_value_eq(&x, &y));
    assert_int_equal(cedar_record_get(&x, STR("b"))->number, 2);
    assert_null(cedar_record_get(&x, STR("c")));
    assert_null(cedar_record_get(&x, STR("")));
    cedar_rec_begin(&r, &arena);
    cedar_rec_add(&r, str_of(aa[0]), one[0]);
    cedar_rec_add(&r, str_of(aa[1]), one[1]);
    assert_int_equal(cedar_rec_end(&r, &x, NULL), -EEXIST);
}

static size_t sample(struct cedar_value *v)
{
    static struct cedar_uid uids[3];
    static struct cedar_ip ips[3] = {{.prefix = 32, .bytes = {1}},
                                     {.prefix = 8, .bytes = {1}},
                                     {.is_v6 = true, .prefix = 128, .bytes = {1}}};
    static const char *const names[] = {"a", "b"};
    size_t n = 0;

    uids[0] = cedar_uid_borrow(STR("A"), STR("1"));
    uids[1] = cedar_uid_borrow(STR("A"), STR("2"));
    uids[2] = cedar_uid_borrow(STR("B"), STR("1"));
    for (int64_t i = -1; i <= 1; i++) {
        v[n++] = cedar_long(i);
        v[n++] = cedar_decimal(i);
        v[n++] = cedar_datetime(i);
        v[n++] = cedar_duration(i);
        v[n++] = cedar_bool(i > 0);
        v[n++] = cedar_entity_ref(&uids[i + 1]);
        v[n++] = (struct cedar_value){.type = CEDAR_IP, .ip = &ips[i + 1]};
    }
    v[n++] = cedar_string(STR(""));
    v[n++] = cedar_string(STR("a"));
    v[n++] = cedar_string(STR("ab"));
    v[n++] = cedar_string(STR("a\0b"));
    v[n++] = cedar_record_empty();
    v[n++] = record_of(names, v, 2);
    v[n++] = record_of(names, v + 1, 2);
    v[n++] = set_of(v, 0);
    v[n++] = set_of(v, 3);
    v[n++] = set_of(v + 1, 3);
    return n;
}

/* Antisymmetric, transitive, and 0 only for what is equal. */
static void order_is_total(void **state)
{
    struct cedar_value v[64];
    size_t n = sample(v);

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            int ij = cedar_value_cmp(&v[i], &v[j]), ji = cedar_value_cmp(&v[j], &v[i]);

            assert_true((ij > 0) == (ji < 0) && (ij == 0) == (ji == 0));
            assert_true((ij == 0) == cedar_value_eq(&v[i], &v[j]));
            assert_true(ij != 0 || v[i].type == v[j].type);
            for (size_t k = 0; k < n; k++)
                if (ij <= 0 && cedar_value_cmp(&v[j], &v[k]) <= 0)
                    assert_true(cedar_value_cmp(&v[i], &v[k]) <= 0);
        }
}

static void copies(void **state)
{
    struct cedar_value v[64], copy, all;
    size_t n = sample(v);

    (void)state;
    all = set_of(v, n);
    assert_int_equal(cedar_value_copy(&arena, &all, &copy), 0);
    assert_true(cedar_value_eq(&all, &copy));
    assert_true(copy.set.items != all.set.items);
    arena_release(&arena);
    arena_init(&arena, 64);
    assert_int_equal(
        cedar_value_copy(&arena, &(struct cedar_value){.type = CEDAR_SET, .set = {v, n}}, &copy),
        -ENOMEM);
}

/* Trap 9: a name is checked where it enters, and an id is never text to be parsed. */
static void names(void **state)
{
    static const char *const good[] = {"A",       "_",         "a1",       "Acme::Tool",
                                       "A::B::C", "principal", "__cedarx", "permit"};
    static const char *const bad[] = {
        "",   "1a",      "A::",           "::A", "A:B",      "A::1", "A B",    " A",  "A::if",
        "in", "__cedar", "A::__cedar::B", "A\"", "\xc3\xa9", "true", "A::::B", "A-B", "has"};
    struct cedar_uid uid;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_row(cedar_name_is_ok(str_of(good[i])), i, "%s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_row(!cedar_name_is_ok(str_of(bad[i])), i, "%s", bad[i]);
        assert_int_equal(cedar_uid_make(&arena, str_of(bad[i]), STR("x"), &uid, NULL), -EINVAL);
    }
    assert_int_equal(cedar_uid_make(&arena, STR("A"), STR("\xff"), &uid, NULL), -EINVAL);
    assert_int_equal(cedar_uid_make(&arena, STR("A"), STR("x\", action, resource);"), &uid, NULL),
                     0);
    assert_str(uid.id, "x\", action, resource);");
    assert_true(cedar_name_is_action(STR("Action")) && cedar_name_is_action(STR("A::Action")));
    assert_false(cedar_name_is_action(STR("MyAction")) || cedar_name_is_action(STR("Action::A")));
}

static void uids_differ_by_type(void **state)
{
    struct cedar_uid a = cedar_uid_borrow(STR("A"), STR("x")),
                     b = cedar_uid_borrow(STR("B"), STR("x"));
    struct cedar_uid c = cedar_uid_borrow(STR("Ax"), STR("")),
                     d = cedar_uid_borrow(STR("A"), STR("x"));

    (void)state;
    assert_false(cedar_uid_eq(&a, &b) || cedar_uid_eq(&a, &c));
    assert_true(cedar_uid_eq(&a, &d) && a.hash == d.hash);
}

/* Trap 3: never rounded. */
static void decimals_of_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"12.5", 125000},
                {"-0.0001", -1},
                {"3", 30000},
                {"1.50000", 15000},
                {"922337203685477.5807", INT64_MAX},
                {"-922337203685477.5808", INT64_MIN},
                {"2.0000000000000000000000", 20000}};
    static const char *const bad[] = {"2.00001",
                                      "1e2",
                                      "1e400",
                                      "1E0",
                                      "",
                                      ".5",
                                      "5.",
                                      "+1",
                                      "1.2.3",
                                      "--1",
                                      "922337203685477.5808",
                                      "-922337203685477.5809",
                                      "9223372036854775807",
                                      "0x1",
                                      " 1",
                                      "1 ",
                                      "nan",
                                      "inf",
                                      "-"};
    struct cedar_value v;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_row(cedar_decimal_parse(str_of(good[i].text), &v, NULL) == 0, i, "%s", good[i].text);
        assert_row(v.type == CEDAR_DECIMAL && v.number == good[i].want, i, "%s", good[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(cedar_decimal_parse(str_of(bad[i]), &v, NULL) == -ERANGE, i, "%s", bad[i]);
}

static void shown(void **state)
{
    static const char *const fields[] = {"odd \"name\"", "a"};
    struct cedar_uid uid = cedar_uid_borrow(STR("A::B"), STR("x\"\n\x1b"));
    struct cedar_value values[] = {cedar_entity_ref(&uid), cedar_decimal(-5)}, v;
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    v = record_of(fields, values, 2);
    cedar_value_put(&out, &v);
    assert_str(buf_str(&out), "{a: decimal(\"-0.0005\"), "
                              "\"odd \\\"name\\\"\": A::B::\"x\\\"\\n\\u{1b}\"}");
    buf_clear(&out);
    v = cedar_datetime(INT64_MIN);
    cedar_value_put(&out, &v);
    assert_str(buf_str(&out),
               "datetime(\"1970-01-01\").offset(duration(\"-9223372036854775808ms\"))");
    buf_clear(&out);
    v = cedar_datetime(-1);
    cedar_value_put(&out, &v);
    assert_str(buf_str(&out), "datetime(\"1969-12-31T23:59:59.999Z\")");
    buf_release(&out);
}

static int ints(const void *a, const void *b)
{
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static void sorts(void **state)
{
    int v[200];

    (void)state;
    for (size_t n = 0; n <= 200; n++) {
        unsigned seed = (unsigned)n;

        for (size_t i = 0; i < n; i++)
            v[i] = (int)((seed = seed * 1103515245 + 12345) >> 16) % 50;
        cedar_order_sort(v, n, sizeof(int), ints);
        for (size_t i = 1; i < n; i++)
            assert_true(v[i - 1] <= v[i]);
        n += n > 40 ? 7 : 0;
    }
    assert_int_equal(cedar_order_unique(v, 0, sizeof(int), ints), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sets_have_one_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_sets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_have_one_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_is_total, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(uids_differ_by_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decimals_of_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shown, set_up, tear_down),
        cmocka_unit_test(sorts),
    };

    return cmocka_run_group_tests_name("policy/cedar/value", tests, NULL, NULL);
}
