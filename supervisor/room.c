/*
 * room.c: see room.h. Runs in reeved.
 */
#include "supervisor/room.h"

#include "policy/model_request.h"

#define UNKNOWN (INT64_C(1) << 50) /* more than any budget */
#define MICRO   1000000

/* A token of the prompt is a byte of the request at least. One that does not bound its answer may
 * take anything. */
static void measure(struct effect *e, const struct model_price *p)
{
    int64_t in = (int64_t)e->request.len, out = model_request_output_max(e->parsed);
    __int128 cost = ((__int128)in * p->input_micro + (__int128)out * p->output_micro) / MICRO + 1;
    bool known = out > 0 && out < UNKNOWN - in;
    e->room_tokens = known ? in + out : UNKNOWN;
    e->room_micro = known && cost < UNKNOWN ? (int64_t)cost : UNKNOWN;
}

static bool is_below(int64_t limit, int64_t used, int64_t held, int64_t more)
{
    return limit == HOUSE_NO_LIMIT || used + held + more <= limit;
}

static bool fits(const struct effect *e)
{
    const struct run *r = e->r;
    const struct house_budget *b = &r->version->workflow.budget;
    return !r->room_calls ||
           (is_below(b->tokens, r->rec.input_tokens + r->rec.output_tokens, r->room_tokens,
                     e->room_tokens) &&
            is_below(b->cost_micro, r->rec.cost_micro, r->room_micro, e->room_micro));
}

static void hold(struct effect *e)
{
    e->has_room = true;
    e->r->room_calls++;
    e->r->room_tokens += e->room_tokens;
    e->r->room_micro += e->room_micro;
}

bool room_take(struct effect *e, const struct model_price *price)
{
    measure(e, price);
    if ((e->r->room_first && !e->waited) || !fits(e))
        return false;
    hold(e);
    return true;
}

void room_keep(struct effect *e, const struct model_price *price)
{
    measure(e, price);
    hold(e);
}

void room_give_back(struct effect *e)
{
    if (!e->has_room)
        return;
    e->has_room = false;
    e->r->room_calls--;
    e->r->room_tokens -= e->room_tokens;
    e->r->room_micro -= e->room_micro;
}

int room_wait(struct effect *e, struct err *err)
{
    struct effect **at = &e->r->room_first;
    size_t n = 0;
    for (; *at; at = &(*at)->next_waiting)
        n++;
    if (n >= ROOM_WAITING_MAX)
        return err_set(err, E2BIG,
                       "over %d model calls at once wait for what is left of the budget",
                       ROOM_WAITING_MAX);
    *at = e;
    e->waited = true;
    return 1;
}

struct effect *room_next(struct run *r)
{
    struct effect *e = r->room_first;
    if (!e || (room_is_wanted(e) && !fits(e)))
        return NULL;
    r->room_first = e->next_waiting;
    return e;
}

bool room_is_wanted(const struct effect *e)
{
    return !run_state_is_final(e->r->rec.state) && e->r->wire && e->attempt == e->r->rec.attempt;
}
