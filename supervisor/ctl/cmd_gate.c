/*
 * cmd_gate.c: what waits for people, and their word on it. Runs in reeve. What a person decides on
 * is shown as it is: the tool and the exact arguments, not a summary of a model's.
 */
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/table.h"

#define RESULT_MAX (512u << 10)

struct rows {
    struct ctl *c;
    struct table table;
};

static size_t votes_of(const struct json *approval)
{
    const struct json *votes = json_get(approval, "votes");
    size_t yes = 0;
    for (size_t i = 0; json_is(votes, JSON_ARRAY) && i < votes->array.count; i++)
        yes += show_bool(&votes->array.items[i], "approve");
    return yes;
}

/* One clause: any one of these groups. */
static void put_clause(const struct json *clause, struct buf *out)
{
    if (json_is(clause, JSON_STRING))
        buf_str_put(out, str_slice(clause->string, 0, 200));
    for (size_t i = 0; json_is(clause, JSON_ARRAY) && i < clause->array.count; i++) {
        buf_cstr(out, i ? " or " : "");
        if (json_is(&clause->array.items[i], JSON_STRING))
            buf_str_put(out, str_slice(clause->array.items[i].string, 0, 200));
    }
}

/* Who may decide: a list of clauses that must all be met, by itself or as a member of the gate. */
static void put_approvers(const struct json *gate, struct buf *out)
{
    const struct json *list = json_is(gate, JSON_OBJECT) ? json_get(gate, "approvers") : gate;
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        buf_cstr(out, i ? ", and " : "");
        put_clause(&list->array.items[i], out);
    }
}

static void row(void *arg, const struct json *a)
{
    struct rows *r = arg;
    char text[STYLE_TEXT];
    struct str state = show_str(a, "state");
    const struct json *arguments = json_get(a, "arguments");
    int64_t at;
    table_fmt(&r->table, INK_BOLD, "%" PRId64, show_i64(a, "approval"));
    table_fmt(&r->table, style_state_ink(state), "%s %.*s", style_state_glyph(&r->c->style, state),
              STR_FMT(state));
    table_fmt(&r->table, INK_PLAIN, "%" PRId64, show_i64(a, "run"));
    table_add(&r->table, INK_PLAIN, show_str(a, "workflow"));
    table_add(&r->table, INK_BOLD, show_str(a, "what"));
    table_fmt(&r->table, INK_PLAIN, "%zu/%" PRId64, votes_of(a), show_i64(a, "quorum"));
    table_add(&r->table, INK_PLAIN,
              show_time(a, "createdAt", &at) ? str_of(style_ago(&r->c->style, at, text))
                                             : STR_NONE);
    table_add(&r->table, INK_YELLOW,
              show_time(a, "expiresAt", &at) && str_is(state, "open")
                  ? str_of(style_ago(&r->c->style, at, text))
                  : STR_NONE);
    table_add(&r->table, INK_DIM, arguments ? arguments->raw : STR_NONE);
}

int cmd_approvals(struct ctl *c)
{
    static const struct table_column COLUMNS[] = {
        {"ID", true, false},       {"STATE", false, false},   {"RUN", true, false},
        {"WORKFLOW", false, true}, {"WHAT", false, false},    {"YES", true, false},
        {"ASKED", false, false},   {"EXPIRES", false, false}, {"ARGUMENTS", false, true},
    };
    struct rows r = {.c = c};
    struct buf path;
    bool more = false;
    const char *state = args_get(&c->args, OPTION_STATE);
    if (!state && !args_has(&c->args, OPTION_ALL))
        state = "open";
    table_init(&r.table, COLUMNS, ARRAY_LEN(COLUMNS));
    buf_init(&path, 2048);
    buf_cstr(&path, "/v1/approvals");
    ctl_query(&path, "state", state);
    ctl_query(&path, "limit", args_get(&c->args, OPTION_LIMIT));
    buf_char(&path, 0);
    if (buf_status(&path) < 0) {
        buf_release(&path);
        return ctl_usage(c, "the options are too long");
    }
    struct ctl_list l = {path.ptr, "approvals", "cursor", NULL, row, &r};
    int code = ctl_list(c, &l, &more);
    if (!code && !c->json) {
        if (!r.table.cell_count)
            buf_cstr(&c->out, "nothing waits for a decision\n");
        table_put(&r.table, &c->style, &c->out);
        if (more)
            style_put(&c->out, &c->style, INK_DIM, "there are more: --all, or --limit N\n");
    }
    buf_release(&path);
    table_release(&r.table);
    return code;
}

/* ---- one ------------------------------------------------------------------------------------- */

static void label(struct ctl *c, const char *name)
{
    style_put(&c->out, &c->style, INK_DIM, "  %-10s", name);
}

static void put_member(struct ctl *c, const char *name, struct str value)
{
    if (!value.len)
        return;
    label(c, name);
    style_foreign(&c->out, &c->style, INK_PLAIN, value, 4000);
    buf_char(&c->out, '\n');
}

/* One argument a line: this is what is approved. */
static void put_arguments(struct ctl *c, const struct json *arguments)
{
    if (!json_is(arguments, JSON_OBJECT)) {
        put_member(c, "arguments", arguments ? arguments->raw : STR_NONE);
        return;
    }
    for (size_t i = 0; i < arguments->object.count; i++) {
        const struct json_member *m = &arguments->object.members[i];
        label(c, i ? "" : "arguments");
        style_foreign(&c->out, &c->style, INK_BOLD, m->name, 40);
        buf_cstr(&c->out, " = ");
        style_foreign(&c->out, &c->style, INK_PLAIN, m->value.raw, 4000);
        buf_char(&c->out, '\n');
    }
}

static void put_votes(struct ctl *c, const struct json *votes)
{
    char text[STYLE_TEXT];
    int64_t at;
    for (size_t i = 0; json_is(votes, JSON_ARRAY) && i < votes->array.count; i++) {
        const struct json *v = &votes->array.items[i];
        bool yes = show_bool(v, "approve");
        label(c, i ? "" : "votes");
        style_put(&c->out, &c->style, yes ? INK_GREEN : INK_RED, "%s ", yes ? "yes" : "no ");
        style_foreign(&c->out, &c->style, INK_BOLD, show_str(v, "user"), 40);
        buf_fmt(&c->out, " (uid %" PRId64 ")", show_i64(v, "uid"));
        if (show_time(v, "at", &at))
            buf_fmt(&c->out, " %s", style_ago(&c->style, at, text));
        if (show_str(v, "comment").len) {
            buf_cstr(&c->out, ": ");
            style_foreign(&c->out, &c->style, INK_PLAIN, show_str(v, "comment"), 400);
        }
        buf_char(&c->out, '\n');
    }
}

static void put_times(struct ctl *c, const struct json *a)
{
    static const struct {
        const char *member, *name;
    } TIMES[] = {{"createdAt", "asked"}, {"expiresAt", "expires"}, {"decidedAt", "decided"}};
    char when[STYLE_TEXT], ago[STYLE_TEXT];
    int64_t at;
    for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
        if (!show_time(a, TIMES[i].member, &at))
            continue;
        label(c, TIMES[i].name);
        buf_fmt(&c->out, "%s (%s)\n", style_time(&c->style, at, when),
                style_ago(&c->style, at, ago));
    }
}

static void put_hint(struct ctl *c, const struct json *a, int64_t id)
{
    struct str kind = show_str(a, "kind");
    if (!str_is(show_str(a, "state"), "open"))
        return;
    if (str_is(kind, "unknown-effect"))
        buf_fmt(&c->out,
                "\nIts outcome was lost: find out what happened, then\n"
                "  reeve approve %" PRId64 " --happened RESULT.json   it did, with this result\n"
                "  reeve approve %" PRId64
                " --not-happened           it did not; it may be tried again\n"
                "  reeve reject %" PRId64 "                           give it up\n",
                id, id, id);
    else
        buf_fmt(&c->out,
                "\n  reeve approve %" PRId64 " --comment TEXT\n  reeve reject %" PRId64
                " --comment TEXT\n",
                id, id);
}

int cmd_approval(struct ctl *c)
{
    const struct json *a = NULL;
    struct buf approvers;
    int64_t id;
    int code = ctl_id(c, 0, "ID", &id);
    if (!code)
        code = ctl_get(c, &a, "/v1/approvals/%" PRId64, id);
    if (ctl_is_told(c, code, a))
        return code;
    struct str state = show_str(a, "state");
    style_put(&c->out, &c->style, INK_BOLD, "approval %" PRId64 "  ", id);
    style_foreign(&c->out, &c->style, style_state_ink(state), state, 20);
    buf_char(&c->out, '\n');
    put_member(c, "what", show_str(a, "what"));
    put_arguments(c, json_get(a, "arguments"));
    label(c, "run");
    buf_fmt(&c->out, "%" PRId64 ", step %" PRId64 " of ", show_i64(a, "run"), show_i64(a, "step"));
    style_foreign(&c->out, &c->style, INK_PLAIN, show_str(a, "workflow"), 63);
    buf_cstr(&c->out, " for tenant ");
    style_foreign(&c->out, &c->style, INK_PLAIN, show_str(a, "tenant"), 63);
    buf_char(&c->out, '\n');
    buf_init(&approvers, 1u << 16);
    put_approvers(json_get(a, "approvers"), &approvers);
    put_member(c, "approvers", approvers.len ? buf_str(&approvers) : STR("whoever has the role"));
    buf_release(&approvers);
    label(c, "needs");
    buf_fmt(&c->out, "%" PRId64 " yes, %zu so far\n", show_i64(a, "quorum"), votes_of(a));
    put_times(c, a);
    put_votes(c, json_get(a, "votes"));
    put_hint(c, a, id);
    return CTL_GOOD;
}

/* ---- decide ---------------------------------------------------------------------------------- */

/* The outcome of a lost effect, from the options; nothing when there is none. */
static int put_outcome(struct ctl *c, struct jout *j)
{
    const char *file = args_get(&c->args, OPTION_HAPPENED);
    bool not_happened = args_has(&c->args, OPTION_NOT_HAPPENED);
    const struct json *result;
    struct err err = ERR_INIT;
    char *text = NULL;
    size_t len;
    int code = CTL_GOOD;
    if (file && not_happened)
        return ctl_usage(c, "--happened and --not-happened exclude each other");
    if (!file && !not_happened)
        return CTL_GOOD;
    jout_name(j, "outcome");
    jout_object(j);
    jout_m_bool(j, "happened", file != NULL);
    if (file)
        code = ctl_read_file(c, file, RESULT_MAX, &text, &len);
    if (file && !code) {
        if (json_parse(&c->arena, (struct str){text, len}, &JSON_LIMITS_DEFAULT, &result, NULL,
                       &err) < 0)
            code = ctl_fail(c, CTL_FAILED, "%s: %s", file, err.text);
        else
            jout_m_json(j, "result", result);
    }
    jout_object_end(j);
    free(text);
    return code;
}

static int decide(struct ctl *c, bool approve)
{
    const struct json *answer = NULL;
    const char *comment = args_get(&c->args, OPTION_COMMENT);
    struct buf body;
    struct jout j;
    int64_t id;
    int code = ctl_id(c, 0, "ID", &id);
    if (code)
        return code;
    buf_init(&body, 1u << 20);
    jout_begin(&j, &body);
    jout_object(&j);
    if (comment)
        jout_m_cstr(&j, "comment", comment);
    code = put_outcome(c, &j);
    jout_object_end(&j);
    if (!code && jout_end(&j) < 0)
        code = ctl_usage(c, "--comment: must be UTF-8 text, and body and result at most 1 MiB");
    if (!code)
        code = ctl_post(c, buf_str(&body), "application/json", &answer,
                        "/v1/approvals/%" PRId64 "/%s", id, approve ? "approve" : "reject");
    buf_release(&body);
    if (ctl_is_told(c, code, answer))
        return code;
    buf_fmt(&c->out, "approval %" PRId64 ": ", id);
    style_foreign(&c->out, &c->style, style_state_ink(show_str(answer, "state")),
                  show_str(answer, "state"), 20);
    if (str_is(show_str(answer, "state"), "open"))
        buf_fmt(&c->out, ", your vote is counted (%.*s of %.*s)",
                STR_FMT(show_number(answer, "votes")), STR_FMT(show_number(answer, "quorum")));
    buf_char(&c->out, '\n');
    return CTL_GOOD;
}

int cmd_approve(struct ctl *c)
{
    return decide(c, true);
}

int cmd_reject(struct ctl *c)
{
    return decide(c, false);
}
