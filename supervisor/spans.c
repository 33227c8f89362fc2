/*
 * spans.c: see spans.h. Runs in reeved.
 */
#include "supervisor/spans.h"

#include <fcntl.h>

#include "policy/text/num.h"
#include "sandbox/os/file.h"
#include "supervisor/runs.h"

#define STEP_MS   2000 /* less is drift, which adds up to it */
#define BOOT_ID   "/proc/sys/kernel/random/boot_id"
#define BOOT_SIZE 64

static int64_t ahead_ms(const struct reeved *rv)
{
    return reeved_now(rv) - ev_mono_us(rv->ev) / 1000;
}

static int keep_ahead(struct reeved *rv, struct err *err)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, rv->clock_ahead_ms);
    return store_value_put(rv->store, STR("clock.ahead"), str_of(text), err);
}

/* As the store has moved its rows. */
static int move_run(struct run *r, int64_t by, struct err *err)
{
    struct arena a;
    struct store_run rec;
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = store_run_get(r->rv->store, r->rec.id, &a, &rec, err);
    arena_release(&a);
    if (e < 0)
        return e;
    r->rec.wake_ms = rec.wake_ms;
    r->rec.failing_ms = rec.failing_ms;
    for (size_t i = 0; i < r->journal.count; i++) {
        struct store_step *s = &r->journal.steps[i]->rec;
        if (!step_is_settled(r->journal.steps[i]) && s->wake_ms &&
            !(s->kind == STEP_TIMER && s->info.len))
            s->wake_ms = MAX(s->wake_ms + by, 1);
    }
    run_consider_parking(r);
    return 0;
}

static int clock_was_set(struct reeved *rv, int64_t by, struct err *err)
{
    char span[NUM_DURATION_TEXT];
    (void)num_duration_text(by < 0 ? -by : by, span);
    log_warn(&rv->log,
             "the host's clock was set %s by %s: what waits for a date follows it, what lasts for "
             "a span does not",
             by < 0 ? "back" : "forward", span);
    rv->clock_ahead_ms += by;
    int e = store_clock_shift(rv->store, by, err);
    if (e >= 0)
        e = keep_ahead(rv, err);
    for (size_t i = 0; i < RUN_BUCKETS; i++)
        for (struct run *r = rv->runs[i]; e >= 0 && r; r = r->next)
            e = move_run(r, by, err);
    if (e >= 0)
        runs_schedule(rv);
    return e;
}

static int look(struct reeved *rv, struct err *err)
{
    int64_t by = ahead_ms(rv) - rv->clock_ahead_ms;
    return by > -STEP_MS && by < STEP_MS ? 0 : clock_was_set(rv, by, err);
}

static void on_pass_begin(void *arg)
{
    struct reeved *rv = arg;
    struct err err = ERR_INIT;
    if (!rv->fatal.number && look(rv, &err) < 0)
        reeved_fatal(rv, &err);
}

/* Which boot this is; empty where the kernel does not say. */
static void read_boot(char out[BOOT_SIZE])
{
    struct err err = ERR_INIT;
    char *text = NULL;
    size_t len = 0;
    out[0] = '\0';
    if (file_read(AT_FDCWD, BOOT_ID, BOOT_SIZE - 1, &text, &len, &err) < 0)
        return;
    while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    if (str_copy((struct str){text, len}, out, BOOT_SIZE) < 0)
        out[0] = '\0';
    free(text);
}

/* 1: the store was last used in this boot, and the clock was then so far ahead. */
static int find_ahead(struct reeved *rv, const char *boot, int64_t *ret, struct err *err)
{
    struct arena a;
    struct str before, ahead;
    arena_init(&a, 4096);
    int e = store_value_get(rv->store, STR("clock.boot"), &a, &before, err);
    if (e >= 0)
        e = store_value_get(rv->store, STR("clock.ahead"), &a, &ahead, err);
    if (e >= 0)
        e = boot[0] && str_is(before, boot) && num_i64(ahead, ret) >= 0;
    arena_release(&a);
    return e == -ENOENT ? 0 : e;
}

int spans_open(struct reeved *rv, struct err *err)
{
    char boot[BOOT_SIZE];
    read_boot(boot);
    int e = find_ahead(rv, boot, &rv->clock_ahead_ms, err);
    if (e > 0) {
        e = look(rv, err);
    } else if (e == 0) {
        rv->clock_ahead_ms = ahead_ms(rv);
        e = store_value_put(rv->store, STR("clock.boot"), str_of(boot), err);
        if (e >= 0)
            e = keep_ahead(rv, err);
    }
    ev_on_pass_begin(rv->ev, on_pass_begin, rv);
    return e;
}
