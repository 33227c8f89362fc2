/*
 * entity_json.c: Cedar's entities files. Operators write them; they are read as strictly as
 * anything else.
 */
#include "policy/cedar/entity.h"

static const struct cedar_json_rules rules = {.escapes = true};

static int read_parents(struct arena *arena, const struct json *list, struct cedar_uid **ret,
                        struct err *err)
{
    size_t n = list->array.count;

    *ret = ARENA_ARRAY(arena, MAX(n, (size_t)1), struct cedar_uid);
    if (!*ret)
        return err_set(err, ENOMEM, "no memory for %zu parents", n);
    for (size_t i = 0; i < n; i++) {
        int rc = cedar_uid_from_json(arena, &list->array.items[i], &(*ret)[i], err);

        if (rc < 0) {
            err_wrap(err, "parents: [%zu]", i);
            return rc;
        }
    }
    return 0;
}

/* attrs and tags are maps of values, never an escape themselves. */
static int read_map(struct arena *arena, const struct json *j, const char *name,
                    struct cedar_value *ret, struct err *err)
{
    struct cedar_rec rec;

    if (!json_is(j, JSON_OBJECT))
        return err_set(err, EINVAL, "%s must be an object (it may be empty)", name);
    cedar_rec_begin(&rec, arena);
    cedar_rec_reserve(&rec, j->object.count);
    for (size_t i = 0; i < j->object.count; i++) {
        const struct json_member *m = &j->object.members[i];
        struct cedar_value v;
        int rc = cedar_value_from_json(arena, &m->value, &rules, &v, err);

        if (rc < 0) {
            err_wrap(err, "%s: %.*s", name, (int)MIN(m->name.len, (size_t)64),
                     m->name.ptr ? m->name.ptr : "");
            return rc;
        }
        cedar_rec_add(&rec, m->name, v);
    }
    return cedar_rec_end(&rec, ret, err);
}

static int read_one(struct arena *arena, struct cedar_entities *e, const struct json *j,
                    struct err *err)
{
    const struct json *tags = json_get(j, "tags"), *parents = json_get(j, "parents");
    struct cedar_value attr_values, tag_values = cedar_record_empty();
    struct cedar_uid uid, *parent_uids = NULL;
    int rc;

    if (!json_is(j, JSON_OBJECT))
        return err_set(err, EINVAL, "expected an object with uid, attrs and parents");
    if (!json_get(j, "uid"))
        return err_set(err, EINVAL, "uid is missing");
    rc = cedar_uid_from_json(arena, json_get(j, "uid"), &uid, err);
    if (rc < 0) {
        err_wrap(err, "uid");
        return rc;
    }
    if (!json_is(parents, JSON_ARRAY))
        return err_set(err, EINVAL, "parents must be a list (it may be empty)");
    rc = read_map(arena, json_get(j, "attrs"), "attrs", &attr_values, err);
    if (rc == 0 && tags)
        rc = read_map(arena, tags, "tags", &tag_values, err);
    if (rc == 0)
        rc = read_parents(arena, parents, &parent_uids, err);
    if (rc < 0)
        return rc;
    return cedar_entities_add(e, &uid, &attr_values, &tag_values, parent_uids, parents->array.count,
                              err);
}

int cedar_entities_from_json(struct cedar_entities *e, const struct json *list, struct err *err)
{
    struct arena arena;
    int rc = 0;

    if (!json_is(list, JSON_ARRAY))
        return err_set(err, EINVAL, "entities are a list of objects");
    arena_init(&arena, 64u << 20); /* of one entity: the store keeps a copy */
    for (size_t i = 0; rc == 0 && i < list->array.count; i++) {
        rc = read_one(&arena, e, &list->array.items[i], err);
        if (rc < 0)
            err_wrap(err, "entity [%zu]", i);
        arena_reset(&arena);
    }
    arena_release(&arena);
    return rc;
}

static void entity_to_json(const struct cedar_entity *entity, struct jout *j)
{
    jout_object(j);
    jout_name(j, "uid");
    cedar_uid_to_json(j, &entity->uid);
    jout_name(j, "attrs");
    cedar_value_to_json(j, &entity->attrs);
    jout_name(j, "parents");
    jout_array(j);
    for (size_t i = 0; i < entity->parent_count; i++)
        cedar_uid_to_json(j, &entity->parents[i]->uid);
    jout_array_end(j);
    if (entity->tags.record.count > 0) {
        jout_name(j, "tags");
        cedar_value_to_json(j, &entity->tags);
    }
    jout_object_end(j);
}

void cedar_entities_to_json(const struct cedar_entities *e, struct jout *j)
{
    jout_array(j);
    for (const struct cedar_entity *i = cedar_entities_next(e, NULL); i;
         i = cedar_entities_next(e, i))
        entity_to_json(i, j);
    jout_array_end(j);
}
