/*
 * prepare.c: what reeve-spawn makes once, before its first start: features, groups, filters, the
 * empty network namespace, strict's ruleset. See spawn.h.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "sandbox/kernel.h"
#include "sandbox/landlock.h"
#include "sandbox/mounts.h"
#include "sandbox/ns.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"
#include "sandbox/spawn/spawn.h"

static int prepare_filters(struct spawn *s, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < SECCOMP_SET_COUNT && rc == 0; i++)
        rc = seccomp_set_build((enum seccomp_set)i, true, &s->filters[i], err);
    return rc;
}

/* The ruleset of any strict start: all rights handled, no rules. */
static int prepare_landlock(struct spawn *s, struct err *err)
{
    struct start_request r = {.key = STR("strict"),
                              .profile = PROFILE_STRICT,
                              .program = STR("/strict"),
                              .uid_slot = UID_SLOT_RUNS,
                              .pass_fd = -1};
    struct arena arena;
    struct plan *plan = calloc(1, sizeof(*plan));
    int rc;

    if (plan == NULL)
        return err_sys(err, ENOMEM, "plan");
    arena_init(&arena, 65536);
    rc = plan_make(&r, &s->host, &arena, plan, err);
    if (rc == 0)
        rc = landlock_open(plan, &s->landlock_fd, err);
    arena_release(&arena);
    free(plan);
    return rc;
}

/* The lowest page stays closed: what would run over its end dies there. */
static int prepare_stack(struct spawn *s, struct err *err)
{
    char *at =
        mmap(NULL, SPAWN_STACK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (at == MAP_FAILED)
        return err_sys(err, ENOMEM, "stack");
    s->stack = at;
    if (mprotect(at + 4096, SPAWN_STACK_BYTES - 4096, PROT_READ | PROT_WRITE) < 0)
        return err_sys(err, ENOMEM, "stack");
    return 0;
}

/* One UTS namespace for all children: nobody of them has the right to change a name in it. */
static int prepare_names(struct spawn *s, struct err *err)
{
    int rc = kernel_unshare(CLONE_NEWUTS);

    if (rc < 0)
        return err_sys(err, -rc, "own host name");
    rc = ns_names(err);
    s->has_names = rc == 0;
    return rc;
}

/* Namespaces that strict workers are cloned in or enter. */
static int prepare_namespaces(struct spawn *s, struct err *err)
{
    int rc = ns_keep(CLONE_NEWNET, "net", NULL, &s->netns_fd, err);

    if (rc < 0 || (rc = prepare_stack(s, err)) < 0 || (rc = prepare_names(s, err)) < 0)
        return rc;
    s->host_mounts = sys.open(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC, 0);
    if (s->host_mounts < 0)
        return err_sys(err, -s->host_mounts, "open \"/proc/self/ns/mnt\"");
    return ns_keep(CLONE_NEWNS, "mnt", mounts_enter_empty, &s->empty_mounts, err);
}

int spawn_prepare(struct spawn *s, uint32_t uid_base, const char *cgroup_name, struct err *err)
{
    int rc = probe_host(&s->probe, err);

    if (rc < 0 || (rc = probe_check(&s->probe, err)) < 0)
        return rc;
    s->cgroup_name = cgroup_name;
    rc = cgroup_host_open(cgroup_name, &s->cgroups, err);
    if (rc < 0)
        return rc;
    s->host = (struct plan_host){.probe = &s->probe,
                                 .uid_base = uid_base,
                                 .has_cgroup = s->cgroups.unified >= 0 || s->cgroups.memory >= 0 ||
                                               s->cgroups.pids >= 0};
    s->null_fd = sys.open(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    if (s->null_fd < 0)
        return err_sys(err, -s->null_fd, "open \"/dev/null\"");
    if ((rc = prepare_filters(s, err)) < 0 || (rc = prepare_landlock(s, err)) < 0)
        return rc;
    if (probe_is_privileged(&s->probe))
        rc = prepare_namespaces(s, err);
    return rc;
}

void spawn_release(struct spawn *s)
{
    for (size_t i = 0; i < SECCOMP_SET_COUNT; i++)
        seccomp_program_release(&s->filters[i]);
    program_release(&s->programs);
    fd_close(&s->null_fd);
    fd_close(&s->netns_fd);
    fd_close(&s->host_mounts);
    fd_close(&s->empty_mounts);
    if (s->stack != NULL)
        (void)munmap(s->stack, SPAWN_STACK_BYTES);
    warm_release(s);
    spares_release(&s->nets);
    spares_release(&s->ipcs);
    leaves_release(&s->leaves, &s->cgroups);
    fd_close(&s->landlock_fd);
    if (s->cgroup_name != NULL)
        cgroup_host_close(&s->cgroups, s->cgroup_name);
}
