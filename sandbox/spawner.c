/*
 * spawner.c: reeved's side of reeve-spawn: a handle for each process, told exactly once how it
 * began and exactly once how it ended, also when reeve-spawn itself goes away.
 *
 * Trusts reeve-spawn to be honest about what it started, not to be well formed: every member is
 * checked.
 */
#include <fcntl.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"
#include "sandbox/start.h"

enum started_state {
    STARTED_ASKED,   /* process/start is on its way */
    STARTED_RUNNING, /* answered: runs */
};

struct started {
    struct started *next;
    struct spawner *spawner;
    struct wire_call *call; /* STARTED_ASKED */
    struct started_owner owner;
    enum started_state state;
    bool abandoned; /* nobody is told; killed as soon as it is known to run */
    bool channel, stdio, stderr_pipe;
    char key[START_KEY_MAX + 1];
};

struct spawner {
    struct wire *wire;
    struct spawner_owner owner;
    struct started *list;
    bool lost;
};

/* ---- handles -----------------------------------------------------------------------------------
 */

static void unlink_started(struct started *p)
{
    struct started **at = &p->spawner->list;

    while (*at != NULL && *at != p)
        at = &(*at)->next;
    must(*at == p);
    *at = p->next;
}

static struct started *find_started(struct spawner *s, struct str key)
{
    struct started *p = s->list;

    while (p != NULL && !str_is(key, p->key))
        p = p->next;
    return p;
}

static void tell_failed(struct started *p, const struct err *why)
{
    unlink_started(p);
    if (!p->abandoned)
        p->owner.on_started(p->owner.arg, p, NULL, why);
    free(p);
}

static void tell_exit(struct started *p, const struct started_exit *e)
{
    unlink_started(p);
    if (!p->abandoned)
        p->owner.on_exit(p->owner.arg, p, e);
    free(p);
}

static void ask_kill(struct started *p)
{
    struct wire_out o;
    struct err err = ERR_INIT;

    if (p->spawner->lost || wire_notify(p->spawner->wire, &o, "process/kill") < 0)
        return;
    jout_m_cstr(&o.j, "key", p->key);
    (void)wire_end(p->spawner->wire, &o, &err); /* a wire that cannot is closed: all die then */
}

/* ---- answers ------------------------------------------------------------------------------------
 */

/* How many descriptors come with the answer, in their order (start.h). */
static size_t fds_expected(const struct started *p)
{
    return 1 + (p->channel ? 1u : 0u) + (p->stdio ? 3u : p->stderr_pipe ? 1u : 0u);
}

static void fds_close(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fd_close(&fds[i]);
}

static int take_info(struct started *p, struct wire *w, const struct wire_message *m,
                     struct started_info *ret, struct err *err)
{
    int fds[FD_PASS_MAX];
    size_t want = fds_expected(p), got = wire_take_fds(w, fds, want), at = 0;
    int64_t pid;
    int rc = json_want_i64(m->result, "pid", &pid, err);

    if (rc == 0 && got != want)
        rc = err_set(err, EBADMSG, "%zu descriptors came, expected %zu", got, want);
    if (rc < 0) {
        fds_close(fds, got);
        return rc;
    }
    *ret = (struct started_info){
        .pid = (pid_t)pid, .pidfd = -1, .channel = -1, .in = -1, .out = -1, .errout = -1};
    ret->pidfd = fds[at++];
    if (p->channel)
        ret->channel = fds[at++];
    if (p->stdio) {
        ret->in = fds[at++];
        ret->out = fds[at++];
        ret->errout = fds[at++];
    } else if (p->stderr_pipe) {
        ret->errout = fds[at++];
    }
    must(at == want);
    return 0;
}

static int64_t number_of(const struct json *params, const char *name)
{
    int64_t v = 0;

    return json_i64_or(params, name, 0, &v, NULL) < 0 ? 0 : v;
}

static void on_start_reply(void *arg, struct wire *w, const struct wire_message *m)
{
    struct started *p = arg;
    struct started_info info;
    struct err err = ERR_INIT;

    p->call = NULL;
    if (m->kind == WIRE_ERROR) {
        int64_t number = number_of(m->data, "errno");
        (void)err_set(&err, number > 0 && number < 4096 ? (int)number : EIO, "%.*s",
                      STR_FMT(m->text));
        tell_failed(p, &err);
        return;
    }
    if (take_info(p, w, m, &info, &err) < 0) {
        (void)err_wrap(&err, "start \"%s\": answer of reeve-spawn", p->key);
        ask_kill(p);
        tell_failed(p, &err); /* its exit will find no handle and is ignored */
        return;
    }
    p->state = STARTED_RUNNING;
    if (p->abandoned) {
        int fds[] = {info.pidfd, info.channel, info.in, info.out, info.errout};
        fds_close(fds, ARRAY_LEN(fds));
        ask_kill(p);
        return;
    }
    info.layers = json_get(m->result, "layers");
    p->owner.on_started(p->owner.arg, p, &info, NULL);
}

static int on_exited(void *ctx, struct wire *w UNUSED, const struct wire_message *m,
                     struct err *err)
{
    struct spawner *s = ctx;
    struct started *p;
    struct str key;
    int64_t signo;
    bool oom = false;
    int rc = json_want_str(m->params, "key", &key, err);

    if (rc < 0 || (rc = json_bool_or(m->params, "oom", false, &oom, err)) < 0)
        return rc;
    p = find_started(s, key);
    if (p == NULL || p->state != STARTED_RUNNING)
        return 0;
    signo = number_of(m->params, "signal");
    struct started_exit e = {
        .exit = {.by_signal = signo != 0,
                 .code = (int)(signo != 0 ? signo : number_of(m->params, "code")),
                 .user_us = number_of(m->params, "userUs"),
                 .system_us = number_of(m->params, "systemUs"),
                 .max_rss_bytes = number_of(m->params, "maxRssBytes")},
        .wait_us = number_of(m->params, "waitUs"),
        .oom = oom,
    };
    tell_exit(p, &e);
    return 0;
}

static int on_denied(void *ctx, struct wire *w UNUSED, const struct wire_message *m,
                     struct err *err)
{
    struct spawner *s = ctx;
    struct started *p;
    struct str key, call;
    int rc;

    if ((rc = json_want_str(m->params, "key", &key, err)) < 0 ||
        (rc = json_want_str(m->params, "call", &call, err)) < 0)
        return rc;
    p = find_started(s, key);
    if (p != NULL && !p->abandoned && p->owner.on_denied != NULL)
        p->owner.on_denied(p->owner.arg, p, call, m->params);
    return 0;
}

static const struct wire_rule rules[] = {
    {"process/exited", WIRE_NOTIFICATION, 1, false, 4096, on_exited},
    {"process/denied", WIRE_NOTIFICATION, 1, false, 4096, on_denied},
};

static void on_message(void *arg, struct wire *w, const struct wire_message *m)
{
    struct spawner *s = arg;
    uint64_t seen = 0;
    int64_t code;
    struct err err = ERR_INIT;
    const struct wire_rule *rule = wire_admit(rules, ARRAY_LEN(rules), m, 1, &seen, &code, &err);

    if (rule == NULL) {
        if (m->kind == WIRE_REQUEST)
            (void)wire_error(w, m->id, code, "%s", err.text);
        return;
    }
    (void)rule->handler(s, w, m,
                        &err); /* not well formed: dropped, the process still ends in time */
}

/* All processes die with reeve-spawn (PDEATHSIG, pid namespaces), so that is what their owners
 * hear. */
static void on_closed(void *arg, struct wire *w UNUSED, const struct err *why)
{
    struct spawner *s = arg;
    struct err err = *why;
    struct started *p;

    s->lost = true;
    if (err.number == 0)
        (void)err_set(&err, EPIPE, "reeve-spawn ended");
    /* Owners may start or abandon others meanwhile: always take the head. */
    while ((p = s->list) != NULL) {
        if (p->state == STARTED_RUNNING) {
            struct started_exit e = {.exit = {.by_signal = true, .code = 9}, .lost = true};
            tell_exit(p, &e);
        } else {
            if (p->call != NULL)
                wire_call_drop(p->call);
            tell_failed(p, &err);
        }
    }
    s->owner.on_lost(s->owner.arg, s, &err);
}

/* ---- what reeved calls
 * --------------------------------------------------------------------------- */

int spawner_new(struct ev *ev, int fd, const struct spawner_owner *owner, struct spawner **ret,
                struct err *err)
{
    struct spawner *s = calloc(1, sizeof(*s));
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    int rc;

    if (s == NULL) {
        fd_close(&fd);
        return err_sys(err, ENOMEM, "spawner");
    }
    s->owner = *owner;
    limits.max_message_bytes = 1u << 20;
    struct wire_owner wire_owner = {on_message, on_closed, s};
    rc = wire_new(ev, fd, &limits, true, &wire_owner, &s->wire, err);
    if (rc < 0) {
        free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void spawner_free(struct spawner *s)
{
    if (s == NULL)
        return;
    wire_free(s->wire);
    while (s->list != NULL) {
        struct started *p = s->list;
        s->list = p->next;
        free(p);
    }
    free(s);
}

struct wire *spawner_wire(struct spawner *s)
{
    return s->wire;
}

static int send_start(struct spawner *s, struct started *p, const struct start_request *r,
                      struct err *err)
{
    struct wire_out o;
    int rc;

    if (r->pass_fd >= 0) {
        int fd = sys.fcntl(r->pass_fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return err_sys(err, -fd, "pass descriptor %d", r->pass_fd);
        if ((rc = wire_attach_fd(s->wire, fd, err)) < 0)
            return rc;
    }
    if ((rc = wire_call_begin(s->wire, &o, "process/start")) < 0)
        return err_sys(err, -rc, "process/start");
    start_put(&o.j, r);
    return wire_call_end(s->wire, &o, 0, on_start_reply, p, &p->call, err);
}

int spawner_start(struct spawner *s, const struct start_request *r,
                  const struct started_owner *owner, struct started **ret, struct err *err)
{
    struct started *p;
    int rc;

    if (s->lost)
        return err_set(err, EPIPE, "reeve-spawn is gone");
    if (find_started(s, r->key) != NULL)
        return err_set(err, EEXIST, "start \"%.*s\": this key is in use", STR_FMT(r->key));
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return err_sys(err, ENOMEM, "start \"%.*s\"", STR_FMT(r->key));
    rc = str_copy(r->key, p->key, sizeof(p->key));
    if (rc < 0) {
        free(p);
        return err_sys(err, -rc, "start \"%.*s\"", STR_FMT(r->key));
    }
    p->spawner = s;
    p->owner = *owner;
    p->channel = r->channel;
    p->stdio = r->stdio;
    p->stderr_pipe = r->stderr_pipe;
    rc = send_start(s, p, r, err);
    if (rc < 0) {
        free(p);
        return rc;
    }
    p->next = s->list;
    s->list = p;
    *ret = p;
    return 0;
}

static void on_prestart_reply(void *arg UNUSED, struct wire *w UNUSED,
                              const struct wire_message *m UNUSED)
{
    /* reeve-spawn logs why not. */
}

int spawner_prestart(struct spawner *s, const struct start_request *r, unsigned count,
                     struct err *err)
{
    struct start_request request = *r;
    struct wire_out o;
    int rc;

    if (s->lost)
        return err_set(err, EPIPE, "reeve-spawn is gone");
    request.key = STR("warm");
    request.uid_slot = UID_SLOT_RUNS; /* reeve-spawn gives each one of its own */
    rc = wire_call_begin(s->wire, &o, "process/prestart");
    if (rc < 0)
        return err_sys(err, -rc, "process/prestart");
    jout_m_i64(&o.j, "count", count);
    start_put(&o.j, &request);
    return wire_call_end(s->wire, &o, 0, on_prestart_reply, NULL, NULL, err);
}

int spawner_prestop(struct spawner *s, struct err *err)
{
    struct wire_out o;
    int rc;

    if (s->lost)
        return err_set(err, EPIPE, "reeve-spawn is gone");
    rc = wire_notify(s->wire, &o, "process/prestop");
    return rc < 0 ? err_sys(err, -rc, "process/prestop") : wire_end(s->wire, &o, err);
}

void spawner_kill(struct started *p)
{
    ask_kill(p);
}

void spawner_abandon(struct started *p)
{
    p->abandoned = true;
    if (p->state == STARTED_RUNNING)
        ask_kill(p);
}
