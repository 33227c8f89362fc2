/*
 * version.h: one version of a workflow: all it is made of (the workflow, its model routes, the servers of its
 * tools, the bytes of its program), as canonical JSON with its digest. A run keeps the version that it began with, whatever the files say
 * later.
 */
#ifndef REEVE_POLICY_VERSION_H
#define REEVE_POLICY_VERSION_H

#include "policy/house.h"

struct version_file { /* of its worker's program: content.h */
    struct str path;
    struct digest digest; /* zeros: it could not be read */
};

struct version {
    struct workflow workflow;
    const struct model *models; /* the routes of workflow_models(), in that order */
    size_t model_count;
    const struct server *servers;
    size_t server_count;
    const struct version_file *files;
    size_t file_count;
    struct digest digest; /* SHA-256 of the canonical text */
};

/* Appends the canonical text of w (a workflow of h) and gives its digest. */
int version_put(const struct house *h, const struct workflow *w, struct buf *out, struct digest *ret,
                struct err *err) NODISCARD;
/* The same with the bytes of its program. */
int version_put_files(const struct house *h, const struct workflow *w, const struct version_file *files, size_t n,
                      struct buf *out, struct digest *ret, struct err *err) NODISCARD;
/* From such text, which is our own and still checked: -EBADMSG with what is wrong. Free with version_free. */
int version_parse(struct str json, struct version **ret, struct err *err) NODISCARD;
void version_free(struct version *v);
/* NULL: the worker was not given this route. */
const struct model *version_model(const struct version *v, struct str route);
const struct server *version_server(const struct version *v, struct str name);

int version_digest_server(const struct server *s, struct digest *ret, struct err *err) NODISCARD;
int version_digest_model(const struct model *m, struct digest *ret, struct err *err) NODISCARD;
/* The digest of a tool's definition (name, description, schemas, annotations) as its server lists it. */
int version_tool_digest(const struct json *tool, struct digest *ret, struct err *err) NODISCARD;

#endif
