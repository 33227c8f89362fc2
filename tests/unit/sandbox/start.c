/*
 * Goal: a start request survives its way over the wire, and everything that could open a door is
 * refused by the side that holds the privilege.
 */
#include "sandbox/start.h"

#include "tests/lib/cm.h"

static int parse(struct arena *a, struct str text, struct start_request *r, struct err *err)
{
    const struct json *v = NULL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;

    if (json_parse(a, text, &limits, &v, NULL, err) < 0) {
        print_error("%s\n", err->text);
        fail();
    }
    return start_parse(v, r, err);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct start_request out = {
        .key = STR("server-ledger"),
        .profile = PROFILE_TOOL,
        .base = PROFILE_PYTHON,
        .program = STR("/usr/bin/python3"),
        .argv = {STR("python3"), STR("-u"), STR("")},
        .argc = 3,
        .env = {{STR("A"), STR("x=y \"q\"")}, {STR("B"), STR("")}},
        .env_count = 2,
        .secrets = {{STR("TOKEN"), STR("/etc/token"), SECRET_AS_ENV},
                    {STR("key"), STR("/k"), SECRET_AS_FD}},
        .secret_count = 2,
        .files = {{STR("/srv/a"), STR("/data"), true}, {STR("/srv/b"), STR_NONE, false}},
        .file_count = 2,
        .limits = {.memory_bytes = 5,
                   .processes = 6,
                   .cpu_ms = 7,
                   .open_files = 8,
                   .file_bytes = 9,
                   .tmp_bytes = 10},
        .channel = true,
        .stdio = true,
        .stderr_pipe = true,
        .network = true,
        .uid_slot = 64,
        .pass_fd = -1};
    struct start_request in;
    struct buf text;
    struct jout j;
    struct arena a;
    struct err err = ERR_INIT;

    buf_init(&text, 1 << 16);
    arena_init(&a, 1 << 20);
    jout_begin(&j, &text);
    jout_object(&j);
    start_put(&j, &out);
    jout_object_end(&j);
    assert_int_equal(jout_end(&j), 0);
    if (parse(&a, buf_str(&text), &in, &err) < 0)
        fail_msg("%s", err.text);
    assert_str(in.key, "server-ledger");
    assert_int_equal(in.profile, PROFILE_TOOL);
    assert_int_equal(in.base, PROFILE_PYTHON);
    assert_int_equal(in.argc, 3);
    assert_str(in.argv[2], "");
    assert_str(in.env[0].value, "x=y \"q\"");
    assert_int_equal(in.secrets[1].as, SECRET_AS_FD);
    assert_str(in.secrets[0].file, "/etc/token");
    assert_str(in.files[0].at, "/data");
    assert_true(in.files[0].write);
    assert_int_equal(in.files[1].at.len, 0);
    assert_memory_equal(&in.limits, &out.limits, sizeof(in.limits));
    assert_true(in.channel && in.stdio && in.stderr_pipe && in.network && !in.may_pass);
    assert_int_equal(in.uid_slot, 64);
    assert_int_equal(in.pass_fd, -1);
    buf_release(&text);
    arena_release(&a);
}

#define GOOD(more)                                                                        \
    "{\"key\":\"run-1\",\"profile\":\"program\",\"program\":\"/bin/x\",\"argv\":[\"x\"]," \
    "\"env\":{},\"uidSlot\":1024" more "}"

static const struct {
    const char *text, *why; /* why NULL: good */
} rows[] = {
    {GOOD(""), NULL},
    {GOOD(",\"later\":1"), NULL}, /* members that it does not know are of a newer reeved */
    {"[]", "expected an object"},
    {"{}", "key"},
    {GOOD(",\"limits\":{\"memoryBytes\":-1}"), "memoryBytes"},
    {GOOD(",\"limits\":{\"processes\":65537}"), "processes"},
    {GOOD(",\"limits\":{\"openFiles\":\"9\"}"), "openFiles"},
    {GOOD(",\"limits\":[]"), "limits"},
    {GOOD(",\"network\":true"), "network"},
    {GOOD(",\"mayPass\":true"), "mayPass"},
    {GOOD(",\"pass\":true"), "pass"},
    {GOOD(",\"channel\":1"), "channel"},
    {GOOD(",\"secrets\":[{\"name\":\"A\",\"file\":\"/a\",\"as\":\"env\"}]"), "holds none"},
    {GOOD(",\"files\":[{\"path\":\"srv\"}]"), "absolute"},
    {GOOD(",\"files\":[{\"path\":\"/\"}]"), "absolute"},
    {GOOD(",\"files\":[{\"path\":\"/srv/../etc\"}]"), "\"..\""},
    {GOOD(",\"files\":[{\"path\":\"/srv//etc\"}]"), "empty"},
    {GOOD(",\"files\":[{\"path\":\"/srv/./etc\"}]"), "\".\""},
    {GOOD(",\"files\":[{\"path\":\"/srv/\"}]"), "empty"},
    {GOOD(",\"files\":[{\"path\":\"/srv\\u0000/etc\"}]"), "NUL"},
    {GOOD(",\"files\":[{\"path\":\"/srv\",\"at\":\"../x\"}]"), "at"},
    {GOOD(",\"files\":[\"/srv\"]"), "object"},
    {GOOD(",\"files\":{}"), "list"},
    {"{\"key\":\"../x\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":1024}",
     "key"},
    {"{\"key\":\"\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":1024}",
     "key"},
    {"{\"key\":\"a\",\"profile\":\"root\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":1024}",
     "profile"},
    {"{\"key\":\"a\",\"profile\":\"tool\",\"base\":\"strict\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":1024}",
     "base"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":1024}",
     "program"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[],\"env\":{},\"uidSlot\":1024}",
     "argv"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[1],\"env\":{},\"uidSlot\":1024}",
     "argv"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"a\\u0000b\"],\"env\":{},\"uidSlot\":1024}",
     "NUL"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{\"LD_PRELOAD\":\"/x\"},\"uidSlot\":1024}",
     "LD_PRELOAD"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{\"REEVE_SECRETS\":\"/x\"},\"uidSlot\":1024}",
     "REEVE_SECRETS"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{\"A=B\":\"\"},\"uidSlot\":1024}",
     "variable"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{\"A\":\"\\u0000\"},\"uidSlot\":1024}",
     "NUL"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":2}",
     "helper"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":65536}",
     "uidSlot"},
    {"{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":-1}",
     "uidSlot"},
    {"{\"key\":\"a\",\"profile\":\"strict\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":1024}",
     "channel"},
    {"{\"key\":\"a\",\"profile\":\"strict\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":1024,\"channel\":true,\"files\":[{\"path\":\"/"
     "srv\"}]}",
     "files"},
    {"{\"key\":\"a\",\"profile\":\"tool\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":64,\"secrets\":[{\"name\":\"LD_X\",\"file\":\"/"
     "a\",\"as\":\"env\"}]}",
     "LD_X"},
    {"{\"key\":\"a\",\"profile\":\"tool\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":64,\"secrets\":[{\"name\":\"A:B\",\"file\":\"/"
     "a\",\"as\":\"fd\"}]}",
     "secret"},
    {"{\"key\":\"a\",\"profile\":\"tool\",\"program\":\"/bin/"
     "x\",\"argv\":[\"x\"],\"env\":{},\"uidSlot\":64,\"secrets\":[{\"name\":\"A\",\"file\":\"/"
     "a\",\"as\":\"file\"}]}",
     "\"env\" or \"fd\""},
};

static void test_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct start_request r;
        struct arena a;
        struct err err = ERR_INIT;
        arena_init(&a, 1 << 20);
        int rc = parse(&a, str_of(rows[i].text), &r, &err);
        if (rows[i].why == NULL)
            assert_row(rc == 0, i, "%s", err.text);
        else
            assert_row(rc < 0 && strstr(err.text, rows[i].why) != NULL, i,
                       "got %d \"%s\", want \"%s\"", rc, err.text, rows[i].why);
        arena_release(&a);
    }
}

static void test_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t max;
        const char *item, *open, *close;
    } lists[] = {{"argv", START_ARGV_MAX, "\"x\"", "[", "]"},
                 {"files", START_FILES_MAX, "{\"path\":\"/srv\"}", "[", "]"}};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        for (size_t n = lists[l].max; n <= lists[l].max + 1; n++) {
            struct buf text;
            struct arena a;
            struct start_request r;
            struct err err = ERR_INIT;
            buf_init(&text, 1 << 16);
            arena_init(&a, 1 << 20);
            buf_cstr(&text, "{\"key\":\"a\",\"profile\":\"program\",\"program\":\"/bin/"
                            "x\",\"env\":{},\"uidSlot\":1024");
            if (l != 0)
                buf_cstr(&text, ",\"argv\":[\"x\"]");
            buf_fmt(&text, ",\"%s\":%s", lists[l].name, lists[l].open);
            for (size_t i = 0; i < n; i++)
                buf_fmt(&text, "%s%s", i > 0 ? "," : "", lists[l].item);
            buf_fmt(&text, "%s}", lists[l].close);
            int rc = parse(&a, buf_str(&text), &r, &err);
            assert_row(n <= lists[l].max ? rc == 0 : rc < 0, n, "%s", err.text);
            buf_release(&text);
            arena_release(&a);
        }
}

static void test_profiles(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROFILE_COUNT; i++) {
        enum start_profile p;
        assert_int_equal(start_profile_parse(str_of(start_profile_name((enum start_profile)i)), &p),
                         0);
        assert_int_equal(p, i);
    }
    enum start_profile p;
    assert_int_equal(start_profile_parse(STR("Strict"), &p), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_checks), cmocka_unit_test(test_counts),
                                       cmocka_unit_test(test_profiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
