/*
 * explain.h: why a decision is what it is: each policy that came near, which condition failed, and
 * the values that it saw.
 */
#ifndef REEVE_CEDAR_EXPLAIN_H
#define REEVE_CEDAR_EXPLAIN_H

#include "policy/cedar/authorize.h"

struct cedar_explain {
    /* Whether the value at a path such as "context.input.iban" must not be shown; NULL: all may be.
     * A value made from one that is masked is masked too, unless it is a boolean. */
    bool (*is_masked)(void *arg, struct str path);
    void *arg;
    size_t near_max; /* policies that missed by one part of their scope, at most; 0: 20 */
};

/*
 * Decides again and writes one JSON object:
 *   {"decision":"deny","reasons":[ids],"errors":[{"policy","text"}],
 *    "policies":[{"id","effect","file","line",
 *       "outcome":"satisfied|unsatisfied|error|scope",
 *       "scope":"principal","expected":"principal in Team::\"x\"","was":{"type","id"},  (scope)
 *       "condition":{"kind":"when","index":0,"text"},
 *       "because":[{"text":"context.input.amount <= 100","value":false,
 *                   "saw":[{"text":"context.input.amount","value":420}]}]}]}
 * Masked values are the string "***". Values are written as Cedar's JSON.
 */
int cedar_explain_json(const struct cedar_policies *policies, const struct cedar_request *request,
                       const struct cedar_entities *entities, const struct cedar_explain *how,
                       struct arena *arena, struct jout *j, struct err *err) NODISCARD;
/* The same for people, some lines a policy. */
int cedar_explain_text(const struct cedar_policies *policies, const struct cedar_request *request,
                       const struct cedar_entities *entities, const struct cedar_explain *how,
                       struct arena *arena, struct buf *out, struct err *err) NODISCARD;

#endif
