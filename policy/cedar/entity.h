/*
 * entity.h: what policies can look up: entities with attributes, tags and ancestors.
 *
 * A store is filled, then sealed; sealing computes the transitive closure, and refuses a cycle. A
 * sealed store never changes and may be shared by any number of decisions. It owns copies of all it
 * is given.
 */
#ifndef REEVE_CEDAR_ENTITY_H
#define REEVE_CEDAR_ENTITY_H

#include "policy/cedar/cjson.h"

#define CEDAR_ENTITIES_MAX 1000000

struct cedar_entities;

struct cedar_entity {
    struct cedar_uid uid;
    bool exists;              /* false: only named as somebody's parent */
    struct cedar_value attrs; /* a record */
    struct cedar_value tags;  /* a record */
    const struct cedar_entity *const *parents;
    size_t parent_count;
    const struct cedar_entity *const
        *ancestors; /* closure of parents, without itself; by address */
    size_t ancestor_count;
};

/*
 * An empty store of at most max_bytes. `base` (may be NULL; sealed; must outlive it) is looked up
 * behind it: what is the same for all decisions can be built once. A name that the base knows
 * cannot be added again, and base entities are never changed. NULL when out of memory.
 */
struct cedar_entities *cedar_entities_new(size_t max_bytes, const struct cedar_entities *base);
void cedar_entities_free(struct cedar_entities *e); /* NULL is fine */

/*
 * Adds one entity. attrs and tags: a record or NULL. Adding the same entity with the same content
 * again is fine, with other content -EEXIST. An action's parents must be actions (-EINVAL). -E2BIG:
 * limits.
 */
int cedar_entities_add(struct cedar_entities *e, const struct cedar_uid *uid,
                       const struct cedar_value *attrs, const struct cedar_value *tags,
                       const struct cedar_uid *parents, size_t parent_count,
                       struct err *err) NODISCARD;
/* Adds all of an entities file: [{"uid","attrs","parents","tags"?}]. */
int cedar_entities_from_json(struct cedar_entities *e, const struct json *list,
                             struct err *err) NODISCARD;
/* -ELOOP: an entity is its own ancestor. */
int cedar_entities_seal(struct cedar_entities *e, struct err *err) NODISCARD;

/* Borrowed, or NULL when the store has never heard of it. */
const struct cedar_entity *cedar_entities_find(const struct cedar_entities *e,
                                               const struct cedar_uid *uid);
/* Whether `of` is `uid` itself or below it; `of` may be NULL (unknown: below nothing). */
bool cedar_entity_is_in(const struct cedar_entity *of, const struct cedar_uid *uid);
size_t cedar_entities_count(const struct cedar_entities *e); /* existing ones, without the base */
/* The existing entities in order of adding: after NULL the first, NULL at the end. Without the
 * base. */
const struct cedar_entity *cedar_entities_next(const struct cedar_entities *e,
                                               const struct cedar_entity *after);
void cedar_entities_to_json(const struct cedar_entities *e,
                            struct jout *j); /* in order of adding */

#endif
