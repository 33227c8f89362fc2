/*
 * secret.h: secrets of a start, read only to be handed on (INV-09): into one child's environment or a
 * descriptor of it. They are in no message, log or error text, and wiped here once the child has them.
 */
#ifndef REEVE_SPAWN_SECRET_H
#define REEVE_SPAWN_SECRET_H

#include "sandbox/start.h"

#define SECRET_BYTES_MAX 65536

struct secrets {
    char *env[START_SECRETS_MAX];  /* "NAME=value", owned */
    size_t env_count;
    int fds[START_SECRETS_MAX];
    size_t fd_count;
    char list[START_SECRETS_MAX * 72]; /* "name:fd,name:fd" for REEVE_SECRETS */
};

/* first_fd: the number that the first descriptor will have in the child. */
int secrets_read(const struct start_request *r, int first_fd, struct secrets *ret, struct err *err) NODISCARD;
void secrets_release(struct secrets *s); /* wipes */

#endif
