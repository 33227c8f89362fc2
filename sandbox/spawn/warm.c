/*
 * warm.c: see warm.h.
 */
#include "sandbox/spawn/warm.h"

#include "sandbox/spawn/child.h"

#define REFILL_MS      3 /* after the last one was given out: starts that are asked for go first */
#define REFILL_AT_ONCE 4

static bool same_strings(const struct str *a, const struct str *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!str_eq(a[i], b[i]))
            return false;
    return true;
}

static bool same_env(const struct start_request *a, const struct start_request *b)
{
    for (size_t i = 0; i < a->env_count; i++)
        if (!str_eq(a->env[i].name, b->env[i].name) || !str_eq(a->env[i].value, b->env[i].value))
            return false;
    return true;
}

static bool fits(const struct start_request *a, const struct start_request *b)
{
    return a->profile == b->profile && str_eq(a->program, b->program) && a->argc == b->argc &&
           same_strings(a->argv, b->argv, a->argc) && a->env_count == b->env_count &&
           same_env(a, b) && memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0 &&
           a->stdio == b->stdio && a->stderr_pipe == b->stderr_pipe && a->channel == b->channel;
}

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

static int start_one(struct spawn *s, struct err *err)
{
    struct warm *w = &s->warm;
    struct start_request r = w->request;
    char key[START_KEY_MAX];

    (void)snprintf(key, sizeof(key), "warm+%" PRIu64, w->made);
    r.key = str_of(key);
    r.uid_slot = free_slot(s, w->made++);
    return child_start(s, &r, -1, -1, CHILD_WARM, err);
}

static void on_timer(void *arg, struct ev_timer *t)
{
    struct spawn *s = arg;
    struct warm *w = &s->warm;
    struct err err = ERR_INIT;

    for (int i = 0; i < REFILL_AT_ONCE && !s->stopping && w->have < w->want; i++) {
        if (w->lost >= WARM_LOST_MAX)
            return;
        if (start_one(s, &err) < 0) {
            log_warn(&s->log, "warm worker: %s", err.text);
            w->lost++;
            break;
        }
        w->have++;
    }
    if (w->have < w->want)
        (void)ev_timer_set(t, REFILL_MS);
}

/* No longer to be given out from this line on; counted until they are gone. */
static void drop_all(struct spawn *s)
{
    for (struct child *c = s->children; c != NULL; c = c->next) {
        if (c->kind != CHILD_WARM)
            continue;
        if (c->is_idle)
            s->warm.idle--;
        c->is_idle = false;
        c->is_dropped = true;
        child_kill(c);
    }
}

static int parse(struct warm *w, const struct json *params, struct err *err)
{
    const struct json *copy;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    int rc;

    w->text = str_dup(params->raw);
    if (w->text == NULL)
        return err_sys(err, ENOMEM, "prestart");
    rc = json_parse(&w->arena, (struct str){w->text, params->raw.len}, &limits, &copy, NULL, err);
    if (rc == 0)
        rc = start_parse(copy, &w->request, err);
    if (rc == 0 && w->request.profile != PROFILE_STRICT)
        rc = err_set(err, EINVAL, "profile: only strict workers wait for their run");
    return rc;
}

int warm_set(struct spawn *s, const struct json *params, struct err *err)
{
    int64_t count;
    int rc = json_want_i64(params, "count", &count, err);

    if (rc < 0)
        return rc;
    if (count < 0 || count > WARM_MAX)
        return err_set(err, ERANGE, "count: expected 0 to %d", WARM_MAX);
    drop_all(s);
    warm_release(s);
    arena_init(&s->warm.arena, (size_t)1 << 20);
    rc = parse(&s->warm, params, err);
    if (rc == 0)
        rc = ev_timer_new(s->ev, on_timer, s, &s->warm.timer, err);
    if (rc < 0) {
        warm_release(s);
        return rc;
    }
    s->warm.want = (unsigned)count;
    (void)ev_timer_set(s->warm.timer, 0);
    return 0;
}

void warm_release(struct spawn *s)
{
    struct warm *w = &s->warm;
    unsigned have = w->have, idle = w->idle; /* of children that still live, or are dying */
    uint64_t made = w->made;

    ev_timer_free(w->timer);
    arena_release(&w->arena);
    free(w->text);
    *w = (struct warm){.have = have, .idle = idle, .made = made};
}

struct child *warm_take(struct spawn *s, const struct start_request *r)
{
    struct warm *w = &s->warm;
    struct child *c = s->children, *oldest = NULL;

    if (w->idle == 0 || !fits(&w->request, r))
        return NULL;
    for (; c != NULL; c = c->next)
        if (c->kind == CHILD_WARM && c->is_idle)
            oldest = c; /* the list has the newest first */
    if (oldest == NULL)
        return NULL;
    oldest->kind = CHILD_ASKED;
    oldest->is_idle = false;
    w->idle--;
    w->have--;
    w->lost = 0;
    (void)ev_timer_set(w->timer, REFILL_MS);
    return oldest;
}

void warm_ready(struct child *c)
{
    if (c->is_dropped)
        return;
    c->is_idle = true;
    c->spawn->warm.idle++;
}

void warm_gone(struct child *c)
{
    struct warm *w = &c->spawn->warm;

    w->have--;
    if (c->is_idle)
        w->idle--;
    if (c->why.number != 0)
        log_warn(&c->spawn->log, "warm worker: %s", c->why.text);
    if (w->timer == NULL || c->spawn->stopping)
        return;
    if (c->is_dropped) /* by us */
        (void)ev_timer_set(w->timer, 0);
    else if (++w->lost < WARM_LOST_MAX)
        (void)ev_timer_set(w->timer, REFILL_MS);
    else
        log_warn(&c->spawn->log, "warm workers end before they are used: no more are made");
}
