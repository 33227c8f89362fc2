/*
 * cedar.c: policy/cedar with allocation N failing: -ENOMEM each time, nothing lost, never another
 * decision, until it passes untouched.
 */
#include "tests/lib/cm.h"

#include "policy/cedar/cedar.h"
#include "tests/lib/oom.h"

static const char text[] =
    "@id(\"a\") @note(\"x\") permit (principal in G::\"g\", action in [Action::\"x\", "
    "Action::\"y\"],\n"
    "resource is R) when { [1, context.n].contains(3) && {a: \"\\n\"} == {a: context.s} &&\n"
    "context.s like \"a*\\u{41}\" && ip(\"10.0.0.0/8\").isInRange(ip(\"10.0.0.0/8\")) };\n"
    "@id(\"t\") forbid (principal == ?principal, action, resource) when { context.nope };\n"
    "@id(\"b\") permit (principal, action, resource) unless { context.n + 1 - 2 > 7 };\n"
    "forbid (principal, action, resource) when { ) };\n"
    "@id(\"b\") forbid (principal, action, resource);\n";

static const struct str entities =
    STR("[{\"uid\":{\"type\":\"U\",\"id\":\"u\"},\"attrs\":{\"a\":[1,{\"__entity\":{\"type\":\"U\","
        "\"id\":\"v\"}}]},\"parents\":[{\"type\":\"G\",\"id\":\"h\"}],\"tags\":{\"t\":{\"__extn\":"
        "{\"fn\":\"ip\",\"arg\":\"::1\"}}}},{\"uid\":{\"type\":\"G\",\"id\":\"h\"},\"attrs\":{},"
        "\"parents\":[{\"type\":\"G\",\"id\":\"g\"}]}]");

static int step(int rc)
{
    assert_true(rc == 0 || rc == -ENOMEM);
    return rc;
}

/* diags keeps its failure instead of returning it. */
static int pass_load(void *ctx)
{
    struct cedar_policies *set = cedar_policies_new(&(struct cedar_load){.templates = ctx != NULL});
    struct cedar_uid uid = cedar_uid_borrow(STR("U"), STR("u"));
    struct diags diags;
    struct err err = ERR_INIT;
    struct buf out;
    int rc = set ? 0 : -ENOMEM;

    diags_init(&diags);
    buf_init(&out, 1 << 16);
    if (rc == 0)
        rc = step(cedar_policies_add_text(set, STR("f"), str_of(text), &diags));
    if (rc == 0)
        rc = step(cedar_policies_link(set, STR("t"), STR("l"), &uid, NULL, &err));
    if (rc == 0)
        rc = step(cedar_policies_seal(set, &diags));
    if (rc == 0)
        rc = diags.failed ? -ENOMEM : 0;
    for (size_t i = 0; rc == 0 && i < cedar_policies_count(set); i++) {
        cedar_policy_put(&out, cedar_policies_at(set, i));
        rc = step(cedar_policy_put_json(&out, cedar_policies_at(set, i), &err));
        if (rc == 0)
            rc = buf_status(&out);
    }
    if (rc == 0)
        assert_int_equal(diags.errors, 2);
    cedar_policies_free(set);
    diags_release(&diags);
    buf_release(&out);
    return rc;
}

static int pass_json(void *ctx)
{
    static const struct str policy =
        STR("{\"effect\":\"permit\",\"principal\":{\"op\":\"is\",\"entity_type\":\"U\",\"in\":{"
            "\"entity\":{\"type\":\"G\",\"id\":\"g\"}}},\"action\":{\"op\":\"in\",\"entities\":[]},"
            "\"resource\":{\"op\":\"All\"},\"conditions\":[{\"kind\":\"when\",\"body\":{\"&&\":{"
            "\"left\":{\"like\":{\"left\":{\"Value\":\"a\"},\"pattern\":[\"Wildcard\",{\"Literal\":"
            "\"x\"}]}},\"right\":{\"has\":{\"left\":{\"Record\":{\"b\":{\"Value\":[1]},\"a\":{"
            "\"Value\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"1\"}}}}},\"attr\":[\"a\",\"b\"]}}}}}],"
            "\"annotations\":{\"n\":null}}");
    struct cedar_policies *set = cedar_policies_new(&(struct cedar_load){0});
    const struct json *j;
    struct arena arena;
    int rc = set ? 0 : -ENOMEM;

    (void)ctx;
    arena_init(&arena, 1 << 20);
    if (rc == 0)
        rc = step(json_parse(&arena, policy, &JSON_LIMITS_DEFAULT, &j, NULL, NULL));
    if (rc == 0)
        rc = step(cedar_policies_add_json(set, STR("p"), j, NULL));
    cedar_policies_free(set);
    arena_release(&arena);
    return rc;
}

static int pass_entities(void *ctx)
{
    struct cedar_entities *e = cedar_entities_new(1 << 20, NULL);
    const struct json *j;
    struct arena arena;
    struct buf out;
    struct jout w;
    int rc = e ? 0 : -ENOMEM;

    (void)ctx;
    arena_init(&arena, 1 << 20);
    buf_init(&out, 1 << 16);
    if (rc == 0)
        rc = step(json_parse(&arena, entities, &JSON_LIMITS_DEFAULT, &j, NULL, NULL));
    if (rc == 0)
        rc = step(cedar_entities_from_json(e, j, NULL));
    if (rc == 0)
        rc = step(cedar_entities_seal(e, NULL));
    if (rc == 0) {
        jout_begin(&w, &out);
        cedar_entities_to_json(e, &w);
        rc = step(jout_end(&w));
    }
    cedar_entities_free(e);
    arena_release(&arena);
    buf_release(&out);
    return rc;
}

struct loaded {
    struct cedar_policies *set;
    struct cedar_request request;
};

static int pass_decide(void *ctx)
{
    const struct loaded *l = ctx;
    struct cedar_answer answer;
    struct arena arena;
    int rc;

    arena_init(&arena, 1 << 20);
    rc = step(cedar_authorize(l->set, &l->request, NULL, &arena, &answer, NULL));
    if (rc == 0)
        assert_true(answer.allow && answer.error_count == 20 && answer.reasons.count == 20);
    arena_release(&arena);
    return rc;
}

static int pass_explain(void *ctx)
{
    const struct loaded *l = ctx;
    struct arena arena;
    struct buf out;
    int rc;

    arena_init(&arena, 1 << 20);
    buf_init(&out, 1 << 20);
    rc = step(cedar_explain_text(l->set, &l->request, NULL, NULL, &arena, &out, NULL));
    if (rc == 0)
        rc = buf_status(&out);
    arena_release(&arena);
    buf_release(&out);
    return rc;
}

static void loads(void **state)
{
    (void)state;
    assert_true(oom_walk(pass_load, &(int){1}) > 5);
    assert_true(oom_walk(pass_json, NULL) > 3);
}

static void stores(void **state)
{
    (void)state;
    assert_true(oom_walk(pass_entities, NULL) > 5);
}

static void decides(void **state)
{
    struct loaded l = {.request.context = cedar_record_empty()};
    struct diags diags;
    struct buf out;

    (void)state;
    diags_init(&diags);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 20; i++)
        buf_fmt(
            &out,
            "permit(principal,action,resource) when { [principal, \"%d\"].contains(principal) };\n"
            "permit(principal,action,resource) when { context.nope%d };\n",
            i, i);
    l.set = cedar_policies_new(&(struct cedar_load){0});
    l.request.principal = cedar_uid_borrow(STR("U"), STR("u"));
    l.request.action = cedar_uid_borrow(STR("Action"), STR("x"));
    l.request.resource = cedar_uid_borrow(STR("R"), STR("r"));
    assert_int_equal(cedar_policies_add_text(l.set, STR("f"), buf_str(&out), &diags), 0);
    assert_int_equal(cedar_policies_seal(l.set, &diags), 0);
    assert_true(oom_walk(pass_decide, &l) >= 1);
    assert_true(oom_walk(pass_explain, &l) > 3);
    cedar_policies_free(l.set);
    diags_release(&diags);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads),
        cmocka_unit_test(stores),
        cmocka_unit_test(decides),
    };

    return cmocka_run_group_tests_name("fault/cedar", tests, NULL, NULL);
}
