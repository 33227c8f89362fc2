/*
 * start_bench.c: from an event to the first step of its run.
 *
 *   start_bench [DIR [ROUNDS]]
 *
 * "accepted" is when the sender has its answer (the event and the run are on disk); "executing"
 * when the worker, behind all its walls, has been told to do its first step, which is on disk then.
 * The built-in agent's first step is the list of its tools; what is timed is its second, when the
 * model's server has the request: two commits and reeve-egress later. One event at a time; between
 * two of them a pause, in which another worker gets ready where the workflow keeps some (`warm`),
 * and the machine is idle as it is when an event comes. Peer, in the same run: posix_spawn of the
 * same program without walls, to its first byte. Targets: cold under 4 ms, warm under 1 ms, p50,
 * from accepted on. On a busy machine start it with chrt(1): it times waking up, not computing.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "tests/lib/bench_lab.h"

#define PAUSE_MS 40

/* The first workflow with an agent is the one that --warm is for: "agent". The cold ones differ in
 * a limit, or they would be given what waits for the others. */
static const char yaml[] =
    "tenant: {name: acme}\n---\nteam: {name: bench, tenant: acme}\n---\n"
    "model: {name: stand, url: \"${model_url}\", model: stand-in, allow_http: true, onprem: "
    "true}\n---\n"
    "workflow:\n  name: program-cold\n  tenant: acme\n  team: bench\n"
    "  trigger: [{event: bench.program-cold}]\n  limits: {open_files: 250}\n"
    "  worker: {program: \"${bin}/tests/bench-inside\"}\n---\n"
    "workflow:\n  name: program-warm\n  tenant: acme\n  team: bench\n"
    "  trigger: [{event: bench.program-warm}]\n"
    "  worker: {program: \"${bin}/tests/bench-inside\", warm: 2}\n---\n"
    "workflow:\n  name: agent\n  tenant: acme\n  team: bench\n"
    "  trigger: [{event: bench.agent}]\n"
    "  agent: {model: stand, system: \"You answer.\", prompt: \"Go.\", warm: 2}\n---\n"
    "workflow:\n  name: agent-cold\n  tenant: acme\n  team: bench\n"
    "  trigger: [{event: bench.agent-cold}]\n  limits: {open_files: 60}\n"
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

/* ---- the model: here, so that the moment is known when a request is there
 * --------------------------------------- */

#define MODEL_SOCKETS 16
static struct pollfd model[MODEL_SOCKETS];
static nfds_t model_count;

static void model_open(struct bench_lab *lab)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0)
        bench_die("listen for the model");
    lab->model_port = ntohs(a.sin_port);
    model[model_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* All of a request, which is small, as it came at once; it says that there is nothing to do. */
static bool model_answer(int fd)
{
    static const char body[] =
        "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"stand-in\",\"choices\":[{"
        "\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":"
        "\"ok\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"total_tokens\":6}}";
    static char text[65536];
    char head[128];
    size_t have = 0;
    ssize_t n;
    while (memmem(text, have, "\r\n\r\n{", 5) == NULL || text[have - 1] != '}') {
        n = recv(fd, text + have, sizeof(text) - have, 0);
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    int len =
        snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 sizeof(body) - 1);
    return send(fd, head, (size_t)len, MSG_NOSIGNAL | MSG_MORE) == len &&
           send(fd, body, sizeof(body) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(body) - 1;
}

/* Until one request was answered; when it was there. */
static int64_t model_serve(void)
{
    for (;;) {
        if (poll(model, model_count, 20000) <= 0)
            bench_die("no request came to the model");
        int64_t now = bench_now_ns();
        if (model[0].revents != 0 && model_count < MODEL_SOCKETS) {
            int fd = accept4(model[0].fd, NULL, NULL, SOCK_CLOEXEC);
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
            model[model_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
        for (nfds_t i = model_count; i-- > 1;) {
            if (model[i].revents == 0)
                continue;
            if (model_answer(model[i].fd))
                return now;
            (void)close(model[i].fd);
            model[i] = model[--model_count];
        }
    }
}

/* ---- one start
 * ----------------------------------------------------------------------------------- */

static void take_first(void *arg, int64_t run, const struct json *result)
{
    struct err err = ERR_INIT;
    if (json_want_i64(result, "first", arg, &err) < 0)
        bench_die("run %" PRId64 ": %s", run, err.text);
}

struct kind {
    const char *name; /* of the workflow */
    bool is_agent;
    struct bench_series sent, accepted;
};

static void one(struct bench_lab *lab, struct kind *k, int i)
{
    char id[48], type[48];
    int64_t first = 0;
    (void)snprintf(id, sizeof(id), "%s-%d", k->name, i);
    (void)snprintf(type, sizeof(type), "bench.%s", k->name);
    int64_t from = bench_now_ns();
    int64_t run = bench_lab_event(lab, type, id, "{\"n\":1}");
    int64_t answered = bench_now_ns();
    if (k->is_agent)
        first = model_serve();
    bench_lab_await(lab, run - 1, 1);
    if (!k->is_agent)
        bench_lab_results(lab, k->name, run - 1, take_first, &first);
    bench_pause_ms(PAUSE_MS);
    if (i < 3)
        return; /* the first ones fill caches */
    bench_add(&k->sent, (double)(first - from) / 1e3);
    bench_add(&k->accepted, (double)(first - answered) / 1e3);
}

static void row(const char *name, const char *from, struct bench_series *s, double floor)
{
    double sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += s->v[i];
    printf("%-14s %-32s %8.3f %8.3f %8.3f %8.1f\n", name, from, bench_at(s, 0.5) / 1e3,
           bench_at(s, 0.99) / 1e3, sum / (double)MAX(s->count, 1) / 1e3, bench_at(s, 0.5) / floor);
    bench_release(s);
}

int main(int argc, char **argv)
{
    struct bench_lab lab;
    struct bench_load from, to;
    struct bench_series plain = {0};
    struct kind kinds[] = {{.name = "program-cold"},
                           {.name = "program-warm"},
                           {.name = "agent-cold", .is_agent = true},
                           {.name = "agent", .is_agent = true}};
    static const char *const names[] = {"program, cold", "program, warm", "agent, cold",
                                        "agent, warm"};
    char load[128];
    int64_t rounds = 60;
    if (argc > 3 || (argc > 2 && num_i64(str_of(argv[2]), &rounds) < 0))
        bench_die("usage: start_bench [DIR [ROUNDS]]");
    bench_lab_open(&lab, argc > 1 ? argv[1] : NULL, yaml);
    model_open(&lab);
    (void)bench_lab_start(&lab, 64);
    bench_load_take(&lab, &from);
    for (int i = 0; i < (int)rounds + 3; i++) {
        if (i >= 3)
            bench_add(&plain, plain_us(&lab));
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
            one(&lab, &kinds[k], i);
    }
    bench_load_take(&lab, &to);
    bench_load_put(&from, &to, load, sizeof(load));
    double floor = bench_at(&plain, 0.5);
    printf("start_bench: ms to the first step, %" PRId64
           " rounds (%s)\n%-14s %-32s %8s %8s %8s %8s\n",
           rounds, load, "", "", "p50", "p99", "mean", "x plain");
    row("posix_spawn", "without walls, to its first byte", &plain, floor);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        row(names[k], kinds[k].is_agent ? "sent -> asked its model" : "sent -> executing",
            &kinds[k].sent, floor);
        row(names[k], kinds[k].is_agent ? "accepted -> asked its model" : "accepted -> executing",
            &kinds[k].accepted, floor);
    }
    bench_lab_close(&lab);
    return 0;
}
