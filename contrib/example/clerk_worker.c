/*
 * clerk_worker.c: a worker of your own, in C, on worker/reeve.h: it asks a model, calls a tool,
 * does a step of its own, and ends with what it found. contrib/python/clerk.py and
 * contrib/node/clerk.mjs are the same.
 *
 * Try it: kill its process at any moment. The run goes on where it was, and neither model nor tool
 * is asked twice. A workflow for it:
 *
 *     workflow:
 *       name: clerk
 *       tenant: acme
 *       trigger: [{ event: example.clerk }]
 *       worker: { program: /usr/local/libexec/reeve/clerk_worker, models: [clerk] }
 *       tools: [ledger/lookup_vendor]
 */
#include "worker/reeve.h"

#define TEXT_MAX ((size_t)1 << 20)

/* A text of ours goes into JSON through jout, never by formatting: it is foreign. */
static int put_question(struct buf *out, struct str name)
{
    struct jout j;

    jout_begin(&j, out);
    jout_object(&j);
    jout_name(&j, "messages");
    jout_array(&j);
    jout_object(&j);
    jout_m_cstr(&j, "role", "user");
    jout_m_fmt(&j, "content", "Who is %.*s? One sentence.", STR_FMT(name));
    jout_object_end(&j);
    jout_array_end(&j);
    jout_m_i64(&j, "max_tokens", 200);
    jout_object_end(&j);
    return jout_end(&j);
}

/* What the model said, in *a. Its bytes are foreign: a reply of another shape is an error of the
 * run. */
static int ask_model(struct reeve *r, struct str name, struct reeve_answer *a, struct str *ret,
                     struct err *err)
{
    const struct json *choices;
    struct buf request;
    int rc;

    buf_init(&request, TEXT_MAX);
    rc = put_question(&request, name);
    rc = rc < 0 ? err_sys(err, -rc, "write a question")
                : reeve_model(r, STR_NONE, buf_str(&request), a, err);
    buf_release(&request);
    if (rc >= 0)
        rc = json_want(json_get(a->value, "response"), "choices", JSON_ARRAY, &choices, err);
    if (rc >= 0 && choices->array.count == 0)
        rc = err_set(err, EBADMSG, "the model gave no answer");
    if (rc >= 0)
        rc = json_want_str(json_get(&choices->array.items[0], "message"), "content", ret, err);
    return rc;
}

static int ask_tool(struct reeve *r, struct str name, bool *ret_known, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct buf arguments;
    struct jout j;
    int rc;

    buf_init(&arguments, TEXT_MAX);
    jout_begin(&j, &arguments);
    jout_object(&j);
    jout_m_str(&j, "name", name);
    jout_object_end(&j);
    rc = jout_end(&j);
    rc = rc < 0 ? err_sys(err, -rc, "write arguments")
                : reeve_tool(r, "ledger.lookup_vendor", buf_str(&arguments), &a, err);
    *ret_known = rc >= 0 && !reeve_tool_is_error(a.value); /* a denial is a result, too */
    buf_release(&arguments);
    reeve_answer_release(&a);
    return rc;
}

/* Own code that may differ from run to run: a step, done once; a restart finds its value. */
static int count_letters(struct reeve *r, struct str name, int64_t *ret, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct reeve_step step;
    char value[32];
    int rc = reeve_step_begin(r, "letters", STR_NONE, &step, &a, err);

    if (rc == 1) {
        rc = json_is(a.value, JSON_INT) ? 0 : err_set(err, EBADMSG, "letters is not a number");
        *ret = rc == 0 ? a.value->integer : 0;
    } else if (rc == 0) {
        *ret = (int64_t)name.len;
        (void)snprintf(value, sizeof(value), "%" PRId64, *ret);
        rc = reeve_step_end(r, &step, str_of(value), err);
    }
    reeve_answer_release(&a);
    return rc;
}

static int work(struct reeve *r, struct buf *result, struct err *err)
{
    struct reeve_answer said = REEVE_ANSWER_INIT;
    struct str name, text = STR_NONE;
    struct jout j;
    int64_t letters = 0;
    bool known = false;
    int rc = json_want_str(json_get(reeve_run(r)->event, "data"), "vendor", &name, err);

    if (rc >= 0)
        rc = ask_model(r, name, &said, &text, err);
    if (rc >= 0)
        rc = ask_tool(r, name, &known, err);
    if (rc >= 0)
        rc = count_letters(r, name, &letters, err);
    if (rc >= 0) {
        jout_begin(&j, result);
        jout_object(&j);
        jout_m_str(&j, "said", text);
        jout_m_bool(&j, "known", known);
        jout_m_i64(&j, "letters", letters);
        jout_object_end(&j);
        rc = jout_end(&j);
    }
    reeve_answer_release(&said);
    return rc;
}

int main(void)
{
    struct reeve *r = NULL;
    struct err err = ERR_INIT;
    struct buf result;
    int rc = reeve_open(REEVE_FD, &r, &err);

    buf_init(&result, TEXT_MAX);
    if (rc >= 0)
        rc = reeve_begin(r, true, &err);
    if (rc >= 0) {
        rc = work(r, &result, &err);
        rc = rc >= 0 ? reeve_end(r, buf_str(&result), &err)
                     : reeve_fail(r, err.text, err.number == EHOSTDOWN || err.number == ETIMEDOUT,
                                  &err);
    }
    if (rc < 0)
        (void)fprintf(stderr, "clerk_worker: %s\n", err.text);
    buf_release(&result);
    reeve_close(r);
    return rc < 0;
}
