/*
 * lex.h: policy text into tokens, one at a time.
 */
#ifndef REEVE_CEDAR_LEX_H
#define REEVE_CEDAR_LEX_H

#include "policy/text/arena.h"
#include "policy/text/str.h"

enum cedar_token_kind {
    TOKEN_END,
    TOKEN_BAD,   /* bytes that begin no token */
    TOKEN_IDENT, /* also keywords: which they are depends on the place */
    TOKEN_NUMBER,
    TOKEN_STRING, /* with its quotes, escapes not decoded */
    TOKEN_SLOT,   /* ?principal */
    TOKEN_PUNCT,
};

struct cedar_token {
    enum cedar_token_kind kind;
    uint32_t at, end; /* bytes in the text */
};

struct cedar_lexer {
    struct str text;
    size_t at;
};

/* The next token; at the end TOKEN_END for ever. Comments and Unicode white space are skipped. */
struct cedar_token cedar_lex_next(struct cedar_lexer *l);
/* Tells what a TOKEN_BAD is, for people. Static. */
const char *cedar_lex_bad(struct str text, struct cedar_token t);

#endif
