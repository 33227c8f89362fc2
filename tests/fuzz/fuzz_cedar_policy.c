/*
 * fuzz_cedar_policy.c: any bytes as policy text. What is accepted decides, prints, and means the
 * same when what was printed is read again.
 */
#include "policy/cedar/cedar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cedar_policies *load(struct str text, struct diags *diags)
{
    struct cedar_policies *set =
        cedar_policies_new(&(struct cedar_load){.ids = CEDAR_IDS_ORDER, .templates = true});

    must(set && cedar_policies_add_text(set, STR("f"), text, diags) == 0);
    must(cedar_policies_seal(set, diags) == 0);
    return set;
}

static void decide(const struct cedar_policies *set, struct cedar_answer *answer,
                   struct arena *arena)
{
    struct cedar_request r = {.principal = cedar_uid_borrow(STR("User"), STR("a")),
                              .action = cedar_uid_borrow(STR("Action"), STR("x")),
                              .resource = cedar_uid_borrow(STR("R"), STR("r")),
                              .context = cedar_record_empty()};
    struct buf out;

    must(cedar_authorize(set, &r, NULL, arena, answer, NULL) == 0);
    buf_init(&out, 64u << 20);
    must(cedar_explain_text(set, &r, NULL, NULL, arena, &out, NULL) != -ENOMEM);
    buf_release(&out);
}

static void check_same(const struct cedar_answer *a, const struct cedar_answer *b)
{
    must(a->allow == b->allow && a->reasons.count == b->reasons.count);
    must(a->error_count == b->error_count);
    for (size_t i = 0; i < a->reasons.count; i++)
        must(str_eq(a->reasons.items[i]->id, b->reasons.items[i]->id));
}

static void check_again(const struct cedar_policies *set, struct arena *arena)
{
    struct cedar_policies *again;
    struct cedar_answer a, b;
    struct buf text, json, json_again;
    struct diags diags;

    diags_init(&diags);
    buf_init(&text, 64u << 20);
    buf_init(&json, 64u << 20);
    buf_init(&json_again, 64u << 20);
    for (size_t i = 0; i < cedar_policies_count(set); i++)
        cedar_policy_put(&text, cedar_policies_at(set, i));
    must(buf_status(&text) == 0);
    again = load(buf_str(&text), &diags);
    must(!diags_has_errors(&diags));
    must(cedar_policies_count(again) == cedar_policies_count(set));
    for (size_t i = 0; i < cedar_policies_count(set); i++) {
        int rc = cedar_policy_put_json(&json, cedar_policies_at(set, i), NULL);

        must(cedar_policy_put_json(&json_again, cedar_policies_at(again, i), NULL) == rc);
    }
    must(str_eq(buf_str(&json), buf_str(&json_again)));
    decide(set, &a, arena);
    decide(again, &b, arena);
    check_same(&a, &b);
    cedar_policies_free(again);
    buf_release(&text);
    buf_release(&json);
    buf_release(&json_again);
    diags_release(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cedar_policies *set;
    struct diags diags;
    struct arena arena;
    struct buf out;

    diags_init(&diags);
    arena_init(&arena, SIZE_MAX);
    buf_init(&out, 64u << 20);
    set = load((struct str){(const char *)data, size}, &diags);
    if (!diags_has_errors(&diags))
        check_again(set, &arena);
    diags_put(&diags, &out);
    must(buf_status(&out) == 0);
    buf_release(&out);
    cedar_policies_free(set);
    diags_release(&diags);
    arena_release(&arena);
    return 0;
}
