/*
 * limits.c: see limits.h.
 */
#include "sandbox/limits.h"

#include <sys/resource.h>

#include "sandbox/kernel.h"

static const struct {
    const char *name;
    int resource;
} rows[PLAN_LIMIT_COUNT] = {
    [PLAN_LIMIT_CORE] = {"core", RLIMIT_CORE},
    [PLAN_LIMIT_CPU] = {"cpu-seconds", RLIMIT_CPU},
    [PLAN_LIMIT_DATA] = {"data", RLIMIT_DATA},
    [PLAN_LIMIT_FSIZE] = {"file-size", RLIMIT_FSIZE},
    [PLAN_LIMIT_MEMLOCK] = {"locked-memory", RLIMIT_MEMLOCK},
    [PLAN_LIMIT_MSGQUEUE] = {"message-queues", RLIMIT_MSGQUEUE},
    [PLAN_LIMIT_NICE] = {"nice", RLIMIT_NICE},
    [PLAN_LIMIT_NOFILE] = {"open-files", RLIMIT_NOFILE},
    [PLAN_LIMIT_NPROC] = {"processes", RLIMIT_NPROC},
    [PLAN_LIMIT_RTPRIO] = {"realtime-priority", RLIMIT_RTPRIO},
    [PLAN_LIMIT_SIGPENDING] = {"pending-signals", RLIMIT_SIGPENDING},
    [PLAN_LIMIT_STACK] = {"stack", RLIMIT_STACK},
};

const char *plan_limit_name(enum plan_limit l)
{
    return rows[l].name;
}

int plan_limit_resource(enum plan_limit l)
{
    return rows[l].resource;
}

/* A hard limit that is lower already stays: raising it takes a right that not even every
 * root has, and a tighter limit harms nothing. */
static uint64_t at_most(int resource, uint64_t wanted)
{
    struct rlimit now;

    if (getrlimit((unsigned)resource, &now) < 0 || now.rlim_max == RLIM_INFINITY)
        return wanted;
    return MIN(wanted, (uint64_t)now.rlim_max);
}

int limits_apply(const struct plan *p, struct err *err)
{
    for (size_t i = 0; i < PLAN_LIMIT_COUNT; i++) {
        uint64_t v = at_most(rows[i].resource, p->limits[i]);
        int rc = kernel_rlimit(rows[i].resource, v, v);
        if (rc < 0)
            return err_sys(err, -rc, "%s %" PRIu64, rows[i].name, v);
    }
    return 0;
}
