/*
 * follow.c: runs as they happen. Runs in reeve-control on the read-only view. A follower holds what
 * it told last (a number a step that has not ended) and at most one page that is leaving; it reads
 * again only once that has left. Must never let a slow reader cost more than that.
 */
#include "supervisor/control/follow.h"

#include "policy/text/num.h"

#define PAGE_STEPS      64
#define PAGE_LINES      128
#define OUT_MAX_BYTES   (8u << 20)
#define ARENA_MAX_BYTES (32u << 20)
#define WINDOW_MAX      65536 /* steps after the first that has not ended */
#define TICK_MS         5000  /* looks again even if nobody said so */
#define KEEPALIVE_TICKS 3

struct follower {
    struct follower *next, *prev;
    struct exchange *x;
    int64_t run;
    int64_t low;    /* every step up to it has ended and was told */
    int64_t scan;   /* the next page begins after it; low when none is under way */
    int64_t lines;  /* of the log, told */
    uint32_t *told; /* of step low + 1 + i: a hash of what was told; 0: nothing */
    size_t told_count;
    uint32_t run_told;
    bool is_changed, is_ended;
    unsigned ticks; /* without a word */
    struct buf out;
    size_t out_at;
    struct arena arena;
    struct ev_timer *tick;
};

void follow_free(struct follower *f)
{
    if (!f)
        return;
    if (f->prev)
        f->prev->next = f->next;
    else if (f->x->control->followers == f)
        f->x->control->followers = f->next;
    if (f->next)
        f->next->prev = f->prev;
    ev_timer_free(f->tick);
    buf_release(&f->out);
    arena_release(&f->arena);
    free(f->told);
    free(f);
}

/* FNV-1a; never 0. A collision costs one untold change of one step on one screen. */
static uint32_t hash_of(struct str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 16777619u;
    return h ? h : 1;
}

/* data is one line: the view and jout write no line breaks. */
static void tell(struct follower *f, const char *event, struct str data)
{
    buf_fmt(&f->out, "event: %s\nid: %" PRId64 ".%" PRId64 "\ndata: ", event, f->low, f->lines);
    buf_str_put(&f->out, data);
    buf_cstr(&f->out, "\n\n");
    f->ticks = 0;
}

static void tell_end(struct follower *f, const char *why)
{
    struct buf text;
    struct jout j;
    buf_init(&text, 4096);
    jout_begin(&j, &text);
    jout_object(&j);
    if (why)
        jout_m_cstr(&j, "reason", why);
    jout_object_end(&j);
    if (jout_end(&j) >= 0)
        tell(f, "end", buf_str(&text));
    buf_release(&text);
    f->is_ended = true;
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef int read_fn(struct follower *f, struct jout *j, struct err *err);

static int read_tree(struct follower *f, read_fn *fn, const struct json **ret, struct err *err)
{
    struct buf text;
    struct jout j;
    buf_init(&text, OUT_MAX_BYTES);
    jout_begin(&j, &text);
    int res = fn(f, &j, err);
    if (res >= 0)
        res = jout_end(&j);
    if (res >= 0) {
        struct str kept = arena_str(&f->arena, buf_str(&text));
        res =
            kept.ptr ? json_parse(&f->arena, kept, &JSON_LIMITS_DEFAULT, ret, NULL, err) : -ENOMEM;
    }
    buf_release(&text);
    return res;
}

static int read_run_now(struct follower *f, struct jout *j, struct err *err)
{
    return view_run(f->x->control->view, f->run, j, err);
}

static int read_page(struct follower *f, struct jout *j, struct err *err)
{
    return view_steps(f->x->control->view, f->run, f->scan, PAGE_STEPS, j, err);
}

static int read_lines(struct follower *f, struct jout *j, struct err *err)
{
    return view_log(f->x->control->view, f->run, f->lines, PAGE_LINES, j, err);
}

/* ---- the run --------------------------------------------------------------------------------- */

static bool state_is_final(const struct json *run)
{
    static const char *const FINAL[] = {"succeeded", "failed", "cancelled", "dead"};
    struct str state;
    if (json_want_str(run, "state", &state, NULL) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(FINAL); i++)
        if (str_is(state, FINAL[i]))
            return true;
    return false;
}

static void put_members(struct jout *j, const struct json *run, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        jout_m_json(j, names[i], json_get(run, names[i]));
}

/* Whether it is worth a word depends on the first group alone: counters change with every step. */
static void tell_run(struct follower *f, const struct json *run)
{
    static const char *const STATE[] = {"run",    "workflow",  "tenant",  "state",
                                        "wait",   "wakeAt",    "reason",  "attempt",
                                        "cancel", "startedAt", "endedAt", "approvals"};
    static const char *const REST[] = {"steps",        "toolCalls", "modelCalls", "inputTokens",
                                       "outputTokens", "cost",      "result"};
    struct buf text;
    struct jout j;
    buf_init(&text, OUT_MAX_BYTES);
    jout_begin(&j, &text);
    jout_object(&j);
    put_members(&j, run, STATE, ARRAY_LEN(STATE));
    uint32_t hash = hash_of(buf_str(&text));
    put_members(&j, run, REST, ARRAY_LEN(REST));
    jout_object_end(&j);
    if (jout_end(&j) >= 0 && hash != f->run_told) {
        f->run_told = hash;
        tell(f, "run", buf_str(&text));
    }
    buf_release(&text);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static bool step_has_ended(const struct json *step)
{
    struct str state;
    return json_want_str(step, "state", &state, NULL) >= 0 &&
           (str_is(state, "committed") || str_is(state, "failed") || str_is(state, "denied"));
}

static int room_for(struct follower *f, size_t index, struct err *err)
{
    if (index < f->told_count)
        return 0;
    if (index >= WINDOW_MAX)
        return err_set(err, EOVERFLOW, "more than %d steps wait: see the trace", WINDOW_MAX);
    size_t count = MAX(index + 1, f->told_count * 2);
    uint32_t *grown = realloc(f->told, count * sizeof(*grown));
    if (!grown)
        return err_set(err, ENOMEM, "follower");
    memset(grown + f->told_count, 0, (count - f->told_count) * sizeof(*grown));
    f->told = grown;
    f->told_count = count;
    return 0;
}

/* All up to `seq` have ended and were told. */
static void raise_low(struct follower *f, int64_t seq)
{
    size_t by = (size_t)(seq - f->low);
    size_t left = by < f->told_count ? f->told_count - by : 0;
    if (left)
        memmove(f->told, f->told + by, left * sizeof(*f->told));
    f->told_count = left;
    f->low = seq;
}

static int tell_step(struct follower *f, const struct json *step, bool *all_ended, struct err *err)
{
    int64_t seq;
    if (json_want_i64(step, "seq", &seq, err) < 0)
        return -EIO;
    if (seq <= f->low)
        return 0;
    int res = room_for(f, (size_t)(seq - f->low - 1), err);
    if (res < 0)
        return res;
    uint32_t *told = &f->told[seq - f->low - 1];
    uint32_t hash = hash_of(step->raw);
    bool is_new = *told != hash;
    *told = hash;
    *all_ended = *all_ended && step_has_ended(step);
    if (*all_ended)
        raise_low(f, seq);
    if (is_new)
        tell(f, "step", step->raw);
    return 0;
}

/* One page; the next one is read once this one has left. */
static int tell_page(struct follower *f, bool *ret_more, struct err *err)
{
    const struct json *page, *steps, *next;
    int res = read_tree(f, read_page, &page, err);
    if (res >= 0)
        res = json_want(page, "steps", JSON_ARRAY, &steps, err);
    if (res < 0)
        return res;
    bool all_ended = f->scan <= f->low;
    for (size_t i = 0; i < steps->array.count && res >= 0; i++)
        res = tell_step(f, &steps->array.items[i], &all_ended, err);
    next = json_get(page, "next");
    *ret_more = json_is(next, JSON_INT) && next->integer > f->scan;
    f->scan = *ret_more ? next->integer : f->low;
    return res;
}

/* ---- the log --------------------------------------------------------------------------------- */

static int tell_lines(struct follower *f, bool *ret_more, struct err *err)
{
    const struct json *page, *lines;
    int res = read_tree(f, read_lines, &page, err);
    if (res >= 0)
        res = json_want(page, "log", JSON_ARRAY, &lines, err);
    if (res < 0)
        return res;
    for (size_t i = 0; i < lines->array.count; i++) {
        f->lines++;
        tell(f, "log", lines->array.items[i].raw);
    }
    *ret_more = json_is(json_get(page, "next"), JSON_INT);
    return 0;
}

/* ---- the stream ------------------------------------------------------------------------------ */

static int fill(struct follower *f, struct err *err)
{
    const struct json *run = NULL;
    bool more_steps = false, more_lines = false;
    int res = read_tree(f, read_run_now, &run, err);
    if (res < 0)
        return res;
    /* Read before the steps: if it is final here, the steps read now are all there will ever be. */
    bool is_final = state_is_final(run);
    if (!is_final)
        tell_run(f, run);
    res = tell_page(f, &more_steps, err);
    if (res >= 0)
        res = tell_lines(f, &more_lines, err);
    bool more = more_steps || more_lines;
    if (res >= 0 && more)
        f->is_changed = true;
    if (res >= 0 && !more && is_final) {
        tell_run(f, run);
        tell_end(f, NULL);
    }
    return res;
}

static void look(struct follower *f)
{
    struct err err = ERR_INIT;
    f->is_changed = false;
    buf_clear(&f->out);
    f->out_at = 0;
    int res = fill(f, &err);
    arena_reset(&f->arena);
    if (res == -EBUSY)
        return; /* the tick looks again */
    if (res >= 0 && buf_status(&f->out) < 0)
        res = err_set(&err, EMSGSIZE, "too much at once: see the trace");
    if (res < 0) {
        buf_clear(&f->out);
        tell_end(f, err.text[0] ? err.text : err_name(-res));
    }
}

static ssize_t on_pull(void *arg, char *p, size_t n)
{
    struct follower *f = arg;
    while (f->out_at == f->out.len) {
        if (f->is_ended)
            return -1;
        if (!f->is_changed)
            return 0;
        look(f);
    }
    size_t part = MIN(n, f->out.len - f->out_at);
    memcpy(p, f->out.ptr + f->out_at, part);
    f->out_at += part;
    return (ssize_t)part;
}

static void on_tick(void *arg, struct ev_timer *t)
{
    struct follower *f = arg;
    (void)ev_timer_set(t, TICK_MS);
    if (f->out_at != f->out.len)
        return; /* its reader is busy */
    f->is_changed = true;
    if (++f->ticks >= KEEPALIVE_TICKS) {
        f->ticks = 0;
        buf_clear(&f->out);
        f->out_at = 0;
        buf_cstr(&f->out, ": still here\n\n"); /* finds out whether anybody listens */
    }
    request_wake(f->x->request);
}

void follow_changed(struct control *c, const struct json *runs)
{
    for (struct follower *f = c->followers; f; f = f->next) {
        for (size_t i = 0; json_is(runs, JSON_ARRAY) && i < runs->array.count; i++) {
            const struct json *id = &runs->array.items[i];
            if (json_is(id, JSON_INT) && id->integer == f->run) {
                f->is_changed = true;
                request_wake(f->x->request);
            }
        }
    }
}

/* "S.L"; anything else begins at the beginning, as a stranger's id would. */
static void resume_from(struct follower *f, struct str id)
{
    ssize_t dot = str_find(id, '.', 0);
    int64_t low, lines;
    if (dot < 0 || num_i64(str_slice(id, 0, (size_t)dot), &low) < 0 ||
        num_i64(str_slice(id, (size_t)dot + 1, id.len), &lines) < 0 || low < 0 || lines < 0)
        return;
    f->low = f->scan = low;
    f->lines = lines;
}

static int follower_new(struct exchange *x, struct err *err)
{
    struct follower *f = calloc(1, sizeof(*f));
    if (!f)
        return err_set(err, ENOMEM, "follower");
    *f = (struct follower){.next = x->control->followers, .x = x, .run = x->match.ids[0]};
    buf_init(&f->out, OUT_MAX_BYTES);
    arena_init(&f->arena, ARENA_MAX_BYTES);
    if (f->next)
        f->next->prev = f;
    x->control->followers = f;
    x->follower = f; /* freed with the exchange, whatever comes */
    resume_from(f, request_header(x->request, "Last-Event-ID"));
    int res = ev_timer_new(x->control->ev, on_tick, f, &f->tick, err);
    return res < 0 ? res : ev_timer_set(f->tick, TICK_MS);
}

int serve_follow(struct exchange *x, struct err *err)
{
    const struct json *run;
    if (!x->control->view)
        return err_set(err, EBUSY, "the store cannot be read now: reeved has not opened it yet");
    int res = follower_new(x, err);
    if (res >= 0)
        res = read_tree(x->follower, read_run_now, &run, err); /* 404 before the stream begins */
    if (res < 0)
        return res;
    arena_reset(&x->follower->arena);
    x->follower->is_changed = true;
    request_stream(x->request, &(struct answer){.status = 200, .content_type = "text/event-stream"},
                   on_pull, x->follower);
    return 0;
}
