/*
 * oom.c: an allocator that refuses when told. Behind it is the C library's, or the sanitizer's.
 */
#include "tests/lib/oom.h"

#include "tests/lib/cm.h"

static struct {
    bool counting;
    size_t made;    /* allocations so far */
    size_t fail_at; /* the one that fails, from 1 */
    bool for_ever;  /* and all behind it */
    bool failed;    /* one did */
    long live;      /* made and not freed */
} oom;

/* The linker's names for it (--wrap). Weak: programs that are linked without have no use for this
 * file. */
void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t n, size_t size) __attribute__((weak));
void *__real_realloc(void *p, size_t size) __attribute__((weak));
void __real_free(void *p) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void __wrap_free(void *p);

static bool is_refused(void)
{
    if (!oom.counting)
        return false;
    oom.made++;
    if (oom.made != oom.fail_at && !(oom.for_ever && oom.made > oom.fail_at))
        return false;
    oom.failed = true;
    return true;
}

static void *count_live(void *p)
{
    oom.live += oom.counting && p;
    return p;
}

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : count_live(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_refused() ? NULL : count_live(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
    if (is_refused())
        return NULL;
    return p ? __real_realloc(p, size) : count_live(__real_realloc(p, size));
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(n, size, &bytes) ? NULL : __wrap_realloc(p, bytes);
}

void __wrap_free(void *p)
{
    oom.live -= oom.counting && p;
    __real_free(p);
}

static int run(int (*pass)(void *ctx), void *ctx, size_t fail_at, bool for_ever)
{
    int r;

    memset(&oom, 0, sizeof(oom));
    oom.fail_at = fail_at;
    oom.for_ever = for_ever;
    oom.counting = true;
    r = pass(ctx);
    oom.counting = false;
    return r;
}

size_t oom_walk(int (*pass)(void *ctx), void *ctx)
{
    if (!__real_malloc)
        fail_msg("not linked with --wrap: only programs of tests/fault are");
    for (size_t n = 1;; n++) {
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            int r = run(pass, ctx, n, for_ever);
            if (oom.live != 0 || r != (oom.failed ? -ENOMEM : 0))
                fail_msg("allocation %zu%s fails: returned %d, %ld not freed", n,
                         for_ever ? " and all behind it" : "", r, oom.live);
        }
        if (!oom.failed)
            return n - 1;
    }
}
