/*
 * ext.c: the functions of the extension types, one row each.
 */
#include "policy/cedar/ext.h"

#include <stdio.h>

#include "policy/cedar/ip.h"
#include "policy/cedar/span.h"
#include "policy/text/num.h"

typedef int ext_call_fn(const struct cedar_value *args, struct arena *arena,
                        struct cedar_value *ret, const char **ret_why);

static int make_decimal(const struct cedar_value *args, struct arena *arena UNUSED,
                        struct cedar_value *ret, const char **ret_why)
{
    ret->type = CEDAR_DECIMAL;
    return cedar_span_decimal(args[0].string, &ret->number, ret_why);
}

static int make_datetime(const struct cedar_value *args, struct arena *arena UNUSED,
                         struct cedar_value *ret, const char **ret_why)
{
    ret->type = CEDAR_DATETIME;
    return cedar_span_datetime(args[0].string, &ret->number, ret_why);
}

static int make_duration(const struct cedar_value *args, struct arena *arena UNUSED,
                         struct cedar_value *ret, const char **ret_why)
{
    ret->type = CEDAR_DURATION;
    return cedar_span_duration(args[0].string, &ret->number, ret_why);
}

static int make_ip(const struct cedar_value *args, struct arena *arena, struct cedar_value *ret,
                   const char **ret_why)
{
    struct cedar_ip *ip = ARENA_NEW(arena, struct cedar_ip);

    if (!ip)
        return -ENOMEM;
    *ret = (struct cedar_value){.type = CEDAR_IP, .ip = ip};
    return cedar_ip_parse(args[0].string, ip, ret_why);
}

#define EXT_FN(name, expression)                                                \
    static int name(const struct cedar_value *args, struct arena *arena UNUSED, \
                    struct cedar_value *ret, const char **ret_why UNUSED)       \
    {                                                                           \
        *ret = expression;                                                      \
        return 0;                                                               \
    }
EXT_FN(less, cedar_bool(args[0].number < args[1].number))
EXT_FN(less_equal, cedar_bool(args[0].number <= args[1].number))
EXT_FN(greater, cedar_bool(args[0].number > args[1].number))
EXT_FN(greater_equal, cedar_bool(args[0].number >= args[1].number))
EXT_FN(is_v4, cedar_bool(!args[0].ip->is_v6))
EXT_FN(is_v6, cedar_bool(args[0].ip->is_v6))
EXT_FN(is_loopback, cedar_bool(cedar_ip_is_loopback(args[0].ip)))
EXT_FN(is_multicast, cedar_bool(cedar_ip_is_multicast(args[0].ip)))
EXT_FN(is_in_range, cedar_bool(cedar_ip_is_in_range(args[0].ip, args[1].ip)))
EXT_FN(to_ms, cedar_long(args[0].number))
EXT_FN(to_seconds, cedar_long(args[0].number / 1000))
EXT_FN(to_minutes, cedar_long(args[0].number / 60000))
EXT_FN(to_hours, cedar_long(args[0].number / 3600000))
EXT_FN(to_days, cedar_long(args[0].number / CEDAR_DAY_MS))

/* Milliseconds since midnight, also before 1970. */
static int64_t time_of_day(int64_t ms)
{
    int64_t rest = ms % CEDAR_DAY_MS;

    return rest < 0 ? rest + CEDAR_DAY_MS : rest;
}
EXT_FN(to_time, cedar_duration(time_of_day(args[0].number)))

static int to_date(const struct cedar_value *args, struct arena *arena UNUSED,
                   struct cedar_value *ret, const char **ret_why)
{
    *ret = cedar_datetime(0);
    *ret_why = "the date lies beyond 64 bits of milliseconds";
    return __builtin_sub_overflow(args[0].number, time_of_day(args[0].number), &ret->number)
               ? -EINVAL
               : 0;
}

static int offset(const struct cedar_value *args, struct arena *arena UNUSED,
                  struct cedar_value *ret, const char **ret_why)
{
    *ret = cedar_datetime(0);
    *ret_why = "the datetime lies beyond 64 bits of milliseconds";
    return __builtin_add_overflow(args[0].number, args[1].number, &ret->number) ? -EINVAL : 0;
}

static int duration_since(const struct cedar_value *args, struct arena *arena UNUSED,
                          struct cedar_value *ret, const char **ret_why)
{
    *ret = cedar_duration(0);
    *ret_why = "the duration is too long for 64 bits of milliseconds";
    return __builtin_sub_overflow(args[0].number, args[1].number, &ret->number) ? -EINVAL : 0;
}

static const struct {
    struct cedar_ext_fn fn;
    ext_call_fn *call;
} table[] = {
    {{"decimal", false, 1, {CEDAR_STRING}}, make_decimal},
    {{"lessThan", true, 2, {CEDAR_DECIMAL, CEDAR_DECIMAL}}, less},
    {{"lessThanOrEqual", true, 2, {CEDAR_DECIMAL, CEDAR_DECIMAL}}, less_equal},
    {{"greaterThan", true, 2, {CEDAR_DECIMAL, CEDAR_DECIMAL}}, greater},
    {{"greaterThanOrEqual", true, 2, {CEDAR_DECIMAL, CEDAR_DECIMAL}}, greater_equal},
    {{"ip", false, 1, {CEDAR_STRING}}, make_ip},
    {{"isIpv4", true, 1, {CEDAR_IP}}, is_v4},
    {{"isIpv6", true, 1, {CEDAR_IP}}, is_v6},
    {{"isLoopback", true, 1, {CEDAR_IP}}, is_loopback},
    {{"isMulticast", true, 1, {CEDAR_IP}}, is_multicast},
    {{"isInRange", true, 2, {CEDAR_IP, CEDAR_IP}}, is_in_range},
    {{"datetime", false, 1, {CEDAR_STRING}}, make_datetime},
    {{"duration", false, 1, {CEDAR_STRING}}, make_duration},
    {{"offset", true, 2, {CEDAR_DATETIME, CEDAR_DURATION}}, offset},
    {{"durationSince", true, 2, {CEDAR_DATETIME, CEDAR_DATETIME}}, duration_since},
    {{"toDate", true, 1, {CEDAR_DATETIME}}, to_date},
    {{"toTime", true, 1, {CEDAR_DATETIME}}, to_time},
    {{"toMilliseconds", true, 1, {CEDAR_DURATION}}, to_ms},
    {{"toSeconds", true, 1, {CEDAR_DURATION}}, to_seconds},
    {{"toMinutes", true, 1, {CEDAR_DURATION}}, to_minutes},
    {{"toHours", true, 1, {CEDAR_DURATION}}, to_hours},
    {{"toDays", true, 1, {CEDAR_DURATION}}, to_days},
};

int cedar_ext_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_is(name, table[i].fn.name))
            return (int)i;
    return -1;
}

const struct cedar_ext_fn *cedar_ext_at(unsigned fn)
{
    must(fn < ARRAY_LEN(table));
    return &table[fn].fn;
}

int cedar_ext_call(unsigned fn, const struct cedar_value *args, struct arena *arena,
                   struct cedar_value *ret, const char **ret_why)
{
    must(fn < ARRAY_LEN(table));
    *ret_why = NULL;
    return table[fn].call(args, arena, ret, ret_why);
}

/* ---- texts ---- */

static void decimal_text(int64_t v, char text[CEDAR_EXT_TEXT])
{
    uint64_t size = v < 0 ? UINT64_C(0) - (uint64_t)v : (uint64_t)v;
    int n = snprintf(text, CEDAR_EXT_TEXT, "%s%" PRIu64 ".%04u", v < 0 ? "-" : "", size / 10000,
                     (unsigned)(size % 10000));

    while (text[n - 1] == '0' && text[n - 2] != '.')
        text[--n] = '\0';
}

static bool datetime_text(int64_t ms, char text[CEDAR_EXT_TEXT])
{
    int64_t time = time_of_day(ms), year;
    unsigned month, day;

    cedar_span_date(ms / CEDAR_DAY_MS - (ms % CEDAR_DAY_MS < 0 ? 1 : 0), &year, &month, &day);
    if (year < 0 || year > 9999)
        return false;
    snprintf(text, CEDAR_EXT_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)year, month,
             day, (unsigned)(time / 3600000), (unsigned)(time / 60000 % 60),
             (unsigned)(time / 1000 % 60), (unsigned)(time % 1000));
    return true;
}

const char *cedar_ext_arg(const struct cedar_value *v, char text[CEDAR_EXT_TEXT])
{
    switch (v->type) {
    case CEDAR_DECIMAL:
        decimal_text(v->number, text);
        return "decimal";
    case CEDAR_IP:
        cedar_ip_text(v->ip, text);
        return "ip";
    case CEDAR_DURATION:
        snprintf(text, CEDAR_EXT_TEXT, "%" PRId64 "ms", v->number);
        return "duration";
    case CEDAR_DATETIME:
        return datetime_text(v->number, text) ? "datetime" : NULL;
    default:
        return NULL;
    }
}

void cedar_ext_put(struct buf *out, const struct cedar_value *v)
{
    char text[CEDAR_EXT_TEXT];
    const char *name = cedar_ext_arg(v, text);

    if (name)
        buf_fmt(out, "%s(\"%s\")", name, text);
    else /* a datetime beyond year 9999 */
        buf_fmt(out, "datetime(\"1970-01-01\").offset(duration(\"%" PRId64 "ms\"))", v->number);
}
