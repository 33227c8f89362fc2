/*
 * house.c: see house.h. Runs in reeved (at start and on reload) and in reeve.
 */
#include "policy/house.h"

#include <fcntl.h>

#include "policy/cedar/cedar.h"
#include "policy/link.h"
#include "policy/notes.h"
#include "policy/refs.h"
#include "policy/tables.h"
#include "policy/text/sort.h"
#include "policy/text/utf8.h"
#include "policy/version.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/file.h"
#include "sandbox/os/sys.h"

#define ARENA_MAX (128u << 20)

struct box { /* a house and what keeps it */
    struct house house;
    struct arena arena;
    struct cedar_policies *policies;
    size_t refs;
};

struct builder {
    struct box *box;
    struct diags *diags;
    struct link link;
    struct bind bind;
};

struct kind_row {
    const char *key;
    enum link_kind kind;
    const struct bind_table *table;
    bool list;                   /* the document holds a list of them */
    size_t offset, count_offset; /* of the array in struct house */
};
#define KIND(k, kind_, t, is_list, member, n)                                               \
    {                                                                                       \
        .key = (k), .kind = (kind_), .table = &(t), .list = (is_list),                      \
        .offset = offsetof(struct house, member), .count_offset = offsetof(struct house, n) \
    }

static const struct kind_row kinds[] = {
    KIND("workflow", LINK_WORKFLOW, tables_workflow, false, workflows, workflow_count),
    KIND("server", LINK_SERVER, tables_server, false, servers, server_count),
    KIND("model", LINK_MODEL, tables_model, false, models, model_count),
    KIND("tenant", LINK_TENANT, tables_tenant, false, tenants, tenant_count),
    KIND("team", LINK_TEAM, tables_team, false, teams, team_count),
    KIND("people", LINK_PERSON, tables_person, true, people, person_count),
    KIND("access", LINK_ACCESS, tables_access, true, access, access_count),
};
static const char kinds_text[] = "workflow, server, model, tenant, team, people or access";

/* ---- documents ---- */

static void read_object(struct builder *b, const struct kind_row *k, const struct yaml *node)
{
    void *object = arena_alloc(&b->box->arena, k->table->size);
    struct link_made *m = object ? link_begin(&b->link, k->kind, object) : NULL;
    if (!m) {
        b->bind.status = -ENOMEM;
        return;
    }
    bind_read(&b->bind, k->table, node, object);
    if (k->kind == LINK_ACCESS)
        return;
    const struct yaml *name = yaml_get(node, k->kind == LINK_PERSON ? "user" : "name");
    struct str text =
        *(const struct str *)object; /* the name is the first member of all that have one */
    link_name(&b->link, m, text, b->bind.file, name ? name->from : node->from,
              name ? name->to : node->to);
}

static void read_kind(struct builder *b, const struct kind_row *k, const struct yaml *node)
{
    if (!k->list) {
        read_object(b, k, node);
        return;
    }
    if (node->type != YAML_LIST) {
        bind_error(&b->bind, node, "a list (`- key: value` lines)", "`%s` is %s", k->key,
                   yaml_type_name(node));
        return;
    }
    for (const struct yaml *c = node->first; c; c = c->next)
        read_object(b, k, c);
}

static void read_document(struct builder *b, const struct yaml *doc)
{
    if (yaml_is_null(doc))
        return;
    if (doc->type != YAML_MAP) {
        bind_error(&b->bind, doc, kinds_text, "a document is %s", yaml_type_name(doc));
        return;
    }
    for (const struct yaml *c = doc->first; c; c = c->next) {
        size_t i = 0;
        while (i < ARRAY_LEN(kinds) && !str_is(c->key, kinds[i].key))
            i++;
        if (i < ARRAY_LEN(kinds))
            read_kind(b, &kinds[i], c);
        else
            bind_key_error(&b->bind, c, kinds_text, "a document cannot define `%.*s`",
                           STR_FMT(str_slice(c->key, 0, 80)));
    }
}

static int read_yaml(struct builder *b, const struct house_text *t)
{
    ssize_t file = diags_file(b->diags, t->name, t->text);
    if (file < 0)
        return (int)file;
    struct yaml_documents docs;
    b->bind.file = (size_t)file;
    int rc = yaml_parse(&b->box->arena, b->diags, (size_t)file, t->text, &docs);
    if (rc == -ENOMEM)
        return rc;
    for (const struct yaml *d = docs.first; d; d = d->next)
        read_document(b, d);
    return b->bind.status < 0 ? b->bind.status : b->link.status;
}

/* ---- the finished house ---- */

static int by_name(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static int by_made_name(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return str_cmp((*(const struct link_made *const *)a)->name,
                   (*(const struct link_made *const *)b)->name);
}

/* All definitions of a kind into one array, by name, so that lookups can halve. */
static int flatten(struct builder *b, const struct kind_row *k)
{
    size_t n = b->link.counts[k->kind], i = 0;
    char *items = arena_array(&b->box->arena, MAX(n, 1), k->table->size);
    const struct link_made **order =
        ARENA_ARRAY(&b->box->arena, MAX(n, 1), const struct link_made *);
    if (!items || !order)
        return -ENOMEM;
    for (const struct link_made *m = b->link.made; m; m = m->next) {
        if (m->kind == k->kind)
            order[i++] = m;
    }
    /* Those without a name (access) keep their order: the sort is stable. */
    if (sort_items(order, n, sizeof(*order), by_made_name, NULL) < 0)
        return -ENOMEM;
    for (i = 0; i < n; i++)
        memcpy(items + i * k->table->size, order[i]->object, k->table->size);
    char *house = (char *)&b->box->house;
    *(const void **)(void *)(house + k->offset) = items;
    *(size_t *)(void *)(house + k->count_offset) = n;
    return 0;
}

static int digest_objects(struct builder *b, struct err *err)
{
    struct house *h = &b->box->house;
    for (size_t i = 0; i < h->server_count; i++) {
        struct server *s = (struct server *)(uintptr_t)&h->servers[i]; /* ours, just made */
        int rc = version_digest_server(s, &s->digest, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < h->model_count; i++) {
        struct model *m = (struct model *)(uintptr_t)&h->models[i];
        int rc = version_digest_model(m, &m->digest, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int digest_set(struct house *h, struct digest *ret)
{
    size_t n = 0, count = 2 * (h->text_count + h->defs.count) + 1;
    struct str *parts = calloc(count, sizeof(*parts));
    if (!parts)
        return -ENOMEM;
    for (size_t i = 0; i < h->text_count; i++) {
        parts[n++] = h->texts[i].name;
        parts[n++] = h->texts[i].text;
    }
    parts[n++] = STR(""); /* a name cannot be empty: here the files end */
    for (size_t i = 0; i < h->defs.count; i++) {
        parts[n++] = h->defs.items[i].name;
        parts[n++] = h->defs.items[i].value;
    }
    *ret = digest_of_parts(parts, n);
    free(parts);
    return 0;
}

static int finish(struct builder *b, struct err *err)
{
    struct house *h = &b->box->house;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (flatten(b, &kinds[i]) < 0)
            return err_set(err, ENOMEM, "out of memory");
    }
    h->policies = b->box->policies;
    h->policy_count = cedar_policies_count(b->box->policies);
    if (digest_set(h, &h->digest) < 0)
        return err_set(err, ENOMEM, "out of memory");
    return digest_objects(b, err);
}

static int read_all(struct builder *b)
{
    const struct house *h = &b->box->house;
    for (size_t i = 0; i < h->text_count; i++) {
        const struct house_text *t = &h->texts[i];
        int rc = str_ends(t->name, STR(".cedar"))
                     ? cedar_policies_add_text(b->box->policies, t->name, t->text, b->diags)
                     : read_yaml(b, t);
        if (rc < 0)
            return rc;
    }
    int rc = cedar_policies_seal(b->box->policies, b->diags);
    if (rc < 0)
        return rc;
    link_check(&b->link);
    notes_check(b->box->policies, &b->link);
    rc = diags_has_errors(b->diags) ? 0 : refs_check(b->box->policies, &b->link);
    return rc < 0 ? rc : b->link.status;
}

/* ---- copies of what was given ---- */

static int copy_texts(struct box *box, const struct house_text *texts, size_t n)
{
    struct house_text *copy = ARENA_ARRAY(&box->arena, MAX(n, 1), struct house_text);
    if (!copy)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        copy[i].name = arena_str(&box->arena, texts[i].name);
        copy[i].text = arena_str(&box->arena, texts[i].text);
        if (!copy[i].name.ptr || !copy[i].text.ptr)
            return -ENOMEM;
    }
    box->house.texts = copy;
    box->house.text_count = n;
    return 0;
}

static int copy_defs(struct box *box, const struct house_pairs *defs)
{
    size_t n = defs ? defs->count : 0;
    struct house_pair *copy = ARENA_ARRAY(&box->arena, MAX(n, 1), struct house_pair);
    if (!copy)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        copy[i].name = arena_str(&box->arena, defs->items[i].name);
        copy[i].value = arena_str(&box->arena, defs->items[i].value);
        if (!copy[i].name.ptr || !copy[i].value.ptr)
            return -ENOMEM;
    }
    if (sort_items(copy, n, sizeof(*copy), by_name, NULL) < 0)
        return -ENOMEM;
    box->house.defs = (struct house_pairs){copy, n};
    return 0;
}

static void box_free(struct box *box)
{
    if (!box)
        return;
    cedar_policies_free(box->policies);
    arena_release(&box->arena);
    free(box);
}

static struct box *box_new(const struct house_text *texts, size_t n, struct str dir,
                           const struct house_pairs *defs)
{
    struct box *box = calloc(1, sizeof(*box));
    if (!box)
        return NULL;
    arena_init(&box->arena, ARENA_MAX);
    box->refs = 1;
    box->policies = cedar_policies_new(&(struct cedar_load){.ids = CEDAR_IDS_FILE});
    box->house.dir = arena_str(&box->arena, dir);
    if (!box->policies || !box->house.dir.ptr || copy_texts(box, texts, n) < 0 ||
        copy_defs(box, defs) < 0) {
        box_free(box);
        return NULL;
    }
    return box;
}

/* ---- from texts ---- */

static int check_counts(const struct house_text *texts, size_t n, struct err *err)
{
    size_t total = 0;
    if (n > HOUSE_FILES_MAX)
        return err_set(err, E2BIG, "more than %d files", HOUSE_FILES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (texts[i].text.len > HOUSE_FILE_BYTES_MAX)
            return err_set(err, EFBIG, "\"%.*s\" is larger than %u bytes", STR_FMT(texts[i].name),
                           HOUSE_FILE_BYTES_MAX);
        total += texts[i].text.len;
    }
    if (total > HOUSE_BYTES_MAX)
        return err_set(err, E2BIG, "the files hold more than %u bytes together", HOUSE_BYTES_MAX);
    return 0;
}

int house_parse(const struct house_text *texts, size_t n, struct str dir,
                const struct house_pairs *defs, struct diags *diags, struct house **ret,
                struct err *err)
{
    int rc = check_counts(texts, n, err);
    if (rc < 0)
        return rc;
    struct box *box = box_new(texts, n, dir, defs);
    if (!box)
        return err_set(err, ENOMEM, "out of memory");
    struct builder b = {.box = box, .diags = diags};
    link_init(&b.link, &box->arena, diags);
    b.bind = (struct bind){.arena = &box->arena,
                           .diags = diags,
                           .defs = &box->house.defs,
                           .dir = box->house.dir,
                           .on_ref = link_use,
                           .arg = &b.link};
    rc = read_all(&b);
    if (rc == 0 && diags->failed)
        rc = -ENOMEM;
    if (rc < 0)
        rc = err_set(err, -rc, "out of memory");
    else if (diags_has_errors(diags))
        rc = err_set(err, EINVAL, "the files hold %zu error%s", diags->errors,
                     diags->errors == 1 ? "" : "s");
    else
        rc = finish(&b, err);
    if (rc < 0) {
        box_free(box);
        return rc;
    }
    *ret = &box->house;
    return 0;
}

static struct box *box_of(struct house *h)
{
    return container_of(h, struct box, house);
}

struct house *house_ref(struct house *h)
{
    box_of(h)->refs++;
    return h;
}

void house_unref(struct house *h)
{
    if (!h || --box_of(h)->refs > 0)
        return;
    box_free(box_of(h));
}

/* ---- from a directory ---- */

static int read_file(int dir, const char *name, uid_t owner, char **ret, size_t *ret_len,
                     struct err *err)
{
    /* A link could lead to a file that its owner alone may write in a directory where others may
     * replace it. */
    FD_AUTO int fd = sys.open(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd == -ELOOP)
        return err_set(err, ELOOP, "\"%s\" is a symbolic link; put the file itself there", name);
    if (fd < 0)
        return err_sys(err, -fd, "open \"%s\"", name);
    int rc = file_check_owner(fd, name, owner, err);
    return rc < 0 ? rc : file_read_fd(fd, name, HOUSE_FILE_BYTES_MAX, ret, ret_len, err);
}

struct listing {
    char **names[2];
    size_t counts[2];
    struct house_text texts[HOUSE_FILES_MAX];
    char *owned[HOUSE_FILES_MAX];
    size_t count;
};

static void listing_release(struct listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->owned[i]);
    file_names_free(l->names[0], l->counts[0]);
    file_names_free(l->names[1], l->counts[1]);
}

static int by_text_name(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return str_cmp(((const struct house_text *)a)->name, ((const struct house_text *)b)->name);
}

static int read_listing(int dir, uid_t owner, struct listing *l, struct err *err)
{
    static const char *const suffixes[] = {".cedar", ".yaml"};
    for (size_t k = 0; k < ARRAY_LEN(suffixes); k++) {
        int rc = file_names(dir, suffixes[k], HOUSE_FILES_MAX, &l->names[k], &l->counts[k], err);
        if (rc < 0)
            return rc;
        if (l->count + l->counts[k] > HOUSE_FILES_MAX)
            return err_set(err, E2BIG, "more than %d files", HOUSE_FILES_MAX);
        for (size_t i = 0; i < l->counts[k]; i++) {
            char *text = NULL;
            size_t len = 0;
            rc = read_file(dir, l->names[k][i], owner, &text, &len, err);
            if (rc < 0)
                return rc;
            l->owned[l->count] = text;
            l->texts[l->count++] = (struct house_text){str_of(l->names[k][i]), {text, len}};
        }
    }
    if (sort_items(l->texts, l->count, sizeof(l->texts[0]), by_text_name, NULL) < 0)
        return err_set(err, ENOMEM, "out of memory");
    return l->count > 0 ? 0 : err_set(err, ENOENT, "it holds no *.cedar and no *.yaml file");
}

/* Files that look as if they were meant to be read. */
static int warn_ignored(int dir, struct diags *diags, struct err *err)
{
    char **names = NULL;
    size_t n = 0;
    int rc = file_names(dir, ".yml", HOUSE_FILES_MAX, &names, &n, err);
    for (size_t i = 0; rc >= 0 && i < n; i++)
        diags_add(diags, DIAG_WARNING, SIZE_MAX, 0, 0, "the suffix .yaml", "\"%s\" is not read",
                  names[i]);
    file_names_free(names, n);
    return MIN(rc, 0);
}

static int load_listing(int dir, const char *path, const struct house_options *o,
                        struct diags *diags, struct house **ret, struct err *err)
{
    struct listing *l = calloc(1, sizeof(*l));
    if (!l)
        return err_set(err, ENOMEM, "out of memory");
    int rc = read_listing(dir, o->owner, l, err);
    if (rc == 0)
        rc = warn_ignored(dir, diags, err);
    if (rc == 0)
        rc = house_parse(l->texts, l->count, str_of(path), &o->defs, diags, ret, err);
    listing_release(l);
    free(l);
    return rc;
}

int house_load(const char *path, const struct house_options *o, struct diags *diags,
               struct house **ret, struct err *err)
{
    FD_AUTO int dir = sys.open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (dir < 0)
        return err_sys(err, -dir, "open \"%s\"", path);
    int rc = file_check_owner(dir, path, o->owner, err);
    if (rc < 0)
        return rc;
    /* ${dir} must mean the same wherever a process stands. */
    char *whole = path[0] == '/' ? strdup(path) : realpath(path, NULL);
    if (!whole)
        return err_set(err, ENOENT, "\"%s\": its absolute path cannot be found", path);
    size_t len = strlen(whole);
    while (len > 1 && whole[len - 1] == '/')
        whole[--len] = '\0';
    rc = load_listing(dir, whole, o, diags, ret, err);
    free(whole);
    if (rc < 0 && rc != -EINVAL)
        err_wrap(err, "load \"%s\"", path);
    return rc;
}
