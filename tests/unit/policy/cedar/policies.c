/*
 * policies.c: sets of policies: diagnostics as tests/golden/cedar/diag shows them, ids, templates,
 * links, limits.
 */
#include "tests/lib/cm.h"

#include <dirent.h>

#include "policy/cedar/est.h"
#include "tests/lib/cedar_lab.h"

static void again(const struct cedar_load *how)
{
    cedar_lab_release(&lab);
    cedar_lab_init(&lab, how);
}

/* ---- golden ---- */

static struct str slurp(const char *path)
{
    FILE *in = fopen(path, "r");
    char *text = arena_alloc(&lab.arena, 1 << 20);
    size_t len = in && text ? fread(text, 1, 1 << 20, in) : 0;

    if (in)
        fclose(in);
    return (struct str){text, len};
}

static void golden_one(const char *name)
{
    char path[400];
    struct str text, want;
    const char *got;

    again(NULL);
    snprintf(path, sizeof(path), "tests/golden/cedar/diag/%s", name);
    text = slurp(path);
    assert_int_equal(cedar_policies_add_text(lab.set, str_of(name), text, &lab.diags), 0);
    assert_int_equal(cedar_policies_seal(lab.set, &lab.diags), 0);
    got = cedar_lab_diags(&lab);
    snprintf(path, sizeof(path), "tests/golden/cedar/diag/%s.want", name);
    if (getenv("REEVE_GOLDEN_WRITE")) {
        FILE *out = fopen(path, "w");

        fputs(got, out);
        fclose(out);
    }
    want = slurp(path);
    if (!str_is(want, got))
        print_error("%s: got\n%s", name, got);
    assert_true(str_is(want, got));
}

static void golden(void **state)
{
    DIR *d = opendir("tests/golden/cedar/diag");
    size_t n = 0;

    (void)state;
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        if (str_ends(str_of(e->d_name), STR(".cedar"))) {
            golden_one(e->d_name);
            n++;
        }
    closedir(d);
    assert_true(n >= 10);
}

/* ---- ids ---- */

static void ids(void **state)
{
    const struct cedar_policy *p;

    (void)state;
    assert_true(
        cedar_lab_add(&lab, "permit(principal,action,resource);permit(principal,action,resource);\n"
                            "\n  @id(\"x\") @note forbid(principal,action,resource);"));
    assert_int_equal(cedar_policies_seal(lab.set, &lab.diags), 0);
    assert_int_equal(cedar_policies_count(lab.set), 3);
    assert_str(cedar_policies_at(lab.set, 0)->id, "a.cedar:1");
    assert_str(cedar_policies_at(lab.set, 1)->id, "a.cedar:1:35");
    p = cedar_policies_find(lab.set, STR("x"));
    assert_non_null(p);
    assert_int_equal(p->line, 3);
    assert_int_equal(p->column, 3);
    assert_str(*cedar_policy_annotation(p, "id"), "x");
    assert_str(*cedar_policy_annotation(p, "note"), "");
    assert_null(cedar_policy_annotation(p, "nope"));
    assert_null(cedar_policies_at(lab.set, 3));
    assert_null(cedar_policies_find(lab.set, STR("y")));
    assert_false(diags_has_errors(&lab.diags));
}

static void ids_across_files(void **state)
{
    static const char text[] = "@id(\"same\") permit(principal,action,resource);";

    (void)state;
    assert_int_equal(cedar_policies_add_text(lab.set, STR("a.cedar"), str_of(text), &lab.diags), 0);
    assert_int_equal(cedar_policies_add_text(lab.set, STR("b.cedar"), str_of(text), &lab.diags), 0);
    assert_int_equal(cedar_policies_seal(lab.set, &lab.diags), 0);
    assert_int_equal(lab.diags.errors, 1);
    assert_non_null(strstr(cedar_lab_diags(&lab), "b.cedar:1:5"));
    assert_non_null(strstr(cedar_lab_diags(&lab), "a.cedar:1:5: note: the earlier"));
}

static void ids_in_order(void **state)
{
    (void)state;
    again(&(struct cedar_load){.ids = CEDAR_IDS_ORDER});
    assert_true(cedar_lab_add(&lab, "@id(\"x\")permit(principal,action,resource);"
                                    "@id(\"x\")forbid(principal,action,resource);"));
    assert_string_equal(cedar_lab_decide(&lab), "deny: policy1");
}

/* ---- templates ---- */

static void templates(void **state)
{
    struct cedar_uid alice = cedar_uid_borrow(STR("User"), STR("alice"));
    struct cedar_uid doc = cedar_uid_borrow(STR("Doc"), STR("d"));
    struct err err = ERR_INIT;
    struct buf out;

    (void)state;
    again(&(struct cedar_load){.templates = true});
    assert_true(cedar_lab_add(&lab,
                              "@id(\"t\") permit(principal == ?principal, action, resource);\n"
                              "@id(\"p\") permit(principal, action, resource == Doc::\"z\");"));
    assert_int_equal(cedar_policies_link(lab.set, STR("p"), STR("l"), &alice, NULL, &err), -ENOENT);
    assert_int_equal(cedar_policies_link(lab.set, STR("t"), STR("l"), NULL, NULL, &err), -EINVAL);
    assert_int_equal(cedar_policies_link(lab.set, STR("t"), STR("l"), &alice, &doc, &err), -EINVAL);
    assert_int_equal(cedar_policies_link(lab.set, STR("t"), STR("p"), &alice, NULL, &err), -EEXIST);
    assert_int_equal(cedar_policies_link(lab.set, STR("t"), STR("l"), &alice, NULL, &err), 0);
    assert_string_equal(cedar_lab_decide(&lab), "allow: l");
    buf_init(&out, 1000);
    cedar_policy_put(&out, cedar_policies_find(lab.set, STR("l")));
    assert_str(buf_str(&out),
               "@id(\"t\")\npermit (principal == User::\"alice\", action, resource);\n");
    buf_release(&out);
    assert_true(cedar_policies_find(lab.set, STR("l"))->linked_from ==
                cedar_policies_find(lab.set, STR("t")));
}

static void template_alone(void **state)
{
    static const char two[] = "permit(principal==?principal,action,resource);"
                              "permit(principal,action,resource);";
    static const char *const bad[] = {"permit(principal,action,resource);", "", two};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        again(&(struct cedar_load){.templates = true});
        assert_int_equal(cedar_policies_add_template(lab.set, STR("t"), str_of(bad[i]), &lab.diags),
                         0);
        assert_row(lab.diags.errors == 1, i, "%s", bad[i]);
    }
}

/* ---- JSON ---- */

static void json_sets(void **state)
{
    static const char text[] =
        "{'staticPolicies':{'s':{'effect':'forbid','principal':{'op':'All'},'action':{'op':'==',"
        "'entity':{'type':'Action','id':'x'}},'resource':{'op':'All'},'conditions':[]}},"
        "'templates':{'t':{'effect':'permit','principal':{'op':'==','slot':'?principal'},"
        "'action':{'op':'All'},'resource':{'op':'All'},'conditions':[{'kind':'when',"
        "'body':{'<':{'left':{'Value':1},'right':{'Value':2}}}}],'annotations':{'a':null}}},"
        "'templateLinks':[{'templateId':'t','newId':'l','values':{'?principal':"
        "{'type':'User','id':'alice'}}}]}";
    const struct json *j = cedar_lab_json(&lab, text);

    (void)state;
    assert_int_equal(cedar_policies_add_json(lab.set, STR(""), j, &lab.err),
                     -EINVAL); /* templates */
    again(&(struct cedar_load){.templates = true});
    j = cedar_lab_json(&lab, text);
    assert_int_equal(cedar_policies_add_json(lab.set, STR(""), j, &lab.err), 0);
    assert_string_equal(cedar_lab_decide(&lab), "allow: l");
    assert_int_equal(cedar_policies_find(lab.set, STR("s"))->line, 0);
}

static void json_faults(void **state)
{
    static const struct {
        const char *json, *says;
    } rows[] = {
        {"[]", "expected an object"},
        {"{'effect':'permit'}", "\"principal\" must be an object"},
        {"{'effect':'allow','principal':{'op':'All'},'action':{'op':'All'},'resource':{'op':'All'},"
         "'conditions':[]}",
         "\"effect\" must be"},
        {"{'effect':'permit','principal':{'op':'All'},'action':{'op':'All'},'resource':{'op':'All'}"
         ","
         "'conditions':[{'kind':'when','body':{'==':{'left':{'Value':1.5},'right':{'Value':1}}}}]}",
         "conditions: [0]: body: ==: left: Value: 1.5 is no Cedar value"},
        {"{'effect':'permit','principal':{'op':'All'},'action':{'op':'All'},'resource':{'op':'All'}"
         ","
         "'conditions':[{'kind':'when','body':{'&&':{'left':{'Value':true}}}}]}",
         "\"left\" and \"right\" must both be there"},
        {"{'effect':'permit','principal':{'op':'All'},'action':{'op':'All'},'resource':{'op':'All'}"
         ","
         "'conditions':[{'kind':'when','body':{'like':{'left':{'Value':'a'},'pattern':['Star']}}}]"
         "}",
         "pattern: [0]: expected \"Wildcard\""},
        {"{'effect':'permit','principal':{'op':'All'},'action':{'op':'in','entities':[{'type':"
         "'User','id':'x'}]},'resource':{'op':'All'},'conditions':[]}",
         "User is no type of actions"},
        {"{'effect':'permit','principal':{'op':'All'},'action':{'op':'All'},'resource':{'op':'All'}"
         ","
         "'conditions':[],'conditionz':[]}",
         "no member \"conditionz\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct json *j = cedar_lab_json(&lab, rows[i].json);

        assert_non_null(j);
        assert_int_equal(cedar_policies_add_json(lab.set, STR("p"), j, &lab.err), -EINVAL);
        assert_row(strstr(lab.err.text, rows[i].says), i, "%s", lab.err.text);
    }
}

/* A long chain is one node here but deep in JSON: refused, not cut. */
static void json_depth(void **state)
{
    struct buf text, json;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&json, 1 << 20);
    buf_cstr(&text, "permit(principal,action,resource) when { true");
    for (int i = 0; i < 500; i++)
        buf_cstr(&text, " && true");
    buf_cstr(&text, " };");
    assert_int_equal(cedar_policies_add_text(lab.set, STR("a"), buf_str(&text), &lab.diags), 0);
    assert_int_equal(lab.diags.errors, 0);
    assert_int_equal(cedar_policy_put_json(&json, cedar_policies_at(lab.set, 0), &err), -E2BIG);
    assert_int_equal(json.len, 0);
    assert_string_equal(cedar_lab_decide(&lab), "allow: a:1");
    buf_release(&text);
    buf_release(&json);
}

/* ---- bad input ---- */

static void nesting(void **state)
{
    static const struct {
        const char *open, *middle, *close;
    } rows[] = {{"(", "true", ")"},          {"[", "1", "]"},
                {"{a:", "1", "}"},           {"if true then ", "1", " else 1"},
                {"!(", "true", ")"},         {"ip(", "\"\"", ")"},
                {"[1].contains(", "1", ")"}, {"principal in [", "principal", "]"}};
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int n = 20; n <= 20000; n *= 1000) {
            again(NULL);
            buf_clear(&text);
            buf_cstr(&text, "permit(principal,action,resource) when { ");
            for (int k = 0; k < n; k++)
                buf_cstr(&text, rows[i].open);
            buf_cstr(&text, rows[i].middle);
            for (int k = 0; k < n; k++)
                buf_cstr(&text, rows[i].close);
            buf_cstr(&text, " };");
            assert_int_equal(cedar_policies_add_text(lab.set, STR("a"), buf_str(&text), &lab.diags),
                             0);
            assert_row(lab.diags.errors == (n > 100 ? 1 : 0), i, "%d: %s", n,
                       cedar_lab_diags(&lab));
            assert_row(n <= 100 || strstr(cedar_lab_diags(&lab), "nested over 100 levels"), i, "%s",
                       cedar_lab_diags(&lab));
        }
    buf_release(&text);
}

/* Chains are no nesting. */
static void long_chains(void **state)
{
    static const char *const rows[][2] = {{"true", " && true"}, {"true", " || true"},
                                          {"1 == 0", " + 0"},   {"1 == 1", " * 1"},
                                          {"[1", ", 1"},        {"\"\" == \"\"", ""}};
    struct buf text;

    (void)state;
    buf_init(&text, 4 << 20);
    for (size_t i = 0; i < 4; i++) {
        again(NULL);
        buf_clear(&text);
        buf_cstr(&text, "permit(principal,action,resource) when { ");
        buf_cstr(&text, rows[i][0]);
        for (int k = 0; k < 50000; k++)
            buf_cstr(&text, rows[i][1]);
        buf_cstr(&text, " };");
        assert_int_equal(cedar_policies_add_text(lab.set, STR("a"), buf_str(&text), &lab.diags), 0);
        assert_row(lab.diags.errors == 0, i, "%s", cedar_lab_diags(&lab));
        assert_string_equal(cedar_lab_decide(&lab), i == 2 ? "deny:" : "allow: a:1");
    }
    buf_release(&text);
}

static void ten_megabytes(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 64u << 20);
    for (int i = 0; text.len < 10000000; i++)
        buf_fmt(&text,
                "@id(\"p%d\") permit(principal == User::\"u%d\", action, resource) when { "
                "context.a.b == \"some text to make it longer\" && context.list.contains(%d) };\n",
                i, i, i);
    assert_int_equal(cedar_policies_add_text(lab.set, STR("a"), buf_str(&text), &lab.diags), 0);
    assert_int_equal(lab.diags.errors, 0);
    assert_string_equal(cedar_lab_decide(&lab), "deny:");
    assert_true(cedar_policies_count(lab.set) > 60000);
    again(NULL);
    while (text.len <= CEDAR_TEXT_MAX)
        buf_cstr(&text, "// more\n");
    assert_int_equal(cedar_policies_add_text(lab.set, STR("a"), buf_str(&text), &lab.diags), 0);
    assert_int_equal(lab.diags.errors, 1);
    assert_non_null(strstr(cedar_lab_diags(&lab), "the policies are over 16 MiB"));
    buf_release(&text);
}

static void too_many(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, CEDAR_TEXT_MAX);
    for (int i = 0; i <= CEDAR_POLICIES_MAX; i++)
        buf_cstr(&text, "permit(principal,action,resource);\n");
    assert_int_equal(cedar_policies_add_text(lab.set, STR("a"), buf_str(&text), &lab.diags), 0);
    assert_int_equal(lab.diags.errors, 1);
    assert_non_null(strstr(cedar_lab_diags(&lab), "more than 100000 policies"));
    buf_release(&text);
}

/* Text that needs far more memory than its size. */
static void dense(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, CEDAR_TEXT_MAX);
    buf_cstr(&text, "permit(principal,action,resource) when { [");
    while (text.len < CEDAR_TEXT_MAX - 100)
        buf_cstr(&text, "[],[],[],[],[],[],[],[],[],[],[],[],");
    buf_cstr(&text, "] == [] };");
    assert_int_equal(cedar_policies_add_text(lab.set, STR("a"), buf_str(&text), &lab.diags), 0);
    assert_int_equal(lab.diags.errors, 1);
    assert_non_null(strstr(cedar_lab_diags(&lab), "MiB of memory"));
    buf_release(&text);
}

static void many_faults(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_false(cedar_lab_add(&lab, "permit(principal,action,resource) when { };"));
    assert_int_equal(lab.diags.errors, 1000);
    assert_true(lab.diags.count <= DIAGS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CEDAR_TEST(golden),       CEDAR_TEST(ids),         CEDAR_TEST(ids_across_files),
        CEDAR_TEST(ids_in_order), CEDAR_TEST(templates),   CEDAR_TEST(template_alone),
        CEDAR_TEST(json_sets),    CEDAR_TEST(json_faults), CEDAR_TEST(json_depth),
        CEDAR_TEST(nesting),      CEDAR_TEST(long_chains), CEDAR_TEST(ten_megabytes),
        CEDAR_TEST(too_many),     CEDAR_TEST(dense),       CEDAR_TEST(many_faults),
    };

    return cmocka_run_group_tests_name("policy/cedar/policies", tests, NULL, NULL);
}
