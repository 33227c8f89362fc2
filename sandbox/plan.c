/*
 * plan.c: request + kernel -> walls. See plan.h; the tables are in profiles.def. Printing:
 * plan_put.c.
 */
#include "sandbox/plan.h"

#include "sandbox/kernel.h"

struct limits_row {
    uint64_t memory, processes, cpu_ms, open_files, file_bytes, tmp_bytes;
};
static const struct limits_row limits_rows[PROFILE_COUNT] = {
#define LIMITS(profile, memory, processes, cpu_ms, open_files, file_bytes, tmp_bytes) \
    [profile] = {(memory), (processes), (cpu_ms), (open_files), (file_bytes), (tmp_bytes)},
#include "sandbox/profiles.def"
};

struct files_row {
    unsigned profiles; /* bits of enum start_profile; bit PROFILE_COUNT: with a network */
    const char *path;
    const char *reason;
};
static const struct files_row files_rows[] = {
#define FILES(profiles, path, reason) {(profiles), (path), (reason)},
#include "sandbox/profiles.def"
};

/* ---- what the kernel must have
 * ---------------------------------------------------------------------- */

static int require(const struct probe *probe, enum probe_id id, struct err *err)
{
    if (probe->rows[id].has)
        return 0;
    return err_set(err, ENOTSUP, "layer %s cannot be had here (%s); %s", probe_name(id),
                   probe->rows[id].detail, probe_remedy(id));
}

static int check_host(const struct start_request *r, const struct plan_host *host, struct err *err)
{
    int rc = probe_check(host->probe, err);

    if (rc < 0)
        return rc;
    /* Everything but strict has a /proc of its own. */
    if (r->profile != PROFILE_STRICT && (rc = require(host->probe, PROBE_PROC, err)) < 0)
        return rc;
    return 0;
}

/* ---- own root
 * ------------------------------------------------------------------------------------------ */

static struct plan_mount *add(struct plan *p, enum plan_mount_kind kind, const char *source,
                              const char *at)
{
    if (p->mount_count == PLAN_MOUNTS_MAX)
        return NULL;
    struct plan_mount *m = &p->mounts[p->mount_count++];
    *m = (struct plan_mount){.kind = kind, .source = source, .at = at, .idmap = -1};
    return m;
}

static int add_host_files(struct plan *p, bool network)
{
    unsigned want = 1u << p->profile | (network ? 1u << PROFILE_COUNT : 0);

    for (size_t i = 0; i < ARRAY_LEN(files_rows); i++) {
        if ((files_rows[i].profiles & want) == 0)
            continue;
        struct plan_mount *m = add(p, PLAN_BIND, files_rows[i].path, files_rows[i].path + 1);
        if (m == NULL)
            return -E2BIG;
        m->optional = true;
    }
    return 0;
}

static int add_devices(struct plan *p)
{
    static const char *const nodes[] = {"/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"}};

    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        struct plan_mount *m = add(p, PLAN_DEV, nodes[i], nodes[i] + 1);
        if (m == NULL)
            return -E2BIG;
        m->write = i < 2; /* null and zero swallow; entropy is not for writing */
    }
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (add(p, PLAN_LINK, links[i][0], links[i][1]) == NULL)
            return -E2BIG;
    return 0;
}

/* Who it is, for programs that ask: not the host's list of users. */
static int add_accounts(struct plan *p, struct arena *arena)
{
    struct str passwd =
        arena_fmt(arena, "reeve:x:%u:%u:confined:/tmp:/bin/false\n", p->uid, p->gid);
    struct str group = arena_fmt(arena, "reeve:x:%u:\n", p->gid);

    if (passwd.ptr == NULL || group.ptr == NULL)
        return -ENOMEM;
    return add(p, PLAN_TEXT, passwd.ptr, "etc/passwd") == NULL ||
                   add(p, PLAN_TEXT, group.ptr, "etc/group") == NULL
               ? -E2BIG
               : 0;
}

/* Where there is no network, "localhost" is all that has a name. */
static int add_names(struct plan *p)
{
    static const char hosts[] = "127.0.0.1 localhost\n::1 localhost\n";
    static const char order[] = "passwd: files\ngroup: files\nhosts: files\n";

    if (p->network == PLAN_NET_HOST)
        return 0; /* the host's files, in profiles.def */
    return add(p, PLAN_TEXT, hosts, "etc/hosts") == NULL ||
                   add(p, PLAN_TEXT, order, "etc/nsswitch.conf") == NULL
               ? -E2BIG
               : 0;
}

/* Later mounts cover earlier ones: the request's own come last, so that what the operator named
 * wins. The program is shown at its own path. */
static int add_granted(struct plan *p, const struct start_request *r, struct arena *arena)
{
    for (size_t i = 0; i < r->file_count; i++) {
        const struct start_file *f = &r->files[i];
        const char *source = arena_cstr(arena, f->path);
        const char *at = f->at.len > 0 ? arena_cstr(arena, f->at) : source;
        if (source == NULL || at == NULL)
            return -ENOMEM;
        struct plan_mount *m = add(p, PLAN_BIND, source, at + 1);
        if (m == NULL)
            return -E2BIG;
        m->write = f->write;
        m->execute = !f->write; /* W^X for files as for memory */
        m->own = p->privileged;
    }
    struct plan_mount *program = add(p, PLAN_BIND, p->program, p->program + 1);
    if (program == NULL)
        return -E2BIG;
    program->execute = true;
    return 0;
}

static int make_root(struct plan *p, const struct start_request *r, uint64_t tmp_bytes,
                     struct arena *arena)
{
    struct plan_mount *tmp;
    int rc;

    if (p->profile == PROFILE_STRICT) {
        p->empty_root = true;
        return 0;
    }
    if ((rc = add_host_files(p, p->network == PLAN_NET_HOST)) < 0 || (rc = add_devices(p)) < 0 ||
        (rc = add_accounts(p, arena)) < 0)
        return rc;
    if ((rc = add_names(p)) < 0)
        return rc;
    if (add(p, PLAN_PROC, "proc", "proc") == NULL ||
        (tmp = add(p, PLAN_TMP, "tmpfs", "tmp")) == NULL)
        return -E2BIG;
    tmp->write = true;
    tmp->size = tmp_bytes;
    return add_granted(p, r, arena);
}

/* ---- limits
 * --------------------------------------------------------------------------------------------- */

static uint64_t either(uint64_t asked, uint64_t dflt)
{
    return asked != 0 ? asked : dflt;
}

static void make_limits(struct plan *p, const struct start_limits *asked, uint64_t *ret_tmp_bytes)
{
    const struct limits_row *row = &limits_rows[p->profile];
    uint64_t cpu_ms = either(asked->cpu_ms, row->cpu_ms);
    bool strict = p->profile == PROFILE_STRICT;

    p->memory_bytes = either(asked->memory_bytes, row->memory);
    p->processes = either(asked->processes, row->processes);
    *ret_tmp_bytes = either(asked->tmp_bytes, row->tmp_bytes);
    p->limits[PLAN_LIMIT_CORE] = 0;
    p->limits[PLAN_LIMIT_CPU] = cpu_ms == 0 ? PLAN_UNLIMITED : (cpu_ms + 999) / 1000;
    p->limits[PLAN_LIMIT_DATA] =
        p->memory_bytes; /* of each process; the cgroup counts all together */
    p->limits[PLAN_LIMIT_FSIZE] = strict ? 0 : either(asked->file_bytes, row->file_bytes);
    p->limits[PLAN_LIMIT_MEMLOCK] = 0;
    p->limits[PLAN_LIMIT_MSGQUEUE] = 0;
    p->limits[PLAN_LIMIT_NICE] = 0;
    p->limits[PLAN_LIMIT_NOFILE] = either(asked->open_files, row->open_files);
    p->limits[PLAN_LIMIT_NPROC] = p->processes;
    p->limits[PLAN_LIMIT_RTPRIO] = 0;
    p->limits[PLAN_LIMIT_SIGPENDING] = 256;
    p->limits[PLAN_LIMIT_STACK] = (uint64_t)8 << 20;
}

/* ---- Landlock
 * ------------------------------------------------------------------------------------------- */

static void make_landlock(struct plan *p, int abi)
{
    uint64_t fs = (LL_MAKE_SYM << 1) - 1; /* ABI 1: thirteen rights */

    if (abi >= 2)
        fs |= LL_REFER;
    if (abi >= 3)
        fs |= LL_TRUNCATE;
    if (abi >= 5)
        fs |= LL_IOCTL_DEV;
    p->landlock_abi = abi;
    p->landlock_fs = fs;
    /* node and python keep the loopback of their own empty network namespace. */
    if (abi >= 4 && p->network != PLAN_NET_HOST && p->profile != PROFILE_NODE &&
        p->profile != PROFILE_PYTHON)
        p->landlock_net = LL_NET_BIND_TCP | LL_NET_CONNECT_TCP;
    if (abi >= 6)
        p->landlock_scoped = LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL;
}

/* ---- the whole
 * -------------------------------------------------------------------------------------------- */

static enum seccomp_set set_for(const struct start_request *r)
{
    switch (r->profile) {
    case PROFILE_STRICT:
        return SECCOMP_STRICT;
    case PROFILE_NODE:
        return SECCOMP_NODE;
    case PROFILE_PYTHON:
        return SECCOMP_PYTHON;
    case PROFILE_TOOL:
        return r->network ? SECCOMP_TOOL_NET : SECCOMP_TOOL;
    case PROFILE_HELPER:
        return r->network ? SECCOMP_HELPER_NET : SECCOMP_HELPER;
    case PROFILE_PROGRAM:
    case PROFILE_COUNT:
        break;
    }
    return SECCOMP_PROGRAM;
}

/* strict may share: it has no socket(), and Landlock scopes abstract names. Its own where the
 * spawner cannot enter the shared one (unprivileged). */
static enum plan_network network_for(const struct start_request *r, bool privileged)
{
    if (r->network)
        return PLAN_NET_HOST;
    return r->profile == PROFILE_STRICT && privileged ? PLAN_NET_SHARED_EMPTY : PLAN_NET_OWN;
}

static void make_namespaces(struct plan *p)
{
    p->namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    if (!p->privileged)
        p->namespaces |= CLONE_NEWUSER;
    if (p->network == PLAN_NET_OWN)
        p->namespaces |= CLONE_NEWNET;
}

int plan_make(const struct start_request *r, const struct plan_host *host, struct arena *arena,
              struct plan *ret, struct err *err)
{
    const struct probe *probe = host->probe;
    struct plan *p = ret;
    uint64_t tmp_bytes;
    int rc = check_host(r, host, err);

    if (rc < 0)
        return rc;
    *p = (struct plan){.profile = r->profile, .base = r->base};
    p->privileged = probe_is_privileged(probe);
    p->uid = p->gid = p->privileged ? host->uid_base + r->uid_slot : probe->uid;
    p->network = network_for(r, p->privileged);
    make_namespaces(p);
    make_limits(p, &r->limits, &tmp_bytes);
    p->cgroup_memory = host->has_cgroup && probe->rows[PROBE_CGROUP_MEMORY].has;
    p->cgroup_pids = host->has_cgroup && probe->rows[PROBE_CGROUP_PIDS].has;
    p->cgroup_kill = host->has_cgroup && probe->rows[PROBE_CGROUP_KILL].has;
    p->memfd_noexec = p->privileged && r->profile != PROFILE_STRICT && /* there no call makes one */
                      probe->rows[PROBE_MEMFD_NOEXEC].has;
    p->mdwe = r->profile == PROFILE_STRICT && probe->rows[PROBE_MDWE].has;
    p->seccomp = set_for(r);
    make_landlock(p, probe->rows[PROBE_LANDLOCK].value);
    p->program = arena_cstr(arena, r->program);
    if (p->program == NULL)
        return err_sys(err, ENOMEM, "plan");
    rc = make_root(p, r, tmp_bytes, arena);
    if (rc < 0)
        return err_sys(err, -rc, "plan: own root");
    return 0;
}
