/*
 * vfs_power.c: see vfs_power.h.
 */
#include "tests/lib/vfs_power.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define FILES   4
#define SECTOR  512
#define REGIONS 64

bool vfs_power_syncs_lie;

struct bytes {
    unsigned char *p;
    size_t len, cap;
};

static struct disk_file {
    char name[256];
    struct bytes now;
    bool exists;
    bool is_new; /* its name is not synced yet */
    void *shm[REGIONS];
} disk[FILES];

/* OP_NAMES: the directory was synced, as SQLite does with the first sync of a log or journal that
 * it made. */
enum op_kind { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_DELETE, OP_NAMES };
struct op {
    enum op_kind kind;
    int file;
    size_t at, len; /* truncate: len is the new size */
    unsigned char *data;
};

static struct op *ops;
static size_t op_count, op_cap;
static bool recording = true;

static void *grown(void *p, size_t size)
{
    p = realloc(p, size);
    if (p == NULL)
        abort();
    return p;
}

static void bytes_resize(struct bytes *b, size_t len)
{
    if (len > b->cap) {
        b->cap = len + len / 2 + 4096;
        b->p = grown(b->p, b->cap);
    }
    if (len > b->len)
        memset(b->p + b->len, 0, len - b->len);
    b->len = len;
}

static void bytes_write(struct bytes *b, size_t at, const void *p, size_t n)
{
    if (at + n > b->len)
        bytes_resize(b, at + n);
    if (n > 0)
        memcpy(b->p + at, p, n);
}

static void record(enum op_kind kind, int file, size_t at, size_t len, const void *data)
{
    if (!recording)
        return;
    if (op_count == op_cap) {
        op_cap = op_cap * 2 + 256;
        ops = grown(ops, op_cap * sizeof(*ops));
    }
    struct op *op = &ops[op_count++];
    *op = (struct op){kind, file, at, len, NULL};
    if (data != NULL) {
        op->data = grown(NULL, len + 1);
        memcpy(op->data, data, len);
    }
}

/* ---- the record, played up to a point -----------------------------------------------------------
 */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void apply(struct bytes *b, const struct op *op)
{
    if (op->kind == OP_WRITE)
        bytes_write(b, op->at, op->data, op->len);
    else if (op->kind == OP_TRUNCATE || op->kind == OP_DELETE)
        bytes_resize(b, op->kind == OP_DELETE ? 0 : op->len);
}

/* A write's sectors, each by chance. */
static void apply_torn(struct bytes *b, const struct op *op, unsigned *seed)
{
    if (op->kind != OP_WRITE) {
        if (next_random(seed) % 2)
            apply(b, op);
        return;
    }
    for (size_t at = op->at; at < op->at + op->len;) {
        size_t end = (at / SECTOR + 1) * SECTOR;
        end = end < op->at + op->len ? end : op->at + op->len;
        if (next_random(seed) % 2)
            bytes_write(b, at, op->data + (at - op->at), end - at);
        at = end;
    }
}

static void lose_pending(struct bytes *b, const struct op **pending, size_t n, enum power_loss loss,
                         unsigned *seed)
{
    if (loss == POWER_SOME)
        for (size_t i = n; i > 1; i--) {
            size_t k = next_random(seed) % i;
            const struct op *swapped = pending[i - 1];
            pending[i - 1] = pending[k];
            pending[k] = swapped;
        }
    size_t upto = loss == POWER_DROP_ALL         ? 0
                  : loss == POWER_FIRST && n > 0 ? next_random(seed) % (n + 1)
                                                 : n;
    for (size_t i = 0; i < upto; i++)
        if (loss == POWER_SOME || (loss == POWER_FIRST && i + 1 == upto))
            apply_torn(b, pending[i], seed);
        else
            apply(b, pending[i]);
}

static void lose_file(int file, size_t calls, enum power_loss loss, unsigned *seed)
{
    struct bytes *b = &disk[file].now;
    const struct op **pending = grown(NULL, (calls + 1) * sizeof(*pending));
    size_t n = 0;
    bytes_resize(b, 0);
    for (size_t i = 0; i < calls; i++) {
        bool deleted = n > 0 && pending[n - 1]->kind == OP_DELETE;
        if (ops[i].kind == OP_NAMES ? !deleted : ops[i].file != file)
            continue;
        if (ops[i].kind != OP_SYNC && ops[i].kind != OP_NAMES) {
            pending[n++] = &ops[i];
            continue;
        }
        for (size_t k = 0; k < n; k++)
            apply(b, pending[k]);
        n = 0;
    }
    lose_pending(b, pending, n, loss, seed);
    free(pending);
}

void vfs_power_lose(size_t calls, enum power_loss loss, unsigned seed)
{
    recording = false;
    for (int i = 0; i < FILES; i++)
        if (disk[i].exists)
            lose_file(i, calls, loss, &seed);
}

size_t vfs_power_recorded(void)
{
    return op_count;
}

void vfs_power_clear(void)
{
    for (size_t i = 0; i < op_count; i++)
        free(ops[i].data);
    op_count = 0;
    for (int i = 0; i < FILES; i++) {
        free(disk[i].now.p);
        for (int k = 0; k < REGIONS; k++)
            free(disk[i].shm[k]);
        disk[i] = (struct disk_file){0};
    }
    recording = true;
}

/* ---- the files, as SQLite sees them
 * ---------------------------------------------------------------- */

struct file {
    sqlite3_file base;
    int number;
};

#define NUMBER(f) (((struct file *)(void *)(f))->number)
#define NOW(f)    (&disk[NUMBER(f)].now)

static int find(const char *name)
{
    for (int i = 0; i < FILES; i++)
        if (disk[i].exists && strcmp(disk[i].name, name) == 0)
            return i;
    return -1;
}

static int on_close(sqlite3_file *f)
{
    (void)f;
    return SQLITE_OK;
}

static int on_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    const struct bytes *b = NOW(f);
    size_t from = (size_t)at, want = (size_t)n, have = from < b->len ? b->len - from : 0;
    have = have < want ? have : want;
    memset(p, 0, want);
    if (have > 0)
        memcpy(p, b->p + from, have);
    return have == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int on_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    bytes_write(NOW(f), (size_t)at, p, (size_t)n);
    record(OP_WRITE, NUMBER(f), (size_t)at, (size_t)n, p);
    return SQLITE_OK;
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    bytes_resize(NOW(f), (size_t)size);
    record(OP_TRUNCATE, NUMBER(f), 0, (size_t)size, NULL);
    return SQLITE_OK;
}

static int on_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    if (vfs_power_syncs_lie)
        return SQLITE_OK;
    record(OP_SYNC, NUMBER(f), 0, 0, NULL);
    if (disk[NUMBER(f)].is_new)
        record(OP_NAMES, -1, 0, 0, NULL);
    disk[NUMBER(f)].is_new = false;
    return SQLITE_OK;
}

static int on_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    *ret = (sqlite3_int64)NOW(f)->len;
    return SQLITE_OK;
}

static int on_lock(sqlite3_file *f, int level)
{
    (void)f;
    (void)level;
    return SQLITE_OK;
}

static int on_check_lock(sqlite3_file *f, int *ret)
{
    (void)f;
    *ret = 0;
    return SQLITE_OK;
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
    (void)f;
    if (op != SQLITE_FCNTL_PERSIST_WAL)
        return SQLITE_NOTFOUND;
    if (*(int *)arg < 0)
        *(int *)arg = 1;
    return SQLITE_OK;
}

static int on_sector(sqlite3_file *f)
{
    (void)f;
    return 4096;
}

static int on_traits(sqlite3_file *f)
{
    (void)f;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as SQLite assumes of files on Linux */
}

static int on_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **ret)
{
    struct disk_file *d = &disk[NUMBER(f)];
    if (region >= REGIONS)
        return SQLITE_IOERR_SHMMAP;
    if (d->shm[region] == NULL && extend)
        d->shm[region] = calloc(1, (size_t)size);
    *ret = d->shm[region];
    return SQLITE_OK;
}

static int on_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    (void)f;
    (void)at;
    (void)n;
    (void)flags;
    return SQLITE_OK;
}

static void on_shm_barrier(sqlite3_file *f)
{
    (void)f;
}

static int on_shm_unmap(sqlite3_file *f, int delete)
{
    struct disk_file *d = &disk[NUMBER(f)];
    (void)delete;
    for (int i = 0; i < REGIONS; i++) {
        free(d->shm[i]);
        d->shm[i] = NULL;
    }
    return SQLITE_OK;
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
    .xUnlock = on_lock,
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
    file->base.pMethods = NULL;
    int n = name != NULL ? find(name) : -1;
    for (int i = 0; i < FILES && n < 0 && name != NULL && strlen(name) < sizeof(disk[0].name); i++)
        if (!disk[i].exists) {
            disk[i].exists = true;
            memcpy(disk[i].name, name, strlen(name) + 1);
            n = i;
        }
    if (n < 0)
        return SQLITE_CANTOPEN;
    if ((flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0 && disk[n].now.len == 0)
        disk[n].is_new = true;
    file->number = n;
    file->base.pMethods = &methods;
    if (ret_flags != NULL)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    int n = find(name);
    (void)vfs;
    if (n >= 0) {
        bytes_resize(&disk[n].now, 0);
        record(OP_DELETE, n, 0, 0, NULL);
        if (sync_dir)
            record(OP_NAMES, -1, 0, 0, NULL);
    }
    return SQLITE_OK;
}

static int on_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    int n = find(name);
    (void)vfs;
    (void)flags;
    *ret = n >= 0 && disk[n].now.len > 0;
    return SQLITE_OK;
}

void vfs_power_install(void)
{
    static sqlite3_vfs vfs;
    if (vfs.zName != NULL)
        return;
    vfs = *sqlite3_vfs_find(NULL);
    vfs.pNext = NULL;
    vfs.zName = "power";
    vfs.szOsFile = (int)sizeof(struct file);
    vfs.xOpen = on_open;
    vfs.xDelete = on_delete;
    vfs.xAccess = on_access;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        abort();
}
