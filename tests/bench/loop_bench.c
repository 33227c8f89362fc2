/*
 * loop_bench.c: what Reeve adds to a turn of an agent: one model call and one tool call, each with
 * a durable intent and a durable outcome, policy asked for both.
 *
 *   loop_bench [DIR [RUNS]]
 *
 * The built-in agent plays the turns, 40 a run, against a model and a tool that answer at once; a
 * turn is from one model request to the next, as the store's milliseconds have it (so read the
 * mean). Floor, in the same run: the same request to the same model over a kept connection, and a
 * line to the same tool through pipes, without Reeve; and one commit of bare SQLite, of which a
 * turn needs four. Target (issue 5): under 2 ms added.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "tests/lib/bench_lab.h"

static const char yaml[] =
    "tenant: {name: acme}\n---\nteam: {name: bench, tenant: acme}\n---\n"
    "model: {name: stand, url: \"${model_url}\", model: stand-in, allow_http: true, onprem: "
    "true}\n---\n"
    "server:\n  name: stand\n  tenant: acme\n  command: [\"${bin}/tests/bench-inside\", tool]\n"
    "  tools:\n    echo: {class: read, retry: read-only}\n---\n"
    "workflow:\n  name: loop\n  tenant: acme\n  team: bench\n  trigger: [{event: bench.loop}]\n"
    "  agent: {model: stand, system: \"You play turns.\", prompt: \"turns=40\", max_turns: 60}\n  "
    "tools: [stand/echo]\n"
    "  budget: {tokens: 100000000, calls: 1000000}\n";
#define TURNS_A_RUN 40

static void ask(int out, int in, const char *text, size_t len, const char *end)
{
    char answer[4096];
    size_t have = 0;
    if (write(out, text, len) != (ssize_t)len)
        bench_die("write to a stand-in");
    do {
        ssize_t n = read(in, answer + have, sizeof(answer) - 1 - have);
        if (n <= 0)
            bench_die("a stand-in went away");
        have += (size_t)n;
        answer[have] = '\0';
    } while (strstr(answer, end) == NULL && have < sizeof(answer) - 1);
}

/* A turn without Reeve: HTTP to the model, a line to the tool. */
static void plain_turns(const struct bench_lab *lab, int turns, struct bench_series *us)
{
    static const char body[] =
        "{\"model\":\"stand-in\",\"messages\":[{\"role\":\"user\",\"content\":\"turn 1\"}]}";
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
                               "call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"n\":1}}}\n";
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(lab->model_port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char head[300], program[600];
    int in[2], out[2], fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || pipe(in) < 0 ||
        pipe(out) < 0)
        bench_die("connect to the model");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    (void)snprintf(program, sizeof(program), "%s/tests/bench-inside", lab->build);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)close(in[1]);
        (void)execl(program, "bench-inside", "tool", (char *)NULL);
        _exit(127);
    }
    int n =
        snprintf(head, sizeof(head),
                 "POST /v1/chat/completions HTTP/1.1\r\nHost: m\r\nContent-Length: %zu\r\n\r\n%s",
                 sizeof(body) - 1, body);
    for (int i = 0; i < turns; i++) {
        double from = bench_now();
        ask(fd, fd, head, (size_t)n, "total_tokens");
        ask(in[1], out[0], line, sizeof(line) - 1, "\n");
        bench_add(us, (bench_now() - from) * 1e6);
    }
    (void)close(fd);
    (void)close(in[1]);
    (void)waitpid(pid, NULL, 0);
}

/* From each model step of the run to the next one. */
static void take_turns(struct bench_lab *lab, int64_t run, struct bench_series *us)
{
    char sql[300];
    static const char text[] =
        "SELECT %s FROM (SELECT lead(asked_ms) OVER (ORDER BY pos)-asked_ms AS d FROM step"
        " WHERE pos>>20=%" PRId64 " AND kind=0) WHERE d IS NOT NULL LIMIT 1 OFFSET %" PRId64;
    (void)snprintf(sql, sizeof(sql), text, "count(*)", run, (int64_t)0);
    int64_t n = bench_lab_number(lab, sql);
    for (int64_t i = 1; i < n; i++) { /* the first starts the tool server */
        (void)snprintf(sql, sizeof(sql), text, "d", run, i);
        bench_add(us, (double)bench_lab_number(lab, sql) * 1e3);
    }
}

static double mean(const struct bench_series *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += s->v[i];
    return sum / (double)MAX(s->count, 1);
}

int main(int argc, char **argv)
{
    struct bench_lab lab;
    struct bench_floor floor;
    struct bench_load from, to;
    struct bench_series commit = {0}, plain = {0}, turn = {0};
    char id[32], load[128];
    int64_t runs = 10;
    if (argc > 3 || (argc > 2 && num_i64(str_of(argv[2]), &runs) < 0))
        bench_die("usage: loop_bench [DIR [RUNS]]");
    bench_lab_open(&lab, argc > 1 ? argv[1] : NULL, yaml);
    bench_lab_model(&lab);
    bench_floor_open(&floor, &lab);
    (void)bench_floor_rows(&floor, 1, 0.5, &commit);
    plain_turns(&lab, (int)runs * TURNS_A_RUN / 2, &plain);
    (void)bench_lab_start(&lab, 8);
    bench_load_take(&lab, &from);
    for (int64_t i = 0; i < runs; i++) {
        (void)snprintf(id, sizeof(id), "loop-%" PRId64, i);
        int64_t run = bench_lab_event(&lab, "bench.loop", id, "{}");
        bench_lab_await(&lab, run - 1, 1);
        take_turns(&lab, run, &turn);
    }
    bench_load_take(&lab, &to);
    bench_lab_stop(&lab);
    plain_turns(&lab, (int)runs * TURNS_A_RUN / 2, &plain);
    (void)bench_floor_rows(&floor, 1, 0.5, &commit);
    bench_load_put(&from, &to, load, sizeof(load));
    double added = mean(&turn) - mean(&plain);
    printf("loop_bench: us a turn of model call and tool call (%s)\n%-44s %9s %9s %9s\n", load, "",
           "mean", "p50", "p99");
    const struct {
        const char *name;
        struct bench_series *s;
    } rows[] = {{"bare SQLite, one commit", &commit},
                {"the stand-ins without Reeve", &plain},
                {"the same turn of a confined agent", &turn}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        printf("%-44s %9.0f %9.0f %9.0f\n", rows[i].name, mean(rows[i].s), bench_at(rows[i].s, 0.5),
               bench_at(rows[i].s, 0.99));
    printf("%-44s %9.0f   (target 2000)\n", "added", added);
    printf("%-44s %9.2f   (a turn makes four)\n", "added, in commits of bare SQLite",
           added / mean(&commit));
    printf("%-44s %9.0f\n", "CPU time of reeved",
           bench_load_reeved_us(&from, &to) / (double)(runs * TURNS_A_RUN));
    bench_release(&commit);
    bench_release(&plain);
    bench_release(&turn);
    bench_floor_close(&floor);
    bench_lab_close(&lab);
    return 0;
}
