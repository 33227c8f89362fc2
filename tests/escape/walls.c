/*
 * walls.c: goal: whoever owns a confined process completely gets nothing but its channel (INV-01),
 * and what he tries is told by name. Starts the program `inside` behind the walls of each profile,
 * once for each act of acts.def, by a real reeve-spawn; prints TAP and the matrix act x profile.
 *
 *   walls REEVE_SPAWN INSIDE [ACT [PROFILE]]
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/sys.h"
#include "sandbox/start.h"

#define AT_ONCE 4
#define CASE_MS 30000

enum expect_kind { KILLED, NAMED, OTHER, DIES, HARMLESS_, ALLOWED };
struct expect {
    enum expect_kind kind;
    int number;
};
#define K         \
    {             \
        KILLED, 0 \
    }
#define N(e)       \
    {              \
        NAMED, (e) \
    }
#define E(e)       \
    {              \
        OTHER, (e) \
    }
#define D(s)      \
    {             \
        DIES, (s) \
    }
#define H            \
    {                \
        HARMLESS_, 0 \
    }
#define A          \
    {              \
        ALLOWED, 0 \
    }

enum column { STRICT, NATIVE, SCRIPT, HELPER, COLUMN_COUNT };
struct act {
    const char *group, *name, *call, *what;
    struct expect expect[COLUMN_COUNT];
};
static const struct act acts[] = {
#define ACT(group, name, call, strict, native, script, helper, what) \
    {#group, #name, #call, (what), {strict, native, script, helper}},
#include "acts.def"
};

struct profile {
    const char *name;
    enum start_profile profile, base;
    enum column column;
};
static const struct profile profiles[] = {
    {"strict", PROFILE_STRICT, PROFILE_PROGRAM, STRICT},
    {"program", PROFILE_PROGRAM, PROFILE_PROGRAM, NATIVE},
    {"node", PROFILE_NODE, PROFILE_PROGRAM, SCRIPT},
    {"python", PROFILE_PYTHON, PROFILE_PROGRAM, SCRIPT},
    {"tool", PROFILE_TOOL, PROFILE_PROGRAM, NATIVE},
    {"helper", PROFILE_HELPER, PROFILE_PROGRAM, HELPER},
};
#define PROFILES ARRAY_LEN(profiles)

struct run;
struct one { /* one act behind one profile */
    struct run *run;
    const struct act *act;
    const struct profile *profile;
    struct started *started;
    struct ev_timer *timer;
    struct ev_io *ready;
    int pidfd, channel;
    char call[64], answer[64]; /* the last refused call */
    unsigned denied;
    bool too_slow;
    char result[320]; /* what came of it, for people */
    char letter;      /* for the matrix */
    bool good, used;
};

struct run {
    struct ev *ev;
    struct spawner *spawner;
    const char *inside, *only_act, *only_profile;
    struct one *all; /* acts x profiles */
    size_t next, running, count;
    bool lost;
};

static void start_more(struct run *r);

/* ---- judging
 * ----------------------------------------------------------------------------------------- */

/* `calls`: one name, or several with '|' in between. */
static bool is_call(const char *calls, const char *name)
{
    struct str rest = str_of(calls), part;

    while (str_split(&rest, '|', &part))
        if (str_is(str_trim(part), name))
            return true;
    return false;
}

static void judge(struct one *o, const struct started_exit *e)
{
    const struct expect *want = &o->act->expect[o->profile->column];
    const struct proc_exit *x = &e->exit;
    int number = !x->by_signal && x->code >= 100 ? x->code - 100 : 0;
    char text[PROC_EXIT_TEXT];

    switch (want->kind) {
    case KILLED:
        o->good = x->by_signal && x->code == SIGKILL && is_call(o->act->call, o->call) &&
                  strncmp(o->answer, "killed", 6) == 0;
        o->letter = 'K';
        break;
    case NAMED:
        o->good = number == want->number && o->denied > 0 && is_call(o->act->call, o->call) &&
                  strcmp(o->answer, err_name(want->number)) == 0;
        o->letter = 'n';
        break;
    case OTHER:
        o->good = number == want->number && o->denied == 0;
        o->letter = 'e';
        break;
    case DIES:
        o->good = x->by_signal && x->code == want->number && o->denied == 0;
        o->letter = 'D';
        break;
    case HARMLESS_:
        o->good = !x->by_signal && x->code == 1 && o->denied == 0;
        o->letter = 'h';
        break;
    case ALLOWED:
        break;
    }
    proc_exit_text(x, text);
    (void)snprintf(o->result, sizeof(o->result), "%s%s%s%s%s%s%s", o->too_slow ? "too slow, " : "",
                   number != 0 ? err_name(number) : text, o->denied > 0 ? ", refused: " : "",
                   o->call, o->denied > 0 ? " with " : "", o->answer,
                   e->oom ? ", out of memory" : "");
}

/* ---- one case
 * ------------------------------------------------------------------------------------------- */

static void end_case(struct one *o)
{
    ev_timer_free(o->timer);
    ev_io_free(o->ready);
    o->timer = NULL;
    o->ready = NULL;
    fd_close(&o->pidfd);
    fd_close(&o->channel);
    o->run->running--;
    start_more(o->run);
}

/* It says that it is ready to be killed. */
static void on_ready(void *arg, struct ev_io *io, int fd, uint32_t events UNUSED)
{
    struct one *o = arg;
    char c;

    if (sys.read(fd, &c, 1) == 1)
        spawner_kill(o->started);
    ev_io_free(io);
    o->ready = NULL;
}

static void on_started(void *arg, struct started *p UNUSED, const struct started_info *info,
                       const struct err *why)
{
    struct one *o = arg;

    if (info == NULL) {
        (void)snprintf(o->result, sizeof(o->result), "not started: %.120s", why->text);
        end_case(o);
        return;
    }
    o->pidfd = info->pidfd;
    o->channel = info->channel;
    if (strncmp(o->act->name, "ignore_signals", 14) == 0)
        must(ev_io_new(o->run->ev, o->channel, EPOLLIN, on_ready, o, &o->ready, NULL) == 0);
}

static void on_exit_(void *arg, struct started *p UNUSED, const struct started_exit *e)
{
    struct one *o = arg;
    char c;

    judge(o, e);
    /* Whoever still held the channel would have outlived it. */
    if (recv(o->channel, &c, 1, MSG_DONTWAIT) < 0) {
        o->good = false;
        (void)snprintf(o->result, sizeof(o->result), "its channel is still held by somebody");
    }
    end_case(o);
}

static void on_denied(void *arg, struct started *p UNUSED, struct str call,
                      const struct json *details)
{
    struct one *o = arg;
    struct str answer = STR_NONE;

    o->denied++;
    if (str_copy(call, o->call, sizeof(o->call)) < 0 ||
        json_str_or(details, "answer", STR("?"), &answer, NULL) < 0 ||
        str_copy(answer, o->answer, sizeof(o->answer)) < 0)
        o->call[0] = '\0';
}

static void on_slow(void *arg, struct ev_timer *t UNUSED)
{
    struct one *o = arg;

    o->too_slow = true;
    spawner_kill(o->started);
}

static int start_case(struct run *r, struct one *o)
{
    struct started_owner owner = {on_started, on_exit_, on_denied, o};
    char key[64];
    struct err err = ERR_INIT;
    int rc;

    (void)snprintf(key, sizeof(key), "case-%zu", (size_t)(o - r->all));
    struct start_request q = {
        .key = str_of(key),
        .profile = o->profile->profile,
        .base = o->profile->base,
        .program = str_of(r->inside),
        .argv = {STR("inside"), str_of(o->profile->name), str_of(o->act->name)},
        .argc = 3,
        .env = {{STR("GIVEN"), STR("1")}},
        .env_count = 1,
        .limits = {.memory_bytes = 64u << 20,
                   .processes = 16,
                   .cpu_ms = 1000,
                   .open_files = 64,
                   .file_bytes = 4u << 20,
                   .tmp_bytes = 8u << 20},
        .channel = true,
        .pass_fd = -1};
    q.uid_slot = UID_SLOT_RUNS + (uint32_t)(o - r->all);
    rc = ev_timer_new(r->ev, on_slow, o, &o->timer, &err);
    if (rc == 0)
        rc = ev_timer_set(o->timer, CASE_MS);
    if (rc == 0)
        rc = spawner_start(r->spawner, &q, &owner, &o->started, &err);
    if (rc < 0)
        (void)snprintf(o->result, sizeof(o->result), "%.150s", err.text);
    return rc;
}

/* The kernel can switch descriptor passing off since 6.16; before, what arrives is closed unread.
 */
static bool has_passrights(void)
{
    int pair[2], off = 0, rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    rc = setsockopt(pair[0], SOL_SOCKET, 83 /* SO_PASSRIGHTS */, &off, sizeof(off));
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    return rc == 0;
}

static bool is_wanted(const struct run *r, const struct one *o)
{
    return (strcmp(o->act->name, "pass_descriptor") != 0 || has_passrights()) &&
           o->act->expect[o->profile->column].kind != ALLOWED &&
           (r->only_act == NULL || strcmp(r->only_act, o->act->name) == 0) &&
           (r->only_profile == NULL || strcmp(r->only_profile, o->profile->name) == 0);
}

static void start_more(struct run *r)
{
    while (!r->lost && r->running < AT_ONCE && r->next < r->count) {
        struct one *o = &r->all[r->next++];
        if (!is_wanted(r, o))
            continue;
        o->used = true;
        r->running++;
        if (start_case(r, o) < 0)
            r->running--;
    }
    if (r->running == 0)
        ev_stop(r->ev);
}

/* ---- the report
 * --------------------------------------------------------------------------------------------- */

static int print_tap(const struct run *r)
{
    size_t used = 0, n = 0;
    int failed = 0;

    for (size_t i = 0; i < r->count; i++)
        used += r->all[i].used;
    printf("1..%zu\n", used);
    for (size_t i = 0; i < r->count; i++) {
        const struct one *o = &r->all[i];
        if (!o->used)
            continue;
        failed += !o->good;
        printf("%sok %zu - %s/%s %s: %s (%s)\n", o->good ? "" : "not ", ++n, o->act->group,
               o->profile->name, o->act->name, o->act->what, o->result);
    }
    return failed;
}

static void print_matrix(const struct run *r)
{
    const char *group = "";

    printf("# K killed and named, n refused and named, e refused by another layer, D died, h "
           "harmless,\n"
           "# . part of the profile, ! WRONG\n# %-24s",
           "");
    for (size_t p = 0; p < PROFILES; p++)
        printf(" %-8s", profiles[p].name);
    printf("\n");
    for (size_t a = 0; a < ARRAY_LEN(acts); a++) {
        if (strcmp(group, acts[a].group) != 0)
            printf("# %s\n", group = acts[a].group);
        printf("#   %-22s", acts[a].name);
        for (size_t p = 0; p < PROFILES; p++) {
            const struct one *o = &r->all[a * PROFILES + p];
            printf(" %-8c", !o->used ? '.' : o->good ? o->letter : '!');
        }
        printf("\n");
    }
}

/* ---- set-up
 * --------------------------------------------------------------------------------------------------
 */

static void on_lost(void *arg, struct spawner *s UNUSED, const struct err *why)
{
    struct run *r = arg;

    printf("# reeve-spawn: %s\n", why->text);
    r->lost = true;
    ev_stop(r->ev);
}

/* What the acts of group talk look for on the host. Taken already: another run of this test has
 * them. */
static void listen_outside(int fds[2])
{
    static const struct {
        const char *name;
        size_t len;
    } names[] = {{"\0reeve-escape", 13}, {"/tmp/reeve-escape.sock", 23}};

    (void)unlink(names[1].name);
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        memcpy(a.sun_path, names[i].name, names[i].len);
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0 ||
            bind(fds[i], (struct sockaddr *)&a,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + names[i].len)) < 0 ||
            listen(fds[i], 8) < 0)
            printf("# cannot listen on %s\n", i == 0 ? "the abstract name" : names[i].name);
    }
}

static int open_spawner(struct run *r, const char *program, int *ret_pidfd, struct err *err)
{
    const char *argv[] = {"reeve-spawn", NULL}, *env[] = {NULL};
    struct spawner_owner owner = {on_lost, r};
    FD_AUTO int theirs = -1;
    int pair[2], rc = sock_pair(pair, true, err);
    pid_t pid;

    if (rc < 0)
        return rc;
    theirs = pair[1];
    int fds[] = {-1, -1, 2, theirs};
    struct proc_spawn spawn = {program, argv, env, fds, ARRAY_LEN(fds)};
    rc = proc_spawn(&spawn, &pid, ret_pidfd, err);
    if (rc < 0) {
        fd_close(&pair[0]);
        return rc;
    }
    return spawner_new(r->ev, pair[0], &owner, &r->spawner, err);
}

int main(int argc, char **argv)
{
    struct run r = {.inside = argc > 2 ? argv[2] : NULL,
                    .only_act = argc > 3 ? argv[3] : NULL,
                    .only_profile = argc > 4 ? argv[4] : NULL,
                    .count = ARRAY_LEN(acts) * PROFILES};
    struct err err = ERR_INIT;
    int pidfd = -1, outside[2], failed = 1;

    if (argc < 3) {
        printf("Bail out! usage: walls REEVE_SPAWN INSIDE [ACT [PROFILE]]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    r.all = calloc(r.count, sizeof(*r.all));
    must(r.all != NULL);
    for (size_t i = 0; i < r.count; i++)
        r.all[i] = (struct one){.run = &r,
                                .act = &acts[i / PROFILES],
                                .profile = &profiles[i % PROFILES],
                                .pidfd = -1,
                                .channel = -1};
    listen_outside(outside);
    if (ev_new(&r.ev, NULL, &err) < 0 || open_spawner(&r, argv[1], &pidfd, &err) < 0) {
        printf("Bail out! %s\n", err.text);
    } else {
        start_more(&r);
        (void)ev_run(r.ev, &err);
        failed = print_tap(&r);
        print_matrix(&r);
    }
    spawner_free(r.spawner);
    ev_free(r.ev);
    if (pidfd >= 0)
        (void)proc_wait(pidfd, true, &(struct proc_exit){0}, NULL);
    fd_close(&outside[0]);
    fd_close(&outside[1]);
    (void)unlink("/tmp/reeve-escape.sock");
    free(r.all);
    return failed != 0 || r.lost;
}
