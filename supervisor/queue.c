/*
 * queue.c: see queue.h. Runs in reeved.
 */
#include "supervisor/queue.h"

#include "supervisor/order.h"
#include "supervisor/switches.h"

#define AFTER_DEFAULT_MS 1000
#define AFTER_FULL_MS    60000

/* ---- lines -------------------------------------------------------------------------------------
 */

struct tenant_count {
    char *name;
    int64_t live, fresh, bytes;
    uint64_t turn;
};

struct line {
    char *workflow;
    size_t tenant; /* in tenants */
    int64_t live, fresh;
    bool some; /* there may be a startable run: the store knows */
};

struct queue {
    struct line *lines;
    size_t line_count;
    struct tenant_count *tenants;
    size_t tenant_count;
    uint64_t turn;
};

static ssize_t tenant_of(struct queue *q, struct str name)
{
    for (size_t i = 0; i < q->tenant_count; i++)
        if (str_is(name, q->tenants[i].name))
            return (ssize_t)i;
    struct tenant_count *grown = reallocarray(q->tenants, q->tenant_count + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    q->tenants = grown;
    char *kept = str_dup(name);
    if (!kept)
        return -ENOMEM;
    q->tenants[q->tenant_count] = (struct tenant_count){.name = kept};
    return (ssize_t)q->tenant_count++;
}

/* The line, made when it is new; NULL: no memory. */
static struct line *line_of(struct queue *q, struct str workflow, struct str tenant)
{
    ssize_t t = tenant_of(q, tenant);
    for (size_t i = 0; t >= 0 && i < q->line_count; i++)
        if (q->lines[i].tenant == (size_t)t && str_is(workflow, q->lines[i].workflow))
            return &q->lines[i];
    struct line *grown = t < 0 ? NULL : reallocarray(q->lines, q->line_count + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    q->lines = grown;
    char *kept = str_dup(workflow);
    if (!kept)
        return NULL;
    q->lines[q->line_count] = (struct line){.workflow = kept, .tenant = (size_t)t};
    return &q->lines[q->line_count++];
}

static void out_of_memory(struct reeved *rv)
{
    struct err err = ERR_INIT;
    err_sys(&err, ENOMEM, "keep a queue");
    reeved_fatal(rv, &err);
}

static void count_new(struct reeved *rv, struct line *l, int by)
{
    l->fresh += by;
    rv->queue->tenants[l->tenant].fresh += by;
}

static int on_queue(void *arg, const struct store_queue *row)
{
    struct reeved *rv = arg;
    struct line *l = line_of(rv->queue, row->workflow, row->tenant);
    if (!l)
        return -ENOMEM;
    l->some = true;
    count_new(rv, l, (int)row->fresh);
    return 0;
}

static int on_bytes(void *arg, struct str tenant, int64_t bytes)
{
    struct reeved *rv = arg;
    ssize_t t = tenant_of(rv->queue, tenant);
    if (t >= 0)
        rv->queue->tenants[t].bytes = bytes;
    return t < 0 ? (int)t : 0;
}

int queue_count_bytes(struct reeved *rv, struct err *err)
{
    bool wanted = false; /* it reads every run's row */
    for (size_t i = 0; i < rv->house->tenant_count; i++)
        wanted = wanted || rv->house->tenants[i].storage_bytes;
    for (size_t i = 0; i < rv->queue->tenant_count; i++)
        rv->queue->tenants[i].bytes = 0;
    return !wanted ? 0 : store_bytes_by_tenant(rv->store, on_bytes, rv, err);
}

int queue_open(struct reeved *rv, struct err *err)
{
    rv->queue = calloc(1, sizeof(*rv->queue));
    int e = rv->queue ? store_queues(rv->store, on_queue, rv, err) : -ENOMEM;
    if (e >= 0)
        e = queue_count_bytes(rv, err);
    if (e == -ENOMEM)
        err_sys(err, ENOMEM, "read the queues");
    return e;
}

void queue_grew(struct run *r, int64_t bytes)
{
    ssize_t t = bytes ? tenant_of(r->rv->queue, r->rec.tenant) : -ENOMEM;
    if (t >= 0)
        r->rv->queue->tenants[t].bytes += bytes;
}

bool queue_is_over(const struct run *r, char *text, size_t size)
{
    const struct tenant *t = house_tenant(r->rv->house, r->rec.tenant);
    int64_t may = r->version->workflow.limits.storage_bytes;
    if (r->rec.bytes > may) {
        snprintf(text, size,
                 "the run takes %" PRId64 " bytes on disk, over limits.storage (%" PRId64 ")",
                 r->rec.bytes, may);
        return true;
    }
    ssize_t i = t && t->storage_bytes ? tenant_of(r->rv->queue, r->rec.tenant) : -ENOENT;
    if (i < 0 || r->rv->queue->tenants[i].bytes <= t->storage_bytes)
        return false;
    snprintf(text, size, "the storage of tenant %.*s is full (%" PRId64 " of %" PRId64 " bytes)",
             STR_FMT(r->rec.tenant), r->rv->queue->tenants[i].bytes, t->storage_bytes);
    return true;
}

/* ---- what changes them -------------------------------------------------------------------------
 */

int queue_has_room(const struct reeved *rv, const struct workflow *w, int64_t *ret_after_ms,
                   struct err *err)
{
    const struct tenant *t = house_tenant(rv->house, w->tenant);
    const struct line *l = line_of(rv->queue, w->name, w->tenant);
    if (!l)
        return err_sys(err, ENOMEM, "look at a queue");
    int64_t of_tenant = rv->queue->tenants[l->tenant].fresh;
    *ret_after_ms =
        w->rate_count ? MAX(w->rate_ms / w->rate_count, AFTER_DEFAULT_MS) : AFTER_DEFAULT_MS;
    if (l->fresh >= w->queue)
        return err_set(err, EAGAIN,
                       "the queue of workflow %.*s is full (%" PRId64
                       " runs wait): try again later",
                       STR_FMT(w->name), l->fresh);
    if (t && t->queue && of_tenant >= t->queue)
        return err_set(err, EAGAIN,
                       "the queue of tenant %.*s is full (%" PRId64 " runs wait): try again later",
                       STR_FMT(w->tenant), of_tenant);
    int64_t bytes = rv->queue->tenants[l->tenant].bytes;
    if (t && t->storage_bytes && bytes >= t->storage_bytes) {
        *ret_after_ms = AFTER_FULL_MS;
        return err_set(err, EAGAIN,
                       "the storage of tenant %.*s is full (%" PRId64 " of %" PRId64
                       " bytes): try again later",
                       STR_FMT(w->tenant), bytes, t->storage_bytes);
    }
    return 0;
}

static int64_t lane_width(const struct reeved *rv, struct str workflow)
{
    const struct workflow *w = house_workflow(rv->house, workflow);
    return w ? w->key_concurrency : 1;
}

int queue_take_lane(struct reeved *rv, const struct workflow *w, struct store_run *run,
                    struct err *err)
{
    int64_t held, next;
    if (!run->lane.len)
        return 0;
    int e = store_lane_held(rv->store, w->name, run->lane, &held, err);
    if (e >= 0)
        e = store_lane_next(rv->store, w->name, run->lane, &next, err);
    if (e >= 0)
        run->lane_wait = held >= lane_width(rv, w->name) || next != 0;
    return e;
}

bool queue_is_new(const struct store_run *run)
{
    return run->state == RUN_QUEUED && !run->started_ms;
}

void queue_added(struct reeved *rv, const struct store_run *run)
{
    struct line *l = line_of(rv->queue, run->workflow, run->tenant);
    if (!l) {
        out_of_memory(rv);
        return;
    }
    count_new(rv, l, queue_is_new(run));
    rv->queue->tenants[l->tenant].bytes += run->bytes;
    l->some = l->some || !run->lane_wait;
}

/* The next of a lane get their turn, in order. */
static int hand_on(struct reeved *rv, struct str workflow, struct str lane, struct err *err)
{
    int64_t held, next;
    for (;;) {
        struct run *r;
        int e = store_lane_held(rv->store, workflow, lane, &held, err);
        if (e < 0 || held >= lane_width(rv, workflow))
            return e;
        e = store_lane_next(rv->store, workflow, lane, &next, err);
        if (e < 0 || !next)
            return e;
        if ((e = run_get(rv, next, &r, err)) < 0)
            return e;
        r->rec.lane_wait = false;
        e = run_save(r, err);
        struct line *l = line_of(rv->queue, r->rec.workflow, r->rec.tenant);
        if (l)
            l->some = true;
        run_put(r);
        if (e < 0 || !l)
            return e < 0 ? e : err_sys(err, ENOMEM, "keep a queue");
        runs_schedule(rv);
    }
}

/* Back in its queue: after its end it has lost its lane, and a pause may have kept it from its
 * turn. */
static int line_up(struct run *r, enum run_state before, struct err *err)
{
    int64_t held;
    if (!r->rec.lane.len)
        return 0;
    if (r->rec.lane_wait)
        return hand_on(r->rv, r->rec.workflow, r->rec.lane, err);
    if (!run_state_is_final(before))
        return 0;
    int e = store_lane_held(r->rv->store, r->rec.workflow, r->rec.lane, &held, err);
    if (e < 0 || held <= lane_width(r->rv, r->rec.workflow))
        return e;
    r->rec.lane_wait = true;
    return run_save(r, err);
}

int queue_moved(struct run *r, bool was_new, enum run_state before, struct err *err)
{
    struct line *l = line_of(r->rv->queue, r->rec.workflow, r->rec.tenant);
    if (!l)
        return err_sys(err, ENOMEM, "keep a queue");
    count_new(r->rv, l, queue_is_new(&r->rec) - was_new);
    if (r->rec.state == before)
        return 0;
    if (r->rec.state == RUN_QUEUED) {
        l->some = true;
        return line_up(r, before, err);
    }
    if (run_state_is_final(r->rec.state) && r->rec.lane.len)
        return hand_on(r->rv, r->rec.workflow, r->rec.lane, err);
    return 0;
}

void queue_worker(struct run *r, int by)
{
    struct queue *q = r->rv->queue;
    struct line *l = line_of(q, r->rec.workflow, r->rec.tenant);
    r->rv->live_workers += by;
    if (!l) {
        out_of_memory(r->rv);
        return;
    }
    l->live += by;
    q->tenants[l->tenant].live += by;
}

/* ---- a pass ------------------------------------------------------------------------------------
 */

/* What the files say; a workflow that is gone from them keeps the defaults. */
static void fill_limits(const struct reeved *rv, const struct line *l, struct order_head *h)
{
    const struct tenant_count *t = &rv->queue->tenants[l->tenant];
    const struct workflow *w = house_workflow(rv->house, str_of(l->workflow));
    const struct tenant *ht = house_tenant(rv->house, str_of(t->name));
    h->priority = w ? w->priority : 5;
    h->live = l->live;
    h->concurrency = w ? w->concurrency : 16;
    h->tenant_live = t->live;
    h->tenant_concurrency = ht ? ht->concurrency : 0;
    h->tenant_turn = t->turn;
    h->stopped = switches_hold(rv, str_of(t->name), str_of(l->workflow)) != NULL;
}

static int fill_rate(struct reeved *rv, const struct line *l, struct order_head *h, struct err *err)
{
    const struct workflow *w = house_workflow(rv->house, str_of(l->workflow));
    int64_t nth;
    h->rate_wait_ms = 0;
    if (!h->id || !h->fresh || !w || !w->rate_count)
        return 0;
    int e = store_start_nth(rv->store, w->name, w->rate_count, &nth, err);
    if (e >= 0)
        h->rate_wait_ms = order_rate_wait_ms(nth, w->rate_ms, reeved_now(rv));
    return e;
}

static int fill_head(struct reeved *rv, struct line *l, struct order_head *h, struct err *err)
{
    *h = (struct order_head){0};
    fill_limits(rv, l, h);
    if (!l->some || h->stopped)
        return 0;
    struct str tenant = str_of(rv->queue->tenants[l->tenant].name);
    int e = store_queue_head(rv->store, str_of(l->workflow), tenant, &h->id, &h->fresh, err);
    l->some = e >= 0 && h->id != 0;
    return e < 0 ? e : fill_rate(rv, l, h, err);
}

/* False: it cannot start now, and its line waits for the next pass. */
static bool start_one(struct reeved *rv, const struct order_head *h, struct err *err)
{
    struct run *r;
    if (run_get(rv, h->id, &r, err) < 0) {
        log_error(&rv->log, "start run %" PRId64 ": %s", h->id, err->text);
        return false;
    }
    const struct workflow *w = house_workflow(rv->house, r->rec.workflow);
    /* A worker that is still leaving holds the run's place and its user id. */
    bool can = r->rec.state == RUN_QUEUED && !r->process;
    if (can && h->fresh && r->rec.mode == RUN_REAL && w && w->rate_count &&
        store_start_add(rv->store, w->name, reeved_now(rv), w->rate_count, err) < 0)
        reeved_fatal(rv, err);
    else if (can)
        run_must_event(r, LIFE_START, "");
    run_put(r);
    return can && !rv->fatal.number;
}

static int fill_all(struct reeved *rv, struct order_head *heads, size_t n, struct err *err)
{
    int e = 0;
    for (size_t i = 0; i < n && e >= 0; i++)
        e = fill_head(rv, &rv->queue->lines[i], &heads[i], err);
    return e;
}

/* Starts the chosen one and brings the heads up to date: its own line's, and its tenant's counts.
 */
static int take(struct reeved *rv, struct order_head *heads, size_t n, size_t chosen,
                struct err *err)
{
    struct queue *q = rv->queue;
    struct err why = ERR_INIT;
    size_t tenant = q->lines[chosen].tenant;
    if (!start_one(rv, &heads[chosen], &why)) {
        heads[chosen].id = 0;
        return 0;
    }
    q->tenants[tenant].turn = ++q->turn;
    for (size_t i = 0; i < n; i++)
        if (q->lines[i].tenant == tenant)
            fill_limits(rv, &q->lines[i], &heads[i]);
    return fill_head(rv, &q->lines[chosen], &heads[chosen], err);
}

int queue_pass(struct reeved *rv, int64_t *ret_wait_ms, struct err *err)
{
    size_t n = rv->queue->line_count;
    *ret_wait_ms = 0;
    if (!n || rv->live_workers >= rv->options->workers)
        return 0;
    struct order_head *heads = calloc(n, sizeof(*heads));
    if (!heads)
        return err_sys(err, ENOMEM, "look at the queues");
    int e = fill_all(rv, heads, n, err);
    size_t i;
    while (e >= 0 && !rv->fatal.number && rv->live_workers < rv->options->workers &&
           (i = order_choose(heads, n)) < n)
        e = take(rv, heads, n, i, err);
    for (i = 0; e >= 0 && i < n; i++)
        if (order_why(&heads[i]) == ORDER_RATE &&
            (!*ret_wait_ms || heads[i].rate_wait_ms < *ret_wait_ms))
            *ret_wait_ms = heads[i].rate_wait_ms;
    free(heads);
    return e;
}

/* ---- shown -------------------------------------------------------------------------------------
 */

static void put_why(struct reeved *rv, const struct line *l, const struct order_head *h,
                    const struct store_queue *row, struct jout *j)
{
    struct str tenant = row->tenant;
    char text[SWITCHES_TEXT], span[NUM_DURATION_TEXT];
    const struct store_switch *w = switches_hold(rv, tenant, str_of(l->workflow));
    switch (order_why(h)) {
    case ORDER_TENANT_FULL:
        jout_m_fmt(j, "why", "%" PRId64 " of %" PRId64 " workers of tenant %.*s", h->tenant_live,
                   h->tenant_concurrency, STR_FMT(tenant));
        return;
    case ORDER_WORKFLOW_FULL:
        jout_m_fmt(j, "why", "%" PRId64 " of %" PRId64 " workers", h->live, h->concurrency);
        return;
    case ORDER_RATE:
        (void)num_duration_text(h->rate_wait_ms, span);
        jout_m_fmt(j, "why", "rate: next start in %s", span);
        return;
    case ORDER_READY:
        jout_m_fmt(j, "why", "next; %d of %" PRId64 " workers in all", rv->live_workers,
                   (int64_t)rv->options->workers);
        return;
    case ORDER_STOPPED:
    case ORDER_EMPTY:
        break;
    }
    if (w)
        switches_text(w, text);
    else
        snprintf(text, sizeof(text), "%s",
                 row->lane_waiting ? "each waits for an earlier run with its key" : "");
    jout_m_cstr(j, "why", text);
}

struct shown {
    struct reeved *rv;
    struct jout *j;
    struct err *err;
};

static int put_line(void *arg, const struct store_queue *row)
{
    struct shown *s = arg;
    struct order_head h;
    struct line *l = line_of(s->rv->queue, row->workflow, row->tenant);
    int e = l ? fill_head(s->rv, l, &h, s->err) : err_sys(s->err, ENOMEM, "show a queue");
    if (e < 0)
        return e;
    jout_object(s->j);
    jout_m_str(s->j, "workflow", row->workflow);
    jout_m_str(s->j, "tenant", row->tenant);
    jout_m_i64(s->j, "priority", h.priority);
    jout_m_i64(s->j, "queued", row->queued);
    jout_m_i64(s->j, "new", row->fresh);
    jout_m_i64(s->j, "keyWaiting", row->lane_waiting);
    jout_m_i64(s->j, "running", l->live);
    jout_m_time(s->j, "oldestAt", row->oldest_ms);
    put_why(s->rv, l, &h, row, s->j);
    jout_object_end(s->j);
    return 0;
}

int queue_put(struct reeved *rv, struct jout *j, struct err *err)
{
    struct shown s = {.rv = rv, .j = j, .err = err};
    jout_name(j, "queue");
    jout_array(j);
    int e = store_queues(rv->store, put_line, &s, err);
    jout_array_end(j);
    return e;
}
