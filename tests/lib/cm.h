/*
 * cm.h: cmocka with the headers that it wants in front, and asserts for our own types.
 */
#ifndef REEVE_TESTS_CM_H
#define REEVE_TESTS_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/text/str.h"

/* A struct str against a C string; both are shown when they differ. */
#define assert_str(got, want)                                                  \
    do {                                                                       \
        struct str got_ = (got);                                               \
        const char *want_ = (want);                                            \
        if (!str_is(got_, want_)) {                                            \
            print_error("got  \"%.*s\"\nwant \"%s\"\n", STR_FMT(got_), want_); \
            fail();                                                            \
        }                                                                      \
    } while (0)

/* In a table: which row failed. */
#define assert_row(cond, i, ...)                   \
    do {                                           \
        if (!(cond)) {                             \
            print_error("row %zu: ", (size_t)(i)); \
            print_error(__VA_ARGS__);              \
            print_error("\n");                     \
            fail_msg("%s", #cond);                 \
        }                                          \
    } while (0)

#endif
