/*
 * warm.h: strict workers that wait behind finished walls for a run to be theirs: each is fresh, was never
 * used, has said at most its first message, and is given out once. A request that asks for the same program,
 * arguments, environment and limits gets one at once; any other is started cold.
 */
#ifndef REEVE_SPAWN_WARM_H
#define REEVE_SPAWN_WARM_H

#include "sandbox/start.h"

#define WARM_MAX 256
#define WARM_LOST_MAX 5 /* that many lost in a row, unused: something is wrong with them; no more are made */

struct child;
struct spawn;

struct warm {
    char *text;            /* the request, kept as it came */
    struct arena arena;    /* what was parsed of it */
    struct start_request request;
    unsigned want, have, idle; /* asked for; living and not given out; of these, ready */
    unsigned lost;
    uint64_t made;
    struct ev_timer *timer;
};

/* params of process/prestart: those of process/start (strict) and `count`; replaces what was set before. */
int warm_set(struct spawn *s, const struct json *params, struct err *err) NODISCARD;
void warm_release(struct spawn *s);
/* One that fits, no longer warm; or NULL. */
struct child *warm_take(struct spawn *s, const struct start_request *r);
/* From watch.c: it stands ready; it is gone before it was given out. */
void warm_ready(struct child *c);
void warm_gone(struct child *c);

#endif
