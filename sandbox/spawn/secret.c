/*
 * secret.c: see secret.h. The content is taken as it is, without one line feed at its end: it is
 * never parsed, so it cannot harm; it is never printed, so it cannot leak.
 */
#include "sandbox/spawn/secret.h"

#include <fcntl.h>

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

/* A pipe that holds all of it and whose writing end is closed: read once, then it is gone. */
static int put_fd(struct secrets *s, const struct start_secret *secret, int number,
                  const char *value, size_t len, struct err *err)
{
    size_t used = strlen(s->list);
    FD_AUTO int out = -1;
    int fds[2], n;
    int rc = sys.pipe(fds, O_CLOEXEC);

    if (rc < 0)
        return err_sys(err, -rc, "pipe");
    s->fds[s->fd_count++] = fds[0];
    out = fds[1];
    if ((rc = fd_write_all(out, value, len, err)) < 0)
        return rc;
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
