/*
 * egress.c: reeve-egress, in this process, against servers that behave and servers that do not:
 * what leaves, what comes back, whether a byte had left, and that a key is nowhere but in the
 * request.
 */
#include <curl/curl.h>
#include <microhttpd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "supervisor/egress/egress.h"
#include "tests/lib/cm.h"
#include "tests/lib/httpd.h"

#define KEY     "sk-very-secret-0123456789"
#define GIVE_UP 200 /* passes of the loop without an answer, of up to 100 ms */
#define CALLS   8

struct got { /* one answer */
    bool is_there;
    int64_t code; /* 0: a result */
    char *text;   /* the whole result or error's data, as JSON text */
    char *message;
    struct arena arena;
    const struct json *value;
};

struct fixture {
    struct ev *ev;
    struct egress *egress;
    struct wire *wire; /* reeved's end */
    struct secrets secrets;
    struct log log;
    int log_fd;
    struct httpd httpd;
    httpd_fn *fn;
    void *arg;
    struct got got[CALLS];
    size_t asked;
    bool is_closed;
};

/* ---- scaffolding ----------------------------------------------------------------------------- */

static void on_egress_closed(void *arg, const struct err *why)
{
    (void)why;
    ((struct fixture *)arg)->is_closed = true;
}

static void on_message(void *arg, struct wire *w, const struct wire_message *m)
{
    (void)arg, (void)w, (void)m;
    must(false); /* egress asks nothing */
}

static void on_closed(void *arg, struct wire *w, const struct err *why)
{
    (void)arg, (void)w, (void)why;
}

static void set_up(struct fixture *f, httpd_fn *fn, void *arg)
{
    struct err err = ERR_INIT;
    const struct wire_owner owner = {on_message, on_closed, f};
    int fds[2], key[2];
    char list[32];

    *f = (struct fixture){.fn = fn, .arg = arg};
    assert_int_equal(pipe(key), 0);
    assert_int_equal(write(key[1], KEY "\n", sizeof(KEY)), sizeof(KEY));
    close(key[1]);
    (void)snprintf(list, sizeof(list), "gw:%d", key[0]);
    assert_int_equal(secrets_open(&f->secrets, list, &err), 0);
    f->log_fd = memfd_create("log", MFD_CLOEXEC);
    log_init(&f->log, "egress", LOG_LEVEL_DEBUG);
    f->log.fd = f->log_fd;
    assert_int_equal(ev_new(&f->ev, NULL, &err), 0);
    assert_int_equal(sock_pair(fds, false, &err), 0);
    assert_int_equal(
        egress_new(f->ev, fds[0], &f->secrets, &f->log, on_egress_closed, f, &f->egress, &err), 0);
    assert_int_equal(wire_new(f->ev, fds[1], NULL, false, &owner, &f->wire, &err), 0);
    httpd_start(&f->httpd, fn, arg);
}

static bool holds(struct str s, const char *text)
{
    return memmem(s.ptr, s.len, text, strlen(text)) != NULL;
}

static void assert_log_is_clean(struct fixture *f)
{
    off_t size = lseek(f->log_fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);

    assert_int_equal(pread(f->log_fd, text, (size_t)size, 0), size);
    assert_false(holds((struct str){text, (size_t)size}, KEY));
    free(text);
}

static void tear_down(struct fixture *f)
{
    size_t i;

    assert_log_is_clean(f);
    for (i = 0; i < f->asked; i++) {
        if (f->got[i].text)
            assert_false(holds(str_of(f->got[i].text), KEY));
        if (f->got[i].message)
            assert_false(holds(str_of(f->got[i].message), KEY));
        arena_release(&f->got[i].arena);
        free(f->got[i].text);
        free(f->got[i].message);
    }
    egress_free(f->egress);
    wire_free(f->wire);
    ev_free(f->ev);
    secrets_release(&f->secrets);
    httpd_stop(&f->httpd);
    close(f->log_fd);
}

static void on_reply(void *arg, struct wire *w, const struct wire_message *m)
{
    struct got *g = arg;
    const struct json *v = m->kind == WIRE_RESULT ? m->result : m->data;

    (void)w;
    must(!g->is_there); /* once */
    g->is_there = true;
    g->code = m->kind == WIRE_RESULT ? 0 : m->code;
    g->message = str_dup(m->text);
    arena_init(&g->arena, (size_t)64 << 20);
    if (!v)
        return;
    g->text = str_dup(v->raw);
    must(json_parse(&g->arena, str_of(g->text), &JSON_LIMITS_DEFAULT, &g->value, NULL, NULL) == 0);
}

/* Asks with these params; the answer comes to the returned place. */
static struct got *ask(struct fixture *f, const char *method, const char *params)
{
    const struct json *v = NULL;
    struct got *g = &f->got[f->asked++];
    struct arena arena;
    struct wire_out o;
    struct err err = ERR_INIT;
    size_t i;

    must(f->asked <= CALLS);
    arena_init(&arena, (size_t)64 << 20);
    if (json_parse(&arena, str_of(params), &JSON_LIMITS_DEFAULT, &v, NULL, &err) < 0)
        fail_msg("%s: %s", err.text, params);
    assert_int_equal(wire_call_begin(f->wire, &o, method), 0);
    for (i = 0; i < v->object.count; i++) {
        jout_name_str(&o.j, v->object.members[i].name);
        jout_json(&o.j, &v->object.members[i].value);
    }
    assert_int_equal(wire_call_end(f->wire, &o, 0, on_reply, g, NULL, &err), 0);
    arena_release(&arena);
    return g;
}

static void await(struct fixture *f, struct got *g)
{
    struct err err = ERR_INIT;
    int i;

    for (i = 0; !g->is_there && i < GIVE_UP; i++)
        assert_int_equal(ev_once(f->ev, 100, &err), 0);
    assert_true(g->is_there);
}

/* A route "gw" to the server with more members, in place of all others. */
static struct got *set_route(struct fixture *f, const char *more)
{
    char text[1024];
    struct got *g;

    (void)snprintf(text, sizeof(text),
                   "{\"routes\":[{\"name\":\"gw\",\"url\":\"http://127.0.0.1:%u/v1/"
                   "\",\"secret\":\"gw\",\"auth\":\"bearer\","
                   "\"allowHttp\":true%s}]}",
                   f->httpd.port, more);
    g = ask(f, "egress/routes", text);
    await(f, g);
    return g;
}

static struct got *call(struct fixture *f, const char *more)
{
    char text[1024];
    struct got *g;

    (void)snprintf(text, sizeof(text),
                   "{\"route\":\"gw\",\"path\":\"/chat/completions\",\"body\":\"{}\"%s}", more);
    g = ask(f, "http/call", text);
    await(f, g);
    return g;
}

static void assert_failed(const struct got *g, int64_t code, const char *sent, const char *message)
{
    char want[64];

    (void)snprintf(want, sizeof(want), "{\"sent\":%s", sent);
    if (g->code != code || !g->text || strncmp(g->text, want, strlen(want)) != 0 ||
        !strstr(g->message, message))
        fail_msg("got %" PRId64 " %s %s, want %" PRId64 " %s %s", g->code, g->text, g->message,
                 code, want, message);
}

/* ---- the good case --------------------------------------------------------------------------- */

static enum httpd_then echo(void *arg, struct str request, unsigned n, struct buf *out)
{
    struct buf *seen = arg;

    (void)n;
    if (seen)
        buf_str_put(seen, request);
    httpd_put(out, 200,
              "Content-Type: application/json\r\nX-Request-Id: r-1\r\nX-LiteLLM-Call-Id: "
              "c-1\r\nSet-Cookie: a=b\r\n"
              "Server: x\r\nX-Request-Id: r-2\r\n",
              "{\"ok\":\"\xc3\xa4\"}");
    return HTTPD_KEEP;
}

static void test_post(void **state)
{
    struct fixture f;
    struct buf seen;
    const struct got *g;

    (void)state;
    buf_init(&seen, 65536);
    set_up(&f, echo, &seen);
    assert_int_equal(set_route(&f, ",\"headers\":{\"x-team\":\"ap\"}")->code, 0);
    g = ask(&f, "http/call",
            "{\"route\":\"gw\",\"path\":\"/chat/"
            "completions\",\"method\":\"POST\",\"body\":\"{\\\"a\\\":1}\","
            "\"headers\":{\"Content-Type\":\"application/"
            "json\",\"x-tenant-id\":\"acme\",\"traceparent\":\"\"}}");
    await(&f, &f.got[f.asked - 1]);
    assert_int_equal(g->code, 0);
    assert_true(str_starts(buf_str(&seen), STR("POST /v1/chat/completions HTTP/1.1\r\n")));
    assert_true(holds(buf_str(&seen), "\r\nauthorization: Bearer " KEY "\r\n"));
    assert_true(holds(buf_str(&seen), "\r\nx-team: ap\r\n"));
    assert_true(holds(buf_str(&seen), "\r\nx-tenant-id: acme\r\n"));
    assert_true(holds(buf_str(&seen), "\r\ntraceparent:\r\n"));
    assert_true(holds(buf_str(&seen), "\r\nuser-agent: reeve/"));
    assert_true(str_ends(buf_str(&seen), STR("\r\n\r\n{\"a\":1}")));
    assert_int_equal(json_get(g->value, "status")->integer, 200);
    assert_str(json_get(g->value, "headers")->raw,
               "{\"content-type\":\"application/"
               "json\",\"x-request-id\":\"r-1\",\"x-litellm-call-id\":\"c-1\"}");
    assert_str(json_get(g->value, "body")->string, "{\"ok\":\"\xc3\xa4\"}");
    assert_true(json_get(g->value, "ttfbMs")->integer >= 0 &&
                json_get(g->value, "totalMs")->integer >= json_get(g->value, "ttfbMs")->integer);
    buf_release(&seen);
    tear_down(&f);
}

static void test_x_api_key(void **state)
{
    struct fixture f;
    struct buf seen;

    (void)state;
    buf_init(&seen, 65536);
    set_up(&f, echo, &seen);
    assert_int_equal(set_route(&f, ",\"auth2\":1")->code, 0); /* members to come do no harm */
    char text[256];
    (void)snprintf(text, sizeof(text),
                   "{\"routes\":[{\"name\":\"gw\",\"url\":\"http://"
                   "127.0.0.1:%u\",\"secret\":\"gw\",\"auth\":\"x-api-key\",\"allowHttp\":true}]}",
                   f.httpd.port);
    await(&f, ask(&f, "egress/routes", text));
    struct got *g = ask(&f, "http/call", "{\"route\":\"gw\",\"method\":\"GET\"}");
    await(&f, g);
    assert_int_equal(g->code, 0);
    assert_true(str_starts(buf_str(&seen), STR("GET / HTTP/1.1\r\n")));
    assert_true(holds(buf_str(&seen), "\r\nx-api-key: " KEY "\r\n"));
    assert_false(holds(buf_str(&seen), "authorization"));
    buf_release(&seen);
    tear_down(&f);
}

/* One connection serves many calls. */
static void test_reuse(void **state)
{
    struct fixture f;
    int i;

    (void)state;
    set_up(&f, echo, NULL);
    set_route(&f, "");
    for (i = 0; i < 4; i++)
        assert_int_equal(call(&f, "")->code, 0);
    assert_int_equal(f.httpd.connections, 1);
    tear_down(&f);
}

/* ---- answers that are not what one hopes for ------------------------------------------------- */

struct answer {
    const char *bytes; /* the whole answer, NULL: none */
    enum httpd_then then;
    const char *more;    /* of the route */
    int64_t code;        /* 0: a result */
    const char *sent;    /* of an error */
    const char *message; /* of an error, a part; of a result, the start of its JSON */
};

static enum httpd_then give(void *arg, struct str request, unsigned n, struct buf *out)
{
    const struct answer *a = arg;

    (void)request, (void)n;
    if (a->bytes)
        buf_cstr(out, a->bytes);
    return a->then;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static void test_answers(void **state)
{
    static const struct answer rows[] = {
        {"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}", HTTPD_KEEP, "", 0, NULL,
         "{\"status\":429,\"headers\":{\"retry-after\":\"7\"},\"body\":\"{}\","},
        {"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", HTTPD_KEEP, "", 0, NULL,
         "{\"status\":503,\"headers\":{},\"body\":\"\","},
        {"HTTP/1.1 302 X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", HTTPD_KEEP, "", 0,
         NULL, "{\"status\":302,\"headers\":{},"},
        {NULL, HTTPD_CLOSE, "", WIRE_E_UNAVAILABLE, "true", "Empty reply"},
        {NULL, HTTPD_HANG, ",\"timeoutMs\":50", WIRE_E_TIMEOUT, "true",
         "no whole response in time"},
        {OK_HEAD "Content-Length: 100\r\n\r\nhalf", HTTPD_HANG, ",\"timeoutMs\":50", WIRE_E_TIMEOUT,
         "true", "in time"},
        {OK_HEAD "Content-Length: 100\r\n\r\nhalf", HTTPD_CLOSE, "", WIRE_E_UNAVAILABLE, "true",
         "transfer closed"},
        {"220 mail.example ready\r\n", HTTPD_CLOSE, "", WIRE_E_UNAVAILABLE, "true", "HTTP/0.9"},
        {OK_HEAD "Content-Length: 3\r\n\r\n\xff\xfe!", HTTPD_KEEP, "", WIRE_E_UNAVAILABLE, "true",
         "not UTF-8"},
        {OK_HEAD "Content-Length: 11\r\n\r\n01234567890", HTTPD_KEEP, ",\"maxResponseBytes\":10",
         WIRE_E_UNAVAILABLE, "true", "larger than"},
        {OK_HEAD "Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n", HTTPD_KEEP,
         ",\"maxResponseBytes\":10", WIRE_E_UNAVAILABLE, "true", "larger than"},
        {OK_HEAD "Content-Length: 10\r\n\r\n0123456789", HTTPD_KEEP, ",\"maxResponseBytes\":10", 0,
         NULL, "{\"status\":200"},
        {OK_HEAD "Content-Length: -5\r\n\r\n", HTTPD_CLOSE, "", WIRE_E_UNAVAILABLE, "true", ""},
        {OK_HEAD "Content-Length: 34\r\nX-Request-Id: " KEY "\r\n\r\nyou sent " KEY, HTTPD_KEEP, "",
         0, NULL,
         "{\"status\":200,\"headers\":{\"x-request-id\":\"*************************\"},\"body\":"
         "\"you sent *************************\","},
        {"HTTP/1.1 200 OK\r\nX-Request-Id: a\x01z\r\nContent-Type: \xff\r\nContent-Length: "
         "2\r\n\r\n{}",
         HTTPD_KEEP, "", 0, NULL, "{\"status\":200,\"headers\":{},\"body\":\"{}\""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a = rows[i];
        struct fixture f;
        const struct got *g;

        set_up(&f, give, &a);
        assert_row(set_route(&f, a.more)->code == 0, i, "route");
        g = call(&f, "");
        if (a.code == 0)
            assert_row(g->code == 0 && str_starts(str_of(g->text), str_of(a.message)), i,
                       "%" PRId64 " %s %s", g->code, g->message, g->text);
        else
            assert_failed(g, a.code, a.sent, a.message);
        assert_int_equal(egress_open_calls(f.egress), 0);
        tear_down(&f);
    }
}

static void test_retry_after(void **state)
{
    struct answer a = {"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
                       HTTPD_KEEP,
                       "",
                       0,
                       NULL,
                       NULL};
    struct fixture f;

    (void)state;
    set_up(&f, give, &a);
    set_route(&f, "");
    assert_int_equal(json_get(call(&f, "")->value, "retryAfterMs")->integer, 7000);
    tear_down(&f);
}

static enum httpd_then many_headers(void *arg, struct str request, unsigned n, struct buf *out)
{
    int i;

    (void)arg, (void)request, (void)n;
    buf_cstr(out, "HTTP/1.1 200 OK\r\n");
    for (i = 0; i < 2000; i++)
        buf_fmt(out, "X-RateLimit-%d: 0123456789012345678901234567890123456789\r\n", i);
    buf_cstr(out, "Content-Length: 2\r\n\r\n{}");
    return HTTPD_KEEP;
}

static void test_many_headers(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, many_headers, NULL);
    set_route(&f, "");
    assert_failed(call(&f, ""), WIRE_E_UNAVAILABLE, "true", "larger than");
    tear_down(&f);
}

/* ---- nothing had left, or it may have -------------------------------------------------------- */

static void test_refused(void **state)
{
    struct fixture f;
    char text[256];
    struct got *g;

    (void)state;
    set_up(&f, echo, NULL);
    httpd_stop(&f.httpd); /* nobody listens there now */
    assert_int_equal(set_route(&f, "")->code, 0);
    g = call(&f, "");
    assert_failed(g, WIRE_E_UNAVAILABLE, "false", "route gw: ");
    (void)snprintf(
        text, sizeof(text),
        "{\"routes\":[{\"name\":\"gw\",\"url\":\"http://127.0.0.1:%u\",\"allowHttp\":true}]}",
        f.httpd.port);
    httpd_start(&f.httpd, echo, NULL);
    tear_down(&f);
}

/* A connection that the server has closed meanwhile: libcurl would send the request again. Not if
 * it was read. */
static enum httpd_then close_second(void *arg, struct str request, unsigned n, struct buf *out)
{
    (void)arg, (void)request;
    if (n == 2)
        return HTTPD_CLOSE; /* read, perhaps acted upon, and gone */
    httpd_put(out, 200, "", "{}");
    return HTTPD_KEEP;
}

static void test_not_twice(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, close_second, NULL);
    set_route(&f, "");
    assert_int_equal(call(&f, "")->code, 0);
    assert_failed(call(&f, ""), WIRE_E_UNAVAILABLE, "true", "");
    assert_int_equal(f.httpd.requests, 2);
    assert_int_equal(call(&f, "")->code, 0); /* the next finds a connection of its own */
    tear_down(&f);
}

/* ---- what may not be asked ------------------------------------------------------------------- */

static void test_bad_calls(void **state)
{
    static const struct {
        const char *params, *message;
        int64_t code;
    } rows[] = {
        {"{\"route\":\"other\"}", "no route", WIRE_E_NOT_FOUND},
        {"{}", "route", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"path\":\"chat\"}", "path", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"path\":\"/../../etc\"}", "path", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"path\":\"/%2e%2E/x\"}", "path", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"path\":\"/a//b\"}", "path", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"path\":\"/a?b=c\"}", "path", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"path\":\"/a\\r\\nX: y\"}", "path", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"path\":\"@evil.example\"}", "path", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"method\":\"CONNECT\"}", "method", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"method\":\"GET\",\"body\":\"x\"}", "body", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"headers\":{\"Authorization\":\"Bearer other\"}}", "authorization",
         WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"headers\":{\"host\":\"evil.example\"}}", "host", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"headers\":{\"cookie\":\"a\"}}", "cookie", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"headers\":{\"transfer-encoding\":\"chunked\"}}", "transfer-encoding",
         WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"headers\":{\"x-tenant-id\":\"a\\r\\nx: y\"}}", "control",
         WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"headers\":{\"x-tenant-id\\r\\nx\":\"a\"}}", "name", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"headers\":{\"x-tenant-id\":7}}", "text", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"headers\":[]}", "headers", WIRE_E_PARAMS},
        {"{\"route\":\"gw\",\"timeoutMs\":-1}", "timeoutMs", WIRE_E_PARAMS},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct got *g;

        set_up(&f, echo, NULL);
        set_route(&f, "");
        g = ask(&f, "http/call", rows[i].params);
        await(&f, g);
        assert_failed(g, rows[i].code, "false", rows[i].message);
        assert_row(f.httpd.requests == 0, i, "it was sent");
        tear_down(&f);
    }
}

static void test_bad_routes(void **state)
{
    static const struct {
        const char *route, *message;
    } rows[] = {
        {"{\"name\":\"gw\",\"url\":\"http://127.0.0.1/\"}", "allowHttp"},
        {"{\"name\":\"gw\",\"url\":\"file:///etc/passwd\"}", "https://"},
        {"{\"name\":\"gw\",\"url\":\"gopher://x/\"}", "https://"},
        {"{\"name\":\"gw\",\"url\":\"https://user:pw@host/\"}", "secret"},
        {"{\"name\":\"gw\",\"url\":\"https://host/?a=b\"}", "query"},
        {"{\"name\":\"gw\",\"url\":\"https://host/#x\"}", "fragment"},
        {"{\"name\":\"gw\",\"url\":\"https://ho st/\"}", "space"},
        {"{\"name\":\"gw\",\"url\":\"https://\"}", "url"},
        {"{\"name\":\"gw\",\"url\":\"//host/\"}", "url"},
        {"{\"name\":\"gw\",\"url\":\"\"}", "url"},
        {"{\"name\":\"G W\",\"url\":\"https://host/\"}", "name"},
        {"{\"url\":\"https://host/\"}", "name"},
        {"{\"name\":\"gw\"}", "url"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\",\"auth\":\"basic\"}", "bearer"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\",\"secret\":\"nope\"}", "not given"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\",\"auth\":\"bearer\"}", "not given"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\",\"headers\":{\"Host\":\"x\"}}", "host"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\",\"headers\":{\"Authorization\":\"x\"}}",
         "authorization"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\",\"headers\":{\"a\":\"b\\nc\"}}", "header"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\",\"timeoutMs\":0}", "timeoutMs"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\",\"maxResponseBytes\":999999999}",
         "maxResponseBytes"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\",\"maxParallel\":0}", "maxParallel"},
        {"{\"name\":\"gw\",\"url\":\"https://h/\"},{\"name\":\"gw\",\"url\":\"https://h/\"}",
         "twice"},
        {"7", "name"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        char text[512];
        struct got *g;

        set_up(&f, echo, NULL);
        set_route(&f, "");
        (void)snprintf(text, sizeof(text), "{\"routes\":[%s]}", rows[i].route);
        g = ask(&f, "egress/routes", text);
        await(&f, g);
        assert_failed(g, WIRE_E_PARAMS, "false", rows[i].message);
        assert_row(call(&f, "")->code == 0, i, "the old routes are gone");
        tear_down(&f);
    }
}

/* ---- many at once ---------------------------------------------------------------------------- */

static enum httpd_then hang_first(void *arg, struct str request, unsigned n, struct buf *out)
{
    (void)arg, (void)request;
    if (n == 1)
        return HTTPD_HANG;
    httpd_put(out, 200, "", "{}");
    return HTTPD_KEEP;
}

/* One slot: the second waits for the first, which is cancelled; then it has its turn. */
static void test_queue(void **state)
{
    struct fixture f;
    struct got *first, *second, *third;
    struct wire_out o;
    struct err err = ERR_INIT;

    (void)state;
    set_up(&f, hang_first, NULL);
    set_route(&f, ",\"maxParallel\":1");
    first = ask(&f, "http/call", "{\"route\":\"gw\"}");
    second = ask(&f, "http/call", "{\"route\":\"gw\"}");
    third = ask(&f, "http/call", "{\"route\":\"gw\",\"timeoutMs\":30}");
    await(&f, third); /* its time passed while it waited */
    assert_failed(third, WIRE_E_TIMEOUT, "false", "no free slot");
    assert_false(first->is_there || second->is_there);
    assert_int_equal(egress_open_calls(f.egress), 2);
    while (f.httpd.requests == 0)
        assert_int_equal(ev_once(f.ev, 10, &err), 0);
    assert_int_equal(f.httpd.requests, 1); /* the second was not sent beside it */
    assert_int_equal(wire_notify(f.wire, &o, "http/cancel"), 0);
    jout_m_i64(&o.j, "id", 2); /* the first was egress/routes */
    assert_int_equal(wire_end(f.wire, &o, &err), 0);
    await(&f, second);
    assert_true(first->is_there);
    assert_failed(first, WIRE_E_CANCELLED, "true", "cancelled");
    assert_int_equal(second->code, 0);
    tear_down(&f);
}

static void test_route_goes(void **state)
{
    struct fixture f;
    struct got *first, *second;

    (void)state;
    set_up(&f, hang_first, NULL);
    set_route(&f, ",\"maxParallel\":1,\"timeoutMs\":300");
    first = ask(&f, "http/call", "{\"route\":\"gw\"}");
    second = ask(&f, "http/call", "{\"route\":\"gw\"}");
    await(&f, ask(&f, "egress/routes", "{\"routes\":[]}"));
    await(&f, second);
    assert_failed(second, WIRE_E_NOT_FOUND, "false", "gone");
    await(&f, first); /* goes on by the route that it began with */
    assert_failed(first, WIRE_E_TIMEOUT, "true", "in time");
    tear_down(&f);
}

static void test_unknown_methods(void **state)
{
    struct fixture f;
    struct got *g;

    (void)state;
    set_up(&f, echo, NULL);
    g = ask(&f, "http/fetch", "{}");
    await(&f, g);
    assert_int_equal(g->code, WIRE_E_METHOD);
    wire_free(f.wire);
    f.wire = NULL;
    while (!f.is_closed) {
        struct err err = ERR_INIT;

        assert_int_equal(ev_once(f.ev, 100, &err), 0);
    }
    tear_down(&f);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void make_certificate(char **ret_key, char **ret_cert)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    BIO *b = BIO_new(BIO_s_mem());
    char *text;
    long n;

    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_set_version(cert, 2);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    X509_add_ext(cert, san, -1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
    n = BIO_get_mem_data(b, &text);
    *ret_key = strndup(text, (size_t)n);
    BIO_free(b);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(b, cert);
    n = BIO_get_mem_data(b, &text);
    *ret_cert = strndup(text, (size_t)n);
    BIO_free(b);
    X509_EXTENSION_free(san);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static enum MHD_Result on_tls(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **state)
{
    struct MHD_Response *r;
    enum MHD_Result rc;

    (void)url, (void)method, (void)version, (void)data;
    if (!*state || *size > 0) {
        *state = arg;
        *size = 0;
        return MHD_YES;
    }
    (*(unsigned *)arg)++;
    r = MHD_create_response_from_buffer(2, (void *)(uintptr_t) "{}", MHD_RESPMEM_PERSISTENT);
    rc = MHD_queue_response(c, 200, r);
    MHD_destroy_response(r);
    return rc;
}

static void set_tls_route(struct fixture *f, const char *host, uint16_t port, const char *ca_file)
{
    char text[512];
    struct got *g;

    (void)snprintf(
        text, sizeof(text),
        "{\"routes\":[{\"name\":\"gw\",\"url\":\"https://%s:%u\",\"secret\":\"gw\"%s%s%s}]}", host,
        port, ca_file ? ",\"caFile\":\"" : "", ca_file ? ca_file : "", ca_file ? "\"" : "");
    g = ask(f, "egress/routes", text);
    await(f, g);
    assert_int_equal(g->code, 0);
}

static void test_tls(void **state)
{
    char *key, *cert, ca_file[] = "/tmp/reeve-test-ca-XXXXXX";
    unsigned requests = 0;
    struct MHD_Daemon *d;
    struct fixture f;
    struct got *g;
    uint16_t port;
    int fd;

    (void)state;
    make_certificate(&key, &cert);
    d = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, on_tls,
                         &requests, MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_HTTPS_MEM_CERT, cert,
                         MHD_OPTION_END);
    if (!d)
        skip(); /* a libmicrohttpd without TLS */
    port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
    fd = mkstemp(ca_file);
    assert_int_equal(write(fd, cert, strlen(cert)), (ssize_t)strlen(cert));
    close(fd);
    set_up(&f, echo, NULL);
    /* Nobody vouches for it: nothing is sent, the key least of all. */
    set_tls_route(&f, "127.0.0.1", port, NULL);
    assert_failed(call(&f, ""), WIRE_E_UNAVAILABLE, "false", "certificate");
    /* Vouched for, but as another host. */
    set_tls_route(&f, "localhost", port, ca_file);
    assert_failed(call(&f, ""), WIRE_E_UNAVAILABLE, "false", "");
    assert_int_equal(requests, 0);
    set_tls_route(&f, "127.0.0.1", port, ca_file);
    g = call(&f, "");
    assert_row(g->code == 0, 0, "%s", g->message);
    assert_int_equal(requests, 1);
    tear_down(&f);
    MHD_stop_daemon(d);
    (void)unlink(ca_file);
    free(key);
    free(cert);
}

/* ---- secrets --------------------------------------------------------------------------------- */

static int open_secret(const void *bytes, size_t len, const char *name, struct secrets *s,
                       struct err *err)
{
    char list[128];
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], bytes, len), (ssize_t)len);
    close(fds[1]);
    (void)snprintf(list, sizeof(list), "%s:%d", name, fds[0]);
    int rc = secrets_open(s, list, err);
    assert_int_equal(close(fds[0]), -1); /* closed, whatever came of it */
    return rc;
}

static void test_secrets(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        int rc;
    } rows[] = {
        {"abc", 3, 0},
        {" abc\r\n", 6, 0},
        {"", 0, -EINVAL},
        {"\n", 1, -EINVAL},
        {"a\nb", 3, -EINVAL},
        {"a\0b", 3, -EINVAL},
        {"a\xc3\xa4", 3, -EINVAL},
        {"a b", 3, -EINVAL},
        {"a\rX: y", 6, -EINVAL},
    };
    struct secrets s;
    struct err err = ERR_INIT;
    char large[SECRET_BYTES_MAX + 1], text[] = "a abcdef abcdefabcdef b";
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        assert_row(open_secret(rows[i].bytes, rows[i].len, "k", &s, &err) == rows[i].rc, i, "%s",
                   err.text);
        if (rows[i].rc == 0)
            assert_string_equal(secrets_find(&s, STR("k"))->text, "abc");
        secrets_release(&s);
    }
    memset(large, 'x', sizeof(large));
    assert_int_equal(open_secret(large, sizeof(large), "k", &s, &err), -EFBIG);
    assert_int_equal(open_secret("x", 1, "a/b", &s, &err), -EINVAL);
    assert_int_equal(secrets_open(&s, "k", &err), -EINVAL);
    assert_int_equal(secrets_open(&s, "k:1", &err), -EINVAL);
    assert_int_equal(secrets_open(&s, "k:9999", &err), -EINVAL);
    assert_int_equal(secrets_open(&s, "", &err), 0);
    assert_int_equal(secrets_open(&s, NULL, &err), 0);
    assert_int_equal(open_secret("abcdef", 6, "k", &s, &err), 0);
    secrets_redact(&s, text, strlen(text));
    assert_string_equal(text, "a ****** ************ b");
    secrets_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_x_api_key),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_many_headers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_not_twice),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_bad_routes),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_route_goes),
        cmocka_unit_test(test_unknown_methods),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_secrets),
    };
    int rc;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return rc;
}
