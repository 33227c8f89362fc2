/*
 * sock.c: listening, connecting, whose socket it is.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/cm.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"

static char place[64], path[80];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(place, sizeof place, "/tmp/reeve-sock.XXXXXX");
    if (!mkdtemp(place))
        return -1;
    (void)snprintf(path, sizeof path, "%s/s", place);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(place);
}

static mode_t mode_of(const char *p)
{
    struct stat st;
    assert_int_equal(lstat(p, &st), 0);
    return st.st_mode & 07777;
}

static void listens_and_connects(void **state)
{
    int server = -1, client = -1;
    char byte;
    struct err err = ERR_INIT;
    struct sock_peer peer;
    (void)state;
    mode_t old = umask(077);
    assert_int_equal(sock_listen(path, 0660, &server, &err), 0);
    (void)umask(old);
    assert_int_equal(mode_of(path), 0660);
    assert_int_equal(fcntl(server, F_GETFD), FD_CLOEXEC);
    assert_int_equal(sock_connect(path, &client, &err), 0);
    int conn = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    assert_true(conn >= 0);
    assert_int_equal(write(client, "x", 1), 1);
    assert_int_equal(read(conn, &byte, 1), 1);
    assert_int_equal(sock_peer(conn, &peer, &err), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, getuid());
    assert_int_equal(peer.gid, getgid());
    fd_close(&conn);
    fd_close(&client);
    fd_close(&server);
    assert_true(sock_peer(-1, &peer, &err) < 0);
}

static void replaces_a_dead_socket_alone(void **state)
{
    int server = -1, second = -1, client = -1;
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(sock_listen(path, 0600, &server, &err), 0);
    assert_int_equal(sock_listen(path, 0600, &second, &err), -EADDRINUSE);
    assert_int_equal(second, -1);
    /* A living server with a full queue is alive too. */
    int clients[600], n = 0;
    while (n < 600) {
        clients[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (clients[n] < 0)
            break;
        struct sockaddr_storage a;
        socklen_t len = sizeof a;
        assert_int_equal(getsockname(server, (struct sockaddr *)&a, &len), 0);
        int r = connect(clients[n++], (struct sockaddr *)&a, len);
        if (r < 0)
            break;
    }
    assert_int_equal(sock_listen(path, 0600, &second, &err), -EADDRINUSE);
    while (n > 0)
        close(clients[--n]);
    fd_close(&server);
    assert_int_equal(sock_connect(path, &client, &err), -ECONNREFUSED);
    assert_int_equal(client, -1);
    assert_int_equal(sock_listen(path, 0600, &server, &err), 0); /* nobody answers: replaced */
    fd_close(&server);
    assert_int_equal(unlink(path), 0);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(file);
    assert_int_equal(sock_listen(path, 0600, &server, &err), -EEXIST);
    assert_int_equal(unlink(path), 0);
    /* A link is not followed, wherever it leads. */
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_int_equal(sock_listen(path, 0600, &server, &err), -EEXIST);
}

static void refuses_bad_paths(void **state)
{
    int fd = -1;
    char name[200];
    struct err err = ERR_INIT;
    (void)state;
    (void)snprintf(name, sizeof name, "/tmp/%0*d", 120, 0);
    assert_int_equal(sock_listen(name, 0600, &fd, &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.text, "107"));
    assert_int_equal(sock_connect(name, &fd, &err), -ENAMETOOLONG);
    assert_int_equal(sock_listen("", 0600, &fd, &err),
                     -EINVAL); /* would be an automatic abstract name */
    assert_int_equal(sock_connect("/no/such/socket", &fd, &err), -ENOENT);
    assert_int_equal(sock_listen("/no/such/socket", 0600, &fd, &err), -ENOENT);
    assert_int_equal(fd, -1);
}

static void makes_pairs(void **state)
{
    int fds[2];
    char byte;
    struct err err = ERR_INIT;
    (void)state;
    for (int may_pass = 0; may_pass < 2; may_pass++) {
        assert_int_equal(sock_pair(fds, may_pass, &err), 0);
        assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
        assert_int_equal(write(fds[0], "x", 1), 1);
        assert_int_equal(read(fds[1], &byte, 1), 1);
        if (may_pass)
            assert_int_equal(fd_send(fds[0], "x", 1, fds, 1, &err), 1);
        fd_close(&fds[0]);
        fd_close(&fds[1]);
    }
}

#define WITH_PLACE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(listens_and_connects),
        WITH_PLACE(replaces_a_dead_socket_alone),
        cmocka_unit_test(refuses_bad_paths),
        cmocka_unit_test(makes_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
