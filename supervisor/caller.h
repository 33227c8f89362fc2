/*
 * caller.h: a person behind a change that reeve-control passed on, and the answer to them: what the files
 * behind the door share. See door.c.
 */
#ifndef REEVE_SUPERVISOR_CALLER_H
#define REEVE_SUPERVISOR_CALLER_H

#include "supervisor/reeved.h"

#define CALLER_GROUPS_MAX 64

struct caller {
    struct reeved *rv;
    struct wire *w;
    const struct json *id, *params;
    struct arena *arena;
    int64_t uid;
    gid_t gids[CALLER_GROUPS_MAX];
    size_t gid_count;
    char name[80]; /* a person's name, or "uid/1001" */
    struct strs teams;
};

/* Answers with an error. failed: of a change in the middle of which something of ours may have failed. */
int caller_refuse(const struct caller *c, int e, const struct err *err);
int caller_failed(const struct caller *c, int e, const struct err *err);
/* "retry later": -EAGAIN, with when. */
int caller_busy(const struct caller *c, int64_t after_ms, const struct err *err);

/* door_order.c: stop, go, queues, versions. Each answers. */
int door_stop(struct caller *c, struct err *err);
int door_go(struct caller *c, struct err *err);
int door_queue(struct caller *c, struct err *err);
int door_rollback(struct caller *c, struct err *err);

#endif
