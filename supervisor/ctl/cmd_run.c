/*
 * cmd_run.c: the commands about runs. Runs in reeve.
 */
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/table.h"
#include "supervisor/ctl/trace.h"

#include "policy/ask.h"

/* ---- lists ----------------------------------------------------------------------------------- */

struct rows {
    struct ctl *c;
    struct table table;
};

static void add_when(struct rows *r, const struct json *row, const char *name)
{
    char text[STYLE_TEXT];
    int64_t at;
    bool has = show_time(row, name, &at);
    table_add(&r->table, INK_PLAIN, has ? str_of(style_ago(&r->c->style, at, text)) : STR_NONE);
}

static void add_state(struct rows *r, const struct json *row)
{
    struct str state = show_str(row, "state"), wait = show_str(row, "wait");
    bool waits = str_is(state, "waiting") && wait.len && !str_is(wait, "none");
    table_fmt(&r->table, style_state_ink(state), "%s %.*s%s%.*s",
              style_state_glyph(&r->c->style, state), STR_FMT(state), waits ? ": " : "",
              STR_FMT(waits ? wait : STR_NONE));
}

static void add_took(struct rows *r, const struct json *row)
{
    char text[STYLE_TEXT];
    int64_t from, to;
    bool has = show_time(row, "createdAt", &from) && show_time(row, "endedAt", &to);
    table_add(&r->table, INK_PLAIN, has ? str_of(style_span(to - from, text)) : STR_NONE);
}

static void run_row(void *arg, const struct json *run)
{
    struct rows *r = arg;
    struct str cost = show_number(run, "cost"), reason = show_str(run, "reason");
    table_fmt(&r->table, INK_BOLD, "%" PRId64, show_i64(run, "run"));
    struct str mode = show_str(run, "mode");
    bool is_apart =
        str_is(mode, "dry") || str_is(mode, "replay"); /* nothing that it does is real */
    add_state(r, run);
    table_fmt(&r->table, is_apart ? INK_DIM : INK_PLAIN, "%.*s%s%.*s%s",
              STR_FMT(show_str(run, "workflow")), is_apart ? " (" : "",
              STR_FMT(is_apart ? mode : STR_NONE), is_apart ? ")" : "");
    table_add(&r->table, INK_PLAIN, show_str(run, "tenant"));
    add_when(r, run, "createdAt");
    add_took(r, run);
    table_fmt(&r->table, INK_PLAIN, "%" PRId64, show_i64(run, "steps"));
    table_add(&r->table, INK_PLAIN, str_is(cost, "0") ? STR_NONE : cost);
    table_add(&r->table, INK_DIM, reason);
}

static int put_list(struct ctl *c, struct rows *r, const struct ctl_list *l, const char *none)
{
    bool more = false;
    int code = ctl_list(c, l, &more);
    if (!code && !c->json) {
        if (!r->table.cell_count)
            buf_fmt(&c->out, "%s\n", none);
        table_put(&r->table, &c->style, &c->out);
        if (more)
            style_put(&c->out, &c->style, INK_DIM, "there are more: --all, or --limit N\n");
    }
    table_release(&r->table);
    return code;
}

int cmd_runs(struct ctl *c)
{
    static const struct table_column COLUMNS[] = {
        {"RUN", true, false},    {"STATE", false, false}, {"WORKFLOW", false, true},
        {"TENANT", false, true}, {"BEGAN", false, false}, {"TOOK", true, false},
        {"STEPS", true, false},  {"COST", true, false},   {"WHY", false, true},
    };
    struct rows r = {.c = c};
    struct buf path;
    char *text;
    size_t len;
    table_init(&r.table, COLUMNS, ARRAY_LEN(COLUMNS));
    buf_init(&path, 2048);
    buf_cstr(&path, "/v1/runs");
    ctl_query(&path, "state", args_get(&c->args, OPTION_STATE));
    ctl_query(&path, "workflow", args_get(&c->args, OPTION_WORKFLOW));
    ctl_query(&path, "tenant", args_get(&c->args, OPTION_TENANT));
    ctl_query(&path, "limit", args_get(&c->args, OPTION_LIMIT));
    text = buf_take(&path, &len);
    if (!text)
        return ctl_usage(c, "the options are too long");
    struct ctl_list l = {text, "runs", "cursor", NULL, run_row, &r};
    int code = put_list(c, &r, &l, "no runs");
    free(text);
    return code;
}

static void step_row(void *arg, const struct json *step)
{
    struct rows *r = arg;
    char text[STYLE_TEXT];
    struct str state = show_str(step, "state");
    table_fmt(&r->table, INK_BOLD, "%" PRId64, show_i64(step, "seq"));
    table_add(&r->table, INK_CYAN, show_str(step, "kind"));
    table_add(&r->table, INK_PLAIN, show_str(step, "key"));
    table_fmt(&r->table, style_state_ink(state), "%s %.*s", style_state_glyph(&r->c->style, state),
              STR_FMT(state));
    add_when(r, step, "askedAt");
    table_add(&r->table, INK_PLAIN,
              show_is_set(step, "ms") ? str_of(style_span(show_i64(step, "ms"), text)) : STR_NONE);
    table_fmt(&r->table, INK_PLAIN, "%" PRId64, show_i64(step, "attempt"));
    table_add(&r->table, INK_DIM, show_str(step, "reason"));
}

int cmd_run_steps(struct ctl *c)
{
    static const struct table_column COLUMNS[] = {
        {"STEP", true, false},    {"KIND", false, false},  {"KEY", false, true},
        {"STATE", false, false},  {"ASKED", false, false}, {"TOOK", true, false},
        {"ATTEMPT", true, false}, {"WHY", false, true},
    };
    struct rows r = {.c = c};
    struct buf path;
    int64_t run;
    char *text;
    size_t len;
    int code = ctl_id(c, 0, "RUN", &run);
    if (code)
        return code;
    table_init(&r.table, COLUMNS, ARRAY_LEN(COLUMNS));
    buf_init(&path, 2048);
    buf_fmt(&path, "/v1/runs/%" PRId64 "/steps", run);
    ctl_query(&path, "limit", args_get(&c->args, OPTION_LIMIT));
    text = buf_take(&path, &len);
    if (!text)
        return ctl_usage(c, "the options are too long");
    struct ctl_list l = {text, "steps", "after", args_get(&c->args, OPTION_AFTER), step_row, &r};
    code = put_list(c, &r, &l, "no steps yet");
    free(text);
    return code;
}

/* ---- one run --------------------------------------------------------------------------------- */

static void put_document(struct ctl *c, const char *name, const struct json *doc)
{
    if (!doc || doc->type == JSON_NULL)
        return;
    const struct json *cut = json_get(doc, "$cut");
    style_put(&c->out, &c->style, INK_DIM, "\n%s\n  ", name);
    style_foreign(&c->out, &c->style, INK_PLAIN, cut ? show_str(cut, "text") : doc->raw, 4000);
    if (cut)
        style_put(&c->out, &c->style, INK_DIM,
                  "\n  (cut: %" PRId64 " bytes in all; see --json or --whole)",
                  show_i64(cut, "bytes"));
    buf_char(&c->out, '\n');
}

static void put_open_gates(struct ctl *c, const struct json *run)
{
    const struct json *list = json_get(run, "approvals");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        const struct json *a = &list->array.items[i];
        style_put(&c->out, &c->style, INK_YELLOW, "  waits   ");
        buf_fmt(&c->out, "approval %" PRId64 ": ", show_i64(a, "approval"));
        style_foreign(&c->out, &c->style, INK_BOLD, show_str(a, "what"), 60);
        buf_fmt(&c->out, "  (reeve approval %" PRId64 ")\n", show_i64(a, "approval"));
    }
}

static void put_children(struct ctl *c, const struct json *run)
{
    const struct json *list = json_get(run, "children");
    if (!json_is(list, JSON_ARRAY) || !list->array.count)
        return;
    style_put(&c->out, &c->style, INK_DIM, "  runs    ");
    for (size_t i = 0; i < list->array.count && i < 50; i++)
        buf_fmt(&c->out, "%s%.*s", i ? ", " : "", STR_FMT(list->array.items[i].raw));
    buf_char(&c->out, '\n');
}

int cmd_run_show(struct ctl *c)
{
    const struct json *run = NULL;
    int64_t id;
    int code = ctl_id(c, 0, "RUN", &id);
    if (!code)
        code = ctl_get(c, &run, "/v1/runs/%" PRId64, id);
    if (ctl_is_told(c, code, run))
        return code;
    trace_put_head(run, &c->style, &c->out);
    put_open_gates(c, run);
    put_children(c, run);
    put_document(c, "result", json_get(run, "result"));
    put_document(c, "event", json_path(run, "event.envelope"));
    return CTL_GOOD;
}

int cmd_run_trace(struct ctl *c)
{
    const struct json *trace = NULL, *run = NULL;
    int64_t id;
    int code = ctl_id(c, 0, "RUN", &id);
    if (!code)
        code = ctl_get(c, &trace, "/v1/runs/%" PRId64 "/trace", id);
    if (ctl_is_told(c, code, trace))
        return code;
    code = ctl_get(c, &run, "/v1/runs/%" PRId64, id);
    if (!code)
        trace_put(trace, run, &c->style, &c->out);
    return code;
}

static void put_decisions(struct ctl *c, const struct json *list)
{
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        const struct json *d = &list->array.items[i];
        bool allow = show_bool(d, "allow");
        style_put(&c->out, &c->style, allow ? INK_GREEN : INK_RED, "  %s ",
                  allow ? "allow" : "deny ");
        style_foreign(&c->out, &c->style, INK_BOLD, show_str(d, "ask"), 60);
        const struct json *policies = json_get(d, "policies"), *errors = json_get(d, "errors");
        for (size_t p = 0; json_is(policies, JSON_ARRAY) && p < policies->array.count; p++) {
            buf_cstr(&c->out, p ? ", " : "  by ");
            if (json_is(&policies->array.items[p], JSON_STRING))
                style_foreign(&c->out, &c->style, INK_PLAIN, policies->array.items[p].string, 128);
        }
        style_put(&c->out, &c->style, INK_DIM, "  policy set ");
        style_foreign(&c->out, &c->style, INK_DIM, str_slice(show_str(d, "policy"), 0, 12), 12);
        buf_char(&c->out, '\n');
        for (size_t e = 0; json_is(errors, JSON_ARRAY) && e < errors->array.count; e++) {
            style_put(&c->out, &c->style, INK_RED, "        error ");
            style_foreign(&c->out, &c->style, INK_PLAIN, errors->array.items[e].raw, 400);
            buf_char(&c->out, '\n');
        }
    }
}

int cmd_run_step(struct ctl *c)
{
    const struct json *step = NULL;
    int64_t run, seq;
    int code = ctl_id(c, 0, "RUN", &run);
    if (!code)
        code = ctl_id(c, 1, "STEP", &seq);
    if (!code)
        code = ctl_get(c, &step, "/v1/runs/%" PRId64 "/steps/%" PRId64 "%s", run, seq,
                       args_has(&c->args, OPTION_WHOLE) ? "?whole=1" : "");
    if (ctl_is_told(c, code, step))
        return code;
    style_put(&c->out, &c->style, INK_BOLD, "run %" PRId64 ", step %" PRId64 "\n", run, seq);
    trace_put_step_line(step, 0, &c->style, &c->out);
    put_decisions(c, json_get(step, "decisions"));
    put_document(c, "request", json_get(step, "request"));
    put_document(c, "outcome", json_get(step, "outcome"));
    return CTL_GOOD;
}

/* ---- why ------------------------------------------------------------------------------------- */

/* Recorded facts are kept once for the asks of a call: the decision says which ask it was. */
static int ask_again(struct ctl *c, const struct json *decision, const struct house *house)
{
    struct facts f;
    struct err err = ERR_INIT;
    const struct json *facts = json_get(decision, "facts");
    if (!json_is(facts, JSON_OBJECT) || json_get(facts, "$cut"))
        return CTL_GOOD;
    int res = facts_parse(facts->raw, &c->arena, &f, &err);
    if (res >= 0)
        res = facts_ask_of(show_str(decision, "ask"), &f.ask)
                  ? 0
                  : err_set(&err, EINVAL, "an ask that is not known here");
    if (res >= 0)
        res = ask_explain(house, &f, (struct strs){NULL, 0}, &c->out, &err);
    return res < 0 ? ctl_fail_err(c, CTL_FAILED, &err) : CTL_GOOD;
}

/* The set that decided, from the store; NULL when it is not kept any more. */
static struct house *recorded_set(struct ctl *c, struct str digest)
{
    const struct json *answer = NULL;
    struct diags diags;
    struct house *house = NULL;
    struct err err = ERR_INIT;
    if (digest.len != 64 || ctl_get(c, &answer, "/v1/policy?digest=%.*s", STR_FMT(digest)))
        return NULL;
    diags_init(&diags);
    const struct json *set = json_get(answer, "set");
    if (!json_is(set, JSON_OBJECT) || house_parse_texts(set->raw, &diags, &house, &err) < 0)
        house = NULL;
    diags_release(&diags);
    return house;
}

static int explain_one(struct ctl *c, const struct json *d, const struct house *other)
{
    const struct json one = {.type = JSON_ARRAY, .array = {d, 1}};
    put_decisions(c, &one);
    if (other)
        return ask_again(c, d, other);
    struct house *own = recorded_set(c, show_str(d, "policy"));
    int code = CTL_GOOD;
    if (own)
        code = ask_again(c, d, own);
    else
        put_document(c, "facts", json_get(d, "facts"));
    house_unref(own);
    return code;
}

int cmd_explain(struct ctl *c)
{
    const struct json *answer = NULL;
    struct house *house = NULL;
    int64_t run, seq;
    int code = ctl_id(c, 0, "RUN", &run);
    if (!code)
        code = ctl_id(c, 1, "STEP", &seq);
    if (!code)
        code = ctl_get(c, &answer, "/v1/runs/%" PRId64 "/steps/%" PRId64 "/explain", run, seq);
    if (ctl_is_told(c, code, answer))
        return code;
    if (args_get(&c->args, OPTION_POLICY))
        code = ctl_load_house(c, args_get(&c->args, OPTION_POLICY), &house);
    const struct json *list = json_get(answer, "decisions");
    if (!code && json_is(list, JSON_ARRAY) && !list->array.count)
        buf_cstr(&c->out, "no policy was asked about this step\n");
    if (!code)
        for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count && !code; i++)
            code = explain_one(c, &list->array.items[i], house);
    house_unref(house);
    return code;
}

/* ---- changes --------------------------------------------------------------------------------- */

static int change_run(struct ctl *c, const char *verb, const char *done)
{
    const struct json *answer = NULL;
    const char *reason = args_get(&c->args, OPTION_REASON);
    struct buf body;
    struct jout j;
    int64_t id;
    int code = ctl_id(c, 0, "RUN", &id);
    if (code)
        return code;
    buf_init(&body, 1u << 16);
    jout_begin(&j, &body);
    jout_object(&j);
    if (reason)
        jout_m_cstr(&j, "reason", reason);
    jout_object_end(&j);
    if (jout_end(&j) < 0)
        code = ctl_usage(c, "--reason: must be UTF-8 text of at most 16 KiB");
    if (!code)
        code = ctl_post(c, buf_str(&body), "application/json", &answer, "/v1/runs/%" PRId64 "/%s",
                        id, verb);
    buf_release(&body);
    if (!ctl_is_told(c, code, answer))
        buf_fmt(&c->out, "run %" PRId64 ": %s\n", id, done);
    return code;
}

int cmd_run_cancel(struct ctl *c)
{
    return change_run(c, "cancel", "cancelled");
}

int cmd_run_pause(struct ctl *c)
{
    return change_run(c, "pause", "paused");
}

int cmd_run_resume(struct ctl *c)
{
    return change_run(c, "resume", "goes on");
}

int cmd_run_redrive(struct ctl *c)
{
    return change_run(c, "redrive", "is tried again");
}
