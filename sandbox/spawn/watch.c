/*
 * watch.c: what a started process says and does, as far as reeve-spawn looks: the reports of its
 * start, the calls that its filter refused, its end. Trusts nothing of it: a report is bounded, a
 * notified call is judged by its number alone (trap 10).
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

#include "sandbox/kernel.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"
#include "sandbox/report.h"
#include "sandbox/spawn/child.h"

#define LEAVE_RETRY_MS 2

/* ---- refused calls
 * ------------------------------------------------------------------------------------- */

static void tell_denied(struct child *c, const struct seccomp_notif *n, const char *name,
                        const char *answer)
{
    struct wire_out o;

    if (c->spawn->stopping || c->kind != CHILD_ASKED ||
        wire_notify(c->spawn->wire, &o, "process/denied") < 0)
        return;
    jout_m_cstr(&o.j, "key", c->key);
    jout_m_cstr(&o.j, "call", name);
    jout_m_i64(&o.j, "number", n->data.nr);
    jout_name(&o.j, "args");
    jout_array(&o.j);
    for (size_t i = 0; i < ARRAY_LEN(n->data.args); i++)
        jout_fmt(&o.j, "0x%" PRIx64, (uint64_t)n->data.args[i]);
    jout_array_end(&o.j);
    jout_m_cstr(&o.j, "answer", answer);
    jout_m_i64(&o.j, "count", c->denied);
    (void)wire_end(c->spawn->wire, &o, NULL);
}

static void answer(struct child *c, uint64_t id, int number, uint32_t flags)
{
    struct seccomp_notif_resp r = {.id = id, .error = -number, .flags = flags};

    (void)kernel_notify_answer(c->listener, &r); /* -ENOENT: it died meanwhile */
}

/* The exec of its own start, asked for by apply.c behind the filter: nothing foreign ran yet. */
static bool is_own_exec(struct child *c, const struct seccomp_notif *n)
{
    /* A strict worker has its exec behind it when its filter stands. */
    if (c->state != CHILD_STARTING || c->exec_seen || n->data.nr != SYS_execve ||
        c->plan.profile == PROFILE_STRICT)
        return false;
    c->exec_seen = true;
    return true;
}

static void refuse(struct child *c, const struct seccomp_notif *n)
{
    struct seccomp_answer a = seccomp_set_answer(c->plan.seccomp, n->data.nr);

    if (c->kind == CHILD_TEST) { /* the very same walls, but it lives on to try the next */
        test_told(c, n->data.nr);
        answer(c, n->id, a.number, 0);
        return;
    }
    char name[SECCOMP_NAME_MAX];
    seccomp_call_name(n->data.nr, name);
    if (c->kind ==
        CHILD_WARM) { /* never given out: it stays stopped in the call until it is dead */
        warm_denied(c, name);
        return;
    }
    bool helper = c->plan.profile == PROFILE_HELPER;
    bool probing = ++c->denied > CHILD_DENIED_MAX && !helper; /* ours: broken rather than hostile */
    bool dies = (a.kills && !helper) || probing;

    if (c->denied <= CHILD_DENIED_MAX + 1)
        tell_denied(c, n, name,
                    probing ? "killed: repeated probing"
                    : dies  ? "killed"
                            : err_name(a.number));
    if (c->state == CHILD_STARTING && dies) {
        struct err why = ERR_INIT;
        (void)err_set(&why, EPERM, "layer %s: %s refused during start", layer_name(LAYER_SECCOMP),
                      name);
        child_fail(c, &why);
    } else if (dies) {
        child_kill(c); /* it stays stopped in the call until the signal takes it */
    } else {
        answer(c, n->id, a.number, 0);
    }
}

static void on_start(void *arg, struct ev_io *io, int fd, uint32_t events);

static void on_listener(void *arg, struct ev_io *io UNUSED, int fd, uint32_t events)
{
    struct child *c = arg;
    struct seccomp_notif n;

    if ((events & EPOLLIN) == 0 || kernel_notify_receive(fd, &n) < 0) {
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) { /* nobody is left behind the filter */
            ev_io_free(c->listener_io);
            c->listener_io = NULL;
        }
        return;
    }
    /* A call of the program itself may be seen before the end of its start: that first, then. */
    if (c->state == CHILD_STARTING && c->start_io != NULL)
        on_start(c, c->start_io, c->start_fd, EPOLLIN);
    if (is_own_exec(c, &n)) {
        answer(c, n.id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    } else if (c->spawn->learn && c->kind == CHILD_ASKED) {
        char name[SECCOMP_NAME_MAX];
        seccomp_call_name(n.data.nr, name);
        c->denied++;
        tell_denied(c, &n, name, "let through");
        answer(c, n.id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    } else {
        refuse(c, &n);
    }
}

static int take_listener(struct child *c, int *fd, struct err *err)
{
    if (c->listener >= 0 || *fd < 0)
        return err_set(err, EPROTO, *fd < 0 ? "no listener came" : "a second listener");
    c->listener = fd_take(fd);
    return ev_io_new(c->spawn->ev, c->listener, EPOLLIN, on_listener, c, &c->listener_io, err);
}

/* ---- start
 * ---------------------------------------------------------------------------------------------------
 */

static void put_layers(const struct child *c, struct jout *j)
{
    jout_array(j);
    plan_put_layers(&c->plan, j);
    /* It is good, or nothing would have been cloned. */
    jout_fmt(j, "self-test: %zu forbidden acts refused behind the same walls, set \"%s\"",
             selftest_count(c->plan.seccomp), seccomp_set_name(c->plan.seccomp));
    jout_array_end(j);
}

/* For one that waits: while nobody waits for it. */
static char *layers_text(const struct child *c)
{
    struct buf out;
    struct jout j;

    buf_init(&out, 65536);
    jout_begin(&j, &out);
    put_layers(c, &j);
    if (jout_end(&j) == 0)
        return buf_take(&out, NULL);
    buf_release(&out);
    return NULL;
}

/* The same, and how long it waited. */
static void put_layers_of_warm(const struct child *c, struct jout *j)
{
    struct buf out;

    buf_init(&out, 65536);
    buf_put(&out, c->warm.layers, strlen(c->warm.layers) - 1); /* but for the closing bracket */
    buf_fmt(&out, ",\"start: warm, waited %" PRId64 " ms behind these walls\"]",
            (ev_mono_us(c->spawn->ev) - c->warm.born_us) / 1000);
    jout_raw(j, buf_status(&out) == 0 ? buf_str(&out) : str_of(c->warm.layers));
    buf_release(&out);
}

static void put_result(const struct child *c, struct buf *out, struct err *err)
{
    struct jout j;

    jout_begin(&j, out);
    jout_object(&j);
    jout_m_i64(&j, "pid", c->pid);
    jout_name(&j, "layers");
    if (c->warm.layers != NULL)
        put_layers_of_warm(c, &j);
    else
        put_layers(c, &j);
    jout_object_end(&j);
    int rc = jout_end(&j);
    if (rc < 0)
        (void)err_sys(err, -rc, "answer");
}

#define FDS_WAITING_MAX 48 /* a wire takes 64 */

/* Whether the descriptors of one more answer fit behind those that wait; many starts end in one
 * pass. */
static bool has_room(struct child *c)
{
    struct spawn *s = c->spawn;
    size_t want = c->ours_count + 1;

    if (!wire_has_output(s->wire))
        s->fds_waiting = 0;
    if (s->fds_waiting + want > FDS_WAITING_MAX)
        return false;
    s->fds_waiting += want;
    return true;
}

static int attach_ours(struct child *c, struct err *err)
{
    int copy = sys.fcntl(ev_child_pidfd(c->exit), F_DUPFD_CLOEXEC, 3);
    int rc =
        copy < 0 ? err_sys(err, -copy, "copy a pidfd") : wire_attach_fd(c->spawn->wire, copy, err);

    for (size_t i = 0; i < c->ours_count && rc == 0; i++)
        rc = wire_attach_fd(c->spawn->wire, fd_take(&c->ours[i]), err);
    return rc;
}

/* Its walls stand and its program runs: answered, and its channel handed out. */
void watch_running(struct child *c)
{
    struct err err = ERR_INIT;
    struct buf result;

    if (c->state != CHILD_STARTING)
        return;
    if (c->kind == CHILD_TEST) {
        c->state = CHILD_RUNNING;
        return; /* its timer goes on: a test that hangs is killed */
    }
    if (c->kind == CHILD_WARM) {
        c->state = CHILD_RUNNING;
        ev_timer_stop(c->timer);
        warm_ready(c);
        c->warm.layers = layers_text(c);
        return;
    }
    c->is_ready = true;
    if (!has_room(c) && ev_timer_set(c->timer, 1) == 0)
        return; /* once more when others have left */
    char raw[24];
    struct str id = {raw, (size_t)snprintf(raw, sizeof(raw), "%" PRId64, c->request)};

    buf_init(&result, 65536);
    put_result(c, &result, &err);
    if (err.number == 0 && attach_ours(c, &err) == 0 &&
        wire_result_raw(c->spawn->wire, id, buf_str(&result), &err) == 0) {
        c->state = CHILD_RUNNING;
        c->answered = true;
        ev_timer_stop(c->timer);
    }
    buf_release(&result);
    if (!c->answered)
        child_fail(c, &err);
}

static void close_start(struct child *c)
{
    ev_io_free(c->start_io);
    c->start_io = NULL;
    fd_close(&c->start_fd);
}

/* One record: 1; 0 at the end; -EAGAIN. What came along with it is *ret_fd (or -1), the caller's.
 */
static int receive(struct child *c, struct report *r, int *ret_fd)
{
    int fds[FD_PASS_MAX];
    size_t count = 0;
    ssize_t n = fd_recv(c->start_fd, r, sizeof(*r), fds, &count, NULL);

    /* It ended without having read its filter: the kernel tells that first, once, and only then
     * what it wrote. */
    if (n == -ECONNRESET)
        n = fd_recv(c->start_fd, r, sizeof(*r), fds, &count, NULL);
    *ret_fd = count > 0 ? fds[0] : -1;
    for (size_t i = 1; i < count; i++)
        fd_close(&fds[i]);
    r->text[REPORT_TEXT - 1] = '\0';
    return n == (ssize_t)sizeof(*r) ? 1 : n == 0 || n == -EAGAIN ? (int)n : -EPROTO;
}

static void on_report(struct child *c, const struct report *r, int *fd, struct err *err)
{
    if (r->kind == REPORT_LISTENER) {
        if (take_listener(c, fd, err) < 0)
            (void)err_wrap(err, "layer %s", layer_name(LAYER_SECCOMP));
        else if (c->plan.profile == PROFILE_STRICT)
            watch_running(c); /* behind its last wall; elsewhere the exec is still to come */
        return;
    }
    (void)err_set(err, r->number > 0 ? r->number : EPROTO, "layer %s: %.*s",
                  layer_name((enum layer)r->layer), REPORT_TEXT - 1, r->text);
}

static void on_start(void *arg, struct ev_io *io UNUSED, int fd UNUSED, uint32_t events UNUSED)
{
    struct child *c = arg;
    struct err err = ERR_INIT;
    struct report r = {0};
    FD_AUTO int came = -1;
    int rc = receive(c, &r, &came);

    if (rc == -EAGAIN)
        return;
    if (rc > 0) {
        on_report(c, &r, &came, &err);
    } else {
        /* The last copy closed: by exec (or by a strict worker, behind its walls), or by death. */
        close_start(c);
        if (c->state == CHILD_RUNNING || c->is_ready)
            return;
        if (rc == 0 && c->listener >= 0 && c->state == CHILD_STARTING) {
            watch_running(c);
            return;
        }
        (void)err_set(&err, EPROTO, "ended before its walls stood");
    }
    if (err.number != 0)
        child_fail(c, &err);
}

static void on_timer(void *arg, struct ev_timer *t);

/* ---- end
 * ------------------------------------------------------------------------------------------------------
 */

static int free_group(struct child *c)
{
    struct spawn *s = c->spawn;
    int rc = -ENOSPC;

    if (c->leaf.name[0] == '\0')
        return 0;
    if (child_shares_groups(c) && !c->oom)
        rc = leaves_give(&s->leaves, &c->leaf);
    return rc == -ENOSPC ? cgroup_leaf_remove(&s->cgroups, &c->leaf) : rc;
}

/* Told only when nothing of it is left: who starts the next one finds the house empty. */
static void leave(struct child *c)
{
    if (free_group(c) == -EBUSY) {
        cgroup_leaf_kill(&c->leaf);
        if (ev_timer_set(c->timer, LEAVE_RETRY_MS) == 0)
            return;
    }
    child_give_back(c);
    child_gone(c);
}

/* What it said last explains best why it ended: read it before its end counts. */
static void read_last(struct child *c)
{
    struct report r = {0};
    int came = -1, rc;

    while ((rc = receive(c, &r, &came)) > 0) {
        on_report(c, &r, &came, &c->why);
        fd_close(&came);
    }
    close_start(c);
    /* Ran and ended within one pass: it is told as started, then as ended. */
    if (rc == 0 && c->listener >= 0 && c->why.number == 0 && !c->is_ready)
        watch_running(c);
}

static void begin_to_leave(struct child *c)
{
    c->state = CHILD_LEAVING;
    leave(c);
}

static void on_exit_(void *arg, struct ev_child *e UNUSED, const struct proc_exit *end)
{
    struct child *c = arg;

    if (c->start_io != NULL && c->state == CHILD_STARTING)
        read_last(c);
    if (end != NULL)
        c->end = *end;
    c->oom = cgroup_leaf_had_oom(&c->leaf);
    c->has_ended = true;
    if (c->state == CHILD_STARTING && c->is_ready)
        return; /* its answer still waits for room: on_timer goes on */
    begin_to_leave(c);
}

static void on_timer(void *arg, struct ev_timer *t UNUSED)
{
    struct child *c = arg;
    struct err err = ERR_INIT;

    if (c->state == CHILD_LEAVING) {
        leave(c);
        return;
    }
    if (c->is_ready && !c->answered) {
        watch_running(c);
        if (c->has_ended && (c->answered || c->state == CHILD_FAILED))
            begin_to_leave(c);
        return;
    }
    (void)err_set(&err, ETIMEDOUT, "its walls did not stand within %d s", CHILD_START_MS / 1000);
    if (c->kind == CHILD_TEST)
        c->state = CHILD_STARTING;
    child_fail(c, &err);
}

int watch_child(struct child *c, int pidfd, struct err *err)
{
    struct ev *ev = c->spawn->ev;
    int copy = sys.fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
    int rc = copy < 0 ? err_sys(err, -copy, "copy a pidfd")
                      : ev_child_new(ev, copy, on_exit_, c, &c->exit, err);

    if (rc == 0)
        rc = ev_timer_new(ev, on_timer, c, &c->timer, err);
    if (rc == 0)
        rc = ev_io_new(ev, c->start_fd, EPOLLIN, on_start, c, &c->start_io, err);
    if (rc == 0 && ev_timer_set(c->timer, CHILD_START_MS) < 0)
        rc = err_sys(err, ENOMEM, "timer");
    if (rc < 0) {
        (void)sys.pidfd_kill(pidfd, SIGKILL);
        ev_child_free(c->exit);
        c->exit = NULL;
        (void)proc_wait(pidfd, true, &(struct proc_exit){0}, NULL);
    }
    fd_close(&pidfd);
    return rc;
}

void watch_release(struct child *c)
{
    ev_io_free(c->start_io);
    ev_io_free(c->listener_io);
    ev_timer_free(c->timer);
    ev_child_free(c->exit);
    c->start_io = c->listener_io = NULL;
    c->timer = NULL;
    c->exit = NULL;
    fd_close(&c->listener);
}
