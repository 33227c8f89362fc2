/*
 * ask_explain.c: why; the contracts are in ask.h.
 */
#include "policy/ask.h"

#include "policy/cedar/cedar.h"
#include "policy/request.h"

#define ARENA_MAX (64u << 20)

/* `context.input.lines[2].account` against `input.lines.account`: list indexes are looked through.
 */
static bool part_of(struct str *path, struct str *ret)
{
    if (!str_split(path, '.', ret))
        return false;
    ssize_t index = str_find(*ret, '[', 0);
    if (index >= 0)
        *ret = str_slice(*ret, 0, (size_t)index);
    return true;
}

/* Whether the path is what the mask names or lies below it; or lies on the way to it, below
 * `input`: lists of records are shown whole or not at all. */
static bool covers(struct str mask, struct str path)
{
    struct str want, have;
    size_t same = 0;
    bool has_want = str_split(&mask, '.', &want), has_have = part_of(&path, &have);
    while (has_want && has_have) {
        if (!str_is(want, "*") && !str_eq(want, have))
            return false;
        same++;
        has_want = str_split(&mask, '.', &want);
        has_have = part_of(&path, &have);
    }
    return !has_want || same >= 2;
}

static bool is_masked(void *arg, struct str path)
{
    const struct strs *masks = arg;
    struct str first;
    if (!part_of(&path, &first) || !str_is(first, "context"))
        return false;
    for (size_t i = 0; i < masks->count; i++) {
        if (covers(masks->items[i], path))
            return true;
    }
    return false;
}

int ask_explain_json(const struct house *h, const struct facts *f, struct strs masks,
                     struct jout *j, struct err *err)
{
    struct arena a;
    struct request r;
    struct cedar_explain how = {.is_masked = is_masked, .arg = &masks};
    arena_init(&a, ARENA_MAX);
    int rc = request_make(f, &a, &r, err);
    if (rc == 0) {
        jout_name(j, "explanation");
        rc = cedar_explain_json(h->policies, &r.cedar, r.entities, &how, &a, j, err);
        request_release(&r);
    }
    arena_release(&a);
    return rc;
}

int ask_explain(const struct house *h, const struct facts *f, struct strs masks, struct buf *out,
                struct err *err)
{
    struct arena a;
    struct request r;
    struct cedar_explain how = {.is_masked = is_masked, .arg = &masks};
    arena_init(&a, ARENA_MAX);
    int rc = request_make(f, &a, &r, err);
    if (rc == 0) {
        rc = cedar_explain_text(h->policies, &r.cedar, r.entities, &how, &a, out, err);
        request_release(&r);
    }
    arena_release(&a);
    return rc;
}
