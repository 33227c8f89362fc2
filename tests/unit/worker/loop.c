/*
 * loop.c: the agent loop against a scripted broker: what it asks, byte for byte, and how it ends.
 */
#include "tests/lib/broker.h"
#include "tests/lib/cm.h"
#include "worker/loop.h"

#define TOOLS                                                                             \
    "{\"tools\":[{\"name\":\"s.get\",\"description\":\"gets\",\"inputSchema\":{\"type\":" \
    "\"object\"}},{\"name\":\"s.put\"}]}"
#define REPLY(message, finish)                                         \
    "{\"status\":200,\"response\":{\"choices\":[{\"message\":" message \
    ",\"finish_reason\":\"" finish "\"}]},"                            \
    "\"usage\":{\"inputTokens\":1,\"outputTokens\":1}}"
#define CALL(id, name, args) \
    "{\"id\":\"" id "\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" args "\"}}"
#define CALLS(list) REPLY("{\"content\":null,\"tool_calls\":[" list "]}", "tool_calls")
#define STATUS(n)   "{\"status\":" n ",\"response\":{\"error\":{\"message\":\"gone fishing\"}}}"
#define DONE        REPLY("{\"content\":\"done\"}", "stop")

struct script {
    const char *agent, *checkpoint; /* of run/begin; NULL: absent */
    const char *models[24];         /* one a model call; "!code text" is an error; then DONE */
    const char *tool;               /* every tool's result; "!code text" */
    size_t model_calls;
};

static void put(struct buf *out, const struct wire_message *m, const char *text)
{
    char *end;

    if (text[0] == '!') {
        long code = strtol(text + 1, &end, 10);

        broker_error(out, m, code, end + 1);
    } else {
        broker_result(out, m, text);
    }
}

static void put_begin(const struct script *s, struct buf *out, const struct wire_message *m)
{
    struct buf text;

    buf_init(&text, 8 << 20);
    buf_cstr(&text, "{\"run\":1,\"event\":{\"id\":\"e\",\"data\":{\"x\":1}}");
    if (s->agent)
        buf_fmt(&text, ",\"agent\":%s", s->agent);
    if (s->checkpoint)
        buf_fmt(&text, ",\"checkpoint\":%s", s->checkpoint);
    buf_cstr(&text, "}");
    must(wire_put_result_raw(out, m->id->raw, buf_str(&text)) == 0);
    buf_release(&text);
}

static bool play(struct broker *b, const struct wire_message *m, struct buf *out)
{
    struct script *s = b->arg;

    if (m->kind != WIRE_REQUEST)
        return true;
    if (str_is(m->method, "run/begin")) {
        put_begin(s, out, m);
    } else if (str_is(m->method, "tools/list")) {
        broker_result(out, m, TOOLS);
    } else if (str_is(m->method, "model/call")) {
        const char *text = s->model_calls < ARRAY_LEN(s->models) ? s->models[s->model_calls] : NULL;

        s->model_calls++;
        put(out, m, text ? text : DONE);
    } else if (str_is(m->method, "tools/call")) {
        put(out, m, s->tool ? s->tool : "{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}");
    } else {
        broker_result(out, m, "{}");
    }
    return true;
}

/* Runs the loop on a script; what the broker saw (to be freed) and what the loop returned. */
static char *run_script(struct script s, int *ret_rc)
{
    struct broker b = {0};
    struct reeve *r = NULL;
    struct err err = ERR_INIT;
    char *seen;

    s.agent = s.agent ? s.agent : "{\"model\":\"m\",\"prompt\":\"{{event.data}}\"}";
    assert_int_equal(reeve_open(broker_start(&b, play, &s), &r, &err), 0);
    *ret_rc = loop_run(r, &err);
    reeve_close(r);
    broker_join(&b);
    assert_int_equal(b.fault, 0);
    seen = buf_take(&b.seen, NULL);
    assert_non_null(seen);
    return seen;
}

/* The last line that begins with this method, to its end; "" if none. */
static const char *last_of(const char *seen, const char *method)
{
    const char *at = seen, *found = "";

    while ((at = strstr(at, method)) != NULL) {
        if (at == seen || at[-1] == '\n')
            found = at;
        at++;
    }
    return found;
}

static size_t count_of(const char *seen, const char *text)
{
    size_t n = 0;

    for (; (seen = strstr(seen, text)) != NULL; seen++)
        n++;
    return n;
}

static void check_end(struct script s, const char *ends_with)
{
    int rc;
    char *seen = run_script(s, &rc);
    const char *end = last_of(seen, "run/end ");

    if (rc != 0 || !strstr(end, ends_with))
        print_error("%d\n%s\nwanted %s\n", rc, seen, ends_with);
    assert_int_equal(rc, 0);
    assert_non_null(strstr(end, ends_with));
    free(seen);
}

/* ---- the good cases -------------------------------------------------------------------------- */

#define TOOLS_SENT                                                                         \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"s__get\",\"description\":" \
    "\"gets\",\"parameters\":{\"type\":\"object\"}}},"                                     \
    "{\"type\":\"function\",\"function\":{\"name\":\"s__put\",\"parameters\":{\"type\":"   \
    "\"object\"}}}]"

static void test_whole(void **state)
{
    static const char expected[] =
        "run/begin {}\n"
        "tools/list {}\n"
        "model/call {\"request\":{\"messages\":[{\"role\":\"system\",\"content\":\"be "
        "good\"},{\"role\":\"user\",\"content\":\"do {\\\"x\\\":1}\"}]," TOOLS_SENT
        ",\"max_tokens\":99,\"temperature\":0.2}}\n"
        "tools/call {\"name\":\"s.get\",\"arguments\":{\"a\":1}}\n"
        "tools/call {\"name\":\"s.put\",\"arguments\":{}}\n"
        "model/call {\"request\":{\"messages\":[{\"role\":\"system\",\"content\":\"be "
        "good\"},{\"role\":\"user\",\"content\":\"do {\\\"x\\\":1}\"},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
        "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"s__get\",\"arguments\":\"{"
        "\\\"a\\\":1}\"}},"
        "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"s__put\",\"arguments\":\"{}"
        "\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"ok\"},{\"role\":\"tool\",\"tool_"
        "call_id\":\"c2\",\"content\":\"ok\"}]," TOOLS_SENT
        ",\"max_tokens\":99,\"temperature\":0.2}}\n"
        "run/end {\"result\":{\"text\":\"done\",\"turns\":2}}\n";
    struct script s = {
        .agent = "{\"model\":\"m\",\"system\":\"be good\",\"prompt\":\"do "
                 "{{event.data}}\",\"maxTokens\":99,\"temperature\":0.2,\"maxTurns\":5}",
        .models = {CALLS(CALL("c1", "s__get", "{\\\"a\\\":1}") "," CALL("c2", "s__put", ""))},
    };
    int rc;
    char *seen = run_script(s, &rc), *again = run_script(s, &rc);

    (void)state;
    assert_int_equal(rc, 0);
    assert_string_equal(seen, expected);
    assert_string_equal(seen, again); /* a restart asks the same */
    free(seen);
    free(again);
}

/* More calls in one turn than are sent at once: all done, results in the order asked. */
static void test_parallel(void **state)
{
    struct script s = {0};
    struct buf list;
    char want[64];
    const char *at;
    char *seen;
    int i, rc;

    (void)state;
    buf_init(&list, 1 << 20);
    buf_cstr(&list, "{\"status\":200,\"response\":{\"choices\":[{\"message\":{\"tool_calls\":[");
    for (i = 0; i < 40; i++)
        buf_fmt(&list, "%s{\"id\":\"c%d\",\"function\":{\"name\":\"s__get\",\"arguments\":\"{}\"}}",
                i > 0 ? "," : "", i);
    buf_cstr(&list, "]}}]}}");
    buf_char(&list, '\0');
    s.models[0] = list.ptr;
    seen = run_script(s, &rc);
    assert_int_equal(rc, 0);
    assert_int_equal(count_of(seen, "tools/call "), 40);
    at = last_of(seen, "model/call ");
    for (i = 0; i < 40; i++) {
        (void)snprintf(want, sizeof(want),
                       "{\"role\":\"tool\",\"tool_call_id\":\"c%d\",\"content\":\"ok\"}", i);
        at = strstr(at, want);
        assert_non_null(at);
    }
    free(seen);
    buf_release(&list);
}

/* ---- models that do not behave --------------------------------------------------------------- */

static void test_ends(void **state)
{
    static const struct {
        struct script s;
        const char *end;
    } rows[] = {
        {{.models = {REPLY("{\"content\":\"hal\"}", "length")}},
         "cut at its length limit: raise maxTokens\",\"retryable\":false"},
        {{.models = {REPLY("{\"content\":\"x\"}", "content_filter")}},
         "content filter\",\"retryable\":false"},
        {{.models = {REPLY("{\"content\":null,\"refusal\":\"never\"}", "stop")}},
         "the model refused: never"},
        {{.models = {"!1002 denied by policy infer"}},
         "denied by policy infer\",\"retryable\":false"},
        {{.models = {"!1003 budget"}}, "budget\",\"retryable\":false"},
        {{.models = {"!1006 down"}}, "down\",\"retryable\":true"},
        {{.models = {"!1007 slow"}}, "slow\",\"retryable\":true"},
        {{.models = {STATUS("401")}}, "status 401: gone fishing\",\"retryable\":false"},
        {{.models = {STATUS("503"), STATUS("429"), STATUS("500")}},
         "asked the model 3 times, lastly: the model's gateway answered with status 500: gone "
         "fishing\",\"retryable\":true"},
        {{.models = {STATUS("503"), STATUS("429")}},
         "{\"result\":{\"text\":\"done\",\"turns\":1}}"},
        {{.models = {"{\"status\":200,\"response\":\"sorry?\"}",
                     "{\"response\":{\"choices\":[]}}"}},
         "{\"result\":{\"text\":\"done\",\"turns\":1}}"},
        {{.models = {"{}", "{\"response\":7}", REPLY("{}", "stop")}},
         "asked the model 3 times, lastly: the reply has neither text nor tool "
         "calls\",\"retryable\":false"},
        {{.models = {"{\"status\":\"ok\"}"}}, "\"retryable\":false"},
        {{.agent = "{\"model\":\"m\",\"maxTurns\":2}",
          .models = {CALLS(CALL("c", "s__get", "{}")), CALLS(CALL("c", "s__get", "{}"))}},
         "not done after maxTurns (2) model calls\",\"retryable\":false"},
        {{.agent = "{\"model\":\"m\",\"maxTurns\":0}"}, "maxTurns is 0"},
        {{.agent = "{\"model\":\"m\",\"prompt\":5}"}, "the agent's settings"},
        {{.agent = "[]"}, "the built-in agent loop needs one"},
        {{.models = {CALLS(CALL("c", "s__get", "{}"))}, .tool = "!1006 server s is down"},
         "tool s.get: server s is down\",\"retryable\":true"},
        {{.models = {CALLS(CALL("c", "s__get", "{}"))}, .tool = "!1003 limits.steps (1000)"},
         "limits.steps (1000)\",\"retryable\":false"},
        {{.models = {CALLS(CALL("c", "fly", "{}")), CALLS(CALL("c", "fly", "{}")),
                     CALLS(CALL("c", "s__get", "nope"))}},
         "3 times in a row for calls that make no sense, lastly: error: the arguments are not "
         "valid JSON"},
        {{.models = {CALLS(CALL("c", "fly", "{}")), CALLS(CALL("c", "s__get", "{}")),
                     CALLS(CALL("c", "fly", "{}")), CALLS(CALL("c", "fly", "{}"))}},
         "{\"result\":{\"text\":\"done\",\"turns\":5}}"},
        {{.models = {CALLS(CALL("c", "s__get", "{}")), CALLS(CALL("c", "s__get", "{}")),
                     CALLS(CALL("c", "s__get", "{}"))},
          .tool = "!-32602 arguments.a: expected a number"},
         "3 times in a row"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++)
        check_end(rows[i].s, rows[i].end);
}

/* The waits between two tries are the run's own, and the repeated request is the same. */
static void test_repeat(void **state)
{
    struct script s = {.models = {STATUS("503"), STATUS("503")}};
    int rc;
    char *seen = run_script(s, &rc);
    const char *first = strstr(seen, "model/call "), *last = last_of(seen, "model/call ");

    (void)state;
    assert_int_equal(count_of(seen, "sleep {\"ms\":"), 2);
    assert_non_null(strstr(seen, "sleep {\"ms\":1000}"));
    assert_non_null(strstr(seen, "sleep {\"ms\":4000}"));
    assert_true(first != last &&
                strncmp(first, last, (size_t)(strchr(first, '\n') - first) + 1) == 0);
    free(seen);
}

/* What a model is told. */
static void test_told(void **state)
{
    static const struct {
        struct script s;
        const char *told, *asked; /* asked: of the broker, or NULL: nothing */
    } rows[] = {
        {{.models = {CALLS(CALL("c", "fly", "{}"))}},
         "error: there is no tool of this name; the tools are: s__get, s__put",
         NULL},
        {{.models = {CALLS(CALL("c", "s__get", "[1]"))}},
         "error: the arguments are not a JSON object",
         NULL},
        {{.models = {CALLS(CALL("c", "s__get", "{}"))},
          .tool = "{\"content\":[{\"type\":\"text\",\"text\":\"boom\"}],\"isError\":true}"},
         "\"error: boom\"",
         "\"s.get\""},
        {{.models = {CALLS(CALL("c", "s__get", "{}"))},
          .tool = "{\"content\":[{\"type\":\"text\",\"text\":\"denied by "
                  "no-deletes\"}],\"isError\":true,\"_meta\":{\"io.reeve/denied\":{}}}"},
         "\"denied by no-deletes\"",
         "\"s.get\""},
        {{.models = {CALLS(CALL("c", "s__get", "{}"))}, .tool = "!1002 denied by no-deletes"},
         "\"error: denied by no-deletes\"",
         "\"s.get\""},
        /* not offered, but asked: the broker is to refuse it, on the record */
        {{.models = {CALLS(CALL("c", "s__delete", "{}"))}, .tool = "!1008 not offered"},
         "\"error: not offered\"",
         "\"s.delete\""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        int rc;
        char *seen = run_script(rows[i].s, &rc);

        assert_row(rc == 0 && strstr(last_of(seen, "model/call "), rows[i].told), i, "%s", seen);
        if (rows[i].asked)
            assert_row(strstr(last_of(seen, "tools/call "), rows[i].asked), i, "%s", seen);
        else
            assert_row(count_of(seen, "tools/call ") == 0, i, "%s", seen);
        free(seen);
    }
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

static void test_checkpoint(void **state)
{
    struct script s = {.tool = NULL};
    struct buf big;
    char *seen, *after, *state_text, *end;
    const char *at, *request, *requested;
    int rc, i;

    (void)state;
    buf_init(&big, 1 << 20);
    buf_cstr(&big, "{\"content\":[{\"type\":\"text\",\"text\":\"");
    for (i = 0; i < 10000; i++)
        buf_char(&big, 'x');
    buf_cstr(&big, "\"}]}");
    buf_char(&big, '\0');
    s.tool = big.ptr;
    for (i = 0; i < 10; i++)
        s.models[i] = CALLS(CALL("c", "s__get", "{}"));
    seen = run_script(s, &rc);
    assert_int_equal(rc, 0);
    assert_int_equal(count_of(seen, "checkpoint/save "), 1); /* after 8 turns */
    at = strstr(seen, "checkpoint/save {\"state\":") + strlen("checkpoint/save {\"state\":");
    end = strchr(at, '\n');
    state_text = strndup(at, (size_t)(end - at) - 1);
    /* From the checkpoint on: nothing that came before it is asked again, and the rest is the same.
     */
    s.checkpoint = state_text;
    for (i = 0; i < 10; i++)
        s.models[i] = i < 2 ? CALLS(CALL("c", "s__get", "{}")) : NULL;
    after = run_script(s, &rc);
    assert_int_equal(rc, 0);
    assert_int_equal(count_of(after, "tools/list "), 0);
    request = strstr(end, "model/call ");
    requested = strstr(after, "model/call ");
    assert_string_equal(request, requested);
    free(seen);
    free(after);
    free(state_text);
    buf_release(&big);
}

static void test_bad_checkpoint(void **state)
{
    static const char *const states[] = {
        "{\"form\":99}",
        "[]",
        "7",
        "{\"form\":1,\"turn\":1,\"nonsense\":0,\"tools\":[],\"messages\":{}}",
        "{\"form\":1,\"turn\":1,\"nonsense\":0,\"tools\":[1],\"messages\":[]}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(states); i++)
        check_end((struct script){.checkpoint = states[i]}, "checkpoint: ");
}

/* ---- a run that cannot be ended -------------------------------------------------------------- */

static void test_not_ended(void **state)
{
    static const struct {
        const char *model;
        int rc;
    } rows[] = {{"!1004 cancelled", -ECANCELED}, {"!1005 diverged", -ESTALE}};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        int rc;
        char *seen = run_script((struct script){.models = {rows[i].model}}, &rc);

        assert_row(rc == rows[i].rc && count_of(seen, "run/end") == 0, i, "%d %s", rc, seen);
        free(seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),          cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_ends),           cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_told),           cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_bad_checkpoint), cmocka_unit_test(test_not_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
