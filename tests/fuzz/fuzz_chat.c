/*
 * fuzz_chat.c: whatever a model or a tool server sends: what is taken of it can be written as
 * messages that are JSON, bounded, and means the same when it is read again.
 */
#include "policy/text/utf8.h"
#include "worker/chat.h"
#include "worker/prompt.h"
#include "worker/surface.h"
#include "worker/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX ((size_t)64 << 20)

/* What was written is read back with the same calls. */
static void check_reply(struct arena *a, const struct chat_reply *r)
{
    struct chat_reply again;
    const struct json *v = NULL;
    struct buf out;
    struct jout j;
    size_t i;

    must(r->count <= CHAT_CALLS_MAX);
    buf_init(&out, OUT_MAX);
    buf_cstr(&out, "{\"choices\":[{\"message\":");
    jout_begin(&j, &out);
    chat_put_assistant(&j, r);
    must(jout_end(&j) == 0);
    buf_cstr(&out, "}]}");
    must(json_parse(a, buf_str(&out), &JSON_LIMITS_DEFAULT, &v, NULL, NULL) == 0);
    if (r->count > 0) {
        must(chat_reply_parse(a, v, 1, &again, NULL) == 0);
        must(again.count == r->count && again.finish == CHAT_TOOLS);
    }
    for (i = 0; i < r->count; i++) {
        must(str_eq(again.calls[i].id, r->calls[i].id));
        must(again.calls[i].arguments); /* what was no object went back as one */
        must(r->calls[i].arguments || r->calls[i].problem.len > 0);
    }
    buf_release(&out);
}

static void check_result(struct arena *a, const struct json *v)
{
    const struct json *messages = NULL;
    struct talk t;
    struct buf out, text;
    struct jout j;

    buf_init(&text, OUT_MAX);
    chat_tool_text(&text, v);
    must(text.len > 0 && text.len <= CHAT_TEXT_MAX + 64);
    must(utf8_is_valid(buf_str(&text)));
    talk_init(&t, OUT_MAX);
    must(talk_result(&t, STR("c"), buf_str(&text), NULL) == 0);
    buf_init(&out, OUT_MAX);
    jout_begin(&j, &out);
    talk_put(&t, &j);
    must(jout_end(&j) == 0);
    must(json_parse(a, buf_str(&out), &JSON_LIMITS_DEFAULT, &messages, NULL, NULL) == 0);
    must(messages->array.count == 1);
    buf_release(&out);
    buf_release(&text);
    talk_release(&t);
}

static void check_surface(const struct json *v)
{
    struct surface s = {0};
    char guess[SURFACE_NAME_MAX + 1];
    size_t i;

    if (surface_add(&s, v, NULL) == 0 && surface_finish(&s, NULL) == 0)
        for (i = 0; i < s.count; i++) {
            must(surface_find(&s, str_of(s.tools[i].shown)) == &s.tools[i]);
            (void)surface_guess(str_of(s.tools[i].shown), guess);
        }
    surface_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct chat_reply reply;
    const struct json *v = NULL;
    struct arena a;
    struct buf out;

    arena_init(&a, OUT_MAX);
    if (json_parse(&a, text, &JSON_LIMITS_DEFAULT, &v, NULL, NULL) == 0) {
        if (chat_reply_parse(&a, v, 1, &reply, NULL) == 0)
            check_reply(&a, &reply);
        (void)chat_error_text(v);
        check_result(&a, v);
        check_surface(v);
        buf_init(&out, OUT_MAX);
        prompt_put(&out, STR("{{event.data}} {{event.id}} {{x"), v);
        prompt_put(&out, text, v);
        buf_release(&out);
    }
    arena_release(&a);
    return 0;
}
