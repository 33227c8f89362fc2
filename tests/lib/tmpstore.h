/*
 * tmpstore.h: a store in a directory of its own, for tests. Whatever goes wrong in here fails the test.
 */
#ifndef REEVE_TESTS_TMPSTORE_H
#define REEVE_TESTS_TMPSTORE_H

#include "tests/lib/cm.h"

#include "policy/text/arena.h"
#include "supervisor/store/store.h"

struct tmpstore {
    char dir[128];
    struct store *store; /* NULL while closed */
    struct arena arena;
    struct err err;
};

/* 0 or more is wanted; the error's text is shown otherwise. */
#define must_ok(t, call)                                                                          \
    do {                                                                                          \
        int r_ = (call);                                                                          \
        if (r_ < 0) {                                                                             \
            print_error("%s: %d %s\n", #call, r_, (t)->err.text);                                 \
            fail();                                                                               \
        }                                                                                         \
    } while (0)
#define must_fail(t, call, want)                                                                \
    do {                                                                                          \
        int r_ = (call);                                                                          \
        if (r_ != -(want) || (t)->err.number != (want)) {                                     \
            print_error("%s: %d %s\n", #call, r_, (t)->err.text);                                 \
            fail();                                                                               \
        }                                                                                         \
    } while (0)

struct tmpstore *tmpstore_new(void); /* made and open */
void tmpstore_free(struct tmpstore *t);
void tmpstore_close(struct tmpstore *t);
void tmpstore_open(struct tmpstore *t);
void tmpstore_reopen(struct tmpstore *t); /* commits before */
extern const struct store_options tmpstore_options;

/* As cmocka's setup and teardown: *state is the tmpstore. */
int tmpstore_setup(void **state);
int tmpstore_teardown(void **state);
#define store_test(fn) cmocka_unit_test_setup_teardown(fn, tmpstore_setup, tmpstore_teardown)

/* The path of a file in the directory; the oldest of four results is overwritten. */
const char *tmpstore_path(const struct tmpstore *t, const char *name);
/* Bytes of all pages that are in use, log included. */
int64_t tmpstore_bytes(struct tmpstore *t);
/* Runs SQL on the closed store through a connection of its own: as a hand, or a disk, that does damage. */
void tmpstore_sql(struct tmpstore *t, const char *sql);
int64_t tmpstore_number(struct tmpstore *t, const char *sql);
void remove_dir(const char *dir);

/* A run with steps to hang things on. */
int64_t tmpstore_run(struct tmpstore *t, const char *workflow);
struct store_step tmpstore_step(int64_t run, int64_t seq);
int64_t tmpstore_doc(struct tmpstore *t, struct str text);

#endif
