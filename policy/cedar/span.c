/*
 * span.c: the texts of decimal, datetime and duration. They may come from a peer: every sum is
 * checked.
 */
#include "policy/cedar/span.h"

#include "policy/text/base.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes digits at *at into v, which is kept negative: that side holds one more. */
static size_t take_digits(struct str s, size_t *at, int64_t *v, bool *over)
{
    size_t from = *at;

    *v = 0;
    while (*at < s.len && is_digit(s.ptr[*at])) {
        *over |= __builtin_mul_overflow(*v, 10, v);
        *over |= __builtin_sub_overflow(*v, s.ptr[*at] - '0', v);
        (*at)++;
    }
    return *at - from;
}

int cedar_span_decimal(struct str text, int64_t *ret, const char **ret_why)
{
    bool negative = text.len > 0 && text.ptr[0] == '-', over = false;
    size_t at = negative ? 1 : 0, places;
    int64_t v, fraction;

    *ret_why = "the text is no decimal: digits, a point, one to four digits";
    if (take_digits(text, &at, &v, &over) == 0 || at >= text.len || text.ptr[at++] != '.')
        return -EINVAL;
    places = take_digits(text, &at, &fraction, &over);
    if (places == 0 || at != text.len)
        return -EINVAL;
    if (places > 4) {
        *ret_why = "a decimal has at most 4 digits behind the point";
        return -EINVAL;
    }
    for (; places < 4; places++)
        fraction *= 10;
    over |= __builtin_mul_overflow(v, 10000, &v) || __builtin_add_overflow(v, fraction, &v);
    if (!negative)
        over |= __builtin_sub_overflow(0, v, &v);
    if (over) {
        *ret_why = "the number is too large for a decimal";
        return -EINVAL;
    }
    *ret = v;
    return 0;
}

/* ---- dates: eras of 400 years that begin in March, so that a leap day ends a year ---- */

int64_t cedar_span_days(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

void cedar_span_date(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *ret_day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = yoe + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* Exactly n digits at *at. */
static bool fixed(struct str s, size_t *at, size_t n, unsigned *ret)
{
    *ret = 0;
    for (size_t i = 0; i < n; i++, (*at)++) {
        if (*at >= s.len || !is_digit(s.ptr[*at]))
            return false;
        *ret = *ret * 10 + (unsigned)(s.ptr[*at] - '0');
    }
    return true;
}

static bool literal(struct str s, size_t *at, char c)
{
    if (*at >= s.len || s.ptr[*at] != c)
        return false;
    (*at)++;
    return true;
}

static int parse_date(struct str s, size_t *at, int64_t *ret_ms, const char **ret_why)
{
    unsigned year, month, day;

    *ret_why = "the text does not begin with a date such as 2024-10-15";
    if (!fixed(s, at, 4, &year) || !literal(s, at, '-') || !fixed(s, at, 2, &month) ||
        !literal(s, at, '-') || !fixed(s, at, 2, &day))
        return -EINVAL;
    *ret_why = "there is no such date";
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return -EINVAL;
    *ret_ms = cedar_span_days(year, month, day) * CEDAR_DAY_MS;
    return 0;
}

/* "Z" or "+hhmm": the milliseconds to take off. */
static int parse_offset(struct str s, size_t *at, int64_t *ret_ms, const char **ret_why)
{
    unsigned hours, minutes;
    bool west;

    *ret_ms = 0;
    if (literal(s, at, 'Z'))
        return 0;
    *ret_why = "a time ends with Z or an offset such as +0100";
    west = literal(s, at, '-');
    if ((!west && !literal(s, at, '+')) || !fixed(s, at, 2, &hours) || !fixed(s, at, 2, &minutes))
        return -EINVAL;
    *ret_why = "an offset goes from -2359 to +2359";
    if (hours > 23 || minutes > 59)
        return -EINVAL;
    *ret_ms = (int64_t)(hours * 60 + minutes) * 60000 * (west ? -1 : 1);
    return 0;
}

int cedar_span_datetime(struct str text, int64_t *ret_ms, const char **ret_why)
{
    unsigned hours, minutes, seconds, ms = 0;
    int64_t day, offset;
    size_t at = 0;
    int rc = parse_date(text, &at, &day, ret_why);

    if (rc < 0)
        return rc;
    *ret_ms = day;
    if (at == text.len)
        return 0;
    *ret_why = "behind the date stands a time such as T11:35:00Z";
    if (!literal(text, &at, 'T') || !fixed(text, &at, 2, &hours) || !literal(text, &at, ':') ||
        !fixed(text, &at, 2, &minutes) || !literal(text, &at, ':') ||
        !fixed(text, &at, 2, &seconds))
        return -EINVAL;
    if (literal(text, &at, '.') && !fixed(text, &at, 3, &ms))
        return -EINVAL;
    *ret_why = "there is no such time of day";
    if (hours > 23 || minutes > 59 || seconds > 59)
        return -EINVAL;
    rc = parse_offset(text, &at, &offset, ret_why);
    if (rc < 0)
        return rc;
    if (at != text.len) {
        *ret_why = "the time has something behind its end";
        return -EINVAL;
    }
    *ret_ms = day + ((int64_t)hours * 3600 + minutes * 60 + seconds) * 1000 + ms - offset;
    return 0;
}

int cedar_span_duration(struct str text, int64_t *ret_ms, const char **ret_why)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    bool negative = text.len > 0 && text.ptr[0] == '-', over = false;
    size_t at = negative ? 1 : 0, next = 0;
    int64_t sum = 0;

    *ret_why = "the text is no duration such as 1d2h30m or 500ms";
    while (at < text.len) {
        int64_t v;
        size_t unit, from;

        if (take_digits(text, &at, &v, &over) == 0)
            return -EINVAL;
        from = at;
        while (at < text.len && !is_digit(text.ptr[at]))
            at++;
        for (unit = next; unit < ARRAY_LEN(units); unit++)
            if (str_is(str_slice(text, from, at), units[unit].name))
                break;
        if (unit == ARRAY_LEN(units))
            return -EINVAL;
        next = unit + 1;
        over |=
            __builtin_mul_overflow(v, units[unit].ms, &v) || __builtin_add_overflow(sum, v, &sum);
    }
    if (next == 0)
        return -EINVAL;
    if (!negative)
        over |= __builtin_sub_overflow(0, sum, &sum);
    if (over) {
        *ret_why = "the duration is too long for 64 bits of milliseconds";
        return -EINVAL;
    }
    *ret_ms = sum;
    return 0;
}
