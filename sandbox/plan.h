/*
 * plan.h: the walls around one process, as data: profile, request and what this kernel has, put together
 * into a plan that can be printed, compared and tested without running it. apply.h carries it out.
 *
 * Pure. Runs in reeve-spawn and in `reeve sandbox explain`. Trusts the request only as far as start_parse
 * checked it; decides nothing at run time that is not in here.
 */
#ifndef REEVE_SANDBOX_PLAN_H
#define REEVE_SANDBOX_PLAN_H

#include "policy/text/arena.h"
#include "sandbox/probe.h"
#include "sandbox/seccomp.h"
#include "sandbox/start.h"

/* The layers in the order in which they are laid (apply.c argues it). */
enum layer {
    LAYER_CGROUP,
    LAYER_USER,       /* user namespace, when not privileged */
    LAYER_NAMESPACES, /* pid, mount, ipc, uts, cgroup */
    LAYER_NETWORK,
    LAYER_SESSION,    /* no terminal, umask */
    LAYER_SYSCTL,     /* vm.memfd_noexec, user.max_user_namespaces */
    LAYER_ROOT,       /* own root, old one gone */
    LAYER_DESCRIPTORS,
    LAYER_LIMITS,
    LAYER_CAPABILITIES,
    LAYER_IDENTITY,
    LAYER_LIFETIME,   /* dies with its parent */
    LAYER_NO_NEW_PRIVS,
    LAYER_LANDLOCK,
    LAYER_SECCOMP,
    LAYER_EXEC,
    LAYER_INSIDE,     /* strict: what the worker itself closes after exec */
    LAYER_COUNT
};
const char *layer_name(enum layer l);

enum plan_network {
    PLAN_NET_SHARED_EMPTY, /* one empty network namespace for all: no socket() there to use it with */
    PLAN_NET_OWN,          /* an empty one of its own, loopback up */
    PLAN_NET_HOST,         /* granted */
};

enum plan_mount_kind {
    PLAN_DIR,   /* an empty directory */
    PLAN_LINK,  /* symbolic link to `source` */
    PLAN_TEXT,  /* a file that holds `source` */
    PLAN_BIND,  /* `source` of the host */
    PLAN_TMP,   /* private tmpfs, size in bytes */
    PLAN_PROC,  /* proc of its own pid namespace, pids only, read-only */
    PLAN_DEV,   /* a device node of the host */
};
struct plan_mount {
    enum plan_mount_kind kind;
    const char *source;
    const char *at;      /* without the leading '/' */
    bool write, execute; /* otherwise read-only, noexec by Landlock */
    bool optional;       /* left out where the host has none */
    bool own;            /* granted: its owner appears as this process's user (id-mapped), when it may be
                            written, or belongs to somebody else than root */
    int idmap;           /* which of apply's maps; -1: none. Filled in by reeve-spawn, which sees owners */
    uint64_t size;
};
#define PLAN_MOUNTS_MAX 192

enum plan_limit {
    PLAN_LIMIT_CORE, PLAN_LIMIT_CPU, PLAN_LIMIT_DATA, PLAN_LIMIT_FSIZE, PLAN_LIMIT_MEMLOCK,
    PLAN_LIMIT_MSGQUEUE, PLAN_LIMIT_NICE, PLAN_LIMIT_NOFILE, PLAN_LIMIT_NPROC, PLAN_LIMIT_RTPRIO,
    PLAN_LIMIT_SIGPENDING, PLAN_LIMIT_STACK, PLAN_LIMIT_COUNT
};
#define PLAN_UNLIMITED UINT64_MAX
const char *plan_limit_name(enum plan_limit l);
int plan_limit_resource(enum plan_limit l); /* RLIMIT_... */

struct plan {
    enum start_profile profile, base;
    bool privileged;       /* otherwise: a user namespace of its own, mapped to the caller */
    uint32_t uid, gid;     /* as the host sees them */
    uint64_t namespaces;   /* CLONE_NEW... for clone3 */
    enum plan_network network;
    struct plan_mount mounts[PLAN_MOUNTS_MAX];
    size_t mount_count;
    bool empty_root;       /* strict: nothing in it at all */
    uint64_t limits[PLAN_LIMIT_COUNT];
    uint64_t memory_bytes, processes; /* cgroup */
    bool cgroup_memory, cgroup_pids, cgroup_kill; /* what this host has of it */
    bool memfd_noexec;     /* layer sysctl */
    uint64_t landlock_fs, landlock_net, landlock_scoped; /* handled, hence denied beyond the rules */
    int landlock_abi;
    enum seccomp_set seccomp;
    bool mdwe;             /* strict */
    const char *program;   /* inside */
};

struct plan_host { /* what a plan is made for */
    const struct probe *probe;
    uint32_t uid_base;  /* privileged: uid of slot 0 */
    bool has_cgroup;    /* reeve-spawn holds a cgroup of its own */
};

/* Strings go into the arena. -ENOTSUP when a layer that the profile requires is missing: which, and the
 * remedy (INV-02). */
int plan_make(const struct start_request *r, const struct plan_host *host, struct arena *arena,
              struct plan *ret, struct err *err) NODISCARD;

void plan_put_text(const struct plan *p, struct buf *out);
void plan_put_json(const struct plan *p, struct jout *j); /* one object */
/* The layers as `process/start` answers them: "cgroup: memory 256M, processes 1, killed as one", ...; into an
 * open array. */
void plan_put_layers(const struct plan *p, struct jout *j);

#endif
