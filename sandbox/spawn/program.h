/*
 * program.h: the strict worker's program, as a sealed memory file that is executed by descriptor: its root
 * is empty, so there is no path to execute. Read from disk once for each version of the file.
 */
#ifndef REEVE_SPAWN_PROGRAM_H
#define REEVE_SPAWN_PROGRAM_H

#include <sys/stat.h>

#include "policy/text/err.h"

struct program_cache { /* the last program used: there is one worker */
    char *path;
    struct stat stat;
    int fd; /* -1: empty */
};
#define PROGRAM_CACHE_INIT ((struct program_cache){.fd = -1})

/* *ret_fd is borrowed from the cache. `unreadable`: mode 0111, so that it stays undumpable from exec on.
 * -ENOEXEC for a program that needs a loader: there is nothing in a strict root. */
int program_open(struct program_cache *c, const char *path, bool unreadable, int *ret_fd,
                 struct err *err) NODISCARD;
void program_release(struct program_cache *c);

#endif
