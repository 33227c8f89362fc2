/*
 * ext.h: the extension types decimal, ipaddr, datetime and duration: their constructors and
 * methods.
 */
#ifndef REEVE_CEDAR_EXT_H
#define REEVE_CEDAR_EXT_H

#include "policy/cedar/value.h"

struct cedar_ext_fn {
    const char *name;
    bool is_method;           /* called as x.name(...); x is the first argument */
    uint8_t arity;            /* arguments, x included */
    enum cedar_type types[2]; /* of the arguments */
};

/* Index of the function of this name, or -1. */
int cedar_ext_find(struct str name);
const struct cedar_ext_fn *cedar_ext_at(unsigned fn);

/*
 * Calls one with arguments whose number and types fit (must). -EINVAL: not possible, *ret_why says
 * why (static, no value in it); -ENOMEM.
 */
int cedar_ext_call(unsigned fn, const struct cedar_value *args, struct arena *arena,
                   struct cedar_value *ret, const char **ret_why) NODISCARD;

/* Canonical texts: what the constructor would need to give this value again. */
void cedar_ext_put(struct buf *out, const struct cedar_value *v); /* decimal("1.5") */
#define CEDAR_EXT_TEXT 64
/* The constructor's name (static) and its argument, with NUL. A datetime beyond year 9999 cannot be
 * written as one; then this gives NULL. */
const char *cedar_ext_arg(const struct cedar_value *v, char text[CEDAR_EXT_TEXT]);

#endif
