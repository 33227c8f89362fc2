/*
 * fuzz_cedar_entities.c: any JSON as entities. A store that is accepted is written as a file that
 * is accepted and written the same; everybody is in whom their parents are in.
 */
#include "policy/cedar/cedar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cedar_entities *load(struct arena *arena, struct str text)
{
    struct cedar_entities *e = cedar_entities_new(64u << 20, NULL);
    struct err err = ERR_INIT;
    const struct json *j;
    int rc;

    must(e);
    if (json_parse(arena, text, &JSON_LIMITS_DEFAULT, &j, NULL, NULL) == 0) {
        rc = cedar_entities_from_json(e, j, &err);
        if (rc == 0)
            rc = cedar_entities_seal(e, &err);
        must(rc == 0 || (err.number == -rc && err.text[0]));
        if (rc == 0)
            return e;
    }
    cedar_entities_free(e);
    return NULL;
}

static void check_closure(const struct cedar_entities *e)
{
    for (const struct cedar_entity *i = cedar_entities_next(e, NULL); i;
         i = cedar_entities_next(e, i)) {
        must(cedar_entities_find(e, &i->uid) == i);
        must(!cedar_entity_is_in(i, &i->uid));
        for (size_t k = 0; k < i->parent_count; k++) {
            const struct cedar_entity *p = i->parents[k];

            must(cedar_entity_is_in(i, &p->uid));
            for (size_t a = 0; a < p->ancestor_count; a++)
                must(cedar_entity_is_in(i, &p->ancestors[a]->uid));
        }
    }
}

static int put(const struct cedar_entities *e, struct buf *out)
{
    struct jout j;

    jout_begin(&j, out);
    cedar_entities_to_json(e, &j);
    return jout_end(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cedar_entities *e, *again;
    struct arena arena;
    struct buf first, second;

    arena_init(&arena, SIZE_MAX);
    buf_init(&first, 64u << 20);
    buf_init(&second, 64u << 20);
    e = load(&arena, (struct str){(const char *)data, size});
    if (e) {
        check_closure(e);
        if (put(e, &first) == 0) { /* what nests to the limit may not fit with its escapes */
            again = load(&arena, buf_str(&first));
            must(again && put(again, &second) == 0);
            must(str_eq(buf_str(&first), buf_str(&second)));
            cedar_entities_free(again);
        }
    }
    cedar_entities_free(e);
    buf_release(&first);
    buf_release(&second);
    arena_release(&arena);
    return 0;
}
