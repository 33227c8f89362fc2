/*
 * Goal: what reeve-spawn starts gets what was asked for and nothing else, is told of truthfully,
 * and never outlives whom it was started for (INV-01, INV-02, INV-09; traps 1, 2, 10, 12, 13).
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/file.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/sys.h"
#include "tests/lib/cm.h"
#include "tests/lib/spawn_lab.h"

static struct spawn_lab lab;
static char text[SPAWN_LAB_TEXT];
static char dir[64];

static int open_lab(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(dir, sizeof(dir), "/tmp/reeve-life.XXXXXX");
    if (mkdtemp(dir) == NULL || !spawn_lab_open(&lab, &err)) {
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

/* Starts; a start that fails because this host cannot confine is a skip, any other a failure. */
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

static void run_shell(struct spawn_one *o, const char *command)
{
    struct start_request r = spawn_lab_shell(command);
    start(o, &r);
    fd_close(&o->info.in);
    (void)spawn_lab_read(o->info.out, text);
    spawn_lab_until_over(o);
}

static void must_fail(const struct start_request *r, const char *why)
{
    struct spawn_one o;
    assert_true(spawn_lab_start(&lab, r, &o));
    spawn_lab_until_started(&o);
    assert_false(o.is_started);
    if (strstr(o.why.text, why) == NULL)
        fail_msg("got \"%s\", want \"%s\"", o.why.text, why);
}

static char *write_file(const char *name, const char *content, mode_t mode)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(file_write(AT_FDCWD, path, str_of(content), mode, NULL), 0);
    return path;
}

/* ---- told truthfully
 * ------------------------------------------------------------------------------- */

static void test_ends(void **state)
{
    (void)state;
    struct spawn_one o;
    run_shell(&o, "echo out >/dev/stdout; echo err >/dev/stderr; exit 7");
    assert_string_equal(text, "out\n");
    (void)spawn_lab_read(o.info.errout, text);
    assert_string_equal(text, "err\n");
    assert_false(o.exit.exit.by_signal);
    assert_int_equal(o.exit.exit.code, 7);
    assert_true(o.exit.exit.max_rss_bytes > 0);
    assert_false(o.exit.oom || o.exit.lost);
    assert_true(o.layer_count > 10);
    spawn_lab_release(&o);
    run_shell(&o, "read x < /proc/self/stat; kill -SEGV $$; echo on");
    spawn_lab_release(&o);
}

static void test_pidfd_and_pid(void **state)
{
    (void)state;
    struct spawn_one o;
    struct start_request r = spawn_lab_shell("read x; exit 0");
    start(&o, &r);
    struct pollfd p = {.fd = o.info.pidfd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0); /* it lives */
    assert_true(o.info.pid > 1);
    spawner_kill(o.handle);
    spawn_lab_until_over(&o);
    assert_true(o.exit.exit.by_signal);
    assert_int_equal(o.exit.exit.code, SIGKILL);
    assert_int_equal(poll(&p, 1, 0), 1);
    spawn_lab_release(&o);
}

static void test_failures_name_their_layer(void **state)
{
    (void)state;
    struct start_request r = spawn_lab_shell("true");
    r.program = STR("/no/such/program");
    must_fail(&r, "layer root: open \"/no/such/program\": ENOENT");
    r.program = str_of(write_file("not-executable", "x", 0644));
    must_fail(&r, "layer exec: ");
    r = spawn_lab_shell("true");
    r.file_count = 0;
    r.program = str_of(write_file("script", "#!/usr/bin/env sh\n", 0755));
    must_fail(&r, "layer exec: "); /* its interpreter is not granted */
    r = spawn_lab_shell("true");
    r.files[1] = (struct start_file){STR("/no/such/data"), STR("/data"), true};
    r.file_count = 2;
    must_fail(&r, "\"/no/such/data\": ENOENT");
    r.files[1] = (struct start_file){STR("/usr/share"), STR("/usr/bin/below"), false};
    must_fail(&r, "directory of the host"); /* nothing is ever made there */
    r = spawn_lab_shell("true");
    r.profile = PROFILE_STRICT;
    r.channel = true;
    r.file_count = 0;
    r.uid_slot = UID_SLOT_RUNS;
    must_fail(&r, "linked dynamically");
    r.program = str_of(write_file("no-elf", "hello", 0755));
    must_fail(&r, "not a 64-bit ELF");
}

/* A link that could have been planted by a tool that may write there leads nowhere. */
static void test_granted_link(void **state)
{
    (void)state;
    char path[128];
    struct start_request r = spawn_lab_shell("true");
    (void)snprintf(path, sizeof(path), "%s/link", dir);
    assert_int_equal(symlink("/etc", path), 0);
    r.files[1] = (struct start_file){str_of(path), STR("/data"), true};
    r.file_count = 2;
    must_fail(&r, "symbolic link");
}

static void test_keys(void **state)
{
    (void)state;
    struct spawn_one a, b;
    struct start_request r = spawn_lab_shell("read x");
    start(&a, &r);
    assert_false(spawn_lab_start(&lab, &r, &b)); /* in use */
    spawner_kill(a.handle);
    spawn_lab_until_over(&a);
    assert_true(spawn_lab_start(&lab, &r, &b)); /* free again, at once */
    spawner_kill(b.handle);                     /* also before it runs */
    spawn_lab_until_over(&b);
    spawn_lab_release(&a);
    spawn_lab_release(&b);
}

/* ---- what it gets
 * -------------------------------------------------------------------------------------- */

static void test_secrets(void **state)
{
    (void)state;
    struct spawn_one o;
    char token[128], key[128];
    struct start_request r =
        spawn_lab_shell("echo \"$TOKEN\"; echo \"$REEVE_SECRETS\"; cat <&5; echo; cat <&5; "
                        "tr '\\0' '\\n' < /proc/self/environ | grep -c .");
    (void)snprintf(token, sizeof(token), "%s", write_file("token", "s3cret with space\n", 0600));
    (void)snprintf(key, sizeof(key), "%s", write_file("key", "line1\nline2\n\n", 0600));
    r.secrets[0] = (struct start_secret){STR("TOKEN"), str_of(token), SECRET_AS_ENV};
    r.secrets[1] = (struct start_secret){STR("model-key"), str_of(key), SECRET_AS_FD};
    r.secret_count = 2;
    start(&o, &r);
    (void)spawn_lab_read(o.info.out, text);
    spawn_lab_until_over(&o);
    /* one line feed less, read once, and PATH, TOKEN, REEVE_SECRETS with what the shell adds itself
     */
    assert_non_null(strstr(text, "s3cret with space\nmodel-key:5\nline1\nline2\n\n"));
    spawn_lab_release(&o);
    /* INV-09: a secret that cannot be had is named by its file, never by what is in it. */
    (void)snprintf(token, sizeof(token), "%s", write_file("empty", "\n", 0600));
    must_fail(&r, "is empty");
    r.secrets[0].file = STR("/no/such/token");
    must_fail(&r, "secret \"TOKEN\"");
}

static void test_nothing_else(void **state)
{
    (void)state;
    struct spawn_one o;
    run_shell(&o,
              "ls /proc/self/fd | tr '\\n' ' '; env | sort | tr '\\n' ' '; cat /proc/self/comm");
    /* 3 is what ls reads */
    assert_string_equal(text, "0 1 2 3 PATH=/usr/bin PWD=/ cat\n");
    spawn_lab_release(&o);
}

static void test_channel_and_pass(void **state)
{
    (void)state;
    struct spawn_one o;
    struct start_request r = spawn_lab_shell("echo to-channel >&3; cat <&4");
    int pipe_fds[2];
    struct err err = ERR_INIT;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(fd_write_all(pipe_fds[1], "passed", 6, &err), 0);
    fd_close(&pipe_fds[1]);
    r.profile = PROFILE_TOOL;
    r.channel = true;
    r.pass_fd = pipe_fds[0];
    must_fail(&r, "only helpers");
    r = (struct start_request){.key = STR("helper"),
                               .profile = PROFILE_HELPER,
                               .program = STR("/bin/sh"),
                               .argv = {STR("sh"), STR("-c"), STR("read x <&4; echo \"$x\"")},
                               .argc = 3,
                               .channel = true,
                               .stdio = true,
                               .uid_slot = UID_SLOT_INGRESS,
                               .pass_fd = pipe_fds[0]};
    start(&o, &r);
    (void)spawn_lab_read(o.info.out, text);
    spawn_lab_until_over(&o);
    assert_string_equal(text, "passed\n");
    assert_true(fcntl(pipe_fds[0], F_GETFD) >= 0); /* borrowed */
    fd_close(&pipe_fds[0]);
    spawn_lab_release(&o);
}

/* A directory that leaked in leads out of any root; Landlock alone stops it (sandbox.md, layers).
 */
static void test_leaked_directory(void **state)
{
    (void)state;
    struct spawn_one o;
    FD_AUTO int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct start_request r = {.key = STR("helper"),
                              .profile = PROFILE_HELPER,
                              .program = STR("/bin/sh"),
                              .argv = {STR("sh"), STR("-c"),
                                       STR("cd /proc/self/fd/4 && echo in; read x < "
                                           "/proc/self/fd/4/etc/passwd && echo \"$x\"")},
                              .argc = 3,
                              .channel = true,
                              .stdio = true,
                              .uid_slot = UID_SLOT_INGRESS,
                              .pass_fd = root};
    start(&o, &r);
    (void)spawn_lab_read(o.info.out, text);
    assert_null(strchr(text, ':'));
    (void)spawn_lab_read(o.info.errout, text);
    assert_non_null(strstr(text, "Permission denied"));
    spawn_lab_until_over(&o);
    spawn_lab_release(&o);
}

static void test_granted_files(void **state)
{
    (void)state;
    struct spawn_one o;
    char data[128], file[160];
    struct start_request r = spawn_lab_shell(
        "cat /data/in; echo made > /data/out; echo no > /data/in; "
        "cp /usr/bin/true /data/run && chmod 755 /data/run; /data/run || echo refused");
    (void)snprintf(data, sizeof(data), "%s/data", dir);
    assert_int_equal(mkdir(data, 0700), 0);
    (void)snprintf(file, sizeof(file), "%s/in", data);
    assert_int_equal(file_write(AT_FDCWD, file, STR("given\n"), 0600, NULL), 0);
    r.files[1] = (struct start_file){str_of(data), STR("/data"), true};
    r.file_count = 2;
    start(&o, &r);
    (void)spawn_lab_read(o.info.out, text);
    spawn_lab_until_over(&o);
    assert_string_equal(text, "given\nrefused\n");
    (void)snprintf(file, sizeof(file), "%s/out", data);
    struct stat st;
    assert_int_equal(stat(file, &st), 0); /* made, and as if the directory's owner had made it */
    assert_int_equal(st.st_uid, getuid());
    spawn_lab_release(&o);
}

/* What the profiles are for, with the real interpreters: JIT, WebAssembly, threads, timers,
 * loopback, private files; and no other program. */
static void run_interpreter(enum start_profile profile, const char *program, const char *flag,
                            const char *code, const char *want)
{
    struct spawn_one o;
    struct start_request r = {.key = STR("interpreter"),
                              .profile = profile,
                              .program = str_of(program),
                              .argv = {str_of(program), str_of(flag), str_of(code)},
                              .argc = 3,
                              .stdio = true,
                              .uid_slot = UID_SLOT_RUNS,
                              .pass_fd = -1};
    if (access(program, X_OK) != 0)
        skip();
    start(&o, &r);
    fd_close(&o.info.in);
    (void)spawn_lab_read(o.info.out, text);
    if (strcmp(text, want) != 0) {
        print_error("%s", text);
        (void)spawn_lab_read(o.info.errout, text);
        fail_msg("%s: %u refused, last %s", text, o.denied, o.call);
    }
    spawn_lab_until_over(&o);
    assert_int_equal(o.exit.exit.code, 0);
    spawn_lab_release(&o);
}

static void test_node(void **state)
{
    (void)state;
    run_interpreter(
        PROFILE_NODE, "/usr/bin/node", "-e",
        "let s=0; for (let i=0;i<1e6;i++) s+=i; console.log('jit', s);"
        "const m=new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0]));"
        "console.log('wasm', m instanceof WebAssembly.Module);"
        "const {Worker}=require('worker_threads'), fs=require('fs'), http=require('http');"
        "fs.writeFileSync('/tmp/x','kept'); console.log('file', fs.readFileSync('/tmp/x','utf8'));"
        "try { require('child_process').execFileSync('/bin/true'); console.log('ran') }"
        "catch (e) { console.log('exec', e.code) }"
        "new Worker(\"require('worker_threads').parentPort.postMessage('up')\",{eval:true})"
        ".on('message',v=>{console.log('thread',v);"
        "const s=http.createServer((q,r)=>r.end('served')).listen(0,'localhost',()=>"
        "http.get({port:s.address().port},r=>r.on('data',d=>{console.log('loopback',''+d);"
        "setTimeout(()=>process.exit(0),1)})))})",
        "jit 499999500000\nwasm true\nfile kept\nexec EPERM\nthread up\nloopback served\n");
}

static void test_python(void **state)
{
    (void)state;
    run_interpreter(
        PROFILE_PYTHON, "/usr/bin/python3", "-c",
        "import asyncio, ctypes, hashlib, json, socket, sqlite3, ssl, subprocess, tempfile, "
        "threading\n"
        "t=threading.Thread(target=lambda: print('thread up')); t.start(); t.join()\n"
        "async def f(): await asyncio.sleep(0.001); return 4\n"
        "print('loop', asyncio.run(f()))\n"
        "print('sql', sqlite3.connect(tempfile.mkstemp()[1]).execute('select 5').fetchall())\n"
        "a=socket.socket(); a.bind(('localhost',0)); a.listen()\n"
        "b=socket.create_connection(a.getsockname()); a.accept()[0].send(b'served'); "
        "print(b.recv(9))\n"
        "try: subprocess.run(['/bin/true']); print('ran')\n"
        "except PermissionError as e: print('exec', e.errno)\n"
        "try: socket.create_connection(('192.0.2.1',80)); print('out')\n"
        "except OSError as e: print('net', e.errno)\n",
        "thread up\nloop 4\nsql [(5,)]\nb'served'\nexec 1\nnet 101\n");
}

/* ---- never outlives
 * ------------------------------------------------------------------------------------- */

static bool is_gone(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char stat[256] = "";
    if (fd < 0)
        return true;
    ssize_t n = read(fd, stat, sizeof(stat) - 1);
    (void)close(fd);
    const char *state = n > 0 ? strrchr(stat, ')') : NULL;
    return state == NULL || state[2] == 'Z' || state[2] == 'X';
}

static void wait_gone(int pidfd, pid_t pid)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_true(is_gone(pid));
}

/* Trap 1 and 2: with reeve-spawn killed, its children die, a thousand grandchildren in their
 * namespaces too. */
static void test_dies_with_spawn(void **state)
{
    (void)state;
    struct spawn_lab other;
    struct spawn_one o;
    struct err err = ERR_INIT;
    struct start_request r =
        spawn_lab_shell("i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done; "
                        "trap '' TERM HUP INT; echo ready; wait");
    r.limits.processes = 200;
    assert_true(spawn_lab_open(&other, &err));
    assert_true(spawn_lab_start(&other, &r, &o));
    spawn_lab_until_started(&o);
    if (!o.is_started) {
        spawn_lab_close(&other);
        skip();
    }
    assert_int_equal(read(o.info.out, text, 6), 6);
    assert_int_equal(sys.pidfd_kill(other.spawn_pidfd, SIGKILL), 0);
    wait_gone(o.info.pidfd, o.info.pid);
    spawn_lab_until_over(&o);
    assert_true(o.exit.lost);
    assert_true(other.lost);
    assert_int_equal(spawn_lab_read(o.info.out, text), 0); /* nobody holds its output any more */
    spawn_lab_release(&o);
    spawn_lab_close(&other);
}

/* reeved's death is the end of the channel. */
static void test_dies_with_reeved(void **state)
{
    (void)state;
    struct spawn_lab other;
    struct spawn_one o;
    struct err err = ERR_INIT;
    struct start_request r =
        spawn_lab_shell("trap '' TERM HUP INT; echo ready; sleep 1000; sleep 1000");
    assert_true(spawn_lab_open(&other, &err));
    assert_true(spawn_lab_start(&other, &r, &o));
    spawn_lab_until_started(&o);
    if (!o.is_started) {
        spawn_lab_close(&other);
        skip();
    }
    assert_int_equal(read(o.info.out, text, 6), 6);
    spawner_free(other.spawner);
    other.spawner = NULL;
    wait_gone(o.info.pidfd, o.info.pid);
    struct proc_exit e;
    assert_int_equal(proc_wait(other.spawn_pidfd, true, &e, &err), 0);
    assert_true(!e.by_signal && e.code == 0); /* and it left in order */
    fd_close(&other.spawn_pidfd);
    spawn_lab_release(&o);
    spawn_lab_close(&other);
}

/* SIGTERM to the group is reeved's business: reeve-spawn goes on. */
static void test_ignores_terminal(void **state)
{
    (void)state;
    struct spawn_one o;
    run_shell(&o, "true"); /* it is up */
    spawn_lab_release(&o);
    assert_int_equal(sys.pidfd_kill(lab.spawn_pidfd, SIGTERM), 0);
    assert_int_equal(sys.pidfd_kill(lab.spawn_pidfd, SIGINT), 0);
    run_shell(&o, "kill -TERM $$; echo lives; trap - TERM; exit 3");
    assert_false(lab.lost);
    spawn_lab_release(&o);
}

static void test_kill_takes_all(void **state)
{
    (void)state;
    struct spawn_one o;
    struct start_request r =
        spawn_lab_shell("(trap '' TERM; setsid sleep 1000 & echo ready; sleep 1000) & wait");
    start(&o, &r);
    assert_int_equal(read(o.info.out, text, 6), 6);
    spawner_kill(o.handle);
    spawn_lab_until_over(&o);
    assert_int_equal(spawn_lab_read(o.info.out, text), 0);
    spawn_lab_release(&o);
}

static void test_abandon(void **state)
{
    (void)state;
    struct spawn_one o;
    struct start_request r = spawn_lab_shell("sleep 1000");
    r.key = STR("abandoned"); /* in use until its end is told */
    start(&o, &r);
    spawner_abandon(o.handle);
    struct pollfd p = {.fd = o.info.pidfd, .events = POLLIN};
    while (poll(&p, 1, 0) == 0)
        must(ev_once(lab.ev, 10, NULL) >= 0);
    assert_false(o.is_over); /* nobody is told */
    spawn_lab_release(&o);
}

/* ---- limits that need a group
 * ---------------------------------------------------------------------------- */

static void test_out_of_memory(void **state)
{
    (void)state;
    struct spawn_one o;
    struct start_request r =
        spawn_lab_shell("i=0; while [ $i -lt 40 ]; do head -c 1000000 /dev/zero > /tmp/f$i || exit "
                        "9; i=$((i+1)); done; exit 8");
    r.limits.memory_bytes = 16 << 20;
    r.limits.tmp_bytes = 64 << 20;
    start(&o, &r);
    spawn_lab_until_over(&o);
    if (!o.exit.oom && !o.exit.exit.by_signal && o.exit.exit.code == 8)
        skip(); /* no memory group here: files in memory are not counted */
    assert_true(o.exit.oom);
    spawn_lab_release(&o);
}

/* Many at once: each has its own user, and none is left. */
static void test_many(void **state)
{
    (void)state;
    struct spawn_one many[40];
    char keys[ARRAY_LEN(many)][16];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        struct start_request r = spawn_lab_shell("id -u");
        (void)snprintf(keys[i], sizeof(keys[i]), "many-%zu", i);
        r.key = str_of(keys[i]);
        r.uid_slot = UID_SLOT_SERVERS + (uint32_t)i;
        assert_true(spawn_lab_start(&lab, &r, &many[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        spawn_lab_until_over(&many[i]);
        if (!many[i].is_started)
            fail_msg("%s", many[i].why.text);
        assert_int_equal(many[i].exit.exit.code, 0);
        (void)spawn_lab_read(many[i].info.out, text);
        if (getuid() == 0)
            assert_int_equal(strtoul(text, NULL, 10), 2113929216u + UID_SLOT_SERVERS + i);
        spawn_lab_release(&many[i]);
    }
}

/* ---- workers that wait
 * ------------------------------------------------------------------------------ */

static int64_t features_number; /* of the last answer */

static void on_features(void *arg, struct wire *w UNUSED, const struct wire_message *m)
{
    bool *done = arg;
    const struct json *ready = json_path(m->result, "warm.ready");
    must(m->kind == WIRE_RESULT && ready != NULL && json_is(ready, JSON_INT));
    features_number = ready->integer;
    *done = true;
}

static void wait_ready(int64_t count)
{
    features_number = -1;
    while (features_number != count) {
        bool done = false;
        struct wire_out o;
        must(wire_call_begin(spawner_wire(lab.spawner), &o, "host/features") == 0);
        must(wire_call_end(spawner_wire(lab.spawner), &o, 0, on_features, &done, NULL, NULL) == 0);
        while (!done)
            must(ev_once(lab.ev, -1, NULL) >= 0);
    }
}

/* What reeve-spawn has started and not yet reaped: " 12 13 ". */
static void read_children(char list[SPAWN_LAB_TEXT + 1])
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
}

static void test_prestart(void **state)
{
    (void)state;
    struct spawn_one a, b, cold;
    struct err err = ERR_INIT;
    char path[1024], c;
    (void)snprintf(path, sizeof(path), "%s", spawn_lab_program("tests/escape-inside"));
    char *inside = realpath(path, NULL);
    if (inside == NULL)
        skip();
    struct start_request r = {.key = STR("a"),
                              .profile = PROFILE_STRICT,
                              .program = str_of(inside),
                              .argv = {STR("inside"), STR("strict"), STR("wait")},
                              .argc = 3,
                              .channel = true,
                              .uid_slot = UID_SLOT_RUNS,
                              .pass_fd = -1};
    static char before[SPAWN_LAB_TEXT + 1];
    char pid[16];
    assert_int_equal(spawner_prestart(lab.spawner, &r, 2, &err), 0);
    wait_ready(2);
    read_children(before);
    start(&a, &r);
    (void)snprintf(pid, sizeof(pid), " %d ", (int)a.info.pid);
    assert_non_null(strstr(before, pid)); /* it was there before it was asked for */
    wait_ready(2);                        /* another takes its place */
    r.key = STR("b");
    start(&b, &r);
    assert_true(a.info.pid != b.info.pid);
    assert_int_equal(read(a.info.channel, &c, 1), 1); /* both run, each on a channel of its own */
    assert_int_equal(read(b.info.channel, &c, 1), 1);
    /* what asks for anything else is not given one */
    wait_ready(2);
    r.key = STR("cold");
    r.limits.open_files = 33;
    start(&cold, &r);
    wait_ready(2);
    fd_close(&a.info.channel); /* it ends by itself, and is told of under its new name */
    spawn_lab_until_over(&a);
    assert_false(a.exit.exit.by_signal);
    spawner_kill(b.handle);
    spawn_lab_until_over(&b);
    spawner_kill(cold.handle);
    spawn_lab_until_over(&cold);
    spawn_lab_release(&a);
    spawn_lab_release(&b);
    spawn_lab_release(&cold);
    assert_int_equal(spawner_prestop(lab.spawner, &err), 0);
    wait_ready(0);
    free(inside);
}

/* One that does not get behind its walls is not tried for ever. */
static void test_prestart_broken(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct start_request r = {.key = STR("a"),
                              .profile = PROFILE_STRICT,
                              .program = STR("/bin/sh"),
                              .argv = {STR("sh")},
                              .argc = 1,
                              .channel = true,
                              .uid_slot = UID_SLOT_RUNS,
                              .pass_fd = -1};
    assert_int_equal(spawner_prestart(lab.spawner, &r, 2, &err), 0);
    struct spawn_one o;
    for (int i = 0; i < 20; i++) {
        run_shell(&o, "true");
        spawn_lab_release(&o);
    }
    wait_ready(0);
    assert_int_equal(spawner_prestart(lab.spawner, &r, 0, &err), 0);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends),
                                       cmocka_unit_test(test_pidfd_and_pid),
                                       cmocka_unit_test(test_failures_name_their_layer),
                                       cmocka_unit_test(test_granted_link),
                                       cmocka_unit_test(test_keys),
                                       cmocka_unit_test(test_secrets),
                                       cmocka_unit_test(test_nothing_else),
                                       cmocka_unit_test(test_channel_and_pass),
                                       cmocka_unit_test(test_leaked_directory),
                                       cmocka_unit_test(test_granted_files),
                                       cmocka_unit_test(test_node),
                                       cmocka_unit_test(test_python),
                                       cmocka_unit_test(test_dies_with_spawn),
                                       cmocka_unit_test(test_dies_with_reeved),
                                       cmocka_unit_test(test_ignores_terminal),
                                       cmocka_unit_test(test_kill_takes_all),
                                       cmocka_unit_test(test_abandon),
                                       cmocka_unit_test(test_out_of_memory),
                                       cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_prestart),
                                       cmocka_unit_test(test_prestart_broken)};
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
