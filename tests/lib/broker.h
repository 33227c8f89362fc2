/*
 * broker.h: a scripted broker for tests of workers: a thread that reads the worker's messages from its end of a
 * socket pair, keeps them, and lets a function of the test write what goes back.
 */
#ifndef REEVE_TESTS_BROKER_H
#define REEVE_TESTS_BROKER_H

#include <pthread.h>

#include "sandbox/os/wire.h"

struct broker;

/* Called for each message; appends bytes to out. False: the socket is closed after they are sent. */
typedef bool broker_fn(struct broker *b, const struct wire_message *m, struct buf *out);

struct broker {
    int fd;
    broker_fn *fn;
    void *arg;
    pthread_t thread;
    struct buf seen; /* one line a message: method, a space, params as they came */
    size_t count;    /* messages so far, this one included */
    size_t fault;    /* messages that were not well formed */
    struct str flood; /* sent before anything is read */
};

/* Starts it; returns the worker's descriptor. */
int broker_start(struct broker *b, broker_fn *fn, void *arg);
/* Ends it when the worker's end is closed: waits. seen stays until broker_release. */
void broker_join(struct broker *b);
void broker_release(struct broker *b);
/* How many of the messages had this method. */
size_t broker_saw(const struct broker *b, const char *method);

/* For broker_fn: an answer to m; `result` and `text` as they are. */
void broker_result(struct buf *out, const struct wire_message *m, const char *result);
void broker_error(struct buf *out, const struct wire_message *m, int64_t code, const char *text);

#endif
