/*
 * cedar_lab.c: see cedar_lab.h.
 */
#include "tests/lib/cedar_lab.h"

struct cedar_lab lab;

int cedar_lab_set_up(void **state)
{
    (void)state;
    cedar_lab_init(&lab, NULL);
    return 0;
}

int cedar_lab_tear_down(void **state)
{
    (void)state;
    cedar_lab_release(&lab);
    return 0;
}

void cedar_lab_init(struct cedar_lab *l, const struct cedar_load *how)
{
    *l = (struct cedar_lab){.request.context = cedar_record_empty()};
    diags_init(&l->diags);
    arena_init(&l->arena, (size_t)256 << 20);
    buf_init(&l->out, 32u << 20);
    l->set = cedar_policies_new(how ? how : &(struct cedar_load){0});
    must(l->set);
    cedar_lab_request(l, "User alice", "Action read", "Doc d", "{}");
}

void cedar_lab_release(struct cedar_lab *l)
{
    cedar_policies_free(l->set);
    cedar_entities_free(l->world);
    diags_release(&l->diags);
    arena_release(&l->arena);
    buf_release(&l->out);
}

bool cedar_lab_add(struct cedar_lab *l, const char *text)
{
    must(cedar_policies_add_text(l->set, STR("a.cedar"), str_of(text), &l->diags) == 0);
    return !diags_has_errors(&l->diags);
}

const struct json *cedar_lab_json(struct cedar_lab *l, const char *text)
{
    char *copy = arena_cstr(&l->arena, str_of(text));
    const struct json *j = NULL;

    must(copy);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    if (json_parse(&l->arena, str_of(copy), &JSON_LIMITS_DEFAULT, &j, NULL, &l->err) < 0)
        return NULL;
    return j;
}

bool cedar_lab_world(struct cedar_lab *l, const char *json)
{
    const struct json *j = cedar_lab_json(l, json);

    cedar_entities_free(l->world);
    l->world = cedar_entities_new(64u << 20, NULL);
    must(j && l->world);
    return cedar_entities_from_json(l->world, j, &l->err) == 0 &&
           cedar_entities_seal(l->world, &l->err) == 0;
}

static struct cedar_uid uid(const char *text)
{
    struct str s = str_of(text);
    ssize_t space = str_find(s, ' ', 0);

    must(space > 0);
    return cedar_uid_borrow(str_slice(s, 0, (size_t)space), str_slice(s, (size_t)space + 1, s.len));
}

void cedar_lab_request(struct cedar_lab *l, const char *principal, const char *action,
                       const char *resource, const char *context)
{
    const struct json *j = cedar_lab_json(l, context);

    must(j);
    l->request.principal = uid(principal);
    l->request.action = uid(action);
    l->request.resource = uid(resource);
    must(cedar_value_from_json(&l->arena, j, &CEDAR_JSON_CEDAR, &l->request.context, &l->err) == 0);
}

const char *cedar_lab_decide(struct cedar_lab *l)
{
    const struct cedar_answer *a = &l->answer;

    if (!cedar_policies_is_sealed(l->set))
        must(cedar_policies_seal(l->set, &l->diags) == 0);
    must(cedar_authorize(l->set, &l->request, l->world, &l->arena, &l->answer, &l->err) == 0);
    buf_clear(&l->out);
    buf_cstr(&l->out, a->allow ? "allow:" : "deny:");
    for (size_t i = 0; i < a->reasons.count; i++)
        buf_fmt(&l->out, " %.*s", STR_FMT(a->reasons.items[i]->id));
    for (size_t i = 0; i < a->error_count; i++)
        buf_fmt(&l->out, "%s %.*s", i == 0 ? "; errors:" : "", STR_FMT(a->errors[i].policy->id));
    buf_char(&l->out, '\0');
    return l->out.ptr;
}

const char *cedar_lab_diags(struct cedar_lab *l)
{
    buf_clear(&l->out);
    diags_put(&l->diags, &l->out);
    buf_char(&l->out, '\0');
    return l->out.ptr;
}
