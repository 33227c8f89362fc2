/*
 * ask.c: see ask.h. Every way through that is not a clear yes ends in a deny.
 */
#include "policy/ask.h"

#include "policy/cedar/cedar.h"
#include "policy/notes.h"
#include "policy/request.h"

#define FACTS_MAX (20u << 20)
#define NAMED_MAX 3 /* policies named in a text */

_Static_assert(ASK_QUORUM_MAX == NOTES_QUORUM_MAX && ASK_APPROVERS_MAX == NOTES_LIST_MAX,
               "one bound");

struct asker {
    const struct house *h;
    const struct facts *f;
    struct arena *arena;
    struct request request;
    struct digest facts;
    struct str facts_json;
    struct err *err;
};

/* ---- texts ---- */

PRINTF(2, 3)
static void say(struct ask_decision *d, const char *fmt, ...)
{
    struct err e = ERR_INIT; /* cuts, and keeps one line of printable text */
    char text[ASK_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(&e, EINVAL, "%s", text);
    snprintf(d->text, sizeof(d->text), "%.*s", (int)sizeof(d->text) - 1, e.text);
}

static void name_policies(struct strs ids, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < MIN(ids.count, NAMED_MAX); i++) {
        int n = snprintf(text + used, size - used, "%s\"%.*s\"", i ? ", " : "",
                         STR_FMT(str_slice(ids.items[i], 0, 80)));
        used = MIN(size - 1, used + (size_t)MAX(n, 0));
    }
    if (ids.count > NAMED_MAX)
        snprintf(text + used, size - used, " and %zu more", ids.count - NAMED_MAX);
}

static void describe(const struct asker *a, struct ask_decision *d)
{
    const struct facts_tool *t = &a->f->tool;
    char names[320], what[256];
    name_policies(d->policies, names, sizeof(names));
    if (d->ask <= ASK_OBLIGE)
        snprintf(what, sizeof(what), "%s:%.*s/%.*s", facts_ask_name(d->ask),
                 STR_FMT(str_slice(t->server, 0, 63)), STR_FMT(str_slice(t->tool, 0, 128)));
    else
        snprintf(what, sizeof(what), "%s", facts_ask_name(d->ask));
    if (d->erred)
        say(d, "denied: policy \"%.*s\" ended in an error: %.*s",
            STR_FMT(str_slice(d->errors[0].policy, 0, 80)),
            STR_FMT(str_slice(d->errors[0].message, 0, 300)));
    else if (d->allow)
        say(d, "permitted by policy %s", names);
    else if (d->forbidden)
        say(d, "denied by policy %s", names);
    else
        say(d, "no policy permits %s", what);
}

/* ---- one ask ---- */

static int copy_ids(struct arena *arena, const struct cedar_matches *m, struct strs *ret)
{
    struct str *ids = ARENA_ARRAY(arena, MAX(m->count, 1), struct str);
    if (!ids)
        return -ENOMEM;
    for (size_t i = 0; i < m->count; i++) {
        ids[i] = arena_str(arena, m->items[i]->id);
        if (!ids[i].ptr)
            return -ENOMEM;
    }
    *ret = (struct strs){ids, m->count};
    return 0;
}

static int copy_errors(struct arena *arena, const struct cedar_answer *answer,
                       struct ask_decision *d)
{
    struct ask_error *e = ARENA_ARRAY(arena, MAX(answer->error_count, 1), struct ask_error);
    if (!e)
        return -ENOMEM;
    for (size_t i = 0; i < answer->error_count; i++) {
        e[i].policy = arena_str(arena, answer->errors[i].policy->id);
        e[i].message = answer->errors[i].text;
        if (!e[i].policy.ptr)
            return -ENOMEM;
    }
    d->errors = e;
    d->error_count = answer->error_count;
    return 0;
}

static int decide(struct asker *a, enum facts_ask ask, struct ask_decision *d,
                  struct cedar_answer *answer)
{
    *d = (struct ask_decision){
        .ask = ask, .set = a->h->digest, .facts = a->facts, .facts_json = a->facts_json};
    int rc = cedar_authorize(a->h->policies, &a->request.cedar, a->request.entities, a->arena,
                             answer, a->err);
    if (rc < 0)
        return rc;
    d->erred = answer->error_count > 0;
    d->forbidden = answer->forbids.count > 0;
    d->allow = answer->allow && !d->erred && !d->forbidden;
    if (copy_ids(a->arena, &answer->reasons, &d->policies) < 0 ||
        copy_errors(a->arena, answer, d) < 0)
        return err_set(a->err, ENOMEM, "out of memory");
    describe(a, d);
    return 0;
}

/* The facts as they will be kept, in the arena. */
static int write_facts(struct asker *a)
{
    struct buf out;
    buf_init(&out, FACTS_MAX);
    int rc = facts_put(a->f, &out, &a->facts, a->err);
    if (rc == 0) {
        a->facts_json = arena_str(a->arena, buf_str(&out));
        if (!a->facts_json.ptr)
            rc = err_set(a->err, ENOMEM, "out of memory");
    }
    buf_release(&out);
    return rc;
}

/* The call is not judged: no policy was asked. The record says why, and which facts there were. */
static void refuse(struct asker *a, struct ask_decision *d)
{
    *d = (struct ask_decision){.ask = a->f->ask,
                               .unconvertible = true,
                               .set = a->h->digest,
                               .facts = a->facts,
                               .facts_json = a->facts_json};
    say(d, "denied: it cannot be judged: %s", a->err->text);
    *a->err = ERR_INIT;
}

/* A number beyond all (1e400) has no canonical form: the facts are kept without the input that
 * holds it. */
static int refuse_number(struct asker *a, struct ask_decision *d)
{
    struct err why = *a->err;
    struct facts rest = *a->f;
    const struct facts *whole = a->f;
    rest.input = NULL;
    rest.tool.schema = NULL;
    a->f = &rest;
    int rc = write_facts(a);
    a->f = whole;
    if (rc < 0)
        return rc;
    *a->err = why;
    refuse(a, d);
    return 1;
}

/* 1: the facts cannot be judged, *d says so; 0: the request is there; else an error. */
static int prepare(struct asker *a, struct ask_decision *d)
{
    int rc = write_facts(a);
    if (rc == -ERANGE)
        return refuse_number(a, d);
    if (rc < 0)
        return rc;
    rc = request_make(a->f, a->arena, &a->request, a->err);
    if (rc != -EINVAL && rc != -ERANGE && rc != -EEXIST && rc != -EILSEQ)
        return rc;
    refuse(a, d);
    return 1;
}

int ask_decide(const struct house *h, const struct facts *f, struct arena *arena,
               struct ask_decision *ret, struct err *err)
{
    struct err own = ERR_INIT;
    struct asker a = {.h = h, .f = f, .arena = arena, .err = err ? err : &own};
    struct cedar_answer answer;
    *ret = (struct ask_decision){.ask = f->ask};
    int rc = prepare(&a, ret);
    if (rc == 0)
        rc = decide(&a, f->ask, ret, &answer);
    request_release(&a.request);
    if (rc < 0)
        ret->allow = false;
    return MIN(rc, 0);
}

static void put_hex(struct jout *j, const char *name, const struct digest *d)
{
    char hex[DIGEST_HEX];
    digest_hex(d, hex);
    jout_m_cstr(j, name, hex);
}

void ask_put(struct jout *j, const struct ask_decision *d)
{
    jout_object(j);
    jout_m_cstr(j, "ask", facts_ask_name(d->ask));
    jout_m_bool(j, "allow", d->allow);
    jout_name(j, "policies");
    jout_array(j);
    for (size_t i = 0; i < d->policies.count; i++)
        jout_str(j, d->policies.items[i]);
    jout_array_end(j);
    jout_name(j, "errors");
    jout_array(j);
    for (size_t i = 0; i < d->error_count; i++) {
        jout_object(j);
        jout_m_str(j, "policy", d->errors[i].policy);
        jout_m_str(j, "message", d->errors[i].message);
        jout_object_end(j);
    }
    jout_array_end(j);
    put_hex(j, "set", &d->set);
    put_hex(j, "facts", &d->facts);
    jout_m_cstr(j, "text", d->text);
    jout_object_end(j);
}

/* ---- annotations ---- */

static bool is_listed(const struct str *items, size_t n, struct str s)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(items[i], s))
            return true;
    }
    return false;
}

/* All parts of an annotation of all permits, each once. */
static int gather(const struct asker *a, const struct cedar_matches *permits, const char *name,
                  bool split, struct strs *ret)
{
    size_t n = 0, max = permits->count * NOTES_LIST_MAX;
    struct str *items = ARENA_ARRAY(a->arena, MAX(max, 1), struct str);
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < permits->count; i++) {
        const struct str *value = cedar_policy_annotation(permits->items[i], name);
        struct str rest = value ? *value : STR_NONE, part = rest;
        while (split ? notes_next(&rest, &part) : part.len > 0) {
            if (part.len > 0 && n < max && !is_listed(items, n, part))
                items[n++] = part;
            if (!split)
                break;
        }
    }
    *ret = (struct strs){items, n};
    return 0;
}

static bool add_clause(struct ask_gate *g, struct str value)
{
    struct str group;
    if (g->clause_count == ASK_APPROVERS_MAX)
        return false;
    struct ask_clause *c = &g->clauses[g->clause_count++];
    while (notes_next(&value, &group)) {
        if (group.len == 0 || c->count == ASK_APPROVERS_MAX)
            return false;
        c->groups[c->count++] = group;
    }
    return c->count > 0;
}

/* The strictest of what the permits say; false: one of them says what cannot be understood. */
static bool read_gate(const struct cedar_matches *permits, struct ask_gate *g)
{
    int64_t n = 0;
    *g = (struct ask_gate){.quorum = 1, .expires_ms = 0};
    for (size_t i = 0; i < permits->count; i++) {
        const struct str *approvers = cedar_policy_annotation(permits->items[i], "approvers");
        const struct str *quorum = cedar_policy_annotation(permits->items[i], "quorum");
        const struct str *expires = cedar_policy_annotation(permits->items[i], "expires");
        if (approvers && !add_clause(g, *approvers))
            return false;
        if (quorum && notes_quorum(*quorum, &n) < 0)
            return false;
        if (quorum)
            g->quorum = MAX(g->quorum, n);
        if (expires && notes_expires_ms(*expires, &n) < 0)
            return false;
        if (expires)
            g->expires_ms = g->expires_ms > 0 ? MIN(g->expires_ms, n) : n;
    }
    if (g->expires_ms == 0)
        g->expires_ms = ASK_EXPIRES_DEFAULT_MS;
    return true;
}

/* ---- a tool call ---- */

static void settle(struct asker *a, struct ask_tool *t, enum ask_verdict verdict,
                   const struct ask_decision *d)
{
    /* In the arena, not in *t: callers copy what they were given. */
    const char *text = arena_cstr(a->arena, str_of(d->text));
    t->verdict = verdict;
    t->text = text ? text : "denied: out of memory";
    t->policies = d->policies;
    if (!text)
        t->verdict = ASK_DENY;
}

static int propose(struct asker *a, struct ask_tool *t)
{
    struct ask_decision *call = &t->decisions[0], *d = &t->decisions[t->decision_count++];
    struct cedar_answer answer;
    int rc = request_ask(&a->request, a->f, ASK_PROPOSE, a->arena, a->err);
    if (rc == 0)
        rc = decide(a, ASK_PROPOSE, d, &answer);
    if (rc < 0)
        return rc;
    if (!d->allow) {
        settle(a, t, ASK_DENY, d->erred || d->forbidden ? d : call);
        return 0;
    }
    if (!read_gate(&answer.permits, &t->gate)) {
        d->allow = false;
        say(d, "denied: the annotations of the policies that permit the proposal cannot be "
               "understood");
        settle(a, t, ASK_DENY, d);
        return 0;
    }
    settle(a, t, ASK_GATE, d);
    return 0;
}

static int oblige(struct asker *a, struct ask_tool *t)
{
    struct ask_decision *d = &t->decisions[t->decision_count++];
    struct cedar_answer answer;
    int rc = request_ask(&a->request, a->f, ASK_OBLIGE, a->arena, a->err);
    if (rc == 0)
        rc = decide(a, ASK_OBLIGE, d, &answer);
    if (rc < 0)
        return rc;
    if (d->erred) {
        t->mask_all = true;
        if (t->verdict != ASK_DENY)
            settle(a, t, ASK_DENY, d);
        return 0;
    }
    /* A forbid here takes no obligation away: what a satisfied permit asks for is done. */
    if (gather(a, &answer.permits, "mask", true, &t->masks) < 0 ||
        gather(a, &answer.permits, "notify", false, &t->notify) < 0)
        return err_set(a->err, ENOMEM, "out of memory");
    return 0;
}

static int ask_all(struct asker *a, struct ask_tool *t)
{
    struct ask_decision *call = &t->decisions[0];
    struct cedar_answer answer;
    int rc = prepare(a, call);
    if (rc != 0) {
        t->decision_count = rc > 0;
        t->mask_all = true;
        settle(a, t, ASK_DENY, call);
        return MIN(rc, 0);
    }
    t->decision_count = 1;
    rc = decide(a, ASK_CALL, call, &answer);
    if (rc < 0)
        return rc;
    settle(a, t, call->allow ? ASK_RUN : ASK_DENY, call);
    if (!call->allow && !call->forbidden && !call->erred && !a->f->has_approval)
        rc = propose(a, t);
    return rc < 0 ? rc : oblige(a, t);
}

int ask_tool(const struct house *h, const struct facts *f, struct arena *arena,
             struct ask_tool *ret, struct err *err)
{
    struct err own = ERR_INIT;
    struct facts call = *f;
    call.ask = ASK_CALL;
    struct asker a = {.h = h, .f = &call, .arena = arena, .err = err ? err : &own};
    *ret = (struct ask_tool){.verdict = ASK_DENY, .text = "denied: no decision could be made"};
    int rc = ask_all(&a, ret);
    request_release(&a.request);
    if (rc < 0) {
        ret->verdict = ASK_DENY;
        ret->mask_all = true;
        ret->text = "denied: no decision could be made";
    }
    return MIN(rc, 0);
}

/* People's yes only brings the same ask again, so `call` alone decides. */
int ask_tool_may(const struct house *h, const struct facts *f, struct arena *arena, bool *ret,
                 struct err *err)
{
    struct err own = ERR_INIT;
    struct facts call = *f;
    struct request request = {0};
    call.ask = ASK_CALL;
    *ret = true;
    int rc = request_make(&call, arena, &request, &own);
    if (rc == 0)
        rc = cedar_may_allow(h->policies, &request.cedar, request.entities, arena, ret, err);
    else if (rc == -ENOMEM)
        *err = own;
    request_release(&request);
    return rc == -ENOMEM ? rc : 0;
}
