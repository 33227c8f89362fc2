/*
 * queue.h: which queued run starts next.
 *
 * Runs line up by workflow and tenant: a line. Of each line only the head is looked at, one look into an index
 * of the store, so a pass costs as many looks as there are lines with something in them, however many runs
 * wait. The choice among heads is order_choose().
 *
 * Priority, limits, rate and bounds are what the newest files say, also for runs of older versions: they
 * are the operator's hand on the tap, not part of what a run does.
 */
#ifndef REEVE_SUPERVISOR_QUEUE_H
#define REEVE_SUPERVISOR_QUEUE_H

#include "supervisor/runs.h"

struct queue;

int queue_open(struct reeved *rv, struct err *err) NODISCARD;
/* Room for one more run of w? -EAGAIN with what is full; *ret_after_ms: when to ask again. */
int queue_has_room(const struct reeved *rv, const struct workflow *w, int64_t *ret_after_ms, struct err *err) NODISCARD;
/* Before store_run_add: whether the run has to wait for its lane. */
int queue_take_lane(struct reeved *rv, const struct workflow *w, struct store_run *run, struct err *err) NODISCARD;
/* After it. */
void queue_added(struct reeved *rv, const struct store_run *run);
/* Is it one that `queue` bounds: queued and never started? */
bool queue_is_new(const struct store_run *run);
/* It has written so many bytes more. */
void queue_grew(struct run *r, int64_t bytes);
/* Runs have gone: what tenants have on disk is summed anew. */
int queue_count_bytes(struct reeved *rv, struct err *err) NODISCARD;
/* Why the run may write no more: "limits.storage ..." or "storage of tenant ...", in text. */
bool queue_is_over(const struct run *r, char *text, size_t size);
/* A run's state was changed and saved. */
int queue_moved(struct run *r, bool was_new, enum run_state before, struct err *err) NODISCARD;
/* It has a worker now, or no more. */
void queue_worker(struct run *r, int by);
/* Starts what may start. *ret_wait_ms: when a rate will allow more; 0: nothing waits for one. */
int queue_pass(struct reeved *rv, int64_t *ret_wait_ms, struct err *err);
/* "queue":[{workflow, tenant, priority, queued, new, keyWaiting, running, oldestAt, why}] into an open object. */
int queue_put(struct reeved *rv, struct jout *j, struct err *err) NODISCARD;

#endif
