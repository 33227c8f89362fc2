/*
 * json.c: what is JSON (RFC 8259) and what is not, where the fault is, and the tree.
 *
 * The acceptance cases are our own, in the manner of the well-known collections: one line of what
 * is tested each.
 */
#include "tests/lib/cm.h"

#include "policy/text/buf.h"
#include "policy/text/json.h"
#include "tests/lib/guard.h"

static struct guard guard;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    guard_init(&guard, (size_t)24 << 20);
    arena_init(&arena, (size_t)512 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_release(&guard);
    arena_release(&arena);
    return 0;
}

/* Both entrances, on text that ends at the guard page; they must agree. */
static int parse_text(struct str text, const struct json **ret, struct json_where *where,
                      struct err *err)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct json_where checked = {0};
    int r;

    arena_reset(&arena);
    *ret = NULL;
    r = json_parse(&arena, guard_str(&guard, text), &limits, ret, where, err);
    assert_int_equal(json_check(guard_str(&guard, text), &limits, &checked, NULL), r);
    assert_memory_equal(&checked, where, sizeof(checked));
    assert_true((r == 0) == (*ret != NULL));
    return r;
}

static const struct json *must_parse(const char *text)
{
    struct json_where where = {0};
    struct err err = ERR_INIT;
    const struct json *v;

    if (parse_text(str_of(text), &v, &where, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return v;
}

static void takes_what_is_json(void **state)
{
    static const char *const good[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1",
        "1.5",
        "1e5",
        "1E+5",
        "1e-5",
        "-0.0e-0",
        "0e1",
        "1.25E2",
        "\"\"",
        "\"a\"",
        " \"a\" ",
        "\t\r\n[]\t\r\n ",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        "{\"a\":{}}",
        "[1,2,3]",
        "[ 1 , 2 ]",
        "{\"a\":1,\"b\":2}",
        "{ \"a\" : 1 }",
        "{\"\":0}",
        "[null,true,false]",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0000\"",
        "\"\\u00e9\\uFFFF\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uDBFF\\uDFFF\"",
        "\"\x7f\"",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "\"\xef\xbf\xbf\"",
        "\"\xe2\x80\xa8\"",
        "{\"a\":1,\"A\":2}",
        "{\"a\":1,\"\\u0061b\":2}",
        "[\"a\",\"a\"]",
        "[{\"a\":1},{\"a\":1}]",
        "{\"a\":{\"a\":{\"a\":1}}}",
        "123456789012345678901234567890",
        "1e400",
        "-1e-400",
        "0.00000000000000000000000000000000000001",
        "\"12345678\"",
        "\"123456789abcdef0\\n\"",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct json_where where = {0};
        struct err err = ERR_INIT;
        const struct json *v;
        int r = parse_text(str_of(good[i]), &v, &where, &err);
        assert_row(r == 0, i, "%s: %s", good[i], err.text);
    }
}

struct bad {
    const char *text;
    int r;
    unsigned line, column;
};

#define NO (-EBADMSG)
#define U8 (-EILSEQ)

static void refuses_what_is_not(void **state)
{
    static const struct bad rows[] = {
        {"", NO, 1, 1},
        {" ", NO, 1, 2},
        {"nul", NO, 1, 1},
        {"nulll", NO, 1, 5},
        {"True", NO, 1, 1},
        {"NaN", NO, 1, 1},
        {"Infinity", NO, 1, 1},
        {"-Infinity", NO, 1, 2},
        {"undefined", NO, 1, 1},
        {"1 2", NO, 1, 3},
        {"[] []", NO, 1, 4},
        {"{}}", NO, 1, 3},
        {"[]]", NO, 1, 3},
        {"]", NO, 1, 1},
        {"01", NO, 1, 1},
        {"-01", NO, 1, 2},
        {"00", NO, 1, 1},
        {"+1", NO, 1, 1},
        {"-", NO, 1, 2},
        {".5", NO, 1, 1},
        {"1.", NO, 1, 3},
        {"1.e1", NO, 1, 3},
        {"1e", NO, 1, 3},
        {"1e+", NO, 1, 4},
        {"0x1", NO, 1, 2},
        {"1_000", NO, 1, 2},
        {"--1", NO, 1, 2},
        {"1.5.5", NO, 1, 4},
        {"- 1", NO, 1, 2},
        {"[1,]", NO, 1, 4},
        {"[,1]", NO, 1, 2},
        {"[1,,2]", NO, 1, 4},
        {"[1 2]", NO, 1, 4},
        {"[", NO, 1, 2},
        {"[1", NO, 1, 3},
        {"[1,", NO, 1, 4},
        {"[1}", NO, 1, 3},
        {"[\"a\":1]", NO, 1, 5},
        {"[1;2]", NO, 1, 3},
        {"{", NO, 1, 2},
        {"{\"a\"", NO, 1, 5},
        {"{\"a\":", NO, 1, 6},
        {"{\"a\":1", NO, 1, 7},
        {"{\"a\":1,", NO, 1, 8},
        {"{\"a\":1,}", NO, 1, 8},
        {"{,}", NO, 1, 2},
        {"{\"a\" 1}", NO, 1, 6},
        {"{\"a\",1}", NO, 1, 5},
        {"{a:1}", NO, 1, 2},
        {"{1:1}", NO, 1, 2},
        {"{'a':1}", NO, 1, 2},
        {"{\"a\":1]", NO, 1, 7},
        {"{\"a\":}", NO, 1, 6},
        {"{\"a\"::1}", NO, 1, 6},
        {"{[]:1}", NO, 1, 2},
        {"{\"a\":1 \"b\":2}", NO, 1, 8},
        {"{null:1}", NO, 1, 2},
        {"{\"a\":1,2}", NO, 1, 8},
        {"'a'", NO, 1, 1},
        {"\"", NO, 1, 2},
        {"\"a", NO, 1, 3},
        {"\"\\\"", NO, 1, 4},
        {"\"\\", NO, 1, 3},
        {"\"\\x41\"", NO, 1, 2},
        {"\"\\a\"", NO, 1, 2},
        {"\"\\'\"", NO, 1, 2},
        {"\"\\0\"", NO, 1, 2},
        {"\"\\u\"", NO, 1, 2},
        {"\"\\u12\"", NO, 1, 2},
        {"\"\\u12g4\"", NO, 1, 2},
        {"\"\\U0041\"", NO, 1, 2},
        {"\"\\u004", NO, 1, 2},
        {"\"\\u 041\"", NO, 1, 2},
        {"\"\\u+041\"", NO, 1, 2},
        {"\"\\ud800\"", NO, 1, 2},
        {"\"\\udc00\"", NO, 1, 2},
        {"\"\\ud800\\u0041\"", NO, 1, 2},
        {"\"\\ud800\\ud800\"", NO, 1, 2},
        {"\"\\udc00\\ud800\"", NO, 1, 2},
        {"\"\\ud800\\n\"", NO, 1, 2},
        {"\"\\ud800x\"", NO, 1, 2},
        {"\"\\ud800\\u", NO, 1, 2},
        {"\"\\ud800\\udc0\"", NO, 1, 8},
        {"\"a\nb\"", NO, 1, 3},
        {"\"a\tb\"", NO, 1, 3},
        {"\"\x1f\"", NO, 1, 2},
        {"\"\x01\"", NO, 1, 2},
        {"// c\n1", NO, 1, 1},
        {"/* c */ 1", NO, 1, 1},
        {"1 // c", NO, 1, 3},
        {"# c", NO, 1, 1},
        {"\xef\xbb\xbf{}", NO, 1, 1},
        {"\v1", NO, 1, 1},
        {"\f1", NO, 1, 1},
        {"\xc2\xa0"
         "1",
         NO, 1, 1},
        {"[\xe2\x80\x83]", NO, 1, 2},
        {"\xd9\xa1", NO, 1, 1},
        {"[1\xc3\xa9]", NO, 1, 3},
        {"\xff", U8, 1, 1},
        {"\"\xff\"", U8, 1, 2},
        {"\"\xc0\xaf\"", U8, 1, 2},
        {"\"\xed\xa0\x80\"", U8, 1, 2},
        {"\"\xf4\x90\x80\x80\"", U8, 1, 2},
        {"\"\xc3\"", U8, 1, 2},
        {"\"\xe2\x82", U8, 1, 2},
        {"[\xc3]", U8, 1, 2},
        {"{\"\x80\":1}", U8, 1, 3},
        {"\"12345678\xff\"", U8, 1, 10},
        {"[\n  1,\n  x\n]", NO, 3, 3},
        {"{\"\xc3\xa9\xf0\x9f\x98\x80\": x}", NO, 1, 8},
        {"[\r\n1,\r\n]", NO, 3, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json_where where = {0};
        struct err err = ERR_INIT;
        const struct json *v;
        int r = parse_text(str_of(rows[i].text), &v, &where, &err);
        assert_row(r == rows[i].r && err.number == -r, i, "%s: %d %s", rows[i].text, r, err.text);
        assert_row(where.line == rows[i].line && where.column == rows[i].column, i, "%s: %s",
                   rows[i].text, err.text);
    }
}

static void refuses_a_nul(void **state)
{
    static const struct str rows[] = {
        {"\0", 1}, {"1\0", 2}, {"[1]\0", 4}, {"\"a\0b\"", 5}, {"{\"a\0\":1}", 8}, {"[\0]", 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json_where where = {0};
        const struct json *v;
        assert_row(parse_text(rows[i], &v, &where, NULL) == NO, i, "taken");
    }
}

/* Every prefix of good text is bad, and none makes the parser read on. */
static void refuses_every_prefix(void **state)
{
    static const char text[] = "{\"a\":[1,-2.5e+3,\"x\\u00e9\\ud83d\\ude00\xe2\x82\xac\",true,null,"
                               "{\"b\":{}}],\"c\\n\":\"\"}";

    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        struct json_where where = {0};
        const struct json *v;
        int r = parse_text((struct str){text, n}, &v, &where, NULL);
        assert_row(r == NO || r == U8, n, "%d", r);
    }
    (void)must_parse(text);
}

static void says_what_was_expected(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"[1 2]", "expected `,` or `]`, found `2` at line 1 column 4"},
        {"{\"a\":1 2}", "expected `,` or `}`, found `2` at line 1 column 8"},
        {"{a:1}", "expected a name in quotes, found `a` at line 1 column 2"},
        {"[1,", "expected a value, found the end at line 1 column 4"},
        {"\xef\xbb\xbf{}", "expected a value, found a byte order mark at line 1 column 1"},
        {"{\"a\":1,\n\"a\":2}", "duplicate name \"a\" at line 2 column 1"},
        {"{\"a\\u001b[31m\":1,\"a\\u001b[31m\":2}",
         "duplicate name \"a?[31m\" at line 1 column 18"},
        {"[\x01]", "expected a value, found U+0001 at line 1 column 2"},
        {"1 2", "expected nothing more, found `2` at line 1 column 3"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json_where where = {0};
        struct err err = ERR_INIT;
        const struct json *v;
        assert_true(parse_text(str_of(rows[i].text), &v, &where, &err) < 0);
        assert_row(strcmp(err.text, rows[i].want) == 0, i, "%s", err.text);
    }
}

static void refuses_duplicate_names(void **state)
{
    static const struct bad rows[] = {
        {"{\"a\":1,\"a\":1}", 0, 1, 8},
        {"{\"\":1,\"\":1}", 0, 1, 7},
        {"{\"a\":1,\"\\u0061\":1}", 0, 1, 8},
        {"{\"\\n\":1,\"\\u000a\":1}", 0, 1, 9},
        {"{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":1}", 0, 1, 8},
        {"[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]", 0, 1, 20},
        {"{\"a\":{\"b\":1},\"c\":[{\"d\":1}],\"a\":0}", 0, 1, 28},
        {"{\"0\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"5\":0,"
         "\"4\":0}",
         0, 1, 62},
        {"{\"abcdefgh1\":0,\"abcdefgh2\":0,\"abcdefgh1\":0}", 0, 1, 30},
        {"{\"a\":0,\"a\\u0000\":0,\"a\\u0000\":0}", 0, 1, 20},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json_where where = {0};
        struct err err = ERR_INIT;
        const struct json *v;
        assert_row(parse_text(str_of(rows[i].text), &v, &where, &err) == -EEXIST, i, "%s",
                   rows[i].text);
        assert_row(where.line == rows[i].line && where.column == rows[i].column, i, "%s", err.text);
    }
    (void)must_parse("{\"a\":0,\"a\\u0000\":0,\"a\\u0000\\u0000\":0,\"\":0,\"\\u0000\":0}");
    (void)must_parse("{\"abcdefgh\":0,\"abcdefgh1\":0,\"abcdefg\":0,\"abcdefgh2\":0}");
}

/* What a hash table would be attacked with: names that agree in length and in most bytes. A
 * quadratic search would need 10^10 comparisons here. */
static void finds_duplicates_among_many(void **state)
{
    enum { MANY = 100000 };
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct json_where where = {0};
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    buf_char(&b, '{');
    for (unsigned i = 0; i < MANY; i++)
        buf_fmt(&b, "%s\"the same long beginning %08x\":0", i > 0 ? "," : "", i * 2654435761u);
    buf_char(&b, '}');
    assert_int_equal(buf_status(&b), 0);
    assert_int_equal(json_check(buf_str(&b), &limits, &where, NULL), 0);
    b.len--;
    buf_fmt(&b, ",\"the same long beginning %08x\":0}", 77 * 2654435761u);
    assert_int_equal(json_check(buf_str(&b), &limits, &where, NULL), -EEXIST);
    assert_int_equal(where.offset, b.len - 37);
    buf_release(&b);
}

static void keeps_its_limits(void **state)
{
    struct json_limits limits = {.max_bytes = 10, .max_depth = 2, .max_values = 4};
    struct json_where where = {0};
    const struct json *v;
    struct err err;

    (void)state;
    arena_reset(&arena);
    assert_int_equal(json_parse(&arena, STR("[[1,2]]   "), &limits, &v, &where, &err), 0);
    assert_int_equal(json_parse(&arena, STR("[[1,2]]    "), &limits, &v, &where, &err), -E2BIG);
    assert_int_equal(where.offset, 10);
    assert_int_equal(json_parse(&arena, STR("[[[1]]]"), &limits, &v, &where, &err), -E2BIG);
    assert_int_equal(where.column, 3);
    assert_int_equal(json_parse(&arena, STR("[{\"a\":[]}"), &limits, &v, &where, &err), -E2BIG);
    assert_int_equal(json_parse(&arena, STR("[1,2,3]"), &limits, &v, &where, &err), 0);
    assert_int_equal(json_parse(&arena, STR("[1,2,3,4]"), &limits, &v, &where, &err), -E2BIG);
    limits.max_depth = 0;
    assert_int_equal(json_parse(&arena, STR("12"), &limits, &v, &where, &err), 0);
    assert_int_equal(json_parse(&arena, STR("[]"), &limits, &v, &where, &err), -E2BIG);
}

static void stands_deep_nesting(void **state)
{
    enum { DEEP = 100000 };
    struct json_limits limits = {
        .max_bytes = SIZE_MAX, .max_depth = SIZE_MAX, .max_values = SIZE_MAX};
    struct json_where where = {0};
    const struct json *v;
    char *text = malloc(2 * DEEP);

    (void)state;
    assert_non_null(text);
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    assert_int_equal(json_check((struct str){text, DEEP}, &limits, &where, NULL), -E2BIG);
    arena_reset(&arena);
    assert_int_equal(
        json_parse(&arena, (struct str){text + DEEP - 500, 1000}, &limits, &v, NULL, NULL), 0);
    for (size_t depth = 1; depth < 500; depth++) {
        assert_int_equal(v->array.count, 1);
        v = &v->array.items[0];
    }
    assert_int_equal(v->array.count, 0);
    free(text);
}

static void refuses_a_tree_beyond_the_arena(void **state)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct json_where where = {0};
    const struct json *v;
    struct arena small;

    (void)state;
    arena_init(&small, 256);
    assert_int_equal(json_parse(&small, STR("[1,2,3,4,5,6,7,8,9]"), &limits, &v, &where, NULL),
                     -E2BIG);
    assert_int_equal(where.column, 1);
    arena_release(&small);
}

static void builds_the_tree(void **state)
{
    const struct json *v = must_parse(" {\"n\":null,\"t\":true,\"f\":false,\"i\":-"
                                      "9223372036854775808,\"big\":9223372036854775808,"
                                      "\"d\":1.50,\"z\":-0,\"s\":\"a\\u00e9\\\"\\ud83d\\ude00\\/"
                                      "\",\"plain\":\"x\",\"a\":[1,[],{}, \"e\"],"
                                      "\"o\\u0041\":{\"in\":{\"deep\":7}}} ");
    struct str s;
    int64_t i;
    bool b;

    (void)state;
    assert_int_equal(v->object.count, 11);
    assert_true(json_is(json_get(v, "n"), JSON_NULL));
    assert_int_equal(json_want_bool(v, "t", &b, NULL), 0);
    assert_true(b);
    assert_int_equal(json_want_bool(v, "f", &b, NULL), 0);
    assert_false(b);
    assert_int_equal(json_want_i64(v, "i", &i, NULL), 0);
    assert_true(i == INT64_MIN);
    assert_true(json_is(json_get(v, "big"), JSON_NUMBER));
    assert_true(json_is(json_get(v, "d"), JSON_NUMBER));
    assert_str(json_get(v, "d")->raw, "1.50");
    assert_true(json_is(json_get(v, "z"), JSON_NUMBER));
    assert_int_equal(json_want_str(v, "s", &s, NULL), 0);
    assert_str(s, "a\xc3\xa9\"\xf0\x9f\x98\x80/");
    assert_str(json_get(v, "s")->raw, "\"a\\u00e9\\\"\\ud83d\\ude00\\/\"");
    assert_str(json_get(v, "plain")->string, "x");
    v = json_get(v, "a");
    assert_int_equal(v->array.count, 4);
    assert_str(v->raw, "[1,[],{}, \"e\"]");
    assert_int_equal(v->array.items[0].integer, 1);
    assert_int_equal(v->array.items[1].array.count, 0);
    assert_true(json_is(&v->array.items[2], JSON_OBJECT));
    assert_str(v->array.items[3].string, "e");
}

static void parses_scalars_alone(void **state)
{
    (void)state;
    assert_int_equal(must_parse("42")->integer, 42);
    assert_int_equal(must_parse(" -7\n")->integer, -7);
    assert_true(must_parse("true")->boolean);
    assert_true(json_is(must_parse("null"), JSON_NULL));
    assert_str(must_parse(" \"x\" ")->string, "x");
    assert_str(must_parse(" \"x\" ")->raw, "\"x\"");
    assert_str(must_parse("\t1.5 ")->raw, "1.5");
}

static void finds_by_path(void **state)
{
    const struct json *v =
        must_parse("{\"params\":{\"name\":\"x\",\"_meta\":{\"io.reeve/k\":1}},\"a\":[]}");

    (void)state;
    assert_str(json_path(v, "params.name")->string, "x");
    assert_null(json_path(v, "params.none.deeper"));
    assert_null(json_path(v, "a.x"));
    assert_null(json_path(v, "params.name.x"));
    assert_null(json_get(NULL, "x"));
    assert_null(json_path(NULL, "x.y"));
    assert_int_equal(json_get(json_path(v, "params._meta"), "io.reeve/k")->integer, 1);
}

static void wants_members(void **state)
{
    const struct json *v = must_parse("{\"s\":\"x\",\"i\":1,\"n\":null,\"d\":1.5}"), *got;
    struct err err = ERR_INIT;
    struct str s;
    int64_t i;
    bool b;

    (void)state;
    assert_int_equal(json_want_str(v, "none", &s, &err), -ENOENT);
    assert_string_equal(err.text, "member \"none\" is missing; expected a string");
    assert_int_equal(json_want_i64(v, "s", &i, &err), -EINVAL);
    assert_string_equal(err.text, "member \"s\" is a string; expected an integer");
    assert_int_equal(json_want_i64(v, "d", &i, &err), -EINVAL);
    assert_string_equal(err.text, "member \"d\" is a number; expected an integer");
    assert_int_equal(json_want_bool(v, "i", &b, &err), -EINVAL);
    assert_int_equal(json_want_str(v, "n", &s, &err), -EINVAL);
    assert_int_equal(json_want(v, "i", JSON_INT, &got, &err), 0);
    assert_int_equal(json_want(NULL, "i", JSON_INT, &got, &err), -ENOENT);
    assert_int_equal(json_str_or(v, "none", STR("d"), &s, &err), 0);
    assert_str(s, "d");
    assert_int_equal(json_str_or(v, "n", STR("d"), &s, &err), 0);
    assert_str(s, "d");
    assert_int_equal(json_str_or(v, "s", STR("d"), &s, &err), 0);
    assert_str(s, "x");
    assert_int_equal(json_str_or(v, "i", STR("d"), &s, &err), -EINVAL);
    assert_int_equal(json_i64_or(v, "none", 9, &i, &err), 0);
    assert_int_equal(i, 9);
    assert_int_equal(json_i64_or(v, "s", 9, &i, &err), -EINVAL);
    assert_int_equal(json_bool_or(NULL, "x", true, &b, &err), 0);
    assert_true(b);
    assert_int_equal(json_bool_or(v, "i", true, &b, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_json),
        cmocka_unit_test(refuses_what_is_not),
        cmocka_unit_test(refuses_a_nul),
        cmocka_unit_test(refuses_every_prefix),
        cmocka_unit_test(says_what_was_expected),
        cmocka_unit_test(refuses_duplicate_names),
        cmocka_unit_test(finds_duplicates_among_many),
        cmocka_unit_test(keeps_its_limits),
        cmocka_unit_test(stands_deep_nesting),
        cmocka_unit_test(refuses_a_tree_beyond_the_arena),
        cmocka_unit_test(builds_the_tree),
        cmocka_unit_test(parses_scalars_alone),
        cmocka_unit_test(finds_by_path),
        cmocka_unit_test(wants_members),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
