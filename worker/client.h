/*
 * client.h: the inside of struct reeve, for the files of the library alone.
 */
#ifndef REEVE_WORKER_CLIENT_H
#define REEVE_WORKER_CLIENT_H

#include "worker/channel.h"
#include "worker/reeve.h"

enum client_state { CLIENT_NEW, CLIENT_RUNNING, CLIENT_ENDED };

struct client_slot { /* one request that was sent */
    int64_t id;
    bool is_open, is_answered;
    struct reeve_answer answer; /* while answered and not yet taken */
};

struct reeve {
    struct channel channel;
    struct buf out; /* the request being written */
    struct buf late; /* the begin of a step in a fresh run, until something else is sent */
    int64_t late_id; /* of it, until its answer was looked at; 0: none */
    int64_t last_id;
    struct client_slot slots[REEVE_OPEN_MAX];
    size_t open_count;
    size_t next_slot; /* where reeve_wait_any goes on looking, so that none is passed over for ever */
    enum client_state state;
    bool is_cancelled;
    bool is_fresh; /* the journal was empty when this attempt began: no step is recorded */
    struct err broken; /* once set, every call answers with it */
    struct reeve_answer begun;
    struct reeve_run run;
};

/* Writes and reads what is needed until slot `id` (or, 0, any) is answered. */
struct client_slot *client_wait(struct reeve *r, int64_t id, struct err *err);

/* Writes the request into `late` instead of sending it. */
int client_put_late(struct reeve *r, struct wire_out *o, struct err *err);
/* Sends what is late and takes its answer; 0 when there is none. */
int client_settle_late(struct reeve *r, struct err *err);
/* As reeve_ask, together with what is late: one message in, one out. */
int client_ask_with_late(struct reeve *r, struct wire_out *o, struct reeve_answer *a, struct err *err);

#endif
