/*
 * yaml.c: see yaml.h. Runs in reeved and reeve, on files of the operator; makes no system call
 * (libfyaml is given text, never a name).
 */
#include "policy/yaml.h"

#include <libfyaml.h>

#include "policy/house.h"
#include "policy/text/utf8.h"

struct frame { /* a collection that is open */
    struct yaml *node;
    struct yaml **tail;
    bool have_key;
    bool bad_key; /* the key was refused, with its value */
    struct str key;
    size_t key_from, key_to;
};

struct reader {
    struct arena *arena;
    struct diags *diags;
    size_t file;
    struct str text;
    struct yaml_documents *docs;
    struct yaml **docs_tail;
    struct frame stack[YAML_DEPTH_MAX];
    size_t depth;
    size_t nodes;
    size_t last_end; /* where the last token ended: the place of what is not there */
    bool failed;     /* an error was added; reading may go on */
    int status;      /* 0, or why reading stopped */
};

static void complain(struct reader *r, size_t from, size_t to, const char *expected,
                     const char *what)
{
    diags_add(r->diags, DIAG_ERROR, r->file, from, to, expected, "%s", what);
    r->failed = true;
}

static void span(struct reader *r, struct fy_token *t, size_t *from, size_t *to)
{
    const struct fy_mark *start = t ? fy_token_start_mark(t) : NULL;
    const struct fy_mark *end = t ? fy_token_end_mark(t) : NULL;
    *from = start ? MIN(start->input_pos, r->text.len) : r->last_end;
    *to = end ? MIN(end->input_pos, r->text.len) : *from;
    while (*to > *from && (r->text.ptr[*to - 1] == '\n' || r->text.ptr[*to - 1] == ' '))
        (*to)--;
    if (end)
        r->last_end = *to;
}

static struct yaml *node_new(struct reader *r, enum yaml_type type, struct fy_token *t)
{
    size_t from, to;
    span(r, t, &from, &to);
    if (++r->nodes > YAML_NODES_MAX) {
        complain(r, from, to, NULL, "the file holds too many values");
        r->status = -E2BIG;
        return NULL;
    }
    struct yaml *n = ARENA_NEW(r->arena, struct yaml);
    if (!n) {
        r->status = -ENOMEM;
        return NULL;
    }
    n->type = type;
    n->from = from;
    n->to = to;
    return n;
}

/* A key came as the scalar n. */
static void on_key(struct reader *r, struct frame *f, const struct yaml *n)
{
    f->have_key = true;
    f->bad_key = false;
    f->key = n->text;
    f->key_from = n->from;
    f->key_to = n->to;
    if (f->node->count >= YAML_KEYS_MAX) {
        complain(r, n->from, n->to, NULL, "this mapping holds too many keys");
        r->status = -E2BIG;
        return;
    }
    for (const struct yaml *c = f->node->first; c; c = c->next) {
        if (!str_eq(c->key, n->text))
            continue;
        diags_add(r->diags, DIAG_ERROR, r->file, n->from, n->to, NULL,
                  "the key `%.*s` stands here twice", STR_FMT(n->text));
        diags_add(r->diags, DIAG_NOTE, r->file, c->key_from, c->key_to, NULL,
                  "the earlier one is here");
        r->failed = true;
        f->bad_key = true;
        return;
    }
}

/* Puts a finished value, or a collection that begins, where it belongs. */
static void attach(struct reader *r, struct yaml *n)
{
    if (r->depth == 0) {
        *r->docs_tail = n;
        r->docs_tail = &n->next;
        r->docs->count++;
        return;
    }
    struct frame *f = &r->stack[r->depth - 1];
    if (f->node->type == YAML_MAP) {
        if (!f->have_key) {
            if (n->type == YAML_SCALAR) {
                on_key(r, f, n);
                return;
            }
            complain(r, n->from, n->to, "text before the `:`",
                     "a key cannot be a list or a mapping");
            r->status = -EINVAL;
            return;
        }
        f->have_key = false;
        n->key = f->key;
        n->key_from = f->key_from;
        n->key_to = f->key_to;
        if (f->bad_key)
            return;
    }
    *f->tail = n;
    f->tail = &n->next;
    f->node->count++;
}

static void on_open(struct reader *r, enum yaml_type type, struct fy_token *t)
{
    struct yaml *n = node_new(r, type, t);
    if (!n)
        return;
    attach(r, n);
    if (r->status < 0)
        return;
    if (r->depth == YAML_DEPTH_MAX) {
        complain(r, n->from, n->to, NULL, "nested too deep");
        r->status = -E2BIG;
        return;
    }
    r->stack[r->depth++] = (struct frame){.node = n, .tail = &n->first};
}

static void on_close(struct reader *r, struct fy_token *t)
{
    must(r->depth > 0);
    size_t from, to;
    size_t before = r->last_end;
    struct yaml *n = r->stack[--r->depth].node;
    span(r, t, &from, &to);
    /* A block ends where its last value does; the token for it stands at the next line's beginning.
     */
    if (to <= from)
        to = r->last_end = before;
    n->to = MAX(n->from, to);
}

static void on_scalar(struct reader *r, const struct fy_event *e)
{
    struct fy_token *t = e->scalar.value;
    struct yaml *n = node_new(r, YAML_SCALAR, t);
    if (!n)
        return;
    n->plain = !t || fy_token_scalar_style(t) == FYSS_PLAIN;
    size_t len = 0;
    const char *text = t ? fy_token_get_text(t, &len) : "";
    n->text = arena_str(r->arena, (struct str){text ? text : "", text ? len : 0});
    if (!text || !n->text.ptr) {
        r->status = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < n->text.len; i++) {
        unsigned char c = (unsigned char)n->text.ptr[i];
        if ((c >= 0x20 && c != 0x7f) || c == '\t' || c == '\n')
            continue;
        complain(r, n->from, n->to, NULL, "a control character stands in this text");
        break;
    }
    attach(r, n);
}

static void refuse_extras(struct reader *r, struct fy_token *anchor, struct fy_token *tag)
{
    size_t from, to, keep = r->last_end;
    if (anchor) {
        span(r, anchor, &from, &to);
        complain(r, from ? from - 1 : 0, to, "the value itself",
                 "anchors are not used in these files");
    }
    if (tag) {
        span(r, tag, &from, &to);
        complain(r, from, to, "the value without a tag", "tags are not used in these files");
    }
    r->last_end = keep;
}

static void on_alias(struct reader *r, const struct fy_event *e)
{
    size_t from, to;
    span(r, e->alias.anchor, &from, &to);
    complain(r, from ? from - 1 : 0, to, "the value itself", "aliases are not used in these files");
    struct yaml *n = node_new(r, YAML_SCALAR, e->alias.anchor);
    if (!n)
        return;
    n->text = STR("");
    n->refused = true;
    attach(r, n);
}

static void on_event(struct reader *r, const struct fy_event *e)
{
    switch (e->type) {
    case FYET_SCALAR:
        refuse_extras(r, e->scalar.anchor, e->scalar.tag);
        on_scalar(r, e);
        break;
    case FYET_MAPPING_START:
        refuse_extras(r, e->mapping_start.anchor, e->mapping_start.tag);
        on_open(r, YAML_MAP, e->mapping_start.mapping_start);
        break;
    case FYET_SEQUENCE_START:
        refuse_extras(r, e->sequence_start.anchor, e->sequence_start.tag);
        on_open(r, YAML_LIST, e->sequence_start.sequence_start);
        break;
    case FYET_MAPPING_END:
        on_close(r, e->mapping_end.mapping_end);
        break;
    case FYET_SEQUENCE_END:
        on_close(r, e->sequence_end.sequence_end);
        break;
    case FYET_ALIAS:
        on_alias(r, e);
        break;
    default:
        break;
    }
}

static size_t offset_of(struct str text, int line, int column)
{
    size_t at = 0;
    for (int l = 1; l < line && at < text.len; at++)
        l += text.ptr[at] == '\n';
    uint32_t cp;
    for (int c = 1; c < column && at < text.len && text.ptr[at] != '\n'; c++) {
        if (utf8_next(text, &at, &cp) < 0)
            break;
    }
    return at;
}

/* A tab that indents near `at` is what most unclear messages come down to. */
static bool find_tab(struct str text, size_t at, size_t *ret)
{
    size_t line = MIN(at, text.len);
    while (line > 0 && text.ptr[line - 1] != '\n')
        line--;
    for (int i = 0; i < 2 && line < text.len; i++) {
        size_t p = line;
        while (p < text.len && text.ptr[p] == ' ')
            p++;
        if (p < text.len && text.ptr[p] == '\t') {
            *ret = p;
            return true;
        }
        ssize_t nl = str_find(text, '\n', line);
        if (nl < 0)
            break;
        line = (size_t)nl + 1;
    }
    return false;
}

static void add_syntax_error(struct reader *r, const struct fy_diag_error *e)
{
    const struct fy_mark *start = e->fyt ? fy_token_start_mark(e->fyt) : NULL;
    const struct fy_mark *end = e->fyt ? fy_token_end_mark(e->fyt) : NULL;
    size_t from =
        start ? MIN(start->input_pos, r->text.len) : offset_of(r->text, e->line, e->column);
    size_t to = end ? MIN(MAX(end->input_pos, from), r->text.len) : from;
    size_t tab;
    if (find_tab(r->text, from, &tab)) {
        complain(r, tab, tab + 1, "spaces", "a tab cannot be used to indent");
        return;
    }
    diags_add(r->diags, DIAG_ERROR, r->file, from, to, NULL, "this is not YAML: %s",
              e->msg ? e->msg : "unknown");
    r->failed = true;
    if (from >= r->text.len && r->depth > 0) {
        const struct yaml *open = r->stack[r->depth - 1].node;
        diags_add(r->diags, DIAG_NOTE, r->file, open->from, open->to, NULL,
                  "what is not closed begins here");
    }
}

static void silent(struct fy_diag *d, void *user, const char *buf, size_t len)
{
    (void)d, (void)user, (void)buf, (void)len;
}

static int read_events(struct reader *r)
{
    struct fy_diag_cfg dc = {.output_fn = silent, .level = FYET_ERROR, .module_mask = ~0u};
    struct fy_diag *diag = fy_diag_create(&dc);
    if (!diag)
        return -ENOMEM;
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {
        .search_path = "",
        .flags = FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE | FYPCF_DISABLE_MMAP_OPT,
        .diag = diag,
    };
    struct fy_parser *p = fy_parser_create(&cfg);
    int rc = p && fy_parser_set_string(p, r->text.ptr, r->text.len) == 0 ? 0 : -ENOMEM;
    struct fy_event *e;
    while (rc == 0 && r->status == 0 && (e = fy_parser_parse(p)) != NULL) {
        on_event(r, e);
        fy_parser_event_free(p, e);
    }
    if (rc == 0 && r->status == 0 && fy_parser_get_stream_error(p)) {
        void *at = NULL;
        const struct fy_diag_error *first = fy_diag_errors_iterate(diag, &at);
        if (first)
            add_syntax_error(r, first);
        else
            complain(r, r->last_end, r->last_end, "YAML 1.2", "not YAML");
    }
    fy_parser_destroy(p);
    fy_diag_destroy(diag);
    return rc;
}

/* What the parser need not see at all. */
static int check_bytes(struct reader *r)
{
    if (r->text.len > HOUSE_FILE_BYTES_MAX) {
        complain(r, 0, 0, "at most 1 MiB", "the file is too large");
        return -EINVAL;
    }
    size_t good = utf8_valid_prefix(r->text);
    if (good < r->text.len) {
        complain(r, good, good + 1, "UTF-8", "this byte is not UTF-8");
        return -EINVAL;
    }
    if (str_starts(r->text, STR("\xef\xbb\xbf"))) {
        complain(r, 0, 3, "the file without it", "the file begins with a byte order mark");
        return -EINVAL;
    }
    for (size_t i = 0; i < r->text.len; i++) {
        unsigned char c = (unsigned char)r->text.ptr[i];
        if (c >= 0x20 || c == '\n' || c == '\t' ||
            (c == '\r' && i + 1 < r->text.len && r->text.ptr[i + 1] == '\n'))
            continue;
        complain(r, i, i + 1, NULL, "a control character stands here");
        return -EINVAL;
    }
    return 0;
}

int yaml_parse(struct arena *a, struct diags *d, size_t file, struct str text,
               struct yaml_documents *ret)
{
    *ret = (struct yaml_documents){0};
    struct reader r = {
        .arena = a, .diags = d, .file = file, .text = text, .docs = ret, .docs_tail = &ret->first};
    if (text.len == 0)
        return 0;
    if (check_bytes(&r) < 0)
        return -EINVAL;
    int rc = read_events(&r);
    if (rc == 0)
        rc = r.status;
    if (rc == -ENOMEM)
        return rc;
    return rc < 0 || r.failed ? -EINVAL : 0;
}

/* ---- JSON ---- */

static struct yaml *of_json_node(struct arena *a, struct str text, const struct json *v)
{
    struct yaml *n = ARENA_NEW(a, struct yaml);
    if (!n)
        return NULL;
    n->from = (size_t)(v->raw.ptr - text.ptr);
    n->to = n->from + v->raw.len;
    n->type = v->type == JSON_OBJECT ? YAML_MAP : v->type == JSON_ARRAY ? YAML_LIST : YAML_SCALAR;
    if (n->type == YAML_SCALAR) {
        n->plain = v->type != JSON_STRING;
        n->text = arena_str(a, v->type == JSON_STRING ? v->string : v->raw);
        return n->text.ptr ? n : NULL;
    }
    return n;
}

/* JSON's depth is bounded by its parser, ours is smaller: so recursion ends. */
static int of_json(struct arena *a, struct str text, const struct json *v, unsigned depth,
                   struct yaml **ret)
{
    struct yaml *n = of_json_node(a, text, v);
    if (!n)
        return -ENOMEM;
    if (depth > YAML_DEPTH_MAX)
        return -E2BIG;
    struct yaml **tail = &n->first;
    size_t count = v->type == JSON_OBJECT  ? v->object.count
                   : v->type == JSON_ARRAY ? v->array.count
                                           : 0;
    for (size_t i = 0; i < count; i++) {
        bool is_map = v->type == JSON_OBJECT;
        struct yaml *c = NULL;
        int rc = of_json(a, text, is_map ? &v->object.members[i].value : &v->array.items[i],
                         depth + 1, &c);
        if (rc < 0)
            return rc;
        if (is_map) {
            c->key = arena_str(a, v->object.members[i].name);
            if (!c->key.ptr)
                return -ENOMEM;
            c->key_from = c->from;
            c->key_to = c->to;
        }
        *tail = c;
        tail = &c->next;
        n->count++;
    }
    *ret = n;
    return 0;
}

int yaml_of_json(struct arena *a, struct str text, const struct json *v, struct yaml **ret)
{
    return of_json(a, text, v, 0, ret);
}

static bool looks_like_number(struct str s)
{
    if (s.len == 0 || !(s.ptr[0] == '-' || (s.ptr[0] >= '0' && s.ptr[0] <= '9')))
        return false;
    struct json_limits limits = {.max_bytes = 4096, .max_depth = 1, .max_values = 1};
    return json_check(s, &limits, NULL, NULL) == 0;
}

void yaml_put_json(struct jout *j, const struct yaml *v)
{
    /* Depth is bounded by YAML_DEPTH_MAX. */
    if (v->type == YAML_SCALAR) {
        if (yaml_is_null(v))
            jout_null(j);
        else if (v->plain && (str_is(v->text, "true") || str_is(v->text, "false")))
            jout_bool(j, str_is(v->text, "true"));
        else if (v->plain && looks_like_number(v->text))
            jout_raw(j, v->text);
        else
            jout_str(j, v->text);
        return;
    }
    bool is_map = v->type == YAML_MAP;
    if (is_map)
        jout_object(j);
    else
        jout_array(j);
    for (const struct yaml *c = v->first; c; c = c->next) {
        if (is_map)
            jout_name_str(j, c->key);
        yaml_put_json(j, c);
    }
    if (is_map)
        jout_object_end(j);
    else
        jout_array_end(j);
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
    for (struct yaml *c = map && map->type == YAML_MAP ? map->first : NULL; c; c = c->next) {
        if (str_is(c->key, key))
            return c;
    }
    return NULL;
}

bool yaml_is_null(const struct yaml *v)
{
    return v->type == YAML_SCALAR && v->plain &&
           (v->text.len == 0 || str_is(v->text, "null") || str_is(v->text, "~"));
}

const char *yaml_type_name(const struct yaml *v)
{
    static const char *const names[] = {"text", "a list", "a mapping"};
    return yaml_is_null(v) ? "nothing" : names[v->type];
}
