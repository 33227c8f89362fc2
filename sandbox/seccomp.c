/*
 * seccomp.c: profiles.def -> BPF. Runs in reeve-spawn before any start, never in a child. Pure but
 * for the descriptor that libseccomp exports through.
 */
#include "sandbox/seccomp.h"

#include <asm/prctl.h>
#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy/text/str.h"
#include "sandbox/kernel.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"

/* Every bit of clone(2) that makes a namespace; CLONE_NEWTIME lies in the byte of the exit signal.
 */
#define CLONE_NO_NAMESPACES                                                                   \
    ((uint64_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
                CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME))
#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

struct calls_row {
    unsigned sets;
    const char *group, *reason, *names; /* names: separated by one space */
};
struct args_row {
    unsigned sets;
    const char *call;
    unsigned arg;
    uint64_t mask, value;
    int number; /* 0: allowed; else refused with it */
    const char *reason;
};
enum refuse_how { QUIET, NAMED };
struct refuse_row {
    unsigned sets;
    const char *call;
    enum refuse_how how;
    int number;
    const char *reason;
};

static const struct calls_row calls_rows[] = {
#define CALLS(group, profiles, reason, names) {(profiles), #group, (reason), (names)},
#include "sandbox/profiles.def"
};
static const struct args_row args_rows[] = {
#define ARGS(profiles, call, arg, mask, value, reason) \
    {(profiles), #call, (arg), (uint64_t)(mask), (uint64_t)(value), 0, (reason)},
#include "sandbox/profiles.def"
};
static const struct refuse_row refuse_rows[] = {
#define REFUSE(profiles, call, how, number, reason) {(profiles), #call, (how), (number), (reason)},
#include "sandbox/profiles.def"
};

static const struct args_row refuse_arg_rows[] = {
#define REFUSE_ARG(profiles, call, arg, mask, value, number, reason) \
    {(profiles), #call, (arg), (uint64_t)(mask), (uint64_t)(value), (number), (reason)},
#include "sandbox/profiles.def"
};

static const char *const set_names[SECCOMP_SET_COUNT] = {
    [SECCOMP_STRICT] = "strict", [SECCOMP_PROGRAM] = "program",
    [SECCOMP_NODE] = "node",     [SECCOMP_PYTHON] = "python",
    [SECCOMP_TOOL] = "tool",     [SECCOMP_TOOL_NET] = "tool+network",
    [SECCOMP_HELPER] = "helper", [SECCOMP_HELPER_NET] = "helper+network",
};

const char *seccomp_set_name(enum seccomp_set set)
{
    return (size_t)set < SECCOMP_SET_COUNT ? set_names[set] : "?";
}

/* ---- building
 * ------------------------------------------------------------------------------------- */

/* A name that does not resolve is one that this architecture has not (fork on arm64): left out,
 * refused. */
static int resolve(const char *name)
{
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR || number < 0 ? -1 : number;
}

static int next_name(struct str *rest, char name[SECCOMP_NAME_MAX])
{
    struct str part;

    while (str_split(rest, ' ', &part))
        if (part.len > 0)
            return str_copy(part, name, SECCOMP_NAME_MAX) < 0 ? -1 : 1;
    return 0;
}

static int add_calls(scmp_filter_ctx ctx, enum seccomp_set set, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(calls_rows); i++) {
        struct str rest = str_of(calls_rows[i].names);
        char name[SECCOMP_NAME_MAX];
        if ((calls_rows[i].sets & 1u << set) == 0)
            continue;
        while (next_name(&rest, name) > 0) {
            int number = resolve(name), rc;
            if (number < 0)
                continue;
            rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
            if (rc < 0 && rc != -EEXIST)
                return err_sys(err, -rc, "filter %s: %s", seccomp_set_name(set), name);
        }
    }
    return 0;
}

static int add_args(scmp_filter_ctx ctx, enum seccomp_set set, const struct args_row *rows,
                    size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct args_row *row = &rows[i];
        int number = resolve(row->call), rc;
        if ((row->sets & 1u << set) == 0 || number < 0)
            continue;
        struct scmp_arg_cmp cmp = {row->arg, SCMP_CMP_MASKED_EQ, row->mask, row->value};
        rc = seccomp_rule_add_array(
            ctx, row->number == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((unsigned)row->number), number,
            1, &cmp);
        if (rc < 0 && rc != -EEXIST)
            return err_sys(err, -rc, "filter %s: %s", seccomp_set_name(set), row->call);
    }
    return 0;
}

static int add_quiet(scmp_filter_ctx ctx, enum seccomp_set set, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(refuse_rows); i++) {
        const struct refuse_row *row = &refuse_rows[i];
        int number = resolve(row->call), rc;
        if ((row->sets & 1u << set) == 0 || row->how != QUIET || number < 0)
            continue;
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned)row->number), number, 0);
        if (rc < 0)
            return err_sys(err, -rc, "filter %s: %s", seccomp_set_name(set), row->call);
    }
    return 0;
}

static int export_program(scmp_filter_ctx ctx, struct seccomp_program *ret, struct err *err)
{
    FD_AUTO int fd = memfd_create("filter", MFD_CLOEXEC);
    struct stat st;
    int rc;

    if (fd < 0)
        return err_set(err, EMFILE, "filter: no memory file to export it to");
    rc = seccomp_export_bpf(ctx, fd);
    if (rc < 0)
        return err_sys(err, -rc, "filter: export");
    rc = sys.fstat(fd, &st);
    if (rc < 0)
        return err_sys(err, -rc, "filter: size");
    size_t count = (size_t)st.st_size / sizeof(struct sock_filter);
    if (count == 0 || count > BPF_MAXINSNS)
        return err_set(err, E2BIG, "filter: %zu instructions; the kernel takes %d", count,
                       BPF_MAXINSNS);
    struct sock_filter *code = calloc(count, sizeof(*code));
    if (code == NULL)
        return err_sys(err, ENOMEM, "filter");
    if (lseek(fd, 0, SEEK_SET) != 0 || fd_read_all(fd, code, count * sizeof(*code), err) < 0) {
        free(code);
        return err_set(err, EIO, "filter: cannot read it back");
    }
    *ret = (struct seccomp_program){code, (unsigned short)count};
    return 0;
}

static int set_attributes(scmp_filter_ctx ctx, struct err *err)
{
    /* Another architecture's entry (int 0x80, x32) kills the whole process, not a thread (trap 5).
     */
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    if (rc == 0)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
    return rc < 0 ? err_sys(err, -rc, "filter: attributes") : 0;
}

int seccomp_set_build(enum seccomp_set set, bool named, struct seccomp_program *ret,
                      struct err *err)
{
    scmp_filter_ctx ctx = seccomp_init(named ? SCMP_ACT_NOTIFY : SCMP_ACT_KILL_PROCESS);
    int rc;

    if (ctx == NULL)
        return err_set(err, ENOSYS, "filter %s: libseccomp refuses", seccomp_set_name(set));
    rc = set_attributes(ctx, err);
    if (rc == 0)
        rc = add_calls(ctx, set, err);
    if (rc == 0)
        rc = add_args(ctx, set, args_rows, ARRAY_LEN(args_rows), err);
    if (rc == 0)
        rc = add_args(ctx, set, refuse_arg_rows, ARRAY_LEN(refuse_arg_rows), err);
    if (rc == 0)
        rc = add_quiet(ctx, set, err);
    if (rc == 0)
        rc = export_program(ctx, ret, err);
    seccomp_release(ctx);
    return rc;
}

void seccomp_program_release(struct seccomp_program *p)
{
    free(p->code);
    *p = (struct seccomp_program){NULL, 0};
}

/* ---- answers
 * --------------------------------------------------------------------------------------- */

#define CALL_NEWEST_KNOWN 450 /* set_mempolicy_home_node: the last that libseccomp 2.5.4 names */

struct seccomp_answer seccomp_set_answer(enum seccomp_set set, int call)
{
    char name[SECCOMP_NAME_MAX];

    if (set == SECCOMP_STRICT)
        return (struct seccomp_answer){.kills = true, .number = EPERM};
    seccomp_call_name(call, name);
    for (size_t i = 0; i < ARRAY_LEN(refuse_rows); i++)
        if ((refuse_rows[i].sets & 1u << set) != 0 && strcmp(refuse_rows[i].call, name) == 0)
            return (struct seccomp_answer){.kills = false, .number = refuse_rows[i].number};
    if (call > CALL_NEWEST_KNOWN)
        return (struct seccomp_answer){.kills = false, .number = ENOSYS};
    return (struct seccomp_answer){.kills = true, .number = EPERM};
}

void seccomp_call_name(int call, char name[SECCOMP_NAME_MAX])
{
    char *known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);

    if (known == NULL || str_copy(str_of(known), name, SECCOMP_NAME_MAX) < 0)
        (void)snprintf(name, SECCOMP_NAME_MAX, "call-%d", call);
    free(known);
}

/* ---- for people
 * -------------------------------------------------------------------------------------- */

void seccomp_set_put(enum seccomp_set set, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(calls_rows); i++)
        if ((calls_rows[i].sets & 1u << set) != 0)
            buf_fmt(out, "  allow   %s\n          (%s)\n", calls_rows[i].names,
                    calls_rows[i].reason);
    for (size_t i = 0; i < ARRAY_LEN(args_rows); i++)
        if ((args_rows[i].sets & 1u << set) != 0)
            buf_fmt(out, "  allow   %s where argument %u & %#" PRIx64 " is %#" PRIx64 " (%s)\n",
                    args_rows[i].call, args_rows[i].arg, args_rows[i].mask, args_rows[i].value,
                    args_rows[i].reason);
    for (size_t i = 0; i < ARRAY_LEN(refuse_rows); i++)
        if ((refuse_rows[i].sets & 1u << set) != 0)
            buf_fmt(out, "  refuse  %s with %s%s (%s)\n", refuse_rows[i].call,
                    err_name(refuse_rows[i].number),
                    refuse_rows[i].how == NAMED ? ", named" : ", quietly", refuse_rows[i].reason);
    for (size_t i = 0; i < ARRAY_LEN(refuse_arg_rows); i++)
        if ((refuse_arg_rows[i].sets & 1u << set) != 0)
            buf_fmt(out, "  refuse  %s where argument %u is %#" PRIx64 " with %s, quietly (%s)\n",
                    refuse_arg_rows[i].call, refuse_arg_rows[i].arg, refuse_arg_rows[i].value,
                    err_name(refuse_arg_rows[i].number), refuse_arg_rows[i].reason);
    buf_cstr(out, "  kill    everything else, named\n");
}

unsigned seccomp_set_allowed(enum seccomp_set set)
{
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_LEN(calls_rows); i++) {
        struct str rest = str_of(calls_rows[i].names);
        char name[SECCOMP_NAME_MAX];
        while ((calls_rows[i].sets & 1u << set) != 0 && next_name(&rest, name) > 0)
            count++;
    }
    for (size_t i = 0; i < ARRAY_LEN(args_rows); i++) /* rows of one call stand together */
        if ((args_rows[i].sets & 1u << set) != 0 &&
            (i == 0 || strcmp(args_rows[i - 1].call, args_rows[i].call) != 0))
            count++;
    return count;
}
