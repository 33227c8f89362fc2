/*
 * helper.h: our own helpers, reeve-egress and reeve-control: started through reeve-spawn, spoken to on
 * their channel, killed and started again with a growing pause when they misbehave or end. And the
 * standard error of every process, which becomes log lines.
 */
#ifndef REEVE_SUPERVISOR_HELPER_H
#define REEVE_SUPERVISOR_HELPER_H

#include "policy/text/utf8.h"
#include "sandbox/os/fd.h"
#include "supervisor/reeved.h"

struct helper_rows {
    const char *name;      /* "egress": also the program, reeve-<name> */
    uint32_t uid_slot;
    bool network;
    int64_t max_message_bytes;
    /* Fills in what is its own: arguments, secrets, files, the descriptor to pass. */
    void (*fill)(struct reeved *rv, struct start_request *q);
    void (*on_up)(struct reeved *rv, struct helper *h);   /* its wire is there: configure it */
    void (*on_down)(struct reeved *rv, struct helper *h);
    void (*on_message)(struct reeved *rv, struct helper *h, const struct wire_message *m);
};

int helper_new(struct reeved *rv, const struct helper_rows *rows, struct helper **ret, struct err *err) NODISCARD;
void helper_start(struct helper *h);
/* Ends it; it comes again with what it is to know now (changed secrets, say). */
void helper_restart(struct helper *h);
struct wire *helper_wire(const struct helper *h); /* NULL while it is down */
void helper_put_status(const struct helper *h, struct jout *j);

/* Reads a process's standard error to its end, line by line, into the log and (run != 0) the run's log.
 * Bounded in lines and bytes a second. Takes fd; -1 is fine. `who` is copied. */
void helper_watch_noise(struct reeved *rv, int fd, int64_t run, const char *who);

#endif
