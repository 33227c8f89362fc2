/*
 * cgroup_file.c: see cgroup_file.h. Runs in reeve-spawn.
 */
#include "sandbox/cgroup_file.h"

#include <fcntl.h>

#include "policy/text/num.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

ssize_t cgroup_file_read(int dirfd, const char *path, char *text, size_t size)
{
    FD_AUTO int fd = sys.open(dirfd, path, O_RDONLY | O_CLOEXEC, 0);
    size_t len = 0;

    if (fd < 0)
        return fd;
    while (len < size - 1) {
        ssize_t n = sys.read(fd, text + len, size - 1 - len);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    return (ssize_t)len;
}

int cgroup_file_write(int dirfd, const char *path, const char *text)
{
    FD_AUTO int fd = sys.open(dirfd, path, O_WRONLY | O_CLOEXEC, 0);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = sys.write(fd, text, strlen(text));
    return n < 0 ? (int)n : 0;
}

int cgroup_file_write_number(int dirfd, const char *path, uint64_t v)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%" PRIu64, v);
    return cgroup_file_write(dirfd, path, text);
}

uint64_t cgroup_file_number(const char *text, const char *name)
{
    struct str rest = str_of(text), line;
    uint64_t v = 0;

    while (str_split(&rest, '\n', &line)) {
        size_t len = strlen(name);
        if (str_starts(line, str_of(name)) && line.len > len && line.ptr[len] == ' ' &&
            num_u64(str_slice(line, len + 1, line.len), &v) == 0)
            return v;
    }
    return 0;
}
