/*
 * est.h: the JSON policy format. est_in.c reads it, est_out.c writes it.
 */
#ifndef REEVE_CEDAR_EST_H
#define REEVE_CEDAR_EST_H

#include "policy/cedar/ast.h"
#include "policy/cedar/cjson.h"

enum cedar_want { CEDAR_WANT_ANY, CEDAR_WANT_POLICY, CEDAR_WANT_TEMPLATE };

/* JSON nests twice for each level of an expression: read such files with this
 * json_limits.max_depth. */
#define CEDAR_EST_DEPTH_MAX 256

/*
 * Reads one policy or template; all but its id, file and index. The result lives in the arena and
 * borrows nothing from the JSON. -EINVAL: what is wrong, and the path to it; -E2BIG: nested too
 * deeply; -ENOMEM.
 */
int cedar_est_read(struct arena *arena, const struct json *j, struct cedar_policy *ret,
                   struct err *err) NODISCARD;

#endif
