/*
 * order.h: which of several queued runs goes first. Pure: what is known comes in, the choice goes out.
 */
#ifndef REEVE_SUPERVISOR_ORDER_H
#define REEVE_SUPERVISOR_ORDER_H

#include "policy/text/buf.h"
#include "policy/text/json.h"

struct order_head { /* the first of a line */
    int64_t id;     /* of the run; 0: none */
    bool fresh;     /* never started: rates are for these */
    bool stopped;   /* a switch holds it */
    int64_t priority;
    int64_t live, concurrency;               /* workers of the workflow */
    int64_t tenant_live, tenant_concurrency; /* of its tenant; concurrency 0: no limit */
    uint64_t tenant_turn;                    /* of its tenant's last start: rises from start to start */
    int64_t rate_wait_ms;                    /* until the rate lets a fresh one start; 0: it does */
};
enum order_why { ORDER_READY, ORDER_STOPPED, ORDER_TENANT_FULL, ORDER_WORKFLOW_FULL, ORDER_RATE, ORDER_EMPTY };
enum order_why order_why(const struct order_head *h);
/* The head that starts next: highest priority; then the tenant with the fewest workers, then the one whose last
 * start is longest ago; then the oldest run, begun ones first. n: none may. */
size_t order_choose(const struct order_head *heads, size_t n);
/* How long until another start, when the last but (count - 1) was at `nth_ms` (0: there was none). A clock
 * that was set back costs one window at most. */
int64_t order_rate_wait_ms(int64_t nth_ms, int64_t window_ms, int64_t now_ms);
/* The value at `path` ("event.data.customer") as a lane's name: its canonical JSON, or a digest of it where that
 * is long. Empty where the event has none. Appends to out. */
void order_lane(const struct json *envelope, struct str path, struct buf *out);

#endif
