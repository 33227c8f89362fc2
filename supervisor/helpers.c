/*
 * helpers.c: what is particular to reeve-egress and reeve-control (see helpers.h). Runs in reeved.
 */
#include "supervisor/helpers.h"

#include "supervisor/access.h"
#include "supervisor/door.h"

#define TELL_MS      50
#define TELL_MAX     8192
#define STATE_INSIDE "/state" /* where reeve-control sees the state directory, read-only */

/* ---- reeve-egress
 * ------------------------------------------------------------------------------------------- */

static void fill_egress(struct reeved *rv, struct start_request *q)
{
    const struct house *h = rv->house;
    for (size_t i = 0; i < h->model_count && q->secret_count < START_SECRETS_MAX; i++)
        if (h->models[i].secret.len)
            q->secrets[q->secret_count++] =
                (struct start_secret){h->models[i].name, h->models[i].secret, SECRET_AS_FD};
    for (size_t i = 0; i < h->model_count && q->file_count < START_FILES_MAX; i++)
        if (h->models[i].ca_file.len)
            q->files[q->file_count++] = (struct start_file){.path = h->models[i].ca_file};
}

static void put_route(struct jout *j, const struct model *m)
{
    static const char *const auths[] = {
        [AUTH_NONE] = "none", [AUTH_BEARER] = "bearer", [AUTH_X_API_KEY] = "x-api-key"};
    jout_object(j);
    jout_m_str(j, "name", m->name);
    jout_m_str(j, "url", m->url);
    if (m->secret.len)
        jout_m_str(j, "secret", m->name);
    jout_m_cstr(j, "auth", m->secret.len ? auths[m->auth] : "none");
    jout_name(j, "headers");
    jout_object(j);
    for (size_t i = 0; i < m->headers.count; i++) {
        jout_name_str(j, m->headers.items[i].name);
        jout_str(j, m->headers.items[i].value);
    }
    jout_object_end(j);
    jout_m_i64(j, "timeoutMs", m->timeout_ms);
    jout_m_i64(j, "connectTimeoutMs", m->connect_timeout_ms);
    jout_m_i64(j, "maxResponseBytes", m->max_response_bytes);
    if (m->ca_file.len)
        jout_m_str(j, "caFile", m->ca_file);
    jout_m_bool(j, "allowHttp", m->allow_http);
    jout_object_end(j);
}

static void on_routes(void *arg, struct wire *w, const struct wire_message *m)
{
    (void)w;
    struct reeved *rv = arg;
    if (m->kind == WIRE_ERROR)
        log_error(&rv->log, "reeve-egress does not take the model routes: %.*s", STR_FMT(m->text));
}

static void egress_up(struct reeved *rv, struct helper *h)
{
    struct wire_out o;
    struct err err = ERR_INIT;
    struct wire *w = helper_wire(h);
    if (wire_call_begin(w, &o, "egress/routes") < 0)
        return;
    jout_name(&o.j, "routes");
    jout_array(&o.j);
    for (size_t i = 0; i < rv->house->model_count; i++)
        put_route(&o.j, &rv->house->models[i]);
    jout_array_end(&o.j);
    if (wire_call_end(w, &o, 10000, on_routes, rv, NULL, &err) < 0)
        log_error(&rv->log, "tell reeve-egress the model routes: %s", err.text);
}

static void nothing_down(struct reeved *rv, struct helper *h)
{
    (void)rv;
    (void)h;
}

static void egress_message(struct reeved *rv, struct helper *h, const struct wire_message *m)
{
    (void)h;
    log_warn(&rv->log, "reeve-egress sent %.*s, which it has no business to", STR_FMT(m->method));
}

const struct helper_rows helpers_egress = {
    .name = "egress",
    .uid_slot = UID_SLOT_EGRESS,
    .network = true,
    .max_message_bytes = 40 << 20,
    .fill = fill_egress,
    .on_up = egress_up,
    .on_down = nothing_down,
    .on_message = egress_message,
};

/* ---- reeve-control
 * ---------------------------------------------------------------------------------------------- */

static void fill_control(struct reeved *rv, struct start_request *q)
{
    q->argv[q->argc++] = STR(STATE_INSIDE);
    q->files[q->file_count++] = (struct start_file){.path = str_of(rv->state), .at = STR(STATE_INSIDE)};
    q->pass_fd = rv->control_listen;
}

static void control_up(struct reeved *rv, struct helper *h)
{
    struct wire_out o;
    struct err err = ERR_INIT;
    struct wire *w = helper_wire(h);
    int e = wire_notify(w, &o, "control/config");
    if (e >= 0) {
        access_put_roles(rv, &o.j);
        jout_m_cstr(&o.j, "stateDir", STATE_INSIDE);
        e = wire_end(w, &o, &err);
    }
    if (e < 0)
        log_error(&rv->log, "configure reeve-control: %s", err.text);
}

static void control_message(struct reeved *rv, struct helper *h, const struct wire_message *m)
{
    door_message(rv, helper_wire(h), m);
}

const struct helper_rows helpers_control = {
    .name = "control",
    .uid_slot = UID_SLOT_CONTROL,
    .max_message_bytes = 4 << 20,
    .fill = fill_control,
    .on_up = control_up,
    .on_down = nothing_down,
    .on_message = control_message,
};

void helpers_reconfigure(struct reeved *rv)
{
    if (helper_wire(rv->control))
        control_up(rv, rv->control);
    helper_restart(rv->egress); /* secrets come with the process: another set, another process */
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void tell(struct reeved *rv)
{
    struct wire *w = helper_wire(rv->control);
    struct wire_out o;
    struct err err = ERR_INIT;
    if (w && rv->changed_count && wire_notify(w, &o, "control/changed") >= 0) {
        jout_name(&o.j, "runs");
        jout_array(&o.j);
        qsort(rv->changed, rv->changed_count, sizeof(*rv->changed), by_id);
        for (size_t i = 0; i < rv->changed_count; i++)
            if (i == 0 || rv->changed[i] != rv->changed[i - 1])
                jout_i64(&o.j, rv->changed[i]);
        jout_array_end(&o.j);
        if (wire_end(w, &o, &err) < 0)
            log_warn(&rv->log, "tell reeve-control of changes: %s", err.text);
    }
    rv->changed_count = 0;
    rv->told_ms = reeved_now(rv);
}

void helpers_on_tell(void *arg, struct ev_timer *t)
{
    (void)t;
    tell(arg);
}

void helpers_tell_changes(struct reeved *rv)
{
    int64_t since = reeved_now(rv) - rv->told_ms;
    if (!rv->changed_count)
        return;
    if (since < 0 || since >= TELL_MS || rv->changed_count >= TELL_MAX)
        tell(rv);
    else if (!ev_timer_is_set(rv->tell))
        (void)ev_timer_set(rv->tell, TELL_MS - since);
}
