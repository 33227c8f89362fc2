/*
 * roles.h: who may do what on the control socket: a table of roles by user and group id.
 *
 * The ids are the kernel's word (SO_PEERCRED, SO_PEERGROUPS), never the client's. A user id that the
 * kernel cannot express in our namespace arrives as the overflow id 65534 and matches no row: otherwise
 * every foreign user would be one and the same "nobody".
 */
#ifndef REEVE_CONTROL_ROLES_H
#define REEVE_CONTROL_ROLES_H

#include "policy/text/json.h"

enum role { /* what a route asks for: one bit */
    ROLE_VIEWER = 1,   /* read */
    ROLE_OPERATOR = 2, /* send events, cancel, pause, resume, redrive */
    ROLE_APPROVER = 4, /* decide approvals */
    ROLE_ADMIN = 8,    /* policy, backup */
};

#define ROLES_IDS_MAX 1024
#define ROLES_OVERFLOW_ID 65534u

struct roles_row {
    uint32_t id;
    bool is_group;
    unsigned grants; /* bits of enum role */
};
struct roles {
    struct roles_row *rows; /* owned */
    size_t count;
};

/*
 * From `control/config`'s "roles": [{role, uids[], gids[]}]. operator and approver include viewer, and
 * not each other; admin includes all. < 0 names the row that is wrong; -E2BIG over ROLES_IDS_MAX
 * ids; -ENOMEM. *ret is written only on success.
 */
int roles_parse(const struct json *list, struct roles *ret, struct err *err) NODISCARD;
void roles_release(struct roles *r);

/* Bits granted to a user with these groups (the primary one included); 0: none. */
unsigned roles_of(const struct roles *r, uint32_t uid, const uint32_t *gids, size_t gid_count);
const char *role_name(enum role r); /* static */

#endif
