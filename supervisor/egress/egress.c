/*
 * egress.c: what reeve-egress does for reeved.
 *
 * Runs in reeve-egress, the one process of ours with a network. Trusts reeved's messages as far as
 * their shape is right; whatever comes from the network is foreign (call.c). Must never log or
 * answer with a secret, and never call an address that no route names.
 */
#include "supervisor/egress/egress.h"

#include "supervisor/egress/call.h"
#include "supervisor/egress/pump.h"

struct pending { /* one call, from its request to its answer */
    struct egress *egress;
    struct call *call;
    struct ev_timer *deadline; /* of waiting and transfer together */
    struct pending *next;
};

struct egress {
    struct ev *ev;
    struct wire *wire;
    struct pump *pump;
    const struct secrets *secrets;
    const struct log *log;
    struct routes routes;
    struct pending *calls; /* oldest first */
    size_t count;
    uint64_t seen;
    void (*on_closed)(void *arg, const struct err *why);
    void *arg;
};

/* ---- answers --------------------------------------------------------------------------------- */

static void pending_free(struct pending *p)
{
    struct egress *e = p->egress;
    struct pending **at;

    for (at = &e->calls; *at != p; at = &(*at)->next)
        ;
    *at = p->next;
    e->count--;
    ev_timer_free(p->deadline);
    call_free(p->call);
    free(p);
}

/* A wire that cannot take the answer is closed by its own limits; there is nobody else to tell. */
static void answer_error(struct egress *e, const struct call *c, int64_t code, enum call_sent sent,
                         const char *text)
{
    struct buf out;
    struct jout j;
    struct err err = ERR_INIT;

    buf_init(&out, 8192);
    jout_begin(&j, &out);
    jout_object(&j);
    jout_m_i64(&j, "code", code);
    jout_m_cstr(&j, "message", text);
    jout_name(&j, "data");
    jout_object(&j);
    jout_name(&j, "sent");
    if (sent == CALL_SENT_UNKNOWN)
        jout_null(&j);
    else
        jout_bool(&j, sent == CALL_SENT_YES);
    if (call_retry_after_ms(c) > 0)
        jout_m_i64(&j, "retryAfterMs", call_retry_after_ms(c));
    jout_object_end(&j);
    jout_object_end(&j);
    if (jout_end(&j) < 0 || wire_error_raw(e->wire, str_of(c->id), buf_str(&out), &err) < 0)
        log_error(e->log, "a call's error could not be told: %s", err.text);
    buf_release(&out);
}

static void answer(struct egress *e, struct call *c)
{
    struct buf out;
    struct jout j;
    struct err err = ERR_INIT;
    int rc;

    buf_init(&out, WIRE_LIMITS_DEFAULT.max_message_bytes - 4096);
    jout_begin(&j, &out);
    call_put_result(c, e->secrets, &j);
    rc = jout_end(&j);
    if (rc < 0)
        answer_error(e, c, WIRE_E_UNAVAILABLE, CALL_SENT_YES,
                     "the response is too large to be passed on");
    else if (wire_result_raw(e->wire, str_of(c->id), buf_str(&out), &err) < 0)
        log_error(e->log, "a response could not be passed on: %s", err.text);
    buf_release(&out);
}

static void log_call(const struct egress *e, const struct call *c, int64_t code, const char *text)
{
    long status = 0;

    if (c->easy)
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    const struct log_field fields[] = {LOG_STR("route", str_of(c->route)),
                                       LOG_INT("status", status), LOG_INT("code", code)};
    log_put(e->log, code == 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, fields, ARRAY_LEN(fields), "%s",
            text);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void start_ready(struct egress *e);

/* Ends a call that has no answer of its own. */
static void give_up(struct pending *p, int64_t code, const char *text)
{
    struct egress *e = p->egress;

    if (p->call->easy)
        pump_remove(e->pump, p->call->easy);
    log_call(e, p->call, code, text);
    answer_error(e, p->call, code, call_sent(p->call), text);
    pending_free(p);
}

static void on_done(void *arg, CURL *easy, CURLcode code)
{
    struct egress *e = arg;
    struct pending *p;
    struct err err = ERR_INIT;
    int64_t wire_code;

    for (p = e->calls; p && p->call->easy != easy; p = p->next)
        ;
    must(p);
    if (call_judge(p->call, code, e->secrets, &wire_code, &err) == 0) {
        log_call(e, p->call, 0, "answered");
        answer(e, p->call);
    } else {
        log_call(e, p->call, wire_code, err.text);
        answer_error(e, p->call, wire_code, call_sent(p->call), err.text);
    }
    pending_free(p);
    start_ready(e);
}

static void on_deadline(void *arg, struct ev_timer *t)
{
    struct pending *p = arg;
    struct egress *e = p->egress;

    (void)t;
    give_up(p, WIRE_E_TIMEOUT,
            p->call->easy ? "no whole response in time" : "no free slot of the route in time");
    start_ready(e);
}

static size_t under_way(const struct egress *e, const char *route)
{
    const struct pending *p;
    size_t n = 0;

    for (p = e->calls; p; p = p->next)
        n += p->call->easy && strcmp(p->call->route, route) == 0;
    return n;
}

static int start(struct pending *p, const struct route *r, struct err *err)
{
    int rc = call_prepare(p->call, r, err);

    if (rc >= 0)
        rc = pump_add(p->egress->pump, p->call->easy, err);
    if (rc < 0 && p->call->easy) { /* it is in no pump */
        curl_easy_cleanup(p->call->easy);
        p->call->easy = NULL;
    }
    return rc;
}

/* Starts what waits, oldest first, as far as its route has room. */
static void start_ready(struct egress *e)
{
    struct pending *p, *next;

    for (p = e->calls; p; p = next) {
        const struct route *r = routes_find(&e->routes, str_of(p->call->route));
        struct err err = ERR_INIT;

        next = p->next;
        if (p->call->easy)
            continue;
        if (!r)
            give_up(p, WIRE_E_NOT_FOUND, "the route is gone");
        else if (under_way(e, p->call->route) < (size_t)r->max_parallel && start(p, r, &err) < 0)
            give_up(p, err.number == EINVAL ? WIRE_E_PARAMS : WIRE_E_UNAVAILABLE, err.text);
    }
}

static int add_pending(struct egress *e, struct call *c, int64_t timeout_ms, struct err *err)
{
    struct pending *p = calloc(1, sizeof(*p)), **at;
    int rc;

    if (!p)
        return err_set(err, ENOMEM, "no memory for a call");
    *p = (struct pending){.egress = e, .call = c};
    rc = ev_timer_new(e->ev, on_deadline, p, &p->deadline, err);
    if (rc >= 0 && ev_timer_set(p->deadline, timeout_ms) < 0)
        rc = err_set(err, ENOMEM, "no memory for a call");
    if (rc < 0) {
        ev_timer_free(p->deadline);
        free(p);
        return rc;
    }
    for (at = &e->calls; *at; at = &(*at)->next)
        ;
    *at = p;
    e->count++;
    return 0;
}

/* ---- messages -------------------------------------------------------------------------------- */

static int on_routes(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct egress *e = ctx;
    struct routes fresh;
    int rc = routes_parse(m->params, e->secrets, &fresh, err);

    if (rc < 0)
        return rc;
    routes_release(&e->routes);
    e->routes = fresh;
    rc = wire_result_raw(w, m->id->raw, STR("{}"), err);
    start_ready(e);
    return rc;
}

static int on_call(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct egress *e = ctx;
    const struct route *r;
    struct call *c = NULL;
    int rc;

    (void)w;
    if (e->count >= EGRESS_CALLS_MAX)
        return err_set(err, EAGAIN, "more than %d calls are open", EGRESS_CALLS_MAX);
    rc = call_parse(m->id->raw, m->params, &c, err);
    if (rc < 0)
        return rc;
    r = routes_find(&e->routes, str_of(c->route));
    if (!r)
        rc = err_set(err, ENXIO, "no route \"%s\"", c->route);
    else
        rc = add_pending(
            e, c, c->timeout_ms > 0 ? MIN(c->timeout_ms, r->timeout_ms) : r->timeout_ms, err);
    if (rc < 0)
        call_free(c);
    else
        start_ready(e);
    return rc;
}

static int on_cancel(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct egress *e = ctx;
    const struct json *id = json_get(m->params, "id");
    struct pending *p;

    (void)w, (void)err;
    for (p = e->calls; p && id; p = p->next)
        if (str_is(id->raw, p->call->id)) {
            give_up(p, WIRE_E_CANCELLED, "cancelled");
            start_ready(e);
            break;
        }
    return 0; /* one that has ended already is no fault: the messages crossed */
}

static const struct wire_rule rules[] = {
    {"egress/routes", WIRE_REQUEST, 1, false, 0, on_routes},
    {"http/call", WIRE_REQUEST, 1, false, 0, on_call},
    {"http/cancel", WIRE_NOTIFICATION, 1, false, 4096, on_cancel},
};

/* Nothing had left for any of these: said, so that the caller may simply ask again. */
static void refuse(struct egress *e, const struct wire_message *m, const struct err *why)
{
    static const struct {
        int number;
        int64_t code;
    } codes[] = {
        {EAGAIN, WIRE_E_UNAVAILABLE}, {ENOMEM, WIRE_E_UNAVAILABLE}, {ENXIO, WIRE_E_NOT_FOUND}};
    struct call c = {.id = str_dup(m->id->raw)};
    int64_t code = WIRE_E_PARAMS;
    size_t i;

    for (i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].number == why->number)
            code = codes[i].code;
    log_warn(e->log, "%.*s: %s", STR_FMT(m->method), why->text);
    if (c.id)
        answer_error(e, &c, code, CALL_SENT_NO, why->text);
    free(c.id);
}

static void on_message(void *arg, struct wire *w, const struct wire_message *m)
{
    struct egress *e = arg;
    struct err err = ERR_INIT;
    int64_t code;
    const struct wire_rule *rule = wire_admit(rules, ARRAY_LEN(rules), m, 1, &e->seen, &code, &err);

    if (!rule) {
        log_warn(e->log, "refused: %s", err.text);
        if (m->kind == WIRE_REQUEST)
            (void)wire_error(w, m->id, code, "%s", err.text);
    } else if (rule->handler(e, w, m, &err) < 0 && m->kind == WIRE_REQUEST) {
        refuse(e, m, &err);
    }
}

static void on_wire_closed(void *arg, struct wire *w, const struct err *why)
{
    struct egress *e = arg;

    (void)w;
    e->on_closed(e->arg, why);
}

int egress_new(struct ev *ev, int fd, const struct secrets *secrets, const struct log *log,
               void (*on_closed)(void *arg, const struct err *why), void *arg, struct egress **ret,
               struct err *err)
{
    struct egress *e = calloc(1, sizeof(*e));
    int rc;

    if (!e)
        return err_set(err, ENOMEM, "no memory"); /* the program ends: its descriptors with it */
    *e = (struct egress){
        .ev = ev, .secrets = secrets, .log = log, .on_closed = on_closed, .arg = arg};
    const struct wire_owner owner = {
        .on_message = on_message, .on_closed = on_wire_closed, .arg = e};
    rc = wire_new(ev, fd, NULL, false, &owner, &e->wire, err);
    if (rc >= 0)
        rc = pump_new(ev, on_done, e, &e->pump, err);
    if (rc < 0)
        egress_free(e);
    else
        *ret = e;
    return rc;
}

void egress_free(struct egress *e)
{
    if (!e)
        return;
    while (e->calls) {
        if (e->calls->call->easy)
            pump_remove(e->pump, e->calls->call->easy);
        pending_free(e->calls);
    }
    pump_free(e->pump);
    routes_release(&e->routes);
    wire_free(e->wire);
    free(e);
}

size_t egress_open_calls(const struct egress *e)
{
    return e->count;
}
