/*
 * entity.c: the store. Filled from operators' files and by code; bounded; no recursion.
 */
#include "policy/cedar/entity.h"

#include "policy/cedar/order.h"

#define FIRST_SLOTS 64

struct node {
    struct cedar_entity pub; /* first: a cedar_entity of ours is a node */
    uint64_t *hashes;        /* of ancestors, ascending; parallel to pub.ancestors */
    size_t waiting;          /* parents whose closure is not yet known */
    struct node **children;  /* while sealing */
    size_t child_count;
    struct node *next;       /* of all, in order of being named */
    struct node *next_added; /* of those that exist, in order of adding */
};

struct cedar_entities {
    struct arena arena;
    const struct cedar_entities *base;
    struct node **slots; /* open addressing; a power of two */
    size_t slot_count;
    struct node *first, *last, *first_added, *last_added;
    size_t node_count, count;
    bool sealed;
};

struct cedar_entities *cedar_entities_new(size_t max_bytes, const struct cedar_entities *base)
{
    struct cedar_entities *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    must(!base || base->sealed);
    arena_init(&e->arena, max_bytes);
    e->base = base;
    e->slot_count = FIRST_SLOTS;
    e->slots = calloc(e->slot_count, sizeof(struct node *));
    if (!e->slots) {
        free(e);
        return NULL;
    }
    return e;
}

void cedar_entities_free(struct cedar_entities *e)
{
    if (!e)
        return;
    arena_release(&e->arena);
    free(e->slots);
    free(e);
}

/* ---- the table ---- */

static struct node **slot_of(const struct cedar_entities *e, const struct cedar_uid *uid)
{
    size_t i = uid->hash & (e->slot_count - 1);

    while (e->slots[i] && !cedar_uid_eq(&e->slots[i]->pub.uid, uid))
        i = (i + 1) & (e->slot_count - 1);
    return &e->slots[i];
}

const struct cedar_entity *cedar_entities_find(const struct cedar_entities *e,
                                               const struct cedar_uid *uid)
{
    for (; e; e = e->base) {
        struct node *found = *slot_of(e, uid);

        if (found)
            return &found->pub;
    }
    return NULL;
}

static int grow(struct cedar_entities *e, struct err *err)
{
    struct node **slots = e->slots;
    size_t old = e->slot_count;

    e->slots = calloc(2 * old, sizeof(struct node *));
    if (!e->slots) {
        e->slots = slots;
        return err_set(err, ENOMEM, "no memory for the entities");
    }
    e->slot_count = 2 * old;
    for (size_t i = 0; i < old; i++)
        if (slots[i])
            *slot_of(e, &slots[i]->pub.uid) = slots[i];
    free(slots);
    return 0;
}

static int full(const struct cedar_entities *e, struct err *err)
{
    if (e->node_count >= CEDAR_ENTITIES_MAX)
        return err_set(err, E2BIG, "more than %d entities", CEDAR_ENTITIES_MAX);
    return err_set(err, e->arena.used_bytes > e->arena.max_bytes / 2 ? E2BIG : ENOMEM,
                   "the entities need more than %zu bytes", e->arena.max_bytes);
}

/* The node of this name, made if there is none. Not looked for in the base. */
static int intern(struct cedar_entities *e, const struct cedar_uid *uid, struct node **ret,
                  struct err *err)
{
    struct node **slot;
    struct node *n;

    if (2 * e->node_count >= e->slot_count) {
        int rc = grow(e, err);

        if (rc < 0)
            return rc;
    }
    slot = slot_of(e, uid);
    *ret = *slot;
    if (*ret)
        return 0;
    n = e->node_count < CEDAR_ENTITIES_MAX ? ARENA_NEW(&e->arena, struct node) : NULL;
    if (!n)
        return full(e, err);
    n->pub.uid = *uid;
    n->pub.uid.type = arena_str(&e->arena, uid->type);
    n->pub.uid.id = arena_str(&e->arena, uid->id);
    if (!n->pub.uid.type.ptr || !n->pub.uid.id.ptr)
        return full(e, err);
    n->pub.attrs = n->pub.tags = cedar_record_empty();
    *(e->last ? &e->last->next : &e->first) = n;
    e->last = n;
    e->node_count++;
    *slot = *ret = n;
    return 0;
}

/* ---- adding ---- */

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;

    return (x > y) - (x < y);
}

/* Not by address: files written from a store must not change from run to run. */
static int by_uid(const void *a, const void *b)
{
    const struct cedar_entity *const *x = a, *const *y = b;

    return cedar_uid_cmp(&(*x)->uid, &(*y)->uid);
}

static int parents_of(struct cedar_entities *e, const struct cedar_uid *uid,
                      const struct cedar_uid *parents, size_t *count,
                      const struct cedar_entity ***ret, struct err *err)
{
    const struct cedar_entity **list = NULL;

    if (*count > 0) {
        list = ARENA_ARRAY(&e->arena, *count, const struct cedar_entity *);
        if (!list)
            return full(e, err);
    }
    for (size_t i = 0; i < *count; i++) {
        struct node *n = NULL;
        int rc;

        if (cedar_name_is_action(uid->type) && !cedar_name_is_action(parents[i].type))
            return err_set(err, EINVAL,
                           "action \"%.*s\" cannot be in %.*s::\"%.*s\", which is no action",
                           STR_FMT(uid->id), STR_FMT(parents[i].type), STR_FMT(parents[i].id));
        list[i] = cedar_entities_find(e->base, &parents[i]);
        if (list[i])
            continue;
        rc = intern(e, &parents[i], &n, err);
        if (rc < 0)
            return rc;
        list[i] = &n->pub;
    }
    if (*count > 1) {
        cedar_order_sort(list, *count, sizeof(*list), by_uid);
        *count = cedar_order_unique(list, *count, sizeof(*list), by_uid);
    }
    *ret = list;
    return 0;
}

static bool is_same(const struct node *n, const struct cedar_entity *other)
{
    return cedar_value_eq(&n->pub.attrs, &other->attrs) &&
           cedar_value_eq(&n->pub.tags, &other->tags) &&
           n->pub.parent_count == other->parent_count &&
           (n->pub.parent_count == 0 || memcmp(n->pub.parents, other->parents,
                                               n->pub.parent_count * sizeof(*other->parents)) == 0);
}

static int copy_record(struct cedar_entities *e, const struct cedar_value *from,
                       struct cedar_value *to, struct err *err)
{
    *to = cedar_record_empty();
    if (!from)
        return 0;
    if (from->type != CEDAR_RECORD)
        return err_set(err, EINVAL, "attributes and tags must be records, not %s",
                       cedar_type_name(from->type));
    return cedar_value_copy(&e->arena, from, to) < 0 ? full(e, err) : 0;
}

int cedar_entities_add(struct cedar_entities *e, const struct cedar_uid *uid,
                       const struct cedar_value *attrs, const struct cedar_value *tags,
                       const struct cedar_uid *parents, size_t parent_count, struct err *err)
{
    struct cedar_entity draft = {.exists = true, .parent_count = parent_count};
    const struct cedar_entity **list = NULL;
    struct node *n;
    int rc;

    must(!e->sealed);
    if (cedar_entities_find(e->base, uid))
        return err_set(err, EEXIST, "entity %.*s::\"%.*s\" is already known", STR_FMT(uid->type),
                       STR_FMT(uid->id));
    rc = intern(e, uid, &n, err);
    if (rc == 0)
        rc = copy_record(e, attrs, &draft.attrs, err);
    if (rc == 0)
        rc = copy_record(e, tags, &draft.tags, err);
    if (rc == 0)
        rc = parents_of(e, uid, parents, &draft.parent_count, &list, err);
    if (rc < 0)
        return rc;
    draft.parents = list;
    if (n->pub.exists && is_same(n, &draft))
        return 0;
    if (n->pub.exists)
        return err_set(err, EEXIST, "entity %.*s::\"%.*s\" stands twice, with other content",
                       STR_FMT(uid->type), STR_FMT(uid->id));
    draft.uid = n->pub.uid;
    n->pub = draft;
    *(e->last_added ? &e->last_added->next_added : &e->first_added) = n;
    e->last_added = n;
    e->count++;
    return 0;
}

/* ---- closure ---- */

struct ancestor {
    uint64_t hash;
    const struct cedar_entity *entity;
};

static int ancestor_order(const void *a, const void *b)
{
    const struct ancestor *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return by_address(&x->entity, &y->entity);
}

/* The parents' closures are known: this one's is all of them and the parents. */
static int close_node(struct cedar_entities *e, struct node *n, struct err *err)
{
    const struct cedar_entity **list;
    struct ancestor *all;
    size_t count = 0;

    for (size_t i = 0; i < n->pub.parent_count; i++)
        count += 1 + n->pub.parents[i]->ancestor_count;
    if (count == 0)
        return 0;
    all = calloc(count, sizeof(*all));
    if (!all)
        return err_set(err, ENOMEM, "no memory for the ancestors of entities");
    count = 0;
    for (size_t i = 0; i < n->pub.parent_count; i++) {
        const struct cedar_entity *p = n->pub.parents[i];

        all[count++] = (struct ancestor){p->uid.hash, p};
        for (size_t j = 0; j < p->ancestor_count; j++)
            all[count++] = (struct ancestor){p->ancestors[j]->uid.hash, p->ancestors[j]};
    }
    cedar_order_sort(all, count, sizeof(*all), ancestor_order);
    count = cedar_order_unique(all, count, sizeof(*all), ancestor_order);
    list = ARENA_ARRAY(&e->arena, count, const struct cedar_entity *);
    n->hashes = ARENA_ARRAY(&e->arena, count, uint64_t);
    for (size_t i = 0; list && n->hashes && i < count; i++) {
        list[i] = all[i].entity;
        n->hashes[i] = all[i].hash;
    }
    free(all);
    if (!list || !n->hashes)
        return full(e, err);
    n->pub.ancestors = list;
    n->pub.ancestor_count = count;
    return 0;
}

/* Parents in the base are closed already and never change: only ours are waited for. */
static bool is_ours(const struct cedar_entities *e, const struct cedar_entity *entity)
{
    struct node *found = *slot_of(e, &entity->uid);

    return found && &found->pub == entity;
}

static int link_children(struct cedar_entities *e, struct err *err)
{
    for (struct node *n = e->first; n; n = n->next)
        for (size_t i = 0; i < n->pub.parent_count; i++)
            if (is_ours(e, n->pub.parents[i])) {
                ((struct node *)(uintptr_t)n->pub.parents[i])->child_count++;
                n->waiting++;
            }
    for (struct node *n = e->first; n; n = n->next) {
        if (n->child_count == 0)
            continue;
        n->children = ARENA_ARRAY(&e->arena, n->child_count, struct node *);
        if (!n->children)
            return full(e, err);
        n->child_count = 0;
    }
    for (struct node *n = e->first; n; n = n->next)
        for (size_t i = 0; i < n->pub.parent_count; i++)
            if (is_ours(e, n->pub.parents[i])) {
                struct node *parent = (struct node *)(uintptr_t)n->pub.parents[i];

                parent->children[parent->child_count++] = n;
            }
    return 0;
}

/* Some node on a cycle: from one that never became ready, go up until one comes a second time. */
static int cycle(const struct cedar_entities *e, struct err *err)
{
    const struct node *n = e->first;

    while (n && n->waiting == 0)
        n = n->next;
    must(n);
    for (size_t steps = 0; steps < e->node_count; steps++)
        for (size_t i = 0; i < n->pub.parent_count; i++) {
            const struct node *p = (const struct node *)(const void *)n->pub.parents[i];

            if (is_ours(e, &p->pub) && p->waiting > 0) {
                n = p;
                break;
            }
        }
    return err_set(err, ELOOP, "entity %.*s::\"%.*s\" is its own ancestor",
                   STR_FMT(n->pub.uid.type), STR_FMT(n->pub.uid.id));
}

/* Nodes without open parents first, then whom they free, and so on; who is never freed is on or
 * below a cycle. */
int cedar_entities_seal(struct cedar_entities *e, struct err *err)
{
    struct node **queue;
    size_t head = 0, tail = 0;
    int rc = link_children(e, err);

    if (rc < 0)
        return rc;
    queue = ARENA_ARRAY(&e->arena, MAX(e->node_count, (size_t)1), struct node *);
    if (!queue)
        return full(e, err);
    for (struct node *n = e->first; n; n = n->next)
        if (n->waiting == 0)
            queue[tail++] = n;
    while (head < tail) {
        struct node *n = queue[head++];

        rc = close_node(e, n, err);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < n->child_count; i++)
            if (--n->children[i]->waiting == 0)
                queue[tail++] = n->children[i];
    }
    if (tail < e->node_count)
        return cycle(e, err);
    e->sealed = true;
    return 0;
}

/* ---- reading ---- */

bool cedar_entity_is_in(const struct cedar_entity *of, const struct cedar_uid *uid)
{
    const struct node *n = (const struct node *)(const void *)of;
    size_t low = 0, high;

    if (!of)
        return false;
    high = of->ancestor_count;
    while (low < high) { /* the first with this hash */
        size_t middle = low + (high - low) / 2;

        if (n->hashes[middle] < uid->hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < of->ancestor_count && n->hashes[low] == uid->hash; low++)
        if (cedar_uid_eq(&of->ancestors[low]->uid, uid))
            return true;
    return false;
}

const struct cedar_entity *cedar_entities_next(const struct cedar_entities *e,
                                               const struct cedar_entity *after)
{
    const struct node *n =
        after ? ((const struct node *)(const void *)after)->next_added : e->first_added;

    return n ? &n->pub : NULL;
}

size_t cedar_entities_count(const struct cedar_entities *e)
{
    return e->count;
}
