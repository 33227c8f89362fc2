/*
 * kill_at: runs a program and kills at system call N. Goal: every system call that writes, syncs,
 * sends, renames or truncates is a place where a process can die; each is tried.
 *
 *   kill_at --role ROLE --at N [--all] [--count FILE] [--list FILE] -- PROGRAM ARGUMENT...
 *
 * It traces PROGRAM and all that it starts; a seccomp filter that those inherit stops them at such
 * calls and at no others. A process has the role of the last part of its argv[0]; between fork and
 * exec it has its parent's. Opening a file that is to be made or emptied is such a call, too. When
 * the N-th such call of processes of ROLE ("any": of all) begins, before the kernel has done any of
 * it, that process (--all: every process, at one time) gets SIGKILL. With N = 0 nothing is killed.
 * FILE gets the counts "ROLE CALLS" at the end, or "killed ROLE PID CALL WHAT" at the kill, WHAT
 * being what its first argument is open on. Ends with PROGRAM's status, 137 when it was killed.
 * What it traces dies with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/text/base.h"

#define TRACEES_MAX 4096
#define ROLES_MAX   64

struct tracee {
    pid_t pid;
    int role; /* index in roles */
    bool in_call, is_new;
};

struct killer {
    struct tracee tracees[TRACEES_MAX];
    size_t count;
    char roles[ROLES_MAX][32];
    long calls[ROLES_MAX], all_calls;
    size_t role_count;
    const char *role, *report;
    long at;
    bool all, done;
    FILE *list;
    pid_t program;
};

static const int places[] = {
    SCMP_SYS(write),     SCMP_SYS(writev),   SCMP_SYS(pwrite64),  SCMP_SYS(pwritev),
    SCMP_SYS(pwritev2),  SCMP_SYS(sendto),   SCMP_SYS(sendmsg),   SCMP_SYS(sendmmsg),
    SCMP_SYS(sendfile),  SCMP_SYS(splice),   SCMP_SYS(fsync),     SCMP_SYS(fdatasync),
    SCMP_SYS(rename),    SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(truncate),
    SCMP_SYS(ftruncate), SCMP_SYS(creat),    SCMP_SYS(fallocate), SCMP_SYS(copy_file_range),
    SCMP_SYS(unlink),    SCMP_SYS(unlinkat), SCMP_SYS(link),      SCMP_SYS(linkat),
};

/* Stops at these calls, of this process and all that it starts; everything else is as it was. */
static int stop_at_places(void)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    if (!f)
        return -ENOMEM;
    int rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
    if (rc == 0)
        rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, geteuid() != 0);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(places); i++)
        rc = seccomp_rule_add(f, SCMP_ACT_TRACE(0), places[i], 0);
    for (unsigned flag = O_CREAT; rc == 0 && flag; flag = flag == O_CREAT ? O_TRUNC : 0) {
        rc = seccomp_rule_add(f, SCMP_ACT_TRACE(0), SCMP_SYS(open), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, flag, flag));
        if (rc == 0)
            rc = seccomp_rule_add(f, SCMP_ACT_TRACE(0), SCMP_SYS(openat), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, flag, flag));
    }
    if (rc == 0)
        rc = seccomp_load(f);
    seccomp_release(f);
    return rc;
}

static int role_named(struct killer *k, const char *name)
{
    for (size_t i = 0; i < k->role_count; i++)
        if (strcmp(k->roles[i], name) == 0)
            return (int)i;
    must(k->role_count < ROLES_MAX);
    snprintf(k->roles[k->role_count], sizeof(k->roles[0]), "%s", name);
    return (int)k->role_count++;
}

/* The last part of argv[0], or -1 when it cannot be read. */
static int role_of(struct killer *k, pid_t pid)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return -1;
    line[n] = '\0';
    const char *slash = strrchr(line, '/');
    return role_named(k, slash ? slash + 1 : line);
}

static struct tracee *find(struct killer *k, pid_t pid)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->tracees[i].pid == pid)
            return &k->tracees[i];
    return NULL;
}

static struct tracee *find_or_add(struct killer *k, pid_t pid)
{
    struct tracee *t = find(k, pid);
    if (!t) {
        must(k->count < TRACEES_MAX);
        t = &k->tracees[k->count++];
        *t = (struct tracee){.pid = pid, .role = -1, .is_new = true};
    }
    return t;
}

static void forget(struct killer *k, pid_t pid)
{
    struct tracee *t = find(k, pid);
    if (t)
        *t = k->tracees[--k->count];
}

static void put_call(FILE *f, const struct tracee *t)
{
    struct __ptrace_syscall_info info;
    char path[64], target[256];
    if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) <= 0)
        memset(&info, 0, sizeof(info));
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", t->pid, (int)info.entry.args[0]);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    target[n < 0 ? 0 : n] = '\0';
    char *call = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)info.entry.nr);
    fprintf(f, "%s %s\n", call ? call : "?", target);
    free(call);
}

static void report_kill(const struct killer *k, const struct tracee *t)
{
    FILE *f = k->report ? fopen(k->report, "w") : NULL;
    if (!f)
        return;
    fprintf(f, "killed %s %d ", t->role >= 0 ? k->roles[t->role] : "?", t->pid);
    put_call(f, t);
    fclose(f);
}

static void on_place(struct killer *k, const struct tracee *t)
{
    long n = ++k->all_calls;
    if (t->role >= 0)
        k->calls[t->role]++;
    if (k->list) {
        fprintf(k->list, "%s %ld ", t->role >= 0 ? k->roles[t->role] : "?",
                t->role >= 0 ? k->calls[t->role] : 0);
        put_call(k->list, t);
    }
    bool any = strcmp(k->role, "any") == 0;
    if (!any && (t->role < 0 || strcmp(k->roles[t->role], k->role) != 0))
        return;
    if (!any)
        n = k->calls[t->role];
    if (k->done || k->at == 0 || n != k->at)
        return;
    k->done = true;
    report_kill(k, t);
    if (k->all)
        for (size_t i = 0; i < k->count; i++)
            kill(k->tracees[i].pid, SIGKILL);
    else
        kill(t->pid, SIGKILL);
}

/* What a stop means; the signal that the tracee is to get when it goes on. */
static int on_stop(struct killer *k, struct tracee *t, int status)
{
    int event = status >> 16, signo = WSTOPSIG(status);
    unsigned long child;
    if (event == PTRACE_EVENT_SECCOMP) {
        on_place(k, t);
        return 0;
    }
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        int role = t->role;
        if (ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &child) == 0) {
            struct tracee *c = find_or_add(k, (pid_t)child); /* may move the table */
            if (c->role < 0)
                c->role = role;
        }
        return 0;
    }
    if (event == PTRACE_EVENT_EXEC) {
        t->role = role_of(k, t->pid);
        return 0;
    }
    if (event || (t->is_new && signo == SIGSTOP)) {
        t->is_new = false;
        return 0;
    }
    return signo;
}

static int run(struct killer *k)
{
    int status, result = 1;
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0)
            return result;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == k->program)
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            forget(k, pid);
            continue;
        }
        int signo = on_stop(k, find_or_add(k, pid), status);
        ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)signo); /* ESRCH: it was killed */
    }
}

static void start(struct killer *k, char **argv)
{
    const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK |
                         PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    k->program = fork();
    if (k->program == 0) {
        raise(SIGSTOP);
        int rc = stop_at_places();
        if (rc < 0) {
            fprintf(stderr, "kill_at: cannot filter: %s\n", strerror(-rc));
            _exit(125);
        }
        execv(argv[0], argv);
        _exit(127);
    }
    if (k->program < 0 || waitpid(k->program, NULL, WUNTRACED) < 0 ||
        ptrace(PTRACE_SEIZE, k->program, NULL, (void *)options) < 0) {
        fprintf(stderr, "kill_at: cannot trace: %s\n", strerror(errno));
        if (k->program > 0)
            kill(k->program, SIGKILL);
        exit(125);
    }
    find_or_add(k, k->program)->role = role_named(k, "kill_at");
    kill(k->program, SIGCONT);
}

static void report_counts(const struct killer *k)
{
    FILE *f = k->report && !k->done ? fopen(k->report, "w") : NULL;
    for (size_t i = 0; f && i < k->role_count; i++)
        fprintf(f, "%s %ld\n", k->roles[i], k->calls[i]);
    if (f) {
        fprintf(f, "any %ld\n", k->all_calls);
        fclose(f);
    }
}

int main(int argc, char **argv)
{
    static struct killer k = {.role = "any"};
    static const struct option options[] = {
        {"role", required_argument, NULL, 'r'}, {"at", required_argument, NULL, 'n'},
        {"all", no_argument, NULL, 'a'},        {"count", required_argument, NULL, 'c'},
        {"list", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1)
        switch (c) {
        case 'r':
            k.role = optarg;
            break;
        case 'n':
            k.at = strtol(optarg, NULL, 10);
            break;
        case 'a':
            k.all = true;
            break;
        case 'c':
            k.report = optarg;
            break;
        case 'l':
            k.list = fopen(optarg, "we");
            if (k.list)
                setlinebuf(k.list);
            break;
        default:
            return 2;
        }
    if (optind == argc) {
        fprintf(stderr, "usage: kill_at --role ROLE --at N [--all] [--count FILE] [--list FILE] -- "
                        "PROGRAM ARG...\n");
        return 2;
    }
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN); /* PROGRAM is told to end; this one ends after it */
    start(&k, argv + optind);
    int result = run(&k);
    report_counts(&k);
    if (k.list)
        fclose(k.list);
    return result;
}
