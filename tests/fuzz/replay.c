/*
 * replay.c: the main of every fuzz target in an ordinary test run.
 *
 * `fuzz_NAME` feeds the target each file of tests/fuzz/corpus/NAME and a bounded number of
 * mutations of it, the same ones in every run, and prints one TAP line. A target fails by trapping,
 * as under libFuzzer.
 *
 *   REEVE_ROOT         the source tree (default: the current directory)
 *   REEVE_FUZZ_SEED    another sequence of mutations
 *   REEVE_FUZZ_COUNT   mutations of each file (default 300)
 *   fuzz_NAME FILE...  replays these files alone, to look at one that crashed
 *
 * Each input ends at a page that cannot be touched, so that a read behind it is caught in any
 * build. The input that killed the target is named on the way out: seed and number bring it back.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/text/buf.h"
#include "policy/text/num.h"
#include "policy/text/sort.h"

#define INPUT_MAX ((size_t)1 << 20)
#define FILES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    char *name; /* owned */
    uint8_t *bytes;
    size_t len;
};

struct corpus {
    struct input *items;
    size_t count;
};

/* What was fed last, for the handler below. */
static struct {
    const char *name;
    unsigned long mutation;
    unsigned long long seed;
} now;

static void die(const char *what, const char *name)
{
    printf("1..1\nnot ok 1 - %s %s\n", what, name);
    exit(1);
}

/* Only async-signal-safe calls; the text was made before. */
static char crash_line[512];

static void name_input(void)
{
    ssize_t ignored = write(STDOUT_FILENO, crash_line, strlen(crash_line));

    (void)ignored;
}

static void on_crash(int sig)
{
    name_input();
    (void)signal(sig, SIG_DFL);
    (void)raise(sig);
}

/* There when the sanitizers are; they handle the signals themselves, and say more. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void watch_crashes(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE};

    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(name_input);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        (void)signal(signals[i], on_crash);
}

static uint64_t next_random(uint64_t *state)
{
    /* splitmix64: small, and the same everywhere. */
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t n)
{
    return n > 0 ? (size_t)(next_random(state) % n) : 0;
}

/* Feeds bytes whose last one touches the guard page. */
static void feed(uint8_t *guard, const uint8_t *bytes, size_t len)
{
    (void)snprintf(crash_line, sizeof(crash_line),
                   "1..1\nnot ok 1 - crashed on %s, mutation %lu (REEVE_FUZZ_SEED=%llu)\n",
                   now.name, now.mutation, now.seed);
    if (len > 0)
        memcpy(guard - len, bytes, len);
    (void)LLVMFuzzerTestOneInput(guard - len, len);
}

static uint8_t *make_guard(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = INPUT_MAX + page;
    uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED || mprotect(map + INPUT_MAX, page, PROT_NONE) != 0)
        die("cannot map memory for", "inputs");
    return map + INPUT_MAX;
}

static void load(struct corpus *c, const char *path)
{
    struct input in = {.name = strdup(path)};
    FILE *f = fopen(path, "re");

    in.bytes = malloc(INPUT_MAX);
    if (!f || !in.name || !in.bytes)
        die("cannot read", path);
    in.len = fread(in.bytes, 1, INPUT_MAX, f);
    (void)fclose(f);
    c->items[c->count++] = in;
    /* Give back what the file did not need. */
    in.bytes = realloc(in.bytes, MAX(in.len, (size_t)1));
    if (in.bytes)
        c->items[c->count - 1].bytes = in.bytes;
}

static int by_name(const void *va, const void *vb, void *ctx)
{
    const struct input *a = va, *b = vb;

    (void)ctx;
    return strcmp(a->name, b->name);
}

static void load_dir(struct corpus *c, const char *target)
{
    const char *root = getenv("REEVE_ROOT");
    char dir[4096], path[8192];
    struct dirent *entry;
    struct stat st;
    DIR *d;

    (void)snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", root ? root : ".", target);
    d = opendir(dir);
    if (!d)
        die("cannot open the corpus", dir);
    while ((entry = readdir(d)) && c->count < FILES_MAX) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] != '.' && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            load(c, path);
    }
    (void)closedir(d);
    /* The order of a directory is the file system's; ours must not be. */
    if (sort_items(c->items, c->count, sizeof(c->items[0]), by_name, NULL) < 0)
        die("out of memory for", dir);
}

/* ---- mutations: each changes bytes[0..len) in place and returns the new length, at most INPUT_MAX
 * --- */

static size_t flip_bit(uint8_t *bytes, size_t len, uint64_t *rng)
{
    if (len > 0)
        bytes[below(rng, len)] ^= (uint8_t)(1u << below(rng, 8));
    return len;
}

static size_t set_byte(uint8_t *bytes, size_t len, uint64_t *rng)
{
    /* Bytes that mean something to most parsers here. */
    static const uint8_t telling[] = {0,   0xFF, 0x7F, 0x80, '"', '\\', '{', '}',  '[',  ']',
                                      ':', ',',  '-',  '0',  '9', 'e',  '.', ' ',  '\n', '(',
                                      ')', '\'', '#',  '*',  '/', '%',  '=', 0xC0, 0xED, 0xF4};

    if (len > 0)
        bytes[below(rng, len)] = telling[below(rng, sizeof(telling))];
    return len;
}

static size_t truncate_at(uint8_t *bytes, size_t len, uint64_t *rng)
{
    (void)bytes;
    return below(rng, len + 1);
}

static size_t cut_out(uint8_t *bytes, size_t len, uint64_t *rng)
{
    size_t from = below(rng, len), n = below(rng, MIN(len - from, (size_t)64) + 1);

    memmove(bytes + from, bytes + from + n, len - from - n);
    return len - n;
}

static size_t duplicate(uint8_t *bytes, size_t len, uint64_t *rng)
{
    size_t from = below(rng, len), n = below(rng, MIN(len - from, (size_t)256) + 1);

    if (len + n > INPUT_MAX)
        return len;
    memmove(bytes + from + n, bytes + from, len - from);
    return len + n;
}

static size_t (*const mutations[])(uint8_t *bytes, size_t len, uint64_t *rng) = {
    flip_bit, set_byte, truncate_at, cut_out, duplicate,
};

/* The head of this input and the tail of another. */
static size_t splice(const struct corpus *c, uint8_t *bytes, size_t len, uint64_t *rng)
{
    const struct input *other = &c->items[below(rng, c->count)];
    size_t head = below(rng, len + 1), from = below(rng, other->len + 1);
    size_t n = MIN(other->len - from, INPUT_MAX - head);

    memcpy(bytes + head, other->bytes + from, n);
    return head + n;
}

static size_t mutate(const struct corpus *c, const struct input *in, uint8_t *bytes, uint64_t *rng)
{
    size_t len = in->len, rounds = 1 + below(rng, 4);

    memcpy(bytes, in->bytes, len);
    for (size_t i = 0; i < rounds; i++) {
        size_t pick = below(rng, ARRAY_LEN(mutations) + 1);
        if (pick == ARRAY_LEN(mutations))
            len = splice(c, bytes, len, rng);
        else
            len = mutations[pick](bytes, len, rng);
    }
    return len;
}

static uint64_t number_from(const char *variable, uint64_t dflt)
{
    const char *text = getenv(variable);
    uint64_t v = dflt;

    if (text && num_u64(str_of(text), &v) < 0)
        die("not a number:", variable);
    return v;
}

static unsigned long run(const struct corpus *c, uint64_t seed, uint64_t count)
{
    uint8_t *guard = make_guard(), *bytes = malloc(INPUT_MAX);
    unsigned long fed = 0;

    if (!bytes)
        die("out of memory for", "inputs");
    now.seed = seed;
    for (size_t i = 0; i < c->count; i++) {
        uint64_t rng = seed + i;
        now.name = c->items[i].name;
        for (now.mutation = 0; now.mutation <= count; now.mutation++, fed++) {
            size_t len = c->items[i].len;
            if (now.mutation == 0)
                memcpy(bytes, c->items[i].bytes, len);
            else
                len = mutate(c, &c->items[i], bytes, &rng);
            feed(guard, bytes, len);
        }
    }
    free(bytes);
    return fed;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/'), *program = slash ? slash + 1 : argv[0];
    const char *target = strncmp(program, "fuzz_", 5) == 0 ? program + 5 : program;
    struct corpus c = {.items = calloc(FILES_MAX + (size_t)argc, sizeof(*c.items))};
    uint64_t count = number_from("REEVE_FUZZ_COUNT", 300);
    unsigned long fed;

    if (!c.items)
        die("out of memory for", target);
    watch_crashes();
    for (int i = 1; i < argc; i++)
        load(&c, argv[i]);
    if (argc == 1)
        load_dir(&c, target);
    if (c.count == 0)
        die("the corpus is empty:", target);
    fed = run(&c, number_from("REEVE_FUZZ_SEED", 1), argc == 1 ? count : 0);
    printf("1..1\nok 1 - fuzz %s: %lu inputs\n", target, fed);
    for (size_t i = 0; i < c.count; i++) {
        free(c.items[i].name);
        free(c.items[i].bytes);
    }
    free(c.items);
    return 0;
}
