/*
 * json_bench.c: what strictness costs. Prints how long json_parse takes against jsmn's tokens
 * alone, on the same text, in the same run: a ratio, which a slow machine does not change.
 *
 *   json_bench [FILE]   (default: messages like those on our sockets)
 */
#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include <stdio.h>
#include <time.h>

#include "policy/text/buf.h"
#include "policy/text/jcs.h"

#define ROUNDS 15

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_messages(struct buf *b)
{
    buf_char(b, '[');
    for (unsigned i = 0; i < 4000; i++)
        buf_fmt(b,
                "%s{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":"
                "\"ledger.pay\",\"arguments\":{\"vendor\":\"Acme & Sons\",\"amount\":\"%u.50\","
                "\"lines\":[%u,2.5,null,true],\"note\":\"first line\\nsecond \\u00e9 %s\"}}}",
                i > 0 ? "," : "", i, i * 7, i,
                "a longer text such as a model writes, in which there is nothing to escape at all");
    buf_char(b, ']');
}

static void read_file(struct buf *b, const char *name)
{
    FILE *f = fopen(name, "re");
    char *room = buf_reserve(b, (size_t)16 << 20);

    if (!f || !room) {
        perror(name);
        exit(1);
    }
    buf_added(b, fread(room, 1, (size_t)16 << 20, f));
    (void)fclose(f);
}

struct bench {
    struct str text;
    jsmntok_t *tokens;
    unsigned token_max;
    struct arena arena;
    struct buf out;
    const struct json *tree;
};

static void run_jsmn(struct bench *b)
{
    jsmn_parser p;

    jsmn_init(&p);
    must(jsmn_parse(&p, b->text.ptr, b->text.len, b->tokens, b->token_max) > 0);
}

static void run_check(struct bench *b)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;

    must(json_check(b->text, &limits, NULL, NULL) == 0);
}

static void run_parse(struct bench *b)
{
    struct json_limits limits = JSON_LIMITS_DEFAULT;

    arena_reset(&b->arena);
    must(json_parse(&b->arena, b->text, &limits, &b->tree, NULL, NULL) == 0);
}

static void run_jcs(struct bench *b)
{
    buf_clear(&b->out);
    must(jcs_write(&b->out, b->tree, JCS_EXACT, NULL) == 0);
}

/* The best of some rounds: what disturbs a round only makes it slower. */
static double best_of(void (*run)(struct bench *b), struct bench *b)
{
    double best = 1e9;

    for (int i = 0; i < ROUNDS; i++) {
        double from = now_s();
        run(b);
        best = MIN(best, now_s() - from);
    }
    return best;
}

int main(int argc, char **argv)
{
    struct bench b = {.token_max = 1u << 21};
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct err err = ERR_INIT;
    struct buf text;
    double base;

    buf_init(&text, (size_t)17 << 20);
    buf_init(&b.out, SIZE_MAX);
    arena_init(&b.arena, SIZE_MAX);
    if (argc > 1)
        read_file(&text, argv[1]);
    else
        make_messages(&text);
    b.text = buf_str(&text);
    b.tokens = calloc(b.token_max, sizeof(*b.tokens));
    if (!b.tokens || json_check(b.text, &limits, NULL, &err) < 0) {
        (void)fprintf(stderr, "json_bench: %s\n", err.text);
        return 1;
    }
    base = best_of(run_jsmn, &b);
    printf("%zu bytes; jsmn alone %.1f MB/s\n", b.text.len, (double)b.text.len / base / 1e6);
    printf("json_check %.2f times jsmn\n", best_of(run_check, &b) / base);
    printf("json_parse %.2f times jsmn\n", best_of(run_parse, &b) / base);
    printf("jcs_write  %.2f times jsmn\n", best_of(run_jcs, &b) / base);
    free(b.tokens);
    arena_release(&b.arena);
    buf_release(&b.out);
    buf_release(&text);
    return 0;
}
