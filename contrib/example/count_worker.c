/*
 * count_worker.c: a worker of your own, in C, on worker/reeve.h: it counts to `count` of the
 * event's data in named steps, sleeps durably in between, asks a tool once, and ends with what it
 * found.
 *
 * Try it: kill its process at any moment. The run goes on where it was: steps that are recorded are
 * answered from the journal, and nothing is done twice. A workflow for it:
 *
 *     workflow:
 *       name: count
 *       trigger: [{ event: example.count }]
 *       worker: { program: /usr/local/libexec/reeve/count_worker }
 *       tools: [ledger/lookup_vendor]
 */
#include "worker/reeve.h"

#define COUNT_MAX 1000

/* One step: the number after `sum`. Done once; a restart finds the value. */
static int add(struct reeve *r, int64_t i, int64_t *sum, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct reeve_step step;
    char key[32], value[32];
    int rc;

    (void)snprintf(key, sizeof(key), "add-%" PRId64, i);
    rc = reeve_step_begin(r, key, STR_NONE, &step, &a, err);
    if (rc == 1) { /* recorded */
        rc = json_is(a.value, JSON_INT) ? 0 : err_set(err, EBADMSG, "%s is not a number", key);
        *sum = rc == 0 ? a.value->integer : 0;
    } else if (rc == 0) {
        *sum += i; /* the step's own work: anything, as long as only its value is used later */
        (void)snprintf(value, sizeof(value), "%" PRId64, *sum);
        rc = reeve_step_end(r, &step, str_of(value), err);
    }
    reeve_answer_release(&a);
    return rc;
}

/* A tool that is not there, or that policy denies, is a result to look at, not a failure of the
 * run. */
static int ask_tool(struct reeve *r, const char **ret, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    int rc = reeve_tool(r, "ledger.lookup_vendor", STR("{\"name\":\"Fjordlys AS\"}"), &a, err);

    *ret = "found";
    if (rc < 0 &&
        (a.code == WIRE_E_NOT_FOUND || a.code == WIRE_E_PARAMS || a.code == WIRE_E_DENIED)) {
        *ret = "no such tool";
        rc = 0;
    } else if (rc >= 0 && reeve_tool_is_denied(a.value)) {
        *ret = "denied";
    } else if (rc >= 0 && reeve_tool_is_error(a.value)) {
        *ret = "not found";
    }
    reeve_answer_release(&a);
    return rc;
}

static int work(struct reeve *r, char *result, size_t size, struct err *err)
{
    const char *tool = NULL;
    int64_t i, count, sum = 0;
    int rc = json_i64_or(json_get(reeve_run(r)->event, "data"), "count", 3, &count, err);

    if (rc >= 0 && (count < 1 || count > COUNT_MAX))
        rc = err_set(err, EINVAL, "count is %" PRId64 ", must be 1 to %d", count, COUNT_MAX);
    for (i = 1; i <= count && rc >= 0; i++) {
        rc = add(r, i, &sum, err);
        if (rc >= 0 && i < count)
            rc = reeve_sleep(r, 200, err);
    }
    if (rc >= 0)
        rc = ask_tool(r, &tool, err);
    if (rc >= 0)
        (void)snprintf(result, size, "{\"sum\":%" PRId64 ",\"vendor\":\"%s\"}", sum, tool);
    return rc;
}

int main(void)
{
    struct reeve *r = NULL;
    struct err err = ERR_INIT;
    char result[128];
    int rc = reeve_open(REEVE_FD, &r, &err);

    if (rc >= 0)
        rc = reeve_begin(r, true, &err);
    if (rc >= 0) {
        rc = work(r, result, sizeof(result), &err);
        rc = rc >= 0 ? reeve_end(r, str_of(result), &err)
                     : reeve_fail(r, err.text, err.number == EHOSTDOWN || err.number == ETIMEDOUT,
                                  &err);
    }
    if (rc < 0)
        (void)fprintf(stderr, "count_worker: %s\n", err.text);
    reeve_close(r);
    return rc < 0;
}
