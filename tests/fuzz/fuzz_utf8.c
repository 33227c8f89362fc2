/*
 * fuzz_utf8.c: the fast check, the decoder and the encoder agree; what is made visible is valid,
 * hides nothing and keeps its bound.
 */
#include "policy/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_visible(struct str s, size_t max)
{
    struct buf shown;
    uint32_t cp;

    buf_init(&shown, SIZE_MAX);
    utf8_put_visible(&shown, s, max);
    must(buf_status(&shown) == 0 && shown.len <= max);
    for (size_t pos = 0; pos < shown.len;) {
        must(utf8_next(buf_str(&shown), &pos, &cp) == 0);
        must(!utf8_is_hidden(cp));
    }
    buf_release(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    size_t valid = utf8_valid_prefix(s), pos = 0, count = 0;
    uint32_t cp;
    char again[4];

    must(valid <= size && utf8_is_valid(s) == (valid == size));
    while (pos < valid) {
        size_t from = pos;
        must(utf8_next(s, &pos, &cp) == 0);
        must(utf8_encode(cp, again) == pos - from);
        must(memcmp(again, data + from, pos - from) == 0);
        count++;
    }
    must(pos == valid && count == utf8_count(str_slice(s, 0, valid)));
    must(valid == size || utf8_next(s, &pos, &cp) == -EILSEQ);
    must(pos == valid);
    check_visible(s, size > 0 ? data[0] : 0);
    check_visible(s, 16 * size);
    return 0;
}
