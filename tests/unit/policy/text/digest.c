/*
 * digest.c: SHA-256 and HMAC against published values (FIPS 180-4 examples, RFC 4231), and that two
 * lists of parts never share a digest.
 */
#include "tests/lib/cm.h"

#include "policy/text/digest.h"

static void assert_hex(struct digest d, const char *want)
{
    char text[DIGEST_HEX];

    digest_hex(&d, text);
    assert_string_equal(text, want);
}

static void hashes(void **state)
{
    (void)state;
    assert_hex(digest_of(STR("abc")),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hex(digest_of(STR_NONE),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hex(digest_of(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void signs(void **state)
{
    char key[131];

    (void)state;
    memset(key, 0x0B, 20);
    assert_hex(digest_hmac((struct str){key, 20}, STR("Hi There")),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hex(digest_hmac(STR("Jefe"), STR("what do ya want for nothing?")),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xAA, sizeof(key));
    assert_hex(digest_hmac((struct str){key, sizeof(key)},
                           STR("Test Using Larger Than Block-Size Key - Hash Key First")),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_hex(digest_hmac(STR_NONE, STR_NONE),
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void keeps_parts_apart(void **state)
{
    const struct str one[] = {STR("ab"), STR("c")}, two[] = {STR("a"), STR("bc")},
                     three[] = {STR("abc")}, four[] = {STR("ab"), STR("c"), STR_NONE};
    struct digest d[4] = {
        digest_of_parts(one, 2),
        digest_of_parts(two, 2),
        digest_of_parts(three, 1),
        digest_of_parts(four, 3),
    };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 4; j++)
            assert_true(digest_eq(&d[i], &d[j]) == (i == j));
    }
}

static void reads_hex(void **state)
{
    struct digest d = digest_of(STR("abc")), back;
    char text[DIGEST_HEX];

    (void)state;
    digest_hex(&d, text);
    assert_int_equal(digest_parse(str_of(text), &back), 0);
    assert_true(digest_eq(&d, &back));
    assert_int_equal(digest_parse(str_slice(str_of(text), 0, 63), &back), -EINVAL);
    text[5] = 'A';
    assert_int_equal(digest_parse(str_of(text), &back), -EINVAL);
    text[5] = 'g';
    assert_int_equal(digest_parse(str_of(text), &back), -EINVAL);
    assert_true(digest_bytes_eq("abc", "abc", 3) && !digest_bytes_eq("abc", "abd", 3));
    assert_true(digest_bytes_eq(NULL, NULL, 0));
}

static struct digest of_json(const char *text)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    const struct json *v = NULL;
    struct digest d = {{0}};
    struct err err = ERR_INIT;
    struct arena a;

    arena_init(&a, 1 << 20);
    assert_int_equal(json_parse(&a, str_of(text), &limits, &v, NULL, &err), 0);
    assert_int_equal(digest_of_json(v, &d, &err), 0);
    arena_release(&a);
    return d;
}

static void hashes_meaning(void **state)
{
    struct digest a = of_json("{\"to\":\"x\",\"amount\":10.50}"),
                  b = of_json("{ \"amount\": 1050e-2, \"\\u0074o\": \"x\" }"),
                  c = of_json("{\"to\":\"x\",\"amount\":9007199254740993}"),
                  d = of_json("{\"to\":\"x\",\"amount\":9007199254740992}");

    (void)state;
    assert_true(digest_eq(&a, &b));
    /* INV-08: an approval of one amount must not cover another that a double cannot tell from it.
     */
    assert_false(digest_eq(&c, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(signs),
        cmocka_unit_test(keeps_parts_apart),
        cmocka_unit_test(reads_hex),
        cmocka_unit_test(hashes_meaning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
