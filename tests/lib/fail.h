/*
 * fail.h: call number N of the table of system calls fails, or allocation number N; once or from there on.
 * Included once, by a test program in tests/fault/.
 *
 *   for (fail_first(FAIL_CALL, EIO); fail_next();) { ... }
 *
 * runs the body with N = 1, 2, 3..., each once with a single failure and once with all from N on, until
 * the body passes untouched. Between fail_arm() and fail_disarm() in the body calls are counted.
 */
#ifndef REEVE_TESTS_FAIL_H
#define REEVE_TESTS_FAIL_H

#include <dlfcn.h>
#include <fcntl.h>

#include "sandbox/os/sys.h"

enum fail_what { FAIL_CALL, FAIL_ALLOC };

static struct {
    enum fail_what what;
    int number;   /* errno of failing calls */
    unsigned at;  /* N */
    bool forever; /* from N on */
    bool begun, armed;
    unsigned count, fired;
} fail_state;

static bool fail_now(enum fail_what what)
{
    if (!fail_state.armed || fail_state.what != what)
        return false;
    unsigned n = ++fail_state.count;
    bool fails = n == fail_state.at || (fail_state.forever && n > fail_state.at);
    fail_state.fired += fails;
    return fails;
}

/* A close that fails has closed nevertheless. */
#define X(ret, name, params, args)                                  \
    static ret fail_##name params                                   \
    {                                                               \
        if (!fail_now(FAIL_CALL))                                   \
            return sys_real.name args;                              \
        if (sizeof #name == sizeof "close" && #name[0] == 'c' && #name[1] == 'l') \
            (void)sys_real.name args;                               \
        return (ret)-fail_state.number;                             \
    }
SYS_TABLE(X)
#undef X

static inline void fail_arm(void)
{
#define X(ret, name, params, args) sys.name = fail_##name;
    SYS_TABLE(X)
#undef X
    fail_state.count = fail_state.fired = 0;
    fail_state.armed = true;
}

/* Returns how often it failed. */
static inline unsigned fail_disarm(void)
{
    fail_state.armed = false;
    sys = sys_real;
    return fail_state.fired;
}

static inline void fail_first(enum fail_what what, int number)
{
    memset(&fail_state, 0, sizeof fail_state);
    fail_state.what = what;
    fail_state.number = number;
}

static inline bool fail_next(void)
{
    must(!fail_state.armed);
    if (fail_state.begun && fail_state.forever && fail_state.fired == 0)
        return false; /* N is beyond the last */
    if (fail_state.begun && !fail_state.forever) {
        fail_state.forever = true;
        return true;
    }
    fail_state.begun = true;
    fail_state.forever = false;
    fail_state.at++;
    must(fail_state.at < 100000);
    return true;
}

/* ---- allocations ------------------------------------------------------------------------------ */

/* Clang's sanitizer runtime is in the program and cannot be stood in front of: there nothing fails. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAIL_ALLOC_IS_OFF 1
#endif
#endif

#ifndef FAIL_ALLOC_IS_OFF
/* What dlsym() itself asks for before it has answered. Never given back. */
static char fail_early[8192] __attribute__((aligned(16)));
static size_t fail_early_used;

static void *fail_early_alloc(size_t size)
{
    size = (size + 15) / 16 * 16;
    must(size <= sizeof fail_early - fail_early_used);
    void *p = fail_early + fail_early_used;
    fail_early_used += size;
    return p;
}

static void *fail_real(const char *name)
{
    static bool resolving;
    if (resolving)
        return NULL;
    resolving = true;
    void *f = dlsym(RTLD_NEXT, name);
    resolving = false;
    must(f);
    return f;
}

#define FAIL_REAL(type, name)              \
    static type real;                      \
    if (!real) {                           \
        void *found = fail_real(name);     \
        memcpy(&real, &found, sizeof real); \
    }

void *malloc(size_t size)
{
    typedef void *fn(size_t);
    FAIL_REAL(fn *, "malloc")
    if (!real)
        return fail_early_alloc(size);
    return fail_now(FAIL_ALLOC) ? NULL : real(size);
}

void *calloc(size_t n, size_t size)
{
    typedef void *fn(size_t, size_t);
    FAIL_REAL(fn *, "calloc")
    if (!real)
        return fail_early_alloc(n * size);
    return fail_now(FAIL_ALLOC) ? NULL : real(n, size);
}

void *realloc(void *p, size_t size)
{
    typedef void *fn(void *, size_t);
    FAIL_REAL(fn *, "realloc")
    return !real || fail_now(FAIL_ALLOC) ? NULL : real(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(n, size, &bytes) ? NULL : realloc(p, bytes);
}
#endif

/* Open descriptors, by number: what a failure leaves behind shows. */
struct fail_fds {
    bool open[256];
};

static inline struct fail_fds fail_fds(void)
{
    struct fail_fds f;
    for (int fd = 0; fd < 256; fd++)
        f.open[fd] = fcntl(fd, F_GETFD) >= 0;
    return f;
}

static inline bool fail_fds_same(const struct fail_fds *a)
{
    struct fail_fds b = fail_fds();
    return memcmp(a, &b, sizeof b) == 0;
}

#endif
