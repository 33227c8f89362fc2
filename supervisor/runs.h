/*
 * runs.h: runs in memory: started, served, parked, ended. The life itself is life.def.
 *
 * A run is in memory while it has a worker, and for the moment in which somebody changes it; a run that
 * waits is a row (INV-10). Every change of state goes through run_event().
 */
#ifndef REEVE_SUPERVISOR_RUNS_H
#define REEVE_SUPERVISOR_RUNS_H

#include "supervisor/journal.h"
#include "supervisor/life.h"
#include "supervisor/reeved.h"

struct effect;       /* effect.h */
struct travel;       /* of a dry run or a replay: travel.h */
struct held_request; /* came while recorded steps are still to be asked for: see broker.c */

/* What a worker may have kept in memory at once, of requests held and of effects under way (one is always allowed):
 * without it, a flood of large calls would be the supervisor's end and not its own (INV-11). */
#define RUN_REQUESTS_BYTES_MAX ((size_t)16 << 20)

struct run {
    struct run *next;       /* in its bucket */
    struct reeved *rv;
    struct store_run rec;   /* strings borrowed from mem, but reason: owned */
    struct store_event event; /* likewise from mem */
    struct arena mem;
    struct version *version;
    struct journal journal;
    bool journal_loaded;
    struct travel *travel;  /* the origin's journal, of a dry run or a replay */

    char key[START_KEY_MAX]; /* of its process: "run-41.2" */
    struct started *process;
    struct wire *wire;
    uint64_t seen;          /* admitted once-messages of this attempt */
    bool begun;             /* run/begin was answered */
    bool started_over;      /* its worker was killed before it began, and this is another one */
    bool ended;             /* run/end came: the worker is expected to leave */
    bool sequential;
    size_t first_new;       /* steps in the journal when the attempt began: progress is beyond */
    struct held_request *held, **held_tail;
    size_t held_bytes, effects, effect_bytes; /* of the worker's requests that are kept: see RUN_REQUESTS_BYTES_MAX */
    struct effect *room_first; /* model calls that wait, and what those under way may take: room.h */
    size_t room_calls;
    int64_t room_tokens, room_micro;
    struct ev_timer *park;  /* what it waits for takes longer than a moment */
    struct ev_timer *due;   /* the earliest time-out of a step that a living worker waits for */
    struct ev_timer *clock; /* start-up and wall time, then the worker's leave */
    struct ev_timer *grace; /* of held requests */
    struct ev_timer *late;  /* writes out steps that were begun in memory and take long */
    char *walls;            /* a line for its log, not written yet */
    char refused[72];       /* the system call that this attempt's worker was killed for; empty: none */
    int64_t log_lines;
    bool touched;           /* its counters are written before the next commit */
    bool steps_unsaved;     /* next_seq and steps follow from the journal: written with what comes next */
    bool begun_unsaved;     /* its row says `starting` yet: written whole with what comes next */
    struct run *next_touched;
    unsigned users;         /* who else looks at it: not freed while > 0 */
};

/* At start-up: runs that had a worker line up again; effects whose outcome was lost are found (INV-06). */
int runs_recover(struct reeved *rv, struct err *err) NODISCARD;
/* Soon: start what may start, wake what is due. */
void runs_schedule(struct reeved *rv);
ev_timer_fn runs_on_schedule;

struct run *run_find(struct reeved *rv, int64_t id); /* in memory, or NULL */
/* In memory or brought there; pair with run_put. -ENOENT. */
int run_get(struct reeved *rv, int64_t id, struct run **ret, struct err *err) NODISCARD;
void run_put(struct run *r);

/* The one way in which a state changes. reason: one line for people, or NULL to leave it. -EPERM for an
 * empty cell of the table (nothing changed). */
int run_event(struct run *r, enum life_event e, const char *reason, struct err *err);
/* As run_event, for where an empty cell is a fault of ours: logs it. */
void run_must_event(struct run *r, enum life_event e, const char *reason);
/* What happened to a waiting run; brings it up again. Nothing when it does not wait. */
void run_wake(struct reeved *rv, int64_t id, const char *why);

/* The attempt failed: tried again after a back-off, or given up. */
void run_attempt_failed(struct run *r, enum life_event kind, const char *reason);
/* Looks whether a living worker only waits; sets or stops the timers for parking and time-outs. */
void run_consider_parking(struct run *r);
/* What a waiting run waits for, out of its open steps: kind, and when to look again (0: not by time). */
enum run_wait run_waits_for(struct run *r, int64_t *ret_wake_ms);
/* Writes rec to the store and tells followers. */
int run_save(struct run *r, struct err *err);
/* Only what counts (next_seq, steps, calls, tokens, cost) has changed: written once, before the pass's commit,
 * however many steps it was for. */
void run_touch(struct run *r);
/* Only next_seq and steps have changed, which the journal tells as well: written with the next change of the
 * run, or after a moment. */
void run_touch_later(struct run *r);
/* Writes what run_touch left, of all runs. */
int runs_write_touched(struct reeved *rv, struct err *err) NODISCARD;
/* Brings rec.bytes up to date with what was written for the run. */
void run_count_bytes(struct run *r);
/* The journal, loaded when needed. */
int run_journal(struct run *r, struct err *err) NODISCARD;
/* Ends the run with a result (JSON text) or none. */
int run_set_result(struct run *r, struct str result, struct err *err);
/* The seed of the run's own randomness, in hex: the same in every attempt. */
void run_seed(const struct run *r, char out[DIGEST_HEX]);
/* A line for people in the run's log, bounded. */
void run_log(struct run *r, enum log_level level, const char *unit, struct str text);
int run_set_reason(struct run *r, struct str reason);

#endif
