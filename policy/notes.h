/*
 * notes.h: what policies' annotations mean to the runtime: @approvers, @quorum, @expires on permits of `propose`;
 * @mask and @notify on permits of `oblige`. Checked when files are loaded, read again when they decide.
 */
#ifndef REEVE_POLICY_NOTES_H
#define REEVE_POLICY_NOTES_H

#include "policy/link.h"

#define NOTES_QUORUM_MAX 16
#define NOTES_LIST_MAX   16

struct cedar_policies;

int notes_quorum(struct str value, int64_t *ret) NODISCARD;      /* 1 to NOTES_QUORUM_MAX; -EINVAL */
int notes_expires_ms(struct str value, int64_t *ret) NODISCARD;  /* 1 s to 366 d; -EINVAL */
/* "a, b": takes the next part off *rest; false at the end. Parts may be empty: check. */
bool notes_next(struct str *rest, struct str *ret);
/* "input", or "input." and parts. */
bool notes_is_mask(struct str path);

/* Every annotation of every policy; groups must be teams. Faults go to link->diags. */
void notes_check(const struct cedar_policies *policies, const struct link *link);

#endif
