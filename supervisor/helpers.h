/*
 * helpers.h: what reeve-egress and reeve-control are told, and what they are asked.
 */
#ifndef REEVE_SUPERVISOR_HELPERS_H
#define REEVE_SUPERVISOR_HELPERS_H

#include "supervisor/helper.h"

extern const struct helper_rows helpers_egress, helpers_control;

/* A new policy set: other routes and secrets, other roles. */
void helpers_reconfigure(struct reeved *rv);
/* After a commit: which runs changed, for those who follow them. At once after a quiet time, else gathered for a
 * moment: a busy supervisor does not wake another process at each commit. */
void helpers_tell_changes(struct reeved *rv);
ev_timer_fn helpers_on_tell;

#endif
