/*
 * store.h: all that must outlive a process, in the runtime's words. reeved is its one writer.
 *
 * SQLite behind it (WAL, synchronous=FULL, STRICT tables); no SQL and no sqlite3 type crosses this
 * header. A change opens a transaction if none is open; nothing is durable before store_commit(). The
 * supervisor commits once a loop pass and lets messages leave only after that (INV-04, INV-07).
 *
 * Times are ms since 1970. Money is micro units (1,000,000 = 1.00). Texts are UTF-8. Reads fill strings
 * from the caller's arena; a row that a callback gets is borrowed until it returns, and the callback may use
 * the store, this list included. A change that is refused (-EEXIST, -ENOENT, -EINVAL) leaves the transaction
 * open. Errors: -EIO and -ENOSPC (and a failed commit) mean that the writer must stop:
 * store_is_broken() is true from then on and every call fails; the process ends and starts anew from
 * what is on disk.
 */
#ifndef REEVE_STORE_STORE_H
#define REEVE_STORE_STORE_H

#include "policy/text/digest.h"
#include "policy/text/err.h"

struct store;

struct store_options {
    bool create;           /* make it when absent */
    bool check_integrity;  /* PRAGMA integrity_check at open: -EUCLEAN with the first finding */
    mode_t mode;           /* of the files: 0640, so that the control helper's group reads */
    gid_t group;           /* (gid_t)-1: leave */
};

/* dir holds "reeve.db". A lock beside it keeps out a second reeved: -EBUSY with the holder's pid. A newer
 * schema than ours is -EPROTO with both numbers; an older one is migrated forward in one transaction
 * after a copy "reeve.db.vN" was made. */
int store_open(const char *dir, const struct store_options *o, struct store **ret, struct err *err) NODISCARD;
void store_close(struct store *s); /* NULL is fine; rolls back what was not committed */
int store_commit(struct store *s, struct err *err) NODISCARD; /* nothing open: 0 at once */
void store_rollback(struct store *s);
/* A place in the open change to return to: store_undo() takes back what came after the mark, store_keep() keeps it.
 * One of the two follows; marks do not nest. */
int store_mark(struct store *s, struct err *err) NODISCARD;
int store_keep(struct store *s, struct err *err) NODISCARD;
int store_undo(struct store *s, struct err *err) NODISCARD;
bool store_is_dirty(const struct store *s);
bool store_is_broken(const struct store *s);
/* Copy of what is committed now to a new file (must not exist) while the store is in use, in pieces: fsynced, and
 * checked before it has its name. A step takes about `pages` pages: 1: go on; 0: the file is there; a failure is the
 * end. Free in any case, before the store is closed; a copy that is not done is removed. */
struct backup;
int store_backup_begin(struct store *s, const char *file, struct backup **ret, struct err *err) NODISCARD;
int store_backup_step(struct backup *b, int pages, struct err *err) NODISCARD;
void store_backup_free(struct backup *b); /* NULL is fine */
/* All of it at once. */
int store_backup(struct store *s, const char *file, struct err *err) NODISCARD;
struct store_stats { uint64_t file_bytes, wal_bytes; int64_t commits, rows_written; int schema; };
void store_stats(struct store *s, struct store_stats *ret);

/* ---- texts ------------------------------------------------------------------------------------ */

/* Content-addressed, stored once, compressed (zstd) when that is smaller. What is put here by name of its
 * digest stays; retention takes documents, with the last row that refers to them. */
int store_blob_put(struct store *s, struct str text, struct digest *ret, struct err *err) NODISCARD;
int store_blob_get(struct store *s, const struct digest *d, struct arena *a, struct str *ret, struct err *err) NODISCARD;
/* A document: JSON text that may hold a conversation ("messages":[...] or "input":[...] at the top or one
 * level down). Its items are kept as a chain that later documents share, so a conversation of n turns costs
 * O(n). Comes back to the byte. Text without such an array, or with white space in it, is one blob. */
int store_doc_put(struct store *s, struct str text, int64_t *ret_doc, struct err *err) NODISCARD;
int store_doc_get(struct store *s, int64_t doc, struct arena *a, struct str *ret, struct err *err) NODISCARD;
/* The request or the outcome of a step: a short text stands in the step's own row (*ret_doc is
 * STORE_DOC_INLINE then, *ret_text borrows text), any other becomes a document (*ret_text is empty). */
#define STORE_DOC_INLINE (-1)
#define STORE_INLINE_MAX 256
int store_text_put(struct store *s, struct str text, int64_t *ret_doc, struct str *ret_text, struct err *err) NODISCARD;
int store_text_get(struct store *s, int64_t doc, struct str text, struct arena *a, struct str *ret, struct err *err) NODISCARD;

/* ---- what was installed ------------------------------------------------------------------------ */

/* Each is put once by digest; putting it again changes nothing. */
int store_policy_put(struct store *s, const struct digest *d, struct str text, int64_t at_ms, struct err *err) NODISCARD;
int store_policy_get(struct store *s, const struct digest *d, struct arena *a, struct str *ret, struct err *err) NODISCARD;
int store_version_put(struct store *s, const struct digest *d, struct str workflow, struct str text, int64_t at_ms, struct err *err) NODISCARD;
int store_version_get(struct store *s, const struct digest *d, struct arena *a, struct str *ret, struct err *err) NODISCARD;
/* What the files make of a workflow, and the older version that new runs take instead of it. */
struct store_workflow {
    struct str name;
    bool is_installed, is_pinned;
    struct digest installed, pinned; /* zero where not */
    int64_t installed_ms, pinned_ms;
    struct str pinned_who;
};
int store_workflow_get(struct store *s, struct str name, struct arena *a, struct store_workflow *ret, struct err *err) NODISCARD; /* -ENOENT */
int store_workflow_put(struct store *s, const struct store_workflow *w, struct err *err) NODISCARD;
typedef int store_workflow_fn(void *arg, const struct store_workflow *w);
int store_workflows(struct store *s, store_workflow_fn *fn, void *arg, struct err *err);
/* The one version of a workflow whose digest begins so (hex, 4 digits or more): -ENOENT; -EINVAL, also when several do. */
int store_version_find(struct store *s, struct str workflow, struct str prefix, struct digest *ret, struct err *err) NODISCARD;
/* Which version new runs of a workflow take; its changes are kept with their times. */
int store_version_current(struct store *s, struct str workflow, const struct digest *d, int64_t at_ms, struct err *err) NODISCARD;

/* ---- events ------------------------------------------------------------------------------------ */

struct store_event { /* a CloudEvents 1.0 envelope */
    int64_t id;          /* ours; set by store_event_add */
    struct str source, event_id; /* together the deduplication key */
    struct str type, subject;
    struct str envelope; /* the whole event, JSON text */
    int64_t received_ms;
};
/* A second one with the same source and id: *ret_duplicate true and *ret_id the first one's. */
int store_event_add(struct store *s, const struct store_event *e, int64_t *ret_id, bool *ret_duplicate, struct err *err) NODISCARD;
int store_event_find(struct store *s, struct str source, struct str event_id, int64_t *ret_id, struct err *err) NODISCARD; /* 1: there is one; 0 */
int store_event_get(struct store *s, int64_t id, struct arena *a, struct store_event *ret, struct err *err) NODISCARD;
/* Events of a type received after `after_id`, oldest first, for waits. */
typedef int store_event_fn(void *arg, const struct store_event *e);
int store_events_since(struct store *s, struct str type, int64_t after_id, store_event_fn *fn, void *arg, struct err *err);

/* ---- runs -------------------------------------------------------------------------------------- */

enum run_state { RUN_QUEUED, RUN_STARTING, RUN_RUNNING, RUN_WAITING, RUN_SUCCEEDED, RUN_FAILED,
                 RUN_CANCELLED, RUN_DEAD, RUN_STATE_COUNT };
enum run_wait { WAIT_NONE, WAIT_TIMER, WAIT_EVENT, WAIT_APPROVAL, WAIT_UNKNOWN, WAIT_BUDGET, WAIT_PAUSED,
                WAIT_CHILD, WAIT_RETRY, RUN_WAIT_COUNT };
const char *run_state_name(enum run_state st);
const char *run_wait_name(enum run_wait w);
bool run_state_is_final(enum run_state st);

/* Whether what it asks for may leave. A dry run and a replay are answered from another run's journal. */
enum run_mode { RUN_REAL, RUN_DRY, RUN_REPLAY, RUN_MODE_COUNT };
const char *run_mode_name(enum run_mode m);

struct store_run {
    int64_t id;             /* set by store_run_add; small, rising, for people too: "run 41" */
    struct str tenant, workflow;
    struct digest version;
    int64_t event;          /* store_event.id */
    int64_t parent, parent_step; /* 0: none */
    int depth;              /* 0: started by an event */
    char trace_id[33];
    struct str lane;        /* value of the workflow's key, JSON text; empty: none. Written once */
    bool lane_wait;         /* another run of its lane goes before it: not startable */
    enum run_mode mode;
    int64_t origin, origin_step; /* the run that it was forked from, or goes over, and its first step anew; 0: none */
    char seed[65];          /* of its randomness, when it is that of its origin; empty: its own */
    int64_t clock_ms;       /* likewise when it began, as its worker is told; 0: created_ms */
    enum run_state state;
    enum run_wait wait;
    int64_t wake_ms;        /* when it is to be looked at again; 0: not by time */
    int attempt;            /* of the worker, from 1; 0 before the first */
    int failures;           /* attempts in a row that ended in failure: for back-off */
    int64_t next_seq;       /* of the next step, from 1 */
    int64_t checkpoint_seq; /* steps up to it need no replay; 0: none */
    int64_t checkpoint_doc; /* 0: none */
    bool cancel;            /* asked for */
    struct str reason;      /* why it waits, failed, was cancelled: one line for people */
    int64_t result_doc;     /* 0: none */
    int64_t created_ms, started_ms, ended_ms; /* 0: not yet */
    /* what it has used */
    int64_t steps, tool_calls, model_calls, input_tokens, output_tokens, cost_micro;
    int64_t bytes;          /* on disk, about: its steps, texts, decisions, log; see store_run_taken */
    int64_t failing_ms;     /* since when its attempts have failed without getting further; 0: they do not */
};
/* What was written for the run since this was asked last: texts as they are kept (packed, shared ones once), rows
 * with a flat rate. To be added to `bytes`. run 0: since the last event was added, for a run that is about to be.
 * What no row has named a run for yet counts for the one that is asked about. */
int64_t store_run_taken(struct store *s, int64_t run);
/* The sum of `bytes` by tenant. */
typedef int store_bytes_fn(void *arg, struct str tenant, int64_t bytes);
int store_bytes_by_tenant(struct store *s, store_bytes_fn *fn, void *arg, struct err *err);
int store_run_add(struct store *s, const struct store_run *r, int64_t *ret_id, struct err *err) NODISCARD;
int store_run_get(struct store *s, int64_t id, struct arena *a, struct store_run *ret, struct err *err) NODISCARD; /* -ENOENT */
/* Writes everything but id, tenant, workflow, version, event, parent, trace id, lane, created, and what it was forked from. */
int store_run_update(struct store *s, const struct store_run *r, struct err *err) NODISCARD;
/* Writes what counts alone: next_seq, steps, calls, tokens, cost, bytes. No index is touched. */
int store_run_progress(struct store *s, const struct store_run *r, struct err *err) NODISCARD;
typedef int store_run_fn(void *arg, const struct store_run *r); /* != 0 stops and is returned */
/* states: bits 1u << enum run_state; ids above after_id, rising, at most limit. */
int store_runs(struct store *s, unsigned states, int64_t after_id, int limit, store_run_fn *fn, void *arg, struct err *err);
/* Waiting runs whose wake_ms is set and <= now, earliest first. */
int store_runs_due(struct store *s, int64_t now_ms, int limit, store_run_fn *fn, void *arg, struct err *err);
/* The wall clock was set by so much: what lasts for a span moves with it, so that it lasts no longer and no shorter:
 * steps that wait (but timers for a date: those with an info), pauses before another try, gates, rates, since when
 * attempts fail. Waiting runs are looked at again when the earliest of their steps says. */
int store_clock_shift(struct store *s, int64_t by_ms, struct err *err) NODISCARD;
int store_next_wake(struct store *s, int64_t *ret_ms, struct err *err); /* 0: none */
/* Waiting runs with a wait of this kind (for event waits and start-up). */
int store_runs_waiting(struct store *s, enum run_wait w, int64_t after_id, int limit, store_run_fn *fn, void *arg, struct err *err);
/* Those that an event started. */
int store_runs_of_event(struct store *s, int64_t event, store_run_fn *fn, void *arg, struct err *err);
int store_runs_children(struct store *s, int64_t parent, store_run_fn *fn, void *arg, struct err *err);
/* All but replays, which are nobody's business but their asker's. */
int store_runs_count(struct store *s, int64_t by_state[RUN_STATE_COUNT], struct err *err);

/* ---- queues, stops, rates ------------------------------------------------------------------------ */

/* The first startable run of a workflow's queue: those that began before first, then by id. *ret_id 0: none. */
int store_queue_head(struct store *s, struct str workflow, struct str tenant, int64_t *ret_id, bool *ret_fresh,
                     struct err *err) NODISCARD;
struct store_queue { /* all queued runs of one workflow for one tenant, startable or not */
    struct str workflow, tenant;
    int64_t queued, fresh, lane_waiting, oldest_ms;
};
typedef int store_queue_fn(void *arg, const struct store_queue *q);
int store_queues(struct store *s, store_queue_fn *fn, void *arg, struct err *err); /* looks at every queued run */
/* How many runs hold the lane: not final, and not waiting for it. */
int store_lane_held(struct store *s, struct str workflow, struct str lane, int64_t *ret, struct err *err) NODISCARD;
int store_lane_next(struct store *s, struct str workflow, struct str lane, int64_t *ret_id, struct err *err) NODISCARD; /* 0: none */

/* Starts of a workflow with a rate: at *ret_ms was the n-th last one; 0: there were fewer. */
int store_start_nth(struct store *s, struct str workflow, int64_t n, int64_t *ret_ms, struct err *err) NODISCARD;
int store_start_add(struct store *s, struct str workflow, int64_t at_ms, int64_t keep, struct err *err) NODISCARD;

enum switch_scope { SWITCH_RUN, SWITCH_WORKFLOW, SWITCH_TENANT, SWITCH_ALL, SWITCH_SCOPE_COUNT };
enum switch_state { SWITCH_PAUSED, SWITCH_KILLED, SWITCH_STATE_COUNT };
const char *switch_scope_name(enum switch_scope sc);
const char *switch_state_name(enum switch_state st);
struct store_switch { /* while it is there, nothing of its scope starts */
    enum switch_scope scope;
    struct str name;     /* of the workflow or tenant, the run's number; empty for all */
    enum switch_state state;
    struct str who, why;
    int64_t at_ms;
    int64_t upto, swept; /* killed: runs up to `upto` are to be ended, those up to `swept` are */
};
int store_switch_put(struct store *s, const struct store_switch *w, struct err *err) NODISCARD;
int store_switch_drop(struct store *s, enum switch_scope scope, struct str name, struct err *err) NODISCARD; /* 1: was there */
typedef int store_switch_fn(void *arg, const struct store_switch *w);
int store_switches(struct store *s, store_switch_fn *fn, void *arg, struct err *err);
int store_last_run(struct store *s, int64_t *ret_id, struct err *err) NODISCARD;

/* ---- steps: the journal ------------------------------------------------------------------------- */

enum step_kind { STEP_MODEL, STEP_TOOL, STEP_NAMED, STEP_TIMER, STEP_EVENT_WAIT, STEP_EVENT_EMIT,
                 STEP_CHILD, STEP_APPROVAL, STEP_RETRIEVAL, STEP_KIND_COUNT };
const char *step_kind_name(enum step_kind k);
enum step_state {
    STEP_GATED,     /* waits for an approval; nothing has happened */
    STEP_INTENT,    /* may have left; no outcome yet */
    STEP_COMMITTED, /* outcome recorded: it happened */
    STEP_FAILED,    /* outcome recorded: an error, and known not to need a retry */
    STEP_DENIED,    /* policy or a person said no; nothing happened */
    STEP_UNKNOWN,   /* left, outcome lost: a person decides (INV-06) */
    STEP_OPEN,      /* waiting for its own end: a timer, an event, a child, a named step of the worker's */
    STEP_STATE_COUNT
};
const char *step_state_name(enum step_state st);

struct store_step {
    int64_t run, seq;       /* seq from 1 in order of intent */
    enum step_kind kind;
    struct str key;         /* tool "ledger/pay", route, name of a named step... */
    int occurrence;         /* from 1: which of the same (kind, key, digest) */
    struct digest request;  /* of the canonical request */
    int64_t request_doc;    /* see store_text_put, for outcome_doc too */
    struct str request_text;
    enum step_state state;
    int64_t seen;           /* outcomes that the worker had when it asked */
    int attempt;            /* of the run, when asked */
    int tries;              /* how often it left */
    int64_t outcome_doc;    /* the reply as the worker gets it; 0: none yet */
    struct str outcome_text;
    bool outcome_error;     /* the reply is a JSON-RPC error: outcome_doc holds {code,message,data} */
    struct str reason;      /* one line for people: denial, failure, why unknown */
    int64_t decision;       /* store_decision id; 0: none */
    int64_t approval;       /* approval id; 0: none */
    int64_t asked_ms, began_ms, ended_ms; /* asked, intent committed, outcome; 0: not yet */
    int64_t wake_ms;        /* timers and time-outs; 0: none */
    int64_t child;          /* run id of a child run, event id of an event; 0: none */
    int64_t input_tokens, output_tokens, cost_micro;
    struct str info;        /* small JSON object for the trace: model name, server, tool digest, layers... */
};
int store_step_add(struct store *s, const struct store_step *st, struct err *err) NODISCARD;
/* Writes everything but run, seq, kind, key, occurrence, request and its text, seen, attempt, asked. */
int store_step_update(struct store *s, const struct store_step *st, struct err *err) NODISCARD;
int store_step_get(struct store *s, int64_t run, int64_t seq, struct arena *a, struct store_step *ret, struct err *err) NODISCARD;
typedef int store_step_fn(void *arg, const struct store_step *st);
/* Steps with seq > after_seq, rising. */
int store_steps(struct store *s, int64_t run, int64_t after_seq, store_step_fn *fn, void *arg, struct err *err);
/* All steps of any run in a state (start-up: intents without outcome). */
int store_steps_in_state(struct store *s, enum step_state state, store_step_fn *fn, void *arg, struct err *err);

/* Open steps of a kind and key in runs that are not final, for what has just happened (an event of a type). */
int store_steps_open(struct store *s, enum step_kind kind, struct str key, store_step_fn *fn, void *arg, struct err *err);

/* Open event waits of a type, by bucket: a wait that names a path and a value has a negative number made of
 * them in its `child` while it is open, others have 0. The paths in use for a type are kept, at most
 * STORE_WAIT_PATHS: *ret_known false when there were too many, and the wait belongs into bucket 0. */
#define STORE_WAIT_PATHS     32
#define STORE_WAIT_PATH_SIZE 128 /* bytes of a path, its end included */
struct store_wait_paths { char path[STORE_WAIT_PATHS][STORE_WAIT_PATH_SIZE]; size_t count; };
int store_wait_paths(struct store *s, struct str type, struct store_wait_paths *ret, struct err *err) NODISCARD;
int store_wait_path_put(struct store *s, struct str type, struct str path, bool *ret_known, struct err *err) NODISCARD;
int store_waits_open(struct store *s, struct str type, int64_t bucket, store_step_fn *fn, void *arg, struct err *err);

/* ---- decisions and approvals -------------------------------------------------------------------- */

struct store_decision {
    int64_t run, seq;       /* 0 where there is none */
    struct str ask;         /* "call:ledger/pay", "propose:...", "start", "infer" */
    bool allow;
    struct digest policy;   /* of the set */
    struct str reasons, errors; /* JSON arrays */
    struct str facts;       /* JSON: enough to decide again (kept as a blob) */
    int64_t at_ms;
};
int store_decision_add(struct store *s, const struct store_decision *d, int64_t *ret_id, struct err *err) NODISCARD;

enum approval_state { APPROVAL_OPEN, APPROVAL_APPROVED, APPROVAL_REJECTED, APPROVAL_EXPIRED, APPROVAL_USED,
                      APPROVAL_CANCELLED, APPROVAL_STATE_COUNT };
const char *approval_state_name(enum approval_state st);
enum approval_kind { APPROVAL_TOOL, APPROVAL_UNKNOWN_EFFECT, APPROVAL_QUESTION, APPROVAL_KIND_COUNT };
const char *approval_kind_name(enum approval_kind k);
struct store_approval {
    int64_t id;
    int64_t run, seq;
    enum approval_kind kind;
    enum approval_state state;
    struct str what;        /* tool "ledger/pay", or the question */
    struct str shown;       /* exact arguments as people see them (masked), JSON */
    struct digest tool, arguments, policy; /* INV-08: what exactly is approved */
    struct str approvers;   /* JSON array of team or user names; [] : anyone with the role */
    int quorum;
    int64_t created_ms, expires_ms, decided_ms; /* 0: never / not yet */
    struct str outcome;     /* for an unknown effect: what the person said happened, JSON; else empty */
};
int store_approval_add(struct store *s, const struct store_approval *a, int64_t *ret_id, struct err *err) NODISCARD;
int store_approval_update(struct store *s, const struct store_approval *a, struct err *err) NODISCARD; /* state, decided, outcome */
int store_approval_get(struct store *s, int64_t id, struct arena *a, struct store_approval *ret, struct err *err) NODISCARD;
typedef int store_approval_fn(void *arg, const struct store_approval *a);
int store_approvals_open(struct store *s, store_approval_fn *fn, void *arg, struct err *err);
struct store_vote {
    int64_t approval;
    int64_t uid;
    struct str user;
    bool approve;
    struct str comment;
    int64_t at_ms;
};
/* One vote a person: a second one is -EEXIST. */
int store_vote_add(struct store *s, const struct store_vote *v, struct err *err) NODISCARD;
typedef int store_vote_fn(void *arg, const struct store_vote *v);
int store_votes(struct store *s, int64_t approval, store_vote_fn *fn, void *arg, struct err *err);

/* ---- ledger, history, audit, log ---------------------------------------------------------------- */

struct store_usage {
    struct str tenant, workflow, route; /* route: model route, or "" for tool calls */
    int64_t day;            /* days since 1970, UTC */
    int64_t calls, input_tokens, output_tokens, cost_micro;
};
int store_usage_add(struct store *s, const struct store_usage *u, struct err *err) NODISCARD; /* adds up by key */
int store_usage_tenant(struct store *s, struct str tenant, int64_t from_day, struct store_usage *ret_sum, struct err *err) NODISCARD;

/* What happened to tool calls, for context.history: kind is "request", "approved", "rejected", "failure",
 * "committed". value: the argument that a counter sums, in ten-thousandths; 0 where none. */
struct store_history {
    int64_t at_ms;
    struct str tenant, workflow, tool, kind;
    int64_t run, seq;
    int64_t value;
};
int store_history_add(struct store *s, const struct store_history *h, struct err *err) NODISCARD;
/* Empty strings match all. Counts and sums entries with at_ms > since_ms. */
int store_history_sum(struct store *s, const struct store_history *match, int64_t since_ms, int64_t *ret_count, int64_t *ret_sum, struct err *err) NODISCARD;

/* Append-only and hash-chained: each record's digest covers the one before it. detail: JSON object. */
int store_audit_add(struct store *s, int64_t at_ms, struct str actor, struct str action, struct str subject,
                    struct str detail, struct err *err) NODISCARD;
/* Walks the chain: -EUCLEAN with the first broken record. */
int store_audit_check(struct store *s, int64_t *ret_records, struct err *err);

/* A line for people about a run, bounded: lines over 4 KiB are cut, over 1,000 a run are counted only. */
int store_log_add(struct store *s, int64_t run, int64_t at_ms, struct str level, struct str unit, struct str text, struct err *err) NODISCARD;

/* Deletes final runs (with all that hangs on them) that ended before `before_ms` in a workflow, at most
 * `limit`; then blobs that nothing refers to. Returns how many runs went. */
int store_retention(struct store *s, struct str workflow, int64_t before_ms, int limit, struct err *err);
/* Likewise the oldest that have ended, until all runs of the workflow together take at most max_bytes. */
int store_retention_size(struct store *s, struct str workflow, int64_t max_bytes, int limit, struct err *err) NODISCARD;

/* The same for replays, whatever their workflow. */
int store_retention_replays(struct store *s, int64_t before_ms, int limit, struct err *err);

/* Small values of the runtime's own (self-test results, schedule marks): name -> text. */
int store_value_put(struct store *s, struct str name, struct str text, struct err *err) NODISCARD;
int store_value_get(struct store *s, struct str name, struct arena *a, struct str *ret, struct err *err) NODISCARD; /* -ENOENT */

#endif
