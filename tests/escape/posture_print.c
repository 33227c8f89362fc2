/*
 * posture_print.c: what an idle process behind each profile's walls looks like from outside:
 * credentials, capabilities, namespaces, mounts, limits, descriptors, environment. posture.sh
 * compares it with a golden file: that finds the layer that was silently not applied.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"
#include "tests/lib/spawn_lab.h"

static char text[SPAWN_LAB_TEXT];

static bool read_of(pid_t pid, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    FD_AUTO int fd = sys.open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    text[0] = '\0';
    return fd >= 0 && spawn_lab_read(fd, text) > 0;
}

static void print_lines(pid_t pid, const char *file, const char *const *names)
{
    struct str rest, line;

    if (!read_of(pid, file)) {
        printf("  %s: cannot be read\n", file);
        return;
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        rest = str_of(text);
        while (str_split(&rest, '\n', &line)) {
            if (!str_starts(line, str_of(names[i])))
                continue;
            printf("  ");
            for (size_t k = 0; k < line.len; k++) /* runs of blanks as one */
                if (line.ptr[k] != '\t' && (line.ptr[k] != ' ' || k == 0 || line.ptr[k - 1] != ' '))
                    (void)putchar(line.ptr[k]);
                else if (line.ptr[k] == '\t')
                    (void)putchar(' ');
            printf("\n");
        }
    }
}

static void print_namespaces(pid_t pid)
{
    static const char *const names[] = {"user", "pid", "mnt", "ipc", "uts", "cgroup", "net"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[64], ours[64], theirs[64];
        (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
        ssize_t a = readlink(path, ours, sizeof(ours));
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, names[i]);
        ssize_t b = readlink(path, theirs, sizeof(theirs));
        printf("  namespace %s: %s\n", names[i],
               a > 0 && a == b && memcmp(ours, theirs, (size_t)a) == 0 ? "the host's" : "another");
    }
}

static void print_descriptors(pid_t pid)
{
    for (int fd = 0; fd < 256; fd++) {
        char path[64], target[256];
        (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        printf("  descriptor %d: %.*s\n", fd, (int)strcspn(target, ":["), target);
    }
}

/* Mount point, options, type: not the numbers. */
static void print_mounts(pid_t pid)
{
    struct str rest, line, part;

    (void)read_of(pid, "mountinfo");
    rest = str_of(text);
    while (str_split(&rest, '\n', &line)) {
        size_t field = 0;
        if (line.len == 0)
            continue;
        printf("  mount");
        while (str_split(&line, ' ', &part)) {
            /* what a bind shows of the host is of the host's type: not printed */
            if (field == 4 || field == 5)
                printf(" %.*s", STR_FMT(part));
            field++;
        }
        printf("\n");
    }
}

static void print_one(struct spawn_lab *lab, enum start_profile profile, const char *inside)
{
    static const char *const status[] = {
        "Uid:",    "Gid:",    "Groups:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:",
        "CapInh:", "CapPrm:", "CapEff:", "CapBnd:",     "CapAmb:",  "Threads:",
        NULL};
    static const char *const limits[] = {
        "Max cpu",     "Max file size", "Max data", "Max stack",
        "Max core",    "Max processes", "Max open", "Max locked",
        "Max pending", "Max msgqueue",  "Max nice", "Max realtime priority",
        NULL};
    struct spawn_one o;
    struct stat st;
    char c, path[64];
    struct start_request r = {
        .key = STR("posture"),
        .profile = profile,
        .base = PROFILE_PROGRAM,
        .program = str_of(inside),
        .argv = {STR("inside"), str_of(start_profile_name(profile)), STR("wait")},
        .argc = 3,
        .env = {{STR("GIVEN"), STR("1")}},
        .env_count = 1,
        .channel = true,
        .limits = {.cpu_ms = 60000, .open_files = 50},
        .uid_slot = UID_SLOT_RUNS,
        .pass_fd = -1};

    printf("%s\n", start_profile_name(profile));
    if (!spawn_lab_start(lab, &r, &o))
        return;
    spawn_lab_until_started(&o);
    if (!o.is_started || read(o.info.channel, &c, 1) != 1) {
        printf("  not started: %s\n", o.why.text);
        return;
    }
    print_lines(o.info.pid, "status", status);
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)o.info.pid);
    printf("  dumpable: %s\n", stat(path, &st) == 0 && st.st_uid == 0 ? "no" : "yes");
    print_namespaces(o.info.pid);
    print_lines(o.info.pid, "limits", limits);
    print_descriptors(o.info.pid);
    print_mounts(o.info.pid);
    (void)read_of(o.info.pid, "environ");
    printf("  environment: %s\n", text);
    spawner_kill(o.handle);
    spawn_lab_until_over(&o);
    spawn_lab_release(&o);
}

int main(void)
{
    struct spawn_lab lab;
    struct err err = ERR_INIT;
    char *inside = realpath(spawn_lab_program("tests/escape-inside"), NULL);

    if (inside == NULL || !spawn_lab_open(&lab, &err)) {
        printf("cannot run: %s\n", err.text);
        return 1;
    }
    for (size_t p = 0; p < PROFILE_COUNT; p++)
        print_one(&lab, (enum start_profile)p, inside);
    spawn_lab_close(&lab);
    free(inside);
    return 0;
}
