/*
 * caps.c: see caps.h. Makes the system calls itself: libcap-ng looks into /proc, which a child's
 * root does not have, and takes 143 us a start. reeved, which gives everything up once, uses the
 * library.
 */
#include "sandbox/caps.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <unistd.h>

#include "sandbox/kernel.h"

/* Asks before it drops: most are gone already when reeve-spawn made itself small, and asking is
 * free while each drop makes new credentials. */
static int empty_bounding_set(struct err *err)
{
    int rc = 0;

    /* The kernel says where the list ends: it may know more capabilities than we do. */
    for (unsigned long cap = 0; cap < 64 && rc >= 0; cap++) {
        rc = kernel_prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
        if (rc > 0)
            rc = kernel_prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    }
    return rc < 0 && rc != -EINVAL ? err_sys(err, -rc, "bounding set") : 0;
}

int caps_bound(struct err *err)
{
    int rc = empty_bounding_set(err);

    if (rc < 0)
        return rc;
    rc = kernel_prctl(PR_SET_SECUREBITS,
                      SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                          SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                          SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
                      0, 0, 0);
    if (rc < 0)
        return err_sys(err, -rc, "securebits");
    rc = kernel_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return rc < 0 ? err_sys(err, -rc, "ambient set") : 0;
}

int caps_become(uid_t uid, gid_t gid, bool privileged, struct err *err)
{
    int rc;

    if (privileged && setgroups(0, NULL) < 0)
        return err_set(err, EPERM, "groups");
    if (setresgid(gid, gid, gid) < 0)
        return err_set(err, EPERM, "group id %u", gid);
    if (setresuid(uid, uid, uid) < 0)
        return err_set(err, EPERM, "user id %u", uid);
    rc = kernel_capset(0, 0, 0); /* NO_SETUID_FIXUP: changing the id left them as they were */
    return rc < 0 ? err_sys(err, -rc, "capabilities") : 0;
}

/* What reeve-spawn does, and the right that it takes. */
static const int spawn_needs[] = {
    CAP_SYS_CHROOT,   /* entering the mount namespace of strict workers */
    CAP_SYS_ADMIN,    /* namespaces, mounts, host name */
    CAP_SYS_RESOURCE, /* limits above its own; not everybody has it: limits then only go down */
    CAP_SETUID,       CAP_SETGID,                      /* the children's ids */
    CAP_SETPCAP,                                       /* their bounding sets */
    CAP_SYS_PTRACE,                                    /* taking listeners of undumpable children */
    CAP_NET_ADMIN,                                     /* their loopback */
    CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, /* groups, granted files, secrets */
    CAP_CHOWN, /* pipes that the child may open again by name */
    CAP_KILL,
};

int caps_keep_for_spawn(struct err *err)
{
    uint64_t effective, permitted, inheritable, keep = 0;
    int rc = kernel_capget(&effective, &permitted, &inheritable);

    if (rc < 0)
        return err_sys(err, -rc, "capabilities");
    for (size_t i = 0; i < ARRAY_LEN(spawn_needs); i++)
        keep |= permitted & (uint64_t)1 << spawn_needs[i];
    /* Whatever is executed below gets none; what is held is not touched by that. */
    if ((rc = empty_bounding_set(err)) < 0)
        return rc;
    rc = kernel_capset(keep, keep, 0);
    return rc < 0 ? err_sys(err, -rc, "capabilities") : 0;
}
