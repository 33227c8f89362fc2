/*
 * bind.c: see bind.h.
 */
#include "policy/bind.h"

#include "policy/suggest.h"
#include "policy/text/names.h"

#define LINE_MAX_BYTES 4096
#define PATH_MAX_BYTES 4095
#define ITEMS_MAX      1024

PRINTF(5, 0)
static void error_at(struct bind *b, size_t from, size_t to, const char *expected, const char *fmt,
                     va_list ap)
{
    char text[512];
    vsnprintf(text, sizeof(text), fmt, ap);
    diags_add(b->diags, DIAG_ERROR, b->file, from, to, expected, "%s", text);
}

void bind_error(struct bind *b, const struct yaml *at, const char *expected, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_at(b, at->from, at->to, expected, fmt, ap);
    va_end(ap);
}

void bind_key_error(struct bind *b, const struct yaml *at, const char *expected, const char *fmt,
                    ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_at(b, at->key_from, at->key_to, expected, fmt, ap);
    va_end(ap);
}

static void *field(void *object, size_t offset)
{
    return (char *)object + offset;
}

static const void *field_of(const void *object, size_t offset)
{
    return (const char *)object + offset;
}

static void *array_new(struct bind *b, size_t n, size_t size)
{
    void *p = arena_array(b->arena, MAX(n, 1), size);
    if (!p)
        b->status = -ENOMEM;
    return p;
}

/* ---- ${name} ---- */

static bool find_def(const struct bind *b, struct str name, struct str *ret)
{
    if (str_is(name, "dir")) {
        *ret = b->dir;
        return true;
    }
    for (size_t i = 0; b->defs && i < b->defs->count; i++) {
        if (!str_eq(b->defs->items[i].name, name))
            continue;
        *ret = b->defs->items[i].value;
        return true;
    }
    return false;
}

/* One `${name}` or `${name:-default}`; *pos stands behind `${`. */
static bool expand_one(struct bind *b, const struct yaml *at, struct str s, size_t *pos,
                       struct buf *out)
{
    ssize_t end = str_find(s, '}', *pos);
    if (end < 0) {
        bind_error(b, at, "`}`", "`${` is not closed");
        return false;
    }
    struct str name = str_slice(s, *pos, (size_t)end), dflt = STR_NONE;
    *pos = (size_t)end + 1;
    ssize_t colon = str_find(name, ':', 0);
    bool has_default =
        colon >= 0 && str_starts(str_slice(name, (size_t)colon, name.len), STR(":-"));
    if (has_default) {
        dflt = str_slice(name, (size_t)colon + 2, name.len);
        name = str_slice(name, 0, (size_t)colon);
    }
    struct str value;
    if (find_def(b, name, &value)) {
        buf_str_put(out, value);
    } else if (has_default) {
        buf_str_put(out, dflt);
    } else {
        bind_error(b, at, "a definition: --set name=value", "`${%.*s}` is not defined",
                   STR_FMT(name));
        return false;
    }
    return true;
}

/* The text with its definitions put in; `$${` stands for `${`. False: an error was added. */
static bool expand(struct bind *b, const struct yaml *at, struct str *text)
{
    struct str s = *text;
    if (!b->defs || str_find(s, '$', 0) < 0)
        return true;
    struct buf out;
    buf_init(&out, 1u << 20);
    bool good = true;
    for (size_t i = 0; i < s.len && good;) {
        struct str rest = str_slice(s, i, s.len);
        if (str_starts(rest, STR("$${"))) {
            buf_cstr(&out, "${");
            i += 3;
        } else if (str_starts(rest, STR("${"))) {
            i += 2;
            good = expand_one(b, at, s, &i, &out);
        } else {
            buf_char(&out, s.ptr[i++]);
        }
    }
    if (good && buf_status(&out) == 0) {
        *text = arena_str(b->arena, buf_str(&out));
        if (!text->ptr)
            b->status = -ENOMEM;
    } else if (good) {
        b->status = -ENOMEM;
    }
    buf_release(&out);
    return good && b->status == 0;
}

/* ---- texts ---- */

static bool is_line(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return false;
    }
    return true;
}

/* Absolute, no empty, `.` or `..` part. */
bool bind_is_path(struct str s)
{
    if (s.len < 1 || s.len > PATH_MAX_BYTES || s.ptr[0] != '/' || !is_line(s))
        return false;
    if (s.len == 1)
        return true;
    struct str rest = str_slice(s, 1, s.len), part;
    if (rest.ptr[rest.len - 1] == '/')
        rest.len--;
    while (str_split(&rest, '/', &part)) {
        if (part.len == 0 || str_is(part, ".") || str_is(part, ".."))
            return false;
    }
    return true;
}

static bool is_url(struct str s)
{
    struct str rest = str_starts(s, STR("https://"))  ? str_slice(s, 8, s.len)
                      : str_starts(s, STR("http://")) ? str_slice(s, 7, s.len)
                                                      : STR_NONE;
    if (rest.len == 0 || rest.ptr[0] == '/' || rest.ptr[0] == ':' || s.len > 2048)
        return false;
    for (size_t i = 0; i < rest.len; i++) {
        unsigned char c = (unsigned char)rest.ptr[i];
        /* No user info (it would be a secret in a file that everybody reads), query or fragment. */
        if (c <= 0x20 || c >= 0x7f || c == '@' || c == '?' || c == '#' || c == '\\')
            return false;
    }
    return true;
}

static const char *text_rule(const struct bind_row *row)
{
    switch (row->type) {
    case BIND_NAME:
    case BIND_NAMES:
        return name_rule_text;
    case BIND_PATH:
        return "an absolute path without `.` and `..`";
    case BIND_URL:
        return "a URL such as https://host/v1 without user, query and fragment";
    default:
        return "text of one line";
    }
}

static bool text_is_ok(const struct bind_row *row, struct str s)
{
    size_t max = row->max > 0 && row->type != BIND_NAMES && row->type != BIND_LINES
                     ? (size_t)row->max
                     : LINE_MAX_BYTES;
    switch (row->type) {
    case BIND_NAME:
    case BIND_NAMES:
        return name_is_ok(s);
    case BIND_PATH:
        return bind_is_path(s);
    case BIND_URL:
        return is_url(s);
    case BIND_TEXT:
        return s.len <= max;
    default:
        return s.len <= max && is_line(s);
    }
}

/* A scalar's text, expanded and checked; false: an error was added. */
static bool read_text(struct bind *b, const struct bind_row *row, const struct yaml *v,
                      struct str *ret)
{
    const char *expected = row->expected ? row->expected : text_rule(row);
    if (v->type != YAML_SCALAR || yaml_is_null(v)) {
        bind_error(b, v, expected, "`%s` is %s", row->key, yaml_type_name(v));
        return false;
    }
    struct str s = v->text;
    if ((row->flags & BIND_EXPAND) && !expand(b, v, &s))
        return false;
    /* What a definition leaves empty is absent, where it may be. */
    if (s.len == 0 && !(row->flags & (BIND_REQUIRED | BIND_NOT_EMPTY)) && row->type != BIND_NAMES) {
        *ret = s;
        return true;
    }
    if ((s.len == 0 && (row->flags & BIND_NOT_EMPTY)) || !text_is_ok(row, s)) {
        if (s.len <= 120 && is_line(s))
            bind_error(b, v, expected, "`%s` cannot be `%.*s`", row->key, STR_FMT(s));
        else
            bind_error(b, v, expected, "`%s` cannot be this", row->key);
        return false;
    }
    *ret = s;
    if (row->ref && b->on_ref)
        b->on_ref(b->arg, row->ref, s, b->file, v->from, v->to);
    return true;
}

/* ---- numbers ---- */

static int number_parse(const struct bind_row *row, struct str s, int64_t *ret)
{
    uint64_t size = 0;
    switch (row->type) {
    case BIND_DURATION:
        return num_duration_ms(s, ret);
    case BIND_FIXED:
        return num_fixed(s, row->places, ret);
    case BIND_SIZE:
        if (num_size_bytes(s, &size) < 0 || size > INT64_MAX)
            return -EINVAL;
        *ret = (int64_t)size;
        return 0;
    default:
        return num_i64(s, ret);
    }
}

static void number_text(const struct bind_row *row, int64_t v, char *text, size_t size)
{
    char fixed[NUM_FIXED_TEXT], span[NUM_DURATION_TEXT];
    if (row->type == BIND_DURATION) {
        num_duration_text(v, span);
        snprintf(text, size, "%s", span);
    } else if (row->type == BIND_FIXED) {
        num_fixed_text(v, row->places, fixed);
        snprintf(text, size, "%s", fixed);
    } else if (row->type == BIND_SIZE && v % (1 << 30) == 0 && v > 0) {
        snprintf(text, size, "%" PRId64 "G", v >> 30);
    } else if (row->type == BIND_SIZE && v % (1 << 20) == 0 && v > 0) {
        snprintf(text, size, "%" PRId64 "M", v >> 20);
    } else {
        snprintf(text, size, "%" PRId64, v);
    }
}

static const char *number_rule(enum bind_type t)
{
    return t == BIND_DURATION ? "a time such as 30s, 5m or 1h30m"
           : t == BIND_SIZE   ? "an amount of bytes such as 65536, 64K or 256M"
           : t == BIND_FIXED  ? "a number such as 0.15"
                              : "a whole number";
}

static void read_number(struct bind *b, const struct bind_row *row, const struct yaml *v,
                        void *object)
{
    char rule[160], low[40], high[40];
    number_text(row, row->min, low, sizeof(low));
    number_text(row, row->max, high, sizeof(high));
    snprintf(rule, sizeof(rule), "%s, from %s to %s", number_rule(row->type), low, high);
    int64_t n = 0;
    if (v->type != YAML_SCALAR || yaml_is_null(v))
        bind_error(b, v, rule, "`%s` is %s", row->key, yaml_type_name(v));
    else if (number_parse(row, v->text, &n) < 0)
        bind_error(b, v, rule, "`%s` cannot be `%.*s`", row->key,
                   STR_FMT(str_slice(v->text, 0, 80)));
    else if (n < row->min || n > row->max)
        bind_error(b, v, rule, "`%s` is out of bounds: `%.*s`", row->key, STR_FMT(v->text));
    else
        *(int64_t *)field(object, row->offset) = n;
}

static void read_bool(struct bind *b, const struct bind_row *row, const struct yaml *v,
                      void *object)
{
    bool yes = v->type == YAML_SCALAR && v->plain && str_is(v->text, "true");
    bool no = v->type == YAML_SCALAR && v->plain && str_is(v->text, "false");
    if (yes || no)
        *(bool *)field(object, row->offset) = yes;
    else if (v->type == YAML_SCALAR && !yaml_is_null(v))
        bind_error(b, v, "true or false", "`%s` cannot be `%.*s`", row->key,
                   STR_FMT(str_slice(v->text, 0, 80)));
    else
        bind_error(b, v, "true or false", "`%s` is %s", row->key, yaml_type_name(v));
}

static void read_enum(struct bind *b, const struct bind_row *row, const struct yaml *v,
                      void *object)
{
    char rule[200] = "one of ";
    struct suggest near;
    suggest_init(&near, v->text);
    for (int i = 0; row->names[i]; i++) {
        if (v->type == YAML_SCALAR && str_is(v->text, row->names[i])) {
            *(int *)field(object, row->offset) = i;
            return;
        }
        suggest_add(&near, str_of(row->names[i]));
        size_t used = strlen(rule);
        snprintf(rule + used, sizeof(rule) - used, "%s%s", i ? ", " : "", row->names[i]);
    }
    if (v->type != YAML_SCALAR || yaml_is_null(v))
        bind_error(b, v, rule, "`%s` is %s", row->key, yaml_type_name(v));
    else if (near.best.len > 0)
        bind_error(b, v, rule, "`%s` cannot be `%.*s`; did you mean `%.*s`?", row->key,
                   STR_FMT(str_slice(v->text, 0, 80)), STR_FMT(near.best));
    else
        bind_error(b, v, rule, "`%s` cannot be `%.*s`", row->key,
                   STR_FMT(str_slice(v->text, 0, 80)));
}

/* ---- collections ---- */

static bool is_collection(struct bind *b, const struct bind_row *row, const struct yaml *v,
                          enum yaml_type want, const char *rule)
{
    size_t max = row->max > 0 ? (size_t)row->max : ITEMS_MAX;
    if (v->type != want) {
        bind_error(b, v, row->expected ? row->expected : rule, "`%s` is %s", row->key,
                   yaml_type_name(v));
        return false;
    }
    if (v->count > max) {
        bind_error(b, v, NULL, "`%s` holds %zu, more than %zu", row->key, v->count, max);
        return false;
    }
    if (v->count == 0 && (row->flags & BIND_NOT_EMPTY)) {
        bind_error(b, v, row->expected ? row->expected : rule, "`%s` is empty", row->key);
        return false;
    }
    return true;
}

static void read_texts(struct bind *b, const struct bind_row *row, const struct yaml *v,
                       void *object)
{
    if (!is_collection(b, row, v, YAML_LIST,
                       row->type == BIND_NAMES ? "a list of names" : "a list of texts"))
        return;
    struct str *items = array_new(b, v->count, sizeof(*items));
    size_t n = 0;
    for (const struct yaml *c = v->first; items && c; c = c->next) {
        if (read_text(b, row, c, &items[n]))
            n++;
    }
    *(struct strs *)field(object, row->offset) = (struct strs){items, items ? n : 0};
}

static void read_pairs(struct bind *b, const struct bind_row *row, const struct yaml *v,
                       void *object)
{
    if (!is_collection(b, row, v, YAML_MAP, "a mapping of names to texts"))
        return;
    struct bind_row text = *row;
    text.type = row->flags & BIND_PATHS ? BIND_PATH : BIND_LINE;
    text.flags &= ~(unsigned)BIND_NOT_EMPTY;
    text.max = 0;
    struct house_pair *items = array_new(b, v->count, sizeof(*items));
    size_t n = 0;
    for (const struct yaml *c = v->first; items && c; c = c->next) {
        if (row->key_ok && !row->key_ok(c->key)) {
            bind_key_error(b, c, row->key_rule, "`%.*s` cannot be a name in `%s`",
                           STR_FMT(str_slice(c->key, 0, 80)), row->key);
            continue;
        }
        items[n].name = c->key;
        if (read_text(b, &text, c, &items[n].value))
            n++;
    }
    *(struct house_pairs *)field(object, row->offset) = (struct house_pairs){items, items ? n : 0};
}

static void read_list(struct bind *b, const struct bind_row *row, const struct yaml *v,
                      void *object)
{
    bool keyed = row->type == BIND_KEYED;
    if (!is_collection(b, row, v, keyed ? YAML_MAP : YAML_LIST, keyed ? "a mapping" : "a list"))
        return;
    char *items = array_new(b, v->count, row->table->size);
    size_t n = 0;
    for (const struct yaml *c = v->first; items && c; c = c->next) {
        if (keyed && row->key_ok && !row->key_ok(c->key)) {
            bind_key_error(b, c, row->key_rule, "`%.*s` cannot be a name in `%s`",
                           STR_FMT(str_slice(c->key, 0, 80)), row->key);
            continue;
        }
        char *item = items + n * row->table->size;
        if (keyed)
            *(struct str *)(void *)item = c->key;
        bind_read(b, row->table, c, item);
        n++;
    }
    *(const void **)field(object, row->offset) = items;
    *(size_t *)field(object, row->count_offset) = items ? n : 0;
}

/* ---- tables ---- */

static void set_defaults(const struct bind_table *t, void *object)
{
    for (size_t i = 0; i < t->row_count; i++) {
        const struct bind_row *row = &t->rows[i];
        void *at = field(object, row->offset);
        switch (row->type) {
        case BIND_INT:
        case BIND_DURATION:
        case BIND_SIZE:
        case BIND_FIXED:
            *(int64_t *)at = row->dflt;
            break;
        case BIND_BOOL:
            *(bool *)at = row->dflt != 0;
            break;
        case BIND_ENUM:
            *(int *)at = (int)row->dflt;
            break;
        case BIND_TABLE:
            set_defaults(row->table, at); /* tables nest as deep as we wrote them */
            break;
        default:
            break;
        }
    }
}

static void read_row(struct bind *b, const struct bind_row *row, const struct yaml *v, void *object)
{
    if (v->refused)
        return;
    switch (row->type) {
    case BIND_NAME:
    case BIND_LINE:
    case BIND_TEXT:
    case BIND_PATH:
    case BIND_URL:
        (void)read_text(b, row, v, field(object, row->offset));
        break;
    case BIND_INT:
    case BIND_DURATION:
    case BIND_SIZE:
    case BIND_FIXED:
        read_number(b, row, v, object);
        break;
    case BIND_BOOL:
        read_bool(b, row, v, object);
        break;
    case BIND_ENUM:
        read_enum(b, row, v, object);
        break;
    case BIND_NAMES:
    case BIND_LINES:
        read_texts(b, row, v, object);
        break;
    case BIND_PAIRS:
        read_pairs(b, row, v, object);
        break;
    case BIND_TABLE:
        if (row->flags & BIND_OPTIONAL)
            *(bool *)field(object, row->count_offset) = true;
        bind_read(b, row->table, v, field(object, row->offset));
        break;
    case BIND_LIST:
    case BIND_KEYED:
        read_list(b, row, v, object);
        break;
    }
}

static void unknown_key(struct bind *b, const struct bind_table *t, const struct yaml *c)
{
    struct suggest near;
    char known[400] = "one of ";
    suggest_init(&near, c->key);
    for (size_t i = 0; i < t->row_count; i++) {
        suggest_add(&near, str_of(t->rows[i].key));
        size_t used = strlen(known);
        snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", t->rows[i].key);
    }
    if (near.best.len > 0)
        bind_key_error(b, c, known, "%s has no key `%.*s`; did you mean `%.*s`?", t->what,
                       STR_FMT(str_slice(c->key, 0, 80)), STR_FMT(near.best));
    else
        bind_key_error(b, c, known, "%s has no key `%.*s`", t->what,
                       STR_FMT(str_slice(c->key, 0, 80)));
}

void bind_read(struct bind *b, const struct bind_table *t, const struct yaml *node, void *object)
{
    set_defaults(t, object);
    /* `name:` with nothing behind it is a mapping without keys: what is required is then named. */
    if (node->type != YAML_MAP && !yaml_is_null(node)) {
        bind_error(b, node, "a mapping (`key: value` lines)", "%s is %s", t->what,
                   yaml_type_name(node));
        return;
    }
    size_t errors = b->diags->errors;
    for (const struct yaml *c = node->first; c && b->status == 0; c = c->next) {
        size_t i = 0;
        while (i < t->row_count && !str_is(c->key, t->rows[i].key))
            i++;
        if (i < t->row_count)
            read_row(b, &t->rows[i], c, object);
        else
            unknown_key(b, t, c);
    }
    for (size_t i = 0; i < t->row_count; i++) {
        if (!(t->rows[i].flags & BIND_REQUIRED) || yaml_get(node, t->rows[i].key))
            continue;
        /* At the key that the mapping belongs to: it exists, other than what is missing. */
        size_t from = node->key_to > node->key_from ? node->key_from : node->from;
        size_t to = node->key_to > node->key_from ? node->key_to : node->from;
        diags_add(b->diags, DIAG_ERROR, b->file, from, to, t->rows[i].expected, "%s needs `%s`",
                  t->what, t->rows[i].key);
    }
    b->clean = b->diags->errors == errors;
    if (t->finish && b->status == 0)
        t->finish(b, node, object);
}

/* ---- writing ---- */

static void put_number(struct jout *j, const struct bind_row *row, int64_t v)
{
    char text[40];
    if (v == row->dflt && (v < row->min || v > row->max))
        return; /* absent */
    jout_name(j, row->key);
    if (row->type == BIND_INT || row->type == BIND_SIZE) {
        jout_i64(j, v);
        return;
    }
    number_text(row, v, text, sizeof(text));
    jout_cstr(j, text);
}

static void put_list(struct jout *j, const struct bind_row *row, const void *object)
{
    bool keyed = row->type == BIND_KEYED;
    const char *items = *(const char *const *)field_of(object, row->offset);
    size_t n = *(const size_t *)field_of(object, row->count_offset);
    jout_name(j, row->key);
    if (keyed)
        jout_object(j);
    else
        jout_array(j);
    for (size_t i = 0; i < n; i++) {
        const void *item = items + i * row->table->size;
        if (keyed)
            jout_name_str(j, *(const struct str *)item);
        jout_object(j);
        bind_put(j, row->table, item);
        jout_object_end(j);
    }
    if (keyed)
        jout_object_end(j);
    else
        jout_array_end(j);
}

static void put_row(struct jout *j, const struct bind_row *row, const void *object)
{
    const void *at = field_of(object, row->offset);
    const struct strs *list = at;
    const struct house_pairs *pairs = at;
    switch (row->type) {
    case BIND_NAME:
    case BIND_LINE:
    case BIND_TEXT:
    case BIND_PATH:
    case BIND_URL:
        if (((const struct str *)at)->len > 0)
            jout_m_str(j, row->key, *(const struct str *)at);
        break;
    case BIND_INT:
    case BIND_DURATION:
    case BIND_SIZE:
    case BIND_FIXED:
        put_number(j, row, *(const int64_t *)at);
        break;
    case BIND_BOOL:
        jout_m_bool(j, row->key, *(const bool *)at);
        break;
    case BIND_ENUM:
        jout_m_cstr(j, row->key, row->names[*(const int *)at]);
        break;
    case BIND_NAMES:
    case BIND_LINES:
        if (list->count == 0)
            break;
        jout_name(j, row->key);
        jout_array(j);
        for (size_t i = 0; i < list->count; i++)
            jout_str(j, list->items[i]);
        jout_array_end(j);
        break;
    case BIND_PAIRS:
        if (pairs->count == 0)
            break;
        jout_name(j, row->key);
        jout_object(j);
        for (size_t i = 0; i < pairs->count; i++) {
            jout_name_str(j, pairs->items[i].name);
            jout_str(j, pairs->items[i].value);
        }
        jout_object_end(j);
        break;
    case BIND_TABLE:
        if ((row->flags & BIND_OPTIONAL) && !*(const bool *)field_of(object, row->count_offset))
            break;
        jout_name(j, row->key);
        jout_object(j);
        bind_put(j, row->table, at);
        jout_object_end(j);
        break;
    case BIND_LIST:
    case BIND_KEYED:
        if (*(const size_t *)field_of(object, row->count_offset) > 0)
            put_list(j, row, object);
        break;
    }
}

void bind_put(struct jout *j, const struct bind_table *t, const void *object)
{
    for (size_t i = 0; i < t->row_count; i++)
        put_row(j, &t->rows[i], object);
}
