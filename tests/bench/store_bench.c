/*
 * store_bench.c: what the store costs above SQLite itself.
 *
 * A step is a row that is added in one commit (intent) and written anew in a later one (outcome).
 * Floor: bare SQLite with the same settings, in the same directory, with rows of the same size:
 * inserted in one commit, updated in a later one. Both take turns, so that what the disk does
 * meanwhile meets both. "whole" is all that reeved writes for a tool call: the step, request and
 * outcome documents, a decision with its facts, usage, run, audit.
 *
 *   store_bench [DIR [STEPS]]   prints steps a second for groups of 1, 10 and 100 a commit, and
 * ratios to the floor
 */
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "supervisor/store/store.h"
#include "tests/lib/tmpstore.h"

#define TURNS 6
#define RUNS  64

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "store_bench: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- the floor
 * ------------------------------------------------------------------------------------ */

struct floor {
    sqlite3 *db;
    sqlite3_stmt *add, *update, *begin, *commit;
    int64_t next;
};

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        die(text, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepared(sqlite3 *db, const char *text)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        die(text, sqlite3_errmsg(db));
    return stmt;
}

static struct floor floor_open(const char *dir)
{
    struct floor f = {.next = 1};
    char file[256];
    (void)snprintf(file, sizeof(file), "%s/floor.db", dir);
    if (sqlite3_open_v2(file, &f.db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        die("open", file);
    sql(f.db, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA page_size=4096; PRAGMA journal_mode=WAL; "
              "PRAGMA synchronous=FULL;"
              "PRAGMA wal_autocheckpoint=1000; PRAGMA cache_size=-8192; PRAGMA secure_delete=FAST;"
              "CREATE TABLE step(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT");
    f.add = prepared(f.db, "INSERT INTO step(id,body) VALUES(?,?)");
    f.update = prepared(f.db, "UPDATE step SET body=? WHERE id=?");
    f.begin = prepared(f.db, "BEGIN IMMEDIATE");
    f.commit = prepared(f.db, "COMMIT");
    return f;
}

static void done(sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE)
        die("step", sqlite3_errmsg(sqlite3_db_handle(stmt)));
    sqlite3_reset(stmt);
}

static void floor_group(struct floor *f, int group)
{
    static const char body[150] = "as large as the row of a step";
    done(f->begin);
    for (int i = 0; i < group; i++) {
        sqlite3_bind_int64(f->add, 1, f->next + i);
        sqlite3_bind_blob(f->add, 2, body, sizeof(body) - 30, SQLITE_STATIC);
        done(f->add);
    }
    done(f->commit);
    done(f->begin);
    for (int i = 0; i < group; i++) {
        sqlite3_bind_blob(f->update, 1, body, sizeof(body), SQLITE_STATIC);
        sqlite3_bind_int64(f->update, 2, f->next + i);
        done(f->update);
    }
    done(f->commit);
    f->next += group;
}

/* ---- the store
 * ------------------------------------------------------------------------------------- */

struct bench {
    struct store *s;
    struct err err;
    int64_t runs[RUNS], seq[RUNS];
    struct store_run row[RUNS];
    int next_run;
    bool whole;
};

#define ok(b, call) ((call) < 0 ? die(#call, (b)->err.text) : (void)0)

static void begin_step(struct bench *b, struct store_step *st)
{
    int64_t id;
    int r = b->next_run++ % RUNS;
    *st = tmpstore_step(b->runs[r], ++b->seq[r]);
    st->info = STR(
        "{\"server\":\"ledger\",\"tool\":\"0123456789abcdef0123456789abcdef0123456789abcdef\"}");
    if (b->whole) {
        struct store_decision d = {.run = st->run,
                                   .seq = st->seq,
                                   .ask = STR("call:ledger/pay"),
                                   .allow = true,
                                   .reasons = STR("[\"pay-small\"]"),
                                   .errors = STR("[]"),
                                   .facts = STR("{\"principal\":\"Workflow::\\\"w\\\"\",\"input\":{"
                                                "\"amount\":12,\"to\":\"NL91\"}}")};
        ok(b,
           store_doc_put(
               b->s, STR("{\"name\":\"ledger/pay\",\"arguments\":{\"amount\":12,\"to\":\"NL91\"}}"),
               &st->request_doc, &b->err));
        ok(b, store_decision_add(b->s, &d, &id, &b->err));
        st->decision = id;
    }
    ok(b, store_step_add(b->s, st, &b->err));
}

static void end_step(struct bench *b, struct store_step *st)
{
    st->state = STEP_COMMITTED;
    st->tries = 1;
    st->began_ms = st->ended_ms = 1790000000000;
    if (b->whole) {
        struct store_usage u = {
            .tenant = STR("acme"), .workflow = STR("w"), .day = 20000, .calls = 1};
        struct store_run *run = &b->row[(b->next_run++) % RUNS];
        ok(b, store_doc_put(b->s,
                            STR("{\"content\":[{\"type\":\"text\",\"text\":\"paid\"}],"
                                "\"structuredContent\":{\"id\":7}}"),
                            &st->outcome_doc, &b->err));
        ok(b, store_usage_add(b->s, &u, &b->err));
        run->next_seq++;
        run->steps++;
        ok(b, store_run_update(b->s, run, &b->err));
        ok(b, store_audit_add(b->s, 1790000000000, STR("reeved"), STR("tool/call"),
                              STR("run 41 step 7"), STR("{\"tool\":\"ledger/pay\"}"), &b->err));
    }
    ok(b, store_step_update(b->s, st, &b->err));
}

static void store_group(struct bench *b, int group)
{
    struct store_step st[100];
    for (int i = 0; i < group; i++)
        begin_step(b, &st[i]);
    ok(b, store_commit(b->s, &b->err));
    for (int i = 0; i < group; i++)
        end_step(b, &st[i]);
    ok(b, store_commit(b->s, &b->err));
}

static void open_bench(struct bench *b, const char *dir)
{
    ok(b, store_open(dir, &tmpstore_options, &b->s, &b->err));
    for (int i = 0; i < RUNS; i++) {
        struct store_run r = {
            .tenant = STR("acme"), .workflow = STR("w"), .state = RUN_RUNNING, .next_seq = 1};
        ok(b, store_run_add(b->s, &r, &r.id, &b->err));
        b->runs[i] = r.id;
        b->row[i] = r;
    }
    ok(b, store_commit(b->s, &b->err));
}

int main(int argc, char **argv)
{
    char dir[128];
    int64_t steps = 6000;
    (void)snprintf(dir, sizeof(dir), "%s/reeve-bench.XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if ((argc > 2 && num_i64(str_of(argv[2]), &steps) < 0) || mkdtemp(dir) == NULL)
        die("usage", "store_bench [DIR [STEPS]]");
    struct bench b = {0};
    open_bench(&b, dir);
    struct floor f = floor_open(dir);
    static const int groups[] = {1, 10, 100};
    (void)printf("%-8s %14s %14s %8s %14s %8s\n", "group", "floor steps/s", "store steps/s",
                 "ratio", "whole steps/s", "ratio");
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        double spent[3] = {0};
        int64_t n = steps / TURNS / (i == 0 ? 10 : 1) / groups[i] + 1;
        for (int turn = 0; turn < TURNS; turn++)
            for (int side = 0; side < 3; side++) {
                double from = now();
                b.whole = side == 2;
                for (int64_t k = 0; k < n; k++)
                    side == 0 ? floor_group(&f, groups[i]) : store_group(&b, groups[i]);
                spent[side] += now() - from;
            }
        double count = (double)(n * TURNS * groups[i]);
        (void)printf("%-8d %14.0f %14.0f %8.2f %14.0f %8.2f\n", groups[i], count / spent[0],
                     count / spent[1], spent[0] / spent[1], count / spent[2], spent[0] / spent[2]);
    }
    store_close(b.s);
    sqlite3_stmt *const all[] = {f.add, f.update, f.begin, f.commit};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(f.db);
    remove_dir(dir);
    return 0;
}
