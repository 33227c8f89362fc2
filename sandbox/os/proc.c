/*
 * proc.c: children, by pidfd. In reeve-spawn, reeved and the command; trusts its callers, who name
 * the program and every descriptor that it gets.
 */
#include "sandbox/os/proc.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "policy/text/str.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define FDS_MAX 64

/* Copies above all targets, so that mapping i -> j can never overwrite a source that is still
 * needed. They are close-on-exec and gone in the child at exec. */
static int copy_fds(const struct proc_spawn *s, int copies[FDS_MAX], struct err *err)
{
    for (size_t i = 0; i < s->fd_count; i++) {
        if (s->fds[i] < 0)
            continue;
        copies[i] = sys.fcntl(s->fds[i], F_DUPFD_CLOEXEC, (long)s->fd_count);
        if (copies[i] < 0)
            return err_sys(err, -copies[i], "descriptor %zu of \"%s\" from %d", i, s->path,
                           s->fds[i]);
    }
    return 0;
}

static int fill_actions(posix_spawn_file_actions_t *actions, const struct proc_spawn *s,
                        const int *copies)
{
    int r = 0;
    for (size_t i = 0; i < s->fd_count && r == 0; i++) {
        if (copies[i] >= 0)
            r = posix_spawn_file_actions_adddup2(actions, copies[i], (int)i);
        else
            r = posix_spawn_file_actions_addopen(actions, (int)i, "/dev/null", O_RDWR, 0);
    }
    return r ? r : posix_spawn_file_actions_addclosefrom_np(actions, (int)s->fd_count);
}

/* The child starts with no signal blocked, ignored or caught, whatever we did with ours. */
static int fill_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int r = posix_spawnattr_setsigmask(attr, &none);
    if (r == 0)
        r = posix_spawnattr_setsigdefault(attr, &all);
    return r ? r : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int start(const struct proc_spawn *s, const int *copies, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int r = posix_spawn_file_actions_init(&actions);
    if (r)
        return -r;
    r = posix_spawnattr_init(&attr);
    if (r == 0) {
        r = fill_actions(&actions, s, copies);
        if (r == 0)
            r = fill_attributes(&attr);
        if (r == 0) {
            char *const *argv, *const *env; /* posix_spawn does not write to them */
            memcpy(&argv, &s->argv, sizeof argv);
            memcpy(&env, &s->env, sizeof env);
            r = posix_spawn(ret_pid, s->path, &actions, &attr, argv, env);
        }
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

int proc_spawn(const struct proc_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
    int copies[FDS_MAX];
    pid_t pid = -1;
    if (s->path[0] != '/')
        return err_set(err, EINVAL, "start \"%s\": the path is not absolute", s->path);
    if (s->fd_count > FDS_MAX)
        return err_set(err, EMFILE, "start \"%s\": %zu descriptors, at most %d", s->path,
                       s->fd_count, FDS_MAX);
    for (size_t i = 0; i < FDS_MAX; i++)
        copies[i] = -1;
    int r = copy_fds(s, copies, err);
    if (r == 0) {
        r = start(s, copies, &pid);
        if (r < 0)
            err_sys(err, -r, "start \"%s\"", s->path);
    }
    for (size_t i = 0; i < s->fd_count; i++)
        fd_close(&copies[i]);
    if (r < 0)
        return r;
    int pidfd = sys.pidfd_open(pid); /* ours and not reaped: the number is still this child's */
    if (pidfd < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return err_sys(err, -pidfd, "start \"%s\": pidfd", s->path);
    }
    if (ret_pid)
        *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

static int64_t time_us(const struct timeval *t)
{
    return (int64_t)t->tv_sec * 1000000 + t->tv_usec;
}

int proc_wait(int pidfd, bool block, struct proc_exit *ret, struct err *err)
{
    siginfo_t info = {0};
    struct rusage ru = {0};
    int r = sys.waitid(pidfd, &info, WEXITED | (block ? 0 : WNOHANG), &ru);
    if (r < 0)
        return err_sys(err, -r, "wait for a child");
    if (info.si_pid == 0)
        return -EAGAIN;
    *ret = (struct proc_exit){
        .by_signal = info.si_code != CLD_EXITED,
        .code = info.si_status,
        .user_us = time_us(&ru.ru_utime),
        .system_us = time_us(&ru.ru_stime),
        .max_rss_bytes = (int64_t)ru.ru_maxrss * 1024,
    };
    return 0;
}

void proc_exit_text(const struct proc_exit *e, char text[PROC_EXIT_TEXT])
{
    const char *name = e->by_signal ? sigabbrev_np(e->code) : NULL;
    if (name)
        (void)snprintf(text, PROC_EXIT_TEXT, "was killed by SIG%s", name);
    else
        (void)snprintf(text, PROC_EXIT_TEXT,
                       e->by_signal ? "was killed by signal %d" : "exited with %d", e->code);
}

int proc_harden(struct err *err)
{
    int r = sys.prctl(PR_SET_DUMPABLE, 0);
    if (r < 0)
        return err_sys(err, -r, "make this process undumpable");
    struct rlimit none = {0, 0};
    r = sys.setrlimit(RLIMIT_CORE, &none);
    return r < 0 ? err_sys(err, -r, "forbid core files") : 0;
}
