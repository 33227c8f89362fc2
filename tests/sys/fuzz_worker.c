/*
 * fuzz_worker.c: a hostile worker: with $MESSAGES it says so many messages of any kind on its
 * socket. Without, it is the bystander: does data.steps named steps and says how long each took.
 *
 *   fuzz_worker FROM MESSAGES    prints what one says that was begun from that number (its log has
 * it)
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "worker/reeve.h"

#define MESSAGE_MAX ((size_t)2 << 20)
#define SAMPLES_MAX 4096

/* @: an id. Valid ones first, then what no worker says, then ends. */
static const char *const templates[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"run/begin\",\"params\":{}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"run/begin\",\"params\":{\"sequential\":true}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"server/discover\",\"params\":{}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
    "\"2025-11-25\","
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"x\",\"version\":\"1\"}}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"ping\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"tools/list\",\"params\":{\"cursor\":\"x\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"resources/list\",\"params\":{}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"prompts/get\",\"params\":{\"name\":\"x\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"tools/"
    "call\",\"params\":{\"name\":\"ledger.lookup_vendor\","
    "\"arguments\":{\"name\":\"Fjordlys AS\"}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"tools/call\",\"params\":{\"name\":\"ledger.pay\","
    "\"arguments\":{\"invoice\":\"1\",\"amount\":\"1.00\"},\"_meta\":{\"io.reeve/"
    "idempotencyKey\":\"k\"}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"model/"
    "call\",\"params\":{\"route\":\"m\",\"request\":{\"messages\":"
    "[{\"role\":\"user\",\"content\":\"x\"}]}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"step/"
    "begin\",\"params\":{\"key\":\"a\",\"input\":{\"n\":1}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"step/"
    "end\",\"params\":{\"step\":1,\"value\":{\"n\":1}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"step/"
    "end\",\"params\":{\"step\":2,\"error\":\"no\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"checkpoint/"
    "save\",\"params\":{\"state\":{\"n\":1}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"sleep\",\"params\":{\"ms\":1}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"sleep\",\"params\":{\"until\":1}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"event/"
    "wait\",\"params\":{\"type\":\"fuzz.x\",\"match\":{\"data.n\":1},"
    "\"timeoutMs\":1}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"event/"
    "emit\",\"params\":{\"type\":\"fuzz.x\",\"subject\":\"s\","
    "\"data\":{\"n\":1}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"run/"
    "child\",\"params\":{\"workflow\":\"fuzz\",\"data\":{\"n\":1}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"approval/"
    "request\",\"params\":{\"question\":\"ok?\",\"approvers\":"
    "[\"leads\"],\"quorum\":1,\"expiresMs\":1}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":{\"level\":\"info\",\"text\":\"x\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":{}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{\"code\":-1,\"message\":\"x\"}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"run/cancelled\",\"params\":{\"reason\":\"x\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"control/"
    "do\",\"params\":{\"peer\":{\"uid\":0,\"gid\":0,\"pid\":1},"
    "\"method\":\"status\",\"params\":{}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"process/start\",\"params\":{\"key\":\"x\"}}",
    "[{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":"
    "\"ping\"}]",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"run/end\",\"params\":{\"result\":{\"n\":1}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":@,\"method\":\"run/"
    "end\",\"params\":{\"error\":{\"message\":\"no\","
    "\"retryable\":true}}}",
};
#define VALID   23 /* of the templates */
#define LEXICAL 17 /* of the values: those that are JSON to us */
static const char *const values[] = {
    "-1",
    "0",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "null",
    "true",
    "\"\"",
    "[]",
    "{}",
    "[[[[[[[[1]]]]]]]]",
    "\"../../etc/shadow\"",
    "{\"$ne\":null}",
    "\"\\uffff\"",
    "100000000000",
    "\"aside\"",
    "[{\"a\":[1,2,{}]}]",
    "1e999",
    "18446744073709551616",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"ledger.\\u0000pay\"",
    "1e-400",
    "-0",
};
static const char *const ids[] = {
    "0", "-1", "\"x\"", "null", "1.5", "[]", "9223372036854775807", "\"1\"", "1e3"};

/* ---- what it says ---------------------------------------------------------------------------- */

struct fuzz {
    uint64_t state;
    int64_t next_id;
    bool wild; /* also what is no JSON at all */
};

static uint32_t draw(struct fuzz *f, uint32_t below)
{
    f->state ^= f->state << 13;
    f->state ^= f->state >> 7;
    f->state ^= f->state << 17;
    return (uint32_t)(f->state >> 11) % below;
}

static void put_template(struct fuzz *f, struct buf *out)
{
    /* Ends are rare, so that most get far; who is not wild breaks no rule of the envelope, and gets
     * further. */
    uint32_t n = f->wild ? ARRAY_LEN(templates) - 2 : VALID;
    uint32_t which = draw(f, 100) ? draw(f, n) : ARRAY_LEN(templates) - 1 - draw(f, 2);
    for (const char *at = templates[which]; *at; at++) {
        if (*at != '@')
            buf_char(out, *at);
        else if (draw(f, 12))
            buf_fmt(out, "%" PRId64, f->next_id++);
        else if (f->wild)
            buf_cstr(out, ids[draw(f, ARRAY_LEN(ids))]);
        else
            buf_fmt(out, "\"again-%u\"", draw(f, 4));
    }
}

/* Another value in the place of one: still JSON. */
static void twist(struct fuzz *f, const struct buf *in, struct buf *out)
{
    size_t colons = 0, at = 0;
    const char *params = memmem(in->ptr, in->len, "\"params\":", 9);
    size_t from = f->wild ? 0 : !params ? in->len : (size_t)(params - in->ptr) + 9;
    for (size_t i = from; i < in->len; i++)
        colons += in->ptr[i] == ':';
    if (!colons)
        from = in->len; /* as it is */
    uint32_t which = colons ? draw(f, (uint32_t)colons) : 0;
    while (at < in->len && (at < from || in->ptr[at] != ':' || which-- > 0))
        buf_char(out, in->ptr[at++]);
    if (at == in->len)
        return;
    buf_char(out, in->ptr[at++]);
    buf_cstr(out, values[draw(f, f->wild ? ARRAY_LEN(values) : LEXICAL)]);
    int depth = 0;
    bool quoted = false;
    for (; at < in->len; at++) {
        char c = in->ptr[at];
        quoted ^= c == '"' && in->ptr[at - 1] != '\\';
        if (!quoted && depth == 0 && (c == ',' || c == '}' || c == ']'))
            break;
        depth += !quoted && (c == '{' || c == '[');
        depth -= !quoted && (c == '}' || c == ']');
    }
    buf_str_put(out, str_slice(buf_str(in), at, in->len));
}

static void break_it(struct fuzz *f, const struct buf *in, struct buf *out)
{
    size_t at = in->len ? draw(f, (uint32_t)in->len) : 0, n = 1 + draw(f, 24);
    buf_str_put(out, str_slice(buf_str(in), 0, at));
    switch (draw(f, 8)) {
    case 0:
        buf_char(out, (char)draw(f, 256));
        break;
    case 1:
        for (size_t i = 0; i < n; i++)
            buf_char(out, (char)draw(f, 256));
        break;
    case 2: /* cut out */
        at = MIN(at + n, in->len);
        break;
    case 3:
        buf_str_put(out, str_slice(buf_str(in), at, MIN(at + n, in->len)));
        break;
    case 4:
        buf_char(out, '\n');
        break;
    case 5:
        for (size_t i = 0; i < 20000; i++)
            buf_char(out, '[');
        break;
    case 6:
        buf_cstr(out, "\xff\xfe\xc0\x80");
        break;
    default:
        for (size_t i = 0; i < 300000; i++)
            buf_char(out, 'x');
        break;
    }
    buf_str_put(out, str_slice(buf_str(in), at, in->len));
}

static void message(struct fuzz *f, struct buf *out)
{
    struct buf a, b;
    buf_init(&a, MESSAGE_MAX);
    buf_init(&b, MESSAGE_MAX);
    put_template(f, &a);
    for (uint32_t i = draw(f, 4); i > 1; i--) {
        twist(f, &a, &b);
        buf_clear(&a);
        buf_str_put(&a, buf_str(&b));
        buf_clear(&b);
    }
    if (f->wild && draw(f, 6) == 0)
        break_it(f, &a, out);
    else
        buf_str_put(out, buf_str(&a));
    buf_char(out, '\n');
    buf_release(&a);
    buf_release(&b);
}

/* ---- how it says it -------------------------------------------------------------------------- */

/* False: the other side has closed. Reads whatever comes and forgets it, or does not read for a
 * while. */
static bool say(struct fuzz *f, struct str text)
{
    size_t piece = draw(f, 3) ? text.len : 1 + draw(f, 64);
    bool listens = draw(f, 4) != 0;
    char sink[4096];
    for (size_t at = 0; at < text.len;) {
        ssize_t n =
            send(REEVE_FD, text.ptr + at, MIN(piece, text.len - at), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return false;
        at += n > 0 ? (size_t)n : 0;
        if (n < 0) {
            struct pollfd p = {.fd = REEVE_FD, .events = POLLIN | POLLOUT};
            (void)poll(&p, 1, 1000);
            listens = true;
        }
        while (listens && (n = recv(REEVE_FD, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
            ;
        if (listens && n == 0)
            return false;
    }
    return true;
}

static int attack(struct fuzz *f, int64_t messages)
{
    struct buf text;
    bool open = true;
    buf_init(&text, 2 * MESSAGE_MAX);
    if (draw(f, 5)) /* most begin as they should */
        open =
            say(f, STR("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"run/begin\",\"params\":{}}\n"));
    f->next_id = 1;
    for (int64_t i = 0; open && i < messages; i++) {
        buf_clear(&text);
        message(f, &text);
        open = say(f, buf_str(&text));
    }
    buf_release(&text);
    switch (draw(f, 5)) {
    case 0: /* half a message, and silence */
        (void)say(f, STR("{\"jsonrpc\":\"2.0\",\"id\":7,"));
        (void)poll(NULL, 0, 60000);
        return 0;
    case 1:
        (void)shutdown(REEVE_FD, SHUT_WR);
        (void)poll(NULL, 0, 60000);
        return 0;
    case 2:
        return 3;
    default:
        return 0;
    }
}

/* ---- the bystander --------------------------------------------------------------------------- */

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int by_number(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int steps(struct reeve *r, int64_t n, struct err *err)
{
    static int64_t took[SAMPLES_MAX];
    char key[32], result[128];
    int rc = 0;
    n = MIN(n, SAMPLES_MAX);
    for (int64_t i = 0; rc >= 0 && i < n; i++) {
        struct reeve_step s;
        struct reeve_answer a = REEVE_ANSWER_INIT;
        int64_t from = now_us();
        (void)snprintf(key, sizeof(key), "s-%" PRId64, i);
        rc = reeve_step_begin(r, key, STR_NONE, &s, &a, err);
        if (rc == 0)
            rc = reeve_step_end(r, &s, STR("1"), err);
        took[i] = now_us() - from;
        reeve_answer_release(&a);
        (void)poll(NULL, 0, 1);
    }
    if (rc < 0 || n < 1)
        return rc;
    qsort(took, (size_t)n, sizeof(took[0]), by_number);
    (void)snprintf(result, sizeof(result),
                   "{\"p50\":%" PRId64 ",\"p99\":%" PRId64 ",\"max\":%" PRId64 "}", took[n / 2],
                   took[n * 99 / 100], took[n - 1]);
    return reeve_end(r, str_of(result), err);
}

static int bystander(void)
{
    struct reeve *r = NULL;
    struct err err = ERR_INIT;
    int64_t n = 0;
    int rc = reeve_open(REEVE_FD, &r, &err);
    if (rc >= 0)
        rc = reeve_begin(r, true, &err);
    if (rc >= 0)
        rc = json_i64_or(json_get(reeve_run(r)->event, "data"), "steps", 0, &n, &err);
    if (rc >= 0)
        rc = steps(r, n, &err);
    if (rc < 0)
        (void)fprintf(stderr, "fuzz_worker: %s\n", err.text);
    reeve_close(r);
    return rc < 0;
}

int main(int argc, char **argv)
{
    struct fuzz f = {.state = (uint64_t)now_us() * 0x9e3779b97f4a7c15u | 1};
    const char *count = argc == 3 ? argv[2] : getenv("MESSAGES");
    int64_t messages = 0;
    if (!count)
        return bystander();
    if (num_i64(str_of(count), &messages) < 0 ||
        (argc == 3 && num_u64(str_of(argv[1]), &f.state) < 0))
        return 2;
    uint64_t from = f.state;
    f.wild = draw(&f, 2);
    if (argc != 3) {
        (void)fprintf(stderr, "fuzz from %" PRIu64 "\n",
                      from); /* kept with the run: to say it again */
        return attack(&f, messages);
    }
    struct buf text;
    buf_init(&text, SIZE_MAX);
    for (int64_t i = 0; i < messages; i++)
        message(&f, &text);
    (void)fwrite(text.ptr, 1, text.len, stdout);
    buf_release(&text);
    return 0;
}
