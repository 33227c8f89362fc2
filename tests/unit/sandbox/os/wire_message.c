/*
 * wire_message.c: what is a message and what is not; writing; admission.
 */
#include "tests/lib/cm.h"
#include "tests/lib/guard.h"

#include "sandbox/os/wire.h"

static const struct wire_limits limits = WIRE_LIMITS_DEFAULT;

static void takes_messages(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum wire_kind kind;
        const char *id, *method;
    } rows[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a/b\",\"params\":{}}", WIRE_REQUEST, "1",
         "a/b"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"m\"}", WIRE_REQUEST, "\"x\"", "m"},
        {"{\"jsonrpc\":\"2.0\",\"id\":-9223372036854775808,\"method\":\"m\"}", WIRE_REQUEST,
         "-9223372036854775808", "m"},
        {"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}", WIRE_REQUEST, "0", "m"},
        {"{\"method\":\"m\",\"jsonrpc\":\"2.0\"}", WIRE_NOTIFICATION, NULL, "m"},
        {" { \"jsonrpc\" : \"2.0\" , \"method\" : \"m\" } ", WIRE_NOTIFICATION, NULL, "m"},
        {"{\"jsonrpc\":\"2.\\u0030\",\"method\":\"\\u006d\"}", WIRE_NOTIFICATION, NULL, "m"},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}", WIRE_RESULT, "7", NULL},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-1,\"message\":\"\",\"data\":[],"
         "\"more\":1}}",
         WIRE_ERROR, "7", NULL},
    };
    struct guard g;
    guard_init(&g, 4096);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct wire_message m;
        struct err err = ERR_INIT;
        arena_init(&arena, 1 << 20);
        int r = wire_parse(guard_str(&g, str_of(rows[i].line)), &limits, &arena, &m, &err);
        assert_row(r == 0, i, "%s: %s", rows[i].line, err.text);
        assert_row(m.kind == rows[i].kind, i, "%s", rows[i].line);
        assert_row(!m.id == !rows[i].id, i, "%s", rows[i].line);
        if (rows[i].id)
            assert_str(m.id->raw, rows[i].id);
        if (rows[i].method)
            assert_str(m.method, rows[i].method);
        assert_int_equal(m.size_bytes, strlen(rows[i].line));
        arena_release(&arena);
    }
    guard_release(&g);
}

#define V "\"jsonrpc\":\"2.0\","
static void refuses_what_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int number;
        const char *says; /* in the error */
    } rows[] = {
        {"", EBADMSG, ""},
        {"nonsense", EBADMSG, ""},
        {"{", EBADMSG, ""},
        {"1", EBADMSG, "an object"},
        {"null", EBADMSG, "an object"},
        {"[]", EBADMSG, "batches"},
        {"[{" V "\"id\":1,\"method\":\"m\"}]", EBADMSG, "batches"},
        {"{}", EBADMSG, "jsonrpc"},
        {"{\"id\":1,\"method\":\"m\"}", EBADMSG, "jsonrpc"},
        {"{\"jsonrpc\":2.0,\"method\":\"m\"}", EBADMSG, "jsonrpc"},
        {"{\"jsonrpc\":\"1.0\",\"method\":\"m\"}", EBADMSG, "jsonrpc"},
        {"{" V "\"id\":1}", EBADMSG, "method"},
        {"{" V "\"id\":null,\"method\":\"m\"}", EBADMSG, "\"id\" must"},
        {"{" V "\"id\":1.5,\"method\":\"m\"}", EBADMSG, "\"id\" must"},
        {"{" V "\"id\":1e2,\"method\":\"m\"}", EBADMSG, "\"id\" must"},
        {"{" V "\"id\":1.0,\"method\":\"m\"}", EBADMSG, "\"id\" must"},
        {"{" V "\"id\":-0,\"method\":\"m\"}", EBADMSG, "\"id\" must"},
        {"{" V "\"id\":9223372036854775808,\"method\":\"m\"}", EBADMSG, "\"id\" must"},
        {"{" V "\"id\":{},\"method\":\"m\"}", EBADMSG, "\"id\" must"},
        {"{" V "\"id\":true,\"method\":\"m\"}", EBADMSG, "\"id\" must"},
        {"{" V "\"id\":1,\"id\":2,\"method\":\"m\"}", EEXIST, ""},
        {"{" V "\"id\":1,\"method\":\"m\",\"method\":\"n\"}", EEXIST, ""},
        {"{" V "\"id\":1,\"method\":\"m\",\"\\u006dethod\":\"n\"}", EEXIST, ""},
        {"{" V "\"method\":\"\"}", EBADMSG, "method"},
        {"{" V "\"method\":7}", EBADMSG, "method"},
        {"{" V "\"method\":\"m\",\"params\":[1]}", EBADMSG, "params"},
        {"{" V "\"method\":\"m\",\"params\":null}", EBADMSG, "params"},
        {"{" V "\"method\":\"m\",\"result\":1}", EBADMSG, "result"},
        {"{" V "\"method\":\"m\",\"extra\":1}", EBADMSG, "extra"},
        {"{" V "\"id\":1,\"result\":1,\"error\":{\"code\":1,\"message\":\"\"}}", EBADMSG, "either"},
        {"{" V "\"id\":1,\"result\":1,\"params\":{}}", EBADMSG, "either"},
        {"{" V "\"result\":1}", EBADMSG, "id"},
        {"{" V "\"id\":null,\"error\":{\"code\":1,\"message\":\"\"}}", EBADMSG, "\"id\" must"},
        {"{" V "\"id\":1,\"error\":\"no\"}", EBADMSG, "code"},
        {"{" V "\"id\":1,\"error\":{\"code\":1.5,\"message\":\"\"}}", EBADMSG, "code"},
        {"{" V "\"id\":1,\"error\":{\"code\":1}}", EBADMSG, "message"},
        {"{" V "\"method\":\"m\"}\r", EBADMSG, "carriage"},
        {"{" V "\"method\":\"m\"} {", EBADMSG, ""},
        {"{" V "\"method\":\"\xff\"}", EILSEQ, ""},
        {"{" V "\"method\":\"\\ud800\"}", EBADMSG, ""},
        {"{" V "\"method\":\"m\",\"params\":{\"a\":{}}}", E2BIG, ""}, /* depth 3 */
        {"{" V "\"method\":\"m\",\"params\":{\"a\":1,\"b\":2,\"c\":3,\"d\":4}}", E2BIG,
         ""}, /* values */
    };
    struct guard g;
    guard_init(&g, 4096);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct wire_limits small = {.max_message_bytes = 4096, .max_depth = 2, .max_values = 7};
        struct wire_message m;
        struct err err = ERR_INIT;
        arena_init(&arena, 1 << 20);
        int r = wire_parse(guard_str(&g, str_of(rows[i].line)), &small, &arena, &m, &err);
        assert_row(r == -rows[i].number, i, "%s: got %d, %s", rows[i].line, r, err.text);
        assert_row(strstr(err.text, rows[i].says) != NULL, i, "%s: %s", rows[i].line, err.text);
        arena_release(&arena);
    }
    guard_release(&g);
}

static void bounds_the_id(void **state)
{
    (void)state;
    char line[2048];
    for (size_t len = WIRE_ID_MAX_BYTES - 2; len <= WIRE_ID_MAX_BYTES - 1; len++) {
        struct arena arena;
        struct wire_message m;
        arena_init(&arena, 1 << 20);
        (void)snprintf(line, sizeof line, "{" V "\"id\":\"%0*d\",\"method\":\"m\"}", (int)len, 0);
        int r = wire_parse(str_of(line), &limits, &arena, &m, NULL);
        assert_int_equal(r, len + 2 <= WIRE_ID_MAX_BYTES ? 0 : -EBADMSG);
        arena_release(&arena);
    }
}

static void writes_messages(void **state)
{
    (void)state;
    struct buf b;
    struct wire_out o;
    struct arena arena;
    struct wire_message m;
    buf_init(&b, 4096);
    arena_init(&arena, 1 << 20);
    wire_put_request(&o, &b, 5, "a");
    jout_m_i64(&o.j, "x", 1);
    assert_int_equal(wire_put_end(&o), 0);
    wire_put_request_str(&o, &b, STR("k\n"), "a");
    assert_int_equal(wire_put_end(&o), 0);
    wire_put_notification(&o, &b, "n");
    assert_int_equal(wire_put_end(&o), 0);
    assert_int_equal(
        wire_parse(STR("{" V "\"id\":\"q\\\"\",\"method\":\"m\"}"), &limits, &arena, &m, NULL), 0);
    wire_put_result(&o, &b, m.id);
    jout_m_bool(&o.j, "ok", true);
    assert_int_equal(wire_put_end(&o), 0);
    wire_put_error(&o, &b, m.id, WIRE_E_DENIED, "no");
    jout_m_cstr(&o.j, "why", "policy");
    assert_int_equal(wire_put_end(&o), 0);
    wire_put_error(&o, &b, NULL, WIRE_E_PARSE, "what?");
    assert_int_equal(wire_put_end(&o), 0);
    assert_int_equal(wire_put_result_raw(&b, STR("12"), STR("[1,2]")), 0);
    assert_str(buf_str(&b),
               "{" V "\"id\":5,\"method\":\"a\",\"params\":{\"x\":1}}\n"
               "{" V "\"id\":\"k\\n\",\"method\":\"a\",\"params\":{}}\n"
               "{" V "\"method\":\"n\",\"params\":{}}\n"
               "{" V "\"id\":\"q\\\"\",\"result\":{\"ok\":true}}\n"
               "{" V "\"id\":\"q\\\"\",\"error\":{\"code\":1002,\"message\":\"no\",\"data\":{"
               "\"why\":\"policy\"}}}\n"
               "{" V "\"id\":null,\"error\":{\"code\":-32700,\"message\":\"what?\",\"data\":{}}}\n"
               "{" V "\"id\":12,\"result\":[1,2]}\n");
    arena_release(&arena);
    buf_release(&b);
}

/* Whatever goes wrong, no half of a message and no second line may stay behind. */
static void cuts_back_what_failed(void **state)
{
    (void)state;
    struct buf b;
    struct wire_out o;
    buf_init(&b, 128);
    buf_cstr(&b, "before");
    wire_put_notification(&o, &b, "n");
    jout_m_str(&o.j, "x", STR("\xff"));
    assert_int_equal(wire_put_end(&o), -EILSEQ);
    wire_put_notification(&o, &b, "n");
    jout_name(&o.j, "x");
    assert_int_equal(wire_put_end(&o), -EINVAL);
    wire_put_notification(&o, &b, "n");
    jout_name(&o.j, "x");
    jout_object(&o.j); /* left open */
    assert_true(wire_put_end(&o) < 0);
    wire_put_notification(&o, &b, "n");
    jout_object_end(&o.j); /* one too many */
    assert_true(wire_put_end(&o) < 0);
    assert_true(wire_put_result_raw(&b, STR("1"), STR("{\"a\":1}\n{\"b\":2}")) < 0);
    assert_true(wire_put_result_raw(&b, STR("1"), STR("{\n}")) < 0);
    assert_true(wire_put_result_raw(&b, STR("1,\"x\":1"), STR("{}")) < 0);
    assert_str(buf_str(&b), "before");
    wire_put_notification(&o, &b, "n");
    jout_m_fmt(&o.j, "x", "%0*d", 200, 1);
    assert_int_equal(wire_put_end(&o), -EMSGSIZE);
    assert_str(buf_str(&b), "before");
    buf_release(&b);
}

static int nop(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    (void)ctx;
    (void)w;
    (void)m;
    (void)err;
    return 0;
}

static void admits_by_table(void **state)
{
    (void)state;
    enum { FRESH = 1, RUNNING = 2 };
    static const struct wire_rule rules[] = {
        {"run/begin", WIRE_REQUEST, FRESH, true, 0, nop},
        {"log", WIRE_NOTIFICATION, RUNNING, false, 100, nop},
        {"log", WIRE_REQUEST, RUNNING, false, 0, nop},
    };
    uint64_t seen = 0;
    int64_t code = 0;
    struct err err = ERR_INIT;
    struct wire_message m = {.kind = WIRE_REQUEST, .method = STR("run/begin"), .size_bytes = 50};
    assert_null(wire_admit(rules, 3, &m, RUNNING, &seen, &code, &err));
    assert_int_equal(code, WIRE_E_STATE);
    assert_int_equal(seen, 0);
    assert_ptr_equal(wire_admit(rules, 3, &m, FRESH, &seen, &code, &err), &rules[0]);
    assert_null(wire_admit(rules, 3, &m, FRESH, &seen, &code, &err));
    assert_int_equal(code, WIRE_E_STATE);
    m = (struct wire_message){.kind = WIRE_NOTIFICATION, .method = STR("run/begin")};
    assert_null(wire_admit(rules, 3, &m, FRESH, &seen, &code, &err));
    assert_int_equal(code, WIRE_E_METHOD);
    m = (struct wire_message){.kind = WIRE_NOTIFICATION, .method = STR("log"), .size_bytes = 100};
    assert_ptr_equal(wire_admit(rules, 3, &m, RUNNING, &seen, &code, &err), &rules[1]);
    assert_ptr_equal(wire_admit(rules, 3, &m, RUNNING, &seen, &code, &err), &rules[1]);
    m.size_bytes = 101;
    assert_null(wire_admit(rules, 3, &m, RUNNING, &seen, &code, &err));
    assert_int_equal(code, WIRE_E_LIMIT);
    assert_non_null(strstr(err.text, "101"));
    m.kind = WIRE_REQUEST;
    assert_ptr_equal(wire_admit(rules, 3, &m, RUNNING, &seen, &code, &err), &rules[2]);
    m.kind = WIRE_RESULT;
    assert_null(wire_admit(rules, 3, &m, RUNNING, &seen, &code, &err));
    m = (struct wire_message){.kind = WIRE_REQUEST, .method = STR("lo")};
    assert_null(wire_admit(rules, 3, &m, RUNNING, &seen, &code, &err));
    m.method = STR("log\0x");
    assert_null(wire_admit(rules, 3, &m, RUNNING, &seen, &code, &err));
    assert_int_equal(code, WIRE_E_METHOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_messages),        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(bounds_the_id),         cmocka_unit_test(writes_messages),
        cmocka_unit_test(cuts_back_what_failed), cmocka_unit_test(admits_by_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
