/*
 * house.c: files into a house: what they say arrives, what fits together and what not, versions and
 * sets out and in again; and every fault at its place, as tests/golden/yaml shows
 * (REEVE_GOLDEN_WRITE=1 writes what it should be).
 */
#include "tests/lib/cm.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/version.h"

static const char full[] =
    "tenant: {name: acme, region: eu, attributes: {tier: gold, seats: 12}, concurrency: 40, queue: "
    "5000, budget: {day: {cost: "
    "\"5.00\", tokens: 100000}}}\n"
    "---\n"
    "team: {name: ap-triage, tenant: acme}\n"
    "---\n"
    "team: {name: ap-leads, tenant: acme}\n"
    "---\n"
    "people:\n"
    "  - {user: alice, uid: 1001, teams: [ap-leads]}\n"
    "  - {user: bob}\n"
    "access:\n"
    "  - {role: admin, users: [root]}\n"
    "  - {role: approver, groups: [ap, \"1200\"]}\n"
    "---\n"
    "model:\n"
    "  name: small\n"
    "  url: ${model_url:-http://127.0.0.1:8080/v1/}\n"
    "  model: ${model}\n"
    "  secret: ${key_file:-}\n"
    "  allow_http: true\n"
    "  price: {input: \"0.15\", output: 0.6}\n"
    "---\n"
    "server:\n"
    "  name: ledger\n"
    "  command: [\"${dir}/ledger\", --db, /var/lib/ledger.db]\n"
    "  env: {TZ: UTC, PRICE: \"$${x}\"}\n"
    "  secrets: {LEDGER_KEY: /etc/reeve/ledger.key}\n"
    "  files: [{path: /var/lib/ledger, write: true}]\n"
    "  limits: {memory: 64M, processes: 8}\n"
    "  tools:\n"
    "    lookup_vendor: {class: read}\n"
    "    post_invoice: {class: write, retry: idempotent}\n"
    "    pay: {class: irreversible, retry: verify, verify: lookup_vendor, timeout: 5s}\n"
    "---\n"
    "workflow:\n"
    "  name: invoice-triage\n"
    "  tenant: acme\n"
    "  team: ap-triage\n"
    "  trigger:\n"
    "    - event: com.example.invoice.*\n"
    "      source: /mail/*\n"
    "  agent:\n"
    "    model: small\n"
    "    system: |\n"
    "      You triage invoices.\n"
    "    prompt: \"Here it is: {{event.data}}\"\n"
    "    temperature: 0.2\n"
    "  tools: [ledger/*]\n"
    "  limits: {wall_time: 10m, memory: 128M, attempts: 3}\n"
    "  budget: {tokens: 20000, cost: \"0.50\"}\n"
    "  history:\n"
    "    paid_24h: {of: calls, sum: input.amount, tools: [ledger/pay], window: 24h, per: tenant}\n"
    "    rejected: {of: rejections}\n"
    "  priority: 8\n"
    "  key: event.data.vendor.id\n"
    "  rate: 60/1h\n"
    "  queue: 250\n"
    "  attributes: {level: 2}\n";

static const char policies[] =
    "@id(\"pay-propose\") @approvers(\"ap-leads\") @quorum(\"2\") @expires(\"4h\")\n"
    "permit (principal in Team::\"ap-triage\", action == Action::\"propose:ledger/pay\", "
    "resource);\n";

static const struct house_pair def_items[] = {{{"model", 5}, {"gpt-small", 9}}};

struct fixture {
    struct diags diags;
    struct house *house;
    struct err err;
    struct buf out;
};

static int parse(struct fixture *f, const struct house_text *texts, size_t n)
{
    struct house_pairs defs = {def_items, ARRAY_LEN(def_items)};
    diags_release(&f->diags);
    diags_init(&f->diags);
    house_unref(f->house);
    f->house = NULL;
    f->err = ERR_INIT;
    buf_clear(&f->out);
    int rc = house_parse(texts, n, STR("/etc/reeve"), &defs, &f->diags, &f->house, &f->err);
    diags_put(&f->diags, &f->out);
    return rc;
}

static void load_full(struct fixture *f)
{
    const struct house_text texts[] = {{STR("ap.cedar"), str_of(policies)},
                                       {STR("ap.yaml"), str_of(full)}};
    int rc = parse(f, texts, ARRAY_LEN(texts));
    if (rc != 0)
        print_error("%s\n%.*s", f->err.text, STR_FMT(buf_str(&f->out)));
    assert_int_equal(rc, 0);
}

static void all_arrives(void **state)
{
    struct fixture *f = *state;
    load_full(f);
    const struct house *h = f->house;
    assert_int_equal(h->workflow_count, 1);
    assert_int_equal(h->team_count, 2);
    assert_int_equal(h->policy_count, 1);
    assert_str(h->teams[0].name, "ap-leads"); /* in order of names */

    const struct tenant *t = house_tenant(h, STR("acme"));
    assert_str(t->region, "eu");
    assert_int_equal(t->attrs.count, 2);
    assert_int_equal(t->day.cost_micro, 5000000);
    assert_int_equal(t->day.tokens, 100000);
    assert_int_equal(t->day.calls, HOUSE_NO_LIMIT);
    assert_int_equal(t->month.cost_micro, HOUSE_NO_LIMIT);

    assert_int_equal(t->concurrency, 40);
    assert_int_equal(t->queue, 5000);

    const struct workflow *w = house_workflow(h, STR("invoice-triage"));
    assert_int_equal(w->priority, 8);
    assert_str(w->key, "event.data.vendor.id");
    assert_int_equal(w->key_concurrency, 1);
    assert_int_equal(w->rate_count, 60);
    assert_int_equal(w->rate_ms, 3600000);
    assert_int_equal(w->queue, 250);

    const struct model *m = house_model(h, STR("small"));
    assert_str(m->url, "http://127.0.0.1:8080/v1");
    assert_str(m->model, "gpt-small");
    assert_int_equal(m->auth, AUTH_NONE);
    assert_int_equal(m->price.input_micro, 150000);
    assert_int_equal(m->price.cached_micro, 150000);
    assert_int_equal(m->timeout_ms, 120000);

    assert_int_equal(house_person_uid(h, 1001)->teams.count, 1);
    assert_int_equal(house_person(h, STR("bob"))->uid, -1);
    assert_null(house_person_uid(h, -1));
    assert_int_equal(h->access_count, 2);
    assert_str(h->access[1].groups.items[1], "1200");
}

static void server_arrives(void **state)
{
    struct fixture *f = *state;
    load_full(f);
    const struct server *s = house_server(f->house, STR("ledger"));
    assert_str(s->command.items[0], "/etc/reeve/ledger");
    assert_int_equal(s->command.count, 3);
    assert_str(s->env.items[1].value, "${x}");
    assert_str(s->secrets.items[0].value, "/etc/reeve/ledger.key");
    assert_true(s->files.items[0].write);
    assert_int_equal(s->limits.memory_bytes, 64 << 20);
    assert_int_equal(s->limits.processes, 8);
    assert_int_equal(s->limits.cpu_ms, 0);
    assert_int_equal(s->timeout_ms, 30000);
    assert_false(s->network);

    struct server_tool read = server_tool_of(s, STR("lookup_vendor")),
                       pay = server_tool_of(s, STR("pay"));
    assert_int_equal(read.class, TOOL_READ);
    assert_int_equal(read.retry, RETRY_READ_ONLY);
    assert_int_equal(pay.retry, RETRY_VERIFY);
    assert_int_equal(pay.timeout_ms, 5000);
    struct server_tool unknown = server_tool_of(s, STR("drop_all"));
    assert_int_equal(unknown.class, TOOL_IRREVERSIBLE);
    assert_int_equal(unknown.retry, RETRY_NEVER);
}

static void workflow_arrives(void **state)
{
    struct fixture *f = *state;
    load_full(f);
    const struct server *s = house_server(f->house, STR("ledger"));
    const struct workflow *w = house_workflow(f->house, STR("invoice-triage"));
    assert_null(house_workflow(f->house, STR("invoice")));
    assert_true(w->is_agent && !w->is_program);
    assert_str(w->agent.system, "You triage invoices.\n");
    assert_int_equal(w->agent.temperature_milli, 200);
    assert_int_equal(w->agent.max_turns, 20);
    assert_int_equal(w->limits.wall_ms, 600000);
    assert_int_equal(w->limits.worker.memory_bytes, 128 << 20);
    assert_int_equal(w->limits.steps, 1000);
    assert_int_equal(w->budget.calls, HOUSE_NO_LIMIT);
    assert_int_equal(w->budget.cost_micro, 500000);
    assert_int_equal(w->counter_count, 2);
    assert_str(w->counters[0].name, "paid_24h");
    assert_int_equal(w->counters[0].window_ms, 86400000);
    assert_int_equal(w->counters[1].of, OF_REJECTIONS);
    assert_str(w->zone, "UTC");

    assert_true(
        workflow_is_triggered(w, STR("com.example.invoice.received"), STR("/mail/ap"), STR("")));
    assert_false(
        workflow_is_triggered(w, STR("com.example.invoice.received"), STR("/web"), STR("")));
    assert_false(workflow_is_triggered(w, STR("com.example.order"), STR("/mail/ap"), STR("")));
    assert_true(workflow_offers(w, s, STR("pay")));
    assert_false(workflow_offers(w, s, STR("drop_all")));
    assert_true(workflow_tool_matches(w->tools, STR("ledger"), STR("x")));
    assert_false(workflow_tool_matches(w->tools, STR("ledger2"), STR("x")));
}

/* A version written, read and written again is the same, and has all that the files had. */
static void version_round_trip(void **state)
{
    struct fixture *f = *state;
    struct digest d1, d2;
    struct version *v = NULL;
    struct buf again;
    load_full(f);
    buf_clear(&f->out);
    buf_init(&again, 1 << 20);
    const struct workflow *w = house_workflow(f->house, STR("invoice-triage"));
    assert_int_equal(version_put(f->house, w, &f->out, &d1, &f->err), 0);
    int rc = version_parse(buf_str(&f->out), &v, &f->err);
    if (rc < 0)
        print_error("%s\n%.*s\n", f->err.text, STR_FMT(buf_str(&f->out)));
    assert_int_equal(rc, 0);
    assert_true(digest_eq(&d1, &v->digest));
    assert_int_equal(v->server_count, 1);
    assert_str(v->models[0].url, "http://127.0.0.1:8080/v1");
    /* in canonical order */
    assert_str(version_server(v, STR("ledger"))->env.items[0].value, "${x}");
    assert_true(digest_eq(&v->servers[0].digest, &house_server(f->house, STR("ledger"))->digest));
    assert_true(digest_eq(&v->models[0].digest, &house_model(f->house, STR("small"))->digest));
    assert_int_equal(v->workflow.limits.attempts, 3);
    assert_int_equal(v->workflow.budget.calls, HOUSE_NO_LIMIT);

    struct house fake = {.workflows = &v->workflow,
                         .workflow_count = 1,
                         .servers = v->servers,
                         .server_count = 1,
                         .models = v->models,
                         .model_count = 1};
    assert_int_equal(version_put(&fake, &v->workflow, &again, &d2, &f->err), 0);
    assert_true(digest_eq(&d1, &d2));
    assert_true(str_eq(buf_str(&again), buf_str(&f->out)));
    version_free(v);
    buf_release(&again);
}

/* The version changes with all it is made of, and with nothing else. */
static void version_follows_parts(void **state)
{
    static const struct {
        const char *from, *to;
        bool changes;
    } rows[] = {
        {"timeout: 5s", "timeout: 6s", true},
        {"memory: 64M", "memory: 65M", true},
        {"0.6}", "0.7}", true},
        {"max_turns", "max_turns", false},
        {"tier: gold", "tier: iron", false},
        {"uid: 1001", "uid: 1002", false},
        {"You triage", "You never", true},
        {"{user: bob", "{user: rob", false},
        {"LEDGER_KEY", "LEDGER_KEI", true},
        {"window: 24h", "window: 1d", false},
    };
    struct fixture *f = *state;
    struct digest before, after;
    load_full(f);
    buf_clear(&f->out);
    assert_int_equal(version_put(f->house, &f->house->workflows[0], &f->out, &before, &f->err), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = strdup(full), *at = strstr(text, rows[i].from);
        if (at)
            memcpy(at, rows[i].to, strlen(rows[i].to));
        struct house_text t = {STR("ap.yaml"), str_of(text)};
        if (at && strlen(rows[i].to) < strlen(rows[i].from)) /* "1d": the rest becomes spaces */
            memset(at + strlen(rows[i].to), ' ', strlen(rows[i].from) - strlen(rows[i].to));
        assert_row(parse(f, &t, 1) == 0, i, "%.*s", STR_FMT(buf_str(&f->out)));
        buf_clear(&f->out);
        assert_int_equal(version_put(f->house, &f->house->workflows[0], &f->out, &after, &f->err),
                         0);
        assert_row(digest_eq(&before, &after) == !rows[i].changes, i, "%s", rows[i].from);
        free(text);
    }
}

#define ROUTE(name) \
    "{\"name\":\"" name "\",\"url\":\"https://x/v1\",\"model\":\"y\",\"auth\":\"none\"}"
#define PROGRAM(models)                                            \
    "{\"format\":1,\"workflow\":{\"name\":\"a\",\"tenant\":\"t\"," \
    "\"worker\":{\"program\":\"/bin/w\",\"models\":[" models "]}}"

/* A program's routes, in its order: in the version, each with its digest, and out and in again. */
static void routes_of_a_program(void **state)
{
    static const char text[] =
        "tenant: {name: t}\n---\n"
        "model: {name: fast, url: https://gw/v1, model: f}\n---\n"
        "model: {name: careful, url: https://gw/v1, model: c}\n---\n"
        "model: {name: other, url: https://gw/v1, model: o}\n---\n"
        "workflow: {name: p, tenant: t, worker: {program: /bin/w, models: [fast, careful]}}\n";
    const struct house_text texts[] = {{STR("p.yaml"), str_of(text)}};
    struct fixture *f = *state;
    struct version *v = NULL;
    struct digest d;
    struct buf out;
    assert_int_equal(parse(f, texts, 1), 0);
    buf_init(&out, 1 << 20);
    const struct workflow *w = house_workflow(f->house, STR("p"));
    assert_int_equal(workflow_models(w).count, 2);
    assert_int_equal(version_put(f->house, w, &out, &d, &f->err), 0);
    assert_int_equal(version_parse(buf_str(&out), &v, &f->err), 0);
    assert_true(digest_eq(&d, &v->digest));
    assert_int_equal(v->model_count, 2);
    assert_str(v->models[0].name, "fast");
    assert_str(version_model(v, STR("careful"))->model, "c");
    assert_true(digest_eq(&v->models[1].digest, &house_model(f->house, STR("careful"))->digest));
    assert_null(version_model(v, STR("other")));
    assert_null(version_model(v, STR("")));
    version_free(v);
    buf_release(&out);
}

static void versions_that_are_none(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"format\":2,\"workflow\":{},\"servers\":[]}",
        "{\"format\":1,\"workflow\":{},\"servers\":[]}",
        "{\"format\":1,\"servers\":[]}",
        "{\"format\":1,\"workflow\":{\"name\":\"a\",\"tenant\":\"t\",\"agent\":{\"model\":\"m\"},"
        "\"new\":1},\"servers\":[]}",
        "{\"format\":1,\"workflow\":{\"name\":\"a\",\"tenant\":\"t\",\"agent\":{\"model\":\"m\"}},"
        "\"model\":" ROUTE("m") ",\"servers\":[{}]}",
        /* routes that it does not name, or not all that it names, or in another order */
        "{\"format\":1,\"workflow\":{\"name\":\"a\",\"tenant\":\"t\",\"agent\":{\"model\":\"m\"}},"
        "\"servers\":[]}",
        "{\"format\":1,\"workflow\":{\"name\":\"a\",\"tenant\":\"t\",\"agent\":{\"model\":\"m\"}},"
        "\"model\":" ROUTE("n") ",\"servers\":[]}",
        PROGRAM("\"m\"") ",\"models\":[" ROUTE("m") "," ROUTE("n") "],\"servers\":[]}",
        PROGRAM("\"m\",\"n\"") ",\"models\":[" ROUTE("m") "],\"servers\":[]}",
        PROGRAM("\"m\",\"n\"") ",\"models\":[" ROUTE("n") "," ROUTE("m") "],\"servers\":[]}",
        PROGRAM("\"m\"") ",\"servers\":[]}",
        PROGRAM("") ",\"model\":" ROUTE("m") ",\"servers\":[]}",
        "{\"format\":1,\"workflow\":{\"name\":\"../"
        "a\",\"tenant\":\"t\",\"agent\":{\"model\":\"m\"}},\"servers\":[]}",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct version *v = NULL;
        f->err = ERR_INIT;
        int rc = version_parse(str_of(texts[i]), &v, &f->err);
        assert_row(rc < 0 && f->err.text[0] && !v, i, "%d", rc);
    }
}

static void texts_round_trip(void **state)
{
    struct fixture *f = *state;
    struct house *h = NULL;
    struct diags d;
    load_full(f);
    buf_clear(&f->out);
    diags_init(&d);
    assert_int_equal(house_put_texts(f->house, &f->out, &f->err), 0);
    assert_int_equal(house_parse_texts(buf_str(&f->out), &d, &h, &f->err), 0);
    assert_true(digest_eq(&h->digest, &f->house->digest));
    assert_str(house_server(h, STR("ledger"))->command.items[0], "/etc/reeve/ledger");
    house_unref(house_ref(h));
    house_unref(h);
    diags_release(&d);
}

static void tool_digests(void **state)
{
    struct fixture *f = *state;
    struct arena a;
    struct digest d[3];
    static const char *const texts[] = {
        "{\"name\":\"pay\",\"description\":\"Pays.\",\"inputSchema\":{\"type\":\"object\"}}",
        ("{\"inputSchema\":{\"type\":\"object\"},\"name\":\"pay\",\"description\":\"Pays.\","
         "\"_meta\":{\"x\":1}}"),
        "{\"name\":\"pay\",\"description\":\"Pays!\",\"inputSchema\":{\"type\":\"object\"}}",
    };
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < 3; i++) {
        const struct json *v = NULL;
        struct json_limits limits = JSON_LIMITS_DEFAULT;
        assert_int_equal(json_parse(&a, str_of(texts[i]), &limits, &v, NULL, &f->err), 0);
        assert_int_equal(version_tool_digest(v, &d[i], &f->err), 0);
    }
    assert_true(digest_eq(&d[0], &d[1]));
    assert_false(digest_eq(&d[0], &d[2]));
    arena_release(&a);
}

/* ---- directories ---- */

static void put_file(const char *dir, const char *name, const char *text, mode_t mode)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    chmod(path, mode);
}

static int load_dir(struct fixture *f, const char *dir)
{
    struct house_options o = {.owner = getuid(), .defs = {def_items, ARRAY_LEN(def_items)}};
    diags_release(&f->diags);
    diags_init(&f->diags);
    house_unref(f->house);
    f->house = NULL;
    f->err = ERR_INIT;
    return house_load(dir, &o, &f->diags, &f->house, &f->err);
}

static void remove_all(const char *dir)
{
    char path[600];
    DIR *d = opendir(dir);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
            unlink(path);
    }
    closedir(d);
    rmdir(dir);
}

/* Who can write it can grant. */
static void directories(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/reeve-house-XXXXXX", path[300];
    assert_non_null(mkdtemp(dir));
    chmod(dir, 0755);
    assert_int_equal(load_dir(f, dir), -ENOENT);
    put_file(dir, "b.yaml", full, 0644);
    put_file(dir, "a.cedar", policies, 0644);
    put_file(dir, ".hidden.yaml", "nonsense: [", 0644);
    put_file(dir, "c.yml", "nonsense: [", 0644);
    assert_int_equal(load_dir(f, dir), 0);
    assert_str(f->house->texts[0].name, "a.cedar");
    assert_int_equal(f->diags.count, 1); /* c.yml is not read, and that is said */
    struct digest before = f->house->digest;

    put_file(dir, "b.yaml", full, 0666);
    assert_int_equal(load_dir(f, dir), -EPERM);
    assert_non_null(strstr(f->err.text, "b.yaml"));
    put_file(dir, "b.yaml", full, 0664);
    assert_int_equal(load_dir(f, dir), -EPERM);
    put_file(dir, "b.yaml", full, 0644);
    chmod(dir, 0777);
    assert_int_equal(load_dir(f, dir), -EPERM);
    chmod(dir, 01777);
    assert_int_equal(load_dir(f, dir), -EPERM);
    chmod(dir, 0700);
    assert_int_equal(load_dir(f, dir), 0);
    assert_true(digest_eq(&before, &f->house->digest));

    snprintf(path, sizeof(path), "%s/d.yaml", dir);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(load_dir(f, dir), -ELOOP);
    unlink(path);
    put_file(dir, "d.yaml", "\n", 0644);
    assert_int_equal(load_dir(f, dir), 0);
    assert_false(digest_eq(&before, &f->house->digest));
    put_file(dir, "d.yaml", "workflow: {nam: x}\n", 0644);
    assert_int_equal(load_dir(f, dir), -EINVAL);
    assert_true(diags_has_errors(&f->diags));
    assert_int_equal(load_dir(f, "/nonexistent"), -ENOENT);
    assert_null(f->house);
    remove_all(dir);
}

/* ---- golden ---- */

static char *slurp(const char *path, size_t *ret_len)
{
    FILE *in = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    *ret_len = in ? fread(text, 1, (1 << 20) - 1, in) : 0;
    if (in)
        fclose(in);
    return text;
}

static void golden_one(struct fixture *f, const char *name)
{
    char path[400];
    size_t len = 0, want_len = 0;
    snprintf(path, sizeof(path), "tests/golden/yaml/%s", name);
    char *text = slurp(path, &len);
    const struct house_text t = {str_of(name), {text, len}};
    int rc = parse(f, &t, 1);
    assert_true((rc == 0) == (f->diags.errors == 0));
    snprintf(path, sizeof(path), "tests/golden/yaml/%s.want", name);
    if (getenv("REEVE_GOLDEN_WRITE")) {
        FILE *out = fopen(path, "w");
        fwrite(f->out.ptr, 1, f->out.len, out);
        fclose(out);
    }
    char *want = slurp(path, &want_len);
    bool same = str_eq(buf_str(&f->out), (struct str){want, want_len});
    if (!same)
        print_error("%s: got:\n%.*s\n", name, STR_FMT(buf_str(&f->out)));
    free(text);
    free(want);
    assert_true(same);
}

static void golden(void **state)
{
    DIR *d = opendir("tests/golden/yaml");
    size_t n = 0;
    if (!d)
        skip();
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        struct str name = str_of(e->d_name);
        if (name.ptr[0] == '.' || !(str_ends(name, STR(".yaml")) || str_ends(name, STR(".cedar"))))
            continue;
        golden_one(*state, e->d_name);
        n++;
    }
    closedir(d);
    assert_true(n > 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    diags_init(&f->diags);
    buf_init(&f->out, 1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    house_unref(f->house);
    diags_release(&f->diags);
    buf_release(&f->out);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_arrives),
        cmocka_unit_test(server_arrives),
        cmocka_unit_test(workflow_arrives),
        cmocka_unit_test(version_round_trip),
        cmocka_unit_test(version_follows_parts),
        cmocka_unit_test(versions_that_are_none),
        cmocka_unit_test(routes_of_a_program),
        cmocka_unit_test(texts_round_trip),
        cmocka_unit_test(tool_digests),
        cmocka_unit_test(directories),
        cmocka_unit_test(golden),
    };

    return cmocka_run_group_tests_name("policy/house", tests, set_up, tear_down);
}
