/*
 * ready.c: see ready.h. Runs in reeved. Without any of this runs start all the same, only not as
 * fast: nothing here fails a load.
 */
#include "supervisor/ready.h"

#include "policy/process.h"
#include "supervisor/release.h"

struct pool {
    struct start_request request;
    unsigned count;
};

struct pools {
    struct pool *items;
    size_t count, cap;
    unsigned sum;
};

static struct pool *pool_of(struct pools *all, const struct start_request *q)
{
    for (size_t i = 0; i < all->count; i++)
        if (start_is_same(&all->items[i].request, q))
            return &all->items[i];
    if (all->count == all->cap) {
        size_t cap = MAX(2 * all->cap, 4);
        struct pool *grown = reallocarray(all->items, cap, sizeof(*grown));
        if (!grown)
            return NULL;
        all->items = grown;
        all->cap = cap;
    }
    struct pool *p = &all->items[all->count++];
    *p = (struct pool){.request = *q};
    return p;
}

static void add(struct pools *all, const struct start_request *q, unsigned count)
{
    struct pool *p = count ? pool_of(all, q) : NULL;
    if (!p)
        return;
    p->count += count;
    all->sum += count;
}

/* Those of the loop that --warm asks for beyond what definitions do, in the shape of the first
 * workflow with it; definitions go first. */
static void add_option(struct reeved *rv, struct pools *all, const struct start_request *q)
{
    unsigned want = (unsigned)rv->options->warm, have = 0, room = START_WARM_MAX - all->sum;
    for (size_t i = 0; i < all->count; i++)
        if (start_is_same(&all->items[i].request, q))
            have = all->items[i].count;
    if (want <= have)
        return;
    if (want - have > room)
        log_warn(&rv->log, "--warm %u: only %u are kept ready, for the definitions have %u of %d",
                 want, have + room, all->sum, START_WARM_MAX);
    add(all, q, MIN(want - have, room));
}

static void collect(struct reeved *rv, const char *agent_program, struct pools *all)
{
    struct start_request q, first;
    bool has_agent = false;
    for (size_t i = 0; i < rv->house->workflow_count; i++) {
        const struct workflow *w = &rv->house->workflows[i], *taken = release_workflow(rv, w);
        process_of_workflow(taken, agent_program, &q);
        add(all, &q, (unsigned)workflow_warm(w)); /* the files' word, like the order of runs */
        if (taken->is_agent && !has_agent)
            first = q;
        has_agent = has_agent || taken->is_agent;
    }
    if (has_agent)
        add_option(rv, all, &first);
}

void ready_set(struct reeved *rv)
{
    struct pools all = {0};
    char program[sizeof(rv->libexec) + 16];
    struct err err = ERR_INIT;
    snprintf(program, sizeof(program), "%s/reeve-worker", rv->libexec);
    collect(rv, program, &all);
    int e = spawner_prestop(rv->spawner, &err);
    for (size_t i = 0; e >= 0 && i < all.count; i++)
        e = spawner_prestart(rv->spawner, &all.items[i].request, all.items[i].count, &err);
    if (e < 0)
        log_warn(&rv->log, "no workers are kept ready: %s", err.text);
    free(all.items);
}
