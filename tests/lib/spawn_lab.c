/*
 * spawn_lab.c: see spawn_lab.h.
 */
#include "tests/lib/spawn_lab.h"

#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/sys.h"

const char *spawn_lab_program(const char *name)
{
    static char path[1024];
    const char *build = getenv("BUILD");

    (void)snprintf(path, sizeof(path), "%s/%s", build != NULL ? build : ".build", name);
    return path;
}

static void on_lost(void *arg, struct spawner *s UNUSED, const struct err *why UNUSED)
{
    struct spawn_lab *lab = arg;
    lab->lost = true;
}

bool spawn_lab_open(struct spawn_lab *lab, struct err *why)
{
    const char *argv[] = {"reeve-spawn", NULL}, *env[] = {NULL};
    struct spawner_owner owner = {on_lost, lab};
    char *path = realpath(spawn_lab_program("reeve-spawn"), NULL);
    int pair[2];

    *lab = (struct spawn_lab){.spawn_pidfd = -1};
    if (path == NULL) {
        (void)err_set(why, ENOENT, "reeve-spawn is not built");
        return false;
    }
    must(sock_pair(pair, true, why) == 0 && ev_new(&lab->ev, NULL, why) == 0);
    int fds[] = {-1, -1, 2, pair[1]};
    struct proc_spawn spawn = {path, argv, env, fds, ARRAY_LEN(fds)};
    int rc = proc_spawn(&spawn, &lab->spawn_pid, &lab->spawn_pidfd, why);
    fd_close(&pair[1]);
    free(path);
    if (rc < 0 || spawner_new(lab->ev, pair[0], &owner, &lab->spawner, why) < 0)
        return false;
    return true;
}

void spawn_lab_close(struct spawn_lab *lab)
{
    spawner_free(lab->spawner);
    if (lab->spawn_pidfd >= 0)
        (void)proc_wait(lab->spawn_pidfd, true, &(struct proc_exit){0}, NULL);
    fd_close(&lab->spawn_pidfd);
    ev_free(lab->ev);
}

static void on_started(void *arg, struct started *p UNUSED, const struct started_info *info,
                       const struct err *why)
{
    struct spawn_one *o = arg;

    if (info == NULL) {
        o->why = *why;
        o->is_over = true;
        o->handle = NULL;
        return;
    }
    o->info = *info;
    o->info.layers = NULL;
    o->layer_count =
        info->layers != NULL && json_is(info->layers, JSON_ARRAY) ? info->layers->array.count : 0;
    o->is_started = true;
}

static void on_exit_(void *arg, struct started *p UNUSED, const struct started_exit *e)
{
    struct spawn_one *o = arg;
    o->exit = *e;
    o->is_over = true;
    o->handle = NULL;
}

static void on_denied(void *arg, struct started *p UNUSED, struct str call,
                      const struct json *details)
{
    struct spawn_one *o = arg;
    struct str answer = STR_NONE;

    o->denied++;
    must(json_str_or(details, "answer", STR("?"), &answer, NULL) == 0);
    must(str_copy(call, o->call, sizeof(o->call)) == 0);
    must(str_copy(answer, o->answer, sizeof(o->answer)) == 0);
}

bool spawn_lab_start(struct spawn_lab *lab, const struct start_request *r, struct spawn_one *o)
{
    struct started_owner owner = {on_started, on_exit_, on_denied, o};

    *o = (struct spawn_one){
        .lab = lab, .info = {.pidfd = -1, .channel = -1, .in = -1, .out = -1, .errout = -1}};
    return spawner_start(lab->spawner, r, &owner, &o->handle, &o->why) == 0;
}

void spawn_lab_until_started(struct spawn_one *o)
{
    while (!o->is_started && !o->is_over)
        must(ev_once(o->lab->ev, -1, NULL) >= 0);
}

void spawn_lab_until_over(struct spawn_one *o)
{
    while (!o->is_over)
        must(ev_once(o->lab->ev, -1, NULL) >= 0);
}

size_t spawn_lab_read(int fd, char text[SPAWN_LAB_TEXT])
{
    size_t len = 0;
    ssize_t n;

    while (len < SPAWN_LAB_TEXT - 1 && (n = read(fd, text + len, SPAWN_LAB_TEXT - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return len;
}

void spawn_lab_release(struct spawn_one *o)
{
    fd_close(&o->info.pidfd);
    fd_close(&o->info.channel);
    fd_close(&o->info.in);
    fd_close(&o->info.out);
    fd_close(&o->info.errout);
}

struct start_request spawn_lab_shell(const char *command)
{
    return (struct start_request){.key = STR("test"),
                                  .profile = PROFILE_TOOL,
                                  .base = PROFILE_PROGRAM,
                                  .program = STR("/bin/sh"),
                                  .argv = {STR("sh"), STR("-c"), str_of(command)},
                                  .argc = 3,
                                  .files = {{STR("/usr/bin"), STR_NONE, false}},
                                  .file_count = 1,
                                  .env = {{STR("PATH"), STR("/usr/bin")}},
                                  .env_count = 1,
                                  .stdio = true,
                                  .uid_slot = UID_SLOT_SERVERS,
                                  .pass_fd = -1};
}
