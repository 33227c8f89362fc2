/*
 * num.c: numbers from text and back.
 *
 * Every process; the text is foreign. Strict by construction: one reader of digits that counts what
 * it took and refuses to overflow. No locale, no clock: times are arithmetic on the proleptic
 * Gregorian calendar.
 */
#include "policy/text/num.h"

#include <stdio.h>

#define MS_PER_DAY INT64_C(86400000)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits from *pos on; -EINVAL when there is none, -ERANGE beyond uint64. */
static int read_digits(struct str s, size_t *pos, uint64_t *ret)
{
    size_t from = *pos;
    uint64_t v = 0;
    bool over = false;

    for (; *pos < s.len && is_digit(s.ptr[*pos]); ++*pos) {
        over |= __builtin_mul_overflow(v, UINT64_C(10), &v);
        over |= __builtin_add_overflow(v, (uint64_t)(s.ptr[*pos] - '0'), &v);
    }
    if (*pos == from)
        return -EINVAL;
    *ret = v;
    return over ? -ERANGE : 0;
}

int num_u64(struct str s, uint64_t *ret)
{
    uint64_t v = 0;
    size_t pos = 0;
    int r = read_digits(s, &pos, &v);

    if (pos != s.len || r == -EINVAL || (s.len > 1 && s.ptr[0] == '0'))
        return -EINVAL;
    if (r == 0)
        *ret = v;
    return r;
}

/* Magnitude and sign into an int64. */
static int put_sign(uint64_t v, bool negative, int64_t *ret)
{
    if (v > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return -ERANGE;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

int num_i64(struct str s, int64_t *ret)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    uint64_t v = 0;
    int r = num_u64(str_slice(s, negative ? 1 : 0, s.len), &v);

    if (r < 0)
        return r;
    if (negative && v == 0)
        return -EINVAL;
    return put_sign(v, negative, ret);
}

int num_hex(struct str s, uint64_t *ret)
{
    uint64_t v = 0;

    if (s.len < 1 || s.len > 16)
        return -EINVAL;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        unsigned digit;
        if (is_digit(c))
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return -EINVAL;
        v = v << 4 | digit;
    }
    *ret = v;
    return 0;
}

/* Large to small: the order in which they may stand. */
static const struct {
    const char *name;
    int64_t ms;
} units[] = {
    {"w", 7 * MS_PER_DAY}, {"d", MS_PER_DAY}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

/* The unit at *pos, as an index; all letters up to the next digit must belong to it. */
static int read_unit(struct str s, size_t *pos)
{
    size_t from = *pos;
    struct str name;

    while (*pos < s.len && !is_digit(s.ptr[*pos]))
        ++*pos;
    name = str_slice(s, from, *pos);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (str_is(name, units[i].name))
            return (int)i;
    }
    return -EINVAL;
}

int num_duration_ms(struct str s, int64_t *ret_ms)
{
    size_t pos = 0;
    int64_t total = 0;
    int last = -1, range = 0;

    if (s.len == 0)
        return -EINVAL;
    while (pos < s.len) {
        uint64_t count;
        int64_t part = 0;
        int r = read_digits(s, &pos, &count), unit;

        if (r == -EINVAL)
            return r;
        unit = read_unit(s, &pos);
        if (unit <= last)
            return -EINVAL;
        last = unit;
        if (r < 0 || __builtin_mul_overflow(count, units[unit].ms, &part) ||
            __builtin_add_overflow(total, part, &total))
            range = -ERANGE;
    }
    if (range == 0)
        *ret_ms = total;
    return range;
}

int num_size_bytes(struct str s, uint64_t *ret_bytes)
{
    static const char suffixes[] = "KMG";
    unsigned shift = 0;
    uint64_t v = 0;
    int r;

    if (s.len > 1) {
        const char *hit = memchr(suffixes, s.ptr[s.len - 1], sizeof(suffixes) - 1);
        if (hit) {
            shift = 10 * (unsigned)(hit - suffixes + 1);
            s.len--;
        }
    }
    r = num_u64(s, &v);
    if (r < 0)
        return r;
    if (v > UINT64_MAX >> shift)
        return -ERANGE;
    *ret_bytes = v << shift;
    return 0;
}

int num_fixed(struct str s, unsigned places, int64_t *ret)
{
    bool negative = s.len > 0 && s.ptr[0] == '-', over = false;
    size_t pos = negative ? 1 : 0, whole_end;
    uint64_t v = 0, fraction = 0;
    unsigned have = 0;
    int r = read_digits(s, &pos, &v);

    if (r == -EINVAL)
        return r;
    over = r < 0;
    whole_end = pos;
    if (pos < s.len && s.ptr[pos] == '.') {
        pos++;
        r = read_digits(s, &pos, &fraction);
        if (r == -EINVAL || pos - whole_end - 1 > places)
            return -EINVAL;
        have = (unsigned)(pos - whole_end - 1);
    }
    if (pos != s.len)
        return -EINVAL;
    over |= r < 0;
    for (unsigned i = 0; i < places; i++) {
        over |= __builtin_mul_overflow(v, UINT64_C(10), &v);
        if (i >= have)
            over |= __builtin_mul_overflow(fraction, UINT64_C(10), &fraction);
    }
    over |= __builtin_add_overflow(v, fraction, &v);
    return over ? -ERANGE : put_sign(v, negative, ret);
}

size_t num_fixed_text(int64_t v, unsigned places, char text[NUM_FIXED_TEXT])
{
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char digits[NUM_FIXED_TEXT];
    size_t at = sizeof(digits);
    bool point = false;

    /* From the right: zeros at the end of the fraction are left out. An int64 has 19 digits, so
     * with more than 18 places the text would not be bounded by NUM_FIXED_TEXT. */
    must(places <= 18);
    for (unsigned i = 0; i < places; i++, rest /= 10) {
        if (point || rest % 10 != 0) {
            digits[--at] = (char)('0' + rest % 10);
            point = true;
        }
    }
    if (point)
        digits[--at] = '.';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0)
        digits[--at] = '-';
    memcpy(text, digits + at, sizeof(digits) - at);
    text[sizeof(digits) - at] = '\0';
    return sizeof(digits) - at;
}

size_t num_duration_text(int64_t ms, char text[NUM_DURATION_TEXT])
{
    uint64_t rest = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    size_t len = 0;

    if (ms == 0)
        return (size_t)snprintf(text, NUM_DURATION_TEXT, "0s");
    if (ms < 0)
        text[len++] = '-';
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t unit = (uint64_t)units[i].ms;
        if (rest >= unit)
            len += (size_t)snprintf(text + len, NUM_DURATION_TEXT - len, "%" PRIu64 "%s",
                                    rest / unit, units[i].name);
        rest %= unit;
    }
    return len;
}

/* Days since 1970-01-01 of a date; the year is counted from March, so that a leap day comes last.
 */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t mp = (5 * of_year + 2) / 153;

    *day = (unsigned)(of_year - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = y + era * 400 + (*month <= 2);
}

size_t num_time_text(int64_t unix_ms, char text[NUM_TIME_TEXT])
{
    int64_t days = unix_ms / MS_PER_DAY, ms = unix_ms % MS_PER_DAY, year;
    unsigned month, day;

    if (ms < 0) {
        ms += MS_PER_DAY;
        days--;
    }
    date_of(days, &year, &month, &day);
    return (size_t)snprintf(text, NUM_TIME_TEXT, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u.%03uZ",
                            year, month, day, (unsigned)(ms / 3600000), (unsigned)(ms / 60000 % 60),
                            (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
}

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* `n` digits at *pos, then `behind` unless it is 0. */
static bool read_part(struct str s, size_t *pos, unsigned n, char behind, unsigned *ret)
{
    unsigned v = 0;

    for (unsigned i = 0; i < n; i++, ++*pos) {
        if (*pos >= s.len || !is_digit(s.ptr[*pos]))
            return false;
        v = v * 10 + (unsigned)(s.ptr[*pos] - '0');
    }
    *ret = v;
    if (!behind)
        return true;
    if (*pos >= s.len || (s.ptr[*pos] != behind && !(behind == 'T' && s.ptr[*pos] == 't')))
        return false;
    ++*pos;
    return true;
}

/* The optional fraction of a second, cut to ms. */
static bool read_fraction(struct str s, size_t *pos, unsigned *ret_ms)
{
    unsigned scale = 100;
    size_t from;

    *ret_ms = 0;
    if (*pos >= s.len || s.ptr[*pos] != '.')
        return true;
    from = ++*pos;
    for (; *pos < s.len && is_digit(s.ptr[*pos]); ++*pos, scale /= 10)
        *ret_ms += scale * (unsigned)(s.ptr[*pos] - '0');
    return *pos > from;
}

/* "Z" or an offset, up to the end of the text; in minutes east. */
static bool read_zone(struct str s, size_t pos, int *ret_minutes)
{
    unsigned hours, minutes;
    char sign;

    if (pos >= s.len)
        return false;
    sign = s.ptr[pos++];
    *ret_minutes = 0;
    if (sign == 'Z' || sign == 'z')
        return pos == s.len;
    if ((sign != '+' && sign != '-') || !read_part(s, &pos, 2, ':', &hours) ||
        !read_part(s, &pos, 2, 0, &minutes) || pos != s.len || hours > 23 || minutes > 59)
        return false;
    *ret_minutes = (int)(hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return true;
}

int num_time_ms(struct str s, int64_t *ret_unix_ms)
{
    unsigned year, month, day, hour, minute, second, ms;
    size_t pos = 0;
    int64_t at;
    int zone;

    if (!read_part(s, &pos, 4, '-', &year) || !read_part(s, &pos, 2, '-', &month) ||
        !read_part(s, &pos, 2, 'T', &day) || !read_part(s, &pos, 2, ':', &hour) ||
        !read_part(s, &pos, 2, ':', &minute) || !read_part(s, &pos, 2, 0, &second) ||
        !read_fraction(s, &pos, &ms) || !read_zone(s, pos, &zone))
        return -EINVAL;
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return -EINVAL;
    at = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    at -= (int64_t)zone * 60;
    /* A leap second ends a day in UTC; it has no number of its own, the next second has it. */
    if (second == 60 && ((at % 86400) + 86400) % 86400 != 0)
        return -EINVAL;
    *ret_unix_ms = at * 1000 + ms;
    return 0;
}
