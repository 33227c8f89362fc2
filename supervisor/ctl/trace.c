/*
 * trace.c: draws a run. Runs in reeve; trusts nothing of the JSON: absent or odd members leave
 * gaps, text is made visible and cut, depth is bounded.
 *
 *   run 41  invoice-triage  ✔ succeeded in 1m12s
 *     tenant  acme · version 3f2a9c1b22dd · trace 4bf92f3577b34da6
 *     ...
 *   ├─ ✔  1 model  default gpt-4o-mini                    +0ms     1.2s     1,200 → 88    0.0031
 *   ├─ ✔  2 tool   ledger/pay                            +1.3s     40ms
 *   │         allowed by pay-approved
 *   │         approved by bob after 12s: "looks right"
 *   └─ ✔  3 child  run 42 · invoice-notify               +2.0s     3.1s
 *      └─ ✔  1 tool   mail/send                          +2.1s     80ms
 */
#include "supervisor/ctl/trace.h"

#include "policy/text/num.h"

#define AT_CELLS     9u
#define TOOK_CELLS   9u
#define TOKENS_CELLS 17u
#define COST_CELLS   10u
#define KIND_CELLS   11
#define TITLE_MIN    12
#define DETAIL_MIN   30
#define LOG_LINES    20

struct drawing {
    const struct style *s;
    struct buf *out;
    int64_t began_ms;
    size_t seq_cells;
    bool has_tokens, has_cost;
    bool goes_on[TRACE_DEPTH_MAX + 1]; /* of each open level: more steps follow */
    unsigned depth;
};

static const char *arrow(const struct style *s)
{
    return s->utf8 ? "\u2192" : "->";
}

/* ---- the tree -------------------------------------------------------------------------------- */

/* The rails of all open levels; the innermost one as a branch where a step begins. */
static size_t put_rails(struct drawing *d, bool is_branch)
{
    static const char *const UTF8[] = {"\u2502  ", "   ", "\u251c\u2500 ", "\u2514\u2500 "};
    static const char *const PLAIN[] = {"|  ", "   ", "|- ", "`- "};
    style_on(d->out, d->s, INK_DIM);
    for (unsigned i = 0; i <= d->depth; i++) {
        unsigned shape = (d->goes_on[i] ? 0u : 1u) + (is_branch && i == d->depth ? 2u : 0u);
        buf_cstr(d->out, d->s->utf8 ? UTF8[shape] : PLAIN[shape]);
    }
    style_off(d->out, d->s, INK_DIM);
    return 3 * ((size_t)d->depth + 1);
}

static void put_right(struct drawing *d, enum ink ink, size_t cells, const char *text)
{
    cells_pad(d->out, cells_width(str_of(text)), cells);
    style_put(d->out, d->s, ink, "%s", text);
}

static size_t right_cells(const struct drawing *d)
{
    return AT_CELLS + TOOK_CELLS + (d->has_tokens ? TOKENS_CELLS : 0) +
           (d->has_cost ? COST_CELLS : 0);
}

static void put_numbers(struct drawing *d, const struct json *step)
{
    char text[3 * STYLE_TEXT] = "", a[STYLE_TEXT], b[STYLE_TEXT];
    int64_t at;
    if (show_time(step, "askedAt", &at) && d->began_ms)
        snprintf(text, sizeof(text), "+%s", style_span(at - d->began_ms, a));
    put_right(d, INK_DIM, AT_CELLS, text);
    put_right(d, INK_PLAIN, TOOK_CELLS,
              show_is_set(step, "ms") ? style_span(show_i64(step, "ms"), a) : "");
    int64_t in = show_i64(step, "inputTokens"), outgoing = show_i64(step, "outputTokens");
    text[0] = 0;
    if (in || outgoing)
        snprintf(text, sizeof(text), "%s %s %s", style_count(in, a), arrow(d->s),
                 style_count(outgoing, b));
    if (d->has_tokens)
        put_right(d, INK_DIM, TOKENS_CELLS, text);
    struct str cost = show_number(step, "cost");
    snprintf(text, sizeof(text), "%.*s", STR_FMT(str_slice(cost, 0, COST_CELLS - 1)));
    if (d->has_cost)
        put_right(d, INK_PLAIN, COST_CELLS, str_is(cost, "0") ? "" : text);
}

/* What the step was about: its key, and what its kind adds. Returns the cells taken. */
static size_t put_title(const struct style *s, struct buf *out, const struct json *step, size_t max)
{
    struct str key = show_str(step, "key");
    struct str model = show_str(json_get(step, "info"), "model");
    size_t cells = style_foreign(out, s, INK_BOLD, key, max);
    if (model.len && cells + 4 < max && !str_eq(model, key)) {
        buf_char(out, ' ');
        cells += 1 + style_foreign(out, s, INK_DIM, model, max - cells - 1);
    }
    int64_t occurrence = show_i64(step, "occurrence");
    if (occurrence > 1 && cells + 8 < max && occurrence < 100000) {
        char text[STYLE_TEXT];
        snprintf(text, sizeof(text), " #%" PRId64, occurrence);
        style_put(out, s, INK_DIM, "%s", text);
        cells += strlen(text);
    }
    return cells;
}

static size_t left_of(const struct drawing *d)
{
    return 3 * ((size_t)d->depth + 1) + 2 + d->seq_cells + 1 + KIND_CELLS;
}

static void put_step_line(struct drawing *d, const struct json *step)
{
    struct str state = show_str(step, "state");
    size_t width = MAX(d->s->width, left_of(d) + right_cells(d) + TITLE_MIN);
    size_t room = width - left_of(d) - right_cells(d);
    put_rails(d, true);
    style_put(d->out, d->s, style_state_ink(state), "%s ", style_state_glyph(d->s, state));
    style_put(d->out, d->s, INK_DIM, "%*" PRId64 " ", (int)d->seq_cells, show_i64(step, "seq"));
    cells_pad(d->out, style_foreign(d->out, d->s, INK_CYAN, show_str(step, "kind"), KIND_CELLS - 1),
              KIND_CELLS);
    cells_pad(d->out, put_title(d->s, d->out, step, room), room);
    put_numbers(d, step);
    while (d->out->len && !d->s->colour && d->out->ptr[d->out->len - 1] == ' ')
        buf_truncate(d->out, d->out->len - 1);
    buf_char(d->out, '\n');
}

/* ---- what is said below a step --------------------------------------------------------------- */

/* Begins a line below a step; the room that is left on it. */
static size_t detail(struct drawing *d, bool has_children)
{
    size_t used = put_rails(d, false);
    if (has_children)
        style_put(d->out, d->s, INK_DIM, "%s", d->s->utf8 ? "\u2502" : "|");
    else
        buf_char(d->out, ' ');
    cells_pad(d->out, 1, 3 + d->seq_cells);
    used += 3 + d->seq_cells;
    return d->s->width > used + DETAIL_MIN ? d->s->width - used : DETAIL_MIN;
}

/* A list of names, cut at max cells. */
static void put_names(struct drawing *d, const struct json *list, size_t max)
{
    struct buf text;
    buf_init(&text, 8192);
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        if (!json_is(&list->array.items[i], JSON_STRING))
            continue;
        buf_cstr(&text, text.len ? ", " : "");
        buf_str_put(&text, str_slice(list->array.items[i].string, 0, 256));
    }
    style_foreign(d->out, d->s, INK_PLAIN, buf_str(&text), max);
    buf_release(&text);
}

static bool has_items(const struct json *list)
{
    return json_is(list, JSON_ARRAY) && list->array.count > 0;
}

/* Whether the step's own reason says no more than its decision. */
static bool is_reason_said(const struct json *step)
{
    return json_is(json_get(step, "allow"), JSON_BOOL) && !show_bool(step, "allow") &&
           (!has_items(json_get(step, "policies")) ||
            str_starts(show_str(step, "reason"), STR("denied by ")));
}

static void put_decision(struct drawing *d, const struct json *step, bool children)
{
    const struct json *allow = json_get(step, "allow"), *policies = json_get(step, "policies");
    struct str reason = show_str(step, "reason");
    if (!json_is(allow, JSON_BOOL))
        return;
    const char *said = !allow->boolean                                      ? "denied by "
                       : str_starts(show_str(step, "ask"), STR("propose:")) ? "put to people by "
                                                                            : "allowed by ";
    size_t room = detail(d, children);
    if (has_items(policies)) {
        style_put(d->out, d->s, allow->boolean ? INK_GREEN : INK_RED, "%s", said);
        put_names(d, policies, room - strlen(said));
    } else if (allow->boolean) {
        style_put(d->out, d->s, INK_GREEN, "allowed");
    } else {
        style_put(d->out, d->s, INK_RED, "denied: ");
        style_foreign(d->out, d->s, INK_PLAIN, reason.len ? reason : STR("no policy permits it"),
                      room - 8);
    }
    buf_char(d->out, '\n');
}

static void put_vote(struct drawing *d, const struct json *step, const struct json *vote,
                     bool children)
{
    char span[STYLE_TEXT];
    int64_t asked, at;
    size_t room = detail(d, children);
    bool yes = show_bool(vote, "approve");
    style_put(d->out, d->s, yes ? INK_GREEN : INK_RED, "%s", yes ? "approved by " : "rejected by ");
    size_t used = 12 + style_foreign(d->out, d->s, INK_BOLD, show_str(vote, "user"), 24);
    if (show_time(step, "askedAt", &asked) && show_time(vote, "at", &at)) {
        style_span(at - asked, span);
        style_put(d->out, d->s, INK_DIM, " after %s", span);
        used += 7 + strlen(span);
    }
    struct str comment = show_str(vote, "comment");
    if (comment.len && used + 10 < room) {
        buf_cstr(d->out, ": \"");
        style_foreign(d->out, d->s, INK_PLAIN, comment, room - used - 4);
        buf_char(d->out, '"');
    }
    buf_char(d->out, '\n');
}

static void put_gate(struct drawing *d, const struct json *step, bool children)
{
    const struct json *gate = json_get(step, "gate");
    const struct json *votes = json_get(gate, "votes");
    struct str state = show_str(gate, "state");
    if (!json_is(gate, JSON_OBJECT))
        return;
    size_t count = json_is(votes, JSON_ARRAY) ? votes->array.count : 0;
    for (size_t i = 0; i < count; i++)
        put_vote(d, step, &votes->array.items[i], children);
    if (str_is(state, "used") || (str_is(state, "approved") && count))
        return;
    size_t room = detail(d, children);
    style_put(d->out, d->s, style_state_ink(state), "gate ");
    style_foreign(d->out, d->s, style_state_ink(state), state, 12);
    if (str_is(state, "open") && room > 40)
        buf_fmt(d->out, ": %zu of %" PRId64 " said yes; reeve approve %" PRId64, count,
                show_i64(gate, "quorum"), show_i64(step, "approval"));
    buf_char(d->out, '\n');
}

static void put_reason(struct drawing *d, const struct json *step, bool children)
{
    struct str reason = show_str(step, "reason"), state = show_str(step, "state");
    bool is_unknown = str_is(state, "unknown");
    int64_t tries = show_i64(step, "tries");
    if (tries > 1) {
        detail(d, children);
        style_put(d->out, d->s, INK_YELLOW, "tried %" PRId64 " times", tries);
        buf_char(d->out, '\n');
    }
    if (!reason.len || is_reason_said(step))
        return;
    size_t room = detail(d, children);
    if (is_unknown)
        style_put(d->out, d->s, INK_YELLOW, "outcome unknown: ");
    style_foreign(d->out, d->s, str_is(state, "committed") ? INK_DIM : style_state_ink(state),
                  reason, is_unknown ? room - 17 : room);
    buf_char(d->out, '\n');
}

static void put_wake(struct drawing *d, const struct json *step, bool children)
{
    char ago[STYLE_TEXT], when[STYLE_TEXT];
    int64_t at;
    if (!show_time(step, "wakeAt", &at) || show_is_set(step, "endedAt"))
        return;
    (void)detail(d, children);
    style_put(d->out, d->s, INK_DIM, "until %s (%s)", style_time(d->s, at, when),
              style_ago(d->s, at, ago));
    buf_char(d->out, '\n');
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void put_steps(struct drawing *d, const struct json *trace);

static void put_child(struct drawing *d, const struct json *step, const struct json *child,
                      bool is_drawn)
{
    const struct json *run = json_get(child, "run");
    detail(d, is_drawn && has_items(json_get(child, "steps")));
    buf_fmt(d->out, "run %" PRId64 " ", show_i64(run, "run"));
    style_foreign(d->out, d->s, INK_BOLD, show_str(run, "workflow"), 30);
    buf_char(d->out, ' ');
    trace_put_state(run, d->s, d->out);
    buf_char(d->out, '\n');
    if (!is_drawn) {
        (void)detail(d, false);
        style_put(d->out, d->s, INK_DIM, "deeper: reeve run trace %" PRId64,
                  show_i64(step, "child"));
        buf_char(d->out, '\n');
        return;
    }
    d->depth++;
    put_steps(d, child); /* at most TRACE_DEPTH_MAX deep */
    d->depth--;
}

static void put_step(struct drawing *d, const struct json *step)
{
    const struct json *child = json_get(step, "trace");
    bool is_drawn = json_is(child, JSON_OBJECT) && d->depth < TRACE_DEPTH_MAX;
    bool children = is_drawn && has_items(json_get(child, "steps"));
    put_step_line(d, step);
    put_decision(d, step, children);
    put_gate(d, step, children);
    put_reason(d, step, children);
    put_wake(d, step, children);
    if (json_is(child, JSON_OBJECT))
        put_child(d, step, child, is_drawn);
}

/* The worker was ended, or died, and another one went on; some made no step. */
static void put_attempt(struct drawing *d, int64_t before, int64_t attempt)
{
    bool is_one = attempt - before == 1;
    put_rails(d, true);
    style_on(d->out, d->s, INK_YELLOW);
    buf_fmt(d->out, "%s attempt%s %" PRId64, d->s->utf8 ? "\u21bb" : "@", is_one ? "" : "s",
            before + 1);
    if (!is_one)
        buf_fmt(d->out, " to %" PRId64, attempt);
    style_off(d->out, d->s, INK_YELLOW);
    style_put(d->out, d->s, INK_DIM, "%sa new worker goes on from the journal", trace_dot(d->s));
    buf_char(d->out, '\n');
}

static int64_t attempt_of(const struct json *step)
{
    int64_t n = show_i64(step, "attempt");
    return n < 0 || n > INT32_MAX ? 0 : n;
}

static void put_steps(struct drawing *d, const struct json *trace)
{
    const struct json *steps = json_get(trace, "steps");
    size_t count = json_is(steps, JSON_ARRAY) ? steps->array.count : 0;
    int64_t attempt = count ? attempt_of(&steps->array.items[0]) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct json *step = &steps->array.items[i];
        d->goes_on[d->depth] = true;
        if (attempt_of(step) > attempt) {
            put_attempt(d, attempt, attempt_of(step));
            attempt = attempt_of(step);
        }
        d->goes_on[d->depth] = i + 1 < count;
        put_step(d, step);
    }
}

/* Which columns there is something for, and how wide the numbers of steps are. */
static void look_over(struct drawing *d, const struct json *trace, unsigned depth)
{
    const struct json *steps = json_get(trace, "steps");
    for (size_t i = 0; json_is(steps, JSON_ARRAY) && i < steps->array.count; i++) {
        const struct json *step = &steps->array.items[i];
        char seq[24];
        int cells = snprintf(seq, sizeof(seq), "%" PRId64, show_i64(step, "seq"));
        d->seq_cells = MAX(d->seq_cells, (size_t)cells);
        d->has_tokens |= show_i64(step, "inputTokens") || show_i64(step, "outputTokens");
        d->has_cost |= !str_is(show_number(step, "cost"), "0");
        if (depth < TRACE_DEPTH_MAX)
            look_over(d, json_get(step, "trace"), depth + 1);
    }
    if (d->s->width < 72)
        d->has_tokens = d->has_cost = false;
}

static void put_headings(struct drawing *d)
{
    size_t width = MAX(d->s->width, left_of(d) + right_cells(d) + TITLE_MIN);
    style_on(d->out, d->s, INK_DIM);
    cells_pad(d->out, 0, left_of(d) - KIND_CELLS);
    buf_cstr(d->out, "step");
    cells_pad(d->out, left_of(d) - KIND_CELLS + 4, width - right_cells(d));
    buf_fmt(d->out, "%*s%*s", (int)AT_CELLS, "at", (int)TOOK_CELLS, "took");
    if (d->has_tokens)
        buf_fmt(d->out, "%*s", (int)TOKENS_CELLS, "tokens");
    if (d->has_cost)
        buf_fmt(d->out, "%*s", (int)COST_CELLS, "cost");
    style_off(d->out, d->s, INK_DIM);
    buf_char(d->out, '\n');
}

static void put_log(const struct json *trace, const struct style *s, struct buf *out)
{
    const struct json *lines = json_get(trace, "log");
    size_t count = json_is(lines, JSON_ARRAY) ? lines->array.count : 0;
    size_t from = count > LOG_LINES ? count - LOG_LINES : 0;
    char clock[STYLE_TEXT];
    int64_t at, dropped = MIN(show_i64(trace, "logDropped"), INT64_C(1000000000));
    if (!count)
        return;
    style_put(out, s, INK_DIM, "\nlog");
    if (from || dropped)
        style_put(out, s, INK_DIM, " (the last %zu lines; %" PRId64 " before them%s)", count - from,
                  (int64_t)from + dropped, from ? ": see --json" : "");
    buf_char(out, '\n');
    for (size_t i = from; i < count; i++) {
        const struct json *line = &lines->array.items[i];
        struct str level = show_str(line, "level");
        bool is_bad = str_is(level, "error") || str_is(level, "warn");
        style_put(out, s, INK_DIM, "  %s ",
                  show_time(line, "at", &at) ? style_clock(s, at, clock) : "        ");
        cells_pad(out, style_foreign(out, s, is_bad ? INK_YELLOW : INK_DIM, level, 5), 6);
        cells_pad(out, style_foreign(out, s, INK_CYAN, show_str(line, "unit"), 14), 15);
        style_foreign(out, s, INK_PLAIN, show_str(line, "text"), MAX(s->width, 52u) - 32);
        buf_char(out, '\n');
    }
}

void trace_put(const struct json *trace, const struct json *details, const struct style *s,
               struct buf *out)
{
    const struct json *run = json_get(trace, "run");
    struct drawing d = {.s = s, .out = out, .seq_cells = 2};
    if (!show_time(run, "createdAt", &d.began_ms))
        d.began_ms = 0;
    trace_put_head(run, s, out);
    look_over(&d, trace, 0);
    if (has_items(json_get(trace, "steps"))) {
        buf_char(out, '\n');
        put_headings(&d);
        put_steps(&d, trace);
    }
    if (show_bool(trace, "cut"))
        style_put(out, s, INK_YELLOW, "only the first steps are shown: reeve run steps has all\n");
    if (show_is_set(details, "result")) {
        style_put(out, s, INK_DIM, "\nresult  ");
        style_foreign(out, s, INK_PLAIN, json_get(details, "result")->raw, 4 * s->width);
        buf_char(out, '\n');
    }
    put_log(trace, s, out);
}

void trace_put_step_line(const struct json *step, int64_t began_ms, const struct style *s,
                         struct buf *out)
{
    struct drawing d = {.s = s, .out = out, .seq_cells = 3, .began_ms = began_ms};
    struct str state = show_str(step, "state");
    d.has_tokens = s->width >= 72;
    size_t fixed = 2 + d.seq_cells + 1 + KIND_CELLS + right_cells(&d) + 11;
    size_t room = MAX(s->width, fixed + TITLE_MIN) - fixed;
    style_put(out, s, style_state_ink(state), "%s ", style_state_glyph(s, state));
    style_put(out, s, INK_DIM, "%*" PRId64 " ", (int)d.seq_cells, show_i64(step, "seq"));
    cells_pad(out, style_foreign(out, s, INK_CYAN, show_str(step, "kind"), KIND_CELLS - 1),
              KIND_CELLS);
    cells_pad(out, put_title(s, out, step, room), room + 1);
    cells_pad(out, style_foreign(out, s, style_state_ink(state), state, 10), 10);
    put_numbers(&d, step);
    while (out->len && !s->colour && out->ptr[out->len - 1] == ' ')
        buf_truncate(out, out->len - 1);
    buf_char(out, '\n');
    struct str reason = show_str(step, "reason");
    if (reason.len) {
        buf_cstr(out, "      ");
        style_foreign(out, s, style_state_ink(state), reason, MAX(s->width, 40u) - 6);
        buf_char(out, '\n');
    }
}
