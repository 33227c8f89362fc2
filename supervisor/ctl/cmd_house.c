/*
 * cmd_house.c: the commands about the daemon as a whole. Runs in reeve.
 */
#include <unistd.h>

#include "sandbox/os/sys.h"
#include "sandbox/probe.h"
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/table.h"

/* ---- workflows, usage, audit ----------------------------------------------------------------- */

static void add_counts(struct table *t, const struct json *runs)
{
    static const char *const LIVE[] = {"queued", "starting", "running", "waiting"};
    static const char *const BAD[] = {"failed", "dead"};
    int64_t live = 0, bad = 0;
    for (size_t i = 0; i < ARRAY_LEN(LIVE); i++)
        live += MIN(show_i64(runs, LIVE[i]), INT64_C(1) << 40);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        bad += MIN(show_i64(runs, BAD[i]), INT64_C(1) << 40);
    table_fmt(t, live ? INK_CYAN : INK_DIM, "%" PRId64, live);
    table_fmt(t, INK_PLAIN, "%" PRId64, show_i64(runs, "succeeded"));
    table_fmt(t, bad ? INK_RED : INK_DIM, "%" PRId64, bad);
}

static void workflow_row(struct ctl *c, struct table *t, const struct json *w)
{
    table_add(t, INK_BOLD, show_str(w, "workflow"));
    table_add(t, INK_PLAIN, str_slice(show_str(w, "version"), 0, 12));
    ctl_add_ago(c, t, w, "since");
    add_counts(t, json_get(w, "runs"));
}

int cmd_workflows(struct ctl *c)
{
    static const struct table_column COLUMNS[] = {
        {"WORKFLOW", false, true}, {"VERSION", false, false},  {"SINCE", false, false},
        {"LIVE", true, false},     {"SUCCEEDED", true, false}, {"FAILED", true, false},
    };
    static const struct ctl_rows ROWS = {.columns = COLUMNS,
                                         .column_count = ARRAY_LEN(COLUMNS),
                                         .member = "workflows",
                                         .row = workflow_row,
                                         .none = "no workflows: reeve policy load DIR"};
    const struct json *answer = NULL;
    int code = ctl_get(c, &answer, "/v1/workflows");
    if (!ctl_is_told(c, code, answer))
        ctl_put_rows(c, &ROWS, answer);
    return code;
}

static void usage_row(struct ctl *c UNUSED, struct table *t, const struct json *u)
{
    static const char *const NUMBERS[] = {"calls", "inputTokens", "outputTokens"};
    bool is_total = !show_is_set(u, "day");
    enum ink ink = is_total ? INK_BOLD : INK_PLAIN;
    char text[STYLE_TEXT];
    table_add(t, ink, is_total ? STR("total") : show_str(u, "day"));
    table_add(t, ink, show_str(u, "tenant"));
    table_add(t, ink, show_str(u, "workflow"));
    table_add(t, ink, show_str(u, "route").len || is_total ? show_str(u, "route") : STR("(tools)"));
    for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++)
        table_add(t, ink, str_of(style_count(show_i64(u, NUMBERS[i]), text)));
    table_add(t, ink, show_number(u, "cost"));
}

int cmd_usage(struct ctl *c)
{
    static const struct table_column COLUMNS[] = {
        {"DAY", false, false},  {"TENANT", false, true}, {"WORKFLOW", false, true},
        {"MODEL", false, true}, {"CALLS", true, false},  {"IN", true, false},
        {"OUT", true, false},   {"COST", true, false},
    };
    static const struct ctl_rows ROWS = {.columns = COLUMNS,
                                         .column_count = ARRAY_LEN(COLUMNS),
                                         .member = "usage",
                                         .row = usage_row,
                                         .last = "total",
                                         .none = "nothing was used"};
    const struct json *answer = NULL;
    struct buf path;
    buf_init(&path, 2048);
    buf_cstr(&path, "/v1/usage");
    ctl_query(&path, "tenant", args_get(&c->args, OPTION_TENANT));
    ctl_query(&path, "days", args_get(&c->args, OPTION_DAYS));
    int code = ctl_get(c, &answer, "%.*s", STR_FMT(buf_str(&path)));
    buf_release(&path);
    if (!ctl_is_told(c, code, answer))
        ctl_put_rows(c, &ROWS, answer);
    return code;
}

struct audit_rows {
    struct ctl *c;
    struct table table;
};

static void audit_row(void *arg, const struct json *record)
{
    struct audit_rows *r = arg;
    const struct json *detail = json_get(record, "detail");
    char text[STYLE_TEXT];
    int64_t at;
    table_fmt(&r->table, INK_DIM, "%" PRId64, show_i64(record, "id"));
    table_add(&r->table, INK_PLAIN,
              show_time(record, "at", &at) ? str_of(style_time(&r->c->style, at, text)) : STR_NONE);
    table_add(&r->table, INK_BOLD, show_str(record, "actor"));
    table_add(&r->table, INK_CYAN, show_str(record, "action"));
    table_add(&r->table, INK_PLAIN, show_str(record, "subject"));
    table_add(&r->table, INK_DIM, detail ? detail->raw : STR_NONE);
}

int cmd_audit(struct ctl *c)
{
    static const struct table_column COLUMNS[] = {
        {"ID", true, false},      {"AT", false, false},     {"WHO", false, true},
        {"ACTION", false, false}, {"SUBJECT", false, true}, {"DETAIL", false, true},
    };
    struct audit_rows r = {.c = c};
    struct buf path;
    bool more = false;
    table_init(&r.table, COLUMNS, ARRAY_LEN(COLUMNS));
    buf_init(&path, 2048);
    buf_cstr(&path, "/v1/audit");
    ctl_query(&path, "limit", args_get(&c->args, OPTION_LIMIT));
    buf_char(&path, 0);
    struct ctl_list l = {path.ptr,  "records", "after", args_get(&c->args, OPTION_AFTER),
                         audit_row, &r};
    int code =
        buf_status(&path) < 0 ? ctl_usage(c, "the options are too long") : ctl_list(c, &l, &more);
    if (!code && !c->json) {
        if (!r.table.cell_count)
            buf_cstr(&c->out, "no records\n");
        table_put(&r.table, &c->style, &c->out);
        if (more)
            style_put(&c->out, &c->style, INK_DIM, "there are more: --all, or --after ID\n");
    }
    buf_release(&path);
    table_release(&r.table);
    return code;
}

/* ---- status ---------------------------------------------------------------------------------- */

/* Objects of counts on a line: "2 running, 1 waiting". */
static void put_counts(struct ctl *c, const char *name, const struct json *counts)
{
    size_t shown = 0;
    style_put(&c->out, &c->style, INK_DIM, "  %-10s", name);
    for (size_t i = 0; json_is(counts, JSON_OBJECT) && i < counts->object.count; i++) {
        const struct json_member *m = &counts->object.members[i];
        if (!json_is(&m->value, JSON_INT) || !m->value.integer)
            continue;
        buf_fmt(&c->out, "%s%" PRId64 " ", shown++ ? ", " : "", m->value.integer);
        style_foreign(&c->out, &c->style, style_state_ink(m->name), m->name, 30);
    }
    buf_cstr(&c->out, shown ? "\n" : "none\n");
}

/* Helpers and tool servers: a line each. */
static void put_processes(struct ctl *c, const char *name, const struct json *list)
{
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        const struct json *h = &list->array.items[i];
        struct str state = show_str(h, "state");
        bool is_down = str_is(state, "down");
        style_put(&c->out, &c->style, INK_DIM, "  %-10s", i ? "" : name);
        style_foreign(&c->out, &c->style, INK_PLAIN, show_str(h, "name"), 40);
        buf_char(&c->out, ' ');
        style_foreign(&c->out, &c->style, is_down ? INK_RED : INK_GREEN, state, 20);
        if (show_i64(h, "pid") > 0)
            buf_fmt(&c->out, ", pid %" PRId64, show_i64(h, "pid"));
        if (show_is_set(h, "tools"))
            buf_fmt(&c->out, ", %" PRId64 " tools", show_i64(h, "tools"));
        if (show_i64(h, "starts") > 1)
            style_put(&c->out, &c->style, INK_YELLOW, ", started %" PRId64 " times",
                      show_i64(h, "starts"));
        if (show_str(h, "error").len) {
            buf_cstr(&c->out, ": ");
            style_foreign(&c->out, &c->style, INK_RED, show_str(h, "error"), 200);
        }
        buf_char(&c->out, '\n');
    }
}

static void put_policy(struct ctl *c, const struct json *policy)
{
    char a[STYLE_TEXT];
    style_put(&c->out, &c->style, INK_DIM, "  %-10s", "policy");
    style_foreign(&c->out, &c->style, INK_PLAIN, str_slice(show_str(policy, "digest"), 0, 12), 12);
    buf_fmt(&c->out, ", %s", style_many(show_i64(policy, "policies"), "policy", "policies", a));
    buf_fmt(&c->out, ", %s from ",
            style_many(show_i64(policy, "workflows"), "workflow", "workflows", a));
    style_foreign(&c->out, &c->style, INK_PLAIN, show_str(policy, "dir"), 100);
    buf_char(&c->out, '\n');
}

/* What is stopped: a line each, where it cannot be overlooked. */
static void put_stopped(struct ctl *c, const struct json *list)
{
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        const struct json *w = &list->array.items[i];
        bool is_all = str_is(show_str(w, "scope"), "all");
        style_put(&c->out, &c->style, INK_DIM, "  %-10s", i ? "" : "stopped");
        style_foreign(&c->out, &c->style, INK_RED,
                      is_all ? STR("everything") : show_str(w, "scope"), 20);
        buf_cstr(&c->out, is_all ? "" : " ");
        style_foreign(&c->out, &c->style, INK_RED, show_str(w, "name"), 64);
        buf_cstr(&c->out, " is ");
        style_foreign(&c->out, &c->style, INK_PLAIN, show_str(w, "state"), 20);
        buf_cstr(&c->out, " by ");
        style_foreign(&c->out, &c->style, INK_PLAIN, show_str(w, "who"), 64);
        buf_cstr(&c->out, show_str(w, "why").len ? ": " : "");
        style_foreign(&c->out, &c->style, INK_PLAIN, show_str(w, "why"), 200);
        buf_char(&c->out, '\n');
    }
}

static void put_status(struct ctl *c, const struct json *s)
{
    char text[STYLE_TEXT];
    const struct json *store = json_get(s, "store"), *runs = json_get(s, "runs");
    int64_t bytes = show_i64(s, "storeBytes");
    style_put(&c->out, &c->style, INK_BOLD, "reeved ");
    style_foreign(&c->out, &c->style, INK_BOLD, show_str(s, "version"), 30);
    buf_fmt(&c->out, ", pid %" PRId64 ", up %s\n", show_i64(s, "pid"),
            style_span(show_i64(s, "uptimeMs"), text));
    put_counts(c, "runs", runs ? runs : json_get(store, "runs"));
    if (json_get(store, "waiting"))
        put_counts(c, "waiting", json_get(store, "waiting"));
    style_put(&c->out, &c->style, INK_DIM, "  %-10s", "approvals");
    buf_fmt(&c->out, "%" PRId64 " open\n", show_i64(store, "approvalsOpen"));
    put_stopped(c, json_get(s, "switches"));
    put_policy(c, json_get(s, "policy"));
    style_put(&c->out, &c->style, INK_DIM, "  %-10s", "store");
    buf_fmt(&c->out, "%s\n", style_bytes(bytes ? bytes : show_i64(store, "storeBytes"), text));
    put_processes(c, "helpers", json_get(s, "helpers"));
    put_processes(c, "servers", json_get(s, "servers"));
}

int cmd_status(struct ctl *c)
{
    const struct json *answer = NULL;
    int code = ctl_get(c, &answer, "/v1/status");
    if (!ctl_is_told(c, code, answer))
        put_status(c, answer);
    return code;
}

/* ---- doctor ---------------------------------------------------------------------------------- */

/* What the daemon found, if it is there: it is not an error here when it is not. */
static const struct json *ask_daemon(struct ctl *c)
{
    struct client_request r = {.method = "GET", .path = "/v1/doctor"};
    const struct json *tree = NULL;
    struct err err = ERR_INIT;
    struct buf body;
    int status;
    buf_init(&body, CLIENT_BODY_MAX);
    if (client_call(&c->client, &r, &status, &body, &err) >= 0 && status == 200) {
        struct str kept = arena_str(&c->arena, buf_str(&body));
        if (!kept.ptr || json_parse(&c->arena, kept, &JSON_LIMITS_DEFAULT, &tree, NULL, &err) < 0)
            tree = NULL;
    }
    buf_release(&body);
    return tree;
}

/* The daemon's answer is an object of checks in whatever depth it likes: shown member by member. */
static void put_self_test(struct ctl *c, const struct json *found)
{
    style_put(&c->out, &c->style, INK_BOLD, "\nThe daemon at %s\n", c->client.socket);
    if (!found) {
        buf_cstr(&c->out, "  not reached, so only this host was looked at\n");
        return;
    }
    for (size_t i = 0; json_is(found, JSON_OBJECT) && i < found->object.count; i++) {
        const struct json_member *m = &found->object.members[i];
        buf_cstr(&c->out, "  ");
        cells_pad(&c->out, style_foreign(&c->out, &c->style, INK_DIM, m->name, 20), 21);
        struct str value = json_is(&m->value, JSON_STRING) ? m->value.string : m->value.raw;
        style_foreign(&c->out, &c->style, INK_PLAIN, value, MAX(c->style.width, 60u) - 23);
        buf_char(&c->out, '\n');
    }
}

static void put_doctor_json(struct ctl *c, const struct probe *p, const struct json *found)
{
    struct jout j;
    jout_begin(&j, &c->out);
    jout_object(&j);
    jout_name(&j, "host");
    probe_put_json(p, &j);
    jout_name(&j, "daemon");
    if (found)
        jout_json(&j, found);
    else
        jout_null(&j);
    jout_object_end(&j);
    if (jout_end(&j) < 0)
        buf_cstr(&c->out, "{}");
    buf_char(&c->out, '\n');
}

int cmd_doctor(struct ctl *c)
{
    struct probe p;
    struct err err = ERR_INIT;
    if (probe_host(&p, &err) < 0)
        return ctl_fail_err(c, CTL_FAILED, &err);
    const struct json *found = ask_daemon(c);
    bool is_enough = probe_check(&p, &err) >= 0;
    if (c->json) {
        put_doctor_json(c, &p, found);
        return is_enough ? CTL_GOOD : CTL_FAILED;
    }
    probe_put_text(&p, &c->out);
    put_self_test(c, found);
    if (is_enough)
        return CTL_GOOD;
    (void)ctl_flush(c);
    return ctl_fail(c, CTL_FAILED, "confinement cannot be had here: %s", err.text);
}

/* ---- backup, policy load --------------------------------------------------------------------- */

/* reeved has another working directory than the caller. */
static int absolute(struct ctl *c, const char *path, char ret[4096])
{
    char cwd[2048] = "";
    if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
        return ctl_fail(c, CTL_FAILED, "the working directory has no name: give an absolute path");
    int n = snprintf(ret, 4096, "%s%s%s", cwd, cwd[0] ? "/" : "", path);
    if (n < 0 || n >= 4096)
        return ctl_usage(c, "the path is too long");
    return CTL_GOOD;
}

static int post_path(struct ctl *c, const char *where, const char *member, const char *path,
                     const char *shadow, const struct json **ret)
{
    char full[4096] = "";
    struct buf body;
    struct jout j;
    int code = path ? absolute(c, path, full) : CTL_GOOD;
    if (code)
        return code;
    buf_init(&body, 1u << 16);
    jout_begin(&j, &body);
    jout_object(&j);
    if (path)
        jout_m_cstr(&j, member, full);
    if (shadow)
        jout_m_cstr(&j, "shadow", shadow);
    jout_object_end(&j);
    code = jout_end(&j) < 0 ? ctl_usage(c, "the path is not UTF-8")
                            : ctl_post(c, buf_str(&body), "application/json", ret, "%s", where);
    buf_release(&body);
    return code;
}

int cmd_backup(struct ctl *c)
{
    const struct json *answer = NULL;
    int code = post_path(c, "/v1/backup", "file", c->args.words[0], NULL, &answer);
    if (!ctl_is_told(c, code, answer))
        buf_fmt(&c->out, "the store was copied to %s\n", c->args.words[0]);
    return code;
}

static int64_t count_of(const struct json *v, const char *name)
{
    const struct json *m = json_get(v, name);
    return json_is(m, JSON_ARRAY) ? (int64_t)m->array.count : show_i64(v, name);
}

int cmd_policy_load(struct ctl *c)
{
    const struct json *answer = NULL;
    char text[STYLE_TEXT];
    const char *dir = c->args.word_count ? c->args.words[0] : NULL;
    bool on = args_has(&c->args, OPTION_AUDIT), off = args_has(&c->args, OPTION_NO_AUDIT);
    if ((on && (off || !dir)) || (off && dir))
        return ctl_usage(c, "--audit goes with a directory, --no-audit with none");
    int code = post_path(c, "/v1/policy/load", "dir", dir,
                         on    ? "set"
                         : off ? "off"
                               : NULL,
                         &answer);
    if (ctl_is_told(c, code, answer))
        return code;
    if (off) {
        buf_cstr(&c->out, "no set is on trial\n");
        return CTL_GOOD;
    }
    buf_fmt(&c->out, "%s %s, ", on ? "on trial:" : "loaded",
            style_many(count_of(answer, "workflows"), "workflow", "workflows", text));
    buf_fmt(&c->out, "%s, digest ",
            style_many(count_of(answer, "policies"), "policy", "policies", text));
    style_foreign(&c->out, &c->style, INK_BOLD, str_slice(show_str(answer, "digest"), 0, 12), 12);
    buf_char(&c->out, '\n');
    return CTL_GOOD;
}
