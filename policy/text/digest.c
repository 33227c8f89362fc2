/*
 * digest.c: SHA-256 and HMAC-SHA-256.
 *
 * Every process that binds things together: versions, approvals, idempotency keys, blobs.
 *
 * libcrypto's older interface is used on purpose: it keeps its state in a struct of ours, so it
 * takes no memory and cannot fail, and it does not set the library up (which would read a
 * configuration file: this floor makes no system call). HMAC is a dozen lines on top of it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "policy/text/digest.h"

#define HMAC_BLOCK 64

static struct digest finish(SHA256_CTX *ctx)
{
    struct digest d;

    SHA256_Final(d.bytes, ctx);
    return d;
}

static void update(SHA256_CTX *ctx, struct str s)
{
    if (s.len > 0)
        SHA256_Update(ctx, s.ptr, s.len);
}

struct digest digest_of(struct str s)
{
    SHA256_CTX ctx;

    SHA256_Init(&ctx);
    update(&ctx, s);
    return finish(&ctx);
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof(((struct digest_stream *)0)->room),
               "room for the state");

static SHA256_CTX *state_of(struct digest_stream *s)
{
    return (SHA256_CTX *)(void *)s->room;
}

void digest_begin(struct digest_stream *s)
{
    SHA256_Init(state_of(s));
}

void digest_add(struct digest_stream *s, struct str piece)
{
    update(state_of(s), piece);
}

struct digest digest_end(struct digest_stream *s)
{
    return finish(state_of(s));
}

struct digest digest_of_parts(const struct str *parts, size_t n)
{
    SHA256_CTX ctx;

    SHA256_Init(&ctx);
    for (size_t i = 0; i < n; i++) {
        uint64_t len = parts[i].len;
        uint8_t bytes[8];
        for (size_t at = 0; at < sizeof(bytes); at++)
            bytes[at] = (uint8_t)(len >> (8 * at));
        SHA256_Update(&ctx, bytes, sizeof(bytes));
        update(&ctx, parts[i]);
    }
    return finish(&ctx);
}

int digest_of_json(const struct json *v, struct digest *ret, struct err *err)
{
    struct buf text;
    int r;

    buf_init(&text, SIZE_MAX);
    r = jcs_write(&text, v, JCS_EXACT, err);
    if (r == 0)
        *ret = digest_of(buf_str(&text));
    buf_release(&text);
    return r;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
    return digest_bytes_eq(a->bytes, b->bytes, DIGEST_BYTES);
}

bool digest_bytes_eq(const void *a, const void *b, size_t len)
{
    return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}

void digest_hex(const struct digest *d, char text[DIGEST_HEX])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        text[2 * i] = digits[d->bytes[i] >> 4];
        text[2 * i + 1] = digits[d->bytes[i] & 15];
    }
    text[DIGEST_HEX - 1] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int digest_parse(struct str hex, struct digest *ret)
{
    struct digest d;

    if (hex.len != DIGEST_HEX - 1)
        return -EINVAL;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        d.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret = d;
    return 0;
}

struct digest digest_hmac(struct str key, struct str message)
{
    uint8_t block[HMAC_BLOCK] = {0};
    struct digest d;
    SHA256_CTX ctx;

    if (key.len > sizeof(block)) {
        d = digest_of(key);
        memcpy(block, d.bytes, sizeof(d.bytes));
    } else if (key.len > 0) {
        memcpy(block, key.ptr, key.len);
    }
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36;
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, block, sizeof(block));
    update(&ctx, message);
    d = finish(&ctx);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] ^= 0x36 ^ 0x5C;
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, block, sizeof(block));
    SHA256_Update(&ctx, d.bytes, sizeof(d.bytes));
    d = finish(&ctx);
    /* Both held what the key can be told from. */
    OPENSSL_cleanse(block, sizeof(block));
    OPENSSL_cleanse(&ctx, sizeof(ctx));
    return d;
}
