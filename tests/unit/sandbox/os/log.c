/*
 * log.c: one event, one line, whatever is in it.
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/lib/cm.h"

#include "policy/text/json.h"
#include "policy/text/utf8.h"
#include "sandbox/os/log.h"

static int fds[2];
static struct clock_virtual clock_now;

static struct log new_log(bool json)
{
    struct log l;
    log_init(&l, "reeved", LOG_LEVEL_INFO);
    assert_int_equal(l.fd, 2);
    clock_virtual_init(&clock_now, 1);
    if (fds[0] == 0)
        assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    l.fd = fds[1];
    l.clock = &clock_now.clock;
    l.json = json;
    return l;
}

static struct str written(void)
{
    static char text[1 << 16];
    ssize_t n = read(fds[0], text, sizeof text);
    return (struct str){text, (size_t)MAX(n, 0)};
}

static void writes_logfmt(void **state)
{
    struct log l = new_log(false);
    struct log_field f[] = {LOG_INT("run", 41), LOG_STR("tenant", STR("acme")),
                            LOG_STR("name", STR("two words")), LOG_STR("empty", STR(""))};
    (void)state;
    log_put(&l, LOG_LEVEL_WARN, f, 4, "start %s", "worker");
    assert_str(written(), "time=2026-11-23T00:00:00.000Z level=warn unit=reeved run=41 tenant=acme "
                          "name=\"two words\" "
                          "empty=\"\" msg=\"start worker\"\n");
    log_debug(&l, "not this");
    assert_int_equal(written().len, 0);
    log_info(&l, "ok");
    assert_str(written(), "time=2026-11-23T00:00:00.000Z level=info unit=reeved msg=ok\n");
    log_error(&l, "%s", "x");
    assert_true(written().len > 0);
}

static void foreign_bytes_forge_nothing(void **state)
{
    static const struct {
        const char *value, *want;
    } rows[] = {
        {"a\ntime=2026 level=error msg=forged", "\"a\\ntime=2026 level=error msg=forged\""},
        {"a\" level=error x=\"", "\"a\\\" level=error x=\\\"\""},
        {"a\\", "\"a\\\\\""},
        {"a=b", "\"a=b\""},
        {"\tx", "\"\\tx\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
    };
    struct log l = new_log(false);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct log_field f = LOG_STR("v", str_of(rows[i].value));
        char want[200];
        log_put(&l, LOG_LEVEL_INFO, &f, 1, "m");
        (void)snprintf(want, sizeof want,
                       "time=2026-11-23T00:00:00.000Z level=info unit=reeved v=%s msg=m\n",
                       rows[i].want);
        assert_str(written(), want);
    }
}

/* Terminal escapes, bidi controls, NUL, bytes that are no UTF-8: nothing of it reaches the line. */
static void no_control_reaches_the_line(void **state)
{
    static const char evil[] = "\x1b[2J\x07\r\x7f\xc2\x9b\xe2\x80\xae\xff\xfe\0end";
    (void)state;
    for (int json = 0; json < 2; json++) {
        struct log l = new_log(json);
        struct log_field f = LOG_STR("v", ((struct str){evil, sizeof evil - 1}));
        log_put(&l, LOG_LEVEL_INFO, &f, 1, "%s", evil);
        struct str line = written();
        assert_true(line.len > 2 && line.ptr[line.len - 1] == '\n');
        line.len--;
        assert_true(utf8_is_valid(line));
        for (size_t i = 0; i < line.len; i++) {
            unsigned char c = (unsigned char)line.ptr[i];
            assert_true(c >= 0x20 && c != 0x7f && c != 0xe2 && c != 0xc2);
        }
    }
}

static void writes_json(void **state)
{
    struct log l = new_log(true);
    struct log_field f[] = {LOG_INT("run", -1), LOG_STR("v", STR("a\"\n"))};
    struct arena arena;
    const struct json *v;
    (void)state;
    log_put(&l, LOG_LEVEL_ERROR, f, 2, "no %d", 5);
    struct str line = written();
    arena_init(&arena, 1 << 20);
    assert_int_equal(json_parse(&arena, line, &JSON_LIMITS_DEFAULT, &v, NULL, NULL), 0);
    assert_int_equal(str_find(line, '\n', 0), (ssize_t)line.len - 1);
    assert_str(json_get(v, "level")->string, "error");
    assert_str(json_get(v, "unit")->string, "reeved");
    assert_str(json_get(v, "msg")->string, "no 5");
    assert_str(json_get(v, "time")->string, "2026-11-23T00:00:00.000Z");
    assert_int_equal(json_get(v, "run")->integer, -1);
    arena_release(&arena);
}

/* A peer cannot make a line so long that it, or what stands behind, is lost. */
static void long_values_are_cut(void **state)
{
    static char big[100000];
    (void)state;
    for (int fill = 0; fill < 3; fill++) {
        memset(big, fill == 0 ? 'x' : fill == 1 ? '\\' : '\xff', sizeof big);
        for (int json = 0; json < 2; json++) {
            struct log l = new_log(json);
            struct log_field f[9];
            for (int i = 0; i < 8; i++)
                f[i] = (struct log_field)LOG_STR("v", ((struct str){big, sizeof big}));
            f[8] = (struct log_field)LOG_INT("run", 41);
            log_put(&l, LOG_LEVEL_INFO, f, 9, "%.*s", (int)sizeof big, big);
            struct str line = written();
            assert_true(line.len > 8 * 1000 && line.len < 65536);
            assert_int_equal(line.ptr[line.len - 1], '\n');
            assert_non_null(memmem(line.ptr, line.len, json ? "\"run\":41" : " run=41 ", 8));
        }
    }
}

static void parses_levels(void **state)
{
    enum log_level level;
    (void)state;
    assert_int_equal(log_level_parse(STR("debug"), &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse(STR("error"), &level), 0);
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_int_equal(log_level_parse(STR("ERROR"), &level), -EINVAL);
    assert_int_equal(log_level_parse(STR(""), &level), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_logfmt),
        cmocka_unit_test(foreign_bytes_forge_nothing),
        cmocka_unit_test(no_control_reaches_the_line),
        cmocka_unit_test(writes_json),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(parses_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
