/*
 * exchange.c: answers of the control API. Runs in reeve-control; must never put more into an error
 * than its text, which err.h keeps to one printable line.
 */
#include "supervisor/control/exchange.h"

static const struct {
    unsigned status;
    const char *title;
} TITLES[] = {
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *title_of(unsigned status)
{
    for (size_t i = 0; i < ARRAY_LEN(TITLES); i++)
        if (TITLES[i].status == status)
            return TITLES[i].title;
    return "Error";
}

void exchange_json(struct exchange *x, unsigned status, struct buf *body)
{
    request_answer(x->request,
                   &(struct answer){.status = status, .content_type = "application/json"}, body);
}

/* after_ms: when to come again; 0: no word on it. */
static void problem(struct exchange *x, unsigned status, struct str detail,
                    const struct json *diagnostics, int64_t after_ms)
{
    char after[24];
    struct buf body;
    struct jout j;
    buf_init(&body, ANSWER_MAX_BYTES);
    jout_begin(&j, &body);
    jout_object(&j);
    jout_m_cstr(&j, "type", "about:blank");
    jout_m_cstr(&j, "title", title_of(status));
    jout_m_i64(&j, "status", status);
    jout_m_str(&j, "detail", detail);
    jout_m_json(&j, "diagnostics", diagnostics);
    jout_object_end(&j);
    if (jout_end(&j) < 0)
        buf_cstr(&body, "{}");
    buf_char(&body, '\n');
    struct answer a = {.status = status, .content_type = "application/problem+json"};
    if (status == 405)
        a.allow = x->match.allow;
    if (status == 503)
        a.retry_after = "1";
    if (after_ms > 0) { /* whole seconds, upwards */
        snprintf(after, sizeof(after), "%" PRId64, MIN(after_ms, 86400000) / 1000 + (after_ms % 1000 != 0));
        a.retry_after = after;
    }
    request_answer(x->request, &a, &body);
}

void exchange_problem(struct exchange *x, unsigned status, const char *fmt, ...)
{
    struct buf text;
    va_list ap;
    buf_init(&text, 4096);
    va_start(ap, fmt);
    buf_vfmt(&text, fmt, ap);
    va_end(ap);
    problem(x, status, buf_str(&text), NULL, 0);
    buf_release(&text);
}

void exchange_error(struct exchange *x, int number, const struct err *err)
{
    static const struct {
        int number;
        unsigned status;
    } MAP[] = {
        {EINVAL, 400}, {EBADMSG, 400}, {EEXIST, 400},     {EILSEQ, 400},   {E2BIG, 400},
        {ENOENT, 404}, {EPERM, 403},   {EOPNOTSUPP, 405}, {EMSGSIZE, 413}, {ENAMETOOLONG, 414},
        {EBUSY, 503},  {EAGAIN, 503},  {ENOTCONN, 503},   {ENOMEM, 503},   {ENOBUFS, 503},
    };
    unsigned status = 500;
    for (size_t i = 0; i < ARRAY_LEN(MAP); i++)
        if (MAP[i].number == -number)
            status = MAP[i].status;
    problem(x, status, str_of(err->text[0] ? err->text : err_name(-number)), NULL, 0);
}

void exchange_wire_error(struct exchange *x, const struct wire_message *m)
{
    static const struct {
        int64_t code;
        unsigned status;
    } MAP[] = {
        {WIRE_E_PARAMS, 400},   {WIRE_E_DENIED, 403},      {WIRE_E_NOT_FOUND, 404},
        {WIRE_E_CONFLICT, 409}, {WIRE_E_STATE, 409},       {WIRE_E_CANCELLED, 409},
        {WIRE_E_LIMIT, 429},    {WIRE_E_UNAVAILABLE, 503}, {WIRE_E_TIMEOUT, 504},
    };
    unsigned status = 500;
    for (size_t i = 0; i < ARRAY_LEN(MAP); i++)
        if (MAP[i].code == m->code)
            status = MAP[i].status;
    const struct json *diagnostics = json_get(m->data, "diagnostics");
    if (diagnostics && status == 400)
        status = 422; /* what was sent is well-formed; what it names is not good */
    const struct json *after = json_get(m->data, "retryAfterMs");
    problem(x, status, m->text, diagnostics, json_is(after, JSON_INT) ? after->integer : 0);
}

void exchange_diagnostics(struct exchange *x, const char *detail, const struct json *diagnostics)
{
    problem(x, 422, str_of(detail), diagnostics, 0);
}
