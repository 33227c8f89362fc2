/*
 * view.h: what people see of the store, as JSON. The read-only side: reeve-control runs it as a user that can
 * read the store's files and nothing more. Every call is one short read transaction of its own, so it sees
 * one state of the world and never holds up the writer.
 *
 * Each function writes exactly one JSON object through `out` (after jout_begin, or as a member's value).
 * After a failure the output may hold half of it: throw it away. Errors: -ENOENT no such row (before a byte
 * was written), -EINVAL a filter or cursor that is none (the text says what would be right), -EBUSY,
 * -EUCLEAN damaged page, -EIO, -ENOMEM.
 *
 * Shapes. Times are RFC 3339 strings, null when not yet. "cost" is a number in whole units of money.
 *  RUN   {run, tenant, workflow, version(hex), state, wait, wakeAt, reason (of a queued one: what holds it), key, parent:{run,step}|null, depth, traceId,
 *         mode, origin:{run,step}|null (what it was forked from, or goes over),
 *         attempt, failures, cancel, createdAt, startedAt, endedAt, event:{id,source,eventId,type,subject},
 *         steps, toolCalls, modelCalls, inputTokens, outputTokens, cost}
 *  STEP  {run, seq, kind, key, occurrence, state, attempt, tries, error(bool), reason, askedAt, beganAt, endedAt,
 *         ms(began to ended)|null, wakeAt, child:id|null, approval:id|null, decision:id|null,
 *         inputTokens, outputTokens, cost, info:{}}
 *  DECISION {id, run, seq, ask, allow, policy(hex), policies:[], errors:[], at}
 *  VOTE  {uid, user, approve, comment, at}
 *  APPROVAL {approval, run, step, kind, state, what, arguments(as shown to people), tool(hex), argumentsDigest(hex),
 *         policy(hex), approvers:[], quorum, createdAt, expiresAt, decidedAt, outcome, workflow, tenant, runState,
 *         votes:[VOTE]}
 *  DOC   the document itself; where it is longer than VIEW_DOC_BYTES and was not asked for whole, or is no JSON that
 *         can stand here: {"$cut":{"bytes":N,"text":"the first 2 KiB"}}
 */
#ifndef REEVE_STORE_VIEW_H
#define REEVE_STORE_VIEW_H

#include "policy/text/jout.h"

#define VIEW_DOC_BYTES ((size_t)64 << 10)
#define VIEW_LIMIT_MAX 500 /* rows a page; 0 asks for VIEW_LIMIT, more is cut to the maximum */
#define VIEW_LIMIT     50

struct view;

/* dir holds "reeve.db" of a store that a reeved has opened at least once. No file is opened after this call,
 * so that the process may shut its door behind it. -ENOENT, -EACCES, -EPROTO (another schema than ours). */
int view_open(const char *dir, struct view **ret, struct err *err) NODISCARD;
void view_close(struct view *v); /* NULL is fine */

struct view_runs {
    struct str state;    /* "": all; a run state's name; "live" or "final" */
    struct str wait;     /* "" or a wait's name: only waiting runs of that kind */
    struct str workflow; /* "": all */
    struct str tenant;   /* "": all */
    int limit;
    struct str cursor;   /* "" or "next" of the page before */
};
/* {"runs":[RUN...], "next":cursor|null}, newest first */
int view_runs(struct view *v, const struct view_runs *f, struct jout *out, struct err *err) NODISCARD;
/* RUN + {nextSeq, checkpoint:{seq, state:DOC}|null, result:DOC|null, approvals:[open APPROVALs], children:[ids],
 *        event: + {envelope, receivedAt}} */
int view_run(struct view *v, int64_t run, struct jout *out, struct err *err) NODISCARD;
/* {"run":id, "state":..., "steps":[STEP...], "next":seq|null}: rising, seq > after_seq */
int view_steps(struct view *v, int64_t run, int64_t after_seq, int limit, struct jout *out, struct err *err) NODISCARD;
/* STEP + {requestDigest, seen, request:DOC, outcome:DOC|null, decisions:[DECISION...], approvals:[APPROVAL...]} */
int view_step(struct view *v, int64_t run, int64_t seq, bool whole, struct jout *out, struct err *err) NODISCARD;
/* {"run":RUN, "attempts":[{attempt, steps, firstAt, lastAt}], "steps":[STEP + {allow:bool|null, ask, policies:[],
 *   gate:{state, quorum, votes:[VOTE]}|null, trace: this same object for a child run}], "log":[{at,level,unit,text}],
 *   "logDropped":n, "cut":bool}. At most VIEW_TRACE_STEPS steps and VIEW_TRACE_RUNS runs, VIEW_TRACE_DEPTH deep. */
#define VIEW_TRACE_STEPS 2000
#define VIEW_TRACE_RUNS  100
#define VIEW_TRACE_DEPTH 6
int view_trace(struct view *v, int64_t run, struct jout *out, struct err *err) NODISCARD;

/* Two runs side by side, in the order of both: {"a":RUN, "b":RUN, "same":bool (steps, state and result), "sameResult":bool,
 *  "steps":[{a:seq|null, b:seq|null, kind, key, same:bool, moved:bool, differs:[of "request" "state" "outcome"]}],
 *  "first":{index, a:STEP + {request:DOC, outcome:DOC|null}|null, b:likewise}|null, "cut":bool}. A step has the other's as
 *  its like when kind, key and request are the same; between such pairs, kind and key. moved: at
 *  another place, which is no difference: steps that go side by side come in any order. At most VIEW_DIFF_STEPS of each. */
#define VIEW_DIFF_STEPS 2000
int view_diff(struct view *v, int64_t a, int64_t b, struct jout *out, struct err *err) NODISCARD;

/* {"log":[{line, at, level, unit, text}], "next":line|null}: lines of the run's log above `after`, rising */
int view_log(struct view *v, int64_t run, int64_t after, int limit, struct jout *out, struct err *err) NODISCARD;

struct view_approvals {
    struct str state; /* "": all; an approval state's name */
    int64_t run;      /* 0: of all */
    int limit;
    struct str cursor;
};
/* {"approvals":[APPROVAL...], "next":cursor|null}, newest first */
int view_approvals(struct view *v, const struct view_approvals *f, struct jout *out, struct err *err) NODISCARD;
int view_approval(struct view *v, int64_t id, struct jout *out, struct err *err) NODISCARD; /* APPROVAL */

/* {"workflows":[{workflow, version(hex), since, versions, runs:{queued:n, ..., dead:n}}]} */
int view_workflows(struct view *v, struct jout *out, struct err *err) NODISCARD;
/* {"records":[{id, at, actor, action, subject, detail:{}, digest(hex)}], "next":id|null}: rising, id > after */
int view_audit(struct view *v, int64_t after, int limit, struct jout *out, struct err *err) NODISCARD;
/* {"usage":[{tenant, workflow, route, day:"2026-11-23", calls, inputTokens, outputTokens, cost}],
 *  "total":{calls, inputTokens, outputTokens, cost}}; tenant "": all; at most 10,000 rows, newest day first */
int view_usage(struct view *v, struct str tenant, int64_t from_day, struct jout *out, struct err *err) NODISCARD;
/* {"run":id, "seq":n, "decisions":[DECISION + {facts:DOC (whole)}]} in the order they were made; seq 0: those
 * of the run itself (its start) */
int view_explain(struct view *v, int64_t run, int64_t seq, struct jout *out, struct err *err) NODISCARD;
/* {"decisions":[DECISION + {facts:DOC (whole)}], "next":id|null}: rising, id > after, made at or after since_ms; for
 * deciding them again against another set */
int view_decisions(struct view *v, int64_t since_ms, int64_t after, int limit, struct jout *out, struct err *err) NODISCARD;
/* {"digest", "set":{dir, defs, files}}: the texts of a policy set that was in force; digest in hex */
int view_policy(struct view *v, struct str digest, struct jout *out, struct err *err) NODISCARD;
/* {"differences":[{ask, tenant, workflow, allow (the shadow's word), policies, policiesInForce, count, lastRun, lastSeq,
 *  lastAt}]}: where the shadow set decided otherwise since then, most frequent first */
int view_shadow(struct view *v, int64_t since_ms, struct jout *out, struct err *err) NODISCARD;
/* {"workflow", "installed":hex|null (by the files), "pinned":hex|null (rolled back to), "pinnedBy", "pinnedAt",
 *  "versions":[{version, firstAt, installed, current, live (runs that have not ended)}]}: newest first, at most 1,000 */
int view_versions(struct view *v, struct str workflow, struct jout *out, struct err *err) NODISCARD;
/* {"workflow", "version", "firstAt", "definition":{workflow, model?, servers[]}}; `prefix`: 4 hex digits or more */
int view_version(struct view *v, struct str workflow, struct str prefix, struct jout *out, struct err *err) NODISCARD;
/* {"switches":[{scope, name, state, who, why, at, ending}]}, the widest first; paused runs among them */
int view_switches(struct view *v, struct jout *out, struct err *err) NODISCARD;
/* {"runs":{queued:n, ..., dead:n}, "waiting":{timer:n, ...}, "approvalsOpen":n, "storeBytes":n} */
int view_counts(struct view *v, struct jout *out, struct err *err) NODISCARD;

#endif
