/*
 * pack.h: long texts smaller (one zstd frame each). Contexts are made once and kept.
 */
#ifndef REEVE_STORE_PACK_H
#define REEVE_STORE_PACK_H

#include "policy/text/buf.h"
#include "policy/text/err.h"

#define PACK_MIN 512 /* shorter texts stay as they are */

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

/* True: *out holds a frame that is smaller than the text by an eighth. False: keep the text. */
bool pack_text(struct ZSTD_CCtx_s **ctx, struct str text, struct buf *out);
/* Appends the text of a frame. -EUCLEAN: no frame, without a size, or over max_bytes; -ENOMEM. */
int pack_read(struct ZSTD_DCtx_s **ctx, struct str frame, size_t max_bytes, struct buf *out, struct err *err) NODISCARD;
void pack_release(struct ZSTD_CCtx_s **pack, struct ZSTD_DCtx_s **unpack);

#endif
