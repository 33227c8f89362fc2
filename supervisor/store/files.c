/*
 * files.c: the store's files: who may read them, and the lock that keeps a second reeved out.
 *
 * The lock is an open-file-description lock on a file of its own. It goes with the process however
 * that ends, and SQLite's own locks on the database, which closing any descriptor of that file
 * would drop, are not touched.
 */
#include "supervisor/store/internal.h"

#include <fcntl.h>

#include "policy/text/num.h"
#include "sandbox/os/fd.h"

#define LOCK_TEXT 16

static int holder_of(int fd, int64_t *ret_pid)
{
    char text[LOCK_TEXT];
    ssize_t n = sys.read(fd, text, sizeof(text));
    if (n <= 0)
        return -ENOENT;
    return num_i64(str_trim((struct str){text, (size_t)n}), ret_pid);
}

int files_lock(const char *dir, int *ret_fd, struct err *err)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof(path), "%s/reeve.lock", dir) >= sizeof(path))
        return err_set(err, ENAMETOOLONG, "path of the lock file is too long");
    FD_AUTO int fd = sys.open(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, -fd, "open \"%s\"", path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int r = sys.fcntl(fd, F_OFD_SETLK, (long)(intptr_t)&lock);
    if (r == -EAGAIN || r == -EACCES) {
        int64_t pid = 0;
        if (holder_of(fd, &pid) < 0)
            return err_set(err, EBUSY, "in use by another reeved");
        return err_set(err, EBUSY, "in use by another reeved, process %" PRId64, pid);
    }
    if (r < 0)
        return err_sys(err, -r, "lock \"%s\"", path);
    /* As wide each time, so that no digit of an earlier holder stays behind it. */
    char text[LOCK_TEXT];
    (void)snprintf(text, sizeof(text), "%-14d\n", (int)getpid());
    r = fd_write_all(fd, text, strlen(text), err);
    if (r < 0)
        return err_wrap(err, "write \"%s\"", path);
    *ret_fd = fd_take(&fd);
    return 0;
}

static int sync_dir_of(const char *file, struct err *err)
{
    char dir[4096];
    if (str_copy(str_of(file), dir, sizeof(dir)) < 0)
        return err_set(err, ENAMETOOLONG, "path is too long");
    char *slash = strrchr(dir, '/');
    if (slash != NULL)
        *slash = '\0';
    FD_AUTO int fd =
        sys.open(AT_FDCWD, slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int r = fd < 0 ? fd : sys.fsync(fd);
    return r < 0 ? err_sys(err, -r, "sync directory of \"%s\"", file) : 0;
}

int files_prepare(const char *file, const struct store_options *o, struct err *err)
{
    struct stat st;
    int r = sys.stat(AT_FDCWD, file, &st, AT_SYMLINK_NOFOLLOW);
    if (r >= 0 && !S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "\"%s\" is no regular file", file);
    if (r >= 0)
        return 0;
    if (r != -ENOENT || !o->create)
        return err_sys(err, -r, "open \"%s\"", file);
    int fd = sys.open(AT_FDCWD, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, -fd, "create \"%s\"", file);
    fd_close(&fd); /* before SQLite has it open: closing later would drop SQLite's locks */
    return sync_dir_of(file, err);
}

/* By path, not by descriptor, for the reason above. The directory is ours. */
static int share(const char *path, const struct store_options *o, struct err *err)
{
    mode_t mode = o->mode != 0 ? o->mode : 0640;
    struct stat st;
    int r = sys.stat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
    if (r == -ENOENT)
        return 0;
    if (r >= 0 && o->group != (gid_t)-1 && st.st_gid != o->group)
        r = sys.chown(AT_FDCWD, path, (uid_t)-1, o->group, AT_SYMLINK_NOFOLLOW);
    if (r >= 0 && (st.st_mode & 0777) != mode)
        r = sys.chmod(AT_FDCWD, path, mode);
    return r < 0 ? err_sys(err, -r, "give readers \"%s\"", path) : 0;
}

int files_share(const char *file, const struct store_options *o, struct err *err)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(ends) && r >= 0; i++) {
        char path[4096];
        if ((size_t)snprintf(path, sizeof(path), "%s%s", file, ends[i]) >= sizeof(path))
            return err_set(err, ENAMETOOLONG, "path is too long");
        r = share(path, o, err);
    }
    return r;
}

int64_t files_size(const char *file)
{
    struct stat st;
    return sys.stat(AT_FDCWD, file, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (int64_t)st.st_size;
}
