/*
 * apply.c: the order of confinement. See apply.h; each step says why it stands where it stands.
 */
#include "sandbox/apply.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/caps.h"
#include "sandbox/kernel.h"
#include "sandbox/landlock.h"
#include "sandbox/limits.h"
#include "sandbox/mounts.h"
#include "sandbox/ns.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"
#include "sandbox/report.h"

_Noreturn static void fail(const struct apply *a, enum layer layer, const struct err *err)
{
    report_failed(a->start_fd, (uint32_t)layer, err);
    _exit(127);
}

/* ---- descriptors
 * ------------------------------------------------------------------------------------ */

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Closes all but those of the start: reeve-spawn holds other runs' sockets, which this child, a
 * copy of it, must not keep while it works (nor hold open when their peers wait for an end). */
static int keep_only(const struct apply *a, struct err *err)
{
    int keep[APPLY_FDS_MAX + APPLY_IDMAPS_MAX + 16];
    size_t n = 0;
    unsigned from = 0;

    const int singles[] = {a->start_fd, a->null_fd,     a->exec_fd,  a->netns_fd,
                           a->ipcns_fd, a->landlock_fd, a->tasks[0], a->tasks[1]};
    for (size_t i = 0; i < ARRAY_LEN(singles); i++)
        keep[n++] = singles[i];
    for (size_t i = 0; i < a->fd_count; i++)
        keep[n++] = a->fds[i];
    for (size_t i = 0; i < a->idmap_count; i++)
        keep[n++] = a->idmaps[i];
    qsort(keep, n, sizeof(keep[0]), compare_fds);
    for (size_t i = 0; i <= n; i++) {
        if (i < n && keep[i] < 0)
            continue;
        unsigned fd = i < n ? (unsigned)keep[i] : UINT32_MAX;
        int rc = from < fd ? kernel_close_range(from, i < n ? fd - 1 : fd) : 0;
        if (rc < 0)
            return err_sys(err, -rc, "close what is not its own");
        from = MAX(from, fd + 1);
    }
    return 0;
}

/* Descriptor i becomes fds[i]; the start socket and the program move up behind them, close-on-exec.
 */
static int arrange(struct apply *a, struct err *err)
{
    int high[APPLY_FDS_MAX], *moved[] = {&a->start_fd, &a->exec_fd, &a->landlock_fd};
    int base = APPLY_FDS_MAX + 8, rc;

    for (size_t i = 0; i < ARRAY_LEN(moved); i++) {
        if (*moved[i] < 0)
            continue;
        rc = sys.fcntl(*moved[i], F_DUPFD_CLOEXEC, base);
        if (rc < 0)
            return err_sys(err, -rc, "move descriptor %d", *moved[i]);
        *moved[i] = rc;
    }
    for (size_t i = 0; i < a->fd_count; i++) {
        high[i] = sys.fcntl(a->fds[i] >= 0 ? a->fds[i] : a->null_fd, F_DUPFD_CLOEXEC, base);
        if (high[i] < 0)
            return err_sys(err, -high[i], "move descriptor %d", a->fds[i]);
    }
    for (size_t i = 0; i < a->fd_count; i++)
        if (dup2(high[i], (int)i) != (int)i)
            return err_set(err, EBADF, "place descriptor %zu", i);
    /* All else goes, the moved copies but three too. */
    struct apply rest = *a;
    rest.null_fd = rest.netns_fd = rest.ipcns_fd = rest.tasks[0] = rest.tasks[1] = -1;
    rest.idmap_count = 0;
    for (size_t i = 0; i < a->fd_count; i++)
        rest.fds[i] = (int)i;
    return keep_only(&rest, err);
}

/* clone3 reset what reeve-spawn handles, not what it ignores or blocks. */
static int reset_signals(struct err *err)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t none;

    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        if (signal(ignored[i], SIG_DFL) == SIG_ERR)
            return err_set(err, EINVAL, "signals");
    (void)sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? err_set(err, EINVAL, "signals") : 0;
}

/* ---- steps
 * ---------------------------------------------------------------------------------------------- */

static int enter_cgroups(const struct apply *a, struct err *err)
{
    for (int i = 0; i < a->task_count; i++) {
        ssize_t n = sys.write(a->tasks[i], "0", 1);
        if (n < 0)
            return err_sys(err, (int)-n, "enter");
    }
    return 0;
}

static int enter_user(const struct apply *a, struct err *err)
{
    return a->plan->privileged ? 0 : ns_map_ids(a->plan->uid, a->plan->gid, err);
}

static int enter_network(const struct apply *a, struct err *err)
{
    return ns_network(a->plan->network, a->netns_fd, err);
}

static int enter_ipc(const struct apply *a, struct err *err)
{
    int rc = a->ipcns_fd < 0 ? 0 : kernel_setns(a->ipcns_fd, CLONE_NEWIPC);

    return rc < 0 ? err_sys(err, -rc, "enter an IPC namespace") : 0;
}

static int enter_session(const struct apply *a, struct err *err)
{
    int rc = ns_session(err);

    return rc < 0 || a->names_ready ? rc : ns_names(err);
}

static int set_sysctl(const struct apply *a, struct err *err)
{
    return ns_sysctl(a->plan, err);
}

static int enter_root(const struct apply *a, struct err *err)
{
    return a->root_ready ? 0 : mounts_enter(a->plan, a->idmaps, err);
}

static int set_limits(const struct apply *a, struct err *err)
{
    (void)umask(077); /* not before: its root's directories are for it to read */
    return limits_apply(a->plan, err);
}

static int bound_caps(const struct apply *a UNUSED, struct err *err)
{
    return caps_bound(err);
}

static int become(const struct apply *a, struct err *err)
{
    return caps_become(a->plan->uid, a->plan->gid, a->plan->privileged, err);
}

/* Changing the user id cleared the first one (trap 1). If reeve-spawn died before this line, nobody
 * sends the signal: its end of the start socket is then closed. */
static int tie_life(const struct apply *a, struct err *err)
{
    struct pollfd p = {.fd = a->start_fd};
    int rc = kernel_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

    if (rc < 0)
        return err_sys(err, -rc, "parent death signal");
    rc = sys.poll(&p, 1, 0);
    if (rc < 0 || (p.revents & (POLLHUP | POLLERR)) != 0)
        return err_set(err, EPIPE, "reeve-spawn is gone");
    return 0;
}

static int no_new_privs(const struct apply *a UNUSED, struct err *err)
{
    int rc = kernel_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

    return rc < 0 ? err_sys(err, -rc, "no new privileges") : 0;
}

static int enter_landlock(const struct apply *a, struct err *err)
{
    FD_AUTO int made = -1;
    int rc = a->landlock_fd >= 0 ? 0 : landlock_open(a->plan, &made, err);

    return rc < 0 ? rc : landlock_enter(a->plan, a->landlock_fd >= 0 ? a->landlock_fd : made, err);
}

static int enter_seccomp(const struct apply *a, struct err *err)
{
    struct sock_fprog program;
    int listener;

    if (a->filter == NULL)
        return 0;
    program = (struct sock_fprog){a->filter->count, a->filter->code};
    listener = kernel_seccomp_load(&program, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (listener < 0)
        return err_sys(err, -listener, "load the filter");
    return report_listener(a->start_fd, listener, err); /* the listener closes itself at exec */
}

static int run_program(const struct apply *a, struct err *err)
{
    int rc;

    if (a->exec_fd >= 0)
        rc = kernel_execveat(a->exec_fd, "", a->argv, a->env, AT_EMPTY_PATH);
    else
        rc = kernel_execve(a->plan->program, a->argv, a->env);
    return err_sys(err, -rc, "\"%s\"%s", a->plan->program,
                   rc == -ENOENT   ? " (or its loader or interpreter is not in its root)"
                   : rc == -EACCES ? " (not executable, or its interpreter is not granted)"
                                   : "");
}

struct step {
    enum layer layer;
    int (*run)(const struct apply *a, struct err *err);
};

/* Before the descriptors are arranged: with all rights, and with the host's root to build from. */
static const struct step early[] = {
    {LAYER_CGROUP, enter_cgroups},  /* first: everything after is counted */
    {LAYER_USER, enter_user},       /* before anything that needs a right */
    {LAYER_NAMESPACES, enter_ipc},  /* entering needs the right that identity gives up */
    {LAYER_NETWORK, enter_network}, /* likewise */
    {LAYER_SESSION, enter_session},
    {LAYER_SYSCTL, set_sysctl}, /* needs the host's /proc: before own root */
    {LAYER_ROOT, enter_root},
};
/* Behind its root and with its own descriptors alone: rights go, in the order in which each one
 * lets the next be taken away; what needs none comes after. */
static const struct step late[] = {
    {LAYER_LIMITS, set_limits},         /* after mounts: set-up must not trip over them */
    {LAYER_CAPABILITIES, bound_caps},   /* needs CAP_SETPCAP: before identity */
    {LAYER_IDENTITY, become},           /* groups, ids, then every capability */
    {LAYER_LIFETIME, tie_life},         /* after ids: changing them clears it */
    {LAYER_NO_NEW_PRIVS, no_new_privs}, /* Landlock and seccomp ask for it */
    {LAYER_LANDLOCK, enter_landlock},   /* needs system calls that no filter has: before seccomp */
    {LAYER_SECCOMP, enter_seccomp},     /* last */
    {LAYER_EXEC, run_program},
};

_Noreturn void apply_exec(const struct apply *original)
{
    struct apply a = *original;
    struct err err = ERR_INIT;
    int rc = kernel_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

    (void)umask(022);
    if (rc < 0) {
        (void)err_sys(&err, -rc, "parent death signal");
        fail(&a, LAYER_LIFETIME, &err);
    }
    if (reset_signals(&err) < 0)
        fail(&a, LAYER_SESSION, &err);
    if (keep_only(&a, &err) < 0)
        fail(&a, LAYER_DESCRIPTORS, &err);
    for (size_t i = 0; i < ARRAY_LEN(early); i++)
        if (early[i].run(&a, &err) < 0)
            fail(&a, early[i].layer, &err);
    if (arrange(&a, &err) < 0)
        fail(&a, LAYER_DESCRIPTORS, &err);
    for (size_t i = 0; i < ARRAY_LEN(late); i++)
        if (late[i].run(&a, &err) < 0)
            fail(&a, late[i].layer, &err);
    _exit(127);
}
