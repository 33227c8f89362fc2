/*
 * talk.c: acts that try to reach somebody. The caller listens on the host's abstract name
 * "reeve-escape" and on /tmp/reeve-escape.sock meanwhile.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "inside.h"

static int socket_of(long family, int type)
{
    return done(CALL(SYS_socket, family, type, 0));
}
static int socket_inet(void)
{
    return socket_of(AF_INET, SOCK_STREAM);
}
static int socket_inet6(void)
{
    return socket_of(AF_INET6, SOCK_DGRAM);
}
static int socket_unix(void)
{
    return socket_of(AF_UNIX, SOCK_STREAM);
}
static int socket_netlink(void)
{
    return socket_of(AF_NETLINK, SOCK_RAW);
}
static int socket_packet(void)
{
    return socket_of(AF_PACKET, SOCK_RAW);
}
static int socket_vsock(void)
{
    return socket_of(AF_VSOCK, SOCK_STREAM);
}
static int socket_alg(void)
{
    return socket_of(AF_ALG, SOCK_SEQPACKET);
}
static int socket_bluetooth(void)
{
    return socket_of(AF_BLUETOOTH, SOCK_RAW);
}
static int socket_key(void)
{
    return socket_of(AF_KEY, SOCK_RAW);
}
static int socket_high_bits(void)
{
    return socket_of(AF_NETLINK | 1L << 32, SOCK_RAW);
}
static int socket_vsock_high_bits(void)
{
    return socket_of(AF_VSOCK | 1L << 32, SOCK_STREAM);
}
static int socketpair_of(int family)
{
    int pair[2];
    return done(CALL(SYS_socketpair, family, SOCK_STREAM, 0, pair));
}
static int socketpair_unix(void)
{
    return socketpair_of(AF_UNIX);
}
static int socketpair_inet(void)
{
    return socketpair_of(AF_TIPC);
}

static int to_test_net(int type, long number)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = {htonl(0xc0000201)}};
    long fd = CALL(SYS_socket, AF_INET, type, 0);
    if (fd < 0)
        return (int)fd;
    return number == SYS_connect ? done(CALL(SYS_connect, fd, &to, sizeof(to)))
                                 : done(CALL(SYS_sendto, fd, "x", 1, 0, &to, sizeof(to)));
}
static int connect_out(void)
{
    return to_test_net(SOCK_STREAM, SYS_connect);
}
static int send_out(void)
{
    return to_test_net(SOCK_DGRAM, SYS_sendto);
}

static int connect_unix(const char *name, size_t len)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    long fd = CALL(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return (int)fd;
    memcpy(to.sun_path, name, len);
    return done(CALL(SYS_connect, fd, &to, offsetof(struct sockaddr_un, sun_path) + len));
}
static int abstract_socket(void)
{
    return connect_unix("\0reeve-escape", 13);
}
static int path_socket(void)
{
    return connect_unix("/tmp/reeve-escape.sock", 23);
}

static int pass_descriptor(void)
{
    char byte = 'x';
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    int zero = 0;
    memcpy(CMSG_DATA(&control.head), &zero, sizeof(zero));
    return done(CALL(SYS_sendmsg, 3, &m, 0));
}
static int uring(void)
{
    char params[256] = {0};
    return done(CALL(SYS_io_uring_setup, 4, params));
}
static int uring_register(void)
{
    return done(CALL(SYS_io_uring_register, -1, 0, 0, 0));
}
static int take_descriptor(void)
{
    return done(CALL(SYS_pidfd_getfd, 3, 0, 0));
}
/* In a pid namespace of its own there is nobody else. */
static int signal_all(void)
{
    return done(CALL(SYS_kill, -1, 0));
}
static int signal_parent(void)
{
    long parent =
        CALL(SYS_getppid); /* 0: outside of the namespace; kill(0) would be its own group */
    return parent == 0 ? HARMLESS : parent < 0 ? (int)parent : done(CALL(SYS_kill, parent, 0));
}
static int signal_numbers(void)
{
    for (int pid = 2; pid < 70000; pid++) {
        long r = CALL(SYS_kill, pid, 0);
        if (r != -ESRCH)
            return done(r);
    }
    return HARMLESS;
}
static int shared_memory(void)
{
    return done(CALL(SYS_shmget, 0, 4096, 01600));
}
static int semaphores(void)
{
    return done(CALL(SYS_semget, 0, 1, 01600));
}
static int queues(void)
{
    return done(CALL(SYS_msgget, 0, 01600));
}
static int posix_queue(void)
{
    return done(CALL(SYS_mq_open, "reeve", O_CREAT | O_RDWR, 0600, 0));
}
static int type_with(unsigned long request)
{
    char c = 'x';
    return done(CALL(SYS_ioctl, 0, request, &c));
}
static int type_for_operator(void)
{
    return type_with(0x5412);
}
static int type_high_bits(void)
{
    return type_with(0x5412 | 1UL << 32);
}
static int paste_for_operator(void)
{
    return type_with(0x541c);
}
static int signals_by_descriptor(void)
{
    return done(CALL(SYS_fcntl, 3, F_SETOWN, 1));
}
static int lease(void)
{
    return done(CALL(SYS_fcntl, 3, F_SETLEASE, F_RDLCK));
}

/* Its own namespace has no socket with a name; the host's has the caller's. */
static int network_namespace_name(void)
{
    static char text[65536];
    long fd = CALL(SYS_openat, AT_FDCWD, "/proc/self/net/unix", O_RDONLY, 0), n;
    if (fd < 0)
        return HARMLESS;
    n = CALL(SYS_read, fd, text, sizeof(text) - 1);
    return n > 0 && strstr(text, "reeve-escape") != NULL ? 0 : HARMLESS;
}

#define A(name)     \
    {               \
#name, name \
    }
const struct act acts_talk[] = {A(socket_inet),
                                A(socket_inet6),
                                A(connect_out),
                                A(send_out),
                                A(socket_unix),
                                A(socket_netlink),
                                A(socket_packet),
                                A(socket_vsock),
                                A(socket_alg),
                                A(socket_bluetooth),
                                A(socket_key),
                                A(socket_high_bits),
                                A(socket_vsock_high_bits),
                                A(socketpair_unix),
                                A(socketpair_inet),
                                A(abstract_socket),
                                A(path_socket),
                                A(pass_descriptor),
                                A(uring),
                                A(uring_register),
                                A(take_descriptor),
                                A(signal_all),
                                A(signal_parent),
                                A(signal_numbers),
                                A(shared_memory),
                                A(semaphores),
                                A(queues),
                                A(posix_queue),
                                A(type_for_operator),
                                A(type_high_bits),
                                A(paste_for_operator),
                                A(signals_by_descriptor),
                                A(lease),
                                A(network_namespace_name),
                                {NULL, NULL}};
