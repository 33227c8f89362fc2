/*
 * httpd.c: an HTTP server for tests that misbehaves on demand.
 */
#include "tests/lib/httpd.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/text/num.h"

struct client {
    struct httpd *h;
    int fd;
};

/* The length of a whole request at the front, or 0. */
static size_t whole(struct str in)
{
    static const char mark[] = "\r\n\r\n", name[] = "Content-Length: ";
    const char *end = in.len > 0 ? memmem(in.ptr, in.len, mark, 4) : NULL, *at;
    uint64_t body = 0;
    size_t head;

    if (!end)
        return 0;
    head = (size_t)(end - in.ptr) + 4;
    at = memmem(in.ptr, head, name, sizeof(name) - 1);
    if (at) {
        struct str rest = str_slice(in, (size_t)(at - in.ptr) + sizeof(name) - 1, head);

        must(num_u64(str_slice(rest, 0, (size_t)str_find(rest, '\r', 0)), &body) == 0);
    }
    return in.len >= head + body ? head + (size_t)body : 0;
}

static bool send_all(int fd, struct str s)
{
    while (s.len > 0) {
        ssize_t n = send(fd, s.ptr, s.len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        s = str_slice(s, (size_t)n, s.len);
    }
    return true;
}

static void wait_for_end(struct client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    char byte;

    while (!c->h->ends && poll(&p, 1, 50) >= 0)
        if ((p.revents & (POLLHUP | POLLERR)) || (p.revents && recv(c->fd, &byte, 1, 0) <= 0))
            return;
}

static enum httpd_then answer(struct client *c, struct str request)
{
    struct httpd *h = c->h;
    struct buf out;
    enum httpd_then then;

    buf_init(&out, (size_t)64 << 20);
    then = h->fn(h->arg, request, ++h->requests, &out);
    if (!send_all(c->fd, buf_str(&out)))
        then = HTTPD_CLOSE;
    if (then == HTTPD_HANG)
        wait_for_end(c);
    buf_release(&out);
    return then;
}

static void *serve(void *arg)
{
    struct client *c = arg;
    enum httpd_then then = HTTPD_KEEP;
    struct buf in;

    buf_init(&in, (size_t)64 << 20);
    while (then == HTTPD_KEEP) {
        size_t n = whole(buf_str(&in));
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        ssize_t got;

        if (n > 0) {
            then = answer(c, str_slice(buf_str(&in), 0, n));
            buf_drop_front(&in, n);
            continue;
        }
        while (!c->h->ends && poll(&p, 1, 50) == 0)
            ;
        char *room = buf_reserve(&in, 65536);
        if (c->h->ends || (got = recv(c->fd, room, 65536, 0)) <= 0)
            break;
        buf_added(&in, (size_t)got);
    }
    buf_release(&in);
    close(c->fd);
    c->h->connections--;
    free(c);
    return NULL;
}

static void *listen_all(void *arg)
{
    struct httpd *h = arg;

    for (;;) {
        struct client *c = calloc(1, sizeof(*c));
        pthread_t thread;

        must(c);
        c->h = h;
        c->fd = accept(h->fd, NULL, NULL);
        if (c->fd < 0) {
            free(c);
            return NULL;
        }
        h->connections++;
        must(pthread_create(&thread, NULL, serve, c) == 0);
        must(pthread_detach(thread) == 0);
    }
}

void httpd_start(struct httpd *h, httpd_fn *fn, void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    *h = (struct httpd){.fn = fn, .arg = arg};
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(h->fd >= 0 && bind(h->fd, (struct sockaddr *)&a, len) == 0 && listen(h->fd, 64) == 0);
    must(getsockname(h->fd, (struct sockaddr *)&a, &len) == 0);
    h->port = ntohs(a.sin_port);
    must(pthread_create(&h->thread, NULL, listen_all, h) == 0);
}

void httpd_stop(struct httpd *h)
{
    h->ends = true;
    shutdown(h->fd, SHUT_RDWR);
    pthread_join(h->thread, NULL);
    close(h->fd);
    while (h->connections > 0)
        poll(NULL, 0, 1); /* its threads look at h: they end at once now */
}

void httpd_put(struct buf *out, int status, const char *headers, const char *body)
{
    buf_fmt(out, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body),
            body);
}
