/*
 * file.c: bounded reading, atomic writing, who may write, directories.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/cm.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/file.h"
#include "sandbox/os/sys.h"

struct place {
    char path[64];
    int fd;
};

static int set_up(void **state)
{
    static struct place p;
    (void)snprintf(p.path, sizeof p.path, "/tmp/reeve-file.XXXXXX");
    if (!mkdtemp(p.path))
        return -1;
    p.fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = &p;
    return p.fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[100];
    fd_close(&p->fd);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", p->path);
    return system(command);
}

static void assert_content(int dirfd, const char *name, const char *want)
{
    char *text;
    size_t len;
    struct err err = ERR_INIT;
    if (file_read(dirfd, name, 1 << 20, &text, &len, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(len, strlen(want));
    assert_string_equal(text, want);
    free(text);
}

static void reads_within_its_bound(void **state)
{
    struct place *p = *state;
    struct err err = ERR_INIT;
    char *text, big[70001];
    size_t len;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    assert_int_equal(file_write(p->fd, "big", str_of(big), 0600, &err), 0);
    assert_content(p->fd, "big", big);
    assert_int_equal(file_read(p->fd, "big", 70000, &text, &len, &err), 0);
    free(text);
    assert_int_equal(file_read(p->fd, "big", 69999, &text, &len, &err), -EFBIG);
    assert_non_null(strstr(err.text, "\"big\""));
    assert_non_null(strstr(err.text, "69999"));
    assert_int_equal(file_read(p->fd, "big", 0, &text, &len, &err), -EFBIG);
    assert_int_equal(file_write(p->fd, "empty", STR_NONE, 0600, &err), 0);
    assert_int_equal(file_read(p->fd, "empty", 0, &text, &len, &err), 0);
    assert_int_equal(len, 0);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(file_read(p->fd, "none", 10, &text, &len, &err), -ENOENT);
}

static void reads_files_alone(void **state)
{
    struct place *p = *state;
    struct err err = ERR_INIT;
    char *text;
    size_t len;
    assert_int_equal(mkfifoat(p->fd, "fifo", 0600), 0);
    assert_int_equal(file_read(p->fd, "fifo", 10, &text, &len, &err),
                     -EINVAL); /* and does not wait */
    assert_int_equal(file_read(p->fd, ".", 10, &text, &len, &err), -EISDIR);
    assert_int_equal(file_read(AT_FDCWD, "/dev/zero", 10, &text, &len, &err), -EINVAL);
    /* A descriptor may be a pipe: secrets come so. */
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], "secret", 6), 6);
    close(fds[1]);
    assert_int_equal(file_read_fd(fds[0], "secret 1", 10, &text, &len, &err), 0);
    assert_string_equal(text, "secret");
    free(text);
    close(fds[0]);
}

static void writes_whole_files(void **state)
{
    struct place *p = *state;
    struct err err = ERR_INIT;
    char path[100];
    struct stat st;
    mode_t old = umask(077);
    assert_int_equal(file_write(p->fd, "a", STR("one"), 0644, &err), 0);
    (void)umask(old);
    assert_content(p->fd, "a", "one");
    assert_int_equal(fstatat(p->fd, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0644); /* exact, whatever the umask */
    assert_int_equal(file_write(p->fd, "a", STR("second"), 0600, &err), 0);
    assert_content(p->fd, "a", "second");
    (void)snprintf(path, sizeof path, "%s/b", p->path);
    assert_int_equal(file_write(AT_FDCWD, path, STR("b"), 0600, &err), 0);
    assert_content(p->fd, "b", "b");
    /* A link in its place is replaced, not followed. */
    assert_int_equal(symlinkat("a", p->fd, "link"), 0);
    assert_int_equal(file_write(p->fd, "link", STR("mine"), 0600, &err), 0);
    assert_content(p->fd, "a", "second");
    assert_content(p->fd, "link", "mine");
    assert_int_equal(file_write(p->fd, "no/such", STR("b"), 0600, &err), -ENOENT);
    char **names;
    size_t count;
    assert_int_equal(file_names(p->fd, "", 100, &names, &count, &err), 0);
    assert_int_equal(count, 3); /* nothing temporary is left */
    file_names_free(names, count);
}

static void says_who_else_may_write(void **state)
{
    struct place *p = *state;
    static const struct {
        mode_t mode;
        uid_t uid;
        uid_t owner;
        const char *says; /* NULL: fine */
    } rows[] = {
        {0644, 0, 1000, NULL},
        {0600, 1000, 1000, NULL},
        {0755, 0, 0, NULL},
        {0664, 0, 1000, "group"},
        {0646, 0, 1000, "everybody"},
        {0666, 1000, 1000, "everybody"},
        {0600, 1001, 1000, "user 1001"},
        {0600, 1000, 0, "user 1000"},
    };
    struct err err = ERR_INIT;
    if (geteuid() != 0)
        skip();
    for (int what = 0; what < 2; what++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            if (what == 0)
                assert_int_equal(file_write(p->fd, "f", STR(""), 0600, &err), 0);
            else if (i == 0)
                assert_int_equal(mkdirat(p->fd, "d", 0700), 0);
            int fd = openat(p->fd, what ? "d" : "f", O_RDONLY | O_CLOEXEC);
            assert_true(fd >= 0);
            assert_int_equal(fchown(fd, rows[i].uid, 0), 0);
            assert_int_equal(fchmod(fd, rows[i].mode), 0);
            int r = file_check_owner(fd, "it", rows[i].owner, &err);
            assert_row(r == (rows[i].says ? -EPERM : 0), i, "%d", r);
            assert_row(!rows[i].says || strstr(err.text, rows[i].says), i, "%s", err.text);
            close(fd);
        }
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(file_check_owner(null, "null", 0, &err), -EPERM);
    close(null);
}

static void lists_names(void **state)
{
    struct place *p = *state;
    struct err err = ERR_INIT;
    char **names, name[32];
    size_t count;
    static const char *const make[] = {"b.yaml",  "a.yaml", "A.yaml",   ".hidden.yaml",
                                       "c.cedar", "yaml",   "\xff.yaml"};
    assert_int_equal(file_names(p->fd, ".yaml", 10, &names, &count, &err), 0);
    assert_int_equal(count, 0);
    file_names_free(names, count);
    for (size_t i = 0; i < ARRAY_LEN(make); i++)
        assert_int_equal(file_write(p->fd, make[i], STR(""), 0600, &err), 0);
    for (int again = 0; again < 2; again++) { /* the descriptor's position is not used up */
        assert_int_equal(file_names(p->fd, ".yaml", 4, &names, &count, &err), 0);
        assert_int_equal(count, 4);
        assert_string_equal(names[0], "A.yaml");
        assert_string_equal(names[1], "a.yaml");
        assert_string_equal(names[2], "b.yaml");
        assert_string_equal(names[3], "\xff.yaml");
        file_names_free(names, count);
    }
    assert_int_equal(file_names(p->fd, ".yaml", 3, &names, &count, &err), -E2BIG);
    for (int i = 0; i < 600; i++) {
        (void)snprintf(name, sizeof name, "%03d-a-longer-name.x", i);
        int fd = openat(p->fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    assert_int_equal(file_names(p->fd, ".x", 1000, &names, &count, &err), 0);
    assert_int_equal(count, 600);
    assert_string_equal(names[599], "599-a-longer-name.x");
    file_names_free(names, count);
    assert_int_equal(file_names(-1, ".x", 1000, &names, &count, &err), -EBADF);
}

static void makes_directories(void **state)
{
    struct place *p = *state;
    struct err err = ERR_INIT;
    char path[200];
    (void)snprintf(path, sizeof path, "%s/a//b/c/", p->path);
    assert_int_equal(file_mkdirs(path, 0700, &err), 0);
    assert_int_equal(file_mkdirs(path, 0700, &err), 0);
    (void)snprintf(path, sizeof path, "%s/f", p->path);
    assert_int_equal(file_write(p->fd, "f", STR(""), 0600, &err), 0);
    assert_int_equal(file_mkdirs(path, 0700, &err), -ENOTDIR);
    (void)snprintf(path, sizeof path, "%s/f/g", p->path);
    assert_int_equal(file_mkdirs(path, 0700, &err), -ENOTDIR);
    assert_int_equal(file_mkdirs("", 0700, &err), -EINVAL);
    assert_int_equal(file_mkdirs("/", 0700, &err), 0);
}

static void finds_the_program(void **state)
{
    char dir[4096], exe[4096], small[3];
    struct err err = ERR_INIT;
    (void)state;
    assert_int_equal(file_program_dir(dir, sizeof dir, &err), 0);
    (void)snprintf(exe, sizeof exe, "%.4000s/.", dir);
    assert_int_equal(access(exe, X_OK), 0);
    assert_int_equal(file_program_dir(small, sizeof small, &err), -ENAMETOOLONG);
}

#define WITH_PLACE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(reads_within_its_bound),
        WITH_PLACE(reads_files_alone),
        WITH_PLACE(writes_whole_files),
        WITH_PLACE(says_who_else_may_write),
        WITH_PLACE(lists_names),
        WITH_PLACE(makes_directories),
        cmocka_unit_test(finds_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
