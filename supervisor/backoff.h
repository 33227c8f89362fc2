/*
 * backoff.h: how long to wait before something is tried again. Pure.
 */
#ifndef REEVE_SUPERVISOR_BACKOFF_H
#define REEVE_SUPERVISOR_BACKOFF_H

#include "policy/text/base.h"

/* Full jitter: anything from nothing up to initial * factor^(failures - 1), at most max, as `random` has it; so those
 * that failed together come back one by one. At least 1 ms: nothing spins. failures: from 1. */
int64_t backoff_ms(int64_t initial_ms, int64_t max_ms, int64_t factor_milli, int failures, uint32_t random);

#endif
