/*
 * release.c: see release.h. Runs in reeved. Texts of versions come from the store: our own, checked
 * again when they are read.
 */
#include "supervisor/release.h"

#include "policy/content.h"
#include "supervisor/audit.h"

#define VERSION_TEXT_MAX (16u << 20)
#define ROW_BYTES        (1u << 20)

#define SEEN_MAX 16

struct release {
    struct digest installed;
    struct digest stamp;    /* of its program when `installed` was made */
    struct version *pinned; /* or NULL */
};

struct seen { /* programs whose bytes were read of late */
    struct digest stamp;
    struct content content;
};

struct releases { /* in the order of the house's workflows */
    const struct house *house;
    struct release *items;
    size_t count;
    struct seen *seen[SEEN_MAX];
    size_t seen_next;
};

static void releases_free(struct releases *s)
{
    for (size_t i = 0; s && i < s->count; i++)
        version_free(s->items[i].pinned);
    for (size_t i = 0; s && i < SEEN_MAX; i++)
        free(s->seen[i]);
    if (s)
        free(s->items);
    free(s);
}

static struct release *release_of(const struct reeved *rv, const struct workflow *w)
{
    const struct releases *s = rv->releases;
    size_t i = (size_t)(w - s->house->workflows);
    must(s->house == rv->house && i < s->count);
    return &s->items[i];
}

const struct workflow *release_workflow(const struct reeved *rv, const struct workflow *w)
{
    const struct release *r = release_of(rv, w);
    return r->pinned ? &r->pinned->workflow : w;
}

const struct digest *release_digest(const struct reeved *rv, const struct workflow *w)
{
    const struct release *r = release_of(rv, w);
    return r->pinned ? &r->pinned->digest : &r->installed;
}

/* ---- installing --------------------------------------------------------------------------------
 */

/* Read anew only when the stamp is one that was not seen. */
static const struct content *content_of(struct releases *s, const struct workflow *w,
                                        struct digest *ret_stamp)
{
    content_stamp(w, ret_stamp);
    for (size_t i = 0; i < SEEN_MAX; i++)
        if (s->seen[i] && digest_eq(&s->seen[i]->stamp, ret_stamp))
            return &s->seen[i]->content;
    struct seen **at = &s->seen[s->seen_next++ % SEEN_MAX];
    if (!*at && !(*at = calloc(1, sizeof(**at))))
        return NULL;
    (*at)->stamp = *ret_stamp;
    content_read(w, &(*at)->content);
    return &(*at)->content;
}

static int keep_text(struct reeved *rv, struct releases *s, const struct workflow *w,
                     struct release *r, struct err *err)
{
    struct buf text;
    const struct content *c = content_of(s, w, &r->stamp);
    if (!c)
        return err_sys(err, ENOMEM, "look at a program");
    buf_init(&text, VERSION_TEXT_MAX);
    int e = version_put_files(s->house, w, c->files, c->count, &text, &r->installed, err);
    if (e >= 0)
        e = store_version_put(rv->store, &r->installed, w->name, buf_str(&text), reeved_now(rv),
                              err);
    buf_release(&text);
    return e;
}

static int read_version(struct reeved *rv, const struct digest *d, struct version **ret,
                        struct err *err)
{
    struct arena a;
    struct str text;
    arena_init(&a, 2 * VERSION_TEXT_MAX);
    int e = store_version_get(rv->store, d, &a, &text, err);
    if (e >= 0)
        e = version_parse(text, ret, err);
    arena_release(&a);
    return e;
}

static int audit_end(struct reeved *rv, struct str workflow, const char *why, struct err *err)
{
    log_info(&rv->log, "workflow %.*s: the rollback ends: %s", STR_FMT(workflow), why);
    return audit_note(rv, STR("reeve"), "workflow.rollback.end", workflow, str_of(why), err);
}

/* Row of the store and what is in memory, for one workflow of h. */
static int install_one(struct reeved *rv, const struct workflow *w, struct release *r,
                       struct err *err)
{
    struct arena a;
    struct store_workflow row = {.name = w->name};
    arena_init(&a, ROW_BYTES);
    int e = store_workflow_get(rv->store, w->name, &a, &row, err);
    bool changed = e < 0 || !row.is_installed || !digest_eq(&row.installed, &r->installed);
    if (e == -ENOENT) {
        row = (struct store_workflow){.name = w->name};
        e = 0;
    }
    if (e >= 0 && row.is_pinned && !changed) {
        struct err why = ERR_INIT;
        if (read_version(rv, &row.pinned, &r->pinned, &why) < 0) {
            row.is_pinned = false; /* kept by an older program, and unreadable now */
            changed = true;
            e = audit_end(rv, w->name, why.text, err);
        }
    } else if (e >= 0 && row.is_pinned) {
        row.is_pinned = false;
        e = audit_end(rv, w->name, "the files make another version", err);
    }
    if (e >= 0 && changed) {
        row.is_installed = true;
        row.installed = r->installed;
        row.installed_ms = reeved_now(rv);
        e = store_workflow_put(rv->store, &row, err);
    }
    if (e >= 0)
        e = store_version_current(rv->store, w->name,
                                  r->pinned ? &r->pinned->digest : &r->installed, reeved_now(rv),
                                  err);
    arena_release(&a);
    return e;
}

/* Two steps, for a row cannot be written while rows are read. */
struct names {
    char *items[4096];
    size_t count;
    const struct house *house;
};

static int on_row(void *arg, const struct store_workflow *row)
{
    struct names *n = arg;
    if (row->is_installed && !house_workflow(n->house, row->name) &&
        n->count < ARRAY_LEN(n->items)) {
        n->items[n->count] = str_dup(row->name);
        if (!n->items[n->count])
            return -ENOMEM;
        n->count++;
    }
    return 0;
}

static int forget_gone(struct reeved *rv, const struct house *h, struct err *err)
{
    struct names *n = calloc(1, sizeof(*n));
    if (!n)
        return err_sys(err, ENOMEM, "keep versions");
    n->house = h;
    int e = store_workflows(rv->store, on_row, n, err);
    if (e == -ENOMEM)
        err_sys(err, ENOMEM, "keep versions");
    for (size_t i = 0; i < n->count; i++) {
        const struct store_workflow row = {.name = str_of(n->items[i])};
        if (e >= 0)
            e = store_workflow_put(rv->store, &row, err);
        free(n->items[i]);
    }
    free(n);
    return e;
}

int release_install(struct reeved *rv, const struct house *h, struct err *err)
{
    struct releases *s = calloc(1, sizeof(*s));
    struct release *items = calloc(MAX(h->workflow_count, 1), sizeof(*items));
    if (!s || !items) {
        free(s);
        free(items);
        return err_sys(err, ENOMEM, "keep versions");
    }
    *s = (struct releases){.house = h, .items = items, .count = h->workflow_count};
    int e = 0;
    for (size_t i = 0; e >= 0 && i < s->count; i++) {
        e = keep_text(rv, s, &h->workflows[i], &items[i], err);
        if (e >= 0)
            e = install_one(rv, &h->workflows[i], &items[i], err);
    }
    if (e >= 0)
        e = forget_gone(rv, h, err);
    if (e < 0) {
        releases_free(s);
        return err_wrap(err, "keep versions");
    }
    releases_free(rv->releases);
    rv->releases = s;
    return 0;
}

int release_look(struct reeved *rv, const struct workflow *w, struct err *err)
{
    struct release *r = release_of(rv, w);
    struct digest stamp, before = r->installed;
    if (!w->is_program || r->pinned)
        return 0;
    content_stamp(w, &stamp);
    if (digest_eq(&stamp, &r->stamp))
        return 0;
    int e = keep_text(rv, rv->releases, w, r, err);
    if (e < 0 || digest_eq(&before, &r->installed))
        return e;
    log_info(&rv->log, "workflow %.*s: its program on disk changed, which makes another version",
             STR_FMT(w->name));
    return install_one(rv, w, r, err);
}

bool release_is_changed(struct reeved *rv, const struct version *v, char *text, size_t size)
{
    struct digest stamp;
    if (!v->file_count)
        return false;
    const struct content *c = content_of(rv->releases, &v->workflow, &stamp);
    const struct version_file *f =
        c ? content_differs(v->files, v->file_count, c->files, c->count) : NULL;
    if (f)
        snprintf(text, size, "%.*s has other bytes than when that version was made",
                 STR_FMT(f->path));
    return f != NULL;
}

/* ---- rollback ----------------------------------------------------------------------------------
 */

static int pin(struct reeved *rv, const struct workflow *w, struct version *v, struct str who,
               struct err *err)
{
    struct release *r = release_of(rv, w);
    int64_t now = reeved_now(rv);
    char hex[DIGEST_HEX];
    const struct digest *d = v ? &v->digest : &r->installed;
    struct store_workflow row = {.name = w->name,
                                 .is_installed = true,
                                 .installed = r->installed,
                                 .installed_ms = now,
                                 .is_pinned = v != NULL,
                                 .pinned_who = v ? who : STR_NONE,
                                 .pinned_ms = v ? now : 0};
    if (v)
        row.pinned = *d;
    digest_hex(d, hex);
    int e = store_workflow_put(rv->store, &row, err);
    if (e >= 0)
        e = store_version_current(rv->store, w->name, d, now, err);
    if (e >= 0)
        e = audit_note(rv, who, v ? "workflow.rollback" : "workflow.latest", w->name, str_of(hex),
                       err);
    if (e < 0)
        return e;
    version_free(r->pinned);
    r->pinned = v;
    log_warn(&rv->log, "new runs of %.*s take version %.12s, by %.*s", STR_FMT(w->name), hex,
             STR_FMT(who));
    return 0;
}

static int want_workflow(const struct reeved *rv, struct str name, const struct workflow **ret,
                         struct err *err)
{
    *ret = house_workflow(rv->house, name);
    return *ret ? 0
                : err_set(err, ENOENT, "no workflow %.*s in the files",
                          STR_FMT(str_slice(name, 0, 64)));
}

int release_latest(struct reeved *rv, struct str workflow, struct str who, struct digest *ret,
                   struct err *err)
{
    const struct workflow *w;
    int e = want_workflow(rv, workflow, &w, err);
    if (e < 0)
        return e;
    *ret = release_of(rv, w)->installed;
    if (!release_of(rv, w)->pinned)
        return err_set(err, EALREADY, "new runs of %.*s take the files' version already",
                       STR_FMT(workflow));
    return pin(rv, w, NULL, who, err);
}

int release_rollback(struct reeved *rv, struct str workflow, struct str version, struct str who,
                     struct digest *ret, struct err *err)
{
    const struct workflow *w;
    struct version *v;
    int e = want_workflow(rv, workflow, &w, err);
    if (e >= 0)
        e = store_version_find(rv->store, workflow, version, ret, err);
    if (e < 0)
        return e;
    if (digest_eq(ret, release_digest(rv, w)))
        return err_set(err, EALREADY, "new runs of %.*s take this version already",
                       STR_FMT(workflow));
    if (digest_eq(ret, &release_of(rv, w)->installed))
        return release_latest(rv, workflow, who, ret, err);
    e = read_version(rv, ret, &v, err);
    if (e < 0)
        return e == -EBADMSG
                   ? err_set(err, EINVAL, "this program cannot run that version: %s", err->text)
                   : e;
    char changed[1200];
    if (!str_eq(v->workflow.tenant, w->tenant))
        e = err_set(err, EINVAL, "that version is of tenant %.*s, not %.*s",
                    STR_FMT(v->workflow.tenant), STR_FMT(w->tenant));
    else if (release_is_changed(rv, v, changed, sizeof(changed)))
        e = err_set(err, EINVAL, "%s: put that file back first", changed);
    else
        e = pin(rv, w, v, who, err);
    if (e < 0)
        version_free(v);
    return e;
}
