/*
 * mounts.c: see mounts.h; pivot_root(2), mount_setattr(2), openat2(2).
 *
 * Trusts the plan's paths to be what the operator named, not to be harmless: a path inside is
 * resolved as if the new root were "/" (a link in a granted directory cannot lead out), a granted
 * path of the host through no link at all (a tool that may write a directory could have planted one
 * there between starts).
 */
#include "sandbox/mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/kernel.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define PATH_BYTES 1024

/* Nothing of ours gets out to the host's mounts, nothing of the host changes ours. */
static int make_private(struct err *err)
{
    int rc = kernel_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, 0, 0, MS_PRIVATE, -1);

    return rc < 0 ? err_sys(err, -rc, "make mounts private") : 0;
}

static int new_fs(const char *type, const char *const options[][2], unsigned attrs, struct err *err)
{
    FD_AUTO int fs = kernel_fsopen(type);
    int rc = fs;

    for (size_t i = 0; rc >= 0 && options[i][0] != NULL; i++)
        rc = kernel_fsconfig_string(fs, options[i][0], options[i][1]);
    if (rc >= 0)
        rc = kernel_fsconfig_create(fs);
    if (rc >= 0)
        rc = kernel_fsmount(fs, attrs);
    return rc < 0 ? err_sys(err, -rc, "new %s", type) : rc;
}

static int new_root(struct err *err)
{
    static const char *const options[][2] = {
        {"size", "1m"}, {"nr_inodes", "1024"}, {"mode", "755"}, {NULL, NULL}};

    return new_fs("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
}

static int new_empty_root(struct err *err)
{
    static const char *const options[][2] = {
        {"size", "4k"}, {"nr_inodes", "2"}, {"mode", "555"}, {NULL, NULL}};

    return new_fs("tmpfs", options,
                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                  err);
}

/* The root being built, and which file systems are ours to make things in. */
struct root {
    int fd;
    dev_t ours[4];
    size_t ours_count;
};

static int add_ours(struct root *r, int mount, struct err *err)
{
    struct stat st;
    int rc = sys.fstat(mount, &st);

    if (rc < 0 || r->ours_count == ARRAY_LEN(r->ours))
        return err_sys(err, rc < 0 ? -rc : E2BIG, "look at own root");
    r->ours[r->ours_count++] = st.st_dev;
    return 0;
}

/* ---- places in the new root
 * ------------------------------------------------------------------------- */

static int open_inside(int root, const char *at, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = kernel_openat2(root, at, &how, sizeof(how));

    return (int)fd;
}

/* Ours to write in? A granted directory of the host is not: nothing is ever created there. */
static int check_ours(const struct root *r, int dir, const char *at, struct err *err)
{
    struct stat st;

    if (sys.fstat(dir, &st) < 0)
        return err_set(err, EIO, "look at \"/%s\"", at);
    for (size_t i = 0; i < r->ours_count; i++)
        if (r->ours[i] == st.st_dev)
            return 0;
    return err_set(err, EROFS, "\"/%s\" would have to be made in a directory of the host", at);
}

/* The same, where it is there already, which it mostly is. */
static int find_parent(const struct root *r, const char *at, const char **ret_last)
{
    char prefix[PATH_BYTES] = ".";
    const char *slash = strrchr(at, '/');

    *ret_last = slash != NULL ? slash + 1 : at;
    if (slash != NULL &&
        str_copy((struct str){at, (size_t)(slash - at)}, prefix, sizeof(prefix)) < 0)
        return -ENAMETOOLONG;
    return open_inside(r->fd, prefix, O_PATH | O_DIRECTORY);
}

/* The directory that holds the last part of `at`, made where it is missing. */
static int open_parent(const struct root *r, const char *at, const char **ret_last, struct err *err)
{
    char prefix[PATH_BYTES];
    int found = find_parent(r, at, ret_last);
    if (found >= 0)
        return found;
    FD_AUTO int dir = open_inside(r->fd, ".", O_PATH | O_DIRECTORY);
    const char *from = at, *slash;

    while (dir >= 0 && (slash = strchr(from, '/')) != NULL) {
        size_t len = (size_t)(slash - at);
        int rc, next;
        if (len >= sizeof(prefix))
            return err_set(err, ENAMETOOLONG, "\"/%s\"", at);
        memcpy(prefix, at, len);
        prefix[len] = '\0';
        next = open_inside(r->fd, prefix, O_PATH | O_DIRECTORY);
        if (next == -ENOENT) {
            if ((rc = check_ours(r, dir, prefix, err)) < 0)
                return rc;
            rc = sys.mkdir(dir, prefix + (from - at), 0755);
            if (rc < 0)
                return err_sys(err, -rc, "make \"/%s\"", prefix);
            next = open_inside(r->fd, prefix, O_PATH | O_DIRECTORY);
        }
        if (next < 0)
            return err_sys(err, -next, "open \"/%s\"", prefix);
        fd_close(&dir);
        dir = next;
        from = slash + 1;
    }
    if (dir < 0)
        return err_sys(err, -dir, "open own root");
    *ret_last = from;
    return fd_take(&dir);
}

/* The place to mount on, made where it is missing. */
static int open_place(const struct root *r, const char *at, bool is_dir, struct err *err)
{
    FD_AUTO int parent = -1;
    const char *last;
    int fd = open_inside(r->fd, at, O_PATH), rc;

    if (fd != -ENOENT)
        return fd < 0 ? err_sys(err, -fd, "open \"/%s\"", at) : fd;
    parent = open_parent(r, at, &last, err);
    if (parent < 0)
        return parent;
    if ((rc = check_ours(r, parent, at, err)) < 0)
        return rc;
    if (is_dir) {
        rc = sys.mkdir(parent, last, 0755);
    } else {
        FD_AUTO int made = sys.open(parent, last, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
        rc = made;
    }
    if (rc < 0)
        return err_sys(err, -rc, "make \"/%s\"", at);
    fd = open_inside(r->fd, at, O_PATH);
    return fd < 0 ? err_sys(err, -fd, "open \"/%s\"", at) : fd;
}

static int attach(const struct root *r, int mount, const char *at, bool is_dir, struct err *err)
{
    FD_AUTO int place = open_place(r, at, is_dir, err);
    int rc;

    if (place < 0)
        return place;
    rc = kernel_move_mount(mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    return rc < 0 ? err_sys(err, -rc, "mount on \"/%s\"", at) : 0;
}

/* ---- one mount of each kind
 * ---------------------------------------------------------------------------- */

static int put_link(const struct root *r, const struct plan_mount *m, struct err *err)
{
    const char *last;
    FD_AUTO int parent = open_parent(r, m->at, &last, err);

    if (parent < 0)
        return parent;
    return symlinkat(m->source, parent, last) < 0 ? err_set(err, EEXIST, "link \"/%s\"", m->at) : 0;
}

static int put_text(const struct root *r, const struct plan_mount *m, struct err *err)
{
    const char *last;
    FD_AUTO int parent = open_parent(r, m->at, &last, err);
    FD_AUTO int fd =
        parent < 0 ? -1 : sys.open(parent, last, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);

    if (parent < 0)
        return parent;
    if (fd < 0)
        return err_sys(err, -fd, "make \"/%s\"", m->at);
    int rc = fd_write_all(fd, m->source, strlen(m->source), err);
    /* umask is narrow by now; everybody in there may read it */
    return rc < 0 ? rc : fchmod(fd, 0444) < 0 ? err_set(err, EPERM, "mode of \"/%s\"", m->at) : 0;
}

static int put_tmp(struct root *r, const struct plan_mount *m, struct err *err)
{
    char size[32], inodes[32];
    const char *const options[][2] = {
        {"size", size}, {"nr_inodes", inodes}, {"mode", "1777"}, {NULL, NULL}};

    (void)snprintf(size, sizeof(size), "%" PRIu64, MAX(m->size, (uint64_t)4096));
    /* Many empty files are a load as well (trap 12): one inode for each 16 KiB. */
    (void)snprintf(inodes, sizeof(inodes), "%" PRIu64, m->size / 16384 + 64);
    FD_AUTO int mount =
        new_fs("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
    int rc = mount < 0 ? mount : attach(r, mount, m->at, true, err);
    return rc < 0 ? rc : add_ours(r, mount, err);
}

static int put_proc(const struct root *r, const struct plan_mount *m, struct err *err)
{
    static const char *const options[][2] = {{"subset", "pid"}, {NULL, NULL}};
    /* Read-only: /proc/self/mem could write what is mapped read-only or executable (trap 8). */
    FD_AUTO int mount =
        new_fs("proc", options,
               MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);

    return mount < 0 ? mount : attach(r, mount, m->at, true, err);
}

/* A link of the host such as /lib -> usr/lib stays a link: what it names is there as well. */
static int put_host_link(const struct root *r, const struct plan_mount *m, bool *ret_done,
                         struct err *err)
{
    char target[PATH_BYTES];
    ssize_t n = readlink(m->source, target, sizeof(target) - 1);

    *ret_done = n > 4 && memcmp(target, "usr/", 4) == 0;
    if (!*ret_done)
        return 0;
    target[n] = '\0';
    struct plan_mount link = {.kind = PLAN_LINK, .source = target, .at = m->at};
    return put_link(r, &link, err);
}

static int open_source(const struct plan_mount *m)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};

    if (m->write)
        how.resolve |= RESOLVE_NO_SYMLINKS;
    return kernel_openat2(AT_FDCWD, m->source, &how, sizeof(how));
}

static int put_bind(const struct root *r, const struct plan_mount *m, const int *idmaps,
                    struct err *err)
{
    uint64_t attrs =
        MOUNT_ATTR_NOSUID | (m->kind == PLAN_DEV ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV);
    FD_AUTO int source = -1;
    FD_AUTO int mount = -1;
    struct stat st;
    bool done = false;
    int rc;

    if (m->optional && ((rc = put_host_link(r, m, &done, err)) < 0 || done))
        return rc;
    source = open_source(m);
    if (m->optional && (source == -ENOENT || source == -ENOTDIR))
        return 0;
    if (source == -ELOOP)
        return err_set(err, ELOOP, "\"%s\" leads through a symbolic link: name the real path",
                       m->source);
    if (source < 0)
        return err_sys(err, -source, "open \"%s\"", m->source);
    if ((rc = sys.fstat(source, &st)) < 0)
        return err_sys(err, -rc, "look at \"%s\"", m->source);
    mount = kernel_open_tree(source, "",
                             OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (mount < 0)
        return err_sys(err, -mount, "bind \"%s\"", m->source);
    attrs |= m->write && m->kind == PLAN_BIND ? MOUNT_ATTR_NOEXEC : 0;
    attrs |= m->write ? 0 : MOUNT_ATTR_RDONLY;
    rc = kernel_mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, attrs, 0, 0, -1);
    if (rc < 0)
        return err_sys(err, -rc, "attributes of \"%s\"", m->source);
    /* File systems that cannot map ids: permissions stay as they are on the host. */
    if (m->idmap >= 0)
        (void)kernel_mount_setattr(mount, "", AT_EMPTY_PATH, MOUNT_ATTR_IDMAP, 0, 0,
                                   idmaps[m->idmap]);
    return attach(r, mount, m->at, S_ISDIR(st.st_mode), err);
}

static int put(struct root *r, const struct plan_mount *m, const int *idmaps, struct err *err)
{
    switch (m->kind) {
    case PLAN_DIR: {
        FD_AUTO int fd = open_place(r, m->at, true, err);
        return MIN(fd, 0);
    }
    case PLAN_LINK:
        return put_link(r, m, err);
    case PLAN_TEXT:
        return put_text(r, m, err);
    case PLAN_TMP:
        return put_tmp(r, m, err);
    case PLAN_PROC:
        return put_proc(r, m, err);
    case PLAN_BIND:
    case PLAN_DEV:
        break;
    }
    return put_bind(r, m, idmaps, err);
}

/* ---- the root
 * -------------------------------------------------------------------------------------------- */

/* The new root is stacked on the old, changed places with it, and the old one let go with all below
 * it. */
static int enter(int root, struct err *err)
{
    int rc;

    if (fchdir(root) < 0)
        return err_set(err, EACCES, "enter own root");
    if ((rc = kernel_pivot_root(".", ".")) < 0)
        return err_sys(err, -rc, "pivot");
    if ((rc = kernel_umount(".", MNT_DETACH)) < 0)
        return err_sys(err, -rc, "detach the host's root");
    if (chdir("/") < 0)
        return err_set(err, EACCES, "enter own root");
    return 0;
}

static int mount_root(int root, struct err *err)
{
    int rc = kernel_move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH);

    return rc < 0 ? err_sys(err, -rc, "mount own root") : 0;
}

int mounts_enter_empty(struct err *err)
{
    FD_AUTO int root = -1;
    int rc = make_private(err);

    if (rc < 0 || (rc = root = new_empty_root(err)) < 0 || (rc = mount_root(root, err)) < 0)
        return rc;
    return enter(root, err);
}

int mounts_enter(const struct plan *p, const int *idmaps, struct err *err)
{
    FD_AUTO int root = -1;
    struct root r = {.fd = -1};
    int rc;

    if (p->empty_root)
        return mounts_enter_empty(err);
    if ((rc = make_private(err)) < 0 || (rc = root = new_root(err)) < 0)
        return rc;
    r.fd = root;
    if ((rc = add_ours(&r, root, err)) < 0 || (rc = mount_root(root, err)) < 0)
        return rc;
    for (size_t i = 0; i < p->mount_count; i++)
        if ((rc = put(&r, &p->mounts[i], idmaps, err)) < 0)
            return rc;
    rc = kernel_mount_setattr(root, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0, -1);
    return rc < 0 ? err_sys(err, -rc, "make own root read-only") : enter(root, err);
}
