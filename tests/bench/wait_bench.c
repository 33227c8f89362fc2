/*
 * wait_bench.c: what waiting runs cost: 10,000, then 100,000 of them.
 *
 *   wait_bench [DIR [RUNS]]        RUNS: this number alone
 *
 * One run is made by an event and parks in event/wait for real; the others are written beside it
 * through the store, row for row what reeved wrote for the first (event, run, step, documents,
 * decision, audit, log). Then reeved is started over them: how long until it answers, what every
 * process of it holds, what a run takes on disk, and how long from an event to the step of the run
 * that waited for it, worker, walls and replay included. Targets (issue 5): under 64 MB in all,
 * under 2 KB a run, under 10 ms, under 2 s.
 */
#include <stdio.h>
#include <unistd.h>

#include "policy/text/arena.h"
#include "policy/text/num.h"
#include "supervisor/store/store.h"
#include "tests/lib/bench_lab.h"

#define WAKES 60

static const char yaml[] =
    "tenant: {name: acme}\n---\nteam: {name: bench, tenant: acme}\n---\n"
    "workflow:\n  name: wait\n  tenant: acme\n  team: bench\n  trigger: [{event: bench.wait}]\n"
    "  worker: {program: \"${bin}/tests/bench-inside\"}\n  limits: {park_after: 0s}\n";

/* ---- the others
 * ------------------------------------------------------------------------------------------- */

struct first { /* what reeved wrote for one waiting run */
    struct arena a;
    struct store_run run;
    struct store_event event;
    struct store_step steps[8];
    struct str requests[8], outcomes[8];
    size_t step_count;
    struct store *s;
    struct err err;
};

#define ok(f, call) ((call) < 0 ? bench_die("%s: %s", #call, (f)->err.text) : (void)0)

static int on_step(void *arg, const struct store_step *st)
{
    struct first *f = arg;
    if (f->step_count == ARRAY_LEN(f->steps))
        bench_die("the first run has too many steps");
    struct store_step *kept = &f->steps[f->step_count++];
    *kept = *st;
    kept->key = arena_str(&f->a, st->key);
    kept->reason = arena_str(&f->a, st->reason);
    kept->info = arena_str(&f->a, st->info);
    kept->request_text = arena_str(&f->a, st->request_text);
    kept->outcome_text = arena_str(&f->a, st->outcome_text);
    return 0;
}

static void read_first(struct first *f, int64_t run)
{
    ok(f, store_run_get(f->s, run, &f->a, &f->run, &f->err));
    ok(f, store_event_get(f->s, f->run.event, &f->a, &f->event, &f->err));
    ok(f, store_steps(f->s, run, 0, on_step, f, &f->err));
    for (size_t i = 0; i < f->step_count; i++) {
        const struct store_step *st = &f->steps[i];
        if (st->request_doc)
            ok(f, store_text_get(f->s, st->request_doc, st->request_text, &f->a, &f->requests[i],
                                 &f->err));
        if (st->outcome_doc)
            ok(f, store_text_get(f->s, st->outcome_doc, st->outcome_text, &f->a, &f->outcomes[i],
                                 &f->err));
    }
}

/* The text with every "k-0" in it as "k-N". */
static struct str renamed(struct arena *a, struct str text, int64_t n)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    for (size_t at = 0; at < text.len;) {
        const char *hit = memmem(text.ptr + at, text.len - at, "k-0\"", 4);
        size_t to = hit != NULL ? (size_t)(hit - text.ptr) : text.len;
        buf_str_put(&b, str_slice(text, at, to));
        if (hit != NULL)
            buf_fmt(&b, "k-%" PRId64 "\"", n);
        at = to + (hit != NULL ? 4 : 0);
    }
    struct str kept = arena_str(a, buf_str(&b));
    buf_release(&b);
    return kept;
}

static void add_steps(struct first *f, struct arena *a, int64_t run, int64_t n, int64_t bucket)
{
    for (size_t i = 0; i < f->step_count; i++) {
        struct store_step st = f->steps[i];
        struct str request = renamed(a, f->requests[i], n);
        const struct json *v;
        st.run = run;
        st.request_doc = st.outcome_doc = 0;
        ok(f, json_parse(a, request, &JSON_LIMITS_DEFAULT, &v, NULL, &f->err));
        ok(f, digest_of_json(v, &st.request, &f->err));
        ok(f, store_text_put(f->s, request, &st.request_doc, &st.request_text, &f->err));
        st.outcome_text = STR_NONE;
        if (f->outcomes[i].len)
            ok(f, store_text_put(f->s, f->outcomes[i], &st.outcome_doc, &st.outcome_text, &f->err));
        if (st.kind == STEP_EVENT_WAIT && bucket)
            st.child = bucket;
        ok(f, store_step_add(f->s, &st, &f->err));
    }
}

/* As supervisor/waits.c computes it; 0 where the first run has none. */
static int64_t bucket_of(const struct first *f, int64_t n)
{
    char text[40];
    struct arena a;
    struct err err = ERR_INIT;
    const struct json *v;
    struct digest d;
    uint64_t h;
    bool has = false;
    for (size_t i = 0; i < f->step_count; i++)
        has = has || f->steps[i].child < 0;
    if (!has)
        return 0;
    arena_init(&a, 65536);
    (void)snprintf(text, sizeof(text), "\"k-%" PRId64 "\"", n);
    if (json_parse(&a, str_of(text), &JSON_LIMITS_DEFAULT, &v, NULL, &err) < 0 ||
        digest_of_json(v, &d, &err) < 0)
        bench_die("bucket: %s", err.text);
    const struct str parts[] = {STR("subject"), {(const char *)d.bytes, sizeof(d.bytes)}};
    d = digest_of_parts(parts, ARRAY_LEN(parts));
    memcpy(&h, d.bytes, sizeof(h));
    arena_release(&a);
    return -(int64_t)(h >> 1) - 1;
}

static void add_one(struct first *f, struct arena *a, int64_t n)
{
    struct store_event ev = f->event;
    struct store_run run = f->run;
    char id[32], subject[32], log[] = "self-tested";
    bool duplicate;
    int64_t event, run_id;
    (void)snprintf(id, sizeof(id), "w-%" PRId64, n);
    ev.event_id = str_of(id);
    ev.envelope = renamed(a, f->event.envelope, n);
    ok(f, store_event_add(f->s, &ev, &event, &duplicate, &f->err));
    run.event = event;
    ok(f, store_run_add(f->s, &run, &run_id, &f->err));
    add_steps(f, a, run_id, n, bucket_of(f, n));
    (void)snprintf(subject, sizeof(subject), "run/%" PRId64, run_id);
    ok(f, store_audit_add(f->s, run.created_ms, STR("reeve"), STR("run.queued"), str_of(subject),
                          STR("{\"text\":\"wait\"}"), &f->err));
    ok(f,
       store_audit_add(f->s, run.created_ms, STR("reeve"), STR("run.start"), str_of(subject),
                       STR("{\"workflow\":\"wait\",\"tenant\":\"acme\",\"version\":"
                           "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
                           "\"state\":\"starting\",\"attempt\":1,\"reason\":\"\"}"),
                       &f->err));
    ok(f, store_log_add(f->s, run_id, run.created_ms, STR("info"), STR("walls"), str_of(log),
                        &f->err));
}

/* Numbers from..to of the waiting runs. */
static void add_others(struct bench_lab *lab, int64_t from, int64_t to)
{
    struct store_options o = {.mode = 0640, .group = (gid_t)-1};
    struct first f = {.err = ERR_INIT};
    struct arena a;
    char dir[400];
    (void)snprintf(dir, sizeof(dir), "%s/state", lab->dir);
    arena_init(&f.a, 64u << 20);
    arena_init(&a, 64u << 20);
    ok(&f, store_open(dir, &o, &f.s, &f.err));
    read_first(&f, 1);
    for (int64_t n = from; n < to; n++) {
        add_one(&f, &a, n);
        arena_reset(&a);
        if (n % 5000 == 0)
            ok(&f, store_commit(f.s, &f.err));
    }
    ok(&f, store_commit(f.s, &f.err));
    store_close(f.s);
    arena_release(&a);
    arena_release(&f.a);
}

/* The decision that let each start: a row as large as the first's. */
static void add_decisions(const struct bench_lab *lab)
{
    char command[700];
    (void)snprintf(command, sizeof(command),
                   "sqlite3 '%s/state/reeve.db' 'INSERT INTO "
                   "decision(run,seq,ask,allow,policy,reasons,errors,at_ms,facts)"
                   " SELECT 0,0,d.ask,d.allow,d.policy,d.reasons,d.errors,d.at_ms,d.facts FROM "
                   "decision d, run r"
                   " WHERE d.id=1 AND r.id>(SELECT count(*) FROM decision)'",
                   lab->dir);
    if (system(command) != 0)
        bench_die("add decisions");
}

/* ---- what it costs
 * ------------------------------------------------------------------------------------------ */

static int64_t store_bytes(struct bench_lab *lab)
{
    return bench_lab_number(lab,
                            "SELECT page_count*page_size FROM pragma_page_count, pragma_page_size");
}

static void give_store(const struct bench_lab *lab)
{
    char command[800];
    (void)snprintf(command, sizeof(command), "chown --reference='%s/state' '%s'/state/reeve.db*",
                   lab->dir, lab->dir);
    if (system(command) != 0)
        bench_die("give the store back");
}

static void take_first(void *arg, int64_t run, const struct json *result)
{
    struct err err = ERR_INIT;
    if (json_want_i64(result, "first", arg, &err) < 0)
        bench_die("run %" PRId64 ": %s", run, err.text);
}

static bool is_over(struct bench_lab *lab, int64_t run)
{
    char sql[100];
    (void)snprintf(sql, sizeof(sql), "SELECT state FROM run WHERE id=%" PRId64, run);
    int64_t state = bench_lab_number(lab, sql);
    if (state > 4)
        bench_die("run %" PRId64 " did not go on; KEEP=1 keeps %s", run, lab->dir);
    return state == 4;
}

/* Run n+1 waits for subject k-n. */
static double wake_one(struct bench_lab *lab, int64_t n)
{
    char id[32];
    int64_t first = 0, from = bench_now_ns();
    (void)snprintf(id, sizeof(id), "k-%" PRId64, n);
    (void)bench_lab_event(lab, "bench.wake", id, "{}");
    double give_up = bench_now() + 60;
    while (!is_over(lab, n + 1)) {
        if (bench_now() > give_up)
            bench_die("run %" PRId64 " does not wake; KEEP=1 keeps %s", n + 1, lab->dir);
        bench_pause_ms(5);
    }
    bench_lab_result(lab, n + 1, take_first, &first);
    return (double)(first - from) / 1e6;
}

static void put_memory(const struct bench_lab *lab)
{
    struct bench_memory m[64];
    size_t n = bench_lab_memory(lab, m, ARRAY_LEN(m));
    double rss = 0, own = 0;
    for (size_t i = 0; i < n; i++) {
        printf("    %-16s %7.1f MB resident, %6.1f MB its own\n", m[i].name,
               (double)m[i].rss_bytes / 1e6, (double)m[i].private_bytes / 1e6);
        rss += (double)m[i].rss_bytes / 1e6;
        own += (double)m[i].private_bytes / 1e6;
    }
    printf("  memory in all: %.1f MB resident, %.1f MB without what is shared (target 64)\n", rss,
           own);
}

static void measure(struct bench_lab *lab, int64_t had, int64_t runs)
{
    struct bench_series ms = {0}, commit = {0};
    struct bench_floor floor;
    int64_t before = store_bytes(lab);
    double from = bench_now();
    add_others(lab, had, runs);
    add_decisions(lab);
    give_store(lab);
    double wrote = bench_now() - from;
    int64_t after = store_bytes(lab);
    double ready = bench_lab_start(lab, 64);
    printf("%" PRId64 " waiting runs (written in %.0f s)\n", runs, wrote);
    printf("  on disk: %.0f bytes a run (target 2048)\n",
           (double)(after - before) / (double)(runs - had));
    printf("  restart: ready in %.2f s (target 2)\n", ready);
    put_memory(lab);
    bench_floor_open(&floor, lab);
    (void)bench_floor_rows(&floor, 1, 0.3, &commit);
    for (int64_t i = 0; i < WAKES; i++)
        bench_add(&ms, wake_one(lab, runs - 1 - i * (runs / 2 / WAKES) - (had != 1)));
    (void)bench_floor_rows(&floor, 1, 0.3, &commit);
    bench_floor_close(&floor);
    printf("  wake-up: p50 %.1f ms, p99 %.1f ms from the event to the step (target 10); %.0f "
           "commits of bare SQLite\n",
           bench_at(&ms, 0.5), bench_at(&ms, 0.99),
           bench_at(&ms, 0.5) * 1e3 / bench_at(&commit, 0.5));
    printf("  after %d wake-ups:\n", WAKES);
    put_memory(lab);
    (void)fflush(stdout);
    bench_lab_stop(lab);
    bench_release(&ms);
    bench_release(&commit);
}

int main(int argc, char **argv)
{
    struct bench_lab lab;
    int64_t only = 0;
    if (argc > 3 || (argc > 2 && (num_i64(str_of(argv[2]), &only) < 0 || only < 1000)))
        bench_die("usage: wait_bench [DIR [RUNS of 1000 and more]]");
    bench_lab_open(&lab, argc > 1 ? argv[1] : NULL, yaml);
    (void)bench_lab_start(&lab, 64);
    if (bench_lab_event(&lab, "bench.wait", "w-0", "{\"mode\":\"wait\",\"key\":\"k-0\"}") != 1)
        bench_die("the first run is not the first");
    while (bench_lab_number(&lab, "SELECT count(*) FROM run WHERE state=3 AND wait=2") == 0)
        bench_pause_ms(10);
    bench_lab_stop(&lab);
    printf("wait_bench\n");
    if (only == 0)
        measure(&lab, 1, 10000);
    measure(&lab, only == 0 ? 10000 : 1, only == 0 ? 100000 : only);
    bench_lab_close(&lab);
    return 0;
}
