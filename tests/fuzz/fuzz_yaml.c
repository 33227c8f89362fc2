/*
 * fuzz_yaml.c: any text as a file of the operator: no crash, every fault at a place in the text,
 * and what was accepted can be written as a version and read again, the same.
 */
#include "policy/version.h"

#include "policy/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct house *h)
{
    for (size_t i = 0; i < h->workflow_count; i++) {
        struct buf a, b;
        struct digest d1, d2;
        struct version *v = NULL;
        struct err err = ERR_INIT;
        buf_init(&a, SIZE_MAX);
        buf_init(&b, SIZE_MAX);
        must(version_put(h, &h->workflows[i], &a, &d1, &err) == 0);
        must(version_parse(buf_str(&a), &v, &err) == 0);
        struct house again = {.workflows = &v->workflow,
                              .workflow_count = 1,
                              .servers = v->servers,
                              .server_count = v->server_count,
                              .models = v->models,
                              .model_count = v->model_count};
        must(version_put(&again, &v->workflow, &b, &d2, &err) == 0);
        must(str_eq(buf_str(&a), buf_str(&b)) && digest_eq(&d1, &d2));
        version_free(v);
        buf_release(&a);
        buf_release(&b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct house_text text = {STR("fuzz.yaml"), {(const char *)data, size}};
    struct diags d;
    struct buf out;
    struct house *h = NULL;
    struct err err = ERR_INIT;
    diags_init(&d);
    buf_init(&out, SIZE_MAX);
    int rc = house_parse(&text, 1, STR("/dir"), NULL, &d, &h, &err);
    must((rc == 0) == (h != NULL));
    must(rc == 0 || err.number == -rc);
    must((rc == -EINVAL) == (d.errors > 0) || rc == -EFBIG);
    for (size_t i = 0; i < d.count; i++)
        must(d.items[i].from <= size && d.items[i].to <= size && d.items[i].from <= d.items[i].to);
    diags_put(&d, &out);
    must(buf_status(&out) == 0 && utf8_is_valid(buf_str(&out)));
    if (h)
        round_trip(h);
    house_unref(h);
    buf_release(&out);
    diags_release(&d);
    return 0;
}
