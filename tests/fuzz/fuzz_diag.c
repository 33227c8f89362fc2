/*
 * fuzz_diag.c: diagnostics on any file text, name and place come out as valid text without control
 * characters, and as valid JSON. The first four bytes choose places, the rest is name and text.
 */
#include "policy/text/diag.h"
#include "policy/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_all(struct diags *d, const uint8_t *data, size_t file, struct str text)
{
    size_t a = data[0] % (text.len + 1), b = data[1] % (text.len + 2),
           c = data[2] * (size_t)data[3];

    diags_add(d, DIAG_ERROR, file, a, b, "`x`", "found `%.*s`", STR_FMT(text));
    diags_add(d, DIAG_NOTE, file, b, a, NULL, "earlier");
    diags_add(d, DIAG_WARNING, file, c, c + data[0], NULL, "%s", "far");
    diags_add(d, DIAG_ERROR, file + data[1] % 3, text.len, SIZE_MAX, "the end", "at the end");
    diags_add(d, DIAG_NOTE, SIZE_MAX, 0, 0, NULL, "no file");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct buf out;
    struct diags d;
    struct jout j;
    uint32_t cp;

    if (size < 5)
        return 0;
    struct str name = {(const char *)data + 4, MIN(size - 4, (size_t)12)};
    struct str text = {(const char *)data + 4, size - 4};
    diags_init(&d);
    buf_init(&out, SIZE_MAX);
    ssize_t file = diags_file(&d, name, text);
    must(file >= 0);
    for (unsigned i = 0; i < 1u + data[3] % 70; i++)
        add_all(&d, data, (size_t)file, text);
    must(diags_has_errors(&d) && d.count <= DIAGS_MAX);
    diags_put(&d, &out);
    must(buf_status(&out) == 0);
    for (size_t pos = 0; pos < out.len;) {
        must(utf8_next(buf_str(&out), &pos, &cp) == 0);
        must(cp == '\n' || !utf8_is_hidden(cp));
    }
    buf_clear(&out);
    jout_begin(&j, &out);
    diags_json(&d, &j);
    must(jout_end(&j) == 0);
    must(json_check(buf_str(&out), &limits, NULL, NULL) == 0);
    buf_release(&out);
    diags_release(&d);
    return 0;
}
