/*
 * leave.c: acts that try to get out of the root.
 */
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "inside.h"

static int open_at(const char *path, int flags)
{
    return done(CALL(SYS_openat, AT_FDCWD, path, flags, 0600));
}

static int open_absolute(void)
{
    return open_at("/etc/shadow", O_RDONLY);
}
static int open_dotdot(void)
{
    return open_at("../../../../../../etc/shadow", O_RDONLY);
}
static int open_proc_root(void)
{
    return open_at("/proc/1/" "root/etc/shadow", O_RDONLY);
}
static int open_proc_cwd(void)
{
    return open_at("/proc/self/cwd/../../../etc/shadow", O_RDONLY);
}
static int open_host_home(void)
{
    return open_at("/root", O_RDONLY | O_DIRECTORY);
}
static int open_sys(void)
{
    return open_at("/sys", O_RDONLY | O_DIRECTORY);
}
static int open_host_run(void)
{
    return open_at("/run", O_RDONLY | O_DIRECTORY);
}
static int open_dev_mem(void)
{
    return open_at("/dev/mem", O_RDONLY);
}
static int open_dev_kmsg(void)
{
    return open_at("/dev/kmsg", O_WRONLY);
}
static int open_sysrq(void)
{
    return open_at("/proc/sysrq-trigger", O_WRONLY);
}
static int open_kcore(void)
{
    return open_at("/proc/kcore", O_RDONLY);
}
static int open_sysctl(void)
{
    return open_at("/proc/sys/kernel/core_pattern", O_WRONLY);
}
static int write_root(void)
{
    return open_at("/escaped", O_WRONLY | O_CREAT);
}
static int write_libraries(void)
{
    return open_at("/usr/lib/escaped", O_WRONLY | O_CREAT);
}
static int write_library(void)
{
    return open_at("/lib64/ld-linux-x86-64.so.2", O_WRONLY);
}
static int write_urandom(void)
{
    return open_at("/dev/urandom", O_WRONLY);
}
static int write_proc_mem(void)
{
    return open_at("/proc/self/mem", O_RDWR);
}

static int open_by_link(void)
{
    long r = CALL(SYS_symlinkat, "/etc/shadow", AT_FDCWD, "/tmp/link");

    return r < 0 ? (int)r : open_at("/tmp/link", O_RDONLY);
}

/* 0 to 3 are given. */
static int leaked_descriptors(void)
{
    for (int fd = 4; fd < 4096; fd++)
        if (CALL(SYS_fcntl, fd, F_GETFD) >= 0)
            return 0;
    return HARMLESS;
}

static int chmod_passwd(void)
{
    return done(CALL(SYS_fchmodat, AT_FDCWD, "/etc/passwd", 0666));
}
static int chown_tmp(void)
{
    return done(CALL(SYS_fchownat, AT_FDCWD, "/tmp", 0, 0, 0));
}
static int link_out(void)
{
    return done(
        CALL(SYS_linkat, AT_FDCWD, "/lib64/ld-linux-x86-64.so.2", AT_FDCWD, "/tmp/loader", 0));
}
static int rename_out(void)
{
    return done(
        CALL(SYS_renameat, AT_FDCWD, "/lib64/ld-linux-x86-64.so.2", AT_FDCWD, "/tmp/loader"));
}
static int make_device(void)
{
    return done(CALL(SYS_mknodat, AT_FDCWD, "/tmp/mem", S_IFCHR | 0600, makedev(1, 1)));
}
static int change_root(void)
{
    return done(CALL(SYS_chroot, "/tmp"));
}
static int pivot(void)
{
    return done(CALL(SYS_pivot_root, ".", "."));
}
static int mount_tmpfs(void)
{
    return done(CALL(SYS_mount, "tmpfs", "/usr", "tmpfs", 0, 0));
}
static int unmount_proc(void)
{
    return done(CALL(SYS_umount2, "/proc", MNT_DETACH));
}
static int new_mount_open(void)
{
    return done(CALL(SYS_fsopen, "tmpfs", 0));
}
static int new_mount_tree(void)
{
    return done(CALL(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE));
}
static int new_mount_move(void)
{
    return done(CALL(SYS_move_mount, -1, "", AT_FDCWD, "/usr", 4));
}
static int new_mount_attr(void)
{
    uint64_t attr[4] = {0, MOUNT_ATTR_RDONLY, 0, 0};
    return done(CALL(SYS_mount_setattr, AT_FDCWD, "/", 0, attr, sizeof(attr)));
}
static int enter_namespace(void)
{
    return done(CALL(SYS_setns, 3, 0));
}
static int new_namespace(void)
{
    return done(CALL(SYS_unshare, 0x00020000));
}
static int handle_name(void)
{
    char handle[256] = {0};
    int mount = 0;
    return done(CALL(SYS_name_to_handle_at, AT_FDCWD, "/", handle, &mount, 0));
}
static int handle_open(void)
{
    char handle[256] = {0};
    return done(CALL(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY));
}

#define A(name)     \
    {               \
#name, name \
    }
const struct act acts_leave[] = {A(open_absolute),   A(open_dotdot),
                                 A(open_proc_root),  A(open_proc_cwd),
                                 A(open_by_link),    A(open_host_home),
                                 A(open_sys),        A(open_host_run),
                                 A(open_dev_mem),    A(open_dev_kmsg),
                                 A(open_sysrq),      A(open_kcore),
                                 A(open_sysctl),     A(leaked_descriptors),
                                 A(write_root),      A(write_libraries),
                                 A(write_library),   A(write_urandom),
                                 A(write_proc_mem),  A(chmod_passwd),
                                 A(chown_tmp),       A(link_out),
                                 A(rename_out),      A(make_device),
                                 A(change_root),     A(pivot),
                                 A(mount_tmpfs),     A(unmount_proc),
                                 A(new_mount_open),  A(new_mount_tree),
                                 A(new_mount_move),  A(new_mount_attr),
                                 A(enter_namespace), A(new_namespace),
                                 A(handle_name),     A(handle_open),
                                 {NULL, NULL}};
