/*
 * hold_worker.c: a worker for scenarios about order: it notes that it began, waits for an event
 * test.release with its own number (data.n), and ends. With a long `park_after` it holds its place
 * meanwhile, with a short one it is parked.
 */
#include "worker/reeve.h"

static int work(struct reeve *r, char *result, size_t size, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct reeve_step step;
    char match[64];
    int64_t n;
    int rc = json_i64_or(json_get(reeve_run(r)->event, "data"), "n", 0, &n, err);
    if (rc >= 0 && (rc = reeve_step_begin(r, "began", STR_NONE, &step, &a, err)) == 0)
        rc = reeve_step_end(r, &step, STR("true"), err);
    reeve_answer_release(&a);
    (void)snprintf(match, sizeof(match), "{\"data.n\":%" PRId64 "}", n);
    if (rc >= 0)
        rc = reeve_event_wait(r, "test.release", str_of(match), 0, &a, err);
    reeve_answer_release(&a);
    (void)snprintf(result, size, "{\"n\":%" PRId64 "}", n);
    return rc;
}

int main(void)
{
    struct reeve *r = NULL;
    struct err err = ERR_INIT;
    char result[64];
    int rc = reeve_open(REEVE_FD, &r, &err);
    if (rc >= 0)
        rc = reeve_begin(r, true, &err);
    if (rc >= 0) {
        rc = work(r, result, sizeof(result), &err);
        rc = rc >= 0 ? reeve_end(r, str_of(result), &err) : reeve_fail(r, err.text, true, &err);
    }
    if (rc < 0)
        (void)fprintf(stderr, "hold_worker: %s\n", err.text);
    reeve_close(r);
    return rc < 0;
}
