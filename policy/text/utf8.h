/*
 * utf8.h: strict UTF-8 (Unicode 15, table 3-7): no overlong forms, surrogates or beyond U+10FFFF.
 */
#ifndef REEVE_TEXT_UTF8_H
#define REEVE_TEXT_UTF8_H

#include "policy/text/buf.h"

/* Length of the valid prefix; s.len when all of it is valid. */
size_t utf8_valid_prefix(struct str s);
bool utf8_is_valid(struct str s);
/* Decodes the code point at *pos and moves on; -EILSEQ and *pos unchanged if it is not valid. */
int utf8_next(struct str s, size_t *pos, uint32_t *ret) NODISCARD;
/* Writes 1 to 4 bytes; returns how many. cp is a Unicode scalar value (must). */
size_t utf8_encode(uint32_t cp, char out[4]);
/* Code points in valid text. */
size_t utf8_count(struct str s);
/* Whether a code point does not show, or changes how others do: control and format characters, bidi
 * controls, fillers, tags, noncharacters. */
bool utf8_is_hidden(uint32_t cp);
/* For people and logs: control characters, bidi controls, invisible format characters and invalid bytes
 * become \u{hex} or \xhh, cut at max_bytes with "..." */
void utf8_put_visible(struct buf *out, struct str s, size_t max_bytes);

#endif
