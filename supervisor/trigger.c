/*
 * trigger.c: see trigger.h. Runs in reeved. Envelopes are foreign.
 */
#include "supervisor/trigger.h"

#include "supervisor/asking.h"
#include "supervisor/audit.h"
#include "supervisor/order.h"
#include "supervisor/queue.h"
#include "supervisor/release.h"
#include "supervisor/waits.h"

/* ---- the envelope
 * ------------------------------------------------------------------------------------------- */

static int check_required(const struct json *event, const char *name, size_t max, struct err *err)
{
    struct str v;
    if (json_want_str(event, name, &v, err) < 0)
        return err_wrap(err, "not a CloudEvent");
    if (!v.len || v.len > max)
        return err_set(err, EBADMSG, "not a CloudEvent: %s has 1 to %zu bytes", name, max);
    return 0;
}

/* CloudEvents 1.0, section 3: attribute names are lower-case letters and digits. */
static int check_attributes(const struct json *event, struct err *err)
{
    for (size_t i = 0; i < event->object.count; i++) {
        const struct json_member *m = &event->object.members[i];
        bool is_data = str_is(m->name, "data") || str_is(m->name, "data_base64");
        for (size_t k = 0; !is_data && k < m->name.len; k++) {
            char c = m->name.ptr[k];
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
                return err_set(
                    err, EBADMSG,
                    "not a CloudEvent: attribute names have letters a-z and digits only");
        }
        if (!is_data && (m->value.type == JSON_ARRAY || m->value.type == JSON_OBJECT))
            return err_set(err, EBADMSG, "not a CloudEvent: attribute %.*s is not a plain value",
                           STR_FMT(m->name));
    }
    if (json_get(event, "data") && json_get(event, "data_base64"))
        return err_set(err, EBADMSG, "not a CloudEvent: data and data_base64 exclude each other");
    return 0;
}

int trigger_check(const struct json *event, struct err *err)
{
    struct str v;
    int64_t ms;
    if (!json_is(event, JSON_OBJECT))
        return err_set(err, EBADMSG, "not a CloudEvent: expected an object");
    if (event->raw.len > TRIGGER_EVENT_BYTES_MAX)
        return err_set(err, EBADMSG, "the event has %zu bytes, over %u", event->raw.len,
                       TRIGGER_EVENT_BYTES_MAX);
    if (check_required(event, "id", 256, err) < 0 ||
        check_required(event, "source", 1024, err) < 0 ||
        check_required(event, "type", 256, err) < 0 ||
        check_required(event, "specversion", 8, err) < 0)
        return -EBADMSG;
    if (json_want_str(event, "specversion", &v, err) < 0 || !str_is(v, "1.0"))
        return err_set(err, EBADMSG, "not a CloudEvent 1.0: specversion is to be \"1.0\"");
    if (json_str_or(event, "subject", STR_NONE, &v, err) < 0)
        return err_wrap(err, "not a CloudEvent") < 0 ? -EBADMSG : 0;
    if (json_str_or(event, "time", STR_NONE, &v, err) < 0 || (v.len && num_time_ms(v, &ms) < 0))
        return err_set(err, EBADMSG, "not a CloudEvent: time is to be an RFC 3339 date and time");
    return check_attributes(event, err);
}

const struct json *trigger_value(const struct json *envelope, struct str path)
{
    struct str part;
    while (envelope && str_split(&path, '.', &part))
        envelope = json_get_str(envelope, part);
    return envelope;
}

bool trigger_matches(const struct json *envelope, const struct json *match)
{
    if (!match || match->type != JSON_OBJECT)
        return true;
    for (size_t i = 0; i < match->object.count; i++) {
        const struct json *v = trigger_value(envelope, match->object.members[i].name);
        struct digest a, b;
        struct err err = ERR_INIT;
        if (!v || digest_of_json(v, &a, &err) < 0 ||
            digest_of_json(&match->object.members[i].value, &b, &err) < 0 || !digest_eq(&a, &b))
            return false;
    }
    return true;
}

/* ---- a run
 * ----------------------------------------------------------------------------------------------------
 */

static int new_trace_id(struct reeved *rv, char out[33], struct err *err)
{
    uint8_t bytes[16];
    const struct clock *c = ev_clock(rv->ev);
    int e = c->random(c->arg, bytes, sizeof(bytes));
    if (e < 0)
        return err_sys(err, -e, "draw a trace id");
    bytes[0] |= 1; /* all zero is not a trace id */
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int add_run(struct reeved *rv, const struct trigger *t, const struct workflow *w,
                   int64_t event, struct trigger_result *ret, struct err *err)
{
    struct store_run run = {.tenant = w->tenant,
                            .workflow = w->name,
                            .event = event,
                            .parent = t->parent,
                            .parent_step = t->parent_step,
                            .depth = t->depth,
                            .state = RUN_QUEUED,
                            .next_seq = 1,
                            .created_ms = reeved_now(rv)};
    int64_t id;
    char subject[32];
    struct buf lane;
    buf_init(&lane, 1024);
    order_lane(t->event, w->key, &lane);
    run.lane = buf_str(&lane);
    run.version = *release_digest(rv, w);
    run.bytes = store_run_taken(rv->store, 0); /* its event, and why it may start */
    int e = new_trace_id(rv, run.trace_id, err);
    if (e >= 0)
        e = queue_take_lane(rv, w, &run, err);
    if (e >= 0)
        e = store_run_add(rv->store, &run, &id, err);
    if (e >= 0)
        queue_added(rv, &run);
    buf_release(&lane);
    if (e < 0)
        return e;
    snprintf(subject, sizeof(subject), "run/%" PRId64, id);
    ret->runs[ret->run_count++] = id;
    reeved_changed(rv, id);
    runs_schedule(rv);
    log_info(&rv->log, "run %" PRId64 " of %.*s is queued", id, STR_FMT(w->name));
    return audit_note(rv, STR("reeve"), "run.queued", str_of(subject), w->name, err);
}

/* ---- may it?
 * ---------------------------------------------------------------------------------------------------
 */

/* 1: yes; 0: no, and why is in *denied. A child run was decided on where it was asked for. */
static int may_start(struct reeved *rv, const struct trigger *t, const struct workflow *w,
                     struct err *denied, struct err *err)
{
    struct arena a;
    struct ask_decision d;
    int64_t id;
    int64_t now = reeved_now(rv);
    const struct tenant *tenant = house_tenant(rv->house, w->tenant);
    if (t->parent)
        return 1;
    struct facts f = {
        .ask = ASK_START,
        .now_ms = now,
        .zone_offset_min = asking_zone_offset_min(w->zone, now),
        .workflow = {.name = w->name, .team = w->team, .tenant = w->tenant, .attrs = w->attrs},
        .source = {.kind = t->kind, .name = t->name, .tenant = w->tenant},
        .input = t->event,
        .calls_left = w->budget.calls,
        .tokens_left = w->budget.tokens,
        .limit_micro = w->budget.cost_micro,
        .labels = w->labels};
    if (tenant) {
        f.tenant_region = tenant->region;
        f.tenant_attrs = tenant->attrs;
    }
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = ask_decide(rv->house, &f, &a, &d, err);
    if (e >= 0)
        e = asking_keep(rv, 0, 0, &d, "start", &id, err);
    if (e >= 0 && !d.allow)
        err_set(denied, EPERM, "%.*s/%.*s may not start %.*s: %s", STR_FMT(t->kind),
                STR_FMT(t->name), STR_FMT(w->name), d.text);
    arena_release(&a);
    return e < 0 ? e : d.allow;
}

static int start_one(struct reeved *rv, const struct trigger *t, const struct workflow *w,
                     int64_t event, struct trigger_result *ret, struct err *err)
{
    if (t->depth > (int)w->limits.depth) {
        err_set(&ret->denied, EPERM, "%.*s: runs that start runs are %d deep, over limits.depth",
                STR_FMT(w->name), t->depth);
        return 0;
    }
    int e = may_start(rv, t, release_workflow(rv, w), &ret->denied, err);
    if (e > 0)
        return add_run(rv, t, w, event, ret, err);
    if (e == 0) {
        log_warn(&rv->log, "%s", ret->denied.text);
        e = audit_note(rv, t->name, "start.denied", w->name, str_of(ret->denied.text), err);
    }
    return e;
}

static bool starts(const struct trigger *t, const struct workflow *w, const struct store_event *ev)
{
    return t->workflow.len > 0 ? str_eq(w->name, t->workflow)
                               : workflow_is_triggered(w, ev->type, ev->source, ev->subject);
}

static int start_all(struct reeved *rv, const struct trigger *t, const struct store_event *ev,
                     struct trigger_result *ret, struct err *err)
{
    struct house *h = house_ref(rv->house);
    int e = 0;
    for (size_t i = 0; e >= 0 && i < h->workflow_count && ret->run_count < TRIGGER_RUNS_MAX; i++)
        if (starts(t, &h->workflows[i], ev))
            e = start_one(rv, t, &h->workflows[i], ev->id, ret, err);
    house_unref(h);
    return e;
}

/* All that the event would start must find room, or none of it is taken: a sender that comes again
 * then starts each once. */
static int has_room(struct reeved *rv, const struct trigger *t, const struct store_event *ev,
                    struct trigger_result *ret, struct err *err)
{
    int e = 0;
    for (size_t i = 0; e >= 0 && i < rv->house->workflow_count && !t->parent; i++)
        if (starts(t, &rv->house->workflows[i], ev))
            e = queue_has_room(rv, &rv->house->workflows[i], &ret->retry_after_ms, err);
    return e;
}

/* Before the mark: what is found stays, whatever becomes of the event. */
static int look_at_programs(struct reeved *rv, const struct trigger *t,
                            const struct store_event *ev, struct err *err)
{
    int e = 0;
    for (size_t i = 0; e >= 0 && i < rv->house->workflow_count; i++)
        if (starts(t, &rv->house->workflows[i], ev))
            e = release_look(rv, &rv->house->workflows[i], err);
    return e;
}

/* What the first one did: its sender may have died before it heard. */
struct runs_of {
    int64_t event;
    struct trigger_result *ret;
};

static int on_run(void *arg, const struct store_run *r)
{
    struct runs_of *q = arg;
    if (r->event == q->event && !r->origin && q->ret->run_count < TRIGGER_RUNS_MAX)
        q->ret->runs[q->ret->run_count++] = r->id;
    return 0;
}

/* The event with the runs that it starts, or neither: one that was recorded alone would be a
 * duplicate when its sender tries again, and start nothing. */
static int add_event(struct reeved *rv, const struct trigger *t, struct store_event *ev,
                     struct trigger_result *ret, struct err *err)
{
    struct runs_of q = {.ret = ret};
    struct err why = ERR_INIT;
    int e = store_mark(rv->store, err);
    if (e < 0)
        return e;
    e = store_event_add(rv->store, ev, &ret->event, &ret->duplicate, err);
    ev->id = q.event = ret->event;
    if (e >= 0 && ret->duplicate)
        e = store_runs_of_event(rv->store, ret->event, on_run, &q, err);
    /* One that started nothing before, because policy denied it then, is not lost for its sender.
     */
    if (e >= 0 && !ret->run_count)
        e = start_all(rv, t, ev, ret, err);
    if (e >= 0)
        return store_keep(rv->store, err);
    return store_undo(rv->store, &why) < 0 ? err_set(err, EIO, "%s", why.text) : e;
}

int trigger_accept(struct reeved *rv, const struct trigger *t, struct trigger_result *ret,
                   struct err *err)
{
    struct store_event ev = {.envelope = t->event ? t->event->raw : STR_NONE,
                             .received_ms = reeved_now(rv)};
    *ret = (struct trigger_result){0};
    if (trigger_check(t->event, err) < 0)
        return -EBADMSG;
    if (t->workflow.len && !house_workflow(rv->house, t->workflow))
        return err_set(err, ENOENT, "no workflow %.*s (reeve workflows lists them)",
                       STR_FMT(t->workflow));
    if (json_want_str(t->event, "source", &ev.source, err) < 0 ||
        json_want_str(t->event, "id", &ev.event_id, err) < 0 ||
        json_want_str(t->event, "type", &ev.type, err) < 0 ||
        json_str_or(t->event, "subject", STR_NONE, &ev.subject, err) < 0)
        return -EBADMSG;
    int e = store_event_find(rv->store, ev.source, ev.event_id, &ret->event, err);
    if (e == 0)
        e = has_room(rv, t, &ev, ret, err);
    if (e >= 0)
        e = look_at_programs(rv, t, &ev, err);
    if (e >= 0)
        e = add_event(rv, t, &ev, ret, err);
    if (e < 0 || ret->duplicate || t->parent)
        return MIN(e, 0);
    return waits_on_event(rv, &ev, t->event, &ret->woken, err);
}

/* ---- for a run that is made otherwise
 * -------------------------------------------------------------- */

int trigger_may_start(struct reeved *rv, const struct trigger *t, const struct workflow *w,
                      struct err *denied, struct err *err)
{
    return may_start(rv, t, w, denied, err);
}

int trigger_trace_id(struct reeved *rv, char out[33], struct err *err)
{
    return new_trace_id(rv, out, err);
}
