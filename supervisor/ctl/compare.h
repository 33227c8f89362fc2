/*
 * compare.h: what differs between two JSON values, by path. Pure.
 */
#ifndef REEVE_CTL_COMPARE_H
#define REEVE_CTL_COMPARE_H

#include "policy/text/buf.h"
#include "policy/text/json.h"

/* One difference: `from` NULL: added; `to` NULL: removed. The path is "workflow.limits.steps"; members of lists
 * whose items have names are "servers[ledger].timeout". Valid during the call. */
typedef void compare_fn(void *arg, struct str path, const struct json *from, const struct json *to);

/* Lists of named objects are matched by name, other lists item by item without regard to order (one that differs in
 * order alone is one difference). Returns the number of differences; -ENOMEM. */
int compare_json(const struct json *from, const struct json *to, compare_fn *fn, void *arg) NODISCARD;

#endif
