/*
 * Goal: the matrix says what is there and what to do about what is not (INV-02).
 */
#include "sandbox/probe.h"

#include "tests/lib/cm.h"

static void test_host(void **state)
{
    (void)state;
    struct probe p;
    struct err err = ERR_INIT;
    struct buf out;
    struct jout j;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    if (probe_host(&p, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(p.kernel[0] != '\0');
    assert_int_equal(p.rows[PROBE_LANDLOCK].has, p.rows[PROBE_LANDLOCK].value > 0);
    for (size_t i = 0; i < PROBE_COUNT; i++) {
        assert_true(p.rows[i].detail[0] != '\0');
        assert_int_equal(p.rows[i].has, p.rows[i].number == 0);
    }
    buf_init(&out, 1 << 20);
    probe_put_text(&p, &out);
    assert_int_equal(buf_status(&out), 0);
    buf_clear(&out);
    jout_begin(&j, &out);
    probe_put_json(&p, &j);
    assert_int_equal(jout_end(&j), 0);
    assert_int_equal(json_check(buf_str(&out), &limits, NULL, &err), 0);
    buf_release(&out);
}

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROBE_COUNT; i++) {
        enum probe_id id = (enum probe_id)i;
        assert_non_null(probe_name(id));
        assert_non_null(probe_what(id));
        assert_non_null(probe_remedy(id));
        /* What may be missing has something that stands for it; what is required has not. */
        assert_int_equal(probe_need(id) == PROBE_BETTER, probe_instead(id) != NULL);
    }
}

static void test_missing(void **state)
{
    (void)state;
    struct probe p = {.kernel = "test"};
    struct err err = ERR_INIT;
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(probe_check(&p, &err), -ENOTSUP);
    assert_non_null(strstr(err.text, "remedy"));
    probe_put_text(&p, &out);
    assert_non_null(memmem(out.ptr, out.len, "MISSING", 7));
    assert_non_null(memmem(out.ptr, out.len, "instead", 7));
    for (size_t i = 0; i < PROBE_COUNT; i++)
        p.rows[i].has = true;
    assert_int_equal(probe_check(&p, &err), 0);
    assert_true(probe_is_privileged(&p));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_host), cmocka_unit_test(test_texts),
                                       cmocka_unit_test(test_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
