/*
 * explain.c: which condition failed, with the values that it saw, and none that is masked.
 */
#include "tests/lib/cm.h"

#include "tests/lib/cedar_lab.h"

static bool masks(void *arg, struct str path)
{
    (void)arg;
    return str_is(path, "context.input.iban") || str_is(path, "context.input.lines.price") ||
           str_is(path, "principal.secret");
}

static const char *text(bool masked)
{
    struct cedar_explain how = {.is_masked = masked ? masks : NULL};

    if (!cedar_policies_is_sealed(lab.set))
        assert_int_equal(cedar_policies_seal(lab.set, &lab.diags), 0);
    assert_int_equal(lab.diags.errors, 0);
    buf_clear(&lab.out);
    assert_int_equal(
        cedar_explain_text(lab.set, &lab.request, lab.world, &how, &lab.arena, &lab.out, &lab.err),
        0);
    buf_char(&lab.out, '\0');
    return lab.out.ptr;
}

static void assert_text(const char *got, const char *want)
{
    if (strcmp(got, want) != 0)
        print_error("got:\n%s\nwant:\n%s\n", got, want);
    assert_true(strcmp(got, want) == 0);
}

static void whole(void **state)
{
    (void)state;
    assert_true(cedar_lab_world(&lab, "[{'uid':{'type':'User','id':'alice'},'attrs':{'level':2},"
                                      "'parents':[{'type':'Team','id':'ap'}]}]"));
    assert_true(cedar_lab_add(
        &lab,
        "@id(\"small\") permit (principal in Team::\"ap\", action, resource)\n"
        "when { context.input has po && context.input.amount <= 100 && principal.level > 1 };\n"
        "@id(\"late\") forbid (principal, action, resource)\n"
        "unless { context.hour < 18 || context.input.amount == 0 };\n"
        "@id(\"broken\") forbid (principal, action, resource) when { context.nope == 1 };\n"
        "@id(\"other\") permit (principal == User::\"bob\", action, resource);\n"
        "@id(\"far\") permit (principal == User::\"bob\", action == Action::\"x\", resource);\n"
        "@id(\"yes\") permit (principal, action, resource) when { !(context.hour > 19) };"));
    cedar_lab_request(&lab, "User alice", "Action read", "Doc d",
                      "{'input':{'po':'P','amount':420},'hour':19}");
    assert_text(
        text(false),
        "deny by late\n"
        "permit small (a.cedar:1): unsatisfied\n"
        "  when { context.input has po && context.input.amount <= 100 && principal.level > 1 }\n"
        "    context.input.amount <= 100 is false\n"
        "      context.input.amount is 420\n"
        "forbid late (a.cedar:3): satisfied\n"
        "forbid broken (a.cedar:5): error\n"
        "  a.cedar:5:59: the record has no attribute `nope`\n"
        "  when { context.nope == 1 }\n"
        "    context.nope == 1 fails: a.cedar:5:59: the record has no attribute `nope`\n"
        "      context.nope fails: a.cedar:5:59: the record has no attribute `nope`\n"
        "permit other (a.cedar:6): another principal: wanted principal == User::\"bob\", was "
        "User::\"alice\"\n"
        "permit yes (a.cedar:8): satisfied\n");
}

/* Of an `or` that is false every part is a cause; of one that is true the first. */
static void causes(void **state)
{
    (void)state;
    assert_true(cedar_lab_add(&lab,
                              "@id(\"a\") permit (principal, action, resource)\n"
                              "when { context.a == 1 || context.b == 2 };\n"
                              "@id(\"b\") permit (principal, action, resource)\n"
                              "unless { context.a == 9 || context.b == 8 || context.c == 1 };\n"
                              "@id(\"c\") permit (principal, action, resource)\n"
                              "when { if context.a == 7 then context.b == 2 else true };"));
    cedar_lab_request(&lab, "User a", "Action b", "Doc d", "{'a':7,'b':8,'c':1}");
    assert_text(text(false), "deny: no permit is satisfied\n"
                             "permit a (a.cedar:1): unsatisfied\n"
                             "  when { context.a == 1 || context.b == 2 }\n"
                             "    context.a == 1 is false\n      context.a is 7\n"
                             "    context.b == 2 is false\n      context.b is 8\n"
                             "permit b (a.cedar:3): unsatisfied\n"
                             "  unless { context.a == 9 || context.b == 8 || context.c == 1 }\n"
                             "    context.b == 8 is true\n      context.b is 8\n"
                             "permit c (a.cedar:5): unsatisfied\n"
                             "  when { if context.a == 7 then context.b == 2 else true }\n"
                             "    context.a == 7 is true\n      context.a is 7\n"
                             "    context.b == 2 is false\n      context.b is 8\n");
}

/* Whatever an expression makes of it, a masked value does not show. */
static void masked(void **state)
{
    static const char *const exprs[] = {
        "context.input.iban == \"x\"",
        "context.input.iban like \"y*\"",
        "context.input == {}",
        "context == {}",
        "[context.input.iban] == []",
        "{a: context.input.iban}.a == \"x\"",
        "(if true then context.input else {}).iban == \"x\"",
        "(if context.t then context.input else {}) == {}",
        "{a: context.input}.a.iban == \"x\"",
        "context.input.lines == []",
        "context.input.lines.contains({})",
        "principal.secret == \"x\"",
        "principal.secret + 1 == 2",
        "decimal(context.input.iban) == 1",
        "principal == context.input.iban",
        "principal.hasTag(context.input.iban)",
        "{b: {c: context.input}} == {}",
        "[context.input] == [1]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(exprs); i++) {
        struct buf policy;
        const char *got;

        cedar_lab_release(&lab);
        cedar_lab_init(&lab, NULL);
        assert_true(cedar_lab_world(&lab, "[{'uid':{'type':'User','id':'alice'},'attrs':{'secret':"
                                          "'HUSH','open':1},'parents':[]}]"));
        cedar_lab_request(
            &lab, "User alice", "Action b", "Doc d",
            "{'t':true,'input':{'iban':'HUSH','po':'SEEN','lines':[{'price':'HUSH'}]}}");
        buf_init(&policy, 1 << 16);
        buf_fmt(&policy, "permit(principal,action,resource) when { %s };", exprs[i]);
        buf_char(&policy, '\0');
        assert_true(cedar_lab_add(&lab, policy.ptr));
        buf_release(&policy);
        got = text(true);
        assert_row(!strstr(got, "HUSH"), i, "%s", got);
        if (i == 2)
            assert_row(strstr(got, "SEEN") && strstr(got, "***"), i, "%s", got);
        got = text(false);
        assert_row(strstr(got, "HUSH") || i == 3, i, "the mask was what hid it: %s", got);
    }
}

static void depth_and_odd_bytes(void **state)
{
    struct cedar_value v = cedar_long(1);

    (void)state;
    for (int i = 0; i < 60; i++) {
        struct cedar_rec r;

        cedar_rec_begin(&r, &lab.arena);
        cedar_rec_add(&r, STR("a"), v);
        assert_int_equal(cedar_rec_end(&r, &v, NULL), 0);
    }
    assert_true(cedar_lab_add(&lab, "permit(principal,action,resource) when { context.a == 1 };"));
    lab.request.context = v;
    lab.request.principal = cedar_uid_borrow(STR("User"), STR("\x1b[2J\n"));
    assert_non_null(strstr(text(false), "nested too deeply to show"));
    assert_null(strchr(text(false), 0x1b));
}

static void near_ones_are_bounded(void **state)
{
    struct buf policy;

    (void)state;
    buf_init(&policy, 1 << 20);
    for (int i = 0; i < 500; i++)
        buf_fmt(&policy, "permit(principal == User::\"u%d\",action,resource);\n", i);
    buf_char(&policy, '\0');
    assert_true(cedar_lab_add(&lab, policy.ptr));
    assert_true(strlen(text(false)) < 4000);
    buf_release(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CEDAR_TEST(whole),
        CEDAR_TEST(causes),
        CEDAR_TEST(masked),
        CEDAR_TEST(depth_and_odd_bytes),
        CEDAR_TEST(near_ones_are_bounded),
    };

    return cmocka_run_group_tests_name("policy/cedar/explain", tests, NULL, NULL);
}
