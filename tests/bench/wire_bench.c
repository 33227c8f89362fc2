/*
 * wire_bench.c: what the codec and the loop cost: the round trip of a smallest request over two
 * wires in two processes, beside a bare ping-pong of the same bytes over the same kind of socket.
 * Both run in turns in the same run, so that what the machine does meanwhile meets both.
 *
 *   wire_bench [ROUNDS]     prints, for each placing of the two processes, p50 and p99 and the
 * ratio
 *
 * Target (issue 4): p50 under 2 x bare.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/wire.h"

#define TURNS 20

enum side { SIDE_BARE, SIDE_WIRE, SIDE_MIXED, SIDE_COUNT };
static const char *const side_names[] = {"bare socket", "wire <-> wire", "bare <-> wire"};

struct bench {
    int fds[SIDE_COUNT]; /* our ends */
    pid_t pids[SIDE_COUNT];
    struct ev *ev;
    struct wire *wire;
    bool answered;
    size_t rounds; /* of one turn */
    double *us[SIDE_COUNT];
    size_t count[SIDE_COUNT];
};

static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":100000,\"method\":\"checkpoint/"
                              "save\",\"params\":{\"state\":\"s\"}}\n";
static const char reply[] = "{\"jsonrpc\":\"2.0\",\"id\":100000,\"result\":{\"ok\":true}}\n";

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "wire_bench: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        die("sched_setaffinity", NULL);
}

/* ---- the serving process ----------------------------------------------------------------------
 */

static void serve_bare(int fd)
{
    char in[512];
    while (read(fd, in, sizeof in) > 0) {
        if (write(fd, reply, sizeof reply - 1) < 0)
            break;
    }
    _exit(0);
}

static void on_request(void *arg, struct wire *w, const struct wire_message *m)
{
    struct wire_out o;
    (void)arg;
    wire_result(w, &o, m->id);
    jout_m_bool(&o.j, "ok", true);
    if (wire_end(w, &o, NULL) < 0)
        _exit(1);
}

static void on_end(void *arg, struct wire *w, const struct err *why)
{
    (void)arg;
    (void)w;
    _exit(why->number ? 1 : 0);
}

static void serve_wire(int fd)
{
    struct wire_owner owner = {on_request, on_end, NULL};
    struct ev *ev;
    struct wire *w;
    if (ev_new(&ev, NULL, NULL) < 0 || wire_new(ev, fd, NULL, false, &owner, &w, NULL) < 0)
        _exit(1);
    (void)ev_run(ev, NULL);
    _exit(1);
}

static void start(struct bench *b, enum side side, int cpu)
{
    int fds[2];
    struct err err;
    if (sock_pair(fds, false, &err) < 0)
        die("socket pair", &err);
    b->pids[side] = fork();
    if (b->pids[side] < 0)
        die("fork", NULL);
    if (b->pids[side] == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(fds[0]);
        for (int i = 0; i < SIDE_COUNT; i++)
            fd_close(&b->fds[i]);
        pin(cpu);
        if (side == SIDE_BARE)
            serve_bare(fds[1]);
        serve_wire(fds[1]);
    }
    close(fds[1]);
    b->fds[side] = fds[0];
}

/* ---- the asking process -----------------------------------------------------------------------
 */

static void ask_bare(int fd)
{
    char in[512];
    if (write(fd, request, sizeof request - 1) < 0 || read(fd, in, sizeof in) <= 0)
        die("the serving process ended", NULL);
}

static void on_reply(void *arg, struct wire *w, const struct wire_message *m)
{
    struct bench *b = arg;
    (void)w;
    if (m->kind != WIRE_RESULT)
        die("an error came", NULL);
    b->answered = true;
}

static void ask_wire(struct bench *b)
{
    struct wire_out o;
    struct err err;
    if (wire_call_begin(b->wire, &o, "checkpoint/save") < 0)
        die("call", NULL);
    jout_m_cstr(&o.j, "state", "s");
    if (wire_call_end(b->wire, &o, 0, on_reply, b, NULL, &err) < 0)
        die("call", &err);
    for (b->answered = false; !b->answered;) {
        if (ev_once(b->ev, -1, &err) < 0)
            die("loop", &err);
    }
}

static void take_turn(struct bench *b, enum side side, bool keep)
{
    for (size_t i = 0; i < b->rounds; i++) {
        double at = now_us();
        if (side == SIDE_WIRE)
            ask_wire(b);
        else
            ask_bare(b->fds[side]);
        if (keep)
            b->us[side][b->count[side]++] = now_us() - at;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(struct bench *b, const char *placing)
{
    double p50[SIDE_COUNT], p99[SIDE_COUNT];
    for (int s = 0; s < SIDE_COUNT; s++) {
        qsort(b->us[s], b->count[s], sizeof(double), compare);
        p50[s] = b->us[s][b->count[s] / 2];
        p99[s] = b->us[s][b->count[s] * 99 / 100];
        printf("  %-10s  %-14s  p50 %7.2f us  p99 %7.2f us  p50 %.2f x bare\n", placing,
               side_names[s], p50[s], p99[s], p50[s] / p50[SIDE_BARE]);
    }
}

static void run(const char *placing, int our_cpu, int their_cpu, size_t rounds)
{
    struct bench b = {.fds = {-1, -1, -1}, .rounds = rounds / TURNS};
    struct wire_owner owner = {on_request, on_end, &b};
    struct err err;
    for (int s = 0; s < SIDE_COUNT; s++) {
        start(&b, (enum side)s, their_cpu);
        b.us[s] = calloc(rounds, sizeof(double));
        if (!b.us[s])
            die("out of memory", NULL);
    }
    pin(our_cpu);
    if (ev_new(&b.ev, NULL, &err) < 0)
        die("loop", &err);
    if (wire_new(b.ev, fd_take(&b.fds[SIDE_WIRE]), NULL, false, &owner, &b.wire, &err) < 0)
        die("wire", &err);
    for (int turn = -1; turn < TURNS; turn++) { /* the first warms up */
        for (int s = 0; s < SIDE_COUNT; s++)
            take_turn(&b, (enum side)s, turn >= 0);
    }
    print(&b, placing);
    wire_free(b.wire);
    ev_free(b.ev);
    for (int s = 0; s < SIDE_COUNT; s++) {
        fd_close(&b.fds[s]);
        (void)waitpid(b.pids[s], NULL, 0);
        free(b.us[s]);
    }
}

int main(int argc, char **argv)
{
    uint64_t rounds = 20000;
    if (argc > 1 && (num_u64(str_of(argv[1]), &rounds) < 0 || rounds < TURNS))
        die("usage: wire_bench [ROUNDS]", NULL);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    printf("round trip of %zu + %zu bytes, %" PRIu64 " rounds each\n", sizeof request - 1,
           sizeof reply - 1, rounds);
    /* Always pinned: left alone, the scheduler puts one pair on one core and the next on two, and
     * that alone is a factor of five. */
    if (cpus > 1)
        run("two cores", 0, 1, (size_t)rounds);
    run("one core", 0, 0, (size_t)rounds);
    return 0;
}
