/*
 * flood_worker.c: the worker of tests/sys/36: many large calls at once, whose answers it does not
 * wait for.
 */
#include "worker/reeve.h"

#define CALLS      8
#define CALL_BYTES ((size_t)3 << 20)

static int flood(struct reeve *r, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    int64_t id = 0;
    char *text = malloc(CALL_BYTES + 1);
    int rc = text ? reeve_begin(r, false, err) : -ENOMEM;
    if (text) {
        memset(text, 'x', CALL_BYTES);
        text[CALL_BYTES] = '\0';
    }
    for (int i = 0; rc >= 0 && i < CALLS; i++) {
        struct wire_out o;
        reeve_request(r, &o, "tools/call");
        jout_m_cstr(&o.j, "name", "bank.was_paid");
        jout_name(&o.j, "arguments");
        jout_object(&o.j);
        jout_m_i64(&o.j, "n", i);
        jout_m_cstr(&o.j, "text", text);
        jout_object_end(&o.j);
        rc = reeve_request_end(r, &o, &id, err);
    }
    if (rc >= 0)
        rc = reeve_wait(r, id, &a, err);
    reeve_answer_release(&a);
    free(text);
    return rc;
}

int main(void)
{
    struct reeve *r;
    struct err err = ERR_INIT;
    if (reeve_open(3, &r, &err) < 0)
        return 1;
    int rc = flood(r, &err);
    reeve_close(r);
    return rc < 0 ? 1 : 0;
}
