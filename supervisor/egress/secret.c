/*
 * secret.c: the keys of model gateways.
 *
 * Runs in reeve-egress. Trusts reeve-spawn for the descriptors, checks what is in them: a line
 * break in a secret would be a header of its own. Must never write a byte of a secret anywhere but
 * into a request.
 */
#include "supervisor/egress/secret.h"

#include "policy/text/names.h"
#include "policy/text/num.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

#define REDACT_MIN 6

static int read_secret(struct secret *s, int fd, struct err *err)
{
    size_t i;
    ssize_t n = 1;

    s->text = calloc(1, SECRET_BYTES_MAX + 1);
    if (!s->text)
        return err_set(err, ENOMEM, "no memory for secret %s", s->name);
    while (n > 0 && s->len < SECRET_BYTES_MAX) {
        n = sys.read(fd, s->text + s->len, SECRET_BYTES_MAX - s->len);
        if (n < 0)
            return err_sys(err, (int)-n, "read secret %s", s->name);
        s->len += (size_t)n;
    }
    if (n > 0)
        return err_set(err, EFBIG, "secret %s has more than %d bytes", s->name,
                       SECRET_BYTES_MAX - 1);
    struct str t = str_trim((struct str){s->text, s->len});
    memmove(s->text, t.ptr ? t.ptr : s->text, t.len);
    explicit_bzero(s->text + t.len, SECRET_BYTES_MAX - t.len);
    s->len = t.len;
    if (s->len == 0)
        return err_set(err, EINVAL, "secret %s is empty", s->name);
    for (i = 0; i < s->len; i++)
        if (s->text[i] < 0x21 || s->text[i] > 0x7e)
            return err_set(err, EINVAL, "secret %s holds a byte that is not printable ASCII",
                           s->name);
    return 0;
}

static int open_one(struct secrets *s, struct str item, struct err *err)
{
    ssize_t colon = str_find(item, ':', 0);
    struct secret *secret = &s->items[s->count];
    int64_t number;
    int fd, rc;

    if (colon < 0 || num_i64(str_slice(item, (size_t)colon + 1, item.len), &number) < 0 ||
        number < 3 || number > 1023)
        return err_set(err, EINVAL, "REEVE_SECRETS: expected `name:descriptor`");
    fd = (int)number;
    if (!name_is_env(str_slice(item, 0, (size_t)colon)) &&
        !name_is_ok(str_slice(item, 0, (size_t)colon)))
        rc = err_set(err, EINVAL, "REEVE_SECRETS: a name that is none");
    else if (s->count == SECRETS_MAX)
        rc = err_set(err, E2BIG, "REEVE_SECRETS: more than %d secrets", SECRETS_MAX);
    else if (str_copy(str_slice(item, 0, (size_t)colon), secret->name, sizeof(secret->name)) < 0)
        rc = err_set(err, EINVAL, "REEVE_SECRETS: a name is too long");
    else if (secrets_find(s, str_of(secret->name)))
        rc = err_set(err, EEXIST, "REEVE_SECRETS: %s twice", secret->name);
    else
        rc = read_secret(secret, fd, err);
    fd_close(&fd);
    s->count += s->count < SECRETS_MAX; /* also a half-read one: it is to be overwritten */
    return rc;
}

int secrets_open(struct secrets *s, const char *list, struct err *err)
{
    struct str rest = str_of(list), item;
    int rc = 0;

    *s = (struct secrets){0};
    while (rest.len > 0 && str_split(&rest, ',', &item)) {
        struct err later = ERR_INIT;
        int one = open_one(
            s, item, rc < 0 ? &later : err); /* all descriptors are closed, whatever happens */

        if (rc >= 0)
            rc = one;
    }
    if (rc < 0)
        secrets_release(s);
    return rc;
}

void secrets_release(struct secrets *s)
{
    size_t i;

    for (i = 0; i < s->count; i++) {
        if (s->items[i].text)
            explicit_bzero(s->items[i].text, SECRET_BYTES_MAX);
        free(s->items[i].text);
    }
    *s = (struct secrets){0};
}

const struct secret *secrets_find(const struct secrets *s, struct str name)
{
    size_t i;

    for (i = 0; i < s->count; i++)
        if (str_is(name, s->items[i].name))
            return &s->items[i];
    return NULL;
}

void secrets_redact(const struct secrets *s, char *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < s->count && len > 0; i++) {
        const struct secret *secret = &s->items[i];
        char *at = bytes;

        if (secret->len < REDACT_MIN)
            continue;
        while ((at = memmem(at, len - (size_t)(at - bytes), secret->text, secret->len)) != NULL) {
            memset(at, '*', secret->len);
            at += secret->len;
        }
    }
}
