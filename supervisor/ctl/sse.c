/*
 * sse.c: a stream of server-sent events. Runs in reeve; trusts nothing of the bytes.
 */
#include "supervisor/ctl/sse.h"

void sse_init(struct sse *s, sse_fn *fn, void *arg)
{
    *s = (struct sse){.fn = fn, .arg = arg};
    buf_init(&s->line, SSE_EVENT_MAX);
    buf_init(&s->data, SSE_EVENT_MAX);
}

void sse_release(struct sse *s)
{
    buf_release(&s->line);
    buf_release(&s->data);
}

static void keep(char *to, size_t size, struct str value)
{
    size_t n = MIN(value.len, size - 1);
    if (n)
        memcpy(to, value.ptr, n);
    to[n] = 0;
}

static int dispatch(struct sse *s)
{
    int res = 0;
    if (s->data.len) {
        struct str data = buf_str(&s->data);
        data.len--; /* the line break behind the last line */
        res = s->fn(s->arg, str_of(s->event[0] ? s->event : "message"), str_of(s->id), data);
    }
    buf_clear(&s->data);
    s->event[0] = 0;
    return res;
}

static int take_line(struct sse *s, struct str line)
{
    if (!line.len)
        return dispatch(s);
    ssize_t colon = str_find(line, ':', 0);
    size_t cut = colon < 0 ? line.len : (size_t)colon;
    struct str name = str_slice(line, 0, cut);
    struct str value = str_slice(line, MIN(cut + 1, line.len), line.len);
    if (str_starts(value, STR(" ")))
        value = str_slice(value, 1, value.len);
    if (str_is(name, "data")) {
        buf_str_put(&s->data, value);
        buf_char(&s->data, '\n');
    } else if (str_is(name, "event")) {
        keep(s->event, sizeof(s->event), value);
    } else if (str_is(name, "id")) {
        keep(s->id, sizeof(s->id), value);
    }
    return buf_status(&s->data);
}

int sse_feed(struct sse *s, struct str bytes)
{
    struct str rest = bytes;
    while (rest.len) {
        ssize_t end = str_find(rest, '\n', 0);
        buf_str_put(&s->line, str_slice(rest, 0, end < 0 ? rest.len : (size_t)end));
        if (buf_status(&s->line) < 0)
            return buf_status(&s->line);
        if (end < 0)
            break;
        struct str line = buf_str(&s->line);
        if (str_ends(line, STR("\r")))
            line.len--;
        int res = take_line(s, line);
        buf_clear(&s->line);
        if (res != 0)
            return res;
        rest = str_slice(rest, (size_t)end + 1, rest.len);
    }
    return 0;
}
