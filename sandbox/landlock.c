/*
 * landlock.c: see landlock.h. What no rule names is refused, also through a descriptor that leaked
 * in (trap: openat() on a leaked directory walks out of any root; Landlock answers EACCES).
 */
#include "sandbox/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "sandbox/kernel.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define READ     (LL_READ_FILE | LL_READ_DIR)
#define OF_FILES (LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE | LL_IOCTL_DEV)

int landlock_open(const struct plan *p, int *ret_fd, struct err *err)
{
    struct kernel_ruleset attr = {p->landlock_fs, p->landlock_net, p->landlock_scoped};
    size_t size = p->landlock_abi >= 6   ? sizeof(attr)
                  : p->landlock_abi >= 4 ? offsetof(struct kernel_ruleset, scoped)
                                         : offsetof(struct kernel_ruleset, net);
    int fd = kernel_landlock_create(&attr, size);

    if (fd < 0)
        return err_sys(err, -fd, "make a ruleset");
    *ret_fd = fd;
    return 0;
}

static uint64_t rights_for(const struct plan_mount *m)
{
    uint64_t write = LL_WRITE_FILE | LL_TRUNCATE;

    switch (m->kind) {
    case PLAN_LINK:
    case PLAN_DIR:
        return 0;
    case PLAN_DEV:
        return LL_READ_FILE | (m->write ? write : 0);
    case PLAN_TEXT:
    case PLAN_PROC:
        return READ;
    case PLAN_TMP:
    case PLAN_BIND:
        break;
    }
    if (m->write) /* anything but programs and device nodes */
        return READ | write | LL_REMOVE_DIR | LL_REMOVE_FILE | LL_MAKE_DIR | LL_MAKE_REG |
               LL_MAKE_SOCK | LL_MAKE_FIFO | LL_MAKE_SYM | LL_REFER;
    return READ | (m->execute ? LL_EXECUTE : 0);
}

static int add_rule(const struct plan *p, int ruleset, const char *at, uint64_t rights,
                    bool optional,
                    struct err *err) /* `at` from the root, which is the working directory */
{
    FD_AUTO int fd = sys.open(AT_FDCWD, at, O_PATH | O_CLOEXEC, 0);
    struct stat st;
    int rc;

    if (fd < 0)
        return optional && (fd == -ENOENT || fd == -ENOTDIR)
                   ? 0
                   : err_sys(err, -fd, "open \"/%s\"", at);
    rc = sys.fstat(fd, &st);
    if (rc < 0)
        return err_sys(err, -rc, "look at \"/%s\"", at);
    rights &= p->landlock_fs;
    if (!S_ISDIR(st.st_mode))
        rights &= OF_FILES;
    rc = kernel_landlock_path(ruleset, fd, rights);
    return rc < 0 ? err_sys(err, -rc, "rule for \"/%s\"", at) : 0;
}

/* The loaders of dynamic programs: the kernel executes them in the program's stead. */
static int add_loaders(const struct plan *p, int ruleset, struct err *err)
{
    static const char *const loaders[] = {"lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1",
                                          "lib/ld-musl-x86_64.so.1", "lib/ld-musl-aarch64.so.1"};
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(loaders) && rc == 0; i++)
        rc = add_rule(p, ruleset, loaders[i], LL_EXECUTE | LL_READ_FILE, true, err);
    return rc;
}

int landlock_enter(const struct plan *p, int ruleset_fd, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < p->mount_count && rc == 0; i++) {
        uint64_t rights = rights_for(&p->mounts[i]);
        if (rights != 0)
            rc = add_rule(p, ruleset_fd, p->mounts[i].at, rights, p->mounts[i].optional, err);
    }
    /* Names may be listed everywhere: all that is in there is shown to it. */
    if (rc == 0 && !p->empty_root)
        rc = add_rule(p, ruleset_fd, "/", LL_READ_DIR, false, err);
    if (rc == 0 && !p->empty_root)
        rc = add_loaders(p, ruleset_fd, err);
    if (rc < 0)
        return rc;
    rc = kernel_landlock_restrict(ruleset_fd, 0);
    return rc < 0 ? err_sys(err, -rc, "enter") : 0;
}
