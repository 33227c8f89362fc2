/*
 * cmd_event.c: reeve event send. Runs in reeve; the event's form is checked here first, so that a
 * mistake in a file is shown with its place.
 */
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"

#define EVENT_MAX (1u << 20)

static int check_event(struct ctl *c, const char *name, struct str text)
{
    static const char *const NEEDED[] = {"specversion", "id", "source", "type"};
    const struct json *event;
    struct err err = ERR_INIT;
    if (json_parse(&c->arena, text, &JSON_LIMITS_DEFAULT, &event, NULL, &err) < 0)
        return ctl_fail(c, CTL_FAILED, "%s: %s", name, err.text);
    if (!json_is(event, JSON_OBJECT))
        return ctl_fail(c, CTL_FAILED, "%s: expected one CloudEvent (an object), found %s", name,
                        json_type_name(event->type));
    for (size_t i = 0; i < ARRAY_LEN(NEEDED); i++)
        if (!show_str(event, NEEDED[i]).len)
            return ctl_fail(c, CTL_FAILED,
                            "%s: a CloudEvent needs \"%s\", a string that is not empty", name,
                            NEEDED[i]);
    return CTL_GOOD;
}

static void put_runs(struct ctl *c, const struct json *answer, int64_t *first)
{
    const struct json *runs = json_get(answer, "runs");
    bool is_duplicate = show_bool(answer, "duplicate");
    size_t count = json_is(runs, JSON_ARRAY) ? runs->array.count : 0;
    *first = show_i64(answer, "run");
    if (!*first && count && json_is(&runs->array.items[0], JSON_INT))
        *first = runs->array.items[0].integer;
    if (c->json)
        return;
    if (is_duplicate)
        style_put(&c->out, &c->style, INK_YELLOW, "this event was taken before\n");
    int64_t woken = show_i64(answer, "woken");
    if (woken)
        buf_fmt(&c->out, "taken; %" PRId64 " waiting %s on\n", woken,
                woken == 1 ? "run goes" : "runs go");
    if (show_str(answer, "denied").len) {
        style_put(&c->out, &c->style, INK_RED, "not started: ");
        style_foreign(&c->out, &c->style, INK_PLAIN, show_str(answer, "denied"), 400);
        buf_char(&c->out, '\n');
    } else if (!count && !*first && !woken && !is_duplicate) {
        buf_cstr(&c->out, "taken; no workflow is started by it\n");
    }
    for (size_t i = 0; i < count; i++)
        buf_fmt(&c->out, "run %.*s\n", STR_FMT(runs->array.items[i].raw));
    if (!count && *first)
        buf_fmt(&c->out, "run %" PRId64 "\n", *first);
}

int cmd_event_send(struct ctl *c)
{
    const struct json *answer = NULL;
    struct buf path;
    char *text = NULL;
    size_t len = 0;
    int64_t run = 0;
    int code = ctl_read_file(c, c->args.words[0], EVENT_MAX, &text, &len);
    if (!code)
        code = check_event(c, c->args.words[0], (struct str){text, len});
    buf_init(&path, 1024);
    buf_cstr(&path, "/v1/events");
    ctl_query(&path, "workflow", args_get(&c->args, OPTION_WORKFLOW));
    if (!code)
        code = ctl_post(c, (struct str){text, len}, "application/cloudevents+json", &answer, "%.*s",
                        STR_FMT(buf_str(&path)));
    buf_release(&path);
    if (!code) {
        put_runs(c, answer, &run);
        if (c->json)
            ctl_put_json(c, answer);
        code = ctl_flush(c);
    }
    free(text);
    if (!code && run && args_has(&c->args, OPTION_FOLLOW))
        code = ctl_follow(c, run);
    return code;
}
