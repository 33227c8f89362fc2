/*
 * worker.c: see worker.h. Runs in reeved; the worker's bytes go to broker.c.
 */
#include "supervisor/worker.h"

#include <signal.h>

#include "policy/process.h"
#include "sandbox/os/fd.h"
#include "supervisor/broker.h"
#include "supervisor/helper.h"
#include "supervisor/queue.h"

#define LEAVE_MS 2000

/* ---- its end
 * --------------------------------------------------------------------------------------- */

static void forget_wire(struct run *r)
{
    if (!r->wire)
        return;
    outbox_remove(&r->rv->outbox, r->wire);
    wire_free(r->wire);
    r->wire = NULL;
}

static void forget_attempt(struct run *r)
{
    ev_timer_stop(r->park);
    ev_timer_stop(r->due);
    ev_timer_stop(r->clock);
    ev_timer_stop(r->grace);
    broker_drop_held(r);
    for (size_t i = 0; i < r->journal.count; i++)
        step_drop_waiters(r->journal.steps[i]);
}

void worker_stop(struct run *r)
{
    forget_attempt(r);
    forget_wire(r);
    if (r->process)
        spawner_kill(r->process); /* on_exit follows and finds no wire: it was meant to end */
}

void worker_leave(struct run *r)
{
    forget_attempt(r);
    if (r->process && r->wire)
        ev_timer_set(r->clock, LEAVE_MS);
    else
        worker_stop(r);
}

void worker_drop(struct run *r)
{
    forget_wire(r);
    if (r->process) {
        queue_worker(r, -1);
        spawner_abandon(r->process);
    }
    r->process = NULL;
}

void worker_fault(struct run *r, const char *why)
{
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof(text), "the worker broke the protocol: %s", why);
    run_log(r, LOG_LEVEL_ERROR, "broker", str_of(text));
    if (run_state_is_final(r->rec.state))
        worker_stop(r);
    else
        run_must_event(r, LIFE_REFUSED, text);
}

void worker_on_park(void *arg, struct ev_timer *t)
{
    (void)t;
    struct run *r = arg;
    int64_t wake;
    enum run_wait wait = run_waits_for(r, &wake);
    if (wait == WAIT_NONE || r->rec.state != RUN_RUNNING)
        return;
    r->users++;
    r->rec.wait = wait;
    r->rec.wake_ms = wake;
    run_must_event(r, LIFE_WAIT, NULL);
    run_put(r);
}

void worker_on_clock(void *arg, struct ev_timer *t)
{
    (void)t;
    struct run *r = arg;
    r->users++;
    if (run_state_is_final(r->rec.state)) {
        worker_stop(r);
    } else if (r->rec.state == RUN_STARTING) {
        run_attempt_failed(r, LIFE_LOST, "the worker did not begin in time (limits.start)");
    } else {
        run_must_event(r, LIFE_REFUSED, "ran longer than limits.wall_time");
    }
    run_put(r);
}

/* ---- its start
 * ------------------------------------------------------------------------------------- */

static void on_message(void *arg, struct wire *w, const struct wire_message *m)
{
    (void)w;
    struct run *r = arg;
    r->users++;
    broker_message(r, m);
    run_put(r);
}

/* The socket ended. Clean or not, the process is ended too; on_exit says what that means for the
 * run. */
static void on_closed(void *arg, struct wire *w, const struct err *why)
{
    (void)w;
    struct run *r = arg;
    r->users++;
    /* One that is killed with words of ours unread resets the connection: no fault of its own. */
    bool is_gone = why->number == ECONNRESET || why->number == EPIPE;
    if (why->number && !is_gone && !r->ended) {
        char text[ERR_TEXT_MAX];
        snprintf(text, sizeof(text), "%.400s%s", why->text,
                 why->number == EMSGSIZE ? " (limits.message)" : "");
        worker_fault(r, text);
    } else {
        forget_wire(r);
        if (r->process)
            spawner_kill(r->process);
    }
    run_put(r);
}

/* The trace names the walls of the run: their profile's self-test passed, or nothing would have
 * started. */
static void note_walls(struct run *r, const struct json *layers)
{
    struct buf line;
    if (r->rec.attempt != 1 || !json_is(layers, JSON_ARRAY))
        return;
    buf_init(&line, 4096);
    buf_cstr(&line, "self-tested:");
    for (size_t i = 0; i < layers->array.count; i++)
        if (layers->array.items[i].type == JSON_STRING)
            buf_fmt(&line, "%s %.*s", i ? ";" : "", STR_FMT(layers->array.items[i].string));
    free(r->walls); /* kept with what the run writes next: not worth a commit while it starts */
    r->walls = buf_take(&line, NULL);
}

static void on_started(void *arg, struct started *p, const struct started_info *info,
                       const struct err *why)
{
    (void)p;
    struct run *r = arg;
    struct reeved *rv = r->rv;
    struct err err = ERR_INIT;
    r->users++;
    if (!info) {
        r->process = NULL;
        queue_worker(r, -1);
        /* INV-02: no walls, no run. What stood in the way may pass (a process limit, memory) or be
         * mended: it is tried again like any attempt that failed, and given up like one. */
        if (r->rec.state == RUN_STARTING)
            run_attempt_failed(r, LIFE_LOST, why->text);
        run_put(r);
        return;
    }
    int pidfd = info->pidfd, channel = info->channel, errout = info->errout;
    fd_close(&pidfd); /* reeve-spawn reaps; its word is what counts */
    const struct wire_owner owner = {.on_message = on_message, .on_closed = on_closed, .arg = r};
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    limits.max_message_bytes = (size_t)r->version->workflow.limits.message_bytes;
    if (r->rec.state != RUN_STARTING) { /* cancelled or paused meanwhile */
        fd_close(&channel);
        spawner_kill(r->process);
    } else if (wire_new(rv->ev, channel, &limits, false, &owner, &r->wire, &err) < 0 ||
               outbox_add(&rv->outbox, r->wire, &err) < 0) {
        run_attempt_failed(r, LIFE_LOST, err.text);
    } else {
        helper_watch_noise(rv, fd_take(&errout), r->rec.id, "worker");
        note_walls(r, info->layers);
    }
    fd_close(&errout);
    run_put(r);
}

/* Killed by somebody else before it had said a word: nothing was tried yet, and one that stood
 * ready was perhaps dying when it was given out. Another takes its place in the same attempt, once:
 * one that brought it upon itself cannot be told from it, and must not spin. */
static bool may_start_over(const struct run *r, const struct started_exit *e)
{
    return r->rec.state == RUN_STARTING && !r->begun && !r->started_over && !e->oom &&
           !r->refused[0] && e->exit.by_signal && e->exit.code == SIGKILL;
}

static void start_over(struct run *r, const char *why)
{
    struct err err = ERR_INIT;
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof(text), "%s before it began: another is started", why);
    run_log(r, LOG_LEVEL_WARN, "worker", str_of(text));
    forget_attempt(r);
    int e = worker_start(r, &err);
    r->started_over = true;
    if (e < 0)
        run_attempt_failed(r, LIFE_LOST, err.text);
}

static void on_exit_told(void *arg, struct started *p, const struct started_exit *e)
{
    (void)p;
    struct run *r = arg;
    char how[PROC_EXIT_TEXT], text[PROC_EXIT_TEXT + 160];
    r->users++;
    r->process = NULL;
    queue_worker(r, -1);
    forget_wire(r);
    proc_exit_text(&e->exit, how);
    if (r->refused[0])
        snprintf(text, sizeof(text), "the worker was killed: its walls refuse %s", r->refused);
    else
        snprintf(text, sizeof(text), "the worker %s%s", how,
                 e->oom ? " (out of memory: limits.memory)" : "");
    if (may_start_over(r, e)) {
        start_over(r, text);
    } else if (r->rec.state == RUN_RUNNING || r->rec.state == RUN_STARTING) {
        forget_attempt(r);
        run_log(r, LOG_LEVEL_WARN, "worker", str_of(text));
        run_attempt_failed(r, LIFE_LOST, text);
    }
    runs_schedule(r->rv);
    run_put(r);
}

/* One refused call may be a program's mistake: the attempt fails, and its reason names the call.
 * Who goes on trying is looking for a way out: the run ends, and no other attempt gets to try more.
 */
static void killed_for(struct run *r, struct str call, bool is_probing)
{
    char text[ERR_TEXT_MAX];
    snprintf(r->refused, sizeof(r->refused), "%.*s", STR_FMT(str_slice(call, 0, 64)));
    if (!is_probing || run_state_is_final(r->rec.state))
        return;
    snprintf(text, sizeof(text),
             "the worker was ended: it kept trying what its walls refuse (last %s)", r->refused);
    run_must_event(r, LIFE_REFUSED, text);
}

static void on_denied(void *arg, struct started *p, struct str call, const struct json *details)
{
    (void)p;
    struct run *r = arg;
    struct buf line;
    buf_init(&line, 1024);
    buf_fmt(&line, "denied system call %.*s", STR_FMT(call));
    if (details)
        buf_fmt(&line, " %.*s", STR_FMT(details->raw));
    run_log(r, LOG_LEVEL_WARN, "walls", buf_str(&line));
    buf_release(&line);
    const struct json *answer = json_get(details, "answer");
    if (json_is(answer, JSON_STRING) && str_starts(answer->string, STR("killed")))
        killed_for(r, call, str_is(answer->string, "killed: repeated probing"));
}

int worker_start(struct run *r, struct err *err)
{
    struct reeved *rv = r->rv;
    struct start_request q;
    char program[sizeof(rv->libexec) + 16];
    snprintf(program, sizeof(program), "%s/reeve-worker", rv->libexec);
    process_of_workflow(&r->version->workflow, program, &q);
    /* Files are a way out too: over another run's way they are only read. */
    for (size_t i = 0; i < q.file_count && r->rec.mode != RUN_REAL; i++)
        q.files[i].write = false;
    r->seen = 0;
    r->begun = r->ended = r->sequential = r->started_over = false;
    r->refused[0] = '\0';
    snprintf(r->key, sizeof(r->key), "run-%" PRId64 ".%d", r->rec.id, r->rec.attempt);
    q.key = str_of(r->key);
    q.uid_slot = UID_SLOT_RUNS + rv->next_uid_slot++ % (UID_SLOT_COUNT - UID_SLOT_RUNS);
    const struct started_owner owner = {
        .on_started = on_started, .on_exit = on_exit_told, .on_denied = on_denied, .arg = r};
    int e = spawner_start(rv->spawner, &q, &owner, &r->process, err);
    if (e < 0)
        return err_wrap(err, "run %" PRId64 ": start worker", r->rec.id);
    queue_worker(r, 1);
    return ev_timer_set(r->clock, r->version->workflow.limits.start_ms) < 0
               ? err_sys(err, ENOMEM, "run %" PRId64, r->rec.id)
               : 0;
}
