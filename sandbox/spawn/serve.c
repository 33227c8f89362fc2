/*
 * serve.c: what reeved may ask of reeve-spawn. Every request is checked again here (start_parse):
 * reeved talks to foreigners all day, and this is the door to privilege.
 */
#include "sandbox/os/fd.h"
#include "sandbox/spawn/child.h"

static int on_process_start(void *ctx, struct wire *w, const struct wire_message *m,
                            struct err *err)
{
    struct spawn *s = ctx;
    struct start_request r;
    struct child *warm;
    FD_AUTO int pass_fd = -1;
    bool passes = false;
    int rc;

    /* Taken first: left behind, it would go with another's request. */
    if (json_bool_or(m->params, "pass", false, &passes, NULL) == 0 && passes &&
        wire_take_fds(w, &pass_fd, 1) != 1)
        return err_set(err, EINVAL, "pass: no descriptor came along");
    rc = start_parse(m->params, &r, err);
    if (rc < 0)
        return rc;
    if (m->id->type != JSON_INT)
        return err_set(err, EINVAL, "id: expected an integer");
    warm = child_find(s, r.key) == NULL ? warm_take(s, &r) : NULL;
    if (warm != NULL) {
        child_give(warm, &r, m->id->integer);
        return 0;
    }
    rc = child_start(s, &r, m->id->integer, fd_take(&pass_fd), CHILD_ASKED, err);
    if (rc < 0)
        (void)err_wrap(err, "start \"%.*s\"", STR_FMT(r.key));
    return rc;
}

static int on_process_prestart(void *ctx, struct wire *w, const struct wire_message *m,
                               struct err *err)
{
    struct spawn *s = ctx;
    int rc = warm_set(s, m->params, err);

    if (rc < 0)
        log_warn(&s->log, "no workers are kept ready: %s", err->text);
    return rc < 0 ? rc : wire_result_raw(w, m->id->raw, STR("{}"), err);
}

static int on_process_prestop(void *ctx, struct wire *w, const struct wire_message *m,
                              struct err *err)
{
    warm_end_all(ctx);
    return m->kind == WIRE_REQUEST ? wire_result_raw(w, m->id->raw, STR("{}"), err) : 0;
}

static int on_process_kill(void *ctx, struct wire *w, const struct wire_message *m, struct err *err)
{
    struct spawn *s = ctx;
    struct child *c;
    struct str key;
    struct err why = ERR_INIT;
    int rc = json_want_str(m->params, "key", &key, err);

    if (rc < 0)
        return rc;
    c = child_find(s, key);
    if (c != NULL && c->state == CHILD_STARTING) {
        (void)err_set(&why, ECANCELED, "killed before it ran");
        child_fail(c, &why);
    } else if (c != NULL) {
        child_kill(c);
    }
    return m->kind == WIRE_REQUEST ? wire_result_raw(w, m->id->raw, STR("{}"), err) : 0;
}

static int on_host_features(void *ctx, struct wire *w, const struct wire_message *m,
                            struct err *err)
{
    struct spawn *s = ctx;
    struct buf out;
    struct jout j;
    int rc;

    buf_init(&out, 65536);
    jout_begin(&j, &out);
    jout_object(&j);
    probe_put_members(&s->probe, &j);
    jout_name(&j, "selfTests");
    test_put_json(s, &j);
    jout_name(&j, "warm");
    jout_object(&j);
    warm_put_members(s, &j);
    jout_object_end(&j);
    jout_object_end(&j);
    rc = jout_end(&j);
    if (rc == 0)
        rc = wire_result_raw(w, m->id->raw, buf_str(&out), err);
    else
        (void)err_sys(err, -rc, "features");
    buf_release(&out);
    return rc;
}

static const struct wire_rule rules[] = {
    {"process/start", WIRE_REQUEST, 1, false, 1u << 20, on_process_start},
    {"process/prestart", WIRE_REQUEST, 1, false, 1u << 20, on_process_prestart},
    {"process/prestop", WIRE_REQUEST, 1, false, 4096, on_process_prestop},
    {"process/prestop", WIRE_NOTIFICATION, 1, false, 4096, on_process_prestop},
    {"process/kill", WIRE_REQUEST, 1, false, 4096, on_process_kill},
    {"process/kill", WIRE_NOTIFICATION, 1, false, 4096, on_process_kill},
    {"host/features", WIRE_REQUEST, 1, false, 4096, on_host_features},
};

void serve_message(void *arg, struct wire *w, const struct wire_message *m)
{
    struct spawn *s = arg;
    uint64_t seen = 0;
    int64_t code = WIRE_E_INTERNAL;
    struct err err = ERR_INIT;
    const struct wire_rule *rule = wire_admit(rules, ARRAY_LEN(rules), m, 1, &seen, &code, &err);

    if (rule != NULL && rule->handler(s, w, m, &err) >= 0)
        return;
    if (m->kind != WIRE_REQUEST)
        log_warn(&s->log, "%.*s: %s", STR_FMT(m->method), err.text);
    else
        (void)wire_error(w, m->id, rule != NULL && err.number == EINVAL ? WIRE_E_PARAMS : code,
                         "%s", err.text);
}
