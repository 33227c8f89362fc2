/*
 * waits_impl.h: what the files of waits.h share.
 */
#ifndef REEVE_SUPERVISOR_WAITS_IMPL_H
#define REEVE_SUPERVISOR_WAITS_IMPL_H

#include "supervisor/waits.h"

#define WAITS_MAX_MS (INT64_C(100) * 366 * 24 * 3600 * 1000) /* the longest sleep or time-out: a hundred years */

/* Settles with an object that `put` writes the members of. */
typedef void waits_put(struct jout *j, const void *arg);
int waits_settle(struct run *r, struct step *s, waits_put *put, const void *arg, const char *reason, struct err *err);
void waits_put_timeout(struct jout *j, const void *arg); /* {"timeout":true} */

int waits_cancel_children(struct run *r, struct err *err) NODISCARD;
int waits_tell_parent(struct run *r, struct err *err) NODISCARD;

#endif
