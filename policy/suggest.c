/*
 * suggest.c: see suggest.h.
 */
#include "policy/suggest.h"

size_t suggest_distance(struct str a, struct str b)
{
    size_t rows[3][SUGGEST_BYTES_MAX + 1];
    if (a.len > SUGGEST_BYTES_MAX || b.len > SUGGEST_BYTES_MAX)
        return SIZE_MAX;
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t k = 0; k <= b.len; k++) {
        before[k] = k;
        last[k] = k;
    }
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t k = 1; k <= b.len; k++) {
            bool same = a.ptr[i - 1] == b.ptr[k - 1];
            size_t best = MIN(last[k] + 1, now[k - 1] + 1);
            best = MIN(best, last[k - 1] + (same ? 0 : 1));
            if (i > 1 && k > 1 && a.ptr[i - 1] == b.ptr[k - 2] && a.ptr[i - 2] == b.ptr[k - 1])
                best = MIN(best, before[k - 2] + 1);
            now[k] = best;
        }
        size_t *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[b.len];
}

void suggest_init(struct suggest *s, struct str wanted)
{
    *s = (struct suggest){.wanted = wanted, .distance = SIZE_MAX};
}

void suggest_add(struct suggest *s, struct str candidate)
{
    size_t d = suggest_distance(s->wanted, candidate);
    /* One slip in three letters is as far as a guess helps. */
    if (d < s->distance &&
        d <= MAX(candidate.len, s->wanted.len) / 3 + (candidate.len > 3 ? 0 : 1)) {
        s->distance = d;
        s->best = candidate;
    }
}
