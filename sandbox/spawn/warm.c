/*
 * warm.c: see warm.h.
 */
#include "sandbox/spawn/warm.h"

#include "sandbox/kernel.h"
#include "sandbox/os/sys.h"
#include "sandbox/spawn/child.h"

#define REFILL_MS      3 /* after one was given out: starts that are asked for go first */
#define REFILL_NEXT_MS 1
#define REFILL_AT_ONCE 4 /* where nothing is ready; else one by one, between other starts */
#define SWEEP_MS       10000

/* ---- which pool
 * ---------------------------------------------------------------------------------------- */

static struct warm_pool *find_pool(const struct warm *w, const struct start_request *r)
{
    struct warm_pool *p = w->pools;

    while (p != NULL && !start_is_same(&p->request, r))
        p = p->next;
    return p;
}

/* For the log: which workers these are. */
#define POOL_FMT     "%s \"%.*s\""
#define POOL_ARGS(p) start_profile_name((p)->request.profile), STR_FMT((p)->request.program)

/* ---- making them
 * --------------------------------------------------------------------------------------- */

/* Of our own part of the range, and nobody's that lives. */
static uint32_t free_slot(const struct spawn *s, uint64_t from)
{
    for (uint64_t i = 0; i < UID_SLOT_OWN_COUNT; i++) {
        uint32_t slot = UID_SLOT_COUNT + (uint32_t)((from + i) % UID_SLOT_OWN_COUNT);
        const struct child *c = s->children;
        while (c != NULL && c->plan.uid != s->host.uid_base + slot)
            c = c->next;
        if (c == NULL)
            return slot;
    }
    return UID_SLOT_COUNT;
}

static int start_one(struct spawn *s, struct warm_pool *p, struct err *err)
{
    struct warm *w = &s->warm;
    struct start_request r = p->request;
    char key[START_KEY_MAX];

    (void)snprintf(key, sizeof(key), "warm+%" PRIu64, w->made); /* no key of reeved's has a plus */
    r.key = str_of(key);
    r.uid_slot = free_slot(s, w->made++);
    return child_start(s, &r, -1, -1, CHILD_WARM, err);
}

/* From child.c, before it is cloned: whatever changes on disk from here on makes it an old one. */
int warm_begin(struct child *c, const struct start_request *r, struct err *err)
{
    int rc = identity_take(r, &c->arena, &c->warm.files, err);

    if (rc < 0)
        return rc;
    c->warm.pool = find_pool(&c->spawn->warm, r);
    c->warm.born_us = ev_mono_us(c->spawn->ev);
    /* A run's time counts from when it has this one; until then WARM_CPU_MS bounds it. */
    if (c->plan.limits[PLAN_LIMIT_CPU] != PLAN_UNLIMITED)
        c->plan.limits[PLAN_LIMIT_CPU] += WARM_CPU_EXTRA_S;
    return 0;
}

/* One more was lost before anybody had it. */
static void count_lost(struct spawn *s, struct warm_pool *p)
{
    (void)ev_timer_set(s->warm.refill, REFILL_MS);
    if (++p->lost < WARM_LOST_MAX || p->paused_us != 0)
        return;
    p->paused_us = ev_mono_us(s->ev);
    log_warn(&s->log,
             "warm workers, " POOL_FMT
             ": they end before they are used; none are made for a minute",
             POOL_ARGS(p));
}

static bool wants_more(const struct spawn *s, const struct warm_pool *p)
{
    return p->have < p->want && p->paused_us == 0 && s->warm.have < START_WARM_MAX;
}

static void refill_one(struct spawn *s, struct warm_pool *p)
{
    struct err err = ERR_INIT;

    if (start_one(s, p, &err) == 0) {
        p->have++;
        s->warm.have++;
        return;
    }
    log_warn(&s->log, "warm worker, " POOL_FMT ": %s", POOL_ARGS(p), err.text);
    count_lost(s, p);
}

/* The pool that needs one most: with none ready first. */
static struct warm_pool *neediest(const struct spawn *s)
{
    struct warm_pool *best = NULL;

    for (struct warm_pool *p = s->warm.pools; p != NULL; p = p->next)
        if (wants_more(s, p) && (best == NULL || p->have < best->have))
            best = p;
    return best;
}

static void on_refill(void *arg, struct ev_timer *t)
{
    struct spawn *s = arg;
    struct warm_pool *p = NULL;

    for (int i = 0; i < REFILL_AT_ONCE && !s->stopping; i++) {
        p = neediest(s);
        if (p == NULL || (i > 0 && p->idle > 0))
            break;
        refill_one(s, p);
    }
    if (!s->stopping && neediest(s) != NULL)
        (void)ev_timer_set(t, REFILL_NEXT_MS);
}

/* ---- ending them
 * ---------------------------------------------------------------------------------------- */

static void not_idle(struct child *c)
{
    if (c->warm.is_idle)
        c->warm.pool->idle--;
    c->warm.is_idle = false;
}

/* Of no pool from this line on; another takes its place at once. */
static void drop(struct child *c)
{
    struct warm_pool *p = c->warm.pool;

    not_idle(c);
    c->warm.pool = NULL;
    if (p != NULL)
        p->have--;
    child_kill(c);
}

static void drop_pool(struct spawn *s, struct warm_pool *p)
{
    struct warm_pool **at = &s->warm.pools;

    for (struct child *c = s->children; c != NULL; c = c->next)
        if (c->kind == CHILD_WARM && c->warm.pool == p)
            drop(c);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    s->warm.want -= p->want;
    arena_release(&p->arena);
    free(p->text);
    free(p);
}

void warm_end_all(struct spawn *s)
{
    while (s->warm.pools != NULL)
        drop_pool(s, s->warm.pools);
}

void warm_release(struct spawn *s)
{
    warm_end_all(s);
    ev_timer_free(s->warm.refill);
    ev_timer_free(s->warm.sweep);
    s->warm = (struct warm){.made = s->warm.made};
}

/* CPU time of all that it started, where its group tells. */
static int64_t cpu_us_of(const struct child *c)
{
    int64_t own = c->has_ended ? 0 : kernel_cpu_us(c->pid);
    int64_t all = c->plan.profile == PROFILE_STRICT ? -1 : cgroup_leaf_cpu_us(&c->leaf);

    return MAX(own, all);
}

static void sweep_one(struct spawn *s, struct child *c)
{
    struct warm_pool *p = c->warm.pool;
    int64_t us = cpu_us_of(c);

    if (us > (int64_t)WARM_CPU_MS * 1000) {
        log_warn(&s->log,
                 "warm worker, " POOL_FMT ": used %" PRId64 " s of CPU time and has no run: ended",
                 POOL_ARGS(p), us / 1000000);
        drop(c);
        count_lost(s, p);
    } else if (ev_mono_us(s->ev) - c->warm.born_us > (int64_t)WARM_AGE_MS * 1000) {
        drop(c);
    }
}

static void on_sweep(void *arg, struct ev_timer *t)
{
    struct spawn *s = arg;

    if (s->stopping || s->warm.pools == NULL)
        return;
    for (struct child *c = s->children; c != NULL; c = c->next)
        if (c->kind == CHILD_WARM && c->warm.pool != NULL)
            sweep_one(s, c);
    for (struct warm_pool *p = s->warm.pools; p != NULL; p = p->next)
        if (p->paused_us != 0 && ev_mono_us(s->ev) - p->paused_us > (int64_t)WARM_PAUSE_MS * 1000) {
            p->paused_us = 0;
            p->lost = WARM_LOST_MAX - 1; /* one try */
        }
    (void)ev_timer_set(s->warm.refill, 0);
    (void)ev_timer_set(t, SWEEP_MS);
}

/* ---- asked for
 * ------------------------------------------------------------------------------------------ */

static int check(const struct start_request *r, struct err *err)
{
    if (r->profile == PROFILE_TOOL || r->profile == PROFILE_HELPER)
        return err_set(err, EINVAL, "profile: only workers wait for their run");
    if (r->secret_count > 0 || r->pass_fd >= 0)
        return err_set(err, EPERM, "secrets, pass: what waits holds none");
    return 0;
}

static int parse(struct warm_pool *p, const struct json *params, struct err *err)
{
    const struct json *copy;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    int rc;

    p->text = str_dup(params->raw);
    if (p->text == NULL)
        return err_sys(err, ENOMEM, "prestart");
    rc = json_parse(&p->arena, (struct str){p->text, params->raw.len}, &limits, &copy, NULL, err);
    if (rc == 0)
        rc = start_parse(copy, &p->request, err);
    return rc < 0 ? rc : check(&p->request, err);
}

/* User ids begin anywhere in the range: should another Reeve use the same one, both would else take
 * its first, and a limit of processes counts them together. */
static int prepare(struct spawn *s, struct err *err)
{
    struct warm *w = &s->warm;
    uint16_t from = 0;

    if (w->refill == NULL && sys.getrandom(&from, sizeof(from)) == (ssize_t)sizeof(from))
        w->made = from;
    int rc = w->refill != NULL ? 0 : ev_timer_new(s->ev, on_refill, s, &w->refill, err);

    if (rc == 0 && w->sweep == NULL)
        rc = ev_timer_new(s->ev, on_sweep, s, &w->sweep, err);
    return rc;
}

static int add_pool(struct spawn *s, const struct json *params, struct warm_pool **ret,
                    struct err *err)
{
    struct warm_pool *p = calloc(1, sizeof(*p));
    int rc;

    if (p == NULL)
        return err_sys(err, ENOMEM, "prestart");
    arena_init(&p->arena, (size_t)4 << 20);
    rc = parse(p, params, err);
    if (rc == 0)
        rc = prepare(s, err);
    if (rc < 0) {
        arena_release(&p->arena);
        free(p->text);
        free(p);
        return rc;
    }
    p->next = s->warm.pools;
    s->warm.pools = p;
    *ret = p;
    return 0;
}

int warm_set(struct spawn *s, const struct json *params, struct err *err)
{
    struct warm *w = &s->warm;
    struct start_request r;
    struct warm_pool *p;
    int64_t count;
    int rc = json_want_i64(params, "count", &count, err);

    if (rc < 0 || (rc = start_parse(params, &r, err)) < 0)
        return rc;
    p = find_pool(w, &r);
    unsigned others = w->want - (p != NULL ? p->want : 0);
    if (count < 0 || count > START_WARM_MAX - (int64_t)others)
        return err_set(err, ERANGE, "count: %" PRId64 " beside %u of others; at most %d in all",
                       count, others, START_WARM_MAX);
    if (count == 0) {
        if (p != NULL)
            drop_pool(s, p);
        return 0;
    }
    if (p == NULL && (rc = add_pool(s, params, &p, err)) < 0)
        return rc;
    must(p != NULL);
    w->want = others + (unsigned)count;
    p->want = (unsigned)count;
    p->lost = 0;
    p->paused_us = 0;
    for (struct child *c = s->children; c != NULL && p->have > p->want; c = c->next)
        if (c->kind == CHILD_WARM && c->warm.pool == p)
            drop(c);
    (void)ev_timer_set(w->refill, 0);
    if (!ev_timer_is_set(w->sweep))
        (void)ev_timer_set(w->sweep, SWEEP_MS);
    return 0;
}

/* ---- given out
 * -------------------------------------------------------------------------------------------- */

/* It may have died in this very pass of the loop. */
static bool has_died(const struct child *c)
{
    struct pollfd p = {.fd = ev_child_pidfd(c->exit), .events = POLLIN};

    return c->has_ended || sys.poll(&p, 1, 0) != 0;
}

/* Its limit of CPU time, from now on. Another user's limit takes CAP_SYS_RESOURCE, which not every
 * root has: then it keeps what is left of the time that it had for its start, two seconds at most.
 */
static int limit_cpu(struct spawn *s, struct child *c)
{
    uint64_t *limit = &c->plan.limits[PLAN_LIMIT_CPU];
    int64_t used_us = kernel_cpu_us(c->pid);
    int rc = -EPERM;

    c->warm.cpu_us = MAX(used_us, 0);
    if (*limit == PLAN_UNLIMITED)
        return 0;
    uint64_t used = ((uint64_t)c->warm.cpu_us + 999999) / 1000000, until = *limit + used;
    if (!s->warm.may_not_limit)
        rc = kernel_rlimit_of(c->pid, plan_limit_resource(PLAN_LIMIT_CPU), until, until);
    s->warm.may_not_limit = rc == -EPERM;
    return rc == -EPERM && used <= WARM_CPU_EXTRA_S ? 0 : rc;
}

static bool may_be_given(struct spawn *s, struct warm_pool *p, struct child *c)
{
    if (has_died(c)) {
        not_idle(c); /* told in a moment: warm_gone */
        return false;
    }
    if (!identity_is_current(&p->request, &c->warm.files)) {
        log_info(&s->log, "warm worker, " POOL_FMT ": its files have changed: replaced",
                 POOL_ARGS(p));
        drop(c);
        return false;
    }
    if (limit_cpu(s, c) < 0) {
        drop(c);
        count_lost(s, p);
        return false;
    }
    return true;
}

static struct child *oldest_idle(const struct spawn *s, const struct warm_pool *p)
{
    struct child *oldest = NULL;

    for (struct child *c = s->children; c != NULL; c = c->next)
        if (c->kind == CHILD_WARM && c->warm.pool == p && c->warm.is_idle)
            oldest = c; /* the list has the newest first */
    return oldest;
}

struct child *warm_take(struct spawn *s, const struct start_request *r)
{
    struct warm *w = &s->warm;
    struct warm_pool *p = find_pool(w, r);
    struct child *c;

    if (p == NULL || s->stopping)
        return NULL;
    (void)ev_timer_set(w->refill, REFILL_MS);
    while (p->idle > 0 && (c = oldest_idle(s, p)) != NULL) {
        if (!may_be_given(s, p, c))
            continue;
        not_idle(c);
        c->kind = CHILD_ASKED;
        c->warm.pool = NULL;
        p->have--;
        w->have--;
        p->lost = 0;
        p->paused_us = 0;
        return c;
    }
    return NULL;
}

/* ---- what happens to them
 * --------------------------------------------------------------------------------- */

void warm_ready(struct child *c)
{
    if (c->warm.pool == NULL)
        return;
    c->warm.is_idle = true;
    c->warm.pool->idle++;
    if (c->plan.limits[PLAN_LIMIT_CPU] != PLAN_UNLIMITED) /* as its run will have it */
        c->plan.limits[PLAN_LIMIT_CPU] -= WARM_CPU_EXTRA_S;
}

void warm_denied(struct child *c, const char *call)
{
    struct warm_pool *p = c->warm.pool;

    if (p == NULL) /* dies already */
        return;
    log_warn(&c->spawn->log,
             "warm worker, " POOL_FMT ": denied system call %s, before it had a run: ended",
             POOL_ARGS(p), call);
    drop(c);
    count_lost(c->spawn, p);
}

void warm_gone(struct child *c)
{
    struct spawn *s = c->spawn;
    struct warm_pool *p = c->warm.pool;

    s->warm.have--;
    not_idle(c);
    if (p != NULL) {
        p->have--;
        if (c->why.number != 0)
            log_warn(&s->log, "warm worker, " POOL_FMT ": %s", POOL_ARGS(p), c->why.text);
        if (!s->stopping)
            count_lost(s, p);
    }
    if (!s->stopping && s->warm.refill != NULL)
        (void)ev_timer_set(s->warm.refill, p != NULL ? REFILL_MS : 0); /* there is room again */
}

void warm_put_members(const struct spawn *s, struct jout *j)
{
    unsigned ready = 0;

    for (const struct warm_pool *p = s->warm.pools; p != NULL; p = p->next)
        ready += p->idle;
    jout_m_i64(j, "wanted", s->warm.want);
    jout_m_i64(j, "ready", ready);
    jout_name(j, "pools");
    jout_array(j);
    for (const struct warm_pool *p = s->warm.pools; p != NULL; p = p->next) {
        jout_object(j);
        jout_m_cstr(j, "profile", start_profile_name(p->request.profile));
        jout_m_str(j, "program", p->request.program);
        jout_m_i64(j, "wanted", p->want);
        jout_m_i64(j, "ready", p->idle);
        jout_m_bool(j, "paused", p->paused_us != 0);
        jout_object_end(j);
    }
    jout_array_end(j);
}
