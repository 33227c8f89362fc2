/*
 * nets.c: see nets.h. One is made a pass, when nothing was asked for a while.
 */
#include "sandbox/spawn/nets.h"

#include <fcntl.h>
#include <sched.h>

#include "sandbox/kernel.h"
#include "sandbox/ns.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define IDLE_MS 20

static void on_timer(void *arg, struct ev_timer *t)
{
    struct nets *n = arg;

    if (n->count == NETS_READY ||
        ns_keep(CLONE_NEWNET, "net", ns_prepare_network, &n->fds[n->count], NULL) < 0)
        return; /* what cannot be made ahead is made at its start, and told there */
    n->count++;
    (void)ev_timer_set(t, 0);
}

int nets_open(struct nets *n, struct ev *ev, struct err *err)
{
    int rc = ev_timer_new(ev, on_timer, n, &n->timer, err);

    n->own = rc < 0 ? -1 : sys.open(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
    if (rc == 0 && n->own < 0)
        rc = err_sys(err, -n->own, "open \"/proc/self/ns/net\"");
    return rc < 0 ? rc : ev_timer_set(n->timer, IDLE_MS);
}

void nets_release(struct nets *n)
{
    ev_timer_free(n->timer);
    n->timer = NULL;
    while (n->count > 0)
        fd_close(&n->fds[--n->count]);
    while (n->used_count > 0)
        fd_close(&n->used[--n->used_count]);
    fd_close(&n->own);
}

int nets_take(struct nets *n, bool may_be_used)
{
    if (n->timer == NULL)
        return -1;
    if (may_be_used && n->used_count > 0)
        return fd_take(&n->used[--n->used_count]);
    (void)ev_timer_set(n->timer, IDLE_MS);
    return n->count > 0 ? fd_take(&n->fds[--n->count]) : -1;
}

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

void nets_give(struct nets *n, int *fd)
{
    bool is_clean = false;

    if (n->timer != NULL && n->used_count < NETS_USED && kernel_setns(*fd, CLONE_NEWNET) == 0) {
        is_clean = has_no_socket();
        must(kernel_setns(n->own, CLONE_NEWNET) == 0); /* where it came from */
    }
    if (is_clean)
        n->used[n->used_count++] = fd_take(fd);
    else
        fd_close(fd);
}
