/*
 * authorize.h: decisions. Default deny; a satisfied forbid wins; a policy that errs is skipped and
 * named.
 *
 * That is Cedar's rule, kept to the letter here. Since a skipped forbid fails open, the runtime
 * above denies whenever error_count is not 0 (INV-03): a scope never errs, so every error is of a
 * policy whose scope matched.
 */
#ifndef REEVE_CEDAR_AUTHORIZE_H
#define REEVE_CEDAR_AUTHORIZE_H

#include "policy/cedar/entity.h"
#include "policy/cedar/policies.h"

struct cedar_request {
    struct cedar_uid principal, action, resource;
    struct cedar_value context; /* a record */
};

struct cedar_error {
    const struct cedar_policy *policy;
    /* What and where: "triage.cedar:12:9: `amount`: no such attribute". Names types, attributes and
     * entities, never a value out of the context, so that it may be logged. */
    struct str text;
};

struct cedar_matches {
    const struct cedar_policy *const *items; /* in order of the set */
    size_t count;
};

struct cedar_answer {
    bool allow;
    struct cedar_matches reasons;     /* the satisfied forbids if any, else the satisfied permits */
    struct cedar_matches permits;     /* all satisfied permits */
    struct cedar_matches forbids;     /* all satisfied forbids */
    const struct cedar_error *errors; /* in order of the set */
    size_t error_count;
};

/*
 * Decides. Everything in *ret lives in the arena, which is the only memory used. The set and the
 * store are sealed; `entities` may be NULL (none). -ENOMEM (the arena's limit): there is no answer,
 * which is a deny.
 */
int cedar_authorize(const struct cedar_policies *policies, const struct cedar_request *request,
                    const struct cedar_entities *entities, struct arena *arena,
                    struct cedar_answer *ret, struct err *err) NODISCARD;

/* Whether the answer can be an allow at all, whatever the context and the attributes: by scopes, which depend on
 * neither, and by forbids without a condition. False is sure, true is not. Uses the request's three entities and the
 * store's ancestors. */
int cedar_may_allow(const struct cedar_policies *policies, const struct cedar_request *request,
                    const struct cedar_entities *entities, struct arena *arena, bool *ret,
                    struct err *err) NODISCARD;

#endif
