/*
 * house_texts.c: a set as the store keeps it: the texts themselves; the contracts are in house.h.
 */
#include "policy/house.h"

int house_put_texts(const struct house *h, struct buf *out, struct err *err)
{
    struct jout j;
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_str(&j, "dir", h->dir);
    jout_name(&j, "defs");
    jout_object(&j);
    for (size_t i = 0; i < h->defs.count; i++) {
        jout_name_str(&j, h->defs.items[i].name);
        jout_str(&j, h->defs.items[i].value);
    }
    jout_object_end(&j);
    jout_name(&j, "files");
    jout_array(&j);
    for (size_t i = 0; i < h->text_count; i++) {
        jout_object(&j);
        jout_m_str(&j, "name", h->texts[i].name);
        jout_m_str(&j, "text", h->texts[i].text);
        jout_object_end(&j);
    }
    jout_array_end(&j);
    jout_object_end(&j);
    int rc = jout_end(&j);
    return rc < 0 ? err_set(err, -rc, "the policy set cannot be written") : 0;
}

static int read_files(const struct json *list, struct house_text *texts, struct err *err)
{
    for (size_t i = 0; i < list->array.count; i++) {
        const struct json *f = &list->array.items[i];
        int rc = json_want_str(f, "name", &texts[i].name, err);
        if (rc == 0)
            rc = json_want_str(f, "text", &texts[i].text, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_defs(struct arena *a, const struct json *object, struct house_pairs *ret,
                     struct err *err)
{
    struct house_pair *items = ARENA_ARRAY(a, MAX(object->object.count, 1), struct house_pair);
    if (!items)
        return err_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < object->object.count; i++) {
        const struct json_member *m = &object->object.members[i];
        if (!json_is(&m->value, JSON_STRING))
            return err_set(err, EINVAL, "a definition is not a string");
        items[i] = (struct house_pair){m->name, m->value.string};
    }
    *ret = (struct house_pairs){items, object->object.count};
    return 0;
}

static int parse_texts(struct arena *a, struct str text, struct diags *diags, struct house **ret,
                       struct err *err)
{
    const struct json *v = NULL, *defs = NULL, *files = NULL;
    struct json_limits limits = {4 * (size_t)HOUSE_BYTES_MAX, 8, 1u << 16};
    struct house_pairs pairs;
    struct str dir;
    int rc = json_parse(a, text, &limits, &v, NULL, err);
    if (rc == 0)
        rc = json_want_str(v, "dir", &dir, err);
    if (rc == 0)
        rc = json_want(v, "defs", JSON_OBJECT, &defs, err);
    if (rc == 0)
        rc = json_want(v, "files", JSON_ARRAY, &files, err);
    if (rc == 0)
        rc = read_defs(a, defs, &pairs, err);
    if (rc < 0)
        return rc;
    struct house_text *texts = ARENA_ARRAY(a, MAX(files->array.count, 1), struct house_text);
    if (!texts)
        return err_set(err, ENOMEM, "out of memory");
    rc = read_files(files, texts, err);
    return rc < 0 ? rc : house_parse(texts, files->array.count, dir, &pairs, diags, ret, err);
}

int house_parse_texts(struct str json, struct diags *diags, struct house **ret, struct err *err)
{
    struct arena a;
    arena_init(&a, 8 * (size_t)HOUSE_BYTES_MAX);
    int rc = parse_texts(&a, json, diags, ret, err);
    arena_release(&a);
    return rc;
}
