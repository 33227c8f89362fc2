/*
 * Goal: a worker that waits is given out once, to who asks for exactly it, and never when it is not
 * what a new one would be: its program or files have changed, it was denied a call, it died
 * (INV-01, INV-02).
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/file.h"
#include "sandbox/os/sys.h"
#include "tests/lib/cm.h"
#include "tests/lib/spawn_lab.h"

static struct spawn_lab lab;
static char dir[64];

static int open_lab(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(dir, sizeof(dir), "/tmp/reeve-warm.XXXXXX");
    if (mkdtemp(dir) == NULL || chmod(dir, 0755) < 0 || !spawn_lab_open(&lab, &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    spawn_lab_close(&lab);
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

static struct start_request shell(const char *script)
{
    return (struct start_request){.key = STR("a"),
                                  .profile = PROFILE_PROGRAM,
                                  .base = PROFILE_PROGRAM,
                                  .program = STR("/bin/sh"),
                                  .argv = {STR("sh"), STR("-c"), str_of(script)},
                                  .argc = 3,
                                  .channel = true,
                                  .uid_slot = UID_SLOT_RUNS + 2000, /* no other test's */
                                  .pass_fd = -1};
}

static void keep(const struct start_request *r, unsigned count)
{
    assert_int_equal(spawner_prestart(lab.spawner, r, count, NULL), 0);
}

static void start(struct spawn_one *o, const struct start_request *r)
{
    assert_true(spawn_lab_start(&lab, r, o));
    spawn_lab_until_started(o);
    if (o->is_started)
        return;
    if (strstr(o->why.text, "cannot be had") != NULL || lab.lost)
        skip();
    fail_msg("%s", o->why.text);
}

static void end(struct spawn_one *o)
{
    if (o->handle != NULL)
        spawner_kill(o->handle);
    spawn_lab_until_over(o);
    spawn_lab_release(o);
}

static char first(const struct spawn_one *o)
{
    char c = 0;
    assert_int_equal(read(o->info.channel, &c, 1), 1);
    return c;
}

/* ---- what reeve-spawn says of them
 * ------------------------------------------------------------------ */

struct told {
    bool is_done;
    int64_t wanted, ready, pools, paused;
};

static void on_features(void *arg, struct wire *w UNUSED, const struct wire_message *m)
{
    struct told *t = arg;
    const struct json *warm = json_get(m->result, "warm"), *pools = json_get(warm, "pools");
    must(json_want_i64(warm, "wanted", &t->wanted, NULL) == 0 &&
         json_want_i64(warm, "ready", &t->ready, NULL) == 0 && json_is(pools, JSON_ARRAY));
    t->pools = (int64_t)pools->array.count;
    for (size_t i = 0; i < pools->array.count; i++)
        t->paused += json_get(&pools->array.items[i], "paused")->boolean;
    t->is_done = true;
}

static struct told ask(void)
{
    struct told t = {0};
    struct wire_out o;
    must(wire_call_begin(spawner_wire(lab.spawner), &o, "host/features") == 0);
    must(wire_call_end(spawner_wire(lab.spawner), &o, 0, on_features, &t, NULL, NULL) == 0);
    while (!t.is_done)
        must(ev_once(lab.ev, -1, NULL) >= 0);
    return t;
}

static void until_ready(int64_t count)
{
    for (int i = 0; ask().ready != count; i++) {
        if (i > 20000)
            fail_msg("%d of %d stand ready", (int)ask().ready, (int)count);
        (void)poll(NULL, 0, 1);
    }
}

static int64_t uid_of(struct str pid)
{
    char path[64], text[SPAWN_LAB_TEXT];
    (void)snprintf(path, sizeof(path), "/proc/%.*s/status", STR_FMT(pid));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    (void)spawn_lab_read(fd, text);
    (void)close(fd);
    const char *at = strstr(text, "\nUid:\t");
    return at != NULL ? strtoll(at + 6, NULL, 10) : -1;
}

/* Not one of reeve-spawn's own, which makes a namespace for later and is gone again. */
static bool is_worker(struct str pid)
{
    return pid.len > 0 && (getuid() != 0 || uid_of(pid) > 0);
}

/* What reeve-spawn has started and not yet reaped: " 12 13 ". */
static char *children(char list[SPAWN_LAB_TEXT + 1])
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)lab.spawn_pid,
                   (int)lab.spawn_pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        skip(); /* no such list here */
    list[0] = ' ';
    (void)spawn_lab_read(fd, list + 1);
    (void)close(fd);
    return list;
}

static bool has(const char *list, pid_t pid)
{
    char text[16];
    (void)snprintf(text, sizeof(text), " %d ", (int)pid);
    return strstr(list, text) != NULL;
}

static char before[SPAWN_LAB_TEXT + 1], after[SPAWN_LAB_TEXT + 1];

static size_t count_workers(const char *list)
{
    struct str rest = str_of(list), pid;
    size_t n = 0;
    while (str_split(&rest, ' ', &pid))
        n += is_worker(pid);
    return n;
}

static void none_left(void)
{
    assert_int_equal(spawner_prestop(lab.spawner, NULL), 0);
    for (int i = 0; count_workers(children(after)) > 0; i++) {
        assert_true(i < 10000);
        (void)ask();
        (void)poll(NULL, 0, 1);
    }
}

/* ---- given out
 * ------------------------------------------------------------------------------------------ */

static void serve_two(const struct start_request *asked)
{
    struct spawn_one a, b, cold;
    struct start_request r = *asked;
    keep(&r, 2);
    until_ready(2);
    children(before);
    start(&a, &r);
    r.key = STR("b");
    start(&b, &r);
    assert_true(has(before, a.info.pid) &&
                has(before, b.info.pid)); /* there before they were asked for */
    assert_int_not_equal(a.info.pid, b.info.pid);
    assert_int_equal(first(&a), 'x'); /* what it said first waited for whom it was for */
    assert_int_equal(first(&b), 'x');
    assert_int_equal(spawner_prestop(lab.spawner, NULL), 0);
    r.key = STR("cold");
    start(&cold, &r);
    assert_false(has(before, cold.info.pid));
    assert_int_equal(a.layer_count, cold.layer_count + 1); /* the same walls, and that it waited */
    end(&a);
    end(&b);
    end(&cold);
    assert_true(a.exit.wait_us > 0); /* of its CPU time; a cold one's is all its run's */
    assert_true(a.exit.wait_us <= a.exit.exit.user_us + a.exit.exit.system_us + 20000);
    assert_int_equal(cold.exit.wait_us, 0);
    none_left();
}

static void test_program(void **state)
{
    (void)state;
    struct start_request r = shell("printf x >&3; read y <&3");
    serve_two(&r);
}

static void test_node(void **state)
{
    (void)state;
    if (access("/usr/bin/node", X_OK) != 0)
        skip();
    char *node = realpath("/usr/bin/node", NULL);
    struct start_request r = shell("require('fs').writeSync(3, 'x'); setInterval(() => {}, 1e6)");
    r.profile = PROFILE_NODE;
    r.program = str_of(node);
    r.argv[0] = STR("node");
    r.argv[1] = STR("-e");
    serve_two(&r);
    free(node);
}

static void test_python(void **state)
{
    (void)state;
    if (access("/usr/bin/python3", X_OK) != 0)
        skip();
    char *python = realpath("/usr/bin/python3", NULL);
    struct start_request r = shell("import os; os.write(3, b'x'); os.read(3, 1)");
    r.profile = PROFILE_PYTHON;
    r.program = str_of(python);
    r.argv[0] = STR("python3");
    serve_two(&r);
    free(python);
}

/* Each member of the request that makes it another. */
static void test_pools_do_not_mix(void **state)
{
    (void)state;
    struct start_request a = shell("printf a >&3; read y <&3"),
                         b = shell("printf b >&3; read y <&3"), r;
    struct spawn_one o;
    keep(&a, 1);
    keep(&b, 2);
    until_ready(3);
    children(before);
    start(&o, &b);
    assert_true(has(before, o.info.pid));
    assert_int_equal(first(&o), 'b');
    end(&o);
    start(&o, &a);
    assert_true(has(before, o.info.pid));
    assert_int_equal(first(&o), 'a');
    end(&o);
    until_ready(3);
    children(before);
    for (int i = 0; i < 6; i++) {
        r = a;
        if (i == 0)
            r.env[r.env_count++] = (struct start_env){STR("A"), STR("1")};
        else if (i == 1)
            r.files[r.file_count++] = (struct start_file){str_of(dir), STR_NONE, false};
        else if (i == 2)
            r.limits.open_files = 99;
        else if (i == 3)
            r.stderr_pipe = true;
        else if (i == 4)
            r.argv[r.argc++] = STR("more");
        else
            r.program = STR("/usr/bin/sh");
        start(&o, &r);
        assert_false(has(before, o.info.pid));
        end(&o);
    }
    until_ready(3);
    keep(&b, 0); /* that one alone */
    until_ready(1);
    assert_int_equal(ask().pools, 1);
    none_left();
}

static void test_bounds(void **state)
{
    (void)state;
    struct start_request a = shell("read y <&3"), b = shell("read z <&3"),
                         t = spawn_lab_shell("true");
    keep(&a, 1);
    keep(&b, START_WARM_MAX); /* one too many */
    assert_int_equal(ask().wanted, 1);
    keep(&a, 3);
    assert_int_equal(ask().wanted, 3);
    keep(&t, 1); /* a tool server serves no run */
    assert_int_equal(ask().wanted, 3);
    t.profile = PROFILE_HELPER;
    keep(&t, 1);
    b.secrets[b.secret_count++] =
        (struct start_secret){STR("S"), STR("/etc/hostname"), SECRET_AS_ENV};
    keep(&b, 1); /* what waits holds no secret */
    assert_int_equal(ask().wanted, 3);
    keep(&a, 1);
    until_ready(1);
    none_left();
    assert_int_equal(ask().wanted, 0);
}

/* ---- not given out
 * -------------------------------------------------------------------------------------- */

static void put(const char *name, const char *text, mode_t mode)
{
    char path[128], fresh[140];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)snprintf(fresh, sizeof(fresh), "%s.new", path);
    assert_int_equal(file_write(AT_FDCWD, fresh, str_of(text), mode, NULL), 0);
    assert_int_equal(chmod(fresh, mode), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static void test_changed_script(void **state)
{
    (void)state;
    char path[128];
    struct spawn_one o;
    (void)snprintf(path, sizeof(path), "%s/script", dir);
    put("script", "printf a >&3; read y <&3\n", 0755);
    struct start_request r = shell("");
    r.argv[1] = str_of(path);
    r.argc = 2;
    r.files[r.file_count++] = (struct start_file){str_of(dir), STR_NONE, false};
    keep(&r, 1);
    until_ready(1);
    children(before);
    put("script", "printf b >&3; read y <&3\n", 0755);
    start(&o, &r);
    assert_false(has(before, o.info.pid));
    assert_int_equal(first(&o), 'b');
    end(&o);
    until_ready(1);
    children(before);
    start(&o, &r); /* those that wait now are new */
    assert_true(has(before, o.info.pid));
    assert_int_equal(first(&o), 'b');
    end(&o);
    none_left();
}

/* A program that is the same file with the same bytes but was written again counts as another. */
static void test_changed_program(void **state)
{
    (void)state;
    char command[600], path[128];
    struct spawn_one o;
    (void)snprintf(path, sizeof(path), "%s/program", dir);
    (void)snprintf(command, sizeof(command), "cp /bin/sh %s && chmod 755 %s", path, path);
    assert_int_equal(system(command), 0);
    struct start_request r = shell("printf x >&3; read y <&3");
    r.program = str_of(path);
    keep(&r, 2);
    until_ready(2);
    children(before);
    (void)snprintf(command, sizeof(command), "cp %s %s.2 && mv %s.2 %s", path, path, path, path);
    assert_int_equal(system(command), 0);
    start(&o, &r);
    assert_false(has(before, o.info.pid));
    assert_int_equal(first(&o), 'x');
    end(&o);
    none_left();
}

static void test_denied(void **state)
{
    (void)state;
    struct start_request r = shell("unshare -r true; printf x >&3; read y <&3");
    struct spawn_one o;
    r.files[r.file_count++] = (struct start_file){STR("/usr/bin"), STR_NONE, false};
    r.env[r.env_count++] = (struct start_env){STR("PATH"), STR("/usr/bin")};
    if (access("/usr/bin/unshare", X_OK) != 0)
        skip();
    keep(&r, 2);
    struct told t = ask();
    for (int i = 0; t.paused == 0 || t.ready > 0; i++) { /* one may stand there until it tries */
        assert_true(i < 20000);
        (void)poll(NULL, 0, 1);
        t = ask();
    }
    start(&o, &r); /* meets the same walls, and is told of */
    spawn_lab_until_over(&o);
    assert_true(o.denied > 0);
    spawn_lab_release(&o);
    none_left();
}

static void test_killed(void **state)
{
    (void)state;
    struct start_request r = shell("printf x >&3; read y <&3");
    struct spawn_one o;
    int64_t pid = 0;
    keep(&r, 1);
    until_ready(1);
    struct str rest = str_of(children(before)), word;
    while (str_split(&rest, ' ', &word) && !is_worker(word))
        continue;
    assert_int_equal(num_i64(word, &pid), 0);
    struct pollfd gone = {.fd = sys.pidfd_open((pid_t)pid), .events = POLLIN};
    assert_true(gone.fd >= 0);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    assert_int_equal(poll(&gone, 1, -1), 1);
    fd_close(&gone.fd);
    start(&o, &r); /* in the same breath: not the dead one */
    assert_int_not_equal(o.info.pid, pid);
    assert_int_equal(first(&o), 'x');
    end(&o);
    until_ready(1);
    none_left();
}

/* ---- who they are
 * --------------------------------------------------------------------------------------- */

static void test_user_ids(void **state)
{
    (void)state;
    struct start_request r = shell("printf x >&3; read y <&3"), q = shell("read y <&3");
    struct spawn_one o;
    int64_t seen[8];
    size_t n = 0;
    if (getuid() != 0)
        skip();
    keep(&r, 3);
    keep(&q, 2);
    until_ready(5);
    start(&o, &r);
    until_ready(5);
    struct str rest = str_of(children(before)), pid;
    while (str_split(&rest, ' ', &pid)) {
        if (!is_worker(pid))
            continue;
        assert_true(n < ARRAY_LEN(seen));
        seen[n] = uid_of(pid);
        assert_true(seen[n] >= 2113929216 + UID_SLOT_COUNT); /* none is one that reeved gives */
        for (size_t i = 0; i < n; i++)
            assert_true(seen[i] != seen[n]);
        n++;
    }
    assert_int_equal(n, 6);
    end(&o);
    none_left();
}

/* The lines of a file in /proc/PID that begin with one of these words ("": all), but for `without`.
 */
static void add_lines(struct buf *out, pid_t pid, const char *file, const char *const *words,
                      const char *without)
{
    static char text[SPAWN_LAB_TEXT];
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    (void)spawn_lab_read(fd, text);
    (void)close(fd);
    struct str rest = str_of(text), line;
    while (str_split(&rest, '\n', &line))
        for (size_t i = 0; words[i] != NULL; i++)
            if (str_starts(line, str_of(words[i])) && !str_starts(line, str_of(without)))
                buf_fmt(out, "%.*s\n", STR_FMT(line));
}

/* What the kernel says of its walls. Mounts without their numbers; the limit of CPU time may be two
 * seconds more. */
static void posture(struct buf *out, pid_t pid)
{
    static const char *const status[] = {"NoNewPrivs", "Seccomp", "Cap", "Groups", NULL};
    static const char *const all[] = {"", NULL};
    struct buf mounts;
    struct str rest, line, part;
    add_lines(out, pid, "status", status, "none");
    add_lines(out, pid, "limits", all, "Max cpu time");
    buf_init(&mounts, 65536);
    add_lines(&mounts, pid, "mountinfo", all, "none");
    for (rest = buf_str(&mounts); str_split(&rest, '\n', &line);)
        for (size_t i = 0; str_split(&line, ' ', &part); i++)
            if (i == 4 || i == 5)
                buf_fmt(out, "%.*s\n", STR_FMT(part));
    buf_release(&mounts);
}

static void test_same_walls(void **state)
{
    (void)state;
    struct start_request r = shell("printf x >&3; read y <&3");
    struct spawn_one cold, warm;
    struct buf a, b;
    if (getuid() != 0)
        skip();
    r.limits.cpu_ms = 5000;
    start(&cold, &r);
    keep(&r, 1);
    until_ready(1);
    r.key = STR("b");
    start(&warm, &r);
    assert_int_equal(first(&cold), 'x');
    assert_int_equal(first(&warm), 'x');
    buf_init(&a, SPAWN_LAB_TEXT);
    buf_init(&b, SPAWN_LAB_TEXT);
    posture(&a, cold.info.pid);
    posture(&b, warm.info.pid);
    assert_true(a.len > 1000);
    if (!str_eq(buf_str(&a), buf_str(&b)))
        fail_msg("cold:\n%.*s\nwarm:\n%.*s", STR_FMT(buf_str(&a)), STR_FMT(buf_str(&b)));
    buf_release(&a);
    buf_release(&b);
    end(&cold);
    end(&warm);
    none_left();
}

/* With reeved's end of the channel everything dies that reeve-spawn started. */
static void test_none_outlives(void **state)
{
    struct start_request r = shell("trap '' TERM INT HUP; while :; do read y <&3; done");
    char path[64];
    keep(&r, 3);
    until_ready(3);
    children(before);
    struct str rest = str_of(before), pid, pids[8];
    size_t n = 0;
    while (str_split(&rest, ' ', &pid))
        if (is_worker(pid) && n < ARRAY_LEN(pids))
            pids[n++] = pid;
    assert_int_equal(n, 3);
    spawn_lab_close(&lab); /* waits for its end */
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(path, sizeof(path), "/proc/%.*s/stat", STR_FMT(pids[i]));
        assert_int_not_equal(access(path, F_OK), 0);
    }
    assert_int_equal(open_lab(state), 0);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program),         cmocka_unit_test(test_node),
        cmocka_unit_test(test_python),          cmocka_unit_test(test_pools_do_not_mix),
        cmocka_unit_test(test_bounds),          cmocka_unit_test(test_changed_script),
        cmocka_unit_test(test_changed_program), cmocka_unit_test(test_denied),
        cmocka_unit_test(test_killed),          cmocka_unit_test(test_user_ids),
        cmocka_unit_test(test_same_walls),      cmocka_unit_test(test_none_outlives)};
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
