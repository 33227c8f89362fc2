/*
 * guard.h: input for parsers whose last byte touches a page that traps, so that a read behind it
 * dies in any build.
 */
#ifndef REEVE_TESTS_GUARD_H
#define REEVE_TESTS_GUARD_H

#include "policy/text/str.h"

struct guard {
    char *end;   /* the page that traps begins here */
    size_t room; /* bytes before it */
};

void guard_init(struct guard *g, size_t room);
void guard_release(struct guard *g);
/* A copy that ends at the page; borrowed until the next. `s` must fit the room. */
struct str guard_str(struct guard *g, struct str s);

#endif
