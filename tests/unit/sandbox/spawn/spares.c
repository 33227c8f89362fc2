/*
 * Goal: a namespace that is given again is as empty as a new one, whatever the process before left
 * behind (INV-01).
 */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/cm.h"
#include "tests/lib/spawn_lab.h"

static struct spawn_lab lab;
static char text[SPAWN_LAB_TEXT];

static int open_lab(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    if (spawn_lab_open(&lab, &err))
        return 0;
    print_error("%s\n", err.text);
    return -1;
}

static int close_lab(void **state)
{
    (void)state;
    spawn_lab_close(&lab);
    return 0;
}

/* What it finds: the namespaces' names, and how many sockets there are. */
#define LOOK                                                     \
    "import os, socket\n"                                        \
    "n = len(open('/proc/self/net/unix').read().splitlines())\n" \
    "print(os.readlink('/proc/self/ns/net'), os.readlink('/proc/self/ns/ipc'), n, flush=True)\n"

/* A name that is listened on, by a socket that no process holds: it lies in a queue of its own. */
#define LEAVE                                                            \
    "s = socket.socket(socket.AF_UNIX)\n"                                \
    "s.bind('\\0left')\n"                                                \
    "s.listen()\n"                                                       \
    "a, b = socket.socketpair()\n"                                       \
    "socket.send_fds(a, [b'x'], [s.fileno(), b.fileno(), a.fileno()])\n" \
    "os._exit(0)\n"

static void run(const char *script, char net[64], char ipc[64])
{
    struct spawn_one o;
    char python[] = "/usr/bin/python3";
    int sockets = 0;
    char *path = realpath(python, NULL);
    if (path == NULL)
        skip();
    struct start_request r = spawn_lab_shell(script);
    r.program = str_of(path);
    r.argv[0] = STR("python3");
    r.uid_slot += 500; /* no other test's */
    assert_true(spawn_lab_start(&lab, &r, &o));
    spawn_lab_until_started(&o);
    if (!o.is_started)
        fail_msg("%s", o.why.text);
    (void)spawn_lab_read(o.info.out, text);
    assert_int_equal(sscanf(text, "%63s %63s %d", net, ipc, &sockets), 3);
    assert_int_equal(sockets, 1); /* the line of heads */
    spawn_lab_until_over(&o);
    spawn_lab_release(&o);
    free(path);
}

static void test_given_again(void **state)
{
    (void)state;
    char net[4][64], ipc[4][64];
    if (getuid() != 0)
        skip();
    for (size_t i = 0; i < 4; i++)
        run(LOOK, net[i], ipc[i]);
    assert_string_equal(net[2], net[3]);
    assert_string_equal(ipc[2], ipc[3]);
}

static void test_what_is_left_is_not(void **state)
{
    (void)state;
    char net[64], ipc[64];
    for (int i = 0; i < 8; i++)
        run(LOOK LEAVE, net, ipc); /* each finds none, and can take the name */
}

/* Two that live have none in common, nor with the host. */
static void test_one_at_a_time(void **state)
{
    (void)state;
    struct spawn_one o[6];
    char keys[6][16], links[7][2][64];
    if (getuid() != 0)
        skip();
    for (size_t i = 0; i < 6; i++) {
        struct start_request r = spawn_lab_shell("read x");
        (void)snprintf(keys[i], sizeof(keys[i]), "many-%zu", i);
        r.key = str_of(keys[i]);
        r.uid_slot += 500 + (uint32_t)i;
        assert_true(spawn_lab_start(&lab, &r, &o[i]));
        spawn_lab_until_started(&o[i]);
        assert_true(o[i].is_started);
    }
    for (size_t i = 0; i < 7; i++)
        for (size_t k = 0; k < 2; k++) {
            char path[64];
            (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s",
                           i < 6 ? (int)o[i].info.pid : (int)getpid(), k == 0 ? "net" : "ipc");
            ssize_t n = readlink(path, links[i][k], 63);
            assert_true(n > 0);
            links[i][k][n] = '\0';
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(links[i][k], links[j][k]);
        }
    for (size_t i = 0; i < 6; i++) {
        spawner_kill(o[i].handle);
        spawn_lab_until_over(&o[i]);
        spawn_lab_release(&o[i]);
    }
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

int main(void)
{
#ifdef SANITIZED
    printf("1..0 # SKIP sanitized programs do not fit behind these walls\n");
    return 0;
#endif
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_given_again),
                                       cmocka_unit_test(test_what_is_left_is_not),
                                       cmocka_unit_test(test_one_at_a_time)};
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
