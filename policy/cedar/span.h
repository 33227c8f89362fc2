/*
 * span.h: the texts of decimal, datetime and duration, as Cedar defines them.
 */
#ifndef REEVE_CEDAR_SPAN_H
#define REEVE_CEDAR_SPAN_H

#include "policy/text/str.h"

#define CEDAR_DAY_MS INT64_C(86400000)

/* Each: -EINVAL and *ret_why (static) when the text is none. */
/* "12.5": at least one digit on both sides of the point, at most 4 behind it. */
int cedar_span_decimal(struct str text, int64_t *ret, const char **ret_why) NODISCARD;
/* "2024-10-15", "2024-10-15T11:35:00Z", "...00.123Z", "...00+0100", "...00.123+0100". */
int cedar_span_datetime(struct str text, int64_t *ret_ms, const char **ret_why) NODISCARD;
/* "-1d2h3m4s5ms": units in this order, each at most once. */
int cedar_span_duration(struct str text, int64_t *ret_ms, const char **ret_why) NODISCARD;

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back. */
int64_t cedar_span_days(int64_t year, unsigned month, unsigned day);
void cedar_span_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
