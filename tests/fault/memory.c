/*
 * memory.c: policy/text with allocation N failing: -ENOMEM each time, nothing lost, until it passes
 * untouched.
 */
#include "tests/lib/cm.h"

#include "policy/text/diag.h"
#include "policy/text/digest.h"
#include "policy/text/jcs.h"
#include "policy/text/jout.h"
#include "tests/lib/oom.h"

/* Every kind of value, escapes in names and strings, an object of more names than are compared in
 * pairs; more names, and more tokens, than need no memory. */
static const struct str text =
    STR("{\"a\\u0041\":[1,2.5,\"x\\n\",null,true,{\"in\":[]}],\"b\":1,"
        "\"c\":2,\"d\":3,\"e\":4,\"f\":5,\"g\":6,"
        "\"h\":7,\"i\":8,\"j\":12345678901234567890.5,\"k\":{"
        "\"na\":0,\"nb\":0,\"nc\":0,\"nd\":0,\"ne\":0,\"nf\":0,\"ng\":0,\"nh\":0,\"ni\":0,"
        "\"nj\":0,\"nk\":0,\"nl\":0,\"nm\":0,\"nn\":0,\"no\":0,\"np\":0,\"nq\":0,\"nr\":0,"
        "\"ns\":0,\"ma\":0,\"mb\":0,\"mc\":0,\"md\":0,\"me\":0,\"mf\":0,\"mg\":0,\"mh\":0,"
        "\"mi\":0,\"mj\":0,\"mk\":0,\"ml\":0,\"mm\":0,\"mn\":0,\"mo\":0,\"mp\":0,\"mq\":0"
        "}}");

static int parse(struct arena *a, const struct json **ret)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct err err = ERR_INIT;
    int r;

    r = json_parse(a, text, &limits, ret, NULL, &err);
    assert_int_equal(err.number, -r);
    return r;
}

static int pass_parse(void *ctx)
{
    const struct json *v;
    struct arena a;
    int r;

    (void)ctx;
    arena_init(&a, 1 << 20);
    r = parse(&a, &v);
    arena_release(&a);
    return r;
}

static int pass_check(void *ctx)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;

    (void)ctx;
    return json_check(text, &limits, NULL, NULL);
}

static int pass_write(void *ctx)
{
    const struct json *v = ctx;
    struct buf out;
    struct jout j;
    int r;

    buf_init(&out, SIZE_MAX);
    jout_begin(&j, &out);
    jout_object(&j);
    jout_m_json(&j, "tree", v);
    jout_m_fmt(&j, "fmt", "%s", "x");
    jout_name(&j, "raw");
    jout_raw(&j, text);
    jout_name(&j, "long");
    jout_fmt(&j, "%0*d", 5000, 1);
    jout_object_end(&j);
    r = jout_end(&j);
    if (r < 0)
        assert_int_equal(out.len, 0);
    buf_release(&out);
    return r;
}

static int pass_jcs(void *ctx)
{
    const struct json *v = ctx;
    struct err err = ERR_INIT;
    struct buf out;
    int r;

    buf_init(&out, SIZE_MAX);
    r = jcs_write(&out, v, JCS_EXACT, &err);
    assert_int_equal(err.number, -r);
    if (r < 0)
        assert_int_equal(out.len, 0);
    buf_release(&out);
    return r;
}

static int pass_digest(void *ctx)
{
    struct digest d;

    return digest_of_json(ctx, &d, NULL);
}

static int pass_buf(void *ctx)
{
    struct buf b;
    char *taken;
    int r;

    (void)ctx;
    buf_init(&b, SIZE_MAX);
    for (int i = 0; i < 400; i++)
        buf_fmt(&b, "%d ", i);
    buf_hex(&b, "abc", 3);
    r = buf_status(&b);
    taken = buf_take(&b, NULL);
    assert_true((taken != NULL) == (r == 0));
    free(taken);
    return r;
}

static int pass_arena(void *ctx)
{
    struct arena a;
    int r = 0;

    (void)ctx;
    arena_init(&a, 1 << 24);
    for (size_t n = 1; n < 20000 && r == 0; n *= 3) {
        bool good = arena_alloc(&a, n) && arena_str(&a, STR("x")).ptr && arena_fmt(&a, "%d", 7).ptr;
        r = good ? 0 : -ENOMEM;
    }
    arena_reset(&a);
    arena_release(&a);
    return r;
}

static int pass_str(void *ctx)
{
    char *copy = str_dup(STR("x"));

    (void)ctx;
    free(copy);
    return copy ? 0 : -ENOMEM;
}

static int pass_diag(void *ctx)
{
    struct buf out;
    struct diags d;
    struct jout j;
    ssize_t f;
    int r;

    (void)ctx;
    diags_init(&d);
    buf_init(&out, SIZE_MAX);
    f = diags_file(&d, STR("a.cedar"), STR("one\ntwo\n"));
    for (int i = 0; i < 12; i++)
        diags_add(&d, DIAG_WARNING, f < 0 ? SIZE_MAX : (size_t)f, 4, 7, "`three`", "found %d", i);
    /* A check must not pass because what it found could not be kept. */
    assert_true(diags_has_errors(&d) == (d.failed == ENOMEM));
    diags_put(&d, &out);
    r = d.failed ? -ENOMEM : buf_status(&out);
    if (r == 0 && str_ends(buf_str(&out), STR("not complete\n12 warnings\n")))
        r = -ENOMEM;
    if (r == 0 && !str_ends(buf_str(&out), STR("12 warnings\n")))
        r = -ENOMEM;
    buf_clear(&out);
    jout_begin(&j, &out);
    diags_json(&d, &j);
    if (jout_end(&j) < 0)
        r = -ENOMEM;
    buf_release(&out);
    diags_release(&d);
    return r;
}

static const struct {
    const char *name;
    int (*pass)(void *ctx);
    bool wants_tree;
    size_t least; /* allocations that there must be, or nothing was tested */
} passes[] = {
    {"json_parse", pass_parse, false, 5},
    {"json_check", pass_check, false, 3},
    {"jout", pass_write, true, 8},
    {"jcs_write", pass_jcs, true, 5},
    {"digest_of_json", pass_digest, true, 5},
    {"buf", pass_buf, false, 4},
    {"arena", pass_arena, false, 3},
    {"str_dup", pass_str, false, 1},
    {"diags", pass_diag, false, 40},
};

static void fails_cleanly(void **state)
{
    struct arena a;
    const struct json *v;

    (void)state;
    arena_init(&a, 1 << 20);
    assert_int_equal(parse(&a, &v), 0);
    for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
        void *ctx = passes[i].wants_tree ? (void *)(uintptr_t)v : NULL;
        size_t n = oom_walk(passes[i].pass, ctx);
        print_message("# %s: %zu allocations\n", passes[i].name, n);
        assert_row(n >= passes[i].least, i, "%s: only %zu", passes[i].name, n);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fails_cleanly)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
