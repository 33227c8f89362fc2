/*
 * cjson.c: what strangers send becomes values exactly, or is refused; what operators write may use
 * escapes.
 */
#include "tests/lib/cm.h"

#include "tests/lib/cedar_lab.h"

/* The value as Cedar text, or "error: ...". */
static const char *read_as(const struct cedar_json_rules *rules, const char *json)
{
    const struct json *j = cedar_lab_json(&lab, json);
    struct cedar_value v;

    buf_clear(&lab.out);
    if (!j || cedar_value_from_json(&lab.arena, j, rules, &v, &lab.err) < 0)
        buf_fmt(&lab.out, "error: %s", lab.err.text);
    else
        cedar_value_put(&lab.out, &v);
    buf_char(&lab.out, '\0');
    return lab.out.ptr;
}

static void facts(void **state)
{
    static const struct {
        const char *json, *want;
    } rows[] = {
        {"{'a':1,'b':null,'c':[true,'x']}", "{a: 1, c: [true, \"x\"]}"},
        {"{'z':1,'a':{'y':null}}", "{a: {}, z: 1}"},
        {"2.5", "decimal(\"2.5\")"},
        {"-0", "0"},
        {"-0.0", "decimal(\"0.0\")"},
        {"9223372036854775807", "9223372036854775807"},
        {"922337203685477.5807", "decimal(\"922337203685477.5807\")"},
        {"1.10000", "decimal(\"1.1\")"},
        /* A caller cannot name an entity or make an extension value. */
        {"{'__entity':{'type':'User','id':'root'}}", "{__entity: {id: \"root\", type: \"User\"}}"},
        {"{'__extn':{'fn':'ip','arg':'10.0.0.1'}}", "{__extn: {arg: \"10.0.0.1\", fn: \"ip\"}}"},
        {"{'a':[null]}", "error: a: [0]: null is no Cedar value"},
        {"{'lines':[{'n':1},{'n':2.00001}]}",
         "error: lines: [1]: n: 2.00001 has more than 4 decimal places"},
        {"1e400", "error: 1e400 is no 64-bit integer (and an exponent is not read)"},
        {"1e2", "error: 1e2 is no 64-bit integer (and an exponent is not read)"},
        {"1.5e2", "error: 1.5e2 is no decimal (digits, at most 4 of them behind the point)"},
        {"9223372036854775808",
         "error: 9223372036854775808 is no 64-bit integer (and an exponent is not read)"},
        {"922337203685477.5808", "error: 922337203685477.5808 is too large for a decimal"},
        {"null", "error: null is no Cedar value"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = read_as(&CEDAR_JSON_FACTS, rows[i].json);

        assert_row(strcmp(got, rows[i].want) == 0, i, "%s", got);
    }
    assert_null(cedar_lab_json(&lab, "{'a':1,'a':2}")); /* a key twice: not even JSON here */
}

static void operators_files(void **state)
{
    static const struct {
        const char *json, *want;
    } rows[] = {
        {"{'__entity':{'type':'User','id':'root'}}", "User::\"root\""},
        {"{'__entity':{'type':'User','id':'root','z':1}}", "User::\"root\""},
        {"{'__entity':{'type':'User','id':'root'},'x':1}",
         "{__entity: {id: \"root\", type: \"User\"}, x: 1}"},
        {"{'__entity':{'type':'User'}}", "{__entity: {type: \"User\"}}"},
        {"{'__extn':{'fn':'offset','args':[{'__extn':{'fn':'datetime','arg':'1970-01-01'}},"
         "{'__extn':{'fn':'duration','arg':'1h'}}]}}",
         "datetime(\"1970-01-01T01:00:00.000Z\")"},
        {"{'__extn':{'fn':'ip','arg':'10.0.0.0/8'}}", "ip(\"10.0.0.0/8\")"},
        {"{'__extn':{'fn':'nope','arg':'x'}}",
         "error: __extn: there is no extension function \"nope\""},
        {"{'__extn':{'fn':'ip','args':[]}}", "error: __extn: ip takes 1 argument, not 0"},
        {"{'__extn':{'fn':'ip','arg':1}}", "error: __extn: ip takes a string, not a long"},
        {"1.5", "error: 1.5 is no 64-bit integer"},
        {"-0", "error: -0 is no 64-bit integer"},
        {"{'a':null}", "error: a: null is no Cedar value"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = read_as(&CEDAR_JSON_CEDAR, rows[i].json);

        assert_row(strcmp(got, rows[i].want) == 0, i, "%s", got);
    }
}

/* 500 and 500.5 are of one type where the tool's schema says `number`. */
static void schemas(void **state)
{
    struct cedar_json_rules rules = CEDAR_JSON_FACTS;

    (void)state;
    rules.schema = cedar_lab_json(
        &lab, "{'type':'object','properties':{'amount':{'type':'number'},'n':{'type':'integer'},"
              "'maybe':{'type':['number','null']},"
              "'lines':{'type':'array','items':{'properties':{'p':{'type':'number'}}}}},"
              "'additionalProperties':{'type':'number'}}");
    assert_string_equal(
        read_as(&rules, "{'amount':500,'n':3,'maybe':-1,'lines':[{'p':2,'q':2}],'other':7}"),
        "{amount: decimal(\"500.0\"), lines: [{p: decimal(\"2.0\"), q: 2}], "
        "maybe: decimal(\"-1.0\"), n: 3, other: decimal(\"7.0\")}");
    assert_string_equal(read_as(&rules, "{'amount':922337203685478}"),
                        "error: amount: 922337203685478 is too large for a decimal");
    /* A schema that is nonsense changes nothing. */
    rules.schema = cedar_lab_json(&lab, "[1]");
    assert_string_equal(read_as(&rules, "{'amount':500}"), "{amount: 500}");
}

static void back_to_json(void **state)
{
    static const char text[] = "{'d':{'__extn':{'fn':'duration','arg':'-90000ms'}},"
                               "'e':{'__entity':{'type':'A','id':'x'}},'i':[1,true,'s',{}]}";
    struct cedar_value v, far = cedar_datetime(INT64_MAX);
    struct jout j;
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(
        cedar_value_from_json(&lab.arena, cedar_lab_json(&lab, text), &CEDAR_JSON_CEDAR, &v, NULL),
        0);
    jout_begin(&j, &out);
    cedar_value_to_json(&j, &v);
    assert_int_equal(jout_end(&j), 0);
    assert_str(buf_str(&out), "{\"d\":{\"__extn\":{\"fn\":\"duration\",\"arg\":\"-90000ms\"}},"
                              "\"e\":{\"__entity\":{\"type\":\"A\",\"id\":\"x\"}},"
                              "\"i\":[true,1,\"s\",{}]}");
    /* A datetime that no text gives still comes back as itself. */
    buf_clear(&out);
    jout_begin(&j, &out);
    cedar_value_to_json(&j, &far);
    assert_int_equal(jout_end(&j), 0);
    buf_char(&out, '\0');
    assert_int_equal(cedar_value_from_json(&lab.arena, cedar_lab_json(&lab, out.ptr),
                                           &CEDAR_JSON_CEDAR, &v, NULL),
                     0);
    assert_true(cedar_value_eq(&v, &far));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CEDAR_TEST(facts),
        CEDAR_TEST(operators_files),
        CEDAR_TEST(schemas),
        CEDAR_TEST(back_to_json),
    };

    return cmocka_run_group_tests_name("policy/cedar/cjson", tests, NULL, NULL);
}
