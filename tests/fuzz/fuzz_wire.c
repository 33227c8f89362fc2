/*
 * fuzz_wire.c: a stream of bytes gives the same messages and the same end, however it is cut into
 * pieces; what the wire was told is what its owner would parse; whatever the owner does meanwhile
 * (answering, calling, pausing, freeing), nothing breaks.
 *
 * The first byte of the input picks the pieces, the second what the owner does.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DO_ANSWER = 1, DO_CALL = 2, DO_PAUSE = 4, DO_FREE = 8 };

struct seen {
    struct wire *wire;
    unsigned does;
    unsigned messages;
    int number; /* of the end; -1: still open */
    struct buf text;
};

static const struct wire_limits limits = {.max_message_bytes = 4096,
                                          .max_depth = 8,
                                          .max_values = 64,
                                          .max_out_bytes = 1 << 20,
                                          .max_per_pass = 3,
                                          .partial_ms = 1000};

static void on_reply(void *arg, struct wire *w, const struct wire_message *m)
{
    struct seen *s = arg;
    must(w == s->wire);
    must(m->kind == WIRE_RESULT || m->kind == WIRE_ERROR);
    buf_fmt(&s->text, "reply %d\n", (int)m->kind);
}

static void on_message(void *arg, struct wire *w, const struct wire_message *m)
{
    struct seen *s = arg;
    struct wire_out o;
    must(w == s->wire && s->number == -1);
    must(m->kind == WIRE_REQUEST || m->kind == WIRE_NOTIFICATION);
    must(!m->params || json_is(m->params, JSON_OBJECT));
    must((m->kind == WIRE_REQUEST) == (m->id != NULL));
    must(m->size_bytes <= limits.max_message_bytes);
    s->messages++;
    buf_fmt(&s->text, "%d ", (int)m->kind);
    buf_str_put(&s->text, m->method);
    if (m->id)
        buf_str_put(&s->text, m->id->raw);
    if (m->params)
        buf_str_put(&s->text, m->params->raw);
    buf_char(&s->text, '\n');
    if ((s->does & DO_ANSWER) && m->id) {
        wire_result(w, &o, m->id);
        jout_m_json(&o.j, "echo", m->params);
        must(wire_end(w, &o, NULL) == 0);
    }
    if ((s->does & DO_CALL) && s->messages % 2) {
        must(wire_call_begin(w, &o, "call") == 0);
        must(wire_call_end(w, &o, 50, on_reply, s, NULL, NULL) == 0);
    }
    if (s->does & DO_PAUSE)
        wire_pause(w, true);
    if ((s->does & DO_FREE) && s->messages == 3) {
        wire_free(w);
        s->wire = NULL;
    }
}

static void on_closed(void *arg, struct wire *w, const struct err *why)
{
    struct seen *s = arg;
    must(w == s->wire && s->number == -1);
    must(why->number == 0 || why->text[0]);
    s->number = why->number;
    wire_free(w);
    s->wire = NULL;
}

static void run_passes(struct ev *ev, struct seen *s, int peer)
{
    char sink[4096];
    for (int i = 0; i < 4; i++) {
        must(ev_once(ev, 0, NULL) == 0);
        while (recv(peer, sink, sizeof sink, MSG_DONTWAIT) > 0)
            ;
        if (s->wire && (s->does & DO_PAUSE))
            wire_pause(s->wire, false);
    }
}

/* Feeds it in pieces of 1 to `most` bytes. */
static void feed(const uint8_t *data, size_t size, size_t most, struct seen *s)
{
    struct clock_virtual clock;
    struct wire_owner owner = {on_message, on_closed, s};
    struct ev *ev;
    int fds[2];
    uint64_t rng = size;
    clock_virtual_init(&clock, 1);
    must(ev_new(&ev, &clock.clock, NULL) == 0);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    must(wire_new(ev, fds[0], &limits, false, &owner, &s->wire, NULL) == 0);
    for (size_t at = 0; at < size && s->wire;) {
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        size_t n = MIN(1 + (size_t)(rng >> 33) % most, size - at);
        ssize_t r = send(fds[1], data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (r > 0)
            at += (size_t)r;
        run_passes(ev, s, fds[1]);
    }
    shutdown(fds[1], SHUT_WR);
    for (unsigned i = 0; i < size && s->wire; i++)
        run_passes(ev, s, fds[1]);
    run_passes(ev, s, fds[1]);
    must(!s->wire); /* closed or freed, whatever it was */
    close(fds[1]);
    ev_free(ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {.number = -1}, pieces = {.number = -1};
    if (size < 2 || size > 20000)
        return 0;
    size_t most = data[0] % 8 ? (size_t)data[0] : 1;
    whole.does = pieces.does = data[1] % 16;
    buf_init(&whole.text, 64u << 20);
    buf_init(&pieces.text, 64u << 20);
    feed(data + 2, size - 2, size, &whole);
    feed(data + 2, size - 2, most, &pieces);
    must(whole.messages == pieces.messages);
    must(whole.number == pieces.number);
    must(str_eq(buf_str(&whole.text), buf_str(&pieces.text)));
    buf_release(&whole.text);
    buf_release(&pieces.text);
    return 0;
}
