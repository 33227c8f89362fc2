/*
 * cedar_lab.c: see cedar_lab.h.
 */
#include "tests/lib/cedar_lab.h"

void cedar_lab_init(struct cedar_lab *lab, const struct cedar_load *how)
{
    *lab = (struct cedar_lab){.request.context = cedar_record_empty()};
    diags_init(&lab->diags);
    arena_init(&lab->arena, (size_t)256 << 20);
    buf_init(&lab->out, 32u << 20);
    lab->set = cedar_policies_new(how ? how : &(struct cedar_load){0});
    must(lab->set);
    cedar_lab_request(lab, "User alice", "Action read", "Doc d", "{}");
}

void cedar_lab_release(struct cedar_lab *lab)
{
    cedar_policies_free(lab->set);
    cedar_entities_free(lab->world);
    diags_release(&lab->diags);
    arena_release(&lab->arena);
    buf_release(&lab->out);
}

bool cedar_lab_add(struct cedar_lab *lab, const char *text)
{
    must(cedar_policies_add_text(lab->set, STR("a.cedar"), str_of(text), &lab->diags) == 0);
    return !diags_has_errors(&lab->diags);
}

const struct json *cedar_lab_json(struct cedar_lab *lab, const char *text)
{
    char *copy = arena_cstr(&lab->arena, str_of(text));
    const struct json *j = NULL;

    must(copy);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    if (json_parse(&lab->arena, str_of(copy), &JSON_LIMITS_DEFAULT, &j, NULL, &lab->err) < 0)
        return NULL;
    return j;
}

bool cedar_lab_world(struct cedar_lab *lab, const char *json)
{
    const struct json *j = cedar_lab_json(lab, json);

    cedar_entities_free(lab->world);
    lab->world = cedar_entities_new(64u << 20, NULL);
    must(j && lab->world);
    return cedar_entities_from_json(lab->world, j, &lab->err) == 0 &&
           cedar_entities_seal(lab->world, &lab->err) == 0;
}

static struct cedar_uid uid(const char *text)
{
    struct str s = str_of(text);
    ssize_t space = str_find(s, ' ', 0);

    must(space > 0);
    return cedar_uid_borrow(str_slice(s, 0, (size_t)space), str_slice(s, (size_t)space + 1, s.len));
}

void cedar_lab_request(struct cedar_lab *lab, const char *principal, const char *action,
                       const char *resource, const char *context)
{
    const struct json *j = cedar_lab_json(lab, context);

    must(j);
    lab->request.principal = uid(principal);
    lab->request.action = uid(action);
    lab->request.resource = uid(resource);
    must(cedar_value_from_json(&lab->arena, j, &CEDAR_JSON_CEDAR, &lab->request.context,
                               &lab->err) == 0);
}

const char *cedar_lab_decide(struct cedar_lab *lab)
{
    const struct cedar_answer *a = &lab->answer;

    if (!cedar_policies_is_sealed(lab->set))
        must(cedar_policies_seal(lab->set, &lab->diags) == 0);
    must(cedar_authorize(lab->set, &lab->request, lab->world, &lab->arena, &lab->answer,
                         &lab->err) == 0);
    buf_clear(&lab->out);
    buf_cstr(&lab->out, a->allow ? "allow:" : "deny:");
    for (size_t i = 0; i < a->reasons.count; i++)
        buf_fmt(&lab->out, " %.*s", STR_FMT(a->reasons.items[i]->id));
    for (size_t i = 0; i < a->error_count; i++)
        buf_fmt(&lab->out, "%s %.*s", i == 0 ? "; errors:" : "", STR_FMT(a->errors[i].policy->id));
    buf_char(&lab->out, '\0');
    return lab->out.ptr;
}

const char *cedar_lab_diags(struct cedar_lab *lab)
{
    buf_clear(&lab->out);
    diags_put(&lab->diags, &lab->out);
    buf_char(&lab->out, '\0');
    return lab->out.ptr;
}
