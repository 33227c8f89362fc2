/*
 * identity.h: what a start's program and granted files are on disk at one moment, so that a process that began
 * with older ones can be told from one that would begin now.
 *
 * Looked at: the program, each granted path itself, and each argument that names something in one of them (an
 * interpreter's script). Not what else lies in a granted directory: that is read when the program reads it.
 */
#ifndef REEVE_SPAWN_IDENTITY_H
#define REEVE_SPAWN_IDENTITY_H

#include "policy/text/arena.h"
#include "sandbox/start.h"

struct identity_file;
struct identity {
    struct identity_file *files; /* in the arena */
    size_t count;
};

int identity_take(const struct start_request *r, struct arena *a, struct identity *ret,
                  struct err *err) NODISCARD;
/* Whether it would be the same, taken now. */
bool identity_is_current(const struct start_request *r, const struct identity *i);

#endif
