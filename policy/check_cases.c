/* clang-format off: the example is YAML */
/*
 * check_cases.c: `reeve policy test`: cases in a file, each a request and what must come of it; see check.h.
 *
 *   - name: a payment goes to the leads
 *     workflow: invoice-triage       # names stand for what the directory says of them; or as facts have it
 *     tool: ledger/pay
 *     now: 2026-11-23T10:00:00Z
 *     input: {amountCents: 125000}
 *     expect: gate                   # a tool call: run, gate or deny; another ask: allow or deny
 *     policies: [pay-propose]        # may be absent
 */
/* clang-format on */
#include "policy/check.h"

#include "policy/yaml.h"

#define CASES_MAX 10000
#define ARENA_MAX (256u << 20)

struct cases {
    const struct check_options *o;
    const struct house *h;
    struct diags *diags;
    size_t file;
    struct buf *out;
    struct jout j; /* with o->json */
    size_t failed;
};

struct outcome {
    const char *verdict;
    const char *text;
    struct strs policies;
};

static void complain(struct cases *c, const struct yaml *at, const char *expected, const char *fmt,
                     struct str what)
{
    char text[300];
    snprintf(text, sizeof(text), "%s%.*s%s", fmt, STR_FMT(str_slice(what, 0, 200)),
             what.ptr ? "`" : "");
    diags_add(c->diags, DIAG_ERROR, c->file, at->from, at->to, expected, "%s", text);
}

/* ---- from a case to facts ---- */

static void put_two(struct jout *j, const char *first, struct str a, const char *second,
                    struct str b)
{
    jout_object(j);
    jout_m_str(j, first, a);
    jout_m_str(j, second, b);
    jout_object_end(j);
}

/* "kind/name" in two; without a slash the whole is the first. */
static void put_split(struct jout *j, const struct yaml *v, const char *first, const char *second)
{
    ssize_t slash = str_find(v->text, '/', 0);
    size_t at = slash < 0 ? v->text.len : (size_t)slash;
    put_two(j, first, str_slice(v->text, 0, at), second, str_slice(v->text, at + 1, v->text.len));
}

/* `by: [alice, bob]` in short. */
static void put_approval(struct jout *j, const struct yaml *v)
{
    jout_object(j);
    for (const struct yaml *c = v->first; c; c = c->next) {
        bool is_by = str_is(c->key, "by") && c->type == YAML_LIST;
        jout_name_str(j, c->key);
        if (!is_by) {
            yaml_put_json(j, c);
            continue;
        }
        jout_array(j);
        for (const struct yaml *who = c->first; who; who = who->next) {
            if (who->type != YAML_SCALAR) {
                yaml_put_json(j, who);
                continue;
            }
            jout_object(j);
            jout_m_str(j, "name", who->text);
            jout_object_end(j);
        }
        jout_array_end(j);
    }
    jout_object_end(j);
}

/* A member of a case as facts have it; names in short become objects. */
static void put_member(struct jout *j, const struct yaml *v)
{
    int64_t ms = 0;
    bool in_short = v->type == YAML_SCALAR;
    jout_name_str(j, v->key);
    if (in_short && str_is(v->key, "tool")) {
        put_split(j, v, "server", "name");
    } else if (in_short && str_is(v->key, "source")) {
        put_split(j, v, "kind", "name");
    } else if (in_short && (str_is(v->key, "workflow") || str_is(v->key, "target") ||
                            str_is(v->key, "user") || str_is(v->key, "model"))) {
        jout_object(j);
        jout_m_str(j, "name", v->text);
        jout_object_end(j);
    } else if (v->type == YAML_MAP && str_is(v->key, "approval")) {
        put_approval(j, v);
    } else if (in_short && str_is(v->key, "now") && num_time_ms(v->text, &ms) == 0) {
        jout_i64(j, ms);
    } else {
        yaml_put_json(j, v);
    }
}

static bool is_fact(struct str key)
{
    static const char *const keys[] = {"ask",   "now",    "zoneOffset", "workflow", "tenant",
                                       "run",   "budget", "history",    "labels",   "approval",
                                       "tool",  "source", "model",      "target",   "user",
                                       "input", "event",  "eventBytes"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_is(key, keys[i]))
            return true;
    }
    return false;
}

static int put_case(struct cases *c, const struct yaml *node, struct buf *out)
{
    struct jout j;
    jout_begin(&j, out);
    jout_object(&j);
    if (!yaml_get(node, "ask"))
        jout_m_cstr(&j, "ask", "call");
    for (const struct yaml *v = node->first; v; v = v->next) {
        if (is_fact(v->key))
            put_member(&j, v);
        else if (!str_is(v->key, "name") && !str_is(v->key, "expect") &&
                 !str_is(v->key, "policies"))
            complain(c, v, NULL, "a case has no key `", v->key);
    }
    jout_object_end(&j);
    return jout_end(&j);
}

static bool is_short(const struct yaml *node, const char *key, const struct yaml **ret)
{
    *ret = yaml_get(node, key);
    return *ret && (*ret)->type == YAML_SCALAR;
}

static void unknown(struct cases *c, const struct yaml *at, const char *what)
{
    complain(c, at, "a name that the directory defines, or the whole as facts have it", what,
             at->text);
}

static void fill_workflow(struct cases *c, const struct yaml *node, struct facts *f)
{
    const struct yaml *v = NULL;
    struct strs labels = f->labels;
    if (is_short(node, "workflow", &v)) {
        const struct workflow *w = house_workflow(c->h, v->text);
        if (w)
            facts_set_workflow(f, c->h, w, STR(""));
        else
            unknown(c, v, "there is no workflow `");
    }
    if (labels.count > 0)
        f->labels = labels;
    if (f->ask == ASK_DELEGATE && is_short(node, "target", &v)) {
        const struct workflow *w = house_workflow(c->h, v->text);
        if (w)
            f->target =
                (struct facts_entity_workflow){w->name, w->team, w->tenant, STR(""), w->attrs};
        else
            unknown(c, v, "there is no workflow `");
    }
}

/* What the directory says of names that a case gives in short. */
static void fill(struct cases *c, const struct yaml *node, struct arena *a, struct facts *f)
{
    const struct yaml *v = NULL;
    fill_workflow(c, node, f);
    if (is_short(node, "tool", &v)) {
        const struct server *s = house_server(c->h, f->tool.server);
        if (s)
            facts_set_tool(f, s, f->tool.tool);
        else
            unknown(c, v, "there is no server for `");
    }
    if (is_short(node, "model", &v)) {
        const struct model *m = house_model(c->h, v->text);
        if (m)
            f->model = (struct facts_model){m->name, m->tenant, m->onprem, m->attrs};
        else
            unknown(c, v, "there is no model `");
    }
    if (is_short(node, "user", &v)) {
        const struct person *p = house_person(c->h, v->text);
        struct err err = ERR_INIT;
        if (facts_user_of(c->h, v->text, p ? p->uid : -1, a, &f->user, &err) < 0)
            unknown(c, v, err.text);
    }
    struct facts_user *by =
        (struct facts_user *)(uintptr_t)f->approval.by; /* the arena's, made by facts_parse */
    for (size_t i = 0; i < f->approval.count; i++) {
        const struct person *p = house_person(c->h, by[i].name);
        struct err err = ERR_INIT;
        if (p && by[i].teams.count == 0 &&
            facts_user_of(c->h, by[i].name, p->uid, a, &by[i], &err) < 0)
            diags_add(c->diags, DIAG_ERROR, c->file, node->from, node->from, NULL, "%s", err.text);
    }
}

/* ---- one case ---- */

static int judge(struct cases *c, const struct facts *f, struct arena *a, struct outcome *ret,
                 struct err *err)
{
    static const char *const verdicts[] = {"run", "gate", "deny"};
    if (f->ask == ASK_CALL) {
        struct ask_tool t;
        int rc = ask_tool(c->h, f, a, &t, err);
        *ret = (struct outcome){verdicts[t.verdict], t.text, t.policies};
        return rc;
    }
    struct ask_decision d;
    int rc = ask_decide(c->h, f, a, &d, err);
    *ret = (struct outcome){d.allow ? "allow" : "deny", arena_cstr(a, str_of(d.text)), d.policies};
    return rc;
}

static bool has_policy(struct strs s, struct str id)
{
    for (size_t i = 0; i < s.count; i++) {
        if (str_eq(s.items[i], id))
            return true;
    }
    return false;
}

/* Exactly the policies that the case names decided. */
static bool same_policies(const struct yaml *list, struct strs got)
{
    size_t n = 0;
    if (!list)
        return true;
    for (const struct yaml *v = list->first; v; v = v->next, n++) {
        if (v->type != YAML_SCALAR || !has_policy(got, v->text))
            return false;
    }
    return n == got.count;
}

static bool is_expected(struct str expect, const char *verdict)
{
    /* A tool call that runs may be called allowed. */
    return str_is(expect, verdict) || (str_is(expect, "allow") && strcmp(verdict, "run") == 0);
}

static void report(struct cases *c, size_t number, const struct yaml *node, const struct outcome *o)
{
    const struct yaml *name = yaml_get(node, "name"), *expect = yaml_get(node, "expect");
    struct str title = name && name->type == YAML_SCALAR ? name->text : STR("(no name)");
    bool good = is_expected(expect->text, o->verdict) &&
                same_policies(yaml_get(node, "policies"), o->policies);
    c->failed += !good;
    if (c->o->json) {
        jout_object(&c->j);
        jout_m_str(&c->j, "name", title);
        jout_m_bool(&c->j, "ok", good);
        jout_m_cstr(&c->j, "verdict", o->verdict);
        jout_m_str(&c->j, "expected", expect->text);
        jout_m_cstr(&c->j, "text", o->text);
        jout_name(&c->j, "policies");
        jout_array(&c->j);
        for (size_t i = 0; i < o->policies.count; i++)
            jout_str(&c->j, o->policies.items[i]);
        jout_array_end(&c->j);
        jout_object_end(&c->j);
        return;
    }
    buf_fmt(c->out, "%s %zu - %.*s\n", good ? "ok" : "not ok", number, STR_FMT(title));
    if (good)
        return;
    buf_fmt(c->out, "# expected %.*s, got %s: %s\n", STR_FMT(expect->text), o->verdict, o->text);
    for (size_t i = 0; i < o->policies.count; i++)
        buf_fmt(c->out, "# decided by %.*s\n", STR_FMT(o->policies.items[i]));
}

static bool has_shape(struct cases *c, const struct yaml *node)
{
    const struct yaml *expect = yaml_get(node, "expect"), *policies = yaml_get(node, "policies");
    static const char rule[] = "run, gate, allow or deny";
    if (node->type != YAML_MAP) {
        complain(c, node, "a mapping", "a case is no mapping", STR_NONE);
        return false;
    }
    if (!expect || !(str_is(expect->text, "run") || str_is(expect->text, "gate") ||
                     str_is(expect->text, "allow") || str_is(expect->text, "deny"))) {
        complain(c, expect ? expect : node, rule,
                 expect ? "`expect` cannot be this" : "the case needs `expect`", STR_NONE);
        return false;
    }
    if (policies && policies->type != YAML_LIST) {
        complain(c, policies, "a list of policy ids", "`policies` is no list", STR_NONE);
        return false;
    }
    return true;
}

static int run_case(struct cases *c, size_t number, const struct yaml *node, struct arena *a,
                    struct buf *scratch, struct err *err)
{
    struct facts f;
    struct outcome o;
    struct err why = ERR_INIT;
    size_t errors = c->diags->errors;
    if (!has_shape(c, node))
        return 0;
    if (put_case(c, node, scratch) < 0)
        return err_set(err, EINVAL, "case %zu cannot be written as JSON", number);
    struct str text = arena_str(a, buf_str(scratch));
    int rc = facts_parse(text, a, &f, &why);
    if (rc == -ENOMEM)
        return err_set(err, ENOMEM, "out of memory");
    if (rc < 0) {
        diags_add(c->diags, DIAG_ERROR, c->file, node->from, node->from, NULL, "%s", why.text);
        return 0;
    }
    fill(c, node, a, &f);
    if (c->diags->errors > errors)
        return 0;
    rc = judge(c, &f, a, &o, err);
    if (rc == 0)
        report(c, number, node, &o);
    return rc;
}

/* ---- the file ---- */

static int run_all(struct cases *c, const struct yaml *list, struct err *err)
{
    struct arena a;
    struct buf scratch;
    size_t n = 0;
    int rc = 0;
    if (list->type != YAML_LIST || list->count > CASES_MAX) {
        complain(c, list, "a list of cases (`- name: …`)", "the file holds no list of cases",
                 STR_NONE);
        return 0;
    }
    if (!c->o->json)
        buf_fmt(c->out, "1..%zu\n", list->count);
    arena_init(&a, ARENA_MAX);
    buf_init(&scratch, 4u << 20);
    for (const struct yaml *v = list->first; v && rc == 0; v = v->next) {
        size_t errors = c->diags->errors;
        arena_reset(&a);
        buf_clear(&scratch);
        rc = run_case(c, ++n, v, &a, &scratch, err);
        if (c->diags->errors > errors && !c->o->json)
            buf_fmt(c->out, "not ok %zu - the case is at fault, see below\n", n);
    }
    buf_release(&scratch);
    arena_release(&a);
    return rc;
}

static int run_file(struct cases *c, struct str name, struct str text, struct err *err)
{
    struct arena a;
    struct yaml_documents docs;
    ssize_t file = diags_file(c->diags, name, text);
    if (file < 0)
        return err_set(err, ENOMEM, "out of memory");
    c->file = (size_t)file;
    arena_init(&a, ARENA_MAX);
    int rc = yaml_parse(&a, c->diags, c->file, text, &docs);
    if (rc == 0 && docs.first)
        rc = run_all(c, docs.first, err);
    else if (rc == 0)
        diags_add(c->diags, DIAG_ERROR, c->file, 0, 0, "a list of cases", "the file is empty");
    else if (rc == -ENOMEM)
        err_set(err, ENOMEM, "out of memory");
    arena_release(&a);
    return rc == -EINVAL ? 0 : rc;
}

static int run(struct cases *c, struct str name, struct str text, struct err *err)
{
    if (c->o->json) {
        jout_begin(&c->j, c->out);
        jout_object(&c->j);
        jout_name(&c->j, "cases");
        jout_array(&c->j);
    }
    int rc = run_file(c, name, text, err);
    bool bad = c->failed > 0 || diags_has_errors(c->diags);
    if (c->o->json) {
        jout_array_end(&c->j);
        jout_m_bool(&c->j, "ok", !bad);
        jout_name(&c->j, "diagnostics");
        diags_json(c->diags, &c->j);
        jout_object_end(&c->j);
        if (jout_end(&c->j) < 0 && rc == 0)
            rc = err_set(err, ENOMEM, "the output is too long");
        buf_char(c->out, '\n');
    } else {
        diags_put(c->diags, c->out);
    }
    return rc < 0 ? 2 : bad;
}

int check_cases(const struct check_options *o, struct str name, struct str text, struct buf *out,
                struct err *err)
{
    struct diags d;
    struct house *h = NULL;
    diags_init(&d);
    int rc = house_load(o->dir, &o->house, &d, &h, err), result = 2;
    if (rc == 0) {
        struct cases c = {.o = o, .h = h, .diags = &d, .out = out};
        result = run(&c, name, text, err);
    } else if (rc == -EINVAL && diags_has_errors(&d)) {
        diags_put(&d, out);
        result = 1;
    }
    house_unref(h);
    diags_release(&d);
    return result;
}
