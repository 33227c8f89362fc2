/*
 * program.c: see program.h; memfd_create(2), elf(5). Reads the operator's own programs only.
 */
#include "sandbox/spawn/program.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "policy/text/str.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define PROGRAM_MAX ((off_t)64 << 20)
#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif
#ifndef F_SEAL_SEAL
#define F_ADD_SEALS   1033
#define F_SEAL_SEAL   1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW   4
#define F_SEAL_WRITE  8
#endif

static ssize_t read_at(int fd, void *p, size_t n, uint64_t at)
{
    return at > INT64_MAX ? -1 : pread(fd, p, n, (off_t)at);
}

static int check_static(int fd, const char *path, struct err *err)
{
    Elf64_Ehdr head;
    Elf64_Phdr part;

    if (read_at(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_phentsize != sizeof(part))
        return err_set(err, ENOEXEC, "\"%s\" is not a 64-bit ELF program, as strict needs", path);
    for (size_t i = 0; i < head.e_phnum; i++) {
        if (read_at(fd, &part, sizeof(part), head.e_phoff + i * sizeof(part)) !=
            (ssize_t)sizeof(part))
            return err_set(err, ENOEXEC, "\"%s\": cut short", path);
        if (part.p_type == PT_INTERP)
            return err_set(
                err, ENOEXEC,
                "\"%s\" is linked dynamically: a strict root is empty, so link it statically "
                "(-static-pie), or use profile program",
                path);
    }
    return 0;
}

static int copy_all(int from, int to, off_t size, const char *path, struct err *err)
{
    off_t at = 0;

    while (at < size) {
        ssize_t n = sendfile(to, from, &at, (size_t)(size - at));
        if (n <= 0)
            return err_set(err, EIO, "read \"%s\"", path);
    }
    return 0;
}

static int load(const char *path, bool unreadable, struct stat *ret_stat, struct err *err)
{
    FD_AUTO int file = sys.open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    FD_AUTO int memory = -1;
    int rc;

    if (file < 0)
        return err_sys(err, -file, "open \"%s\"", path);
    rc = sys.fstat(file, ret_stat);
    if (rc < 0)
        return err_sys(err, -rc, "look at \"%s\"", path);
    if (!S_ISREG(ret_stat->st_mode) || ret_stat->st_size > PROGRAM_MAX)
        return err_set(err, ENOEXEC, "\"%s\" is no program of at most 64 MiB", path);
    rc = check_static(file, path, err);
    if (rc < 0)
        return rc;
    memory = memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (memory < 0) /* before Linux 6.3 every memory file may be executed */
        memory = memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0)
        return err_set(err, EMFILE, "memory for \"%s\"", path);
    if ((rc = copy_all(file, memory, ret_stat->st_size, path, err)) < 0)
        return rc;
    if (fchmod(memory, unreadable ? 0111 : 0555) < 0)
        return err_set(err, EPERM, "mode of \"%s\"", path);
    rc = sys.fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    if (rc < 0)
        return err_sys(err, -rc, "seal \"%s\"", path);
    return fd_take(&memory);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int program_open(struct program_cache *c, const char *path, bool unreadable, int *ret_fd,
                 struct err *err)
{
    struct stat now;
    int fd;

    if (c->fd >= 0 && strcmp(c->path, path) == 0 && sys.stat(AT_FDCWD, path, &now, 0) == 0 &&
        is_same(&now, &c->stat)) {
        *ret_fd = c->fd;
        return 0;
    }
    fd = load(path, unreadable, &now, err);
    if (fd < 0)
        return fd;
    program_release(c);
    c->path = str_dup(str_of(path));
    if (c->path == NULL) {
        fd_close(&fd);
        return err_sys(err, ENOMEM, "\"%s\"", path);
    }
    c->stat = now;
    c->fd = *ret_fd = fd;
    return 0;
}

void program_release(struct program_cache *c)
{
    free(c->path);
    fd_close(&c->fd);
    *c = PROGRAM_CACHE_INIT;
}
