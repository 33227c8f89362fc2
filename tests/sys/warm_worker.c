/*
 * warm_worker.c: a worker for the scenario about workers that wait. It says when it was started and as whom, and does
 * before it has a run what its first argument says: nothing, fork, ask for what its walls refuse, or talk too much.
 * Its second argument tells one workflow's from another's.
 */
#include <sys/ptrace.h>
#include <time.h>
#include <unistd.h>

#include "worker/reeve.h"

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void misbehave(const char *how)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    if (strcmp(how, "denied") == 0)
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    for (int i = 0; strcmp(how, "forks") == 0 && i < 8; i++)
        if (fork() == 0)
            for (;;)
                (void)pause();
    while (strcmp(how, "floods") == 0 && write(REEVE_FD, line, sizeof(line) - 1) > 0)
        continue;
}

static int serve(int64_t born, const char *name, struct err *err)
{
    struct reeve *r = NULL;
    char result[128];
    int rc = reeve_open(REEVE_FD, &r, err);
    if (rc >= 0)
        rc = reeve_begin(r, true, err);
    (void)snprintf(result, sizeof(result), "{\"born\":%" PRId64 ",\"uid\":%u,\"name\":\"%s\"}", born,
                   (unsigned)geteuid(), name);
    if (rc >= 0)
        rc = reeve_end(r, str_of(result), err);
    reeve_close(r);
    return rc;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    int64_t born = now_ns();
    if (argc != 3)
        return 2;
    misbehave(argv[1]);
    if (serve(born, argv[2], &err) < 0)
        (void)fprintf(stderr, "warm_worker: %s\n", err.text);
    return err.number != 0;
}
