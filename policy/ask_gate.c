/*
 * ask_gate.c: who must say yes; the contracts are in ask.h.
 */
#include "policy/ask.h"

#include "policy/notes.h"

static bool is_in(struct strs teams, const struct ask_clause *c)
{
    for (size_t i = 0; i < c->count; i++) {
        for (size_t k = 0; k < teams.count; k++) {
            if (str_eq(c->groups[i], teams.items[k]))
                return true;
        }
    }
    return false;
}

bool ask_gate_counts(const struct ask_gate *g, struct strs teams)
{
    for (size_t i = 0; i < g->clause_count; i++) {
        if (is_in(teams, &g->clauses[i]))
            return true;
    }
    return g->clause_count == 0;
}

bool ask_gate_is_met(const struct ask_gate *g, const struct ask_vote *votes, size_t n)
{
    int64_t people = 0;
    uint32_t met = 0;
    for (size_t i = 0; i < n; i++) {
        bool again = false;
        for (size_t k = 0; k < i && !again; k++)
            again = str_eq(votes[k].user, votes[i].user);
        if (again || !ask_gate_counts(g, votes[i].teams))
            continue;
        people++;
        for (size_t c = 0; c < g->clause_count; c++) {
            if (is_in(votes[i].teams, &g->clauses[c]))
                met |= UINT32_C(1) << c;
        }
    }
    _Static_assert(ASK_APPROVERS_MAX < 32, "a bit a clause");
    return people >= MAX(g->quorum, 1) && met == (UINT32_C(1) << g->clause_count) - 1;
}

void ask_gate_put(struct jout *j, const struct ask_gate *g)
{
    jout_object(j);
    jout_name(j, "approvers");
    jout_array(j);
    for (size_t i = 0; i < g->clause_count; i++) {
        jout_array(j);
        for (size_t k = 0; k < g->clauses[i].count; k++)
            jout_str(j, g->clauses[i].groups[k]);
        jout_array_end(j);
    }
    jout_array_end(j);
    jout_m_i64(j, "quorum", g->quorum);
    jout_m_i64(j, "expiresMs", g->expires_ms);
    jout_object_end(j);
}

static int parse_clause(const struct json *list, struct ask_clause *ret, struct err *err)
{
    if (!json_is(list, JSON_ARRAY) || list->array.count == 0 ||
        list->array.count > ASK_APPROVERS_MAX)
        return err_set(err, EINVAL, "gate: `approvers` is not a list of lists of groups");
    for (size_t i = 0; i < list->array.count; i++) {
        if (!json_is(&list->array.items[i], JSON_STRING))
            return err_set(err, EINVAL, "gate: a group is not a string");
        ret->groups[ret->count++] = list->array.items[i].string;
    }
    return 0;
}

int ask_gate_parse(const struct json *v, struct ask_gate *ret, struct err *err)
{
    const struct json *list = NULL;
    *ret = (struct ask_gate){0};
    int rc = json_want(v, "approvers", JSON_ARRAY, &list, err);
    if (rc == 0)
        rc = json_want_i64(v, "quorum", &ret->quorum, err);
    if (rc == 0)
        rc = json_want_i64(v, "expiresMs", &ret->expires_ms, err);
    if (rc < 0)
        return rc;
    if (ret->quorum < 1 || ret->quorum > ASK_QUORUM_MAX || ret->expires_ms < 0 ||
        list->array.count > ASK_APPROVERS_MAX)
        return err_set(err, EINVAL, "gate: out of bounds");
    for (size_t i = 0; i < list->array.count && rc == 0; i++)
        rc = parse_clause(&list->array.items[i], &ret->clauses[ret->clause_count++], err);
    return rc;
}
