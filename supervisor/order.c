/*
 * order.c: see order.h. Runs in reeved. Of a stranger it sees the value of a key only.
 */
#include "supervisor/order.h"

#include "policy/text/digest.h"
#include "policy/text/jcs.h"

#define LANE_TEXT_MAX 200

enum order_why order_why(const struct order_head *h)
{
    if (!h->id)
        return ORDER_EMPTY;
    if (h->stopped)
        return ORDER_STOPPED;
    if (h->tenant_concurrency && h->tenant_live >= h->tenant_concurrency)
        return ORDER_TENANT_FULL;
    if (h->live >= h->concurrency)
        return ORDER_WORKFLOW_FULL;
    return h->fresh && h->rate_wait_ms > 0 ? ORDER_RATE : ORDER_READY;
}

static bool goes_before(const struct order_head *a, const struct order_head *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    if (a->tenant_live != b->tenant_live)
        return a->tenant_live < b->tenant_live;
    if (a->tenant_turn != b->tenant_turn)
        return a->tenant_turn < b->tenant_turn;
    if (a->fresh != b->fresh)
        return !a->fresh;
    return a->id < b->id;
}

size_t order_choose(const struct order_head *heads, size_t n)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (order_why(&heads[i]) == ORDER_READY &&
            (best == n || goes_before(&heads[i], &heads[best])))
            best = i;
    return best;
}

int64_t order_rate_wait_ms(int64_t nth_ms, int64_t window_ms, int64_t now_ms)
{
    if (!nth_ms || nth_ms <= now_ms - window_ms)
        return 0;
    return nth_ms > now_ms ? window_ms : nth_ms + window_ms - now_ms;
}

void order_lane(const struct json *envelope, struct str path, struct buf *out)
{
    const struct json *v = envelope;
    struct digest d;
    struct err err = ERR_INIT;
    char hex[DIGEST_HEX];
    struct str rest = str_slice(path, sizeof("event.") - 1, path.len), part;
    if (!path.len)
        return;
    while (v && str_split(&rest, '.', &part))
        v = json_get_str(v, part);
    if (!v || v->type == JSON_NULL)
        return;
    if (v->raw.len <= LANE_TEXT_MAX && v->type != JSON_OBJECT && v->type != JSON_ARRAY) {
        if (jcs_write(out, v, JCS_EXACT, &err) < 0) /* one spelling, however it was escaped */
            buf_str_put(out, v->raw);
    } else if (digest_of_json(v, &d, &err) >= 0) {
        digest_hex(&d, hex);
        buf_fmt(out, "sha256:%s", hex);
    }
}
