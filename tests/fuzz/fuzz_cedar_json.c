/*
 * fuzz_cedar_json.c: any JSON as a policy. What is accepted is written as JSON that is accepted and
 * written the same; its text, where it has one, decides the same.
 */
#include "policy/cedar/cedar.h"
#include "policy/cedar/est.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cedar_load how = {.templates = true};

static struct cedar_policies *load(struct arena *arena, struct str text)
{
    struct json_limits limits = {1 << 20, CEDAR_EST_DEPTH_MAX, 1 << 16};
    struct cedar_policies *set = cedar_policies_new(&how);
    const struct json *j;
    struct err err = ERR_INIT;
    int rc;

    must(set);
    if (json_parse(arena, text, &limits, &j, NULL, NULL) == 0) {
        rc = cedar_policies_add_json(set, STR("p"), j, &err);
        must(rc == 0 || (err.number == -rc && err.text[0]));
        if (rc == 0)
            return set;
    }
    cedar_policies_free(set);
    return NULL;
}

static void decide(struct cedar_policies *set, struct cedar_answer *answer, struct arena *arena)
{
    struct cedar_request r = {.principal = cedar_uid_borrow(STR("User"), STR("a")),
                              .action = cedar_uid_borrow(STR("Action"), STR("x")),
                              .resource = cedar_uid_borrow(STR("R"), STR("r")),
                              .context = cedar_record_empty()};
    struct diags diags;

    diags_init(&diags);
    must(cedar_policies_seal(set, &diags) == 0);
    must(cedar_authorize(set, &r, NULL, arena, answer, NULL) == 0);
    diags_release(&diags);
}

static void check_text(struct cedar_policies *set, struct arena *arena)
{
    struct cedar_policies *again = cedar_policies_new(&how);
    struct cedar_answer a, b;
    struct diags diags;
    struct buf text;

    diags_init(&diags);
    buf_init(&text, 64u << 20);
    for (size_t i = 0; i < cedar_policies_count(set); i++)
        cedar_policy_put(&text, cedar_policies_at(set, i));
    must(again && buf_status(&text) == 0);
    must(cedar_policies_add_text(again, STR("t"), buf_str(&text), &diags) == 0);
    if (!diags_has_errors(&diags)) { /* a method without its value has no text */
        decide(set, &a, arena);
        decide(again, &b, arena);
        must(a.allow == b.allow && a.error_count == b.error_count);
        must(a.reasons.count == b.reasons.count);
    }
    cedar_policies_free(again);
    buf_release(&text);
    diags_release(&diags);
}

static void check_json(const struct cedar_policies *set, struct arena *arena)
{
    struct buf json, again;

    buf_init(&json, 64u << 20);
    buf_init(&again, 64u << 20);
    for (size_t i = 0; i < cedar_policies_count(set); i++) {
        const struct cedar_policy *p = cedar_policies_at(set, i);
        struct cedar_policies *back;

        buf_clear(&json);
        buf_clear(&again);
        if (cedar_policy_put_json(&json, p, NULL) < 0)
            continue; /* a value may nest deeper as an expression */
        back = load(arena, buf_str(&json));
        must(back);
        must(cedar_policy_put_json(&again, cedar_policies_at(back, 0), NULL) == 0);
        must(str_eq(buf_str(&json), buf_str(&again)));
        cedar_policies_free(back);
    }
    buf_release(&json);
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cedar_policies *set;
    struct arena arena;

    arena_init(&arena, SIZE_MAX);
    set = load(&arena, (struct str){(const char *)data, size});
    if (set) {
        check_json(set, &arena);
        check_text(set, &arena);
    }
    cedar_policies_free(set);
    arena_release(&arena);
    return 0;
}
