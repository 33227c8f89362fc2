/*
 * vfs_fault.c: see vfs_fault.h.
 */
#include "tests/lib/vfs_fault.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>

struct vfs_fault vfs_fault;

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs;

#define REAL(f) (((struct file *)(void *)(f))->real)

/* Whether this call is the one; the result is what it fails with. */
static int fails(enum vfs_call kind, int own)
{
    if (!(vfs_fault.kinds & kind))
        return SQLITE_OK;
    vfs_fault.calls++;
    if (vfs_fault.fail_at == 0 || vfs_fault.calls < vfs_fault.fail_at ||
        (vfs_fault.calls > vfs_fault.fail_at && !vfs_fault.for_ever))
        return SQLITE_OK;
    vfs_fault.failed++;
    if (vfs_fault.kills && kind != VFS_WRITE)
        (void)raise(SIGKILL);
    return vfs_fault.code != 0 && kind != VFS_SYNC ? vfs_fault.code : own;
}

static int on_close(sqlite3_file *f)
{
    int code = REAL(f)->pMethods != NULL ? REAL(f)->pMethods->xClose(REAL(f)) : SQLITE_OK;
    return code;
}

static int on_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    int code = fails(VFS_READ, SQLITE_IOERR_READ);
    return code ? code : REAL(f)->pMethods->xRead(REAL(f), p, n, at);
}

static int on_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int code = fails(VFS_WRITE, SQLITE_IOERR_WRITE);
    if (code == SQLITE_OK)
        return REAL(f)->pMethods->xWrite(REAL(f), p, n, at);
    (void)REAL(f)->pMethods->xWrite(REAL(f), p, n / 2,
                                    at); /* a failed write may have written something */
    if (vfs_fault.kills)
        (void)raise(SIGKILL);
    return code;
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int code = fails(VFS_TRUNCATE, SQLITE_IOERR_TRUNCATE);
    return code ? code : REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
    int code = fails(VFS_SYNC, SQLITE_IOERR_FSYNC);
    return code ? code : REAL(f)->pMethods->xSync(REAL(f), flags);
}

static int on_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), ret);
}

static int on_lock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int on_check_lock(sqlite3_file *f, int *ret)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), ret);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int on_traits(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int on_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **ret)
{
    int code = fails(VFS_SHM, SQLITE_IOERR_SHMMAP);
    return code ? code : REAL(f)->pMethods->xShmMap(REAL(f), region, size, extend, ret);
}

static int on_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), at, n, flags);
}

static void on_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int on_shm_unmap(sqlite3_file *f, int delete)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_check_lock,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_traits,
    .xShmMap = on_shm_map,
    .xShmLock = on_shm_lock,
    .xShmBarrier = on_shm_barrier,
    .xShmUnmap = on_shm_unmap,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    struct file *file = (struct file *)(void *)f;
    (void)vfs;
    file->real = (sqlite3_file *)(void *)(file + 1);
    file->base.pMethods = NULL;
    int code = fails(VFS_OPEN, SQLITE_CANTOPEN);
    if (code == SQLITE_OK)
        code = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
    if (code == SQLITE_OK)
        file->base.pMethods = &methods;
    return code;
}

void vfs_fault_install(void)
{
    static sqlite3_vfs vfs;
    if (real_vfs != NULL)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.pNext = NULL;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.xOpen = on_open;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        abort();
}
