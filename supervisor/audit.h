/*
 * audit.h: who did what, in the same transaction as the deed; the store chains the records.
 */
#ifndef REEVE_SUPERVISOR_AUDIT_H
#define REEVE_SUPERVISOR_AUDIT_H

#include "supervisor/runs.h"

/* A run began or ended, by the event of its life. */
int audit_run(struct run *r, const char *what, struct err *err) NODISCARD;
int audit_approval(struct reeved *rv, int64_t approval, struct str actor, const char *what, struct str text, struct err *err) NODISCARD;
/* An effect's intent or outcome, or its denial. */
int audit_step(struct run *r, const struct step *s, const char *what, struct err *err) NODISCARD;
/* Anything else: a person through the control socket, a policy set, a start of the supervisor. */
int audit_note(struct reeved *rv, struct str actor, const char *action, struct str subject, struct str text, struct err *err) NODISCARD;

#endif
