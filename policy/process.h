/*
 * process.h: a definition's process as a start request: what a workflow or a tool server asks of reeve-spawn.
 * Pure; key and user id are the caller's to set.
 */
#ifndef REEVE_POLICY_PROCESS_H
#define REEVE_POLICY_PROCESS_H

#include "policy/house.h"
#include "sandbox/start.h"

/* The worker of a workflow. `agent_program`: path of reeve-worker, for workflows with the built-in loop. Strings
 * are borrowed from the workflow and agent_program. */
void process_of_workflow(const struct workflow *w, const char *agent_program, struct start_request *ret);
/* The built-in loop's process without a workflow's limits. */
void process_of_agent(const char *agent_program, struct start_request *ret);
void process_of_server(const struct server *s, struct start_request *ret);
void process_limits(const struct house_resources *h, struct start_limits *ret);

#endif
