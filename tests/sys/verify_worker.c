/*
 * verify_worker.c: the worker of tests/sys/09: one call of bank.pay, whose answer is its result.
 */
#include "worker/reeve.h"

static int work(struct reeve *r, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    int rc = reeve_begin(r, true, err);
    if (rc >= 0)
        rc = reeve_tool(r, "bank.pay", STR("{\"amount\":7}"), &a, err);
    if (rc >= 0)
        rc = reeve_end(r, a.value ? a.value->raw : STR("null"), err);
    else
        rc = reeve_fail(r, err->text, false, err);
    reeve_answer_release(&a);
    return rc;
}

int main(void)
{
    struct reeve *r;
    struct err err = ERR_INIT;
    int rc = reeve_open(3, &r, &err);
    if (rc >= 0) {
        rc = work(r, &err);
        reeve_close(r);
    }
    return rc < 0 ? 1 : 0;
}
