/*
 * spawn_bench.c: what it costs to start a confined process: from the request to its first message
 * on its socket, p50 and p99, in turns and in one run: a plain posix_spawn, bubblewrap with the
 * nearest walls, and reeve-spawn with each profile; then with a worker that waits ready, one at a
 * time, each when its pool is full again. Then 1, 16 and 64 starts at once, cold and ready, and a
 * thousand workers' end.
 *
 *   spawn_bench [ROUNDS [WORKERS [ROW]]]      needs $BUILD/reeve-spawn and
 * $BUILD/tests/escape-inside
 *
 * ROW: only the one with this name, for a profiler.
 *
 * Targets (issue 4): strict, cold, under 1/5 of bubblewrap; waiting behind finished walls under
 * 1/40.
 */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/sys.h"
#include "sandbox/seccomp.h"
#include "tests/lib/spawn_lab.h"

static double now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct series {
    const char *name;
    double *us;
    size_t count;
};

static double at(const struct series *s, double share)
{
    return s->count == 0 ? 0 : s->us[(size_t)((double)(s->count - 1) * share)];
}

/* ---- without reeve-spawn
 * -------------------------------------------------------------------------- */

static char inside[1024];
static int filter_fd = -1; /* a filter as large as ours for the same program, for bubblewrap */

/* The program says one byte on descriptor 3 when it runs. */
static double run_plain(const char *path, const char *const *argv)
{
    const char *env[] = {NULL};
    int pair[2], pidfd = -1;
    pid_t pid;
    char c;
    struct err err = ERR_INIT;

    must(sock_pair(pair, false, &err) == 0);
    int fds[] = {-1, -1, 2, pair[1], filter_fd};
    struct proc_spawn s = {path, argv, env, fds, ARRAY_LEN(fds)};
    if (filter_fd >= 0)
        must(lseek(filter_fd, 0, SEEK_SET) == 0);
    double begin = now_us();
    must(proc_spawn(&s, &pid, &pidfd, &err) == 0);
    fd_close(&pair[1]);
    ssize_t n = read(pair[0], &c, 1);
    double took = now_us() - begin;
    fd_close(&pair[0]);
    (void)sys.pidfd_kill(pidfd, SIGKILL);
    (void)proc_wait(pidfd, true, &(struct proc_exit){0}, NULL);
    fd_close(&pidfd);
    return n == 1 ? took : -1;
}

static double run_posix(void)
{
    const char *argv[] = {"inside", "none", "wait", NULL};
    return run_plain(inside, argv);
}

static double run_bwrap(void)
{
    const char *argv[] = {"bwrap",
                          "--unshare-all",
                          "--die-with-parent",
                          "--new-session",
                          "--cap-drop",
                          "ALL",
                          "--clearenv",
                          "--hostname",
                          "reeve",
                          "--tmpfs",
                          "/",
                          "--ro-bind",
                          inside,
                          "/inside",
                          "--remount-ro",
                          "/",
                          "--seccomp",
                          "4",
                          "/inside",
                          "none",
                          "wait",
                          NULL};
    return run_plain("/usr/bin/bwrap", argv);
}

static void make_filter(void)
{
    struct seccomp_program p;
    struct err err = ERR_INIT;

    must(seccomp_set_build(SECCOMP_PROGRAM, false, &p, &err) == 0);
    filter_fd = memfd_create("filter", MFD_CLOEXEC);
    must(filter_fd >= 0 && fd_write_all(filter_fd, p.code, p.count * sizeof(p.code[0]), &err) == 0);
    seccomp_program_release(&p);
}

/* ---- with it
 * ----------------------------------------------------------------------------------------- */

static struct spawn_lab lab;
static size_t
    first_slot; /* moves on: the kernel forgets a user id's processes a while after they are gone */

static struct start_request request(enum start_profile profile, const char *key, size_t slot)
{
    return (struct start_request){
        .key = str_of(key),
        .profile = profile,
        .base = PROFILE_PROGRAM,
        .program = str_of(inside),
        .argv = {STR("inside"), str_of(start_profile_name(profile)), STR("wait")},
        .argc = 3,
        .channel = true,
        .uid_slot = UID_SLOT_RUNS + (uint32_t)((first_slot + slot) % 40000),
        .pass_fd = -1};
}

static bool first_byte(struct spawn_one *o)
{
    char c;
    spawn_lab_until_started(o);
    if (!o->is_started) {
        (void)fprintf(stderr, "spawn_bench: %s\n", o->why.text);
        return false;
    }
    return read(o->info.channel, &c, 1) == 1;
}

static double run_request(struct start_request *r)
{
    struct spawn_one o;
    double begin = now_us();

    first_slot++;
    if (!spawn_lab_start(&lab, r, &o) || !first_byte(&o))
        return -1;
    double took = now_us() - begin;
    spawner_kill(o.handle);
    spawn_lab_until_over(&o);
    spawn_lab_release(&o);
    return took;
}

static double run_ours(enum start_profile profile)
{
    struct start_request r = request(profile, "bench", 0);
    return run_request(&r);
}

/* ---- ready ones
 * ------------------------------------------------------------------------------------ */

static void on_features(void *arg, struct wire *w UNUSED, const struct wire_message *m)
{
    const struct json *ready = json_path(m->result, "warm.ready");
    must(ready != NULL && json_is(ready, JSON_INT));
    *(int64_t *)arg = ready->integer;
}

static int64_t count_ready(void)
{
    struct wire_out o;
    int64_t ready = -1;

    must(wire_call_begin(spawner_wire(lab.spawner), &o, "host/features") == 0);
    must(wire_call_end(spawner_wire(lab.spawner), &o, 0, on_features, &ready, NULL, NULL) == 0);
    while (ready < 0)
        must(ev_once(lab.ev, -1, NULL) >= 0);
    return ready;
}

static void until_ready(const struct start_request *r, unsigned count)
{
    must(spawner_prestart(lab.spawner, r, count, NULL) == 0);
    for (int i = 0; count_ready() < (int64_t)count; i++) {
        must(i < 10000);
        (void)poll(NULL, 0, 1);
    }
    /* Whoever made them has gone to sleep; an interpreter has loaded, too. */
    (void)poll(NULL, 0, r->profile == PROFILE_NODE ? 200 : 1);
    (void)count_ready(); /* both ends awake, as when starts follow each other (the rows above) */
}

/* One of the interpreter's own, which says its byte when it is up; loads for longer than all walls.
 */
static struct start_request node_request(void)
{
    static char node[PATH_MAX];
    struct start_request r = request(PROFILE_NODE, "bench", 0);

    if (realpath("/usr/bin/node", node) == NULL)
        r.argc = 0;
    r.program = str_of(node);
    r.argv[0] = STR("node");
    r.argv[1] = STR("-e");
    r.argv[2] = STR("require('fs').writeSync(3, 'x'); setInterval(() => {}, 1e6)");
    return r;
}

/* `count` requests at once; each one's time until its byte is here, in the order of the answers. */
static void run_many(size_t count, bool warm, struct series *s)
{
    struct spawn_one *all = calloc(count, sizeof(*all));
    char(*keys)[24] = calloc(count, sizeof(*keys));

    must(all != NULL && keys != NULL);
    if (warm) {
        struct start_request r = request(PROFILE_STRICT, "bench", 0);
        until_ready(&r, (unsigned)count);
    }
    double begin = now_us();
    first_slot += count;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "bench-%zu", i);
        struct start_request r = request(PROFILE_STRICT, keys[i], i);
        must(spawn_lab_start(&lab, &r, &all[i]));
    }
    for (size_t i = 0; i < count; i++)
        if (first_byte(&all[i]))
            s->us[s->count++] = now_us() - begin;
    for (size_t i = 0; i < count; i++)
        if (all[i].handle != NULL)
            spawner_kill(all[i].handle);
    for (size_t i = 0; i < count; i++) {
        spawn_lab_until_over(&all[i]);
        spawn_lab_release(&all[i]);
    }
    free(all);
    free(keys);
}

static void run_teardown(size_t count)
{
    struct spawn_one *all = calloc(count, sizeof(*all));
    char(*keys)[24] = calloc(count, sizeof(*keys));
    size_t up = 0;
    double begin = now_us();

    must(all != NULL && keys != NULL);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "bench-%zu", i);
        struct start_request r = request(PROFILE_STRICT, keys[i], i);
        must(spawn_lab_start(&lab, &r, &all[i]));
        if (i % 16 == 15) /* descriptors arrive no faster than they are taken */
            spawn_lab_until_started(&all[i]);
    }
    for (size_t i = 0; i < count; i++)
        up += first_byte(&all[i]);
    double started = now_us();
    for (size_t i = 0; i < count; i++)
        if (all[i].handle != NULL)
            spawner_kill(all[i].handle);
    for (size_t i = 0; i < count; i++)
        spawn_lab_until_over(&all[i]);
    double ended = now_us();
    printf("%zu strict workers: up in %.0f ms (%.0f a second), killed and gone in %.0f ms (%.0f a "
           "second)\n",
           up, (started - begin) / 1e3, (double)up / (started - begin) * 1e6,
           (ended - started) / 1e3, (double)up / (ended - started) * 1e6);
    for (size_t i = 0; i < count; i++)
        spawn_lab_release(&all[i]);
    free(all);
    free(keys);
}

/* ---- report
 * -------------------------------------------------------------------------------------------- */

enum side { POSIX, BWRAP, STRICT, PROGRAM, NODE, PYTHON, TOOL, HELPER, COLD_COUNT };
enum { NODE_ITSELF = COLD_COUNT, STRICT_WARM, PROGRAM_WARM, NODE_WARM, SIDE_COUNT };
static struct series sides[SIDE_COUNT] = {[POSIX] = {"posix_spawn, no walls", NULL, 0},
                                          [BWRAP] = {"bubblewrap", NULL, 0},
                                          [STRICT] = {"strict", NULL, 0},
                                          [PROGRAM] = {"program", NULL, 0},
                                          [NODE] = {"node profile", NULL, 0},
                                          [PYTHON] = {"python profile", NULL, 0},
                                          [TOOL] = {"tool", NULL, 0},
                                          [HELPER] = {"helper", NULL, 0},
                                          [NODE_ITSELF] = {"node itself", NULL, 0},
                                          [STRICT_WARM] = {"strict, warm", NULL, 0},
                                          [PROGRAM_WARM] = {"program, warm", NULL, 0},
                                          [NODE_WARM] = {"node itself, warm", NULL, 0}};

static double run_side(enum side s)
{
    static const enum start_profile profiles[] = {
        [STRICT] = PROFILE_STRICT, [PROGRAM] = PROFILE_PROGRAM, [NODE] = PROFILE_NODE,
        [PYTHON] = PROFILE_PYTHON, [TOOL] = PROFILE_TOOL,       [HELPER] = PROFILE_HELPER};
    return s == POSIX ? run_posix() : s == BWRAP ? run_bwrap() : run_ours(profiles[s]);
}

static void add(size_t side, uint64_t round, double us)
{
    if (us >= 0 && round >= 3) /* the first rounds warm the caches of all */
        sides[side].us[sides[side].count++] = us;
}

static void run_all_cold(uint64_t rounds, const char *only, bool has_bwrap)
{
    for (uint64_t i = 0; i < rounds + 3; i++)
        for (size_t s = 0; s < COLD_COUNT; s++)
            if ((only == NULL || strcmp(only, sides[s].name) == 0) && (s != BWRAP || has_bwrap))
                add(s, i, run_side((enum side)s));
}

static void run_one_warm(size_t side, uint64_t rounds, const char *only, struct start_request r)
{
    if (r.argc == 0 || (only != NULL && strcmp(only, sides[side].name) != 0))
        return;
    for (uint64_t i = 0; i < rounds + 3; i++) {
        if (side != NODE_ITSELF)
            until_ready(&r, 2);
        add(side, i, run_request(&r));
    }
    must(spawner_prestop(lab.spawner, NULL) == 0);
}

static void run_all_warm(uint64_t rounds, const char *only)
{
    run_one_warm(NODE_ITSELF, rounds / 4 + 1, only, node_request());
    run_one_warm(STRICT_WARM, rounds, only, request(PROFILE_STRICT, "bench", 0));
    run_one_warm(PROGRAM_WARM, rounds, only, request(PROFILE_PROGRAM, "bench", 0));
    run_one_warm(NODE_WARM, rounds / 4 + 1, only, node_request());
}

static void report(void)
{
    double bwrap;

    for (size_t s = 0; s < SIDE_COUNT; s++)
        qsort(sides[s].us, sides[s].count, sizeof(double), compare);
    bwrap = at(&sides[BWRAP], 0.5);
    printf("%-24s %6s %9s %9s %s\n", "from request to message", "rounds", "p50 us", "p99 us",
           "of bubblewrap");
    for (size_t s = 0; s < SIDE_COUNT; s++) {
        if (sides[s].count == 0)
            continue;
        printf("%-24s %6zu %9.0f %9.0f", sides[s].name, sides[s].count, at(&sides[s], 0.5),
               at(&sides[s], 0.99));
        if (bwrap > 0)
            printf(" 1/%.1f", bwrap / at(&sides[s], 0.5));
        printf("\n");
    }
}

static void report_many(bool warm)
{
    for (size_t n = 1; n <= 64; n = n == 1 ? 16 : n * 4) {
        struct series s = {"", calloc(64 * 16, sizeof(double)), 0};
        must(s.us != NULL);
        for (int i = 0; i < 16; i++)
            run_many(n, warm, &s);
        qsort(s.us, s.count, sizeof(double), compare);
        printf("strict, %s, %2zu at once: p50 %.0f us, p99 %.0f us, last %.0f us\n",
               warm ? "warm" : "cold", n, at(&s, 0.5), at(&s, 0.99), at(&s, 1));
        free(s.us);
    }
    must(spawner_prestop(lab.spawner, NULL) == 0);
}

int main(int argc, char **argv)
{
    uint64_t rounds = 200, workers = 1000;
    struct err err = ERR_INIT;
    bool has_bwrap = access("/usr/bin/bwrap", X_OK) == 0;
    const char *only = argc > 3 ? argv[3] : NULL;

    if ((argc > 1 && num_u64(str_of(argv[1]), &rounds) < 0) ||
        (argc > 2 && num_u64(str_of(argv[2]), &workers) < 0))
        return 2;
    char *path = realpath(spawn_lab_program("tests/escape-inside"), NULL);
    if (path == NULL || str_copy(str_of(path), inside, sizeof(inside)) < 0 ||
        !spawn_lab_open(&lab, &err)) {
        printf("spawn_bench: skipped: %s\n",
               path == NULL ? "tests/escape-inside is not built" : err.text);
        return 0;
    }
    free(path);
    make_filter();
    first_slot = (size_t)getpid() * 211;
    if (!has_bwrap)
        printf("bubblewrap is not installed: its row is empty\n");
    for (size_t s = 0; s < SIDE_COUNT; s++)
        must((sides[s].us = calloc(rounds + 4, sizeof(double))) != NULL);
    run_all_cold(rounds, only, has_bwrap);
    run_all_warm(rounds, only);
    report();
    if (only == NULL) {
        report_many(false);
        report_many(true);
        run_teardown(workers);
    }
    spawn_lab_close(&lab);
    for (size_t s = 0; s < SIDE_COUNT; s++)
        free(sides[s].us);
    return 0;
}
