/*
 * inside.h: a program that does one hostile act from behind the walls and tells what came of it. Static,
 * so that it is a strict worker as well. See ../acts.def for the acts, ../walls.c for who starts it.
 */
#ifndef REEVE_ESCAPE_INSIDE_H
#define REEVE_ESCAPE_INSIDE_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret /* newer than the headers of musl */
#define SYS_memfd_secret 447
#endif

/* An act returns 0 when it succeeded (the walls leak), -Exxx when it was refused, or: */
#define HARMLESS 1000 /* done, and nothing was gained */

typedef int act_fn(void);
struct act {
    const char *name;
    act_fn *run;
};
/* Ended by a row without a name. */
extern const struct act acts_leave[], acts_gain[], acts_talk[], acts_execute[], acts_exhaust[],
    acts_outlive[], acts_watch[];

/* Exit status: 0 succeeded, 1 harmless, 2 no such act, 3 walls did not close, else 100 + errno (errno 1
 * to 133, so at most 233). */
#define EXIT_SUCCEEDED 0
#define EXIT_HARMLESS 1
#define EXIT_NO_ACT 2
#define EXIT_NO_WALLS 3
#define EXIT_ERRNO 100

/* The call itself, without libc in between: its result or -Exxx. */
static inline long call6(long n, long a, long b, long c, long d, long e, long f)
{
    long r = syscall(n, a, b, c, d, e, f);
    return r < 0 ? -errno : r;
}
#define CALL_(n, a, b, c, d, e, f, ...)                                                            \
    call6((long)(n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL(...) CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
/* Success as 0. */
static inline int done(long r)
{
    return r < 0 ? (int)r : 0;
}

#endif
