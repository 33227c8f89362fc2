/*
 * effects: a tool server (MCP over standard input and output) that records what is done through it,
 * for the crash harness. One line a request, appended and synced before the answer:
 *
 *     TOOL KEY ID
 *
 * With a second FILE it takes its time: it says nothing before that one is there.
 *
 * TOOL is what was asked for, KEY the idempotency key, ID the argument `id`. A line is the effect:
 * whoever reads the file knows what happened, whatever died.
 *
 *     look  reads             note  idempotent: the same key again is the same effect
 *     pay   neither           wire  neither, and policy puts it to people
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sandbox/os/wire.h"

#define LINE_BYTES 65536

static void put_error(struct buf *out, const struct wire_message *m, int64_t code, const char *text)
{
    struct wire_out o;
    wire_put_error(&o, out, m->id, code, text);
    must(wire_put_end(&o) == 0);
}

static void on_initialize(struct buf *out, const struct wire_message *m)
{
    struct wire_out o;
    wire_put_result(&o, out, m->id);
    jout_m_cstr(&o.j, "protocolVersion", "2025-11-25");
    jout_name(&o.j, "capabilities");
    jout_raw(&o.j, STR("{\"tools\":{}}"));
    jout_name(&o.j, "serverInfo");
    jout_raw(&o.j, STR("{\"name\":\"effects\",\"version\":\"1\"}"));
    must(wire_put_end(&o) == 0);
}

static void on_list(struct buf *out, const struct wire_message *m)
{
    static const char *const names[] = {"look", "note", "pay", "wire"};
    struct wire_out o;
    wire_put_result(&o, out, m->id);
    jout_name(&o.j, "tools");
    jout_array(&o.j);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        jout_object(&o.j);
        jout_m_cstr(&o.j, "name", names[i]);
        jout_m_cstr(&o.j, "description", "records that it was asked for");
        jout_name(&o.j, "inputSchema");
        jout_raw(&o.j, STR("{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"}},"
                           "\"required\":[\"id\"]}"));
        jout_object_end(&o.j);
    }
    jout_array_end(&o.j);
    must(wire_put_end(&o) == 0);
}

static int record(int fd, struct str tool, struct str key, struct str id)
{
    char line[1024];
    int n =
        snprintf(line, sizeof(line), "%.*s %.*s %.*s\n", STR_FMT(tool), STR_FMT(key), STR_FMT(id));
    if (n < 0 || n >= (int)sizeof(line) || write(fd, line, (size_t)n) != n)
        return -1;
    return fdatasync(fd);
}

static void on_call(struct buf *out, const struct wire_message *m, int fd)
{
    struct wire_out o;
    struct str tool, id, key;
    struct err err = ERR_INIT;
    if (json_want_str(m->params, "name", &tool, &err) < 0 ||
        json_want_str(json_get(m->params, "arguments"), "id", &id, &err) < 0 ||
        json_str_or(json_get(m->params, "_meta"), "io.reeve/idempotencyKey", STR("-"), &key, &err) <
            0 ||
        record(fd, tool, key, id) < 0) {
        put_error(out, m, WIRE_E_PARAMS, "cannot be recorded");
        return;
    }
    wire_put_result(&o, out, m->id);
    jout_name(&o.j, "content");
    jout_array(&o.j);
    jout_object(&o.j);
    jout_m_cstr(&o.j, "type", "text");
    jout_m_fmt(&o.j, "text", "%.*s %.*s", STR_FMT(tool), STR_FMT(id));
    jout_object_end(&o.j);
    jout_array_end(&o.j);
    must(wire_put_end(&o) == 0);
}

static int take_line(struct str line, struct buf *out, int fd)
{
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    struct arena a;
    struct wire_message m;
    struct err err = ERR_INIT;
    arena_init(&a, 64u << 20);
    buf_clear(out);
    if (wire_parse(line, &limits, &a, &m, &err) < 0)
        fprintf(stderr, "effects: %s\n", err.text);
    else if (m.kind == WIRE_REQUEST && str_is(m.method, "initialize"))
        on_initialize(out, &m);
    else if (m.kind == WIRE_REQUEST && str_is(m.method, "tools/list"))
        on_list(out, &m);
    else if (m.kind == WIRE_REQUEST && str_is(m.method, "tools/call"))
        on_call(out, &m, fd);
    else if (m.kind == WIRE_REQUEST)
        put_error(out, &m, WIRE_E_METHOD, "no such method");
    ssize_t n = out->len ? write(1, out->ptr, out->len) : 0;
    int rc = n == (ssize_t)out->len ? 0 : -1;
    arena_release(&a);
    return rc;
}

int main(int argc, char **argv)
{
    static char in[LINE_BYTES];
    size_t len = 0;
    struct buf out;
    int fd = argc == 2 || argc == 3 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
                                    : -1;
    if (fd < 0) {
        fprintf(stderr, "usage: effects FILE [FILE] (the first can be written)\n");
        return 2;
    }
    buf_init(&out, 1u << 20);
    while (argc == 3 && access(argv[2], F_OK) != 0)
        (void)usleep(5000);
    for (;;) {
        ssize_t n = read(0, in + len, sizeof(in) - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        for (char *end; (end = memchr(in, '\n', len));) {
            size_t line = (size_t)(end - in);
            if (take_line((struct str){in, line}, &out, fd) < 0)
                return 1;
            len -= line + 1;
            memmove(in, end + 1, len);
        }
    }
    buf_release(&out);
    return 0;
}
