/*
 * entity.c: closure, cycles, layers, limits; entities files.
 */
#include "tests/lib/cm.h"

#include "tests/lib/cedar_lab.h"

static struct cedar_uid uid(const char *id)
{
    return cedar_uid_borrow(STR("G"), str_of(id));
}

static int add(struct cedar_entities *e, const char *id, const char *parent)
{
    struct cedar_uid u = uid(id), p = uid(parent ? parent : "");

    return cedar_entities_add(e, &u, NULL, NULL, &p, parent ? 1 : 0, &lab.err);
}

static bool below(const struct cedar_entities *e, const char *id, const char *of)
{
    struct cedar_uid u = uid(id), o = uid(of);

    return cedar_entity_is_in(cedar_entities_find(e, &u), &o);
}

static void closure(void **state)
{
    struct cedar_entities *e = cedar_entities_new(1 << 20, NULL);
    struct cedar_uid diamond[] = {uid("b"), uid("c"), uid("b")}, a = uid("a"),
                     nobody = uid("nobody");

    (void)state;
    /* In an order in which children come before parents. */
    assert_int_equal(cedar_entities_add(e, &a, NULL, NULL, diamond, 3, &lab.err), 0);
    assert_int_equal(add(e, "b", "d"), 0);
    assert_int_equal(add(e, "c", "d"), 0);
    assert_int_equal(add(e, "d", "missing"), 0);
    assert_int_equal(cedar_entities_seal(e, &lab.err), 0);
    assert_true(below(e, "a", "b") && below(e, "a", "d") && below(e, "a", "missing"));
    assert_false(below(e, "d", "a") || below(e, "b", "c") || below(e, "missing", "a"));
    assert_false(below(e, "a", "a")); /* `in` knows this by itself */
    assert_int_equal(cedar_entities_find(e, &a)->ancestor_count, 4);
    assert_int_equal(cedar_entities_find(e, &a)->parent_count, 2);
    assert_int_equal(cedar_entities_count(e), 4);
    assert_null(cedar_entities_find(e, &nobody));
    assert_false(cedar_entity_is_in(NULL, &a));
    cedar_entities_free(e);
}

static void cycles(void **state)
{
    static const char *const rows[][4] = {{"a", "a", NULL, NULL}, {"a", "b", "b", "a"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct cedar_entities *e = cedar_entities_new(1 << 20, NULL);

        assert_int_equal(add(e, rows[i][0], rows[i][1]), 0);
        if (rows[i][2])
            assert_int_equal(add(e, rows[i][2], rows[i][3]), 0);
        assert_int_equal(add(e, "below", "a"), 0);
        assert_int_equal(add(e, "apart", NULL), 0);
        assert_int_equal(cedar_entities_seal(e, &lab.err), -ELOOP);
        assert_non_null(strstr(lab.err.text, "is its own ancestor"));
        assert_null(strstr(lab.err.text, "below"));
        cedar_entities_free(e);
    }
}

/* A chain of 20,000 needs 200 million ancestors: refused by size, without recursion. */
static void long_chain(void **state)
{
    struct cedar_entities *e = cedar_entities_new(32u << 20, NULL);
    char id[16], parent[16];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        snprintf(id, sizeof(id), "%d", i);
        snprintf(parent, sizeof(parent), "%d", i + 1);
        assert_int_equal(add(e, id, parent), 0);
    }
    assert_int_equal(cedar_entities_seal(e, &lab.err), -E2BIG);
    cedar_entities_free(e);
}

static void twice(void **state)
{
    struct cedar_entities *e = cedar_entities_new(1 << 20, NULL);
    struct cedar_value attrs;
    struct cedar_uid a = uid("a");
    struct cedar_rec r;

    (void)state;
    cedar_rec_begin(&r, &lab.arena);
    cedar_rec_add(&r, STR("x"), cedar_long(1));
    assert_int_equal(cedar_rec_end(&r, &attrs, NULL), 0);
    assert_int_equal(cedar_entities_add(e, &a, &attrs, NULL, NULL, 0, &lab.err), 0);
    assert_int_equal(cedar_entities_add(e, &a, &attrs, NULL, NULL, 0, &lab.err), 0);
    assert_int_equal(cedar_entities_add(e, &a, NULL, NULL, NULL, 0, &lab.err), -EEXIST);
    assert_int_equal(cedar_entities_add(e, &a, &attrs, &attrs, NULL, 0, &lab.err), -EEXIST);
    assert_int_equal(cedar_entities_count(e), 1);
    cedar_entities_free(e);
}

/* A small store over a large one: seen from it, changed never. */
static void layers(void **state)
{
    struct cedar_entities *base = cedar_entities_new(1 << 20, NULL), *top;

    (void)state;
    assert_int_equal(add(base, "team", "tenant"), 0);
    assert_int_equal(add(base, "x", "named-only"), 0);
    assert_int_equal(cedar_entities_seal(base, &lab.err), 0);
    top = cedar_entities_new(1 << 20, base);
    assert_int_equal(add(top, "run", "team"), 0);
    assert_int_equal(add(top, "team", NULL), -EEXIST);
    /* Else a base entity's ancestors would change behind its closure. */
    assert_int_equal(add(top, "named-only", "y"), -EEXIST);
    assert_int_equal(cedar_entities_seal(top, &lab.err), 0);
    assert_true(below(top, "run", "team") && below(top, "run", "tenant") &&
                below(top, "team", "tenant"));
    assert_false(below(base, "run", "team"));
    cedar_entities_free(top);
    cedar_entities_free(base);
}

static void files(void **state)
{
    static const struct {
        const char *json, *says;
    } rows[] = {
        {"{}", "a list"},
        {"[1]", "entity [0]: expected an object"},
        {"[{'attrs':{},'parents':[]}]", "uid is missing"},
        {"[{'uid':{'type':'A','id':'1'},'parents':[]}]", "attrs must be an object"},
        {"[{'uid':{'type':'A','id':'1'},'attrs':{}}]", "parents must be a list"},
        {"[{'uid':{'type':'A::','id':'1'},'attrs':{},'parents':[]}]",
         "uid: \"A::\" is no entity type"},
        {"[{'uid':{'type':'A','id':'1'},'attrs':{'a':{'b':[1,null]}},'parents':[]}]",
         "entity [0]: attrs: a: b: [1]: null is no Cedar value"},
        {"[{'uid':{'type':'A','id':'1'},'attrs':{'a':1.5},'parents':[]}]",
         "1.5 is no 64-bit integer"},
        {"[{'uid':{'type':'A','id':'1'},'attrs':{},'parents':['A']}]",
         "parents: [0]: expected an entity"},
        {"[{'uid':{'type':'A','id':'1'},'attrs':{'a':{'__extn':{'fn':'ip','arg':'x'}}},'parents':[]"
         "}]",
         "ip: the text is no IP address"},
        {"[{'uid':{'type':'A','id':'1'},'attrs':{'a':{'__expr':'1'}},'parents':[]}]", "__expr"},
        {"[{'uid':{'type':'A','id':'1'},'attrs':{},'parents':[],'tags':[]}]",
         "tags must be an object"},
        {"[{'uid':{'type':'A','id':'1'},'attrs':{'a':9223372036854775808},'parents':[]}]",
         "no 64-bit integer"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        lab.err = ERR_INIT;
        assert_row(!cedar_lab_world(&lab, rows[i].json), i, "%s", rows[i].json);
        assert_row(strstr(lab.err.text, rows[i].says), i, "%s", lab.err.text);
    }
}

static void files_round_trip(void **state)
{
    static const char text[] =
        "[{'uid':{'type':'A','id':'1'},'attrs':{'d':{'__extn':{'fn':'decimal','arg':'1.5'}},"
        "'e':{'__entity':{'type':'B','id':'x'}},'s':[1,'a']},'parents':[{'type':'B','id':'x'}],"
        "'tags':{'t':true}},{'uid':{'type':'B','id':'x'},'attrs':{},'parents':[]}]";
    struct jout j;
    struct buf out;

    (void)state;
    assert_true(cedar_lab_world(&lab, text));
    buf_init(&out, 4096);
    jout_begin(&j, &out);
    cedar_entities_to_json(lab.world, &j);
    assert_int_equal(jout_end(&j), 0);
    for (size_t i = 0; i < out.len; i++)
        out.ptr[i] = out.ptr[i] == '"' ? '\'' : out.ptr[i];
    assert_str(buf_str(&out), text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CEDAR_TEST(closure), CEDAR_TEST(cycles), CEDAR_TEST(long_chain),       CEDAR_TEST(twice),
        CEDAR_TEST(layers),  CEDAR_TEST(files),  CEDAR_TEST(files_round_trip),
    };

    return cmocka_run_group_tests_name("policy/cedar/entity", tests, NULL, NULL);
}
