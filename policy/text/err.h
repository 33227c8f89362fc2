/*
 * err.h: one error, on the caller's stack, with bounded text and its number.
 *
 * Functions that can fail return int: >= 0 is good, -Exxx is not, and take a `struct err *` last. The
 * text reads as a chain, outermost first: `run 41: start worker: landlock: open "/srv": EACCES`.
 * Library floors never log and never exit: they fill an err and return.
 */
#ifndef REEVE_TEXT_ERR_H
#define REEVE_TEXT_ERR_H

#include "policy/text/base.h"

#define ERR_TEXT_MAX 512

struct err {
    int number;               /* positive Exxx; 0 while there is no error */
    char text[ERR_TEXT_MAX];  /* NUL-terminated, one line, printable UTF-8, cut at the bound */
};

#define ERR_INIT ((struct err){0})

/* Set number and text; returns -number. `e` may be NULL (the caller wants the number alone). Control
 * characters in the formatted text (a peer's bytes) are replaced by '?', so that a log line stays one. */
int err_set(struct err *e, int number, const char *fmt, ...) PRINTF(3, 4);

/* As err_set, with ": " and the name of the error ("ENOENT: No such file or directory") at the end. */
int err_sys(struct err *e, int number, const char *fmt, ...) PRINTF(3, 4);

/* Put "context: " in front of the text that is there; returns -e->number, or `-EINVAL` for a NULL e. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* The symbolic name of an errno value: "ENOENT"; "E?" for one that is unknown. Static. */
const char *err_name(int number);

#endif
