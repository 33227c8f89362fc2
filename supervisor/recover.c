/*
 * recover.c: see recover.h. Runs in reeved. No system call, no clock, no global: a table.
 */
#include "supervisor/recover.h"

#define ANY   0
#define ON(x) (1u << (x))
#define MAY   (ON(RETRY_READ_ONLY) | ON(RETRY_IDEMPOTENT))

enum { NO = 1, YES = 2 }; /* of the two questions: ON(false), ON(true) */

/* The first row that fits counts; a column with ANY fits all. What no row fits waits. */
static const struct row {
    unsigned cause, state, retry, gate, has_tries, is_over;
    enum recover_move move;
} rows[] = {
    /* A run that is over does nothing; what becomes unknown after its end is noted. */
    {ON(RECOVER_LOST), ANY, ANY, ANY, ANY, YES, RECOVER_NOTE},
    {ANY, ANY, ANY, ANY, ANY, YES, RECOVER_WAIT},

    /* Gated: nothing has left. A gate that closed with a run that is driven again opens anew. */
    {ON(RECOVER_ASKED), ON(STEP_GATED), ANY, ON(GATE_OPEN), ANY, ANY, RECOVER_WAIT},
    {ON(RECOVER_ASKED), ON(STEP_GATED), ANY, ON(GATE_NO), ANY, ANY, RECOVER_REFUSE},
    {ON(RECOVER_ASKED), ON(STEP_GATED), ANY, ANY, ANY, ANY, RECOVER_JUDGE},

    /* Intent: it may have left. */
    {ON(RECOVER_START), ON(STEP_INTENT), MAY, ANY, ANY, ANY, RECOVER_WAIT}, /* for its worker */
    {ON(RECOVER_ASKED), ON(STEP_INTENT), MAY, ANY, ANY, ANY, RECOVER_SEND},
    {ON(RECOVER_LOST), ON(STEP_INTENT), MAY, ANY, YES, ANY, RECOVER_SEND},
    /* Only where nothing can have happened may giving up be called a failure. */
    {ON(RECOVER_LOST), ON(STEP_INTENT), ON(RETRY_READ_ONLY), ANY, NO, ANY, RECOVER_FAIL},
    {ANY, ON(STEP_INTENT), ANY, ANY, ANY, ANY, RECOVER_GATE},

    /* Unknown: a person's word counts once, and only for what it was asked about. A gate that
     * closed without such a word says nothing of what happened: people are asked again. */
    {ON(RECOVER_ASKED), ON(STEP_UNKNOWN), ANY, ON(GATE_OPEN), ANY, ANY, RECOVER_WAIT},
    {ON(RECOVER_ASKED), ON(STEP_UNKNOWN), ANY, ON(GATE_RUN), ANY, ANY, RECOVER_SEND},
    {ON(RECOVER_ASKED), ON(STEP_UNKNOWN), ANY, ON(GATE_HAPPENED), ANY, ANY, RECOVER_KEEP},
    {ON(RECOVER_LOST), ON(STEP_UNKNOWN), ANY, ON(GATE_RUN), YES, ANY, RECOVER_SEND},
    {ON(RECOVER_ASKED) | ON(RECOVER_LOST), ON(STEP_UNKNOWN), ANY, ANY, ANY, ANY, RECOVER_GATE},

    /* A failure that was withdrawn for another attempt. */
    {ON(RECOVER_ASKED), ON(STEP_FAILED), ANY, ANY, ANY, ANY, RECOVER_JUDGE},
};

static bool fits(unsigned column, unsigned value)
{
    return column == ANY || (column & ON(value));
}

enum recover_move recover_move(const struct recover_case *c)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        if (fits(r->cause, c->cause) && fits(r->state, c->state) && fits(r->retry, c->retry) &&
            fits(r->gate, c->gate) && fits(r->has_tries, c->has_tries) &&
            fits(r->is_over, c->is_over))
            return r->move;
    }
    return RECOVER_WAIT;
}

enum recover_gate recover_gate(enum approval_state state, bool happened)
{
    switch (state) {
    case APPROVAL_OPEN:
        return GATE_OPEN;
    case APPROVAL_APPROVED:
        return happened ? GATE_HAPPENED : GATE_RUN;
    case APPROVAL_REJECTED:
    case APPROVAL_EXPIRED:
        return GATE_NO;
    default:
        return GATE_CLOSED;
    }
}
