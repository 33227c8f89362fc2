/*
 * report.c: see report.h. Runs in the child, behind all of its walls.
 */
#include "sandbox/report.h"

#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

void report_failed(int fd, uint32_t layer, const struct err *err)
{
    struct report r = {.kind = REPORT_FAILED, .layer = layer, .number = err->number};
    size_t len = strnlen(err->text, REPORT_TEXT - 1);

    memcpy(r.text, err->text, len);
    (void)sys.write(fd, &r, sizeof(r)); /* nobody there: then nobody waits either */
}

int report_listener(int fd, int listener, struct err *err)
{
    struct report r = {.kind = REPORT_LISTENER};
    ssize_t n = fd_send(fd, &r, sizeof(r), &listener, 1, err);

    /* An error: reeve-spawn is gone. Without it nothing would answer the filter: die. */
    return n == (ssize_t)sizeof(r) ? 0
           : n < 0                 ? (int)n
                                   : err_set(err, EPIPE, "listener: cut short");
}
