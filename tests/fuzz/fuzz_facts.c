/*
 * fuzz_facts.c: any text as facts: what is accepted is written canonically, read again the same,
 * and decided the same; a mask leaves nothing of what it names.
 */
#include "policy/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char cedar[] =
    "@id(\"a\") permit (principal in Team::\"t\", action in Action::\"call\", resource in "
    "Server::\"s\")\n"
    "  when { context.input.amount.lessThan(decimal(\"5.0\")) || context.history.n > 3 };\n"
    "@id(\"p\") @approvers(\"t\") permit (principal, action in Action::\"propose\", resource);\n"
    "@id(\"m\") @mask(\"input.secret\") permit (principal, action in Action::\"oblige\", "
    "resource);\n"
    "@id(\"f\") forbid (principal, action, resource) when { context.labels.contains(\"x\") };\n"
    "@id(\"s\") permit (principal is Source, action == Action::\"start\", resource) when { "
    "context.event.size < 9 };\n"
    "@id(\"o\") permit (principal, action, resource) when { context.now > datetime(\"2026-01-01\") "
    "};\n";

static struct house *make_house(void)
{
    const struct house_text texts[] = {
        {STR("a.cedar"), {cedar, sizeof(cedar) - 1}},
        {STR("a.yaml"), STR("tenant: {name: x}\nteam: {name: t, tenant: x}\n")}};
    struct house *h = NULL;
    struct diags d;
    struct err err = ERR_INIT;
    diags_init(&d);
    must(house_parse(texts, 2, STR("/"), NULL, &d, &h, &err) == 0);
    diags_release(&d);
    return h;
}

static void decide_twice(const struct house *h, const struct facts *f, struct arena *a)
{
    struct ask_decision d1, d2;
    struct facts again;
    struct err err = ERR_INIT;
    int rc = ask_decide(h, f, a, &d1, &err);
    must(rc == 0 || (err.number == -rc && !d1.allow));
    if (rc < 0 || d1.unconvertible)
        return;
    must(!(d1.allow && (d1.erred || d1.forbidden)));
    must(facts_parse(d1.facts_json, a, &again, &err) == 0);
    must(ask_decide(h, &again, a, &d2, &err) == 0);
    must(d1.allow == d2.allow && d1.erred == d2.erred && d1.forbidden == d2.forbidden);
    must(str_eq(d1.facts_json, d2.facts_json) && digest_eq(&d1.facts, &d2.facts));
}

static void whole_call(const struct house *h, const struct facts *f, struct arena *a)
{
    struct ask_tool t;
    struct err err = ERR_INIT;
    if (f->tool.server.len == 0 || ask_tool(h, f, a, &t, &err) < 0)
        return;
    must(t.decision_count >= 1 && t.text && (t.verdict != ASK_RUN || t.decisions[0].allow));
    must(t.verdict != ASK_GATE || (t.gate.quorum >= 1 && t.gate.expires_ms > 0));
    must(t.verdict != ASK_GATE || !f->has_approval);
}

static void mask(const struct facts *f, struct arena *a)
{
    static const struct str paths[] = {STR("input.secret"), STR("input.*.secret")};
    const struct json *v = NULL;
    struct json_limits limits = JSON_LIMITS_DEFAULT;
    struct buf out;
    struct jout j;
    if (!f->input)
        return;
    buf_init(&out, SIZE_MAX);
    jout_begin(&j, &out);
    facts_put_masked(&j, f->input, (struct strs){paths, ARRAY_LEN(paths)});
    must(jout_end(&j) == 0);
    must(json_parse(a, buf_str(&out), &limits, &v, NULL, NULL) == 0);
    const struct json *secret = json_get(v, "secret");
    must(!secret || (json_is(secret, JSON_STRING) && str_is(secret->string, "***")));
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct house *house; /* one for all inputs: it never changes */
    struct arena a;
    struct facts f;
    if (!house)
        house = make_house();
    arena_init(&a, 64u << 20);
    if (facts_parse((struct str){(const char *)data, size}, &a, &f, NULL) == 0) {
        mask(&f, &a);
        decide_twice(house, &f, &a);
        whole_call(house, &f, &a);
    }
    arena_release(&a);
    return 0;
}
