/*
 * trace.c: the drawing of a run: fixed JSON, fixed text (tests/golden/trace/NAME.json,
 * NAME.WIDTH.txt; REGOLD=1 writes them anew), and that nothing in the JSON reaches the terminal as
 * a command.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "policy/text/utf8.h"
#include "sandbox/os/file.h"
#include "supervisor/ctl/trace.h"
#include "tests/lib/cm.h"

#define NOW 1795403619000 /* 2026-11-23T03:13:39Z */

struct world {
    struct arena arena;
    struct buf out;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    arena_init(&w->arena, 64u << 20);
    buf_init(&w->out, 64u << 20);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    arena_release(&w->arena);
    buf_release(&w->out);
    free(w);
    return 0;
}

static const struct json *parse(struct world *w, struct str text)
{
    const struct json *v = NULL;
    struct err err = ERR_INIT;
    struct str kept = arena_str(&w->arena, text);
    if (json_parse(&w->arena, kept, &JSON_LIMITS_DEFAULT, &v, NULL, &err) < 0)
        fail_msg("%s", err.text);
    return v;
}

static const struct json *load(struct world *w, const char *name)
{
    char path[128], *text;
    size_t len;
    struct err err = ERR_INIT;
    snprintf(path, sizeof(path), "tests/golden/trace/%s.json", name);
    if (file_read(AT_FDCWD, path, 1u << 20, &text, &len, &err) < 0)
        fail_msg("%s", err.text);
    const struct json *v = parse(w, (struct str){text, len});
    free(text);
    return v;
}

static void compare(struct world *w, const char *path)
{
    char *want = NULL;
    size_t len = 0;
    struct err err = ERR_INIT;
    if (getenv("REGOLD"))
        assert_true(file_write(AT_FDCWD, path, buf_str(&w->out), 0644, &err) >= 0);
    if (file_read(AT_FDCWD, path, 1u << 20, &want, &len, &err) < 0)
        fail_msg("%s", err.text);
    if (!str_eq(buf_str(&w->out), (struct str){want, len})) {
        print_error("%s: got\n%.*s\n", path, STR_FMT(buf_str(&w->out)));
        fail();
    }
    free(want);
}

static void drawings_are_as_they_were(void **state)
{
    static const struct {
        const char *name;
        size_t width;
        bool utf8, colour;
        const char *file;
    } ROWS[] = {
        {"invoice", 100, true, false, "invoice.100.txt"},
        {"invoice", 70, true, false, "invoice.70.txt"},
        {"invoice", 100, false, false, "invoice.ascii.txt"},
        {"invoice", 100, true, true, "invoice.colour.txt"},
        {"waiting", 100, true, false, "waiting.100.txt"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        char path[128];
        struct style s = {
            .utf8 = ROWS[i].utf8, .colour = ROWS[i].colour, .width = ROWS[i].width, .now_ms = NOW};
        const struct json *trace = load(w, ROWS[i].name);
        buf_clear(&w->out);
        trace_put(trace, parse(w, STR("{\"result\":{\"status\":\"paid\",\"amount\":\"118.40\"}}")),
                  &s, &w->out);
        snprintf(path, sizeof(path), "tests/golden/trace/%s", ROWS[i].file);
        compare(w, path);
    }
}

static void lines_are_no_wider_than_the_terminal(void **state)
{
    static const size_t WIDTHS[] = {60, 70, 80, 100, 160};
    struct world *w = *state;
    const struct json *trace = load(w, "invoice");
    for (size_t i = 0; i < ARRAY_LEN(WIDTHS); i++) {
        struct style s = {.utf8 = true, .width = WIDTHS[i], .now_ms = NOW};
        struct str rest, line;
        buf_clear(&w->out);
        trace_put(trace, NULL, &s, &w->out);
        rest = buf_str(&w->out);
        for (size_t n = 0; rest.len && str_split(&rest, '\n', &line); n++)
            assert_row(n < 6 || cells_width(line) <= WIDTHS[i], n, "%zu: %.*s", WIDTHS[i],
                       STR_FMT(line));
    }
}

/* Every string of the trace is hostile: escapes, title sequences, bidi, line breaks, wide and
 * endless text. */
static void foreign_text_is_only_text(void **state)
{
    static const char EVIL[] =
        "\\u001b[2J\\u001b]0;x\\u0007\\r\\n\\u009b31m\\u202e\\u200b\\u0000\xe6\xbc\xa2"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaa";
    static const char *const STRINGS[] = {"workflow", "tenant",  "state", "wait", "version",
                                          "traceId",  "reason",  "kind",  "key",  "allow",
                                          "user",     "comment", "text",  "unit", "level"};
    struct world *w = *state;
    struct buf text;
    buf_init(&text, 1u << 20);
    buf_cstr(&text, "{\"run\":{");
    for (size_t i = 0; i < ARRAY_LEN(STRINGS); i++)
        buf_fmt(&text, "\"%s\":\"%s\",", STRINGS[i], EVIL);
    buf_fmt(&text,
            "\"event\":{\"type\":\"%s\",\"subject\":\"%s\",\"source\":\"%s\",\"eventId\":\"%s\"}}",
            EVIL, EVIL, EVIL, EVIL);
    buf_fmt(&text,
            ",\"steps\":[{\"seq\":1,\"kind\":\"%s\",\"key\":\"%s\",\"state\":\"%s\",\"reason\":\"%"
            "s\",\"allow\":false,"
            "\"policies\":[\"%s\"],\"info\":{\"model\":\"%s\"},\"gate\":{\"state\":\"%s\","
            "\"quorum\":1,\"votes\":"
            "[{\"user\":\"%s\",\"approve\":true,\"comment\":\"%s\"}]}}]",
            EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL);
    buf_fmt(&text, ",\"log\":[{\"at\":\"%s\",\"level\":\"%s\",\"unit\":\"%s\",\"text\":\"%s\"}]}",
            EVIL, EVIL, EVIL, EVIL);
    for (int utf8 = 0; utf8 < 2; utf8++) {
        struct style s = {.utf8 = utf8, .width = 100, .now_ms = NOW};
        const struct json *trace = parse(w, buf_str(&text));
        buf_clear(&w->out);
        trace_put(trace, trace, &s, &w->out);
        struct str out = buf_str(&w->out);
        size_t pos = 0;
        uint32_t cp;
        while (pos < out.len) {
            assert_int_equal(utf8_next(out, &pos, &cp), 0);
            assert_true(cp == '\n' || !utf8_is_hidden(cp));
            assert_true(utf8 || cp < 0x80);
        }
    }
    buf_release(&text);
}

/* Deeper than is drawn: said, not drawn. The JSON's own depth bounds the rest. */
static void depth_is_bounded(void **state)
{
    struct world *w = *state;
    struct buf text;
    struct style s = {.utf8 = true, .width = 100, .now_ms = NOW};
    buf_init(&text, 1u << 20);
    for (int i = 0; i < 14; i++)
        buf_fmt(&text, "{\"run\":{\"run\":%d},\"steps\":[{\"seq\":1,\"child\":%d,\"trace\":", i,
                i + 1);
    buf_cstr(&text, "{}");
    for (int i = 0; i < 14; i++)
        buf_cstr(&text, "}]}");
    trace_put(parse(w, buf_str(&text)), NULL, &s, &w->out);
    assert_non_null(memmem(w->out.ptr, w->out.len, "deeper: reeve run trace 9", 25));
    assert_null(memmem(w->out.ptr, w->out.len, "run 10 ", 7));
    buf_release(&text);
}

static void odd_members_leave_gaps(void **state)
{
    static const char *const ODD[] = {
        "{}",
        "[]",
        "null",
        "{\"steps\":{}}",
        "{\"steps\":[1,null,\"x\",[],{}]}",
        "{\"run\":5,\"steps\":[{}]}",
        "{\"run\":{\"createdAt\":7},\"steps\":[{\"seq\":-9223372036854775808,\"ms\":-5,"
        "\"inputTokens\":9223372036854775807,"
        "\"attempt\":9223372036854775807,\"tries\":9223372036854775807,\"occurrence\":"
        "9223372036854775807,"
        "\"cost\":1e400,\"askedAt\":\"9999-12-31T23:59:59Z\",\"wakeAt\":\"0001-01-01T00:00:00Z\"}]"
        "}",
        "{\"log\":[1,{}],\"logDropped\":9223372036854775807,\"cut\":\"x\"}",
        "{\"run\":{\"createdAt\":\"0000-01-01T00:00:00Z\",\"endedAt\":\"9999-12-31T23:59:59Z\"}}",
    };
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(ODD); i++) {
        struct style s = {
            .utf8 = true, .colour = true, .width = i * 7, .now_ms = i & 1 ? INT64_MAX : INT64_MIN};
        buf_clear(&w->out);
        trace_put(parse(w, str_of(ODD[i])), parse(w, str_of(ODD[i])), &s, &w->out);
        assert_row(buf_status(&w->out) == 0 && w->out.len > 0, i, "%s", ODD[i]);
    }
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(drawings_are_as_they_were), T(lines_are_no_wider_than_the_terminal),
        T(foreign_text_is_only_text), T(depth_is_bounded),
        T(odd_members_leave_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
