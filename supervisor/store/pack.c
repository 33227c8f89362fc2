/*
 * pack.c: zstd, behind two functions. Frames come from our own database, which a damaged disk may
 * have changed: sizes are checked before memory is taken.
 */
#include "supervisor/store/pack.h"

#include <zstd.h>

#define PACK_LEVEL 3

bool pack_text(struct ZSTD_CCtx_s **ctx, struct str text, struct buf *out)
{
    if (text.len < PACK_MIN)
        return false;
    if (*ctx == NULL && (*ctx = ZSTD_createCCtx()) == NULL)
        return false;
    /* A target that only holds what would be worth it lets zstd give up early. */
    size_t room = text.len - text.len / 8;
    buf_clear(out);
    char *to = buf_reserve(out, room);
    if (to == NULL)
        return false;
    size_t n = ZSTD_compressCCtx(*ctx, to, room, text.ptr, text.len, PACK_LEVEL);
    if (ZSTD_isError(n))
        return false;
    buf_added(out, n);
    return true;
}

int pack_read(struct ZSTD_DCtx_s **ctx, struct str frame, size_t max_bytes, struct buf *out,
              struct err *err)
{
    unsigned long long size = ZSTD_getFrameContentSize(frame.ptr, frame.len);
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > max_bytes)
        return err_set(err, EUCLEAN, "packed text of %zu bytes is damaged", frame.len);
    if (*ctx == NULL && (*ctx = ZSTD_createDCtx()) == NULL)
        return err_set(err, ENOMEM, "unpack: out of memory");
    char *to = buf_reserve(out, (size_t)size);
    if (to == NULL)
        return err_set(err, ENOMEM, "unpack %llu bytes: out of memory", size);
    size_t n = ZSTD_decompressDCtx(*ctx, to, (size_t)size, frame.ptr, frame.len);
    if (ZSTD_isError(n) || n != size)
        return err_set(err, EUCLEAN, "packed text of %zu bytes is damaged", frame.len);
    buf_added(out, n);
    return 0;
}

void pack_release(struct ZSTD_CCtx_s **pack, struct ZSTD_DCtx_s **unpack)
{
    ZSTD_freeCCtx(*pack);
    ZSTD_freeDCtx(*unpack);
    *pack = NULL;
    *unpack = NULL;
}
