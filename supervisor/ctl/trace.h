/*
 * trace.h: a run as a person reads it: a tree of steps with times, tokens, cost, decisions and who approved.
 * Pure: the API's JSON (view_trace's shape) in, text out. Everything in it is foreign.
 */
#ifndef REEVE_CTL_TRACE_H
#define REEVE_CTL_TRACE_H

#include "supervisor/ctl/style.h"

#define TRACE_DEPTH_MAX 8 /* child runs within child runs that are drawn */

/* trace: GET /v1/runs/{run}/trace. details: GET /v1/runs/{run} for its result and open gates; NULL: without. */
void trace_put(const struct json *trace, const struct json *details, const struct style *s,
               struct buf *out);
/* One step on one line, without the tree: for `run follow`. began_ms: of the run, 0: no offset is shown. */
void trace_put_step_line(const struct json *step, int64_t began_ms, const struct style *s,
                         struct buf *out);
/* The first lines of `run trace` and `run show`: what, who, when, how much. */
void trace_put_head(const struct json *run, const struct style *s, struct buf *out);
/* What both files of the drawing use: "waiting for approval", " in 1m12s"; the dot between parts. */
void trace_put_state(const struct json *run, const struct style *s, struct buf *out);
const char *trace_dot(const struct style *s);

#endif
