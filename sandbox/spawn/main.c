/*
 * reeve-spawn: starts confined processes for reeved, and is the only program with privilege. Its
 * channel is descriptor 3; when that ends, everything that it started dies, and so does it.
 *
 * Never reads a foreign byte; never has a second thread; never runs anything outside of its walls.
 */
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "sandbox/caps.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/proc.h"
#include "sandbox/spawn/child.h"

#define CHANNEL_FD       3
#define UID_BASE_DEFAULT 2113929216u

struct options {
    uint32_t uid_base;
    const char *cgroup; /* NULL: own_cgroup, "reeve-<pid>" */
    char own_cgroup[CGROUP_NAME_MAX];
    bool learn;
};

static void on_closed(void *arg, struct wire *w UNUSED, const struct err *why)
{
    struct spawn *s = arg;

    if (why->number != 0)
        log_warn(&s->log, "reeved: %s", why->text);
    s->stopping = true;
    for (struct child *c = s->children; c != NULL; c = c->next)
        child_kill(c);
    if (s->child_count == 0)
        ev_stop(s->ev);
}

/* A terminal's ^C and a service manager's SIGTERM go to the whole group. When to end is reeved's
 * word alone: its channel closes when it is done, or dead. */
static void ignore_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE};

    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        (void)signal(signals[i], SIG_IGN);
}

static int usage(const char *wrong)
{
    (void)dprintf(2,
                  "reeve-spawn: %s\nusage: reeve-spawn [--uid-base N] [--cgroup NAME] [--learn]\n"
                  "started by reeved, with its channel as descriptor 3\n",
                  wrong);
    return 2;
}

static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {{"uid-base", required_argument, NULL, 'u'},
                                          {"cgroup", required_argument, NULL, 'c'},
                                          {"learn", no_argument, NULL, 'l'},
                                          {NULL, 0, NULL, 0}};
    uint64_t v;
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'u':
            /* Never 0, never a range that ends in the kernel's "nobody at all". */
            if (num_u64(str_of(optarg), &v) < 0 || v < 1000 || v > UINT32_MAX - 2 * UID_SLOT_COUNT)
                return usage("--uid-base: expected the first of 65536 unused user ids");
            o->uid_base = (uint32_t)v;
            break;
        case 'c':
            if (*optarg == '\0' || strlen(optarg) > CGROUP_NAME_MAX || strstr(optarg, "..") != NULL)
                return usage("--cgroup: expected a name of at most 64 bytes");
            o->cgroup = optarg;
            break;
        case 'l':
            o->learn = true;
            break;
        default:
            return usage("unknown option");
        }
    }
    return optind == argc ? 0 : usage("takes no arguments");
}

static int serve(struct spawn *s, struct err *err)
{
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    struct wire_owner owner = {serve_message, on_closed, s};
    int rc;

    limits.max_message_bytes = 1u << 20;
    limits.partial_ms = 0; /* reeved may be stopped by a debugger; it is no stranger */
    rc = wire_new(s->ev, CHANNEL_FD, &limits, true, &owner, &s->wire, err);
    return rc < 0 ? rc : ev_run(s->ev, err);
}

static int run(struct spawn *s, struct options *o, struct err *err)
{
    int rc;

    (void)snprintf(o->own_cgroup, sizeof(o->own_cgroup), CGROUP_PREFIX "%d", (int)getpid());
    /* Undumpable before anything is held: its memory will see secrets. */
    if ((rc = proc_harden(err)) < 0 || (rc = fd_set_cloexec(CHANNEL_FD, true, err)) < 0 ||
        (rc = ev_new(&s->ev, NULL, err)) < 0 ||
        (rc = spawn_prepare(s, o->uid_base, o->cgroup != NULL ? o->cgroup : o->own_cgroup, err)) <
            0)
        return rc;
    if (probe_is_privileged(&s->probe) && (rc = caps_keep_for_spawn(err)) < 0)
        return rc;
    rc = test_run_all(s, err);
    if (rc == 0 && probe_is_privileged(&s->probe))
        rc = spares_open(&s->nets, &spares_of_net, s->ev, err);
    if (rc == 0 && probe_is_privileged(&s->probe))
        rc = spares_open(&s->ipcs, &spares_of_ipc, s->ev, err);
    if (rc == 0)
        rc = serve(s, err);
    wire_free(s->wire);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.uid_base = UID_BASE_DEFAULT};
    struct spawn s = {.null_fd = -1,
                      .netns_fd = -1,
                      .host_mounts = -1,
                      .empty_mounts = -1,
                      .landlock_fd = -1,
                      .cgroups = CGROUP_HOST_NONE,
                      .nets = SPARES_NONE,
                      .ipcs = SPARES_NONE,
                      .programs = PROGRAM_CACHE_INIT};
    struct err err = ERR_INIT;
    int rc;

    if (argc == 2 && strcmp(argv[0], SELFTEST_NAME) == 0)
        return selftest_main(argv[1]);
    rc = parse_options(argc, argv, &o);
    if (rc != 0)
        return rc;
    ignore_signals();
    log_init(&s.log, "reeve-spawn", LOG_LEVEL_INFO);
    s.learn = o.learn;
    rc = run(&s, &o, &err);
    if (rc < 0)
        log_error(&s.log, "%s", err.text);
    spawn_release(&s);
    ev_free(s.ev);
    return rc < 0 ? 1 : 0;
}
