/*
 * backoff.c: see backoff.h. Runs in reeved.
 */
#include "supervisor/backoff.h"

int64_t backoff_ms(int64_t initial_ms, int64_t max_ms, int64_t factor_milli, int failures,
                   uint32_t random)
{
    double d = (double)initial_ms, max = (double)max_ms;
    for (int i = 1; i < failures && d < max; i++)
        d = d * (double)factor_milli / 1000;
    return MAX((int64_t)(MIN(d, max) * random / UINT32_MAX), 1);
}
