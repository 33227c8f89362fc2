/*
 * cmd_upgrade.c: reeve upgrade check: which runs would not go on under the installed versions, or
 * under those that the files of a directory make. Runs in reeve; asks, changes nothing.
 */
#include "policy/content.h"
#include "supervisor/ctl/commands.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/upgrade.h"

#define VERSIONS_MAX 512
#define STEPS_MAX    100000
#define WHY_MAX      4096

struct kept_version { /* of the daemon, by digest */
    struct str digest;
    struct version *version;
};

struct checking {
    struct ctl *c;
    struct house *house; /* of --policy; NULL: what is installed */
    struct kept_version kept[VERSIONS_MAX];
    size_t kept_count;
    const char *workflow;
    struct str installed; /* digest of the one to check against; empty: gone */
    struct version *to;
    struct content now; /* the program of `to`, as it is on this host */
    int64_t runs, same, good, bad;
    struct jout json;
    int code;
};

/* ---- versions -------------------------------------------------------------------------------- */

static int parse_version(struct ctl *c, struct str text, struct version **ret)
{
    struct err err = ERR_INIT;
    return version_parse(text, ret, &err) < 0 ? ctl_fail_err(c, CTL_FAILED, &err) : CTL_GOOD;
}

/* From the daemon, each once. NULL after telling why. */
static struct version *version_of(struct checking *k, struct str digest)
{
    struct ctl *c = k->c;
    const struct json *answer = NULL;
    for (size_t i = 0; i < k->kept_count; i++)
        if (str_eq(k->kept[i].digest, digest))
            return k->kept[i].version;
    if (k->kept_count == VERSIONS_MAX) {
        k->code = ctl_fail(c, CTL_FAILED, "over %d versions: give --workflow", VERSIONS_MAX);
        return NULL;
    }
    k->code = ctl_get(c, &answer, "/v1/workflows/version?workflow=%s&version=%.*s", k->workflow,
                      STR_FMT(digest));
    const struct json *definition = k->code ? NULL : json_get(answer, "definition");
    struct version *v = NULL;
    if (!k->code && !definition)
        k->code = ctl_fail(c, CTL_FAILED, "the daemon's answer holds no definition");
    if (k->code || (k->code = parse_version(c, definition->raw, &v)))
        return NULL;
    k->kept[k->kept_count++] = (struct kept_version){arena_str(&c->arena, digest), v};
    return v;
}

/* What the files of --policy make of the workflow. */
static int version_of_files(struct checking *k, const struct workflow *w)
{
    struct ctl *c = k->c;
    struct buf text;
    struct digest d;
    struct content now;
    struct err err = ERR_INIT;
    char hex[DIGEST_HEX];
    buf_init(&text, 16u << 20);
    content_read(w, &now);
    int code = version_put_files(k->house, w, now.files, now.count, &text, &d, &err) < 0
                   ? ctl_fail_err(c, CTL_FAILED, &err)
                   : parse_version(c, buf_str(&text), &k->to);
    buf_release(&text);
    digest_hex(&d, hex);
    k->installed = arena_str(&c->arena, str_of(hex));
    return code;
}

/* The version to check against: k->to, NULL when the workflow is gone. */
static int find_target(struct checking *k)
{
    const struct json *answer = NULL;
    k->installed = STR_NONE;
    if (k->house) {
        const struct workflow *w = house_workflow(k->house, str_of(k->workflow));
        return w ? version_of_files(k, w) : CTL_GOOD;
    }
    int code = ctl_get(k->c, &answer, "/v1/workflows/versions?workflow=%s", k->workflow);
    if (code || !show_is_set(answer, "installed"))
        return code;
    k->installed = show_str(answer, "installed");
    k->to = version_of(k, k->installed);
    return k->code;
}

/* ---- a run ----------------------------------------------------------------------------------- */

struct steps {
    struct upgrade_step *items;
    size_t count;
    bool failed;
};

static int read_page(struct ctl *c, int64_t run, int64_t *after, struct steps *s)
{
    const struct json *answer = NULL;
    int code =
        ctl_get(c, &answer, "/v1/runs/%" PRId64 "/steps?after=%" PRId64 "&limit=500", run, *after);
    const struct json *list = code ? NULL : json_get(answer, "steps");
    size_t n = json_is(list, JSON_ARRAY) ? list->array.count : 0;
    struct upgrade_step *grown = reallocarray(s->items, s->count + n + 1, sizeof(*grown));
    if (!grown)
        return ctl_fail(c, CTL_FAILED, "out of memory");
    s->items = grown;
    for (size_t i = 0; i < n; i++) {
        const struct json *row = &list->array.items[i];
        s->items[s->count++] = (struct upgrade_step){.seq = show_i64(row, "seq"),
                                                     .kind = show_str(row, "kind"),
                                                     .key = show_str(row, "key"),
                                                     .state = show_str(row, "state")};
    }
    *after = code || !show_is_set(answer, "next") ? 0 : s->items[s->count - 1].seq;
    return code;
}

/* The steps that a replay would look at: those after the checkpoint. */
static int read_steps(struct ctl *c, int64_t run, struct steps *s)
{
    const struct json *answer = NULL;
    int code = ctl_get(c, &answer, "/v1/runs/%" PRId64, run);
    int64_t after = code ? 0 : show_i64(json_get(answer, "checkpoint"), "seq");
    bool first = true;
    while (!code && (first || after) && s->count < STEPS_MAX) {
        first = false;
        code = read_page(c, run, &after, s);
    }
    return code;
}

static void put_verdict_json(struct checking *k, const struct json *run, bool goes, struct str why)
{
    struct str line;
    jout_object(&k->json);
    jout_m_i64(&k->json, "run", show_i64(run, "run"));
    jout_m_str(&k->json, "workflow", show_str(run, "workflow"));
    jout_m_str(&k->json, "from", show_str(run, "version"));
    jout_m_str(&k->json, "to", k->installed);
    jout_m_bool(&k->json, "continues", goes);
    jout_name(&k->json, "why");
    jout_array(&k->json);
    while (str_split(&why, '\n', &line))
        jout_str(&k->json, line);
    jout_array_end(&k->json);
    jout_object_end(&k->json);
}

static void put_verdict(struct checking *k, const struct json *run, bool goes, struct str why)
{
    struct ctl *c = k->c;
    struct str line;
    k->good += goes;
    k->bad += !goes;
    if (c->json) {
        put_verdict_json(k, run, goes, why);
        return;
    }
    if (goes)
        return;
    style_put(&c->out, &c->style, INK_BOLD, "run %" PRId64, show_i64(run, "run"));
    buf_cstr(&c->out, " of ");
    style_foreign(&c->out, &c->style, INK_PLAIN, show_str(run, "workflow"), 64);
    buf_cstr(&c->out, ", ");
    style_foreign(&c->out, &c->style, style_state_ink(show_str(run, "state")),
                  show_str(run, "state"), 20);
    buf_cstr(&c->out, ", version ");
    style_foreign(&c->out, &c->style, INK_PLAIN, str_slice(show_str(run, "version"), 0, 12), 12);
    buf_cstr(&c->out, ", would not go on:\n");
    while (str_split(&why, '\n', &line)) {
        buf_cstr(&c->out, "  ");
        style_foreign(&c->out, &c->style, INK_RED, line, 400);
        buf_char(&c->out, '\n');
    }
}

/* What other bytes of its program mean for a run, only executing them tells: so it is replayed,
 * without any effect, and the report decides. */
static void try_program(struct checking *k, int64_t run, const struct version *from,
                        struct buf *why)
{
    const struct json *replay;
    const struct version_file *f =
        content_differs(from->files, from->file_count, k->now.files, k->now.count);
    if (!f || (k->code = ctl_replay(k->c, run, &replay)))
        return;
    const struct json *report = json_get(replay, "result");
    if (!show_bool(report, "same"))
        buf_fmt(why, "%.*s has other bytes, and a replay does not go the same way: %.*s",
                STR_FMT(f->path),
                STR_FMT(show_str(report, "end").len ? show_str(report, "end")
                                                    : show_str(replay, "reason")));
}

static void check_run(void *arg, const struct json *run)
{
    struct checking *k = arg;
    struct ctl *c = k->c;
    struct steps s = {0};
    struct buf why;
    struct str version = show_str(run, "version");
    if (k->code)
        return;
    k->runs++;
    if (!k->to) {
        put_verdict(k, run, false, STR("the workflow is gone from the files"));
        return;
    }
    struct version *from = version_of(k, version);
    if (!from)
        return;
    if (str_eq(version, k->installed) &&
        !content_differs(from->files, from->file_count, k->now.files, k->now.count)) {
        k->same++;
        return;
    }
    if ((k->code = read_steps(c, show_i64(run, "run"), &s))) {
        free(s.items);
        return;
    }
    buf_init(&why, 1u << 20);
    upgrade_why(from, k->to, s.items, s.count, &why);
    if (!why.len && s.count)
        try_program(k, show_i64(run, "run"), from, &why);
    if (!k->code)
        put_verdict(k, run, why.len == 0, str_slice(buf_str(&why), 0, WHY_MAX));
    buf_release(&why);
    free(s.items);
}

/* Rows are kept in the arena until the program ends: pages of them are bounded by what lives. */
static int check_workflow(struct checking *k)
{
    const struct json *answer, *next;
    char cursor[64] = "";
    k->to = NULL;
    int code = find_target(k);
    if (k->to)
        content_read(&k->to->workflow, &k->now);
    while (!code && !k->code) {
        code = ctl_get(k->c, &answer, "/v1/runs?state=live&limit=500&workflow=%s%s%s", k->workflow,
                       cursor[0] ? "&cursor=" : "", cursor);
        const struct json *list = code ? NULL : json_get(answer, "runs");
        for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->array.count; i++)
            check_run(k, &list->array.items[i]);
        next = code ? NULL : json_get(answer, "next");
        if (!json_is(next, JSON_STRING) || str_copy(next->string, cursor, sizeof(cursor)) < 0)
            break;
    }
    if (k->house)
        version_free(k->to); /* the daemon's are kept */
    k->to = NULL;
    return code ? code : k->code;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int check_all(struct checking *k)
{
    const struct json *answer = NULL;
    const char *one = args_get(&k->c->args, OPTION_WORKFLOW);
    int code = ctl_get(k->c, &answer, "/v1/workflows");
    const struct json *list = code ? NULL : json_get(answer, "workflows");
    bool found = false;
    for (size_t i = 0; !code && json_is(list, JSON_ARRAY) && i < list->array.count; i++) {
        struct str name = show_str(&list->array.items[i], "workflow");
        if (one && !str_is(name, one))
            continue;
        found = true;
        k->workflow = arena_cstr(&k->c->arena, name);
        code = k->workflow ? check_workflow(k) : ctl_fail(k->c, CTL_FAILED, "out of memory");
    }
    if (!code && one && !found)
        return ctl_fail(k->c, CTL_NOT_FOUND, "no workflow %s (reeve workflows lists them)", one);
    return code;
}

static int put_end(struct checking *k, int code)
{
    struct ctl *c = k->c;
    if (c->json) {
        jout_array_end(&k->json);
        jout_m_i64(&k->json, "runs", k->runs);
        jout_m_i64(&k->json, "same", k->same);
        jout_m_i64(&k->json, "continue", k->good);
        jout_m_i64(&k->json, "not", k->bad);
        jout_object_end(&k->json);
        if (jout_end(&k->json) < 0 && !code)
            code = ctl_fail(c, CTL_FAILED, "the answer is too long");
        buf_char(&c->out, '\n');
    } else {
        buf_fmt(&c->out,
                "%" PRId64 " live runs: %" PRId64 " have the version already, %" PRId64
                " would go on under it, %" PRId64 " would not\n",
                k->runs, k->same, k->good, k->bad);
    }
    if (code)
        buf_clear(&c->out);
    return code ? code : k->bad ? CTL_FAILED : CTL_GOOD;
}

int cmd_upgrade_check(struct ctl *c)
{
    struct checking *k = calloc(1, sizeof(*k));
    const char *dir = args_get(&c->args, OPTION_POLICY);
    if (!k)
        return ctl_fail(c, CTL_FAILED, "out of memory");
    k->c = c;
    int code = dir ? ctl_load_house(c, dir, &k->house) : CTL_GOOD;
    if (code) {
        free(k);
        return code;
    }
    if (c->json) {
        jout_begin(&k->json, &c->out);
        jout_object(&k->json);
        jout_name(&k->json, "checked");
        jout_array(&k->json);
    }
    code = put_end(k, check_all(k));
    for (size_t i = 0; i < k->kept_count; i++)
        version_free(k->kept[i].version);
    house_unref(k->house);
    free(k);
    return code;
}
