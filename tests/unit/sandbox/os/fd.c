/*
 * fd.c: ownership, whole reads and writes, descriptors over sockets.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/cm.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

static void closes_and_takes(void **state)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)state;
    int taken = fd_take(&fd);
    assert_int_equal(fd, -1);
    fd_close(&fd); /* none: nothing happens */
    assert_true(taken >= 0);
    int number = taken;
    fd_close(&taken);
    assert_int_equal(taken, -1);
    assert_int_equal(fcntl(number, F_GETFD), -1);
    {
        FD_AUTO int scoped = open("/dev/null", O_RDWR | O_CLOEXEC);
        number = scoped;
    }
    assert_int_equal(fcntl(number, F_GETFD), -1);
}

static int closes;
static int close_interrupted(int fd)
{
    closes++;
    (void)close(fd);
    return -EINTR;
}

static void close_is_never_retried(void **state)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)state;
    closes = 0;
    sys.close = close_interrupted;
    fd_close(&fd);
    sys = sys_real;
    assert_int_equal(closes, 1);
    assert_int_equal(fd, -1);
}

static void sets_flags(void **state)
{
    int fd = open("/dev/null", O_RDWR);
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(fd_set_cloexec(fd, true, &err), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fd_set_cloexec(fd, false, &err), 0);
    assert_int_equal(fcntl(fd, F_GETFD), 0);
    assert_int_equal(fd_set_nonblock(fd, true, &err), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fd_set_nonblock(fd, false, &err), 0);
    assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
    fd_close(&fd);
    assert_int_equal(fd_set_nonblock(fd, true, &err), -EBADF);
    assert_non_null(strstr(err.text, "EBADF"));
}

static ssize_t write_one(int fd, const void *p, size_t n)
{
    return sys_real.write(fd, p, MIN(n, (size_t)1));
}
static ssize_t write_none(int fd, const void *p, size_t n)
{
    (void)fd;
    (void)p;
    (void)n;
    return 0;
}

static void writes_and_reads_all(void **state)
{
    int fds[2];
    char got[6] = {0};
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    sys.write = write_one;
    assert_int_equal(fd_write_all(fds[1], "hello", 5, &err), 0);
    sys.write = write_none;
    assert_int_equal(fd_write_all(fds[1], "hello", 5, &err), -EIO); /* no endless loop */
    sys = sys_real;
    assert_int_equal(fd_read_all(fds[0], got, 5, &err), 0);
    assert_string_equal(got, "hello");
    assert_int_equal(fd_write_all(fds[1], "ab", 2, &err), 0);
    fd_close(&fds[1]);
    assert_int_equal(fd_read_all(fds[0], got, 3, &err), -EPIPE);
    assert_non_null(strstr(err.text, "1 bytes early"));
    fd_close(&fds[0]);
    assert_int_equal(fd_read_all(fds[0], got, 3, &err), -EBADF);
}

static void passes_descriptors(void **state)
{
    int pair[2], sent[FD_PASS_MAX + 1], got[FD_PASS_MAX];
    size_t count = 99;
    char bytes[10];
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i <= FD_PASS_MAX; i++)
        sent[i] = pair[0];
    assert_int_equal(fd_send(pair[0], "abc", 3, sent, FD_PASS_MAX + 1, &err), -EMSGSIZE);
    assert_int_equal(fd_send(pair[0], "abc", 3, sent, FD_PASS_MAX, &err), 3);
    assert_int_equal(fd_recv(pair[1], bytes, sizeof bytes, got, &count, &err), 3);
    assert_int_equal(count, FD_PASS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
        fd_close(&got[i]);
    }
    assert_int_equal(fd_send(pair[0], "d", 1, NULL, 0, &err), 1);
    assert_int_equal(fd_recv(pair[1], bytes, sizeof bytes, got, &count, &err), 1);
    assert_int_equal(count, 0);
    assert_int_equal(fd_set_nonblock(pair[1], true, &err), 0);
    assert_int_equal(fd_recv(pair[1], bytes, sizeof bytes, got, &count, &err), -EAGAIN);
    fd_close(&pair[0]);
    assert_int_equal(fd_recv(pair[1], bytes, sizeof bytes, got, &count, &err), 0);
    assert_int_equal(fd_send(pair[1], "x", 1, NULL, 0, &err), -EPIPE); /* and no SIGPIPE */
    fd_close(&pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closes_and_takes),   cmocka_unit_test(close_is_never_retried),
        cmocka_unit_test(sets_flags),         cmocka_unit_test(writes_and_reads_all),
        cmocka_unit_test(passes_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
