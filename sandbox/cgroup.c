/*
 * cgroup.c: see cgroup.h; cgroups(7), Documentation/admin-guide/cgroup-v2 and cgroup-v1/memory.
 * Trusts the kernel's files, bounds what it reads of them.
 */
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "policy/text/buf.h"
#include "policy/text/num.h"
#include "sandbox/cgroup_file.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define TEXT_MAX 65536
#define DIR_MAX  1024

/* Whether a list separated by `sep` has the word. */
static bool has_word(struct str list, char sep, const char *word)
{
    struct str part;

    while (str_split(&list, sep, &part))
        if (str_is(str_trim(part), word))
            return true;
    return false;
}

/* ---- where the hierarchies are
 * ------------------------------------------------------------------------ */

struct hierarchy {
    char dir[DIR_MAX]; /* the caller's own group; "" : not here */
    char top[DIR_MAX]; /* where it is mounted */
};

/* One line of mountinfo (proc_pid_mountinfo(5)): the mount point when it is the hierarchy asked
 * for. `controller` NULL: v2. */
static bool mount_line(struct str line, const char *controller, struct str *ret_point)
{
    struct str part, point = STR_NONE, type = STR_NONE, options = STR_NONE;
    size_t field = 0, dash = 0;

    while (str_split(&line, ' ', &part)) {
        if (field == 4)
            point = part;
        if (dash == 0 && field > 5 && str_is(part, "-"))
            dash = field;
        else if (dash != 0 && field == dash + 1)
            type = part;
        else if (dash != 0 && field == dash + 3)
            options = part;
        field++;
    }
    if (controller == NULL ? !str_is(type, "cgroup2")
                           : !str_is(type, "cgroup") || !has_word(options, ',', controller))
        return false;
    *ret_point = point;
    return true;
}

/* One line of /proc/self/cgroup, `4:memory:/path`: the path when it is the hierarchy asked for. */
static bool member_line(struct str line, const char *controller, struct str *ret_path)
{
    struct str id, names;

    if (!str_split(&line, ':', &id) || !str_split(&line, ':', &names))
        return false;
    if (controller == NULL ? names.len != 0 || !str_is(id, "0") : !has_word(names, ',', controller))
        return false;
    *ret_path = line;
    return true;
}

static void find_hierarchy(const char *mounts, const char *members, const char *controller,
                           struct hierarchy *ret)
{
    struct str rest = str_of(mounts), line, point = STR_NONE, own = STR_NONE;
    int n;

    ret->dir[0] = ret->top[0] = '\0';
    while (point.len == 0 && str_split(&rest, '\n', &line))
        (void)mount_line(line, controller, &point);
    rest = str_of(members);
    while (own.len == 0 && str_split(&rest, '\n', &line))
        (void)member_line(line, controller, &own);
    if (point.len == 0 || str_copy(point, ret->top, sizeof(ret->top)) < 0)
        return;
    if (own.len == 1)
        own.len = 0;
    n = snprintf(ret->dir, sizeof(ret->dir), "%s%.*s", ret->top, STR_FMT(own));
    /* Own group not visible here (a container's view): the top of what is visible. */
    if (n < 0 || (size_t)n >= sizeof(ret->dir) || access(ret->dir, F_OK) != 0)
        memcpy(ret->dir, ret->top, sizeof(ret->dir));
}

struct hierarchies {
    struct hierarchy unified, memory, pids;
};

static int find_all(struct hierarchies *ret)
{
    char *mounts = malloc(TEXT_MAX), *members = malloc(TEXT_MAX);
    int rc = -ENOMEM;

    if (mounts != NULL && members != NULL &&
        (rc = (int)cgroup_file_read(AT_FDCWD, "/proc/self/mountinfo", mounts, TEXT_MAX)) >= 0 &&
        (rc = (int)cgroup_file_read(AT_FDCWD, "/proc/self/cgroup", members, TEXT_MAX)) >= 0) {
        find_hierarchy(mounts, members, NULL, &ret->unified);
        find_hierarchy(mounts, members, "memory", &ret->memory);
        find_hierarchy(mounts, members, "pids", &ret->pids);
        rc = 0;
    }
    free(mounts);
    free(members);
    return rc;
}

static bool may_write(const char *dir)
{
    return dir[0] != '\0' && access(dir, W_OK) == 0;
}

static bool unified_has(const struct hierarchies *h, const char *controller)
{
    char text[1024];
    FD_AUTO int dir = sys.open(AT_FDCWD, h->unified.dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

    return dir >= 0 && cgroup_file_read(dir, "cgroup.controllers", text, sizeof(text)) >= 0 &&
           has_word(str_trim(str_of(text)), ' ', controller);
}

void cgroup_look(int *ret_memory, int *ret_pids, bool *ret_kill)
{
    struct hierarchies *h = calloc(1, sizeof(*h));

    *ret_memory = *ret_pids = 0;
    *ret_kill = false;
    if (h != NULL && find_all(h) == 0) {
        bool unified = may_write(h->unified.dir);
        *ret_kill = unified;
        *ret_memory = unified && unified_has(h, "memory") ? 2 : may_write(h->memory.dir) ? 1 : 0;
        *ret_pids = unified && unified_has(h, "pids") ? 2 : may_write(h->pids.dir) ? 1 : 0;
    }
    free(h);
}

/* ---- left behind
 * ----------------------------------------------------------------------------------------- */

/* The process that made "reeve-<pid>", if the name is one of these. */
static pid_t maker_of(const char *name)
{
    uint64_t pid;

    if (strncmp(name, CGROUP_PREFIX, sizeof(CGROUP_PREFIX) - 1) != 0 ||
        num_u64(str_of(name + sizeof(CGROUP_PREFIX) - 1), &pid) < 0 || pid == 0 || pid > INT32_MAX)
        return 0;
    return (pid_t)pid;
}

static void remove_tree(int dirfd, const char *name)
{
    int fd = sys.open(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;

    if (dir == NULL) {
        fd_close(&fd);
        return;
    }
    while ((e = readdir(dir)) != NULL)
        if (e->d_type == DT_DIR && e->d_name[0] != '.')
            (void)sys.unlink(fd, e->d_name, AT_REMOVEDIR);
    (void)closedir(dir);
    (void)sys.unlink(dirfd, name, AT_REMOVEDIR);
}

/* Groups of a reeve-spawn that was killed: its processes died with it, the directories stay. */
static void sweep(const char *path)
{
    int fd = sys.open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    pid_t maker;

    if (dir == NULL) {
        fd_close(&fd);
        return;
    }
    while ((e = readdir(dir)) != NULL)
        if ((maker = maker_of(e->d_name)) != 0) {
            int pidfd = sys.pidfd_open(maker);
            if (pidfd == -ESRCH)
                remove_tree(fd, e->d_name);
            fd_close(&pidfd);
        }
    (void)closedir(dir);
}

/* ---- our directories
 * ------------------------------------------------------------------------------------ */

static int open_below(const struct hierarchy *h, const char *name)
{
    char path[DIR_MAX + CGROUP_NAME_MAX];
    int n, rc;

    if (h->dir[0] == '\0')
        return -ENOENT;
    n = snprintf(path, sizeof(path), "%s/%s", name[0] == '/' ? h->top : h->dir,
                 name[0] == '/' ? name + 1 : name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return -ENAMETOOLONG;
    rc = sys.mkdir(AT_FDCWD, path, 0755);
    if (rc < 0 && rc != -EEXIST)
        return rc;
    return sys.open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

/* Whether nobody but reeved and reeve-spawn is in the group: it is a unit of theirs, not a login
 * session. */
static bool is_ours_alone(const char *pids)
{
    struct str rest = str_of(pids), pid;
    uint64_t v;

    while (str_split(&rest, '\n', &pid))
        if (pid.len > 0 &&
            (num_u64(pid, &v) < 0 || (v != (uint64_t)getpid() && v != (uint64_t)getppid())))
            return false;
    return true;
}

/* v2 hands a controller to children only from a group that has no processes itself: ours move to a
 * child of their own, "main", first. */
static bool vacate(int own)
{
    char text[4096], line[32];
    struct str rest, pid;

    if (cgroup_file_read(own, "cgroup.procs", text, sizeof(text)) <= 0 || !is_ours_alone(text))
        return false;
    (void)sys.mkdir(own, "main", 0755);
    rest = str_of(text);
    while (str_split(&rest, '\n', &pid))
        if (pid.len > 0 && str_copy(pid, line, sizeof(line)) == 0)
            (void)cgroup_file_write(own, "main/cgroup.procs", line);
    return true;
}

static bool hand_down(int dir, const char *controller)
{
    char word[32];
    int rc;

    (void)snprintf(word, sizeof(word), "+%s", controller);
    rc = cgroup_file_write(dir, "cgroup.subtree_control", word);
    if (rc == -EBUSY && vacate(dir))
        rc = cgroup_file_write(dir, "cgroup.subtree_control", word);
    return rc == 0;
}

static bool enable(const char *parent, int base, const char *controller)
{
    FD_AUTO int dir = sys.open(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    return dir >= 0 && hand_down(dir, controller) && hand_down(base, controller);
}

static void open_unified(const struct hierarchy *h, const char *name, struct cgroup_host *out)
{
    const char *parent = name[0] == '/' ? h->top : h->dir;

    out->unified = open_below(h, name);
    if (out->unified < 0)
        return;
    out->unified_memory = enable(parent, out->unified, "memory");
    out->unified_pids = enable(parent, out->unified, "pids");
}

static void remove_below(const struct hierarchy *h, const char *name)
{
    char path[DIR_MAX + CGROUP_NAME_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", name[0] == '/' ? h->top : h->dir,
                     name[0] == '/' ? name + 1 : name);

    if (h->dir[0] != '\0' && n > 0 && (size_t)n < sizeof(path))
        (void)sys.unlink(AT_FDCWD, path, AT_REMOVEDIR);
}

/* In a login session its group cannot hand anything down, as it has processes: then ours is made at
 * the top, where root may. */
static void open_unified_or_top(const struct hierarchy *h, const char *name,
                                struct cgroup_host *out)
{
    struct cgroup_host top = CGROUP_HOST_NONE;
    char absolute[CGROUP_NAME_MAX + 2];

    open_unified(h, name, out);
    if (out->unified_memory || name[0] == '/' || strcmp(h->dir, h->top) == 0)
        return;
    (void)snprintf(absolute, sizeof(absolute), "/%s", name);
    open_unified(h, absolute, &top);
    if (top.unified_memory) {
        fd_close(&out->unified);
        remove_below(h, name);
        *out = top;
    } else if (top.unified >= 0) {
        fd_close(&top.unified);
        remove_below(h, absolute);
    }
}

int cgroup_host_open(const char *name, struct cgroup_host *ret, struct err *err)
{
    struct hierarchies *h = calloc(1, sizeof(*h));
    struct cgroup_host out = CGROUP_HOST_NONE;
    int rc;

    if (h == NULL)
        return err_sys(err, ENOMEM, "cgroup");
    rc = find_all(h);
    if (rc == 0) {
        const char *dirs[] = {h->unified.dir, h->memory.dir, h->pids.dir};
        for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
            sweep(dirs[i]);
        sweep(h->unified.top);
        open_unified_or_top(&h->unified, name, &out);
        out.memory = out.unified_memory ? -1 : open_below(&h->memory, name);
        out.pids = out.unified_pids ? -1 : open_below(&h->pids, name);
    }
    free(h);
    if (rc == -ENOMEM)
        return err_sys(err, ENOMEM, "cgroup");
    out.unified = MAX(out.unified, -1);
    out.memory = MAX(out.memory, -1);
    out.pids = MAX(out.pids, -1);
    *ret = out;
    return 0;
}

void cgroup_host_close(struct cgroup_host *h, const char *name)
{
    struct hierarchies *all = calloc(1, sizeof(*all));
    char absolute[CGROUP_NAME_MAX + 2];

    fd_close(&h->unified);
    fd_close(&h->memory);
    fd_close(&h->pids);
    if (all != NULL && find_all(all) == 0) {
        (void)snprintf(absolute, sizeof(absolute), "%s%s", name[0] == '/' ? "" : "/", name);
        remove_below(&all->unified, absolute);
        remove_below(&all->unified, name);
        remove_below(&all->memory, name);
        remove_below(&all->pids, name);
    }
    free(all);
}
