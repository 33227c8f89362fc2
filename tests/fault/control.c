/*
 * control.c: the control helper with system call N failing, each row in turn: one client may lose
 * its answer, or the helper its reeved; it never crashes, leaks or stops serving the next one.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/os/sys.h"
#include "tests/lib/control_lab.h"

static struct {
    bool is_armed;
    int number; /* errno */
    int at, count;
} plan;

static int decide(void)
{
    if (!plan.is_armed || ++plan.count != plan.at)
        return 0;
    return -plan.number;
}

static int failing_accept(int fd, int flags)
{
    int e = decide();
    return e ? e : sys_real.accept(fd, flags);
}

static int failing_getsockopt(int fd, int level, int name, void *v, socklen_t *n)
{
    int e = decide();
    return e ? e : sys_real.getsockopt(fd, level, name, v, n);
}

static int failing_epoll_ctl(int ep, int op, int fd, struct epoll_event *event)
{
    int e = op == EPOLL_CTL_DEL ? 0 : decide();
    return e ? e : sys_real.epoll_ctl(ep, op, fd, event);
}

static ssize_t failing_sendmsg(int fd, const struct msghdr *m, int flags)
{
    int e = decide();
    return e ? e : sys_real.sendmsg(fd, m, flags);
}

static ssize_t failing_recvmsg(int fd, struct msghdr *m, int flags)
{
    int e = decide();
    return e ? e : sys_real.recvmsg(fd, m, flags);
}

static void play(struct lab *lab, int64_t run)
{
    char follow[96];
    struct buf out;
    const char *const TEXTS[] = {
        "GET /v1/runs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "POST /v1/runs/1/pause HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
        "2\r\n\r\n{}",
        follow,
    };
    int fds[ARRAY_LEN(TEXTS)];
    snprintf(follow, sizeof(follow), "GET /v1/runs/%" PRId64 "/follow HTTP/1.1\r\nHost: x\r\n\r\n",
             run);
    buf_init(&out, 1u << 20);
    plan.is_armed = true;
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        fds[i] = lab_connect(lab);
        lab_send(lab, fds[i], str_of(TEXTS[i]));
    }
    lab_idle(lab);
    lab_advance(lab, 6000); /* whatever was put off: accepting, a look at the run */
    plan.is_armed = false;
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        (void)lab_read(lab, fds[i], &out);
        close(fds[i]);
    }
    buf_release(&out);
}

static void walk(int number)
{
    int fails = 0;
    for (plan.at = 1;; plan.at++) {
        struct lab *lab = lab_new(NULL);
        int64_t run = tmpstore_run(lab->store, "w");
        must_ok(lab->store, store_commit(lab->store->store, &lab->store->err));
        lab_config(lab, NULL);
        plan.number = number;
        plan.count = 0;
        play(lab, run);
        bool was_reached = plan.count >= plan.at;
        lab_advance(lab, 1000);
        if (!lab->is_lost)
            assert_int_equal(lab_request(lab, "GET", "/v1/runs", NULL), 200);
        lab_free(lab);
        fails += was_reached;
        if (!was_reached || fails == 200)
            break;
    }
    assert_true(fails > 0);
}

static int put_back(void **state)
{
    (void)state;
    sys = sys_real;
    plan.is_armed = false;
    return 0;
}

static void accept_fails(void **state)
{
    (void)state;
    sys.accept = failing_accept;
    walk(EMFILE);
    walk(ECONNABORTED);
}

static void getsockopt_fails(void **state)
{
    (void)state;
    sys.getsockopt = failing_getsockopt;
    walk(ENOTCONN);
}

static void epoll_ctl_fails(void **state)
{
    (void)state;
    sys.epoll_ctl = failing_epoll_ctl;
    walk(ENOSPC);
}

static void sendmsg_fails(void **state)
{
    (void)state;
    sys.sendmsg = failing_sendmsg;
    walk(EPIPE);
    walk(EAGAIN);
}

static void recvmsg_fails(void **state)
{
    (void)state;
    sys.recvmsg = failing_recvmsg;
    walk(ECONNRESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(accept_fails, put_back),
        cmocka_unit_test_teardown(getsockopt_fails, put_back),
        cmocka_unit_test_teardown(epoll_ctl_fails, put_back),
        cmocka_unit_test_teardown(sendmsg_fails, put_back),
        cmocka_unit_test_teardown(recvmsg_fails, put_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
