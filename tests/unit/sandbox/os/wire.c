/*
 * wire.c: a wire that works: requests, replies, calls, held output, pausing, descriptors, freeing.
 */
#include "tests/unit/sandbox/os/rig.h"

#define V "{\"jsonrpc\":\"2.0\","

static void answer(struct rig *rig, const struct wire_message *m)
{
    struct wire_out o;
    if (m->kind != WIRE_REQUEST)
        return;
    wire_result(rig->wire, &o, m->id);
    jout_m_bool(&o.j, "ok", true);
    assert_int_equal(wire_end(rig->wire, &o, NULL), 0);
}

static void dispatches_and_answers(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    rig.on_message = answer;
    rig_send(&rig, V "\"id\":1,\"method\":\"a\"}\n" V "\"method\":\"n\",\"params\":{\"x\":1}}\n" V
                     "\"id\":\"s\",\"method\":\"b\"}\n");
    rig_pass(&rig);
    assert_told(&rig, "ask a 1\nnote n {\"x\":1}\nask b \"s\"\n");
    assert_str(rig_recv(&rig), V "\"id\":1,\"result\":{\"ok\":true}}\n" V
                                 "\"id\":\"s\",\"result\":{\"ok\":true}}\n");
    fd_close(&rig.peer);
    rig_run(&rig);
    assert_told(&rig, "closed ok\n");
    rig_release(&rig);
}

static void takes_messages_in_pieces(void **state)
{
    struct rig rig;
    const char *text = V "\"method\":\"\xc3\xa4\xf0\x9f\x98\x80\"}\n" V "\"method\":\"c\"}\n";
    (void)state;
    rig_init(&rig);
    for (const char *p = text; *p; p++) {
        char one[2] = {*p, 0};
        rig_send(&rig, one);
        rig_pass(&rig);
    }
    assert_told(&rig, "note \xc3\xa4\xf0\x9f\x98\x80\nnote c\n");
    rig_release(&rig);
}

static void answers_an_error(void **state)
{
    struct rig rig;
    struct wire_out o;
    (void)state;
    rig_init(&rig);
    assert_int_equal(wire_error(rig.wire, NULL, WIRE_E_DENIED, "no: %s", "\xff\xfe\"\n"), 0);
    assert_int_equal(wire_notify(rig.wire, &o, "x"), 0);
    assert_int_equal(wire_end(rig.wire, &o, NULL), 0);
    assert_int_equal(wire_result_raw(rig.wire, STR("9"), STR("null"), NULL), 0);
    assert_true(wire_result_raw(rig.wire, STR("9"), STR("nul"), NULL) < 0);
    assert_true(wire_has_output(rig.wire));
    rig_pass(&rig);
    assert_false(wire_has_output(rig.wire));
    assert_str(
        rig_recv(&rig),
        V "\"id\":null,\"error\":{\"code\":1002,\"message\":\"no: \?\?\\\"\\n\",\"data\":{}}}\n" V
          "\"method\":\"x\",\"params\":{}}\n" V "\"id\":9,\"result\":null}\n");
    rig_release(&rig);
}

static void drops_a_message_that_was_not_ended(void **state)
{
    struct rig rig;
    struct wire_out a, b;
    (void)state;
    rig_init(&rig);
    assert_int_equal(wire_notify(rig.wire, &a, "lost"), 0);
    assert_int_equal(wire_notify(rig.wire, &b, "kept"), 0);
    assert_int_equal(wire_end(rig.wire, &b, NULL), 0);
    assert_int_equal(wire_notify(rig.wire, &a, "bad"), 0);
    jout_m_str(&a.j, "x", STR("\xff"));
    assert_int_equal(wire_end(rig.wire, &a, NULL), -EILSEQ);
    rig_pass(&rig);
    assert_str(rig_recv(&rig), V "\"method\":\"kept\",\"params\":{}}\n");
    rig_release(&rig);
}

/* ---- held output: INV-04 ----------------------------------------------------------------------
 */

static void note(struct wire *w, const char *method)
{
    struct wire_out o;
    assert_int_equal(wire_notify(w, &o, method), 0);
    assert_int_equal(wire_end(w, &o, NULL), 0);
}

static void holds_output_until_released(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    note(rig.wire, "before"); /* written before it was held: leaves */
    wire_hold(rig.wire, true);
    note(rig.wire, "a");
    rig_run(&rig);
    assert_str(rig_recv(&rig), V "\"method\":\"before\",\"params\":{}}\n");
    note(rig.wire, "b");
    wire_release(rig.wire);
    note(rig.wire, "c"); /* after the release: the next one's */
    rig_run(&rig);
    assert_str(rig_recv(&rig),
               V "\"method\":\"a\",\"params\":{}}\n" V "\"method\":\"b\",\"params\":{}}\n");
    assert_int_equal(wire_out_bytes(rig.wire), strlen(V "\"method\":\"c\",\"params\":{}}\n"));
    wire_hold(rig.wire, false);
    rig_run(&rig);
    assert_str(rig_recv(&rig), V "\"method\":\"c\",\"params\":{}}\n");
    rig_release(&rig);
}

static void commit_hook(void *arg)
{
    struct rig *rig = arg;
    assert_int_equal(rig_recv(rig).len, 0); /* nothing left before the commit */
    buf_cstr(&rig->told, "commit\n");
    wire_release(rig->wire);
}

static void lets_output_leave_in_the_pass_of_its_commit(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    rig.on_message = answer;
    wire_hold(rig.wire, true);
    assert_int_equal(ev_on_pass_end(rig.ev, commit_hook, &rig), 0);
    rig_send(&rig, V "\"id\":1,\"method\":\"a\"}\n");
    rig_pass(&rig);
    assert_told(&rig, "ask a 1\ncommit\n");
    assert_str(rig_recv(&rig), V "\"id\":1,\"result\":{\"ok\":true}}\n");
    rig_release(&rig);
}

/* ---- calls ------------------------------------------------------------------------------------
 */

static void on_reply(void *arg, struct wire *w, const struct wire_message *m)
{
    struct rig *rig = arg;
    assert_ptr_equal(w, rig->wire);
    if (m->kind == WIRE_RESULT)
        buf_fmt(&rig->told, "result %.*s\n", STR_FMT(m->result->raw));
    else
        buf_fmt(&rig->told, "error %" PRId64 " %.*s\n", m->code, STR_FMT(m->text));
}

static struct wire_call *call(struct rig *rig, int64_t timeout_ms)
{
    struct wire_out o;
    struct wire_call *c = NULL;
    struct err err = ERR_INIT;
    int64_t id = wire_call_next_id(rig->wire);
    assert_int_equal(wire_call_begin(rig->wire, &o, "do"), 0);
    if (wire_call_end(rig->wire, &o, timeout_ms, on_reply, rig, &c, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(wire_call_id(c), id);
    return c;
}

static void calls_and_gets_replies(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    call(&rig, 0);
    call(&rig, 0);
    rig_run(&rig);
    assert_str(rig_recv(&rig), V "\"id\":1,\"method\":\"do\",\"params\":{}}\n" V
                                 "\"id\":2,\"method\":\"do\",\"params\":{}}\n");
    rig_send(&rig, V "\"id\":2,\"error\":{\"code\":-5,\"message\":\"no\"}}\n" V
                     "\"id\":1,\"result\":[]}\n");
    rig_run(&rig);
    assert_told(&rig, "error -5 no\nresult []\n");
    rig_release(&rig);
}

static void calls_time_out(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    call(&rig, 1000);
    call(&rig, 500);
    call(&rig, 0);
    rig_run(&rig);
    clock_virtual_advance(&rig.clock, 499);
    rig_run(&rig);
    assert_told(&rig, "");
    clock_virtual_advance(&rig.clock, 1);
    rig_run(&rig);
    assert_told(&rig, "error 1007 no answer in time\n");
    rig_send(&rig, V "\"id\":1,\"result\":1}\n");
    rig_run(&rig);
    clock_virtual_advance(&rig.clock, 1000000);
    rig_run(&rig);
    assert_told(&rig, "result 1\n");
    /* Late: known, and ignored once. A second is to nobody's question. */
    rig_send(&rig, V "\"id\":2,\"result\":1}\n");
    rig_run(&rig);
    assert_told(&rig, "");
    rig_send(&rig, V "\"id\":2,\"result\":1}\n");
    rig_run(&rig);
    assert_non_null(strstr(rig.why.text, "id 2"));
    assert_told(
        &rig, "error 1006 the connection is closed: an answer with the id 2, to nobody's question\n"
              "closed EBADMSG\n");
    rig_release(&rig);
}

static void dropped_calls_are_ignored(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    struct wire_call *first = call(&rig, 100);
    wire_call_drop(first);
    wire_call_drop(first); /* twice is once */
    wire_call_drop(NULL);
    call(&rig, 0);
    clock_virtual_advance(&rig.clock, 1000);
    rig_run(&rig);
    rig_send(&rig, V "\"id\":1,\"result\":1}\n" V "\"id\":2,\"result\":2}\n");
    rig_run(&rig);
    assert_told(&rig, "result 2\n");
    /* The memory for dropped ones is bounded: the oldest is forgotten. */
    for (int i = 0; i < WIRE_DROPPED_MAX + 1; i++)
        wire_call_drop(call(&rig, 0));
    rig_run(&rig);
    while (rig_recv(&rig).len > 0)
        rig_run(&rig);
    rig_send(&rig, V "\"id\":4,\"result\":1}\n");
    rig_run(&rig);
    assert_told(&rig, "");
    rig_send(&rig, V "\"id\":3,\"result\":1}\n");
    rig_run(&rig);
    assert_told(&rig, "closed EBADMSG\n");
    rig_release(&rig);
}

static void many_calls_find_their_way(void **state)
{
    struct rig rig;
    char line[100];
    (void)state;
    rig_init(&rig);
    for (int i = 0; i < 500; i++)
        call(&rig, 1000 + i);
    rig_run(&rig);
    for (int i = 500; i >= 1; i--) {
        (void)snprintf(line, sizeof line, V "\"id\":%d,\"result\":%d}\n", i, i);
        rig_send(&rig, line);
        rig_pass(&rig);
        (void)snprintf(line, sizeof line, "result %d\n", i);
        assert_told(&rig, line);
    }
    rig_release(&rig);
}

static void open_calls_end_with_the_wire(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    rig.keep = true;
    call(&rig, 100);
    wire_call_drop(call(&rig, 100));
    rig_run(&rig);
    (void)rig_recv(&rig);
    fd_close(&rig.peer);
    rig_run(&rig);
    assert_told(&rig, "error 1006 the connection is closed\nclosed ok\n");
    /* Closed, kept: nothing works, nothing crashes. */
    struct wire_out o;
    struct wire_call *c;
    assert_int_equal(wire_call_begin(rig.wire, &o, "x"), 0);
    assert_int_equal(wire_call_end(rig.wire, &o, 10, on_reply, &rig, &c, NULL), -EPIPE);
    assert_int_equal(wire_notify(rig.wire, &o, "x"), 0);
    assert_int_equal(wire_end(rig.wire, &o, NULL), -EPIPE);
    wire_pause(rig.wire, true);
    wire_hold(rig.wire, true);
    wire_release(rig.wire);
    clock_virtual_advance(&rig.clock, 1000);
    rig_run(&rig);
    assert_told(&rig, "");
    rig_release(&rig);
}

/* ---- freeing inside ---------------------------------------------------------------------------
 */

static void free_it(struct rig *rig, const struct wire_message *m)
{
    wire_free(rig->wire);
    rig->wire = NULL;
    /* Borrowed until the handler returns, whatever it frees. */
    assert_true(str_starts(m->method, STR("m")));
    assert_int_equal(m->params->raw.len, 7);
    assert_non_null(arena_alloc(m->arena, 100));
}

static void frees_in_its_handler(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    rig.on_message = free_it;
    rig_send(&rig,
             V "\"method\":\"m1\",\"params\":{\"x\":1}}\n" V "\"method\":\"m2\",\"params\":{}}\n");
    rig_run(&rig);
    assert_told(&rig, "note m1 {\"x\":1}\n");
    rig_release(&rig);
}

static void on_reply_free(void *arg, struct wire *w, const struct wire_message *m)
{
    struct rig *rig = arg;
    on_reply(arg, w, m);
    wire_free(w);
    rig->wire = NULL;
}

static void frees_in_a_reply(void **state)
{
    struct rig rig;
    struct wire_out o;
    (void)state;
    for (int how = 0; how < 3; how++) {
        rig_init(&rig);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(wire_call_begin(rig.wire, &o, "x"), 0);
            assert_int_equal(wire_call_end(rig.wire, &o, 10, on_reply_free, &rig, NULL, NULL), 0);
        }
        rig_run(&rig);
        (void)rig_recv(&rig);
        if (how == 0) {
            rig_send(&rig, V "\"id\":2,\"result\":1}\n" V "\"id\":1,\"result\":1}\n");
        } else if (how == 1) {
            clock_virtual_advance(&rig.clock, 10);
        } else {
            fd_close(&rig.peer);
        }
        rig_run(&rig);
        assert_told(&rig, how == 0   ? "result 1\n"
                          : how == 1 ? "error 1007 no answer in time\n"
                                     : "error 1006 the connection is closed\n");
        rig_release(&rig);
    }
}

static void drop_last_output(struct rig *rig, const struct wire_message *m)
{
    answer(rig, m);
    wire_free(rig->wire);
    rig->wire = NULL;
}

static void frees_with_output_waiting(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    rig.on_message = drop_last_output;
    rig_send(&rig, V "\"id\":1,\"method\":\"m1\"}\n");
    rig_run(&rig);
    assert_int_equal(rig_recv(&rig).len, 0);
    rig_release(&rig);
}

/* ---- pausing ----------------------------------------------------------------------------------
 */

static void pause_it(struct rig *rig, const struct wire_message *m)
{
    (void)m;
    wire_pause(rig->wire, true);
}

static void pauses(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig);
    rig.on_message = pause_it;
    rig_send(&rig, V "\"method\":\"a\"}\n" V "\"method\":\"b\"}\n" V "\"method\":");
    rig_run(&rig);
    assert_told(&rig, "note a\n");
    rig_send(&rig, "\"c\"}\n" V "\"meth");
    clock_virtual_advance(&rig.clock, 1000000); /* half a line does not age while we do not read */
    rig_run(&rig);
    assert_told(&rig, "");
    wire_pause(rig.wire, false);
    rig_run(&rig);
    assert_told(&rig, "note b\n");
    wire_pause(rig.wire, false);
    rig_run(&rig);
    assert_told(&rig, "note c\n");
    wire_pause(rig.wire, false);
    rig_run(&rig);
    clock_virtual_advance(&rig.clock, 30000);
    rig_run(&rig);
    assert_told(&rig, "closed ETIMEDOUT\n");
    rig_release(&rig);
}

static void a_paused_wire_waits_with_a_hang_up(void **state)
{
    struct rig rig;
    struct err err = ERR_INIT;
    (void)state;
    rig_init(&rig);
    wire_pause(rig.wire, true);
    rig_send(&rig, V "\"method\":\"last\"}\n");
    fd_close(&rig.peer);
    rig_run(&rig);
    assert_told(&rig, "");
    /* Told once at most: else the loop would spin. */
    uint64_t pass = ev_pass(rig.ev);
    assert_int_equal(ev_once(rig.ev, 1, &err), 0);
    assert_int_equal(ev_pass(rig.ev), pass + 1);
    wire_pause(rig.wire, false);
    rig_run(&rig);
    assert_told(&rig, "note last\nclosed ok\n");
    rig_release(&rig);
}

/* ---- descriptors ------------------------------------------------------------------------------
 */

static int make_file(const char *text)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], text, strlen(text)), (ssize_t)strlen(text));
    close(fds[1]);
    return fds[0];
}

static void assert_reads(int fd, const char *want)
{
    char got[16] = {0};
    assert_int_equal(read(fd, got, sizeof got - 1), (ssize_t)strlen(want));
    assert_string_equal(got, want);
}

static void passes_descriptors_with_their_message(void **state)
{
    struct rig rig;
    int fds[FD_PASS_MAX];
    size_t count;
    char bytes[1000];
    (void)state;
    size_t open_before = count_open_fds();
    rig_init_with(&rig, NULL, true);
    note(rig.wire, "first");
    assert_int_equal(wire_attach_fd(rig.wire, make_file("one"), NULL), 0);
    assert_int_equal(wire_attach_fd(rig.wire, make_file("two"), NULL), 0);
    note(rig.wire, "second");
    note(rig.wire, "third");
    assert_int_equal(wire_attach_fd(rig.wire, make_file("three"), NULL), 0);
    note(rig.wire, "fourth");
    rig_run(&rig);
    ssize_t n = fd_recv(rig.peer, bytes, strlen(V "\"method\":\"first\",\"params\":{}}\n"), fds,
                        &count, NULL);
    assert_int_equal(n, strlen(V "\"method\":\"first\",\"params\":{}}\n"));
    assert_int_equal(count, 0);
    n = fd_recv(rig.peer, bytes, 10, fds, &count, NULL);
    assert_int_equal(n, 10);
    assert_int_equal(count, 2);
    assert_reads(fds[0], "one");
    assert_reads(fds[1], "two");
    assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    close(fds[0]);
    close(fds[1]);
    size_t third = 0;
    do {
        n = fd_recv(rig.peer, bytes, sizeof bytes, fds, &count, NULL);
        if (n > 0 && count == 1) {
            third++;
            assert_reads(fds[0], "three");
            close(fds[0]);
        }
    } while (n > 0);
    assert_int_equal(third, 1);
    /* One that waits for a message that never comes goes with the wire. */
    assert_int_equal(wire_attach_fd(rig.wire, make_file("x"), NULL), 0);
    rig_release(&rig);
    assert_int_equal(count_open_fds(), open_before);
}

static void bounds_what_may_be_attached(void **state)
{
    struct rig rig;
    (void)state;
    size_t open_before = count_open_fds();
    rig_init_with(&rig, NULL, true);
    for (int i = 0; i < FD_PASS_MAX; i++)
        assert_int_equal(wire_attach_fd(rig.wire, make_file("x"), NULL), 0);
    assert_int_equal(wire_attach_fd(rig.wire, make_file("x"), NULL), -ENOBUFS);
    rig_release(&rig);
    rig_init(&rig);
    assert_int_equal(wire_attach_fd(rig.wire, make_file("x"), NULL), -EPERM);
    rig_release(&rig);
    assert_int_equal(count_open_fds(), open_before);
}

static void receives_descriptors(void **state)
{
    struct rig rig;
    int sent[3], got[4];
    (void)state;
    size_t open_before = count_open_fds();
    rig_init_with(&rig, NULL, true);
    for (int i = 0; i < 3; i++)
        sent[i] = make_file(i == 0 ? "a" : i == 1 ? "b" : "c");
    const char *line = V "\"method\":\"m\"}\n";
    assert_true(fd_send(rig.peer, line, strlen(line), sent, 3, NULL) > 0);
    for (int i = 0; i < 3; i++)
        close(sent[i]);
    rig_run(&rig);
    assert_told(&rig, "note m\n");
    assert_int_equal(wire_take_fds(rig.wire, got, 2), 2);
    assert_reads(got[0], "a");
    assert_reads(got[1], "b");
    close(got[0]);
    close(got[1]);
    rig_release(&rig); /* the third was not taken */
    assert_int_equal(count_open_fds(), open_before);
}

/* ---- pipes ------------------------------------------------------------------------------------
 */

static void works_over_pipes(void **state)
{
    struct rig rig = {.peer = -1};
    int in[2], out[2];
    char bytes[1000];
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    clock_virtual_init(&rig.clock, 1);
    buf_init(&rig.told, 1 << 20);
    assert_int_equal(ev_new(&rig.ev, &rig.clock.clock, NULL), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct wire_owner owner = {rig_on_message, rig_on_closed, &rig};
    assert_int_equal(wire_new_pipes(rig.ev, in[0], out[1], NULL, &owner, &rig.wire, NULL), 0);
    rig.on_message = answer;
    const char *line = V "\"id\":1,\"method\":\"m\"}\n";
    assert_int_equal(write(in[1], line, strlen(line)), (ssize_t)strlen(line));
    rig_run(&rig);
    ssize_t n = read(out[0], bytes, sizeof bytes);
    assert_str(((struct str){bytes, (size_t)MAX(n, 0)}), V "\"id\":1,\"result\":{\"ok\":true}}\n");
    /* More than a pipe holds: the rest waits for EPOLLOUT. */
    for (int i = 0; i < 3000; i++)
        note(rig.wire, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    size_t all = wire_out_bytes(rig.wire), got = 0;
    rig_run(&rig);
    assert_true(wire_has_output(rig.wire));
    while (got < all) {
        n = read(out[0], bytes, sizeof bytes);
        assert_true(n > 0);
        got += (size_t)n;
        rig_pass(&rig);
    }
    rig_run(&rig);
    assert_false(wire_has_output(rig.wire));
    buf_clear(&rig.told);
    /* Its reader is gone; what it says before its end is still heard. */
    close(out[0]);
    note(rig.wire, "x");
    rig_pass(&rig);
    assert_int_equal(write(in[1], line, strlen(line)), (ssize_t)strlen(line));
    close(in[1]);
    rig.on_message = NULL;
    rig_run(&rig);
    assert_told(&rig, "ask m 1\nclosed ok\n");
    rig_release(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dispatches_and_answers),
        cmocka_unit_test(takes_messages_in_pieces),
        cmocka_unit_test(answers_an_error),
        cmocka_unit_test(drops_a_message_that_was_not_ended),
        cmocka_unit_test(holds_output_until_released),
        cmocka_unit_test(lets_output_leave_in_the_pass_of_its_commit),
        cmocka_unit_test(calls_and_gets_replies),
        cmocka_unit_test(calls_time_out),
        cmocka_unit_test(dropped_calls_are_ignored),
        cmocka_unit_test(many_calls_find_their_way),
        cmocka_unit_test(open_calls_end_with_the_wire),
        cmocka_unit_test(frees_in_its_handler),
        cmocka_unit_test(frees_in_a_reply),
        cmocka_unit_test(frees_with_output_waiting),
        cmocka_unit_test(pauses),
        cmocka_unit_test(a_paused_wire_waits_with_a_hang_up),
        cmocka_unit_test(passes_descriptors_with_their_message),
        cmocka_unit_test(bounds_what_may_be_attached),
        cmocka_unit_test(receives_descriptors),
        cmocka_unit_test(works_over_pipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
