/*
 * policy.c: policy/ with allocation N failing: -ENOMEM each time, nothing lost, nothing allowed,
 * until it passes untouched.
 */
#include "tests/lib/cm.h"

#include "policy/ask.h"
#include "policy/version.h"
#include "tests/lib/oom.h"

static const char yaml[] =
    "tenant: {name: acme, attributes: {a: b}}\n---\nteam: {name: ap, tenant: acme}\n---\n"
    "people: [{user: al, uid: 7, teams: [ap]}]\n---\n"
    "model: {name: m, url: https://gw/v1, model: \"${x:-y}\"}\n---\n"
    "server: {name: s, command: [\"${dir}/x\"], tools: {pay: {}}}\n---\n"
    "workflow: {name: w, tenant: acme, team: ap, agent: {model: m}, tools: [s/*]}\n";
static const char faulty[] = "workflow: {nam: x, name: y}\n---\nteam: {name: a, tenant: b}\n";
/* Without conditions: the parser does without the memory for a hint that nobody needs, and goes on.
 */
static const char plain[] =
    "@id(\"p\") @approvers(\"ap\") permit (principal in Team::\"ap\", action == "
    "Action::\"propose:s/pay\", resource);\n";
static const char cedar[] = "@id(\"p\") @approvers(\"ap\") permit (principal in Team::\"ap\", "
                            "action == Action::\"propose:s/pay\", resource)\n"
                            "  when { context.input.amount.lessThan(decimal(\"9.0\")) };\n"
                            "@id(\"m\") @mask(\"input.iban\") permit (principal, action in "
                            "Action::\"oblige\", resource);\n";

static int parse(const char *policies, const char *text, struct house **ret)
{
    const struct house_text texts[] = {{STR("a.cedar"), str_of(policies)},
                                       {STR("a.yaml"), str_of(text)}};
    struct err err = ERR_INIT;
    struct diags d;
    diags_init(&d);
    int rc = house_parse(texts, ARRAY_LEN(texts), STR("/d"), NULL, &d, ret, &err);
    assert_int_equal(err.number, -rc);
    diags_release(&d);
    return rc;
}

static int pass_house(void *ctx)
{
    struct house *h = NULL;
    (void)ctx;
    int rc = parse(plain, yaml, &h);
    assert_true((h != NULL) == (rc == 0));
    house_unref(h);
    return rc;
}

/* Memory that runs out is never taken for files without faults, nor for a fault of the files. */
static int pass_faulty(void *ctx)
{
    struct house *h = NULL;
    (void)ctx;
    int rc = parse(plain, faulty, &h);
    assert_null(h);
    return rc == -EINVAL ? 0 : rc;
}

static int pass_version(void *ctx)
{
    const struct house *h = ctx;
    struct version *v = NULL;
    struct digest d;
    struct buf out;
    buf_init(&out, 1 << 20);
    int rc = version_put(h, &h->workflows[0], &out, &d, NULL);
    if (rc == 0)
        rc = version_parse(buf_str(&out), &v, NULL);
    version_free(v);
    buf_release(&out);
    return rc;
}

static int pass_texts(void *ctx)
{
    struct house *again = NULL;
    struct diags d;
    struct buf out;
    diags_init(&d);
    buf_init(&out, 1 << 20);
    int rc = house_put_texts(ctx, &out, NULL);
    if (rc == 0)
        rc = house_parse_texts(buf_str(&out), &d, &again, NULL);
    house_unref(again);
    diags_release(&d);
    buf_release(&out);
    return rc;
}

static const char facts_text[] = "{\"ask\":\"call\",\"workflow\":{\"name\":\"w\",\"team\":\"ap\","
                                 "\"tenant\":\"acme\",\"attributes\":{\"a\":\"1\"}},"
                                 "\"tool\":{\"server\":\"s\",\"name\":\"pay\",\"types\":{"
                                 "\"properties\":{\"amount\":{\"type\":\"number\"}}}},"
                                 "\"history\":{\"n\":1},\"labels\":[\"l\"],\"input\":{\"amount\":5,"
                                 "\"iban\":\"x\",\"l\":[1,{\"a\":2.5}]}}";

static int pass_ask(void *ctx)
{
    struct arena a;
    struct facts f;
    struct ask_tool t;
    arena_init(&a, 16 << 20);
    int rc = facts_parse(str_of(facts_text), &a, &f, NULL);
    if (rc == 0) {
        rc = ask_tool(ctx, &f, &a, &t, NULL);
        assert_true(rc == 0 ? t.verdict == ASK_GATE : t.verdict == ASK_DENY && t.mask_all);
    }
    arena_release(&a);
    return rc;
}

static const struct {
    const char *name;
    int (*pass)(void *ctx);
    size_t least;
} passes[] = {
    {"house_parse", pass_house, 10}, {"house_parse, faulty", pass_faulty, 10},
    {"version", pass_version, 10},   {"house_parse_texts", pass_texts, 10},
    {"ask_tool", pass_ask, 10},
};

static void fails_cleanly(void **state)
{
    struct house *simple = NULL, *whole = NULL;
    (void)state;
    assert_int_equal(parse(plain, yaml, &simple), 0);
    assert_int_equal(parse(cedar, yaml, &whole), 0);
    for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
        bool asks = passes[i].pass == pass_ask;
        print_message("# %s\n", passes[i].name);
        size_t n = oom_walk(passes[i].pass, asks ? whole : simple);
        print_message("# %s: %zu allocations\n", passes[i].name, n);
        assert_row(n >= passes[i].least, i, "%s: only %zu", passes[i].name, n);
    }
    house_unref(simple);
    house_unref(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fails_cleanly)};

    return cmocka_run_group_tests_name("fault/policy", tests, NULL, NULL);
}
