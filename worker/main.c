/*
 * main.c of reeve-worker: the built-in agent loop as a process of its own, one for each run.
 *
 * Started by reeve-spawn with descriptor 3 and nothing else. Its first lines are trusted and close
 * the last walls; from there on all that it reads is foreign, and the socket is all that it has. It
 * holds no secret, no policy and no store. Exit status: 0 the run has ended, 1 it could not be (the
 * broker knows why).
 */
#include "sandbox/inside.h"
#include "worker/loop.h"

int main(void)
{
    struct reeve *r = NULL;
    struct err err = ERR_INIT;
    int rc = walls_close_strict(&err); /* reeve-spawn was told why, if not */

    if (rc >= 0)
        rc = reeve_open(REEVE_FD, &r, &err);
    if (rc >= 0)
        rc = loop_run(r, &err);
    if (rc < 0 && r)
        reeve_log(r, LOG_LEVEL_ERROR, "%s", err.text);
    reeve_close(r);
    return rc < 0;
}
