/*
 * start_bench.c: from an event to the first step of its run.
 *
 *   start_bench [DIR [ROUNDS]]
 *
 * "accepted" is when the sender has its answer (the event and the run are on disk), "executing"
 * when the worker, behind all its walls, has been told to do its first step. One event at a time. A
 * program starts cold; the built-in agent takes a worker that waits behind finished walls where
 * reeved keeps some (--prestart). The agent's times come from the store, which keeps milliseconds:
 * read its mean. Peer, in the same run: posix_spawn of the same program without walls, to its first
 * byte. Targets (issue 5): cold under 4 ms, warm under 1 ms, p50.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "tests/lib/bench_lab.h"

static const char yaml[] =
    "tenant: {name: acme}\n---\nteam: {name: bench, tenant: acme}\n---\n"
    "model: {name: stand, url: \"${model_url}\", model: stand-in, allow_http: true, onprem: "
    "true}\n---\n"
    "workflow:\n  name: cold\n  tenant: acme\n  team: bench\n  trigger: [{event: bench.cold}]\n"
    "  worker: {program: \"${bin}/tests/bench-inside\"}\n---\n"
    "workflow:\n  name: agent\n  tenant: acme\n  team: bench\n  trigger: [{event: bench.agent}]\n"
    "  agent: {model: stand, system: \"You answer.\", prompt: \"Go.\"}\n";

extern char **environ;

/* The same program as a tool server without walls: one line in, one line out. */
static double plain_us(const struct bench_lab *lab)
{
    char program[600], c;
    char *argv[] = {program, (char[]){"echo"}, NULL};
    int in[2], out[2];
    pid_t pid;
    posix_spawn_file_actions_t a;
    (void)snprintf(program, sizeof(program), "%s/tests/bench-inside", lab->build);
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
        posix_spawn_file_actions_init(&a) != 0)
        bench_die("no pipes");
    (void)posix_spawn_file_actions_adddup2(&a, in[0], 0);
    (void)posix_spawn_file_actions_adddup2(&a, out[1], 1);
    double from = bench_now();
    if (posix_spawn(&pid, program, &a, NULL, argv, environ) != 0 || write(in[1], "\n", 1) != 1 ||
        read(out[0], &c, 1) != 1)
        bench_die("start %s", program);
    double us = (bench_now() - from) * 1e6;
    for (int i = 0; i < 2; i++) {
        (void)close(in[i]);
        (void)close(out[i]);
    }
    (void)waitpid(pid, NULL, 0);
    (void)posix_spawn_file_actions_destroy(&a);
    return us;
}

static void take_first(void *arg, int64_t run, const struct json *result)
{
    struct err err = ERR_INIT;
    if (json_want_i64(result, "first", arg, &err) < 0)
        bench_die("run %" PRId64 ": %s", run, err.text);
}

static void one_cold(struct bench_lab *lab, int i, struct bench_series *sent,
                     struct bench_series *accepted)
{
    char id[32];
    int64_t first = 0, from = bench_now_ns();
    (void)snprintf(id, sizeof(id), "cold-%d", i);
    int64_t run = bench_lab_event(lab, "bench.cold", id, "{\"n\":1}");
    int64_t answered = bench_now_ns();
    bench_lab_await(lab, run - 1, 1);
    bench_lab_results(lab, "cold", run - 1, take_first, &first);
    bench_add(sent, (double)(first - from) / 1e3);
    bench_add(accepted, (double)(first - answered) / 1e3);
}

static void one_agent(struct bench_lab *lab, int i, struct bench_series *us)
{
    char id[32], sql[200];
    (void)snprintf(id, sizeof(id), "agent-%d", i);
    int64_t run = bench_lab_event(lab, "bench.agent", id, "{}");
    bench_lab_await(lab, run - 1, 1);
    (void)snprintf(sql, sizeof(sql),
                   "SELECT min(s.asked_ms)-e.received_ms FROM run r JOIN event e ON e.id=r.event"
                   " JOIN step s ON s.pos>>20=r.id WHERE r.id=%" PRId64,
                   run);
    bench_add(us, (double)bench_lab_number(lab, sql) * 1e3);
}

static void row(const char *name, struct bench_series *s, struct bench_series *floor)
{
    double sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += s->v[i];
    printf("%-52s %8.2f %8.2f %8.2f %8.1f\n", name, bench_at(s, 0.5) / 1e3, bench_at(s, 0.99) / 1e3,
           sum / (double)MAX(s->count, 1) / 1e3, bench_at(s, 0.5) / bench_at(floor, 0.5));
    bench_release(s);
}

int main(int argc, char **argv)
{
    struct bench_lab lab;
    struct bench_load from, to;
    struct bench_series plain = {0}, sent = {0}, accepted = {0}, agent = {0};
    char load[128];
    int64_t rounds = 60;
    if (argc > 3 || (argc > 2 && num_i64(str_of(argv[2]), &rounds) < 0))
        bench_die("usage: start_bench [DIR [ROUNDS]]");
    bench_lab_open(&lab, argc > 1 ? argv[1] : NULL, yaml);
    bench_lab_model(&lab);
    (void)bench_lab_start(&lab, 64);
    bench_load_take(&lab, &from);
    for (int i = 0; i < (int)rounds; i++) {
        bench_add(&plain, plain_us(&lab));
        one_cold(&lab, i, &sent, &accepted);
        one_agent(&lab, i, &agent);
    }
    bench_load_take(&lab, &to);
    bench_load_put(&from, &to, load, sizeof(load));
    struct bench_series floor = plain, shown = {0};
    for (size_t i = 0; i < floor.count; i++)
        bench_add(&shown, floor.v[i]);
    printf("start_bench: ms to the first step (%s)\n%-52s %8s %8s %8s %8s\n", load, "", "p50",
           "p99", "mean", "x plain");
    row("posix_spawn without walls, to its first byte", &shown, &floor);
    row("program, cold: event sent -> step executing", &sent, &floor);
    row("program, cold: event accepted -> step executing", &accepted, &floor);
    row("agent: event received -> first step asked for", &agent, &floor);
    bench_release(&floor);
    bench_lab_close(&lab);
    return 0;
}
