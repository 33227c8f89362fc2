/*
 * steps: a worker that does one of everything, for the crash harness: a named step with a value
 * that it draws once, parallel calls of tools of every class, a timer, an event, a question, a
 * gated call, a checkpoint. Each effect carries the run's own number and that value; the result
 * holds them too.
 */
#include <stdio.h>
#include <sys/random.h>

#include "worker/reeve.h"

struct work {
    struct reeve *r;
    int64_t value; /* drawn once; a restart finds it */
    struct err err;
};

static int draw(struct work *w)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct reeve_step step;
    char text[32];
    uint32_t random = 0;
    int rc = reeve_step_begin(w->r, "draw", STR_NONE, &step, &a, &w->err);
    if (rc == 1) {
        rc = json_is(a.value, JSON_INT) ? 0 : err_set(&w->err, EBADMSG, "draw: not a number");
        w->value = rc == 0 ? a.value->integer : 0;
    } else if (rc == 0) {
        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
            return err_set(&w->err, EIO, "draw");
        w->value = random;
        snprintf(text, sizeof(text), "%" PRId64, w->value);
        /* Not waited for in each other run: what is sent with the value must still come after it.
         */
        rc = reeve_run(w->r)->run.ptr[reeve_run(w->r)->run.len - 1] % 2
                 ? reeve_step_end(w->r, &step, str_of(text), &w->err)
                 : reeve_step_end_later(w->r, &step, str_of(text), &w->err);
    }
    reeve_answer_release(&a);
    return rc;
}

/* The tools of `names`, all at once. What a tool answers is of no matter; that it answers is. */
static int call(struct work *w, const char *const *names, size_t n, const char *round)
{
    struct reeve_tool_call calls[8];
    struct arena a;
    int rc = 0;
    must(n <= ARRAY_LEN(calls));
    arena_init(&a, 65536);
    memset(calls, 0, sizeof(calls));
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        struct str text = arena_fmt(&a, "{\"id\":\"%.*s/%s-%zu/%" PRId64 "\"}",
                                    STR_FMT(reeve_run(w->r)->run), round, i, w->value);
        calls[i].name = str_of(names[i]);
        rc = json_parse(&a, text, &JSON_LIMITS_DEFAULT, &calls[i].arguments, NULL, &w->err);
    }
    if (rc >= 0)
        rc = reeve_tools(w->r, calls, n, &w->err);
    for (size_t i = 0; i < n; i++) {
        if (rc >= 0)
            rc = reeve_answer_status(&calls[i].answer, &w->err);
        if (rc >= 0 && reeve_tool_is_error(calls[i].answer.value))
            rc = err_set(&w->err, EREMOTEIO, "%s: %.*s", names[i],
                         STR_FMT(calls[i].answer.value->raw));
        reeve_answer_release(&calls[i].answer);
    }
    arena_release(&a);
    return rc;
}

static int wait_and_ask(struct work *w)
{
    static const struct reeve_question q = {.question = "go on?"};
    struct reeve_answer a = REEVE_ANSWER_INIT;
    char match[64];
    snprintf(match, sizeof(match), "{\"data.run\":%.*s}", STR_FMT(reeve_run(w->r)->run));
    int rc = reeve_sleep(w->r, 30, &w->err);
    if (rc >= 0)
        rc = reeve_event_wait(w->r, "crash.go", str_of(match), 0, &a, &w->err);
    if (rc >= 0)
        rc = reeve_approval(w->r, &q, &a, &w->err);
    if (rc == 0)
        rc = err_set(&w->err, EPERM, "the answer was no");
    reeve_answer_release(&a);
    return rc < 0 ? rc : 0;
}

/* The event that a step before the checkpoint took is not there a second time. */
static int wait_in_vain(struct work *w)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    char match[64];
    snprintf(match, sizeof(match), "{\"data.run\":%.*s}", STR_FMT(reeve_run(w->r)->run));
    int rc = reeve_event_wait(w->r, "crash.go", str_of(match), 10, &a, &w->err);
    reeve_answer_release(&a);
    return rc > 0 ? err_set(&w->err, EEXIST, "an event came twice") : rc;
}

static int work(struct work *w)
{
    static const char *const first[] = {"effects.pay", "effects.note", "effects.look",
                                        "effects.pay"};
    static const char *const gated[] = {"effects.wire", "effects.pay"};
    static const char *const last[] = {"effects.note", "effects.pay"};
    const struct json *before = reeve_run(w->r)->checkpoint;
    char state[32];
    int rc;
    if (before) {
        if (!json_is(before, JSON_INT))
            return err_set(&w->err, EBADMSG, "checkpoint: not a number");
        w->value = before->integer;
    } else {
        if ((rc = draw(w)) < 0 || (rc = call(w, first, ARRAY_LEN(first), "a")) < 0 ||
            (rc = wait_and_ask(w)) < 0)
            return rc;
        snprintf(state, sizeof(state), "%" PRId64, w->value);
        if ((rc = reeve_checkpoint(w->r, str_of(state), &w->err)) < 0)
            return rc;
    }
    if ((rc = wait_in_vain(w)) < 0 || (rc = call(w, gated, ARRAY_LEN(gated), "b")) < 0)
        return rc;
    return call(w, last, ARRAY_LEN(last), "c");
}

int main(void)
{
    struct work w = {.err = ERR_INIT};
    char result[64];
    int rc = reeve_open(REEVE_FD, &w.r, &w.err);
    if (rc >= 0)
        rc = reeve_begin(w.r, false, &w.err);
    if (rc >= 0) {
        rc = work(&w);
        snprintf(result, sizeof(result), "{\"value\":%" PRId64 "}", w.value);
        rc = rc >= 0 ? reeve_end(w.r, str_of(result), &w.err)
                     : reeve_fail(w.r, w.err.text, rc == -EHOSTDOWN || rc == -ETIMEDOUT, &w.err);
    }
    if (rc < 0)
        fprintf(stderr, "steps: %s\n", w.err.text);
    reeve_close(w.r);
    return rc < 0;
}
