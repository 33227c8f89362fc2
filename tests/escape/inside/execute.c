/*
 * execute.c: acts that try to run what they should not.
 */
#include <sys/mman.h>

#include "inside.h"

static char word[] = "sh";
static char *const no_words[] = {word, NULL};

static int run_path(const char *path)
{
    return done(CALL(SYS_execve, path, no_words, no_words + 1));
}
static int run_shell(void)
{
    return run_path("/bin/sh");
}
static int run_itself(void)
{
    return run_path("/proc/self/exe");
}
static int run_by_descriptor(void)
{
    return done(CALL(SYS_execveat, 3, "", no_words, no_words + 1, AT_EMPTY_PATH));
}

static long write_tmp(const char *path)
{
    long fd = CALL(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT, 0700);
    return fd < 0 ? fd : CALL(SYS_write, fd, "#!/bin/sh\n", 10) < 0 ? -EIO : fd;
}
static int run_from_tmp(void)
{
    long fd = write_tmp("/tmp/run");
    if (fd < 0)
        return (int)fd;
    (void)CALL(SYS_close, fd);
    return run_path("/tmp/run");
}
static int memory_file(void)
{
    return done(CALL(SYS_memfd_create, "x", 0));
}
static int secret_memory(void)
{
    return done(CALL(SYS_memfd_secret, 0));
}
static int map(long fd, int prot, int flags)
{
    return done(CALL(SYS_mmap, 0, 4096, prot, flags, fd, 0));
}
static int map_exec_tmp(void)
{
    long fd = write_tmp("/tmp/map");
    return fd < 0 ? (int)fd : map(fd, PROT_READ | PROT_EXEC, MAP_PRIVATE);
}
static int map_write_exec(void)
{
    return map(-1, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
}
static int protect_with(long prot)
{
    long p = CALL(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p < 0 ? (int)p : done(CALL(SYS_mprotect, p, 4096, prot));
}
static int protect_exec(void)
{
    return protect_with(PROT_READ | PROT_EXEC);
}
static int protect_exec_high(void)
{
    return protect_with(PROT_READ | PROT_EXEC | 0x100000000L);
}
static int protect_pkey(void)
{
    return done(CALL(SYS_pkey_mprotect, 0, 4096, PROT_EXEC, -1));
}
static int remap_pages(void)
{
    return done(CALL(SYS_remap_file_pages, 0, 4096, 0, 0, 0));
}
static int shm_map(void)
{
    return done(CALL(SYS_shmat, 0, 0, 0100000));
}
static int personality_exec(void)
{
    return done(CALL(SYS_personality, 0x0400000));
}
static int local_descriptors(void)
{
    char entry[16] = {0};
    return done(CALL(SYS_modify_ldt, 1, entry, sizeof(entry)));
}
static int old_library(void)
{
    return done(CALL(SYS_uselib, "/lib/x"));
}
static int arch_gs(void)
{
    return done(CALL(SYS_arch_prctl, 0x1012, 0));
}
static int entry_int80(void)
{
    long r = 20; /* getpid of the 32-bit table; writev of ours, which strict allows */
    __asm__ volatile("int $0x80"
                     : "+a"(r)
                     : "b"(0), "c"(0), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    return r < 0 ? (int)r : 0;
}
static int entry_x32(void)
{
    return done(CALL(0x40000000 | SYS_getpid));
}
static int entry_number(void)
{
    return done(CALL(471));
}
static int entry_far(void)
{
    return done(CALL(100000));
}

#define A(name)     \
    {               \
#name, name \
    }
const struct act acts_execute[] = {
    A(run_shell),    A(run_itself),        A(run_by_descriptor), A(run_from_tmp),
    A(memory_file),  A(secret_memory),     A(map_exec_tmp),      A(map_write_exec),
    A(protect_exec), A(protect_exec_high), A(protect_pkey),      A(remap_pages),
    A(shm_map),      A(personality_exec),  A(local_descriptors), A(old_library),
    A(arch_gs),      A(entry_int80),       A(entry_x32),         A(entry_number),
    A(entry_far),    {NULL, NULL}};
