/*
 * os_file.c: files, sockets, processes: system call N fails, allocation N fails. Nothing leaks, the
 * error is told, a file is the old one or the new one.
 */
#include <dirent.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/cm.h"
#include "tests/lib/fail.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/file.h"
#include "sandbox/os/proc.h"
#include "sandbox/os/sock.h"

static char place[64];
static int dir = -1;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(place, sizeof place, "/tmp/reeve-fault.XXXXXX");
    if (!mkdtemp(place))
        return -1;
    dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[100];
    (void)state;
    (void)close(dir);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", place);
    return system(command);
}

static const struct {
    enum fail_what what;
    int number;
} kinds[] = {{FAIL_CALL, EIO},
             {FAIL_CALL, ENOSPC},
             {FAIL_CALL, EMFILE},
             {FAIL_CALL, EACCES},
             {FAIL_ALLOC, ENOMEM}};

/* What every operation is held to. */
static void check(int r, unsigned fired, const struct err *err, const struct fail_fds *before)
{
    if (r < 0) {
        assert_true(fired > 0);
        assert_int_equal(err->number, -r);
        assert_true(err->text[0] != '\0');
    }
    assert_true(fail_fds_same(before));
}

/* Hidden ones too: a temporary file that is left would be one. They are removed. */
static size_t count_temporaries(void)
{
    struct dirent *d;
    size_t count = 0;
    DIR *list = opendir(place);
    assert_non_null(list);
    while ((d = readdir(list))) {
        if (str_ends(str_of(d->d_name), STR(".tmp")))
            count += unlinkat(dir, d->d_name, 0) == 0;
    }
    closedir(list);
    return count;
}

static bool content_is(const char *name, const char *want)
{
    char *text;
    size_t len;
    assert_int_equal(file_read(dir, name, 1000, &text, &len, NULL), 0);
    bool same = strcmp(text, want) == 0;
    free(text);
    return same;
}

static void file_write_is_all_or_nothing(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        unsigned failures = 0;
        for (fail_first(kinds[k].what, kinds[k].number); fail_next();) {
            struct err err = ERR_INIT;
            assert_int_equal(file_write(dir, "f", STR("old"), 0600, &err), 0);
            struct fail_fds before = fail_fds();
            fail_arm();
            int r = file_write(dir, "f", STR("new"), 0600, &err);
            unsigned fired = fail_disarm();
            check(r, fired, &err, &before);
            failures += r < 0;
            assert_true(r < 0 ? content_is("f", "old") || content_is("f", "new")
                              : content_is("f", "new"));
            /* Left only where removing it is what failed. */
            assert_true(count_temporaries() == 0 || fail_state.forever);
        }
        assert_true(failures >= (kinds[k].what == FAIL_CALL ? 7 : 0));
    }
}

static void file_read_tells(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        unsigned failures = 0;
        for (fail_first(kinds[k].what, kinds[k].number); fail_next();) {
            struct err err = ERR_INIT;
            char *text = NULL;
            size_t len;
            assert_int_equal(file_write(dir, "f", STR("text"), 0600, &err), 0);
            struct fail_fds before = fail_fds();
            fail_arm();
            int r = file_read(dir, "f", 1000, &text, &len, &err);
            unsigned fired = fail_disarm();
            check(r, fired, &err, &before);
            failures += r < 0;
            if (r == 0)
                assert_string_equal(text, "text");
            else
                assert_null(text);
            free(text);
        }
#ifdef FAIL_ALLOC_IS_OFF
        if (kinds[k].what == FAIL_ALLOC)
            continue;
#endif
        assert_true(failures > 0);
    }
}

static void file_names_tells(void **state)
{
    (void)state;
    assert_int_equal(file_write(dir, "a.yaml", STR(""), 0600, NULL), 0);
    assert_int_equal(file_write(dir, "b.yaml", STR(""), 0600, NULL), 0);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (fail_first(kinds[k].what, kinds[k].number); fail_next();) {
            struct err err = ERR_INIT;
            char **names = NULL;
            size_t count = 0;
            struct fail_fds before = fail_fds();
            fail_arm();
            int r = file_names(dir, ".yaml", 10, &names, &count, &err);
            unsigned fired = fail_disarm();
            check(r, fired, &err, &before);
            assert_int_equal(count, r < 0 ? 0 : 2);
            file_names_free(names, count);
        }
    }
}

static void sock_listen_tells(void **state)
{
    char path[100];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/s", place);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        unsigned failures = 0;
        for (fail_first(kinds[k].what, kinds[k].number); fail_next();) {
            struct err err = ERR_INIT;
            int fd = -1;
            /* An old socket of nobody is in the way. */
            (void)unlink(path);
            assert_int_equal(sock_listen(path, 0600, &fd, &err), 0);
            fd_close(&fd);
            struct fail_fds before = fail_fds();
            fail_arm();
            int r = sock_listen(path, 0600, &fd, &err);
            unsigned fired = fail_disarm();
            assert_int_equal(r < 0, fd < 0);
            fd_close(&fd);
            check(r, fired, &err, &before);
            failures += r < 0;
        }
        assert_true(failures >= (kinds[k].what == FAIL_CALL ? 8 : 0));
    }
}

static void sock_connect_and_pair_tell(void **state)
{
    char path[100];
    int server;
    (void)state;
    (void)snprintf(path, sizeof path, "%s/s", place);
    assert_int_equal(sock_listen(path, 0600, &server, NULL), 0);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (fail_first(kinds[k].what, kinds[k].number); fail_next();) {
            struct err err = ERR_INIT;
            int fd = -1, pair[2] = {-1, -1};
            struct sock_peer peer;
            struct fail_fds before = fail_fds();
            fail_arm();
            int r = sock_connect(path, &fd, &err);
            if (r == 0)
                r = sock_peer(fd, &peer, &err);
            if (r == 0)
                r = sock_pair(pair, false, &err);
            unsigned fired = fail_disarm();
            fd_close(&fd);
            fd_close(&pair[0]);
            fd_close(&pair[1]);
            check(r, fired, &err, &before);
        }
    }
    fd_close(&server);
}

static void proc_spawn_tells(void **state)
{
    const char *argv[] = {"true", NULL}, *env[] = {NULL};
    int fds[] = {-1, 1, 2};
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (fail_first(kinds[k].what, kinds[k].number); fail_next();) {
            struct err err = ERR_INIT;
            struct proc_exit e = {0};
            int pidfd = -1;
            struct fail_fds before = fail_fds();
            fail_arm();
            int r = proc_spawn(&(struct proc_spawn){"/bin/true", argv, env, fds, 3}, NULL, &pidfd,
                               &err);
            unsigned fired = fail_disarm();
            if (r == 0) {
                assert_int_equal(proc_wait(pidfd, true, &e, &err), 0);
                assert_false(e.by_signal || e.code);
            }
            fd_close(&pidfd);
            check(r, fired, &err, &before);
            /* And no child is left that nobody knows of. */
            assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        }
    }
}

#define WITH_PLACE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(file_write_is_all_or_nothing),
        WITH_PLACE(file_read_tells),
        WITH_PLACE(file_names_tells),
        WITH_PLACE(sock_listen_tells),
        WITH_PLACE(sock_connect_and_pair_tell),
        cmocka_unit_test(proc_spawn_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
