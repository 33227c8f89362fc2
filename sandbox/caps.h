/*
 * caps.h: identity and rights: everything given up, for good. capabilities(7).
 */
#ifndef REEVE_SANDBOX_CAPS_H
#define REEVE_SANDBOX_CAPS_H

#include "policy/text/err.h"

/* In a child: empties the bounding set and locks the securebits: no exec will ever bring a right back. */
int caps_bound(struct err *err) NODISCARD;
/* In a child: groups (when privileged), ids, then every capability. Clears PDEATHSIG: set it after this. */
int caps_become(uid_t uid, gid_t gid, bool privileged, struct err *err) NODISCARD;

/* For reeve-spawn: keeps those that starting confined processes takes, in no set that exec inherits. */
int caps_keep_for_spawn(struct err *err) NODISCARD;

#endif
