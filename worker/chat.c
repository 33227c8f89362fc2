/*
 * chat.c: the chat.completions wire format.
 *
 * Runs in reeve-worker, behind its walls. A model's reply is foreign: it is checked member by
 * member, and what is not understood is left out of what goes on.
 */
#include "worker/chat.h"

#define CALL_ID_MAX    256
#define CALL_NAME_MAX  256
#define ARGUMENTS_DEEP 32
#define NAME_SHOWN_MAX 64

static const struct {
    const char *text;
    enum chat_finish finish;
} finishes[] = {
    {"stop", CHAT_STOP},     {"tool_calls", CHAT_TOOLS},  {"function_call", CHAT_TOOLS},
    {"length", CHAT_LENGTH}, {"max_tokens", CHAT_LENGTH}, {"content_filter", CHAT_FILTER},
};

/* `content` is a string, null, or (some gateways) an array of {type:"text",text}. */
static int read_content(struct arena *arena, const struct json *v, struct str *ret, struct err *err)
{
    size_t i, len = 0;
    char *all;

    *ret = STR_NONE;
    if (!v || json_is(v, JSON_NULL))
        return 0;
    if (json_is(v, JSON_STRING)) {
        *ret = v->string;
        return 0;
    }
    if (!json_is(v, JSON_ARRAY))
        return err_set(err, EBADMSG, "message.content is %s", json_type_name(v->type));
    all = arena_alloc(arena, v->raw.len + 1); /* texts are never longer than their source */
    if (!all)
        return err_set(err, ENOMEM, "no memory for a model's reply");
    for (i = 0; i < v->array.count; i++) {
        const struct json *text = json_get(&v->array.items[i], "text");

        if (json_is(text, JSON_STRING) && text->string.len > 0) {
            memcpy(all + len, text->string.ptr, text->string.len);
            len += text->string.len;
        }
    }
    *ret = (struct str){all, len};
    return 0;
}

/* What is no object is told to the model; only running out of memory is a failure. */
static int read_arguments(struct arena *arena, const struct json *v, struct chat_call *call,
                          struct err *ret_err)
{
    const struct json_limits limits = {CHAT_ARGUMENTS_MAX, ARGUMENTS_DEEP, 65536};
    struct err err = ERR_INIT;
    int rc;

    call->text = STR("{}");
    if (json_is(v, JSON_OBJECT)) { /* not the format, but seen: the object itself */
        call->text = v->raw;
        call->arguments = v;
        return 0;
    }
    if (v && !json_is(v, JSON_STRING) && !json_is(v, JSON_NULL)) {
        call->problem = STR("the arguments are not a JSON object");
        return 0;
    }
    if (json_is(v, JSON_STRING) && str_trim(v->string).len > 0)
        call->text = v->string; /* a tool without parameters is often called with "" */
    rc = json_parse(arena, call->text, &limits, &call->arguments, NULL, &err);
    if (rc < 0) {
        call->arguments = NULL;
        call->problem = arena_fmt(arena, "the arguments are not valid JSON: %s", err.text);
    } else if (!json_is(call->arguments, JSON_OBJECT)) {
        call->arguments = NULL;
        call->problem = STR("the arguments are not a JSON object");
    }
    return rc == -ENOMEM || (!call->arguments && !call->problem.ptr)
               ? err_set(ret_err, ENOMEM, "no memory for a model's reply")
               : 0;
}

static int read_call(struct arena *arena, const struct json *v, unsigned turn, size_t at,
                     struct chat_call *call, struct err *err)
{
    const struct json *function;
    int rc = json_want(v, "function", JSON_OBJECT, &function, err);

    if (rc >= 0)
        rc = json_str_or(v, "id", STR_NONE, &call->id, err);
    if (rc >= 0)
        rc = json_want_str(function, "name", &call->name, err);
    if (rc < 0) {
        (void)err_wrap(err, "tool call %zu", at + 1);
        if (err)
            err->number = EBADMSG; /* whatever is amiss, it is the reply's fault */
        return -EBADMSG;
    }
    if (call->name.len == 0 || call->name.len > CALL_NAME_MAX || call->id.len > CALL_ID_MAX)
        return err_set(err, EBADMSG, "tool call %zu: its name or id is empty or too long", at + 1);
    if (call->id.len == 0)
        call->id = arena_fmt(arena, "call_%u_%zu", turn, at);
    if (!call->id.ptr)
        return err_set(err, ENOMEM, "no memory for a model's reply");
    return read_arguments(arena, json_get(function, "arguments"), call, err);
}

static int read_calls(struct arena *arena, const struct json *v, unsigned turn,
                      struct chat_reply *ret, struct err *err)
{
    size_t i, k;

    if (!v || json_is(v, JSON_NULL))
        return 0;
    if (!json_is(v, JSON_ARRAY))
        return err_set(err, EBADMSG, "message.tool_calls is %s", json_type_name(v->type));
    if (v->array.count > CHAT_CALLS_MAX)
        return err_set(err, EBADMSG, "%zu tool calls in one reply, at most %d are taken",
                       v->array.count, CHAT_CALLS_MAX);
    ret->calls = ARENA_ARRAY(arena, v->array.count + 1, struct chat_call);
    if (!ret->calls)
        return err_set(err, ENOMEM, "no memory for a model's reply");
    for (i = 0; i < v->array.count; i++) {
        int rc = read_call(arena, &v->array.items[i], turn, i, &ret->calls[i], err);

        if (rc < 0)
            return rc;
        for (k = 0; k < i; k++)
            if (str_eq(ret->calls[k].id, ret->calls[i].id))
                return err_set(err, EBADMSG, "two tool calls have the id \"%.*s\"",
                               STR_FMT(ret->calls[i].id));
        ret->count++;
    }
    return 0;
}

static enum chat_finish read_finish(const struct json *choice, const struct chat_reply *reply)
{
    const struct json *v = json_get(choice, "finish_reason");
    size_t i;

    /* Gateways differ: what counts is whether there are calls, unless the reply was cut. */
    for (i = 0; i < ARRAY_LEN(finishes); i++)
        if (json_is(v, JSON_STRING) && str_is(v->string, finishes[i].text) &&
            finishes[i].finish >= CHAT_LENGTH)
            return finishes[i].finish;
    return reply->count > 0 ? CHAT_TOOLS : CHAT_STOP;
}

int chat_reply_parse(struct arena *arena, const struct json *response, unsigned turn,
                     struct chat_reply *ret, struct err *err)
{
    const struct json *choices = json_get(response, "choices");
    const struct json *choice, *message;
    int rc;

    *ret = (struct chat_reply){0};
    if (!json_is(response, JSON_OBJECT))
        return err_set(err, EBADMSG, "the reply is not a JSON object");
    if (!json_is(choices, JSON_ARRAY) || choices->array.count == 0)
        return err_set(err, EBADMSG, "the reply has no `choices`");
    choice = &choices->array.items[0];
    message = json_get(choice, "message");
    if (!json_is(message, JSON_OBJECT))
        return err_set(err, EBADMSG, "the reply has no `choices[0].message`");
    rc = read_content(arena, json_get(message, "content"), &ret->content, err);
    if (rc >= 0)
        rc = read_content(arena, json_get(message, "refusal"), &ret->refusal, err);
    if (rc >= 0)
        rc = read_calls(arena, json_get(message, "tool_calls"), turn, ret, err);
    if (rc < 0)
        return rc;
    ret->finish = read_finish(choice, ret);
    if (ret->finish == CHAT_STOP && ret->content.len == 0 && ret->refusal.len == 0)
        return err_set(err, EBADMSG, "the reply has neither text nor tool calls");
    return 0;
}

struct str chat_error_text(const struct json *response)
{
    const struct json *error = json_get(response, "error");
    const struct json *message = json_get(error, "message");

    if (json_is(message, JSON_STRING))
        return message->string;
    if (json_is(error, JSON_STRING))
        return error->string;
    message = json_get(response, "message");
    return json_is(message, JSON_STRING) ? message->string : STR_NONE;
}

/* ---- writing --------------------------------------------------------------------------------- */

void chat_put_text(struct jout *j, const char *role, struct str content)
{
    jout_object(j);
    jout_m_cstr(j, "role", role);
    jout_m_str(j, "content", content);
    jout_object_end(j);
}

/* A name that no gateway would take back is written so that it will. */
static void put_name(struct jout *j, struct str name)
{
    char text[NAME_SHOWN_MAX + 1];
    size_t i, n = MIN(name.len, (size_t)NAME_SHOWN_MAX);

    for (i = 0; i < n; i++) {
        char c = name.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';

        text[i] = ok ? c : '_';
    }
    jout_m_str(j, "name", (struct str){text, n});
}

void chat_put_assistant(struct jout *j, const struct chat_reply *reply)
{
    size_t i;

    jout_object(j);
    jout_m_cstr(j, "role", "assistant");
    jout_name(j, "content");
    if (reply->content.len > 0)
        jout_str(j, reply->content);
    else
        jout_null(j);
    if (reply->count > 0) {
        jout_name(j, "tool_calls");
        jout_array(j);
        for (i = 0; i < reply->count; i++) {
            const struct chat_call *call = &reply->calls[i];

            jout_object(j);
            jout_m_str(j, "id", call->id);
            jout_m_cstr(j, "type", "function");
            jout_name(j, "function");
            jout_object(j);
            put_name(j, call->name);
            jout_m_str(j, "arguments", call->arguments ? call->text : STR("{}"));
            jout_object_end(j);
            jout_object_end(j);
        }
        jout_array_end(j);
    }
    jout_object_end(j);
}

void chat_put_tool(struct jout *j, struct str call_id, struct str content)
{
    jout_object(j);
    jout_m_cstr(j, "role", "tool");
    jout_m_str(j, "tool_call_id", call_id);
    jout_m_str(j, "content", content);
    jout_object_end(j);
}

/* ---- results of tools ------------------------------------------------------------------------ */

static void put_item(struct buf *out, const struct json *item)
{
    const struct json *type = json_get(item, "type");
    const struct json *text = json_get(item, "text");
    const struct json *resource = json_get(item, "resource");

    if (!json_is(text, JSON_STRING))
        text = json_get(resource, "text");
    if (json_is(text, JSON_STRING))
        buf_str_put(out, text->string);
    else
        buf_fmt(out, "[%.*s, not shown]",
                STR_FMT(json_is(type, JSON_STRING) && type->string.len <= 64 ? type->string
                                                                             : STR("content")));
}

static void put_content(struct buf *out, const struct json *result)
{
    const struct json *content = json_get(result, "content");
    const struct json *structured = json_get(result, "structuredContent");
    size_t i, start = out->len;
    struct jout j;

    if (json_is(content, JSON_ARRAY))
        for (i = 0; i < content->array.count; i++) {
            if (i > 0)
                buf_char(out, '\n');
            put_item(out, &content->array.items[i]);
        }
    if (out->len > start || !structured)
        return;
    jout_begin(&j, out);
    jout_json(&j, structured);
    if (jout_end(&j) < 0)
        buf_cstr(out, "[structured content, not shown]");
}

void chat_tool_text(struct buf *out, const struct json *result)
{
    const struct json *failed = json_get(result, "isError");
    size_t start = out->len, all;

    if (json_is(failed, JSON_BOOL) && failed->boolean &&
        !json_get(json_get(result, "_meta"), "io.reeve/denied"))
        buf_cstr(out, "error: ");
    put_content(out, result);
    all = out->len - start;
    if (all == 0)
        buf_cstr(out, "(no content)");
    if (all <= CHAT_TEXT_MAX)
        return;
    all = start + CHAT_TEXT_MAX;
    while (all > start && ((unsigned char)out->ptr[all] & 0xc0) == 0x80)
        all--; /* not in the middle of a character */
    buf_truncate(out, all);
    buf_cstr(out, "\n[cut: the result is longer]");
}
