/*
 * est_out.c: policies in the JSON policy format. Written by hand into the buffer, because JSON
 * nests twice for each level of an expression and jout stops at 64.
 */
#include "policy/cedar/est.h"
#include "policy/cedar/ext.h"

struct writer {
    struct buf *out;
    int failed; /* E2BIG, EILSEQ */
};

static void put(struct writer *w, const struct cedar_expr *e, unsigned depth);

static void text(struct writer *w, struct str s)
{
    int rc = jout_escape(w->out, s);

    if (rc == -EILSEQ)
        w->failed = EILSEQ;
}

static void name(struct writer *w, const char *s)
{
    text(w, str_of(s));
    buf_char(w->out, ':');
}

/* {"key":{ */
static void open_node(struct writer *w, const char *key)
{
    buf_char(w->out, '{');
    name(w, key);
    buf_char(w->out, '{');
}

static void close_node(struct writer *w)
{
    buf_cstr(w->out, "}}");
}

static void member(struct writer *w, const char *key, const struct cedar_expr *e, unsigned depth)
{
    if (w->out->len > 0 && w->out->ptr[w->out->len - 1] != '{')
        buf_char(w->out, ',');
    name(w, key);
    put(w, e, depth);
}

static void entity(struct writer *w, const struct cedar_uid *uid)
{
    buf_char(w->out, '{');
    name(w, "type");
    text(w, uid->type);
    buf_char(w->out, ',');
    name(w, "id");
    text(w, uid->id);
    buf_char(w->out, '}');
}

static void literal(struct writer *w, const struct cedar_value *v)
{
    buf_cstr(w->out, "{\"Value\":");
    if (v->type == CEDAR_ENTITY) {
        buf_cstr(w->out, "{\"__entity\":");
        entity(w, v->entity);
        buf_char(w->out, '}');
    } else if (v->type == CEDAR_STRING) {
        text(w, v->string);
    } else if (v->type == CEDAR_BOOL) {
        buf_cstr(w->out, v->boolean ? "true" : "false");
    } else {
        buf_fmt(w->out, "%" PRId64, v->number);
    }
    buf_char(w->out, '}');
}

static const char *chain_key(const struct cedar_expr *e, size_t i)
{
    if (e->op != CEDAR_OP_SUM)
        return cedar_op_key((enum cedar_op)e->op);
    return e->ops[i] == '-' ? "-" : "+";
}

/* a && b && c is ((a && b) && c): all that opens first, then what closes. */
static void chain(struct writer *w, const struct cedar_expr *e, unsigned depth)
{
    if (e->arg_count > CEDAR_EST_DEPTH_MAX) {
        w->failed = E2BIG;
        return;
    }
    for (size_t i = e->arg_count; i-- > 1;) {
        open_node(w, chain_key(e, i));
        name(w, "left");
    }
    put(w, e->args[0], depth + 2 * (e->arg_count - 1));
    for (size_t i = 1; i < e->arg_count; i++) {
        member(w, "right", e->args[i], depth + 2 * (e->arg_count - (unsigned)i));
        close_node(w);
    }
}

static void list(struct writer *w, const struct cedar_expr *e, unsigned depth)
{
    buf_char(w->out, '[');
    for (size_t i = 0; i < e->arg_count; i++) {
        buf_cstr(w->out, i > 0 ? "," : "");
        put(w, e->args[i], depth);
    }
    buf_char(w->out, ']');
}

static void record(struct writer *w, const struct cedar_expr *e, unsigned depth)
{
    open_node(w, "Record");
    for (size_t i = 0; i < e->arg_count; i++) {
        buf_cstr(w->out, i > 0 ? "," : "");
        text(w, e->names[i]);
        buf_char(w->out, ':');
        put(w, e->args[i], depth);
    }
    close_node(w);
}

static void attributes(struct writer *w, const struct cedar_expr *e)
{
    buf_char(w->out, ',');
    name(w, "attr");
    if (e->name_count == 1) {
        text(w, e->names[0]);
        return;
    }
    buf_char(w->out, '[');
    for (size_t i = 0; i < e->name_count; i++) {
        buf_cstr(w->out, i > 0 ? "," : "");
        text(w, e->names[i]);
    }
    buf_char(w->out, ']');
}

/* One literal a character, as Cedar writes it. */
static void pattern(struct writer *w, const struct cedar_pattern *p)
{
    bool first = true;

    buf_cstr(w->out, ",\"pattern\":[");
    for (size_t i = 0; i < p->count; i++) {
        struct str part = p->parts[i];

        if (i > 0) {
            buf_cstr(w->out, first ? "\"Wildcard\"" : ",\"Wildcard\"");
            first = false;
        }
        for (size_t at = 0; at < part.len;) {
            size_t end = at + 1;

            while (end < part.len && ((unsigned char)part.ptr[end] & 0xc0) == 0x80)
                end++;
            buf_cstr(w->out, first ? "{\"Literal\":" : ",{\"Literal\":");
            text(w, str_slice(part, at, end));
            buf_char(w->out, '}');
            first = false;
            at = end;
        }
    }
    buf_char(w->out, ']');
}

static void is(struct writer *w, const struct cedar_expr *e, unsigned depth)
{
    buf_char(w->out, ',');
    name(w, "entity_type");
    text(w, e->names[0]);
    if (e->arg_count > 1)
        member(w, "in", e->args[1], depth);
}

static void node(struct writer *w, const struct cedar_expr *e, unsigned depth)
{
    static const char *const choice[] = {"if", "then", "else"};
    bool is_unary = e->op == CEDAR_OP_NOT || e->op == CEDAR_OP_NEG || e->op == CEDAR_OP_IS_EMPTY;

    open_node(w, cedar_op_key((enum cedar_op)e->op));
    if (e->op == CEDAR_OP_IF)
        for (size_t i = 0; i < 3; i++)
            member(w, choice[i], e->args[i], depth);
    else
        member(w, is_unary ? "arg" : "left", e->args[0], depth);
    if (e->op == CEDAR_OP_HAS || e->op == CEDAR_OP_GET)
        attributes(w, e);
    else if (e->op == CEDAR_OP_LIKE)
        pattern(w, e->pattern);
    else if (e->op == CEDAR_OP_IS)
        is(w, e, depth);
    else if (e->op != CEDAR_OP_IF && !is_unary)
        member(w, "right", e->args[1], depth);
    close_node(w);
}

static void put(struct writer *w, const struct cedar_expr *e, unsigned depth)
{
    if (depth + 4 > CEDAR_EST_DEPTH_MAX)
        w->failed = E2BIG;
    if (w->failed)
        return;
    switch ((enum cedar_op)e->op) {
    case CEDAR_OP_LITERAL:
        literal(w, e->value);
        break;
    case CEDAR_OP_VAR:
        buf_fmt(w->out, "{\"Var\":\"%s\"}", cedar_var_name((enum cedar_var)e->var));
        break;
    case CEDAR_OP_AND:
    case CEDAR_OP_OR:
    case CEDAR_OP_SUM:
    case CEDAR_OP_MUL:
        chain(w, e, depth);
        break;
    case CEDAR_OP_SET:
    case CEDAR_OP_CALL:
        buf_char(w->out, '{');
        name(w, e->op == CEDAR_OP_SET ? "Set" : cedar_ext_at(e->fn)->name);
        list(w, e, depth + 2);
        buf_char(w->out, '}');
        break;
    case CEDAR_OP_RECORD:
        record(w, e, depth + 2);
        break;
    default:
        node(w, e, depth + 2);
        break;
    }
}

/* ---- policies ---- */

static void target(struct writer *w, const struct cedar_scope *s, unsigned part)
{
    if (s->slot) {
        buf_fmt(w->out, "\"slot\":\"?%s\"", cedar_part_name(part));
        return;
    }
    name(w, "entity");
    entity(w, s->uids);
}

static void scope(struct writer *w, const struct cedar_scope *s, unsigned part)
{
    static const char *const ops[] = {"All", "==", "in", "is", "is", "in"};

    buf_fmt(w->out, "\"%s\":{\"op\":\"%s\"", cedar_part_name(part), ops[s->op]);
    if (s->op == CEDAR_SCOPE_EQ || s->op == CEDAR_SCOPE_IN) {
        buf_char(w->out, ',');
        target(w, s, part);
    } else if (s->op == CEDAR_SCOPE_IN_LIST) {
        buf_cstr(w->out, ",\"entities\":[");
        for (size_t i = 0; i < s->count; i++) {
            buf_cstr(w->out, i > 0 ? "," : "");
            entity(w, &s->uids[i]);
        }
        buf_char(w->out, ']');
    } else if (s->op != CEDAR_SCOPE_ANY) {
        buf_cstr(w->out, ",\"entity_type\":");
        text(w, s->type);
    }
    if (s->op == CEDAR_SCOPE_IS_IN) {
        buf_cstr(w->out, ",\"in\":{");
        target(w, s, part);
        buf_char(w->out, '}');
    }
    buf_char(w->out, '}');
}

static void annotations(struct writer *w, const struct cedar_policy *p)
{
    if (p->annotation_count == 0)
        return;
    buf_cstr(w->out, ",\"annotations\":{");
    for (size_t i = 0; i < p->annotation_count; i++) {
        buf_cstr(w->out, i > 0 ? "," : "");
        text(w, p->annotations[i].name);
        buf_char(w->out, ':');
        if (p->annotations[i].has_value)
            text(w, p->annotations[i].value);
        else
            buf_cstr(w->out, "null");
    }
    buf_char(w->out, '}');
}

int cedar_policy_put_json(struct buf *out, const struct cedar_policy *p, struct err *err)
{
    const struct cedar_body *body = p->body;
    struct writer w = {.out = out};
    size_t start = out->len;

    buf_fmt(out, "{\"effect\":\"%s\"", p->effect == CEDAR_PERMIT ? "permit" : "forbid");
    for (unsigned part = 0; part < CEDAR_PARTS; part++) {
        buf_char(out, ',');
        scope(&w, &body->scope[part], part);
    }
    buf_cstr(out, ",\"conditions\":[");
    for (size_t i = 0; i < body->condition_count; i++) {
        buf_fmt(out, "%s{\"kind\":\"%s\",\"body\":", i > 0 ? "," : "",
                body->conditions[i].unless ? "unless" : "when");
        put(&w, body->conditions[i].expr, 4);
        buf_char(out, '}');
    }
    buf_char(out, ']');
    annotations(&w, p);
    buf_char(out, '}');
    if (buf_status(out) == 0 && !w.failed)
        return 0;
    buf_truncate(out, start);
    if (w.failed == E2BIG)
        return err_set(err, E2BIG, "policy \"%.*s\" nests over %d levels in JSON", STR_FMT(p->id),
                       CEDAR_EST_DEPTH_MAX);
    return err_set(err, w.failed ? w.failed : -buf_status(out), "policy \"%.*s\" cannot be written",
                   STR_FMT(p->id));
}
