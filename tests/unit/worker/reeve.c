/*
 * reeve.c: the client library against a scripted broker, well-behaved and not.
 */
#include "tests/lib/broker.h"
#include "tests/lib/cm.h"
#include "worker/reeve.h"

#define BEGIN_RESULT                                                                               \
    "{\"run\":41,\"attempt\":2,\"tenant\":\"acme\",\"workflow\":\"w\",\"version\":\"ab\",\"now\":" \
    "1700000000000,"                                                                               \
    "\"seed\":\"00ff\",\"state\":\"replay\",\"event\":{\"id\":\"e1\",\"data\":{\"n\":3}},"         \
    "\"checkpoint\":{\"at\":7},\"models\":[\"m\"],\"limits\":{\"steps\":10}}"

struct fixture {
    struct broker broker;
    struct reeve *r;
    struct err err;
    struct reeve_answer a;
};

static void open_with(struct fixture *f, broker_fn *fn, void *arg)
{
    int fd;

    *f = (struct fixture){.broker = f->broker};
    fd = broker_start(&f->broker, fn, arg);
    assert_int_equal(reeve_open(fd, &f->r, &f->err), 0);
}

static void begin_with(struct fixture *f, broker_fn *fn, void *arg)
{
    open_with(f, fn, arg);
    assert_int_equal(reeve_begin(f->r, false, &f->err), 0);
}

static void close_all_seen(struct fixture *f, const char *seen /* or NULL */)
{
    reeve_answer_release(&f->a);
    reeve_close(f->r);
    broker_join(&f->broker);
    assert_int_equal(f->broker.fault, 0); /* we never send what is no message */
    if (seen) {
        buf_char(&f->broker.seen, '\0');
        assert_string_equal(f->broker.seen.ptr, seen);
    }
    broker_release(&f->broker);
}

static void close_all(struct fixture *f)
{
    close_all_seen(f, NULL);
}

/* ---- the good case --------------------------------------------------------------------------- */

static bool plain(struct broker *b, const struct wire_message *m, struct buf *out)
{
    (void)b;
    if (str_is(m->method, "run/begin"))
        broker_result(out, m, BEGIN_RESULT);
    else if (str_is(m->method, "step/begin"))
        broker_result(out, m,
                      str_is(json_get(m->params, "key")->string, "old")
                          ? "{\"done\":true,\"value\":[1,2]}"
                          : "{\"done\":false,\"step\":\"s-9\"}");
    else if (str_is(m->method, "tools/call"))
        broker_result(out, m,
                      "{\"content\":[],\"isError\":true,\"_meta\":{\"io.reeve/"
                      "denied\":{\"policies\":[\"p\"]}}}");
    else if (str_is(m->method, "event/wait"))
        broker_result(out, m,
                      json_get(m->params, "timeoutMs") ? "{\"timeout\":true}"
                                                       : "{\"event\":{\"id\":\"x\"}}");
    else if (str_is(m->method, "approval/request"))
        broker_result(out, m, "{\"approved\":false,\"by\":[\"ann\"],\"comment\":\"no\"}");
    else if (m->kind == WIRE_REQUEST)
        broker_result(out, m, "{}");
    return true;
}

static void test_begin(void **state)
{
    struct fixture f = {0};
    const struct reeve_run *run;

    (void)state;
    open_with(&f, plain, NULL);
    assert_null(reeve_run(f.r));
    assert_int_equal(reeve_sleep(f.r, 1, &f.err), -EPROTO); /* begin comes first */
    assert_int_equal(reeve_begin(f.r, true, &f.err), 0);
    run = reeve_run(f.r);
    assert_str(run->run, "41");
    assert_str(run->tenant, "acme");
    assert_str(run->seed, "00ff");
    assert_int_equal(run->attempt, 2);
    assert_true(run->is_replay);
    assert_int_equal(json_get(run->checkpoint, "at")->integer, 7);
    assert_int_equal(json_path(run->event, "data.n")->integer, 3);
    assert_null(run->agent);
    assert_str(run->models->array.items[0].string, "m");
    assert_int_equal(reeve_begin(f.r, true, &f.err), -EPROTO);
    close_all(&f);
    assert_int_equal(f.broker.count, 1);
}

static void test_calls(void **state)
{
    static const char expected[] =
        "run/begin {}\n"
        "step/begin {\"key\":\"old\"}\n"
        "step/begin {\"key\":\"new\",\"input\":{\"a\":1}}\n"
        "step/end {\"step\":\"s-9\",\"value\":42}\n"
        "step/end {\"step\":\"s-9\",\"error\":\"it \\\"failed\\\"\"}\n"
        "tools/call {\"name\":\"a.b\",\"arguments\":{\"x\":1.50}}\n"
        "tools/call {\"name\":\"a.b\",\"arguments\":{}}\n"
        "checkpoint/save {\"state\":[1]}\n"
        "sleep {\"ms\":5}\n"
        "sleep {\"until\":6}\n"
        "event/wait {\"type\":\"t\",\"match\":{\"k\":1},\"timeoutMs\":9}\n"
        "event/wait {\"type\":\"t\"}\n"
        "event/emit {\"type\":\"t\",\"subject\":\"s\",\"data\":{}}\n"
        "run/child {\"workflow\":\"w\",\"data\":{}}\n"
        "approval/request {\"question\":\"q?\",\"quorum\":2}\n"
        "model/call {\"route\":\"m\",\"request\":{\"messages\":[]}}\n"
        "log {\"level\":\"warn\",\"text\":\"seen 3\"}\n"
        "run/end {\"result\":{\"ok\":true}}\n";
    struct fixture f = {0};
    struct reeve_step step;

    (void)state;
    begin_with(&f, plain, NULL);
    assert_int_equal(reeve_step_begin(f.r, "old", STR_NONE, &step, &f.a, &f.err), 1);
    assert_str(f.a.value->raw, "[1,2]");
    assert_int_equal(reeve_step_begin(f.r, "new", STR("{\"a\":1}"), &step, &f.a, &f.err), 0);
    assert_int_equal(reeve_step_end(f.r, &step, STR("42"), &f.err), 0);
    assert_int_equal(reeve_step_fail(f.r, &step, "it \"failed\"", &f.err), 0);
    assert_int_equal(reeve_tool(f.r, "a.b", STR("{\"x\":1.50}"), &f.a, &f.err), 0);
    assert_true(reeve_tool_is_denied(f.a.value));
    assert_true(reeve_tool_is_error(f.a.value));
    assert_int_equal(reeve_tool(f.r, "a.b", STR_NONE, &f.a, &f.err), 0);
    assert_int_equal(reeve_checkpoint(f.r, STR("[1]"), &f.err), 0);
    assert_int_equal(reeve_sleep(f.r, 5, &f.err), 0);
    assert_int_equal(reeve_sleep_until(f.r, 6, &f.err), 0);
    assert_int_equal(reeve_event_wait(f.r, "t", STR("{\"k\":1}"), 9, &f.a, &f.err), 0);
    assert_int_equal(reeve_event_wait(f.r, "t", STR_NONE, 0, &f.a, &f.err), 1);
    assert_int_equal(reeve_event_emit(f.r, "t", "s", STR("{}"), &f.a, &f.err), 0);
    assert_int_equal(reeve_child(f.r, "w", STR("{}"), &f.a, &f.err), 0);
    assert_int_equal(
        reeve_approval(f.r, &(struct reeve_question){.question = "q?", .quorum = 2}, &f.a, &f.err),
        0);
    assert_str(json_get(f.a.value, "comment")->string, "no");
    assert_int_equal(reeve_model(f.r, STR("m"), STR("{\"messages\":[]}"), &f.a, &f.err), 0);
    reeve_log(f.r, LOG_LEVEL_WARN, "seen %d", 3);
    assert_int_equal(reeve_end(f.r, STR("{\"ok\":true}"), &f.err), 0);
    assert_int_equal(reeve_end(f.r, STR("1"), &f.err), -EPROTO); /* once */
    assert_int_equal(reeve_sleep(f.r, 5, &f.err), -EPROTO);
    close_all_seen(&f, expected); /* byte for byte: it is what a journal is matched against */
}

/* ---- what the broker refuses ----------------------------------------------------------------- */

static bool refusing(struct broker *b, const struct wire_message *m, struct buf *out)
{
    const int64_t *code = b->arg;

    if (str_is(m->method, "run/begin"))
        broker_result(out, m, BEGIN_RESULT);
    else
        broker_error(out, m, *code, "because");
    return true;
}

static void test_refusals(void **state)
{
    static const struct {
        int64_t code;
        int number;
    } rows[] = {
        {WIRE_E_DENIED, EACCES},
        {WIRE_E_LIMIT, EDQUOT},
        {WIRE_E_CANCELLED, ECANCELED},
        {WIRE_E_DIVERGED, ESTALE},
        {WIRE_E_UNAVAILABLE, EHOSTDOWN},
        {WIRE_E_TIMEOUT, ETIMEDOUT},
        {WIRE_E_NOT_FOUND, ENOENT},
        {WIRE_E_CONFLICT, EEXIST},
        {WIRE_E_PARAMS, EINVAL},
        {WIRE_E_METHOD, ENOSYS},
        {WIRE_E_STATE, EPROTO},
        {WIRE_E_INTERNAL, EREMOTEIO},
        {0, EREMOTEIO}, /* an error of code 0 is no result */
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f = {0};
        int64_t code = rows[i].code;

        begin_with(&f, refusing, &code);
        assert_int_equal(reeve_sleep(f.r, 1, &f.err), -rows[i].number);
        assert_non_null(strstr(f.err.text, "because"));
        assert_int_equal(reeve_sleep(f.r, 1, &f.err),
                         -rows[i].number); /* the socket is not broken by it */
        close_all(&f);
    }
}

static bool cancelling(struct broker *b, const struct wire_message *m, struct buf *out)
{
    (void)b;
    if (str_is(m->method, "run/begin")) {
        broker_result(out, m, BEGIN_RESULT);
    } else {
        buf_cstr(out, "{\"jsonrpc\":\"2.0\",\"method\":\"news/of-tomorrow\"}\n");
        buf_cstr(out, "{\"jsonrpc\":\"2.0\",\"method\":\"run/"
                      "cancelled\",\"params\":{\"reason\":\"kill switch\"}}\n");
        broker_result(out, m, "{}");
    }
    return true;
}

static void test_cancel(void **state)
{
    struct fixture f = {0};

    (void)state;
    begin_with(&f, cancelling, NULL);
    assert_false(reeve_is_cancelled(f.r));
    assert_int_equal(reeve_sleep(f.r, 1, &f.err),
                     0); /* it was told while waiting: this one is answered */
    assert_true(reeve_is_cancelled(f.r));
    assert_int_equal(reeve_sleep(f.r, 1, &f.err), -ECANCELED);
    assert_int_equal(reeve_fail(f.r, "cancelled", false, &f.err), 0); /* ending is still possible */
    close_all(&f);
}

/* ---- several at once ------------------------------------------------------------------------- */

struct held {
    struct buf ids; /* of requests not yet answered, one a line */
    size_t count, until;
};

/* Answers only when `until` requests are there, the last first. */
static bool backwards(struct broker *b, const struct wire_message *m, struct buf *out)
{
    struct held *h = b->arg;

    if (!str_is(m->method, "tools/call")) {
        broker_result(out, m, str_is(m->method, "run/begin") ? BEGIN_RESULT : "{}");
        return true;
    }
    buf_fmt(&h->ids, "%.*s %.*s\n", STR_FMT(m->id->raw),
            STR_FMT(json_path(m->params, "name")->string));
    if (++h->count < h->until)
        return true;
    while (h->ids.len > 0) {
        struct str all = str_slice(buf_str(&h->ids), 0, h->ids.len - 1), line, id;
        ssize_t at;
        size_t from = 0;

        while ((at = str_find(all, '\n', from)) >= 0)
            from = (size_t)at + 1;
        line = str_slice(all, from, all.len);
        must(str_split(&line, ' ', &id));
        buf_fmt(out, "{\"result\":{\"of\":\"%.*s\"},\"id\":%.*s,\"jsonrpc\":\"2.0\"}\n",
                STR_FMT(line), STR_FMT(id));
        buf_truncate(&h->ids, from);
    }
    h->count = 0;
    return true;
}

static void test_parallel(void **state)
{
    struct reeve_tool_call calls[16] = {0};
    struct held held = {.until = 16};
    struct fixture f = {0};
    char names[16][8];
    size_t i;

    (void)state;
    buf_init(&held.ids, 4096);
    begin_with(&f, backwards, &held);
    for (i = 0; i < 16; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "s.t%zu", i);
        calls[i].name = str_of(names[i]);
    }
    assert_int_equal(reeve_tools(f.r, calls, 16, &f.err), 0);
    for (i = 0; i < 16; i++) {
        assert_str(json_get(calls[i].answer.value, "of")->string, names[i]);
        reeve_answer_release(&calls[i].answer);
    }
    close_all(&f);
    buf_release(&held.ids);
}

static int64_t send_tool(struct fixture *f, const char *name)
{
    struct wire_out o;
    int64_t id = 0;

    reeve_request(f->r, &o, "tools/call");
    jout_m_cstr(&o.j, "name", name);
    assert_int_equal(reeve_request_end(f->r, &o, &id, &f->err), 0);
    return id;
}

static void test_wait_any(void **state)
{
    struct held held = {.until = 3};
    struct fixture f = {0};
    bool got[3] = {false};
    int64_t ids[3], id;
    size_t i, k;

    (void)state;
    buf_init(&held.ids, 4096);
    begin_with(&f, backwards, &held);
    for (i = 0; i < 3; i++)
        ids[i] = send_tool(&f, "s.t");
    for (i = 0; i < 3; i++) {
        assert_int_equal(reeve_wait_any(f.r, &id, &f.a, &f.err), 0);
        for (k = 0; k < 3; k++)
            if (ids[k] == id) {
                assert_false(got[k]); /* each once */
                got[k] = true;
            }
    }
    assert_true(got[0] && got[1] && got[2]);
    assert_int_equal(reeve_wait_any(f.r, &id, &f.a, &f.err), -ENOENT);
    assert_int_equal(reeve_wait(f.r, ids[0], &f.a, &f.err), -ENOENT);
    close_all(&f);
    buf_release(&held.ids);
}

static void test_too_many(void **state)
{
    struct held held = {.until = 1000};
    struct fixture f = {0};
    struct wire_out o;
    int64_t id;
    size_t i;

    (void)state;
    buf_init(&held.ids, 65536);
    begin_with(&f, backwards, &held);
    for (i = 0; i < REEVE_OPEN_MAX; i++)
        send_tool(&f, "s.t");
    reeve_request(f.r, &o, "tools/call");
    assert_int_equal(reeve_request_end(f.r, &o, &id, &f.err), -EBUSY);
    close_all(&f);
    buf_release(&held.ids);
}

/* ---- a broker that is broken ----------------------------------------------------------------- */

struct bad {
    const char *bytes; /* `@` stands for the id */
    size_t repeat;     /* of the last byte, before a line end */
    bool closes;
    int number;
};

static bool bad_answer(struct broker *b, const struct wire_message *m, struct buf *out)
{
    const struct bad *bad = b->arg;
    const char *p;
    size_t i;

    if (str_is(m->method, "run/begin")) {
        broker_result(out, m, BEGIN_RESULT);
        return true;
    }
    for (p = bad->bytes; *p != '\0'; p++) {
        if (*p == '@')
            buf_str_put(out, m->id->raw);
        else
            buf_char(out, *p);
    }
    for (i = 0; i < bad->repeat; i++)
        buf_char(out, p[-1]);
    if (bad->repeat > 0)
        buf_char(out, '\n');
    return !bad->closes;
}

static void test_bad_broker(void **state)
{
    static const struct bad rows[] = {
        {"not json\n", 0, false, EBADMSG},
        {"\n", 0, false, EBADMSG},
        {"{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":{}}", 0, true, EBADMSG}, /* no end of line */
        {"", 0, true, EPIPE},
        {"{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n", 0, false, EBADMSG},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"@\",\"result\":{}}\n", 0, false, EBADMSG},
        {"{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":{}}\n", 0, false, EBADMSG},
        {"{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"ping\"}\n", 0, false, EBADMSG},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n", 0, false, EBADMSG}, /* answered before */
        {"[{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":{}}]\n", 0, false, EBADMSG},
        {"{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":\"\xff\"}\n", 0, false, EILSEQ},
        {"[", 100000, false, E2BIG},
        {"x", REEVE_MESSAGE_MAX + 1, false, EMSGSIZE},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f = {0};
        struct bad bad = rows[i];
        int rc;

        begin_with(&f, bad_answer, &bad);
        rc = reeve_sleep(f.r, 1, &f.err);
        if (rc != -rows[i].number)
            print_message("row %zu: %d %s\n", i, rc, f.err.text);
        assert_int_equal(rc, -rows[i].number);
        assert_true(strlen(f.err.text) > 0);
        assert_int_equal(reeve_sleep(f.r, 1, &f.err), -rows[i].number); /* and stays broken */
        close_all(&f);
    }
}

static void test_bad_begin(void **state)
{
    static const char *const bytes[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"event\":{},\"attempt\":\"x\"}}\n",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(bytes); i++) {
        struct fixture f = {0};

        f.broker.flood = str_of(bytes[i]);
        open_with(&f, plain, NULL);
        assert_true(reeve_begin(f.r, false, &f.err) < 0);
        assert_null(reeve_run(f.r));
        close_all(&f);
    }
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static void test_too_large(void **state)
{
    struct fixture f = {0};
    size_t size = REEVE_MESSAGE_MAX;
    char *text = malloc(size);

    (void)state;
    memset(text, 'a', size);
    text[0] = text[size - 1] = '"';
    begin_with(&f, plain, NULL);
    assert_int_equal(reeve_checkpoint(f.r, (struct str){text, size}, &f.err), -EMSGSIZE);
    assert_int_equal(reeve_checkpoint(f.r, STR("{not json"), &f.err), -EINVAL);
    assert_int_equal(reeve_sleep(f.r, 1, &f.err), 0); /* nothing of them was sent */
    close_all(&f);
    free(text);
}

/* The broker writes 8 MiB and reads nothing meanwhile, we write 8 MiB: both get through. */
static void test_no_deadlock(void **state)
{
    static const char note[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"note\",\"params\":{\"t\":\"................\"}}\n";
    struct fixture f = {0};
    size_t size = (size_t)8 << 20;
    char *text = malloc(size);
    struct buf flood;

    (void)state;
    memset(text, 'a', size);
    text[0] = text[size - 1] = '"';
    buf_init(&flood, size + 4096);
    while (flood.len < size)
        buf_cstr(&flood, note);
    f.broker.flood = buf_str(&flood);
    begin_with(&f, plain, NULL);
    assert_int_equal(reeve_checkpoint(f.r, (struct str){text, size}, &f.err), 0);
    close_all(&f);
    buf_release(&flood);
    free(text);
}

/* ---- steps that nobody waits for ---------------------------------------------------------------
 */

#define FRESH_RESULT "{\"run\":1,\"state\":\"fresh\",\"event\":{}}"

static bool fresh(struct broker *b, const struct wire_message *m, struct buf *out)
{
    if (str_is(m->method, "run/begin"))
        broker_result(out, m, FRESH_RESULT);
    else if (str_is(m->method, "step/record") && b->arg)
        broker_error(out, m, WIRE_E_LIMIT, "no more of them");
    else
        return plain(b, m, out);
    return true;
}

static int step_ahead(struct fixture *f, const char *key, struct str input, struct str value)
{
    struct reeve_step step;

    if (reeve_step_begin(f->r, key, input, &step, &f->a, &f->err) < 0)
        return -f->err.number;
    return reeve_step_end_later(f->r, &step, value, &f->err);
}

static void test_ahead(void **state)
{
    static const char expected[] =
        "run/begin {}\n"
        "step/record {\"steps\":[{\"begin\":{\"key\":\"a\"},\"value\":1},"
        "{\"begin\":{\"key\":\"b\",\"input\":{\"x\":2}},\"value\":null}]}\n"
        "tools/call {\"name\":\"t.u\",\"arguments\":{}}\n"
        "step/record {\"steps\":[{\"begin\":{\"key\":\"c\"},\"value\":3}]}\n"
        "step/begin {\"key\":\"d\"}\n"
        "step/end {\"key\":\"d\",\"value\":4}\n"
        "step/record {\"steps\":[{\"begin\":{\"key\":\"e\"},\"value\":5}]}\n"
        "step/begin {\"key\":\"f\"}\n"
        "step/end {\"key\":\"f\",\"error\":\"oh\"}\n"
        "step/record {\"steps\":[{\"begin\":{\"key\":\"g\"},\"value\":6}]}\n"
        "step/begin {\"key\":\"h\"}\n"
        "sleep {\"ms\":1}\n"
        "step/record {\"steps\":[{\"begin\":{\"key\":\"i\"},\"value\":7}]}\n"
        "run/end {\"result\":null}\n";
    struct fixture f = {0};
    struct reeve_step step;

    (void)state;
    begin_with(&f, fresh, NULL);
    assert_int_equal(step_ahead(&f, "a", STR_NONE, STR("1")), 0);
    assert_int_equal(step_ahead(&f, "b", STR("{\"x\":2}"), STR_NONE), 0);
    assert_int_equal(reeve_tool(f.r, "t.u", STR_NONE, &f.a, &f.err), 0); /* after both */
    assert_int_equal(step_ahead(&f, "c", STR_NONE, STR("3")), 0);
    assert_int_equal(reeve_step_begin(f.r, "d", STR_NONE, &step, &f.a, &f.err), 0);
    assert_int_equal(reeve_step_end(f.r, &step, STR("4"), &f.err), 0);
    assert_int_equal(step_ahead(&f, "e", STR_NONE, STR("5")), 0);
    assert_int_equal(reeve_step_begin(f.r, "f", STR_NONE, &step, &f.a, &f.err), 0);
    assert_int_equal(reeve_step_fail(f.r, &step, "oh", &f.err), 0);
    assert_int_equal(step_ahead(&f, "g", STR_NONE, STR("6")), 0);
    assert_int_equal(reeve_step_begin(f.r, "h", STR_NONE, &step, &f.a, &f.err), 0);
    assert_int_equal(reeve_sleep(f.r, 1, &f.err), 0); /* within a step: it has begun by then */
    assert_int_equal(step_ahead(&f, "i", STR_NONE, STR("7")), 0);
    assert_int_equal(reeve_end(f.r, STR_NONE, &f.err), 0);
    close_all_seen(&f, expected);
}

/* Bounded in number and bytes, and on the way; all of them arrive. */
static void test_ahead_many(void **state)
{
    struct fixture f = {0};
    struct buf large;
    size_t records = 0, steps = 0;
    char key[32];

    (void)state;
    begin_with(&f, fresh, NULL);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(key, sizeof(key), "k-%d", i);
        assert_int_equal(step_ahead(&f, key, STR_NONE, STR("{\"ok\":true}")), 0);
    }
    buf_init(&large, 1u << 20);
    buf_char(&large, '"');
    for (int i = 0; i < 100000; i++)
        buf_char(&large, 'x');
    buf_char(&large, '"');
    assert_int_equal(step_ahead(&f, "small", STR_NONE, STR("1")), 0);
    assert_int_equal(step_ahead(&f, "large", STR_NONE, buf_str(&large)), 0);
    assert_int_equal(reeve_end(f.r, STR_NONE, &f.err), 0);
    buf_release(&large);
    reeve_answer_release(&f.a);
    reeve_close(f.r);
    broker_join(&f.broker);
    assert_int_equal(f.broker.fault, 0);
    buf_char(&f.broker.seen, '\0');
    for (const char *at = f.broker.seen.ptr; (at = strstr(at, "step/record ")); at++)
        records++;
    for (const char *at = f.broker.seen.ptr; (at = strstr(at, "\"begin\"")); at++)
        steps++;
    assert_int_equal(steps, 2002);
    assert_in_range(records, 2000 / 64, 2002);
    broker_release(&f.broker);
}

/* What was taken for recorded is not: the next call tells, and so do all after it. */
static void test_ahead_refused(void **state)
{
    struct fixture f = {0};

    (void)state;
    begin_with(&f, fresh, &f);
    assert_int_equal(step_ahead(&f, "a", STR_NONE, STR("1")), 0);
    assert_int_equal(reeve_sleep(f.r, 1, &f.err), -EDQUOT);
    assert_non_null(strstr(f.err.text, "record steps: no more of them"));
    assert_int_equal(reeve_end(f.r, STR_NONE, &f.err), -EDQUOT);
    close_all(&f);
}

/* One that no message can hold is told at once; it can still fail, and those before it are there.
 */
static void test_ahead_too_large(void **state)
{
    struct fixture f = {0};
    struct reeve_step step;
    char *text = malloc(REEVE_MESSAGE_MAX + 2);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', REEVE_MESSAGE_MAX + 2);
    text[0] = text[REEVE_MESSAGE_MAX + 1] = '"';
    begin_with(&f, fresh, NULL);
    assert_int_equal(step_ahead(&f, "a", STR_NONE, STR("1")), 0);
    assert_int_equal(reeve_step_begin(f.r, "b", STR_NONE, &step, &f.a, &f.err), 0);
    assert_int_equal(
        reeve_step_end_later(f.r, &step, (struct str){text, REEVE_MESSAGE_MAX + 2}, &f.err),
        -EMSGSIZE);
    assert_int_equal(reeve_step_fail(f.r, &step, "too large", &f.err), 0);
    assert_int_equal(step_ahead(&f, "c", STR_NONE, STR("3")), 0);
    assert_int_equal(reeve_end(f.r, STR_NONE, &f.err), 0);
    free(text);
    close_all_seen(&f, "run/begin {}\n"
                       "step/record {\"steps\":[{\"begin\":{\"key\":\"a\"},\"value\":1}]}\n"
                       "step/begin {\"key\":\"b\"}\n"
                       "step/end {\"key\":\"b\",\"error\":\"too large\"}\n"
                       "step/record {\"steps\":[{\"begin\":{\"key\":\"c\"},\"value\":3}]}\n"
                       "run/end {\"result\":null}\n");
}

/* A journal that may know the step is asked first: then it is as if it were awaited. */
static void test_ahead_in_a_replay(void **state)
{
    static const char expected[] = "run/begin {}\n"
                                   "step/begin {\"key\":\"new\"}\n"
                                   "step/end {\"step\":\"s-9\",\"value\":1}\n"
                                   "run/end {\"result\":null}\n";
    struct fixture f = {0};

    (void)state;
    begin_with(&f, plain, NULL);
    assert_int_equal(step_ahead(&f, "new", STR_NONE, STR("1")), 0);
    assert_int_equal(reeve_end(f.r, STR_NONE, &f.err), 0);
    close_all_seen(&f, expected);
}

static void test_log_is_cut(void **state)
{
    struct fixture f = {0};
    char text[8000];

    (void)state;
    memset(text, 'b', sizeof(text) - 1);
    memcpy(text + 4094, "\xc3\xa4", 2); /* parted by the cut */
    text[sizeof(text) - 1] = '\0';
    begin_with(&f, plain, NULL);
    reeve_log(f.r, LOG_LEVEL_INFO, "%s", text);
    assert_int_equal(reeve_end(f.r, STR_NONE, &f.err), 0);
    close_all(&f);
    assert_int_equal(f.broker.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_wait_any),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_bad_broker),
        cmocka_unit_test(test_bad_begin),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_no_deadlock),
        cmocka_unit_test(test_log_is_cut),
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_ahead_many),
        cmocka_unit_test(test_ahead_refused),
        cmocka_unit_test(test_ahead_too_large),
        cmocka_unit_test(test_ahead_in_a_replay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
