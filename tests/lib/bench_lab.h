/*
 * bench_lab.h: a whole Reeve for benchmarks: a real reeved with helpers, walls and a store on disk, driven over its
 * control socket; stand-ins for a model and a tool; the floor (bare SQLite on the same disk, same pragmas); and what
 * the machine did meanwhile, so that a report can say which resource was full.
 *
 * Whatever goes wrong ends the program with its reason: a benchmark has no half result.
 */
#ifndef REEVE_TESTS_BENCH_LAB_H
#define REEVE_TESTS_BENCH_LAB_H

#include <sqlite3.h>

#include "policy/text/buf.h"
#include "policy/text/json.h"

struct bench_lab {
    char dir[256], socket[300], build[512];
    pid_t reeved, model;
    uint16_t model_port;
    int fd;            /* of the control connection, kept alive */
    struct buf answer; /* of the last request: its body */
};

void bench_die(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));
double bench_now(void);     /* seconds, CLOCK_MONOTONIC */
int64_t bench_now_ns(void); /* the same clock as the workers read */
void bench_pause_ms(int ms); /* between two looks at a condition */

/* Makes base/reeve-bench.XXXXXX with an open policy. base NULL: $TMPDIR or /tmp. `yaml`: the workflows. */
void bench_lab_open(struct bench_lab *lab, const char *base, const char *yaml);
void bench_lab_model(struct bench_lab *lab); /* the stand-in for a model, before bench_lab_start */
/* Starts reeved and waits until it answers; returns the seconds that took. */
double bench_lab_start(struct bench_lab *lab, int workers);
void bench_lab_stop(struct bench_lab *lab); /* and all that it started */
void bench_lab_close(struct bench_lab *lab);

/* One HTTP request on the kept connection; the status, and lab->answer. */
int bench_lab_http(struct bench_lab *lab, const char *method, const char *path, const char *body);
/* Sends an event; data is JSON text. The run's id, or 0 when it started none. */
int64_t bench_lab_event(struct bench_lab *lab, const char *type, const char *id, const char *data);
/* A number out of the store, read beside reeved. */
int64_t bench_lab_number(struct bench_lab *lab, const char *sql);
/* Each result document of the workflow's finished runs with ids above `after`, parsed. */
typedef void bench_result_fn(void *arg, int64_t run, const struct json *result);
void bench_lab_result(struct bench_lab *lab, int64_t run, bench_result_fn *fn, void *arg);
void bench_lab_results(struct bench_lab *lab, const char *workflow, int64_t after, bench_result_fn *fn, void *arg);
/* Waits until so many runs with ids above `after` have succeeded; dies when one ended otherwise. */
void bench_lab_await(struct bench_lab *lab, int64_t after, int64_t count);

struct bench_memory {
    char name[32];
    pid_t pid;
    int64_t rss_bytes, private_bytes;
};
/* reeved and all below it; how many. */
size_t bench_lab_memory(const struct bench_lab *lab, struct bench_memory *ret, size_t max);

/* ---- numbers ---------------------------------------------------------------------------------------- */

struct bench_series {
    double *v;
    size_t count, cap;
    bool sorted;
};
void bench_add(struct bench_series *s, double v);
double bench_at(struct bench_series *s, double share); /* 0.5: the median; 0 of none */
void bench_release(struct bench_series *s);

/* ---- the floor, and what was full -------------------------------------------------------------------- */

struct bench_floor {
    sqlite3 *db;
    sqlite3_stmt *add, *begin, *commit;
    int64_t next;
};
/* A database of its own in lab->dir, with the pragmas of the store. */
void bench_floor_open(struct bench_floor *f, const struct bench_lab *lab);
void bench_floor_close(struct bench_floor *f);
/* Commits groups of rows as large as a step's for about `seconds`; rows a second; commit times into *us. */
double bench_floor_rows(struct bench_floor *f, int group, double seconds, struct bench_series *us);

struct bench_load {
    double at, cpu_busy, cpu_all, reeved_cpu, disk_ms;
};
void bench_load_take(const struct bench_lab *lab, struct bench_load *ret);
double bench_load_reeved_us(const struct bench_load *from, const struct bench_load *to); /* CPU time of reeved itself */
/* "cores 97 % busy, reeved 61 % of one; disk 20 %: the cores are full" */
void bench_load_put(const struct bench_load *from, const struct bench_load *to, char *text, size_t size);

#endif
