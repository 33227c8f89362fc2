/*
 * broker.c: a scripted broker for tests of workers.
 */
#include "tests/lib/broker.h"

#include <signal.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/sys.h"

static bool take(struct broker *b, struct str line)
{
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    struct arena arena;
    struct wire_message m;
    struct buf out;
    struct err err = ERR_INIT;
    bool goes_on = true;

    arena_init(&arena, (size_t)256 << 20);
    buf_init(&out, (size_t)64 << 20);
    if (wire_parse(line, &limits, &arena, &m, &err) < 0) {
        b->fault++;
    } else {
        b->count++;
        buf_str_put(&b->seen, m.method);
        buf_char(&b->seen, ' ');
        buf_str_put(&b->seen, m.params ? m.params->raw : STR("-"));
        buf_char(&b->seen, '\n');
        goes_on = b->fn(b, &m, &out);
        if (out.len > 0 && fd_write_all(b->fd, out.ptr, out.len, &err) < 0)
            goes_on = false;
    }
    buf_release(&out);
    arena_release(&arena);
    return goes_on;
}

static void *serve(void *arg)
{
    struct broker *b = arg;
    struct err err = ERR_INIT;
    struct buf in;
    bool goes_on = true;

    buf_init(&in, (size_t)64 << 20);
    if (b->flood.len > 0 && fd_write_all(b->fd, b->flood.ptr, b->flood.len, &err) < 0)
        goes_on = false;
    while (goes_on) {
        char *room = buf_reserve(&in, 65536);
        ssize_t n = sys.read(b->fd, room, 65536), end;

        if (n <= 0)
            break;
        buf_added(&in, (size_t)n);
        while (goes_on && (end = str_find(buf_str(&in), '\n', 0)) >= 0) {
            goes_on = take(b, str_slice(buf_str(&in), 0, (size_t)end));
            buf_drop_front(&in, (size_t)end + 1);
        }
    }
    buf_release(&in);
    fd_close(&b->fd);
    return NULL;
}

int broker_start(struct broker *b, broker_fn *fn, void *arg)
{
    struct err err = ERR_INIT;
    int fds[2];

    (void)signal(SIGPIPE, SIG_IGN); /* a worker may be gone before it is answered */
    b->fn = fn;
    b->arg = arg;
    buf_init(&b->seen, (size_t)256 << 20);
    must(sock_pair(fds, false, &err) == 0);
    b->fd = fds[1];
    must(fd_set_nonblock(b->fd, false, &err) >= 0);
    must(pthread_create(&b->thread, NULL, serve, b) == 0);
    return fds[0];
}

void broker_join(struct broker *b)
{
    pthread_join(b->thread, NULL);
}

void broker_release(struct broker *b)
{
    buf_release(&b->seen);
}

size_t broker_saw(const struct broker *b, const char *method)
{
    struct str rest = buf_str(&b->seen), line;
    size_t n = 0;

    while (str_split(&rest, '\n', &line))
        n += str_starts(line, str_of(method)) && line.len > strlen(method) &&
             line.ptr[strlen(method)] == ' ';
    return n;
}

void broker_result(struct buf *out, const struct wire_message *m, const char *result)
{
    must(wire_put_result_raw(out, m->id->raw, str_of(result)) == 0);
}

void broker_error(struct buf *out, const struct wire_message *m, int64_t code, const char *text)
{
    struct wire_out o;

    wire_put_error(&o, out, m->id, code, text);
    must(wire_put_end(&o) == 0);
}
