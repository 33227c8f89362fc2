/*
 * start.h: what reeved asks of reeve-spawn, and how: the only door to privilege.
 *
 * The wire between them is a Unix stream (wire.h). reeved sends `process/start` and gets, with the reply,
 * descriptors in the order given below; `process/exited` comes as a notification once the process and all
 * that it started are reaped and its cgroup is gone. reeve-spawn checks the request again (names, paths
 * absolute and without "..", limits in bounds, profile known) and reads no foreign bytes.
 *
 *   process/start   {key, profile, program, argv[], env{}, secrets[{name,file,as}], files[{path,at,write}],
 *                    limits{...}, channel, stdio, uid_slot}
 *       -> {pid, layers[...]} and descriptors: pidfd, then the channel's end, then stdio ends
 *   process/prestart {count, ...process/start of a worker, without secrets} -> {}   so many workers wait behind
 *                    finished walls; a process/start that asks for the same (all but key and uidSlot) is
 *                    given one at once, for good. Replaces the count that was asked for before for the
 *                    same; count 0 ends it. At most START_WARM_MAX in all
 *   process/prestop  {} -> {}            none wait any more
 *   process/kill    {key} -> {}            kills all of it (cgroup.kill, pid namespace)
 *   process/exited  {key, signal, code, userUs, systemUs, waitUs, maxRssBytes, oom}   notification; waitUs: CPU
 *                    time that it had used, of the two others, when it was given out; nobody's to pay for
 *   process/denied  {key, call, number, args[6]}   notification: a system call that a filter refused
 *   host/features   {} -> the matrix that `reeve doctor` prints
 */
#ifndef REEVE_SANDBOX_START_H
#define REEVE_SANDBOX_START_H

#include "policy/text/jout.h"
#include "sandbox/os/wire.h"

#define START_KEY_MAX 64
#define START_ARGV_MAX 64
#define START_ENV_MAX 64
#define START_FILES_MAX 64
#define START_SECRETS_MAX 16
#define START_WARM_MAX 256 /* workers that wait, of all kinds together */

enum start_profile {
    PROFILE_STRICT,  /* our C worker */
    PROFILE_PROGRAM, /* native programs */
    PROFILE_NODE,
    PROFILE_PYTHON,
    PROFILE_TOOL,    /* tool servers: `base` says what kind of program it is */
    PROFILE_HELPER,  /* reeve-egress, reeve-control: own user, no new privileges; confine themselves further */
    PROFILE_COUNT
};

struct start_file {
    struct str path; /* on the host, absolute */
    struct str at;   /* inside, absolute; empty: the same */
    bool write;
};

struct start_env {
    struct str name, value;
};

enum start_secret_as { SECRET_AS_ENV, SECRET_AS_FD };
struct start_secret {
    struct str name; /* SECRET_AS_ENV: the variable. SECRET_AS_FD: the name in REEVE_SECRETS="name:fd,name:fd" */
    struct str file; /* opened and read by reeve-spawn: reeved never sees it */
    enum start_secret_as as;
};

struct start_limits { /* 0: the profile's default (profiles.def) */
    uint64_t memory_bytes;
    uint64_t processes;
    uint64_t cpu_ms;        /* CPU time */
    uint64_t open_files;
    uint64_t file_bytes;    /* largest file it may write */
    uint64_t tmp_bytes;     /* private /tmp */
};

struct start_request {
    struct str key; /* unique among living processes: "run-41", "server-ledger", "egress" */
    enum start_profile profile;
    enum start_profile base; /* PROFILE_TOOL: PROFILE_PROGRAM, _NODE or _PYTHON */
    struct str program;      /* absolute path on the host */
    struct str argv[START_ARGV_MAX];
    size_t argc;
    struct start_env env[START_ENV_MAX]; /* all there is: nothing is inherited */
    size_t env_count;
    struct start_secret secrets[START_SECRETS_MAX];
    size_t secret_count;
    struct start_file files[START_FILES_MAX];
    size_t file_count;
    struct start_limits limits;
    bool channel;      /* a socket pair: descriptor 3 of the child, and ours */
    bool stdio;        /* pipes for 0, 1, 2, else /dev/null (2: a pipe always, when stderr_pipe) */
    bool stderr_pipe;
    bool network;      /* PROFILE_TOOL and PROFILE_HELPER only: the host's network */
    bool may_pass;     /* helpers only: descriptors may pass on the channel */
    uint32_t uid_slot; /* which user id of the range (privileged): see uid_slots below */
    int pass_fd;       /* sent along: descriptor 4 of the child (a listening socket); -1: none. Borrowed */
};

/* Slots of the user id range. Fixed ones for our own; the rest is shared out by reeved. */
enum { UID_SLOT_REEVED = 0, UID_SLOT_EGRESS = 1, UID_SLOT_CONTROL = 2, UID_SLOT_INGRESS = 3,
       UID_SLOT_SERVERS = 64, UID_SLOT_RUNS = 1024, UID_SLOT_COUNT = 57344,
       UID_SLOT_OWN_COUNT = 8192 /* behind them: reeve-spawn's own, for workers that wait and self-tests;
                                    65536 in all */ };

/* Request <-> JSON params (wire). Parsed strings are borrowed from the message. */
void start_put(struct jout *j, const struct start_request *r); /* writes members into an open object */
int start_parse(const struct json *params, struct start_request *ret, struct err *err) NODISCARD;
/* Whether both ask for the same, but for key and uid_slot; never where a secret or a descriptor goes along. */
bool start_is_same(const struct start_request *a, const struct start_request *b);
const char *start_profile_name(enum start_profile p);
int start_profile_parse(struct str name, enum start_profile *ret) NODISCARD;

/* ---- reeved's side ----------------------------------------------------------------------------- */

struct spawner;  /* the wire to reeve-spawn */
struct started;  /* one process */

struct started_info {
    pid_t pid;      /* for people; never signalled */
    int pidfd;      /* the callee's to keep or close; -1 on failure; likewise below */
    int channel;    /* our end of descriptor 3, or -1 */
    int in, out, errout; /* our ends of the child's 0, 1, 2, or -1 */
    const struct json *layers; /* the walls it stands behind, an array of texts; borrowed until return; may be NULL */
};

struct started_exit {
    struct proc_exit exit;
    int64_t wait_us; /* of its CPU time: before it had a run */
    bool oom;       /* the kernel's out-of-memory killer ended it */
    bool lost;      /* reeve-spawn went away: nothing is known but that it is dead */
};

struct started_owner {
    /* Exactly once: info, or NULL with why (nothing runs then; on_exit is not called). */
    void (*on_started)(void *arg, struct started *p, const struct started_info *info, const struct err *why);
    void (*on_exit)(void *arg, struct started *p, const struct started_exit *e); /* exactly once, last */
    void (*on_denied)(void *arg, struct started *p, struct str call, const struct json *details); /* may be NULL */
    void *arg;
};

struct spawner_owner {
    void (*on_lost)(void *arg, struct spawner *s, const struct err *why); /* all processes were told first */
    void *arg;
};

/* Takes fd, reeve-spawn's channel. */
int spawner_new(struct ev *ev, int fd, const struct spawner_owner *owner, struct spawner **ret, struct err *err) NODISCARD;
void spawner_free(struct spawner *s);
struct wire *spawner_wire(struct spawner *s); /* borrowed: for wire_hold / wire_release */
/* r is borrowed until return. The handle lives until on_exit (or on_started with failure) returned. */
int spawner_start(struct spawner *s, const struct start_request *r, const struct started_owner *owner,
                  struct started **ret, struct err *err) NODISCARD;
/* Keeps `count` workers ready that r would start; r->key and uid_slot are not used. A later spawner_start with
 * the same in all else is given one of them. Refused or not: starts work all the same, only not as fast. */
int spawner_prestart(struct spawner *s, const struct start_request *r, unsigned count, struct err *err) NODISCARD;
/* None are kept ready any more, of whatever kind; what was asked before this is not given out after it. */
int spawner_prestop(struct spawner *s, struct err *err) NODISCARD;
void spawner_kill(struct started *p); /* on_exit follows */
/* Forget the owner: the process is killed, nobody is told. */
void spawner_abandon(struct started *p);

#endif
