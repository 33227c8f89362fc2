/*
 * jout.c: the JSON writer.
 *
 * Every process. Its callers pass on foreign strings and trees; whatever they hold, either one
 * valid value comes out or nothing does. Never writes a line break.
 */
#include "policy/text/jout.h"

#include "policy/text/num.h"
#include "policy/text/utf8.h"

void jout_begin(struct jout *j, struct buf *out)
{
    *j = (struct jout){.out = out, .start = out->len};
}

int jout_end(struct jout *j)
{
    int r = -j->failed;

    if (r == 0)
        r = buf_status(j->out);
    if (r == 0 && (j->depth > 0 || !j->has_item[0]))
        r = -EINVAL;
    if (r < 0)
        buf_truncate(j->out, j->start);
    return r;
}

static void fail(struct jout *j, int number)
{
    if (!j->failed)
        j->failed = number;
}

/* Before each value: is one in place here? Writes the comma of an array. */
static bool begin_value(struct jout *j)
{
    if (j->failed)
        return false;
    if (j->depth == 0 ? j->has_item[0] : j->is_object[j->depth] && !j->wants_value) {
        fail(j, EINVAL);
        return false;
    }
    if (j->depth > 0 && !j->is_object[j->depth] && j->has_item[j->depth])
        buf_char(j->out, ',');
    j->has_item[j->depth] = true;
    j->wants_value = false;
    return true;
}

static void open_container(struct jout *j, bool object)
{
    if (!begin_value(j))
        return;
    if (j->depth >= JOUT_DEPTH_MAX) {
        fail(j, E2BIG);
        return;
    }
    j->depth++;
    j->is_object[j->depth] = object;
    j->has_item[j->depth] = false;
    buf_char(j->out, object ? '{' : '[');
}

static void close_container(struct jout *j, bool object)
{
    if (j->failed)
        return;
    if (j->depth == 0 || j->is_object[j->depth] != object || j->wants_value) {
        fail(j, EINVAL);
        return;
    }
    j->depth--;
    buf_char(j->out, object ? '}' : ']');
}

void jout_object(struct jout *j)
{
    open_container(j, true);
}

void jout_object_end(struct jout *j)
{
    close_container(j, true);
}

void jout_array(struct jout *j)
{
    open_container(j, false);
}

void jout_array_end(struct jout *j)
{
    close_container(j, false);
}

void jout_name(struct jout *j, const char *name)
{
    jout_name_str(j, str_of(name));
}

/* Two members of one name are not refused here: a writer that remembered all names would cost more
 * than the readers that refuse them. */
void jout_name_str(struct jout *j, struct str name)
{
    if (j->failed)
        return;
    if (j->depth == 0 || !j->is_object[j->depth] || j->wants_value) {
        fail(j, EINVAL);
        return;
    }
    if (j->has_item[j->depth])
        buf_char(j->out, ',');
    if (jout_escape(j->out, name) == -EILSEQ)
        fail(j, EILSEQ);
    buf_char(j->out, ':');
    j->wants_value = true;
}

void jout_null(struct jout *j)
{
    if (begin_value(j))
        buf_cstr(j->out, "null");
}

void jout_bool(struct jout *j, bool v)
{
    if (begin_value(j))
        buf_cstr(j->out, v ? "true" : "false");
}

void jout_i64(struct jout *j, int64_t v)
{
    if (begin_value(j))
        buf_fmt(j->out, "%" PRId64, v);
}

void jout_u64(struct jout *j, uint64_t v)
{
    if (begin_value(j))
        buf_fmt(j->out, "%" PRIu64, v);
}

void jout_str(struct jout *j, struct str v)
{
    if (begin_value(j) && jout_escape(j->out, v) == -EILSEQ)
        fail(j, EILSEQ);
}

void jout_cstr(struct jout *j, const char *v)
{
    if (v)
        jout_str(j, str_of(v));
    else
        jout_null(j);
}

static PRINTF(2, 0) void put_vfmt(struct jout *j, const char *fmt, va_list ap)
{
    struct buf text;

    /* A buffer of its own, for the escapes must be made of the whole text. */
    buf_init(&text, j->out->max);
    buf_vfmt(&text, fmt, ap);
    if (buf_status(&text) < 0)
        fail(j, text.failed);
    else
        jout_str(j, buf_str(&text));
    buf_release(&text);
}

void jout_fmt(struct jout *j, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put_vfmt(j, fmt, ap);
    va_end(ap);
}

void jout_fixed(struct jout *j, int64_t v, unsigned places)
{
    char text[NUM_FIXED_TEXT];
    size_t len = num_fixed_text(v, places, text);

    if (begin_value(j))
        buf_put(j->out, text, len);
}

/* Opens or writes one value of a tree; true when it has parts that follow. */
static bool put_node(struct jout *j, const struct json *v)
{
    switch (v->type) {
    case JSON_OBJECT:
        jout_object(j);
        return true;
    case JSON_ARRAY:
        jout_array(j);
        return true;
    default:
        /* A value that was not read from text has no bytes to pass on. */
        if (v->raw.len == 0)
            fail(j, EINVAL);
        else if (begin_value(j))
            buf_str_put(j->out, v->raw);
        return false;
    }
}

void jout_json(struct jout *j, const struct json *v)
{
    struct frame {
        const struct json *v;
        size_t next;
    } stack[JOUT_DEPTH_MAX];
    size_t depth = 0;

    if (put_node(j, v) && !j->failed)
        stack[depth++] = (struct frame){v, 0};
    while (depth > 0 && !j->failed) {
        const struct json *top = stack[depth - 1].v, *child;
        size_t i = stack[depth - 1].next++;
        bool object = top->type == JSON_OBJECT;

        if (i == (object ? top->object.count : top->array.count)) {
            close_container(j, object);
            depth--;
            continue;
        }
        child = object ? &top->object.members[i].value : &top->array.items[i];
        if (object)
            jout_name_str(j, top->object.members[i].name);
        /* open_container() refused what would not fit the stack. */
        if (put_node(j, child) && !j->failed)
            stack[depth++] = (struct frame){child, 0};
    }
}

void jout_raw(struct jout *j, struct str json_text)
{
    struct json_limits limits = {
        .max_bytes = j->out->max,
        .max_depth = JOUT_DEPTH_MAX - j->depth,
        .max_values = SIZE_MAX,
    };
    int r = json_check(json_text, &limits, NULL, NULL);

    /* Inside of strings the check allows no line break; outside it would end a message early. */
    if (r == 0 && (str_find(json_text, '\n', 0) >= 0 || str_find(json_text, '\r', 0) >= 0))
        r = -EINVAL;
    if (r < 0) {
        bool passed_on = r == -EILSEQ || r == -E2BIG || r == -ENOMEM;
        fail(j, passed_on ? -r : EINVAL);
        return;
    }
    if (begin_value(j))
        buf_str_put(j->out, str_trim(json_text));
}

void jout_m_str(struct jout *j, const char *name, struct str v)
{
    jout_name(j, name);
    jout_str(j, v);
}

void jout_m_cstr(struct jout *j, const char *name, const char *v)
{
    jout_name(j, name);
    jout_cstr(j, v);
}

void jout_m_i64(struct jout *j, const char *name, int64_t v)
{
    jout_name(j, name);
    jout_i64(j, v);
}

void jout_m_bool(struct jout *j, const char *name, bool v)
{
    jout_name(j, name);
    jout_bool(j, v);
}

void jout_m_json(struct jout *j, const char *name, const struct json *v)
{
    if (!v)
        return;
    jout_name(j, name);
    jout_json(j, v);
}

void jout_m_fmt(struct jout *j, const char *name, const char *fmt, ...)
{
    va_list ap;

    jout_name(j, name);
    va_start(ap, fmt);
    put_vfmt(j, fmt, ap);
    va_end(ap);
}

void jout_m_time(struct jout *j, const char *name, int64_t unix_ms)
{
    char text[NUM_TIME_TEXT];
    size_t len = num_time_text(unix_ms, text);

    jout_m_str(j, name, (struct str){text, len});
}

/* What stands behind the backslash for a byte; 0: none is needed; 'u': four hex digits. */
static char escape_of(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\f':
        return 'f';
    case '\r':
        return 'r';
    default:
        return c < 0x20 ? 'u' : 0;
    }
}

int jout_escape(struct buf *out, struct str s)
{
    size_t start = out->len, plain = 0;

    if (!utf8_is_valid(s))
        return -EILSEQ;
    buf_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        char escape = escape_of((unsigned char)s.ptr[i]);
        if (!escape)
            continue;
        buf_put(out, s.ptr + plain, i - plain);
        buf_char(out, '\\');
        buf_char(out, escape);
        if (escape == 'u')
            buf_fmt(out, "%04x", (unsigned)(unsigned char)s.ptr[i]);
        plain = i + 1;
    }
    if (s.len > plain)
        buf_put(out, s.ptr + plain, s.len - plain);
    buf_char(out, '"');
    if (buf_status(out) < 0)
        buf_truncate(out, start);
    return buf_status(out);
}
