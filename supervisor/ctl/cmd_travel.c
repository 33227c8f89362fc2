/*
 * cmd_travel.c: time travel: forks, replays, and two runs side by side. Runs in reeve; what is in
 * the answers was written by workers and is shown as such.
 */
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/table.h"

#include "policy/text/num.h"
#include "sandbox/os/sys.h"

#define DOC_CELLS 2000
#define TRIES_MAX 1200 /* of 250 ms, for a replay to end */

static int post(struct ctl *c, const char *body, const struct json **ret, int64_t *ret_run,
                int64_t run, const char *verb)
{
    int code =
        ctl_post(c, str_of(body), "application/json", ret, "/v1/runs/%" PRId64 "/%s", run, verb);
    if (!code)
        *ret_run = show_i64(*ret, "run");
    return code;
}

int cmd_run_fork(struct ctl *c)
{
    const struct json *answer = NULL;
    const char *from = args_get(&c->args, OPTION_FROM);
    bool dry = args_has(&c->args, OPTION_DRY);
    char body[80];
    int64_t run, step, fork = 0;
    int code = ctl_id(c, 0, "RUN", &run);
    if (code)
        return code;
    if (!from || num_i64(str_of(from), &step) < 0 || step < 1)
        return ctl_usage(c, "--from STEP: expected the number of the first step to be done anew");
    snprintf(body, sizeof(body), "{\"from\":%" PRId64 "%s}", step, dry ? ",\"dry\":true" : "");
    if ((code = post(c, body, &answer, &fork, run, "fork")))
        return code;
    bool follow = args_has(&c->args, OPTION_FOLLOW);
    if (c->json && !follow)
        ctl_put_json(c, answer);
    else if (!c->json)
        buf_fmt(&c->out, "run %" PRId64 ": forked from run %" PRId64 " step %" PRId64 "%s\n", fork,
                run, step, dry ? ", dry" : "");
    if (!follow)
        return CTL_GOOD;
    code = ctl_flush(c);
    return code ? code : ctl_follow(c, fork);
}

/* ---- replay ---------------------------------------------------------------------------------- */

static void put_ask(struct ctl *c, const char *who, const struct json *ask)
{
    buf_cstr(&c->out, "  ");
    style_put(&c->out, &c->style, INK_DIM, "%-9s", who);
    if (!json_is(ask, JSON_OBJECT)) {
        buf_cstr(&c->out, "nothing\n");
        return;
    }
    if (show_i64(ask, "step"))
        buf_fmt(&c->out, "step %" PRId64 " ", show_i64(ask, "step"));
    style_foreign(&c->out, &c->style, INK_CYAN, show_str(ask, "kind"), 20);
    buf_char(&c->out, ' ');
    style_foreign(&c->out, &c->style, INK_BOLD, show_str(ask, "key"), 80);
    buf_cstr(&c->out, "\n           ");
    const struct json *request = json_get(ask, "request");
    if (request)
        style_foreign(&c->out, &c->style, INK_PLAIN, request->raw, DOC_CELLS);
    buf_char(&c->out, '\n');
}

static void put_report(struct ctl *c, int64_t origin, const struct json *run)
{
    const struct json *report = json_get(run, "result");
    bool same = show_bool(report, "same");
    struct str state = show_str(run, "state");
    style_put(&c->out, &c->style, same ? INK_GREEN : INK_RED, "%s ",
              style_state_glyph(&c->style, state));
    buf_fmt(&c->out, "replay of run %" PRId64 " (run %" PRId64 "): ", origin, show_i64(run, "run"));
    style_foreign(&c->out, &c->style, INK_PLAIN,
                  show_str(report, "end").len ? show_str(report, "end") : show_str(run, "reason"),
                  DOC_CELLS);
    buf_char(&c->out, '\n');
    if (json_is(report, JSON_OBJECT))
        buf_fmt(&c->out, "  %" PRId64 " of %" PRId64 " recorded steps were asked for again\n",
                show_i64(report, "steps"), show_i64(report, "recorded"));
    const struct json *d = json_get(report, "divergence");
    if (json_is(d, JSON_OBJECT)) {
        put_ask(c, "recorded", json_get(d, "recorded"));
        put_ask(c, "asked", json_get(d, "asked"));
    }
}

static bool is_over(const struct json *run)
{
    struct str s = show_str(run, "state");
    return str_is(s, "succeeded") || str_is(s, "failed") || str_is(s, "cancelled") ||
           str_is(s, "dead");
}

int ctl_replay(struct ctl *c, int64_t origin, const struct json **ret_run)
{
    const struct json *answer, *run = NULL;
    int64_t replay = 0;
    int code = post(c, "{}", &answer, &replay, origin, "replay");
    for (int i = 0; !code && i < TRIES_MAX; i++) {
        code = ctl_get(c, &run, "/v1/runs/%" PRId64, replay);
        if (code || is_over(run))
            break;
        (void)sys.poll(NULL, 0, i < 20 ? 20 : 250);
    }
    if (code)
        return code;
    if (!run || !is_over(run))
        return ctl_fail(c, CTL_FAILED, "run %" PRId64 ", the replay, has not ended yet", replay);
    *ret_run = run;
    return CTL_GOOD;
}

int cmd_run_replay(struct ctl *c)
{
    const struct json *run = NULL;
    int64_t origin;
    int code = ctl_id(c, 0, "RUN", &origin);
    if (!code)
        code = ctl_replay(c, origin, &run);
    if (code)
        return code;
    if (c->json)
        ctl_put_json(c, run);
    else
        put_report(c, origin, run);
    return show_bool(json_get(run, "result"), "same") ? CTL_GOOD : CTL_FAILED;
}

/* ---- diff ------------------------------------------------------------------------------------ */

static void add_seq(struct table *t, const struct json *pair, const char *name)
{
    if (show_is_set(pair, name))
        table_fmt(t, INK_BOLD, "%" PRId64, show_i64(pair, name));
    else
        table_add(t, INK_DIM, STR("-"));
}

static void add_differs(struct table *t, const struct json *pair)
{
    const struct json *list = json_get(pair, "differs");
    char text[80] = "";
    size_t n = 0;
    if (!show_is_set(pair, "a") || !show_is_set(pair, "b")) {
        table_add(t, INK_YELLOW, show_is_set(pair, "a") ? STR("only in A") : STR("only in B"));
        return;
    }
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count && n < 60; i++)
        n += (size_t)snprintf(
            text + n, sizeof(text) - n, "%s%.12s", i ? ", " : "",
            json_is(&list->array.items[i], JSON_STRING) ? list->array.items[i].string.ptr : "?");
    table_add(t, n ? INK_YELLOW : INK_DIM,
              n                          ? (struct str){text, n}
              : show_bool(pair, "moved") ? STR("same, elsewhere")
                                         : STR("same"));
}

static void pair_row(struct ctl *c UNUSED, struct table *t, const struct json *pair)
{
    add_seq(t, pair, "a");
    add_seq(t, pair, "b");
    table_add(t, INK_CYAN, show_str(pair, "kind"));
    table_add(t, INK_PLAIN, show_str(pair, "key"));
    add_differs(t, pair);
}

static void put_pairs(struct ctl *c, const struct json *answer)
{
    static const struct table_column COLUMNS[] = {{"A", true, false},
                                                  {"B", true, false},
                                                  {"KIND", false, false},
                                                  {"KEY", false, true},
                                                  {"DIFFERS", false, false}};
    static const struct ctl_rows ROWS = {
        .columns = COLUMNS, .column_count = ARRAY_LEN(COLUMNS), .member = "steps", .row = pair_row};
    ctl_put_rows(c, &ROWS, answer);
}

static void put_doc(struct ctl *c, const char *name, const struct json *doc)
{
    if (!doc || doc->type == JSON_NULL)
        return;
    const struct json *cut = json_get(doc, "$cut");
    style_put(&c->out, &c->style, INK_DIM, "    %-8s ", name);
    style_foreign(&c->out, &c->style, INK_PLAIN, cut ? show_str(cut, "text") : doc->raw, DOC_CELLS);
    buf_char(&c->out, '\n');
}

static void put_side(struct ctl *c, const char *which, const struct json *run,
                     const struct json *step)
{
    buf_fmt(&c->out, "  %s, run %" PRId64 ": ", which, show_i64(run, "run"));
    if (!json_is(step, JSON_OBJECT)) {
        buf_cstr(&c->out, "no such step\n");
        return;
    }
    struct str state = show_str(step, "state");
    buf_fmt(&c->out, "step %" PRId64 " ", show_i64(step, "seq"));
    style_foreign(&c->out, &c->style, INK_CYAN, show_str(step, "kind"), 20);
    buf_char(&c->out, ' ');
    style_foreign(&c->out, &c->style, INK_BOLD, show_str(step, "key"), 80);
    buf_char(&c->out, ' ');
    style_foreign(&c->out, &c->style, style_state_ink(state), state, 20);
    buf_char(&c->out, '\n');
    put_doc(c, "request", json_get(step, "request"));
    put_doc(c, "outcome", json_get(step, "outcome"));
}

static void put_ends(struct ctl *c, const struct json *answer)
{
    const struct json *a = json_get(answer, "a"), *b = json_get(answer, "b");
    if (show_bool(answer, "same")) {
        buf_cstr(&c->out, "the same, step by step\n");
        return;
    }
    const struct json *first = json_get(answer, "first");
    if (json_is(first, JSON_OBJECT)) {
        buf_cstr(&c->out, "the first difference:\n");
        put_side(c, "A", a, json_get(first, "a"));
        put_side(c, "B", b, json_get(first, "b"));
    }
    struct str one = show_str(a, "state"), other = show_str(b, "state");
    buf_cstr(&c->out, "the ends: A ");
    style_foreign(&c->out, &c->style, style_state_ink(one), one, 20);
    buf_cstr(&c->out, ", B ");
    style_foreign(&c->out, &c->style, style_state_ink(other), other, 20);
    buf_cstr(&c->out,
             show_bool(answer, "sameResult") ? ", the same result\n" : ", other results\n");
    if (show_bool(answer, "cut"))
        style_put(&c->out, &c->style, INK_DIM, "long runs: only their first steps were compared\n");
}

int cmd_run_diff(struct ctl *c)
{
    const struct json *answer = NULL;
    int64_t a, b;
    int code = ctl_id(c, 0, "A", &a);
    if (!code)
        code = ctl_id(c, 1, "B", &b);
    if (!code)
        code = ctl_get(c, &answer, "/v1/runs/%" PRId64 "/diff/%" PRId64, a, b);
    if (code)
        return code;
    if (c->json) {
        ctl_put_json(c, answer);
    } else {
        put_pairs(c, answer);
        put_ends(c, answer);
    }
    return show_bool(answer, "same") ? CTL_GOOD : CTL_FAILED;
}
