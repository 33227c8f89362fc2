/*
 * egress.h: what reeve-egress does for reeved, over one wire:
 *
 *   egress/routes {routes:[{name, url, secret?, auth, headers?, timeoutMs, connectTimeoutMs, maxResponseBytes, caFile?,
 *                  allowHttp, maxParallel?}]} -> {}     replaces the whole set, or nothing
 *   http/call {route, method, path, headers{}, body?, timeoutMs?}
 *                 -> {status, headers{}, body, ttfbMs, totalMs, retryAfterMs?}
 *                 or an error (WIRE_E_UNAVAILABLE, WIRE_E_TIMEOUT...) with data {sent: true|false|null}
 *   http/cancel {id}    notification: the call with this id is answered with WIRE_E_CANCELLED
 */
#ifndef REEVE_EGRESS_EGRESS_H
#define REEVE_EGRESS_EGRESS_H

#include "sandbox/os/log.h"
#include "sandbox/os/wire.h"
#include "supervisor/egress/secret.h"

#define EGRESS_CALLS_MAX 1024 /* under way and waiting */

struct egress;

/* Takes fd. secrets and log are borrowed until egress_free. on_closed: reeved is gone, the process ends. */
int egress_new(struct ev *ev, int fd, const struct secrets *secrets, const struct log *log,
               void (*on_closed)(void *arg, const struct err *why), void *arg, struct egress **ret,
               struct err *err) NODISCARD;
void egress_free(struct egress *e); /* NULL is fine; calls end unanswered */
size_t egress_open_calls(const struct egress *e);

#endif
