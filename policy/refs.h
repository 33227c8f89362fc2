/*
 * refs.h: what policies name that nothing has: a tool of no server, an action of no ask, a type that Reeve makes no
 * entity of, a literal that can only end in an error. Cedar finds none of it wrong; such a policy silently never
 * matches, or always errs. So they are warnings.
 */
#ifndef REEVE_POLICY_REFS_H
#define REEVE_POLICY_REFS_H

#include "policy/link.h"

struct cedar_policies;

/* Faults go to link->diags. -ENOMEM. */
int refs_check(const struct cedar_policies *policies, const struct link *link) NODISCARD;

#endif
