/*
 * cedar_conform.c: runs files of Cedar cases against the engine of policy/cedar/ and prints each
 * mismatch.
 *
 * A program for tests only. The forms of the files are those of the conformance data: one JSON
 * object a line.
 */
#include <fcntl.h>
#include <stdio.h>

#include "policy/cedar/cedar.h"
#include "policy/cedar/est.h"
#include "policy/text/jcs.h"
#include "sandbox/os/file.h"

#define FILE_MAX       ((size_t)256 << 20)
#define LINE_MAX_BYTES ((size_t)32 << 20)

static const char usage[] =
    "usage: cedar_conform corpus FILE.jsonl...               decisions, reasons, errors\n"
    "       cedar_conform exprs --world FILE FILE.jsonl...   single expressions\n"
    "       cedar_conform syntax FILE.jsonl...               what is accepted\n"
    "       cedar_conform est FILE.jsonl...                  the JSON policy format, both ways\n"
    "Prints each mismatch, then `N passed, N failed`. Exit status 1 if any failed, 2 on misuse.\n";

struct run {
    unsigned passed, failed;
    const char *file;
    unsigned line;
    const struct json *world;
    struct cedar_entities *world_entities;
};

static void fail(struct run *r, const char *what, struct str detail)
{
    r->failed++;
    printf("%s:%u: %s: %.*s\n", r->file, r->line, what, STR_FMT(detail));
}

/* ---- pieces ---- */

static struct cedar_policies *load_text(struct str text, bool templates, struct diags *diags)
{
    struct cedar_policies *set =
        cedar_policies_new(&(struct cedar_load){.ids = CEDAR_IDS_ORDER, .templates = templates});

    if (set && cedar_policies_add_text(set, STR("case"), text, diags) == 0)
        return set;
    cedar_policies_free(set);
    return NULL;
}

static int uid_member(struct arena *arena, const struct json *j, const char *name,
                      struct cedar_uid *ret, struct err *err)
{
    const struct json *found = json_get(j, name);

    if (!found)
        return err_set(err, ENOENT, "%s is missing", name);
    return cedar_uid_from_json(arena, found, ret, err);
}

static int read_request(struct arena *arena, const struct json *j, struct cedar_request *ret,
                        struct err *err)
{
    const struct json *context = json_get(j, "context");
    int rc = uid_member(arena, j, "principal", &ret->principal, err);

    if (rc == 0)
        rc = uid_member(arena, j, "action", &ret->action, err);
    if (rc == 0)
        rc = uid_member(arena, j, "resource", &ret->resource, err);
    if (rc < 0)
        return rc;
    ret->context = cedar_record_empty();
    if (!context)
        return 0;
    rc = cedar_value_from_json(arena, context, &CEDAR_JSON_CEDAR, &ret->context, err);
    if (rc == 0 && ret->context.type != CEDAR_RECORD)
        rc = err_set(err, EINVAL, "the context is no record");
    return rc;
}

static struct cedar_entities *read_entities(const struct json *list, struct err *err)
{
    struct cedar_entities *e = cedar_entities_new((size_t)256 << 20, NULL);
    int rc = e ? 0 : -ENOMEM;

    if (rc == 0 && list)
        rc = cedar_entities_from_json(e, list, err);
    if (rc == 0)
        rc = cedar_entities_seal(e, err);
    if (rc == 0)
        return e;
    cedar_entities_free(e);
    return NULL;
}

/* ---- corpus ---- */

static bool same_ids(const struct json *expected, size_t n, struct str (*id)(const void *, size_t),
                     const void *of)
{
    if (!json_is(expected, JSON_ARRAY) || expected->array.count != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;

        while (k < n && !str_eq(expected->array.items[k].string, id(of, i)))
            k++;
        if (k == n)
            return false;
    }
    return true;
}

static struct str reason_id(const void *of, size_t i)
{
    return ((const struct cedar_answer *)of)->reasons.items[i]->id;
}

static struct str error_id(const void *of, size_t i)
{
    return ((const struct cedar_answer *)of)->errors[i].policy->id;
}

static void put_answer(struct buf *out, const struct cedar_answer *a)
{
    buf_fmt(out, "%s reasons", a->allow ? "allow" : "deny");
    for (size_t i = 0; i < a->reasons.count; i++)
        buf_fmt(out, " %.*s", STR_FMT(a->reasons.items[i]->id));
    buf_cstr(out, " errors");
    for (size_t i = 0; i < a->error_count; i++)
        buf_fmt(out, " %.*s (%.*s)", STR_FMT(a->errors[i].policy->id), STR_FMT(a->errors[i].text));
}

/* Compares where the case says something: syntax cases carry decisions too. */
static bool answer_is(const struct cedar_answer *a, const struct json *expected)
{
    const struct json *decision = json_get(expected, "decision");
    const struct json *reasons = json_get(expected, "reason"),
                      *errors = json_get(expected, "errors");

    return (!decision || str_is(decision->string, a->allow ? "allow" : "deny")) &&
           (!reasons || same_ids(reasons, a->reasons.count, reason_id, a)) &&
           (!errors || same_ids(errors, a->error_count, error_id, a));
}

static void check_request(struct run *r, const struct cedar_policies *set,
                          const struct cedar_entities *entities, const struct json *j, size_t n)
{
    struct cedar_request request;
    struct cedar_answer answer;
    struct arena arena;
    struct err err = ERR_INIT;
    struct buf text;
    int rc;

    arena_init(&arena, (size_t)64 << 20);
    buf_init(&text, 1 << 20);
    rc = read_request(&arena, j, &request, &err);
    if (rc == 0)
        rc = cedar_authorize(set, &request, entities, &arena, &answer, &err);
    if (rc < 0) {
        fail(r, "request", str_of(err.text));
    } else if (!answer_is(&answer, j)) {
        buf_fmt(&text, "request %zu: got ", n);
        put_answer(&text, &answer);
        buf_fmt(&text, ", expected %.*s %.*s %.*s", STR_FMT(json_get(j, "decision")->raw),
                STR_FMT(json_get(j, "reason")->raw), STR_FMT(json_get(j, "errors")->raw));
        fail(r, "decision", buf_str(&text));
    } else {
        r->passed++;
    }
    buf_release(&text);
    arena_release(&arena);
}

static int link_templates(struct cedar_policies *set, const struct json *j, struct diags *diags,
                          struct err *err)
{
    const struct json *templates = json_get(j, "templates"), *links = json_get(j, "templateLinks");
    struct arena arena;
    int rc = 0;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; rc == 0 && templates && i < templates->object.count; i++)
        rc = cedar_policies_add_template(set, templates->object.members[i].name,
                                         templates->object.members[i].value.string, diags);
    for (size_t i = 0; rc == 0 && links && i < links->array.count; i++) {
        const struct json *link = &links->array.items[i], *values = json_get(link, "values");
        const struct json *p = json_get(values, "?principal"), *q = json_get(values, "?resource");
        struct cedar_uid principal, resource;

        if (p)
            rc = cedar_uid_from_json(&arena, p, &principal, err);
        if (rc == 0 && q)
            rc = cedar_uid_from_json(&arena, q, &resource, err);
        if (rc == 0)
            rc = cedar_policies_link(set, json_get(link, "templateId")->string,
                                     json_get(link, "newId")->string, p ? &principal : NULL,
                                     q ? &resource : NULL, err);
    }
    arena_release(&arena);
    return rc;
}

static void fail_diags(struct run *r, const char *what, const struct diags *diags)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    diags_put(diags, &text);
    fail(r, what, buf_str(&text));
    buf_release(&text);
}

static void corpus(struct run *r, const struct json *j)
{
    const struct json *requests = json_get(j, "requests");
    struct cedar_entities *entities = NULL;
    struct cedar_policies *set;
    struct diags diags;
    struct err err = ERR_INIT;
    int rc;

    diags_init(&diags);
    set = load_text(json_get(j, "policies")->string, false, &diags);
    rc = set ? link_templates(set, j, &diags, &err) : -ENOMEM;
    if (rc == 0)
        rc = cedar_policies_seal(set, &diags);
    if (rc < 0)
        fail(r, "policies", str_of(err.text));
    else if (diags_has_errors(&diags))
        fail_diags(r, "policies", &diags);
    else if (!(entities = read_entities(json_get(j, "entities"), &err)))
        fail(r, "entities", str_of(err.text));
    for (size_t i = 0; entities && requests && i < requests->array.count; i++)
        check_request(r, set, entities, &requests->array.items[i], i);
    cedar_entities_free(entities);
    cedar_policies_free(set);
    diags_release(&diags);
}

/* ---- exprs ---- */

static const char *expr_outcome(struct run *r, struct str expr, struct buf *detail)
{
    const char *outcome = "parse";
    struct cedar_policies *set;
    struct cedar_request request;
    struct cedar_answer answer;
    struct diags diags;
    struct arena arena;
    struct err err = ERR_INIT;
    struct buf text;

    diags_init(&diags);
    buf_init(&text, 1 << 20);
    arena_init(&arena, 64 << 20);
    buf_fmt(&text, "permit(principal,action,resource) when { ");
    buf_str_put(&text, expr);
    buf_cstr(&text, " };");
    set = load_text(buf_str(&text), false, &diags);
    if (diags_has_errors(&diags)) {
        diags_put(&diags, detail);
    } else if (set && cedar_policies_seal(set, &diags) == 0 &&
               read_request(&arena, r->world, &request, &err) == 0 &&
               cedar_authorize(set, &request, r->world_entities, &arena, &answer, &err) == 0) {
        outcome = answer.error_count ? "error" : answer.allow ? "true" : "false";
        put_answer(detail, &answer);
    } else {
        outcome = "broken";
    }
    cedar_policies_free(set);
    arena_release(&arena);
    buf_release(&text);
    diags_release(&diags);
    return outcome;
}

static void exprs(struct run *r, const struct json *j)
{
    struct str expr = json_get(j, "expr")->string, expected = json_get(j, "expect")->string;
    struct buf detail, text;
    const char *outcome;

    buf_init(&detail, 1 << 20);
    buf_init(&text, 1 << 20);
    outcome = expr_outcome(r, expr, &detail);
    if (str_is(expected, outcome)) {
        r->passed++;
    } else {
        buf_fmt(&text, "%.*s: got %s, expected %.*s; %.*s", STR_FMT(expr), outcome,
                STR_FMT(expected), STR_FMT(buf_str(&detail)));
        fail(r, "expr", buf_str(&text));
    }
    buf_release(&detail);
    buf_release(&text);
}

/* ---- syntax ---- */

/* The request of Cedar's own integration for such cases: nothing is known about anybody. */
static bool decide_syntax(struct cedar_policies *set, const struct json *j, struct buf *detail)
{
    struct cedar_request request = {.context = cedar_record_empty()};
    struct cedar_answer answer;
    struct arena arena;
    struct err err = ERR_INIT;
    struct str names[] = {STR("User"), STR("Action"), STR("R")};
    bool same = false;

    arena_init(&arena, 1 << 20);
    request.principal = cedar_uid_borrow(names[0], STR("a"));
    request.action = cedar_uid_borrow(names[1], STR("x"));
    request.resource = cedar_uid_borrow(names[2], STR("r"));
    if (cedar_authorize(set, &request, NULL, &arena, &answer, &err) == 0) {
        put_answer(detail, &answer);
        same = answer_is(&answer, j);
    }
    arena_release(&arena);
    return same;
}

static int add_template_case(struct cedar_policies *set, const struct json *j, struct diags *diags,
                             struct err *err)
{
    const struct json *values = json_get(j, "values");
    struct json empty = {.type = JSON_OBJECT};
    int rc = cedar_policies_add_template(set, STR("t"), json_get(j, "text")->string, diags);
    const struct json *p, *q;
    struct cedar_uid principal, resource;
    struct arena arena;

    if (rc < 0 || diags_has_errors(diags) || !values || values->type == JSON_NULL)
        return rc;
    arena_init(&arena, 1 << 20);
    values = values->type == JSON_OBJECT ? values : &empty;
    p = json_get(values, "?principal");
    q = json_get(values, "?resource");
    if (p)
        rc = cedar_uid_from_json(&arena, p, &principal, err);
    if (rc == 0 && q)
        rc = cedar_uid_from_json(&arena, q, &resource, err);
    if (rc == 0)
        rc = cedar_policies_link(set, STR("t"), STR("l"), p ? &principal : NULL,
                                 q ? &resource : NULL, err);
    arena_release(&arena);
    return rc;
}

/* Whether the policies are accepted; *ret_same: and, if so, decide as expected. */
static bool accepts_policy(const struct json *j, bool is_template, bool *ret_same,
                           struct buf *detail)
{
    struct cedar_policies *set;
    struct diags diags;
    struct err err = ERR_INIT;
    bool accepted = false;
    int rc = 0;

    diags_init(&diags);
    if (is_template) {
        set = load_text(STR(""), true, &diags);
        rc = set ? add_template_case(set, j, &diags, &err) : -ENOMEM;
    } else {
        set = load_text(json_get(j, "text")->string, false, &diags);
    }
    if (set && rc == 0 && !diags_has_errors(&diags) && cedar_policies_seal(set, &diags) == 0) {
        accepted = true;
        *ret_same = decide_syntax(set, j, detail);
    } else {
        buf_cstr(detail, err.text);
        diags_put(&diags, detail);
    }
    cedar_policies_free(set);
    diags_release(&diags);
    return accepted;
}

/* A kind of our own: one policy in the JSON policy format. */
static bool accepts_json_policy(const struct json *j, bool *ret_same, struct buf *detail)
{
    struct cedar_policies *set = cedar_policies_new(&(struct cedar_load){.templates = false});
    struct diags diags;
    struct err err = ERR_INIT;
    bool accepted;

    diags_init(&diags);
    accepted = set && json_get(j, "json") &&
               cedar_policies_add_json(set, STR("policy0"), json_get(j, "json"), &err) == 0 &&
               cedar_policies_seal(set, &diags) == 0;
    if (accepted)
        *ret_same = decide_syntax(set, j, detail);
    else
        buf_cstr(detail, err.text);
    cedar_policies_free(set);
    diags_release(&diags);
    return accepted;
}

static bool accepts_entities(const struct json *j, struct buf *detail)
{
    struct err err = ERR_INIT;
    struct cedar_entities *e = read_entities(json_get(j, "json"), &err);

    buf_cstr(detail, err.text);
    cedar_entities_free(e);
    return e;
}

static bool accepts_context(const struct json *j, struct buf *detail)
{
    struct err err = ERR_INIT;
    struct cedar_value v;
    struct arena arena;
    int rc;

    arena_init(&arena, 64 << 20);
    rc = cedar_value_from_json(&arena, json_get(j, "json"), &CEDAR_JSON_CEDAR, &v, &err);
    buf_cstr(detail, err.text);
    arena_release(&arena);
    return rc == 0 && v.type == CEDAR_RECORD;
}

static void syntax(struct run *r, const struct json *j)
{
    struct str kind = json_get(j, "kind")->string;
    bool expected = str_is(json_get(j, "expect")->string, "accept"), accepted, same = true;
    struct buf detail, text;

    buf_init(&detail, 1 << 20);
    buf_init(&text, 1 << 20);
    if (str_is(kind, "entities"))
        accepted = accepts_entities(j, &detail);
    else if (str_is(kind, "json_policy"))
        accepted = accepts_json_policy(j, &same, &detail);
    else if (str_is(kind, "context"))
        accepted = accepts_context(j, &detail);
    else
        accepted = accepts_policy(j, str_is(kind, "template"), &same, &detail);
    if (accepted == expected && (same || !accepted)) {
        r->passed++;
    } else {
        buf_fmt(&text, "%s, expected otherwise: %.*s", accepted ? "accepted" : "refused",
                STR_FMT(buf_str(&detail)));
        fail(r, "syntax", buf_str(&text));
    }
    buf_release(&detail);
    buf_release(&text);
}

/* ---- est ---- */

/* Text that a JavaScript engine wrote: integers beyond 2^53 were rounded there. Both sides are
 * therefore compared as RFC 8785 has it (as doubles). */
static bool same_json(struct arena *arena, const struct json *expected, struct str got,
                      struct buf *detail)
{
    struct json_limits limits = {FILE_MAX, CEDAR_EST_DEPTH_MAX, 1u << 20};
    const struct json *j;
    struct buf a, b;
    struct err err = ERR_INIT;
    bool same = false;

    buf_init(&a, LINE_MAX_BYTES);
    buf_init(&b, LINE_MAX_BYTES);
    if (json_parse(arena, got, &limits, &j, NULL, &err) == 0 &&
        jcs_write(&a, expected, JCS_RFC8785, &err) == 0 && jcs_write(&b, j, JCS_RFC8785, &err) == 0)
        same = str_eq(buf_str(&a), buf_str(&b));
    if (!same)
        buf_fmt(detail, "%s\n got      %.*s\n expected %.*s", err.text, STR_FMT(got),
                STR_FMT(buf_str(&a)));
    buf_release(&a);
    buf_release(&b);
    return same;
}

static struct cedar_policies *load_json(struct arena *arena, struct str text, struct buf *detail)
{
    struct json_limits limits = {FILE_MAX, CEDAR_EST_DEPTH_MAX, 1u << 20};
    struct cedar_policies *set = cedar_policies_new(&(struct cedar_load){.templates = true});
    const struct json *j;
    struct err err = ERR_INIT;

    if (set && json_parse(arena, text, &limits, &j, NULL, &err) == 0 &&
        cedar_policies_add_json(set, STR("p"), j, &err) == 0)
        return set;
    buf_fmt(detail, "%s: %.*s", err.text, STR_FMT(text));
    cedar_policies_free(set);
    return NULL;
}

/* text -> JSON is as expected; that JSON -> tree -> text -> tree -> JSON is the same again. */
static bool est_case(struct arena *arena, const struct json *j, struct buf *detail)
{
    const struct json *source = json_get(j, "policy");
    struct cedar_policies *set, *back = NULL, *again = NULL;
    struct buf json, text, json2;
    struct diags diags;
    struct err err = ERR_INIT;
    bool ok = false;

    diags_init(&diags);
    buf_init(&json, LINE_MAX_BYTES);
    buf_init(&json2, LINE_MAX_BYTES);
    buf_init(&text, LINE_MAX_BYTES);
    set = load_text((source ? source : json_get(j, "template"))->string, true, &diags);
    if (!set || cedar_policies_count(set) != 1 ||
        cedar_policy_put_json(&json, cedar_policies_at(set, 0), &err) < 0)
        goto out;
    if (!same_json(arena, json_get(j, "json"), buf_str(&json), detail))
        goto out;
    back = load_json(arena, buf_str(&json), detail);
    if (!back)
        goto out;
    cedar_policy_put(&text, cedar_policies_at(back, 0));
    again = load_text(buf_str(&text), true, &diags);
    if (!again || cedar_policies_count(again) != 1 ||
        cedar_policy_put_json(&json2, cedar_policies_at(again, 0), &err) < 0)
        goto out;
    ok = str_eq(buf_str(&json), buf_str(&json2));
    if (!ok)
        buf_fmt(detail, "round trip\n JSON  %.*s\n text  %.*s\n again %.*s",
                STR_FMT(buf_str(&json)), STR_FMT(buf_str(&text)), STR_FMT(buf_str(&json2)));
out:
    if (!ok) {
        buf_cstr(detail, err.text);
        diags_put(&diags, detail);
    }
    cedar_policies_free(set);
    cedar_policies_free(back);
    cedar_policies_free(again);
    buf_release(&json);
    buf_release(&json2);
    buf_release(&text);
    diags_release(&diags);
    return ok;
}

static void est(struct run *r, const struct json *j)
{
    struct buf detail;
    struct arena arena;

    buf_init(&detail, 1 << 20);
    arena_init(&arena, 64 << 20);
    if (est_case(&arena, j, &detail))
        r->passed++;
    else
        fail(r, "est", buf_str(&detail));
    arena_release(&arena);
    buf_release(&detail);
}

/* ---- files ---- */

static const struct {
    const char *name;
    void (*run)(struct run *r, const struct json *j);
    const char *members[3]; /* that a line must have */
} kinds[] = {
    {"corpus", corpus, {"policies", "entities", "requests"}},
    {"exprs", exprs, {"expr", "expect", NULL}},
    {"syntax", syntax, {"kind", "expect", NULL}},
    {"est", est, {"json", NULL, NULL}},
};

static bool has_members(const struct json *j, const char *const members[3])
{
    for (size_t i = 0; i < 3 && members[i]; i++)
        if (!json_get(j, members[i]))
            return false;
    return json_is(j, JSON_OBJECT);
}

static void run_line(struct run *r, size_t kind, struct str line)
{
    struct json_limits limits = {LINE_MAX_BYTES, CEDAR_EST_DEPTH_MAX, 1u << 22};
    const struct json *j;
    struct arena arena;
    struct err err = ERR_INIT;

    arena_init(&arena, (size_t)512 << 20);
    if (json_parse(&arena, line, &limits, &j, NULL, &err) < 0)
        fail(r, "not JSON", str_of(err.text));
    else if (!has_members(j, kinds[kind].members))
        fail(r, "not a case of this kind", STR(""));
    else
        kinds[kind].run(r, j);
    arena_release(&arena);
}

static int run_file(struct run *r, size_t kind, const char *path)
{
    struct err err = ERR_INIT;
    struct str rest, line;
    char *text;
    size_t len;

    if (file_read(AT_FDCWD, path, FILE_MAX, &text, &len, &err) < 0) {
        fprintf(stderr, "cedar_conform: %s\n", err.text);
        return -1;
    }
    r->file = path;
    r->line = 0;
    rest = (struct str){text, len};
    while (str_split(&rest, '\n', &line)) {
        r->line++;
        if (str_trim(line).len > 0)
            run_line(r, kind, line);
    }
    free(text);
    return 0;
}

static int load_world(struct run *r, struct arena *arena, const char *path, char **ret_text)
{
    struct err err = ERR_INIT;
    size_t len;

    if (file_read(AT_FDCWD, path, FILE_MAX, ret_text, &len, &err) == 0 &&
        json_parse(arena, (struct str){*ret_text, len}, &JSON_LIMITS_DEFAULT, &r->world, NULL,
                   &err) == 0)
        r->world_entities = read_entities(json_get(r->world, "entities"), &err);
    if (r->world_entities)
        return 0;
    fprintf(stderr, "cedar_conform: %s: %s\n", path, err.text);
    return -1;
}

int main(int argc, char **argv)
{
    struct run r = {.passed = 0};
    struct arena arena;
    char *world = NULL;
    size_t kind = 0;
    int at = 2, status = 0;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    while (argc > 1 && kind < ARRAY_LEN(kinds) && strcmp(argv[1], kinds[kind].name) != 0)
        kind++;
    if (argc < 3 || kind == ARRAY_LEN(kinds)) {
        fputs(usage, stderr);
        return 2;
    }
    arena_init(&arena, 64 << 20);
    if (strcmp(argv[at], "--world") == 0 && argc > at + 1) {
        if (load_world(&r, &arena, argv[at + 1], &world) < 0)
            status = 2;
        at += 2;
    }
    if (status == 0 && (at >= argc || (kinds[kind].run == exprs && !r.world))) {
        fputs(usage, stderr);
        status = 2;
    }
    for (; status == 0 && at < argc; at++)
        if (run_file(&r, kind, argv[at]) < 0)
            status = 2;
    printf("%u passed, %u failed\n", r.passed, r.failed);
    cedar_entities_free(r.world_entities);
    arena_release(&arena);
    free(world);
    return status ? status : r.failed > 0;
}
