/*
 * request.h: a Cedar request out of facts: entities, action with its groups, closed context.
 */
#ifndef REEVE_POLICY_REQUEST_H
#define REEVE_POLICY_REQUEST_H

#include "policy/cedar/cedar.h"
#include "policy/facts.h"

struct request {
    struct cedar_request cedar;
    struct cedar_entities *entities; /* owned: request_release */
};

/* -ERANGE, -EINVAL: the input cannot be judged (err says which member); -ENOMEM, -E2BIG, and what entity.h says.
 * Values live in the arena and borrow from the facts. */
int request_make(const struct facts *f, struct arena *a, struct request *ret, struct err *err) NODISCARD;
/* The same facts for another ask about a tool (call, propose, oblige: the store holds the actions of all three). */
int request_ask(struct request *r, const struct facts *f, enum facts_ask ask, struct arena *a, struct err *err) NODISCARD;
void request_release(struct request *r);

#endif
