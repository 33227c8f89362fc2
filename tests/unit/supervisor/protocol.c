/*
 * Goal: intent, effect, outcome and restart as a small model, explored whole: every interleaving of
 * a worker that asks, a request that leaves, a server that executes and answers, a retry, people
 * who decide, a run that is cancelled and driven again, and the death of the server, the worker and
 * of everything, at every point between two commits. What is decided in it is decided by
 * supervisor/recover.c, the table that reeved itself uses. INV-04 INV-05 INV-06 INV-07
 *
 * A transition is one commit of reeved (what a pass changes is durable whole or not at all) or one
 * act of the world. A message leaves in a transition of its own, after the commit: a crash fits in
 * between. People tell the truth as they find it; a server that is dead executes nothing more
 * (reeve-spawn holds the lock until it is).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "supervisor/recover.h"

#define TRIES_MAX   3
#define CRASHES_MAX 3
#define ENDS_MAX    2 /* of the run, each driven again */
#define STATES_MAX  400000
#define EDGES_MAX   (STATES_MAX * 8)

enum approval { NONE, OPEN, APPROVED, REJECTED, USED, CLOSED };
enum told { TOLD_NOTHING, TOLD_DONE, TOLD_NO, TOLD_FAILED };

/* All of it bytes, so that states compare as memory. */
struct state {
    /* durable */
    uint8_t has_step, step, tries;               /* enum step_state */
    uint8_t approval, is_unknown_gate, happened; /* what a person said of an unknown effect */
    uint8_t over;                                /* the run is final */
    /* in reeved's memory */
    uint8_t live, again, out; /* at work; a pause before another try; a request behind its commit */
    uint8_t asked;            /* a worker waits; its request is in memory */
    /* the world */
    uint8_t request, reply, executed, told;
    uint8_t granted; /* people allowed the call itself */
    /* bounds */
    uint8_t crashes, ends;
};

struct space {
    enum tool_retry retry;
    bool gated; /* policy puts the call to people */
    struct state *states;
    uint32_t *slots; /* index + 1 into states */
    size_t slot_count, count, explored;
    struct edge {
        uint32_t from, to;
    } * edges; /* without deaths and cancels: for what must stay reachable */
    size_t edge_count;
    uint32_t at; /* the state that is being explored */
};

/* ---- the store of states
 * ---------------------------------------------------------------------------------- */

static uint32_t add(struct space *m, const struct state *s)
{
    uint64_t h = 1469598103934665603u;
    const uint8_t *bytes = (const uint8_t *)s;
    for (size_t i = 0; i < sizeof(*s); i++)
        h = (h ^ bytes[i]) * 1099511628211u;
    size_t at = (size_t)(h % m->slot_count);
    while (m->slots[at]) {
        if (memcmp(&m->states[m->slots[at] - 1], s, sizeof(*s)) == 0)
            return m->slots[at] - 1;
        at = (at + 1) % m->slot_count;
    }
    assert_true(m->count < STATES_MAX);
    m->states[m->count] = *s;
    m->slots[at] = (uint32_t)++m->count;
    return (uint32_t)m->count - 1;
}

static bool is_settled(const struct state *s)
{
    return s->has_step &&
           (s->step == STEP_COMMITTED || s->step == STEP_DENIED || s->step == STEP_FAILED);
}

static void show(const struct space *m, const struct state *s, const char *what)
{
    print_error("%s: retry %d gated %d; step %d/%s tries %d, approval %d unknown %d happened %d, "
                "over %d, live %d "
                "again %d out %d asked %d, request %d reply %d executed %d told %d\n",
                what, (int)m->retry, m->gated, s->has_step,
                step_state_name((enum step_state)s->step), s->tries, s->approval,
                s->is_unknown_gate, s->happened, s->over, s->live, s->again, s->out, s->asked,
                s->request, s->reply, s->executed, s->told);
}

#define HOLDS(m, s, what)      \
    do {                       \
        if (!(what)) {         \
            show(m, s, #what); \
            fail();            \
        }                      \
    } while (0)

static void check(const struct space *m, const struct state *s)
{
    bool repeatable = m->retry == RETRY_READ_ONLY || m->retry == RETRY_IDEMPOTENT;
    bool harmless = m->retry == RETRY_READ_ONLY;
    HOLDS(m, s, repeatable || s->executed <= 1);                                     /* INV-06 */
    HOLDS(m, s, !(s->request || s->out) || (s->has_step && s->step == STEP_INTENT)); /* INV-04 */
    HOLDS(m, s, !s->executed || !m->gated || s->granted);                            /* INV-08 */
    if (!s->has_step)
        return;
    HOLDS(m, s, s->step != STEP_COMMITTED || s->executed >= 1);
    HOLDS(m, s, s->step != STEP_DENIED || s->executed == 0);
    HOLDS(m, s, s->step != STEP_FAILED || harmless || s->executed == 0);
    HOLDS(m, s,
          !(s->told == TOLD_DONE) || s->step == STEP_COMMITTED); /* told after it is durable */
    /* An unknown effect waits for a person that is asked, for the worker that brings the request,
     * or is over. */
    HOLDS(m, s,
          s->step != STEP_UNKNOWN || s->approval == OPEN || s->approval == APPROVED || s->over ||
              s->ends);
}

static void go(struct space *m, const struct state *s, bool counts)
{
    const struct state *from = &m->states[m->at];
    check(m, s);
    if (is_settled(from)) { /* INV-05 */
        HOLDS(m, s, s->step == from->step);
        HOLDS(m, s, s->executed == from->executed);
    }
    uint32_t to = add(m, s);
    if (counts) {
        assert_true(m->edge_count < EDGES_MAX);
        m->edges[m->edge_count++] = (struct edge){m->at, to};
    }
}

/* ---- what reeved does: one commit
 * ---------------------------------------------------------------------------- */

static enum recover_gate gate_of(const struct state *s)
{
    static const enum approval_state real[] = {[OPEN] = APPROVAL_OPEN,
                                               [APPROVED] = APPROVAL_APPROVED,
                                               [REJECTED] = APPROVAL_REJECTED,
                                               [USED] = APPROVAL_USED,
                                               [CLOSED] = APPROVAL_CANCELLED};
    if (s->approval == NONE)
        return GATE_NONE;
    if (s->is_unknown_gate != (s->step == STEP_UNKNOWN))
        return GATE_CLOSED;
    return recover_gate(real[s->approval], s->happened);
}

static void intend(struct state *s)
{
    s->has_step = 1;
    s->step = STEP_INTENT;
    s->tries++;
    s->live = s->out = 1;
    s->again = 0;
}

static void judge(const struct space *m, struct state *s)
{
    bool approved = s->has_step && s->approval == APPROVED && !s->is_unknown_gate;
    if (m->gated && !approved) {
        s->has_step = 1;
        s->step = STEP_GATED;
        s->approval = OPEN;
        s->is_unknown_gate = s->happened = 0;
        return;
    }
    if (approved)
        s->approval = USED;
    intend(s);
}

/* false: the move needs a request that is not in memory, or changes nothing. */
static bool act(const struct space *m, struct state *s, enum recover_cause cause)
{
    const struct recover_case c = {.cause = cause,
                                   .state = (enum step_state)s->step,
                                   .retry = m->retry,
                                   .gate = gate_of(s),
                                   .has_tries = s->tries < TRIES_MAX,
                                   .is_over = s->over};
    switch (recover_move(&c)) {
    case RECOVER_JUDGE:
        if (!s->asked)
            return false;
        judge(m, s);
        return true;
    case RECOVER_SEND:
        if (cause == RECOVER_LOST) {
            s->live = s->again = 1;
            return true;
        }
        if (!s->asked)
            return false;
        if (s->step == STEP_UNKNOWN)
            s->approval = USED; /* in the commit of the intent (INV-07) */
        intend(s);
        return true;
    case RECOVER_KEEP:
        s->step = STEP_COMMITTED;
        s->approval = USED;
        return true;
    case RECOVER_REFUSE:
        s->step = STEP_DENIED;
        return true;
    case RECOVER_FAIL:
        s->step = STEP_FAILED;
        return true;
    case RECOVER_GATE:
        s->step = STEP_UNKNOWN;
        s->approval = OPEN;
        s->is_unknown_gate = 1;
        s->happened = 0;
        return true;
    case RECOVER_NOTE:
        s->step = STEP_UNKNOWN;
        s->approval = NONE;
        return true;
    default:
        return false;
    }
}

/* The connection is gone: what was asked through it is lost. */
static void lose(const struct space *m, struct state *s)
{
    bool was_live = s->live && !s->again;
    s->request = s->reply = s->out = 0;
    if (!was_live)
        return;
    s->live = 0;
    act(m, s, RECOVER_LOST);
}

/* ---- the transitions
 * --------------------------------------------------------------------------------------------- */

static void worker_moves(struct space *m, const struct state *s)
{
    struct state n = *s;
    if (!s->asked && !s->over && !s->told) {
        n.asked = 1;
        if (!s->has_step)
            judge(m, &n);
        else if (!is_settled(s) && !s->live)
            act(m, &n, RECOVER_ASKED);
        go(m, &n, true);
    }
    if (s->asked &&
        is_settled(s)) { /* the answer that waits behind the commit, or is found again */
        n = *s;
        n.asked = 0;
        n.told = s->step == STEP_COMMITTED ? TOLD_DONE
                 : s->step == STEP_DENIED  ? TOLD_NO
                                           : TOLD_FAILED;
        go(m, &n, true);
    }
    if (s->asked) { /* it dies */
        n = *s;
        n.asked = 0;
        go(m, &n, false);
    }
}

static void server_moves(struct space *m, const struct state *s)
{
    struct state n = *s;
    if (s->out) {
        n.out = 0;
        n.request = 1;
        go(m, &n, true);
    }
    if (s->request) {
        n = *s;
        n.request = 0;
        n.reply = 1;
        n.executed = s->executed < 3 ? (uint8_t)(s->executed + 1) : 3;
        go(m, &n, true);
    }
    if (s->reply) {
        n = *s;
        n.reply = n.live = 0;
        n.step = STEP_COMMITTED;
        go(m, &n, true);
    }
    if (s->again) { /* the pause is over; a run that has ended since sends nothing */
        n = *s;
        n.again = n.live = 0;
        if (!s->over) {
            if (n.step == STEP_UNKNOWN)
                n.approval = USED;
            intend(&n);
        }
        go(m, &n, true);
    }
    if (s->out || s->request || s->reply) { /* it dies */
        n = *s;
        lose(m, &n);
        go(m, &n, false);
    }
}

static void people_move(struct space *m, const struct state *s)
{
    if (s->approval != OPEN || s->over)
        return;
    for (int yes = 0; yes < 2; yes++) {
        struct state n = *s;
        n.approval = yes ? APPROVED : REJECTED;
        if (s->is_unknown_gate && yes)
            n.happened = s->executed > 0;
        if (!s->is_unknown_gate && yes)
            n.granted = 1;
        if (s->is_unknown_gate && !yes) { /* stops the run */
            if (s->ends == ENDS_MAX)
                continue;
            n.over = 1;
            n.asked = 0;
            n.ends++;
        } else if (!s->live) {
            act(m, &n, RECOVER_ASKED);
        }
        go(m, &n, true);
    }
}

static void run_moves(struct space *m, const struct state *s)
{
    struct state n = *s;
    if (!s->over && s->ends < ENDS_MAX && !s->told) { /* cancelled: gates close, the worker ends */
        n.over = 1;
        n.ends++;
        n.asked = 0;
        if (s->approval == OPEN || s->approval == APPROVED)
            n.approval = CLOSED;
        go(m, &n, false);
    }
    if (s->over) { /* driven again */
        n = *s;
        n.over = 0;
        go(m, &n, true);
    }
    if (s->crashes < CRASHES_MAX) { /* everything dies; reeved starts */
        n = *s;
        n.crashes++;
        n.live = n.again = n.out = n.asked = n.request = n.reply = 0;
        if (n.has_step && n.step == STEP_INTENT)
            act(m, &n, RECOVER_START);
        go(m, &n, false);
    }
}

/* From every state the worker can still be told, if nothing more dies: nothing is stuck. */
static void check_ends(struct space *m)
{
    uint8_t *good = calloc(m->count, 1);
    assert_non_null(good);
    for (size_t i = 0; i < m->count; i++)
        good[i] = m->states[i].told != TOLD_NOTHING;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = m->edge_count; i-- > 0;)
            if (good[m->edges[i].to] && !good[m->edges[i].from]) {
                good[m->edges[i].from] = 1;
                changed = true;
            }
    }
    for (size_t i = 0; i < m->count; i++)
        HOLDS(m, &m->states[i], good[i]);
    free(good);
}

static void explore(enum tool_retry retry, bool gated)
{
    struct space m = {.retry = retry, .gated = gated, .slot_count = STATES_MAX * 2 + 1};
    const struct state first = {0};
    m.states = calloc(STATES_MAX, sizeof(*m.states));
    m.slots = calloc(m.slot_count, sizeof(*m.slots));
    m.edges = calloc(EDGES_MAX, sizeof(*m.edges));
    assert_true(m.states && m.slots && m.edges);
    add(&m, &first);
    for (m.at = 0; m.at < m.count; m.at++) {
        const struct state s = m.states[m.at];
        worker_moves(&m, &s);
        server_moves(&m, &s);
        people_move(&m, &s);
        run_moves(&m, &s);
    }
    check_ends(&m);
    assert_true(m.count > 100);
    print_message("# %s%s: %zu states, %zu ways between them\n", tool_retry_name(retry),
                  gated ? ", gated" : "", m.count, m.edge_count);
    free(m.states);
    free(m.slots);
    free(m.edges);
}

static void every_interleaving(void **state)
{
    (void)state;
    static const enum tool_retry all[] = {RETRY_NEVER, RETRY_READ_ONLY, RETRY_IDEMPOTENT,
                                          RETRY_VERIFY};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        explore(all[i], false);
        explore(all[i], true);
    }
}

/* ---- the table, row by row: what no path of the model may hide
 * ---------------------------------------------------- */

static void check_case(const struct recover_case *c)
{
    enum recover_move move = recover_move(c);
    bool repeatable = c->retry == RETRY_READ_ONLY || c->retry == RETRY_IDEMPOTENT;
    if (c->is_over)
        assert_true(move == RECOVER_WAIT || (c->cause == RECOVER_LOST && move == RECOVER_NOTE));
    if (c->state == STEP_COMMITTED || c->state == STEP_DENIED || c->state == STEP_OPEN)
        assert_true(move == RECOVER_WAIT || c->is_over); /* INV-05 */
    if (c->state == STEP_INTENT && !repeatable && !c->is_over)
        assert_int_equal(move, RECOVER_GATE); /* INV-06 */
    if (c->state ==
        STEP_UNKNOWN) { /* never a claim that nothing happened; a person's word or a new question */
        assert_true(move != RECOVER_REFUSE && move != RECOVER_FAIL && move != RECOVER_JUDGE);
        assert_true(move != RECOVER_SEND || c->gate == GATE_RUN);
        assert_true(move != RECOVER_KEEP || c->gate == GATE_HAPPENED);
    }
    if (c->cause == RECOVER_START) /* nobody is there to be served yet */
        assert_true(move == RECOVER_WAIT || move == RECOVER_GATE);
    if (move == RECOVER_FAIL)
        assert_int_equal(c->retry, RETRY_READ_ONLY);
}

static void every_case(void **state)
{
    (void)state;
    struct recover_case c;
    for (int cause = 0; cause < RECOVER_CAUSE_COUNT; cause++)
        for (int st = 0; st < STEP_STATE_COUNT; st++)
            for (int retry = RETRY_NEVER; retry <= RETRY_VERIFY; retry++)
                for (int gate = 0; gate < GATE_COUNT; gate++)
                    for (int bits = 0; bits < 4; bits++) {
                        c = (struct recover_case){.cause = (enum recover_cause)cause,
                                                  .state = (enum step_state)st,
                                                  .retry = (enum tool_retry)retry,
                                                  .gate = (enum recover_gate)gate,
                                                  .has_tries = bits & 1,
                                                  .is_over = bits & 2};
                        check_case(&c);
                    }
}

static void approvals_count_as(void **state)
{
    (void)state;
    assert_int_equal(recover_gate(APPROVAL_OPEN, true), GATE_OPEN);
    assert_int_equal(recover_gate(APPROVAL_APPROVED, false), GATE_RUN);
    assert_int_equal(recover_gate(APPROVAL_APPROVED, true), GATE_HAPPENED);
    assert_int_equal(recover_gate(APPROVAL_REJECTED, true), GATE_NO);
    assert_int_equal(recover_gate(APPROVAL_EXPIRED, false), GATE_NO);
    assert_int_equal(recover_gate(APPROVAL_USED, true), GATE_CLOSED);
    assert_int_equal(recover_gate(APPROVAL_CANCELLED, true), GATE_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_interleaving),
        cmocka_unit_test(every_case),
        cmocka_unit_test(approvals_count_as),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
