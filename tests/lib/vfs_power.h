/*
 * vfs_power.h: a disk in memory that loses power. SQLite's files live here; every write, truncation and sync is
 * recorded. After the work, the disk as it may look after a power loss at any point of the record can be made: what was
 * synced is there; of what was not, any part may be, in any order, torn at sectors.
 *
 * One connection at a time: the log's index is ordinary memory, lost with the power.
 */
#ifndef REEVE_TESTS_VFS_POWER_H
#define REEVE_TESTS_VFS_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum power_loss {
    POWER_DROP_ALL, /* nothing that was not synced */
    POWER_KEEP_ALL, /* as after a kill: all of it */
    POWER_SOME,     /* each sector by chance, in an order by chance */
    POWER_FIRST,    /* in order, up to a point by chance */
    POWER_LOSS_COUNT
};

void vfs_power_install(void);    /* as the default VFS */
void vfs_power_clear(void);      /* an empty disk, an empty record */
size_t vfs_power_recorded(void); /* calls so far */
/* Puts the disk into the state after a loss behind the first `calls` of the record. The record stays; what the files
 * go through from now on is not recorded any more. */
void vfs_power_lose(size_t calls, enum power_loss loss, unsigned seed);
/* A disk that says that it synced, and lies: to show that the tests see it. */
extern bool vfs_power_syncs_lie;

#endif
