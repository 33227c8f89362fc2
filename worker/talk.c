/*
 * talk.c: a conversation with a model.
 *
 * Runs in reeve-worker, behind its walls. Kept as text: each turn appends to it and sends it whole.
 */
#include "worker/talk.h"

void talk_init(struct talk *t, size_t max_bytes)
{
    buf_init(&t->text, max_bytes);
}

void talk_release(struct talk *t)
{
    buf_release(&t->text);
}

static void begin(struct talk *t, struct jout *j)
{
    if (t->text.len == 0)
        buf_char(&t->text, '[');
    else if (t->text.len > 1)
        buf_char(&t->text, ',');
    jout_begin(j, &t->text);
}

static int end(struct talk *t, struct jout *j, struct err *err)
{
    int rc = jout_end(j);

    /* One byte stays free, for the bracket. */
    if (rc == -EMSGSIZE || t->text.len >= t->text.max)
        return err_set(err, EMSGSIZE, "the conversation is longer than %zu bytes", t->text.max);
    return rc < 0 ? err_sys(err, -rc, "write a message of the conversation") : 0;
}

int talk_say(struct talk *t, const char *role, struct str content, struct err *err)
{
    struct jout j;

    begin(t, &j);
    chat_put_text(&j, role, content);
    return end(t, &j, err);
}

int talk_reply(struct talk *t, const struct chat_reply *reply, struct err *err)
{
    struct jout j;

    begin(t, &j);
    chat_put_assistant(&j, reply);
    return end(t, &j, err);
}

int talk_result(struct talk *t, struct str call_id, struct str content, struct err *err)
{
    struct jout j;

    begin(t, &j);
    chat_put_tool(&j, call_id, content);
    return end(t, &j, err);
}

void talk_put(struct talk *t, struct jout *j)
{
    if (t->text.len == 0)
        buf_char(&t->text, '[');
    buf_char(&t->text, ']');
    jout_raw(j, buf_str(&t->text));
    buf_truncate(&t->text, t->text.len - 1);
}

int talk_restore(struct talk *t, const struct json *messages, struct err *err)
{
    int rc;

    buf_clear(&t->text);
    buf_str_put(&t->text, str_slice(messages->raw, 0, messages->raw.len - 1));
    rc = buf_status(&t->text);
    return rc < 0 ? err_sys(err, -rc, "the conversation kept") : 0;
}
