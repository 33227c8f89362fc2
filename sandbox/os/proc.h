/*
 * proc.h: children, by pidfd. A pid number is never used after its process is reaped.
 */
#ifndef REEVE_OS_PROC_H
#define REEVE_OS_PROC_H

#include "policy/text/err.h"

struct proc_exit {
    bool by_signal;
    int code; /* exit status, or the signal */
    int64_t user_us, system_us; /* CPU time */
    int64_t max_rss_bytes;
};

struct proc_spawn {
    const char *path;        /* absolute */
    const char *const *argv; /* NULL-terminated */
    const char *const *env;  /* NULL-terminated; never inherited */
    const int *fds;          /* descriptor i of the child is fds[i]; -1: /dev/null. All others are closed */
    size_t fd_count;
};

/* Starts a plain child (posix_spawn); the caller owns *ret_pidfd. Not confinement: see sandbox/. */
int proc_spawn(const struct proc_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct err *err) NODISCARD;
/* Reaps; -EAGAIN (no text) while it runs and !block. */
int proc_wait(int pidfd, bool block, struct proc_exit *ret, struct err *err);
/* "exited with 3", "was killed by SIGKILL" */
#define PROC_EXIT_TEXT 64
void proc_exit_text(const struct proc_exit *e, char text[PROC_EXIT_TEXT]);
/* Undumpable, no core files: a helper calls it before it holds a channel. */
int proc_harden(struct err *err) NODISCARD;

#endif
