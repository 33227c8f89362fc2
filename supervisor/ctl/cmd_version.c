/*
 * cmd_version.c: versions of workflows: listed, shown, compared, rolled back to; whether runs would
 * go on under another. Runs in reeve.
 */
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/compare.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/table.h"
#include "supervisor/ctl/upgrade.h"

#include "policy/house.h"

#define SHORT 12 /* digits of a version, for people */

static int get_query(struct ctl *c, const char *path, const char *workflow, const char *version,
                     const struct json **ret)
{
    struct buf full;
    buf_init(&full, 4096);
    buf_cstr(&full, path);
    ctl_query(&full, "workflow", workflow);
    ctl_query(&full, "version", version);
    int code = buf_status(&full) < 0 ? ctl_usage(c, "the names are too long")
                                     : ctl_get(c, ret, "%.*s", STR_FMT(buf_str(&full)));
    buf_release(&full);
    return code;
}

static int get_versions(struct ctl *c, const char *workflow, const struct json **ret)
{
    return get_query(c, "/v1/workflows/versions", workflow, NULL, ret);
}

static int get_version(struct ctl *c, const char *workflow, const char *version,
                       const struct json **ret)
{
    return get_query(c, "/v1/workflows/version", workflow, version, ret);
}

/* ---- list ------------------------------------------------------------------------------------ */

static void version_row(struct ctl *c, struct table *t, const struct json *v)
{
    char text[STYLE_TEXT];
    bool current = show_bool(v, "current"), installed = show_bool(v, "installed");
    table_add(t, INK_BOLD, str_slice(show_str(v, "version"), 0, SHORT));
    ctl_add_ago(c, t, v, "firstAt");
    table_add(t, INK_PLAIN, str_of(style_count(show_i64(v, "live"), text)));
    table_add(t, current ? INK_GREEN : INK_DIM,
              current && installed ? STR("new runs take it")
              : current            ? STR("new runs take it (rolled back)")
              : installed          ? STR("of the files")
                                   : STR_NONE);
}

int cmd_workflow_versions(struct ctl *c)
{
    static const struct table_column COLUMNS[] = {
        {"VERSION", false, false},
        {"FIRST", false, false},
        {"LIVE RUNS", true, false},
        {"", false, false},
    };
    static const struct ctl_rows ROWS = {.columns = COLUMNS,
                                         .column_count = ARRAY_LEN(COLUMNS),
                                         .member = "versions",
                                         .row = version_row};
    const struct json *answer = NULL;
    int code = get_versions(c, c->args.words[0], &answer);
    if (ctl_is_told(c, code, answer))
        return code;
    ctl_put_rows(c, &ROWS, answer);
    if (show_is_set(answer, "pinned")) {
        buf_cstr(&c->out, "rolled back by ");
        style_foreign(&c->out, &c->style, INK_PLAIN, show_str(answer, "pinnedBy"), 64);
        buf_cstr(&c->out,
                 ", until the files change: reeve workflow rollback --latest takes it back\n");
    }
    if (!show_is_set(answer, "installed"))
        buf_cstr(&c->out, "the files do not hold this workflow any more\n");
    return CTL_GOOD;
}

/* ---- show ------------------------------------------------------------------------------------ */

/* The version that new runs take, or that the files make; arena; NULL: none. */
static const char *version_now(struct ctl *c, const struct json *versions, const char *which)
{
    const struct json *list = json_get(versions, "versions");
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++)
        if (show_bool(&list->array.items[i], which))
            return arena_cstr(&c->arena, show_str(&list->array.items[i], "version"));
    return NULL;
}

static void put_text(struct ctl *c, struct str text, size_t indent)
{
    struct str line;
    while (str_split(&text, '\n', &line)) {
        buf_char(&c->out, '\n');
        cells_pad(&c->out, 0, indent);
        style_foreign(&c->out, &c->style, INK_PLAIN, line, 200);
    }
}

/* As YAML has it, nearly: what a person would write in the file. */
static void put_value(struct ctl *c, const struct json *v, size_t indent)
{
    if (v->type == JSON_OBJECT && v->object.count) {
        for (size_t i = 0; i < v->object.count; i++) {
            buf_char(&c->out, '\n');
            cells_pad(&c->out, 0, indent);
            style_foreign(&c->out, &c->style, INK_DIM, v->object.members[i].name, 64);
            buf_char(&c->out, ':');
            put_value(c, &v->object.members[i].value, indent + 2);
        }
    } else if (v->type == JSON_ARRAY && v->array.count && v->array.items[0].type == JSON_OBJECT) {
        for (size_t i = 0; i < v->array.count; i++) {
            buf_char(&c->out, '\n');
            cells_pad(&c->out, 0, indent);
            buf_char(&c->out, '-');
            put_value(c, &v->array.items[i], indent + 2);
        }
    } else if (v->type == JSON_STRING &&
               memchr(v->string.ptr ? v->string.ptr : "", '\n', v->string.len)) {
        put_text(c, v->string, indent);
    } else {
        buf_char(&c->out, ' ');
        style_foreign(&c->out, &c->style, INK_PLAIN,
                      v->type == JSON_STRING && v->string.len ? v->string : v->raw, 400);
    }
}

int cmd_workflow_show(struct ctl *c)
{
    const struct json *versions, *answer = NULL;
    const char *workflow = c->args.words[0];
    const char *version = c->args.word_count > 1 ? c->args.words[1] : NULL;
    int code = version ? CTL_GOOD : get_versions(c, workflow, &versions);
    if (code)
        return code;
    if (!version && !(version = version_now(c, versions, "current")))
        return ctl_fail(
            c, CTL_NOT_FOUND,
            "the files do not hold %s any more: name a version (reeve workflow versions %s)",
            workflow, workflow);
    code = get_version(c, workflow, version, &answer);
    if (ctl_is_told(c, code, answer))
        return code;
    style_foreign(&c->out, &c->style, INK_BOLD, show_str(answer, "workflow"), 64);
    buf_cstr(&c->out, ", version ");
    style_foreign(&c->out, &c->style, INK_BOLD, str_slice(show_str(answer, "version"), 0, SHORT),
                  SHORT);
    const struct json *definition = json_get(answer, "definition");
    if (definition)
        put_value(c, definition, 2);
    buf_char(&c->out, '\n');
    return CTL_GOOD;
}

/* ---- diff ------------------------------------------------------------------------------------ */

struct diff {
    struct ctl *c;
    struct jout *json; /* NULL: for people */
};

/* Of two texts of several lines, the lines between the common beginning and end. */
static void put_lines(struct ctl *c, struct str text, size_t skip, size_t keep, enum ink ink,
                      const char *mark)
{
    struct str line;
    for (size_t i = 0; i < keep && str_split(&text, '\n', &line); i++) {
        if (i < skip)
            continue;
        buf_cstr(&c->out, "    ");
        style_put(&c->out, &c->style, ink, "%s ", mark);
        style_foreign(&c->out, &c->style, ink, line, 200);
        buf_char(&c->out, '\n');
    }
}

static size_t line_count(struct str s)
{
    struct str line;
    size_t n = 0;
    while (str_split(&s, '\n', &line))
        n++;
    return n;
}

/* Lines that both have at the beginning. */
static size_t same_lines(struct str a, struct str b)
{
    struct str la, lb;
    size_t n = 0;
    while (str_split(&a, '\n', &la) && str_split(&b, '\n', &lb) && str_eq(la, lb))
        n++;
    return n;
}

static struct str drop_last_line(struct str s, struct str *last)
{
    size_t end = s.len && s.ptr[s.len - 1] == '\n' ? s.len - 1 : s.len, at = end;
    while (at > 0 && s.ptr[at - 1] != '\n')
        at--;
    *last = str_slice(s, at, end);
    return str_slice(s, 0, at);
}

static void put_text_change(struct ctl *c, struct str a, struct str b)
{
    size_t head = same_lines(a, b), na = line_count(a), nb = line_count(b), tail = 0;
    struct str ra = a, rb = b, la, lb;
    while (head + tail < MIN(na, nb)) {
        ra = drop_last_line(ra, &la);
        rb = drop_last_line(rb, &lb);
        if (!str_eq(la, lb))
            break;
        tail++;
    }
    buf_char(&c->out, '\n');
    put_lines(c, a, head, na - tail, INK_RED, "-");
    put_lines(c, b, head, nb - tail, INK_GREEN, "+");
}

static bool is_long(const struct json *v)
{
    return v->string.len && memchr(v->string.ptr, '\n', v->string.len);
}

static void on_change(void *arg, struct str path, const struct json *from, const struct json *to)
{
    struct diff *d = arg;
    struct ctl *c = d->c;
    if (d->json) {
        jout_object(d->json);
        jout_m_str(d->json, "path", path);
        jout_m_json(d->json, "from", from);
        jout_m_json(d->json, "to", to);
        jout_object_end(d->json);
        return;
    }
    enum ink ink = !from ? INK_GREEN : !to ? INK_RED : INK_YELLOW;
    style_put(&c->out, &c->style, ink, "%s ", !from ? "+" : !to ? "-" : "~");
    style_foreign(&c->out, &c->style, INK_BOLD, path, 200);
    buf_char(&c->out, ':');
    if (json_is(from, JSON_STRING) && json_is(to, JSON_STRING) && (is_long(from) || is_long(to))) {
        put_text_change(c, from->string, to->string);
        return;
    }
    if (from) {
        buf_char(&c->out, ' ');
        style_foreign(&c->out, &c->style, INK_PLAIN, from->raw, 300);
    }
    if (from && to)
        buf_cstr(&c->out, c->style.utf8 ? " \u2192" : " ->");
    if (to) {
        buf_char(&c->out, ' ');
        style_foreign(&c->out, &c->style, INK_PLAIN, to->raw, 300);
    }
    buf_char(&c->out, '\n');
}

static int diff_json(struct ctl *c, const struct json *a, const struct json *b)
{
    struct jout j;
    jout_begin(&j, &c->out);
    jout_object(&j);
    jout_m_str(&j, "workflow", show_str(a, "workflow"));
    jout_m_str(&j, "from", show_str(a, "version"));
    jout_m_str(&j, "to", show_str(b, "version"));
    jout_name(&j, "changes");
    jout_array(&j);
    struct diff d = {c, &j};
    int n = compare_json(json_get(a, "definition"), json_get(b, "definition"), on_change, &d);
    jout_array_end(&j);
    jout_object_end(&j);
    if (jout_end(&j) < 0 || n < 0)
        return ctl_fail(c, CTL_FAILED, "the difference is too long");
    buf_char(&c->out, '\n');
    return CTL_GOOD;
}

/* Without versions: the one before the one that new runs take, and that one. */
static int diff_names(struct ctl *c, const char *workflow, const char **from, const char **to)
{
    const struct json *versions;
    *from = c->args.word_count > 1 ? c->args.words[1] : NULL;
    *to = c->args.word_count > 2 ? c->args.words[2] : NULL;
    if (*from && *to)
        return CTL_GOOD;
    int code = get_versions(c, workflow, &versions);
    if (code)
        return code;
    const struct json *list = json_get(versions, "versions");
    size_t n = json_is(list, JSON_ARRAY) ? list->array.count : 0;
    const char *current = version_now(c, versions, "current");
    *to = current;
    for (size_t i = 0; i < n && !*from; i++)
        if (!show_bool(&list->array.items[i], "current"))
            *from = arena_cstr(&c->arena, show_str(&list->array.items[i], "version"));
    if (!*to)
        return ctl_usage(c, "the files do not hold %s any more: name two versions", workflow);
    return *from ? CTL_GOOD : ctl_fail(c, CTL_NOT_FOUND, "%s has one version only", workflow);
}

int cmd_workflow_diff(struct ctl *c)
{
    const struct json *a, *b;
    const char *workflow = c->args.words[0], *from, *to;
    int code = diff_names(c, workflow, &from, &to);
    if (!code)
        code = get_version(c, workflow, from, &a);
    if (!code)
        code = get_version(c, workflow, to, &b);
    if (code)
        return code;
    if (c->json)
        return diff_json(c, a, b);
    style_put(&c->out, &c->style, INK_DIM, "%s, %.*s to %.*s\n", workflow,
              STR_FMT(str_slice(show_str(a, "version"), 0, SHORT)),
              STR_FMT(str_slice(show_str(b, "version"), 0, SHORT)));
    struct diff d = {c, NULL};
    int n = compare_json(json_get(a, "definition"), json_get(b, "definition"), on_change, &d);
    if (n < 0)
        return ctl_fail(c, CTL_FAILED, "the difference is too long");
    if (!n)
        buf_cstr(&c->out, "no difference\n");
    return CTL_GOOD;
}

/* ---- rollback -------------------------------------------------------------------------------- */

int cmd_workflow_rollback(struct ctl *c)
{
    const struct json *answer = NULL;
    struct buf body;
    struct jout j;
    bool latest = args_has(&c->args, OPTION_LATEST);
    if (latest == (c->args.word_count > 1))
        return ctl_usage(c, "expected a version, or --latest");
    buf_init(&body, 1u << 16);
    jout_begin(&j, &body);
    jout_object(&j);
    jout_m_cstr(&j, "workflow", c->args.words[0]);
    if (!latest)
        jout_m_cstr(&j, "version", c->args.words[1]);
    jout_object_end(&j);
    int code = jout_end(&j) < 0 ? ctl_usage(c, "the names are too long or no UTF-8")
                                : ctl_post(c, buf_str(&body), "application/json", &answer,
                                           "/v1/workflows/rollback");
    buf_release(&body);
    if (ctl_is_told(c, code, answer))
        return code;
    buf_cstr(&c->out, "new runs of ");
    style_foreign(&c->out, &c->style, INK_BOLD, show_str(answer, "workflow"), 64);
    buf_cstr(&c->out, " take version ");
    style_foreign(&c->out, &c->style, INK_BOLD, str_slice(show_str(answer, "version"), 0, SHORT),
                  SHORT);
    buf_cstr(&c->out,
             latest ? "\n" : ", until the files change; runs that are there keep theirs\n");
    return CTL_GOOD;
}
