/*
 * fuzz_ctl_trace.c: any JSON is drawn without harm: what comes out is text that cannot command a
 * terminal, within the width that the terminal has.
 */
#include "policy/text/utf8.h"
#include "supervisor/ctl/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX ((size_t)256 << 20)

/* With colours, our own sequences are the only ones: ESC [ digits m. */
static size_t skip_ink(struct str s, size_t pos)
{
    size_t at = pos + 1;
    if (at >= s.len || s.ptr[at] != '[')
        return pos;
    for (at++; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9';)
        at++;
    return at < s.len && s.ptr[at] == 'm' ? at + 1 : pos;
}

static void check_harmless(struct str out, bool colour)
{
    size_t pos = 0;
    uint32_t cp;
    while (pos < out.len) {
        size_t after = colour && out.ptr[pos] == '\033' ? skip_ink(out, pos) : pos;
        if (after != pos) {
            pos = after;
            continue;
        }
        must(utf8_next(out, &pos, &cp) == 0);
        must(cp == '\n' || !utf8_is_hidden(cp));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct style STYLES[] = {
        {.utf8 = true, .width = 100, .now_ms = 1795403619000},
        {.utf8 = true, .colour = true, .width = 80, .now_ms = 0},
        {.utf8 = false, .width = 1, .now_ms = INT64_MAX},
    };
    struct arena arena;
    struct buf out;
    const struct json *v;
    arena_init(&arena, OUT_MAX);
    buf_init(&out, OUT_MAX);
    if (json_parse(&arena, (struct str){(const char *)data, size}, &JSON_LIMITS_DEFAULT, &v, NULL,
                   NULL) == 0) {
        for (size_t i = 0; i < ARRAY_LEN(STYLES); i++) {
            buf_clear(&out);
            trace_put(v, v, &STYLES[i], &out);
            trace_put_head(v, &STYLES[i], &out);
            trace_put_step_line(v, 1, &STYLES[i], &out);
            must(buf_status(&out) == 0);
            check_harmless(buf_str(&out), STYLES[i].colour);
        }
    }
    buf_release(&out);
    arena_release(&arena);
    return 0;
}
