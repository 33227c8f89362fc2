/*
 * child.c: makes a confined process: plan, group, descriptors, clone. See child.h. What happens to
 * it afterwards is in watch.c.
 */
#include "sandbox/spawn/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/apply.h"
#include "sandbox/inside.h"
#include "sandbox/kernel.h"
#include "sandbox/ns.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "sandbox/os/sys.h"
#include "sandbox/spawn/secret.h"

#define PLAN_BYTES      ((size_t)1 << 20)
#define FIRST_SECRET_FD 5

/* What a start holds until the child has it. */
struct making {
    const struct start_request *request;
    struct apply apply;
    int pass_fd;
    int netns_fd, ipcns_fd; /* made ahead for this one, or -1 */
    int theirs[5];          /* channel, in, out, err, start socket: the child's ends */
    struct secrets secrets;
    char **argv, **env; /* in the child's arena, but for the secrets' entries */
};
enum { THEIR_CHANNEL, THEIR_IN, THEIR_OUT, THEIR_ERR, THEIR_START };

/* ---- argv and env
 * ------------------------------------------------------------------------------------ */

static int make_argv(struct child *c, struct making *m, struct err *err)
{
    const struct start_request *r = m->request;

    m->argv = ARENA_ARRAY(&c->arena, r->argc + 1, char *);
    for (size_t i = 0; m->argv != NULL && i < r->argc; i++)
        if ((m->argv[i] = arena_cstr(&c->arena, r->argv[i])) == NULL)
            return err_sys(err, ENOMEM, "argv");
    return m->argv == NULL ? err_sys(err, ENOMEM, "argv") : 0;
}

static int make_env(struct child *c, struct making *m, struct err *err)
{
    const struct start_request *r = m->request;
    size_t n = 0;

    m->env = ARENA_ARRAY(&c->arena, r->env_count + m->secrets.env_count + 2, char *);
    if (m->env == NULL)
        return err_sys(err, ENOMEM, "env");
    for (size_t i = 0; i < r->env_count; i++) {
        struct str s =
            arena_fmt(&c->arena, "%.*s=%.*s", STR_FMT(r->env[i].name), STR_FMT(r->env[i].value));
        char *entry = arena_cstr(&c->arena, s);
        if (s.ptr == NULL || entry == NULL)
            return err_sys(err, ENOMEM, "env");
        m->env[n++] = entry;
    }
    for (size_t i = 0; i < m->secrets.env_count; i++)
        m->env[n++] = m->secrets.env[i];
    if (m->secrets.fd_count > 0) {
        struct str s = arena_fmt(&c->arena, "REEVE_SECRETS=%s", m->secrets.list);
        if ((m->env[n] = arena_cstr(&c->arena, s)) == NULL)
            return err_sys(err, ENOMEM, "env");
    }
    return 0;
}

/* ---- descriptors
 * --------------------------------------------------------------------------------------- */

static void keep_ours(struct child *c, int fd)
{
    c->ours[c->ours_count++] = fd;
}

/* A pipe; the child reads it when `child_reads`. */
static int make_pipe(struct child *c, int *ret_theirs, bool child_reads, struct err *err)
{
    int fds[2];
    int rc = sys.pipe(fds, O_CLOEXEC);

    if (rc < 0)
        return err_sys(err, -rc, "pipe");
    /* Its own, so that it may open /dev/stdout again. */
    if (c->plan.privileged && fchown(fds[0], c->plan.uid, c->plan.gid) < 0)
        rc = err_set(err, EPERM, "owner of a pipe");
    *ret_theirs = child_reads ? fds[0] : fds[1];
    keep_ours(c, child_reads ? fds[1] : fds[0]);
    return rc;
}

/* In the order of the answer (start.h): channel, then 0, 1, 2. */
static int make_descriptors(struct child *c, struct making *m, struct err *err)
{
    const struct start_request *r = m->request;
    int pair[2], rc = 0;

    if (r->channel) {
        if ((rc = sock_pair(pair, r->may_pass, err)) < 0)
            return rc;
        m->theirs[THEIR_CHANNEL] = pair[1];
        keep_ours(c, pair[0]);
    }
    if (r->stdio && ((rc = make_pipe(c, &m->theirs[THEIR_IN], true, err)) < 0 ||
                     (rc = make_pipe(c, &m->theirs[THEIR_OUT], false, err)) < 0))
        return rc;
    if ((r->stdio || r->stderr_pipe) && (rc = make_pipe(c, &m->theirs[THEIR_ERR], false, err)) < 0)
        return rc;
    rc = sys.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    if (rc < 0)
        return err_sys(err, -rc, "start socket");
    m->theirs[THEIR_START] = pair[1];
    c->start_fd = pair[0];
    return fd_set_nonblock(c->start_fd, true, err);
}

/* Which descriptor has which number in the child. */
static void number_descriptors(const struct child *c, struct making *m)
{
    struct apply *a = &m->apply;

    for (size_t i = 0; i < APPLY_FDS_MAX; i++)
        a->fds[i] = -1;
    a->fds[0] = m->theirs[THEIR_IN];
    a->fds[1] = m->theirs[THEIR_OUT];
    a->fds[2] = m->theirs[THEIR_ERR];
    a->fds[3] = m->theirs[THEIR_CHANNEL];
    a->fds[INSIDE_FD] = c->plan.profile == PROFILE_STRICT ? m->theirs[THEIR_START] : m->pass_fd;
    for (size_t i = 0; i < m->secrets.fd_count; i++)
        a->fds[FIRST_SECRET_FD + i] = m->secrets.fds[i];
    a->fd_count = m->secrets.fd_count > 0  ? FIRST_SECRET_FD + m->secrets.fd_count
                  : a->fds[INSIDE_FD] >= 0 ? INSIDE_FD + 1
                  : a->fds[3] >= 0         ? 4
                                           : 3;
}

/* ---- strict
 * ------------------------------------------------------------------------------------------------
 */

/* The worker loads its filter itself, after exec; it waits on its start socket before anything
 * else. */
static int send_filter(struct child *c, struct err *err)
{
    const struct seccomp_program *p = &c->spawn->filters[SECCOMP_STRICT];
    ssize_t n = sys.write(c->start_fd, p->code, p->count * sizeof(p->code[0]));

    return n < 0 ? err_sys(err, (int)-n, "send the filter") : 0;
}

/* ---- owners of what is granted
 * ------------------------------------------------------------------------- */

struct idmaps {
    struct ns_ids owners[APPLY_IDMAPS_MAX];
    size_t count;
};

static int find_idmap(struct child *c, struct making *m, struct idmaps *known,
                      const struct ns_ids *owner, struct err *err)
{
    const struct ns_ids seen = {c->plan.uid, c->plan.gid};
    size_t i = 0;
    int rc;

    while (i < known->count &&
           (known->owners[i].uid != owner->uid || known->owners[i].gid != owner->gid))
        i++;
    if (i < known->count)
        return (int)i;
    if (known->count == APPLY_IDMAPS_MAX)
        return -1;
    rc = ns_idmap(owner, &seen, &m->apply.idmaps[i], err);
    if (rc < 0)
        return rc == -1 ? -EPERM : rc;
    known->owners[known->count++] = *owner;
    m->apply.idmap_count = known->count;
    return (int)i;
}

/* A run's user id is one that owns nothing: without a map it could not use what the operator
 * granted. What is root's and only to be read stays as its permissions say: a grant of /etc is none
 * of /etc/shadow. */
static int map_owners(struct child *c, struct making *m, struct err *err)
{
    struct idmaps known = {.count = 0};
    struct stat st;

    for (size_t i = 0; i < c->plan.mount_count; i++) {
        struct plan_mount *mount = &c->plan.mounts[i];
        if (!mount->own ||
            sys.stat(AT_FDCWD, mount->source, &st, 0) < 0 || /* missing: told by mounts */
            (st.st_uid == 0 && !mount->write) || st.st_uid == c->plan.uid)
            continue;
        const struct ns_ids owner = {st.st_uid, st.st_gid};
        mount->idmap = find_idmap(c, m, &known, &owner, err);
        if (mount->idmap < -1)
            return mount->idmap;
    }
    return 0;
}

/* Its filter lets it make Unix sockets alone, so that a network namespace is after it what it was
 * (spares.h). */
static bool leaves_no_trace(const struct child *c)
{
    return c->plan.network == PLAN_NET_OWN && c->plan.privileged &&
           (c->plan.seccomp == SECCOMP_PROGRAM || c->plan.seccomp == SECCOMP_TOOL);
}

static int fill_apply(struct child *c, struct making *m, struct err *err)
{
    struct spawn *s = c->spawn;
    bool strict = c->plan.profile == PROFILE_STRICT;
    struct apply *a = &m->apply;
    int rc = 0;

    *a = (struct apply){.plan = &c->plan,
                        .start_fd = m->theirs[THEIR_START],
                        .null_fd = s->null_fd,
                        .exec_fd = -1,
                        .netns_fd = -1,
                        .ipcns_fd = -1,
                        .landlock_fd = -1,
                        .names_ready = s->has_names,
                        .tasks = {c->leaf.tasks[0], c->leaf.tasks[1]},
                        .task_count = c->leaf.task_count,
                        .argv = m->argv,
                        .env = m->env};
    number_descriptors(c, m);
    if (c->plan.network == PLAN_NET_SHARED_EMPTY)
        a->netns_fd = s->netns_fd;
    else if (c->plan.network == PLAN_NET_OWN && c->plan.privileged)
        a->netns_fd = m->netns_fd = spares_take(&s->nets, leaves_no_trace(c));
    a->ipcns_fd = m->ipcns_fd = spares_take(&s->ipcs, true);
    if (strict) {
        a->landlock_fd = s->landlock_fd;
        a->root_ready = s->empty_mounts >= 0;
        rc = program_open(&s->programs, c->plan.program, c->plan.privileged, &a->exec_fd, err);
        if (rc == 0)
            rc = send_filter(c, err);
    } else {
        a->filter = &s->filters[c->plan.seccomp];
    }
    if (rc == 0 && c->plan.privileged && s->probe.rows[PROBE_IDMAP].has)
        rc = map_owners(c, m, err);
    return MIN(rc, 0);
}

/* ---- clone
 * ---------------------------------------------------------------------------------------------------
 */

/* Whether it may begin in our memory, on a stack of its own, while we wait for its exec (vfork):
 * half of what a start took was copying our pages, and copying them again when either side wrote.
 *
 * What it could do to us there: until its exec it runs apply.c alone, over a plan that is ours, and
 * reads nothing of anybody's. It is not to be traced or read by its new user id meanwhile: that we
 * are undumpable goes with the memory (and is said again afterwards, since fs.suid_dumpable may
 * change it with the id). The kernel leaves who is in a vfork alone when memory runs out. An error
 * ends it by _exit. What would stop us: waiting for ourselves. So not where its exec, behind its
 * filter, waits for our answer; nor where it looks at the host's files, which a dead file server
 * would make us wait for. */
static bool may_share_memory(const struct child *c, const struct making *m)
{
    return c->spawn->stack != NULL && m->apply.root_ready && m->apply.filter == NULL;
}

static void run_child(const void *apply)
{
    apply_exec(apply);
}

static int clone_shared(struct child *c, struct making *m, struct kernel_clone *args)
{
    int rc;

    args->stack = (uintptr_t)c->spawn->stack;
    args->stack_size = SPAWN_STACK_BYTES;
    rc = kernel_clone3_vfork(args, run_child, &m->apply);
    if (rc >= 0)
        must(kernel_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
    else if (rc == -ENOSYS)
        args->stack = args->stack_size = 0;
    return rc;
}

static int clone_child(struct child *c, struct making *m, int *ret_pidfd, struct err *err)
{
    int pidfd = -1;
    struct kernel_clone args = {.flags = c->plan.namespaces | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
                                .pidfd = (uintptr_t)&pidfd,
                                .exit_signal = SIGCHLD};
    int rc;

    if (m->netns_fd >= 0)
        args.flags &= ~(uint64_t)CLONE_NEWNET; /* it enters one that is there */
    if (m->ipcns_fd >= 0)
        args.flags &= ~(uint64_t)CLONE_NEWIPC;
    if (m->apply.names_ready)
        args.flags &= ~(uint64_t)CLONE_NEWUTS;
    if (m->apply.root_ready)
        args.flags &= ~(uint64_t)CLONE_NEWNS;
    if (c->leaf.unified >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)c->leaf.unified;
    }
    /* Strict workers are in one mount namespace: its root is empty and read-only, and none of them
     * has a call to look at it, let alone to change it. */
    if (m->apply.root_ready && (rc = kernel_setns(c->spawn->empty_mounts, CLONE_NEWNS)) < 0)
        return err_sys(err, -rc, "layer %s: empty root", layer_name(LAYER_ROOT));
    rc = may_share_memory(c, m) ? clone_shared(c, m, &args) : -ENOSYS;
    if (rc == -ENOSYS)
        rc = kernel_clone3(&args);
    if (rc == 0)
        apply_exec(&m->apply);
    if (m->apply.root_ready)
        must(kernel_setns(c->spawn->host_mounts, CLONE_NEWNS) == 0); /* where it came from */
    if (rc < 0)
        return err_sys(err, -rc, "layer %s: clone", layer_name(LAYER_NAMESPACES));
    c->pid = rc;
    *ret_pidfd = pidfd;
    if (leaves_no_trace(c))
        c->net = spares_hold(&c->spawn->nets, &m->netns_fd, c->pid);
    if (c->plan.privileged)
        c->ipc = spares_hold(&c->spawn->ipcs, &m->ipcns_fd, c->pid);
    return 0;
}

void child_give_back(struct child *c)
{
    /* It got as far as its filter, or the loopback in it may not be up; and that let nothing
     * through. */
    bool is_good = c->listener >= 0 && !c->spawn->learn;

    spares_give(&c->spawn->nets, &c->net, is_good);
    spares_give(&c->spawn->ipcs, &c->ipc, is_good);
}

bool child_shares_groups(const struct child *c)
{
    enum start_profile p = c->plan.profile;

    return p != PROFILE_TOOL && p != PROFILE_HELPER &&
           !(c->kind == CHILD_WARM && p != PROFILE_STRICT);
}

static int make_group(struct child *c, struct err *err)
{
    const struct plan *p = &c->plan;
    struct spawn *s = c->spawn;

    if (!p->cgroup_kill && !p->cgroup_memory && !p->cgroup_pids)
        return 0;
    if (child_shares_groups(c))
        return leaves_take(&s->leaves, &s->cgroups, p->memory_bytes, p->processes, &c->leaf, err);
    return cgroup_leaf_make(&s->cgroups, c->key, p->memory_bytes, p->processes, &c->leaf, err);
}

static int make_all(struct child *c, struct making *m, struct err *err)
{
    int rc = plan_make(m->request, &c->spawn->host, &c->arena, &c->plan, err);

    if (rc == 0 && c->kind == CHILD_WARM)
        rc = warm_begin(c, m->request, err);
    if (rc < 0 || (rc = make_group(c, err)) < 0 ||
        (rc = secrets_read(m->request, FIRST_SECRET_FD, &m->secrets, err)) < 0 ||
        (rc = make_argv(c, m, err)) < 0 || (rc = make_env(c, m, err)) < 0 ||
        (rc = make_descriptors(c, m, err)) < 0)
        return rc;
    return fill_apply(c, m, err);
}

static void release_making(struct making *m)
{
    for (size_t i = 0; i < ARRAY_LEN(m->theirs); i++)
        fd_close(&m->theirs[i]);
    for (size_t i = 0; i < m->apply.idmap_count; i++)
        fd_close(&m->apply.idmaps[i]);
    fd_close(&m->pass_fd);
    fd_close(&m->netns_fd);
    fd_close(&m->ipcns_fd);
    secrets_release(&m->secrets);
}

/* ---- life
 * -------------------------------------------------------------------------------------------------------
 */

static void child_free(struct child *c)
{
    watch_release(c);
    fd_close(&c->start_fd);
    spares_give(&c->spawn->nets, &c->net, false);
    spares_give(&c->spawn->ipcs, &c->ipc, false);
    for (size_t i = 0; i < c->ours_count; i++)
        fd_close(&c->ours[i]);
    (void)cgroup_leaf_remove(&c->spawn->cgroups, &c->leaf);
    cgroup_leaf_close(&c->leaf);
    arena_release(&c->arena);
    free(c->warm.layers);
    free(c);
}

static struct child *child_new(struct spawn *s, const struct start_request *r, int64_t request)
{
    struct child *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->spawn = s;
    c->request = request;
    c->start_fd = c->listener = c->net = c->ipc = -1;
    c->leaf = CGROUP_LEAF_NONE;
    arena_init(&c->arena, PLAN_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(c->ours); i++)
        c->ours[i] = -1;
    if (str_copy(r->key, c->key, sizeof(c->key)) < 0) {
        free(c);
        return NULL;
    }
    return c;
}

int child_start(struct spawn *s, const struct start_request *r, int64_t request, int pass_fd,
                enum child_kind kind, struct err *err)
{
    struct making m = {.request = r,
                       .pass_fd = pass_fd,
                       .netns_fd = -1,
                       .ipcns_fd = -1,
                       .theirs = {-1, -1, -1, -1, -1}};
    struct child *c;
    int pidfd = -1, rc;

    if (child_find(s, r->key) != NULL || s->child_count >= SPAWN_CHILDREN_MAX) {
        fd_close(&pass_fd);
        return s->child_count >= SPAWN_CHILDREN_MAX
                   ? err_set(err, EAGAIN, "%d processes live already", SPAWN_CHILDREN_MAX)
                   : err_set(err, EEXIST, "this key is in use");
    }
    c = child_new(s, r, request);
    if (c == NULL) {
        fd_close(&pass_fd);
        return err_sys(err, ENOMEM, "child");
    }
    c->kind = kind;
    rc = make_all(c, &m, err);
    if (rc == 0 && kind != CHILD_TEST)
        rc = test_check(s, c->plan.seccomp, err);
    if (rc == 0)
        rc = clone_child(c, &m, &pidfd, err);
    release_making(&m);
    if (rc == 0)
        rc = watch_child(c, pidfd, err); /* on failure it is killed and reaped there */
    if (rc < 0) {
        child_free(c);
        return rc;
    }
    c->next = s->children;
    s->children = c;
    s->child_count++;
    return 0;
}

void child_give(struct child *c, const struct start_request *r, int64_t request)
{
    must(str_copy(r->key, c->key, sizeof(c->key)) == 0); /* start_parse bounds it */
    c->request = request;
    c->state = CHILD_STARTING; /* until it is answered */
    watch_running(c);
}

struct child *child_find(struct spawn *s, struct str key)
{
    struct child *c = s->children;

    while (c != NULL && !str_is(key, c->key))
        c = c->next;
    return c;
}

void child_kill(struct child *c)
{
    /* All that it started dies with the first process of its pid namespace. A group in which the
     * kernel killed is not used again; leave() does it where that did not do. */
    if (!child_shares_groups(c))
        cgroup_leaf_kill(&c->leaf);
    if (c->exit != NULL) /* its pid namespace dies with it */
        (void)sys.pidfd_kill(ev_child_pidfd(c->exit), SIGKILL);
}

void child_fail(struct child *c, const struct err *why)
{
    if (c->state != CHILD_STARTING)
        return;
    c->state = CHILD_FAILED;
    c->why = *why;
    child_kill(c);
}

static void tell_exited(struct child *c)
{
    struct wire_out o;

    if (wire_notify(c->spawn->wire, &o, "process/exited") < 0)
        return;
    jout_m_cstr(&o.j, "key", c->key);
    jout_m_i64(&o.j, "signal", c->end.by_signal ? c->end.code : 0);
    jout_m_i64(&o.j, "code", c->end.by_signal ? 0 : c->end.code);
    jout_m_i64(&o.j, "userUs", c->end.user_us);
    jout_m_i64(&o.j, "systemUs", c->end.system_us);
    jout_m_i64(&o.j, "waitUs", c->warm.cpu_us);
    jout_m_i64(&o.j, "maxRssBytes", c->end.max_rss_bytes);
    jout_m_bool(&o.j, "oom", c->oom);
    (void)wire_end(c->spawn->wire, &o, NULL);
}

void child_gone(struct child *c)
{
    struct spawn *s = c->spawn;
    struct child **at = &s->children;
    struct json id = {.type = JSON_INT, .integer = c->request};
    char raw[24];

    if (c->kind == CHILD_TEST) {
        test_gone(c);
    } else if (c->kind == CHILD_WARM) {
        warm_gone(c);
    } else if (!s->stopping && c->answered) {
        tell_exited(c);
    } else if (!s->stopping) {
        id.raw = (struct str){raw, (size_t)snprintf(raw, sizeof(raw), "%" PRId64, c->request)};
        (void)wire_error(s->wire, &id, WIRE_E_INTERNAL, "start \"%s\": %s", c->key,
                         c->why.number != 0 ? c->why.text : "ended before its walls stood");
    }
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    s->child_count--;
    child_free(c);
    if (s->stopping && s->child_count == 0)
        ev_stop(s->ev);
}
