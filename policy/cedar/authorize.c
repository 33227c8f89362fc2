/*
 * authorize.c: the decision. Runs in reeved for each thing that a worker asks; allocates from the
 * arena only.
 */
#include "policy/cedar/authorize.h"

#include "policy/cedar/index.h"
#include "policy/cedar/order.h"

struct found {
    const struct cedar_policy **items;
    size_t count, cap;
};

struct decision {
    struct cedar_env env;
    struct found satisfied[2]; /* by effect */
    struct cedar_error *errors;
    size_t error_count, error_cap;
};

static int add_found(struct decision *d, const struct cedar_policy *policy)
{
    struct found *f = &d->satisfied[policy->effect];

    if (f->count == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 4;
        const struct cedar_policy **more =
            ARENA_ARRAY(d->env.arena, cap, const struct cedar_policy *);

        if (!more)
            return -ENOMEM;
        if (f->count > 0)
            memcpy(more, f->items, f->count * sizeof(*more));
        f->items = more;
        f->cap = cap;
    }
    f->items[f->count++] = policy;
    return 0;
}

static int add_error(struct decision *d, const struct cedar_policy *policy)
{
    struct str text = cedar_fault_text(d->env.arena, policy, &d->env.fault);

    if (d->error_count == d->error_cap) {
        size_t cap = d->error_cap ? 2 * d->error_cap : 4;
        struct cedar_error *more = ARENA_ARRAY(d->env.arena, cap, struct cedar_error);

        if (!more)
            return -ENOMEM;
        if (d->error_count > 0)
            memcpy(more, d->errors, d->error_count * sizeof(*more));
        d->errors = more;
        d->error_cap = cap;
    }
    d->errors[d->error_count++] = (struct cedar_error){policy, text};
    return text.ptr ? 0 : -ENOMEM;
}

static bool scope_matches(const struct cedar_env *env, const struct cedar_policy *p)
{
    const struct cedar_scope *scope = p->body->scope;

    return cedar_eval_scope(env, &scope[CEDAR_PART_ACTION], CEDAR_PART_ACTION) &&
           cedar_eval_scope(env, &scope[CEDAR_PART_RESOURCE], CEDAR_PART_RESOURCE) &&
           cedar_eval_scope(env, &scope[CEDAR_PART_PRINCIPAL], CEDAR_PART_PRINCIPAL);
}

static int judge(void *ctx, const struct cedar_policy *const *policies, size_t n,
                 const struct cedar_uid *key)
{
    struct decision *d = ctx;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct cedar_policy *p = policies[i];
        bool satisfied;
        size_t index;

        if (!scope_matches(&d->env, p))
            continue;
        if (key && !cedar_index_is_first(p, &d->env, key))
            continue;
        rc = cedar_eval_conditions(&d->env, p->body, &satisfied, &index);
        if (rc == -EINVAL)
            rc = add_error(d, p);
        else if (rc == 0 && satisfied)
            rc = add_found(d, p);
    }
    return rc;
}

static int policy_order(const void *a, const void *b)
{
    const struct cedar_policy *const *x = a, *const *y = b;

    return ((*x)->index > (*y)->index) - ((*x)->index < (*y)->index);
}

static int error_order(const void *a, const void *b)
{
    const struct cedar_error *x = a, *y = b;

    return (x->policy->index > y->policy->index) - (x->policy->index < y->policy->index);
}

static struct cedar_matches matches(struct found *f)
{
    cedar_order_sort(f->items, f->count, sizeof(struct cedar_policy *), policy_order);
    return (struct cedar_matches){f->items, f->count};
}

int cedar_authorize(const struct cedar_policies *policies, const struct cedar_request *request,
                    const struct cedar_entities *entities, struct arena *arena,
                    struct cedar_answer *ret, struct err *err)
{
    struct decision d = {.error_count = 0};
    int rc;

    cedar_env_init(&d.env, request, entities, arena);
    rc = cedar_index_each(cedar_policies_index(policies), &d.env, judge, &d);
    if (rc < 0)
        return err_set(err, ENOMEM, "no memory for a decision within %zu bytes", arena->max_bytes);
    cedar_order_sort(d.errors, d.error_count, sizeof(*d.errors), error_order);
    *ret = (struct cedar_answer){.permits = matches(&d.satisfied[CEDAR_PERMIT]),
                                 .forbids = matches(&d.satisfied[CEDAR_FORBID]),
                                 .errors = d.errors,
                                 .error_count = d.error_count};
    ret->allow = ret->forbids.count == 0 && ret->permits.count > 0;
    ret->reasons = ret->forbids.count > 0 ? ret->forbids : ret->permits;
    return 0;
}

/* ---- in advance ------------------------------------------------------------------------------ */

struct prospect {
    struct cedar_env env;
    bool permit, forbid;
};

static int look(void *ctx, const struct cedar_policy *const *policies, size_t n,
                const struct cedar_uid *key)
{
    struct prospect *p = ctx;

    (void)key; /* one that comes twice says the same twice */
    for (size_t i = 0; i < n; i++) {
        if (!scope_matches(&p->env, policies[i]))
            continue;
        if (policies[i]->effect == CEDAR_PERMIT)
            p->permit = true;
        else if (policies[i]->body->condition_count == 0)
            p->forbid = true;
    }
    return 0;
}

int cedar_may_allow(const struct cedar_policies *policies, const struct cedar_request *request,
                    const struct cedar_entities *entities, struct arena *arena, bool *ret,
                    struct err *err)
{
    struct prospect p = {.permit = false};
    int rc;

    cedar_env_init(&p.env, request, entities, arena);
    rc = cedar_index_each(cedar_policies_index(policies), &p.env, look, &p);
    if (rc < 0)
        return err_set(err, ENOMEM, "no memory for a decision within %zu bytes", arena->max_bytes);
    *ret = p.permit && !p.forbid;
    return 0;
}
