/*
 * fuzz_json.c: the check and the parser agree on any bytes; what the parser took, the writer writes
 * so that it means the same; the canonical form is its own canonical form.
 */
#include "policy/text/jcs.h"
#include "policy/text/jout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX ((size_t)64 << 20)

static const struct json *parse_again(struct arena *arena, struct str text)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    const struct json *v = NULL;

    must(json_parse(arena, text, &limits, &v, NULL, NULL) == 0);
    return v;
}

static void check_written(struct arena *arena, const struct json *v)
{
    struct buf text, first, second;
    struct jout j;

    buf_init(&text, OUT_MAX);
    buf_init(&first, OUT_MAX);
    buf_init(&second, OUT_MAX);
    jout_begin(&j, &text);
    jout_json(&j, v);
    must(jout_end(&j) == 0);
    must(str_find(buf_str(&text), '\n', 0) < 0);
    /* A number beyond a double has no canonical form. */
    if (jcs_write(&first, v, JCS_EXACT, NULL) == 0) {
        must(jcs_write(&second, parse_again(arena, buf_str(&text)), JCS_EXACT, NULL) == 0);
        must(str_eq(buf_str(&first), buf_str(&second)));
        buf_clear(&second);
        must(jcs_write(&second, parse_again(arena, buf_str(&first)), JCS_EXACT, NULL) == 0);
        must(str_eq(buf_str(&first), buf_str(&second)));
        buf_clear(&first);
        buf_clear(&second);
        must(jcs_write(&first, v, JCS_RFC8785, NULL) == 0);
        must(jcs_write(&second, parse_again(arena, buf_str(&first)), JCS_RFC8785, NULL) == 0);
        must(str_eq(buf_str(&first), buf_str(&second)));
    }
    buf_release(&text);
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct json_where checked = {0}, parsed = {0};
    const struct json *v = NULL;
    struct err err = ERR_INIT;
    struct arena arena;
    int r;

    arena_init(&arena, SIZE_MAX);
    r = json_check(text, &limits, &checked, &err);
    must(r == 0 || (err.number == -r && err.text[0] != '\0'));
    must(json_parse(&arena, text, &limits, &v, &parsed, NULL) == r);
    must(checked.offset == parsed.offset && checked.offset <= size);
    must(r == 0 || (checked.line >= 1 && checked.column >= 1));
    if (r == 0)
        check_written(&arena, v);
    arena_release(&arena);
    return 0;
}
