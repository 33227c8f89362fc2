/*
 * gate.c: see gate.h. Runs in reeved. The vote comes from reeve-control with the peer's
 * credentials, which the kernel vouches for; comments and outcomes are foreign text.
 */
#include "supervisor/gate.h"

#include "supervisor/asking.h"
#include "supervisor/audit.h"
#include "supervisor/verify.h"
#include "supervisor/waits.h"

#define COMMENT_MAX 1024

/* ---- opening
 * ---------------------------------------------------------------------------------------------- */

static int put_gate(const struct ask_gate *g, struct buf *out, struct err *err)
{
    struct jout j;
    jout_begin(&j, out);
    ask_gate_put(&j, g);
    int e = jout_end(&j);
    return e < 0 ? err_sys(err, -e, "write a gate") : 0;
}

static int open_gate(struct run *r, struct store_approval *ap, const struct ask_gate *g,
                     int64_t *ret_id, struct err *err)
{
    struct buf gate;
    buf_init(&gate, 65536);
    int e = put_gate(g, &gate, err);
    ap->run = r->rec.id;
    ap->state = APPROVAL_OPEN;
    ap->approvers = buf_str(&gate);
    ap->quorum = (int)g->quorum;
    ap->created_ms = reeved_now(r->rv);
    ap->expires_ms = g->expires_ms ? ap->created_ms + g->expires_ms : 0;
    if (e >= 0)
        e = store_approval_add(r->rv->store, ap, ret_id, err);
    if (e >= 0)
        e = audit_approval(r->rv, *ret_id, STR("reeve"), "opened", ap->what, err);
    buf_release(&gate);
    if (e >= 0)
        log_info(&r->rv->log, "run %" PRId64 ": approval %" PRId64 " is open: %.*s", r->rec.id,
                 *ret_id, STR_FMT(ap->what));
    return e;
}

int gate_open_tool(struct effect *e, const struct ask_tool *asked, const struct digest *tool,
                   const struct store_step *more, struct err *err)
{
    struct run *r = e->r;
    struct buf shown;
    struct jout j;
    struct store_step rec = more ? *more : (struct store_step){0};
    int64_t id;
    buf_init(&shown, 20u << 20);
    jout_begin(&j, &shown);
    if (asked->mask_all)
        jout_cstr(&j, "*** (obligations of policy could not be evaluated)");
    else
        facts_put_masked(&j, e->parsed, asked->masks);
    int rc = jout_end(&j);
    struct store_approval ap = {.kind = APPROVAL_TOOL,
                                .what = e->key,
                                .shown = buf_str(&shown),
                                .tool = *tool,
                                .seq = e->s ? e->s->rec.seq : r->rec.next_seq,
                                .policy = r->rv->house->digest};
    rc = rc < 0 ? err_sys(err, -rc, "write an approval")
                : digest_of_json(e->parsed, &ap.arguments, err);
    if (rc >= 0)
        rc = open_gate(r, &ap, &asked->gate, &id, err);
    buf_release(&shown);
    if (rc < 0)
        return rc;
    rec.approval = id;
    rec.wake_ms = asked->gate.expires_ms ? reeved_now(r->rv) + asked->gate.expires_ms : 0;
    if (!e->s)
        return effect_record(e, STEP_GATED, &rec, err);
    e->s->rec.approval = id;
    e->s->rec.wake_ms = rec.wake_ms;
    return step_set(r, e->s, STEP_GATED, "", err);
}

int gate_open_unknown(struct run *r, struct step *s, const char *why, struct err *err)
{
    struct arena a;
    struct str request = STR_NONE;
    static const struct ask_gate gate = {.quorum = 1};
    int64_t id;
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = s->rec.request_doc ? store_text_get(r->rv->store, s->rec.request_doc,
                                                s->rec.request_text, &a, &request, err)
                               : 0;
    struct store_approval ap = {.kind = APPROVAL_UNKNOWN_EFFECT,
                                .what = s->rec.key,
                                .seq = s->rec.seq,
                                .shown = request.len ? request : STR("{}"),
                                .arguments = s->rec.request,
                                .policy = r->rv->house->digest};
    if (e >= 0)
        e = open_gate(r, &ap, &gate, &id, err);
    arena_release(&a);
    if (e < 0)
        return e;
    s->rec.approval = id;
    s->rec.wake_ms = 0;
    e = step_set(r, s, STEP_UNKNOWN, why, err);
    /* A run that stood in another wait, or is about to line up, still finds the gate when it
     * replays. */
    if (e >= 0 && r->rec.state == RUN_WAITING && r->rec.wait != WAIT_PAUSED) {
        r->rec.wait = WAIT_UNKNOWN;
        e = run_save(r, err);
    }
    return e < 0 ? e : verify_begin(r, s, err);
}

static int question_gate(const struct json *params, struct arena *a, struct ask_gate *ret,
                         struct err *err)
{
    const struct json *groups = json_get(params, "approvers");
    *ret = (struct ask_gate){0};
    if (json_i64_or(params, "quorum", 1, &ret->quorum, err) < 0 ||
        json_i64_or(params, "expiresMs", ASK_EXPIRES_DEFAULT_MS, &ret->expires_ms, err) < 0)
        return -EINVAL;
    if (ret->quorum < 1 || ret->quorum > ASK_QUORUM_MAX || ret->expires_ms < 1000)
        return err_set(err, EINVAL, "quorum is 1 to %d, expiresMs at least 1000", ASK_QUORUM_MAX);
    if (!groups || groups->type == JSON_NULL)
        return 0;
    if (groups->type != JSON_ARRAY || groups->array.count > ASK_APPROVERS_MAX)
        return err_set(err, EINVAL, "approvers: expected up to %d names", ASK_APPROVERS_MAX);
    for (size_t i = 0; i < groups->array.count; i++) {
        if (groups->array.items[i].type != JSON_STRING)
            return err_set(err, EINVAL, "approvers: expected names");
        ret->clauses[0].groups[ret->clauses[0].count++] =
            arena_str(a, groups->array.items[i].string);
        ret->clause_count = 1;
    }
    return 0;
}

int gate_open_question(struct run *r, const struct step_ask *q, struct err *err)
{
    struct arena a;
    struct ask_gate gate;
    struct err why = ERR_INIT;
    struct step *s;
    int64_t id = 0;
    arena_init(&a, 65536);
    if (question_gate(q->parsed, &a, &gate, &why) < 0) {
        arena_release(&a);
        return wire_error(r->wire, q->id, WIRE_E_PARAMS, "approval/request: %s", why.text);
    }
    struct store_approval ap = {.kind = APPROVAL_QUESTION,
                                .what = q->key,
                                .shown = q->request,
                                .seq = r->rec.next_seq,
                                .policy = r->rv->house->digest};
    int e = digest_of_json(q->parsed, &ap.arguments, err);
    if (e >= 0)
        e = open_gate(r, &ap, &gate, &id, err);
    arena_release(&a);
    const struct store_step more = {.approval = id, .wake_ms = reeved_now(r->rv) + gate.expires_ms};
    return e < 0 ? e : step_begin(r, q, STEP_OPEN, &more, &s, err);
}

/* ---- looking
 * ------------------------------------------------------------------------------------------------
 */

int gate_set(struct reeved *rv, struct store_approval *ap, enum approval_state state,
             struct err *err)
{
    ap->state = state;
    if (!ap->decided_ms)
        ap->decided_ms = reeved_now(rv);
    int e = store_approval_update(rv->store, ap, err);
    return e < 0 ? e
                 : audit_approval(rv, ap->id, STR("reeve"), approval_state_name(state), ap->what,
                                  err);
}

int gate_look(struct run *r, struct step *s, struct arena *a, struct store_approval *ret,
              struct err *err)
{
    int e = store_approval_get(r->rv->store, s->rec.approval, a, ret, err);
    if (e >= 0 && ret->state == APPROVAL_OPEN && ret->expires_ms &&
        ret->expires_ms <= reeved_now(r->rv))
        e = gate_set(r->rv, ret, APPROVAL_EXPIRED, err);
    return e;
}

bool gate_is_for(const struct store_approval *a, const struct digest *tool,
                 const struct digest *arguments, const struct digest *policy)
{
    return digest_eq(&a->tool, tool) && digest_eq(&a->arguments, arguments) &&
           digest_eq(&a->policy, policy);
}

struct votes {
    struct reeved *rv;
    struct arena *a;
    struct ask_vote yes[ASK_QUORUM_MAX * 2];
    struct facts_user users[ASK_QUORUM_MAX * 2];
    size_t yes_count;
    struct str last_user, last_comment;
    bool last_approve;
    int64_t last_ms;
};

static int on_vote(void *arg, const struct store_vote *v)
{
    struct votes *all = arg;
    const struct person *p = house_person(all->rv->house, v->user);
    all->last_user = arena_str(all->a, v->user);
    all->last_comment = arena_str(all->a, v->comment);
    all->last_approve = v->approve;
    all->last_ms = v->at_ms;
    if (!v->approve || all->yes_count == ARRAY_LEN(all->yes))
        return 0;
    struct strs teams = p ? p->teams : (struct strs){0};
    all->users[all->yes_count] =
        (struct facts_user){.name = all->last_user, .uid = v->uid, .teams = teams};
    all->yes[all->yes_count++] = (struct ask_vote){.user = all->last_user, .teams = teams};
    return 0;
}

static int load_votes(struct reeved *rv, int64_t approval, struct arena *a, struct votes *ret,
                      struct err *err)
{
    *ret = (struct votes){.rv = rv, .a = a};
    return store_votes(rv->store, approval, on_vote, ret, err);
}

int gate_facts(struct reeved *rv, const struct store_approval *ap, struct arena *a,
               struct facts_approval *ret, struct err *err)
{
    struct votes *v = ARENA_NEW(a, struct votes);
    if (!v)
        return err_sys(err, ENOMEM, "approval %" PRId64, ap->id);
    int e = load_votes(rv, ap->id, a, v, err);
    *ret = (struct facts_approval){.by = v->users, .count = v->yes_count, .at_ms = v->last_ms};
    return e;
}

int gate_refusal(struct reeved *rv, const struct store_approval *ap, struct arena *a,
                 struct str *ret, struct err *err)
{
    struct votes v;
    int e = load_votes(rv, ap->id, a, &v, err);
    if (e < 0)
        return e;
    if (ap->state == APPROVAL_REJECTED)
        *ret = arena_fmt(a, "rejected by %.*s (approval %" PRId64 ")%s%.*s", STR_FMT(v.last_user),
                         ap->id, v.last_comment.len ? ": " : "", STR_FMT(v.last_comment));
    else
        *ret = arena_fmt(a, "approval %" PRId64 " is %s: nobody decided in time", ap->id,
                         approval_state_name(ap->state));
    return ret->ptr ? 0 : err_sys(err, ENOMEM, "approval %" PRId64, ap->id);
}

/* ---- deciding
 * ------------------------------------------------------------------------------------------------
 */

/* Does policy permit this person to approve this? Default deny, as everywhere. */
static int ask_policy(struct run *r, const struct gate_vote *v, const struct store_approval *ap,
                      struct arena *a, struct err *err)
{
    struct facts f;
    struct ask_decision d;
    int64_t id;
    int e = asking_facts(r, ap->seq, a, &f, err);
    if (e < 0)
        return e;
    f.ask = ASK_APPROVE;
    f.user = (struct facts_user){.name = v->user, .uid = v->uid, .teams = v->teams};
    if (ap->kind != APPROVAL_QUESTION) {
        struct str tool = ap->what;
        if (str_split(&tool, '/', &f.tool.server))
            f.tool.tool = tool;
        const struct server *s = version_server(r->version, f.tool.server);
        f.tool.server_tenant = s ? s->tenant : STR_NONE;
        f.tool.class = s ? server_tool_of(s, tool).class : TOOL_IRREVERSIBLE;
    }
    e = ask_decide(r->rv->house, &f, a, &d, err);
    if (e >= 0)
        e = asking_keep(r->rv, r->rec.id, ap->seq, &d, "approve", &id, err);
    if (e >= 0 && !d.allow)
        return err_set(err, EPERM, "%.*s may not decide approval %" PRId64 ": %s", STR_FMT(v->user),
                       ap->id, d.text);
    return e;
}

static int check_vote(struct run *r, const struct gate_vote *v, struct store_approval *ap,
                      struct arena *a, struct ask_gate *gate, struct err *err)
{
    const struct json *spec;
    if (ap->state == APPROVAL_OPEN && ap->expires_ms && ap->expires_ms <= reeved_now(r->rv)) {
        int e = gate_set(r->rv, ap, APPROVAL_EXPIRED, err);
        if (e < 0)
            return e;
    }
    if (ap->state != APPROVAL_OPEN)
        return err_set(err, EALREADY, "approval %" PRId64 " is %s already", ap->id,
                       approval_state_name(ap->state));
    if (v->comment.len > COMMENT_MAX)
        return err_set(err, EINVAL, "a comment has up to %d bytes", COMMENT_MAX);
    if (ap->kind == APPROVAL_UNKNOWN_EFFECT && v->approve && !v->outcome)
        return err_set(err, EINVAL,
                       "approval %" PRId64
                       " asks what happened to %.*s: say that it happened (with its result), or "
                       "that it did not and is to be done; reject stops the run",
                       ap->id, STR_FMT(ap->what));
    int e = json_parse(a, ap->approvers, &JSON_LIMITS_DEFAULT, &spec, NULL, err);
    if (e >= 0)
        e = ask_gate_parse(spec, gate, err);
    if (e >= 0 && !ask_gate_counts(gate, v->teams))
        return err_set(err, EPERM, "%.*s is in none of the groups that approval %" PRId64 " names",
                       STR_FMT(v->user), ap->id);
    return e < 0 ? e : ask_policy(r, v, ap, a, err);
}

static int add_vote(struct reeved *rv, const struct gate_vote *v, struct err *err)
{
    const struct store_vote vote = {.approval = v->approval,
                                    .uid = v->uid,
                                    .user = v->user,
                                    .approve = v->approve,
                                    .comment = v->comment,
                                    .at_ms = reeved_now(rv)};
    int e = store_vote_add(rv->store, &vote, err);
    if (e == -EEXIST)
        return err_set(err, EALREADY, "%.*s voted on approval %" PRId64 " already",
                       STR_FMT(v->user), v->approval);
    return e < 0 ? e
                 : audit_approval(rv, v->approval, v->user, v->approve ? "yes" : "no", v->comment,
                                  err);
}

/* The step takes what was decided; a worker that waits, or comes back, is told. */
static int apply(struct run *r, struct store_approval *ap, struct arena *a, struct err *err)
{
    int e = run_journal(r, err);
    struct step *s = e >= 0 ? journal_find(&r->journal, ap->seq) : NULL;
    if (!s || s->rec.approval != ap->id || step_is_settled(s))
        return e;
    if (ap->kind == APPROVAL_QUESTION)
        return waits_question_decided(r, s, ap, a, err);
    if (ap->kind == APPROVAL_TOOL) {
        e = asking_note(r, ap->seq, ap->state == APPROVAL_APPROVED ? OF_APPROVALS : OF_REJECTIONS,
                        ap->what, NULL, err);
        if (e >= 0)
            e = effect_go_on(r, s, err);
        return e;
    }
    if (ap->state == APPROVAL_REJECTED)
        return run_event(r, LIFE_REFUSED,
                         "stopped by a person: what became of an effect is unknown", err);
    return effect_go_on(r, s, err);
}

static int decided(struct reeved *rv, struct run *r, const struct gate_vote *v,
                   const struct ask_gate *gate, struct store_approval *ap, int *ret_votes,
                   struct arena *a, struct err *err)
{
    struct votes votes;
    int e = load_votes(rv, ap->id, a, &votes, err);
    *ret_votes = (int)votes.yes_count;
    if (e < 0)
        return e;
    enum approval_state next = !v->approve ? APPROVAL_REJECTED
                               : ask_gate_is_met(gate, votes.yes, votes.yes_count)
                                   ? APPROVAL_APPROVED
                                   : APPROVAL_OPEN;
    if (next == APPROVAL_OPEN)
        return 0;
    if (v->outcome)
        ap->outcome = v->outcome->raw;
    e = gate_set(rv, ap, next, err);
    return e < 0 ? e : apply(r, ap, a, err);
}

int gate_decide(struct reeved *rv, const struct gate_vote *v, struct store_approval *ret,
                int *ret_votes, struct arena *a, struct err *err)
{
    struct run *r;
    struct ask_gate gate;
    int e = store_approval_get(rv->store, v->approval, a, ret, err);
    if (e >= 0)
        e = run_get(rv, ret->run, &r, err);
    if (e < 0)
        return e;
    if ((e = check_vote(r, v, ret, a, &gate, err)) >= 0 && (e = add_vote(rv, v, err)) >= 0)
        e = decided(rv, r, v, &gate, ret, ret_votes, a, err);
    reeved_changed(rv, ret->run);
    if (e >= 0 && ret->state != APPROVAL_OPEN)
        run_wake(rv, ret->run, "");
    run_put(r);
    return e;
}

int gate_answer(struct run *r, int64_t approval, struct str actor, struct str outcome,
                struct err *err)
{
    struct arena a;
    struct store_approval ap;
    arena_init(&a, RUN_MESSAGE_ARENA);
    int e = store_approval_get(r->rv->store, approval, &a, &ap, err);
    if (e >= 0 && ap.state == APPROVAL_OPEN && ap.kind == APPROVAL_UNKNOWN_EFFECT) {
        ap.outcome = outcome;
        e = audit_approval(r->rv, approval, actor, "answered", outcome, err);
        if (e >= 0)
            e = gate_set(r->rv, &ap, APPROVAL_APPROVED, err);
        if (e >= 0)
            e = apply(r, &ap, &a, err);
        if (e >= 0)
            run_wake(r->rv, r->rec.id, "");
    }
    arena_release(&a);
    return e;
}

/* ---- closing
 * ---------------------------------------------------------------------------------------------------
 */

int gate_close_run(struct run *r, struct err *err)
{
    struct arena a;
    int e = run_journal(r, err);
    arena_init(&a, RUN_MESSAGE_ARENA);
    for (size_t i = 0; e >= 0 && i < r->journal.count; i++) {
        struct step *s = r->journal.steps[i];
        struct store_approval ap;
        if (!s->rec.approval || step_is_settled(s))
            continue;
        e = store_approval_get(r->rv->store, s->rec.approval, &a, &ap, err);
        if (e >= 0 && (ap.state == APPROVAL_OPEN || ap.state == APPROVAL_APPROVED))
            e = gate_set(r->rv, &ap, APPROVAL_CANCELLED, err);
    }
    arena_release(&a);
    return e;
}
