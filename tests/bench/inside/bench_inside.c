/*
 * bench_inside.c: what the benchmarks put on the other side of reeved, one static file:
 *
 *   bench-inside                a worker on worker/reeve.h; the event's data says what it does
 *   bench-inside tool [BYTES]   a tool server (MCP over stdio) that answers at once, with so much
 * text bench-inside model FD       a model server on a listening socket that answers at once
 *   bench-inside echo           answers each line on standard input with a tool's result: the
 * loop's floor
 *
 * Times are CLOCK_MONOTONIC, the clock of the driver: workers have no time namespace.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "policy/text/jout.h"
#include "policy/text/num.h"
#include "worker/reeve.h"

#define STEPS_MAX 100000

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the worker
 * ------------------------------------------------------------------------------------- */

struct times {
    int64_t first, begun;
    int64_t *ns;
    size_t count;
};

typedef int step_end(struct reeve *r, const struct reeve_step *step, struct str value,
                     struct err *err);

static int one_step(struct reeve *r, int64_t i, step_end *end, struct times *t, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct reeve_step step;
    char key[32];
    int64_t from = now_ns();
    (void)snprintf(key, sizeof(key), "step-%" PRId64, i);
    int rc = reeve_step_begin(r, key, STR_NONE, &step, &a, err);
    if (t->first == 0)
        t->first = now_ns();
    if (rc == 0)
        rc = end(r, &step, STR("{\"ok\":true}"), err);
    if (rc >= 0)
        t->ns[t->count++] = now_ns() - from;
    reeve_answer_release(&a);
    return rc;
}

static int wait_once(struct reeve *r, const struct json *data, struct times *t, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct str key;
    char match[128];
    int rc = json_want_str(data, "key", &key, err);
    if (rc >= 0) {
        (void)snprintf(match, sizeof(match), "{\"subject\":\"%.*s\"}", STR_FMT(key));
        rc = reeve_event_wait(r, "bench.wake", str_of(match), 0, &a, err);
    }
    t->first = now_ns();
    reeve_answer_release(&a);
    return rc;
}

static int work(struct reeve *r, struct times *t, struct err *err)
{
    const struct json *data = json_get(reeve_run(r)->event, "data");
    struct str mode;
    int64_t n;
    int rc = json_str_or(data, "mode", STR("steps"), &mode, err);
    if (rc >= 0)
        rc = json_i64_or(data, "n", 1, &n, err);
    if (rc >= 0 && (n < 0 || n > STEPS_MAX))
        rc = err_set(err, EINVAL, "n: 0 to %d", STEPS_MAX);
    if (rc < 0)
        return rc;
    t->ns = calloc((size_t)n + 1, sizeof(*t->ns));
    if (t->ns == NULL)
        return err_sys(err, ENOMEM, "times");
    if (str_is(mode, "wait"))
        return wait_once(r, data, t, err);
    for (int64_t i = 1; i <= n && rc >= 0; i++)
        rc = one_step(r, i, str_is(mode, "ahead") ? reeve_step_end_later : reeve_step_end, t, err);
    return rc;
}

static int tell(struct reeve *r, const struct times *t, struct err *err)
{
    struct buf out;
    struct jout j;
    buf_init(&out, 16u << 20);
    jout_begin(&j, &out);
    jout_object(&j);
    jout_m_i64(&j, "begun", t->begun);
    jout_m_i64(&j, "first", t->first);
    jout_m_i64(&j, "end", now_ns());
    jout_name(&j, "ns");
    jout_array(&j);
    for (size_t i = 0; i < t->count; i++)
        jout_i64(&j, t->ns[i]);
    jout_array_end(&j);
    jout_object_end(&j);
    int rc = jout_end(&j);
    rc = rc < 0 ? err_sys(err, -rc, "write the result") : reeve_end(r, buf_str(&out), err);
    buf_release(&out);
    return rc;
}

static int worker(void)
{
    struct reeve *r = NULL;
    struct err err = ERR_INIT;
    struct times t = {0};
    int rc = reeve_open(REEVE_FD, &r, &err);
    if (rc >= 0)
        rc = reeve_begin(r, true, &err);
    t.begun = now_ns();
    if (rc >= 0) {
        rc = work(r, &t, &err);
        rc = rc >= 0 ? tell(r, &t, &err) : reeve_fail(r, err.text, false, &err);
    }
    if (rc < 0)
        (void)fprintf(stderr, "bench-inside: %s\n", err.text);
    free(t.ns);
    reeve_close(r);
    return rc < 0;
}

/* ---- the tool server
 * ---------------------------------------------------------------------------------- */

#define TOOL_RESULT \
    "{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}"
#define TOOLS                                                                                   \
    "{\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\",\"tools\":[{\"name\":" \
    "\"echo\",\"description\":\"says done\","                                                   \
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}},"      \
    "\"annotations\":{\"readOnlyHint\":true}}]}"
#define DISCOVER                                                                             \
    "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{" \
    "\"tools\":{}},"                                                                         \
    "\"serverInfo\":{\"name\":\"stand-in\",\"version\":\"1\"},\"ttlMs\":0,\"cacheScope\":"   \
    "\"private\"}"

/* Words that pack about as prose does, other ones each time; BYTES of them, for the storage of a
 * run. */
static const char *long_result(int64_t bytes)
{
    static char text[(1 << 20) + 200];
    static uint32_t state = 7;
    size_t n = (size_t)snprintf(text, sizeof(text), "{\"content\":[{\"type\":\"text\",\"text\":\"");
    for (size_t from = n; (int64_t)(n - from) < bytes && n < sizeof(text) - 100;) {
        static const char *const words[] = {"invoice", "vendor", "amount", "paid",
                                            "of",      "the",    "order",  "due"};
        state = state * 1664525u + 1013904223u;
        n += (size_t)snprintf(text + n, sizeof(text) - n, (state >> 28) < 4 ? "%s %x " : "%s ",
                              words[(state >> 12) % ARRAY_LEN(words)], (state >> 16) % 4096);
    }
    (void)snprintf(text + n, sizeof(text) - n, "\"}]}");
    return text;
}

static int64_t result_bytes; /* of `tool BYTES` */

static const char *result_of(struct str method)
{
    if (str_is(method, "tools/call"))
        return result_bytes > 0 ? long_result(result_bytes) : TOOL_RESULT;
    if (str_is(method, "tools/list"))
        return TOOLS;
    return str_is(method, "server/discover") ? DISCOVER : "{}";
}

static void answer_line(struct str line)
{
    struct arena a;
    struct wire_message m;
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    struct err err = ERR_INIT;
    struct buf out;
    arena_init(&a, 64u << 20);
    buf_init(&out, 1u << 20);
    if (wire_parse(line, &limits, &a, &m, &err) >= 0 && m.kind == WIRE_REQUEST &&
        wire_put_result_raw(&out, m.id->raw, str_of(result_of(m.method))) >= 0)
        (void)!write(1, out.ptr, out.len);
    buf_release(&out);
    arena_release(&a);
}

static int lines(void (*fn)(struct str line))
{
    static char text[1 << 20];
    size_t have = 0;
    for (;;) {
        ssize_t n = read(0, text + have, sizeof(text) - have);
        if (n <= 0)
            return n < 0;
        have += (size_t)n;
        size_t from = 0;
        for (char *nl; (nl = memchr(text + from, '\n', have - from)) != NULL;
             from = (size_t)(nl - text) + 1)
            fn((struct str){text + from, (size_t)(nl - text) - from});
        memmove(text, text + from, have - from);
        have -= from;
    }
}

static void echo_line(struct str line)
{
    (void)line;
    (void)!write(1, TOOL_RESULT "\n", sizeof(TOOL_RESULT "\n") - 1);
}

/* ---- the model
 * ------------------------------------------------------------------------------------------ */

/* Asks for the tool until the conversation holds as many answers as its prompt says ("turns=N"),
 * then ends. */
#define MODEL_HEAD                                                                                 \
    "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"stand-in\",\"choices\":[{\"index\":" \
    "0,"
#define MODEL_TAIL "}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"total_tokens\":6}}"
#define MODEL_END \
    "\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":\"ok\"}"
#define MODEL_CALL                                                                           \
    "\"finish_reason\":\"tool_calls\",\"message\":{\"role\":\"assistant\",\"content\":null," \
    "\"tool_calls\":[{\"id\":\"call-%ld\","                                                  \
    "\"type\":\"function\",\"function\":{\"name\":\"%.*s\",\"arguments\":\"{\\\"n\\\":%ld}\"}}]}"

struct client {
    size_t have;
    char text[1 << 20];
};

static void reply(int fd, const char *request)
{
    char body[1024], out[1400];
    const char *turns = strstr(request, "turns="), *name = strstr(request, "\"tools\":[");
    long want = turns != NULL ? strtol(turns + 6, NULL, 10) : 0, have = 0;
    name = name != NULL ? strstr(name, "\"name\":\"") : NULL;
    name = name != NULL ? name + 8 : "";
    for (const char *at = request; (at = strstr(at, "\"role\":\"tool\"")) != NULL; at++)
        have++;
    if (have < want)
        (void)snprintf(body, sizeof(body), MODEL_HEAD MODEL_CALL MODEL_TAIL, have,
                       (int)strcspn(name, "\""), name, have);
    else
        (void)snprintf(body, sizeof(body), MODEL_HEAD MODEL_END MODEL_TAIL);
    int n = snprintf(
        out, sizeof(out),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(body), body);
    (void)!write(fd, out, (size_t)n);
}

/* Bytes of the first whole request in the client's text; 0: not yet. */
static size_t whole_request(struct client *c)
{
    char *head = memmem(c->text, c->have, "\r\n\r\n", 4), *length;
    if (head == NULL)
        return 0;
    size_t size = (size_t)(head - c->text) + 4;
    length = memmem(c->text, size, "Content-Length: ", 16);
    size += length != NULL ? (size_t)strtoul(length + 16, NULL, 10) : 0;
    return c->have >= size ? size : 0;
}

static bool serve(int fd, struct client *c)
{
    ssize_t n = read(fd, c->text + c->have, sizeof(c->text) - 1 - c->have);
    if (n <= 0)
        return false;
    c->have += (size_t)n;
    c->text[c->have] = '\0';
    for (size_t size; (size = whole_request(c)) > 0;) {
        char end = c->text[size];
        c->text[size] = '\0';
        reply(fd, c->text);
        c->text[size] = end;
        memmove(c->text, c->text + size, c->have - size);
        c->have -= size;
        c->text[c->have] = '\0';
    }
    return c->have + 1 < sizeof(c->text);
}

#define CLIENTS 64
static int model(int fd)
{
    static struct client clients[CLIENTS];
    struct pollfd p[CLIENTS] = {{.fd = fd, .events = POLLIN}};
    nfds_t n = 1;
    while (poll(p, n, -1) >= 0) {
        for (nfds_t i = n; i-- > 1;)
            if (p[i].revents != 0 && !serve(p[i].fd, &clients[i])) {
                (void)close(p[i].fd);
                p[i] = p[--n];
                clients[i] = clients[n];
            }
        if (p[0].revents != 0 && n < CLIENTS) {
            int c = accept(fd, NULL, NULL);
            (void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
            clients[n].have = 0;
            p[n++] = (struct pollfd){.fd = c, .events = POLLIN};
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    int64_t fd = -1;
    if (argc < 2)
        return worker();
    if (strcmp(argv[1], "tool") == 0) {
        if (argc > 2 && (num_i64(str_of(argv[2]), &result_bytes) < 0 || result_bytes > 1 << 19))
            return 2;
        return lines(answer_line);
    }
    if (strcmp(argv[1], "echo") == 0)
        return lines(echo_line);
    if (strcmp(argv[1], "model") == 0 && argc > 2 && num_i64(str_of(argv[2]), &fd) >= 0)
        return model((int)fd);
    (void)fprintf(stderr, "usage: bench-inside [tool [BYTES] | echo | model FD]\n");
    return 2;
}
