/*
 * cedar_bench.c: what a decision costs: 10, 100 and 1,000 policies, scoped and unscoped, with the
 * request built from a tool call's JSON of ten arguments. Allocations on the decision path are
 * counted; there should be none.
 *
 *   cedar_bench [ROUNDS]   rounds of each measurement (default 20000); the best of five batches
 * counts
 */
#include <stdio.h>
#include <time.h>

#include "policy/cedar/cedar.h"
#include "policy/text/num.h"

#if defined(__SANITIZE_ADDRESS__)
#define COUNTS_ALLOCATIONS 0
#else
#define COUNTS_ALLOCATIONS 1
#endif

static unsigned long allocations;

#if COUNTS_ALLOCATIONS
/* glibc's own names behind the ones that the program sees. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}
void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t size)
{
    allocations++;
    return __libc_realloc(p, size);
}
#endif

static const struct str call = STR(
    "{\"invoice\":\"INV-2026-00117\",\"vendor\":\"V-9\",\"amount\":450.25,\"currency\":\"EUR\","
    "\"iban\":\"DE02120300000000202051\",\"po\":\"PO-7\",\"due\":\"2026-12-01\",\"lines\":[1,2,3],"
    "\"note\":null,\"urgent\":false}");

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- policies ---- */

/* One tool, one team: what a platform team writes for each tool. */
static void put_scoped(struct buf *out, unsigned i)
{
    buf_fmt(out,
            "@id(\"post-%u\") permit (principal in Team::\"team-%u\", action == "
            "Action::\"call:erp/tool_%u\", resource == Tool::\"erp/tool_%u\")\n"
            "when { context.input.amount.lessThanOrEqual(decimal(\"500.00\")) && "
            "context.input has po && context.input.currency == \"EUR\" };\n",
            i, i % 10, i, i);
}

static void put_unscoped(struct buf *out, unsigned i)
{
    buf_fmt(out,
            "@id(\"any-%u\") permit (principal, action, resource)\n"
            "when { context.input.currency == \"X%u\" && "
            "context.input.amount.lessThanOrEqual(decimal(\"500.00\")) };\n",
            i, i);
}

/* Guard rails that every call meets. */
static const char common[] =
    "@id(\"wall\") forbid (principal, action in Action::\"call\", resource)\n"
    "unless { principal has tenant && resource has tenant && principal.tenant == resource.tenant "
    "};\n"
    "@id(\"cap\") forbid (principal, action in Action::\"call\", resource)\n"
    "when { context.history.failures_24h >= 3 || !(context.input.iban like \"DE*\") };\n";

static struct cedar_policies *load(unsigned n, bool scoped)
{
    struct cedar_policies *set = cedar_policies_new(&(struct cedar_load){0});
    struct diags diags;
    struct buf text;

    diags_init(&diags);
    buf_init(&text, CEDAR_TEXT_MAX);
    buf_cstr(&text, common);
    for (unsigned i = 0; i + 2 < n; i++)
        (scoped ? put_scoped : put_unscoped)(&text, i);
    must(set && cedar_policies_add_text(set, STR("bench"), buf_str(&text), &diags) == 0);
    must(cedar_policies_seal(set, &diags) == 0);
    if (diags_has_errors(&diags)) {
        buf_clear(&text);
        diags_put(&diags, &text);
        fprintf(stderr, "%.*s", STR_FMT(buf_str(&text)));
        exit(1);
    }
    buf_release(&text);
    diags_release(&diags);
    return set;
}

/* ---- the world ---- */

static void add(struct cedar_entities *e, const char *type, const char *id,
                const struct cedar_value *attrs, const struct cedar_uid *parents, size_t n)
{
    struct cedar_uid uid = cedar_uid_borrow(str_of(type), str_of(id));

    must(cedar_entities_add(e, &uid, attrs, NULL, parents, n, NULL) == 0);
}

static struct cedar_entities *world(struct arena *arena)
{
    struct cedar_entities *e = cedar_entities_new(1 << 20, NULL);
    struct cedar_uid tenant = cedar_uid_borrow(STR("Tenant"), STR("acme"));
    struct cedar_uid team = cedar_uid_borrow(STR("Team"), STR("team-3"));
    struct cedar_uid server = cedar_uid_borrow(STR("Server"), STR("erp"));
    struct cedar_uid groups[] = {cedar_uid_borrow(STR("Action"), STR("call")),
                                 cedar_uid_borrow(STR("Action"), STR("call:erp")),
                                 cedar_uid_borrow(STR("Action"), STR("write"))};
    struct cedar_value attrs;
    struct cedar_rec r;

    cedar_rec_begin(&r, arena);
    cedar_rec_add(&r, STR("tenant"), cedar_entity_ref(&tenant));
    cedar_rec_add(&r, STR("level"), cedar_long(2));
    must(e && cedar_rec_end(&r, &attrs, NULL) == 0);
    add(e, "Team", "team-3", NULL, &tenant, 1);
    add(e, "Workflow", "triage", &attrs, &team, 1);
    add(e, "Tool", "erp/tool_3", &attrs, &server, 1);
    add(e, "Action", "call:erp/tool_3", NULL, groups, 3);
    must(cedar_entities_seal(e, NULL) == 0);
    return e;
}

/* ---- the request, as the runtime builds it ---- */

static void build(struct arena *arena, const struct json *arguments, struct cedar_request *r)
{
    struct cedar_value input, history, budget;
    struct cedar_rec rec;

    r->principal = cedar_uid_borrow(STR("Workflow"), STR("triage"));
    r->action = cedar_uid_borrow(STR("Action"), STR("call:erp/tool_3"));
    r->resource = cedar_uid_borrow(STR("Tool"), STR("erp/tool_3"));
    must(cedar_value_from_json(arena, arguments, &CEDAR_JSON_FACTS, &input, NULL) == 0);
    cedar_rec_begin(&rec, arena);
    cedar_rec_add(&rec, STR("failures_24h"), cedar_long(0));
    cedar_rec_add(&rec, STR("approved"), cedar_long(57));
    must(cedar_rec_end(&rec, &history, NULL) == 0);
    cedar_rec_begin(&rec, arena);
    cedar_rec_add(&rec, STR("calls_left"), cedar_long(20));
    cedar_rec_add(&rec, STR("spent"), cedar_decimal(12500));
    must(cedar_rec_end(&rec, &budget, NULL) == 0);
    cedar_rec_begin(&rec, arena);
    cedar_rec_add(&rec, STR("input"), input);
    cedar_rec_add(&rec, STR("now"), cedar_datetime(1795000000000));
    cedar_rec_add(&rec, STR("history"), history);
    cedar_rec_add(&rec, STR("budget"), budget);
    must(cedar_rec_end(&rec, &r->context, NULL) == 0);
}

/* ---- measuring ---- */

enum what { DECIDE, BUILD_AND_DECIDE, PARSE_BUILD_AND_DECIDE };

struct bench {
    const struct cedar_policies *set;
    const struct cedar_entities *world;
    const struct json *arguments;
    struct cedar_request request;
};

/* One pass; the arena is warm, as it is in a process that runs. */
static void pass(struct bench *b, enum what what, struct arena *arena)
{
    const struct json *arguments = b->arguments;
    struct cedar_request request = b->request;
    struct cedar_answer answer;

    if (what == PARSE_BUILD_AND_DECIDE)
        must(json_parse(arena, call, &JSON_LIMITS_DEFAULT, &arguments, NULL, NULL) == 0);
    if (what >= BUILD_AND_DECIDE)
        build(arena, arguments, &request);
    must(cedar_authorize(b->set, &request, b->world, arena, &answer, NULL) == 0);
    must(answer.error_count == 0 && answer.forbids.count == 0);
    arena_reset(arena);
}

static double measure(struct bench *b, enum what what, long rounds, unsigned long *ret_allocations)
{
    double best = 1e18;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 10; i++) /* the first chunks of the arena are not the path */
        pass(b, what, &arena);
    allocations = 0;
    for (int batch = 0; batch < 5; batch++) {
        double start = now_ns(), took;

        for (long i = 0; i < rounds; i++)
            pass(b, what, &arena);
        took = (now_ns() - start) / (double)rounds;
        best = took < best ? took : best;
    }
    *ret_allocations = allocations / (5 * (unsigned long)rounds);
    arena_release(&arena);
    return best;
}

int main(int argc, char **argv)
{
    static const unsigned sizes[] = {10, 100, 1000};
    int64_t rounds = 20000;
    struct bench b = {0};
    struct arena arena, kept;

    if (argc > 1 && (num_i64(str_of(argv[1]), &rounds) < 0 || rounds < 1)) {
        fputs("usage: cedar_bench [ROUNDS]\n", stderr);
        return 2;
    }
    arena_init(&arena, 1 << 20);
    arena_init(&kept, 1 << 20);
    b.world = world(&arena);
    must(json_parse(&kept, call, &JSON_LIMITS_DEFAULT, &b.arguments, NULL, NULL) == 0);
    build(&kept, b.arguments, &b.request);
    printf("%8s %9s %14s %18s %24s %12s\n", "policies", "scope", "decide ns", "build+decide ns",
           "parse+build+decide ns", "allocations");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (int scoped = 1; scoped >= 0; scoped--) {
            struct cedar_policies *set = load(sizes[i], scoped);
            unsigned long counts[3];
            double ns[3];

            b.set = set;
            for (int what = DECIDE; what <= PARSE_BUILD_AND_DECIDE; what++)
                ns[what] = measure(&b, (enum what)what,
                                   sizes[i] >= 1000 && !scoped ? MAX(rounds / 20, 1) : rounds,
                                   &counts[what]);
            printf("%8u %9s %14.0f %18.0f %24.0f %5lu %s\n", sizes[i],
                   scoped ? "scoped" : "unscoped", ns[0], ns[1], ns[2], counts[1],
                   COUNTS_ALLOCATIONS ? "" : "(not counted in this build)");
            cedar_policies_free(set);
        }
    cedar_entities_free((struct cedar_entities *)(uintptr_t)b.world);
    arena_release(&arena);
    arena_release(&kept);
    return 0;
}
