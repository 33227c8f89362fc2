/*
 * tables.c: see tables.h. Rows first, then the few rules that tables cannot say.
 */
#include "policy/tables.h"

#include "policy/model_request.h"
#include "policy/text/names.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    INT64_C(1024)
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)

#define ROW(k, t, type_, member, ...)                                           \
    {                                                                           \
        .key = (k), .type = (t), .offset = offsetof(type_, member), __VA_ARGS__ \
    }
#define RANGE(d, low, high)     .dflt = (d), .min = (low), .max = (high)
#define ITEMS(type_, member, t) .count_offset = offsetof(type_, member), .table = &(t)

/* ---- names of enums ---- */

static const char *const profile_names[] = {"program", "node", "python", NULL};
static const char *const class_names[] = {"read", "write", "irreversible", NULL};
static const char *const retry_names[] = {"never", "read-only", "idempotent", "verify", NULL};
static const char *const unlisted_names[] = {"hide", "offer", NULL};
static const char *const of_names[] = {"requests",   "calls",    "approvals",
                                       "rejections", "failures", NULL};
static const char *const per_names[] = {"workflow", "tenant", "run", NULL};
static const char *const api_names[] = {"chat-completions", NULL};
static const char *const auth_names[] = {"none", "bearer", "x-api-key", NULL};
static const char *const role_names[] = {"viewer", "operator", "approver", "admin", NULL};

const char *house_profile_name(enum house_profile p)
{
    return profile_names[p];
}

const char *tool_class_name(enum tool_class c)
{
    return class_names[c];
}

const char *tool_retry_name(enum tool_retry r)
{
    return retry_names[r];
}

const char *access_role_name(enum access_role r)
{
    return role_names[r];
}

/* ---- which keys may stand in a mapping of names ---- */

static bool is_env(struct str s)
{
    /* Ours tell a child which descriptor is what: they are not the operator's to set. */
    return name_is_env(s) && !str_starts(s, STR("REEVE_"));
}
static const char env_rule[] = "letters, digits and _, not beginning with a digit or REEVE_";

static bool is_word(struct str s)
{
    static const char *const reserved[] = {"true", "false", "if",   "then", "else",
                                           "in",   "is",    "like", "has"};
    if (s.len == 0 || s.len > NAME_MAX_BYTES || str_starts(s, STR("__")))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (str_is(s, reserved[i]))
            return false;
    }
    return true;
}
static const char word_rule[] =
    "a Cedar identifier: a-z 0-9 _, not beginning with a digit or __, not a reserved word";

static bool is_attr(struct str s)
{
    static const char *const ours[] = {"tenant", "team",  "name",   "digest", "region",
                                       "onprem", "class", "effect", "server"};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (str_is(s, ours[i]))
            return false;
    }
    return is_word(s);
}
static const char attr_rule[] =
    "a Cedar identifier of your own: a-z 0-9 _ (tenant, team, name, digest, region, "
    "onprem, class, effect and server are set by Reeve)";

static bool is_header(struct str s)
{
    /* Keys come from the secret's file; framing is the helper's. */
    static const char *const ours[] = {
        "authorization",  "x-api-key",    "proxy-authorization", "cookie",    "host",
        "content-length", "content-type", "transfer-encoding",   "connection"};
    if (s.len == 0 || s.len > 64)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || c == '-' || (c >= '0' && c <= '9')))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (str_is(s, ours[i]))
            return false;
    }
    return true;
}
static const char header_rule[] =
    "a header's name in lower case, other than those of authentication and framing";

/* ---- shared parts ---- */

#define RESOURCE_ROWS(type_, member)                                                          \
    ROW("memory", BIND_SIZE, type_, member.memory_bytes, RANGE(0, 8 * MIB, 1024 * GIB)),      \
        ROW("processes", BIND_INT, type_, member.processes, RANGE(0, 1, 100000)),             \
        ROW("cpu_time", BIND_DURATION, type_, member.cpu_ms, RANGE(0, SECOND, 365 * DAY)),    \
        ROW("open_files", BIND_INT, type_, member.open_files, RANGE(0, 16, 1000000)),         \
        ROW("file_size", BIND_SIZE, type_, member.file_bytes, RANGE(0, 4 * KIB, 1024 * GIB)), \
        ROW("tmp", BIND_SIZE, type_, member.tmp_bytes, RANGE(0, 64 * KIB, 64 * GIB))

static const struct bind_row mount_rows[] = {
    ROW("path", BIND_PATH, struct house_file, path, .flags = BIND_REQUIRED | BIND_EXPAND),
    ROW("at", BIND_PATH, struct house_file, at, .flags = BIND_EXPAND),
    ROW("write", BIND_BOOL, struct house_file, write, .dflt = 0),
};
static const struct bind_table mount_table =
    BIND_TABLE_OF("an entry of `files`", mount_rows, struct house_file, NULL);

static const struct bind_row budget_rows[] = {
    ROW("tokens", BIND_INT, struct house_budget, tokens,
        RANGE(HOUSE_NO_LIMIT, 0, INT64_C(1000000000000))),
    ROW("calls", BIND_INT, struct house_budget, calls,
        RANGE(HOUSE_NO_LIMIT, 0, INT64_C(1000000000))),
    ROW("cost", BIND_FIXED, struct house_budget, cost_micro, .places = 6,
        RANGE(HOUSE_NO_LIMIT, 0, INT64_C(1000000000000000))),
};
static const struct bind_table budget_table =
    BIND_TABLE_OF("a budget", budget_rows, struct house_budget, NULL);

/* ---- workflow ---- */

static const struct bind_row trigger_rows[] = {
    ROW("event", BIND_LINE, struct workflow_trigger, event, .flags = BIND_REQUIRED | BIND_NOT_EMPTY,
        .max = 256,
        .expected = "a CloudEvents type such as com.example.invoice.received; * matches any run of "
                    "characters"),
    ROW("source", BIND_LINE, struct workflow_trigger, source, .flags = BIND_NOT_EMPTY, .max = 256),
    ROW("subject", BIND_LINE, struct workflow_trigger, subject, .flags = BIND_NOT_EMPTY,
        .max = 256),
};
static const struct bind_table trigger_table =
    BIND_TABLE_OF("a trigger", trigger_rows, struct workflow_trigger, NULL);

static void finish_agent(struct bind *b, const struct yaml *node, void *object);
static const struct bind_row agent_rows[] = {
    ROW("model", BIND_NAME, struct workflow_agent, model, .flags = BIND_REQUIRED, .ref = REF_MODEL,
        .expected = "the name of a model route"),
    ROW("system", BIND_TEXT, struct workflow_agent, system, .max = 256 * KIB),
    ROW("prompt", BIND_TEXT, struct workflow_agent, prompt, .max = 256 * KIB),
    ROW("max_turns", BIND_INT, struct workflow_agent, max_turns, RANGE(20, 1, 1000)),
    ROW("max_tokens", BIND_INT, struct workflow_agent, max_tokens, RANGE(0, 1, 10000000)),
    ROW("temperature", BIND_FIXED, struct workflow_agent, temperature_milli, .places = 3,
        RANGE(-1, 0, 2000)),
    ROW("warm", BIND_INT, struct workflow_agent, warm, RANGE(-1, 0, HOUSE_WARM_MAX)),
};
static const struct bind_table agent_table =
    BIND_TABLE_OF("an agent", agent_rows, struct workflow_agent, finish_agent);

static void finish_program(struct bind *b, const struct yaml *node, void *object);
static const struct bind_row program_rows[] = {
    ROW("program", BIND_PATH, struct workflow_program, program,
        .flags = BIND_REQUIRED | BIND_EXPAND, .expected = "the absolute path of a program"),
    ROW("args", BIND_LINES, struct workflow_program, args, .flags = BIND_EXPAND, .max = 60),
    ROW("profile", BIND_ENUM, struct workflow_program, profile, .names = profile_names,
        .dflt = HOUSE_PROGRAM),
    ROW("env", BIND_PAIRS, struct workflow_program, env, .flags = BIND_EXPAND, .key_ok = is_env,
        .key_rule = env_rule, .max = 60),
    ROW("files", BIND_LIST, struct workflow_program, files.items, .max = 60,
        ITEMS(struct workflow_program, files.count, mount_table)),
    ROW("models", BIND_NAMES, struct workflow_program, models, .ref = REF_MODEL,
        .max = HOUSE_ROUTES_MAX),
    ROW("warm", BIND_INT, struct workflow_program, warm, RANGE(-1, 0, HOUSE_WARM_MAX)),
};
static const struct bind_table program_table =
    BIND_TABLE_OF("a worker", program_rows, struct workflow_program, finish_program);

static const struct bind_row limit_rows[] = {
    ROW("wall_time", BIND_DURATION, struct workflow_limits, wall_ms, RANGE(HOUR, SECOND, 30 * DAY)),
    ROW("start_time", BIND_DURATION, struct workflow_limits, start_ms,
        RANGE(30 * SECOND, 100, 10 * MINUTE)),
    ROW("park_after", BIND_DURATION, struct workflow_limits, park_after_ms, RANGE(SECOND, 0, HOUR)),
    ROW("steps", BIND_INT, struct workflow_limits, steps, RANGE(1000, 1, 1000000)),
    ROW("attempts", BIND_INT, struct workflow_limits, attempts, RANGE(5, 1, 1000)),
    ROW("children", BIND_INT, struct workflow_limits, children, RANGE(16, 0, 10000)),
    ROW("depth", BIND_INT, struct workflow_limits, depth, RANGE(3, 0, 16)),
    ROW("result", BIND_SIZE, struct workflow_limits, result_bytes, RANGE(MIB, KIB, 16 * MIB)),
    ROW("message", BIND_SIZE, struct workflow_limits, message_bytes,
        RANGE(4 * MIB, 64 * KIB, 16 * MIB)),
    ROW("storage", BIND_SIZE, struct workflow_limits, storage_bytes,
        RANGE(GIB, 64 * KIB, 1024 * GIB)),
    ROW("output", BIND_SIZE, struct workflow_limits, output_bytes, RANGE(16 * MIB, KIB, GIB)),
    RESOURCE_ROWS(struct workflow_limits, worker),
};
static const struct bind_table limit_table =
    BIND_TABLE_OF("limits", limit_rows, struct workflow_limits, NULL);

static void finish_retry(struct bind *b, const struct yaml *node, void *object);
static const struct bind_row retry_rows[] = {
    ROW("initial", BIND_DURATION, struct workflow_retry, initial_ms, RANGE(SECOND, 10, DAY)),
    ROW("max", BIND_DURATION, struct workflow_retry, max_ms, RANGE(5 * MINUTE, 10, 30 * DAY)),
    ROW("within", BIND_DURATION, struct workflow_retry, within_ms,
        RANGE(7 * DAY, SECOND, 366 * DAY)),
    ROW("factor", BIND_FIXED, struct workflow_retry, factor_milli, .places = 3,
        RANGE(2000, 1000, 10000)),
};
static const struct bind_table retry_table =
    BIND_TABLE_OF("retry", retry_rows, struct workflow_retry, finish_retry);

static void finish_counter(struct bind *b, const struct yaml *node, void *object);
static const struct bind_row counter_rows[] = {
    ROW("of", BIND_ENUM, struct workflow_counter, of, .names = of_names, .dflt = OF_CALLS),
    ROW("sum", BIND_LINE, struct workflow_counter, sum, .max = 200),
    ROW("tools", BIND_LINES, struct workflow_counter, tools, .flags = BIND_NOT_EMPTY,
        .ref = REF_TOOL, .max = 64),
    ROW("window", BIND_DURATION, struct workflow_counter, window_ms, RANGE(0, SECOND, 366 * DAY)),
    ROW("per", BIND_ENUM, struct workflow_counter, per, .names = per_names, .dflt = PER_WORKFLOW),
};
static const struct bind_table counter_table =
    BIND_TABLE_OF("a counter of `history`", counter_rows, struct workflow_counter, finish_counter);

static void finish_workflow(struct bind *b, const struct yaml *node, void *object);
static const struct bind_row workflow_rows[] = {
    ROW("name", BIND_NAME, struct workflow, name, .flags = BIND_REQUIRED),
    ROW("tenant", BIND_NAME, struct workflow, tenant, .flags = BIND_REQUIRED, .ref = REF_TENANT,
        .expected = "the name of a tenant"),
    ROW("team", BIND_NAME, struct workflow, team, .ref = REF_TEAM),
    ROW("zone", BIND_LINE, struct workflow, zone, .max = 64,
        .expected = "a time zone such as Europe/Paris"),
    ROW("trigger", BIND_LIST, struct workflow, triggers, .max = 64,
        ITEMS(struct workflow, trigger_count, trigger_table)),
    ROW("agent", BIND_TABLE, struct workflow, agent, .flags = BIND_OPTIONAL,
        ITEMS(struct workflow, is_agent, agent_table)),
    ROW("worker", BIND_TABLE, struct workflow, program, .flags = BIND_OPTIONAL,
        ITEMS(struct workflow, is_program, program_table)),
    ROW("tools", BIND_LINES, struct workflow, tools, .ref = REF_TOOL, .max = 256),
    ROW("emits", BIND_LINES, struct workflow, emits, .max = 64),
    ROW("children", BIND_NAMES, struct workflow, children, .ref = REF_WORKFLOW, .max = 64),
    ROW("labels", BIND_NAMES, struct workflow, labels, .max = 32),
    ROW("limits", BIND_TABLE, struct workflow, limits, .table = &limit_table),
    ROW("budget", BIND_TABLE, struct workflow, budget, .table = &budget_table),
    ROW("retry", BIND_TABLE, struct workflow, retry, .table = &retry_table),
    ROW("history", BIND_KEYED, struct workflow, counters, .key_ok = is_word, .key_rule = word_rule,
        .max = 32, ITEMS(struct workflow, counter_count, counter_table)),
    ROW("retention", BIND_DURATION, struct workflow, retention_ms,
        RANGE(30 * DAY, HOUR, 3660 * DAY)),
    ROW("retention_size", BIND_SIZE, struct workflow, retention_bytes, RANGE(0, MIB, 1024 * GIB)),
    ROW("concurrency", BIND_INT, struct workflow, concurrency, RANGE(16, 1, 10000)),
    ROW("priority", BIND_INT, struct workflow, priority, RANGE(5, 0, 9)),
    ROW("key", BIND_LINE, struct workflow, key, .max = 200),
    ROW("key_concurrency", BIND_INT, struct workflow, key_concurrency, RANGE(1, 1, 10000)),
    ROW("rate", BIND_LINE, struct workflow, rate, .max = 40),
    ROW("queue", BIND_INT, struct workflow, queue, RANGE(100000, 1, 10000000)),
    ROW("attributes", BIND_PAIRS, struct workflow, attrs, .key_ok = is_attr, .key_rule = attr_rule,
        .max = 32),
};
const struct bind_table tables_workflow =
    BIND_TABLE_OF("a workflow", workflow_rows, struct workflow, finish_workflow);

/* ---- server ---- */

static const struct bind_row tool_rows[] = {
    ROW("class", BIND_ENUM, struct server_tool, class, .names = class_names,
        .dflt = TOOL_IRREVERSIBLE),
    ROW("retry", BIND_ENUM, struct server_tool, retry, .names = retry_names, .dflt = RETRY_NEVER),
    ROW("verify", BIND_LINE, struct server_tool, verify, .max = 128),
    ROW("timeout", BIND_DURATION, struct server_tool, timeout_ms, RANGE(0, 10, HOUR)),
};
static const struct bind_table tool_table =
    BIND_TABLE_OF("a tool", tool_rows, struct server_tool, NULL);

static const struct bind_row server_limit_rows[] = {RESOURCE_ROWS(struct server, limits)};
/* The rows count from the server, so the table is bound with offset 0. */
static const struct bind_table server_limit_table =
    BIND_TABLE_OF("limits", server_limit_rows, struct server, NULL);

static void finish_server(struct bind *b, const struct yaml *node, void *object);
static const struct bind_row server_rows[] = {
    ROW("name", BIND_NAME, struct server, name, .flags = BIND_REQUIRED),
    ROW("tenant", BIND_NAME, struct server, tenant, .ref = REF_TENANT),
    ROW("command", BIND_LINES, struct server, command,
        .flags = BIND_REQUIRED | BIND_NOT_EMPTY | BIND_EXPAND, .max = 60,
        .expected = "a list: the absolute path of a program, then its arguments"),
    ROW("base", BIND_ENUM, struct server, base, .names = profile_names, .dflt = HOUSE_PROGRAM),
    ROW("env", BIND_PAIRS, struct server, env, .flags = BIND_EXPAND, .key_ok = is_env,
        .key_rule = env_rule, .max = 60),
    ROW("secrets", BIND_PAIRS, struct server, secrets, .flags = BIND_EXPAND | BIND_PATHS,
        .key_ok = is_env, .key_rule = env_rule, .max = 16),
    ROW("files", BIND_LIST, struct server, files.items, .max = 60,
        ITEMS(struct server, files.count, mount_table)),
    ROW("network", BIND_BOOL, struct server, network, .dflt = 0),
    {.key = "limits", .type = BIND_TABLE, .offset = 0, .table = &server_limit_table},
    ROW("timeout", BIND_DURATION, struct server, timeout_ms, RANGE(30 * SECOND, 10, HOUR)),
    ROW("idle", BIND_DURATION, struct server, idle_ms, RANGE(5 * MINUTE, SECOND, 365 * DAY)),
    ROW("start_timeout", BIND_DURATION, struct server, start_timeout_ms,
        RANGE(10 * SECOND, 10, 10 * MINUTE)),
    ROW("concurrency", BIND_INT, struct server, concurrency, RANGE(8, 1, 1000)),
    ROW("result", BIND_SIZE, struct server, result_bytes, RANGE(MIB, KIB, 16 * MIB)),
    ROW("unlisted", BIND_ENUM, struct server, unlisted, .names = unlisted_names,
        .dflt = UNLISTED_HIDE),
    ROW("tools", BIND_KEYED, struct server, tools, .key_ok = name_is_tool,
        .key_rule = name_tool_rule_text, .max = 1024, ITEMS(struct server, tool_count, tool_table)),
};
const struct bind_table tables_server =
    BIND_TABLE_OF("a server", server_rows, struct server, finish_server);

/* ---- the rest ---- */

static const struct bind_row price_rows[] = {
    ROW("input", BIND_FIXED, struct model_price, input_micro, .places = 6,
        RANGE(0, 0, INT64_C(1000000000000))),
    ROW("output", BIND_FIXED, struct model_price, output_micro, .places = 6,
        RANGE(0, 0, INT64_C(1000000000000))),
    ROW("cached", BIND_FIXED, struct model_price, cached_micro, .places = 6,
        RANGE(-1, 0, INT64_C(1000000000000))),
};
static const struct bind_table price_table =
    BIND_TABLE_OF("a price", price_rows, struct model_price, NULL);

static void finish_model(struct bind *b, const struct yaml *node, void *object);
static const struct bind_row model_rows[] = {
    ROW("name", BIND_NAME, struct model, name, .flags = BIND_REQUIRED),
    ROW("tenant", BIND_NAME, struct model, tenant, .ref = REF_TENANT),
    ROW("url", BIND_URL, struct model, url, .flags = BIND_REQUIRED | BIND_EXPAND),
    ROW("model", BIND_LINE, struct model, model,
        .flags = BIND_REQUIRED | BIND_NOT_EMPTY | BIND_EXPAND, .max = 256,
        .expected = "the model's name at the gateway"),
    ROW("api", BIND_ENUM, struct model, api, .names = api_names, .dflt = API_CHAT_COMPLETIONS),
    ROW("auth", BIND_ENUM, struct model, auth, .names = auth_names, .dflt = AUTH_NONE),
    ROW("secret", BIND_PATH, struct model, secret, .flags = BIND_EXPAND,
        .expected = "the absolute path of the file that holds the key"),
    ROW("ca_file", BIND_PATH, struct model, ca_file, .flags = BIND_EXPAND),
    ROW("headers", BIND_PAIRS, struct model, headers, .flags = BIND_EXPAND, .key_ok = is_header,
        .key_rule = header_rule, .max = 32),
    ROW("parameters", BIND_NAMES, struct model, parameters, .max = 64),
    ROW("timeout", BIND_DURATION, struct model, timeout_ms, RANGE(120 * SECOND, 100, HOUR)),
    ROW("connect_timeout", BIND_DURATION, struct model, connect_timeout_ms,
        RANGE(10 * SECOND, 100, 5 * MINUTE)),
    ROW("max_response", BIND_SIZE, struct model, max_response_bytes,
        RANGE(4 * MIB, 4 * KIB, 8 * MIB)),
    ROW("onprem", BIND_BOOL, struct model, onprem, .dflt = 0),
    ROW("allow_http", BIND_BOOL, struct model, allow_http, .dflt = 0),
    ROW("price", BIND_TABLE, struct model, price, .table = &price_table),
    ROW("attributes", BIND_PAIRS, struct model, attrs, .key_ok = is_attr, .key_rule = attr_rule,
        .max = 32),
};
const struct bind_table tables_model =
    BIND_TABLE_OF("a model", model_rows, struct model, finish_model);

static const struct bind_row tenant_budget_rows[] = {
    ROW("day", BIND_TABLE, struct tenant, day, .table = &budget_table),
    ROW("month", BIND_TABLE, struct tenant, month, .table = &budget_table),
};
static const struct bind_table tenant_budget_table =
    BIND_TABLE_OF("a tenant's budget", tenant_budget_rows, struct tenant, NULL);
static const struct bind_row tenant_rows[] = {
    ROW("name", BIND_NAME, struct tenant, name, .flags = BIND_REQUIRED),
    ROW("region", BIND_LINE, struct tenant, region, .max = 64),
    ROW("attributes", BIND_PAIRS, struct tenant, attrs, .key_ok = is_attr, .key_rule = attr_rule,
        .max = 32),
    {.key = "budget", .type = BIND_TABLE, .offset = 0, .table = &tenant_budget_table},
    ROW("concurrency", BIND_INT, struct tenant, concurrency, RANGE(0, 1, 10000)),
    ROW("queue", BIND_INT, struct tenant, queue, RANGE(0, 1, 10000000)),
    ROW("storage", BIND_SIZE, struct tenant, storage_bytes, RANGE(0, MIB, 1024 * GIB)),
};
const struct bind_table tables_tenant = BIND_TABLE_OF("a tenant", tenant_rows, struct tenant, NULL);

static const struct bind_row team_rows[] = {
    ROW("name", BIND_NAME, struct team, name, .flags = BIND_REQUIRED),
    ROW("tenant", BIND_NAME, struct team, tenant, .flags = BIND_REQUIRED, .ref = REF_TENANT,
        .expected = "the name of a tenant"),
};
const struct bind_table tables_team = BIND_TABLE_OF("a team", team_rows, struct team, NULL);

static const struct bind_row person_rows[] = {
    ROW("user", BIND_NAME, struct person, name, .flags = BIND_REQUIRED | BIND_EXPAND),
    ROW("uid", BIND_INT, struct person, uid, RANGE(-1, 0, INT64_C(4294967294))),
    ROW("teams", BIND_NAMES, struct person, teams, .ref = REF_TEAM, .max = 64),
};
const struct bind_table tables_person = BIND_TABLE_OF("a person", person_rows, struct person, NULL);

static void finish_access(struct bind *b, const struct yaml *node, void *object);
static const struct bind_row access_rows[] = {
    ROW("role", BIND_ENUM, struct access_rule, role, .flags = BIND_REQUIRED, .names = role_names,
        .expected = "viewer, operator, approver or admin"),
    ROW("users", BIND_LINES, struct access_rule, users, .flags = BIND_NOT_EMPTY | BIND_EXPAND,
        .max = 256),
    ROW("groups", BIND_LINES, struct access_rule, groups, .flags = BIND_NOT_EMPTY | BIND_EXPAND,
        .max = 256),
};
const struct bind_table tables_access =
    BIND_TABLE_OF("an entry of `access`", access_rows, struct access_rule, finish_access);

/* ---- what hangs together ---- */

bool tables_tool_split(struct str pattern, struct str *ret_server, struct str *ret_tool)
{
    ssize_t slash = str_find(pattern, '/', 0);
    if (slash < 0)
        return false;
    *ret_server = str_slice(pattern, 0, (size_t)slash);
    *ret_tool = str_slice(pattern, (size_t)slash + 1, pattern.len);
    if (!name_is_ok(*ret_server) || ret_tool->len == 0 || ret_tool->len > 128)
        return false;
    for (size_t i = 0; i < ret_tool->len; i++) {
        struct str c = str_slice(*ret_tool, i, i + 1);
        if (c.ptr[0] != '*' && !name_is_tool(c))
            return false;
    }
    return true;
}

/* Placeholders are looked for in the source, so that the caret stands below the wrong one. */
static void check_placeholders(struct bind *b, const struct yaml *v)
{
    static const char *const known[] = {WORKFLOW_PLACEHOLDERS};
    static const char rule[] = "{{event.data}}, .id, .source, .subject, .time or .type";
    struct str text = {b->diags->files[b->file].text, b->diags->files[b->file].len};
    for (size_t i = v->from; i + 1 < v->to; i++) {
        if (text.ptr[i] != '{' || text.ptr[i + 1] != '{')
            continue;
        size_t end = i + 2;
        while (end < v->to && text.ptr[end] != '}' && text.ptr[end] != '\n')
            end++;
        struct str name = str_slice(text, i + 2, end);
        bool closed = end + 1 < v->to && text.ptr[end] == '}' && text.ptr[end + 1] == '}';
        size_t k = 0;
        while (k < ARRAY_LEN(known) && !str_is(name, known[k]))
            k++;
        if (!closed || k == ARRAY_LEN(known))
            diags_add(b->diags, DIAG_ERROR, b->file, i, MIN(end + 2, v->to), rule,
                      closed ? "`{{%.*s}}` is no placeholder"
                             : "the placeholder `{{%.*s` is not closed",
                      STR_FMT(str_slice(name, 0, 60)));
        i = end;
    }
}

static void finish_agent(struct bind *b, const struct yaml *node, void *object)
{
    (void)object;
    const struct yaml *prompt = yaml_get(node, "prompt");
    if (prompt)
        check_placeholders(b, prompt);
}

static void finish_program(struct bind *b, const struct yaml *node, void *object)
{
    (void)object;
    const struct yaml *models = yaml_get(node, "models");
    for (const struct yaml *c = models ? models->first : NULL; c; c = c->next) {
        const struct yaml *before = models->first;
        while (before != c && !str_eq(before->text, c->text))
            before = before->next;
        if (before != c)
            bind_error(b, c, "each route once", "`models` names `%.*s` twice",
                       STR_FMT(str_slice(c->text, 0, 80)));
    }
}

static void finish_retry(struct bind *b, const struct yaml *node, void *object)
{
    const struct workflow_retry *r = object;
    const struct yaml *at = yaml_get(node, "max");
    if (r->initial_ms > r->max_ms)
        bind_error(b, at ? at : node, "at least `initial`", "`max` is shorter than `initial`");
}

static void finish_counter(struct bind *b, const struct yaml *node, void *object)
{
    const struct workflow_counter *c = object;
    if (c->sum.len == 0)
        return;
    struct str rest = str_slice(c->sum, 6, c->sum.len), part;
    bool good = str_starts(c->sum, STR("input.")) && rest.len > 0 && rest.ptr[rest.len - 1] != '.';
    while (good && str_split(&rest, '.', &part))
        good = part.len > 0;
    if (!good)
        bind_error(b, yaml_get(node, "sum"),
                   "the path of a number in the arguments, such as input.amount",
                   "`sum` cannot be `%.*s`", STR_FMT(c->sum));
}

static void check_zone(struct bind *b, const struct yaml *node, struct workflow *w)
{
    if (w->zone.len == 0) {
        w->zone = STR("UTC");
        return;
    }
    bool good = w->zone.ptr[0] != '/' && w->zone.ptr[0] != '.';
    for (size_t i = 0; i < w->zone.len; i++) {
        char c = w->zone.ptr[i];
        /* It becomes part of a path below the zone database: no way out of there. */
        good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '+' || c == '-');
    }
    if (!good)
        bind_error(b, yaml_get(node, "zone"), "a time zone such as Europe/Paris",
                   "`zone` cannot be `%.*s`", STR_FMT(w->zone));
}

static void check_key(struct bind *b, const struct yaml *node, const struct workflow *w)
{
    if (w->key.len == 0)
        return;
    struct str rest = str_slice(w->key, 6, w->key.len), part;
    bool good = str_starts(w->key, STR("event.")) && rest.len > 0 && rest.ptr[rest.len - 1] != '.';
    while (good && str_split(&rest, '.', &part))
        good = part.len > 0;
    if (!good)
        bind_error(b, yaml_get(node, "key"), "a path in the event, such as event.data.customer",
                   "`key` cannot be `%.*s`", STR_FMT(w->key));
}

/* "60/1h". At most so many starts are kept, so the count is bounded as well. */
static void read_rate(struct bind *b, const struct yaml *node, struct workflow *w)
{
    struct str rest = w->rate, count;
    if (w->rate.len == 0)
        return;
    if (!str_split(&rest, '/', &count) || num_i64(count, &w->rate_count) < 0 ||
        num_duration_ms(rest, &w->rate_ms) < 0 || w->rate_count < 1 || w->rate_count > 100000 ||
        w->rate_ms < SECOND || w->rate_ms > 366 * DAY) {
        w->rate_count = w->rate_ms = 0;
        bind_error(b, yaml_get(node, "rate"),
                   "a number of starts (1 to 100000), / and a duration (1s to 366d), such as 60/1h",
                   "`rate` cannot be `%.*s`", STR_FMT(w->rate));
    }
}

static void finish_workflow(struct bind *b, const struct yaml *node, void *object)
{
    struct workflow *w = object;
    check_zone(b, node, w);
    check_key(b, node, w);
    read_rate(b, node, w);
    if (w->is_agent && w->is_program)
        bind_key_error(b, yaml_get(node, "worker"),
                       "`agent` (the built-in loop) or `worker` (a program)",
                       "a workflow cannot have both `agent` and `worker`");
    else if (!w->is_agent && !w->is_program && b->clean)
        bind_key_error(b, node, "`agent` (the built-in loop) or `worker` (a program)",
                       "workflow `%.*s` does not say what runs", STR_FMT(w->name));
}

static void check_tool(struct bind *b, const struct server *s, const struct yaml *node,
                       struct server_tool *t)
{
    const struct yaml *retry = yaml_get(node, "retry"), *verify = yaml_get(node, "verify");
    if (!retry && t->class == TOOL_READ)
        t->retry = RETRY_READ_ONLY;
    if (retry && t->retry == RETRY_READ_ONLY && t->class != TOOL_READ)
        bind_error(b, retry, "never, idempotent or verify",
                   "tool `%.*s` is of class %s: it is not read-only", STR_FMT(t->name),
                   tool_class_name(t->class));
    if (retry && t->retry == RETRY_VERIFY && !verify)
        bind_error(b, retry, "`verify: <a tool of class read of this server>`",
                   "tool `%.*s` does not say which tool verifies it", STR_FMT(t->name));
    if (!verify)
        return;
    if (t->retry != RETRY_VERIFY && (!retry || b->clean)) {
        bind_key_error(b, verify, "`retry: verify`", "`verify` is used with `retry: verify` only");
        return;
    }
    for (size_t i = 0; i < s->tool_count; i++) {
        if (str_eq(s->tools[i].name, t->verify) && s->tools[i].class == TOOL_READ)
            return;
    }
    bind_error(b, verify, "a tool of class read that this server lists", "`%.*s` cannot verify",
               STR_FMT(t->verify));
}

static void finish_server(struct bind *b, const struct yaml *node, void *object)
{
    struct server *s = object;
    const struct yaml *command = yaml_get(node, "command");
    /* When all of its texts could be read. */
    if (command && command->first && s->command.count == command->count &&
        !bind_is_path(s->command.items[0]))
        bind_error(b, command->first,
                   "the absolute path of a program, such as /usr/bin/node or ${dir}/ledger",
                   "the command does not begin with a path");
    const struct yaml *tools = yaml_get(node, "tools");
    /* The array is the arena's, made by bind_read for this very object: const only for readers. */
    struct server_tool *items = (struct server_tool *)(uintptr_t)s->tools;
    for (const struct yaml *c = tools ? tools->first : NULL; c; c = c->next) {
        for (size_t i = 0; i < s->tool_count; i++) {
            if (str_eq(items[i].name, c->key))
                check_tool(b, s, c, &items[i]);
        }
    }
}

static void check_parameters(struct bind *b, const struct yaml *node)
{
    const struct yaml *list = yaml_get(node, "parameters");
    for (const struct yaml *c = list ? list->first : NULL; c; c = c->next)
        if (c->type == YAML_SCALAR && model_request_is_ours(c->text))
            bind_error(b, c, "a parameter that only shapes an answer",
                       "`%.*s` is Reeve's to set, or never sent", STR_FMT(c->text));
}

static void finish_model(struct bind *b, const struct yaml *node, void *object)
{
    struct model *m = object;
    const struct yaml *url = yaml_get(node, "url"), *auth = yaml_get(node, "auth");
    const struct yaml *secret = yaml_get(node, "secret");
    if (str_starts(m->url, STR("http://")) && !m->allow_http)
        bind_error(b, url, "https://…, or `allow_http: true` beside it",
                   "the key and the data would cross in the clear");
    size_t len = m->url.len;
    while (len > 0 && m->url.ptr[len - 1] == '/')
        len--;
    m->url = arena_str(b->arena, str_slice(m->url, 0, len));
    if (!m->url.ptr)
        b->status = -ENOMEM;
    if (!auth)
        m->auth = m->secret.len > 0 ? AUTH_BEARER : AUTH_NONE;
    if (auth && m->auth != AUTH_NONE && m->secret.len == 0 && b->clean)
        bind_error(b, auth, "`secret: <the file that holds the key>`", "`auth: %s` needs a key",
                   auth_names[m->auth]);
    if (auth && m->auth == AUTH_NONE && m->secret.len > 0 && b->clean)
        bind_error(b, secret, "no `secret`, or `auth: bearer`", "`auth: none` uses no key");
    check_parameters(b, node);
    if (m->price.cached_micro < 0)
        m->price.cached_micro = m->price.input_micro;
}

static void finish_access(struct bind *b, const struct yaml *node, void *object)
{
    const struct access_rule *r = object;
    if (b->clean && r->users.count + r->groups.count == 0)
        bind_error(b, node, "`users` or `groups`", "role %s is given to nobody",
                   access_role_name(r->role));
}
