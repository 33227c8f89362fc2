/*
 * seccomp.h: the system call filters, one a set of rows in profiles.def, and what a refused call is
 * answered. Built by libseccomp once in reeve-spawn (INV-01: deny is the default, always).
 *
 * What is not allowed goes to reeve-spawn as a notification, which names it (trap 10: decided by number
 * alone; pointers are for the log). A lost listener makes the kernel answer ENOSYS: still refused.
 */
#ifndef REEVE_SANDBOX_SECCOMP_H
#define REEVE_SANDBOX_SECCOMP_H

#include <linux/filter.h>

#include "policy/text/buf.h"
#include "policy/text/err.h"

enum seccomp_set {
    SECCOMP_STRICT,
    SECCOMP_PROGRAM,
    SECCOMP_NODE,
    SECCOMP_PYTHON,
    SECCOMP_TOOL,
    SECCOMP_TOOL_NET,
    SECCOMP_HELPER,
    SECCOMP_HELPER_NET,
    SECCOMP_SET_COUNT
};
const char *seccomp_set_name(enum seccomp_set set); /* "strict", "tool+network" */

struct seccomp_program {
    struct sock_filter *code; /* owned */
    unsigned short count;
};
/* `named` false: for kernels without user notification there is no start, so this is for measuring only:
 * what would be told kills the process. */
int seccomp_set_build(enum seccomp_set set, bool named, struct seccomp_program *ret, struct err *err) NODISCARD;
void seccomp_program_release(struct seccomp_program *p);

struct seccomp_answer {
    bool kills;
    int number; /* errno where it does not */
};
/* What a notified call is answered. Calls newer than any table: ENOSYS, as an old kernel would say. */
struct seccomp_answer seccomp_set_answer(enum seccomp_set set, int call);

#define SECCOMP_NAME_MAX 32
/* "openat", or "call-471" for one that has no name here. */
void seccomp_call_name(int call, char name[SECCOMP_NAME_MAX]);
/* The rows as people read them: groups with their reasons. */
void seccomp_set_put(enum seccomp_set set, struct buf *out);
/* How many calls are allowed, whatever or depending on arguments. */
unsigned seccomp_set_allowed(enum seccomp_set set);

#endif
