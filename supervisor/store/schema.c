/*
 * schema.c: what the database looks like, as migrations: row N takes a store from version N-1 to N.
 * A later version is one more row here, and the number in schema.h follows by itself. A row that
 * was released is never changed again.
 *
 * Runs in reeved, in the transaction of store_open.
 */
#include "supervisor/store/schema.h"

/*
 * Kinds of text. A column of type ANY holds TEXT as it is, or a BLOB: one zstd frame of it. In doc
 * and node it may also be an INTEGER: the id of a row in blob, where long texts are kept once.
 *
 * A step's pos is run * 2^20 + seq. Steps lie in the order in which they were written, so that
 * those of many runs that are written together share pages; pos finds and orders the steps of one
 * run. Log lines are few, and lie by run: their id is run * 2^20 + number.
 *
 * Indexes are few: each costs a write a row. What is looked for by a rare property has a partial
 * one. Foreign keys stand where their check needs no index of its own; other ties are held by
 * store_*.c.
 */
static const char schema_1[] =
    /* texts */
    "CREATE TABLE blob(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,"
    "  pinned INTEGER NOT NULL, bytes ANY NOT NULL) STRICT;"
    "CREATE TABLE node(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES node, depth INTEGER NOT "
    "NULL,"
    "  digest BLOB NOT NULL UNIQUE, item ANY NOT NULL) STRICT;"
    "CREATE INDEX node_parent ON node(parent) WHERE parent IS NOT NULL;"
    "CREATE INDEX node_item ON node(item) WHERE typeof(item)='integer';"
    "CREATE TABLE doc(id INTEGER PRIMARY KEY, head ANY NOT NULL, node INTEGER REFERENCES node, "
    "tail ANY,"
    "  shares INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX doc_node ON doc(node) WHERE node IS NOT NULL;"
    "CREATE INDEX doc_head ON doc(head) WHERE typeof(head)='integer';"
    "CREATE INDEX doc_tail ON doc(tail) WHERE typeof(tail)='integer';"
    /* what was installed */
    "CREATE TABLE policy(digest BLOB NOT NULL UNIQUE, at_ms INTEGER NOT NULL, text ANY NOT NULL) "
    "STRICT;"
    "CREATE TABLE version(digest BLOB NOT NULL UNIQUE, workflow TEXT NOT NULL, at_ms INTEGER NOT "
    "NULL,"
    "  text ANY NOT NULL) STRICT;"
    "CREATE TABLE version_current(id INTEGER PRIMARY KEY, workflow TEXT NOT NULL,"
    "  digest BLOB NOT NULL REFERENCES version(digest), at_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX version_current_workflow ON version_current(workflow, id);"
    /* events and runs */
    "CREATE TABLE event(id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, event_id TEXT "
    "NOT NULL,"
    "  type TEXT NOT NULL, subject TEXT NOT NULL, received_ms INTEGER NOT NULL, envelope ANY NOT "
    "NULL,"
    "  UNIQUE(source, event_id)) STRICT;"
    "CREATE INDEX event_type ON event(type, id);"
    "CREATE TABLE run(id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, workflow TEXT "
    "NOT NULL,"
    "  version BLOB NOT NULL, event INTEGER NOT NULL, parent INTEGER NOT NULL, parent_step INTEGER "
    "NOT NULL,"
    "  trace_id TEXT NOT NULL, created_ms INTEGER NOT NULL, depth INTEGER NOT NULL,"
    "  state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 7), wait INTEGER NOT NULL CHECK(wait "
    "BETWEEN 0 AND 31),"
    "  wake_ms INTEGER NOT NULL, attempt INTEGER NOT NULL, failures INTEGER NOT NULL,"
    "  next_seq INTEGER NOT NULL, checkpoint_seq INTEGER NOT NULL, checkpoint_doc INTEGER NOT NULL,"
    "  cancel INTEGER NOT NULL, reason TEXT NOT NULL, result_doc INTEGER NOT NULL,"
    "  started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, steps INTEGER NOT NULL,"
    "  tool_calls INTEGER NOT NULL, model_calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL,"
    "  output_tokens INTEGER NOT NULL, cost_micro INTEGER NOT NULL) STRICT;"
    "CREATE INDEX run_state ON run(state, id);"
    "CREATE INDEX run_workflow ON run(workflow, id);"
    "CREATE INDEX run_tenant ON run(tenant, id);"
    "CREATE INDEX run_wait ON run(wait, id) WHERE state=3;"
    "CREATE INDEX run_wake ON run(wake_ms, id) WHERE state=3 AND wake_ms>0;"
    "CREATE INDEX run_done ON run(workflow, ended_ms) WHERE ended_ms>0;"
    "CREATE INDEX run_parent ON run(parent, id) WHERE parent>0;"
    "CREATE INDEX run_event ON run(event) WHERE event>0;"
    /* the journal */
    "CREATE TABLE step(id INTEGER PRIMARY KEY, pos INTEGER NOT NULL UNIQUE,"
    "  run INTEGER AS (pos>>20) VIRTUAL, seq INTEGER AS (pos&1048575) VIRTUAL,"
    "  kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 31), key TEXT NOT NULL, occurrence INTEGER "
    "NOT NULL,"
    "  request BLOB NOT NULL, request_doc INTEGER NOT NULL, seen INTEGER NOT NULL, attempt INTEGER "
    "NOT NULL,"
    "  asked_ms INTEGER NOT NULL, state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 6), tries "
    "INTEGER NOT NULL,"
    "  outcome_doc INTEGER NOT NULL, outcome_error INTEGER NOT NULL, reason TEXT NOT NULL,"
    "  decision INTEGER NOT NULL, approval INTEGER NOT NULL, began_ms INTEGER NOT NULL,"
    "  ended_ms INTEGER NOT NULL, wake_ms INTEGER NOT NULL, child INTEGER NOT NULL,"
    "  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_micro INTEGER NOT NULL,"
    "  info TEXT NOT NULL) STRICT;"
    "CREATE INDEX step_unended ON step(state, pos) WHERE state<2 OR state>4;"
    "CREATE INDEX step_open ON step(kind, key, pos) WHERE state=6;"
    /* decisions and approvals */
    "CREATE TABLE decision(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
    "  ask TEXT NOT NULL, allow INTEGER NOT NULL, policy BLOB NOT NULL, reasons TEXT NOT NULL,"
    "  errors TEXT NOT NULL, at_ms INTEGER NOT NULL, facts ANY NOT NULL) STRICT;"
    "CREATE INDEX decision_run ON decision(run, seq);"
    "CREATE TABLE approval(id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, seq INTEGER "
    "NOT NULL,"
    "  kind INTEGER NOT NULL, what TEXT NOT NULL, tool BLOB NOT NULL, arguments BLOB NOT NULL,"
    "  policy BLOB NOT NULL, approvers TEXT NOT NULL, quorum INTEGER NOT NULL, created_ms INTEGER "
    "NOT NULL,"
    "  expires_ms INTEGER NOT NULL, state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 5),"
    "  decided_ms INTEGER NOT NULL, outcome TEXT NOT NULL, shown ANY NOT NULL) STRICT;"
    "CREATE INDEX approval_state ON approval(state, id);"
    "CREATE INDEX approval_run ON approval(run, id);"
    "CREATE TABLE vote(approval INTEGER NOT NULL REFERENCES approval, uid INTEGER NOT NULL, user "
    "TEXT NOT NULL,"
    "  approve INTEGER NOT NULL, comment TEXT NOT NULL, at_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(approval, uid)) STRICT, WITHOUT ROWID;"
    /* ledger, history, audit, log */
    "CREATE TABLE usage(tenant TEXT NOT NULL, day INTEGER NOT NULL, workflow TEXT NOT NULL, route "
    "TEXT NOT NULL,"
    "  calls INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,"
    "  cost_micro INTEGER NOT NULL, PRIMARY KEY(tenant, day, workflow, route)) STRICT, WITHOUT "
    "ROWID;"
    "CREATE TABLE history_key(id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, workflow TEXT NOT NULL,"
    "  tool TEXT NOT NULL, kind TEXT NOT NULL, UNIQUE(tool, kind, workflow, tenant)) STRICT;"
    /* n and total count from the key's first entry on: any window is the difference of two rows */
    "CREATE TABLE history(key INTEGER NOT NULL REFERENCES history_key, at_ms INTEGER NOT NULL,"
    "  n INTEGER NOT NULL, total INTEGER NOT NULL, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
    "  value INTEGER NOT NULL, PRIMARY KEY(key, at_ms, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, actor TEXT "
    "NOT NULL,"
    "  action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, digest BLOB NOT NULL) "
    "STRICT;"
    "CREATE TABLE log(id INTEGER PRIMARY KEY, run INTEGER AS (id>>20) VIRTUAL, at_ms INTEGER NOT "
    "NULL,"
    "  level TEXT NOT NULL, unit TEXT NOT NULL, text TEXT NOT NULL, dropped INTEGER NOT NULL) "
    "STRICT;"
    "CREATE TABLE value(name TEXT PRIMARY KEY, text ANY NOT NULL) STRICT, WITHOUT ROWID;";

/*
 * Order, stops and versions. `lane` is the value of the workflow's key: runs of one lane go one
 * after another, and those that wait for theirs (lane_wait) are not in run_queue, so that the head
 * of a queue is one look into an index, however many wait behind it. `fresh` was never started.
 */
static const char schema_2[] =
    "ALTER TABLE run ADD COLUMN lane TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE run ADD COLUMN lane_wait INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN fresh INTEGER AS (started_ms=0) VIRTUAL;"
    "CREATE INDEX run_queue ON run(workflow, tenant, fresh, id) WHERE state=0 AND lane_wait=0;"
    "CREATE INDEX run_lane ON run(workflow, lane, lane_wait, id) WHERE lane<>'' AND state<4;"
    /* upto: the newest run that a kill is meant for; swept: those up to it are ended */
    "CREATE TABLE switch(scope INTEGER NOT NULL CHECK(scope BETWEEN 0 AND 3), name TEXT NOT NULL,"
    "  state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 1), who TEXT NOT NULL, why TEXT NOT NULL,"
    "  at_ms INTEGER NOT NULL, upto INTEGER NOT NULL, swept INTEGER NOT NULL,"
    "  PRIMARY KEY(scope, name)) STRICT, WITHOUT ROWID;"
    /* the last starts of workflows that have a rate, numbered: the n-th last is one look */
    "CREATE TABLE start(workflow TEXT NOT NULL, n INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(workflow, n)) STRICT, WITHOUT ROWID;"
    /* installed: the version that the files make, NULL when they hold the workflow no more;
     * pinned: an older one that new runs take instead */
    "CREATE TABLE workflow(name TEXT PRIMARY KEY, installed BLOB, installed_ms INTEGER NOT NULL,"
    "  pinned BLOB, pinned_who TEXT NOT NULL, pinned_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX version_workflow ON version(workflow, at_ms);";

/* Time travel: a run over another's way. A replay (mode 2) is not counted and soon gone. */
static const char schema_3[] =
    "ALTER TABLE run ADD COLUMN mode INTEGER NOT NULL DEFAULT 0 CHECK(mode BETWEEN 0 AND 2);"
    "ALTER TABLE run ADD COLUMN origin INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN origin_step INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN seed TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE run ADD COLUMN clock_ms INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX run_replay ON run(workflow, state) WHERE mode=2;"
    "CREATE INDEX run_replay_ended ON run(ended_ms) WHERE mode=2 AND ended_ms>0;";

/*
 * Event waits by what they wait for. An open one has in `child` a bucket: a negative number made of
 * one path of its match and the value wanted there; 0: it has none. wait_path: the paths in use for
 * a type, so that an event knows which buckets to look into, however many runs wait.
 */
static const char schema_4[] =
    "CREATE TABLE wait_path(type TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY(type, path)) "
    "STRICT, WITHOUT ROWID;"
    "CREATE INDEX step_wait ON step(key, child, pos) WHERE state=6 AND kind=4;";

/* Short requests and outcomes of steps stand in the row itself: doc -1. */
static const char schema_5[] = "ALTER TABLE step ADD COLUMN request_text TEXT NOT NULL DEFAULT '';"
                               "ALTER TABLE step ADD COLUMN outcome_text TEXT NOT NULL DEFAULT '';";

/* What a run takes on disk, about; and since when its attempts fail. */
static const char schema_6[] = "ALTER TABLE run ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
                               "ALTER TABLE run ADD COLUMN failing_ms INTEGER NOT NULL DEFAULT 0;";

/* Timers for a date are told from those for a span by their info: the date follows the wall clock.
 */
static const char schema_7[] = "UPDATE step SET info='{\"clock\":\"wall\"}' WHERE state=6 AND "
                               "kind=3 AND request_text LIKE '%\"until\"%';";

const struct schema_step schema_steps[] = {
    {1, "the first schema", schema_1},
    {2, "queues, switches, versions", schema_2},
    {3, "forks and replays", schema_3},
    {4, "event waits by what they wait for", schema_4},
    {5, "short texts of steps in their rows", schema_5},
    {6, "what runs take, and how long they fail", schema_6},
    {7, "timers for a date", schema_7},
};
const size_t schema_step_count = ARRAY_LEN(schema_steps);

int schema_version(void)
{
    return schema_steps[ARRAY_LEN(schema_steps) - 1].version;
}
