/*
 * cmd_backtest.c: what would another policy set have decided? Over the recorded decisions
 * (backtest, decided again here, with the facts of then) and over those of the set on trial (audit,
 * decided by reeved at the time).
 */
#include "policy/ask.h"
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/table.h"

#define GROUPS_MAX 1000
#define ASK_ARENA  (64u << 20)

struct group {                          /* of equal changes */
    struct str ask, workflow, was, now; /* kept by the backtest */
    bool allow;
    int64_t count, run, seq;
};

struct backtest {
    struct ctl *c;
    struct house *house;
    struct arena arena; /* of one decision */
    struct arena kept;  /* of the groups */
    struct group groups[GROUPS_MAX];
    size_t group_count;
    int64_t decided, changed, skipped, ungrouped;
};

static struct str policies_text(struct arena *a, const struct strs *ids)
{
    struct str text = STR("");
    for (size_t i = 0; i < ids->count; i++)
        text = arena_fmt(a, "%.*s%s%.*s", STR_FMT(text), i ? ", " : "", STR_FMT(ids->items[i]));
    return text;
}

static struct str recorded_policies(struct arena *a, const struct json *list)
{
    struct str text = STR("");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++)
        if (list->array.items[i].type == JSON_STRING)
            text = arena_fmt(a, "%.*s%s%.*s", STR_FMT(text), i ? ", " : "",
                             STR_FMT(list->array.items[i].string));
    return text;
}

static bool is_same(const struct group *g, const struct group *h)
{
    return g->allow == h->allow && str_eq(g->ask, h->ask) && str_eq(g->workflow, h->workflow) &&
           str_eq(g->was, h->was) && str_eq(g->now, h->now);
}

static void add_change(struct backtest *b, const struct group *g)
{
    struct arena *a = &b->kept;
    b->changed++;
    for (size_t i = 0; i < b->group_count; i++)
        if (is_same(&b->groups[i], g)) {
            b->groups[i].count++;
            b->groups[i].run = g->run;
            b->groups[i].seq = g->seq;
            return;
        }
    if (b->group_count == GROUPS_MAX) {
        b->ungrouped++;
        return;
    }
    struct group *n = &b->groups[b->group_count++];
    *n = *g;
    n->ask = arena_str(a, g->ask);
    n->workflow = arena_str(a, g->workflow);
    n->was = arena_str(a, g->was);
    n->now = arena_str(a, g->now);
    n->count = 1;
}

/* One recorded decision, decided again. */
static void again(void *arg, const struct json *row)
{
    struct backtest *b = arg;
    struct facts f;
    struct err err = ERR_INIT;
    bool was;
    struct str ask;
    const struct json *facts = json_get(row, "facts");
    arena_reset(&b->arena);
    struct ask_decision *d = ARENA_NEW(&b->arena, struct ask_decision);
    if (!d || !json_is(facts, JSON_OBJECT) || json_want_bool(row, "allow", &was, &err) < 0 ||
        json_want_str(row, "ask", &ask, &err) < 0 ||
        facts_parse(facts->raw, &b->arena, &f, &err) < 0 || !facts_ask_of(ask, &f.ask) ||
        ask_decide(b->house, &f, &b->arena, d, &err) < 0) {
        b->skipped++;
        return;
    }
    b->decided++;
    if (d->allow == was)
        return;
    const struct group g = {.ask = ask,
                            .workflow = f.workflow.name,
                            .allow = d->allow,
                            .was = recorded_policies(&b->arena, json_get(row, "policies")),
                            .now = policies_text(&b->arena, &d->policies),
                            .run = show_i64(row, "run"),
                            .seq = show_i64(row, "seq")};
    add_change(b, &g);
}

static int64_t since_ms(struct ctl *c, int *ret_code)
{
    const char *text = args_get(&c->args, OPTION_SINCE);
    int64_t span = INT64_C(30) * 24 * 3600 * 1000;
    *ret_code = CTL_GOOD;
    if (text && num_duration_ms(str_of(text), &span) < 0)
        *ret_code = ctl_usage(c, "--since: expected a span such as 12h or 30d, found \"%s\"", text);
    return MAX(c->host->clock->unix_ms(c->host->clock->arg) - span, 0);
}

static const struct table_column COLUMNS[] = {
    {"TIMES", true, false}, {"ASK", false, true},   {"WORKFLOW", false, true},
    {"WAS", false, false},  {"BY", false, true},    {"WOULD BE", false, false},
    {"BY", false, true},    {"LAST", false, false},
};

static void put_row(struct table *t, const struct group *g)
{
    table_fmt(t, INK_PLAIN, "%" PRId64, g->count);
    table_add(t, INK_BOLD, g->ask);
    table_add(t, INK_PLAIN, g->workflow);
    table_fmt(t, g->allow ? INK_RED : INK_GREEN, "%s", g->allow ? "deny" : "allow");
    table_add(t, INK_DIM, g->was);
    table_fmt(t, g->allow ? INK_GREEN : INK_RED, "%s", g->allow ? "allow" : "deny");
    table_add(t, INK_DIM, g->now);
    table_fmt(t, INK_DIM, "%" PRId64 "/%" PRId64, g->run, g->seq);
}

static void put_group_json(struct jout *j, const struct group *g)
{
    jout_object(j);
    jout_m_i64(j, "count", g->count);
    jout_m_str(j, "ask", g->ask);
    jout_m_str(j, "workflow", g->workflow);
    jout_m_bool(j, "allow", g->allow);
    jout_m_str(j, "policiesBefore", g->was);
    jout_m_str(j, "policies", g->now);
    jout_m_i64(j, "lastRun", g->run);
    jout_m_i64(j, "lastSeq", g->seq);
    jout_object_end(j);
}

static int put_json(struct backtest *b)
{
    struct jout j;
    jout_begin(&j, &b->c->out);
    jout_object(&j);
    jout_m_i64(&j, "decided", b->decided);
    jout_m_i64(&j, "changed", b->changed);
    jout_m_i64(&j, "skipped", b->skipped);
    jout_name(&j, "changes");
    jout_array(&j);
    for (size_t i = 0; i < b->group_count; i++)
        put_group_json(&j, &b->groups[i]);
    jout_array_end(&j);
    jout_object_end(&j);
    int e = jout_end(&j);
    buf_char(&b->c->out, '\n');
    return e < 0 ? ctl_fail(b->c, CTL_FAILED, "the result cannot be written") : CTL_GOOD;
}

static void put_text(struct backtest *b)
{
    struct table t;
    table_init(&t, COLUMNS, ARRAY_LEN(COLUMNS));
    for (size_t i = 0; i < b->group_count; i++)
        put_row(&t, &b->groups[i]);
    if (b->group_count)
        table_put(&t, &b->c->style, &b->c->out);
    table_release(&t);
    buf_fmt(&b->c->out, "%" PRId64 " decisions, %" PRId64 " would change", b->decided, b->changed);
    if (b->skipped)
        buf_fmt(&b->c->out,
                "; %" PRId64
                " could not be decided again (their facts are gone, or of another version)",
                b->skipped);
    if (b->ungrouped)
        buf_fmt(&b->c->out, "; %" PRId64 " are in no group above (over %d groups)", b->ungrouped,
                GROUPS_MAX);
    buf_char(&b->c->out, '\n');
}

static int run_all(struct backtest *b, int64_t since)
{
    char path[128];
    snprintf(path, sizeof(path), "/v1/decisions?since=%" PRId64 "&limit=500", since);
    const struct ctl_list l = {
        .path = path, .member = "decisions", .cursor = "after", .row = again, .arg = b};
    int code = ctl_each(b->c, &l);
    if (code)
        return code;
    if (b->c->json)
        code = put_json(b);
    else
        put_text(b);
    return code ? code : b->changed ? CTL_FAILED : CTL_GOOD;
}

int cmd_policy_backtest(struct ctl *c)
{
    int code;
    int64_t since = since_ms(c, &code);
    struct backtest *b = code ? NULL : calloc(1, sizeof(*b));
    if (code)
        return code;
    if (!b)
        return ctl_fail(c, CTL_FAILED, "out of memory");
    b->c = c;
    arena_init(&b->arena, ASK_ARENA);
    arena_init(&b->kept, ASK_ARENA);
    code = ctl_load_house(c, c->args.words[0], &b->house);
    if (!code)
        code = run_all(b, since);
    house_unref(b->house);
    arena_release(&b->arena);
    arena_release(&b->kept);
    free(b);
    return code;
}

static void difference_row(struct ctl *c, struct table *t, const struct json *d)
{
    const struct group g = {.ask = show_str(d, "ask"),
                            .workflow = show_str(d, "workflow"),
                            .allow = show_bool(d, "allow"),
                            .was = recorded_policies(&c->arena, json_get(d, "policiesInForce")),
                            .now = recorded_policies(&c->arena, json_get(d, "policies")),
                            .count = show_i64(d, "count"),
                            .run = show_i64(d, "lastRun"),
                            .seq = show_i64(d, "lastSeq")};
    put_row(t, &g);
}

int cmd_policy_audit(struct ctl *c)
{
    static const struct ctl_rows ROWS = {
        .columns = COLUMNS,
        .column_count = ARRAY_LEN(COLUMNS),
        .member = "differences",
        .row = difference_row,
        .none = "the set on trial (if there is one) decided nothing otherwise"};
    const struct json *answer = NULL;
    int code;
    int64_t since = since_ms(c, &code);
    if (!code)
        code = ctl_get(c, &answer, "/v1/policy/shadow?since=%" PRId64, since);
    if (!ctl_is_told(c, code, answer))
        ctl_put_rows(c, &ROWS, answer);
    return code;
}
