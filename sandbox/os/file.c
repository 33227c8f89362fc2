/*
 * file.c: whole files. In every program that reads configuration or keeps a file of its own.
 * Contents and directories may be hostile: reading is bounded, devices and pipes are not opened as
 * files.
 */
#include "sandbox/os/file.h"

#include <dirent.h>
#include <fcntl.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define READ_FIRST ((size_t)16384)

/* ---- reading ----------------------------------------------------------------------------------
 */

int file_read_fd(int fd, const char *name, size_t max_bytes, char **ret, size_t *ret_len,
                 struct err *err)
{
    struct buf b;
    buf_init(&b, max_bytes < SIZE_MAX ? max_bytes + 1
                                      : max_bytes); /* one more tells that it is too long */
    for (;;) {
        size_t room = MIN(MAX(READ_FIRST, b.len), b.max - b.len);
        char *p = buf_reserve(&b, room);
        if (!p) {
            buf_release(&b);
            return err_set(err, ENOMEM, "read \"%s\": out of memory", name);
        }
        ssize_t r = sys.read(fd, p, room);
        if (r == 0)
            break;
        if (r > 0)
            buf_added(&b, (size_t)r);
        if (r < 0 || b.len > max_bytes) {
            buf_release(&b);
            if (r < 0)
                return err_sys(err, (int)-r, "read \"%s\"", name);
            return err_set(err, EFBIG, "read \"%s\": it has more than %zu bytes", name, max_bytes);
        }
    }
    *ret = buf_take(&b, ret_len);
    return *ret ? 0 : err_set(err, ENOMEM, "read \"%s\": out of memory", name);
}

int file_read(int dirfd, const char *path, size_t max_bytes, char **ret, size_t *ret_len,
              struct err *err)
{
    if (dirfd == AT_FDCWD && strcmp(path, "-") == 0)
        return file_read_fd(0, "standard input", max_bytes, ret, ret_len, err);
    /* Non-blocking: opening a pipe that somebody put there must not hold us up. */
    FD_AUTO int fd = sys.open(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(err, -fd, "open \"%s\"", path);
    struct stat st;
    int r = sys.fstat(fd, &st);
    if (r < 0)
        return err_sys(err, -r, "open \"%s\"", path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, EISDIR, "\"%s\" is a directory, not a file", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "\"%s\" is not a regular file", path);
    return file_read_fd(fd, path, max_bytes, ret, ret_len, err);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* Splits path: the directory's part with its slash ("" for none), and the name behind it. */
static size_t name_at(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static int temporary_name(const char *path, char *ret, size_t size)
{
    uint8_t bits[8];
    size_t dir = name_at(path);
    ssize_t r = sys.getrandom(bits, sizeof bits);
    if (r != (ssize_t)sizeof bits)
        return r < 0 ? (int)r : -EIO;
    uint64_t number;
    memcpy(&number, bits, sizeof number);
    int n = snprintf(ret, size, "%.*s.%s.%016" PRIx64 ".tmp", (int)MIN(dir, (size_t)4096), path,
                     path + dir, number);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int fill_new(int dirfd, const char *temporary, struct str content, mode_t mode,
                    struct err *err)
{
    FD_AUTO int fd =
        sys.open(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, -fd, "make \"%s\"", temporary);
    int r = fd_write_all(fd, content.ptr, content.len, err);
    if (r < 0)
        return r;
    r = sys.fchmod(fd,
                   mode); /* exact, whatever the umask is, and not before the content is there */
    if (r < 0)
        return err_sys(err, -r, "mode of \"%s\"", temporary);
    r = sys.fsync(fd);
    if (r < 0)
        return err_sys(err, -r, "sync \"%s\"", temporary);
    r = sys.close(fd_take(&fd)); /* some file systems tell of a failed write here */
    return r < 0 ? err_sys(err, -r, "close \"%s\"", temporary) : 0;
}

static int sync_directory(int dirfd, const char *path, struct err *err)
{
    char dir[4096];
    size_t n = name_at(path);
    int r = str_copy(n > 0 ? (struct str){path, n} : STR("."), dir, sizeof dir);
    if (r < 0)
        return err_sys(err, -r, "sync the directory");
    FD_AUTO int fd = sys.open(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    r = fd < 0 ? fd : sys.fsync(fd);
    return r < 0 ? err_sys(err, -r, "sync directory \"%s\"", dir) : 0;
}

int file_write(int dirfd, const char *path, struct str content, mode_t mode, struct err *err)
{
    char temporary[4096];
    int r = temporary_name(path, temporary, sizeof temporary);
    if (r < 0)
        return err_sys(err, -r, "write \"%s\"", path);
    r = fill_new(dirfd, temporary, content, mode, err);
    if (r == 0) {
        r = sys.rename(dirfd, temporary, path);
        if (r == 0)
            return sync_directory(dirfd, path, err);
        err_sys(err, -r, "replace \"%s\"", path);
    }
    (void)sys.unlink(dirfd, temporary, 0);
    (void)err_wrap(err, "write \"%s\"", path);
    return r;
}

/* ---- who may write ----------------------------------------------------------------------------
 */

int file_check_owner(int fd, const char *name, uid_t owner, struct err *err)
{
    struct stat st;
    int r = sys.fstat(fd, &st);
    if (r < 0)
        return err_sys(err, -r, "\"%s\"", name);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return err_set(err, EPERM, "\"%s\" is neither a file nor a directory", name);
    if (st.st_uid != 0 && st.st_uid != owner)
        return err_set(
            err, EPERM,
            "\"%s\" belongs to user %u, who may write it: it must be root's or user %u's", name,
            st.st_uid, owner);
    if (st.st_mode & S_IWOTH)
        return err_set(err, EPERM, "\"%s\" may be written by everybody (mode %04o): chmod o-w",
                       name, st.st_mode & 07777);
    if (st.st_mode & S_IWGRP)
        return err_set(err, EPERM, "\"%s\" may be written by group %u (mode %04o): chmod g-w", name,
                       st.st_gid, st.st_mode & 07777);
    return 0;
}

/* ---- directories ------------------------------------------------------------------------------
 */

struct names {
    char **list;
    size_t count, cap, max;
};

static int add_name(struct names *n, struct str name)
{
    if (n->count == n->max)
        return -E2BIG;
    if (n->count == n->cap) {
        size_t cap = n->cap ? n->cap * 2 : 16;
        char **grown = reallocarray(n->list, cap, sizeof(char *));
        if (!grown)
            return -ENOMEM;
        n->list = grown;
        n->cap = cap;
    }
    char *copy = str_dup(name);
    if (!copy)
        return -ENOMEM;
    n->list[n->count++] = copy;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(int fd, struct str suffix, struct names *n)
{
    union {
        char bytes[8192];
        struct dirent64 align;
    } u;
    for (;;) {
        ssize_t r = sys.getdents(fd, u.bytes, sizeof u.bytes);
        if (r <= 0)
            return (int)r;
        for (ssize_t at = 0; at < r;) {
            const struct dirent64 *d = (const void *)(u.bytes + at);
            struct str name = str_of(d->d_name);
            at += d->d_reclen;
            int added = name.ptr[0] != '.' && str_ends(name, suffix) ? add_name(n, name) : 0;
            if (added < 0)
                return added;
        }
    }
}

int file_names(int dirfd, const char *suffix, size_t max, char ***ret, size_t *ret_count,
               struct err *err)
{
    struct names n = {.max = max};
    /* Opened anew: the position of the caller's descriptor stays where it is. */
    FD_AUTO int fd = sys.open(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int r = fd < 0 ? fd : read_names(fd, str_of(suffix), &n);
    if (r < 0) {
        file_names_free(n.list, n.count);
        if (r == -E2BIG)
            return err_set(err, E2BIG, "more than %zu files *%s in a directory", max, suffix);
        return err_sys(err, -r, "read a directory");
    }
    if (n.count > 1)
        qsort(n.list, n.count, sizeof(char *), compare_names);
    *ret = n.list;
    *ret_count = n.count;
    return 0;
}

void file_names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
    char part[4096];
    size_t len = strlen(path);
    if (len == 0 || str_copy((struct str){path, len}, part, sizeof part) < 0)
        return err_set(err, len ? ENAMETOOLONG : EINVAL,
                       "make directory \"%s\": the path is empty or too long", path);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        part[i] = '\0';
        int r = sys.mkdir(AT_FDCWD, part, mode);
        if (r < 0 && r != -EEXIST)
            return err_sys(err, -r, "make directory \"%s\"", part);
        part[i] = path[i];
    }
    struct stat st;
    int r = sys.stat(AT_FDCWD, path, &st, 0);
    if (r < 0)
        return err_sys(err, -r, "make directory \"%s\"", path);
    return S_ISDIR(st.st_mode)
               ? 0
               : err_set(err, ENOTDIR, "\"%s\" is there and is not a directory", path);
}

int file_program_dir(char *ret, size_t size, struct err *err)
{
    char exe[4096];
    ssize_t n = sys.readlink(AT_FDCWD, "/proc/self/exe", exe, sizeof exe);
    if (n < 0)
        return err_sys(err, (int)-n, "where is this program?");
    struct str path = {exe, (size_t)n};
    ssize_t slash = -1;
    for (size_t i = 0; i < path.len; i++)
        slash = exe[i] == '/' ? (ssize_t)i : slash;
    if (slash < 0 || path.len == sizeof exe)
        return err_set(err, ENAMETOOLONG, "where is this program? /proc/self/exe is no use");
    int r = str_copy(str_slice(path, 0, (size_t)MAX(slash, 1)), ret, size);
    return r < 0 ? err_sys(err, -r, "the directory of this program") : 0;
}
