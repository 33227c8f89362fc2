/*
 * lex.c: policy text into tokens. The text was written by whoever can write the policy directory;
 * it is still read as if it came from a stranger.
 */
#include "policy/cedar/lex.h"

#include "policy/text/utf8.h"

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

static bool is_ident(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
        return true;
    return !first && c >= '0' && c <= '9';
}

static char byte_at(const struct cedar_lexer *l, size_t at)
{
    return at < l->text.len ? l->text.ptr[at] : '\0';
}

static void skip_blank(struct cedar_lexer *l)
{
    for (;;) {
        size_t at = l->at;
        uint32_t c;

        if (byte_at(l, at) == '/' && byte_at(l, at + 1) == '/') {
            while (l->at < l->text.len && byte_at(l, l->at) != '\n' && byte_at(l, l->at) != '\r')
                l->at++;
            continue;
        }
        if (at >= l->text.len || utf8_next(l->text, &at, &c) < 0 || !is_space(c))
            return;
        l->at = at;
    }
}

static struct cedar_token token(struct cedar_lexer *l, enum cedar_token_kind kind, size_t len)
{
    struct cedar_token t = {kind, (uint32_t)l->at, (uint32_t)(l->at + len)};

    l->at += len;
    return t;
}

static size_t ident_length(const struct cedar_lexer *l, size_t from)
{
    size_t len = 0;

    while (from + len < l->text.len && is_ident(l->text.ptr[from + len], len == 0))
        len++;
    return len;
}

/* A backslash takes any character with it but a line break, which ends no string well. */
static struct cedar_token string(struct cedar_lexer *l)
{
    size_t at = l->at + 1;

    while (at < l->text.len && l->text.ptr[at] != '"') {
        if (l->text.ptr[at] == '\\')
            at++;
        if (at < l->text.len)
            at++;
    }
    if (at >= l->text.len)
        return token(l, TOKEN_BAD, l->text.len - l->at);
    return token(l, TOKEN_STRING, at + 1 - l->at);
}

static struct cedar_token punctuation(struct cedar_lexer *l)
{
    static const char *const two[] = {"==", "!=", "<=", ">=", "&&", "||", "::"};
    struct str rest = str_slice(l->text, l->at, l->text.len);
    size_t at = l->at;
    uint32_t c;

    for (size_t i = 0; i < ARRAY_LEN(two); i++)
        if (str_starts(rest, str_of(two[i])))
            return token(l, TOKEN_PUNCT, 2);
    if (rest.ptr[0] != '\0' && strchr("()[]{},;:.@<>=!+-*/%", rest.ptr[0]))
        return token(l, TOKEN_PUNCT, 1);
    /* One whole character, so that a mark under it is right. */
    return token(l, TOKEN_BAD, utf8_next(l->text, &at, &c) < 0 ? 1 : at - l->at);
}

struct cedar_token cedar_lex_next(struct cedar_lexer *l)
{
    char c;

    skip_blank(l);
    if (l->at >= l->text.len)
        return token(l, TOKEN_END, 0);
    c = l->text.ptr[l->at];
    if (is_ident(c, true))
        return token(l, TOKEN_IDENT, ident_length(l, l->at));
    if (c >= '0' && c <= '9') {
        size_t len = 1;

        while (byte_at(l, l->at + len) >= '0' && byte_at(l, l->at + len) <= '9')
            len++;
        return token(l, TOKEN_NUMBER, len);
    }
    if (c == '"')
        return string(l);
    if (c == '?' && ident_length(l, l->at + 1) > 0)
        return token(l, TOKEN_SLOT, 1 + ident_length(l, l->at + 1));
    return punctuation(l);
}

const char *cedar_lex_bad(struct str text, struct cedar_token t)
{
    char c = text.ptr[t.at];

    if (c == '"')
        return "a string that does not end";
    if (c == '\'')
        return "a single quote: strings stand in double quotes";
    if (c == '&' || c == '|')
        return "a single & or |: write && or ||";
    if (t.at == 0 && str_starts(text, STR("\xef\xbb\xbf")))
        return "a byte order mark: save the file without it";
    if ((unsigned char)c < 0x20 || c == 0x7f)
        return "a control character";
    return "a character that Cedar has no use for";
}
