/*
 * start.c: a start request as JSON and back. Both ends use it: reeved writes, reeve-spawn parses
 * and checks everything again, since a request is the one way to privilege. Trusts nothing it
 * parses.
 */
#include "sandbox/start.h"

#include "policy/text/names.h"

static const char *const profile_names[PROFILE_COUNT] = {
    [PROFILE_STRICT] = "strict", [PROFILE_PROGRAM] = "program", [PROFILE_NODE] = "node",
    [PROFILE_PYTHON] = "python", [PROFILE_TOOL] = "tool",       [PROFILE_HELPER] = "helper",
};

const char *start_profile_name(enum start_profile p)
{
    return (size_t)p < PROFILE_COUNT ? profile_names[p] : "?";
}

int start_profile_parse(struct str name, enum start_profile *ret)
{
    for (size_t i = 0; i < PROFILE_COUNT; i++)
        if (str_is(name, profile_names[i])) {
            *ret = (enum start_profile)i;
            return 0;
        }
    return -EINVAL;
}

/* ---- limits: one row a member ------------------------------------------------------------------
 */

struct limit_row {
    const char *name;
    size_t offset;
    uint64_t max;
};

#define LIMIT(member, json_name, largest)                                                      \
    {                                                                                          \
        .name = (json_name), .offset = offsetof(struct start_limits, member), .max = (largest) \
    }
static const struct limit_row limit_rows[] = {
    LIMIT(memory_bytes, "memoryBytes", (uint64_t)1 << 44),
    LIMIT(processes, "processes", 65536),
    LIMIT(cpu_ms, "cpuMs", (uint64_t)1000 * 86400 * 366),
    LIMIT(open_files, "openFiles", 65536),
    LIMIT(file_bytes, "fileBytes", (uint64_t)1 << 50),
    LIMIT(tmp_bytes, "tmpBytes", (uint64_t)1 << 44),
};
_Static_assert(ARRAY_LEN(limit_rows) * sizeof(uint64_t) == sizeof(struct start_limits),
               "a row for every limit");

static uint64_t *limit_of(struct start_limits *l, const struct limit_row *row)
{
    return (uint64_t *)(void *)((char *)l + row->offset);
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static void put_lists(struct jout *j, const struct start_request *r)
{
    jout_name(j, "argv");
    jout_array(j);
    for (size_t i = 0; i < r->argc; i++)
        jout_str(j, r->argv[i]);
    jout_array_end(j);
    jout_name(j, "env");
    jout_object(j);
    for (size_t i = 0; i < r->env_count; i++) {
        jout_name_str(j, r->env[i].name);
        jout_str(j, r->env[i].value);
    }
    jout_object_end(j);
    jout_name(j, "secrets");
    jout_array(j);
    for (size_t i = 0; i < r->secret_count; i++) {
        jout_object(j);
        jout_m_str(j, "name", r->secrets[i].name);
        jout_m_str(j, "file", r->secrets[i].file);
        jout_m_cstr(j, "as", r->secrets[i].as == SECRET_AS_FD ? "fd" : "env");
        jout_object_end(j);
    }
    jout_array_end(j);
    jout_name(j, "files");
    jout_array(j);
    for (size_t i = 0; i < r->file_count; i++) {
        jout_object(j);
        jout_m_str(j, "path", r->files[i].path);
        if (r->files[i].at.len > 0)
            jout_m_str(j, "at", r->files[i].at);
        jout_m_bool(j, "write", r->files[i].write);
        jout_object_end(j);
    }
    jout_array_end(j);
}

void start_put(struct jout *j, const struct start_request *r)
{
    struct start_limits limits = r->limits;

    jout_m_str(j, "key", r->key);
    jout_m_cstr(j, "profile", start_profile_name(r->profile));
    if (r->profile == PROFILE_TOOL)
        jout_m_cstr(j, "base", start_profile_name(r->base));
    jout_m_str(j, "program", r->program);
    put_lists(j, r);
    jout_name(j, "limits");
    jout_object(j);
    for (size_t i = 0; i < ARRAY_LEN(limit_rows); i++)
        if (*limit_of(&limits, &limit_rows[i]) != 0) {
            jout_name(j, limit_rows[i].name);
            jout_u64(j, *limit_of(&limits, &limit_rows[i]));
        }
    jout_object_end(j);
    jout_m_bool(j, "channel", r->channel);
    jout_m_bool(j, "stdio", r->stdio);
    jout_m_bool(j, "stderr", r->stderr_pipe);
    jout_m_bool(j, "network", r->network);
    jout_m_bool(j, "mayPass", r->may_pass);
    jout_m_bool(j, "pass", r->pass_fd >= 0);
    jout_m_i64(j, "uidSlot", (int64_t)r->uid_slot);
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static bool same_argv(const struct start_request *a, const struct start_request *b)
{
    if (a->argc != b->argc)
        return false;
    for (size_t i = 0; i < a->argc; i++)
        if (!str_eq(a->argv[i], b->argv[i]))
            return false;
    return true;
}

static bool same_env(const struct start_request *a, const struct start_request *b)
{
    if (a->env_count != b->env_count)
        return false;
    for (size_t i = 0; i < a->env_count; i++)
        if (!str_eq(a->env[i].name, b->env[i].name) || !str_eq(a->env[i].value, b->env[i].value))
            return false;
    return true;
}

static bool same_files(const struct start_request *a, const struct start_request *b)
{
    if (a->file_count != b->file_count)
        return false;
    for (size_t i = 0; i < a->file_count; i++)
        if (!str_eq(a->files[i].path, b->files[i].path) ||
            !str_eq(a->files[i].at, b->files[i].at) || a->files[i].write != b->files[i].write)
            return false;
    return true;
}

bool start_is_same(const struct start_request *a, const struct start_request *b)
{
    return a->profile == b->profile && a->base == b->base && str_eq(a->program, b->program) &&
           same_argv(a, b) && same_env(a, b) && same_files(a, b) &&
           memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0 && a->stdio == b->stdio &&
           a->stderr_pipe == b->stderr_pipe && a->channel == b->channel &&
           a->network == b->network && a->may_pass == b->may_pass && a->secret_count == 0 &&
           b->secret_count == 0 && a->pass_fd < 0 && b->pass_fd < 0;
}

/* ---- parsing -----------------------------------------------------------------------------------
 */

/* Keys become names of cgroup directories, so no '/', no leading '.'. */
static bool key_is_ok(struct str s)
{
    return s.len <= START_KEY_MAX && name_is_ok(s);
}

static int text_check(struct str s, const char *what, struct err *err)
{
    if (s.len > 0 && memchr(s.ptr, 0, s.len) != NULL)
        return err_set(err, EINVAL, "%s: holds a NUL", what);
    return 0;
}

/* Absolute, bounded, no empty, "." or ".." part: a path that means what it says. */
static int path_check(struct str s, const char *what, struct err *err)
{
    struct str rest, part;

    if (s.len < 2 || s.ptr[0] != '/')
        return err_set(err, EINVAL, "%s: expected an absolute path below \"/\"", what);
    if (s.len > 1000)
        return err_set(err, ENAMETOOLONG, "%s: a path of %zu bytes; at most 1000", what, s.len);
    if (text_check(s, what, err) < 0)
        return -EINVAL;
    rest = str_slice(s, 1, s.len);
    while (str_split(&rest, '/', &part))
        if (part.len == 0 || str_is(part, ".") || str_is(part, ".."))
            return err_set(err, EINVAL, "%s: \"%.*s\" has an empty, \".\" or \"..\" part", what,
                           STR_FMT(s));
    return 0;
}

static int parse_argv(const struct json *params, struct start_request *r, struct err *err)
{
    const struct json *list;
    int rc = json_want(params, "argv", JSON_ARRAY, &list, err);

    if (rc < 0)
        return rc;
    if (list->array.count == 0 || list->array.count > START_ARGV_MAX)
        return err_set(err, E2BIG, "argv: expected 1 to %d strings", START_ARGV_MAX);
    for (size_t i = 0; i < list->array.count; i++) {
        const struct json *v = &list->array.items[i];
        if (v->type != JSON_STRING)
            return err_set(err, EINVAL, "argv[%zu]: expected a string", i);
        if ((rc = text_check(v->string, "argv", err)) < 0)
            return rc;
        r->argv[r->argc++] = v->string;
    }
    return 0;
}

static int parse_env(const struct json *params, struct start_request *r, struct err *err)
{
    const struct json *env;
    int rc = json_want(params, "env", JSON_OBJECT, &env, err);

    if (rc < 0)
        return rc;
    if (env->object.count > START_ENV_MAX)
        return err_set(err, E2BIG, "env: more than %d variables", START_ENV_MAX);
    for (size_t i = 0; i < env->object.count; i++) {
        const struct json_member *m = &env->object.members[i];
        if (!name_is_env(m->name) || m->value.type != JSON_STRING)
            return err_set(err, EINVAL, "env: \"%.*s\" is no variable with a string value",
                           STR_FMT(m->name));
        if ((rc = text_check(m->value.string, "env", err)) < 0)
            return rc;
        /* The loader's own variables would run code before the program's first line. */
        if (str_starts(m->name, STR("LD_")) || str_is(m->name, "REEVE_SECRETS"))
            return err_set(err, EINVAL, "env: \"%.*s\" may not be set", STR_FMT(m->name));
        r->env[r->env_count++] = (struct start_env){m->name, m->value.string};
    }
    return 0;
}

static int parse_secret(const struct json *v, struct start_request *r, struct err *err)
{
    struct start_secret *s = &r->secrets[r->secret_count];
    struct str as;
    int rc;

    if ((rc = json_want_str(v, "name", &s->name, err)) < 0 ||
        (rc = json_want_str(v, "file", &s->file, err)) < 0 ||
        (rc = json_want_str(v, "as", &as, err)) < 0 || (rc = path_check(s->file, "file", err)) < 0)
        return rc;
    if (!str_is(as, "env") && !str_is(as, "fd"))
        return err_set(err, EINVAL, "as: expected \"env\" or \"fd\"");
    s->as = str_is(as, "fd") ? SECRET_AS_FD : SECRET_AS_ENV;
    if (s->as == SECRET_AS_ENV ? !name_is_env(s->name) : !name_is_ok(s->name))
        return err_set(err, EINVAL, "name: \"%.*s\" is not a name for a secret", STR_FMT(s->name));
    if (s->as == SECRET_AS_ENV && str_starts(s->name, STR("LD_")))
        return err_set(err, EINVAL, "name: \"%.*s\" may not be set", STR_FMT(s->name));
    r->secret_count++;
    return 0;
}

static int parse_file(const struct json *v, struct start_request *r, struct err *err)
{
    struct start_file *f = &r->files[r->file_count];
    int rc;

    if ((rc = json_want_str(v, "path", &f->path, err)) < 0 ||
        (rc = json_str_or(v, "at", STR_NONE, &f->at, err)) < 0 ||
        (rc = json_bool_or(v, "write", false, &f->write, err)) < 0 ||
        (rc = path_check(f->path, "path", err)) < 0)
        return rc;
    if (f->at.len > 0 && (rc = path_check(f->at, "at", err)) < 0)
        return rc;
    r->file_count++;
    return 0;
}

static int parse_list(const struct json *params, const char *name, size_t max,
                      int (*one)(const struct json *, struct start_request *, struct err *),
                      struct start_request *r, struct err *err)
{
    const struct json *list = json_get(params, name);
    int rc;

    if (list == NULL)
        return 0;
    if (list->type != JSON_ARRAY || list->array.count > max)
        return err_set(err, EINVAL, "%s: expected a list of at most %zu", name, max);
    for (size_t i = 0; i < list->array.count; i++) {
        if (list->array.items[i].type != JSON_OBJECT)
            return err_set(err, EINVAL, "%s[%zu]: expected an object", name, i);
        if ((rc = one(&list->array.items[i], r, err)) < 0) {
            err_wrap(err, "%s[%zu]", name, i);
            return rc;
        }
    }
    return 0;
}

static int parse_limits(const struct json *params, struct start_request *r, struct err *err)
{
    const struct json *limits = json_get(params, "limits");
    int64_t v;
    int rc;

    if (limits == NULL)
        return 0;
    if (limits->type != JSON_OBJECT)
        return err_set(err, EINVAL, "limits: expected an object");
    for (size_t i = 0; i < ARRAY_LEN(limit_rows); i++) {
        const struct limit_row *row = &limit_rows[i];
        if ((rc = json_i64_or(limits, row->name, 0, &v, err)) < 0)
            return rc;
        if (v < 0 || (uint64_t)v > row->max)
            return err_set(err, ERANGE, "limits.%s: expected 0 to %" PRIu64, row->name, row->max);
        *limit_of(&r->limits, row) = (uint64_t)v;
    }
    return 0;
}

static int parse_profile(const struct json *params, struct start_request *r, struct err *err)
{
    struct str name, base;
    int rc;

    if ((rc = json_want_str(params, "profile", &name, err)) < 0 ||
        (rc = json_str_or(params, "base", STR("program"), &base, err)) < 0)
        return rc;
    if (start_profile_parse(name, &r->profile) < 0)
        return err_set(err, EINVAL,
                       "profile: \"%.*s\" is none of strict, program, node, python, "
                       "tool, helper",
                       STR_FMT(name));
    if (start_profile_parse(base, &r->base) < 0 ||
        (r->base != PROFILE_PROGRAM && r->base != PROFILE_NODE && r->base != PROFILE_PYTHON))
        return err_set(err, EINVAL, "base: \"%.*s\" is none of program, node, python",
                       STR_FMT(base));
    return 0;
}

static int parse_flags(const struct json *params, struct start_request *r, bool *ret_pass,
                       struct err *err)
{
    int64_t slot;
    int rc;

    if ((rc = json_bool_or(params, "channel", false, &r->channel, err)) < 0 ||
        (rc = json_bool_or(params, "stdio", false, &r->stdio, err)) < 0 ||
        (rc = json_bool_or(params, "stderr", false, &r->stderr_pipe, err)) < 0 ||
        (rc = json_bool_or(params, "network", false, &r->network, err)) < 0 ||
        (rc = json_bool_or(params, "mayPass", false, &r->may_pass, err)) < 0 ||
        (rc = json_bool_or(params, "pass", false, ret_pass, err)) < 0 ||
        (rc = json_want_i64(params, "uidSlot", &slot, err)) < 0)
        return rc;
    if (slot < 0 || slot >= UID_SLOT_COUNT)
        return err_set(err, ERANGE, "uidSlot: expected 0 to %d", UID_SLOT_COUNT - 1);
    r->uid_slot = (uint32_t)slot;
    return 0;
}

/* What no profile may be combined with: each line is a door that a confused or captured reeved
 * could otherwise open for a worker. */
static int check_together(const struct start_request *r, bool pass, struct err *err)
{
    bool helper = r->profile == PROFILE_HELPER;
    bool tool = r->profile == PROFILE_TOOL;

    if (r->network && !helper && !tool)
        return err_set(err, EPERM, "network: profile %s has none", start_profile_name(r->profile));
    if (r->may_pass && !helper)
        return err_set(err, EPERM, "mayPass: only helpers may pass descriptors");
    if (pass && !helper)
        return err_set(err, EPERM, "pass: only helpers are handed a descriptor");
    if (r->secret_count > 0 && !helper && !tool)
        return err_set(err, EPERM, "secrets: profile %s holds none",
                       start_profile_name(r->profile));
    if (r->file_count > 0 && r->profile == PROFILE_STRICT)
        return err_set(err, EPERM, "files: profile strict has none");
    if (r->profile == PROFILE_STRICT && !r->channel)
        return err_set(err, EINVAL, "channel: a strict worker without one can do nothing");
    if (!helper && r->uid_slot < UID_SLOT_SERVERS)
        return err_set(err, EPERM, "uidSlot: %u belongs to a helper", r->uid_slot);
    return 0;
}

int start_parse(const struct json *params, struct start_request *ret, struct err *err)
{
    struct start_request *r = ret;
    bool pass = false;
    int rc;

    *r = (struct start_request){.pass_fd = -1};
    if (params == NULL || params->type != JSON_OBJECT)
        return err_set(err, EINVAL, "params: expected an object");
    if ((rc = json_want_str(params, "key", &r->key, err)) < 0)
        return rc;
    if (!key_is_ok(r->key))
        return err_set(err, EINVAL, "key: expected %s", name_rule_text);
    if ((rc = parse_profile(params, r, err)) < 0 ||
        (rc = json_want_str(params, "program", &r->program, err)) < 0 ||
        (rc = path_check(r->program, "program", err)) < 0 ||
        (rc = parse_argv(params, r, err)) < 0 || (rc = parse_env(params, r, err)) < 0 ||
        (rc = parse_list(params, "secrets", START_SECRETS_MAX, parse_secret, r, err)) < 0 ||
        (rc = parse_list(params, "files", START_FILES_MAX, parse_file, r, err)) < 0 ||
        (rc = parse_limits(params, r, err)) < 0 || (rc = parse_flags(params, r, &pass, err)) < 0)
        return rc;
    if ((rc = check_together(r, pass, err)) < 0)
        return rc;
    r->pass_fd = pass ? 0 : -1; /* "one came along": the caller puts the real one in */
    return 0;
}
