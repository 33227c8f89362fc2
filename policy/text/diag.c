/*
 * diag.c: collects what is wrong with a set of files, and shows it.
 *
 * The offline checks and reeved when it loads policy. File texts and the names in messages are
 * foreign: what is shown holds no control or bidi characters, lines are cut, the list is bounded.
 * Out of memory is remembered and counts as an error, so that a check never passes for lack of
 * memory.
 */
#include "policy/text/diag.h"

#include "policy/text/sort.h"
#include "policy/text/utf8.h"

#define MESSAGE_MAX  1024
#define LINE_COLUMNS 100 /* shown of a long line */
#define LINE_BEFORE  60  /* of them before the caret */

void diags_init(struct diags *d)
{
    *d = (struct diags){.max = DIAGS_MAX};
}

void diags_release(struct diags *d)
{
    for (size_t i = 0; i < d->file_count; i++) {
        free(d->files[i].name);
        free(d->files[i].text);
    }
    for (size_t i = 0; i < d->count; i++) {
        free(d->items[i].message);
        free(d->items[i].expected);
    }
    free(d->files);
    free(d->items);
    diags_init(d);
}

/* What may be shown of a text, malloc'd; NULL when out of memory. */
static char *dup_visible(struct str text, size_t max_bytes)
{
    struct buf shown;

    buf_init(&shown, max_bytes + 1);
    utf8_put_visible(&shown, text, max_bytes);
    return buf_take(&shown, NULL);
}

ssize_t diags_file(struct diags *d, struct str name, struct str text)
{
    struct diag_file f = {.len = text.len}, *files;

    files = reallocarray(d->files, d->file_count + 1, sizeof(*files));
    if (!files)
        goto fail;
    d->files = files;
    f.name = dup_visible(name, MESSAGE_MAX);
    f.text = str_dup(text);
    if (!f.name || !f.text)
        goto fail;
    files[d->file_count] = f;
    return (ssize_t)d->file_count++;
fail:
    free(f.name);
    free(f.text);
    d->failed = ENOMEM;
    return -ENOMEM;
}

/* Whether one more is kept; notes share the fate of what they belong to. */
static bool has_room(struct diags *d, enum diag_level level)
{
    if (d->count < d->max && !(level == DIAG_NOTE && d->truncated))
        return true;
    d->truncated = true;
    return false;
}

static PRINTF(1, 0) char *format_message(const char *fmt, va_list ap)
{
    struct buf raw;
    char *message = NULL;

    buf_init(&raw, SIZE_MAX);
    buf_vfmt(&raw, fmt, ap);
    if (buf_status(&raw) == 0)
        message = dup_visible(buf_str(&raw), MESSAGE_MAX);
    buf_release(&raw);
    return message;
}

void diags_add(struct diags *d, enum diag_level level, size_t file, size_t from, size_t to,
               const char *expected, const char *fmt, ...)
{
    struct diag item = {.level = level, .file = SIZE_MAX}, *items;
    va_list ap;

    d->errors += level == DIAG_ERROR;
    if (!has_room(d, level))
        return;
    if (file < d->file_count) {
        item.file = file;
        item.from = MIN(from, d->files[file].len);
        item.to = MAX(item.from, MIN(to, d->files[file].len));
    }
    va_start(ap, fmt);
    item.message = format_message(fmt, ap);
    va_end(ap);
    item.expected = expected ? dup_visible(str_of(expected), MESSAGE_MAX) : NULL;
    items = reallocarray(d->items, d->count + 1, sizeof(*items));
    if (items)
        d->items = items;
    if (!items || !item.message || (expected && !item.expected)) {
        free(item.message);
        free(item.expected);
        d->failed = ENOMEM;
        return;
    }
    items[d->count++] = item;
}

bool diags_has_errors(const struct diags *d)
{
    return d->errors > 0 || d->failed;
}

static struct str file_text(const struct diags *d, size_t file)
{
    return (struct str){d->files[file].text, d->files[file].len};
}

/* Where the line of a byte begins; counts the lines before it. */
static size_t line_start(struct str text, size_t at, unsigned *ret_line)
{
    size_t start = 0;
    unsigned line = 1;

    for (ssize_t nl = str_find(text, '\n', 0); nl >= 0 && (size_t)nl < at;
         nl = str_find(text, '\n', start)) {
        start = (size_t)nl + 1;
        line++;
    }
    *ret_line = line;
    return start;
}

void diags_where(const struct diags *d, size_t file, size_t at, unsigned *ret_line,
                 unsigned *ret_column)
{
    struct str text;
    size_t start;

    *ret_line = *ret_column = 1;
    if (file >= d->file_count)
        return;
    text = file_text(d, file);
    at = MIN(at, text.len);
    start = line_start(text, at, ret_line);
    *ret_column = 1 + (unsigned)utf8_count(str_slice(text, start, at));
}

/* ---- order
 * ---------------------------------------------------------------------------------------- */

/* What is shown when: each item has the place of the error that it belongs to. */
struct entry {
    const struct diag *item;
    size_t file, from;
};

static int entry_cmp(const void *va, const void *vb, void *ctx)
{
    const struct entry *a = va, *b = vb;

    (void)ctx;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return (a->from > b->from) - (a->from < b->from);
}

/* The items in order, malloc'd; NULL when there is none or no memory. */
static struct entry *in_order(const struct diags *d)
{
    struct entry *entries = d->count > 0 ? calloc(d->count, sizeof(*entries)) : NULL;

    if (!entries)
        return NULL;
    for (size_t i = 0; i < d->count; i++) {
        const struct diag *item = &d->items[i];
        entries[i] = (struct entry){item, item->file, item->from};
        if (item->level == DIAG_NOTE && i > 0)
            entries[i] = (struct entry){item, entries[i - 1].file, entries[i - 1].from};
    }
    if (sort_items(entries, d->count, sizeof(*entries), entry_cmp, NULL) < 0) {
        free(entries);
        return NULL;
    }
    return entries;
}

static const char *level_name(enum diag_level level)
{
    static const char *const names[] = {
        [DIAG_ERROR] = "error",
        [DIAG_WARNING] = "warning",
        [DIAG_NOTE] = "note",
    };

    return names[level];
}

/* ---- for people
 * ----------------------------------------------------------------------------------- */

/* One column for each code point, so that the caret stands where it should. */
static void put_column(struct buf *out, struct str line, size_t *pos)
{
    size_t from = *pos;
    uint32_t cp;

    if (utf8_next(line, pos, &cp) < 0) {
        ++*pos;
        buf_char(out, '?');
    } else if (cp == '\t') {
        buf_char(out, ' ');
    } else if (utf8_is_hidden(cp)) {
        buf_char(out, '?');
    } else {
        buf_put(out, line.ptr + from, *pos - from);
    }
}

/* Columns of the bytes [0, at) of a line, counted as put_column() prints them. */
static size_t columns_to(struct str line, size_t at)
{
    size_t pos = 0, columns = 0;
    uint32_t cp;

    for (; pos < MIN(at, line.len); columns++) {
        if (utf8_next(line, &pos, &cp) < 0)
            pos++;
    }
    return columns;
}

/* The other way: the bytes before a column. */
static size_t bytes_to(struct str line, size_t columns)
{
    size_t pos = 0;
    uint32_t cp;

    for (; columns > 0 && pos < line.len; columns--) {
        if (utf8_next(line, &pos, &cp) < 0)
            pos++;
    }
    return pos;
}

/* The line of the item and a caret under its place. */
static void put_line(const struct diags *d, const struct diag *item, struct buf *out)
{
    struct str text = file_text(d, item->file), line;
    unsigned number;
    size_t start = line_start(text, item->from, &number), skip, caret, wide, pos = 0, shown = 0;
    ssize_t nl = str_find(text, '\n', item->from);

    line = str_slice(text, start, nl < 0 ? text.len : (size_t)nl);
    if (str_ends(line, STR("\r")))
        line.len--;
    caret = columns_to(line, item->from - start);
    wide = columns_to(line, item->to - start) - caret;
    skip = caret > LINE_BEFORE ? caret - LINE_BEFORE : 0;
    buf_fmt(out, "%5u | %s", number, skip > 0 ? "..." : "");
    pos = bytes_to(line, skip);
    for (; pos < line.len && shown < LINE_COLUMNS; shown++)
        put_column(out, line, &pos);
    buf_cstr(out, pos < line.len ? "...\n" : "\n");
    wide = MIN(MAX(wide, (size_t)1), LINE_COLUMNS - (caret - skip));
    buf_fmt(out, "      | %*s^", (int)(caret - skip + (skip > 0 ? 3 : 0)), "");
    for (size_t i = 1; i < wide; i++)
        buf_char(out, '~');
    buf_char(out, '\n');
}

static void put_item(const struct diags *d, const struct diag *item, struct buf *out)
{
    unsigned line, column;

    if (item->file < d->file_count) {
        diags_where(d, item->file, item->from, &line, &column);
        buf_fmt(out, "%s:%u:%u: ", d->files[item->file].name, line, column);
    }
    buf_fmt(out, "%s: %s", level_name(item->level), item->message);
    if (item->expected)
        buf_fmt(out, "; expected %s", item->expected);
    buf_char(out, '\n');
    if (item->file < d->file_count)
        put_line(d, item, out);
}

static void put_count(struct buf *out, const char **comma, size_t n, const char *what)
{
    if (n == 0)
        return;
    buf_fmt(out, "%s%zu %s%s", *comma, n, what, n == 1 ? "" : "s");
    *comma = ", ";
}

void diags_put(const struct diags *d, struct buf *out)
{
    struct entry *entries = in_order(d);
    const char *comma = "";
    size_t warnings = 0;

    for (size_t i = 0; entries && i < d->count; i++) {
        put_item(d, entries[i].item, out);
        warnings += entries[i].item->level == DIAG_WARNING;
    }
    if (d->failed || (d->count > 0 && !entries))
        buf_cstr(out, "error: out of memory, the list is not complete\n");
    put_count(out, &comma, d->errors, "error");
    put_count(out, &comma, warnings, "warning");
    if (d->truncated)
        buf_fmt(out, "%sonly the first %zu are shown", comma, d->count);
    if (*comma || d->truncated)
        buf_char(out, '\n');
    free(entries);
}

/* ---- for programs
 * --------------------------------------------------------------------------------- */

static void put_object(const struct diags *d, const struct diag *item, struct jout *j)
{
    unsigned line, column;

    jout_object(j);
    if (item->file < d->file_count) {
        jout_m_cstr(j, "file", d->files[item->file].name);
        diags_where(d, item->file, item->from, &line, &column);
        jout_m_i64(j, "line", line);
        jout_m_i64(j, "column", column);
        diags_where(d, item->file, item->to, &line, &column);
        jout_m_i64(j, "endLine", line);
        jout_m_i64(j, "endColumn", column);
    }
    jout_m_cstr(j, "level", level_name(item->level));
    jout_m_cstr(j, "message", item->message);
    if (item->expected)
        jout_m_cstr(j, "expected", item->expected);
    jout_object_end(j);
}

void diags_json(const struct diags *d, struct jout *j)
{
    struct entry *entries = in_order(d);

    if ((d->failed || (d->count > 0 && !entries)) && !j->failed)
        j->failed = ENOMEM;
    jout_array(j);
    for (size_t i = 0; entries && i < d->count; i++)
        put_object(d, entries[i].item, j);
    jout_array_end(j);
    free(entries);
}
