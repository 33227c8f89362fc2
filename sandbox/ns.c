/*
 * ns.c: see ns.h; namespaces(7), user_namespaces(7).
 */
#include "sandbox/ns.h"

#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/kernel.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/proc.h"
#include "sandbox/os/sys.h"

static int write_file(const char *path, const char *text, struct err *err)
{
    FD_AUTO int fd = sys.open(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    ssize_t n = fd < 0 ? fd : sys.write(fd, text, strlen(text));

    return n < 0 ? err_sys(err, (int)-n, "write \"%s\" to \"%s\"", text, path) : 0;
}

static int write_maps(uid_t uid, gid_t gid, struct err *err)
{
    char line[48];
    int rc = write_file("/proc/self/setgroups", "deny", err);

    if (rc < 0)
        return rc;
    (void)snprintf(line, sizeof(line), "%u %u 1", uid, uid);
    if ((rc = write_file("/proc/self/uid_map", line, err)) < 0)
        return rc;
    (void)snprintf(line, sizeof(line), "%u %u 1", gid, gid);
    return write_file("/proc/self/gid_map", line, err);
}

/* The files of an undumpable process belong to root, and its descriptors cannot be taken by an
 * unprivileged parent, so it is dumpable until its exec decides anew. Who could look in meanwhile
 * is the same user outside of all walls, who can read what this process read as well. */
int ns_map_ids(uid_t uid, gid_t gid, struct err *err)
{
    int rc = kernel_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);

    return rc < 0 ? err_sys(err, -rc, "dumpable") : write_maps(uid, gid, err);
}

static int loopback_up(struct err *err)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    FD_AUTO int fd = sys.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(err, -fd, "socket");
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return err_set(err, EPERM, "loopback: cannot bring it up");
    return 0;
}

int ns_prepare_network(struct err *err)
{
    return loopback_up(err);
}

int ns_network(enum plan_network network, int netns_fd, struct err *err)
{
    int rc;

    if (network == PLAN_NET_HOST)
        return 0;
    if (netns_fd < 0)
        return loopback_up(err);
    rc = kernel_setns(netns_fd, CLONE_NEWNET);
    return rc < 0 ? err_sys(err, -rc, "enter the empty network namespace") : 0;
}

int ns_session(struct err *err)
{
    if (setsid() < 0 && getsid(0) != getpid())
        return err_set(err, EPERM, "setsid");
    return 0;
}

int ns_names(struct err *err)
{
    if (sethostname("reeve", 5) < 0 || setdomainname("", 0) < 0)
        return err_set(err, EPERM, "host name");
    return 0;
}

int ns_sysctl(const struct plan *p, struct err *err)
{
    int rc = 0;

    if (p->memfd_noexec)
        rc = write_file("/proc/sys/vm/memfd_noexec", "2", err);
    /* No user namespace below its own, should a filter ever let one through (trap 6). */
    if (rc == 0 && !p->privileged)
        rc = write_file("/proc/sys/user/max_user_namespaces", "0", err);
    return rc;
}

/* ---- namespaces that reeve-spawn keeps
 * --------------------------------------------------------------- */

/* The child: makes its namespace what it is to be, says so, and waits for its end: that nobody
 * reads its pipe any more. A death signal would come too late for a parent that dies before it is
 * set, and what this child, a copy, holds of its parent's (the lock of the state among it) stays
 * held. */
_Noreturn static void be_held(int out, uint64_t flag, int (*prepare)(struct err *))
{
    struct err err = ERR_INIT;
    struct pollfd read_end = {.fd = STDERR_FILENO + 1};
    int rc = dup2(out, read_end.fd) < 0 ? -EBADF
                                        : kernel_close_range((unsigned)read_end.fd + 1, UINT32_MAX);

    if (rc == 0 && flag != 0)
        rc = kernel_unshare(flag);
    if (rc == 0 && prepare != NULL)
        rc = prepare(&err);
    (void)sys.write(read_end.fd, &rc, sizeof(rc));
    while (sys.poll(&read_end, 1, -1) == -EINTR)
        continue;
    _exit(0);
}

/* A child that holds a namespace until it is opened, or its parent dies. `cloned`: it is made with
 * the child, which its parent waits for; `unshared`: by the child. */
static int begin(uint64_t cloned, uint64_t unshared, int (*prepare)(struct err *),
                 struct ns_held *ret, struct err *err)
{
    int pidfd = -1, pipe_fds[2];
    struct kernel_clone args = {.flags = cloned | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
                                .pidfd = (uintptr_t)&pidfd,
                                .exit_signal = SIGCHLD};
    int rc = sys.pipe(pipe_fds, O_CLOEXEC);
    FD_AUTO int out = rc < 0 ? -1 : pipe_fds[1];

    if (rc < 0)
        return err_sys(err, -rc, "pipe");
    *ret = (struct ns_held){0, -1, pipe_fds[0]};
    rc = kernel_clone3(&args);
    if (rc == 0)
        be_held(out, unshared, prepare);
    if (rc < 0)
        return err_sys(err, -rc, "namespace to keep");
    ret->pid = rc;
    ret->pidfd = pidfd;
    return 0;
}

static int finish(const struct ns_held *h, struct err *err)
{
    int answer = -EPIPE;

    if (sys.read(h->in, &answer, sizeof(answer)) != (ssize_t)sizeof(answer) || answer < 0)
        return err_sys(err, -answer, "prepare a namespace to keep");
    return 0;
}

static int hold(uint64_t flag, int (*prepare)(struct err *), struct ns_held *ret, struct err *err)
{
    int rc = begin(flag, 0, prepare, ret, err);

    return rc < 0 ? rc : finish(ret, err);
}

void ns_let_go(struct ns_held *h)
{
    fd_close(&h->in);
    if (h->pidfd < 0)
        return;
    (void)sys.pidfd_kill(h->pidfd, SIGKILL);
    (void)proc_wait(h->pidfd, true, &(struct proc_exit){0}, NULL);
    fd_close(&h->pidfd);
}

int ns_open(pid_t pid, const char *name, struct err *err)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
    fd = sys.open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    return fd < 0 ? err_sys(err, -fd, "open \"%s\"", path) : fd;
}

int ns_make(uint64_t flag, int (*prepare)(struct err *), struct ns_held *ret, struct err *err)
{
    int rc = begin(0, flag, prepare, ret, err);

    if (rc < 0)
        ns_let_go(ret);
    return rc;
}

int ns_made(struct ns_held *h, const char *name, struct err *err)
{
    int rc = finish(h, err);

    if (rc == 0)
        rc = ns_open(h->pid, name, err);
    ns_let_go(h);
    return rc;
}

int ns_keep(uint64_t flag, const char *name, int (*prepare)(struct err *), int *ret_fd,
            struct err *err)
{
    struct ns_held h = NS_HELD_NONE;
    int rc = hold(flag, prepare, &h, err);

    if (rc == 0)
        rc = ns_open(h.pid, name, err);
    ns_let_go(&h);
    if (rc >= 0)
        *ret_fd = rc;
    return MIN(rc, 0);
}

static int map_of(pid_t pid, const char *file, unsigned inside, unsigned outside, struct err *err)
{
    char path[64], line[48];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    (void)snprintf(line, sizeof(line), "%u %u 1", inside, outside);
    return write_file(path, line, err);
}

int ns_idmap(const struct ns_ids *on_disk, const struct ns_ids *seen, int *ret_fd, struct err *err)
{
    struct ns_held h = NS_HELD_NONE;
    int rc = hold(CLONE_NEWUSER, NULL, &h, err);

    if (rc == 0)
        rc = map_of(h.pid, "uid_map", on_disk->uid, seen->uid, err);
    if (rc == 0)
        rc = map_of(h.pid, "gid_map", on_disk->gid, seen->gid, err);
    if (rc == 0)
        rc = ns_open(h.pid, "user", err);
    ns_let_go(&h);
    if (rc >= 0)
        *ret_fd = rc;
    return MIN(rc, 0);
}
