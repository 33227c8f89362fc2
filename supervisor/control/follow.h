/*
 * follow.h: GET /v1/runs/{run}/follow: a run as it happens, as server-sent events.
 *
 *   event: run    {run, state, wait, wakeAt, reason, attempt, ...}   when its state or what it waits for changes
 *   event: step   STEP of supervisor/store/view.h                    when a step is new or has changed
 *   event: log    {at, level, unit, text}                            a line of the run's log
 *   event: end    {}                                                 the run is final; the stream ends
 *
 * Every event's id says from where to go on (`Last-Event-ID`): "S.L" is "all steps up to S have ended and
 * were told, as were the first L lines of the log". After a reconnect a step that was open may be told again;
 * none is left out. Nothing is queued for a slow reader: what it reads next is made when it reads.
 */
#ifndef REEVE_CONTROL_FOLLOW_H
#define REEVE_CONTROL_FOLLOW_H

#include "supervisor/control/exchange.h"

/* reeved said that these runs changed: an array of ids. */
void follow_changed(struct control *c, const struct json *runs);
/* The exchange ends. */
void follow_free(struct follower *f); /* NULL is fine */

#endif
