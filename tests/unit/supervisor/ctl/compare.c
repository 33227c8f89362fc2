/*
 * compare.c: differences of two JSON values by path; and upgrade.c: whether a run would go on under
 * another version.
 */
#include "tests/lib/cm.h"

#include "policy/text/arena.h"
#include "supervisor/ctl/compare.h"
#include "supervisor/ctl/upgrade.h"

static void put(void *arg, struct str path, const struct json *from, const struct json *to)
{
    struct buf *out = arg;
    buf_fmt(out, "%.*s:%.*s>%.*s\n", STR_FMT(path), STR_FMT(from ? from->raw : STR("")),
            STR_FMT(to ? to->raw : STR("")));
}

static const struct {
    const char *from, *to, *want;
} rows[] = {
    {"1", "1", ""},
    {"1", "2", ":1>2\n"},
    {"{\"a\":1}", "{\"a\":1}", ""},
    {"{\"a\":1}", "{\"a\":2}", "a:1>2\n"},
    {"{\"a\":1}", "{\"b\":1}", "a:1>\nb:>1\n"},
    {"{\"a\":{\"b\":{\"c\":1}}}", "{\"a\":{\"b\":{\"c\":\"1\"}}}", "a.b.c:1>\"1\"\n"},
    {"{\"a\":{}}", "{\"a\":[]}", "a:{}>[]\n"},
    {"{\"a\":[1,2]}", "{\"a\":[2,3]}", "a:1>\na:>3\n"},
    {"{\"a\":[1,2]}", "{\"a\":[2,1]}", "a:[1,2]>[2,1]\n"}, /* order is a difference, once */
    {"{\"a\":[1,1]}", "{\"a\":[1]}", "a:[1,1]>[1]\n"},
    {"{\"s\":[{\"name\":\"x\",\"n\":1},{\"name\":\"y\",\"n\":1}]}",
     "{\"s\":[{\"name\":\"y\",\"n\":2},{\"name\":\"z\",\"n\":1}]}",
     "s[x]:{\"name\":\"x\",\"n\":1}>\ns[y].n:1>2\ns[z]:>{\"name\":\"z\",\"n\":1}\n"},
    {"[{\"name\":\"x\",\"n\":1}]", "[{\"name\":\"x\",\"n\":2}]", "[x].n:1>2\n"},
    {"{\"s\":[{\"name\":7}]}", "{\"s\":[{\"name\":8}]}", "s:{\"name\":7}>\ns:>{\"name\":8}\n"},
    {"{\"a\":null}", "{}", "a:null>\n"},
};

static void compares(void **state)
{
    (void)state;
    struct arena a;
    struct buf out;
    arena_init(&a, 1u << 20);
    buf_init(&out, 1u << 16);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct json *from, *to;
        struct err err = ERR_INIT;
        buf_clear(&out);
        assert_int_equal(
            json_parse(&a, str_of(rows[i].from), &JSON_LIMITS_DEFAULT, &from, NULL, &err), 0);
        assert_int_equal(json_parse(&a, str_of(rows[i].to), &JSON_LIMITS_DEFAULT, &to, NULL, &err),
                         0);
        int n = compare_json(from, to, put, &out), lines = 0;
        for (size_t k = 0; k < out.len; k++)
            lines += out.ptr[k] == '\n';
        assert_row(str_is(buf_str(&out), rows[i].want) && n == lines, i, "%.*s",
                   STR_FMT(buf_str(&out)));
    }
    buf_release(&out);
    arena_release(&a);
}

/* ---- upgrade ------------------------------------------------------------------------------------
 */

#define SERVER                                                                              \
    "server:\n  name: s\n  command: [/bin/s]\n  tools: {look: {class: read}, pay: {class: " \
    "write}}\n---\n"
#define MODEL                                                                         \
    "model: {name: m, url: \"https://x/v1\", model: y}\n---\nmodel: {name: m2, url: " \
    "\"https://x/v1\", model: y}\n---\n"
#define AGENT                                                                                     \
    "workflow:\n  name: w\n  tenant: t\n  agent: {model: m, system: be good}\n  tools: [s/look, " \
    "s/pay]\n"
#define MODELS(list) \
    "workflow: {name: w, tenant: t, worker: {program: /bin/w, models: [" list "]}}\n"
#define PROGRAM                                                                            \
    "workflow:\n  name: w\n  tenant: t\n  worker: {program: /bin/w, args: [a]}\n  tools: " \
    "[s/look]\n"

static struct version *version_from(const char *yaml)
{
    struct diags diags;
    struct house *house = NULL;
    struct version *v = NULL;
    struct digest d;
    struct buf text;
    struct err err = ERR_INIT;
    const struct house_text file = {STR("w.yaml"), str_of(yaml)};
    diags_init(&diags);
    buf_init(&text, 1u << 20);
    int e = house_parse(&file, 1, STR("/etc"), NULL, &diags, &house, &err);
    if (e < 0)
        diags_put(&diags, &text);
    if (e < 0)
        print_error("%s\n%.*s", err.text, STR_FMT(buf_str(&text)));
    assert_int_equal(e, 0);
    assert_int_equal(version_put(house, &house->workflows[0], &text, &d, &err), 0);
    assert_int_equal(version_parse(buf_str(&text), &v, &err), 0);
    buf_release(&text);
    house_unref(house);
    diags_release(&diags);
    return v;
}

#define T "tenant: {name: t}\n---\n"

static const struct {
    const char *from, *to, *steps, *want; /* steps: "kind:key,..."; want: a part; "": goes on */
} changes[] = {
    {T MODEL SERVER AGENT, T MODEL SERVER AGENT, "model:m,tool:s/look", ""},
    {T MODEL SERVER AGENT, T MODEL SERVER AGENT "  limits: {wall_time: 2m}\n",
     "model:m,tool:s/look", ""},
    {T MODEL SERVER AGENT,
     T MODEL "workflow: {name: w, tenant: t, agent: {model: m, system: be good}}\n", "", ""},
    {T MODEL SERVER AGENT,
     T MODEL "workflow: {name: w, tenant: t, agent: {model: m, system: be good}}\n", "tool:s/pay",
     "step 1 called s/pay, which is not offered any more"},
    {T MODEL SERVER AGENT,
     T MODEL "workflow: {name: w, tenant: t, agent: {model: m, system: be good}}\n", "model:m",
     "offered in one version only"},
    {T MODEL SERVER AGENT, T MODEL SERVER AGENT, "tool:s/none", ""}, /* was denied, and will be */
    {T MODEL SERVER AGENT,
     T MODEL SERVER "workflow:\n  name: w\n  tenant: t\n  agent: {model: m2, system: be good}\n  "
                    "tools: [s/look, s/pay]\n",
     "named:x,model:m", "step 2 asked the model m, which is now m2"},
    {T MODEL SERVER AGENT,
     T MODEL SERVER "workflow:\n  name: w\n  tenant: t\n  agent: {model: m, system: be bad}\n  "
                    "tools: [s/look, s/pay]\n",
     "model:m", "agent.system changed"},
    {T MODEL SERVER AGENT,
     T MODEL SERVER "workflow:\n  name: w\n  tenant: t\n  agent: {model: m, system: be bad}\n  "
                    "tools: [s/look, s/pay]\n",
     "tool:s/look", ""}, /* the model was not asked yet */
    {T MODEL SERVER AGENT, T SERVER PROGRAM, "tool:s/look", "its worker was the agent loop"},
    {T SERVER PROGRAM, T SERVER PROGRAM "  emits: [e]\n", "named:x,tool:s/look", ""},
    {T SERVER PROGRAM "  emits: [e.*]\n", T SERVER PROGRAM, "event-emit:e.x",
     "e.x, which is not under emits"},
    {T SERVER PROGRAM, T SERVER "workflow: {name: w, tenant: t, worker: {program: /bin/v}}\n",
     "named:x", "its program is /bin/w, now /bin/v"},
    {T SERVER PROGRAM, T SERVER "workflow: {name: w, tenant: t, worker: {program: /bin/w}}\n",
     "named:x", "arguments or environment changed"},
    {T MODEL MODELS("m, m2"), T MODEL MODELS("m"), "model:m", ""},
    {T MODEL MODELS("m, m2"), T MODEL MODELS("m"), "named:x,model:m2",
     "step 2 asked the model m2, which is not under worker.models any more; the first is m"},
    {T MODEL MODELS("m, m2"), T MODEL MODELS("m2, m"), "model:m2", ""},
    {T MODEL MODELS("m, m2"), T MODEL MODELS("m2, m"), "model:m",
     "step 1 asked the model m, the first of worker.models, which is now m2"},
    {T MODEL MODELS("m"), T MODEL "workflow: {name: w, tenant: t, worker: {program: /bin/w}}\n",
     "model:m", "any more; the first is none"},
    {T MODEL MODELS("m"), T MODEL MODELS("m"), "model:m2", ""}, /* was denied, and will be */
    {T SERVER PROGRAM, T SERVER PROGRAM "  limits: {steps: 2}\n", "named:x,named:y",
     "limits.steps is now 2"},
};

static void upgrades(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct version *from = version_from(changes[i].from), *to = version_from(changes[i].to);
        struct upgrade_step steps[8];
        struct str rest = str_of(changes[i].steps), one;
        struct buf why;
        size_t n = 0;
        buf_init(&why, 1u << 16);
        while (str_split(&rest, ',', &one)) {
            struct str kind;
            (void)str_split(&one, ':', &kind);
            steps[n] = (struct upgrade_step){(int64_t)n + 1, kind, one, STR("committed")};
            n++;
        }
        upgrade_why(from, to, steps, n, &why);
        struct str got = buf_str(&why);
        bool good = changes[i].want[0] ? memmem(got.ptr ? got.ptr : "", got.len, changes[i].want,
                                                strlen(changes[i].want)) != NULL
                                       : got.len == 0;
        assert_row(good, i, "%.*s", STR_FMT(got));
        buf_release(&why);
        version_free(from);
        version_free(to);
    }
}

/* A run with more faults than a person reads says a few of them. */
static void reasons_are_few(void **state)
{
    (void)state;
    struct version *from = version_from(
                       T SERVER PROGRAM
                       "  children: [w2]\n"
                       "---\nworkflow: {name: w2, tenant: t, worker: {program: /bin/w}}\n"),
                   *to = version_from(T SERVER PROGRAM);
    struct upgrade_step steps[100];
    char keys[100][16];
    struct buf why;
    size_t lines = 1;
    buf_init(&why, 1u << 16);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "c%zu", i);
        steps[i] =
            (struct upgrade_step){(int64_t)i, STR("child"), str_of(keys[i]), STR("committed")};
    }
    upgrade_why(from, to, steps, ARRAY_LEN(steps), &why);
    for (size_t i = 0; i < why.len; i++)
        lines += why.ptr[i] == '\n';
    assert_in_range(lines, 2, 8);
    buf_release(&why);
    version_free(from);
    version_free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(upgrades),
        cmocka_unit_test(reasons_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
