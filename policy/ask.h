/*
 * ask.h: asking policy. Default deny, and a policy that errs in scope denies (INV-03); every answer can be recorded
 * with the facts that it came from, and explained later (INV-12).
 *
 * A tool call is up to three asks:
 *   call     may it run now?  allowed: it runs.
 *   propose  if not, and no forbid was satisfied: may it be put to people? allowed: the gate opens.
 *   oblige   what must be done besides: masks and notices. It can grant nothing.
 * After approval `call` is asked again, with the approval; then there is no second gate.
 */
#ifndef REEVE_POLICY_ASK_H
#define REEVE_POLICY_ASK_H

#include "policy/facts.h"

#define ASK_APPROVERS_MAX 16 /* clauses, and groups in a clause */
#define ASK_TEXT_MAX 512
#define ASK_EXPIRES_DEFAULT_MS (24 * INT64_C(3600000))
#define ASK_QUORUM_MAX 16

struct ask_error {
    struct str policy, message;
};

struct ask_decision { /* in the arena of the ask */
    enum facts_ask ask;
    bool allow;
    bool erred;      /* a policy in scope ended in an error: so it is a deny */
    bool forbidden;  /* a forbid was satisfied */
    bool unconvertible; /* the arguments cannot be judged: no policy was asked */
    struct strs policies; /* ids that decided: permits, or forbids; none when no policy permits */
    const struct ask_error *errors;
    size_t error_count;
    struct digest set, facts; /* policy set and facts */
    struct str facts_json;    /* to be kept with it; the three asks of a tool call share one, whose `ask` is `call`:
                                 whoever asks again sets facts.ask from the decision */
    char text[ASK_TEXT_MAX];  /* for people: `denied by policy "post-daily-cap"`, `no policy permits call:ledger/pay` */
};

/*
 * One ask. 0 (allowed or not), -ENOMEM, -E2BIG (over a bound); on failure nothing is allowed.
 * The facts are borrowed until return; the decision lives as long as the arena.
 */
int ask_decide(const struct house *h, const struct facts *f, struct arena *a, struct ask_decision *ret,
               struct err *err) NODISCARD;
/* {"ask","allow","policies":[],"errors":[{policy,message}],"set","facts","text"}; the facts' JSON is kept apart. */
void ask_put(struct jout *j, const struct ask_decision *d);

/* ---- a tool call ---- */

struct ask_clause { /* any one of these groups */
    struct str groups[ASK_APPROVERS_MAX];
    size_t count;
};

/* The strictest of all permits on `propose`: the largest quorum, the shortest time; @approvers("a, b") is met by
 * a yes from a or b, and each permit that names groups is a clause: all clauses must be met. */
struct ask_gate {
    struct ask_clause clauses[ASK_APPROVERS_MAX];
    size_t clause_count; /* 0: whoever policy permits to approve */
    int64_t quorum;      /* different people who say yes; at least 1 */
    int64_t expires_ms;  /* from the opening; 0: never (an unknown effect waits for as long as it takes) */
};

/* One yes: who, and in which teams. */
struct ask_vote {
    struct str user;
    struct strs teams;
};
/* May this person's vote count at all (is in a group of some clause, or there is none)? */
bool ask_gate_counts(const struct ask_gate *g, struct strs teams);
/* Are these different people (asked for by the caller; a name twice counts once) enough? */
bool ask_gate_is_met(const struct ask_gate *g, const struct ask_vote *votes, size_t n);
/* {"approvers":[["ap-leads"],["cfo","board"]],"quorum":2,"expiresMs":14400000} and back. */
void ask_gate_put(struct jout *j, const struct ask_gate *g);
int ask_gate_parse(const struct json *v, struct ask_gate *ret, struct err *err) NODISCARD; /* strings borrowed */

enum ask_verdict { ASK_RUN, ASK_GATE, ASK_DENY };

struct ask_tool {
    enum ask_verdict verdict;
    struct ask_gate gate;  /* ASK_GATE */
    struct strs masks;     /* paths, "input.iban"; also given with ASK_DENY (what may be shown) */
    struct strs notify;    /* of all @notify annotations */
    bool mask_all;         /* the obligations are not known (an error): show nothing of the input */
    struct ask_decision decisions[3]; /* those made: call, propose, oblige in this order */
    size_t decision_count;
    const char *text;      /* of the decision that counts; for the worker's denial too */
    struct strs policies;  /* likewise */
};

/* f->ask is ignored. With f->has_approval there is no second gate. A policy that errs in any of the three denies:
 * in `call` and `propose` because a guard may have been skipped, in `oblige` because it is not known what to hide. */
int ask_tool(const struct house *h, const struct facts *f, struct arena *a, struct ask_tool *ret,
             struct err *err) NODISCARD;

/* Whether a call of this tool can be allowed by the set at all, with whatever arguments, history and approval: a tool
 * for which it is false need not be offered. f: the run and the tool, no input. What cannot be judged: true. */
int ask_tool_may(const struct house *h, const struct facts *f, struct arena *a, bool *ret,
                 struct err *err) NODISCARD;

/* ---- why ---- */

/* Each policy that came near, which condition failed, with the values it saw. As text and as JSON members. */
int ask_explain(const struct house *h, const struct facts *f, struct strs masks, struct buf *out,
                struct err *err) NODISCARD;
int ask_explain_json(const struct house *h, const struct facts *f, struct strs masks, struct jout *j,
                     struct err *err) NODISCARD;

#endif
