/*
 * inside.h: the walls that a strict worker closes around itself, in its first lines, before it reads a
 * foreign byte (INV-01). Runs in reeve-worker; trusts reeve-spawn, which waits at the other end of
 * descriptor 4 until the walls are up and answers `process/start` only then.
 *
 * Everything that can be done before exec was done by then: own namespaces and root, no capabilities,
 * limits, Landlock. What is left needs the fresh address space: undumpable, no memory ever executable
 * that was writable, and the system call filter, which has no exec in it.
 */
#ifndef REEVE_SANDBOX_INSIDE_H
#define REEVE_SANDBOX_INSIDE_H

#include "policy/text/err.h"

#define INSIDE_FD 4 /* reeve-spawn's end of the start; closed when walls_close_strict returns */

/* Closes the walls: undumpable, MDWE, only descriptors 0-3 open and none a directory, system call filter
 * last. 0: all of them stand; descriptor 4 is closed. Anything else: the caller exits at once (reeve-spawn
 * was told the layer and the reason, and kills it anyway). Needs no memory, no /proc and no library
 * beyond libc, so that a strict worker stays one static file. To be called once, first, single-threaded. */
int walls_close_strict(struct err *err) NODISCARD;

#endif
