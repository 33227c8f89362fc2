/*
 * loop.c: the built-in agent loop.
 *
 * Runs in reeve-worker, behind its walls. The model's replies, the event and the results of tools
 * are foreign; none of them decides what is allowed, the broker does. Must never act on a clock or
 * a random number.
 */
#include "worker/loop.h"

#include "worker/chat.h"
#include "worker/prompt.h"
#include "worker/surface.h"
#include "worker/talk.h"

#define TURNS_DEFAULT    32
#define TURNS_MAX        10000
#define PAGES_MAX        16
#define PARALLEL_MAX     16
#define REPEATS_MAX      2 /* of one model call */
#define NONSENSE_MAX     3 /* turns in a row */
#define CHECKPOINT_TURNS 8
#define CHECKPOINT_BYTES ((size_t)64 << 10)
#define CONVERSATION_MAX ((size_t)12 << 20)
#define ARENA_MAX        ((size_t)64 << 20)
#define CHECKPOINT_FORM  1

_Static_assert(PARALLEL_MAX <= REEVE_OPEN_MAX, "all parallel calls must fit the client");

struct loop {
    struct reeve *r;
    struct surface surface;
    struct reeve_answer pages[PAGES_MAX]; /* what the surface borrows from */
    size_t page_count;
    const struct json *kept_tools; /* the pages of a checkpoint, when the run goes on from one */
    struct str system, prompt;
    int64_t max_turns, max_tokens;
    const struct json *temperature;
    struct talk talk;
    struct buf request;
    struct buf text;    /* of one tool result */
    struct arena arena; /* of one turn */
    int64_t turn;       /* model calls answered so far */
    int64_t nonsense;   /* turns in a row */
    int64_t kept_turn;  /* of the last checkpoint */
    bool is_retryable;  /* the failure that is being returned may pass */
};

/* ---- the conversation ------------------------------------------------------------------------ */

static int put_first_messages(struct loop *l, struct err *err)
{
    const struct reeve_run *run = reeve_run(l->r);
    int rc = 0;

    if (l->system.len > 0)
        rc = talk_say(&l->talk, "system", l->system, err);
    if (rc < 0)
        return rc;
    buf_clear(&l->text);
    prompt_put(&l->text, l->prompt, run->event);
    if (buf_status(&l->text) < 0)
        return err_set(err, EMSGSIZE, "prompt and event are longer than %zu MiB",
                       CONVERSATION_MAX >> 20);
    return talk_say(&l->talk, "user", buf_str(&l->text), err);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

/* The list belongs to it: what is asked before a checkpoint is not asked again after it. */
static void put_offered(const struct loop *l, struct jout *j)
{
    size_t i;

    jout_array(j);
    for (i = 0; i < l->page_count; i++)
        jout_json(j, l->pages[i].value);
    if (l->kept_tools)
        for (i = 0; i < l->kept_tools->array.count; i++)
            jout_json(j, &l->kept_tools->array.items[i]);
    jout_array_end(j);
}

static int keep_checkpoint(struct loop *l, struct err *err)
{
    struct jout j;
    int rc;

    if (l->turn - l->kept_turn < CHECKPOINT_TURNS || l->talk.text.len < CHECKPOINT_BYTES)
        return 0;
    buf_clear(&l->request);
    jout_begin(&j, &l->request);
    jout_object(&j);
    jout_m_i64(&j, "form", CHECKPOINT_FORM);
    jout_m_i64(&j, "turn", l->turn);
    jout_m_i64(&j, "nonsense", l->nonsense);
    jout_name(&j, "tools");
    put_offered(l, &j);
    jout_name(&j, "messages");
    talk_put(&l->talk, &j);
    jout_object_end(&j);
    rc = jout_end(&j);
    if (rc < 0)
        return err_sys(err, -rc, "write a checkpoint");
    l->kept_turn = l->turn;
    return reeve_checkpoint(l->r, buf_str(&l->request), err);
}

static int read_checkpoint(struct loop *l, const struct json *v, struct err *err)
{
    const struct json *messages;
    int64_t form;
    size_t i;
    int rc = json_want_i64(v, "form", &form, err);

    if (rc >= 0 && form != CHECKPOINT_FORM)
        rc = err_set(err, EINVAL, "form %" PRId64 " is not known", form);
    if (rc >= 0)
        rc = json_want_i64(v, "turn", &l->turn, err);
    if (rc >= 0)
        rc = json_want_i64(v, "nonsense", &l->nonsense, err);
    if (rc >= 0)
        rc = json_want(v, "messages", JSON_ARRAY, &messages, err);
    if (rc >= 0)
        rc = json_want(v, "tools", JSON_ARRAY, &l->kept_tools, err);
    for (i = 0; rc >= 0 && i < l->kept_tools->array.count; i++)
        rc = surface_add(&l->surface, &l->kept_tools->array.items[i], err);
    if (rc >= 0)
        rc = surface_finish(&l->surface, err);
    if (rc < 0)
        return err_wrap(err, "checkpoint");
    l->kept_turn = l->turn;
    return talk_restore(&l->talk, messages, err);
}

/* ---- start ----------------------------------------------------------------------------------- */

static int read_settings(struct loop *l, struct err *err)
{
    const struct json *agent = reeve_run(l->r)->agent;
    int rc;

    if (!agent)
        return err_set(err, EINVAL,
                       "the workflow has no `model`: the built-in agent loop needs one");
    rc = json_str_or(agent, "system", STR_NONE, &l->system, err);
    if (rc >= 0)
        rc = json_str_or(agent, "prompt", STR_NONE, &l->prompt, err);
    if (rc >= 0)
        rc = json_i64_or(agent, "maxTurns", TURNS_DEFAULT, &l->max_turns, err);
    if (rc >= 0)
        rc = json_i64_or(agent, "maxTokens", 0, &l->max_tokens, err);
    l->temperature = json_get(agent, "temperature");
    if (json_is(l->temperature, JSON_NULL))
        l->temperature = NULL;
    if (rc < 0)
        return err_wrap(err, "the agent's settings");
    if (l->max_turns < 1 || l->max_turns > TURNS_MAX)
        return err_set(err, EINVAL, "maxTurns is %" PRId64 ", must be 1 to %d", l->max_turns,
                       TURNS_MAX);
    return 0;
}

static int list_tools(struct loop *l, struct err *err)
{
    struct str cursor = STR_NONE;
    int rc;

    do {
        struct reeve_answer *page = &l->pages[l->page_count];
        const struct json *next;

        if (l->page_count == PAGES_MAX)
            return err_set(err, E2BIG, "the list of tools has more than %d pages", PAGES_MAX);
        rc = reeve_tool_list(l->r, cursor, page, err);
        if (rc >= 0)
            rc = surface_add(&l->surface, page->value, err);
        if (rc < 0)
            return err_wrap(err, "list the tools");
        l->page_count++;
        next = json_get(page->value, "nextCursor");
        cursor = json_is(next, JSON_STRING) ? next->string : STR_NONE;
    } while (cursor.ptr);
    return surface_finish(&l->surface, err);
}

/* ---- the model ------------------------------------------------------------------------------- */

static int write_request(struct loop *l, struct err *err)
{
    struct jout j;
    int rc;

    buf_clear(&l->request);
    jout_begin(&j, &l->request);
    jout_object(&j);
    jout_name(&j, "messages");
    talk_put(&l->talk, &j);
    if (l->surface.count > 0) {
        jout_name(&j, "tools");
        surface_put(&l->surface, &j);
    }
    if (l->max_tokens > 0)
        jout_m_i64(&j, "max_tokens", l->max_tokens);
    jout_m_json(&j, "temperature", l->temperature);
    jout_object_end(&j);
    rc = jout_end(&j);
    return rc < 0 ? err_sys(err, -rc, "write the model's request") : 0;
}

/* What one reply of the gateway is worth: 0 a reply; 1 ask again at once; 2 ask again later; -Exxx.
 */
static int judge_reply(struct loop *l, const struct json *value, struct chat_reply *reply,
                       struct err *err)
{
    const struct json *response = json_get(value, "response");
    struct str said = chat_error_text(response);
    int64_t status;

    if (json_i64_or(value, "status", 200, &status, err) < 0)
        return -err->number;
    if (status >= 200 && status < 300)
        return chat_reply_parse(&l->arena, response, (unsigned)l->turn + 1, reply, err) < 0 ? 1 : 0;
    err_set(err, EREMOTEIO, "the model's gateway answered with status %" PRId64 "%s%.*s", status,
            said.len > 0 ? ": " : "", STR_FMT(str_slice(said, 0, 300)));
    return status == 408 || status == 429 || status >= 500 ? 2 : -EREMOTEIO;
}

static int ask_model(struct loop *l, struct reeve_answer *a, struct chat_reply *reply,
                     struct err *err)
{
    int repeats, rc = write_request(l, err);

    for (repeats = 0; rc >= 0; repeats++) {
        arena_reset(&l->arena);
        rc = reeve_model(l->r, STR_NONE, buf_str(&l->request), a, err);
        if (rc < 0)
            return err_wrap(err, "ask the model");
        rc = judge_reply(l, a->value, reply, err);
        if (rc <= 0)
            return rc;
        if (repeats == REPEATS_MAX) {
            l->is_retryable = rc == 2;
            err->number = EREMOTEIO;
            return err_wrap(err, "asked the model %d times, lastly", repeats + 1);
        }
        reeve_log(l->r, LOG_LEVEL_WARN, "asking the model again: %s", err->text);
        if (rc == 2)
            rc = reeve_sleep(l->r, repeats == 0 ? 1000 : 4000, err);
    }
    return rc;
}

/* ---- the tools that it asks for -------------------------------------------------------------- */

struct todo {
    struct str name; /* for the broker; empty: not sent */
    char guess[SURFACE_NAME_MAX + 1];
    struct reeve_tool_call call;
};

/* Which tool is meant; or, in l->text, why it cannot be called. */
static bool plan_call(struct loop *l, const struct chat_call *asked, struct todo *t)
{
    const struct surface_tool *tool = surface_find(&l->surface, asked->name);

    buf_clear(&l->text);
    if (tool) {
        t->name = tool->name;
    } else if (surface_guess(asked->name, t->guess)) {
        t->name = str_of(t->guess); /* not offered: the broker says no, and has it on record */
    } else {
        buf_cstr(&l->text, "error: there is no tool of this name; the tools are: ");
        surface_put_names(&l->surface, &l->text, 4096);
        return false;
    }
    if (!asked->arguments) {
        buf_fmt(&l->text, "error: %.*s", STR_FMT(asked->problem));
        return false;
    }
    return true;
}

/* The broker's refusals that are the model's business: it may do better. All others end the run. */
static bool is_for_model(int64_t code)
{
    return code == WIRE_E_NOT_FOUND || code == WIRE_E_PARAMS || code == WIRE_E_METHOD ||
           code == WIRE_E_DENIED || code == WIRE_E_CONFLICT;
}

static int put_result(struct loop *l, const struct chat_call *asked, struct todo *t,
                      bool *is_proper, struct err *err)
{
    const struct reeve_answer *a = &t->call.answer;

    if (!t->name.ptr) { /* planned again, for its words: they were not kept for up to 16 calls */
        struct todo again = {0};

        (void)plan_call(l, asked, &again);
        return talk_result(&l->talk, asked->id, buf_str(&l->text), err);
    }
    buf_clear(&l->text);
    if (a->code == 0) {
        *is_proper = true;
        chat_tool_text(&l->text, a->value);
    } else if (is_for_model(a->code)) {
        buf_fmt(&l->text, "error: %.*s", STR_FMT(a->text));
    } else {
        reeve_answer_status(a, err);
        return err_wrap(err, "tool %.*s", STR_FMT(t->name));
    }
    if (buf_status(&l->text) < 0)
        return err_set(err, EMSGSIZE, "the result of %.*s is too large", STR_FMT(t->name));
    return talk_result(&l->talk, asked->id, buf_str(&l->text), err);
}

/* Up to PARALLEL_MAX calls: all at once, results in the order asked. */
static int call_some(struct loop *l, const struct chat_call *asked, size_t n, bool *is_proper,
                     struct err *err)
{
    struct todo todos[PARALLEL_MAX] = {0};
    struct reeve_tool_call calls[PARALLEL_MAX] = {0};
    size_t at[PARALLEL_MAX];
    size_t i, sent = 0;
    int rc;

    for (i = 0; i < n; i++) {
        if (!plan_call(l, &asked[i], &todos[i])) {
            todos[i].name = STR_NONE;
            continue;
        }
        at[sent] = i;
        calls[sent++] =
            (struct reeve_tool_call){.name = todos[i].name, .arguments = asked[i].arguments};
    }
    rc = sent > 0 ? reeve_tools(l->r, calls, sent, err) : 0;
    for (i = 0; i < sent; i++)
        todos[at[i]].call = calls[i];
    for (i = 0; i < n && rc >= 0; i++)
        rc = put_result(l, &asked[i], &todos[i], is_proper, err);
    for (i = 0; i < n; i++)
        reeve_answer_release(&todos[i].call.answer);
    return rc;
}

static int call_tools(struct loop *l, const struct chat_reply *reply, struct err *err)
{
    bool is_proper = false;
    size_t i;
    int rc = 0;

    for (i = 0; i < reply->count && rc >= 0; i += PARALLEL_MAX)
        rc = call_some(l, &reply->calls[i], MIN(reply->count - i, (size_t)PARALLEL_MAX), &is_proper,
                       err);
    if (rc < 0)
        return rc;
    l->nonsense = is_proper ? 0 : l->nonsense + 1;
    if (l->nonsense < NONSENSE_MAX)
        return 0;
    return err_set(err, EBADMSG,
                   "the model asked %d times in a row for calls that make no sense, lastly: %.*s",
                   NONSENSE_MAX, STR_FMT(str_slice(buf_str(&l->text), 0, 300)));
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* 1: the model has ended, its text is in l->text. */
static int take_reply(struct loop *l, const struct chat_reply *reply, struct err *err)
{
    int rc;

    if (reply->finish == CHAT_LENGTH)
        return err_set(err, EMSGSIZE,
                       "the model's reply was cut at its length limit: raise maxTokens");
    if (reply->finish == CHAT_FILTER)
        return err_set(err, EACCES, "the model's reply was stopped by its content filter");
    if (reply->finish == CHAT_STOP && reply->content.len == 0)
        return err_set(err, EACCES, "the model refused: %.*s",
                       STR_FMT(str_slice(reply->refusal, 0, 300)));
    if (reply->finish == CHAT_STOP) {
        buf_clear(&l->text);
        buf_str_put(&l->text, reply->content);
        rc = buf_status(&l->text);
        return rc < 0 ? err_sys(err, -rc, "keep the model's answer") : 1;
    }
    rc = talk_reply(&l->talk, reply, err);
    return rc < 0 ? rc : call_tools(l, reply, err);
}

static int run_turns(struct loop *l, struct err *err)
{
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct chat_reply reply;
    int rc = 0;

    while (rc == 0) {
        if (l->turn >= l->max_turns) {
            rc = err_set(err, EDQUOT, "not done after maxTurns (%" PRId64 ") model calls",
                         l->max_turns);
            break;
        }
        rc = ask_model(l, &a, &reply, err);
        if (rc < 0)
            break;
        l->turn++;
        rc = take_reply(l, &reply, err);
        if (rc == 0)
            rc = keep_checkpoint(l, err);
    }
    reeve_answer_release(&a);
    return rc;
}

static int start_afresh(struct loop *l, struct err *err)
{
    int rc = list_tools(l, err);

    return rc < 0 ? rc : put_first_messages(l, err);
}

static int run_agent(struct loop *l, struct err *err)
{
    const struct reeve_run *run = reeve_run(l->r);
    int rc = read_settings(l, err);

    if (rc >= 0 && run->checkpoint)
        rc = read_checkpoint(l, run->checkpoint, err);
    else if (rc >= 0)
        rc = start_afresh(l, err);
    return rc < 0 ? rc : run_turns(l, err);
}

/* ---- end ------------------------------------------------------------------------------------- */

static int end_well(struct loop *l, struct err *err)
{
    struct jout j;
    int rc;

    buf_clear(&l->request);
    jout_begin(&j, &l->request);
    jout_object(&j);
    jout_m_str(&j, "text", buf_str(&l->text));
    jout_m_i64(&j, "turns", l->turn);
    jout_object_end(&j);
    rc = jout_end(&j);
    if (rc < 0)
        return err_sys(err, -rc, "write the run's result");
    return reeve_end(l->r, buf_str(&l->request), err);
}

static int end_badly(struct loop *l, struct err *err)
{
    struct err told = *err;
    bool may_pass = l->is_retryable || err->number == EHOSTDOWN || err->number == ETIMEDOUT;

    /* The broker knows these better than we do, and answers no more. */
    if (err->number == ECANCELED || err->number == ESTALE)
        return -err->number;
    return reeve_fail(l->r, told.text, may_pass, err);
}

int loop_run(struct reeve *r, struct err *err)
{
    struct loop l = {.r = r};
    size_t i;
    int rc = reeve_begin(r, false, err);

    if (rc < 0)
        return rc;
    talk_init(&l.talk, CONVERSATION_MAX);
    buf_init(&l.request, REEVE_MESSAGE_MAX);
    buf_init(&l.text, CONVERSATION_MAX);
    arena_init(&l.arena, ARENA_MAX);
    rc = run_agent(&l, err);
    rc = rc < 0 ? end_badly(&l, err) : end_well(&l, err);
    for (i = 0; i < l.page_count; i++)
        reeve_answer_release(&l.pages[i]);
    surface_release(&l.surface);
    arena_release(&l.arena);
    buf_release(&l.text);
    buf_release(&l.request);
    talk_release(&l.talk);
    return rc;
}
