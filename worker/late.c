/*
 * late.c: what need not leave before something else does: the begin of a step whose answer is
 * known, and steps that have ended and for which nobody waits. See client.h.
 *
 * Runs in a worker, behind its walls. The order of messages is the order of calls, so what the
 * broker does for a later request comes after what was recorded here.
 */
#include <time.h>

#include "worker/client.h"

#define BATCH_STEPS 64
#define BATCH_BYTES ((size_t)32 << 10)
#define BATCH_MS    10 /* looked at when a step ends: a worker has no clock that wakes it */

void late_init(struct late *l)
{
    buf_init(&l->lines, 3 * REEVE_MESSAGE_MAX + 3);
    buf_init(&l->input, REEVE_MESSAGE_MAX);
    buf_init(&l->batch, REEVE_MESSAGE_MAX);
}

void late_release(struct late *l)
{
    buf_release(&l->lines);
    buf_release(&l->input);
    buf_release(&l->batch);
}

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- a step that has begun here -------------------------------------------------------------- */

bool late_may_begin(const struct reeve *r, const char *key)
{
    return r->is_fresh && !r->late.has_begun && r->open_count == 0 && r->broken.number == 0 &&
           strlen(key) + 2 <= REEVE_STEP_MAX;
}

int late_begin(struct reeve *r, const char *key, struct str input, struct err *err)
{
    struct late *l = &r->late;

    buf_clear(&l->input);
    if (input.ptr)
        buf_str_put(&l->input, input);
    if (buf_status(&l->input) < 0)
        return err_set(err, ENOMEM, "no memory for a step's input");
    (void)snprintf(l->key, sizeof(l->key), "%s", key);
    l->has_begun = true;
    return 0;
}

static void put_begin(const struct late *l, struct jout *j)
{
    jout_m_cstr(j, "key", l->key);
    if (l->input.len > 0) {
        jout_name(j, "input");
        jout_raw(j, buf_str(&l->input));
    }
}

/* A message among the lines ends; without a slot it is taken back. */
static int end_line(struct reeve *r, struct wire_out *o, int64_t id, bool is_batch, size_t before,
                    struct err *err)
{
    int rc = client_enter(r, o, id, is_batch, err);

    if (rc < 0)
        buf_truncate(&r->late.lines, before);
    return rc;
}

static int write_begin(struct reeve *r, struct err *err)
{
    struct late *l = &r->late;
    size_t before = l->lines.len;
    struct wire_out o;
    int64_t id;
    int rc;

    if (!l->has_begun)
        return 0;
    l->has_begun = false;
    id = ++r->last_id;
    wire_put_request(&o, &l->lines, id, "step/begin");
    put_begin(l, &o.j);
    rc = end_line(r, &o, id, false, before, err);
    if (rc >= 0)
        l->begin_id = id;
    return rc;
}

static int take_begun(struct reeve *r, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    int64_t id = r->late.begin_id;
    int rc;

    r->late.begin_id = 0;
    rc = reeve_wait(r, id, &a, err);
    if (rc >= 0)
        rc = reeve_answer_status(&a, err);
    reeve_answer_release(&a);
    return rc;
}

/* ---- steps that have ended ------------------------------------------------------------------- */

/* The batch becomes a message among the lines; at most so many are on the way. Its steps were taken
 * for recorded: if they cannot be written, nothing that follows can be right. */
static int write_batch(struct reeve *r, struct err *err)
{
    struct late *l = &r->late;
    size_t before;
    struct wire_out o;
    int64_t id;
    int rc = 0;

    if (l->batch_count == 0)
        return 0;
    while (rc >= 0 && l->batches_open >= CLIENT_BATCHES_MAX)
        rc = client_take_message(r, err);
    if (rc < 0)
        return rc;
    id = ++r->last_id;
    before = l->lines.len;
    wire_put_request(&o, &l->lines, id, "step/record");
    jout_name(&o.j, "steps");
    buf_char(&l->batch, ']');
    jout_raw(&o.j, buf_str(&l->batch));
    rc = buf_status(&l->batch);
    buf_clear(&l->batch);
    l->batch_count = 0;
    if (rc < 0) {
        buf_truncate(&l->lines, before);
        rc = err_sys(err, -rc, "record steps");
    } else {
        rc = end_line(r, &o, id, true, before, err);
    }
    if (rc >= 0)
        l->batches_open++;
    else if (r->broken.number == 0)
        r->broken = *err;
    return rc;
}

static int put_step(struct late *l, struct str value)
{
    struct jout j;

    jout_begin(&j, &l->batch);
    jout_object(&j);
    jout_name(&j, "begin");
    jout_object(&j);
    put_begin(l, &j);
    jout_object_end(&j);
    jout_name(&j, "value");
    jout_raw(&j, value);
    jout_object_end(&j);
    return jout_end(&j);
}

static int send_batch(struct reeve *r, struct err *err)
{
    int rc = write_batch(r, err);

    buf_clear(&r->out);
    return rc < 0 ? rc : client_flush(r, err);
}

int late_end(struct reeve *r, struct str value, struct err *err)
{
    struct late *l = &r->late;
    int64_t now = now_ms();
    size_t before;
    int rc = 0;

    /* A large one goes alone: a batch is never larger than a message may be. */
    if (l->batch_count > 0 && l->batch.len + l->input.len + value.len > BATCH_BYTES)
        rc = send_batch(r, err);
    if (rc < 0)
        return rc;
    if (l->batch_count == 0)
        l->batch_since_ms = now;
    before = l->batch.len;
    buf_char(&l->batch, l->batch_count == 0 ? '[' : ',');
    rc = put_step(l, value);
    if (rc < 0) {
        buf_truncate(&l->batch, before);
        if (l->batch_count == 0)
            buf_clear(&l->batch); /* no other step goes with it */
        return rc == -E2BIG
                   ? err_set(err, EMSGSIZE, "step \"%s\": a value that no message can hold", l->key)
                   : err_sys(err, -rc, "the end of step \"%s\"", l->key);
    }
    l->has_begun = false;
    l->batch_count++;
    if (l->batch_count < BATCH_STEPS && l->batch.len < BATCH_BYTES &&
        now - l->batch_since_ms < BATCH_MS)
        return 0;
    return send_batch(r, err);
}

/* ---- before anything else -------------------------------------------------------------------- */

int late_settle(struct reeve *r, struct err *err)
{
    struct late *l = &r->late;
    bool waits = l->has_begun;
    int rc = write_batch(r, err);

    if (rc >= 0)
        rc = write_begin(r, err);
    if (rc < 0 || !waits)
        return rc;
    rc = channel_send(&r->channel, buf_str(&l->lines), err);
    buf_clear(&l->lines);
    if (rc < 0 && r->broken.number == 0)
        r->broken = *err;
    return rc < 0 ? rc : take_begun(r, err);
}

int late_ask(struct reeve *r, struct wire_out *o, struct reeve_answer *a, struct err *err)
{
    int64_t id = r->out_id;
    struct err why = ERR_INIT;
    int late = 0, rc = write_batch(r, err);

    if (rc >= 0)
        rc = write_begin(r, err);
    if (rc >= 0)
        rc = client_enter(r, o, id, false, err);
    if (rc >= 0)
        rc = client_flush(r, err);
    if (rc < 0)
        return rc;
    if (r->late.begin_id != 0)
        late = take_begun(r, &why);
    rc = reeve_wait(r, id, a, err);
    if (late < 0) { /* the step had not begun: that is why it could not end */
        *err = why;
        return late;
    }
    return rc < 0 ? rc : reeve_answer_status(a, err);
}
