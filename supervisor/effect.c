/*
 * effect.c: see effect.h. Runs in reeved. The two kinds are in effect_tool.c and effect_model.c.
 */
#include "supervisor/effect.h"

#include "supervisor/backoff.h"

#define BACK_OFF_MIN_MS 200
#define BACK_OFF_MAX_MS 20000

int effect_new(struct run *r, const struct step_ask *q, struct step *s, struct effect **ret,
               struct err *err)
{
    if (r->rec.mode != RUN_REAL) /* whoever asks, and whatever else went wrong: nothing leaves */
        return err_set(err, EPERM, "a %s run lets nothing leave", run_mode_name(r->rec.mode));
    size_t bytes = s ? s->request_len : q->request.len;
    if (r->effects && r->effect_bytes + bytes > RUN_REQUESTS_BYTES_MAX)
        return err_set(err, E2BIG, "calls of over %zu bytes are under way at once",
                       RUN_REQUESTS_BYTES_MAX);
    struct effect *e = calloc(1, sizeof(*e));
    if (!e)
        return err_sys(err, ENOMEM, "run %" PRId64, r->rec.id);
    *e = (struct effect){.r = r,
                         .s = s,
                         .kind = s ? s->rec.kind : q->kind,
                         .attempt = r->rec.attempt,
                         .asked_ms = reeved_now(r->rv),
                         .seen = r->journal.delivered};
    arena_init(&e->arena, RUN_MESSAGE_ARENA);
    e->key = arena_str(&e->arena, s ? s->rec.key : q->key);
    e->request = arena_str(&e->arena, s ? (struct str){s->request, s->request_len} : q->request);
    e->id = !s && q->id ? arena_str(&e->arena, q->id->raw) : STR_NONE;
    e->bytes = bytes;
    r->effects++;
    r->effect_bytes += bytes;
    r->users++;
    int rc = e->key.ptr && e->request.ptr ? 0 : err_sys(err, ENOMEM, "run %" PRId64, r->rec.id);
    if (rc >= 0)
        rc = json_parse(&e->arena, e->request, &JSON_LIMITS_DEFAULT, &e->parsed, NULL, err);
    if (rc < 0) {
        effect_free(e);
        return rc;
    }
    if (s) {
        s->live = true;
        s->effect = e;
        e->approval = s->rec.approval;
    }
    *ret = e;
    return 0;
}

void effect_free(struct effect *e)
{
    struct run *r = e->r;
    r->effects--;
    r->effect_bytes -= e->bytes;
    if (e->s) {
        e->s->live = false;
        e->s->effect = NULL;
    }
    tool_want_drop(e->want);
    if (e->call)
        tool_call_drop(e->call);
    if (e->http)
        wire_call_drop(e->http);
    ev_timer_free(e->again);
    arena_release(&e->arena);
    free(e);
    run_consider_parking(r);
    run_put(r);
}

void effect_as_ask(const struct effect *e, struct step_ask *ret, struct json *id_room)
{
    *id_room = (struct json){.type = JSON_NULL, .raw = e->id};
    *ret = (struct step_ask){.kind = e->kind,
                             .key = e->key,
                             .request = e->request,
                             .parsed = e->parsed,
                             .id = e->id.ptr ? id_room : NULL};
}

int effect_record(struct effect *e, enum step_state state, const struct store_step *more,
                  struct err *err)
{
    struct step_ask q;
    struct json id;
    struct store_step rec = more ? *more : (struct store_step){0};
    must(!e->s);
    rec.asked_ms = e->asked_ms;
    rec.seen = e->seen;
    effect_as_ask(e, &q, &id);
    /* A worker that has left since has no use for the answer; the next one asks again. */
    if (!e->r->wire)
        q.id = NULL;
    int rc = step_begin(e->r, &q, state, &rec, &e->s, err);
    if (rc < 0) {
        e->s = NULL;
        return rc;
    }
    e->s->live = true;
    e->s->effect = e;
    return 0;
}

int effect_intend(struct effect *e, const struct store_step *more, struct err *err)
{
    if (!e->s) {
        struct store_step rec = more ? *more : (struct store_step){0};
        rec.tries = 1;
        rec.approval = e->approval;
        return effect_record(e, STEP_INTENT, &rec, err);
    }
    e->s->rec.tries++;
    step_drop_outcome(e->s);
    if (more && more->decision)
        e->s->rec.decision = more->decision;
    if (more && more->info.len && step_set_text(&e->s->rec.info, more->info) < 0)
        return err_sys(err, ENOMEM, "run %" PRId64, e->r->rec.id);
    return step_set(e->r, e->s, STEP_INTENT, "", err);
}

bool effect_again(struct effect *e, int64_t at_least_ms, ev_timer_fn *fn)
{
    struct err err = ERR_INIT;
    uint32_t random = 0;
    const struct clock *c = ev_clock(e->r->rv->ev);
    if (e->s->rec.tries >= EFFECT_TRIES_MAX)
        return false;
    if (!e->again && ev_timer_new(e->r->rv->ev, fn, e, &e->again, &err) < 0)
        return false;
    if (c->random(c->arg, &random, sizeof(random)) < 0)
        random = 0;
    int64_t cap = MIN((int64_t)BACK_OFF_MIN_MS << (e->s->rec.tries - 1), BACK_OFF_MAX_MS);
    int64_t pause = backoff_ms(cap, cap, 1000, 1, random);
    return ev_timer_set(e->again, MAX(pause, at_least_ms)) >= 0;
}

void effect_broke(struct effect *e, const struct err *err)
{
    struct run *r = e->r;
    r->users++;
    effect_free(e);
    if (store_is_broken(r->rv->store))
        reeved_fatal(r->rv, err);
    else if (!run_state_is_final(r->rec.state))
        run_must_event(r, LIFE_REFUSED, err->text);
    run_put(r);
}

/* ---- start-up
 * ------------------------------------------------------------------------------------------ */

struct found {
    struct {
        int64_t run, seq;
    } * items;
    size_t count, cap;
};

static int on_intent(void *arg, const struct store_step *s)
{
    struct found *f = arg;
    if (f->count == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 64;
        void *grown = reallocarray(f->items, cap, sizeof(*f->items));
        if (!grown)
            return -ENOMEM;
        f->items = grown;
        f->cap = cap;
    }
    f->items[f->count].run = s->run;
    f->items[f->count++].seq = s->seq;
    return 0;
}

static int recover_one(struct reeved *rv, int64_t run, int64_t seq, struct err *err)
{
    struct run *r;
    int e = run_get(rv, run, &r, err);
    if (e < 0) { /* a run that cannot be read must not keep the others from their start */
        log_error(&rv->log, "recover run %" PRId64 ": %s", run, err->text);
        return 0;
    }
    e = run_journal(r, err);
    struct step *s = e >= 0 ? journal_find(&r->journal, seq) : NULL;
    if (s)
        e = effect_tool_recover(r, s, err);
    run_put(r);
    return e;
}

int effect_recover(struct reeved *rv, struct err *err)
{
    struct found f = {0};
    int e = store_steps_in_state(rv->store, STEP_INTENT, on_intent, &f, err);
    for (size_t i = 0; e >= 0 && i < f.count; i++)
        e = recover_one(rv, f.items[i].run, f.items[i].seq, err);
    free(f.items);
    return e;
}
