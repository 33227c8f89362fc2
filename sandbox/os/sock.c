/*
 * sock.c: Unix sockets. In every program.
 */
#include "sandbox/os/sock.h"

#include <fcntl.h>
#include <sys/un.h>

#include "policy/text/str.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16; Debian 12's headers are older */
#endif
#define BACKLOG 128

int sock_pair(int ret_fds[2], bool may_pass, struct err *err)
{
    int fds[2] = {-1, -1};
    int r = sys.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
    if (r < 0)
        return err_sys(err, -r, "socket pair");
    if (!may_pass) {
        /* An older kernel refuses the option: then the receiving side drops what comes (wire.c). */
        int off = 0;
        (void)sys.setsockopt(fds[0], SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
        (void)sys.setsockopt(fds[1], SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
    }
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

static int address(const char *path, struct sockaddr_un *ret, struct err *err)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path[0] == '\0')
        return err_set(err, EINVAL, "socket: the path is empty");
    if (str_copy(str_of(path), ret->sun_path, sizeof ret->sun_path) < 0)
        return err_set(err, ENAMETOOLONG,
                       "socket \"%s\": the path has %zu bytes, at most %zu can be", path,
                       strlen(path), sizeof ret->sun_path - 1);
    return 0;
}

static int new_socket(const char *path, int *ret, struct err *err)
{
    int fd = sys.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, -fd, "socket \"%s\"", path);
    *ret = fd;
    return 0;
}

/* Only a socket that nobody answers on is in the way without a reason to be there. */
static int remove_stale(const char *path, const struct sockaddr_un *a, struct err *err)
{
    struct stat st;
    int r = sys.stat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return err_sys(err, -r, "socket \"%s\"", path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, EEXIST, "socket \"%s\": there is something else than a socket", path);
    FD_AUTO int probe = -1;
    r = new_socket(path, &probe, err);
    if (r < 0)
        return r;
    /* Non-blocking: a full queue of a living server must not hold us up. */
    r = fd_set_nonblock(probe, true, err);
    if (r < 0)
        return r;
    r = sys.connect(probe, (const struct sockaddr *)a, sizeof *a);
    if (r == 0 || r == -EAGAIN)
        return err_set(err, EADDRINUSE, "socket \"%s\": another process answers on it", path);
    if (r != -ECONNREFUSED)
        return err_sys(err, -r, "socket \"%s\": is it in use?", path);
    r = sys.unlink(AT_FDCWD, path, 0);
    return r < 0 && r != -ENOENT ? err_sys(err, -r, "socket \"%s\": remove the old one", path) : 0;
}

int sock_listen(const char *path, mode_t mode, int *ret_fd, struct err *err)
{
    struct sockaddr_un a;
    FD_AUTO int fd = -1;
    int r = address(path, &a, err);
    if (r == 0)
        r = remove_stale(path, &a, err);
    if (r == 0)
        r = new_socket(path, &fd, err);
    if (r < 0)
        return r;
    /* The mode before bind holds from the file's first moment, but the umask cuts it; after bind it
     * is exact. Nobody can connect before listen. */
    r = sys.fchmod(fd, mode);
    if (r < 0)
        return err_sys(err, -r, "socket \"%s\": mode", path);
    r = sys.bind(fd, (const struct sockaddr *)&a, sizeof a);
    if (r < 0)
        return err_sys(err, -r, "socket \"%s\"", path);
    r = sys.chmod(AT_FDCWD, path, mode);
    if (r == 0)
        r = sys.listen(fd, BACKLOG);
    if (r < 0) {
        (void)sys.unlink(AT_FDCWD, path, 0);
        return err_sys(err, -r, "socket \"%s\"", path);
    }
    *ret_fd = fd_take(&fd);
    return 0;
}

int sock_connect(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un a;
    FD_AUTO int fd = -1;
    int r = address(path, &a, err);
    if (r == 0)
        r = new_socket(path, &fd, err);
    if (r < 0)
        return r;
    r = sys.connect(fd, (const struct sockaddr *)&a, sizeof a);
    if (r < 0)
        return err_sys(err, -r, "connect to \"%s\"", path);
    *ret_fd = fd_take(&fd);
    return 0;
}

int sock_peer(int fd, struct sock_peer *ret, struct err *err)
{
    struct ucred cred;
    socklen_t n = sizeof cred;
    int r = sys.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n);
    if (r < 0)
        return err_sys(err, -r, "who is behind socket %d?", fd);
    if (n != sizeof cred)
        return err_set(err, EIO, "who is behind socket %d? The kernel's answer has %u bytes", fd,
                       n);
    *ret = (struct sock_peer){cred.pid, cred.uid, cred.gid};
    return 0;
}
