/*
 * control_lab.h: reeve-control's middle in the test's own process, in virtual time, between a store of its
 * own, a scripted reeved on the wire, and real sockets as clients. One thread: the test drives the loop.
 */
#ifndef REEVE_TESTS_CONTROL_LAB_H
#define REEVE_TESTS_CONTROL_LAB_H

#include "sandbox/os/clock.h"
#include "sandbox/os/wire.h"
#include "supervisor/control/control.h"
#include "tests/lib/tmpstore.h"

enum lab_mode { LAB_RESULT, LAB_ERROR, LAB_SILENT };

struct lab {
    struct tmpstore *store;
    struct clock_virtual clock;
    struct ev *ev;
    struct control *control;
    struct wire *reeved;   /* our end */
    struct log log;
    char socket[160];
    struct http_limits limits;
    bool is_lost;
    struct err lost;
    /* the script, and what reeved was asked last */
    enum lab_mode mode;
    const char *result;    /* JSON text */
    int64_t code;
    const char *text, *data;
    unsigned asked;
    char method[64];
    char *params, *peer;   /* raw JSON, owned */
    /* the last answer to lab_request */
    int status;
    struct buf answer;     /* all of it */
    struct str body;
};

/* With our own user id as admin; limits and virtual clock may be changed before. */
struct lab *lab_new(const struct http_limits *limits);
void lab_free(struct lab *lab);
void lab_config(struct lab *lab, const char *roles_json);
void lab_changed(struct lab *lab, int64_t run);
void lab_pass(struct lab *lab); /* one pass, without a wait */
void lab_wait(struct lab *lab); /* one pass that waits a little, for another thread or process */
/* Passes until `*flag`, at most some thousand; then the test fails. */
void lab_until(struct lab *lab, const bool *flag);
void lab_idle(struct lab *lab); /* some passes: whatever was to happen has happened */
void lab_advance(struct lab *lab, int64_t ms);

int lab_connect(struct lab *lab); /* non-blocking */
void lab_send(struct lab *lab, int fd, struct str text); /* all of it, with the loop running */
/* Reads what comes until the other side closes (true) or nothing comes any more (false). Appends. */
bool lab_read(struct lab *lab, int fd, struct buf *out);
/* A whole exchange with Connection: close; the status. Body NULL: none. */
int lab_request(struct lab *lab, const char *method, const char *target, const char *body);
/* The members of the last answer's body. */
const struct json *lab_json(struct lab *lab);

#endif
