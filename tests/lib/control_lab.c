/*
 * control_lab.c: see control_lab.h. What goes wrong in here fails the test.
 */
#include "tests/lib/control_lab.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/os/fd.h"
#include "sandbox/os/sock.h"

#define PASSES_MAX 20000
#define IDLE_PASSES                                                               \
    100 /* nothing here waits for another process: what is ready is ready at once \
         */

static char *copy(const struct json *v)
{
    return str_dup(v ? v->raw : STR("null"));
}

static void on_message(void *arg, struct wire *w, const struct wire_message *m)
{
    struct lab *lab = arg;
    struct err err = ERR_INIT;
    assert_str(m->method, "control/do");
    lab->asked++;
    free(lab->params);
    free(lab->peer);
    lab->params = copy(json_get(m->params, "params"));
    lab->peer = copy(json_get(m->params, "peer"));
    struct str method = STR_NONE;
    assert_int_equal(json_want_str(m->params, "method", &method, &err), 0);
    assert_int_equal(str_copy(method, lab->method, sizeof(lab->method)), 0);
    if (lab->mode == LAB_RESULT) {
        assert_true(wire_result_raw(w, m->id->raw, str_of(lab->result), &err) >= 0);
    } else if (lab->mode == LAB_ERROR) {
        struct buf line;
        struct wire_out o;
        buf_init(&line, 1u << 20);
        wire_put_error(&o, &line, m->id, lab->code, lab->text);
        if (lab->data) {
            jout_name(&o.j, "diagnostics");
            jout_raw(&o.j, str_of(lab->data));
        }
        assert_true(wire_put_end(&o) >= 0);
        assert_true(fd_write_all(wire_fd(w), line.ptr, line.len, &err) >= 0);
        buf_release(&line);
    }
}

static void on_closed(void *arg, struct wire *w, const struct err *why)
{
    (void)arg;
    (void)w;
    (void)why;
}

static void on_lost(void *arg, const struct err *why)
{
    struct lab *lab = arg;
    lab->is_lost = true;
    lab->lost = *why;
}

struct lab *lab_new(const struct http_limits *limits)
{
    static const struct http_limits DEFAULT = HTTP_LIMITS_DEFAULT;
    struct lab *lab = calloc(1, sizeof(*lab));
    struct err err = ERR_INIT;
    int pair[2], listen_fd = -1;
    assert_non_null(lab);
    lab->store = tmpstore_new();
    lab->limits = limits ? *limits : DEFAULT;
    lab->result = "{}";
    buf_init(&lab->answer, 64u << 20);
    log_init(&lab->log, "test", LOG_LEVEL_ERROR);
    clock_virtual_init(&lab->clock, 1);
    assert_true(ev_new(&lab->ev, &lab->clock.clock, &err) >= 0);
    assert_true(chmod(lab->store->dir, 0755) == 0);
    snprintf(lab->socket, sizeof(lab->socket), "%s/control.sock", lab->store->dir);
    assert_true(sock_listen(lab->socket, 0666, &listen_fd, &err) >= 0);
    assert_true(sock_pair(pair, false, &err) >= 0);
    struct wire_owner owner = {on_message, on_closed, lab};
    assert_true(wire_new(lab->ev, pair[0], NULL, false, &owner, &lab->reeved, &err) >= 0);
    struct control_options o = {
        .listen_fd = listen_fd,
        .wire_fd = pair[1],
        .log = &lab->log,
        .http = &lab->limits,
        .on_lost = on_lost,
        .arg = lab,
    };
    assert_true(control_new(lab->ev, &o, &lab->control, &err) >= 0);
    return lab;
}

void lab_free(struct lab *lab)
{
    control_free(lab->control);
    wire_free(lab->reeved);
    ev_free(lab->ev);
    tmpstore_free(lab->store);
    buf_release(&lab->answer);
    free(lab->params);
    free(lab->peer);
    free(lab);
}

void lab_pass(struct lab *lab)
{
    struct err err = ERR_INIT;
    assert_true(ev_once(lab->ev, 0, &err) >= 0);
}

void lab_wait(struct lab *lab)
{
    struct err err = ERR_INIT;
    assert_true(ev_once(lab->ev, 1, &err) >= 0);
}

void lab_until(struct lab *lab, const bool *flag)
{
    for (int i = 0; i < PASSES_MAX && !*flag; i++)
        lab_wait(lab);
    assert_true(*flag);
}

void lab_idle(struct lab *lab)
{
    for (int i = 0; i < IDLE_PASSES; i++)
        lab_pass(lab);
}

void lab_advance(struct lab *lab, int64_t ms)
{
    lab_idle(lab);
    clock_virtual_advance(&lab->clock, ms);
    lab_idle(lab);
}

void lab_config(struct lab *lab, const char *roles_json)
{
    struct wire_out o;
    struct err err = ERR_INIT;
    char own[128];
    snprintf(own, sizeof(own), "[{\"role\":\"admin\",\"uids\":[%u]}]", (unsigned)getuid());
    assert_true(wire_notify(lab->reeved, &o, "control/config") >= 0);
    jout_name(&o.j, "roles");
    jout_raw(&o.j, str_of(roles_json ? roles_json : own));
    jout_m_cstr(&o.j, "stateDir", lab->store->dir);
    assert_true(wire_end(lab->reeved, &o, &err) >= 0);
    lab_idle(lab);
}

void lab_changed(struct lab *lab, int64_t run)
{
    struct wire_out o;
    struct err err = ERR_INIT;
    assert_true(wire_notify(lab->reeved, &o, "control/changed") >= 0);
    jout_name(&o.j, "runs");
    jout_array(&o.j);
    jout_i64(&o.j, run);
    jout_array_end(&o.j);
    assert_true(wire_end(lab->reeved, &o, &err) >= 0);
    lab_idle(lab);
}

/* ---- clients --------------------------------------------------------------------------------- */

int lab_connect(struct lab *lab)
{
    struct err err = ERR_INIT;
    int fd = -1;
    assert_true(sock_connect(lab->socket, &fd, &err) >= 0);
    assert_true(fd_set_nonblock(fd, true, &err) >= 0);
    return fd;
}

void lab_send(struct lab *lab, int fd, struct str text)
{
    int tries = 0;
    while (text.len && tries++ < PASSES_MAX) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            text = str_slice(text, (size_t)n, text.len);
        else if (errno != EAGAIN)
            return; /* it was cut: what was answered says why */
        lab_pass(lab);
    }
}

bool lab_read(struct lab *lab, int fd, struct buf *out)
{
    char part[65536];
    int quiet = 0;
    while (quiet < IDLE_PASSES) {
        lab_pass(lab);
        ssize_t n = recv(fd, part, sizeof(part), MSG_DONTWAIT);
        if (n == 0)
            return true;
        if (n > 0)
            buf_put(out, part, (size_t)n);
        else if (errno == ECONNRESET)
            return true;
        quiet = n > 0 ? 0 : quiet + 1;
    }
    return false;
}

int lab_request(struct lab *lab, const char *method, const char *target, const char *body)
{
    struct buf text;
    int fd = lab_connect(lab);
    buf_init(&text, 64u << 20);
    buf_fmt(&text, "%s %s HTTP/1.1\r\nHost: reeve\r\nConnection: close\r\n", method, target);
    if (body)
        buf_fmt(&text, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    buf_cstr(&text, "\r\n");
    buf_cstr(&text, body ? body : "");
    lab_send(lab, fd, buf_str(&text));
    buf_release(&text);
    buf_clear(&lab->answer);
    (void)lab_read(lab, fd, &lab->answer);
    (void)close(fd);
    struct str all = buf_str(&lab->answer);
    lab->status = 0;
    lab->body = STR_NONE;
    if (all.len > 12 && str_starts(all, STR("HTTP/1.1 ")))
        lab->status = (all.ptr[9] - '0') * 100 + (all.ptr[10] - '0') * 10 + all.ptr[11] - '0';
    for (size_t i = 0; i + 4 <= all.len; i++) {
        if (memcmp(all.ptr + i, "\r\n\r\n", 4) == 0) {
            lab->body = str_slice(all, i + 4, all.len);
            break;
        }
    }
    return lab->status;
}

const struct json *lab_json(struct lab *lab)
{
    const struct json *v = NULL;
    struct err err = ERR_INIT;
    if (json_parse(&lab->store->arena, lab->body, &JSON_LIMITS_DEFAULT, &v, NULL, &err) < 0)
        fail_msg("%s in %.*s", err.text, STR_FMT(lab->body));
    return v;
}
