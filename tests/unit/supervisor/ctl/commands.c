/*
 * commands.c: every command that asks the daemon, against the real control API on a store and a
 * scripted reeved: what is sent, what is shown, how it ends. The command runs in a thread, the
 * API's loop in the test's.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sandbox/os/file.h"
#include "supervisor/ctl/ctl.h"
#include "tests/lib/control_lab.h"

#define NOW 1795392000000

struct desk {
    struct lab *lab;
    int64_t run;
    struct ctl_host host;
    const char *argv[16];
    int argc;
    atomic_bool is_done;
    int code;
    char *out, *err; /* of the last command */
    const char *locale;
};

static struct desk
    *the_desk; /* what the environment is asked of: one test program, one thread at a time */

static const char *env(const char *name)
{
    if (strcmp(name, "REEVE_SOCKET") == 0)
        return the_desk->lab->socket;
    return strcmp(name, "LC_ALL") == 0 ? the_desk->locale : NULL;
}

static int set_up(void **state)
{
    struct desk *d = calloc(1, sizeof(*d));
    d->lab = lab_new(NULL);
    d->run = tmpstore_run(d->lab->store, "invoice-triage");
    struct store_step step = tmpstore_step(d->run, 1);
    step.kind = STEP_TOOL;
    step.key = STR("ledger/pay");
    step.state = STEP_GATED;
    must_ok(d->lab->store, store_step_add(d->lab->store->store, &step, &d->lab->store->err));
    struct store_approval a = {
        .run = d->run,
        .seq = 1,
        .what = STR("ledger/pay"),
        .shown = STR("{\"amount\":\"118.40\",\"to\":\"\\u001b[2Jevil\"}"),
        .approvers = STR(
            "{\"approvers\":[[\"ap-leads\",\"cfo\"],[\"board\"]],\"quorum\":2,\"expiresMs\":1}"),
        .quorum = 2,
        .created_ms = NOW};
    int64_t id;
    must_ok(d->lab->store, store_approval_add(d->lab->store->store, &a, &id, &d->lab->store->err));
    step.approval = id;
    must_ok(d->lab->store, store_step_update(d->lab->store->store, &step, &d->lab->store->err));
    must_ok(d->lab->store,
            store_audit_add(d->lab->store->store, NOW, STR("alice"), STR("run.change"),
                            STR("run/1"), STR("{\"x\":1}"), &d->lab->store->err));
    must_ok(d->lab->store, store_commit(d->lab->store->store, &d->lab->store->err));
    lab_config(d->lab, NULL);
    d->locale = "C.UTF-8";
    the_desk = d;
    *state = d;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *d = *state;
    lab_free(d->lab);
    free(d->out);
    free(d->err);
    free(d);
    return 0;
}

static void *in_thread(void *arg)
{
    struct desk *d = arg;
    d->code = ctl_main(&d->host, d->argc, d->argv);
    atomic_store(&d->is_done, true);
    return NULL;
}

static char *take_text(int fd)
{
    char *text = NULL;
    size_t len;
    struct err err = ERR_INIT;
    assert_true(lseek(fd, 0, SEEK_SET) == 0);
    assert_true(file_read_fd(fd, "output", 64u << 20, &text, &len, &err) >= 0);
    close(fd);
    return text;
}

static void begin(struct desk *d, const char *line, const char *input)
{
    static char words[4096];
    d->argc = 0;
    d->argv[d->argc++] = "reeve";
    snprintf(words, sizeof(words), "%s", line);
    for (char *p = words, *next; p && *p && d->argc < 16; p = next) {
        next = strchr(p, ' ');
        if (next)
            *next++ = 0;
        d->argv[d->argc++] = p;
    }
    free(d->out);
    free(d->err);
    d->out = d->err = NULL;
    d->host = (struct ctl_host){
        .in_fd = memfd_create("in", MFD_CLOEXEC),
        .out_fd = memfd_create("out", MFD_CLOEXEC),
        .err_fd = memfd_create("err", MFD_CLOEXEC),
        .env = env,
        .clock = &d->lab->clock.clock,
        .width = 100,
    };
    if (input)
        assert_true(write(d->host.in_fd, input, strlen(input)) == (ssize_t)strlen(input));
    assert_true(lseek(d->host.in_fd, 0, SEEK_SET) == 0);
    atomic_store(&d->is_done, false);
}

static int end(struct desk *d, pthread_t thread)
{
    for (int i = 0; i < 30000 && !atomic_load(&d->is_done); i++)
        lab_wait(d->lab);
    assert_true(atomic_load(&d->is_done));
    assert_int_equal(pthread_join(thread, NULL), 0);
    d->out = take_text(d->host.out_fd);
    d->err = take_text(d->host.err_fd);
    close(d->host.in_fd);
    return d->code;
}

static int reeve(struct desk *d, const char *line, const char *input)
{
    pthread_t thread;
    begin(d, line, input);
    assert_int_equal(pthread_create(&thread, NULL, in_thread, d), 0);
    return end(d, thread);
}

#define assert_has(text, part)                                 \
    do {                                                       \
        if (!strstr((text), (part)))                           \
            fail_msg("\"%s\" is not in:\n%s", (part), (text)); \
    } while (0)

/* ---- reading -----------------------------------------------------------------------------------
 */

static void lists_and_runs_are_shown(void **state)
{
    static const struct {
        const char *line, *part;
    } ROWS[] = {
        {"runs", "invoice-triage"},
        {"runs --workflow other", "no runs"},
        {"runs --all --limit 1", "invoice-triage"},
        {"run show 1", "waits   approval 1: ledger/pay"},
        {"run trace 1", "gate open: 0 of 2 said yes; reeve approve 1"},
        {"run steps 1", "ledger/pay"},
        {"run steps 1 --after 1 --all", "no steps yet"},
        {"run step 1 1", "run 1, step 1"},
        {"explain 1 1", "no policy was asked"},
        {"approvals", "0/2"},
        {"approvals --state rejected", "nothing waits"},
        {"approval 1", "ap-leads or cfo, and board"},
        {"approval 1", "amount = \"118.40\""},
        {"approval 1", "2 yes, 0 so far"},
        {"workflows", ""},
        {"usage", "nothing was used"},
        {"audit", "run.change"},
    };
    struct desk *d = *state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        int code = reeve(d, ROWS[i].line, NULL);
        assert_row(code == 0, i, "%s: %d %s", ROWS[i].line, code, d->err);
        assert_has(d->out, ROWS[i].part);
        assert_null(strchr(d->out, '\033'));
        assert_string_equal(d->err, "");
    }
    assert_int_equal(d->lab->asked, 0);
}

static void json_is_the_apis_own(void **state)
{
    static const char *const LINES[] = {
        "runs --json",        "runs --all --json",   "run show 1 --json",  "run trace 1 --json",
        "run steps 1 --json", "run step 1 1 --json", "explain 1 1 --json", "approvals --json",
        "approval 1 --json",  "workflows --json",    "usage --json",       "audit --all --json",
        "version --json",     "status --json",       "run pause 1 --json",
    };
    struct desk *d = *state;
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        struct err err = ERR_INIT;
        assert_row(reeve(d, LINES[i], NULL) == 0, i, "%s: %s", LINES[i], d->err);
        assert_row(json_check(str_trim(str_of(d->out)), &JSON_LIMITS_DEFAULT, NULL, &err) == 0, i,
                   "%s: %s", LINES[i], err.text);
        assert_null(strchr(d->out, '\033'));
    }
}

/* Raw C1 controls and bidi marks are legal inside JSON strings; a terminal must not get them. */
static void json_on_a_terminal_is_harmless(void **state)
{
    struct desk *d = *state;
    d->lab->result = "{\"x\":\"a\xc2\x9b"
                     "31m\xe2\x80\xae\xf3\xa0\x80\x81z\xe6\xbc\xa2\"}";
    assert_int_equal(reeve(d, "run pause 1 --json", NULL), 0);
    assert_string_equal(d->out, "{\"x\":\"a\\u009b31m\\u202e\\udb40\\udc01z\xe6\xbc\xa2\"}\n");
}

static void colours_and_glyphs_follow_the_terminal(void **state)
{
    struct desk *d = *state;
    assert_int_equal(reeve(d, "runs --colour always", NULL), 0);
    assert_has(d->out, "\033[1m1\033[0m");
    d->locale = "C";
    assert_int_equal(reeve(d, "run trace 1", NULL), 0);
    for (const char *p = d->out; *p; p++)
        assert_true((unsigned char)*p < 0x80);
    assert_int_equal(reeve(d, "runs --colour sometimes", NULL), CTL_USAGE);
}

/* ---- changing ----------------------------------------------------------------------------------
 */

static void changes_send_what_was_said(void **state)
{
    static const struct {
        const char *line, *input, *method, *params, *result, *part;
    } ROWS[] = {
        {"run cancel 7 --reason why", NULL, "run/cancel", "{\"run\":7,\"reason\":\"why\"}", "{}",
         "run 7: cancelled"},
        {"run pause 7", NULL, "run/pause", "{\"run\":7}", "{}", "paused"},
        {"run resume 7", NULL, "run/resume", "{\"run\":7}", "{}", "goes on"},
        {"run fork 7 --from 3", NULL, "run/fork", "{\"run\":7,\"from\":3}", "{\"run\":8}",
         "run 8: forked from run 7 step 3\n"},
        {"run fork 7 --from 3 --dry", NULL, "run/fork", "{\"run\":7,\"from\":3,\"dry\":true}",
         "{\"run\":8}", "run 8: forked from run 7 step 3, dry"},
        {"run redrive 7", NULL, "run/redrive", "{\"run\":7}", "{}", "again"},
        {"approve 3 --comment ok", NULL, "approval/decide",
         "{\"approval\":3,\"approve\":true,\"comment\":\"ok\"}",
         "{\"state\":\"open\",\"votes\":1,\"quorum\":2}",
         "approval 3: open, your vote is counted (1 of 2)"},
        {"reject 3", NULL, "approval/decide", "{\"approval\":3,\"approve\":false}",
         "{\"state\":\"rejected\"}", "approval 3: rejected"},
        {"approve 3 --not-happened", NULL, "approval/decide",
         "{\"approval\":3,\"approve\":true,\"outcome\":{\"happened\":false}}",
         "{\"state\":\"approved\"}", "approved"},
        {"approve 3 --happened -", "{\"id\": 1.50}", "approval/decide",
         "{\"approval\":3,\"approve\":true,\"outcome\":{\"happened\":true,\"result\":{\"id\":1.50}}"
         "}",
         "{\"state\":\"approved\"}", "approved"},
        {"backup /tmp/x.db", NULL, "store/backup", "{\"file\":\"/tmp/x.db\"}", "{}",
         "copied to /tmp/x.db"},
        {"policy load", NULL, "policy/load", "{}",
         "{\"digest\":\"abcdef0123456789\",\"workflows\":2,\"policies\":5}",
         "loaded 2 workflows, 5 policies, digest abcdef012345"},
        {"policy load /etc/r", NULL, "policy/load", "{\"dir\":\"/etc/r\"}", "{\"digest\":\"d\"}",
         "loaded"},
        {"event send -", "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"}",
         "event/send",
         "{\"event\":{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"}}",
         "{\"runs\":[8,9],\"run\":8}", "run 8\nrun 9\n"},
        {"event send - --workflow w",
         "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"}", "event/send",
         "{\"event\":{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"},"
         "\"workflow\":\"w\"}",
         "{\"runs\":[8],\"duplicate\":true}", "taken before"},
        {"status", NULL, "status", "{}",
         "{\"version\":\"0.1.0\",\"pid\":5,\"uptimeMs\":61000,\"runs\":{\"running\":2},\"policy\":{"
         "\"digest\":\"ab\"},"
         "\"helpers\":[{\"name\":\"reeve-egress\",\"state\":\"up\",\"pid\":7,\"starts\":3}],"
         "\"servers\":[{\"name\":\"ledger\","
         "\"state\":\"down\",\"error\":\"\\u001b[2J\"}]}",
         "reeve-egress up, pid 7, started 3 times"},
    };
    struct desk *d = *state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        d->lab->result = ROWS[i].result;
        int code = reeve(d, ROWS[i].line, ROWS[i].input);
        assert_row(code == 0, i, "%s: %d %s", ROWS[i].line, code, d->err);
        assert_string_equal(d->lab->method, ROWS[i].method);
        assert_string_equal(d->lab->params, ROWS[i].params);
        assert_has(d->out, ROWS[i].part);
        assert_null(strchr(d->out, '\033'));
    }
}

static void errors_have_their_exit_codes(void **state)
{
    static const struct {
        const char *line, *input;
        int64_t code;
        int want;
        const char *part;
    } ROWS[] = {
        {"run show 99", NULL, 0, CTL_NOT_FOUND, "99"},
        {"run trace 99", NULL, 0, CTL_NOT_FOUND, "99"},
        {"run follow 99", NULL, 0, CTL_NOT_FOUND, "99"},
        {"run step 1 99", NULL, 0, CTL_NOT_FOUND, ""},
        {"approval 99", NULL, 0, CTL_NOT_FOUND, ""},
        {"runs --state asleep", NULL, 0, CTL_FAILED, "state"},
        {"runs --limit 9999", NULL, 0, CTL_FAILED, "limit"},
        {"run show x", NULL, 0, CTL_USAGE, "expected a number, found \"x\""},
        {"run show -1", NULL, 0, CTL_USAGE, "no option -1"},
        {"run show", NULL, 0, CTL_USAGE, "expected RUN"},
        {"fly", NULL, 0, CTL_USAGE, "no command"},
        {"", NULL, 0, CTL_USAGE, "which command"},
        {"completion fish", NULL, 0, CTL_USAGE, "expected bash"},
        {"approve 3 --happened - --not-happened", NULL, 0, CTL_USAGE, "exclude each other"},
        {"approve 3 --happened -", "{nope", 0, CTL_FAILED, "line 1 column 2"},
        {"event send -", "{\"id\":\"1\"}", 0, CTL_FAILED, "specversion"},
        {"event send -", "[]", 0, CTL_FAILED, "expected one CloudEvent"},
        {"event send -", "{\"id\":", 0, CTL_FAILED, "line 1"},
        {"event send /nonexistent/x.json", NULL, 0, CTL_FAILED, "/nonexistent/x.json"},
        {"run cancel 1", NULL, WIRE_E_DENIED, CTL_DENIED, "told so"},
        {"run cancel 1", NULL, WIRE_E_NOT_FOUND, CTL_NOT_FOUND, "told so"},
        {"run cancel 1", NULL, WIRE_E_CONFLICT, CTL_FAILED, "told so"},
        {"run cancel 1", NULL, WIRE_E_UNAVAILABLE, CTL_UNREACHABLE, "told so"},
        {"policy load", NULL, WIRE_E_PARAMS, CTL_FAILED, "a.cedar:3:7: error: bad; expected good"},
    };
    struct desk *d = *state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        d->lab->mode = ROWS[i].code ? LAB_ERROR : LAB_RESULT;
        d->lab->code = ROWS[i].code;
        d->lab->text = "told so";
        d->lab->data = ROWS[i].code == WIRE_E_PARAMS
                           ? "[{\"file\":\"a.cedar\",\"line\":3,\"column\":7,\"level\":\"error\","
                             "\"message\":\"bad\","
                             "\"expected\":\"good\"}]"
                           : NULL;
        int code = reeve(d, ROWS[i].line, ROWS[i].input);
        assert_row(code == ROWS[i].want, i, "%s: %d %s", ROWS[i].line, code, d->err);
        assert_has(d->err, ROWS[i].part);
        assert_true(strncmp(d->err, "reeve: ", 7) == 0);
        assert_string_equal(d->out, "");
    }
}

static void a_daemon_that_is_not_there_is_said_so(void **state)
{
    struct desk *d = *state;
    assert_int_equal(reeve(d, "runs --socket /nonexistent/s", NULL), CTL_UNREACHABLE);
    assert_has(d->err, "is reeved running?");
    assert_has(d->err, "/nonexistent/s");
    assert_int_equal(reeve(d, "run follow 1 --socket /nonexistent/s", NULL), CTL_UNREACHABLE);
    lab_config(d->lab, "[]");
    assert_int_equal(reeve(d, "runs", NULL), CTL_DENIED);
    assert_has(d->err, "has no role here");
}

/* ---- following ---------------------------------------------------------------------------------
 */

static void set_state(struct desk *d, enum run_state st)
{
    struct store_run row;
    struct tmpstore *t = d->lab->store;
    must_ok(t, store_run_get(t->store, d->run, &t->arena, &row, &t->err));
    row.state = st;
    row.ended_ms = NOW;
    must_ok(t, store_run_update(t->store, &row, &t->err));
    must_ok(t, store_commit(t->store, &t->err));
    lab_changed(d->lab, d->run);
}

static int follow_until(struct desk *d, const char *line, enum run_state st)
{
    pthread_t thread;
    begin(d, line, NULL);
    assert_int_equal(pthread_create(&thread, NULL, in_thread, d), 0);
    for (int i = 0; i < 5000 && control_connections(d->lab->control) == 0; i++)
        lab_wait(d->lab);
    for (int i = 0; i < 20; i++)
        lab_wait(d->lab);
    set_state(d, st);
    return end(d, thread);
}

static void follow_ends_with_the_run(void **state)
{
    struct desk *d = *state;
    assert_int_equal(follow_until(d, "run follow 1", RUN_SUCCEEDED), CTL_GOOD);
    assert_has(d->out, "ledger/pay");
    assert_has(d->out, "approval 1 ledger/pay: reeve approve 1");
    assert_has(d->out, "run 1 succeeded");
}

static void follow_tells_failure(void **state)
{
    struct desk *d = *state;
    assert_int_equal(follow_until(d, "run follow 1 --json", RUN_FAILED), CTL_FAILED);
    struct str rest = str_of(d->out), line;
    size_t count = 0;
    while (rest.len && str_split(&rest, '\n', &line)) {
        struct err err = ERR_INIT;
        assert_row(json_check(line, &JSON_LIMITS_DEFAULT, NULL, &err) == 0, count, "%.*s",
                   STR_FMT(line));
        count++;
    }
    assert_true(count >= 3);
    assert_has(d->out, "{\"event\":\"end\"");
}

/* The helper was started anew in the middle: the follower goes on where it was. */
static void follow_survives_a_break(void **state)
{
    struct desk *d = *state;
    pthread_t thread;
    begin(d, "run follow 1", NULL);
    assert_int_equal(pthread_create(&thread, NULL, in_thread, d), 0);
    for (int i = 0; i < 5000 && control_connections(d->lab->control) == 0; i++)
        lab_wait(d->lab);
    for (int i = 0; i < 20; i++)
        lab_wait(d->lab);
    lab_config(d->lab, "[]"); /* cuts who lost rights */
    lab_config(d->lab, NULL);
    assert_int_equal(control_connections(d->lab->control), 0);
    set_state(d, RUN_SUCCEEDED);
    int code = end(d, thread);
    if (code)
        fail_msg("%d: %s%s", code, d->out, d->err);
    assert_has(d->out, "run 1 succeeded");
}

/* ---- what is kept beside it --------------------------------------------------------------------
 */

static void completion_is_as_the_table_says(void **state)
{
    struct desk *d = *state;
    char *want = NULL;
    size_t len;
    struct err err = ERR_INIT;
    assert_int_equal(reeve(d, "completion bash", NULL), 0);
    if (getenv("REGOLD"))
        assert_true(
            file_write(AT_FDCWD, "contrib/completion/reeve.bash", str_of(d->out), 0644, &err) >= 0);
    if (file_read(AT_FDCWD, "contrib/completion/reeve.bash", 1u << 20, &want, &len, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(d->out,
                        want); /* else: reeve completion bash >contrib/completion/reeve.bash */
    free(want);
}

static void the_manual_names_every_command_and_option(void **state)
{
    struct desk *d = *state;
    char *page = NULL, name[128];
    size_t len;
    struct err err = ERR_INIT;
    if (file_read(AT_FDCWD, "contrib/man/reeve.1", 1u << 20, &page, &len, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < command_count; i++) {
        snprintf(name, sizeof(name), ".It Nm reeve Cm %s", commands[i].words);
        assert_row(strstr(page, name), i, "%s", name);
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        snprintf(name, sizeof(name), ".It Fl \\-%s", option_rows[i].name);
        assert_row(strstr(page, name), i, "%s", name);
    }
    free(page);
    assert_int_equal(reeve(d, "help", NULL), 0);
    for (size_t i = 0; i < command_count; i++)
        assert_has(d->out, commands[i].summary);
    assert_int_equal(reeve(d, "help run", NULL), 0);
    assert_has(d->out, "reeve run redrive");
    assert_int_equal(reeve(d, "approve --help", NULL), 0);
    assert_has(d->out, "--not-happened");
    assert_int_equal(reeve(d, "version", NULL), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(lists_and_runs_are_shown),
        T(json_is_the_apis_own),
        T(json_on_a_terminal_is_harmless),
        T(colours_and_glyphs_follow_the_terminal),
        T(changes_send_what_was_said),
        T(errors_have_their_exit_codes),
        T(a_daemon_that_is_not_there_is_said_so),
        T(follow_ends_with_the_run),
        T(follow_tells_failure),
        T(follow_survives_a_break),
        T(completion_is_as_the_table_says),
        T(the_manual_names_every_command_and_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
