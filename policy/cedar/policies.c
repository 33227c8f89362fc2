/*
 * policies.c: the set: loading, ids, links. The index is index.c's.
 */
#include "policy/cedar/policies.h"

#include "policy/cedar/est.h"
#include "policy/cedar/index.h"
#include "policy/cedar/parse.h"
#include "policy/text/utf8.h"

#define FIRST_SLOTS   64
#define SET_BYTES_MAX ((size_t)512 << 20)

/* Where a policy stands in the texts, for "the earlier definition is here". */
struct origin {
    size_t file, at, end; /* file: of diags; SIZE_MAX: not from a text */
};

struct cedar_policies {
    struct arena arena;
    struct cedar_load how;
    const struct cedar_policy **items;
    struct origin *origins; /* parallel to items */
    size_t count, cap;
    const struct cedar_policy *
        *slots; /* by id, the first of each; open addressing, a power of two */
    size_t slot_count;
    size_t text_bytes;
    bool sealed;
    const struct cedar_index *index;
};

struct cedar_policies *cedar_policies_new(const struct cedar_load *how)
{
    struct cedar_policies *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    arena_init(&p->arena, SET_BYTES_MAX);
    p->how = *how;
    p->slot_count = FIRST_SLOTS;
    p->slots = calloc(p->slot_count, sizeof(*p->slots));
    if (!p->slots) {
        free(p);
        return NULL;
    }
    return p;
}

void cedar_policies_free(struct cedar_policies *p)
{
    if (!p)
        return;
    arena_release(&p->arena);
    free(p->items);
    free(p->origins);
    free(p->slots);
    free(p);
}

/* ---- ids ---- */

static const struct cedar_policy **slot_of(const struct cedar_policies *p, struct str id)
{
    size_t i = cedar_uid_borrow(STR_NONE, id).hash & (p->slot_count - 1);

    while (p->slots[i] && !str_eq(p->slots[i]->id, id))
        i = (i + 1) & (p->slot_count - 1);
    return &p->slots[i];
}

const struct cedar_policy *cedar_policies_find(const struct cedar_policies *p, struct str id)
{
    return *slot_of(p, id);
}

static int grow_slots(struct cedar_policies *p)
{
    const struct cedar_policy **slots = p->slots;
    size_t old = p->slot_count;

    p->slots = calloc(2 * old, sizeof(*slots));
    if (!p->slots) {
        p->slots = slots;
        return -ENOMEM;
    }
    p->slot_count = 2 * old;
    for (size_t i = 0; i < old; i++)
        if (slots[i])
            *slot_of(p, slots[i]->id) = slots[i];
    free(slots);
    return 0;
}

static int grow_items(struct cedar_policies *p)
{
    size_t cap = p->cap ? 2 * p->cap : 32;
    const struct cedar_policy **items = reallocarray(p->items, cap, sizeof(*items));
    struct origin *origins;

    if (!items)
        return -ENOMEM;
    p->items = items;
    origins = reallocarray(p->origins, cap, sizeof(*origins));
    if (!origins)
        return -ENOMEM;
    p->origins = origins;
    p->cap = cap;
    return 0;
}

/* Copies the draft into the set. */
static int add(struct cedar_policies *p, const struct cedar_policy *draft, struct origin origin)
{
    struct cedar_policy *kept;

    must(!p->sealed);
    if (p->count >= CEDAR_POLICIES_MAX)
        return -E2BIG;
    if (p->count == p->cap && grow_items(p) < 0)
        return -ENOMEM;
    if (2 * p->count >= p->slot_count && grow_slots(p) < 0)
        return -ENOMEM;
    kept = ARENA_NEW(&p->arena, struct cedar_policy);
    if (!kept)
        return -ENOMEM;
    *kept = *draft;
    kept->index = p->count;
    if (!*slot_of(p, kept->id))
        *slot_of(p, kept->id) = kept;
    p->items[p->count] = kept;
    p->origins[p->count++] = origin;
    return 0;
}

/* ---- texts ---- */

struct text {
    struct cedar_policies *set;
    struct cedar_parser parser;
    struct diags *diags;
    struct str name;
    size_t file, ordinal;
    size_t counted; /* bytes up to which line and column are known */
    unsigned line, column;
};

static void move_to(struct text *t, size_t at)
{
    for (; t->counted < at; t->counted++) {
        char c = t->parser.text.ptr[t->counted];

        if (c == '\n') {
            t->line++;
            t->column = 1;
        } else if (((unsigned char)c & 0xc0) != 0x80) {
            t->column++;
        }
    }
}

static struct str make_id(struct text *t, const struct cedar_policy *draft,
                          const struct cedar_parsed *parsed)
{
    struct arena *arena = &t->set->arena;
    const struct str *given = cedar_policy_annotation(draft, "id");
    struct str id;

    if (t->set->how.ids == CEDAR_IDS_ORDER)
        return arena_fmt(arena, "policy%zu", t->ordinal);
    if (given && given->len == 0)
        diags_add(t->diags, DIAG_ERROR, t->file, parsed->id_at, parsed->id_end, "@id(\"name\")",
                  "an id cannot be empty");
    if (given && given->len > CEDAR_ID_MAX)
        diags_add(t->diags, DIAG_ERROR, t->file, parsed->id_at, parsed->id_end, NULL,
                  "an id has at most %d bytes", CEDAR_ID_MAX);
    if (given)
        return *given;
    id = arena_fmt(arena, "%.*s:%u", STR_FMT(t->name), t->line);
    if (id.ptr && cedar_policies_find(t->set, id)) /* two on one line */
        id = arena_fmt(arena, "%.*s:%u:%u", STR_FMT(t->name), t->line, t->column);
    return id;
}

static int add_parsed(struct text *t, const struct cedar_parsed *parsed, struct str id)
{
    struct cedar_policy draft = {.id = id,
                                 .effect = parsed->effect,
                                 .annotations = parsed->annotations,
                                 .annotation_count = parsed->annotation_count,
                                 .file = t->name,
                                 .body = parsed->body,
                                 .is_template = parsed->has_slots};

    move_to(t, parsed->at);
    draft.line = t->line;
    draft.column = t->column;
    if (!id.ptr)
        draft.id = make_id(t, &draft, parsed);
    if (!draft.id.ptr)
        return -ENOMEM;
    return add(t->set, &draft, (struct origin){t->file, parsed->id_at, parsed->id_end});
}

/* Faults of a policy that is whole in itself but not wanted here. */
static bool is_wanted(struct text *t, const struct cedar_parsed *parsed, bool template_wanted)
{
    if (template_wanted ? parsed->has_slots : !parsed->has_slots || t->set->how.templates)
        return true;
    diags_add(t->diags, DIAG_ERROR, t->file, parsed->at, parsed->at + 6,
              template_wanted ? "?principal or ?resource in its scope" : "an entity in its place",
              template_wanted ? "a template needs a slot"
                              : "this is a template: its scope has a slot that nothing fills");
    return false;
}

/* Whether the memory that is missing is ours by rule: then the text is at fault. */
static int out_of_memory(struct text *t)
{
    if (t->set->arena.used_bytes < SET_BYTES_MAX / 2)
        return -ENOMEM;
    diags_add(t->diags, DIAG_ERROR, t->file, t->parser.now.at, t->parser.now.end, NULL,
              "the policies need more than %zu MiB of memory", SET_BYTES_MAX >> 20);
    return 0;
}

/* Checks and copies a text. 0: nothing to read, the fault is told. */
static int open_text(struct text *t, struct cedar_policies *p, struct str name, struct str text,
                     struct diags *diags)
{
    struct str kept = STR_NONE;
    size_t valid;
    ssize_t file;

    *t = (struct text){.set = p, .diags = diags, .line = 1, .column = 1};
    if (text.len > CEDAR_TEXT_MAX - MIN(p->text_bytes, CEDAR_TEXT_MAX)) {
        diags_add(diags, DIAG_ERROR, SIZE_MAX, 0, 0, NULL,
                  "%.*s: the policies are over %u MiB in all", STR_FMT(name), CEDAR_TEXT_MAX >> 20);
        return 0;
    }
    p->text_bytes += text.len;
    file = diags_file(diags, name, text);
    if (file < 0)
        return -ENOMEM;
    t->file = (size_t)file;
    valid = utf8_valid_prefix(text);
    if (valid < text.len) {
        diags_add(diags, DIAG_ERROR, t->file, valid, valid + 1, NULL, "the text is not UTF-8");
        return 0;
    }
    kept = arena_str(&p->arena, text);
    t->name = arena_str(&p->arena, name);
    if (!kept.ptr || !t->name.ptr)
        return -ENOMEM;
    cedar_parser_init(&t->parser, &p->arena, kept, diags, t->file);
    return 1;
}

int cedar_policies_add_text(struct cedar_policies *p, struct str name, struct str text,
                            struct diags *diags)
{
    struct cedar_parsed parsed;
    struct text t;
    int rc = open_text(&t, p, name, text, diags);

    if (rc <= 0)
        return rc;
    while ((rc = cedar_parse_policy(&t.parser, &parsed)) != 0) {
        if (rc == -ENOMEM)
            return out_of_memory(&t);
        if (rc > 0 && is_wanted(&t, &parsed, false)) {
            rc = add_parsed(&t, &parsed, STR_NONE);
            if (rc == -E2BIG) {
                diags_add(diags, DIAG_ERROR, t.file, parsed.at, parsed.at + 6, NULL,
                          "more than %d policies", CEDAR_POLICIES_MAX);
                return 0;
            }
            if (rc < 0)
                return out_of_memory(&t);
        }
        t.ordinal++;
    }
    return 0;
}

int cedar_policies_add_template(struct cedar_policies *p, struct str id, struct str text,
                                struct diags *diags)
{
    struct cedar_parsed parsed, more;
    struct str kept = arena_str(&p->arena, id);
    struct text t;
    int rc = kept.ptr ? open_text(&t, p, id, text, diags) : -ENOMEM;

    if (rc <= 0)
        return rc;
    rc = cedar_parse_policy(&t.parser, &parsed);
    if (rc == 0)
        diags_add(diags, DIAG_ERROR, t.file, 0, 0, "permit or forbid", "there is no policy");
    if (rc <= 0)
        return rc == -ENOMEM ? out_of_memory(&t) : 0;
    if (!is_wanted(&t, &parsed, true))
        return 0;
    rc = cedar_parse_policy(&t.parser, &more);
    if (rc > 0)
        diags_add(diags, DIAG_ERROR, t.file, more.at, more.end, NULL,
                  "behind the template stands another policy");
    if (rc != 0)
        return rc == -ENOMEM ? out_of_memory(&t) : 0;
    rc = add_parsed(&t, &parsed, kept);
    if (rc == -E2BIG)
        diags_add(diags, DIAG_ERROR, t.file, parsed.at, parsed.at + 6, NULL,
                  "more than %d policies", CEDAR_POLICIES_MAX);
    return rc == -ENOMEM ? out_of_memory(&t) : 0;
}

/* ---- links, JSON ---- */

static int add_or_say(struct cedar_policies *p, const struct cedar_policy *draft, struct err *err)
{
    int rc;

    if (cedar_policies_find(p, draft->id))
        return err_set(err, EEXIST, "there is a policy \"%.*s\" already", STR_FMT(draft->id));
    rc = add(p, draft, (struct origin){.file = SIZE_MAX});
    if (rc == -E2BIG)
        return err_set(err, E2BIG, "more than %d policies", CEDAR_POLICIES_MAX);
    return rc < 0 ? err_set(err, ENOMEM, "no memory for policy \"%.*s\"", STR_FMT(draft->id)) : 0;
}

static int fill_slot(struct arena *arena, struct cedar_scope *scope, const char *slot,
                     const struct cedar_uid *with, struct err *err)
{
    struct cedar_uid *uid;

    if (!scope->slot)
        return with ? err_set(err, EINVAL, "the template has no slot %s", slot) : 0;
    if (!with)
        return err_set(err, EINVAL, "the slot %s is not filled", slot);
    uid = ARENA_NEW(arena, struct cedar_uid);
    if (!uid)
        return err_set(err, ENOMEM, "no memory for a link");
    scope->slot = false;
    scope->uids = uid;
    scope->count = 1;
    return cedar_uid_make(arena, with->type, with->id, uid, err);
}

int cedar_policies_link(struct cedar_policies *p, struct str template_id, struct str id,
                        const struct cedar_uid *principal, const struct cedar_uid *resource,
                        struct err *err)
{
    const struct cedar_policy *from = cedar_policies_find(p, template_id);
    struct cedar_policy draft;
    struct cedar_body *body;
    int rc;

    if (!from || !from->is_template)
        return err_set(err, ENOENT, "there is no template \"%.*s\"", STR_FMT(template_id));
    body = ARENA_NEW(&p->arena, struct cedar_body);
    if (!body)
        return err_set(err, ENOMEM, "no memory for a link");
    *body = *from->body;
    rc = fill_slot(&p->arena, &body->scope[CEDAR_PART_PRINCIPAL], "?principal", principal, err);
    if (rc == 0)
        rc = fill_slot(&p->arena, &body->scope[CEDAR_PART_RESOURCE], "?resource", resource, err);
    if (rc < 0)
        return rc;
    draft = *from;
    draft.id = arena_str(&p->arena, id);
    if (!draft.id.ptr)
        return err_set(err, ENOMEM, "no memory for a link");
    draft.is_template = false;
    draft.linked_from = from;
    draft.body = body;
    return add_or_say(p, &draft, err);
}

/* One policy or template. */
static int add_one_json(struct cedar_policies *p, struct str id, const struct json *j,
                        enum cedar_want want, struct err *err)
{
    struct cedar_policy draft;
    int rc = cedar_est_read(&p->arena, j, &draft, err);

    if (rc < 0)
        return rc;
    if (draft.is_template && (want == CEDAR_WANT_POLICY || !p->how.templates))
        return err_set(err, EINVAL, "this is a template: its scope has a slot that nothing fills");
    if (!draft.is_template && want == CEDAR_WANT_TEMPLATE)
        return err_set(err, EINVAL, "a template needs a slot");
    draft.id = arena_str(&p->arena, id);
    if (!draft.id.ptr)
        return err_set(err, ENOMEM, "no memory for policy \"%.*s\"", STR_FMT(id));
    return add_or_say(p, &draft, err);
}

static int add_map_json(struct cedar_policies *p, const struct json *map, const char *name,
                        enum cedar_want want, struct err *err)
{
    if (!map)
        return 0;
    if (map->type != JSON_OBJECT)
        return err_set(err, EINVAL, "%s must be an object: {id: policy}", name);
    for (size_t i = 0; i < map->object.count; i++) {
        const struct json_member *m = &map->object.members[i];
        int rc = add_one_json(p, m->name, &m->value, want, err);

        if (rc < 0) {
            err_wrap(err, "%s: \"%.*s\"", name, STR_FMT(m->name));
            return rc;
        }
    }
    return 0;
}

static int link_json(struct cedar_policies *p, const struct json *j, struct err *err)
{
    static const char *const slots[] = {"?principal", "?resource"};
    const struct json *values = json_get(j, "values");
    struct cedar_uid uids[2];
    const struct cedar_uid *given[2] = {NULL, NULL};
    struct str template_id, id;
    int rc = json_want_str(j, "templateId", &template_id, err);

    if (rc == 0)
        rc = json_want_str(j, "newId", &id, err);
    if (rc < 0)
        return rc;
    if (!json_is(values, JSON_OBJECT))
        return err_set(err, EINVAL, "values must be an object: {slot: entity}");
    for (size_t i = 0; i < values->object.count; i++) {
        struct str name = values->object.members[i].name;
        size_t slot = str_is(name, slots[0]) ? 0 : 1;

        if (!str_is(name, slots[slot]))
            return err_set(err, EINVAL, "values: there is no slot \"%.*s\"", STR_FMT(name));
        rc = cedar_uid_from_json(&p->arena, &values->object.members[i].value, &uids[slot], err);
        if (rc < 0) {
            err_wrap(err, "values: %s", slots[slot]);
            return rc;
        }
        given[slot] = &uids[slot];
    }
    return cedar_policies_link(p, template_id, id, given[0], given[1], err);
}

static int add_set_json(struct cedar_policies *p, const struct json *j, struct err *err)
{
    const struct json *links = json_get(j, "templateLinks");
    int rc =
        add_map_json(p, json_get(j, "staticPolicies"), "staticPolicies", CEDAR_WANT_POLICY, err);

    if (rc == 0)
        rc = add_map_json(p, json_get(j, "templates"), "templates", CEDAR_WANT_TEMPLATE, err);
    if (rc < 0 || !links)
        return rc;
    if (links->type != JSON_ARRAY)
        return err_set(err, EINVAL, "templateLinks must be a list");
    for (size_t i = 0; rc == 0 && i < links->array.count; i++) {
        rc = link_json(p, &links->array.items[i], err);
        if (rc < 0)
            err_wrap(err, "templateLinks: [%zu]", i);
    }
    return rc;
}

int cedar_policies_add_json(struct cedar_policies *p, struct str id, const struct json *policy,
                            struct err *err)
{
    if (json_is(policy, JSON_OBJECT) &&
        (json_get(policy, "staticPolicies") || json_get(policy, "templates")))
        return add_set_json(p, policy, err);
    return add_one_json(p, id, policy, CEDAR_WANT_ANY, err);
}

/* ---- the whole ---- */

static void say_duplicate(const struct cedar_policies *p, const struct cedar_policy *policy,
                          const struct cedar_policy *first, struct diags *diags)
{
    const struct origin *here = &p->origins[policy->index], *there = &p->origins[first->index];

    diags_add(diags, DIAG_ERROR, here->file, here->at, here->end, "an id of its own",
              "there is a policy \"%.*s\" already", STR_FMT(policy->id));
    diags_add(diags, DIAG_NOTE, there->file, there->at, there->end, NULL,
              "the earlier definition is here");
}

int cedar_policies_seal(struct cedar_policies *p, struct diags *diags)
{
    int rc;

    must(!p->sealed);
    for (size_t i = 0; i < p->count; i++) {
        const struct cedar_policy *first = cedar_policies_find(p, p->items[i]->id);

        if (first != p->items[i])
            say_duplicate(p, p->items[i], first, diags);
    }
    rc = cedar_index_build(&p->arena, p->items, p->count, &p->index);
    p->sealed = rc == 0;
    return rc;
}

bool cedar_policies_is_sealed(const struct cedar_policies *p)
{
    return p->sealed;
}

const struct cedar_index *cedar_policies_index(const struct cedar_policies *p)
{
    must(p->sealed);
    return p->index;
}

size_t cedar_policies_count(const struct cedar_policies *p)
{
    return p->count;
}

const struct cedar_policy *cedar_policies_at(const struct cedar_policies *p, size_t index)
{
    return index < p->count ? p->items[index] : NULL;
}

const struct str *cedar_policy_annotation(const struct cedar_policy *p, const char *name)
{
    for (size_t i = 0; i < p->annotation_count; i++)
        if (str_is(p->annotations[i].name, name))
            return &p->annotations[i].value;
    return NULL;
}
