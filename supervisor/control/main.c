/*
 * main.c: reeve-control [STATE_DIR]. Started by reeve-spawn: descriptor 3 is reeved's channel, 4
 * the listening control socket. Makes itself undumpable before it touches either. Ends when reeved
 * does.
 */
#include <signal.h>
#include <stdio.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/log.h"
#include "sandbox/os/proc.h"
#include "supervisor/control/control.h"

#define WIRE_FD   3
#define LISTEN_FD 4

struct program {
    struct ev *ev;
    struct log log;
    int status;
};

static void on_lost(void *arg, const struct err *why)
{
    struct program *p = arg;
    if (why->number) {
        log_error(&p->log, "%s", why->text);
        p->status = 1;
    }
    ev_stop(p->ev);
}

static int run(struct program *p, const char *state_dir, struct err *err)
{
    struct control *control = NULL;
    struct control_options options = {
        .listen_fd = LISTEN_FD,
        .wire_fd = WIRE_FD,
        .log = &p->log,
        .state_dir = state_dir,
        .on_lost = on_lost,
        .arg = p,
    };
    int res = proc_harden(err);
    if (res >= 0)
        res = fd_set_cloexec(WIRE_FD, true, err);
    if (res >= 0)
        res = fd_set_cloexec(LISTEN_FD, true, err);
    if (res >= 0)
        res = ev_new(&p->ev, NULL, err);
    if (res >= 0)
        res = control_new(p->ev, &options, &control, err);
    if (res >= 0)
        res = ev_run(p->ev, err);
    control_free(control);
    ev_free(p->ev);
    return res;
}

int main(int argc, char **argv)
{
    struct program p = {0};
    struct err err = ERR_INIT;
    log_init(&p.log, "reeve-control", LOG_LEVEL_INFO);
    (void)signal(SIGPIPE, SIG_IGN); /* a disposition, no handler: a client that left is an EPIPE */
    if (argc > 2) {
        fputs("usage: reeve-control [STATE_DIR]   (started by reeved)\n", stderr);
        return 2;
    }
    if (run(&p, argc == 2 ? argv[1] : NULL, &err) < 0) {
        log_error(&p.log, "%s", err.text);
        return 1;
    }
    return p.status;
}
