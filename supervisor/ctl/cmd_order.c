/*
 * cmd_order.c: stop and go, switches, queues. Runs in reeve.
 */
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/table.h"

/* ---- switches -------------------------------------------------------------------------------- */

static void switch_row(struct ctl *c, struct table *t, const struct json *w)
{
    bool is_killed = str_is(show_str(w, "state"), "killed");
    table_add(t, INK_BOLD, show_str(w, "scope"));
    table_add(t, INK_BOLD, show_str(w, "name"));
    table_fmt(t, is_killed ? INK_RED : INK_YELLOW, "%.*s%s", STR_FMT(show_str(w, "state")),
              show_bool(w, "ending") ? ", ending runs" : "");
    table_add(t, INK_PLAIN, show_str(w, "who"));
    ctl_add_ago(c, t, w, "at");
    table_add(t, INK_DIM, show_str(w, "why"));
}

static void put_switches(struct ctl *c, const struct json *answer, const char *none)
{
    static const struct table_column COLUMNS[] = {
        {"STOPPED", false, false}, {"NAME", false, true},   {"STATE", false, false},
        {"BY", false, true},       {"SINCE", false, false}, {"WHY", false, true},
    };
    const struct ctl_rows rows = {.columns = COLUMNS,
                                  .column_count = ARRAY_LEN(COLUMNS),
                                  .member = "switches",
                                  .row = switch_row,
                                  .none = none};
    ctl_put_rows(c, &rows, answer);
}

int cmd_switches(struct ctl *c)
{
    const struct json *answer = NULL;
    int code = ctl_get(c, &answer, "/v1/switches");
    if (!ctl_is_told(c, code, answer))
        put_switches(c, answer, "nothing is stopped");
    return code;
}

/* Exactly one of --workflow, --tenant and --all: a stop of everything is never a slip. */
static int read_scope(struct ctl *c, const char **ret_scope, const char **ret_name)
{
    const char *workflow = args_get(&c->args, OPTION_WORKFLOW);
    const char *tenant = args_get(&c->args, OPTION_TENANT);
    bool all = args_has(&c->args, OPTION_ALL);
    if ((workflow != NULL) + (tenant != NULL) + all != 1)
        return ctl_usage(c, "expected one of --workflow NAME, --tenant NAME and --all");
    *ret_scope = workflow ? "workflow" : tenant ? "tenant" : "all";
    *ret_name = workflow ? workflow : tenant;
    return CTL_GOOD;
}

/* Asks for it and shows what is stopped after it. */
static int change(struct ctl *c, const char *path, const char *state, const char *none)
{
    const struct json *answer = NULL;
    const char *scope = NULL, *name = NULL, *reason = args_get(&c->args, OPTION_REASON);
    struct buf body;
    struct jout j;
    int code = read_scope(c, &scope, &name);
    if (code)
        return code;
    buf_init(&body, 1u << 16);
    jout_begin(&j, &body);
    jout_object(&j);
    jout_m_cstr(&j, "scope", scope);
    if (name)
        jout_m_cstr(&j, "name", name);
    if (state)
        jout_m_cstr(&j, "state", state);
    if (reason)
        jout_m_cstr(&j, "reason", reason);
    jout_object_end(&j);
    code = jout_end(&j) < 0 ? ctl_usage(c, "the name or reason is too long or no UTF-8")
                            : ctl_post(c, buf_str(&body), "application/json", &answer, "%s", path);
    buf_release(&body);
    if (!ctl_is_told(c, code, answer))
        put_switches(c, answer, none);
    return code;
}

int cmd_stop(struct ctl *c)
{
    bool kill = args_has(&c->args, OPTION_KILL);
    return change(c, "/v1/stop", kill ? "killed" : "paused", "nothing is stopped");
}

int cmd_go(struct ctl *c)
{
    return change(c, "/v1/go", NULL, "nothing is stopped any more");
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void queue_row(struct ctl *c, struct table *t, const struct json *row)
{
    static const char *const NUMBERS[] = {"priority", "queued", "new", "keyWaiting", "running"};
    char text[STYLE_TEXT];
    table_add(t, INK_BOLD, show_str(row, "workflow"));
    table_add(t, INK_PLAIN, show_str(row, "tenant"));
    for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++)
        table_add(t, INK_PLAIN, str_of(style_count(show_i64(row, NUMBERS[i]), text)));
    ctl_add_ago(c, t, row, "oldestAt");
    table_add(t, INK_DIM, show_str(row, "why"));
}

int cmd_queue(struct ctl *c)
{
    static const struct table_column COLUMNS[] = {
        {"WORKFLOW", false, true}, {"TENANT", false, true},  {"PRIORITY", true, false},
        {"QUEUED", true, false},   {"NEW", true, false},     {"FOR KEY", true, false},
        {"RUNNING", true, false},  {"OLDEST", false, false}, {"WHY", false, true},
    };
    static const struct ctl_rows ROWS = {.columns = COLUMNS,
                                         .column_count = ARRAY_LEN(COLUMNS),
                                         .member = "queue",
                                         .row = queue_row,
                                         .none = "nothing is queued"};
    const struct json *answer = NULL;
    int code = ctl_get(c, &answer, "/v1/queue");
    if (!ctl_is_told(c, code, answer))
        ctl_put_rows(c, &ROWS, answer);
    return code;
}
