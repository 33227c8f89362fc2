/*
 * index.c: policies by the most selective part of their scope. Built at load; read-only after that.
 *
 * Each policy is filed under one key (under each of its actions if that is a list): an entity that
 * one part of its scope demands (==), or a group (in), or a type (is). Of the parts that it could
 * be filed under, the key that the fewest policies share is taken. A request looks up what its
 * principal, action and resource are, are in, and are of.
 */
#include "policy/cedar/index.h"

#define FEW 12 /* up to this many, trying each is cheaper than looking up keys */

enum kind { KIND_EQ, KIND_IN, KIND_IS, KINDS };

struct bin {
    struct cedar_uid key;
    unsigned part, kind;
    uint32_t uses;  /* policies that could be filed here */
    uint32_t count; /* policies that are */
    uint32_t room;  /* while filling */
    bool is_taken;
    const struct cedar_policy *last; /* filed last: a list may name an action twice */
    const struct cedar_policy **items;
};

struct cedar_index {
    struct bin *bins; /* open addressing; a power of two */
    size_t bin_count;
    bool has[CEDAR_PARTS][KINDS];     /* whether any policy is filed so */
    const struct cedar_policy **rest; /* no key, or all of them if few */
    size_t rest_count;
};

/* ---- building ---- */

static uint64_t bin_hash(const struct cedar_uid *key, unsigned part, unsigned kind)
{
    return key->hash + (uint64_t)(part * KINDS + kind) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct bin *bin_of(const struct cedar_index *index, const struct cedar_uid *key,
                          unsigned part, unsigned kind)
{
    size_t i = bin_hash(key, part, kind) & (index->bin_count - 1);

    while (index->bins[i].is_taken && (index->bins[i].part != part || index->bins[i].kind != kind ||
                                       !cedar_uid_eq(&index->bins[i].key, key)))
        i = (i + 1) & (index->bin_count - 1);
    return &index->bins[i];
}

static struct cedar_uid type_key(struct str type)
{
    return cedar_uid_borrow(type, STR(""));
}

/* The keys of one part of a scope; `i` counts up until false. */
static bool part_key(const struct cedar_scope *s, size_t i, struct cedar_uid *key, unsigned *kind)
{
    switch (s->op) {
    case CEDAR_SCOPE_EQ:
    case CEDAR_SCOPE_IN:
    case CEDAR_SCOPE_IN_LIST:
    case CEDAR_SCOPE_IS_IN:
        if (i >= s->count)
            return false;
        *key = s->uids[i];
        *kind = s->op == CEDAR_SCOPE_EQ ? KIND_EQ : KIND_IN;
        return true;
    case CEDAR_SCOPE_IS:
        if (i > 0)
            return false;
        *key = type_key(s->type);
        *kind = KIND_IS;
        return true;
    case CEDAR_SCOPE_ANY:
        break;
    }
    return false;
}

static void count_uses(struct cedar_index *index, const struct cedar_policy *p)
{
    for (unsigned part = 0; part < CEDAR_PARTS; part++) {
        struct cedar_uid key;
        unsigned kind;

        for (size_t i = 0; part_key(&p->body->scope[part], i, &key, &kind); i++) {
            struct bin *bin = bin_of(index, &key, part, kind);

            if (!bin->is_taken)
                *bin = (struct bin){.key = key, .part = part, .kind = kind, .is_taken = true};
            bin->uses++;
        }
    }
}

/* The part to file it under: the one whose keys the fewest share; CEDAR_PARTS if no part has a key.
 */
static unsigned best_part(const struct cedar_index *index, const struct cedar_policy *p)
{
    unsigned best = CEDAR_PARTS;
    uint64_t best_uses = UINT64_MAX;

    for (unsigned part = 0; part < CEDAR_PARTS; part++) {
        uint64_t uses = 0;
        struct cedar_uid key;
        unsigned kind;
        size_t i;

        for (i = 0; part_key(&p->body->scope[part], i, &key, &kind); i++)
            uses += bin_of(index, &key, part, kind)->uses + (kind == KIND_EQ ? 0u : 1u);
        if (i > 0 && uses < best_uses) {
            best = part;
            best_uses = uses;
        }
    }
    return best;
}

/* Visits the bins of a policy; with `fill` it is put in, without it is counted. */
static int file_policy(struct cedar_index *index, struct arena *arena, const struct cedar_policy *p,
                       bool fill)
{
    unsigned part = best_part(index, p), kind;
    const struct cedar_scope *s = part < CEDAR_PARTS ? &p->body->scope[part] : NULL;
    struct cedar_uid key;

    if (!s) {
        if (fill)
            index->rest[index->rest_count] = p;
        index->rest_count++;
        return 0;
    }
    for (size_t i = 0; part_key(s, i, &key, &kind); i++) {
        struct bin *bin = bin_of(index, &key, part, kind);

        index->has[part][kind] = true;
        if (!fill) {
            bin->count += bin->last != p;
            bin->last = p;
            continue;
        }
        if (bin->room > 0 && bin->items[bin->room - 1] == p)
            continue;
        if (!bin->items) {
            bin->items = ARENA_ARRAY(arena, bin->count, const struct cedar_policy *);
            if (!bin->items)
                return -ENOMEM;
        }
        bin->items[bin->room++] = p;
    }
    return 0;
}

/* A policy that no request can match: `action in []`. */
static bool is_void(const struct cedar_policy *p)
{
    const struct cedar_scope *action = &p->body->scope[CEDAR_PART_ACTION];

    return p->is_template || (action->op == CEDAR_SCOPE_IN_LIST && action->count == 0);
}

static int fill_rest(struct cedar_index *index, struct arena *arena, size_t n)
{
    index->rest = ARENA_ARRAY(arena, MAX(n, (size_t)1), const struct cedar_policy *);
    index->rest_count = 0;
    return index->rest ? 0 : -ENOMEM;
}

static int build_bins(struct cedar_index *index, struct arena *arena,
                      const struct cedar_policy *const *policies, size_t n)
{
    size_t keys = 0;
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        for (unsigned part = 0; part < CEDAR_PARTS; part++)
            keys += MAX(policies[i]->body->scope[part].count, (size_t)1);
    for (index->bin_count = 16; index->bin_count < 2 * keys;)
        index->bin_count *= 2;
    index->bins = ARENA_ARRAY(arena, index->bin_count, struct bin);
    if (!index->bins)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (!is_void(policies[i]))
            count_uses(index, policies[i]);
    for (int fill = 0; rc == 0 && fill <= 1; fill++) {
        if (fill)
            rc = fill_rest(index, arena, index->rest_count);
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (!is_void(policies[i]))
                rc = file_policy(index, arena, policies[i], fill);
    }
    return rc;
}

int cedar_index_build(struct arena *arena, const struct cedar_policy *const *policies, size_t n,
                      const struct cedar_index **ret)
{
    struct cedar_index *index = ARENA_NEW(arena, struct cedar_index);
    int rc;

    if (!index)
        return -ENOMEM;
    *ret = index;
    if (n > FEW)
        return build_bins(index, arena, policies, n);
    rc = fill_rest(index, arena, n);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (!is_void(policies[i]))
            index->rest[index->rest_count++] = policies[i];
    return rc;
}

/* ---- asking ---- */

struct asking {
    const struct cedar_index *index;
    cedar_index_fn *visit;
    void *ctx;
};

static int ask(const struct asking *a, const struct cedar_uid *key, unsigned part, unsigned kind)
{
    const struct bin *bin;

    if (!a->index->has[part][kind])
        return 0;
    bin = bin_of(a->index, key, part, kind);
    if (bin->count == 0)
        return 0;
    return a->visit(a->ctx, bin->items, bin->count,
                    part == CEDAR_PART_ACTION && kind == KIND_IN ? &bin->key : NULL);
}

static int ask_part(const struct asking *a, const struct cedar_uid *uid,
                    const struct cedar_entity *entity, unsigned part)
{
    const bool *has = a->index->has[part];
    int rc = ask(a, uid, part, KIND_EQ);

    if (rc >= 0)
        rc = ask(a, uid, part, KIND_IN);
    for (size_t i = 0; rc >= 0 && has[KIND_IN] && entity && i < entity->ancestor_count; i++)
        rc = ask(a, &entity->ancestors[i]->uid, part, KIND_IN);
    if (rc >= 0 && has[KIND_IS]) {
        struct cedar_uid key = type_key(uid->type);

        rc = ask(a, &key, part, KIND_IS);
    }
    return rc;
}

int cedar_index_each(const struct cedar_index *index, const struct cedar_env *env,
                     cedar_index_fn *visit, void *ctx)
{
    const struct cedar_request *r = env->request;
    struct asking a = {index, visit, ctx};
    int rc = visit(ctx, index->rest, index->rest_count, NULL);

    if (!index->bins || rc < 0)
        return rc;
    rc = ask_part(&a, &r->principal, env->found[CEDAR_PART_PRINCIPAL], CEDAR_PART_PRINCIPAL);
    if (rc >= 0)
        rc = ask_part(&a, &r->action, env->found[CEDAR_PART_ACTION], CEDAR_PART_ACTION);
    if (rc >= 0)
        rc = ask_part(&a, &r->resource, env->found[CEDAR_PART_RESOURCE], CEDAR_PART_RESOURCE);
    return rc;
}

bool cedar_index_is_first(const struct cedar_policy *policy, const struct cedar_env *env,
                          const struct cedar_uid *key)
{
    const struct cedar_scope *s = &policy->body->scope[CEDAR_PART_ACTION];

    if (s->op != CEDAR_SCOPE_IN_LIST)
        return true;
    for (size_t i = 0; i < s->count; i++) {
        const struct cedar_uid *uid = &s->uids[i];

        if (cedar_uid_eq(&env->request->action, uid) ||
            cedar_entity_is_in(env->found[CEDAR_PART_ACTION], uid))
            return cedar_uid_eq(uid, key);
    }
    return false;
}
