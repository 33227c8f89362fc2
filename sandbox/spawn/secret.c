/*
 * secret.c: see secret.h. The content is taken as it is, without one line feed at its end: it is
 * never parsed, so it cannot harm; it is never printed, so it cannot leak.
 */
#include "sandbox/spawn/secret.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/file.h"
#include "sandbox/os/sys.h"

static int put_env(struct secrets *s, const struct start_secret *secret, const char *value,
                   size_t len, struct err *err)
{
    size_t size = secret->name.len + 1 + len + 1;
    char *entry;

    if (memchr(value, 0, len) != NULL)
        return err_set(err, EINVAL, "holds a NUL, which no variable can");
    entry = malloc(size);
    if (entry == NULL)
        return err_sys(err, ENOMEM, "environment");
    memcpy(entry, secret->name.ptr, secret->name.len);
    entry[secret->name.len] = '=';
    memcpy(entry + secret->name.len + 1, value, len);
    entry[size - 1] = '\0';
    s->env[s->env_count++] = entry;
    return 0;
}

/* A memory file that nobody can change any more. (A pipe would do, if it took all of it before
 * somebody reads; a user who has many pipes gets small ones.) */
static int put_fd(struct secrets *s, const struct start_secret *secret, int number,
                  const char *value, size_t len, struct err *err)
{
    size_t used = strlen(s->list);
    int fd = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING), n, rc;

    if (fd < 0)
        return err_set(err, EMFILE, "no memory file to hand it over in");
    s->fds[s->fd_count++] = fd;
    if ((rc = fd_write_all(fd, value, len, err)) < 0)
        return rc;
    rc = lseek(fd, 0, SEEK_SET) != 0
             ? -EIO
             : sys.fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    if (rc < 0)
        return err_sys(err, -rc, "seal");
    n = snprintf(s->list + used, sizeof(s->list) - used, "%s%.*s:%d", used > 0 ? "," : "",
                 STR_FMT(secret->name), number);
    return n < 0 || (size_t)n >= sizeof(s->list) - used ? err_set(err, E2BIG, "list of secrets")
                                                        : 0;
}

static int read_one(struct secrets *s, const struct start_secret *secret, int first_fd,
                    struct err *err)
{
    char path[1024];
    char *text = NULL;
    size_t len = 0, all;
    int rc = str_copy(secret->file, path, sizeof(path));

    if (rc < 0)
        return err_sys(err, -rc, "path");
    rc = file_read(AT_FDCWD, path, SECRET_BYTES_MAX, &text, &len, err);
    if (rc < 0)
        return rc;
    all = len;
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len == 0)
        rc = err_set(err, ENODATA, "\"%s\" is empty", path);
    else if (secret->as == SECRET_AS_ENV)
        rc = put_env(s, secret, text, len, err);
    else
        rc = put_fd(s, secret, first_fd + (int)s->fd_count, text, len, err);
    explicit_bzero(text, all);
    free(text);
    return rc;
}

int secrets_read(const struct start_request *r, int first_fd, struct secrets *ret, struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < r->secret_count; i++) {
        int rc = read_one(ret, &r->secrets[i], first_fd, err);
        if (rc < 0) {
            (void)err_wrap(err, "secret \"%.*s\"", STR_FMT(r->secrets[i].name));
            secrets_release(ret);
            return rc;
        }
    }
    return 0;
}

void secrets_release(struct secrets *s)
{
    for (size_t i = 0; i < s->env_count; i++) {
        explicit_bzero(s->env[i], strlen(s->env[i]));
        free(s->env[i]);
    }
    for (size_t i = 0; i < s->fd_count; i++)
        fd_close(&s->fds[i]);
    memset(s, 0, sizeof(*s));
}
