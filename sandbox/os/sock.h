/*
 * sock.h: Unix sockets (unix(7)). Close-on-exec always; no abstract names.
 */
#ifndef REEVE_OS_SOCK_H
#define REEVE_OS_SOCK_H

#include "policy/text/err.h"

struct sock_peer { /* SO_PEERCRED: who made or connected the socket, as the kernel says */
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/* Stream pair. Passing descriptors is switched off (SO_PASSRIGHTS, Linux 6.16) on both where the kernel
 * can, unless `may_pass`. */
int sock_pair(int ret_fds[2], bool may_pass, struct err *err) NODISCARD;
/* A listening socket at path: an old socket file that nobody answers on is replaced, one that is
 * answered is -EADDRINUSE, anything but a socket there is -EEXIST. Mode is set before it listens. */
int sock_listen(const char *path, mode_t mode, int *ret_fd, struct err *err) NODISCARD;
int sock_connect(const char *path, int *ret_fd, struct err *err) NODISCARD;
int sock_peer(int fd, struct sock_peer *ret, struct err *err) NODISCARD;

#endif
