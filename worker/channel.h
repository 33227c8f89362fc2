/*
 * channel.h: lines over the worker's one socket, blocking, bounded.
 */
#ifndef REEVE_WORKER_CHANNEL_H
#define REEVE_WORKER_CHANNEL_H

#include "policy/text/buf.h"
#include "policy/text/err.h"

struct channel {
    int fd;
    struct buf in;       /* bytes that came and were not yet dropped */
    size_t taken;        /* of them, the line handed out last, with its end */
    size_t scanned;      /* of them, those known to hold no line end */
    size_t max_line;
};

void channel_init(struct channel *c, int fd, size_t max_line); /* takes fd */
void channel_release(struct channel *c);
/* All of it. While the peer does not read, what it sends meanwhile is taken in, so that two sides that
 * both write much cannot stop each other for good. */
int channel_send(struct channel *c, struct str bytes, struct err *err) NODISCARD;
/* Waits for a line; *ret (without its end) is borrowed until the next call. -EPIPE: the peer ended between
 * two lines; -EBADMSG: in the middle of one; -EMSGSIZE: over max_line. */
int channel_line(struct channel *c, struct str *ret, struct err *err) NODISCARD;

#endif
