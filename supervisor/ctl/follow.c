/*
 * follow.c: a run as it happens, on the terminal. Runs in reeve. Goes on where it was when the
 * stream breaks (the daemon's helper may be started anew).
 */
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/trace.h"

#include <poll.h>

#include "sandbox/os/sys.h"

#define TRIES_MAX 20 /* in a row without an event: 19 s in all */
#define STOPPED   1

struct following {
    struct ctl *c;
    char last_id[64];
    char state[32];
    int64_t began_ms;
    bool is_ended;
    unsigned tries;
    int code;
};

static void put_run_line(struct following *f, const struct json *run)
{
    struct ctl *c = f->c;
    struct str state = show_str(run, "state"), wait = show_str(run, "wait");
    style_put(&c->out, &c->style, style_state_ink(state), "%s ",
              style_state_glyph(&c->style, state));
    buf_fmt(&c->out, "run %" PRId64 " ", show_i64(run, "run"));
    style_foreign(&c->out, &c->style, style_state_ink(state), state, 20);
    if (str_is(state, "waiting") && wait.len && !str_is(wait, "none")) {
        buf_cstr(&c->out, " for ");
        style_foreign(&c->out, &c->style, INK_YELLOW, wait, 20);
    }
    if (show_str(run, "reason").len) {
        buf_cstr(&c->out, ": ");
        style_foreign(&c->out, &c->style, INK_PLAIN, show_str(run, "reason"),
                      MAX(c->style.width, 60u) - 40);
    }
    buf_char(&c->out, '\n');
    const struct json *gates = json_get(run, "approvals");
    for (size_t i = 0; json_is(gates, JSON_ARRAY) && i < gates->array.count; i++) {
        int64_t id = show_i64(&gates->array.items[i], "approval");
        style_put(&c->out, &c->style, INK_YELLOW, "      approval %" PRId64 " ", id);
        style_foreign(&c->out, &c->style, INK_BOLD, show_str(&gates->array.items[i], "what"), 60);
        buf_fmt(&c->out, ": reeve approve %" PRId64 "\n", id);
    }
}

static void put_log_line(struct following *f, const struct json *line)
{
    struct ctl *c = f->c;
    char clock[STYLE_TEXT];
    int64_t at;
    style_put(&c->out, &c->style, INK_DIM, "      %s ",
              show_time(line, "at", &at) ? style_clock(&c->style, at, clock) : "");
    style_foreign(&c->out, &c->style, INK_CYAN, show_str(line, "unit"), 20);
    buf_char(&c->out, ' ');
    style_foreign(&c->out, &c->style, INK_DIM, show_str(line, "text"),
                  MAX(c->style.width, 60u) - 36);
    buf_char(&c->out, '\n');
}

static void put_event(struct following *f, struct str event, const struct json *data)
{
    if (str_is(event, "run")) {
        (void)show_time(data, "startedAt", &f->began_ms);
        if (str_copy(show_str(data, "state"), f->state, sizeof(f->state)) < 0)
            f->state[0] = 0;
        if (!f->c->json)
            put_run_line(f, data);
    } else if (str_is(event, "step") && !f->c->json) {
        trace_put_step_line(data, f->began_ms, &f->c->style, &f->c->out);
    } else if (str_is(event, "log") && !f->c->json) {
        put_log_line(f, data);
    }
}

static void put_json_event(struct ctl *c, struct str event, struct str id, const struct json *data)
{
    struct jout j;
    struct buf name;
    buf_init(&name, 1024);
    jout_begin(&j, &name);
    jout_object(&j);
    jout_m_str(&j, "event", event);
    jout_m_str(&j, "id", id);
    jout_object_end(&j);
    if (jout_end(&j) >= 0) {
        buf_str_put(&c->out, str_slice(buf_str(&name), 0, name.len - 1));
        buf_cstr(&c->out, ",\"data\":");
        ctl_put_json(c, data);
        buf_truncate(&c->out, c->out.len - 1);
        buf_cstr(&c->out, "}\n");
    }
    buf_release(&name);
}

static int on_event(void *arg, struct str event, struct str id, struct str data)
{
    struct following *f = arg;
    const struct json *tree;
    struct arena arena;
    struct err err = ERR_INIT;
    arena_init(&arena, 256u << 20);
    f->tries = 0;
    if (str_copy(id, f->last_id, sizeof(f->last_id)) < 0)
        f->last_id[0] = 0;
    if (json_parse(&arena, data, &JSON_LIMITS_DEFAULT, &tree, NULL, &err) >= 0) {
        put_event(f, event, tree);
        if (f->c->json)
            put_json_event(f->c, event, id, tree);
        f->is_ended = str_is(event, "end");
        if (f->is_ended && show_str(tree, "reason").len)
            f->code = ctl_fail(f->c, CTL_FAILED, "%.*s", STR_FMT(show_str(tree, "reason")));
    }
    arena_release(&arena);
    if (ctl_flush(f->c))
        f->code = CTL_FAILED;
    return f->is_ended || f->code ? STOPPED : 0;
}

/* Before it is tried again; a descriptor-less poll is a wait that a signal may end. */
static void pause_before_try(void)
{
    (void)sys.poll(NULL, 0, 1000);
}

static int once(struct following *f, const char *path)
{
    struct client_request r = {.method = "GET", .path = path, .last_event_id = f->last_id};
    struct err err = ERR_INIT;
    struct buf body;
    int status;
    buf_init(&body, 1u << 20);
    int res = client_stream(&f->c->client, &r, on_event, f, &status, &body, &err);
    buf_release(&body);
    if (f->is_ended || f->code)
        return f->code;
    if (status && status != 200 && status != 503) {
        const struct json *run;
        int code = ctl_get(f->c, &run, "%s", path); /* tells the reason as every command does */
        return code ? code : CTL_FAILED;
    }
    if (f->tries++ == 0 && !f->last_id[0] && res < 0)
        return ctl_fail(f->c, res == -EACCES ? CTL_DENIED : CTL_UNREACHABLE, "%s", err.text);
    if (f->tries > TRIES_MAX)
        return ctl_fail(f->c, CTL_UNREACHABLE, "the stream broke off: %s", err.text);
    pause_before_try();
    return CTL_GOOD;
}

int ctl_follow(struct ctl *c, int64_t run)
{
    struct following f = {.c = c};
    char path[64];
    int code = CTL_GOOD;
    snprintf(path, sizeof(path), "/v1/runs/%" PRId64 "/follow", run);
    while (!code && !f.is_ended)
        code = once(&f, path);
    if (code)
        return code;
    return strcmp(f.state, "succeeded") == 0 ? CTL_GOOD : CTL_FAILED;
}

int cmd_run_follow(struct ctl *c)
{
    int64_t run;
    int code = ctl_id(c, 0, "RUN", &run);
    return code ? code : ctl_follow(c, run);
}
