/*
 * offers.h: the MCP surface that a worker sees: one server with the tools that its run is offered.
 * Both eras (2026-07-28 and the older handshake).
 */
#ifndef REEVE_SUPERVISOR_OFFERS_H
#define REEVE_SUPERVISOR_OFFERS_H

#include "supervisor/steps.h"

wire_handler offers_discover, offers_initialize, offers_ignore, offers_ping, offers_empty_list;

/* "server/tool" for a name on the worker's surface ("server.tool"); a name that is not offered comes back as
 * it is. In the arena; {NULL, 0} when out of memory. */
struct str offers_key(const struct run *r, struct str name, struct arena *a);
bool offers_has(const struct run *r, struct str key);
/* tools/list as a step. */
extern const struct step_kind_ops offers_list_ops;

#endif
