/*
 * fuzz_start.c: any JSON as a start request: what start_parse lets through can be planned and
 * printed, and comes back the same from its own writer.
 */
#include "sandbox/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plan(const struct start_request *r)
{
    struct probe probe = {.kernel = "fuzz"};
    struct plan_host host = {.probe = &probe, .uid_base = 100000, .has_cgroup = true};
    struct plan *plan = calloc(1, sizeof(*plan));
    struct arena arena;
    struct buf out;
    struct jout j;
    struct err err = ERR_INIT;

    must(plan != NULL);
    for (size_t i = 0; i < PROBE_COUNT; i++)
        probe.rows[i].has = true;
    probe.rows[PROBE_LANDLOCK].value = 7;
    arena_init(&arena, (size_t)1 << 20);
    buf_init(&out, (size_t)1 << 22);
    if (plan_make(r, &host, &arena, plan, &err) == 0) {
        must(r->network || plan->network != PLAN_NET_HOST);
        must(plan->uid >= host.uid_base && plan->uid < host.uid_base + UID_SLOT_COUNT);
        jout_begin(&j, &out);
        plan_put_json(plan, &j);
        must(jout_end(&j) == 0);
    }
    buf_release(&out);
    arena_release(&arena);
    free(plan);
}

static void check_back(const struct start_request *r)
{
    struct start_request again;
    struct arena arena;
    struct buf out;
    struct jout j;
    struct err err = ERR_INIT;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    const struct json *v = NULL;

    arena_init(&arena, (size_t)4 << 20);
    buf_init(&out, (size_t)1 << 22);
    jout_begin(&j, &out);
    jout_object(&j);
    start_put(&j, r);
    jout_object_end(&j);
    must(jout_end(&j) == 0);
    must(json_parse(&arena, buf_str(&out), &limits, &v, NULL, &err) == 0);
    must(start_parse(v, &again, &err) == 0);
    must(str_eq(r->key, again.key) && r->argc == again.argc && r->env_count == again.env_count &&
         r->file_count == again.file_count && r->uid_slot == again.uid_slot &&
         r->pass_fd == again.pass_fd && memcmp(&r->limits, &again.limits, sizeof(r->limits)) == 0);
    buf_release(&out);
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct start_request r;
    struct arena arena;
    struct err err = ERR_INIT;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    const struct json *v = NULL;
    struct str text = {(const char *)data, size};

    arena_init(&arena, (size_t)4 << 20);
    if (json_parse(&arena, text, &limits, &v, NULL, &err) == 0 && start_parse(v, &r, &err) == 0) {
        check_plan(&r);
        check_back(&r);
    }
    arena_release(&arena);
    return 0;
}
