/*
 * tables.h: what each kind of definition may hold: the rows of bind.h, and what must hang together within one.
 */
#ifndef REEVE_POLICY_TABLES_H
#define REEVE_POLICY_TABLES_H

#include "policy/bind.h"

enum tables_ref { /* what a text names; bind_row.ref */
    REF_NONE,
    REF_TENANT,
    REF_TEAM,
    REF_MODEL,
    REF_WORKFLOW,
    REF_TOOL, /* a pattern: server/tool */
};

extern const struct bind_table tables_workflow, tables_server, tables_model, tables_tenant, tables_team,
    tables_person, tables_access;

/* "server/pattern": the two parts, borrowed; false if it is not that. */
bool tables_tool_split(struct str pattern, struct str *ret_server, struct str *ret_tool);

#endif
