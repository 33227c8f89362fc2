/*
 * ev_child.c: children by pidfd and signals by signalfd, as sources of the loop. In the programs
 * that start others or are told to end.
 */
#include "sandbox/os/ev.h"

#include <signal.h>
#include <sys/signalfd.h>

#include "sandbox/os/ev_impl.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

struct ev_child {
    struct ev_io *io; /* NULL once the end was told */
    int pidfd;
    ev_child_fn *fn;
    void *arg;
};

static void on_child(void *arg, struct ev_io *io, int pidfd, uint32_t events)
{
    (void)events;
    struct ev_child *c = arg;
    struct proc_exit e;
    int r = proc_wait(pidfd, false, &e, NULL);
    if (r == -EAGAIN)
        return;
    /* Told once. The descriptor stays readable for ever, so it goes from the loop, and before the
     * call: the handler may free c. While the source is there, ev_free() finds c by it. */
    if (ev_io_set(io, 0, NULL) < 0) {
        ev_io_free(io);
        c->io = NULL;
    }
    c->fn(c->arg, c, r < 0 ? NULL : &e);
}

static void free_child(void *arg)
{
    ev_child_free(arg);
}

int ev_child_new(struct ev *ev, int pidfd, ev_child_fn *fn, void *arg, struct ev_child **ret,
                 struct err *err)
{
    struct ev_child *c = calloc(1, sizeof *c);
    if (!c) {
        fd_close(&pidfd);
        return err_set(err, ENOMEM, "watch a child: out of memory");
    }
    *c = (struct ev_child){.pidfd = pidfd, .fn = fn, .arg = arg};
    int r = ev_io_new(ev, pidfd, EPOLLIN, on_child, c, &c->io, err);
    if (r < 0) {
        ev_child_free(c);
        return r;
    }
    c->io->free_owner = free_child;
    *ret = c;
    return 0;
}

int ev_child_pidfd(const struct ev_child *c)
{
    return c->pidfd;
}

void ev_child_free(struct ev_child *c)
{
    if (!c)
        return;
    ev_io_free(c->io);
    fd_close(&c->pidfd);
    free(c);
}

struct ev_signal {
    struct ev_io *io;
    int fd;
    ev_signal_fn *fn;
    void *arg;
};

/* One a call: the handler may free s, and what is left makes the descriptor ready again. */
static void on_signal(void *arg, struct ev_io *io, int fd, uint32_t events)
{
    (void)io;
    (void)events;
    struct ev_signal *s = arg;
    struct signalfd_siginfo info;
    ssize_t r = sys.read(fd, &info, sizeof info);
    if (r == (ssize_t)sizeof info)
        s->fn(s->arg, s, (int)info.ssi_signo);
}

static void free_signal(void *arg)
{
    ev_signal_free(arg);
}

int ev_signal_new(struct ev *ev, int signo, ev_signal_fn *fn, void *arg, struct ev_signal **ret,
                  struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    if (sigaddset(&set, signo) < 0)
        return err_set(err, EINVAL, "signal %d: no such signal", signo);
    struct ev_signal *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ENOMEM, "signal %d: out of memory", signo);
    *s = (struct ev_signal){.fd = -1, .fn = fn, .arg = arg};
    int r = sys.sigprocmask(SIG_BLOCK, &set, NULL);
    if (r == 0)
        r = s->fd = sys.signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r < 0)
        err_sys(err, -r, "signal %d", signo);
    else
        r = ev_io_new(ev, s->fd, EPOLLIN, on_signal, s, &s->io, err);
    if (r < 0) {
        ev_signal_free(s);
        return r;
    }
    s->io->free_owner = free_signal;
    *ret = s;
    return 0;
}

void ev_signal_free(struct ev_signal *s)
{
    if (!s)
        return;
    ev_io_free(s->io);
    fd_close(&s->fd);
    free(s);
}
