/*
 * check.c: see check.h: `reeve policy check` and `eval`. Runs in reeve, as whoever called it.
 */
#include "policy/check.h"

#define GOOD 0
#define BAD  1
#define FAIL 2

static int finish(struct buf *out, struct err *err, int result)
{
    int rc = buf_status(out);
    if (rc == 0)
        return result;
    err_set(err, -rc, "the output is too long");
    return FAIL;
}

/* ---- check ---- */

static void put_count(struct buf *out, size_t n, const char *one, const char *many, bool first)
{
    buf_fmt(out, "%s%zu %s", first ? "" : ", ", n, n == 1 ? one : many);
}

static void put_summary(struct buf *out, const struct house *h)
{
    char hex[DIGEST_HEX];
    digest_hex(&h->digest, hex);
    put_count(out, h->workflow_count, "workflow", "workflows", true);
    put_count(out, h->server_count, "server", "servers", false);
    put_count(out, h->model_count, "model", "models", false);
    put_count(out, h->policy_count, "policy", "policies", false);
    buf_fmt(out, ": ok, digest %.12s\n", hex);
}

static void put_names(struct jout *j, const char *name, const void *items, size_t n, size_t size)
{
    jout_name(j, name);
    jout_array(j);
    for (size_t i = 0; i < n; i++)
        jout_str(j, *(const struct str *)(const void *)((const char *)items + i * size));
    jout_array_end(j);
}

static void put_house(struct jout *j, const struct house *h)
{
    char hex[DIGEST_HEX];
    digest_hex(&h->digest, hex);
    jout_m_cstr(j, "digest", hex);
    jout_m_i64(j, "policies", (int64_t)h->policy_count);
    put_names(j, "workflows", h->workflows, h->workflow_count, sizeof(*h->workflows));
    put_names(j, "servers", h->servers, h->server_count, sizeof(*h->servers));
    put_names(j, "models", h->models, h->model_count, sizeof(*h->models));
    put_names(j, "tenants", h->tenants, h->tenant_count, sizeof(*h->tenants));
    put_names(j, "teams", h->teams, h->team_count, sizeof(*h->teams));
    put_names(j, "people", h->people, h->person_count, sizeof(*h->people));
}

static int put_check_json(struct buf *out, const struct house *h, const struct diags *d,
                          const struct err *why)
{
    struct jout j;
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_bool(&j, "ok", h != NULL);
    if (h)
        put_house(&j, h);
    else
        jout_m_cstr(&j, "error", why->text);
    jout_name(&j, "diagnostics");
    diags_json(d, &j);
    jout_object_end(&j);
    int rc = jout_end(&j);
    buf_char(out, '\n');
    return rc;
}

/* What the directory says, or why not; the diagnostics are the caller's. */
static int load(const struct check_options *o, struct diags *d, struct house **ret, struct err *err)
{
    int rc = house_load(o->dir, &o->house, d, ret, err);
    if (rc == 0)
        return GOOD;
    return rc == -EINVAL && diags_has_errors(d) ? BAD : FAIL;
}

int check_dir(const struct check_options *o, struct buf *out, struct err *err)
{
    struct diags d;
    struct house *h = NULL;
    diags_init(&d);
    int result = load(o, &d, &h, err);
    if (result != FAIL && o->json) {
        if (put_check_json(out, h, &d, err) < 0)
            result = FAIL;
    } else if (result != FAIL) {
        diags_put(&d, out);
        if (h)
            put_summary(out, h);
    }
    house_unref(h);
    diags_release(&d);
    return result == FAIL ? FAIL : finish(out, err, result);
}

/* ---- eval ---- */

static const char *verdict_name(enum ask_verdict v)
{
    return v == ASK_RUN ? "run" : v == ASK_GATE ? "gate" : "deny";
}

static void put_strs(struct jout *j, const char *name, struct strs s)
{
    jout_name(j, name);
    jout_array(j);
    for (size_t i = 0; i < s.count; i++)
        jout_str(j, s.items[i]);
    jout_array_end(j);
}

/* A tool call is asked whole: what would happen, not only what one ask says. */
static int eval_tool(const struct check_options *o, const struct house *h, const struct facts *f,
                     struct arena *a, struct buf *out, struct err *err)
{
    struct ask_tool t;
    struct jout j;
    int rc = ask_tool(h, f, a, &t, err);
    if (rc < 0)
        return rc;
    bool explain = !t.decisions[0].unconvertible; /* otherwise there is no request to explain */
    if (!o->json) {
        buf_fmt(out, "%s: %s\n", verdict_name(t.verdict), t.text);
        return explain ? ask_explain(h, f, t.masks, out, err) : 0;
    }
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_cstr(&j, "verdict", verdict_name(t.verdict));
    jout_m_cstr(&j, "text", t.text);
    put_strs(&j, "policies", t.policies);
    put_strs(&j, "masks", t.masks);
    put_strs(&j, "notify", t.notify);
    if (t.verdict == ASK_GATE) {
        jout_name(&j, "gate");
        ask_gate_put(&j, &t.gate);
    }
    jout_name(&j, "decisions");
    jout_array(&j);
    for (size_t i = 0; i < t.decision_count; i++)
        ask_put(&j, &t.decisions[i]);
    jout_array_end(&j);
    rc = explain ? ask_explain_json(h, f, t.masks, &j, err) : 0;
    jout_object_end(&j);
    return rc < 0 ? rc : jout_end(&j);
}

static int eval_other(const struct check_options *o, const struct house *h, const struct facts *f,
                      struct arena *a, struct buf *out, struct err *err)
{
    struct ask_decision d;
    struct jout j;
    int rc = ask_decide(h, f, a, &d, err);
    if (rc < 0)
        return rc;
    if (!o->json) {
        buf_fmt(out, "%s: %s\n", d.allow ? "allow" : "deny", d.text);
        return d.unconvertible ? 0 : ask_explain(h, f, (struct strs){0}, out, err);
    }
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_cstr(&j, "verdict", d.allow ? "allow" : "deny");
    jout_m_cstr(&j, "text", d.text);
    jout_name(&j, "decisions");
    jout_array(&j);
    ask_put(&j, &d);
    jout_array_end(&j);
    rc = d.unconvertible ? 0 : ask_explain_json(h, f, (struct strs){0}, &j, err);
    jout_object_end(&j);
    return rc < 0 ? rc : jout_end(&j);
}

static int eval(const struct check_options *o, const struct house *h, struct str facts_json,
                struct buf *out, struct err *err)
{
    struct arena a;
    struct facts f;
    arena_init(&a, 256u << 20);
    int rc = facts_parse(facts_json, &a, &f, err);
    if (rc == 0)
        rc = f.ask == ASK_CALL ? eval_tool(o, h, &f, &a, out, err)
                               : eval_other(o, h, &f, &a, out, err);
    if (rc == 0 && o->json)
        buf_char(out, '\n');
    arena_release(&a);
    return rc < 0 ? FAIL : GOOD;
}

int check_eval(const struct check_options *o, struct str facts_json, struct buf *out,
               struct err *err)
{
    struct diags d;
    struct house *h = NULL;
    diags_init(&d);
    int result = load(o, &d, &h, err);
    if (result == BAD)
        diags_put(&d, out);
    if (result == GOOD)
        result = eval(o, h, facts_json, out, err);
    house_unref(h);
    diags_release(&d);
    return result == FAIL ? FAIL : finish(out, err, result);
}
