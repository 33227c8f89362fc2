/*
 * tool.h: `reeve sandbox run`, `explain`, `learn`, as functions. They start a reeve-spawn of their own,
 * with the caller's privilege, and end it when the command has ended.
 */
#ifndef REEVE_SANDBOX_TOOL_H
#define REEVE_SANDBOX_TOOL_H

#include "policy/text/buf.h"
#include "sandbox/start.h"

struct sandbox_command {
    const char *spawn_program;   /* absolute path of reeve-spawn; NULL: beside the running program */
    struct start_request request; /* key, channel and stdio are set here. A program name without '/' is
                                     looked up in PATH first by sandbox_find_program */
    bool json;                   /* explain: JSON instead of text */
};

/* Absolute path of a command as a shell would find it. */
int sandbox_find_program(const char *name, char *ret, size_t size, struct err *err) NODISCARD;

/* Runs it behind its walls with the caller's descriptors 0, 1, 2 copied through pipes (no terminal gets
 * in). Denied calls are told on descriptor 2. *ret_status as a shell's: the exit status, or 128 + signal. */
int sandbox_run(const struct sandbox_command *c, int *ret_status, struct err *err) NODISCARD;
/* What would be done, without doing it: the plan for this host, every layer in its order. */
int sandbox_explain(const struct sandbox_command *c, struct buf *out, struct err *err) NODISCARD;
/* Runs it with the same walls, but lets the refused system calls through (as the caller, not as a
 * confined process: for programs one trusts), and lists those that the profile lacks. */
int sandbox_learn(const struct sandbox_command *c, struct buf *out, int *ret_status, struct err *err) NODISCARD;

#endif
