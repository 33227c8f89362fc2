/*
 * cgroup_leaf.c: one process's control group. See cgroup.h. Runs in reeve-spawn.
 */
#include <fcntl.h>

#include "policy/text/num.h"
#include "policy/text/str.h"
#include "sandbox/cgroup.h"
#include "sandbox/cgroup_file.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

/* ---- leaves
 * --------------------------------------------------------------------------------------------------
 */

static int leaf_dir(int host, const char *name)
{
    int rc = sys.mkdir(host, name, 0755);

    if (rc == -EEXIST) { /* left behind: its processes are nobody's */
        int old = sys.open(host, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
        if (old >= 0)
            (void)cgroup_file_write(old, "cgroup.kill", "1");
        fd_close(&old);
        rc = sys.unlink(host, name, AT_REMOVEDIR);
        if (rc == 0)
            rc = sys.mkdir(host, name, 0755);
    }
    return rc < 0 ? rc : sys.open(host, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

static int make_one(int host, const char *name, int *ret, const char *what, struct err *err)
{
    int fd;

    if (host < 0)
        return 0;
    fd = leaf_dir(host, name);
    if (fd < 0)
        return err_sys(err, -fd, "cgroup %s: \"%s\"", what, name);
    *ret = fd;
    return 0;
}

static int set_memory(const struct cgroup_host *h, const struct cgroup_leaf *l, uint64_t bytes,
                      struct err *err)
{
    bool v2 = h->unified_memory;
    int dir = v2 ? l->unified : l->memory, rc;
    const char *limit = v2 ? "memory.max" : "memory.limit_in_bytes";

    if (dir < 0)
        return 0;
    rc = cgroup_file_write_number(dir, limit, bytes);
    /* Swap would let it keep more than its share: none. Absent where the kernel does not count it;
     * in v1 never below the limit itself, so when that rises this goes first. */
    (void)(v2 ? cgroup_file_write(dir, "memory.swap.max", "0")
              : cgroup_file_write_number(dir, "memory.memsw.limit_in_bytes", bytes));
    if (rc == -EINVAL)
        rc = cgroup_file_write_number(dir, limit, bytes);
    if (rc < 0)
        return err_sys(err, -rc, "cgroup memory: limit %" PRIu64, bytes);
    if (v2)
        (void)cgroup_file_write(dir, "memory.oom.group", "1");
    return 0;
}

int cgroup_leaf_limit(const struct cgroup_host *h, struct cgroup_leaf *l, uint64_t memory_bytes,
                      uint64_t processes, struct err *err)
{
    int pids = h->unified_pids ? l->unified : l->pids, rc;

    if (l->memory_bytes == memory_bytes && l->processes == processes)
        return 0;
    if ((rc = set_memory(h, l, memory_bytes, err)) < 0)
        return rc;
    rc = pids < 0 ? 0 : cgroup_file_write_number(pids, "pids.max", processes);
    if (rc < 0)
        return err_sys(err, -rc, "cgroup pids: limit %" PRIu64, processes);
    l->memory_bytes = memory_bytes;
    l->processes = processes;
    return 0;
}

/* "tasks", not "cgroup.procs": the child has one thread when it enters, so both mean the same, but
 * moving a whole process takes a lock that waits for every processor to have been idle or in user
 * space (RCU), 10 to 20 ms where nobody moved anything of late; a thread that moves itself need
 * not. */
static int open_tasks(struct cgroup_leaf *l, struct err *err)
{
    const int dirs[] = {l->memory, l->pids};

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        if (dirs[i] < 0)
            continue;
        int fd = sys.open(dirs[i], "tasks", O_WRONLY | O_CLOEXEC, 0);
        if (fd < 0)
            return err_sys(err, -fd, "cgroup \"%s\": open tasks", l->name);
        l->tasks[l->task_count++] = fd;
    }
    return 0;
}

int cgroup_leaf_make(const struct cgroup_host *h, const char *name, uint64_t memory_bytes,
                     uint64_t processes, struct cgroup_leaf *ret, struct err *err)
{
    struct cgroup_leaf l = CGROUP_LEAF_NONE;
    int rc = str_copy(str_of(name), l.name, sizeof(l.name));

    if (rc < 0)
        return err_sys(err, -rc, "cgroup \"%s\"", name);
    if ((rc = make_one(h->unified, name, &l.unified, "v2", err)) < 0 ||
        (rc = make_one(h->memory, name, &l.memory, "memory", err)) < 0 ||
        (rc = make_one(h->pids, name, &l.pids, "pids", err)) < 0 ||
        (rc = cgroup_leaf_limit(h, &l, memory_bytes, processes, err)) < 0 ||
        (rc = open_tasks(&l, err)) < 0) {
        (void)cgroup_leaf_remove(h, &l);
        cgroup_leaf_close(&l);
        return rc;
    }
    *ret = l;
    return 0;
}

bool cgroup_leaf_is_empty(const struct cgroup_leaf *l)
{
    char text[256];

    if (l->unified >= 0)
        return cgroup_file_read(l->unified, "cgroup.events", text, sizeof(text)) > 0 &&
               strstr(text, "populated 0") != NULL;
    return cgroup_file_read(l->pids >= 0 ? l->pids : l->memory, "cgroup.procs", text,
                            sizeof(text)) == 0;
}

void cgroup_leaf_kill(struct cgroup_leaf *l)
{
    l->was_killed = true;
    if (l->unified >= 0)
        (void)cgroup_file_write(l->unified, "cgroup.kill", "1");
}

bool cgroup_leaf_had_oom(const struct cgroup_leaf *l)
{
    char text[1024];

    if (l->memory >= 0 && cgroup_file_read(l->memory, "memory.oom_control", text, sizeof(text)) > 0)
        return cgroup_file_number(text, "oom_kill") > 0;
    if (l->unified >= 0 && cgroup_file_read(l->unified, "memory.events", text, sizeof(text)) > 0)
        return cgroup_file_number(text, "oom_kill") > 0;
    return false;
}

int64_t cgroup_leaf_charged(const struct cgroup_leaf *l)
{
    char text[32];
    uint64_t v;
    ssize_t n =
        l->memory >= 0    ? cgroup_file_read(l->memory, "memory.usage_in_bytes", text, sizeof(text))
        : l->unified >= 0 ? cgroup_file_read(l->unified, "memory.current", text, sizeof(text))
                          : -ENOENT;

    return n > 0 && num_u64(str_trim(str_of(text)), &v) == 0 && v <= INT64_MAX ? (int64_t)v : -1;
}

int64_t cgroup_leaf_cpu_us(const struct cgroup_leaf *l)
{
    char text[1024];

    if (l->unified < 0 || cgroup_file_read(l->unified, "cpu.stat", text, sizeof(text)) <= 0)
        return -1;
    return (int64_t)MIN(cgroup_file_number(text, "usage_usec"), (uint64_t)INT64_MAX);
}

int cgroup_leaf_remove(const struct cgroup_host *h, struct cgroup_leaf *l)
{
    const int hosts[] = {h->unified, h->memory, h->pids};
    int *leaves[] = {&l->unified, &l->memory, &l->pids};

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if (*leaves[i] < 0)
            continue;
        int rc = sys.unlink(hosts[i], l->name, AT_REMOVEDIR);
        if (rc == -EBUSY)
            return rc;
        fd_close(leaves[i]);
    }
    l->name[0] = '\0';
    return 0;
}

void cgroup_leaf_close(struct cgroup_leaf *l)
{
    fd_close(&l->unified);
    fd_close(&l->memory);
    fd_close(&l->pids);
    while (l->task_count > 0)
        fd_close(&l->tasks[--l->task_count]);
}
