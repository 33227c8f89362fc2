/*
 * ask.c: what policy answers: the three asks, the gate, obligations, errors that deny, facts that
 * come again. The attacks are here: arguments that name entities, numbers that fit nothing, masks
 * that are missed.
 */
#include "tests/lib/cm.h"

#include "policy/ask.h"

static const char files[] =
    "tenant: {name: acme, region: eu, attributes: {seats: 12}}\n"
    "---\n"
    "tenant: {name: globex}\n"
    "---\n"
    "team: {name: ap-triage, tenant: acme}\n"
    "---\n"
    "team: {name: ap-leads, tenant: acme}\n"
    "---\n"
    "team: {name: board, tenant: acme}\n"
    "---\n"
    "people:\n"
    "  - {user: alice, uid: 1001, teams: [ap-leads]}\n"
    "  - {user: bob, uid: 1002, teams: [ap-leads, board]}\n"
    "---\n"
    "model: {name: small, url: https://gw/v1, model: s}\n"
    "---\n"
    "server:\n"
    "  name: ledger\n"
    "  command: [/usr/bin/ledger]\n"
    "  tools: {look: {class: read}, post: {class: write}, pay: {}, odd: {class: write}, oops: {}, "
    "plain: {}}\n"
    "---\n"
    "server: {name: other, tenant: globex, command: [/usr/bin/x], tools: {look: {class: read}}}\n"
    "---\n"
    "workflow:\n"
    "  name: triage\n"
    "  tenant: acme\n"
    "  team: ap-triage\n"
    "  agent: {model: small}\n"
    "  tools: [ledger/*]\n"
    "  attributes: {level: 2}\n";

static const char policies[] =
    "@id(\"reads\") permit (principal in Team::\"ap-triage\", action in [Action::\"read\"], "
    "resource)\n"
    "  when { resource.tenant == principal.tenant && context.budget.calls_left > 0 };\n"
    "@id(\"post-small\") permit (principal == Workflow::\"triage\", action == "
    "Action::\"call:ledger/post\", resource)\n"
    "  when { context.input.amount.lessThanOrEqual(decimal(\"500.00\")) && principal.level >= 2 "
    "};\n"
    "@id(\"post-approved\") permit (principal, action in [Action::\"call:ledger\"], resource in "
    "Server::\"ledger\")\n"
    "  when { context has approval && context.approval.count >= 2\n"
    "         && context.approval.by.contains(User::\"alice\") && resource.class != \"read\" };\n"
    "@id(\"propose\") @approvers(\"ap-leads\") @quorum(\"2\") @expires(\"4h\")\n"
    "permit (principal, action in [Action::\"propose\"], resource == Tool::\"ledger/post\");\n"
    "@id(\"propose-pay\") @approvers(\"ap-leads, board\") @expires(\"8h\")\n"
    "permit (principal, action in Action::\"propose:ledger\", resource == Tool::\"ledger/pay\");\n"
    "@id(\"propose-pay-board\") @approvers(\"board\") @expires(\"2h\")\n"
    "permit (principal, action == Action::\"propose:ledger/pay\", resource)\n"
    "  when { context.input.amount.greaterThan(decimal(\"1000.0\")) };\n"
    "@id(\"cap\") forbid (principal, action in Action::\"call\", resource == "
    "Tool::\"ledger/pay\")\n"
    "  unless { context.history.paid_24h.lessThanOrEqual(decimal(\"5000.0\")) && "
    "context.input.amount.lessThan(decimal(\"9000.0\")) };\n"
    "@id(\"errs\") forbid (principal, action in Action::\"irreversible\", resource == "
    "Tool::\"ledger/oops\")\n"
    "  when { context.input.nothing == 1 };\n"
    "@id(\"oops-anyway\") permit (principal, action in Action::\"call\", resource == "
    "Tool::\"ledger/oops\");\n"
    "@id(\"mask\") @mask(\"input.iban, input.lines.account\") @notify(\"ap@acme.example\")\n"
    "permit (principal, action == Action::\"oblige:ledger/pay\", resource);\n"
    "@id(\"mask2\") @mask(\"input.iban\") permit (principal, action in Action::\"oblige\", "
    "resource);\n"
    "@id(\"mask-errs\") permit (principal, action == Action::\"oblige:ledger/odd\", resource)\n"
    "  when { context.input.x > 1 };\n"
    "@id(\"odd\") permit (principal, action == Action::\"call:ledger/odd\", resource);\n"
    "@id(\"start\") permit (principal == Source::\"webhook/erp\", action == Action::\"start\", "
    "resource == Workflow::\"triage\")\n"
    "  when { context.event.type == \"invoice\" && context.event.size <= 100 && "
    "context.history.starts_1h < 60\n"
    "         && principal.tenant == resource.tenant && principal in Tenant::\"acme\" };\n"
    "@id(\"infer\") permit (principal, action == Action::\"infer\", resource)\n"
    "  when { context.input.max_tokens <= context.budget.tokens_left\n"
    "         && (resource.onprem || !context.labels.contains(\"secret\")) };\n"
    "@id(\"hours\") permit (principal, action == Action::\"emit\", resource == "
    "Workflow::\"triage\")\n"
    "  when { context.local.hour >= 8 && context.local.weekday <= 5 && Tenant::\"acme\".seats == "
    "12 };\n"
    "@id(\"approve\") permit (principal in Team::\"ap-leads\", action == Action::\"approve\", "
    "resource in Server::\"ledger\")\n"
    "  when { context.run.source != \"command/\" && principal.uid > 1000 };\n"
    "@id(\"delegate\") permit (principal, action == Action::\"delegate\", resource)\n"
    "  when { context.run.depth < 2 && resource.tenant == principal.tenant };\n";

struct fixture {
    struct house *house;
    struct arena arena;
    struct err err;
    struct facts facts;
    struct ask_tool tool;
    struct ask_decision decision;
};

static const struct json *json_of(struct fixture *f, const char *text)
{
    const struct json *v = NULL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    assert_int_equal(json_parse(&f->arena, str_of(text), &limits, &v, NULL, &f->err), 0);
    return v;
}

/* Facts of a call by the files, as reeved fills them. */
static struct facts *facts_for(struct fixture *f, const char *tool, const char *input)
{
    static const struct facts_counter none = {STR("paid_24h"), true, 0};
    arena_reset(&f->arena);
    f->err = ERR_INIT;
    f->facts = (struct facts){.now_ms = INT64_C(1795428000000), /* a Monday, 10:00 UTC */
                              .run_id = STR("r1"),
                              .step = 3,
                              .attempt = 1,
                              .started_by = STR("webhook/erp"),
                              .calls_left = 5,
                              .tokens_left = 1000,
                              .spent_micro = 1250001,
                              .limit_micro = HOUSE_NO_LIMIT,
                              .history = &none,
                              .history_count = 1,
                              .user = {.uid = -1}};
    facts_set_workflow(&f->facts, f->house, house_workflow(f->house, STR("triage")), STR("d1"));
    facts_set_tool(&f->facts, house_server(f->house, STR("ledger")), str_of(tool));
    f->facts.input = json_of(f, input);
    return &f->facts;
}

static enum ask_verdict ask(struct fixture *f)
{
    assert_int_equal(ask_tool(f->house, &f->facts, &f->arena, &f->tool, &f->err), 0);
    return f->tool.verdict;
}

static bool decide(struct fixture *f, enum facts_ask a)
{
    f->facts.ask = a;
    assert_int_equal(ask_decide(f->house, &f->facts, &f->arena, &f->decision, &f->err), 0);
    return f->decision.allow;
}

static void runs(void **state)
{
    struct fixture *f = *state;
    facts_for(f, "look", "{}");
    assert_int_equal(ask(f), ASK_RUN);
    assert_string_equal(f->tool.text, "permitted by policy \"reads\"");
    facts_for(f, "post", "{\"amount\":500.0}");
    assert_int_equal(ask(f), ASK_RUN);
    assert_str(f->tool.policies.items[0], "post-small");
    facts_for(f, "look", "{}")->calls_left = 0;
    assert_int_equal(ask(f), ASK_DENY);
    assert_string_equal(f->tool.text, "no policy permits call:ledger/look");
    /* Another tenant's server. */
    facts_for(f, "look", "{}");
    facts_set_tool(&f->facts, house_server(f->house, STR("other")), STR("look"));
    assert_int_equal(ask(f), ASK_DENY);
    facts_for(f, "unlisted", "{}");
    assert_int_equal(ask(f), ASK_DENY);
}

/* Integers are decimals where the tool's schema says number: so 500 and 500.5 are judged by one
 * rule. */
static void schema_guides(void **state)
{
    struct fixture *f = *state;
    facts_for(f, "post", "{\"amount\":500}");
    assert_int_equal(ask(f), ASK_DENY); /* a Long has no lessThanOrEqual: an error, a deny */
    assert_true(f->tool.decisions[0].erred);
    facts_for(f, "post", "{\"amount\":500}")->tool.schema =
        json_of(f, "{\"type\":\"object\",\"properties\":{\"amount\":{\"type\":\"number\"}}}");
    assert_int_equal(ask(f), ASK_RUN);
}

static void gates(void **state)
{
    struct fixture *f = *state;
    facts_for(f, "post", "{\"amount\":500.01}");
    assert_int_equal(ask(f), ASK_GATE);
    assert_int_equal(f->tool.gate.quorum, 2);
    assert_int_equal(f->tool.gate.expires_ms, 4 * 3600000);
    assert_int_equal(f->tool.gate.clause_count, 1);
    assert_str(f->tool.policies.items[0], "propose");
    assert_int_equal(f->tool.decision_count, 3);
    assert_int_equal(f->tool.decisions[1].ask, ASK_PROPOSE);

    facts_for(f, "pay", "{\"amount\":10.0}");
    assert_int_equal(ask(f), ASK_GATE);
    assert_int_equal(f->tool.gate.quorum, 1);
    assert_int_equal(f->tool.gate.clauses[0].count, 2);
    facts_for(f, "pay", "{\"amount\":1000.5}");
    assert_int_equal(ask(f), ASK_GATE);
    assert_int_equal(f->tool.gate.clause_count, 2); /* both permits' groups must be satisfied */
    assert_int_equal(f->tool.gate.expires_ms, 2 * 3600000);
}

/* INV-03. A forbid ends it before anyone is asked; so does a policy that errs. */
static void no_gate(void **state)
{
    static const struct facts_counter over = {STR("paid_24h"), true, 50000001};
    struct fixture *f = *state;
    facts_for(f, "pay", "{\"amount\":10.0}")->history = &over;
    assert_int_equal(ask(f), ASK_DENY);
    assert_true(f->tool.decisions[0].forbidden);
    assert_string_equal(f->tool.text, "denied by policy \"cap\"");
    assert_int_equal(f->tool.decision_count, 2); /* call and oblige */
    assert_int_equal(f->tool.masks.count, 2);    /* what is shown of it is masked all the same */

    facts_for(f, "oops", "{}");
    assert_int_equal(ask(f), ASK_DENY);
    assert_true(f->tool.decisions[0].erred);
    assert_int_equal(f->tool.decisions[0].error_count, 1);
    assert_str(f->tool.decisions[0].errors[0].policy, "errs");
    assert_non_null(strstr(f->tool.text, "\"errs\" ended in an error"));

    facts_for(f, "plain", "{}");
    assert_int_equal(ask(f), ASK_DENY);
    assert_string_equal(f->tool.text, "no policy permits call:ledger/plain");
}

static void approvals(void **state)
{
    struct fixture *f = *state;
    struct facts_user by[2];
    facts_for(f, "post", "{\"amount\":900.0}");
    assert_int_equal(facts_user_of(f->house, STR("alice"), 1001, &f->arena, &by[0], &f->err), 0);
    assert_int_equal(facts_user_of(f->house, STR("bob"), 1002, &f->arena, &by[1], &f->err), 0);
    f->facts.has_approval = true;
    f->facts.approval = (struct facts_approval){by, 2, f->facts.now_ms};
    assert_int_equal(ask(f), ASK_RUN);
    assert_str(f->tool.policies.items[0], "post-approved");
    /* One person twice is one person. */
    by[1] = by[0];
    assert_int_equal(ask(f), ASK_DENY);
    f->facts.approval.count = 0;
    assert_int_equal(ask(f), ASK_DENY);
    /* Guard rails hold after approval too, and nobody is asked a second time. */
    facts_for(f, "pay", "{\"amount\":9000.0}");
    assert_int_equal(facts_user_of(f->house, STR("alice"), 1001, &f->arena, &by[0], &f->err), 0);
    assert_int_equal(facts_user_of(f->house, STR("bob"), 1002, &f->arena, &by[1], &f->err), 0);
    f->facts.has_approval = true;
    f->facts.approval = (struct facts_approval){by, 2, f->facts.now_ms};
    assert_int_equal(ask(f), ASK_DENY);
    assert_str(f->tool.policies.items[0], "cap");
}

static bool may(struct fixture *f, const struct house *h, const char *server, const char *tool)
{
    bool ret = false;
    facts_for(f, tool, "{}");
    facts_set_tool(&f->facts, house_server(f->house, str_of(server)), str_of(tool));
    assert_int_equal(ask_tool_may(h, &f->facts, &f->arena, &ret, &f->err), 0);
    return ret;
}

/* What is said to be denied for ever is denied, whatever is tried; and only that is said. */
static void in_advance(void **state)
{
    static const char few[] =
        "permit (principal == Workflow::\"triage\", action == Action::\"call:ledger/post\", "
        "resource)\n"
        "  when { context.input.amount == 1 };\n"
        "permit (principal == Workflow::\"nobody\", action in Action::\"call\", resource);\n"
        "permit (principal, action in Action::\"read\", resource == Tool::\"ledger/look\");\n"
        "permit (principal, action == Action::\"call:ledger/odd\", resource);\n"
        "forbid (principal, action == Action::\"call:ledger/odd\", resource in "
        "Server::\"ledger\");\n"
        "permit (principal, action == Action::\"call:ledger/oops\", resource);\n"
        "forbid (principal, action == Action::\"call:ledger/oops\", resource) when { "
        "context.nothing.there == 1 };\n"
        "permit (principal, action == Action::\"propose:ledger/pay\", resource);\n";
    static const struct {
        const char *server, *tool;
        bool may;
    } rows[] = {{"ledger", "look", true}, {"ledger", "post", true},     {"ledger", "odd", false},
                {"ledger", "oops", true}, {"ledger", "pay", false},     {"ledger", "plain", false},
                {"other", "look", false}, {"ledger", "unlisted", false}};
    static const char *const inputs[] = {"{}", "{\"amount\":1}", "{\"amount\":1.0}", "{\"x\":2}"};
    struct fixture *f = *state;
    struct house *h = NULL;
    struct diags diags;
    const struct house_text texts[] = {{STR("a.cedar"), str_of(few)},
                                       {STR("a.yaml"), str_of(files)}};
    diags_init(&diags);
    struct buf out;
    buf_init(&out, 1 << 20);
    int rc = house_parse(texts, 2, STR("/etc"), NULL, &diags, &h, &f->err);
    if (rc < 0)
        diags_put(&diags, &out);
    if (rc < 0)
        print_error("%.*s\n", STR_FMT(buf_str(&out)));
    buf_release(&out);
    assert_int_equal(rc, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(may(f, h, rows[i].server, rows[i].tool) == rows[i].may, i, "%s/%s",
                   rows[i].server, rows[i].tool);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < ARRAY_LEN(inputs); k++) {
            facts_for(f, rows[i].tool, inputs[k]);
            facts_set_tool(&f->facts, house_server(f->house, str_of(rows[i].server)),
                           str_of(rows[i].tool));
            assert_int_equal(ask_tool(h, &f->facts, &f->arena, &f->tool, &f->err), 0);
            assert_row(f->tool.verdict != ASK_RUN || rows[i].may, i, "%s", inputs[k]);
        }
    diags_release(&diags);
    house_unref(h);
}

static void obligations(void **state)
{
    struct fixture *f = *state;
    facts_for(f, "pay", "{\"amount\":10.0}");
    assert_int_equal(ask(f), ASK_GATE);
    assert_int_equal(f->tool.masks.count, 2);
    assert_str(f->tool.masks.items[0], "input.iban");
    assert_str(f->tool.masks.items[1], "input.lines.account");
    assert_int_equal(f->tool.notify.count, 1);
    /* When it is not known what to hide, nothing runs and nothing is shown. */
    facts_for(f, "odd", "{}");
    assert_int_equal(ask(f), ASK_DENY);
    assert_true(f->tool.mask_all);
    facts_for(f, "odd", "{\"x\":2}");
    assert_int_equal(ask(f), ASK_RUN);
    assert_false(f->tool.mask_all);
}

/* Arguments that cannot be judged are not judged by guess. */
static void unconvertible(void **state)
{
    static const char *const inputs[] = {
        "{\"amount\":2.00001}",
        "{\"amount\":1e400}",
        "{\"l\":[null]}",
        "{\"a\":{\"b\":1e-9}}",
        "{\"n\":9223372036854775808}",
        "{\"n\":1e2}",
        "[1]",
        "\"text\"",
        "{\"amount\":922337203685477.5808}",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        facts_for(f, "look", inputs[i]);
        assert_row(ask(f) == ASK_DENY, i, "%s", inputs[i]);
        assert_row(f->tool.decisions[0].unconvertible && f->tool.mask_all, i, "%s: %s", inputs[i],
                   f->tool.text);
        assert_row(f->tool.policies.count == 0, i, "%s", inputs[i]);
    }
    facts_for(f, "look", "{\"a\":null,\"b\":9223372036854775807,\"c\":2.5000}");
    assert_int_equal(ask(f), ASK_RUN);
}

/* A caller's text stays text: it names no entity and makes no extension value. */
static void no_entities_from_arguments(void **state)
{
    struct fixture *f = *state;
    facts_for(f, "post", "{\"amount\":{\"__extn\":{\"fn\":\"decimal\",\"arg\":\"1.0\"}}}");
    assert_int_equal(ask(f), ASK_DENY);
    assert_true(f->tool.decisions[0].erred);
    facts_for(f, "look", "{\"x\":{\"__entity\":{\"type\":\"User\",\"id\":\"alice\"}}}");
    assert_int_equal(ask(f), ASK_RUN);
}

static void other_asks(void **state)
{
    struct fixture *f = *state;
    static const struct facts_counter starts = {STR("starts_1h"), false, 59},
                                      many = {STR("starts_1h"), false, 60};
    static const struct str secret[] = {STR("secret")};

    facts_for(f, "look",
              "{\"type\":\"invoice\",\"id\":\"1\",\"data\":{\"x\":1.234567},\"size\":0}");
    f->facts.source = (struct facts_source){STR("webhook"), STR("erp"), STR("")};
    f->facts.history = &starts;
    assert_true(decide(f, ASK_START));
    f->facts.history = &many;
    assert_false(decide(f, ASK_START));
    f->facts.history = &starts;
    f->facts.source.tenant = STR("globex");
    assert_false(decide(f, ASK_START));
    f->facts.source = (struct facts_source){STR("webhook"), STR("crm"), STR("")};
    assert_false(decide(f, ASK_START));
    assert_string_equal(f->decision.text, "no policy permits start");
    /* The sender's own `size` is not believed. */
    facts_for(
        f, "look",
        "{\"type\":\"invoice\",\"size\":1,\"data\":\"0123456789012345678901234567890123456789"
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789\"}");
    f->facts.source = (struct facts_source){STR("webhook"), STR("erp"), STR("")};
    f->facts.history = &starts;
    assert_false(decide(f, ASK_START));

    facts_for(f, "look", "{\"max_tokens\":1000}")->model =
        (struct facts_model){.name = STR("small")};
    assert_true(decide(f, ASK_INFER));
    f->facts.labels = (struct strs){secret, 1};
    assert_false(decide(f, ASK_INFER));
    f->facts.model.onprem = true;
    assert_true(decide(f, ASK_INFER));
    f->facts.tokens_left = 999;
    assert_false(decide(f, ASK_INFER));
    f->facts.tokens_left = HOUSE_NO_LIMIT;
    assert_true(decide(f, ASK_INFER));

    facts_for(f, "look", "{}");
    assert_true(decide(f, ASK_EMIT));
    f->facts.zone_offset_min = -180; /* 07:00 there */
    assert_false(decide(f, ASK_EMIT));
    f->facts.zone_offset_min = 0;
    f->facts.now_ms -= 86400000; /* Sunday */
    assert_false(decide(f, ASK_EMIT));

    facts_for(f, "look", "{}")->target = f->facts.workflow;
    assert_true(decide(f, ASK_DELEGATE));
    f->facts.target = (struct facts_entity_workflow){
        .name = STR("x"), .tenant = STR("globex"), .digest = STR("d")};
    assert_false(decide(f, ASK_DELEGATE));

    facts_for(f, "pay", "{}");
    assert_int_equal(
        facts_user_of(f->house, STR("alice"), 1001, &f->arena, &f->facts.user, &f->err), 0);
    assert_true(decide(f, ASK_APPROVE));
    assert_int_equal(
        facts_user_of(f->house, STR("mallory"), 1003, &f->arena, &f->facts.user, &f->err), 0);
    assert_false(decide(f, ASK_APPROVE));
}

/* INV-12: facts kept with a decision give the same decision and the same digest again. */
static void facts_come_again(void **state)
{
    struct fixture *f = *state;
    struct facts_user by[1];
    struct digest d;
    struct buf out;
    struct facts again;
    buf_init(&out, 1 << 20);
    facts_for(f, "pay", "{\"amount\":1000,\"iban\":\"DE1\",\"lines\":[{\"n\":1.50}]}");
    f->facts.tool.schema = json_of(
        f, "{\"title\":\"x\",\"properties\":{\"amount\":{\"type\":\"number\",\"minimum\":1}},"
           "\"required\":[\"amount\"]}");
    assert_int_equal(facts_user_of(f->house, STR("bob"), 1002, &f->arena, &by[0], &f->err), 0);
    f->facts.has_approval = true;
    f->facts.approval = (struct facts_approval){by, 1, 77};
    for (int a = 0; a < FACTS_ASK_COUNT; a++) {
        f->facts.source = (struct facts_source){STR("webhook"), STR("erp"), STR("globex")};
        f->facts.model = (struct facts_model){.name = STR("small"), .onprem = true};
        f->facts.target = f->facts.workflow;
        f->facts.user = by[0];
        bool allow = decide(f, (enum facts_ask)a);
        bool erred = f->decision.erred;
        struct digest first = f->decision.facts;
        int rc = facts_parse(f->decision.facts_json, &f->arena, &again, &f->err);
        assert_row(rc == 0, a, "%s", f->err.text);
        buf_clear(&out);
        assert_int_equal(facts_put(&again, &out, &d, &f->err), 0);
        assert_row(str_eq(buf_str(&out), f->decision.facts_json), a, "%.*s\n%.*s",
                   STR_FMT(buf_str(&out)), STR_FMT(f->decision.facts_json));
        assert_true(digest_eq(&d, &first));
        assert_int_equal(ask_decide(f->house, &again, &f->arena, &f->decision, &f->err), 0);
        assert_row(f->decision.allow == allow && f->decision.erred == erred, a, "decision");
    }
    buf_release(&out);
}

static void facts_that_are_none(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"ask\":\"steal\"}",
        "{\"ask\":\"call\"}",
        "{\"ask\":\"call\",\"workflow\":{\"name\":\"w\"}}",
        "{\"ask\":\"call\",\"workflow\":{\"name\":\"w\"},\"tool\":{\"server\":\"s\"}}",
        "{\"ask\":\"call\",\"workflow\":{\"name\":\"w\"},\"tool\":{\"server\":\"s\",\"name\":\"t\",\"class\":\"odd\"}}",
        "{\"ask\":\"call\",\"workflow\":{\"name\":1},\"tool\":{\"server\":\"s\",\"name\":\"t\"}}",
        "{\"ask\":\"infer\",\"workflow\":{\"name\":\"w\"}}",
        "{\"ask\":\"approve\",\"workflow\":{\"name\":\"w\"}}",
        "{\"ask\":\"emit\",\"workflow\":{\"name\":\"w\"},\"history\":{\"x\":1.5}}",
        "{\"ask\":\"emit\",\"workflow\":{\"name\":\"w\"},\"labels\":[1]}",
        "{\"ask\":\"emit\",\"workflow\":{\"name\":\"w\"},\"zoneOffset\":99999}",
    };
    struct fixture *f = *state;
    struct facts facts;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        f->err = ERR_INIT;
        int rc = facts_parse(str_of(texts[i]), &f->arena, &facts, &f->err);
        assert_row(rc < 0 && f->err.text[0], i, "%s", texts[i]);
    }
}

/* ---- gates ---- */

static struct strs one(const struct str *s)
{
    return (struct strs){s, 1};
}

static void gate_votes(void **state)
{
    static const struct str leads[] = {STR("ap-leads")}, board[] = {STR("board")},
                            none[] = {STR("interns")};
    struct ask_gate g = {.quorum = 2, .clause_count = 2};
    g.clauses[0] = (struct ask_clause){.groups = {STR("ap-leads"), STR("cfo")}, .count = 2};
    g.clauses[1] = (struct ask_clause){.groups = {STR("board")}, .count = 1};
    const struct ask_vote a = {STR("alice"), one(leads)}, b = {STR("bob"), one(board)},
                          c = {STR("carl"), one(leads)}, m = {STR("mallory"), one(none)};
    (void)state;
    assert_true(ask_gate_is_met(&g, (struct ask_vote[]){a, b}, 2));
    assert_false(ask_gate_is_met(&g, (struct ask_vote[]){a, c}, 2)); /* nobody of the board */
    assert_false(ask_gate_is_met(&g, (struct ask_vote[]){b, m}, 2)); /* mallory does not count */
    assert_false(ask_gate_is_met(&g, (struct ask_vote[]){a, a, b}, 1));
    g.quorum = 3;
    assert_false(ask_gate_is_met(&g, (struct ask_vote[]){a, b, a}, 3)); /* alice twice is once */
    assert_true(ask_gate_is_met(&g, (struct ask_vote[]){a, b, c}, 3));
    assert_false(ask_gate_counts(&g, one(none)));
    g = (struct ask_gate){.quorum = 0};
    assert_true(ask_gate_counts(&g, one(none)));
    assert_false(ask_gate_is_met(&g, NULL, 0)); /* no gate is met by nobody */
    assert_true(ask_gate_is_met(&g, (struct ask_vote[]){m}, 1));
}

static void gate_json(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"approvers\":[[]],\"quorum\":1,\"expiresMs\":1}",
        "{\"approvers\":[\"a\"],\"quorum\":1,\"expiresMs\":1}",
        "{\"approvers\":[[1]],\"quorum\":1,\"expiresMs\":1}",
        "{\"approvers\":[],\"quorum\":0,\"expiresMs\":1}",
        "{\"approvers\":[],\"quorum\":99,\"expiresMs\":1}",
        "{\"approvers\":[],\"quorum\":1,\"expiresMs\":-1}",
    };
    struct fixture *f = *state;
    struct ask_gate g, again;
    struct buf out;
    struct jout j;
    buf_init(&out, 1 << 16);
    facts_for(f, "pay", "{\"amount\":1000.5}");
    assert_int_equal(ask(f), ASK_GATE);
    g = f->tool.gate;
    jout_begin(&j, &out);
    ask_gate_put(&j, &g);
    assert_int_equal(jout_end(&j), 0);
    assert_str(buf_str(&out), "{\"approvers\":[[\"ap-leads\",\"board\"],[\"board\"]],\"quorum\":1,"
                              "\"expiresMs\":7200000}");
    buf_char(&out, '\0');
    assert_int_equal(ask_gate_parse(json_of(f, out.ptr), &again, &f->err), 0);
    assert_int_equal(again.clause_count, 2);
    assert_str(again.clauses[0].groups[1], "board");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(ask_gate_parse(json_of(f, bad[i]), &again, &f->err) < 0, i, "%s", bad[i]);
    buf_release(&out);
}

/* ---- masks ---- */

static void masks(void **state)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"input.iban", "{\"iban\":\"***\",\"n\":1.50,\"lines\":[{\"account\":1,\"x\":2},[{"
                       "\"account\":3}]],\"o\":{\"iban\":4}}"},
        {"input.lines.account", "{\"iban\":\"D\",\"n\":1.50,\"lines\":[{\"account\":\"***\",\"x\":"
                                "2},[{\"account\":\"***\"}]],\"o\":{\"iban\":4}}"},
        {"input.*.iban", "{\"iban\":\"D\",\"n\":1.50,\"lines\":[{\"account\":1,\"x\":2},[{"
                         "\"account\":3}]],\"o\":{\"iban\":\"***\"}}"},
        {"input.lines", "{\"iban\":\"D\",\"n\":1.50,\"lines\":\"***\",\"o\":{\"iban\":4}}"},
        {"input", "\"***\""},
        {"input.none", "{\"iban\":\"D\",\"n\":1.50,\"lines\":[{\"account\":1,\"x\":2},[{"
                       "\"account\":3}]],\"o\":{\"iban\":4}}"},
    };
    struct fixture *f = *state;
    struct buf out;
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str path = str_of(rows[i].path);
        struct jout j;
        buf_clear(&out);
        jout_begin(&j, &out);
        facts_put_masked(
            &j,
            json_of(
                f,
                "{\"iban\":\"D\",\"n\":1.50,\"lines\":[{\"account\":1,\"x\":2},[{\"account\":3}]],"
                "\"o\":{\"iban\":4}}"),
            (struct strs){&path, 1});
        assert_int_equal(jout_end(&j), 0);
        assert_str(buf_str(&out), rows[i].want);
    }
    buf_release(&out);
}

static void records(void **state)
{
    struct fixture *f = *state;
    struct buf out;
    struct jout j;
    buf_init(&out, 1 << 16);
    facts_for(f, "oops", "{}");
    assert_int_equal(ask(f), ASK_DENY);
    jout_begin(&j, &out);
    ask_put(&j, &f->tool.decisions[0]);
    assert_int_equal(jout_end(&j), 0);
    assert_true(str_starts(buf_str(&out), STR("{\"ask\":\"call\",\"allow\":false,\"policies\":[")));
    assert_non_null(strstr(out.ptr, "\"errors\":[{\"policy\":\"errs\""));
    buf_release(&out);
}

static void explained(void **state)
{
    static const struct str hidden[] = {STR("input.iban")};
    struct fixture *f = *state;
    struct buf out;
    buf_init(&out, 1 << 20);
    facts_for(f, "post", "{\"amount\":500.01,\"iban\":\"DE89-SECRET\"}");
    assert_int_equal(ask_explain(f->house, &f->facts, (struct strs){hidden, 1}, &out, &f->err), 0);
    buf_char(&out, '\0');
    assert_non_null(strstr(out.ptr, "post-small"));
    assert_non_null(strstr(out.ptr, "500.01"));
    assert_null(strstr(out.ptr, "SECRET"));
    buf_release(&out);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct house_text texts[] = {{STR("a.cedar"), str_of(policies)},
                                       {STR("a.yaml"), str_of(files)}};
    struct diags d;
    struct buf out;
    diags_init(&d);
    buf_init(&out, 1 << 20);
    arena_init(&f->arena, 64 << 20);
    if (house_parse(texts, ARRAY_LEN(texts), STR("/x"), NULL, &d, &f->house, &f->err) < 0) {
        diags_put(&d, &out);
        print_error("%s\n%.*s\n", f->err.text, STR_FMT(buf_str(&out)));
        return -1;
    }
    diags_release(&d);
    buf_release(&out);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    house_unref(f->house);
    arena_release(&f->arena);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs),
        cmocka_unit_test(schema_guides),
        cmocka_unit_test(gates),
        cmocka_unit_test(no_gate),
        cmocka_unit_test(approvals),
        cmocka_unit_test(in_advance),
        cmocka_unit_test(obligations),
        cmocka_unit_test(unconvertible),
        cmocka_unit_test(no_entities_from_arguments),
        cmocka_unit_test(other_asks),
        cmocka_unit_test(facts_come_again),
        cmocka_unit_test(facts_that_are_none),
        cmocka_unit_test(gate_votes),
        cmocka_unit_test(gate_json),
        cmocka_unit_test(masks),
        cmocka_unit_test(records),
        cmocka_unit_test(explained),
    };

    return cmocka_run_group_tests_name("policy/ask", tests, set_up, tear_down);
}
