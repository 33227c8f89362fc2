/*
 * access.h: who is who on this host: user and group names of the definitions as ids.
 */
#ifndef REEVE_SUPERVISOR_ACCESS_H
#define REEVE_SUPERVISOR_ACCESS_H

#include "supervisor/reeved.h"

/* Writes roles:[{role,uids[],gids[]}] into an open object. Without any `access` definition, root and the
 * user that reeved runs as are admin. */
void access_put_roles(struct reeved *rv, struct jout *j);
/* The person with this user id, by its entry's uid or name; NULL: nobody known. */
const struct person *access_person(const struct house *h, int64_t uid);
/* Has this peer the role, or one above it (viewer < operator < approver < admin)? Admins hold all. */
bool access_has_role(const struct reeved *rv, uid_t uid, const gid_t *gids, size_t gid_count, enum access_role role);

#endif
