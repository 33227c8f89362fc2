/*
 * room.h: model calls of one run side by side, within its budget. What a call takes is known when it has ended; so a
 * call holds what it may take at most, and one that does not fit beside those under way waits for them. One alone always
 * goes, as long as the budget is not used up: a budget is overdrawn by one call, never by all that a program can send
 * at once. In memory only: calls that were under way at a restart had found room before it.
 */
#ifndef REEVE_SUPERVISOR_ROOM_H
#define REEVE_SUPERVISOR_ROOM_H

#include "supervisor/effect.h"

#define ROOM_WAITING_MAX 256 /* calls of a run */

/* Whether e's call may be under way now; it then holds its room until room_give_back. */
bool room_take(struct effect *e, const struct model_price *price);
/* The same without a question, for what had its room before a restart. */
void room_keep(struct effect *e, const struct model_price *price);
void room_give_back(struct effect *e); /* without room it is fine */
/* Lines e up behind those that wait. 1; -E2BIG. */
int room_wait(struct effect *e, struct err *err) NODISCARD;
/* The first that waits, taken out of the line, when it fits now or nobody waits for its answer; or NULL. */
struct effect *room_next(struct run *r);
/* Does the worker that asked still wait for it? */
bool room_is_wanted(const struct effect *e);

#endif
