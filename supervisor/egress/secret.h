/*
 * secret.h: the keys of model gateways, in the one process that uses them (INV-09).
 */
#ifndef REEVE_EGRESS_SECRET_H
#define REEVE_EGRESS_SECRET_H

#include "policy/text/err.h"
#include "policy/text/str.h"

#define SECRETS_MAX      16
#define SECRET_BYTES_MAX 8192
#define SECRET_NAME_MAX  64

struct secret {
    char name[SECRET_NAME_MAX];
    char *text; /* NUL-terminated; printable ASCII, so that it can stand in a header */
    size_t len;
};

struct secrets {
    struct secret items[SECRETS_MAX];
    size_t count;
};

/* From REEVE_SECRETS="name:fd,name:fd": each descriptor is read to its end and closed, also on failure. White space
 * around a secret is dropped. NULL or "": none. Errors never show a byte of one. */
int secrets_open(struct secrets *s, const char *list, struct err *err) NODISCARD;
void secrets_release(struct secrets *s); /* overwrites, then frees */
const struct secret *secrets_find(const struct secrets *s, struct str name); /* or NULL */
/* Overwrites with '*' whatever of them stands in these bytes: a server can echo a header. Secrets of fewer than 6
 * bytes are left: they would be found in any text. */
void secrets_redact(const struct secrets *s, char *bytes, size_t len);

#endif
