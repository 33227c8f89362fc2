/*
 * approval.c: decisions, approvals and votes.
 */
#include "tests/lib/tmpstore.h"

static struct store_approval an_approval(int64_t run)
{
    return (struct store_approval){.run = run,
                                   .seq = 2,
                                   .kind = APPROVAL_TOOL,
                                   .what = STR("ledger/pay"),
                                   .shown = STR("{\"amount\":12}"),
                                   .tool = digest_of(STR("tool")),
                                   .arguments = digest_of(STR("arguments")),
                                   .policy = digest_of(STR("policy")),
                                   .approvers = STR("[\"ap-leads\"]"),
                                   .quorum = 2,
                                   .created_ms = 5,
                                   .expires_ms = 6};
}

struct seen {
    int64_t ids[200];
    int n, stop_after;
    struct tmpstore *t;
};

static int see(void *arg, const struct store_approval *a)
{
    struct seen *s = arg;
    s->ids[s->n++] = a->id;
    if (s->t != NULL) {
        struct store_approval u = *a;
        u.state = APPROVAL_EXPIRED;
        must_ok(s->t, store_approval_update(s->t->store, &u, &s->t->err));
    }
    return s->n == s->stop_after ? 42 : 0;
}

static void approvals_come_back_whole(void **state)
{
    struct tmpstore *t = *state;
    struct store_approval a = an_approval(tmpstore_run(t, "w")), got;
    int64_t id = 0;
    must_ok(t, store_approval_add(t->store, &a, &id, &t->err));
    tmpstore_reopen(t);
    must_ok(t, store_approval_get(t->store, id, &t->arena, &got, &t->err));
    assert_int_equal(got.id, id);
    assert_int_equal(got.run, a.run);
    assert_int_equal(got.seq, 2);
    assert_int_equal(got.kind, APPROVAL_TOOL);
    assert_int_equal(got.state, APPROVAL_OPEN);
    assert_str(got.what, "ledger/pay");
    assert_str(got.shown, "{\"amount\":12}");
    assert_str(got.approvers, "[\"ap-leads\"]");
    assert_true(digest_eq(&got.tool, &a.tool) && digest_eq(&got.arguments, &a.arguments) &&
                digest_eq(&got.policy, &a.policy));
    assert_int_equal(got.quorum, 2);
    assert_int_equal(got.created_ms, 5);
    assert_int_equal(got.expires_ms, 6);

    /* What was approved is not what an update could change (INV-08). */
    struct store_approval u = {.id = id,
                               .state = APPROVAL_APPROVED,
                               .decided_ms = 9,
                               .outcome = STR("{\"ok\":1}"),
                               .what = STR("ledger/other"),
                               .shown = STR("{}"),
                               .quorum = 0};
    must_ok(t, store_approval_update(t->store, &u, &t->err));
    must_ok(t, store_approval_get(t->store, id, &t->arena, &got, &t->err));
    assert_int_equal(got.state, APPROVAL_APPROVED);
    assert_int_equal(got.decided_ms, 9);
    assert_str(got.outcome, "{\"ok\":1}");
    assert_str(got.what, "ledger/pay");
    assert_str(got.shown, "{\"amount\":12}");
    assert_true(digest_eq(&got.arguments, &a.arguments));
    assert_int_equal(got.quorum, 2);
    u.id = 99;
    must_fail(t, store_approval_update(t->store, &u, &t->err), ENOENT);
    must_fail(t, store_approval_get(t->store, 99, &t->arena, &got, &t->err), ENOENT);
}

static void open_ones_are_listed(void **state)
{
    struct tmpstore *t = *state;
    struct store_approval a = an_approval(tmpstore_run(t, "w"));
    for (int i = 0; i < 90; i++) {
        a.state = i % 2 ? APPROVAL_USED : APPROVAL_OPEN;
        must_ok(t, store_approval_add(t->store, &a, &a.id, &t->err));
    }
    struct seen s = {0};
    assert_int_equal(store_approvals_open(t->store, see, &s, &t->err), 0);
    assert_int_equal(s.n, 45);
    s = (struct seen){.stop_after = 20};
    assert_int_equal(store_approvals_open(t->store, see, &s, &t->err), 42);
    s = (struct seen){.t = t}; /* each is changed while they are listed */
    assert_int_equal(store_approvals_open(t->store, see, &s, &t->err), 0);
    assert_int_equal(s.n, 45);
    s = (struct seen){0};
    assert_int_equal(store_approvals_open(t->store, see, &s, &t->err), 0);
    assert_int_equal(s.n, 0);
}

static int see_vote(void *arg, const struct store_vote *v)
{
    struct seen *s = arg;
    s->ids[s->n++] = v->uid;
    if (v->uid == 1000) {
        assert_str(v->user, "ann");
        assert_str(v->comment, "fine");
        assert_true(v->approve);
        assert_int_equal(v->at_ms, 7);
    }
    return 0;
}

static void one_vote_a_person(void **state)
{
    struct tmpstore *t = *state;
    struct store_approval a = an_approval(tmpstore_run(t, "w"));
    must_ok(t, store_approval_add(t->store, &a, &a.id, &t->err));
    struct store_vote v = {.approval = a.id,
                           .uid = 1000,
                           .user = STR("ann"),
                           .approve = true,
                           .comment = STR("fine"),
                           .at_ms = 7};
    must_ok(t, store_vote_add(t->store, &v, &t->err));
    v.approve = false;
    must_fail(t, store_vote_add(t->store, &v, &t->err), EEXIST);
    assert_non_null(strstr(t->err.text, "ann has already voted"));
    v.uid = 0;
    v.user = STR("root");
    must_ok(t, store_vote_add(t->store, &v, &t->err));
    v.approval = 99;
    must_fail(t, store_vote_add(t->store, &v, &t->err), ENOENT);
    tmpstore_reopen(t); /* the refused ones have not hurt the transaction */
    struct seen s = {0};
    assert_int_equal(store_votes(t->store, a.id, see_vote, &s, &t->err), 0);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.ids[0], 0);
    s = (struct seen){0};
    assert_int_equal(store_votes(t->store, 99, see_vote, &s, &t->err), 0);
    assert_int_equal(s.n, 0);
}

static void decisions_are_numbered(void **state)
{
    struct tmpstore *t = *state;
    struct store_decision d = {.run = 1,
                               .seq = 2,
                               .ask = STR("call:ledger/pay"),
                               .allow = true,
                               .policy = digest_of(STR("p")),
                               .reasons = STR("[\"pay-small\"]"),
                               .errors = STR("[]"),
                               .facts = STR("{}"),
                               .at_ms = 4};
    int64_t first = 0, second = 0;
    must_ok(t, store_decision_add(t->store, &d, &first, &t->err));
    must_ok(t, store_decision_add(t->store, &d, &second, &t->err));
    assert_true(first > 0 && second > first);
    must_ok(t, store_commit(t->store, &t->err));
    assert_int_equal(
        tmpstore_number(t, "SELECT count(*) FROM decision WHERE run=1 AND seq=2 AND allow=1"
                           " AND facts='{}' AND reasons='[\"pay-small\"]'"),
        2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(approvals_come_back_whole),
        store_test(open_ones_are_listed),
        store_test(one_vote_a_person),
        store_test(decisions_are_numbered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
