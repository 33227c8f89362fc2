/*
 * probe.c: asks the kernel what it has; see probe.h. What needs namespaces is tried in a child that
 * has all of them and reports row by row through a pipe; it dies with its report.
 */
#include "sandbox/probe.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/text/str.h"
#include "sandbox/cgroup.h"
#include "sandbox/kernel.h"
#include "sandbox/ns.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/proc.h"
#include "sandbox/os/sys.h"

struct probe_text {
    const char *name, *what, *remedy, *instead;
    enum probe_need need;
};
static const struct probe_text texts[PROBE_COUNT] = {
    [PROBE_PRIVILEGE] =
        {"privilege", "user ids of their own for runs, without user namespaces",
         "run reeved as root (it gives its rights up; reeve-spawn alone keeps them)", NULL,
         PROBE_EITHER},
    [PROBE_USERNS] = {"user-namespaces", "walls for a daemon without privilege",
                      "run reeved as root, or allow them: sysctl -w user.max_user_namespaces=10000 "
                      "(Ubuntu 24.04: kernel.apparmor_restrict_unprivileged_userns=0)",
                      NULL, PROBE_EITHER},
    [PROBE_NAMESPACES] = {"namespaces",
                          "seeing and reaching processes, IPC, mounts, network of the host",
                          "a kernel with CONFIG_PID_NS, NET_NS, IPC_NS, UTS_NS, CGROUPS", NULL,
                          PROBE_REQUIRED},
    [PROBE_CLONE3] = {"clone3", "races between start and confinement", "Linux 5.7 or newer", NULL,
                      PROBE_REQUIRED},
    [PROBE_MOUNT_API] = {"mount-api", "the host's files (own root)", "Linux 5.12 or newer", NULL,
                         PROBE_REQUIRED},
    [PROBE_MOUNT_CLONE] = {"mount-clone", "nothing: prepared roots make starts faster",
                           "Linux 6.15", "roots are made anew for each start", PROBE_BETTER},
    [PROBE_PROC] = {"proc", "processes of others in /proc (programs other than strict need one)",
                    "in a container: start it with an unmasked /proc",
                    "only the strict profile starts", PROBE_BETTER},
    [PROBE_LANDLOCK] = {"landlock", "files beyond the named ones, also through leaked descriptors",
                        "boot with lsm=landlock,... (CONFIG_SECURITY_LANDLOCK, Linux 5.13)", NULL,
                        PROBE_REQUIRED},
    [PROBE_LANDLOCK_NET] = {"landlock-net", "TCP where none was granted", "Linux 6.7",
                            "an empty network namespace", PROBE_BETTER},
    [PROBE_LANDLOCK_SCOPE] = {"landlock-scope", "abstract sockets and signals across walls",
                              "Linux 6.12", "pid and network namespaces, no socket() in strict",
                              PROBE_BETTER},
    [PROBE_SECCOMP] = {"seccomp", "system calls that the profile does not list",
                       "a kernel with CONFIG_SECCOMP_FILTER", NULL, PROBE_REQUIRED},
    [PROBE_SECCOMP_NOTIFY] = {"seccomp-notify", "denied calls without a name", "Linux 5.5", NULL,
                              PROBE_REQUIRED},
    [PROBE_NO_NEW_PRIVS] = {"no-new-privs", "setuid programs", "Linux 3.5", NULL, PROBE_REQUIRED},
    [PROBE_MDWE] = {"mdwe", "memory made executable after it was written (strict)", "Linux 6.3",
                    "the filter's rows for mmap and mprotect", PROBE_BETTER},
    [PROBE_MEMFD_NOEXEC] = {"memfd-noexec", "programs run from memory files", "Linux 6.3, as root",
                            "memfd_create and execveat are in no filter", PROBE_BETTER},
    [PROBE_PIDFD] = {"pidfd", "signals to a reused process number", "Linux 5.6", NULL,
                     PROBE_REQUIRED},
    [PROBE_PASSRIGHTS] = {"passrights", "descriptors planted on a socket", "Linux 6.16",
                          "what arrives is closed unread", PROBE_BETTER},
    [PROBE_CGROUP_KILL] = {"cgroup-kill", "processes that outlive their run",
                           "cgroup v2, Linux 5.14", "the pid namespace dies with its first process",
                           PROBE_BETTER},
    [PROBE_CGROUP_MEMORY] = {"cgroup-memory", "exhaustion of memory by many processes together",
                             "run as root, or in a unit with Delegate=yes",
                             "RLIMIT_DATA bounds each process", PROBE_BETTER},
    [PROBE_CGROUP_PIDS] = {"cgroup-pids", "exhaustion of processes", "run as root, or Delegate=yes",
                           "RLIMIT_NPROC", PROBE_BETTER},
    [PROBE_IDMAP] = {"idmap", "nothing: makes granted directories writable without chown",
                     "Linux 5.12 as root, and a file system that can", "permissions as they are",
                     PROBE_BETTER},
};

const char *probe_name(enum probe_id id)
{
    return texts[id].name;
}
const char *probe_what(enum probe_id id)
{
    return texts[id].what;
}
const char *probe_remedy(enum probe_id id)
{
    return texts[id].remedy;
}
const char *probe_instead(enum probe_id id)
{
    return texts[id].instead;
}
enum probe_need probe_need(enum probe_id id)
{
    return texts[id].need;
}

/* rc as kernel.h gives it: >= 0 has it. */
static void set_row(struct probe *p, enum probe_id id, int rc, int value)
{
    struct probe_row *row = &p->rows[id];

    *row = (struct probe_row){
        .has = rc >= 0, .value = rc >= 0 ? value : 0, .number = rc < 0 ? -rc : 0};
    if (rc < 0)
        (void)snprintf(row->detail, sizeof(row->detail), "%s", err_name(-rc));
    else if (id == PROBE_LANDLOCK)
        (void)snprintf(row->detail, sizeof(row->detail), "ABI %d", value);
    else if (id == PROBE_CGROUP_MEMORY || id == PROBE_CGROUP_PIDS)
        (void)snprintf(row->detail, sizeof(row->detail), "cgroup v%d", value);
    else
        (void)snprintf(row->detail, sizeof(row->detail), "yes");
}

/* ---- what can be asked in place
 * ------------------------------------------------------------------------ */

static int ask_privilege(void)
{
    static const int needed[] = {CAP_SYS_ADMIN, CAP_SETUID,       CAP_SETGID,
                                 CAP_SETPCAP,   CAP_SYS_CHROOT,   CAP_SYS_PTRACE,
                                 CAP_NET_ADMIN, CAP_DAC_OVERRIDE, CAP_KILL};
    uint64_t effective, permitted, inheritable;
    int rc = kernel_capget(&effective, &permitted, &inheritable);

    if (rc < 0 || geteuid() != 0)
        return rc < 0 ? rc : -EPERM;
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if ((effective >> needed[i] & 1) == 0)
            return -EPERM;
    return 0;
}

static int ask_pidfd(void)
{
    FD_AUTO int pidfd = sys.pidfd_open(getpid());
    FD_AUTO int copy = pidfd < 0 ? pidfd : kernel_pidfd_getfd(pidfd, pidfd);

    return copy;
}

static int ask_passrights(void)
{
    FD_AUTO int a = -1;
    FD_AUTO int b = -1;
    int pair[2], off = 0;
    int rc = sys.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);

    if (rc < 0)
        return rc;
    a = pair[0];
    b = pair[1];
    return sys.setsockopt(a, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

static void ask_cgroups(struct probe *p)
{
    int memory, pids;
    bool kills;

    cgroup_look(&memory, &pids, &kills);
    set_row(p, PROBE_CGROUP_KILL, kills ? 0 : -EACCES, 0);
    set_row(p, PROBE_CGROUP_MEMORY, memory > 0 ? 0 : -EACCES, memory);
    set_row(p, PROBE_CGROUP_PIDS, pids > 0 ? 0 : -EACCES, pids);
}

static void ask_in_place(struct probe *p)
{
    int abi = kernel_landlock_abi();

    set_row(p, PROBE_PRIVILEGE, ask_privilege(), 0);
    set_row(p, PROBE_LANDLOCK, abi > 0 ? 0 : abi == 0 ? -ENOSYS : abi, abi);
    set_row(p, PROBE_LANDLOCK_NET, abi >= 4 ? 0 : -ENOSYS, 0);
    set_row(p, PROBE_LANDLOCK_SCOPE, abi >= 6 ? 0 : -ENOSYS, 0);
    set_row(p, PROBE_SECCOMP, kernel_seccomp_has_action(SECCOMP_RET_KILL_PROCESS), 0);
    set_row(p, PROBE_SECCOMP_NOTIFY, kernel_seccomp_has_action(SECCOMP_RET_USER_NOTIF), 0);
    set_row(p, PROBE_NO_NEW_PRIVS, kernel_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    set_row(p, PROBE_MDWE, kernel_prctl(PR_GET_MDWE, 0, 0, 0, 0), 0);
    set_row(p, PROBE_PIDFD, ask_pidfd(), 0);
    set_row(p, PROBE_PASSRIGHTS, ask_passrights(), 0);
    ask_cgroups(p);
}

/* ---- what has to be tried, in a child with all namespaces
 * ------------------------------------------------- */

struct report {
    int id, rc;
};

static void report(int fd, enum probe_id id, int rc)
{
    struct report r = {(int)id, rc};

    (void)sys.write(fd, &r, sizeof(r));
}

static int new_tmpfs(void)
{
    FD_AUTO int fs = kernel_fsopen("tmpfs");
    int rc = fs < 0 ? fs : kernel_fsconfig_create(fs);

    return rc < 0 ? rc : kernel_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

static int try_mounts(int fd)
{
    FD_AUTO int tmp = new_tmpfs();
    FD_AUTO int root = -1;
    FD_AUTO int copy = -1;
    int rc = tmp;

    if (rc >= 0)
        rc = root =
            kernel_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (rc >= 0)
        rc = kernel_mount_setattr(root, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0,
                                  -1);
    report(fd, PROBE_MOUNT_API, rc);
    if (tmp < 0)
        return rc;
    copy = kernel_open_tree(tmp, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    report(fd, PROBE_MOUNT_CLONE, copy);
    return rc;
}

static int try_proc(void)
{
    FD_AUTO int fs = kernel_fsopen("proc");
    FD_AUTO int mounted = -1;
    int rc = fs < 0 ? fs : kernel_fsconfig_string(fs, "subset", "pid");

    if (rc >= 0)
        rc = kernel_fsconfig_create(fs);
    if (rc >= 0)
        rc = mounted = kernel_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return rc;
}

/* Of the child's own pid namespace: the host's stays as it is. */
static int try_memfd_noexec(void)
{
    FD_AUTO int fd = sys.open(AT_FDCWD, "/proc/sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC, 0);

    return fd < 0 ? fd : (int)MIN(sys.write(fd, "2", 1), 0);
}

static void child(int fd, bool mapped, uid_t uid, gid_t gid)
{
    int rc = mapped ? ns_map_ids(uid, gid, NULL) : 0;

    report(fd, PROBE_NAMESPACES, 0);
    /* A user namespace may be had but be worth nothing (AppArmor on Ubuntu): try a right that it
     * gives. */
    if (rc >= 0)
        rc =
            kernel_mount_setattr(AT_FDCWD, "/", AT_EMPTY_PATH | AT_RECURSIVE, 0, 0, MS_PRIVATE, -1);
    if (mapped)
        report(fd, PROBE_USERNS, rc);
    (void)try_mounts(fd);
    report(fd, PROBE_PROC, try_proc());
    report(fd, PROBE_MEMFD_NOEXEC, try_memfd_noexec());
}

/* Runs the child with or without a user namespace and takes its rows. */
static int try_namespaces(struct probe *p, bool mapped, struct err *err)
{
    FD_AUTO int in = -1;
    FD_AUTO int out = -1;
    int pipe_fds[2], pidfd = -1;
    struct report r;
    uint64_t all = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                   CLONE_NEWNET | (mapped ? CLONE_NEWUSER : 0);
    struct kernel_clone args = {.flags = all | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
                                .pidfd = (uintptr_t)&pidfd,
                                .exit_signal = SIGCHLD};
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int rc = sys.pipe(pipe_fds, O_CLOEXEC);

    if (rc < 0)
        return err_sys(err, -rc, "probe: pipe");
    in = pipe_fds[0];
    out = pipe_fds[1];
    rc = kernel_clone3(&args);
    if (rc == 0) {
        child(out, mapped, uid, gid);
        _exit(0);
    }
    set_row(p, PROBE_CLONE3, rc == -ENOSYS ? rc : 0, 0);
    if (rc < 0) {
        set_row(p, PROBE_NAMESPACES, rc, 0);
        if (mapped)
            set_row(p, PROBE_USERNS, rc, 0);
        return 0;
    }
    fd_close(&out);
    while (sys.read(in, &r, sizeof(r)) == (ssize_t)sizeof(r))
        if (r.id >= 0 && r.id < PROBE_COUNT)
            set_row(p, (enum probe_id)r.id, r.rc, 0);
    rc = proc_wait(pidfd, true, &(struct proc_exit){0}, err);
    fd_close(&pidfd);
    return rc;
}

int probe_host(struct probe *ret, struct err *err)
{
    struct probe *p = ret;
    struct utsname names;
    int rc;

    memset(p, 0, sizeof(*p));
    for (size_t i = 0; i < PROBE_COUNT; i++)
        set_row(p, (enum probe_id)i, -ENOSYS, 0);
    p->uid = geteuid();
    if (uname(&names) == 0)
        (void)snprintf(p->kernel, sizeof(p->kernel), "%.40s %.40s", names.release, names.machine);
    ask_in_place(p);
    rc = try_namespaces(p, true, err);
    if (rc == 0 && p->rows[PROBE_PRIVILEGE].has)
        rc = try_namespaces(p, false, err);
    set_row(p, PROBE_IDMAP, p->rows[PROBE_PRIVILEGE].has && p->rows[PROBE_USERNS].has ? 0 : -EPERM,
            0);
    return rc;
}

bool probe_is_privileged(const struct probe *p)
{
    return p->rows[PROBE_PRIVILEGE].has;
}

int probe_check(const struct probe *p, struct err *err)
{
    if (!p->rows[PROBE_PRIVILEGE].has && !p->rows[PROBE_USERNS].has)
        return err_set(err, ENOTSUP,
                       "no confinement here: neither root nor user namespaces (%s); remedy: %s",
                       p->rows[PROBE_USERNS].detail, texts[PROBE_USERNS].remedy);
    for (size_t i = 0; i < PROBE_COUNT; i++)
        if (texts[i].need == PROBE_REQUIRED && !p->rows[i].has)
            return err_set(err, ENOTSUP, "layer %s cannot be had here (%s); remedy: %s",
                           texts[i].name, p->rows[i].detail, texts[i].remedy);
    return 0;
}

/* ---- for people
 * -----------------------------------------------------------------------------------------------
 */

static const char *standing(const struct probe *p, enum probe_id id)
{
    if (p->rows[id].has)
        return "yes";
    if (texts[id].need == PROBE_BETTER)
        return "no, replaced";
    if (texts[id].need == PROBE_EITHER)
        return "no";
    return "MISSING";
}

void probe_put_text(const struct probe *p, struct buf *out)
{
    struct err err = ERR_INIT;
    bool enough = probe_check(p, &err) == 0;

    buf_fmt(out, "kernel  %s\nmode    %s\nresult  %s\n\n", p->kernel,
            probe_is_privileged(p) ? "privileged: real namespaces, a user id for each run"
                                   : "unprivileged: a user namespace for each run",
            enough ? "confinement can be had" : err.text);
    buf_fmt(out, "%-16s %-13s %-12s %s\n", "LAYER", "HAS", "DETAIL", "STOPS");
    for (size_t i = 0; i < PROBE_COUNT; i++) {
        const struct probe_row *row = &p->rows[i];
        buf_fmt(out, "%-16s %-13s %-12s %s\n", texts[i].name, standing(p, (enum probe_id)i),
                row->has && strcmp(row->detail, "yes") == 0 ? "" : row->detail, texts[i].what);
        if (!row->has && texts[i].instead != NULL)
            buf_fmt(out, "%-16s   instead: %s\n", "", texts[i].instead);
        if (!row->has)
            buf_fmt(out, "%-16s   remedy: %s\n", "", texts[i].remedy);
    }
}

void probe_put_json(const struct probe *p, struct jout *j)
{
    jout_object(j);
    probe_put_members(p, j);
    jout_object_end(j);
}

void probe_put_members(const struct probe *p, struct jout *j)
{
    struct err err = ERR_INIT;
    bool enough = probe_check(p, &err) == 0;

    jout_m_cstr(j, "kernel", p->kernel);
    jout_m_cstr(j, "mode", probe_is_privileged(p) ? "privileged" : "unprivileged");
    jout_m_bool(j, "enough", enough);
    if (!enough)
        jout_m_cstr(j, "why", err.text);
    jout_name(j, "layers");
    jout_array(j);
    for (size_t i = 0; i < PROBE_COUNT; i++) {
        const struct probe_row *row = &p->rows[i];
        jout_object(j);
        jout_m_cstr(j, "name", texts[i].name);
        jout_m_bool(j, "has", row->has);
        jout_m_bool(j, "required", texts[i].need == PROBE_REQUIRED);
        if (row->value != 0)
            jout_m_i64(j, "value", row->value);
        jout_m_cstr(j, "detail", row->detail);
        jout_m_cstr(j, "stops", texts[i].what);
        if (!row->has && texts[i].instead != NULL)
            jout_m_cstr(j, "instead", texts[i].instead);
        if (!row->has)
            jout_m_cstr(j, "remedy", texts[i].remedy);
        jout_object_end(j);
    }
    jout_array_end(j);
}
