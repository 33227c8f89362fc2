/*
 * cmd_order.c: stop and go, switches, queues. Runs in reeve.
 */
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/table.h"

static void add_when(struct ctl *c, struct table *t, const struct json *row, const char *name)
{
    char text[STYLE_TEXT];
    int64_t at;
    bool has = show_time(row, name, &at);
    table_add(t, INK_PLAIN, has ? str_of(style_ago(&c->style, at, text)) : STR_NONE);
}

/* ---- switches -------------------------------------------------------------------------------- */

static void put_switches(struct ctl *c, const struct json *answer, const char *none)
{
    static const struct table_column COLUMNS[] = {
        {"STOPPED", false, false}, {"NAME", false, true},   {"STATE", false, false},
        {"BY", false, true},       {"SINCE", false, false}, {"WHY", false, true},
    };
    const struct json *list = json_get(answer, "switches");
    struct table t;
    table_init(&t, COLUMNS, ARRAY_LEN(COLUMNS));
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        const struct json *w = &list->array.items[i];
        bool is_killed = str_is(show_str(w, "state"), "killed");
        table_add(&t, INK_BOLD, show_str(w, "scope"));
        table_add(&t, INK_BOLD, show_str(w, "name"));
        table_fmt(&t, is_killed ? INK_RED : INK_YELLOW, "%.*s%s", STR_FMT(show_str(w, "state")),
                  show_bool(w, "ending") ? ", ending runs" : "");
        table_add(&t, INK_PLAIN, show_str(w, "who"));
        add_when(c, &t, w, "at");
        table_add(&t, INK_DIM, show_str(w, "why"));
    }
    if (!t.cell_count)
        buf_fmt(&c->out, "%s\n", none);
    table_put(&t, &c->style, &c->out);
    table_release(&t);
}

int cmd_switches(struct ctl *c)
{
    const struct json *answer;
    int code = ctl_get(c, &answer, "/v1/switches");
    if (code)
        return code;
    if (c->json)
        ctl_put_json(c, answer);
    else
        put_switches(c, answer, "nothing is stopped");
    return CTL_GOOD;
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

static int change(struct ctl *c, const char *path, const char *state, const struct json **ret)
{
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
                            : ctl_post(c, buf_str(&body), "application/json", ret, "%s", path);
    buf_release(&body);
    return code;
}

int cmd_stop(struct ctl *c)
{
    const struct json *answer;
    bool kill = args_has(&c->args, OPTION_KILL);
    int code = change(c, "/v1/stop", kill ? "killed" : "paused", &answer);
    if (code)
        return code;
    if (c->json)
        ctl_put_json(c, answer);
    else
        put_switches(c, answer, "nothing is stopped");
    return CTL_GOOD;
}

int cmd_go(struct ctl *c)
{
    const struct json *answer;
    int code = change(c, "/v1/go", NULL, &answer);
    if (code)
        return code;
    if (c->json)
        ctl_put_json(c, answer);
    else
        put_switches(c, answer, "nothing is stopped any more");
    return CTL_GOOD;
}

/* ---- queues ---------------------------------------------------------------------------------- */

int cmd_queue(struct ctl *c)
{
    static const struct table_column COLUMNS[] = {
        {"WORKFLOW", false, true}, {"TENANT", false, true},  {"PRIORITY", true, false},
        {"QUEUED", true, false},   {"NEW", true, false},     {"FOR KEY", true, false},
        {"RUNNING", true, false},  {"OLDEST", false, false}, {"WHY", false, true},
    };
    static const char *const NUMBERS[] = {"priority", "queued", "new", "keyWaiting", "running"};
    const struct json *answer;
    struct table t;
    char text[STYLE_TEXT];
    int code = ctl_get(c, &answer, "/v1/queue");
    if (code)
        return code;
    if (c->json) {
        ctl_put_json(c, answer);
        return CTL_GOOD;
    }
    table_init(&t, COLUMNS, ARRAY_LEN(COLUMNS));
    const struct json *list = json_get(answer, "queue");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        const struct json *row = &list->array.items[i];
        table_add(&t, INK_BOLD, show_str(row, "workflow"));
        table_add(&t, INK_PLAIN, show_str(row, "tenant"));
        for (size_t k = 0; k < ARRAY_LEN(NUMBERS); k++)
            table_add(&t, INK_PLAIN, str_of(style_count(show_i64(row, NUMBERS[k]), text)));
        add_when(c, &t, row, "oldestAt");
        table_add(&t, INK_DIM, show_str(row, "why"));
    }
    if (!t.cell_count)
        buf_cstr(&c->out, "nothing is queued\n");
    table_put(&t, &c->style, &c->out);
    table_release(&t);
    return CTL_GOOD;
}
