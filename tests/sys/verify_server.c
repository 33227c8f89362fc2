/*
 * verify_server.c: an MCP server for tests/sys/09: `pay`, which is no idempotent tool and dies in its first call,
 * before or after the effect; and `was_paid`, which tells by the idempotency key whether it happened.
 *
 *   verify_server DIR before|after|silent     DIR/effects has a line a payment, DIR/died marks the first death
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sandbox/os/wire.h"

static const char *dir, *how;

static void path_of(const char *name, char out[512])
{
    snprintf(out, 512, "%s/%s", dir, name);
}

static bool has_line(const char *name, const char *line)
{
    char path[512], got[512];
    path_of(name, path);
    FILE *f = fopen(path, "r");
    bool found = false;
    while (f && !found && fgets(got, sizeof(got), f))
        found = strncmp(got, line, strlen(line)) == 0;
    if (f)
        fclose(f);
    return found;
}

static void add_line(const char *name, const char *line)
{
    char path[512];
    path_of(name, path);
    FILE *f = fopen(path, "a");
    if (!f)
        _exit(3);
    fprintf(f, "%s\n", line);
    fflush(f);
    fsync(fileno(f));
    fclose(f);
}

static void put_text(struct wire_out *o, const char *text)
{
    jout_name(&o->j, "content");
    jout_array(&o->j);
    jout_object(&o->j);
    jout_m_cstr(&o->j, "type", "text");
    jout_m_cstr(&o->j, "text", text);
    jout_object_end(&o->j);
    jout_array_end(&o->j);
}

static void put_tool(struct jout *j, const char *name)
{
    jout_object(j);
    jout_m_cstr(j, "name", name);
    jout_name(j, "inputSchema");
    jout_raw(j, STR("{\"type\":\"object\"}"));
    jout_object_end(j);
}

static void call(struct wire_out *o, const struct wire_message *m)
{
    char key[128] = "";
    struct str name = STR_NONE;
    struct err err = ERR_INIT;
    const struct json *k = json_get(json_get(m->params, "_meta"), "io.reeve/idempotencyKey");
    if (json_want_str(m->params, "name", &name, &err) < 0 || !k || str_copy(k->string, key, sizeof(key)) < 0)
        _exit(4);
    if (str_is(name, "pay")) {
        bool first = !has_line("died", "yes");
        if (first)
            add_line("died", "yes");
        if (first && strcmp(how, "before") == 0)
            _exit(9);
        add_line("effects", key);
        if (first)
            _exit(9);
        put_text(o, "paid");
        return;
    }
    put_text(o, "looked");
    if (strcmp(how, "silent") == 0)
        return;
    jout_name(&o->j, "structuredContent");
    jout_object(&o->j);
    jout_m_bool(&o->j, "happened", has_line("effects", key));
    jout_object_end(&o->j);
}

static void answer(const struct wire_message *m, struct buf *out)
{
    struct wire_out o;
    if (m->kind != WIRE_REQUEST)
        return;
    wire_put_result(&o, out, m->id);
    if (str_is(m->method, "server/discover")) {
        jout_name(&o.j, "supportedVersions");
        jout_raw(&o.j, STR("[\"2026-07-28\"]"));
    } else if (str_is(m->method, "tools/list")) {
        jout_name(&o.j, "tools");
        jout_array(&o.j);
        put_tool(&o.j, "pay");
        put_tool(&o.j, "was_paid");
        jout_array_end(&o.j);
    } else if (str_is(m->method, "tools/call")) {
        call(&o, m);
    }
    if (wire_put_end(&o) < 0)
        _exit(5);
}

int main(int argc, char **argv)
{
    static char line[1 << 20];
    const struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    if (argc != 3)
        return 2;
    dir = argv[1];
    how = argv[2];
    while (fgets(line, sizeof(line), stdin)) {
        struct arena a;
        struct buf out;
        struct wire_message m;
        struct err err = ERR_INIT;
        arena_init(&a, 16u << 20);
        buf_init(&out, 1u << 20);
        size_t len = strlen(line);
        if (len && line[len - 1] == '\n')
            len--;
        if (wire_parse((struct str){line, len}, &limits, &a, &m, &err) >= 0)
            answer(&m, &out);
        if (out.len && write(1, out.ptr, out.len) != (ssize_t)out.len)
            return 6;
        buf_release(&out);
        arena_release(&a);
    }
    return 0;
}
