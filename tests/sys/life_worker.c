/*
 * life_worker.c: a worker that does what its event says, for the scenarios of a run's life: on
 * worker/reeve.h, as any C program would be. event.data is {"do": [op...], "sequential"?: bool}:
 *
 *   {"call": METHOD, "params": {...}, "pad"?: BYTES}   a request, with arguments of so many bytes
 * besides; its result, or {"error": code}, goes into the run's result
 *   {"all": [{"call"...}...]}           several at once
 *   {"step": KEY, "value": V}           a named step, its value in the result; done anew, it leaves
 * a line in /out/done
 *   {"repeat": N, "step": KEY, "save": M, "ahead": bool}  N steps KEY-1.., with a checkpoint after
 * each M; ahead: not waited for
 *   {"die": N}                          ends without a word in the first N attempts
 *   {"fail": TEXT, "retryable"?: bool, "attempts"?: N}   ends with an error (in the first N
 * attempts)
 *   {"attempt": N, "then": [op...], "else": [op...]}     by whether it is attempt N or an earlier
 * one
 *   {"twist": [op...], "else": [op...]}  by whether there is a file /out/twist: what no worker
 * should do
 *   {"hang": true}   {"big": BYTES}     never comes back; a result of so many bytes
 *   {"probe": NUMBER, "times": N}       makes that system call N times, with arguments 1 2 3 4 5 6
 *   {"noise": BYTES}                    writes so much to standard error
 *   {"say": [MESSAGE...]}               says these as they are, waits for no answer, and goes on
 *
 * With BEFORE in its environment it leaves that line in /out/done before it says a word, and then
 * hangs if there is a file /out/hang, closes its socket if there is a file /out/poison.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/reeve.h"

#define ALL_MAX 32

typedef int end_fn(struct reeve *r, const struct reeve_step *step, struct str value,
                   struct err *err);

struct life {
    struct reeve *r;
    end_fn *end;
    struct buf got;
    int64_t done; /* of repeated steps, from the checkpoint */
    bool over;
};

static int ops(struct life *l, const struct json *list, struct err *err);

static void keep_text(struct life *l, struct str text)
{
    if (l->got.len > 1)
        buf_char(&l->got, ',');
    buf_str_put(&l->got, text);
}

static void keep(struct life *l, const struct reeve_answer *a)
{
    char text[64];
    snprintf(text, sizeof(text), "{\"error\":%" PRId64 "}", a->code);
    keep_text(l, a->value ? a->value->raw : str_of(text));
}

/* What the broker refuses is something to go on from, not a failure of ours. */
static int refused(const struct reeve_answer *a, int rc)
{
    return rc < 0 && a->code ? 0 : rc;
}

static int ask(struct life *l, const struct json *op, int64_t *ret_id, struct err *err)
{
    struct wire_out o;
    char method[64];
    const struct json *params = json_get(op, "params");
    if (str_copy(json_get(op, "call")->string, method, sizeof(method)) < 0)
        return -EINVAL;
    reeve_request(l->r, &o, method);
    for (size_t i = 0; json_is(params, JSON_OBJECT) && i < params->object.count; i++) {
        jout_name_str(&o.j, params->object.members[i].name);
        jout_raw(&o.j, params->object.members[i].value.raw);
    }
    int64_t size = 0;
    if (json_i64_or(op, "pad", 0, &size, err) < 0)
        return -EINVAL;
    char *text = size > 0 ? malloc((size_t)size) : NULL;
    if (text) {
        memset(text, 'p', (size_t)size);
        jout_name(&o.j, "arguments");
        jout_object(&o.j);
        jout_m_str(&o.j, "pad", (struct str){text, (size_t)size});
        jout_object_end(&o.j);
    }
    free(text);
    return reeve_request_end(l->r, &o, ret_id, err);
}

static int calls(struct life *l, const struct json *list, size_t n, struct err *err)
{
    int64_t ids[ALL_MAX];
    int rc = n > ALL_MAX ? -E2BIG : 0;
    for (size_t i = 0; rc >= 0 && i < n; i++)
        rc = ask(l, &list[i], &ids[i], err);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        struct reeve_answer a = REEVE_ANSWER_INIT;
        rc = refused(&a, reeve_wait(l->r, ids[i], &a, err));
        if (rc >= 0)
            keep(l, &a);
        reeve_answer_release(&a);
    }
    return rc;
}

static void leave_line(const char *key)
{
    int fd = open("/out/done", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0)
        (void)!write(fd, key, strlen(key));
    if (fd >= 0)
        close(fd);
}

static int step(struct life *l, struct str key, struct str value, bool kept, struct err *err)
{
    char name[80], line[82];
    struct reeve_step s;
    struct reeve_answer a = REEVE_ANSWER_INIT;
    snprintf(name, sizeof(name), "%.*s", STR_FMT(key));
    int rc = reeve_step_begin(l->r, name, STR_NONE, &s, &a, err);
    if (rc == 0) {
        snprintf(line, sizeof(line), "%s\n", name);
        leave_line(line);
        rc = l->end(l->r, &s, value, err);
    }
    if (rc >= 0 &&
        kept) /* the value is the same, recorded or new: a worker is to be deterministic */
        keep_text(l, a.value && rc == 1 ? a.value->raw : value);
    reeve_answer_release(&a);
    return rc;
}

static int repeat(struct life *l, const struct json *op, int64_t n, struct err *err)
{
    int64_t save = 0;
    struct str key;
    bool ahead;
    int rc = json_i64_or(op, "save", 0, &save, err);
    if (rc >= 0)
        rc = json_bool_or(op, "ahead", false, &ahead, err);
    if (rc >= 0)
        rc = json_want_str(op, "step", &key, err);
    l->end = rc >= 0 && ahead ? reeve_step_end_later : reeve_step_end;
    while (rc >= 0 && l->done < n) {
        char name[80], text[32];
        int64_t i = l->done + 1;
        snprintf(name, sizeof(name), "%.*s-%" PRId64, STR_FMT(key), i);
        snprintf(text, sizeof(text), "%" PRId64, i);
        rc = step(l, str_of(name), str_of(text), false, err);
        l->done = i;
        if (rc >= 0 && save && i % save == 0)
            rc = reeve_checkpoint(l->r, str_of(text), err);
    }
    return rc;
}

static int fail(struct life *l, const struct json *op, struct str text, struct err *err)
{
    char message[256];
    int64_t attempts;
    bool retryable;
    if (json_i64_or(op, "attempts", INT64_MAX, &attempts, err) < 0 ||
        json_bool_or(op, "retryable", false, &retryable, err) < 0)
        return -EINVAL;
    if (reeve_run(l->r)->attempt > attempts)
        return 0;
    snprintf(message, sizeof(message), "%.*s", STR_FMT(text));
    l->over = true;
    return reeve_fail(l->r, message, retryable, err);
}

static int big(struct life *l, int64_t size)
{
    if (l->got.len > 1)
        buf_char(&l->got, ',');
    buf_char(&l->got, '"');
    for (int64_t i = 0; i < size; i++)
        buf_char(&l->got, 'x');
    buf_char(&l->got, '"');
    return buf_status(&l->got);
}

static int probe(const struct json *o, int64_t number, struct err *err)
{
    int64_t times = 1;
    int rc = json_i64_or(o, "times", 1, &times, err);
    for (int64_t i = 0; rc >= 0 && i < times; i++)
        (void)syscall((long)number, 1, 2, 3, 4, 5, 6);
    return rc;
}

static int noise(int64_t size)
{
    char line[1024];
    memset(line, 'n', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    for (int64_t left = size; left > 0; left -= (int64_t)sizeof(line))
        if (write(2, line, sizeof(line)) < 0)
            return -EIO;
    return 0;
}

static int say(const struct json *list)
{
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        struct str text = list->array.items[i].raw;
        if (write(REEVE_FD, text.ptr, text.len) < 0 || write(REEVE_FD, "\n", 1) < 0)
            return -EPIPE;
    }
    return 0;
}

static void before(void)
{
    const char *line = getenv("BEFORE");
    if (!line)
        return;
    leave_line(line);
    leave_line("\n");
    while (access("/out/hang", F_OK) == 0)
        (void)poll(NULL, 0, -1);
    if (access("/out/poison", F_OK) ==
        0) /* as the first process of its namespace it cannot kill itself */
        (void)close(REEVE_FD);
    while (access("/out/poison", F_OK) == 0)
        (void)poll(NULL, 0, 100);
}

static int op(struct life *l, const struct json *o, struct err *err)
{
    const struct json *v;
    if (json_get(o, "call"))
        return calls(l, o, 1, err);
    if ((v = json_get(o, "all")))
        return calls(l, v->array.items, v->array.count, err);
    if ((v = json_get(o, "repeat")))
        return repeat(l, o, v->integer, err);
    if ((v = json_get(o, "step")))
        return step(l, v->string, json_get(o, "value") ? json_get(o, "value")->raw : STR("null"),
                    true, err);
    if ((v = json_get(o, "die"))) {
        if (reeve_run(l->r)->attempt <= v->integer)
            _exit(7);
        return 0;
    }
    if ((v = json_get(o, "fail")))
        return fail(l, o, v->string, err);
    if ((v = json_get(o, "attempt")))
        return ops(l, json_get(o, reeve_run(l->r)->attempt <= v->integer ? "then" : "else"), err);
    if ((v = json_get(o, "twist")))
        return ops(l, access("/out/twist", F_OK) == 0 ? v : json_get(o, "else"), err);
    if ((v = json_get(o, "big")))
        return big(l, v->integer);
    if ((v = json_get(o, "probe")))
        return probe(o, v->integer, err);
    if ((v = json_get(o, "say")))
        return say(v);
    if ((v = json_get(o, "noise")))
        return noise(v->integer);
    while (json_get(o, "hang"))
        (void)poll(NULL, 0, -1);
    return err_set(err, EINVAL, "no such op: %.*s", STR_FMT(str_slice(o->raw, 0, 100)));
}

static int ops(struct life *l, const struct json *list, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && !l->over && json_is(list, JSON_ARRAY) && i < list->array.count;
         i++)
        rc = op(l, &list->array.items[i], err);
    return rc;
}

static int work(struct life *l, struct err *err)
{
    const struct reeve_run *run = reeve_run(l->r);
    const struct json *list = json_path(run->event, "data.do");
    if (json_is(run->checkpoint, JSON_INT))
        l->done = run->checkpoint->integer;
    buf_init(&l->got, 8u << 20);
    buf_char(&l->got, '[');
    int rc = ops(l, list, err);
    buf_char(&l->got, ']');
    if (rc < 0)
        rc = reeve_fail(l->r, err->text, false, err);
    else if (!l->over)
        rc = reeve_end(l->r, buf_str(&l->got), err);
    buf_release(&l->got);
    return rc;
}

int main(void)
{
    struct life l = {.end = reeve_step_end};
    struct err err = ERR_INIT;
    before();
    int rc = reeve_open(REEVE_FD, &l.r, &err);
    if (rc >= 0)
        rc = reeve_begin(l.r, getenv("SEQUENTIAL") != NULL, &err);
    if (rc >= 0)
        rc = work(&l, &err);
    if (rc < 0)
        (void)fprintf(stderr, "life_worker: %s\n", err.text);
    reeve_close(l.r);
    return rc < 0;
}
