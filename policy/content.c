/*
 * content.c: see content.h. Runs in reeved and in reeve; the files are the operator's.
 */
#include "policy/content.h"

#include <fcntl.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define CHUNK_BYTES 65536

/* ---- which ----------------------------------------------------------------------------------- */

static void add_path(struct content *c, struct str path)
{
    if (c->count == CONTENT_FILES_MAX || path.len == 0 || path.len >= sizeof(c->paths[0]))
        return;
    for (size_t i = 0; i < c->count; i++)
        if (str_eq(c->files[i].path, path))
            return;
    memcpy(c->paths[c->count], path.ptr, path.len);
    c->paths[c->count][path.len] = '\0';
    c->files[c->count] = (struct version_file){.path = {c->paths[c->count], path.len}};
    c->count++;
}

/* Where an argument that is a path inside of the walls lies on the host. */
static void add_argument(struct content *c, const struct house_mounts *files, struct str arg)
{
    char text[1024];
    for (size_t i = 0; i < files->count; i++) {
        const struct house_file *f = &files->items[i];
        struct str at = f->at.len ? f->at : f->path;
        bool is_it = str_eq(arg, at);
        bool below = arg.len > at.len + 1 && str_starts(arg, at) && arg.ptr[at.len] == '/';
        int n = snprintf(text, sizeof(text), "%.*s%.*s", STR_FMT(f->path),
                         STR_FMT(str_slice(arg, at.len, arg.len)));
        if (!f->write && (is_it || below) && n > 0 && (size_t)n < sizeof(text))
            add_path(c, (struct str){text, (size_t)n});
    }
}

static void list(const struct workflow *w, struct content *ret)
{
    ret->count = 0;
    if (!w->is_program)
        return;
    add_path(ret, w->program.program);
    for (size_t i = 0; i < w->program.args.count; i++)
        add_argument(ret, &w->program.files, w->program.args.items[i]);
}

/* ---- what they are --------------------------------------------------------------------------- */

void content_stamp(const struct workflow *w, struct digest *ret)
{
    struct content c;
    struct str parts[2 * CONTENT_FILES_MAX];
    char texts[CONTENT_FILES_MAX][160];
    list(w, &c);
    for (size_t i = 0; i < c.count; i++) {
        struct stat st;
        int n, e = sys.stat(AT_FDCWD, c.paths[i], &st, 0);
        if (e < 0)
            n = snprintf(texts[i], sizeof(texts[i]), "%d", e);
        else
            n = snprintf(texts[i], sizeof(texts[i]), "%ju %ju %jd %jd.%09ld %jd.%09ld %o",
                         (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
                         (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                         (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec, st.st_mode & 0177777u);
        parts[2 * i] = c.files[i].path;
        parts[2 * i + 1] = (struct str){texts[i], (size_t)MAX(n, 0)};
    }
    *ret = digest_of_parts(parts, 2 * c.count);
}

/* False: it cannot be read, or is no file (a directory of modules, a socket). */
static bool read_one(const char *path, struct digest *ret)
{
    FD_AUTO int fd = sys.open(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    char *chunk = fd < 0 ? NULL : malloc(CHUNK_BYTES);
    struct digest_stream s;
    struct stat st;
    ssize_t n = -EIO;
    digest_begin(&s);
    if (chunk && sys.fstat(fd, &st) >= 0 && S_ISREG(st.st_mode))
        while ((n = sys.read(fd, chunk, CHUNK_BYTES)) > 0)
            digest_add(&s, (struct str){chunk, (size_t)n});
    free(chunk);
    if (n == 0)
        *ret = digest_end(&s);
    return n == 0;
}

void content_read(const struct workflow *w, struct content *ret)
{
    list(w, ret);
    for (size_t i = 0; i < ret->count; i++)
        if (!read_one(ret->paths[i], &ret->files[i].digest))
            ret->files[i].digest = (struct digest){0};
}

static bool is_known(const struct digest *d)
{
    static const struct digest unknown;
    return !digest_eq(d, &unknown);
}

const struct version_file *content_differs(const struct version_file *a, size_t an,
                                           const struct version_file *b, size_t bn)
{
    for (size_t i = 0; i < an; i++)
        for (size_t k = 0; k < bn; k++)
            if (str_eq(a[i].path, b[k].path) && is_known(&a[i].digest) && is_known(&b[k].digest) &&
                !digest_eq(&a[i].digest, &b[k].digest))
                return &b[k];
    return NULL;
}
