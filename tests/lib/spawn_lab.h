/*
 * spawn_lab.h: a real reeve-spawn and one confined process at a time, for tests that need the kernel.
 */
#ifndef REEVE_TESTS_SPAWN_LAB_H
#define REEVE_TESTS_SPAWN_LAB_H

#include "sandbox/os/proc.h"
#include "sandbox/start.h"

#define SPAWN_LAB_TEXT 65536

struct spawn_lab {
    struct ev *ev;
    struct spawner *spawner;
    int spawn_pidfd;
    pid_t spawn_pid;
    bool lost;
};

struct spawn_one {
    struct spawn_lab *lab;
    struct started *handle; /* NULL when it is over */
    struct started_info info;
    bool is_started, is_over;
    struct err why;           /* not started */
    struct started_exit exit;
    unsigned denied;
    size_t layer_count;       /* that it was told of */
    char call[64], answer[64]; /* of the last refused call */
};

/* Starts $BUILD/reeve-spawn. false: it cannot run here; why says the reason (a test skips then). */
bool spawn_lab_open(struct spawn_lab *lab, struct err *why);
void spawn_lab_close(struct spawn_lab *lab);
const char *spawn_lab_program(const char *name); /* "$BUILD/name", kept until the next call */
/* Sends the request; false when the client refuses it. */
bool spawn_lab_start(struct spawn_lab *lab, const struct start_request *r, struct spawn_one *o);
/* Runs the loop until the process is started (or failed), or over. */
void spawn_lab_until_started(struct spawn_one *o);
void spawn_lab_until_over(struct spawn_one *o);
/* Reads a pipe to its end; NUL-terminated. */
size_t spawn_lab_read(int fd, char text[SPAWN_LAB_TEXT]);
void spawn_lab_release(struct spawn_one *o); /* closes what it was handed */
/* A request for a shell command (needs the host's /usr/bin inside) in a profile that may have one. */
struct start_request spawn_lab_shell(const char *command);

#endif
