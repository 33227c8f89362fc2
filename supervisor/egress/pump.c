/*
 * pump.c: libcurl's multi interface on our event loop.
 *
 * Runs in reeve-egress.
 */
#include "supervisor/egress/pump.h"

#define CONNECTIONS_KEPT 32L

struct pump {
    struct ev *ev;
    CURLM *multi;
    struct ev_timer *timer;
    pump_done_fn *fn;
    void *arg;
};

struct pump_socket {
    struct pump *pump;
    struct ev_io *io;
};

static void take_finished(struct pump *p)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(p->multi, &left)) != NULL) {
        CURL *easy = m->easy_handle;
        CURLcode code = m->data.result;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_multi_remove_handle(p->multi, easy); /* m is gone with it */
        p->fn(p->arg, easy, code);
    }
}

static void on_ready(void *arg, struct ev_io *io, int fd, uint32_t events)
{
    struct pump_socket *s = arg;
    struct pump *p = s->pump; /* s may be freed inside */
    int mask = 0, running;

    (void)io;
    if (events & (EPOLLIN | EPOLLHUP))
        mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(p->multi, fd, mask, &running);
    take_finished(p);
}

static void on_timer(void *arg, struct ev_timer *t)
{
    struct pump *p = arg;
    int running;

    (void)t;
    curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_finished(p);
}

static void socket_free(struct pump *p, curl_socket_t fd, struct pump_socket *s)
{
    if (!s)
        return;
    curl_multi_assign(p->multi, fd, NULL);
    ev_io_free(s->io);
    free(s);
}

/* A source that cannot be made would leave its transfer without an end: the deadline of each call
 * is what ends it then. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
    struct pump *p = arg;
    struct pump_socket *s = data;
    uint32_t events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                      (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
    struct err err = ERR_INIT;

    (void)easy;
    if (what == CURL_POLL_REMOVE || events == 0) {
        socket_free(p, fd, s);
        return 0;
    }
    if (s)
        return ev_io_set(s->io, events, &err) < 0 ? -1 : 0;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -1;
    s->pump = p;
    if (ev_io_new(p->ev, fd, events, on_ready, s, &s->io, &err) < 0) {
        free(s);
        return -1;
    }
    curl_multi_assign(p->multi, fd, s);
    return 0;
}

static int on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
    struct pump *p = arg;

    (void)multi;
    if (timeout_ms < 0)
        ev_timer_stop(p->timer);
    else if (ev_timer_set(p->timer, timeout_ms) < 0)
        return -1;
    return 0;
}

int pump_new(struct ev *ev, pump_done_fn *fn, void *arg, struct pump **ret, struct err *err)
{
    struct pump *p = calloc(1, sizeof(*p));
    int rc;

    if (!p)
        return err_set(err, ENOMEM, "no memory for transfers");
    *p = (struct pump){.ev = ev, .fn = fn, .arg = arg};
    rc = ev_timer_new(ev, on_timer, p, &p->timer, err);
    if (rc < 0) {
        free(p);
        return rc;
    }
    p->multi = curl_multi_init();
    if (!p->multi) {
        ev_timer_free(p->timer);
        free(p);
        return err_set(err, ENOMEM, "no memory for transfers");
    }
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
    curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    *ret = p;
    return 0;
}

void pump_free(struct pump *p)
{
    if (!p)
        return;
    curl_multi_cleanup(p->multi);
    ev_timer_free(p->timer);
    free(p);
}

int pump_add(struct pump *p, CURL *easy, struct err *err)
{
    CURLMcode code = curl_multi_add_handle(p->multi, easy);

    return code == CURLM_OK ? 0
                            : err_set(err, EIO, "start a transfer: %s", curl_multi_strerror(code));
}

void pump_remove(struct pump *p, CURL *easy)
{
    curl_multi_remove_handle(p->multi, easy);
}
