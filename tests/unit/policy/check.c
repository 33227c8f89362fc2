/*
 * check.c: the offline commands on a directory of their own: what they print and how they end.
 */
#include "tests/lib/cm.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/check.h"

static const char yaml[] =
    "tenant: {name: acme}\n---\nteam: {name: ap, tenant: acme}\n---\nteam: {name: leads, tenant: "
    "acme}\n"
    "people: [{user: alice, uid: 7, teams: [leads]}]\n---\n"
    "model: {name: m, url: https://gw/v1, model: x}\n---\n"
    "server: {name: ledger, command: [/bin/x], tools: {pay: {}, look: {class: read}}}\n---\n"
    "workflow: {name: triage, tenant: acme, team: ap, agent: {model: m}, tools: [ledger/*]}\n";

static const char cedar[] =
    "@id(\"look\") permit (principal in Team::\"ap\", action in Action::\"read\", resource);\n"
    "@id(\"ask\") @approvers(\"leads\") permit (principal, action == "
    "Action::\"propose:ledger/pay\", resource)\n"
    "  when { context.input.amount.lessThan(decimal(\"100.0\")) };\n"
    "@id(\"paid\") permit (principal, action == Action::\"call:ledger/pay\", resource)\n"
    "  when { context has approval && context.approval.by.contains(User::\"alice\") };\n"
    "@id(\"hide\") @mask(\"input.iban\") permit (principal, action in Action::\"oblige\", "
    "resource);\n"
    "@id(\"start\") permit (principal == Source::\"webhook/erp\", action == Action::\"start\", "
    "resource);\n"
    "@id(\"approve\") permit (principal in Team::\"leads\", action == Action::\"approve\", "
    "resource);\n";

struct fixture {
    char dir[40];
    struct check_options o;
    struct buf out;
    struct err err;
};

static void put_file(struct fixture *f, const char *name, const char *text)
{
    char path[100];
    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    chmod(path, 0644);
}

static bool has(struct fixture *f, const char *text)
{
    return memmem(f->out.ptr, f->out.len, text, strlen(text)) != NULL;
}

static void assert_has(struct fixture *f, const char *text)
{
    if (!has(f, text))
        print_error("no \"%s\" in:\n%.*s\n", text, STR_FMT(buf_str(&f->out)));
    assert_true(has(f, text));
}

static void fresh(struct fixture *f, bool json)
{
    f->o.json = json;
    buf_clear(&f->out);
    f->err = ERR_INIT;
}

static void directory(void **state)
{
    struct fixture *f = *state;
    fresh(f, false);
    assert_int_equal(check_dir(&f->o, &f->out, &f->err), 0);
    assert_has(f, "1 workflow, 1 server, 1 model, 6 policies: ok, digest ");
    fresh(f, true);
    assert_int_equal(check_dir(&f->o, &f->out, &f->err), 0);
    assert_has(f, "{\"ok\":true,\"digest\":\"");
    put_file(f, "bad.yaml", "team: {name: x}\n---\nwat: 1\n");
    put_file(f, "bad.cedar", "permit (principal);\n");
    fresh(f, false);
    assert_int_equal(check_dir(&f->o, &f->out, &f->err), 1);
    assert_has(f, "bad.cedar:1:18: error");
    assert_has(f, "bad.yaml:1:1: error: a team needs `tenant`");
    assert_has(f, "bad.yaml:3:1: error");
    assert_has(f, "3 errors");
    fresh(f, true);
    assert_int_equal(check_dir(&f->o, &f->out, &f->err), 1);
    assert_has(f, "{\"ok\":false,\"error\":");
    assert_has(f, "\"line\":3");
    put_file(f, "bad.yaml", "");
    put_file(f, "bad.cedar", "");
    fresh(f, false);
    f->o.dir = "/nonexistent";
    assert_int_equal(check_dir(&f->o, &f->out, &f->err), 2);
    assert_non_null(strstr(f->err.text, "/nonexistent"));
    f->o.dir = f->dir;
}

static void eval(void **state)
{
    struct fixture *f = *state;
    struct str facts = STR(
        "{\"ask\":\"call\",\"workflow\":{\"name\":\"triage\",\"team\":\"ap\",\"tenant\":\"acme\"},"
        "\"tool\":{\"server\":\"ledger\",\"name\":\"pay\"},\"input\":{\"amount\":5.5,\"iban\":"
        "\"SECRET\"}}");
    fresh(f, false);
    assert_int_equal(check_eval(&f->o, facts, &f->out, &f->err), 0);
    assert_has(f, "gate: permitted by policy \"ask\"\n");
    fresh(f, true);
    assert_int_equal(check_eval(&f->o, facts, &f->out, &f->err), 0);
    assert_has(f, "\"verdict\":\"gate\"");
    assert_has(f, "\"approvers\":[[\"leads\"]]");
    assert_has(f, "\"masks\":[\"input.iban\"]");
    assert_has(f, "\"explanation\":{");
    assert_false(has(f, "SECRET"));
    fresh(f, false);
    assert_int_equal(check_eval(&f->o, STR("{\"ask\":\"call\"}"), &f->out, &f->err), 2);
    assert_non_null(strstr(f->err.text, "workflow"));
    fresh(f, false);
    assert_int_equal(check_eval(&f->o, STR("{\"ask\":\"emit\",\"workflow\":{\"name\":\"w\"}}"),
                                &f->out, &f->err),
                     0);
    assert_has(f, "deny: no policy permits emit\n");
}

static const char cases[] =
    "- name: looking is free\n"
    "  workflow: triage\n"
    "  tool: ledger/look\n"
    "  expect: allow\n"
    "  policies: [look]\n"
    "- name: paying needs a person\n"
    "  workflow: triage\n"
    "  tool: ledger/pay\n"
    "  now: 2026-11-23T10:00:00Z\n"
    "  input: {amount: 99.99}\n"
    "  expect: gate\n"
    "- {name: \"much\", workflow: triage, tool: ledger/pay, input: {amount: 100.0}, expect: deny, "
    "policies: []}\n"
    "- name: approved\n"
    "  workflow: triage\n"
    "  tool: ledger/pay\n"
    "  input: {amount: 1.0}\n"
    "  approval: {by: [alice], at: 5}\n"
    "  expect: run\n"
    "- {ask: start, workflow: triage, source: webhook/erp, expect: allow}\n"
    "- {ask: approve, workflow: triage, tool: ledger/pay, user: alice, expect: allow}\n"
    "- {ask: approve, workflow: triage, tool: ledger/pay, user: eve, expect: deny}\n";

static void tests(void **state)
{
    struct fixture *f = *state;
    fresh(f, false);
    assert_int_equal(check_cases(&f->o, STR("cases.yaml"), str_of(cases), &f->out, &f->err), 0);
    assert_has(f, "1..7\nok 1 - looking is free\n");
    assert_has(f, "ok 7 - (no name)\n");
    assert_false(has(f, "not ok"));
    fresh(f, true);
    assert_int_equal(check_cases(&f->o, STR("cases.yaml"), str_of(cases), &f->out, &f->err), 0);
    assert_has(f, "\"verdict\":\"gate\"");
    fresh(f, false);
    assert_int_equal(
        check_cases(
            &f->o, STR("c"),
            STR("- {name: x, workflow: triage, tool: ledger/look, expect: deny}\n"
                "- {workflow: triage, tool: ledger/look, expect: run, policies: [other]}\n"),
            &f->out, &f->err),
        1);
    assert_has(f, "not ok 1 - x\n# expected deny, got run: permitted by policy \"look\"\n");
    assert_has(f, "not ok 2");
    fresh(f, false);
    assert_int_equal(
        check_cases(&f->o, STR("c.yaml"),
                    STR("- {workflow: triag, tool: ledgr/x, expect: run}\n- 5\n- {wrong: 1}\n"
                        "- {workflow: triage, tool: ledger/pay, expect: maybe}\n"),
                    &f->out, &f->err),
        1);
    assert_has(f, "c.yaml:1:14: error: there is no workflow `triag`");
    assert_has(f, "c.yaml:1:27: error: there is no server for `ledgr/x`");
    assert_has(f, "not ok 4 - the case is at fault");
    assert_has(f, "c.yaml:2:3: error: a case is no mapping");
    assert_has(f, "c.yaml:3:3: error: the case needs `expect`");
    assert_has(f, "c.yaml:4:48: error: `expect` cannot be this");
}

static void convert(void **state)
{
    struct fixture *f = *state;
    struct buf json;
    fresh(f, false);
    assert_int_equal(check_convert(STR("a.cedar"), str_of(cedar), true, &f->out, &f->err), 0);
    assert_has(f, "{\"staticPolicies\":{\"look\":{");
    buf_init(&json, 1 << 20);
    buf_str_put(&json, buf_str(&f->out));
    fresh(f, false);
    assert_int_equal(check_convert(STR("a.json"), buf_str(&json), false, &f->out, &f->err), 0);
    assert_has(f, "@id(\"hide\")");
    /* There and back again: the same JSON. */
    struct buf text, again;
    buf_init(&text, 1 << 20);
    buf_init(&again, 1 << 20);
    buf_str_put(&text, buf_str(&f->out));
    assert_int_equal(check_convert(STR("b.cedar"), buf_str(&text), true, &again, &f->err), 0);
    assert_true(str_eq(buf_str(&again), buf_str(&json)));
    buf_release(&again);
    buf_release(&text);
    buf_release(&json);
    fresh(f, false);
    assert_int_equal(check_convert(STR("a.cedar"), STR("permit;"), true, &f->out, &f->err), 1);
    assert_has(f, "a.cedar:1:7: error");
    fresh(f, false);
    assert_int_equal(check_convert(STR("a.json"), STR("{\"effect\":1}"), false, &f->out, &f->err),
                     1);
    assert_has(f, "a.json: ");
}

static void schema(void **state)
{
    struct fixture *f = *state;
    struct arena a;
    const struct json *v = NULL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    arena_init(&a, 1 << 20);
    assert_int_equal(json_parse(&a,
                                STR("{\"tools\":[{\"name\":\"pay\",\"inputSchema\":{\"type\":"
                                    "\"object\",\"required\":[\"amount\"],"
                                    "\"properties\":{\"amount\":{\"type\":\"number\"},\"to\":{"
                                    "\"type\":[\"string\",\"null\"]},"
                                    "\"n "
                                    "o\":{\"type\":\"integer\"},\"any\":{},\"tags\":{\"type\":"
                                    "\"array\",\"items\":{\"type\":\"string\"}},"
                                    "\"l\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
                                    "\"properties\":{\"x\":{\"type\":\"boolean\"}}}}}}},"
                                    "{\"name\":\"look\"}]}"),
                                &limits, &v, NULL, &f->err),
                     0);
    fresh(f, false);
    assert_int_equal(check_schema(STR("ledger"), v, &f->out, &f->err), 0);
    assert_has(f, "type Input0 = { amount: decimal, to?: String, \"n o\"?: Long, tags?: "
                  "Set<String>, l?: Set<{ x?: Bool }> };");
    assert_has(f, "action \"call:ledger/pay\" in [\"call\", \"call:ledger\"]");
    assert_has(f, "type Input1 = {};");
    assert_int_equal(
        json_parse(&a, STR("{\"tools\":[{\"name\":\"x\\\" y\"}]}"), &limits, &v, NULL, &f->err), 0);
    assert_int_equal(check_schema(STR("ledger"), v, &f->out, &f->err), 2);
    assert_int_equal(check_schema(STR("Led ger"), v, &f->out, &f->err), 2);
    arena_release(&a);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/reeve-check-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    chmod(f->dir, 0755);
    put_file(f, "a.yaml", yaml);
    put_file(f, "a.cedar", cedar);
    f->o = (struct check_options){.dir = f->dir, .house = {.owner = getuid()}};
    buf_init(&f->out, 16 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"a.yaml", "a.cedar", "bad.yaml", "bad.cedar"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[100];
        snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
        unlink(path);
    }
    rmdir(f->dir);
    buf_release(&f->out);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(directory), cmocka_unit_test(eval),   cmocka_unit_test(tests),
        cmocka_unit_test(convert),   cmocka_unit_test(schema),
    };

    return cmocka_run_group_tests_name("policy/check", all, set_up, tear_down);
}
