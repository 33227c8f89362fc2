/*
 * check_schema.c: `reeve policy schema`: the Cedar schema of a server's tools, so that editors and
 * Cedar's own tools can check policies; see check.h. The definitions are foreign: names are checked
 * or quoted, depth is bounded.
 */
#include "policy/check.h"

#include "policy/cedar/value.h"
#include "policy/text/names.h"

#define DEPTH_MAX 16

static const char head[] =
    "entity Tenant = { region?: String };\n"
    "entity Team in [Tenant];\n"
    "entity User in [Team] = { uid?: Long };\n"
    "entity Workflow in [Team, Tenant] = { tenant: Tenant, digest: String };\n"
    "entity Server in [Tenant] = { tenant: Tenant };\n"
    "entity Tool in [Server] = { tenant: Tenant, class: String, digest: String };\n"
    "entity Model in [Tenant] = { tenant: Tenant, onprem: Bool };\n"
    "entity Source in [Tenant] = { tenant: Tenant, kind: String };\n"
    "\n"
    "type Local = { hour: Long, weekday: Long };\n"
    "type Run = { id: String, step: Long, depth: Long, attempt: Long, source: String };\n"
    "type Budget = { calls_left: Long, tokens_left: Long, spent: decimal, limit: decimal };\n"
    "type Approval = { by: Set<User>, count: Long, at: datetime };\n"
    "// The counters that workflow files name under `history`.\n"
    "type History = {};\n"
    "\n"
    "action \"call\", \"propose\", \"oblige\", \"read\", \"write\", \"irreversible\";\n";

static bool is_plain_name(struct str s)
{
    return s.len > 0 && s.len < 64 && cedar_name_is_ok(s) && str_find(s, ':', 0) < 0;
}

static void put_attr_name(struct buf *out, struct str name)
{
    struct cedar_value quoted = cedar_string(name);
    if (is_plain_name(name))
        buf_str_put(out, name);
    else
        cedar_value_put(out, &quoted);
}

/* The one type that a schema names, "null" beside it left out; NULL: none or several. */
static const char *type_of(const struct json *schema)
{
    static const char *const known[] = {"string",  "integer", "number",
                                        "boolean", "array",   "object"};
    const struct json *t = json_get(schema, "type");
    struct str name = STR_NONE;
    if (json_is(t, JSON_STRING))
        name = t->string;
    for (size_t i = 0; json_is(t, JSON_ARRAY) && i < t->array.count; i++) {
        const struct json *item = &t->array.items[i];
        if (!json_is(item, JSON_STRING) || str_is(item->string, "null"))
            continue;
        if (name.len > 0)
            return NULL;
        name = item->string;
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_is(name, known[i]))
            return known[i];
    }
    return NULL;
}

static bool is_required(const struct json *schema, struct str name)
{
    const struct json *list = json_get(schema, "required");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        if (json_is(&list->array.items[i], JSON_STRING) &&
            str_eq(list->array.items[i].string, name))
            return true;
    }
    return false;
}

static bool put_type(struct buf *out, const struct json *schema, unsigned depth);

static bool put_record(struct buf *out, const struct json *schema, unsigned depth)
{
    const struct json *p = json_get(schema, "properties");
    size_t n = 0;
    buf_cstr(out, "{");
    for (size_t i = 0; json_is(p, JSON_OBJECT) && i < p->object.count; i++) {
        const struct json_member *m = &p->object.members[i];
        size_t before = out->len;
        buf_cstr(out, n ? ", " : " ");
        put_attr_name(out, m->name);
        buf_cstr(out, is_required(schema, m->name) ? ": " : "?: ");
        /* What Cedar cannot say (a choice of types) has no attribute here: strict checks then
         * refuse its use. */
        if (put_type(out, &m->value, depth + 1))
            n++;
        else
            buf_truncate(out, before);
    }
    buf_cstr(out, n ? " }" : "}");
    return true;
}

static bool put_type(struct buf *out, const struct json *schema, unsigned depth)
{
    const char *type = json_is(schema, JSON_OBJECT) && depth < DEPTH_MAX ? type_of(schema) : NULL;
    if (!type)
        return false;
    if (strcmp(type, "object") == 0)
        return put_record(out, schema, depth);
    if (strcmp(type, "array") == 0) {
        buf_cstr(out, "Set<");
        if (!json_get(schema, "items") || !put_type(out, json_get(schema, "items"), depth + 1))
            return false;
        buf_cstr(out, ">");
        return true;
    }
    buf_cstr(out, strcmp(type, "string") == 0    ? "String"
                  : strcmp(type, "integer") == 0 ? "Long"
                  : strcmp(type, "number") == 0  ? "decimal"
                                                 : "Bool");
    return true;
}

static int put_tool(struct buf *out, struct str server, const struct json *tool, size_t index,
                    struct err *err)
{
    static const char *const asks[] = {"call", "propose", "oblige"};
    struct str name;
    int rc = json_want_str(tool, "name", &name, err);
    if (rc < 0)
        return rc;
    if (!name_is_tool(name))
        return err_set(err, EINVAL, "tool %zu has no proper name (%s)", index, name_tool_rule_text);
    size_t before = out->len;
    buf_fmt(out, "\ntype Input%zu = ", index);
    const struct json *schema = json_get(tool, "inputSchema");
    if (!schema || !put_type(out, schema, 0)) {
        buf_truncate(out, before);
        buf_fmt(out, "\ntype Input%zu = {}", index);
    }
    buf_cstr(out, ";\n");
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        buf_fmt(out,
                "action \"%s:%.*s/%.*s\" in [\"%s\", \"%s:%.*s\"] appliesTo { principal: "
                "[Workflow], resource: [Tool],\n",
                asks[i], STR_FMT(server), STR_FMT(name), asks[i], asks[i], STR_FMT(server));
        buf_fmt(out,
                "  context: { input: Input%zu, now: datetime, local: Local, run: Run, budget: "
                "Budget, history: History, "
                "labels: Set<String>, approval?: Approval } };\n",
                index);
    }
    return 0;
}

int check_schema(struct str server, const struct json *tools_list, struct buf *out, struct err *err)
{
    const struct json *tools =
        json_is(tools_list, JSON_ARRAY) ? tools_list : json_get(tools_list, "tools");
    if (!json_is(tools, JSON_ARRAY)) {
        err_set(err, EINVAL, "the result of tools/list holds no list of tools");
        return 2;
    }
    if (!name_is_ok(server)) {
        err_set(err, EINVAL, "\"%.*s\" cannot be the name of a server (%s)",
                STR_FMT(str_slice(server, 0, 80)), name_rule_text);
        return 2;
    }
    buf_cstr(out, head);
    static const char *const asks[] = {"call", "propose", "oblige"};
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        buf_fmt(out, "action \"%s:%.*s\";\n", asks[i], STR_FMT(server));
    for (size_t i = 0; i < tools->array.count; i++) {
        if (put_tool(out, server, &tools->array.items[i], i, err) < 0)
            return 2;
    }
    if (buf_status(out) < 0) {
        err_set(err, -buf_status(out), "the output is too long");
        return 2;
    }
    return 0;
}
