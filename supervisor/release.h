/*
 * release.h: which version of a workflow new runs take: the one that the files make, or an older one that
 * somebody rolled back to. Runs that are there keep theirs, whatever happens here.
 *
 * A rollback holds until the files make another version of the workflow, or until it is taken back. Order
 * (priority, limits, keys) and triggers are the files' word all the same: see queue.h.
 */
#ifndef REEVE_SUPERVISOR_RELEASE_H
#define REEVE_SUPERVISOR_RELEASE_H

#include "supervisor/reeved.h"

struct releases;

/* The set `h` is about to be the house's: its versions are kept, rollbacks that its files end are ended. The
 * ones before stay in force when this fails. */
int release_install(struct reeved *rv, const struct house *h, struct err *err) NODISCARD;
/* Of a workflow of rv->house: what its new runs are made of. Borrowed until the next install or rollback. */
const struct workflow *release_workflow(const struct reeved *rv, const struct workflow *w);
const struct digest *release_digest(const struct reeved *rv, const struct workflow *w);
/* Looks at the program of a workflow of rv->house, without reading it: one that has changed makes another version,
 * as files that are loaded do. Not while somebody's rollback holds. */
int release_look(struct reeved *rv, const struct workflow *w, struct err *err) NODISCARD;
/* Whether the program that is on this host has other bytes than those of v; then which file, in text. */
bool release_is_changed(struct reeved *rv, const struct version *v, char *text, size_t size);
/* New runs take the version whose digest begins so. -ENOENT; -EINVAL: ambiguous, of another tenant, or not
 * readable by this program. The installed one: as release_latest. */
int release_rollback(struct reeved *rv, struct str workflow, struct str version, struct str who, struct digest *ret,
                     struct err *err);
/* New runs take the installed one again. -EALREADY: they do. */
int release_latest(struct reeved *rv, struct str workflow, struct str who, struct digest *ret, struct err *err);

#endif
