/*
 * plan_put.c: a plan as people and programs read it (plan.h). Pure.
 */
#include "sandbox/kernel.h"
#include "sandbox/plan.h"

static const char *const layer_names[LAYER_COUNT] = {
    [LAYER_CGROUP] = "cgroup",
    [LAYER_USER] = "user-namespace",
    [LAYER_NAMESPACES] = "namespaces",
    [LAYER_NETWORK] = "network",
    [LAYER_SESSION] = "session",
    [LAYER_SYSCTL] = "sysctl",
    [LAYER_ROOT] = "root",
    [LAYER_DESCRIPTORS] = "descriptors",
    [LAYER_LIMITS] = "limits",
    [LAYER_CAPABILITIES] = "capabilities",
    [LAYER_IDENTITY] = "identity",
    [LAYER_LIFETIME] = "lifetime",
    [LAYER_NO_NEW_PRIVS] = "no-new-privs",
    [LAYER_LANDLOCK] = "landlock",
    [LAYER_SECCOMP] = "seccomp",
    [LAYER_EXEC] = "exec",
    [LAYER_INSIDE] = "inside",
};

const char *layer_name(enum layer l)
{
    return (size_t)l < LAYER_COUNT ? layer_names[l] : "?";
}

static const char *const network_texts[] = {
    [PLAN_NET_SHARED_EMPTY] = "none: an empty network namespace, and no socket()",
    [PLAN_NET_OWN] = "none: an empty network namespace of its own, loopback only",
    [PLAN_NET_HOST] = "the host's, as granted",
};

/* An amount as people write it: the largest unit that divides it. */
static void put_amount(struct buf *out, uint64_t v)
{
    static const char units[] = {'G', 'M', 'K'};

    if (v == PLAN_UNLIMITED) {
        buf_cstr(out, "unlimited");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t unit = (uint64_t)1 << (30 - 10 * i);
        if (v != 0 && v % unit == 0) {
            buf_fmt(out, "%" PRIu64 "%c", v / unit, units[i]);
            return;
        }
    }
    buf_fmt(out, "%" PRIu64, v);
}

static void put_cgroup(const struct plan *p, struct buf *out)
{
    if (!p->cgroup_memory && !p->cgroup_pids) {
        buf_cstr(out, "none here: the limits of each process stand alone");
        return;
    }
    buf_cstr(out, "memory ");
    put_amount(out, p->cgroup_memory ? p->memory_bytes : PLAN_UNLIMITED);
    buf_cstr(out, ", processes ");
    put_amount(out, p->cgroup_pids ? p->processes : PLAN_UNLIMITED);
    buf_cstr(out, p->cgroup_kill ? ", killed as one" : "");
}

static void put_namespaces(const struct plan *p, struct buf *out)
{
    static const struct {
        uint64_t flag;
        const char *name;
    } all[] = {{CLONE_NEWUSER, "user"}, {CLONE_NEWPID, "pid"}, {CLONE_NEWNS, "mount"},
               {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"}, {CLONE_NEWCGROUP, "cgroup"},
               {CLONE_NEWNET, "net"}};
    const char *sep = "";

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if ((p->namespaces & all[i].flag) != 0) {
            buf_fmt(out, "%s%s", sep, all[i].name);
            sep = " ";
        }
}

static void put_limits(const struct plan *p, struct buf *out)
{
    for (size_t i = 0; i < PLAN_LIMIT_COUNT; i++) {
        buf_fmt(out, "%s%s ", i == 0 ? "" : ", ", plan_limit_name((enum plan_limit)i));
        put_amount(out, p->limits[i]);
    }
}

/* One line a layer. */
static void put_layer(const struct plan *p, enum layer l, struct buf *out)
{
    switch (l) {
    case LAYER_CGROUP:
        put_cgroup(p, out);
        break;
    case LAYER_USER:
        buf_cstr(out,
                 p->privileged ? "none needed" : "of its own, mapped to the caller; none below it");
        break;
    case LAYER_NAMESPACES:
        put_namespaces(p, out);
        break;
    case LAYER_NETWORK:
        buf_cstr(out, network_texts[p->network]);
        break;
    case LAYER_SESSION:
        buf_cstr(out, "no terminal, umask 077, host name \"reeve\"");
        break;
    case LAYER_SYSCTL:
        buf_cstr(out, p->memfd_noexec ? "vm.memfd_noexec=2" : "-");
        break;
    case LAYER_ROOT:
        if (p->empty_root)
            buf_cstr(out, "empty");
        else
            buf_fmt(out, "%zu entries, read-only but where noted", p->mount_count);
        break;
    case LAYER_DESCRIPTORS:
        buf_cstr(out, "its own only");
        break;
    case LAYER_LIMITS:
        put_limits(p, out);
        break;
    case LAYER_CAPABILITIES:
        buf_cstr(out, "none; bounding set empty, securebits locked");
        break;
    case LAYER_IDENTITY:
        buf_fmt(out, "uid %u gid %u, no groups", p->uid, p->gid);
        break;
    case LAYER_LIFETIME:
        buf_cstr(out, "dies with reeve-spawn");
        break;
    case LAYER_NO_NEW_PRIVS:
        buf_cstr(out, "set");
        break;
    case LAYER_LANDLOCK:
        buf_fmt(out, "ABI %d: files by rule%s%s", p->landlock_abi,
                p->landlock_net != 0 ? ", no TCP" : "",
                p->landlock_scoped != 0 ? ", no signal or abstract socket out" : "");
        break;
    case LAYER_SECCOMP:
        buf_fmt(out, "set \"%s\": %u calls, the rest is named", seccomp_set_name(p->seccomp),
                seccomp_set_allowed(p->seccomp));
        break;
    case LAYER_EXEC:
        buf_fmt(out, "%s%s", p->program, p->empty_root ? " (by descriptor, sealed)" : "");
        break;
    case LAYER_INSIDE:
        buf_cstr(out, !p->empty_root ? "-"
                      : p->mdwe      ? "undumpable, MDWE, no exec"
                                     : "undumpable, no exec");
        break;
    case LAYER_COUNT:
        break;
    }
}

static const char *const kind_names[] = {
    [PLAN_DIR] = "dir", [PLAN_LINK] = "link", [PLAN_TEXT] = "text",  [PLAN_BIND] = "bind",
    [PLAN_TMP] = "tmp", [PLAN_PROC] = "proc", [PLAN_DEV] = "device",
};

static void put_mount(const struct plan_mount *m, struct buf *out)
{
    buf_fmt(out, "    /%-34s %-7s %s%s%s", m->at, kind_names[m->kind], m->write ? "write" : "read",
            m->execute ? ", execute" : "", m->optional ? ", if there" : "");
    if (m->kind == PLAN_LINK || (m->kind == PLAN_BIND && strcmp(m->source + 1, m->at) != 0))
        buf_fmt(out, "  %s %s", m->kind == PLAN_LINK ? "->" : "from", m->source);
    if (m->kind == PLAN_TMP) {
        buf_cstr(out, "  ");
        put_amount(out, m->size);
    }
    buf_char(out, '\n');
}

void plan_put_text(const struct plan *p, struct buf *out)
{
    buf_fmt(out, "profile %s%s%s, %s\n", start_profile_name(p->profile),
            p->profile == PROFILE_TOOL ? " on " : "",
            p->profile == PROFILE_TOOL ? start_profile_name(p->base) : "",
            p->privileged ? "privileged" : "unprivileged");
    for (size_t i = 0; i < LAYER_COUNT; i++) {
        buf_fmt(out, "%2zu %-15s ", i + 1, layer_name((enum layer)i));
        put_layer(p, (enum layer)i, out);
        buf_char(out, '\n');
        if (i == LAYER_ROOT)
            for (size_t m = 0; m < p->mount_count; m++)
                put_mount(&p->mounts[m], out);
    }
    buf_fmt(out, "\nsystem calls, set \"%s\"\n", seccomp_set_name(p->seccomp));
    seccomp_set_put(p->seccomp, out);
}

static void put_mount_json(const struct plan_mount *m, struct jout *j)
{
    jout_object(j);
    jout_m_fmt(j, "at", "/%s", m->at);
    jout_m_cstr(j, "kind", kind_names[m->kind]);
    if (m->kind == PLAN_BIND || m->kind == PLAN_LINK || m->kind == PLAN_DEV)
        jout_m_cstr(j, "source", m->source);
    jout_m_bool(j, "write", m->write);
    jout_m_bool(j, "execute", m->execute);
    if (m->kind == PLAN_TMP)
        jout_m_i64(j, "sizeBytes", (int64_t)m->size);
    jout_object_end(j);
}

void plan_put_json(const struct plan *p, struct jout *j)
{
    jout_object(j);
    jout_m_cstr(j, "profile", start_profile_name(p->profile));
    if (p->profile == PROFILE_TOOL)
        jout_m_cstr(j, "base", start_profile_name(p->base));
    jout_m_bool(j, "privileged", p->privileged);
    jout_m_cstr(j, "program", p->program);
    jout_m_i64(j, "uid", p->uid);
    jout_m_cstr(j, "seccomp", seccomp_set_name(p->seccomp));
    jout_name(j, "layers");
    jout_array(j);
    plan_put_layers(p, j);
    jout_array_end(j);
    jout_name(j, "limits");
    jout_object(j);
    for (size_t i = 0; i < PLAN_LIMIT_COUNT; i++)
        if (p->limits[i] != PLAN_UNLIMITED)
            jout_m_i64(j, plan_limit_name((enum plan_limit)i), (int64_t)p->limits[i]);
    jout_object_end(j);
    jout_name(j, "root");
    jout_array(j);
    for (size_t i = 0; i < p->mount_count; i++)
        put_mount_json(&p->mounts[i], j);
    jout_array_end(j);
    jout_object_end(j);
}

void plan_put_layers(const struct plan *p, struct jout *j)
{
    struct buf line;

    buf_init(&line, 4096);
    for (size_t i = 0; i < LAYER_COUNT; i++) {
        buf_clear(&line);
        buf_fmt(&line, "%s: ", layer_name((enum layer)i));
        put_layer(p, (enum layer)i, &line);
        jout_str(j, buf_str(&line));
    }
    buf_release(&line);
}
