/*
 * steps_bench.c: durable steps a second, and what one costs, with 1, 16, 64 and 256 runs at once.
 *
 *   steps_bench [DIR [SCALE [RUNS]]]      SCALE: percent of the usual work (100); RUNS: this level
 * alone
 *
 * A step is one of a confined worker over worker/reeve.h. Awaited (reeve_step_end): recorded before
 * the worker goes on. Ahead (reeve_step_end_later): recorded before anything that comes after it
 * can leave Reeve; up to 64 travel together. Workloads: runs of 10 steps, the starts of their
 * processes included; and long ones, in which starts do not count. Floor, before and after each:
 * rows a second that bare SQLite commits with the same pragmas on the same disk, in groups of as
 * many rows as there are runs.
 *
 * Targets (issue 5): at 1 run, a step costs at most 1.5 floor commits; at 64 and above, 40 % of the
 * floor's rows.
 */
#include <pthread.h>
#include <stdio.h>

#include "policy/text/num.h"
#include "tests/lib/bench_lab.h"

#define POSTERS 8

static const char yaml[] =
    "tenant: {name: acme}\n---\n"
    "team: {name: bench, tenant: acme}\n---\n"
    "workflow:\n  name: steps\n  tenant: acme\n  team: bench\n  trigger: [{event: bench.steps}]\n"
    "  concurrency: 1000\n  worker: {program: \"${bin}/tests/bench-inside\"}\n"
    "  limits: {steps: 100000}\n";

struct poster {
    struct bench_lab lab;
    pthread_t thread;
    int from, to, steps;
    bool ahead;
    const char *name;
};

static void *post(void *arg)
{
    struct poster *p = arg;
    char id[64], data[64];
    (void)snprintf(data, sizeof(data), "{\"n\":%d,\"mode\":\"%s\"}", p->steps,
                   p->ahead ? "ahead" : "steps");
    for (int i = p->from; i < p->to; i++) {
        (void)snprintf(id, sizeof(id), "%s-%d", p->name, i);
        if (bench_lab_event(&p->lab, "bench.steps", id, data) == 0)
            bench_die("no run for event %s", id);
    }
    return NULL;
}

static void post_all(const struct bench_lab *lab, const char *name, int runs, int steps, bool ahead)
{
    struct poster posters[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.lab = *lab, .name = name, .steps = steps, .ahead = ahead};
        posters[i].lab.fd = -1;
        buf_init(&posters[i].lab.answer, 1u << 20);
        posters[i].from = runs * i / POSTERS;
        posters[i].to = runs * (i + 1) / POSTERS;
        if (pthread_create(&posters[i].thread, NULL, post, &posters[i]) != 0)
            bench_die("no thread");
    }
    for (int i = 0; i < POSTERS; i++) {
        (void)pthread_join(posters[i].thread, NULL);
        buf_release(&posters[i].lab.answer);
    }
}

struct seen {
    int64_t first, last, steps;
    struct bench_series step_us;
};

static void take(void *arg, int64_t run, const struct json *result)
{
    struct seen *s = arg;
    struct err err = ERR_INIT;
    const struct json *ns;
    int64_t begun, end;
    if (json_want_i64(result, "begun", &begun, &err) < 0 ||
        json_want_i64(result, "end", &end, &err) < 0 ||
        json_want(result, "ns", JSON_ARRAY, &ns, &err) < 0)
        bench_die("run %" PRId64 ": %s", run, err.text);
    s->first = s->first == 0 ? begun : MIN(s->first, begun);
    s->last = MAX(s->last, end);
    s->steps += (int64_t)ns->array.count;
    for (size_t i = 0; i < ns->array.count; i++)
        bench_add(&s->step_us, (double)ns->array.items[i].integer / 1e3);
}

static void run_times(struct bench_lab *lab, int64_t after, int64_t *p50, int64_t *p99)
{
    char sql[256];
    static const char text[] =
        "SELECT ended_ms-started_ms FROM run WHERE id>%" PRId64
        " ORDER BY 1 LIMIT 1 OFFSET (SELECT (count(*)-1)*%d/100 FROM run WHERE id>%" PRId64 ")";
    (void)snprintf(sql, sizeof(sql), text, after, 50, after);
    *p50 = bench_lab_number(lab, sql);
    (void)snprintf(sql, sizeof(sql), text, after, 99, after);
    *p99 = bench_lab_number(lab, sql);
}

static void measure(struct bench_lab *lab, struct bench_floor *floor, int at_once, int runs,
                    int steps, bool ahead)
{
    struct bench_series commit_us = {0};
    struct bench_load from, to;
    struct seen seen = {0};
    char name[32], load[128];
    int64_t p50, p99;
    double rows = bench_floor_rows(floor, at_once, 0.7, &commit_us);
    (void)bench_lab_start(lab, at_once);
    int64_t after = bench_lab_number(lab, "SELECT coalesce(max(id),0) FROM run");
    (void)snprintf(name, sizeof(name), "s%d-%d%s", at_once, steps, ahead ? "a" : "");
    bench_load_take(lab, &from);
    post_all(lab, name, runs, steps, ahead);
    bench_lab_await(lab, after, runs);
    bench_load_take(lab, &to);
    bench_lab_results(lab, "steps", after, take, &seen);
    run_times(lab, after, &p50, &p99);
    bench_lab_stop(lab);
    rows = (rows + bench_floor_rows(floor, at_once, 0.7, &commit_us)) / 2;
    double a_second = (double)seen.steps / ((double)(seen.last - seen.first) / 1e9);
    bench_load_put(&from, &to, load, sizeof(load));
    printf("%-7s %5d %6d %9.0f %8.0f %9.0f %6.1f%% %8.0f %8.0f %7.2f %7" PRId64 " %7" PRId64
           " %7.0f  %s\n",
           ahead ? "ahead" : "awaited", at_once, steps, rows, bench_at(&commit_us, 0.5), a_second,
           100 * a_second / rows, bench_at(&seen.step_us, 0.5), bench_at(&seen.step_us, 0.99),
           bench_at(&seen.step_us, 0.5) / bench_at(&commit_us, 0.5), p50, p99,
           bench_load_reeved_us(&from, &to) / (double)MAX(seen.steps, 1), load);
    (void)fflush(stdout);
    bench_release(&seen.step_us);
    bench_release(&commit_us);
}

int main(int argc, char **argv)
{
    static const int levels[] = {1, 16, 64, 256};
    struct bench_lab lab;
    struct bench_floor floor;
    int64_t scale = 100, only = 0;
    if (argc > 4 || (argc > 2 && num_i64(str_of(argv[2]), &scale) < 0) ||
        (argc > 3 && num_i64(str_of(argv[3]), &only) < 0))
        bench_die("usage: steps_bench [DIR [SCALE [RUNS]]]");
    bench_lab_open(&lab, argc > 1 ? argv[1] : NULL, yaml);
    bench_floor_open(&floor, &lab);
    printf(
        "steps_bench: durable steps; floor: bare SQLite, groups of as many rows as runs at once\n");
    printf("%7s %5s %6s %9s %8s %9s %7s %8s %8s %7s %7s %7s %7s\n", "", "runs", "steps", "floor",
           "floor", "steps", "of the", "step us", "step us", "step in", "run ms", "run ms",
           "CPU us");
    printf("%7s %5s %6s %9s %8s %9s %7s %8s %8s %7s %7s %7s %7s  %s\n", "", "once", "a run",
           "rows/s", "commit us", "a second", "floor", "p50", "p99", "commits", "p50", "p99",
           "a step", "load");
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (only != 0 && only != levels[i])
            continue;
        int few = (int)MAX((100 + levels[i] * 4) * scale / 100, 8);
        int many = (int)MAX(MAX(300, 3000 / levels[i]) * scale / 100, 10);
        measure(&lab, &floor, levels[i], few, 10, false);
        measure(&lab, &floor, levels[i], few, 10, true);
        measure(&lab, &floor, levels[i], levels[i], many, false);
        measure(&lab, &floor, levels[i], levels[i], 5 * many, true);
    }
    bench_floor_close(&floor);
    bench_lab_close(&lab);
    return 0;
}
