/*
 * client.c: reeve's side of the control socket. Trusts the daemon to be the daemon (the socket's
 * directory is root's), and still bounds what it takes from it.
 */
#include "supervisor/ctl/client.h"

#include <curl/curl.h>

#define CONNECT_MS 5000
#define TIMEOUT_MS 60000

struct transfer {
    CURL *curl;
    struct buf *body;
    struct sse *sse; /* NULL: no stream */
    int stopped;     /* what the callback said */
};

static size_t on_data(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (t->sse && status == 200) {
        t->stopped = sse_feed(t->sse, (struct str){p, len});
        return t->stopped ? 0 : len;
    }
    buf_put(t->body, p, len);
    t->stopped = buf_status(t->body);
    return t->stopped ? 0 : len;
}

static int set_up(struct client *c, const struct client_request *r, struct transfer *t,
                  struct curl_slist *headers, struct err *err)
{
    char url[2048];
    CURL *h = t->curl;
    int n = snprintf(url, sizeof(url), "http://reeve%s", r->path);
    if (n < 0 || (size_t)n >= sizeof(url))
        return err_set(err, ENAMETOOLONG, "the request's path is too long");
    curl_easy_reset(h);
    bool ok = curl_easy_setopt(h, CURLOPT_URL, url) == CURLE_OK &&
              curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->socket) == CURLE_OK &&
              curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
              curl_easy_setopt(h, CURLOPT_PROXY, "") == CURLE_OK &&
              curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
              curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
              curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
              curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK &&
              curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
              curl_easy_setopt(h, CURLOPT_WRITEDATA, t) == CURLE_OK;
    if (ok && !t->sse)
        ok = curl_easy_setopt(h, CURLOPT_TIMEOUT_MS,
                              (long)(r->timeout_ms ? r->timeout_ms : TIMEOUT_MS)) == CURLE_OK;
    if (ok && strcmp(r->method, "POST") == 0)
        ok =
            curl_easy_setopt(h, CURLOPT_POST, 1L) == CURLE_OK &&
            curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len) == CURLE_OK &&
            curl_easy_setopt(h, CURLOPT_POSTFIELDS, r->body.ptr ? r->body.ptr : "") == CURLE_OK;
    return ok ? 0 : err_set(err, EIO, "libcurl refused to be set up");
}

static int explain(struct client *c, struct transfer *t, CURLcode code, struct err *err)
{
    long os = 0;
    if (t->stopped > 0)
        return t->stopped; /* the stream's reader has seen enough */
    if (t->stopped < 0)
        return err_sys(err, -t->stopped, "the daemon's answer");
    if (code == CURLE_COULDNT_CONNECT) {
        curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &os);
        return err_sys(err, os ? (int)os : ECONNREFUSED, "cannot reach reeved at %s", c->socket);
    }
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ETIMEDOUT, "reeved at %s did not answer in time", c->socket);
    return err_set(err, EIO, "talk with reeved at %s: %s", c->socket, curl_easy_strerror(code));
}

static int transfer(struct client *c, const struct client_request *r, struct transfer *t,
                    int *ret_status, struct err *err)
{
    char text[128];
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:"); /* no pause before a body */
    if (r->content_type) {
        snprintf(text, sizeof(text), "Content-Type: %s", r->content_type);
        headers = curl_slist_append(headers, text);
    }
    if (r->last_event_id && r->last_event_id[0]) {
        snprintf(text, sizeof(text), "Last-Event-ID: %s", r->last_event_id);
        headers = curl_slist_append(headers, text);
    }
    if (!c->curl)
        c->curl = curl_easy_init();
    t->curl = c->curl;
    int res = t->curl && headers ? set_up(c, r, t, headers, err) : err_set(err, ENOMEM, "libcurl");
    if (res >= 0) {
        CURLcode code = curl_easy_perform(t->curl);
        long status = 0;
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
        *ret_status = (int)status;
        res = code == CURLE_OK ? 0 : explain(c, t, code, err);
    }
    curl_slist_free_all(headers);
    return res;
}

int client_call(struct client *c, const struct client_request *r, int *ret_status, struct buf *body,
                struct err *err)
{
    struct transfer t = {.body = body};
    *ret_status = 0;
    return transfer(c, r, &t, ret_status, err);
}

int client_stream(struct client *c, const struct client_request *r, sse_fn *fn, void *arg,
                  int *ret_status, struct buf *body, struct err *err)
{
    struct sse sse;
    struct transfer t = {.body = body, .sse = &sse};
    *ret_status = 0;
    sse_init(&sse, fn, arg);
    int res = transfer(c, r, &t, ret_status, err);
    sse_release(&sse);
    return res;
}

void client_release(struct client *c)
{
    if (c->curl)
        curl_easy_cleanup(c->curl);
    c->curl = NULL;
}
