/*
 * authorize.c: the traps of Cedar, one test each, the answer and what it carries.
 */
#include "tests/lib/cm.h"

#include "tests/lib/cedar_lab.h"

/* The answer to one expression: "true", "false" or "error". */
static const char *answer(const char *expr)
{
    struct cedar_lab one;
    struct buf text;
    const char *got;

    cedar_lab_init(&one, NULL);
    buf_init(&text, 1 << 16);
    buf_fmt(&text, "@id(\"p\") permit(principal,action,resource) when { %s };", expr);
    buf_char(&text, '\0');
    if (!cedar_lab_add(&one, text.ptr))
        print_error("%s", cedar_lab_diags(&one));
    one.request = lab.request;
    one.world = lab.world;
    got = cedar_lab_decide(&one);
    got = one.answer.error_count ? "error" : one.answer.allow ? "true" : "false";
    one.world = NULL;
    buf_release(&text);
    cedar_lab_release(&one);
    return got;
}

#define ALL "permit(principal,action,resource)"

static void defaults(void **state)
{
    (void)state;
    assert_string_equal(cedar_lab_decide(&lab), "deny:");
    assert_false(lab.answer.allow);
}

static void forbid_wins(void **state)
{
    (void)state;
    assert_true(cedar_lab_add(&lab,
                              "@id(\"p\") " ALL "; @id(\"f\") forbid(principal,action,resource);"
                              "@id(\"q\") " ALL "; @id(\"g\") forbid(principal,action,resource)"
                              "unless { true };"));
    assert_string_equal(cedar_lab_decide(&lab), "deny: f");
    assert_int_equal(lab.answer.permits.count, 2);
    assert_int_equal(lab.answer.forbids.count, 1);
    assert_str(lab.answer.permits.items[1]->id, "q");
}

/* Trap 1: a forbid that errs is skipped, and named; the runtime denies for it. */
static void errors_are_named(void **state)
{
    (void)state;
    assert_true(cedar_lab_add(&lab,
                              "@id(\"p\") " ALL ";\n@id(\"f\") forbid(principal,action,resource)\n"
                              "when { context.secret == 1 ||\n   context.amount > \"x\" };\n"
                              "@id(\"other\") forbid(principal == User::\"bob\",action,resource)"
                              "when { context.nope };"));
    cedar_lab_request(&lab, "User alice", "Action read", "Doc d", "{'secret':'hush','amount':77}");
    assert_string_equal(cedar_lab_decide(&lab), "allow: p; errors: f");
    /* What and where, and nothing out of the context. */
    assert_str(lab.answer.errors[0].text, "a.cedar:4:21: a long was expected here, not a string");
    cedar_lab_request(&lab, "User alice", "Action read", "Doc d", "{'amount':'hush'}");
    assert_string_equal(cedar_lab_decide(&lab), "allow: p; errors: f");
    assert_str(lab.answer.errors[0].text, "a.cedar:3:8: the record has no attribute `secret`");
}

/* No text of an error holds a value that a request brought. */
static void errors_tell_no_values(void **state)
{
    static const char *const exprs[] = {
        "ip(context.s).isIpv4()",
        "decimal(context.s) == 1",
        "datetime(context.s) == 1",
        "duration(context.s) == 1",
        "context.s > 1",
        "context.s.x",
        "context.s && true",
        "principal.getTag(context.s) == 1",
        "context.n * context.n > 0",
        "-(context.s) == 1",
        "context.s in principal",
        "context.s.contains(1)",
        "[context.s].containsAll(1)",
    };

    (void)state;
    assert_true(
        cedar_lab_world(&lab, "[{'uid':{'type':'User','id':'alice'},'attrs':{},'parents':[]}]"));
    for (size_t i = 0; i < ARRAY_LEN(exprs); i++) {
        struct cedar_lab one;
        struct buf text;

        cedar_lab_init(&one, NULL);
        buf_init(&text, 1 << 16);
        buf_fmt(&text, ALL " when { %s };", exprs[i]);
        buf_char(&text, '\0');
        assert_true(cedar_lab_add(&one, text.ptr));
        cedar_lab_request(&one, "User alice", "Action read", "Doc d",
                          "{'s':'HUSHHUSH','n':4242424242424242}");
        one.world = lab.world;
        cedar_lab_decide(&one);
        assert_int_equal(one.answer.error_count, 1);
        assert_row(
            !memmem(one.answer.errors[0].text.ptr, one.answer.errors[0].text.len, "HUSH", 4) &&
                !memmem(one.answer.errors[0].text.ptr, one.answer.errors[0].text.len, "4242", 4),
            i, "%.*s", STR_FMT(one.answer.errors[0].text));
        one.world = NULL;
        cedar_lab_release(&one);
        buf_release(&text);
    }
}

/* Trap 2: groups of actions exist only as entities. */
static void action_groups(void **state)
{
    (void)state;
    assert_true(
        cedar_lab_add(&lab, "@id(\"p\") permit(principal, action in Action::\"call\", resource);"));
    cedar_lab_request(&lab, "User a", "Action call:x", "Doc d", "{}");
    assert_string_equal(cedar_lab_decide(&lab), "deny:");
    assert_true(cedar_lab_world(&lab,
                                "[{'uid':{'type':'Action','id':'call:x'},'attrs':{},'parents':"
                                "[{'type':'Action','id':'call'}]}]"));
    assert_string_equal(cedar_lab_decide(&lab), "allow: p");
    assert_false(cedar_lab_world(&lab, "[{'uid':{'type':'Action','id':'a'},'attrs':{},'parents':"
                                       "[{'type':'User','id':'call'}]}]"));
}

/* Trap 4: int64, checked. */
static void integers(void **state)
{
    (void)state;
    assert_string_equal(answer("-9223372036854775808 < 9223372036854775807"), "true");
    assert_string_equal(answer("9223372036854775807 + 1 > 0"), "error");
    assert_string_equal(answer("-9223372036854775808 - 1 < 0"), "error");
    assert_string_equal(answer("4611686018427387904 * 2 > 0"), "error");
    assert_string_equal(answer("-9223372036854775808 * -1 > 0"), "error");
    assert_string_equal(answer("--9223372036854775808 > 0"), "error");
    cedar_lab_request(&lab, "User a", "Action b", "Doc d",
                      "{'n':9223372036854775807,'m':-9223372036854775808}");
    assert_string_equal(
        answer("context.n == 9223372036854775807 && context.m == -9223372036854775808"), "true");
    assert_string_equal(answer("context.n + context.m == -1"), "true");
}

/* Trap 6: like, canonical sets, == across types. */
static void equality(void **state)
{
    (void)state;
    assert_string_equal(answer("1 == \"1\""), "false");
    assert_string_equal(answer("[] == {}"), "false");
    assert_string_equal(answer("duration(\"1ms\") == 1"), "false");
    assert_string_equal(answer("[1, 2, 2] == [2, 1]"), "true");
    assert_string_equal(answer("{a: [2, 1], b: 1} == {b: 1, a: [1, 2]}"), "true");
    assert_string_equal(answer("User::\"a\" == Doc::\"a\""), "false");
    /* No pattern makes it slow. */
    assert_string_equal(
        answer("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" like "
               "\"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b\""),
        "false");
}

/* Trap 7: what is not reached is not checked. */
static void short_circuit(void **state)
{
    (void)state;
    assert_true(
        cedar_lab_world(&lab, "[{'uid':{'type':'User','id':'alice'},'attrs':{'r':{'n':1},"
                              "'boss':{'__entity':{'type':'User','id':'ghost'}}},'parents':[]}]"));
    assert_string_equal(answer("false && 1"), "false");
    assert_string_equal(answer("true && 1"), "error");
    assert_string_equal(answer("true || 1"), "true");
    assert_string_equal(answer("false || 1"), "error");
    assert_string_equal(answer("1 && false"), "error");
    assert_string_equal(answer("if true then true else 1 + \"x\" == 2"), "true");
    assert_string_equal(answer("principal is Doc in context.nope"), "false");
    assert_string_equal(answer("principal is User in context.nope"), "error");
    assert_string_equal(answer("principal.boss has x"), "false");
    assert_string_equal(answer("principal.boss.x == 1"), "error");
    assert_string_equal(answer("principal has r.n"), "true");
    assert_string_equal(answer("principal has r.m.o"), "false");
    assert_string_equal(answer("principal has r.n.o"), "error");
    assert_string_equal(answer("principal has boss.x"), "false");
    assert_string_equal(answer("principal.boss.hasTag(\"x\")"), "false");
    assert_string_equal(answer("principal.boss.getTag(\"x\") == 1"), "error");
}

/* Trap 8: constructors fail when they are reached, not when the file is loaded. */
static void extension_errors_are_late(void **state)
{
    (void)state;
    assert_string_equal(answer("false && ip(\"nonsense\").isIpv4()"), "false");
    assert_string_equal(answer("true || decimal(\"1.23456\") == decimal(\"1.0\")"), "true");
    assert_string_equal(answer("ip(\"nonsense\").isIpv4()"), "error");
    assert_string_equal(
        answer("if decimal(\"2.0\").lessThan(decimal(\"1.0\")) then datetime(\"x\") "
               "== 1 else true"),
        "true");
}

/* Trap 9: an id is a value; whatever it holds, it is not read. */
static void hostile_ids(void **state)
{
    struct cedar_uid evil =
        cedar_uid_borrow(STR("User"), STR("x\", action, resource); permit(principal"));

    (void)state;
    assert_true(
        cedar_lab_add(&lab, "@id(\"p\") permit(principal == User::\"x\", action, resource);"));
    lab.request.principal = evil;
    assert_string_equal(cedar_lab_decide(&lab), "deny:");
}

static void world_of_chain(struct buf *out, int n)
{
    buf_cstr(out, "[");
    for (int i = 0; i < n; i++)
        buf_fmt(out,
                "%s{'uid':{'type':'G','id':'%d'},'attrs':{},'parents':[{'type':'G','id':'%d'}]}",
                i ? "," : "", i, i + 1);
    buf_cstr(out, "]");
    buf_char(out, '\0');
}

/* The index leaves out nothing and names nobody twice, whatever a policy is filed under. */
static void index_is_sound(void **state)
{
    static const char *const scopes[][2] = {{"principal", "yes"},
                                            {"principal == G::\"0\"", "yes"},
                                            {"principal in G::\"5\"", "yes"},
                                            {"principal is G", "yes"},
                                            {"principal is G in G::\"9\"", "yes"},
                                            {"principal in G::\"0\"", "yes"},
                                            {"principal == G::\"1\"", "no"},
                                            {"principal is H", "no"},
                                            {"principal in G::\"x\"", "no"},
                                            {"principal is H in G::\"5\"", "no"}};
    static const char *const actions[][2] = {
        {"action", "yes"},
        {"action == Action::\"read\"", "yes"},
        {"action in [Action::\"read\", Action::\"any\", Action::\"read\"]", "yes"},
        {"action in [Action::\"no\", Action::\"any\"]", "yes"},
        {"action in Action::\"any\"", "yes"},
        {"action in []", "no"},
        {"action == Action::\"any\"", "no"},
        {"action in [Action::\"x\", Action::\"y\"]", "no"}};
    struct buf text, world;
    unsigned expected = 0, seen = 0;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&world, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
        for (size_t k = 0; k < ARRAY_LEN(actions); k++)
            for (int r = 0; r < 3; r++) {
                bool yes = scopes[i][1][0] == 'y' && actions[k][1][0] == 'y' && r < 2;

                buf_fmt(&text, "@id(\"%s-%zu-%zu-%d\") permit(%s, %s, resource%s);\n",
                        yes ? "yes" : "no", i, k, r, scopes[i][0], actions[k][0],
                        r == 0   ? ""
                        : r == 1 ? " == Doc::\"d\""
                                 : " is Pic");
                expected += yes;
            }
    buf_char(&text, '\0');
    assert_true(cedar_lab_add(&lab, text.ptr));
    world_of_chain(&world, 10);
    world.len -= 2;
    buf_cstr(&world, ",{'uid':{'type':'Action','id':'read'},'attrs':{},'parents':[{'type':'Action',"
                     "'id':'any'}]}]");
    buf_char(&world, '\0');
    assert_true(cedar_lab_world(&lab, world.ptr));
    cedar_lab_request(&lab, "G 0", "Action read", "Doc d", "{}");
    cedar_lab_decide(&lab);
    for (size_t i = 0; i < lab.answer.reasons.count; i++) {
        assert_true(str_starts(lab.answer.reasons.items[i]->id, STR("yes")));
        assert_true(i == 0 ||
                    lab.answer.reasons.items[i - 1]->index < lab.answer.reasons.items[i]->index);
        seen++;
    }
    assert_int_equal(seen, expected);
    buf_release(&text);
    buf_release(&world);
}

/* Nothing is taken but from the arena, and a full arena is a refusal, not a wrong answer. */
static void memory_is_the_arenas(void **state)
{
    struct cedar_answer a;
    struct arena small;
    struct err err = ERR_INIT;
    bool ever = false;

    (void)state;
    assert_true(cedar_lab_add(&lab, "@id(\"p\") " ALL " when { [context.n, 2, 3].contains(1) };"
                                    "@id(\"e\") " ALL " when { context.nope };"));
    cedar_lab_request(&lab, "User a", "Action b", "Doc d", "{'n':1}");
    cedar_lab_decide(&lab);
    for (size_t max = 0; max < 4096; max += 16) {
        int rc;

        arena_init(&small, max);
        rc = cedar_authorize(lab.set, &lab.request, NULL, &small, &a, &err);
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_true(rc == 0 || !ever);
        if (rc == 0) {
            ever = true;
            assert_true(a.allow && a.reasons.count == 1 && a.error_count == 1);
        }
        arena_release(&small);
    }
    assert_true(ever);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CEDAR_TEST(defaults),
        CEDAR_TEST(forbid_wins),
        CEDAR_TEST(errors_are_named),
        CEDAR_TEST(errors_tell_no_values),
        CEDAR_TEST(action_groups),
        CEDAR_TEST(integers),
        CEDAR_TEST(equality),
        CEDAR_TEST(short_circuit),
        CEDAR_TEST(extension_errors_are_late),
        CEDAR_TEST(hostile_ids),
        CEDAR_TEST(index_is_sound),
        CEDAR_TEST(memory_is_the_arenas),
    };

    return cmocka_run_group_tests_name("policy/cedar/authorize", tests, NULL, NULL);
}
