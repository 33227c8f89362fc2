/*
 * asking.c: see asking.h. Runs in reeved.
 */
#include "supervisor/asking.h"

#define COUNTERS_MAX 64

int64_t asking_zone_offset_min(struct str zone, int64_t unix_ms)
{
    char name[80];
    time_t t = (time_t)(unix_ms / 1000);
    struct tm local;
    if (!zone.len || str_is(zone, "UTC") || str_copy(zone, name, sizeof(name)) < 0)
        return 0;
    setenv("TZ", name, 1); /* one thread, and nothing else of ours asks for local time */
    tzset();
    int64_t offset = localtime_r(&t, &local) ? local.tm_gmtoff / 60 : 0;
    unsetenv("TZ");
    tzset();
    return offset;
}

int64_t asking_left(int64_t limit, int64_t used)
{
    return limit == HOUSE_NO_LIMIT ? HOUSE_NO_LIMIT : MAX(limit - used, 0);
}

const char *asking_budget_spent(const struct run *r)
{
    const struct house_budget *b = &r->version->workflow.budget;
    if (b->calls != HOUSE_NO_LIMIT && r->rec.tool_calls + r->rec.model_calls >= b->calls)
        return "the run's budget of calls is used up (budget.calls)";
    if (b->tokens != HOUSE_NO_LIMIT && r->rec.input_tokens + r->rec.output_tokens >= b->tokens)
        return "the run's budget of tokens is used up (budget.tokens)";
    if (b->cost_micro != HOUSE_NO_LIMIT && r->rec.cost_micro >= b->cost_micro)
        return "the run's budget of cost is used up (budget.cost)";
    return NULL;
}

int asking_facts(struct run *r, int64_t seq, struct arena *a, struct facts *ret, struct err *err)
{
    const struct workflow *w = &r->version->workflow;
    const struct tenant *t = house_tenant(r->rv->house, r->rec.tenant);
    int64_t now = reeved_now(r->rv);
    char hex[DIGEST_HEX];
    digest_hex(&r->rec.version, hex);
    *ret = (struct facts){
        .now_ms = now,
        .zone_offset_min = asking_zone_offset_min(w->zone, now),
        .workflow = {.name = w->name, .team = w->team, .tenant = w->tenant, .attrs = w->attrs},
        .run_id = arena_fmt(a, "%" PRId64, r->rec.id),
        .step = seq,
        .depth = r->rec.depth,
        .attempt = r->rec.attempt,
        .started_by = r->event.source,
        .calls_left = asking_left(w->budget.calls, r->rec.tool_calls + r->rec.model_calls),
        .tokens_left = asking_left(w->budget.tokens, r->rec.input_tokens + r->rec.output_tokens),
        .spent_micro = r->rec.cost_micro,
        .limit_micro = w->budget.cost_micro,
        .labels = w->labels,
    };
    ret->workflow.digest = arena_str(a, str_of(hex));
    if (t) {
        ret->tenant_region = t->region;
        ret->tenant_attrs = t->attrs;
    }
    return ret->run_id.ptr && ret->workflow.digest.ptr
               ? 0
               : err_sys(err, ENOMEM, "facts of run %" PRId64, r->rec.id);
}

/* ---- history
 * ------------------------------------------------------------------------------------------------
 */

/* What a counter's entries are kept under. Those of one run have a name of their own: the store
 * sums by name, so that a sum never walks another run's entries. */
static struct str counter_kind(struct arena *a, const struct run *r, const struct workflow *owner,
                               const struct workflow_counter *c)
{
    if (c->per == PER_RUN)
        return arena_fmt(a, "%.*s/%.*s@%" PRId64, STR_FMT(owner->name), STR_FMT(c->name),
                         r->rec.id);
    return arena_fmt(a, "%.*s/%.*s", STR_FMT(owner->name), STR_FMT(c->name));
}

/* "input.amount" in the arguments, in ten-thousandths; what is no such number adds nothing. */
static int64_t counter_value(const struct workflow_counter *c, const struct json *input)
{
    struct str path = c->sum, part;
    const struct json *v = input;
    int64_t value;
    if (str_starts(path, STR("input.")))
        path = str_slice(path, 6, path.len);
    while (v && str_split(&path, '.', &part))
        v = json_get_str(v, part);
    if (!v || (v->type != JSON_INT && v->type != JSON_NUMBER))
        return 0;
    return num_fixed(v->raw, 4, &value) < 0 ? 0 : value;
}

static bool counter_matches(const struct workflow_counter *c, struct str server, struct str tool)
{
    return !c->tools.count || workflow_tool_matches(c->tools, server, tool);
}

static int sum_counter(struct run *r, const struct workflow_counter *c, struct arena *a,
                       int64_t *ret_count, int64_t *ret_sum, struct err *err)
{
    const struct workflow *w = &r->version->workflow;
    struct store_history match = {.kind = counter_kind(a, r, w, c)};
    if (!match.kind.ptr)
        return err_sys(err, ENOMEM, "history of run %" PRId64, r->rec.id);
    int64_t since = c->window_ms ? reeved_now(r->rv) - c->window_ms : 0;
    return store_history_sum(r->rv->store, &match, since, ret_count, ret_sum, err);
}

int asking_history(struct run *r, struct str server, struct str tool, const struct json *input,
                   struct arena *a, struct facts *f, struct err *err)
{
    const struct workflow *w = &r->version->workflow;
    struct facts_counter *out = ARENA_ARRAY(a, MAX(w->counter_count, 1), struct facts_counter);
    if (!out)
        return err_sys(err, ENOMEM, "history of run %" PRId64, r->rec.id);
    for (size_t i = 0; i < w->counter_count; i++) {
        const struct workflow_counter *c = &w->counters[i];
        int64_t count = 0, sum = 0;
        int e = sum_counter(r, c, a, &count, &sum, err);
        if (e < 0)
            return e;
        bool this_too =
            (c->of == OF_REQUESTS || c->of == OF_CALLS) && counter_matches(c, server, tool);
        if (this_too) {
            count++;
            if (__builtin_add_overflow(sum, counter_value(c, input), &sum))
                sum = INT64_MAX;
        }
        out[i] = (struct facts_counter){
            .name = c->name, .is_decimal = c->sum.len > 0, .value = c->sum.len ? sum : count};
    }
    f->history = out;
    f->history_count = w->counter_count;
    return 0;
}

static int note_for(struct run *r, const struct workflow *owner, const struct workflow_counter *c,
                    int64_t seq, struct str key, const struct json *input, struct err *err)
{
    struct arena a;
    arena_init(&a, 4096);
    struct store_history h = {.at_ms = reeved_now(r->rv),
                              .tenant = r->rec.tenant,
                              .workflow = r->rec.workflow,
                              .tool = key,
                              .kind = counter_kind(&a, r, owner, c),
                              .run = r->rec.id,
                              .seq = seq,
                              .value = c->sum.len ? counter_value(c, input) : 0};
    int e = h.kind.ptr ? store_history_add(r->rv->store, &h, err)
                       : err_sys(err, ENOMEM, "keep history");
    arena_release(&a);
    return e;
}

static int note_workflow(struct run *r, const struct workflow *w, bool own, int64_t seq,
                         enum workflow_of what, struct str key, const struct json *input,
                         struct err *err)
{
    struct str server, tool = key;
    int e = 0;
    if (!str_split(&tool, '/', &server))
        return 0;
    for (size_t i = 0; e >= 0 && i < w->counter_count; i++) {
        const struct workflow_counter *c = &w->counters[i];
        if (c->of == what && (own || c->per == PER_TENANT) && counter_matches(c, server, tool))
            e = note_for(r, w, c, seq, key, input, err);
    }
    return e;
}

int asking_note(struct run *r, int64_t seq, enum workflow_of what, struct str key,
                const struct json *input, struct err *err)
{
    const struct house *h = r->rv->house;
    int e = note_workflow(r, &r->version->workflow, true, seq, what, key, input, err);
    for (size_t i = 0; e >= 0 && i < h->workflow_count; i++)
        if (!str_eq(h->workflows[i].name, r->rec.workflow) &&
            str_eq(h->workflows[i].tenant, r->rec.tenant))
            e = note_workflow(r, &h->workflows[i], false, seq, what, key, input, err);
    return e;
}

/* ---- decisions
 * ------------------------------------------------------------------------------------------------
 */

static void put_errors(struct jout *j, const struct ask_decision *d)
{
    jout_array(j);
    for (size_t i = 0; i < d->error_count; i++) {
        jout_object(j);
        jout_m_str(j, "policy", d->errors[i].policy);
        jout_m_str(j, "message", d->errors[i].message);
        jout_object_end(j);
    }
    jout_array_end(j);
}

static int keep(struct reeved *rv, int64_t run, int64_t seq, const struct ask_decision *d,
                struct str ask, int64_t *ret_id, struct err *err)
{
    struct buf reasons, errors;
    struct jout j;
    buf_init(&reasons, 1u << 20);
    buf_init(&errors, 1u << 20);
    jout_begin(&j, &reasons);
    jout_array(&j);
    for (size_t i = 0; i < d->policies.count; i++)
        jout_str(&j, d->policies.items[i]);
    jout_array_end(&j);
    int e = jout_end(&j);
    jout_begin(&j, &errors);
    put_errors(&j, d);
    if (e >= 0)
        e = jout_end(&j);
    const struct store_decision rec = {.run = run,
                                       .seq = seq,
                                       .ask = ask,
                                       .allow = d->allow,
                                       .policy = d->set,
                                       .reasons = buf_str(&reasons),
                                       .errors = buf_str(&errors),
                                       .facts = d->facts_json,
                                       .at_ms = reeved_now(rv)};
    e = e < 0 ? err_sys(err, -e, "keep a decision")
              : store_decision_add(rv->store, &rec, ret_id, err);
    buf_release(&reasons);
    buf_release(&errors);
    return e;
}

/* The set on trial is asked from the very facts that were recorded, and heard by nobody but the
 * record. */
static int keep_shadow(struct reeved *rv, int64_t run, int64_t seq, const struct ask_decision *d,
                       const char *ask, struct err *err)
{
    struct arena a;
    struct facts f;
    int64_t id;
    struct err why = ERR_INIT;
    arena_init(&a, RUN_MESSAGE_ARENA);
    struct ask_decision *shadow = ARENA_NEW(&a, struct ask_decision);
    struct str name = arena_fmt(&a, "shadow/%s", ask);
    int e = shadow && name.ptr ? facts_parse(d->facts_json, &a, &f, &why) : -ENOMEM;
    if (e >= 0) {
        f.ask = d->ask; /* the asks of one call share their recorded facts */
        e = ask_decide(rv->shadow, &f, &a, shadow, &why);
    }
    if (e < 0)
        log_warn(&rv->log, "the shadow policy set was not asked about %s: %s", ask, why.text);
    else
        e = keep(rv, run, seq, shadow, name, &id, err);
    arena_release(&a);
    return store_is_broken(rv->store) ? e : 0;
}

int asking_keep(struct reeved *rv, int64_t run, int64_t seq, const struct ask_decision *d,
                const char *ask, int64_t *ret_id, struct err *err)
{
    int e = keep(rv, run, seq, d, str_of(ask), ret_id, err);
    if (e >= 0 && rv->shadow && d->facts_json.len)
        e = keep_shadow(rv, run, seq, d, ask, err);
    return e;
}

/* ---- shown
 * --------------------------------------------------------------------------------------------- */

static bool set_has_masks(const struct house *h)
{
    for (size_t i = 0; i < h->text_count; i++)
        if (memmem(h->texts[i].text.ptr, h->texts[i].text.len, "@mask", 5))
            return true;
    return false;
}

struct str asking_shown(const struct run *r, const char *kind, struct str request, struct arena *a)
{
    static const struct str all[] = {{"input.*", 7}};
    struct err err = ERR_INIT;
    struct jout j;
    struct buf shown;
    const struct json *parsed;
    struct str text = STR_NONE;
    if (strcmp(kind, step_kind_name(STEP_TOOL)) != 0 || !set_has_masks(r->rv->house))
        return request;
    buf_init(&shown, 20u << 20);
    jout_begin(&j, &shown);
    if (json_parse(a, request, &JSON_LIMITS_DEFAULT, &parsed, NULL, &err) >= 0)
        facts_put_masked(&j, parsed, (struct strs){all, 1});
    if (jout_end(&j) >= 0)
        text = arena_str(a, buf_str(&shown));
    buf_release(&shown);
    return text.ptr ? text : STR("\"***\""); /* a JSON text, as the request is */
}
