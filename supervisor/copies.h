/*
 * copies.h: backups of the store, made while everything goes on: a piece a pass, one backup at a time. Answers
 * whoever asked when the file is there.
 */
#ifndef REEVE_SUPERVISOR_COPIES_H
#define REEVE_SUPERVISOR_COPIES_H

#include "supervisor/caller.h"

/* "store/backup": answers at once only when it cannot begin. */
int copies_begin(struct caller *c, struct err *err);
/* At the end: one that is under way is dropped, with its file. Before the store is closed. */
void copies_stop(struct reeved *rv);

#endif
