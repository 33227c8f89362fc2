/*
 * fuzz_doc.c: whatever text is put comes back to the byte, as often as it is put, and goes without
 * a trace when what refers to it goes.
 */
#include <stdio.h>
#include <unistd.h>

#include "policy/text/arena.h"
#include "supervisor/store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    char dir[64];
    struct store *store;
    struct arena arena;
    struct store_run run;
    unsigned count;
} lab;

static void check(bool ok, const struct err *err)
{
    if (!ok) {
        (void)fprintf(stderr, "fuzz_doc: %s\n", err->text);
        __builtin_trap();
    }
}

static void tidy(void)
{
    static const char *const names[] = {"reeve.db", "reeve.db-wal", "reeve.db-shm", "reeve.lock"};
    char path[128];
    store_close(lab.store);
    arena_release(&lab.arena);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", lab.dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(lab.dir);
}

static void begin(void)
{
    struct err err = ERR_INIT;
    struct store_options o = {.create = true, .mode = 0600, .group = (gid_t)-1};
    struct store_run run = {.tenant = STR("t"), .workflow = STR("w"), .next_seq = 1};
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(lab.dir, sizeof(lab.dir), "%s/reeve-fuzz.XXXXXX", base);
    check(mkdtemp(lab.dir) != NULL, &err);
    arena_init(&lab.arena, (size_t)64 << 20);
    check(store_open(lab.dir, &o, &lab.store, &err) >= 0, &err);
    check(store_run_add(lab.store, &run, &run.id, &err) >= 0, &err);
    lab.run = run;
    (void)atexit(tidy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = ERR_INIT;
    struct str text = {(const char *)data, size}, got;
    int64_t docs[2];
    if (lab.store == NULL)
        begin();
    for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
        check(store_doc_put(lab.store, text, &docs[i], &err) >= 0, &err);
        check(store_doc_get(lab.store, docs[i], &lab.arena, &got, &err) >= 0, &err);
        check(str_eq(got, text), &err);
    }
    /* The second one stays whole when the first one goes. */
    for (size_t i = 0; i <= ARRAY_LEN(docs); i++) {
        lab.run.result_doc = i < ARRAY_LEN(docs) ? docs[i] : 0;
        check(store_run_update(lab.store, &lab.run, &err) >= 0, &err);
        if (i == 1) {
            check(store_doc_get(lab.store, docs[1], &lab.arena, &got, &err) >= 0, &err);
            check(str_eq(got, text), &err);
        }
        if (i > 0)
            check(store_doc_get(lab.store, docs[i - 1], &lab.arena, &got, &err) == -ENOENT, &err);
    }
    if (++lab.count % 256 == 0)
        check(store_commit(lab.store, &err) >= 0, &err);
    arena_reset(&lab.arena);
    return 0;
}
