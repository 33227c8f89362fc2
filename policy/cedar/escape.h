/*
 * escape.h: what stands between the quotes of a string or pattern.
 */
#ifndef REEVE_CEDAR_ESCAPE_H
#define REEVE_CEDAR_ESCAPE_H

#include "policy/text/arena.h"
#include "policy/text/buf.h"

/* A `like` pattern: the parts between the stars. "a*b" has the parts "a" and "b". */
struct cedar_pattern {
    const struct str *parts; /* at least one; may be empty texts */
    size_t count;            /* stars plus one */
};

/* Where in the text an escape is wrong. */
struct cedar_escape_fault {
    size_t at, len;
};

/* Decodes (without the quotes). -EINVAL and *ret_fault; -ENOMEM. No text without a backslash is
 * copied. */
int cedar_escape_string(struct arena *arena, struct str raw, struct str *ret,
                        struct cedar_escape_fault *ret_fault) NODISCARD;
/* The same for a pattern, where `*` matches anything and `\*` is a star. */
int cedar_escape_pattern(struct arena *arena, struct str raw, struct cedar_pattern *ret,
                         struct cedar_escape_fault *ret_fault) NODISCARD;
/* Iterative, at most text times pattern steps. Both are UTF-8. */
bool cedar_pattern_matches(const struct cedar_pattern *p, struct str text);
void cedar_pattern_put(struct buf *out, const struct cedar_pattern *p); /* with quotes */

/* A string with quotes and escapes; control and invisible characters are escaped. */
void cedar_escape_put(struct buf *out, struct str s);

#endif
