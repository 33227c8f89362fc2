/*
 * digest.h: SHA-256 (FIPS 180-4, by libcrypto) and HMAC-SHA-256 (RFC 2104).
 */
#ifndef REEVE_TEXT_DIGEST_H
#define REEVE_TEXT_DIGEST_H

#include "policy/text/jcs.h"

#define DIGEST_BYTES 32
#define DIGEST_HEX (2 * DIGEST_BYTES + 1)

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

struct digest digest_of(struct str s);
/* The same of a text that comes in pieces. */
struct digest_stream {
    _Alignas(8) unsigned char room[160];
};
void digest_begin(struct digest_stream *s);
void digest_add(struct digest_stream *s, struct str piece);
struct digest digest_end(struct digest_stream *s);
/* Several parts, each with its length in front (u64 little-endian), so that no two lists of parts
 * collide by moving a boundary. */
struct digest digest_of_parts(const struct str *parts, size_t n);
/* Of the canonical form (JCS_EXACT); an error of jcs_write is passed on. */
int digest_of_json(const struct json *v, struct digest *ret, struct err *err) NODISCARD;
bool digest_eq(const struct digest *a, const struct digest *b); /* constant time */
void digest_hex(const struct digest *d, char text[DIGEST_HEX]);
int digest_parse(struct str hex, struct digest *ret) NODISCARD; /* 64 lower-case hex digits */
struct digest digest_hmac(struct str key, struct str message);
bool digest_bytes_eq(const void *a, const void *b, size_t len); /* constant time */

#endif
