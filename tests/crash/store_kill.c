/*
 * store_kill.c: a writer is killed at each of its writes and syncs in turn, half of the write done;
 * a reader looks on all the while. What the writer had said to be committed is there after each
 * kill, whole, and the reader never sees less than was committed before it asked (INV-04, INV-07).
 *
 *   store_kill            250 kills, and a summary as TAP       REEVE_CRASH_FULL=1: 3,000
 *
 * The store goes on from round to round, as a real one does. The writer is this program again: the
 * kill is its own, at call N of its file system (tests/lib/vfs_fault.h), so that every point is met
 * and none by chance.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/text/num.h"
#include "supervisor/store/internal.h"
#include "supervisor/store/view.h"
#include "tests/lib/tmpstore.h"
#include "tests/lib/vfs_fault.h"

#define KILL_POINTS 170 /* calls of a writer, about */
#define PASSES      12  /* of a writer that is not killed before */

static void die(const char *what, const struct err *err)
{
    (void)printf("Bail out! %s: %s\n", what, err != NULL ? err->text : "");
    (void)fflush(stdout);
    _exit(1);
}

/* ---- the writer
 * -------------------------------------------------------------------------------------- */

/* All that a step changes: the journal, a document, the run, audit. Passes count up over all
 * rounds. */
static int pass(struct store *s, int64_t n, struct err *err)
{
    struct arena a;
    struct store_run run;
    char text[5000];
    int64_t seq = n;
    arena_init(&a, 1 << 20);
    int fill = snprintf(text, sizeof(text), "{\"n\":%" PRId64 ",\"messages\":[\"", n);
    for (uint64_t seed = (uint64_t)n; fill < (int)sizeof(text) - 3; fill++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        text[fill] = (char)('a' + (seed >> 33) % 26);
    }
    memcpy(text + fill, "\"]}", 3);
    struct store_step st = tmpstore_step(1, seq);
    int r = store_doc_put(s, (struct str){text, (size_t)fill + 3}, &st.request_doc, err);
    if (r >= 0)
        r = store_step_add(s, &st, err);
    st.state = STEP_COMMITTED;
    if (r >= 0)
        r = store_step_update(s, &st, err);
    if (r >= 0)
        r = store_run_get(s, 1, &a, &run, err);
    run.next_seq = n + 1;
    run.steps = n;
    if (r >= 0)
        r = store_run_update(s, &run, err);
    if (r >= 0)
        r = store_audit_add(s, n, STR("writer"), STR("pass"), STR("run 1"), STR("{}"), err);
    if (r >= 0)
        r = store_commit(s, err);
    arena_release(&a);
    return r;
}

static void be_writer(const char *dir, int64_t kill_at)
{
    struct err err = ERR_INIT;
    struct store *s = NULL;
    struct store_run run;
    struct arena a;
    arena_init(&a, 1 << 20);
    vfs_fault_install();
    vfs_fault = (struct vfs_fault){
        .kinds = VFS_WRITE | VFS_SYNC | VFS_TRUNCATE, .fail_at = kill_at, .kills = true};
    if (store_open(dir, &tmpstore_options, &s, &err) < 0)
        die("writer: open", &err);
    s->checkpoint_pages = 15;
    if (store_run_get(s, 1, &a, &run, &err) < 0) {
        run = (struct store_run){
            .tenant = STR("t"), .workflow = STR("w"), .state = RUN_RUNNING, .next_seq = 1};
        if (store_run_add(s, &run, &run.id, &err) < 0 || store_commit(s, &err) < 0)
            die("writer: run", &err);
    }
    for (int64_t n = run.next_seq; n < run.next_seq + PASSES; n++) {
        if (pass(s, n, &err) < 0)
            die("writer: pass", &err);
        if (write(STDOUT_FILENO, &n, sizeof(n)) != sizeof(n)) /* what leaves after the commit */
            _exit(1);
    }
    store_close(s);
    _exit(0);
}

/* ---- the reader: for each number that it is told, one that it sees
 * ------------------------------------- */

static int64_t newest_seen(struct view *v, struct err *err)
{
    struct buf out;
    struct jout j;
    struct arena a;
    const struct json *tree = NULL;
    int64_t n = -1, steps = -1;
    buf_init(&out, 1 << 20);
    arena_init(&a, 4 << 20);
    jout_begin(&j, &out);
    if (view_run(v, 1, &j, err) >= 0 && jout_end(&j) >= 0 &&
        json_parse(&a, buf_str(&out), &JSON_LIMITS_DEFAULT, &tree, NULL, err) >= 0)
        n = json_want_i64(tree, "steps", &steps, err) >= 0 ? steps : -1;
    arena_release(&a);
    buf_release(&out);
    return n;
}

static void be_reader(const char *dir)
{
    struct err err = ERR_INIT;
    struct view *v = NULL;
    int64_t said;
    while (read(STDIN_FILENO, &said, sizeof(said)) == sizeof(said)) {
        if (v == NULL && view_open(dir, &v, &err) < 0)
            die("reader: open", &err);
        int64_t seen = newest_seen(v, &err);
        if (seen < 0)
            (void)fprintf(stderr, "reader: %s\n", err.text);
        if (write(STDOUT_FILENO, &seen, sizeof(seen)) != sizeof(seen))
            break;
    }
    view_close(v);
    _exit(0);
}

/* ---- the test
 * ---------------------------------------------------------------------------------------- */

struct child {
    pid_t pid;
    int to, from;
};

static struct child start(const char *role, const char *dir, int64_t n)
{
    int to[2], from[2];
    char number[24];
    (void)snprintf(number, sizeof(number), "%" PRId64, n);
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        die("pipe", NULL);
    struct child c = {fork(), to[1], from[0]};
    if (c.pid == 0) {
        if (dup2(to[0], STDIN_FILENO) < 0 || dup2(from[1], STDOUT_FILENO) < 0)
            _exit(1);
        execl("/proc/self/exe", "store_kill", role, dir, number, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    return c;
}

static int end(struct child *c)
{
    int status = -1;
    close(c->to);
    close(c->from);
    (void)waitpid(c->pid, &status, 0);
    return status;
}

struct tally {
    int kills, lost, halves, blind;
    int64_t committed;
};

static int see(void *arg, const struct store_step *st)
{
    int64_t *n = arg;
    return st->seq == ++*n && st->state == STEP_COMMITTED ? 0 : -EBADMSG;
}

/* Opens what the kill left behind. */
static void check_after(const char *dir, struct tally *t)
{
    struct err err = ERR_INIT;
    struct store_options o = tmpstore_options;
    struct store *s = NULL;
    struct store_step st;
    struct str text;
    struct arena a;
    int64_t steps = 0, records = 0;
    o.check_integrity = true;
    arena_init(&a, 1 << 20);
    if (store_open(dir, &o, &s, &err) < 0)
        die("after a kill", &err);
    bool whole = store_audit_check(s, &records, &err) >= 0 &&
                 store_steps(s, 1, 0, see, &steps, &err) >= 0 && records == steps;
    if (whole && steps > 0)
        whole = store_step_get(s, 1, steps, &a, &st, &err) >= 0 &&
                store_doc_get(s, st.request_doc, &a, &text, &err) >= 0 &&
                str_starts(text, arena_fmt(&a, "{\"n\":%" PRId64 ",", steps)) &&
                str_ends(text, STR("\"]}"));
    if (!whole || steps > t->committed + 1)
        t->halves++;
    if (steps < t->committed)
        t->lost++;
    if (!whole || steps < t->committed)
        (void)printf("# %" PRId64 " there, %" PRId64 " committed: %s\n", steps, t->committed,
                     err.text);
    t->committed = steps;
    store_close(s);
    arena_release(&a);
}

static bool reader_keeps_up(struct child *reader, int64_t committed)
{
    int64_t seen = -1;
    if (write(reader->to, &committed, sizeof(committed)) != sizeof(committed) ||
        read(reader->from, &seen, sizeof(seen)) != sizeof(seen))
        die("reader", NULL);
    if (seen < committed)
        (void)printf("# reader saw %" PRId64 " of %" PRId64 "\n", seen, committed);
    return seen >= committed;
}

static void round_of(const char *dir, int64_t kill_at, struct child *reader, struct tally *t)
{
    struct child w = start("writer", dir, kill_at);
    int64_t n;
    while (read(w.from, &n, sizeof(n)) == sizeof(n)) {
        t->committed = n;
        t->blind += !reader_keeps_up(reader, n);
    }
    int status = end(&w);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        t->kills++;
    else if (status != 0)
        die("writer", NULL);
    check_after(dir, t);
    t->blind += !reader_keeps_up(reader, t->committed);
}

int main(int argc, char **argv)
{
    int64_t kill_at = 0;
    if (argc == 4 && str_is(str_of(argv[1]), "writer") && num_i64(str_of(argv[3]), &kill_at) >= 0)
        be_writer(argv[2], kill_at);
    if (argc == 4 && str_is(str_of(argv[1]), "reader"))
        be_reader(argv[2]);
    int rounds = getenv("REEVE_CRASH_FULL") != NULL ? 3000 : 250;
    const char *base = getenv("TMPDIR");
    char dir[128];
    (void)snprintf(dir, sizeof(dir), "%s/reeve-kill.XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(dir) == NULL)
        die("mkdtemp", NULL);
    struct tally t = {0};
    (void)printf("1..1\n");
    (void)fflush(stdout);
    struct child reader = start("reader", dir, 0);
    round_of(dir, 0, &reader, &t); /* makes the store */
    for (int i = 0; i < rounds; i++)
        round_of(dir, 1 + i % KILL_POINTS, &reader, &t);
    (void)end(&reader);
    remove_dir(dir);
    (void)printf("# kills: %d, committed: %" PRId64
                 ", lost: %d, by halves: %d, not seen by the reader: %d\n",
                 t.kills, t.committed, t.lost, t.halves, t.blind);
    bool ok = t.kills > rounds / 2 && t.lost + t.halves + t.blind == 0;
    (void)printf("%s 1 - a writer that is killed loses nothing\n", ok ? "ok" : "not ok");
    return ok ? 0 : 1;
}
