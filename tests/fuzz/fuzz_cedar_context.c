/*
 * fuzz_cedar_context.c: any JSON as a value, by both sets of rules. A value is its own copy, comes
 * back from JSON as itself, and holds no entity if a stranger sent it.
 */
#include "policy/cedar/cedar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plain(const struct cedar_value *v)
{
    must(v->type != CEDAR_ENTITY && v->type != CEDAR_IP && v->type != CEDAR_DATETIME &&
         v->type != CEDAR_DURATION);
    for (size_t i = 0; v->type == CEDAR_SET && i < v->set.count; i++)
        check_plain(&v->set.items[i]);
    for (size_t i = 0; v->type == CEDAR_RECORD && i < v->record.count; i++)
        check_plain(&v->record.fields[i].value);
}

static void check_canonical(const struct cedar_value *v)
{
    for (size_t i = 0; v->type == CEDAR_SET && i < v->set.count; i++) {
        must(i == 0 || cedar_value_cmp(&v->set.items[i - 1], &v->set.items[i]) < 0);
        must(cedar_set_has(v, &v->set.items[i]));
        check_canonical(&v->set.items[i]);
    }
    for (size_t i = 0; v->type == CEDAR_RECORD && i < v->record.count; i++) {
        const struct cedar_field *f = &v->record.fields[i];

        must(i == 0 || str_cmp(f[-1].name, f->name) < 0);
        must(cedar_record_get(v, f->name) == &f->value);
        check_canonical(&f->value);
    }
}

static void check_value(struct arena *arena, const struct cedar_value *v)
{
    struct cedar_value copy, back;
    const struct json *j;
    struct jout out;
    struct buf text;

    check_canonical(v);
    must(cedar_value_copy(arena, v, &copy) == 0 && cedar_value_eq(v, &copy));
    buf_init(&text, 64u << 20);
    jout_begin(&out, &text);
    cedar_value_to_json(&out, v);
    if (jout_end(&out) == 0 &&
        json_parse(arena, buf_str(&text), &JSON_LIMITS_DEFAULT, &j, NULL, NULL) == 0 &&
        cedar_value_from_json(arena, j, &CEDAR_JSON_CEDAR, &back, NULL) == 0)
        must(cedar_value_eq(v, &back));
    buf_clear(&text);
    cedar_value_put(&text, v);
    must(buf_status(&text) == 0);
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    const struct json *j;
    struct cedar_value v;
    struct arena arena;
    struct err err = ERR_INIT;

    arena_init(&arena, SIZE_MAX);
    if (json_parse(&arena, text, &JSON_LIMITS_DEFAULT, &j, NULL, NULL) == 0) {
        if (cedar_value_from_json(&arena, j, &CEDAR_JSON_FACTS, &v, &err) == 0) {
            check_plain(&v);
            check_canonical(&v);
        } else {
            must(err.text[0]);
        }
        if (cedar_value_from_json(&arena, j, &CEDAR_JSON_CEDAR, &v, &err) == 0)
            check_value(&arena, &v);
    }
    arena_release(&arena);
    return 0;
}
