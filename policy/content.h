/*
 * content.h: the bytes that a workflow's worker executes: its program, and the files among its arguments that it
 * may read and not write (a script). Their digests are part of the workflow's version (version.h).
 *
 * A granted directory is data, and so is a file that no argument names: neither makes another version.
 */
#ifndef REEVE_POLICY_CONTENT_H
#define REEVE_POLICY_CONTENT_H

#include "policy/version.h"

#define CONTENT_FILES_MAX 16

struct content {
    struct version_file files[CONTENT_FILES_MAX];
    size_t count;
    char paths[CONTENT_FILES_MAX][1024]; /* what files[].path borrows */
};

/* Which files, and what the system says of each without reading it: the same stamp, the same bytes, as far as
 * times and sizes tell. A file that cannot be looked at counts as such. */
void content_stamp(const struct workflow *w, struct digest *ret);
/* Reads them. One that cannot be read has a digest of zeros. Nothing for the agent loop: it is Reeve's own. */
void content_read(const struct workflow *w, struct content *ret);
/* The first file whose bytes are known in both and differ, or NULL. */
const struct version_file *content_differs(const struct version_file *a, size_t an, const struct version_file *b,
                                           size_t bn);

#endif
