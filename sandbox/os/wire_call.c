/*
 * wire_call.c: calls over a wire: ids, time-outs, replies. In every program with a wire.
 *
 * Ids count from 1, so that the table's buckets fill evenly. Calls that were dropped or timed out
 * stay known for a while: their late replies are no fault of the peer. Steady use allocates
 * nothing.
 */
#include "sandbox/os/wire_impl.h"

static void list_add(struct wire_call_list *l, struct wire_call *c)
{
    c->newer = NULL;
    c->older = l->newest;
    if (l->newest)
        l->newest->newer = c;
    else
        l->oldest = c;
    l->newest = c;
    l->count++;
}

static void list_remove(struct wire_call_list *l, struct wire_call *c)
{
    if (c->older)
        c->older->newer = c->newer;
    else
        l->oldest = c->newer;
    if (c->newer)
        c->newer->older = c->older;
    else
        l->newest = c->older;
    c->older = c->newer = NULL;
    l->count--;
}

static struct wire_call **bucket(const struct wire_calls *t, int64_t id)
{
    return &t->buckets[(size_t)id & (t->bucket_count - 1)];
}

static struct wire_call *find(const struct wire_calls *t, int64_t id)
{
    struct wire_call *c = t->bucket_count ? *bucket(t, id) : NULL;
    while (c && c->id != id)
        c = c->chain;
    return c;
}

static void table_add(struct wire_calls *t, struct wire_call *c)
{
    struct wire_call **b = bucket(t, c->id);
    c->chain = *b;
    *b = c;
}

static void table_remove(struct wire_calls *t, struct wire_call *c)
{
    struct wire_call **at = bucket(t, c->id);
    while (*at != c)
        at = &(*at)->chain;
    *at = c->chain;
}

/* Grown when chains would get longer than one; keeps working with long ones when memory is short.
 */
static int table_room(struct wire_calls *t)
{
    size_t count = t->open.count + t->dropped.count;
    if (count < t->bucket_count)
        return 0;
    size_t grown_count = t->bucket_count ? t->bucket_count * 2 : 16;
    struct wire_call **grown = calloc(grown_count, sizeof(struct wire_call *));
    if (!grown)
        return t->bucket_count ? 0 : -ENOMEM;
    struct wire_call **old = t->buckets;
    size_t old_count = t->bucket_count;
    t->buckets = grown;
    t->bucket_count = grown_count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct wire_call *c = old[i], *next; c; c = next) {
            next = c->chain;
            table_add(t, c);
        }
    }
    free(old);
    return 0;
}

static void call_free(struct wire_call *c)
{
    ev_timer_free(c->timer);
    free(c);
}

/* Out of table and list; the memory goes to the pool. */
static void retire(struct wire_call *c)
{
    struct wire_calls *t = &c->w->calls;
    if (c->timer)
        ev_timer_stop(c->timer);
    list_remove(c->state == CALL_OPEN ? &t->open : &t->dropped, c);
    table_remove(t, c);
    c->state = CALL_FREE;
    if (t->pool_count >= WIRE_CALLS_POOL) {
        call_free(c);
        return;
    }
    c->chain = t->pool;
    t->pool = c;
    t->pool_count++;
}

void wire_call_drop(struct wire_call *c)
{
    if (!c || c->state != CALL_OPEN)
        return;
    struct wire_calls *t = &c->w->calls;
    if (c->timer)
        ev_timer_stop(c->timer);
    list_remove(&t->open, c);
    c->state = CALL_DROPPED;
    list_add(&t->dropped, c);
    if (t->dropped.count > WIRE_DROPPED_MAX)
        retire(t->dropped.oldest);
}

/* The call ends before its function runs: that may free the wire or make new calls. */
static void answer(struct wire_call *c, const struct wire_message *m, bool keep_id)
{
    struct wire *w = c->w;
    wire_reply_fn *fn = c->fn;
    void *arg = c->arg;
    if (keep_id)
        wire_call_drop(c);
    else
        retire(c);
    if (fn)
        fn(arg, w, m);
}

static void answer_error(struct wire_call *c, int64_t code, const char *text, bool keep_id)
{
    struct wire_message m = {
        .kind = WIRE_ERROR, .code = code, .text = str_of(text), .arena = &c->w->arena};
    answer(c, &m, keep_id);
}

bool wire_calls_reply(struct wire *w, const struct wire_message *m)
{
    struct wire_call *c = m->id->type == JSON_INT ? find(&w->calls, m->id->integer) : NULL;
    if (!c)
        return false;
    if (c->state == CALL_DROPPED)
        retire(c);
    else
        answer(c, m, false);
    return true;
}

static void on_timeout(void *arg, struct ev_timer *t)
{
    (void)t;
    struct wire_call *c = arg;
    struct wire *w = c->w;
    wire_enter(w);
    arena_reset(&w->arena);
    answer_error(c, WIRE_E_TIMEOUT, "no answer in time", true);
    wire_leave(w);
}

void wire_calls_fail(struct wire *w, const struct err *why)
{
    char text[ERR_TEXT_MAX + 64];
    (void)snprintf(text, sizeof text, "the connection is closed%s%s", why->text[0] ? ": " : "",
                   why->text);
    while (!w->freed && w->calls.open.oldest) {
        arena_reset(&w->arena);
        answer_error(w->calls.open.oldest, WIRE_E_UNAVAILABLE, text, false);
    }
}

void wire_calls_release(struct wire *w)
{
    struct wire_calls *t = &w->calls;
    while (t->open.oldest)
        retire(t->open.oldest);
    while (t->dropped.oldest)
        retire(t->dropped.oldest);
    while (t->pool) {
        struct wire_call *c = t->pool;
        t->pool = c->chain;
        call_free(c);
    }
    free(t->buckets);
    *t = (struct wire_calls){0};
}

int64_t wire_call_next_id(const struct wire *w)
{
    return w->calls.last_id + 1;
}

int wire_call_begin(struct wire *w, struct wire_out *o, const char *method)
{
    wire_put_request(o, wire_out_begin(w), wire_call_next_id(w), method);
    return 0;
}

static int new_call(struct wire *w, bool timed, struct wire_call **ret)
{
    struct wire_calls *t = &w->calls;
    if (table_room(t) < 0)
        return -ENOMEM;
    struct wire_call *c = t->pool;
    if (c) {
        t->pool = c->chain;
        t->pool_count--;
    } else {
        c = calloc(1, sizeof *c);
        if (!c)
            return -ENOMEM;
        c->w = w;
    }
    int r = timed && !c->timer ? ev_timer_new(w->ev, on_timeout, c, &c->timer, NULL) : 0;
    if (r < 0)
        call_free(c);
    else
        *ret = c;
    return r;
}

int wire_call_end(struct wire *w, struct wire_out *o, int64_t timeout_ms, wire_reply_fn *fn,
                  void *arg, struct wire_call **ret, struct err *err)
{
    struct wire_call *c = NULL;
    int r = new_call(w, timeout_ms > 0, &c);
    if (r < 0) {
        wire_out_drop(w);
        return err_set(err, -r, "call: out of memory");
    }
    r = wire_end(w, o, err);
    if (r < 0) {
        c->state = CALL_FREE;
        call_free(c);
        return r;
    }
    c->id = ++w->calls.last_id;
    c->fn = fn;
    c->arg = arg;
    c->state = CALL_OPEN;
    list_add(&w->calls.open, c);
    table_add(&w->calls, c);
    if (timeout_ms > 0)
        (void)ev_timer_set(c->timer,
                           timeout_ms); /* cannot fail: the heap has room for every timer */
    if (ret)
        *ret = c;
    return 0;
}

int64_t wire_call_id(const struct wire_call *c)
{
    return c->id;
}
