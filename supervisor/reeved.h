/*
 * reeved.h: what the rooms of the supervisor share: the context of the one process that decides.
 *
 * reeved owns the loop, the store, policy decisions and run states. It has no network, holds no secret
 * and, once started, no privilege. Foreign bytes reach it through wires alone, each behind an admission
 * table; whatever a worker, server or client sends can end its own run or connection, never this process
 * (INV-11).
 *
 *   trigger  events -> runs            runs     a run's life, its worker
 *   broker   what a worker may ask     journal  steps found again after a restart
 *   effect   intent, act, outcome      gate     people's decisions
 *   asking   facts for policy          waits    timers, events, children
 *   tool/mcp tool servers              model    model routes, over reeve-egress
 *   helper   egress and control        door     what control asks for
 *   queue    what starts next (order: the choice)   switches  what must not start
 *   release  which version new runs take    spans    what lasts, when the clock is set
 *   copies   backups of the store
 *   outbox   commit, then send         audit    who did what
 */
#ifndef REEVE_SUPERVISOR_REEVED_H
#define REEVE_SUPERVISOR_REEVED_H

#include "policy/ask.h"
#include "policy/house.h"
#include "policy/text/utf8.h"
#include "policy/version.h"
#include "sandbox/os/log.h"
#include "sandbox/start.h"
#include "supervisor/options.h"
#include "supervisor/outbox.h"

struct run;
struct helper;
struct tool_server;
struct queue;
struct releases;
struct switches;
struct copies;

#define RUN_BUCKETS 1024
#define RUN_MESSAGE_ARENA (96u << 20) /* at most, for a message of 16 MiB and its tree */

struct reeved {
    const struct options *options;
    char libexec[1024];
    char state[4096];      /* state directory, absolute */
    struct ev *ev;
    struct log log;
    struct store *store;
    struct outbox outbox;
    struct house *house;   /* the newest good one */
    struct house *shadow;  /* a set on trial: asked besides, its word is recorded and decides nothing; or NULL */
    struct spawner *spawner;
    struct helper *egress, *control;
    int control_listen;    /* the control socket, kept for each start of reeve-control */
    struct tool_server *servers; /* tool.c */
    int64_t server_starts;
    struct run *runs[RUN_BUCKETS]; /* those in memory, by id */
    struct run *touched;   /* runs whose counters are written before the next commit */
    int live_workers;      /* kept by queue.c */
    struct queue *queue;
    struct switches *switches;
    struct copies *copies; /* the backup that is under way, or NULL */
    struct releases *releases; /* of house: which versions new runs take */
    bool schedule_now;     /* before this pass's commit, so that an event and its run's start are one */
    struct ev_timer *schedule; /* set when something may be startable or due */
    struct ev_timer *housekeeping;
    int64_t *changed;      /* runs that changed since the last commit: told to control */
    size_t changed_count, changed_cap;
    struct ev_timer *tell; /* the next time that control is told of them */
    int64_t told_ms;
    uint32_t next_uid_slot;
    int64_t started_ms;
    int64_t clock_ahead_ms; /* of the wall clock, before the one that is never set: spans.c */
    struct str layers;     /* of the worker profile's self-test, JSON; owned */
    bool stopping;
    struct err fatal;      /* why the loop ended, when it was not asked to */
};

/* Ends the process: what reeved rests on is gone. The text is logged once, by main. */
void reeved_fatal(struct reeved *rv, const struct err *why);
/* Run `id` changed: its followers are told after the commit. */
void reeved_changed(struct reeved *rv, int64_t id);
int64_t reeved_now(const struct reeved *rv); /* ms since 1970 */
/* Loads the policy directory; a set with an error never replaces a good one. diags may hold warnings. */
int reeved_load(struct reeved *rv, const char *dir, struct diags *diags, struct err *err);

/* Takes a directory as the shadow set, or (dir NULL) drops the one there is. Kept over restarts. */
int reeved_load_shadow(struct reeved *rv, const char *dir, struct diags *diags, struct err *err);

#endif
