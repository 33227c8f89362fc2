/*
 * Goal: the filters mean what profiles.def says, argument traps included: the BPF is run by an
 * interpreter of ours on made-up calls, so that no kernel and no privilege is needed (INV-01).
 */
#include "sandbox/seccomp.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/lib/cm.h"

/* The instructions that libseccomp uses; anything else fails the test. */
static uint32_t bpf_run(const struct seccomp_program *p, const struct seccomp_data *d)
{
    uint32_t a = 0, word;

    for (size_t at = 0; at < p->count; at++) {
        const struct sock_filter *i = &p->code[at];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(i->k + 4 <= sizeof(*d));
            memcpy(&word, (const char *)d + i->k, 4);
            a = word;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_JMP | BPF_JA:
            at += i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += a == i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            at += a > i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            at += a >= i->k ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            fail_msg("instruction %#x at %zu", i->code, at);
        }
    }
    fail_msg("ran off the end");
    return 0;
}

static struct seccomp_program programs[SECCOMP_SET_COUNT];

static int build_all(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    for (size_t i = 0; i < SECCOMP_SET_COUNT; i++)
        if (seccomp_set_build((enum seccomp_set)i, true, &programs[i], &err) < 0) {
            print_error("%s\n", err.text);
            return -1;
        }
    return 0;
}

static int release_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < SECCOMP_SET_COUNT; i++)
        seccomp_program_release(&programs[i]);
    return 0;
}

static uint32_t ask(enum seccomp_set set, int call, uint64_t a, uint64_t b, uint64_t c)
{
    struct seccomp_data d = {.nr = call, .arch = AUDIT_ARCH_X86_64, .args = {a, b, c}};
    return bpf_run(&programs[set], &d);
}

enum { ALLOW = SECCOMP_RET_ALLOW, TELL = SECCOMP_RET_USER_NOTIF };
#define ERRNO_(e) (SECCOMP_RET_ERRNO | (e))

static const struct {
    enum seccomp_set set;
    int call;
    uint64_t args[3];
    uint32_t want;
} rows[] = {
    {SECCOMP_STRICT, SYS_read, {0}, ALLOW},
    {SECCOMP_STRICT, SYS_openat, {0}, TELL},
    {SECCOMP_STRICT, SYS_socket, {AF_UNIX}, TELL},
    {SECCOMP_STRICT, SYS_execve, {0}, TELL},
    {SECCOMP_STRICT, SYS_clone, {CLONE_THREAD}, TELL},
    {SECCOMP_STRICT, SYS_clone3, {0}, TELL},
    {SECCOMP_STRICT, SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE}, ALLOW},
    {SECCOMP_STRICT, SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}, TELL},
    {SECCOMP_STRICT, SYS_mmap, {0, 4096, PROT_EXEC | 1ULL << 40}, TELL},
    {SECCOMP_STRICT, SYS_mprotect, {0, 4096, PROT_READ}, ALLOW},
    {SECCOMP_STRICT, SYS_mprotect, {0, 4096, PROT_EXEC}, TELL},
    {SECCOMP_STRICT, SYS_madvise, {0, 4096, MADV_DONTNEED}, ALLOW},
    {SECCOMP_STRICT, SYS_madvise, {0, 4096, MADV_HUGEPAGE}, TELL},
    {SECCOMP_STRICT, SYS_fcntl, {3, F_SETFL}, ALLOW},
    {SECCOMP_STRICT, SYS_fcntl, {3, F_DUPFD}, TELL},
    {SECCOMP_STRICT, SYS_prctl, {PR_SET_DUMPABLE, 1}, TELL},
    {SECCOMP_STRICT, SYS_memfd_create, {0}, TELL},
    {SECCOMP_STRICT, SYS_io_uring_setup, {0}, TELL},
    {SECCOMP_PROGRAM, SYS_openat, {0}, ALLOW},
    {SECCOMP_PROGRAM, SYS_execve, {0}, ALLOW},
    {SECCOMP_PROGRAM, SYS_execveat, {0}, TELL},
    {SECCOMP_PROGRAM, SYS_clone, {SIGCHLD}, ALLOW},
    {SECCOMP_PROGRAM, SYS_clone, {CLONE_NEWUSER | SIGCHLD}, TELL},
    {SECCOMP_PROGRAM, SYS_clone, {CLONE_NEWNET | SIGCHLD}, TELL},
    {SECCOMP_PROGRAM, SYS_clone, {CLONE_PARENT | SIGCHLD}, TELL},
    {SECCOMP_PROGRAM, SYS_clone, {CLONE_PTRACE | SIGCHLD}, TELL},
    {SECCOMP_PROGRAM, SYS_clone3, {0}, ERRNO_(ENOSYS)},
    {SECCOMP_PROGRAM, SYS_ioctl, {0, FIONREAD}, ALLOW},
    {SECCOMP_PROGRAM, SYS_ioctl, {0, 0x5412}, TELL},              /* TIOCSTI */
    {SECCOMP_PROGRAM, SYS_ioctl, {0, 0x5412 | 1ULL << 32}, TELL}, /* trap 3 */
    {SECCOMP_PROGRAM, SYS_ioctl, {0, 0x541c}, TELL},              /* TIOCLINUX */
    {SECCOMP_PROGRAM, SYS_socket, {AF_UNIX}, ALLOW},
    {SECCOMP_PROGRAM, SYS_socket, {AF_INET}, TELL},
    {SECCOMP_PROGRAM, SYS_socket, {AF_VSOCK}, TELL},
    {SECCOMP_PROGRAM, SYS_prctl, {PR_SET_NAME}, ALLOW},
    {SECCOMP_PROGRAM, SYS_prctl, {PR_SET_PDEATHSIG}, TELL},
    {SECCOMP_PROGRAM, SYS_prctl, {PR_SET_SECCOMP}, TELL},
    {SECCOMP_PROGRAM, SYS_prlimit64, {0}, ALLOW},
    {SECCOMP_PROGRAM, SYS_prlimit64, {1}, TELL},
    {SECCOMP_PROGRAM, SYS_mlock, {0}, ERRNO_(EPERM)},
    {SECCOMP_NODE, SYS_clone, {CLONE_VM | CLONE_THREAD}, ALLOW},
    {SECCOMP_NODE, SYS_clone, {SIGCHLD}, TELL},
    {SECCOMP_NODE, SYS_fork, {0}, TELL},
    {SECCOMP_NODE, SYS_execve, {0}, TELL},
    {SECCOMP_NODE, SYS_socket, {AF_INET}, ALLOW},
    {SECCOMP_NODE, SYS_socket, {AF_NETLINK}, ERRNO_(EAFNOSUPPORT)},
    {SECCOMP_NODE, SYS_socket, {AF_NETLINK | 1ULL << 32}, ERRNO_(EAFNOSUPPORT)},
    {SECCOMP_STRICT, SYS_socket, {AF_NETLINK}, TELL},
    {SECCOMP_PYTHON, SYS_clone, {CLONE_THREAD | CLONE_NEWUSER}, TELL},
    {SECCOMP_TOOL, SYS_socket, {AF_INET}, TELL},
    {SECCOMP_TOOL_NET, SYS_socket, {AF_INET}, ALLOW},
    {SECCOMP_TOOL_NET, SYS_socket, {AF_PACKET}, TELL},
    {SECCOMP_HELPER, SYS_socket, {AF_INET6}, TELL},
    {SECCOMP_HELPER_NET, SYS_socket, {AF_INET6}, ALLOW},
    {SECCOMP_HELPER_NET, SYS_execve, {0}, TELL},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t got =
            ask(rows[i].set, rows[i].call, rows[i].args[0], rows[i].args[1], rows[i].args[2]);
        assert_row(got == rows[i].want, i, "set %s call %d: %#x, want %#x",
                   seccomp_set_name(rows[i].set), rows[i].call, got, rows[i].want);
    }
}

/* In no set, whatever the arguments: what would undo the walls. */
static void test_never(void **state)
{
    (void)state;
    static const int never[] = {SYS_ptrace,
                                SYS_process_vm_readv,
                                SYS_process_vm_writev,
                                SYS_bpf,
                                SYS_userfaultfd,
                                SYS_perf_event_open,
                                SYS_keyctl,
                                SYS_add_key,
                                SYS_request_key,
                                SYS_io_uring_setup,
                                SYS_io_uring_enter,
                                SYS_io_uring_register,
                                SYS_unshare,
                                SYS_setns,
                                SYS_mount,
                                SYS_umount2,
                                SYS_pivot_root,
                                SYS_chroot,
                                SYS_open_tree,
                                SYS_move_mount,
                                SYS_fsopen,
                                SYS_fsmount,
                                SYS_mount_setattr,
                                SYS_init_module,
                                SYS_finit_module,
                                SYS_kexec_load,
                                SYS_personality,
                                SYS_modify_ldt,
                                SYS_memfd_create,
                                SYS_execveat,
                                SYS_setuid,
                                SYS_setgid,
                                SYS_setresuid,
                                SYS_setgroups,
                                SYS_capset,
                                SYS_pidfd_getfd,
                                SYS_kcmp,
                                SYS_open_by_handle_at,
                                SYS_name_to_handle_at,
                                SYS_seccomp,
                                SYS_mknod,
                                SYS_mknodat,
                                SYS_swapon,
                                SYS_reboot,
                                SYS_iopl,
                                SYS_ioperm,
                                SYS_settimeofday,
                                SYS_clock_settime,
                                SYS_acct,
                                SYS_quotactl,
                                SYS_syslog,
                                SYS_fanotify_init,
                                SYS_shmget,
                                SYS_msgget,
                                SYS_semget,
                                SYS_mq_open,
                                SYS_uselib,
                                SYS_remap_file_pages,
                                SYS_lookup_dcookie,
                                SYS_vhangup,
                                SYS_sethostname,
                                SYS_process_madvise};
    for (size_t s = 0; s < SECCOMP_SET_COUNT; s++)
        for (size_t i = 0; i < ARRAY_LEN(never); i++)
            assert_row(ask((enum seccomp_set)s, never[i], 0, 0, 0) != ALLOW, i,
                       "set %s allows call %d", seccomp_set_name((enum seccomp_set)s), never[i]);
}

/* Trap 5: other entries kill the process, in every set. */
static void test_entries(void **state)
{
    (void)state;
    for (size_t s = 0; s < SECCOMP_SET_COUNT; s++) {
        struct seccomp_data d = {.nr = 20, .arch = AUDIT_ARCH_I386};
        assert_int_equal(bpf_run(&programs[s], &d), SECCOMP_RET_KILL_PROCESS);
        d = (struct seccomp_data){.nr = 0x40000000 | SYS_getpid, .arch = AUDIT_ARCH_X86_64};
        assert_int_equal(bpf_run(&programs[s], &d), SECCOMP_RET_KILL_PROCESS);
        assert_int_equal(ask((enum seccomp_set)s, 471, 0, 0, 0), TELL);
        assert_int_equal(ask((enum seccomp_set)s, 0x3fffffff, 0, 0, 0), TELL);
    }
}

static void test_answers(void **state)
{
    (void)state;
    assert_true(seccomp_set_answer(SECCOMP_STRICT, SYS_openat).kills);
    assert_true(seccomp_set_answer(SECCOMP_PROGRAM, SYS_ptrace).kills);
    assert_false(seccomp_set_answer(SECCOMP_PROGRAM, SYS_memfd_create).kills);
    assert_int_equal(seccomp_set_answer(SECCOMP_NODE, SYS_io_uring_setup).number, ENOSYS);
    assert_int_equal(seccomp_set_answer(SECCOMP_NODE, SYS_execve).number, EPERM);
    assert_int_equal(seccomp_set_answer(SECCOMP_PROGRAM, 500).number,
                     ENOSYS); /* newer than the tables */
    assert_false(seccomp_set_answer(SECCOMP_PROGRAM, 500).kills);
    char name[SECCOMP_NAME_MAX];
    seccomp_call_name(SYS_openat, name);
    assert_string_equal(name, "openat");
    seccomp_call_name(99999, name);
    assert_string_equal(name, "call-99999");
}

/* Deny is the default: strict is small, and nothing is larger than its table. */
static void test_sizes(void **state)
{
    (void)state;
    unsigned allowed[SECCOMP_SET_COUNT] = {0};
    for (size_t s = 0; s < SECCOMP_SET_COUNT; s++)
        for (int call = 0; call < 512; call++)
            allowed[s] += ask((enum seccomp_set)s, call, 0, 0, 0) == ALLOW;
    assert_in_range(allowed[SECCOMP_STRICT], 20, 30);
    for (size_t s = 0; s < SECCOMP_SET_COUNT; s++) {
        assert_true(allowed[s] <= seccomp_set_allowed((enum seccomp_set)s));
        assert_in_range(programs[s].count, 20,
                        1023); /* strict's must fit into its reader (inside.c) */
    }
    struct buf out;
    buf_init(&out, 1 << 20);
    seccomp_set_put(SECCOMP_STRICT, &out);
    assert_int_equal(buf_status(&out), 0);
    assert_non_null(memmem(out.ptr, out.len, "everything else", 15));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_never), cmocka_unit_test(test_entries),
        cmocka_unit_test(test_answers), cmocka_unit_test(test_sizes)};
    return cmocka_run_group_tests(tests, build_all, release_all);
}
