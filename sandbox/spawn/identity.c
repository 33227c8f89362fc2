/*
 * identity.c: see identity.h. Runs in reeve-spawn; looks at names and times, opens nothing.
 */
#include "sandbox/spawn/identity.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "sandbox/os/sys.h"

struct identity_file {
    int missing; /* 0, or why there is nothing */
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed, touched; /* ctime cannot be set back, mtime tells copies apart */
};

#define PATH_BYTES 1100

/* The granted path that `at` lies in, as the host names it; the last grant covers those before it.
 */
static bool host_path(const struct start_request *r, struct str at, char path[PATH_BYTES])
{
    for (size_t i = r->file_count; i-- > 0;) {
        const struct start_file *f = &r->files[i];
        struct str inside = f->at.len > 0 ? f->at : f->path;
        if (!str_starts(at, inside) || (at.len > inside.len && at.ptr[inside.len] != '/'))
            continue;
        int n = snprintf(path, PATH_BYTES, "%.*s%.*s", STR_FMT(f->path),
                         STR_FMT(str_slice(at, inside.len, at.len)));
        return n > 0 && n < PATH_BYTES;
    }
    return false;
}

/* Path number `i` of a request: false, that one is none. */
static bool path_of(const struct start_request *r, size_t i, char path[PATH_BYTES], bool *ret_write)
{
    *ret_write = false;
    if (i == 0)
        return str_copy(r->program, path, PATH_BYTES) == 0;
    if (i <= r->file_count) {
        *ret_write = r->files[i - 1].write;
        return str_copy(r->files[i - 1].path, path, PATH_BYTES) == 0;
    }
    struct str arg = r->argv[i - r->file_count]; /* from the first behind argv[0] */
    return arg.len > 0 && arg.ptr[0] == '/' && host_path(r, arg, path);
}

static size_t paths_in(const struct start_request *r)
{
    return r->file_count + r->argc; /* the program, files, arguments but argv[0] */
}

static void look(const struct start_request *r, size_t i, struct identity_file *ret)
{
    char path[PATH_BYTES];
    struct stat st;
    bool write;

    memset(ret, 0, sizeof(*ret)); /* compared as bytes */
    if (!path_of(r, i, path, &write))
        return;
    ret->missing = sys.stat(AT_FDCWD, path, &st, 0);
    if (ret->missing < 0)
        return;
    ret->dev = st.st_dev;
    ret->ino = st.st_ino;
    if (write) /* other runs write there: its times say nothing of a program */
        return;
    ret->size = st.st_size;
    ret->changed = st.st_ctim;
    ret->touched = st.st_mtim;
}

int identity_take(const struct start_request *r, struct arena *a, struct identity *ret,
                  struct err *err)
{
    size_t count = paths_in(r);
    struct identity_file *files = ARENA_ARRAY(a, count, struct identity_file);

    if (files == NULL)
        return err_sys(err, ENOMEM, "identity");
    for (size_t i = 0; i < count; i++)
        look(r, i, &files[i]);
    *ret = (struct identity){files, count};
    return 0;
}

bool identity_is_current(const struct start_request *r, const struct identity *i)
{
    struct identity_file now;

    if (i->count != paths_in(r))
        return false;
    for (size_t at = 0; at < i->count; at++) {
        look(r, at, &now);
        if (memcmp(&now, &i->files[at], sizeof(now)) != 0)
            return false;
    }
    return true;
}
