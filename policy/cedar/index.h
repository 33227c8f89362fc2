/*
 * index.h: which policies can match a request, by scope. A scope never errs, so what the index
 * leaves out could have given neither a reason nor an error.
 */
#ifndef REEVE_CEDAR_INDEX_H
#define REEVE_CEDAR_INDEX_H

#include "policy/cedar/eval.h"

struct cedar_index;

/* Over the n policies (templates are left out), all in the arena. -ENOMEM. */
int cedar_index_build(struct arena *arena, const struct cedar_policy *const *policies, size_t n,
                      const struct cedar_index **ret) NODISCARD;

/*
 * Called for runs of policies, each in ascending order. Together they hold every policy whose scope
 * matches. None comes twice, but those that list several actions may: their runs come with `key`,
 * and cedar_index_is_first tells which one to take.
 */
typedef int cedar_index_fn(void *ctx, const struct cedar_policy *const *policies, size_t n,
                           const struct cedar_uid *key);
/* Stops when `visit` returns a negative number, and returns it. */
int cedar_index_each(const struct cedar_index *index, const struct cedar_env *env,
                     cedar_index_fn *visit, void *ctx) NODISCARD;
/* Whether this is the run to take the policy from: its action is no list, or `key` is the first of
 * the list that the request's action is in. */
bool cedar_index_is_first(const struct cedar_policy *policy, const struct cedar_env *env,
                          const struct cedar_uid *key);

/* Of a sealed set; borrowed. */
const struct cedar_index *cedar_policies_index(const struct cedar_policies *p);

#endif
