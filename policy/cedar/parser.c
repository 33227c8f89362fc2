/*
 * parser.c: what both halves of the parser need: tokens, faults, names.
 */
#include "policy/cedar/parse.h"

#include <stdio.h>

struct str cedar_parser_text(const struct cedar_parser *p, struct cedar_token t)
{
    return str_slice(p->text, t.at, t.end);
}

void cedar_parser_step(struct cedar_parser *p)
{
    p->last_end = p->now.end;
    p->now = cedar_lex_next(&p->lexer);
}

bool cedar_parser_is(const struct cedar_parser *p, const char *text)
{
    return (p->now.kind == TOKEN_PUNCT || p->now.kind == TOKEN_IDENT) &&
           str_is(cedar_parser_text(p, p->now), text);
}

bool cedar_parser_take(struct cedar_parser *p, const char *text)
{
    if (!cedar_parser_is(p, text))
        return false;
    cedar_parser_step(p);
    return true;
}

bool cedar_parser_want(struct cedar_parser *p, const char *text)
{
    char expected[24];

    if (cedar_parser_take(p, text))
        return true;
    snprintf(expected, sizeof(expected), "`%s`", text);
    cedar_parser_unexpected(p, expected);
    return false;
}

/* diags_add formats itself; a fault's text is bounded anyway. */
static PRINTF(5, 0) void add(struct cedar_parser *p, size_t from, size_t to, const char *expected,
                             const char *fmt, va_list ap)
{
    char text[256];

    vsnprintf(text, sizeof(text), fmt, ap);
    diags_add(p->diags, DIAG_ERROR, p->file, from, to, expected, "%s", text);
    p->faulty = true;
}

void cedar_parser_stop(struct cedar_parser *p, size_t from, size_t to, const char *expected,
                       const char *fmt, ...)
{
    va_list ap;

    if (p->stopped)
        return;
    p->stopped = EINVAL;
    va_start(ap, fmt);
    add(p, from, to, expected, fmt, ap);
    va_end(ap);
}

void cedar_parser_fault(struct cedar_parser *p, size_t from, size_t to, const char *expected,
                        const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(p, from, to, expected, fmt, ap);
    va_end(ap);
}

void cedar_parser_fail(struct cedar_parser *p, int rc, size_t from, size_t to)
{
    if (rc == -E2BIG)
        cedar_parser_stop(p, from, to, "smaller expressions, joined by && or ||",
                          "the expression is nested over %d levels", CEDAR_DEPTH_MAX);
    else
        p->stopped = ENOMEM;
}

void cedar_parser_unexpected(struct cedar_parser *p, const char *expected)
{
    struct str found = cedar_parser_text(p, p->now);

    if (p->now.kind == TOKEN_BAD)
        cedar_parser_stop(p, p->now.at, p->now.end, expected, "%s", cedar_lex_bad(p->text, p->now));
    else if (p->now.kind == TOKEN_END)
        cedar_parser_stop(p, p->now.at, p->now.end, expected, "the text ends too early");
    else
        cedar_parser_stop(p, p->now.at, p->now.end, expected, "unexpected %s%.*s%s",
                          p->now.kind == TOKEN_STRING ? "" : "`", (int)MIN(found.len, (size_t)40),
                          found.ptr, p->now.kind == TOKEN_STRING ? "" : "`");
}

struct str cedar_parse_string(struct cedar_parser *p, struct cedar_token t)
{
    struct str raw = str_slice(p->text, t.at + 1u, t.end - 1u), text = STR("");
    struct cedar_escape_fault fault = {0};
    int rc = cedar_escape_string(p->arena, raw, &text, &fault);

    if (rc == -EINVAL) {
        size_t at = t.at + 1 + fault.at;

        cedar_parser_fault(p, at, at + fault.len,
                           "one of \\n \\r \\t \\0 \\\\ \\\" \\' \\x41 \\u{1f600}",
                           "this is no escape");
        return STR("");
    }
    if (rc < 0)
        cedar_parser_fail(p, rc, t.at, t.end);
    return text;
}

/* Joins the parts when blanks or comments stand between them. */
static bool add_part(struct cedar_parser *p, struct str *name, struct cedar_token t)
{
    struct str part = cedar_parser_text(p, t);

    if (!cedar_ident_is_ok(part))
        cedar_parser_fault(p, t.at, t.end, "another name", "`%.*s` is reserved", STR_FMT(part));
    if (name->len == 0)
        *name = part;
    else if (name->ptr + name->len + 2 == part.ptr)
        name->len += 2 + part.len;
    else
        *name =
            arena_fmt(p->arena, "%.*s::%.*s", (int)name->len, name->ptr, (int)part.len, part.ptr);
    if (!name->ptr)
        cedar_parser_fail(p, -ENOMEM, t.at, t.end);
    return name->ptr;
}

bool cedar_parse_path(struct cedar_parser *p, struct str *ret_name, struct str *ret_id)
{
    *ret_name = *ret_id = STR_NONE;
    for (;;) {
        if (p->now.kind == TOKEN_STRING && ret_name->len > 0) {
            *ret_id = cedar_parse_string(p, p->now);
            cedar_parser_step(p);
            return !p->stopped;
        }
        if (p->now.kind != TOKEN_IDENT) {
            cedar_parser_unexpected(p, ret_name->len > 0 ? "a name or a string" : "a name");
            return false;
        }
        if (!add_part(p, ret_name, p->now))
            return false;
        cedar_parser_step(p);
        if (!cedar_parser_take(p, "::"))
            return true;
    }
}
