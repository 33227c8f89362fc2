/*
 * jcs.h: the canonical form of JSON (RFC 8785): members sorted by UTF-16 code units, shortest numbers as
 * ECMAScript prints them, minimal escapes. Two texts with one canonical form mean the same.
 */
#ifndef REEVE_TEXT_JCS_H
#define REEVE_TEXT_JCS_H

#include "policy/text/buf.h"
#include "policy/text/json.h"

enum jcs_mode {
    JCS_RFC8785,  /* to the letter; integers beyond +-2^53 print as the nearest double does */
    JCS_EXACT,    /* the same, but every JSON_INT prints all of its digits, and a JSON_NUMBER whose double is
                     not exactly the decimal written keeps its own text: so no two requests that differ share
                     a digest. For digests of ours; what leaves is the source text */
};

/* Appends the canonical text. -ERANGE: a number beyond a double (1e400); -E2BIG; buffer status. */
int jcs_write(struct buf *out, const struct json *v, enum jcs_mode mode, struct err *err) NODISCARD;

#endif
