/*
 * parse.h: policy text into trees. parse.c does policies and scopes, parse_expr.c expressions.
 */
#ifndef REEVE_CEDAR_PARSE_H
#define REEVE_CEDAR_PARSE_H

#include "policy/cedar/ast.h"
#include "policy/cedar/lex.h"

#define CEDAR_ANNOTATIONS_MAX 100 /* of one policy */

/* What one policy in a text came to. */
struct cedar_parsed {
    enum cedar_effect effect;
    const struct cedar_annotation *annotations;
    size_t annotation_count;
    const struct cedar_body *body;
    bool has_slots;
    size_t at, end;       /* the whole policy in the text */
    size_t id_at, id_end; /* the value of @id, or the first token */
};

struct cedar_parser {
    struct arena *arena; /* the trees live here; they borrow from text */
    struct str text;
    struct diags *diags;
    size_t file; /* of diags */
    struct cedar_lexer lexer;
    struct cedar_token now;
    uint32_t last_end; /* where the token before ended */
    unsigned depth;    /* nesting of expressions */
    bool faulty;       /* this policy has a fault, but reading goes on */
    int stopped;       /* 0; EINVAL: this policy cannot be read further; ENOMEM */
};

/* `text` is valid UTF-8 of at most CEDAR_TEXT_MAX bytes. */
void cedar_parser_init(struct cedar_parser *p, struct arena *arena, struct str text,
                       struct diags *diags, size_t file);
/* The next policy: 1; 0 at the end; -EINVAL: a fault (in diags; call again for the next policy);
 * -ENOMEM. */
int cedar_parse_policy(struct cedar_parser *p, struct cedar_parsed *ret) NODISCARD;

/* ---- between parse.c and parse_expr.c ---- */

/* One expression; NULL when p->stopped. */
const struct cedar_expr *cedar_parse_expr(struct cedar_parser *p);
/* A type name with `::` between its parts, or with `::"id"` an entity. *ret_id.ptr is NULL without
 * one. */
bool cedar_parse_path(struct cedar_parser *p, struct str *ret_name, struct str *ret_id);
/* A string token's text; a bad escape is a fault, and the result then empty. */
struct str cedar_parse_string(struct cedar_parser *p, struct cedar_token t);

struct str cedar_parser_text(const struct cedar_parser *p, struct cedar_token t);
void cedar_parser_step(struct cedar_parser *p);
bool cedar_parser_is(const struct cedar_parser *p, const char *text); /* an operator or word */
bool cedar_parser_take(struct cedar_parser *p, const char *text);     /* steps if it is */
bool cedar_parser_want(struct cedar_parser *p, const char *text);     /* stops if it is not */
/* Stops: what stands here is not what was expected. */
void cedar_parser_unexpected(struct cedar_parser *p, const char *expected);
void cedar_parser_stop(struct cedar_parser *p, size_t from, size_t to, const char *expected,
                       const char *fmt, ...) PRINTF(5, 6);
/* A fault that leaves the grammar whole: reading goes on. */
void cedar_parser_fault(struct cedar_parser *p, size_t from, size_t to, const char *expected,
                        const char *fmt, ...) PRINTF(5, 6);
/* Stops for -ENOMEM, -E2BIG (nesting). */
void cedar_parser_fail(struct cedar_parser *p, int rc, size_t from, size_t to);

#endif
