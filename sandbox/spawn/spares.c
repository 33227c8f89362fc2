/*
 * spares.c: see spares.h. One is made at a time, when nothing was asked for a moment.
 */
#include "sandbox/spawn/spares.h"

#include <fcntl.h>
#include <sched.h>

#include "sandbox/kernel.h"
#include "sandbox/ns.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define IDLE_MS 3

struct spare_kind {
    uint64_t flag;
    const char *name; /* in /proc/PID/ns */
    int (*prepare)(struct err *err);
    bool (*is_clean)(void); /* asked inside; NULL: always */
};

/* A socket may outlive its process: on its way to another one, or with others that hold only each
 * other until the kernel collects them. The kernel's list has one line of heads; what the others
 * say is not looked at. */
static bool has_no_socket(void)
{
    char text[256];
    FD_AUTO int fd = sys.open(AT_FDCWD, "/proc/thread-self/net/unix", O_RDONLY | O_CLOEXEC, 0);
    ssize_t n = fd < 0 ? fd : sys.read(fd, text, sizeof(text));

    return n > 0 && memchr(text, '\n', (size_t)n) == text + n - 1;
}

const struct spare_kind spares_of_net = {CLONE_NEWNET, "net", ns_prepare_network, has_no_socket};
const struct spare_kind spares_of_ipc = {CLONE_NEWIPC, "ipc", NULL, NULL};

/* What cannot be made ahead is made at its start, and told there. */
static void on_made(void *arg, struct ev_io *io, int fd UNUSED, uint32_t events UNUSED)
{
    struct spares *s = arg;
    int made;

    ev_io_free(io);
    s->io = NULL;
    made = ns_made(&s->making, s->kind->name, NULL);
    if (made < 0)
        return;
    s->fds[s->count++] = made;
    if (s->count < SPARES_READY)
        (void)ev_timer_set(s->timer, 0);
}

/* Made by a child, so that starts which are asked for meanwhile need not wait. */
static void on_timer(void *arg, struct ev_timer *t UNUSED)
{
    struct spares *s = arg;

    if (s->io != NULL || s->count == SPARES_READY ||
        ns_make(s->kind->flag, s->kind->prepare, &s->making, NULL) < 0)
        return;
    if (ev_io_new(s->ev, s->making.in, EPOLLIN, on_made, s, &s->io, NULL) < 0)
        ns_let_go(&s->making);
}

int spares_open(struct spares *s, const struct spare_kind *kind, struct ev *ev, struct err *err)
{
    char path[32];
    int rc = ev_timer_new(ev, on_timer, s, &s->timer, err);

    s->kind = kind;
    s->ev = ev;
    (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kind->name);
    s->own = rc < 0 ? -1 : sys.open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (rc == 0 && s->own < 0)
        rc = err_sys(err, -s->own, "open \"%s\"", path);
    return rc < 0 ? rc : ev_timer_set(s->timer, IDLE_MS);
}

void spares_release(struct spares *s)
{
    ev_timer_free(s->timer);
    s->timer = NULL;
    ev_io_free(s->io);
    s->io = NULL;
    ns_let_go(&s->making);
    while (s->count > 0)
        fd_close(&s->fds[--s->count]);
    while (s->used_count > 0)
        fd_close(&s->used[--s->used_count]);
    fd_close(&s->own);
}

int spares_take(struct spares *s, bool may_be_used)
{
    if (s->timer == NULL)
        return -1;
    if (may_be_used && s->used_count > 0)
        return fd_take(&s->used[--s->used_count]);
    (void)ev_timer_set(s->timer, IDLE_MS);
    return s->count > 0 ? fd_take(&s->fds[--s->count]) : -1;
}

int spares_hold(struct spares *s, int *fd, pid_t pid)
{
    int held;

    if (s->timer == NULL || s->held + s->used_count >= SPARES_USED)
        return -1;
    held = *fd >= 0 ? fd_take(fd) : ns_open(pid, s->kind->name, NULL);
    if (held < 0) /* then another is made next time */
        return -1;
    s->held++;
    return held;
}

static bool is_clean(struct spares *s, int fd)
{
    bool clean;

    if (s->kind->is_clean == NULL)
        return true;
    if (kernel_setns(fd, (int)s->kind->flag) < 0)
        return false;
    clean = s->kind->is_clean();
    must(kernel_setns(s->own, (int)s->kind->flag) == 0); /* where it came from */
    return clean;
}

void spares_give(struct spares *s, int *fd, bool is_good)
{
    if (*fd < 0)
        return;
    s->held--;
    if (is_good && s->timer != NULL && s->used_count < SPARES_USED && is_clean(s, *fd))
        s->used[s->used_count++] = fd_take(fd);
    else
        fd_close(fd);
}
