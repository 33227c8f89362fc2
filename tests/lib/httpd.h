/*
 * httpd.h: an HTTP server for tests that misbehaves on demand: a thread for each connection on the loopback address;
 * a function of the test writes the bytes that go back, right or wrong.
 */
#ifndef REEVE_TESTS_HTTPD_H
#define REEVE_TESTS_HTTPD_H

#include <pthread.h>
#include <stdatomic.h>

#include "policy/text/buf.h"

enum httpd_then { HTTPD_KEEP, HTTPD_CLOSE, HTTPD_HANG /* until the client goes */ };

/* request: head and body as they came; n: which one it is, from 1, over all connections. */
typedef enum httpd_then httpd_fn(void *arg, struct str request, unsigned n, struct buf *out);

struct httpd {
    int fd;
    uint16_t port;
    httpd_fn *fn;
    void *arg;
    pthread_t thread;
    atomic_uint requests, connections;
    atomic_bool ends;
};

void httpd_start(struct httpd *h, httpd_fn *fn, void *arg);
void httpd_stop(struct httpd *h); /* all clients must be gone, or going */
/* An ordinary answer. headers: "Name: value\r\n..." or "". */
void httpd_put(struct buf *out, int status, const char *headers, const char *body);

#endif
