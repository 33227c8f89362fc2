/*
 * order.c: heads of queues, lanes, numbered starts, switches, installed and pinned versions; a
 * queue of 100,000 runs costs its head no more than one of three.
 */
#include "tests/lib/tmpstore.h"

#include <sqlite3.h>

#include "supervisor/store/internal.h"
#include "supervisor/store/view.h"

static int64_t add(struct tmpstore *t, const char *workflow, const char *tenant, const char *lane,
                   bool waits)
{
    struct store_run run = {.tenant = str_of(tenant),
                            .workflow = str_of(workflow),
                            .lane = str_of(lane),
                            .lane_wait = waits,
                            .next_seq = 1,
                            .created_ms = 1000};
    int64_t id = 0;
    must_ok(t, store_run_add(t->store, &run, &id, &t->err));
    return id;
}

static int64_t head(struct tmpstore *t, const char *workflow, const char *tenant, bool *fresh)
{
    int64_t id = -1;
    must_ok(t, store_queue_head(t->store, str_of(workflow), str_of(tenant), &id, fresh, &t->err));
    return id;
}

static void set(struct tmpstore *t, int64_t id, enum run_state state, int64_t started_ms)
{
    struct store_run run;
    must_ok(t, store_run_get(t->store, id, &t->arena, &run, &t->err));
    run.state = state;
    run.started_ms = started_ms;
    must_ok(t, store_run_update(t->store, &run, &t->err));
}

static void begun_runs_go_first(void **state)
{
    struct tmpstore *t = *state;
    bool fresh = false;
    int64_t a = add(t, "w", "acme", "", false), b = add(t, "w", "acme", "", false);
    (void)add(t, "w", "other", "", false);
    assert_int_equal(head(t, "v", "acme", &fresh), 0);
    assert_int_equal(head(t, "w", "acme", &fresh), a);
    assert_true(fresh);
    set(t, b, RUN_QUEUED, 77); /* came back from a wait */
    assert_int_equal(head(t, "w", "acme", &fresh), b);
    assert_false(fresh);
    set(t, b, RUN_RUNNING, 77);
    assert_int_equal(head(t, "w", "acme", &fresh), a);
}

static void lanes_hold_and_hand_on(void **state)
{
    struct tmpstore *t = *state;
    bool fresh;
    int64_t n = -1, next = -1;
    int64_t a = add(t, "w", "acme", "\"k\"", false), b = add(t, "w", "acme", "\"k\"", true);
    int64_t c = add(t, "w", "acme", "\"k\"", true);
    (void)add(t, "v", "acme", "\"k\"", true);
    assert_true(a < b && b < c);
    must_ok(t, store_lane_held(t->store, STR("w"), STR("\"k\""), &n, &t->err));
    assert_int_equal(n, 1);
    must_ok(t, store_lane_next(t->store, STR("w"), STR("\"k\""), &next, &t->err));
    assert_int_equal(next, b);
    set(t, a, RUN_WAITING, 5); /* parked: it holds its lane */
    must_ok(t, store_lane_held(t->store, STR("w"), STR("\"k\""), &n, &t->err));
    assert_int_equal(n, 1);
    assert_int_equal(head(t, "w", "acme", &fresh), 0); /* those of the lane are no heads */
    set(t, a, RUN_SUCCEEDED, 5);
    must_ok(t, store_lane_held(t->store, STR("w"), STR("\"k\""), &n, &t->err));
    assert_int_equal(n, 0);
    set(t, b, RUN_CANCELLED, 0); /* one that ended never gets its turn */
    must_ok(t, store_lane_next(t->store, STR("w"), STR("\"k\""), &next, &t->err));
    assert_int_equal(next, c);
}

static int count_queue(void *arg, const struct store_queue *q)
{
    int64_t *sum = arg;
    sum[0] += q->queued;
    sum[1] += q->fresh;
    sum[2] += q->lane_waiting;
    sum[3]++;
    return 0;
}

static void queues_are_counted(void **state)
{
    struct tmpstore *t = *state;
    int64_t sum[4] = {0}, b;
    (void)add(t, "w", "acme", "", false);
    b = add(t, "w", "acme", "", false);
    (void)add(t, "w", "other", "\"k\"", true);
    set(t, b, RUN_QUEUED, 9);
    must_ok(t, store_queues(t->store, count_queue, sum, &t->err));
    assert_int_equal(sum[0], 3);
    assert_int_equal(sum[1], 2);
    assert_int_equal(sum[2], 1);
    assert_int_equal(sum[3], 2);
}

static void starts_are_numbered(void **state)
{
    struct tmpstore *t = *state;
    int64_t at = -1;
    must_ok(t, store_start_nth(t->store, STR("w"), 1, &at, &t->err));
    assert_int_equal(at, 0);
    for (int i = 1; i <= 10; i++)
        must_ok(t, store_start_add(t->store, STR("w"), 100 * i, 3, &t->err));
    for (int n = 1; n <= 3; n++) {
        must_ok(t, store_start_nth(t->store, STR("w"), n, &at, &t->err));
        assert_int_equal(at, 100 * (11 - n));
    }
    must_ok(t, store_start_nth(t->store, STR("w"), 4, &at, &t->err)); /* not kept */
    assert_int_equal(at, 0);
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(tmpstore_number(t, "SELECT count(*) FROM start"), 3);
}

struct switches {
    int n;
    enum switch_scope scopes[8];
    int64_t swept;
    char why[64];
};

static int see_switch(void *arg, const struct store_switch *w)
{
    struct switches *s = arg;
    s->scopes[s->n++] = w->scope;
    s->swept = w->swept;
    return str_copy(w->why, s->why, sizeof(s->why));
}

static void switches_stay_until_dropped(void **state)
{
    struct tmpstore *t = *state;
    struct store_switch w = {.scope = SWITCH_TENANT,
                             .name = STR("acme"),
                             .state = SWITCH_KILLED,
                             .who = STR("root"),
                             .why = STR("a leak"),
                             .at_ms = 5,
                             .upto = 9};
    must_ok(t, store_switch_put(t->store, &w, &t->err));
    w.swept = 4;
    must_ok(t, store_switch_put(t->store, &w, &t->err)); /* the same one, further on */
    w.scope = SWITCH_ALL;
    w.name = STR("");
    must_ok(t, store_switch_put(t->store, &w, &t->err));
    must_ok(t, store_commit(t->store, &t->err));
    tmpstore_close(t);
    tmpstore_open(t);
    struct switches s = {0};
    assert_int_equal(store_switches(t->store, see_switch, &s, &t->err), 0);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.scopes[0], SWITCH_ALL);
    assert_int_equal(s.scopes[1], SWITCH_TENANT);
    assert_int_equal(s.swept, 4);
    assert_string_equal(s.why, "a leak");
    assert_int_equal(store_switch_drop(t->store, SWITCH_TENANT, STR("acme"), &t->err), 1);
    assert_int_equal(store_switch_drop(t->store, SWITCH_TENANT, STR("acme"), &t->err), 0);
}

static void versions_are_installed_and_pinned(void **state)
{
    struct tmpstore *t = *state;
    struct digest a = digest_of(STR("a")), b = digest_of(STR("b")), got;
    struct store_workflow w = {
        .name = STR("w"), .is_installed = true, .installed = b, .installed_ms = 7};
    char hex[DIGEST_HEX];
    must_fail(t, store_workflow_get(t->store, STR("w"), &t->arena, &w, &t->err), ENOENT);
    must_ok(t, store_version_put(t->store, &a, STR("w"), STR("a"), 1, &t->err));
    must_ok(t, store_version_put(t->store, &b, STR("w"), STR("b"), 2, &t->err));
    must_ok(t, store_workflow_put(t->store, &w, &t->err));
    w.is_pinned = true;
    w.pinned = a;
    w.pinned_who = STR("ann");
    must_ok(t, store_workflow_put(t->store, &w, &t->err));
    w = (struct store_workflow){0};
    must_ok(t, store_workflow_get(t->store, STR("w"), &t->arena, &w, &t->err));
    assert_true(w.is_installed && w.is_pinned);
    assert_true(digest_eq(&w.installed, &b) && digest_eq(&w.pinned, &a));
    assert_str(w.pinned_who, "ann");
    digest_hex(&a, hex);
    must_ok(t, store_version_find(t->store, STR("w"), (struct str){hex, 8}, &got, &t->err));
    assert_true(digest_eq(&got, &a));
    must_ok(t, store_version_find(t->store, STR("w"), str_of(hex), &got, &t->err));
    must_fail(t, store_version_find(t->store, STR("v"), str_of(hex), &got, &t->err), ENOENT);
    must_fail(t, store_version_find(t->store, STR("w"), STR("ab"), &got, &t->err), EINVAL);
    must_fail(t, store_version_find(t->store, STR("w"), STR("%%%%"), &got, &t->err), EINVAL);
    must_fail(t, store_version_find(t->store, STR("w"), STR("0000000000"), &got, &t->err), ENOENT);
}

/* Costs in SQLite's own steps, so no clock has a say: a long queue, most of it behind one lane. */
static void a_long_queue_costs_its_head_nothing(void **state)
{
    struct tmpstore *t = *state;
    bool fresh;
    int64_t first = add(t, "w", "acme", "", false);
    must_ok(t, store_commit(t->store, &t->err));
    struct query q = query_on(&t->store->db, SQL_QUEUE_HEAD);
    query_end(&q);
    sqlite3_stmt *stmt = t->store->db.prepared[SQL_QUEUE_HEAD];
    assert_int_equal(head(t, "w", "acme", &fresh), first);
    (void)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    assert_int_equal(head(t, "w", "acme", &fresh), first);
    int before = sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    tmpstore_close(t);
    tmpstore_sql(t, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<100000)"
                    " INSERT INTO "
                    "run(tenant,workflow,version,event,parent,parent_step,trace_id,created_ms,"
                    "depth,state,wait,wake_ms,"
                    "attempt,failures,next_seq,checkpoint_seq,checkpoint_doc,cancel,reason,result_"
                    "doc,started_ms,ended_ms,steps,"
                    "tool_calls,model_calls,input_tokens,output_tokens,cost_micro,lane,lane_wait)"
                    " SELECT 'acme',CASE i%2 WHEN 0 THEN 'w' ELSE 'v' END,"
                    "zeroblob(32),0,0,0,'',1,0,CASE i%5 WHEN 0 THEN 3 ELSE 0 END,0,0,0,0,1,0,0,0,"
                    "'',0,0,0,0,0,0,0,0,0,CASE i%3 WHEN 0 THEN 'k' ELSE '' END,i%3=0 FROM n");
    tmpstore_open(t);
    assert_int_equal(head(t, "w", "acme", &fresh), first);
    stmt = t->store->db.prepared[SQL_QUEUE_HEAD];
    (void)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    assert_int_equal(head(t, "w", "acme", &fresh), first);
    assert_true(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1) <= before);
    int64_t next;
    must_ok(t, store_lane_next(t->store, STR("w"), STR("k"), &next, &t->err));
    stmt = t->store->db.prepared[SQL_LANE_NEXT];
    assert_true(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1) < 100);
}

static bool has(const struct buf *b, const char *part)
{
    return memmem(b->ptr ? b->ptr : "", b->len, part, strlen(part)) != NULL;
}

/* A view of the committed state: what people see of a queue, its switches and versions. */
static void is_shown(void **state)
{
    struct tmpstore *t = *state;
    struct digest a = digest_of(STR("{\"a\":1}")), b = digest_of(STR("{\"b\":1}"));
    struct store_switch sw = {.scope = SWITCH_TENANT,
                              .name = STR("acme"),
                              .state = SWITCH_KILLED,
                              .who = STR("ann"),
                              .why = STR("leak"),
                              .upto = 9};
    struct store_workflow w = {.name = STR("w"),
                               .is_installed = true,
                               .installed = b,
                               .is_pinned = true,
                               .pinned = a,
                               .pinned_who = STR("ann")};
    char hex[DIGEST_HEX];
    struct view *v = NULL;
    struct buf out;
    struct jout j;
    int64_t held = add(t, "w", "acme", "", false), lane = add(t, "w", "beta", "\"k\"", true);
    must_ok(t, store_switch_put(t->store, &sw, &t->err));
    must_ok(t, store_version_put(t->store, &a, STR("w"), STR("{\"a\":1}"), 1, &t->err));
    must_ok(t, store_version_put(t->store, &b, STR("w"), STR("{\"b\":1}"), 2, &t->err));
    must_ok(t, store_workflow_put(t->store, &w, &t->err));
    must_ok(t, store_commit(t->store, &t->err));
    must_ok(t, view_open(t->dir, &v, &t->err));
    buf_init(&out, 1u << 20);
#define SHOWN(call)                        \
    do {                                   \
        buf_clear(&out);                   \
        jout_begin(&j, &out);              \
        must_ok(t, (call));                \
        assert_int_equal(jout_end(&j), 0); \
    } while (0)
    SHOWN(view_switches(v, &j, &t->err));
    assert_true(has(&out, "\"scope\":\"tenant\",\"name\":\"acme\",\"state\":\"killed\""));
    assert_true(has(&out, "\"ending\":true"));
    SHOWN(view_run(v, held, &j, &t->err));
    assert_true(has(&out, "\"reason\":\"tenant acme is killed by ann: leak\""));
    SHOWN(view_run(v, lane, &j, &t->err));
    assert_true(has(&out, "waits for an earlier run with the key \\\"k\\\""));
    SHOWN(view_versions(v, STR("w"), &j, &t->err));
    assert_true(has(&out, "\"pinnedBy\":\"ann\""));
    digest_hex(&a, hex);
    SHOWN(view_version(v, STR("w"), (struct str){hex, 6}, &j, &t->err));
    assert_true(has(&out, "\"definition\":{\"a\":1}"));
    buf_clear(&out);
    jout_begin(&j, &out);
    must_fail(t, view_versions(v, STR("none"), &j, &t->err), ENOENT);
    must_fail(t, view_version(v, STR("w"), STR("zz"), &j, &t->err), EINVAL);
    view_close(v);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(begun_runs_go_first),
        store_test(lanes_hold_and_hand_on),
        store_test(queues_are_counted),
        store_test(starts_are_numbered),
        store_test(switches_stay_until_dropped),
        store_test(versions_are_installed_and_pinned),
        store_test(a_long_queue_costs_its_head_nothing),
        store_test(is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
