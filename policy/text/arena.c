/*
 * arena.c: memory dropped as a whole.
 *
 * Every process. A peer's text decides how much is asked for, so the limit is checked before the
 * allocator is. Chunks double up to a bound; a large piece gets a chunk of its own.
 */
#include "policy/text/arena.h"

#include <stdio.h>

#define CHUNK_FIRST ((size_t)4096)
#define CHUNK_LAST  ((size_t)1 << 20)
#define ALIGN       (_Alignof(max_align_t))

struct arena_chunk {
    struct arena_chunk *next; /* older */
    size_t cap, used;
    max_align_t bytes[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max_bytes = max_bytes};
}

static void free_chunks(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void arena_reset(struct arena *a)
{
    a->used_bytes = 0;
    if (!a->chunks)
        return;
    free_chunks(a->chunks->next);
    a->chunks->next = NULL;
    a->chunks->used = 0;
    /* One giant message must not keep its memory for as long as the connection lives. */
    if (a->chunks->cap > CHUNK_LAST) {
        free_chunks(a->chunks);
        a->chunks = NULL;
    }
}

void arena_release(struct arena *a)
{
    free_chunks(a->chunks);
    arena_init(a, a->max_bytes);
}

static struct arena_chunk *add_chunk(struct arena *a, size_t size)
{
    size_t cap = a->chunks ? MIN(a->chunks->cap * 2, CHUNK_LAST) : CHUNK_FIRST;
    struct arena_chunk *chunk;

    cap = MAX(cap, size);
    if (cap > SIZE_MAX - sizeof(*chunk))
        return NULL;
    chunk = malloc(sizeof(*chunk) + cap);
    if (!chunk)
        return NULL;
    *chunk = (struct arena_chunk){.next = a->chunks, .cap = cap};
    a->chunks = chunk;
    return chunk;
}

void *arena_alloc(struct arena *a, size_t size)
{
    struct arena_chunk *chunk = a->chunks;
    char *piece;

    if (size > SIZE_MAX - ALIGN)
        return NULL;
    size = (MAX(size, (size_t)1) + ALIGN - 1) / ALIGN * ALIGN;
    if (size > a->max_bytes || a->used_bytes > a->max_bytes - size)
        return NULL;
    if (!chunk || chunk->cap - chunk->used < size)
        chunk = add_chunk(a, size);
    if (!chunk)
        return NULL;
    piece = (char *)chunk->bytes + chunk->used;
    chunk->used += size;
    a->used_bytes += size;
    return memset(piece, 0, size);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    return arena_alloc(a, bytes);
}

char *arena_cstr(struct arena *a, struct str s)
{
    char *copy = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;

    if (copy && s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *copy = arena_cstr(a, s);

    return copy ? (struct str){copy, s.len} : STR_NONE;
}

struct str arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    text = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
    if (!text)
        return STR_NONE;
    va_start(ap, fmt);
    n = vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return n >= 0 ? (struct str){text, (size_t)n} : STR_NONE;
}
