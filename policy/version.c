/*
 * version.c: see version.h. The tables of the files write and read versions too, so there is one
 * place that says what a definition holds.
 */
#include "policy/version.h"

#include "policy/tables.h"

#define TEXT_MAX (16u << 20)
#define FORMAT   INT64_C(1) /* of the canonical text; a reader refuses what it does not know */

struct box {
    struct version version;
    struct arena arena;
    char *text;
};

/* ---- writing ---- */

static void put_object(struct jout *j, const char *name, const struct bind_table *t,
                       const void *object)
{
    if (name)
        jout_name(j, name);
    jout_object(j);
    bind_put(j, t, object);
    jout_object_end(j);
}

/* Canonical form of what is in `plain`, appended to out; its digest. */
static int canonical(const struct buf *plain, struct buf *out, struct digest *ret, struct err *err)
{
    struct arena arena;
    arena_init(&arena, 4 * (size_t)TEXT_MAX);
    const struct json *v = NULL;
    size_t start = out->len;
    struct json_limits limits = {TEXT_MAX, 32, 1u << 20};
    int rc = json_parse(&arena, buf_str(plain), &limits, &v, NULL, err);
    if (rc == 0)
        rc = jcs_write(out, v, JCS_EXACT, err);
    if (rc == 0 && (rc = buf_status(out)) < 0)
        rc = err_set(err, -rc, "the text is too long");
    if (rc == 0)
        *ret = digest_of(str_slice(buf_str(out), start, out->len));
    arena_release(&arena);
    return rc;
}

static int digest_object(const struct bind_table *t, const void *object, struct digest *ret,
                         struct err *err)
{
    struct buf plain, out;
    struct jout j;
    buf_init(&plain, TEXT_MAX);
    buf_init(&out, TEXT_MAX);
    jout_begin(&j, &plain);
    put_object(&j, NULL, t, object);
    int rc = jout_end(&j);
    if (rc < 0)
        rc = err_set(err, -rc, "%s cannot be written", t->what);
    else
        rc = canonical(&plain, &out, ret, err);
    buf_release(&plain);
    buf_release(&out);
    return rc;
}

int version_digest_server(const struct server *s, struct digest *ret, struct err *err)
{
    return digest_object(&tables_server, s, ret, err);
}

int version_digest_model(const struct model *m, struct digest *ret, struct err *err)
{
    return digest_object(&tables_model, m, ret, err);
}

static bool uses_server(const struct workflow *w, const struct server *s)
{
    struct str server, tool;
    for (size_t i = 0; i < w->tools.count; i++) {
        if (tables_tool_split(w->tools.items[i], &server, &tool) && str_eq(server, s->name))
            return true;
    }
    return false;
}

static void put_files(struct jout *j, const struct version_file *files, size_t n)
{
    char hex[DIGEST_HEX];
    jout_name(j, "content");
    jout_array(j);
    for (size_t i = 0; i < n; i++) {
        digest_hex(&files[i].digest, hex);
        jout_object(j);
        jout_m_str(j, "path", files[i].path);
        jout_m_cstr(j, "sha256", hex);
        jout_object_end(j);
    }
    jout_array_end(j);
}

/* `model` of an agent, `models` of a program; what is not there is not written. */
static void put_models(struct jout *j, const struct house *h, const struct workflow *w)
{
    const struct strs routes = workflow_models(w);
    if (routes.count && !w->is_agent) {
        jout_name(j, "models");
        jout_array(j);
    }
    for (size_t i = 0; i < routes.count; i++) {
        const struct model *m = house_model(h, routes.items[i]);
        if (m)
            put_object(j, w->is_agent ? "model" : NULL, &tables_model, m);
    }
    if (routes.count && !w->is_agent)
        jout_array_end(j);
}

static int put_plain(const struct house *h, const struct workflow *w,
                     const struct version_file *files, size_t n, struct buf *out)
{
    struct jout j;
    jout_begin(&j, out);
    jout_object(&j);
    jout_m_i64(&j, "format", FORMAT);
    put_object(&j, "workflow", &tables_workflow, w);
    put_models(&j, h, w);
    jout_name(&j, "servers");
    jout_array(&j);
    for (size_t i = 0; i < h->server_count; i++) { /* by name, as the house has them */
        if (uses_server(w, &h->servers[i]))
            put_object(&j, NULL, &tables_server, &h->servers[i]);
    }
    jout_array_end(&j);
    if (n > 0)
        put_files(&j, files, n);
    jout_object_end(&j);
    return jout_end(&j);
}

int version_put(const struct house *h, const struct workflow *w, struct buf *out,
                struct digest *ret, struct err *err)
{
    return version_put_files(h, w, NULL, 0, out, ret, err);
}

int version_put_files(const struct house *h, const struct workflow *w,
                      const struct version_file *files, size_t n, struct buf *out,
                      struct digest *ret, struct err *err)
{
    struct buf plain;
    buf_init(&plain, TEXT_MAX);
    int rc = put_plain(h, w, files, n, &plain);
    if (rc < 0)
        rc = err_set(err, -rc, "workflow \"%.*s\" cannot be written", STR_FMT(w->name));
    else
        rc = canonical(&plain, out, ret, err);
    buf_release(&plain);
    return rc;
}

/* ---- reading ---- */

static int read_servers(struct box *box, struct bind *b, const struct yaml *list)
{
    struct server *servers = ARENA_ARRAY(&box->arena, MAX(list->count, 1), struct server);
    size_t n = 0;
    if (!servers)
        return -ENOMEM;
    for (const struct yaml *c = list->first; c; c = c->next)
        bind_read(b, &tables_server, c, &servers[n++]);
    box->version.servers = servers;
    box->version.server_count = n;
    return b->status;
}

/* Exactly the routes that the workflow names: the broker finds them by these names. */
static int read_models(struct box *box, struct bind *b, const struct yaml *model,
                       const struct yaml *models, struct err *err)
{
    const struct strs routes = workflow_models(&box->version.workflow);
    struct model *items = ARENA_ARRAY(&box->arena, MAX(routes.count, 1), struct model);
    const struct yaml *c = models ? models->first : model;
    size_t n = 0;
    if (!items)
        return err_set(err, ENOMEM, "out of memory");
    for (; c && n < routes.count; c = models ? c->next : NULL) {
        bind_read(b, &tables_model, c, &items[n]);
        if (b->status == 0 && !str_eq(items[n].name, routes.items[n]))
            break;
        n++;
    }
    box->version.models = items;
    box->version.model_count = n;
    return !c && n == routes.count ? 0
                                   : err_set(err, EBADMSG,
                                             "workflow version: its model routes are not those "
                                             "that it names");
}

static int read_tree(struct box *box, struct bind *b, const struct yaml *root, struct err *err)
{
    const struct yaml *format = yaml_get(root, "format"), *workflow = yaml_get(root, "workflow");
    const struct yaml *servers = yaml_get(root, "servers");
    int64_t n = 0;
    if (!format || num_i64(format->text, &n) < 0 || n != FORMAT)
        return err_set(err, EBADMSG,
                       "workflow version: its format is not one that this Reeve knows");
    if (!workflow || !servers || servers->type != YAML_LIST)
        return err_set(err, EBADMSG, "workflow version: a part is missing");
    bind_read(b, &tables_workflow, workflow, &box->version.workflow);
    int rc = read_models(box, b, yaml_get(root, "model"), yaml_get(root, "models"), err);
    if (rc < 0)
        return rc;
    rc = read_servers(box, b, servers);
    return rc < 0 ? err_set(err, -rc, "out of memory") : 0;
}

static int read_files(struct box *box, const struct json *list, struct err *err)
{
    size_t n = json_is(list, JSON_ARRAY) ? list->array.count : 0;
    struct version_file *files = ARENA_ARRAY(&box->arena, MAX(n, 1), struct version_file);
    if (!files)
        return err_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct str hex;
        if (json_want_str(&list->array.items[i], "path", &files[i].path, err) < 0 ||
            json_want_str(&list->array.items[i], "sha256", &hex, err) < 0 ||
            digest_parse(hex, &files[i].digest) < 0)
            return err_set(err, EBADMSG, "workflow version: content is not what it should be");
    }
    box->version.files = files;
    box->version.file_count = n;
    return 0;
}

static int digest_parts(struct box *box, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < box->version.server_count && rc == 0; i++) {
        struct server *s =
            (struct server *)(uintptr_t)&box->version.servers[i]; /* made by read_servers */
        rc = version_digest_server(s, &s->digest, err);
    }
    for (size_t i = 0; i < box->version.model_count && rc == 0; i++) {
        struct model *m = (struct model *)(uintptr_t)&box->version.models[i];
        rc = version_digest_model(m, &m->digest, err);
    }
    return rc;
}

static int fill(struct box *box, struct str text, struct diags *d, struct err *err)
{
    const struct json *v = NULL;
    struct yaml *root = NULL;
    struct json_limits limits = {TEXT_MAX, 32, 1u << 20};
    int rc = json_parse(&box->arena, text, &limits, &v, NULL, err);
    if (rc < 0) {
        err_wrap(err, "workflow version");
        return rc;
    }
    if (yaml_of_json(&box->arena, text, v, &root) < 0)
        return err_set(err, ENOMEM, "out of memory");
    ssize_t file = diags_file(d, STR("version"), text);
    if (file < 0)
        return err_set(err, ENOMEM, "out of memory");
    struct bind b = {.arena = &box->arena, .diags = d, .file = (size_t)file};
    rc = read_tree(box, &b, root, err);
    if (rc >= 0)
        rc = read_files(box, json_get(v, "content"), err);
    if (rc < 0)
        return rc;
    if (b.status < 0 || d->failed)
        return err_set(err, ENOMEM, "out of memory");
    if (diags_has_errors(d))
        return err_set(err, EBADMSG, "workflow version: %s",
                       d->count > 0 ? d->items[0].message : "out of memory");
    box->version.digest = digest_of(text);
    return digest_parts(box, err);
}

int version_parse(struct str json, struct version **ret, struct err *err)
{
    struct box *box = calloc(1, sizeof(*box));
    if (!box)
        return err_set(err, ENOMEM, "out of memory");
    arena_init(&box->arena, 8 * (size_t)TEXT_MAX);
    box->text = str_dup(json);
    struct diags d;
    diags_init(&d);
    int rc = box->text ? fill(box, (struct str){box->text, json.len}, &d, err)
                       : err_set(err, ENOMEM, "out of memory");
    diags_release(&d);
    if (rc < 0) {
        version_free(&box->version);
        return rc;
    }
    *ret = &box->version;
    return 0;
}

void version_free(struct version *v)
{
    if (!v)
        return;
    struct box *box = container_of(v, struct box, version);
    arena_release(&box->arena);
    free(box->text);
    free(box);
}

const struct model *version_model(const struct version *v, struct str route)
{
    for (size_t i = 0; i < v->model_count; i++) {
        if (str_eq(v->models[i].name, route))
            return &v->models[i];
    }
    return NULL;
}

const struct server *version_server(const struct version *v, struct str name)
{
    for (size_t i = 0; i < v->server_count; i++) {
        if (str_eq(v->servers[i].name, name))
            return &v->servers[i];
    }
    return NULL;
}

int version_tool_digest(const struct json *tool, struct digest *ret, struct err *err)
{
    /* What the model and people judge a tool by; `_meta` and icons may change without a word. */
    static const char *const parts[] = {"name",        "title",        "description",
                                        "inputSchema", "outputSchema", "annotations"};
    struct buf plain, out;
    struct jout j;
    buf_init(&plain, TEXT_MAX);
    buf_init(&out, TEXT_MAX);
    jout_begin(&j, &plain);
    jout_object(&j);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        jout_m_json(&j, parts[i], json_get(tool, parts[i]));
    jout_object_end(&j);
    int rc = jout_end(&j);
    if (rc < 0)
        rc = err_set(err, -rc, "the tool's definition cannot be written");
    else
        rc = canonical(&plain, &out, ret, err);
    buf_release(&plain);
    buf_release(&out);
    return rc;
}
