/*
 * watch.c: acts that try to see what is not theirs.
 */
#include <sys/stat.h>
#include <sys/utsname.h>

#include "inside.h"

extern char **environ;

struct entry { /* struct linux_dirent64 */
    uint64_t inode, offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

static int processes_of_host(void)
{
    static char bytes[65536];
    long fd = CALL(SYS_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY, 0), n;
    int numbers = 0;
    if (fd < 0)
        return (int)fd;
    while ((n = CALL(SYS_getdents64, fd, bytes, sizeof(bytes))) > 0)
        for (long at = 0; at < n;) {
            const struct entry *e = (const struct entry *)(const void *)(bytes + at);
            numbers += e->name[0] >= '0' && e->name[0] <= '9';
            at += e->length;
        }
    return numbers == 1 ? HARMLESS : 0; /* itself */
}
static int environment(void)
{
    int count = 0;
    while (environ[count] != NULL)
        count++;
    return count == 1 && strcmp(environ[0], "GIVEN=1") == 0 ? HARMLESS : 0;
}
static int kernel_log(void)
{
    char bytes[64];
    return done(CALL(SYS_syslog, 3, bytes, sizeof(bytes)));
}
static int host_name_leak(void)
{
    struct utsname names;
    long r = CALL(SYS_uname, &names);
    return r < 0 ? (int)r : strcmp(names.nodename, "reeve") == 0 ? HARMLESS : 0;
}
static int stat_outside(void)
{
    struct stat st;
    return done(CALL(SYS_newfstatat, AT_FDCWD, "/etc/shadow", &st, 0));
}
static int proc_version(void)
{
    return done(CALL(SYS_openat, AT_FDCWD, "/proc/cmdline", O_RDONLY));
}

/* What is mounted where on the host is in there only if the old root is. */
static int mounts_of_host(void)
{
    static char text[65536];
    long fd = CALL(SYS_openat, AT_FDCWD, "/proc/self/mountinfo", O_RDONLY, 0), n;
    if (fd < 0)
        return (int)fd;
    n = CALL(SYS_read, fd, text, sizeof(text) - 1);
    return n > 0 && strstr(text, "/sys") == NULL && strstr(text, "cgroup") == NULL ? HARMLESS : 0;
}
static int watch_files(void)
{
    return done(CALL(SYS_fanotify_init, 0, 0));
}
static int compare(void)
{
    return done(CALL(SYS_kcmp, 1, 1, 0, 0, 0));
}
static int cookie(void)
{
    char path[64];
    return done(CALL(SYS_lookup_dcookie, 1, path, sizeof(path)));
}

#define A(name)     \
    {               \
#name, name \
    }
const struct act acts_watch[] = {
    A(processes_of_host), A(environment),  A(kernel_log),     A(host_name_leak),
    A(stat_outside),      A(proc_version), A(mounts_of_host), A(watch_files),
    A(compare),           A(cookie),       {NULL, NULL}};
