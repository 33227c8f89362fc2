/*
 * waits_event.c: waiting for events (see waits.h). Runs in reeved; envelopes and matches are
 * foreign.
 */
#include "supervisor/trigger.h"
#include "supervisor/waits_impl.h"

/* ---- events
 * ------------------------------------------------------------------------------------------------------------
 */

static void put_event(struct jout *j, const void *arg)
{
    const struct str *envelope = arg;
    jout_name(j, "event");
    jout_raw(j, *envelope);
}

static int take_event(struct run *r, struct step *s, const struct store_event *ev, struct err *err)
{
    s->rec.child = ev->id;
    return waits_settle(r, s, put_event, &ev->envelope, "", err);
}

/* Events that came before the run asked, since its own: kept for it. */
struct early {
    struct run *r;
    const struct json *match;
    struct arena a;
    struct store_event found;
    int64_t *older; /* events that steps before the checkpoint took: they are not in memory */
    size_t older_count, older_cap;
    bool has_older;
};

static int on_older(void *arg, const struct store_step *s)
{
    struct early *q = arg;
    if (s->seq > q->r->rec.checkpoint_seq)
        return 1;
    if (s->kind != STEP_EVENT_WAIT || s->child <= 0)
        return 0;
    if (q->older_count == q->older_cap) {
        size_t cap = q->older_cap ? 2 * q->older_cap : 64;
        int64_t *grown = reallocarray(q->older, cap, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        q->older = grown;
        q->older_cap = cap;
    }
    q->older[q->older_count++] = s->child;
    return 0;
}

/* 1: a step of this run has this event already. */
static int is_taken(struct early *q, int64_t event, struct err *err)
{
    const struct run *r = q->r;
    for (size_t i = 0; i < r->journal.count; i++)
        if (r->journal.steps[i]->rec.kind == STEP_EVENT_WAIT &&
            r->journal.steps[i]->rec.child == event)
            return 1;
    if (r->rec.checkpoint_seq && !q->has_older) {
        int e = store_steps(r->rv->store, r->rec.id, 0, on_older, q, err);
        if (e < 0)
            return e;
        q->has_older = true;
    }
    for (size_t i = 0; i < q->older_count; i++)
        if (q->older[i] == event)
            return 1;
    return 0;
}

static int on_early(void *arg, const struct store_event *ev)
{
    struct early *q = arg;
    const struct json *envelope;
    struct err err = ERR_INIT;
    const struct json *subject = json_get(q->match, "subject");
    if (json_is(subject, JSON_STRING) && !str_eq(subject->string, ev->subject))
        return 0;
    int e = is_taken(q, ev->id, &err);
    if (e != 0)
        return e < 0 ? e : 0;
    e = json_parse(&q->a, ev->envelope, &JSON_LIMITS_DEFAULT, &envelope, NULL, &err);
    if (e < 0 || !trigger_matches(envelope, q->match))
        return e == -ENOMEM ? e : 0;
    q->found = *ev;
    q->found.envelope = arena_str(&q->a, ev->envelope);
    return q->found.envelope.ptr ? 1 : -ENOMEM;
}

static int look_for_early(struct run *r, struct step *s, const struct json *params, struct err *err)
{
    struct early q = {.r = r, .match = json_get(params, "match")};
    arena_init(&q.a, RUN_MESSAGE_ARENA);
    int e = store_events_since(r->rv->store, s->rec.key, r->rec.event, on_early, &q, err);
    if (e < 0 && !err->number)
        err_sys(err, -e, "look for events");
    if (e > 0)
        e = take_event(r, s, &q.found, err);
    arena_release(&q.a);
    free(q.older);
    return e;
}

/* Waits that want this value at that path. Chance meetings in one bucket do no harm: each match is
 * looked at. */
static int64_t bucket_of(struct str path, const struct json *value)
{
    struct digest d;
    struct err err = ERR_INIT;
    uint64_t h;
    if (digest_of_json(value, &d, &err) < 0)
        return 0;
    const struct str parts[] = {path, {(const char *)d.bytes, sizeof(d.bytes)}};
    d = digest_of_parts(parts, ARRAY_LEN(parts));
    memcpy(&h, d.bytes, sizeof(h));
    return -(int64_t)(h >> 1) - 1;
}

/* Where an event finds the wait: by the subject if its match names one, else by the first path that
 * it names; bucket 0, which each event of the type looks through, when there is none. */
static int event_bucket(struct run *r, struct str type, const struct json *match, int64_t *ret,
                        struct err *err)
{
    bool known = false;
    *ret = 0;
    if (!match || !match->object.count)
        return 0;
    const struct json_member *m = &match->object.members[0];
    for (size_t i = 1; i < match->object.count; i++)
        if (str_is(match->object.members[i].name, "subject"))
            m = &match->object.members[i];
    int e = store_wait_path_put(r->rv->store, type, m->name, &known, err);
    if (e >= 0 && known)
        *ret = bucket_of(m->name, &m->value);
    return e;
}

static int event_begin(struct run *r, const struct step_ask *q, struct err *err)
{
    struct step *s;
    int64_t timeout, bucket;
    struct err why = ERR_INIT;
    const struct json *match = json_get(q->parsed, "match");
    if (json_i64_or(q->parsed, "timeoutMs", 0, &timeout, &why) < 0 || timeout < 0 ||
        timeout > WAITS_MAX_MS || (match && match->type != JSON_OBJECT))
        return wire_error(r->wire, q->id, WIRE_E_PARAMS,
                          "event/wait: expected type, match{} and timeoutMs of 0 or more");
    int e = event_bucket(r, q->key, match, &bucket, err);
    if (e < 0)
        return e;
    const struct store_step more = {.wake_ms = timeout ? reeved_now(r->rv) + timeout : 0,
                                    .child = bucket};
    e = step_begin(r, q, STEP_OPEN, &more, &s, err);
    return e < 0 ? e : look_for_early(r, s, q->parsed, err);
}

static int event_resume(struct run *r, struct step *s, const struct step_ask *q, struct err *err)
{
    int e = look_for_early(r, s, q->parsed, err);
    if (e < 0 || step_is_settled(s))
        return e;
    if (!s->rec.wake_ms || s->rec.wake_ms > reeved_now(r->rv))
        return 0;
    s->rec.child = 0;
    return waits_settle(r, s, waits_put_timeout, NULL, "timed out", err);
}

const struct step_kind_ops waits_event_ops = {.begin = event_begin, .resume = event_resume};

#define WOKEN_BYTES ((size_t)1 << 30)

struct woken_item {
    int64_t run, seq, doc; /* of the request: see store_text_put */
    struct str text;
};

struct woken {
    struct woken_item *items;
    size_t count, cap;
    struct arena texts;
};

static int on_open_wait(void *arg, const struct store_step *s)
{
    struct woken *w = arg;
    if (w->count == w->cap) { /* all of them: a run that waits for ever looks at nothing else */
        size_t cap = w->cap ? 2 * w->cap : 64;
        void *grown = reallocarray(w->items, cap, sizeof(*w->items));
        if (!grown)
            return -ENOMEM;
        w->items = grown;
        w->cap = cap;
    }
    struct str text = arena_str(&w->texts, s->request_text);
    if (!text.ptr)
        return -ENOMEM;
    w->items[w->count++] = (struct woken_item){s->run, s->seq, s->request_doc, text};
    return 0;
}

static int wait_one(struct reeved *rv, const struct woken_item *w, const struct store_event *ev,
                    const struct json *envelope, size_t *ret_woken, struct err *err)
{
    struct arena a;
    struct str params;
    const struct json *parsed = NULL;
    struct run *r;
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = store_text_get(rv->store, w->doc, w->text, &a, &params, err);
    if (e >= 0)
        e = json_parse(&a, params, &JSON_LIMITS_DEFAULT, &parsed, NULL, err);
    bool matches = e >= 0 && trigger_matches(envelope, json_get(parsed, "match"));
    arena_release(&a);
    if (!matches)
        return e;
    if ((e = run_get(rv, w->run, &r, err)) < 0)
        return e;
    e = run_journal(r, err);
    struct step *s = e >= 0 ? journal_find(&r->journal, w->seq) : NULL;
    if (s && s->rec.state == STEP_OPEN && !run_state_is_final(r->rec.state)) {
        e = take_event(r, s, ev, err);
        if (e >= 0)
            run_wake(rv, w->run, "");
        (*ret_woken)++;
    }
    run_put(r);
    return e;
}

int waits_on_event(struct reeved *rv, const struct store_event *ev, const struct json *envelope,
                   size_t *ret_woken, struct err *err)
{
    struct woken w = {0};
    struct store_wait_paths paths;
    arena_init(&w.texts, WOKEN_BYTES);
    int e = store_wait_paths(rv->store, ev->type, &paths, err);
    if (e >= 0)
        e = store_waits_open(rv->store, ev->type, 0, on_open_wait, &w, err);
    for (size_t i = 0; e >= 0 && i < paths.count; i++) {
        const struct json *value = trigger_value(envelope, str_of(paths.path[i]));
        int64_t bucket = value ? bucket_of(str_of(paths.path[i]), value) : 0;
        if (bucket)
            e = store_waits_open(rv->store, ev->type, bucket, on_open_wait, &w, err);
    }
    if (e == -ENOMEM && !err->number)
        err_sys(err, ENOMEM, "wake runs");
    for (size_t i = 0; e >= 0 && i < w.count; i++)
        e = wait_one(rv, &w.items[i], ev, envelope, ret_woken, err);
    arena_release(&w.texts);
    free(w.items);
    return e < 0 ? e : 0;
}
