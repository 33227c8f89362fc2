/*
 * main.c of reeve-egress: the one process with a network: it calls model gateways for reeved and
 * holds their keys.
 *
 * Started by reeve-spawn, as its own user, with descriptor 3 (reeved) and the keys as descriptors
 * that REEVE_SECRETS names. Trusts reeved; the network's bytes are foreign. It accepts no
 * connection, opens no store, and ends when reeved is gone.
 */
#include <curl/curl.h>
#include <signal.h>

#include "sandbox/os/proc.h"
#include "supervisor/egress/egress.h"

#define CHANNEL_FD 3

struct program {
    struct log log;
    struct ev *ev;
    struct secrets secrets;
    struct egress *egress;
    struct ev_signal *term;
    int status;
};

static void on_closed(void *arg, const struct err *why)
{
    struct program *p = arg;

    if (why->number != 0) {
        log_error(&p->log, "channel to reeved: %s", why->text);
        p->status = 1;
    }
    ev_stop(p->ev);
}

static void on_term(void *arg, struct ev_signal *s, int signo)
{
    struct program *p = arg;

    (void)s, (void)signo;
    ev_stop(p->ev);
}

static int start(struct program *p, struct err *err)
{
    int rc = proc_harden(err); /* before a key is in memory */

    if (rc >= 0)
        rc = secrets_open(&p->secrets, getenv("REEVE_SECRETS"), err);
    if (rc >= 0 && signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        rc = err_set(err, EINVAL, "SIGPIPE could not be ignored");
    if (rc >= 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        rc = err_set(err, EIO, "libcurl could not be set up");
    if (rc >= 0)
        rc = ev_new(&p->ev, NULL, err);
    if (rc >= 0)
        rc = ev_signal_new(p->ev, SIGTERM, on_term, p, &p->term, err);
    if (rc >= 0)
        rc = egress_new(p->ev, CHANNEL_FD, &p->secrets, &p->log, on_closed, p, &p->egress, err);
    return rc;
}

int main(void)
{
    struct program p = {0};
    struct err err = ERR_INIT;
    int rc;

    log_init(&p.log, "reeve-egress", LOG_LEVEL_INFO);
    rc = start(&p, &err);
    if (rc >= 0)
        rc = ev_run(p.ev, &err);
    if (rc < 0) {
        log_error(&p.log, "%s", err.text);
        p.status = 1;
    }
    egress_free(p.egress);
    ev_free(p.ev);
    secrets_release(&p.secrets);
    curl_global_cleanup();
    return p.status;
}
