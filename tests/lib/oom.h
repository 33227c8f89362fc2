/*
 * oom.h: allocation N fails. The programs of tests/fault are linked so that malloc and its kin,
 * where our own code calls them, come here first (see the Makefile); the C library's and other
 * libraries' own calls do not.
 */
#ifndef REEVE_TESTS_OOM_H
#define REEVE_TESTS_OOM_H

#include "policy/text/base.h"

/*
 * Runs `pass` with allocation 1, 2, 3... failing, each once alone and once with all behind it,
 * until it passes untouched. A pass that was made to fail must return -ENOMEM, the last one 0, and
 * each must have freed what it allocated; otherwise the cmocka test fails. Returns how many
 * allocations there are.
 */
size_t oom_walk(int (*pass)(void *ctx), void *ctx);

#endif
