/*
 * size_bench.c: what a run takes on disk: the built-in agent's turns, each with a model call whose
 * request holds the whole conversation so far, and a tool call that makes it longer.
 *
 *   size_bench [DIR [TURNS [BYTES]]]    (100 turns; 2000 bytes more each: 200 KB at the end)
 *
 * Everything that reeved keeps counts: steps, requests, answers, decisions with their facts,
 * indexes. Floor: the last conversation once, as it is; and what would be kept if each request were
 * written out. Prints "bytes N" on the last line, for scripts.
 */
#include <stdio.h>

#include "policy/text/num.h"
#include "tests/lib/bench_lab.h"

static const char yaml[] =
    "tenant: {name: acme}\n---\nteam: {name: bench, tenant: acme}\n---\n"
    "model: {name: stand, url: \"${model_url}\", model: stand-in, allow_http: true, onprem: "
    "true}\n---\n"
    "server:\n  name: stand\n  tenant: acme\n  command: [\"${bin}/tests/bench-inside\", tool, "
    "\"%" PRId64 "\"]\n"
    "  tools:\n    echo: {class: read, retry: read-only}\n---\n"
    "workflow:\n  name: size\n  tenant: acme\n  team: bench\n  trigger: [{event: bench.size}]\n"
    "  agent: {model: stand, system: \"You play turns.\", prompt: \"turns=%" PRId64
    "\", max_turns: 1000}\n  tools: [stand/echo]\n"
    "  limits: {steps: 10000, wall_time: 10m}\n  budget: {tokens: 100000000, calls: 1000000}\n";

/* Pages in use: what was given back is not the run's. */
static int64_t used(struct bench_lab *lab)
{
    return (bench_lab_number(lab, "PRAGMA page_count") -
            bench_lab_number(lab, "PRAGMA freelist_count")) *
           bench_lab_number(lab, "PRAGMA page_size");
}

static int64_t one_run(struct bench_lab *lab, const char *id)
{
    int64_t before = used(lab);
    int64_t run = bench_lab_event(lab, "bench.size", id, "{}");
    bench_lab_await(lab, run - 1, 1);
    return used(lab) - before;
}

int main(int argc, char **argv)
{
    struct bench_lab lab;
    char text[2000];
    int64_t turns = 100, bytes = 2000;
    if (argc > 4 || (argc > 2 && num_i64(str_of(argv[2]), &turns) < 0) ||
        (argc > 3 && num_i64(str_of(argv[3]), &bytes) < 0) || turns < 1 || turns > 900)
        bench_die("usage: size_bench [DIR [TURNS [BYTES]]]");
    (void)snprintf(text, sizeof(text), yaml, bytes, turns);
    bench_lab_open(&lab, argc > 1 && argv[1][0] ? argv[1] : NULL, text);
    bench_lab_model(&lab);
    (void)bench_lab_start(&lab, 8);
    (void)one_run(&lab, "size-0"); /* the workflow's own texts */
    int64_t a = one_run(&lab, "size-1"), b = one_run(&lab, "size-2");
    int64_t taken = (a + b) / 2, talk = turns * bytes;
    printf("size_bench: bytes on disk of a run of %" PRId64 " turns, a conversation of %" PRId64
           " KB at the end\n",
           turns, talk / 1000);
    printf("%-52s %12" PRId64 "\n", "the conversation once, as it is", talk);
    printf("%-52s %12" PRId64 "\n", "each request written out", talk * (turns + 1) / 2);
    printf("%-52s %12" PRId64 "   %.2f of the conversation, %.0f a turn\n", "what a run takes",
           taken, (double)taken / (double)talk, (double)taken / (double)turns);
    printf("bytes %" PRId64 "\n", taken);
    bench_lab_stop(&lab);
    bench_lab_close(&lab);
    return 0;
}
