/*
 * num.h: numbers from text and back. Strict: the whole text, no spaces, no locale, overflow is an error.
 */
#ifndef REEVE_TEXT_NUM_H
#define REEVE_TEXT_NUM_H

#include "policy/text/str.h"

int num_i64(struct str s, int64_t *ret) NODISCARD; /* -EINVAL, -ERANGE. "-0", "+1" and "01" are refused */
int num_u64(struct str s, uint64_t *ret) NODISCARD;
int num_hex(struct str s, uint64_t *ret) NODISCARD; /* 1-16 hex digits, no prefix */

/* A span of time: one or more of `<digits><ms|s|m|h|d|w>` from large to small, such as "1h30m", "30s",
 * "500ms". In milliseconds. -EINVAL, -ERANGE. */
int num_duration_ms(struct str s, int64_t *ret_ms) NODISCARD;
/* An amount of bytes: digits with an optional K, M, G (powers of 1024). */
int num_size_bytes(struct str s, uint64_t *ret_bytes) NODISCARD;

/* A decimal fraction with exactly `places` implied places, as an integer: "12.5" with 4 gives 125000.
 * More places than that, exponents and signs other than '-' are refused: never rounds. */
int num_fixed(struct str s, unsigned places, int64_t *ret) NODISCARD;

#define NUM_FIXED_TEXT 24
/* Writes a fixed-point number shortest ("12.5", "3", "-0.0001") with NUL; returns the length. */
size_t num_fixed_text(int64_t v, unsigned places, char text[NUM_FIXED_TEXT]);
#define NUM_DURATION_TEXT 32
size_t num_duration_text(int64_t ms, char text[NUM_DURATION_TEXT]); /* "1h30m", "0s" */

/* RFC 3339 in UTC with milliseconds, "2026-11-23T03:10:27.123Z", from and to ms since 1970. */
#define NUM_TIME_TEXT 32
size_t num_time_text(int64_t unix_ms, char text[NUM_TIME_TEXT]);
/* Accepts any RFC 3339 date-time (offset, fraction cut to ms). -EINVAL. */
int num_time_ms(struct str s, int64_t *ret_unix_ms) NODISCARD;

#endif
