/*
 * runs.c: see runs.h. Runs in reeved.
 *
 * What a worker's end means is decided here; what it said, in broker.c.
 */
#include "supervisor/runs.h"

#include "policy/text/num.h"
#include "supervisor/audit.h"
#include "supervisor/backoff.h"
#include "supervisor/broker.h"
#include "supervisor/effect.h"
#include "supervisor/queue.h"
#include "supervisor/release.h"
#include "supervisor/switches.h"
#include "supervisor/travel.h"
#include "supervisor/waits.h"
#include "supervisor/worker.h"

#define RUN_MEM_MAX    (20u << 20)
#define LATE_MS        100
#define SCHEDULE_BATCH 256
#define LOG_LINES_MAX  1000
#define LOOK_MS        5000 /* at the clock, while something waits for it: it may be set */

/* ---- in memory ---------------------------------------------------------------------------------
 */

static struct run **bucket(struct reeved *rv, int64_t id)
{
    return &rv->runs[(uint64_t)id % RUN_BUCKETS];
}

struct run *run_find(struct reeved *rv, int64_t id)
{
    for (struct run *r = *bucket(rv, id); r; r = r->next)
        if (r->rec.id == id)
            return r;
    return NULL;
}

static void run_free(struct run *r)
{
    worker_drop(r);
    journal_release(&r->journal);
    ev_timer_free(r->park);
    ev_timer_free(r->due);
    ev_timer_free(r->clock);
    ev_timer_free(r->grace);
    ev_timer_free(r->late);
    broker_drop_held(r);
    travel_free(r->travel);
    version_free(r->version);
    free((void *)(uintptr_t)r->rec.reason.ptr);
    free(r->walls);
    arena_release(&r->mem);
    free(r);
}

void run_put(struct run *r)
{
    struct err err = ERR_INIT;
    must(r->users > 0);
    if (--r->users > 0 || r->process || r->wire)
        return;
    if ((r->touched || r->steps_unsaved) && run_save(r, &err) < 0)
        reeved_fatal(r->rv, &err);
    for (struct run **at = bucket(r->rv, r->rec.id); *at; at = &(*at)->next)
        if (*at == r) {
            *at = r->next;
            break;
        }
    run_free(r);
}

static int load(struct run *r, int64_t id, struct err *err)
{
    struct store *s = r->rv->store;
    struct str text;
    int e = store_run_get(s, id, &r->mem, &r->rec, err);
    if (e < 0)
        return e;
    struct str reason = r->rec.reason;
    r->rec.reason = STR_NONE;
    if (run_set_reason(r, reason) < 0)
        return err_sys(err, ENOMEM, "load run %" PRId64, id);
    if ((e = store_event_get(s, r->rec.event, &r->mem, &r->event, err)) < 0 ||
        (e = store_version_get(s, &r->rec.version, &r->mem, &text, err)) < 0 ||
        (e = version_parse(text, &r->version, err)) < 0)
        err_wrap(err, "run %" PRId64, id);
    return e;
}

static int timers(struct run *r, struct err *err)
{
    struct ev *ev = r->rv->ev;
    int e;
    if ((e = ev_timer_new(ev, worker_on_park, r, &r->park, err)) < 0 ||
        (e = ev_timer_new(ev, waits_on_due, r, &r->due, err)) < 0 ||
        (e = ev_timer_new(ev, worker_on_clock, r, &r->clock, err)) < 0 ||
        (e = ev_timer_new(ev, broker_on_grace, r, &r->grace, err)) < 0 ||
        (e = ev_timer_new(ev, steps_on_late, r, &r->late, err)) < 0)
        return e;
    return 0;
}

int run_get(struct reeved *rv, int64_t id, struct run **ret, struct err *err)
{
    struct run *r = run_find(rv, id);
    if (!r) {
        r = calloc(1, sizeof(*r));
        if (!r)
            return err_sys(err, ENOMEM, "load run %" PRId64, id);
        r->rv = rv;
        r->held_tail = &r->held;
        arena_init(&r->mem, RUN_MEM_MAX);
        journal_init(&r->journal, rv->store, id);
        int e = load(r, id, err);
        if (e >= 0)
            e = timers(r, err);
        if (e < 0) {
            run_free(r);
            return e;
        }
        r->next = *bucket(rv, id);
        *bucket(rv, id) = r;
    }
    r->users++;
    *ret = r;
    return 0;
}

int run_journal(struct run *r, struct err *err)
{
    if (r->journal_loaded)
        return 0;
    int e = journal_load(&r->journal, r->rec.checkpoint_seq, err);
    r->journal_loaded = e >= 0;
    /* The row may be older than the journal: see run_touch_later. */
    int64_t last = r->journal.count ? r->journal.steps[r->journal.count - 1]->rec.seq : 0;
    if (e >= 0 && last >= r->rec.next_seq) {
        r->rec.steps += last + 1 - r->rec.next_seq;
        r->rec.next_seq = last + 1;
    }
    return e;
}

int run_set_reason(struct run *r, struct str reason)
{
    return step_set_text(&r->rec.reason, reason);
}

static void write_walls(struct run *r)
{
    char *line = r->walls;
    r->walls = NULL;
    if (line)
        run_log(r, LOG_LEVEL_INFO, "walls", str_of(line));
    free(line);
}

static void forget_touched(struct run *r)
{
    if (!r->touched)
        return;
    struct run **at = &r->rv->touched;
    while (*at != r)
        at = &(*at)->next_touched;
    *at = r->next_touched;
    r->touched = false;
}

void run_count_bytes(struct run *r)
{
    int64_t more = store_run_taken(r->rv->store, r->rec.id);
    r->rec.bytes += more;
    queue_grew(r, more);
}

int run_save(struct run *r, struct err *err)
{
    reeved_changed(r->rv, r->rec.id);
    forget_touched(r);
    write_walls(r);
    r->begun_unsaved = r->steps_unsaved = false;
    int e = journal_write_out(&r->journal, err);
    run_count_bytes(r);
    return e < 0 ? e : store_run_update(r->rv->store, &r->rec, err);
}

void run_touch(struct run *r)
{
    reeved_changed(r->rv, r->rec.id);
    if (r->touched)
        return;
    r->touched = true;
    r->next_touched = r->rv->touched;
    r->rv->touched = r;
}

void run_touch_later(struct run *r)
{
    reeved_changed(r->rv, r->rec.id);
    r->steps_unsaved = true;
    if (!ev_timer_is_set(r->late))
        (void)ev_timer_set(r->late, LATE_MS);
}

int runs_write_touched(struct reeved *rv, struct err *err)
{
    int e = 0;
    while (rv->touched && e >= 0) {
        struct run *r = rv->touched;
        rv->touched = r->next_touched;
        r->touched = false;
        write_walls(r);
        e = journal_write_out(&r->journal, err);
        run_count_bytes(r);
        if (e >= 0)
            e = r->begun_unsaved ? store_run_update(rv->store, &r->rec, err)
                                 : store_run_progress(rv->store, &r->rec, err);
        r->begun_unsaved = r->steps_unsaved = false;
    }
    return e;
}

int run_set_result(struct run *r, struct str result, struct err *err)
{
    return store_doc_put(r->rv->store, result, &r->rec.result_doc, err);
}

void run_seed(const struct run *r, char out[DIGEST_HEX])
{
    char id[32];
    snprintf(id, sizeof(id), "%" PRId64, r->rec.id);
    const struct str parts[] = {STR("reeve run seed"), str_of(r->rec.trace_id), str_of(id)};
    struct digest d = digest_of_parts(parts, ARRAY_LEN(parts));
    if (r->rec.seed[0])
        snprintf(out, DIGEST_HEX, "%s", r->rec.seed); /* a fork goes on with its origin's */
    else
        digest_hex(&d, out);
}

void run_log(struct run *r, enum log_level level, const char *unit, struct str text)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    struct err err = ERR_INIT;
    if (r->log_lines++ >= LOG_LINES_MAX)
        return;
    if (store_log_add(r->rv->store, r->rec.id, reeved_now(r->rv), str_of(names[level]),
                      str_of(unit), text, &err) < 0)
        log_warn(&r->rv->log, "run %" PRId64 ": keep a log line: %s", r->rec.id, err.text);
    else
        reeved_changed(r->rv, r->rec.id);
}

/* ---- events of life
 * ------------------------------------------------------------------------------ */

/* A run keeps its version, but the host keeps one file of a name: who looks into it later is told.
 */
static void note_program(struct run *r)
{
    char text[1200];
    if (release_is_changed(r->rv, r->version, text, sizeof(text)))
        run_log(r, LOG_LEVEL_WARN, "version", str_of(text));
}

static int do_start(struct run *r, struct err *err)
{
    r->rec.attempt++;
    r->rec.wait = WAIT_NONE;
    r->rec.wake_ms = 0;
    if (!r->rec.started_ms)
        r->rec.started_ms = reeved_now(r->rv);
    note_program(r);
    return worker_start(r, err);
}

static int do_requeue(struct run *r, struct err *err)
{
    (void)err;
    worker_stop(r);
    r->rec.wait = WAIT_NONE;
    r->rec.wake_ms = 0;
    r->rec.ended_ms = 0;
    runs_schedule(r->rv);
    return 0;
}

static int do_park(struct run *r, struct err *err)
{
    (void)err;
    worker_stop(r);
    runs_schedule(r->rv);
    return 0;
}

static int do_end(struct run *r, struct err *err)
{
    r->rec.wait = WAIT_NONE;
    r->rec.wake_ms = 0;
    r->rec.ended_ms = reeved_now(r->rv);
    if (r->rec.state == RUN_SUCCEEDED || r->ended)
        worker_leave(r); /* it said its end: let it go by itself, for a moment */
    else
        worker_stop(r);
    int e =
        waits_on_run_end(r, err); /* open gates close, children are cancelled, a parent is told */
    runs_schedule(r->rv);
    return e;
}

static int do_nothing(struct run *r, struct err *err)
{
    (void)r;
    (void)err;
    return 0;
}

static int (*const actions[LIFE_ACTION_COUNT])(struct run *, struct err *) = {
    [LIFE_DO_NOTHING] = do_nothing, [LIFE_DO_START] = do_start,     [LIFE_DO_SERVE] = do_nothing,
    [LIFE_DO_PARK] = do_park,       [LIFE_DO_REQUEUE] = do_requeue, [LIFE_DO_END] = do_end,
};

/* That its worker has begun is no promise to anybody, and a start of the supervisor treats
 * `starting` as it does `running`: the row is written with the run's first step, or after a moment.
 */
static int save_soon(struct run *r)
{
    reeved_changed(r->rv, r->rec.id);
    r->begun_unsaved = true;
    return ev_timer_set(r->late, LATE_MS);
}

int run_event(struct run *r, enum life_event e, const char *reason, struct err *err)
{
    struct life_cell cell = life_next(r->rec.state, e);
    if (cell.action == LIFE_DO_ILLEGAL)
        return err_set(err, EPERM, "run %" PRId64 " is %s: it cannot be told to %s", r->rec.id,
                       run_state_name(r->rec.state), life_event_name(e));
    enum run_state before = r->rec.state;
    bool was_new = queue_is_new(&r->rec), was_paused = r->rec.wait == WAIT_PAUSED;
    r->rec.state = cell.next;
    r->users++;
    int rc = 0;
    if (reason && run_set_reason(r, str_of(reason)) < 0)
        rc = err_sys(err, ENOMEM, "run %" PRId64, r->rec.id);
    if (rc >= 0)
        rc = actions[cell.action](r, err);
    if (rc >= 0)
        rc = e == LIFE_READY ? save_soon(r) : run_save(r, err);
    if (rc >= 0 && was_paused && r->rec.wait != WAIT_PAUSED)
        rc = switches_run_goes(r, err);
    if (rc >= 0)
        rc = queue_moved(r, was_new, before, err);
    if (rc >= 0 && cell.next != before && (run_state_is_final(cell.next) || before == RUN_QUEUED))
        rc = audit_run(r, life_event_name(e), err);
    log_debug(&r->rv->log, "run %" PRId64 ": %s, %s -> %s%s%s", r->rec.id, life_event_name(e),
              run_state_name(before), run_state_name(cell.next), reason ? ": " : "",
              reason ? reason : "");
    if (run_state_is_final(cell.next))
        log_info(&r->rv->log, "run %" PRId64 " of %.*s %s%s%.*s", r->rec.id,
                 STR_FMT(r->rec.workflow), run_state_name(cell.next), r->rec.reason.len ? ": " : "",
                 STR_FMT(r->rec.reason));
    run_put(r);
    return rc;
}

void run_must_event(struct run *r, enum life_event e, const char *reason)
{
    struct err err = ERR_INIT;
    int rc = run_event(r, e, reason, &err);
    if (rc == -EPERM)
        log_error(&r->rv->log, "%s", err.text);
    else if (rc < 0)
        reeved_fatal(r->rv, &err); /* the store, or memory: go on from what is on disk */
}

void run_wake(struct reeved *rv, int64_t id, const char *why)
{
    struct err err = ERR_INIT;
    struct run *r;
    if (run_get(rv, id, &r, &err) < 0) {
        log_error(&rv->log, "wake run %" PRId64 ": %s", id, err.text);
        return;
    }
    if (r->rec.state == RUN_WAITING && r->rec.wait != WAIT_PAUSED)
        run_must_event(r, LIFE_WAKE, why ? why : "");
    else
        run_consider_parking(r);
    run_put(r);
}

static int64_t back_off_ms(const struct run *r)
{
    const struct workflow_retry *p = &r->version->workflow.retry;
    uint32_t random = 0;
    const struct clock *c = ev_clock(r->rv->ev);
    if (c->random(c->arg, &random, sizeof(random)) < 0)
        random = UINT32_MAX;
    return backoff_ms(p->initial_ms, p->max_ms, p->factor_milli, r->rec.failures, random);
}

/* Tried often enough, or long enough: why not again, or NULL. A clock that was set back counts from
 * then. */
static const char *gives_up(struct run *r)
{
    int64_t now = reeved_now(r->rv);
    if (r->rec.failures <= 1 || !r->rec.failing_ms || r->rec.failing_ms > now)
        r->rec.failing_ms = now;
    if (r->rec.failures >= r->version->workflow.limits.attempts)
        return "";
    return now - r->rec.failing_ms >= r->version->workflow.retry.within_ms ? " (retry.within)"
                                                                           : NULL;
}

void run_attempt_failed(struct run *r, enum life_event kind, const char *reason)
{
    if (r->journal_loaded && r->journal.count > r->first_new)
        r->rec.failures = 0; /* it came further than the one before */
    r->rec.failures++;
    char text[ERR_TEXT_MAX + 64];
    const char *why = gives_up(r);
    /* A replay is to say what it saw, not to try again. */
    if (r->rec.mode == RUN_REPLAY || why) {
        snprintf(text, sizeof(text), "gave up after %d failed attempts%s: %s", r->rec.failures,
                 why ? why : "", reason);
        run_must_event(r, LIFE_EXHAUSTED, text);
        return;
    }
    r->rec.wait = WAIT_RETRY;
    r->rec.wake_ms = reeved_now(r->rv) + back_off_ms(r);
    run_must_event(r, kind, reason);
}

/* ---- waiting
 * ------------------------------------------------------------------------------------- */

static enum run_wait wait_of(const struct step *s)
{
    switch (s->rec.state) {
    case STEP_UNKNOWN:
        return WAIT_UNKNOWN;
    case STEP_GATED:
        return WAIT_APPROVAL;
    case STEP_OPEN:
        switch (s->rec.kind) {
        case STEP_TIMER:
            return WAIT_TIMER;
        case STEP_EVENT_WAIT:
            return WAIT_EVENT;
        case STEP_CHILD:
            return WAIT_CHILD;
        case STEP_APPROVAL:
            return WAIT_APPROVAL;
        default:
            return WAIT_NONE; /* a named step: the worker itself is at work */
        }
    default:
        return WAIT_NONE;
    }
}

enum run_wait run_waits_for(struct run *r, int64_t *ret_wake_ms)
{
    static const int weight[RUN_WAIT_COUNT] = {[WAIT_UNKNOWN] = 5,
                                               [WAIT_APPROVAL] = 4,
                                               [WAIT_EVENT] = 3,
                                               [WAIT_CHILD] = 2,
                                               [WAIT_TIMER] = 1};
    enum run_wait wait = WAIT_NONE;
    *ret_wake_ms = 0;
    for (size_t i = journal_first_busy(&r->journal); i < r->journal.count; i++) {
        const struct step *s = r->journal.steps[i];
        /* What somebody works on is no wait, though its state says so until the work is recorded: a
         * run that parked on it would not be woken by its outcome. */
        enum run_wait w = s->waiters && !s->live ? wait_of(s) : WAIT_NONE;
        if (w == WAIT_NONE) {
            if (s->live || s->waiters ||
                (s->rec.state == STEP_OPEN && s->matched && s->rec.kind == STEP_NAMED))
                return WAIT_NONE; /* something is under way */
            continue;
        }
        if (weight[w] > weight[wait])
            wait = w;
        if (s->rec.wake_ms && (!*ret_wake_ms || s->rec.wake_ms < *ret_wake_ms))
            *ret_wake_ms = s->rec.wake_ms;
    }
    return wait;
}

void run_consider_parking(struct run *r)
{
    if (!r->wire || !r->begun || r->ended)
        return;
    int64_t wake;
    if (r->held || run_waits_for(r, &wake) == WAIT_NONE) {
        ev_timer_stop(r->park);
        ev_timer_stop(r->due);
        return;
    }
    if (!ev_timer_is_set(r->park))
        ev_timer_set(r->park, r->version->workflow.limits.park_after_ms);
    if (wake)
        ev_timer_set(r->due, MAX(wake - reeved_now(r->rv), 0));
    else
        ev_timer_stop(r->due);
}

/* ---- start what may start
 * ------------------------------------------------------------------------ */

/* Ids are gathered first: what is done to a run changes the rows that a query walks. */
struct ids {
    int64_t id[SCHEDULE_BATCH];
    size_t count;
};

static int on_id(void *arg, const struct store_run *rec)
{
    struct ids *q = arg;
    q->id[q->count++] = rec->id;
    return 0;
}

/* rate_ms: when a rate allows more; 0: none is waited for. */
static int next_wake(struct reeved *rv, int64_t rate_ms, struct err *err)
{
    int64_t wake, in = rate_ms ? rate_ms : INT64_MAX;
    int e = store_next_wake(rv->store, &wake, err);
    if (e >= 0 && wake)
        in = MIN(in, MAX(wake - reeved_now(rv), 0));
    if (e < 0 || in == INT64_MAX || ev_timer_is_set(rv->schedule)) /* set: again at once */
        return e;
    return ev_timer_set(rv->schedule, MIN(in, LOOK_MS));
}

void runs_on_schedule(void *arg, struct ev_timer *t)
{
    struct reeved *rv = arg;
    struct err err = ERR_INIT;
    rv->schedule_now = false;
    ev_timer_stop(t);
    if (rv->stopping)
        return;
    struct ids due = {0};
    int e = store_runs_due(rv->store, reeved_now(rv), SCHEDULE_BATCH, on_id, &due, &err);
    for (size_t i = 0; e >= 0 && i < due.count; i++)
        run_wake(rv, due.id[i], NULL);
    int64_t rate_ms = 0;
    if (e >= 0)
        e = switches_sweep(rv, &err);
    if (e >= 0)
        e = queue_pass(rv, &rate_ms, &err);
    if (e >= 0)
        e = next_wake(rv, rate_ms, &err);
    if (e < 0)
        reeved_fatal(rv, &err);
}

void runs_schedule(struct reeved *rv)
{
    rv->schedule_now = true;
    ev_timer_set(rv->schedule, 0);
}

/* ---- start-up
 * ------------------------------------------------------------------------------------- */

static void recover_one(struct reeved *rv, int64_t id)
{
    struct err err = ERR_INIT;
    struct run *r;
    if (run_get(rv, id, &r, &err) < 0) {
        log_error(&rv->log, "recover run %" PRId64 ": %s", id, err.text);
        return;
    }
    run_must_event(r, LIFE_RESTART, "the supervisor was started again");
    run_put(r);
}

int runs_recover(struct reeved *rv, struct err *err)
{
    int64_t after = 0;
    int e = effect_recover(rv, err);
    while (e >= 0) {
        struct ids q = {0};
        e = store_runs(rv->store, 1u << RUN_STARTING | 1u << RUN_RUNNING, after, SCHEDULE_BATCH,
                       on_id, &q, err);
        if (e < 0 || !q.count)
            break;
        for (size_t i = 0; i < q.count; i++)
            recover_one(rv, q.id[i]);
        after = q.id[q.count - 1];
    }
    if (e >= 0)
        runs_schedule(rv);
    return e;
}
