/*
 * clock.h: time and randomness, injectable, so that tests run in virtual time.
 */
#ifndef REEVE_OS_CLOCK_H
#define REEVE_OS_CLOCK_H

#include "policy/text/err.h"

struct clock {
    int64_t (*unix_ms)(void *arg);  /* wall clock, ms since 1970; may jump either way */
    int64_t (*mono_us)(void *arg);  /* CLOCK_BOOTTIME, us; never goes back, counts suspend */
    int (*random)(void *arg, void *p, size_t n); /* 0 or -Exxx */
    void *arg;
};

extern const struct clock clock_system;

/* A clock that tests move by hand; random bytes from a seeded generator. Starts at 2026-11-23T00:00:00Z. */
struct clock_virtual {
    struct clock clock;
    int64_t unix_ms, mono_us;
    uint64_t seed;
};
void clock_virtual_init(struct clock_virtual *v, uint64_t seed);
void clock_virtual_advance(struct clock_virtual *v, int64_t ms);

#endif
