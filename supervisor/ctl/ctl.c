/*
 * ctl.c: what the commands share: asking the API, telling errors, lists, files. Runs in reeve, as
 * the caller. Output is gathered and written at the end, so that a command that fails prints no
 * half table.
 */
#include "supervisor/ctl/ctl.h"

#include <fcntl.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "policy/text/utf8.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/file.h"
#include "supervisor/ctl/commands.h"

#define OUT_MAX   (256u << 20)
#define ARENA_MAX (512u << 20)
#define PAGES_MAX 10000

/* ---- telling --------------------------------------------------------------------------------- */

int ctl_flush(struct ctl *c)
{
    struct err err = ERR_INIT;
    int res = buf_status(&c->out);
    if (res >= 0 && c->out.len)
        res = fd_write_all(c->host->out_fd, c->out.ptr, c->out.len, &err);
    buf_clear(&c->out);
    return res < 0 && res != -EPIPE ? CTL_FAILED
                                    : CTL_GOOD; /* a pager that was left is no failure */
}

static void tell(struct ctl *c, struct str text)
{
    struct buf line;
    buf_init(&line, 1u << 20);
    style_put(&line, &c->style, INK_RED, "reeve: ");
    utf8_put_visible(&line, text, 1u << 16);
    buf_char(&line, '\n');
    struct str s = buf_str(&line);
    if (buf_status(&line) >= 0 && fd_write_all(c->host->err_fd, s.ptr, s.len, NULL) < 0)
        c->style.colour = false; /* nobody reads errors: nothing more to do */
    buf_release(&line);
}

int ctl_fail(struct ctl *c, int code, const char *fmt, ...)
{
    struct buf text;
    va_list ap;
    buf_init(&text, 1u << 16);
    va_start(ap, fmt);
    buf_vfmt(&text, fmt, ap);
    va_end(ap);
    tell(c, buf_str(&text));
    buf_release(&text);
    return code;
}

int ctl_fail_err(struct ctl *c, int code, const struct err *err)
{
    return ctl_fail(c, code, "%s", err->text);
}

int ctl_usage(struct ctl *c, const char *fmt, ...)
{
    struct buf text;
    va_list ap;
    buf_init(&text, 1u << 16);
    va_start(ap, fmt);
    buf_vfmt(&text, fmt, ap);
    va_end(ap);
    if (c->args.command)
        buf_fmt(&text, " (usage: reeve %s%s%s; see --help)", c->args.command->words,
                c->args.command->args[0] ? " " : "", c->args.command->args);
    tell(c, buf_str(&text));
    buf_release(&text);
    return CTL_USAGE;
}

/* ---- the API --------------------------------------------------------------------------------- */

static int fail_unreached(struct ctl *c, int res, const struct err *err)
{
    if (res == -EACCES || res == -EPERM)
        return ctl_fail(c, CTL_DENIED, "%s (ask to be in the group that may open it)", err->text);
    if (res == -ENOENT || res == -ECONNREFUSED)
        return ctl_fail(c, CTL_UNREACHABLE, "%s (is reeved running? another socket: --socket PATH)",
                        err->text);
    return ctl_fail_err(c, res == -ETIMEDOUT || res == -EIO ? CTL_UNREACHABLE : CTL_FAILED, err);
}

static int code_of(int status)
{
    switch (status) {
    case 404:
        return CTL_NOT_FOUND;
    case 403:
        return CTL_DENIED;
    case 429:
        return CTL_BUSY;
    case 503:
    case 504:
        return CTL_UNREACHABLE;
    default:
        return CTL_FAILED;
    }
}

/* problem+json's diagnostics as a person reads them. */
static void put_diagnostics(struct ctl *c, const struct json *list, struct buf *out)
{
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        const struct json *d = &list->array.items[i];
        buf_cstr(out, "\n  ");
        cells_put(out, show_str(d, "file"), 200, c->style.utf8);
        buf_fmt(out, ":%" PRId64 ":%" PRId64 ": ", show_i64(d, "line"), show_i64(d, "column"));
        cells_put(out, show_str(d, "level"), 10, c->style.utf8);
        buf_cstr(out, ": ");
        cells_put(out, show_str(d, "message"), 400, c->style.utf8);
        if (show_str(d, "expected").len) {
            buf_cstr(out, "; expected ");
            cells_put(out, show_str(d, "expected"), 200, c->style.utf8);
        }
    }
}

static int fail_status(struct ctl *c, int status, const struct json *problem)
{
    struct buf text;
    buf_init(&text, 1u << 20);
    struct str detail = show_str(problem, "detail");
    if (detail.len)
        cells_put(&text, detail, 2000, c->style.utf8);
    else
        buf_fmt(&text, "the daemon answered with status %d", status);
    put_diagnostics(c, json_get(problem, "diagnostics"), &text);
    struct str s = buf_str(&text);
    int code = code_of(status);
    if (c->json && problem)
        ctl_put_json(c, problem);
    struct buf line;
    buf_init(&line, 2u << 20);
    style_put(&line, &c->style, INK_RED, "reeve: ");
    buf_str_put(&line, s);
    buf_char(&line, '\n');
    if (fd_write_all(c->host->err_fd, line.ptr ? line.ptr : "", line.len, NULL) < 0)
        code = CTL_FAILED;
    buf_release(&line);
    buf_release(&text);
    return code;
}

static int call(struct ctl *c, const struct client_request *r, const struct json **ret)
{
    struct buf body;
    struct err err = ERR_INIT;
    const struct json *tree = NULL;
    int status;
    buf_init(&body, CLIENT_BODY_MAX);
    int res = client_call(&c->client, r, &status, &body, &err);
    if (res < 0) {
        buf_release(&body);
        return fail_unreached(c, res, &err);
    }
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    limits.max_bytes = CLIENT_BODY_MAX;
    struct str kept = arena_str(&c->arena, buf_str(&body));
    res = kept.ptr ? json_parse(&c->arena, kept, &limits, &tree, NULL, &err) : -ENOMEM;
    buf_release(&body);
    if (status < 200 || status > 299)
        return fail_status(c, status, res < 0 ? NULL : tree);
    if (res < 0)
        return ctl_fail(c, CTL_FAILED, "the daemon's answer to %s: %s", r->path,
                        err.text[0] ? err.text : err_name(-res));
    *ret = tree;
    return CTL_GOOD;
}

PRINTF(4, 0)
static int call_fmt(struct ctl *c, struct client_request *r, const struct json **ret,
                    const char *fmt, va_list ap)
{
    struct buf path;
    buf_init(&path, 2048);
    buf_vfmt(&path, fmt, ap);
    size_t len;
    char *text = buf_take(&path, &len);
    if (!text)
        return ctl_fail(c, CTL_USAGE, "the request is too long");
    r->path = text;
    int code = call(c, r, ret);
    free(text);
    return code;
}

int ctl_get(struct ctl *c, const struct json **ret, const char *fmt, ...)
{
    struct client_request r = {.method = "GET"};
    va_list ap;
    va_start(ap, fmt);
    int code = call_fmt(c, &r, ret, fmt, ap);
    va_end(ap);
    return code;
}

int ctl_post(struct ctl *c, struct str body, const char *content_type, const struct json **ret,
             const char *fmt, ...)
{
    struct client_request r = {
        .method = "POST", .body = body, .content_type = content_type, .timeout_ms = 900000};
    va_list ap;
    va_start(ap, fmt);
    int code = call_fmt(c, &r, ret, fmt, ap);
    va_end(ap);
    return code;
}

/* Within JSON text what a terminal could take as a command stands in strings only (strict JSON has
 * no raw control characters; these are the others), so an escape means the same. */
void ctl_put_json(struct ctl *c, const struct json *v)
{
    struct str s = v->raw;
    size_t pos = 0;
    uint32_t cp;
    while (pos < s.len) {
        size_t from = pos;
        if (utf8_next(s, &pos, &cp) < 0)
            break; /* cannot be: it was parsed */
        if (cp < 0x7f || !utf8_is_hidden(cp))
            buf_str_put(&c->out, str_slice(s, from, pos));
        else if (cp < 0x10000)
            buf_fmt(&c->out, "\\u%04x", (unsigned)cp);
        else
            buf_fmt(&c->out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (cp >> 10)),
                    (unsigned)(0xdc00 + (cp & 0x3ff)));
    }
    buf_char(&c->out, '\n');
}

bool ctl_is_told(struct ctl *c, int code, const struct json *answer)
{
    if (!code && c->json)
        ctl_put_json(c, answer);
    return code || c->json;
}

void ctl_add_ago(struct ctl *c, struct table *t, const struct json *row, const char *name)
{
    char text[STYLE_TEXT];
    int64_t at;
    bool has = show_time(row, name, &at);
    table_add(t, INK_PLAIN, has ? str_of(style_ago(&c->style, at, text)) : STR_NONE);
}

void ctl_put_rows(struct ctl *c, const struct ctl_rows *rows, const struct json *answer)
{
    const struct json *list = json_get(answer, rows->member);
    struct table t;
    table_init(&t, rows->columns, rows->column_count);
    for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++)
        rows->row(c, &t, &list->array.items[i]);
    if (!t.cell_count && rows->none)
        buf_fmt(&c->out, "%s\n", rows->none);
    else if (rows->last)
        rows->row(c, &t, json_get(answer, rows->last));
    table_put(&t, &c->style, &c->out);
    table_release(&t);
}

/* ---- arguments ------------------------------------------------------------------------------- */

int ctl_id(struct ctl *c, size_t word, const char *what, int64_t *ret)
{
    const char *text = c->args.words[word];
    if (num_i64(str_of(text), ret) < 0 || *ret <= 0)
        return ctl_usage(c, "%s: expected a number, found \"%s\"", what, text);
    return CTL_GOOD;
}

void ctl_query(struct buf *path, const char *name, const char *value)
{
    if (!value)
        return;
    buf_char(path, str_find(buf_str(path), '?', 0) < 0 ? '?' : '&');
    buf_fmt(path, "%s=", name);
    for (const char *p = value; *p; p++) {
        bool is_plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                        (*p >= '0' && *p <= '9') || strchr("-_.~", *p);
        if (is_plain)
            buf_char(path, *p);
        else
            buf_fmt(path, "%%%02X", (unsigned)(unsigned char)*p);
    }
}

/* One page; `*cursor` of the next one, in the arena, or NULL. */
static int page(struct ctl *c, const struct ctl_list *l, const char **cursor)
{
    const struct json *tree, *next;
    struct buf path;
    buf_init(&path, 2048);
    buf_cstr(&path, l->path);
    ctl_query(&path, l->cursor, *cursor);
    int code = ctl_get(c, &tree, "%.*s", STR_FMT(buf_str(&path)));
    buf_release(&path);
    if (code)
        return code;
    const struct json *rows = json_get(tree, l->member);
    for (size_t i = 0; json_is(rows, JSON_ARRAY) && i < rows->array.count; i++)
        l->row(l->arg, &rows->array.items[i]);
    next = json_get(tree, "next");
    *cursor = NULL;
    if (json_is(next, JSON_STRING))
        *cursor = arena_cstr(&c->arena, next->string);
    else if (json_is(next, JSON_INT))
        *cursor = arena_cstr(&c->arena, next->raw);
    return CTL_GOOD;
}

struct json_rows {
    struct ctl *c;
    size_t count;
};

static void json_row(void *arg, const struct json *row)
{
    struct json_rows *r = arg;
    if (r->count++)
        buf_char(&r->c->out, ',');
    ctl_put_json(r->c, row);
}

int ctl_list(struct ctl *c, const struct ctl_list *given, bool *ret_more)
{
    struct json_rows rows = {c, 0};
    struct ctl_list l = *given;
    const char *cursor = given->first;
    int pages = 0, code;
    if (c->json) {
        l.row = json_row;
        l.arg = &rows;
        buf_fmt(&c->out, "{\"%s\":[", l.member);
    }
    do {
        code = page(c, &l, &cursor);
    } while (!code && cursor && args_has(&c->args, OPTION_ALL) && ++pages < PAGES_MAX);
    if (code) {
        buf_clear(&c->out);
        return code;
    }
    if (c->json) {
        struct jout j;
        buf_cstr(&c->out, "],\"next\":");
        jout_begin(&j, &c->out);
        jout_cstr(&j, cursor);
        if (jout_end(&j) < 0)
            buf_cstr(&c->out, "null");
        buf_cstr(&c->out, "}\n");
    }
    *ret_more = cursor != NULL;
    return CTL_GOOD;
}

int ctl_each(struct ctl *c, const struct ctl_list *l)
{
    struct arena kept = c->arena;
    char text[128] = "";
    const char *cursor = l->first;
    int code;
    arena_init(&c->arena, kept.max_bytes);
    do {
        code = page(c, l, &cursor);
        if (cursor)
            snprintf(text, sizeof(text), "%s", cursor);
        cursor = cursor ? text : NULL;
        arena_reset(&c->arena);
    } while (!code && cursor);
    arena_release(&c->arena);
    c->arena = kept;
    return code;
}

int ctl_read_file(struct ctl *c, const char *path, size_t max, char **ret, size_t *ret_len)
{
    struct err err = ERR_INIT;
    int res = strcmp(path, "-") == 0
                  ? file_read_fd(c->host->in_fd, "standard input", max, ret, ret_len, &err)
                  : file_read(AT_FDCWD, path, max, ret, ret_len, &err);
    return res < 0 ? ctl_fail_err(c, CTL_FAILED, &err) : CTL_GOOD;
}

/* ---- the program ----------------------------------------------------------------------------- */

static bool locale_is_utf8(const struct ctl_host *host)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        const char *value = host->env(NAMES[i]);
        if (value && value[0])
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static int set_style(struct ctl *c)
{
    const struct ctl_host *host = c->host;
    const char *no_colour = host->env("NO_COLOR");
    const char *when = args_get(&c->args, OPTION_COLOUR);
    c->style = (struct style){
        .colour = host->is_tty && !(no_colour && no_colour[0]),
        .utf8 = locale_is_utf8(host),
        .width = host->width ? host->width : 100,
        .now_ms = host->clock->unix_ms(host->clock->arg),
        .offset_s = host->offset_s,
    };
    if (!when || strcmp(when, "auto") == 0)
        return CTL_GOOD;
    if (strcmp(when, "always") != 0 && strcmp(when, "never") != 0)
        return ctl_usage(c, "--colour: expected always, never or auto, found \"%s\"", when);
    c->style.colour = strcmp(when, "always") == 0;
    return CTL_GOOD;
}

static const char *socket_of(struct ctl *c)
{
    const char *given = args_get(&c->args, OPTION_SOCKET);
    const char *env = c->host->env("REEVE_SOCKET");
    if (given)
        return given;
    return env && env[0] ? env : CTL_SOCKET_DEFAULT;
}

static int run(struct ctl *c)
{
    const struct command *cmd = c->args.command;
    if (args_has(&c->args, OPTION_HELP)) {
        if (!cmd)
            return cmd_help(c);
        ctl_put_usage(cmd, &c->style, &c->out);
        return CTL_GOOD;
    }
    if (cmd)
        return cmd->run(c);
    (void)ctl_usage(c, "which command? see reeve help");
    return CTL_USAGE;
}

int ctl_main(const struct ctl_host *host, int argc, const char *const *argv)
{
    struct ctl c = {.host = host};
    struct err err = ERR_INIT;
    buf_init(&c.out, OUT_MAX);
    arena_init(&c.arena, ARENA_MAX);
    int res = args_parse(argc, argv, &c.args, &err);
    int code = set_style(&c);
    if (res < 0)
        code = ctl_usage(&c, "%s", err.text);
    c.json = args_has(&c.args, OPTION_JSON);
    c.client.socket = socket_of(&c);
    if (!code)
        code = run(&c);
    int flushed = ctl_flush(&c);
    client_release(&c.client);
    arena_release(&c.arena);
    buf_release(&c.out);
    return code ? code : flushed;
}
