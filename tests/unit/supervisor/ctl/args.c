/*
 * args.c: command lines, help, and the small pure parts of reeve: server-sent events, cells, times,
 * tables.
 */
#include "supervisor/ctl/args.h"
#include "supervisor/ctl/sse.h"
#include "supervisor/ctl/style.h"
#include "supervisor/ctl/table.h"
#include "tests/lib/cm.h"

#define LINE(...)        ((const char *const[]){"reeve", __VA_ARGS__})
#define PARSE(a, e, ...) args_parse((int)ARRAY_LEN(LINE(__VA_ARGS__)), LINE(__VA_ARGS__), (a), (e))

static void commands_and_options_mix(void **state)
{
    struct args a;
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(
        PARSE(&a, &err, "--json", "run", "trace", "41", "--socket=/x", "--colour", "never"), 0);
    assert_string_equal(a.command->words, "run trace");
    assert_int_equal(a.word_count, 1);
    assert_string_equal(a.words[0], "41");
    assert_true(args_has(&a, OPTION_JSON));
    assert_string_equal(args_get(&a, OPTION_SOCKET), "/x");
    assert_string_equal(args_get(&a, OPTION_COLOUR), "never");
    assert_int_equal(PARSE(&a, &err, "runs", "--limit", "5", "--limit", "7"), 0);
    assert_string_equal(args_get(&a, OPTION_LIMIT), "7");
    assert_int_equal(PARSE(&a, &err, "event", "send", "-"), 0);
    assert_string_equal(a.words[0], "-");
    assert_int_equal(
        PARSE(&a, &err, "sandbox", "run", "--profile", "strict", "--", "ls", "--json", "-l"), 0);
    assert_int_equal(a.rest_count, 3);
    assert_string_equal(a.rest[1], "--json");
    assert_false(args_has(&a, OPTION_JSON));
    assert_int_equal(PARSE(&a, &err, "run", "trace", "--help"), 0);
    assert_string_equal(a.command->words, "run trace");
    assert_int_equal(PARSE(&a, &err, "-h"), 0);
    assert_null(a.command);
}

static void wrong_use_is_named(void **state)
{
    struct args a;
    struct err err;
    (void)state;
#define WRONG(part, ...)                                                        \
    do {                                                                        \
        err = ERR_INIT;                                                         \
        if (PARSE(&a, &err, __VA_ARGS__) != -EINVAL || !strstr(err.text, part)) \
            fail_msg("%s: \"%s\"", #__VA_ARGS__, err.text);                     \
    } while (0)
    WRONG("no command \"fly\"", "fly");
    WRONG("expected one of show, trace", "run");
    WRONG("expected one of show, trace", "run", "fly");
    WRONG("no option --fly", "runs", "--fly");
    WRONG("no option -x", "runs", "-x");
    WRONG("--limit needs N", "runs", "--limit");
    WRONG("--json takes no value", "runs", "--json=yes");
    WRONG("--comment does not go with reeve runs", "runs", "--comment", "x");
    WRONG("unexpected argument \"2\"", "run", "show", "1", "2");
    WRONG("expected RUN", "run", "show");
    WRONG("expected RUN STEP", "run", "step", "1");
    WRONG("expected a command after --", "sandbox", "run");
    WRONG("unexpected argument", "sandbox", "run", "ls");
    WRONG("unexpected argument \"x\"", "runs", "--", "x");
}

static void too_many_of_anything_is_refused(void **state)
{
    const char *many[200] = {"reeve"};
    struct args a;
    struct err err = ERR_INIT;
    (void)state;
    for (size_t i = 1; i < 200; i++)
        many[i] = "--json";
    assert_int_equal(args_parse(200, many, &a, &err), -EINVAL);
    for (size_t i = 1; i < 200; i++)
        many[i] = "-h";
    assert_int_equal(args_parse(200, many, &a, &err), -EINVAL);
    for (size_t i = 1; i < 200; i++)
        many[i] = "x";
    assert_int_equal(args_parse(200, many, &a, &err), -EINVAL);
}

static void every_command_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        const struct command *c = &commands[i];
        assert_row(c->summary[0] && c->example[0] && c->run, i, "%s", c->words);
        assert_row(strncmp(c->example, "reeve ", 6) == 0 && strstr(c->example, c->words), i, "%s",
                   c->example);
        assert_row((c->args[0] != 0) == (c->max_args != 0), i, "%s: %s", c->words, c->args);
        assert_row(strlen(c->summary) <= 100, i, "%s", c->summary);
        for (size_t k = 0; k < i; k++)
            assert_row(strcmp(commands[k].words, c->words) != 0, i, "%s twice", c->words);
    }
    for (size_t i = 0; i < OPTION_COUNT; i++)
        assert_row(option_rows[i].name && option_rows[i].help[0], i, "option");
}

/* ---- server-sent events ---------------------------------------------------------------------- */

struct seen {
    struct buf text;
    int stop_at, count;
};

static int on_event(void *arg, struct str event, struct str id, struct str data)
{
    struct seen *s = arg;
    buf_fmt(&s->text, "[%.*s|%.*s|%.*s]", STR_FMT(event), STR_FMT(id), STR_FMT(data));
    return ++s->count == s->stop_at ? 7 : 0;
}

static void events_come_whole_however_they_are_cut(void **state)
{
    static const char TEXT[] =
        ": comment\n\nevent: step\r\nid: 3.1\r\ndata: {\"a\":1}\r\n\r\n"
        "data:x\ndata: y\ndata\n\nid: 4\n\nfoo: bar\ndata: z\n\nevent: lost\n\ndata: half";
    (void)state;
    for (size_t cut = 1; cut < sizeof(TEXT); cut++) {
        struct seen seen = {.stop_at = 0};
        struct sse s;
        buf_init(&seen.text, 4096);
        sse_init(&s, on_event, &seen);
        for (size_t at = 0; at < sizeof(TEXT) - 1; at += cut)
            assert_int_equal(sse_feed(&s, str_slice(STR(TEXT), at, at + cut)), 0);
        assert_row(
            str_is(buf_str(&seen.text), "[step|3.1|{\"a\":1}][message|3.1|x\ny\n][message|4|z]"),
            cut, "%.*s", STR_FMT(buf_str(&seen.text)));
        sse_release(&s);
        buf_release(&seen.text);
    }
}

static void the_reader_may_stop(void **state)
{
    struct seen seen = {.stop_at = 2};
    struct sse s;
    (void)state;
    buf_init(&seen.text, 4096);
    sse_init(&s, on_event, &seen);
    assert_int_equal(sse_feed(&s, STR("data: 1\n\ndata: 2\n\ndata: 3\n\n")), 7);
    assert_int_equal(seen.count, 2);
    sse_release(&s);
    buf_release(&seen.text);
}

/* ---- cells, times, tables -------------------------------------------------------------------- */

static void cells_are_counted_and_cut(void **state)
{
    static const struct {
        const char *text;
        size_t max;
        const char *want;
        size_t cells;
    } ROWS[] = {
        {"abc", 3, "abc", 3},
        {"abcd", 3, "ab\u2026", 3},
        {"漢字", 4, "漢字", 4},
        {"漢字", 3, "漢\u2026", 3},
        {"漢字", 2, "\u2026", 1},
        {"e\u0301e", 2, "e\u0301e", 2},
        {"  a \n\t b  ", 10, "a b", 3},
        {"a\033[31mb", 20, "a\\u{1b}[31mb", 12},
        {"\xff", 10, "\\xff", 4},
        {"abc", 0, "", 0},
        {"", 5, "", 0},
        {"a\u202eb", 20, "a\\u{202e}b", 10},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct buf out;
        buf_init(&out, 4096);
        size_t cells = cells_put(&out, str_of(ROWS[i].text), ROWS[i].max, true);
        assert_row(str_is(buf_str(&out), ROWS[i].want), i, "%.*s", STR_FMT(buf_str(&out)));
        assert_row(cells == ROWS[i].cells && cells == cells_width(buf_str(&out)), i, "%zu", cells);
        buf_release(&out);
    }
}

static void times_read_well(void **state)
{
    static const struct {
        int64_t ms;
        const char *span, *ago;
    } ROWS[] = {
        {0, "0ms", "now"},
        {999, "999ms", "now"},
        {1000, "1.0s", "1 s ago"},
        {59999, "59.9s", "59 s ago"},
        {60000, "1m00s", "1 min ago"},
        {3599999, "59m59s", "59 min ago"},
        {3600000, "1h00m", "1 h ago"},
        {172799999, "47h59m", "47 h ago"},
        {172800000, "2d0h", "2 d ago"},
    };
    char text[STYLE_TEXT];
    struct style s = {.now_ms = 1795403619000};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        assert_string_equal(style_span(ROWS[i].ms, text), ROWS[i].span);
        assert_string_equal(style_ago(&s, s.now_ms - ROWS[i].ms, text), ROWS[i].ago);
    }
    assert_string_equal(style_ago(&s, s.now_ms + 7200000, text), "in 2 h");
    assert_string_equal(style_time(&s, s.now_ms, text), "2026-11-23 03:13:39");
    assert_string_equal(style_count(0, text), "0");
    assert_string_equal(style_count(-1234567, text), "-1,234,567");
    assert_string_equal(style_count(INT64_MIN, text), "-9,223,372,036,854,775,808");
    assert_string_equal(style_count(123, text), "123");
    assert_string_equal(style_bytes(1536, text), "1.5 KiB");
}

static void tables_line_up_and_fit(void **state)
{
    static const struct table_column COLUMNS[] = {
        {"N", true, false}, {"NAME", false, true}, {"WHY", false, true}};
    struct table t;
    struct buf out;
    struct str rest, line;
    (void)state;
    table_init(&t, COLUMNS, 3);
    for (int i = 0; i < 3; i++) {
        table_fmt(&t, INK_PLAIN, "%d", i * 50);
        table_add(&t, INK_PLAIN, STR("漢字 name \033[1m"));
        table_fmt(&t, INK_PLAIN, "%s",
                  "a long reason that says much more than there is room for on this line of text");
    }
    for (size_t width = 40; width <= 120; width += 40) {
        struct style s = {.utf8 = true, .width = width};
        buf_init(&out, 1u << 16);
        table_put(&t, &s, &out);
        rest = buf_str(&out);
        while (rest.len && str_split(&rest, '\n', &line))
            assert_row(cells_width(line) <= width, width, "%.*s", STR_FMT(line));
        assert_true(str_starts(buf_str(&out), STR("  N  NAME")));
        buf_release(&out);
    }
    table_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_and_options_mix),
        cmocka_unit_test(wrong_use_is_named),
        cmocka_unit_test(too_many_of_anything_is_refused),
        cmocka_unit_test(every_command_is_described),
        cmocka_unit_test(events_come_whole_however_they_are_cut),
        cmocka_unit_test(the_reader_may_stop),
        cmocka_unit_test(cells_are_counted_and_cut),
        cmocka_unit_test(times_read_well),
        cmocka_unit_test(tables_line_up_and_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
