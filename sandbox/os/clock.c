/*
 * clock.c: time and randomness of the system, and of tests. In every program.
 */
#include "sandbox/os/clock.h"

#include <time.h>

#include "sandbox/os/sys.h"

static int64_t read_clock(clockid_t id, int64_t per_second)
{
    struct timespec t = {0};
    (void)clock_gettime(id, &t); /* cannot fail for clocks that every kernel has */
    return (int64_t)t.tv_sec * per_second + (int64_t)t.tv_nsec / (1000000000 / per_second);
}

static int64_t system_unix_ms(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_REALTIME, 1000);
}

static int64_t system_mono_us(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_BOOTTIME, 1000000);
}

static int system_random(void *arg, void *p, size_t n)
{
    (void)arg;
    char *at = p;
    while (n > 0) {
        ssize_t r = sys.getrandom(at, n);
        if (r < 0)
            return (int)r;
        if (r == 0)
            return -EIO;
        at += r;
        n -= (size_t)r;
    }
    return 0;
}

const struct clock clock_system = {system_unix_ms, system_mono_us, system_random, NULL};

static int64_t virtual_unix_ms(void *arg)
{
    const struct clock_virtual *v = arg;
    return v->unix_ms;
}

static int64_t virtual_mono_us(void *arg)
{
    const struct clock_virtual *v = arg;
    return v->mono_us;
}

/* splitmix64: every seed, 0 too, gives a full-length sequence. For tests alone, never for secrets.
 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int virtual_random(void *arg, void *p, size_t n)
{
    struct clock_virtual *v = arg;
    char *at = p;
    while (n > 0) {
        uint64_t x = next_random(&v->seed);
        size_t take = MIN(n, sizeof x);
        memcpy(at, &x, take);
        at += take;
        n -= take;
    }
    return 0;
}

void clock_virtual_init(struct clock_virtual *v, uint64_t seed)
{
    *v = (struct clock_virtual){
        .clock = {virtual_unix_ms, virtual_mono_us, virtual_random, v},
        .unix_ms = INT64_C(1795392000000), /* 2026-11-23T00:00:00Z */
        .mono_us = INT64_C(1000000000),
        .seed = seed,
    };
}

void clock_virtual_advance(struct clock_virtual *v, int64_t ms)
{
    must(ms >= 0);
    v->unix_ms += ms;
    v->mono_us += ms * 1000;
}
