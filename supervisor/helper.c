/*
 * helper.c: see helper.h. Runs in reeved.
 */
#include "supervisor/helper.h"

#include "sandbox/os/sys.h"
#include "supervisor/runs.h"

#define PAUSE_MIN_MS   100
#define PAUSE_MAX_MS   30000
#define STEADY_MS      30000
#define LINE_MAX_BYTES 2048
#define LINES_MAX      2000 /* of one process's life: the rest is read and dropped */
#define NOISE_A_SECOND \
    (1u << 20) /* bytes that are read at most: who writes more waits for its pipe */

struct helper {
    struct reeved *rv;
    const struct helper_rows *rows;
    struct started *process;
    struct wire *wire;
    struct ev_timer *again;
    int64_t pause_ms, up_since_ms, starts;
    pid_t pid;
};

/* ---- noise
 * --------------------------------------------------------------------------------------------- */

struct noise {
    struct reeved *rv;
    struct ev_io *io;
    struct ev_timer *pause;
    int fd;
    int64_t run, bytes, second_bytes;
    int attempt; /* of the run */
    char who[64];
    int lines;
    size_t len;
    char line[LINE_MAX_BYTES];
};

static void noise_line(struct noise *n)
{
    struct buf shown;
    if (!n->len || ++n->lines > LINES_MAX) {
        n->len = 0;
        return;
    }
    buf_init(&shown, 4 * LINE_MAX_BYTES);
    utf8_put_visible(&shown, (struct str){n->line, n->len}, 2 * LINE_MAX_BYTES);
    const struct log_field fields[] = {LOG_STR("from", str_of(n->who)), LOG_INT("run", n->run)};
    log_put(&n->rv->log, LOG_LEVEL_INFO, fields, n->run ? 2 : 1, "%.*s", STR_FMT(buf_str(&shown)));
    struct run *r = n->run ? run_find(n->rv, n->run) : NULL;
    if (r)
        run_log(r, LOG_LEVEL_INFO, n->who, buf_str(&shown));
    buf_release(&shown);
    n->len = 0;
}

static void noise_free(struct noise *n)
{
    ev_io_free(n->io);
    ev_timer_free(n->pause);
    fd_close(&n->fd);
    free(n);
}

static void on_noise_pause(void *arg, struct ev_timer *t)
{
    (void)t;
    struct noise *n = arg;
    n->second_bytes = 0;
    if (ev_io_set(n->io, EPOLLIN, NULL) < 0)
        noise_free(n);
}

/* What floods is not worth our time: it is read slowly, and a run's worker may write so much and no
 * more. */
static int noise_bound(struct noise *n, ssize_t got)
{
    struct run *r = n->run ? run_find(n->rv, n->run) : NULL;
    n->bytes += got;
    n->second_bytes += got;
    if (r && r->process && r->rec.attempt == n->attempt && !run_state_is_final(r->rec.state) &&
        n->bytes > r->version->workflow.limits.output_bytes)
        run_must_event(r, LIFE_REFUSED,
                       "its worker wrote more to standard error than limits.output allows");
    if (n->second_bytes <= NOISE_A_SECOND)
        return 0;
    int e = ev_io_set(n->io, 0, NULL);
    return e < 0 ? e : ev_timer_set(n->pause, 1000);
}

static void on_noise(void *arg, struct ev_io *io, int fd, uint32_t events)
{
    (void)events;
    (void)io;
    struct noise *n = arg;
    char chunk[4096];
    ssize_t got = sys.read(fd, chunk, sizeof(chunk));
    if (got == -EAGAIN)
        return;
    for (ssize_t i = 0; i < got; i++) {
        if (chunk[i] == '\n' || n->len == sizeof(n->line))
            noise_line(n);
        if (chunk[i] != '\n')
            n->line[n->len++] = chunk[i];
    }
    if (got > 0 && noise_bound(n, got) >= 0)
        return;
    noise_line(n);
    noise_free(n);
}

void helper_watch_noise(struct reeved *rv, int fd, int64_t run, const char *who)
{
    struct err err = ERR_INIT;
    if (fd < 0)
        return;
    struct noise *n = calloc(1, sizeof(*n));
    if (n) {
        const struct run *r = run ? run_find(rv, run) : NULL;
        *n = (struct noise){.rv = rv, .fd = fd, .run = run, .attempt = r ? r->rec.attempt : 0};
        snprintf(n->who, sizeof(n->who), "%s", who);
        if (fd_set_nonblock(fd, true, &err) >= 0 &&
            ev_timer_new(rv->ev, on_noise_pause, n, &n->pause, &err) >= 0 &&
            ev_io_new(rv->ev, fd, EPOLLIN, on_noise, n, &n->io, &err) >= 0)
            return;
    }
    log_warn(&rv->log, "the standard error of %s is lost: %s", who, err.text);
    if (n)
        noise_free(n); /* closes it */
    else
        fd_close(&fd);
}

/* ---- helpers
 * -----------------------------------------------------------------------------------------------
 */

static void went_down(struct helper *h)
{
    if (!h->wire)
        return;
    outbox_remove(&h->rv->outbox, h->wire);
    wire_free(h->wire);
    h->wire = NULL;
    h->rows->on_down(h->rv, h);
}

static void on_message(void *arg, struct wire *w, const struct wire_message *m)
{
    (void)w;
    struct helper *h = arg;
    h->rows->on_message(h->rv, h, m);
}

static void on_closed(void *arg, struct wire *w, const struct err *why)
{
    (void)w;
    struct helper *h = arg;
    if (why->number)
        log_error(&h->rv->log, "reeve-%s misbehaved: %s", h->rows->name, why->text);
    went_down(h);
    if (h->process)
        spawner_kill(h->process);
}

static void start_later(struct helper *h)
{
    bool was_steady = reeved_now(h->rv) - h->up_since_ms >= STEADY_MS;
    h->pause_ms = was_steady || !h->pause_ms ? PAUSE_MIN_MS : MIN(2 * h->pause_ms, PAUSE_MAX_MS);
    if (!h->rv->stopping)
        ev_timer_set(h->again, h->pause_ms);
}

static void on_started(void *arg, struct started *p, const struct started_info *info,
                       const struct err *why)
{
    (void)p;
    struct helper *h = arg;
    struct err err = ERR_INIT;
    if (!info) {
        h->process = NULL;
        log_error(&h->rv->log, "reeve-%s does not start: %s", h->rows->name, why->text);
        start_later(h);
        return;
    }
    int pidfd = info->pidfd;
    fd_close(&pidfd);
    h->pid = info->pid;
    h->up_since_ms = reeved_now(h->rv);
    char who[64];
    snprintf(who, sizeof(who), "reeve-%s", h->rows->name);
    helper_watch_noise(h->rv, info->errout, 0, who);
    const struct wire_owner owner = {.on_message = on_message, .on_closed = on_closed, .arg = h};
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    limits.max_message_bytes = (size_t)h->rows->max_message_bytes;
    if (wire_new(h->rv->ev, info->channel, &limits, false, &owner, &h->wire, &err) < 0 ||
        outbox_add(&h->rv->outbox, h->wire, &err) < 0) {
        log_error(&h->rv->log, "speak to %s: %s", who, err.text);
        spawner_kill(h->process);
        return;
    }
    h->rows->on_up(h->rv, h);
}

static void on_exit_told(void *arg, struct started *p, const struct started_exit *e)
{
    (void)p;
    struct helper *h = arg;
    char how[PROC_EXIT_TEXT];
    proc_exit_text(&e->exit, how);
    if (!h->rv->stopping)
        log_warn(&h->rv->log, "reeve-%s %s; it is started again", h->rows->name, how);
    h->process = NULL;
    h->pid = 0;
    went_down(h);
    start_later(h);
}

void helper_start(struct helper *h)
{
    struct err err = ERR_INIT;
    struct start_request q = {
        .profile = PROFILE_HELPER, .channel = true, .stderr_pipe = true, .pass_fd = -1};
    const struct started_owner owner = {
        .on_started = on_started, .on_exit = on_exit_told, .arg = h};
    char key[START_KEY_MAX], program[sizeof(h->rv->libexec) + 64], name[64];
    snprintf(name, sizeof(name), "reeve-%s", h->rows->name);
    snprintf(key, sizeof(key), "%s.%" PRId64, h->rows->name, ++h->starts);
    snprintf(program, sizeof(program), "%s/%s", h->rv->libexec, name);
    q.key = str_of(key);
    q.program = str_of(program);
    q.argv[q.argc++] = str_of(name);
    q.uid_slot = h->rows->uid_slot;
    q.network = h->rows->network;
    h->rows->fill(h->rv, &q);
    if (spawner_start(h->rv->spawner, &q, &owner, &h->process, &err) < 0) {
        log_error(&h->rv->log, "start %s: %s", name, err.text);
        start_later(h);
    }
}

static void on_again(void *arg, struct ev_timer *t)
{
    (void)t;
    struct helper *h = arg;
    if (!h->process)
        helper_start(h);
}

int helper_new(struct reeved *rv, const struct helper_rows *rows, struct helper **ret,
               struct err *err)
{
    struct helper *h = calloc(1, sizeof(*h));
    if (!h)
        return err_sys(err, ENOMEM, "make a helper");
    *h = (struct helper){.rv = rv, .rows = rows};
    int e = ev_timer_new(rv->ev, on_again, h, &h->again, err);
    if (e < 0) {
        free(h);
        return e;
    }
    *ret = h;
    return 0;
}

void helper_restart(struct helper *h)
{
    h->pause_ms = 0;
    if (h->process)
        spawner_kill(h->process);
}

struct wire *helper_wire(const struct helper *h)
{
    return h ? h->wire : NULL;
}

void helper_put_status(const struct helper *h, struct jout *j)
{
    jout_object(j);
    jout_m_fmt(j, "name", "reeve-%s", h->rows->name);
    jout_m_cstr(j, "state", h->wire ? "up" : "down");
    jout_m_i64(j, "pid", h->pid);
    jout_m_i64(j, "starts", h->starts);
    jout_object_end(j);
}
