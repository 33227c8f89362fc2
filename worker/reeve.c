/*
 * reeve.c: requests and answers of the client library: sending, matching, what ends it. The calls
 * of the runtime's own methods are in calls.c.
 *
 * Runs in a worker, behind its walls. Trusts the broker, within bounds: an answer to nobody, a
 * request, or anything that is not a message breaks the connection with a reason.
 */
#include "worker/client.h"

#include "policy/text/utf8.h"

#define ARENA_MAX ((size_t)192 << 20)
#define LOG_MAX   4096
#define OUT_KEEP  ((size_t)1 << 20)

static const struct {
    int64_t code;
    int number;
} code_errors[] = {
    {WIRE_E_DENIED, EACCES},    {WIRE_E_LIMIT, EDQUOT},      {WIRE_E_CANCELLED, ECANCELED},
    {WIRE_E_DIVERGED, ESTALE},  {WIRE_E_TIMEOUT, ETIMEDOUT}, {WIRE_E_UNAVAILABLE, EHOSTDOWN},
    {WIRE_E_NOT_FOUND, ENOENT}, {WIRE_E_CONFLICT, EEXIST},   {WIRE_E_PARAMS, EINVAL},
    {WIRE_E_METHOD, ENOSYS},    {WIRE_E_STATE, EPROTO},
};

/* ---- answers --------------------------------------------------------------------------------- */

void reeve_answer_release(struct reeve_answer *a)
{
    arena_release(&a->arena);
    free(a->line);
    *a = REEVE_ANSWER_INIT;
}

int reeve_answer_status(const struct reeve_answer *a, struct err *err)
{
    size_t i;

    if (a->code == 0)
        return 0;
    for (i = 0; i < ARRAY_LEN(code_errors); i++)
        if (code_errors[i].code == a->code)
            return err_set(err, code_errors[i].number, "%.*s", STR_FMT(a->text));
    return err_set(err, EREMOTEIO, "%.*s (code %" PRId64 ")", STR_FMT(a->text), a->code);
}

/* ---- open and close -------------------------------------------------------------------------- */

int reeve_open(int fd, struct reeve **ret, struct err *err)
{
    struct reeve *r = calloc(1, sizeof(*r));

    if (!r) {
        struct channel c;

        channel_init(&c, fd, REEVE_MESSAGE_MAX);
        channel_release(&c);
        return err_set(err, ENOMEM, "no memory for the broker's client");
    }
    channel_init(&r->channel, fd, REEVE_MESSAGE_MAX);
    buf_init(&r->out, REEVE_MESSAGE_MAX + 1);
    late_init(&r->late);
    *ret = r;
    return 0;
}

void reeve_close(struct reeve *r)
{
    size_t i;

    if (!r)
        return;
    for (i = 0; i < REEVE_OPEN_MAX; i++)
        reeve_answer_release(&r->slots[i].answer);
    reeve_answer_release(&r->begun);
    buf_release(&r->out);
    late_release(&r->late);
    channel_release(&r->channel);
    free(r);
}

const struct reeve_run *reeve_run(const struct reeve *r)
{
    return r->state == CLIENT_NEW ? NULL : &r->run;
}

bool reeve_is_cancelled(const struct reeve *r)
{
    return r->is_cancelled;
}

/* A fault after which nothing on this socket can be believed. */
static int broke(struct reeve *r, struct err *err)
{
    if (r->broken.number == 0)
        r->broken = *err;
    return -err->number;
}

static int check_usable(const struct reeve *r, struct err *err)
{
    if (r->broken.number == 0)
        return 0;
    return err_set(err, r->broken.number, "%s", r->broken.text);
}

/* ---- requests -------------------------------------------------------------------------------- */

static struct client_slot *slot_of(struct reeve *r, int64_t id)
{
    size_t i;

    for (i = 0; i < REEVE_OPEN_MAX; i++)
        if (r->slots[i].is_open && r->slots[i].id == id)
            return &r->slots[i];
    return NULL;
}

static struct client_slot *slot_new(struct reeve *r)
{
    size_t i;

    for (i = 0; i < REEVE_OPEN_MAX; i++)
        if (!r->slots[i].is_open)
            return &r->slots[i];
    return NULL;
}

void reeve_request(struct reeve *r, struct wire_out *o, const char *method)
{
    buf_clear(&r->out);
    r->out_id = ++r->last_id;
    wire_put_request(o, &r->out, r->out_id, method);
}

static void forget(struct buf *b)
{
    if (b->cap > OUT_KEEP)
        buf_release(b);
    else
        buf_clear(b);
}

int client_flush(struct reeve *r, struct err *err)
{
    struct buf *lines = &r->late.lines;
    bool both = lines->len > 0;
    int rc;

    if (both)
        buf_str_put(lines, buf_str(&r->out));
    rc = buf_status(lines) < 0 ? err_set(err, ENOMEM, "no memory for a request")
                               : channel_send(&r->channel, buf_str(both ? lines : &r->out), err);
    forget(lines);
    forget(&r->out);
    return rc < 0 ? broke(r, err) : 0;
}

int client_enter(struct reeve *r, struct wire_out *o, int64_t id, bool is_batch, struct err *err)
{
    struct client_slot *slot = slot_new(r);
    int rc = wire_put_end(o);
    int usable = check_usable(r, err);

    if (usable < 0)
        return usable;
    if (rc == -EMSGSIZE)
        return err_set(err, EMSGSIZE, "a request of more than %u bytes", REEVE_MESSAGE_MAX);
    if (rc < 0)
        return err_sys(err, -rc, "write a request");
    if (!slot)
        return err_set(err, EBUSY, "more than %d requests are unanswered", REEVE_OPEN_MAX);
    *slot = (struct client_slot){.id = id, .is_open = true, .is_batch = is_batch};
    r->open_count += !is_batch;
    return 0;
}

static void leave(struct reeve *r, int64_t id)
{
    struct client_slot *slot = slot_of(r, id);

    if (!slot)
        return;
    reeve_answer_release(&slot->answer);
    *slot = (struct client_slot){0};
    r->open_count--;
}

int reeve_request_end(struct reeve *r, struct wire_out *o, int64_t *ret_id, struct err *err)
{
    int64_t id = r->out_id;
    int rc = client_enter(r, o, id, false, err);

    if (rc < 0)
        return rc;
    rc = late_settle(r, err);
    if (rc >= 0)
        rc = client_flush(r, err);
    if (rc < 0)
        leave(r, id); /* it was never sent */
    else
        *ret_id = id;
    return rc;
}

/* ---- what comes ------------------------------------------------------------------------------ */

static int admit_notification(struct reeve *r, const struct wire_message *m)
{
    if (str_is(m->method, "run/cancelled"))
        r->is_cancelled = true;
    return 0; /* others are for newer workers: no harm in them */
}

/* Steps that were taken for recorded are not: nothing that follows can be right. */
static int take_batch(struct reeve *r, struct client_slot *slot, const struct reeve_answer *a,
                      struct err *err)
{
    *slot = (struct client_slot){0};
    r->late.batches_open--;
    return reeve_answer_status(a, err) < 0 ? err_wrap(err, "record steps") : 0;
}

static int admit_answer(struct reeve *r, const struct wire_message *m, struct reeve_answer *a,
                        struct err *err)
{
    struct client_slot *slot;

    if (!json_is(m->id, JSON_INT))
        return err_set(err, EBADMSG, "the broker answered a request that was never made");
    slot = slot_of(r, m->id->integer);
    if (!slot || slot->is_answered)
        return err_set(err, EBADMSG, "the broker answered request %" PRId64 ", which is not open",
                       m->id->integer);
    if (m->kind == WIRE_RESULT) {
        a->value = m->result;
    } else {
        a->code = m->code != 0 ? m->code : WIRE_E_INTERNAL; /* 0 would read as a result */
        a->text = m->text;
        a->data = m->data;
    }
    if (slot->is_batch)
        return take_batch(r, slot, a, err);
    slot->answer = *a;
    slot->is_answered = true;
    *a = REEVE_ANSWER_INIT;
    return 0;
}

int client_take_message(struct reeve *r, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct wire_message m;
    struct str line;
    int rc = channel_line(&r->channel, &line, err);

    if (rc < 0)
        return broke(r, err);
    arena_init(&a.arena, ARENA_MAX);
    a.line = malloc(line.len + 1);
    if (!a.line) {
        rc = err_set(err, ENOMEM, "no memory for an answer of %zu bytes", line.len);
        goto out;
    }
    if (line.len > 0)
        memcpy(a.line, line.ptr, line.len);
    a.line[line.len] = '\0';
    rc = wire_parse((struct str){a.line, line.len}, &WIRE_LIMITS_DEFAULT, &a.arena, &m, err);
    if (rc < 0)
        err_wrap(err, "the broker's message");
    else if (m.kind == WIRE_NOTIFICATION)
        rc = admit_notification(r, &m);
    else if (m.kind == WIRE_REQUEST)
        rc = err_set(err, EBADMSG, "the broker asked `%.*s` of a worker", STR_FMT(m.method));
    else
        rc = admit_answer(r, &m, &a, err);
out:
    reeve_answer_release(&a);
    return rc < 0 ? broke(r, err) : 0;
}

static struct client_slot *answered(struct reeve *r, int64_t id)
{
    size_t i;

    for (i = 0; i < REEVE_OPEN_MAX; i++) {
        struct client_slot *slot = &r->slots[(r->next_slot + i) % REEVE_OPEN_MAX];

        if (slot->is_open && slot->is_answered && (id == 0 || slot->id == id)) {
            r->next_slot = (size_t)(slot - r->slots) + 1;
            return slot;
        }
    }
    return NULL;
}

struct client_slot *client_wait(struct reeve *r, int64_t id, struct err *err)
{
    struct client_slot *slot;

    while (!(slot = answered(r, id)))
        if (check_usable(r, err) < 0 || client_take_message(r, err) < 0)
            return NULL;
    return slot;
}

static void hand_out(struct reeve *r, struct client_slot *slot, struct reeve_answer *a)
{
    reeve_answer_release(a);
    *a = slot->answer;
    *slot = (struct client_slot){0};
    r->open_count--;
}

int reeve_wait(struct reeve *r, int64_t id, struct reeve_answer *a, struct err *err)
{
    struct client_slot *slot;

    if (id <= 0 || !slot_of(r, id))
        return err_set(err, ENOENT, "request %" PRId64 " is not open", id);
    slot = client_wait(r, id, err);
    if (!slot)
        return -err->number;
    hand_out(r, slot, a);
    return 0;
}

int reeve_wait_any(struct reeve *r, int64_t *ret_id, struct reeve_answer *a, struct err *err)
{
    struct client_slot *slot;

    if (r->open_count == 0)
        return err_set(err, ENOENT, "no request is open");
    slot = client_wait(r, 0, err);
    if (!slot)
        return -err->number;
    *ret_id = slot->id;
    hand_out(r, slot, a);
    return 0;
}

int reeve_ask(struct reeve *r, struct wire_out *o, struct reeve_answer *a, struct err *err)
{
    int64_t id;
    int rc = reeve_request_end(r, o, &id, err);

    if (rc >= 0)
        rc = reeve_wait(r, id, a, err);
    return rc < 0 ? rc : reeve_answer_status(a, err);
}

/* ---- log ------------------------------------------------------------------------------------- */

void reeve_log(struct reeve *r, enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char text[LOG_MAX];
    struct wire_out o;
    struct err err = ERR_INIT;
    struct str line;
    va_list ap;
    int n;

    if (r->broken.number != 0 || r->state != CLIENT_RUNNING)
        return;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    line = (struct str){text, MIN((size_t)n, sizeof(text) - 1)};
    line.len = utf8_valid_prefix(line); /* the cut may have parted a character */
    buf_clear(&r->out);
    wire_put_notification(&o, &r->out, "log");
    jout_m_cstr(&o.j, "level", names[MIN((size_t)level, ARRAY_LEN(names) - 1)]);
    jout_m_str(&o.j, "text", line);
    if (wire_put_end(&o) == 0 && client_flush(r, &err) < 0)
        return; /* the next call tells why */
}
