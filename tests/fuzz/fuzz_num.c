/*
 * fuzz_num.c: what a reader of numbers takes, its writer gives back.
 */
#include <stdio.h>

#include "policy/text/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_integers(struct str s)
{
    char text[32];
    int64_t i;
    uint64_t u;

    if (num_i64(s, &i) == 0) {
        (void)snprintf(text, sizeof(text), "%" PRId64, i);
        must(str_is(s, text));
    }
    if (num_u64(s, &u) == 0) {
        (void)snprintf(text, sizeof(text), "%" PRIu64, u);
        must(str_is(s, text));
    }
    if (num_hex(s, &u) == 0) {
        (void)snprintf(text, sizeof(text), "%016" PRIx64, u);
        must(strncasecmp(text + 16 - s.len, s.ptr, s.len) == 0);
    }
    if (num_size_bytes(s, &u) == 0)
        must(s.len > 0 && s.len <= 21);
}

static void check_fixed(struct str s, unsigned places)
{
    char text[NUM_FIXED_TEXT];
    int64_t v, again;

    if (num_fixed(s, places, &v) < 0)
        return;
    must(num_fixed_text(v, places, text) == strlen(text));
    must(num_fixed(str_of(text), places, &again) == 0 && again == v);
}

static void check_times(struct str s)
{
    char text[NUM_TIME_TEXT + NUM_DURATION_TEXT];
    int64_t ms, again;

    if (num_duration_ms(s, &ms) == 0) {
        must(ms >= 0 && num_duration_text(ms, text) == strlen(text));
        must(num_duration_ms(str_of(text), &again) == 0 && again == ms);
    }
    if (num_time_ms(s, &ms) == 0) {
        must(num_time_text(ms, text) == strlen(text));
        /* An offset can lead out of the years that have four digits. */
        if (strlen(text) == 24 && text[0] != '-')
            must(num_time_ms(str_of(text), &again) == 0 && again == ms);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    char text[NUM_TIME_TEXT + NUM_DURATION_TEXT];
    int64_t any;

    check_integers(s);
    for (unsigned places = 0; places <= 18; places += 3)
        check_fixed(s, places);
    check_fixed(s, 4);
    check_times(s);
    if (size >= sizeof(any)) {
        memcpy(&any, data, sizeof(any));
        must(num_time_text(any, text) < NUM_TIME_TEXT);
        must(num_duration_text(any, text) < NUM_DURATION_TEXT);
        must(num_fixed_text(any, (unsigned)(size % 19), text) < NUM_FIXED_TEXT);
    }
    return 0;
}
