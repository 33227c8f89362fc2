/*
 * inside.c: see inside.h. Each line still trusts the program (nothing foreign was read yet) and
 * distrusts what came after: what is closed here stays closed whatever the worker's code is made to
 * do.
 */
#include "sandbox/inside.h"

#include <sys/stat.h>

#include "sandbox/kernel.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"
#include "sandbox/plan.h"
#include "sandbox/report.h"

/* A process that may be traced or dumped could be read by another of the same user. */
static int hide_memory(struct err *err)
{
    int rc = kernel_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);

    if (rc < 0)
        return err_sys(err, -rc, "undumpable");
    rc = kernel_prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
    /* Linux before 6.3: the filter's rows for mmap and mprotect stand alone. */
    return rc < 0 && rc != -EINVAL ? err_sys(err, -rc, "MDWE") : 0;
}

/* A directory would be a way out of the root (trap: openat() on a leaked one). */
static int check_descriptors(struct err *err)
{
    struct stat st;
    int rc = kernel_close_range(INSIDE_FD + 1, UINT32_MAX);

    if (rc < 0)
        return err_sys(err, -rc, "close what is not its own");
    for (int fd = 0; fd <= INSIDE_FD; fd++) {
        rc = sys.fstat(fd, &st);
        if (rc < 0)
            return err_sys(err, -rc, "descriptor %d (a strict worker is started by reeve-spawn)",
                           fd);
        if (S_ISDIR(st.st_mode) || (fd >= INSIDE_FD - 1 && !S_ISSOCK(st.st_mode)))
            return err_set(err, EBADF, "descriptor %d is not what it should be", fd);
    }
    return 0;
}

static int load_filter(struct err *err)
{
    struct sock_filter code[1024];
    struct sock_fprog program = {.filter = code};
    ssize_t n = sys.read(INSIDE_FD, code, sizeof(code));
    FD_AUTO int listener = -1;

    if (n <= 0 || (size_t)n % sizeof(code[0]) != 0 || (size_t)n == sizeof(code))
        return err_set(err, EPROTO, "no filter came from reeve-spawn");
    if (kernel_prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return err_set(err, EPERM, "no new privileges: not set before exec");
    program.len = (unsigned short)((size_t)n / sizeof(code[0]));
    listener = kernel_seccomp_load(&program, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (listener < 0)
        return err_sys(err, -listener, "load the filter");
    return report_listener(INSIDE_FD, listener, err);
}

int walls_close_strict(struct err *err)
{
    int own = INSIDE_FD, rc;

    if ((rc = hide_memory(err)) == 0 && (rc = check_descriptors(err)) == 0)
        rc = load_filter(err);
    if (rc < 0)
        report_failed(INSIDE_FD, LAYER_INSIDE, err);
    fd_close(&own);
    return rc;
}
