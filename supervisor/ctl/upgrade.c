/*
 * upgrade.c: see upgrade.h. Runs in reeve.
 *
 * A replay looks each request up by kind, key and content. So what breaks it is: a thing that a
 * recorded step names and that is gone, and whatever changes what the worker would ask at the same
 * place.
 */
#include "supervisor/ctl/upgrade.h"

#define REASONS_MAX 8 /* a person reads no more of one run */

struct upgrade {
    const struct version *from, *to;
    struct buf *why;
    size_t reasons;
};

static void add(struct upgrade *u, const char *fmt, ...) PRINTF(2, 3);
static void add(struct upgrade *u, const char *fmt, ...)
{
    va_list ap;
    if (u->reasons++)
        buf_char(u->why, '\n');
    va_start(ap, fmt);
    buf_vfmt(u->why, fmt, ap);
    va_end(ap);
}

static bool lists_equal(struct strs a, struct strs b)
{
    bool same = a.count == b.count;
    for (size_t i = 0; same && i < a.count; i++)
        same = str_eq(a.items[i], b.items[i]);
    return same;
}

static bool is_listed(struct strs patterns, struct str name)
{
    for (size_t i = 0; i < patterns.count; i++)
        if (str_glob(patterns.items[i], name))
            return true;
    return false;
}

/* ---- what the worker is ------------------------------------------------------------------------
 */

static bool same_pairs(struct house_pairs a, struct house_pairs b)
{
    bool same = a.count == b.count;
    for (size_t i = 0; same && i < a.count; i++)
        same =
            str_eq(a.items[i].name, b.items[i].name) && str_eq(a.items[i].value, b.items[i].value);
    return same;
}

static void check_program(struct upgrade *u)
{
    const struct workflow_program *a = &u->from->workflow.program, *b = &u->to->workflow.program;
    if (!str_eq(a->program, b->program))
        add(u, "its program is %.*s, now %.*s", STR_FMT(a->program), STR_FMT(b->program));
    else if (!lists_equal(a->args, b->args) || !same_pairs(a->env, b->env))
        add(u, "its program's arguments or environment changed");
}

/* What of an agent stands in each request to the model. */
static const char *changed_agent(const struct version *from, const struct version *to)
{
    const struct workflow_agent *a = &from->workflow.agent, *b = &to->workflow.agent;
    if (!str_eq(a->system, b->system))
        return "system";
    if (!str_eq(a->prompt, b->prompt))
        return "prompt";
    if (a->max_tokens != b->max_tokens)
        return "max_tokens";
    if (a->temperature_milli != b->temperature_milli)
        return "temperature";
    return NULL;
}

/* A tool that one version offers and the other does not: the requests list the tools. */
static bool offers_differ(const struct version *a, const struct version *b, struct buf *name)
{
    for (size_t i = 0; i < a->server_count; i++) {
        const struct server *s = &a->servers[i], *t = version_server(b, s->name);
        for (size_t k = 0; k < s->tool_count; k++) {
            struct str tool = s->tools[k].name;
            if (workflow_offers(&a->workflow, s, tool) !=
                (t && workflow_offers(&b->workflow, t, tool))) {
                buf_fmt(name, "%.*s/%.*s", STR_FMT(s->name), STR_FMT(tool));
                return true;
            }
        }
    }
    return false;
}

static void check_model_requests(struct upgrade *u, int64_t seq)
{
    const char *what = changed_agent(u->from, u->to);
    struct buf tool;
    buf_init(&tool, 1024);
    if (what)
        add(u, "step %" PRId64 " would ask the model otherwise: agent.%s changed", seq, what);
    else if (offers_differ(u->from, u->to, &tool) || offers_differ(u->to, u->from, &tool))
        add(u,
            "step %" PRId64 " would ask the model otherwise: %.*s is offered in one version only",
            seq, STR_FMT(buf_str(&tool)));
    buf_release(&tool);
}

/* ---- what steps name ---------------------------------------------------------------------------
 */

static bool offered(const struct version *v, struct str key)
{
    ssize_t slash = str_find(key, '/', 0);
    const struct server *s = slash < 0 ? NULL : version_server(v, str_slice(key, 0, (size_t)slash));
    return s && workflow_offers(&v->workflow, s, str_slice(key, (size_t)slash + 1, key.len));
}

static bool is_repeat(const struct upgrade_step *steps, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(steps[k].kind, steps[i].kind) && str_eq(steps[k].key, steps[i].key))
            return true;
    return false;
}

/* The route that a worker means when it names none: whether this one did is not in the record. */
static bool is_usual_gone(const struct upgrade *u, struct str route)
{
    return str_eq(u->from->models[0].name, route) && !str_eq(u->to->models[0].name, route);
}

/* Does it name what is gone? */
static bool is_at_odds(const struct upgrade *u, const struct upgrade_step *s)
{
    const struct workflow *b = &u->to->workflow;
    /* One that was never offered was denied, and will be again. */
    if (str_is(s->kind, "tool"))
        return offered(u->from, s->key) && !offered(u->to, s->key);
    if (str_is(s->kind, "model"))
        return version_model(u->from, s->key) &&
               (!version_model(u->to, s->key) || is_usual_gone(u, s->key));
    if (str_is(s->kind, "child"))
        return !is_listed(b->children, s->key);
    return str_is(s->kind, "event-emit") && !is_listed(b->emits, s->key);
}

static void tell_model(struct upgrade *u, const struct upgrade_step *s)
{
    struct str usual = u->to->model_count ? u->to->models[0].name : STR("none");
    const char *what = u->to->workflow.is_agent ? "which is now"
                       : version_model(u->to, s->key)
                           ? "the first of worker.models, which is now"
                           : "which is not under worker.models any more; the first is";
    add(u, "step %" PRId64 " asked the model %.*s, %s %.*s", s->seq, STR_FMT(s->key), what,
        STR_FMT(usual));
}

static void tell_step(struct upgrade *u, const struct upgrade_step *s)
{
    if (str_is(s->kind, "tool"))
        add(u, "step %" PRId64 " called %.*s, which is not offered any more", s->seq,
            STR_FMT(s->key));
    else if (str_is(s->kind, "model"))
        tell_model(u, s);
    else
        add(u, "step %" PRId64 " names %.*s, which is not under %s any more", s->seq,
            STR_FMT(s->key), str_is(s->kind, "child") ? "children" : "emits");
}

void upgrade_why(const struct version *from, const struct version *to,
                 const struct upgrade_step *steps, size_t n, struct buf *why)
{
    struct upgrade u = {.from = from, .to = to, .why = why};
    bool asked_model = false;
    if (!n)
        return; /* nothing to replay: any version will do */
    if (from->workflow.is_agent != to->workflow.is_agent)
        add(&u, "its worker was %s and is now %s",
            from->workflow.is_agent ? "the agent loop" : "a program",
            to->workflow.is_agent ? "the agent loop" : "a program");
    else if (from->workflow.is_program)
        check_program(&u);
    if ((int64_t)n >= to->workflow.limits.steps)
        add(&u, "it has %zu steps, limits.steps is now %" PRId64, n, to->workflow.limits.steps);
    for (size_t i = 0; i < n && u.reasons < REASONS_MAX; i++) {
        if (is_at_odds(&u, &steps[i]) && !is_repeat(steps, i))
            tell_step(&u, &steps[i]);
        if (!asked_model && str_is(steps[i].kind, "model") && from->workflow.is_agent &&
            to->workflow.is_agent) {
            asked_model = true;
            check_model_requests(&u, steps[i].seq);
        }
    }
}
