/*
 * hostile.c: clients that are slow, huge, many, silent or wrong. Each may lose its own connection
 * and nothing else; others are served all the time (INV-11). Virtual time: no test waits.
 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/control_lab.h"

static int set_up(void **state)
{
    struct lab *lab = lab_new(NULL);
    lab_config(lab, NULL);
    *state = lab;
    return 0;
}

static int tear_down(void **state)
{
    struct lab *lab = *state;
    assert_int_equal(lab_request(lab, "GET", "/v1/workflows", NULL),
                     200); /* still there for others */
    lab_free(lab);
    return 0;
}

static int answer_of(struct buf *out)
{
    struct str s = buf_str(out);
    if (s.len < 12 || !str_starts(s, STR("HTTP/1.1 ")))
        return 0;
    return (s.ptr[9] - '0') * 100 + (s.ptr[10] - '0') * 10 + s.ptr[11] - '0';
}

/* Sends, and gives the answer's status once the connection has ended; 0: ended without one; -1: has
 * not. */
static int send_and_read(struct lab *lab, struct str text)
{
    struct buf out;
    int fd = lab_connect(lab);
    buf_init(&out, 1u << 20);
    lab_send(lab, fd, text);
    int status = lab_read(lab, fd, &out) ? answer_of(&out) : -1;
    buf_release(&out);
    close(fd);
    return status;
}

static void a_head_that_never_ends_is_cut(void **state)
{
    struct lab *lab = *state;
    struct buf out;
    int fd = lab_connect(lab);
    buf_init(&out, 1u << 20);
    lab_send(lab, fd, STR("GET /v1/runs HTTP/1.1\r\nHost: x\r\n"));
    for (int i = 0; i < 9;
         i++) { /* a field a second keeps a time-out for silence away, not the deadline */
        lab_advance(lab, 1000);
        lab_send(lab, fd, STR("X-A: b\r\n"));
        assert_false(lab_read(lab, fd, &out));
    }
    lab_advance(lab, 1100);
    assert_true(lab_read(lab, fd, &out));
    assert_int_equal(control_connections(lab->control), 0);
    buf_release(&out);
    close(fd);
}

static void a_silent_connection_is_cut(void **state)
{
    struct lab *lab = *state;
    struct buf out;
    int fd = lab_connect(lab);
    buf_init(&out, 1024);
    lab_advance(lab, 9000);
    assert_false(lab_read(lab, fd, &out));
    lab_advance(lab, 2000);
    assert_true(lab_read(lab, fd, &out));
    buf_release(&out);
    close(fd);
}

static void a_body_a_byte_at_a_time_is_cut(void **state)
{
    struct lab *lab = *state;
    struct buf out;
    int fd = lab_connect(lab);
    buf_init(&out, 1u << 20);
    lab_send(lab, fd,
             STR("POST /v1/runs/1/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"));
    for (int i = 0; i < 29; i++) {
        lab_advance(lab, 1000);
        lab_send(lab, fd, STR(" "));
        assert_false(lab_read(lab, fd, &out));
    }
    lab_advance(lab, 2000);
    assert_true(lab_read(lab, fd, &out));
    assert_int_equal(lab->asked, 0);
    buf_release(&out);
    close(fd);
}

static void a_reader_that_takes_nothing_is_cut(void **state)
{
    struct lab *lab = *state;
    struct buf big;
    buf_init(&big, 4u << 20);
    buf_char(&big, '"');
    for (int i = 0; i < 2 << 20; i++)
        buf_char(&big, 'x');
    buf_cstr(&big, "\"");
    buf_char(&big, 0);
    lab->result = big.ptr;
    int fd = lab_connect(lab);
    lab_send(lab, fd,
             STR("POST /v1/runs/1/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
    lab_advance(lab, 59000);
    assert_int_equal(control_connections(lab->control), 1);
    lab_advance(lab, 2000);
    assert_int_equal(control_connections(lab->control), 0);
    lab->result = "{}";
    buf_release(&big);
    close(fd);
}

static void bodies_that_are_too_large_are_refused(void **state)
{
    static const struct {
        const char *head;
        int status;
    } ROWS[] = {
        {"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", 413},
        {"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413},
        {"POST /v1/backup HTTP/1.1\r\nHost: x\r\nContent-Length: 16385\r\n\r\n", 413},
        {"GET /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 413},
    };
    struct lab *lab = *state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        assert_row(send_and_read(lab, str_of(ROWS[i].head)) == ROWS[i].status, i, "%s",
                   ROWS[i].head);
    assert_int_equal(lab->asked, 0);
}

static void put_chunk(struct buf *b, size_t n)
{
    buf_fmt(b, "%zx\r\n", n);
    for (size_t i = 0; i < n; i++)
        buf_char(b, ' ');
    buf_cstr(b, "\r\n");
}

/* Its size is known only when it has come: some is swallowed, so that the answer can be read. */
static void chunked_bodies_have_the_same_limit(void **state)
{
    struct lab *lab = *state;
    struct buf b;
    buf_init(&b, 32u << 20);
    for (size_t kib = 1000; kib <= 1200; kib += 200) {
        buf_clear(&b);
        buf_cstr(&b, "POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (size_t i = 0; i < kib; i++)
            put_chunk(&b, 1024);
        buf_cstr(&b, "2\r\n{}\r\n0\r\n\r\n");
        assert_int_equal(send_and_read(lab, buf_str(&b)), kib == 1000 ? 202 : 413);
    }
    buf_clear(&b); /* endless: ended without an answer */
    buf_cstr(&b, "POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < 8000; i++)
        put_chunk(&b, 1024);
    assert_int_equal(send_and_read(lab, buf_str(&b)), 0);
    buf_release(&b);
}

static void heads_that_are_too_large_or_no_heads_are_refused(void **state)
{
    static const char *const BAD[] = {
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls?\r\n\r\n",
        "GET\r\n\r\n",
        "GET /v1/runs\r\n\r\n",
        "GET /v1/runs HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET /v1/runs HTTP/1.1\r\n\r\n", /* no Host */
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "{\"jsonrpc\":\"2.0\",\"method\":\"control/do\"}\n\r\n\r\n",
        "POST /v1/runs/1/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nConnection: "
        "close\r\n\r\n",
        "POST /v1/runs/1/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: zz\r\nConnection: "
        "close\r\n\r\n",
        "POST /v1/runs/1/cancel HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
        "chunked\r\n\r\nzz\r\n\r\n",
    };
    struct lab *lab = *state;
    struct buf b;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        int fd = lab_connect(lab);
        buf_init(&b, 1u << 20);
        lab_send(lab, fd, str_of(BAD[i]));
        bool is_ended = lab_read(lab, fd, &b);
        if (!is_ended) { /* it waits for the rest of what it takes for a head or body */
            lab_advance(lab, 31000);
            is_ended = lab_read(lab, fd, &b);
        }
        assert_row(is_ended, i, "%s: still open", BAD[i]);
        assert_row(answer_of(&b) != 200, i, "%s: served", BAD[i]);
        buf_release(&b);
        close(fd);
    }
    assert_int_equal(lab->asked, 0);
    buf_init(&b, 1u << 20);
    buf_cstr(&b, "GET /v1/runs HTTP/1.1\r\nHost: x\r\nX-Long: ");
    for (size_t i = 0; i < 100000; i++)
        buf_char(&b, 'a');
    buf_cstr(&b, "\r\n\r\n");
    int status = send_and_read(lab, buf_str(&b));
    assert_true(status == 431 || status == 413 || status == 0);
    buf_clear(&b);
    buf_cstr(&b, "GET /v1/");
    for (size_t i = 0; i < 4000; i++)
        buf_char(&b, 'a');
    buf_cstr(&b, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_int_equal(send_and_read(lab, buf_str(&b)), 414);
    buf_release(&b);
}

static void one_user_gets_so_many_connections(void **state)
{
    struct lab *lab = *state;
    int fds[40];
    struct buf out;
    buf_init(&out, 1u << 16);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = lab_connect(lab);
        lab_pass(lab);
    }
    lab_idle(lab);
    assert_int_equal(control_connections(lab->control), lab->limits.max_per_uid);
    assert_true(lab_read(lab, fds[39], &out)); /* told, and closed */
    assert_int_equal(answer_of(&out), 503);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    lab_idle(lab);
    assert_int_equal(control_connections(lab->control), 0);
    buf_release(&out);
}

static void the_total_has_a_reserve_for_admins(void **state)
{
    struct lab *lab =
        lab_new(&(struct http_limits){4, 2, 100, 32u << 10, 1u << 20, 10000, 30000, 60000, 60});
    char roles[128];
    int fds[8];
    (void)state;
    snprintf(roles, sizeof(roles), "[{\"role\":\"viewer\",\"uids\":[%u]}]", (unsigned)getuid());
    lab_config(lab, roles);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = lab_connect(lab);
    lab_idle(lab);
    assert_int_equal(control_connections(lab->control), 4);
    lab_config(lab, NULL); /* now we are admin */
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        close(fds[i]);
        fds[i] = lab_connect(lab);
    }
    lab_idle(lab);
    assert_int_equal(control_connections(lab->control), 6);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    lab_free(lab);
}

static void bodies_of_all_together_are_bounded(void **state)
{
    struct lab *lab =
        lab_new(&(struct http_limits){64, 2, 64, 32u << 10, 1500u << 10, 10000, 30000, 60000, 60});
    struct buf body, out;
    int fds[4];
    unsigned accepted = 0, refused = 0;
    (void)state;
    lab_config(lab, NULL);
    buf_init(&body, 2u << 20);
    buf_init(&out, 1u << 20);
    buf_cstr(&body, "POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                    "Content-Type: application/json\r\nContent-Length: 1000002\r\n\r\n{}");
    for (size_t i = 0; i < 999999; i++)
        buf_char(&body, ' ');
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) { /* all but the last byte: held */
        fds[i] = lab_connect(lab);
        lab_send(lab, fds[i], buf_str(&body));
    }
    lab_idle(lab);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        lab_send(lab, fds[i], STR(" "));
        buf_clear(&out);
        assert_true(lab_read(lab, fds[i], &out));
        accepted += answer_of(&out) == 202;
        refused += answer_of(&out) == 503;
        close(fds[i]);
    }
    assert_int_equal(accepted, 1);
    assert_int_equal(refused, 3);
    buf_release(&body);
    buf_release(&out);
    assert_int_equal(lab_request(lab, "POST", "/v1/events", "{}"),
                     202); /* all of it was given back */
    lab_free(lab);
}

/* Out of descriptors: accepting pauses, then goes on; who is connected is served. */
static void running_out_of_descriptors_is_survived(void **state)
{
    struct lab *lab = *state;
    struct rlimit old, low;
    struct buf out;
    buf_init(&out, 1u << 20);
    int early = lab_connect(lab);
    lab_idle(lab);
    int late = lab_connect(lab);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    lab_idle(lab);
    assert_int_equal(control_connections(lab->control), 1);
    lab_send(lab, early, STR("GET /v1/workflows HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(lab_read(lab, early, &out));
    assert_int_equal(answer_of(&out), 200);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    lab_advance(lab, 1000);
    buf_clear(&out);
    lab_send(lab, late, STR("GET /v1/workflows HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_true(lab_read(lab, late, &out));
    assert_int_equal(answer_of(&out), 200);
    buf_release(&out);
    close(early);
    close(late);
}

static void keep_alive_and_pipelining_work(void **state)
{
    struct lab *lab = *state;
    struct buf out;
    int fd = lab_connect(lab), count = 0;
    buf_init(&out, 1u << 20);
    for (int i = 0; i < 3; i++) {
        lab_send(lab, fd,
                 STR("GET /v1/workflows HTTP/1.1\r\nHost: x\r\n\r\n"
                     "POST /v1/runs/1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"));
        assert_false(lab_read(lab, fd, &out));
    }
    struct str s = buf_str(&out);
    for (size_t i = 0; i + 12 <= s.len; i++)
        count += memcmp(s.ptr + i, "HTTP/1.1 200", 12) == 0;
    assert_int_equal(count, 6);
    assert_int_equal(lab->asked, 3);
    assert_int_equal(control_connections(lab->control), 1);
    lab_advance(lab, 11000); /* idle */
    assert_int_equal(control_connections(lab->control), 0);
    buf_release(&out);
    close(fd);
}

static void half_closed_clients_are_answered(void **state)
{
    struct lab *lab = *state;
    struct buf out;
    int fd = lab_connect(lab);
    buf_init(&out, 1u << 20);
    lab_send(lab, fd, STR("GET /v1/workflows HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(lab_read(lab, fd, &out));
    assert_int_equal(answer_of(&out), 200);
    buf_release(&out);
    close(fd);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_head_that_never_ends_is_cut),
        T(a_silent_connection_is_cut),
        T(a_body_a_byte_at_a_time_is_cut),
        T(a_reader_that_takes_nothing_is_cut),
        T(bodies_that_are_too_large_are_refused),
        T(chunked_bodies_have_the_same_limit),
        T(heads_that_are_too_large_or_no_heads_are_refused),
        T(one_user_gets_so_many_connections),
        T(the_total_has_a_reserve_for_admins),
        T(bodies_of_all_together_are_bounded),
        T(running_out_of_descriptors_is_survived),
        T(keep_alive_and_pipelining_work),
        T(half_closed_clients_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
