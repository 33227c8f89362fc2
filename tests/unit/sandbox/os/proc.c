/*
 * proc.c: what a child gets, and nothing else; how it ended.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/cm.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/proc.h"
#include "sandbox/os/sys.h"

/* Runs a shell script with the descriptors; returns what it wrote to descriptor 1, in static
 * memory. */
static const char *output_of(const char *script, const int *fds, size_t n, int out,
                             struct proc_exit *e)
{
    static char text[4096];
    const char *argv[] = {"sh", "-c", script, NULL}, *env[] = {"A=1", "PATH=/bin:/usr/bin", NULL};
    struct proc_spawn s = {"/bin/sh", argv, env, fds, n};
    struct err err = ERR_INIT;
    FD_AUTO int pidfd = -1;
    pid_t pid;
    if (proc_spawn(&s, &pid, &pidfd, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(pid > 0);
    assert_true(fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
    assert_int_equal(proc_wait(pidfd, true, e, &err), 0);
    ssize_t len = read(out, text, sizeof text - 1);
    text[MAX(len, 0)] = '\0';
    return text;
}

static void gives_what_is_named(void **state)
{
    int in[2], out[2];
    struct proc_exit e;
    (void)state;
    assert_int_equal(pipe(in),
                     0); /* inheritable on purpose: all others must be closed nevertheless */
    assert_int_equal(pipe(out), 0);
    assert_int_equal(fcntl(out[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(write(in[1], "hello\n", 6), 6);
    int fds[] = {in[0], out[1], -1, in[0]};
    assert_string_equal(output_of("read x; echo $x; env | grep -c =", fds, 4, out[0], &e),
                        "hello\n3\n");
    assert_false(e.by_signal);
    assert_int_equal(e.code, 0);
    assert_true(e.max_rss_bytes > 0);
    /* 0 to 3 and no more (the shell's own `ls` opens the directory itself). */
    assert_string_equal(output_of("exec ls /proc/self/fd", fds, 4, out[0], &e), "0\n1\n2\n3\n4\n");
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(out[i]);
    }
}

/* Descriptors whose numbers are each other's targets. */
static void maps_without_clobbering(void **state)
{
    int pipes[3][2], kept[3];
    struct proc_exit e;
    (void)state;
    for (int i = 0; i < 3; i++) {
        kept[i] = dup(i); /* 0, 1, 2 are used here: put back below */
        assert_int_equal(pipe2(pipes[i], O_CLOEXEC | O_NONBLOCK), 0);
    }
    assert_int_equal(dup2(pipes[0][1], 1), 1);
    assert_int_equal(dup2(pipes[1][1], 2), 2);
    int fds[] = {-1, 2, 1}; /* crossed */
    const char *argv[] = {"sh", "-c", "echo one; echo two >&2", NULL}, *env[] = {NULL};
    struct proc_spawn s = {"/bin/sh", argv, env, fds, 3};
    FD_AUTO int pidfd = -1;
    int r = proc_spawn(&s, NULL, &pidfd, NULL);
    if (r == 0)
        r = proc_wait(pidfd, true, &e, NULL);
    assert_int_equal(dup2(kept[1], 1), 1);
    assert_int_equal(dup2(kept[2], 2), 2);
    assert_int_equal(r, 0);
    char text[16] = {0};
    assert_true(read(pipes[1][0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "one\n");
    memset(text, 0, sizeof text);
    assert_true(read(pipes[0][0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "two\n");
    for (int i = 0; i < 3; i++) {
        close(kept[i]);
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

/* The copies that are made on the way must not land on a target either. */
static void maps_many(void **state)
{
    enum { N = 12 };
    int fds[N] = {-1, -1, -1, -1, -1, -1}, ends[N], pidfd = -1;
    struct proc_exit e;
    struct err err = ERR_INIT;
    (void)state;
    for (int i = 6; i < N; i++) {
        int both[2];
        assert_int_equal(pipe2(both, O_CLOEXEC | O_NONBLOCK), 0);
        ends[i] = fcntl(both[0], F_DUPFD_CLOEXEC, 100); /* up, so that the low numbers are free */
        fds[i] = fcntl(both[1], F_DUPFD_CLOEXEC, 100);
        assert_true(ends[i] >= 100 && fds[i] >= 100);
        close(both[0]);
        close(both[1]);
    }
    const char *argv[] = {"bash", "-c", "for i in 6 7 8 9 10 11; do echo $i >&$i; done", NULL},
               *env[] = {NULL};
    if (proc_spawn(&(struct proc_spawn){"/bin/bash", argv, env, fds, N}, NULL, &pidfd, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(proc_wait(pidfd, true, &e, &err), 0);
    assert_int_equal(e.code, 0);
    for (int i = 6; i < N; i++) {
        char text[16] = {0};
        assert_true(read(ends[i], text, sizeof text - 1) > 0);
        assert_int_equal(strtol(text, NULL, 10), i);
        close(ends[i]);
        close(fds[i]);
    }
    close(pidfd);
}

static void resets_signals(void **state)
{
    int out[2];
    struct proc_exit e;
    sigset_t set, old;
    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(fcntl(out[0], F_SETFL, O_NONBLOCK), 0);
    sigfillset(&set);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    int fds[] = {-1, out[1], -1};
    const char *text =
        output_of("exec grep -E 'Sig(Blk|Ign)' /proc/self/status", fds, 3, out[0], &e);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    unsigned long long blocked, ignored;
    assert_int_equal(sscanf(text, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
    assert_int_equal(blocked, 0);
    assert_int_equal(ignored & 0x7fffffff,
                     0); /* 32 and 33 are glibc's own: it ignores them there */
    close(out[0]);
    close(out[1]);
}

static void tells_the_end(void **state)
{
    int none[] = {-1, -1, -1};
    char text[PROC_EXIT_TEXT];
    struct proc_exit e;
    (void)state;
    (void)output_of("exit 200", none, 3, -1, &e);
    proc_exit_text(&e, text);
    assert_string_equal(text, "exited with 200");
    (void)output_of("kill -SEGV $$", none, 3, -1, &e);
    assert_true(e.by_signal);
    assert_int_equal(e.code, SIGSEGV);
    proc_exit_text(&e, text);
    assert_string_equal(text, "was killed by SIGSEGV");
    e.code = 63;
    proc_exit_text(&e, text);
    assert_string_equal(text, "was killed by signal 63");
}

static void waits_without_blocking(void **state)
{
    int in[2];
    struct proc_exit e;
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    int fds[] = {in[0], -1, -1};
    const char *argv[] = {"cat", NULL}, *env[] = {NULL};
    struct proc_spawn s = {"/bin/cat", argv, env, fds, 3};
    FD_AUTO int pidfd = -1;
    assert_int_equal(proc_spawn(&s, NULL, &pidfd, &err), 0);
    assert_int_equal(proc_wait(pidfd, false, &e, &err), -EAGAIN);
    assert_int_equal(err.number, 0);
    close(in[0]);
    close(in[1]); /* the child's copy of the writing end is closed: it sees the end of file */
    assert_int_equal(proc_wait(pidfd, true, &e, &err), 0);
    assert_int_equal(proc_wait(pidfd, true, &e, &err), -ECHILD);
}

static void says_what_cannot_start(void **state)
{
    const char *argv[] = {"x", NULL}, *env[] = {NULL};
    int many[100] = {0}, bad[] = {999}, pidfd = -1;
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(
        proc_spawn(&(struct proc_spawn){"/no/such", argv, env, NULL, 0}, NULL, &pidfd, &err),
        -ENOENT);
    assert_non_null(strstr(err.text, "/no/such"));
    assert_int_equal(
        proc_spawn(&(struct proc_spawn){"cat", argv, env, NULL, 0}, NULL, &pidfd, &err), -EINVAL);
    assert_int_equal(
        proc_spawn(&(struct proc_spawn){"/bin/cat", argv, env, many, 100}, NULL, &pidfd, &err),
        -EMFILE);
    assert_int_equal(
        proc_spawn(&(struct proc_spawn){"/bin/cat", argv, env, bad, 1}, NULL, &pidfd, &err),
        -EBADF);
    assert_int_equal(pidfd, -1);
}

static void hardens_itself(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit limit;
        bool ok = proc_harden(NULL) == 0 && prctl(PR_GET_DUMPABLE) == 0 &&
                  getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0;
        _exit(ok ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_is_named),
        cmocka_unit_test(maps_without_clobbering),
        cmocka_unit_test(maps_many),
        cmocka_unit_test(resets_signals),
        cmocka_unit_test(tells_the_end),
        cmocka_unit_test(waits_without_blocking),
        cmocka_unit_test(says_what_cannot_start),
        cmocka_unit_test(hardens_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
