/*
 * schema.c: arguments against a schema: what fits, what does not and how that reads, and what is
 * refused.
 */
#include "tests/lib/cm.h"

#include "policy/schema.h"

struct fixture {
    struct arena arena;
    struct buf problems;
    struct schema_result result;
    struct err err;
};

static int run(struct fixture *f, const char *schema, const char *value)
{
    const struct json *s = NULL, *v = NULL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    arena_reset(&f->arena);
    buf_clear(&f->problems);
    f->err = ERR_INIT;
    assert_int_equal(json_parse(&f->arena, str_of(schema), &limits, &s, NULL, &f->err), 0);
    assert_int_equal(json_parse(&f->arena, str_of(value), &limits, &v, NULL, &f->err), 0);
    int rc = schema_check(s, v, "arguments", &f->problems, &f->result, &f->err);
    if (rc == 0) /* what can be checked is usable */
        assert_int_equal(schema_is_usable(s, &f->err), 0);
    return rc;
}

struct row {
    const char *schema, *value;
    const char *problems; /* "" fits */
};

static void check_rows(void **state, const struct row *rows, size_t n)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < n; i++) {
        int rc = run(f, rows[i].schema, rows[i].value);
        assert_row(rc == 0, i, "%s", f->err.text);
        if (!str_is(buf_str(&f->problems), rows[i].problems))
            print_error("%s %s:\n", rows[i].schema, rows[i].value);
        assert_str(buf_str(&f->problems), rows[i].problems);
        assert_row(f->result.fits == (rows[i].problems[0] == '\0'), i, "fits");
    }
}

static void types(void **state)
{
    static const struct row rows[] = {
        {"{}", "null", ""},
        {"true", "[1]", ""},
        {"false", "1", "arguments: must not be there\n"},
        {"{\"type\":\"object\"}", "{}", ""},
        {"{\"type\":\"object\"}", "[]", "arguments: expected an object, got an array\n"},
        {"{\"type\":\"integer\"}", "3", ""},
        {"{\"type\":\"integer\"}", "3.0", ""},
        {"{\"type\":\"integer\"}", "1e3", ""},
        {"{\"type\":\"integer\"}", "3.5", "arguments: expected an integer, got a number\n"},
        {"{\"type\":\"number\"}", "3", ""},
        {"{\"type\":\"number\"}", "\"3\"", "arguments: expected a number, got a string\n"},
        {"{\"type\":[\"string\",\"null\"]}", "null", ""},
        {"{\"type\":[\"string\",\"null\"]}", "true",
         "arguments: expected a string or null, got a boolean\n"},
        {"{\"enum\":[\"a\",1,null]}", "1.0", ""},
        {"{\"enum\":[\"a\",1]}", "\"b\"", "arguments: must be one of \"a\", 1\n"},
        {"{\"const\":{\"a\":[1,2]}}", "{\"a\":[1.0,2]}", ""},
        {"{\"const\":{\"a\":[1,2]}}", "{\"a\":[2,1]}", "arguments: must be {\"a\":[1,2]}\n"},
        {"{\"const\":1}", "true", "arguments: must be 1\n"},
    };
    check_rows(state, rows, ARRAY_LEN(rows));
}

static void objects(void **state)
{
    static const struct row rows[] = {
        {"{\"properties\":{\"amount\":{\"type\":\"number\"}}}", "{\"amount\":\"12\"}",
         "arguments.amount: expected a number, got a string\n"},
        {"{\"required\":[\"a\",\"b\"]}", "{\"b\":1}", "arguments.a: is required, and missing\n"},
        {"{\"required\":[\"a\"]}", "[]", ""},
        {"{\"properties\":{\"amount\":{}},\"additionalProperties\":false}", "{\"amont\":1}",
         "arguments.amont: is not known; did you mean `amount`?\n"},
        {"{\"additionalProperties\":{\"type\":\"string\"}}", "{\"x\":1}",
         "arguments.x: expected a string, got an integer\n"},
        {"{\"properties\":{\"l\":{\"items\":{\"properties\":{\"n\":{\"minimum\":1}}}}}}",
         "{\"l\":[{\"n\":1},{\"n\":0}]}", "arguments.l[1].n: must be at least 1\n"},
        {"{\"patternProperties\":{\"^x-\":{\"type\":\"string\"}},\"additionalProperties\":false}",
         "{\"x-a\":\"s\",\"y\":1}", "arguments.y: is not known\n"},
        {"{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}",
         "arguments: `abc` cannot be a name here\n"},
        {"{\"minProperties\":1}", "{}", "arguments: must have at least 1 members, has 0\n"},
        {"{\"maxProperties\":1}", "{\"a\":1,\"b\":2}",
         "arguments: must have at most 1 members, has 2\n"},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}",
         "arguments.b: is required, and missing\n"},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"c\":1}", ""},
    };
    check_rows(state, rows, ARRAY_LEN(rows));
}

static void numbers(void **state)
{
    static const struct row rows[] = {
        {"{\"minimum\":0.1}", "0.1", ""},
        {"{\"minimum\":9007199254740993}", "9007199254740992",
         "arguments: must be at least 9007199254740993\n"},
        {"{\"exclusiveMinimum\":0}", "0", "arguments: must be more than 0\n"},
        {"{\"minimum\":0,\"exclusiveMinimum\":true}", "0", "arguments: must be more than 0\n"},
        {"{\"minimum\":0,\"exclusiveMinimum\":false}", "0", ""},
        {"{\"maximum\":5}", "1e400", "arguments: must be at most 5\n"},
        {"{\"exclusiveMaximum\":5}", "5", "arguments: must be less than 5\n"},
        {"{\"multipleOf\":0.01}", "19.99", ""},
        {"{\"multipleOf\":0.01}", "19.995", "arguments: must be a multiple of 0.01\n"},
        {"{\"maximum\":5}", "\"9\"", ""},
    };
    check_rows(state, rows, ARRAY_LEN(rows));
}

static void lists_and_texts(void **state)
{
    static const struct row rows[] = {
        {"{\"minLength\":2}", "\"\xc3\xa9\"",
         "arguments: must have at least 2 characters, has 1\n"},
        {"{\"maxLength\":1}", "\"\xc3\xa9\"", ""},
        {"{\"minItems\":1}", "[]", "arguments: must have at least 1 items, has 0\n"},
        {"{\"maxItems\":1}", "[1,2]", "arguments: must have at most 1 items, has 2\n"},
        {"{\"uniqueItems\":true}", "[1,2,1.0]", "arguments: items 0 and 2 are the same\n"},
        {"{\"uniqueItems\":false}", "[1,1]", ""},
        {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1]",
         "arguments[1]: must not be there\n"},
        {"{\"items\":[{\"type\":\"string\"}],\"additionalItems\":{\"type\":\"null\"}}", "[\"a\",1]",
         "arguments[1]: expected null, got an integer\n"},
        {"{\"contains\":{\"const\":7}}", "[1,7]", ""},
        {"{\"contains\":{\"const\":7}}", "[1]", "arguments: no item is what `contains` asks for\n"},
        {"{\"contains\":{\"const\":7},\"minContains\":0}", "[1]", ""},
        {"{\"contains\":{\"const\":7},\"maxContains\":1}", "[7,7]",
         "arguments: must have at most 1 items of the kind that `contains` asks for, has 2\n"},
    };
    check_rows(state, rows, ARRAY_LEN(rows));
}

static void combinations(void **state)
{
    static const struct row rows[] = {
        {"{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", "5", "arguments: must be at most 3\n"},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":1}]}", "0",
         "arguments: fits none of the 2 allowed forms\n"},
        {"{\"oneOf\":[{\"minimum\":1},{\"minimum\":2}]}", "5",
         "arguments: fits 2 of the forms of which exactly one must fit\n"},
        {"{\"oneOf\":[{\"minimum\":1},{\"minimum\":2}]}", "1", ""},
        {"{\"not\":{\"type\":\"string\"}}", "\"x\"", "arguments: has a form that is ruled out\n"},
        {"{\"if\":{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"k\"]},\"then\":{"
         "\"required\":[\"a\"]},"
         "\"else\":{\"required\":[\"b\"]}}",
         "{\"k\":1}", "arguments.a: is required, and missing\n"},
        {"{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"type\":\"null\"}}}", "1",
         "arguments: expected null, got an integer\n"},
        {"{\"properties\":{\"x\":{\"$ref\":\"#/definitions/a~1b\"}},\"definitions\":{\"a/"
         "b\":{\"minimum\":3}}}",
         "{\"x\":2}", "arguments.x: must be at least 3\n"},
        {"{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"required\":[\"v\"]}",
         "{\"v\":1,\"next\":{\"next\":{\"v\":1}}}", "arguments.next.v: is required, and missing\n"},
        {"{\"x-own\":{\"type\":5},\"title\":7}", "1", ""},
    };
    check_rows(state, rows, ARRAY_LEN(rows));
}

/* What is not checked is said, never silently passed. */
static void says_what_is_unchecked(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "{\"properties\":{\"a\":{\"pattern\":\"^x$\"}}}", "{\"a\":\"y\"}"), 0);
    assert_true(f->result.fits && f->result.unchecked);
    assert_string_equal(f->result.unchecked_word, "pattern");
    assert_int_equal(run(f, "{\"patternProperties\":{\"a.*b\":{}},\"additionalProperties\":false}",
                         "{\"ab\":1}"),
                     0);
    assert_true(f->result.fits && f->result.unchecked);
    assert_int_equal(run(f, "{\"title\":\"t\",\"type\":\"object\"}", "{}"), 0);
    assert_false(f->result.unchecked);
}

static void many_problems(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "{\"items\":{\"type\":\"null\"}}",
                         "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]"),
                     0);
    assert_int_equal(f->result.problem_count, 20);
    assert_non_null(strstr(buf_str(&f->problems).ptr, "and 4 more\n"));
}

static void refused(void **state)
{
    static const struct {
        const char *schema, *value;
        int rc;
    } rows[] = {
        {"{\"$ref\":\"https://example.com/s\"}", "1", -ENOTSUP},
        {"{\"$ref\":\"#/$defs/none\"}", "1", -ENOTSUP},
        {"{\"$ref\":\"other.json\"}", "1", -ENOTSUP},
        {"{\"$ref\":\"#/type\",\"type\":\"string\"}", "\"a\"", -ENOTSUP},
        {"{\"type\":\"text\"}", "1", -ENOTSUP},
        {"{\"type\":[]}", "1", -ENOTSUP},
        {"{\"properties\":[]}", "{}", -ENOTSUP},
        {"{\"minLength\":-1}", "\"\"", -ENOTSUP},
        {"{\"allOf\":[]}", "1", -ENOTSUP},
        {"{\"anyOf\":[1]}", "1", -ENOTSUP},
        {"[]", "1", -ENOTSUP},
        /* Without end: the same schema for the same value. */
        {"{\"$ref\":\"#\"}", "1", -E2BIG},
        {"{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}", "1", -E2BIG},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc = run(f, rows[i].schema, rows[i].value);
        assert_row(rc == rows[i].rc && f->err.text[0], i, "%s: %d", rows[i].schema, rc);
    }
}

/* 2^40 ways through a schema of 40 lines: the count of visits ends it. */
static void bounded_work(void **state)
{
    struct fixture *f = *state;
    struct buf schema;
    buf_init(&schema, 1 << 16);
    buf_cstr(&schema, "{\"$ref\":\"#/$defs/a0\",\"$defs\":{");
    for (int i = 0; i < 40; i++)
        buf_fmt(&schema,
                "\"a%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/a%d\"},{\"$ref\":\"#/$defs/a%d\"}]},", i,
                i + 1, i + 1);
    buf_cstr(&schema, "\"a40\":false}}");
    buf_char(&schema, '\0');
    assert_int_equal(run(f, schema.ptr, "1"), -E2BIG);
    buf_release(&schema);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    arena_init(&f->arena, 16 << 20);
    buf_init(&f->problems, 1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    buf_release(&f->problems);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),         cmocka_unit_test(objects),
        cmocka_unit_test(numbers),       cmocka_unit_test(lists_and_texts),
        cmocka_unit_test(combinations),  cmocka_unit_test(says_what_is_unchecked),
        cmocka_unit_test(many_problems), cmocka_unit_test(refused),
        cmocka_unit_test(bounded_work),
    };

    return cmocka_run_group_tests_name("policy/schema", tests, set_up, tear_down);
}
