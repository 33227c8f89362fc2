/*
 * worker.c: the client library and the pure parts of the agent loop with allocation N failing, and
 * with system call N failing: an error each time, nothing lost, until it passes untouched.
 */
#include "tests/lib/cm.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/sys.h"
#include "tests/lib/oom.h"
#include "worker/prompt.h"
#include "worker/reeve.h"
#include "worker/surface.h"
#include "worker/talk.h"

static const struct str reply_text =
    STR("{\"choices\":[{\"message\":{\"content\":[{\"text\":\"a\"}],\"tool_calls\":["
        "{\"function\":{\"name\":\"s__get\",\"arguments\":\"{\\\"a\\\":[1,2]}\"}},{\"id\":\"x\","
        "\"function\":{\"name\":\"b\",\"arguments\":\"{bad\"}}]}}]}");
static const struct str tools_text = STR(
    "{\"tools\":[{\"name\":\"a.b\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"a__b\"}]}");

static int pass_reply(void *ctx)
{
    const struct json *v;
    struct chat_reply r;
    struct arena a;
    struct talk t;
    struct err err = ERR_INIT;
    int rc;

    (void)ctx;
    arena_init(&a, 1 << 20);
    talk_init(&t, 1 << 20);
    rc = json_parse(&a, reply_text, &JSON_LIMITS_DEFAULT, &v, NULL, &err);
    if (rc >= 0)
        rc = chat_reply_parse(&a, v, 1, &r, &err);
    if (rc >= 0)
        rc = talk_reply(&t, &r, &err);
    if (rc >= 0)
        rc = talk_result(&t, STR("x"), STR("ok"), &err);
    talk_release(&t);
    arena_release(&a);
    return rc;
}

static int pass_surface(void *ctx)
{
    struct surface s = {0};
    const struct json *v;
    struct arena a;
    struct buf out;
    struct jout j;
    struct err err = ERR_INIT;
    int rc;

    (void)ctx;
    arena_init(&a, 1 << 20);
    buf_init(&out, 1 << 20);
    rc = json_parse(&a, tools_text, &JSON_LIMITS_DEFAULT, &v, NULL, &err);
    if (rc >= 0)
        rc = surface_add(&s, v, &err);
    if (rc >= 0)
        rc = surface_finish(&s, &err);
    if (rc >= 0) {
        jout_begin(&j, &out);
        surface_put(&s, &j);
        rc = jout_end(&j);
    }
    buf_release(&out);
    surface_release(&s);
    arena_release(&a);
    return rc;
}

/* A whole short run; the broker's answers lie in the socket already. */
static int run(struct err *err)
{
    static const char answers[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"run\":1,\"event\":{}}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"note\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"done\":false,\"step\":7}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":6,\"result\":{}}\n";
    struct reeve_tool_call calls[2] = {{.name = STR("a.b")}, {.name = STR("a.c")}};
    struct reeve_answer a = REEVE_ANSWER_INIT;
    struct reeve_step step;
    struct reeve *r = NULL;
    int fds[2], rc;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(send(fds[1], answers, sizeof(answers) - 1, 0), sizeof(answers) - 1);
    rc = reeve_open(fds[0], &r, err);
    if (rc >= 0)
        rc = reeve_begin(r, true, err);
    if (rc >= 0)
        rc = reeve_step_begin(r, "k", STR("1"), &step, &a, err);
    if (rc >= 0)
        rc = reeve_step_end(r, &step, STR("2"), err);
    if (rc >= 0)
        rc = reeve_tools(r, calls, 2, err);
    if (rc >= 0)
        rc = reeve_end(r, STR("{}"), err);
    reeve_answer_release(&a);
    reeve_answer_release(&calls[0].answer);
    reeve_answer_release(&calls[1].answer);
    reeve_close(r);
    fd_close(&fds[1]);
    assert_int_equal(err->number, -rc);
    return rc;
}

static int pass_client(void *ctx)
{
    struct err err = ERR_INIT;

    (void)ctx;
    return run(&err);
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(oom_walk(pass_reply, NULL) > 3);
    assert_true(oom_walk(pass_surface, NULL) > 3);
    assert_true(oom_walk(pass_client, NULL) > 8);
}

/* ---- system calls ---------------------------------------------------------------------------- */

static struct { /* one test at a time */
    unsigned at, count;
    bool forever;
} fault;

static bool fails(void)
{
    unsigned n = ++fault.count;

    return n == fault.at || (fault.forever && n > fault.at);
}

static ssize_t bad_sendmsg(int fd, const struct msghdr *m, int flags)
{
    return fails() ? -EIO : sys_real.sendmsg(fd, m, flags);
}

static ssize_t bad_recvmsg(int fd, struct msghdr *m, int flags)
{
    return fails() ? -EIO : sys_real.recvmsg(fd, m, flags);
}

static int bad_poll(struct pollfd *p, size_t n, int timeout_ms)
{
    return fails() ? -EIO : sys_real.poll(p, n, timeout_ms);
}

static void test_calls(void **state)
{
    int rc;

    (void)state;
    for (fault.at = 1;; fault.at++) {
        for (fault.forever = false;; fault.forever = true) {
            struct err err = ERR_INIT;

            fault.count = 0;
            sys.sendmsg = bad_sendmsg;
            sys.recvmsg = bad_recvmsg;
            sys.poll = bad_poll;
            rc = run(&err);
            sys = sys_real;
            if (fault.count < fault.at)
                break;
            assert_int_equal(rc, -EIO);
            assert_non_null(strstr(err.text, "broker"));
            if (fault.forever)
                break;
        }
        if (fault.count < fault.at)
            break;
    }
    assert_int_equal(rc, 0);
    assert_true(fault.at > 6);
}

/* Few bytes at a time, both ways, and "not now" before each. */
static ssize_t slow_sendmsg(int fd, const struct msghdr *m, int flags)
{
    struct iovec one = {m->msg_iov->iov_base, MIN(m->msg_iov->iov_len, 16u)};
    struct msghdr small = {.msg_iov = &one, .msg_iovlen = 1};

    return ++fault.count % 2 ? -EAGAIN : sys_real.sendmsg(fd, &small, flags);
}

static ssize_t slow_recvmsg(int fd, struct msghdr *m, int flags)
{
    struct iovec one = {m->msg_iov->iov_base, 1};
    struct msghdr small = {.msg_iov = &one, .msg_iovlen = 1};

    return ++fault.count % 2 ? -EAGAIN : sys_real.recvmsg(fd, &small, flags);
}

static void test_slow(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    fault.count = 0;
    sys.sendmsg = slow_sendmsg;
    sys.recvmsg = slow_recvmsg;
    assert_int_equal(run(&err), 0);
    sys = sys_real;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
