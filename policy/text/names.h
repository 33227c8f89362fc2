/*
 * names.h: which names may be used for what. Checked where a name enters, so that nothing behind needs
 * to quote or escape one.
 */
#ifndef REEVE_TEXT_NAMES_H
#define REEVE_TEXT_NAMES_H

#include "policy/text/str.h"

#define NAME_MAX_BYTES 63

/* Workflows, teams, tenants, servers, model routes, people: `[a-z0-9]([a-z0-9._-]*[a-z0-9])?`, 1-63 bytes. */
bool name_is_ok(struct str s);
/* Tools, as MCP has it (2026-07-28): 1-128 of [A-Za-z0-9_.-]. */
bool name_is_tool(struct str s);
/* Environment variables: [A-Za-z_][A-Za-z0-9_]*, 1-128. */
bool name_is_env(struct str s);
/* W3C trace context: 32 lower-case hex digits, not all zero / 16 likewise. */
bool name_is_trace_id(struct str s);
bool name_is_span_id(struct str s);

/* What a person reads in an error: "1 to 63 of a-z 0-9 . _ -, beginning and ending with a letter or digit". */
extern const char name_rule_text[];
extern const char name_tool_rule_text[];

#endif
