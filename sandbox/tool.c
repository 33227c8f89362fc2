/*
 * tool.c: see tool.h. Runs in `reeve`, with the caller's rights; reeve-spawn is a child of it here,
 * and ends with it.
 */
#include "sandbox/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/file.h"
#include "sandbox/os/proc.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/sys.h"
#include "sandbox/plan.h"

#define COPY_BYTES 65536

/* ---- copying between our descriptors and the command's
 * ------------------------------------------------ */

struct copy {
    struct ev *ev;
    int from, to; /* -1 once ended; `to` is owned when owns_to, `from` when owns_from */
    bool owns_from, owns_to;
    struct ev_io *io;
    struct ev_timer *timer; /* for what epoll does not take: regular files */
    void (*ended)(void *arg);
    void *arg;
};

static void copy_end(struct copy *c)
{
    ev_io_free(c->io);
    ev_timer_free(c->timer);
    c->io = NULL;
    c->timer = NULL;
    if (c->owns_from)
        fd_close(&c->from);
    if (c->owns_to)
        fd_close(&c->to);
    c->from = c->to = -1;
    if (c->ended != NULL)
        c->ended(c->arg);
}

static bool copy_some(struct copy *c)
{
    char bytes[COPY_BYTES];
    ssize_t n = sys.read(c->from, bytes, sizeof(bytes));

    if (n == -EAGAIN)
        return true;
    if (n <= 0 || fd_write_all(c->to, bytes, (size_t)n, NULL) < 0) {
        copy_end(c);
        return false;
    }
    return true;
}

static void on_copy_io(void *arg, struct ev_io *io UNUSED, int fd UNUSED, uint32_t events UNUSED)
{
    (void)copy_some(arg);
}

static void on_copy_timer(void *arg, struct ev_timer *t)
{
    if (copy_some(arg))
        (void)ev_timer_set(t, 0);
}

static int copy_begin(struct copy *c, struct err *err)
{
    int rc = ev_io_new(c->ev, c->from, EPOLLIN, on_copy_io, c, &c->io, err);

    if (rc != -EPERM)
        return rc;
    rc = ev_timer_new(c->ev, on_copy_timer, c, &c->timer, err);
    return rc < 0 ? rc : ev_timer_set(c->timer, 0);
}

/* ---- one command
 * ----------------------------------------------------------------------------------------- */

#define LEARNED_MAX 512
struct running {
    struct ev *ev;
    struct spawner *spawner;
    struct copy in, out, errout;
    int pidfd, channel, null_fd;
    bool has_exited, failed;
    unsigned open_copies;
    struct started_exit exit;
    struct err why;
    bool learn;
    bool *seen; /* LEARNED_MAX, by number */
    struct buf *learned;
};

static void maybe_stop(struct running *r)
{
    if (r->failed || (r->has_exited && r->open_copies == 0))
        ev_stop(r->ev);
}

static void on_copy_ended(void *arg)
{
    struct running *r = arg;

    r->open_copies--;
    maybe_stop(r);
}

static void start_copies(struct running *r, const struct started_info *info)
{
    r->in = (struct copy){.ev = r->ev, .from = 0, .to = info->in, .owns_to = true};
    r->out = (struct copy){.ev = r->ev,
                           .from = info->out,
                           .to = 1,
                           .owns_from = true,
                           .ended = on_copy_ended,
                           .arg = r};
    r->errout = (struct copy){.ev = r->ev,
                              .from = info->errout,
                              .to = 2,
                              .owns_from = true,
                              .ended = on_copy_ended,
                              .arg = r};
    r->open_copies = 2;
    if (copy_begin(&r->out, &r->why) < 0 || copy_begin(&r->errout, &r->why) < 0 ||
        copy_begin(&r->in, &r->why) < 0) {
        r->failed = true;
        maybe_stop(r);
    }
}

static void on_started(void *arg, struct started *p UNUSED, const struct started_info *info,
                       const struct err *why)
{
    struct running *r = arg;

    if (info == NULL) {
        r->why = *why;
        r->failed = true;
        maybe_stop(r);
        return;
    }
    r->pidfd = info->pidfd;
    r->channel = info->channel;
    start_copies(r, info);
}

static void on_exit_(void *arg, struct started *p UNUSED, const struct started_exit *e)
{
    struct running *r = arg;

    r->has_exited = true;
    r->exit = *e;
    if (r->in.to >= 0)
        copy_end(&r->in);
    maybe_stop(r);
}

static void on_denied(void *arg, struct started *p UNUSED, struct str call,
                      const struct json *details)
{
    struct running *r = arg;
    struct str answer = STR("?");
    int64_t number = -1;
    char line[256];
    int n;

    if (json_str_or(details, "answer", answer, &answer, NULL) < 0 ||
        json_i64_or(details, "number", -1, &number, NULL) < 0)
        return;
    if (r->learn) {
        if (number < 0 || number >= LEARNED_MAX || r->seen[number])
            return;
        r->seen[number] = true;
        buf_fmt(r->learned, "%.*s\n", STR_FMT(call));
        return;
    }
    n = snprintf(line, sizeof(line), "reeve sandbox: %.*s refused: %.*s\n", STR_FMT(call),
                 STR_FMT(answer));
    if (n > 0)
        (void)sys.write(2, line, MIN((size_t)n, sizeof(line) - 1));
}

static void on_lost(void *arg, struct spawner *s UNUSED, const struct err *why)
{
    struct running *r = arg;

    if (!r->has_exited) {
        r->why = *why;
        r->failed = true;
    }
    ev_stop(r->ev);
}

/* reeve-spawn as our child, its channel as its descriptor 3. */
static int start_spawn(const struct sandbox_command *c, bool learn, int *ret_fd, int *ret_pidfd,
                       struct err *err)
{
    const char *argv[] = {"reeve-spawn", learn ? "--learn" : NULL, NULL};
    const char *env[] = {NULL};
    char path[1024];
    FD_AUTO int theirs = -1;
    int pair[2], rc;
    pid_t pid;

    if (c->spawn_program != NULL)
        (void)snprintf(path, sizeof(path), "%s", c->spawn_program);
    else if ((rc = file_program_dir(path, sizeof(path) - 16, err)) < 0)
        return rc;
    else
        (void)snprintf(path + strlen(path), 16, "/reeve-spawn");
    rc = sock_pair(pair, true, err);
    if (rc < 0)
        return rc;
    *ret_fd = pair[0];
    theirs = pair[1];
    int fds[] = {-1, -1, 2, theirs};
    struct proc_spawn spawn = {path, argv, env, fds, ARRAY_LEN(fds)};
    rc = proc_spawn(&spawn, &pid, ret_pidfd, err);
    if (rc < 0)
        fd_close(ret_fd);
    return rc;
}

static int run_loop(struct running *r, const struct sandbox_command *c, int fd, struct err *err)
{
    struct spawner_owner owner = {on_lost, r};
    struct started_owner each = {on_started, on_exit_, on_denied, r};
    struct start_request request = c->request;
    struct started *started;
    int rc = spawner_new(r->ev, fd, &owner, &r->spawner, err);

    if (rc < 0)
        return rc;
    request.key = STR("sandbox");
    request.stdio = true;
    request.channel = request.profile == PROFILE_STRICT;
    if (request.uid_slot < UID_SLOT_SERVERS)
        request.uid_slot = UID_SLOT_SERVERS;
    rc = spawner_start(r->spawner, &request, &each, &started, err);
    if (rc == 0)
        rc = ev_run(r->ev, err);
    if (rc == 0 && r->failed) {
        *err = r->why;
        rc = err->number != 0 ? -err->number : -EIO;
    }
    return rc;
}

static void release_running(struct running *r)
{
    struct copy *copies[] = {&r->in, &r->out, &r->errout};

    for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
        copies[i]->ended = NULL;
        copy_end(copies[i]);
    }
    spawner_free(r->spawner);
    ev_free(r->ev);
    fd_close(&r->pidfd);
    fd_close(&r->channel);
    free(r->seen);
}

static int run_command(const struct sandbox_command *c, struct buf *learned, int *ret_status,
                       struct err *err)
{
    struct running r = {.pidfd = -1,
                        .channel = -1,
                        .learn = learned != NULL,
                        .learned = learned,
                        .in = {.from = -1, .to = -1},
                        .out = {.from = -1, .to = -1},
                        .errout = {.from = -1, .to = -1}};
    FD_AUTO int spawn_pidfd = -1;
    int fd = -1, rc;

    (void)signal(SIGPIPE, SIG_IGN);
    r.seen = calloc(LEARNED_MAX, sizeof(bool));
    if (r.seen == NULL)
        return err_sys(err, ENOMEM, "sandbox");
    rc = start_spawn(c, r.learn, &fd, &spawn_pidfd, err);
    if (rc == 0) {
        rc = ev_new(&r.ev, NULL, err);
        if (rc == 0)
            rc = run_loop(&r, c, fd, err);
        else
            fd_close(&fd);
    }
    release_running(&r); /* its channel ends: reeve-spawn ends */
    if (spawn_pidfd >= 0)
        (void)proc_wait(spawn_pidfd, true, &(struct proc_exit){0}, NULL);
    if (rc == 0)
        *ret_status = r.exit.exit.by_signal ? 128 + r.exit.exit.code : r.exit.exit.code;
    return rc;
}

int sandbox_run(const struct sandbox_command *c, int *ret_status, struct err *err)
{
    return run_command(c, NULL, ret_status, err);
}

int sandbox_learn(const struct sandbox_command *c, struct buf *out, int *ret_status,
                  struct err *err)
{
    return run_command(c, out, ret_status, err);
}

/* ---- explain
 * --------------------------------------------------------------------------------------------------
 */

static int explain(const struct sandbox_command *c, const struct plan_host *host, struct plan *plan,
                   struct buf *out, struct err *err)
{
    struct arena arena;
    struct jout j;
    int rc;

    arena_init(&arena, (size_t)1 << 20);
    rc = plan_make(&c->request, host, &arena, plan, err);
    if (rc == 0 && c->json) {
        jout_begin(&j, out);
        plan_put_json(plan, &j);
        rc = jout_end(&j);
        if (rc < 0)
            (void)err_sys(err, -rc, "plan");
    } else if (rc == 0) {
        plan_put_text(plan, out);
    }
    arena_release(&arena);
    return rc;
}

int sandbox_explain(const struct sandbox_command *c, struct buf *out, struct err *err)
{
    struct probe probe;
    struct plan *plan;
    int rc = probe_host(&probe, err);

    if (rc < 0)
        return rc;
    struct plan_host host = {.probe = &probe, .uid_base = 2113929216u, .has_cgroup = true};
    plan = calloc(1, sizeof(*plan));
    if (plan == NULL)
        return err_sys(err, ENOMEM, "plan");
    rc = explain(c, &host, plan, out, err);
    free(plan);
    return rc;
}

int sandbox_find_program(const char *name, char *ret, size_t size, struct err *err)
{
    const char *path = getenv("PATH");
    struct str rest = str_of(path != NULL ? path : "/usr/local/bin:/usr/bin:/bin"), dir;
    char text[1024];

    if (strchr(name, '/') != NULL) {
        char *full = realpath(name, NULL);
        int rc = full == NULL ? err_set(err, ENOENT, "\"%s\": no such program", name)
                              : str_copy(str_of(full), ret, size);
        free(full);
        return rc;
    }
    while (str_split(&rest, ':', &dir)) {
        int n = snprintf(text, sizeof(text), "%.*s/%s", STR_FMT(dir), name);
        if (dir.len > 0 && dir.ptr[0] == '/' && n > 0 && (size_t)n < sizeof(text) &&
            access(text, X_OK) == 0)
            return str_copy(str_of(text), ret, size);
    }
    return err_set(err, ENOENT, "\"%s\": no such program in PATH", name);
}
