/*
 * print.c: trees as Cedar text, with as few parentheses as reading it back allows. Depth is bounded
 * by the tree's.
 */
#include "policy/cedar/ast.h"
#include "policy/cedar/ext.h"

/* How tightly an expression binds; an operand that binds less than its place wants gets
 * parentheses. */
enum level {
    LEVEL_IF,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_RELATION,
    LEVEL_SUM,
    LEVEL_MUL,
    LEVEL_UNARY,
    LEVEL_MEMBER
};

static void put(struct buf *out, const struct cedar_expr *e, enum level wanted);

/* A path with a name that is no identifier has no form of its own: it is written as steps. */
static bool needs_steps(const struct cedar_expr *e)
{
    for (size_t i = 0; e->name_count > 1 && i < e->name_count; i++)
        if (!cedar_ident_is_ok(e->names[i]))
            return true;
    return false;
}

static enum level level_of(const struct cedar_expr *e)
{
    switch ((enum cedar_op)e->op) {
    case CEDAR_OP_LITERAL:
        return e->value->type == CEDAR_LONG && e->value->number < 0 ? LEVEL_UNARY : LEVEL_MEMBER;
    case CEDAR_OP_IF:
        return LEVEL_IF;
    case CEDAR_OP_OR:
        return LEVEL_OR;
    case CEDAR_OP_AND:
        return LEVEL_AND;
    case CEDAR_OP_HAS:
        return needs_steps(e) ? LEVEL_AND : LEVEL_RELATION;
    case CEDAR_OP_EQ:
    case CEDAR_OP_NE:
    case CEDAR_OP_LT:
    case CEDAR_OP_LE:
    case CEDAR_OP_GT:
    case CEDAR_OP_GE:
    case CEDAR_OP_IN:
    case CEDAR_OP_LIKE:
    case CEDAR_OP_IS:
        return LEVEL_RELATION;
    case CEDAR_OP_SUM:
        return LEVEL_SUM;
    case CEDAR_OP_MUL:
        return LEVEL_MUL;
    case CEDAR_OP_NOT:
    case CEDAR_OP_NEG:
        return LEVEL_UNARY;
    default:
        return LEVEL_MEMBER;
    }
}

static void put_access(struct buf *out, struct str name)
{
    if (cedar_ident_is_ok(name)) {
        buf_char(out, '.');
        buf_str_put(out, name);
        return;
    }
    buf_char(out, '[');
    cedar_escape_put(out, name);
    buf_char(out, ']');
}

static void put_list(struct buf *out, const struct cedar_expr *e, size_t from)
{
    for (size_t i = from; i < e->arg_count; i++) {
        buf_cstr(out, i > from ? ", " : "");
        put(out, e->args[i], LEVEL_IF);
    }
}

static void put_chain(struct buf *out, const struct cedar_expr *e, const char *sign,
                      enum level wanted)
{
    for (size_t i = 0; i < e->arg_count; i++) {
        if (i > 0)
            buf_fmt(out, " %s ", e->op == CEDAR_OP_SUM ? (e->ops[i] == '-' ? "-" : "+") : sign);
        put(out, e->args[i], wanted);
    }
}

static void put_has(struct buf *out, const struct cedar_expr *e)
{
    if (needs_steps(e)) {
        for (size_t i = 0; i < e->name_count; i++) {
            buf_cstr(out, i > 0 ? " && " : "");
            put(out, e->args[0], i > 0 ? LEVEL_MEMBER : LEVEL_SUM);
            for (size_t j = 0; j < i; j++)
                put_access(out, e->names[j]);
            buf_cstr(out, " has ");
            cedar_escape_put(out, e->names[i]);
        }
        return;
    }
    put(out, e->args[0], LEVEL_SUM);
    buf_cstr(out, " has ");
    for (size_t i = 0; i < e->name_count; i++) {
        buf_cstr(out, i > 0 ? "." : "");
        if (cedar_ident_is_ok(e->names[i]))
            buf_str_put(out, e->names[i]);
        else
            cedar_escape_put(out, e->names[i]);
    }
}

static void put_record(struct buf *out, const struct cedar_expr *e)
{
    buf_char(out, '{');
    for (size_t i = 0; i < e->arg_count; i++) {
        buf_cstr(out, i > 0 ? ", " : "");
        if (cedar_ident_is_ok(e->names[i]))
            buf_str_put(out, e->names[i]);
        else
            cedar_escape_put(out, e->names[i]);
        buf_cstr(out, ": ");
        put(out, e->args[i], LEVEL_IF);
    }
    buf_char(out, '}');
}

static void put_call(struct buf *out, const struct cedar_expr *e, const char *name, bool is_method)
{
    size_t from = is_method && e->arg_count > 0 ? 1 : 0;

    if (from > 0) {
        put(out, e->args[0], LEVEL_MEMBER);
        buf_char(out, '.');
    }
    buf_cstr(out, name);
    buf_char(out, '(');
    put_list(out, e, from);
    buf_char(out, ')');
}

static void put_is(struct buf *out, const struct cedar_expr *e)
{
    put(out, e->args[0], LEVEL_SUM);
    buf_cstr(out, " is ");
    buf_str_put(out, e->names[0]);
    if (e->arg_count > 1) {
        buf_cstr(out, " in ");
        put(out, e->args[1], LEVEL_SUM);
    }
}

static void put_bare(struct buf *out, const struct cedar_expr *e)
{
    const char *key = cedar_op_key((enum cedar_op)e->op);

    switch ((enum cedar_op)e->op) {
    case CEDAR_OP_LITERAL:
        cedar_value_put(out, e->value);
        break;
    case CEDAR_OP_VAR:
        buf_cstr(out, cedar_var_name((enum cedar_var)e->var));
        break;
    case CEDAR_OP_IF:
        buf_cstr(out, "if ");
        put(out, e->args[0], LEVEL_IF);
        buf_cstr(out, " then ");
        put(out, e->args[1], LEVEL_IF);
        buf_cstr(out, " else ");
        put(out, e->args[2], LEVEL_IF);
        break;
    case CEDAR_OP_OR:
        put_chain(out, e, key, LEVEL_AND);
        break;
    case CEDAR_OP_AND:
        put_chain(out, e, key, LEVEL_RELATION);
        break;
    case CEDAR_OP_SUM:
        put_chain(out, e, "+", LEVEL_MUL);
        break;
    case CEDAR_OP_MUL:
        put_chain(out, e, key, LEVEL_UNARY);
        break;
    case CEDAR_OP_NOT:
    case CEDAR_OP_NEG: /* -(5), because -5 would be read as a number */
        buf_char(out, e->op == CEDAR_OP_NOT ? '!' : '-');
        put(out, e->args[0],
            e->op == CEDAR_OP_NEG && e->args[0]->op == CEDAR_OP_LITERAL ? LEVEL_MEMBER + 1
                                                                        : LEVEL_MEMBER);
        break;
    case CEDAR_OP_EQ:
    case CEDAR_OP_NE:
    case CEDAR_OP_LT:
    case CEDAR_OP_LE:
    case CEDAR_OP_GT:
    case CEDAR_OP_GE:
    case CEDAR_OP_IN:
        put_chain(out, e, key, LEVEL_SUM);
        break;
    case CEDAR_OP_HAS:
        put_has(out, e);
        break;
    case CEDAR_OP_GET:
        put(out, e->args[0], LEVEL_MEMBER);
        put_access(out, e->names[0]);
        break;
    case CEDAR_OP_LIKE:
        put(out, e->args[0], LEVEL_SUM);
        buf_cstr(out, " like ");
        cedar_pattern_put(out, e->pattern);
        break;
    case CEDAR_OP_IS:
        put_is(out, e);
        break;
    case CEDAR_OP_CONTAINS:
    case CEDAR_OP_CONTAINS_ALL:
    case CEDAR_OP_CONTAINS_ANY:
    case CEDAR_OP_IS_EMPTY:
    case CEDAR_OP_GET_TAG:
    case CEDAR_OP_HAS_TAG:
        put_call(out, e, key, true);
        break;
    case CEDAR_OP_SET:
        buf_char(out, '[');
        put_list(out, e, 0);
        buf_char(out, ']');
        break;
    case CEDAR_OP_RECORD:
        put_record(out, e);
        break;
    case CEDAR_OP_CALL:
        put_call(out, e, cedar_ext_at(e->fn)->name, cedar_ext_at(e->fn)->is_method);
        break;
    case CEDAR_OP_COUNT:
        break;
    }
}

static void put(struct buf *out, const struct cedar_expr *e, enum level wanted)
{
    bool closed = level_of(e) >= wanted;

    buf_cstr(out, closed ? "" : "(");
    put_bare(out, e);
    buf_cstr(out, closed ? "" : ")");
}

void cedar_expr_put(struct buf *out, const struct cedar_expr *e)
{
    put(out, e, LEVEL_IF);
}

/* ---- policies ---- */

static void put_target(struct buf *out, const struct cedar_scope *s, unsigned part)
{
    if (s->slot)
        buf_fmt(out, "?%s", cedar_part_name(part));
    else
        cedar_uid_put(out, s->uids);
}

void cedar_scope_put(struct buf *out, const struct cedar_scope *s, unsigned part)
{
    buf_cstr(out, cedar_part_name(part));
    switch (s->op) {
    case CEDAR_SCOPE_ANY:
        break;
    case CEDAR_SCOPE_EQ:
    case CEDAR_SCOPE_IN:
        buf_cstr(out, s->op == CEDAR_SCOPE_EQ ? " == " : " in ");
        put_target(out, s, part);
        break;
    case CEDAR_SCOPE_IS:
    case CEDAR_SCOPE_IS_IN:
        buf_cstr(out, " is ");
        buf_str_put(out, s->type);
        if (s->op == CEDAR_SCOPE_IS_IN) {
            buf_cstr(out, " in ");
            put_target(out, s, part);
        }
        break;
    case CEDAR_SCOPE_IN_LIST:
        buf_cstr(out, " in [");
        for (size_t i = 0; i < s->count; i++) {
            buf_cstr(out, i > 0 ? ", " : "");
            cedar_uid_put(out, &s->uids[i]);
        }
        buf_char(out, ']');
        break;
    }
}

void cedar_policy_put(struct buf *out, const struct cedar_policy *p)
{
    const struct cedar_body *body = p->body;

    for (size_t i = 0; i < p->annotation_count; i++) {
        const struct cedar_annotation *a = &p->annotations[i];

        buf_char(out, '@');
        buf_str_put(out, a->name);
        if (a->has_value) {
            buf_char(out, '(');
            cedar_escape_put(out, a->value);
            buf_char(out, ')');
        }
        buf_char(out, '\n');
    }
    buf_cstr(out, p->effect == CEDAR_PERMIT ? "permit (" : "forbid (");
    for (unsigned part = 0; part < CEDAR_PARTS; part++) {
        buf_cstr(out, part > 0 ? ", " : "");
        cedar_scope_put(out, &body->scope[part], part);
    }
    buf_char(out, ')');
    for (size_t i = 0; i < body->condition_count; i++) {
        buf_fmt(out, "\n%s { ", body->conditions[i].unless ? "unless" : "when");
        cedar_expr_put(out, body->conditions[i].expr);
        buf_cstr(out, " }");
    }
    buf_cstr(out, ";\n");
}
