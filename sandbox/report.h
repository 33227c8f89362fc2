/*
 * report.h: what a child being started says to reeve-spawn over its start socket (SOCK_SEQPACKET: one
 * message, one record), and what it hears back. Private to apply.c, inside.c and spawn/.
 *
 *   child -> parent   struct report: a layer failed; or the filter is loaded, and its listener comes along
 *   strict            parent -> child first of all: the filter program, which the worker loads itself
 * Nobody waits for the listener to be taken: a call that the filter refuses waits in it, and should reeve-spawn be
 * gone, it is closed with the socket that it lies in, and the call is refused by the kernel.
 * The socket closes at exec (close-on-exec); in a strict worker, when its walls stand.
 */
#ifndef REEVE_SANDBOX_REPORT_H
#define REEVE_SANDBOX_REPORT_H

#include "policy/text/err.h"

enum report_kind { REPORT_FAILED = 1, REPORT_LISTENER };
#define REPORT_TEXT 256
struct report {
    uint32_t kind;
    uint32_t layer;  /* enum layer; REPORT_FAILED */
    int32_t number;  /* errno; REPORT_FAILED */
    char text[REPORT_TEXT];
};

/* Tells the failure of a layer. */
void report_failed(int fd, uint32_t layer, const struct err *err);
/* Hands over the listener: a copy, the caller closes its own before it reads anything foreign. */
int report_listener(int fd, int listener, struct err *err) NODISCARD;

#endif
