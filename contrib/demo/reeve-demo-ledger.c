/*
 * reeve-demo-ledger.c: a small accounts-payable ledger as an MCP server over standard input and
 * output, for the demo and the tests. Vendors, purchase orders, invoices and payments are in an
 * SQLite file of its own.
 *
 * Speaks MCP 2026-07-28 (server/discover, _meta in each request) and the older handshake
 * (initialize). A call that carries _meta["io.reeve/idempotencyKey"] is done once: key, effect and
 * answer are kept in one durable transaction, and the same key gets the same answer again. Without
 * a key a payment asked twice is paid twice, as real ledgers do: that it is paid once is for the
 * runtime to see to.
 *
 * It can also be made to fail in the ways that tool servers do: die in the middle of a call, never
 * answer, write noise to standard error.
 */
#include <getopt.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "policy/text/digest.h"
#include "policy/text/num.h"
#include "sandbox/os/fd.h"
#include "sandbox/os/sys.h"
#include "sandbox/os/wire.h"

#define LINE_MAX_BYTES ((size_t)1 << 20)
#define MODERN         "2026-07-28"
#define META(name)     "io.modelcontextprotocol/" name

enum era { ERA_ANY, ERA_MODERN, ERA_LEGACY };
enum death { DIE_NEVER, DIE_BEFORE, DIE_MIDDLE, DIE_AFTER };

struct ledger {
    sqlite3 *db;
    enum era era;       /* that it speaks; ERA_ANY: the client's first message decides */
    const char *record; /* file to append each executed effect to, or NULL */
    const char *die_tool, *hang_tool;
    enum death die_when;
    bool is_noisy;
    struct buf out;
};

/* ---- the database ---------------------------------------------------------------------------- */

static const char schema[] =
    "PRAGMA synchronous=FULL;"
    "CREATE TABLE IF NOT EXISTS vendors(id TEXT PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE, "
    "iban TEXT NOT NULL,"
    " status TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS orders(id TEXT PRIMARY KEY, vendor TEXT NOT NULL, cents INTEGER "
    "NOT NULL,"
    " currency TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS invoices(id INTEGER PRIMARY KEY, vendor TEXT NOT NULL, number TEXT "
    "NOT NULL,"
    " purchase_order TEXT NOT NULL, cents INTEGER NOT NULL, currency TEXT NOT NULL, UNIQUE(vendor, "
    "number)) STRICT;"
    "CREATE TABLE IF NOT EXISTS payments(id INTEGER PRIMARY KEY, vendor TEXT NOT NULL, number TEXT "
    "NOT NULL,"
    " cents INTEGER NOT NULL, currency TEXT NOT NULL, iban TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS effects(key TEXT PRIMARY KEY, tool TEXT NOT NULL, arguments TEXT "
    "NOT NULL,"
    " answer TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS deaths(tool TEXT PRIMARY KEY) STRICT;"
    "INSERT OR IGNORE INTO vendors VALUES('V-1001','Fjordlys AS','NO9386011117947','active'),"
    " ('V-1002','Kielder and Sons Ltd','GB29NWBK60161331926819','blocked'),"
    " ('V-1003','Atelier Morel','FR1420041010050500013M02606','active');"
    "INSERT OR IGNORE INTO orders "
    "VALUES('PO-1107','V-1001',184000,'EUR'),('PO-1108','V-1003',95050,'EUR'),"
    " ('PO-1109','V-1001',1250000,'EUR');";

static int db_fail(struct ledger *l, const char *what, struct err *err)
{
    return err_set(err, EIO, "%s: %s", what, sqlite3_errmsg(l->db));
}

static int db_open(struct ledger *l, const char *path, struct err *err)
{
    if (sqlite3_open_v2(path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK)
        return db_fail(l, path, err);
    sqlite3_busy_timeout(l->db, 5000);
    if (sqlite3_exec(l->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return db_fail(l, path, err);
    return 0;
}

static int db_do(struct ledger *l, const char *sql, struct err *err)
{
    return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(l, sql, err);
}

/* One statement with text parameters; SQLITE_ROW or SQLITE_DONE, the caller finalizes *ret. */
static int db_query(struct ledger *l, sqlite3_stmt **ret, const char *sql, const struct str *values,
                    size_t n, struct err *err)
{
    size_t i;
    int rc;

    *ret = NULL;
    if (sqlite3_prepare_v2(l->db, sql, -1, ret, NULL) != SQLITE_OK)
        return db_fail(l, "prepare", err);
    for (i = 0; i < n; i++)
        sqlite3_bind_text(*ret, (int)i + 1, values[i].ptr ? values[i].ptr : "", (int)values[i].len,
                          SQLITE_TRANSIENT);
    rc = sqlite3_step(*ret);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? rc : db_fail(l, "query", err);
}

static int db_write(struct ledger *l, const char *sql, const struct str *values, size_t n,
                    struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_query(l, &st, sql, values, n, err);

    sqlite3_finalize(st);
    return rc < 0 ? rc : 0;
}

static struct str column(sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);

    return (struct str){text ? text : "", (size_t)sqlite3_column_bytes(st, i)};
}

/* ---- the tools: 0, or what the model is told ------------------------------------------------- */

/* Writes members of the answer. 0; -EINVAL and the like: the tool's own refusal; -EIO: the server's
 * fault. */
typedef int tool_fn(struct ledger *l, const struct json *args, struct jout *j, struct err *err);

static int lookup_vendor(struct ledger *l, const struct json *args, struct jout *j, struct err *err)
{
    sqlite3_stmt *st = NULL;
    struct str name;
    int rc = json_want_str(args, "name", &name, err);

    if (rc >= 0)
        rc = db_query(l, &st, "SELECT id, name, iban, status FROM vendors WHERE name = ?", &name, 1,
                      err);
    if (rc >= 0)
        jout_m_bool(j, "found", rc == SQLITE_ROW);
    if (rc == SQLITE_ROW) {
        jout_m_str(j, "vendorId", column(st, 0));
        jout_m_str(j, "name", column(st, 1));
        jout_m_str(j, "iban", column(st, 2));
        jout_m_str(j, "status", column(st, 3));
    }
    sqlite3_finalize(st);
    return rc < 0 ? rc : 0;
}

static int want_money(const struct json *args, struct str *ret_cents, struct str *ret_currency,
                      struct err *err)
{
    int64_t cents = 0;
    int rc = json_want_i64(args, "amountCents", &cents, err);

    if (rc >= 0)
        rc = json_want_str(args, "currency", ret_currency, err);
    if (rc >= 0 && (cents <= 0 || cents > 100000000000))
        rc = err_set(err, EINVAL, "amountCents must be more than 0 and at most 100000000000");
    if (rc >= 0)
        *ret_cents = json_get(args, "amountCents")->raw;
    return rc;
}

static int match_purchase_order(struct ledger *l, const struct json *args, struct jout *j,
                                struct err *err)
{
    sqlite3_stmt *st = NULL;
    struct str order, currency, cents;
    const char *reason = NULL;
    int rc = json_want_str(args, "purchaseOrder", &order, err);

    if (rc >= 0)
        rc = want_money(args, &cents, &currency, err);
    if (rc >= 0)
        rc = db_query(l, &st, "SELECT vendor, cents, currency FROM orders WHERE id = ?", &order, 1,
                      err);
    if (rc == SQLITE_DONE)
        reason = "no such purchase order";
    else if (rc == SQLITE_ROW && !str_eq(column(st, 2), currency))
        reason = "the currency differs";
    else if (rc == SQLITE_ROW && !str_eq(column(st, 1), cents))
        reason = "the amount differs";
    if (rc >= 0)
        jout_m_bool(j, "matches", !reason);
    if (rc >= 0 && reason)
        jout_m_cstr(j, "reason", reason);
    if (rc == SQLITE_ROW)
        jout_m_str(j, "vendorId", column(st, 0));
    sqlite3_finalize(st);
    return rc < 0 ? rc : 0;
}

/* The vendor must be there and active; its iban is checked when given. */
static int check_vendor(struct ledger *l, struct str vendor, struct str iban, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = db_query(l, &st, "SELECT status, iban FROM vendors WHERE id = ?", &vendor, 1, err);

    if (rc == SQLITE_DONE)
        rc = err_set(err, ENOENT, "no vendor %.*s", STR_FMT(vendor));
    else if (rc == SQLITE_ROW && !str_is(column(st, 0), "active"))
        rc = err_set(err, EPERM, "vendor %.*s is %.*s", STR_FMT(vendor), STR_FMT(column(st, 0)));
    else if (rc == SQLITE_ROW && iban.ptr && !str_eq(column(st, 1), iban))
        rc =
            err_set(err, EPERM, "the IBAN is not the one on file for vendor %.*s", STR_FMT(vendor));
    sqlite3_finalize(st);
    return rc < 0 ? rc : 0;
}

static int post_invoice(struct ledger *l, const struct json *args, struct jout *j, struct err *err)
{
    struct str v[5]; /* vendor, number, purchase order, currency, cents */
    sqlite3_stmt *st = NULL;
    int rc = json_want_str(args, "vendorId", &v[0], err);

    if (rc >= 0)
        rc = json_want_str(args, "invoiceNumber", &v[1], err);
    if (rc >= 0)
        rc = json_str_or(args, "purchaseOrder", STR(""), &v[2], err);
    if (rc >= 0)
        rc = want_money(args, &v[4], &v[3], err);
    if (rc >= 0)
        rc = check_vendor(l, v[0], STR_NONE, err);
    if (rc >= 0)
        rc = db_query(l, &st, "SELECT 1 FROM invoices WHERE vendor = ? AND number = ?", v, 2, err);
    sqlite3_finalize(st);
    if (rc == SQLITE_ROW)
        return err_set(err, EEXIST, "invoice %.*s was posted before", STR_FMT(v[1]));
    if (rc >= 0)
        rc = db_write(l,
                      "INSERT INTO invoices(vendor, number, purchase_order, currency, cents) "
                      "VALUES(?,?,?,?,?)",
                      v, 5, err);
    if (rc < 0)
        return rc;
    jout_m_bool(j, "posted", true);
    jout_m_fmt(j, "invoiceId", "I-%" PRId64, (int64_t)sqlite3_last_insert_rowid(l->db));
    return 0;
}

static int pay(struct ledger *l, const struct json *args, struct jout *j, struct err *err)
{
    struct str v[5]; /* vendor, number, currency, iban, cents */
    sqlite3_stmt *st = NULL;
    int rc = json_want_str(args, "vendorId", &v[0], err);

    if (rc >= 0)
        rc = json_want_str(args, "invoiceNumber", &v[1], err);
    if (rc >= 0)
        rc = want_money(args, &v[4], &v[2], err);
    if (rc >= 0)
        rc = json_want_str(args, "iban", &v[3], err);
    if (rc >= 0)
        rc = check_vendor(l, v[0], v[3], err);
    if (rc >= 0)
        rc = db_query(l, &st, "SELECT 1 FROM invoices WHERE vendor = ? AND number = ?", v, 2, err);
    sqlite3_finalize(st);
    if (rc == SQLITE_DONE)
        return err_set(err, ENOENT, "invoice %.*s is not posted", STR_FMT(v[1]));
    if (rc >= 0)
        rc = db_write(
            l, "INSERT INTO payments(vendor, number, currency, iban, cents) VALUES(?,?,?,?,?)", v,
            5, err);
    if (rc < 0)
        return rc;
    jout_m_bool(j, "paid", true);
    jout_m_fmt(j, "paymentId", "P-%" PRId64, (int64_t)sqlite3_last_insert_rowid(l->db));
    return 0;
}

static int change_iban(struct ledger *l, const struct json *args, struct jout *j, struct err *err)
{
    struct str v[2]; /* iban, vendor */
    int rc = json_want_str(args, "iban", &v[0], err);

    if (rc >= 0)
        rc = json_want_str(args, "vendorId", &v[1], err);
    if (rc >= 0)
        rc = db_write(l, "UPDATE vendors SET iban = ? WHERE id = ?", v, 2, err);
    if (rc >= 0)
        jout_m_bool(j, "changed", sqlite3_changes(l->db) == 1);
    return rc;
}

static int delete_vendor(struct ledger *l, const struct json *args, struct jout *j, struct err *err)
{
    struct str vendor;
    int rc = json_want_str(args, "vendorId", &vendor, err);

    if (rc >= 0)
        rc = db_write(l, "DELETE FROM vendors WHERE id = ?", &vendor, 1, err);
    if (rc >= 0)
        jout_m_bool(j, "deleted", sqlite3_changes(l->db) == 1);
    return rc;
}

#define P_TEXT(name) "\"" name "\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200}"
#define P_CENTS                                                                        \
    "\"amountCents\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"amount in " \
    "hundredths\"}"
#define SCHEMA(properties, required)                                               \
    "{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required \
    "],\"additionalProperties\":false}"

static const struct tool {
    const char *name, *description, *schema;
    tool_fn *fn;
    bool is_read, is_idempotent, is_destructive;
} tools[] = {
    {"lookup_vendor", "Find a vendor by its name: id, IBAN on file, status.",
     SCHEMA(P_TEXT("name"), "\"name\""), lookup_vendor, true, true, false},
    {"match_purchase_order", "Compare amount and currency of an invoice with its purchase order.",
     SCHEMA(P_TEXT("purchaseOrder") "," P_CENTS "," P_TEXT("currency"),
            "\"purchaseOrder\",\"amountCents\",\"currency\""),
     match_purchase_order, true, true, false},
    {"post_invoice", "Post an invoice to the ledger.",
     SCHEMA(P_TEXT("vendorId") "," P_TEXT("invoiceNumber") "," P_TEXT(
                "purchaseOrder") "," P_CENTS "," P_TEXT("currency"),
            "\"vendorId\",\"invoiceNumber\",\"amountCents\",\"currency\""),
     post_invoice, false, false, false},
    {"pay", "Pay a posted invoice to the vendor's IBAN on file. Money leaves the house.",
     SCHEMA(P_TEXT("vendorId") "," P_TEXT("invoiceNumber") "," P_CENTS "," P_TEXT(
                "currency") "," P_TEXT("iban"),
            "\"vendorId\",\"invoiceNumber\",\"amountCents\",\"currency\",\"iban\""),
     pay, false, false, true},
    {"change_iban", "Change the IBAN on file for a vendor.",
     SCHEMA(P_TEXT("vendorId") "," P_TEXT("iban"), "\"vendorId\",\"iban\""), change_iban, false,
     true, true},
    {"delete_vendor", "Delete a vendor.", SCHEMA(P_TEXT("vendorId"), "\"vendorId\""), delete_vendor,
     false, true, true},
};

/* ---- calls ----------------------------------------------------------------------------------- */

/* Once for each database, so that the server which is started after it goes on; marked ahead, as
 * what dies in the middle is rolled back. */
static enum death death_of(struct ledger *l, const char *tool)
{
    struct str name = str_of(tool);
    struct err err = ERR_INIT;

    if (!l->die_tool || strcmp(l->die_tool, tool) != 0)
        return DIE_NEVER;
    return db_write(l, "INSERT INTO deaths VALUES(?)", &name, 1, &err) == 0 ? l->die_when
                                                                            : DIE_NEVER;
}

static void die_if(bool dies)
{
    if (dies)
        _exit(3);
}

static int record(struct ledger *l, const char *tool, const struct json *args, struct err *err)
{
    struct buf line;
    int fd, rc;

    if (!l->record)
        return 0;
    fd = sys.open(AT_FDCWD, l->record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, -fd, "open %s", l->record);
    buf_init(&line, LINE_MAX_BYTES + 256);
    buf_fmt(&line, "%s ", tool);
    buf_str_put(&line, args->raw);
    buf_char(&line, '\n');
    rc = fd_write_all(fd, line.ptr, line.len, err);
    fd_close(&fd);
    buf_release(&line);
    return rc;
}

/* The answer of an earlier call with this key into *ret (malloc'd): 1; 0: none. */
static int recall(struct ledger *l, struct str key, const char *tool, const char *digest,
                  char **ret, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc =
        db_query(l, &st, "SELECT tool, arguments, answer FROM effects WHERE key = ?", &key, 1, err);

    if (rc == SQLITE_ROW && (!str_is(column(st, 0), tool) || !str_is(column(st, 1), digest)))
        rc = err_set(err, EINVAL, "this idempotency key belongs to another call");
    else if (rc == SQLITE_ROW)
        rc = (*ret = str_dup(column(st, 2))) ? 1 : err_set(err, ENOMEM, "no memory");
    else if (rc == SQLITE_DONE)
        rc = 0;
    sqlite3_finalize(st);
    return rc;
}

static int answer_text(struct ledger *l, const struct tool *t, const struct json *args,
                       struct buf *out, struct err *err)
{
    struct jout j;
    int rc, wrote;

    jout_begin(&j, out);
    jout_object(&j);
    rc = t->fn(l, args, &j, err);
    jout_object_end(&j);
    wrote = jout_end(&j);
    if (rc >= 0 && wrote < 0)
        rc = err_sys(err, -wrote, "write the answer");
    return rc;
}

/* Effect, key and answer in one transaction. */
static int call_effect(struct ledger *l, const struct tool *t, const struct json *args,
                       struct str key, struct buf *out, struct err *err)
{
    char digest[DIGEST_HEX] = "", *before = NULL;
    enum death dies = DIE_NEVER;
    struct digest d;
    int rc = digest_of_json(args, &d, err);

    if (rc < 0)
        return rc;
    digest_hex(&d, digest);
    rc = key.len > 0 ? recall(l, key, t->name, digest, &before, err) : 0;
    if (rc == 1) {
        buf_cstr(out, before);
        free(before);
        return 0;
    }
    if (rc >= 0)
        dies = death_of(l, t->name);
    die_if(dies == DIE_BEFORE);
    if (rc >= 0)
        rc = db_do(l, "BEGIN IMMEDIATE", err);
    if (rc < 0)
        return rc;
    rc = answer_text(l, t, args, out, err);
    if (rc >= 0 && key.len > 0)
        rc = db_write(l, "INSERT INTO effects VALUES(?,?,?,?)",
                      (struct str[]){key, str_of(t->name), str_of(digest), buf_str(out)}, 4, err);
    die_if(dies == DIE_MIDDLE);
    if (rc >= 0)
        rc = db_do(l, "COMMIT", err);
    if (rc < 0) {
        struct err ignored = ERR_INIT;

        (void)db_do(l, "ROLLBACK", &ignored);
        return rc;
    }
    rc = record(l, t->name, args, err);
    die_if(dies == DIE_AFTER);
    return rc;
}

static const struct tool *tool_find(struct str name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(tools); i++)
        if (str_is(name, tools[i].name))
            return &tools[i];
    return NULL;
}

static void put_tool_result(struct ledger *l, const struct wire_message *m, struct str text,
                            bool is_error, bool is_modern)
{
    struct wire_out o;

    wire_put_result(&o, &l->out, m->id);
    if (is_modern)
        jout_m_cstr(&o.j, "resultType", "complete");
    jout_name(&o.j, "content");
    jout_array(&o.j);
    jout_object(&o.j);
    jout_m_cstr(&o.j, "type", "text");
    jout_m_str(&o.j, "text", text);
    jout_object_end(&o.j);
    jout_array_end(&o.j);
    if (is_error) {
        jout_m_bool(&o.j, "isError", true);
    } else {
        jout_name(&o.j, "structuredContent");
        jout_raw(&o.j, text);
    }
    must(wire_put_end(&o) == 0);
}

static void put_error(struct ledger *l, const struct wire_message *m, int64_t code,
                      const char *text)
{
    struct wire_out o;

    wire_put_error(&o, &l->out, m->id, code, text);
    must(wire_put_end(&o) == 0);
}

static void on_tools_call(struct ledger *l, const struct wire_message *m, bool is_modern)
{
    const struct json *args = json_get(m->params, "arguments");
    const struct json *key = json_get(json_get(m->params, "_meta"), "io.reeve/idempotencyKey");
    const struct json none = {.type = JSON_OBJECT, .raw = STR("{}")};
    struct err err = ERR_INIT;
    const struct tool *t;
    struct buf out;
    struct str name;
    int rc;

    if (json_want_str(m->params, "name", &name, &err) < 0 || !(t = tool_find(name))) {
        put_error(l, m, WIRE_E_PARAMS, err.number ? err.text : "unknown tool");
        return;
    }
    if (l->is_noisy)
        (void)fputs("\x1b[31mledger: working \xff\xfe\x1b[0m\n\n", stderr);
    if (l->hang_tool && strcmp(l->hang_tool, t->name) == 0)
        return; /* never */
    buf_init(&out, LINE_MAX_BYTES);
    args = json_is(args, JSON_OBJECT) ? args : &none;
    err = ERR_INIT;
    rc = t->is_read ? answer_text(l, t, args, &out, &err)
                    : call_effect(l, t, args, json_is(key, JSON_STRING) ? key->string : STR_NONE,
                                  &out, &err);
    if (rc == -EIO)
        put_error(l, m, WIRE_E_INTERNAL, err.text);
    else
        put_tool_result(l, m, rc < 0 ? str_of(err.text) : buf_str(&out), rc < 0, is_modern);
    buf_release(&out);
}

/* ---- the protocol ---------------------------------------------------------------------------- */

static void put_server_info(struct jout *j, const char *name)
{
    jout_name(j, name);
    jout_object(j);
    jout_m_cstr(j, "name", "reeve-demo-ledger");
    jout_m_cstr(j, "version", REEVE_VERSION);
    jout_object_end(j);
}

static void put_capabilities(struct jout *j)
{
    jout_name(j, "capabilities");
    jout_raw(j, STR("{\"tools\":{}}"));
}

static void put_cache(struct jout *j)
{
    jout_m_cstr(j, "resultType", "complete");
    jout_m_i64(j, "ttlMs", 60000);
    jout_m_cstr(j, "cacheScope", "public");
}

static void on_discover(struct ledger *l, const struct wire_message *m)
{
    struct wire_out o;

    wire_put_result(&o, &l->out, m->id);
    put_cache(&o.j);
    jout_name(&o.j, "supportedVersions");
    jout_raw(&o.j, STR("[\"" MODERN "\"]"));
    put_capabilities(&o.j);
    jout_m_cstr(&o.j, "instructions",
                "Accounts payable: vendors, purchase orders, invoices, payments.");
    jout_name(&o.j, "_meta");
    jout_object(&o.j);
    put_server_info(&o.j, META("serverInfo"));
    jout_object_end(&o.j);
    must(wire_put_end(&o) == 0);
}

static void on_initialize(struct ledger *l, const struct wire_message *m)
{
    static const char *const versions[] = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
    const struct json *asked = json_get(m->params, "protocolVersion");
    const char *version = versions[0];
    struct wire_out o;
    size_t i;

    for (i = 0; i < ARRAY_LEN(versions); i++)
        if (json_is(asked, JSON_STRING) && str_is(asked->string, versions[i]))
            version = versions[i];
    wire_put_result(&o, &l->out, m->id);
    jout_m_cstr(&o.j, "protocolVersion", version);
    put_capabilities(&o.j);
    put_server_info(&o.j, "serverInfo");
    must(wire_put_end(&o) == 0);
}

static void on_tools_list(struct ledger *l, const struct wire_message *m, bool is_modern)
{
    struct wire_out o;
    size_t i;

    wire_put_result(&o, &l->out, m->id);
    if (is_modern)
        put_cache(&o.j);
    jout_name(&o.j, "tools");
    jout_array(&o.j);
    for (i = 0; i < ARRAY_LEN(tools); i++) {
        jout_object(&o.j);
        jout_m_cstr(&o.j, "name", tools[i].name);
        jout_m_cstr(&o.j, "description", tools[i].description);
        jout_name(&o.j, "inputSchema");
        jout_raw(&o.j, str_of(tools[i].schema));
        jout_name(&o.j, "annotations");
        jout_object(&o.j);
        jout_m_bool(&o.j, "readOnlyHint", tools[i].is_read);
        jout_m_bool(&o.j, "destructiveHint", tools[i].is_destructive);
        jout_m_bool(&o.j, "idempotentHint", tools[i].is_idempotent);
        jout_m_bool(&o.j, "openWorldHint", false);
        jout_object_end(&o.j);
        jout_object_end(&o.j);
    }
    jout_array_end(&o.j);
    must(wire_put_end(&o) == 0);
}

static void put_version_error(struct ledger *l, const struct wire_message *m)
{
    struct wire_out o;

    wire_put_error(&o, &l->out, m->id, WIRE_E_MCP_VERSION, "unsupported protocol version");
    jout_name(&o.j, "supported");
    jout_raw(&o.j, STR("[\"" MODERN "\"]"));
    must(wire_put_end(&o) == 0);
}

/* A modern request says so itself; one that does not, in a process pinned to the modern era, is
 * refused. */
static bool is_modern_request(const struct wire_message *m)
{
    return json_is(json_get(json_get(m->params, "_meta"), META("protocolVersion")), JSON_STRING);
}

static void on_request(struct ledger *l, const struct wire_message *m)
{
    bool is_modern = is_modern_request(m);

    if (str_is(m->method, "server/discover") && l->era != ERA_LEGACY) {
        l->era = ERA_MODERN;
        on_discover(l, m);
    } else if (str_is(m->method, "initialize") && l->era != ERA_MODERN) {
        l->era = ERA_LEGACY;
        on_initialize(l, m);
    } else if (str_is(m->method, "initialize")) {
        put_version_error(l, m);
    } else if (l->era == ERA_MODERN && !is_modern) {
        put_error(l, m, WIRE_E_PARAMS, "_meta has no protocolVersion");
    } else if (l->era == ERA_MODERN &&
               !str_is(json_get(json_get(m->params, "_meta"), META("protocolVersion"))->string,
                       MODERN)) {
        put_version_error(l, m);
    } else if (str_is(m->method, "tools/list")) {
        on_tools_list(l, m, is_modern && l->era != ERA_LEGACY);
    } else if (str_is(m->method, "tools/call")) {
        on_tools_call(l, m, is_modern && l->era != ERA_LEGACY);
    } else if (str_is(m->method, "ping") && l->era != ERA_MODERN) {
        must(wire_put_result_raw(&l->out, m->id->raw, STR("{}")) == 0);
    } else {
        put_error(l, m, WIRE_E_METHOD, "no such method");
    }
}

static int take_line(struct ledger *l, struct str line, struct err *err)
{
    struct wire_limits limits = WIRE_LIMITS_DEFAULT;
    struct arena arena;
    struct wire_message m;
    int rc = 0;

    limits.max_message_bytes = LINE_MAX_BYTES;
    arena_init(&arena, 64 * LINE_MAX_BYTES);
    buf_clear(&l->out);
    if (wire_parse(line, &limits, &arena, &m, err) < 0)
        (void)fprintf(stderr, "ledger: a line was ignored: %s\n", err->text);
    else if (m.kind == WIRE_REQUEST)
        on_request(l, &m);
    if (l->out.len > 0)
        rc = fd_write_all(1, l->out.ptr, l->out.len, err);
    arena_release(&arena);
    return rc;
}

static int serve(struct ledger *l, struct err *err)
{
    struct buf in;
    size_t scanned = 0;
    int rc = 0;

    buf_init(&in, LINE_MAX_BYTES + 65536);
    while (rc >= 0) {
        ssize_t end = str_find(buf_str(&in), '\n', scanned), n;
        char *room;

        if (end >= 0) {
            rc = take_line(l, str_slice(buf_str(&in), 0, (size_t)end), err);
            buf_drop_front(&in, (size_t)end + 1);
            scanned = 0;
            continue;
        }
        scanned = in.len;
        room = buf_reserve(&in, 65536);
        if (!room) {
            rc = err_set(err, EMSGSIZE, "a line of more than %zu bytes", LINE_MAX_BYTES);
            break;
        }
        n = sys.read(0, room, 65536);
        if (n <= 0) {
            rc = n == 0 ? 0 : err_sys(err, (int)-n, "read");
            break;
        }
        buf_added(&in, (size_t)n);
    }
    buf_release(&in);
    return rc;
}

/* ---- program --------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: reeve-demo-ledger --db FILE [--era both|modern|legacy] [--record FILE]\n"
    "         [--die-in TOOL[:before|:middle|:after]] [--hang TOOL] [--noise]\n"
    "An MCP server over standard input and output.\n";

static bool set_death(struct ledger *l, char *text)
{
    char *colon = strchr(text, ':');

    l->die_tool = text;
    l->die_when = DIE_MIDDLE;
    if (!colon)
        return true;
    *colon++ = '\0';
    l->die_when = strcmp(colon, "before") == 0   ? DIE_BEFORE
                  : strcmp(colon, "middle") == 0 ? DIE_MIDDLE
                  : strcmp(colon, "after") == 0  ? DIE_AFTER
                                                 : DIE_NEVER;
    return l->die_when != DIE_NEVER;
}

static bool set_era(struct ledger *l, const char *text)
{
    l->era = strcmp(text, "modern") == 0   ? ERA_MODERN
             : strcmp(text, "legacy") == 0 ? ERA_LEGACY
                                           : ERA_ANY;
    return l->era != ERA_ANY || strcmp(text, "both") == 0;
}

int main(int argc, char **argv)
{
    struct ledger l = {0};
    const char *db = NULL;
    const char **const texts[] = {&db, &l.record, &l.hang_tool};
    int noise = 0;
    const struct option options[] = {
        {"db", required_argument, NULL, 1},
        {"record", required_argument, NULL, 2},
        {"hang", required_argument, NULL, 3},
        {"era", required_argument, NULL, 'e'},
        {"die-in", required_argument, NULL, 'k'},
        {"noise", no_argument, &noise, 1},
        {NULL, 0, NULL, 0},
    };
    struct err err = ERR_INIT;
    bool good = true;
    int c, rc;

    while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'e')
            good = set_era(&l, optarg);
        else if (c == 'k')
            good = set_death(&l, optarg);
        else if (c > 0 && c <= (int)ARRAY_LEN(texts))
            *texts[c - 1] = optarg;
        else
            good = c == 0;
    }
    if (!good || !db || optind != argc) {
        (void)fputs(usage, stderr);
        return 2;
    }
    buf_init(&l.out, 4 * LINE_MAX_BYTES);
    l.is_noisy = noise != 0;
    rc = db_open(&l, db, &err);
    if (rc >= 0 && l.is_noisy)
        (void)fputs("ledger: starting up ...\n\nledger: (this is noise)\n", stderr);
    if (rc >= 0)
        rc = serve(&l, &err);
    if (rc < 0)
        (void)fprintf(stderr, "reeve-demo-ledger: %s\n", err.text);
    sqlite3_close(l.db);
    buf_release(&l.out);
    return rc < 0;
}
