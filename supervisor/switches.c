/*
 * switches.c: see switches.h. Runs in reeved. Who may set which is decided at the door.
 */
#include "supervisor/switches.h"

#include "policy/text/names.h"
#include "supervisor/audit.h"

#define SWITCHES_MAX 10000
#define SWEEP_LOOK   4096 /* runs looked at in one pass */
#define SWEEP_END    64   /* runs ended in one pass: other work goes on between */

struct switches {
    struct {
        struct store_switch rec; /* strings in text */
        char *text;
    } * items;
    size_t count;
};

/* ---- in memory ---------------------------------------------------------------------------------
 */

static void drop(struct switches *s, size_t i)
{
    free(s->items[i].text);
    s->items[i] = s->items[--s->count];
}

static ssize_t find(const struct switches *s, enum switch_scope scope, struct str name)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].rec.scope == scope && str_eq(s->items[i].rec.name, name))
            return (ssize_t)i;
    return -1;
}

static struct str put(char **at, struct str s)
{
    struct str kept = {*at, s.len};
    if (s.len)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return kept;
}

static int keep(struct switches *s, const struct store_switch *w, struct err *err)
{
    ssize_t old = find(s, w->scope, w->name);
    char *text = malloc(w->name.len + w->who.len + w->why.len + 1), *at = text;
    void *grown = reallocarray(s->items, s->count + 1, sizeof(*s->items));
    if (grown)
        s->items = grown;
    if (!text || !grown) {
        free(text);
        return err_sys(err, ENOMEM, "keep a switch");
    }
    struct store_switch rec = *w;
    rec.name = put(&at, w->name);
    rec.who = put(&at, w->who);
    rec.why = put(&at, w->why);
    if (old >= 0)
        drop(s, (size_t)old);
    s->items[s->count].rec = rec;
    s->items[s->count++].text = text;
    return 0;
}

static int on_row(void *arg, const struct store_switch *w)
{
    struct err err = ERR_INIT;
    return w->scope == SWITCH_RUN ? 0 : keep(arg, w, &err);
}

int switches_open(struct reeved *rv, struct err *err)
{
    rv->switches = calloc(1, sizeof(*rv->switches));
    if (!rv->switches)
        return err_sys(err, ENOMEM, "read the switches");
    int e = store_switches(rv->store, on_row, rv->switches, err);
    for (size_t i = 0; e >= 0 && i < rv->switches->count; i++) {
        char text[SWITCHES_TEXT];
        switches_text(&rv->switches->items[i].rec, text);
        log_warn(&rv->log, "%s", text);
    }
    return e < 0 ? err_wrap(err, "read the switches") : 0;
}

static bool covers(const struct store_switch *w, struct str tenant, struct str workflow)
{
    switch (w->scope) {
    case SWITCH_ALL:
        return true;
    case SWITCH_TENANT:
        return str_eq(w->name, tenant);
    case SWITCH_WORKFLOW:
        return str_eq(w->name, workflow);
    default:
        return false;
    }
}

const struct store_switch *switches_hold(const struct reeved *rv, struct str tenant,
                                         struct str workflow)
{
    const struct store_switch *best = NULL;
    for (size_t i = 0; rv->switches && i < rv->switches->count; i++) {
        const struct store_switch *w = &rv->switches->items[i].rec;
        if (covers(w, tenant, workflow) && (!best || w->scope > best->scope))
            best = w;
    }
    return best;
}

void switches_text(const struct store_switch *w, char text[SWITCHES_TEXT])
{
    bool all = w->scope == SWITCH_ALL;
    snprintf(text, SWITCHES_TEXT, "%s%s%.*s is %s by %.*s%s%.*s",
             all ? "everything" : switch_scope_name(w->scope), all ? "" : " ", STR_FMT(w->name),
             switch_state_name(w->state), STR_FMT(w->who), w->why.len ? ": " : "", STR_FMT(w->why));
}

void switches_put(const struct reeved *rv, struct jout *j)
{
    jout_name(j, "switches");
    jout_array(j);
    for (size_t i = 0; rv->switches && i < rv->switches->count; i++) {
        const struct store_switch *w = &rv->switches->items[i].rec;
        jout_object(j);
        jout_m_cstr(j, "scope", switch_scope_name(w->scope));
        jout_m_str(j, "name", w->name);
        jout_m_cstr(j, "state", switch_state_name(w->state));
        jout_m_str(j, "who", w->who);
        jout_m_str(j, "why", w->why);
        jout_m_time(j, "at", w->at_ms);
        jout_m_bool(j, "ending", w->state == SWITCH_KILLED && w->swept < w->upto);
        jout_object_end(j);
    }
    jout_array_end(j);
}

/* ---- stop --------------------------------------------------------------------------------------
 */

/* A slip in a name must not leave running what somebody wanted to stop. */
static int check_name(struct reeved *rv, enum switch_scope scope, struct str name, struct err *err)
{
    struct arena a;
    struct store_workflow w;
    if (scope == SWITCH_ALL)
        return name.len ? err_set(err, EINVAL, "everything has no name") : 0;
    if (!name_is_ok(name))
        return err_set(err, EINVAL, "\"%.*s\" is no name", STR_FMT(str_slice(name, 0, 64)));
    if (scope == SWITCH_TENANT)
        return house_tenant(rv->house, name)
                   ? 0
                   : err_set(err, ENOENT, "no tenant %.*s in the files", STR_FMT(name));
    if (house_workflow(rv->house, name))
        return 0;
    arena_init(&a, 65536); /* gone from the files, with runs that may go on */
    int e = store_workflow_get(rv->store, name, &a, &w, err);
    arena_release(&a);
    return e == -ENOENT ? err_set(err, ENOENT, "no workflow %.*s (reeve workflows lists them)",
                                  STR_FMT(name))
                        : e;
}

struct ids {
    int64_t id[SWEEP_END];
    size_t count;
    const struct store_switch *w;
    int64_t seen;
};

/* Those with a worker lose it now. Ids first: what ends a run changes the list. */
static void hold_running(struct reeved *rv, const struct store_switch *w)
{
    char text[SWITCHES_TEXT];
    struct ids q;
    switches_text(w, text);
    do {
        q.count = 0;
        for (size_t i = 0; i < RUN_BUCKETS; i++)
            for (const struct run *r = rv->runs[i]; r && q.count < SWEEP_END; r = r->next)
                if ((r->rec.state == RUN_RUNNING || r->rec.state == RUN_STARTING) &&
                    covers(w, r->rec.tenant, r->rec.workflow))
                    q.id[q.count++] = r->rec.id;
        for (size_t i = 0; i < q.count && !rv->fatal.number; i++) {
            struct run *r = run_find(rv, q.id[i]);
            if (r)
                run_must_event(r, w->state == SWITCH_KILLED ? LIFE_CANCEL : LIFE_HOLD, text);
        }
    } while (q.count == SWEEP_END && !rv->fatal.number);
}

static int audit(struct reeved *rv, const char *action, enum switch_scope scope, struct str name,
                 struct str who, struct str text, struct err *err)
{
    char subject[NAME_MAX_BYTES + 32];
    snprintf(subject, sizeof(subject), "%s%s%.*s", switch_scope_name(scope), name.len ? "/" : "",
             STR_FMT(name));
    log_warn(&rv->log, "%s %s by %.*s%s%.*s", action, subject, STR_FMT(who), text.len ? ": " : "",
             STR_FMT(text));
    return audit_note(rv, who, action, str_of(subject), text, err);
}

int switches_stop(struct reeved *rv, const struct store_switch *given, struct err *err)
{
    struct store_switch w = *given;
    struct buf text;
    int e = check_name(rv, w.scope, w.name, err);
    if (e < 0)
        return e;
    if (rv->switches->count >= SWITCHES_MAX)
        return err_set(err, EINVAL, "%d switches are set: take some away first", SWITCHES_MAX);
    w.at_ms = reeved_now(rv);
    w.upto = w.swept = 0;
    if (w.state == SWITCH_KILLED && (e = store_last_run(rv->store, &w.upto, err)) < 0)
        return e;
    if ((e = store_switch_put(rv->store, &w, err)) < 0 || (e = keep(rv->switches, &w, err)) < 0)
        return e;
    buf_init(&text, SWITCHES_TEXT);
    buf_fmt(&text, "%s%s%.*s", switch_state_name(w.state), w.why.len ? ": " : "", STR_FMT(w.why));
    e = audit(rv, "switch.stop", w.scope, w.name, w.who, buf_str(&text), err);
    buf_release(&text);
    if (e < 0)
        return e;
    hold_running(rv, &w);
    runs_schedule(rv);
    return 0;
}

int switches_go(struct reeved *rv, enum switch_scope scope, struct str name, struct str who,
                struct err *err)
{
    ssize_t at = find(rv->switches, scope, name);
    if (at < 0)
        return err_set(err, ENOENT, "%s%s%.*s is not stopped", switch_scope_name(scope),
                       name.len ? " " : "", STR_FMT(str_slice(name, 0, 64)));
    const struct store_switch *w = &rv->switches->items[at].rec;
    if (w->state == SWITCH_KILLED && w->swept < w->upto)
        return err_set(err, EALREADY, "its runs are still being ended: try again in a moment");
    int e = store_switch_drop(rv->store, scope, name, err);
    if (e >= 0)
        e = audit(rv, "switch.go", scope, name, who, STR(""), err);
    if (e < 0)
        return e;
    drop(rv->switches, (size_t)at);
    runs_schedule(rv);
    return 0;
}

/* ---- the kill's long arm -----------------------------------------------------------------------
 */

static int on_run(void *arg, const struct store_run *r)
{
    struct ids *q = arg;
    if (r->id > q->w->upto)
        return 1;
    q->seen = r->id;
    if (covers(q->w, r->tenant, r->workflow))
        q->id[q->count++] = r->id;
    return q->count == SWEEP_END;
}

static void end_one(struct reeved *rv, int64_t id, const char *why)
{
    struct err err = ERR_INIT;
    struct run *r;
    if (run_get(rv, id, &r, &err) < 0) {
        log_error(&rv->log, "end run %" PRId64 ": %s", id, err.text);
        return;
    }
    if (!run_state_is_final(r->rec.state))
        run_must_event(r, LIFE_CANCEL, why);
    run_put(r);
}

int switches_sweep(struct reeved *rv, struct err *err)
{
    const unsigned live =
        1u << RUN_QUEUED | 1u << RUN_STARTING | 1u << RUN_RUNNING | 1u << RUN_WAITING;
    for (size_t i = 0; i < rv->switches->count; i++) {
        struct store_switch *w = &rv->switches->items[i].rec;
        if (w->state != SWITCH_KILLED || w->swept >= w->upto)
            continue;
        char text[SWITCHES_TEXT];
        struct ids q = {.w = w, .seen = w->swept};
        int64_t from = w->swept;
        int e = store_runs(rv->store, live, w->swept, SWEEP_LOOK, on_run, &q, err);
        if (e < 0)
            return e;
        switches_text(w, text);
        for (size_t k = 0; k < q.count; k++)
            end_one(rv, q.id[k], text);
        w->swept = e == 0 && q.seen == from ? w->upto : q.seen;
        if (e == 1 && q.count < SWEEP_END)
            w->swept = w->upto; /* what follows came later */
        if ((e = store_switch_put(rv->store, w, err)) < 0)
            return e;
        runs_schedule(rv);
        return 0;
    }
    return 0;
}

/* ---- runs --------------------------------------------------------------------------------------
 */

int switches_run_paused(struct run *r, struct str who, struct str why, struct err *err)
{
    char id[24];
    snprintf(id, sizeof(id), "%" PRId64, r->rec.id);
    const struct store_switch w = {.scope = SWITCH_RUN,
                                   .name = str_of(id),
                                   .state = SWITCH_PAUSED,
                                   .who = who,
                                   .why = why,
                                   .at_ms = reeved_now(r->rv)};
    return store_switch_put(r->rv->store, &w, err);
}

int switches_run_goes(struct run *r, struct err *err)
{
    char id[24];
    snprintf(id, sizeof(id), "%" PRId64, r->rec.id);
    int e = store_switch_drop(r->rv->store, SWITCH_RUN, str_of(id), err);
    return MIN(e, 0);
}
