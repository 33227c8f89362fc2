/*
 * est_read.h: between est_in.c (expressions) and est_policy.c (what stands around them).
 */
#ifndef REEVE_CEDAR_EST_READ_H
#define REEVE_CEDAR_EST_READ_H

#include "policy/cedar/est.h"

struct cedar_est_reader {
    struct arena *arena;
    unsigned depth;
    struct err *err;
};

int cedar_est_expr(struct cedar_est_reader *r, const struct json *j, const struct cedar_expr **ret);

int cedar_est_no_memory(struct cedar_est_reader *r);                           /* -ENOMEM, told */
int cedar_est_keep(struct cedar_est_reader *r, struct str s, struct str *ret); /* a copy */
/* Puts a place in front of the error, if there is one; gives rc back. */
int cedar_est_in(struct cedar_est_reader *r, const char *where, int rc);
int cedar_est_in_item(struct cedar_est_reader *r, size_t index, int rc);
/* Refuses members that the format does not know: a misspelt one would be lost without a word. */
int cedar_est_only(struct cedar_est_reader *r, const struct json *j, const char *const *names,
                   size_t n);
/* The member, which must be the name of an entity type. */
int cedar_est_want_type(struct cedar_est_reader *r, const struct json *j, const char *name,
                        struct str *ret);

#endif
