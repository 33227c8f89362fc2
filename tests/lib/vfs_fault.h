/*
 * vfs_fault.h: SQLite's file calls, counted; call N fails, once or from then on. Installed as the default VFS, so
 * that the store under test needs to know nothing of it.
 */
#ifndef REEVE_TESTS_VFS_FAULT_H
#define REEVE_TESTS_VFS_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum vfs_call {
    VFS_WRITE = 1,
    VFS_SYNC = 2,
    VFS_TRUNCATE = 4,
    VFS_READ = 8,
    VFS_OPEN = 16,
    VFS_SHM = 32, /* the mapping of the log's index */
};

struct vfs_fault {
    unsigned kinds;  /* which calls count */
    int64_t fail_at; /* from 1; 0: none */
    bool for_ever;   /* and all of `kinds` after it */
    int code;        /* an SQLite result; 0: the call's own I/O error */
    bool kills;      /* the process instead, with half of the write done */
    int64_t calls;   /* of `kinds`, since it was last set to 0 */
    int64_t failed;
};
extern struct vfs_fault vfs_fault;

void vfs_fault_install(void);

#endif
