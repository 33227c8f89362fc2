/*
 * check_convert.c: `reeve policy convert`: Cedar text to the JSON policy format and back; see
 * check.h.
 */
#include "policy/check.h"

#include "policy/cedar/cedar.h"

static struct str id_of(const struct cedar_policy *p, char text[32])
{
    const struct str *id = cedar_policy_annotation(p, "id");
    if (id)
        return *id;
    int n = snprintf(text, 32, "policy%zu", p->index);
    return (struct str){text, (size_t)n};
}

static int put_group(struct jout *j, const struct cedar_policies *set, bool templates,
                     struct err *err)
{
    struct buf one;
    char text[32];
    int rc = 0;
    buf_init(&one, CEDAR_TEXT_MAX);
    jout_name(j, templates ? "templates" : "staticPolicies");
    jout_object(j);
    for (size_t i = 0; i < cedar_policies_count(set) && rc == 0; i++) {
        const struct cedar_policy *p = cedar_policies_at(set, i);
        if (p->is_template != templates)
            continue;
        buf_clear(&one);
        rc = cedar_policy_put_json(&one, p, err);
        jout_name_str(j, id_of(p, text));
        if (rc == 0)
            jout_raw(j, buf_str(&one));
    }
    jout_object_end(j);
    buf_release(&one);
    return rc;
}

static int to_json(const struct cedar_policies *set, struct buf *out, struct err *err)
{
    struct jout j;
    jout_begin(&j, out);
    jout_object(&j);
    int rc = put_group(&j, set, false, err);
    if (rc == 0)
        rc = put_group(&j, set, true, err);
    jout_name(&j, "templateLinks");
    jout_array(&j);
    jout_array_end(&j);
    jout_object_end(&j);
    int end = jout_end(&j);
    if (rc == 0 && end < 0)
        rc = err_set(err, -end, "the policies cannot be written as JSON");
    buf_char(out, '\n');
    return rc;
}

/* 0, 1 (faults are in out) or 2. */
static int from_text(struct cedar_policies *set, struct str name, struct str text, struct buf *out,
                     struct err *err)
{
    struct diags d;
    diags_init(&d);
    int rc = cedar_policies_add_text(set, name, text, &d);
    if (rc == 0)
        rc = cedar_policies_seal(set, &d);
    int result = rc < 0 ? 2 : 0;
    if (rc < 0)
        err_set(err, -rc, "out of memory");
    else if (diags_has_errors(&d))
        result = 1;
    if (result == 1)
        diags_put(&d, out);
    else if (result == 0 && to_json(set, out, err) < 0)
        result = 2;
    diags_release(&d);
    return result;
}

static int from_json(struct cedar_policies *set, struct str name, struct str text, struct buf *out,
                     struct err *err)
{
    struct arena a;
    struct err why = ERR_INIT;
    const struct json *v = NULL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    arena_init(&a, 256u << 20);
    int rc = json_parse(&a, text, &limits, &v, NULL, &why);
    if (rc == 0)
        rc = cedar_policies_add_json(set, STR("policy0"), v, &why);
    if (rc < 0 && rc != -ENOMEM)
        buf_fmt(out, "%.*s: %s\n", STR_FMT(name), why.text);
    if (rc == -ENOMEM)
        err_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < cedar_policies_count(set); i++) {
        const struct cedar_policy *p = cedar_policies_at(set, i);
        if (!cedar_policy_annotation(p, "id") && !p->linked_from) {
            buf_cstr(out, "@id(");
            struct cedar_value id = cedar_string(p->id);
            cedar_value_put(out, &id);
            buf_cstr(out, ")\n");
        }
        if (p->linked_from)
            buf_fmt(out, "// link \"%.*s\" of template \"%.*s\"\n", STR_FMT(p->id),
                    STR_FMT(p->linked_from->id));
        else
            cedar_policy_put(out, p);
        buf_char(out, '\n');
    }
    arena_release(&a);
    return rc == 0 ? 0 : rc == -ENOMEM ? 2 : 1;
}

int check_convert(struct str name, struct str text, bool to_json_format, struct buf *out,
                  struct err *err)
{
    struct cedar_policies *set = cedar_policies_new(&(struct cedar_load){.templates = true});
    if (!set) {
        err_set(err, ENOMEM, "out of memory");
        return 2;
    }
    int result = to_json_format ? from_text(set, name, text, out, err)
                                : from_json(set, name, text, out, err);
    cedar_policies_free(set);
    if (result != 2 && buf_status(out) < 0) {
        err_set(err, -buf_status(out), "the output is too long");
        return 2;
    }
    return result;
}
