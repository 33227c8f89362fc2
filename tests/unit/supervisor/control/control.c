/*
 * control.c: the control API end to end: a store, a scripted reeved, real sockets, hostile clients.
 * Virtual time.
 */
#include <grp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"
#include "tests/lib/control_lab.h"

static int set_up(void **state)
{
    struct lab *lab = lab_new(NULL);
    *state = lab;
    return 0;
}

static int tear_down(void **state)
{
    lab_free(*state);
    return 0;
}

static struct str detail(struct lab *lab)
{
    struct str text = STR_NONE;
    struct err err = ERR_INIT;
    assert_int_equal(json_want_str(lab_json(lab), "detail", &text, &err), 0);
    return text;
}

static bool contains(struct str s, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= s.len; i++)
        if (memcmp(s.ptr + i, part, n) == 0)
            return true;
    return false;
}

static int64_t add_run(struct lab *lab, const char *workflow)
{
    int64_t run = tmpstore_run(lab->store, workflow);
    must_ok(lab->store, store_commit(lab->store->store, &lab->store->err));
    return run;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void nothing_is_served_before_roles_are_known(void **state)
{
    struct lab *lab = *state;
    struct buf out;
    int fd = lab_connect(lab);
    buf_init(&out, 1u << 20);
    lab_send(lab, fd, STR("GET /v1/runs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_false(lab_read(lab, fd, &out));
    assert_int_equal(out.len, 0);
    lab_config(lab, NULL); /* then it is */
    assert_true(lab_read(lab, fd, &out));
    assert_true(str_starts(buf_str(&out), STR("HTTP/1.1 200 ")));
    buf_release(&out);
    close(fd);
}

static void reads_come_from_the_store(void **state)
{
    struct lab *lab = *state;
    char target[64];
    int64_t run = add_run(lab, "invoice-triage");
    lab_config(lab, NULL);
    assert_int_equal(lab_request(lab, "GET", "/v1/runs?workflow=invoice-triage", NULL), 200);
    assert_true(contains(buf_str(&lab->answer), "Content-Type: application/json"));
    assert_true(contains(buf_str(&lab->answer), "Cache-Control: no-store"));
    const struct json *runs = json_get(lab_json(lab), "runs");
    assert_int_equal(runs->array.count, 1);
    assert_true(json_get(&runs->array.items[0], "run")->integer == run);
    assert_int_equal(lab_request(lab, "GET", "/v1/runs?workflow=other", NULL), 200);
    assert_int_equal(json_get(lab_json(lab), "runs")->array.count, 0);
    static const char *const PATHS[] = {"", "/steps", "/trace"};
    for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
        snprintf(target, sizeof(target), "/v1/runs/%" PRId64 "%s", run, PATHS[i]);
        assert_row(lab_request(lab, "GET", target, NULL) == 200, i, "%s: %d", target, lab->status);
        assert_true(json_is(lab_json(lab), JSON_OBJECT));
    }
    static const char *const LISTS[] = {"/v1/workflows", "/v1/approvals", "/v1/audit?limit=5",
                                        "/v1/usage?days=3", "/v1/approvals?state=open&run=1"};
    for (size_t i = 0; i < ARRAY_LEN(LISTS); i++)
        assert_row(lab_request(lab, "GET", LISTS[i], NULL) == 200, i, "%s: %d", LISTS[i],
                   lab->status);
    assert_int_equal(lab->asked, 0); /* a read never bothers reeved */
}

static void bad_reads_are_told_why(void **state)
{
    static const struct {
        const char *target;
        int status;
        const char *detail;
    } ROWS[] = {
        {"/v1/runs/999", 404, ""},
        {"/v1/runs/999/trace", 404, ""},
        {"/v1/runs/999/follow", 404, ""},
        {"/v1/approvals/999", 404, ""},
        {"/v1/nothing", 404, "no such path"},
        {"/v1/runs/x", 404, "no such path"},
        {"/v1/runs?state=asleep", 400, ""},
        {"/v1/runs?cursor=zz", 400, ""},
        {"/v1/runs?limit=0", 400, "limit"},
        {"/v1/runs?limit=501", 400, "limit"},
        {"/v1/runs?colour=red", 400, "colour"},
        {"/v1/approvals?state=maybe", 400, ""},
        {"/v1/audit?after=-1", 400, "after"},
    };
    struct lab *lab = *state;
    lab_config(lab, NULL);
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        int status = lab_request(lab, "GET", ROWS[i].target, NULL);
        assert_row(status == ROWS[i].status, i, "%s: %d %.*s", ROWS[i].target, status,
                   STR_FMT(lab->body));
        assert_row(contains(detail(lab), ROWS[i].detail), i, "%.*s", STR_FMT(lab->body));
        assert_true(contains(buf_str(&lab->answer), "Content-Type: application/problem+json"));
        assert_true(json_get(lab_json(lab), "status")->integer == status);
    }
    assert_int_equal(lab_request(lab, "POST", "/v1/runs", "{}"), 405);
    assert_true(contains(buf_str(&lab->answer), "Allow: GET\r\n"));
}

/* ---- changing -------------------------------------------------------------------------------- */

/* What reeved is to be told of us. */
static void put_own_peer(char *text, size_t size)
{
    gid_t gids[256];
    int n = getgroups(ARRAY_LEN(gids), gids);
    size_t used = (size_t)snprintf(text, size, "{\"uid\":%u,\"gid\":%u,\"pid\":%d,\"gids\":[",
                                   (unsigned)getuid(), (unsigned)getgid(), getpid());
    for (int i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%u", i ? "," : "", (unsigned)gids[i]);
    snprintf(text + used, size - used, "]}");
}

static void changes_are_messages_with_the_peers_credentials(void **state)
{
    static const struct {
        const char *target, *body, *method, *params;
    } ROWS[] = {
        {"/v1/runs/7/cancel", "{\"reason\":\"wrong\"}", "run/cancel",
         "{\"run\":7,\"reason\":\"wrong\"}"},
        {"/v1/runs/7/pause", "", "run/pause", "{\"run\":7}"},
        {"/v1/runs/7/resume", "{}", "run/resume", "{\"run\":7}"},
        {"/v1/runs/7/redrive", "{}", "run/redrive", "{\"run\":7}"},
        {"/v1/runs/7/fork", "{\"from\":3,\"dry\":true}", "run/fork",
         "{\"run\":7,\"from\":3,\"dry\":true}"},
        {"/v1/runs/7/replay", "{}", "run/replay", "{\"run\":7}"},
        {"/v1/approvals/3/approve", "{\"comment\":\"ok\"}", "approval/decide",
         "{\"approval\":3,\"approve\":true,\"comment\":\"ok\"}"},
        {"/v1/approvals/3/reject", "", "approval/decide", "{\"approval\":3,\"approve\":false}"},
        {"/v1/approvals/3/approve", "{\"outcome\":{\"happened\":false}}", "approval/decide",
         "{\"approval\":3,\"approve\":true,\"outcome\":{\"happened\":false}}"},
        {"/v1/approvals/3/approve", "{\"outcome\":{\"happened\":true,\"result\":{\"id\":1.50}}}",
         "approval/decide",
         "{\"approval\":3,\"approve\":true,\"outcome\":{\"happened\":true,\"result\":{\"id\":1.50}}"
         "}"},
        {"/v1/backup", "{\"file\":\"/tmp/b.db\"}", "store/backup", "{\"file\":\"/tmp/b.db\"}"},
        {"/v1/policy/load", "", "policy/load", "{}"},
        {"/v1/policy/load", "{\"dir\":\"/etc/x\"}", "policy/load", "{\"dir\":\"/etc/x\"}"},
        {"/v1/events?workflow=w", "{\"id\":\"1\"}", "event/send",
         "{\"event\":{\"id\":\"1\"},\"workflow\":\"w\"}"},
    };
    struct lab *lab = *state;
    char peer[8192];
    lab_config(lab, NULL);
    lab->result = "{\"done\":[1,2.50],\"digest\":\"d\"}";
    put_own_peer(peer, sizeof(peer));
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        int status = lab_request(lab, "POST", ROWS[i].target, ROWS[i].body);
        bool is_event = strcmp(ROWS[i].method, "event/send") == 0;
        assert_row(status == (is_event ? 202 : 200), i, "%s: %d %.*s", ROWS[i].target, status,
                   STR_FMT(lab->body));
        assert_row(lab->asked == i + 1, i, "%u", lab->asked);
        assert_string_equal(lab->method, ROWS[i].method);
        assert_string_equal(lab->params, ROWS[i].params);
        assert_string_equal(lab->peer, peer);
        assert_str(str_trim(lab->body), lab->result);
    }
}

static void bodies_of_another_form_never_reach_reeved(void **state)
{
    static const struct {
        const char *target, *body;
    } ROWS[] = {
        {"/v1/runs/7/cancel", "{\"reason\":5}"},
        {"/v1/runs/7/cancel", "{\"raeson\":\"x\"}"},
        {"/v1/runs/7/cancel", "[]"},
        {"/v1/runs/7/cancel", "{\"reason\":\"a\",\"reason\":\"b\"}"},
        {"/v1/runs/7/cancel", "{\"reason\":\"\xff\"}"},
        {"/v1/runs/7/cancel", "{} {}"},
        {"/v1/runs/7/cancel", "\xef\xbb\xbf{}"},
        {"/v1/backup", "{}"},
        {"/v1/backup", ""},
        {"/v1/events", ""},
        {"/v1/events", "[{\"id\":\"1\"}]"},
        {"/v1/events", "{\"id\":01}"},
        {"/v1/approvals/3/approve", "{\"outcome\":{}}"},
        {"/v1/approvals/3/approve", "{\"outcome\":{\"happened\":true}}"},
        {"/v1/approvals/3/approve", "{\"outcome\":{\"happened\":false,\"result\":1}}"},
        {"/v1/approvals/3/approve", "{\"outcome\":{\"happened\":\"yes\",\"result\":1}}"},
        {"/v1/approvals/3/approve", "{\"outcome\":null}"},
        {"/v1/approvals/3/reject", "{\"outcome\":{\"happened\":false}}"},
        {"/v1/approvals/3/approve", "{\"approve\":false}"},
    };
    struct lab *lab = *state;
    lab_config(lab, NULL);
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        int status = lab_request(lab, "POST", ROWS[i].target, ROWS[i].body);
        assert_row(status == 400, i, "%s: %d %.*s", ROWS[i].body, status, STR_FMT(lab->body));
        assert_true(detail(lab).len > 0);
    }
    assert_int_equal(lab->asked, 0);
    static const char *const TYPES[] = {"text/plain", "application/x-www-form-urlencoded",
                                        "application/jsonp", "application/cloudevents-batch+json"};
    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++) {
        struct buf text;
        int fd = lab_connect(lab);
        buf_init(&text, 4096);
        buf_fmt(&text,
                "POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %s\r\n"
                "Content-Length: 2\r\n\r\n{}",
                TYPES[i]);
        lab_send(lab, fd, buf_str(&text));
        buf_clear(&text);
        lab_read(lab, fd, &text);
        assert_row(str_starts(buf_str(&text), STR("HTTP/1.1 415 ")), i, "%.*s",
                   STR_FMT(buf_str(&text)));
        buf_release(&text);
        close(fd);
    }
    assert_int_equal(lab->asked, 0);
}

static void reeveds_errors_keep_their_meaning(void **state)
{
    static const struct {
        int64_t code;
        const char *data;
        int status;
    } ROWS[] = {
        {WIRE_E_DENIED, NULL, 403},
        {WIRE_E_NOT_FOUND, NULL, 404},
        {WIRE_E_CONFLICT, NULL, 409},
        {WIRE_E_PARAMS, NULL, 400},
        {WIRE_E_PARAMS, "[{\"file\":\"a.cedar\",\"line\":3}]", 422},
        {WIRE_E_UNAVAILABLE, NULL, 503},
        {WIRE_E_TIMEOUT, NULL, 504},
        {WIRE_E_INTERNAL, NULL, 500},
        {WIRE_E_STATE, NULL, 409},
        {WIRE_E_LIMIT, NULL, 429},
        {4242, NULL, 500},
    };
    struct lab *lab = *state;
    lab_config(lab, NULL);
    lab->mode = LAB_ERROR;
    lab->text = "it is \"so\"";
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        lab->code = ROWS[i].code;
        lab->data = ROWS[i].data;
        int status = lab_request(lab, "POST", "/v1/runs/7/cancel", "{}");
        assert_row(status == ROWS[i].status, i, "%d", status);
        assert_str(detail(lab), "it is \"so\"");
        const struct json *d = json_get(lab_json(lab), "diagnostics");
        assert_row((d != NULL) == (ROWS[i].data != NULL), i, "diagnostics");
    }
}

static void a_set_with_errors_is_a_422(void **state)
{
    struct lab *lab = *state;
    lab_config(lab, NULL);
    lab->result = "{\"diagnostics\":[{\"file\":\"a.cedar\",\"line\":3}]}";
    assert_int_equal(lab_request(lab, "POST", "/v1/policy/load", "{}"), 422);
    assert_int_equal(json_get(lab_json(lab), "diagnostics")->array.count, 1);
    assert_int_equal(lab_request(lab, "POST", "/v1/runs/1/pause", "{}"), 200);
}

static void a_silent_reeved_is_a_timeout(void **state)
{
    struct lab *lab = *state;
    struct buf out;
    lab_config(lab, NULL);
    lab->mode = LAB_SILENT;
    int fd = lab_connect(lab);
    buf_init(&out, 1u << 20);
    lab_send(lab, fd,
             STR("POST /v1/runs/7/cancel HTTP/1.1\r\nHost: x\r\nConnection: "
                 "close\r\nContent-Length: 0\r\n\r\n"));
    assert_false(lab_read(lab, fd, &out));
    assert_int_equal(lab->asked, 1);
    lab_advance(lab, 29000);
    assert_false(lab_read(lab, fd, &out));
    assert_int_equal(out.len, 0);
    lab_advance(lab, 2000);
    assert_true(lab_read(lab, fd, &out));
    assert_true(str_starts(buf_str(&out), STR("HTTP/1.1 504 ")));
    buf_release(&out);
    close(fd);
}

static void a_client_that_left_is_forgotten(void **state)
{
    struct lab *lab = *state;
    lab_config(lab, NULL);
    lab->mode = LAB_SILENT;
    for (int i = 0; i < 40; i++) {
        int fd = lab_connect(lab);
        lab_send(lab, fd,
                 STR("POST /v1/runs/7/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
        lab_idle(lab);
        close(fd);
        lab_idle(lab);
        assert_int_equal(control_connections(lab->control), 0);
    }
    assert_int_equal(lab->asked, 40);
}

static void reeveds_loss_ends_it(void **state)
{
    struct lab *lab = *state;
    lab_config(lab, NULL);
    lab->mode = LAB_SILENT;
    int fd = lab_connect(lab);
    lab_send(lab, fd,
             STR("POST /v1/runs/7/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
    lab_idle(lab);
    wire_free(lab->reeved);
    lab->reeved = NULL;
    lab_until(lab, &lab->is_lost);
    assert_int_equal(lab->lost.number, 0);
    close(fd); /* freed with a request under way: tear_down, under the sanitizer */
}

/* With requests of every kind under way: a wait for reeved, a stream that sleeps, half a head, half
 * a body. */
static void it_may_be_freed_at_any_time(void **state)
{
    static const char *const HALF[] = {
        "POST /v1/runs/7/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "GET /v1/runs/1/follow HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/runs HTTP/1.1\r\nHo",
        "POST /v1/runs/7/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
        "",
    };
    struct lab *lab = *state;
    int fds[ARRAY_LEN(HALF)];
    add_run(lab, "w");
    lab_config(lab, NULL);
    lab->mode = LAB_SILENT;
    for (size_t i = 0; i < ARRAY_LEN(HALF); i++) {
        fds[i] = lab_connect(lab);
        lab_send(lab, fds[i], str_of(HALF[i]));
    }
    lab_idle(lab);
    assert_int_equal(control_connections(lab->control), ARRAY_LEN(HALF));
    control_free(lab->control);
    lab->control = NULL;
    for (size_t i = 0; i < ARRAY_LEN(HALF); i++) {
        struct buf out;
        buf_init(&out, 1u << 20);
        assert_true(lab_read(lab, fds[i], &out)); /* closed */
        buf_release(&out);
        close(fds[i]);
    }
}

static void status_joins_reeved_and_store(void **state)
{
    struct lab *lab = *state;
    add_run(lab, "w");
    lab_config(lab, NULL);
    lab->result = "{\"version\":\"9\",\"runs\":{\"byState\":{}}}";
    assert_int_equal(lab_request(lab, "GET", "/v1/status", NULL), 200);
    assert_string_equal(lab->method, "status");
    assert_str(json_get(lab_json(lab), "version")->string, "9");
    assert_non_null(json_path(lab_json(lab), "store.approvalsOpen"));
    assert_int_equal(json_get(lab_json(lab), "connections")->integer, 1);
}

/* ---- rights ---------------------------------------------------------------------------------- */

static void strangers_learn_nothing(void **state)
{
    struct lab *lab = *state;
    char roles[128];
    snprintf(roles, sizeof(roles), "[{\"role\":\"admin\",\"uids\":[%u]}]", (unsigned)getuid() + 1);
    lab_config(lab, roles);
    static const char *const TARGETS[] = {"/v1/runs",   "/v1/runs/1", "/v1/nothing",
                                          "/v1/status", "/",          "/v1/runs?x=y"};
    for (size_t i = 0; i < ARRAY_LEN(TARGETS); i++)
        assert_row(lab_request(lab, "GET", TARGETS[i], NULL) == 403, i, "%s: %d", TARGETS[i],
                   lab->status);
    assert_int_equal(lab_request(lab, "POST", "/v1/runs/1/cancel", "{}"), 403);
    assert_int_equal(lab->asked, 0);
}

static void each_role_opens_its_rows_only(void **state)
{
    static const struct {
        const char *role;
        int read, operate, approve, administer;
    } ROWS[] = {
        {"viewer", 200, 403, 403, 403},
        {"operator", 200, 200, 403, 403},
        {"approver", 200, 403, 200, 403},
        {"admin", 200, 200, 200, 200},
    };
    struct lab *lab = *state;
    lab->result = "{\"digest\":\"d\"}";
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        char roles[128];
        snprintf(roles, sizeof(roles), "[{\"role\":\"%s\",\"uids\":[%u]}]", ROWS[i].role,
                 (unsigned)getuid());
        lab_config(lab, roles);
        assert_row(lab_request(lab, "GET", "/v1/runs", NULL) == ROWS[i].read, i, "read");
        assert_row(lab_request(lab, "POST", "/v1/runs/1/pause", "{}") == ROWS[i].operate, i,
                   "operate");
        assert_row(lab_request(lab, "POST", "/v1/approvals/1/approve", "{}") == ROWS[i].approve, i,
                   "approve");
        assert_row(lab_request(lab, "POST", "/v1/policy/load", "{}") == ROWS[i].administer, i,
                   "administer");
    }
}

/* A right that was taken away ends now, also for who is connected. */
static void new_roles_cut_everybody(void **state)
{
    struct lab *lab = *state;
    struct buf out;
    char target[128];
    int64_t run = add_run(lab, "w");
    lab_config(lab, NULL);
    int fd = lab_connect(lab);
    buf_init(&out, 1u << 20);
    snprintf(target, sizeof(target), "GET /v1/runs/%" PRId64 "/follow HTTP/1.1\r\nHost: x\r\n\r\n",
             run);
    lab_send(lab, fd, str_of(target));
    assert_false(lab_read(lab, fd, &out));
    assert_true(str_starts(buf_str(&out), STR("HTTP/1.1 200 ")));
    lab_config(lab, "[]");
    assert_true(lab_read(lab, fd, &out));
    assert_int_equal(control_connections(lab->control), 0);
    assert_int_equal(lab_request(lab, "GET", "/v1/runs", NULL), 403);
    buf_release(&out);
    close(fd);
}

/* In a process of its own: becomes another user with these groups, asks, and exits with status / 4.
 */
static int ask_as(struct lab *lab, uid_t uid, gid_t gid, const gid_t *groups, size_t n)
{
    struct err err = ERR_INIT;
    pid_t pid = fork();
    if (pid == 0) {
        char text[64] = "";
        int fd = -1;
        if (setgroups(n, groups) != 0 || setresgid(gid, gid, gid) != 0 ||
            setresuid(uid, uid, uid) != 0)
            _exit(1);
        if (sock_connect(lab->socket, &fd, &err) < 0)
            _exit(2);
        if (fd_write_all(fd, "GET /v1/runs HTTP/1.1\r\nHost: x\r\n\r\n", 35, &err) < 0 ||
            fd_read_all(fd, text, 12, &err) < 0)
            _exit(3);
        _exit((text[9] - '0') * 25 + (text[10] - '0') * 2 + (text[11] - '0'));
    }
    assert_true(pid > 0);
    int status = 0;
    for (int i = 0; i < 5000 && waitpid(pid, &status, WNOHANG) == 0; i++)
        lab_wait(lab);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
#define STATUS_200 50
#define STATUS_403 103

static void the_kernel_says_who_it_is(void **state)
{
    struct lab *lab = *state;
    static const gid_t GROUPS[] = {4242, 4243}, OTHER[] = {4244};
    if (getuid() != 0)
        skip();
    lab_config(lab, "[{\"role\":\"viewer\",\"uids\":[1501],\"gids\":[4243]}]");
    assert_int_equal(ask_as(lab, 1501, 1501, OTHER, 1), STATUS_200);
    assert_int_equal(ask_as(lab, 1502, 1502, OTHER, 1), STATUS_403);
    assert_int_equal(ask_as(lab, 1502, 1502, GROUPS, 2), STATUS_200); /* a supplementary group */
    assert_int_equal(ask_as(lab, 1502, 4243, NULL, 0), STATUS_200);   /* the primary one */
    assert_int_equal(ask_as(lab, 4243, 1501, NULL, 0),
                     STATUS_403); /* a group's number as a user's */
    lab_config(lab, "[{\"role\":\"admin\",\"uids\":[65534],\"gids\":[65534]}]");
    assert_int_equal(ask_as(lab, 65534, 65534, NULL, 0), STATUS_403);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(nothing_is_served_before_roles_are_known),
        T(reads_come_from_the_store),
        T(bad_reads_are_told_why),
        T(changes_are_messages_with_the_peers_credentials),
        T(bodies_of_another_form_never_reach_reeved),
        T(reeveds_errors_keep_their_meaning),
        T(a_set_with_errors_is_a_422),
        T(a_silent_reeved_is_a_timeout),
        T(a_client_that_left_is_forgotten),
        T(reeveds_loss_ends_it),
        T(it_may_be_freed_at_any_time),
        T(status_joins_reeved_and_store),
        T(strangers_learn_nothing),
        T(each_role_opens_its_rows_only),
        T(new_roles_cut_everybody),
        T(the_kernel_says_who_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
