/*
 * ns.c: namespaces that are kept: made by a child that is gone again, whatever happens to its
 * parent meanwhile.
 */
#include "sandbox/ns.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "tests/lib/cm.h"

#define LONG_MS 20000 /* the end of a test that would hang */

/* User namespaces with everything in them: allowed to root, and to others on most hosts. */
static bool can_keep(void)
{
    struct err err = ERR_INIT;
    int fd = -1;
    bool can = ns_keep(CLONE_NEWUSER, "user", NULL, &fd, &err) == 0;

    fd_close(&fd);
    return can;
}

static void test_keep(void **state)
{
    struct err err = ERR_INIT;
    struct stat own, kept;
    int fd = -1;

    (void)state;
    if (!can_keep())
        skip();
    assert_int_equal(ns_keep(CLONE_NEWUSER, "user", NULL, &fd, &err), 0);
    assert_int_equal(fstat(fd, &kept), 0);
    assert_int_equal(stat("/proc/self/ns/user", &own), 0);
    assert_true(own.st_ino != kept.st_ino);
    fd_close(&fd);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* who made it is gone */
}

static int refuse(struct err *err)
{
    return err_set(err, EXDEV, "no");
}

static void test_prepare_fails(void **state)
{
    struct err err = ERR_INIT;
    int fd = -1;

    (void)state;
    if (!can_keep())
        skip();
    assert_int_equal(ns_keep(CLONE_NEWUSER, "user", refuse, &fd, &err), -EXDEV);
    assert_int_equal(fd, -1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int kill_parent(struct err *err)
{
    pid_t parent = getppid();

    (void)err;
    (void)kill(parent, SIGKILL);
    while (getppid() == parent) /* until it is really dead: before that a signal would still come */
        (void)poll(NULL, 0, 1);
    return 0;
}

/* reeve-spawn is killed while a namespace is being made: the child that makes it must neither stay
 * nor hold what it is a copy of, or the next reeved finds the lock of the state taken for ever. */
static void test_parent_dies(void **state)
{
    struct err err = ERR_INIT;
    int lock[2], fd = -1, status;

    (void)state;
    if (!can_keep())
        skip();
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    assert_int_equal(pipe(lock), 0);
    pid_t parent = fork();
    if (parent == 0) {
        _exit(ns_keep(CLONE_NEWUTS | CLONE_NEWUSER, "uts", kill_parent, &fd, &err) == 0);
    }
    fd_close(&lock[1]);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct pollfd held = {.fd = lock[0], .events = POLLIN};
    assert_int_equal(poll(&held, 1, LONG_MS), 1);
    assert_true((held.revents & POLLHUP) != 0); /* nobody has it any more */
    fd_close(&lock[0]);
    int n = 0;
    while (waitpid(-1, NULL, WNOHANG) >= 0 && n++ < LONG_MS)
        (void)poll(NULL, 0, 1);
    assert_true(n < LONG_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_prepare_fails),
        cmocka_unit_test(test_parent_dies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
