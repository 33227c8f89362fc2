/*
 * log.c: one line an event. In every program, called by rooms of floors 3 and up.
 *
 * Values may be a peer's bytes: control and invisible characters, quotes and line breaks are
 * escaped, so that no value can end its line, forge another or repaint a terminal. One write a
 * line; a log that cannot be written is lost, the program goes on.
 */
#include "sandbox/os/log.h"

#include <unistd.h>

#include "policy/text/jout.h"
#include "policy/text/num.h"
#include "policy/text/utf8.h"
#include "sandbox/os/sys.h"

#define LINE_MAX_BYTES  65536
#define VALUE_MAX_BYTES 2048 /* so that no value can push another, or the line, out */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(struct log *l, const char *unit, enum log_level level)
{
    *l = (struct log){.fd = STDERR_FILENO, .level = level, .unit = unit, .clock = &clock_system};
}

int log_level_parse(struct str name, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_is(name, level_names[i])) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
            return false;
    }
    return s.len > 0;
}

/* One code point (or bad byte) at *pos, as it may stand between quotes. */
static void put_quoted(struct buf *out, struct str s, size_t *pos)
{
    size_t start = *pos;
    char c = s.ptr[start];
    uint32_t cp;
    if (c == '"' || c == '\\') {
        buf_char(out, '\\');
        buf_char(out, c);
        (*pos)++;
    } else if (c == '\n' || c == '\t') {
        buf_cstr(out, c == '\n' ? "\\n" : "\\t");
        (*pos)++;
    } else {
        if (utf8_next(s, pos, &cp) < 0)
            (*pos)++;
        utf8_put_visible(out, str_slice(s, start, *pos), 64);
    }
}

static void put_value(struct buf *out, struct str s)
{
    if (is_plain(s) && s.len <= VALUE_MAX_BYTES) {
        buf_str_put(out, s);
        return;
    }
    size_t limit = out->len + VALUE_MAX_BYTES, pos = 0;
    buf_char(out, '"');
    while (pos < s.len && out->len < limit)
        put_quoted(out, s, &pos);
    buf_cstr(out, pos < s.len ? "...\"" : "\"");
}

static int put_logfmt(struct buf *out, const struct log *l, struct str time, const char *level,
                      const struct log_field *fields, size_t n, struct str text)
{
    buf_fmt(out, "time=%.*s level=%s unit=%s", STR_FMT(time), level, l->unit);
    for (size_t i = 0; i < n; i++) {
        buf_fmt(out, " %s=", fields[i].name);
        if (fields[i].text.ptr)
            put_value(out, fields[i].text);
        else
            buf_fmt(out, "%" PRId64, fields[i].number);
    }
    buf_cstr(out, " msg=");
    put_value(out, text);
    return buf_status(out);
}

static void put_json_str(struct jout *j, const char *name, struct str s)
{
    struct buf visible;
    buf_init(&visible, VALUE_MAX_BYTES * 2);
    utf8_put_visible(&visible, s, VALUE_MAX_BYTES);
    jout_m_str(j, name, buf_str(&visible));
    buf_release(&visible);
}

static int put_json(struct buf *out, const struct log *l, struct str time, const char *level,
                    const struct log_field *fields, size_t n, struct str text)
{
    struct jout j;
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_str(&j, "time", time);
    jout_m_cstr(&j, "level", level);
    jout_m_cstr(&j, "unit", l->unit);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].text.ptr)
            put_json_str(&j, fields[i].name, fields[i].text);
        else
            jout_m_i64(&j, fields[i].name, fields[i].number);
    }
    put_json_str(&j, "msg", text);
    jout_object_end(&j);
    return jout_end(&j);
}

void log_put(const struct log *l, enum log_level level, const struct log_field *fields, size_t n,
             const char *fmt, ...)
{
    if (level < l->level)
        return;
    char text[VALUE_MAX_BYTES], time[NUM_TIME_TEXT];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct str msg = {text, (size_t)MIN(MAX(len, 0), (int)sizeof text - 1)};
    struct str at = {time, num_time_text(l->clock->unix_ms(l->clock->arg), time)};
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    int r = (l->json ? put_json : put_logfmt)(&line, l, at, level_names[level], fields, n, msg);
    if (r == 0)
        buf_char(&line, '\n');
    if (r == 0 && buf_status(&line) == 0) {
        (void)sys.write(l->fd, line.ptr, line.len);
    } else {
        static const char lost[] = "level=error msg=\"a log line did not fit and is lost\"\n";
        (void)sys.write(l->fd, lost, sizeof lost - 1);
    }
    buf_release(&line);
}
