/*
 * report.h: what a child being started says to reeve-spawn over its start socket (SOCK_SEQPACKET: one
 * message, one record), and what it hears back. Private to apply.c, inside.c and spawn/.
 *
 *   child -> parent   struct report: a layer failed; or the filter is loaded and its listener has number n
 *   parent -> child   one byte: the listener is taken, go on
 *   strict            parent -> child first of all: the filter program, which the worker loads itself
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
    int32_t number;  /* errno; or the listener's descriptor */
    char text[REPORT_TEXT];
};

/* Tells the failure of a layer. */
void report_failed(int fd, uint32_t layer, const struct err *err);
/* Tells the listener's number and waits until it is taken. */
int report_listener(int fd, int listener, struct err *err) NODISCARD;

#endif
