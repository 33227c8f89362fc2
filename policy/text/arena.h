/*
 * arena.h: memory that is dropped as a whole: one a message, one a decision. Bounded.
 */
#ifndef REEVE_TEXT_ARENA_H
#define REEVE_TEXT_ARENA_H

#include "policy/text/str.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used_bytes;          /* asked for so far */
    size_t max_bytes;
};

void arena_init(struct arena *a, size_t max_bytes);
void arena_reset(struct arena *a);   /* drops all; keeps one chunk, so that steady use allocates nothing */
void arena_release(struct arena *a); /* drops all and frees */

/* Zeroed memory, aligned for any type; NULL when out of memory or over the limit. */
void *arena_alloc(struct arena *a, size_t size) NODISCARD;
/* n times size, checked for overflow. */
void *arena_array(struct arena *a, size_t n, size_t size) NODISCARD;
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, n, type) ((type *)arena_array((a), (n), sizeof(type)))
/* A copy in the arena (with a NUL behind it); {NULL, 0} on failure. */
struct str arena_str(struct arena *a, struct str s);
char *arena_cstr(struct arena *a, struct str s); /* NULL on failure */
struct str arena_fmt(struct arena *a, const char *fmt, ...) PRINTF(2, 3);

#endif
