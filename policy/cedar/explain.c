/*
 * explain.c: why a decision is what it is. Decides again, slowly, and keeps what it saw. Runs in
 * reeve and, asked by an operator, in reeved; never on the decision path.
 */
#include "policy/cedar/explain.h"

#include "policy/cedar/eval.h"

#define NEAR_DEFAULT 20
#define BLAME_MAX    16 /* expressions named for one condition */
#define SAW_MAX      8  /* values shown for one of these */
#define SHOWN_DEPTH  40 /* of values: jout nests 64 levels in all */

struct explainer {
    struct cedar_env env;
    const struct cedar_explain *how;
    struct jout *j;
    struct buf scratch;
    size_t near_left;
    bool out_of_memory;
};

/* Whether a text is whole; that memory was missing is remembered, that it was too long is not an
 * error. */
static bool is_whole(struct explainer *x, const struct buf *text)
{
    x->out_of_memory |= buf_status(text) == -ENOMEM;
    return buf_status(text) == 0;
}

static void put_fault(struct explainer *x, const struct cedar_policy *p)
{
    struct str text = cedar_fault_text(x->env.arena, p, &x->env.fault);

    x->out_of_memory |= !text.ptr;
    jout_m_str(x->j, "error", text);
}

/* ---- masks ---- */

/* A chain of attributes from a variable, such as context.input.iban. */
static bool is_path(const struct cedar_expr *e)
{
    while (e->op == CEDAR_OP_GET)
        e = e->args[0];
    return e->op == CEDAR_OP_VAR;
}

static void put_path(struct buf *out, const struct cedar_expr *e)
{
    if (e->op == CEDAR_OP_VAR) {
        buf_cstr(out, cedar_var_name((enum cedar_var)e->var));
        return;
    }
    put_path(out, e->args[0]);
    buf_char(out, '.');
    buf_str_put(out, e->names[0]);
}

/* Also when what it stands in is masked: context.input hides context.input.iban. */
static bool path_is_masked(struct explainer *x, const struct cedar_expr *e)
{
    bool masked = false;

    for (; !masked; e = e->args[0]) {
        struct buf path;

        buf_init(&path, 1 << 16);
        put_path(&path, e);
        masked = !is_whole(x, &path) || x->how->is_masked(x->how->arg, buf_str(&path));
        buf_release(&path);
        if (e->op == CEDAR_OP_VAR)
            break;
    }
    return masked;
}

static bool is_composite(const struct cedar_value *v)
{
    return v->type == CEDAR_SET || v->type == CEDAR_RECORD;
}

/*
 * Whether a value made by an expression may hold something masked: a part of the expression is, or
 * is a record or set that may have something masked in it.
 */
static bool is_tainted(struct explainer *x, const struct cedar_expr *e, bool is_part)
{
    struct cedar_value v;

    if (e->value)
        return false;
    if (is_path(e)) {
        if (path_is_masked(x, e))
            return true;
        return is_part && cedar_eval(&x->env, e, &v) == 0 && is_composite(&v);
    }
    for (size_t i = 0; i < e->arg_count; i++)
        if (is_tainted(x, e->args[i], true))
            return true;
    return false;
}

/* Whether it nests deeper than max. */
static bool is_deeper(const struct cedar_value *v, unsigned max)
{
    if (max == 0)
        return is_composite(v);
    for (size_t i = 0; v->type == CEDAR_SET && i < v->set.count; i++)
        if (is_deeper(&v->set.items[i], max - 1))
            return true;
    for (size_t i = 0; v->type == CEDAR_RECORD && i < v->record.count; i++)
        if (is_deeper(&v->record.fields[i].value, max - 1))
            return true;
    return false;
}

/* Members of a shown record may be masked though the record is not. The items of a set have the
 * set's path. */
static void put_value(struct explainer *x, struct buf *path, const struct cedar_value *v)
{
    size_t len = path->len;

    if (x->how->is_masked && len > 0 &&
        (!is_whole(x, path) || x->how->is_masked(x->how->arg, buf_str(path)))) {
        jout_cstr(x->j, "***");
    } else if (v->type == CEDAR_SET) {
        jout_array(x->j);
        for (size_t i = 0; i < v->set.count; i++)
            put_value(x, path, &v->set.items[i]);
        jout_array_end(x->j);
    } else if (v->type == CEDAR_RECORD) {
        jout_object(x->j);
        for (size_t i = 0; i < v->record.count; i++) {
            const struct cedar_field *f = &v->record.fields[i];

            if (len > 0) {
                buf_char(path, '.');
                buf_str_put(path, f->name);
            }
            jout_name_str(x->j, f->name);
            put_value(x, path, &f->value);
            buf_truncate(path, len);
        }
        jout_object_end(x->j);
    } else {
        cedar_value_to_json(x->j, v);
    }
}

static void show(struct explainer *x, const struct cedar_expr *e, const struct cedar_value *v)
{
    struct buf path;

    if (v->type != CEDAR_BOOL && x->how->is_masked && is_tainted(x, e, false)) {
        jout_cstr(x->j, "***");
        return;
    }
    if (is_deeper(v, SHOWN_DEPTH)) {
        jout_cstr(x->j, "(nested too deeply to show)");
        return;
    }
    buf_init(&path, 1 << 16);
    if (is_path(e))
        put_path(&path, e);
    put_value(x, &path, v);
    buf_release(&path);
}

/* ---- expressions ---- */

static void put_expr(struct explainer *x, const char *name, const struct cedar_expr *e)
{
    buf_clear(&x->scratch);
    cedar_expr_put(&x->scratch, e);
    jout_m_str(x->j, name,
               is_whole(x, &x->scratch) ? buf_str(&x->scratch) : STR("(too long to show)"));
}

/* The value, or the error, under the name "value" or "error". */
static bool put_outcome(struct explainer *x, const struct cedar_policy *p,
                        const struct cedar_expr *e)
{
    struct cedar_value v;
    int rc = cedar_eval(&x->env, e, &v);

    if (rc == 0) {
        jout_name(x->j, "value");
        show(x, e, &v);
    } else if (rc == -EINVAL) {
        put_fault(x, p);
    }
    return rc != -ENOMEM;
}

/* What an expression looked at: its operands that are no constants, or what these looked at. */
static bool put_saw(struct explainer *x, const struct cedar_policy *p, const struct cedar_expr *e,
                    size_t *left)
{
    for (size_t i = 0; i<e->arg_count && * left> 0; i++) {
        const struct cedar_expr *arg = e->args[i];
        bool is_leaf =
            arg->op == CEDAR_OP_VAR || arg->op == CEDAR_OP_GET || arg->op == CEDAR_OP_GET_TAG;

        if (arg->value || (arg->op == CEDAR_OP_VAR && arg->var == CEDAR_VAR_CONTEXT))
            continue;
        if (!is_leaf) {
            if (!put_saw(x, p, arg, left))
                return false;
            continue;
        }
        (*left)--;
        jout_object(x->j);
        put_expr(x, "text", arg);
        if (!put_outcome(x, p, arg))
            return false;
        jout_object_end(x->j);
    }
    return true;
}

static bool put_cause(struct explainer *x, const struct cedar_policy *p, const struct cedar_expr *e)
{
    size_t left = SAW_MAX;

    jout_object(x->j);
    put_expr(x, "text", e);
    if (!put_outcome(x, p, e))
        return false;
    jout_name(x->j, "saw");
    jout_array(x->j);
    if (!put_saw(x, p, e, &left))
        return false;
    jout_array_end(x->j);
    jout_object_end(x->j);
    return true;
}

/*
 * The parts of a condition that made it what it is: of a false && the first false part, of a true
 * || the first true one, of a false || all of them, and so on down to comparisons.
 */
static bool put_causes(struct explainer *x, const struct cedar_policy *p,
                       const struct cedar_expr *e, size_t *left)
{
    struct cedar_value v;
    int rc = cedar_eval(&x->env, e, &v);
    bool logic = e->op == CEDAR_OP_AND || e->op == CEDAR_OP_OR, decides = e->op == CEDAR_OP_OR;

    if (rc == -ENOMEM)
        return false;
    if (e->op == CEDAR_OP_NOT && rc == 0)
        return put_causes(x, p, e->args[0], left);
    if (e->op == CEDAR_OP_IF && rc == 0) {
        struct cedar_value test = cedar_bool(false);

        if (cedar_eval(&x->env, e->args[0], &test) == -ENOMEM ||
            !put_causes(x, p, e->args[0], left))
            return false;
        return put_causes(x, p, e->args[test.boolean ? 1 : 2], left);
    }
    if (!logic) {
        if (*left == 0)
            return true;
        (*left)--;
        return put_cause(x, p, e);
    }
    for (size_t i = 0; i < e->arg_count; i++) {
        struct cedar_value part;
        int part_rc = cedar_eval(&x->env, e->args[i], &part);
        /* Reached and not decisive: no cause, unless nothing was decisive. */
        bool goes_on = part_rc == 0 && part.type == CEDAR_BOOL && part.boolean != decides;

        if (part_rc == -ENOMEM)
            return false;
        if (goes_on && (rc < 0 || v.type != CEDAR_BOOL || v.boolean == decides))
            continue;
        if (!put_causes(x, p, e->args[i], left))
            return false;
        if (!goes_on)
            break;
    }
    return true;
}

/* ---- policies ---- */

static bool put_condition(struct explainer *x, const struct cedar_policy *p, size_t index)
{
    const struct cedar_condition *c = &p->body->conditions[index];
    size_t left = BLAME_MAX;

    jout_name(x->j, "condition");
    jout_object(x->j);
    jout_m_cstr(x->j, "kind", c->unless ? "unless" : "when");
    jout_m_i64(x->j, "index", (int64_t)index);
    put_expr(x, "text", c->expr);
    jout_object_end(x->j);
    jout_name(x->j, "because");
    jout_array(x->j);
    if (!put_causes(x, p, c->expr, &left))
        return false;
    jout_array_end(x->j);
    return true;
}

static void begin_policy(struct explainer *x, const struct cedar_policy *p, const char *outcome)
{
    jout_object(x->j);
    jout_m_str(x->j, "id", p->id);
    jout_m_cstr(x->j, "effect", p->effect == CEDAR_PERMIT ? "permit" : "forbid");
    if (p->line > 0) {
        jout_m_str(x->j, "file", p->file);
        jout_m_i64(x->j, "line", p->line);
    }
    jout_m_cstr(x->j, "outcome", outcome);
}

/* How many parts of the scope do not match; *ret_part: the last such. */
static unsigned missed_parts(const struct explainer *x, const struct cedar_policy *p,
                             unsigned *ret_part)
{
    unsigned missed = 0;

    for (unsigned part = 0; part < CEDAR_PARTS; part++)
        if (!cedar_eval_scope(&x->env, &p->body->scope[part], part)) {
            missed++;
            *ret_part = part;
        }
    return missed;
}

static void put_near(struct explainer *x, const struct cedar_policy *p, unsigned part)
{
    const struct cedar_request *r = x->env.request;
    const struct cedar_uid *uids[] = {&r->principal, &r->action, &r->resource};

    begin_policy(x, p, "scope");
    jout_m_cstr(x->j, "scope", cedar_part_name(part));
    buf_clear(&x->scratch);
    cedar_scope_put(&x->scratch, &p->body->scope[part], part);
    jout_m_str(x->j, "expected",
               is_whole(x, &x->scratch) ? buf_str(&x->scratch) : STR("(too long to show)"));
    jout_name(x->j, "was");
    cedar_uid_to_json(x->j, uids[part]);
    jout_object_end(x->j);
}

static bool put_policy(struct explainer *x, const struct cedar_policy *p)
{
    bool satisfied;
    size_t index = 0;
    int rc = cedar_eval_conditions(&x->env, p->body, &satisfied, &index);

    if (rc == -ENOMEM)
        return false;
    begin_policy(x, p, rc < 0 ? "error" : satisfied ? "satisfied" : "unsatisfied");
    if (rc < 0)
        put_fault(x, p);
    if ((rc < 0 || !satisfied) && !put_condition(x, p, index))
        return false;
    jout_object_end(x->j);
    return true;
}

static bool put_policies(struct explainer *x, const struct cedar_policies *policies)
{
    jout_name(x->j, "policies");
    jout_array(x->j);
    for (size_t i = 0; i < cedar_policies_count(policies); i++) {
        const struct cedar_policy *p = cedar_policies_at(policies, i);
        unsigned part = 0, missed;

        if (p->is_template)
            continue;
        missed = missed_parts(x, p, &part);
        if (missed == 0 && !put_policy(x, p))
            return false;
        if (missed == 1 && x->near_left > 0) {
            x->near_left--;
            put_near(x, p, part);
        }
    }
    jout_array_end(x->j);
    return true;
}

static void put_answer(struct jout *j, const struct cedar_answer *a)
{
    jout_m_cstr(j, "decision", a->allow ? "allow" : "deny");
    jout_name(j, "reasons");
    jout_array(j);
    for (size_t i = 0; i < a->reasons.count; i++)
        jout_str(j, a->reasons.items[i]->id);
    jout_array_end(j);
    jout_name(j, "errors");
    jout_array(j);
    for (size_t i = 0; i < a->error_count; i++) {
        jout_object(j);
        jout_m_str(j, "policy", a->errors[i].policy->id);
        jout_m_str(j, "text", a->errors[i].text);
        jout_object_end(j);
    }
    jout_array_end(j);
}

int cedar_explain_json(const struct cedar_policies *policies, const struct cedar_request *request,
                       const struct cedar_entities *entities, const struct cedar_explain *how,
                       struct arena *arena, struct jout *j, struct err *err)
{
    static const struct cedar_explain plain = {0};
    struct explainer x = {.how = how ? how : &plain, .j = j};
    struct cedar_answer answer;
    int rc = cedar_authorize(policies, request, entities, arena, &answer, err);

    if (rc < 0)
        return rc;
    cedar_env_init(&x.env, request, entities, arena);
    x.near_left = x.how->near_max ? x.how->near_max : NEAR_DEFAULT;
    buf_init(&x.scratch, 1 << 16);
    jout_object(j);
    put_answer(j, &answer);
    if (!put_policies(&x, policies) || x.out_of_memory)
        rc = err_set(err, ENOMEM, "no memory for an explanation");
    else
        jout_object_end(j);
    buf_release(&x.scratch);
    return rc;
}
