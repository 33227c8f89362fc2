/*
 * fuzz_ctl_sse.c: a stream of events means the same however it is cut.
 */
#include "supervisor/ctl/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int keep(void *arg, struct str event, struct str id, struct str data)
{
    struct buf *out = arg;
    buf_fmt(out, "%zu:%.*s %zu:%.*s %zu:", event.len, STR_FMT(event), id.len, STR_FMT(id),
            data.len);
    buf_str_put(out, data);
    return 0;
}

static void run(struct str text, size_t cut, struct buf *out)
{
    struct sse s;
    sse_init(&s, keep, out);
    for (size_t at = 0; at < text.len; at += cut)
        must(sse_feed(&s, str_slice(text, at, at + cut)) == 0);
    sse_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct buf whole, cut;
    buf_init(&whole, (size_t)64 << 20);
    buf_init(&cut, (size_t)64 << 20);
    run(text, MAX(size, 1u), &whole);
    run(text, 1, &cut);
    must(str_eq(buf_str(&whole), buf_str(&cut)));
    buf_clear(&cut);
    run(text, 7, &cut);
    must(str_eq(buf_str(&whole), buf_str(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
