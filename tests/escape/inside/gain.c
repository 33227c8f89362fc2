/*
 * gain.c: acts that try to get a right. Every argument is one that does no harm should the act
 * succeed.
 */
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "inside.h"

static int become_root(void)
{
    return done(CALL(SYS_setuid, 0));
}
static int become_root_all(void)
{
    return done(CALL(SYS_setresuid, 0, 0, 0));
}
static int become_group(void)
{
    return done(CALL(SYS_setresgid, 0, 0, 0));
}
static int join_groups(void)
{
    gid_t shadow = 42;
    return done(CALL(SYS_setgroups, 1, &shadow));
}
static int take_capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};
    return done(CALL(SYS_capset, &head, data));
}
static int raise_ambient(void)
{
    return done(CALL(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 7, 0, 0));
}
static int set_securebits(void)
{
    return done(CALL(SYS_prctl, PR_SET_SECUREBITS, 0));
}
static int set_keepcaps(void)
{
    return done(CALL(SYS_prctl, PR_SET_KEEPCAPS, 1));
}
static int user_namespace(void)
{
    return done(CALL(SYS_unshare, CLONE_NEWUSER));
}

/* A child that succeeds ends at once; the parent learns that there was one. */
static int clone_with(unsigned long flags)
{
    long r = CALL(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (r == 0)
        _exit(0);
    return done(r);
}
static int clone_user_namespace(void)
{
    return clone_with(CLONE_NEWUSER);
}
static int clone_parent(void)
{
    return clone_with(CLONE_PARENT);
}
static int clone3_user_namespace(void)
{
    uint64_t args[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
    long r = CALL(SYS_clone3, args, sizeof(args));
    if (r == 0)
        _exit(0);
    return done(r);
}
static int trace_me(void)
{
    return done(CALL(SYS_ptrace, 0, 0, 0, 0));
}
static int trace_init(void)
{
    return done(CALL(SYS_ptrace, 16, 1, 0, 0));
}
static int process_memory(long number)
{
    char byte = 0;
    struct iovec here = {&byte, 1}, there = {&byte, 1};
    return done(CALL(number, 1, &here, 1, &there, 1, 0));
}
static int read_process(void)
{
    return process_memory(SYS_process_vm_readv);
}
static int write_process(void)
{
    return process_memory(SYS_process_vm_writev);
}
static int user_faults(void)
{
    return done(CALL(SYS_userfaultfd, 1));
}
static int load_bpf(void)
{
    char attr[128] = {0};
    return done(CALL(SYS_bpf, 0, attr, sizeof(attr)));
}
static int perf_events(void)
{
    uint32_t attr[32] = {1, sizeof(attr)};
    return done(CALL(SYS_perf_event_open, attr, 0, -1, -1, 0));
}
static int key_add(void)
{
    return done(CALL(SYS_add_key, "user", "reeve", "x", 1, -3));
}
static int key_request(void)
{
    return done(CALL(SYS_request_key, "user", "reeve", 0, 0));
}
static int key_control(void)
{
    return done(CALL(SYS_keyctl, 0, -3, 0));
}
static int load_module(void)
{
    return done(CALL(SYS_init_module, "", 0, ""));
}
static int load_module_file(void)
{
    return done(CALL(SYS_finit_module, -1, "", 0));
}
static int unload_module(void)
{
    return done(CALL(SYS_delete_module, "reeve_no_such_module", 0));
}
static int new_kernel(void)
{
    return done(CALL(SYS_kexec_load, 0, 0, 0, 0xffff0000));
}
static int io_ports(void)
{
    return done(CALL(SYS_iopl, 3));
}
static int io_port(void)
{
    return done(CALL(SYS_ioperm, 0x80, 1, 1));
}
static int set_clock(void)
{
    return done(CALL(SYS_clock_settime, 0, 0));
}
static int adjust_clock(void)
{
    char timex[512] = {0};
    return done(CALL(SYS_adjtimex, timex));
}
static int swap_on(void)
{
    return done(CALL(SYS_swapon, "/no/such", 0));
}
static int reboot_host(void)
{
    return done(CALL(SYS_reboot, 1, 2, 3, 0));
}
static int account(void)
{
    return done(CALL(SYS_acct, "/no/such"));
}
static int quota(void)
{
    return done(CALL(SYS_quotactl, -1, 0, 0, 0));
}
static int host_name(void)
{
    return done(CALL(SYS_sethostname, "reeve", 5));
}
static int raise_priority(void)
{
    return done(CALL(SYS_setpriority, 0, 0, -20));
}
static int realtime(void)
{
    int priority = 1;
    return done(CALL(SYS_sched_setscheduler, 0, SCHED_FIFO, &priority));
}
static int raise_limit(void)
{
    uint64_t limit[2];
    long r = CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, limit);
    if (r < 0)
        return (int)r;
    limit[0] = limit[1] = limit[1] + 1000;
    return done(CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, limit, 0));
}
static int limit_of_other(void)
{
    uint64_t limit[2];
    return done(CALL(SYS_prlimit64, 1, RLIMIT_NOFILE, 0, limit));
}
static int untie_life(void)
{
    return done(CALL(SYS_prctl, PR_SET_PDEATHSIG, 0));
}
static int second_filter(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    return done(
        CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}
static int filter_by_prctl(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    return done(CALL(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}
static int move_memory_map(void)
{
    return done(CALL(SYS_prctl, PR_SET_MM, PR_SET_MM_ARG_START, 4096));
}
static int allow_tracer(void)
{
    return done(CALL(SYS_prctl, PR_SET_PTRACER, -1));
}

#define A(name)     \
    {               \
#name, name \
    }
const struct act acts_gain[] = {A(become_root),
                                A(become_root_all),
                                A(become_group),
                                A(join_groups),
                                A(take_capabilities),
                                A(raise_ambient),
                                A(set_securebits),
                                A(set_keepcaps),
                                A(user_namespace),
                                A(clone_user_namespace),
                                A(clone3_user_namespace),
                                A(clone_parent),
                                A(trace_me),
                                A(trace_init),
                                A(read_process),
                                A(write_process),
                                A(user_faults),
                                A(load_bpf),
                                A(perf_events),
                                A(key_add),
                                A(key_request),
                                A(key_control),
                                A(load_module),
                                A(load_module_file),
                                A(unload_module),
                                A(new_kernel),
                                A(io_ports),
                                A(io_port),
                                A(set_clock),
                                A(adjust_clock),
                                A(swap_on),
                                A(reboot_host),
                                A(account),
                                A(quota),
                                A(host_name),
                                A(raise_priority),
                                A(realtime),
                                A(raise_limit),
                                A(limit_of_other),
                                A(untie_life),
                                A(second_filter),
                                A(filter_by_prctl),
                                A(move_memory_map),
                                A(allow_tracer),
                                {NULL, NULL}};
