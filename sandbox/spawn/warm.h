/*
 * warm.h: workers that wait behind finished walls for a run to be theirs: each is fresh, was never used, has
 * read nothing, and is given out once. A request that asks for exactly what a pool keeps (profile, program,
 * arguments, environment, files, limits, pipes) gets one at once; any other is started cold.
 *
 * One is ready when its walls stand and its program runs; what it said by then waits in its socket, whose
 * buffer bounds it. Not given out: one whose program or granted files are no longer those on disk, that was
 * refused a system call, that ended, or that used more CPU time than a start takes. Its user id is one of
 * reeve-spawn's own slots and nobody else's. Pools hold no secrets: what waits long holds little.
 */
#ifndef REEVE_SPAWN_WARM_H
#define REEVE_SPAWN_WARM_H

#include "sandbox/spawn/identity.h"

#define WARM_LOST_MAX 5    /* that many lost in a row, unused: something is wrong with them; a pause */
#define WARM_PAUSE_MS 60000
#define WARM_CPU_MS   30000 /* of CPU time, while nobody has it; large interpreters load for seconds */
#define WARM_CPU_EXTRA_S 2  /* of it, beyond the limit of what it would serve */
#define WARM_AGE_MS   3600000 /* then a new one takes its place: libraries and the like are renewed as well */

struct child;
struct spawn;
struct ev_timer;

struct warm_pool {
    struct warm_pool *next;
    char *text;            /* the request, kept as it came */
    struct arena arena;    /* what was parsed of it */
    struct start_request request;
    unsigned want, have, idle; /* asked for; living and not given out; of these, ready */
    unsigned lost;         /* in a row */
    int64_t paused_us;     /* since when none is made; 0: they are */
};

struct warm {
    struct warm_pool *pools;
    unsigned want;         /* of all pools; at most START_WARM_MAX */
    unsigned have;         /* living, those included that die and are of no pool any more */
    uint64_t made;
    bool may_not_limit;    /* another user's process: was tried */
    struct ev_timer *refill, *sweep;
};

/* What a child that waits is to be known by; of no meaning in others. */
struct warm_one {
    struct warm_pool *pool; /* NULL: of none any more, it dies */
    bool is_idle;           /* to be given out */
    struct identity files;  /* what its program and files were when it began */
    char *layers;           /* what its answer will say of its walls: JSON; owned; NULL: made then */
    int64_t born_us;
    int64_t cpu_us;         /* that it had used when it was given out */
};

/* params of process/prestart: those of process/start and `count`. */
int warm_set(struct spawn *s, const struct json *params, struct err *err) NODISCARD;
/* From child.c, with the plan made and nothing cloned yet. */
int warm_begin(struct child *c, const struct start_request *r, struct err *err) NODISCARD;
void warm_end_all(struct spawn *s); /* all pools; their workers die */
void warm_release(struct spawn *s); /* at the end: nothing lives any more */
/* One that fits, no longer warm; or NULL. */
struct child *warm_take(struct spawn *s, const struct start_request *r);
/* From watch.c: it stands ready; a call of it was refused; it is gone before it was given out. */
void warm_ready(struct child *c);
void warm_denied(struct child *c, const char *call);
void warm_gone(struct child *c);
void warm_put_members(const struct spawn *s, struct jout *j);

#endif
