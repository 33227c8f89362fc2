/*
 * fuzz_schema.c: a foreign schema (first line) and a foreign value (the rest): an answer within
 * bounds, the same each time, and what is usable can be checked.
 */
#include "policy/schema.h"

#include "policy/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *a, struct str schema, struct str value)
{
    const struct json *s = NULL, *v = NULL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct schema_result r;
    struct err err = ERR_INIT;
    struct buf problems;
    if (json_parse(a, schema, &limits, &s, NULL, NULL) < 0 ||
        json_parse(a, value, &limits, &v, NULL, NULL) < 0)
        return;
    buf_init(&problems, SIZE_MAX);
    int usable = schema_is_usable(s, &err);
    must(usable == 0 || (usable == -ENOTSUP && err.text[0]));
    int rc = schema_check(s, v, "arguments", &problems, &r, &err);
    must(rc == 0 || rc == -ENOTSUP || rc == -E2BIG);
    must(rc != 0 || r.fits == (r.problem_count == 0));
    must(rc != 0 || r.fits == (problems.len == 0));
    must(usable < 0 || rc != -ENOTSUP);
    must(utf8_is_valid(buf_str(&problems)));
    buf_release(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    ssize_t nl = str_find(text, '\n', 0);
    struct arena a;
    if (nl < 0)
        return 0;
    arena_init(&a, 64u << 20);
    check(&a, str_slice(text, 0, (size_t)nl), str_slice(text, (size_t)nl + 1, size));
    arena_release(&a);
    return 0;
}
