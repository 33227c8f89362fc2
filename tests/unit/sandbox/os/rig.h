/*
 * rig.h: a wire against a peer that the test plays by hand, in virtual time.
 *
 * The peer's end is a plain non-blocking socket: the test writes any bytes and reads what came.
 * What the wire tells its owner is written to `told`, one line each.
 */
#ifndef REEVE_TESTS_OS_RIG_H
#define REEVE_TESTS_OS_RIG_H

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/cm.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/wire.h"

struct rig {
    struct clock_virtual clock;
    struct ev *ev;
    struct wire *wire;
    int peer;
    struct buf told;
    bool closed;
    struct err why;
    /* What the owner does with a message, beside writing it down; may be NULL. */
    void (*on_message)(struct rig *rig, const struct wire_message *m);
    bool keep; /* do not free the wire when it closes */
};

static inline void rig_on_message(void *arg, struct wire *w, const struct wire_message *m)
{
    struct rig *rig = arg;
    assert_ptr_equal(w, rig->wire);
    assert_false(rig->closed);
    buf_fmt(&rig->told, "%s %.*s", m->kind == WIRE_REQUEST ? "ask" : "note", STR_FMT(m->method));
    if (m->id)
        buf_fmt(&rig->told, " %.*s", STR_FMT(m->id->raw));
    if (m->params)
        buf_fmt(&rig->told, " %.*s", (int)MIN(m->params->raw.len, 60u), m->params->raw.ptr);
    buf_char(&rig->told, '\n');
    if (rig->on_message)
        rig->on_message(rig, m);
}

static inline void rig_on_closed(void *arg, struct wire *w, const struct err *why)
{
    struct rig *rig = arg;
    assert_ptr_equal(w, rig->wire);
    assert_false(rig->closed); /* once */
    rig->closed = true;
    rig->why = *why;
    buf_fmt(&rig->told, "closed %s\n", why->number ? err_name(why->number) : "ok");
    if (!rig->keep) {
        wire_free(w);
        rig->wire = NULL;
    }
}

static inline void rig_init_with(struct rig *rig, const struct wire_limits *limits, bool may_pass)
{
    int fds[2];
    struct err err = ERR_INIT;
    *rig = (struct rig){.peer = -1};
    buf_init(&rig->told, 64u << 20);
    clock_virtual_init(&rig->clock, 1);
    assert_int_equal(ev_new(&rig->ev, &rig->clock.clock, &err), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct wire_owner owner = {rig_on_message, rig_on_closed, rig};
    if (wire_new(rig->ev, fds[0], limits, may_pass, &owner, &rig->wire, &err) < 0)
        fail_msg("%s", err.text);
    rig->peer = fds[1];
    assert_true(fd_set_nonblock(rig->peer, true, &err) >= 0);
}

static inline void rig_init(struct rig *rig)
{
    rig_init_with(rig, NULL, false);
}

static inline void rig_release(struct rig *rig)
{
    wire_free(rig->wire);
    ev_free(rig->ev);
    fd_close(&rig->peer);
    buf_release(&rig->told);
}

/* Passes until nothing is ready and nothing is due now. */
static inline void rig_run(struct rig *rig)
{
    struct err err = ERR_INIT;
    for (int i = 0; i < 50; i++)
        assert_int_equal(ev_once(rig->ev, 0, &err), 0);
}

static inline void rig_pass(struct rig *rig)
{
    struct err err = ERR_INIT;
    assert_int_equal(ev_once(rig->ev, 0, &err), 0);
}

static inline void rig_send(struct rig *rig, const char *bytes)
{
    size_t n = strlen(bytes);
    assert_int_equal(send(rig->peer, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Writes and runs until the peer's kernel buffer took all of it (or the wire closed). */
static inline void rig_pour(struct rig *rig, const char *bytes, size_t n)
{
    while (n > 0 && !rig->closed) {
        ssize_t r = send(rig->peer, bytes, n, MSG_NOSIGNAL);
        if (r > 0) {
            bytes += r;
            n -= (size_t)r;
        }
        rig_pass(rig);
    }
    rig_run(rig);
}

/* What the wire has sent by now. Static: the next call overwrites it. */
static inline struct str rig_recv(struct rig *rig)
{
    static char bytes[1 << 16];
    ssize_t n = recv(rig->peer, bytes, sizeof bytes, MSG_DONTWAIT);
    return (struct str){bytes, n > 0 ? (size_t)n : 0};
}

#define assert_told(rig, want)                   \
    do {                                         \
        assert_str(buf_str(&(rig)->told), want); \
        buf_clear(&(rig)->told);                 \
    } while (0)

static inline size_t count_open_fds(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

#endif
