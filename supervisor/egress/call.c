/*
 * call.c: one HTTP call.
 *
 * Runs in reeve-egress. The request is reeved's and checked again; the response is foreign: bounded
 * while it comes, checked to be UTF-8 before it goes on. Must never follow a redirect, use a proxy,
 * a netrc or cookies, or put a byte of a secret anywhere but into the request.
 */
#include "supervisor/egress/call.h"

#include "policy/text/utf8.h"
#include "sandbox/os/wire.h"

#define HEADER_BYTES_MAX ((size_t)64 << 10) /* of all of a response */
#define IDLE_MAX_S       20L /* a kept connection older than this is not used again */
#define TIMEOUT_MAX_MS   (INT64_C(60) * 60 * 1000)

/* ---- asked ----------------------------------------------------------------------------------- */

static int add_header(struct call *c, struct str name, struct str value, struct err *err)
{
    char line[ROUTE_NAME_MAX + ROUTE_VALUE_MAX + 8];
    struct curl_slist *more;

    /* libcurl leaves out "Name:"; "Name;" is how an empty value is sent. */
    (void)snprintf(line, sizeof(line), "%.*s%s%.*s", STR_FMT(name), value.len > 0 ? ": " : ";",
                   STR_FMT(value));
    more = curl_slist_append(c->headers, line);
    explicit_bzero(line, sizeof(line));
    if (!more)
        return err_set(err, ENOMEM, "no memory for a call");
    c->headers = more;
    return 0;
}

static int parse_headers(struct call *c, const struct json *params, struct err *err)
{
    const struct json *headers = json_get(params, "headers");
    size_t i;
    int rc = 0;

    if (!headers || json_is(headers, JSON_NULL))
        return 0;
    if (!json_is(headers, JSON_OBJECT) || headers->object.count > CALL_HEADERS_MAX)
        return err_set(err, EINVAL, "headers must be an object of at most %d members",
                       CALL_HEADERS_MAX);
    for (i = 0; i < headers->object.count && rc >= 0; i++) {
        const struct json_member *m = &headers->object.members[i];

        if (!json_is(&m->value, JSON_STRING))
            return err_set(err, EINVAL, "header \"%.*s\" is not a text",
                           STR_FMT(str_slice(m->name, 0, 64)));
        rc = route_check_header(m->name, m->value.string, err);
        if (rc >= 0)
            rc = add_header(c, m->name, m->value.string, err);
    }
    return rc;
}

static int parse_method(struct str method, struct str body, struct err *err)
{
    if (str_is(method, "POST"))
        return 0;
    if (!str_is(method, "GET") && !str_is(method, "DELETE"))
        return err_set(err, EINVAL, "method is \"%.*s\", expected POST, GET or DELETE",
                       STR_FMT(str_slice(method, 0, 32)));
    if (body.ptr)
        return err_set(err, EINVAL, "only POST has a body");
    return 0;
}

static int parse_params(struct call *c, const struct json *params, struct err *err)
{
    struct str route = STR_NONE, path = STR_NONE, method = STR_NONE, body = STR_NONE;
    int rc = json_want_str(params, "route", &route, err);

    if (rc >= 0)
        rc = json_str_or(params, "path", STR(""), &path, err);
    if (rc >= 0)
        rc = json_str_or(params, "method", STR("POST"), &method, err);
    if (rc >= 0)
        rc = json_str_or(params, "body", STR_NONE, &body, err);
    if (rc >= 0)
        rc = json_i64_or(params, "timeoutMs", 0, &c->timeout_ms, err);
    if (rc >= 0)
        rc = parse_method(method, body, err);
    if (rc >= 0 && (c->timeout_ms < 0 || c->timeout_ms > TIMEOUT_MAX_MS))
        rc = err_set(err, EINVAL, "timeoutMs must be 1 to %" PRId64, TIMEOUT_MAX_MS);
    if (rc >= 0 && body.len > CALL_BODY_MAX)
        rc = err_set(err, EMSGSIZE, "the body is longer than %zu bytes", CALL_BODY_MAX);
    if (rc < 0)
        return rc;
    c->route = str_dup(route);
    c->path = str_dup(path);
    c->method = str_dup(method);
    c->body = str_dup(body.ptr ? body : STR(""));
    c->body_len = body.len;
    if (!c->route || !c->path || !c->method || !c->body)
        return err_set(err, ENOMEM, "no memory for a call");
    return parse_headers(c, params, err);
}

int call_parse(struct str id, const struct json *params, struct call **ret, struct err *err)
{
    struct call *c = calloc(1, sizeof(*c));
    int rc;

    if (!c || !(c->id = str_dup(id))) {
        free(c);
        return err_set(err, ENOMEM, "no memory for a call");
    }
    buf_init(&c->response, ROUTE_RESPONSE_MAX);
    rc = parse_params(c, params, err);
    if (rc < 0)
        call_free(c);
    else
        *ret = c;
    return rc;
}

void call_free(struct call *c)
{
    struct curl_slist *h;
    size_t i;

    if (!c)
        return;
    for (h = c->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(c->headers);
    curl_easy_cleanup(c->easy);
    for (i = 0; i < c->kept_count; i++)
        buf_release(&c->kept[i].value);
    buf_release(&c->response);
    free(c->id);
    free(c->route);
    free(c->path);
    free(c->method);
    free(c->body);
    free(c);
}

/* ---- under way ------------------------------------------------------------------------------- */

/* Called when the connection stands and the request is about to be written. libcurl sends a request
 * again by itself when a kept connection turns out to be dead: never once a byte of it has left, as
 * the other side may have acted. */
static int on_connected(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct call *c = arg;
    long written = 0;

    (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
    curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &written);
    if (c->may_send && written > 0) {
        c->sends_again = true;
        return CURL_PREREQFUNC_ABORT;
    }
    c->may_send = true;
    return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct call *c = arg;
    size_t len = size * n;

    if (len > (size_t)c->max_response_bytes - c->response.len) {
        c->is_too_large = true;
        return 0; /* ends the transfer */
    }
    buf_put(&c->response, bytes, len);
    return buf_status(&c->response) < 0 ? 0 : len;
}

static bool has_header(const struct call *c, const char *name)
{
    size_t i;

    for (i = 0; i < c->kept_count; i++)
        if (strcmp(c->kept[i].name, name) == 0)
            return true;
    return false;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct call *c = arg;
    struct str line = {bytes, size * n}, value;
    struct call_header *h = &c->kept[c->kept_count];
    char name[ROUTE_NAME_MAX];

    c->header_bytes += line.len;
    if (c->header_bytes > HEADER_BYTES_MAX) {
        c->is_too_large = true;
        return 0;
    }
    if (c->kept_count == CALL_HEADERS_MAX || !route_keep_header(line, name, &value) ||
        has_header(c, name))
        return line.len;
    memcpy(h->name, name, sizeof(name));
    buf_init(&h->value, ROUTE_VALUE_MAX);
    buf_str_put(&h->value, value);
    if (buf_status(&h->value) < 0)
        return 0;
    c->kept_count++;
    return line.len;
}

static int put_key(struct call *c, const struct route *r, struct err *err)
{
    char value[SECRET_BYTES_MAX + 16];
    struct curl_slist *more;

    if (!r->secret)
        return 0;
    (void)snprintf(
        value, sizeof(value), "%s%s",
        r->auth == ROUTE_AUTH_BEARER ? "authorization: Bearer " : "x-api-key: ", r->secret->text);
    more = curl_slist_append(c->headers, value);
    explicit_bzero(value, sizeof(value));
    if (!more)
        return err_set(err, ENOMEM, "no memory for a call");
    c->headers = more;
    return 0;
}

static int put_route_headers(struct call *c, const struct route *r, struct err *err)
{
    size_t i;
    int rc = 0;

    for (i = 0; i < r->header_count && rc >= 0; i++)
        rc = add_header(c, r->headers[i].name, r->headers[i].value, err);
    if (rc >= 0)
        rc = put_key(c, r, err);
    if (rc >= 0)
        rc = add_header(c, STR("user-agent"), STR("reeve/" REEVE_VERSION), err);
    if (rc < 0)
        return rc;
    struct curl_slist *more = curl_slist_append(c->headers, "Expect:"); /* no waiting for a 100 */
    if (!more)
        return err_set(err, ENOMEM, "no memory for a call");
    c->headers = more;
    return 0;
}

static CURLcode set_walls(CURL *e, const struct route *r)
{
    CURLcode code = CURLE_OK;

    /* Any of these that this libcurl cannot do ends the call: none is done without. */
#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(e, option, value)
    SET(CURLOPT_PROTOCOLS_STR, r->may_http ? "http,https" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (r->ca_file)
        SET(CURLOPT_CAINFO, r->ca_file);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms);
    return code;
}

static CURLcode set_request(struct call *c, CURL *e, const char *url)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_URL, url);
    SET(CURLOPT_HTTPHEADER, c->headers);
    if (strcmp(c->method, "POST") == 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len);
        SET(CURLOPT_POSTFIELDS, c->body);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
        SET(CURLOPT_CUSTOMREQUEST, c->method);
    }
    SET(CURLOPT_PRIVATE, c);
    SET(CURLOPT_ERRORBUFFER, c->why_curl);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, c);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, c);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, c);
#undef SET
    return code;
}

int call_prepare(struct call *c, const struct route *r, struct err *err)
{
    char *url = NULL;
    CURLcode code;
    int rc = route_url(r, str_of(c->path), &url, err);

    if (rc >= 0)
        rc = put_route_headers(c, r, err);
    if (rc >= 0 && !(c->easy = curl_easy_init()))
        rc = err_set(err, ENOMEM, "no memory for a call");
    if (rc >= 0) {
        c->max_response_bytes = r->max_response_bytes;
        code = set_walls(c->easy, r);
        if (code == CURLE_OK)
            code = set_request(c, c->easy, url);
        if (code != CURLE_OK)
            rc = err_set(err, EIO, "prepare a call: %s", curl_easy_strerror(code));
    }
    free(url);
    return rc;
}

/* ---- came back ------------------------------------------------------------------------------- */

enum call_sent call_sent(const struct call *c)
{
    long written = 0;

    if (!c->easy || !c->may_send)
        return CALL_SENT_NO;
    curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &written);
    /* TLS may have put a part of it on the wire before its write is told to be done. */
    return written > 0 || c->header_bytes > 0 ? CALL_SENT_YES : CALL_SENT_UNKNOWN;
}

static int fail(struct call *c, const struct secrets *secrets, struct err *err, const char *what)
{
    err_set(err, EIO, "route %s: %s", c->route, what);
    secrets_redact(secrets, err->text, strlen(err->text));
    return -EIO;
}

int call_judge(struct call *c, CURLcode code, const struct secrets *secrets, int64_t *ret_code,
               struct err *err)
{
    const char *why = c->why_curl[0] != '\0' ? c->why_curl : curl_easy_strerror(code);

    *ret_code = code == CURLE_OPERATION_TIMEDOUT ? WIRE_E_TIMEOUT : WIRE_E_UNAVAILABLE;
    if (c->sends_again)
        return fail(c, secrets, err, "the connection was lost after the request was sent");
    if (c->is_too_large)
        return fail(c, secrets, err, "the response is larger than the route's maxResponseBytes");
    if (code != CURLE_OK)
        return fail(c, secrets, err, why);
    if (!utf8_is_valid(buf_str(&c->response)))
        return fail(c, secrets, err, "the response is not UTF-8 text");
    return 0;
}

int64_t call_retry_after_ms(const struct call *c)
{
    curl_off_t seconds = 0;

    if (!c->easy || curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK ||
        seconds <= 0)
        return 0;
    return (int64_t)MIN(seconds, (curl_off_t)(TIMEOUT_MAX_MS / 1000)) * 1000;
}

static int64_t time_ms(const struct call *c, CURLINFO which)
{
    curl_off_t us = 0;

    curl_easy_getinfo(c->easy, which, &us);
    return (int64_t)(us / 1000);
}

void call_put_result(struct call *c, const struct secrets *secrets, struct jout *j)
{
    long status = 0;
    size_t i;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    jout_object(j);
    jout_m_i64(j, "status", status);
    jout_name(j, "headers");
    jout_object(j);
    for (i = 0; i < c->kept_count; i++) {
        secrets_redact(secrets, c->kept[i].value.ptr, c->kept[i].value.len);
        jout_m_str(j, c->kept[i].name, buf_str(&c->kept[i].value));
    }
    jout_object_end(j);
    secrets_redact(secrets, c->response.ptr, c->response.len);
    jout_m_str(j, "body", buf_str(&c->response));
    jout_m_i64(j, "ttfbMs", time_ms(c, CURLINFO_STARTTRANSFER_TIME_T));
    jout_m_i64(j, "totalMs", time_ms(c, CURLINFO_TOTAL_TIME_T));
    if (call_retry_after_ms(c) > 0)
        jout_m_i64(j, "retryAfterMs", call_retry_after_ms(c));
    jout_object_end(j);
}
