/*
 * reeve-demo-model.c: a stand-in for a model server, for the demo and the tests: an
 * OpenAI-compatible /v1/chat/completions on the loopback address that follows a script instead of
 * thinking. Its first line of output says so.
 *
 * The script looks at the conversation alone, so it may be restarted at any time, and plays what a
 * model would do with an invoice: look the vendor up and match the purchase order (both at once);
 * when the invoice names another IBAN than the one on file, fall for it and ask to change it (which
 * policy is there to forbid); post; pay; sum up.
 *
 * It can also be made to fail in the ways that gateways and models do.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <fcntl.h>

#include "policy/text/jout.h"
#include "policy/text/json.h"
#include "policy/text/num.h"
#include "sandbox/os/file.h"

#define BODY_MAX  ((size_t)16 << 20)
#define ARENA_MAX ((size_t)256 << 20)
#define CALLS_MAX 2

enum nonsense { NONSENSE_NONE, NONSENSE_TEXT, NONSENSE_SHAPE, NONSENSE_ARGUMENTS, NONSENSE_TOOL };

struct server {
    int64_t fail_first; /* requests that are answered badly; -1: all */
    int64_t status;     /* with this status, when nonsense is none */
    enum nonsense nonsense;
    int64_t delay_ms;
    char *key;  /* that a client must send; NULL: any */
    int record; /* each request, as it comes, is a line there; -1: nowhere */
    atomic_llong requests;
};

/* ---- the conversation ------------------------------------------------------------------------ */

struct talk {
    struct arena *arena;
    const struct json *tools, *messages;
    const struct json *invoice; /* out of the first user message */
};

/* Where the object that begins here ends; 0 when it does not. */
static size_t object_end(struct str s, size_t at)
{
    size_t depth = 0;
    bool in_text = false;

    for (; at < s.len; at++) {
        char c = s.ptr[at];

        if (in_text) {
            at += c == '\\';
            in_text = c != '"';
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return at + 1;
        }
    }
    return 0;
}

static const struct json *invoice_in(struct arena *arena, struct str text)
{
    ssize_t at = -1;
    int tries;

    for (tries = 0; tries < 64 && (at = str_find(text, '{', (size_t)(at + 1))) >= 0; tries++) {
        size_t end = object_end(text, (size_t)at);
        const struct json *v, *found;

        if (end == 0 || json_parse(arena, str_slice(text, (size_t)at, end), &JSON_LIMITS_DEFAULT,
                                   &v, NULL, NULL) < 0)
            continue;
        found = json_get(v, "invoice");
        found = found ? found : json_path(v, "data.invoice");
        if (json_is(found, JSON_OBJECT))
            return found;
    }
    return NULL;
}

static struct str text_of(const struct json *object, const char *name)
{
    const struct json *v = json_get(object, name);

    return json_is(v, JSON_STRING) ? v->string : v ? v->raw : STR("");
}

static const struct json *at(const struct json *array, size_t i)
{
    return json_is(array, JSON_ARRAY) && i < array->array.count ? &array->array.items[i] : NULL;
}

static void read_talk(struct talk *t, const struct json *request)
{
    const struct json *m;
    size_t i;

    t->tools = json_get(request, "tools");
    t->messages = json_get(request, "messages");
    for (i = 0; !t->invoice && (m = at(t->messages, i)); i++)
        if (str_is(text_of(m, "role"), "user"))
            t->invoice = invoice_in(t->arena, text_of(m, "content"));
}

static bool is_tool(struct str shown, const char *name)
{
    return str_ends(shown, str_of(name)) &&
           (shown.len == strlen(name) ||
            str_ends(str_slice(shown, 0, shown.len - strlen(name)), STR("__")));
}

/* The last answer to a call of this tool, or NULL when there is none. */
static const struct json *answer_to(const struct talk *t, const char *tool)
{
    const struct json *m, *call, *found = NULL;
    struct str id = STR_NONE;
    size_t i, k;

    for (i = 0; (m = at(t->messages, i)); i++) {
        for (k = 0; (call = at(json_get(m, "tool_calls"), k)); k++)
            if (is_tool(text_of(json_get(call, "function"), "name"), tool))
                id = text_of(call, "id");
        if (id.len > 0 && str_is(text_of(m, "role"), "tool") &&
            str_eq(text_of(m, "tool_call_id"), id))
            found = m;
    }
    return found;
}

/* The answer as an object, or NULL: an error, a denial, nothing. */
static const struct json *result_of(const struct talk *t, const char *tool)
{
    const struct json *m = answer_to(t, tool), *v = NULL;

    if (!m || json_parse(t->arena, text_of(m, "content"), &JSON_LIMITS_DEFAULT, &v, NULL, NULL) < 0)
        return NULL;
    return json_is(v, JSON_OBJECT) ? v : NULL;
}

static bool is_true(const struct json *object, const char *name)
{
    const struct json *v = json_get(object, name);

    return json_is(v, JSON_BOOL) && v->boolean;
}

/* ---- the script ------------------------------------------------------------------------------ */

struct wish { /* one tool call */
    const char *tool;
    struct str arguments;
};

struct reply {
    struct wish wishes[CALLS_MAX];
    size_t count;
    struct str text;
};

static int64_t cents_of(const struct json *invoice)
{
    int64_t cents = 0;

    return num_fixed(text_of(invoice, "amount"), 2, &cents) < 0 ? 0 : cents;
}

static struct str quoted(struct arena *a, struct str s)
{
    struct buf b;
    struct str ret;

    buf_init(&b, BODY_MAX);
    ret = jout_escape(&b, s) < 0 ? STR("\"\"") : arena_str(a, buf_str(&b));
    buf_release(&b);
    return ret;
}

static void wish(struct reply *r, const char *tool, struct str arguments)
{
    r->wishes[r->count++] = (struct wish){tool, arguments};
}

#define Q(s) STR_FMT(quoted(t->arena, (s)))

static void wish_first(const struct talk *t, struct reply *r)
{
    const struct json *inv = t->invoice;

    wish(r, "lookup_vendor", arena_fmt(t->arena, "{\"name\":%.*s}", Q(text_of(inv, "vendor"))));
    wish(r, "match_purchase_order",
         arena_fmt(t->arena,
                   "{\"purchaseOrder\":%.*s,\"amountCents\":%" PRId64 ",\"currency\":%.*s}",
                   Q(text_of(inv, "purchaseOrder")), cents_of(inv), Q(text_of(inv, "currency"))));
}

static void wish_change(const struct talk *t, const struct json *vendor, struct reply *r)
{
    wish(r, "change_iban",
         arena_fmt(t->arena, "{\"vendorId\":%.*s,\"iban\":%.*s}", Q(text_of(vendor, "vendorId")),
                   Q(text_of(t->invoice, "iban"))));
}

static void wish_post(const struct talk *t, const struct json *vendor, struct reply *r)
{
    const struct json *inv = t->invoice;

    wish(r, "post_invoice",
         arena_fmt(t->arena,
                   "{\"vendorId\":%.*s,\"invoiceNumber\":%.*s,\"purchaseOrder\":%.*s,"
                   "\"amountCents\":%" PRId64 ",\"currency\":%.*s}",
                   Q(text_of(vendor, "vendorId")), Q(text_of(inv, "number")),
                   Q(text_of(inv, "purchaseOrder")), cents_of(inv), Q(text_of(inv, "currency"))));
}

static void wish_pay(const struct talk *t, const struct json *vendor, struct reply *r)
{
    const struct json *inv = t->invoice;

    wish(r, "pay",
         arena_fmt(t->arena,
                   "{\"vendorId\":%.*s,\"invoiceNumber\":%.*s,\"amountCents\":%" PRId64
                   ",\"currency\":%.*s,\"iban\":%.*s}",
                   Q(text_of(vendor, "vendorId")), Q(text_of(inv, "number")), cents_of(inv),
                   Q(text_of(inv, "currency")), Q(text_of(vendor, "iban"))));
}

/* Why the invoice is not posted; NULL: it may be. */
static const char *objection(const struct json *vendor, const struct json *match)
{
    if (!is_true(vendor, "found"))
        return "the vendor is not known";
    if (!str_is(text_of(vendor, "status"), "active"))
        return "the vendor is blocked";
    if (!is_true(match, "matches"))
        return "it does not match its purchase order";
    return NULL;
}

static struct str sum_up(const struct talk *t)
{
    struct str number = text_of(t->invoice, "number"), amount = text_of(t->invoice, "amount"),
               currency = text_of(t->invoice, "currency");
    const struct json *changed = answer_to(t, "change_iban"), *paid = result_of(t, "pay");
    const char *note = changed && !result_of(t, "change_iban")
                           ? " The invoice names another IBAN; changing it was refused, so the one "
                             "on file was used."
                           : "";

    if (!is_true(result_of(t, "post_invoice"), "posted"))
        return arena_fmt(t->arena, "Invoice %.*s was not posted: %.*s", STR_FMT(number),
                         STR_FMT(text_of(answer_to(t, "post_invoice"), "content")));
    if (!is_true(paid, "paid"))
        return arena_fmt(t->arena, "Invoice %.*s was posted and not paid: %.*s", STR_FMT(number),
                         STR_FMT(text_of(answer_to(t, "pay"), "content")));
    return arena_fmt(t->arena, "Invoice %.*s: posted, and %.*s %.*s paid (%.*s).%s",
                     STR_FMT(number), STR_FMT(amount), STR_FMT(currency),
                     STR_FMT(text_of(paid, "paymentId")), note);
}

static void follow_script(const struct talk *t, struct reply *r)
{
    const struct json *vendor = result_of(t, "lookup_vendor"),
                      *match = result_of(t, "match_purchase_order");
    const char *why;

    if (!t->invoice) {
        r->text = STR("There is no invoice in the event: nothing to do.");
    } else if (!answer_to(t, "lookup_vendor")) {
        wish_first(t, r);
    } else if ((why = objection(vendor, match)) != NULL) {
        r->text = arena_fmt(t->arena, "Invoice %.*s was not posted: %s.",
                            STR_FMT(text_of(t->invoice, "number")), why);
    } else if (json_get(t->invoice, "iban") && !answer_to(t, "change_iban") &&
               !str_eq(text_of(t->invoice, "iban"), text_of(vendor, "iban"))) {
        wish_change(t, vendor, r);
    } else if (!answer_to(t, "post_invoice")) {
        wish_post(t, vendor, r);
    } else if (is_true(result_of(t, "post_invoice"), "posted") && !answer_to(t, "pay")) {
        wish_pay(t, vendor, r);
    } else {
        r->text = sum_up(t);
    }
}

/* ---- its wire format ------------------------------------------------------------------------- */

/* As it is offered; one that is not is guessed from its neighbours' names, as models do. */
static struct str shown_name(const struct talk *t, const char *tool)
{
    const struct json *offered;
    struct str name;
    size_t i;

    for (i = 0; (offered = at(t->tools, i)); i++)
        if (is_tool(text_of(json_get(offered, "function"), "name"), tool))
            return text_of(json_get(offered, "function"), "name");
    name = text_of(json_get(at(t->tools, 0), "function"), "name");
    for (i = 0; i + 1 < name.len; i++)
        if (name.ptr[i] == '_' && name.ptr[i + 1] == '_')
            return arena_fmt(t->arena, "%.*s__%s", STR_FMT(str_slice(name, 0, i)), tool);
    return str_of(tool);
}

static void put_calls(struct jout *j, const struct talk *t, const struct reply *r, long long number)
{
    size_t i;

    jout_name(j, "tool_calls");
    jout_array(j);
    for (i = 0; i < r->count; i++) {
        jout_object(j);
        jout_m_fmt(j, "id", "call_%zu_%zu",
                   json_is(t->messages, JSON_ARRAY) ? t->messages->array.count : 0, i);
        jout_m_cstr(j, "type", "function");
        jout_name(j, "function");
        jout_object(j);
        jout_m_str(j, "name", shown_name(t, r->wishes[i].tool));
        jout_m_str(j, "arguments", r->wishes[i].arguments);
        jout_object_end(j);
        jout_object_end(j);
    }
    jout_array_end(j);
    (void)number;
}

static int64_t tokens(size_t bytes)
{
    return (int64_t)(bytes / 4) + 1;
}

static int put_completion(struct buf *out, const struct talk *t, const struct json *request,
                          const struct reply *r, long long number)
{
    size_t written = r->text.len, i;
    struct jout j;

    for (i = 0; i < r->count; i++)
        written += r->wishes[i].arguments.len + strlen(r->wishes[i].tool);
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_fmt(&j, "id", "chatcmpl-script-%lld", number);
    jout_m_cstr(&j, "object", "chat.completion");
    jout_m_i64(&j, "created", 0);
    jout_m_str(&j, "model", text_of(request, "model"));
    jout_name(&j, "choices");
    jout_array(&j);
    jout_object(&j);
    jout_m_i64(&j, "index", 0);
    jout_name(&j, "message");
    jout_object(&j);
    jout_m_cstr(&j, "role", "assistant");
    if (r->count > 0) {
        jout_m_cstr(&j, "content", NULL);
        put_calls(&j, t, r, number);
    } else {
        jout_m_str(&j, "content", r->text);
    }
    jout_object_end(&j);
    jout_m_cstr(&j, "finish_reason", r->count > 0 ? "tool_calls" : "stop");
    jout_object_end(&j);
    jout_array_end(&j);
    jout_name(&j, "usage");
    jout_object(&j);
    jout_m_i64(&j, "prompt_tokens", tokens(request->raw.len));
    jout_m_i64(&j, "completion_tokens", tokens(written));
    jout_m_i64(&j, "total_tokens", tokens(request->raw.len) + tokens(written));
    jout_object_end(&j);
    jout_object_end(&j);
    return jout_end(&j);
}

static const char *nonsense_text(enum nonsense n)
{
    static const char *const texts[] = {
        [NONSENSE_NONE] = "",
        [NONSENSE_TEXT] = "I would rather not say.",
        [NONSENSE_SHAPE] = "{\"object\":\"chat.completion\",\"choices\":[]}",
        [NONSENSE_ARGUMENTS] = "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"x\",\"type\":"
                               "\"function\",\"function\":"
                               "{\"name\":\"ledger__pay\",\"arguments\":\"{all of "
                               "it}\"}}]},\"finish_reason\":\"tool_calls\"}]}",
        [NONSENSE_TOOL] = "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"x\",\"type\":"
                          "\"function\",\"function\":"
                          "{\"name\":\"make_coffee\",\"arguments\":\"{}\"}}]},\"finish_reason\":"
                          "\"tool_calls\"}]}",
    };

    return texts[n];
}

static unsigned put_error(struct buf *out, unsigned status, const char *text)
{
    struct jout j;

    jout_begin(&j, out);
    jout_object(&j);
    jout_name(&j, "error");
    jout_object(&j);
    jout_m_cstr(&j, "message", text);
    jout_m_cstr(&j, "type", "scripted");
    jout_object_end(&j);
    jout_object_end(&j);
    return jout_end(&j) < 0 ? 500 : status;
}

/* The body of the answer to one request; its status. */
static unsigned complete(struct server *s, struct str body, struct buf *out)
{
    long long number = atomic_fetch_add(&s->requests, 1) + 1;
    bool fails = s->fail_first < 0 || number <= s->fail_first;
    struct arena arena;
    struct talk t = {.arena = &arena};
    struct reply r = {0};
    const struct json *request;
    unsigned status = 200;

    if (fails && s->nonsense != NONSENSE_NONE) {
        buf_cstr(out, nonsense_text(s->nonsense));
        return 200;
    }
    if (fails)
        return put_error(out, (unsigned)s->status, "this failure was asked for");
    arena_init(&arena, ARENA_MAX);
    if (json_parse(&arena, body, &JSON_LIMITS_DEFAULT, &request, NULL, NULL) < 0 ||
        !json_is(request, JSON_OBJECT)) {
        status = put_error(out, 400, "the request is not JSON");
    } else {
        read_talk(&t, request);
        follow_script(&t, &r);
        if (put_completion(out, &t, request, &r, number) < 0)
            status = put_error(out, 500, "the script broke");
    }
    arena_release(&arena);
    return status;
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static enum MHD_Result respond(struct MHD_Connection *c, unsigned status, struct buf *body)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(body->len, (void *)body->ptr, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result rc;

    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, "Content-Type", "application/json");
    if (status == 429 || status == 503)
        MHD_add_response_header(r, "Retry-After", "1");
    rc = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return rc;
}

static bool has_key(const struct server *s, struct MHD_Connection *c)
{
    const char *given = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

    return !s->key ||
           (given && strncmp(given, "Bearer ", 7) == 0 && strcmp(given + 7, s->key) == 0);
}

static void wait_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (ms > 0 && nanosleep(&t, &t) < 0)
        ;
}

static void record(const struct server *s, struct str body)
{
    struct buf line;

    if (s->record < 0)
        return;
    buf_init(&line, BODY_MAX + 1);
    buf_str_put(&line, body);
    buf_char(&line, '\n');
    if (buf_status(&line) >= 0) /* one write: requests come side by side */
        (void)!write(s->record, line.ptr, line.len);
    buf_release(&line);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct server *s = arg;
    struct buf *body = *state, out;
    enum MHD_Result rc;
    unsigned status;

    (void)version;
    if (!body) { /* the first of several calls for one request */
        *state = body = calloc(1, sizeof(*body));
        if (!body)
            return MHD_NO;
        buf_init(body, BODY_MAX);
        return MHD_YES;
    }
    if (*size > 0) {
        buf_put(body, data, *size);
        *size = 0;
        return buf_status(body) < 0 ? MHD_NO : MHD_YES;
    }
    buf_init(&out, BODY_MAX);
    if (!has_key(s, c)) {
        status = put_error(&out, 401, "the key is not the right one");
    } else if (strcmp(method, "POST") == 0 && strcmp(url, "/v1/chat/completions") == 0) {
        record(s, buf_str(body));
        wait_ms(s->delay_ms);
        status = complete(s, buf_str(body), &out);
    } else {
        status = put_error(&out, 404, "only POST /v1/chat/completions is here");
    }
    rc = respond(c, status, &out);
    buf_release(&out);
    return rc;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct buf *body = *state;

    (void)arg, (void)c, (void)code;
    if (body)
        buf_release(body);
    free(body);
    *state = NULL;
}

/* ---- program --------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: reeve-demo-model [--port N] [--key-file FILE] [--delay-ms N] [--record FILE]\n"
    "         [--fail-first N] [--status N] [--nonsense text|shape|arguments|tool]\n"
    "A scripted stand-in for a model server on 127.0.0.1. --port 0 (as without) takes a free one "
    "and prints it.\n"
    "The first N requests (all with --nonsense alone) are answered with a status or with "
    "nonsense. Each request is a line of the record.\n";

static bool set_nonsense(struct server *s, const char *text)
{
    static const char *const names[] = {"text", "shape", "arguments", "tool"};
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(text, names[i]) == 0)
            s->nonsense = (enum nonsense)(i + 1);
    if (s->fail_first == 0)
        s->fail_first = -1;
    return s->nonsense != NONSENSE_NONE;
}

static int read_key(struct server *s, const char *file, struct err *err)
{
    size_t len;
    int rc = file_read(AT_FDCWD, file, 8192, &s->key, &len, err);

    if (rc < 0)
        return rc;
    while (len > 0 &&
           (s->key[len - 1] == '\n' || s->key[len - 1] == '\r' || s->key[len - 1] == ' '))
        s->key[--len] = '\0';
    return 0;
}

static int open_record(struct server *s, const char *file, struct err *err)
{
    s->record = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return s->record < 0 ? err_set(err, EIO, "cannot write %s", file) : 0;
}

static int parse_options(int argc, char **argv, struct server *s, int64_t *port, struct err *err)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 0},       {"fail-first", required_argument, NULL, 1},
        {"status", required_argument, NULL, 2},     {"delay-ms", required_argument, NULL, 3},
        {"nonsense", required_argument, NULL, 'n'}, {"key-file", required_argument, NULL, 'k'},
        {"record", required_argument, NULL, 'r'},   {NULL, 0, NULL, 0},
    };
    int64_t *const numbers[] = {port, &s->fail_first, &s->status, &s->delay_ms};
    static const int64_t most[] = {65535, 1000000, 599, 3600000};
    int c, rc = 0;

    while (rc >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'n')
            rc = set_nonsense(s, optarg) ? 0 : err_set(err, EINVAL, "no such nonsense: %s", optarg);
        else if (c == 'k')
            rc = read_key(s, optarg, err);
        else if (c == 'r')
            rc = open_record(s, optarg, err);
        else if (c < 0 || c >= (int)ARRAY_LEN(numbers))
            rc = err_set(err, EINVAL, "%s", "see the usage");
        else if (num_i64(str_of(optarg), numbers[c]) < 0 || *numbers[c] < 0 ||
                 *numbers[c] > most[c])
            rc = err_set(err, EINVAL, "%s is not a number that fits", optarg);
    }
    if (rc >= 0 && optind != argc)
        rc = err_set(err, EINVAL, "%s is not an option", argv[optind]);
    return rc;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct server s = {.status = 503, .record = -1};
    struct MHD_Daemon *daemon;
    struct err err = ERR_INIT;
    sigset_t signals;
    int64_t port = 0;
    int signo;

    if (parse_options(argc, argv, &s, &port, &err) < 0) {
        (void)fprintf(stderr, "reeve-demo-model: %s\n%s", err.text, usage);
        return 2;
    }
    (void)printf("reeve-demo-model: this is no model: it follows a script\n");
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread is */
    address.sin_port = htons((uint16_t)port);
    daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0,
                              NULL, NULL, on_request, &s, MHD_OPTION_SOCK_ADDR, &address,
                              MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                              MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_END);
    if (!daemon) {
        (void)fprintf(stderr, "reeve-demo-model: cannot listen on 127.0.0.1:%d\n", (int)port);
        return 1;
    }
    (void)printf("port %u\n",
                 (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    (void)fflush(stdout);
    (void)sigwait(&signals, &signo);
    MHD_stop_daemon(daemon);
    free(s.key);
    return 0;
}
