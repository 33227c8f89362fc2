/*
 * pump.h: libcurl's multi interface on our event loop: its sockets and its timer are sources of the loop.
 */
#ifndef REEVE_EGRESS_PUMP_H
#define REEVE_EGRESS_PUMP_H

#include <curl/curl.h>

#include "sandbox/os/ev.h"

struct pump;

/* A transfer has ended. It is taken out of the pump before; the handle is the callee's. */
typedef void pump_done_fn(void *arg, CURL *easy, CURLcode code);

int pump_new(struct ev *ev, pump_done_fn *fn, void *arg, struct pump **ret, struct err *err) NODISCARD;
void pump_free(struct pump *p); /* after all transfers are out; NULL is fine */
int pump_add(struct pump *p, CURL *easy, struct err *err) NODISCARD; /* fn is called later, never inside */
void pump_remove(struct pump *p, CURL *easy);                        /* fn will not be called */

#endif
