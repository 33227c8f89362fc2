/*
 * outlive.c: acts that try to stay.
 */
#include <sched.h>

#include "inside.h"

/* The grandchild holds the channel open: should it live on, the caller never sees its end. */
static int daemon_away(void)
{
    long r = CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (r < 0)
        return (int)r;
    if (r > 0)
        return HARMLESS; /* ends, and the caller looks */
    (void)CALL(SYS_setsid);
    if (CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
        for (;;)
            (void)CALL(SYS_pause);
    _exit(0);
}
static int vfork_child(void)
{
    long r = CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (r == 0)
        _exit(0);
    return r < 0 ? (int)r : HARMLESS;
}
/* By number: in C nothing may stand between vfork and what its child does. */
static int vfork_call(void)
{
    long r = CALL(SYS_vfork);
    if (r == 0)
        _exit(0);
    return r < 0 ? (int)r : HARMLESS;
}
static int ignore_signals(void)
{
    for (int s = 1; s < 65; s++)
        (void)signal(s, SIG_IGN);
    (void)CALL(SYS_write, 3, "r", 1); /* ready: the caller kills now */
    for (;;)
        (void)CALL(SYS_pause);
    return 0;
}
static int ignore_signals_strict(void)
{
    (void)CALL(SYS_write, 3, "r", 1);
    for (;;)
        (void)CALL(SYS_poll, 0, 0, -1);
    return 0;
}
static int flood_refused(void)
{
    for (;;)
        (void)CALL(SYS_getppid);
    return 0;
}
static int flood_named(void)
{
    for (;;)
        (void)CALL(SYS_memfd_create, "x", 0);
    return 0;
}

#define A(name)     \
    {               \
#name, name \
    }
const struct act acts_outlive[] = {
    {"daemon", daemon_away},  A(vfork_child),   A(vfork_call),  A(ignore_signals),
    A(ignore_signals_strict), A(flood_refused), A(flood_named), {NULL, NULL}};
