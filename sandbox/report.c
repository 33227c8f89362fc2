/*
 * report.c: see report.h. Runs in the child, behind all of its walls: read and write only.
 */
#include "sandbox/report.h"

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
    struct report r = {.kind = REPORT_LISTENER, .number = listener};
    char go;
    ssize_t n = sys.write(fd, &r, sizeof(r));

    if (n == (ssize_t)sizeof(r))
        n = sys.read(fd, &go, 1);
    /* End of file: reeve-spawn is gone. Without it nothing would answer the filter: die. */
    if (n != 1)
        return err_set(err, n < 0 ? (int)-n : EPIPE, "listener: reeve-spawn does not take it");
    return 0;
}
