/*
 * gate.h: the point where a run waits for people (INV-08).
 *
 * An approval is for one action: run, step, tool, tool definition, canonical arguments, policy set. It is
 * used once, in the transaction that records the intent. Who may decide: a role (checked at the door),
 * a policy that permits `approve`, and a place in the groups that the gate names.
 */
#ifndef REEVE_SUPERVISOR_GATE_H
#define REEVE_SUPERVISOR_GATE_H

#include "supervisor/effect.h"

/* The gate of a tool call that policy lets people decide on. Records the step as gated. */
int gate_open_tool(struct effect *e, const struct ask_tool *asked, const struct digest *tool,
                   const struct store_step *more, struct err *err) NODISCARD;
/* An effect whose outcome was lost and that must not be repeated blindly. */
int gate_open_unknown(struct run *r, struct step *s, const char *why, struct err *err) NODISCARD;
/* A question of the worker's own. */
int gate_open_question(struct run *r, const struct step_ask *q, struct err *err) NODISCARD;

/* What stands at the step's gate now: *ret its approval (strings in a). An open one that is past its time
 * is expired here. */
int gate_look(struct run *r, struct step *s, struct arena *a, struct store_approval *ret, struct err *err) NODISCARD;
/* Is it still for exactly this action? */
bool gate_is_for(const struct store_approval *a, const struct digest *tool, const struct digest *arguments,
                 const struct digest *policy);
/* Who said yes, for context.approval. */
int gate_facts(struct reeved *rv, const struct store_approval *ap, struct arena *a, struct facts_approval *ret, struct err *err) NODISCARD;
int gate_set(struct reeved *rv, struct store_approval *ap, enum approval_state state, struct err *err) NODISCARD;
/* The worker's words for a rejected or expired approval. */
int gate_refusal(struct reeved *rv, const struct store_approval *ap, struct arena *a, struct str *ret, struct err *err) NODISCARD;

struct gate_vote {
    int64_t approval;
    int64_t uid;
    struct str user;   /* as the host or the people entries name the uid */
    struct strs teams;
    bool approve;
    struct str comment;
    const struct json *outcome; /* unknown effects: {"happened":bool,"result"?:object}; else NULL */
};
/* -ENOENT; -EPERM: this person may not; -EALREADY: decided, expired, or voted before; -EINVAL. */
int gate_decide(struct reeved *rv, const struct gate_vote *v, struct store_approval *ret, int *ret_votes,
                struct arena *a, struct err *err);
/* What became of an unknown effect, told by other than people (verify.h): `outcome` as in a vote, `actor` for the
 * audit record. Nothing when the gate is not open any more. */
int gate_answer(struct run *r, int64_t approval, struct str actor, struct str outcome, struct err *err) NODISCARD;
/* The run is over: its open gates close. */
int gate_close_run(struct run *r, struct err *err) NODISCARD;

#endif
