/*
 * confine.h: reeved gives up what it started with, and shuts its own door.
 */
#ifndef REEVE_SUPERVISOR_CONFINE_H
#define REEVE_SUPERVISOR_CONFINE_H

#include "policy/text/err.h"

/* As root: becomes `uid` (group likewise, and `extra_group`) with no capability left and none to be had
 * again. As anybody else: no_new_privs alone; there was nothing to give up. */
int confine_drop(uid_t uid, gid_t extra_group, struct err *err) NODISCARD;
/* The filter of system calls, for the rest of the process's life: files and sockets that are there, no new
 * sockets, no programs, no tracing. */
int confine_filter(struct err *err) NODISCARD;

#endif
