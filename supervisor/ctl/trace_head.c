/*
 * trace_head.c: the first lines of a run: what, for whom, from which event, when, how much. Runs in
 * reeve; everything in the JSON is foreign.
 */
#include "supervisor/ctl/trace.h"

const char *trace_dot(const struct style *s)
{
    return s->utf8 ? " \u00b7 " : " - ";
}

static void label(struct buf *out, const struct style *s, const char *name)
{
    style_put(out, s, INK_DIM, "  %-8s", name);
}

/* One part of a line of parts; foreign text, cut. */
static void part(struct buf *out, const struct style *s, const char *before, struct str text,
                 size_t max, bool *first)
{
    if (!text.len)
        return;
    if (!*first)
        style_put(out, s, INK_DIM, "%s", trace_dot(s));
    *first = false;
    buf_cstr(out, before);
    style_foreign(out, s, INK_PLAIN, text, max);
}

static void put_event(const struct json *run, const struct style *s, struct buf *out)
{
    const struct json *event = json_get(run, "event");
    bool first = true;
    if (!show_str(event, "type").len)
        return;
    label(out, s, "event");
    part(out, s, "", show_str(event, "type"), 40, &first);
    part(out, s, "", show_str(event, "subject"), 24, &first);
    part(out, s, "id ", show_str(event, "eventId"), 24, &first);
    part(out, s, "from ", show_str(event, "source"), 30, &first);
    buf_char(out, '\n');
}

static void put_began(const struct json *run, const struct style *s, struct buf *out)
{
    char when[STYLE_TEXT], ago[STYLE_TEXT];
    int64_t at;
    if (!show_time(run, "createdAt", &at))
        return;
    label(out, s, "began");
    buf_fmt(out, "%s%s%s", style_time(s, at, when), trace_dot(s), style_ago(s, at, ago));
    if (show_i64(run, "attempt") > 1)
        style_put(out, s, INK_YELLOW, "%sattempt %" PRId64, trace_dot(s), show_i64(run, "attempt"));
    if (show_time(run, "wakeAt", &at) && !show_is_set(run, "endedAt"))
        buf_fmt(out, "%swakes %s", trace_dot(s), style_ago(s, at, ago));
    buf_char(out, '\n');
}

static void put_used(const struct json *run, const struct style *s, struct buf *out)
{
    char a[STYLE_TEXT], b[STYLE_TEXT];
    label(out, s, "used");
    buf_fmt(out, "%s", style_many(show_i64(run, "steps"), "step", "steps", a));
    buf_fmt(out, "%s%s", trace_dot(s),
            style_many(show_i64(run, "modelCalls"), "model call", "model calls", a));
    buf_fmt(out, "%s%s", trace_dot(s),
            style_many(show_i64(run, "toolCalls"), "tool call", "tool calls", a));
    buf_fmt(out, "%s%s in, %s out tokens", trace_dot(s),
            style_count(show_i64(run, "inputTokens"), a),
            style_count(show_i64(run, "outputTokens"), b));
    struct str cost = show_number(run, "cost");
    if (!str_is(cost, "0"))
        buf_fmt(out, "%scost %.*s", trace_dot(s), STR_FMT(str_slice(cost, 0, 24)));
    buf_char(out, '\n');
}

static void put_origin(const struct json *run, const struct json *origin, const struct style *s,
                       struct buf *out)
{
    struct str mode = show_str(run, "mode");
    label(out, s, "origin");
    if (str_is(mode, "replay"))
        buf_fmt(out, "replay of run %" PRId64 "\n", show_i64(origin, "run"));
    else
        buf_fmt(out, "forked from run %" PRId64 " step %" PRId64 "%s\n", show_i64(origin, "run"),
                show_i64(origin, "step"), str_is(mode, "dry") ? ", dry: nothing leaves" : "");
}

void trace_put_state(const struct json *run, const struct style *s, struct buf *out)
{
    char span[STYLE_TEXT];
    struct str state = show_str(run, "state"), wait = show_str(run, "wait");
    enum ink ink = style_state_ink(state);
    int64_t from, to;
    style_put(out, s, ink, "%s ", style_state_glyph(s, state));
    style_foreign(out, s, ink, state, 20);
    if (wait.len && !str_is(wait, "none") && str_is(state, "waiting")) {
        buf_cstr(out, " for ");
        style_foreign(out, s, ink, wait, 20);
    }
    if (show_time(run, "createdAt", &from) && show_time(run, "endedAt", &to))
        buf_fmt(out, " in %s", style_span(to - from, span));
}

void trace_put_head(const struct json *run, const struct style *s, struct buf *out)
{
    bool first = true;
    style_put(out, s, INK_BOLD, "run %" PRId64, show_i64(run, "run"));
    buf_cstr(out, "  ");
    style_foreign(out, s, INK_BOLD, show_str(run, "workflow"), 63);
    buf_cstr(out, "  ");
    trace_put_state(run, s, out);
    buf_char(out, '\n');
    if (show_str(run, "reason").len) {
        label(out, s, "why");
        style_foreign(out, s, INK_PLAIN, show_str(run, "reason"), MAX(s->width, 40u) - 10);
        buf_char(out, '\n');
    }
    label(out, s, "tenant");
    part(out, s, "", show_str(run, "tenant"), 63, &first);
    part(out, s, "version ", str_slice(show_str(run, "version"), 0, 12), 12, &first);
    part(out, s, "trace ", show_str(run, "traceId"), 32, &first);
    const struct json *parent = json_get(run, "parent"), *origin = json_get(run, "origin");
    if (json_is(parent, JSON_OBJECT))
        buf_fmt(out, "%schild of run %" PRId64 ", step %" PRId64, trace_dot(s),
                show_i64(parent, "run"), show_i64(parent, "step"));
    buf_char(out, '\n');
    if (json_is(origin, JSON_OBJECT))
        put_origin(run, origin, s, out);
    put_event(run, s, out);
    put_began(run, s, out);
    put_used(run, s, out);
}
