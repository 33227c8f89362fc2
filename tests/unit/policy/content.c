/*
 * content.c: goal: a workflow's content is its program and the files among its arguments, wherever
 * they lie inside; other bytes are told, unreadable ones are not guessed.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/content.h"
#include "tests/lib/cm.h"

struct lab {
    char dir[64];
    char program[96], script[96], data[96];
};

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int setup(void **state)
{
    struct lab *l = calloc(1, sizeof(*l));
    snprintf(l->dir, sizeof(l->dir), "/tmp/reeve-content.XXXXXX");
    if (!l || !mkdtemp(l->dir))
        return -1;
    snprintf(l->program, sizeof(l->program), "%s/program", l->dir);
    snprintf(l->script, sizeof(l->script), "%s/main.py", l->dir);
    snprintf(l->data, sizeof(l->data), "%s/data", l->dir);
    put(l->program, "#!/bin/true\n");
    put(l->script, "print(1)\n");
    put(l->data, "1\n");
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    struct lab *l = *state;
    unlink(l->program);
    unlink(l->script);
    unlink(l->data);
    rmdir(l->dir);
    free(l);
    return 0;
}

static struct workflow workflow_of(const struct lab *l, const struct str *args, size_t n,
                                   const struct house_file *files, size_t count)
{
    return (struct workflow){
        .name = STR("w"),
        .is_program = true,
        .program = {.program = str_of(l->program), .args = {args, n}, .files = {files, count}}};
}

static void which_files(void **state)
{
    struct lab *l = *state;
    const struct house_file files[] = {{.path = str_of(l->dir), .at = STR("/app")},
                                       {.path = str_of(l->data), .at = STR("/data"), .write = true},
                                       {.path = STR("/nowhere"), .at = STR("/nothing")}};
    const struct str args[] = {STR("-u"),   STR("/app/main.py"),   STR("/data"),
                               STR("/app"), STR("/apple/main.py"), STR("/nothing/x")};
    struct workflow w = workflow_of(l, args, ARRAY_LEN(args), files, ARRAY_LEN(files));
    struct content c;
    content_read(&w, &c);
    assert_int_equal(c.count, 4); /* the program, the script, the directory, what is not there */
    assert_str(c.files[0].path, l->program);
    assert_str(c.files[1].path, l->script);
    assert_str(c.files[2].path, l->dir);
    assert_str(c.files[3].path, "/nowhere/x");
    struct digest want = digest_of(STR("print(1)\n")), zero = {0};
    assert_true(digest_eq(&c.files[1].digest, &want));
    assert_true(digest_eq(&c.files[2].digest, &zero));
    assert_true(digest_eq(&c.files[3].digest, &zero));
    w.is_program = false;
    content_read(&w, &c);
    assert_int_equal(c.count, 0);
}

static void stamps_and_differences(void **state)
{
    struct lab *l = *state;
    const struct house_file files[] = {{.path = str_of(l->dir)}};
    const struct str args[] = {str_of(l->script)};
    struct workflow w = workflow_of(l, args, 1, files, 1);
    struct digest a, b;
    struct content before, after;
    content_stamp(&w, &a);
    content_stamp(&w, &b);
    assert_true(digest_eq(&a, &b));
    content_read(&w, &before);
    put(l->script, "print(22)\n");
    content_stamp(&w, &b);
    assert_false(digest_eq(&a, &b));
    content_read(&w, &after);
    const struct version_file *f =
        content_differs(before.files, before.count, after.files, after.count);
    assert_non_null(f);
    assert_str(f->path, l->script);
    assert_null(content_differs(before.files, before.count, before.files, before.count));
    unlink(l->script); /* unknown is not different */
    content_read(&w, &after);
    assert_null(content_differs(before.files, before.count, after.files, after.count));
}

static void large_files_are_read_whole(void **state)
{
    struct lab *l = *state;
    struct workflow w = workflow_of(l, NULL, 0, NULL, 0);
    size_t size = 300001;
    char *text = malloc(size + 1);
    struct content c;
    memset(text, 'x', size);
    text[size] = '\0';
    put(l->program, text);
    content_read(&w, &c);
    struct digest want = digest_of((struct str){text, size});
    assert_true(digest_eq(&c.files[0].digest, &want));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(which_files, setup, teardown),
        cmocka_unit_test_setup_teardown(stamps_and_differences, setup, teardown),
        cmocka_unit_test_setup_teardown(large_files_are_read_whole, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
