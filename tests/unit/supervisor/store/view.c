/*
 * view.c: what people see is what is stored; a reader without any right to write sees it while the
 * writer works.
 */
#include "tests/lib/tmpstore.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/store/internal.h"
#include "supervisor/store/view.h"

/* ---- a store with one of everything -----------------------------------------------------------
 */

struct lab {
    struct tmpstore *t;
    struct view *v;
    struct buf out;
    struct jout j;
    int64_t run, child, approval;
};

static void fill_steps(struct lab *l)
{
    struct tmpstore *t = l->t;
    struct store_decision d = {.run = l->run,
                               .seq = 2,
                               .ask = STR("call:ledger/pay"),
                               .policy = digest_of(STR("p")),
                               .reasons = STR("[\"no-big-payments\"]"),
                               .errors = STR("[]"),
                               .facts = STR("{\"amount\":12}"),
                               .at_ms = 2000};
    int64_t first;
    must_ok(t, store_decision_add(t->store, &d, &first, &t->err));
    d.ask = STR("propose:ledger/pay");
    d.allow = true;
    d.reasons = STR("[\"people-decide\"]");
    struct store_step st = tmpstore_step(l->run, 1);
    st.kind = STEP_MODEL;
    st.key = STR("gpt");
    st.state = STEP_COMMITTED;
    st.request_doc =
        tmpstore_doc(t, STR("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"));
    st.outcome_doc = tmpstore_doc(t, STR("{\"choices\":[]}"));
    st.began_ms = 2000;
    st.ended_ms = 2250;
    st.input_tokens = 10;
    st.output_tokens = 5;
    st.cost_micro = 1500000;
    st.info = STR("{\"model\":\"m-1\"}");
    must_ok(t, store_step_add(t->store, &st, &t->err));
    st = tmpstore_step(l->run, 2);
    st.state = STEP_GATED;
    must_ok(t, store_decision_add(t->store, &d, &st.decision, &t->err));
    struct store_approval a = {.run = l->run,
                               .seq = 2,
                               .what = STR("ledger/pay"),
                               .shown = STR("{\"amount\":12}"),
                               .approvers = STR("[\"ap-leads\"]"),
                               .quorum = 2,
                               .created_ms = 3000};
    must_ok(t, store_approval_add(t->store, &a, &l->approval, &t->err));
    struct store_vote vote = {.approval = l->approval,
                              .uid = 1000,
                              .user = STR("ann"),
                              .approve = true,
                              .comment = STR("looks right"),
                              .at_ms = 3500};
    must_ok(t, store_vote_add(t->store, &vote, &t->err));
    st.approval = l->approval;
    must_ok(t, store_step_add(t->store, &st, &t->err));
    st = tmpstore_step(l->run, 3);
    st.kind = STEP_CHILD;
    st.key = STR("archive");
    st.child = l->child;
    st.attempt = 2;
    must_ok(t, store_step_add(t->store, &st, &t->err));
}

static struct lab *lab_new(void)
{
    struct lab *l = calloc(1, sizeof(*l));
    struct tmpstore *t = l->t = tmpstore_new();
    struct digest version = digest_of(STR("v"));
    struct store_event e = {.source = STR("webhook/erp"),
                            .event_id = STR("e-1"),
                            .type = STR("invoice"),
                            .subject = STR("4711"),
                            .envelope = STR("{\"specversion\":\"1.0\"}"),
                            .received_ms = 900};
    struct store_run r = {.tenant = STR("acme"),
                          .workflow = STR("invoice-triage"),
                          .version = version,
                          .state = RUN_WAITING,
                          .wait = WAIT_APPROVAL,
                          .next_seq = 4,
                          .attempt = 2,
                          .created_ms = 1000,
                          .started_ms = 1001,
                          .trace_id = "0123456789abcdef0123456789abcdef",
                          .steps = 3,
                          .cost_micro = 1500000,
                          .reason = STR("waits for ap-leads")};
    bool duplicate;
    must_ok(t, store_version_put(t->store, &version, STR("invoice-triage"), STR("name: x"), 500,
                                 &t->err));
    must_ok(t, store_version_current(t->store, STR("invoice-triage"), &version, 500, &t->err));
    must_ok(t, store_event_add(t->store, &e, &r.event, &duplicate, &t->err));
    r.checkpoint_seq = 1;
    r.checkpoint_doc = tmpstore_doc(t, STR("{\"at\":1}"));
    must_ok(t, store_run_add(t->store, &r, &l->run, &t->err));
    struct store_run c = {.tenant = STR("acme"),
                          .workflow = STR("archive"),
                          .parent = l->run,
                          .parent_step = 3,
                          .depth = 1,
                          .state = RUN_SUCCEEDED,
                          .created_ms = 1500,
                          .ended_ms = 1600,
                          .next_seq = 2};
    c.result_doc = tmpstore_doc(t, STR("{\"stored\":true}"));
    must_ok(t, store_run_add(t->store, &c, &l->child, &t->err));
    struct store_step st = tmpstore_step(l->child, 1);
    st.state = STEP_COMMITTED;
    must_ok(t, store_step_add(t->store, &st, &t->err));
    fill_steps(l);
    must_ok(t, store_log_add(t->store, l->run, 2100, STR("info"), STR("worker"), STR("begun"),
                             &t->err));
    must_ok(t, store_audit_add(t->store, 3500, STR("uid 1000"), STR("approve"), STR("approval 1"),
                               STR("{\"x\":1}"), &t->err));
    struct store_usage u = {.tenant = STR("acme"),
                            .workflow = STR("invoice-triage"),
                            .route = STR("gpt"),
                            .day = 20780,
                            .calls = 1,
                            .input_tokens = 10,
                            .output_tokens = 5,
                            .cost_micro = 1500000};
    must_ok(t, store_usage_add(t->store, &u, &t->err));
    must_ok(t, store_commit(t->store, &t->err));
    must_ok(t, view_open(t->dir, &l->v, &t->err));
    buf_init(&l->out, (size_t)128 << 20);
    return l;
}

static int setup(void **state)
{
    *state = lab_new();
    return 0;
}

static int teardown(void **state)
{
    struct lab *l = *state;
    view_close(l->v);
    buf_release(&l->out);
    tmpstore_free(l->t);
    free(l);
    return 0;
}

static struct jout *begin(struct lab *l)
{
    buf_clear(&l->out);
    jout_begin(&l->j, &l->out);
    return &l->j;
}

/* Ends the text and parses it. */
static const struct json *parsed(struct lab *l, int r, const char *call)
{
    const struct json *v = NULL;
    if (r < 0) {
        print_error("%s: %d %s\n", call, r, l->t->err.text);
        fail();
    }
    assert_int_equal(jout_end(&l->j), 0);
    must_ok(l->t,
            json_parse(&l->t->arena, buf_str(&l->out), &JSON_LIMITS_DEFAULT, &v, NULL, &l->t->err));
    return v;
}

#define shown(l, call) parsed((l), (call), #call)

/* The value at a path such as "steps.1.gate.votes.0.user". */
static const struct json *at(const struct json *v, const char *path)
{
    struct str rest = str_of(path), part;
    while (v != NULL && str_split(&rest, '.', &part)) {
        if (v->type == JSON_ARRAY) {
            size_t i = (size_t)(part.ptr[0] - '0');
            v = i < v->array.count ? &v->array.items[i] : NULL;
        } else {
            v = json_get_str(v, part);
        }
    }
    return v;
}

static void has(struct lab *l, const struct json *v, const char *path, const char *raw)
{
    const struct json *found = at(v, path);
    if (found == NULL || !str_is(found->raw, raw)) {
        print_error("%s: want %s in\n%.*s\n", path, raw, STR_FMT(buf_str(&l->out)));
        fail();
    }
}

/* ---- each view ---------------------------------------------------------------------------------
 */

static void lists_runs(void **state)
{
    struct lab *l = *state;
    struct tmpstore *t = l->t;
    struct view_runs f = {0};
    const struct json *v = shown(l, view_runs(l->v, &f, begin(l), &t->err));
    assert_int_equal(at(v, "runs")->array.count, 2);
    has(l, v, "next", "null");
    has(l, v, "runs.0.run", "2"); /* newest first */
    has(l, v, "runs.0.parent.run", "1");
    has(l, v, "runs.0.event", "null");
    has(l, v, "runs.1.state", "\"waiting\"");
    has(l, v, "runs.1.wait", "\"approval\"");
    has(l, v, "runs.1.cost", "1.5");
    has(l, v, "runs.1.createdAt", "\"1970-01-01T00:00:01.000Z\"");
    has(l, v, "runs.1.endedAt", "null");
    has(l, v, "runs.1.event.source", "\"webhook/erp\"");
    has(l, v, "runs.1.parent", "null");

    for (int i = 0; i < 600; i++) {
        struct store_run r = {.tenant = i % 2 ? STR("zeta") : STR("acme"),
                              .workflow = i % 3 ? STR("a") : STR("b"),
                              .state = (enum run_state)(i % RUN_STATE_COUNT),
                              .next_seq = 1};
        r.wait = r.state == RUN_WAITING ? WAIT_TIMER : WAIT_NONE;
        must_ok(t, store_run_add(t->store, &r, &r.id, &t->err));
    }
    must_ok(t, store_commit(t->store, &t->err));
    static const struct {
        const char *state, *wait, *workflow, *tenant;
        int want;
    } rows[] = {
        {"", "", "", "", 602},
        {"queued", "", "", "", 75},
        {"live", "", "", "", 301},
        {"final", "", "", "", 301},
        {"waiting", "timer", "", "", 75},
        {"", "approval", "", "", 1},
        {"", "", "b", "", 200},
        {"", "", "", "zeta", 300},
        {"", "", "a", "zeta", 200},
        {"dead", "", "a", "zeta", 50},
        {"live", "", "b", "acme", 50},
        {"failed", "timer", "", "", 0},
        {"succeeded", "", "", "", 76},
        {"final", "", "archive", "", 1},
        {"", "", "none", "", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int n = 0;
        int64_t last = INT64_MAX;
        char cursor[32] = "";
        do { /* by pages of 70 */
            f = (struct view_runs){str_of(rows[i].state),
                                   str_of(rows[i].wait),
                                   str_of(rows[i].workflow),
                                   str_of(rows[i].tenant),
                                   70,
                                   str_of(cursor)};
            v = shown(l, view_runs(l->v, &f, begin(l), &t->err));
            const struct json *list = at(v, "runs"), *next = at(v, "next");
            for (size_t k = 0; k < list->array.count; k++) {
                int64_t id = at(&list->array.items[k], "run")->integer;
                assert_row(id < last, i, "order");
                last = id;
                n++;
            }
            cursor[0] = '\0';
            if (next->type == JSON_STRING)
                assert_int_equal(str_copy(next->string, cursor, sizeof(cursor)), 0);
            arena_reset(&t->arena);
        } while (cursor[0] != '\0');
        assert_row(n == rows[i].want, i, "%s %s %s %s: %d", rows[i].state, rows[i].wait,
                   rows[i].workflow, rows[i].tenant, n);
    }
    static const struct view_runs bad[] = {
        {.state = {"nope", 4}}, {.wait = {"nope", 4}}, {.cursor = {"x", 1}}, {.cursor = {"-1", 2}}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        must_fail(t, view_runs(l->v, &bad[i], begin(l), &t->err), EINVAL);
    must_fail(t, view_runs(l->v, &bad[0], begin(l), &t->err), EINVAL);
    assert_non_null(strstr(t->err.text, "queued starting running waiting"));
}

static void shows_a_run(void **state)
{
    struct lab *l = *state;
    struct tmpstore *t = l->t;
    const struct json *v = shown(l, view_run(l->v, l->run, begin(l), &t->err));
    has(l, v, "nextSeq", "4");
    has(l, v, "checkpoint.seq", "1");
    has(l, v, "checkpoint.state.at", "1");
    has(l, v, "result", "null");
    has(l, v, "event.envelope.specversion", "\"1.0\"");
    has(l, v, "event.receivedAt", "\"1970-01-01T00:00:00.900Z\"");
    has(l, v, "approvals.0.approval", "1");
    has(l, v, "children.0", "2");
    v = shown(l, view_run(l->v, l->child, begin(l), &t->err));
    has(l, v, "result.stored", "true");
    has(l, v, "checkpoint", "null");
    must_fail(t, view_run(l->v, 99, begin(l), &t->err), ENOENT);
    assert_int_equal(l->out.len, 0);
}

static void shows_steps(void **state)
{
    struct lab *l = *state;
    struct tmpstore *t = l->t;
    const struct json *v = shown(l, view_steps(l->v, l->run, 0, 0, begin(l), &t->err));
    assert_int_equal(at(v, "steps")->array.count, 3);
    has(l, v, "state", "\"waiting\"");
    has(l, v, "next", "null");
    has(l, v, "steps.0.kind", "\"model\"");
    has(l, v, "steps.0.ms", "250");
    has(l, v, "steps.0.info.model", "\"m-1\"");
    has(l, v, "steps.1.approval", "1");
    has(l, v, "steps.1.ms", "null");
    has(l, v, "steps.2.child", "2");
    v = shown(l, view_steps(l->v, l->run, 1, 1, begin(l), &t->err));
    has(l, v, "steps.0.seq", "2");
    has(l, v, "next", "2");
    must_fail(t, view_steps(l->v, 99, 0, 0, begin(l), &t->err), ENOENT);

    v = shown(l, view_step(l->v, l->run, 2, false, begin(l), &t->err));
    has(l, v, "decisions.0.allow", "false");
    has(l, v, "decisions.0.policies.0", "\"no-big-payments\"");
    has(l, v, "decisions.1.ask", "\"propose:ledger/pay\"");
    has(l, v, "approvals.0.votes.0.user", "\"ann\"");
    has(l, v, "outcome", "null");
    v = shown(l, view_step(l->v, l->run, 1, false, begin(l), &t->err));
    has(l, v, "request.messages.0.content", "\"hi\"");
    has(l, v, "outcome", "{\"choices\":[]}");
    must_fail(t, view_step(l->v, l->run, 9, false, begin(l), &t->err), ENOENT);
    must_fail(t, view_step(l->v, -1, -9, false, begin(l), &t->err), ENOENT);

    v = shown(l, view_explain(l->v, l->run, 2, begin(l), &t->err));
    has(l, v, "decisions.0.facts.amount", "12");
    assert_int_equal(at(v, "decisions")->array.count, 2);
    must_fail(t, view_explain(l->v, 99, 2, begin(l), &t->err), ENOENT);
}

static void traces_a_tree(void **state)
{
    struct lab *l = *state;
    struct tmpstore *t = l->t;
    const struct json *v = shown(l, view_trace(l->v, l->run, begin(l), &t->err));
    has(l, v, "run.run", "1");
    has(l, v, "attempts.0.attempt", "1");
    has(l, v, "attempts.0.steps", "2");
    has(l, v, "attempts.1.attempt", "2");
    has(l, v, "steps.0.allow", "null");
    has(l, v, "steps.1.allow", "true");
    has(l, v, "steps.1.policies.0", "\"people-decide\"");
    has(l, v, "steps.1.gate.votes.0.comment", "\"looks right\"");
    has(l, v, "steps.0.gate", "null");
    has(l, v, "steps.2.trace.run.workflow", "\"archive\"");
    has(l, v, "steps.2.trace.steps.0.key", "\"ledger/pay\"");
    has(l, v, "log.0.text", "\"begun\"");
    has(l, v, "logDropped", "0");
    has(l, v, "cut", "false");
    must_fail(t, view_trace(l->v, 99, begin(l), &t->err), ENOENT);
}

/* Runs that start each other in a ring (which reeved would not make), and a very long one. */
static void trace_is_bounded(void **state)
{
    struct lab *l = *state;
    struct tmpstore *t = l->t;
    int64_t run = tmpstore_run(t, "ring");
    for (int i = 1; i <= 3000; i++) {
        struct store_step st = tmpstore_step(run, i);
        st.kind = STEP_CHILD;
        st.child = run;
        must_ok(t, store_step_add(t->store, &st, &t->err));
    }
    must_ok(t, store_commit(t->store, &t->err));
    const struct json *v = shown(l, view_trace(l->v, run, begin(l), &t->err));
    has(l, v, "cut", "true");
    assert_true(l->out.len < (size_t)8 << 20);
    const struct json *deep =
        at(v, "steps.0.trace.steps.0.trace.steps.0.trace.steps.0.trace.steps.0.trace.steps.0");
    assert_non_null(deep);
    assert_null(at(deep, "trace"));
}

static void shows_approvals(void **state)
{
    struct lab *l = *state;
    struct tmpstore *t = l->t;
    struct view_approvals f = {.state = STR("open")};
    const struct json *v = shown(l, view_approvals(l->v, &f, begin(l), &t->err));
    has(l, v, "approvals.0.what", "\"ledger/pay\"");
    has(l, v, "approvals.0.arguments.amount", "12");
    has(l, v, "approvals.0.workflow", "\"invoice-triage\"");
    has(l, v, "approvals.0.tenant", "\"acme\"");
    has(l, v, "approvals.0.runState", "\"waiting\"");
    has(l, v, "approvals.0.approvers.0", "\"ap-leads\"");
    has(l, v, "approvals.0.votes.0.approve", "true");
    has(l, v, "approvals.0.expiresAt", "null");
    v = shown(l, view_approval(l->v, l->approval, begin(l), &t->err));
    has(l, v, "quorum", "2");
    must_fail(t, view_approval(l->v, 99, begin(l), &t->err), ENOENT);

    char big[200001]; /* nothing of what is to be approved is cut */
    memset(big, 'x', sizeof(big) - 1);
    big[0] = big[sizeof(big) - 2] = '"';
    for (int i = 0; i < 9; i++) {
        struct store_approval a = {.run = l->child,
                                   .seq = 1,
                                   .what = STR("x"),
                                   .shown = {big, sizeof(big) - 1},
                                   .state = i % 3 ? APPROVAL_USED : APPROVAL_OPEN};
        must_ok(t, store_approval_add(t->store, &a, &a.id, &t->err));
    }
    must_ok(t, store_commit(t->store, &t->err));
    f = (struct view_approvals){.run = l->child, .limit = 4};
    v = shown(l, view_approvals(l->v, &f, begin(l), &t->err));
    assert_int_equal(at(v, "approvals")->array.count, 4);
    assert_int_equal(at(v, "approvals.0.arguments")->string.len, sizeof(big) - 3);
    f.cursor = at(v, "next")->string;
    f.limit = 100;
    v = shown(l, view_approvals(l->v, &f, begin(l), &t->err));
    assert_int_equal(at(v, "approvals")->array.count, 5);
    f = (struct view_approvals){.run = l->child, .state = STR("open")};
    v = shown(l, view_approvals(l->v, &f, begin(l), &t->err));
    assert_int_equal(at(v, "approvals")->array.count, 3);
    f = (struct view_approvals){0};
    v = shown(l, view_approvals(l->v, &f, begin(l), &t->err));
    assert_int_equal(at(v, "approvals")->array.count, 10);
    f.state = STR("maybe");
    must_fail(t, view_approvals(l->v, &f, begin(l), &t->err), EINVAL);
}

static void shows_lists(void **state)
{
    struct lab *l = *state;
    struct tmpstore *t = l->t;
    const struct json *v = shown(l, view_workflows(l->v, begin(l), &t->err));
    has(l, v, "workflows.0.workflow", "\"invoice-triage\"");
    has(l, v, "workflows.0.versions", "1");
    has(l, v, "workflows.0.runs.waiting", "1");
    has(l, v, "workflows.0.runs.dead", "0");
    v = shown(l, view_audit(l->v, 0, 0, begin(l), &t->err));
    has(l, v, "records.0.actor", "\"uid 1000\"");
    has(l, v, "records.0.detail.x", "1");
    assert_int_equal(at(v, "records.0.digest")->string.len, 64);
    v = shown(l, view_audit(l->v, 0, 1, begin(l), &t->err));
    has(l, v, "next", "1");
    v = shown(l, view_usage(l->v, STR_NONE, 0, begin(l), &t->err));
    has(l, v, "usage.0.day", "\"2026-11-23\"");
    has(l, v, "usage.0.cost", "1.5");
    has(l, v, "total.calls", "1");
    v = shown(l, view_usage(l->v, STR("nobody"), 0, begin(l), &t->err));
    has(l, v, "total.cost", "0");
    v = shown(l, view_counts(l->v, begin(l), &t->err));
    has(l, v, "runs.succeeded", "1");
    has(l, v, "waiting.approval", "1");
    has(l, v, "approvalsOpen", "1");
}

/* Bytes that workers and models wrote: whatever they are, the answer is JSON and is bounded. */
static void survives_any_bytes(void **state)
{
    struct lab *l = *state;
    struct tmpstore *t = l->t;
    struct buf deep;
    buf_init(&deep, 1 << 20);
    for (int i = 0; i < 60; i++)
        buf_char(&deep, '[');
    for (int i = 0; i < 60; i++)
        buf_char(&deep, ']');
    char *big = malloc(300002);
    memset(big, 'e', 300002);
    big[0] = big[300001] = '"';
    memcpy(big + 2046, "\xe2\x82\xac", 3);
    const struct str texts[] = {STR("\xff\xfe no text"),
                                STR("{\"a\":"),
                                STR(""),
                                STR("{\n \"a\" : [ 1,\r\n 2 ]\n}"),
                                buf_str(&deep),
                                {big, 300002},
                                STR("\"\\ud800\""),
                                STR("{\"a\":1,\"a\":2}")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct store_step st = tmpstore_step(l->run, 10 + (int64_t)i);
        st.key = texts[0];
        st.reason = texts[i].len < 1000 ? texts[i] : STR("");
        st.info = texts[i].len < 1000 ? texts[i] : STR("");
        st.request_doc = tmpstore_doc(t, texts[i]);
        must_ok(t, store_step_add(t->store, &st, &t->err));
        must_ok(t,
                store_log_add(t->store, l->run, 1, STR("info"), STR("worker"), texts[i], &t->err));
        must_ok(t, store_commit(t->store, &t->err));
        const struct json *v = shown(l, view_step(l->v, l->run, st.seq, false, begin(l), &t->err));
        assert_true(l->out.len < 20000);
        if (i == 3)
            has(l, v, "request", "{\"a\":[1,2]}");
        else if (i == 5)
            has(l, v, "request.$cut.bytes", "300002");
        else
            assert_non_null(at(v, "request.$cut.text"));
        v = shown(l, view_step(l->v, l->run, st.seq, true, begin(l), &t->err));
        if (i == 5)
            assert_int_equal(at(v, "request")->raw.len, 300002);
        arena_reset(&t->arena);
    }
    (void)shown(l, view_steps(l->v, l->run, 0, 0, begin(l), &t->err));
    (void)shown(l, view_trace(l->v, l->run, begin(l), &t->err));
    (void)shown(l, view_run(l->v, l->run, begin(l), &t->err));
    free(big);
    buf_release(&deep);
}

static void refuses_what_it_cannot_read(void **state)
{
    struct tmpstore *t = *state;
    struct view *v = NULL;
    must_fail(t, view_open("/nowhere", &v, &t->err), ENOENT);
    tmpstore_close(t);
    tmpstore_sql(t, "PRAGMA user_version=987");
    must_fail(t, view_open(t->dir, &v, &t->err), EPROTO);
    assert_non_null(strstr(t->err.text, "schema 987"));
    tmpstore_sql(t, "PRAGMA application_id=2");
    must_fail(t, view_open(t->dir, &v, &t->err), EPROTO);
    view_close(NULL);
}

/* ---- another user, read-only, beside a live writer
 * ----------------------------------------------- */

#define READER_UID 54321
#define READER_GID 54322

struct reader {
    pid_t pid;
    int ask, answer;
};

static int64_t rows_seen(struct view *v)
{
    struct buf out;
    struct jout j;
    struct arena a;
    const struct json *tree = NULL;
    buf_init(&out, 1 << 20);
    arena_init(&a, 1 << 20);
    jout_begin(&j, &out);
    struct view_runs f = {.limit = 1};
    struct err err = ERR_INIT;
    int r = view_runs(v, &f, &j, &err);
    int64_t id = -1;
    if (r >= 0 && jout_end(&j) >= 0 &&
        json_parse(&a, buf_str(&out), &JSON_LIMITS_DEFAULT, &tree, NULL, &err) >= 0)
        id = at(tree, "runs.0.run") != NULL ? at(tree, "runs.0.run")->integer : 0;
    else
        (void)fprintf(stderr, "reader: %s\n", err.text);
    arena_release(&a);
    buf_release(&out);
    return id;
}

/* The reader: gives up all rights, opens the store, and answers each byte with the newest run that
 * it sees. */
static void be_reader(const char *dir, int ask, int answer)
{
    static const char *const names[] = {"reeve.db", "reeve.db-wal", "reeve.db-shm", "reeve.lock"};
    struct err err = ERR_INIT;
    struct view *v = NULL;
    int64_t seen = -1;
    char byte;
    bool powerless = setgroups(0, NULL) == 0 && setgid(READER_GID) == 0 && setuid(READER_UID) == 0;
    for (size_t i = 0; i < ARRAY_LEN(names) && powerless; i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        powerless = open(path, O_RDWR) < 0 && unlink(path) < 0;
    }
    if (powerless && view_open(dir, &v, &err) < 0)
        (void)fprintf(stderr, "reader: %s\n", err.text);
    while (read(ask, &byte, 1) == 1 && byte == '?') {
        seen = v != NULL ? rows_seen(v) : -1;
        if (write(answer, &seen, sizeof(seen)) != sizeof(seen))
            break;
    }
    view_close(v);
    _exit(0);
}

static struct reader reader_start(const char *dir)
{
    int ask[2], answer[2];
    assert_int_equal(pipe(ask), 0);
    assert_int_equal(pipe(answer), 0);
    struct reader r = {fork(), ask[1], answer[0]};
    if (r.pid == 0) {
        /* A program of its own, as reeve-control is: SQLite must not be carried over a fork. */
        char in[16], out[16];
        (void)snprintf(in, sizeof(in), "%d", ask[0]);
        (void)snprintf(out, sizeof(out), "%d", answer[1]);
        execl("/proc/self/exe", "view", "reader", dir, in, out, (char *)NULL);
        _exit(127);
    }
    close(ask[0]);
    close(answer[1]);
    return r;
}

static int64_t reader_sees(struct reader *r)
{
    int64_t seen = -2;
    assert_int_equal(write(r->ask, "?", 1), 1);
    assert_int_equal(read(r->answer, &seen, sizeof(seen)), sizeof(seen));
    return seen;
}

static void reader_end(struct reader *r)
{
    assert_int_equal(write(r->ask, ".", 1),
                     1); /* a later reader holds this pipe too: its end is no sign */
    close(r->ask);
    close(r->answer);
    assert_int_equal(waitpid(r->pid, NULL, 0), r->pid);
}

static void reopen_for_group(struct tmpstore *t)
{
    struct store_options o = tmpstore_options;
    o.group = READER_GID;
    tmpstore_close(t);
    must_ok(t, store_open(t->dir, &o, &t->store, &t->err));
}

static void another_user_reads(void **state)
{
    struct tmpstore *t = *state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(t->dir, 0, READER_GID), 0);
    assert_int_equal(chmod(t->dir, 0750), 0);
    reopen_for_group(t);
    int64_t run = tmpstore_run(t, "w");
    must_ok(t, store_commit(t->store, &t->err));
    struct reader early = reader_start(t->dir);
    assert_int_equal(reader_sees(&early), run);

    run = tmpstore_run(t, "w"); /* not committed: not seen, and the writer is not in the way */
    assert_int_equal(reader_sees(&early), run - 1);
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(reader_sees(&early), run);

    struct store_stats st;
    int64_t commits = 0;
    do { /* over several checkpoints, and the log begun anew */
        for (int i = 0; i < 20; i++)
            run = tmpstore_run(t, "w");
        must_ok(t, store_commit(t->store, &t->err));
        if (++commits % 50 == 0)
            assert_int_equal(reader_sees(&early), run);
        store_stats(t->store, &st);
    } while (commits < 2000);
    assert_true(st.file_bytes > (uint64_t)1 << 20 && st.wal_bytes < (uint64_t)16 << 20);

    struct reader late = reader_start(t->dir);
    assert_int_equal(reader_sees(&late), run);
    reopen_for_group(t); /* a clean end and start of the writer, with readers there */
    assert_int_equal(reader_sees(&early), run);
    run = tmpstore_run(t, "w");
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(reader_sees(&early), run);
    assert_int_equal(reader_sees(&late), run);
    reader_end(&early);
    reader_end(&late);

    tmpstore_close(t); /* nobody has it open */
    late = reader_start(t->dir);
    assert_int_equal(reader_sees(&late), run);
    reader_end(&late);
}

/* The writer is killed with committed work in its log; a reader comes before and after. */
static void reads_after_a_crash(void **state)
{
    struct tmpstore *t = *state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(t->dir, 0, READER_GID), 0);
    assert_int_equal(chmod(t->dir, 0750), 0);
    reopen_for_group(t);
    tmpstore_close(t);
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t writer = fork();
    if (writer == 0) {
        reopen_for_group(t);
        for (int i = 0; i < 30; i++)
            (void)tmpstore_run(t, "w");
        must_ok(t, store_commit(t->store, &t->err));
        (void)tmpstore_run(t, "w");
        (void)!write(ready[1], "!", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct reader before = reader_start(t->dir);
    assert_int_equal(reader_sees(&before), 30);
    kill(writer, SIGKILL);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    assert_int_equal(reader_sees(&before), 30);
    struct reader after = reader_start(t->dir);
    assert_int_equal(reader_sees(&after), 30);
    reopen_for_group(t);
    int64_t run = tmpstore_run(t, "w");
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(reader_sees(&before), run);
    assert_int_equal(reader_sees(&after), run);
    reader_end(&before);
    reader_end(&after);
    close(ready[0]);
    close(ready[1]);
}

#define lab_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "reader") == 0)
        be_reader(argv[2], (int)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10));
    const struct CMUnitTest tests[] = {
        lab_test(lists_runs),
        lab_test(shows_a_run),
        lab_test(shows_steps),
        lab_test(traces_a_tree),
        lab_test(trace_is_bounded),
        lab_test(shows_approvals),
        lab_test(shows_lists),
        lab_test(survives_any_bytes),
        store_test(refuses_what_it_cannot_read),
        store_test(another_user_reads),
        store_test(reads_after_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
