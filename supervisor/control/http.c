/*
 * http.c: HTTP on the control socket. Runs in reeve-control. Trusts the kernel's ids and
 * libmicrohttpd's parser within its memory limit; trusts no client to be quick, small or
 * well-meaning. Must never hold more for a client than its caps, and never wait for one.
 *
 * A connection's life: accepted (caps) -> given to libmicrohttpd -> requests, one after another
 * (http_request.c) -> closed by either side or by its deadline.
 */
#include "supervisor/control/http_impl.h"

#include <sys/socket.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define ACCEPT_PER_PASS 16
#define ACCEPT_PAUSE_MS 200 /* out of descriptors: until some connection has ended */

/* ---- libmicrohttpd inside the loop ----------------------------------------------------------- */

/* When it wants to be called again without news on a descriptor. */
static void arm_mhd(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_get_timeout(h->mhd, &ms) != MHD_YES)
        ev_timer_stop(h->mhd_timer);
    else
        (void)ev_timer_set(h->mhd_timer, (int64_t)MIN(ms, 60000ull));
}

static void run_mhd(struct http *h)
{
    if (h->is_running)
        return; /* a callback of its own asked: the pass that runs sees it */
    h->is_running = true;
    (void)MHD_run(h->mhd);
    h->is_running = false;
    arm_mhd(h);
}

static void on_mhd_io(void *arg, struct ev_io *io UNUSED, int fd UNUSED, uint32_t events UNUSED)
{
    run_mhd(arg);
}

static void on_mhd_timer(void *arg, struct ev_timer *t UNUSED)
{
    run_mhd(arg);
}

/* Resumed or shut connections are seen by the next run, which comes with the next pass at the
 * latest. */
void http_nudge(struct http *h)
{
    if (!h->is_stopping)
        (void)ev_timer_set(h->mhd_timer, 0);
}

/* ---- connections ----------------------------------------------------------------------------- */

/* libmicrohttpd owns the descriptor; shutting it is how we make it close one that it would keep. */
void connection_cut(struct connection *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    http_nudge(c->http);
}

static void on_deadline(void *arg, struct ev_timer *t UNUSED)
{
    connection_cut(arg);
}

void connection_deadline(struct connection *c, int64_t ms)
{
    if (ms <= 0)
        ev_timer_stop(c->deadline);
    else if (ev_timer_set(c->deadline, ms) < 0)
        connection_cut(c); /* no deadline, no connection */
}

static void connection_free(struct connection *c)
{
    if (!c)
        return;
    if (c->prev)
        c->prev->next = c->next;
    else if (c->http->connections == c)
        c->http->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    ev_timer_free(c->deadline);
    ev_io_free(c->hangup);
    free(c);
}

static int connection_new(struct http *h, int fd, const struct http_peer *peer,
                          struct connection **ret, struct err *err)
{
    struct connection *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(err, ENOMEM, "connection");
    *c = (struct connection){.next = h->connections, .http = h, .peer = *peer, .fd = fd};
    if (h->connections)
        h->connections->prev = c;
    h->connections = c;
    int res = ev_timer_new(h->ev, on_deadline, c, &c->deadline, err);
    if (res >= 0)
        res = ev_timer_set(c->deadline, h->limits.head_ms);
    if (res < 0) {
        connection_free(c);
        return res;
    }
    *ret = c;
    return 0;
}

/* Fails closed: with more groups than we keep, only the primary one counts. */
static int read_peer(int fd, struct http_peer *ret, struct err *err)
{
    uint32_t groups[HTTP_GROUPS_MAX - 1];
    socklen_t size = sizeof(groups);
    *ret = (struct http_peer){.gid_count = 1};
    int res = sock_peer(fd, &ret->cred, err);
    if (res < 0)
        return res;
    ret->gids[0] = ret->cred.gid;
    if (sys.getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) >= 0) {
        memcpy(ret->gids + 1, groups, size);
        ret->gid_count += size / sizeof(groups[0]);
    }
    return 0;
}

static bool has_room(const struct http *h, const struct http_peer *peer)
{
    unsigned same = 0;
    for (const struct connection *c = h->connections; c; c = c->next)
        same += c->peer.cred.uid == peer->cred.uid;
    if (same >= h->limits.max_per_uid)
        return false;
    if (h->count < h->limits.max_connections)
        return true;
    return h->count < h->limits.max_connections + h->limits.reserve &&
           h->owner.is_privileged(h->owner.arg, peer);
}

/* Said once, if the socket takes it at once, without reading a byte of the request. */
static void refuse(int fd)
{
    static const char BODY[] = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
                               "\"status\":503,\"detail\":\"too many connections: close some\"}";
    char text[512];
    int n =
        snprintf(text, sizeof(text),
                 "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
                 "Retry-After: 1\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                 sizeof(BODY) - 1, BODY);
    struct iovec v = {text, (size_t)n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    (void)sys.sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void admit(struct http *h, int *fd)
{
    struct http_peer peer;
    struct err err = ERR_INIT;
    struct connection *c = NULL;
    if (read_peer(*fd, &peer, &err) < 0)
        return;
    if (!has_room(h, &peer)) {
        refuse(*fd);
        return;
    }
    if (connection_new(h, *fd, &peer, &c, &err) < 0)
        return;
    struct sockaddr_storage none = {.ss_family = AF_UNIX};
    h->adding = c;
    /* It closes the descriptor when it fails; c went with the closing notice if there was one. */
    enum MHD_Result ok = MHD_add_connection(h->mhd, fd_take(fd), (const struct sockaddr *)&none,
                                            sizeof(sa_family_t));
    if (h->adding)
        connection_free(h->adding);
    h->adding = NULL;
    if (ok == MHD_YES)
        http_nudge(h);
}

static void on_listen(void *arg, struct ev_io *io UNUSED, int fd, uint32_t events UNUSED)
{
    struct http *h = arg;
    for (int i = 0; i < ACCEPT_PER_PASS; i++) {
        FD_AUTO int client = sys.accept(fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            admit(h, &client);
            continue;
        }
        if (client == -EMFILE || client == -ENFILE || client == -ENOMEM || client == -ENOBUFS) {
            (void)ev_io_set(h->listen_io, 0, NULL);
            (void)ev_timer_set(h->accept_timer, ACCEPT_PAUSE_MS);
        }
        return;
    }
}

static void on_accept_timer(void *arg, struct ev_timer *t UNUSED)
{
    struct http *h = arg;
    (void)ev_io_set(h->listen_io, EPOLLIN, NULL);
}

static void on_notify(void *arg, struct MHD_Connection *mhd UNUSED, void **context,
                      enum MHD_ConnectionNotificationCode code)
{
    struct http *h = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = h->adding;
        h->adding = NULL;
        h->count++;
    } else if (*context) {
        connection_free(*context);
        *context = NULL;
        h->count--;
    }
}

/* ---- the server ------------------------------------------------------------------------------ */

/* Targets stay as they came: route.c has the one reading of them. */
static size_t keep_escapes(void *arg UNUSED, struct MHD_Connection *mhd UNUSED, char *s)
{
    return strlen(s);
}

static int start_mhd(struct http *h, struct err *err)
{
    const struct http_limits *l = &h->limits;
    unsigned all = l->max_connections + l->reserve;
    h->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        request_on_access, h, MHD_OPTION_CONNECTION_LIMIT, all + 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, l->max_head_bytes, MHD_OPTION_CONNECTION_TIMEOUT,
        l->stuck_s, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
        NULL, MHD_OPTION_URI_LOG_CALLBACK, request_on_target, h, MHD_OPTION_NOTIFY_COMPLETED,
        request_on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_notify, h, MHD_OPTION_END);
    if (!h->mhd)
        return err_set(err, EIO, "libmicrohttpd did not start");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || info->epoll_fd < 0)
        return err_set(err, ENOTSUP, "libmicrohttpd was built without epoll");
    return ev_io_new(h->ev, info->epoll_fd, EPOLLIN, on_mhd_io, h, &h->mhd_io, err);
}

int http_new(struct ev *ev, int listen_fd, const struct http_limits *limits,
             const struct http_owner *owner, struct http **ret, struct err *err)
{
    struct http *h = calloc(1, sizeof(*h));
    if (!h)
        return err_set(err, ENOMEM, "http server");
    *h = (struct http){.ev = ev, .limits = *limits, .owner = *owner, .listen_fd = listen_fd};
    int res = ev_timer_new(ev, on_mhd_timer, h, &h->mhd_timer, err);
    if (res >= 0)
        res = ev_timer_new(ev, on_accept_timer, h, &h->accept_timer, err);
    if (res >= 0)
        res = start_mhd(h, err);
    if (res >= 0)
        res = ev_io_new(ev, listen_fd, EPOLLIN, on_listen, h, &h->listen_io, err);
    if (res < 0) {
        http_free(h);
        return err_wrap(err, "http server");
    }
    *ret = h;
    return 0;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    h->is_stopping = true;
    for (struct connection *c = h->connections; c; c = c->next)
        if (c->request)
            request_resume(
                c->request); /* libmicrohttpd ends the process over one that it has to wake */
    if (h->mhd)
        (void)MHD_run(h->mhd);
    ev_io_free(h->listen_io);
    ev_io_free(h->mhd_io);
    ev_timer_free(h->mhd_timer);
    ev_timer_free(h->accept_timer);
    if (h->mhd)
        MHD_stop_daemon(h->mhd);
    while (h->connections)
        connection_free(h->connections);
    free(h);
}

void http_drop_if(struct http *h, bool (*drops)(void *arg, const struct http_peer *peer), void *arg)
{
    for (struct connection *c = h->connections; c; c = c->next)
        if (drops(arg, &c->peer))
            connection_cut(c);
}

unsigned http_connections(const struct http *h)
{
    return h->count;
}
