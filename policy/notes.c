/*
 * notes.c: see notes.h.
 */
#include "policy/notes.h"

#include "policy/cedar/policies.h"
#include "policy/suggest.h"
#include "policy/text/names.h"

int notes_quorum(struct str value, int64_t *ret)
{
    int64_t n = 0;
    if (num_i64(value, &n) < 0 || n < 1 || n > NOTES_QUORUM_MAX)
        return -EINVAL;
    *ret = n;
    return 0;
}

int notes_expires_ms(struct str value, int64_t *ret)
{
    int64_t ms = 0;
    if (num_duration_ms(value, &ms) < 0 || ms < 1000 || ms > INT64_C(366) * 24 * 3600 * 1000)
        return -EINVAL;
    *ret = ms;
    return 0;
}

bool notes_next(struct str *rest, struct str *ret)
{
    if (!rest->ptr)
        return false;
    ssize_t comma = str_find(*rest, ',', 0);
    *ret = str_trim(str_slice(*rest, 0, comma < 0 ? rest->len : (size_t)comma));
    *rest = comma < 0 ? STR_NONE : str_slice(*rest, (size_t)comma + 1, rest->len);
    return true;
}

bool notes_is_mask(struct str path)
{
    struct str part;
    size_t n = 0;
    if (path.len == 0 || path.len > 200 || path.ptr[path.len - 1] == '.')
        return false;
    while (str_split(&path, '.', &part)) {
        if (part.len == 0 || (n++ == 0 && !str_is(part, "input")))
            return false;
    }
    return true;
}

/* ---- checking ---- */

struct spot { /* where an annotation stands */
    const struct link *link;
    const struct cedar_policy *policy;
    const char *name;
    size_t file, from, to;
};

/* The annotation in its policy's text. What stands in its stead when it cannot be found is the
 * policy. */
static void locate(struct spot *s)
{
    const struct diags *d = s->link->diags;
    s->file = SIZE_MAX;
    s->from = s->to = 0;
    for (size_t i = 0; i < d->file_count; i++) {
        if (str_is(s->policy->file, d->files[i].name))
            s->file = i;
    }
    if (s->file == SIZE_MAX)
        return;
    struct str text = {d->files[s->file].text, d->files[s->file].len};
    size_t at = 0;
    for (unsigned line = 1; line < s->policy->line && at < text.len; at++)
        line += text.ptr[at] == '\n';
    s->from = s->to = at;
    char wanted[64];
    int len = snprintf(wanted, sizeof(wanted), "@%s", s->name);
    for (ssize_t p = str_find(text, '@', at); p >= 0 && len > 0;
         p = str_find(text, '@', (size_t)p + 1)) {
        if (!str_starts(str_slice(text, (size_t)p, text.len), (struct str){wanted, (size_t)len}))
            continue;
        ssize_t end = str_find(text, ')', (size_t)p);
        s->from = (size_t)p;
        s->to = end < 0 ? (size_t)p + (size_t)len : (size_t)end + 1;
        return;
    }
}

static void bad(const struct spot *s, struct str value, const char *expected)
{
    diags_add(s->link->diags, DIAG_ERROR, s->file, s->from, s->to, expected,
              "@%s cannot be \"%.*s\"", s->name, STR_FMT(str_slice(value, 0, 100)));
}

static void check_groups(const struct spot *s, struct str value)
{
    struct str rest = value, group;
    size_t n = 0;
    while (notes_next(&rest, &group)) {
        if (!name_is_ok(group) || ++n > NOTES_LIST_MAX) {
            bad(s, value, "names of teams, with a comma between");
            return;
        }
        if (!link_find(s->link, LINK_TEAM, group))
            link_unknown(s->link, LINK_TEAM, group, s->file, s->from, s->to);
    }
}

static void check_masks(const struct spot *s, struct str value)
{
    struct str rest = value, path;
    size_t n = 0;
    while (notes_next(&rest, &path)) {
        if (notes_is_mask(path) && ++n <= NOTES_LIST_MAX)
            continue;
        bad(s, value, "paths such as input.iban, with a comma between");
        return;
    }
}

static void check_quorum(const struct spot *s, struct str value)
{
    int64_t n = 0;
    if (notes_quorum(value, &n) < 0)
        bad(s, value, "a whole number from 1 to 16");
}

static void check_expires(const struct spot *s, struct str value)
{
    int64_t ms = 0;
    if (notes_expires_ms(value, &ms) < 0)
        bad(s, value, "a time such as 4h, from 1s to 366d");
}

static void check_notify(const struct spot *s, struct str value)
{
    if (value.len == 0 || value.len > 200)
        bad(s, value, "whom to tell");
}

static const struct {
    const char *name;
    void (*check)(const struct spot *s, struct str value);
} note_rows[] = {
    {"approvers", check_groups}, {"quorum", check_quorum}, {"expires", check_expires},
    {"mask", check_masks},       {"notify", check_notify},
};

/* `@aprovers("x")` would silently let everybody approve. */
static void check_name(const struct link *link, const struct cedar_policy *p,
                       const struct cedar_annotation *a)
{
    struct suggest near;
    suggest_init(&near, a->name);
    for (size_t i = 0; i < ARRAY_LEN(note_rows); i++) {
        if (str_is(a->name, note_rows[i].name))
            return;
        suggest_add(&near, str_of(note_rows[i].name));
    }
    if (near.best.len == 0 || a->name.len < 4)
        return;
    char name[64];
    if (str_copy(a->name, name, sizeof(name)) < 0)
        return;
    struct spot s = {.link = link, .policy = p, .name = name};
    locate(&s);
    diags_add(link->diags, DIAG_WARNING, s.file, s.from, s.to, NULL,
              "@%s means nothing to Reeve; did you mean @%.*s?", name, STR_FMT(near.best));
}

void notes_check(const struct cedar_policies *policies, const struct link *link)
{
    for (size_t i = 0; i < cedar_policies_count(policies); i++) {
        const struct cedar_policy *p = cedar_policies_at(policies, i);
        for (size_t k = 0; k < ARRAY_LEN(note_rows); k++) {
            const struct str *value = cedar_policy_annotation(p, note_rows[k].name);
            if (!value)
                continue;
            struct spot s = {.link = link, .policy = p, .name = note_rows[k].name};
            locate(&s);
            note_rows[k].check(&s, *value);
        }
        for (size_t k = 0; k < p->annotation_count; k++)
            check_name(link, p, &p->annotations[k]);
    }
}
